#include "lpard/optimize/optimize.h"

#include "lpard/error.h"
#include "lpard/optimize/optimize-priv.h"

/* A request on its way to its plan. */
typedef struct {
    LpOptimizer *optimizer;
    LpOptimizeRequest *request;
    bool dry_run, claims;
    uint32_t least_gain;
    GPtrArray *requested, *protected_;     /* UUIDs */
    LpWork *work;                 /* when it is planned */
    LpAcceptedFunc done;
    void *data;
} Planning;

static void
planning_free(Planning *planning)
{
    g_ptr_array_remove_fast(planning->optimizer->plannings, planning);
    if (planning->claims)
        planning->optimizer->claimed = false;
    lp_optimize_request_free(planning->request);
    g_clear_pointer(&planning->requested, g_ptr_array_unref);
    g_clear_pointer(&planning->protected_, g_ptr_array_unref);
    lp_work_free(planning->work);
    g_free(planning);
}

static void
fail(Planning *planning, const GError *error)
{
    LpAcceptedFunc done = planning->done;
    void *data = planning->data;

    planning_free(planning);
    done(NULL, error, data);
}

static LpRequest *
engine_request(const LpOptimizeRequest *from)
{
    LpRequest *request = g_new0(LpRequest, 1);

    request->kind = LP_OP_OPTIMIZE;
    request->key = g_strdup(from->key);
    request->requester = g_strdup(from->requester);
    request->optimize = lp_optimize_request_to_json(from);
    return request;
}

/* ---- a plan is there ---- */

static void
accepted(LpOperation *operation, const GError *error, void *data)
{
    Planning *planning = data;
    LpOptimizer *optimizer = planning->optimizer;
    LpAcceptedFunc done = planning->done;
    void *user = planning->data;
    LpWork *work = g_steal_pointer(&planning->work);

    planning_free(planning);
    if (error)
        lp_work_free(work);
    else
        lp_running_work(optimizer, operation, work);
    done(operation, error, user);
}

static void
submit(Planning *planning)
{
    LpOptimizer *optimizer = planning->optimizer;
    g_autoptr(GError) error = NULL;
    json_t *json = lp_work_to_json(planning->work,
                                   &lp_registry_host(optimizer->registry)->topology);

    if (!lp_engine_add_foreign(optimizer->engine, engine_request(planning->request), json,
                               accepted, planning, &error))
        fail(planning, error);
}

/* Shown, and forgotten. */
static void
show(Planning *planning)
{
    LpOperation *operation = lp_operation_new(engine_request(planning->request));
    LpAcceptedFunc done = planning->done;
    void *data = planning->data;

    operation->created_sec = g_get_real_time() / G_USEC_PER_SEC;
    operation->created_usec = operation->finished_usec = g_get_monotonic_time();
    operation->optimize = lp_work_to_json(
        planning->work, &lp_registry_host(planning->optimizer->registry)->topology);
    planning_free(planning);
    done(operation, NULL, data);
    lp_operation_free(operation);
}

static bool
gains_enough(const Planning *planning)
{
    const LpWork *work = planning->work;

    if (planning->least_gain == 0)
        return true;
    return work->before != LP_SCORE_NONE && work->predicted != LP_SCORE_NONE
           && work->predicted >= work->before
           && work->predicted - work->before >= planning->least_gain;
}

static void
planned(LpPicture *picture, LpLayout *layout, void *data)
{
    Planning *planning = data;
    LpWork *work = layout ? lp_work_from_layout(picture, layout) : NULL;
    g_autoptr(GError) error = NULL;

    lp_picture_free(picture);
    if (!work) {
        error = planning->optimizer->closing
                    ? g_error_new(LP_ERROR, LP_ERROR_UNREACHABLE, "lpard is ending")
                    : g_error_new(LP_ERROR, LP_ERROR_INTERNAL,
                                  "there is no memory to lay out the host in");
        fail(planning, error);
        return;
    }
    work->automatic = planning->least_gain > 0;
    work->dry = planning->dry_run;
    work->requested = g_strdupv(planning->request->requested);
    work->protected_ = g_strdupv(planning->request->protected_);
    work->min_gain = planning->request->min_gain;
    work->max_bytes = planning->request->max_bytes;
    planning->work = work;
    if (planning->dry_run) {
        show(planning);
    } else if (!gains_enough(planning)) {
        error = g_error_new(LP_ERROR, LP_ERROR_REFUSED, "there is too little to gain");
        fail(planning, error);
    } else {
        submit(planning);
    }
}

