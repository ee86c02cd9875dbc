/* From decisions to requests: through the engine's lanes, plans and gate like any other's. */
#include <string.h>

#include "lpard/autoscale/autoscale-priv.h"

/* The policy's part of an operation's time: it decides anew each second, so what hangs is given up
 * early and tried again with its back-off. */
#define REQUEST_TIMEOUT_SEC 60
/* A request costs the loop most of a millisecond, and each open operation a call to libvirtd now
 * and then, which has 20 workers for everybody.  Thousands of partitions that all change at once
 * take their turns. */
#define REQUESTS_A_TICK 4
#define OPEN_MAX 16
#define SHARES_A_TICK 16
/* Shares of processors follow what is used only as far as people would notice. */
#define SHARES_PAUSE_USEC (5 * G_USEC_PER_SEC)
#define SHARES_CHANGE_PERCENT 10
#define SHARES_DEADLINE_MSEC 10000
/* The kernel's own, where libvirt names none. */
#define DEFAULT_PERIOD_USEC 100000

/* A request on its way to the engine's or the hypervisor's answer. */
typedef struct {
    LpScaler *scaler;
    char uuid[40];
} Asking;

void
lp_act_free_asking(void *asking)
{
    g_free(asking);
}

static Asking *
asking_new(const LpScaledItem *item)
{
    Asking *asking = g_new0(Asking, 1);

    asking->scaler = item->scaler;
    g_strlcpy(asking->uuid, item->partition->uuid, sizeof asking->uuid);
    g_ptr_array_add(item->scaler->asking, asking);
    return asking;
}

/* ---- sizes ---- */

static void
on_accepted(LpOperation *operation, const GError *error, void *data)
{
    Asking *asking = data;
    LpScaler *scaler = asking->scaler;
    LpScaledItem *item = lp_scaler_item(scaler, asking->uuid);

    g_ptr_array_remove_fast(scaler->asking, asking);
    if (!item)
        return;
    item->asking = false;
    if (error) {
        item->failed = true;
        item->moves = false;
        scaler->figures.failures++;
        lp_chronicle_say(scaler, item->partition, "result", error->message);
    } else if (LP_OP_IS_FINAL(operation->state)) {
        lp_heed_operation(operation, scaler);
    } else {
        item->operation = operation->id;
    }
}

static void
submit(LpScaledItem *item, const LpDecision *decision, bool memory, bool cpus)
{
    LpScaler *scaler = item->scaler;
    g_autoptr(GError) error = NULL;
    LpRequest *request = g_new0(LpRequest, 1);
    Asking *asking = asking_new(item);

    request->kind = LP_OP_RESIZE;
    request->partition = g_strdup(item->partition->uuid);
    request->requester = g_strdup("policy");
    request->why = lp_chronicle_why(item, memory, cpus);
    request->live_only = request->keep_desired = true;
    request->timeout_sec = REQUEST_TIMEOUT_SEC;
    if (memory) {
        request->mem_mode = LP_AMOUNT_SET;
        request->mem_bytes = decision->mem_bytes;
    }
    if (cpus) {
        request->cpu_mode = LP_AMOUNT_SET;
        request->cpu = decision->cpus;
    }
    item->asking = true;
    item->moves = memory;
    scaler->figures.requests++;
    if (lp_engine_submit(scaler->engine, request, on_accepted, asking, &error))
        return;
    on_accepted(NULL, error, asking);
}

static bool
changes_memory(const LpPolicyPartition *input, const LpDecision *decision)
{
    return (decision->mem_act == LP_ACT_GROW || decision->mem_act == LP_ACT_SHRINK)
           && decision->mem_bytes != input->granted_bytes && decision->mem_bytes > 0;
}

static bool
changes_cpus(const LpPolicyPartition *input, const LpDecision *decision)
{
    return (decision->cpu_act == LP_ACT_GROW || decision->cpu_act == LP_ACT_SHRINK)
           && decision->cpus != input->granted_cpus && decision->cpus > 0;
}

/* ---- shares of processors ---- */

typedef struct {
    char uuid[40];
    LpCapacityLimits limits;
} Shares;

static bool
set_shares(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    const Shares *shares = data;

    return driver->set_capacity(conn, shares->uuid, &shares->limits, error);
}

/* Tried again with the next change; told once. */
static void
tell_shares_failed(LpScaledItem *item, const GError *error)
{
    g_autofree char *text = NULL;

    if (item->shares_failed)
        return;
    item->shares_failed = true;
    text = g_strdup_printf("its shares of processors cannot be set: %s",
                           error ? error->message : "the hypervisor does not answer");
    lp_chronicle_say(item->scaler, item->partition, "result", text);
}

static void
shares_set(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    Asking *asking = user;
    LpScaler *scaler = asking->scaler;
    LpScaledItem *item = lp_scaler_item(scaler, asking->uuid);
    const Shares *shares = data;

    g_ptr_array_remove_fast(scaler->asking, asking);
    if (!item)
        return;
    item->setting_shares = false;
    if (!ok || abandoned) {
        tell_shares_failed(item, error);
        return;
    }
    item->shares_failed = false;
    item->partition->view->cpu_shares = shares->limits.shares;
    scaler->figures.shares++;
}

/* The quota stays as the profile has it: a cap below what its vCPUs can use would hold back a
 * guest while processors are idle, and contention is what shares are for. */
