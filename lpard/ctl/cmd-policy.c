/* lparctl policy: the host's mode, and what the policy decided, why, and what it would do. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/log.h"
#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

#define SET_OPTIONS (LP_CTL_OPT_BIT(LP_CTL_OPT_MODE) | LP_CTL_OPT_BIT(LP_CTL_OPT_LEFTOVERS))
#define LOG_OPTIONS LP_CTL_OPT_BIT(LP_CTL_OPT_LIMIT)

/* ---- show ---- */

static void
print_figures(const json_t *policy, GString *out)
{
    g_autofree char *granted = lp_ctl_text_measured(policy, "memory.granted_bytes");
    g_autofree char *want = lp_ctl_text_measured(policy, "memory.want_bytes");
    g_autofree char *target = lp_ctl_text_measured(policy, "memory.target_bytes");
    g_autofree char *room = lp_ctl_text_measured(policy, "memory.free_bytes");
    const char *error = lp_ctl_json_str(policy, "history.error");

    g_string_append_printf(out, "mode: %s; leftovers: %s\n", lp_ctl_json_str(policy, "mode"),
                           lp_ctl_json_str(policy, "leftovers"));
    if (json_array_size(json_object_get(policy, "partitions")) > 0)
        g_string_append_printf(out, "memory: %s granted, %s wanted, %s shared out; %s free; "
                               "%" G_GINT64_FORMAT " moving\n", granted, want, target, room,
                               lp_ctl_json_int(policy, "moving", 0));
    g_string_append_printf(out, "ticks: %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT
                           " us each; the longest %" G_GINT64_FORMAT " us\n",
                           lp_ctl_json_int(policy, "tick.count", 0),
                           lp_ctl_json_int(policy, "tick.mean_usec", 0),
                           lp_ctl_json_int(policy, "tick.max_usec", 0));
    if (error[0] != '\0') {
        g_autofree char *line = g_strdup_printf("the history cannot be written: %s", error);
        g_autofree char *clean = lp_ctl_text_clean(line);

        lp_ctl_text_wrap(out, "", "  ", clean);
    }
}

/* "wait: release": what is done, and what decides. */
static char *
verdict(const json_t *decision, const char *part)
{
    const json_t *what = json_object_get(decision, part);
    const char *act = lp_ctl_json_str(what, "act"), *bound = lp_ctl_json_str(what, "bound");

    if (strcmp(act, "none") == 0)
        return g_strdup(strcmp(bound, "none") == 0 ? "-" : bound);
    return strcmp(bound, "none") == 0 ? g_strdup(act) : g_strdup_printf("%s: %s", act, bound);
}

static char *
note(const json_t *decision)
{
    const char *fixed = lp_ctl_json_str(decision, "fixed");
    const char *rival = lp_ctl_json_str(decision, "rival");
    g_autofree char *text = NULL;

    if (strcmp(fixed, "no") != 0 && fixed[0] != '\0')
        text = g_strdup(fixed);
    else
        text = rival[0] ? g_strdup_printf("for %s", rival) : g_strdup("");
    return lp_ctl_text_clean(text);
}

static int
policy_show(LpCtl *ctl, GError **error)
{
    static const char *const headings[] = { "NAME", "MODE", ">GRANTED", ">WANTED", ">PART",
                                            "MEMORY", ">VCPUS", ">WANTED", "PROCESSORS", "NOTES",
                                            NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown = lp_ctl_show(ctl, "GET", "/v1/policy", NULL, &answer, error);
    const json_t *list = json_object_get(answer.json, "partitions");

    if (shown != LP_CTL_SHOW)
        return shown;
    print_figures(answer.json, out);
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);

        lp_ctl_table_take(table, lp_ctl_text_str(one, "partition"), lp_ctl_text_str(one, "mode"),
                          lp_ctl_text_measured(one, "mem.granted_bytes"),
                          lp_ctl_text_measured(one, "mem.want_bytes"),
                          lp_ctl_text_measured(one, "mem.target_bytes"), verdict(one, "mem"),
                          lp_ctl_text_int(one, "cpu.granted"),
                          lp_ctl_text_centi(one, "cpu.want_centi"), verdict(one, "cpu"),
                          note(one));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    else if (strcmp(lp_ctl_json_str(answer.json, "mode"), "off") == 0)
        g_string_append(out, "Nothing is decided: the host's mode is off.\n`lparctl policy set "
                             "--mode auto` ends that.\n");
    else
        g_string_append(out, "Nothing is decided: no running partition is in a mode other than "
                             "off.\n`lparctl autoscale NAME --goal balanced` puts one under the "
                             "policy.\n");
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}

