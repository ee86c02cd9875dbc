#include "lpard/define/placement.h"

#include <string.h>

#include "lpard/error.h"
#include "policy/units.h"

static uint32_t
count_nodes(const LpTopology *topology, bool with_memory)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < topology->n_nodes; i++)
        n += with_memory ? topology->nodes[i].memory_bytes > 0
                         : lp_cpumask_count(&topology->nodes[i].cpus) > 0;
    return n;
}

bool
lp_placement_pins(const LpTopology *topology)
{
    return count_nodes(topology, false) > 1;
}

bool
lp_placement_matters(const LpTopology *topology)
{
    return lp_placement_pins(topology) || count_nodes(topology, true) > 1;
}

bool
lp_placement_is_foreign(const LpView *view)
{
    return view->has_pins || view->numatune == LP_NUMATUNE_OTHER;
}

void
lp_placement_keep(const LpView *view, LpProfile *profile)
{
    profile->n_cells = MIN(MAX(view->n_cells, 1), MAX(profile->cpu.max, 1));
    for (uint32_t i = 0; i < profile->n_cells; i++)
        profile->cell_node[i] = view->cells[i].node;
}

/* "0 (12 GiB free), 1 (none)" */
static char *
node_list(const LpPlacementHost *host)
{
    GString *text = g_string_new(NULL);
    char free_text[LP_UNITS_TEXT];

    for (uint32_t i = 0; i < host->topology.n_nodes; i++) {
        if (host->topology.nodes[i].memory_bytes == 0)
            continue;
        lp_units_near_bytes(host->use[i].free_bytes, free_text, sizeof free_text);
        g_string_append_printf(text, "%s%u (%s free)", text->len ? ", " : "",
                               host->topology.nodes[i].id, free_text);
    }
    return g_string_free(text, FALSE);
}

static bool
refuse(const LpPlacementHost *host, const LpNumaRule *rule, const char *why, GError **error)
{
    g_autofree char *nodes = node_list(host);
    char text[LP_NUMA_RULE_TEXT];

    g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                "the rule %s cannot be kept: %s; the nodes with memory are %s",
                lp_numa_rule_format(rule, text, sizeof text), why, nodes);
    return false;
}

/* Strict nodes are full now: how room comes about, unless they are too small for it in any case. */
static void
refuse_full(const LpPlacementHost *host, const LpProfile *profile, LpNodeSet nodes,
            uint64_t free_bytes, GError **error)
{
    LpNumaRule first = profile->numa;
    char has[LP_UNITS_TEXT], wants[LP_UNITS_TEXT], strict[LP_NUMA_RULE_TEXT];
    char preferred[LP_NUMA_RULE_TEXT];
    uint64_t all = 0;
    g_autofree char *why = NULL, *cure = g_strdup("");

    for (uint32_t i = 0; i < host->topology.n_nodes; i++)
        all += nodes >> i & 1 ? MIN(host->topology.nodes[i].memory_bytes,
                                    G_MAXINT64 / LP_MAX_NODES) : 0;
    first.mode = LP_NUMA_PREFERRED;
    if (all >= profile->mem.desired_bytes) {
        g_free(cure);
        cure = g_strdup_printf("; where others can leave, give it numa=%s, let `lparctl optimize` "
                               "bring it there, and then give it numa=%s",
                               lp_numa_rule_format(&first, preferred, sizeof preferred),
                               lp_numa_rule_format(&profile->numa, strict, sizeof strict));
    }
    why = g_strdup_printf("%s has %s free, and %s are desired%s",
                          profile->numa.n_nodes == 1 ? "its node" : "what it names",
                          lp_units_near_bytes(free_bytes, has, sizeof has),
                          lp_units_near_bytes(profile->mem.desired_bytes, wants, sizeof wants),
                          cure);
    refuse(host, &profile->numa, why, error);
}

/* The nodes that the rule leaves; 0 with an error. */
static LpNodeSet
allowed(const LpPlacementHost *host, const LpProfile *profile, GError **error)
{
    const LpNumaRule *rule = &profile->numa;
    int32_t absent = -1;
    LpNodeSet nodes = lp_numa_rule_nodes(rule, &host->topology, &absent);
    uint64_t free_bytes = 0;

    if (absent >= 0) {
        g_autofree char *why = g_strdup_printf("this host has no node %d", absent);

        refuse(host, rule, why, error);
        return 0;
    }
    if (rule->n_nodes > 0 && nodes == 0) {
        refuse(host, rule, "what it names has no memory", error);
        return 0;
    }
    for (uint32_t i = 0; i < host->topology.n_nodes; i++)
        free_bytes += nodes >> i & 1 ? MIN(host->use[i].free_bytes, G_MAXINT64 / LP_MAX_NODES) : 0;
    if (rule->mode == LP_NUMA_STRICT && free_bytes < profile->mem.desired_bytes) {
        refuse_full(host, profile, nodes, free_bytes, error);
        return 0;
    }
    return nodes;
}

