/* Failing on purpose: counts how often each point was reached, and strikes where it was told to. */
#include "hotplug/fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES(name, text) text "-before", text "-after",
static const char *const names[LP_FAULT_POINTS] = {LP_FAULT_CALLS(NAMES) LP_FAULT_DEEDS(NAMES)};
#undef NAMES

static struct {
    LpFaultPoint point;
    LpFaultAction action;
    uint32_t msec;
    gint left;                    /* how often it is reached before it strikes; 0: not armed */
    gint struck;
} armed = {.point = LP_FAULT_POINTS};

static uint32_t *reached;
static LpFaultEffectFunc effect_func;
static void *effect_data;

const char *
lp_fault_name(LpFaultPoint point)
{
    return names[point];
}

LpFaultPoint
lp_fault_find(const char *name)
{
    for (unsigned i = 0; i < LP_FAULT_POINTS; i++)
        if (strcmp(names[i], name) == 0)
            return (LpFaultPoint) i;
    return LP_FAULT_POINTS;
}

void
lp_fault_arm(LpFaultPoint point, uint32_t nth, LpFaultAction action, uint32_t msec)
{
    g_atomic_int_set(&armed.left, 0);
    armed.point = point;
    armed.action = action;
    armed.msec = msec;
    g_atomic_int_set(&armed.struck, 0);
    g_atomic_int_set(&armed.left, (gint) nth);
}

bool
lp_fault_struck(void)
{
    return g_atomic_int_get(&armed.struck);
}

void
lp_fault_count(uint32_t *counts)
{
    g_atomic_pointer_set(&reached, counts);
}

void
lp_fault_watch_effects(LpFaultEffectFunc func, void *data)
{
    effect_func = func;
    effect_data = data;
}

void
lp_fault_tell_effect(const char *call, const char *uuid)
{
    if (effect_func)
        effect_func(call, uuid, effect_data);
}

/* A test that asked for a fault and gets none would pass for the wrong reason. */
static void G_GNUC_NORETURN
bad_wish(const char *text)
{
    g_printerr("LPARD_FAULT=%s is not POINT[:NTH][=kill|cut|hang-MSEC] with a point of "
               "hotplug/fault.h\n", text);
    exit(2);
}

static uint32_t
number(const char *text, const char *wish)
{
    guint64 value;

    if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT, &value, NULL))
        bad_wish(wish);
    return (uint32_t) value;
}

static void
read_wish(const char *wish)
{
    g_autofree char *text = g_strdup(wish);
    char *action = strchr(text, '='), *nth;
    LpFaultAction what = LP_FAULT_KILL;
    uint32_t msec = 0, count = 1;
    LpFaultPoint point;

    if (action)
        *action++ = '\0';
    nth = strchr(text, ':');
    if (nth) {
        *nth++ = '\0';
        count = number(nth, wish);
    }
    point = lp_fault_find(text);
    if (action && g_str_has_prefix(action, "hang-")) {
        what = LP_FAULT_HANG;
        msec = number(action + strlen("hang-"), wish);
    } else if (action && strcmp(action, "cut") == 0) {
        what = LP_FAULT_CUT;
    } else if (action && strcmp(action, "kill") != 0) {
        bad_wish(wish);
    }
    if (point == LP_FAULT_POINTS || (what == LP_FAULT_CUT && point >= LP_FAULT_CALL_POINTS))
        bad_wish(wish);
    lp_fault_arm(point, count, what, msec);
}

static void __attribute__((constructor))
read_environment(void)
{
    const char *wish = getenv("LPARD_FAULT");

    if (wish && *wish)
        read_wish(wish);
}

/* Whether it is this time's turn. */
static bool
strikes(LpFaultPoint point)
{
    gint left;

    if (point != armed.point)
        return false;
    do {
        left = g_atomic_int_get(&armed.left);
        if (left <= 0)
            return false;
    } while (!g_atomic_int_compare_and_exchange(&armed.left, left, left - 1));
    return left == 1;
}

bool
lp_fault_reach(LpFaultPoint point)
{
    uint32_t *counts = g_atomic_pointer_get(&reached);

    if (counts)
        __atomic_add_fetch(&counts[point], 1, __ATOMIC_RELAXED);
    if (!strikes(point))
        return false;
    g_atomic_int_set(&armed.struck, 1);
    switch (armed.action) {
    case LP_FAULT_KILL:
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    case LP_FAULT_HANG:
        g_usleep((gulong) armed.msec * 1000);
        return false;
    default:
        return true;
    }
}
