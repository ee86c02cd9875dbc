#include "lpard/api/door.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/socket.h>

#include "lpard/api/api-private.h"
#include "lpard/api/api-socket.h"
#include "lpard/api/door-priv.h"

/* Deadlines are whole seconds and nobody waits for them to be exact. */
#define SWEEP_SEC 1
/* Where accept() fails nothing but time helps: somebody must close something. */
#define PAUSE_MSEC 1000
/* Others have their turn on the loop too. */
#define ACCEPT_AT_ONCE 16
/* At its own pace again after this much at once. */
#define BURST_SEC 2
/* Refusals of a peer in the audit trail: some, then one a second, with the others counted. */
#define REFUSALS_PER_SEC 1
#define REFUSALS_BURST 20
#define BACKLOG 128

/* --- all of them ---------------------------------------------------------------------------- */

static void
free_use(void *data)
{
    LpPeerUse *use = data;

    g_free(use->key);
    g_free(use->who);
    g_free(use);
}

static LpPeerUse *
use_of(LpDoor *door, const char *key)
{
    LpPeerUse *use = g_hash_table_lookup(door->uses, key);
    int64_t now = g_get_monotonic_time();

    if (use)
        return use;
    use = g_new0(LpPeerUse, 1);
    use->key = g_strdup(key);
    lp_bucket_init(&use->requests, door->settings->max_rate,
                   door->settings->max_rate * BURST_SEC, now);
    use->arrivals = use->requests;
    lp_bucket_init(&use->refusals, REFUSALS_PER_SEC, REFUSALS_BURST, now);
    g_hash_table_insert(door->uses, use->key, use);
    return use;
}

/* It has closed; its uses and the table let go of it. */
static void
drop(LpDoor *door, guint index)
{
    LpCaller *caller = g_ptr_array_index(door->callers, index);

    if (caller->use)
        caller->use->n_callers--;
    if (caller->state == LP_CALLER_SHAKING) {
        door->n_shaking--;
        lp_entrance_open(&door->tcp);
    }
    lp_caller_forget(caller);
    g_ptr_array_remove_index_fast(door->callers, index);
}

/* One that is forgotten is as a new one when it comes again; what was only counted of it is told
 * first. */
static gboolean
is_unused(void *key, void *value, void *data)
{
    LpPeerUse *use = value;
    LpDoor *door = data;
    int64_t now = g_get_monotonic_time();
    LpCaller gone = {.who = use->who, .grant = use->grant, .use = use};

    (void)key;
    if (use->n_callers > 0 || use->n_polls > 0 || use->n_streams > 0 ||
        !lp_bucket_full(&use->arrivals, now) || !lp_bucket_full(&use->requests, now) ||
        !lp_bucket_full(&use->refusals, now))
        return FALSE;
    if (use->unrecorded && door->refused)
        door->refused(&gone, 0, NULL, "it asks no more", door->refused_data);
    return TRUE;
}

void
lp_door_sweep(LpDoor *door)
{
    int64_t now = g_get_monotonic_time();

    for (guint i = door->callers->len; i > 0; i--) {
        LpCaller *caller = g_ptr_array_index(door->callers, i - 1);

        if (!g_socket_is_closed(caller->socket) && now >= caller->deadline_usec)
            lp_caller_cut(caller);
        if (g_socket_is_closed(caller->socket))
            drop(door, i - 1);
    }
    g_hash_table_foreach_remove(door->uses, is_unused, door);
}

static gboolean
on_sweep(void *data)
{
    LpDoor *door = data;

    lp_door_sweep(door);
    if (door->callers->len > 0 || g_hash_table_size(door->uses) > 0)
        return G_SOURCE_CONTINUE;
    door->sweep = 0;
    return G_SOURCE_REMOVE;
}

static bool
has_room(unsigned n, unsigned max)
{
    return max == 0 || n < max;
}

/* --- coming in ------------------------------------------------------------------------------ */

/* Whoever is nobody in lpard.conf gets no request read. */
static bool
is_known(LpCaller *caller)
{
    g_autofree char *detail = NULL;

    if (caller->grant.role != LP_ROLE_NONE)
        return true;
    detail = g_strdup_printf(
        "%s may not use lpard: none of its groups is listed under [access] in lpard.conf; ask the "
        "administrator to add one to viewers, operators or admins", caller->who);
    lp_caller_refuse(caller, SOUP_STATUS_FORBIDDEN, "forbidden", detail);
    return false;
}

