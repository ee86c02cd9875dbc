#include "lpard/registry/workers.h"

/* libvirtd serves about 14 blocking calls at once before it stalls everybody (max_workers 20, and
 * some are for itself); staying below leaves room for operators' own virsh. */
#define MAX_THREADS 12
/* Connections cost libvirtd memory; a few warm ones are enough for a quiet host. */
#define MAX_IDLE 4
/* How long shutdown waits for calls under way. */
#define DRAIN_USEC (3 * G_USEC_PER_SEC)

/* A waiting or finished job is the main loop's, a running one its thread's, which also frees it
 * if it was abandoned meanwhile. */
typedef enum { JOB_WAITING, JOB_RUNNING, JOB_FINISHED, JOB_ABANDONED } JobState;

typedef struct {
    LpWorkers *workers;
    JobState state;                /* under workers->mutex */
    LpJobFunc func;
    LpJobDone done;
    void *data, *user;
    GDestroyNotify free_data;
    bool ok;
    GError *error;
    guint deadline_source;         /* main loop only */
} Job;

struct LpWorkers {
    char *uri;
    const LpDriver *driver;
    GMutex mutex;
    GCond changed;
    GQueue waiting;                /* of Job* */
    GPtrArray *jobs;               /* of Job*, all but the abandoned; main loop only */
    unsigned n_threads, n_idle, n_abandoned;
    bool stopping;
    guint refs;                    /* the owner's, and one a thread */
};

static void
workers_unref_unlock(LpWorkers *workers)
{
    bool last = --workers->refs == 0;

    g_mutex_unlock(&workers->mutex);
    if (!last)
        return;
    g_mutex_clear(&workers->mutex);
    g_cond_clear(&workers->changed);
    g_free(workers->uri);
    g_free(workers);
}

static void
job_free(Job *job)
{
    if (job->free_data)
        job->free_data(job->data);
    g_clear_error(&job->error);
    g_free(job);
}

static gboolean
job_finished(gpointer data)
{
    Job *job = data;

    if (job->deadline_source)
        g_source_remove(job->deadline_source);
    g_ptr_array_remove_fast(job->workers->jobs, job);
    job->done(job->ok, false, job->data, job->error, job->user);
    job_free(job);
    return G_SOURCE_REMOVE;
}

static gpointer worker_thread(gpointer data);

/* A thread for what waits, if there is none idle and there may be one more.  Abandoned threads do
 * not count: the lanes that they belong to are stuck, and the engine bounds those.  The mutex is
 * held. */
static void
spawn_if_needed(LpWorkers *workers)
{
    if (g_queue_get_length(&workers->waiting) <= workers->n_idle
        || workers->n_threads - workers->n_abandoned >= MAX_THREADS)
        return;
    workers->n_threads++;
    workers->refs++;
    g_thread_unref(g_thread_new("lpard-worker", worker_thread, workers));
}

static gboolean
job_overdue(gpointer data)
{
    Job *job = data;
    LpWorkers *workers = job->workers;
    g_autoptr(GError) error = NULL;
    /* Once it is abandoned its thread may free it at any moment. */
    LpJobDone done = job->done;
    void *user = job->user;
    JobState state;

    g_mutex_lock(&workers->mutex);
    state = job->state;
    job->deadline_source = 0;
    if (state == JOB_WAITING)
        g_queue_remove(&workers->waiting, job);
    if (state != JOB_FINISHED)
        g_ptr_array_remove_fast(workers->jobs, job);
    if (state == JOB_RUNNING) {
        job->state = JOB_ABANDONED;
        workers->n_abandoned++;
        spawn_if_needed(workers);
    }
    g_mutex_unlock(&workers->mutex);

    if (state == JOB_FINISHED)
        return G_SOURCE_REMOVE;   /* its answer is already on its way here */
    if (state == JOB_WAITING) {
        g_set_error(&error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED,
                    "no worker became free in time: other calls to the hypervisor hang");
        done(false, false, job->data, error, user);
        job_free(job);
    } else {
        g_set_error(&error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNKNOWN,
                    "the hypervisor did not answer in time");
        done(false, true, NULL, error, user);
    }
    return G_SOURCE_REMOVE;
}

static void
run_job(LpWorkers *workers, Job *job, LpConn **conn)
{
    if (!*conn)
        *conn = workers->driver->open(workers->uri, &job->error);
    if (!*conn)
        return;
    job->ok = job->func(workers->driver, *conn, job->data, &job->error);
    /* A connection that was cut is of no more use; the next job opens its own. */
    if (!job->ok
        && (g_error_matches(job->error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNREACHABLE)
            || g_error_matches(job->error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNKNOWN))) {
        workers->driver->close(*conn);
        *conn = NULL;
    }
}

