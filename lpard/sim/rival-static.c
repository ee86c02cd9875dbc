/* `static`: what is provisioned, cut in equal parts to what the host has, and never changed. */
#include "lpard/sim/rival.h"

#include <glib.h>

static void
static_decide(void *self, LpSimHost *host)
{
    double least = 0, range = 0;

    (void) self;
    for (size_t i = 0; i < host->n; i++) {
        least += (double) host->views[i].min_bytes;
        range += (double) (host->views[i].max_bytes - host->views[i].min_bytes);
    }
    double part = range > 0 ? ((double) host->host_bytes - least) / range : 0;
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];

        lp_rival_set_bytes(view, (double) view->min_bytes +
                           CLAMP(part, 0, 1) * (double) (view->max_bytes - view->min_bytes));
    }
    lp_rival_fit(host);
}

const LpSimPolicy lp_rival_static = {
    .name = "static",
    .source = "what is provisioned, in equal parts of the host's memory",
    .interval_sec = 60,
    .decide = static_decide,
};
