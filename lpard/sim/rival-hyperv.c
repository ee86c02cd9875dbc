/* `hyperv-like`: an approximation of Hyper-V's Dynamic Memory, whose balancer is closed.
 * Source: Microsoft's documents: demand is what the guest has committed, the buffer is 20 % over
 * it and not kept when the host is short, weights decide then; guests report every second
 * (torvalds/linux drivers/hv/hv_balloon.c).  Taken for this: committed is what is in use; memory is
 * added as soon as the buffer is touched, and ballooned away when there is a tenth too much. */
#include <glib.h>
#include <math.h>

#include "lpard/sim/rival.h"

#define BUFFER 0.20
#define TOO_MUCH 1.10

static double
floor_bytes(const LpSimView *view)
{
    double max = (double) view->max_bytes / LP_RIVAL_MIB;
    double floor_mib = max < 128 ? 8 + max / 2 : max < 512 ? 40 + max / 4
                     : max < 2048 ? 104 + max / 8 : max < 8192 ? 232 + max / 16 : 488 + max / 32;

    /* The driver's own: below it a guest refuses to give. */
    return fmin(floor_mib, max) * LP_RIVAL_MIB;
}

/* How far to go between demand and demand with its buffer (0..1), by weight, that all fits; below
 * 0, that part of demand itself. */
static double
level(const LpSimHost *host, double *demand)
{
    double sum = 0, buffers = 0, weights = 0;

    for (size_t i = 0; i < host->n; i++) {
        const LpSimView *view = &host->views[i];

        demand[i] = (double) lp_rival_bytes(view, fmax((double) view->used_bytes,
                                                       floor_bytes(view)));
        sum += demand[i];
        buffers += BUFFER * demand[i] * view->weight;
        weights += view->weight;
    }
    double capacity = (double) host->host_bytes;
    if (sum >= capacity)
        return sum > 0 ? capacity / sum - 1 : 0;
    double mean = weights > 0 ? weights / (double) host->n : 1;
    return buffers > 0 ? (capacity - sum) / (buffers / mean) : 1;
}

static void
hyperv_decide(void *self, LpSimHost *host)
{
    g_autofree double *demand = g_new0(double, host->n + 1);
    double part = level(host, demand), weights = 0;

    (void) self;
    for (size_t i = 0; i < host->n; i++)
        weights += host->views[i].weight;
    double mean = weights > 0 ? weights / (double) host->n : 1;
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];
        double of_buffer = fmin(1, part * view->weight / mean);
        double want = part < 0 ? demand[i] * (1 + part) : demand[i] * (1 + BUFFER * of_buffer);

        lp_rival_set_bytes(view, want);
        if (view->target_bytes < view->granted_bytes && part >= 1 &&
            (double) view->granted_bytes < want * TOO_MUCH)
            view->target_bytes = view->granted_bytes;
    }
    lp_rival_fit(host);
}

const LpSimPolicy lp_rival_hyperv = {
    .name = "hyperv-like",
    .source = "approximation of Hyper-V's Dynamic Memory (its balancer is closed)",
    .interval_sec = 1,
    .decide = hyperv_decide,
};
