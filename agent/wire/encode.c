/* Messages to text.  Refuses what decoding would refuse, so that a mistake is found where it
 * is made and not by the peer. */
#include "agent/wire/wire.h"
#include "agent/wire/words.h"

#include <jansson.h>
#include <string.h>

/* The object grows field by field; the first field that cannot be written ends it. */
typedef struct {
    json_t *object;
    bool bad;
} LpEncoder;

static void
put(LpEncoder *encoder, const char *key, json_t *value)
{
    /* json_object_set_new() takes NULL for an error, and always takes the reference. */
    if (json_object_set_new(encoder->object, key, value) < 0)
        encoder->bad = true;
}

static void
put_uint(LpEncoder *encoder, const char *key, uint64_t value)
{
    if (value > LP_WIRE_INTEGER_MAX)
        encoder->bad = true;
    else
        put(encoder, key, json_integer((json_int_t)value));
}

static void
put_text(LpEncoder *encoder, const char *key, const char *text, size_t size)
{
    size_t length = strnlen(text, size);

    if (!lp_wire_text_allowed(text, length, size))
        encoder->bad = true;
    else
        put(encoder, key, json_stringn(text, length));
}

static void
put_boot_id(LpEncoder *encoder, const char *text)
{
    size_t length = strnlen(text, sizeof(((LpWireHello *)NULL)->boot_id));

    if (!lp_wire_boot_id_allowed(text, length))
        encoder->bad = true;
    else
        put(encoder, "boot_id", json_stringn(text, length));
}

static void
put_mask(LpEncoder *encoder, const char *key, const LpCpuMask *mask)
{
    char text[LP_CPUMASK_TEXT];

    put(encoder, key, json_string(lp_cpumask_format(mask, text, sizeof(text))));
}

static void
encode_hello(LpEncoder *encoder, const LpWireHello *hello)
{
    json_t *caps = json_array();

    if (hello->agent[0] == '\0' || hello->caps >> LP_WIRE_CAPS)
        encoder->bad = true;
    put_uint(encoder, "version", hello->version);
    put_text(encoder, "agent", hello->agent, sizeof(hello->agent));
    put_text(encoder, "kernel", hello->kernel, sizeof(hello->kernel));
    put_boot_id(encoder, hello->boot_id);
    for (int bit = 0; bit < LP_WIRE_CAPS; bit++) {
        if ((hello->caps & (1u << bit)) &&
            json_array_append_new(caps, json_string(lp_wire_cap_names[bit])) < 0)
            encoder->bad = true;
    }
    put(encoder, "caps", caps);
}

static void
encode_cells(LpEncoder *encoder, const LpWireState *state)
{
    json_t *cells = json_array();

    if (state->n_cells > LP_WIRE_CELLS_MAX)
        encoder->bad = true;
    for (uint32_t i = 0; !encoder->bad && i < state->n_cells; i++) {
        const LpWireCell *cell = &state->cells[i];
        LpEncoder one = { .object = json_object() };

        if (cell->cell >= LP_WIRE_CELLS_MAX)
            one.bad = true;
        put_uint(&one, "cell", cell->cell);
        put_uint(&one, "total_bytes", cell->total_bytes);
        put_uint(&one, "free_bytes", cell->free_bytes);
        if (json_array_append_new(cells, one.object) < 0 || one.bad)
            encoder->bad = true;
    }
    put(encoder, "cells", cells);
}

static void
encode_state(LpEncoder *encoder, const LpWireState *state)
{
    if (!lp_cpumask_covers(&state->present, &state->online) ||
        state->psi_cpu_centi > LP_WIRE_PERCENT_MAX || state->psi_mem_centi > LP_WIRE_PERCENT_MAX)
        encoder->bad = true;
    put_boot_id(encoder, state->boot_id);
    put_uint(encoder, "seq", state->seq);
    put_uint(encoder, "want_id", state->want_id);
    put_mask(encoder, "present", &state->present);
    put_mask(encoder, "online", &state->online);
    put_uint(encoder, "mem_total_bytes", state->mem_total_bytes);
    put_uint(encoder, "mem_available_bytes", state->mem_available_bytes);
    put_uint(encoder, "mem_free_bytes", state->mem_free_bytes);
    put_uint(encoder, "mem_offline_bytes", state->mem_offline_bytes);
    encode_cells(encoder, state);
    put_uint(encoder, "load_centi", state->load_centi);
    put_uint(encoder, "psi_cpu_centi", state->psi_cpu_centi);
    put_uint(encoder, "psi_mem_centi", state->psi_mem_centi);
}

static void
encode_reply(LpEncoder *encoder, const LpWireReply *reply)
{
    if (reply->id == 0)
        encoder->bad = true;
    put_uint(encoder, "id", reply->id);
    put(encoder, "ok", json_boolean(reply->ok));
    put_mask(encoder, "failed", &reply->failed);
    put_text(encoder, "error", reply->error, sizeof(reply->error));
}

static void
encode_want(LpEncoder *encoder, const LpWireWant *want)
{
    if (want->id == 0 || (unsigned)want->mem >= LP_WIRE_MEM_POLICIES) {
        encoder->bad = true;
        return;
    }
    put_uint(encoder, "id", want->id);
    if (want->has_cpus)
        put_mask(encoder, "cpus", &want->cpus);
    put(encoder, "mem", json_string(lp_wire_mem_names[want->mem]));
    put_uint(encoder, "watch_msec", want->watch_msec);
}

static void
encode_fields(LpEncoder *encoder, const LpWireMessage *message)
{
    put(encoder, "t", json_string(lp_wire_type_names[message->kind]));
    switch (message->kind) {
    case LP_WIRE_HELLO:
        encode_hello(encoder, &message->hello);
        break;
    case LP_WIRE_STATE:
        encode_state(encoder, &message->state);
        break;
    case LP_WIRE_REPLY:
        encode_reply(encoder, &message->reply);
        break;
    case LP_WIRE_WANT:
        encode_want(encoder, &message->want);
        break;
    default:
        break;
    }
}

LpWireVerdict
lp_wire_encode(const LpWireMessage *message, char *buf, size_t size, size_t *ret_length)
{
    LpEncoder encoder = { .object = NULL };
    LpWireVerdict verdict = LP_WIRE_BAD_FIELD;
    size_t length;

    if ((unsigned)message->kind >= LP_WIRE_KINDS)
        return LP_WIRE_UNKNOWN_TYPE;
    encoder.object = json_object();
    encode_fields(&encoder, message);
    if (!encoder.bad) {
        length = json_dumpb(encoder.object, buf, size, JSON_COMPACT);
        if (length == 0) {
            verdict = LP_WIRE_BAD_FIELD;
        } else if (length + 1 > LP_WIRE_FRAME_MAX || length + 2 > size) {
            verdict = LP_WIRE_NO_ROOM;
        } else {
            buf[length] = '\n';
            buf[length + 1] = '\0';
            *ret_length = length + 1;
            verdict = LP_WIRE_OK;
        }
    }
    json_decref(encoder.object);
    return verdict;
}
