/* The wire codec field by field: each bound from both sides, starting from the examples of
 * PROTOCOL.md, so that the page and the codec cannot drift apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "agent/wire/wire.h"

#define MAX_53 9007199254740992
#define MAX_32 4294967295

static json_t *examples[LP_WIRE_KINDS];
static char frame[LP_WIRE_FRAME_MAX + 1];

/* --- the examples --- */

static char *
read_page(void)
{
    const char *srcdir = getenv("srcdir");
    char path[4096];
    char *text = calloc(1, 1 << 17);
    FILE *file;

    snprintf(path, sizeof(path), "%s/agent/wire/PROTOCOL.md", srcdir != NULL ? srcdir : ".");
    file = fopen(path, "r");
    if (file == NULL || fread(text, 1, (1 << 17) - 1, file) == 0) {
        print_error("%s cannot be read\n", path);
        free(text);
        text = NULL;
    }
    if (file != NULL)
        fclose(file);
    return text;
}

static int
load_examples(void **state)
{
    char *page = read_page();

    (void)state;
    if (page == NULL)
        return -1;
    for (char *at = page; (at = strstr(at, "```json\n")) != NULL;) {
        LpWireMessage message;
        const char *field = NULL;
        char *end;

        at += strlen("```json\n");
        end = strchr(at, '\n');
        if (lp_wire_decode(at, (size_t)(end - at), &message, &field) != LP_WIRE_OK) {
            print_error("%.*s: field %s\n", (int)(end - at), at, field != NULL ? field : "-");
            return -1;
        }
        examples[message.kind] = json_loadb(at, (size_t)(end - at), 0, NULL);
        at = end;
    }
    free(page);
    return 0;
}

static int
free_examples(void **state)
{
    (void)state;
    for (int i = 0; i < LP_WIRE_KINDS; i++)
        json_decref(examples[i]);
    return 0;
}

static LpWireVerdict
decode_json(const json_t *value, LpWireMessage *ret_message, const char **ret_field)
{
    size_t length = json_dumpb(value, NULL, 0, JSON_COMPACT);
    char *exact = malloc(length);
    LpWireVerdict verdict;

    assert_int_equal(json_dumpb(value, exact, length, JSON_COMPACT), length);
    verdict = lp_wire_decode(exact, length, ret_message, ret_field);
    free(exact);
    return verdict;
}

static void
test_examples(void **state)
{
    (void)state;
    for (int kind = 0; kind < LP_WIRE_KINDS; kind++) {
        LpWireMessage message;
        size_t length = 0;
        json_t *again;

        assert_non_null(examples[kind]);
        assert_int_equal(decode_json(examples[kind], &message, NULL), LP_WIRE_OK);
        assert_int_equal(message.kind, kind);
        assert_int_equal(lp_wire_encode(&message, frame, sizeof(frame), &length), LP_WIRE_OK);
        again = json_loadb(frame, length, 0, NULL);
        if (!json_equal(again, examples[kind]))
            print_error("%s", frame);
        assert_true(json_equal(again, examples[kind]));
        json_decref(again);
    }
}

/* --- every field --- */

typedef enum { NUMBER, BOOL, TEXT, WORD, STATE, MASK, NAMES } Type;

typedef struct {
    LpWireKind kind;
    const char *list;                  /* the field is of the first object in this list */
    const char *key;
    Type type;
    long long min, max;                /* of a number; of a text's length */
    bool optional;
} Field;

#define ANY_TEXT TEXT, 0, LP_WIRE_TEXT_MAX - 1
#define ANY_NAME TEXT, 0, LP_WIRE_NAME_MAX - 1
#define PERCENT NUMBER, 0, 10000
#define BYTES NUMBER, 0, MAX_53
#define ID NUMBER, 1, MAX_53

