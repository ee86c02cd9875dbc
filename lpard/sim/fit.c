#include "lpard/sim/sim-priv.h"

static void
fit_memory(LpSimHost *host)
{
    uint64_t left = host->host_free_bytes;

    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];
        uint64_t target = CLAMP(view->target_bytes, view->min_bytes, view->max_bytes);
        uint64_t part = (target - view->min_bytes) % view->block_bytes;

        /* Whole blocks above the minimum: what is wanted is not cut for a part of one. */
        if (part > 0)
            target = MIN(target + view->block_bytes - part, view->max_bytes);
        if (view->moving)
            target = view->granted_bytes;
        if (target > view->granted_bytes) {
            uint64_t more = MIN(target - view->granted_bytes, left);

            more -= more % view->block_bytes;
            target = view->granted_bytes + more;
            left -= more;
        }
        view->target_bytes = target;
    }
}

static void
fit_cpu(LpSimHost *host)
{
    uint64_t minima = 0, sum = 0;

    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];

        view->target_centi = CLAMP(view->target_centi, view->min_centi, view->max_centi);
        minima += view->min_centi;
        sum += view->target_centi;
    }
    if (sum <= host->host_centi || sum == minima)
        return;
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];
        uint64_t above = view->target_centi - view->min_centi;
        uint64_t room = host->host_centi > minima ? host->host_centi - minima : 0;

        view->target_centi = view->min_centi + (uint32_t) (above * room / (sum - minima));
    }
}

void
lp_sim_fit(LpSimHost *host)
{
    fit_memory(host);
    fit_cpu(host);
}
