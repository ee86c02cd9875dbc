/* The planner on partitions written down one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hotplug/admit.h"
#include "hotplug/plan.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define PERIOD 100000
/* The emulator's part of a period. */
#define ALLOWANCE 10000

static LpView view;
static LpBounds bounds;
static LpRoom room;
static LpGuestFacts guest;
static LpTarget target;
static LpPlanOptions options;
static LpPlan *plan;

static void
set_mask(LpCpuMask *mask, const char *text)
{
    assert_true(lp_cpumask_parse(text, mask));
}

static void
assert_mask(const LpCpuMask *mask, const char *text)
{
    char buffer[LP_CPUMASK_TEXT];

    assert_string_equal(lp_cpumask_format(mask, buffer, sizeof buffer), text);
}

/* KVM with an agent: vCPUs 0-3 of 8 (0 and 1 from boot), in two cells on nodes 0 and 1, each with
 * 1 GiB of boot memory and 1 of 4 GiB of virtio-mem. */
static int
set_up(void **state)
{
    (void) state;
    memset(&view, 0, sizeof view);
    memset(&bounds, 0, sizeof bounds);
    memset(&room, 0, sizeof room);
    memset(&guest, 0, sizeof guest);
    memset(&target, 0, sizeof target);
    memset(&options, 0, sizeof options);
    view.run = LP_RUN_RUNNING;
    view.persistent = view.has_balloon = true;
    view.cgroup = LP_CGROUP_V2;
    view.cpu_shares = 100;
    view.global_quota_usec = -1;
    view.global_period_usec = PERIOD;
    view.vcpu_max = 8;
    set_mask(&view.plugged, "0-3");
    set_mask(&view.plugged_config, "0-3");
    set_mask(&view.hotpluggable, "2-3");
    view.n_cells = 2;
    for (uint32_t i = 0; i < 2; i++) {
        view.cells[i] = (LpViewCell){.node = (int32_t) i, .home = (int32_t) i, .base_bytes = GIB,
                                     .has_device = true, .device_bytes = 4 * GIB, .block_bytes = 2 * MIB,
                                     .requested_bytes = GIB, .current_bytes = GIB};
        set_mask(&view.cells[i].vcpus, i ? "1,3,5,7" : "0,2,4,6");
    }
    view.base_bytes = view.requested_config_bytes = 2 * GIB;
    bounds.cpu_min = 1;
    bounds.cpu_max = 8;
    bounds.cpu_desired = 4;
    bounds.mem_min_bytes = 2 * GIB;
    bounds.mem_max_bytes = 12 * GIB;
    bounds.mem_desired_bytes = 4 * GIB;
    bounds.entitled_centi = 100;
    bounds.weight = 128;
    bounds.shares = 100;
    room = (LpRoom){.room_bytes = 16 * GIB, .n_nodes = 2, .node_id = {0, 1},
                    .node_room_bytes = {8 * GIB, 8 * GIB}, .room_centi = 800};
    guest.connected = true;
    guest.online = view.plugged;
    plan = NULL;
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    lp_plan_free(plan);
    return 0;
}

static const char *
kinds(void)
{
    static char text[1024];
    uint32_t stage = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        if (i)
            strcat(text, plan->steps[i].stage > stage ? " | " : " ");
        else if (plan->steps[i].stage)
            strcat(text, "| ");
        stage = plan->steps[i].stage;
        strcat(text, lp_step_kind_name(plan->steps[i].kind));
    }
    return text;
}

/* Plans; the steps must be these ("|" between stages), and the gate must let them through. */
static void
make(const char *steps)
{
    lp_plan_free(plan);
    plan = lp_plan_new();
    lp_plan_make(&view, &bounds, &room, &guest, &target, &options, plan);
    if (*steps && plan->refused)
        fail_msg("refused for %s: %llu, %llu", lp_short_reason_name(plan->shortfalls[0].reason),
                 (unsigned long long) plan->shortfalls[0].asked,
                 (unsigned long long) plan->shortfalls[0].bound);
    assert_string_equal(kinds(), steps);
    assert_int_equal(lp_admit(plan, &view, &bounds, &room, &target, NULL), LP_ADMIT_OK);
}

static const LpShortfall *
find(LpShortReason reason)
{
    for (uint32_t i = 0; i < plan->n_shortfalls; i++)
        if (plan->shortfalls[i].reason == reason)
            return &plan->shortfalls[i];
    return NULL;
}

static void
assert_remark(LpShortReason reason)
{
    const LpShortfall *shortfall = find(reason);

    if (!shortfall)
        fail_msg("no remark %s", lp_short_reason_name(reason));
    assert_false(shortfall->fatal);
    assert_false(plan->refused);
}

/* Plans what must be refused for this. */
static void
refuse(LpShortReason reason, uint64_t bound)
{
    const LpShortfall *shortfall;

    make("");
    assert_true(plan->refused);
    shortfall = find(reason);
    if (!shortfall)
        fail_msg("not refused for %s but %s", lp_short_reason_name(reason),
                 lp_short_reason_name(plan->shortfalls[0].reason));
    assert_true(shortfall->fatal);
    assert_int_equal(shortfall->bound, bound);
}

