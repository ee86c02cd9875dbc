#include "lpard/engine/operation.h"

#include "lpard/error.h"
#include "lpard/words.h"

static const char *const state_names[LP_OP_STATES] = {
    [LP_OP_QUEUED] = "queued",     [LP_OP_CHECKING] = "checking",
    [LP_OP_RUNNING] = "running",   [LP_OP_CONFIRMING] = "confirming",
    [LP_OP_DONE] = "done",         [LP_OP_PARTIAL] = "partial",
    [LP_OP_REFUSED] = "refused",   [LP_OP_VETOED] = "vetoed",
    [LP_OP_FAILED] = "failed",     [LP_OP_TIMED_OUT] = "timed-out",
    [LP_OP_CANCELLED] = "cancelled",
};

const char *
lp_op_state_name(LpOpState state)
{
    return state < LP_OP_STATES ? state_names[state] : "unknown";
}

int
lp_op_state_exit_status(LpOpState state)
{
    switch (state) {
    case LP_OP_DONE:
        return 0;
    case LP_OP_PARTIAL:
        return 3;
    case LP_OP_REFUSED:
        return 4;
    case LP_OP_VETOED:
        return 5;
    case LP_OP_TIMED_OUT:
        return 6;
    case LP_OP_CANCELLED:
        return 7;
    case LP_OP_FAILED:
        return 1;
    default:
        return 9;   /* accepted, not ended */
    }
}

const char *
lp_confirm_name(LpConfirm confirm)
{
    static const char *const names[] = {"none", "host", "device", "guest-agent",
                                        "agent"};

    return names[confirm];
}

const char *
lp_stepstate_name(LpStepState state)
{
    static const char *const names[] = {"pending", "asked", "confirmed", "partial", "failed",
                                        "skipped"};

    return names[state];
}

LpLeg *
lp_leg_new(const char *uuid, const char *name)
{
    LpLeg *leg = g_new0(LpLeg, 1);

    leg->uuid = g_strdup(uuid);
    leg->name = g_strdup(name);
    return leg;
}

static void
leg_free(gpointer data)
{
    LpLeg *leg = data;

    for (uint32_t i = 0; leg->plan && i < leg->plan->n_steps; i++)
        g_free(leg->progress[i].message);
    g_free(leg->progress);
    lp_plan_free(leg->plan);
    g_free(leg->uuid);
    g_free(leg->name);
    g_free(leg);
}

LpOperation *
lp_operation_new(LpRequest *request)
{
    LpOperation *operation = g_new0(LpOperation, 1);

    operation->request = request;
    operation->legs = g_ptr_array_new_with_free_func(leg_free);
    operation->remarks = g_ptr_array_new_with_free_func(g_free);
    operation->version = 1;
    return operation;
}

void
lp_operation_free(LpOperation *operation)
{
    if (!operation)
        return;
    lp_request_free(operation->request);
    g_ptr_array_unref(operation->legs);
    g_ptr_array_unref(operation->remarks);
    g_free(operation->code);
    g_free(operation->message);
    g_free(operation->ending_message);
    g_free(operation->waits_for);
    json_decref(operation->optimize);
    g_free(operation);
}

static json_t *
text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *
uint_json(uint64_t number)
{
    return json_integer((json_int_t) number);
}

static json_t *
time_or_null(int64_t unix_sec)
{
    g_autoptr(GDateTime) time = unix_sec ? g_date_time_new_from_unix_utc(unix_sec) : NULL;
    g_autofree char *text = time ? g_date_time_format_iso8601(time) : NULL;

    return text_or_null(text);
}