static void
measured(const GError *error, void *data)
{
    Planning *planning = data;
    LpOptimizer *optimizer = planning->optimizer;
    LpLayoutOrder order = {.max_bytes = planning->request->max_bytes,
                           .min_gain = planning->request->min_gain};
    LpPictureOrder seen = {.requested = planning->requested, .protected_ = planning->protected_,
                           .heed_holds = planning->least_gain > 0};

    if (error) {
        fail(planning, error);
        return;
    }
    lp_job_start(optimizer, lp_optimizer_picture(optimizer, seen), &order, planned, planning);
}

/* ---- a request comes ---- */

static bool
is_free(LpOptimizer *optimizer, GError **error)
{
    if (optimizer->running) {
        g_set_error(error, LP_ERROR, LP_ERROR_BUSY,
                    "operation %" G_GINT64_FORMAT " is optimizing the host already; wait for it, or "
                    "cancel it with `lparctl op cancel %" G_GINT64_FORMAT "`",
                    lp_running_operation(optimizer->running)->id,
                    lp_running_operation(optimizer->running)->id);
        return false;
    }
    if (optimizer->claimed) {
        g_set_error(error, LP_ERROR, LP_ERROR_BUSY,
                    "another optimization of the host is being planned; try again in a moment");
        return false;
    }
    return true;
}

/* False with the error; *ret_answered: a repeated key has its operation already. */
static bool
may_begin(LpOptimizer *optimizer, const LpOptimizeRequest *request, bool dry_run,
          LpAcceptedFunc done, void *data, bool *ret_answered, GError **error)
{
    g_autoptr(LpRequest) engine = NULL;

    *ret_answered = false;
    if (!lp_engine_ready(optimizer->engine, error))
        return false;
    if (dry_run)
        return true;
    engine = engine_request(request);
    if (!lp_engine_answer_repeated(optimizer->engine, engine, done, data, ret_answered, error))
        return false;
    return *ret_answered || is_free(optimizer, error);
}

static Planning *
planning_new(LpOptimizer *optimizer, LpOptimizeRequest *request, bool dry_run,
             LpAcceptedFunc done, void *data)
{
    Planning *planning = g_new0(Planning, 1);

    planning->optimizer = optimizer;
    planning->request = request;
    planning->dry_run = dry_run;
    planning->done = done;
    planning->data = data;
    planning->claims = !dry_run;
    if (planning->claims)
        optimizer->claimed = true;
    g_ptr_array_add(optimizer->plannings, planning);
    return planning;
}

void
lp_optimizer_begin(LpOptimizer *optimizer, LpOptimizeRequest *request, bool dry_run,
                   uint32_t least_gain, LpAcceptedFunc done, void *data)
{
    g_autoptr(GPtrArray) requested = NULL;
    g_autoptr(GPtrArray) kept = NULL;
    g_autoptr(GError) error = NULL;
    Planning *planning;
    bool answered;

    if (!may_begin(optimizer, request, dry_run, done, data, &answered, &error)
        || (!answered && !lp_optimize_request_resolve(request, optimizer->registry, &requested,
                                                      &kept, &error))) {
        lp_optimize_request_free(request);
        done(NULL, error, data);
        return;
    }
    if (answered) {
        lp_optimize_request_free(request);
        return;
    }
    planning = planning_new(optimizer, request, dry_run, done, data);
    planning->least_gain = least_gain;
    planning->requested = g_steal_pointer(&requested);
    planning->protected_ = g_steal_pointer(&kept);
    lp_survey_fresh(optimizer, NULL, measured, planning);
}

