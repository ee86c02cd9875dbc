/* The layout of random hosts: what must hold of every one, and the exact search on tiny ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "layout_case.h"

#define CASES 60

static uint64_t seed;

static LpLayout *
make(const LayoutCase *c, const LpLayoutOrder *order)
{
    LpLayout *layout = lp_layout_new();

    assert_true(lp_layout_make(&c->host, order, layout));
    return layout;
}

static void
random_case(LayoutCase *c, uint64_t *chance)
{
    memset(c, 0, sizeof(*c));
    numa_host_random(&c->topology, chance, numa_random(chance, 20) ? 6 : 64);
    layout_case_random(c, chance, 12, numa_random(chance, 4) != 0);
}

/* The host's score may fall only where a rule is kept that was not before, for a partition that
 * goes before others, or where what is has no room. */
static bool
may_fall(const LayoutCase *c, const LpLayout *layout)
{
    bool over = layout->unplaced_bytes > 0;

    for (uint32_t p = 0; p < c->host.n_partitions; p++) {
        if (c->parts[p].requested || (c->parts[p].rule.mode != LP_NUMA_AUTO &&
                                      c->parts[p].rule.mode != LP_NUMA_KEEP))
            return true;
    }
    for (uint32_t i = 0; i < c->host.n_cells; i++) {
        uint64_t sum = 0;

        for (uint32_t j = 0; j < c->topology.n_nodes && c->cells[i].now_bytes; j++)
            sum += c->cells[i].now_bytes[j];
        over |= sum < c->cells[i].bytes;
    }
    return over;
}

static void
test_every_layout(void **state)
{
    uint64_t chance = seed;
    LayoutCase *c = calloc(1, sizeof(*c));

    (void) state;
    for (uint32_t number = 0; number < CASES; number++) {
        LpLayoutOrder order = { 0 };
        LpLayout *layout;
        const char *fault;

        random_case(c, &chance);
        order.max_bytes = numa_random(&chance, 3) ? 0 : (1 + numa_random(&chance, 128)) * (GIB / 8);
        order.min_gain = numa_random(&chance, 3) ? 0 : (uint32_t) numa_random(&chance, 2000);
        layout = make(c, &order);
        fault = layout_case_judge(c, &order, layout);
        if (!fault)
            fault = layout_case_judge_moves(c, layout);
        if (!fault && !may_fall(c, layout) && layout->host < layout->host_now)
            fault = "the host is worse than it was";
        if (fault)
            fail_msg("case %u of seed %llu: %s", number, (unsigned long long) seed, fault);
        lp_layout_free(layout);
    }
    free(c);
}

/* The same partitions in another order, each with its cells. */
static void
shuffle(const LayoutCase *c, uint64_t *chance, LayoutCase *ret)
{
    uint32_t n = c->host.n_partitions, from[CASE_CELLS], cell = 0;

    *ret = *c;
    layout_case_rooms(ret);
    for (uint32_t p = 0; p < n; p++) {
        uint32_t k = (uint32_t) numa_random(chance, p + 1);

        from[p] = from[k];
        from[k] = p;
    }
    for (uint32_t p = 0; p < n; p++) {
        ret->parts[p] = c->parts[from[p]];
        ret->parts[p].first_cell = cell;
        for (uint32_t i = 0; i < ret->parts[p].n_cells; i++, cell++) {
            uint32_t old = c->parts[from[p]].first_cell + i;

            ret->cells[cell] = c->cells[old];
            memcpy(ret->now[cell], c->now[old], sizeof(ret->now[cell]));
            if (c->cells[old].now_bytes)
                ret->cells[cell].now_bytes = ret->now[cell];
        }
    }
}

static void
test_the_order_of_input_is_no_matter(void **state)
{
    uint64_t chance = seed + 1;
    LayoutCase *c = calloc(1, sizeof(*c)), *other = calloc(1, sizeof(*other));
    LpLayoutOrder order = { 0 };

    (void) state;
    for (uint32_t number = 0; number < CASES / 3; number++) {
        LpLayout *a, *b, *again;

        random_case(c, &chance);
        shuffle(c, &chance, other);
        order.max_bytes = numa_random(&chance, 2) ? 0 : 4 * GIB;
        order.min_gain = numa_random(&chance, 2) ? 0 : 300;
        a = make(c, &order);
        again = make(c, &order);
        b = make(other, &order);
        assert_memory_equal(a->bytes, again->bytes,
                            sizeof(*a->bytes) * a->n_cells * a->n_nodes);
        if (a->host != b->host || a->moved_bytes != b->moved_bytes ||
            lp_layout_cost(&c->host, a, NULL) != lp_layout_cost(&other->host, b, NULL))
            fail_msg("case %u of seed %llu: %u, %llu and %u, %llu", number,
                     (unsigned long long) seed, a->host, (unsigned long long) a->moved_bytes,
                     b->host, (unsigned long long) b->moved_bytes);
        lp_layout_free(a);
        lp_layout_free(b);
        lp_layout_free(again);
    }
    free(c);
    free(other);
}