static json_t *
step_json(const LpStep *step, const LpStepProgress *progress, uint32_t n_cells)
{
    g_autofree char *text = lp_words_step(step, n_cells);
    char cpus[LP_CPUMASK_TEXT];
    json_t *json = json_object();

    json_object_set_new(json, "kind", json_string(lp_step_kind_name(step->kind)));
    json_object_set_new(json, "stage", uint_json(step->stage));
    json_object_set_new(json, "release", json_boolean(step->release));
    json_object_set_new(json, "cell", uint_json(step->cell));
    json_object_set_new(json, "vcpu", uint_json(step->vcpu));
    json_object_set_new(json, "alias", json_string(step->alias));
    json_object_set_new(json, "cpus",
                        json_string(lp_cpumask_format(&step->cpus, cpus, sizeof cpus)));
    json_object_set_new(json, "from_bytes", uint_json(step->from_bytes));
    json_object_set_new(json, "to_bytes", uint_json(step->to_bytes));
    json_object_set_new(json, "expected_msec", uint_json(step->expected_msec));
    json_object_set_new(json, "text", json_string(text));
    json_object_set_new(json, "state", json_string(lp_stepstate_name(
                                           progress ? progress->state : LP_STEPSTATE_PENDING)));
    json_object_set_new(json, "reached_bytes", uint_json(progress ? progress->reached_bytes : 0));
    json_object_set_new(json, "took_msec",
                        progress && progress->confirmed_usec && progress->asked_usec
                            ? json_integer((progress->confirmed_usec - progress->asked_usec)
                                           / 1000)
                            : json_null());
    json_object_set_new(json, "message", text_or_null(progress ? progress->message : NULL));
    return json;
}

static json_t *
shortfall_json(const LpShortfall *shortfall, const char *partition)
{
    static const char *const resources[] = {"cpu", "mem", "capacity"};
    g_autofree char *text = lp_words_shortfall(shortfall, partition);

    return json_pack("{s:s,s:s,s:b,s:I,s:I,s:i,s:s}", "reason",
                     lp_short_reason_name(shortfall->reason), "resource",
                     resources[shortfall->resource], "fatal", shortfall->fatal, "asked",
                     (json_int_t) shortfall->asked, "bound", (json_int_t) shortfall->bound,
                     "where", shortfall->where, "text", text);
}

json_t *
lp_plan_to_json(const LpPlan *plan, const LpStepProgress *progress, const char *partition)
{
    json_t *steps = json_array(), *shortfalls = json_array();
    uint32_t n_cells = 0;

    for (uint32_t i = 0; i < plan->n_steps; i++)
        n_cells = MAX(n_cells, plan->steps[i].cell + 1);
    for (uint32_t i = 0; i < plan->n_steps; i++)
        json_array_append_new(steps, step_json(&plan->steps[i], progress ? &progress[i] : NULL,
                                               n_cells));
    for (uint32_t i = 0; i < plan->n_shortfalls; i++)
        json_array_append_new(shortfalls, shortfall_json(&plan->shortfalls[i], partition));
    return json_pack("{s:I,s:I,s:b,s:{s:I,s:I},s:o,s:o}", "stages", (json_int_t) plan->n_stages,
                     "expected_msec", (json_int_t) plan->expected_msec, "refused", plan->refused,
                     "after", "cpu", (json_int_t) plan->cpu_after, "mem_bytes",
                     (json_int_t) plan->mem_after_bytes, "steps", steps, "shortfalls",
                     shortfalls);
}

static json_t *
target_json(const LpTarget *target)
{
    json_t *json = json_object();

    if (target->has_cpu)
        json_object_set_new(json, "cpu", uint_json(target->cpu));
    if (target->has_mem)
        json_object_set_new(json, "mem_bytes", uint_json(target->mem_bytes));
    if (target->one_cell)
        json_object_set_new(json, "cell", uint_json(target->cell));
    if (target->has_capacity) {
        json_object_set_new(json, "entitled_centi", uint_json(target->entitled_centi));
        json_object_set_new(json, "weight", uint_json(target->weight));
        json_object_set_new(json, "capped", json_boolean(target->capped));
    }
    return json;
}

/* Also what an undo after a restart has to bring back. */
static json_t *
before_json(const LpLeg *leg)
{
    json_t *json = json_pack("{s:I,s:I}", "cpu", (json_int_t) leg->cpu_before, "mem_bytes",
                             (json_int_t) leg->mem_before_bytes);

    if (leg->target.has_capacity && leg->capacity_before.entitled_centi) {
        json_object_set_new(json, "entitled_centi",
                            uint_json(leg->capacity_before.entitled_centi));
        json_object_set_new(json, "weight", uint_json(leg->capacity_before.weight));
        json_object_set_new(json, "capped", json_boolean(leg->capacity_before.capped));
    }
    return json;
}