static void
want_cpu(uint32_t cpu)
{
    target = (LpTarget){.has_cpu = true, .cpu = cpu};
}

static void
want_mem(uint64_t bytes)
{
    target = (LpTarget){.has_mem = true, .mem_bytes = bytes};
}

static void
test_vcpus_come(void **state)
{
    (void) state;
    want_cpu(6);
    make("fold plug-vcpu plug-vcpu profile config");
    assert_mask(&plan->run_after, "0-5");
    assert_int_equal(plan->steps[1].vcpu, 4);
    assert_int_equal(plan->steps[1].cell, 0);
    assert_int_equal(plan->steps[2].cell, 1);
    /* The cell with more memory gets them. */
    view.cells[1].requested_bytes = view.cells[1].current_bytes = 4 * GIB;
    make("fold plug-vcpu plug-vcpu profile config");
    assert_mask(&plan->run_after, "0-3,5,7");
    /* Those folded come back first, and the hold is lifted. */
    set_mask(&bounds.folded, "2-3");
    set_mask(&guest.online, "0-1");
    view.global_quota_usec = 2 * PERIOD + ALLOWANCE;
    make("capacity fold plug-vcpu plug-vcpu profile config");
    want_cpu(3);
    make("capacity fold profile config");
    assert_int_equal(plan->steps[0].global_quota_usec, 3 * PERIOD + ALLOWANCE);
    assert_int_equal(lp_cpumask_count(&plan->folded_after), 1);
    /* Without an agent: plugged, and said. */
    guest.connected = false;
    want_cpu(4);
    make("capacity profile config");
    assert_int_equal(plan->steps[0].global_quota_usec, -1);
    assert_remark(LP_SHORT_NO_AGENT);
    want_cpu(9);
    refuse(LP_SHORT_ABOVE_MAX, 8);
    bounds.cpu_max = 9;
    refuse(LP_SHORT_VCPU_MAX, 8);
}

static void
test_vcpus_leave_by_stages(void **state)
{
    (void) state;
    want_cpu(2);
    make("fold config | capacity profile | unplug-vcpu unplug-vcpu | capacity profile");
    assert_mask(&plan->steps[0].cpus, "0-1");
    assert_int_equal(plan->steps[2].global_quota_usec, 2 * PERIOD + ALLOWANCE);
    assert_mask(&plan->steps[3].cpus, "2-3");
    assert_int_equal(plan->steps[6].global_quota_usec, -1);
    assert_mask(&plan->steps[7].cpus, "");
    assert_int_equal(plan->n_stages, 4);
    /* One from boot is folded only, so the hold stays. */
    want_cpu(1);
    make("fold config | capacity profile | unplug-vcpu unplug-vcpu | profile");
    assert_remark(LP_SHORT_BOOT_CPU);
    assert_mask(&plan->folded_after, "1");
    assert_mask(&plan->run_after, "0");
    /* Under emulation all are folded only. */
    view.accel = LP_ACCEL_TCG;
    want_cpu(2);
    make("fold config | capacity profile");
    assert_remark(LP_SHORT_UNPLUG_EMULATED);
    assert_mask(&plan->folded_after, "2-3");
    /* Without an agent the quota alone holds; with neither, nothing does. */
    guest.connected = false;
    make("config | capacity profile");
    assert_remark(LP_SHORT_NO_AGENT);
    view.cgroup = LP_CGROUP_NONE;
    refuse(LP_SHORT_NO_AGENT, 4);
    view.accel = LP_ACCEL_KVM;
    make("config | profile | unplug-vcpu unplug-vcpu | profile");
    assert_remark(LP_SHORT_NO_CGROUP);
    want_cpu(1);
    refuse(LP_SHORT_NO_AGENT, 4);
    want_cpu(0);
    refuse(LP_SHORT_BELOW_MIN, 1);
}

/* A vCPU on record as folded that has left since is none to bring back. */
static void
test_stale_record(void **state)
{
    (void) state;
    set_mask(&bounds.folded, "0,4");
    want_cpu(5);
    make("fold plug-vcpu profile config");
    assert_int_equal(plan->cpu_before, 4);
    assert_int_equal(plan->steps[1].vcpu, 4);
    assert_mask(&plan->folded_after, "");
    want_cpu(4);
    make("profile config");
}

