#include "lpard/api/api-socket.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

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

GSocket *
lp_api_socket_listen(const char *path, GError **error)
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
    if (!g_socket_bind(socket, address, FALSE, error) || !g_socket_listen(socket, error)) {
        g_prefix_error(error, "cannot listen on %s: ", path);
        return NULL;
    }
    /* Every user may connect: what each may do is decided by its groups. */
    if (g_chmod(path, 0666) < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "the mode of %s cannot be set: %s", path,
                    g_strerror(errno));
        g_unlink(path);
        return NULL;
    }
    return g_steal_pointer(&socket);
}
