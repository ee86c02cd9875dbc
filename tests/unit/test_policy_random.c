/* The policy in random worlds: partitions that want this and that, resizes that take time and
 * fail, guests that refuse or fall silent.  What must hold after every tick, and over time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/calm.h"
#include "policy/policy.h"

#define MIB (1ULL << 20)
#define BLOCK (2 * MIB)
/* Ticks, each a case; LP_CASES in the environment overrides. */
#define CASES 700000
#define DEFAULT_SEED 20261123u
#define PARTITIONS 10
#define NODES 3
#define TICKS 400
/* Until all that is owed must have been given: longer than the pause after a failure. */
#define SETTLE 150
#define TURNS_KEPT 256

#if defined(__SANITIZE_ADDRESS__)
#define SLOWNESS 8
#else
#define SLOWNESS 1
#endif

typedef struct {
    uint64_t used, going_to;       /* a resize is under way: what it ends with */
    int left;                      /* ticks until it ends; 0: none */
    bool ends_short, stale, sawtooth;
    int direction;                 /* of the last change seen: -1, 0, 1 */
    int64_t turns[TURNS_KEPT];     /* when it turned; the last ones */
    size_t n_turns;
    int64_t failed_msec;           /* when a shrink last failed */
    uint32_t failures;
} Guest;

typedef struct {
    LpPolicyHost host;
    size_t n;
    LpPolicyPartition partitions[PARTITIONS];
    LpPolicyState states[PARTITIONS];
    LpDecision decisions[PARTITIONS];
    Guest guests[PARTITIONS];
    int step_sec;
    bool settling;
} World;

static uint64_t seed, state;
static unsigned n_grown, n_shrunk, n_owed, n_turned, n_failed, n_world;
static LpPolicy *policy;

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
    return n != 0 ? next() % n : 0;
}

static bool
chance(unsigned percent)
{
    return below(100) < percent;
}

static uint64_t
quantum(const LpPolicyPartition *p)
{
    return p->block_bytes * p->n_cells;
}

static uint64_t
part_on(const LpPolicyPartition *p, uint32_t node, uint64_t bytes)
{
    uint64_t cells = 0;

    for (uint32_t c = 0; c < p->n_cells; c++)
        cells += p->cell_node[c] == node;
    return bytes / p->n_cells * cells;
}

static void
make_partition(World *world, size_t i)
{
    LpPolicyPartition *p = &world->partitions[i];
    Guest *guest = &world->guests[i];
    uint64_t q;

    *p = (LpPolicyPartition){
        .key = 1 + i * 1000003 + below(1000), .mode = LP_MODE_AUTO, .goal = (LpGoal)below(LP_GOALS),
        .priority = (uint32_t)below(3), .weight = (uint32_t)(chance(10) ? 0 : 1 + below(255)),
        .cpu_min = 1, .cpu_max = 1 + (uint32_t)below(8), .entitled_centi = 10,
        .pool = LP_NO_POOL, .block_bytes = BLOCK, .n_cells = 1 + (uint32_t)below(3),
        .granted_cpus = 1, .granted_centi = 100,
    };
    q = quantum(p);
    for (uint32_t c = 0; c < p->n_cells; c++)
        p->cell_node[c] = (uint8_t)below(world->host.n_nodes);
    p->mem_min_bytes = q * (1 + below(64));
    p->mem_max_bytes = p->mem_min_bytes + q * below(1000);
    p->entitled_bytes = chance(50) ? 0 : p->mem_min_bytes + q * below(300);
    if (p->entitled_bytes > p->mem_max_bytes)
        p->entitled_bytes = p->mem_max_bytes;
    p->granted_bytes = p->mem_min_bytes + q * below((p->mem_max_bytes - p->mem_min_bytes) / q + 1);
    if (chance(5))
        p->mode = chance(50) ? LP_MODE_OFF : LP_MODE_ADVISE;
    guest->used = below(p->granted_bytes);
    guest->sawtooth = chance(40);
}

static uint64_t
owed_to(const LpPolicyPartition *p)
{
    return p->entitled_bytes > p->mem_min_bytes ? p->entitled_bytes : p->mem_min_bytes;
}

