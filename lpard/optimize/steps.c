/* One call of an optimization, in the partition's own turn, and what came of it. */
#include <errno.h>
#include <string.h>

#include "lpard/optimize/run.h"
#include "lpard/profile-xml.h"
#include "policy/units.h"

/* A piece takes a tenth of a second; under memory pressure the kernel may take many of them. */
#define MOVE_DEADLINE_MSEC 60000
#define CALL_DEADLINE_MSEC 20000
/* The kernel copies all of a domain within the one call that changes its cpuset. */
#define NODESET_BYTES_PER_SEC (64ULL << 20)
/* Smaller pieces are hardly worth a call. */
#define PIECE_MIN_BYTES (2ULL << 20)
/* Pages under I/O are free again within moments; those that are not are pinned. */
#define BUSY_TRIES 3
#define BUSY_PAUSE_USEC (500 * 1000)
/* Room comes when others have moved away, or guests have given something back. */
#define ROOM_TRIES 5
#define ROOM_PAUSE_USEC (2 * G_USEC_PER_SEC)

/* A resize that is at work on it writes its definition too, and ends within a second or two. */
#define WRITTEN_PAUSE_USEC (500 * 1000)

typedef enum { CALL_PINS, CALL_MOVE, CALL_NODESET, CALL_CONFIG } Kind;

/* Values of one call; the worker's while it runs. */
typedef struct {
    Kind kind;
    char uuid[40];
    LpMoveOrder order;
    LpPagesMoved moved;
    LpPins pins;
    bool has_pins;
    uint32_t n_nodes;
    uint32_t node_ids[LP_MAX_NODES];
    int32_t cell_nodes[LP_MAX_CELLS];
    char *metadata;               /* the profile, whose map of cells follows */
} Call;

typedef struct {
    LpRunning *running;
    LpWorkPart *part;
    LpWorkMove *move;             /* or NULL */
    Kind kind;
    int64_t begun_usec;
    uint64_t max_bytes;
} Asked;

static void
call_free(void *data)
{
    Call *call = data;

    g_free(call->pins.vcpus);
    g_free(call->metadata);
    g_free(call);
}

/* The definition first: if lpard dies in between, the next run reads it from there. */
static bool
define(const LpDriver *driver, LpConn *conn, const Call *call, GError **error)
{
    LpConfigChange config = {.set_nodes = true, .metadata = call->metadata};

    memcpy(config.node, call->cell_nodes, sizeof config.node);
    config.pins = call->has_pins ? &call->pins : NULL;
    return driver->set_config(conn, call->uuid, &config, error)
           && driver->set_metadata(conn, call->uuid, call->metadata, error);
}

static bool
call_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    Call *call = data;

    switch (call->kind) {
    case CALL_PINS:
        return driver->set_pins(conn, call->uuid, &call->pins, error);
    case CALL_NODESET:
        return driver->set_nodeset(conn, call->uuid, call->node_ids, call->n_nodes, error);
    case CALL_CONFIG:
        return define(driver, conn, call, error);
    default:
        return driver->move_pages(conn, call->uuid, &call->order, &call->moved, error);
    }
}

/* ---- a partition ---- */

void
lp_part_fail(LpWorkPart *part, char *reason)
{
    if (part->failed) {
        g_free(reason);
        return;
    }
    part->failed = true;
    part->state = LP_PART_FAILED;
    g_free(part->reason);
    part->reason = reason;
}

/* What was planned is what somebody wants no more; NULL: it is wanted. */
static const char *
unwanted(const LpRunning *running, LpWorkPart *part, const LpPartition *partition)
{
    int64_t hold = partition->profile.hold_until_sec;
    LpNumaRule rule;

    if (!lp_partition_has_profile(partition))
        return "lpard does not manage it any more, or cannot read its profile";
    rule = partition->profile.numa;
    rule.floor = 0;
    rule.floor_action = LP_FLOOR_WARN;
    /* After a restart the rule of then is not known. */
    if (!part->has_rule)
        part->rule = rule;
    part->has_rule = true;
    if (rule.mode == LP_NUMA_KEEP)
        return "by its rule it stays where it is";
    if (!lp_numa_rule_equal(&rule, &part->rule))
        return "its rule was changed meanwhile; `lparctl optimize` goes by the new one";
    if (running->work->automatic && hold != 0 && hold > g_get_real_time() / G_USEC_PER_SEC)
        return "it was put on hold meanwhile";
    return NULL;
}