static const Field fields[] = {
    { LP_WIRE_HELLO, NULL, "agent", TEXT, 1, 31, false },
    { LP_WIRE_HELLO, NULL, "kernel", ANY_TEXT, false },
    { LP_WIRE_HELLO, NULL, "caps", NAMES, 0, 0, false },
    { LP_WIRE_HELLO, NULL, "has", NAMES, 0, 0, true },
    { LP_WIRE_HELLO, NULL, "lacks", NAMES, 0, 0, true },
    { LP_WIRE_HELLO, NULL, "forbids", NAMES, 0, 0, true },
    { LP_WIRE_STATE, NULL, "seq", BYTES, false },
    { LP_WIRE_STATE, NULL, "want_id", BYTES, false },
    { LP_WIRE_STATE, NULL, "mem_total_bytes", BYTES, false },
    { LP_WIRE_STATE, NULL, "mem_available_bytes", BYTES, false },
    { LP_WIRE_STATE, NULL, "mem_free_bytes", BYTES, false },
    { LP_WIRE_STATE, NULL, "mem_offline_bytes", BYTES, false },
    { LP_WIRE_STATE, NULL, "load_centi", NUMBER, 0, MAX_32, false },
    { LP_WIRE_STATE, NULL, "psi_cpu_centi", PERCENT, false },
    { LP_WIRE_STATE, NULL, "psi_mem_centi", PERCENT, false },
    { LP_WIRE_STATE, "cells", "cell", NUMBER, 0, 63, false },
    { LP_WIRE_STATE, "cells", "total_bytes", BYTES, false },
    { LP_WIRE_STATE, "cells", "free_bytes", BYTES, false },
    { LP_WIRE_REPLY, NULL, "id", ID, false },
    { LP_WIRE_REPLY, NULL, "ok", BOOL, 0, 0, false },
    { LP_WIRE_REPLY, NULL, "failed", MASK, 0, 0, false },
    { LP_WIRE_REPLY, NULL, "error", ANY_TEXT, false },
    { LP_WIRE_ANSWER, NULL, "id", ID, false },
    { LP_WIRE_ANSWER, NULL, "phase", WORD, 0, 0, false },
    { LP_WIRE_ANSWER, NULL, "verdict", WORD, 0, 0, false },
    { LP_WIRE_ANSWER, NULL, "by", ANY_NAME, false },
    { LP_WIRE_ANSWER, NULL, "reason", ANY_TEXT, false },
    { LP_WIRE_ANSWER, NULL, "leave", MASK, 0, 0, true },
    { LP_WIRE_STOP, NULL, "id", ID, false },
    { LP_WIRE_STOP, NULL, "back_bytes", BYTES, false },
    { LP_WIRE_STOP, NULL, "reason", ANY_TEXT, false },
    { LP_WIRE_PRESSURE, NULL, "boot_id", TEXT, 1, 39, false },
    { LP_WIRE_PRESSURE, NULL, "seq", BYTES, false },
    { LP_WIRE_PRESSURE, NULL, "mem_total_bytes", BYTES, false },
    { LP_WIRE_PRESSURE, NULL, "mem_available_bytes", BYTES, false },
    { LP_WIRE_PRESSURE, NULL, "working_set_bytes", BYTES, false },
    { LP_WIRE_PRESSURE, NULL, "swap_used_bytes", BYTES, false },
    { LP_WIRE_PRESSURE, NULL, "refaults", BYTES, false },
    { LP_WIRE_PRESSURE, NULL, "oom_kills", BYTES, false },
    { LP_WIRE_PRESSURE, NULL, "psi_cpu_some_centi", PERCENT, false },
    { LP_WIRE_PRESSURE, NULL, "psi_mem_some_centi", PERCENT, false },
    { LP_WIRE_PRESSURE, NULL, "psi_mem_full_centi", PERCENT, false },
    { LP_WIRE_PRESSURE, NULL, "psi_io_some_centi", PERCENT, false },
    { LP_WIRE_PRESSURE, NULL, "psi_io_full_centi", PERCENT, false },
    { LP_WIRE_PRESSURE, NULL, "running", NUMBER, 0, MAX_32, false },
    { LP_WIRE_PRESSURE, NULL, "busy_centi", PERCENT, false },
    { LP_WIRE_PRESSURE, NULL, "steal_centi", PERCENT, false },
    { LP_WIRE_PRESSURE, "classes", "name", TEXT, 1, LP_WIRE_NAME_MAX - 1, false },
    { LP_WIRE_PRESSURE, "classes", "cpu_centi", NUMBER, 0, 100 * LP_MAX_CPUS, false },
    { LP_WIRE_PRESSURE, "classes", "mem_bytes", BYTES, false },
    { LP_WIRE_ASK, NULL, "id", ID, false },
    { LP_WIRE_ASK, NULL, "cpu_mode", WORD, 0, 0, false },
    { LP_WIRE_ASK, NULL, "cpu", NUMBER, 1, LP_MAX_CPUS, false },
    { LP_WIRE_ASK, NULL, "mem_mode", WORD, 0, 0, false },
    { LP_WIRE_ASK, NULL, "mem_bytes", NUMBER, 1, MAX_53, false },
    { LP_WIRE_ASK, NULL, "who", ANY_NAME, false },
    { LP_WIRE_ASK, NULL, "why", ANY_TEXT, false },
    { LP_WIRE_WANT, NULL, "id", ID, false },
    { LP_WIRE_WANT, NULL, "cpus", MASK, 0, 0, true },
    { LP_WIRE_WANT, NULL, "mem", WORD, 0, 0, false },
    { LP_WIRE_WANT, NULL, "watch_msec", NUMBER, 0, MAX_32, false },
    { LP_WIRE_PHASE, NULL, "id", ID, false },
    { LP_WIRE_PHASE, NULL, "phase", WORD, 0, 0, false },
    { LP_WIRE_PHASE, NULL, "force", BOOL, 0, 0, false },
    { LP_WIRE_PHASE, NULL, "deadline_msec", NUMBER, 0, MAX_32, false },
    { LP_WIRE_PHASE, NULL, "cpu_from", NUMBER, 0, LP_MAX_CPUS, false },
    { LP_WIRE_PHASE, NULL, "cpu_to", NUMBER, 0, LP_MAX_CPUS, false },
    { LP_WIRE_PHASE, NULL, "mem_from_bytes", BYTES, false },
    { LP_WIRE_PHASE, NULL, "mem_to_bytes", BYTES, false },
    { LP_WIRE_PHASE, NULL, "units_from_centi", NUMBER, 0, 100 * LP_MAX_CPUS, false },
    { LP_WIRE_PHASE, NULL, "units_to_centi", NUMBER, 0, 100 * LP_MAX_CPUS, false },
    { LP_WIRE_RESULT, NULL, "id", ID, false },
    { LP_WIRE_RESULT, NULL, "final", BOOL, 0, 0, false },
    { LP_WIRE_RESULT, NULL, "operation", BYTES, false },
    { LP_WIRE_RESULT, NULL, "state", STATE, 1, 23, false },
    { LP_WIRE_RESULT, NULL, "message", ANY_TEXT, false },
    { LP_WIRE_SUBSCRIBE, NULL, "name", TEXT, 1, LP_WIRE_NAME_MAX - 1, false },
    { LP_WIRE_SUBSCRIBE, NULL, "cpu", BOOL, 0, 0, false },
    { LP_WIRE_SUBSCRIBE, NULL, "mem", BOOL, 0, 0, false },
    { LP_WIRE_SUBSCRIBE, NULL, "units", BOOL, 0, 0, false },
    { LP_WIRE_SUBSCRIBE, NULL, "consults", BOOL, 0, 0, false },
};

