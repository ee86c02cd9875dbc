#include "lpard/autoscale/autoscale-priv.h"

/* The policy is made for it. */
#define TICK_SEC 1
/* What goes wrong each second is said once a minute. */
#define WARN_PAUSE_USEC (60 * G_USEC_PER_SEC)
#define STATE_FILE "policy.json"
#define HISTORY_DIR "policy-history"

/* ---- the partitions ---- */

static void
item_free(gpointer data)
{
    LpScaledItem *item = data;

    g_free(item->saved);
    g_free(item);
}

LpScaledItem *
lp_scaler_item(LpScaler *scaler, const char *uuid)
{
    return g_hash_table_lookup(scaler->by_uuid, uuid);
}

static void
add_item(LpScaler *scaler, LpPartition *partition)
{
    LpScaledItem *item = g_new0(LpScaledItem, 1);

    item->scaler = scaler;
    item->partition = partition;
    item->key = lp_sense_key(partition->uuid);
    item->row = -1;
    item->mode = lp_scaler_mode_of(scaler, partition);
    item->own = lp_scaler_own_mode(partition);
    g_ptr_array_add(scaler->items, item);
    g_hash_table_insert(scaler->by_uuid, partition->uuid, item);
    g_hash_table_insert(scaler->by_key, &item->key, item);
}

static void
drop_item(LpScaler *scaler, LpScaledItem *item)
{
    if (item->row >= 0 && (guint) item->row < scaler->rows->len)
        scaler->rows->pdata[item->row] = NULL;
    g_hash_table_remove(scaler->by_uuid, item->partition->uuid);
    if (g_hash_table_lookup(scaler->by_key, &item->key) == item)
        g_hash_table_remove(scaler->by_key, &item->key);
    g_ptr_array_remove(scaler->items, item);
}

static void
on_change(LpChange change, LpPartition *partition, const char *alias, void *data)
{
    LpScaler *scaler = data;
    LpScaledItem *item = partition ? lp_scaler_item(scaler, partition->uuid) : NULL;

    (void) alias;
    if (change == LP_CHANGE_VIEW && !item)
        add_item(scaler, partition);
    else if (change == LP_CHANGE_GONE && item)
        drop_item(scaler, item);
}

/* ---- the tick ---- */

static bool
any_on(const LpScaler *scaler)
{
    for (guint i = 0; i < scaler->items->len; i++)
        if (((const LpScaledItem *) g_ptr_array_index(scaler->items, i))->mode != LP_MODE_OFF)
            return true;
    return false;
}

static void
on_cpu_read(const LpCpuReading *readings, size_t n, void *data)
{
    LpScaler *scaler = data;

    for (size_t i = 0; i < n; i++) {
        LpScaledItem *item = g_hash_table_lookup(scaler->by_key, &readings[i].key);

        if (item && readings[i].ok)
            lp_cpu_meter_take(&item->meter, readings[i].pid, readings[i].used_usec,
                              readings[i].at_usec);
    }
}

static void
read_cpu(LpScaler *scaler)
{
    GArray *readings = g_array_new(FALSE, TRUE, sizeof(LpCpuReading));
    guint n = scaler->items->len;

    for (guint i = 0; i < n && readings->len < LP_CPU_READS; i++) {
        const LpScaledItem *item = g_ptr_array_index(scaler->items, scaler->cpu_turn++ % n);
        LpCpuReading reading = {.key = item->key, .pid = item->partition->view->pid};

        if (reading.pid > 0 && item->mode != LP_MODE_OFF)
            g_array_append_val(readings, reading);
    }
    (void) lp_cpu_use_read(scaler->cpu_use, readings);
}

/* For a snapshot of the history; parallel to the rows. */
static const char **
names_of(const LpScaler *scaler)
{
    const char **names = g_new0(const char *, MAX(scaler->n, 1));

    for (size_t i = 0; i < scaler->n; i++)
        names[i] = ((const LpScaledItem *) g_ptr_array_index(scaler->rows, i))
                       ->partition->view->name;
    return names;
}

static void
warn_now_and_then(LpScaler *scaler, const char *text)
{
    int64_t now = g_get_monotonic_time();

    if (scaler->warned_usec && now - scaler->warned_usec < WARN_PAUSE_USEC)
        return;
    scaler->warned_usec = now;
    g_warning("%s", text);
}

static bool
decide(LpScaler *scaler)
{
    int64_t now = g_get_monotonic_time();
    bool snapshot = lp_history_wants_snapshot(scaler->history, now);
    g_autofree const char **names = names_of(scaler);
    const uint8_t *bytes;
    size_t length;
    bool recorded = lp_recorder_begin(scaler->recorder, snapshot, &scaler->host, scaler->inputs,
                                      scaler->states, names, scaler->n);

    if (!lp_policy_decide(scaler->policy, &scaler->host, scaler->inputs, scaler->states,
                          scaler->n, scaler->decisions))
        return false;
    bytes = recorded ? lp_recorder_end(scaler->recorder, scaler->decisions, &length) : NULL;
    if (bytes)
        lp_history_write(scaler->history, bytes, length, snapshot, now);
    return true;
}

