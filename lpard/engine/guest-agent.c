#include "lpard/engine/guest-agent.h"

#include <string.h>

#include "lpard/engine/engine-priv.h"

/* Between two questions.  Each costs the guest a few system calls and two wake-ups. */
#define POLL_MSEC 250
/* A guest that has not done it in this time is not waited for any longer: an emulated one needs
 * some seconds for a vCPU. */
#define PATIENCE_USEC (15 * G_USEC_PER_SEC)
/* How long it may disagree about memory with a device that is done. */
#define MEMORY_PATIENCE_USEC (3 * G_USEC_PER_SEC)

/* What a question still does is begun within this time.  With LP_QGA_CALL_SEC and one command that
 * libvirt waits for in full it then ends before LP_CALL_DEADLINE_MSEC: a guest that is slow on
 * purpose must not pass for a hypervisor that hangs, or a few such guests would stop everybody. */
#define QUESTION_USEC (5 * G_USEC_PER_SEC)

/* One question, with everything a worker needs: values only. */
typedef struct {
    char *uuid;
    bool set_cpus, online_memory;
    LpCpuMask want;
    LpQgaState state;             /* the answer */
    char *cpu_trouble, *mem_trouble;
} Question;

/* Whom to tell.  Owned by the engine, since runs may end first. */
typedef struct {
    LpEngine *engine;
    LpRun *run;                   /* NULL: has ended, or begun its leg anew */
    void (*then)(LpRun *run);     /* NULL: go on with the leg */
    int64_t asked_usec;
} Asker;

static void
question_free(void *data)
{
    Question *question = data;

    g_free(question->uuid);
    g_free(question->cpu_trouble);
    g_free(question->mem_trouble);
    g_free(question);
}

/* --- in the worker --- */

/* An answer that is a refusal is the guest's word; no answer at all is trouble with the agent. */
static bool
keep_refusal(GError *inner, char **ret_trouble, GError **error)
{
    if (g_error_matches(inner, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED)
        || g_error_matches(inner, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED)) {
        *ret_trouble = g_strdup(inner->message);
        g_error_free(inner);
        return true;
    }
    g_propagate_error(error, inner);
    return false;
}

static bool
question_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    Question *question = data;
    LpQgaState *state = &question->state;
    int64_t until_usec = g_get_monotonic_time() + QUESTION_USEC;
    bool acted = false;
    GError *inner = NULL;

    if (!driver->qga_look(conn, question->uuid, state, error))
        return false;
    if (question->set_cpus && g_get_monotonic_time() < until_usec
        && !(state->ids_known && lp_cpumask_equal(&state->online, &question->want))) {
        acted = true;
        if (!driver->qga_set_vcpus(conn, question->uuid, &question->want, &inner)
            && !keep_refusal(inner, &question->cpu_trouble, error))
            return false;
    }
    inner = NULL;
    if (question->online_memory && state->offline_bytes
        && g_get_monotonic_time() < until_usec) {
        acted = true;
        if (!driver->qga_online_memory(conn, question->uuid, &inner)
            && !keep_refusal(inner, &question->mem_trouble, error))
            return false;
    }
    /* What was seen before stands: the next question tells what came of it. */
    return !acted || g_get_monotonic_time() >= until_usec
           || driver->qga_look(conn, question->uuid, state, error);
}

/* --- asking --- */

/* Told once each. */
static void
remark(LpRun *run, const char *why, const char *instead)
{
    g_autofree char *text = g_strdup_printf("%s: the device's word is taken for the guest's%s", why,
                                            instead);

    for (guint i = 0; i < run->operation->remarks->len; i++)
        if (g_str_equal(g_ptr_array_index(run->operation->remarks, i), text))
            return;
    g_ptr_array_add(run->operation->remarks, g_steal_pointer(&text));
}

