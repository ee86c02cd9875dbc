#include "agent/enlight.h"

#include <stdio.h>
#include <string.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "agent/files.h"

#define LP_CPUID_GUEST_BIT (1u << 31)          /* leaf 1, ecx */
#define LP_CPUID_BASE 0x40000000u
#define LP_CPUID_BASE_STEP 0x100u

/* Bits of KVM's leaf 0x40000001, by the kernel's Documentation/virt/kvm/x86/cpuid.rst. */
#define LP_KVM_CLOCKSOURCE (1u << 0)
#define LP_KVM_CLOCKSOURCE2 (1u << 3)
#define LP_KVM_ASYNC_PF (1u << 4)
#define LP_KVM_STEAL_TIME (1u << 5)
#define LP_KVM_ASYNC_PF_INT (1u << 14)         /* all that Linux 5.9 and newer use */

#define LP_BALLOON_F_REPORTING 5               /* the virtio specification, 5.5.3 */
#define LP_VIRTIO_FEATURES_TEXT 160            /* 64 or 128 digits */
#define LP_CMDLINE_TEXT 2048                   /* COMMAND_LINE_SIZE of x86 */

void
lp_enlight_read_cpuid(LpEnlightCpuid *ret_cpuid)
{
    memset(ret_cpuid, 0, sizeof(*ret_cpuid));
#if defined(__x86_64__) || defined(__i386__)
    unsigned eax, ebx, ecx, edx;

    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0)
        return;
    ret_cpuid->has_cpuid = true;
    ret_cpuid->is_guest = ecx & LP_CPUID_GUEST_BIT;
    for (unsigned i = 0; ret_cpuid->is_guest && i < LP_ENLIGHT_BASES; i++) {
        unsigned leaf = LP_CPUID_BASE + i * LP_CPUID_BASE_STEP;

        __cpuid(leaf, ret_cpuid->base[i].eax, ret_cpuid->base[i].ebx, ret_cpuid->base[i].ecx,
                ret_cpuid->base[i].edx);
        __cpuid(leaf + 1, ret_cpuid->base[i].features, ebx, ecx, edx);
    }
#endif
}

static LpWireHypervisor
decode_signature(const char *signature)
{
    static const struct {
        const char *signature;
        LpWireHypervisor hypervisor;
    } known[] = {
        { "KVMKVMKVM\0\0\0", LP_WIRE_HYPERVISOR_KVM },
        { "TCGTCGTCGTCG", LP_WIRE_HYPERVISOR_TCG },
        { "Microsoft Hv", LP_WIRE_HYPERVISOR_HYPERV },
        { "XenVMMXenVMM", LP_WIRE_HYPERVISOR_XEN },
        { "VMwareVMware", LP_WIRE_HYPERVISOR_VMWARE },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (memcmp(signature, known[i].signature, 12) == 0)
            return known[i].hypervisor;
    }
    return LP_WIRE_HYPERVISOR_OTHER;
}

LpWireHypervisor
lp_enlight_decode(const LpEnlightCpuid *cpuid, uint32_t *ret_kvm_features)
{
    LpWireHypervisor found = LP_WIRE_HYPERVISOR_OTHER;

    *ret_kvm_features = 0;
    if (!cpuid->has_cpuid)
        return LP_WIRE_HYPERVISOR_UNKNOWN;
    if (!cpuid->is_guest)
        return LP_WIRE_HYPERVISOR_NONE;
    for (unsigned i = 0; i < LP_ENLIGHT_BASES; i++) {
        LpWireHypervisor hypervisor;
        char signature[12];

        memcpy(signature, &cpuid->base[i].ebx, 4);
        memcpy(signature + 4, &cpuid->base[i].ecx, 4);
        memcpy(signature + 8, &cpuid->base[i].edx, 4);
        hypervisor = decode_signature(signature);
        /* The second is whose interface it really is; a leaf that is not there says anything. */
        if (i == 0 || hypervisor == LP_WIRE_HYPERVISOR_KVM || hypervisor == LP_WIRE_HYPERVISOR_XEN)
            found = hypervisor;
        if (hypervisor == LP_WIRE_HYPERVISOR_KVM) {
            *ret_kvm_features = cpuid->base[i].features;
            break;
        }
    }
    return found;
}

