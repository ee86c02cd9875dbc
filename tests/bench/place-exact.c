/* The exact optimum of a small host, by branch and bound over every place of every cell.
 *
 * It reckons costs with the layout's own State (numa/layout-priv.h), cell by cell, and shares
 * nothing of its search: a cell's options are all divisions of its memory among the nodes in whole
 * units, each with every set of nodes with processors.  What the cells that stand cost their
 * partitions, and the crowding and the lack of growth on the nodes, can only become more as others
 * are added: that is the bound. */
#include <stdlib.h>
#include <string.h>

#include "numa/layout-priv.h"
#include "tests/bench/place-world.h"

/* More than these of one cell are not searched. */
#define MAX_OPTIONS 40000

typedef struct {
    int64_t alone;            /* what it costs its partition at least */
    LpNodeSet mem, cpus;
    uint16_t units[8];        /* by node; the rest of the last unit goes with `rest` */
    int32_t rest;
} Option;

typedef struct {
    State *state;
    const Picture *picture;
    uint64_t unit;
    uint32_t n_cells, *order;
    Option **options;
    uint32_t *n_options;
    int64_t best;
    uint64_t looked, most_looks;
} ExactSearch;

static void
make_spot(const ExactSearch *search, uint32_t cell, const Option *option, Spot *spot)
{
    uint64_t most = 0;

    spot->mem = option->mem;
    spot->cpus = option->cpus;
    spot->home = -1;
    for (uint32_t i = 0; i < search->state->n; i++) {
        if (!(option->mem & NODE_BIT(i)))
            continue;
        spot->bytes[i] = option->units[i] * search->unit;
        if (option->rest == (int32_t) i)
            spot->bytes[i] += search->state->cells[cell].bytes % search->unit;
        if (spot->bytes[i] > most) {
            most = spot->bytes[i];
            spot->home = (int32_t) i;
        }
    }
}

static void
add_option(ExactSearch *search, uint32_t cell, const uint16_t *units, int32_t rest, LpNodeSet cpus)
{
    Option *option = &search->options[cell][search->n_options[cell]++];

    *option = (Option) { .cpus = cpus, .rest = rest };
    for (uint32_t i = 0; i < search->state->n; i++) {
        option->units[i] = units[i];
        if (units[i] > 0 || rest == (int32_t) i)
            option->mem |= NODE_BIT(i);
    }
}

/* All ways to lay `left` units on the nodes from `node` on; false: there are too many. */
static bool
divide(ExactSearch *search, uint32_t cell, uint16_t *units, uint32_t node, uint64_t left)
{
    const State *state = search->state;

    if (node + 1 < state->n) {
        for (uint64_t k = 0; k <= left && k * search->unit <= state->nodes[node].room; k++) {
            units[node] = (uint16_t) k;
            if (!divide(search, cell, units, node + 1, left - k))
                return false;
        }
        units[node] = 0;
        return true;
    }
    units[node] = (uint16_t) left;
    for (int32_t rest = 0; rest < (int32_t) state->n; rest++) {
        bool has_rest = state->cells[cell].bytes % search->unit > 0;

        if (!has_rest && rest > 0)
            break;
        for (LpNodeSet cpus = 1; cpus <= state->all_cpus; cpus++) {
            if (cpus & ~state->all_cpus)
                continue;
            if (search->n_options[cell] == MAX_OPTIONS)
                return false;
            add_option(search, cell, units, has_rest ? rest : -1, cpus);
        }
    }
    units[node] = 0;
    return true;
}

static int
by_cost(const void *first, const void *second)
{
    const Option *a = first, *b = second;

    return a->alone < b->alone ? -1 : a->alone > b->alone;
}

static bool
find_options(ExactSearch *search, uint32_t cell)
{
    State *state = search->state;
    uint16_t units[8] = { 0 };
    uint32_t n = 0;

    if (!divide(search, cell, units, 0, state->cells[cell].bytes / search->unit))
        return false;
    for (uint32_t k = 0; k < search->n_options[cell]; k++) {
        Option *option = &search->options[cell][k];
        Spot spot;

        make_spot(search, cell, option, &spot);
        if (spot.home < 0 || !layout_fits(state, cell, &spot))
            continue;
        layout_put(state, cell, &spot);
        option->alone = state->parts[state->cells[cell].part].cost;
        layout_remove(state, cell);
        search->options[cell][n++] = *option;
    }
    search->n_options[cell] = n;
    qsort(search->options[cell], n, sizeof(Option), by_cost);
    return true;
}

/* What the nodes cost already and cannot cost less. */
static int64_t
nodes_bound(const State *state)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < state->n; i++) {
        const NodeState *node = &state->nodes[i];
        uint64_t left = node->used < node->room ? node->room - node->used : 0;
        unsigned __int128 cost = 0;

        if (node->load > node->level)
            cost += (node->load - node->level) * state->per_load;
        if (node->centi > node->level_centi)
            cost += (node->centi - node->level_centi) * state->per_centi;
        if (node->growth > left)
            cost += (node->growth - left) * state->per_growth;
        sum += (int64_t) (cost >> 64);
    }
    return sum;
}

