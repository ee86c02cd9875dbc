/* Who the guest is and what it can use: hello and state; what it shall use: want and reply. */
#include "agent/wire/fields.h"

/* --- hello --- */

/* What older agents say nothing of. */
static bool
get_enlightenment(LpDecoder *decoder, const json_t *object, LpWireHello *hello)
{
    const json_t *hypervisor = json_object_get(object, "hypervisor");
    int place = LP_WIRE_HYPERVISOR_UNKNOWN;

    if (hypervisor != NULL && !json_is_string(hypervisor))
        return lp_wire_bad(decoder, "hypervisor");
    if (hypervisor != NULL)
        place = lp_wire_word_find(lp_wire_hypervisor_names, LP_WIRE_HYPERVISORS,
                                  json_string_value(hypervisor));
    /* One that we do not know is another one all the same. */
    hello->hypervisor = place < 0 ? LP_WIRE_HYPERVISOR_OTHER : (LpWireHypervisor)place;
    if ((json_object_get(object, "has") != NULL &&
         !lp_wire_get_bits(decoder, object, "has", lp_wire_feature_names, LP_WIRE_FEATURES,
                           &hello->has)) ||
        (json_object_get(object, "lacks") != NULL &&
         !lp_wire_get_bits(decoder, object, "lacks", lp_wire_feature_names, LP_WIRE_FEATURES,
                           &hello->lacks)) ||
        (json_object_get(object, "forbids") != NULL &&
         !lp_wire_get_bits(decoder, object, "forbids", lp_wire_act_names, LP_WIRE_ACTS,
                           &hello->forbids)))
        return false;
    return (hello->has & hello->lacks) == 0 || lp_wire_bad(decoder, "lacks");
}

bool
lp_wire_get_hello(LpDecoder *decoder, const json_t *object, LpWireHello *hello)
{
    if (!lp_wire_get_uint32(decoder, object, "version", UINT32_MAX, &hello->version))
        return false;
    /* The rest of another version's HELLO is not ours to judge. */
    if (hello->version != LP_WIRE_VERSION) {
        decoder->verdict = LP_WIRE_VERSION_DIFFERS;
        decoder->field = "version";
        return false;
    }
    if (!lp_wire_get_text(decoder, object, "agent", hello->agent, sizeof(hello->agent)) ||
        !lp_wire_get_text(decoder, object, "kernel", hello->kernel, sizeof(hello->kernel)) ||
        !lp_wire_get_boot_id(decoder, object, hello->boot_id) ||
        /* A name we do not know is an ability we shall not ask for. */
        !lp_wire_get_bits(decoder, object, "caps", lp_wire_cap_names, LP_WIRE_CAPS,
                          &hello->caps))
        return false;
    if (hello->agent[0] == '\0')
        return lp_wire_bad(decoder, "agent");
    return get_enlightenment(decoder, object, hello);
}

void
lp_wire_put_hello(LpEncoder *encoder, const LpWireHello *hello)
{
    if (hello->agent[0] == '\0' || (hello->has & hello->lacks) != 0)
        encoder->bad = true;
    lp_wire_put_uint(encoder, "version", hello->version, UINT32_MAX);
    lp_wire_put_text(encoder, "agent", hello->agent, sizeof(hello->agent));
    lp_wire_put_text(encoder, "kernel", hello->kernel, sizeof(hello->kernel));
    lp_wire_put_boot_id(encoder, hello->boot_id);
    lp_wire_put_bits(encoder, "caps", lp_wire_cap_names, LP_WIRE_CAPS, hello->caps);
    if (hello->hypervisor != LP_WIRE_HYPERVISOR_UNKNOWN)
        lp_wire_put_word(encoder, "hypervisor", lp_wire_hypervisor_names, LP_WIRE_HYPERVISORS,
                         hello->hypervisor);
    if (hello->has != 0)
        lp_wire_put_bits(encoder, "has", lp_wire_feature_names, LP_WIRE_FEATURES, hello->has);
    if (hello->lacks != 0)
        lp_wire_put_bits(encoder, "lacks", lp_wire_feature_names, LP_WIRE_FEATURES,
                         hello->lacks);
    if (hello->forbids != 0)
        lp_wire_put_bits(encoder, "forbids", lp_wire_act_names, LP_WIRE_ACTS, hello->forbids);
}

