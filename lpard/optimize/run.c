/* The course of an optimization: whose turn it is, what waits for what, how fast. */
#include "lpard/optimize/run.h"

#include <stdio.h>
#include <string.h>

#include "agent/wire/psi.h"
#include "lpard/error.h"
#include "policy/units.h"

/* Pieces under way at once: one is copied while the next partition's is asked for. */
#define AT_ONCE 2
/* Partitions whose turn is near are written down together. */
#define RECORD_TOGETHER 16
#define PRESSURE_PAUSE_MSEC 1000
/* Nobody else's memory is moved in the meantime, not even by hand. */
#define PRESSED_MOST_USEC (30 * 60 * (int64_t) G_USEC_PER_SEC)
#define EVENT_PAUSE_USEC (10 * G_USEC_PER_SEC)
#define TELL_PAUSE_USEC (1 * G_USEC_PER_SEC)
/* What a guest said longer ago is no word on how it fares: an agent speaks every 35 s at least. */
#define GUEST_WORD_USEC (75 * G_USEC_PER_SEC)

/* ---- what is said ---- */

static void
set_pace(LpRunning *running)
{
    LpWork *work = running->work;
    int64_t took = g_get_monotonic_time() - running->begun_usec;
    uint64_t moved = work->moved_bytes - MIN(work->moved_bytes, running->begun_bytes);
    uint64_t left = work->total_bytes - MIN(work->total_bytes, work->moved_bytes);

    work->rate_bytes = took > 0 ? (uint64_t) ((unsigned __int128) moved * G_USEC_PER_SEC
                                              / (uint64_t) took)
                                : 0;
    work->left_msec = work->rate_bytes > 0
                          ? (int64_t) ((unsigned __int128) left * 1000 / work->rate_bytes)
                          : -1;
}

/* Events are kept for those who come back: a line for what has changed, and one now and then. */
static void
emit(LpRunning *running)
{
    const LpWork *work = running->work;
    const char *at = json_string_value(json_object_get(running->operation->optimize, "partition"));
    g_autofree char *mark = g_strdup_printf("%s %s %s", work->phase, at ? at : "",
                                            work->paused ? work->paused : "");
    int64_t usec = g_get_monotonic_time();

    if (g_strcmp0(mark, running->event_mark) == 0 && usec - running->event_usec < EVENT_PAUSE_USEC)
        return;
    g_free(running->event_mark);
    running->event_mark = g_steal_pointer(&mark);
    running->event_usec = usec;
    lp_events_emit(running->optimizer->events, "optimize",
                   json_pack("{s:I,s:s,s:s?,s:I,s:I,s:s?}", "id",
                             (json_int_t) running->operation->id, "phase", work->phase, "paused",
                             work->paused, "total_bytes", (json_int_t) work->total_bytes,
                             "moved_bytes", (json_int_t) work->moved_bytes, "partition", at));
}

void
lp_running_tell(LpRunning *running, bool now)
{
    LpOptimizer *optimizer = running->optimizer;
    LpOperation *operation = running->operation;
    LpWork *work = running->work;
    int64_t usec = g_get_monotonic_time();

    if (!now && usec - running->told_usec < TELL_PAUSE_USEC)
        return;
    running->told_usec = usec;
    set_pace(running);
    json_decref(operation->optimize);
    operation->optimize = lp_work_to_json(work, &lp_registry_host(optimizer->registry)->topology);
    emit(running);
    lp_engine_tell_foreign(optimizer->engine, operation, operation->state);
}

static void
set_phase(LpRunning *running, const char *phase, char *paused)
{
    LpWork *work = running->work;
    bool same = strcmp(work->phase, phase) == 0;

    g_free(work->paused);
    work->paused = paused;
    work->phase = phase;
    lp_running_tell(running, !same);
}

/* ---- pressure ---- */

static uint32_t
host_pressure(LpRunning *running)
{
    int64_t now = g_get_monotonic_time();
    g_autofree char *path = NULL, *text = NULL;

    if (running->look_usec && now - running->look_usec < PRESSURE_PAUSE_MSEC * 1000)
        return running->host_centi;
    running->look_usec = now;
    path = g_build_filename(running->optimizer->procfs, "pressure", "memory", NULL);
    running->host_centi = g_file_get_contents(path, &text, NULL, NULL)
                              ? lp_psi_parse(text).some_centi
                              : 0;
    return running->host_centi;
}