/* An example with all its halves there. */
static json_t *
whole_example(LpWireKind kind)
{
    json_t *object = json_deep_copy(examples[kind]);

    if (kind == LP_WIRE_PHASE) {
        json_object_set_new(object, "units_from_centi", json_integer(150));
        json_object_set_new(object, "units_to_centi", json_integer(50));
    } else if (kind == LP_WIRE_ASK) {
        json_object_set_new(object, "cpu_mode", json_string("remove"));
        json_object_set_new(object, "cpu", json_integer(1));
    }
    return object;
}

/* With the field as it says (NULL: without it); takes the reference. */
static void
expect(const Field *field, json_t *value, LpWireVerdict expected)
{
    json_t *object = whole_example(field->kind), *in = object;
    LpWireMessage message;
    const char *named = NULL;
    LpWireVerdict verdict;

    if (field->list != NULL)
        in = json_array_get(json_object_get(object, field->list), 0);
    if (value == NULL)
        json_object_del(in, field->key);
    else
        json_object_set_new(in, field->key, value);
    verdict = decode_json(object, &message, &named);
    if (verdict != expected) {
        char *text = json_dumps(object, 0);

        print_error("%s: %s\n", field->key, text);
        free(text);
    }
    assert_int_equal(verdict, expected);
    if (expected == LP_WIRE_OK)
        assert_null(named);
    else
        assert_string_equal(named, field->key);
    json_decref(object);
}

