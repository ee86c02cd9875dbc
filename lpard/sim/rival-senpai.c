/* `senpai`: the probe for a working set by pressure, one for each guest.
 * Source: facebookincubator/senpai senpai.py (c51e8e2): tick 1 s, interval 6, pressure 10 ms, at
 * most 1 % down and twice up.  It knows nothing of other guests: where limits pass the host,
 * growth gets what is free in equal parts. */
#include <glib.h>
#include <math.h>

#include "lpard/sim/rival.h"

#define INTERVAL_TICKS 6
#define PRESSURE_USEC 10000.0
#define MAX_PROBE 0.01
#define MAX_BACKOFF 1.0
#define COEFF_PROBE 10.0
#define COEFF_BACKOFF 20.0
#define LIMIT_MIN (100 * LP_RIVAL_MIB)
#define USEC_PER_PSI_CENTI 100.0       /* of a second in stalls */
#define AVERAGE_SEC 10.0               /* of what is seen */

typedef struct {
    double limit, integral, average;
    guint grace;
} Cgroup;

typedef struct {
    size_t n;
    Cgroup *cgroups;
} Senpai;

static void *
senpai_begin(const LpSimHost *host)
{
    Senpai *senpai = g_new0(Senpai, 1);

    senpai->n = host->n;
    senpai->cgroups = g_new0(Cgroup, host->n + 1);
    for (size_t i = 0; i < host->n; i++)
        senpai->cgroups[i].limit = (double) host->views[i].granted_bytes;
    return senpai;
}

static void
senpai_end(void *self)
{
    Senpai *senpai = self;

    g_free(senpai->cgroups);
    g_free(senpai);
}

/* Senpai reads the total; seen here is an average that fades, from which it follows. */
static double
stalled_usec(Cgroup *cgroup, double average)
{
    double fade = exp(-1 / AVERAGE_SEC);
    double now = fmax((average - fade * cgroup->average) / (1 - fade), 0);

    cgroup->average = average;
    return now * USEC_PER_PSI_CENTI;
}

static void
senpai_tick(Cgroup *cgroup, double usec)
{
    cgroup->integral += usec;
    if (cgroup->integral > PRESSURE_USEC) {
        double error = cgroup->integral / PRESSURE_USEC / COEFF_BACKOFF;

        cgroup->limit *= 1 + fmin(error * error * MAX_BACKOFF, MAX_BACKOFF);
    } else if (cgroup->grace > 0) {
        cgroup->grace--;
        return;
    } else {
        double error = PRESSURE_USEC / fmax(cgroup->integral, 1) / COEFF_PROBE;

        cgroup->limit *= 1 - fmin(error * error * MAX_PROBE, MAX_PROBE);
    }
    cgroup->integral = 0;
    cgroup->grace = INTERVAL_TICKS - 1;
}

static void
senpai_decide(void *self, LpSimHost *host)
{
    Senpai *senpai = self;

    g_return_if_fail(host->n == senpai->n);
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];
        Cgroup *cgroup = &senpai->cgroups[i];

        senpai_tick(cgroup, stalled_usec(cgroup, view->psi_some_centi));
        cgroup->limit = (double) lp_rival_bytes(view, fmax(cgroup->limit, LIMIT_MIN));
        lp_rival_set_bytes(view, cgroup->limit);
    }
    lp_rival_fit(host);
}

const LpSimPolicy lp_rival_senpai = {
    .name = "senpai",
    .source = "facebookincubator/senpai senpai.py",
    .interval_sec = 1,
    .begin = senpai_begin,
    .decide = senpai_decide,
    .end = senpai_end,
};
