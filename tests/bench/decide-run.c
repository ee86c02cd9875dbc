/* Times lp_policy_decide() on partitions of 64 nodes.  tests/bench/decide runs it.
 *
 * usage: decide-run PARTITIONS steady|changing ROUNDS
 * One line: the median, 99th percentile and most of the rounds in nanoseconds, and the bytes that
 * a partition takes: its inputs, its state, its decision, and the policy's own room. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/policy.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define NODES 64
/* What the policy has to settle in first: histograms are fed after five minutes. */
#define WARM_TICKS 310

typedef struct {
    LpPolicyHost host;
    LpPolicyPartition *partitions;
    LpPolicyState *states;
    LpDecision *decisions;
    size_t n;
    uint64_t chance;
    bool changing;
} Bench;

static uint64_t
next(Bench *bench)
{
    uint64_t z = bench->chance += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* Partitions of 4 to 16 GiB, most in one cell, an eighth in two; a host a quarter larger. */
static void
make(Bench *bench)
{
    LpPolicyHost *host = &bench->host;

    lp_policy_host_init(host);
    host->mode = LP_MODE_AUTO;
    host->n_nodes = NODES;
    host->moving_max = (uint32_t)(bench->n / 64 + 16);
    host->capacity_centi = (uint32_t)bench->n * 100;
    for (size_t i = 0; i < bench->n; i++) {
        LpPolicyPartition *p = &bench->partitions[i];

        *p = (LpPolicyPartition){
            .key = i + 1, .mode = LP_MODE_AUTO, .goal = (LpGoal)(i % LP_GOALS), .priority = 3,
            .weight = 1 + (uint32_t)(i % 255), .cpu_min = 1, .cpu_max = 8,
            .mem_min_bytes = GIB, .mem_max_bytes = 32 * GIB, .entitled_centi = 20,
            .pool = LP_NO_POOL, .block_bytes = 2 * MIB, .n_cells = i % 8 == 0 ? 2 : 1,
            .granted_bytes = 4 * GIB + i % 13 * GIB, .granted_cpus = 2, .granted_centi = 200,
        };
        p->cell_node[0] = (uint8_t)(i % NODES);
        p->cell_node[1] = (uint8_t)((i + 1) % NODES);
        p->seen = (LpSignals){ .mem_by = LP_SEEN_AGENT, .has_cpu = true, .has_psi = true,
                               .working_set_bytes = p->granted_bytes / 2,
                               .cpu_used_centi = 40, .cpu_running = 1 };
        for (uint32_t c = 0; c < p->n_cells; c++)
            host->nodes[p->cell_node[c]].capacity_bytes += p->granted_bytes / p->n_cells * 5 / 4;
    }
}

/* A second passes: in `changing` everybody's use is another, and half suffer. */
static void
pass(Bench *bench)
{
    LpPolicyHost *host = &bench->host;

    host->now_msec += 1000;
    for (uint32_t j = 0; j < NODES; j++)
        host->nodes[j].free_bytes = host->nodes[j].capacity_bytes;
    for (size_t i = 0; i < bench->n; i++) {
        LpPolicyPartition *p = &bench->partitions[i];
        LpSignals *seen = &p->seen;

        p->granted_bytes = bench->decisions[i].mem_bytes != 0 ? bench->decisions[i].mem_bytes
                                                               : p->granted_bytes;
        if (bench->changing) {
            seen->working_set_bytes = next(bench) % (p->granted_bytes * 2);
            seen->cpu_used_centi = (uint32_t)(next(bench) % 200);
        }
        if (seen->working_set_bytes > p->granted_bytes)
            seen->working_set_bytes = p->granted_bytes;
        seen->total_bytes = p->granted_bytes;
        seen->available_bytes = p->granted_bytes - seen->working_set_bytes;
        for (uint32_t c = 0; c < p->n_cells; c++)
            host->nodes[p->cell_node[c]].free_bytes -= p->granted_bytes / p->n_cells;
    }
}

static int
by_time(const void *first, const void *second)
{
    const int64_t *a = first, *b = second;

    return *a < *b ? -1 : *a > *b;
}

static int64_t
now_nsec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int
main(int argc, char **argv)
{
    Bench bench = { .host = { .now_msec = 1000 }, .chance = 1 };
    long n = argc == 4 ? strtol(argv[1], NULL, 10) : 0;
    long rounds = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    LpPolicy *policy;
    int64_t *times;
    size_t before, own;
    int warm = WARM_TICKS;

    if (n < 1 || n > 1000000 || rounds < 1 || rounds > 100000) {
        fprintf(stderr, "usage: decide-run PARTITIONS steady|changing ROUNDS\n");
        return 2;
    }
    bench.n = (size_t)n;
    bench.changing = strcmp(argv[2], "changing") == 0;
    bench.partitions = calloc(bench.n, sizeof(*bench.partitions));
    bench.states = calloc(bench.n, sizeof(*bench.states));
    bench.decisions = calloc(bench.n, sizeof(*bench.decisions));
    times = calloc((size_t)rounds, sizeof(*times));
    if (bench.partitions == NULL || bench.states == NULL || bench.decisions == NULL ||
        times == NULL)
        return 1;
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    policy = lp_policy_new();
    make(&bench);
    if (n > 10000)
        warm = 30;
    for (long r = -warm; r < rounds; r++) {
        int64_t begin;

        pass(&bench);
        begin = now_nsec();
        if (!lp_policy_decide(policy, &bench.host, bench.partitions, bench.states, bench.n,
                              bench.decisions))
            return 1;
        if (r >= 0)
            times[r] = now_nsec() - begin;
    }
    own = (mallinfo2().uordblks + mallinfo2().hblkhd - before) / bench.n;
    qsort(times, (size_t)rounds, sizeof(*times), by_time);
    printf("%lld %lld %lld %zu %zu %zu %zu\n", (long long)times[rounds / 2],
           (long long)times[(rounds - 1) * 99 / 100], (long long)times[rounds - 1],
           sizeof(LpPolicyPartition), sizeof(LpPolicyState), sizeof(LpDecision), own);
    lp_policy_free(policy);
    free(bench.partitions);
    free(bench.states);
    free(bench.decisions);
    free(times);
    return 0;
}
