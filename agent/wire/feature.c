#include "agent/wire/feature.h"

#include <stddef.h>

#include "agent/wire/words.h"

static const LpWireFeature features[LP_WIRE_FEATURES] = {
    { "cpu-hotplug",
      "vCPUs can come and go while it runs",
      "vCPUs that are added are not seen, and none can go offline",
      "use a guest kernel with CONFIG_HOTPLUG_CPU" },
    { "memory-hotplug",
      "memory that is added while it runs is seen",
      "memory that is added is not seen before a restart",
      "use a guest kernel with CONFIG_MEMORY_HOTPLUG and CONFIG_MEMORY_HOTREMOVE" },
    { "movable-zone",
      "memory that is added goes to the movable zone, so that it can leave again",
      "memory that is added may be taken by the kernel itself, and then cannot leave again",
      "boot the guest with memhp_default_state=online_movable, or leave that parameter out: the "
      "agent then decides" },
    { "virtio-mem",
      "the virtio-mem driver has a device: memory grows and shrinks by it",
      "memory cannot grow or shrink by virtio-mem, only by whole DIMMs and the balloon",
      "run `lparctl enable` on the host if the domain has no virtio-mem device; in the guest load "
      "the module virtio_mem (CONFIG_VIRTIO_MEM, Linux 5.8 or newer)" },
    { "balloon",
      "the balloon driver has a device: memory can be reclaimed for a while",
      "memory that virtio-mem does not give back cannot be reclaimed by the balloon",
      "add <memballoon model='virtio'/> to the domain; in the guest load the module "
      "virtio_balloon" },
    { "free-page-reporting",
      "pages that the guest frees return to the host by themselves",
      "pages that the guest frees stay taken on the host until the memory is unplugged",
      "set freePageReporting='on' on <memballoon> of the domain; in the guest use a kernel with "
      "CONFIG_PAGE_REPORTING (Linux 5.7 or newer)" },
    { "numa",
      "the guest sees its cells, so that memory and vCPUs are used where they are",
      "the guest does not see its cells: memory is used wherever it lies",
      "use a guest kernel with CONFIG_NUMA, and boot it without numa=off" },
    { "psi",
      "stalls are measured: a release of memory stops before it hurts",
      "stalls are not measured: a release of memory is judged by free memory alone",
      "boot the guest with psi=1 (CONFIG_PSI, Linux 4.20 or newer)" },
    { "steal-time",
      "time taken by the host is told to the guest",
      "time taken by the host looks like work of the guest",
      "leave kvm-steal-time on in the domain's CPU (it needs KVM)" },
    { "kvmclock",
      "the clock stays right when the partition is paused or moved",
      "the clock may jump when the partition is paused or moved",
      "add <timer name='kvmclock' present='yes'/> to <clock> of the domain (it needs KVM); use a "
      "guest kernel with CONFIG_KVM_GUEST" },
    { "async-page-faults",
      "a vCPU runs other tasks while the host fetches a page for it",
      "a vCPU stands still while the host fetches a page for it",
      "leave kvm-asyncpf and kvm-asyncpf-int on in the domain's CPU (it needs KVM)" },
    { "cgroups",
      "processors and memory can be divided among workload classes",
      "workload classes cannot be held to their shares",
      "use a guest kernel with CONFIG_CGROUP_SCHED and CONFIG_MEMCG, and mount cgroup v2 or the "
      "v1 controllers cpu and memory" },
};

const LpWireFeature *
lp_wire_feature(unsigned bit)
{
    return bit < LP_WIRE_FEATURES ? &features[bit] : NULL;
}

void
lp_wire_hello_features(const LpWireHello *hello, uint32_t *ret_has, uint32_t *ret_lacks)
{
    static const struct {
        uint32_t cap, feature;
    } same[] = {
        { LP_WIRE_CAP_CPU_ONLINE, LP_WIRE_FEATURE_CPU_HOTPLUG },
        { LP_WIRE_CAP_MEM_ONLINE, LP_WIRE_FEATURE_MEM_HOTPLUG },
        { LP_WIRE_CAP_MEM_MOVABLE, LP_WIRE_FEATURE_MOVABLE },
        { LP_WIRE_CAP_VIRTIO_MEM, LP_WIRE_FEATURE_VIRTIO_MEM },
        { LP_WIRE_CAP_BALLOON, LP_WIRE_FEATURE_BALLOON },
        { LP_WIRE_CAP_PSI, LP_WIRE_FEATURE_PSI },
    };

    *ret_has = hello->has;
    *ret_lacks = hello->lacks & ~hello->has;
    if (hello->has != 0 || hello->lacks != 0)
        return;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        *(hello->caps & same[i].cap ? ret_has : ret_lacks) |= same[i].feature;
}

