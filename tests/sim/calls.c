/* The calls to the hypervisor, as lpard makes them in its workers. */
#include "hotplug/sim-call.h"
#include "tests/sim/clock.h"
#include "tests/sim/everything.h"
#include "tests/sim/fibers.h"

/* Beyond the deadline of every call (LP_CALL_DEADLINE_MSEC), by little and by much. */
#define HANG_LEAST_USEC (21LL * G_USEC_PER_SEC)
#define HANG_MOST_USEC (90LL * G_USEC_PER_SEC)
#define GIVEN_UP_USEC (19LL * G_USEC_PER_SEC)
#define SLOW_MOST_USEC (3LL * G_USEC_PER_SEC)

const LpDriver *__wrap_lp_driver_for(const char *uri);

const LpDriver *
__wrap_lp_driver_for(const char *uri)
{
    (void) uri;
    return &sim_calls;
}

typedef struct {
    const char *name, *uuid;
    bool effect, cut_after;
    int64_t begun_usec;
    Ceiling before;
} Call;

static int64_t
latency(const Call *call)
{
    if (one_in(world.calls.hung)) {
        count_fault(FAULT_CALL_HUNG);
        say("call %s hangs", call->name);
        return draw(HANG_LEAST_USEC, HANG_MOST_USEC);
    }
    if (one_in(world.calls.slow)) {
        count_fault(FAULT_CALL_SLOW);
        return draw(world.calls.usec, SLOW_MOST_USEC);
    }
    return draw(1, world.calls.usec);
}

/* False: it is not made. */
static bool
call_begin(Call *call, const char *name, const char *uuid, bool effect, GError **error)
{
    *call = (Call){.name = name, .uuid = uuid, .effect = effect, .begun_usec = clock_now_usec()};
    if (fibers_dying())
        return lp_sim_fail(error, LP_DRIVER_ERROR_UNREACHABLE, name, "lpard is dead");
    if (effect)
        judge_intent(name, uuid);
    if (fiber_wait(&world.gone, latency(call)))
        return lp_sim_fail(error, LP_DRIVER_ERROR_UNREACHABLE, name, "libvirt went away");
    /* What was sent is done, or was still on its way: lpard's death does not say which. */
    if (fibers_dying() && one_in(2))
        return lp_sim_fail(error, LP_DRIVER_ERROR_UNREACHABLE, name, "lpard is dead");
    if (one_in(world.calls.cut_before)) {
        count_fault(FAULT_CALL_CUT_BEFORE);
        say("call %s is cut before", name);
        return lp_sim_fail(error, LP_DRIVER_ERROR_UNREACHABLE, name, "the connection was cut");
    }
    if (effect && one_in(world.calls.refused)) {
        count_fault(FAULT_CALL_REFUSED);
        say("call %s is refused", name);
        return lp_sim_fail(error, LP_DRIVER_ERROR_FAILED, name, "the domain's job lock is held");
    }
    call->cut_after = one_in(world.calls.cut_after);
    call->before = effect ? judge_ceiling(uuid) : (Ceiling){.bytes = 0};
    return true;
}

static bool
call_end(const Call *call, bool ok, GError **error)
{
    if (call->effect) {
        /* One that was given up takes effect when nobody waits for it any more. */
        if (clock_now_usec() - call->begun_usec > GIVEN_UP_USEC)
            judge_disturbed(call->uuid, true);
        judge_effect(call->name, call->uuid, &call->before);
        say("call %s of %s: %s", call->name, call->uuid,
            ok ? "ok" : error && *error ? (*error)->message : "failed");
    }
    if (fiber_wait(&world.gone, draw(1, world.calls.usec)) && ok)
        return lp_sim_fail(error, LP_DRIVER_ERROR_UNKNOWN, call->name, "libvirt went away");
    if (!ok || !call->cut_after)
        return ok;
    count_fault(FAULT_CALL_CUT_AFTER);
    say("call %s is cut after", call->name);
    return lp_sim_fail(error, LP_DRIVER_ERROR_UNKNOWN, call->name, "the connection was cut");
}

/* ---- as in LpDriver ---- */

static bool
handles(const char *uri)
{
    return lp_driver_sim.handles(uri);
}

static LpConn *
open_conn(const char *uri, GError **error)
{
    Call call;

    return call_begin(&call, "open", NULL, false, error) ? lp_driver_sim.open(uri, error) : NULL;
}

static void
close_conn(LpConn *conn)
{
    lp_driver_sim.close(conn);
}

static char *
describe(LpConn *conn, GError **error)
{
    return lp_driver_sim.describe(conn, error);
}

static GPtrArray *
list(LpConn *conn, GError **error)
{
    GPtrArray *views;
    Call call;

    if (!call_begin(&call, "list", NULL, false, error))
        return NULL;
    views = lp_driver_sim.list(conn, error);
    if (!call_end(&call, views != NULL, error))
        g_clear_pointer(&views, g_ptr_array_unref);
    return views;
}

static LpView *
look(LpConn *conn, const char *uuid, GError **error)
{
    LpView *view;
    Call call;

    if (!call_begin(&call, "look", uuid, false, error))
        return NULL;
    view = lp_driver_sim.look(conn, uuid, error);
    if (!call_end(&call, view != NULL, error))
        g_clear_pointer(&view, lp_view_free);
    return view;
}

static char *
get_xml(LpConn *conn, const char *uuid, bool inactive, GError **error)
{
    Call call;
    char *xml;

    if (!call_begin(&call, "get_xml", uuid, false, error))
        return NULL;
    xml = lp_driver_sim.get_xml(conn, uuid, inactive, error);
    if (!call_end(&call, xml != NULL, error))
        g_clear_pointer(&xml, g_free);
    return xml;
}