static void
remark_cpus(LpRun *run, const char *why)
{
    bool held = run->partition && run->partition->view->cgroup != LP_CGROUP_NONE;

    remark(run, why, held ? ", and the quota holds it to its vCPUs" : "");
}

static void
give_up(LpRun *run, const char *why)
{
    run->qga.given_up = true;
    if (run->partition)
        run->partition->qga_known = false;
    remark_cpus(run, why);
}

static void
take_trouble(char **kept, char **news)
{
    g_free(*kept);
    *kept = g_steal_pointer(news);
}

static void
take_answer(LpRun *run, Question *question, int64_t asked_usec)
{
    LpRunQga *qga = &run->qga;

    if (question->state.online_bytes != qga->state.online_bytes
        || !lp_cpumask_equal(&question->state.online, &qga->state.online))
        run->progress_usec = g_get_monotonic_time();
    qga->state = question->state;
    qga->state_usec = asked_usec;
    take_trouble(&qga->cpu_trouble, &question->cpu_trouble);
    take_trouble(&qga->mem_trouble, &question->mem_trouble);
    if (run->partition) {
        run->partition->qga = question->state;
        run->partition->qga_known = true;
    }
}

static uint64_t
block_bytes(const LpQgaState *state)
{
    return state->online_bytes + state->offline_bytes;
}

static void
answered(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    Asker *asker = user;
    LpRun *run = asker->run;
    void (*then)(LpRun *) = asker->then;
    int64_t asked_usec = asker->asked_usec;

    g_ptr_array_remove_fast(asker->engine->askers, asker);
    if (!run)
        return;
    run->qga.busy = false;
    run->partition = lp_registry_by_uuid(run->engine->registry, lp_run_leg_now(run)->uuid);
    if (ok && !abandoned)
        take_answer(run, data, asked_usec);
    else
        give_up(run, error ? error->message : "qemu-guest-agent does not answer");
    if (!then) {
        lp_run_pump(run);
        return;
    }
    run->qga.used = run->qga.state_usec && !run->qga.given_up;
    run->qga.start_block_bytes = block_bytes(&run->qga.state);
    if (run->partition)
        run->qga.start_plugged_bytes = lp_view_plugged_bytes(run->partition->view);
    run->waiting = false;
    then(run);
}

static void
ask(LpRun *run, Question *question, void (*then)(LpRun *))
{
    Asker *asker = g_new0(Asker, 1);

    asker->engine = run->engine;
    asker->run = run;
    asker->then = then;
    asker->asked_usec = run->qga.asked_usec = g_get_monotonic_time();
    g_ptr_array_add(run->engine->askers, asker);
    question->uuid = g_strdup(run->partition->uuid);
    run->qga.busy = true;
    lp_registry_call(run->engine->registry, run->partition, question_job, question,
                     question_free, LP_CALL_DEADLINE_MSEC, answered, asker);
}

static bool
is_there(const LpRun *run)
{
    return run->partition && !run->partition->guest.connected
           && run->partition->view->qga_connected
           && run->partition->view->run == LP_RUN_RUNNING && !run->qga.given_up;
}

bool
lp_run_qga_first(LpRun *run, void (*then)(LpRun *))
{
    const LpTarget *target = &lp_run_leg_now(run)->target;

    if (run->qga.looked || !is_there(run) || (!target->has_cpu && !target->has_mem))
        return false;
    run->qga.looked = true;
    run->waiting = true;
    ask(run, g_new0(Question, 1), then);
    return true;
}

/* --- its end --- */

void
lp_run_qga_drop(LpRun *run)
{
    for (guint i = 0; i < run->engine->askers->len; i++) {
        Asker *asker = g_ptr_array_index(run->engine->askers, i);

        if (asker->run == run)
            asker->run = NULL;
    }
    if (run->qga.poll_source)
        g_source_remove(run->qga.poll_source);
    g_free(run->qga.cpu_trouble);
    g_free(run->qga.mem_trouble);
    memset(&run->qga, 0, sizeof run->qga);
}