/* Room for all that is granted and for all entitlements, as admission sees to. */
static void
make_host(World *world)
{
    LpPolicyHost *host = &world->host;

    for (uint32_t j = 0; j < host->n_nodes; j++) {
        uint64_t granted = 0, owed = 0;

        for (size_t i = 0; i < world->n; i++) {
            const LpPolicyPartition *p = &world->partitions[i];
            uint64_t most = p->mode == LP_MODE_AUTO ? owed_to(p) : p->granted_bytes;

            granted += part_on(p, j, p->granted_bytes);
            owed += part_on(p, j, most);
        }
        host->nodes[j].reserve_bytes = BLOCK * below(50);
        host->nodes[j].capacity_bytes = (granted > owed ? granted : owed) +
                                        host->nodes[j].reserve_bytes + BLOCK * below(400);
    }
}

static void
make_world(World *world)
{
    memset(world, 0, sizeof(*world));
    lp_policy_host_init(&world->host);
    world->host.mode = chance(95) ? LP_MODE_AUTO : LP_MODE_ADVISE;
    world->host.burst = chance(70);
    world->host.now_msec = 1 + (int64_t)below(1000000000);
    world->host.n_nodes = 1 + (uint32_t)below(NODES);
    world->host.capacity_centi = 400;
    world->host.moving_max = 1 + (uint32_t)below(PARTITIONS);
    world->host.idle_tax = (uint32_t)below(10001);
    world->n = 1 + below(PARTITIONS);
    world->step_sec = chance(50) ? 1 : 1 + (int)below(30);
    for (size_t i = 0; i < world->n; i++)
        make_partition(world, i);
    make_host(world);
}

/* What the guests do between two ticks. */
static void
live(World *world, int tick)
{
    for (size_t i = 0; i < world->n; i++) {
        Guest *guest = &world->guests[i];
        const LpPolicyPartition *p = &world->partitions[i];

        if (world->settling)
            continue;
        /* One that fills up and empties in turn with others is who would be moved to and fro. */
        if (guest->sawtooth)
            guest->used = (tick / 8 + i) % 2 == 0 ? p->mem_max_bytes : p->mem_min_bytes / 2;
        else if (chance(5))
            guest->used = below(p->mem_max_bytes + p->mem_max_bytes / 8);
        else if (chance(20))
            guest->used += below(p->mem_max_bytes / 32 + 1);
        guest->stale = guest->stale ? !chance(20) : chance(2);
    }
}

/* What a partition's agent says of it. */
static void
tell(World *world, size_t i)
{
    LpPolicyPartition *p = &world->partitions[i];
    Guest *guest = &world->guests[i];
    uint64_t used = guest->used < p->granted_bytes ? guest->used : p->granted_bytes;

    p->seen = (LpSignals){
        .mem_by = LP_SEEN_AGENT, .has_cpu = true, .has_psi = true,
        .mem_age_msec = guest->stale ? 60000 : 0, .total_bytes = p->granted_bytes,
        .available_bytes = p->granted_bytes - used, .working_set_bytes = used,
        .psi_some_centi = guest->used > p->granted_bytes ? 2000 : 0,
        .cpu_used_centi = (uint32_t)below(p->granted_centi + 1), .cpu_running = 1,
    };
    p->fixed = guest->left > 0;
    p->word.vetoed_until_msec = !world->settling && chance(1)
                                ? world->host.now_msec + 30000 : p->word.vetoed_until_msec;
    if (world->settling)
        p->word.vetoed_until_msec = 0;
}

static void
count_free(World *world)
{
    for (uint32_t j = 0; j < world->host.n_nodes; j++) {
        LpPolicyNode *node = &world->host.nodes[j];
        uint64_t taken = 0;

        for (size_t i = 0; i < world->n; i++) {
            const Guest *guest = &world->guests[i];
            const LpPolicyPartition *p = &world->partitions[i];
            uint64_t most = guest->left > 0 && guest->going_to > p->granted_bytes
                            ? guest->going_to : p->granted_bytes;

            taken += part_on(p, j, most);
        }
        node->free_bytes = node->capacity_bytes > taken ? node->capacity_bytes - taken : 0;
    }
}

static void
turn(World *world, size_t i, int direction)
{
    Guest *guest = &world->guests[i];
    const LpTuning *tuning = lp_goal_tuning(world->partitions[i].goal);
    uint32_t most = lp_calm_turns_per_hour(tuning->dwell_sec);

    if (guest->direction != 0 && guest->direction != direction) {
        int64_t now = world->host.now_msec;

        guest->turns[guest->n_turns++ % TURNS_KEPT] = now;
        n_turned++;
        assert_true(most < TURNS_KEPT);
        /* The one before the last `most` was more than an hour ago. */
        if (guest->n_turns > most)
            assert_true(now - guest->turns[(guest->n_turns - 1 - most) % TURNS_KEPT] > 3600000);
    }
    guest->direction = direction;
}

