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
#define LP_WIRE_FRAME_MAX 65536   /* several times the largest true message (1024 vCPUs, 64 cells) */
#define LP_WIRE_DEPTH_MAX 8       /* the deepest true message is 4 */
#define LP_WIRE_VALUES_MAX 1024   /* JSON values in a frame; the largest true message has 280 */
#define LP_WIRE_CELLS_MAX 64
#define LP_WIRE_TEXT_MAX 160      /* any text that is kept: kernel release, error, reason */

typedef enum {
    /* guest -> host */
    LP_WIRE_HELLO,      /* who I am; first after each (re)connection, and in answer to WHO */
    LP_WIRE_STATE,      /* what is usable now; after each change, and as watched */
    LP_WIRE_REPLY,      /* what became of the WANT with that id */
    /* host -> guest */
    LP_WIRE_WHO,        /* say HELLO and STATE */
    LP_WIRE_WANT,       /* the desired state, kept until the next WANT */
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
};

typedef struct {
    uint32_t version;
    char agent[32];                        /* the agent's version */
    char kernel[LP_WIRE_TEXT_MAX];
    char boot_id[40];
    uint32_t caps;
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

typedef enum { LP_WIRE_MEM_MOVABLE, LP_WIRE_MEM_KERNEL, LP_WIRE_MEM_LEAVE } LpWireMemPolicy;

typedef struct {
    uint64_t id;
    bool has_cpus;                         /* else vCPUs are left as they are */
    LpCpuMask cpus;                        /* vCPU ids to run on; vCPU 0 is always meant */
    LpWireMemPolicy mem;                   /* how memory that arrives is brought online */
    uint32_t watch_msec;                   /* send STATE on every change for that long */
} LpWireWant;

typedef struct {
    LpWireKind kind;
    union {
        LpWireHello hello;
        LpWireState state;
        LpWireReply reply;
        LpWireWant want;
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
