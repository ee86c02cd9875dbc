/* The gate: plans with one thing changed at random, against a judge that shares no code with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "plan_case.h"

#define CASES 200000

static uint64_t seed;

static void
mutate_amount(LpStep *step, Random *random)
{
    switch (random_below(random, 5)) {
    case 0:
        step->to_bytes += (2 * MIB) << random_below(random, 10);
        break;
    case 1:
        step->to_bytes -= (2 * MIB) << random_below(random, 10);
        break;
    case 2:
        step->to_bytes = random_next(random) >> random_below(random, 64);
        break;
    case 3:
        step->to_bytes = 0;
        break;
    default:
        step->to_bytes += 1;
        break;
    }
}

static void
mutate_mask(LpStep *step, Random *random)
{
    unsigned c = (unsigned) random_below(random, 20);

    if (random_percent(random, 20))
        c = (unsigned) random_below(random, LP_MAX_CPUS);
    if (random_percent(random, 10))
        lp_cpumask_clear(&step->cpus);
    else if (lp_cpumask_has(&step->cpus, c))
        lp_cpumask_remove(&step->cpus, c);
    else
        lp_cpumask_add(&step->cpus, c);
}

static void
mutate(LpPlan *plan, Random *random)
{
    LpStep *step = &plan->steps[random_below(random, plan->n_steps)], other;
    LpStep *second = &plan->steps[random_below(random, plan->n_steps)];

    switch (random_below(random, 9)) {
    case 0:
    case 1:
        mutate_amount(step, random);
        break;
    case 2:
        step->cell = (uint32_t) random_below(random, random_percent(random, 10) ? UINT32_MAX : 5);
        break;
    case 3:
        step->vcpu = (uint32_t) random_below(random, random_percent(random, 10) ? UINT32_MAX : 17);
        break;
    case 4:
        /* Another order, stages kept with the place or with the step. */
        other = *step;
        *step = *second;
        *second = other;
        if (random_percent(random, 70)) {
            second->stage = step->stage;
            step->stage = other.stage;
        }
        break;
    case 5:
        step->stage = (uint32_t) random_below(random, 6);
        break;
    case 6:
        step->kind = (LpStepKind) random_below(random, LP_STEP_KINDS + 1);
        break;
    case 7:
        step->release = !step->release;
        snprintf(step->alias, sizeof step->alias, "dimm%u", (unsigned) random_below(random, 6));
        break;
    default:
        mutate_mask(step, random);
        break;
    }
}

/* The world may have changed since the plan was made. */
static void
tighten(PlanCase *pcase, Random *random)
{
    if (random_percent(random, 5))
        pcase->room.room_centi = 0;
    if (random_percent(random, 10))
        pcase->room.room_bytes -= random_below(random, pcase->room.room_bytes);
    for (uint32_t n = 0; n < pcase->room.n_nodes; n++)
        if (random_percent(random, 10))
            pcase->room.node_room_bytes[n] /= 2;
    if (random_percent(random, 5))
        pcase->bounds.mem_min_bytes *= 2;
    if (random_percent(random, 5))
        pcase->bounds.mem_max_bytes /= 2;
    if (random_percent(random, 5))
        pcase->bounds.numa = (LpNumaRule){.mode = LP_NUMA_STRICT, .n_nodes = 1, .node_id = {7}};
}

static void
test_mutated_plans(void **state)
{
    static PlanCase pcase;
    uint32_t verdicts[LP_ADMIT_MALFORMED + 1] = {0}, n = 0;

    (void) state;
    for (uint32_t number = 0; number < plan_case_count(CASES); number++) {
        Random random = {seed * 31 + number};
        LpPlan *plan = lp_plan_new();
        LpAdmitVerdict judged, admitted;
        uint32_t judged_step = 0, step = 0;

        plan_case_make(&pcase, &random);
        lp_plan_make(&pcase.view, &pcase.bounds, &pcase.room, &pcase.guest, &pcase.target,
                     &pcase.options, plan);
        for (uint64_t i = 1 + random_below(&random, 3); plan->n_steps && i > 0; i--)
            mutate(plan, &random);
        tighten(&pcase, &random);
        judged = plan_judge(&pcase, plan, &judged_step, NULL);
        admitted = lp_admit(plan, &pcase.view, &pcase.bounds, &pcase.room, &pcase.target, &step);
        if (judged != admitted || (judged != LP_ADMIT_OK && judged_step != step)) {
            print_message("# case %u: judge: step %u, %s; gate: step %u, %s\n", number,
                          judged_step, lp_admit_verdict_text(judged), step,
                          lp_admit_verdict_text(admitted));
            fail_msg("gate and judge differ");
        }
        verdicts[judged]++;
        n += plan->n_steps > 0;
        lp_plan_free(plan);
    }
    for (uint32_t i = 0; i <= LP_ADMIT_MALFORMED; i++) {
        print_message("# %u x %s\n", verdicts[i], lp_admit_verdict_text((LpAdmitVerdict) i));
        if (verdicts[i] < n / 2000)
            fail_msg("too few cases for a verdict");
    }
}

