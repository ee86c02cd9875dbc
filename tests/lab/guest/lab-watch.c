/* lab-watch FILE: writes into FILE, one line each, when the kernel says that a processor or a
 * memory block has come or gone, online or offline: "USEC ACTION NAME", on the guest's
 * monotonic clock.  It neither polls nor touches them, and runs before all others (SCHED_FIFO),
 * so that what is stamped is the event and not the turn of this program. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void
stamp(int out, const char *event)
{
    const char *at = strchr(event, '@'), *name = strrchr(event, '/');
    struct timespec now;
    char line[128];
    int length;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!at || strncmp(at, "@/devices/system/", 17) || !name
        || (strncmp(name, "/cpu", 4) && strncmp(name, "/memory", 7)))
        return;
    length = snprintf(line, sizeof line, "%lld %.*s %s\n",
                      now.tv_sec * 1000000LL + now.tv_nsec / 1000, (int) (at - event), event,
                      name + 1);
    if (length < (int) sizeof line && write(out, line, (size_t) length) < 0)
        perror("lab-watch: write");
}

int
main(int argc, char **argv)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    struct sched_param first = {.sched_priority = 50};
    int room = 1 << 20;
    int in = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    int out = argc == 2 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    char event[4096];
    ssize_t length;

    if (in < 0 || out < 0 || bind(in, (struct sockaddr *) &address, sizeof address) < 0
        || setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0
        || sched_setscheduler(0, SCHED_FIFO, &first) < 0 || mlockall(MCL_CURRENT) < 0) {
        perror("lab-watch");
        return 1;
    }
    while ((length = recv(in, event, sizeof event - 1, 0)) >= 0) {
        event[length] = '\0';
        stamp(out, event);
    }
    perror("lab-watch: recv");
    return 1;
}
