#include "lpard/api/api-work.h"

enum { WAITING, BEGUN, NEVER };

typedef struct {
    gint stage;                   /* atomic */
    LpDefinitionFunc func;
    void *data;
    void (*unref)(void *);
    /* Main loop only. */
    LpApi *api;
    LpWorkDone done;
    void *user;
} Work;

static void
work_free(void *data)
{
    Work *work = data;

    work->unref(work->data);
    g_free(work);
}

static bool
in_worker(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    Work *work = data;

    if (!g_atomic_int_compare_and_exchange(&work->stage, WAITING, BEGUN)) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "the work was given up already");
        return false;
    }
    return work->func(driver, conn, work->data, error);
}

static void
on_done(bool ok, const GError *error, void *data)
{
    Work *work = data;
    g_autoptr(GError) unknown = NULL;

    /* Nobody waits for it any more. */
    g_atomic_int_compare_and_exchange(&work->stage, WAITING, NEVER);
    if (!ok && !error)
        unknown = g_error_new(LP_ERROR, LP_ERROR_INTERNAL, "the work failed without a reason");
    work->done(ok ? NULL : error ? error : unknown, work->data, work->user);
    lp_api_unref(work->api);
}

bool
lp_api_work(LpApi *api, const char *uuid, const char *what, LpDefinitionFunc func, void *data,
            void *(*ref)(void *), void (*unref)(void *), LpWorkDone done, void *user,
            GError **error)
{
    Work *work = g_new0(Work, 1);

    *work = (Work){
        .stage = WAITING, .func = func, .data = ref(data), .unref = unref,
        .api = lp_api_ref(api), .done = done, .user = user,
    };
    if (lp_engine_definition(api->engine, uuid, what, in_worker, on_done, work, work_free, error))
        return true;
    lp_api_unref(work->api);
    work_free(work);
    return false;
}