static void
test_kept_vcpus(void **state)
{
    LpCpuMask kept;

    (void) state;
    set_mask(&bounds.folded, "3");
    want_cpu(1);
    set_mask(&guest.online, "0-2");
    make("fold config | capacity profile | unplug-vcpu | profile");
    assert_int_equal(plan->cpu_before, 3);
    /* vCPU 2 was to leave; 3 was not granted before, 700 a guest's invention. */
    set_mask(&kept, "2-3,700");
    lp_plan_keep_vcpus(plan, &bounds, &target, &kept);
    assert_int_equal(plan->cpu_after, 2);
    assert_mask(&plan->run_after, "0,2");
    assert_mask(&plan->folded_after, "1,3");
    assert_mask(&plan->steps[3].cpus, "1,3");
    assert_mask(&plan->steps[5].cpus, "1,3");
    assert_int_equal(plan->steps[2].global_quota_usec, 2 * PERIOD + ALLOWANCE);
    /* Said again, it changes nothing; and what is granted is not folded afterwards. */
    lp_plan_keep_vcpus(plan, &bounds, &target, &kept);
    lp_plan_keep_folded(plan, &bounds, &target, &kept);
    assert_int_equal(plan->cpu_after, 2);
    set_mask(&bounds.folded, "");
    want_cpu(2);
    make("fold config | capacity profile | unplug-vcpu unplug-vcpu | capacity profile");
    set_mask(&kept, "3");
    lp_plan_keep_folded(plan, &bounds, &target, &kept);
    assert_mask(&plan->folded_after, "3");
    assert_mask(&plan->steps[7].cpus, "3");
    assert_int_equal(plan->steps[6].global_quota_usec, 2 * PERIOD + ALLOWANCE);
}

/* Who leaves is the guest's to wish, as far as it can leave; how many is not. */
static void
test_wish(void **state)
{
    (void) state;
    set_mask(&view.hotpluggable, "1-3");
    want_cpu(3);
    make("fold config | capacity profile | unplug-vcpu | capacity profile");
    assert_mask(&plan->run_after, "0-2");
    set_mask(&guest.leave, "2");
    make("fold config | capacity profile | unplug-vcpu | capacity profile");
    assert_mask(&plan->run_after, "0-1,3");
    set_mask(&guest.leave, "0-2");
    make("fold config | capacity profile | unplug-vcpu | capacity profile");
    assert_int_equal(plan->cpu_after, 3);
    assert_true(lp_cpumask_has(&plan->run_after, 0) && lp_cpumask_has(&plan->run_after, 3));
    /* Of those that are not there, or not enough for the count, nothing is lost. */
    set_mask(&guest.leave, "1,6-7");
    want_cpu(2);
    make("fold config | capacity profile | unplug-vcpu unplug-vcpu | capacity profile");
    assert_mask(&plan->run_after, "0,3");
    /* One that would stay plugged is not preferred, but where nothing is unplugged. */
    set_mask(&view.hotpluggable, "2-3");
    set_mask(&guest.leave, "1");
    want_cpu(3);
    make("fold config | capacity profile | unplug-vcpu | capacity profile");
    assert_mask(&plan->run_after, "0-2");
    view.accel = LP_ACCEL_TCG;
    make("fold config | capacity profile");
    assert_mask(&plan->run_after, "0,2-3");
    /* A grow is none of its business. */
    set_mask(&guest.leave, "4");
    want_cpu(5);
    make("fold plug-vcpu profile config");
    assert_mask(&plan->run_after, "0-4");
}

static void
test_quota(void **state)
{
    (void) state;
    assert_int_equal(lp_plan_quota(4, false, 100, false, PERIOD), -1);
    assert_int_equal(lp_plan_quota(4, true, 100, false, PERIOD), 4 * PERIOD + ALLOWANCE);
    assert_int_equal(lp_plan_quota(4, false, 150, true, PERIOD), PERIOD * 3 / 2 + ALLOWANCE);
    assert_int_equal(lp_plan_quota(1, true, 150, true, PERIOD), PERIOD + ALLOWANCE);
    assert_int_equal(lp_plan_quota(4, true, 5, true, 50000), 2500 + 5000);
    assert_int_equal(lp_plan_quota(1024, true, 102400, true, 1000000), 1024100000);
}

static void
test_capacity(void **state)
{
    (void) state;
    target = (LpTarget){.has_capacity = true, .entitled_centi = 200, .weight = 200, .capped = true,
                        .shares = 300};
    make("capacity profile config");
    assert_int_equal(plan->steps[0].global_quota_usec, 2 * PERIOD + ALLOWANCE);
    assert_int_equal(plan->steps[0].shares, 300);
    target.entitled_centi = 19;
    refuse(LP_SHORT_ENTITLED_LOW, 20);
    target.entitled_centi = 401;
    refuse(LP_SHORT_ENTITLED_HIGH, 400);
    /* What is desired counts too, or the profile could not be read back. */
    bounds.cpu_desired = 6;
    target.entitled_centi = 25;
    refuse(LP_SHORT_ENTITLED_LOW, 30);
    bounds.cpu_desired = 2;
    target.entitled_centi = 350;
    refuse(LP_SHORT_ENTITLED_HIGH, 200);
    bounds.cpu_desired = 4;
    target.entitled_centi = 200;
    room.room_centi = 199;
    lp_plan_free(plan);
    plan = lp_plan_new();
    lp_plan_make(&view, &bounds, &room, &guest, &target, &options, plan);
    assert_true(plan->refused);
    assert_non_null(find(LP_SHORT_HOST_CPU));
    room.room_centi = 800;
    view.cgroup = LP_CGROUP_NONE;
    refuse(LP_SHORT_NO_CGROUP, 0);
}