/* What an ability takes. */
typedef struct {
    const char *name;
    uint32_t features;                 /* all of these */
    uint32_t caps;                     /* of the agent */
    uint32_t acts;                     /* the administrator may have forbidden one of these */
    const char *can, *cannot;
} LpAbilityRule;

static const LpAbilityRule rules[LP_WIRE_ABILITIES] = {
    { "memory-grow", LP_WIRE_FEATURE_MEM_HOTPLUG, LP_WIRE_CAP_MEM_ONLINE,
      LP_WIRE_ACT_MEM_ACQUIRE, "memory that is plugged comes online",
      "the kernel has no memory hotplug" },
    { "memory-shrink",
      LP_WIRE_FEATURE_VIRTIO_MEM | LP_WIRE_FEATURE_MEM_HOTPLUG | LP_WIRE_FEATURE_MOVABLE, 0,
      LP_WIRE_ACT_MEM_RELEASE, "by virtio-mem, block by block, from the movable zone",
      "it takes virtio-mem and memory in the movable zone" },
    { "memory-reclaim", LP_WIRE_FEATURE_BALLOON, 0, 0,
      "by the balloon, when nothing else gives memory back", "no balloon driver has a device" },
    { "vcpu-grow", LP_WIRE_FEATURE_CPU_HOTPLUG, LP_WIRE_CAP_CPU_ONLINE,
      LP_WIRE_ACT_CPU_ACQUIRE, "vCPUs that are plugged or unfolded come online",
      "the kernel has no CPU hotplug" },
    { "vcpu-fold", LP_WIRE_FEATURE_CPU_HOTPLUG, LP_WIRE_CAP_CPU_ONLINE,
      LP_WIRE_ACT_CPU_RELEASE, "vCPUs go offline in milliseconds, all but the first",
      "the kernel has no CPU hotplug" },
    { "veto", 0, LP_WIRE_CAP_PHASES, 0,
      "the guest is asked before anything leaves, and may refuse",
      "this agent does not answer phases" },
    { "hooks", 0, LP_WIRE_CAP_PHASES, LP_WIRE_ACT_HOOKS,
      "scripts in the guest are run before and after a resize",
      "this agent does not answer phases" },
    { "pressure", LP_WIRE_FEATURE_PSI, LP_WIRE_CAP_PRESSURE, 0,
      "stalls are measured and told, and stop a release", "stalls are not measured or not told" },
    { "requests", 0, LP_WIRE_CAP_REQUESTS, LP_WIRE_ACT_REQUESTS,
      "programs in the guest may ask for another size", "this agent passes on no requests" },
    { "classes", LP_WIRE_FEATURE_CGROUPS, 0, LP_WIRE_ACT_CLASSES,
      "workload classes are given their shares anew at each resize",
      "no cgroup controllers of cpu and memory" },
};

bool
lp_wire_ability(const LpWireHello *hello, unsigned index, LpWireAbility *ret_ability)
{
    const LpAbilityRule *rule;
    uint32_t has, lacks;

    if (index >= LP_WIRE_ABILITIES)
        return false;
    rule = &rules[index];
    lp_wire_hello_features(hello, &has, &lacks);
    ret_ability->name = rule->name;
    ret_ability->able = LP_WIRE_ABLE_NO;
    ret_ability->text = rule->cannot;
    if (hello->forbids & rule->acts) {
        ret_ability->text = "forbidden by agent.conf of the guest";
    } else if ((hello->caps & rule->caps) == rule->caps &&
               (has & rule->features) == rule->features) {
        ret_ability->able = LP_WIRE_ABLE_YES;
        ret_ability->text = rule->can;
    } else if ((hello->caps & rule->caps) == rule->caps && !(lacks & rule->features)) {
        ret_ability->able = LP_WIRE_ABLE_UNKNOWN;
        ret_ability->text = "the guest cannot say";
    }
    return true;
}