static uint32_t
choose(const LpPlacementHost *host, const LpLayoutUse *use, const LpProfile *profile,
       uint32_t n_cells, int32_t *ret_nodes)
{
    const LpLayoutNew wanted = {
        .rule = profile->numa, .bytes = profile->mem.desired_bytes,
        .max_bytes = profile->mem.max_bytes, .vcpus = profile->cpu.desired,
        .max_vcpus = profile->cpu.max, .n_cells = n_cells,
    };

    return lp_layout_choose(&host->topology, use, &wanted, ret_nodes);
}

/* What is left when all are started decides, unless the guest would get more cells by it than it
 * needs now: a definition promises nothing. */
static uint32_t
choose_best(const LpPlacementHost *host, const LpProfile *profile, uint32_t n_cells,
            int32_t *ret_nodes)
{
    int32_t now[LP_MAX_CELLS];
    uint32_t n_now = choose(host, host->use, profile, n_cells, now);
    uint32_t n = choose(host, host->later, profile, n_cells, ret_nodes);

    if (n > 0 && n <= n_now)
        return n;
    memcpy(ret_nodes, now, n_now * sizeof *now);
    return n_now;
}

/* A cell needs a vCPU at least, and its part of boot memory. */
static uint32_t
most_cells(const LpProfile *profile)
{
    uint32_t n = MIN(profile->cpu.max, LP_MAX_CELLS);

    while (n > 1 && profile->mem.min_bytes < lp_profile_base_floor(profile->mem.max_bytes, n))
        n--;
    return MAX(n, 1);
}

bool
lp_placement_choose(const LpPlacementHost *host, uint32_t n_cells, LpProfile *profile,
                    GError **error)
{
    int32_t nodes[LP_MAX_CELLS] = {0};
    uint32_t most = n_cells ? n_cells : most_cells(profile), n;
    LpNodeSet set;

    /* More cells than rules allow are refused by the profile's own check. */
    if (n_cells > LP_MAX_CELLS) {
        profile->n_cells = n_cells;
        return true;
    }
    set = allowed(host, profile, error);
    if (set == 0 && profile->numa.n_nodes > 0)
        return false;
    if (profile->numa.mode == LP_NUMA_INTERLEAVE) {
        profile->n_cells = MAX(n_cells, 1);
        for (uint32_t i = 0; i < profile->n_cells; i++)
            profile->cell_node[i] = -1;
        return true;
    }
    n = choose_best(host, profile, n_cells, nodes);
    if (n > most)
        n = choose_best(host, profile, most, nodes);
    if (n == 0)
        return refuse(host, &profile->numa, "it leaves no node with memory", error);
    profile->n_cells = n;
    for (uint32_t i = 0; i < n; i++)
        profile->cell_node[i] = (int32_t)host->topology.nodes[nodes[i]].id;
    return true;
}

bool
lp_placement_stays(const LpPlacementHost *host, const LpView *view, LpProfile *profile)
{
    LpNodeSet nodes = lp_numa_rule_nodes(&profile->numa, &host->topology, NULL);
    uint64_t part = profile->mem.max_bytes / MAX(view->n_cells, 1), taken[LP_MAX_NODES] = {0};

    if (view->run == LP_RUN_OFF || view->numatune != LP_NUMATUNE_CELLS ||
        profile->numa.mode == LP_NUMA_SPREAD || profile->numa.mode == LP_NUMA_INTERLEAVE ||
        view->n_cells > most_cells(profile) || !lp_placement_matters(&host->topology))
        return false;
    for (uint32_t i = 0; i < view->n_cells; i++) {
        int index = view->cells[i].home < 0
                        ? -1 : lp_topology_find(&host->topology, (uint32_t)view->cells[i].home);

        if (index < 0 || !(nodes >> index & 1) ||
            host->use[index].free_bytes < taken[index] + part)
            return false;
        taken[index] += part;
    }
    profile->n_cells = view->n_cells;
    for (uint32_t i = 0; i < view->n_cells; i++)
        profile->cell_node[i] = view->cells[i].home;
    return view->n_cells > 0;
}

bool
lp_placement_check(const LpPlacementHost *host, const LpProfile *profile, GError **error)
{
    LpNodeSet nodes = allowed(host, profile, error);
    char text[LP_NUMA_RULE_TEXT];

    if (nodes == 0 && profile->numa.n_nodes > 0)
        return false;
    lp_numa_rule_format(&profile->numa, text, sizeof text);
    if (profile->numa.mode == LP_NUMA_INTERLEAVE) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "the rule %s has all memory over all of its nodes, so that no cell has one of "
                    "its own: leave \"cells\" out, or give another rule", text);
        return false;
    }
    for (uint32_t i = 0; i < profile->n_cells; i++) {
        int index = lp_topology_find(&host->topology, (uint32_t)profile->cell_node[i]);

        if (index >= 0 && nodes >> index & 1)
            continue;
        if (profile->numa.mode != LP_NUMA_STRICT && profile->numa.mode != LP_NUMA_SPREAD)
            continue;
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "cell %u is to be on node %d, which the rule %s does not allow", i,
                    profile->cell_node[i], text);
        return false;
    }
    return true;
}