static bool
guest_is_pressed(const LpRunning *running, const LpPartition *partition)
{
    const LpGuest *guest = &partition->guest;

    return guest->connected && guest->has_pressure
           && g_get_monotonic_time() - guest->pressure_usec < GUEST_WORD_USEC
           && guest->pressure.psi_mem_some_centi > running->optimizer->pressure_centi;
}

/* ---- whose turn it is ---- */

static gboolean
on_timer(gpointer data)
{
    LpRunning *running = data;

    running->timer_source = 0;
    lp_running_pump(running);
    return G_SOURCE_REMOVE;
}

static void
wake_at(LpRunning *running, int64_t usec)
{
    int64_t left = usec - g_get_monotonic_time();

    if (running->timer_source && running->timer_usec <= usec)
        return;
    if (running->timer_source)
        g_source_remove(running->timer_source);
    running->timer_usec = usec;
    running->timer_source = g_timeout_add((guint) CLAMP(left / 1000 + 1, 1, 60000), on_timer,
                                          running);
}

void
lp_running_wake(LpRunning *running, int64_t after_usec)
{
    wake_at(running, g_get_monotonic_time() + after_usec);
}

static bool
is_open(const LpWorkPart *part)
{
    return (part->state == LP_PART_PENDING || part->state == LP_PART_RUNNING) && !part->failed;
}

static int
index_of(const LpRunning *running, int32_t node)
{
    return node < 0 ? -1
                    : lp_topology_find(&lp_registry_host(running->optimizer->registry)->topology,
                                       (uint32_t) node);
}

/* Of what came from anywhere it is not known where it came from: it may be there. */
uint64_t
lp_running_left(const LpRunning *running, int32_t node)
{
    int index = index_of(running, node);

    return running->left_any_bytes + (index < 0 ? 0 : running->left_bytes[index]);
}

void
lp_running_note_left(LpRunning *running, int32_t node, uint64_t bytes)
{
    int index = index_of(running, node);

    if (index < 0)
        running->left_any_bytes += bytes;
    else
        running->left_bytes[index] += bytes;
}

static bool
may_go(const LpRunning *running, const LpWorkMove *move, int64_t now)
{
    if (move->over || move->part->calling || !is_open(move->part))
        return false;
    if (move->sweeps && !lp_part_moves_over(move->part, move->cell < 0))
        return false;
    return !move->waits || lp_running_left(running, move->to) > move->mark
           || now >= move->again_usec;
}

/* The first that can go on: what is left of a partition whose pieces are over comes before the others'
 * pieces, so that one after the other is through. */
static LpWorkMove *
pick(LpRunning *running, LpPartition **ret_partition, bool *ret_pressed)
{
    const GPtrArray *queue = running->work->queue;
    int64_t now = g_get_monotonic_time();

    for (int sweeps = 1; sweeps >= 0; sweeps--)
        for (guint i = 0; i < queue->len; i++) {
            LpWorkMove *move = g_ptr_array_index(queue, i);

            if (move->sweeps != (bool) sweeps || !may_go(running, move, now))
                continue;
            *ret_partition = lp_part_find(running, move->part);
            if (!*ret_partition)
                continue;
            if (guest_is_pressed(running, *ret_partition)) {
                *ret_pressed = true;
                continue;
            }
            return move;
        }
    return NULL;
}

/* ---- intents ---- */

static void
on_recorded(const GError *error, void *data)
{
    LpOptimizer *optimizer = data;
    LpRunning *running = optimizer->running;

    if (!running || !running->recording)
        return;
    running->recording = false;
    if (error)
        running->trouble = g_strdup(error->message);
    lp_running_pump(running);
}

/* What is begun next is on disk before it is (S6). */
static void
record(LpRunning *running, LpWorkPart *first)
{
    const GPtrArray *parts = running->work->parts;
    guint n = 1;

    first->recorded = true;
    first->state = LP_PART_RUNNING;
    for (guint i = 0; i < parts->len && n < RECORD_TOGETHER; i++) {
        LpWorkPart *part = g_ptr_array_index(parts, i);

        if (part->recorded || !is_open(part))
            continue;
        part->recorded = true;
        n++;
    }
    running->recording = true;
    lp_running_tell(running, true);
    lp_engine_record_foreign(running->optimizer->engine, running->operation, on_recorded,
                             running->optimizer);
}

/* ---- going on ---- */