static json_t *
leg_json(const LpLeg *leg)
{
    int64_t cpu_left = leg->target.has_cpu ? (int64_t) leg->target.cpu - leg->cpu_now : 0;
    int64_t mem_left = leg->target.has_mem
                           ? (int64_t) leg->target.mem_bytes - (int64_t) leg->mem_now_bytes
                           : 0;

    return json_pack(
        "{s:s,s:s,s:b,s:b,s:o,s:o,s:{s:I,s:I},s:{s:I,s:I},s:{s:I,s:I},s:o}", "partition",
        leg->name, "uuid", leg->uuid, "undo", leg->undo, "begun", leg->begun, "target", target_json(&leg->target),
        "before", before_json(leg), "now", "cpu", (json_int_t) leg->cpu_now, "mem_bytes",
        (json_int_t) leg->mem_now_bytes, "usable", "cpu", (json_int_t) leg->usable_cpu,
        "mem_bytes", (json_int_t) leg->usable_bytes, "remaining", "cpu", (json_int_t) cpu_left,
        "mem_bytes", (json_int_t) mem_left, "plan",
        leg->plan ? lp_plan_to_json(leg->plan, leg->progress, leg->name) : json_null());
}

static json_t *
timing_json(const LpOperation *operation)
{
    int64_t end = operation->finished_usec ? operation->finished_usec : g_get_monotonic_time();
    bool called = operation->first_call_usec && operation->started_usec;

    return json_pack(
        "{s:I,s:o,s:I,s:I,s:o,s:I}", "waited_msec",
        (json_int_t) (operation->started_usec
                          ? (operation->started_usec - operation->created_usec) / 1000
                          : 0),
        "to_first_call_usec",
        called ? json_integer(operation->first_call_usec - operation->started_usec) : json_null(),
        "look_usec", (json_int_t) MAX(operation->look_usec, 0),
        "guest_usec", (json_int_t) operation->guest_usec,
        "answer_usec",
        operation->last_confirm_usec && operation->finished_usec
            ? json_integer(operation->finished_usec - operation->last_confirm_usec)
            : json_null(),
        "total_msec",
        (json_int_t) (operation->created_usec ? (end - operation->created_usec) / 1000 : 0));
}

static json_t *
ending_json(const LpOperation *operation)
{
    if (!LP_OP_IS_FINAL(operation->ending) || LP_OP_IS_FINAL(operation->state))
        return json_null();
    return json_pack("{s:s,s:s?,s:s?,s:I}", "state", lp_op_state_name(operation->ending), "code",
                     operation->ending_code, "message", operation->ending_message, "leg",
                     (json_int_t) operation->ending_leg);
}

