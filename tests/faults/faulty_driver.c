#include "tests/faults/faulty_driver.h"

#include <string.h>

/* The whole state is under the lock: calls come from the workers' threads. */
static GMutex lock;
static bool judging;
static LpOracle *oracle;
static GArray *sites;
static GHashTable *counts;        /* "call uuid" -> n */
static GHashTable *doubts;        /* uuid: an effect's outcome is not known */
static GString *blind;
static unsigned n_blind;
static FaultyPlan plan;
static bool armed, struck;
static unsigned failing_lists;

int (*faulty_channel)(const char *uri, const LpView *view, GError **error);

const LpDriver *__real_lp_driver_for(const char *uri);
const LpDriver *__wrap_lp_driver_for(const char *uri);
static LpDriver wrapped;
static const LpDriver *real;

static void
forget(void)
{
    g_clear_pointer(&sites, g_array_unref);
    g_clear_pointer(&counts, g_hash_table_unref);
    g_clear_pointer(&doubts, g_hash_table_unref);
    if (blind)
        g_string_free(g_steal_pointer(&blind), TRUE);
    armed = struck = judging = false;
    n_blind = 0;
    oracle = NULL;
}

void
faulty_begin(LpOracle *judge)
{
    g_mutex_lock(&lock);
    forget();
    sites = g_array_new(FALSE, TRUE, sizeof(FaultySite));
    counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    doubts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    blind = g_string_new(NULL);
    oracle = judge;
    judging = true;
    g_mutex_unlock(&lock);
}

void
faulty_end(void)
{
    g_mutex_lock(&lock);
    forget();
    g_mutex_unlock(&lock);
}

void
faulty_arm(const FaultyPlan *next)
{
    g_mutex_lock(&lock);
    armed = next != NULL;
    struck = false;
    if (next)
        plan = *next;
    g_mutex_unlock(&lock);
}

bool
faulty_struck(void)
{
    bool result;

    g_mutex_lock(&lock);
    result = struck;
    g_mutex_unlock(&lock);
    return result;
}

GArray *
faulty_sites(void)
{
    GArray *copy;

    g_mutex_lock(&lock);
    copy = g_array_copy(sites);
    g_mutex_unlock(&lock);
    return copy;
}

unsigned
faulty_blind(void)
{
    return n_blind;
}

const char *
faulty_blind_text(void)
{
    return blind ? blind->str : "";
}

unsigned
faulty_n_calls(const char *call)
{
    unsigned n = 0;

    g_mutex_lock(&lock);
    for (guint i = 0; i < sites->len; i++)
        n += strcmp(g_array_index(sites, FaultySite, i).call, call) == 0;
    g_mutex_unlock(&lock);
    return n;
}

GPtrArray *
faulty_truth(const char *uri)
{
    LpConn *conn = lp_driver_sim.open(uri, NULL);
    GPtrArray *views = conn ? lp_driver_sim.list(conn, NULL) : NULL;

    if (conn)
        lp_driver_sim.close(conn);
    return views ? views : g_ptr_array_new();
}

/* ---- one call ---- */

typedef struct {
    FaultySite site;
    bool mine;                    /* the plan is for this call */
    FaultyPlan plan;
} Passage;

/* What the guest's agent did is read from it, and no other effect depends on it. */
static const char *
doubt_of(const char *call, const char *uuid)
{
    return g_str_has_prefix(call, "qga") ? "qga" : uuid;
}

/* False: it is not made, and *error is set. */
static bool
enter(Passage *passage, const char *call, const char *uuid, bool effect, GError **error)
{
    g_autofree char *key = g_strdup_printf("%s %s", call, uuid);
    LpOracle *judge = NULL;

    memset(passage, 0, sizeof *passage);
    g_strlcpy(passage->site.call, call, sizeof passage->site.call);
    g_strlcpy(passage->site.uuid, uuid, sizeof passage->site.uuid);
    passage->site.effect = effect;
    g_mutex_lock(&lock);
    if (judging) {
        passage->site.nth = GPOINTER_TO_UINT(g_hash_table_lookup(counts, key)) + 1;
        g_hash_table_replace(counts, g_steal_pointer(&key),
                             GUINT_TO_POINTER(passage->site.nth));
        g_array_append_val(sites, passage->site);
        judge = effect ? oracle : NULL;
        /* A page that is where it should be stays there: the call itself reads before it moves. */
        if (effect && g_hash_table_contains(doubts, doubt_of(call, uuid))
            && strcmp(call, "move_pages") != 0) {
            n_blind++;
            g_string_append_printf(blind, "%s of %s; ", call, uuid);
        }
    }
    passage->mine = armed && !struck && passage->site.nth == plan.site.nth
                    && strcmp(call, plan.site.call) == 0 && strcmp(uuid, plan.site.uuid) == 0;
    passage->plan = plan;
    struck = struck || passage->mine;
    g_mutex_unlock(&lock);
    if (judge)
        lp_oracle_effect(judge, call, uuid);
    if (!passage->mine || passage->plan.after)
        return true;
    if (passage->plan.act)
        passage->plan.act(passage->plan.data);
    if (!passage->plan.fails)
        return true;
    g_set_error(error, LP_DRIVER_ERROR, (int) passage->plan.error, "%s: a fault was asked for",
                call);
    return false;
}

