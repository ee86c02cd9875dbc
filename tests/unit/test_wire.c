/* The wire codec: what goes out comes back, and nothing that comes in can hurt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/wire/wire.h"

#define BOOT "04d95510-5312-4c4c-be7e-ad5a632fe836"
#define STATE_HEAD "{\"t\":\"state\",\"boot_id\":\"" BOOT "\",\"seq\":1,\"want_id\":0,"
#define STATE_MEM "\"mem_total_bytes\":4,\"mem_available_bytes\":3,\"mem_free_bytes\":2," \
    "\"mem_offline_bytes\":0,"
#define STATE_TAIL "\"load_centi\":1,\"psi_cpu_centi\":2,\"psi_mem_centi\":3}"
#define STATE_CELLS(cells) STATE_HEAD "\"present\":\"0-3\",\"online\":\"0\"," STATE_MEM \
    "\"cells\":[" cells "]," STATE_TAIL

static char frame[LP_WIRE_FRAME_MAX + 1];

static LpWireVerdict
decode(const char *text, LpWireMessage *ret_message, const char **ret_field)
{
    size_t length = strlen(text);
    char *exact = malloc(length + 1);    /* the sanitizer then sees a read past the end */
    LpWireVerdict verdict;

    memcpy(exact, text, length);
    exact = realloc(exact, length > 0 ? length : 1);
    verdict = lp_wire_decode(exact, length, ret_message, ret_field);
    free(exact);
    return verdict;
}

static void
make_state(LpWireState *state)
{
    memset(state, 0, sizeof(*state));
    strcpy(state->boot_id, BOOT);
    state->seq = UINT64_C(1) << 53;
    state->want_id = 17;
    lp_cpumask_first_n(&state->present, 8);
    lp_cpumask_add(&state->present, LP_MAX_CPUS - 1);
    lp_cpumask_first_n(&state->online, 3);
    state->mem_total_bytes = 423129088;
    state->mem_available_bytes = 395755520;
    state->mem_free_bytes = 1;
    state->mem_offline_bytes = 134217728;
    state->n_cells = 2;
    state->cells[0] = (LpWireCell){ 0, 1000, 10 };
    state->cells[1] = (LpWireCell){ LP_WIRE_CELLS_MAX - 1, 2000, 20 };
    state->load_centi = UINT32_MAX;
    state->psi_cpu_centi = 10000;
    state->psi_mem_centi = 3;
}

static void
make_pressure(LpWirePressure *pressure)
{
    memset(pressure, 0, sizeof(*pressure));
    strcpy(pressure->boot_id, BOOT);
    pressure->seq = 3;
    pressure->mem_total_bytes = 423129088;
    pressure->mem_available_bytes = 395755520;
    pressure->working_set_bytes = 100000000;
    pressure->swap_used_bytes = 4096;
    pressure->refaults = 77;
    pressure->oom_kills = 1;
    pressure->psi_cpu_some_centi = 10000;
    pressure->psi_mem_some_centi = 1;
    pressure->psi_mem_full_centi = 2;
    pressure->psi_io_some_centi = 3;
    pressure->psi_io_full_centi = 4;
    pressure->running = 9;
    pressure->busy_centi = 9999;
    pressure->steal_centi = 10000;
    pressure->n_classes = 2;
    pressure->classes[0] = (LpWireClassUse){ "db", 102400, 1000 };
    pressure->classes[1] = (LpWireClassUse){ "batch", 0, UINT64_C(1) << 53 };
}

