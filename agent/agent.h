/* The agent: one loop that waits for the host, the kernel's events and its own deadlines. */
#ifndef LP_AGENT_AGENT_H
#define LP_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/apps.h"
#include "agent/check.h"
#include "agent/child.h"
#include "agent/classes.h"
#include "agent/conf.h"
#include "agent/cpu.h"
#include "agent/guard.h"
#include "agent/hooks.h"
#include "agent/mem.h"
#include "agent/phase.h"
#include "agent/port.h"
#include "agent/pressure.h"
#include "agent/wire/wire.h"

typedef struct {
    const char *port;              /* NULL: find it */
    const char *sysfs, *procfs;
    const char *conf;              /* the path of agent.conf */
    bool verbose;
    bool json;                     /* status: as the host would be told */
} LpAgentOptions;

/* Whoever waits on a file: ready() is called with what epoll said. */
typedef struct {
    void (*ready)(LpAgent *agent, uint32_t events);
} LpWatcher;

/* What the host wants, kept until it wants something else. */
typedef struct {
    uint64_t id;                   /* of the WANT; 0: none yet */
    bool has_cpus;
    LpCpuMask cpus;
    LpWireMemPolicy mem;
    int64_t retry_at_msec;         /* vCPUs that would not change, or have no number yet */
    int64_t retry_msec;
    unsigned bind_tries;
} LpDesire;

/* What the host was told, and when to look again; report.c. */
typedef struct {
    bool due;                      /* a STATE could not be queued: as soon as there is room */
    bool touched;                  /* an event: compare everything at the next look */
    uint64_t seq;
    int64_t sent_at_msec;
    int64_t watch_until_msec, watch_pause_msec;
    int64_t look_at_msec;          /* for what a watch or an event is about */
    int64_t tick_at_msec;          /* for figures that drift */
    LpWireState sent;
} LpReport;

struct LpAgent {
    LpAgentOptions options;
    LpConf conf;
    int epoll_fd, signal_fd, uevent_fd;
    bool stop;
    bool at_rest;                  /* only idle work since its code was last unmapped */
    bool more;                     /* lines of the host wait behind those just handled */
    uint32_t told_caps, told_has, told_lacks, told_forbids;
    LpCpus cpus;
    LpMemory memory;
    LpDesire desire;
    LpReport report;
    LpPhases phases;
    LpGuard guard;
    LpPressure pressure;
    LpClasses classes;
    LpApps *apps;                  /* the programs' socket */
    LpPort port;
};

/* Has epoll call watcher->ready() for `events`; the watcher must outlive the file.  False with
 * errno if it cannot.  Closing the file ends it. */
bool lp_agent_watch(LpAgent *agent, int fd, uint32_t events, const LpWatcher *watcher);

/* Runs until SIGTERM or SIGINT; the process's exit status. */
int lp_agent_run(const LpAgentOptions *options);

/* One-shot facts on stdout; the process's exit status. */
int lp_agent_status(const LpAgentOptions *options);

/* desire.c: making the guest as the host wants it. */
void lp_desire_init(LpAgent *agent);
/* Takes up a WANT; *ret_reply says what became of it. */
void lp_desire_take(LpAgent *agent, const LpWireWant *want, int64_t now_msec,
                    LpWireReply *ret_reply);
/* Processors have come or gone, or a retry is due. */
void lp_desire_cpus(LpAgent *agent, bool is_retry, int64_t now_msec);
/* Everything may have changed. */
void lp_desire_sweep(LpAgent *agent, int64_t now_msec);

/* speak.c: the protocol. */
void lp_speak_hello(LpAgent *agent, int64_t now_msec);
/* Says HELLO again if what this guest can is no longer what the host was told. */
void lp_speak_caps(LpAgent *agent, int64_t now_msec);
void lp_speak_heard(LpAgent *agent, const char *line, size_t length, int64_t now_msec);
bool lp_speak_send(LpAgent *agent, const LpWireMessage *message, int64_t now_msec);

/* report.c: when to say STATE. */
void lp_report_init(LpAgent *agent);
void lp_report_now(LpAgent *agent, int64_t now_msec);
/* Something has happened: look soon whether it is worth a STATE. */
void lp_report_touch(LpAgent *agent, int64_t now_msec);
void lp_report_watch(LpAgent *agent, uint32_t watch_msec, int64_t now_msec);
int64_t lp_report_deadline(const LpAgent *agent);
void lp_report_run(LpAgent *agent, int64_t now_msec);

#endif
