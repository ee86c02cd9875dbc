/* Sharing among random claims: what must hold of every result, whatever the figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/share.h"

#define CASES 400000
#define DEFAULT_SEED 20261123u
#define CLAIMS_MAX 400
#define GROUPS_MAX 4

#if defined(__SANITIZE_ADDRESS__)
/* Sanitizers cost a factor of several, and the suite has seconds. */
#define SLOWNESS 8
#else
#define SLOWNESS 1
#endif

__extension__ typedef unsigned __int128 Wide;

typedef struct {
    size_t n, n_groups;
    LpClaim claims[CLAIMS_MAX];
    LpShareGroup groups[GROUPS_MAX];
    uint64_t capacity, quantum, left;
} Case;

/* What the checks say of a result, in quanta. */
typedef struct {
    uint64_t base[CLAIMS_MAX], held[CLAIMS_MAX];
    bool bases_fit, group_full[GROUPS_MAX], group_bases_fit[GROUPS_MAX];
    bool reserves;
} Sums;

static uint64_t seed, state;

static uint64_t
next(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static uint64_t
below(uint64_t n)
{
    return n ? next() % n : 0;
}

static bool
percent(unsigned p)
{
    return below(100) < p;
}

/* An amount in the manner of the case: small numbers meet their edges, large ones overflow. */
static uint64_t
amount(unsigned kind, uint64_t most)
{
    static const uint64_t edges[] = { 0, 1, UINT32_MAX, 1ULL << 63, UINT64_MAX - 1, UINT64_MAX };

    if (kind == 3 && percent(50))
        return edges[below(6)];
    return kind == 3 ? next() >> below(64) : below(most + 1);
}

static void
make_case(Case *c)
{
    static const uint64_t mosts[] = { 6, 60, 1ULL << 36, 0 };
    unsigned kind = percent(4) ? 3 : (unsigned) below(3);
    uint64_t most = mosts[kind];
    uint32_t priorities = percent(50) ? 1 : (uint32_t) below(kind == 3 ? UINT32_MAX : 8) + 1;
    uint32_t weights = percent(30) ? 2 : kind == 3 ? UINT32_MAX : 256;

    c->n = 1 + (percent(99) ? below(7) : below(CLAIMS_MAX));
    c->n_groups = percent(50) ? 0 : below(GROUPS_MAX + 1);
    c->quantum = percent(60) ? below(2) : 1 + amount(kind, most) / (percent(50) ? 8 : 1);
    for (size_t i = 0; i < c->n; i++) {
        LpClaim *claim = &c->claims[i];

        *claim = (LpClaim) { .key = percent(50) ? i : next() * 2 + (i & 1) };
        for (size_t k = 0; k < i; k++)
            if (c->claims[k].key == claim->key)
                claim->key = i + 1000000;
        claim->floor = percent(50) ? 0 : amount(kind, most / 3);
        claim->entitled = amount(kind, most);
        claim->want = percent(80) ? amount(kind, most) : amount(kind, most) * 8;
        claim->weight = (uint32_t) (percent(10) ? 0 : below(weights));
        claim->priority = (uint32_t) below(priorities);
        claim->group = percent(50) ? LP_SHARE_ALONE : (uint32_t) below(GROUPS_MAX + 1);
    }
    for (size_t i = 0; i < c->n_groups; i++)
        c->groups[i] = (LpShareGroup) { .reserved = percent(50) ? 0 : amount(kind, most),
                                        .max = percent(20) ? UINT64_MAX
                                                           : amount(kind, most * c->n / 2) };
    c->capacity = amount(kind, most * (c->n + 1) / (1 + below(3)));
}

static void
print_case(const Case *c)
{
    print_message("# capacity %llu quantum %llu left %llu\n", (unsigned long long) c->capacity,
                  (unsigned long long) c->quantum, (unsigned long long) c->left);
    for (size_t i = 0; i < c->n_groups; i++)
        print_message("# group %zu: reserved %llu max %llu given %llu\n", i,
                      (unsigned long long) c->groups[i].reserved,
                      (unsigned long long) c->groups[i].max,
                      (unsigned long long) c->groups[i].given);
    for (size_t i = 0; i < c->n && i < 20; i++) {
        const LpClaim *x = &c->claims[i];

        print_message("# key %llu: floor %llu entitled %llu want %llu weight %u priority %u "
                      "group %d given %llu\n", (unsigned long long) x->key,
                      (unsigned long long) x->floor, (unsigned long long) x->entitled,
                      (unsigned long long) x->want, x->weight, x->priority, (int) x->group,
                      (unsigned long long) x->given);
    }
}

/* Names the case that breaks a property: its number with the seed makes it again. */
#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            print_message("# case %u: %s\n", number, #condition); \
            print_case(c); \
            fail_msg("a property does not hold"); \
        } \
    } while (0)

