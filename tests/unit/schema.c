#include "tests/unit/schema.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool holds(const json_t *document, const json_t *schema, const json_t *value,
                  const char *where, bool loud);

static bool
wrong(bool loud, const char *where, const char *what, const char *which)
{
    if (loud)
        fprintf(stderr, "%s: %s %s\n", where, what, which);
    return false;
}

static const json_t *
resolve(const json_t *document, const json_t *schema)
{
    static const char prefix[] = "#/components/schemas/";
    const char *ref = json_string_value(json_object_get(schema, "$ref"));

    if (!ref)
        return schema;
    if (strncmp(ref, prefix, strlen(prefix)) != 0)
        return NULL;
    return json_object_get(json_object_get(json_object_get(document, "components"), "schemas"),
                           ref + strlen(prefix));
}

static bool
is_type(const char *type, const json_t *value)
{
    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

static bool
type_holds(const json_t *type, const json_t *value)
{
    if (json_is_string(type))
        return is_type(json_string_value(type), value);
    for (size_t i = 0; i < json_array_size(type); i++) {
        if (is_type(json_string_value(json_array_get(type, i)), value))
            return true;
    }
    return false;
}

static bool
object_holds(const json_t *document, const json_t *schema, const json_t *value,
             const char *where, bool loud)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    const json_t *part;

    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *key = json_string_value(json_array_get(required, i));

        if (!json_object_get(value, key))
            return wrong(loud, where, "lacks", key);
    }
    for (void *iter = json_object_iter((json_t *)(uintptr_t)value); iter;
         iter = json_object_iter_next((json_t *)(uintptr_t)value, iter)) {
        const char *key = json_object_iter_key(iter);
        char inner[512];

        part = json_object_get(properties, key);
        snprintf(inner, sizeof inner, "%s.%s", where, key);
        if (!part && json_is_false(json_object_get(schema, "additionalProperties")))
            return wrong(loud, where, "has the undeclared", key);
        if (part && !holds(document, part, json_object_iter_value(iter), inner, loud))
            return false;
    }
    return true;
}

static bool
holds(const json_t *document, const json_t *schema, const json_t *value, const char *where,
      bool loud)
{
    const json_t *any, *values, *minimum;

    schema = resolve(document, schema);
    if (!schema)
        return wrong(loud, where, "has no such", "schema");
    any = json_object_get(schema, "anyOf");
    for (size_t i = 0; i < json_array_size(any); i++) {
        if (holds(document, json_array_get(any, i), value, where, false))
            return true;
    }
    if (any)
        return wrong(loud, where, "is none", "of its alternatives");
    if (json_object_get(schema, "type") && !type_holds(json_object_get(schema, "type"), value))
        return wrong(loud, where, "has another", "type");
    values = json_object_get(schema, "enum");
    if (values && json_is_string(value)) {
        bool found = false;

        for (size_t i = 0; i < json_array_size(values); i++)
            found = found || json_equal(json_array_get(values, i), value);
        if (!found)
            return wrong(loud, where, "may not be", json_string_value(value));
    }
    minimum = json_object_get(schema, "minimum");
    if (minimum && json_is_integer(value) &&
        json_integer_value(value) < json_integer_value(minimum))
        return wrong(loud, where, "is below", "its minimum");
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            char inner[512];

            snprintf(inner, sizeof inner, "%s[%zu]", where, i);
            if (!holds(document, json_object_get(schema, "items"), json_array_get(value, i),
                       inner, loud))
                return false;
        }
    }
    return !json_is_object(value) || object_holds(document, schema, value, where, loud);
}

bool
schema_holds(const json_t *document, const char *name, const json_t *value)
{
    char ref[128];
    json_t *schema;
    bool ok;

    snprintf(ref, sizeof ref, "#/components/schemas/%s", name);
    schema = json_pack("{s:s}", "$ref", ref);
    ok = holds(document, schema, value, name, true);
    json_decref(schema);
    return ok;
}
