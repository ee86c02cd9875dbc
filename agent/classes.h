/* Workload classes, the resident half: the helper lpar-agent-classes (with libcgroup, which the
 * agent does without) is run at the start and whenever the partition's size has changed. */
#ifndef LP_AGENT_CLASSES_H
#define LP_AGENT_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct LpAgent LpAgent;

/* Written by the helper: a line a class, "name cpu-file mem-file", for those who read their use. */
#define LP_CLASSES_LIST LP_RUNSTATEDIR "/lpard/classes"

typedef struct {
    bool due;                          /* the size has changed since the helper ran */
    bool running;
    int64_t at_msec;                   /* not before: several changes make one run */
    uint32_t cpus;                     /* as applied */
    uint64_t total_bytes;
} LpClasses;

void lp_classes_init(LpAgent *agent);
/* Processors or memory may have changed. */
void lp_classes_touch(LpAgent *agent, int64_t now_msec);
int64_t lp_classes_deadline(const LpAgent *agent);
void lp_classes_run(LpAgent *agent, int64_t now_msec);

#endif
