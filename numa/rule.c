/* The rule as text, and what of it a host has. */
#include "numa/rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const lp_numa_mode_names[LP_NUMA_MODES] = {
    "auto", "strict", "preferred", "spread", "interleave", "keep",
};
const char *const lp_floor_names[LP_FLOORS] = { "warn", "refuse" };

_Static_assert(LP_NODE_ID_MAX < LP_MAX_CPUS, "a list of node ids is read like one of processors");

#define FLOOR_MAX 100
/* What ends a rule with processors of its own. */
#define CORES_SUFFIX "+cores"

typedef enum { NODES_NONE, NODES_MAY, NODES_MUST } Nodes;
static const Nodes takes_nodes[LP_NUMA_MODES] = {
    [LP_NUMA_AUTO] = NODES_NONE,         [LP_NUMA_STRICT] = NODES_MUST,
    [LP_NUMA_PREFERRED] = NODES_MUST,    [LP_NUMA_SPREAD] = NODES_MAY,
    [LP_NUMA_INTERLEAVE] = NODES_MAY,    [LP_NUMA_KEEP] = NODES_NONE,
};

/* Memory that lies everywhere has no node whose processors could be its own; what is kept is not
 * pinned. */
static bool
takes_cores(LpNumaMode mode)
{
    return mode != LP_NUMA_INTERLEAVE && mode != LP_NUMA_KEEP;
}

__attribute__((format(printf, 3, 4))) static bool
fail(char *message, size_t size, const char *format, ...)
{
    va_list args;

    if (message && size > 0) {
        va_start(args, format);
        vsnprintf(message, size, format, args);
        va_end(args);
    }
    return false;
}

/* The mode with this name; LP_NUMA_MODES: there is none. */
static LpNumaMode
find_mode(const char *name, size_t len)
{
    LpNumaMode mode = LP_NUMA_AUTO;

    while (mode < LP_NUMA_MODES && (strlen(lp_numa_mode_names[mode]) != len ||
                                    memcmp(lp_numa_mode_names[mode], name, len) != 0))
        mode++;
    return mode;
}

static bool
parse_nodes(const char *list, LpNumaRule *rule, char *message, size_t size)
{
    LpCpuMask ids;

    if (!lp_cpumask_parse(list, &ids))
        return fail(message, size,
                    "\"%.40s\" is no list of nodes; write ids of 0 to %d, like 0-1,4", list,
                    LP_NODE_ID_MAX);
    if (lp_cpumask_count(&ids) == 0)
        return fail(message, size, "no node is named after the colon; write ids, like 0-1,4");
    if (lp_cpumask_count(&ids) > LP_MAX_NODES)
        return fail(message, size, "%u nodes are named; a host has at most %d",
                    lp_cpumask_count(&ids), LP_MAX_NODES);
    for (int id = lp_cpumask_next(&ids, 0); id >= 0 && id <= LP_NODE_ID_MAX;
         id = lp_cpumask_next(&ids, (unsigned) id + 1))
        rule->node_id[rule->n_nodes++] = (uint16_t) id;
    return true;
}

/* Mode and nodes. */
static bool
parse_place(const char *text, LpNumaRule *ret, char *message, size_t size)
{
    size_t len = strcspn(text, ":");
    LpNumaRule rule = { .mode = find_mode(text, len) };
    const char *list = text[len] == ':' ? text + len + 1 : NULL;

    if (rule.mode == LP_NUMA_MODES)
        return fail(message, size, "\"%.*s\" is no way to place a partition; it is one of auto, "
                    "strict:NODES, preferred:NODES, spread, interleave and keep",
                    len > 40 ? 40 : (int) len, text);
    if (list && takes_nodes[rule.mode] == NODES_NONE)
        return fail(message, size, "\"%s\" takes no nodes; write it alone, or strict:NODES or "
                    "preferred:NODES", lp_numa_mode_names[rule.mode]);
    if (!list && takes_nodes[rule.mode] == NODES_MUST)
        return fail(message, size, "\"%s\" needs the nodes it means, like %s:0-1",
                    lp_numa_mode_names[rule.mode], lp_numa_mode_names[rule.mode]);
    if (list && !parse_nodes(list, &rule, message, size))
        return false;
    *ret = rule;
    return true;
}

