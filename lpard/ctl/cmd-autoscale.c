/* lparctl autoscale: how a partition is resized by what it needs: one knob, and the ones behind. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/amounts.h"
#include "lpard/ctl/definition.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"
#include "policy/autoscale.h"
#include "policy/units.h"

/* Puts the option's word, which must be one of `words`, into `settings`. */
static bool
add_word(LpCtl *ctl, LpCtlOption option, const char *const *words, int n_words, json_t *settings,
         GError **error)
{
    const char *text = lp_ctl_value(ctl, option);

    for (int i = 0; text != NULL && i < n_words; i++) {
        if (strcmp(text, words[i]) == 0) {
            json_object_set_new(settings, lp_ctl_option_name(option), json_string(text));
            return true;
        }
    }
    if (text == NULL)
        return true;
    lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--%s %s is not known: write one of %s",
                 lp_ctl_option_name(option), text, lp_ctl_option_argument(option));
    return false;
}

static bool
add_priority(LpCtl *ctl, json_t *settings, GError **error)
{
    const char *text = lp_ctl_value(ctl, LP_CTL_OPT_PRIORITY);
    uint32_t priority = 0;

    if (text == NULL)
        return true;
    if (lp_units_parse_count(text, LP_PRIORITY_MAX, &priority) != LP_UNITS_OK) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "--priority %s: write a whole number from 0 to %d; 7 comes first", text,
                     LP_PRIORITY_MAX);
        return false;
    }
    json_object_set_new(settings, "priority", json_integer(priority));
    return true;
}

/* Both have a 0, which is neither an amount nor a time: the usual. */
static bool
add_entitled(LpCtl *ctl, json_t *settings, GError **error)
{
    const char *text = lp_ctl_value(ctl, LP_CTL_OPT_ENTITLED_MEM);
    uint64_t bytes = 0;

    if (text == NULL)
        return true;
    if (strcmp(text, "0") != 0 && !lp_ctl_mem_parse("--entitled-mem", text, &bytes, error))
        return false;
    json_object_set_new(settings, "entitled_bytes", json_integer((json_int_t)bytes));
    return true;
}

static bool
add_release(LpCtl *ctl, json_t *settings, GError **error)
{
    const char *text = lp_ctl_value(ctl, LP_CTL_OPT_RELEASE_AFTER);
    gint64 seconds = 0;

    if (text == NULL)
        return true;
    if (strcmp(text, "0") != 0 &&
        (!lp_ctl_duration_parse(text, &seconds) || seconds > LP_RELEASE_SEC_MAX)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "--release-after %s: write a time up to a day, as 90s, 30m, 2h or 1d; or 0 "
                     "for the goal's", text);
        return false;
    }
    json_object_set_new(settings, "release_sec", json_integer(seconds));
    return true;
}

/* Looked at here too, so that a slip of the pen costs no round trip, and is a usage error. */
static bool
add_schedules(LpCtl *ctl, json_t *settings, GError **error)
{
    bool none = lp_ctl_has(ctl, LP_CTL_OPT_NO_SCHEDULES);
    char message[LP_SCHEDULE_MESSAGE] = "";
    LpSchedule schedule;
    json_t *list;

    if (!none && ctl->options.n_repeated == 0)
        return true;
    list = json_array();
    json_object_set_new(settings, "schedules", list);
    for (guint i = 0; i < ctl->options.n_repeated; i++) {
        const char *text = ctl->options.repeated[i];

        if (!lp_schedule_parse(text, &schedule, message, sizeof(message))) {
            lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--schedule %s", message);
            return false;
        }
        json_array_append_new(list, json_string(text));
    }
    if (json_array_size(list) > LP_SCHEDULES_MAX) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--schedule: give at most %d of them",
                     LP_SCHEDULES_MAX);
        return false;
    }
    return true;
}

static bool
read_options(LpCtl *ctl, json_t *settings, GError **error)
{
    if (!add_word(ctl, LP_CTL_OPT_MODE, lp_mode_names, LP_MODES, settings, error) ||
        !add_word(ctl, LP_CTL_OPT_GOAL, lp_goal_names, LP_GOALS, settings, error) ||
        !add_priority(ctl, settings, error) || !add_entitled(ctl, settings, error) ||
        !add_release(ctl, settings, error) || !add_schedules(ctl, settings, error))
        return false;
    /* Who names a goal wants it followed. */
    if (lp_ctl_has(ctl, LP_CTL_OPT_GOAL) && !lp_ctl_has(ctl, LP_CTL_OPT_MODE))
        json_object_set_new(settings, "mode", json_string(lp_mode_names[LP_MODE_AUTO]));
    return true;
}

static void
print_settings(const json_t *autoscale, const char *name, GString *out)
{
    g_autofree char *text = lp_ctl_autoscale_text(autoscale);
    const json_t *schedules = json_object_get(autoscale, "schedules");
    g_autofree char *first = g_strconcat(name, ": ", NULL);

    lp_ctl_text_wrap(out, first, "  ", text ? text : "this lpard knows no autoscaling");
    lp_ctl_text_list(out, "  ", schedules);
}

static int
show(LpCtl *ctl, const char *name, const char *path, GError **error)
{
    g_auto(LpCtlAnswer) answer = { 0 };
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *clean = lp_ctl_text_clean(name);
    int shown = lp_ctl_show(ctl, "GET", path, NULL, &answer, error);

    if (shown != LP_CTL_SHOW)
        return shown;
    print_settings(json_object_get(answer.json, "autoscale"), clean, out);
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}

static int
change(LpCtl *ctl, const char *path, json_t *settings, GError **error)
{
    bool dry_run = lp_ctl_has(ctl, LP_CTL_OPT_DRY_RUN);
    g_auto(LpCtlAnswer) answer = { 0 };
    g_autoptr(GString) out = g_string_new(NULL);
    json_t *body = json_pack("{s:o}", "autoscale", settings);
    int shown;

    if (dry_run)
        json_object_set_new(body, "dry_run", json_true());
    shown = lp_ctl_show(ctl, "PUT", path, body, &answer, error);
    json_decref(body);
    if (shown != LP_CTL_SHOW)
        return shown;
    lp_ctl_definition_text(ctl, answer.json, "has these settings of autoscaling.", out);
    /* What is as it was before is in no sentence of what changes. */
    if (json_array_size(json_object_get(answer.json, "now")) == 0) {
        g_autofree char *name = lp_ctl_text_str(answer.json, "partition");

        print_settings(lp_ctl_json_at(answer.json, "profile.autoscale"), name, out);
    }
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}

int
lp_ctl_cmd_autoscale(LpCtl *ctl, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(ctl->words[0], "/profile", error);
    json_t *settings;

    if (path == NULL)
        return -1;
    settings = json_object();
    if (!read_options(ctl, settings, error)) {
        json_decref(settings);
        return -1;
    }
    if (json_object_size(settings) > 0)
        return change(ctl, path, settings, error);
    json_decref(settings);
    if (lp_ctl_has(ctl, LP_CTL_OPT_DRY_RUN)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "--dry-run of nothing: give what is to be different, as --goal balanced");
        return -1;
    }
    return show(ctl, ctl->words[0], path, error);
}
