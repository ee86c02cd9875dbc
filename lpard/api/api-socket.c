#include "lpard/api/api-socket.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lpard/api/access.h"
#include "lpard/error.h"

/* More connections at once than lparctl and monitors make; the kernel cuts it at somaxconn. */
#define BACKLOG 128

static bool
path_fits(const char *path, GError **error)
{
    struct sockaddr_un address;

    if (path[0] == '/' && strlen(path) < sizeof address.sun_path)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                "the socket's path \"%s\" must be absolute and shorter than %zu bytes: choose "
                "another with `socket =` in lpard.conf", path, sizeof address.sun_path);
    return false;
}

/* Whether the path is free to bind, after a dead socket there is removed. */
static bool
make_way(const char *path, GSocketAddress *address, GError **error)
{
    g_autoptr(GSocket) probe = NULL;
    g_autoptr(GError) refused = NULL;
    struct stat status;

    if (lstat(path, &status) < 0)
        return true;
    if (!S_ISSOCK(status.st_mode)) {
        g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT,
                    "%s exists and is not a socket: remove it, or choose another with "
                    "`socket =` in lpard.conf", path);
        return false;
    }
    probe = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT,
                         error);
    if (!probe)
        return false;
    /* Not to wait where the other's queue is full, which also means that it lives. */
    g_socket_set_blocking(probe, FALSE);
    if (!g_socket_connect(probe, address, NULL, &refused) &&
        g_error_matches(refused, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
        return g_unlink(path) == 0 || errno == ENOENT;
    g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT,
                "a second lpard: somebody answers on %s already; stop that one first, or give "
                "this one another `socket =` and `state =`", path);
    return false;
}

/* The mode is the lesser until the group is right. */
static bool
open_to(const char *path, const char *group, GError **error)
{
    gid_t gid = (gid_t)-1;

    if (group && !lp_access_group(group, &gid)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "[lpard] socket-group = %s: there is no such group; make it (groupadd %s), or "
                    "name another", group, group);
        return false;
    }
    if (group && chown(path, (uid_t)-1, gid) < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL,
                    "%s cannot be given to the group %s: %s; lpard must be root, or a member of it",
                    path, group, g_strerror(errno));
        return false;
    }
    if (g_chmod(path, group ? 0660 : 0666) < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "the mode of %s cannot be set: %s", path,
                    g_strerror(errno));
        return false;
    }
    return true;
}

static bool
bind_closed(GSocket *socket, GSocketAddress *address, GError **error)
{
    mode_t mask = umask(0177);
    bool bound = g_socket_bind(socket, address, FALSE, error);

    umask(mask);
    return bound;
}

GSocket *
lp_api_socket_listen(const char *path, const char *group, GError **error)
{
    g_autoptr(GSocketAddress) address = NULL;
    g_autoptr(GSocket) socket = NULL;
    g_autofree char *directory = NULL;

    if (!path_fits(path, error))
        return NULL;
    directory = g_path_get_dirname(path);
    if (g_mkdir_with_parents(directory, 0755) < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "the directory %s cannot be made: %s",
                    directory, g_strerror(errno));
        return NULL;
    }
    address = g_unix_socket_address_new(path);
    if (!make_way(path, address, error)) {
        if (error && !*error)
            g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "%s cannot be removed: %s", path,
                        g_strerror(errno));
        return NULL;
    }
    socket = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT,
                          error);
    if (!socket)
        return NULL;
    g_socket_set_listen_backlog(socket, BACKLOG);
    if (!bind_closed(socket, address, error)) {
        g_prefix_error(error, "cannot listen on %s: ", path);
        return NULL;
    }
    if (!open_to(path, group, error)) {
        g_unlink(path);
        return NULL;
    }
    if (!g_socket_listen(socket, error)) {
        g_prefix_error(error, "cannot listen on %s: ", path);
        g_unlink(path);
        return NULL;
    }
    return g_steal_pointer(&socket);
}