static void
refuse(const Field *field, const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    expect(field, value, LP_WIRE_BAD_FIELD);
}

static json_t *
text_of(long long length, char c)
{
    char *text = malloc((size_t)length + 1);
    json_t *value;

    memset(text, c, (size_t)length);
    text[length] = '\0';
    value = json_string(text);
    free(text);
    return value;
}

static void
check_text(const Field *field)
{
    static const char *const controls[] = {
        "\"a\\u0001\"", "\"\\n\"", "\"\\u001b[2J\"", "\"\\u007f\"", "\"\\u0085\"", "\"\\u009b1m\"",
    };

    expect(field, text_of(field->max, 'a'), LP_WIRE_OK);
    expect(field, text_of(field->min, 'a'), LP_WIRE_OK);
    expect(field, text_of(field->max + 1, 'a'), LP_WIRE_BAD_FIELD);
    if (field->min > 0)
        expect(field, text_of(field->min - 1, 'a'), LP_WIRE_BAD_FIELD);
    for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
        refuse(field, controls[i]);
}

static void
check_number(const Field *field)
{
    static const char *const wrong[] = { "-1", "1.0", "1e3", "0.5", "-0.0", "9223372036854775807",
                                         "\"1\"" };

    expect(field, json_integer(field->min), LP_WIRE_OK);
    expect(field, json_integer(field->max), LP_WIRE_OK);
    expect(field, json_integer(field->min - 1), LP_WIRE_BAD_FIELD);
    expect(field, json_integer(field->max + 1), LP_WIRE_BAD_FIELD);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        refuse(field, wrong[i]);
}

static void
check_type(const Field *field)
{
    static const struct {
        Type type;
        const char *text;
    } wrong[] = {
        { BOOL, "0" }, { BOOL, "1" }, { BOOL, "\"true\"" },
        { TEXT, "1" }, { TEXT, "true" },
        { WORD, "1" }, { WORD, "\"\"" }, { WORD, "\"x\"" }, { WORD, "\"SET\"" },
        { STATE, "\"Done\"" }, { STATE, "\"a b\"" }, { STATE, "\"a1\"" }, { STATE, "\"a_b\"" },
        { MASK, "0" }, { MASK, "\"a\"" }, { MASK, "\"1024\"" }, { MASK, "\"3-1\"" },
        { MASK, "\"0,\"" }, { MASK, "[0]" },
        { NAMES, "\"psi\"" }, { NAMES, "{\"psi\":true}" }, { NAMES, "[1]" }, { NAMES, "[null]" },
        { NAMES, "[[\"psi\"]]" },
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (wrong[i].type == field->type)
            refuse(field, wrong[i].text);
    }
    if (field->type == MASK) {
        expect(field, json_string(""), LP_WIRE_OK);
        expect(field, json_string("0-1023"), LP_WIRE_OK);
    } else if (field->type == NAMES) {
        expect(field, json_array(), LP_WIRE_OK);
        expect(field, json_pack("[s,s]", "from-the-future", "from-the-future"), LP_WIRE_OK);
    } else if (field->type == NUMBER) {
        check_number(field);
    } else if (field->type == TEXT || field->type == STATE) {
        check_text(field);
    }
    refuse(field, "null");
    refuse(field, "{}");
    if (field->type != NAMES)
        refuse(field, "[]");
}

