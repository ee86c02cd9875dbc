/* From classes and the partition's size to what the kernel is told.  Pure, and in integers.
 *
 * Processors.  Some part of them is left to what is in no class (the kernel's own threads, which
 * plug and unplug memory; logins; lpar-agent): what no cpu-min takes, but 1 % at least and 10 % at
 * most.  In ten-thousandths of the partition's processors, when all are wanted, class i gets
 *
 *     share_i = 100 cpu-min_i + (10000 - rest - 100 sum(cpu-min)) weight_i / sum(weight)
 *
 * so each gets its minimum, and what no minimum takes goes by weight.
 *
 * The kernel divides by weights among the cgroups of one parent.  A cgroup that nobody has given a
 * weight has 100, and so has a thread beside cgroups.  The rest is taken for one such, which scales
 * shares to weights; each more that is busy at the same time takes as much again, from all.  (To
 * weigh the classes higher would keep the minima against more of them, and starve the kernel's
 * threads.)  A cgroup above classes has the sum of theirs, so that the division holds across the
 * whole tree.  Idle time goes to whoever wants it, up to cpu-max, a quota of cpu-max x processors
 * in each period.
 *
 * Memory.  mem-min is what the kernel reclaims only when nothing else is left (memory.low), which
 * can make nobody run out of memory as a hard guarantee would.  mem-max is a hard limit. */
#ifndef LP_AGENT_CLASSES_SHARE_H
#define LP_AGENT_CLASSES_SHARE_H

#include "agent/classes/parse.h"

#define LP_CLASS_PERIOD_USEC 100000  /* the kernel's own default */
#define LP_CLASS_NO_QUOTA INT64_C(-1)
#define LP_CLASS_NO_LIMIT UINT64_MAX
#define LP_CLASS_WHOLE 10000         /* parts that the partition's processors have */
#define LP_CLASS_REST_MIN 100        /* of them for what is in no class: below it the largest */
#define LP_CLASS_REST_MAX 1000       /*     weights would be above the kernel's 10000 */
#define LP_CLASS_REST_WEIGHT 100     /* one of the kernel's default weight */
/* Classes, and the cgroups above them. */
#define LP_CLASS_GROUPS_MAX (LP_WIRE_CLASSES_MAX * LP_CLASS_DEPTH_MAX)

/* What one cgroup is set to. */
typedef struct {
    char path[LP_CLASS_PATH_MAX];
    int32_t class;                   /* its place in the table; -1: a cgroup above classes */
    uint32_t share;                  /* parts of LP_CLASS_WHOLE */
    uint32_t weight;                 /* 1..10000: cgroup v2's cpu.weight */
    int64_t quota_usec;              /* in each period; LP_CLASS_NO_QUOTA */
    uint64_t low_bytes;              /* 0: none */
    uint64_t max_bytes;              /* LP_CLASS_NO_LIMIT */
} LpClassGroup;

typedef struct {
    uint32_t rest;                   /* parts of LP_CLASS_WHOLE for what is in no class */
    uint32_t n_groups;
    LpClassGroup groups[LP_CLASS_GROUPS_MAX];  /* those above classes come before them */
} LpClassPlan;

/* `cpus` from 1; `bytes` is the kernel's MemTotal. */
void lp_class_plan(const LpClassTable *table, uint32_t cpus, uint64_t bytes,
                   LpClassPlan *ret_plan);

/* cgroup v1's cpu.shares for a weight: its default is 1024 where v2's is 100. */
uint32_t lp_class_v1_shares(uint32_t weight);

#endif
