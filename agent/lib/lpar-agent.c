/* The program's end of the agent's socket. */
#include "agent/lib/lpar-agent.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/wire/wire.h"

/* What the agent must have read by then, or it is taken to hang. */
#define LP_LIB_SEND_MSEC 10000
#define LP_LIB_RESOURCES (0u | LPAR_AGENT_CPU | LPAR_AGENT_MEM | LPAR_AGENT_UNITS)
#define LP_LIB_FRAME_MAX 4096          /* the longest message of a program, several times over */

_Static_assert(LPAR_AGENT_NAME_MAX == LP_WIRE_NAME_MAX, "one length of names");
_Static_assert(LPAR_AGENT_TEXT_MAX == LP_WIRE_TEXT_MAX, "one length of texts");
_Static_assert(sizeof(((LparAgentResult *)0)->state) == sizeof(((LpWireResult *)0)->state),
               "one length of states");

_Static_assert((int)LPAR_AGENT_UNDO == (int)LP_WIRE_PHASE_UNDO &&
               (int)LPAR_AGENT_REMOVE == (int)LP_WIRE_MODE_REMOVE, "one order of names");

struct LparAgent {
    int fd;
    bool subscribed, consulted;
    uint64_t last_id;
    int broken;                        /* why the link is of no more use; 0: it is */
    char error[256];
    LpWireReader reader;
};

static int __attribute__((format(printf, 3, 4)))
fail(LparAgent *agent, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(agent->error, sizeof(agent->error), format, args);
    va_end(args);
    return -error;
}

/* There is no way on from here. */
static int
break_link(LparAgent *agent, int error, const char *what)
{
    agent->broken = error;
    return fail(agent, error, "%s", what);
}

static int64_t
clock_msec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the link --- */

int
lpar_agent_connect(const char *path, LparAgent **ret_agent)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    LparAgent *agent;
    int error = 0;

    *ret_agent = NULL;
    if (path == NULL)
        path = LP_RUNSTATEDIR "/lpard/agent.sock";
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    agent = malloc(sizeof(*agent));
    if (agent == NULL)
        return -ENOMEM;
    agent->subscribed = agent->consulted = false;
    agent->last_id = 0;
    agent->broken = 0;
    agent->error[0] = '\0';
    lp_wire_reader_init(&agent->reader);
    agent->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (agent->fd < 0)
        error = errno;
    /* Of a local socket this does not wait: it is EAGAIN when too many callers do. */
    else if (connect(agent->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        error = errno;
    if (error != 0) {
        if (agent->fd >= 0)
            close(agent->fd);
        free(agent);
        return -error;
    }
    *ret_agent = agent;
    return 0;
}

void
lpar_agent_close(LparAgent *agent)
{
    if (agent == NULL)
        return;
    close(agent->fd);
    free(agent);
}

int
lpar_agent_fd(const LparAgent *agent)
{
    return agent->fd;
}

const char *
lpar_agent_error(const LparAgent *agent)
{
    return agent == NULL ? "not connected" : agent->error[0] == '\0' ? "no error" : agent->error;
}

/* --- sending --- */

static int
send_bytes(LparAgent *agent, const char *bytes, size_t length)
{
    int64_t until = clock_msec() + LP_LIB_SEND_MSEC;

    while (length > 0) {
        ssize_t n = send(agent->fd, bytes, length, MSG_NOSIGNAL);
        struct pollfd writable = { .fd = agent->fd, .events = POLLOUT };
        int64_t left = until - clock_msec();

        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            if (left <= 0)
                return break_link(agent, ETIMEDOUT, "the agent does not read");
            poll(&writable, 1, (int)left);
        } else if (n < 0 && errno != EINTR) {
            return break_link(agent, errno == ECONNRESET ? EPIPE : errno, "the agent has gone");
        }
    }
    return 0;
}

static int
send_message(LparAgent *agent, const LpWireMessage *message)
{
    char frame[LP_LIB_FRAME_MAX];
    size_t length;

    if (agent->broken != 0)
        return -agent->broken;
    if (lp_wire_encode(message, frame, sizeof(frame), &length) != LP_WIRE_OK)
        return fail(agent, EINVAL, "the message cannot be written: an amount is out of range or a "
                    "text is not plain UTF-8");
    return send_bytes(agent, frame, length);
}

/* Cut to fit, between two characters of UTF-8. */
static void
set_text(char *to, size_t size, const char *from)
{
    size_t length = strlen(from);

    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(to, from, length);
    to[length] = '\0';
}

int
lpar_agent_subscribe(LparAgent *agent, const char *name, unsigned resources, int consulted)
{
    LpWireMessage message = { .kind = LP_WIRE_SUBSCRIBE };
    LpWireSubscribe *subscribe = &message.subscribe;
    int status;

    if (agent->subscribed)
        return fail(agent, EALREADY, "it has subscribed already");
    if (name == NULL || name[0] == '\0')
        return fail(agent, EINVAL, "a program must give its name");
    if (resources == 0 || (resources & ~LP_LIB_RESOURCES) != 0)
        return fail(agent, EINVAL, "no resource, or one that is unknown");
    set_text(subscribe->name, sizeof(subscribe->name), name);
    subscribe->cpu = (resources & LPAR_AGENT_CPU) != 0;
    subscribe->mem = (resources & LPAR_AGENT_MEM) != 0;
    subscribe->units = (resources & LPAR_AGENT_UNITS) != 0;
    subscribe->consults = consulted != 0;
    status = send_message(agent, &message);
    if (status == 0) {
        agent->subscribed = true;
        agent->consulted = subscribe->consults;
    }
    return status;
}