void
lp_optimizer_accept(LpOptimizer *optimizer, LpOptimizeRequest *request, LpWork *work,
                    LpAcceptedFunc done, void *data)
{
    g_autoptr(GError) error = NULL;
    Planning *planning;

    if (!lp_engine_ready(optimizer->engine, &error) || !is_free(optimizer, &error)) {
        lp_optimize_request_free(request);
        lp_work_free(work);
        done(NULL, error, data);
        return;
    }
    planning = planning_new(optimizer, request, false, done, data);
    planning->work = work;
    work->automatic = true;
    submit(planning);
}

void
lp_optimizer_start(LpOptimizer *optimizer, LpOptimizeRequest *request, bool dry_run,
                   LpAcceptedFunc done, void *data)
{
    lp_optimizer_begin(optimizer, request, dry_run, 0, done, data);
}

/* ---- the engine's side ---- */

static void
on_cancel(LpOperation *operation, void *data)
{
    LpOptimizer *optimizer = data;

    /* Else it has just ended, and that is on its way to disk; or it is not begun yet. */
    if (optimizer->running && lp_running_operation(optimizer->running) == operation)
        lp_running_stop_work(optimizer->running);
}

static void
on_take_up(LpOperation *operation, void *data)
{
    LpOptimizer *optimizer = data;

    if (optimizer->running) {
        lp_engine_end_foreign(optimizer->engine, operation, LP_OP_FAILED, "failed",
                              "another optimization was taken up instead");
        return;
    }
    lp_running_take_up(optimizer, operation);
}

/* ---- begin and end ---- */

LpOptimizer *
lp_optimizer_new(const LpSettings *settings, LpRegistry *registry, LpEngine *engine,
                 LpEvents *events)
{
    LpOptimizer *optimizer = g_new0(LpOptimizer, 1);
    LpForeign foreign = {.cancel = on_cancel, .take_up = on_take_up, .data = optimizer};

    optimizer->registry = registry;
    optimizer->engine = engine;
    optimizer->events = events;
    optimizer->automatic = settings->optimize_auto;
    optimizer->threshold = settings->optimize_threshold;
    optimizer->delta = settings->optimize_delta;
    optimizer->rate_bytes = settings->move_rate_bytes;
    optimizer->pressure_centi = settings->move_pressure_centi;
    optimizer->procfs = "/proc";
    optimizer->figures.host_centi = LP_SCORE_NONE;
    optimizer->tried_usec = optimizer->tidied_usec = g_get_monotonic_time();
    optimizer->jobs = g_ptr_array_new();
    optimizer->plannings = g_ptr_array_new();
    optimizer->scorings = g_ptr_array_new();
    lp_survey_begin(optimizer);
    lp_engine_serve_foreign(engine, LP_OP_OPTIMIZE, &foreign);
    return optimizer;
}

void
lp_optimizer_free(LpOptimizer *optimizer)
{
    if (!optimizer)
        return;
    optimizer->closing = true;
    lp_engine_serve_foreign(optimizer->engine, LP_OP_OPTIMIZE, NULL);
    lp_jobs_end(optimizer);
    lp_survey_end(optimizer);
    lp_scores_end(optimizer);
    /* What is left waits for the journal, which answers nobody any more. */
    while (optimizer->plannings->len)
        planning_free(g_ptr_array_index(optimizer->plannings, 0));
    lp_running_drop(optimizer->running);
    g_ptr_array_unref(optimizer->plannings);
    g_ptr_array_unref(optimizer->jobs);
    g_free(optimizer);
}

void
lp_optimizer_figures(LpOptimizer *optimizer, LpOptimizerFigures *ret_figures)
{
    *ret_figures = optimizer->figures;
}
