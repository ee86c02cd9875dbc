#include "lpard/define/shape.h"

#include <stdarg.h>
#include <string.h>

#include "lpard/define/profile-change.h"
#include "policy/units.h"

/* `bytes` over the cells in whole blocks, the first ones getting what does not divide. */
static void
divide(uint64_t bytes, uint32_t n_cells, uint64_t block_bytes, uint64_t *ret_bytes)
{
    uint64_t n_blocks = bytes / block_bytes;

    for (uint32_t i = 0; i < n_cells; i++)
        ret_bytes[i] = (n_blocks / n_cells + (i < n_blocks % n_cells)) * block_bytes;
}

/* vCPUs of the cell among those that it starts with: the first ones, which `enable` gives to the
 * cells range by range. */
static uint32_t
starting_vcpus(const LpProfile *profile, uint32_t cell)
{
    uint32_t first = (uint32_t)((uint64_t)cell * profile->cpu.max / profile->n_cells);
    uint32_t end = (uint32_t)((uint64_t)(cell + 1) * profile->cpu.max / profile->n_cells);

    return MIN(end, profile->cpu.desired) - MIN(first, profile->cpu.desired);
}

/* What it starts with follows its vCPUs, whatever room the nodes have at this moment: it boots at
 * another one.  What a rule spreads lies in all cells alike. */
static void
divide_requests(const LpProfile *profile, uint64_t bytes, LpShape *shape)
{
    LpPlaceCell cells[LP_MAX_CELLS];

    if (profile->numa.mode == LP_NUMA_SPREAD) {
        divide(bytes, profile->n_cells, shape->block_bytes, shape->requested_bytes);
        return;
    }
    for (uint32_t i = 0; i < shape->n_cells; i++)
        cells[i] = (LpPlaceCell){
            .node = profile->cell_node[i], .size_bytes = shape->base_bytes[i],
            .grow_bytes = shape->device_bytes[i], .block_bytes = shape->block_bytes,
            .vcpus = starting_vcpus(profile, i),
        };
    lp_place_start(cells, shape->n_cells, bytes, shape->requested_bytes);
}

