/* `mom`: the balloon rules of oVirt's Memory Overcommitment Manager.
 * Source: oVirt/mom doc/balloon.rules and the defaults of mom/__init__.py (3de1c8e): monitors every
 * 5 s, the policy every 10 s, averages over 10 samples.  There is no band between growing and
 * shrinking, so it circles around 20 % free on the host. */
#include "lpard/sim/rival.h"

#include <glib.h>
#include <math.h>

#define MONITOR_SEC 5
#define POLICY_EVERY 2                 /* monitor's rounds: 10 s */
#define HISTORY 10
#define PRESSURE_THRESHOLD 0.20
#define PRESSURE_CRITICAL 0.05
#define MIN_GUEST_FREE 0.20
#define MAX_CHANGE 0.05
#define MIN_CHANGE 0.0025

typedef struct {
    double sum, samples[HISTORY];
    guint n, at;
} Average;

typedef struct {
    size_t n;
    Average host_free, *current, *unused;
    guint round;
} Mom;

static double
average_add(Average *average, double value)
{
    if (average->n == HISTORY)
        average->sum -= average->samples[average->at];
    else
        average->n++;
    average->samples[average->at] = value;
    average->at = (average->at + 1) % HISTORY;
    average->sum += value;
    return average->sum / average->n;
}

static void *
mom_begin(const LpSimHost *host)
{
    Mom *mom = g_new0(Mom, 1);

    mom->n = host->n;
    mom->current = g_new0(Average, host->n + 1);
    mom->unused = g_new0(Average, host->n + 1);
    return mom;
}

static void
mom_end(void *self)
{
    Mom *mom = self;

    g_free(mom->current);
    g_free(mom->unused);
    g_free(mom);
}

/* `used`: the guest's, and its page cache, since MemFree is all that the rules see. */
static void
mom_guest(LpSimView *view, double used, double host_free)
{
    double current = (double) view->granted_bytes, max = (double) view->max_bytes, target;
    bool grow = host_free >= PRESSURE_THRESHOLD;
    double free_part = grow ? MIN_GUEST_FREE
                     : host_free <= PRESSURE_CRITICAL ? host_free - PRESSURE_CRITICAL
                     : MIN_GUEST_FREE * (host_free / PRESSURE_THRESHOLD);
    double least = fmax((double) view->min_bytes, used + free_part * current);

    if (grow)
        target = current < max ? fmin(fmax(current * (1 + MAX_CHANGE), least), max) : current;
    else
        target = fmax(current * (1 - MAX_CHANGE), least);
    bool right_way = grow ? target >= current : target <= current;
    if (right_way && fabs(target - current) > MIN_CHANGE * current)
        lp_rival_set_bytes(view, target);
    else
        lp_rival_set_bytes(view, current);
}

static void
mom_decide(void *self, LpSimHost *host)
{
    Mom *mom = self;
    bool act = ++mom->round % POLICY_EVERY == 0;
    double host_free = average_add(&mom->host_free, (double) host->host_free_bytes) /
                       fmax((double) host->host_bytes, 1);

    for (size_t i = 0; i < MIN(host->n, mom->n); i++) {
        LpSimView *view = &host->views[i];
        double current = average_add(&mom->current[i], (double) view->usable_bytes);
        double unused = average_add(&mom->unused[i], (double) view->free_bytes);

        if (act)
            mom_guest(view, current - unused, host_free);
    }
    if (act)
        lp_rival_fit(host);
}

const LpSimPolicy lp_rival_mom = {
    .name = "mom",
    .source = "oVirt/mom doc/balloon.rules, every 10 s",
    .interval_sec = MONITOR_SEC,
    .begin = mom_begin,
    .decide = mom_decide,
    .end = mom_end,
};
