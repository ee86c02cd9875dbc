/* The kinds of values that fields have. */
#include "agent/wire/fields.h"

#include <string.h>

bool
lp_wire_bad(LpDecoder *decoder, const char *key)
{
    decoder->field = key;
    return false;
}

bool
lp_wire_get_uint(LpDecoder *decoder, const json_t *object, const char *key, uint64_t max,
                 uint64_t *ret_value)
{
    const json_t *value = json_object_get(object, key);

    /* A real is refused even when it is whole: "1e3" from a peer is a sign of rounding. */
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max)
        return lp_wire_bad(decoder, key);
    *ret_value = (uint64_t)json_integer_value(value);
    return true;
}

bool
lp_wire_get_uint32(LpDecoder *decoder, const json_t *object, const char *key, uint32_t max,
                   uint32_t *ret_value)
{
    uint64_t value = 0;

    if (!lp_wire_get_uint(decoder, object, key, max, &value))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

bool
lp_wire_get_id(LpDecoder *decoder, const json_t *object, uint64_t *ret_id)
{
    if (!lp_wire_get_uint(decoder, object, "id", LP_WIRE_INTEGER_MAX, ret_id))
        return false;
    return *ret_id > 0 || lp_wire_bad(decoder, "id");
}

bool
lp_wire_get_bool(LpDecoder *decoder, const json_t *object, const char *key, bool *ret_value)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_boolean(value))
        return lp_wire_bad(decoder, key);
    *ret_value = json_is_true(value);
    return true;
}

bool
lp_wire_get_text(LpDecoder *decoder, const json_t *object, const char *key, char *ret_text,
                 size_t size)
{
    const json_t *value = json_object_get(object, key);
    size_t length;

    if (!json_is_string(value))
        return lp_wire_bad(decoder, key);
    length = json_string_length(value);
    if (!lp_wire_text_allowed(json_string_value(value), length, size))
        return lp_wire_bad(decoder, key);
    memcpy(ret_text, json_string_value(value), length + 1);
    return true;
}

bool
lp_wire_get_boot_id(LpDecoder *decoder, const json_t *object, char *ret_text)
{
    const json_t *value = json_object_get(object, "boot_id");
    size_t length;

    if (!json_is_string(value))
        return lp_wire_bad(decoder, "boot_id");
    length = json_string_length(value);
    if (!lp_wire_boot_id_allowed(json_string_value(value), length))
        return lp_wire_bad(decoder, "boot_id");
    memcpy(ret_text, json_string_value(value), length + 1);
    return true;
}

bool
lp_wire_get_mask(LpDecoder *decoder, const json_t *object, const char *key, LpCpuMask *ret_mask)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_string(value) || json_string_length(value) >= LP_CPUMASK_TEXT ||
        !lp_cpumask_parse(json_string_value(value), ret_mask))
        return lp_wire_bad(decoder, key);
    return true;
}

bool
lp_wire_get_word(LpDecoder *decoder, const json_t *object, const char *key,
                 const char *const *names, int n_names, int *ret_place)
{
    const json_t *value = json_object_get(object, key);
    int place = -1;

    if (json_is_string(value))
        place = lp_wire_word_find(names, n_names, json_string_value(value));
    if (place < 0)
        return lp_wire_bad(decoder, key);
    *ret_place = place;
    return true;
}

bool
lp_wire_get_bits(LpDecoder *decoder, const json_t *object, const char *key,
                 const char *const *names, int n_names, uint32_t *ret_bits)
{
    const json_t *list = json_object_get(object, key);
    uint32_t bits = 0;

    if (!json_is_array(list))
        return lp_wire_bad(decoder, key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *name = json_array_get(list, i);
        int bit;

        if (!json_is_string(name))
            return lp_wire_bad(decoder, key);
        bit = lp_wire_word_find(names, n_names, json_string_value(name));
        if (bit >= 0)
            bits |= 1u << bit;
    }
    *ret_bits = bits;
    return true;
}

void
lp_wire_put(LpEncoder *encoder, const char *key, json_t *value)
{
    /* json_object_set_new() takes NULL for an error, and always takes the reference. */
    if (json_object_set_new(encoder->object, key, value) < 0)
        encoder->bad = true;
}

void
lp_wire_put_uint(LpEncoder *encoder, const char *key, uint64_t value, uint64_t max)
{
    if (value > max)
        encoder->bad = true;
    else
        lp_wire_put(encoder, key, json_integer((json_int_t)value));
}

void
lp_wire_put_id(LpEncoder *encoder, uint64_t id)
{
    if (id == 0)
        encoder->bad = true;
    lp_wire_put_uint(encoder, "id", id, LP_WIRE_INTEGER_MAX);
}

void
lp_wire_put_text(LpEncoder *encoder, const char *key, const char *text, size_t size)
{
    size_t length = strnlen(text, size);

    if (!lp_wire_text_allowed(text, length, size))
        encoder->bad = true;
    else
        lp_wire_put(encoder, key, json_stringn(text, length));
}

void
lp_wire_put_boot_id(LpEncoder *encoder, const char *text)
{
    size_t length = strnlen(text, sizeof(((LpWireHello *)NULL)->boot_id));

    if (!lp_wire_boot_id_allowed(text, length))
        encoder->bad = true;
    else
        lp_wire_put(encoder, "boot_id", json_stringn(text, length));
}

void
lp_wire_put_mask(LpEncoder *encoder, const char *key, const LpCpuMask *mask)
{
    char text[LP_CPUMASK_TEXT];

    lp_wire_put(encoder, key, json_string(lp_cpumask_format(mask, text, sizeof(text))));
}

void
lp_wire_put_word(LpEncoder *encoder, const char *key, const char *const *names, int n_names,
                 unsigned place)
{
    if (place >= (unsigned)n_names)
        encoder->bad = true;
    else
        lp_wire_put(encoder, key, json_string(names[place]));
}

void
lp_wire_put_bits(LpEncoder *encoder, const char *key, const char *const *names, int n_names,
                 uint32_t bits)
{
    json_t *list = json_array();

    if (bits >> n_names)
        encoder->bad = true;
    for (int bit = 0; bit < n_names; bit++) {
        if ((bits & (1u << bit)) && json_array_append_new(list, json_string(names[bit])) < 0)
            encoder->bad = true;
    }
    lp_wire_put(encoder, key, list);
}
