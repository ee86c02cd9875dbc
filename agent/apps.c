/* What programs are told, what they answer, and what they ask for. */
#include "agent/apps.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/apps-priv.h"
#include "agent/clock.h"
#include "agent/log.h"
#include "agent/text.h"

/* Answers in a row that a program may owe before resizes no longer wait for it. */
#define LP_APPS_MISSED_MAX 3
/* Between two requests of a program; lpard takes no more from a whole guest. */
#define LP_APPS_ASK_PAUSE_MSEC 5000
/* Requests of all programs in a minute: each that connects anew would be a new program. */
#define LP_APPS_ASKS_A_MINUTE 20
/* An operation has ended by then, or the host has forgotten who asked for it. */
#define LP_APPS_ASK_MSEC 3600000

/* --- telling --- */

/* Who did it, as the host is told. */
static void
put_by(LpWireAnswer *answer, const LpApp *app)
{
    char by[sizeof("program ") + LP_WIRE_NAME_MAX];

    snprintf(by, sizeof(by), "program %s", app->name);
    lp_text_clean(answer->by, sizeof(answer->by), by);
}

/* Of the phase what the program asked to hear; false: nothing. */
static bool
part_of(const LpWirePhase *phase, const LpApp *app, LpWirePhase *ret_part)
{
    *ret_part = *phase;
    ret_part->has_cpu = phase->has_cpu && app->wants.cpu;
    ret_part->has_mem = phase->has_mem && app->wants.mem;
    ret_part->has_units = phase->has_units && app->wants.units;
    return app->subscribed && (ret_part->has_cpu || ret_part->has_mem || ret_part->has_units);
}

