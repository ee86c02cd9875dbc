/* What was asked of the optimizer, and its JSON. */
#include <string.h>

#include "lpard/error.h"
#include "lpard/optimize/optimize-priv.h"

/* As many names as partitions make sense; more is a mistake or worse. */
#define NAMES_MAX 10000
#define NAME_BYTES_MAX 256
/* More memory than any host has. */
#define BYTES_MAX (1ULL << 60)

LpOptimizeRequest *
lp_optimize_request_new(const char *requester)
{
    LpOptimizeRequest *request = g_new0(LpOptimizeRequest, 1);

    request->requester = g_strdup(requester);
    return request;
}

void
lp_optimize_request_free(LpOptimizeRequest *request)
{
    if (!request)
        return;
    g_strfreev(request->requested);
    g_strfreev(request->protected_);
    g_free(request->key);
    g_free(request->requester);
    g_free(request);
}

static json_t *
names_json(char *const *names)
{
    json_t *array = json_array();

    for (; names && *names; names++)
        json_array_append_new(array, json_string(*names));
    return array;
}

json_t *
lp_optimize_request_to_json(const LpOptimizeRequest *request)
{
    return json_pack("{s:o,s:o,s:I,s:I}", "request", names_json(request->requested), "protect",
                     names_json(request->protected_), "min_gain_centi",
                     (json_int_t) request->min_gain, "max_bytes",
                     (json_int_t) request->max_bytes);
}

static bool
bad_field(GError **error, const char *key, const char *what)
{
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "field \"%s\" %s", key, what);
    return false;
}

static bool
read_names(const json_t *value, const char *key, char ***ret, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const json_t *item;
    size_t index;

    if (!json_is_array(value) || json_array_size(value) > NAMES_MAX)
        return bad_field(error, key, "must be a list of partitions' names");
    json_array_foreach(value, index, item) {
        const char *name = json_string_value(item);

        if (!name || !*name || strlen(name) > NAME_BYTES_MAX)
            return bad_field(error, key, "must hold names of 1 to 256 bytes");
        g_strv_builder_add(builder, name);
    }
    g_strfreev(*ret);
    *ret = g_strv_builder_end(builder);
    return true;
}

static bool
read_number(const json_t *value, const char *key, uint64_t most, uint64_t *ret, GError **error)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0
        || (uint64_t) json_integer_value(value) > most) {
        g_autofree char *what =
            g_strdup_printf("must be a whole number from 0 to %" G_GUINT64_FORMAT, most);

        return bad_field(error, key, what);
    }
    *ret = (uint64_t) json_integer_value(value);
    return true;
}

static bool
read_field(LpOptimizeRequest *request, const char *key, const json_t *value, GError **error)
{
    uint64_t number;

    if (g_str_equal(key, "request"))
        return read_names(value, key, &request->requested, error);
    if (g_str_equal(key, "protect"))
        return read_names(value, key, &request->protected_, error);
    if (g_str_equal(key, "min_gain_centi")) {
        if (!read_number(value, key, LP_SCORE_MAX, &number, error))
            return false;
        request->min_gain = (uint32_t) number;
        return true;
    }
    if (g_str_equal(key, "max_bytes"))
        return read_number(value, key, BYTES_MAX, &request->max_bytes, error);
    return bad_field(error, key, "is not known");
}

LpOptimizeRequest *
lp_optimize_request_from_json(json_t *json, GError **error)
{
    LpOptimizeRequest *request = g_new0(LpOptimizeRequest, 1);
    const char *key;
    json_t *value;

    if (!json_is_object(json)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "the request is not a JSON object");
        lp_optimize_request_free(request);
        return NULL;
    }
    json_object_foreach(json, key, value) {
        if (!read_field(request, key, value, error)) {
            lp_optimize_request_free(request);
            return NULL;
        }
    }
    return request;
}

static GPtrArray *
resolve(LpRegistry *registry, char *const *names, GError **error)
{
    g_autoptr(GPtrArray) uuids = g_ptr_array_new_with_free_func(g_free);

    for (; names && *names; names++) {
        const LpPartition *partition = lp_registry_find(registry, *names, error);

        if (!partition)
            return NULL;
        g_ptr_array_add(uuids, g_strdup(partition->uuid));
    }
    return g_steal_pointer(&uuids);
}

bool
lp_optimize_request_resolve(const LpOptimizeRequest *request, LpRegistry *registry,
                            GPtrArray **ret_requested, GPtrArray **ret_protected, GError **error)
{
    g_autoptr(GPtrArray) requested = resolve(registry, request->requested, error);
    g_autoptr(GPtrArray) kept = requested ? resolve(registry, request->protected_, error) : NULL;

    if (!kept)
        return false;
    for (guint i = 0; i < kept->len; i++) {
        const char *uuid = g_ptr_array_index(kept, i);

        if (g_ptr_array_find_with_equal_func(requested, uuid, g_str_equal, NULL)) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                        "\"%s\" is both asked for and protected; take it out of one of the lists",
                        request->protected_[i]);
            return false;
        }
    }
    *ret_requested = g_steal_pointer(&requested);
    *ret_protected = g_steal_pointer(&kept);
    return true;
}