/* Begins what was decided, and ends what has been under way for long enough. */
static void
carry_out(World *world)
{
    for (size_t i = 0; i < world->n; i++) {
        LpPolicyPartition *p = &world->partitions[i];
        Guest *guest = &world->guests[i];
        const LpDecision *d = &world->decisions[i];

        p->failed = false;
        if (guest->left == 0 && d->mem_bytes != p->granted_bytes && p->mode == LP_MODE_AUTO &&
            world->host.mode == LP_MODE_AUTO) {
            guest->going_to = d->mem_bytes;
            guest->left = 1 + (chance(30) ? (int)below(5) : 0);
            guest->ends_short = !world->settling && chance(10);
        }
        if (guest->left == 0 || --guest->left > 0)
            continue;
        if (guest->ends_short) {
            p->failed = true;
            n_failed++;
            if (guest->going_to < p->granted_bytes)
                guest->failed_msec = world->host.now_msec + world->step_sec * 1000LL;
            continue;
        }
        turn(world, i, guest->going_to > p->granted_bytes ? 1 : -1);
        p->granted_bytes = guest->going_to;
    }
}

static void
check_one(const World *world, size_t i)
{
    const LpPolicyPartition *p = &world->partitions[i];
    const LpDecision *d = &world->decisions[i];
    const Guest *guest = &world->guests[i];
    uint64_t has = p->granted_bytes, gets = d->mem_bytes;

    if (p->fixed || p->mode == LP_MODE_OFF) {
        assert_true(gets == has);
        return;
    }
    assert_true(d->mem_target_bytes >= p->mem_min_bytes);
    assert_true(d->mem_target_bytes <= p->mem_max_bytes || d->mem_target_bytes == has);
    assert_true((gets > has) == (d->mem_act == LP_ACT_GROW));
    assert_true((gets < has) == (d->mem_act == LP_ACT_SHRINK));
    if (gets > has) {
        n_grown++;
        assert_true(gets <= p->mem_max_bytes);
    }
    if (gets < has) {
        n_shrunk++;
        assert_true(gets >= p->mem_min_bytes);
        assert_true(gets + quantum(p) > d->mem_target_bytes);
        assert_true(d->demand.mem_known && !guest->stale);
        assert_true(p->word.vetoed_until_msec <= world->host.now_msec);
        assert_true(d->mem_take != LP_TAKE_NONE);
        if (guest->failed_msec != 0)
            assert_true(world->host.now_msec - guest->failed_msec >= LP_CALM_BACKOFF_MIN_MSEC);
    }
    assert_true(d->mem_bound < LP_BOUNDS && d->cpu_bound < LP_BOUNDS);
    assert_true(d->cpus >= 1 && d->cpus <= p->cpu_max);
    assert_true(d->cpu_centi >= 1 && d->cpu_share >= 1);
}

static void
check_tick(const World *world)
{
    for (size_t i = 0; i < world->n; i++)
        check_one(world, i);
    for (uint32_t j = 0; j < world->host.n_nodes; j++) {
        const LpPolicyNode *node = &world->host.nodes[j];
        uint64_t grown = 0;

        for (size_t i = 0; i < world->n; i++)
            if (world->decisions[i].mem_bytes > world->partitions[i].granted_bytes &&
                world->partitions[i].mode == world->host.mode)
                grown += part_on(&world->partitions[i], j, world->decisions[i].mem_bytes -
                                                          world->partitions[i].granted_bytes);
        assert_true(grown == 0 || grown + node->reserve_bytes <= node->free_bytes);
    }
}

/* The same, listed in another order: the same decisions, the same states. */
static void
check_order(const World *before, const World *after)
{
    World other = *before;
    size_t place[PARTITIONS];

    for (size_t i = 0; i < before->n; i++)
        place[i] = i;
    for (size_t i = before->n; i > 1; i--) {
        size_t k = below(i), kept = place[i - 1];

        place[i - 1] = place[k];
        place[k] = kept;
    }
    for (size_t i = 0; i < before->n; i++) {
        other.partitions[i] = before->partitions[place[i]];
        other.states[i] = before->states[place[i]];
    }
    assert_true(lp_policy_decide(policy, &other.host, other.partitions, other.states, other.n,
                                 other.decisions));
    for (size_t i = 0; i < before->n; i++) {
        assert_memory_equal(&other.decisions[i], &after->decisions[place[i]], sizeof(LpDecision));
        assert_memory_equal(&other.states[i], &after->states[place[i]], sizeof(LpPolicyState));
    }
}

