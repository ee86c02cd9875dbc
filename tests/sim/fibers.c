#include "tests/sim/fibers.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <gio/gio.h>

#include "lpard/sim/chance.h"
#include "tests/sim/clock.h"

/* What a thread of glibc has by default is 8 MiB; the deepest here is SQLite's parser. */
#define STACK_BYTES (1u << 20)
#define FOREVER INT64_MAX
/* A round in which so much happens at one moment of virtual time is one that never ends. */
#define ROUNDS_AT_ONE_MOMENT 200000

typedef struct Fiber {
    ucontext_t context;
    void *stack;
    GThreadFunc func;
    void *data, *result;
    const void *waits_for;         /* a condition, a queue, a fiber; NULL: time alone */
    int64_t wake_usec;             /* FOREVER: no time ends it */
    bool ready, ended, timed_out;
    bool asleep;                   /* of its own will: death ends that */
    unsigned refs;
} Fiber;

static Fiber main_fiber, *running = &main_fiber;
static GPtrArray *fibers;          /* of Fiber*, all but main */
static GPtrArray *idle_stacks;
static uint64_t chance;
static bool dying;
static int64_t limit_usec = FOREVER;

bool
fiber_is_main(void)
{
    return running == &main_fiber;
}

static void
fiber_unref(Fiber *fiber)
{
    if (--fiber->refs == 0)
        g_free(fiber);
}

static void
run_body(void)
{
    running->result = running->func(running->data);
    running->ended = true;
    swapcontext(&running->context, &main_fiber.context);
}

static void
wake(const void *key, bool all)
{
    for (guint i = 0; i < fibers->len; i++) {
        Fiber *fiber = g_ptr_array_index(fibers, i);

        if (fiber->waits_for != key || fiber->ready)
            continue;
        fiber->ready = true;
        if (!all)
            return;
    }
    if (main_fiber.waits_for == key)
        main_fiber.ready = true;
}

/* Runs one until it waits or ends.  Fibers do not run each other: only main does. */
static void
run_fiber(Fiber *fiber)
{
    running = fiber;
    fiber->ready = false;
    fiber->waits_for = NULL;
    swapcontext(&main_fiber.context, &fiber->context);
    running = &main_fiber;
    if (!fiber->ended)
        return;
    g_ptr_array_remove_fast(fibers, fiber);
    g_ptr_array_add(idle_stacks, fiber->stack);
    wake(fiber, true);
    fiber_unref(fiber);
}

/* One of those that can go on; false: none can. */
static bool
run_one(void)
{
    Fiber *chosen = NULL;
    uint64_t n = 0;

    for (guint i = 0; i < fibers->len; i++) {
        Fiber *fiber = g_ptr_array_index(fibers, i);

        if (fiber->wake_usec <= clock_now_usec() || (dying && fiber->asleep)) {
            fiber->timed_out |= !fiber->ready;
            fiber->ready = true;
        }
        if (fiber->ready && lp_chance(&chance) % ++n == 0)
            chosen = fiber;
    }
    if (!chosen)
        return false;
    run_fiber(chosen);
    return true;
}

static int64_t
next_wake(void)
{
    int64_t usec = FOREVER;

    for (guint i = 0; i < fibers->len; i++)
        usec = MIN(usec, ((Fiber *) g_ptr_array_index(fibers, i))->wake_usec);
    return usec;
}

/* Until something is waited for, or the moment has come; false: it has.  Main's waiting stops its loop,
 * as it would the real one. */
static bool
wait_for(const void *key, int64_t until_usec)
{
    Fiber *self = running;

    self->waits_for = key;
    self->wake_usec = until_usec;
    self->ready = self->timed_out = false;
    if (self != &main_fiber) {
        swapcontext(&self->context, &main_fiber.context);
    } else {
        while (!self->ready && !self->timed_out) {
            if (run_one())
                continue;
            if (until_usec <= clock_now_usec())
                self->timed_out = true;
            else if (next_wake() == FOREVER && until_usec == FOREVER)
                g_error("everybody waits for somebody");
            else
                clock_advance_to(MIN(next_wake(), until_usec));
        }
    }
    self->wake_usec = FOREVER;
    self->waits_for = NULL;
    return !self->timed_out;
}

bool
fiber_wait(const void *key, int64_t usec)
{
    Fiber *self = running;
    bool woken;

    if (dying || usec <= 0)
        return false;
    self->asleep = true;
    woken = wait_for(key, clock_now_usec() + usec);
    self->asleep = false;
    return woken;
}

void
fiber_sleep(int64_t usec)
{
    fiber_wait(NULL, usec);
}

void
fiber_wake(const void *key)
{
    wake(key, true);
}

/* Others go on, at the same moment. */
static void
yield_turn(void)
{
    wait_for(NULL, clock_now_usec());
}

static Fiber *
fiber_new(GThreadFunc func, void *data)
{
    Fiber *fiber = g_new0(Fiber, 1);

    fiber->stack = idle_stacks->len ? g_ptr_array_steal_index(idle_stacks, idle_stacks->len - 1)
                                    : mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fiber->stack == MAP_FAILED)
        g_error("no memory for a stack");
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&fiber->context, run_body, 0);
    fiber->func = func;
    fiber->data = data;
    fiber->wake_usec = FOREVER;
    fiber->ready = true;
    fiber->refs = 2;               /* its own, and whoever started it */
    g_ptr_array_add(fibers, fiber);
    return fiber;
}

/* ---- in place of GLib's ---- */

