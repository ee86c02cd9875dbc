/* The host's end of the agent's channel: QEMU listens on a Unix socket that libvirt named. */
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hotplug/libvirt-priv.h"

static int
refuse(GError **error, LpDriverError code, const char *why)
{
    g_set_error_literal(error, LP_DRIVER_ERROR, (int)code, why);
    return -1;
}

static int
set_connect_error(const LpView *view, int number, GError **error)
{
    LpDriverError code = LP_DRIVER_ERROR_FAILED;
    const char *hint = "";

    switch (number) {
    case EACCES:
    case EPERM:
        code = LP_DRIVER_ERROR_UNSUPPORTED;
        hint = "; lpard needs the right to open libvirt's sockets: run it as root, or as the "
               "user that QEMU runs as";
        break;
    case EAGAIN:
        hint = "; another program holds the channel";
        break;
    case ENOENT:
    case ECONNREFUSED:
        hint = "; QEMU does not listen there (any more)";
        break;
    default:
        break;
    }
    g_set_error(error, LP_DRIVER_ERROR, (int)code, "the agent channel %s: %s%s",
                view->channel_path, g_strerror(number), hint);
    return -1;
}

int
lp_libvirt_open_channel(const char *uri, const LpView *view, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    (void)uri;
    if (!view->has_channel)
        return refuse(error, LP_DRIVER_ERROR_UNSUPPORTED,
                      "the domain has no channel " LP_CHANNEL_NAME
                      "; lparctl enable adds it, for the next start");
    if (view->run == LP_RUN_OFF)
        return refuse(error, LP_DRIVER_ERROR_NOT_RUNNING, "the domain is not running");
    if (!view->channel_path)
        return refuse(error, LP_DRIVER_ERROR_UNSUPPORTED,
                      "the agent channel has no socket on this host");
    if (g_strlcpy(address.sun_path, view->channel_path, sizeof address.sun_path) >=
        sizeof address.sun_path)
        return set_connect_error(view, ENAMETOOLONG, error);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return set_connect_error(view, errno, error);
    /* On Unix sockets this ends at once, one way or the other. */
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        set_connect_error(view, errno, error);
        close(fd);
        return -1;
    }
    return fd;
}
