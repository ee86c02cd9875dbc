/* The optimizer: measures where every partition lies, keeps the scores, plans a better layout and
 * brings it about while the partitions run (PowerVM's Dynamic Platform Optimizer).
 *
 *   survey.c     asks the driver, a partition at a time, where it lies; the registry keeps it
 *   scores.c     registry -> numa/score, numa/layout's values: current, predicted, agreement
 *   plan.c       a layout -> ordered pieces of work (pins, pages, definitions); JSON and back
 *   run.c        one durable operation of kind `optimize`, piece by piece, in no lane: resizes go on
 *   schedule.c   starts one by itself: score <= threshold and gain >= delta
 *
 * Main loop only. */
#ifndef LP_LPARD_OPTIMIZE_H
#define LP_LPARD_OPTIMIZE_H

#include <glib.h>
#include <jansson.h>

#include "lpard/engine/engine.h"
#include "lpard/events.h"
#include "lpard/registry/registry.h"
#include "lpard/settings.h"
#include "numa/layout.h"

/* A piece of pages moved in one call: a tenth of a second at a gigabyte a second, which is as long as
 * a resize of that partition may have to wait for its turn. */
#define LP_OPTIMIZE_CHUNK_BYTES (64ULL << 20)
/* How often a partition is measured anew when nothing happens to it. */
#define LP_SURVEY_SEC 60
/* Pages asked about in a part; REVIEW C29. */
#define LP_SURVEY_SAMPLES 4096

typedef struct LpOptimizer LpOptimizer;

LpOptimizer *lp_optimizer_new(const LpSettings *settings, LpRegistry *registry, LpEngine *engine,
                              LpEvents *events);
void lp_optimizer_free(LpOptimizer *optimizer);

/* What was asked: `lparctl optimize`. */
typedef struct {
    char **requested, **protected_;    /* names or UUIDs, NULL-terminated; NULL: none */
    uint32_t min_gain;        /* points of a partition's score, hundredths */
    uint64_t max_bytes;       /* to move; 0: no limit */
    char *key, *requester;
} LpOptimizeRequest;
void lp_optimize_request_free(LpOptimizeRequest *request);
/* From an API body; NULL with LP_ERROR_USAGE naming the field. */
LpOptimizeRequest *lp_optimize_request_from_json(json_t *json, GError **error);

/* Plans on fresh measurements and, unless `dry_run`, begins.  `done` is called once on the main loop:
 * with the operation (durable; for a dry run id 0, to be freed by nobody) whose `optimize` has the plan, or
 * with an error.  Takes the request.  One optimization at a time: LP_ERROR_BUSY names the other. */
void lp_optimizer_start(LpOptimizer *optimizer, LpOptimizeRequest *request, bool dry_run,
                        LpAcceptedFunc done, void *data);

/* GET /v1/score: the host's and each partition's figures.  `fresh`: measures first.  `done` takes the
 * JSON (a new reference) or an error. */
typedef void (*LpScoresFunc)(json_t *scores, const GError *error, void *data);
void lp_optimizer_scores(LpOptimizer *optimizer, bool fresh, LpScoresFunc done, void *data);

/* The last figures of one partition for `show`; NULL: not measured.  New reference. */
json_t *lp_optimizer_score_of(LpOptimizer *optimizer, const LpPartition *partition);

/* For metrics: the host's score as last measured (LP_SCORE_NONE: not yet), and what has been done since
 * lpard started. */
typedef struct {
    uint32_t host_centi;
    uint64_t moved_bytes, runs;
} LpOptimizerFigures;
void lp_optimizer_figures(LpOptimizer *optimizer, LpOptimizerFigures *ret_figures);

#endif
