/* lpard's own policy behind the simulator's interface: what its daemon would see and do. */
#include <glib.h>

#include "lpard/sim/nodes.h"
#include "lpard/sim/rival.h"
#include "policy/policy.h"

typedef struct {
    LpPolicy *policy;
    LpPolicyHost host;
    LpPolicyPartition *partitions;
    LpPolicyState *states;
    LpDecision *decisions;
    uint32_t *failures;            /* as last seen */
} Lpard;

/* What does not change. */
static void
introduce(const LpSimView *view, LpPolicyPartition *ret)
{
    *ret = (LpPolicyPartition){
        .key = view->key,
        .mode = LP_MODE_AUTO,
        .goal = LP_GOAL_BALANCED,
        .priority = LP_PRIORITY_DEFAULT,
        .weight = view->weight,
        .cpu_min = 1,
        .cpu_max = MAX(view->max_centi / 100, 1),
        .mem_min_bytes = view->min_bytes,
        .mem_max_bytes = view->max_bytes,
        .entitled_bytes = view->entitled_bytes,
        .entitled_centi = view->entitled_centi,
        .pool = LP_NO_POOL,
        .block_bytes = view->block_bytes,
        .seen = { .mem_by = LP_SEEN_AGENT, .has_cpu = true, .has_psi = true },
    };
}

static void *
begin(const LpSimHost *host, bool burst)
{
    Lpard *lpard = g_new0(Lpard, 1);

    lpard->policy = lp_policy_new();
    lpard->partitions = g_new0(LpPolicyPartition, host->n);
    lpard->states = g_new0(LpPolicyState, host->n);
    lpard->decisions = g_new0(LpDecision, host->n);
    lpard->failures = g_new0(uint32_t, host->n);
    lp_policy_host_init(&lpard->host);
    lpard->host.mode = LP_MODE_AUTO;
    lpard->host.burst = burst;
    lpard->host.capacity_centi = host->host_centi;
    lpard->host.reserve_centi = 0;
    for (size_t i = 0; i < host->n; i++)
        introduce(&host->views[i], &lpard->partitions[i]);
    lp_sim_nodes_place(host, &lpard->host, lpard->partitions);
    return lpard;
}

static void *
begin_burst(const LpSimHost *host)
{
    return begin(host, true);
}

static void *
begin_keep(const LpSimHost *host)
{
    return begin(host, false);
}

static void
end(void *self)
{
    Lpard *lpard = self;

    lp_policy_free(lpard->policy);
    g_free(lpard->partitions);
    g_free(lpard->states);
    g_free(lpard->decisions);
    g_free(lpard->failures);
    g_free(lpard);
}

static void
see(const LpSimView *view, LpSignals *seen)
{
    seen->total_bytes = view->usable_bytes;
    seen->available_bytes = view->free_bytes + view->cache_bytes;
    seen->working_set_bytes = view->used_bytes;
    seen->swap_used_bytes = view->swap_bytes;
    seen->refaults = view->refaults;
    seen->oom_kills = view->oom_kills;
    seen->psi_some_centi = view->psi_some_centi;
    seen->psi_full_centi = view->psi_full_centi;
    seen->cpu_used_centi = view->cpu_used_centi;
    seen->cpu_running = view->cpu_running;
    seen->cpu_psi_centi = view->cpu_psi_centi;
}

static void
update(const LpSimView *view, uint32_t *failures, LpPolicyPartition *partition)
{
    partition->fixed = view->moving;
    partition->granted_bytes = view->granted_bytes;
    partition->granted_cpus = view->granted_cpus;
    partition->granted_centi = view->granted_centi;
    partition->failed = view->failures != *failures;
    *failures = view->failures;
    see(view, &partition->seen);
}

/* Shares divide what the targets leave, up to the caps: the host's scheduler does so at once. */
static void
share_spare_cpu(LpSimHost *host, const LpDecision *decisions)
{
    uint64_t sum = 0, room = 0, spare;

    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];
        uint32_t centi = MAX(decisions[i].cpu_target_centi, view->min_centi);

        view->target_cpus = MAX(decisions[i].cpus, 1);
        view->needs_centi = MIN(centi, view->max_centi);
        view->target_centi = MIN(view->needs_centi, view->target_cpus * 100);
        centi = MIN(MIN(decisions[i].cpu_centi, view->target_cpus * 100), view->max_centi);
        sum += view->target_centi;
        room += MAX(centi, view->target_centi) - view->target_centi;
    }
    if (room == 0 || sum >= host->host_centi)
        return;
    spare = MIN(host->host_centi - sum, room);
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];
        uint32_t centi = MIN(MIN(decisions[i].cpu_centi, view->target_cpus * 100),
                             view->max_centi);

        centi = MAX(centi, view->target_centi);
        view->target_centi += (uint32_t) ((centi - view->target_centi) * spare / room);
    }
}

static void
decide(void *self, LpSimHost *host)
{
    Lpard *lpard = self;

    lpard->host.now_msec = host->now_msec;
    for (size_t i = 0; i < host->n; i++)
        update(&host->views[i], &lpard->failures[i], &lpard->partitions[i]);
    lp_sim_nodes_free(host, lpard->partitions, &lpard->host);
    if (!lp_policy_decide(lpard->policy, &lpard->host, lpard->partitions, lpard->states, host->n,
                          lpard->decisions))
        return;
    /* Its memory as it was said: a target that cannot be is to be seen as broken. */
    for (size_t i = 0; i < host->n; i++) {
        host->views[i].target_bytes = lpard->decisions[i].mem_bytes;
        host->views[i].needs_bytes = lpard->decisions[i].mem_target_bytes;
    }
    share_spare_cpu(host, lpard->decisions);
}

#define LPARD(name_, begin_) \
    { .name = name_, .source = "policy/: the daemon's own", .interval_sec = 1, .does_cpu = true, \
      .begin = begin_, .decide = decide, .end = end }

const LpSimPolicy lp_rival_lpard = LPARD("lpard", begin_burst);
const LpSimPolicy lp_rival_lpard_keep = LPARD("lpard-keep", begin_keep);
