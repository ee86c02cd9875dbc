/* The profile: what makes a libvirt domain a partition.  Its bounds, its capacity, its cells.
 *
 * A value with rules; pure.  lpard/profile-xml.[ch] is its form in the domain's metadata. */
#ifndef LP_POLICY_PROFILE_H
#define LP_POLICY_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "numa/cpumask.h"
#include "numa/place.h"
#include "numa/rule.h"
#include "policy/autoscale.h"

/* The newest schema of the profile in the metadata.  A newer one is refused untouched. */
#define LP_PROFILE_VERSION 3
/* With autoscaling, but without a rule of placement. */
#define LP_PROFILE_VERSION_AUTOSCALE 2
/* Without what version 2 has brought: autoscaling. */
#define LP_PROFILE_VERSION_PLAIN 1

/* Weights are PowerVM's 0..255; 128 is its default for an uncapped partition. */
#define LP_WEIGHT_MAX 255
#define LP_WEIGHT_DEFAULT 128

/* Below a twentieth of a processor a vCPU cannot be scheduled usefully (PowerVM's floor too). */
#define LP_CENTI_PER_VCPU_MIN 5

/* A guest needs this much memory in every cell it starts with. */
#define LP_CELL_BASE_MIN_BYTES (128ULL << 20)
/* What a guest's kernel itself wants in non-movable memory, before any share of max. */
#define LP_BASE_FLOOR_BYTES (256ULL << 20)
/* Linux keeps 64 bytes of page descriptors for each 4 KiB page, and takes them from base. */
#define LP_BASE_MEMMAP_DIVISOR 64
/* Above 3:1 of movable to kernel memory Linux guests run out of kernel memory first. */
#define LP_BASE_MOVABLE_DIVISOR 4
/* virtio-mem's usual block, and the least that libvirt takes without giving up huge pages. */
#define LP_MEM_BLOCK_BYTES (2ULL << 20)
/* No guest is given more: the physical address bits of x86 servers in use. */
#define LP_MEM_MAX_BYTES (64ULL << 40)

typedef struct {
    uint32_t min, desired, max;
} LpCpuRange;

typedef struct {
    uint64_t min_bytes, desired_bytes, max_bytes;
} LpMemRange;

typedef struct {
    uint32_t entitled_centi;  /* processing units guaranteed, in hundredths */
    uint32_t weight;          /* 0..255: share of spare capacity when uncapped */
    bool capped;              /* never above the entitlement */
} LpCapacity;

typedef struct {
    uint32_t version;
    uint64_t generation;      /* counts changes; the journal remembers the last one seen */
    LpCpuRange cpu;
    LpMemRange mem;
    LpCapacity capacity;
    uint32_t n_cells;         /* guest cells, 1..LP_MAX_CELLS */
    int32_t cell_node[LP_MAX_CELLS];  /* host node id behind each cell */
    LpCpuMask folded;         /* vCPUs plugged, but taken offline in the guest by lpard */
    int64_t hold_until_sec;   /* no automatic change before this (Unix time); 0: no hold,
                                 INT64_MAX: until released */
    LpAutoscale autoscale;
    LpNumaRule numa;
} LpProfile;

typedef enum {
    LP_PROFILE_OK,
    LP_PROFILE_CPU_ZERO,          /* min 0 */
    LP_PROFILE_CPU_ORDER,         /* not min <= desired <= max */
    LP_PROFILE_CPU_MANY,          /* max above LP_MAX_CPUS */
    LP_PROFILE_MEM_ORDER,
    LP_PROFILE_MEM_BLOCK,         /* not a multiple of LP_MEM_BLOCK_BYTES */
    LP_PROFILE_MEM_MANY,          /* max above LP_MEM_MAX_BYTES */
    LP_PROFILE_MEM_BASE,          /* min below lp_profile_base_floor() */
    LP_PROFILE_WEIGHT,
    LP_PROFILE_ENTITLED_LOW,      /* below LP_CENTI_PER_VCPU_MIN for each desired vCPU */
    LP_PROFILE_ENTITLED_HIGH,     /* above one processor for each desired vCPU */
    LP_PROFILE_CELLS,             /* none, too many, or more than max vCPUs */
    LP_PROFILE_MODE,              /* no such mode or goal */
    LP_PROFILE_PRIORITY,          /* above LP_PRIORITY_MAX */
    LP_PROFILE_RELEASE,           /* above LP_RELEASE_SEC_MAX */
    LP_PROFILE_ENTITLED_MEM,      /* neither 0 nor a whole block within the bounds of memory */
    LP_PROFILE_SCHEDULES,         /* more than LP_SCHEDULES_MAX, or one is none */
    LP_PROFILE_SCHEDULE_CPU,      /* a schedule's bound is outside of the profile's own */
    LP_PROFILE_SCHEDULE_MEM,
    LP_PROFILE_NUMA,              /* no such rule, or a floor above 100 */
    LP_PROFILE_VERSION_NEWER,
} LpProfileVerdict;

/* Checks all the rules above. */
LpProfileVerdict lp_profile_check(const LpProfile *profile);

/* The oldest schema that can say all of it, so that an older lpard reads what it can. */
uint32_t lp_profile_version(const LpProfile *profile);

/* The first schedule that breaks a rule, or NULL. */
const LpSchedule *lp_profile_bad_schedule(const LpProfile *profile);

/* The least base memory for a guest that may grow to max_bytes, all of it movable:
 * max(256 MiB + max/64, max/4, cells * 128 MiB), rounded up to a block for each cell. */
uint64_t lp_profile_base_floor(uint64_t max_bytes, uint32_t n_cells);

/* The entitlement given where the operator names none: a tenth of a processor for each
 * desired vCPU, but enough for the floor at max. */
uint32_t lp_profile_default_entitlement(const LpCpuRange *cpu);

/* cgroup weights from the entitlement: proportional to it, so that under contention each
 * gets at least what it is entitled to.  v1: cpu.shares 2..262144, 1024 a processor;
 * v2: cpu.weight 1..10000, 100 a processor. */
uint32_t lp_capacity_shares_v1(const LpCapacity *capacity);
uint32_t lp_capacity_weight_v2(const LpCapacity *capacity);

#endif
