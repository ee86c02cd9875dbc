/* How guests without an agent fare, by the word of their balloon's driver. */
#include <string.h>

#include "lpard/registry/registry-priv.h"

/* How often the driver speaks, and how often it is asked what it said: seldom enough for a host of
 * thousands, and often enough that what was said is never taken for old. */
#define PERIOD_SEC 5
#define ASK_USEC (10 * G_USEC_PER_SEC)
/* An agent that was there before lpard was introduces itself in this time; and what is asked
 * before the driver had a period's time has no answer. */
#define FIRST_USEC (5 * G_USEC_PER_SEC)
#define FIRST_WORD_USEC ((PERIOD_SEC + 1) * G_USEC_PER_SEC)
/* QEMU answers from its memory, without the guest.  As long as a look may take: one that is late
 * leaves the partition stuck. */
#define DEADLINE_MSEC 10000

typedef struct {
    char *uuid;
    char run_id[24];
    bool sets;                    /* the period, else asks */
    uint32_t period_sec;
    LpMemoryStats stats;
    int64_t age_usec;             /* of the answer */
} Asking;

static void
asking_free(gpointer data)
{
    Asking *asking = data;

    g_free(asking->uuid);
    g_free(asking);
}

static bool
ask(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    Asking *asking = data;
    int64_t now_sec;

    if (asking->sets)
        return driver->set_stats_period(conn, asking->uuid, asking->period_sec, error);
    if (!driver->memory_stats(conn, asking->uuid, &asking->stats, error))
        return false;
    now_sec = g_get_real_time() / G_USEC_PER_SEC;
    /* With the clock set back the guest spoke in the future: -1, till it speaks again. */
    asking->age_usec = asking->stats.last_update_sec <= (uint64_t) now_sec
                           ? (now_sec - (int64_t) asking->stats.last_update_sec) * G_USEC_PER_SEC
                           : -1;
    return true;
}

/* What MemTotal lacks of what it has; the driver can only lag behind the devices, so the least that
 * was seen is right. */
static void
calibrate(const LpView *view, LpBalloonWord *word)
{
    uint64_t plugged = lp_view_plugged_bytes(view);
    uint64_t has = plugged - MIN(plugged, view->balloon_bytes);

    if (word->total_bytes <= has && has - word->total_bytes <= lp_guest_kernel_most(view))
        word->kernel_bytes = MIN(word->kernel_bytes, has - word->total_bytes);
}

static void
take(LpPartition *partition, const Asking *asking)
{
    LpBalloonWord *word = &partition->balloon;
    const LpMemoryStats *stats = &asking->stats;

    /* One that does not say what it can use has said nothing: what is free is no measure. */
    if (stats->last_update_sec == 0 || asking->age_usec < 0 || stats->total_bytes == 0
        || stats->total_bytes == UINT64_MAX || stats->usable_bytes > stats->total_bytes) {
        word->known = false;
        return;
    }
    if (!word->known || word->last_update_sec != stats->last_update_sec)
        word->at_usec = g_get_monotonic_time() - asking->age_usec;
    word->known = true;
    word->last_update_sec = stats->last_update_sec;
    word->total_bytes = stats->total_bytes;
    word->available_bytes = stats->usable_bytes;
    calibrate(partition->view, word);
}

static void
asked(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    const Asking *asking = data;
    LpPartition *partition;

    (void) error;
    /* Past its deadline it is the thread's; the partition is stuck then, and begins anew. */
    if (abandoned)
        return;
    partition = lp_registry_by_uuid(user, asking->uuid);
    if (!partition || strcmp(partition->balloon.run_id, asking->run_id) != 0)
        return;
    partition->balloon.asking = false;
    if (ok && asking->sets)
        partition->view->stats_period_sec = asking->period_sec;
    else if (ok)
        take(partition, asking);
}

static void
call(LpRegistry *registry, LpPartition *partition, bool sets, uint32_t period_sec)
{
    Asking *asking = g_new0(Asking, 1);

    asking->uuid = g_strdup(partition->uuid);
    g_strlcpy(asking->run_id, partition->view->run_id, sizeof asking->run_id);
    asking->sets = sets;
    asking->period_sec = period_sec;
    partition->balloon.asking = true;
    lp_registry_call(registry, partition, ask, asking, asking_free, DEADLINE_MSEC, asked,
                     registry);
}

static void
forget(LpPartition *partition)
{
    partition->balloon = (LpBalloonWord){.kernel_bytes = UINT64_MAX};
    g_strlcpy(partition->balloon.run_id, partition->view->run_id,
              sizeof partition->balloon.run_id);
}

bool
lp_registry_ask_balloon(LpRegistry *registry, LpPartition *partition, bool wanted)
{
    LpBalloonWord *word = &partition->balloon;
    const LpView *view = partition->view;
    int64_t now = g_get_monotonic_time();
    bool agent = partition->guest.connected;

    if (view->run != LP_RUN_RUNNING || !view->has_balloon || partition->stuck) {
        forget(partition);
        return false;
    }
    if (strcmp(word->run_id, view->run_id) != 0 || (agent && word->known))
        forget(partition);
    /* Another period than lpard's is somebody else's wish. */
    if (word->asking || now < word->due_usec
        || (agent ? view->stats_period_sec != PERIOD_SEC : !wanted))
        return false;
    if (!agent && word->due_usec == 0) {
        word->due_usec = now + FIRST_USEC;
        return false;
    }
    if (agent || view->stats_period_sec == 0) {
        word->due_usec = now + (agent ? ASK_USEC : FIRST_WORD_USEC);
        call(registry, partition, true, agent ? 0 : PERIOD_SEC);
    } else {
        word->due_usec = now + ASK_USEC;
        call(registry, partition, false, 0);
    }
    return true;
}

const LpBalloonWord *
lp_partition_balloon(const LpPartition *partition)
{
    const LpBalloonWord *word = &partition->balloon;

    return word->known && !partition->guest.connected
                   && strcmp(word->run_id, partition->view->run_id) == 0
               ? word
               : NULL;
}