static void
test_memory_grows(void **state)
{
    (void) state;
    want_mem(5 * GIB);
    room.node_room_bytes[0] = 3 * GIB;
    make("virtio-mem profile config");
    assert_int_equal(plan->steps[0].cell, 1);
    assert_int_equal(plan->steps[0].to_bytes, 2 * GIB);
    want_mem(8 * GIB);
    make("virtio-mem virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[0], 2 * GIB);
    assert_int_equal(plan->requested_after_bytes[1], 4 * GIB);
    want_mem(10 * GIB);
    room.node_room_bytes[1] = 4 * GIB;
    bounds.numa = (LpNumaRule){.mode = LP_NUMA_STRICT, .n_nodes = 2, .node_id = {0, 1}};
    refuse(LP_SHORT_NODE_MEMORY, 3 * GIB);
    room.room_bytes = 5 * GIB;
    refuse(LP_SHORT_HOST_MEMORY, GIB);
    room.room_bytes = 16 * GIB;
    want_mem(10 * GIB + 2 * MIB);
    refuse(LP_SHORT_DEVICE_SIZE, 10 * GIB);
    want_mem(5 * GIB + MIB);
    refuse(LP_SHORT_BLOCK, 2 * MIB);
    /* Nor by the balloon's name: what it holds comes back, more is a device's. */
    options.via = LP_VIA_BALLOON;
    refuse(LP_SHORT_BLOCK, 2 * MIB);
    options.via = LP_VIA_AUTO;
    want_mem(12 * GIB + 2 * MIB);
    refuse(LP_SHORT_ABOVE_MAX, 12 * GIB);
    /* What a balloon holds comes first; a resident excess is no room. */
    view.balloon_bytes = GIB;
    want_mem(5 * GIB);
    make("balloon virtio-mem profile config");
    assert_int_equal(plan->steps[0].to_bytes, 0);
    room.excess_bytes = 2 * MIB;
    refuse(LP_SHORT_OVERRUN, 4 * GIB);
}

/* A hard limit is raised before memory comes, and lowered when it is gone. */
static void
test_hard_limit(void **state)
{
    (void) state;
    bounds.limit_overhead_bytes = GIB;
    want_mem(8 * GIB);
    view.memory_limit_bytes = 5 * GIB;
    make("memory-limit virtio-mem virtio-mem profile config");
    assert_int_equal(plan->steps[0].to_bytes, 9 * GIB);
    view.memory_limit_bytes = 20 * GIB;
    make("virtio-mem virtio-mem profile config | memory-limit");
    assert_int_equal(plan->steps[4].to_bytes, 9 * GIB);
    assert_true(plan->steps[4].release);
    /* A domain that has none yet gets it when all else is done. */
    view.memory_limit_bytes = 0;
    make("virtio-mem virtio-mem profile config | memory-limit");
    bounds.limit_overhead_bytes = 0;
    make("virtio-mem virtio-mem profile config");
}

/* A node's room counts the DIMMs there, and what has not come back. */
static void
test_node_room_counts_all(void **state)
{
    (void) state;
    view.n_dimms = view.slots_used = view.slots = 1;
    view.dimms[0] = (LpViewDimm){.alias = "dimm0", .cell = 0, .bytes = 2 * GIB};
    room.node_room_bytes[0] = room.node_room_bytes[1] = 4 * GIB;
    want_mem(8 * GIB);
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[1], 3 * GIB);
    want_mem(8 * GIB + 2 * MIB);
    view.numatune = LP_NUMATUNE_OTHER;
    refuse(LP_SHORT_NODE_MEMORY, 2 * GIB);
}

static void
set_rule(const char *text)
{
    assert_true(lp_numa_rule_parse(text, &bounds.numa, NULL, 0));
}

/* Where a full node's memory may lie on another, it comes, and that is said. */
static void
test_memory_beside_its_node(void **state)
{
    (void) state;
    room.node_room_bytes[0] = room.node_room_bytes[1] = 3 * GIB;
    want_mem(7 * GIB);
    make("virtio-mem virtio-mem profile config");
    assert_remark(LP_SHORT_NODE_MEMORY);
    assert_int_equal(find(LP_SHORT_NODE_MEMORY)->asked, GIB);
    assert_int_equal(plan->remote_bytes[0] + plan->remote_bytes[1], GIB);
    assert_int_equal(plan->requested_after_bytes[0] + plan->requested_after_bytes[1], 5 * GIB);
    set_rule("preferred:0");
    make("virtio-mem virtio-mem profile config");
    set_rule("spread");
    make("virtio-mem virtio-mem profile config");
    /* Within the host's room, and what the devices hold. */
    room.room_bytes = 6 * GIB;
    refuse(LP_SHORT_HOST_MEMORY, 2 * GIB);
    room.room_bytes = 16 * GIB;
    /* Not what somebody else bound, what is locked or what a rule holds, nor with one node. */
    view.memory_locked = true;
    refuse(LP_SHORT_NODE_MEMORY, 2 * GIB);
    view.memory_locked = false;
    view.numatune = LP_NUMATUNE_RESTRICTIVE;
    refuse(LP_SHORT_NODE_MEMORY, 2 * GIB);
    view.numatune = LP_NUMATUNE_CELLS;
    set_rule("strict:0-1");
    refuse(LP_SHORT_NODE_MEMORY, 2 * GIB);
    set_rule("auto");
    make("virtio-mem virtio-mem profile config");
    room.n_nodes = 1;
    view.cells[1].home = 0;
    room.node_room_bytes[0] = 6 * GIB;
    refuse(LP_SHORT_NODE_MEMORY, 2 * GIB);
}

