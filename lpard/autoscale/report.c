/* What the autoscaler says of its decisions to who asks: of the last tick, and of one that is only
 * tried. */
#include "lpard/autoscale/autoscale-priv.h"
#include "policy/explain.h"

static const char *
rival_name(const LpScaler *scaler, uint64_t key)
{
    const LpScaledItem *item = key ? g_hash_table_lookup(scaler->by_key, &key) : NULL;

    return item ? item->partition->view->name : NULL;
}

static int64_t
fixed_left(const LpScaledItem *item)
{
    int64_t until = item->partition->profile.hold_until_sec;

    if (item->fixed == LP_FIXED_HELD)
        return until == INT64_MAX ? 0 : MAX(until - g_get_real_time() / G_USEC_PER_SEC, 1);
    if (item->fixed == LP_FIXED_OPERATOR)
        return MAX((item->rest_until_usec - g_get_monotonic_time()) / G_USEC_PER_SEC, 1);
    return 0;
}

static void
fill_scaled(const LpScaler *scaler, const LpScaledItem *item, const LpPolicyHost *host,
            const LpPolicyPartition *input, const LpPolicyState *state,
            const LpDecision *decision, LpScaled *ret)
{
    *ret = (LpScaled){
        .partition = item->partition, .input = input, .state = state, .decision = decision,
        .fixed = item->fixed, .fixed_left_sec = fixed_left(item), .operation = item->operation,
        .rival = rival_name(scaler, decision->rival), .host = host,
    };
}

void
lp_scaler_row(LpScaler *scaler, size_t row, LpScaled *ret)
{
    fill_scaled(scaler, g_ptr_array_index(scaler->rows, row), &scaler->host, &scaler->inputs[row],
                &scaler->states[row], &scaler->decisions[row], ret);
}

bool
lp_scaler_find(LpScaler *scaler, const LpPartition *partition, LpScaled *ret)
{
    const LpScaledItem *item = lp_scaler_item(scaler, partition->uuid);

    if (!scaler->decided || !item || item->row < 0)
        return false;
    lp_scaler_row(scaler, (size_t) item->row, ret);
    return true;
}

void
lp_scaler_each(LpScaler *scaler, LpScalerEach each, void *data)
{
    for (size_t i = 0; scaler->decided && i < scaler->n; i++) {
        LpScaled scaled;

        if (!g_ptr_array_index(scaler->rows, i))
            continue;
        lp_scaler_row(scaler, i, &scaled);
        each(&scaled, data);
    }
}

static void
would_be_auto(const LpScaler *scaler, LpPolicyHost *host, LpPolicyPartition *inputs)
{
    *host = scaler->host;
    host->mode = LP_MODE_AUTO;
    for (size_t i = 0; i < scaler->n; i++) {
        const LpScaledItem *item = g_ptr_array_index(scaler->rows, i);
        LpMode own = item->partition->profile.autoscale.mode;

        inputs[i].mode = own == LP_MODE_OFF ? LP_MODE_OFF : LP_MODE_AUTO;
    }
}

bool
lp_scaler_plan(LpScaler *scaler, LpScalerEach each, void *data)
{
    g_autofree LpPolicyPartition *inputs = NULL;
    g_autofree LpPolicyState *states = NULL;
    g_autofree LpDecision *decisions = NULL;
    LpPolicyHost host;

    if (!lp_registry_synced(scaler->registry) || !lp_sense(scaler))
        return false;
    inputs = g_memdup2(scaler->inputs, scaler->n * sizeof *inputs);
    states = g_memdup2(scaler->states, scaler->n * sizeof *states);
    decisions = g_new0(LpDecision, MAX(scaler->n, 1));
    would_be_auto(scaler, &host, inputs);
    if (!lp_policy_decide(scaler->policy, &host, inputs, states, scaler->n, decisions))
        return false;
    for (size_t i = 0; i < scaler->n; i++) {
        LpScaled scaled;

        fill_scaled(scaler, g_ptr_array_index(scaler->rows, i), &host, &inputs[i], &states[i],
                    &decisions[i], &scaled);
        each(&scaled, data);
    }
    return true;
}

static void
say_fixed(const LpScaled *scaled, GString *out)
{
    switch (scaled->fixed) {
    case LP_FIXED_HELD:
        if (scaled->fixed_left_sec)
            g_string_append_printf(out, "Held by the operator for another %" G_GINT64_FORMAT
                                   " s: nothing is changed.\n", scaled->fixed_left_sec);
        else
            g_string_append(out, "Held by the operator until released: nothing is changed.\n");
        return;
    case LP_FIXED_OPERATION:
        g_string_append(out, scaled->operation ? "The policy's own change is under way.\n"
                                               : "Another operation is under way.\n");
        return;
    case LP_FIXED_RUN:
        g_string_append_printf(out, "It is %s: left alone.\n",
                               lp_run_state_name(scaled->partition->view->run));
        return;
    case LP_FIXED_STUCK:
        g_string_append(out, "It hangs: a call on it never came back.\n");
        return;
    case LP_FIXED_OPERATOR:
        g_string_append_printf(out, "An operator resized it; left alone for another %"
                               G_GINT64_FORMAT " s.\n", scaled->fixed_left_sec);
        return;
    case LP_FIXED_OVERRUN:
        g_string_append(out, "It holds more than it was granted: left alone until that ends.\n");
        return;
    case LP_FIXED_NO:
    case LP_FIXED_S:
        return;
    }
}

/* The decision is worded as for one that is carried out. */
static void
say_muted(const LpScaled *scaled, GString *out)
{
    if (scaled->input->mode != LP_MODE_ADVISE)
        return;
    if (scaled->partition->profile.autoscale.mode == LP_MODE_ADVISE)
        g_string_append(out, "Mode advise: this is what would be done; nothing is.\n");
    else
        g_string_append(out, "The host's mode is advise: this is what would be done; nothing is. "
                             "`lparctl policy set --mode auto` has it done.\n");
}

char *
lp_scaler_explain(const LpScaled *scaled)
{
    GString *out = g_string_new(NULL);
    char text[LP_EXPLAIN_TEXT];

    lp_explain(scaled->host, scaled->input, scaled->state, scaled->decision, scaled->rival, text,
               sizeof text);
    g_string_append(out, text);
    if (out->len && out->str[out->len - 1] != '\n')
        g_string_append_c(out, '\n');
    say_fixed(scaled, out);
    say_muted(scaled, out);
    return g_string_free(out, FALSE);
}

void
lp_scaler_figures(LpScaler *scaler, LpScalerFigures *ret)
{
    *ret = scaler->figures;
    lp_history_figures(scaler->history, &ret->history_bytes, &ret->history_dropped,
                       ret->history_error, sizeof ret->history_error);
}

const char *
lp_scaler_history_dir(const LpScaler *scaler)
{
    return lp_history_dir(scaler->history);
}