uint64_t
lp_placement_reach(const LpPlacementHost *host, const LpProfile *profile)
{
    const LpNumaRule *rule = &profile->numa;
    uint64_t part = profile->mem.max_bytes / MAX(profile->n_cells, 1), sum = 0;
    uint32_t n_on[LP_MAX_NODES] = {0};
    bool short_of = false;

    if (rule->n_nodes == 0 || (rule->mode != LP_NUMA_STRICT && rule->mode != LP_NUMA_SPREAD))
        return UINT64_MAX;
    for (uint32_t i = 0; i < profile->n_cells; i++) {
        int index = profile->cell_node[i] < 0
                        ? -1 : lp_topology_find(&host->topology, (uint32_t)profile->cell_node[i]);

        /* Of a node that is not here nothing is known. */
        if (index < 0)
            return UINT64_MAX;
        n_on[index]++;
    }
    for (uint32_t i = 0; i < host->topology.n_nodes; i++) {
        uint64_t has = host->topology.nodes[i].memory_bytes, wanted = n_on[i] * part;

        /* What does not divide by the cells is no want of room. */
        if (n_on[i] == profile->n_cells)
            wanted = profile->mem.max_bytes;
        sum += MIN(wanted, has);
        if (wanted > has)
            short_of = true;
    }
    return short_of ? sum : UINT64_MAX;
}

/* --- processors --- */

static void
add_cpus(LpCpuMask *mask, const LpCpuMask *more)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mask->words); i++)
        mask->words[i] |= more->words[i];
}

/* A node without processors is served by those of the nearest. */
static void
add_cpus_of(LpCpuMask *mask, const LpTopology *topology, int index)
{
    int near = index < 0 ? -1 : lp_topology_near_cpus(topology, (uint32_t)index);

    if (near >= 0)
        add_cpus(mask, &topology->nodes[near].cpus);
}

static LpCpuMask
cpus_of_cell(const LpProfile *profile, const LpTopology *topology, uint32_t cell)
{
    LpCpuMask mask = {{0}};
    LpNodeSet nodes;

    if (profile->numa.mode != LP_NUMA_INTERLEAVE) {
        if (profile->cell_node[cell] >= 0)
            add_cpus_of(&mask, topology,
                        lp_topology_find(topology, (uint32_t)profile->cell_node[cell]));
        return mask;
    }
    nodes = lp_numa_rule_nodes(&profile->numa, topology, NULL);
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        if (nodes >> i & 1)
            add_cpus_of(&mask, topology, (int)i);
    }
    return mask;
}

LpPins *
lp_placement_pins_of(const LpProfile *profile, const LpTopology *topology)
{
    LpPins *pins;

    if (profile->numa.mode == LP_NUMA_KEEP || !lp_placement_pins(topology))
        return NULL;
    pins = g_new0(LpPins, 1);
    pins->n_vcpus = MIN(profile->cpu.max, LP_MAX_CPUS);
    pins->vcpus = g_new0(LpCpuMask, pins->n_vcpus);
    for (uint32_t cell = 0; cell < profile->n_cells; cell++) {
        const LpCpuMask mask = cpus_of_cell(profile, topology, cell);
        /* The cells' vCPUs as lp_domxml_enable() divides them. */
        uint32_t first = (uint32_t)((uint64_t)cell * profile->cpu.max / profile->n_cells);
        uint32_t end = (uint32_t)((uint64_t)(cell + 1) * profile->cpu.max / profile->n_cells);

        add_cpus(&pins->emulator, &mask);
        for (uint32_t vcpu = first; vcpu < MIN(end, pins->n_vcpus); vcpu++)
            pins->vcpus[vcpu] = mask;
    }
    return pins;
}

void
lp_placement_pins_free(LpPins *pins)
{
    if (!pins)
        return;
    g_free(pins->vcpus);
    g_free(pins);
}

char *
lp_placement_interleaved(const LpProfile *profile, const LpTopology *topology)
{
    char text[LP_CPUMASK_TEXT];
    LpCpuMask ids = {{0}};
    LpNodeSet nodes;

    if (profile->numa.mode != LP_NUMA_INTERLEAVE)
        return NULL;
    nodes = lp_numa_rule_nodes(&profile->numa, topology, NULL);
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        if (nodes >> i & 1)
            lp_cpumask_add(&ids, topology->nodes[i].id);
    }
    return g_strdup(lp_cpumask_format(&ids, text, sizeof text));
}
