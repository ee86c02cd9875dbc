/* A simulated host of two nodes with an optimizer, and what tests ask of it. */
#ifndef LP_TESTS_OPTIMIZE_FIXTURE_H
#define LP_TESTS_OPTIMIZE_FIXTURE_H

#include "engine_fixture.h"

#include "lpard/optimize/optimize-priv.h"

extern LpOptimizer *optimizer;
/* What it is made with; may be changed before begin_nodes(). */
extern LpSettings numa_settings;

/* The most vCPUs that guest() gives; 4 unless changed. */
extern unsigned guest_vcpus_max;
/* A domain with 2 of 1..4 vCPUs and 2 of 1..4 GiB; caller frees. `rule` NULL: no profile.  `more` goes into
 * the domain, and begins with a comma. */
char *guest(const char *name, const char *rule, const char *cells, const char *more);
/* One cell of 2 GiB, bound to `node`, with so many MiB on node 0 and on node 1. */
char *one_cell(int node, unsigned on_0, unsigned on_1);
/* Two nodes of 8 GiB and four processors each.  Frees the domains; the last is NULL. */
void begin_nodes(const char *host, char *first, ...) G_GNUC_NULL_TERMINATED;

/* As lp_optimizer_start(): the error's name, or NULL. */
char *try_optimize(const char *json, const char *key, bool dry, Asked *asked);
int64_t begin_optimize(const char *json);
const LpOperation *optimize(const char *json);
/* Of the plan of a dry run or an operation. */
const json_t *plan_part(const json_t *optimize, const char *name);
json_int_t plan_number(const json_t *json, const char *key);
const char *plan_text(const json_t *json, const char *key);

/* By the simulated host's own word: MiB of the domain's cells on a node. */
unsigned lies_on(const char *name, uint32_t node);
/* A partition's figure by GET /v1/score, measured anew; -1: null. */
json_int_t score_of(const char *name, const char *key);
json_t *scores_now(bool fresh);
uint64_t moved_of(int64_t id);
const char *phase_of(int64_t id);

#endif
