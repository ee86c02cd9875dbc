/* The guest's half of the protocol: what is said, and what is done about what is heard. */
#include <string.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/facts.h"
#include "agent/log.h"

bool
lp_speak_send(LpAgent *agent, const LpWireMessage *message, int64_t now_msec)
{
    static char frame[LP_WIRE_FRAME_MAX + 1];
    LpWireVerdict verdict;
    size_t length = 0;

    if (!agent->port.connected)
        return false;
    verdict = lp_wire_encode(message, frame, sizeof(frame), &length);
    if (verdict != LP_WIRE_OK) {
        lp_log_warn("a message could not be written: %s", lp_wire_verdict_text(verdict));
        return false;
    }
    return lp_port_send(&agent->port, frame, length, now_msec);
}

void
lp_speak_hello(LpAgent *agent, int64_t now_msec)
{
    LpWireMessage message = { .kind = LP_WIRE_HELLO };

    lp_facts_hello(agent->options.sysfs, agent->options.procfs, &agent->conf, &message.hello);
    agent->told_caps = message.hello.caps;
    agent->told_has = message.hello.has;
    agent->told_lacks = message.hello.lacks;
    agent->told_forbids = message.hello.forbids;
    /* The empty line ends whatever an earlier link left unfinished. */
    lp_port_send(&agent->port, "\n", 1, now_msec);
    lp_speak_send(agent, &message, now_msec);
    lp_report_now(agent, now_msec);
}

void
lp_speak_caps(LpAgent *agent, int64_t now_msec)
{
    LpWireHello hello;

    if (!agent->port.connected)
        return;
    lp_facts_hello(agent->options.sysfs, agent->options.procfs, &agent->conf, &hello);
    if (hello.caps != agent->told_caps || hello.has != agent->told_has ||
        hello.lacks != agent->told_lacks || hello.forbids != agent->told_forbids)
        lp_speak_hello(agent, now_msec);
}

static void
heard_want(LpAgent *agent, const LpWireWant *want, int64_t now_msec)
{
    LpWireMessage message = { .kind = LP_WIRE_REPLY };

    lp_log_info("WANT %llu", (unsigned long long)want->id);
    lp_desire_take(agent, want, now_msec, &message.reply);
    lp_phase_wanted(agent, now_msec);
    /* Bringing processors up may have taken a second: look at the clock again. */
    now_msec = lp_clock_msec();
    if (!lp_speak_send(agent, &message, now_msec) && agent->port.connected) {
        /* A lost STATE is made good by the next; a lost REPLY would be waited for. */
        lp_log_warn("the host does not read its replies; the link is dropped");
        lp_port_close(&agent->port, now_msec);
    }
    lp_report_now(agent, now_msec);
    lp_report_watch(agent, want->watch_msec, now_msec);
}

void
lp_speak_heard(LpAgent *agent, const char *line, size_t length, int64_t now_msec)
{
    static LpWireMessage message;
    const char *field = NULL;
    LpWireVerdict verdict = lp_wire_decode(line, length, &message, &field);

    if (verdict == LP_WIRE_UNKNOWN_TYPE) {
        lp_log_info("a message of a type unknown here was skipped");
        return;
    }
    if (verdict != LP_WIRE_OK) {
        lp_log_warn("the host sent nonsense: %s%s%s", lp_wire_verdict_text(verdict),
                    field != NULL ? ": " : "", field != NULL ? field : "");
        return;
    }
    switch (message.kind) {
    case LP_WIRE_WHO:
        lp_speak_hello(agent, now_msec);
        break;
    case LP_WIRE_WANT:
        heard_want(agent, &message.want, now_msec);
        break;
    case LP_WIRE_PHASE:
        lp_phase_heard(agent, &message.phase, now_msec);
        break;
    case LP_WIRE_RESULT:
        lp_apps_result(agent, &message.result);
        break;
    default:
        lp_log_warn("the host sent a message that only a guest sends");
        break;
    }
}