static void
make_any(LpWireMessage *message, LpWireKind kind)
{
    memset(message, 0, sizeof(*message));
    message->kind = kind;
    switch (kind) {
    case LP_WIRE_HELLO:
        message->hello = (LpWireHello){ .version = LP_WIRE_VERSION, .agent = "0.1.0",
                                        .kernel = "6.1.0 \xc3\xa9", .boot_id = BOOT,
                                        .caps = LP_WIRE_CAP_CPU_ONLINE | LP_WIRE_CAP_PSI,
                                        .hypervisor = LP_WIRE_HYPERVISOR_TCG,
                                        .has = LP_WIRE_FEATURE_CPU_HOTPLUG |
                                               LP_WIRE_FEATURE_CGROUPS,
                                        .lacks = LP_WIRE_FEATURE_NUMA,
                                        .forbids = LP_WIRE_ACT_CLASSES };
        break;
    case LP_WIRE_STATE:
        make_state(&message->state);
        break;
    case LP_WIRE_REPLY:
        message->reply = (LpWireReply){ .id = 9, .ok = false, .error = "vCPU 3: busy" };
        lp_cpumask_add(&message->reply.failed, 3);
        break;
    case LP_WIRE_WANT:
        message->want = (LpWireWant){ .id = 9, .has_cpus = true, .mem = LP_WIRE_MEM_KERNEL,
                                      .watch_msec = UINT32_MAX };
        lp_cpumask_first_n(&message->want.cpus, 4);
        break;
    case LP_WIRE_ANSWER:
        message->answer = (LpWireAnswer){ .id = 5, .phase = LP_WIRE_PHASE_PRE,
                                          .verdict = LP_WIRE_ANSWER_VETO,
                                          .by = "hook 20-postgresql",
                                          .reason = "a backup is running", .has_leave = true };
        lp_cpumask_add(&message->answer.leave, 7);
        break;
    case LP_WIRE_STOP:
        message->stop = (LpWireStop){ .id = 5, .back_bytes = 268435456,
                                      .reason = "memory pressure" };
        break;
    case LP_WIRE_PRESSURE:
        make_pressure(&message->pressure);
        break;
    case LP_WIRE_ASK:
        message->ask = (LpWireAsk){ .id = 1, .has_cpu = true, .has_mem = true,
                                    .cpu_mode = LP_WIRE_MODE_SET, .mem_mode = LP_WIRE_MODE_ADD,
                                    .cpu = LP_MAX_CPUS, .mem_bytes = UINT64_C(1) << 53,
                                    .who = "program etl", .why = "import" };
        break;
    case LP_WIRE_PHASE:
        message->phase = (LpWirePhase){ .id = 5, .phase = LP_WIRE_PHASE_UNDO, .force = true,
                                        .deadline_msec = 20000, .has_cpu = true, .has_mem = true,
                                        .has_units = true, .cpu_from = 4, .cpu_to = LP_MAX_CPUS,
                                        .mem_from_bytes = 1, .mem_to_bytes = UINT64_C(1) << 53,
                                        .units_from_centi = 150, .units_to_centi = 102400 };
        break;
    case LP_WIRE_RESULT:
        message->result = (LpWireResult){ .id = 1, .final = true, .operation = 12,
                                          .state = "done", .message = "1 GiB more" };
        break;
    case LP_WIRE_SUBSCRIBE:
        message->subscribe = (LpWireSubscribe){ .name = "etl", .mem = true, .consults = true };
        break;
    case LP_WIRE_WHO:
    case LP_WIRE_KINDS:
        break;
    }
}

static void
test_round_trip(void **data)
{
    (void)data;
    for (int kind = 0; kind < LP_WIRE_KINDS; kind++) {
        LpWireMessage sent, got;
        size_t length = 0;

        make_any(&sent, (LpWireKind)kind);
        memset(&got, 0xa5, sizeof(got));
        assert_int_equal(lp_wire_encode(&sent, frame, sizeof(frame), &length), LP_WIRE_OK);
        assert_int_equal(frame[length - 1], '\n');
        assert_int_equal(frame[length], '\0');
        assert_int_equal(lp_wire_decode(frame, length - 1, &got, NULL), LP_WIRE_OK);
        assert_int_equal(got.kind, sent.kind);
        assert_memory_equal(&got, &sent, sizeof(got));
    }
}

static void
test_want_without_cpus(void **data)
{
    LpWireMessage got;

    (void)data;
    assert_int_equal(decode("{\"t\":\"want\",\"id\":1,\"mem\":\"leave\",\"watch_msec\":0}", &got,
                            NULL), LP_WIRE_OK);
    assert_false(got.want.has_cpus);
    assert_int_equal(got.want.mem, LP_WIRE_MEM_LEAVE);
}

static void
test_largest_fits(void **data)
{
    LpWireMessage message, got;
    size_t length = 0;

    (void)data;
    make_any(&message, LP_WIRE_STATE);
    lp_cpumask_clear(&message.state.present);
    for (unsigned i = 0; i < LP_MAX_CPUS; i += 2)
        lp_cpumask_add(&message.state.present, i);
    message.state.online = message.state.present;
    message.state.n_cells = LP_WIRE_CELLS_MAX;
    for (uint32_t i = 0; i < LP_WIRE_CELLS_MAX; i++)
        message.state.cells[i] = (LpWireCell){ i, UINT64_C(1) << 53, UINT64_C(1) << 53 };
    assert_int_equal(lp_wire_encode(&message, frame, sizeof(frame), &length), LP_WIRE_OK);
    assert_true(length < LP_WIRE_FRAME_MAX / 2);
    assert_int_equal(lp_wire_decode(frame, length - 1, &got, NULL), LP_WIRE_OK);
    assert_memory_equal(&got, &message, sizeof(got));
}

