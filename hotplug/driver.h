/* The hypervisor behind one vtable: libvirt for real hosts, sim: for simulated ones.
 *
 * Threads: a connection belongs to the thread that opened it and is never shared; every call
 * may block.  The watcher is the exception: it belongs to the main loop and never blocks it.
 * Errors: GError of LP_DRIVER_ERROR; on error nothing is known to have happened unless the
 * code is LP_DRIVER_ERROR_UNKNOWN, where the caller must look again. */
#ifndef LP_HOTPLUG_DRIVER_H
#define LP_HOTPLUG_DRIVER_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "hotplug/locality.h"
#include "hotplug/view.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpView, lp_view_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpLocality, lp_locality_free)

typedef enum {
    LP_DRIVER_ERROR_FAILED,        /* refused; nothing changed */
    LP_DRIVER_ERROR_UNREACHABLE,   /* no connection to the hypervisor's daemon */
    LP_DRIVER_ERROR_NO_DOMAIN,
    LP_DRIVER_ERROR_NOT_RUNNING,
    LP_DRIVER_ERROR_UNSUPPORTED,   /* this hypervisor or this domain cannot */
    LP_DRIVER_ERROR_TIMEOUT,       /* asked, but the guest has not answered; may still happen */
    LP_DRIVER_ERROR_UNKNOWN,       /* the call was cut off: look again */
    LP_DRIVER_ERROR_INVALID,       /* bad XML or bad arguments */
} LpDriverError;

#define LP_DRIVER_ERROR (lp_driver_error_quark())
GQuark lp_driver_error_quark(void);

typedef struct LpDriver LpDriver;
typedef struct LpConn LpConn;      /* opaque: one hypervisor connection */
typedef struct LpWatch LpWatch;    /* opaque: a subscription to events on the main loop */

typedef enum {
    LP_EVENT_DOMAIN_CHANGED,       /* defined, undefined, started, stopped, paused, resized, ... */
    LP_EVENT_DOMAIN_GONE,          /* undefined while off, or a transient one stopped */
    LP_EVENT_DOMAIN_MIGRATED,      /* it runs on another host now; _CHANGED or _GONE follows */
    LP_EVENT_DOMAIN_RESET,         /* the guest rebooted: same run id, new boot */
    LP_EVENT_MEMORY_SIZE,          /* a virtio-mem device now holds `bytes` */
    LP_EVENT_DEVICE_REMOVED,
    LP_EVENT_DEVICE_REFUSED,       /* the guest refused a removal */
    LP_EVENT_BALLOON,              /* the balloon target reached `bytes` of guest memory */
    LP_EVENT_CONNECTED,            /* the hypervisor's daemon is (again) there: re-read all */
    LP_EVENT_DISCONNECTED,
} LpEventKind;

typedef struct {
    LpEventKind kind;
    const char *uuid;              /* NULL for the connection events */
    const char *alias;             /* of the device, or NULL */
    uint64_t bytes;
} LpEvent;

typedef void (*LpEventFunc)(const LpEvent *event, void *data);

/* A guest by its balloon driver's word, but for actual and last_update.  UINT64_MAX: not said. */
typedef struct {
    uint64_t actual_bytes;         /* what the balloon leaves it */
    uint64_t total_bytes;          /* MemTotal */
    uint64_t unused_bytes;         /* MemFree */
    uint64_t usable_bytes;         /* MemAvailable */
    uint64_t swap_in_bytes, swap_out_bytes, major_faults;    /* since its boot */
    uint64_t last_update_sec;      /* when it said so, by the host's clock; 0: never */
} LpMemoryStats;

/* How the CPU capacity of a domain is enforced. */
typedef struct {
    uint64_t shares;               /* v1 cpu.shares or v2 cpu.weight */
    int64_t global_quota_usec;     /* < 0: no limit */
    uint64_t global_period_usec;
} LpCapacityLimits;

/* What the persistent definition should say at the next start.  A field at its "unset" value
 * is left as it is. */
typedef struct {
    uint32_t vcpus;                /* 0: unset */
    bool set_memory;
    uint64_t requested_bytes[LP_MAX_CELLS];   /* virtio-mem of each cell, if set_memory */
    /* All that is desired, if set_memory; 0: unset.  The definition may have other cells than
     * what runs: then requested_bytes do not fit it, and this, less its boot memory, is spread
     * over the devices that it has, as far as they hold it. */
    uint64_t memory_bytes;
    const char *metadata;          /* lpard's element, complete; NULL: unset */
    const LpCapacityLimits *limits;           /* NULL: unset */
    const char *resource;          /* libvirt's resource partition; "": the default; NULL: unset */
    bool set_nodes;                /* each cell prefers this node (id; -1: none) */
    int32_t node[LP_MAX_CELLS];
    const LpPins *pins;            /* NULL: unset */
} LpConfigChange;

/* What qemu-guest-agent says of the guest.  As little to be trusted as any word of a guest's. */
typedef struct {
    /* Whether the guest's processor numbers are known to be vCPU ids; else `online` holds the
     * guest's own numbers, of which only the count means anything here. */
    bool ids_known;
    LpCpuMask online;
    LpCpuMask offlinable;          /* of all, those that the guest lets go offline */
    bool has_blocks;               /* it tells of memory blocks, too */
    uint64_t block_bytes, online_bytes, offline_bytes;
} LpQgaState;

/* How long one command may take the guest; libvirt waits 5 s more at most to find out whether
 * anybody is there.  An emulated guest needs a second to bring a vCPU online. */
#define LP_QGA_TIMEOUT_SEC 5
/* Of several commands in one call the last is begun within this time. */
#define LP_QGA_CALL_SEC 4