/* --- state --- */

static bool
get_cells(LpDecoder *decoder, const json_t *object, LpWireState *state)
{
    const json_t *list = json_object_get(object, "cells");
    uint64_t seen = 0;

    if (!json_is_array(list) || json_array_size(list) > LP_WIRE_CELLS_MAX)
        return lp_wire_bad(decoder, "cells");
    state->n_cells = (uint32_t)json_array_size(list);
    for (uint32_t i = 0; i < state->n_cells; i++) {
        const json_t *one = json_array_get(list, i);
        LpWireCell *cell = &state->cells[i];

        if (!json_is_object(one))
            return lp_wire_bad(decoder, "cells");
        if (!lp_wire_get_uint32(decoder, one, "cell", LP_WIRE_CELLS_MAX - 1, &cell->cell) ||
            !lp_wire_get_uint(decoder, one, "total_bytes", LP_WIRE_INTEGER_MAX,
                              &cell->total_bytes) ||
            !lp_wire_get_uint(decoder, one, "free_bytes", LP_WIRE_INTEGER_MAX,
                              &cell->free_bytes))
            return false;
        if (seen & (UINT64_C(1) << cell->cell))
            return lp_wire_bad(decoder, "cell");
        seen |= UINT64_C(1) << cell->cell;
    }
    return true;
}

bool
lp_wire_get_state(LpDecoder *decoder, const json_t *object, LpWireState *state)
{
    const uint64_t max = LP_WIRE_INTEGER_MAX;

    if (!lp_wire_get_boot_id(decoder, object, state->boot_id) ||
        !lp_wire_get_uint(decoder, object, "seq", max, &state->seq) ||
        !lp_wire_get_uint(decoder, object, "want_id", max, &state->want_id) ||
        !lp_wire_get_mask(decoder, object, "present", &state->present) ||
        !lp_wire_get_mask(decoder, object, "online", &state->online) ||
        !lp_wire_get_uint(decoder, object, "mem_total_bytes", max, &state->mem_total_bytes) ||
        !lp_wire_get_uint(decoder, object, "mem_available_bytes", max,
                          &state->mem_available_bytes) ||
        !lp_wire_get_uint(decoder, object, "mem_free_bytes", max, &state->mem_free_bytes) ||
        !lp_wire_get_uint(decoder, object, "mem_offline_bytes", max,
                          &state->mem_offline_bytes) ||
        !get_cells(decoder, object, state) ||
        !lp_wire_get_uint32(decoder, object, "load_centi", UINT32_MAX, &state->load_centi) ||
        !lp_wire_get_uint32(decoder, object, "psi_cpu_centi", LP_WIRE_PERCENT_MAX,
                            &state->psi_cpu_centi) ||
        !lp_wire_get_uint32(decoder, object, "psi_mem_centi", LP_WIRE_PERCENT_MAX,
                            &state->psi_mem_centi))
        return false;
    return lp_cpumask_covers(&state->present, &state->online) ||
           lp_wire_bad(decoder, "online");
}

static void
put_cells(LpEncoder *encoder, const LpWireState *state)
{
    json_t *cells = json_array();

    if (state->n_cells > LP_WIRE_CELLS_MAX)
        encoder->bad = true;
    for (uint32_t i = 0; !encoder->bad && i < state->n_cells; i++) {
        const LpWireCell *cell = &state->cells[i];
        LpEncoder one = { .object = json_object() };

        lp_wire_put_uint(&one, "cell", cell->cell, LP_WIRE_CELLS_MAX - 1);
        lp_wire_put_uint(&one, "total_bytes", cell->total_bytes, LP_WIRE_INTEGER_MAX);
        lp_wire_put_uint(&one, "free_bytes", cell->free_bytes, LP_WIRE_INTEGER_MAX);
        if (json_array_append_new(cells, one.object) < 0 || one.bad)
            encoder->bad = true;
    }
    lp_wire_put(encoder, "cells", cells);
}