static void
test_no_room(void **data)
{
    LpWireMessage message;
    size_t length = 0, unused;

    (void)data;
    make_any(&message, LP_WIRE_REPLY);
    assert_int_equal(lp_wire_encode(&message, frame, sizeof(frame), &length), LP_WIRE_OK);
    for (size_t size = 0; size <= length; size++) {
        char *buf = malloc(size + 1);
        char *exact = realloc(buf, size > 0 ? size : 1);

        assert_int_equal(lp_wire_encode(&message, exact, size, &unused), LP_WIRE_NO_ROOM);
        free(exact);
    }
    assert_int_equal(lp_wire_encode(&message, frame, length + 1, &unused), LP_WIRE_OK);
}

static void
test_encode_refuses(void **data)
{
    LpWireMessage message;
    size_t length;

    (void)data;
    make_any(&message, LP_WIRE_STATE);
    message.state.mem_total_bytes = (UINT64_C(1) << 53) + 1;
    assert_int_equal(lp_wire_encode(&message, frame, sizeof(frame), &length), LP_WIRE_BAD_FIELD);
    make_any(&message, LP_WIRE_STATE);
    lp_cpumask_add(&message.state.online, 900);
    assert_int_equal(lp_wire_encode(&message, frame, sizeof(frame), &length), LP_WIRE_BAD_FIELD);
    make_any(&message, LP_WIRE_REPLY);
    memset(message.reply.error, 'x', sizeof(message.reply.error));
    assert_int_equal(lp_wire_encode(&message, frame, sizeof(frame), &length), LP_WIRE_BAD_FIELD);
    strcpy(message.reply.error, "\xff");
    assert_int_equal(lp_wire_encode(&message, frame, sizeof(frame), &length), LP_WIRE_BAD_FIELD);
    make_any(&message, LP_WIRE_WHO);
    message.kind = LP_WIRE_KINDS;
    assert_int_equal(lp_wire_encode(&message, frame, sizeof(frame), &length),
                     LP_WIRE_UNKNOWN_TYPE);
}

typedef struct {
    const char *text;
    LpWireVerdict verdict;
    const char *field;
} Case;

#define WANT(fields) "{\"t\":\"want\",\"id\":1,\"mem\":\"movable\",\"watch_msec\":0" fields "}"
#define REPLY(id, ok, failed, error) "{\"t\":\"reply\",\"id\":" id ",\"ok\":" ok \
    ",\"failed\":" failed ",\"error\":" error "}"
#define HELLO(version, kernel, boot, caps) "{\"t\":\"hello\",\"version\":" version \
    ",\"agent\":\"1\",\"kernel\":" kernel ",\"boot_id\":" boot ",\"caps\":" caps "}"

