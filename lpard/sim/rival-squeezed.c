/* `squeezed`: XAPI's memory balancer.
 * Source: xapi-project/xen-api ocaml/squeezed/lib/squeeze.ml, src/squeeze_xen.ml (e2ee48d).  All
 * get the same fraction of the way from their minimum to their maximum; what a guest needs is
 * not asked.  Donors first, the others when that is done; who does not move for 5 s is left out. */
#include <glib.h>
#include <math.h>

#include "lpard/sim/rival.h"

#define BALANCE_SEC 10
#define HOST_TARGET (72 * LP_RIVAL_MIB)        /* emergency pool and slush */
#define TOLERANCE (512 * LP_RIVAL_KIB)
#define INACCURACY (4 * LP_RIVAL_KIB)
#define STUCK_SEC 5

typedef struct {
    uint64_t last;                 /* granted, when it last moved */
    guint idle_sec;                /* asked to change, and not doing so */
    bool asked;
    bool stuck;                    /* for the rest of this run */
} Domain;

typedef struct {
    size_t n;
    Domain *domains;
    guint rest_sec;                /* until the next run */
} Squeezed;

static void *
squeezed_begin(const LpSimHost *host)
{
    Squeezed *squeezed = g_new0(Squeezed, 1);

    squeezed->n = host->n;
    squeezed->domains = g_new0(Domain, host->n + 1);
    return squeezed;
}

static void
squeezed_end(void *self)
{
    Squeezed *squeezed = self;

    g_free(squeezed->domains);
    g_free(squeezed);
}

static double
squeezed_gamma(const Squeezed *squeezed, const LpSimHost *host)
{
    double surplus = (double) host->host_free_bytes - (double) HOST_TARGET, range = 0;

    for (size_t i = 0; i < host->n; i++) {
        const LpSimView *view = &host->views[i];

        if (squeezed->domains[i].stuck)
            continue;
        surplus += fmax(0, (double) view->granted_bytes - (double) view->min_bytes -
                           2.0 * INACCURACY);
        range += (double) (view->max_bytes - view->min_bytes);
    }
    return range > 0 ? CLAMP(surplus / range, 0, 1) : 0;
}

static void
squeezed_watch(Domain *domain, const LpSimView *view)
{
    if (view->granted_bytes != domain->last || !domain->asked)
        domain->idle_sec = 0;
    else if (++domain->idle_sec >= STUCK_SEC)
        domain->stuck = true;
    domain->last = view->granted_bytes;
}

static void
squeezed_decide(void *self, LpSimHost *host)
{
    Squeezed *squeezed = self;
    bool donors = false, moving = false;

    g_return_if_fail(host->n == squeezed->n);
    if (squeezed->rest_sec > 0) {
        squeezed->rest_sec--;
        return;
    }
    for (size_t i = 0; i < host->n; i++)
        squeezed_watch(&squeezed->domains[i], &host->views[i]);
    double gamma = squeezed_gamma(squeezed, host);
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];
        double range = (double) (view->max_bytes - view->min_bytes);

        if (squeezed->domains[i].stuck) {
            view->target_bytes = view->needs_bytes = view->granted_bytes;
            continue;
        }
        lp_rival_set_bytes(view, (double) view->min_bytes + gamma * range);
        if (llabs((long long) (view->target_bytes - view->granted_bytes)) <= (long long) TOLERANCE)
            view->target_bytes = view->granted_bytes;
        donors = donors || view->target_bytes < view->granted_bytes;
        moving = moving || view->target_bytes != view->granted_bytes;
    }
    for (size_t i = 0; donors && i < host->n; i++)
        if (host->views[i].target_bytes > host->views[i].granted_bytes)
            host->views[i].target_bytes = host->views[i].granted_bytes;
    lp_rival_fit(host);
    for (size_t i = 0; i < host->n; i++)
        squeezed->domains[i].asked =
            host->views[i].target_bytes != host->views[i].granted_bytes || host->views[i].moving;
    if (!moving) {
        squeezed->rest_sec = BALANCE_SEC - 1;
        for (size_t i = 0; i < squeezed->n; i++)
            squeezed->domains[i] = (Domain) { .last = host->views[i].granted_bytes };
    }
}

const LpSimPolicy lp_rival_squeezed = {
    .name = "squeezed",
    .source = "xapi-project/xen-api ocaml/squeezed/lib/squeeze.ml",
    .interval_sec = 1,
    .begin = squeezed_begin,
    .decide = squeezed_decide,
    .end = squeezed_end,
};