static void
test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        expect(&fields[i], NULL, fields[i].optional ? LP_WIRE_OK : LP_WIRE_BAD_FIELD);
        check_type(&fields[i]);
    }
}

/* --- rules between fields --- */

static LpWireVerdict
decode(const char *text, LpWireMessage *ret_message, const char **ret_field)
{
    return lp_wire_decode(text, strlen(text), ret_message, ret_field);
}

static void
test_pairs(void **state)
{
    static const struct {
        LpWireKind kind;
        const char *from, *to;
    } pairs[] = {
        { LP_WIRE_PHASE, "cpu_from", "cpu_to" },
        { LP_WIRE_PHASE, "mem_from_bytes", "mem_to_bytes" },
        { LP_WIRE_PHASE, "units_from_centi", "units_to_centi" },
        { LP_WIRE_ASK, "cpu_mode", "cpu" },
        { LP_WIRE_ASK, "mem_mode", "mem_bytes" },
    };
    json_t *phase = whole_example(LP_WIRE_PHASE), *ask = whole_example(LP_WIRE_ASK);
    LpWireMessage message;
    const char *field;

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        json_t *object = pairs[i].kind == LP_WIRE_PHASE ? phase : ask;

        /* One by one, until nothing is left. */
        assert_int_equal(decode_json(object, &message, NULL), LP_WIRE_OK);
        json_object_del(object, pairs[i].from);
        assert_int_equal(decode_json(object, &message, &field), LP_WIRE_BAD_FIELD);
        assert_string_equal(field, pairs[i].from);
        json_object_del(object, pairs[i].to);
    }
    assert_int_equal(decode_json(phase, &message, &field), LP_WIRE_BAD_FIELD);
    assert_string_equal(field, "(nothing changes)");
    assert_int_equal(decode_json(ask, &message, &field), LP_WIRE_BAD_FIELD);
    assert_string_equal(field, "(nothing is asked)");
    json_decref(phase);
    json_decref(ask);
}

static void
test_absent(void **state)
{
    json_t *object = json_deep_copy(examples[LP_WIRE_ANSWER]);
    LpWireMessage message;

    (void)state;
    assert_int_equal(decode_json(object, &message, NULL), LP_WIRE_OK);
    assert_false(message.answer.has_leave);
    json_object_set_new(object, "leave", json_string(""));
    assert_int_equal(decode_json(object, &message, NULL), LP_WIRE_OK);
    assert_true(message.answer.has_leave);
    assert_int_equal(lp_cpumask_count(&message.answer.leave), 0);
    json_decref(object);

    object = json_deep_copy(examples[LP_WIRE_PHASE]);
    assert_int_equal(decode_json(object, &message, NULL), LP_WIRE_OK);
    assert_true(message.phase.has_cpu && message.phase.has_mem && !message.phase.has_units);
    json_decref(object);

    object = json_deep_copy(examples[LP_WIRE_HELLO]);
    json_object_del(object, "hypervisor");
    json_object_del(object, "has");
    json_object_del(object, "lacks");
    json_object_del(object, "forbids");
    assert_int_equal(decode_json(object, &message, NULL), LP_WIRE_OK);
    assert_int_equal(message.hello.hypervisor, LP_WIRE_HYPERVISOR_UNKNOWN);
    assert_int_equal(message.hello.has | message.hello.lacks | message.hello.forbids, 0);
    json_decref(object);
}

#define HELLO(more) "{\"t\":\"hello\",\"version\":1,\"agent\":\"1\",\"kernel\":\"6\"," \
    "\"boot_id\":\"a\",\"caps\":[]," more "}"