static const Case cases[] = {
    { "", LP_WIRE_NOT_JSON, NULL },
    { "hello", LP_WIRE_NOT_JSON, NULL },
    { "{\"t\":\"who\"", LP_WIRE_NOT_JSON, NULL },
    { "{\"t\":\"who\"} {}", LP_WIRE_NOT_JSON, NULL },
    { "]", LP_WIRE_NOT_JSON, NULL },
    { "{\"t\":\"who\",\"t\":\"want\"}", LP_WIRE_NOT_JSON, NULL },
    { "{\"t\":\"who\",\"x\":\"\xff\"}", LP_WIRE_NOT_JSON, NULL },
    { "{\"t\":\"who\",\"x\":\"\xed\xa0\x80\"}", LP_WIRE_NOT_JSON, NULL },
    { "{\"t\":\"who\",\"x\":\"\\u0000\"}", LP_WIRE_NOT_JSON, NULL },
    { "{\"t\":\"who\",\"x\":1e999}", LP_WIRE_NOT_JSON, NULL },
    { "{\"t\":\"who\",\"x\":99999999999999999999}", LP_WIRE_NOT_JSON, NULL },
    { "{\"t\":\"who\",\"x\":\"\\", LP_WIRE_NOT_JSON, NULL },
    { "[]", LP_WIRE_NOT_OBJECT, NULL },
    { "7", LP_WIRE_NOT_OBJECT, NULL },
    { "null", LP_WIRE_NOT_OBJECT, NULL },
    { "{}", LP_WIRE_BAD_FIELD, "t" },
    { "{\"t\":1}", LP_WIRE_BAD_FIELD, "t" },
    { "{\"t\":\"boo\"}", LP_WIRE_UNKNOWN_TYPE, "t" },
    { "{\"t\":\"who\",\"new\":[{\"a\":null}]}", LP_WIRE_OK, NULL },
    { " {\"t\":\"who\"}\r", LP_WIRE_OK, NULL },
    { WANT(""), LP_WIRE_OK, NULL },
    { WANT(",\"cpus\":\"0-1023\""), LP_WIRE_OK, NULL },
    { WANT(",\"cpus\":\"0-1024\""), LP_WIRE_BAD_FIELD, "cpus" },
    { WANT(",\"cpus\":\"3-1\""), LP_WIRE_BAD_FIELD, "cpus" },
    { WANT(",\"cpus\":null"), LP_WIRE_BAD_FIELD, "cpus" },
    { WANT(",\"cpus\":[0]"), LP_WIRE_BAD_FIELD, "cpus" },
    { "{\"t\":\"want\",\"id\":0,\"mem\":\"leave\",\"watch_msec\":0}", LP_WIRE_BAD_FIELD, "id" },
    { "{\"t\":\"want\",\"id\":-1,\"mem\":\"leave\",\"watch_msec\":0}", LP_WIRE_BAD_FIELD, "id" },
    { "{\"t\":\"want\",\"id\":1.0,\"mem\":\"leave\",\"watch_msec\":0}", LP_WIRE_BAD_FIELD, "id" },
    { "{\"t\":\"want\",\"id\":9007199254740993,\"mem\":\"leave\",\"watch_msec\":0}",
      LP_WIRE_BAD_FIELD, "id" },
    { "{\"t\":\"want\",\"id\":\"1\",\"mem\":\"leave\",\"watch_msec\":0}", LP_WIRE_BAD_FIELD,
      "id" },
    { "{\"t\":\"want\",\"id\":1,\"mem\":\"all\",\"watch_msec\":0}", LP_WIRE_BAD_FIELD, "mem" },
    { "{\"t\":\"want\",\"id\":1,\"mem\":\"leave\"}", LP_WIRE_BAD_FIELD, "watch_msec" },
    { "{\"t\":\"want\",\"id\":1,\"mem\":\"leave\",\"watch_msec\":4294967296}",
      LP_WIRE_BAD_FIELD, "watch_msec" },
    { REPLY("1", "true", "\"\"", "\"\""), LP_WIRE_OK, NULL },
    { REPLY("1", "1", "\"\"", "\"\""), LP_WIRE_BAD_FIELD, "ok" },
    { REPLY("1", "true", "\"a\"", "\"\""), LP_WIRE_BAD_FIELD, "failed" },
    { REPLY("1", "true", "\"\"", "\"a\\u001b[2J\""), LP_WIRE_BAD_FIELD, "error" },
    { REPLY("1", "true", "\"\"", "\"a\\u009b2J\""), LP_WIRE_BAD_FIELD, "error" },
    { HELLO("1", "\"6\"", "\"ab-0\"", "[\"new-thing\",\"psi\"]"), LP_WIRE_OK, NULL },
    { HELLO("2", "7", "7", "7"), LP_WIRE_VERSION_DIFFERS, "version" },
    { HELLO("0", "\"6\"", "\"ab\"", "[]"), LP_WIRE_VERSION_DIFFERS, "version" },
    { HELLO("true", "\"6\"", "\"ab\"", "[]"), LP_WIRE_BAD_FIELD, "version" },
    { HELLO("1", "\"6\"", "\"\"", "[]"), LP_WIRE_BAD_FIELD, "boot_id" },
    { HELLO("1", "\"6\"", "\"../x\"", "[]"), LP_WIRE_BAD_FIELD, "boot_id" },
    { HELLO("1", "\"6\"", "\"0000000000000000000000000000000000000000\"", "[]"),
      LP_WIRE_BAD_FIELD, "boot_id" },
    { HELLO("1", "\"6\"", "\"ab\"", "[1]"), LP_WIRE_BAD_FIELD, "caps" },
    { HELLO("1", "\"6\"", "\"ab\"", "{}"), LP_WIRE_BAD_FIELD, "caps" },
    { STATE_CELLS(""), LP_WIRE_OK, NULL },
    { STATE_CELLS("{\"cell\":0,\"total_bytes\":1,\"free_bytes\":0}"), LP_WIRE_OK, NULL },
    { STATE_CELLS("{\"cell\":64,\"total_bytes\":1,\"free_bytes\":0}"), LP_WIRE_BAD_FIELD,
      "cell" },
    { STATE_CELLS("{\"cell\":1,\"total_bytes\":1,\"free_bytes\":0},"
                  "{\"cell\":1,\"total_bytes\":1,\"free_bytes\":0}"), LP_WIRE_BAD_FIELD, "cell" },
    { STATE_CELLS("{\"cell\":0,\"total_bytes\":-1,\"free_bytes\":0}"), LP_WIRE_BAD_FIELD,
      "total_bytes" },
    { STATE_CELLS("[]"), LP_WIRE_BAD_FIELD, "cells" },
    { STATE_HEAD "\"present\":\"0\",\"online\":\"0-1\"," STATE_MEM "\"cells\":[]," STATE_TAIL,
      LP_WIRE_BAD_FIELD, "online" },
    { STATE_HEAD "\"present\":\"0\",\"online\":\"0\"," STATE_MEM STATE_TAIL, LP_WIRE_BAD_FIELD,
      "cells" },
};

