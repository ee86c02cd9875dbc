#include "plan_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SEED 20261123u
#define DIMM_UNIT (128 * MIB)

#if defined(__SANITIZE_ADDRESS__)
/* Sanitizers cost a factor of several, and the suite has seconds. */
#define SLOWNESS 4
#else
#define SLOWNESS 1
#endif

uint64_t
plan_case_seed(void)
{
    const char *text = getenv("LPARD_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : DEFAULT_SEED;

    printf("# LPARD_SEED=%llu\n", (unsigned long long) seed);
    return seed;
}

uint32_t
plan_case_count(uint32_t plain)
{
    return plain / SLOWNESS;
}

uint64_t
random_below(Random *random, uint64_t n)
{
    return n ? random_next(random) % n : 0;
}

bool
random_percent(Random *random, unsigned percent)
{
    return random_below(random, 100) < percent;
}

static void
make_cells(LpView *view, Random *random)
{
    static const int32_t nodes[] = {-1, 0, 0, 1, 1, 7, 63, 1000};
    uint64_t block = (2 * MIB) << random_below(random, 3);
    bool devices = random_percent(random, 80);

    view->n_cells = random_percent(random, 5)   ? 0
                    : random_percent(random, 1) ? LP_MAX_CELLS
                                                : 1 + (uint32_t) random_below(random, 4);
    for (uint32_t i = 0; i < view->n_cells; i++) {
        LpViewCell *cell = &view->cells[i];

        memset(cell, 0, sizeof *cell);
        cell->node = nodes[random_below(random, sizeof nodes / sizeof *nodes)];
        /* Its pages may have been moved away. */
        cell->home = random_percent(random, 85)
                         ? cell->node : nodes[random_below(random, sizeof nodes / sizeof *nodes)];
        cell->base_bytes = DIMM_UNIT * (1 + random_below(random, 8));
        if (cell->home != cell->node && cell->node >= 0)
            cell->fresh_bytes = DIMM_UNIT * random_below(random, 6);
        view->base_bytes += cell->base_bytes;
        cell->has_device = devices && random_percent(random, 90);
        if (!cell->has_device)
            continue;
        snprintf(cell->alias, sizeof cell->alias, "virtiomem%u", i);
        cell->block_bytes = random_percent(random, 5) ? block * 2 : block;
        cell->device_bytes = cell->block_bytes * random_below(random, 512);
        cell->requested_bytes = cell->block_bytes
                                * random_below(random, cell->device_bytes / cell->block_bytes + 1);
        cell->current_bytes = random_percent(random, 75)
                                  ? cell->requested_bytes
                                  : cell->block_bytes
                                        * random_below(random, cell->device_bytes
                                                                       / cell->block_bytes + 1);
    }
    if (view->n_cells == 0)
        view->base_bytes = DIMM_UNIT * (1 + random_below(random, 8));
}

static void
make_memory(LpView *view, Random *random)
{
    uint64_t total = 0;

    make_cells(view, random);
    view->n_dimms = view->n_cells && random_percent(random, 35) ? (uint32_t) random_below(random, 6)
                                                                : 0;
    for (uint32_t i = 0; i < view->n_dimms; i++) {
        memset(&view->dimms[i], 0, sizeof view->dimms[i]);
        snprintf(view->dimms[i].alias, sizeof view->dimms[i].alias, "dimm%u", i);
        view->dimms[i].cell = (uint32_t) random_below(random, view->n_cells);
        view->dimms[i].bytes = DIMM_UNIT * (1 + random_below(random, 4));
        total += view->dimms[i].bytes;
    }
    view->slots_used = view->n_dimms;
    view->slots = random_percent(random, 15) ? view->n_dimms
                                             : view->n_dimms + (uint32_t) random_below(random, 4);
    for (uint32_t i = 0; i < view->n_cells; i++)
        total += view->cells[i].device_bytes;
    total += view->base_bytes;
    view->max_memory_bytes = view->slots ? total + DIMM_UNIT * random_below(random, 32) : 0;
    view->has_balloon = random_percent(random, 80);
    if (view->has_balloon && random_percent(random, 30))
        view->balloon_bytes = random_below(random, view->base_bytes / MIB - 1) * MIB;
    view->requested_config_bytes = random_percent(random, 50) ? DIMM_UNIT : 0;
}

static void
make_vcpus(PlanCase *pcase, Random *random)
{
    LpView *view = &pcase->view;
    bool in_turn = random_percent(random, 50), boot_only = random_percent(random, 20);
    unsigned density = (unsigned) random_below(random, 101);

    view->vcpu_max = random_below(random, 2000) == 0 ? LP_MAX_CPUS
                                                     : 1 + (uint32_t) random_below(random, 16);
    for (uint32_t c = 0; c < view->vcpu_max; c++) {
        if (view->n_cells && !random_percent(random, 2))
            lp_cpumask_add(&view->cells[in_turn ? c % view->n_cells
                                                : c * view->n_cells / view->vcpu_max].vcpus, c);
        if (c > 0 && !random_percent(random, density))
            continue;
        lp_cpumask_add(&view->plugged, c);
        if (c > 0 && !boot_only && random_percent(random, 85))
            lp_cpumask_add(&view->hotpluggable, c);
        if (c > 0 && random_percent(random, 25))
            lp_cpumask_add(&pcase->bounds.folded, c);
    }
    if (random_percent(random, 30))
        for (uint32_t c = 0; c < view->vcpu_max + 2; c++)
            if (random_percent(random, 30))
                lp_cpumask_add(&pcase->guest.leave, c);
    if (random_percent(random, 70))
        lp_cpumask_clear(&pcase->bounds.folded);
    /* One that has left late is still on record. */
    if (random_percent(random, 3))
        lp_cpumask_add(&pcase->bounds.folded, (unsigned) random_below(random, view->vcpu_max));
    lp_cpumask_first_n(&view->plugged_config, (unsigned) random_below(random, view->vcpu_max + 1));
    pcase->guest.connected = random_percent(random, 70);
    pcase->guest.online = view->plugged;
    for (unsigned c = 1; c < LP_MAX_CPUS && random_percent(random, 98); c++)
        if (lp_cpumask_has(&pcase->bounds.folded, c))
            lp_cpumask_remove(&pcase->guest.online, c);
}

static void
make_bounds(PlanCase *pcase, Random *random)
{
    LpBounds *bounds = &pcase->bounds;
    uint32_t granted = judge_granted(&pcase->view, &bounds->folded);
    uint64_t bytes = judge_requested(&pcase->view);
    uint64_t left = bytes - pcase->view.balloon_bytes;

    bounds->cpu_min = 1 + (uint32_t) random_below(random, granted);
    bounds->cpu_max = granted + (uint32_t) random_below(random, 8);
    bounds->mem_min_bytes = left - random_below(random, left / DIMM_UNIT) * DIMM_UNIT;
    if (bounds->mem_min_bytes == 0)
        bounds->mem_min_bytes = left;
    bounds->mem_max_bytes = bytes + random_below(random, 24) * DIMM_UNIT;
    if (random_percent(random, 8))
        bounds->cpu_min += 2;
    if (random_percent(random, 8))
        bounds->cpu_max = bounds->cpu_min;
    if (random_percent(random, 8))
        bounds->mem_min_bytes += DIMM_UNIT * random_below(random, 8);
    if (random_percent(random, 8))
        bounds->mem_max_bytes = bounds->mem_min_bytes;
    bounds->cpu_desired = random_percent(random, 60) ? granted : bounds->cpu_max;
    bounds->mem_desired_bytes = random_percent(random, 60) ? bytes : bounds->mem_min_bytes;
    bounds->entitled_centi = random_percent(random, 80)
                                 ? granted * 5 + (uint32_t) random_below(random, granted * 95 + 1)
                                 : (uint32_t) random_below(random, 2000);
    bounds->weight = 128;
    bounds->capped = random_percent(random, 40);
    bounds->shares = 1024;
}

static void
make_room(PlanCase *pcase, Random *random)
{
    static const int32_t nodes[] = {0, 1, 7, 63};
    const LpView *view = &pcase->view;
    LpRoom *room = &pcase->room;

    room->room_bytes = judge_requested(view);
    room->room_bytes += random_below(random, 48) * DIMM_UNIT;
    if (random_percent(random, 5))
        room->room_bytes = random_below(random, room->room_bytes);
    room->room_centi = (uint32_t) random_below(random, 3200);
    if (random_percent(random, 3))
        room->excess_bytes = MIB;
    if (random_percent(random, 15)) {
        pcase->bounds.limit_overhead_bytes = 320 * MIB;
        if (random_percent(random, 70))
            pcase->view.memory_limit_bytes = judge_requested(&pcase->view)
                                             + random_below(random, 640) * MIB + MIB;
    }
    room->n_nodes = (uint32_t) random_below(random, 5);
    for (uint32_t n = 0; n < room->n_nodes; n++) {
        room->node_id[n] = nodes[n];
        for (uint32_t i = 0; i < view->n_cells; i++)
            if (view->cells[i].home == nodes[n])
                room->node_room_bytes[n] += view->cells[i].base_bytes
                                            + view->cells[i].requested_bytes;
        room->node_room_bytes[n] += random_below(random, 24) * DIMM_UNIT;
    }
}

/* Four nodes, their processors and distances as on a machine of two boards. */
static const LpTopology *
the_topology(void)
{
    static const uint32_t ids[] = {0, 1, 7, 63};
    static const uint32_t far[4][4] = {
        {10, 16, 28, 28}, {16, 10, 28, 28}, {28, 28, 10, 16}, {28, 28, 16, 10},
    };
    static LpTopology topology;

    if (topology.n_nodes)
        return &topology;
    topology.n_nodes = 4;
    topology.n_cpus = 64;
    for (uint32_t n = 0; n < 4; n++) {
        topology.nodes[n].id = ids[n];
        topology.nodes[n].memory_bytes = 16 * GIB;
        for (unsigned c = 0; c < 16; c++)
            lp_cpumask_add(&topology.nodes[n].cpus, n * 16 + c);
        memcpy(topology.distance[n], far[n], sizeof far[n]);
    }
    return &topology;
}

/* Where it lies is anything at all: nothing here need fit the homes. */
static void
make_where(PlanCase *pcase, Random *random)
{
    static LpSpread cell_memory[LP_MAX_CELLS];
    static LpWhere the_where;
    LpWhere *where = &the_where;

    if (pcase->room.n_nodes < 4 || random_percent(random, 20))
        return;
    pcase->room.where = where;
    where->topology = the_topology();
    where->cell_memory = cell_memory;
    for (uint32_t n = 0; n < 4; n++) {
        where->cpus.on[n] = random_below(random, 3) * 1000;
        where->node_distance[n] = random_percent(random, 5)
                                      ? 0 : 1000 + (uint32_t) random_below(random, 19) * 100;
    }
    for (uint32_t i = 0; i < pcase->view.n_cells; i++) {
        where->cell_distance[i] = 1000 + (uint32_t) random_below(random, 19) * 100;
        for (uint32_t n = 0; n < 4; n++)
            cell_memory[i].on[n] = random_below(random, 3) * GIB;
    }
    pcase->view.has_pins = random_percent(random, 50);
}

static void
make_rule(PlanCase *pcase, Random *random)
{
    static const uint16_t ids[] = {0, 1, 5, 7, 63, 900};
    LpNumaRule *rule = &pcase->bounds.numa;

    if (random_percent(random, 60))
        return;
    rule->mode = (LpNumaMode) random_below(random, LP_NUMA_MODES);
    if (rule->mode != LP_NUMA_AUTO && rule->mode != LP_NUMA_KEEP)
        for (uint32_t i = 0; i < sizeof ids / sizeof *ids; i++)
            if (random_percent(random, 45))
                rule->node_id[rule->n_nodes++] = ids[i];
    if ((rule->mode == LP_NUMA_STRICT || rule->mode == LP_NUMA_PREFERRED) && rule->n_nodes == 0)
        rule->node_id[rule->n_nodes++] = 7;
    rule->floor = random_percent(random, 50) ? 1 + (uint32_t) random_below(random, 100) : 0;
    rule->floor_action = random_percent(random, 50) ? LP_FLOOR_WARN : LP_FLOOR_REFUSE;
}

static void
make_target(PlanCase *pcase, Random *random)
{
    const LpBounds *bounds = &pcase->bounds;
    LpTarget *target = &pcase->target;
    uint64_t now = judge_requested(&pcase->view), step = 2 * MIB;
    uint64_t span = bounds->mem_max_bytes > bounds->mem_min_bytes
                        ? bounds->mem_max_bytes - bounds->mem_min_bytes : 0;

    target->has_cpu = random_percent(random, 60);
    target->has_mem = random_percent(random, 60);
    target->has_capacity = random_percent(random, 25);
    target->cpu = bounds->cpu_min
                  + (uint32_t) random_below(random, bounds->cpu_max - bounds->cpu_min + 1);
    if (random_percent(random, 5))
        target->cpu = (uint32_t) random_below(random, pcase->view.vcpu_max + 3);
    step = random_percent(random, 50) ? DIMM_UNIT : 8 * MIB;
    target->mem_bytes = bounds->mem_min_bytes + random_below(random, span / step + 1) * step;
    if (random_percent(random, 10))
        target->mem_bytes = now;
    if (random_percent(random, 5))
        target->mem_bytes = random_below(random, bounds->mem_min_bytes / step + 1) * step;
    if (random_percent(random, 5))
        target->mem_bytes += 1 + random_below(random, DIMM_UNIT);
    target->entitled_centi = 5 + (uint32_t) random_below(random, 600);
    if (random_percent(random, 60))
        target->entitled_centi = target->cpu * 5
                                 + (uint32_t) random_below(random, target->cpu * 95 + 1);
    target->weight = (uint32_t) random_below(random, 256);
    target->capped = random_percent(random, 50);
    target->shares = 2 + random_below(random, 4096);
    pcase->options.live_only = random_percent(random, 20);
    pcase->options.via = random_percent(random, 60) ? LP_VIA_AUTO : (LpVia) random_below(random, 4);
    if (random_percent(random, 10)) {
        target->one_cell = true;
        target->cell = (uint32_t) random_below(random, pcase->view.n_cells + 1);
        pcase->options.via = LP_VIA_VIRTIO_MEM;
    }
}

void
plan_case_make(PlanCase *pcase, Random *random)
{
    static const uint64_t periods[] = {0, 100000, 50000, 1000000};
    LpView *view = &pcase->view;

    memset(pcase, 0, sizeof *pcase);
    make_memory(view, random);
    make_vcpus(pcase, random);
    view->run = random_percent(random, 90) ? LP_RUN_RUNNING : (LpRunState) random_below(random, 6);
    view->accel = (LpAccel) random_below(random, 4);
    view->persistent = random_percent(random, 90);
    view->cgroup = (LpCgroup) random_below(random, 3);
    view->numatune = (LpNumatune) random_below(random, 4);
    view->memory_locked = random_percent(random, 10);
    view->cpu_shares = random_percent(random, 50) ? 1024 : 77;
    view->global_period_usec = periods[random_below(random, 4)];
    view->global_quota_usec = random_percent(random, 60) ? -1
                                                         : (int64_t) random_below(random, 900000);
    make_bounds(pcase, random);
    make_room(pcase, random);
    make_where(pcase, random);
    make_rule(pcase, random);
    make_target(pcase, random);
}

void
plan_case_break(PlanCase *pcase, Random *random)
{
    LpView *view = &pcase->view;
    LpViewCell *cell = &view->cells[random_below(random, view->n_cells)];

    switch (random_below(random, 10)) {
    case 0:
        cell->requested_bytes = random_next(random);
        break;
    case 1:
        cell->device_bytes = random_next(random);
        break;
    case 2:
        cell->block_bytes = random_below(random, 3);
        break;
    case 3:
        view->base_bytes = random_next(random) >> random_below(random, 64);
        break;
    case 4:
        for (uint32_t i = 0; i < view->n_dimms; i++)
            view->dimms[i].cell = (uint32_t) random_next(random);
        break;
    case 5:
        lp_cpumask_clear(&view->plugged);
        break;
    case 6:
        pcase->bounds.folded.words[0] = random_next(random);
        break;
    case 7:
        view->max_memory_bytes = random_below(random, GIB);
        view->slots = 8;
        break;
    case 8:
        view->balloon_bytes = random_next(random);
        break;
    default:
        pcase->target.mem_bytes = random_next(random);
        pcase->bounds.mem_max_bytes = UINT64_MAX;
        break;
    }
}
