/* The settings of autoscaling as a value: names, defaults, bounds by the clock. */
#include "policy/autoscale.h"

#include <string.h>

#define MINUTES_PER_DAY 1440
#define DAYS_PER_WEEK 7

const char *const lp_mode_names[LP_MODES] = { "off", "advise", "auto", "host" };
const char *const lp_goal_names[LP_GOALS] = { "latency", "balanced", "density" };

void
lp_autoscale_init(LpAutoscale *ret)
{
    memset(ret, 0, sizeof(*ret));
    /* Nothing moves by itself where nobody has said so. */
    ret->mode = LP_MODE_OFF;
    ret->goal = LP_GOAL_BALANCED;
    ret->priority = LP_PRIORITY_DEFAULT;
}

/* A bound that is not given has no amount to differ in. */
static bool
schedule_equal(const LpSchedule *a, const LpSchedule *b)
{
    return a->days == b->days && a->from_minute == b->from_minute &&
           a->to_minute == b->to_minute && a->has_cpu_min == b->has_cpu_min &&
           a->has_cpu_max == b->has_cpu_max && a->has_mem_min == b->has_mem_min &&
           a->has_mem_max == b->has_mem_max && (!a->has_cpu_min || a->cpu_min == b->cpu_min) &&
           (!a->has_cpu_max || a->cpu_max == b->cpu_max) &&
           (!a->has_mem_min || a->mem_min_bytes == b->mem_min_bytes) &&
           (!a->has_mem_max || a->mem_max_bytes == b->mem_max_bytes);
}

bool
lp_autoscale_equal(const LpAutoscale *a, const LpAutoscale *b)
{
    if (a->mode != b->mode || a->goal != b->goal || a->priority != b->priority ||
        a->entitled_bytes != b->entitled_bytes || a->release_sec != b->release_sec ||
        a->n_schedules != b->n_schedules)
        return false;
    for (uint32_t i = 0; i < a->n_schedules && i < LP_SCHEDULES_MAX; i++) {
        if (!schedule_equal(&a->schedules[i], &b->schedules[i]))
            return false;
    }
    return true;
}

bool
lp_autoscale_is_default(const LpAutoscale *autoscale)
{
    LpAutoscale usual;

    lp_autoscale_init(&usual);
    return lp_autoscale_equal(autoscale, &usual);
}

/* The day is that of the beginning: what began on Friday evening still holds on Saturday's
 * morning, whatever is said of Saturdays. */
bool
lp_schedule_holds(const LpSchedule *schedule, LpWallTime time)
{
    unsigned yesterday = (time.weekday + DAYS_PER_WEEK - 1) % DAYS_PER_WEEK;
    bool today_is_in, yesterday_is_in;

    if (time.weekday >= DAYS_PER_WEEK || time.minute >= MINUTES_PER_DAY)
        return false;
    today_is_in = schedule->days >> time.weekday & 1;
    yesterday_is_in = schedule->days >> yesterday & 1;
    if (schedule->to_minute > schedule->from_minute)
        return today_is_in && time.minute >= schedule->from_minute &&
               time.minute < schedule->to_minute;
    return (today_is_in && time.minute >= schedule->from_minute) ||
           (yesterday_is_in && time.minute < schedule->to_minute);
}

static uint64_t
clamp(uint64_t amount, uint64_t least, uint64_t most)
{
    if (amount > most)
        amount = most;
    return amount < least ? least : amount;
}

void
lp_schedule_bounds(const LpAutoscale *autoscale, LpWallTime time, LpScaleBounds *bounds)
{
    const LpScaleBounds own = *bounds;

    bounds->scheduled = false;
    for (uint32_t i = 0; i < autoscale->n_schedules && i < LP_SCHEDULES_MAX; i++) {
        const LpSchedule *schedule = &autoscale->schedules[i];

        if (!lp_schedule_holds(schedule, time))
            continue;
        bounds->scheduled = true;
        if (schedule->has_cpu_min)
            bounds->cpu_min = (uint32_t) clamp(schedule->cpu_min, own.cpu_min, own.cpu_max);
        if (schedule->has_cpu_max)
            bounds->cpu_max = (uint32_t) clamp(schedule->cpu_max, own.cpu_min, own.cpu_max);
        if (schedule->has_mem_min)
            bounds->mem_min_bytes =
                clamp(schedule->mem_min_bytes, own.mem_min_bytes, own.mem_max_bytes);
        if (schedule->has_mem_max)
            bounds->mem_max_bytes =
                clamp(schedule->mem_max_bytes, own.mem_min_bytes, own.mem_max_bytes);
    }
    if (bounds->cpu_max < bounds->cpu_min)
        bounds->cpu_max = bounds->cpu_min;
    if (bounds->mem_max_bytes < bounds->mem_min_bytes)
        bounds->mem_max_bytes = bounds->mem_min_bytes;
}
