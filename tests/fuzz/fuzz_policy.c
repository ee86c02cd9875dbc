/* Decisions and plans: the input is a host, its partitions, what their guests say (anything), what
 * becomes of each decision, and time, which may jump; or a domain, a request and a plan that
 * somebody meddled with.
 *
 * What must hold of every decision is S1, S2, S3 and S8 as policy/policy.h promises them; of a
 * placement that nothing is given that is not there; of a plan that gate and judge, which share
 * no code, say the same (DESIGN 6).  And all of it twice. */
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <string.h>

#include "numa/place.h"
#include "policy/policy.h"
#include "tests/unit/plan_case.h"

#define PARTITIONS 8
#define NODES 4
#define TICKS 24
#define BLOCK (2 * MIB)
#define CELLS 6

static LpFuzzInput input;

static uint64_t
below(uint64_t n)
{
    return lp_fuzz_below(&input, n);
}

/* Half of the values are the edges of what the type holds. */
static uint64_t
wild(void)
{
    static const uint64_t edges[] = {
        0, 1, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_C(1) << 62, UINT64_C(1) << 40, 4096 * GIB,
    };
    uint8_t how = lp_fuzz_byte(&input);

    if (how < 128)
        return edges[how % (sizeof edges / sizeof *edges)] - how / 64;
    return lp_fuzz_number(&input, 1 + how % 8);
}

/* --- the policy --- */

typedef struct {
    LpPolicyHost host;
    LpPolicyPartition partitions[PARTITIONS];
    LpPolicyState states[PARTITIONS];
    LpDecision decisions[PARTITIONS];
    size_t n;
} World;

static LpPolicy *policy;

static void
make_host(LpPolicyHost *host)
{
    lp_policy_host_init(host);
    host->now_msec = 1 + (int64_t)lp_fuzz_number(&input, 5);
    host->mode = below(4) > 0 ? LP_MODE_AUTO : (LpMode)(LP_MODE_OFF + below(3));
    host->burst = below(2);
    host->n_nodes = 1 + (uint32_t)below(NODES);
    for (uint32_t i = 0; i < host->n_nodes; i++) {
        host->nodes[i].capacity_bytes = BLOCK * lp_fuzz_number(&input, 3);
        host->nodes[i].reserve_bytes = BLOCK * lp_fuzz_number(&input, 1);
    }
    host->capacity_centi = 100 * (1 + (uint32_t)below(1024));
    host->reserve_centi = (uint32_t)below(host->capacity_centi);
    host->n_pools = (uint32_t)below(3);
    for (uint32_t i = 0; i < host->n_pools; i++) {
        host->pools[i].max_centi = 5 + (uint32_t)below(6400);
        host->pools[i].reserved_centi = (uint32_t)below(host->pools[i].max_centi + 1);
    }
    host->moving_max = 1 + (uint32_t)below(64);
    host->idle_tax = (uint32_t)below(9901);
}