/* ---- set ---- */

static bool
is_one_of(const char *option, const char *value, const char *const *known, GError **error)
{
    g_autofree char *list = g_strjoinv(", ", (char **)(uintptr_t)known);

    if (value == NULL || g_strv_contains(known, value))
        return true;
    lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--%s of the host is one of %s, and not \"%s\"", option,
                 list, value);
    return false;
}

static int
policy_set(LpCtl *ctl, GError **error)
{
    static const char *const modes[] = { "off", "advise", "auto", NULL };
    static const char *const ways[] = { "keep", "burst", NULL };
    const char *mode = lp_ctl_value(ctl, LP_CTL_OPT_MODE);
    const char *leftovers = lp_ctl_value(ctl, LP_CTL_OPT_LEFTOVERS);
    g_auto(LpCtlAnswer) answer = { 0 };
    json_t *body;
    int shown;

    if (mode == NULL && leftovers == NULL) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "nothing to set: give --mode off|advise|auto or --leftovers keep|burst");
        return -1;
    }
    if (!is_one_of("mode", mode, modes, error) || !is_one_of("leftovers", leftovers, ways, error))
        return -1;
    body = json_object();
    if (mode != NULL)
        json_object_set_new(body, "mode", json_string(mode));
    if (leftovers != NULL)
        json_object_set_new(body, "leftovers", json_string(leftovers));
    shown = lp_ctl_show(ctl, "PUT", "/v1/policy", body, &answer, error);
    json_decref(body);
    if (shown != LP_CTL_SHOW)
        return shown;
    printf("The policy's mode is %s; leftovers: %s.\n", lp_ctl_json_str(answer.json, "mode"),
           lp_ctl_json_str(answer.json, "leftovers"));
    return LP_CTL_EXIT_DONE;
}

/* ---- explain ---- */

static void
print_lines(const json_t *lines, GString *out)
{
    for (gsize i = 0; i < json_array_size(lines); i++) {
        g_autofree char *line = lp_ctl_text_clean(json_string_value(json_array_get(lines, i)));
        gsize indent = strspn(line, " ");
        g_autofree char *first = g_strnfill(indent, ' ');
        g_autofree char *rest = g_strnfill(indent + 2, ' ');

        lp_ctl_text_wrap(out, first, rest, line + indent);
    }
}

static int
policy_explain(LpCtl *ctl, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(ctl->words[1], "/policy", error);
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    g_autofree char *name = NULL, *mode = NULL, *own = NULL, *host = NULL;
    int shown;

    if (path == NULL)
        return -1;
    shown = lp_ctl_show(ctl, "GET", path, NULL, &answer, error);
    if (shown != LP_CTL_SHOW)
        return shown;
    name = lp_ctl_text_str(answer.json, "partition");
    mode = lp_ctl_text_str(answer.json, "mode");
    own = lp_ctl_text_str(answer.json, "own_mode");
    host = lp_ctl_text_str(answer.json, "host_mode");
    g_string_append_printf(out, "%s: mode %s", name, mode);
    if (strcmp(own, "-") != 0)
        g_string_append_printf(out, " (its own: %s; the host's: %s), goal %s", own, host,
                               lp_ctl_json_str(answer.json, "goal"));
    g_string_append_c(out, '\n');
    print_lines(json_object_get(answer.json, "text"), out);
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}

/* ---- plan ---- */

static bool
acts(const json_t *decision, const char *path)
{
    const char *act = lp_ctl_json_str(decision, path);

    return strcmp(act, "grow") == 0 || strcmp(act, "shrink") == 0;
}

