/* Measures where every running domain lies: when it is first seen, when its size has changed, when
 * somebody asks, and else now and then, spread so evenly that nobody notices. */
#include <string.h>
#include <time.h>

#include "lpard/error.h"
#include "lpard/optimize/optimize-priv.h"

/* Calls of it under way at once: libvirt's workers are for everybody. */
#define AT_ONCE 4
#define TICK_SEC 1
/* What measuring by itself may cost: so many of a million of one processor's time. */
#define COST_PPM 1000
/* And what it costs the loop to be woken by each, which polls as many sockets as there are guests. */
#define LOOP_USEC 200
/* /proc/PID/maps and a few thousand pages; a process that exits takes longer. */
#define LOCATE_DEADLINE_MSEC 15000
/* Of a vCPU that does nothing, the hundredth part of one that is always at work. */
#define IDLE_DIVISOR 100
#define WEIGH_LEAST_USEC (1 * G_USEC_PER_SEC)
/* A resize that ended by the device's word may still be filling pages. */
#define AFTER_RESIZE_USEC (1 * G_USEC_PER_SEC)

/* Who waits until all of some are measured. */
typedef struct {
    GHashTable *left;             /* uuids, owned */
    uint64_t turn;                /* measurements that begin after this count */
    LpSurveyFunc done;
    void *data;
} Waiter;

typedef struct {
    LpOptimizer *optimizer;
    char uuid[40];
    LpTopology *topology;         /* held: the call may outlast the registry that it is from */
    LpLocality *locality;
    int64_t cost_usec;
} Locate;

static void next_calls(LpOptimizer *optimizer);

static void
waiter_free(gpointer data)
{
    Waiter *waiter = data;

    g_hash_table_unref(waiter->left);
    g_free(waiter);
}

/* Each is answered once: it is out of the list before, for it may ask anew at once. */
static void
answer_waiters(LpOptimizer *optimizer)
{
    for (guint i = 0; i < optimizer->waiters->len;) {
        Waiter *waiter = g_ptr_array_index(optimizer->waiters, i);

        if (g_hash_table_size(waiter->left) > 0) {
            i++;
            continue;
        }
        g_ptr_array_steal_index(optimizer->waiters, i);
        waiter->done(NULL, waiter->data);
        waiter_free(waiter);
        i = 0;
    }
}

/* `turn` is that of the measurement that ended; UINT64_MAX: there will be none. */
static void
strike_off(LpOptimizer *optimizer, const char *uuid, uint64_t turn)
{
    for (guint i = 0; i < optimizer->waiters->len; i++) {
        Waiter *waiter = g_ptr_array_index(optimizer->waiters, i);

        if (turn > waiter->turn)
            g_hash_table_remove(waiter->left, uuid);
    }
    answer_waiters(optimizer);
}

/* ---- one measurement ---- */

static bool
can_measure(const LpPartition *partition)
{
    LpRunState run = partition->view->run;

    return (run == LP_RUN_RUNNING || run == LP_RUN_PAUSED) && !partition->stuck;
}

static int64_t
thread_usec(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
        return 0;
    return (int64_t) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static bool
locate_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    Locate *locate = data;
    int64_t begun = thread_usec();

    if (!driver->locate) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                    "this hypervisor does not tell where memory lies");
        return false;
    }
    locate->locality = driver->locate(conn, locate->uuid, locate->topology, LP_SURVEY_SAMPLES,
                                      error);
    locate->cost_usec = thread_usec() - begun;
    return locate->locality != NULL;
}

static void
locate_free(void *data)
{
    Locate *locate = data;

    lp_locality_free(locate->locality);
    g_atomic_rc_box_release(locate->topology);
    g_free(locate);
}

static const LpLocalityVcpu *
find_vcpu(const LpLocality *locality, uint32_t vcpu)
{
    for (uint32_t i = 0; i < locality->n_vcpus; i++)
        if (locality->vcpus[i].vcpu == vcpu)
            return &locality->vcpus[i];
    return NULL;
}

