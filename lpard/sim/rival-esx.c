/* `esx-tax`: VMware ESX's division of memory by shares with a tax on what is idle.
 * Source: Waldspurger, "Memory Resource Management in VMware ESX Server", OSDI'02: memory is taken
 * from whoever pays the lowest price rho = S / (P (f + k (1 - f))), k = 1 / (1 - tax), tax 75 %,
 * until 6 % are free; f, the active part, is the highest of a slow and a fast moving average
 * and the present period of 30 s; rebalanced every 15 s.  At rest all prices are equal, or a bound
 * holds: that division is worked out here.  The averages' weights are not published: 1/8, 1/2. */
#include <glib.h>
#include <math.h>

#include "lpard/sim/rival.h"

#define BALANCE_SEC 15
#define SAMPLE_EVERY 2                 /* of these: 30 s */
#define TAX 0.75
#define FREE_HIGH 0.06
#define SLOW 0.125
#define FAST 0.5
#define ROUNDS 60                      /* halvings: beyond a double's bits for any host */

typedef struct {
    double slow, fast, now;            /* active bytes */
} Active;

typedef struct {
    size_t n;
    Active *active;
    guint round;
} Esx;

static void *
esx_begin(const LpSimHost *host)
{
    Esx *esx = g_new0(Esx, 1);

    esx->n = host->n;
    esx->active = g_new0(Active, host->n + 1);
    return esx;
}

static void
esx_end(void *self)
{
    Esx *esx = self;

    g_free(esx->active);
    g_free(esx);
}

/* The size at which its price is 1 / c: S c where all of it is active; where part is idle, from
 * P (f + k (1 - f)) = k P - (k - 1) A = S c. */
static double
size_at(const LpSimView *view, double active, double c)
{
    double k = 1 / (1 - TAX), paid = view->weight * c;
    double size = paid <= active ? paid : (paid + (k - 1) * active) / k;

    return CLAMP(size, (double) view->min_bytes, (double) view->max_bytes);
}

static double
sum_at(const Esx *esx, const LpSimHost *host, double c)
{
    double sum = 0;

    for (size_t i = 0; i < host->n; i++) {
        const Active *active = &esx->active[i];

        sum += size_at(&host->views[i], fmax(active->now, fmax(active->slow, active->fast)), c);
    }
    return sum;
}

static void
esx_decide(void *self, LpSimHost *host)
{
    Esx *esx = self;
    bool period = esx->round++ % SAMPLE_EVERY == 0;
    double low = 0, high = 1;

    g_return_if_fail(host->n == esx->n);
    for (size_t i = 0; i < host->n; i++) {
        Active *active = &esx->active[i];
        double used = (double) host->views[i].used_bytes;

        if (period) {
            active->slow += SLOW * (active->now - active->slow);
            active->fast += FAST * (active->now - active->fast);
            active->now = used;
        }
        active->now = fmax(active->now, used);
        /* Idle and all, at any weight of 1 or more. */
        high = fmax(high, (double) host->views[i].max_bytes / (1 - TAX));
    }
    double capacity = (1 - FREE_HIGH) * (double) host->host_bytes;
    for (int i = 0; i < ROUNDS; i++) {
        double middle = (low + high) / 2;

        if (sum_at(esx, host, middle) > capacity)
            high = middle;
        else
            low = middle;
    }
    for (size_t i = 0; i < host->n; i++) {
        const Active *active = &esx->active[i];

        lp_rival_set_bytes(&host->views[i],
                           size_at(&host->views[i],
                                   fmax(active->now, fmax(active->slow, active->fast)), low));
    }
    lp_rival_fit(host);
}

const LpSimPolicy lp_rival_esx = {
    .name = "esx-tax",
    .source = "Waldspurger, OSDI'02: shares with an idle tax of 75 %",
    .interval_sec = BALANCE_SEC,
    .begin = esx_begin,
    .decide = esx_decide,
    .end = esx_end,
};