static void
sum_up(LpScaler *scaler)
{
    LpScalerFigures *figures = &scaler->figures;

    figures->n_decided = (uint32_t) scaler->n;
    figures->granted_bytes = figures->want_bytes = figures->target_bytes = 0;
    figures->free_bytes = 0;
    for (size_t i = 0; i < scaler->n; i++) {
        figures->granted_bytes += scaler->inputs[i].granted_bytes;
        figures->want_bytes += scaler->decisions[i].demand.want_bytes;
        figures->target_bytes += scaler->decisions[i].mem_target_bytes;
    }
    for (uint32_t n = 0; n < scaler->host.n_nodes; n++)
        figures->free_bytes += scaler->host.nodes[n].free_bytes;
}

static void
work(LpScaler *scaler)
{
    scaler->decided = false;
    if (!lp_sense(scaler)) {
        warn_now_and_then(scaler, "the policy has no memory to decide in; sizes stay as they are");
        return;
    }
    lp_act_give_back(scaler);
    lp_balloon_ask(scaler);
    if (!any_on(scaler)) {
        scaler->figures.n_decided = scaler->figures.n_moving = 0;
        return;
    }
    if (!decide(scaler)) {
        warn_now_and_then(scaler, "the policy has no memory to decide in; sizes stay as they are");
        return;
    }
    scaler->decided = true;
    for (size_t i = 0; i < scaler->n; i++)
        ((LpScaledItem *) g_ptr_array_index(scaler->rows, i))->failed = false;
    sum_up(scaler);
    lp_chronicle_tick(scaler);
    lp_act(scaler);
    read_cpu(scaler);
}

static gboolean
on_tick(gpointer data)
{
    LpScaler *scaler = data;
    LpScalerFigures *figures = &scaler->figures;
    int64_t begun = g_get_monotonic_time();

    /* What was known before the hypervisor went is no ground to act on. */
    if (!lp_registry_synced(scaler->registry))
        return G_SOURCE_CONTINUE;
    work(scaler);
    figures->ticks++;
    figures->last_usec = g_get_monotonic_time() - begun;
    figures->max_usec = MAX(figures->max_usec, figures->last_usec);
    figures->total_usec += figures->last_usec;
    return G_SOURCE_CONTINUE;
}

/* ---- begin and end ---- */

LpScaler *
lp_scaler_new(const LpSettings *settings, LpRegistry *registry, LpEngine *engine,
              LpEvents *events)
{
    LpScaler *scaler = g_new0(LpScaler, 1);
    g_autofree char *dir = g_build_filename(settings->state_dir, HISTORY_DIR, NULL);
    g_autofree char *path = g_build_filename(settings->state_dir, STATE_FILE, NULL);
    g_autoptr(GPtrArray) partitions = NULL;

    scaler->registry = registry;
    scaler->engine = engine;
    scaler->events = events;
    scaler->mode = settings->policy_mode;
    scaler->burst = settings->policy_burst;
    scaler->idle_tax = settings->policy_idle_tax_permyriad;
    scaler->moving_max = settings->policy_moving;
    scaler->reserve_centi = settings->reserve_centi;
    scaler->mode_file = lp_mode_file_new(path);
    scaler->items = g_ptr_array_new_with_free_func(item_free);
    scaler->by_uuid = g_hash_table_new(g_str_hash, g_str_equal);
    scaler->by_key = g_hash_table_new(g_int64_hash, g_int64_equal);
    scaler->rows = g_ptr_array_new();
    scaler->asking = g_ptr_array_new_with_free_func(lp_act_free_asking);
    g_queue_init(&scaler->lines);
    scaler->policy = lp_policy_new();
    scaler->recorder = lp_recorder_new();
    if (!scaler->policy || !scaler->recorder)
        g_error("no memory for the policy");
    scaler->history = lp_history_new(dir, settings->policy_history_bytes);
    scaler->cpu_use = lp_cpu_use_new(on_cpu_read, scaler);
    lp_scaler_load_mode(scaler);
    partitions = lp_registry_list(registry);
    for (guint i = 0; i < partitions->len; i++)
        add_item(scaler, g_ptr_array_index(partitions, i));
    lp_registry_listen(registry, on_change, scaler);
    lp_engine_listen(engine, lp_heed_operation, scaler);
    scaler->tick_source = g_timeout_add_seconds(TICK_SEC, on_tick, scaler);
    return scaler;
}

void
lp_scaler_know_pools(LpScaler *scaler, const LpPools *pools)
{
    scaler->pools = pools;
}

void
lp_scaler_free(LpScaler *scaler)
{
    if (!scaler)
        return;
    g_source_remove(scaler->tick_source);
    lp_cpu_use_free(scaler->cpu_use);
    lp_history_free(scaler->history);
    lp_policy_free(scaler->policy);
    lp_recorder_free(scaler->recorder);
    g_queue_clear_full(&scaler->lines, lp_chronicle_line_free);
    g_ptr_array_unref(scaler->asking);
    g_ptr_array_unref(scaler->rows);
    g_hash_table_unref(scaler->by_uuid);
    g_hash_table_unref(scaler->by_key);
    g_ptr_array_unref(scaler->items);
    g_free(scaler->inputs);
    g_free(scaler->states);
    g_free(scaler->decisions);
    lp_mode_file_unref(scaler->mode_file);
    g_free(scaler);
}