/* As a profile and the registry make it: bounds keep their rules, whatever else. */
static void
make_partition(const LpPolicyHost *host, LpPolicyPartition *p, size_t index)
{
    uint64_t blocks = 1 + lp_fuzz_number(&input, 2);

    p->key = below(16) > 0 ? index + 1 : 1 + below(4);
    p->mode = (LpMode)(LP_MODE_OFF + below(3));
    p->goal = (LpGoal)below(LP_GOALS);
    p->priority = (uint32_t)below(LP_PRIORITY_MAX + 1);
    p->weight = (uint32_t)below(256);
    p->release_sec = below(2) ? 0 : (uint32_t)below(LP_RELEASE_SEC_MAX + 1);
    p->cpu_min = 1 + (uint32_t)below(8);
    p->cpu_max = p->cpu_min + (uint32_t)below(256);
    p->mem_min_bytes = BLOCK * blocks;
    p->mem_max_bytes = p->mem_min_bytes + BLOCK * lp_fuzz_number(&input, 3);
    p->scheduled = below(2);
    p->block_bytes = BLOCK << below(3);
    p->n_cells = 1 + (uint32_t)below(3);
    for (uint32_t c = 0; c < p->n_cells; c++)
        p->cell_node[c] = (uint8_t)below(host->n_nodes);
    p->entitled_bytes = below(2) ? 0 : p->mem_min_bytes + BLOCK * lp_fuzz_number(&input, 2);
    if (p->entitled_bytes > p->mem_max_bytes)
        p->entitled_bytes = p->mem_max_bytes;
    p->capped = below(2);
    p->pool = host->n_pools > 0 && below(2) ? (uint32_t)below(host->n_pools) : LP_NO_POOL;
    /* What is granted may be out of its bounds: they may have been changed a moment ago. */
    p->granted_bytes = below(4) > 0 ? p->mem_min_bytes : BLOCK * lp_fuzz_number(&input, 3);
    p->granted_cpus = 1 + (uint32_t)below(p->cpu_max + 2);
    p->granted_centi = 5 + (uint32_t)below(100 * p->granted_cpus);
    /* Enough for all the vCPUs that it may have, or no plan would be let through. */
    p->entitled_centi = 5 * (p->cpu_max + 2) + (uint32_t)below(95 * p->granted_cpus + 1);
}

