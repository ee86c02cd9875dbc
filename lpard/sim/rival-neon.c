/* `neon`: Neon's autoscaling of QEMU guests, memory and processors in one unit.
 * Source: neondatabase/autoscaling pkg/agent/core/{goalcu,state}.go, pkg/plugin/state/node.go,
 * config_map.yaml (a4bce09).  A compute unit is 1/4 processor and 1 GiB; metrics every 5 s; up as
 * far as is asked and the arbiter permits, down one unit at a time and not where the guest refuses.
 * The working set of its database's cache is not known here, so the part that uses it is left out,
 * as at the source.  Taken for this: a guest asks for more when it feels memory pressure, and
 * refuses to fall to less than it uses and 100 MiB. */
#include <glib.h>
#include <math.h>

#include "lpard/sim/rival.h"

#define INTERVAL_SEC 5
#define CU_BYTES LP_RIVAL_GIB
#define CU_CENTI 25
#define LOAD_TARGET 0.9
#define MEMORY_TARGET 0.75
#define LOAD_SEC 60.0                  /* the kernel's first load average */
#define ASKED_ROUNDS 2                 /* an ask holds 10 s */
#define REFUSED_ROUNDS 1               /* and a refusal 5 s */
#define ASK_PSI_CENTI 100              /* the average fades slowly to 0 */
#define REFUSE_ROOM (100 * LP_RIVAL_MIB)

typedef struct {
    double load;
    guint cu;
    guint asked_cu, asked_rounds;
    guint refused_cu, refused_rounds;
} Guest;

typedef struct {
    size_t n;
    Guest *guests;
} Neon;

/* What the arbiter has left to permit. */
typedef struct {
    double bytes, centi;
} Budget;

static guint
units(double bytes, double centi)
{
    return (guint) fmax(1, ceil(fmax(bytes / CU_BYTES, centi / CU_CENTI)));
}

static void *
neon_begin(const LpSimHost *host)
{
    Neon *neon = g_new0(Neon, 1);

    neon->n = host->n;
    neon->guests = g_new0(Guest, host->n + 1);
    for (size_t i = 0; i < host->n; i++)
        neon->guests[i].cu = units((double) host->views[i].granted_bytes,
                                   host->views[i].granted_centi);
    return neon;
}

static void
neon_end(void *self)
{
    Neon *neon = self;

    g_free(neon->guests);
    g_free(neon);
}

/* Tasks that run or wait, on average: whole ones are seen only where some have to wait. */
static double
tasks(const LpSimView *view)
{
    double used = view->cpu_used_centi / 100.0;

    return view->cpu_used_centi < view->granted_centi ? used : fmax(used, view->cpu_running);
}

static guint
goal_units(Guest *guest, const LpSimView *view)
{
    double fade = exp(-INTERVAL_SEC / LOAD_SEC);

    guest->load = guest->load * fade + tasks(view) * (1 - fade);
    double cpu = round(guest->load / LOAD_TARGET / (CU_CENTI / 100.0));
    double mem = (double) view->used_bytes / MEMORY_TARGET / CU_BYTES;
    guint goal = (guint) fmax(1, ceil(fmax(cpu, mem)));

    if (view->psi_some_centi >= ASK_PSI_CENTI) {
        guest->asked_cu = guest->cu + 1;
        guest->asked_rounds = ASKED_ROUNDS;
    }
    if (guest->asked_rounds > 0) {
        guest->asked_rounds--;
        goal = MAX(goal, guest->asked_cu);
    }
    if (guest->refused_rounds > 0) {
        guest->refused_rounds--;
        goal = MAX(goal, guest->refused_cu + 1);
    }
    return CLAMP(goal, units((double) view->min_bytes, view->min_centi),
                 units((double) view->max_bytes, view->max_centi));
}

/* The next unit of it, if the arbiter has it. */
static bool
permit(const LpSimView *view, guint cu, Budget *budget)
{
    double bytes = (double) lp_rival_bytes(view, (double) (cu + 1) * CU_BYTES) -
                   (double) lp_rival_bytes(view, (double) cu * CU_BYTES);
    double centi = (double) lp_rival_centi(view, (cu + 1.0) * CU_CENTI) -
                   (double) lp_rival_centi(view, (double) cu * CU_CENTI);

    if (bytes > budget->bytes || centi > budget->centi)
        return false;
    budget->bytes -= bytes;
    budget->centi -= centi;
    return true;
}

static void
neon_decide(void *self, LpSimHost *host)
{
    Neon *neon = self;
    Budget budget = { (double) host->host_free_bytes, host->host_centi };

    g_return_if_fail(host->n == neon->n);
    for (size_t i = 0; i < host->n; i++)
        budget.centi -= host->views[i].granted_centi;
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];
        Guest *guest = &neon->guests[i];
        guint goal = goal_units(guest, view);

        if (goal < guest->cu) {
            uint64_t less = lp_rival_bytes(view, (guest->cu - 1.0) * CU_BYTES);

            if (less < view->granted_bytes && view->used_bytes + REFUSE_ROOM > less) {
                guest->refused_cu = guest->cu - 1;
                guest->refused_rounds = REFUSED_ROUNDS;
            } else {
                guest->cu--;
            }
        }
        while (goal > guest->cu && permit(view, guest->cu, &budget))
            guest->cu++;
        lp_rival_set_bytes(view, (double) guest->cu * CU_BYTES);
        lp_rival_set_centi(view, (double) guest->cu * CU_CENTI);
    }
    /* For what it begins with, which need not be whole units. */
    lp_rival_fit(host);
}

const LpSimPolicy lp_rival_neon = {
    .name = "neon",
    .source = "neondatabase/autoscaling pkg/agent/core/goalcu.go, units of 1/4 CPU and 1 GiB",
    .interval_sec = INTERVAL_SEC,
    .does_cpu = true,
    .begin = neon_begin,
    .decide = neon_decide,
    .end = neon_end,
};
