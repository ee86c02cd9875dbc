/* How an operation ended. */
#include "lpard/ctl/outcome.h"

#include <string.h>

#include "lpard/ctl/ctl.h"
#include "lpard/ctl/optimize-text.h"
#include "lpard/ctl/progress.h"
#include "lpard/ctl/text.h"

static const char *
confirm_text(const json_t *operation)
{
    const char *confirm = lp_ctl_json_str(operation, "confirm");

    if (strcmp(confirm, "agent") == 0)
        return "confirmed by the agent";
    if (strcmp(confirm, "guest-agent") == 0)
        return "confirmed by qemu-guest-agent";
    if (strcmp(confirm, "device") == 0)
        return "confirmed by the device";
    if (strcmp(confirm, "host") == 0)
        return "enforced by the host";
    return NULL;
}

int
lp_ctl_outcome_exit(const json_t *operation)
{
    static const struct { const char *state; int exit_status; } states[] = {
        { "done", LP_CTL_EXIT_DONE }, { "partial", LP_CTL_EXIT_PARTIAL },
        { "refused", LP_CTL_EXIT_REFUSED }, { "vetoed", LP_CTL_EXIT_VETOED },
        { "failed", LP_CTL_EXIT_ERROR }, { "timed-out", LP_CTL_EXIT_TIMED_OUT },
        { "cancelled", LP_CTL_EXIT_CANCELLED },
    };
    const char *state = lp_ctl_json_str(operation, "state");
    gint64 given = lp_ctl_json_int(operation, "exit_status", -1);

    if (!lp_ctl_operation_final(operation))
        return LP_CTL_EXIT_ACCEPTED;
    /* A result that is not done must not look like one, whatever the number says. */
    if (given >= 0 && given <= LP_CTL_EXIT_MAX && (given == 0) == (strcmp(state, "done") == 0))
        return (int)given;
    for (guint i = 0; i < G_N_ELEMENTS(states); i++) {
        if (strcmp(state, states[i].state) == 0)
            return states[i].exit_status;
    }
    return LP_CTL_EXIT_ERROR;
}

static void
append_change(GString *out, const json_t *leg, const char *what, const char *field, bool mem,
              bool guest)
{
    g_autofree char *before_path = g_strconcat("before.", field, NULL);
    g_autofree char *now_path = g_strconcat("now.", field, NULL);
    g_autofree char *usable_path = g_strconcat("usable.", field, NULL);
    g_autofree char *before = mem ? lp_ctl_text_mem(leg, before_path)
                                  : lp_ctl_text_int(leg, before_path);
    g_autofree char *now = mem ? lp_ctl_text_mem(leg, now_path) : lp_ctl_text_int(leg, now_path);
    g_autofree char *usable = mem ? lp_ctl_text_mem(leg, usable_path)
                                  : lp_ctl_text_int(leg, usable_path);
    /* 0 and null both mean that nobody inside has said. */
    bool known = lp_ctl_json_int(leg, usable_path, 0) > 0;
    const json_t *target = json_object_get(leg, "target");

    if (strcmp(now, "-") == 0 || (strcmp(before, now) == 0 && json_is_object(target) &&
                                  json_object_get(target, field) == NULL))
        return;
    g_string_append_printf(out, "  %s %s -> %s", what, before, now);
    /* Nobody inside is asked about what only the definition has. */
    if (known)
        g_string_append_printf(out, " (usable %s)", usable);
    else if (strcmp(before, now) != 0 && guest)
        g_string_append(out, " (usable not known)");
}

static void
append_capacity(GString *out, const json_t *leg)
{
    const json_t *target = json_object_get(leg, "target");
    const json_t *capped = json_object_get(target, "capped");
    g_autofree char *entitled = lp_ctl_text_centi(target, "entitled_centi");
    g_autofree char *weight = lp_ctl_text_int(target, "weight");

    if (strcmp(entitled, "-") != 0)
        g_string_append_printf(out, "  entitled %s", entitled);
    if (strcmp(weight, "-") != 0)
        g_string_append_printf(out, "  weight %s", weight);
    if (json_is_boolean(capped))
        g_string_append(out, json_is_true(capped) ? "  capped" : "  uncapped");
}

