/* The messages by which both ends go through a resize together: phase, answer, stop, and the
 * guest's own wishes: ask, result, subscribe. */
#include "agent/wire/fields.h"

#include <string.h>

/* Processing units are of the processors there can be. */
#define LP_UNITS_CENTI_MAX (100u * LP_MAX_CPUS)

/* --- phase --- */

/* Whether a pair is there: both or neither; a half is looked up again, and so named at fault. */
static bool
has_pair(const json_t *object, const char *from, const char *to)
{
    return json_object_get(object, from) != NULL || json_object_get(object, to) != NULL;
}

static bool
get_amounts(LpDecoder *decoder, const json_t *object, LpWirePhase *phase)
{
    phase->has_cpu = has_pair(object, "cpu_from", "cpu_to");
    phase->has_mem = has_pair(object, "mem_from_bytes", "mem_to_bytes");
    phase->has_units = has_pair(object, "units_from_centi", "units_to_centi");
    if (phase->has_cpu &&
        (!lp_wire_get_uint32(decoder, object, "cpu_from", LP_MAX_CPUS, &phase->cpu_from) ||
         !lp_wire_get_uint32(decoder, object, "cpu_to", LP_MAX_CPUS, &phase->cpu_to)))
        return false;
    if (phase->has_mem &&
        (!lp_wire_get_uint(decoder, object, "mem_from_bytes", LP_WIRE_INTEGER_MAX,
                           &phase->mem_from_bytes) ||
         !lp_wire_get_uint(decoder, object, "mem_to_bytes", LP_WIRE_INTEGER_MAX,
                           &phase->mem_to_bytes)))
        return false;
    if (phase->has_units &&
        (!lp_wire_get_uint32(decoder, object, "units_from_centi", LP_UNITS_CENTI_MAX,
                             &phase->units_from_centi) ||
         !lp_wire_get_uint32(decoder, object, "units_to_centi", LP_UNITS_CENTI_MAX,
                             &phase->units_to_centi)))
        return false;
    return phase->has_cpu || phase->has_mem || phase->has_units ||
           lp_wire_bad(decoder, "(nothing changes)");
}

bool
lp_wire_get_phase(LpDecoder *decoder, const json_t *object, LpWirePhase *phase)
{
    int name = 0;

    if (!lp_wire_get_id(decoder, object, &phase->id) ||
        !lp_wire_get_word(decoder, object, "phase", lp_wire_phase_names, LP_WIRE_PHASES, &name) ||
        !lp_wire_get_bool(decoder, object, "force", &phase->force) ||
        !lp_wire_get_uint32(decoder, object, "deadline_msec", UINT32_MAX, &phase->deadline_msec))
        return false;
    phase->phase = (LpWirePhaseName)name;
    return get_amounts(decoder, object, phase);
}

void
lp_wire_put_phase(LpEncoder *encoder, const LpWirePhase *phase)
{
    if (!phase->has_cpu && !phase->has_mem && !phase->has_units)
        encoder->bad = true;
    lp_wire_put_id(encoder, phase->id);
    lp_wire_put_word(encoder, "phase", lp_wire_phase_names, LP_WIRE_PHASES, phase->phase);
    lp_wire_put(encoder, "force", json_boolean(phase->force));
    lp_wire_put_uint(encoder, "deadline_msec", phase->deadline_msec, UINT32_MAX);
    if (phase->has_cpu) {
        lp_wire_put_uint(encoder, "cpu_from", phase->cpu_from, LP_MAX_CPUS);
        lp_wire_put_uint(encoder, "cpu_to", phase->cpu_to, LP_MAX_CPUS);
    }
    if (phase->has_mem) {
        lp_wire_put_uint(encoder, "mem_from_bytes", phase->mem_from_bytes, LP_WIRE_INTEGER_MAX);
        lp_wire_put_uint(encoder, "mem_to_bytes", phase->mem_to_bytes, LP_WIRE_INTEGER_MAX);
    }
    if (phase->has_units) {
        lp_wire_put_uint(encoder, "units_from_centi", phase->units_from_centi,
                         LP_UNITS_CENTI_MAX);
        lp_wire_put_uint(encoder, "units_to_centi", phase->units_to_centi, LP_UNITS_CENTI_MAX);
    }
}