static void
test_cases(void **data)
{
    (void)data;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        LpWireMessage message, untouched;
        const char *field = "?";
        LpWireVerdict verdict;

        memset(&message, 0x5a, sizeof(message));
        untouched = message;
        verdict = decode(cases[i].text, &message, &field);
        if (verdict != cases[i].verdict)
            print_error("case %zu: %s\n", i, cases[i].text);
        assert_int_equal(verdict, cases[i].verdict);
        if (cases[i].field == NULL)
            assert_null(field);
        else
            assert_string_equal(field, cases[i].field);
        if (verdict != LP_WIRE_OK)
            assert_memory_equal(&message, &untouched, sizeof(message));
        assert_non_null(lp_wire_verdict_text(verdict));
    }
}

static void
test_nul_bytes(void **data)
{
    static const char text[] = "{\"t\":\"who\"\0}";
    LpWireMessage message;

    (void)data;
    assert_int_equal(lp_wire_decode(text, sizeof(text) - 1, &message, NULL), LP_WIRE_NOT_JSON);
    assert_int_equal(lp_wire_decode("\0\0\0", 3, &message, NULL), LP_WIRE_NOT_JSON);
}

static void
test_limits(void **data)
{
    static char text[LP_WIRE_FRAME_MAX + 64];
    LpWireMessage message;
    const char *field;
    size_t at;

    (void)data;
    /* Eight is allowed, nine is not; brackets in a string do not count. */
    strcpy(text, "{\"t\":\"who\",\"x\":[[[[[[[]]]]]]]}");
    assert_int_equal(decode(text, &message, NULL), LP_WIRE_OK);
    strcpy(text, "{\"t\":\"who\",\"x\":[[[[[[[[]]]]]]]]}");
    assert_int_equal(decode(text, &message, NULL), LP_WIRE_TOO_DEEP);
    strcpy(text, "{\"t\":\"who\",\"x\":\"[[[[[[[[[[\\\"[[[[[\"}");
    assert_int_equal(decode(text, &message, NULL), LP_WIRE_OK);
    memset(text, '[', LP_WIRE_FRAME_MAX - 1);
    assert_int_equal(lp_wire_decode(text, LP_WIRE_FRAME_MAX - 1, &message, NULL),
                     LP_WIRE_TOO_DEEP);
    assert_int_equal(lp_wire_decode(text, LP_WIRE_FRAME_MAX, &message, NULL), LP_WIRE_TOO_LONG);
    /* More values than any true message has. */
    at = (size_t)sprintf(text, "{\"t\":\"who\",\"x\":[0");
    for (int i = 0; i < LP_WIRE_VALUES_MAX; i++)
        at += (size_t)sprintf(text + at, ",0");
    strcpy(text + at, "]}");
    assert_int_equal(decode(text, &message, &field), LP_WIRE_BAD_FIELD);
    assert_string_equal(field, "(too many values)");
    /* A text of the longest length, and one more. */
    memset(text, 'k', sizeof(text));
    at = (size_t)sprintf(text, "{\"t\":\"reply\",\"id\":1,\"ok\":true,\"failed\":\"\",\"error\":\"");
    text[at] = 'k';
    strcpy(text + at + LP_WIRE_TEXT_MAX - 1, "\"}");
    assert_int_equal(decode(text, &message, NULL), LP_WIRE_OK);
    assert_int_equal(strlen(message.reply.error), LP_WIRE_TEXT_MAX - 1);
    text[at + LP_WIRE_TEXT_MAX - 1] = 'k';
    strcpy(text + at + LP_WIRE_TEXT_MAX, "\"}");
    assert_int_equal(decode(text, &message, NULL), LP_WIRE_BAD_FIELD);
}