json_t *
lp_operation_to_json(const LpOperation *operation)
{
    json_t *json = json_object(), *legs = json_array(), *remarks = json_array();
    const LpRequest *request = operation->request;

    for (guint i = 0; i < operation->legs->len; i++)
        json_array_append_new(legs, leg_json(g_ptr_array_index(operation->legs, i)));
    for (guint i = 0; i < operation->remarks->len; i++)
        json_array_append_new(remarks, json_string(g_ptr_array_index(operation->remarks, i)));
    json_object_set_new(json, "id", json_integer(operation->id));
    json_object_set_new(json, "kind", json_string(lp_op_kind_name(request->kind)));
    json_object_set_new(json, "state", json_string(lp_op_state_name(operation->state)));
    json_object_set_new(json, "exit_status",
                        json_integer(lp_op_state_exit_status(operation->state)));
    json_object_set_new(json, "partition", text_or_null(request->partition));
    json_object_set_new(json, "to", text_or_null(request->to));
    json_object_set_new(json, "request", lp_request_to_json(request));
    json_object_set_new(json, "code", text_or_null(operation->code));
    json_object_set_new(json, "message", text_or_null(operation->message));
    json_object_set_new(json, "confirm", json_string(lp_confirm_name(operation->confirm)));
    json_object_set_new(json, "remarks", remarks);
    json_object_set_new(json, "waits_for", text_or_null(operation->waits_for));
    json_object_set_new(json, "recovered", json_boolean(operation->recovered));
    json_object_set_new(json, "cancel_asked", json_boolean(operation->cancel_asked));
    json_object_set_new(json, "ending", ending_json(operation));
    json_object_set_new(json, "requester", text_or_null(request->requester));
    json_object_set_new(json, "version", uint_json(operation->version));
    json_object_set_new(json, "created_at", time_or_null(operation->created_sec));
    json_object_set_new(json, "finished_at", time_or_null(operation->finished_sec));
    json_object_set_new(json, "legs", legs);
    json_object_set_new(json, "optimize",
                        operation->optimize ? json_incref(operation->optimize) : json_null());
    json_object_set_new(json, "timing", timing_json(operation));
    json_object_set_new(
        json, "deadline_in_msec",
        operation->deadline_usec && !operation->finished_usec
            ? json_integer((operation->deadline_usec - g_get_monotonic_time()) / 1000)
            : json_null());
    return json;
}

static bool
read_u64(const json_t *json, const char *key, uint64_t max, uint64_t *ret)
{
    const json_t *value = json_object_get(json, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0
        || (uint64_t) json_integer_value(value) > max)
        return false;
    *ret = (uint64_t) json_integer_value(value);
    return true;
}

static GDateTime *
read_time(const json_t *json)
{
    const char *text = json_string_value(json);

    return text ? g_date_time_new_from_iso8601(text, NULL) : NULL;
}

static void
read_capacity(const json_t *json, LpCapacity *ret_capacity)
{
    uint64_t number;

    ret_capacity->capped = json_is_true(json_object_get(json, "capped"));
    if (read_u64(json, "entitled_centi", LP_MAX_CPUS * 100, &number))
        ret_capacity->entitled_centi = (uint32_t) number;
    if (read_u64(json, "weight", LP_WEIGHT_MAX, &number))
        ret_capacity->weight = (uint32_t) number;
}

static LpLeg *
leg_from_json(const json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "partition"));
    const char *uuid = json_string_value(json_object_get(json, "uuid"));
    const json_t *target = json_object_get(json, "target"), *before, *now;
    uint64_t number;
    LpLeg *leg;

    if (!name || !uuid || !json_is_object(target))
        return NULL;
    before = json_object_get(json, "before");
    now = json_object_get(json, "now");
    leg = lp_leg_new(uuid, name);
    leg->undo = json_is_true(json_object_get(json, "undo"));
    if (read_u64(target, "cpu", LP_MAX_CPUS, &number)) {
        leg->target.has_cpu = true;
        leg->target.cpu = (uint32_t) number;
    }
    leg->target.has_mem = read_u64(target, "mem_bytes", LP_MEM_MAX_BYTES,
                                   &leg->target.mem_bytes);
    if (read_u64(target, "cell", LP_MAX_CELLS - 1, &number)) {
        leg->target.one_cell = true;
        leg->target.cell = (uint32_t) number;
    }
    if (json_is_integer(json_object_get(target, "entitled_centi"))) {
        LpCapacity capacity = {0};

        read_capacity(target, &capacity);
        leg->target.has_capacity = true;
        leg->target.entitled_centi = capacity.entitled_centi;
        leg->target.weight = capacity.weight;
        leg->target.capped = capacity.capped;
    }
    leg->begun = json_is_true(json_object_get(json, "begun"));
    if (read_u64(before, "cpu", LP_MAX_CPUS, &number))
        leg->cpu_before = leg->cpu_now = (uint32_t) number;
    if (read_u64(before, "mem_bytes", LP_MEM_MAX_BYTES, &number))
        leg->mem_before_bytes = leg->mem_now_bytes = number;
    read_capacity(before, &leg->capacity_before);
    if (read_u64(now, "cpu", LP_MAX_CPUS, &number))
        leg->cpu_now = (uint32_t) number;
    if (read_u64(now, "mem_bytes", LP_MEM_MAX_BYTES, &number))
        leg->mem_now_bytes = number;
    return leg;
}

