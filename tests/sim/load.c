/* What operators ask of lpard: resizes, moves, capacity, optimizations, holds, bounds, modes,
 * cancellations. */
#include <string.h>

#include "lpard/define/definition.h"
#include "tests/sim/everything.h"

#define REMEMBERED 16

/* Keys that were used: some requests come twice. */
static char *said[REMEMBERED];

static void
on_accepted(LpOperation *operation, const GError *error, void *data)
{
    (void) data;
    if (error) {
        say("not taken: %s", error->message);
        return;
    }
    if (!operation->id)
        return;                    /* a dry run */
    say("operation %" PRId64 " is taken", operation->id);
    /* What was refused at once did nothing, and its record waits for nobody. */
    if (!LP_OP_IS_FINAL(operation->state))
        g_array_append_val(world.accepted, operation->id);
    world.operations++;
}

static LpPartition *
partition_at_random(void)
{
    g_autoptr(GPtrArray) list = lp_registry_list(world.registry);

    return list->len ? g_ptr_array_index(list, draw(0, list->len - 1)) : NULL;
}

static const char *const modes[] = {"", "set", "add", "remove"};

/* Mostly such that it can be had. */
static int64_t
mem_mib(const LpPartition *partition, const LpPartition *to, unsigned mode)
{
    const LpMemRange *range = &partition->profile.mem;
    int64_t least = (int64_t) (range->min_bytes / MIB), most = (int64_t) (range->max_bytes / MIB);
    int64_t now = (int64_t) (lp_view_requested_bytes(partition->view) / MIB);

    if (to && !one_in(4))
        most = MIN(now - least, (int64_t) (to->profile.mem.max_bytes / MIB)
                                    - (int64_t) (lp_view_requested_bytes(to->view) / MIB));
    else if (to || one_in(6))
        most += 64;
    else if (mode == LP_AMOUNT_SET)
        return draw(least, most);
    else
        most = mode == LP_AMOUNT_ADD ? most - now : now - least;
    return draw(2, MAX(most, 2));
}

static int64_t
cpu_count(const LpPartition *partition, const LpPartition *to, unsigned mode)
{
    const LpCpuRange *range = &partition->profile.cpu;
    int64_t now = lp_partition_granted_cpus(partition), more = (int64_t) range->max - now;
    int64_t less = now - (int64_t) range->min;

    if (one_in(6))
        return draw(1, 5);
    if (to)
        return draw(1, MIN(less, (int64_t) to->profile.cpu.max
                                     - (int64_t) lp_partition_granted_cpus(to)));
    return mode == LP_AMOUNT_SET ? draw(range->min, range->max)
                                 : draw(1, mode == LP_AMOUNT_ADD ? more : less);
}

static json_t *
cpu_json(const LpPartition *partition, const LpPartition *to)
{
    unsigned mode = to ? LP_AMOUNT_SET : (unsigned) draw(LP_AMOUNT_SET, LP_AMOUNT_REMOVE);

    return json_pack("{s:s,s:I}", "mode", modes[mode], "count",
                     (json_int_t) MAX(cpu_count(partition, to, mode), 1));
}

static json_t *
mem_json(const LpPartition *partition, const LpPartition *to)
{
    unsigned mode = to ? LP_AMOUNT_SET : (unsigned) draw(LP_AMOUNT_SET, LP_AMOUNT_REMOVE);
    int64_t mib = mem_mib(partition, to, mode);

    if (!one_in(8))
        mib -= mib % 64;
    return json_pack("{s:s,s:I}", "mode", modes[mode], "bytes",
                     (json_int_t) MAX(mib, 2) * (json_int_t) MIB);
}

static void
put_amounts(json_t *json, const LpPartition *partition, const LpPartition *to)
{
    unsigned which = (unsigned) draw(1, 3);

    if (which & 1)
        json_object_set_new(json, "cpu", cpu_json(partition, to));
    if (which & 2)
        json_object_set_new(json, "mem", mem_json(partition, to));
}

static json_t *
request_json(const LpPartition *partition)
{
    static const char *const vias[] = {"auto", "auto", "auto", "virtio-mem", "dimm", "balloon"};
    json_t *json = json_pack("{s:s,s:s}", "partition", partition->view->name, "requester", "sim");
    const LpPartition *other = partition_at_random();
    int64_t kind = draw(0, 19);

    if (kind < 10) {
        json_object_set_new(json, "kind", json_string("resize"));
        put_amounts(json, partition, NULL);
        json_object_set_new(json, "via", json_string(vias[draw(0, 5)]));
        json_object_set_new(json, "atomic", json_boolean(one_in(5)));
        json_object_set_new(json, "live_only", json_boolean(one_in(5)));
    } else if (kind < 15) {
        json_object_set_new(json, "kind", json_string("move"));
        json_object_set_new(json, "to", json_string(other->view->name));
        put_amounts(json, partition, other);
        json_object_set_new(json, "atomic", json_boolean(one_in(4)));
    } else if (kind < 17) {
        json_object_set_new(json, "kind", json_string("capacity"));
        json_object_set_new(json, "entitled_centi", json_integer((json_int_t) draw(5, 150)));
        json_object_set_new(json, "weight", json_integer((json_int_t) draw(0, 255)));
        json_object_set_new(json, "capped", json_boolean(one_in(2)));
    } else if (kind < 18 && partition->view->n_cells > 1) {
        json_object_set_new(json, "kind", json_string("shift"));
        json_object_set_new(json, "shift",
                            json_pack("{s:i,s:i,s:I}", "from_cell", 0, "to_cell", 1, "bytes",
                                      (json_int_t) draw(1, 16) * 64 * (json_int_t) MIB));
    } else {
        json_object_set_new(json, "kind", json_string("reconcile"));
    }
    json_object_set_new(json, "force", json_boolean(one_in(6)));
    if (one_in(3))
        json_object_set_new(json, "timeout_sec", json_integer((json_int_t) draw(1, 90)));
    if (one_in(4))
        json_object_set_new(json, "lock_timeout_sec", json_integer((json_int_t) draw(1, 30)));
    return json;
}