static bool
has_place(LpCaller *caller)
{
    uint32_t max = caller->door->settings->max_connections_peer;
    g_autofree char *detail = NULL;

    if (has_room(caller->use->n_callers - 1, max))
        return true;
    detail = g_strdup_printf(
        "%s has %u connections open already: close some, or raise `connections-per-peer =` under "
        "[limits] in lpard.conf", caller->who, max);
    lp_caller_refuse(caller, SOUP_STATUS_SERVICE_UNAVAILABLE, "busy", detail);
    return false;
}

/* libsoup answers by itself what is no request, and loses some memory with each: such are counted
 * here. */
static bool
has_pace(LpCaller *caller)
{
    g_autofree char *detail = NULL;

    if (lp_bucket_take(&caller->use->arrivals, g_get_monotonic_time()))
        return true;
    detail = g_strdup_printf(
        "%s connects more than %u times a second: keep a connection for the next request, or "
        "raise `rate =` under [limits] in lpard.conf", caller->who,
        caller->use->arrivals.per_sec);
    lp_caller_refuse(caller, LP_STATUS_TOO_MANY_REQUESTS, "rate", detail);
    return false;
}

void
lp_door_identified(LpCaller *caller, LpPeer *peer)
{
    LpDoor *door = caller->door;
    g_autofree char *key = peer->fingerprint ? g_strdup(peer->fingerprint) : lp_peer_text(peer);

    g_free(caller->who);
    caller->who = lp_peer_text(peer);
    caller->grant = lp_access_grant(door->access, peer);
    lp_peer_clear(peer);
    if (!has_room(use_of(door, key)->n_callers, door->settings->max_connections_peer))
        lp_door_sweep(door);
    caller->use = use_of(door, key);
    caller->use->n_callers++;
    g_free(caller->use->who);
    caller->use->who = g_strdup(caller->who);
    caller->use->grant = caller->grant;
    if (is_known(caller) && has_place(caller) && has_pace(caller))
        lp_caller_hand_over(caller);
}

static void
come_in(LpEntrance *entrance, GSocket *socket)
{
    LpDoor *door = entrance->door;
    g_autoptr(GError) error = NULL;
    LpCaller *caller = lp_caller_new(door, socket);
    LpPeer peer = {0};

    g_ptr_array_add(door->callers, caller);
    if (!door->sweep)
        door->sweep = g_timeout_add_seconds(SWEEP_SEC, on_sweep, door);
    if (!has_room(door->callers->len - 1, door->settings->max_connections))
        lp_door_sweep(door);
    if (!has_room(door->callers->len - 1, door->settings->max_connections)) {
        if (entrance->tls)
            lp_caller_close(caller);
        else
            lp_caller_refuse(caller, SOUP_STATUS_SERVICE_UNAVAILABLE, "busy",
                             "too many connections are open already: try again, or raise "
                             "`connections =` under [limits] in lpard.conf");
        return;
    }
    if (entrance->tls)
        lp_tls_greet(caller);
    else if (lp_access_peer(g_socket_get_fd(socket), &peer, &error))
        lp_door_identified(caller, &peer);
    else
        lp_caller_refuse(caller, SOUP_STATUS_FORBIDDEN, "forbidden", error->message);
}

static gboolean
on_pause_over(void *data)
{
    LpEntrance *entrance = data;

    entrance->pause = 0;
    lp_entrance_open(entrance);
    return G_SOURCE_REMOVE;
}

/* Most likely there are no descriptors left.  The socket stays readable: without a pause the
 * loop would spin. */
static void
pause_entrance(LpEntrance *entrance, const GError *why)
{
    lp_entrance_shut(entrance);
    if (!entrance->starved)
        g_warning("no connection can be accepted (%s): trying again every second; if it is for "
                  "want of descriptors, raise LimitNOFILE= of the service, or lower "
                  "`connections =` under [limits] in lpard.conf", why->message);
    entrance->starved = true;
    entrance->pause = g_timeout_add(PAUSE_MSEC, on_pause_over, entrance);
}

static gboolean
on_knock(GSocket *listening, GIOCondition condition, void *data)
{
    LpEntrance *entrance = data;

    (void)condition;
    for (unsigned i = 0; i < ACCEPT_AT_ONCE; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GSocket) socket = g_socket_accept(listening, NULL, &error);

        if (socket) {
            if (entrance->starved)
                g_message("connections are accepted again");
            entrance->starved = false;
            come_in(entrance, socket);
            if (!entrance->source)
                return G_SOURCE_REMOVE;
        } else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
            break;
        } else {
            pause_entrance(entrance, error);
            return G_SOURCE_REMOVE;
        }
    }
    return G_SOURCE_CONTINUE;
}

void
lp_entrance_open(LpEntrance *entrance)
{
    if (entrance->source || entrance->pause || !entrance->socket)
        return;
    entrance->source = g_socket_create_source(entrance->socket, G_IO_IN, NULL);
    g_source_set_callback(entrance->source, G_SOURCE_FUNC(on_knock), entrance, NULL);
    g_source_attach(entrance->source, g_main_context_get_thread_default());
}

