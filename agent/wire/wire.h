/* The protocol between lpard and lpar-agent: messages as values, and their text.
 *
 * One JSON object a line, at most LP_WIRE_FRAME_MAX bytes with the newline; PROTOCOL.md beside
 * this file is the description.  Both ends use this codec; it needs jansson and libc, no GLib.
 * Whatever arrives is untrusted: what decoding allocates is bounded by LP_WIRE_FRAME_MAX and
 * LP_WIRE_VALUES_MAX, every list by a constant of this header; unknown fields are ignored,
 * unknown types reported. */
#ifndef LP_AGENT_WIRE_H
#define LP_AGENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numa/cpumask.h"

#define LP_WIRE_VERSION 1
#define LP_WIRE_FRAME_MAX 65536   /* several times the largest message (1024 vCPUs, 64 cells) */
#define LP_WIRE_DEPTH_MAX 8       /* the deepest true message is 4 */
#define LP_WIRE_VALUES_MAX 1024   /* JSON values in a frame; the largest true message has 280 */
#define LP_WIRE_CELLS_MAX 64
#define LP_WIRE_TEXT_MAX 160      /* any text that is kept: kernel release, error, reason */
#define LP_WIRE_NAME_MAX 48       /* a class, a program */
#define LP_WIRE_CLASSES_MAX 16    /* more classes than a partition is divided into */

/* The agent stands between two: to the programs of its guest it is what lpard is to it, and speaks
 * the same messages. */
typedef enum {
    /* guest -> host */
    LP_WIRE_HELLO,      /* who I am; first after each (re)connection, and in answer to WHO */
    LP_WIRE_STATE,      /* what is usable now; after each change, and as watched */
    LP_WIRE_REPLY,      /* what became of the WANT with that id */
    LP_WIRE_ANSWER,     /* to a PHASE: go on, or a veto (a program says it to the agent too) */
    LP_WIRE_STOP,       /* the release under way must end: the guest is under pressure */
    LP_WIRE_PRESSURE,   /* how the guest fares; when it changes, at most once a second,
                           and every 35 s at least */
    LP_WIRE_ASK,        /* the guest wants another size (a program says it to the agent too) */
    /* host -> guest */
    LP_WIRE_WHO,        /* say HELLO and STATE */
    LP_WIRE_WANT,       /* the desired state, kept until the next WANT */
    LP_WIRE_PHASE,      /* a phase of a resize: check, pre, post, undo (to programs too) */
    LP_WIRE_RESULT,     /* what became of an ASK (to programs too) */
    /* program -> agent */
    LP_WIRE_SUBSCRIBE,  /* tell me of resizes */
    LP_WIRE_KINDS,
} LpWireKind;

/* Capability bits in HELLO; on the wire a list of names ("cpu-online", ...). */
enum {
    LP_WIRE_CAP_CPU_ONLINE = 1u << 0,      /* can bring vCPUs online and offline */
    LP_WIRE_CAP_MEM_ONLINE = 1u << 1,      /* can bring memory blocks online */
    LP_WIRE_CAP_MEM_MOVABLE = 1u << 2,     /* ... into the movable zone */
    LP_WIRE_CAP_VIRTIO_MEM = 1u << 3,      /* the driver is bound to a device */
    LP_WIRE_CAP_BALLOON = 1u << 4,
    LP_WIRE_CAP_PSI = 1u << 5,
    LP_WIRE_CAP_PHASES = 1u << 6,          /* answers PHASE, may say STOP */
    LP_WIRE_CAP_PRESSURE = 1u << 7,        /* sends PRESSURE */
    LP_WIRE_CAP_REQUESTS = 1u << 8,        /* may send ASK */
};

