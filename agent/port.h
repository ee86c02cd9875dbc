/* The link to the host: a virtio-serial port that is found, opened and kept open.
 *
 * The port outlives the host's end.  While nobody is connected on the host the kernel answers
 * reads with end-of-file, writes with EAGAIN, and polls with a standing hang-up; so epoll is
 * edge-triggered, and a hang-up means "away", not "gone". */
#ifndef LP_AGENT_PORT_H
#define LP_AGENT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/wire/wire.h"

#define LP_PORT_NAME "org.lpard.agent.0"

typedef struct {
    const char *sysfs;
    const char *wanted;            /* --port, or NULL: look for LP_PORT_NAME */
    int epoll_fd;
    void *who;                     /* epoll's data for it */
    int fd;                        /* -1: not open */
    bool is_socket;                /* then end-of-file is the end of the link */
    bool connected;                /* the host's end is open */
    bool complained;               /* about the port that cannot be opened; once is enough */
    int64_t retry_at_msec;
    int64_t retry_msec;            /* the next pause */
    size_t out_used;
    LpWireReader reader;
    char out[LP_WIRE_FRAME_MAX];
} LpPort;

void lp_port_init(LpPort *port, const char *sysfs, const char *wanted, int epoll_fd,
                  void *who);
/* Opens the port if it is not; otherwise a retry is due at retry_at_msec. */
void lp_port_try(LpPort *port, int64_t now_msec);
/* Gives up this link; a new one is tried after a pause. */
void lp_port_close(LpPort *port, int64_t now_msec);
/* Takes what epoll said of the port; true if the host has just connected. */
bool lp_port_ready(LpPort *port, uint32_t events, int64_t now_msec);
/* The next line from the host, or NULL when there is no more for now (the host may then be
 * away, or the link closed). */
const char *lp_port_next(LpPort *port, size_t *ret_length, int64_t now_msec);
/* Queues bytes and writes what the port takes; false if the host is away or too slow to read.
 * Frames go whole or not at all. */
bool lp_port_send(LpPort *port, const char *bytes, size_t length, int64_t now_msec);
/* The device node of the port, for people; false if there is no such port. */
bool lp_port_find(const char *sysfs, char *ret_path, size_t size);

#endif
