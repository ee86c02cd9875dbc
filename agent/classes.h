/* Workload classes, the resident half: the helper lpar-agent-classes (with libcgroup, which the
 * agent does without) is run at the start, whenever the partition's size has changed, and when a
 * class's cgroup comes (again), as a service's does that is started. */
#ifndef LP_AGENT_CLASSES_H
#define LP_AGENT_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct LpAgent LpAgent;

/* Written by the helper: a line a class, "name cpu-file mem-file", for those who read their use. */
#define LP_CLASSES_LIST LP_RUNSTATEDIR "/lpard/classes"
/* Room for it: LP_WIRE_CLASSES_MAX lines of a name and two paths of LP_PATH_MAX. */
#define LP_CLASSES_LIST_MAX 10240

typedef struct {
    bool running;
    bool yielded;                      /* ... and was ended for a phase: once more when it is over */
    int64_t at_msec;                   /* not before: several changes make one run */
    int64_t retry_msec;                /* the pause before the next try, should one fail */
    uint32_t cpus;                     /* as applied; 0: to be applied whatever the size is */
    uint64_t total_bytes;
    uint32_t cause;                    /* of the last failure that was logged; 0: none */
    int watch_fd;                      /* tells of cgroups that come; -1: none is to be told of */
    const char *argv[5];               /* of the helper */
} LpClasses;

void lp_classes_init(LpAgent *agent);
/* Processors or memory may have changed. */
void lp_classes_touch(LpAgent *agent, int64_t now_msec);
/* The configuration may have changed. */
void lp_classes_reload(LpAgent *agent, int64_t now_msec);
/* A phase of a resize begins, whose hooks and programs have a deadline: the helper, should it be at
 * work, is ended.  It is run again when no phase is at work. */
void lp_classes_yield(LpAgent *agent);
int64_t lp_classes_deadline(const LpAgent *agent);
void lp_classes_run(LpAgent *agent, int64_t now_msec);

#endif
