/* Resizes, moves, capacity, dry runs; and the operations that they become. */
#include <string.h>

#include "lpard/api/api-private.h"

#define LIST_DEFAULT 50
#define LIST_MAX 1000

/* A call that waits for its operation to change. */
typedef struct {
    LpCall *call;
    LpPeerUse *use;               /* kept while it counts a poll; NULL: none */
    int64_t id;
    uint64_t after;
    guint timeout;
} Waiter;

/* The request as lp_request_from_json() wants it: what the path and the connection say is put
 * in, and may not be said by the body too. */
static LpRequest *
read_request(LpCall *call, const char *kind, bool with_key, GError **error)
{
    json_t *json = json_deep_copy(call->body);
    const char *key = NULL;
    const char *const reserved[] = {"requester", "why", "keep_desired", "key",
                                    kind ? "kind" : NULL, call->argument ? "partition" : NULL};
    LpRequest *request = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(reserved); i++) {
        if (reserved[i] && json_object_get(json, reserved[i])) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                        "the field \"%s\" does not belong in this body%s", reserved[i],
                        strcmp(reserved[i], "key") == 0 ? ": use the header Idempotency-Key"
                                                        : "");
            goto out;
        }
    }
    if (kind)
        json_object_set_new(json, "kind", json_string(kind));
    else if (!json_object_get(json, "kind")) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "the field \"kind\" is missing: resize, move, capacity or reconcile");
        goto out;
    }
    if (call->argument)
        json_object_set_new(json, "partition", json_string(call->argument));
    if (with_key)
        key = soup_message_headers_get_one(
            soup_server_message_get_request_headers(call->message), "Idempotency-Key");
    if (key) {
        json_t *text = json_string(key);

        if (!text) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "the Idempotency-Key is not UTF-8");
            goto out;
        }
        json_object_set_new(json, "key", text);
    }
    request = lp_request_from_json(json, error);
    if (request) {
        g_free(request->requester);
        request->requester = lp_call_requester(call);
    }
out:
    json_decref(json);
    return request;
}

static void
answer_operation(LpCall *call, unsigned status, LpOperation *operation, const GError *error)
{
    if (lp_call_wanted(call)) {
        if (error)
            lp_call_fail(call, error);
        else
            lp_call_answer(call, status, lp_operation_to_json(operation));
    }
    lp_call_unref(call);
}

static void
on_accepted(LpOperation *operation, const GError *error, void *data)
{
    LpCall *call = data;

    if (operation && !error)
        call->operation = operation->id;
    if (operation && !error && lp_call_wanted(call)) {
        g_autofree char *place = g_strdup_printf("/v1/operations/%" G_GINT64_FORMAT,
                                                 operation->id);

        soup_message_headers_replace(
            soup_server_message_get_response_headers(call->message), "Location", place);
    }
    answer_operation(call, SOUP_STATUS_ACCEPTED, operation, error);
}

static void
submit(LpCall *call, const char *kind)
{
    g_autoptr(GError) error = NULL;
    LpRequest *request = read_request(call, kind, true, &error);

    if (request && lp_engine_submit(call->api->engine, request, on_accepted,
                                    lp_call_later(call), &error))
        return;
    lp_call_fail(call, error);
    if (request)
        lp_call_unref(call);
}

void
lp_api_post_resize(LpCall *call)
{
    submit(call, "resize");
}

void
lp_api_post_capacity(LpCall *call)
{
    submit(call, "capacity");
}

void
lp_api_post_reconcile(LpCall *call)
{
    submit(call, "reconcile");
}

void
lp_api_post_move(LpCall *call)
{
    submit(call, "move");
}

static void
on_planned(LpOperation *operation, const GError *error, void *data)
{
    answer_operation(data, SOUP_STATUS_OK, operation, error);
}

void
lp_api_post_plan(LpCall *call)
{
    g_autoptr(GError) error = NULL;
    LpRequest *request = read_request(call, NULL, false, &error);

    if (request && lp_engine_plan(call->api->engine, request, on_planned, lp_call_later(call),
                                  &error))
        return;
    lp_call_fail(call, error);
    if (request)
        lp_call_unref(call);
}

/* Among the partitions that an optimization touches. */
static bool
optimize_concerns(const json_t *optimize, const char *uuid)
{
    const json_t *partitions = json_object_get(optimize, "partitions");

    for (size_t i = 0; i < json_array_size(partitions); i++) {
        const json_t *each = json_object_get(json_array_get(partitions, i), "uuid");

        if (g_strcmp0(json_string_value(each), uuid) == 0)
            return true;
    }
    return false;
}

static bool
concerns(const LpOperation *operation, const char *uuid, const char *name)
{
    const LpRequest *request = operation->request;

    for (guint i = 0; i < operation->legs->len; i++) {
        if (g_strcmp0(((const LpLeg *)g_ptr_array_index(operation->legs, i))->uuid, uuid) == 0)
            return true;
    }
    return optimize_concerns(operation->optimize, uuid) ||
           g_strcmp0(request->partition, uuid) == 0 || g_strcmp0(request->partition, name) == 0 ||
           g_strcmp0(request->to, uuid) == 0 || g_strcmp0(request->to, name) == 0;
}

