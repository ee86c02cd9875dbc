/* Text to messages.  Everything here comes from a peer that may be hostile. */
#include "agent/wire/wire.h"
#include "agent/wire/words.h"

#include <jansson.h>
#include <string.h>

/* Getters return whether the field was good, and leave its name here if not. */
typedef struct {
    const char *field;
} LpDecoder;

static bool
bad(LpDecoder *decoder, const char *key)
{
    decoder->field = key;
    return false;
}

static bool
get_uint(LpDecoder *decoder, const json_t *object, const char *key, uint64_t max,
         uint64_t *ret_value)
{
    const json_t *value = json_object_get(object, key);

    /* A real is refused even when it is whole: "1e3" from a peer is a sign of rounding. */
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max)
        return bad(decoder, key);
    *ret_value = (uint64_t)json_integer_value(value);
    return true;
}

static bool
get_uint32(LpDecoder *decoder, const json_t *object, const char *key, uint32_t max,
           uint32_t *ret_value)
{
    uint64_t value = 0;

    if (!get_uint(decoder, object, key, max, &value))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

static bool
get_text(LpDecoder *decoder, const json_t *object, const char *key, char *ret_text, size_t size)
{
    const json_t *value = json_object_get(object, key);
    size_t length;

    if (!json_is_string(value))
        return bad(decoder, key);
    length = json_string_length(value);
    if (!lp_wire_text_allowed(json_string_value(value), length, size))
        return bad(decoder, key);
    memcpy(ret_text, json_string_value(value), length + 1);
    return true;
}

static bool
get_boot_id(LpDecoder *decoder, const json_t *object, char *ret_text)
{
    const json_t *value = json_object_get(object, "boot_id");
    size_t length;

    if (!json_is_string(value))
        return bad(decoder, "boot_id");
    length = json_string_length(value);
    if (!lp_wire_boot_id_allowed(json_string_value(value), length))
        return bad(decoder, "boot_id");
    memcpy(ret_text, json_string_value(value), length + 1);
    return true;
}

static bool
get_mask(LpDecoder *decoder, const json_t *object, const char *key, LpCpuMask *ret_mask)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_string(value) || json_string_length(value) >= LP_CPUMASK_TEXT ||
        !lp_cpumask_parse(json_string_value(value), ret_mask))
        return bad(decoder, key);
    return true;
}

static bool
get_caps(LpDecoder *decoder, const json_t *object, uint32_t *ret_caps)
{
    const json_t *list = json_object_get(object, "caps");
    uint32_t caps = 0;

    if (!json_is_array(list))
        return bad(decoder, "caps");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *name = json_array_get(list, i);
        int bit;

        if (!json_is_string(name))
            return bad(decoder, "caps");
        /* A name we do not know is an ability we shall not ask for. */
        bit = lp_wire_word_find(lp_wire_cap_names, LP_WIRE_CAPS, json_string_value(name));
        if (bit >= 0)
            caps |= 1u << bit;
    }
    *ret_caps = caps;
    return true;
}

static LpWireVerdict
decode_hello(LpDecoder *decoder, const json_t *object, LpWireHello *hello)
{
    if (!get_uint32(decoder, object, "version", UINT32_MAX, &hello->version))
        return LP_WIRE_BAD_FIELD;
    /* The rest of another version's HELLO is not ours to judge. */
    if (hello->version != LP_WIRE_VERSION) {
        decoder->field = "version";
        return LP_WIRE_VERSION_DIFFERS;
    }
    if (!get_text(decoder, object, "agent", hello->agent, sizeof(hello->agent)) ||
        !get_text(decoder, object, "kernel", hello->kernel, sizeof(hello->kernel)) ||
        !get_boot_id(decoder, object, hello->boot_id) ||
        !get_caps(decoder, object, &hello->caps))
        return LP_WIRE_BAD_FIELD;
    if (hello->agent[0] == '\0') {
        decoder->field = "agent";
        return LP_WIRE_BAD_FIELD;
    }
    return LP_WIRE_OK;
}

