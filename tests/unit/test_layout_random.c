/* The layout of random hosts: what must hold of every one, and the exact search on tiny ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "layout_case.h"

#define CASES 500

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
    numa_host_random(&c->topology, chance, numa_random(chance, 10) ? 6 : 64);
    layout_case_random(c, chance, 12, numa_random(chance, 4) != 0);
}

/* The host's score may fall only where a rule is kept that was not before, for a partition that goes
 * before others, or where what is has no room. */
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

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layout),
    };

    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20261123;
    print_message("# seed %llu\n", (unsigned long long) seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
