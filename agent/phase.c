#include "agent/phase.h"

#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/facts.h"
#include "agent/log.h"
#include "agent/text.h"
#include "agent/wire/words.h"

/* What is given back after a release was stopped arrives within this. */
#define LP_PHASE_SETTLE_MSEC 3000
/* The answer is sent so much ahead of its deadline, at most: the way to the host takes time too. */
#define LP_PHASE_RESERVE_MSEC 250
#define LP_PHASE_RESERVE_PART 8
/* The programs' own deadline is so much before, that it is said which of them was late. */
#define LP_PHASE_PROGRAMS_MSEC 50

static void start_next(LpAgent *agent, int64_t now_msec);

void
lp_phase_init(LpAgent *agent)
{
    memset(&agent->phases, 0, sizeof(agent->phases));
    agent->phases.orphan_msec = LP_NEVER;
}

static int64_t
duration(const LpAgent *agent, const LpWirePhase *phase)
{
    int64_t msec = phase->deadline_msec > 0 ? phase->deadline_msec :
                                              agent->conf.hook_timeout_msec;

    return lp_clock_earlier(msec, LP_PHASE_DEADLINE_MAX_MSEC);
}

static int64_t
answer_by(const LpAgent *agent, const LpWirePhase *phase, int64_t now_msec)
{
    int64_t msec = duration(agent, phase);

    return now_msec + msec - lp_clock_earlier(msec / LP_PHASE_RESERVE_PART, LP_PHASE_RESERVE_MSEC);
}

static void
expect_host(LpAgent *agent, int64_t now_msec)
{
    LpPhases *phases = &agent->phases;

    if (phases->open)
        phases->orphan_msec = now_msec +
            lp_clock_earlier(duration(agent, &phases->pre) * LP_PHASE_ORPHAN_DEADLINES,
                             LP_PHASE_ORPHAN_MAX_MSEC);
}

static bool
is_same(const LpWirePhase *a, const LpWirePhase *b)
{
    return a->id == b->id && a->phase == b->phase;
}

static bool
has_same_amounts(const LpWirePhase *a, const LpWirePhase *b)
{
    return a->has_cpu == b->has_cpu && a->has_mem == b->has_mem && a->has_units == b->has_units &&
           a->cpu_to == b->cpu_to && a->mem_to_bytes == b->mem_to_bytes &&
           a->units_to_centi == b->units_to_centi;
}

/* Whether it has been answered just now.  Of a POST that was said to oneself the host may know
 * better what came of it: then it is said again. */
static bool
is_answered(const LpPhases *phases, const LpWirePhase *phase)
{
    const LpWireAnswer *last = &phases->last;

    return last->id == phase->id && last->phase == phase->phase &&
           (phases->guessed.id != phase->id || has_same_amounts(&phases->guessed, phase));
}

static bool
releases_memory(const LpWirePhase *phase)
{
    return phase->has_mem && phase->mem_to_bytes < phase->mem_from_bytes;
}

/* Whether the rest of the mediums are spared: a veto that the host will heed. */
static bool
is_over(const LpPhases *phases)
{
    return phases->answer.verdict == LP_WIRE_ANSWER_VETO && !phases->now.force;
}

static void
put_answer(LpWireAnswer *answer, LpWireAnswerVerdict verdict, const char *by, const char *reason)
{
    answer->verdict = verdict;
    snprintf(answer->by, sizeof(answer->by), "%s", by);
    snprintf(answer->reason, sizeof(answer->reason), "%s", reason);
}

static void
send_last(LpAgent *agent, int64_t now_msec)
{
    LpWireMessage message = { .kind = LP_WIRE_ANSWER, .answer = agent->phases.last };

    if (!lp_speak_send(agent, &message, now_msec))
        lp_log_warn("resize %llu: the host does not read the answer to %s",
                    (unsigned long long)message.answer.id,
                    lp_wire_phase_names[message.answer.phase]);
}