static void
place_next(ExactSearch *search, uint32_t at, int64_t parts_cost)
{
    State *state = search->state;
    uint32_t cell;

    if (at == search->n_cells) {
        if (state->cost < search->best)
            search->best = state->cost;
        return;
    }
    cell = search->order[at];
    for (uint32_t k = 0; k < search->n_options[cell] && search->looked < search->most_looks; k++) {
        const Option *option = &search->options[cell][k];
        uint32_t part = state->cells[cell].part;
        int64_t before = state->parts[part].cost, now;
        Spot spot;

        if (parts_cost + option->alone >= search->best)
            break;
        make_spot(search, cell, option, &spot);
        if (!layout_fits(state, cell, &spot))
            continue;
        search->looked++;
        layout_put(state, cell, &spot);
        now = parts_cost + state->parts[part].cost - before;
        if (now + nodes_bound(state) < search->best)
            place_next(search, at + 1, now);
        layout_remove(state, cell);
    }
}

/* The biggest partitions first, and the cells of each together. */
static void
order_cells(ExactSearch *search)
{
    const State *state = search->state;

    for (uint32_t c = 0; c < search->n_cells; c++) {
        uint64_t bytes = state->parts[state->cells[c].part].bytes;
        uint32_t at = c;

        for (; at > 0; at--) {
            uint32_t before = search->order[at - 1];

            if (state->parts[state->cells[before].part].bytes >= bytes)
                break;
            search->order[at] = before;
        }
        search->order[at] = c;
    }
}

/* What does not stand costs nothing here, for the bound is of what does; and where only the score
 * and the processors count, neither do halves of cells. */
static State *
make_state(const LpLayoutHost *host, bool score)
{
    LpLayoutWeights weights = { .locality = lp_layout_weights.locality,
                                .crowding = lp_layout_weights.crowding };
    State *state = layout_state_new(host, score ? &weights : NULL);

    for (uint32_t p = 0; p < state->n_parts; p++) {
        state->cost -= state->parts[p].cost;
        state->parts[p].unplaced_weight = 0;
        if (score)
            state->parts[p].rule_weight = 0;
        state->parts[p].cost = layout_part_cost(state, p, 0, NULL);
        state->cost += state->parts[p].cost;
    }
    return state;
}

uint64_t
exact_cost(const World *world, bool score)
{
    uint32_t n = world->topology->n_nodes;
    Picture picture;
    State *state;
    int64_t cost;

    picture_make(world, false, &picture);
    state = make_state(&picture.host, score);
    for (uint32_t at = 0; at < picture.host.n_cells; at++) {
        const Cell *cell = &world->parts[picture.part[at]].cells[picture.cell[at]];
        Spot spot = { .home = -1 };

        for (uint32_t i = 0; i < n; i++) {
            spot.bytes[i] = cell->on[i];
            if (cell->on[i] == 0)
                continue;
            spot.mem |= NODE_BIT(i);
            if (spot.home < 0 || cell->on[i] > cell->on[spot.home])
                spot.home = (int32_t) i;
        }
        spot.cpus = cell->cpus ? cell->cpus : state->all_cpus;
        layout_put(state, at, &spot);
    }
    cost = state->cost;
    layout_state_free(state);
    picture_clear(&picture);
    return cost > 0 ? (uint64_t) cost >> COST_SHIFT : 0;
}

Exact
exact_search(const World *world, bool score, uint64_t unit, uint64_t bound, uint64_t most_looks)
{
    Picture picture;
    ExactSearch search = { .unit = unit, .most_looks = most_looks,
                      .best = (int64_t) ((bound + 1) << COST_SHIFT) };
    Exact ret = { .proven = world->topology->n_nodes <= 8 };

    picture_make(world, false, &picture);
    search.n_cells = picture.host.n_cells;
    search.picture = &picture;
    search.state = make_state(&picture.host, score);
    search.order = calloc(search.n_cells + 1, sizeof(*search.order));
    search.options = calloc(search.n_cells + 1, sizeof(*search.options));
    search.n_options = calloc(search.n_cells + 1, sizeof(*search.n_options));
    for (uint32_t c = 0; c < search.n_cells; c++) {
        search.options[c] = calloc(MAX_OPTIONS, sizeof(Option));
        ret.proven = ret.proven && find_options(&search, c);
    }
    order_cells(&search);
    if (ret.proven)
        place_next(&search, 0, 0);
    ret.proven = ret.proven && search.looked < most_looks;
    ret.looked = search.looked;
    ret.cost = (uint64_t) search.best >> COST_SHIFT;
    ret.cost = ret.cost < bound ? ret.cost : bound;
    for (uint32_t c = 0; c < search.n_cells; c++)
        free(search.options[c]);
    free(search.options);
    free(search.n_options);
    free(search.order);
    layout_state_free(search.state);
    picture_clear(&picture);
    return ret;
}