/* Where the guest runs, by its own CPUID (leaf 0x40000000). */
typedef enum {
    LP_WIRE_HYPERVISOR_UNKNOWN,            /* an agent that does not say */
    LP_WIRE_HYPERVISOR_NONE,
    LP_WIRE_HYPERVISOR_KVM,
    LP_WIRE_HYPERVISOR_TCG,
    LP_WIRE_HYPERVISOR_HYPERV,
    LP_WIRE_HYPERVISOR_XEN,
    LP_WIRE_HYPERVISOR_VMWARE,
    LP_WIRE_HYPERVISOR_OTHER,
    LP_WIRE_HYPERVISORS,
} LpWireHypervisor;

/* What a guest has or lacks that matters for resizing; feature.[ch] says what each means, what
 * its absence costs and how to get it. */
enum {
    LP_WIRE_FEATURE_CPU_HOTPLUG = 1u << 0, /* vCPUs that arrive are seen, and can go offline */
    LP_WIRE_FEATURE_MEM_HOTPLUG = 1u << 1,
    LP_WIRE_FEATURE_MOVABLE = 1u << 2,     /* blocks can go to ZONE_MOVABLE */
    LP_WIRE_FEATURE_VIRTIO_MEM = 1u << 3,
    LP_WIRE_FEATURE_BALLOON = 1u << 4,
    LP_WIRE_FEATURE_FREE_PAGE_REPORTING = 1u << 5,
    LP_WIRE_FEATURE_NUMA = 1u << 6,        /* the guest sees its cells */
    LP_WIRE_FEATURE_PSI = 1u << 7,
    LP_WIRE_FEATURE_STEAL_TIME = 1u << 8,
    LP_WIRE_FEATURE_KVMCLOCK = 1u << 9,
    LP_WIRE_FEATURE_ASYNC_PF = 1u << 10,
    LP_WIRE_FEATURE_CGROUPS = 1u << 11,    /* v1 or v2 with cpu and memory: classes can work */
};

/* Classes of action that agent.conf may forbid. */
enum {
    LP_WIRE_ACT_CPU_ACQUIRE = 1u << 0,
    LP_WIRE_ACT_CPU_RELEASE = 1u << 1,
    LP_WIRE_ACT_MEM_ACQUIRE = 1u << 2,
    LP_WIRE_ACT_MEM_RELEASE = 1u << 3,
    LP_WIRE_ACT_HOOKS = 1u << 4,
    LP_WIRE_ACT_RECLAIM = 1u << 5,         /* dropping cache and compacting before a release */
    LP_WIRE_ACT_REQUESTS = 1u << 6,        /* programs asking for another size */
    LP_WIRE_ACT_CLASSES = 1u << 7,
};

typedef struct {
    uint32_t version;
    char agent[32];                        /* the agent's version */
    char kernel[LP_WIRE_TEXT_MAX];
    char boot_id[40];
    uint32_t caps;
    /* Optional on the wire; absent: unknown, and none. */
    LpWireHypervisor hypervisor;
    uint32_t has, lacks;                   /* features; in neither: not known */
    uint32_t forbids;                      /* actions, by the guest's administrator */
} LpWireHello;

typedef struct {
    uint32_t cell;                         /* the guest's NUMA node */
    uint64_t total_bytes, free_bytes;
} LpWireCell;

typedef struct {
    char boot_id[40];
    uint64_t seq;                          /* counts up within a boot */
    uint64_t want_id;                      /* the last WANT taken up; 0: none */
    LpCpuMask present, online;             /* vCPU ids, not the guest's own numbering */
    uint64_t mem_total_bytes;              /* MemTotal */
    uint64_t mem_available_bytes;
    uint64_t mem_free_bytes;
    uint64_t mem_offline_bytes;            /* memory blocks present but not online */
    uint32_t n_cells;
    LpWireCell cells[LP_WIRE_CELLS_MAX];
    uint32_t load_centi;                   /* load average of a minute, x 100 */
    uint32_t psi_cpu_centi, psi_mem_centi; /* PSI "some" avg10, percent x 100 */
} LpWireState;

typedef struct {
    uint64_t id;
    bool ok;
    LpCpuMask failed;                      /* vCPUs that could not be changed */
    char error[LP_WIRE_TEXT_MAX];          /* why, for people; empty if ok */
} LpWireReply;

