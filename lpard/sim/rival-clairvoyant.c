/* `clairvoyant`: knows what each will want in the next 300 s, and gives exactly that: nobody who
 * sees only the past can do with less at so little shortfall.  When all together want more than
 * there is, each gets the same part of what it wants beyond its minimum. */
#include <glib.h>

#include "lpard/sim/rival.h"

#define INTERVAL_SEC 1

static void
clairvoyant_decide(void *self, LpSimHost *host)
{
    double least = 0, above = 0;

    (void) self;
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];

        lp_rival_set_bytes(view, (double) view->future_bytes);
        lp_rival_set_centi(view, view->future_centi);
        least += (double) view->min_bytes;
        above += (double) (view->target_bytes - view->min_bytes);
    }
    double part = above > 0 ? ((double) host->host_bytes - least) / above : 1;
    for (size_t i = 0; part < 1 && i < host->n; i++) {
        LpSimView *view = &host->views[i];

        view->target_bytes = view->min_bytes +
            (uint64_t) (MAX(part, 0) * (double) (view->target_bytes - view->min_bytes));
    }
    lp_rival_fit(host);
}

const LpSimPolicy lp_rival_clairvoyant = {
    .name = "clairvoyant",
    .source = "knows the most that will be wanted in the next 300 s",
    .interval_sec = INTERVAL_SEC,
    .knows_future = true,
    .does_cpu = true,
    .decide = clairvoyant_decide,
};
