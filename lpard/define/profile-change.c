#include "lpard/define/profile-change.h"

#include <string.h>

#include "lpard/body.h"
#include "lpard/error.h"
#include "lpard/words.h"

static bool
parse_cpu(const json_t *cpu, LpProfileChange *change, GError **error)
{
    static const char *const known[] = {"min", "desired", "max", NULL};
    struct {
        const char *field;
        bool *has;
        uint32_t *value;
    } fields[] = {
        {"min", &change->has_cpu_min, &change->cpu.min},
        {"desired", &change->has_cpu_desired, &change->cpu.desired},
        {"max", &change->has_cpu_max, &change->cpu.max},
    };

    if (!cpu)
        return true;
    if (!lp_body_known(cpu, "cpu.", known, error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        uint64_t value = 0;

        if (!lp_body_integer(cpu, "cpu.", fields[i].field, G_MAXUINT32, fields[i].has, &value,
                             error))
            return false;
        *fields[i].value = (uint32_t)value;
    }
    return true;
}

static bool
parse_mem(const json_t *mem, LpProfileChange *change, GError **error)
{
    static const char *const known[] = {"min_bytes", "desired_bytes", "max_bytes", NULL};

    if (!mem)
        return true;
    return lp_body_known(mem, "mem.", known, error) &&
           lp_body_integer(mem, "mem.", "min_bytes", G_MAXINT64, &change->has_mem_min,
                           &change->mem.min_bytes, error) &&
           lp_body_integer(mem, "mem.", "desired_bytes", G_MAXINT64, &change->has_mem_desired,
                           &change->mem.desired_bytes, error) &&
           lp_body_integer(mem, "mem.", "max_bytes", G_MAXINT64, &change->has_mem_max,
                           &change->mem.max_bytes, error);
}

static bool
parse_capacity(const json_t *body, LpProfileChange *change, GError **error)
{
    uint64_t entitled = 0, weight = 0;

    if (!lp_body_integer(body, "", "entitled_centi", LP_MAX_CPUS * 100, &change->has_entitled,
                         &entitled, error) ||
        !lp_body_integer(body, "", "weight", LP_WEIGHT_MAX, &change->has_weight, &weight,
                         error) ||
        !lp_body_bool(body, "", "capped", &change->has_capped, &change->capacity.capped, error))
        return false;
    change->capacity.entitled_centi = (uint32_t)entitled;
    change->capacity.weight = (uint32_t)weight;
    return true;
}

static bool
parse_cells(const json_t *body, LpProfileChange *change, GError **error)
{
    const json_t *cells = json_object_get(body, "cells");
    uint64_t n_cells = 0;

    if (!lp_body_integer(body, "", "n_cells", LP_MAX_CELLS, &change->has_n_cells, &n_cells,
                         error))
        return false;
    change->n_cells = (uint32_t)n_cells;
    if (!cells)
        return true;
    if (!json_is_array(cells) || json_array_size(cells) > LP_MAX_CELLS) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "\"cells\" must be an array of at most %d host node numbers", LP_MAX_CELLS);
        return false;
    }
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *node = json_array_get(cells, i);

        if (!json_is_integer(node) || json_integer_value(node) < 0 ||
            json_integer_value(node) > G_MAXINT32) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                        "\"cells\"[%zu] must be the number of a host node", i);
            return false;
        }
        change->cell_node[i] = (int32_t)json_integer_value(node);
    }
    if (change->has_n_cells && n_cells != json_array_size(cells)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "\"n_cells\" and the length of \"cells\" differ: give one of them");
        return false;
    }
    change->has_cells = true;
    change->n_cells = (uint32_t)json_array_size(cells);
    return true;
}

static bool
parse_rule(const json_t *body, LpProfileChange *change, GError **error)
{
    const char *text = NULL, *action = NULL;
    char message[LP_NUMA_RULE_TEXT] = "";
    uint64_t floor = 0;

    if (!lp_body_text(body, "", "numa", &change->has_numa, &text, error) ||
        !lp_body_integer(body, "", "affinity_floor", 100, &change->has_floor, &floor, error) ||
        !lp_body_text(body, "", "affinity_floor_action", &change->has_floor_action, &action,
                      error))
        return false;
    if (text && !lp_numa_rule_parse(text, &change->numa, message, sizeof message)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "\"numa\": %s", message);
        return false;
    }
    change->numa.floor = (uint32_t)floor;
    for (int i = 0; action && i < LP_FLOORS; i++) {
        if (strcmp(action, lp_floor_names[i]) == 0) {
            change->numa.floor_action = (LpFloor)i;
            return true;
        }
    }
    if (!action)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                "\"affinity_floor_action\" must be \"warn\" or \"refuse\"");
    return false;
}

