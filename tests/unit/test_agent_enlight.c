/* Where a guest finds itself to be running, and what it finds itself able to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/enlight.h"
#include "agent/facts.h"
#include "agent/wire/feature.h"
#include "agent/wire/words.h"
#include "tests/unit/tree.h"

#define ALL ((1u << LP_WIRE_FEATURES) - 1)
#define BY_HYPERVISOR \
    (LP_WIRE_FEATURE_STEAL_TIME | LP_WIRE_FEATURE_KVMCLOCK | LP_WIRE_FEATURE_ASYNC_PF)

static LpEnlightCpuid
cpuid_of(const char *first, const char *second)
{
    LpEnlightCpuid cpuid = { .has_cpuid = true, .is_guest = true };
    const char *signatures[LP_ENLIGHT_BASES] = { first, second };

    for (int i = 0; i < LP_ENLIGHT_BASES; i++) {
        if (signatures[i] == NULL)
            continue;
        memcpy(&cpuid.base[i].ebx, signatures[i], 4);
        memcpy(&cpuid.base[i].ecx, signatures[i] + 4, 4);
        memcpy(&cpuid.base[i].edx, signatures[i] + 8, 4);
    }
    return cpuid;
}

static LpWireHypervisor
decode(const char *first, const char *second)
{
    LpEnlightCpuid cpuid = cpuid_of(first, second);
    uint32_t features;

    return lp_enlight_decode(&cpuid, &features);
}

static void
test_hypervisors(void **data)
{
    LpEnlightCpuid bare = { .has_cpuid = true }, none = { .has_cpuid = false };
    uint32_t features;

    (void)data;
    assert_int_equal(decode("KVMKVMKVM\0\0\0", NULL), LP_WIRE_HYPERVISOR_KVM);
    assert_int_equal(decode("TCGTCGTCGTCG", NULL), LP_WIRE_HYPERVISOR_TCG);
    assert_int_equal(decode("Microsoft Hv", NULL), LP_WIRE_HYPERVISOR_HYPERV);
    assert_int_equal(decode("XenVMMXenVMM", NULL), LP_WIRE_HYPERVISOR_XEN);
    assert_int_equal(decode("VMwareVMware", NULL), LP_WIRE_HYPERVISOR_VMWARE);
    assert_int_equal(decode("bhyve bhyve ", NULL), LP_WIRE_HYPERVISOR_OTHER);
    /* Those that pose as Hyper-V for the sake of Windows. */
    assert_int_equal(decode("Microsoft Hv", "KVMKVMKVM\0\0\0"), LP_WIRE_HYPERVISOR_KVM);
    assert_int_equal(decode("Microsoft Hv", "XenVMMXenVMM"), LP_WIRE_HYPERVISOR_XEN);
    /* A leaf that is not there holds what another does. */
    assert_int_equal(decode("TCGTCGTCGTCG", "rubbish!1234"), LP_WIRE_HYPERVISOR_TCG);
    assert_int_equal(lp_enlight_decode(&bare, &features), LP_WIRE_HYPERVISOR_NONE);
    assert_int_equal(lp_enlight_decode(&none, &features), LP_WIRE_HYPERVISOR_UNKNOWN);
}

static void
test_this_machine(void **data)
{
    LpEnlightCpuid cpuid;
    uint32_t features;

    (void)data;
    memset(&cpuid, 0xff, sizeof(cpuid));
    lp_enlight_read_cpuid(&cpuid);
#if defined(__x86_64__)
    assert_true(cpuid.has_cpuid);
    assert_int_not_equal(lp_enlight_hypervisor(), LP_WIRE_HYPERVISOR_UNKNOWN);
#endif
    assert_int_equal(lp_enlight_decode(&cpuid, &features), lp_enlight_hypervisor());
}