/* Whatever is left to do with partitions whose pages are through. */
static bool
finish_one(LpRunning *running)
{
    const GPtrArray *parts = running->work->parts;

    for (guint i = 0; i < parts->len; i++) {
        LpWorkPart *part = g_ptr_array_index(parts, i);

        if (!is_open(part) || part->calling || !lp_part_moves_over(part, true))
            continue;
        if (!part->recorded) {
            record(running, part);
            return true;
        }
        part->state = LP_PART_RUNNING;
        if (lp_step_finish(running, part))
            return true;
    }
    return false;
}

static bool
begin_one(LpRunning *running, bool *ret_pressed)
{
    LpPartition *partition;
    LpWorkMove *move;

    if (finish_one(running))
        return true;
    if (g_get_monotonic_time() < running->next_usec) {
        wake_at(running, running->next_usec);
        return false;
    }
    move = pick(running, &partition, ret_pressed);
    if (!move)
        return false;
    if (!move->part->recorded) {
        record(running, move->part);
        return true;
    }
    move->part->state = LP_PART_RUNNING;
    lp_step_move(running, move, partition);
    return true;
}

static bool
is_through(const LpRunning *running)
{
    for (guint i = 0; i < running->work->parts->len; i++)
        if (is_open(g_ptr_array_index(running->work->parts, i)))
            return false;
    return true;
}

/* Moves that wait for room, or for a page under I/O, are tried again by the clock. */
static void
wait_for_moves(LpRunning *running)
{
    int64_t soonest = INT64_MAX;

    for (guint i = 0; i < running->work->queue->len; i++) {
        const LpWorkMove *move = g_ptr_array_index(running->work->queue, i);

        if (!move->over && move->waits && is_open(move->part))
            soonest = MIN(soonest, move->again_usec);
    }
    if (soonest != INT64_MAX)
        wake_at(running, soonest);
}

static void
pause_for_pressure(LpRunning *running, const char *who)
{
    char limit[16], now[16];

    g_snprintf(limit, sizeof limit, "%u.%02u", running->optimizer->pressure_centi / 100,
               running->optimizer->pressure_centi % 100);
    g_snprintf(now, sizeof now, "%u.%02u", running->host_centi / 100, running->host_centi % 100);
    set_phase(running, "paused",
              strcmp(who, "host") == 0
                  ? g_strdup_printf("the host's tasks wait for memory %s %% of the time, more than "
                                    "move-pressure (%s %%) allows", now, limit)
                  : g_strdup_printf("in the guests that are left tasks wait for memory longer than "
                                    "move-pressure (%s %%) allows", limit));
    wake_at(running, g_get_monotonic_time() + PRESSURE_PAUSE_MSEC * 1000);
}

/* Guests that are short of memory all the time are left where they are. */
static void
wait_for_guests(LpRunning *running)
{
    int64_t now = g_get_monotonic_time();

    if (running->pressed_usec == 0)
        running->pressed_usec = now;
    if (now - running->pressed_usec < PRESSED_MOST_USEC) {
        pause_for_pressure(running, "guest");
        return;
    }
    for (guint i = 0; i < running->work->parts->len; i++) {
        LpWorkPart *part = g_ptr_array_index(running->work->parts, i);
        LpPartition *partition = is_open(part) ? lp_part_find(running, part) : NULL;

        if (partition && guest_is_pressed(running, partition))
            lp_part_fail(part, g_strdup("its guest was short of memory all the time"));
    }
    lp_running_pump_soon(running);
}

void
lp_running_pump(LpRunning *running)
{
    bool pressed = false;

    if (running->looking || running->measuring || running->recording)
        return;
    if (running->cancelled || running->trouble || is_through(running)) {
        if (running->asked->len == 0 && running->n_shifts == 0)
            lp_running_end_work(running);
        return;
    }
    /* The registry says when the hypervisor is there again; what it has not noticed yet, or is one
     * connection's trouble, is over in a while. */
    if (!lp_registry_synced(running->optimizer->registry))
        return;
    if (g_get_monotonic_time() < running->away_usec) {
        wake_at(running, running->away_usec);
        return;
    }
    if (host_pressure(running) > running->optimizer->pressure_centi) {
        pause_for_pressure(running, "host");
        return;
    }
    while (running->asked->len + running->n_shifts < AT_ONCE && !running->recording
           && begin_one(running, &pressed))
        continue;
    if (running->recording)
        return;
    if (running->asked->len > 0 || running->n_shifts > 0) {
        running->pressed_usec = 0;
        set_phase(running, "moving", NULL);
    } else if (is_through(running)) {
        lp_running_pump_soon(running);
    } else if (pressed) {
        wait_for_guests(running);
    } else {
        wait_for_moves(running);
    }
}

