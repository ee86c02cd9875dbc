/* The desired state: taken up at once as far as it can be, and again whenever something
 * arrives.  What agent.conf forbids is left out of it, and said in the reply. */
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/log.h"

/* The firmware node of a new processor follows its event within microseconds natively, within
 * some 10 ms in an emulated guest; six doublings of 20 ms are over a second. */
#define LP_BIND_PAUSE_MSEC 20
#define LP_BIND_TRIES 6

/* A processor that would not change may be held by something that lets go (a real-time task, a
 * suspend under way). */
#define LP_CPU_RETRY_FIRST_MSEC 1000
#define LP_CPU_RETRY_LAST_MSEC 60000

void
lp_desire_init(LpAgent *agent)
{
    LpDesire *desire = &agent->desire;

    memset(desire, 0, sizeof(*desire));
    desire->retry_at_msec = LP_NEVER;
    desire->retry_msec = LP_CPU_RETRY_FIRST_MSEC;
    lp_cpus_init(&agent->cpus, agent->options.sysfs);
    lp_memory_init(&agent->memory, agent->options.sysfs, agent->options.procfs, &agent->conf);
    desire->mem = agent->memory.policy;
}

/* One processor that is to be changed is kept as it is instead. */
static void
refuse(LpCpuMask *cpus, LpCpuMask *refused, unsigned id, bool keep_online, char *error,
       size_t error_size, const char *why)
{
    if (keep_online)
        lp_cpumask_add(cpus, id);
    else
        lp_cpumask_remove(cpus, id);
    lp_cpumask_add(refused, id);
    if (error[0] == '\0')
        snprintf(error, error_size, "%s", why);
}

/* What of the desired processors agent.conf permits; those it does not are added to *refused. */
static void
bound_cpus(const LpAgent *agent, LpCpuMask *cpus, LpCpuMask *refused, char *error,
           size_t error_size)
{
    const LpCpuMask *present = &agent->cpus.present;
    const LpConf *conf = &agent->conf;
    unsigned n_left = 0;
    LpCpuMask online;

    lp_cpus_online(&agent->cpus, &online);
    for (int id = lp_cpumask_next(present, 1); id >= 0;
         id = lp_cpumask_next(present, (unsigned)id + 1)) {
        bool runs = lp_cpumask_has(&online, (unsigned)id);

        if (runs == lp_cpumask_has(cpus, (unsigned)id))
            continue;
        if (runs && (conf->forbid & LP_WIRE_ACT_CPU_RELEASE) != 0)
            refuse(cpus, refused, (unsigned)id, true, error, error_size,
                   "cpu-release is forbidden by agent.conf");
        if (!runs && (conf->forbid & LP_WIRE_ACT_CPU_ACQUIRE) != 0)
            refuse(cpus, refused, (unsigned)id, false, error, error_size,
                   "cpu-acquire is forbidden by agent.conf");
    }
    /* Processor 0 always runs; then those that are to run, then those that run. */
    for (int id = lp_cpumask_next(present, 0); id >= 0;
         id = lp_cpumask_next(present, (unsigned)id + 1))
        n_left += id == 0 || lp_cpumask_has(cpus, (unsigned)id);
    for (int id = lp_cpumask_next(&online, 1); id >= 0 && n_left < conf->floor_cpus;
         id = lp_cpumask_next(&online, (unsigned)id + 1)) {
        if (lp_cpumask_has(cpus, (unsigned)id))
            continue;
        refuse(cpus, refused, (unsigned)id, true, error, error_size,
               "floor-cpus of agent.conf would be passed");
        n_left++;
    }
}

/* Reads what is there and changes what differs; sets or clears the retry. */
static void
settle_cpus(LpAgent *agent, int64_t now_msec, LpCpuMask *failed, char *error, size_t error_size)
{
    LpDesire *desire = &agent->desire;
    LpCpuMask cpus = desire->cpus, refused;
    unsigned n_failed;

    lp_cpumask_clear(&refused);
    lp_cpus_scan(&agent->cpus, desire->bind_tries >= LP_BIND_TRIES);
    if (desire->has_cpus) {
        bound_cpus(agent, &cpus, &refused, error, error_size);
        lp_cpus_apply(&agent->cpus, &cpus, failed, error, error_size);
    }
    n_failed = lp_cpumask_count(failed);
    for (int id = lp_cpumask_next(&refused, 0); id >= 0;
         id = lp_cpumask_next(&refused, (unsigned)id + 1))
        lp_cpumask_add(failed, (unsigned)id);

    /* What is forbidden is not tried again: only another agent.conf changes that. */
    if (agent->cpus.unbound) {
        desire->retry_at_msec = now_msec + (LP_BIND_PAUSE_MSEC << desire->bind_tries);
        desire->bind_tries++;
    } else if (n_failed > 0) {
        desire->retry_at_msec = now_msec + desire->retry_msec;
        desire->retry_msec *= 2;
        if (desire->retry_msec > LP_CPU_RETRY_LAST_MSEC)
            desire->retry_msec = LP_CPU_RETRY_LAST_MSEC;
    } else {
        desire->retry_at_msec = LP_NEVER;
        desire->retry_msec = LP_CPU_RETRY_FIRST_MSEC;
    }
}

void
lp_desire_cpus(LpAgent *agent, bool is_retry, int64_t now_msec)
{
    LpCpuMask failed;
    char error[LP_WIRE_TEXT_MAX] = "";

    if (!is_retry)
        agent->desire.bind_tries = 0;
    lp_cpumask_clear(&failed);
    settle_cpus(agent, now_msec, &failed, error, sizeof(error));
    lp_report_touch(agent, now_msec);
}

/* Brings online what waits, by the policy; how many blocks failed or may not. */
static unsigned
settle_memory(LpAgent *agent, char *error, size_t error_size)
{
    LpWireMemPolicy wanted = agent->desire.mem;
    bool forbidden = (agent->conf.forbid & LP_WIRE_ACT_MEM_ACQUIRE) != 0;
    unsigned failed;

    agent->memory.policy = forbidden ? LP_WIRE_MEM_LEAVE : wanted;
    failed = lp_memory_sweep(&agent->memory, error, error_size);
    if (!forbidden || wanted == LP_WIRE_MEM_LEAVE || agent->memory.offline_blocks == 0)
        return failed;
    if (error[0] == '\0')
        snprintf(error, error_size, "mem-acquire is forbidden by agent.conf");
    return 1;
}

void
lp_desire_sweep(LpAgent *agent, int64_t now_msec)
{
    char error[LP_WIRE_TEXT_MAX] = "";

    lp_desire_cpus(agent, false, now_msec);
    settle_memory(agent, error, sizeof(error));
}

void
lp_desire_take(LpAgent *agent, const LpWireWant *want, int64_t now_msec, LpWireReply *ret_reply)
{
    LpDesire *desire = &agent->desire;
    unsigned failed_blocks;

    memset(ret_reply, 0, sizeof(*ret_reply));
    ret_reply->id = want->id;
    desire->id = want->id;
    desire->has_cpus = want->has_cpus;
    desire->cpus = want->cpus;
    desire->mem = want->mem;
    desire->retry_msec = LP_CPU_RETRY_FIRST_MSEC;
    desire->bind_tries = 0;

    settle_cpus(agent, now_msec, &ret_reply->failed, ret_reply->error, sizeof(ret_reply->error));
    failed_blocks = settle_memory(agent, ret_reply->error, sizeof(ret_reply->error));
    ret_reply->ok = lp_cpumask_count(&ret_reply->failed) == 0 && failed_blocks == 0;
}
