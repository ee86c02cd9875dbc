#include "agent/leave.h"

#include <string.h>

/* The threads of one core, as far as they are online. */
typedef struct {
    uint16_t online, free;
    uint32_t cost;                     /* of those free */
} LpCore;

typedef struct {
    const LpLeaveCase *of;
    const LpBound *bound;
    LpCpuMask free;                    /* may leave, nothing speaks against it, not taken yet */
    LpCore cores[LP_MAX_CPUS];         /* by core_of */
} LpChoice;

static bool
have_common(const LpCpuMask *a, const LpCpuMask *b)
{
    for (size_t i = 0; i < sizeof(a->words) / sizeof(a->words[0]); i++) {
        if (a->words[i] & b->words[i])
            return true;
    }
    return false;
}

/* Which processor of the sets that nothing is kept of yet serves most of them; -1: none is left
 * to serve.  Of equal ones it is the one that would leave last. */
static int
best_keeper(const LpBound *bound, const LpCpuMask *kept)
{
    uint16_t serves[LP_MAX_CPUS] = { 0 };
    int best = -1;

    for (unsigned i = 0; i < bound->n_sets; i++) {
        const LpCpuMask *cpus = &bound->sets[i].cpus;

        if (have_common(cpus, kept))
            continue;
        for (int cpu = lp_cpumask_next(cpus, 0); cpu >= 0;
             cpu = lp_cpumask_next(cpus, (unsigned)cpu + 1)) {
            serves[cpu]++;
            if (best < 0 || serves[cpu] > serves[best] ||
                (serves[cpu] == serves[best] && bound->cost[cpu] > bound->cost[best]))
                best = cpu;
        }
    }
    return best;
}

/* Those that must stay for what is bound. */
static void
find_kept(const LpLeaveCase *of, const LpBound *bound, LpCpuMask *ret_kept)
{
    int cpu;

    *ret_kept = of->online;
    for (size_t i = 0; i < sizeof(ret_kept->words) / sizeof(ret_kept->words[0]); i++) {
        ret_kept->words[i] &= ~of->may_leave.words[i];
        ret_kept->words[i] |= bound->others.words[i];
    }
    while ((cpu = best_keeper(bound, ret_kept)) >= 0)
        lp_cpumask_add(ret_kept, (unsigned)cpu);
}

static void
count_cores(LpChoice *choice)
{
    const LpLeaveCase *of = choice->of;

    memset(choice->cores, 0, sizeof(choice->cores));
    for (int cpu = lp_cpumask_next(&of->online, 0); cpu >= 0;
         cpu = lp_cpumask_next(&of->online, (unsigned)cpu + 1)) {
        LpCore *core = &choice->cores[of->core_of[cpu]];

        core->online++;
        if (lp_cpumask_has(&choice->free, (unsigned)cpu)) {
            core->free++;
            core->cost += choice->bound->cost[cpu];
        }
    }
}

/* Whether a leaves before b, both free, with `room` still to go. */
static bool
is_before(const LpChoice *choice, int a, int b, unsigned room)
{
    const LpCore *core_a = &choice->cores[choice->of->core_of[a]];
    const LpCore *core_b = &choice->cores[choice->of->core_of[b]];
    bool whole_a = core_a->free == core_a->online, whole_b = core_b->free == core_b->online;
    bool fits_a = whole_a && core_a->free <= room, fits_b = whole_b && core_b->free <= room;
    uint64_t cost_a = choice->bound->cost[a], cost_b = choice->bound->cost[b];

    if (fits_a != fits_b)
        return fits_a;
    if (fits_a) {
        /* By the cost of a thread of the core, without division. */
        cost_a = (uint64_t)core_a->cost * core_b->free;
        cost_b = (uint64_t)core_b->cost * core_a->free;
    } else if (whole_a != whole_b) {
        /* Rather from a core that is broken up already. */
        return whole_b;
    }
    if (cost_a != cost_b)
        return cost_a < cost_b;
    return choice->of->id_of[a] > choice->of->id_of[b];
}

static int
next_to_leave(const LpChoice *choice, unsigned room)
{
    int best = -1;

    for (int cpu = lp_cpumask_next(&choice->free, 0); cpu >= 0;
         cpu = lp_cpumask_next(&choice->free, (unsigned)cpu + 1)) {
        if (best < 0 || is_before(choice, cpu, best, room))
            best = cpu;
    }
    return best;
}

static void
take(LpChoice *choice, int cpu, LpCpuMask *leave)
{
    LpCore *core = &choice->cores[choice->of->core_of[cpu]];

    lp_cpumask_add(leave, (unsigned)cpu);
    lp_cpumask_remove(&choice->free, (unsigned)cpu);
    core->free--;
    core->cost -= choice->bound->cost[cpu];
}

/* Takes of what is free until n have been taken in all. */
static unsigned
take_free(LpChoice *choice, unsigned n_taken, unsigned n, LpCpuMask *leave)
{
    int cpu;

    while (n_taken < n && (cpu = next_to_leave(choice, n - n_taken)) >= 0) {
        const LpCore *core = &choice->cores[choice->of->core_of[cpu]];
        bool whole = core->free == core->online && core->free <= n - n_taken;

        take(choice, cpu, leave);
        n_taken++;
        /* The core that was chosen goes to its end before another is looked at. */
        for (int other = lp_cpumask_last(&choice->free); whole && other >= 0; other--) {
            if (lp_cpumask_has(&choice->free, (unsigned)other) &&
                choice->of->core_of[other] == choice->of->core_of[cpu]) {
                take(choice, other, leave);
                n_taken++;
            }
        }
    }
    return n_taken;
}

unsigned
lp_leave_choose(const LpLeaveCase *of, const LpBound *bound, unsigned n, LpCpuMask *ret_leave)
{
    LpChoice choice = { .of = of, .bound = bound, .free = of->may_leave };
    LpCpuMask kept;
    unsigned n_taken = 0, n_free = 0;

    lp_cpumask_clear(ret_leave);
    find_kept(of, bound, &kept);
    /* First what is free; then, if that does not do, what is reserved, and what is bound. */
    for (int step = 0; step < 3; step++) {
        for (size_t i = 0; i < sizeof(kept.words) / sizeof(kept.words[0]); i++) {
            uint64_t reserved = bound->isolated.words[i] | bound->nohz_full.words[i];

            choice.free.words[i] = of->may_leave.words[i] & ~ret_leave->words[i];
            if (step < 2)
                choice.free.words[i] &= ~kept.words[i];
            if (step < 1)
                choice.free.words[i] &= ~reserved;
        }
        count_cores(&choice);
        n_taken = take_free(&choice, n_taken, n, ret_leave);
        if (step == 0)
            n_free = n_taken;
    }
    return n_free;
}