static void
say_answer(LpAgent *agent)
{
    LpPhases *phases = &agent->phases;
    const LpWireAnswer *answer = &phases->answer;
    int64_t now = lp_clock_msec();

    lp_log_info("resize %llu: %s: %s%s%s%s%s", (unsigned long long)answer->id,
                lp_wire_phase_names[answer->phase], lp_wire_answer_names[answer->verdict],
                answer->by[0] != '\0' ? " by " : "", answer->by,
                answer->reason[0] != '\0' ? ": " : "", answer->reason);
    phases->answered = true;
    phases->last = *answer;
    if (phases->own)
        phases->guessed = phases->now;
    else
        phases->guessed.id = 0;
    if (!phases->own)
        send_last(agent, now);
    expect_host(agent, now);
    /* Watched from here on: the host may begin as soon as it reads this. */
    if (answer->phase == LP_WIRE_PHASE_PRE && releases_memory(&phases->now) && !is_over(phases))
        lp_guard_begin(agent, &phases->pre, now);
}

static void advance(LpAgent *agent);

static void
on_answer(LpAgent *agent, LpWireAnswer *answer)
{
    LpPhases *phases = &agent->phases;

    if (phases->answered && answer->verdict == LP_WIRE_ANSWER_VETO &&
        phases->answer.verdict != LP_WIRE_ANSWER_VETO)
        lp_log_warn("resize %llu: the veto of %s came too late", (unsigned long long)answer->id,
                    answer->by);
    else if (answer != &phases->answer && !phases->answered)
        phases->answer = *answer;
    phases->medium++;
    advance(agent);
}

static void
on_reclaimed(LpAgent *agent)
{
    agent->phases.medium++;
    advance(agent);
}

static void
finish(LpAgent *agent)
{
    LpPhases *phases = &agent->phases;

    if (!phases->answered)
        say_answer(agent);
    phases->busy = false;
    start_next(agent, lp_clock_msec());
}

/* Runs the mediums from phases->medium on; each goes on here when it is done. */
static void
advance(LpAgent *agent)
{
    LpPhases *phases = &agent->phases;

    if (phases->medium == LP_PHASE_HOOKS) {
        if (!is_over(phases) && lp_hooks_run(agent, &phases->now, phases->deadline_msec,
                                             &phases->answer, on_answer))
            return;
        phases->medium = LP_PHASE_PROGRAMS;
    }
    if (phases->medium == LP_PHASE_PROGRAMS) {
        if (!is_over(phases)) {
            lp_apps_tell(agent, &phases->now, phases->deadline_msec - LP_PHASE_PROGRAMS_MSEC,
                         &phases->answer, on_answer);
            return;
        }
        phases->medium = LP_PHASE_RECLAIM;
    }
    if (phases->medium == LP_PHASE_RECLAIM) {
        if (phases->now.phase == LP_WIRE_PHASE_PRE && releases_memory(&phases->now) &&
            !is_over(phases) && (agent->conf.forbid & LP_WIRE_ACT_RECLAIM) == 0) {
            lp_reclaim_run(agent, phases->now.mem_from_bytes - phases->now.mem_to_bytes,
                           phases->deadline_msec, on_reclaimed);
            return;
        }
        phases->medium = LP_PHASE_END;
    }
    finish(agent);
}

/* The action asked for that agent.conf forbids, or NULL. */
static const char *
find_forbidden(const LpAgent *agent, const LpWirePhase *phase)
{
    uint32_t acts = 0;

    if (phase->has_cpu && phase->cpu_to > phase->cpu_from)
        acts |= LP_WIRE_ACT_CPU_ACQUIRE;
    if (phase->has_cpu && phase->cpu_to < phase->cpu_from)
        acts |= LP_WIRE_ACT_CPU_RELEASE;
    if (phase->has_mem && phase->mem_to_bytes > phase->mem_from_bytes)
        acts |= LP_WIRE_ACT_MEM_ACQUIRE;
    if (releases_memory(phase))
        acts |= LP_WIRE_ACT_MEM_RELEASE;
    acts &= agent->conf.forbid;
    for (unsigned i = 0; i < LP_WIRE_ACTS; i++) {
        if ((acts & 1u << i) != 0)
            return lp_wire_act_names[i];
    }
    return NULL;
}

