#include "lpard/sim/rival.h"

#include <math.h>

uint64_t
lp_rival_bytes(const LpSimView *view, double bytes)
{
    if (!(bytes > (double) view->min_bytes))
        return view->min_bytes;
    return bytes >= (double) view->max_bytes ? view->max_bytes : (uint64_t) bytes;
}

uint32_t
lp_rival_centi(const LpSimView *view, double centi)
{
    if (!(centi > view->min_centi))
        return view->min_centi;
    return centi >= view->max_centi ? view->max_centi : (uint32_t) centi;
}

void
lp_rival_set_bytes(LpSimView *view, double bytes)
{
    view->target_bytes = view->needs_bytes = lp_rival_bytes(view, bytes);
}

void
lp_rival_set_centi(LpSimView *view, double centi)
{
    view->target_centi = view->needs_centi = lp_rival_centi(view, ceil(centi));
}

/* lp_sim_fit() alone would serve whoever comes first. */
static void
share_free(LpSimHost *host)
{
    double asked = 0;

    for (size_t i = 0; i < host->n; i++) {
        const LpSimView *view = &host->views[i];

        if (view->target_bytes > view->granted_bytes)
            asked += (double) (view->target_bytes - view->granted_bytes);
    }
    if (asked <= (double) host->host_free_bytes)
        return;
    double part = (double) host->host_free_bytes / asked;
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];

        if (view->target_bytes > view->granted_bytes)
            view->target_bytes = view->granted_bytes +
                (uint64_t) (part * (double) (view->target_bytes - view->granted_bytes));
    }
}

void
lp_rival_fit(LpSimHost *host)
{
    share_free(host);
    lp_sim_fit(host);
}