GThread *__wrap_g_thread_new(const char *name, GThreadFunc func, gpointer data);
gpointer __wrap_g_thread_join(GThread *thread);
void __wrap_g_thread_unref(GThread *thread);
void __wrap_g_usleep(gulong usec);
void __wrap_g_mutex_lock(GMutex *mutex);
void __wrap_g_cond_wait(GCond *cond, GMutex *mutex);
gboolean __wrap_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 until_usec);
void __wrap_g_cond_signal(GCond *cond);
void __wrap_g_cond_broadcast(GCond *cond);
gpointer __wrap_g_async_queue_pop(GAsyncQueue *queue);
void __real_g_async_queue_push(GAsyncQueue *queue, gpointer data);
void __wrap_g_async_queue_push(GAsyncQueue *queue, gpointer data);
void __wrap_g_task_run_in_thread(GTask *task, GTaskThreadFunc func);

GThread *
__wrap_g_thread_new(const char *name, GThreadFunc func, gpointer data)
{
    (void) name;
    return (GThread *) fiber_new(func, data);
}

gpointer
__wrap_g_thread_join(GThread *thread)
{
    Fiber *fiber = (Fiber *) thread;
    void *result;

    while (!fiber->ended)
        wait_for(fiber, FOREVER);
    result = fiber->result;
    fiber_unref(fiber);
    return result;
}

void
__wrap_g_thread_unref(GThread *thread)
{
    fiber_unref((Fiber *) thread);
}

void
__wrap_g_usleep(gulong usec)
{
    fiber_sleep((int64_t) usec);
}

void
__wrap_g_mutex_lock(GMutex *mutex)
{
    while (!g_mutex_trylock(mutex))
        yield_turn();
}

void
__wrap_g_cond_wait(GCond *cond, GMutex *mutex)
{
    g_mutex_unlock(mutex);
    wait_for(cond, FOREVER);
    __wrap_g_mutex_lock(mutex);
}

gboolean
__wrap_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 until_usec)
{
    bool woken;

    g_mutex_unlock(mutex);
    woken = wait_for(cond, until_usec);
    __wrap_g_mutex_lock(mutex);
    return woken;
}

void
__wrap_g_cond_signal(GCond *cond)
{
    wake(cond, false);
}

void
__wrap_g_cond_broadcast(GCond *cond)
{
    wake(cond, true);
}

gpointer
__wrap_g_async_queue_pop(GAsyncQueue *queue)
{
    gpointer data;

    while (!(data = g_async_queue_try_pop(queue)))
        wait_for(queue, FOREVER);
    return data;
}

void
__wrap_g_async_queue_push(GAsyncQueue *queue, gpointer data)
{
    __real_g_async_queue_push(queue, data);
    wake(queue, false);
}

typedef struct {
    GTask *task;
    GTaskThreadFunc func;
} Errand;

/* No thread of its own: none of these waits for anything but its disk. */
static gboolean
run_errand(gpointer data)
{
    Errand *errand = data;

    errand->func(errand->task, g_task_get_source_object(errand->task),
                 g_task_get_task_data(errand->task), NULL);
    return G_SOURCE_REMOVE;
}

static void
errand_free(gpointer data)
{
    Errand *errand = data;

    g_object_unref(errand->task);
    g_free(errand);
}

void
__wrap_g_task_run_in_thread(GTask *task, GTaskThreadFunc func)
{
    Errand *errand = g_new(Errand, 1);

    *errand = (Errand){g_object_ref(task), func};
    g_timeout_add_full(G_PRIORITY_DEFAULT, (guint) lp_chance_between(&chance, 0, 5), run_errand,
                       errand, errand_free);
}

/* ---- the main loop ---- */

/* In place of poll(): where the loop would sleep, others run or time goes on. */
static gint
poll_virtual(GPollFD *fds, guint n_fds, gint timeout_msec)
{
    static int64_t moment_usec;
    static unsigned rounds;
    int64_t until_usec = timeout_msec < 0 ? FOREVER
                                          : clock_now_usec() + (int64_t) timeout_msec * 1000;
    bool ran = (timeout_msec != 0 || lp_chance(&chance) % 2) && run_one();
    int found = poll((struct pollfd *) fds, n_fds, 0);

    rounds = moment_usec == clock_now_usec() ? rounds + 1 : 0;
    moment_usec = clock_now_usec();
    if (rounds > ROUNDS_AT_ONE_MOMENT)
        g_error("time stands still at %" G_GINT64_FORMAT, (gint64) moment_usec);
    if (!ran && found == 0 && timeout_msec != 0)
        clock_advance_to(MIN(MIN(until_usec, next_wake()), limit_usec));
    return found;
}

bool
fibers_run_until(int64_t usec, bool (*done)(void))
{
    limit_usec = usec;
    while (clock_now_usec() < usec && !(done && done()))
        g_main_context_iteration(NULL, TRUE);
    limit_usec = FOREVER;
    return clock_now_usec() >= usec;
}

void
fibers_install(void)
{
    fibers = g_ptr_array_new();
    idle_stacks = g_ptr_array_new();
    g_main_context_set_poll_func(g_main_context_default(), poll_virtual);
}

void
fibers_reset(uint64_t seed)
{
    chance = seed;
    dying = false;
}

bool
fibers_dying(void)
{
    return dying;
}

void
fibers_kill(void)
{
    dying = true;
}

void
fibers_bury(void)
{
    for (;;) {
        if (run_one())
            continue;
        if (next_wake() == FOREVER)
            break;
        clock_advance_to(next_wake());
    }
    /* What is left waits for somebody who is no more. */
    if (fibers->len)
        g_error("%u threads outlive lpard", fibers->len);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    dying = false;
}
