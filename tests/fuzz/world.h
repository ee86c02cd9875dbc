/* The whole daemon in a fuzz target's process, on a simulated host of two nodes with two partitions,
 * p0 and p1 (running, 2 of 1..4 vCPUs, 2 of 1..4 GiB each), and a domain without a profile, plain. */
#ifndef LP_TESTS_FUZZ_WORLD_H
#define LP_TESTS_FUZZ_WORLD_H

#include "lpard/api/api.h"
#include "tests/fuzz/fuzz.h"

#define LP_FUZZ_MIB (UINT64_C(1) << 20)
#define LP_FUZZ_GIB (UINT64_C(1) << 30)
/* Only what hangs takes so long, sanitizers and a busy machine included. */
#define LP_FUZZ_PATIENCE_SEC 60

typedef struct {
    char *dir;                    /* of its own, in memory where the machine has such a place */
    LpSettings settings;
    LpHost *host;
    LpJournal *journal;
    LpEvents *events;
    LpWorkers *workers;
    LpRegistry *registry;
    LpEngine *engine;
    LpPools *pools;
    LpScaler *scaler;
    LpOptimizer *optimizer;
    LpApi *api;                   /* NULL: not served */
} LpFuzzWorld;

extern LpFuzzWorld lp_fuzz_world;

/* Its directory and the host's file; they are removed when the process ends as it should. */
void lp_fuzz_world_make(void);
/* Starts lpard, and waits until it has read all domains.  False: its journal cannot be opened, and
 * nothing runs. */
bool lp_fuzz_world_boot(bool serve);
/* Ends it; the simulated host is as if it had never been, but for its files. */
void lp_fuzz_world_halt(void);

/* Runs the main loop until that is so; aborts with `what` where it does not become so. */
void lp_fuzz_until(bool (*done)(void *data), void *data, const char *what);
/* Removes a file, or a directory with all that is in it. */
void lp_fuzz_remove(const char *path);

#endif