static void
open_resize(LpAgent *agent)
{
    LpPhases *phases = &agent->phases;
    LpCpuMask online;

    lp_cpus_online(&agent->cpus, &online);
    phases->open = true;
    phases->relinked = false;
    phases->pre = phases->now;
    phases->total_bytes = lp_facts_mem_total(agent->options.procfs);
    phases->online = lp_cpumask_count(&online);
}

/* The agent's own part. */
static void
begin_phase(LpAgent *agent, int64_t now_msec)
{
    LpPhases *phases = &agent->phases;
    const char *forbidden = lp_wire_phase_asks(phases->now.phase) ?
                                find_forbidden(agent, &phases->now) : NULL;
    char reason[LP_WIRE_TEXT_MAX];

    if (forbidden != NULL) {
        snprintf(reason, sizeof(reason), "%s is forbidden by agent.conf", forbidden);
        put_answer(&phases->answer, LP_WIRE_ANSWER_VETO, "agent.conf", reason);
    }
    switch (phases->now.phase) {
    case LP_WIRE_PHASE_CHECK:
        if (forbidden == NULL)
            lp_check_resize(agent, &phases->now, &phases->answer);
        break;
    case LP_WIRE_PHASE_PRE:
        open_resize(agent);
        break;
    case LP_WIRE_PHASE_POST:
        phases->open = false;
        agent->at_rest = false;
        phases->orphan_msec = LP_NEVER;
        lp_guard_end(agent);
        /* A watch is polling, and what the host watched for has ended. */
        lp_report_watch(agent, LP_PHASE_SETTLE_MSEC, now_msec);
        lp_classes_touch(agent, now_msec);
        break;
    default:
        lp_guard_end(agent);
        break;
    }
}

static void
begin(LpAgent *agent, const LpWirePhase *phase, int64_t deadline_msec, bool own, int64_t now_msec)
{
    LpPhases *phases = &agent->phases;

    lp_log_info("resize %llu: %s%s", (unsigned long long)phase->id,
                lp_wire_phase_names[phase->phase], phase->force ? ", forced" : "");
    phases->busy = true;
    phases->answered = false;
    phases->own = own;
    phases->now = *phase;
    phases->medium = LP_PHASE_HOOKS;
    phases->deadline_msec = deadline_msec;
    memset(&phases->answer, 0, sizeof(phases->answer));
    phases->answer.id = phase->id;
    phases->answer.phase = phase->phase;
    lp_classes_yield(agent);
    begin_phase(agent, now_msec);
    advance(agent);
}

static uint64_t
add_difference(uint64_t amount, uint64_t before, uint64_t after)
{
    return after >= before ? amount + (after - before) :
           amount > before - after ? amount - (before - after) : 0;
}

/* POST with what was measured.  The capacity cannot be seen from here: as if it were unchanged. */
static void
close_resize(LpAgent *agent, const char *why, int64_t now_msec)
{
    LpPhases *phases = &agent->phases;
    uint64_t total = lp_facts_mem_total(agent->options.procfs);
    LpWirePhase post = phases->pre;
    LpCpuMask online;

    lp_log_warn("resize %llu was left open: %s; closing it with what is here",
                (unsigned long long)post.id, why);
    post.phase = LP_WIRE_PHASE_POST;
    post.force = false;
    post.mem_to_bytes = add_difference(post.mem_from_bytes, phases->total_bytes,
                                       total > 0 ? total : phases->total_bytes);
    lp_cpus_online(&agent->cpus, &online);
    post.cpu_to = (uint32_t)add_difference(post.cpu_from, phases->online,
                                           lp_cpumask_count(&online));
    post.units_to_centi = post.units_from_centi;
    begin(agent, &post, answer_by(agent, &post, now_msec), true, now_msec);
}