/* How one that has ended did so. */
static void
read_end(LpOperation *operation, const json_t *json)
{
    const char *state = json_string_value(json_object_get(json, "state"));
    const char *confirm = json_string_value(json_object_get(json, "confirm"));
    g_autoptr(GDateTime) created = read_time(json_object_get(json, "created_at"));
    g_autoptr(GDateTime) finished = read_time(json_object_get(json, "finished_at"));
    const json_t *remarks = json_object_get(json, "remarks"), *remark;
    size_t index;

    if (created)
        operation->created_sec = g_date_time_to_unix(created);
    for (unsigned i = LP_OP_DONE; state && i < LP_OP_STATES; i++)
        if (g_str_equal(state, state_names[i]))
            operation->state = (LpOpState) i;
    if (!LP_OP_IS_FINAL(operation->state))
        return;
    if (finished)
        operation->finished_sec = g_date_time_to_unix(finished);
    for (unsigned i = LP_CONFIRM_NONE; confirm && i <= LP_CONFIRM_AGENT; i++)
        if (g_str_equal(confirm, lp_confirm_name((LpConfirm) i)))
            operation->confirm = (LpConfirm) i;
    operation->code = g_strdup(json_string_value(json_object_get(json, "code")));
    operation->message = g_strdup(json_string_value(json_object_get(json, "message")));
    json_array_foreach(remarks, index, remark)
        g_ptr_array_add(operation->remarks, g_strdup(json_string_value(remark)));
}

/* What was decided of one that had not ended. */
static void
read_ending(LpOperation *operation, const json_t *json)
{
    const char *state = json_string_value(json_object_get(json, "state"));
    const char *code = json_string_value(json_object_get(json, "code"));
    uint64_t leg = 0;

    for (unsigned i = LP_OP_PARTIAL; state && i < LP_OP_STATES; i++)
        if (g_str_equal(state, state_names[i]))
            operation->ending = (LpOpState) i;
    if (!LP_OP_IS_FINAL(operation->ending))
        return;
    operation->ending_code = code ? g_intern_string(code) : NULL;
    operation->ending_message = g_strdup(json_string_value(json_object_get(json, "message")));
    (void) read_u64(json, "leg", G_MAXINT, &leg);
    operation->ending_leg = (guint) leg;
}

static bool
is_whole(const LpOperation *operation)
{
    switch (operation->request->kind) {
    case LP_OP_OPTIMIZE:
        return operation->optimize != NULL;
    case LP_OP_MOVE:
    case LP_OP_SHIFT:
        return operation->legs->len >= 2;
    default:
        return operation->legs->len >= 1;
    }
}

LpOperation *
lp_operation_from_json(json_t *json, GError **error)
{
    json_t *legs = json_object_get(json, "legs"), *item;
    LpRequest *request = lp_request_from_json(json_object_get(json, "request"), error);
    LpOperation *operation;
    uint64_t id = 0;
    size_t index;

    if (!request)
        return NULL;
    operation = lp_operation_new(request);
    if (read_u64(json, "id", INT64_MAX, &id))
        operation->id = (int64_t) id;
    read_end(operation, json);
    read_ending(operation, json_object_get(json, "ending"));
    operation->cancel_asked = json_is_true(json_object_get(json, "cancel_asked"));
    json_array_foreach(legs, index, item) {
        LpLeg *leg = leg_from_json(item);

        if (leg)
            g_ptr_array_add(operation->legs, leg);
    }
    if (json_is_object(json_object_get(json, "optimize")))
        operation->optimize = json_incref(json_object_get(json, "optimize"));
    if (operation->id > 0 && is_whole(operation))
        return operation;
    g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "its id or its legs are missing");
    lp_operation_free(operation);
    return NULL;
}