/* Nodes as the rule says; cells are where their pages are, whatever the definition says. */
static void
test_rules(void **state)
{
    (void) state;
    want_mem(6 * GIB);
    set_rule("strict:1");
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[1], 3 * GIB);
    room.node_room_bytes[1] = 3 * GIB;
    refuse(LP_SHORT_NODE_MEMORY, GIB);
    assert_int_equal(find(LP_SHORT_NODE_MEMORY)->where, 1);
    room.node_room_bytes[1] = 8 * GIB;
    set_rule("strict:1,7");
    make("virtio-mem profile config");
    assert_remark(LP_SHORT_NODES_ABSENT);
    assert_int_equal(find(LP_SHORT_NODES_ABSENT)->where, 7);
    set_rule("strict:5,7");
    refuse(LP_SHORT_NODES_ABSENT, 0);
    assert_int_equal(find(LP_SHORT_NODES_ABSENT)->where, 5);
    set_rule("preferred:1");
    room.node_room_bytes[1] = 3 * GIB;
    make("virtio-mem virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[1], 2 * GIB);
    room.node_room_bytes[1] = 8 * GIB;
    set_rule("spread");
    make("virtio-mem virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[0], 2 * GIB);
    /* Cell 0 was moved to node 1. */
    set_rule("strict:1");
    view.cells[0].home = 1;
    make("virtio-mem virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[0], 2 * GIB);
    /* It is to be moved back to where its memory is taken from: by then node 0 needs the room. */
    set_rule("strict:0");
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[0], 3 * GIB);
    room.node_room_bytes[0] = GIB;
    refuse(LP_SHORT_NODE_MEMORY, GIB);
    assert_int_equal(find(LP_SHORT_NODE_MEMORY)->where, 0);
    view.cells[0].node = 1;
    refuse(LP_SHORT_NODE_MEMORY, 0);
    /* Nobody knows where unbound memory comes from. */
    view.cells[0].home = view.cells[1].home = -1;
    refuse(LP_SHORT_NODE_MEMORY, 0);
    /* What goes is what the rule would not have there. */
    want_mem(3 * GIB);
    view.cells[0].home = 0;
    view.cells[1].home = 1;
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[1], 0);
}

/* Pages of cell 1 were moved to node 0: more of it comes from node 1 still. */
static void
test_moved_cell(void **state)
{
    (void) state;
    view.cells[1].home = 0;
    room.node_room_bytes[0] = 4 * GIB;
    want_mem(7 * GIB);
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[1], 4 * GIB);
    assert_null(find(LP_SHORT_NODE_MEMORY));
    /* Node 1 has what the partition does not hold of it: 1 GiB of what cell 1 has had no page. */
    view.cells[1].fresh_bytes = GIB;
    room.node_room_bytes[1] = 3 * GIB;
    make("virtio-mem virtio-mem profile config");
    assert_null(find(LP_SHORT_NODE_MEMORY));
    assert_int_equal(plan->requested_after_bytes[0], 2 * GIB);
    assert_int_equal(plan->requested_after_bytes[1], 3 * GIB);
    want_mem(8 * GIB);
    make("virtio-mem virtio-mem profile config");
    assert_remark(LP_SHORT_NODE_MEMORY);
    assert_int_equal(find(LP_SHORT_NODE_MEMORY)->asked, GIB);
    want_mem(7 * GIB);
    target.one_cell = true;
    target.cell = 1;
    refuse(LP_SHORT_NODE_MEMORY, 2 * GIB);
    assert_int_equal(find(LP_SHORT_NODE_MEMORY)->where, 1);
    /* A rule that holds it off node 1 has it moved on: by then node 0 needs the room. */
    want_mem(7 * GIB);
    set_rule("strict:0");
    room.node_room_bytes[0] = 5 * GIB;
    refuse(LP_SHORT_NODE_MEMORY, GIB);
    assert_int_equal(find(LP_SHORT_NODE_MEMORY)->where, 0);
}

/* One cell alone, by its device, with room where it comes from. */
static void
test_one_cell(void **state)
{
    (void) state;
    want_mem(5 * GIB);
    target.one_cell = true;
    target.cell = 1;
    room.node_room_bytes[1] = 3 * GIB;
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[1], 2 * GIB);
    want_mem(6 * GIB);
    target.one_cell = true;
    target.cell = 1;
    refuse(LP_SHORT_NODE_MEMORY, GIB);
    room.room_bytes = 5 * GIB;
    refuse(LP_SHORT_HOST_MEMORY, GIB);
    room.room_bytes = 16 * GIB;
    room.node_room_bytes[1] = 16 * GIB;
    target.mem_bytes = 8 * GIB;
    refuse(LP_SHORT_CELL, 3 * GIB);
    assert_int_equal(find(LP_SHORT_CELL)->where, 1);
    target.mem_bytes = 3 * GIB;
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[1], 0);
    target.mem_bytes = 3 * GIB - 2 * MIB;
    refuse(LP_SHORT_CELL, GIB);
    target.cell = 2;
    refuse(LP_SHORT_CELL, 0);
    target.cell = UINT32_MAX;
    refuse(LP_SHORT_CELL, 0);
}

