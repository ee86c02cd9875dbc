#include "agent/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/files.h"
#include "agent/log.h"

/* An event ends the wait early, so this is only for what sends none. */
#define LP_PORT_RETRY_FIRST_MSEC 1000
#define LP_PORT_RETRY_LAST_MSEC 10000
#define LP_PORT_UNIX "unix:"

void
lp_port_init(LpPort *port, const char *sysfs, const char *wanted, int epoll_fd,
             void *who)
{
    port->sysfs = sysfs;
    port->wanted = wanted;
    port->epoll_fd = epoll_fd;
    port->who = who;
    port->fd = -1;
    port->connected = port->complained = port->is_socket = false;
    port->retry_at_msec = 0;
    port->retry_msec = LP_PORT_RETRY_FIRST_MSEC;
    port->out_used = 0;
    lp_wire_reader_init(&port->reader);
}

bool
lp_port_find(const char *sysfs, char *ret_path, size_t size)
{
    char path[LP_PATH_MAX], name[64];
    struct dirent *entry;
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof(path), "%s/class/virtio-ports", sysfs);
    dir = opendir(path);
    if (dir == NULL)
        return false;
    while (!found && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, "vport", 5) != 0 || strlen(entry->d_name) > 32)
            continue;
        found = lp_file_read(name, sizeof(name), "%s/class/virtio-ports/%.32s/name", sysfs,
                             entry->d_name) > 0 &&
                strcmp(name, LP_PORT_NAME) == 0;
        if (found)
            snprintf(ret_path, size, "/dev/%.32s", entry->d_name);
    }
    closedir(dir);
    return found;
}

static int
connect_unix(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd, saved;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Opens what `path` names and hands it to epoll; -1 and errno. */
static int
open_path(LpPort *port, const char *path)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = port->who,
    };
    int fd, saved;

    port->is_socket = strncmp(path, LP_PORT_UNIX, strlen(LP_PORT_UNIX)) == 0;
    if (port->is_socket)
        fd = connect_unix(path + strlen(LP_PORT_UNIX));
    else
        fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static void
retry_later(LpPort *port, int64_t now_msec)
{
    port->retry_at_msec = now_msec + port->retry_msec;
    port->retry_msec *= 2;
    if (port->retry_msec > LP_PORT_RETRY_LAST_MSEC)
        port->retry_msec = LP_PORT_RETRY_LAST_MSEC;
}

void
lp_port_try(LpPort *port, int64_t now_msec)
{
    char found[LP_PATH_MAX];
    const char *path = port->wanted;

    if (port->fd >= 0)
        return;
    if (path == NULL && lp_port_find(port->sysfs, found, sizeof(found)))
        path = found;
    if (path != NULL)
        port->fd = open_path(port, path);
    if (port->fd >= 0) {
        lp_log_info("%s is open", path);
        port->retry_at_msec = LP_NEVER;
        port->complained = false;
        return;
    }
    if (path == NULL && !port->complained)
        lp_log_warn("there is no virtio port %s: waiting for it (the domain needs the channel, "
                    "the guest the module virtio_console)", LP_PORT_NAME);
    else if (!port->complained)
        lp_log_warn("%s cannot be opened: %s; trying again", path, strerror(errno));
    port->complained = true;
    retry_later(port, now_msec);
}

static void
forget_link(LpPort *port)
{
    port->connected = false;
    port->out_used = 0;
    lp_wire_reader_init(&port->reader);
}

void
lp_port_close(LpPort *port, int64_t now_msec)
{
    if (port->fd < 0)
        return;
    close(port->fd);
    port->fd = -1;
    forget_link(port);
    /* A pause even after a good link: whatever closes links must not make this a loop. */
    retry_later(port, now_msec);
}

/* The other end is no longer there. */
static void
peer_left(LpPort *port, int64_t now_msec)
{
    if (port->is_socket) {
        lp_port_close(port, now_msec);
        return;
    }
    if (port->connected)
        lp_log_info("the host has disconnected");
    forget_link(port);
}

static void
flush_out(LpPort *port, int64_t now_msec)
{
    size_t done = 0;

    while (done < port->out_used) {
        ssize_t n = write(port->fd, port->out + done, port->out_used - done);

        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno != EAGAIN) {
            lp_log_info("writing to the port: %s", strerror(errno));
            lp_port_close(port, now_msec);
            return;
        } else {
            break;
        }
    }
    port->out_used -= done;
    memmove(port->out, port->out + done, port->out_used);
}

bool
lp_port_ready(LpPort *port, uint32_t events, int64_t now_msec)
{
    bool came = false;

    if (port->fd < 0)
        return false;
    if (!(events & (EPOLLHUP | EPOLLERR)) && (events & EPOLLOUT) && !port->connected) {
        port->connected = came = true;
        port->retry_msec = LP_PORT_RETRY_FIRST_MSEC;
        lp_wire_reader_init(&port->reader);
        lp_log_info("the host has connected");
    }
    if (port->connected && (events & EPOLLOUT))
        flush_out(port, now_msec);
    return came && port->connected;
}

const char *
lp_port_next(LpPort *port, size_t *ret_length, int64_t now_msec)
{
    while (port->fd >= 0) {
        LpWireVerdict verdict;
        const char *line = lp_wire_reader_next(&port->reader, ret_length, &verdict);
        size_t room;
        char *space;
        ssize_t n;

        if (line != NULL)
            return line;
        if (verdict != LP_WIRE_OK) {
            lp_log_warn("the host sent nonsense: %s; the link is dropped",
                        lp_wire_verdict_text(verdict));
            lp_port_close(port, now_msec);
            break;
        }
        space = lp_wire_reader_space(&port->reader, &room);
        n = read(port->fd, space, room);
        if (n > 0) {
            lp_wire_reader_filled(&port->reader, (size_t)n);
        } else if (n == 0) {
            peer_left(port, now_msec);
            break;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            lp_log_info("reading from the port: %s", strerror(errno));
            lp_port_close(port, now_msec);
        }
    }
    return NULL;
}

bool
lp_port_send(LpPort *port, const char *bytes, size_t length, int64_t now_msec)
{
    if (port->fd < 0 || !port->connected || length > sizeof(port->out) - port->out_used)
        return false;
    memcpy(port->out + port->out_used, bytes, length);
    port->out_used += length;
    flush_out(port, now_msec);
    return true;
}