LpPartition *
lp_part_find(LpRunning *running, LpWorkPart *part)
{
    LpPartition *partition = lp_registry_by_uuid(running->optimizer->registry, part->uuid);
    LpRunState run = partition ? partition->view->run : LP_RUN_OFF;
    const char *why;

    if (!partition || run == LP_RUN_OFF || run == LP_RUN_STOPPING) {
        lp_part_fail(part, g_strdup("it ended while it was being moved"));
        return NULL;
    }
    if (strcmp(partition->view->run_id, part->run_id) != 0
        || partition->view->n_cells != part->n_cells) {
        lp_part_fail(part, g_strdup("it was started anew meanwhile, and lies where its definition "
                                    "says"));
        return NULL;
    }
    if (partition->stuck) {
        lp_part_fail(part, g_strdup("it hangs: a call on it never came back (is its QEMU stopped?)"));
        return NULL;
    }
    if (run == LP_RUN_MIGRATING) {
        lp_part_fail(part, g_strdup("it is migrating to another host"));
        return NULL;
    }
    why = unwanted(running, part, partition);
    if (why) {
        lp_part_fail(part, g_strdup(why));
        return NULL;
    }
    return partition;
}

bool
lp_part_moves_over(const LpWorkPart *part, bool sweeps_too)
{
    for (guint i = 0; i < part->moves->len; i++) {
        const LpWorkMove *move = g_ptr_array_index(part->moves, i);

        /* The process's own pages come last of all. */
        if (!move->over && move->cell >= 0 && (!move->sweeps || sweeps_too))
            return false;
    }
    return true;
}

static bool
own_is_over(const LpWorkPart *part)
{
    for (guint i = 0; i < part->moves->len; i++)
        if (!((const LpWorkMove *) g_ptr_array_index(part->moves, i))->over)
            return false;
    return true;
}

/* ---- asking ---- */

static void call_done(bool ok, bool abandoned, void *data, const GError *error, void *user);

static void
ask(LpRunning *running, LpWorkPart *part, LpPartition *partition, Call *call, LpWorkMove *move,
    uint32_t deadline_msec)
{
    Asked *asked = g_new0(Asked, 1);

    *asked = (Asked){.running = running, .part = part, .move = move, .kind = call->kind,
                     .begun_usec = g_get_monotonic_time(), .max_bytes = call->order.max_bytes};
    g_strlcpy(call->uuid, part->uuid, sizeof call->uuid);
    part->calling = part->touched = true;
    g_ptr_array_add(running->asked, asked);
    lp_registry_call(running->optimizer->registry, partition, call_job, call, call_free,
                     deadline_msec, call_done, asked);
}

static bool
ask_pins(LpRunning *running, LpWorkPart *part, LpPartition *partition)
{
    Call *call;

    if (part->pinned)
        return false;
    part->pinned = true;
    call = g_new0(Call, 1);
    call->kind = CALL_PINS;
    if (!lp_work_pins(part, partition->view,
                      &lp_registry_host(running->optimizer->registry)->topology, &call->pins)) {
        call_free(call);
        return false;
    }
    ask(running, part, partition, call, NULL, CALL_DEADLINE_MSEC);
    return true;
}

/* At a low rate smaller pieces, so that it is not reached in leaps. */
static uint64_t
piece_bytes(const LpRunning *running, const LpWorkMove *move)
{
    uint64_t quarter = running->optimizer->rate_bytes / 4;
    uint64_t piece = MIN(LP_OPTIMIZE_CHUNK_BYTES, MAX(quarter, PIECE_MIN_BYTES));

    if (move->bytes == UINT64_MAX)
        return piece;
    return MIN(piece, move->bytes - MIN(move->bytes, move->moved_bytes));
}

/* Until half of it has come the cell counts where it was, and its place at the other end is held; from
 * then on it counts there, and what has yet to leave is no room here. */
static void
expect_room(LpRunning *running, const LpWorkMove *move, LpPartition *partition)
{
    bool is_there = partition->view->cells[move->cell].home == move->to;

    lp_registry_expect(running->optimizer->registry, partition, is_there ? move->from : move->to,
                       is_there ? move->bytes - MIN(move->bytes, move->moved_bytes) : move->bytes);
}