/* A guest may say anything. */
static void
hear(LpPolicyPartition *p, int64_t now_msec)
{
    LpSignals *seen = &p->seen;

    p->fixed = below(8) == 0;
    p->failed = below(8) == 0;
    seen->mem_by = (LpSeenBy)below(LP_SEEN_AGENT + 1);
    seen->has_cpu = below(8) > 0;
    seen->has_psi = below(8) > 0;
    seen->mem_age_msec = below(4) > 0 ? 0 : (int64_t)(wild() & INT64_MAX);
    seen->cpu_age_msec = below(4) > 0 ? 0 : (int64_t)(wild() & INT64_MAX);
    seen->total_bytes = below(2) ? p->granted_bytes : wild();
    seen->available_bytes = below(2) ? seen->total_bytes / 256 * below(256) : wild();
    seen->working_set_bytes = below(2) ? seen->total_bytes - seen->available_bytes : wild();
    seen->swap_used_bytes = below(4) > 0 ? 0 : wild();
    seen->refaults = below(4) > 0 ? 0 : wild();
    seen->oom_kills = below(8) > 0 ? 0 : wild();
    seen->psi_some_centi = below(2) ? (uint32_t)below(10001) : (uint32_t)wild();
    seen->psi_full_centi = (uint32_t)below(10001);
    seen->cpu_used_centi = below(2) ? (uint32_t)below(p->granted_centi + 1) : (uint32_t)wild();
    seen->cpu_running = (uint32_t)wild();
    seen->cpu_psi_centi = (uint32_t)below(10001);
    seen->cpu_steal_centi = (uint32_t)wild();
    if (below(8) == 0)
        p->word = (LpGuestWord){ .asked_bytes = wild(), .asked_cpus = (uint32_t)wild(),
                                 .asked_until_msec = now_msec + (int64_t)below(600000),
                                 .vetoed_until_msec = now_msec + (int64_t)below(600000) };
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
check_one(const World *world, size_t i)
{
    const LpPolicyPartition *p = &world->partitions[i];
    const LpDecision *d = &world->decisions[i];
    uint64_t has = p->granted_bytes, quantum = p->block_bytes * p->n_cells;

    LP_MUST(d->mem_bound < LP_BOUNDS && d->cpu_bound < LP_BOUNDS);
    LP_MUST(d->demand.mem_why < LP_WHY_S && d->demand.cpu_why < LP_WHY_S);
    LP_MUST(d->demand.need_bytes <= d->demand.want_bytes);
    if (p->fixed || p->mode == LP_MODE_OFF || world->host.mode == LP_MODE_OFF) {
        LP_MUST(d->mem_bytes == has && d->cpus == p->granted_cpus);
        return;
    }
    /* S2: it grows to its maximum at most; S1: it shrinks to its minimum at most. */
    LP_MUST(d->mem_bytes <= has || d->mem_bytes <= p->mem_max_bytes);
    LP_MUST(d->mem_bytes >= has || d->mem_bytes >= p->mem_min_bytes);
    LP_MUST(d->cpus <= p->granted_cpus || d->cpus <= p->cpu_max);
    LP_MUST(d->cpus >= p->granted_cpus || d->cpus >= p->cpu_min);
    /* Whole steps. */
    LP_MUST(d->mem_bytes == has ||
            (d->mem_bytes > has ? d->mem_bytes - has : has - d->mem_bytes) % BLOCK == 0 ||
            quantum == 0);
    LP_MUST((d->mem_bytes > has) == (d->mem_act == LP_ACT_GROW));
    LP_MUST((d->mem_bytes < has) == (d->mem_act == LP_ACT_SHRINK));
    LP_MUST((d->cpus > p->granted_cpus) == (d->cpu_act == LP_ACT_GROW));
    LP_MUST((d->cpus < p->granted_cpus) == (d->cpu_act == LP_ACT_SHRINK));
    /* What is not known, or was vetoed, shrinks nothing; but a new maximum does. */
    if (d->mem_bytes < has && has <= p->mem_max_bytes) {
        LP_MUST(d->demand.mem_known);
        LP_MUST(p->word.vetoed_until_msec <= world->host.now_msec);
    }
    LP_MUST(d->cpu_centi >= 1 && d->cpu_share >= 1);
    /* A cap holds, but for what its vCPUs need to be scheduled at all. */
    LP_MUST(!p->capped || d->cpu_centi <= p->entitled_centi || d->cpu_centi == p->granted_centi ||
            d->cpu_centi == 5 * p->granted_cpus);
}

/* S3: all that grows fits what is free there beyond the reserve. */
static void
check_nodes(const World *world)
{
    for (uint32_t node = 0; node < world->host.n_nodes; node++) {
        const LpPolicyNode *there = &world->host.nodes[node];
        uint64_t grown = 0;

        for (size_t i = 0; i < world->n; i++) {
            const LpPolicyPartition *p = &world->partitions[i];

            if (world->decisions[i].mem_bytes > p->granted_bytes && p->mode == world->host.mode)
                grown += part_on(p, node, world->decisions[i].mem_bytes - p->granted_bytes);
        }
        LP_MUST(grown == 0 || grown + there->reserve_bytes <= there->free_bytes);
    }
}

/* S8: where all that is entitled fits, everybody's part is its entitlement or its want. */
static void
check_processors(const World *world)
{
    uint64_t entitled = world->host.reserve_centi, targets = 0;

    for (uint32_t i = 0; i < world->host.n_pools; i++)
        entitled += world->host.pools[i].reserved_centi;
    for (size_t i = 0; i < world->n; i++) {
        entitled += world->partitions[i].entitled_centi;
        targets += world->decisions[i].cpu_target_centi;
    }
    if (entitled <= world->host.capacity_centi)
        LP_MUST(targets <= world->host.capacity_centi);
}

static void
decide(World *world)
{
    static World twin;

    twin = *world;
    LP_MUST(lp_policy_decide(policy, &world->host, world->partitions, world->states, world->n,
                             world->decisions));
    LP_MUST(lp_policy_decide(policy, &twin.host, twin.partitions, twin.states, twin.n,
                             twin.decisions));
    LP_MUST(memcmp(world->decisions, twin.decisions, world->n * sizeof *twin.decisions) == 0);
    LP_MUST(memcmp(world->states, twin.states, world->n * sizeof *twin.states) == 0);
    for (size_t i = 0; i < world->n; i++)
        check_one(world, i);
    check_nodes(world);
    check_processors(world);
}

static void
count_free(World *world)
{
    for (uint32_t node = 0; node < world->host.n_nodes; node++) {
        LpPolicyNode *there = &world->host.nodes[node];
        uint64_t taken = 0;

        for (size_t i = 0; i < world->n; i++)
            taken += part_on(&world->partitions[i], node, world->partitions[i].granted_bytes);
        there->free_bytes = there->capacity_bytes > taken ? there->capacity_bytes - taken : 0;
        if (below(16) == 0)
            there->free_bytes = wild();
    }
}

static void
try_policy(void)
{
    static World world;

    memset(&world, 0, sizeof world);
    make_host(&world.host);
    world.n = 1 + (size_t)below(PARTITIONS);
    for (size_t i = 0; i < world.n; i++)
        make_partition(&world.host, &world.partitions[i], i);
    for (int tick = 0; tick < TICKS && (tick == 0 || input.left > 0); tick++) {
        for (size_t i = 0; i < world.n; i++)
            if (tick == 0 || below(3) == 0)
                hear(&world.partitions[i], world.host.now_msec);
        count_free(&world);
        decide(&world);
        for (size_t i = 0; i < world.n; i++)
            if (below(4) > 0) {
                world.partitions[i].granted_bytes = world.decisions[i].mem_bytes;
                world.partitions[i].granted_cpus = world.decisions[i].cpus;
                world.partitions[i].granted_centi = world.decisions[i].cpu_centi;
            }
        /* The clock is monotonic; what is said of it is not always. */
        world.host.now_msec = below(16) > 0 ? world.host.now_msec + 1000 * (int64_t)below(61)
                                            : (int64_t)(wild() & (INT64_MAX >> 1));
    }
}

/* --- placement --- */

static void
make_cells(LpPlaceCell *cells, size_t n)
{
    uint64_t room[3];

    for (size_t i = 0; i < 3; i++)
        room[i] = below(4) > 0 ? BLOCK * lp_fuzz_number(&input, 2) : wild() >> 8;
    for (size_t i = 0; i < n; i++) {
        LpPlaceCell *cell = &cells[i];

        *cell = (LpPlaceCell){ .node = (int32_t)below(3), .block_bytes = BLOCK << below(8) };
        cell->room_bytes = room[cell->node];
        cell->size_bytes = BLOCK * lp_fuzz_number(&input, 2);
        cell->grow_bytes = below(4) > 0 ? BLOCK * lp_fuzz_number(&input, 2) : wild() >> 8;
        cell->shrink_bytes = below(4) > 0 ? BLOCK * lp_fuzz_number(&input, 2) : wild() >> 8;
        cell->distance = below(2) ? 0 : 1000 + (uint32_t)below(65536);
        cell->free_bytes = below(2) ? 0 : room[cell->node] + lp_fuzz_number(&input, 4);
        cell->vcpus = (uint32_t)below(64);
        cell->outside = below(8) == 0;
    }
}

static void
check_shares(const LpPlaceCell *cells, const uint64_t *shares, size_t n, uint64_t asked,
             uint64_t sum, bool by_room, bool shrink)
{
    uint64_t total = 0, of_node[3] = { 0 };

    for (size_t i = 0; i < n; i++) {
        LP_MUST(shares[i] % cells[i].block_bytes == 0);
        LP_MUST(shares[i] <= (shrink ? cells[i].shrink_bytes : cells[i].grow_bytes));
        total += shares[i];
        of_node[cells[i].node] += shares[i];
    }
    LP_MUST(total == sum && sum <= asked);
    for (size_t i = 0; by_room && i < n; i++)
        LP_MUST(of_node[cells[i].node] <= cells[i].room_bytes);
}

static void
try_placement(void)
{
    LpPlaceCell cells[CELLS];
    uint64_t shares[CELLS], twice[CELLS], sum;
    uint32_t running[CELLS], free_vcpus[CELLS];
    size_t n = 1 + (size_t)below(CELLS);
    uint64_t bytes;
    int chosen;

    make_cells(cells, n);
    bytes = below(4) > 0 ? BLOCK * lp_fuzz_number(&input, 2) : wild() >> 8;
    for (size_t i = 0; i < n; i++) {
        running[i] = (uint32_t)below(300);
        free_vcpus[i] = (uint32_t)below(4);
    }
    sum = lp_place_grow(cells, n, bytes, shares);
    check_shares(cells, shares, n, bytes, sum, true, false);
    LP_MUST(lp_place_grow(cells, n, bytes, twice) == sum);
    LP_MUST(memcmp(shares, twice, n * sizeof *shares) == 0);
    sum = lp_place_level(cells, n, bytes, shares);
    check_shares(cells, shares, n, bytes, sum, true, false);
    sum = lp_place_start(cells, n, bytes, shares);
    check_shares(cells, shares, n, bytes, sum, false, false);
    sum = lp_place_shrink(cells, n, bytes, shares);
    check_shares(cells, shares, n, bytes, sum, false, true);
    chosen = lp_place_vcpu_add(cells, running, free_vcpus, n);
    LP_MUST(chosen >= -1 && chosen < (int)n && (chosen < 0 || free_vcpus[chosen] > 0));
    chosen = lp_place_vcpu_remove(cells, running, free_vcpus, n);
    LP_MUST(chosen >= -1 && chosen < (int)n && (chosen < 0 || free_vcpus[chosen] > 0));
}

/* --- plans --- */

/* The random cases of the planner's tests are made of the input; what it is too short for, of
 * nothing but its place. */
uint64_t
random_next(Random *random)
{
    random->state += 0x9e3779b97f4a7c15ULL;
    if (input.left > 0)
        return lp_fuzz_number(&input, 2);
    return (random->state ^ random->state >> 29) * 0xbf58476d1ce4e5b9ULL >> 7;
}

static void
meddle(LpPlan *plan)
{
    LpStep *step = &plan->steps[below(plan->n_steps)];

    switch (below(8)) {
    case 0:
        step->to_bytes = wild();
        break;
    case 1:
        step->to_bytes += (BLOCK << below(10)) * (below(2) ? 1 : UINT64_MAX);
        break;
    case 2:
        step->cell = below(2) ? (uint32_t)below(5) : (uint32_t)wild();
        break;
    case 3:
        step->vcpu = below(2) ? (uint32_t)below(17) : (uint32_t)wild();
        break;
    case 4:
        step->stage = (uint32_t)below(6);
        break;
    case 5:
        step->kind = (LpStepKind)below(LP_STEP_KINDS + 1);
        break;
    case 6:
        step->release = !step->release;
        snprintf(step->alias, sizeof step->alias, "dimm%u", (unsigned)below(6));
        break;
    default:
        lp_cpumask_first_n(&step->cpus, (unsigned)below(18));
        break;
    }
}

static void
try_plan(void)
{
    static PlanCase pcase, end;
    Random random = { 1 };
    LpPlan *plan = lp_plan_new();
    bool impossible = below(4) == 0;
    uint64_t meddled = below(4);
    uint32_t judged_step = 0, step = 0;
    LpAdmitVerdict admitted, judged;

    plan_case_make(&pcase, &random);
    if (impossible)
        plan_case_break(&pcase, &random);
    lp_plan_make(&pcase.view, &pcase.bounds, &pcase.room, &pcase.guest, &pcase.target,
                 &pcase.options, plan);
    LP_MUST(!plan->refused || plan->n_steps == 0);
    for (uint64_t i = 0; i < meddled && plan->n_steps > 0; i++)
        meddle(plan);
    admitted = lp_admit(plan, &pcase.view, &pcase.bounds, &pcase.room, &pcase.target, &step);
    if (!impossible) {
        judged = plan_judge(&pcase, plan, &judged_step, &end);
        LP_MUST(admitted == judged);
        LP_MUST(judged == LP_ADMIT_OK || judged_step == step);
        LP_MUST(meddled > 0 || plan->refused || admitted == LP_ADMIT_OK);
    }
    lp_plan_free(plan);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (policy == NULL)
        policy = lp_policy_new();
    input = (LpFuzzInput){ data, size };
    switch (lp_fuzz_byte(&input) % 4) {
    case 0:
        try_placement();
        break;
    case 1:
        try_plan();
        break;
    default:
        try_policy();
        break;
    }
    return 0;
}
