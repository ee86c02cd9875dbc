/* What a partition costs by itself: its distance, its cells' disagreement, its rule. */
#include "numa/layout-priv.h"

/* The part of an interleaved cell that may lie unevenly before it is put right: measured shares
 * have an error of this size (a few thousand pages are looked at). */
#define EVEN_ENOUGH (SHARE_ONE / 20)

/* A partition, gathered from its cells. */
typedef struct {
    uint64_t mem[LP_MAX_NODES], cpu[LP_MAX_NODES];
    LpNodeSet mem_set, cpu_set, homes;
    uint64_t unplaced, outside, uneven;        /* bytes */
    uint64_t doubled;         /* of cells whose main part is on another cell's node */
    uint64_t stray, apart;    /* of cells, not with the main part: memory; in place of vCPUs */
    uint64_t cpu_outside;     /* vCPUs, in SHARE_ONE */
} Gathered;

/* The part of a cell's vCPUs that is on the node, in SHARE_ONE. */
uint32_t
layout_cpu_share(const State *state, LpNodeSet cpus, uint32_t node)
{
    uint64_t sum = 0;
    uint32_t i;

    if (!(cpus & NODE_BIT(node)))
        return 0;
    if ((cpus & (cpus - 1)) == 0)
        return SHARE_ONE;
    if (cpus == state->all_cpus)
        sum = state->n_all_cpus;
    else
        FOR_NODES (i, cpus)
            sum += state->nodes[i].n_cpus;
    return (uint32_t) (((uint64_t) state->nodes[node].n_cpus << SHARE_SHIFT) / sum);
}

static void
gather_memory(Gathered *g, const PartState *part, const CellState *cell, const Spot *spot,
              const uint64_t *bytes)
{
    LpNodeSet mem = spot ? spot->mem : cell->mem, fresh = mem & ~g->mem_set;
    uint64_t even = 0, most = 0;
    uint32_t j;

    if (part->mode == LP_NUMA_INTERLEAVE)
        even = cell->bytes / (uint64_t) __builtin_popcountll(part->allowed | !part->allowed);
    FOR_NODES (j, fresh)
        g->mem[j] = 0;
    g->mem_set |= mem;
    FOR_NODES (j, mem) {
        g->mem[j] += bytes[j];
        most = max_u64(most, bytes[j]);
        if (!(part->allowed & NODE_BIT(j)))
            g->outside += bytes[j];
        else if (bytes[j] > even)
            g->uneven += bytes[j] - even;
    }
    g->stray += cell->bytes - min_u64(most, cell->bytes);
}

/* The cell's share in the second figure: whether its main part has a node to itself, and how
 * many of its vCPUs are there. */
static void
gather_home(const State *state, Gathered *g, const CellState *cell, int32_t home, LpNodeSet cpus)
{
    int32_t near = state->nodes[home].near;
    uint64_t apart;

    if (g->homes & NODE_BIT(home)) {
        g->doubled += cell->bytes;
        return;
    }
    g->homes |= NODE_BIT(home);
    if (cell->vcpus == 0 || near < 0)
        return;
    apart = SHARE_ONE - layout_cpu_share(state, cpus, (uint32_t) near);
    g->apart += (uint64_t) ((unsigned __int128) cell->bytes * apart >> SHARE_SHIFT);
}

static void
gather_cpus(const State *state, Gathered *g, const PartState *part, const CellState *cell,
            LpNodeSet cpus)
{
    LpNodeSet fresh = cpus & ~g->cpu_set;
    uint32_t i;

    FOR_NODES (i, fresh)
        g->cpu[i] = 0;
    g->cpu_set |= cpus;
    FOR_NODES (i, cpus) {
        uint64_t load = (uint64_t) cell->vcpus * layout_cpu_share(state, cpus, i);

        g->cpu[i] += load;
        if (!(part->allowed_cpus & NODE_BIT(i)))
            g->cpu_outside += load;
    }
}