void
lp_entrance_shut(LpEntrance *entrance)
{
    if (!entrance->source)
        return;
    g_source_destroy(entrance->source);
    g_clear_pointer(&entrance->source, g_source_unref);
}

/* --- the door itself ------------------------------------------------------------------------ */

/* libsoup keeps a connection for a second request only while it listens somewhere itself: this
 * is one end of a pair whose other end nobody has. */
static bool
pretend_to_listen(LpDoor *door, GError **error)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "no pair of sockets can be made: %s",
                    g_strerror(errno));
        return false;
    }
    door->dummy = g_socket_new_from_fd(ends[0], error);
    door->dummy_end = g_socket_new_from_fd(ends[1], error);
    return door->dummy && door->dummy_end &&
           soup_server_listen_socket(door->server, door->dummy, 0, error);
}

static bool
open_tcp(LpDoor *door, GError **error)
{
    g_autoptr(GSocketAddress) address = lp_tls_address(door->settings->tls_listen, error);
    GSocket *socket;

    if (!address || !(door->tls = lp_tls_new(door->settings, error)))
        return false;
    socket = g_socket_new(g_socket_address_get_family(address), G_SOCKET_TYPE_STREAM,
                          G_SOCKET_PROTOCOL_TCP, error);
    if (!socket)
        return false;
    door->tcp = (LpEntrance){.door = door, .socket = socket, .tls = true};
    g_socket_set_listen_backlog(socket, BACKLOG);
    g_socket_set_blocking(socket, FALSE);
    if (g_socket_bind(socket, address, TRUE, error) && g_socket_listen(socket, error)) {
        lp_entrance_open(&door->tcp);
        return true;
    }
    g_prefix_error(error, "[tls] listen = %s: ", door->settings->tls_listen);
    return false;
}

LpDoor *
lp_door_new(const LpSettings *settings, const LpAccess *access, SoupServer *server, GError **error)
{
    LpDoor *door = g_new0(LpDoor, 1);

    *door = (LpDoor){
        .settings = settings, .access = access, .server = server,
        .callers = g_ptr_array_new_with_free_func(lp_caller_unref_it),
        .uses = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_use),
        .local = {.door = door}, .tcp = {.door = door},
    };
    lp_bucket_init(&door->strangers.refusals, REFUSALS_PER_SEC, REFUSALS_BURST,
                   g_get_monotonic_time());
    door->local.socket = lp_api_socket_listen(settings->socket, settings->socket_group, error);
    if (door->local.socket)
        door->bound_path = g_strdup(settings->socket);
    if (!door->local.socket || !pretend_to_listen(door, error) ||
        (settings->tls_listen && !open_tcp(door, error))) {
        lp_door_free(door);
        return NULL;
    }
    g_socket_set_blocking(door->local.socket, FALSE);
    lp_entrance_open(&door->local);
    return door;
}

void
lp_door_tell(LpDoor *door, LpDoorRefused refused, void *data)
{
    door->refused = refused;
    door->refused_data = data;
}

static void
close_entrance(LpEntrance *entrance)
{
    lp_entrance_shut(entrance);
    if (entrance->pause)
        g_source_remove(entrance->pause);
    entrance->pause = 0;
    if (entrance->socket)
        g_socket_close(entrance->socket, NULL);
    g_clear_object(&entrance->socket);
}

void
lp_door_free(LpDoor *door)
{
    if (!door)
        return;
    close_entrance(&door->local);
    close_entrance(&door->tcp);
    if (door->sweep)
        g_source_remove(door->sweep);
    while (door->callers->len > 0) {
        LpCaller *caller = g_ptr_array_index(door->callers, 0);

        if (caller->state == LP_CALLER_SHAKING || caller->state == LP_CALLER_LEAVING)
            lp_caller_close(caller);
        drop(door, 0);
    }
    g_ptr_array_unref(door->callers);
    g_hash_table_unref(door->uses);
    /* Only what this lpard bound: another's socket is not ours to remove. */
    if (door->bound_path)
        g_unlink(door->bound_path);
    g_free(door->bound_path);
    g_clear_object(&door->dummy);
    g_clear_object(&door->dummy_end);
    lp_tls_free(door->tls);
    g_free(door);
}

unsigned
lp_door_n_callers(const LpDoor *door)
{
    return door->callers->len;
}

unsigned
lp_door_tls_port(const LpDoor *door)
{
    g_autoptr(GSocketAddress) address = door->tcp.socket
        ? g_socket_get_local_address(door->tcp.socket, NULL) : NULL;

    return address ? g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(address)) : 0;
}