static void
test_hello(void **state)
{
    LpWireMessage message;
    const char *field;

    (void)state;
    assert_int_equal(decode(HELLO("\"hypervisor\":\"bhyve\""), &message, NULL), LP_WIRE_OK);
    assert_int_equal(message.hello.hypervisor, LP_WIRE_HYPERVISOR_OTHER);
    assert_int_equal(decode(HELLO("\"hypervisor\":\"unknown\""), &message, NULL), LP_WIRE_OK);
    assert_int_equal(message.hello.hypervisor, LP_WIRE_HYPERVISOR_UNKNOWN);
    assert_int_equal(decode(HELLO("\"hypervisor\":\"hyper-v\""), &message, NULL), LP_WIRE_OK);
    assert_int_equal(message.hello.hypervisor, LP_WIRE_HYPERVISOR_HYPERV);
    assert_int_equal(decode(HELLO("\"hypervisor\":null"), &message, &field), LP_WIRE_BAD_FIELD);
    assert_string_equal(field, "hypervisor");
    assert_int_equal(decode(HELLO("\"has\":[\"numa\",\"x\"],\"lacks\":[\"psi\",\"x\"],"
                                  "\"forbids\":[\"hooks\",\"hooks\"]"), &message, NULL),
                     LP_WIRE_OK);
    assert_int_equal(message.hello.has, LP_WIRE_FEATURE_NUMA);
    assert_int_equal(message.hello.lacks, LP_WIRE_FEATURE_PSI);
    assert_int_equal(message.hello.forbids, LP_WIRE_ACT_HOOKS);
    assert_int_equal(decode(HELLO("\"has\":[\"numa\"],\"lacks\":[\"numa\"]"), &message, &field),
                     LP_WIRE_BAD_FIELD);
    assert_string_equal(field, "lacks");
}

static void
test_classes(void **state)
{
    json_t *object = json_deep_copy(examples[LP_WIRE_PRESSURE]);
    json_t *list = json_object_get(object, "classes");
    LpWireMessage message;
    const char *field;

    (void)state;
    json_array_clear(list);
    assert_int_equal(decode_json(object, &message, NULL), LP_WIRE_OK);
    assert_int_equal(message.pressure.n_classes, 0);
    for (int i = 0; i < LP_WIRE_CLASSES_MAX; i++)
        json_array_append_new(list, json_pack("{s:s+,s:i,s:i}", "name", "c", &"abcdefghijklmnop"[i],
                                              "cpu_centi", 1, "mem_bytes", 2));
    assert_int_equal(decode_json(object, &message, NULL), LP_WIRE_OK);
    assert_int_equal(message.pressure.n_classes, LP_WIRE_CLASSES_MAX);
    json_array_append(list, json_array_get(list, 0));
    assert_int_equal(decode_json(object, &message, &field), LP_WIRE_BAD_FIELD);
    assert_string_equal(field, "classes");
    json_array_remove(list, 1);
    assert_int_equal(decode_json(object, &message, &field), LP_WIRE_BAD_FIELD);
    assert_string_equal(field, "name");
    json_array_remove(list, 0);
    assert_int_equal(decode_json(object, &message, NULL), LP_WIRE_OK);
    json_array_set_new(list, 3, json_integer(1));
    assert_int_equal(decode_json(object, &message, &field), LP_WIRE_BAD_FIELD);
    assert_string_equal(field, "classes");
    json_decref(object);
}

static void
test_speakers(void **state)
{
    (void)state;
    for (int kind = 0; kind < LP_WIRE_KINDS; kind++) {
        bool guest = kind == LP_WIRE_HELLO || kind == LP_WIRE_STATE || kind == LP_WIRE_REPLY ||
                     kind == LP_WIRE_ANSWER || kind == LP_WIRE_STOP ||
                     kind == LP_WIRE_PRESSURE || kind == LP_WIRE_ASK;

        assert_int_equal(lp_wire_guest_says((LpWireKind)kind), guest);
    }
}

