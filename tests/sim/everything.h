/* The simulator of everything: the daemon's own rooms on a simulated host, in one thread, on virtual
 * time.  Host, partitions, guests' agents, what is asked of lpard, and all that goes wrong are drawn
 * from one number, the seed; the same seed runs the same way.
 *
 *   clock.c    virtual time, and the wall clock beside it
 *   fibers.c   threads as fibers; where all wait, time goes on
 *   disk.c     the journal's disk: takes time, fails when told to
 *   calls.c    the calls to the hypervisor: slow, hung, cut off, refused; each effect is judged
 *   world.c    host, partitions and lpard itself: started, stopped, killed
 *   load.c     what operators ask of it
 *   hand.c     what happens behind its back, and the faults
 *   judge.c    after every step: tests/oracle's invariants, and whose doing it was
 *   everything.c  one seed, or many */
#ifndef LP_TESTS_SIM_EVERYTHING_H
#define LP_TESTS_SIM_EVERYTHING_H

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include "hotplug/sim-host.h"
#include "hotplug/sim.h"
#include "lpard/autoscale/autoscale.h"
#include "lpard/engine/engine.h"
#include "lpard/optimize/optimize.h"
#include "lpard/sim/chance.h"
#include "tests/oracle/oracle.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define OVERHEAD_BYTES (64 * MIB)

/* Everything that goes wrong, by class: the rows of the closing table. */
#define FAULTS(X) \
    X(KILL, "lpard-killed") \
    X(RESTART, "lpard-restarted") \
    X(DISK_FULL, "disk-full") \
    X(DISK_EIO, "disk-error") \
    X(LIBVIRT_GONE, "libvirt-gone") \
    X(CALL_SLOW, "call-slow") \
    X(CALL_HUNG, "call-hung") \
    X(CALL_CUT_BEFORE, "call-cut-before") \
    X(CALL_CUT_AFTER, "call-cut-after") \
    X(CALL_REFUSED, "call-refused") \
    X(GUEST_STOPPED, "guest-stopped") \
    X(GUEST_RESET, "guest-reset") \
    X(GUEST_PAUSED, "guest-paused") \
    X(EDITED, "edited-by-virsh") \
    X(DOMAINS, "domains-come-and-go") \
    X(UNPLUG, "unplug-refused-or-late") \
    X(QEMU_HUNG, "qemu-hung") \
    X(AGENT, "agent-hung-or-lying") \
    X(CLOCK, "clock-jump")

typedef enum {
#define X(name, text) FAULT_##name,
    FAULTS(X)
#undef X
    FAULT_CLASSES,
} FaultClass;
extern const char *const fault_names[FAULT_CLASSES];

/* One in so many of the calls; 0: none. */
typedef struct {
    int64_t usec;                  /* what each takes at most, when nothing is wrong */
    uint32_t slow, hung, cut_before, cut_after, refused;
} CallFaults;

typedef struct {
    uint64_t seed, chance;
    bool verbose;
    uint64_t hash;                 /* of all that was said */

    char *dir, *uri;
    LpTopology *topology;
    LpHost *machine;
    LpSettings settings;
    unsigned n_partitions, n_others;
    bool meddled;                  /* somebody else may raise what partitions have */
    bool scaled;                   /* the autoscaler works */
    LpSimHost *sim;

    CallFaults calls;
    bool gone;                     /* libvirt */
    int64_t back_usec;             /* when it came back; 0: that was looked at */

    LpOracle *oracle;
    int64_t raised_usec;           /* when somebody else last raised something; 0: never */
    GHashTable *excused;           /* ids of operations that were open then */
    bool purged;                   /* the wall clock says that what is closed is old */
    guint told;                    /* how much of what is broken was told */
    unsigned definitions;          /* changes of definitions under way */
    int64_t defined_usec;          /* when the last one was seen to be; 0: never */

    LpJournal *journal;            /* all NULL: lpard does not run */
    LpEvents *events;
    LpWorkers *workers;
    LpRegistry *registry;
    LpEngine *engine;
    LpScaler *scaler;
    LpOptimizer *optimizer;

    GArray *accepted;              /* ids that lpard took */
    uint64_t faults[FAULT_CLASSES], steps, operations, effects, unfinished;
} World;

extern World world;

/* A line of the trace: part of the run's hash, and shown if it is to be read. */
void say(const char *format, ...) G_GNUC_PRINTF(1, 2);
void count_fault(FaultClass fault);
int64_t draw(int64_t low, int64_t high);
/* True once in `n`; never, if 0. */
bool one_in(uint32_t n);

/* world.c */
void world_begin(uint64_t seed);
void world_end(void);
/* What a process left that did not come to its end. */
void world_remove(pid_t pid);
void lpard_start(void);
/* Politely, or as SIGKILL does it. */
void lpard_stop(bool killed);
/* Of LpSimDomain*, with the host's lock not held: what is, whoever says otherwise. */
GPtrArray *domains(void);
LpSimDomain *domain_at_random(void);

/* calls.c */
extern const LpDriver sim_calls;

/* load.c */
void load_step(void);
void load_forget(void);

/* hand.c */
void hand_step(void);
/* Nothing is wrong any more. */
void hand_rest(void);

/* judge.c */
/* What can be taken of the host at most, as things are. */
typedef struct {
    uint64_t bytes, own_bytes;
    uint32_t own_vcpus;
} Ceiling;
void judge_begin(void);
void judge_end(void);
Ceiling judge_ceiling(const char *uuid);
void judge_intent(const char *call, const char *uuid);
void judge_effect(const char *call, const char *uuid, const Ceiling *before);
/* Somebody other than lpard changed it; `raised`: it can take more now. */
void judge_disturbed(const char *uuid, bool raised);
void judge_operation(const LpOperation *operation);
void judge_step(void);
/* All is calm, and had its time. */
void judge_rest(void);
bool judge_failed(void);

#endif