/* --- answer, stop --- */

bool
lp_wire_get_answer(LpDecoder *decoder, const json_t *object, LpWireAnswer *answer)
{
    int phase = 0, verdict = 0;

    if (!lp_wire_get_id(decoder, object, &answer->id) ||
        !lp_wire_get_word(decoder, object, "phase", lp_wire_phase_names, LP_WIRE_PHASES, &phase) ||
        !lp_wire_get_word(decoder, object, "verdict", lp_wire_answer_names, LP_WIRE_ANSWERS,
                          &verdict) ||
        !lp_wire_get_text(decoder, object, "by", answer->by, sizeof(answer->by)) ||
        !lp_wire_get_text(decoder, object, "reason", answer->reason, sizeof(answer->reason)))
        return false;
    answer->phase = (LpWirePhaseName)phase;
    answer->verdict = (LpWireAnswerVerdict)verdict;
    answer->has_leave = json_object_get(object, "leave") != NULL;
    return !answer->has_leave || lp_wire_get_mask(decoder, object, "leave", &answer->leave);
}

void
lp_wire_put_answer(LpEncoder *encoder, const LpWireAnswer *answer)
{
    lp_wire_put_id(encoder, answer->id);
    lp_wire_put_word(encoder, "phase", lp_wire_phase_names, LP_WIRE_PHASES, answer->phase);
    lp_wire_put_word(encoder, "verdict", lp_wire_answer_names, LP_WIRE_ANSWERS, answer->verdict);
    lp_wire_put_text(encoder, "by", answer->by, sizeof(answer->by));
    lp_wire_put_text(encoder, "reason", answer->reason, sizeof(answer->reason));
    if (answer->has_leave)
        lp_wire_put_mask(encoder, "leave", &answer->leave);
}

bool
lp_wire_get_stop(LpDecoder *decoder, const json_t *object, LpWireStop *stop)
{
    return lp_wire_get_id(decoder, object, &stop->id) &&
           lp_wire_get_uint(decoder, object, "back_bytes", LP_WIRE_INTEGER_MAX,
                            &stop->back_bytes) &&
           lp_wire_get_text(decoder, object, "reason", stop->reason, sizeof(stop->reason));
}

void
lp_wire_put_stop(LpEncoder *encoder, const LpWireStop *stop)
{
    lp_wire_put_id(encoder, stop->id);
    lp_wire_put_uint(encoder, "back_bytes", stop->back_bytes, LP_WIRE_INTEGER_MAX);
    lp_wire_put_text(encoder, "reason", stop->reason, sizeof(stop->reason));
}

/* --- ask, result --- */

static bool
get_wishes(LpDecoder *decoder, const json_t *object, LpWireAsk *ask)
{
    int cpu_mode = 0, mem_mode = 0;

    ask->has_cpu = has_pair(object, "cpu_mode", "cpu");
    ask->has_mem = has_pair(object, "mem_mode", "mem_bytes");
    if (ask->has_cpu &&
        (!lp_wire_get_word(decoder, object, "cpu_mode", lp_wire_mode_names, LP_WIRE_MODES,
                           &cpu_mode) ||
         !lp_wire_get_uint32(decoder, object, "cpu", LP_MAX_CPUS, &ask->cpu)))
        return false;
    if (ask->has_mem &&
        (!lp_wire_get_word(decoder, object, "mem_mode", lp_wire_mode_names, LP_WIRE_MODES,
                           &mem_mode) ||
         !lp_wire_get_uint(decoder, object, "mem_bytes", LP_WIRE_INTEGER_MAX, &ask->mem_bytes)))
        return false;
    ask->cpu_mode = (LpWireMode)cpu_mode;
    ask->mem_mode = (LpWireMode)mem_mode;
    /* Nothing more, nothing less, and a size of nothing: no wish is 0. */
    if (ask->has_cpu && ask->cpu == 0)
        return lp_wire_bad(decoder, "cpu");
    if (ask->has_mem && ask->mem_bytes == 0)
        return lp_wire_bad(decoder, "mem_bytes");
    return ask->has_cpu || ask->has_mem || lp_wire_bad(decoder, "(nothing is asked)");
}