/* A definition's memory follows the vCPUs that it starts with. */
static void
test_offline_by_vcpus(void **state)
{
    (void) state;
    view.run = LP_RUN_OFF;
    view.persistent = true;
    want_mem(6 * GIB);
    make("config");
    assert_int_equal(plan->requested_after_bytes[0], 2 * GIB);
    assert_int_equal(plan->requested_after_bytes[1], 2 * GIB);
    /* vCPUs 0 to 3 start: three of them are cell 0's. */
    view.cells[0].vcpus.words[0] = 0x07;
    view.cells[1].vcpus.words[0] = 0xf8;
    make("config");
    assert_in_range(plan->requested_after_bytes[0], 3 * GIB + GIB / 2 - 64 * MIB,
                    3 * GIB + GIB / 2 + 64 * MIB);
    assert_int_equal(plan->requested_after_bytes[0] + plan->requested_after_bytes[1], 4 * GIB);
    set_rule("spread");
    make("config");
    assert_int_equal(plan->requested_after_bytes[0], 2 * GIB);
}

static LpTopology topology;
static LpWhere where;
static LpSpread cell_memory[2];

/* Nodes 0 and 1 of 16 GiB and 8 processors each, 21 apart; all vCPUs run on node 0. */
static void
use_distances(void)
{
    memset(&topology, 0, sizeof topology);
    memset(&where, 0, sizeof where);
    memset(cell_memory, 0, sizeof cell_memory);
    topology.n_nodes = 2;
    topology.n_cpus = 16;
    for (uint32_t n = 0; n < 2; n++) {
        topology.nodes[n].id = n;
        topology.nodes[n].memory_bytes = 16 * GIB;
        set_mask(&topology.nodes[n].cpus, n ? "8-15" : "0-7");
        topology.distance[n][n] = 10;
        topology.distance[n][1 - n] = 21;
        cell_memory[n].on[n] = 2 * GIB;
    }
    where = (LpWhere){.topology = &topology, .cell_memory = cell_memory, .cpus = {{4, 0}},
                      .node_distance = {1000, 2100}, .cell_distance = {1000, 2100}};
    room.where = &where;
}

static void
test_near_first(void **state)
{
    (void) state;
    use_distances();
    /* Though it would fit the other more closely. */
    room.node_room_bytes[0] = 16 * GIB;
    want_mem(5 * GIB);
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[0], 2 * GIB);
    room.where = NULL;
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[1], 2 * GIB);
    room.where = &where;
    want_mem(3 * GIB);
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[1], 0);
    /* By where its pages are, not where it is meant to be. */
    where.cell_distance[0] = 2100;
    where.cell_distance[1] = 1000;
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[0], 0);
    set_rule("spread");
    make("virtio-mem virtio-mem profile config");
    set_rule("auto");
    /* A first node that is full: the second cell. */
    room.node_room_bytes[0] = 2 * GIB;
    want_mem(5 * GIB);
    make("virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[1], 2 * GIB);
    assert_null(find(LP_SHORT_NODE_MEMORY));
}

/* Half of 4 GiB is local: 50 of 100.  2 GiB more on the far node leave 33. */
static void
test_affinity_floor(void **state)
{
    (void) state;
    use_distances();
    room.node_room_bytes[0] = 2 * GIB;
    bounds.numa.floor = 40;
    want_mem(6 * GIB);
    make("virtio-mem profile config");
    assert_remark(LP_SHORT_AFFINITY);
    assert_int_equal(find(LP_SHORT_AFFINITY)->asked, 40);
    assert_int_equal(find(LP_SHORT_AFFINITY)->bound, 33);
    bounds.numa.floor_action = LP_FLOOR_REFUSE;
    refuse(LP_SHORT_AFFINITY, 33);
    bounds.numa.floor = 33;
    make("virtio-mem profile config");
    assert_null(find(LP_SHORT_AFFINITY));
    /* What comes near lifts it, though it stays below; and so does what leaves from afar. */
    bounds.numa.floor = 90;
    room.node_room_bytes[0] = 8 * GIB;
    make("virtio-mem profile config");
    assert_null(find(LP_SHORT_AFFINITY));
    want_mem(3 * GIB);
    make("virtio-mem profile config");
    assert_null(find(LP_SHORT_AFFINITY));
    /* Less near memory is worse, but nobody is kept from giving. */
    where.cell_distance[0] = 2100;
    where.cell_distance[1] = 1000;
    make("virtio-mem profile config");
    assert_remark(LP_SHORT_AFFINITY);
    /* What has no room at home is as far as where it comes to lie. */
    room.node_room_bytes[0] = 2 * GIB;
    view.cells[1].has_device = false;
    view.cells[1].device_bytes = view.cells[1].requested_bytes = view.cells[1].current_bytes = 0;
    cell_memory[1].on[1] = GIB;
    want_mem(5 * GIB);
    refuse(LP_SHORT_AFFINITY, 40);
    /* vCPUs that come run where their cell is. */
    view.has_pins = true;
    bounds.numa.floor = 40;
    cell_memory[1].on[1] = 0;
    cell_memory[1].on[0] = 2 * GIB;
    view.cells[0].vcpus.words[0] = 0x0f;
    view.cells[1].vcpus.words[0] = 0xf0;
    set_mask(&view.plugged, "0-3");
    want_cpu(8);
    bounds.numa.floor = 60;
    refuse(LP_SHORT_AFFINITY, 50);
    bounds.numa.floor = 50;
    make("fold plug-vcpu plug-vcpu plug-vcpu plug-vcpu profile config");
}

