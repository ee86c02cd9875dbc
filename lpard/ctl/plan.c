/* A plan, and how far its steps are, as a table. */
#include <string.h>

#include "lpard/ctl/ctl.h"
#include "lpard/ctl/outcome.h"
#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"

/* What a step moves: bytes from - to, else the vCPU or cpus it is about. */
static char *
step_amount(const json_t *step)
{
    gint64 from = lp_ctl_json_int(step, "from_bytes", 0), to = lp_ctl_json_int(step, "to_bytes", 0);
    const char *cpus = lp_ctl_json_str(step, "cpus");
    const char *kind = lp_ctl_json_str(step, "kind");
    gint64 vcpu = lp_ctl_json_int(step, "vcpu", -1);

    if (from != to && from >= 0 && to >= 0) {
        g_autofree char *before = lp_ctl_text_bytes((guint64)from);
        g_autofree char *after = lp_ctl_text_bytes((guint64)to);

        return g_strdup_printf("%s -> %s", before, after);
    }
    if (cpus[0] != '\0')
        return g_strdup_printf("vCPU %s", cpus);
    if (vcpu >= 0 && strstr(kind, "vcpu") != NULL)
        return g_strdup_printf("vCPU %" G_GINT64_FORMAT, vcpu);
    return NULL;
}

/* Only what is plugged belongs to one cell. */
static char *
step_cell(const json_t *step)
{
    static const char *const with_cell[] = { "plug-vcpu", "unplug-vcpu", "virtio-mem", "dimm-add",
                                             "dimm-remove", NULL };

    if (!g_strv_contains(with_cell, lp_ctl_json_str(step, "kind")) ||
        lp_ctl_json_int(step, "cell", -1) < 0)
        return NULL;
    return lp_ctl_text_int(step, "cell");
}

static void
steps_table(const json_t *steps, bool progress, GString *out)
{
    static const char *const plan[] = { ">STAGE", "HOW", ">CELL", "AMOUNT", ">TIME", "STEP", NULL };
    static const char *const done[] = { ">STAGE", "HOW", ">CELL", "AMOUNT", ">TIME", "STATE",
                                        "STEP", NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(progress ? done : plan);

    for (gsize i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        gint64 took = lp_ctl_json_int(step, "took_msec", -1);
        char *time = lp_ctl_text_msec(progress && took >= 0
                                          ? took : lp_ctl_json_int(step, "expected_msec", 0));

        if (progress)
            lp_ctl_table_take(table, lp_ctl_text_int(step, "stage"), lp_ctl_text_str(step, "kind"),
                              step_cell(step), step_amount(step), time,
                              lp_ctl_text_str(step, "state"),
                              lp_ctl_text_str(step, json_is_string(json_object_get(step, "message"))
                                                        ? "message" : "text"));
        else
            lp_ctl_table_take(table, lp_ctl_text_int(step, "stage"), lp_ctl_text_str(step, "kind"),
                              step_cell(step), step_amount(step), time,
                              lp_ctl_text_str(step, "text"));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "  ", out);
}

static void
shortfalls_of(const json_t *list, bool fatal, const char *heading, GString *out)
{
    bool any = false;

    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *shortfall = json_array_get(list, i);

        if (lp_ctl_json_bool(shortfall, "fatal") != fatal)
            continue;
        if (!any)
            g_string_append(out, heading);
        any = true;
        lp_ctl_text_wrap(out, "  - ", "    ", lp_ctl_json_str(shortfall, "text"));
    }
}

static void
shortfalls(const json_t *list, GString *out)
{
    shortfalls_of(list, true, "  Refused, since:\n", out);
    shortfalls_of(list, false, "  Remarks:\n", out);
}

static void
plan_head(const json_t *leg, GString *out)
{
    const json_t *plan = json_object_get(leg, "plan");
    g_autofree char *name = lp_ctl_text_str(leg, "partition");
    g_autofree char *cpu = lp_ctl_text_int(leg, "before.cpu");
    g_autofree char *cpu_after = lp_ctl_text_int(plan, "after.cpu");
    g_autofree char *mem = lp_ctl_text_mem(leg, "before.mem_bytes");
    g_autofree char *mem_after = lp_ctl_text_mem(plan, "after.mem_bytes");
    g_autofree char *time = lp_ctl_text_msec(lp_ctl_json_int(plan, "expected_msec", 0));
    gsize n = json_array_size(json_object_get(plan, "steps"));

    g_string_append_printf(out, "%s: cpu %s -> %s, mem %s -> %s", name, cpu, cpu_after, mem,
                           mem_after);
    if (lp_ctl_json_bool(plan, "refused"))
        g_string_append(out, "; refused\n");
    else if (n == 0)
        g_string_append(out, "; nothing to do\n");
    else
        g_string_append_printf(out, "; %zu step%s, about %s\n", n, n == 1 ? "" : "s", time);
}

static bool
is_told(const json_t *operation, const char *text)
{
    const json_t *legs = json_object_get(operation, "legs");

    for (gsize i = 0; i < json_array_size(legs); i++) {
        const json_t *plan = json_object_get(json_array_get(legs, i), "plan");
        const json_t *list = json_object_get(plan, "shortfalls");

        for (gsize k = 0; k < json_array_size(list); k++) {
            if (strcmp(lp_ctl_json_str(json_array_get(list, k), "text"), text) == 0)
                return true;
        }
    }
    return false;
}

/* What the plans' own lists have not said already. */
static void
append_rest(const json_t *operation, GString *out)
{
    const json_t *remarks = json_object_get(operation, "remarks");
    const char *message = lp_ctl_json_str(operation, "message");

    if (message[0] != '\0' && !is_told(operation, message))
        lp_ctl_text_wrap(out, "", "", message);
    for (gsize i = 0; i < json_array_size(remarks); i++) {
        const char *remark = json_string_value(json_array_get(remarks, i));

        if (remark && !is_told(operation, remark))
            lp_ctl_text_wrap(out, "- ", "  ", remark);
    }
}

void
lp_ctl_plan_text(const json_t *operation, GString *out)
{
    const json_t *legs = json_object_get(operation, "legs");

    g_string_append(out, "Dry run: nothing is changed.\n");
    for (gsize i = 0; i < json_array_size(legs); i++) {
        const json_t *leg = json_array_get(legs, i);
        const json_t *plan = json_object_get(leg, "plan");

        plan_head(leg, out);
        steps_table(json_object_get(plan, "steps"), false, out);
        shortfalls(json_object_get(plan, "shortfalls"), out);
    }
    append_rest(operation, out);
}

void
lp_ctl_steps_text(const json_t *operation, GString *out)
{
    const json_t *legs = json_object_get(operation, "legs");

    /* Why is told already, and of how there is nothing. */
    if (strcmp(lp_ctl_json_str(operation, "state"), "refused") == 0 ||
        strcmp(lp_ctl_json_str(operation, "state"), "vetoed") == 0)
        return;
    for (gsize i = 0; i < json_array_size(legs); i++) {
        const json_t *leg = json_array_get(legs, i);
        const json_t *plan = json_object_get(leg, "plan");
        g_autofree char *name = lp_ctl_text_str(leg, "partition");

        g_string_append_printf(out, "%s\n", name);
        steps_table(json_object_get(plan, "steps"), true, out);
        shortfalls(json_object_get(plan, "shortfalls"), out);
    }
}
