/* `qmemman`: the balancer of Qubes OS.
 * Source: QubesOS/qubes-core-admin qubes/qmemman/{algo,systemstate}.py, etc/qmemman.conf (1ad5f9b).
 * Each prefers 1.3 times what it uses; what is over is given in proportion to that.  Guests report
 * every second here, where each report starts a round.
 *
 * When short, what is free less what the donors are to give is divided (the sign is the source's):
 * so donors give in one round, and acceptors receive in a later one. */
#include <glib.h>
#include <math.h>

#include "lpard/sim/rival.h"

#define CACHE_FACTOR 1.3
#define PREF_MIN (200.0 * LP_RIVAL_MIB)
#define FREE_LEFT (50.0 * LP_RIVAL_MIB)
#define SPARE_MIN (10.0 * LP_RIVAL_MIB)
#define ROUNDING 0.999
#define TOTAL_TRANSFER_MIN (150.0 * LP_RIVAL_MIB)
#define UNDER_PREF_MIN (15.0 * LP_RIVAL_MIB)
#define NO_PROGRESS_SEC 5              /* BALLOON_DELAY gives 0.5 s; a guest here is slower */

typedef struct {
    double pref, actual, target;
    bool out;                          /* no progress: left out */
} Domain;

typedef struct {
    guint idle_sec;
    uint64_t last;
    bool out;
} Past;

typedef struct {
    size_t n;
    Past *past;
} Qmemman;

static void *
qmemman_begin(const LpSimHost *host)
{
    Qmemman *qmemman = g_new0(Qmemman, 1);

    qmemman->n = host->n;
    qmemman->past = g_new0(Past, host->n + 1);
    return qmemman;
}

static void
qmemman_end(void *self)
{
    Qmemman *qmemman = self;

    g_free(qmemman->past);
    g_free(qmemman);
}

/* What maxima cut off is split evenly among those who can still take some. */
static void
spread_left(const LpSimHost *host, Domain *domains, double left)
{
    for (int round = 0; left > LP_RIVAL_MIB && round < 64; round++) {
        size_t takers = 0;

        for (size_t i = 0; i < host->n; i++)
            takers += !domains[i].out && domains[i].target < (double) host->views[i].max_bytes;
        if (takers == 0)
            return;
        double each = ROUNDING * left / (double) takers;
        left = 0;
        for (size_t i = 0; i < host->n; i++) {
            double max = (double) host->views[i].max_bytes;

            if (domains[i].out || domains[i].target >= max)
                continue;
            left += fmax(0, domains[i].target + each - max);
            domains[i].target = fmin(domains[i].target + each, max);
        }
    }
}

static void
balance_enough(const LpSimHost *host, Domain *domains, double sum_pref, double available)
{
    double left = 0;

    for (size_t i = 0; i < host->n; i++) {
        double max = (double) host->views[i].max_bytes;

        if (domains[i].out)
            continue;
        double target = ROUNDING * (domains[i].pref + domains[i].pref / sum_pref * available);
        left += fmax(0, target - max);
        domains[i].target = fmin(target, max);
    }
    spread_left(host, domains, left);
}

static void
balance_low(const LpSimHost *host, Domain *domains, double xen_free)
{
    double squeezed = xen_free, sum_pref = 0;

    for (size_t i = 0; i < host->n; i++) {
        double spare = domains[i].actual - domains[i].pref;
        bool donor = spare > 0 || domains[i].actual >= (double) host->views[i].max_bytes;

        if (domains[i].out)
            continue;
        if (!donor) {
            sum_pref += domains[i].pref;
        } else if (spare >= SPARE_MIN) {
            squeezed -= spare;
            domains[i].target = domains[i].pref;
        }
    }
    if (squeezed < 0)
        return;
    for (size_t i = 0; i < host->n; i++) {
        double max = (double) host->views[i].max_bytes;

        if (!domains[i].out && domains[i].actual <= domains[i].pref && domains[i].actual < max)
            domains[i].target =
                fmin(ROUNDING * (domains[i].actual + domains[i].pref / sum_pref * squeezed), max);
    }
}

/* Whether the change is worth the trouble. */
static bool
worth(const LpSimHost *host, const Domain *domains, double xen_free)
{
    double moved = fabs(xen_free);

    if (xen_free < -UNDER_PREF_MIN)
        return true;
    for (size_t i = 0; i < host->n; i++) {
        if (domains[i].actual < domains[i].pref &&
            domains[i].target - domains[i].actual > UNDER_PREF_MIN)
            return true;
        moved += fabs(domains[i].target - domains[i].actual);
    }
    return moved > TOTAL_TRANSFER_MIN;
}

/* One that is asked to give and does not. */
static void
qmemman_watch(Past *past, const LpSimView *view)
{
    bool asked = view->target_bytes + LP_RIVAL_MIB < view->granted_bytes || view->moving;

    if (view->granted_bytes != past->last || !asked)
        past->idle_sec = 0;
    else
        past->idle_sec++;
    past->last = view->granted_bytes;
    past->out = past->idle_sec >= NO_PROGRESS_SEC;
}

static void
qmemman_decide(void *self, LpSimHost *host)
{
    Qmemman *qmemman = self;
    g_autofree Domain *domains = g_new0(Domain, host->n + 1);
    double xen_free = (double) host->host_free_bytes - FREE_LEFT;
    double available = xen_free, sum_pref = 0;

    g_return_if_fail(host->n == qmemman->n);
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];
        double used = CACHE_FACTOR * (double) view->used_bytes;

        qmemman_watch(&qmemman->past[i], view);
        domains[i].out = qmemman->past[i].out;
        domains[i].pref = fmax(fmin(used, (double) view->max_bytes), PREF_MIN);
        domains[i].pref = (double) lp_rival_bytes(view, domains[i].pref);
        domains[i].actual = domains[i].target = (double) view->granted_bytes;
        if (domains[i].out)
            continue;
        available -= domains[i].pref - domains[i].actual;
        sum_pref += domains[i].pref;
    }
    if (available > 0)
        balance_enough(host, domains, sum_pref, available);
    else
        balance_low(host, domains, xen_free);
    bool act = worth(host, domains, xen_free);
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];

        view->target_bytes =
            act ? lp_rival_bytes(view, domains[i].target) : view->granted_bytes;
        /* What is over is handed out too, and is not what it was to have. */
        view->needs_bytes = lp_rival_bytes(view, domains[i].pref);
    }
    lp_rival_fit(host);
}

const LpSimPolicy lp_rival_qmemman = {
    .name = "qmemman",
    .source = "QubesOS/qubes-core-admin qubes/qmemman/algo.py",
    .interval_sec = 1,
    .begin = qmemman_begin,
    .decide = qmemman_decide,
    .end = qmemman_end,
};