static bool
get_cells(LpDecoder *decoder, const json_t *object, LpWireState *state)
{
    const json_t *list = json_object_get(object, "cells");
    uint64_t seen = 0;

    if (!json_is_array(list) || json_array_size(list) > LP_WIRE_CELLS_MAX)
        return bad(decoder, "cells");
    state->n_cells = (uint32_t)json_array_size(list);
    for (uint32_t i = 0; i < state->n_cells; i++) {
        const json_t *one = json_array_get(list, i);
        LpWireCell *cell = &state->cells[i];

        if (!json_is_object(one))
            return bad(decoder, "cells");
        if (!get_uint32(decoder, one, "cell", LP_WIRE_CELLS_MAX - 1, &cell->cell) ||
            !get_uint(decoder, one, "total_bytes", LP_WIRE_INTEGER_MAX, &cell->total_bytes) ||
            !get_uint(decoder, one, "free_bytes", LP_WIRE_INTEGER_MAX, &cell->free_bytes))
            return false;
        if (seen & (UINT64_C(1) << cell->cell))
            return bad(decoder, "cell");
        seen |= UINT64_C(1) << cell->cell;
    }
    return true;
}

static LpWireVerdict
decode_state(LpDecoder *decoder, const json_t *object, LpWireState *state)
{
    const uint64_t max = LP_WIRE_INTEGER_MAX;

    if (!get_boot_id(decoder, object, state->boot_id) ||
        !get_uint(decoder, object, "seq", max, &state->seq) ||
        !get_uint(decoder, object, "want_id", max, &state->want_id) ||
        !get_mask(decoder, object, "present", &state->present) ||
        !get_mask(decoder, object, "online", &state->online) ||
        !get_uint(decoder, object, "mem_total_bytes", max, &state->mem_total_bytes) ||
        !get_uint(decoder, object, "mem_available_bytes", max, &state->mem_available_bytes) ||
        !get_uint(decoder, object, "mem_free_bytes", max, &state->mem_free_bytes) ||
        !get_uint(decoder, object, "mem_offline_bytes", max, &state->mem_offline_bytes) ||
        !get_cells(decoder, object, state) ||
        !get_uint32(decoder, object, "load_centi", UINT32_MAX, &state->load_centi) ||
        !get_uint32(decoder, object, "psi_cpu_centi", LP_WIRE_PERCENT_MAX,
                    &state->psi_cpu_centi) ||
        !get_uint32(decoder, object, "psi_mem_centi", LP_WIRE_PERCENT_MAX,
                    &state->psi_mem_centi))
        return LP_WIRE_BAD_FIELD;
    if (!lp_cpumask_covers(&state->present, &state->online)) {
        decoder->field = "online";
        return LP_WIRE_BAD_FIELD;
    }
    return LP_WIRE_OK;
}

static LpWireVerdict
decode_reply(LpDecoder *decoder, const json_t *object, LpWireReply *reply)
{
    const json_t *ok = json_object_get(object, "ok");

    if (!get_uint(decoder, object, "id", LP_WIRE_INTEGER_MAX, &reply->id))
        return LP_WIRE_BAD_FIELD;
    if (reply->id == 0) {
        decoder->field = "id";
        return LP_WIRE_BAD_FIELD;
    }
    if (!json_is_boolean(ok)) {
        decoder->field = "ok";
        return LP_WIRE_BAD_FIELD;
    }
    reply->ok = json_is_true(ok);
    if (!get_mask(decoder, object, "failed", &reply->failed) ||
        !get_text(decoder, object, "error", reply->error, sizeof(reply->error)))
        return LP_WIRE_BAD_FIELD;
    return LP_WIRE_OK;
}