LpWireHypervisor
lp_enlight_hypervisor(void)
{
    LpEnlightCpuid cpuid;
    uint32_t features;

    lp_enlight_read_cpuid(&cpuid);
    return lp_enlight_decode(&cpuid, &features);
}

/* Whether a word stands in a text of words between blanks or commas. */
static bool
has_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = text; (at = strstr(at, word)) != NULL; at += length) {
        /* strchr() finds the end of the text too. */
        if ((at == text || strchr(" \t,\n", at[-1]) != NULL) &&
            strchr(" \t,\n", at[length]) != NULL)
            return true;
    }
    return false;
}

typedef struct {
    const char *sysfs, *driver;
    bool bound, reporting;
} LpVirtioWalk;

/* A driver's folder has a link named "virtioN" for each device that it has taken. */
static void
see_device(uint32_t number, void *data)
{
    LpVirtioWalk *walk = data;
    char features[LP_VIRTIO_FEATURES_TEXT];

    walk->bound = true;
    /* A digit for each feature, agreed on by both sides. */
    if (lp_file_read(features, sizeof(features), "%s/bus/virtio/drivers/%s/virtio%u/features",
                     walk->sysfs, walk->driver, number) > LP_BALLOON_F_REPORTING)
        walk->reporting = walk->reporting || features[LP_BALLOON_F_REPORTING] == '1';
}

static void
look_for_driver(LpVirtioWalk *walk)
{
    char path[LP_PATH_MAX];

    snprintf(path, sizeof(path), "%s/bus/virtio/drivers/%s", walk->sysfs, walk->driver);
    lp_file_each(path, "virtio", see_device, walk);
}

static uint32_t
look_for_virtio(const char *sysfs)
{
    LpVirtioWalk memory = { .sysfs = sysfs, .driver = "virtio_mem" };
    LpVirtioWalk balloon = { .sysfs = sysfs, .driver = "virtio_balloon" };

    look_for_driver(&memory);
    look_for_driver(&balloon);
    return (memory.bound ? LP_WIRE_FEATURE_VIRTIO_MEM : 0) |
           (balloon.bound ? LP_WIRE_FEATURE_BALLOON : 0) |
           (balloon.reporting ? LP_WIRE_FEATURE_FREE_PAGE_REPORTING : 0);
}

/* Every kernel that has memory blocks has ZONE_MOVABLE; what keeps memory out of it is a kernel
 * that brings blocks online by itself, and elsewhere. */
static bool
blocks_go_movable(const char *sysfs)
{
    char text[32];

    if (lp_file_read(text, sizeof(text), "%s/devices/system/memory/auto_online_blocks",
                     sysfs) <= 0 ||
        strcmp(text, "offline") == 0 || strcmp(text, "online_movable") == 0)
        return true;
    return strcmp(text, "online") == 0 &&
           lp_file_read(text, sizeof(text), "%s/module/memory_hotplug/parameters/online_policy",
                        sysfs) > 0 &&
           strcmp(text, "auto-movable") == 0;
}

static bool
numa_is_off(const char *procfs)
{
    char text[LP_CMDLINE_TEXT];

    return lp_file_read(text, sizeof(text), "%s/cmdline", procfs) > 0 &&
           has_word(text, "numa=off");
}

/* Of the kernel's own tables, all below sysfs. */
static uint32_t
look_at_kernel(const char *sysfs, const char *procfs)
{
    uint32_t has = look_for_virtio(sysfs);

    /* All of these are there exactly if the kernel was built with what they are about. */
    if (lp_file_exists("%s/devices/system/cpu/hotplug", sysfs))
        has |= LP_WIRE_FEATURE_CPU_HOTPLUG;
    if (lp_file_exists("%s/devices/system/memory/block_size_bytes", sysfs))
        has |= LP_WIRE_FEATURE_MEM_HOTPLUG |
               (blocks_go_movable(sysfs) ? LP_WIRE_FEATURE_MOVABLE : 0);
    if (lp_file_exists("%s/devices/system/node", sysfs) && !numa_is_off(procfs))
        has |= LP_WIRE_FEATURE_NUMA;
    return has;
}

/* A controller of v1 is attached to a hierarchy with a number, which is how it can be seen
 * wherever it is mounted. */
static bool
has_v1_controller(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == '\t')
            return line[length + 1] >= '1' && line[length + 1] <= '9';
    }
    return false;
}