int
lpar_agent_answer(LparAgent *agent, const LparAgentEvent *event, const char *veto)
{
    LpWireMessage message = { .kind = LP_WIRE_ANSWER };
    LpWireAnswer *answer = &message.answer;

    if (event->kind != LPAR_AGENT_PHASE || !event->phase.waits)
        return 0;
    answer->id = event->phase.id;
    answer->phase = (LpWirePhaseName)event->phase.name;
    if (veto != NULL) {
        answer->verdict = LP_WIRE_ANSWER_VETO;
        set_text(answer->reason, sizeof(answer->reason), veto);
    }
    return send_message(agent, &message);
}

int
lpar_agent_ask(LparAgent *agent, const LparAgentRequest *request, uint64_t *ret_id)
{
    LpWireMessage message = { .kind = LP_WIRE_ASK };
    LpWireAsk *ask = &message.ask;
    int status;

    if (request->cpu == 0 && request->mem == 0)
        return fail(agent, EINVAL, "nothing is asked for");
    ask->id = agent->last_id + 1;
    ask->has_cpu = request->cpu != 0;
    ask->has_mem = request->mem != 0;
    ask->cpu_mode = (LpWireMode)request->cpu_mode;
    ask->mem_mode = (LpWireMode)request->mem_mode;
    ask->cpu = request->cpu;
    ask->mem_bytes = request->mem;
    if (request->why != NULL)
        set_text(ask->why, sizeof(ask->why), request->why);
    status = send_message(agent, &message);
    if (status < 0)
        return status;
    agent->last_id = ask->id;
    if (ret_id != NULL)
        *ret_id = ask->id;
    return 0;
}

/* --- receiving --- */

static void
take_phase(const LparAgent *agent, const LpWirePhase *from, LparAgentPhase *to)
{
    to->id = from->id;
    to->name = (LparAgentPhaseName)from->phase;
    to->waits = agent->consulted && (from->phase == LP_WIRE_PHASE_CHECK ||
                                     from->phase == LP_WIRE_PHASE_PRE);
    to->force = from->force;
    to->deadline_msec = from->deadline_msec;
    to->resources = (from->has_cpu ? (unsigned)LPAR_AGENT_CPU : 0u) |
                    (from->has_mem ? (unsigned)LPAR_AGENT_MEM : 0u) |
                    (from->has_units ? (unsigned)LPAR_AGENT_UNITS : 0u);
    to->cpu_from = from->cpu_from;
    to->cpu_to = from->cpu_to;
    to->mem_from = from->mem_from_bytes;
    to->mem_to = from->mem_to_bytes;
    to->units_from = from->units_from_centi;
    to->units_to = from->units_to_centi;
}

/* 1: it is an event; 0: it is nothing to us, from a newer agent. */
static int
take_line(LparAgent *agent, const char *line, size_t length, LparAgentEvent *ret_event)
{
    LpWireMessage message;
    const char *field = NULL;
    LpWireVerdict verdict = lp_wire_decode(line, length, &message, &field);

    if (verdict == LP_WIRE_UNKNOWN_TYPE)
        return 0;
    if (verdict != LP_WIRE_OK)
        return break_link(agent, EPROTO, lp_wire_verdict_text(verdict));
    memset(ret_event, 0, sizeof(*ret_event));
    if (message.kind == LP_WIRE_PHASE) {
        ret_event->kind = LPAR_AGENT_PHASE;
        take_phase(agent, &message.phase, &ret_event->phase);
        return 1;
    }
    if (message.kind != LP_WIRE_RESULT)
        return break_link(agent, EPROTO, "the agent sent a message that no agent sends");
    ret_event->kind = LPAR_AGENT_RESULT;
    ret_event->result.id = message.result.id;
    ret_event->result.final = message.result.final;
    ret_event->result.operation = message.result.operation;
    memcpy(ret_event->result.state, message.result.state, sizeof(ret_event->result.state));
    memcpy(ret_event->result.message, message.result.message, sizeof(ret_event->result.message));
    return 1;
}

/* 1: more bytes are there; 0: none yet. */
static int
read_more(LparAgent *agent)
{
    size_t room;
    char *space = lp_wire_reader_space(&agent->reader, &room);
    ssize_t n = read(agent->fd, space, room);

    if (n > 0) {
        lp_wire_reader_filled(&agent->reader, (size_t)n);
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return break_link(agent, EPIPE, "the agent has gone");
}

int
lpar_agent_next(LparAgent *agent, int timeout_msec, LparAgentEvent *ret_event)
{
    int64_t until = timeout_msec > 0 ? clock_msec() + timeout_msec : 0;

    for (;;) {
        struct pollfd readable = { .fd = agent->fd, .events = POLLIN };
        LpWireVerdict verdict;
        const char *line;
        size_t length;
        int status;

        while ((line = lp_wire_reader_next(&agent->reader, &length, &verdict)) != NULL) {
            status = take_line(agent, line, length, ret_event);
            if (status != 0)
                return status;
        }
        if (verdict != LP_WIRE_OK)
            return break_link(agent, EMSGSIZE, lp_wire_verdict_text(verdict));
        if (agent->broken != 0)
            return -agent->broken;
        status = read_more(agent);
        if (status < 0)
            return status;
        if (status > 0)
            continue;
        if (timeout_msec > 0) {
            int64_t left = until - clock_msec();

            timeout_msec = left > 0 ? (int)left : 0;
        }
        if (timeout_msec == 0 || poll(&readable, 1, timeout_msec) <= 0)
            return 0;
    }
}
