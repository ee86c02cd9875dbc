#include "agent/hooks.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/files.h"
#include "agent/hookdir.h"
#include "agent/log.h"
#include "agent/text.h"
#include "agent/wire/words.h"

/* Less than this is no time for a script: a shell alone takes some milliseconds, in an emulated
 * guest some 50. */
#define LP_HOOKS_LEAST_MSEC 100
#define LP_HOOKS_ENV 12
#define LP_HOOKS_ENV_TEXT 80

enum { CPU, MEM, CAPACITY, RESOURCES };
static const char *const resource_names[RESOURCES] = { "cpu", "mem", "capacity" };

typedef struct {
    bool has;
    uint64_t from, to;
} LpAmount;

/* One run at a time: phases come one after the other. */
static struct {
    LpHook hooks[LP_HOOKS_MAX];
    unsigned n;
    uint64_t pre_id;                   /* the resize that hooks[].pre_ran are of; 0: none */
    uint64_t warned_id;                /* whose files were complained of: once a resize */
    const LpWirePhase *phase;          /* NULL: nothing runs */
    LpWireAnswer *answer;
    LpHooksDone done;
    int64_t deadline_msec, timeout_msec;
    bool cancelled;
    unsigned position;                 /* the next: resource * n + hook, counted in its direction */
    unsigned resource;                 /* at work */
    LpHook *hook;
    char path[LP_PATH_MAX];
    char env_text[LP_HOOKS_ENV][LP_HOOKS_ENV_TEXT];
    char *env[LP_HOOKS_ENV + 1];
    char *argv[5];
} run;

static LpAmount
amount_of(const LpWirePhase *phase, unsigned resource)
{
    switch (resource) {
    case CPU:
        return (LpAmount){ phase->has_cpu, phase->cpu_from, phase->cpu_to };
    case MEM:
        return (LpAmount){ phase->has_mem, phase->mem_from_bytes, phase->mem_to_bytes };
    default:
        return (LpAmount){ phase->has_units, phase->units_from_centi, phase->units_to_centi };
    }
}

/* What has not moved in the end is what was meant to, by the `pre` that came before. */
static bool
acquires(const LpAgent *agent, unsigned resource)
{
    LpAmount amount = amount_of(run.phase, resource);

    if (amount.from == amount.to && agent->phases.pre.id == run.phase->id)
        amount = amount_of(&agent->phases.pre, resource);
    return amount.to > amount.from;
}

/* Only the first is told; of CHECK and PRE it is the veto. */
static void
blame(const char *reason)
{
    LpWireAnswer *answer = run.answer;

    if (lp_wire_phase_asks(run.phase->phase) ? answer->verdict == LP_WIRE_ANSWER_VETO : answer->by[0] != '\0')
        return;
    if (lp_wire_phase_asks(run.phase->phase))
        answer->verdict = LP_WIRE_ANSWER_VETO;
    snprintf(answer->by, sizeof(answer->by), "hook %.*s", (int)sizeof(answer->by) - 6,
             run.hook->name);
    snprintf(answer->reason, sizeof(answer->reason), "%s", reason);
}

static void
say_late(char *text, size_t size)
{
    if (run.timeout_msec < 1000)
        snprintf(text, size, "did not answer within %d ms", (int)run.timeout_msec);
    else
        snprintf(text, size, "did not answer within %d s", (int)(run.timeout_msec / 1000));
}

static __attribute__((format(printf, 2, 3))) void
add_env(unsigned *n, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(run.env_text[*n], LP_HOOKS_ENV_TEXT, format, args);
    va_end(args);
    run.env[*n] = run.env_text[*n];
    run.env[++*n] = NULL;
}