/* The next job, or NULL when this thread should end.  The mutex is held. */
static Job *
next_job(LpWorkers *workers)
{
    Job *job;

    while (!(job = g_queue_pop_head(&workers->waiting))) {
        if (workers->stopping || workers->n_idle >= MAX_IDLE)
            return NULL;
        workers->n_idle++;
        g_cond_wait(&workers->changed, &workers->mutex);
        workers->n_idle--;
    }
    job->state = JOB_RUNNING;
    return job;
}

/* Hands the job back.  False when it was abandoned: the thread has to end, since the hypervisor
 * may still hold the connection in an unknown state. The mutex is held, and dropped for a while. */
static bool
give_back(LpWorkers *workers, Job *job)
{
    if (job->state != JOB_ABANDONED) {
        job->state = JOB_FINISHED;
        /* An idle source and not g_main_context_invoke(): that may run it in this thread. */
        g_idle_add_full(G_PRIORITY_DEFAULT, job_finished, job, NULL);
        return true;
    }
    workers->n_abandoned--;
    g_mutex_unlock(&workers->mutex);
    job_free(job);
    g_mutex_lock(&workers->mutex);
    return false;
}

static gpointer
worker_thread(gpointer data)
{
    LpWorkers *workers = data;
    LpConn *conn = NULL;
    bool usable = true;
    Job *job;

    g_mutex_lock(&workers->mutex);
    while (usable && (job = next_job(workers))) {
        g_mutex_unlock(&workers->mutex);
        run_job(workers, job, &conn);
        g_mutex_lock(&workers->mutex);
        usable = give_back(workers, job);
    }
    g_mutex_unlock(&workers->mutex);
    if (conn)
        workers->driver->close(conn);
    g_mutex_lock(&workers->mutex);
    workers->n_threads--;
    g_cond_broadcast(&workers->changed);
    workers_unref_unlock(workers);
    return NULL;
}

LpWorkers *
lp_workers_new(const char *uri)
{
    LpWorkers *workers = g_new0(LpWorkers, 1);

    workers->uri = g_strdup(uri);
    workers->driver = lp_driver_for(uri);
    workers->refs = 1;
    workers->jobs = g_ptr_array_new();
    g_mutex_init(&workers->mutex);
    g_cond_init(&workers->changed);
    g_queue_init(&workers->waiting);
    return workers;
}

/* Nobody is answered any more. The mutex is held. */
static void
drop_job(LpWorkers *workers, Job *job)
{
    while (g_source_remove_by_user_data(job))
        ;
    if (job->state == JOB_RUNNING) {
        job->state = JOB_ABANDONED;
        workers->n_abandoned++;
    } else {
        job_free(job);
    }
}

void
lp_workers_free(LpWorkers *workers)
{
    gint64 until = g_get_monotonic_time() + DRAIN_USEC;

    if (!workers)
        return;
    g_mutex_lock(&workers->mutex);
    workers->stopping = true;
    g_queue_clear(&workers->waiting);
    g_cond_broadcast(&workers->changed);
    while (workers->n_threads > workers->n_abandoned
           && g_cond_wait_until(&workers->changed, &workers->mutex, until))
        ;
    for (guint i = 0; i < workers->jobs->len; i++)
        drop_job(workers, g_ptr_array_index(workers->jobs, i));
    g_ptr_array_unref(workers->jobs);
    workers_unref_unlock(workers);
}

void
lp_workers_run(LpWorkers *workers, LpJobFunc func, void *data, GDestroyNotify free_data,
               uint32_t deadline_msec, LpJobDone done, void *user)
{
    Job *job = g_new0(Job, 1);

    job->workers = workers;
    job->func = func;
    job->done = done;
    job->data = data;
    job->free_data = free_data;
    job->user = user;
    job->deadline_source = g_timeout_add(deadline_msec, job_overdue, job);

    g_ptr_array_add(workers->jobs, job);
    g_mutex_lock(&workers->mutex);
    g_queue_push_tail(&workers->waiting, job);
    spawn_if_needed(workers);
    g_cond_signal(&workers->changed);
    g_mutex_unlock(&workers->mutex);
}

unsigned
lp_workers_abandoned(const LpWorkers *workers)
{
    return workers->n_abandoned;
}

const LpDriver *
lp_workers_driver(const LpWorkers *workers)
{
    return workers->driver;
}

const char *
lp_workers_uri(const LpWorkers *workers)
{
    return workers->uri;
}
