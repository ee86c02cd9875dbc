/* The wire codec: what goes out comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/wire/wire.h"
#include "tests/unit/wire_random.h"

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
    /* The sanitizer then sees a read past the end. */
    char *exact = malloc(length > 0 ? length : 1);
    LpWireVerdict verdict;

    memcpy(exact, text, length);
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
test_random_round_trip(void **data)
{
    (void)data;
    wire_random_seed(20261124);
    for (int round = 0; round < 20000; round++) {
        LpWireMessage sent, got;
        LpWireVerdict verdict;
        size_t length = 0;

        wire_random_message(&sent);
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
        cmocka_unit_test(test_random_round_trip),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