/* A move is filed under its giver; its receiver finds it by what the record says. */
static bool
row_concerns(const json_t *row, const char *uuid)
{
    const json_t *legs = json_object_get(json_object_get(row, "body"), "legs");

    if (!uuid || g_strcmp0(json_string_value(json_object_get(row, "uuid")), uuid) == 0)
        return true;
    for (size_t i = 0; i < json_array_size(legs); i++) {
        const json_t *leg = json_object_get(json_array_get(legs, i), "uuid");

        if (g_strcmp0(json_string_value(leg), uuid) == 0)
            return true;
    }
    return optimize_concerns(json_object_get(json_object_get(row, "body"), "optimize"), uuid);
}

static int64_t
row_id(const json_t *row)
{
    return json_integer_value(json_object_get(row, "id"));
}

/* Newest first, which both lists are, each row once. */
static json_t *
merge_rows(const json_t *a, const json_t *b)
{
    json_t *merged = json_array();
    size_t i = 0, j = 0;

    while (i < json_array_size(a) || j < json_array_size(b)) {
        json_t *left = json_array_get(a, i), *right = json_array_get(b, j);

        if (left && right && row_id(left) == row_id(right))
            j++;
        if (left && (!right || row_id(left) >= row_id(right))) {
            json_array_append(merged, left);
            i++;
        } else {
            json_array_append(merged, right);
            j++;
        }
    }
    return merged;
}

/* All that it gave or did alone, and of the latest of everybody what it was given. */
static json_t *
history_of(LpJournal *journal, const char *uuid, unsigned n_rows, GError **error)
{
    json_t *own = lp_journal_history(journal, uuid, INT64_MAX, n_rows, error);
    json_t *all, *merged;

    if (!own || !uuid)
        return own;
    all = lp_journal_history(journal, NULL, INT64_MAX, LIST_MAX, error);
    for (size_t i = json_array_size(all); i > 0; i--) {
        if (!row_concerns(json_array_get(all, i - 1), uuid))
            json_array_remove(all, i - 1);
    }
    merged = all ? merge_rows(own, all) : NULL;
    json_decref(own);
    json_decref(all);
    return merged;
}

/* What the engine no longer has in memory, from the journal. */
static bool
append_history(LpCall *call, json_t *list, GHashTable *known, const char *uuid, size_t limit,
               GError **error)
{
    /* Those that are in both do not count. */
    unsigned n_rows = (unsigned)MIN(limit + g_hash_table_size(known), LIST_MAX);
    json_t *rows = history_of(call->api->journal, uuid, n_rows, error);

    if (!rows)
        return false;
    for (size_t i = 0; i < json_array_size(rows) && json_array_size(list) < limit; i++) {
        json_t *row = json_array_get(rows, i);
        int64_t id = row_id(row);

        if (!g_hash_table_contains(known, &id))
            json_array_append(list, json_object_get(row, "body"));
    }
    json_decref(rows);
    return true;
}

static bool
list_filter(LpCall *call, char **ret_uuid, char **ret_name, bool *ret_open, uint64_t *ret_limit,
            GError **error)
{
    const char *name = lp_call_query(call, "partition");
    const char *state = lp_call_query(call, "state");

    *ret_limit = LIST_DEFAULT;
    *ret_open = state && strcmp(state, "open") == 0;
    if (state && !*ret_open && strcmp(state, "all") != 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "the parameter \"state\" must be open or all");
        return false;
    }
    if (name) {
        const LpPartition *partition = lp_registry_find(call->api->registry, name, error);

        if (!partition)
            return false;
        *ret_uuid = g_strdup(partition->uuid);
        *ret_name = g_strdup(partition->view->name);
    }
    return lp_call_query_number(call, "limit", LIST_MAX, ret_limit, error);
}

void
lp_api_get_operations(LpCall *call)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) operations = lp_engine_list(call->api->engine);
    g_autoptr(GHashTable) known = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_autofree char *uuid = NULL;
    g_autofree char *name = NULL;
    json_t *list;
    uint64_t limit;
    bool open;

    if (!list_filter(call, &uuid, &name, &open, &limit, &error)) {
        lp_call_fail(call, error);
        return;
    }
    list = json_array();
    for (guint i = 0; i < operations->len; i++) {
        LpOperation *operation = g_ptr_array_index(operations, i);

        g_hash_table_add(known, &operation->id);
        if (json_array_size(list) < limit && (!uuid || concerns(operation, uuid, name)) &&
            (!open || !LP_OP_IS_FINAL(operation->state)))
            json_array_append_new(list, lp_operation_to_json(operation));
    }
    if (!open && json_array_size(list) < limit &&
        !append_history(call, list, known, uuid, limit, &error)) {
        json_decref(list);
        lp_call_fail(call, error);
        return;
    }
    lp_call_answer(call, SOUP_STATUS_OK, json_pack("{s:o}", "operations", list));
}