static uint64_t
want_of(const LpClaim *claim)
{
    return claim->want > claim->floor ? claim->want : claim->floor;
}

static uint64_t
quantum_of(const Case *c)
{
    return c->quantum ? c->quantum : 1;
}

static int
group_of(const Case *c, size_t i)
{
    return c->claims[i].group < c->n_groups ? (int) c->claims[i].group : -1;
}

/* Each within its own bounds; all within the capacity, and a pool within its maximum, but for what
 * cannot be taken. */
static void
check_bounds(const Case *c, Sums *sums, unsigned number)
{
    Wide floors = 0, given = 0, bases = 0;
    uint64_t q = quantum_of(c);

    memset(sums, 0, sizeof *sums);
    sums->bases_fit = true;
    for (int g = -1; g < (int) c->n_groups; g++) {
        Wide group_floors = 0, group_given = 0, group_bases = 0, room = 0;

        for (size_t i = 0; i < c->n; i++) {
            const LpClaim *x = &c->claims[i];
            uint64_t base = x->entitled < want_of(x) ? x->entitled : want_of(x);

            if (group_of(c, i) != g)
                continue;
            sums->base[i] = base > x->floor ? (base - x->floor) / q : 0;
            CHECK(x->given >= x->floor && x->given <= want_of(x));
            CHECK((x->given - x->floor) % q == 0);
            CHECK(x->rationed == (want_of(x) - x->given >= q));
            sums->held[i] = (x->given - x->floor) / q;
            group_floors += x->floor;
            group_given += x->given;
            group_bases += sums->base[i];
        }
        floors += group_floors;
        given += group_given;
        if (g >= 0) {
            const LpShareGroup *group = &c->groups[g];

            if (group->max > group_floors)
                room = (group->max - group_floors) / q;
            CHECK(group_given <= group->max || group_given == group_floors ||
                  group->max == UINT64_MAX);
            CHECK(group->given == (group_given > UINT64_MAX ? UINT64_MAX : group_given));
            sums->group_full[g] = group_given + q > group->max;
            sums->group_bases_fit[g] = group->max == UINT64_MAX || group_bases <= room;
            sums->reserves |= group->reserved > 0;
            if (!sums->group_bases_fit[g])
                group_bases = room;
        }
        bases += group_bases;
    }
    CHECK(given <= c->capacity || given == floors);
    CHECK(c->left == (given < c->capacity ? c->capacity - given : 0));
    sums->bases_fit = bases <= (floors < c->capacity ? (c->capacity - floors) / q : 0);
}

/* Nobody is below what it is entitled to while somebody else is above, within the pool whose
 * maximum is the reason, or anywhere. */
static void
check_entitlement(const Case *c, const Sums *sums, unsigned number)
{
    for (size_t i = 0; i < c->n; i++) {
        int g = group_of(c, i);

        if (g >= 0 && !sums->group_bases_fit[g])
            CHECK(sums->held[i] <= sums->base[i]);
        else if (sums->bases_fit)
            CHECK(sums->held[i] >= sums->base[i]);
        if (!sums->bases_fit)
            CHECK(sums->held[i] <= sums->base[i]);
    }
}

/* Nothing is left that somebody wants and may have. */
static void
check_pareto(const Case *c, const Sums *sums, unsigned number)
{
    for (size_t i = 0; i < c->n; i++) {
        int g = group_of(c, i);

        CHECK(!c->claims[i].rationed || c->left < quantum_of(c) ||
              (g >= 0 && sums->group_full[g]));
    }
}

/* Of weight 0 is behind everybody. */
static int
compare_ranks(const LpClaim *a, const LpClaim *b)
{
    if (!a->weight != !b->weight)
        return a->weight ? 1 : -1;
    return (a->priority > b->priority) - (a->priority < b->priority);
}