/* A shrink that the guest did not follow is asked back without any room. */
static void
test_undo_needs_no_room(void **state)
{
    (void) state;
    view.cells[0].requested_bytes = 0;
    room.room_bytes = 4 * GIB;
    room.node_room_bytes[0] = 2 * GIB;
    want_mem(4 * GIB);
    make("virtio-mem");
    assert_int_equal(plan->steps[0].cell, 0);
    assert_int_equal(plan->steps[0].to_bytes, GIB);
    want_mem(4 * GIB + 2 * MIB);
    refuse(LP_SHORT_HOST_MEMORY, 0);
}

static void
test_memory_shrinks(void **state)
{
    (void) state;
    view.cells[1].requested_bytes = view.cells[1].current_bytes = 3 * GIB;
    want_mem(5 * GIB);
    make("virtio-mem profile config");
    assert_int_equal(plan->steps[0].cell, 1);
    assert_true(plan->steps[0].release);
    want_mem(3 * GIB);
    make("virtio-mem virtio-mem profile config");
    assert_int_equal(plan->requested_after_bytes[0] + plan->requested_after_bytes[1], GIB);
    want_mem(2 * GIB - 2 * MIB);
    refuse(LP_SHORT_BELOW_MIN, 2 * GIB);
    /* The balloon goes: with the shrink it would leave less than was asked. */
    view.balloon_bytes = GIB;
    want_mem(3 * GIB);
    make("balloon virtio-mem virtio-mem profile config");
    assert_int_equal(plan->balloon_after_bytes, 0);
    view.balloon_bytes = 0;
    options.via = LP_VIA_BALLOON;
    make("balloon profile config");
    assert_int_equal(plan->steps[0].to_bytes, 3 * GIB);
    assert_int_equal(plan->mem_after_bytes, 6 * GIB);
    assert_remark(LP_SHORT_BALLOON_ONLY);
    /* A balloon takes any amount, but no profile can say this one. */
    want_mem(3 * GIB + MIB);
    refuse(LP_SHORT_BLOCK, 2 * MIB);
    want_mem(3 * GIB);
    view.has_balloon = false;
    refuse(LP_SHORT_NO_BALLOON, 0);
}

/* No virtio-mem: DIMMs of 1 GiB, 512 and 256 MiB, one slot free. */
static void
use_dimms(void)
{
    static const uint64_t sizes[] = {GIB, GIB / 2, GIB / 4};

    for (uint32_t i = 0; i < 2; i++)
        view.cells[i].has_device = false, view.cells[i].device_bytes = 0,
        view.cells[i].requested_bytes = view.cells[i].current_bytes = 0;
    view.n_dimms = view.slots_used = 3;
    view.slots = 4;
    view.max_memory_bytes = 6 * GIB;
    for (uint32_t i = 0; i < 3; i++) {
        view.dimms[i] = (LpViewDimm){.bytes = sizes[i]};
        snprintf(view.dimms[i].alias, sizeof view.dimms[i].alias, "dimm%u", i);
    }
    view.requested_config_bytes = 0;
    bounds.mem_desired_bytes = 2 * GIB + GIB * 7 / 4;
}

static void
test_dimms(void **state)
{
    const uint64_t now = 2 * GIB + GIB * 7 / 4;

    (void) state;
    use_dimms();
    want_mem(now + 128 * MIB);
    make("dimm-add profile config");
    assert_int_equal(plan->steps[0].cell, 1);
    want_mem(now + 64 * MIB);
    refuse(LP_SHORT_BLOCK, 128 * MIB);
    want_mem(6 * GIB + 128 * MIB);
    refuse(LP_SHORT_DEVICE_SIZE, 6 * GIB - now);
    view.max_memory_bytes = GIB;
    refuse(LP_SHORT_DEVICE_SIZE, 0);
    view.slots = 3;
    refuse(LP_SHORT_NO_SLOT, 3);
    view.slots = 0;
    refuse(LP_SHORT_NO_DEVICE, 0);
    /* The biggest that fits leaves, though a smaller one fits too. */
    view.slots = 4;
    options.via = LP_VIA_DIMM;
    want_mem(now - GIB);
    make("dimm-remove profile config");
    assert_string_equal(plan->steps[0].alias, "dimm0");
    assert_int_equal(plan->mem_after_bytes, now - GIB);
    want_mem(now - GIB * 3 / 8);
    make("dimm-remove profile config");
    assert_remark(LP_SHORT_DIMM_WHOLE);
    assert_int_equal(plan->mem_after_bytes, now - GIB / 4);
    want_mem(now - GIB / 8);
    refuse(LP_SHORT_DIMM_WHOLE, 0);
    options.via = LP_VIA_AUTO;
    make("balloon profile config");
    options.via = LP_VIA_VIRTIO_MEM;
    refuse(LP_SHORT_NO_DEVICE, 0);
}

