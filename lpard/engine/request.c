/* A request's JSON: what API bodies hold and the journal keeps. */
#include <string.h>

#include "lpard/error.h"
#include "lpard/engine/operation.h"

/* Longer than any wait an operator means; keeps the arithmetic far from overflow. */
#define TIMEOUT_MAX_SEC (7 * 24 * 3600)

static const char *const kind_names[LP_OP_KINDS] = {
    [LP_OP_RESIZE] = "resize",
    [LP_OP_MOVE] = "move",
    [LP_OP_CAPACITY] = "capacity",
    [LP_OP_RECONCILE] = "reconcile",
    [LP_OP_SHIFT] = "shift",
    [LP_OP_OPTIMIZE] = "optimize",
};
static const char *const mode_names[] = {"none", "set", "add", "remove"};
static const char *const via_names[] = {"auto", "virtio-mem", "dimm", "balloon"};

const char *
lp_op_kind_name(LpOpKind kind)
{
    return kind < LP_OP_KINDS ? kind_names[kind] : "unknown";
}

LpRequest *
lp_request_copy(const LpRequest *request)
{
    LpRequest *copy = g_memdup2(request, sizeof *request);

    copy->partition = g_strdup(request->partition);
    copy->to = g_strdup(request->to);
    copy->key = g_strdup(request->key);
    copy->requester = g_strdup(request->requester);
    copy->why = g_strdup(request->why);
    copy->optimize = json_deep_copy(request->optimize);
    return copy;
}

void
lp_request_free(LpRequest *request)
{
    if (!request)
        return;
    g_free(request->partition);
    g_free(request->to);
    g_free(request->key);
    g_free(request->requester);
    g_free(request->why);
    json_decref(request->optimize);
    g_free(request);
}

static void
put_text(json_t *json, const char *key, const char *text)
{
    if (text)
        json_object_set_new(json, key, json_string(text));
}

json_t *
lp_request_to_json(const LpRequest *request)
{
    json_t *json = json_object();

    put_text(json, "kind", lp_op_kind_name(request->kind));
    put_text(json, "partition", request->partition);
    put_text(json, "to", request->to);
    if (request->cpu_mode)
        json_object_set_new(json, "cpu", json_pack("{s:s,s:I}", "mode",
                                                   mode_names[request->cpu_mode], "count",
                                                   (json_int_t) request->cpu));
    if (request->mem_mode)
        json_object_set_new(json, "mem", json_pack("{s:s,s:I}", "mode",
                                                   mode_names[request->mem_mode], "bytes",
                                                   (json_int_t) request->mem_bytes));
    if (request->has_shift)
        json_object_set_new(json, "shift",
                            json_pack("{s:I,s:I,s:I}", "from_cell", (json_int_t) request->from_cell,
                                      "to_cell", (json_int_t) request->to_cell, "bytes",
                                      (json_int_t) request->mem_bytes));
    if (request->has_entitled)
        json_object_set_new(json, "entitled_centi", json_integer(request->entitled_centi));
    if (request->has_weight)
        json_object_set_new(json, "weight", json_integer(request->weight));
    if (request->has_capped)
        json_object_set_new(json, "capped", json_boolean(request->capped));
    put_text(json, "via", via_names[request->via]);
    json_object_set_new(json, "live_only", json_boolean(request->live_only));
    json_object_set_new(json, "atomic", json_boolean(request->atomic));
    json_object_set_new(json, "force", json_boolean(request->force));
    json_object_set_new(json, "timeout_sec", json_integer(request->timeout_sec));
    json_object_set_new(json, "lock_timeout_sec", json_integer(request->lock_timeout_sec));
    if (request->keep_desired)
        json_object_set_new(json, "keep_desired", json_true());
    put_text(json, "key", request->key);
    put_text(json, "requester", request->requester);
    put_text(json, "why", request->why);
    if (request->optimize)
        json_object_set(json, "optimize", request->optimize);
    return json;
}

static bool
bad_field(GError **error, const char *key, const char *what)
{
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "field \"%s\" %s", key, what);
    return false;
}

static bool
bad_number(GError **error, const char *key, uint64_t max)
{
    g_autofree char *what =
        g_strdup_printf("must be a whole number from 0 to %" G_GUINT64_FORMAT, max);

    return bad_field(error, key, what);
}

static bool
bad_name(GError **error, const char *key, const char *const *names, size_t n_names)
{
    g_autoptr(GString) what = g_string_new("must be");

    for (size_t i = 0; i < n_names; i++)
        g_string_append_printf(what, "%s \"%s\"", i == 0 ? "" : i + 1 < n_names ? "," : " or",
                               names[i]);
    return bad_field(error, key, what->str);
}