static void
submit_text(const char *text)
{
    g_autoptr(GError) error = NULL;
    json_t *json = json_loads(text, 0, NULL);
    LpRequest *request = lp_request_from_json(json, &error);

    json_decref(json);
    if (!request) {
        say("request %s: %s", text, error->message);
        return;
    }
    say("request %s", text);
    if (one_in(12) ? !lp_engine_plan(world.engine, request, on_accepted, NULL, &error)
                   : !lp_engine_submit(world.engine, request, on_accepted, NULL, &error))
        say("refused at once: %s", error->message);
}

static void
submit(void)
{
    LpPartition *partition = partition_at_random();
    char **slot = &said[draw(0, REMEMBERED - 1)];
    json_t *json;
    char *text;

    if (!partition)
        return;
    if (*slot && one_in(8)) {
        submit_text(*slot);
        return;
    }
    json = request_json(partition);
    if (one_in(3)) {
        g_autofree char *key = g_strdup_printf("key-%" PRIu64, lp_chance(&world.chance));

        json_object_set_new(json, "key", json_string(key));
    }
    text = json_dumps(json, JSON_COMPACT);
    submit_text(text);
    if (json_object_get(json, "key")) {
        g_free(*slot);
        *slot = g_strdup(text);
    }
    free(text);
    json_decref(json);
}

static void
cancel(void)
{
    g_autoptr(GPtrArray) list = lp_engine_list(world.engine);
    g_autoptr(GError) error = NULL;
    const LpOperation *operation;

    if (list->len == 0)
        return;
    operation = g_ptr_array_index(list, draw(0, MIN(list->len, 4) - 1));
    if (!LP_OP_IS_FINAL(operation->state) && operation->on_record)
        say("cancel of %" PRId64 ": %s", operation->id,
            lp_engine_cancel(world.engine, operation->id, &error) ? "asked" : error->message);
}

static void
optimize(void)
{
    json_t *body = json_object();
    LpOptimizeRequest *request = lp_optimize_request_from_json(body, NULL);

    json_decref(body);
    request->requester = g_strdup("sim");
    say("optimize");
    lp_optimizer_start(world.optimizer, request, one_in(4), on_accepted, NULL);
}

/* ---- definitions ---- */

static bool
change_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    return lp_definition_prepare(driver, conn, data, error)
           && lp_definition_apply(driver, conn, data, error);
}

static void
change_done(bool ok, const GError *error, void *data)
{
    (void) data;
    world.definitions--;
    say("definition: %s", ok ? "changed" : error->message);
}

static void
change_free(void *data)
{
    lp_definition_unref(data);
}

static void
put_change(LpProfileChange *change, const LpPartition *partition)
{
    const LpProfile *profile = &partition->profile;

    switch (draw(0, 3)) {
    case 0:
        change->has_hold = true;
        change->hold_until_sec = one_in(2) ? 0 : one_in(2) ? INT64_MAX
                                 : g_get_real_time() / G_USEC_PER_SEC + draw(1, 300);
        break;
    case 1:
        change->autoscale.has_mode = true;
        change->autoscale.autoscale.mode = (LpMode) draw(LP_MODE_OFF, LP_MODE_HOST);
        break;
    case 2:
        change->has_cpu_max = true;
        change->cpu.max = profile->cpu.max + (uint32_t) draw(0, 2);
        break;
    default:
        change->has_cpu_min = true;
        /* Not up: what has less by then would be below it by the operator's doing. */
        change->cpu.min = (uint32_t) draw(1, profile->cpu.min);
        break;
    }
}

static void
change_definition(void)
{
    LpPartition *partition = partition_at_random();
    g_autoptr(GError) error = NULL;
    LpDefinition *definition;

    if (!partition || !lp_partition_has_profile(partition))
        return;
    definition = lp_definition_new(LP_DEFINITION_EDIT, partition->uuid, partition->view->name);
    definition->generation_seen = partition->generation_seen;
    put_change(&definition->change, partition);
    say("definition of %s is to change", partition->view->name);
    world.definitions++;
    if (lp_engine_definition(world.engine, partition->uuid, "a change of its profile", change_job,
                             change_done, definition, change_free, &error))
        return;
    world.definitions--;
    say("definition: %s", error->message);
    lp_definition_unref(definition);
}

void
load_step(void)
{
    int64_t what = draw(0, 99);

    if (!world.journal)
        return;
    if (what < 80)
        submit();
    else if (what < 87)
        cancel();
    else if (what < 91)
        optimize();
    else if (what < 97)
        change_definition();
    else if (world.scaled)
        lp_scaler_set(world.scaler, (LpMode) draw(LP_MODE_OFF, LP_MODE_AUTO), one_in(2), NULL, NULL);
}

void
load_forget(void)
{
    for (unsigned i = 0; i < REMEMBERED; i++)
        g_clear_pointer(&said[i], g_free);
    world.definitions = 0;
}