bool
lp_profile_change_parse(const json_t *body, LpProfileChange *ret_change, GError **error)
{
    LpProfileChange change = {0};

    if (!parse_cpu(json_object_get(body, "cpu"), &change, error) ||
        !parse_mem(json_object_get(body, "mem"), &change, error) ||
        !parse_capacity(body, &change, error) || !parse_cells(body, &change, error) ||
        !parse_rule(body, &change, error) ||
        !lp_autoscale_change_parse(json_object_get(body, "autoscale"), &change.autoscale, error))
        return false;
    *ret_change = change;
    return true;
}

static bool
whole(const LpProfileChange *change, GError **error)
{
    const struct {
        bool has;
        const char *field;
    } needed[] = {
        {change->has_cpu_min, "cpu.min"}, {change->has_cpu_desired, "cpu.desired"},
        {change->has_cpu_max, "cpu.max"}, {change->has_mem_min, "mem.min_bytes"},
        {change->has_mem_desired, "mem.desired_bytes"}, {change->has_mem_max, "mem.max_bytes"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (!needed[i].has) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                        "the field \"%s\" is missing: the domain has no profile yet, and a new one "
                        "needs min, desired and max of both cpu and mem; `lparctl enable` gives "
                        "it one", needed[i].field);
            return false;
        }
    }
    return true;
}

static bool
explicit_cells(const LpProfileChange *change, const LpPlacementHost *host, LpProfile *profile,
               GError **error)
{
    for (uint32_t i = 0; i < change->n_cells; i++) {
        int index = lp_topology_find(&host->topology, (uint32_t)change->cell_node[i]);

        if (index < 0 || host->topology.nodes[index].memory_bytes == 0) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                        "cell %u is to be on node %d, but this host has no such node with "
                        "memory: GET /v1/host lists the nodes", i, change->cell_node[i]);
            return false;
        }
    }
    profile->n_cells = change->n_cells;
    memcpy(profile->cell_node, change->cell_node, sizeof profile->cell_node);
    return lp_placement_check(host, profile, error);
}

/* Cells of a domain that is kept as its XML has it, or is to be kept as it comes. */
static bool
kept_cells(const LpProfileChange *change, const LpProfile *old, const LpView *view,
           LpProfile *profile, GError **error)
{
    if (change->has_cells) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "the rule keep leaves the cells on the nodes that the domain's XML names: "
                    "leave \"cells\" out, or give another rule");
        return false;
    }
    if (old && !change->has_n_cells)
        return true;
    if (view && !change->has_n_cells) {
        lp_placement_keep(view, profile);
        return true;
    }
    profile->n_cells = change->has_n_cells ? change->n_cells : 1;
    for (uint32_t i = 0; i < MIN(profile->n_cells, LP_MAX_CELLS); i++)
        profile->cell_node[i] = -1;
    return true;
}

/* Whether the cells may stay where they are under the new rule. */
static bool
fits(const LpProfile *profile, const LpPlacementHost *host)
{
    LpNodeSet nodes = lp_numa_rule_nodes(&profile->numa, &host->topology, NULL);

    if (profile->numa.mode == LP_NUMA_SPREAD || profile->numa.mode == LP_NUMA_INTERLEAVE)
        return false;
    for (uint32_t i = 0; i < profile->n_cells; i++) {
        int index = profile->cell_node[i] < 0
                        ? -1 : lp_topology_find(&host->topology, (uint32_t)profile->cell_node[i]);

        if (index < 0 || !(nodes >> index & 1))
            return false;
    }
    return true;
}

static bool
apply_cells(const LpProfileChange *change, const LpProfile *old, const LpView *view,
            const LpPlacementHost *host, LpProfile *profile, GError **error)
{
    bool other_rule = old && (old->numa.mode != profile->numa.mode ||
                              old->numa.n_nodes != profile->numa.n_nodes ||
                              memcmp(old->numa.node_id, profile->numa.node_id,
                                     old->numa.n_nodes * sizeof old->numa.node_id[0]) != 0);
    uint32_t n_cells = change->n_cells;

    if (change->has_n_cells && n_cells == 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "\"n_cells\" must be at least 1");
        return false;
    }
    if (profile->numa.mode == LP_NUMA_KEEP)
        return kept_cells(change, old, view, profile, error);
    if (change->has_cells)
        return explicit_cells(change, host, profile, error);
    /* A restrictive domain moves as a whole, whatever its cells are. */
    if (!old && !change->has_n_cells && view && view->numatune == LP_NUMATUNE_RESTRICTIVE) {
        lp_placement_keep(view, profile);
        return true;
    }
    if (!old && !change->has_n_cells && view && lp_placement_stays(host, view, profile))
        return true;
    if (!old || change->has_n_cells)
        return lp_placement_choose(host, n_cells, profile, error);
    if (!other_rule)
        return true;
    /* As many cells as it has, unless the rule says how many. */
    if (profile->numa.mode != LP_NUMA_SPREAD && profile->numa.mode != LP_NUMA_INTERLEAVE)
        n_cells = old->n_cells;
    if (fits(profile, host))
        return lp_placement_check(host, profile, error);
    return lp_placement_choose(host, n_cells, profile, error);
}