static void
print_plan(const json_t *one, GString *out)
{
    g_autofree char *name = lp_ctl_text_str(one, "partition");
    g_autoptr(GString) line = g_string_new(NULL);

    g_string_append_printf(line, "%s:", name);
    if (acts(one, "mem.act")) {
        g_autofree char *from = lp_ctl_text_measured(one, "mem.granted_bytes");
        g_autofree char *to = lp_ctl_text_measured(one, "mem.bytes");
        const char *take = lp_ctl_json_str(one, "mem.take");

        g_string_append_printf(line, " memory %s -> %s (%s)", from, to,
                               strcmp(take, "none") != 0 ? take : lp_ctl_json_str(one, "mem.why"));
    }
    if (acts(one, "cpu.act"))
        g_string_append_printf(line, "%s %" G_GINT64_FORMAT " -> %" G_GINT64_FORMAT " vCPUs (%s)",
                               acts(one, "mem.act") ? "," : "",
                               lp_ctl_json_int(one, "cpu.granted", 0),
                               lp_ctl_json_int(one, "cpu.count", 0),
                               lp_ctl_json_str(one, "cpu.why"));
    lp_ctl_text_wrap(out, "", "  ", line->str);
}

static int
policy_plan(LpCtl *ctl, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown = lp_ctl_show(ctl, "GET", "/v1/policy/plan", NULL, &answer, error);
    const json_t *list = json_object_get(answer.json, "partitions");
    gsize n = 0;

    if (shown != LP_CTL_SHOW)
        return shown;
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);

        if (!acts(one, "mem.act") && !acts(one, "cpu.act"))
            continue;
        print_plan(one, out);
        n++;
    }
    if (n == 0)
        g_string_append_printf(out, "The policy would change none of %" G_GSIZE_FORMAT
                               " running partitions now.\n", json_array_size(list));
    else if (strcmp(lp_ctl_json_str(answer.json, "mode"), "auto") != 0)
        g_string_append_printf(out, "Nothing of this is done: the policy's mode is %s.\n",
                               lp_ctl_json_str(answer.json, "mode"));
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}

/* ---- log ---- */

static char *
local_time(const char *text)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_iso8601(text, NULL);
    g_autoptr(GDateTime) local = utc ? g_date_time_to_local(utc) : NULL;

    return local ? g_date_time_format(local, "%Y-%m-%d %H:%M:%S") : lp_ctl_text_clean(text);
}

static void
print_line(const json_t *line, GString *out)
{
    g_autofree char *at = local_time(lp_ctl_json_str(line, "at"));
    g_autofree char *name = lp_ctl_text_str(line, "partition");
    g_autofree char *text = lp_ctl_text_str(line, "text");

    g_string_append_printf(out, "%s %s %s\n", at, strcmp(name, "-") == 0 ? "(host)" : name,
                           lp_ctl_json_str(line, "what"));
    lp_ctl_text_wrap(out, LP_CTL_LOG_INDENT, LP_CTL_LOG_INDENT, text);
}

static int
policy_log(LpCtl *ctl, GError **error)
{
    static const LpCtlLog log = {
        .path = "/v1/policy/log", .key = "lines", .print = print_line,
        .nothing = "The policy has decided nothing yet that was news.",
    };

    return lp_ctl_show_log(ctl, &log, ctl->n_words > 1 ? ctl->words[1] : NULL, error);
}

int
lp_ctl_cmd_policy(LpCtl *ctl, GError **error)
{
    static const struct {
        const char *name;
        guint min_words, max_words;
        guint64 options;          /* beside those of all parts */
        int (*run)(LpCtl *ctl, GError **error);
    } parts[] = {
        { "show", 1, 1, 0, policy_show },
        { "set", 1, 1, SET_OPTIONS, policy_set },
        { "explain", 2, 2, 0, policy_explain },
        { "plan", 1, 1, 0, policy_plan },
        { "log", 1, 2, LOG_OPTIONS, policy_log },
    };
    const char *word = ctl->n_words > 0 ? ctl->words[0] : "show";
    guint n_words = MAX(ctl->n_words, 1);

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (strcmp(word, parts[i].name) == 0 && n_words >= parts[i].min_words &&
            n_words <= parts[i].max_words &&
            !(ctl->options.seen & (SET_OPTIONS | LOG_OPTIONS) & ~parts[i].options))
            return parts[i].run(ctl, error);
    }
    lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                 "policy takes show, set [--mode M] [--leftovers L], explain NAME, plan or log "
                 "[NAME] [--limit N]: "
                 "`lparctl policy --help`");
    return -1;
}