void
lp_run_qga_reset(LpRun *run)
{
    lp_run_qga_drop(run);
}

/* --- while steps wait --- */

bool
lp_run_qga_used(const LpRun *run)
{
    return run->qga.used && run->partition && !run->partition->guest.connected;
}

static bool
waits_for_guest(const LpRun *run, Question *question)
{
    const LpLeg *leg = lp_run_leg_now(run);
    bool any = false;

    for (uint32_t i = 0; i < run->next; i++) {
        const LpStep *step = &leg->plan->steps[i];
        bool memory = step->kind == LP_STEP_VIRTIO_MEM || step->kind == LP_STEP_DIMM_ADD;

        if (leg->progress[i].state != LP_STEPSTATE_ASKED)
            continue;
        question->set_cpus |= step->kind == LP_STEP_FOLD || step->kind == LP_STEP_PLUG_VCPU;
        question->online_memory |= memory && !step->release;
        any |= memory || question->set_cpus;
    }
    question->want = leg->plan->run_after;
    return any;
}

static gboolean
on_poll(gpointer data)
{
    LpRun *run = data;

    run->qga.poll_source = 0;
    lp_run_qga_poll(run);
    return G_SOURCE_REMOVE;
}

void
lp_run_qga_poll(LpRun *run)
{
    Question *question;
    int64_t since_usec = g_get_monotonic_time() - run->qga.asked_usec;

    /* A partition that hangs answers at once, by the pump that may be what called here. */
    if (!lp_run_qga_used(run) || !is_there(run) || run->partition->stuck || run->qga.busy
        || run->qga.poll_source || run->waiting || run->stop)
        return;
    question = g_new0(Question, 1);
    if (!waits_for_guest(run, question)) {
        question_free(question);
        return;
    }
    /* The question before the plan is none to keep a distance from. */
    if (run->qga.polled && since_usec < POLL_MSEC * G_TIME_SPAN_MILLISECOND) {
        question_free(question);
        run->qga.poll_source =
            g_timeout_add(POLL_MSEC - (guint) (since_usec / G_TIME_SPAN_MILLISECOND), on_poll, run);
        return;
    }
    run->qga.polled = true;
    ask(run, question, NULL);
}

/* Why nothing more is to be hoped for from it, or NULL. */
static const char *
hopeless(const LpRun *run, int64_t asked_usec)
{
    if (run->qga.given_up)
        return "qemu-guest-agent does not answer";
    if (!is_there(run))
        return "qemu-guest-agent went away";
    if (run->qga.cpu_trouble && run->qga.state_usec > asked_usec)
        return run->qga.cpu_trouble;
    if (g_get_monotonic_time() - asked_usec > PATIENCE_USEC)
        return "qemu-guest-agent does not bring the vCPUs to what they should be";
    return NULL;
}

/* Without a quota to hold them, vCPUs that were not folded stay granted. */
static LpStepState
leave_to_quota(LpRun *run, const LpStep *step, LpStepProgress *progress, const char *why)
{
    LpLeg *leg = lp_run_leg_now(run);
    LpCpuMask stayed;

    remark_cpus(run, why);
    if (!step->release || run->partition->view->cgroup != LP_CGROUP_NONE)
        return LP_STEPSTATE_CONFIRMED;
    stayed = run->partition->view->plugged;
    for (int c = lp_cpumask_next(&step->cpus, 0); c >= 0;
         c = lp_cpumask_next(&step->cpus, c + 1u))
        lp_cpumask_remove(&stayed, (unsigned) c);
    g_free(progress->message);
    progress->message = g_strdup(why);
    lp_plan_keep_vcpus(leg->plan, &run->bounds, &leg->target, &stayed);
    return LP_STEPSTATE_PARTIAL;
}