static bool
read_name(const json_t *value, const char *key, const char *const *names, size_t n_names,
          unsigned *ret_index, GError **error)
{
    const char *text = json_string_value(value);

    for (size_t i = 0; text && i < n_names; i++) {
        if (g_str_equal(text, names[i])) {
            *ret_index = (unsigned) i;
            return true;
        }
    }
    return bad_name(error, key, names, n_names);
}

static bool
read_uint(const json_t *value, const char *key, uint64_t max, uint64_t *ret, GError **error)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || (uint64_t) number > max)
        return bad_number(error, key, max);
    *ret = (uint64_t) number;
    return true;
}

static bool
read_text(const json_t *value, const char *key, char **ret, GError **error)
{
    const char *text = json_string_value(value);

    if (!text || !*text || strlen(text) > 256)
        return bad_field(error, key, "must be a text of 1 to 256 bytes");
    g_free(*ret);
    *ret = g_strdup(text);
    return true;
}

static bool
read_bool(const json_t *value, const char *key, bool *ret, GError **error)
{
    if (!json_is_boolean(value))
        return bad_field(error, key, "must be true or false");
    *ret = json_is_true(value);
    return true;
}

static bool
bad_amount(GError **error, const char *key, const char *name)
{
    g_autofree char *what =
        g_strdup_printf("must be an object of \"mode\" (set, add or remove) and \"%s\"", name);

    return bad_field(error, key, what);
}

/* {"mode": "set|add|remove", NAME: amount} */
static bool
read_amount(const json_t *json, const char *key, const char *name, uint64_t max,
            LpAmountMode *ret_mode, uint64_t *ret_amount, GError **error)
{
    const json_t *mode = json_object_get(json, "mode"), *amount = json_object_get(json, name);
    unsigned index = 0;

    if (!json_is_object(json) || json_object_size(json) != 2 || !mode || !amount)
        return bad_amount(error, key, name);
    if (!read_name(mode, "mode", mode_names + 1, G_N_ELEMENTS(mode_names) - 1, &index, error)
        || !read_uint(amount, name, max, ret_amount, error))
        return false;
    *ret_mode = (LpAmountMode) (index + 1);
    return true;
}

/* {"from_cell": N, "to_cell": N, "bytes": N} */
static bool
read_shift(const json_t *json, const char *key, LpRequest *request, GError **error)
{
    const json_t *from = json_object_get(json, "from_cell"), *to = json_object_get(json, "to_cell");
    const json_t *bytes = json_object_get(json, "bytes");
    uint64_t from_cell = 0, to_cell = 0;

    if (!json_is_object(json) || json_object_size(json) != 3 || !from || !to || !bytes)
        return bad_field(error, key, "must be an object of \"from_cell\", \"to_cell\" and "
                                     "\"bytes\"");
    if (!read_uint(from, "from_cell", LP_MAX_CELLS - 1, &from_cell, error)
        || !read_uint(to, "to_cell", LP_MAX_CELLS - 1, &to_cell, error)
        || !read_uint(bytes, "bytes", LP_MEM_MAX_BYTES, &request->mem_bytes, error))
        return false;
    if (from_cell == to_cell)
        return bad_field(error, "to_cell", "is the cell that gives");
    if (request->mem_bytes == 0)
        return bad_field(error, "bytes", "must not be 0");
    request->has_shift = true;
    request->from_cell = (uint32_t) from_cell;
    request->to_cell = (uint32_t) to_cell;
    return true;
}

/* What it holds is the optimizer's to read. */
static bool
read_optimize(json_t *value, const char *key, json_t **ret, GError **error)
{
    if (!json_is_object(value))
        return bad_field(error, key, "must be an object");
    json_decref(*ret);
    *ret = json_incref(value);
    return true;
}

