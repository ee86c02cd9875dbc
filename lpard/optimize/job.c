/* A layout takes up to a tenth of a second for a full host: it is made in a thread of its own, on values,
 * and the loop goes on. */
#include "lpard/optimize/optimize-priv.h"

struct LpLayoutJob {
    LpOptimizer *optimizer;
    LpPicture *picture;
    LpLayoutOrder order;
    LpLayout *layout;             /* NULL: no memory */
    GThread *thread;
    guint source;                 /* runs `finished` on the loop; set by the thread as it ends */
    LpLayoutFunc done;
    void *data;
};

static void
job_free(LpLayoutJob *job)
{
    lp_layout_free(job->layout);
    g_free(job);
}

static gboolean
finished(gpointer data)
{
    LpLayoutJob *job = data;

    /* The thread may still be on its way out. */
    g_thread_join(job->thread);
    g_ptr_array_remove_fast(job->optimizer->jobs, job);
    job->done(job->picture, job->layout, job->data);
    job_free(job);
    return G_SOURCE_REMOVE;
}

static gpointer
make(gpointer data)
{
    LpLayoutJob *job = data;
    LpLayout *layout = lp_layout_new();

    if (layout && !lp_layout_make(&job->picture->host, &job->order, layout)) {
        lp_layout_free(layout);
        layout = NULL;
    }
    job->layout = layout;
    job->source = g_idle_add_full(G_PRIORITY_DEFAULT, finished, job, NULL);
    return NULL;
}

void
lp_job_start(LpOptimizer *optimizer, LpPicture *picture, const LpLayoutOrder *order,
             LpLayoutFunc done, void *data)
{
    LpLayoutJob *job = g_new0(LpLayoutJob, 1);

    job->optimizer = optimizer;
    job->picture = picture;
    job->order = *order;
    job->done = done;
    job->data = data;
    g_ptr_array_add(optimizer->jobs, job);
    job->thread = g_thread_new("layout", make, job);
}

void
lp_jobs_end(LpOptimizer *optimizer)
{
    while (optimizer->jobs->len) {
        LpLayoutJob *job = g_ptr_array_steal_index_fast(optimizer->jobs, 0);

        g_thread_join(job->thread);
        g_source_remove(job->source);
        job->done(job->picture, NULL, job->data);
        job_free(job);
    }
}
