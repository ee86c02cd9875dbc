/* What operators, guests and the policy itself did by operations, as the policy is to take it. */
#include <string.h>

#include "lpard/autoscale/autoscale-priv.h"
#include "policy/units.h"

typedef enum { BY_POLICY, BY_GUEST, BY_OPERATOR } By;

static By
requested_by(const LpOperation *operation)
{
    const char *requester = operation->request->requester;

    if (g_strcmp0(requester, "policy") == 0)
        return BY_POLICY;
    return requester && g_str_has_prefix(requester, "guest ") ? BY_GUEST : BY_OPERATOR;
}

static bool
was_refused_by_guest(const LpOperation *operation)
{
    return operation->state == LP_OP_VETOED
           || g_strcmp0(operation->code, "guest-pressure") == 0;
}

/* Whatever took it, a guest that would not give keeps what it has for a while. */
static void
heed_veto(LpScaledItem *item, const LpOperation *operation)
{
    if (!was_refused_by_guest(operation))
        return;
    item->scaler->figures.vetoes++;
    item->word.vetoed_until_msec = (g_get_monotonic_time() + LP_VETO_REST_SEC * G_USEC_PER_SEC)
                                   / 1000;
}

static void
say_result(LpScaledItem *item, const LpOperation *operation)
{
    const LpLeg *leg = g_ptr_array_index(operation->legs, 0);
    char memory[LP_UNITS_TEXT];
    g_autofree char *text = NULL;

    text = g_strdup_printf(
        "operation %" G_GINT64_FORMAT " %s: %s of memory, %u vCPU%s%s%s", operation->id,
        lp_op_state_name(operation->state),
        lp_units_format_bytes(leg->mem_now_bytes, memory, sizeof memory), leg->cpu_now,
        leg->cpu_now == 1 ? "" : "s", operation->message ? ": " : "",
        operation->message ? operation->message : "");
    lp_chronicle_say(item->scaler, item->partition, "result", text);
}

/* What an operator cancels, he does not want; what ended with the mode may come back with it. */
static void
heed_own(LpScaledItem *item, const LpOperation *operation)
{
    item->operation = 0;
    item->moves = false;
    if (operation->state == LP_OP_CANCELLED && item->stopped == operation->id)
        item->failed = false;
    else if (operation->state == LP_OP_CANCELLED)
        item->rest_until_usec = g_get_monotonic_time() + LP_OPERATOR_REST_SEC * G_USEC_PER_SEC;
    else if (operation->state != LP_OP_DONE)
        item->failed = true;
    item->scaler->figures.failures += operation->state != LP_OP_DONE
                                      && item->stopped != operation->id;
    say_result(item, operation);
}

static bool
came_to_something(const LpOperation *operation)
{
    return operation->state == LP_OP_DONE || operation->state == LP_OP_PARTIAL;
}

/* What it asked for and has now; asked for less, it needs nothing to be held. */
static void
heed_guest(LpScaledItem *item, const LpOperation *operation, const LpLeg *leg)
{
    if (!came_to_something(operation))
        return;
    item->word.asked_bytes = leg->target.has_mem && leg->mem_now_bytes > leg->mem_before_bytes
                                 ? leg->mem_now_bytes
                                 : 0;
    item->word.asked_cpus = leg->target.has_cpu && leg->cpu_now > leg->cpu_before ? leg->cpu_now
                                                                                 : 0;
    item->word.asked_until_msec = item->word.asked_bytes || item->word.asked_cpus
                                      ? (g_get_monotonic_time()
                                         + LP_ASK_HOLD_SEC * G_USEC_PER_SEC) / 1000
                                      : 0;
}

static void
heed_operator(LpScaledItem *item, const LpOperation *operation)
{
    LpMode own = lp_scaler_own_mode(item->partition);

    /* A capacity is a bound to the policy, and no size that it could undo.  While the host's mode
     * is off or advise nothing would be undone yet, but as soon as it is auto again. */
    if (operation->request->kind == LP_OP_CAPACITY || !came_to_something(operation)
        || own == LP_MODE_OFF || own == LP_MODE_ADVISE)
        return;
    item->rest_until_usec = g_get_monotonic_time() + LP_OPERATOR_REST_SEC * G_USEC_PER_SEC;
    lp_chronicle_say(item->scaler, item->partition, "result",
                     "resized by an operator: the policy leaves it alone for "
                     G_STRINGIFY(LP_OPERATOR_REST_SEC) " s");
}

void
lp_heed_operation(LpOperation *operation, void *data)
{
    LpScaler *scaler = data;
    By by = requested_by(operation);

    for (guint i = 0; i < operation->legs->len; i++) {
        const LpLeg *leg = g_ptr_array_index(operation->legs, i);
        LpScaledItem *item = leg->undo ? NULL : lp_scaler_item(scaler, leg->uuid);

        if (!item || operation->id == 0)
            continue;
        /* Also one that was taken up again after a restart. */
        if (!LP_OP_IS_FINAL(operation->state)) {
            if (by == BY_POLICY) {
                item->operation = operation->id;
                item->moves = operation->request->mem_mode != LP_AMOUNT_NONE;
            }
            continue;
        }
        if (item->ended == operation->id)
            continue;
        item->ended = operation->id;
        heed_veto(item, operation);
        if (by == BY_POLICY)
            heed_own(item, operation);
        else if (by == BY_GUEST)
            heed_guest(item, operation, leg);
        else
            heed_operator(item, operation);
    }
}
