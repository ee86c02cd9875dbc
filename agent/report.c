/* When to say STATE: after events, all the time while the host watches, else only when the
 * figures have moved far enough to matter. */
#include <string.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/facts.h"

#define LP_STATE_GAP_MSEC 20            /* at most 50 a second */
#define LP_WATCH_FIRST_MSEC 5           /* memory is usable as soon as its zone counts it */
#define LP_WATCH_LAST_MSEC 50
#define LP_WATCH_LONGEST_MSEC 600000    /* a watch is polling: it ends, whatever the host asks */
#define LP_TICK_MSEC 10000
/* What makes a drift notable. */
#define LP_NOTABLE_AVAILABLE_PART 20    /* 1/20 of what was available: 5 % */
#define LP_NOTABLE_LOAD_CENTI 50
#define LP_NOTABLE_PSI_CENTI 500

void
lp_report_init(LpAgent *agent)
{
    LpReport *report = &agent->report;

    memset(report, 0, sizeof(*report));
    report->look_at_msec = report->tick_at_msec = LP_NEVER;
}

static void
gather(LpAgent *agent, LpWireState *ret_state)
{
    lp_facts_state(agent->options.sysfs, agent->options.procfs, &agent->cpus, &agent->memory,
                   ret_state);
    ret_state->want_id = agent->desire.id;
}

/* What a resize changes. */
static bool
resized(const LpWireState *a, const LpWireState *b)
{
    return a->mem_total_bytes != b->mem_total_bytes ||
           a->mem_offline_bytes != b->mem_offline_bytes ||
           !lp_cpumask_equal(&a->present, &b->present) ||
           !lp_cpumask_equal(&a->online, &b->online);
}

static void
send_state(LpAgent *agent, LpWireMessage *message, int64_t now_msec)
{
    LpReport *report = &agent->report;

    /* Within a block memory comes and goes without an event of the kernel. */
    if (resized(&message->state, &report->sent))
        lp_classes_touch(agent, now_msec);
    message->kind = LP_WIRE_STATE;
    report->seq = lp_clock_seq(report->seq);
    message->state.seq = report->seq;
    report->touched = false;
    report->due = agent->port.connected && !lp_speak_send(agent, message, now_msec);
    report->sent = message->state;
    report->sent_at_msec = now_msec;
    report->tick_at_msec = now_msec + LP_TICK_MSEC;
}

void
lp_report_now(LpAgent *agent, int64_t now_msec)
{
    LpWireMessage message;

    if (!agent->port.connected)
        return;
    gather(agent, &message.state);
    send_state(agent, &message, now_msec);
}

void
lp_report_touch(LpAgent *agent, int64_t now_msec)
{
    LpReport *report = &agent->report;
    int64_t soonest = report->sent_at_msec + LP_STATE_GAP_MSEC;

    report->touched = true;
    report->look_at_msec = lp_clock_earlier(report->look_at_msec,
                                            soonest > now_msec ? soonest : now_msec);
}

void
lp_report_watch(LpAgent *agent, uint32_t watch_msec, int64_t now_msec)
{
    LpReport *report = &agent->report;

    if (watch_msec > LP_WATCH_LONGEST_MSEC)
        watch_msec = LP_WATCH_LONGEST_MSEC;
    report->watch_until_msec = now_msec + watch_msec;
    report->watch_pause_msec = LP_WATCH_FIRST_MSEC;
    if (watch_msec > 0)
        report->look_at_msec = lp_clock_earlier(report->look_at_msec,
                                                now_msec + LP_WATCH_FIRST_MSEC);
    else if (!report->touched)
        report->look_at_msec = LP_NEVER;
}

int64_t
lp_report_deadline(const LpAgent *agent)
{
    const LpReport *report = &agent->report;

    /* With nobody to tell there is nothing to look at. */
    if (!agent->port.connected)
        return LP_NEVER;
    if (report->due && agent->port.out_used == 0)
        return 0;
    return lp_clock_earlier(report->look_at_msec, report->tick_at_msec);
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static bool
drifted(const LpWireState *a, const LpWireState *b)
{
    return distance(a->mem_available_bytes, b->mem_available_bytes) >=
               a->mem_available_bytes / LP_NOTABLE_AVAILABLE_PART + 1 ||
           distance(a->load_centi, b->load_centi) >= LP_NOTABLE_LOAD_CENTI ||
           distance(a->psi_cpu_centi, b->psi_cpu_centi) >= LP_NOTABLE_PSI_CENTI ||
           distance(a->psi_mem_centi, b->psi_mem_centi) >= LP_NOTABLE_PSI_CENTI;
}

/* Whether the two figures a watch is about differ from what was sent; cheap. */
static bool
watch_sees_change(const LpAgent *agent)
{
    const LpWireState *sent = &agent->report.sent;
    LpCpuMask online;

    if (lp_facts_mem_total(agent->options.procfs) != sent->mem_total_bytes)
        return true;
    lp_cpus_online(&agent->cpus, &online);
    return !lp_cpumask_equal(&online, &sent->online);
}

static void
look(LpAgent *agent, int64_t now_msec)
{
    LpReport *report = &agent->report;
    LpWireMessage message;
    bool changed = false;

    if (report->touched || watch_sees_change(agent)) {
        report->touched = false;
        gather(agent, &message.state);
        changed = resized(&message.state, &report->sent);
        if (changed)
            send_state(agent, &message, now_msec);
    }
    if (now_msec >= report->watch_until_msec) {
        report->look_at_msec = LP_NEVER;
        return;
    }
    if (changed)
        report->watch_pause_msec = LP_WATCH_FIRST_MSEC;
    report->look_at_msec = now_msec + report->watch_pause_msec;
    if (report->look_at_msec < report->sent_at_msec + LP_STATE_GAP_MSEC)
        report->look_at_msec = report->sent_at_msec + LP_STATE_GAP_MSEC;
    report->watch_pause_msec *= 2;
    if (report->watch_pause_msec > LP_WATCH_LAST_MSEC)
        report->watch_pause_msec = LP_WATCH_LAST_MSEC;
}

static void
tick(LpAgent *agent, int64_t now_msec)
{
    LpReport *report = &agent->report;
    LpWireMessage message;

    report->tick_at_msec = now_msec + LP_TICK_MSEC;
    gather(agent, &message.state);
    if (resized(&message.state, &report->sent) || drifted(&report->sent, &message.state))
        send_state(agent, &message, now_msec);
}

void
lp_report_run(LpAgent *agent, int64_t now_msec)
{
    LpReport *report = &agent->report;

    if (!agent->port.connected)
        return;
    if (report->due && agent->port.out_used == 0)
        lp_report_now(agent, now_msec);
    if (now_msec >= report->look_at_msec)
        look(agent, now_msec);
    if (now_msec >= report->tick_at_msec)
        tick(agent, now_msec);
}
