#include "lpard/body.h"

#include "lpard/error.h"

bool
lp_body_known(const json_t *object, const char *where, const char *const *known, GError **error)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "%s must be an object",
                    *where ? where : "the body");
        return false;
    }
    /* jansson's iterator wants a pointer it could write through, and does not. */
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (!g_strv_contains(known, key)) {
            g_autofree char *list = g_strjoinv(", ", (char **)(uintptr_t)known);

            g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                        "unknown field \"%s%.64s\"; known here: %s", where, key, list);
            return false;
        }
    }
    return true;
}

/* The field, or NULL with *ret_ok telling whether that is allowed. */
static const json_t *
field_of(const json_t *object, const char *where, const char *field, bool *ret_has, bool *ret_ok,
         GError **error)
{
    const json_t *value = json_object_get(object, field);

    if (ret_has)
        *ret_has = value != NULL;
    *ret_ok = value || ret_has;
    if (!*ret_ok)
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "the field \"%s%s\" is missing", where,
                    field);
    return value;
}

bool
lp_body_integer(const json_t *object, const char *where, const char *field, uint64_t max,
                bool *ret_has, uint64_t *ret, GError **error)
{
    bool ok;
    const json_t *value = field_of(object, where, field, ret_has, &ok, error);

    if (!value)
        return ok;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "\"%s%s\" must be an integer from 0 to %" G_GUINT64_FORMAT, where, field,
                    max);
        return false;
    }
    *ret = (uint64_t)json_integer_value(value);
    return true;
}

bool
lp_body_bool(const json_t *object, const char *where, const char *field, bool *ret_has,
             bool *ret, GError **error)
{
    bool ok;
    const json_t *value = field_of(object, where, field, ret_has, &ok, error);

    if (!value)
        return ok;
    if (!json_is_boolean(value)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "\"%s%s\" must be true or false", where,
                    field);
        return false;
    }
    *ret = json_is_true(value);
    return true;
}

bool
lp_body_text(const json_t *object, const char *where, const char *field, bool *ret_has,
             const char **ret, GError **error)
{
    bool ok;
    const json_t *value = field_of(object, where, field, ret_has, &ok, error);

    if (!value)
        return ok;
    if (!json_is_string(value) || json_string_length(value) == 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "\"%s%s\" must be a text that is not empty",
                    where, field);
        return false;
    }
    *ret = json_string_value(value);
    return true;
}