static bool
read_field(LpRequest *request, const char *key, json_t *value, GError **error)
{
    uint64_t number = 0;
    unsigned index = 0;

    if (g_str_equal(key, "kind")) {
        if (!read_name(value, key, kind_names, LP_OP_KINDS, &index, error))
            return false;
        request->kind = (LpOpKind) index;
        return true;
    }
    if (g_str_equal(key, "partition"))
        return read_text(value, key, &request->partition, error);
    if (g_str_equal(key, "to"))
        return read_text(value, key, &request->to, error);
    if (g_str_equal(key, "key"))
        return read_text(value, key, &request->key, error);
    if (g_str_equal(key, "requester"))
        return read_text(value, key, &request->requester, error);
    if (g_str_equal(key, "why"))
        return read_text(value, key, &request->why, error);
    if (g_str_equal(key, "optimize"))
        return read_optimize(value, key, &request->optimize, error);
    if (g_str_equal(key, "force"))
        return read_bool(value, key, &request->force, error);
    if (g_str_equal(key, "cpu")) {
        if (!read_amount(value, key, "count", LP_MAX_CPUS, &request->cpu_mode, &number, error))
            return false;
        request->cpu = (uint32_t) number;
        return true;
    }
    if (g_str_equal(key, "mem"))
        return read_amount(value, key, "bytes", LP_MEM_MAX_BYTES, &request->mem_mode,
                           &request->mem_bytes, error);
    if (g_str_equal(key, "shift"))
        return read_shift(value, key, request, error);
    if (g_str_equal(key, "via")) {
        if (!read_name(value, key, via_names, G_N_ELEMENTS(via_names), &index, error))
            return false;
        request->via = (LpVia) index;
        return true;
    }
    if (g_str_equal(key, "live_only"))
        return read_bool(value, key, &request->live_only, error);
    if (g_str_equal(key, "keep_desired"))
        return read_bool(value, key, &request->keep_desired, error);
    if (g_str_equal(key, "atomic"))
        return read_bool(value, key, &request->atomic, error);
    if (g_str_equal(key, "capped")) {
        request->has_capped = true;
        return read_bool(value, key, &request->capped, error);
    }
    if (g_str_equal(key, "entitled_centi") || g_str_equal(key, "weight")) {
        bool weight = *key == 'w';

        if (!read_uint(value, key, weight ? LP_WEIGHT_MAX : LP_MAX_CPUS * 100, &number, error))
            return false;
        *(weight ? &request->has_weight : &request->has_entitled) = true;
        *(weight ? &request->weight : &request->entitled_centi) = (uint32_t) number;
        return true;
    }
    if (g_str_equal(key, "timeout_sec") || g_str_equal(key, "lock_timeout_sec")) {
        if (!read_uint(value, key, TIMEOUT_MAX_SEC, &number, error))
            return false;
        *(*key == 't' ? &request->timeout_sec : &request->lock_timeout_sec) = (uint32_t) number;
        return true;
    }
    return bad_field(error, key, "is not known");
}

/* What the fields mean together. */
static bool
check_whole(const LpRequest *request, GError **error)
{
    bool amounts = request->cpu_mode || request->mem_mode;
    bool capacity = request->has_entitled || request->has_weight || request->has_capped;

    if ((request->kind == LP_OP_OPTIMIZE) != (request->optimize != NULL))
        return bad_field(error, "optimize", request->optimize ? "goes with that kind only"
                                                              : "is missing");
    if ((request->kind == LP_OP_OPTIMIZE) != (request->partition == NULL))
        return bad_field(error, "partition", request->partition ? "does not belong here"
                                                                : "is missing");
    if ((request->kind == LP_OP_SHIFT) != request->has_shift)
        return bad_field(error, "shift", request->has_shift ? "goes with that kind only"
                                                            : "is missing");
    if (request->kind == LP_OP_SHIFT && request->atomic)
        return bad_field(error, "atomic", "does not go with a shift, whose halves are each whole");
    if ((request->kind == LP_OP_MOVE) != (request->to != NULL))
        return bad_field(error, "to", request->to ? "goes with a move only" : "is missing");
    if (request->to && g_str_equal(request->to, request->partition))
        return bad_field(error, "to", "names the partition that gives");
    if (amounts != (request->kind == LP_OP_RESIZE || request->kind == LP_OP_MOVE))
        return bad_field(error, "cpu", amounts ? "and \"mem\" do not belong here"
                                               : "or \"mem\" must be given");
    if (capacity != (request->kind == LP_OP_CAPACITY))
        return bad_field(error, "entitled_centi", capacity ? "and its like do not belong here"
                                                           : ", \"weight\" or \"capped\" must be "
                                                             "given");
    if (request->kind == LP_OP_MOVE
        && (request->cpu_mode > LP_AMOUNT_SET || request->mem_mode > LP_AMOUNT_SET))
        return bad_field(error, "mode", "of a move must be \"set\": the amount that moves");
    if (request->kind == LP_OP_MOVE && request->via == LP_VIA_BALLOON)
        return bad_field(error, "via", "cannot be a balloon in a move: what a balloon holds is "
                                       "the guest's promise, and cannot be given to another");
    if ((request->cpu_mode && request->cpu == 0)
        || (request->mem_mode && request->mem_bytes == 0))
        return bad_field(error, request->cpu_mode && request->cpu == 0 ? "cpu" : "mem",
                         "must not be 0");
    return true;
}

LpRequest *
lp_request_from_json(json_t *json, GError **error)
{
    g_autoptr(LpRequest) request = g_new0(LpRequest, 1);
    const char *key;
    json_t *value;

    if (!json_is_object(json)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "the request is not a JSON object");
        return NULL;
    }
    json_object_foreach(json, key, value) {
        if (!read_field(request, key, value, error))
            return NULL;
    }
    if (!check_whole(request, error))
        return NULL;
    return g_steal_pointer(&request);
}
