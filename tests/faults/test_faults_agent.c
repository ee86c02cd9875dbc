/* S4: a guest whose agent lies in every field, repeats itself, drips, flaps, hangs or floods gets nothing
 * that its profile does not allow, takes nothing from another, and holds up nobody. */
#include "tests/faults/case.h"
#include "tests/faults/liar.h"

#define ROUNDS 6

/* The first domain's UUID follows from the seed, but is not known before there is a host. */
static void
take_channel(void)
{
    faulty_channel = liar_open;
}

static const char *const requests[] = {
    SET_P0 CPU("set", 4) "," MEM("set", 3221225472) ",\"timeout_sec\":10}",
    SET_P0 CPU("set", 1) "," MEM("set", 1073741824) ",\"timeout_sec\":10}",
    SET_P0 CPU("set", 3) ",\"timeout_sec\":10}",
    SET_P0 MEM("set", 2147483648) ",\"timeout_sec\":10,\"force\":true}",
    SET_P0 CPU("set", 2) ",\"timeout_sec\":10,\"force\":true}",
    "{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\"," MEM("set", 134217728)
    ",\"timeout_sec\":10}",
};

/* p1 is served as if p0 were honest. */
static void
serve_other(const char *text, unsigned round)
{
    uint32_t cpus = 1 + round % 4;
    uint64_t bytes = GIB + round % 3 * 512 * MIB;
    g_autofree char *request = g_strdup_printf(
        "{\"kind\":\"resize\",\"partition\":\"p1\",\"cpu\":{\"mode\":\"set\",\"count\":%u},"
        "\"mem\":{\"mode\":\"set\",\"bytes\":%" PRIu64 "},\"timeout_sec\":3600}", cpus, bytes);
    const LpOperation *operation = run(request);

    if (operation->state != LP_OP_DONE)
        case_fail(text, operation, "the other partition was not served");
    check_now("p1", cpus, bytes);
}

/* Whether any of it got through: a liar that nobody hears proves nothing. */
typedef struct {
    bool hello, state, reply;
} Heard;

static void
note_heard(Heard *heard)
{
    const LpGuest *guest = &part("p0")->guest;

    heard->hello |= guest->connected;
    heard->state |= guest->has_state;
    heard->reply |= guest->has_reply;
}

static void
try_way(LiarWay way, uint32_t seed)
{
    Heard heard = {false, false, false};
    static const char *const ways[LIAR_WAYS] = {"lies", "replays", "drips", "flaps", "hangs",
                                                "floods"};
    g_autofree char *text = g_strdup_printf("an agent that %s, seed %u", ways[way], seed);
    GRand *random = g_rand_new_with_seed(seed);

    case_begin(case_find("grow"));
    take_channel();
    liar_begin(part("p0")->uuid, way, random);
    /* Its honest agent goes: the guest starts anew, with the other in it. */
    tell("p0", "{\"do\":\"stop\"}");
    tell("p0", "{\"do\":\"start\"}");
    UNTIL(part("p0")->view->run == LP_RUN_RUNNING && liar_n_sent() > 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        Asked asked;
        g_autofree char *code = try_submit(requests[round % G_N_ELEMENTS(requests)], &asked);

        if (code)
            fail_msg("%s: %s", text, code);
        /* A move takes both. */
        if (round % G_N_ELEMENTS(requests) != G_N_ELEMENTS(requests) - 1)
            serve_other(text, round);
        UNTIL(asked.answered);
        UNTIL(is_over(asked.id));
        note_heard(&heard);
        print_message("# %s: %s\n", text,
                      lp_op_state_name(lp_engine_find(world.engine, asked.id)->state));
    }
    print_message("# %s: %u sent, heard: %s%s%s\n", text, liar_n_sent(), heard.hello ? "greeting " : "",
                  heard.state ? "states " : "", heard.reply ? "replies" : "");
    if (way <= LIAR_REPLAYS && !(heard.hello && heard.reply))
        case_fail(text, NULL, "nobody heard it");
    liar_end();
    faulty_channel = NULL;
    case_judge(0, text);
    case_mend_alone(text);
    case_end();
    g_rand_free(random);
}

static void
try_ways(LiarWay way, unsigned n)
{
    const char *given = g_getenv("LP_TEST_SEED");
    uint32_t seed = given ? (uint32_t) strtoul(given, NULL, 10) : g_random_int();

    print_message("# seed %u (LP_TEST_SEED)\n", seed);
    if (g_strcmp0(g_getenv("LPARD_FAULTS"), "all") == 0)
        n *= 20;
    for (unsigned i = 0; i < n; i++) {
        (void) case_is_tried(0, 100);
        try_way(way, seed + i);
    }
    assert_int_equal(case_failures(), 0);
}

#define WAY(id, way, n) \
    static void \
    test_##id(void **state) \
    { \
        (void) state; \
        try_ways(way, n); \
    }

WAY(lies, LIAR_LIES, 3)
WAY(replays, LIAR_REPLAYS, 2)
WAY(drips, LIAR_DRIPS, 1)
WAY(flaps, LIAR_FLAPS, 2)
WAY(hangs, LIAR_HANGS, 1)
WAY(floods, LIAR_FLOODS, 1)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies),  cmocka_unit_test(test_replays), cmocka_unit_test(test_drips),
        cmocka_unit_test(test_flaps), cmocka_unit_test(test_hangs),   cmocka_unit_test(test_floods),
    };

    case_arguments(argc, argv);
    case_keep_in_memory();
    start_clock();
    return case_figures(cmocka_run_group_tests(tests, NULL, NULL));
}