static void
start_next(LpAgent *agent, int64_t now_msec)
{
    LpPhases *phases = &agent->phases;
    LpPhaseWait next;

    if (phases->busy || phases->n_queued == 0)
        return;
    next = phases->queue[0];
    /* A CHECK begins nothing: who asks what would be may do so in the middle of a resize. */
    if (phases->open && next.phase.id != phases->pre.id &&
        next.phase.phase != LP_WIRE_PHASE_CHECK) {
        close_resize(agent, "the host has begun another", now_msec);
        return;
    }
    phases->n_queued--;
    memmove(phases->queue, phases->queue + 1, phases->n_queued * sizeof(phases->queue[0]));
    /* Said to oneself meanwhile. */
    if (is_answered(phases, &next.phase)) {
        send_last(agent, now_msec);
        start_next(agent, now_msec);
        return;
    }
    /* Nobody can be asked in time any more, but of an end everybody is told. */
    if (!lp_wire_phase_asks(next.phase.phase))
        next.deadline_msec = answer_by(agent, &next.phase, now_msec);
    begin(agent, &next.phase, next.deadline_msec, false, now_msec);
}

void
lp_phase_heard(LpAgent *agent, const LpWirePhase *phase, int64_t now_msec)
{
    LpPhases *phases = &agent->phases;
    bool waits = phases->busy && !phases->own && !phases->answered && is_same(&phases->now, phase);

    phases->relinked = false;
    expect_host(agent, now_msec);
    for (unsigned i = 0; i < phases->n_queued && !waits; i++)
        waits = is_same(&phases->queue[i].phase, phase);
    if (waits) {
        lp_log_info("resize %llu: %s again, while it is at work", (unsigned long long)phase->id,
                    lp_wire_phase_names[phase->phase]);
    } else if (is_answered(phases, phase)) {
        send_last(agent, now_msec);
    } else if (phases->n_queued == LP_PHASE_QUEUE_MAX) {
        lp_log_warn("resize %llu: %s is dropped: too many phases wait already",
                    (unsigned long long)phase->id, lp_wire_phase_names[phase->phase]);
    } else {
        phases->queue[phases->n_queued++] = (LpPhaseWait){
            *phase, answer_by(agent, phase, now_msec)
        };
        start_next(agent, now_msec);
    }
}

void
lp_phase_linked(LpAgent *agent, int64_t now_msec)
{
    agent->phases.relinked = true;
    expect_host(agent, now_msec);
}

void
lp_phase_wanted(LpAgent *agent, int64_t now_msec)
{
    expect_host(agent, now_msec);
}

int64_t
lp_phase_deadline(const LpAgent *agent)
{
    const LpPhases *phases = &agent->phases;

    if (phases->busy)
        return phases->answered ? LP_NEVER : phases->deadline_msec;
    return phases->open ? phases->orphan_msec : LP_NEVER;
}

/* The time is up: the answer says who was late, and goes. */
static void
cut_short(LpAgent *agent)
{
    LpPhases *phases = &agent->phases;
    LpWireAnswer *answer = &phases->answer;

    if (phases->medium == LP_PHASE_HOOKS)
        lp_hooks_cancel(agent, answer);
    else if (phases->medium == LP_PHASE_PROGRAMS && answer->by[0] == '\0')
        put_answer(answer, LP_WIRE_ANSWER_OK, "programs", "did not answer in time");
    else if (phases->medium == LP_PHASE_RECLAIM)
        lp_log_warn("resize %llu: making room takes too long; the host goes on",
                    (unsigned long long)phases->now.id);
    say_answer(agent);
}

void
lp_phase_run(LpAgent *agent, int64_t now_msec)
{
    LpPhases *phases = &agent->phases;

    if (phases->busy && !phases->answered)
        cut_short(agent);
    else if (!phases->busy && phases->open && (!agent->port.connected || phases->relinked))
        close_resize(agent, "the host has vanished", now_msec);
    else
        /* A long resize: a host that is there ends it. */
        expect_host(agent, now_msec);
}

bool
lp_phase_stop(LpAgent *agent, const char *reason, uint64_t back_bytes, int64_t now_msec)
{
    const LpPhases *phases = &agent->phases;
    LpWireMessage message = { .kind = LP_WIRE_STOP };

    if (!phases->open || !releases_memory(&phases->pre))
        return false;
    message.stop.id = phases->pre.id;
    message.stop.back_bytes = back_bytes;
    lp_text_clean(message.stop.reason, sizeof(message.stop.reason), reason);
    return lp_speak_send(agent, &message, now_msec);
}
