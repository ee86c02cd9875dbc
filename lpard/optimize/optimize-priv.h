/* The optimizer's inside, for the files that make it up. */
#ifndef LP_LPARD_OPTIMIZE_PRIV_H
#define LP_LPARD_OPTIMIZE_PRIV_H

#include "lpard/optimize/optimize.h"
#include "lpard/optimize/picture.h"
#include "lpard/optimize/work.h"

/* Every file of it looks at this one domain through the same eyes; from its first sight until it is
 * gone. */
typedef struct {
    LpOptimizer *optimizer;
    LpPartition *partition;
    bool asking, again;           /* a measurement is under way; and is wanted anew after it */
    bool queued;                  /* waits for its turn */
    uint64_t begun;               /* LpOptimizer.turn when the one under way began */
    int64_t due_usec;             /* when it is to be measured next without being asked for */
    char run_id[24];              /* that it was last asked about in */
    char *error;                  /* why it could not be measured, or NULL */
    GArray *weights;              /* by vCPU, of uint32_t: its time between the last two measurements in
                                     LP_VCPU_BUSYths; NULL: there were none */
    int64_t operation_ended;      /* the last that made it be measured */
    /* lp_score_best() takes its time where a partition fits no node. */
    struct {
        uint64_t bytes;
        uint32_t vcpus, best;
        LpNodeSet allowed;
    } kept;
} LpSurveyed;

typedef struct LpRunning LpRunning;     /* run.c */
typedef struct LpLayoutJob LpLayoutJob; /* job.c */

struct LpOptimizer {
    LpRegistry *registry;
    LpEngine *engine;
    LpEvents *events;
    bool automatic;
    uint32_t threshold, delta;    /* points */
    uint64_t rate_bytes;
    uint32_t pressure_centi;
    LpTopology *topology;         /* the registry's, for calls that may outlast it; reference-counted */
    const char *procfs;           /* "/proc"; another one in tests */
    bool closing;

    /* survey.c */
    GHashTable *items;            /* uuid -> LpSurveyed */
    GQueue queue;                 /* of LpSurveyed*: to be measured now */
    GPtrArray *waiters;           /* of Waiter* in survey.c */
    guint n_asking;
    uint64_t turn;                /* counts measurements begun */
    int64_t cost_usec;            /* of one measurement: processor time, smoothed */
    guint tick_source;

    GPtrArray *jobs;              /* of LpLayoutJob*, under way */
    GPtrArray *plannings;         /* of Planning* in optimize.c, under way */
    bool claimed;                 /* one of them will be begun */
    GPtrArray *scorings;          /* of Scoring* in scores.c: those who wait */
    bool scoring;
    LpRunning *running;           /* or NULL */
    int64_t tried_usec;           /* when schedule.c last planned; 0: never */
    int64_t tidied_usec, tidy_pause_usec;
    LpOptimizerFigures figures;
};

/* survey.c */
void lp_survey_begin(LpOptimizer *optimizer);
void lp_survey_end(LpOptimizer *optimizer);
LpSurveyed *lp_survey_item(LpOptimizer *optimizer, const char *uuid);
/* Soon, once. */
void lp_survey_soon(LpOptimizer *optimizer, const char *uuid);
/* All of `uuids` (NULL: every running domain) are measured anew; `done` when they were, or cannot be.  It is
 * called with what was wrong only when lpard is ending. */
typedef void (*LpSurveyFunc)(const GError *error, void *data);
void lp_survey_fresh(LpOptimizer *optimizer, GPtrArray *uuids, LpSurveyFunc done, void *data);

/* job.c: a layout made in a thread of its own.  Takes the picture, which `done` gives back; `layout` NULL:
 * there was no memory for it, or lpard is ending. */
typedef void (*LpLayoutFunc)(LpPicture *picture, LpLayout *layout, void *data);
void lp_job_start(LpOptimizer *optimizer, LpPicture *picture, const LpLayoutOrder *order,
                  LpLayoutFunc done, void *data);
void lp_jobs_end(LpOptimizer *optimizer);

/* optimize.c */
/* What starts by itself: begun only where the gain is `least_gain` hundredths of the host's score or more. */
void lp_optimizer_begin(LpOptimizer *optimizer, LpOptimizeRequest *request, bool dry_run,
                        uint32_t least_gain, LpAcceptedFunc done, void *data);
/* The same for work that is decided already; takes it. */
void lp_optimizer_accept(LpOptimizer *optimizer, LpOptimizeRequest *request, LpWork *work,
                         LpAcceptedFunc done, void *data);

/* request.c */
json_t *lp_optimize_request_to_json(const LpOptimizeRequest *request);
LpOptimizeRequest *lp_optimize_request_new(const char *requester);
/* Each a domain; no name in both lists.  Names become UUIDs in *ret_requested and *ret_protected (of char*,
 * owned). */
bool lp_optimize_request_resolve(const LpOptimizeRequest *request, LpRegistry *registry,
                                 GPtrArray **ret_requested, GPtrArray **ret_protected,
                                 GError **error);

/* scores.c */
LpPicture *lp_optimizer_picture(LpOptimizer *optimizer, LpPictureOrder order);
void lp_scores_end(LpOptimizer *optimizer);

/* run.c */
/* Takes the work. */
void lp_running_work(LpOptimizer *optimizer, LpOperation *operation, LpWork *work);
void lp_running_stop_work(LpRunning *running);
void lp_running_take_up(LpOptimizer *optimizer, LpOperation *operation);
void lp_running_drop(LpRunning *running);
LpOperation *lp_running_operation(const LpRunning *running);
/* A fresh measurement of it is in the registry. */
void lp_running_measured(LpRunning *running, LpPartition *partition);
/* An operation has changed. */
void lp_running_heard(LpRunning *running, const LpOperation *operation);
void lp_running_pump_soon(LpRunning *running);

/* schedule.c: what begins by itself. */
void lp_schedule_look(LpOptimizer *optimizer);
/* What one came to, whoever began it. */
void lp_schedule_ended(LpOptimizer *optimizer, const char *requester, const LpWork *work);

#endif