static bool
has_cgroups(const char *sysfs, const char *procfs)
{
    char text[1024];

    if (lp_file_read(text, sizeof(text), "%s/fs/cgroup/cgroup.controllers", sysfs) > 0 &&
        has_word(text, "cpu") && has_word(text, "memory"))
        return true;
    return lp_file_read(text, sizeof(text), "%s/cgroups", procfs) > 0 &&
           has_v1_controller(text, "cpu") && has_v1_controller(text, "memory");
}

static uint32_t
look_at_procfs(const char *sysfs, const char *procfs)
{
    uint32_t has = 0;
    char byte[2];

    /* Where PSI is switched off the file may be there, and not be readable. */
    if (lp_file_read(byte, sizeof(byte), "%s/pressure/memory", procfs) > 0)
        has |= LP_WIRE_FEATURE_PSI;
    if (has_cgroups(sysfs, procfs))
        has |= LP_WIRE_FEATURE_CGROUPS;
    return has;
}

/* What KVM offers; the clock must also be taken up by the kernel.  Other hypervisors than KVM and
 * the emulator have means of their own, which are not looked for. */
static void
look_at_hypervisor(const LpEnlightCpuid *cpuid, const char *sysfs, uint32_t *ret_has,
                   uint32_t *ret_known)
{
    uint32_t offers, has = 0;
    LpWireHypervisor hypervisor = lp_enlight_decode(cpuid, &offers);
    char clocks[128];

    *ret_has = *ret_known = 0;
    if (hypervisor != LP_WIRE_HYPERVISOR_KVM && hypervisor != LP_WIRE_HYPERVISOR_TCG)
        return;
    *ret_known = LP_WIRE_FEATURE_STEAL_TIME | LP_WIRE_FEATURE_ASYNC_PF | LP_WIRE_FEATURE_KVMCLOCK;
    if (offers & LP_KVM_STEAL_TIME)
        has |= LP_WIRE_FEATURE_STEAL_TIME;
    if (offers & (LP_KVM_ASYNC_PF | LP_KVM_ASYNC_PF_INT))
        has |= LP_WIRE_FEATURE_ASYNC_PF;
    if (offers & (LP_KVM_CLOCKSOURCE | LP_KVM_CLOCKSOURCE2)) {
        if (lp_file_read(clocks, sizeof(clocks),
                         "%s/devices/system/clocksource/clocksource0/available_clocksource",
                         sysfs) <= 0)
            *ret_known &= ~LP_WIRE_FEATURE_KVMCLOCK;
        else if (has_word(clocks, "kvm-clock"))
            has |= LP_WIRE_FEATURE_KVMCLOCK;
    }
    *ret_has = has;
}

void
lp_enlight_features_of(const LpEnlightCpuid *cpuid, const char *sysfs, const char *procfs,
                       uint32_t *ret_has, uint32_t *ret_lacks)
{
    uint32_t has, known;

    look_at_hypervisor(cpuid, sysfs, &has, &known);
    /* In a tree that is not there nothing is missing. */
    if (lp_file_exists("%s/devices/system/cpu", sysfs)) {
        has |= look_at_kernel(sysfs, procfs);
        known |= LP_WIRE_FEATURE_CPU_HOTPLUG | LP_WIRE_FEATURE_MEM_HOTPLUG |
                 LP_WIRE_FEATURE_MOVABLE | LP_WIRE_FEATURE_VIRTIO_MEM | LP_WIRE_FEATURE_BALLOON |
                 LP_WIRE_FEATURE_FREE_PAGE_REPORTING | LP_WIRE_FEATURE_NUMA;
    }
    if (lp_file_exists("%s/meminfo", procfs)) {
        has |= look_at_procfs(sysfs, procfs);
        known |= LP_WIRE_FEATURE_PSI | LP_WIRE_FEATURE_CGROUPS;
    }
    *ret_has = has;
    *ret_lacks = known & ~has;
}

void
lp_enlight_features(const char *sysfs, const char *procfs, uint32_t *ret_has,
                    uint32_t *ret_lacks)
{
    LpEnlightCpuid cpuid;

    lp_enlight_read_cpuid(&cpuid);
    lp_enlight_features_of(&cpuid, sysfs, procfs, ret_has, ret_lacks);
}