struct LpDriver {
    const char *name;              /* "libvirt", "sim" */
    bool (*handles)(const char *uri);

    LpConn *(*open)(const char *uri, GError **error);
    void (*close)(LpConn *conn);

    /* Facts about the connection: hypervisor and its version, for people. Caller frees. */
    char *(*describe)(LpConn *conn, GError **error);

    /* Every domain of the host, as LpView* (free function set).  Never asks a guest or a
     * QEMU monitor, so one stopped QEMU cannot stall it. */
    GPtrArray *(*list)(LpConn *conn, GError **error);
    /* One domain, in full. */
    LpView *(*look)(LpConn *conn, const char *uuid, GError **error);
    /* XML as the hypervisor has it; inactive: that of the next start.  Caller frees. */
    char *(*get_xml)(LpConn *conn, const char *uuid, bool inactive, GError **error);
    /* Defines or redefines; *ret_uuid (caller frees) may be NULL. */
    bool (*define)(LpConn *conn, const char *xml, char **ret_uuid, GError **error);
    bool (*undefine)(LpConn *conn, const char *uuid, GError **error);
    bool (*start)(LpConn *conn, const char *uuid, GError **error);

    /* The effects on a running domain.  Each is absolute and so may be repeated. */
    bool (*set_vcpu)(LpConn *conn, const char *uuid, uint32_t vcpu, bool plugged, GError **error);
    bool (*set_requested)(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes,
                          GError **error);
    bool (*attach_dimm)(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes,
                        GError **error);
    /* Asks for the removal; LP_EVENT_DEVICE_REMOVED or _REFUSED tells the end. */
    bool (*detach_dimm)(LpConn *conn, const char *uuid, const char *alias, GError **error);
    /* `bytes` are those taken from the guest: 0 gives all back. */
    bool (*set_balloon)(LpConn *conn, const char *uuid, uint64_t bytes, GError **error);
    /* How often the balloon's driver is to say how the guest fares; 0: never again. */
    bool (*set_stats_period)(LpConn *conn, const char *uuid, uint32_t sec, GError **error);
    bool (*set_capacity)(LpConn *conn, const char *uuid, const LpCapacityLimits *limits,
                         GError **error);
    /* What the hypervisor's process may have resident at most, by the memory cgroup; 0: no limit. */
    bool (*set_memory_limit)(LpConn *conn, const char *uuid, uint64_t bytes, GError **error);
    /* Live metadata only; NULL removes lpard's element. */
    bool (*set_metadata)(LpConn *conn, const char *uuid, const char *metadata, GError **error);
    /* The persistent definition only, from its own XML. */
    bool (*set_config)(LpConn *conn, const char *uuid, const LpConfigChange *change,
                       GError **error);

    /* What the balloon's driver said last.  _UNSUPPORTED: there is no balloon. */
    bool (*memory_stats)(LpConn *conn, const char *uuid, LpMemoryStats *ret_stats,
                         GError **error);

    /* The guest by qemu-guest-agent, where the view says that it is connected.  Errors: _TIMEOUT:
     * nobody answers; _FAILED: it answered with an error (or is forbidden to do this);
     * _UNSUPPORTED: this hypervisor has no such agent, or vCPU ids cannot be told. */
    bool (*qga_look)(LpConn *conn, const char *uuid, LpQgaState *ret_state, GError **error);
    /* Of the vCPUs that the guest has, those in `want` are to be online and no others; what it
     * does not let go offline stays.  Returns when the guest has done it, or not: look. */
    bool (*qga_set_vcpus)(LpConn *conn, const char *uuid, const LpCpuMask *want, GError **error);
    /* Brings all memory blocks online that are not. */
    bool (*qga_online_memory)(LpConn *conn, const char *uuid, GError **error);

    /* Where the domain's memory lies and its vCPUs run, by about `samples` pages of each part (0: all of
     * them); `topology` gives the order of nodes.  Never asks the guest or the monitor.  _UNSUPPORTED: the
     * hypervisor's process is not on this host, or not this user's to look at. */
    LpLocality *(*locate)(LpConn *conn, const char *uuid, const LpTopology *topology,
                          uint32_t samples, GError **error);
    /* A piece of a move.  True also where pages stay: *ret_moved says how many and why.  _NO_DOMAIN or
     * _NOT_RUNNING: it is gone. */
    bool (*move_pages)(LpConn *conn, const char *uuid, const LpMoveOrder *order,
                       LpPagesMoved *ret_moved, GError **error);
    /* What vCPUs and the emulator's threads may run on; of the running domain. */
    bool (*set_pins)(LpConn *conn, const char *uuid, const LpPins *pins, GError **error);
    /* A `restrictive` domain as a whole: the nodes that its memory may be on; pages follow where the
     * kernel's cpusets move them, which may take its time. */
    bool (*set_nodeset)(LpConn *conn, const char *uuid, const uint32_t *node_ids, uint32_t n,
                        GError **error);

    /* The host's end of the agent channel, as a connected non-blocking stream socket that the
     * caller owns.  -1 with LP_DRIVER_ERROR_UNSUPPORTED when there is none.  Main loop only,
     * must not block. */
    int (*open_channel)(const char *uri, const LpView *view, GError **error);

    /* Subscribes on the main loop; reconnects by itself, with LP_EVENT_CONNECTED each time. */
    LpWatch *(*watch)(const char *uri, LpEventFunc func, void *data, GError **error);
    void (*unwatch)(LpWatch *watch);
};

extern const LpDriver lp_driver_libvirt;
extern const LpDriver lp_driver_sim;

/* The driver for a URI: sim:... or anything libvirt takes.  Never NULL. */
const LpDriver *lp_driver_for(const char *uri);

#endif