typedef enum {
    LP_WIRE_MEM_MOVABLE,                   /* the movable zone, else any */
    LP_WIRE_MEM_KERNEL,
    LP_WIRE_MEM_LEAVE,
    LP_WIRE_MEM_AUTO,                      /* movable within the guest's ratio, else kernel */
} LpWireMemPolicy;

typedef struct {
    uint64_t id;
    bool has_cpus;                         /* else vCPUs are left as they are */
    LpCpuMask cpus;                        /* vCPU ids to run on; vCPU 0 is always meant */
    LpWireMemPolicy mem;                   /* how memory that arrives is brought online */
    uint32_t watch_msec;                   /* send STATE on every change for that long */
} LpWireWant;

/* AIX's phases.  CHECK changes nothing and may veto; PRE makes ready and may veto; then either
 * something came or went, or UNDO; POST is always the last, with what really came or went. */
typedef enum {
    LP_WIRE_PHASE_CHECK,
    LP_WIRE_PHASE_PRE,
    LP_WIRE_PHASE_POST,
    LP_WIRE_PHASE_UNDO,
    LP_WIRE_PHASES,
} LpWirePhaseName;

/* Whether somebody is asked, and may veto; of the others everybody is only told. */
static inline bool
lp_wire_phase_asks(LpWirePhaseName phase)
{
    return phase == LP_WIRE_PHASE_CHECK || phase == LP_WIRE_PHASE_PRE;
}

/* `from` and `to` are granted amounts.  In POST `to` is what was reached. */
typedef struct {
    uint64_t id;                           /* of the resize: the same in all its phases */
    LpWirePhaseName phase;
    bool force;                            /* a veto will be shown, and not heeded */
    uint32_t deadline_msec;                /* for the answer, from its arrival on */
    bool has_cpu, has_mem, has_units;
    uint32_t cpu_from, cpu_to;
    uint64_t mem_from_bytes, mem_to_bytes;
    uint32_t units_from_centi, units_to_centi;   /* processing units */
} LpWirePhase;

typedef enum { LP_WIRE_ANSWER_OK, LP_WIRE_ANSWER_VETO, LP_WIRE_ANSWERS } LpWireAnswerVerdict;

typedef struct {
    uint64_t id;
    LpWirePhaseName phase;
    LpWireAnswerVerdict verdict;
    char by[LP_WIRE_NAME_MAX];             /* "agent", "hook 20-postgresql", "program etl"; if OK
                                              empty, or who failed to do his part */
    char reason[LP_WIRE_TEXT_MAX];         /* for people */
    bool has_leave;
    LpCpuMask leave;                       /* CHECK of fewer vCPUs: those that leave most cheaply */
} LpWireAnswer;

typedef struct {
    uint64_t id;                           /* of the resize */
    uint64_t back_bytes;                   /* what it needs back of what has gone */
    char reason[LP_WIRE_TEXT_MAX];
} LpWireStop;

typedef struct {
    char name[LP_WIRE_NAME_MAX];
    uint32_t cpu_centi;                    /* processors used, x 100, since the agent last looked */
    uint64_t mem_bytes;
} LpWireClassUse;

typedef struct {
    char boot_id[40];
    uint64_t seq;                          /* counts up within a boot, apart from STATE's */
    uint64_t mem_total_bytes, mem_available_bytes;
    uint64_t working_set_bytes;            /* estimate: what is in use and not cold */
    uint64_t swap_used_bytes;
    uint64_t refaults, oom_kills;          /* since boot; refaults in pages */
    uint32_t psi_cpu_some_centi, psi_mem_some_centi, psi_mem_full_centi, psi_io_some_centi,
        psi_io_full_centi;                 /* 10 s averages, percent x 100 */
    uint32_t running;                      /* runnable now */
    uint32_t busy_centi, steal_centi;      /* of all online processors, percent x 100, since the
                                              agent last looked: 1 to 20 s */
    uint32_t n_classes;
    LpWireClassUse classes[LP_WIRE_CLASSES_MAX];
} LpWirePressure;

