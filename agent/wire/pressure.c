/* How the guest fares, to and from JSON. */
#include "agent/wire/fields.h"

#include <string.h>

/* No class uses more processors than there can be. */
#define LP_CPU_CENTI_MAX (100u * LP_MAX_CPUS)

static bool
named_before(const LpWirePressure *pressure, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++) {
        if (strcmp(pressure->classes[k].name, pressure->classes[i].name) == 0)
            return true;
    }
    return false;
}

static bool
get_classes(LpDecoder *decoder, const json_t *object, LpWirePressure *pressure)
{
    const json_t *list = json_object_get(object, "classes");

    if (!json_is_array(list) || json_array_size(list) > LP_WIRE_CLASSES_MAX)
        return lp_wire_bad(decoder, "classes");
    pressure->n_classes = (uint32_t)json_array_size(list);
    for (uint32_t i = 0; i < pressure->n_classes; i++) {
        const json_t *one = json_array_get(list, i);
        LpWireClassUse *use = &pressure->classes[i];

        if (!json_is_object(one))
            return lp_wire_bad(decoder, "classes");
        if (!lp_wire_get_text(decoder, one, "name", use->name, sizeof(use->name)) ||
            !lp_wire_get_uint32(decoder, one, "cpu_centi", LP_CPU_CENTI_MAX, &use->cpu_centi) ||
            !lp_wire_get_uint(decoder, one, "mem_bytes", LP_WIRE_INTEGER_MAX, &use->mem_bytes))
            return false;
        if (use->name[0] == '\0' || named_before(pressure, i))
            return lp_wire_bad(decoder, "name");
    }
    return true;
}

static bool
get_percent(LpDecoder *decoder, const json_t *object, const char *key, uint32_t *ret_centi)
{
    return lp_wire_get_uint32(decoder, object, key, LP_WIRE_PERCENT_MAX, ret_centi);
}

bool
lp_wire_get_pressure(LpDecoder *decoder, const json_t *object, LpWirePressure *pressure)
{
    const uint64_t max = LP_WIRE_INTEGER_MAX;

    return lp_wire_get_boot_id(decoder, object, pressure->boot_id) &&
           lp_wire_get_uint(decoder, object, "seq", max, &pressure->seq) &&
           lp_wire_get_uint(decoder, object, "mem_total_bytes", max,
                            &pressure->mem_total_bytes) &&
           lp_wire_get_uint(decoder, object, "mem_available_bytes", max,
                            &pressure->mem_available_bytes) &&
           lp_wire_get_uint(decoder, object, "working_set_bytes", max,
                            &pressure->working_set_bytes) &&
           lp_wire_get_uint(decoder, object, "swap_used_bytes", max,
                            &pressure->swap_used_bytes) &&
           lp_wire_get_uint(decoder, object, "refaults", max, &pressure->refaults) &&
           lp_wire_get_uint(decoder, object, "oom_kills", max, &pressure->oom_kills) &&
           get_percent(decoder, object, "psi_cpu_some_centi", &pressure->psi_cpu_some_centi) &&
           get_percent(decoder, object, "psi_mem_some_centi", &pressure->psi_mem_some_centi) &&
           get_percent(decoder, object, "psi_mem_full_centi", &pressure->psi_mem_full_centi) &&
           get_percent(decoder, object, "psi_io_some_centi", &pressure->psi_io_some_centi) &&
           get_percent(decoder, object, "psi_io_full_centi", &pressure->psi_io_full_centi) &&
           lp_wire_get_uint32(decoder, object, "running", UINT32_MAX, &pressure->running) &&
           get_percent(decoder, object, "busy_centi", &pressure->busy_centi) &&
           get_percent(decoder, object, "steal_centi", &pressure->steal_centi) &&
           get_classes(decoder, object, pressure);
}

static void
put_classes(LpEncoder *encoder, const LpWirePressure *pressure)
{
    json_t *list = json_array();

    if (pressure->n_classes > LP_WIRE_CLASSES_MAX)
        encoder->bad = true;
    for (uint32_t i = 0; !encoder->bad && i < pressure->n_classes; i++) {
        const LpWireClassUse *use = &pressure->classes[i];
        LpEncoder one = { .object = json_object() };

        lp_wire_put_text(&one, "name", use->name, sizeof(use->name));
        lp_wire_put_uint(&one, "cpu_centi", use->cpu_centi, LP_CPU_CENTI_MAX);
        lp_wire_put_uint(&one, "mem_bytes", use->mem_bytes, LP_WIRE_INTEGER_MAX);
        /* The names so far are known to end. */
        if (one.bad || use->name[0] == '\0' || named_before(pressure, i))
            encoder->bad = true;
        if (json_array_append_new(list, one.object) < 0)
            encoder->bad = true;
    }
    lp_wire_put(encoder, "classes", list);
}

void
lp_wire_put_pressure(LpEncoder *encoder, const LpWirePressure *pressure)
{
    const struct {
        const char *key;
        uint64_t value, max;
    } numbers[] = {
        { "seq", pressure->seq, LP_WIRE_INTEGER_MAX },
        { "mem_total_bytes", pressure->mem_total_bytes, LP_WIRE_INTEGER_MAX },
        { "mem_available_bytes", pressure->mem_available_bytes, LP_WIRE_INTEGER_MAX },
        { "working_set_bytes", pressure->working_set_bytes, LP_WIRE_INTEGER_MAX },
        { "swap_used_bytes", pressure->swap_used_bytes, LP_WIRE_INTEGER_MAX },
        { "refaults", pressure->refaults, LP_WIRE_INTEGER_MAX },
        { "oom_kills", pressure->oom_kills, LP_WIRE_INTEGER_MAX },
        { "psi_cpu_some_centi", pressure->psi_cpu_some_centi, LP_WIRE_PERCENT_MAX },
        { "psi_mem_some_centi", pressure->psi_mem_some_centi, LP_WIRE_PERCENT_MAX },
        { "psi_mem_full_centi", pressure->psi_mem_full_centi, LP_WIRE_PERCENT_MAX },
        { "psi_io_some_centi", pressure->psi_io_some_centi, LP_WIRE_PERCENT_MAX },
        { "psi_io_full_centi", pressure->psi_io_full_centi, LP_WIRE_PERCENT_MAX },
        { "running", pressure->running, UINT32_MAX },
        { "busy_centi", pressure->busy_centi, LP_WIRE_PERCENT_MAX },
        { "steal_centi", pressure->steal_centi, LP_WIRE_PERCENT_MAX },
    };

    lp_wire_put_boot_id(encoder, pressure->boot_id);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        lp_wire_put_uint(encoder, numbers[i].key, numbers[i].value, numbers[i].max);
    put_classes(encoder, pressure);
}