/* ------------------------------------------------------------------ the exact search */

/* The least cost of all layouts with each cell whole on some node, or as it lies; `layout` is
 * any of the right size. */
static uint64_t
find_least(const LayoutCase *c, LpLayout *layout)
{
    uint32_t n = c->topology.n_nodes, n_cells = c->host.n_cells;
    uint64_t n_all = 1, least = UINT64_MAX;

    for (uint32_t i = 0; i < n_cells; i++)
        n_all *= n + 1;
    for (uint64_t k = 0; k < n_all; k++) {
        uint64_t rest = k, used[LP_MAX_NODES] = { 0 }, cost;
        bool fits = true;

        for (uint32_t i = 0; i < n_cells; i++, rest /= n + 1) {
            uint32_t to = (uint32_t) (rest % (n + 1)), most = 0;

            for (uint32_t j = 0; j < n; j++) {
                uint64_t here = to == n ? c->now[i][j] : j == to ? c->cells[i].bytes : 0;

                layout->bytes[i * n + j] = here;
                used[j] += here;
                most = c->now[i][j] > c->now[i][most] ? j : most;
            }
            layout->cpus[i] = lp_score_cpu_nodes(&c->topology, 1ULL << (to == n ? most : to));
        }
        for (uint32_t j = 0; j < n; j++)
            fits = fits && used[j] <= c->host.nodes[j].room_bytes;
        cost = fits ? lp_layout_cost(&c->host, layout, NULL) : UINT64_MAX;
        least = cost < least ? cost : least;
    }
    return least;
}

static void
test_tiny_hosts_are_laid_out_best(void **state)
{
    uint64_t chance = seed + 2;
    LayoutCase *c = calloc(1, sizeof(*c));
    LpLayoutOrder order = { 0 };

    (void) state;
    for (uint32_t number = 0; number < 24; number++) {
        uint32_t n_parts = 2 + (uint32_t) numa_random(&chance, 4), n;
        LpLayout *layout, *any;
        uint64_t least, mine;

        memset(c, 0, sizeof(*c));
        n = 2 + (uint32_t) numa_random(&chance, 2);
        layout_case_init(c, n, 16 * GIB, 8, 20);
        numa_host_distance(&c->topology, 0, n - 1, 32);
        for (uint32_t p = 0; p < n_parts; p++) {
            uint64_t bytes = (1 + numa_random(&chance, 120 * n / n_parts)) * (GIB / 4);
            uint32_t node = (uint32_t) numa_random(&chance, n);

            layout_case_add(c, bytes, 1 + (uint32_t) numa_random(&chance, 5), (int32_t) node);
            layout_case_lies(c, p, (node + 1) % n, bytes / (1 + numa_random(&chance, 4)));
            c->cells[p].max_bytes = bytes + numa_random(&chance, 2) * bytes;
            c->cells[p].now_cpus = 1ULL << numa_random(&chance, n);
        }
        layout = make(c, &order);
        any = make(c, &order);
        mine = lp_layout_cost(&c->host, layout, NULL);
        least = find_least(c, any);
        /* By no more than two fifths of a point. */
        if (least != UINT64_MAX && layout->unplaced_bytes == 0 && mine > least + 400)
            fail_msg("case %u of seed %llu: %llu, but %llu is possible", number,
                     (unsigned long long) seed, (unsigned long long) mine,
                     (unsigned long long) least);
        lp_layout_free(layout);
        lp_layout_free(any);
    }
    free(c);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layout),
        cmocka_unit_test(test_the_order_of_input_is_no_matter),
        cmocka_unit_test(test_tiny_hosts_are_laid_out_best),
    };

    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20261123;
    print_message("# seed %llu\n", (unsigned long long) seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
