#include "lpard/define/autoscale-change.h"

#include <string.h>

#include "lpard/body.h"
#include "lpard/error.h"
#include "policy/demand.h"
#include "policy/units.h"

#define PERMYRIAD_PER_PERCENT 100
#define CENTI_PER_PERCENT 100

/* A field that is one of a few words; *ret is its place among them. */
static bool
parse_word(const json_t *object, const char *field, const char *const *words, int n_words,
           bool *ret_has, int *ret, GError **error)
{
    GString *known;
    const char *text = NULL;

    if (!lp_body_text(object, "autoscale.", field, ret_has, &text, error))
        return false;
    if (!*ret_has)
        return true;
    for (int i = 0; i < n_words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = i;
            return true;
        }
    }
    known = g_string_new(words[0]);
    for (int i = 1; i < n_words; i++)
        g_string_append_printf(known, "%s%s", i + 1 < n_words ? ", " : " or ", words[i]);
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "\"autoscale.%s\" must be %s, not \"%.40s\"",
                field, known->str, text);
    g_string_free(known, TRUE);
    return false;
}

static bool
parse_schedules(const json_t *list, LpAutoscaleChange *change, GError **error)
{
    char message[LP_SCHEDULE_MESSAGE] = "";

    if (!list)
        return true;
    if (!json_is_array(list) || json_array_size(list) > LP_SCHEDULES_MAX) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "\"autoscale.schedules\" must be an array of at most %d texts such as "
                    "\"weekdays 08:00-18:00 min mem=8G\"", LP_SCHEDULES_MAX);
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (!text || !lp_schedule_parse(text, &change->autoscale.schedules[i], message,
                                        sizeof message)) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "\"autoscale.schedules\"[%zu]: %s", i,
                        text ? message : "it must be a text such as "
                                         "\"weekdays 08:00-18:00 min mem=8G\"");
            return false;
        }
    }
    change->has_schedules = true;
    change->autoscale.n_schedules = (uint32_t)json_array_size(list);
    return true;
}

bool
lp_autoscale_change_parse(const json_t *object, LpAutoscaleChange *ret_change, GError **error)
{
    static const char *const known[] = {"mode", "goal", "priority", "entitled_bytes",
                                        "release_sec", "schedules", NULL};
    LpAutoscaleChange change = {0};
    uint64_t priority = 0, release = 0;
    int mode = 0, goal = 0;

    if (object &&
        (!lp_body_known(object, "autoscale.", known, error) ||
         !parse_word(object, "mode", lp_mode_names, LP_MODES, &change.has_mode, &mode, error) ||
         !parse_word(object, "goal", lp_goal_names, LP_GOALS, &change.has_goal, &goal, error) ||
         !lp_body_integer(object, "autoscale.", "priority", LP_PRIORITY_MAX, &change.has_priority,
                          &priority, error) ||
         !lp_body_integer(object, "autoscale.", "entitled_bytes", G_MAXINT64,
                          &change.has_entitled, &change.autoscale.entitled_bytes, error) ||
         !lp_body_integer(object, "autoscale.", "release_sec", LP_RELEASE_SEC_MAX,
                          &change.has_release, &release, error) ||
         !parse_schedules(json_object_get(object, "schedules"), &change, error)))
        return false;
    change.autoscale.mode = (LpMode)mode;
    change.autoscale.goal = (LpGoal)goal;
    change.autoscale.priority = (uint32_t)priority;
    change.autoscale.release_sec = (uint32_t)release;
    *ret_change = change;
    return true;
}

void
lp_autoscale_change_apply(const LpAutoscaleChange *change, LpAutoscale *autoscale)
{
    const LpAutoscale *wanted = &change->autoscale;

    if (change->has_mode)
        autoscale->mode = wanted->mode;
    if (change->has_goal)
        autoscale->goal = wanted->goal;
    if (change->has_priority)
        autoscale->priority = wanted->priority;
    if (change->has_entitled)
        autoscale->entitled_bytes = wanted->entitled_bytes;
    if (change->has_release)
        autoscale->release_sec = wanted->release_sec;
    if (change->has_schedules) {
        autoscale->n_schedules = wanted->n_schedules;
        memcpy(autoscale->schedules, wanted->schedules, sizeof autoscale->schedules);
    }
}