/* What each vCPU ran since it was last asked about.  A little in any case: those of an idle guest count
 * alike, and one that came in between is no less there. */
static void
weigh_vcpus(LpSurveyed *item, const LpLocality *now, int64_t since_usec)
{
    const LpLocality *before = item->partition->locality;

    if (!before || strcmp(before->run_id, now->run_id) != 0) {
        g_clear_pointer(&item->weights, g_array_unref);
        return;
    }
    /* Too short a time tells nothing: what was known stays. */
    if (since_usec < WEIGH_LEAST_USEC)
        return;
    g_clear_pointer(&item->weights, g_array_unref);
    item->weights = g_array_new(FALSE, TRUE, sizeof(uint32_t));
    for (uint32_t i = 0; i < now->n_vcpus; i++) {
        const LpLocalityVcpu *vcpu = &now->vcpus[i], *then = find_vcpu(before, vcpu->vcpu);
        uint64_t ran = then ? vcpu->time_usec - MIN(vcpu->time_usec, then->time_usec) : 0;
        uint64_t weight = MIN(ran, (uint64_t) since_usec) * LP_VCPU_BUSY / (uint64_t) since_usec;

        if (vcpu->vcpu >= LP_MAX_CPUS)
            continue;
        if (item->weights->len <= vcpu->vcpu)
            g_array_set_size(item->weights, vcpu->vcpu + 1);
        g_array_index(item->weights, uint32_t, vcpu->vcpu) =
            (uint32_t) MAX(weight, LP_VCPU_BUSY / IDLE_DIVISOR);
    }
}

static void
item_free(LpSurveyed *item)
{
    g_clear_pointer(&item->weights, g_array_unref);
    g_free(item->error);
    g_free(item);
}

/* As seldom as its cost demands, but at least as often as LP_SURVEY_SEC says where that is cheap. */
static int64_t
pause_usec(const LpOptimizer *optimizer)
{
    int64_t sweep = (optimizer->cost_usec + LOOP_USEC) * g_hash_table_size(optimizer->items);

    return MAX((int64_t) LP_SURVEY_SEC * G_USEC_PER_SEC, sweep * (1000000 / COST_PPM));
}

static void
note_failure(LpSurveyed *item, const GError *error)
{
    g_free(item->error);
    item->error = g_strdup(error ? error->message : "the hypervisor does not answer");
}

static void
locate_done(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    Locate *locate = abandoned ? NULL : data;
    LpSurveyed *item = user;
    LpOptimizer *optimizer = item->optimizer;
    LpPartition *partition = item->partition;
    uint64_t turn = item->begun;
    g_autofree char *uuid = NULL;

    optimizer->n_asking--;
    item->asking = false;
    /* It went while it was asked about: survey_gone() has answered for it. */
    if (!partition) {
        item_free(item);
        next_calls(optimizer);
        return;
    }
    uuid = g_strdup(partition->uuid);
    item->due_usec = g_get_monotonic_time() + pause_usec(optimizer);
    if (locate)
        optimizer->cost_usec = optimizer->cost_usec
                                   ? (optimizer->cost_usec * 7 + locate->cost_usec) / 8
                                   : locate->cost_usec;
    if (ok && !abandoned) {
        g_clear_pointer(&item->error, g_free);
        weigh_vcpus(item, locate->locality,
                    g_get_monotonic_time() - item->partition->locality_usec);
        lp_registry_locate(optimizer->registry, partition, g_steal_pointer(&locate->locality));
    } else {
        note_failure(item, error);
    }
    if (item->again) {
        item->again = false;
        lp_survey_soon(optimizer, uuid);
    }
    if (optimizer->running)
        lp_running_measured(optimizer->running, partition);
    strike_off(optimizer, uuid, turn);
    next_calls(optimizer);
}