static bool
operation_id(LpCall *call, int64_t *ret_id, GError **error)
{
    guint64 number;

    if (g_ascii_string_to_unsigned(call->argument, 10, 1, G_MAXINT64, &number, NULL)) {
        *ret_id = (int64_t)number;
        return true;
    }
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                "\"%.64s\" is not an operation's number: `lparctl op list` shows them",
                call->argument);
    return false;
}

static bool
answer_from_journal(LpCall *call, int64_t id, GError **error)
{
    g_autoptr(GError) unreadable = NULL;
    json_t *body = lp_journal_operation(call->api->journal, id, &unreadable);

    if (body) {
        lp_call_answer(call, SOUP_STATUS_OK, body);
        return true;
    }
    if (unreadable)
        g_propagate_error(error, g_steal_pointer(&unreadable));
    else
        g_set_error(error, LP_ERROR, LP_ERROR_NO_OPERATION,
                    "there is no operation %" G_GINT64_FORMAT ": `lparctl op list` shows those "
                    "that are kept", id);
    return false;
}

static void
free_waiter(Waiter *waiter)
{
    if (waiter->timeout)
        g_source_remove(waiter->timeout);
    if (waiter->use)
        waiter->use->n_polls--;
    lp_call_unref(waiter->call);
    g_free(waiter);
}

/* Answers with what is now, whatever that is. */
static void
end_waiter(LpApi *api, Waiter *waiter)
{
    g_autoptr(GError) error = NULL;
    const LpOperation *operation = lp_engine_find(api->engine, waiter->id);

    g_ptr_array_remove(api->waiters, waiter);
    if (operation)
        lp_call_answer(waiter->call, SOUP_STATUS_OK, lp_operation_to_json(operation));
    else if (!answer_from_journal(waiter->call, waiter->id, &error))
        lp_call_fail(waiter->call, error);
    free_waiter(waiter);
}

static gboolean
on_wait_over(void *data)
{
    Waiter *waiter = data;

    waiter->timeout = 0;
    end_waiter(waiter->call->api, waiter);
    return G_SOURCE_REMOVE;
}

void
lp_api_wake_waiters(LpApi *api)
{
    for (guint i = api->waiters->len; i > 0; i--) {
        Waiter *waiter = g_ptr_array_index(api->waiters, i - 1);
        const LpOperation *operation = lp_engine_find(api->engine, waiter->id);

        if (!operation || LP_OP_IS_FINAL(operation->state) || operation->version > waiter->after)
            end_waiter(api, waiter);
    }
}

void
lp_api_drop_waiters(LpApi *api)
{
    while (api->waiters->len > 0)
        free_waiter(g_ptr_array_remove_index(api->waiters, api->waiters->len - 1));
}

static bool
begin_waiting(LpCall *call, int64_t id, uint64_t after, guint seconds, GError **error)
{
    LpPeerUse *use = call->caller->use;
    uint32_t max = call->api->settings->max_polls;
    Waiter *waiter;

    if (use && max && use->n_polls >= max) {
        g_set_error(error, LP_ERROR, LP_ERROR_RATE,
                    "%u requests of %s wait for operations already: ask without `wait`, let some "
                    "end, or raise `long-polls =` under [limits] in lpard.conf", use->n_polls,
                    call->caller->who);
        return false;
    }
    waiter = g_new0(Waiter, 1);
    *waiter = (Waiter){.call = lp_call_later(call), .use = use, .id = id, .after = after};
    if (use)
        use->n_polls++;
    waiter->timeout = g_timeout_add_seconds(seconds, on_wait_over, waiter);
    g_ptr_array_add(call->api->waiters, waiter);
    return true;
}

void
lp_api_get_operation(LpCall *call)
{
    LpApi *api = call->api;
    g_autoptr(GError) error = NULL;
    const LpOperation *operation;
    uint64_t after = UINT64_MAX, wait = 0;      /* without `after`: until its end */
    int64_t id;

    if (!operation_id(call, &id, &error) ||
        !lp_call_query_number(call, "after", G_MAXUINT64, &after, &error) ||
        !lp_call_query_number(call, "wait", LP_API_WAIT_MAX_SEC, &wait, &error)) {
        lp_call_fail(call, error);
        return;
    }
    operation = lp_engine_find(api->engine, id);
    if (!operation) {
        if (!answer_from_journal(call, id, &error))
            lp_call_fail(call, error);
        return;
    }
    if (wait == 0 || LP_OP_IS_FINAL(operation->state) || operation->version > after)
        lp_call_answer(call, SOUP_STATUS_OK, lp_operation_to_json(operation));
    else if (!begin_waiting(call, id, after, (guint)wait, &error))
        lp_call_fail(call, error);
}

void
lp_api_delete_operation(LpCall *call)
{
    LpApi *api = call->api;
    g_autoptr(GError) error = NULL;
    const LpOperation *operation;
    int64_t id;

    if (!operation_id(call, &id, &error) || !lp_engine_cancel(api->engine, id, &error)) {
        lp_call_fail(call, error);
        return;
    }
    operation = lp_engine_find(api->engine, id);
    if (operation)
        lp_call_answer(call, SOUP_STATUS_ACCEPTED, lp_operation_to_json(operation));
    else if (!answer_from_journal(call, id, &error))
        lp_call_fail(call, error);
}
