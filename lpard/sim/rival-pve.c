/* `pve`: Proxmox VE's automatic ballooning.
 * Source: proxmox/pve-manager PVE/Service/pvestatd.pm and PVE/AutoBalloon.pm (14a22df).  Every VM
 * goes to its minimum and a part by shares of what is ballooned; what a guest lacks decides only
 * who is asked first. */
#include "lpard/sim/rival-pve.h"

#include <glib.h>

#include "lpard/sim/rival.h"

#define UPDATE_SEC 10
#define TARGET_PART 0.80               /* of the host's memory, in use */
#define MAX_CHANGE (100 * (int64_t) LP_RIVAL_MIB)
#define GOAL_MIN (10 * (int64_t) 1024 * 1024)
#define ENOUGH_FREE 0.25               /* of the minimum */

enum { SKIPPED = 0, PRESSED = 1, ENOUGH = 2 };

typedef struct {
    const LpPveVm *vms;
    size_t n;
    const guint8 *kinds;
    int64_t max_change;
    int64_t *planned;
} Plan;

/* One VM's part; adds what it changes by to *changes, and to *progress. */
static bool
pve_step(const Plan *plan, size_t i, int64_t desired, bool growing, int64_t *changes,
         bool *progress)
{
    const LpPveVm *vm = &plan->vms[i];
    int64_t size;

    if (growing && desired > vm->balloon)
        size = MIN(vm->balloon + plan->max_change, desired);
    else if (desired < vm->balloon)
        size = MAX(vm->balloon - plan->max_change, desired);
    else
        return false;
    int64_t change = size - (plan->planned[i] ? plan->planned[i] : vm->balloon);
    plan->planned[i] = size;
    *changes += change;
    if (change != 0)
        *progress = true;
    return true;
}

/* Of those of a kind (SKIPPED: all): what is left of `goal`. */
static int64_t
pve_change(const Plan *plan, guint8 kind, int64_t goal)
{
    g_autofree bool *done = g_new0(bool, plan->n + 1);
    int64_t rest = goal;
    bool again = true;

    while (rest != 0 && again) {
        int64_t allocated = rest, shares = 0, changes = 0;

        again = false;
        for (size_t i = 0; i < plan->n; i++) {
            const LpPveVm *vm = &plan->vms[i];

            done[i] = done[i] || !plan->kinds[i] || (kind && plan->kinds[i] != kind);
            if (done[i])
                continue;
            allocated += (plan->planned[i] ? plan->planned[i] : vm->balloon) - vm->min;
            shares += vm->shares;
        }
        for (size_t i = 0; i < plan->n; i++) {
            const LpPveVm *vm = &plan->vms[i];

            if (done[i])
                continue;
            int64_t part = (int64_t) ((double) allocated / (double) shares * vm->shares);
            int64_t desired = CLAMP(vm->min + part, vm->min, vm->max);
            done[i] = !pve_step(plan, i, desired, goal > 0, &changes, &again);
        }
        rest -= changes;
    }
    return rest;
}

void
lp_pve_plan(const LpPveVm *vms, size_t n, int64_t goal, int64_t max_change, int64_t *ret_planned)
{
    g_autofree guint8 *kinds = g_new0(guint8, n + 1);
    Plan plan = { vms, n, kinds, max_change, ret_planned };

    for (size_t i = 0; i < n; i++) {
        const LpPveVm *vm = &vms[i];

        ret_planned[i] = 0;
        if (vm->balloon == 0 || vm->min == 0 || vm->shares == 0)
            continue;
        bool enough = vm->free > 0 && (double) vm->free > ENOUGH_FREE * (double) vm->min &&
                      vm->balloon >= vm->min;
        kinds[i] = enough ? ENOUGH : PRESSED;
    }
    if (goal > GOAL_MIN) {
        if (pve_change(&plan, PRESSED, goal) >= goal)
            pve_change(&plan, SKIPPED, goal);
    } else if (goal < -GOAL_MIN) {
        if (pve_change(&plan, ENOUGH, goal) <= goal)
            pve_change(&plan, SKIPPED, goal);
    }
}

static void
pve_decide(void *self, LpSimHost *host)
{
    g_autofree LpPveVm *vms = g_new0(LpPveVm, host->n + 1);
    g_autofree int64_t *planned = g_new0(int64_t, host->n + 1);
    double used = (double) (host->host_bytes - MIN(host->host_bytes, host->host_free_bytes));

    (void) self;
    for (size_t i = 0; i < host->n; i++) {
        const LpSimView *view = &host->views[i];

        vms[i] = (LpPveVm) { (int64_t) view->max_bytes, (int64_t) view->min_bytes,
                             (int64_t) view->granted_bytes, (int64_t) view->free_bytes,
                             view->weight };
    }
    lp_pve_plan(vms, host->n, (int64_t) (TARGET_PART * (double) host->host_bytes - used),
                MAX_CHANGE, planned);
    for (size_t i = 0; i < host->n; i++)
        lp_rival_set_bytes(&host->views[i], (double) (planned[i] ? planned[i] : vms[i].balloon));
    lp_rival_fit(host);
}

const LpSimPolicy lp_rival_pve = {
    .name = "pve",
    .source = "proxmox/pve-manager PVE/AutoBalloon.pm, target 80 %, every 10 s",
    .interval_sec = UPDATE_SEC,
    .decide = pve_decide,
};
