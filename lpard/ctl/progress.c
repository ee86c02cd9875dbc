/* An operation on its way, in one line. */
#include "lpard/ctl/progress.h"

#include <string.h>

#include "lpard/ctl/optimize-text.h"
#include "lpard/ctl/text.h"

/* Stages are few; an answer that claims more is only shown with less exact a time. */
#define STAGES_MAX 64

bool
lp_ctl_operation_final(const json_t *operation)
{
    static const char *const states[] = { "done", "partial", "refused", "vetoed", "failed",
                                          "timed-out", "cancelled", NULL };

    return g_strv_contains(states, lp_ctl_json_str(operation, "state"));
}

static bool
step_is(const json_t *step, const char *state)
{
    return strcmp(lp_ctl_json_str(step, "state"), state) == 0;
}

static bool
step_finished(const json_t *step)
{
    return !step_is(step, "pending") && !step_is(step, "asked");
}

static const json_t *
leg_steps(const json_t *leg)
{
    return lp_ctl_json_at(leg, "plan.steps");
}

const json_t *
lp_ctl_operation_leg(const json_t *operation)
{
    const json_t *legs = json_object_get(operation, "legs");

    for (gsize i = 0; i < json_array_size(legs); i++) {
        const json_t *leg = json_array_get(legs, i);
        const json_t *steps = leg_steps(leg);

        for (gsize j = 0; j < json_array_size(steps); j++) {
            if (!step_finished(json_array_get(steps, j)))
                return leg;
        }
        if (steps == NULL)
            return leg;
    }
    return json_array_get(legs, json_array_size(legs) - 1);
}

gint64
lp_ctl_operation_left_msec(const json_t *operation)
{
    const json_t *legs = json_object_get(operation, "legs");
    gint64 total = 0;

    for (gsize i = 0; i < json_array_size(legs); i++) {
        const json_t *steps = leg_steps(json_array_get(legs, i));
        gint64 stages[STAGES_MAX] = { 0 };

        for (gsize j = 0; j < json_array_size(steps); j++) {
            const json_t *step = json_array_get(steps, j);
            gint64 stage = CLAMP(lp_ctl_json_int(step, "stage", 0), 0, STAGES_MAX - 1);
            gint64 expected = CLAMP(lp_ctl_json_int(step, "expected_msec", 0), 0, G_MAXINT32);

            if (!step_finished(step))
                stages[stage] = MAX(stages[stage], expected);
        }
        for (guint j = 0; j < STAGES_MAX; j++)
            total += stages[j];
    }
    return total;
}

/* Of all legs; the step at work is the first one asked, else the first pending. */
static const json_t *
count_steps(const json_t *operation, guint *ret_finished, guint *ret_all)
{
    const json_t *legs = json_object_get(operation, "legs");
    const json_t *asked = NULL, *pending = NULL;

    *ret_finished = *ret_all = 0;
    for (gsize i = 0; i < json_array_size(legs); i++) {
        const json_t *steps = leg_steps(json_array_get(legs, i));

        for (gsize j = 0; j < json_array_size(steps); j++) {
            const json_t *step = json_array_get(steps, j);

            (*ret_all)++;
            if (step_finished(step))
                (*ret_finished)++;
            else if (asked == NULL && step_is(step, "asked"))
                asked = step;
            else if (pending == NULL)
                pending = step;
        }
    }
    return asked ? asked : pending;
}

static void
append_amounts(GString *line, const json_t *leg)
{
    gint64 cpu = lp_ctl_json_int(leg, "target.cpu", -1);
    gint64 mem = lp_ctl_json_int(leg, "target.mem_bytes", -1);

    if (cpu >= 0)
        g_string_append_printf(line, ", cpu %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT,
                               lp_ctl_json_int(leg, "now.cpu", 0), cpu);
    if (mem >= 0) {
        g_autofree char *now = lp_ctl_text_mem(leg, "now.mem_bytes");
        g_autofree char *target = lp_ctl_text_mem(leg, "target.mem_bytes");

        g_string_append_printf(line, ", mem %s of %s", now, target);
    }
}

static void
append_time(GString *line, const json_t *operation, gint64 age_msec)
{
    gint64 expected = lp_ctl_operation_left_msec(operation);
    gint64 deadline = lp_ctl_json_int(operation, "deadline_in_msec", -1);

    if (expected > age_msec)
        g_string_append_printf(line, ", about %" G_GINT64_FORMAT " s left",
                               (expected - age_msec + 999) / 1000);
    else if (deadline >= 0)
        g_string_append_printf(line, ", gives up in %" G_GINT64_FORMAT " s",
                               MAX((deadline - age_msec + 999) / 1000, 0));
}

static char *
cut(const GString *line, guint columns)
{
    g_autofree char *clean = lp_ctl_text_clean(line->str);
    g_autofree char *start = NULL;

    if (columns < 2 || (guint)g_utf8_strlen(clean, -1) <= columns)
        return g_steal_pointer(&clean);
    start = g_utf8_substring(clean, 0, columns - 1);
    return g_strconcat(start, "~", NULL);
}

char *
lp_ctl_progress_text(const json_t *operation, gint64 age_msec, guint columns)
{
    g_autoptr(GString) line = g_string_new(NULL);
    const char *state = lp_ctl_json_str(operation, "state");
    const char *waits_for = lp_ctl_json_str(operation, "waits_for");
    const json_t *leg = lp_ctl_operation_leg(operation);
    const char *partition = lp_ctl_json_str(leg, "partition");
    guint finished, all;
    const json_t *step = count_steps(operation, &finished, &all);

    if (lp_ctl_is_optimize(operation)) {
        const char *phase = lp_ctl_json_str(operation, "optimize.phase");

        g_string_append_printf(line, "operation %" G_GINT64_FORMAT ", optimize: %s",
                               lp_ctl_json_int(operation, "id", 0),
                               phase[0] && strcmp(state, "running") == 0 ? phase : state);
        lp_ctl_optimize_progress(operation, age_msec, line);
        return cut(line, columns);
    }
    if (partition[0] == '\0')
        partition = lp_ctl_json_str(operation, "partition");
    g_string_append_printf(line, "operation %" G_GINT64_FORMAT " on %s: %s",
                           lp_ctl_json_int(operation, "id", 0), partition, state);
    if (waits_for[0] != '\0')
        g_string_append_printf(line, ", waits for %s", waits_for);
    if (all > 0)
        g_string_append_printf(line, ", %u/%u steps", finished, all);
    append_amounts(line, leg);
    if (!lp_ctl_operation_final(operation)) {
        append_time(line, operation, age_msec);
        if (step != NULL)
            g_string_append_printf(line, ": %s", lp_ctl_json_str(step, "text"));
    }
    return cut(line, columns);
}
