#include "agent/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/bound.h"
#include "agent/files.h"
#include "agent/leave.h"
#include "agent/memuse.h"
#include "agent/psi.h"

#define LP_MIB (UINT64_C(1) << 20)

/* Looking for what is bound holds the agent up; hooks and programs want the most of the phase's
 * time. */
#define LP_CHECK_SCAN_MSEC 400
#define LP_CHECK_SCAN_PART 4

uint64_t
lp_check_floor_bytes(uint64_t total_bytes)
{
    static const struct {
        uint64_t below_mib, base_mib;
        unsigned shift;
    } pieces[] = {
        { 128, 8, 1 }, { 512, 40, 2 }, { 2048, 104, 3 }, { 8192, 232, 4 },
    };

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        if (total_bytes < pieces[i].below_mib * LP_MIB)
            return pieces[i].base_mib * LP_MIB + (total_bytes >> pieces[i].shift);
    }
    return 488 * LP_MIB + (total_bytes >> 5);
}

/* The first reason stays. */
__attribute__((format(printf, 2, 3))) static void
veto(LpWireAnswer *answer, const char *format, ...)
{
    va_list args;

    if (answer->verdict == LP_WIRE_ANSWER_VETO)
        return;
    answer->verdict = LP_WIRE_ANSWER_VETO;
    snprintf(answer->by, sizeof(answer->by), "agent");
    va_start(args, format);
    vsnprintf(answer->reason, sizeof(answer->reason), format, args);
    va_end(args);
}

/* Pressure that is there already can only grow when memory leaves. */
static void
check_pressure(const LpAgent *agent, LpWireAnswer *answer)
{
    uint32_t limit = agent->conf.pressure_limit_centi;
    uint32_t now = lp_psi_read(agent->options.procfs, "memory").some_centi;

    if (limit > 0 && now >= limit)
        veto(answer, "memory pressure is %u.%02u %% already (10 s average, limit %u.%02u %%)",
             now / 100, now % 100, limit / 100, limit % 100);
}

static void
check_memory(LpAgent *agent, const LpWirePhase *phase, LpWireAnswer *answer)
{
    uint64_t less = phase->mem_from_bytes - phase->mem_to_bytes, offline, used, would, must;
    char largest[64];
    LpMemUse use;

    if (agent->conf.floor_bytes > phase->mem_to_bytes)
        veto(answer, "this guest's agent.conf keeps %llu MiB, %llu MiB would stay",
             (unsigned long long)(agent->conf.floor_bytes / LP_MIB),
             (unsigned long long)(phase->mem_to_bytes / LP_MIB));
    if (!lp_memuse_read(agent->options.procfs, &use))
        return;
    /* Blocks that are not online leave first, and nobody misses them. */
    offline = lp_memory_offline_bytes(&agent->memory);
    less -= offline < less ? offline : less;
    would = less < use.total_bytes ? use.total_bytes - less : 0;
    used = lp_memuse_used(&use);
    must = used + lp_check_floor_bytes(would);
    if (less > 0 && would < must) {
        lp_memuse_largest(agent->options.procfs, &use, largest, sizeof(largest));
        veto(answer, "%llu MiB are in use and cannot be reclaimed, %llu MiB must stay, "
             "%llu MiB would%s%s", (unsigned long long)((used + LP_MIB - 1) / LP_MIB),
             (unsigned long long)((must + LP_MIB - 1) / LP_MIB),
             (unsigned long long)(would / LP_MIB), largest[0] != '\0' ? "; " : "", largest);
    }
    if (less > 0)
        check_pressure(agent, answer);
}