LpStepState
lp_run_qga_fold(LpRun *run, const LpStep *step, LpStepProgress *progress)
{
    const LpRunQga *qga = &run->qga;
    const char *why;

    /* Only what it says after it was told counts. */
    if (qga->state_usec > progress->asked_usec && qga->state.ids_known
        && (step->release ? lp_cpumask_equal(&qga->state.online, &step->cpus)
                          : lp_cpumask_covers(&qga->state.online, &step->cpus)))
        return LP_STEPSTATE_CONFIRMED;
    why = hopeless(run, progress->asked_usec);
    return why ? leave_to_quota(run, step, progress, why) : LP_STEPSTATE_ASKED;
}

LpStepState
lp_run_qga_vcpu(LpRun *run, const LpStep *step, const LpStepProgress *progress)
{
    const LpRunQga *qga = &run->qga;
    const char *why;

    if (qga->state_usec > progress->asked_usec && qga->state.ids_known
        && lp_cpumask_has(&qga->state.online, step->vcpu))
        return LP_STEPSTATE_CONFIRMED;
    /* The guest's kernel may have a rule of its own that brings vCPUs online: then their number
     * tells as much, where ids do not. */
    if (qga->state_usec > progress->asked_usec && !qga->state.ids_known
        && lp_cpumask_count(&qga->state.online)
               == lp_cpumask_count(&lp_run_leg_now(run)->plan->run_after))
        return LP_STEPSTATE_CONFIRMED;
    why = hopeless(run, progress->asked_usec);
    if (!why)
        return LP_STEPSTATE_ASKED;
    remark_cpus(run, why);
    return LP_STEPSTATE_CONFIRMED;
}

/* The guest's blocks have changed by what was to move, and of what came none is offline.  In each
 * cell a block may hold memory in part, so less than that is nothing to go by. */
static bool
agrees_on_memory(const LpRun *run)
{
    const LpRunQga *qga = &run->qga;
    int64_t moved = (int64_t) lp_run_leg_now(run)->plan->mem_after_bytes
                    - (int64_t) qga->start_plugged_bytes;
    int64_t seen = (int64_t) block_bytes(&qga->state) - (int64_t) qga->start_block_bytes;
    int64_t slack = (int64_t) qga->state.block_bytes * MAX(run->partition->view->n_cells, 1);

    return qga->state.has_blocks && (moved < 0 || qga->state.offline_bytes == 0)
           && seen > moved - slack && seen < moved + slack;
}

bool
lp_run_qga_memory_pending(LpRun *run, int64_t quiet_usec)
{
    LpRunQga *qga = &run->qga;

    if (!lp_run_qga_used(run) || qga->memory_agrees)
        return false;
    /* Asked after the last thing moved, and so after the device was done. */
    if (qga->state_usec > run->progress_usec && agrees_on_memory(run)) {
        qga->memory_agrees = true;
        return false;
    }
    if (is_there(run) && qga->state.has_blocks && quiet_usec < MEMORY_PATIENCE_USEC)
        return true;
    remark(run, qga->given_up     ? "qemu-guest-agent does not answer"
                : !is_there(run)  ? "qemu-guest-agent went away"
                : qga->mem_trouble ? qga->mem_trouble
                                  : "qemu-guest-agent does not say the same of memory", "");
    return false;
}

LpConfirm
lp_run_qga_level(const LpRun *run, bool cpu, bool memory)
{
    const LpRunQga *qga = &run->qga;

    if (qga->given_up
        || (cpu && lp_cpumask_count(&qga->state.online)
                       != lp_partition_granted_cpus(run->partition))
        || (memory && !qga->memory_agrees))
        return LP_CONFIRM_DEVICE;
    return LP_CONFIRM_QGA;
}

void
lp_run_qga_note(const LpRun *run, LpLeg *leg)
{
    if (lp_run_qga_used(run) && !run->qga.given_up)
        leg->usable_cpu = lp_cpumask_count(&run->qga.state.online);
}