/* What decoding refuses must not be said either. */
static void
test_encode_refuses(void **state)
{
    LpWireMessage message;
    size_t length;

#define REFUSED(of, change) \
    do { \
        assert_int_equal(decode_json(examples[of], &message, NULL), LP_WIRE_OK); \
        change; \
        assert_int_equal(lp_wire_encode(&message, frame, sizeof(frame), &length), \
                         LP_WIRE_BAD_FIELD); \
    } while (0)
    (void)state;
    REFUSED(LP_WIRE_HELLO, message.hello.caps = 1u << 9);
    REFUSED(LP_WIRE_HELLO, message.hello.has = 1u << 12);
    REFUSED(LP_WIRE_HELLO, message.hello.forbids = 1u << 8);
    REFUSED(LP_WIRE_HELLO, message.hello.has = message.hello.lacks = 1);
    REFUSED(LP_WIRE_HELLO, message.hello.hypervisor = LP_WIRE_HYPERVISORS);
    REFUSED(LP_WIRE_STATE, message.state.psi_mem_centi = 10001);
    REFUSED(LP_WIRE_ANSWER, message.answer.id = 0);
    REFUSED(LP_WIRE_ANSWER, message.answer.phase = LP_WIRE_PHASES);
    REFUSED(LP_WIRE_ANSWER, message.answer.verdict = LP_WIRE_ANSWERS);
    REFUSED(LP_WIRE_ANSWER, memset(message.answer.by, 'x', sizeof(message.answer.by)));
    REFUSED(LP_WIRE_ANSWER, strcpy(message.answer.reason, "\n"));
    REFUSED(LP_WIRE_ANSWER, strcpy(message.answer.reason, "\xc3"));
    REFUSED(LP_WIRE_STOP, message.stop.back_bytes = MAX_53 + 1ULL);
    REFUSED(LP_WIRE_PRESSURE, message.pressure.steal_centi = 10001);
    REFUSED(LP_WIRE_PRESSURE, message.pressure.n_classes = LP_WIRE_CLASSES_MAX + 1);
    REFUSED(LP_WIRE_PRESSURE, message.pressure.n_classes = 2);
    REFUSED(LP_WIRE_PRESSURE,
            (message.pressure.n_classes = 2,
             message.pressure.classes[1] = message.pressure.classes[0]));
    REFUSED(LP_WIRE_PRESSURE, message.pressure.classes[0].cpu_centi = 100 * LP_MAX_CPUS + 1);
    REFUSED(LP_WIRE_ASK, message.ask.has_mem = false);
    REFUSED(LP_WIRE_ASK, message.ask.mem_bytes = 0);
    REFUSED(LP_WIRE_ASK, message.ask.has_cpu = true);
    REFUSED(LP_WIRE_ASK, message.ask.mem_mode = LP_WIRE_MODES);
    REFUSED(LP_WIRE_PHASE, message.phase.has_cpu = message.phase.has_mem = false);
    REFUSED(LP_WIRE_PHASE, message.phase.cpu_to = LP_MAX_CPUS + 1);
    REFUSED(LP_WIRE_PHASE, message.phase.phase = LP_WIRE_PHASES);
    REFUSED(LP_WIRE_RESULT, message.result.state[0] = '\0');
    REFUSED(LP_WIRE_RESULT, strcpy(message.result.state, "Done"));
    REFUSED(LP_WIRE_RESULT, memset(message.result.state, 'a', sizeof(message.result.state)));
    REFUSED(LP_WIRE_SUBSCRIBE, message.subscribe.name[0] = '\0');
    REFUSED(LP_WIRE_WANT, message.want.mem = (LpWireMemPolicy)4);
#undef REFUSED
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_speakers),
        cmocka_unit_test(test_encode_refuses),
    };

    return cmocka_run_group_tests_name("wire fields", tests, load_examples, free_examples);
}