/* What the caller is told; `error` may have been set by the call. */
static bool
leave(Passage *passage, bool ok, GError **error)
{
    bool cut = passage->mine && passage->plan.after && passage->plan.fails;

    if (passage->mine && passage->plan.after && passage->plan.act)
        passage->plan.act(passage->plan.data);
    if (cut) {
        g_clear_error(error);
        g_set_error(error, LP_DRIVER_ERROR, (int) passage->plan.error,
                    "%s: a fault was asked for, after it", passage->site.call);
        ok = false;
    }
    g_mutex_lock(&lock);
    if (judging && passage->site.effect && !ok
        && g_error_matches(*error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNKNOWN))
        g_hash_table_add(doubts, g_strdup(doubt_of(passage->site.call, passage->site.uuid)));
    if (judging && !passage->site.effect && ok)
        g_hash_table_remove(doubts, doubt_of(passage->site.call, passage->site.uuid));
    g_mutex_unlock(&lock);
    return ok;
}

/* Sizes as they are right after an effect. */
static void
judge_sizes(LpConn *conn)
{
    g_autoptr(GPtrArray) views = NULL;

    g_mutex_lock(&lock);
    if (judging && oracle) {
        views = real->list(conn, NULL);
        if (views)
            lp_oracle_look(oracle, views);
    }
    g_mutex_unlock(&lock);
}

