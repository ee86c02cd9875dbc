/* Wraps a driver's vtable: a point before and after each call, whatever the hypervisor. */
#include "hotplug/fault-driver.h"

#include <unistd.h>

#include "hotplug/fault.h"

struct LpConn {
    const LpDriver *real;
    LpConn *inner;
};

/* False: the connection is cut before the call. */
static bool
enter(LpFaultPoint point, GError **error)
{
    if (!lp_fault_reach(point))
        return true;
    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNREACHABLE,
                "the connection was cut before the call (a fault was asked for)");
    return false;
}

/* False: the connection is cut before the answer. */
static bool
leave(LpFaultPoint point, GError **error)
{
    if (!lp_fault_reach(point))
        return true;
    if (error)
        g_clear_error(error);
    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNKNOWN,
                "the connection was cut before the answer (a fault was asked for)");
    return false;
}

/* The call is made only if enter() allows it. */
#define ASK(NAME, expression) \
    bool ok; \
    if (!enter(LP_FAULT_CALL_##NAME##_BEFORE, error)) \
        return false; \
    ok = (expression); \
    return leave(LP_FAULT_CALL_##NAME##_AFTER, error) && ok
#define CHANGE(NAME, call, ...) \
    lp_fault_tell_effect(#call, uuid); \
    ASK(NAME, conn->real->call(conn->inner, uuid, __VA_ARGS__))
/* One that answers with something to be freed. */
#define GET(type, NAME, free_func, expression) \
    type *answer; \
    if (!enter(LP_FAULT_CALL_##NAME##_BEFORE, error)) \
        return NULL; \
    answer = (expression); \
    if (!leave(LP_FAULT_CALL_##NAME##_AFTER, error)) \
        g_clear_pointer(&answer, free_func); \
    return answer

static LpConn *
open_real(const LpDriver *real, const char *uri, GError **error)
{
    LpConn *inner, *conn;

    if (!enter(LP_FAULT_CALL_OPEN_BEFORE, error))
        return NULL;
    inner = real->open(uri, error);
    if (!leave(LP_FAULT_CALL_OPEN_AFTER, error)) {
        if (inner)
            real->close(inner);
        return NULL;
    }
    if (!inner)
        return NULL;
    conn = g_new0(LpConn, 1);
    conn->real = real;
    conn->inner = inner;
    return conn;
}

static void
close_conn(LpConn *conn)
{
    conn->real->close(conn->inner);
    g_free(conn);
}

static char *
describe(LpConn *conn, GError **error)
{
    return conn->real->describe(conn->inner, error);
}

static GPtrArray *
list(LpConn *conn, GError **error)
{
    GET(GPtrArray, LIST, g_ptr_array_unref, conn->real->list(conn->inner, error));
}

static LpView *
look(LpConn *conn, const char *uuid, GError **error)
{
    GET(LpView, LOOK, lp_view_free, conn->real->look(conn->inner, uuid, error));
}

static char *
get_xml(LpConn *conn, const char *uuid, bool inactive, GError **error)
{
    GET(char, GET_XML, g_free, conn->real->get_xml(conn->inner, uuid, inactive, error));
}

static bool
define(LpConn *conn, const char *xml, char **ret_uuid, GError **error)
{
    lp_fault_tell_effect("define", NULL);
    ASK(DEFINE, conn->real->define(conn->inner, xml, ret_uuid, error));
}

static bool
undefine(LpConn *conn, const char *uuid, GError **error)
{
    return conn->real->undefine(conn->inner, uuid, error);
}

static bool
start(LpConn *conn, const char *uuid, GError **error)
{
    CHANGE(START, start, error);
}

static bool
set_vcpu(LpConn *conn, const char *uuid, uint32_t vcpu, bool plugged, GError **error)
{
    CHANGE(SET_VCPU, set_vcpu, vcpu, plugged, error);
}

static bool
set_requested(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes, GError **error)
{
    CHANGE(SET_REQUESTED, set_requested, cell, bytes, error);
}

static bool
attach_dimm(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes, GError **error)
{
    CHANGE(ATTACH_DIMM, attach_dimm, cell, bytes, error);
}

static bool
detach_dimm(LpConn *conn, const char *uuid, const char *alias, GError **error)
{
    CHANGE(DETACH_DIMM, detach_dimm, alias, error);
}

static bool
set_balloon(LpConn *conn, const char *uuid, uint64_t bytes, GError **error)
{
    CHANGE(SET_BALLOON, set_balloon, bytes, error);
}

/* Changes how often the guest speaks, and nothing that anybody has: no effect in the sense of S6. */
static bool
set_stats_period(LpConn *conn, const char *uuid, uint32_t sec, GError **error)
{
    ASK(SET_STATS_PERIOD, conn->real->set_stats_period(conn->inner, uuid, sec, error));
}

static bool
set_capacity(LpConn *conn, const char *uuid, const LpCapacityLimits *limits, GError **error)
{
    CHANGE(SET_CAPACITY, set_capacity, limits, error);
}

static bool
set_memory_limit(LpConn *conn, const char *uuid, uint64_t bytes, GError **error)
{
    CHANGE(SET_MEMORY_LIMIT, set_memory_limit, bytes, error);
}

static bool
set_metadata(LpConn *conn, const char *uuid, const char *metadata, GError **error)
{
    CHANGE(SET_METADATA, set_metadata, metadata, error);
}

static bool
set_config(LpConn *conn, const char *uuid, const LpConfigChange *change, GError **error)
{
    CHANGE(SET_CONFIG, set_config, change, error);
}

static bool
memory_stats(LpConn *conn, const char *uuid, LpMemoryStats *ret_stats, GError **error)
{
    ASK(MEMORY_STATS, conn->real->memory_stats(conn->inner, uuid, ret_stats, error));
}

static bool
qga_look(LpConn *conn, const char *uuid, LpQgaState *ret_state, GError **error)
{
    ASK(QGA_LOOK, conn->real->qga_look(conn->inner, uuid, ret_state, error));
}

static bool
qga_set_vcpus(LpConn *conn, const char *uuid, const LpCpuMask *want, GError **error)
{
    CHANGE(QGA_SET_VCPUS, qga_set_vcpus, want, error);
}

static bool
qga_online_memory(LpConn *conn, const char *uuid, GError **error)
{
    CHANGE(QGA_ONLINE_MEMORY, qga_online_memory, error);
}

static LpLocality *
locate(LpConn *conn, const char *uuid, const LpTopology *topology, uint32_t samples,
       GError **error)
{
    GET(LpLocality, LOCATE, lp_locality_free,
        conn->real->locate(conn->inner, uuid, topology, samples, error));
}

static bool
move_pages(LpConn *conn, const char *uuid, const LpMoveOrder *order, LpPagesMoved *ret_moved,
           GError **error)
{
    CHANGE(MOVE_PAGES, move_pages, order, ret_moved, error);
}

static bool
set_pins(LpConn *conn, const char *uuid, const LpPins *pins, GError **error)
{
    CHANGE(SET_PINS, set_pins, pins, error);
}

static bool
set_nodeset(LpConn *conn, const char *uuid, const uint32_t *node_ids, uint32_t n, GError **error)
{
    CHANGE(SET_NODESET, set_nodeset, node_ids, n, error);
}

/* What has no connection, and so is made for one driver each. */
#define WRAP(which) \
    static LpConn * \
    which##_open(const char *uri, GError **error) \
    { \
        return open_real(&lp_driver_##which, uri, error); \
    } \
    static int \
    which##_open_channel(const char *uri, const LpView *view, GError **error) \
    { \
        int fd; \
        if (!enter(LP_FAULT_CALL_OPEN_CHANNEL_BEFORE, error)) \
            return -1; \
        fd = lp_driver_##which.open_channel(uri, view, error); \
        if (leave(LP_FAULT_CALL_OPEN_CHANNEL_AFTER, error)) \
            return fd; \
        if (fd >= 0) \
            (void) close(fd); \
        return -1; \
    } \
    static LpWatch * \
    which##_watch(const char *uri, LpEventFunc func, void *data, GError **error) \
    { \
        LpWatch *watch; \
        if (!enter(LP_FAULT_CALL_WATCH_BEFORE, error)) \
            return NULL; \
        watch = lp_driver_##which.watch(uri, func, data, error); \
        if (leave(LP_FAULT_CALL_WATCH_AFTER, error)) \
            return watch; \
        if (watch) \
            lp_driver_##which.unwatch(watch); \
        return NULL; \
    } \
    static LpDriver which##_wrapped = { \
        .open = which##_open, .close = close_conn, .describe = describe, .list = list, \
        .look = look, .get_xml = get_xml, .define = define, .undefine = undefine, \
        .start = start, .set_vcpu = set_vcpu, .set_requested = set_requested, \
        .attach_dimm = attach_dimm, .detach_dimm = detach_dimm, .set_balloon = set_balloon, \
        .set_stats_period = set_stats_period, .set_capacity = set_capacity, \
        .set_memory_limit = set_memory_limit, .set_metadata = set_metadata, \
        .set_config = set_config, .memory_stats = memory_stats, .qga_look = qga_look, \
        .qga_set_vcpus = qga_set_vcpus, .qga_online_memory = qga_online_memory, \
        .locate = locate, .move_pages = move_pages, .set_pins = set_pins, \
        .set_nodeset = set_nodeset, .open_channel = which##_open_channel, \
        .watch = which##_watch, \
    }

WRAP(libvirt);
WRAP(sim);

/* Name, URIs and the end of a subscription are the driver's own. */
static const LpDriver *
complete(LpDriver *wrapped, const LpDriver *real)
{
    wrapped->name = real->name;
    wrapped->handles = real->handles;
    wrapped->unwatch = real->unwatch;
    return wrapped;
}

const LpDriver *
lp_fault_driver(const LpDriver *real)
{
    return real == &lp_driver_sim ? complete(&sim_wrapped, real)
                                  : complete(&libvirt_wrapped, real);
}