typedef enum { LP_WIRE_MODE_SET, LP_WIRE_MODE_ADD, LP_WIRE_MODE_REMOVE, LP_WIRE_MODES } LpWireMode;

typedef struct {
    uint64_t id;                           /* chosen by who asks, of one link */
    bool has_cpu, has_mem;
    LpWireMode cpu_mode, mem_mode;
    uint32_t cpu;
    uint64_t mem_bytes;
    char who[LP_WIRE_NAME_MAX];            /* the program, by the agent's knowledge */
    char why[LP_WIRE_TEXT_MAX];
} LpWireAsk;

typedef struct {
    uint64_t id;                           /* of the ASK */
    bool final;                            /* else: taken, under way */
    uint64_t operation;                    /* lpard's; 0: none was made */
    char state[24];                        /* an operation's: "running", "done", "refused", ... */
    char message[LP_WIRE_TEXT_MAX];
} LpWireResult;

typedef struct {
    char name[LP_WIRE_NAME_MAX];           /* of the program, for people */
    bool cpu, mem, units;                  /* which resizes it is told of */
    bool consults;                         /* CHECK and PRE wait for its ANSWER */
} LpWireSubscribe;

typedef struct {
    LpWireKind kind;
    union {
        LpWireHello hello;
        LpWireState state;
        LpWireReply reply;
        LpWireWant want;
        LpWirePhase phase;
        LpWireAnswer answer;
        LpWireStop stop;
        LpWirePressure pressure;
        LpWireAsk ask;
        LpWireResult result;
        LpWireSubscribe subscribe;
    };
} LpWireMessage;

typedef enum {
    LP_WIRE_OK,
    LP_WIRE_TOO_LONG,       /* the frame exceeds LP_WIRE_FRAME_MAX: the link must be dropped */
    LP_WIRE_TOO_DEEP,
    LP_WIRE_NOT_JSON,
    LP_WIRE_NOT_OBJECT,
    LP_WIRE_UNKNOWN_TYPE,   /* from a newer peer: skip it */
    LP_WIRE_BAD_FIELD,      /* missing, of the wrong type, or out of range */
    LP_WIRE_VERSION_DIFFERS,
    LP_WIRE_NO_ROOM,        /* encoding: buf too small */
} LpWireVerdict;

/* Decodes one line without its newline (it may hold any bytes).  On failure *ret_message is
 * untouched and *ret_field, if given, names the field at fault (static text) or is NULL. */
LpWireVerdict lp_wire_decode(const char *line, size_t length, LpWireMessage *ret_message,
                             const char **ret_field);

/* Writes one frame with its newline; *ret_length excludes a terminating NUL that is also
 * written. */
LpWireVerdict lp_wire_encode(const LpWireMessage *message, char *buf, size_t size,
                             size_t *ret_length);

/* Whether a guest says it to the host; else the host or a program does. */
bool lp_wire_guest_says(LpWireKind kind);

const char *lp_wire_verdict_text(LpWireVerdict verdict);

/* Cuts a byte stream into lines.  Fixed size; a line longer than LP_WIRE_FRAME_MAX is an
 * error from which there is no way back but a new link. */
typedef struct {
    size_t used, taken, searched;          /* no newline in [taken, searched) */
    char bytes[LP_WIRE_FRAME_MAX];
} LpWireReader;

void lp_wire_reader_init(LpWireReader *reader);
/* Where the next read() may put bytes, and how many. */
char *lp_wire_reader_space(LpWireReader *reader, size_t *ret_size);
void lp_wire_reader_filled(LpWireReader *reader, size_t n_bytes);
/* The next whole line (valid until the next call), or NULL; *ret_verdict is LP_WIRE_TOO_LONG
 * when no line can ever come.  Empty lines are passed over: each end sends one ahead of its
 * first frame, so that what an earlier link left unfinished cannot spoil that frame. */
const char *lp_wire_reader_next(LpWireReader *reader, size_t *ret_length,
                                LpWireVerdict *ret_verdict);

#endif