static void
ask(LpSurveyed *item)
{
    LpOptimizer *optimizer = item->optimizer;
    Locate *locate = g_new0(Locate, 1);

    g_strlcpy(locate->uuid, item->partition->uuid, sizeof locate->uuid);
    locate->topology = g_atomic_rc_box_acquire(optimizer->topology);
    g_strlcpy(item->run_id, item->partition->view->run_id, sizeof item->run_id);
    item->asking = true;
    item->begun = ++optimizer->turn;
    optimizer->n_asking++;
    lp_registry_call(optimizer->registry, item->partition, locate_job, locate, locate_free,
                     LOCATE_DEADLINE_MSEC, locate_done, item);
}

static void
next_calls(LpOptimizer *optimizer)
{
    while (!optimizer->closing && optimizer->n_asking < AT_ONCE) {
        LpSurveyed *item = g_queue_pop_head(&optimizer->queue);

        if (!item)
            return;
        item->queued = false;
        if (can_measure(item->partition))
            ask(item);
        else
            strike_off(optimizer, item->partition->uuid, UINT64_MAX);
    }
}

static void
enqueue(LpSurveyed *item)
{
    if (item->queued)
        return;
    if (item->asking) {
        item->again = true;
        return;
    }
    item->queued = true;
    g_queue_push_tail(&item->optimizer->queue, item);
}

LpSurveyed *
lp_survey_item(LpOptimizer *optimizer, const char *uuid)
{
    return g_hash_table_lookup(optimizer->items, uuid);
}

void
lp_survey_soon(LpOptimizer *optimizer, const char *uuid)
{
    LpSurveyed *item = lp_survey_item(optimizer, uuid);

    if (!item)
        return;
    enqueue(item);
    next_calls(optimizer);
}

static void
wait_for(Waiter *waiter, LpSurveyed *item)
{
    if (!can_measure(item->partition))
        return;
    g_hash_table_add(waiter->left, g_strdup(item->partition->uuid));
    enqueue(item);
}

void
lp_survey_fresh(LpOptimizer *optimizer, GPtrArray *uuids, LpSurveyFunc done, void *data)
{
    Waiter *waiter = g_new0(Waiter, 1);
    GHashTableIter iter;
    LpSurveyed *item;

    waiter->left = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    waiter->turn = optimizer->turn;
    waiter->done = done;
    waiter->data = data;
    if (!uuids) {
        g_hash_table_iter_init(&iter, optimizer->items);
        while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &item))
            wait_for(waiter, item);
    }
    for (guint i = 0; uuids && i < uuids->len; i++) {
        item = lp_survey_item(optimizer, g_ptr_array_index(uuids, i));
        if (item)
            wait_for(waiter, item);
    }
    g_ptr_array_add(optimizer->waiters, waiter);
    next_calls(optimizer);
    answer_waiters(optimizer);
}

/* ---- without being asked ---- */

static gboolean
on_tick(gpointer data)
{
    LpOptimizer *optimizer = data;
    int64_t now = g_get_monotonic_time();
    guint n = g_hash_table_size(optimizer->items), left;
    GHashTableIter iter;
    LpSurveyed *item;

    if (!lp_registry_synced(optimizer->registry))
        return G_SOURCE_CONTINUE;
    /* Even where all are due at once, as after a start. */
    left = MAX(AT_ONCE, n / LP_SURVEY_SEC + 1);
    g_hash_table_iter_init(&iter, optimizer->items);
    while (left > 0 && g_hash_table_iter_next(&iter, NULL, (gpointer *) &item)) {
        if (item->due_usec > now || item->queued || item->asking || !can_measure(item->partition))
            continue;
        enqueue(item);
        left--;
    }
    next_calls(optimizer);
    lp_schedule_look(optimizer);
    return G_SOURCE_CONTINUE;
}

static void
survey_seen(LpOptimizer *optimizer, LpPartition *partition)
{
    LpSurveyed *item = g_new0(LpSurveyed, 1);

    item->optimizer = optimizer;
    item->partition = partition;
    g_hash_table_insert(optimizer->items, partition->uuid, item);
}