static void
append_remaining(GString *out, const json_t *leg)
{
    gint64 cpu = lp_ctl_json_int(leg, "remaining.cpu", 0);
    gint64 mem = lp_ctl_json_int(leg, "remaining.mem_bytes", 0);

    if (cpu != 0)
        g_string_append_printf(out, "    remains: %" G_GINT64_FORMAT " vCPU%s to %s\n", ABS(cpu),
                               ABS(cpu) == 1 ? "" : "s", cpu > 0 ? "add" : "remove");
    if (mem != 0) {
        guint64 amount = mem > 0 ? (guint64)mem : (guint64)0 - (guint64)mem;
        g_autofree char *text = lp_ctl_text_bytes(amount);

        g_string_append_printf(out, "    remains: %s (%" G_GUINT64_FORMAT " bytes) to %s\n", text,
                               amount, mem > 0 ? "add" : "remove");
    }
}

/* What keeps a result from being done, step by step; `told` is said of it as a whole. */
static void
append_unconfirmed(GString *out, const json_t *leg, const char *told)
{
    static const struct { const char *state, *text; } states[] = {
        { "asked", "not confirmed" }, { "partial", "confirmed in part" }, { "failed", "failed" },
    };
    const json_t *steps = json_object_get(json_object_get(leg, "plan"), "steps");

    for (gsize i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        const char *message = lp_ctl_json_str(step, "message");
        bool twice = message[0] == '\0' || strcmp(message, told) == 0;

        for (guint k = 0; k < G_N_ELEMENTS(states); k++) {
            g_autofree char *line = NULL;

            if (strcmp(lp_ctl_json_str(step, "state"), states[k].state) != 0)
                continue;
            line = g_strdup_printf("%s: %s%s%s", states[k].text, lp_ctl_json_str(step, "text"),
                                   twice ? "" : ": ", twice ? "" : message);
            lp_ctl_text_wrap(out, "    ", "      ", line);
        }
    }
}

static void
append_leg(GString *out, const json_t *leg, bool guest)
{
    g_autofree char *name = lp_ctl_text_str(leg, "partition");
    g_autoptr(GString) line = g_string_new(NULL);

    g_string_append_printf(line, "%s%s", name, lp_ctl_json_bool(leg, "undo") ? " (undone)" : "");
    append_change(line, leg, "cpu", "cpu", false, guest);
    append_change(line, leg, "mem", "mem_bytes", true, guest);
    append_capacity(line, leg);
    if (line->len <= LP_CTL_COLUMNS - 2)
        g_string_append_printf(out, "  %s\n", line->str);
    else
        lp_ctl_text_wrap(out, "  ", "      ", line->str);
}

void
lp_ctl_outcome_text(const json_t *operation, GString *out)
{
    const json_t *legs = json_object_get(operation, "legs");
    const char *message = lp_ctl_json_str(operation, "message");
    const char *confirm = confirm_text(operation);
    const char *state = lp_ctl_json_str(operation, "state");
    g_autofree char *clean = lp_ctl_text_clean(state);
    gint64 total = lp_ctl_json_int(operation, "timing.total_msec", -1);
    bool refused = strcmp(state, "refused") == 0 || strcmp(state, "vetoed") == 0;
    bool done = strcmp(state, "done") == 0;
    bool guest = strcmp(lp_ctl_json_str(operation, "confirm"), "host") != 0;

    g_string_append_printf(out, "%s: operation %" G_GINT64_FORMAT, clean,
                           lp_ctl_json_int(operation, "id", 0));
    if (total >= 0 && lp_ctl_operation_final(operation)) {
        g_autofree char *took = lp_ctl_text_msec(total);

        g_string_append_printf(out, ", %s", took);
    }
    /* Of an optimization the scores are the proof. */
    if (confirm != NULL && !lp_ctl_is_optimize(operation))
        g_string_append_printf(out, ", %s", confirm);
    if (lp_ctl_json_bool(operation, "recovered"))
        g_string_append(out, ", taken up again after a restart");
    g_string_append_c(out, '\n');
    if (lp_ctl_is_optimize(operation) && !refused)
        lp_ctl_optimize_outcome_text(operation, out);
    /* Of what was refused, by host or guest, nothing is left: the reason is all there is to say. */
    for (gsize i = 0; i < json_array_size(legs) && !refused; i++) {
        const json_t *leg = json_array_get(legs, i);

        if (json_is_false(json_object_get(leg, "begun")) &&
            !json_is_object(json_object_get(leg, "plan")))
            continue;
        append_leg(out, leg, guest);
        if (!done) {
            append_remaining(out, leg);
            append_unconfirmed(out, leg, message);
        }
    }
    if (message[0] != '\0')
        lp_ctl_text_wrap(out, "  ", "  ", message);
    lp_ctl_text_list(out, "  ", json_object_get(operation, "remarks"));
}