bool
lp_wire_get_ask(LpDecoder *decoder, const json_t *object, LpWireAsk *ask)
{
    return lp_wire_get_id(decoder, object, &ask->id) && get_wishes(decoder, object, ask) &&
           lp_wire_get_text(decoder, object, "who", ask->who, sizeof(ask->who)) &&
           lp_wire_get_text(decoder, object, "why", ask->why, sizeof(ask->why));
}

void
lp_wire_put_ask(LpEncoder *encoder, const LpWireAsk *ask)
{
    if ((!ask->has_cpu && !ask->has_mem) || (ask->has_cpu && ask->cpu == 0) ||
        (ask->has_mem && ask->mem_bytes == 0))
        encoder->bad = true;
    lp_wire_put_id(encoder, ask->id);
    if (ask->has_cpu) {
        lp_wire_put_word(encoder, "cpu_mode", lp_wire_mode_names, LP_WIRE_MODES, ask->cpu_mode);
        lp_wire_put_uint(encoder, "cpu", ask->cpu, LP_MAX_CPUS);
    }
    if (ask->has_mem) {
        lp_wire_put_word(encoder, "mem_mode", lp_wire_mode_names, LP_WIRE_MODES, ask->mem_mode);
        lp_wire_put_uint(encoder, "mem_bytes", ask->mem_bytes, LP_WIRE_INTEGER_MAX);
    }
    lp_wire_put_text(encoder, "who", ask->who, sizeof(ask->who));
    lp_wire_put_text(encoder, "why", ask->why, sizeof(ask->why));
}

bool
lp_wire_get_result(LpDecoder *decoder, const json_t *object, LpWireResult *result)
{
    if (!lp_wire_get_id(decoder, object, &result->id) ||
        !lp_wire_get_bool(decoder, object, "final", &result->final) ||
        !lp_wire_get_uint(decoder, object, "operation", LP_WIRE_INTEGER_MAX,
                          &result->operation) ||
        !lp_wire_get_text(decoder, object, "state", result->state, sizeof(result->state)))
        return false;
    if (!lp_wire_state_allowed(result->state))
        return lp_wire_bad(decoder, "state");
    return lp_wire_get_text(decoder, object, "message", result->message,
                            sizeof(result->message));
}

void
lp_wire_put_result(LpEncoder *encoder, const LpWireResult *result)
{
    lp_wire_put_id(encoder, result->id);
    lp_wire_put(encoder, "final", json_boolean(result->final));
    lp_wire_put_uint(encoder, "operation", result->operation, LP_WIRE_INTEGER_MAX);
    lp_wire_put_text(encoder, "state", result->state, sizeof(result->state));
    if (!encoder->bad && !lp_wire_state_allowed(result->state))
        encoder->bad = true;
    lp_wire_put_text(encoder, "message", result->message, sizeof(result->message));
}

/* --- subscribe --- */

bool
lp_wire_get_subscribe(LpDecoder *decoder, const json_t *object, LpWireSubscribe *subscribe)
{
    if (!lp_wire_get_text(decoder, object, "name", subscribe->name, sizeof(subscribe->name)))
        return false;
    if (subscribe->name[0] == '\0')
        return lp_wire_bad(decoder, "name");
    return lp_wire_get_bool(decoder, object, "cpu", &subscribe->cpu) &&
           lp_wire_get_bool(decoder, object, "mem", &subscribe->mem) &&
           lp_wire_get_bool(decoder, object, "units", &subscribe->units) &&
           lp_wire_get_bool(decoder, object, "consults", &subscribe->consults);
}

void
lp_wire_put_subscribe(LpEncoder *encoder, const LpWireSubscribe *subscribe)
{
    if (subscribe->name[0] == '\0')
        encoder->bad = true;
    lp_wire_put_text(encoder, "name", subscribe->name, sizeof(subscribe->name));
    lp_wire_put(encoder, "cpu", json_boolean(subscribe->cpu));
    lp_wire_put(encoder, "mem", json_boolean(subscribe->mem));
    lp_wire_put(encoder, "units", json_boolean(subscribe->units));
    lp_wire_put(encoder, "consults", json_boolean(subscribe->consults));
}