void
lp_wire_put_state(LpEncoder *encoder, const LpWireState *state)
{
    const uint64_t max = LP_WIRE_INTEGER_MAX;

    if (!lp_cpumask_covers(&state->present, &state->online))
        encoder->bad = true;
    lp_wire_put_boot_id(encoder, state->boot_id);
    lp_wire_put_uint(encoder, "seq", state->seq, max);
    lp_wire_put_uint(encoder, "want_id", state->want_id, max);
    lp_wire_put_mask(encoder, "present", &state->present);
    lp_wire_put_mask(encoder, "online", &state->online);
    lp_wire_put_uint(encoder, "mem_total_bytes", state->mem_total_bytes, max);
    lp_wire_put_uint(encoder, "mem_available_bytes", state->mem_available_bytes, max);
    lp_wire_put_uint(encoder, "mem_free_bytes", state->mem_free_bytes, max);
    lp_wire_put_uint(encoder, "mem_offline_bytes", state->mem_offline_bytes, max);
    put_cells(encoder, state);
    lp_wire_put_uint(encoder, "load_centi", state->load_centi, UINT32_MAX);
    lp_wire_put_uint(encoder, "psi_cpu_centi", state->psi_cpu_centi, LP_WIRE_PERCENT_MAX);
    lp_wire_put_uint(encoder, "psi_mem_centi", state->psi_mem_centi, LP_WIRE_PERCENT_MAX);
}

/* --- want, reply --- */

bool
lp_wire_get_want(LpDecoder *decoder, const json_t *object, LpWireWant *want)
{
    int policy = 0;

    if (!lp_wire_get_id(decoder, object, &want->id))
        return false;
    /* Absent is "leave them"; any value that is not a list is a mistake, null too. */
    want->has_cpus = json_object_get(object, "cpus") != NULL;
    if (want->has_cpus && !lp_wire_get_mask(decoder, object, "cpus", &want->cpus))
        return false;
    if (!lp_wire_get_word(decoder, object, "mem", lp_wire_mem_names, LP_WIRE_MEM_POLICIES,
                          &policy))
        return false;
    want->mem = (LpWireMemPolicy)policy;
    return lp_wire_get_uint32(decoder, object, "watch_msec", UINT32_MAX, &want->watch_msec);
}

void
lp_wire_put_want(LpEncoder *encoder, const LpWireWant *want)
{
    lp_wire_put_id(encoder, want->id);
    if (want->has_cpus)
        lp_wire_put_mask(encoder, "cpus", &want->cpus);
    lp_wire_put_word(encoder, "mem", lp_wire_mem_names, LP_WIRE_MEM_POLICIES, want->mem);
    lp_wire_put_uint(encoder, "watch_msec", want->watch_msec, UINT32_MAX);
}

bool
lp_wire_get_reply(LpDecoder *decoder, const json_t *object, LpWireReply *reply)
{
    return lp_wire_get_id(decoder, object, &reply->id) &&
           lp_wire_get_bool(decoder, object, "ok", &reply->ok) &&
           lp_wire_get_mask(decoder, object, "failed", &reply->failed) &&
           lp_wire_get_text(decoder, object, "error", reply->error, sizeof(reply->error));
}

void
lp_wire_put_reply(LpEncoder *encoder, const LpWireReply *reply)
{
    lp_wire_put_id(encoder, reply->id);
    lp_wire_put(encoder, "ok", json_boolean(reply->ok));
    lp_wire_put_mask(encoder, "failed", &reply->failed);
    lp_wire_put_text(encoder, "error", reply->error, sizeof(reply->error));
}