/* One of more weight has no smaller a part. */
static void
check_weight(const World *before, const World *after)
{
    World other = *before;
    size_t i = below(before->n);

    if (before->host.n_nodes > 1)
        return;
    other.partitions[i].weight += 1 + (uint32_t)below(100);
    assert_true(lp_policy_decide(policy, &other.host, other.partitions, other.states, other.n,
                                 other.decisions));
    assert_true(other.decisions[i].mem_target_bytes >= after->decisions[i].mem_target_bytes);
}

static void
run_tick(World *world, int tick)
{
    World before;

    live(world, tick);
    for (size_t i = 0; i < world->n; i++)
        tell(world, i);
    count_free(world);
    if (tick % 16 == 0)
        before = *world;
    assert_true(lp_policy_decide(policy, &world->host, world->partitions, world->states, world->n,
                                 world->decisions));
    check_tick(world);
    if (tick % 16 == 0) {
        check_order(&before, world);
        check_weight(&before, world);
    }
    carry_out(world);
    world->host.now_msec += world->step_sec * 1000LL;
}

/* Now all stand still: whoever is owed something and wants it must come to have it. */
static void
check_owed(World *world)
{
    bool short_of[NODES] = { false };

    for (size_t i = 0; i < world->n; i++) {
        const LpPolicyPartition *p = &world->partitions[i];
        const LpDecision *d = &world->decisions[i];
        uint64_t owed = owed_to(p);

        if (p->mode != LP_MODE_AUTO || world->host.mode != LP_MODE_AUTO ||
            !d->demand.mem_known)
            continue;
        if (d->demand.want_bytes < owed)
            owed = d->demand.want_bytes > p->mem_min_bytes ? d->demand.want_bytes
                                                           : p->mem_min_bytes;
        /* As near as a resize is worth while. */
        n_owed++;
        if (p->granted_bytes + p->granted_bytes / 32 + 2 * quantum(p) < owed) {
            print_message("# partition %zu has %llu MiB, is owed %llu, wants %llu, target %llu; "
                          "act %d bound %d\n", i, (unsigned long long)(p->granted_bytes / MIB),
                          (unsigned long long)(owed / MIB),
                          (unsigned long long)(d->demand.want_bytes / MIB),
                          (unsigned long long)(d->mem_target_bytes / MIB), d->mem_act,
                          d->mem_bound);
            fail_msg("starved below its entitlement");
        }
    }
    (void)short_of;
}

static unsigned
run_world(unsigned number)
{
    World world;
    int tick = 0;

    state = seed + number * 0x10001ULL;
    n_world = number;
    make_world(&world);
    for (; tick < TICKS; tick++)
        run_tick(&world, tick);
    world.settling = true;
    for (size_t i = 0; i < world.n; i++)
        world.guests[i].stale = false;
    for (; tick < TICKS + SETTLE; tick++)
        run_tick(&world, tick);
    check_owed(&world);
    return (unsigned)tick;
}

static void
test_every_tick(void **unused)
{
    const char *text = getenv("LP_CASES");
    unsigned long cases = text != NULL ? strtoul(text, NULL, 0) : CASES / SLOWNESS, done = 0;

    (void)unused;
    for (unsigned number = 0; done < cases; number++)
        done += run_world(number);
    print_message("# %lu ticks: %u grown, %u shrunk, %u failed, %u turned, %u owed\n", done,
                  n_grown, n_shrunk, n_failed, n_turned, n_owed);
    /* The worlds must be such that something happens. */
    assert_true(n_grown > done / 50 && n_shrunk > done / 100 && n_failed > done / 1000);
}

static int
teardown(void **unused)
{
    (void)unused;
    print_message("# world %u\n", n_world);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_tick, teardown),
    };
    const char *text = getenv("LPARD_SEED");
    int failed;

    seed = text != NULL ? strtoull(text, NULL, 0) : DEFAULT_SEED;
    printf("# LPARD_SEED=%llu\n", (unsigned long long)seed);
    policy = lp_policy_new();
    failed = cmocka_run_group_tests_name("policy_random", tests, NULL, NULL);
    lp_policy_free(policy);
    return failed;
}