void
lp_shape_make(const LpProfile *profile, const char *metadata, LpShape *ret_shape)
{
    const LpMemRange *mem = &profile->mem;
    uint64_t span = mem->max_bytes - mem->min_bytes;
    uint64_t device;

    memset(ret_shape, 0, sizeof *ret_shape);
    ret_shape->vcpus = profile->cpu.desired;
    ret_shape->vcpus_max = profile->cpu.max;
    ret_shape->n_cells = profile->n_cells;
    ret_shape->block_bytes = LP_MEM_BLOCK_BYTES;
    ret_shape->spare_slots = LP_SPARE_SLOTS;
    ret_shape->metadata = metadata;

    divide(mem->min_bytes, profile->n_cells, LP_MEM_BLOCK_BYTES, ret_shape->base_bytes);
    /* Rounded up, so that together they reach max; lpard's own bound is the profile's. */
    device = (span + profile->n_cells - 1) / profile->n_cells;
    device = (device + LP_DEVICE_STEP_BYTES - 1) / LP_DEVICE_STEP_BYTES * LP_DEVICE_STEP_BYTES;
    for (uint32_t i = 0; i < profile->n_cells; i++) {
        ret_shape->device_bytes[i] = device;
        ret_shape->node[i] = profile->cell_node[i];
    }
    divide_requests(profile, mem->desired_bytes - mem->min_bytes, ret_shape);
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

static const char *
plural(uint32_t n)
{
    return n == 1 ? "" : "s";
}

static void
cpu_effects(const char *name, const LpView *view, const LpCpuRange *old, const LpCpuRange *cpu,
            GPtrArray *now, GPtrArray *next_start)
{
    if (!old || old->max != cpu->max) {
        if (cpu->max > view->vcpu_max)
            say(next_start, "up to %u vCPU%s: the running domain has %u at most", cpu->max,
                plural(cpu->max), view->vcpu_max);
        else
            say(now, "up to %u vCPU%s", cpu->max, plural(cpu->max));
    }
    if (!old || old->min != cpu->min)
        say(now, "not below %u vCPU%s", cpu->min, plural(cpu->min));
    if (!old || old->desired != cpu->desired)
        say(now, "%u vCPU%s desired; to resize it to that, run `lparctl reconcile %s`",
            cpu->desired, cpu->desired == 1 ? " is" : "s are", name);
}

static void
mem_effects(const char *name, const LpView *view, const LpMemRange *old, const LpMemRange *mem,
            uint64_t reach_bytes, GPtrArray *now, GPtrArray *next_start)
{
    char a[LP_UNITS_TEXT], b[LP_UNITS_TEXT];
    uint64_t ceiling = lp_view_ceiling_bytes(view);

    if (!old || old->max_bytes != mem->max_bytes) {
        uint64_t most = MIN(mem->max_bytes, reach_bytes);

        lp_units_format_bytes(most, a, sizeof a);
        if (most > ceiling)
            say(next_start, "up to %s of memory: the running domain's devices hold %s at most",
                a, lp_units_format_bytes(ceiling, b, sizeof b));
        else
            say(now, "up to %s of memory", a);
    }
    if (!old || old->min_bytes != mem->min_bytes) {
        lp_units_format_bytes(mem->min_bytes, a, sizeof a);
        if (mem->min_bytes < view->base_bytes)
            say(next_start, "down to %s of memory: the running domain booted with %s, which "
                "cannot be unplugged", a, lp_units_format_bytes(view->base_bytes, b, sizeof b));
        else
            say(now, "not below %s of memory", a);
    }
    if (!old || old->desired_bytes != mem->desired_bytes)
        say(now, "%s of memory are desired; to resize it to that, run `lparctl reconcile %s`",
            lp_units_format_bytes(mem->desired_bytes, a, sizeof a), name);
}

static void
capacity_effects(const LpView *view, const LpCapacity *old, const LpCapacity *capacity,
                 GPtrArray *now)
{
    char units[LP_UNITS_TEXT];

    if (old && old->entitled_centi == capacity->entitled_centi &&
        old->weight == capacity->weight && old->capped == capacity->capped)
        return;
    say(now, "entitled to %s processing units, weight %u, %s%s",
        lp_units_format_centi(capacity->entitled_centi, units, sizeof units), capacity->weight,
        capacity->capped ? "capped" : "uncapped",
        view->cgroup == LP_CGROUP_NONE ? "; not enforced: there is no cpu cgroup" : "");
}

/* "0, 1, 4", in the order of the cells. */
static const char *
cell_nodes(const LpProfile *profile, char *buf, size_t size)
{
    buf[0] = '\0';
    for (uint32_t i = 0; i < profile->n_cells; i++) {
        size_t length = strlen(buf);

        g_snprintf(buf + length, size - length, "%s%d", i ? ", " : "", profile->cell_node[i]);
    }
    return buf;
}

static void
shape_effects(const LpView *view, const LpProfile *old, const LpProfile *profile,
              GPtrArray *next_start)
{
    /* A number and its comma for each cell. */
    char text[LP_MAX_CELLS * 8];
    uint32_t n_devices = 0;

    for (uint32_t i = 0; i < view->n_cells; i++)
        n_devices += view->cells[i].has_device;
    if (view->n_cells != profile->n_cells ||
        (n_devices < profile->n_cells && profile->mem.max_bytes > profile->mem.min_bytes))
        say(next_start, "%u guest NUMA %s with a virtio-mem device each: the running domain has "
            "%u cell%s and %u device%s", profile->n_cells,
            profile->n_cells == 1 ? "cell" : "cells", view->n_cells, plural(view->n_cells),
            n_devices, plural(n_devices));
    else if (old && profile->numa.mode != LP_NUMA_INTERLEAVE &&
             memcmp(old->cell_node, profile->cell_node,
                    profile->n_cells * sizeof old->cell_node[0]) != 0)
        say(next_start, "the cells' memory comes from host node%s %s", plural(profile->n_cells),
            cell_nodes(profile, text, sizeof text));
    if (!view->has_channel)
        say(next_start, "the agent's channel %s", LP_CHANNEL_NAME);
    if (!view->has_balloon)
        say(next_start, "a balloon with free page reporting");
}

static bool
same_place(const LpProfile *a, const LpProfile *b)
{
    LpNumaRule rule = a->numa;

    rule.floor = b->numa.floor;
    rule.floor_action = b->numa.floor_action;
    return lp_numa_rule_equal(&rule, &b->numa) && a->n_cells == b->n_cells &&
           memcmp(a->cell_node, b->cell_node, a->n_cells * sizeof a->cell_node[0]) == 0;
}

/* The rule itself holds at once; a running domain's pages and vCPUs are another matter. */
static void
rule_effects(const char *name, const LpView *view, const LpProfile *old, const LpProfile *profile,
             GPtrArray *now)
{
    static const LpProfile usual = {.numa = {.mode = LP_NUMA_AUTO}};
    const LpNumaRule *rule = &profile->numa, *before = old ? &old->numa : &usual.numa;
    bool running = view && view->run != LP_RUN_OFF;
    char text[LP_NUMA_RULE_TEXT];

    if (rule->floor != before->floor || rule->floor_action != before->floor_action) {
        if (rule->floor == 0)
            say(now, "no affinity floor");
        else
            say(now, "a resize that would bring its affinity score below %u is %s", rule->floor,
                rule->floor_action == LP_FLOOR_REFUSE ? "refused" : "warned of");
    }
    if (old ? same_place(old, profile) : rule->mode == LP_NUMA_AUTO)
        return;
    if (rule->mode == LP_NUMA_KEEP)
        say(now, "its memory and vCPUs stay where the domain's XML has them (the rule keep): lpard "
            "neither places nor moves it; `lparctl profile set %s numa=auto` has it do so", name);
    else if (rule->mode == LP_NUMA_INTERLEAVE && running)
        say(now, "its memory is placed by the rule %s from its next start on; until then it stays "
            "where it is", lp_numa_rule_format(rule, text, sizeof text));
    else
        say(now, "its memory is placed by the rule %s%s",
            lp_numa_rule_format(rule, text, sizeof text),
            old && running ? "; what is on other nodes follows at the next `lparctl optimize`"
                           : "");
}

static void
start_effects(const LpProfile *profile, uint64_t reach_bytes, GPtrArray *next_start)
{
    char a[LP_UNITS_TEXT], b[LP_UNITS_TEXT];

    say(next_start, "%u vCPU%s and %s of memory; it can grow to %u vCPU%s and %s",
        profile->cpu.desired, plural(profile->cpu.desired),
        lp_units_format_bytes(profile->mem.desired_bytes, a, sizeof a), profile->cpu.max,
        plural(profile->cpu.max),
        lp_units_format_bytes(MIN(profile->mem.max_bytes, reach_bytes), b, sizeof b));
}

/* A maximum beyond what its nodes have is no error, for a rule may change while it runs. */
static void
reach_effects(const char *name, const LpProfile *old, const LpProfile *profile,
              uint64_t reach_bytes, GPtrArray *list)
{
    char rule[LP_NUMA_RULE_TEXT], max[LP_UNITS_TEXT], reach[LP_UNITS_TEXT];

    if (profile->mem.max_bytes <= reach_bytes ||
        (old && old->mem.max_bytes == profile->mem.max_bytes && same_place(old, profile)))
        return;
    lp_units_format_bytes(reach_bytes, reach, sizeof reach);
    say(list, "by the rule %s its cells can have %s at most, and its maximum is %s: it can grow "
        "to %s; `lparctl profile set %s numa=...` with a rule that allows more nodes lets it grow "
        "further", lp_numa_rule_format(&profile->numa, rule, sizeof rule), reach,
        lp_units_format_bytes(profile->mem.max_bytes, max, sizeof max), reach, name);
}

void
lp_shape_effects(const char *name, const LpView *view, const LpProfile *old,
                 const LpProfile *profile, uint64_t reach_bytes, GPtrArray *now,
                 GPtrArray *next_start)
{
    bool off = !view || view->run == LP_RUN_OFF;
    bool scales = old ? !lp_autoscale_equal(&old->autoscale, &profile->autoscale)
                      : !lp_autoscale_is_default(&profile->autoscale);

    if (!old)
        say(now, "%s is a partition", name);
    if (scales)
        lp_autoscale_effects(profile, now);
    rule_effects(name, view, old, profile, now);
    reach_effects(name, old, profile, reach_bytes, off ? next_start : now);
    if (off) {
        if (!old || lp_profile_shape_differs(old, profile) ||
            old->cpu.desired != profile->cpu.desired ||
            old->mem.desired_bytes != profile->mem.desired_bytes)
            start_effects(profile, reach_bytes, next_start);
        if (view && old)
            capacity_effects(view, &old->capacity, &profile->capacity, next_start);
        return;
    }
    cpu_effects(name, view, old ? &old->cpu : NULL, &profile->cpu, now, next_start);
    mem_effects(name, view, old ? &old->mem : NULL, &profile->mem, reach_bytes, now,
                next_start);
    capacity_effects(view, old ? &old->capacity : NULL, &profile->capacity, now);
    shape_effects(view, old, profile, next_start);
}
