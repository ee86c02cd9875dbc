/* Where the guest runs and what it is able to: read once at the start, and when drivers come. */
#ifndef LP_AGENT_ENLIGHT_H
#define LP_AGENT_ENLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

/* A hypervisor that poses as another (Hyper-V's interface on KVM or Xen) has its own second. */
#define LP_ENLIGHT_BASES 2

/* What CPUID says of hypervisors, as read: decoding it is a pure function. */
typedef struct {
    bool has_cpuid;                    /* false: another architecture, the rest means nothing */
    bool is_guest;                     /* leaf 1, ecx bit 31 */
    struct {
        uint32_t eax, ebx, ecx, edx;   /* of leaf 0x40000000, and of 0x40000100 */
        uint32_t features;             /* eax of the leaf after it */
    } base[LP_ENLIGHT_BASES];
} LpEnlightCpuid;

void lp_enlight_read_cpuid(LpEnlightCpuid *ret_cpuid);
/* LP_WIRE_HYPERVISOR_NONE where the processor says so, _UNKNOWN where there is no CPUID.
 * *ret_kvm_features is 0 unless it is KVM. */
LpWireHypervisor lp_enlight_decode(const LpEnlightCpuid *cpuid, uint32_t *ret_kvm_features);

LpWireHypervisor lp_enlight_hypervisor(void);
/* LP_WIRE_FEATURE_ bits that are known to be there, and known not to be. */
void lp_enlight_features(const char *sysfs, const char *procfs, uint32_t *ret_has,
                         uint32_t *ret_lacks);
/* The same of a processor that says `cpuid`. */
void lp_enlight_features_of(const LpEnlightCpuid *cpuid, const char *sysfs, const char *procfs,
                            uint32_t *ret_has, uint32_t *ret_lacks);

#endif
