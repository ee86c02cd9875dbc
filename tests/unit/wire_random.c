#include "tests/unit/wire_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/wire/words.h"

static uint64_t random_state;

uint32_t
wire_random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

void
wire_random_seed(uint64_t otherwise)
{
    const char *text = getenv("LP_TEST_SEED");

    random_state = text != NULL ? strtoull(text, NULL, 0) : otherwise;
    if (random_state == 0)
        random_state = 1;
    printf("# seed %llu\n", (unsigned long long)random_state);
}

static uint64_t
random_amount(void)
{
    /* Of all magnitudes, and the bound itself. */
    uint64_t wide = (uint64_t)wire_random_below(UINT32_MAX) << 21 | wire_random_below(1u << 21);

    return wire_random_below(20) == 0 ? UINT64_C(1) << 53 : wide >> wire_random_below(53);
}

static void
random_text(char *text, size_t size)
{
    static const char *const letters[] = {
        "a", "Z", " ", "\"", "\\", "/", "{", "9", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
    };
    size_t room = wire_random_below((uint32_t)size);

    text[0] = '\0';
    while (true) {
        const char *letter = letters[wire_random_below(sizeof(letters) / sizeof(letters[0]))];

        if (strlen(text) + strlen(letter) > room)
            return;
        strcat(text, letter);
    }
}

static void
random_mask(LpCpuMask *mask)
{
    lp_cpumask_clear(mask);
    for (uint32_t i = wire_random_below(40); i > 0; i--)
        lp_cpumask_add(mask, wire_random_below(LP_MAX_CPUS));
}

static void
random_pressure(LpWirePressure *pressure)
{
    uint32_t *const percents[] = {
        &pressure->psi_cpu_some_centi, &pressure->psi_mem_some_centi,
        &pressure->psi_mem_full_centi, &pressure->psi_io_some_centi,
        &pressure->psi_io_full_centi, &pressure->busy_centi, &pressure->steal_centi,
    };
    uint64_t *const amounts[] = {
        &pressure->seq, &pressure->mem_total_bytes, &pressure->mem_available_bytes,
        &pressure->working_set_bytes, &pressure->swap_used_bytes, &pressure->refaults,
        &pressure->oom_kills,
    };

    strcpy(pressure->boot_id, WIRE_BOOT_ID);
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
        *percents[i] = wire_random_below(10001);
    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++)
        *amounts[i] = random_amount();
    pressure->running = wire_random_below(UINT32_MAX);
    pressure->n_classes = wire_random_below(LP_WIRE_CLASSES_MAX + 1);
    for (uint32_t i = 0; i < pressure->n_classes; i++) {
        LpWireClassUse *use = &pressure->classes[i];

        random_text(use->name + 1, sizeof(use->name) - 1);
        use->name[0] = (char)('a' + i);
        use->cpu_centi = wire_random_below(100 * LP_MAX_CPUS + 1);
        use->mem_bytes = random_amount();
    }
}

static void
random_phase(LpWirePhase *phase)
{
    uint32_t some = 1 + wire_random_below(7);

    phase->id = 1 + random_amount() / 2;
    phase->phase = wire_random_below(LP_WIRE_PHASES);
    phase->force = wire_random_below(2);
    phase->deadline_msec = wire_random_below(UINT32_MAX);
    phase->has_cpu = some & 1;
    phase->has_mem = some & 2;
    phase->has_units = some & 4;
    if (phase->has_cpu) {
        phase->cpu_from = wire_random_below(LP_MAX_CPUS + 1);
        phase->cpu_to = wire_random_below(LP_MAX_CPUS + 1);
    }
    if (phase->has_mem) {
        phase->mem_from_bytes = random_amount();
        phase->mem_to_bytes = random_amount();
    }
    if (phase->has_units) {
        phase->units_from_centi = wire_random_below(100 * LP_MAX_CPUS + 1);
        phase->units_to_centi = wire_random_below(100 * LP_MAX_CPUS + 1);
    }
}

static void
random_ask(LpWireAsk *ask)
{
    uint32_t some = 1 + wire_random_below(3);

    ask->id = 1 + random_amount() / 2;
    ask->has_cpu = some & 1;
    ask->has_mem = some & 2;
    if (ask->has_cpu) {
        ask->cpu_mode = wire_random_below(LP_WIRE_MODES);
        ask->cpu = 1 + wire_random_below(LP_MAX_CPUS);
    }
    if (ask->has_mem) {
        ask->mem_mode = wire_random_below(LP_WIRE_MODES);
        ask->mem_bytes = 1 + random_amount() / 2;
    }
    random_text(ask->who, sizeof(ask->who));
    random_text(ask->why, sizeof(ask->why));
}

static void
random_answer(LpWireAnswer *answer)
{
    answer->id = 1 + random_amount() / 2;
    answer->phase = wire_random_below(LP_WIRE_PHASES);
    answer->verdict = wire_random_below(LP_WIRE_ANSWERS);
    random_text(answer->by, sizeof(answer->by));
    random_text(answer->reason, sizeof(answer->reason));
    answer->has_leave = wire_random_below(2);
    if (answer->has_leave)
        random_mask(&answer->leave);
}

