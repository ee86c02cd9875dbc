/* What the parts of place-run share: each measures one thing, and returns its figures in JSON. */
#ifndef LP_BENCH_PLACE_RUN_H
#define LP_BENCH_PLACE_RUN_H

#include <jansson.h>

#include "tests/bench/place-world.h"

typedef struct {
    uint64_t seed;
    bool quick;
    uint32_t n_hosts;
    Host *hosts;
} Bench;

/* lpard, lpard with its moves, and the others. */
#define N_CONTENDERS 6
extern const Contender *const contenders[N_CONTENDERS];

/* Plays an event; what the contender refuses while the host has the memory is counted. */
void play(World *world, const Contender *contender, const Event *event);

json_t *run_events(const Bench *bench);       /* everybody on every host */
json_t *run_small(const Bench *bench);        /* beside the exact optimum (place-small.c) */
json_t *run_moves(const Bench *bench);        /* from a bad start (place-moves.c) */

#endif