static LpLocality *
locate(LpConn *conn, const char *uuid, const LpTopology *topology, uint32_t samples,
       GError **error)
{
    LpLocality *locality;
    Call call;

    if (!call_begin(&call, "locate", uuid, false, error))
        return NULL;
    locality = lp_driver_sim.locate(conn, uuid, topology, samples, error);
    if (!call_end(&call, locality != NULL, error))
        g_clear_pointer(&locality, lp_locality_free);
    return locality;
}

/* The others all answer true or false. */
#define CALL(name, effect, parameters, ...) \
    static bool \
    name parameters \
    { \
        Call call; \
\
        if (!call_begin(&call, #name, uuid, effect, error)) \
            return false; \
        return call_end(&call, lp_driver_sim.name(__VA_ARGS__), error); \
    }

CALL(undefine, true, (LpConn * conn, const char *uuid, GError **error), conn, uuid, error)
CALL(start, true, (LpConn * conn, const char *uuid, GError **error), conn, uuid, error)
CALL(set_vcpu, true, (LpConn * conn, const char *uuid, uint32_t vcpu, bool plugged, GError **error),
     conn, uuid, vcpu, plugged, error)
CALL(set_requested, true,
     (LpConn * conn, const char *uuid, uint32_t cell, uint64_t bytes, GError **error), conn, uuid,
     cell, bytes, error)
CALL(attach_dimm, true,
     (LpConn * conn, const char *uuid, uint32_t cell, uint64_t bytes, GError **error), conn, uuid,
     cell, bytes, error)
CALL(detach_dimm, true, (LpConn * conn, const char *uuid, const char *alias, GError **error), conn,
     uuid, alias, error)
CALL(set_balloon, true, (LpConn * conn, const char *uuid, uint64_t bytes, GError **error), conn,
     uuid, bytes, error)
CALL(set_stats_period, false, (LpConn * conn, const char *uuid, uint32_t sec, GError **error), conn,
     uuid, sec, error)
CALL(set_capacity, true,
     (LpConn * conn, const char *uuid, const LpCapacityLimits *limits, GError **error), conn, uuid,
     limits, error)
CALL(set_memory_limit, true, (LpConn * conn, const char *uuid, uint64_t bytes, GError **error),
     conn, uuid, bytes, error)
CALL(set_metadata, true,
     (LpConn * conn, const char *uuid, const char *metadata, GError **error), conn, uuid, metadata,
     error)
CALL(set_config, true,
     (LpConn * conn, const char *uuid, const LpConfigChange *change, GError **error), conn, uuid,
     change, error)
CALL(memory_stats, false,
     (LpConn * conn, const char *uuid, LpMemoryStats *ret_stats, GError **error), conn, uuid,
     ret_stats, error)
CALL(qga_look, false, (LpConn * conn, const char *uuid, LpQgaState *ret_state, GError **error),
     conn, uuid, ret_state, error)
CALL(qga_set_vcpus, false, (LpConn * conn, const char *uuid, const LpCpuMask *want, GError **error),
     conn, uuid, want, error)
CALL(qga_online_memory, false, (LpConn * conn, const char *uuid, GError **error), conn, uuid, error)
CALL(move_pages, true,
     (LpConn * conn, const char *uuid, const LpMoveOrder *order, LpPagesMoved *ret_moved,
      GError **error),
     conn, uuid, order, ret_moved, error)
CALL(set_pins, true, (LpConn * conn, const char *uuid, const LpPins *pins, GError **error), conn,
     uuid, pins, error)
CALL(set_nodeset, true,
     (LpConn * conn, const char *uuid, const uint32_t *node_ids, uint32_t n, GError **error), conn,
     uuid, node_ids, n, error)

static bool
define(LpConn *conn, const char *xml, char **ret_uuid, GError **error)
{
    Call call;

    if (!call_begin(&call, "define", NULL, true, error))
        return false;
    return call_end(&call, lp_driver_sim.define(conn, xml, ret_uuid, error), error);
}

static int
open_channel(const char *uri, const LpView *view, GError **error)
{
    if (world.gone) {
        lp_sim_fail(error, LP_DRIVER_ERROR_UNREACHABLE, view->name, "libvirt is gone");
        return -1;
    }
    return lp_driver_sim.open_channel(uri, view, error);
}

static LpWatch *
watch(const char *uri, LpEventFunc func, void *data, GError **error)
{
    return lp_driver_sim.watch(uri, func, data, error);
}

static void
unwatch(LpWatch *watching)
{
    lp_driver_sim.unwatch(watching);
}

const LpDriver sim_calls = {
    .name = "sim", .handles = handles, .open = open_conn, .close = close_conn,
    .describe = describe, .list = list, .look = look, .get_xml = get_xml, .define = define,
    .undefine = undefine, .start = start, .set_vcpu = set_vcpu, .set_requested = set_requested,
    .attach_dimm = attach_dimm, .detach_dimm = detach_dimm, .set_balloon = set_balloon,
    .set_memory_limit = set_memory_limit, .set_stats_period = set_stats_period,
    .memory_stats = memory_stats, .set_capacity = set_capacity, .set_metadata = set_metadata,
    .set_config = set_config, .qga_look = qga_look, .qga_set_vcpus = qga_set_vcpus,
    .qga_online_memory = qga_online_memory, .locate = locate, .move_pages = move_pages,
    .set_pins = set_pins, .set_nodeset = set_nodeset, .open_channel = open_channel,
    .watch = watch, .unwatch = unwatch,
};