static void
gather(const State *state, uint32_t index, uint32_t which, const Spot *spot, Gathered *g)
{
    const PartState *part = &state->parts[index];

    g->mem_set = g->cpu_set = g->homes = 0;
    g->unplaced = g->outside = g->uneven = g->doubled = g->stray = g->apart = 0;
    g->cpu_outside = 0;
    for (uint32_t c = part->first; c < part->first + part->n_cells; c++) {
        const CellState *cell = &state->cells[c];
        const Spot *at = spot && c == which ? spot : NULL;
        int32_t home = at ? at->home : cell->home;
        LpNodeSet cpus = at ? at->cpus : cell->cpus;

        if (home < 0) {
            g->unplaced += cell->bytes;
            continue;
        }
        gather_memory(g, part, cell, at, at ? at->bytes : state->bytes + (size_t) c * state->n);
        gather_cpus(state, g, part, cell, cpus);
        if (part->n_cells > 1)
            gather_home(state, g, cell, home, cpus);
    }
}

static inline uint64_t
share_of_bytes(const PartState *part, uint64_t bytes)
{
    return min_u64((uint64_t) ((unsigned __int128) bytes * part->inverse >> (63 - SHARE_SHIFT)),
                   SHARE_ONE);
}

/* What its score lacks, in SHARE_ONE. */
static uint64_t
find_loss(const State *state, const PartState *part, const Gathered *g)
{
    uint64_t sum = 0, loss, local;
    uint32_t i, j;

    if (part->best == LP_SCORE_NONE || part->best == 0 || state->span == 0)
        return 0;
    FOR_NODES (i, g->cpu_set) {
        uint64_t cpu = g->cpu[i] / part->vcpus, row = 0;

        FOR_NODES (j, g->mem_set) {
            if (state->extra[i][j])
                row += share_of_bytes(part, g->mem[j]) * state->extra[i][j];
        }
        sum += cpu * row >> SHARE_SHIFT;
    }
    loss = min_u64(sum / state->span, SHARE_ONE);
    if (part->best >= LP_SCORE_MAX)
        return loss;
    local = (SHARE_ONE - loss) * LP_SCORE_MAX / part->best;
    return local >= SHARE_ONE ? 0 : SHARE_ONE - local;
}

static inline int64_t
weigh(uint64_t weight, uint64_t share)
{
    return (int64_t) ((unsigned __int128) weight * share >> SHARE_SHIFT);
}

static uint64_t
find_breach(const PartState *part, const Gathered *g)
{
    uint64_t breach = share_of_bytes(part, g->outside);

    switch (part->mode) {
    case LP_NUMA_STRICT:
        /* A part of it on the nodes named is worth little while the rest cannot follow: then it is
         * better whole where it is, with its vCPUs. */
        if (breach)
            breach = SHARE_ONE / 2 + breach / 8;
        else if (part->vcpus)
            breach = g->cpu_outside / part->vcpus / 4;
        break;
    case LP_NUMA_INTERLEAVE: {
        uint64_t uneven = share_of_bytes(part, g->uneven);

        breach += uneven > EVEN_ENOUGH ? uneven : 0;
        break;
    }
    case LP_NUMA_SPREAD:
        breach += share_of_bytes(part, g->doubled) / 2;
        break;
    default:
        break;
    }
    return breach;
}

uint64_t
layout_part_breach(const State *state, uint32_t index)
{
    Gathered g;

    gather(state, index, 0, NULL, &g);
    return find_breach(&state->parts[index], &g);
}

int64_t
layout_part_cost(const State *state, uint32_t index, uint32_t cell, const Spot *spot)
{
    const PartState *part = &state->parts[index];
    Gathered g;
    uint64_t breach;
    int64_t cost;

    if (part->bytes == 0 && part->vcpus == 0)
        return 0;
    gather(state, index, cell, spot, &g);
    cost = weigh(part->loss_weight, find_loss(state, part, &g));
    /* A cell in two halves is what its guest cannot know of: kept together as by a rule. */
    if (part->n_cells > 1 && part->mode != LP_NUMA_INTERLEAVE)
        cost += weigh(part->agreement_weight,
                      min_u64(share_of_bytes(part, g.doubled) + share_of_bytes(part, g.apart) / 2,
                              SHARE_ONE)) +
                weigh(part->rule_weight, share_of_bytes(part, g.stray));
    breach = find_breach(part, &g);
    if (breach)
        cost += weigh(part->rule_weight, breach);
    if (g.unplaced)
        cost += weigh(part->unplaced_weight, share_of_bytes(part, g.unplaced));
    return cost;
}