static gboolean
on_pump(gpointer data)
{
    LpRunning *running = data;

    running->pump_source = 0;
    lp_running_pump(running);
    return G_SOURCE_REMOVE;
}

void
lp_running_pump_soon(LpRunning *running)
{
    if (!running->pump_source)
        running->pump_source = g_idle_add_full(G_PRIORITY_DEFAULT, on_pump, running, NULL);
}

void
lp_running_heard(LpRunning *running, const LpOperation *operation)
{
    lp_shift_heard(running, operation);
}

void
lp_running_measured(LpRunning *running, LpPartition *partition)
{
    (void) running;
    /* What has come is found where it is. */
    if (partition->coming_bytes)
        lp_registry_expect(running->optimizer->registry, partition, -1, 0);
}

/* ---- begin and end ---- */

static LpRunning *
running_new(LpOptimizer *optimizer, LpOperation *operation, LpWork *work)
{
    LpRunning *running = g_new0(LpRunning, 1);

    running->optimizer = optimizer;
    running->operation = operation;
    running->work = work;
    running->asked = g_ptr_array_new_with_free_func(g_free);
    running->begun_usec = g_get_monotonic_time();
    running->begun_bytes = work->moved_bytes;
    /* Perhaps before it was begun. */
    running->cancelled = operation->cancel_asked;
    optimizer->running = running;
    optimizer->figures.runs++;
    return running;
}

void
lp_running_work(LpOptimizer *optimizer, LpOperation *operation, LpWork *work)
{
    LpRunning *running = running_new(optimizer, operation, work);

    work->phase = "moving";
    lp_running_pump_soon(running);
}

void
lp_running_stop_work(LpRunning *running)
{
    running->cancelled = true;
    lp_shift_stop(running);
    lp_running_pump_soon(running);
}

static void
looked(const GError *error, void *data)
{
    LpRunning *running = data;
    LpPicture *picture;

    if (error)
        return;
    picture = lp_optimizer_picture(running->optimizer, (LpPictureOrder){0});
    if (!lp_work_find_moves(running->work, picture))
        running->trouble = g_strdup("there is no memory to find out what is left to do");
    lp_picture_free(picture);
    running->looking = false;
    running->work->phase = "moving";
    lp_running_pump_soon(running);
}

void
lp_running_take_up(LpOptimizer *optimizer, LpOperation *operation)
{
    const LpTopology *topology = &lp_registry_host(optimizer->registry)->topology;
    LpWork *work = lp_work_from_json(operation->optimize, topology);
    LpRunning *running;

    if (!work) {
        lp_engine_end_foreign(optimizer->engine, operation, LP_OP_FAILED, "journal",
                              "what was to be done cannot be read from the journal; what had been "
                              "moved stays where it is");
        return;
    }
    running = running_new(optimizer, operation, work);
    running->looking = true;
    operation->started_usec = g_get_monotonic_time();
    /* Targets are absolute: what was moved already is not moved again. */
    lp_survey_fresh(optimizer, NULL, looked, running);
}

LpOperation *
lp_running_operation(const LpRunning *running)
{
    return running->operation;
}

/* Nothing is on its way any more, also to one that could not be measured in the end. */
static void
expect_nothing(LpRunning *running)
{
    LpRegistry *registry = running->optimizer->registry;

    for (guint i = 0; i < running->work->parts->len; i++) {
        const LpWorkPart *part = g_ptr_array_index(running->work->parts, i);
        LpPartition *partition = lp_registry_by_uuid(registry, part->uuid);

        if (partition && partition->coming_bytes)
            lp_registry_expect(registry, partition, -1, 0);
    }
}

void
lp_running_drop(LpRunning *running)
{
    if (!running)
        return;
    expect_nothing(running);
    if (running->pump_source)
        g_source_remove(running->pump_source);
    if (running->timer_source)
        g_source_remove(running->timer_source);
    running->optimizer->running = NULL;
    g_ptr_array_unref(running->asked);
    lp_work_free(running->work);
    g_free(running->trouble);
    g_free(running->event_mark);
    g_free(running);
}