static void
random_hello(LpWireHello *hello)
{
    hello->version = LP_WIRE_VERSION;
    random_text(hello->agent + 1, sizeof(hello->agent) - 1);
    hello->agent[0] = '0';
    random_text(hello->kernel, sizeof(hello->kernel));
    strcpy(hello->boot_id, WIRE_BOOT_ID);
    hello->caps = wire_random_below(1u << LP_WIRE_CAPS);
    hello->hypervisor = wire_random_below(LP_WIRE_HYPERVISORS);
    hello->has = wire_random_below(1u << LP_WIRE_FEATURES);
    hello->lacks = wire_random_below(1u << LP_WIRE_FEATURES) & ~hello->has;
    hello->forbids = wire_random_below(1u << LP_WIRE_ACTS);
}

static void
random_state_message(LpWireState *state)
{
    uint64_t *const amounts[] = {
        &state->seq, &state->want_id, &state->mem_total_bytes, &state->mem_available_bytes,
        &state->mem_free_bytes, &state->mem_offline_bytes,
    };

    strcpy(state->boot_id, WIRE_BOOT_ID);
    random_mask(&state->present);
    for (int i = lp_cpumask_next(&state->present, 0); i >= 0;
         i = lp_cpumask_next(&state->present, (unsigned)i + 1)) {
        if (wire_random_below(2))
            lp_cpumask_add(&state->online, (unsigned)i);
    }
    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++)
        *amounts[i] = random_amount();
    state->n_cells = wire_random_below(LP_WIRE_CELLS_MAX + 1);
    for (uint32_t i = 0; i < state->n_cells; i++)
        state->cells[i] = (LpWireCell){ LP_WIRE_CELLS_MAX - 1 - i, random_amount(),
                                        random_amount() };
    state->load_centi = wire_random_below(UINT32_MAX);
    state->psi_cpu_centi = wire_random_below(LP_WIRE_PERCENT_MAX + 1);
    state->psi_mem_centi = wire_random_below(LP_WIRE_PERCENT_MAX + 1);
}

static void
random_reply(LpWireReply *reply)
{
    reply->id = 1 + random_amount() / 2;
    reply->ok = wire_random_below(2);
    random_mask(&reply->failed);
    random_text(reply->error, sizeof(reply->error));
}

static void
random_stop(LpWireStop *stop)
{
    stop->id = 1 + random_amount() / 2;
    stop->back_bytes = random_amount();
    random_text(stop->reason, sizeof(stop->reason));
}

static void
random_want(LpWireWant *want)
{
    want->id = 1 + random_amount() / 2;
    want->has_cpus = wire_random_below(2);
    if (want->has_cpus)
        random_mask(&want->cpus);
    want->mem = wire_random_below(LP_WIRE_MEM_POLICIES);
    want->watch_msec = wire_random_below(UINT32_MAX);
}

static void
random_result(LpWireResult *result)
{
    result->id = 1 + random_amount() / 2;
    result->final = wire_random_below(2);
    result->operation = random_amount();
    for (uint32_t i = 1 + wire_random_below(sizeof(result->state) - 1); i > 0; i--)
        result->state[i - 1] = "abcdefghijklmnopqrstuvwxyz-"[wire_random_below(27)];
    random_text(result->message, sizeof(result->message));
}

static void
random_subscribe(LpWireSubscribe *subscribe)
{
    random_text(subscribe->name + 1, sizeof(subscribe->name) - 1);
    subscribe->name[0] = 'p';
    subscribe->cpu = wire_random_below(2);
    subscribe->mem = wire_random_below(2);
    subscribe->units = wire_random_below(2);
    subscribe->consults = wire_random_below(2);
}

void
wire_random_message(LpWireMessage *ret_message)
{
    memset(ret_message, 0, sizeof(*ret_message));
    ret_message->kind = wire_random_below(LP_WIRE_KINDS);
    switch (ret_message->kind) {
    case LP_WIRE_HELLO:
        random_hello(&ret_message->hello);
        break;
    case LP_WIRE_STATE:
        random_state_message(&ret_message->state);
        break;
    case LP_WIRE_REPLY:
        random_reply(&ret_message->reply);
        break;
    case LP_WIRE_ANSWER:
        random_answer(&ret_message->answer);
        break;
    case LP_WIRE_STOP:
        random_stop(&ret_message->stop);
        break;
    case LP_WIRE_PRESSURE:
        random_pressure(&ret_message->pressure);
        break;
    case LP_WIRE_ASK:
        random_ask(&ret_message->ask);
        break;
    case LP_WIRE_WANT:
        random_want(&ret_message->want);
        break;
    case LP_WIRE_PHASE:
        random_phase(&ret_message->phase);
        break;
    case LP_WIRE_RESULT:
        random_result(&ret_message->result);
        break;
    case LP_WIRE_SUBSCRIBE:
        random_subscribe(&ret_message->subscribe);
        break;
    case LP_WIRE_WHO:
    case LP_WIRE_KINDS:
        break;
    }
}
