/* lpar-sim: a host with partitions that follow traces, and policies that resize them.
 *
 * A tick is a second.  Demand comes from a trace; the guests' use, stalls and kills follow from
 * demand and what is usable; actuators take time and fail.  Deterministic by the seed.
 *
 *   trace*.[ch]   demand over time: read, or generated (generate.c)
 *   sim.[ch]      the clock, and what a policy is shown and says
 *   guest.c       what a guest does with what it has: use, cache, stalls, kills
 *   actuator.c    what becomes of a policy's word: refused, under way, done, failed; S1-S3
 *   rival*.c      the policies behind LpSimPolicy
 *   nodes.[ch]    the host's nodes, for the policy that minds them
 *   measure.[ch]  what a run was like
 *   report*.[ch]  table, JSON, picture
 *   bound.[ch]    what could have been done by one who knows all */
#ifndef LP_SIM_SIM_H
#define LP_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lpard/sim/trace.h"

/* As many as the policy handles. */
#define LP_SIM_NODES 64

/* How long things take, and how they fail.  research: HyperAlloc (EuroSys'25), 18 GiB by
 * virtio-mem: grow 0.197 s, shrink 0.604 s touched. */
typedef struct {
    uint32_t grow_msec_per_gib, shrink_msec_per_gib;   /* 11, 34 */
    uint32_t grow_delay_msec, shrink_delay_msec;       /* asked to begun: 50, 100 */
    uint32_t shrink_fail_permyriad;        /* ends partial, half way */
    uint32_t veto_permyriad;
} LpSimActuators;

typedef struct {
    uint64_t host_bytes;
    uint32_t host_centi;
    bool steps;                            /* samples are held, not interpolated */
    uint64_t seed;
    uint64_t from_sec, seconds;            /* of the trace; 0 seconds: to its end */
    uint64_t warm_sec;                     /* not measured: 288 samples of 300 s */
    uint32_t tick_sec;                     /* 1 */
    LpSimActuators actuators;
    /* The host's nodes, and how much of its memory each has beside the others.  1, or no size: one
     * node with all.  Only lpard's policy minds them: what lies far away is no slower here. */
    uint32_t n_nodes;
    uint64_t node_size[LP_SIM_NODES];
} LpSimConfig;

/* One partition as a policy sees it: the past only (but for `clairvoyant`). */
typedef struct {
    uint64_t key;
    uint64_t min_bytes, max_bytes, block_bytes;
    uint32_t min_centi, max_centi;         /* of processors: a hundredth each */
    uint32_t weight;
    uint64_t entitled_bytes;
    uint32_t entitled_centi;
    /* The guest's word at this tick. */
    uint64_t used_bytes;                   /* in use and not cache: min(demand, usable) */
    uint64_t free_bytes, cache_bytes;      /* used + cache + free = usable */
    uint64_t swap_bytes;                   /* swapped out */
    uint64_t refaults, oom_kills;          /* pages, kills; since the beginning */
    uint32_t psi_some_centi, psi_full_centi;       /* avg10, percent x 100 */
    uint32_t cpu_used_centi, cpu_running, cpu_psi_centi;
    /* What it has. */
    uint64_t granted_bytes, usable_bytes;
    uint32_t granted_centi, granted_cpus;
    bool moving;                           /* a resize of memory is under way: the next waits */
    bool failed;                           /* the last one ended short of its target */
    uint32_t failures;                     /* how many did, so far */
    /* For `clairvoyant` alone: the most that will be wanted in the next 300 s. */
    uint64_t future_bytes;
    uint32_t future_centi;
    /* The policy's word. */
    uint64_t target_bytes;                 /* to have; granted_bytes: no change */
    uint32_t target_centi;                 /* sums to the host's at most */
    uint32_t target_cpus;                  /* vCPUs; 0: as many as target_centi takes */
    uint64_t needs_bytes;                  /* target before leftovers: what counts as allocated */
    uint32_t needs_centi;
} LpSimView;

typedef struct {
    int64_t now_msec;
    uint64_t host_bytes, host_free_bytes;  /* free: granted to nobody and observed so */
    uint32_t host_centi;
    uint32_t n_nodes;                      /* 1.., whose memory sums to the host's */
    uint64_t node_bytes[LP_SIM_NODES];
    LpSimView *views;
    size_t n;
} LpSimHost;

/* A policy.  `decide` is called every `interval_sec`; before it targets are what is granted and
 * needs what was last said. */
typedef struct {
    const char *name;
    const char *source;                    /* where its formula is from, for people */
    uint32_t interval_sec;
    bool knows_future;
    bool does_cpu;                         /* else processors are as provisioned, no one is capped,
                                            * and where all want too much each lacks alike */
    void *(*begin)(const LpSimHost *host);              /* NULL: it has no state */
    void (*decide)(void *self, LpSimHost *host);
    void (*end)(void *self);
} LpSimPolicy;

/* Cuts what the views say to what can be: targets of memory to [min, max] and whole blocks, none
 * while one is under way, grows in their order to what is free; CPU to its bounds, and above the
 * minima in proportion to what the host has.  The simulator refuses what does not fit and counts
 * it as broken, so each policy whose formula knows no such bounds ends with this. */
void lp_sim_fit(LpSimHost *host);

extern const LpSimPolicy *const lp_sim_policies[];     /* ends with NULL; the first is lpard's */
const LpSimPolicy *lp_sim_policy(const char *name);

/* The host's size, so many times the peak of the summed demand over what config measures (1.25 is
 * 12500 permyriad), and at least what all minima take.  Needs config's times set. */
void lp_sim_host_size(const LpTrace *trace, uint32_t memory_permyriad, uint32_t cpu_permyriad,
                      LpSimConfig *config);
/* One second, real actuators, a day of warm-up. */
void lp_sim_config_init(LpSimConfig *ret);

/* What a run was like.  Amounts are sums over ticks x tick_sec; CPU likewise in centi-seconds. */
typedef struct {
    uint64_t vm_seconds;
    double demand, shortfall, granted, needs;           /* byte-seconds */
    uint64_t violated;                                  /* VM-seconds with shortfall */
    double stall_sec;
    uint64_t ooms, resizes, reversals, failures;
    uint64_t resizes_calm;                              /* in hours without shortage: the sum of
                                                         * demand at most 90 % of the host */
    double calm_vm_days;
    double resizes_per_vm_day_p99;
    double bytes_moved;
    double fairness;                                    /* Jain's index of satisfied / wanted */
    double static_amount;                               /* provisioned, byte-seconds */
    uint64_t host_min_free;
} LpSimAmount;

typedef struct {
    const char *policy;
    LpSimConfig config;
    double memory_ratio, cpu_ratio;                     /* of the host to the peak of the sum */
    size_t n;
    LpSimAmount mem, cpu;
    uint64_t broken;                                    /* ticks at which S1, S2 or S3 failed */
    char first_broken[200];
    double wall_sec;
    /* One point each n-th tick, for pictures: sums over partitions; the shortfall is the most since
     * the last one.  `sec` is the trace's. */
    size_t n_points;
    struct { uint64_t sec, demand, granted, needs, shortfall; } *points;   /* bytes */
} LpSimResult;

/* Runs one policy on one trace.  The trace is read only: runs may be in parallel threads. */
void lp_sim_run(const LpTrace *trace, const LpSimConfig *config, const LpSimPolicy *policy,
                LpSimResult *ret_result);
void lp_sim_result_clear(LpSimResult *result);

#endif