static LpWireVerdict
decode_want(LpDecoder *decoder, const json_t *object, LpWireWant *want)
{
    const json_t *mem = json_object_get(object, "mem");
    int policy = -1;

    if (!get_uint(decoder, object, "id", LP_WIRE_INTEGER_MAX, &want->id))
        return LP_WIRE_BAD_FIELD;
    if (want->id == 0) {
        decoder->field = "id";
        return LP_WIRE_BAD_FIELD;
    }
    /* Absent is "leave them"; any value that is not a list is a mistake, null too. */
    want->has_cpus = json_object_get(object, "cpus") != NULL;
    if (want->has_cpus && !get_mask(decoder, object, "cpus", &want->cpus))
        return LP_WIRE_BAD_FIELD;
    if (json_is_string(mem))
        policy = lp_wire_word_find(lp_wire_mem_names, LP_WIRE_MEM_POLICIES,
                                   json_string_value(mem));
    if (policy < 0) {
        decoder->field = "mem";
        return LP_WIRE_BAD_FIELD;
    }
    want->mem = (LpWireMemPolicy)policy;
    if (!get_uint32(decoder, object, "watch_msec", UINT32_MAX, &want->watch_msec))
        return LP_WIRE_BAD_FIELD;
    return LP_WIRE_OK;
}

static LpWireVerdict
decode_object(LpDecoder *decoder, const json_t *object, LpWireMessage *message)
{
    const json_t *type = json_object_get(object, "t");
    int kind;

    if (!json_is_string(type)) {
        decoder->field = "t";
        return LP_WIRE_BAD_FIELD;
    }
    kind = lp_wire_word_find(lp_wire_type_names, LP_WIRE_KINDS, json_string_value(type));
    if (kind < 0) {
        decoder->field = "t";
        return LP_WIRE_UNKNOWN_TYPE;
    }
    message->kind = (LpWireKind)kind;
    switch (message->kind) {
    case LP_WIRE_HELLO:
        return decode_hello(decoder, object, &message->hello);
    case LP_WIRE_STATE:
        return decode_state(decoder, object, &message->state);
    case LP_WIRE_REPLY:
        return decode_reply(decoder, object, &message->reply);
    case LP_WIRE_WANT:
        return decode_want(decoder, object, &message->want);
    default:
        break;
    }
    return LP_WIRE_OK;
}

/* jansson recurses as deep as the text does (to 2048) and allocates for each value, so both
 * are bounded before it sees the text.  Exact for valid JSON; what is not valid is jansson's. */
static LpWireVerdict
scan(LpDecoder *decoder, const char *line, size_t length)
{
    unsigned depth = 0, values = 1;
    bool in_string = false;

    for (size_t i = 0; i < length; i++) {
        char c = line[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            values++;
            if (++depth > LP_WIRE_DEPTH_MAX)
                return LP_WIRE_TOO_DEEP;
        } else if (c == ']' || c == '}') {
            if (depth == 0)
                return LP_WIRE_NOT_JSON;
            depth--;
        } else if (c == ',') {
            values++;
        }
        if (values > LP_WIRE_VALUES_MAX) {
            decoder->field = "(too many values)";
            return LP_WIRE_BAD_FIELD;
        }
    }
    return LP_WIRE_OK;
}

static LpWireVerdict
decode_line(LpDecoder *decoder, const char *line, size_t length, LpWireMessage *message)
{
    LpWireVerdict verdict;
    json_error_t error;
    json_t *root;

    if (length >= LP_WIRE_FRAME_MAX)
        return LP_WIRE_TOO_LONG;
    verdict = scan(decoder, line, length);
    if (verdict != LP_WIRE_OK)
        return verdict;
    /* Two readings of one text are a way around a check: the same key twice is refused. */
    root = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL)
        return LP_WIRE_NOT_JSON;
    verdict = json_is_object(root) ? decode_object(decoder, root, message) : LP_WIRE_NOT_OBJECT;
    json_decref(root);
    return verdict;
}

LpWireVerdict
lp_wire_decode(const char *line, size_t length, LpWireMessage *ret_message,
               const char **ret_field)
{
    LpDecoder decoder = { .field = NULL };
    LpWireMessage message;
    LpWireVerdict verdict;

    memset(&message, 0, sizeof(message));
    verdict = decode_line(&decoder, line, length, &message);
    if (verdict == LP_WIRE_OK)
        *ret_message = message;
    if (ret_field != NULL)
        *ret_field = decoder.field;
    return verdict;
}