typedef struct {
    const char *what;
    LpStep step;
    LpAdmitVerdict verdict;
} StepRow;

#define CPUS(bits) {.words = {bits}}

/* 4 vCPUs of 8, vCPU 3 folded, 2 to 6 allowed; a cell with 1 GiB and 2 of 4 GiB virtio-mem, 2 to
 * 6 GiB allowed, room for 5 in all and on node 0. */
static void
make_partition(PlanCase *pcase)
{
    LpView *view = &pcase->view;

    memset(pcase, 0, sizeof *pcase);
    view->run = LP_RUN_RUNNING;
    view->persistent = view->has_balloon = true;
    view->cgroup = LP_CGROUP_V2;
    view->vcpu_max = 8;
    lp_cpumask_first_n(&view->plugged, 4);
    view->hotpluggable.words[0] = 0xe;
    lp_cpumask_add(&pcase->bounds.folded, 3);
    view->n_cells = 1;
    view->base_bytes = GIB;
    view->cells[0] = (LpViewCell){.base_bytes = GIB, .has_device = true, .device_bytes = 8 * GIB,
                                  .block_bytes = 2 * MIB, .requested_bytes = 2 * GIB,
                                  .current_bytes = 2 * GIB};
    view->n_dimms = view->slots_used = 1;
    view->slots = 2;
    view->dimms[0] = (LpViewDimm){.alias = "dimm0", .bytes = GIB};
    pcase->bounds.cpu_min = 2;
    pcase->bounds.cpu_max = 4;
    pcase->bounds.mem_min_bytes = 3 * GIB;
    pcase->bounds.mem_max_bytes = 7 * GIB;
    pcase->room = (LpRoom){.room_bytes = 6 * GIB, .n_nodes = 1,
                           .node_room_bytes = {5 * GIB + GIB / 2}, .room_centi = 300};
}

