#include "agent/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/files.h"

/* The multicast group the kernel itself speaks to; udev re-sends on another. */
#define LP_UEVENT_GROUP 1
/* A memory grow of 64 GiB is 512 blocks, two events of some 300 bytes each. */
#define LP_UEVENT_BACKLOG_BYTES (1 << 20)
/* The kernel's own limit (UEVENT_BUFFER_SIZE) is 2048. */
#define LP_UEVENT_TEXT 4096

int
lp_uevent_open(void)
{
    struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = LP_UEVENT_GROUP };
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_KOBJECT_UEVENT);
    int backlog = LP_UEVENT_BACKLOG_BYTES, saved;

    if (fd < 0)
        return -1;
    /* Without the privilege the default backlog stays; an overflow is then swept up after. */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &backlog, sizeof(backlog));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static void
note_block(const char *path, LpUevents *events)
{
    const char *name = strrchr(path, '/');
    int64_t block = name != NULL ? lp_file_number(name + 1, "memory") : -1;

    if (block < 0)
        return;
    if (events->n_blocks < LP_UEVENT_BLOCKS)
        events->blocks[events->n_blocks++] = (uint32_t)block;
    else
        events->lost = true;
}

void
lp_uevent_note(const char *text, size_t length, LpUevents *events)
{
    const char *action = "", *path = "", *subsystem = "";
    size_t at = 0;

    while (at < length) {
        const char *field = text + at;
        size_t size = strnlen(field, length - at);

        /* The last field of a message that was cut short has no end: not to be read as text. */
        if (size == length - at)
            break;
        if (strncmp(field, "ACTION=", 7) == 0)
            action = field + 7;
        else if (strncmp(field, "DEVPATH=", 8) == 0)
            path = field + 8;
        else if (strncmp(field, "SUBSYSTEM=", 10) == 0)
            subsystem = field + 10;
        at += size + 1;
    }
    if (strcmp(subsystem, "cpu") == 0) {
        events->cpus = true;
    } else if (strcmp(subsystem, "memory") == 0) {
        events->memory = true;
        if (strcmp(action, "add") == 0)
            note_block(path, events);
    } else if (strcmp(subsystem, "virtio-ports") == 0) {
        events->ports = true;
    } else if (strcmp(subsystem, "virtio") == 0) {
        events->drivers = true;
    }
}

void
lp_uevent_drain(int fd, LpUevents *events)
{
    char text[LP_UEVENT_TEXT];

    for (;;) {
        struct sockaddr_nl from = { .nl_family = AF_NETLINK };
        socklen_t from_size = sizeof(from);
        ssize_t n = recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &from_size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == ENOBUFS) {
            events->lost = true;
            continue;
        }
        if (n <= 0)
            break;
        /* Port 0 is the kernel; anybody else's word is worth nothing here. */
        if (from.nl_pid == 0)
            lp_uevent_note(text, (size_t)n, events);
    }
}
