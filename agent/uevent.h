/* What the kernel says of devices that come and go, boiled down to what the agent acts on. */
#ifndef LP_AGENT_UEVENT_H
#define LP_AGENT_UEVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arrivals named one by one; a burst with more is followed by a sweep, which costs the same. */
#define LP_UEVENT_BLOCKS 32

/* Everything since the last look; one round of work however many events it took. */
typedef struct {
    bool cpus;                     /* a processor came, went or changed */
    bool memory;                   /* a memory block did */
    bool ports;                    /* a virtio port came or went */
    bool drivers;                  /* a virtio driver was bound or let go */
    bool lost;                     /* events were lost: look at everything */
    unsigned n_blocks;
    uint32_t blocks[LP_UEVENT_BLOCKS];   /* memory blocks that arrived */
} LpUevents;

/* A socket for epoll, or -1 and errno. */
int lp_uevent_open(void);
/* Reads all that is waiting and adds it to *events. */
void lp_uevent_drain(int fd, LpUevents *events);
/* One message of `length` bytes: "ACTION@DEVPATH", NUL, then KEY=VALUE texts with a NUL each. */
void lp_uevent_note(const char *text, size_t length, LpUevents *events);

#endif