static uint64_t random_state;

static uint32_t
random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

static uint64_t
seed(uint64_t otherwise)
{
    const char *text = getenv("LP_TEST_SEED");

    random_state = text != NULL ? strtoull(text, NULL, 0) : otherwise;
    if (random_state == 0)
        random_state = 1;
    print_message("# seed %llu\n", (unsigned long long)random_state);
    return random_state;
}

static uint64_t
random_amount(void)
{
    /* Of all magnitudes, and the bound itself. */
    uint64_t wide = (uint64_t)random_below(UINT32_MAX) << 21 | random_below(1u << 21);

    return random_below(20) == 0 ? UINT64_C(1) << 53 : wide >> random_below(53);
}

static void
random_text(char *text, size_t size)
{
    static const char *const letters[] = {
        "a", "Z", " ", "\"", "\\", "/", "{", "9", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
    };
    size_t room = random_below((uint32_t)size);

    text[0] = '\0';
    while (true) {
        const char *letter = letters[random_below(sizeof(letters) / sizeof(letters[0]))];

        if (strlen(text) + strlen(letter) > room)
            return;
        strcat(text, letter);
    }
}

static void
random_mask(LpCpuMask *mask)
{
    lp_cpumask_clear(mask);
    for (uint32_t i = random_below(40); i > 0; i--)
        lp_cpumask_add(mask, random_below(LP_MAX_CPUS));
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

    strcpy(pressure->boot_id, BOOT);
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
        *percents[i] = random_below(10001);
    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++)
        *amounts[i] = random_amount();
    pressure->running = random_below(UINT32_MAX);
    pressure->n_classes = random_below(LP_WIRE_CLASSES_MAX + 1);
    for (uint32_t i = 0; i < pressure->n_classes; i++) {
        LpWireClassUse *use = &pressure->classes[i];

        random_text(use->name + 1, sizeof(use->name) - 1);
        use->name[0] = (char)('a' + i);
        use->cpu_centi = random_below(100 * LP_MAX_CPUS + 1);
        use->mem_bytes = random_amount();
    }
}

static void
random_phase(LpWirePhase *phase)
{
    uint32_t some = 1 + random_below(7);

    phase->id = 1 + random_amount() / 2;
    phase->phase = random_below(LP_WIRE_PHASES);
    phase->force = random_below(2);
    phase->deadline_msec = random_below(UINT32_MAX);
    phase->has_cpu = some & 1;
    phase->has_mem = some & 2;
    phase->has_units = some & 4;
    if (phase->has_cpu) {
        phase->cpu_from = random_below(LP_MAX_CPUS + 1);
        phase->cpu_to = random_below(LP_MAX_CPUS + 1);
    }
    if (phase->has_mem) {
        phase->mem_from_bytes = random_amount();
        phase->mem_to_bytes = random_amount();
    }
    if (phase->has_units) {
        phase->units_from_centi = random_below(100 * LP_MAX_CPUS + 1);
        phase->units_to_centi = random_below(100 * LP_MAX_CPUS + 1);
    }
}

static void
random_ask(LpWireAsk *ask)
{
    uint32_t some = 1 + random_below(3);

    ask->id = 1 + random_amount() / 2;
    ask->has_cpu = some & 1;
    ask->has_mem = some & 2;
    if (ask->has_cpu) {
        ask->cpu_mode = random_below(LP_WIRE_MODES);
        ask->cpu = 1 + random_below(LP_MAX_CPUS);
    }
    if (ask->has_mem) {
        ask->mem_mode = random_below(LP_WIRE_MODES);
        ask->mem_bytes = 1 + random_amount() / 2;
    }
    random_text(ask->who, sizeof(ask->who));
    random_text(ask->why, sizeof(ask->why));
}

