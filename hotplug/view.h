/* What a hypervisor says of one domain, at one moment: the observed truth that plans start from.
 *
 * A view is an owned value: made by a driver, freed by lp_view_free(), never changed by the
 * driver afterwards, so it may cross threads. */
#ifndef LP_HOTPLUG_VIEW_H
#define LP_HOTPLUG_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "numa/cpumask.h"
#include "numa/place.h"

/* libvirt allows 256 memory slots. */
#define LP_MAX_DIMMS 256
/* What is longer is no pool of lpard's, and is cut. */
#define LP_RESOURCE_MAX 64

typedef enum {
    LP_RUN_OFF,
    LP_RUN_STARTING,          /* started, but not yet past firmware as far as libvirt knows */
    LP_RUN_RUNNING,
    LP_RUN_PAUSED,
    LP_RUN_STOPPING,          /* shutting down, crashed, or being saved */
    LP_RUN_MIGRATING,
} LpRunState;

/* "off", "running", ... */
const char *lp_run_state_name(LpRunState state);

typedef enum {
    LP_ACCEL_KVM,
    LP_ACCEL_TCG,             /* QEMU's emulator */
    LP_ACCEL_SIM,
    LP_ACCEL_TEST,            /* libvirt's test driver */
} LpAccel;

/* How the domain's XML binds its memory to nodes. */
typedef enum {
    LP_NUMATUNE_NONE,         /* not at all */
    LP_NUMATUNE_CELLS,        /* a preferred node for cells: lpard's own way */
    LP_NUMATUNE_RESTRICTIVE,  /* by cpuset: moves as a whole, while it runs */
    LP_NUMATUNE_OTHER,        /* strict, interleave, ...: somebody's decision, which lpard leaves */
} LpNumatune;

typedef enum {
    LP_CGROUP_NONE,           /* qemu:///session, or no cpu controller */
    LP_CGROUP_V1,
    LP_CGROUP_V2,
} LpCgroup;

/* One guest NUMA cell and the virtio-mem device that resizes it. */
typedef struct {
    int32_t node;             /* host node of its memory by the XML; -1: not bound */
    int32_t home;             /* the node where it lies: drivers say `node`, the registry what was
                                 measured, where pages were moved away */
    uint64_t fresh_bytes;     /* of what it has, what had no page yet when `home` was measured:
                                 it comes from `node`; 0 where home is node */
    uint64_t base_bytes;      /* boot memory, never unpluggable */
    LpCpuMask vcpus;          /* vCPU ids the cell owns, plugged or not */
    bool has_device;
    char alias[32];           /* the device's; empty on a domain that is off */
    uint64_t device_bytes;    /* the device's size: what it can hold at most */
    uint64_t block_bytes;
    uint64_t requested_bytes; /* asked of the guest */
    uint64_t current_bytes;   /* plugged, by the device's word */
} LpViewCell;

typedef struct {
    char alias[32];
    uint32_t cell;
    uint64_t bytes;
} LpViewDimm;

typedef struct {
    char *uuid;               /* the key: a domain's name may change */
    char *name;
    LpRunState run;
    char run_id[24];          /* changes with each start of the domain; empty when off */
    LpAccel accel;
    bool persistent;
    char *metadata;           /* lpard's element in the metadata, live if running; or NULL */
    char *metadata_config;    /* the same in the persistent XML; or NULL */

    uint32_t vcpu_max;
    LpCpuMask plugged;        /* vCPUs the guest has, by the hypervisor's word */
    LpCpuMask hotpluggable;   /* those of them that could be unplugged */
    LpCpuMask plugged_config; /* vCPUs at the next start */

    LpNumatune numatune;
    bool has_pins;                 /* vCPUs are pinned by the XML */

    uint32_t n_cells;         /* 0: no guest NUMA, so no memory device is possible */
    LpViewCell cells[LP_MAX_CELLS];
    uint32_t n_dimms;
    LpViewDimm dimms[LP_MAX_DIMMS];
    uint32_t slots, slots_used;
    uint64_t max_memory_bytes;     /* <maxMemory>; 0: absent */
    uint64_t base_bytes;           /* all boot memory */
    bool has_balloon;
    uint64_t balloon_bytes;        /* inflated: taken from the guest by the balloon */
    uint32_t stats_period_sec;     /* how often its driver says how the guest fares; 0: never */
    /* At the next start, whose cells may be others: virtio-mem requested, and boot memory. */
    uint64_t requested_config_bytes, base_config_bytes;

    LpCgroup cgroup;
    uint64_t cpu_shares;           /* v1 shares or v2 weight, as libvirt gives them */
    int64_t global_quota_usec;     /* per period, all threads; < 0: none */
    uint64_t global_period_usec;

    /* The same at the next start. */
    uint64_t cpu_shares_config;
    int64_t global_quota_config_usec;
    uint64_t memory_limit_bytes;   /* of the process, by its cgroup; 0: none */
    /* libvirt's resource partition, as in "/machine/web": what it runs in, and at the next start;
     * empty: libvirt's default.  If that is a pool, what all in it may use; 0: no limit. */
    char resource[LP_RESOURCE_MAX], resource_config[LP_RESOURCE_MAX];
    uint32_t pool_centi, pool_config_centi;

    bool has_channel;              /* org.lpard.agent.0 is in the XML */
    char *channel_path;            /* its Unix socket on this host; or NULL */
    bool has_qga;                  /* org.qemu.guest_agent.0 is in the XML */
    bool qga_connected;            /* ... and a program in the guest has it open, by QEMU's word */
    bool memory_locked;            /* <locked/>, VFIO or hugepages: pages are pinned */
    uint32_t free_pci_ports;       /* root ports a device could be hot-added to */
    pid_t pid;                     /* of the hypervisor's process; 0: unknown */
    uint64_t resident_bytes;       /* of that process, by the host's word; 0: unknown */
} LpView;

/* libc only, so that the planner can be linked without GLib. Abort on memory exhaustion. */
LpView *lp_view_new(void);
void lp_view_free(LpView *view);
LpView *lp_view_copy(const LpView *view);

/* base + DIMMs + what virtio-mem is asked for: the memory the partition is meant to have. */
uint64_t lp_view_requested_bytes(const LpView *view);
/* base + DIMMs + what is plugged. */
uint64_t lp_view_plugged_bytes(const LpView *view);
/* What the partition must be counted at: per cell the larger of requested and plugged, since
 * the guest holds what it has not given back and may take what it was offered. */
uint64_t lp_view_granted_bytes(const LpView *view);
/* base + DIMMs + all that the virtio-mem devices can hold. */
uint64_t lp_view_ceiling_bytes(const LpView *view);

#endif
