/* The autoscaler: once a second what is seen of every partition goes to the policy, and what it
 * decides becomes operations like any other's.
 *
 *   sense.c      registry -> the policy's values; cpu-use.c counts processor time off the loop
 *   heed.c       what operators and guests said by their own operations
 *   act.c        decisions -> requests to the engine; shares of processors
 *   chronicle.c  what changed, in words: the last lines, and events
 *   history.c    decisions with their inputs, in files that lpar-sim replays
 *   mode.c       the host's mode, across restarts;  report.c  what is said to who asks
 *
 * Main loop only.  lpard's death changes nothing: partitions keep what they have. */
#ifndef LP_LPARD_AUTOSCALE_H
#define LP_LPARD_AUTOSCALE_H

#include <glib.h>

#include "lpard/engine/engine.h"
#include "lpard/events.h"
#include "lpard/pools/pools.h"
#include "lpard/registry/registry.h"
#include "lpard/settings.h"
#include "policy/policy.h"

/* An operator who resizes a partition by hand knows something that the policy does not; it is
 * left alone for as long as a person takes to see what came of it. */
#define LP_OPERATOR_REST_SEC 900
/* What a guest asked for and got is held for it: its import runs for minutes, and it may ask
 * again. */
#define LP_ASK_HOLD_SEC 600
/* A guest that refused has its reason for a while. */
#define LP_VETO_REST_SEC 300
/* Lines of the log that are kept: a day of a calm host of a hundred partitions. */
#define LP_SCALER_LINES 1000

typedef struct LpScaler LpScaler;

/* Keeps pointers to all it is given but the settings.  Begins to work when the loop runs. */
LpScaler *lp_scaler_new(const LpSettings *settings, LpRegistry *registry, LpEngine *engine,
                        LpEvents *events);
/* The engine may not run any operation further after this: free it next. */
void lp_scaler_free(LpScaler *scaler);

/* From now on pools count; they must live as long as the autoscaler works. */
void lp_scaler_know_pools(LpScaler *scaler, const LpPools *pools);

LpMode lp_scaler_mode(const LpScaler *scaler);
/* What is left over stays with who has it. */
bool lp_scaler_burst(const LpScaler *scaler);
/* Takes effect at once, and outlives lpard when `done` (or NULL) says so without an error; then
 * the file in the state directory goes before lpard.conf. */
typedef void (*LpScalerSetDone)(const GError *error, void *data);
void lp_scaler_set(LpScaler *scaler, LpMode mode, bool burst, LpScalerSetDone done, void *data);

/* Why a partition is not to be changed now. */
typedef enum {
    LP_FIXED_NO, LP_FIXED_HELD, LP_FIXED_OPERATION, LP_FIXED_RUN, LP_FIXED_STUCK,
    LP_FIXED_OPERATOR, LP_FIXED_OVERRUN, LP_FIXED_S,
} LpFixed;
extern const char *const lp_fixed_names[LP_FIXED_S];   /* "no", "held", ... */

/* What was decided for a partition at the last tick; the pointers are good until control returns
 * to the loop. */
typedef struct {
    const LpPartition *partition;
    const LpPolicyPartition *input;
    const LpPolicyState *state;
    const LpDecision *decision;
    LpFixed fixed;
    int64_t fixed_left_sec;       /* of a hold or a rest; 0: no end is known */
    int64_t operation;            /* the policy's own that is under way; 0: none */
    const char *rival;            /* its name, or NULL */
    const LpPolicyHost *host;
} LpScaled;

/* False: nothing was decided, since it is off, has no usable profile, or no partition is in a
 * mode other than off. */
bool lp_scaler_find(LpScaler *scaler, const LpPartition *partition, LpScaled *ret);
/* The mode that holds for it. */
LpMode lp_scaler_mode_of(const LpScaler *scaler, const LpPartition *partition);
/* For people; one sentence a line.  Caller frees. */
char *lp_scaler_explain(const LpScaled *scaled);

/* What would be decided now if partitions in mode `host` were in mode `auto`, on copies of what is
 * remembered.  Calls `each` for every partition.  False: out of memory, or no domains are known. */
typedef void (*LpScalerEach)(const LpScaled *scaled, void *data);
bool lp_scaler_plan(LpScaler *scaler, LpScalerEach each, void *data);
/* The same for what was decided at the last tick. */
void lp_scaler_each(LpScaler *scaler, LpScalerEach each, void *data);

typedef struct {
    int64_t at_usec;              /* wall clock */
    char uuid[40];
    char *name;                   /* then */
    const char *what;             /* "grow", "shrink", "wait", "none", "result", "mode" */
    char *text;
} LpScalerLine;

/* Newest first.  `uuid` NULL: of all. */
void lp_scaler_lines(LpScaler *scaler, const char *uuid, size_t limit,
                     void (*each)(const LpScalerLine *line, void *data), void *data);

/* Since lpard started, and as of the last tick. */
typedef struct {
    uint64_t ticks;
    int64_t last_usec, max_usec, total_usec;   /* of the loop's time, a tick's work */
    uint64_t acts[LP_ACT_WAIT + 1];            /* decisions that changed */
    uint64_t requests, failures, vetoes;       /* what was asked of the engine, and its end */
    uint64_t shares;                           /* settings of processor shares */
    uint32_t n_decided, n_moving;
    uint64_t granted_bytes, want_bytes, target_bytes, free_bytes;
    uint64_t history_bytes;                    /* in its files */
    uint64_t history_dropped;                  /* ticks that the disk was too slow for */
    char history_error[200];                   /* empty: none */
} LpScalerFigures;
void lp_scaler_figures(LpScaler *scaler, LpScalerFigures *ret);
/* Where its files are. */
const char *lp_scaler_history_dir(const LpScaler *scaler);

#endif