void
lp_step_move(LpRunning *running, LpWorkMove *move, LpPartition *partition)
{
    Call *call = g_new0(Call, 1);

    move->waits = false;
    call->kind = CALL_MOVE;
    call->order = (LpMoveOrder){
        .part = move->cell < 0 ? partition->view->n_cells : (uint32_t) move->cell,
        .from = move->from, .to = move->to, .max_bytes = piece_bytes(running, move),
        .range = move->range, .offset = move->offset,
    };
    if (move->cell >= 0 && move->bytes != UINT64_MAX)
        expect_room(running, move, partition);
    ask(running, move->part, partition, call, move, MOVE_DEADLINE_MSEC);
}

/* Its memory follows to the nodes of all its cells together. */
static bool
ask_nodeset(LpRunning *running, LpWorkPart *part, LpPartition *partition)
{
    const LpTopology *topology = &lp_registry_host(running->optimizer->registry)->topology;
    Call *call;

    if (!part->whole || part->placed || part->total_bytes == 0)
        return false;
    part->placed = true;
    call = g_new0(Call, 1);
    call->kind = CALL_NODESET;
    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        bool used = false;

        for (uint32_t i = 0; i < part->n_cells; i++)
            used |= part->cells[i].target.on[n] > 0;
        if (used)
            call->node_ids[call->n_nodes++] = topology->nodes[n].id;
    }
    ask(running, part, partition, call, NULL,
        CALL_DEADLINE_MSEC + (uint32_t) MIN(part->total_bytes * 1000 / NODESET_BYTES_PER_SEC,
                                            G_MAXUINT32 / 2));
    return true;
}

/* A profile whose cells are where they are moved to. */
static char *
metadata_for(const LpPartition *partition, const int32_t *nodes, uint32_t n_cells)
{
    LpProfile profile = partition->profile;

    for (uint32_t i = 0; i < MIN(n_cells, profile.n_cells); i++)
        profile.cell_node[i] = nodes[i];
    profile.generation = MAX(profile.generation, partition->generation_seen) + 1;
    return lp_profile_to_xml(&profile);
}

/* Somebody else is writing its profile, or may be about to. */
static bool
is_being_written(const LpRunning *running, const LpPartition *partition)
{
    return partition->defining > 0
           || lp_engine_lane_depth(running->optimizer->engine, partition->uuid) > 0;
}

/* From its next start on it is where it was moved to. */
static bool
ask_config(LpRunning *running, LpWorkPart *part, LpPartition *partition)
{
    const LpTopology *topology = &lp_registry_host(running->optimizer->registry)->topology;
    const LpView *view = partition->view;
    Call *call;

    if (part->defined || part->sweep_only || !view->persistent)
        return false;
    part->defined = true;
    call = g_new0(Call, 1);
    call->kind = CALL_CONFIG;
    for (uint32_t i = 0; i < part->n_cells; i++)
        call->cell_nodes[i] = part->cells[i].home >= 0
                                  ? (int32_t) topology->nodes[part->cells[i].home].id
                                  : view->cells[i].node;
    for (uint32_t i = part->n_cells; i < LP_MAX_CELLS; i++)
        call->cell_nodes[i] = -1;
    call->has_pins = lp_work_pins(part, view, topology, &call->pins);
    call->metadata = metadata_for(partition, call->cell_nodes, part->n_cells);
    ask(running, part, partition, call, NULL, CALL_DEADLINE_MSEC);
    return true;
}

/* As far as it got; what it came to is measured when all is over. */
static void
close_part(LpRunning *running, LpWorkPart *part)
{
    part->state = part->no_room || part->reason ? LP_PART_PARTIAL : LP_PART_DONE;
    lp_survey_soon(running->optimizer, part->uuid);
    lp_running_tell(running, false);
}

/* Where most of its memory stayed, its vCPUs stay with it, and so does its next start. */
static bool
has_come(const LpWorkPart *part)
{
    return part->whole || part->moved_bytes >= part->total_bytes / 2;
}