/* A quantum of j's would make i, which wants it, no better off than j then is: weighted max-min. */
static void
check_spare_pair(const Case *c, const Sums *sums, size_t i, size_t j, unsigned number)
{
    const LpClaim *a = &c->claims[i], *b = &c->claims[j];
    uint64_t slack = sums->reserves ? 2 : 1;
    Wide have = (Wide) sums->held[i] - sums->base[i] + slack;
    Wide other = (Wide) sums->held[j] - sums->base[j];
    int rank = compare_ranks(a, b);

    if (rank > 0)
        CHECK(other == 0);
    if (rank == 0 && other > slack)
        CHECK(have * (b->weight ? b->weight : 1) > (other - slack) * (a->weight ? a->weight : 1));
}

/* Where not even the bases fit, what there is beyond the floors is in proportion. */
static void
check_base_pair(const Case *c, const Sums *sums, size_t i, size_t j, unsigned number)
{
    if (sums->held[j] > 1)
        CHECK((Wide) (sums->held[i] + 1) * sums->base[j] >
              (Wide) (sums->held[j] - 1) * sums->base[i]);
}

static void
check_pairs(const Case *c, const Sums *sums, unsigned number)
{
    size_t step = c->n > 50 ? 7 : 1;

    for (size_t i = 0; i < c->n; i++) {
        for (size_t j = 0; j < c->n; j += step) {
            int g = group_of(c, i), h = group_of(c, j);

            if (i == j || (!sums->bases_fit && (g >= 0 || h >= 0)))
                continue;
            if (!sums->bases_fit) {
                if (sums->base[i])
                    check_base_pair(c, sums, i, j, number);
                continue;
            }
            if (g >= 0 && !sums->group_bases_fit[g])
                continue;
            if (c->claims[i].rationed && sums->held[j] > sums->base[j] &&
                (g == h || (!sums->reserves && (g < 0 || !sums->group_full[g]))))
                check_spare_pair(c, sums, i, j, number);
        }
    }
}

/* A pool has what it reserved, as far as it is wanted, when the host has that. */
static void
check_reserves(const Case *c, const Sums *sums, unsigned number)
{
    uint64_t q = quantum_of(c);
    Wide due[GROUPS_MAX] = { 0 }, got[GROUPS_MAX] = { 0 }, all = 0, spare = c->capacity;

    for (size_t i = 0; i < c->n; i++) {
        Wide held = c->claims[i].floor + (Wide) sums->base[i] * q;

        if (!sums->bases_fit || !sums->reserves)
            return;
        for (size_t g = 0; g < c->n_groups; g++)
            if (!sums->group_bases_fit[g])
                return;
        spare = spare > held ? spare - held : 0;
    }
    for (size_t g = 0; g < c->n_groups; g++) {
        Wide room = c->groups[g].max, wanted = 0;

        for (size_t i = 0; i < c->n; i++) {
            Wide held = c->claims[i].floor + (Wide) sums->base[i] * q;

            if (group_of(c, i) != (int) g)
                continue;
            room = room > held ? room - held : 0;
            wanted += (want_of(&c->claims[i]) - held) / q;
            got[g] += sums->held[i] - sums->base[i];
        }
        due[g] = c->groups[g].reserved / q;
        due[g] = due[g] < wanted ? due[g] : wanted;
        if (c->groups[g].max != UINT64_MAX)
            due[g] = due[g] < room / q ? due[g] : room / q;
        all += due[g];
    }
    for (size_t g = 0; g < c->n_groups; g++)
        CHECK(all > spare / q || got[g] >= due[g]);
}

static void
run(Case *c)
{
    c->left = lp_share(c->claims, c->n, c->groups, c->n_groups, c->capacity, c->quantum);
}

/* The same claims in another order have the same. */
static void
check_order(Case *c, unsigned number)
{
    static Case other;
    uint16_t place[CLAIMS_MAX];

    other = *c;
    for (size_t i = 0; i < c->n; i++)
        place[i] = (uint16_t) i;
    for (size_t i = c->n; i > 1; i--) {
        size_t k = below(i);
        uint16_t swapped = place[i - 1];

        place[i - 1] = place[k];
        place[k] = swapped;
    }
    for (size_t i = 0; i < c->n; i++)
        other.claims[i] = c->claims[place[i]];
    run(&other);
    CHECK(other.left == c->left);
    for (size_t i = 0; i < c->n; i++)
        CHECK(other.claims[i].given == c->claims[place[i]].given);
}