static void
random_answer(LpWireAnswer *answer)
{
    answer->id = 1 + random_amount() / 2;
    answer->phase = random_below(LP_WIRE_PHASES);
    answer->verdict = random_below(LP_WIRE_ANSWERS);
    random_text(answer->by, sizeof(answer->by));
    random_text(answer->reason, sizeof(answer->reason));
    answer->has_leave = random_below(2);
    if (answer->has_leave)
        random_mask(&answer->leave);
}

static void
random_message(LpWireMessage *message)
{
    make_any(message, random_below(LP_WIRE_KINDS));
    switch (message->kind) {
    case LP_WIRE_HELLO:
        message->hello.caps = random_below(1u << 9);
        message->hello.hypervisor = random_below(LP_WIRE_HYPERVISORS);
        message->hello.has = random_below(1u << 12);
        message->hello.lacks = random_below(1u << 12) & ~message->hello.has;
        message->hello.forbids = random_below(1u << 8);
        break;
    case LP_WIRE_ANSWER:
        memset(&message->answer, 0, sizeof(message->answer));
        random_answer(&message->answer);
        break;
    case LP_WIRE_STOP:
        message->stop.back_bytes = random_amount();
        memset(message->stop.reason, 0, sizeof(message->stop.reason));
        random_text(message->stop.reason, sizeof(message->stop.reason));
        break;
    case LP_WIRE_PRESSURE:
        memset(&message->pressure, 0, sizeof(message->pressure));
        random_pressure(&message->pressure);
        break;
    case LP_WIRE_ASK:
        memset(&message->ask, 0, sizeof(message->ask));
        random_ask(&message->ask);
        break;
    case LP_WIRE_WANT:
        message->want.mem = random_below(4);
        break;
    case LP_WIRE_PHASE:
        memset(&message->phase, 0, sizeof(message->phase));
        random_phase(&message->phase);
        break;
    case LP_WIRE_RESULT:
        message->result.final = random_below(2);
        message->result.operation = random_amount();
        break;
    case LP_WIRE_SUBSCRIBE:
        message->subscribe.cpu = random_below(2);
        message->subscribe.units = random_below(2);
        break;
    default:
        break;
    }
}

static void
test_random_round_trip(void **data)
{
    (void)data;
    seed(20261124);
    for (int round = 0; round < 20000; round++) {
        LpWireMessage sent, got;
        LpWireVerdict verdict;
        size_t length = 0;

        random_message(&sent);
        verdict = lp_wire_encode(&sent, frame, sizeof(frame), &length);
        if (verdict != LP_WIRE_OK)
            print_error("round %d, kind %d\n", round, sent.kind);
        assert_int_equal(verdict, LP_WIRE_OK);
        memset(&got, 0xa5, sizeof(got));
        verdict = lp_wire_decode(frame, length - 1, &got, NULL);
        if (verdict != LP_WIRE_OK)
            print_error("%s", frame);
        assert_int_equal(verdict, LP_WIRE_OK);
        assert_memory_equal(&got, &sent, sizeof(got));
    }
}

/* What is decoded must be encodable and decode to the same again: one meaning, both ways. */
static void
check_stable(const char *text, size_t length)
{
    LpWireMessage first, second;
    size_t n = 0;

    if (lp_wire_decode(text, length, &first, NULL) != LP_WIRE_OK)
        return;
    assert_int_equal(lp_wire_encode(&first, frame, sizeof(frame), &n), LP_WIRE_OK);
    assert_int_equal(lp_wire_decode(frame, n - 1, &second, NULL), LP_WIRE_OK);
    assert_memory_equal(&first, &second, sizeof(first));
}

static void
test_mutations(void **data)
{
    static const char spice[] = "{}[]\",:\\0123456789-+.eEtrufalsn \0\x80\xff\x1b";
    const int n_rounds = 200000;

    (void)data;
    seed(20261123);
    for (int round = 0; round < n_rounds; round++) {
        const char *from = cases[random_below(sizeof(cases) / sizeof(cases[0]))].text;
        size_t length = strlen(from), room = length + 16;
        char *text = malloc(room), *exact;

        memcpy(text, from, length);
        for (uint32_t i = 1 + random_below(4); i > 0; i--) {
            size_t at = random_below((uint32_t)length + 1);
            uint32_t way = random_below(3);

            if (way == 0 && at < length) {
                text[at] = spice[random_below(sizeof(spice))];
            } else if (way == 1 && length < room) {
                memmove(text + at + 1, text + at, length - at);
                text[at] = spice[random_below(sizeof(spice))];
                length++;
            } else if (at < length) {
                memmove(text + at, text + at + 1, length - at - 1);
                length--;
            }
        }
        exact = realloc(text, length > 0 ? length : 1);
        check_stable(exact, length);
        free(exact);
    }
}