bool
lp_step_finish(LpRunning *running, LpWorkPart *part)
{
    LpPartition *partition = lp_part_find(running, part);

    if (!partition)
        return false;
    if (!has_come(part)) {
        close_part(running, part);
        return true;
    }
    if (ask_nodeset(running, part, partition) || ask_pins(running, part, partition))
        return true;
    /* Its own pages have their turn among the moves. */
    if (!own_is_over(part))
        return false;
    if (!part->defined && is_being_written(running, partition)) {
        lp_running_wake(running, WRITTEN_PAUSE_USEC);
        return false;
    }
    if (ask_config(running, part, partition))
        return true;
    close_part(running, part);
    return true;
}

/* ---- what came of it ---- */

static void
wait(LpRunning *running, LpWorkMove *move, int64_t pause_usec, uint64_t mark)
{
    move->waits = true;
    move->mark = mark;
    move->again_usec = g_get_monotonic_time() + pause_usec;
    /* Others first. */
    if (g_ptr_array_remove(running->work->queue, move))
        g_ptr_array_add(running->work->queue, move);
}

static bool
has_sweep(const LpWorkMove *move)
{
    for (guint i = 0; i < move->part->moves->len; i++) {
        const LpWorkMove *other = g_ptr_array_index(move->part->moves, i);

        if (other->sweeps && other->cell == move->cell)
            return true;
    }
    return false;
}

static void
close_move(LpWorkMove *move)
{
    move->over = true;
    /* What a later sweep finds is counted there; what the process has of its own may well be shared with
     * others of its kind, and is no part of the guest. */
    if (move->cell < 0 || (!move->sweeps && has_sweep(move)))
        return;
    for (unsigned i = 0; i < LP_STUCKS; i++)
        move->part->stuck_bytes[i] += move->stuck_bytes[i];
}

/* The place stays where it was: what found no room is asked for again. */
static void
take_no_room(LpRunning *running, LpWorkMove *move, const LpPagesMoved *moved)
{
    uint64_t left = lp_running_left(running, move->to);
    LpPartition *partition;

    /* In vain only where nothing has left that node since; a page now and then is no way there. */
    if (moved->moved_bytes >= PIECE_MIN_BYTES || left > move->mark)
        move->tries = 0;
    if (++move->tries <= ROOM_TRIES && move->cell >= 0) {
        wait(running, move, ROOM_PAUSE_USEC * move->tries, left);
        return;
    }
    move->stuck_bytes[LP_STUCK_NO_ROOM] = moved->stuck_bytes[LP_STUCK_NO_ROOM];
    partition = lp_part_find(running, move->part);
    if (partition && lp_shift_begin(running, move, partition)) {
        /* What it gives back may be the room that was wanted. */
        move->tries = 0;
        wait(running, move, 0, UINT64_MAX);
        return;
    }
    move->part->no_room |= move->cell >= 0;
    close_move(move);
    for (guint i = 0; i < move->part->moves->len; i++) {
        LpWorkMove *other = g_ptr_array_index(move->part->moves, i);

        /* The sweep finds the same node full: it is given one chance. */
        if (other->sweeps && other->cell == move->cell)
            other->tries = ROOM_TRIES;
    }
}

static void
take_pass(LpRunning *running, LpWorkMove *move, const LpPagesMoved *moved)
{
    move->range = moved->range;
    move->offset = moved->offset;
    for (unsigned i = 0; i < LP_STUCKS; i++)
        move->stuck_bytes[i] += moved->stuck_bytes[i];
    if (!moved->done && move->moved_bytes < move->bytes)
        return;
    if (moved->done && move->stuck_bytes[LP_STUCK_BUSY] > 0 && move->cell >= 0
        && ++move->tries <= BUSY_TRIES) {
        memset(move->stuck_bytes, 0, sizeof move->stuck_bytes);
        move->range = 0;
        move->offset = 0;
        wait(running, move, BUSY_PAUSE_USEC, UINT64_MAX);
        return;
    }
    close_move(move);
}

