/* The desired state: taken up at once as far as it can be, and again whenever something
 * arrives. */
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
    lp_memory_init(&agent->memory, agent->options.sysfs);
}

/* Reads what is there and changes what differs; sets or clears the retry. */
static void
settle_cpus(LpAgent *agent, int64_t now_msec, LpCpuMask *failed, char *error, size_t error_size)
{
    LpDesire *desire = &agent->desire;

    lp_cpus_scan(&agent->cpus, desire->bind_tries >= LP_BIND_TRIES);
    if (desire->has_cpus)
        lp_cpus_apply(&agent->cpus, &desire->cpus, failed, error, error_size);

    if (agent->cpus.unbound) {
        desire->retry_at_msec = now_msec + (LP_BIND_PAUSE_MSEC << desire->bind_tries);
        desire->bind_tries++;
    } else if (lp_cpumask_count(failed) > 0) {
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

void
lp_desire_sweep(LpAgent *agent, int64_t now_msec)
{
    char error[LP_WIRE_TEXT_MAX] = "";

    lp_desire_cpus(agent, false, now_msec);
    lp_memory_sweep(&agent->memory, error, sizeof(error));
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
    desire->retry_msec = LP_CPU_RETRY_FIRST_MSEC;
    desire->bind_tries = 0;
    agent->memory.policy = want->mem;

    settle_cpus(agent, now_msec, &ret_reply->failed, ret_reply->error, sizeof(ret_reply->error));
    failed_blocks = lp_memory_sweep(&agent->memory, ret_reply->error, sizeof(ret_reply->error));
    ret_reply->ok = lp_cpumask_count(&ret_reply->failed) == 0 && failed_blocks == 0;
}