static void
feed(LpWireReader *reader, const char *bytes, size_t n)
{
    size_t room;
    char *space = lp_wire_reader_space(reader, &room);

    assert_true(n <= room);
    memcpy(space, bytes, n);
    lp_wire_reader_filled(reader, n);
}

static void
test_reader(void **data)
{
    LpWireReader *reader = malloc(sizeof(*reader));
    LpWireVerdict verdict;
    const char *line;
    size_t length;

    (void)data;
    lp_wire_reader_init(reader);
    assert_null(lp_wire_reader_next(reader, &length, &verdict));
    assert_int_equal(verdict, LP_WIRE_OK);
    feed(reader, "\n\nab\nc", 6);
    line = lp_wire_reader_next(reader, &length, &verdict);
    assert_int_equal(length, 2);
    assert_memory_equal(line, "ab", 2);
    assert_null(lp_wire_reader_next(reader, &length, &verdict));
    feed(reader, "d\n", 2);
    line = lp_wire_reader_next(reader, &length, &verdict);
    assert_int_equal(length, 2);
    assert_memory_equal(line, "cd", 2);
    free(reader);
}

static void
test_reader_limit(void **data)
{
    LpWireReader *reader = malloc(sizeof(*reader));
    LpWireVerdict verdict;
    size_t length, room;

    (void)data;
    /* The longest frame passes, also byte by byte after others. */
    lp_wire_reader_init(reader);
    feed(reader, "x\n", 2);
    assert_non_null(lp_wire_reader_next(reader, &length, &verdict));
    for (int i = 0; i < LP_WIRE_FRAME_MAX - 1; i++) {
        feed(reader, "y", 1);
        assert_null(lp_wire_reader_next(reader, &length, &verdict));
        assert_int_equal(verdict, LP_WIRE_OK);
    }
    feed(reader, "\n", 1);
    assert_non_null(lp_wire_reader_next(reader, &length, &verdict));
    assert_int_equal(length, LP_WIRE_FRAME_MAX - 1);
    /* One byte more does not. */
    for (int i = 0; i < LP_WIRE_FRAME_MAX; i++)
        feed(reader, "z", 1);
    assert_null(lp_wire_reader_next(reader, &length, &verdict));
    assert_int_equal(verdict, LP_WIRE_TOO_LONG);
    lp_wire_reader_space(reader, &room);
    assert_int_equal(room, 0);
    free(reader);
}

/* However a stream is cut into reads, the lines are the same. */
static void
test_reader_cuts(void **data)
{
    enum { STREAM = 300000 };
    LpWireReader *reader = malloc(sizeof(*reader));
    char *stream = malloc(STREAM);
    uint64_t sum_whole = 0, sum_cut = 0;
    LpWireVerdict verdict;
    size_t at = 0, length;
    const char *line;

    (void)data;
    seed(7);
    for (size_t i = 0, start = 0; i < STREAM; i++) {
        stream[i] = random_below(400) == 0 ? '\n' : (char)('a' + random_below(26));
        if (stream[i] != '\n')
            continue;
        if (i > start)
            sum_whole = sum_whole * 31 + (i - start) * 256 + (unsigned char)stream[start];
        start = i + 1;
    }
    lp_wire_reader_init(reader);
    while (at < STREAM) {
        size_t room, n;
        char *space = lp_wire_reader_space(reader, &room);

        n = 1 + random_below(3000);
        n = n > room ? room : n;
        n = n > STREAM - at ? STREAM - at : n;
        memcpy(space, stream + at, n);
        lp_wire_reader_filled(reader, n);
        at += n;
        while ((line = lp_wire_reader_next(reader, &length, &verdict)) != NULL)
            sum_cut = sum_cut * 31 + length * 256 + (unsigned char)line[0];
        assert_int_equal(verdict, LP_WIRE_OK);
    }
    assert_true(sum_whole == sum_cut);
    free(stream);
    free(reader);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_want_without_cpus),
        cmocka_unit_test(test_largest_fits),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_encode_refuses),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_random_round_trip),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_reader_limit),
        cmocka_unit_test(test_reader_cuts),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