static void
survey_gone(LpOptimizer *optimizer, LpPartition *partition)
{
    LpSurveyed *item = lp_survey_item(optimizer, partition->uuid);
    g_autofree char *uuid = g_strdup(partition->uuid);

    if (!item)
        return;
    g_hash_table_remove(optimizer->items, uuid);
    if (item->queued)
        g_queue_remove(&optimizer->queue, item);
    item->partition = NULL;
    /* Else the call under way frees it. */
    if (!item->asking)
        item_free(item);
    strike_off(optimizer, uuid, UINT64_MAX);
}

static void
on_change(LpChange change, LpPartition *partition, const char *alias, void *data)
{
    LpOptimizer *optimizer = data;
    LpSurveyed *item;

    (void) alias;
    if (change == LP_CHANGE_GONE) {
        survey_gone(optimizer, partition);
    } else if (change == LP_CHANGE_VIEW) {
        item = lp_survey_item(optimizer, partition->uuid);
        if (!item)
            survey_seen(optimizer, partition);
        /* Another run, of which nothing is known yet. */
        else if (strcmp(item->run_id, partition->view->run_id) != 0)
            item->due_usec = 0;
    }
    if (optimizer->running)
        lp_running_pump_soon(optimizer->running);
}

/* Memory that came or went lies somewhere. */
static void
on_operation(LpOperation *operation, void *data)
{
    LpOptimizer *optimizer = data;

    if (optimizer->running)
        lp_running_heard(optimizer->running, operation);
    if (!LP_OP_IS_FINAL(operation->state))
        return;
    for (guint i = 0; i < operation->legs->len; i++) {
        const LpLeg *leg = g_ptr_array_index(operation->legs, i);
        LpSurveyed *item = lp_survey_item(optimizer, leg->uuid);

        if (!item || !leg->begun || leg->mem_now_bytes == leg->mem_before_bytes
            || item->operation_ended == operation->id)
            continue;
        item->operation_ended = operation->id;
        item->due_usec = MIN(item->due_usec, g_get_monotonic_time() + AFTER_RESIZE_USEC);
    }
}

void
lp_survey_begin(LpOptimizer *optimizer)
{
    g_autoptr(GPtrArray) list = lp_registry_list(optimizer->registry);

    optimizer->topology = g_atomic_rc_box_new(LpTopology);
    *optimizer->topology = lp_registry_host(optimizer->registry)->topology;
    optimizer->items = g_hash_table_new(g_str_hash, g_str_equal);
    optimizer->waiters = g_ptr_array_new();
    g_queue_init(&optimizer->queue);
    for (guint i = 0; i < list->len; i++)
        survey_seen(optimizer, g_ptr_array_index(list, i));
    lp_registry_listen(optimizer->registry, on_change, optimizer);
    lp_engine_listen(optimizer->engine, on_operation, optimizer);
    optimizer->tick_source = g_timeout_add_seconds(TICK_SEC, on_tick, optimizer);
}

void
lp_survey_end(LpOptimizer *optimizer)
{
    g_autoptr(GError) error = g_error_new(LP_ERROR, LP_ERROR_UNREACHABLE, "lpard is ending");
    GHashTableIter iter;
    LpSurveyed *item;

    g_source_remove(optimizer->tick_source);
    g_queue_clear(&optimizer->queue);
    while (optimizer->waiters->len) {
        Waiter *waiter = g_ptr_array_steal_index(optimizer->waiters, 0);

        waiter->done(error, waiter->data);
        waiter_free(waiter);
    }
    g_ptr_array_unref(optimizer->waiters);
    /* Calls under way are answered to nobody any more: the registry is closing. */
    g_hash_table_iter_init(&iter, optimizer->items);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &item))
        item_free(item);
    g_hash_table_unref(optimizer->items);
    g_atomic_rc_box_release(optimizer->topology);
}