static void
test_single_steps(void **state)
{
    static const StepRow rows[] = {
        {"to the node's room", {.kind = LP_STEP_VIRTIO_MEM, .from_bytes = 2 * GIB,
         .to_bytes = 3 * GIB + GIB / 2}, LP_ADMIT_OK},
        {"over the node's", {.kind = LP_STEP_VIRTIO_MEM, .from_bytes = 2 * GIB,
         .to_bytes = 3 * GIB + GIB / 2 + 2 * MIB}, LP_ADMIT_S3_NODE_MEMORY},
        {"over the host's", {.kind = LP_STEP_VIRTIO_MEM, .from_bytes = 2 * GIB,
         .to_bytes = 4 * GIB + 2 * MIB}, LP_ADMIT_S3_HOST_MEMORY},
        {"over the maximum", {.kind = LP_STEP_VIRTIO_MEM, .from_bytes = 2 * GIB,
         .to_bytes = 5 * GIB + 2 * MIB}, LP_ADMIT_S2_ABOVE_MAX},
        {"over it, called a release", {.kind = LP_STEP_VIRTIO_MEM, .from_bytes = 2 * GIB,
         .to_bytes = 5 * GIB + 2 * MIB, .release = true}, LP_ADMIT_S2_ABOVE_MAX},
        {"to the minimum", {.kind = LP_STEP_VIRTIO_MEM, .from_bytes = 2 * GIB, .to_bytes = GIB,
         .release = true}, LP_ADMIT_OK},
        {"below it", {.kind = LP_STEP_VIRTIO_MEM, .from_bytes = 2 * GIB,
         .to_bytes = GIB - 2 * MIB, .release = true}, LP_ADMIT_S1_BELOW_MIN},
        {"below it, not called a release", {.kind = LP_STEP_VIRTIO_MEM, .from_bytes = 2 * GIB,
         .to_bytes = GIB - 2 * MIB}, LP_ADMIT_S1_BELOW_MIN},
        {"not a block", {.kind = LP_STEP_VIRTIO_MEM, .from_bytes = 2 * GIB,
         .to_bytes = 2 * GIB + MIB}, LP_ADMIT_MALFORMED},
        {"from elsewhere", {.kind = LP_STEP_VIRTIO_MEM, .from_bytes = GIB, .to_bytes = GIB},
         LP_ADMIT_MALFORMED},
        {"no such cell", {.kind = LP_STEP_VIRTIO_MEM, .cell = 1, .from_bytes = 2 * GIB,
         .to_bytes = GIB}, LP_ADMIT_MALFORMED},
        {"balloon to the minimum", {.kind = LP_STEP_BALLOON, .to_bytes = GIB, .release = true},
         LP_ADMIT_OK},
        {"balloon below it", {.kind = LP_STEP_BALLOON, .to_bytes = GIB + 1, .release = true},
         LP_ADMIT_S1_BELOW_MIN},
        {"a DIMM that is there", {.kind = LP_STEP_DIMM_REMOVE, .alias = "dimm0"}, LP_ADMIT_OK},
        {"one that is not", {.kind = LP_STEP_DIMM_REMOVE, .alias = "dimm1"}, LP_ADMIT_MALFORMED},
        {"a DIMM", {.kind = LP_STEP_DIMM_ADD, .to_bytes = 128 * MIB}, LP_ADMIT_OK},
        {"an odd one", {.kind = LP_STEP_DIMM_ADD, .to_bytes = 64 * MIB}, LP_ADMIT_MALFORMED},
        {"fold to the minimum", {.kind = LP_STEP_FOLD, .cpus = CPUS(0x3)}, LP_ADMIT_OK},
        {"fold below", {.kind = LP_STEP_FOLD, .cpus = CPUS(0x1)}, LP_ADMIT_S1_BELOW_MIN},
        {"fold vCPU 0", {.kind = LP_STEP_FOLD, .cpus = CPUS(0xe)}, LP_ADMIT_MALFORMED},
        {"run too many", {.kind = LP_STEP_FOLD, .cpus = CPUS(0x1f)}, LP_ADMIT_S2_ABOVE_MAX},
        {"run what cannot be", {.kind = LP_STEP_FOLD, .cpus = CPUS(0x103)}, LP_ADMIT_MALFORMED},
        {"plug", {.kind = LP_STEP_PLUG_VCPU, .vcpu = 4}, LP_ADMIT_OK},
        {"plug what is plugged", {.kind = LP_STEP_PLUG_VCPU, .vcpu = 3}, LP_ADMIT_MALFORMED},
        {"plug what cannot be", {.kind = LP_STEP_PLUG_VCPU, .vcpu = 8}, LP_ADMIT_MALFORMED},
        {"unplug the folded", {.kind = LP_STEP_UNPLUG_VCPU, .vcpu = 3}, LP_ADMIT_OK},
        {"unplug one that runs", {.kind = LP_STEP_UNPLUG_VCPU, .vcpu = 2}, LP_ADMIT_MALFORMED},
        {"unplug vCPU 0", {.kind = LP_STEP_UNPLUG_VCPU, .vcpu = 0}, LP_ADMIT_MALFORMED},
        {"record too many folded", {.kind = LP_STEP_PROFILE, .cpus = CPUS(0xe)},
         LP_ADMIT_S1_BELOW_MIN},
        {"record vCPU 0 folded", {.kind = LP_STEP_PROFILE, .cpus = CPUS(0x1)},
         LP_ADMIT_MALFORMED},
        {"a stage too far", {.kind = LP_STEP_CONFIG, .stage = LP_PLAN_MAX_STAGES},
         LP_ADMIT_MALFORMED},
        {"no kind", {.kind = LP_STEP_KINDS}, LP_ADMIT_MALFORMED},
    };
    static PlanCase pcase;

    (void) state;
    make_partition(&pcase);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        LpPlan *plan = lp_plan_new();
        LpAdmitVerdict verdict;
        uint32_t step = 9;

        plan->steps = malloc(sizeof *plan->steps);
        plan->steps[0] = rows[i].step;
        plan->n_steps = 1;
        verdict = lp_admit(plan, &pcase.view, &pcase.bounds, &pcase.room, &pcase.target, &step);
        if (verdict != rows[i].verdict)
            fail_msg("%s: %s", rows[i].what, lp_admit_verdict_text(verdict));
        assert_int_equal(step, 0);
        assert_int_equal(plan_judge(&pcase, plan, &step, NULL), rows[i].verdict);
        lp_plan_free(plan);
    }
}

static void
test_capacity(void **state)
{
    static PlanCase pcase;
    LpPlan *plan = lp_plan_new();

    (void) state;
    make_partition(&pcase);
    pcase.target = (LpTarget){.has_capacity = true, .entitled_centi = 300};
    assert_int_equal(lp_admit(plan, &pcase.view, &pcase.bounds, &pcase.room, &pcase.target, NULL),
                     LP_ADMIT_OK);
    pcase.target.entitled_centi = 301;
    assert_int_equal(lp_admit(plan, &pcase.view, &pcase.bounds, &pcase.room, &pcase.target, NULL),
                     LP_ADMIT_S8_CAPACITY);
    /* What it is entitled to already is no more. */
    pcase.bounds.entitled_centi = 301;
    assert_int_equal(lp_admit(plan, &pcase.view, &pcase.bounds, &pcase.room, &pcase.target, NULL),
                     LP_ADMIT_OK);
    assert_string_equal(lp_admit_verdict_text((LpAdmitVerdict) 99), "unknown");
    lp_plan_free(plan);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_steps),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_mutated_plans),
    };

    seed = plan_case_seed();
    return cmocka_run_group_tests_name("admit", tests, NULL, NULL);
}