bool
lp_numa_rule_parse(const char *text, LpNumaRule *ret, char *message, size_t size)
{
    size_t len = strlen(text), suffix = strlen(CORES_SUFFIX);
    bool cores = len > suffix && strcmp(text + len - suffix, CORES_SUFFIX) == 0;
    char place[LP_NUMA_RULE_TEXT];
    LpNumaRule rule;

    if (len >= sizeof(place))
        return fail(message, size, "the rule is longer than any that names %d nodes",
                    LP_MAX_NODES);
    memcpy(place, text, len + 1);
    if (cores)
        place[len - suffix] = '\0';
    if (!parse_place(place, &rule, message, size))
        return false;
    if (cores && !takes_cores(rule.mode))
        return fail(message, size, "\"%s\" takes no " CORES_SUFFIX ": no node's processors are its "
                    "own; write it alone", lp_numa_mode_names[rule.mode]);
    rule.own_cores = cores;
    /* What the text does not say stays. */
    rule.floor = ret->floor;
    rule.floor_action = ret->floor_action;
    *ret = rule;
    return true;
}

char *
lp_numa_rule_format(const LpNumaRule *rule, char *buf, size_t size)
{
    char list[LP_CPUMASK_TEXT];
    LpCpuMask ids;

    if (size == 0)
        return buf;
    if (!lp_numa_rule_valid(rule)) {
        snprintf(buf, size, "?");
        return buf;
    }
    lp_cpumask_clear(&ids);
    for (uint32_t i = 0; i < rule->n_nodes; i++)
        lp_cpumask_add(&ids, rule->node_id[i]);
    snprintf(buf, size, "%s%s%s%s", lp_numa_mode_names[rule->mode], rule->n_nodes > 0 ? ":" : "",
             lp_cpumask_format(&ids, list, sizeof(list)), rule->own_cores ? CORES_SUFFIX : "");
    return buf;
}

bool
lp_numa_rule_valid(const LpNumaRule *rule)
{
    if (rule->mode >= LP_NUMA_MODES || rule->floor > FLOOR_MAX ||
        rule->floor_action >= LP_FLOORS || rule->n_nodes > LP_MAX_NODES)
        return false;
    if (rule->n_nodes == 0 ? takes_nodes[rule->mode] == NODES_MUST
                           : takes_nodes[rule->mode] == NODES_NONE)
        return false;
    if (rule->own_cores && !takes_cores(rule->mode))
        return false;
    for (uint32_t i = 0; i < rule->n_nodes; i++) {
        if (rule->node_id[i] > LP_NODE_ID_MAX ||
            (i > 0 && rule->node_id[i] <= rule->node_id[i - 1]))
            return false;
    }
    return true;
}

bool
lp_numa_rule_equal(const LpNumaRule *a, const LpNumaRule *b)
{
    if (a->mode != b->mode || a->n_nodes != b->n_nodes || a->floor != b->floor ||
        a->floor_action != b->floor_action || a->own_cores != b->own_cores)
        return false;
    for (uint32_t i = 0; i < a->n_nodes && i < LP_MAX_NODES; i++) {
        if (a->node_id[i] != b->node_id[i])
            return false;
    }
    return true;
}

bool
lp_numa_rule_is_default(const LpNumaRule *rule)
{
    static const LpNumaRule DEFAULT = { .mode = LP_NUMA_AUTO };

    return lp_numa_rule_equal(rule, &DEFAULT);
}

LpNodeSet
lp_numa_rule_nodes(const LpNumaRule *rule, const LpTopology *topology, int32_t *ret_absent)
{
    LpNodeSet set = 0, memory = 0;

    if (ret_absent)
        *ret_absent = -1;
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        if (topology->nodes[i].memory_bytes > 0)
            memory |= 1ULL << i;
    }
    if (rule->n_nodes == 0)
        return memory;
    for (uint32_t i = 0; i < rule->n_nodes && i < LP_MAX_NODES; i++) {
        int index = lp_topology_find(topology, rule->node_id[i]);

        if (index >= 0)
            set |= 1ULL << index;
        else if (ret_absent && *ret_absent < 0)
            *ret_absent = (int32_t) rule->node_id[i];
    }
    return set & memory;
}
