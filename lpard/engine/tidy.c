/* vCPUs that left later than was waited for: they come off the record, and the hold that was for them
 * is lifted.  An operation as any other, so that it has its intent, its turn and its place in the
 * history. */
#include "lpard/engine/engine-priv.h"
#include "lpard/error.h"
#include "lpard/planted.h"

/* One that fails is followed by a look, which would try it again at once. */
#define TIDY_PAUSE_USEC (5 * G_USEC_PER_SEC)

/* What is not on record says the next look. */
static void
tidied(LpOperation *operation, const GError *error, void *data)
{
    (void) operation;
    (void) data;
    if (error)
        g_warning("a vCPU that left late could not be taken off the record: %s", error->message);
}

static bool
has_left(const LpEngine *engine, const LpPartition *partition)
{
    return lp_partition_has_profile(partition) && partition->view->run == LP_RUN_RUNNING
           && !lp_cpumask_covers(&partition->view->plugged, &partition->profile.folded)
           && lp_registry_connected(engine->registry);
}

static gboolean
on_pause(gpointer data)
{
    LpEngine *engine = data;
    g_autoptr(GPtrArray) list = lp_registry_list(engine->registry);

    engine->tidy_source = 0;
    for (guint i = 0; i < list->len; i++)
        lp_engine_tidy(engine, g_ptr_array_index(list, i));
    return G_SOURCE_REMOVE;
}

/* Nothing else may happen to it for long. */
static void
look_later(LpEngine *engine)
{
    if (!engine->tidy_source)
        engine->tidy_source = g_timeout_add((guint) (TIDY_PAUSE_USEC / 1000), on_pause, engine);
}

/* The vCPUs that it has, and no others: the plan leaves out what is folded and gone.  What is folded
 * concerns what runs only, so no new generation. */
static LpRequest *
request_for(const LpPartition *partition)
{
    LpRequest *request = g_new0(LpRequest, 1);

    request->kind = LP_OP_RESIZE;
    request->partition = g_strdup(partition->uuid);
    request->cpu_mode = LP_AMOUNT_SET;
    request->cpu = lp_partition_granted_cpus(partition);
    request->live_only = request->keep_desired = true;
    request->requester = g_strdup("lpard: a vCPU has left late");
    return request;
}

void
lp_engine_tidy(LpEngine *engine, LpPartition *partition)
{
    int64_t now = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;

    if (LP_PLANTED(LOST_LATE_EVENT))
        return;
    if (!has_left(engine, partition) || lp_engine_lane_depth(engine, partition->uuid) > 0)
        return;
    if ((partition->tidy_usec && now - partition->tidy_usec < TIDY_PAUSE_USEC)
        || !lp_engine_ready(engine, NULL)) {
        look_later(engine);
        return;
    }
    partition->tidy_usec = now;
    if (!lp_engine_submit(engine, request_for(partition), tidied, NULL, &error))
        tidied(NULL, error, NULL);
}