json_t *
lp_autoscale_json(const LpAutoscale *autoscale)
{
    json_t *schedules = json_array();
    char text[LP_SCHEDULE_TEXT];

    for (uint32_t i = 0; i < autoscale->n_schedules && i < LP_SCHEDULES_MAX; i++)
        json_array_append_new(schedules,
                              json_string(lp_schedule_format(&autoscale->schedules[i], text,
                                                             sizeof text)));
    return json_pack("{s:s, s:s, s:i, s:I, s:i, s:o}", "mode", lp_mode_names[autoscale->mode],
                     "goal", lp_goal_names[autoscale->goal], "priority",
                     (int)autoscale->priority, "entitled_bytes",
                     (json_int_t)autoscale->entitled_bytes, "release_sec",
                     (int)autoscale->release_sec, "schedules", schedules);
}

static void
say(GPtrArray *list, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
say(GPtrArray *list, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(list, g_strdup_vprintf(format, args));
    va_end(args);
}

/* "90 s", "60 min", "3 h": the largest unit that divides it. */
static char *
duration(uint32_t seconds)
{
    if (seconds % 3600 == 0 && seconds > 3600)
        return g_strdup_printf("%u h", seconds / 3600);
    return seconds % 60 == 0 && seconds > 0 ? g_strdup_printf("%u min", seconds / 60)
                                            : g_strdup_printf("%u s", seconds);
}

static void
say_mode(const LpAutoscale *autoscale, GPtrArray *list)
{
    const char *goal = lp_goal_names[autoscale->goal];

    switch (autoscale->mode) {
    case LP_MODE_OFF:
        say(list, "autoscaling is off: only requests resize it");
        return;
    case LP_MODE_ADVISE:
        say(list, "autoscaling decides what it should have and does nothing (advise), goal %s, "
            "priority %u", goal, autoscale->priority);
        return;
    case LP_MODE_AUTO:
        say(list, "autoscaling resizes it as far as the host's mode allows (auto), goal %s, "
            "priority %u", goal, autoscale->priority);
        return;
    default:
        say(list, "autoscaling does what the host's mode says (host), goal %s, priority %u", goal,
            autoscale->priority);
    }
}

void
lp_autoscale_effects(const LpProfile *profile, GPtrArray *list)
{
    const LpAutoscale *autoscale = &profile->autoscale;
    const LpTuning *tuning = lp_goal_tuning(autoscale->goal);
    g_autofree char *release = duration(autoscale->release_sec ? autoscale->release_sec
                                                               : tuning->release_sec);
    bool acts = autoscale->mode == LP_MODE_AUTO;
    char bytes[LP_UNITS_TEXT], text[LP_SCHEDULE_TEXT];

    say_mode(autoscale, list);
    if (autoscale->mode == LP_MODE_OFF)
        return;
    say(list, "it %s when %u %% of its memory is in use or memory pressure reaches %u %%, to %u "
        "vCPU%s and %s at most", acts ? "grows" : "would grow",
        tuning->mem_up / PERMYRIAD_PER_PERCENT, tuning->psi_some_centi / CENTI_PER_PERCENT,
        profile->cpu.max, profile->cpu.max == 1 ? "" : "s",
        lp_units_format_bytes(profile->mem.max_bytes, bytes, sizeof bytes));
    say(list, "memory that it has not wanted for %s %s be taken from it, down to %s; at once "
        "where another is below what it is entitled to", release, acts ? "may" : "might",
        lp_units_format_bytes(profile->mem.min_bytes, bytes, sizeof bytes));
    if (autoscale->entitled_bytes)
        say(list, "%s of memory are its own whenever it wants them",
            lp_units_format_bytes(autoscale->entitled_bytes, bytes, sizeof bytes));
    for (uint32_t i = 0; i < autoscale->n_schedules && i < LP_SCHEDULES_MAX; i++)
        say(list, "by the host's clock: %s",
            lp_schedule_format(&autoscale->schedules[i], text, sizeof text));
}