static void
apply_rule(const LpProfileChange *change, const LpProfile *old, const LpView *view,
           const LpPlacementHost *host, LpProfile *profile)
{
    LpNumaRule *rule = &profile->numa;

    if (change->has_numa) {
        const LpNumaRule before = *rule;

        *rule = change->numa;
        rule->floor = before.floor;
        rule->floor_action = before.floor_action;
    } else if (!old && view && !change->has_cells && !change->has_n_cells &&
               lp_placement_matters(&host->topology) && lp_placement_is_foreign(view)) {
        rule->mode = LP_NUMA_KEEP;
    }
    if (change->has_floor)
        rule->floor = change->numa.floor;
    if (change->has_floor_action)
        rule->floor_action = change->numa.floor_action;
    /* What happens below no floor needs no word. */
    if (rule->floor == 0)
        rule->floor_action = LP_FLOOR_WARN;
}

static void
apply_ranges(const LpProfileChange *change, LpProfile *profile)
{
    if (change->has_cpu_min)
        profile->cpu.min = change->cpu.min;
    if (change->has_cpu_desired)
        profile->cpu.desired = change->cpu.desired;
    if (change->has_cpu_max)
        profile->cpu.max = change->cpu.max;
    if (change->has_mem_min)
        profile->mem.min_bytes = change->mem.min_bytes;
    if (change->has_mem_desired)
        profile->mem.desired_bytes = change->mem.desired_bytes;
    if (change->has_mem_max)
        profile->mem.max_bytes = change->mem.max_bytes;
}

bool
lp_profile_change_apply(const LpProfileChange *change, const LpProfile *old,
                        const LpView *view, const LpPlacementHost *host, LpProfile *ret_profile,
                        GError **error)
{
    LpProfile profile = {.generation = 1};
    LpProfileVerdict verdict;

    if (old)
        profile = *old;
    else if (!whole(change, error))
        return false;
    apply_ranges(change, &profile);
    if (!old) {
        profile.capacity.entitled_centi = lp_profile_default_entitlement(&profile.cpu);
        profile.capacity.weight = LP_WEIGHT_DEFAULT;
        lp_autoscale_init(&profile.autoscale);
    }
    if (change->has_entitled)
        profile.capacity.entitled_centi = change->capacity.entitled_centi;
    if (change->has_weight)
        profile.capacity.weight = change->capacity.weight;
    if (change->has_capped)
        profile.capacity.capped = change->capacity.capped;
    if (change->has_hold)
        profile.hold_until_sec = change->hold_until_sec;
    lp_autoscale_change_apply(&change->autoscale, &profile.autoscale);
    apply_rule(change, old, view, host, &profile);
    if (!apply_cells(change, old, view, host, &profile, error))
        return false;
    profile.version = lp_profile_version(&profile);

    verdict = lp_profile_check(&profile);
    if (verdict != LP_PROFILE_OK) {
        g_autofree char *text = lp_words_profile(verdict, &profile);

        g_set_error_literal(error, LP_ERROR, LP_ERROR_REFUSED, text);
        return false;
    }
    *ret_profile = profile;
    return true;
}

bool
lp_profile_change_is_aside(const LpProfileChange *change)
{
    const LpAutoscaleChange *autoscale = &change->autoscale;
    bool amounts = change->has_cpu_min || change->has_cpu_desired || change->has_cpu_max ||
                   change->has_mem_min || change->has_mem_desired || change->has_mem_max ||
                   change->has_entitled || change->has_weight || change->has_capped ||
                   change->has_cells || change->has_n_cells;

    return !amounts && (change->has_hold || change->has_numa || change->has_floor ||
                        change->has_floor_action || autoscale->has_mode || autoscale->has_goal ||
                        autoscale->has_priority || autoscale->has_entitled ||
                        autoscale->has_release || autoscale->has_schedules);
}

/* Ways to bind that have nothing in common: by somebody else, all nodes in turn, cell by cell. */
static LpNumaMode
binding(const LpProfile *profile)
{
    LpNumaMode mode = profile->numa.mode;

    return mode == LP_NUMA_KEEP || mode == LP_NUMA_INTERLEAVE ? mode : LP_NUMA_AUTO;
}

bool
lp_profile_shape_differs(const LpProfile *a, const LpProfile *b)
{
    return a->cpu.min != b->cpu.min || a->cpu.max != b->cpu.max ||
           a->mem.min_bytes != b->mem.min_bytes || a->mem.max_bytes != b->mem.max_bytes ||
           a->n_cells != b->n_cells || binding(a) != binding(b);
}
