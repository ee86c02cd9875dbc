/* One life of lpard, in a process of its own that may be killed: on the files that the life before it
 * left. */
#ifndef LP_TESTS_CRASH_CRASH_H
#define LP_TESTS_CRASH_CRASH_H

#include "hotplug/fault.h"
#include "tests/crash/scenario.h"

/* How a life ended. */
typedef enum {
    LIFE_WELL,
    LIFE_KILLED,                  /* where it was to be */
    LIFE_BROKEN,                  /* an invariant, or an assertion */
    LIFE_HUNG,
} LifeEnd;

/* Where it is to end; nth 0: nowhere. */
typedef struct {
    LpFaultPoint point;
    uint32_t nth;
} Strike;

/* What lives and the matrix share, however they end. */
typedef struct {
    uint32_t counts[LP_FAULT_POINTS];     /* how often each point was reached in the last life */
    uint32_t ever[LP_FAULT_POINTS];       /* and in all of this process's */
    uint32_t effects;
    char broken[4096];                    /* what the last life found, in lines */
} Shared;

/* Once in a process; `dir` is where the world is, and must be on a fast file system. */
void crash_begin(const char *dir);
void crash_end(void);
extern Shared *shared;
/* Lives say what they have to say; else nobody hears it. */
extern bool crash_loud;

/* Makes the scenario's world afresh, with what it prepares, as the first life of many. */
bool crash_make(const Scenario *scenario);
/* Back to as it was made. */
void crash_restore(void);
/* lpard starts on what is there.  `first`: it does what the scenario is about; else it takes up what it
 * finds.  In either case it waits until all is at rest, and is judged. */
LifeEnd crash_live(const Scenario *scenario, bool first, Strike strike);

#endif