/* A kernel as distributions build it, on a host that offers everything. */
static void
make_full(void)
{
    tree_put("sys/devices/system/cpu/hotplug/states", "");
    tree_put("sys/devices/system/memory/block_size_bytes", "8000000\n");
    tree_put("sys/devices/system/memory/auto_online_blocks", "offline\n");
    tree_put("sys/devices/system/node/node0/meminfo", "");
    tree_put("sys/devices/system/clocksource/clocksource0/available_clocksource",
             "tsc kvm-clock acpi_pm \n");
    tree_put("sys/bus/virtio/drivers/virtio_mem/virtio3/status", "");
    tree_put("sys/bus/virtio/drivers/virtio_balloon/virtio4/features", "0100010000000000\n");
    tree_put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    tree_put("proc/meminfo", "MemTotal: 1000 kB\n");
    tree_put("proc/cmdline", "console=ttyS0 quiet\n");
    tree_put("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t9\t1\n");
    tree_put("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
}

static LpEnlightCpuid
kvm(uint32_t features)
{
    LpEnlightCpuid cpuid = cpuid_of("KVMKVMKVM\0\0\0", NULL);

    cpuid.base[0].features = features;
    return cpuid;
}

static uint32_t has, lacks;

static void
look(LpEnlightCpuid cpuid)
{
    lp_enlight_features_of(&cpuid, tree_path("sys"), tree_path("proc"), &has, &lacks);
    assert_int_equal(has & lacks, 0);
}

static void
test_has_everything(void **data)
{
    (void)data;
    make_full();
    look(kvm(1u << 3 | 1u << 5 | 1u << 14));
    assert_int_equal(has, ALL);
    assert_int_equal(lacks, 0);
}

static void
test_by_hypervisor(void **data)
{
    (void)data;
    make_full();
    look(kvm(1u << 0));
    assert_int_equal(has & BY_HYPERVISOR, LP_WIRE_FEATURE_KVMCLOCK);
    assert_int_equal(lacks, LP_WIRE_FEATURE_STEAL_TIME | LP_WIRE_FEATURE_ASYNC_PF);
    look(kvm(1u << 4 | 1u << 5));
    assert_int_equal(has & BY_HYPERVISOR, LP_WIRE_FEATURE_STEAL_TIME | LP_WIRE_FEATURE_ASYNC_PF);
    /* Offered, but the kernel does not take it up. */
    tree_put("sys/devices/system/clocksource/clocksource0/available_clocksource",
             "tsc not-kvm-clock\n");
    look(kvm(1u << 3));
    assert_true(lacks & LP_WIRE_FEATURE_KVMCLOCK);
    look(cpuid_of("TCGTCGTCGTCG", NULL));
    assert_int_equal(lacks, BY_HYPERVISOR);
    /* Others have means of their own. */
    look(cpuid_of("Microsoft Hv", NULL));
    assert_int_equal((has | lacks) & BY_HYPERVISOR, 0);
    look((LpEnlightCpuid){ .has_cpuid = false });
    assert_int_equal((has | lacks) & BY_HYPERVISOR, 0);
}

static void
test_lacks_everything(void **data)
{
    (void)data;
    tree_put("sys/devices/system/cpu/online", "0\n");
    tree_put("proc/meminfo", "MemTotal: 1000 kB\n");
    look(kvm(0));
    assert_int_equal(has, 0);
    assert_int_equal(lacks, ALL);
}

static void
test_knows_nothing(void **data)
{
    (void)data;
    look((LpEnlightCpuid){ .has_cpuid = false });
    assert_int_equal(has, 0);
    assert_int_equal(lacks, 0);
}

static void
assert_movable(bool movable)
{
    look(kvm(0));
    assert_int_equal((has & LP_WIRE_FEATURE_MOVABLE) != 0, movable);
    assert_int_equal((lacks & LP_WIRE_FEATURE_MOVABLE) != 0, !movable);
}

static void
test_movable(void **data)
{
    (void)data;
    make_full();
    tree_put("sys/devices/system/memory/auto_online_blocks", "online_movable\n");
    assert_movable(true);
    tree_put("sys/devices/system/memory/auto_online_blocks", "online_kernel\n");
    assert_movable(false);
    tree_put("sys/devices/system/memory/auto_online_blocks", "online\n");
    assert_movable(false);
    tree_put("sys/module/memory_hotplug/parameters/online_policy", "contig-zones\n");
    assert_movable(false);
    tree_put("sys/module/memory_hotplug/parameters/online_policy", "auto-movable\n");
    assert_movable(true);
}

static void
test_small_lacks(void **data)
{
    (void)data;
    make_full();
    tree_put("sys/bus/virtio/drivers/virtio_balloon/virtio4/features", "0100\n");
    tree_put("proc/cmdline", "root=/dev/vda numa=off\n");
    tree_put("proc/pressure/memory", "");
    tree_put("sys/fs/cgroup/cgroup.controllers", "cpuset io memory\n");
    look(kvm(1u << 3 | 1u << 4 | 1u << 5));
    assert_int_equal(lacks, LP_WIRE_FEATURE_FREE_PAGE_REPORTING | LP_WIRE_FEATURE_NUMA |
                     LP_WIRE_FEATURE_PSI | LP_WIRE_FEATURE_CGROUPS);
    tree_put("proc/cmdline", "fake_numa=off numa=offline\n");
    look(kvm(0));
    assert_true(has & LP_WIRE_FEATURE_NUMA);
}

static void
test_cgroup_v1(void **data)
{
    (void)data;
    make_full();
    tree_put("sys/fs/cgroup/cgroup.controllers", "\n");
    look(kvm(0));
    assert_true(lacks & LP_WIRE_FEATURE_CGROUPS);
    tree_put("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
             "cpuset\t3\t5\t1\ncpu\t1\t5\t1\ncpuacct\t2\t1\t1\nmemory\t4\t29\t1\n");
    look(kvm(0));
    assert_true(has & LP_WIRE_FEATURE_CGROUPS);
    /* Not attached anywhere; switched off by cgroup_disable=memory. */
    tree_put("proc/cgroups", "cpu\t1\t5\t1\nmemory\t0\t29\t0\n");
    look(kvm(0));
    assert_true(lacks & LP_WIRE_FEATURE_CGROUPS);
}

static void
test_garbage(void **data)
{
    static char long_text[5000];

    (void)data;
    make_full();
    memset(long_text, '1', sizeof(long_text) - 1);
    tree_put("sys/bus/virtio/drivers/virtio_balloon/virtio4/features", long_text);
    tree_put("sys/bus/virtio/drivers/virtio_balloon/virtio99999999999/features", "");
    tree_put("sys/devices/system/memory/auto_online_blocks", long_text);
    tree_put("sys/devices/system/clocksource/clocksource0/available_clocksource", long_text);
    tree_put("sys/fs/cgroup/cgroup.controllers", long_text);
    tree_put("proc/cgroups", "cpu\t\nmemory\n\n\t\n");
    tree_put("proc/cmdline", long_text);
    look(kvm(1u << 3));
    assert_true(has & LP_WIRE_FEATURE_BALLOON);
    assert_true(lacks & LP_WIRE_FEATURE_KVMCLOCK);
    assert_true(lacks & LP_WIRE_FEATURE_CGROUPS);
    assert_true(lacks & LP_WIRE_FEATURE_MOVABLE);
}

static void
test_hello(void **data)
{
    LpConf conf = { .forbid = LP_WIRE_ACT_REQUESTS | LP_WIRE_ACT_HOOKS };
    LpWireHello hello;

    (void)data;
    make_full();
    lp_facts_hello(tree_path("sys"), tree_path("proc"), &conf, &hello);
    assert_int_equal(hello.forbids, LP_WIRE_ACT_REQUESTS | LP_WIRE_ACT_HOOKS);
    assert_int_equal(hello.caps, LP_WIRE_CAP_CPU_ONLINE | LP_WIRE_CAP_MEM_ONLINE |
                     LP_WIRE_CAP_MEM_MOVABLE | LP_WIRE_CAP_VIRTIO_MEM | LP_WIRE_CAP_BALLOON |
                     LP_WIRE_CAP_PSI | LP_WIRE_CAP_PHASES | LP_WIRE_CAP_PRESSURE);
    assert_int_equal(hello.hypervisor, lp_enlight_hypervisor());
    assert_int_equal(hello.has & ~BY_HYPERVISOR, ALL & ~BY_HYPERVISOR);
    conf.forbid = 0;
    lp_facts_hello(tree_path("sys"), tree_path("proc"), &conf, &hello);
    assert_true(hello.caps & LP_WIRE_CAP_REQUESTS);
}

static void
test_table(void **data)
{
    (void)data;
    for (unsigned bit = 0; bit < LP_WIRE_FEATURES; bit++) {
        const LpWireFeature *feature = lp_wire_feature(bit);

        assert_non_null(feature);
        assert_string_equal(feature->name, lp_wire_feature_names[bit]);
        assert_true(feature->has[0] && feature->lacks[0] && feature->cure[0]);
    }
    assert_null(lp_wire_feature(LP_WIRE_FEATURES));
    assert_null(lp_wire_feature(UINT32_MAX));
}

static LpWireAbility
ability(const LpWireHello *hello, const char *name)
{
    LpWireAbility found;

    for (unsigned i = 0; lp_wire_ability(hello, i, &found); i++) {
        if (strcmp(found.name, name) == 0)
            return found;
    }
    fail_msg("no ability %s", name);
    return found;
}

static void
test_abilities(void **data)
{
    LpWireHello full = { .has = ALL, .caps = UINT32_MAX }, none = { .lacks = ALL };
    LpWireHello silent = { .has = LP_WIRE_FEATURE_PSI, .caps = UINT32_MAX };
    LpWireAbility found;

    (void)data;
    for (unsigned i = 0; i < LP_WIRE_ABILITIES; i++) {
        assert_true(lp_wire_ability(&full, i, &found));
        assert_int_equal(found.able, LP_WIRE_ABLE_YES);
        assert_true(lp_wire_ability(&none, i, &found));
        assert_int_equal(found.able, LP_WIRE_ABLE_NO);
    }
    assert_false(lp_wire_ability(&full, LP_WIRE_ABILITIES, &found));
    assert_int_equal(ability(&silent, "pressure").able, LP_WIRE_ABLE_YES);
    assert_int_equal(ability(&silent, "memory-shrink").able, LP_WIRE_ABLE_UNKNOWN);
    full.lacks = LP_WIRE_FEATURE_MOVABLE;
    full.has &= ~LP_WIRE_FEATURE_MOVABLE;
    assert_int_equal(ability(&full, "memory-shrink").able, LP_WIRE_ABLE_NO);
    assert_int_equal(ability(&full, "memory-grow").able, LP_WIRE_ABLE_YES);
    full.forbids = LP_WIRE_ACT_CPU_RELEASE;
    assert_int_equal(ability(&full, "vcpu-fold").able, LP_WIRE_ABLE_NO);
    assert_non_null(strstr(ability(&full, "vcpu-fold").text, "agent.conf"));
    assert_int_equal(ability(&full, "vcpu-grow").able, LP_WIRE_ABLE_YES);
}

/* An agent from before features has capabilities. */
static void
test_older_agent(void **data)
{
    LpWireHello old = { .caps = LP_WIRE_CAP_CPU_ONLINE | LP_WIRE_CAP_BALLOON };

    (void)data;
    lp_wire_hello_features(&old, &has, &lacks);
    assert_int_equal(has, LP_WIRE_FEATURE_CPU_HOTPLUG | LP_WIRE_FEATURE_BALLOON);
    assert_int_equal(lacks, LP_WIRE_FEATURE_MEM_HOTPLUG | LP_WIRE_FEATURE_MOVABLE |
                     LP_WIRE_FEATURE_VIRTIO_MEM | LP_WIRE_FEATURE_PSI);
    assert_int_equal(ability(&old, "vcpu-fold").able, LP_WIRE_ABLE_YES);
    assert_int_equal(ability(&old, "veto").able, LP_WIRE_ABLE_NO);
    /* A liar who says both has it. */
    old.has = old.lacks = LP_WIRE_FEATURE_NUMA;
    lp_wire_hello_features(&old, &has, &lacks);
    assert_int_equal(has, LP_WIRE_FEATURE_NUMA);
    assert_int_equal(lacks, 0);
}

static int
setup(void **data)
{
    (void)data;
    tree_make();
    return 0;
}

static int
teardown(void **data)
{
    (void)data;
    tree_drop();
    return 0;
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(test_hypervisors), RUN(test_this_machine), RUN(test_has_everything),
        RUN(test_by_hypervisor), RUN(test_lacks_everything), RUN(test_knows_nothing),
        RUN(test_movable), RUN(test_small_lacks), RUN(test_cgroup_v1), RUN(test_garbage),
        RUN(test_hello), RUN(test_table), RUN(test_abilities), RUN(test_older_agent),
    };

    return cmocka_run_group_tests_name("enlight", tests, NULL, NULL);
}