/* A DIMM beside virtio-mem is counted in its own blocks. */
static void
test_dimm_beside_device(void **state)
{
    (void) state;
    view.cells[0].requested_bytes += 2 * MIB;
    view.slots = 2;
    view.max_memory_bytes = 64 * GIB;
    options.via = LP_VIA_DIMM;
    want_mem(4 * GIB + 2 * MIB + 128 * MIB);
    make("dimm-add profile config");
    assert_int_equal(plan->steps[0].to_bytes, 128 * MIB);
    want_mem(4 * GIB + 128 * MIB);
    refuse(LP_SHORT_BLOCK, 128 * MIB);
}

static void
test_states(void **state)
{
    static const LpRunState busy[] = {LP_RUN_STARTING, LP_RUN_STOPPING, LP_RUN_MIGRATING};

    (void) state;
    want_cpu(2);
    for (size_t i = 0; i < 3; i++) {
        view.run = busy[i];
        refuse(LP_SHORT_BUSY, 0);
    }
    view.run = LP_RUN_PAUSED;
    refuse(LP_SHORT_PAUSED, 0);
    view.run = LP_RUN_OFF;
    make("config");
    assert_remark(LP_SHORT_NOT_RUNNING);
    want_mem(6 * GIB);
    make("config");
    assert_int_equal(plan->requested_after_bytes[0] + plan->requested_after_bytes[1], 4 * GIB);
    want_mem(4 * GIB);
    make("");
    assert_remark(LP_SHORT_NO_CHANGE);
    want_mem(12 * GIB);
    refuse(LP_SHORT_DEVICE_SIZE, 10 * GIB);
    view.persistent = false;
    refuse(LP_SHORT_NOT_RUNNING, 0);
    view.run = LP_RUN_RUNNING;
    want_mem(5 * GIB);
    make("virtio-mem profile");
    assert_remark(LP_SHORT_TRANSIENT);
    view.persistent = options.live_only = true;
    make("virtio-mem profile");
}

static void
test_nothing_to_do_and_drift(void **state)
{
    (void) state;
    want_cpu(4);
    make("");
    assert_remark(LP_SHORT_NO_CHANGE);
    want_mem(4 * GIB);
    make("");
    /* The guest rebooted and runs what was folded; the quota was changed by hand. */
    set_mask(&bounds.folded, "3");
    bounds.cpu_desired = 3;
    set_mask(&view.plugged_config, "0-2");
    want_cpu(3);
    make("capacity fold");
    assert_mask(&plan->steps[1].cpus, "0-2");
    assert_int_equal(plan->steps[0].global_quota_usec, 3 * PERIOD + ALLOWANCE);
    /* The definition alone deviates. */
    set_mask(&guest.online, "0-2");
    view.global_quota_usec = 3 * PERIOD + ALLOWANCE;
    set_mask(&view.plugged_config, "0-7");
    make("config");
    /* Memory alone deviates: the profile is right already. */
    view.cells[1].requested_bytes = view.cells[1].current_bytes = 2 * GIB;
    target = (LpTarget){.has_mem = true, .mem_bytes = 4 * GIB};
    make("virtio-mem");
}

static void
test_names(void **state)
{
    (void) state;
    for (uint32_t i = 0; i < LP_STEP_KINDS; i++)
        assert_non_null(lp_step_kind_name((LpStepKind) i));
    for (uint32_t i = 0; i < LP_SHORT_KINDS; i++)
        assert_non_null(lp_short_reason_name((LpShortReason) i));
    assert_string_equal(lp_step_kind_name(LP_STEP_KINDS), "unknown");
    assert_string_equal(lp_short_reason_name(LP_SHORT_KINDS), "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vcpus_come), TEST(test_vcpus_leave_by_stages), TEST(test_stale_record),
        TEST(test_kept_vcpus), TEST(test_wish), TEST(test_quota), TEST(test_capacity), TEST(test_memory_grows),
        TEST(test_hard_limit), TEST(test_node_room_counts_all), TEST(test_undo_needs_no_room),
        TEST(test_memory_beside_its_node), TEST(test_rules), TEST(test_one_cell), TEST(test_offline_by_vcpus), TEST(test_near_first),
        TEST(test_affinity_floor),
        TEST(test_memory_shrinks),
        TEST(test_dimms), TEST(test_dimm_beside_device), TEST(test_states),
        TEST(test_moved_cell), TEST(test_nothing_to_do_and_drift), TEST(test_names),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