static void
take_move(LpRunning *running, const Asked *asked, const LpPagesMoved *moved)
{
    LpWorkMove *move = asked->move;
    uint64_t rate = running->optimizer->rate_bytes;

    move->moved_bytes += moved->moved_bytes;
    if (move->cell >= 0) {
        move->part->moved_bytes += moved->moved_bytes;
        running->work->moved_bytes += moved->moved_bytes;
    }
    running->optimizer->figures.moved_bytes += moved->moved_bytes;
    lp_running_note_left(running, move->from, moved->moved_bytes);
    /* Others' pages that came meanwhile make it more than was planned. */
    if (move->part->moved_bytes > move->part->total_bytes) {
        running->work->total_bytes += move->part->moved_bytes - move->part->total_bytes;
        move->part->total_bytes = move->part->moved_bytes;
    }
    running->next_usec = MAX(running->next_usec, asked->begun_usec)
                         + (int64_t) ((unsigned __int128) moved->moved_bytes * G_USEC_PER_SEC
                                      / MAX(rate, 1));
    if (moved->stuck_bytes[LP_STUCK_NO_ROOM] > 0)
        take_no_room(running, move, moved);
    else
        take_pass(running, move, moved);
}

/* In words of what is to be done about it; `number`: as the kernel has it, or 0. */
static char *
move_error_text(const Asked *asked, int number, const char *why)
{
    g_autofree char *name = g_strconcat(asked->part->name, ": ", NULL);

    switch (number) {
    case EPERM:
        /* move_pages(2): a ptrace access check since Linux 4.13; CAP_SYS_NICE for shared pages. */
        return g_strdup("its pages cannot be moved: the kernel does not let lpard move pages of "
                        "this QEMU's user; lpard must run as root, or with CAP_SYS_PTRACE and "
                        "CAP_SYS_NICE");
    case ENODEV:
        return g_strdup_printf("its pages cannot be moved: node %d is gone or offline; see "
                               "`lparctl host --numa`", asked->move->to);
    }
    /* Whoever reads it knows whose it is, and what was tried. */
    if (g_str_has_prefix(why, name))
        why += strlen(name);
    return g_str_has_prefix(why, "pages cannot be moved")
               ? g_strdup_printf("its %s", why)
               : g_strdup_printf("its pages cannot be moved: %s", why);
}

static void
take_error(LpRunning *running, const Asked *asked, const Call *call, const GError *error)
{
    bool abandoned = call == NULL;
    LpWorkPart *part = asked->part;
    const char *why = error ? error->message : "the hypervisor does not answer";

    if (!abandoned && g_error_matches(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNREACHABLE)) {
        /* Absolute, so it is asked again when somebody is there to answer. */
        running->away_usec = g_get_monotonic_time() + ROOM_PAUSE_USEC;
        if (asked->kind == CALL_PINS)
            part->pinned = false;
        else if (asked->kind == CALL_NODESET)
            part->placed = false;
        else if (asked->kind == CALL_CONFIG)
            part->defined = false;
        else
            wait(running, asked->move, ROOM_PAUSE_USEC, UINT64_MAX);
        return;
    }
    if (asked->kind == CALL_CONFIG) {
        g_free(part->reason);
        part->reason = g_strdup_printf("its definition still names the old nodes, so its next start "
                                       "will be there: %s", why);
        return;
    }
    if (g_error_matches(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_NOT_RUNNING)
        || g_error_matches(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_NO_DOMAIN)) {
        lp_part_fail(part, g_strdup("it ended while it was being moved"));
        return;
    }
    /* What it has of its own is brought along where that can be done; the guest's memory has come. */
    if (asked->kind == CALL_MOVE && asked->move->cell < 0 && !abandoned) {
        close_move(asked->move);
        return;
    }
    if (asked->kind == CALL_PINS)
        lp_part_fail(part, g_strdup_printf("its vCPUs cannot be pinned: %s", why));
    else
        lp_part_fail(part, move_error_text(
            asked, asked->kind == CALL_MOVE && call ? call->moved.error : 0, why));
}

static void
call_done(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    Asked *asked = user;
    LpRunning *running = asked->running;
    const Call *call = abandoned ? NULL : data;

    asked->part->calling = false;
    if (asked->kind == CALL_CONFIG)
        lp_registry_look(running->optimizer->registry, asked->part->uuid);
    if (ok && !abandoned) {
        if (asked->kind == CALL_MOVE)
            take_move(running, asked, &call->moved);
    } else {
        take_error(running, asked, call, error);
    }
    /* Frees it. */
    g_ptr_array_remove_fast(running->asked, asked);
    lp_running_tell(running, false);
    lp_running_pump_soon(running);
}