#define EFFECT(name, parameters, arguments) \
    static bool \
    name parameters \
    { \
        g_autoptr(GError) inner = NULL; \
        Passage passage; \
        bool ok = enter(&passage, #name, uuid, true, &inner) && real->name arguments; \
        if (ok) \
            judge_sizes(conn); \
        ok = leave(&passage, ok, &inner); \
        if (!ok) \
            g_propagate_error(error, g_steal_pointer(&inner)); \
        return ok; \
    }

EFFECT(set_vcpu, (LpConn *conn, const char *uuid, uint32_t vcpu, bool plugged, GError **error),
       (conn, uuid, vcpu, plugged, &inner))
EFFECT(set_requested,
       (LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes, GError **error),
       (conn, uuid, cell, bytes, &inner))
EFFECT(attach_dimm, (LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes, GError **error),
       (conn, uuid, cell, bytes, &inner))
EFFECT(detach_dimm, (LpConn *conn, const char *uuid, const char *alias, GError **error),
       (conn, uuid, alias, &inner))
EFFECT(set_balloon, (LpConn *conn, const char *uuid, uint64_t bytes, GError **error),
       (conn, uuid, bytes, &inner))
EFFECT(set_capacity,
       (LpConn *conn, const char *uuid, const LpCapacityLimits *limits, GError **error),
       (conn, uuid, limits, &inner))
EFFECT(set_memory_limit, (LpConn *conn, const char *uuid, uint64_t bytes, GError **error),
       (conn, uuid, bytes, &inner))
EFFECT(set_metadata, (LpConn *conn, const char *uuid, const char *metadata, GError **error),
       (conn, uuid, metadata, &inner))
EFFECT(set_config, (LpConn *conn, const char *uuid, const LpConfigChange *change, GError **error),
       (conn, uuid, change, &inner))
EFFECT(qga_set_vcpus, (LpConn *conn, const char *uuid, const LpCpuMask *want, GError **error),
       (conn, uuid, want, &inner))
EFFECT(qga_online_memory, (LpConn *conn, const char *uuid, GError **error), (conn, uuid, &inner))
EFFECT(move_pages,
       (LpConn *conn, const char *uuid, const LpMoveOrder *order, LpPagesMoved *ret_moved,
        GError **error),
       (conn, uuid, order, ret_moved, &inner))
EFFECT(set_pins, (LpConn *conn, const char *uuid, const LpPins *pins, GError **error),
       (conn, uuid, pins, &inner))

static LpView *
look(LpConn *conn, const char *uuid, GError **error)
{
    g_autoptr(GError) inner = NULL;
    g_autoptr(LpView) view = NULL;
    Passage passage;
    bool ok = enter(&passage, "look", uuid, false, &inner)
              && (view = real->look(conn, uuid, &inner)) != NULL;

    if (leave(&passage, ok, &inner))
        return g_steal_pointer(&view);
    g_propagate_error(error, g_steal_pointer(&inner));
    return NULL;
}

static LpLocality *
locate(LpConn *conn, const char *uuid, const LpTopology *topology, uint32_t samples,
       GError **error)
{
    g_autoptr(GError) inner = NULL;
    g_autoptr(LpLocality) locality = NULL;
    Passage passage;
    bool ok = enter(&passage, "locate", uuid, false, &inner)
              && (locality = real->locate(conn, uuid, topology, samples, &inner)) != NULL;

    if (leave(&passage, ok, &inner))
        return g_steal_pointer(&locality);
    g_propagate_error(error, g_steal_pointer(&inner));
    return NULL;
}

static bool
qga_look(LpConn *conn, const char *uuid, LpQgaState *ret_state, GError **error)
{
    g_autoptr(GError) inner = NULL;
    Passage passage;
    bool ok = enter(&passage, "qga_look", uuid, false, &inner)
              && real->qga_look(conn, uuid, ret_state, &inner);

    ok = leave(&passage, ok, &inner);
    if (!ok)
        g_propagate_error(error, g_steal_pointer(&inner));
    return ok;
}

/* ---- events ---- */

static LpEventFunc listener;
static void *listener_data;
static bool is_deaf;

static void
pass_on(const LpEvent *event, void *data)
{
    (void) data;
    if (!is_deaf)
        listener(event, listener_data);
}

static LpWatch *
watch(const char *uri, LpEventFunc func, void *data, GError **error)
{
    listener = func;
    listener_data = data;
    return real->watch(uri, pass_on, NULL, error);
}

void
faulty_deafen(bool deaf)
{
    /* What was told until now was told before, or is lost with the rest. */
    while (g_main_context_iteration(NULL, FALSE))
        ;
    is_deaf = deaf;
}

void
faulty_fail_lists(unsigned n)
{
    g_mutex_lock(&lock);
    failing_lists = n;
    g_mutex_unlock(&lock);
}

/* Reads every domain there is. */
static GPtrArray *
list(LpConn *conn, GError **error)
{
    GPtrArray *views = real->list(conn, error);

    g_mutex_lock(&lock);
    if (views && failing_lists > 0) {
        failing_lists--;
        g_clear_pointer(&views, g_ptr_array_unref);
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNREACHABLE,
                    "the connection was cut in the list");
    }
    if (views && doubts)
        g_hash_table_remove_all(doubts);
    g_mutex_unlock(&lock);
    return views;
}

static int
open_channel(const char *uri, const LpView *view, GError **error)
{
    return faulty_channel ? faulty_channel(uri, view, error)
                          : real->open_channel(uri, view, error);
}

const LpDriver *
__wrap_lp_driver_for(const char *uri)
{
    real = __real_lp_driver_for(uri);
    wrapped = *real;
    wrapped.set_vcpu = set_vcpu;
    wrapped.set_requested = set_requested;
    wrapped.attach_dimm = attach_dimm;
    wrapped.detach_dimm = detach_dimm;
    wrapped.set_balloon = set_balloon;
    wrapped.set_capacity = set_capacity;
    wrapped.set_memory_limit = set_memory_limit;
    wrapped.set_metadata = set_metadata;
    wrapped.set_config = set_config;
    wrapped.qga_set_vcpus = qga_set_vcpus;
    wrapped.qga_online_memory = qga_online_memory;
    wrapped.move_pages = move_pages;
    wrapped.set_pins = set_pins;
    wrapped.look = look;
    wrapped.locate = locate;
    wrapped.qga_look = qga_look;
    wrapped.list = list;
    wrapped.open_channel = open_channel;
    wrapped.watch = watch;
    return &wrapped;
}