static void
make_arguments(const LpAgent *agent)
{
    LpAmount amount = amount_of(run.phase, run.resource);
    const char *phase = lp_wire_phase_names[run.phase->phase];
    const char *action = acquires(agent, run.resource) ? "acquire" : "release";
    uint64_t difference = amount.to > amount.from ? amount.to - amount.from :
                                                    amount.from - amount.to;
    unsigned n = 0;

    add_env(&n, "LPAR_PHASE=%s", phase);
    add_env(&n, "LPAR_ACTION=%s", action);
    add_env(&n, "LPAR_RESOURCE=%s", resource_names[run.resource]);
    add_env(&n, "LPAR_FROM=%llu", (unsigned long long)amount.from);
    add_env(&n, "LPAR_TO=%llu", (unsigned long long)amount.to);
    add_env(&n, "LPAR_AMOUNT=%llu", (unsigned long long)difference);
    add_env(&n, "LPAR_DEADLINE=%d",
            run.timeout_msec < 1000 ? 1 : (int)(run.timeout_msec / 1000));
    add_env(&n, "LPAR_FORCE=%d", run.phase->force ? 1 : 0);
    add_env(&n, "LPAR_OPERATION=%llu", (unsigned long long)run.phase->id);
    add_env(&n, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    add_env(&n, "LC_ALL=C");
    add_env(&n, "HOME=/");
    run.argv[0] = run.path;
    /* execve() does not write to them. */
    run.argv[1] = run.env_text[0] + strlen("LPAR_PHASE=");
    run.argv[2] = run.env_text[1] + strlen("LPAR_ACTION=");
    run.argv[3] = run.env_text[2] + strlen("LPAR_RESOURCE=");
    run.argv[4] = NULL;
}

/* The next that is to be run, in run.hook and run.resource. */
static bool
pick(void)
{
    bool undo = run.phase->phase == LP_WIRE_PHASE_UNDO;
    unsigned total = RESOURCES * run.n;

    while (run.position < total) {
        unsigned place = undo ? total - 1 - run.position : run.position;
        LpAmount amount;

        run.position++;
        run.resource = place / run.n;
        run.hook = &run.hooks[place % run.n];
        amount = amount_of(run.phase, run.resource);
        if (!amount.has || (lp_wire_phase_asks(run.phase->phase) && amount.from == amount.to) ||
            (undo && (run.hook->pre_ran & 1u << run.resource) == 0))
            continue;
        return true;
    }
    return false;
}

static void on_end(LpAgent *agent, const LpChildEnd *end, void *data);

/* Whether one was started; else there is none left that can be. */
static bool
start_next(LpAgent *agent)
{
    while (!run.cancelled && pick()) {
        LpChildSpec spec = {
            .path = run.path, .argv = run.argv, .envp = run.env, .done = on_end, .data = &run,
        };
        const char *problem = lp_hookdir_check(agent->conf.hooks_dir, run.hook->name);
        int64_t left = run.deadline_msec - lp_clock_msec();

        if (problem != NULL) {
            lp_log_warn("hook %s is left out: %s", run.hook->name, problem);
            continue;
        }
        if (left < LP_HOOKS_LEAST_MSEC) {
            lp_log_warn("hook %s and those after it are left out: no time left", run.hook->name);
            blame("no time left");
            return false;
        }
        run.timeout_msec = agent->conf.hook_timeout_msec < left ? agent->conf.hook_timeout_msec :
                                                                  left;
        snprintf(run.path, sizeof(run.path), "%s/%s", agent->conf.hooks_dir, run.hook->name);
        make_arguments(agent);
        spec.timeout_msec = run.timeout_msec;
        if (lp_child_run(agent, &spec))
            return true;
        lp_log_warn("hook %s cannot be run: too much waits already", run.hook->name);
        blame("cannot be run: too much waits already");
        if (lp_wire_phase_asks(run.phase->phase) && !run.phase->force)
            return false;
    }
    return false;
}

/* Whether the file is at fault, not the moment: such a hook counts as not there. */
static bool
is_no_program(int error)
{
    return error == ENOEXEC || error == ENOENT || error == EACCES || error == ENOTDIR ||
           error == ELOOP || error == EINVAL || error == ELIBBAD || error == ETXTBSY;
}

/* False if all is well; else what is not. */
static bool
find_fault(const LpChildEnd *end, char *reason, size_t size)
{
    if (end->started && end->timed_out)
        say_late(reason, size);
    else if (end->error == ECANCELED)
        snprintf(reason, size, "could not be run in time");
    else if (!end->started)
        snprintf(reason, size, "cannot be started: %s", strerror(end->error));
    else if (end->flooded)
        snprintf(reason, size, "printed more than %d KiB", LP_CHILD_FLOOD_BYTES / 1024);
    else if (end->signalled)
        snprintf(reason, size, "was ended by signal %d (%s)", end->code, strsignal(end->code));
    else if (end->code != 0)
        lp_text_clean(reason, size, end->last_line);
    else
        return false;
    if (reason[0] == '\0')
        snprintf(reason, size, "exit status %d", end->code);
    return true;
}

static void
finish(LpAgent *agent)
{
    LpWireAnswer *answer = run.answer;

    run.phase = NULL;
    run.done(agent, answer);
}

static void
on_end(LpAgent *agent, const LpChildEnd *end, void *data)
{
    char reason[LP_WIRE_TEXT_MAX];
    bool veto = false;

    (void)data;
    if (end->started && run.phase->phase == LP_WIRE_PHASE_PRE)
        run.hook->pre_ran |= 1u << run.resource;
    if (!end->started && is_no_program(end->error)) {
        lp_log_warn("hook %s is left out: cannot be started: %s", run.hook->name,
                    strerror(end->error));
    } else if (find_fault(end, reason, sizeof(reason))) {
        lp_log_warn("hook %s (%s %s %s): %s", run.hook->name, run.argv[1], run.argv[2],
                    run.argv[3], reason);
        blame(reason);
        veto = lp_wire_phase_asks(run.phase->phase) && !run.phase->force;
    } else {
        lp_log_info("hook %s (%s %s %s): done", run.hook->name, run.argv[1], run.argv[2],
                    run.argv[3]);
    }
    if (veto || !start_next(agent))
        finish(agent);
}

bool
lp_hooks_run(LpAgent *agent, const LpWirePhase *phase, int64_t deadline_msec,
             LpWireAnswer *answer, LpHooksDone done)
{
    if ((agent->conf.forbid & LP_WIRE_ACT_HOOKS) != 0)
        return false;
    /* UNDO is for those that PRE found, whatever the directory holds by now. */
    if (phase->phase != LP_WIRE_PHASE_UNDO) {
        run.n = lp_hookdir_read(agent->conf.hooks_dir, run.hooks, phase->id != run.warned_id);
        run.warned_id = phase->id;
        run.pre_id = phase->phase == LP_WIRE_PHASE_PRE ? phase->id : 0;
    } else if (run.pre_id != phase->id) {
        return false;
    }
    run.phase = phase;
    run.answer = answer;
    run.done = done;
    run.deadline_msec = deadline_msec;
    run.cancelled = false;
    run.position = 0;
    if (start_next(agent))
        return true;
    run.phase = NULL;
    return false;
}

void
lp_hooks_cancel(LpAgent *agent, LpWireAnswer *answer)
{
    char reason[LP_WIRE_TEXT_MAX];

    if (run.phase == NULL)
        return;
    run.answer = answer;
    run.cancelled = true;
    if (lp_child_cancel(agent, &run))
        say_late(reason, sizeof(reason));
    else
        snprintf(reason, sizeof(reason), "could not be run in time: another helper is at work");
    blame(reason);
}