/* The vCPUs that the partition runs on, by the kernel's numbers; how many. */
static unsigned
find_candidates(LpAgent *agent, LpLeaveCase *ret_case)
{
    const LpCpus *cpus = &agent->cpus;
    const LpDesire *desire = &agent->desire;
    LpCpuMask online, threads;
    char text[LP_CPUMASK_TEXT + 1];

    memset(ret_case, 0, sizeof(*ret_case));
    ret_case->id_of = cpus->id_of;
    lp_cpus_online(cpus, &online);
    for (int cpu = lp_cpumask_next(&cpus->numbers, 0); cpu >= 0;
         cpu = lp_cpumask_next(&cpus->numbers, (unsigned)cpu + 1)) {
        uint16_t id = cpus->id_of[cpu];

        /* What the host does not want is about to go, and no home for anybody. */
        if (id == LP_CPU_NO_ID || !lp_cpumask_has(&online, id) ||
            (id != 0 && desire->has_cpus && !lp_cpumask_has(&desire->cpus, id)))
            continue;
        lp_cpumask_add(&ret_case->online, (unsigned)cpu);
        if (cpu != 0 && id != 0 &&
            lp_file_exists("%s/devices/system/cpu/cpu%d/online", cpus->sysfs, cpu))
            lp_cpumask_add(&ret_case->may_leave, (unsigned)cpu);
        ret_case->core_of[cpu] = (uint16_t)cpu;
        if (lp_file_read(text, sizeof(text),
                         "%s/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpus->sysfs,
                         cpu) > 0 &&
            lp_cpumask_parse(text, &threads) && lp_cpumask_has(&threads, (unsigned)cpu))
            ret_case->core_of[cpu] = (uint16_t)lp_cpumask_next(&threads, 0);
    }
    return lp_cpumask_count(&ret_case->online);
}

static int64_t
scan_msec(const LpWirePhase *phase)
{
    int64_t part = phase->deadline_msec / LP_CHECK_SCAN_PART;

    return part < LP_CHECK_SCAN_MSEC ? part : LP_CHECK_SCAN_MSEC;
}

static void
check_processors(LpAgent *agent, const LpWirePhase *phase, LpWireAnswer *answer)
{
    /* Processor 0 always runs. */
    unsigned least = agent->conf.floor_cpus > 1 ? agent->conf.floor_cpus : 1, n_online, n, n_free;
    char blocker[LP_WIRE_TEXT_MAX];
    LpCpuMask leave;
    LpLeaveCase of;
    LpBound bound;

    if (phase->cpu_to < least)
        veto(answer, "%s %u vCPU%s, %u would stay",
             agent->conf.floor_cpus > 1 ? "this guest's agent.conf keeps" : "a guest needs", least,
             least > 1 ? "s" : "", phase->cpu_to);
    n_online = find_candidates(agent, &of);
    /* Of those granted some may not have come online: then they are the first to go. */
    if (n_online <= phase->cpu_to || n_online <= 1)
        return;
    n = phase->cpu_from - phase->cpu_to;
    if (n > n_online - phase->cpu_to)
        n = n_online - phase->cpu_to;
    if (n > n_online - 1)
        n = n_online - 1;
    lp_bound_read(agent->options.sysfs, agent->options.procfs, &of.online, scan_msec(phase),
                  &bound);
    n_free = lp_leave_choose(&of, &bound, n, &leave);
    if (n_free < n) {
        if (!lp_bound_blocker(&bound, &leave, of.id_of, blocker, sizeof(blocker)))
            snprintf(blocker, sizeof(blocker), "the kernel cannot take more offline");
        veto(answer, n > 1 ? "%s; %u of %u vCPUs could leave" : "%s", blocker, n_free, n);
    }
    answer->has_leave = lp_cpumask_count(&leave) > 0;
    for (int cpu = lp_cpumask_next(&leave, 0); cpu >= 0;
         cpu = lp_cpumask_next(&leave, (unsigned)cpu + 1))
        lp_cpumask_add(&answer->leave, of.id_of[cpu]);
}

void
lp_check_resize(LpAgent *agent, const LpWirePhase *phase, LpWireAnswer *ret_answer)
{
    ret_answer->verdict = LP_WIRE_ANSWER_OK;
    ret_answer->by[0] = ret_answer->reason[0] = '\0';
    ret_answer->has_leave = false;
    lp_cpumask_clear(&ret_answer->leave);
    if (phase->has_mem && phase->mem_to_bytes < phase->mem_from_bytes)
        check_memory(agent, phase, ret_answer);
    if (phase->has_cpu && phase->cpu_to < phase->cpu_from)
        check_processors(agent, phase, ret_answer);
}