static uint32_t
time_left(int64_t deadline_msec, int64_t now_msec)
{
    int64_t left = deadline_msec - now_msec;

    return left <= 0 ? 0 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

void
lp_apps_tell(LpAgent *agent, const LpWirePhase *phase, int64_t deadline_msec,
             LpWireAnswer *answer, LpAppsDone done)
{
    LpApps *apps = agent->apps;
    int64_t now = lp_clock_msec();

    apps->telling = true;
    apps->phase = *phase;
    apps->deadline_msec = deadline_msec;
    apps->answer = answer;
    apps->done = done;
    for (unsigned i = 0; i < LP_APPS_MAX; i++) {
        LpApp *app = apps->apps[i];
        LpWireMessage message = { .kind = LP_WIRE_PHASE };

        if (app == NULL || !part_of(phase, app, &message.phase))
            continue;
        message.phase.deadline_msec = time_left(deadline_msec, now);
        lp_app_send(apps, app, &message, now);
        app->awaited = app->doomed == NULL && app->wants.consults && lp_wire_phase_asks(phase->phase) &&
                       app->missed < LP_APPS_MISSED_MAX;
    }
}

/* A resize goes on without the program's part in it: the host is told of the first. */
static void
note_failure(LpApps *apps, const LpApp *app, const char *what)
{
    LpWireAnswer *answer = apps->answer;

    if (answer->verdict != LP_WIRE_ANSWER_OK || answer->by[0] != '\0')
        return;
    put_by(answer, app);
    snprintf(answer->reason, sizeof(answer->reason), "%s", what);
}

static bool
is_waiting(const LpApps *apps)
{
    for (unsigned i = 0; i < LP_APPS_MAX; i++) {
        if (apps->apps[i] != NULL && apps->apps[i]->awaited)
            return true;
    }
    return false;
}

/* Nobody else is waited for. */
static void
stop_waiting(LpApps *apps)
{
    for (unsigned i = 0; i < LP_APPS_MAX; i++) {
        if (apps->apps[i] != NULL)
            apps->apps[i]->awaited = false;
    }
}

static void
time_is_up(LpApps *apps)
{
    for (unsigned i = 0; i < LP_APPS_MAX; i++) {
        LpApp *app = apps->apps[i];

        if (app == NULL || !app->awaited)
            continue;
        app->awaited = false;
        app->missed++;
        note_failure(apps, app, "has not answered in time");
        lp_log_warn("program %s (pid %d) has not answered in time%s", app->name, (int)app->pid,
                    app->missed == LP_APPS_MISSED_MAX ?
                    ", again: it is no longer waited for until it does" : "");
    }
}

static void
heard_answer(LpApps *apps, LpApp *app, const LpWireAnswer *answer)
{
    LpWireAnswer *result = apps->answer;

    if (!apps->telling || !lp_wire_phase_asks(apps->phase.phase) || answer->id != apps->phase.id ||
        answer->phase != apps->phase.phase || !app->subscribed || !app->wants.consults) {
        lp_log_warn("program %s (pid %d): an answer that nobody waits for was ignored", app->name,
                    (int)app->pid);
        return;
    }
    app->missed = 0;
    if (!app->awaited)
        return;
    app->awaited = false;
    if (answer->verdict != LP_WIRE_ANSWER_VETO || result->verdict == LP_WIRE_ANSWER_VETO)
        return;
    result->verdict = LP_WIRE_ANSWER_VETO;
    put_by(result, app);
    snprintf(result->reason, sizeof(result->reason), "%s",
             answer->reason[0] != '\0' ? answer->reason : "no reason given");
    if (!apps->phase.force)
        stop_waiting(apps);
}

/* --- requests --- */

static void
say_result(LpApps *apps, LpApp *app, uint64_t id, const char *state, const char *text)
{
    LpWireMessage message = { .kind = LP_WIRE_RESULT };

    message.result.id = id;
    message.result.final = true;
    snprintf(message.result.state, sizeof(message.result.state), "%s", state);
    snprintf(message.result.message, sizeof(message.result.message), "%s", text);
    lp_app_send(apps, app, &message, lp_clock_msec());
}

static LpAppsAsk *
find_ask(LpApps *apps, uint64_t id)
{
    for (unsigned i = 0; i < LP_APPS_ASKS_MAX; i++) {
        if (apps->asks[i].id == id)
            return &apps->asks[i];
    }
    return NULL;
}

/* Why the program may not ask now; NULL: it may. */
static const char *
ask_refusal(LpAgent *agent, const LpApp *app, int64_t now_msec)
{
    LpApps *apps = agent->apps;

    if (agent->conf.forbid & LP_WIRE_ACT_REQUESTS)
        return "requests are forbidden by the guest's agent.conf";
    if (!agent->port.connected)
        return "no host is connected";
    if (app->asked_at_msec != LP_NEVER && now_msec - app->asked_at_msec < LP_APPS_ASK_PAUSE_MSEC)
        return "a program may ask once in 5 seconds";
    if (now_msec - apps->minute_msec >= 60000) {
        apps->minute_msec = now_msec;
        apps->n_asked = 0;
    }
    if (apps->n_asked >= LP_APPS_ASKS_A_MINUTE)
        return "this guest's programs have asked too often in the last minute";
    if (find_ask(apps, 0) == NULL)
        return "too many requests of this guest are under way";
    return NULL;
}

static bool
is_repeated(const LpApps *apps, const LpApp *app, uint64_t app_id)
{
    for (unsigned i = 0; i < LP_APPS_ASKS_MAX; i++) {
        if (apps->asks[i].id != 0 && apps->asks[i].app == app && apps->asks[i].app_id == app_id)
            return true;
    }
    return false;
}

static void
heard_ask(LpAgent *agent, LpApp *app, const LpWireAsk *ask, int64_t now_msec)
{
    LpApps *apps = agent->apps;
    LpWireMessage message = { .kind = LP_WIRE_ASK, .ask = *ask };
    const char *refusal = ask_refusal(agent, app, now_msec);
    LpAppsAsk *place = find_ask(apps, 0);
    char pid[24];

    /* Two answers to one id could not be told apart. */
    if (is_repeated(apps, app, ask->id)) {
        lp_log_warn("program %s (pid %d) asked twice with one id: the second is ignored",
                    app->name, (int)app->pid);
        return;
    }
    if (refusal != NULL) {
        say_result(apps, app, ask->id, "refused", refusal);
        return;
    }
    app->asked_at_msec = now_msec;
    apps->n_asked++;
    message.ask.id = ++apps->last_ask_id;
    /* The number must not be what is cut. */
    snprintf(pid, sizeof(pid), " pid %d", (int)app->pid);
    lp_text_clean(message.ask.who, sizeof(message.ask.who) - strlen(pid), app->name);
    strcat(message.ask.who, pid);
    if (!lp_speak_send(agent, &message, now_msec)) {
        say_result(apps, app, ask->id, "refused", "the host does not read");
        return;
    }
    lp_log_info("program %s asks: %s", message.ask.who, ask->why);
    *place = (LpAppsAsk){ .id = message.ask.id, .app_id = ask->id, .app = app,
                          .until_msec = now_msec + LP_APPS_ASK_MSEC };
}

void
lp_apps_result(LpAgent *agent, const LpWireResult *result)
{
    LpApps *apps = agent->apps;
    LpAppsAsk *ask = result->id != 0 ? find_ask(apps, result->id) : NULL;
    LpWireMessage message = { .kind = LP_WIRE_RESULT, .result = *result };

    if (ask == NULL) {
        lp_log_info("a result that nobody waits for was ignored");
        return;
    }
    message.result.id = ask->app_id;
    if (ask->app != NULL)
        lp_app_send(apps, ask->app, &message, lp_clock_msec());
    if (result->final)
        ask->id = 0;
}

static void
give_up_ask(LpApps *apps, LpAppsAsk *ask, const char *state, const char *text)
{
    if (ask->app != NULL)
        say_result(apps, ask->app, ask->app_id, state, text);
    ask->id = 0;
}

void
lp_apps_host_lost(LpAgent *agent)
{
    LpApps *apps = agent->apps;

    for (unsigned i = 0; i < LP_APPS_ASKS_MAX; i++) {
        if (apps->asks[i].id != 0)
            give_up_ask(apps, &apps->asks[i], "unreachable",
                        "the host has gone; what became of the request is not known");
    }
}

/* --- what apps-link.c calls --- */

void
lp_apps_heard(LpAgent *agent, LpApp *app, const LpWireMessage *message, int64_t now_msec)
{
    switch (message->kind) {
    case LP_WIRE_SUBSCRIBE:
        if (app->subscribed) {
            lp_app_doom(app, "subscribed twice");
            break;
        }
        app->wants = message->subscribe;
        app->subscribed = true;
        memcpy(app->name, app->wants.name, sizeof(app->name));
        lp_log_info("program %s (pid %d) has subscribed", app->name, (int)app->pid);
        break;
    case LP_WIRE_ANSWER:
        heard_answer(agent->apps, app, &message->answer);
        break;
    case LP_WIRE_ASK:
        heard_ask(agent, app, &message->ask, now_msec);
        break;
    default:
        lp_app_doom(app, "sent a message that no program sends");
        break;
    }
}

void
lp_apps_left(LpAgent *agent, LpApp *app)
{
    LpApps *apps = agent->apps;

    if (app->awaited)
        note_failure(apps, app, "has left without an answer");
    /* Its requests go on; only nobody is told what became of them. */
    for (unsigned i = 0; i < LP_APPS_ASKS_MAX; i++) {
        if (apps->asks[i].app == app)
            apps->asks[i].app = NULL;
    }
}

/* --- the loop --- */

void
lp_apps_init(LpAgent *agent)
{
    static LpApps only;
    LpApps *apps = &only;

    agent->apps = apps;
    apps->accept_at_msec = LP_NEVER;
    apps->minute_msec = lp_clock_msec();
    /* A host that has not noticed another agent's end may still answer that one's requests. */
    apps->last_ask_id = (uint64_t)apps->minute_msec << 8;
    lp_apps_listen(agent);
}

int64_t
lp_apps_deadline(const LpAgent *agent)
{
    const LpApps *apps = agent->apps;
    int64_t next = lp_apps_link_deadline(apps);

    if (apps->telling)
        next = lp_clock_earlier(next, is_waiting(apps) ? apps->deadline_msec : 0);
    for (unsigned i = 0; i < LP_APPS_ASKS_MAX; i++) {
        if (apps->asks[i].id != 0)
            next = lp_clock_earlier(next, agent->port.connected ? apps->asks[i].until_msec : 0);
    }
    return next;
}

void
lp_apps_run(LpAgent *agent, int64_t now_msec)
{
    LpApps *apps = agent->apps;

    if (!agent->port.connected)
        lp_apps_host_lost(agent);
    for (unsigned i = 0; i < LP_APPS_ASKS_MAX; i++) {
        if (apps->asks[i].id != 0 && now_msec >= apps->asks[i].until_msec)
            give_up_ask(apps, &apps->asks[i], "timed-out",
                        "the host has not said what became of the request");
    }
    lp_apps_link_run(apps, now_msec);
    lp_apps_reap(agent);
    if (!apps->telling || (is_waiting(apps) && now_msec < apps->deadline_msec))
        return;
    time_is_up(apps);
    apps->telling = false;
    apps->done(agent, apps->answer);
}

void
lp_apps_end(LpAgent *agent)
{
    LpApps *apps = agent->apps;

    for (unsigned i = 0; i < LP_APPS_MAX; i++) {
        if (apps->apps[i] != NULL)
            lp_app_doom(apps->apps[i], "");
    }
    lp_apps_reap(agent);
    if (apps->epoll_fd >= 0)
        close(apps->epoll_fd);
    if (apps->listen_fd >= 0) {
        close(apps->listen_fd);
        unlink(apps->path);
    }
    apps->epoll_fd = apps->listen_fd = -1;
}