static void
ask_shares(LpScaledItem *item, uint64_t value)
{
    const LpView *view = item->partition->view;
    Shares *shares = g_new0(Shares, 1);

    g_strlcpy(shares->uuid, item->partition->uuid, sizeof shares->uuid);
    shares->limits = (LpCapacityLimits){
        .shares = value, .global_quota_usec = view->global_quota_usec,
        .global_period_usec = view->global_period_usec ? view->global_period_usec
                                                       : DEFAULT_PERIOD_USEC,
    };
    item->setting_shares = true;
    item->shares_usec = g_get_monotonic_time();
    lp_registry_call(item->scaler->registry, item->partition, set_shares, shares, g_free,
                     SHARES_DEADLINE_MSEC, shares_set, asking_new(item));
}

static bool
can_set_shares(const LpScaledItem *item)
{
    const LpView *view = item->partition->view;

    return view->run == LP_RUN_RUNNING && view->cgroup != LP_CGROUP_NONE
           && !item->setting_shares && !item->asking && !item->partition->stuck
           && !item->partition->defining
           && lp_engine_lane_depth(item->scaler->engine, item->partition->uuid) == 0;
}

static uint64_t
profile_shares(const LpScaledItem *item)
{
    return lp_capacity_shares(&item->partition->profile.capacity, item->partition->view->cgroup);
}

/* Never below the entitlement, whatever is used: who wakes up has it at once, and not when the
 * next tick has seen it. */
static bool
follow_shares(LpScaledItem *item, const LpDecision *decision)
{
    const LpView *view = item->partition->view;
    uint32_t entitled = item->partition->profile.capacity.entitled_centi;
    LpCapacity capacity = {.entitled_centi = MAX(decision->cpu_share, entitled)};
    uint64_t wanted = lp_capacity_shares(&capacity, view->cgroup), now = view->cpu_shares;
    uint64_t apart = wanted > now ? wanted - now : now - wanted;

    /* Also what an earlier lpard set: in mode auto they are nobody else's. */
    item->shares_given |= now != profile_shares(item);
    if (!can_set_shares(item) || decision->cpu_share == 0
        || g_get_monotonic_time() - item->shares_usec < SHARES_PAUSE_USEC
        || apart * 100 <= now * SHARES_CHANGE_PERCENT)
        return false;
    item->partition->policy_shares = wanted;
    ask_shares(item, wanted);
    return true;
}

void
lp_act_drop_shares(LpScaledItem *item)
{
    item->shares_given |= item->partition->policy_shares != 0;
    item->partition->policy_shares = 0;
}

/* Its next start takes the definition's anyway; without a profile there is nothing to go by. */
static bool
give_back_shares(LpScaledItem *item)
{
    const LpPartition *partition = item->partition;

    if (!item->shares_given || item->mode == LP_MODE_AUTO)
        return false;
    if (partition->view->run == LP_RUN_OFF || !lp_partition_has_profile(partition)
        || partition->view->cpu_shares == profile_shares(item)) {
        item->shares_given = item->setting_shares;
        return false;
    }
    if (!can_set_shares(item)
        || g_get_monotonic_time() - item->shares_usec < SHARES_PAUSE_USEC)
        return false;
    ask_shares(item, profile_shares(item));
    return true;
}

void
lp_act_give_back(LpScaler *scaler)
{
    uint32_t left = SHARES_A_TICK;

    for (guint i = 0; i < scaler->items->len && left > 0; i++)
        left -= give_back_shares(g_ptr_array_index(scaler->items, i));
}

/* ---- a tick's ---- */

/* What is left of a tick's part in the engine's work. */
typedef struct {
    uint32_t requests, open, moving, shares;
} Budget;

static Budget
budget_of(const LpScaler *scaler)
{
    Budget budget = {.requests = REQUESTS_A_TICK, .shares = SHARES_A_TICK};

    for (guint i = 0; i < scaler->items->len; i++) {
        const LpScaledItem *item = g_ptr_array_index(scaler->items, i);
        bool busy = item->asking || item->operation;

        budget.open += busy;
        budget.moving += busy && item->moves;
    }
    return budget;
}

/* First what somebody waits for, and what makes room; then vCPUs that are not needed. */
static bool
is_urgent(const LpPolicyPartition *input, const LpDecision *decision)
{
    return changes_memory(input, decision)
           || (changes_cpus(input, decision) && decision->cpu_act == LP_ACT_GROW);
}

static void
act_on(LpScaler *scaler, size_t row, bool urgent, Budget *budget)
{
    LpScaledItem *item = g_ptr_array_index(scaler->rows, row);
    const LpPolicyPartition *input = &scaler->inputs[row];
    const LpDecision *decision = &scaler->decisions[row];
    bool memory, cpus;

    if (!item || item->mode != LP_MODE_AUTO || input->fixed || item->asking
        || is_urgent(input, decision) != urgent)
        return;
    memory = changes_memory(input, decision) && budget->moving < scaler->moving_max;
    cpus = changes_cpus(input, decision);
    if ((memory || cpus) && budget->requests > 0 && budget->open < OPEN_MAX) {
        budget->requests--;
        budget->open++;
        budget->moving += memory;
        lp_chronicle_decision(item);
        submit(item, decision, memory, cpus);
    } else if (!memory && !cpus && budget->shares > 0) {
        budget->shares -= follow_shares(item, decision);
    }
}

void
lp_act(LpScaler *scaler)
{
    Budget budget = budget_of(scaler);
    size_t first = scaler->n ? scaler->turn++ % scaler->n : 0;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < scaler->n; i++)
            act_on(scaler, (first + i) % scaler->n, pass == 0, &budget);
    scaler->figures.n_moving = budget.moving;
}