/* More weight is never less. */
static void
check_weight(Case *c, unsigned number)
{
    static Case other;
    size_t i = below(c->n);

    other = *c;
    if (other.claims[i].weight == UINT32_MAX)
        return;
    other.claims[i].weight += (uint32_t) below(UINT32_MAX - other.claims[i].weight) >> below(32);
    run(&other);
    if (other.claims[i].given < c->claims[i].given)
        print_message("# weight of key %llu made %u: given %llu\n",
                      (unsigned long long) c->claims[i].key, other.claims[i].weight,
                      (unsigned long long) other.claims[i].given);
    CHECK(other.claims[i].given >= c->claims[i].given);
}

static void
test_every_share(void **unused)
{
    static Case one;
    static Sums sums;
    Case *c = &one;
    unsigned n_fit = 0, n_spare = 0, n_rationed = 0, n_pools = 0;

    (void) unused;
    for (unsigned number = 0; number < CASES / SLOWNESS; number++) {
        bool rationed = false;

        state = seed + number;
        make_case(c);
        run(c);
        check_bounds(c, &sums, number);
        check_entitlement(c, &sums, number);
        check_pareto(c, &sums, number);
        check_pairs(c, &sums, number);
        check_reserves(c, &sums, number);
        check_order(c, number);
        check_weight(c, number);
        for (size_t i = 0; i < c->n; i++)
            rationed |= c->claims[i].rationed;
        n_fit += !rationed;
        n_spare += rationed && sums.bases_fit;
        n_rationed += !sums.bases_fit;
        for (size_t g = 0; g < c->n_groups; g++)
            n_pools += sums.group_full[g];
    }
    print_message("# %u cases: %u fit, %u share spare, %u bases; %u full pools\n",
                  CASES / SLOWNESS, n_fit, n_spare, n_rationed, n_pools);
    /* The cases must reach what they are meant to test. */
    assert_true(n_fit > CASES / SLOWNESS / 10);
    assert_true(n_spare > CASES / SLOWNESS / 10);
    assert_true(n_rationed > CASES / SLOWNESS / 10);
    assert_true(n_pools > CASES / SLOWNESS / 10);
}

/* The order of donors is that of their prices, for any figures; and a total one. */
static void
test_every_order_of_donors(void **unused)
{
    (void) unused;
    for (unsigned number = 0; number < CASES / SLOWNESS / 8; number++) {
        LpDonor donors[12], again[12];
        size_t n = 1 + below(12);
        uint32_t tax;

        state = ~seed + number;
        n = 1 + below(12);
        tax = (uint32_t) below(10001);
        for (size_t i = 0; i < n; i++)
            donors[i] = (LpDonor) { .key = i * 7, .weight = (uint32_t) amount(3, 0),
                                    .size = amount(3, 0), .active = amount(3, 0), .index = i };
        for (size_t i = 0; i < n; i++)
            again[i] = donors[n - 1 - i];
        lp_share_sort_donors(donors, n, tax);
        lp_share_sort_donors(again, n, tax);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(donors[i].index, again[i].index);
        for (size_t i = 1; i < n; i++) {
            const LpDonor *a = &donors[i - 1], *b = &donors[i];
            Wide cost_a = (Wide) a->size * 10000 -
                          (Wide) (a->active < a->size ? a->active : a->size) * tax;
            Wide cost_b = (Wide) b->size * 10000 -
                          (Wide) (b->active < b->size ? b->active : b->size) * tax;

            if (cost_a && cost_b && a->weight * cost_b > b->weight * cost_a) {
                print_message("# case %u\n", number);
                fail_msg("a dearer donor is first");
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_share),
        cmocka_unit_test(test_every_order_of_donors),
    };
    const char *text = getenv("LPARD_SEED");

    seed = text ? strtoull(text, NULL, 0) : DEFAULT_SEED;
    printf("# LPARD_SEED=%llu\n", (unsigned long long) seed);
    return cmocka_run_group_tests_name("share_random", tests, NULL, NULL);
}
