/* The guest's part in operations: consent, refusal, silence, pressure and requests of its own. */
#include "engine_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#include "lpard/profile-xml.h"

/* Its devices tell of their size every 3 s only. */
#define LATE_WORD \
    "\"cgroup\": \"v2\", \"delays\": {\"plug_bytes_per_sec\": 2147483648, " \
    "\"unplug_bytes_per_sec\": 268435456, \"size_event_usec\": 3000000}"
#define SLOW_RELEASE \
    "\"cgroup\": \"v2\", \"delays\": {\"unplug_bytes_per_sec\": 268435456, " \
    "\"size_event_usec\": 10000}"

/* What the guest has heard, a line each, without its number; caller frees. */
static char *
heard(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/host.json.state/%s.json", world.dir, name);
    json_t *state = json_load_file(path, 0, NULL);
    const json_t *list = json_object_get(state, "heard");
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *line = json_string_value(json_array_get(list, i));

        g_string_append_printf(text, "%s%s", i ? "\n" : "", strchr(line, ' ') + 1);
    }
    json_decref(state);
    return g_string_free(text, FALSE);
}

static bool
has_heard(const char *name, const char *what)
{
    g_autofree char *text = heard(name);

    return strstr(text, what) != NULL;
}

/* Waits for the last of it, which nobody waits for but a test. */
static void
check_heard(const char *name, const char *lines)
{
    const char *last = strrchr(lines, '\n') ? strrchr(lines, '\n') + 1 : lines;
    g_autofree char *text = NULL;

    UNTIL(has_heard(name, last));
    text = heard(name);
    assert_string_equal(text, lines);
}

/* The numbers before the lines, as many as there are different ones. */
static unsigned
n_ids(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/host.json.state/%s.json", world.dir, name);
    json_t *state = json_load_file(path, 0, NULL);
    const json_t *list = json_object_get(state, "heard");
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *line = json_string_value(json_array_get(list, i));

        g_hash_table_add(ids, g_strndup(line, (gsize) (strchr(line, ' ') - line)));
    }
    json_decref(state);
    return g_hash_table_size(ids);
}

static bool
has_remark(const LpOperation *operation, const char *text)
{
    for (guint i = 0; i < operation->remarks->len; i++)
        if (strstr(g_ptr_array_index(operation->remarks, i), text))
            return true;
    return false;
}

static const LpConsentCounts *
counts(void)
{
    return lp_engine_consent_counts(world.engine);
}

#define MOVE "{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\"," MEM("set", 536870912)
#define GROWN "mem 2147483648 3221225472"

static void
test_phases(void **state)
{
    (void) state;
    start_world(1, 64 * GIB, MOVING, "");
    UNTIL(all_connected());
    EXPECT(run(SET_P0 CPU("set", 4) "," MEM("set", 3221225472) "}"), LP_OP_DONE);
    check_heard("p0", "check cpu 2 4 " GROWN "\npre cpu 2 4 " GROWN "\npost cpu 2 4 " GROWN);
    assert_int_equal(n_ids("p0"), 1);
    /* What changes nothing for the guest is not its business. */
    EXPECT(run(SET_P0 CPU("set", 4) "}"), LP_OP_DONE);
    EXPECT(run("{\"kind\":\"capacity\",\"partition\":\"p0\",\"weight\":200}"), LP_OP_DONE);
    assert_int_equal(n_ids("p0"), 1);
    EXPECT(run("{\"kind\":\"capacity\",\"partition\":\"p0\",\"entitled_centi\":150}"),
           LP_OP_DONE);
    UNTIL(has_heard("p0", "post units 40 150"));
    assert_true(has_heard("p0", "check units 40 150\npre units 40 150\npost units 40 150"));
    assert_int_equal(n_ids("p0"), 2);
}

static void
test_older_agent(void **state)
{
    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"no_phases\": true, \"veto\": \"never heard\"");
    UNTIL(all_connected());
    EXPECT(run(SET_P0 CPU("set", 4) "}"), LP_OP_DONE);
    assert_int_equal(n_ids("p0"), 0);
}

static void
test_veto_in_check(void **state)
{
    const LpOperation *op;

    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"veto\": \"import under way\"");
    UNTIL(all_connected());
    op = run(SET_P0 MEM("set", 3221225472) "}");
    EXPECT(op, LP_OP_VETOED);
    assert_string_equal(op->code, "veto");
    assert_string_equal(op->message,
                        "p0's guest refuses: hook 20-simulated: import under way (use --force to "
                        "go on all the same)");
    assert_int_equal(lp_op_state_exit_status(op->state), 5);
    assert_int_equal(op->confirm, LP_CONFIRM_NONE);
    assert_false(leg_of(op, 0)->begun);
    check_now("p0", 2, 2 * GIB);
    assert_int_equal(part("p0")->profile.mem.desired_bytes, 2 * GIB);
    assert_int_equal(part("p0")->promised_bytes, 0);
    check_heard("p0", "check " GROWN);
    /* The operator's last word, and that it was said. */
    op = run(SET_P0 MEM("set", 3221225472) ",\"force\":true}");
    EXPECT(op, LP_OP_DONE);
    assert_true(has_remark(op, "hook 20-simulated: import under way"));
    check_now("p0", 2, 3 * GIB);
    check_heard("p0", "check " GROWN "\ncheck " GROWN " force\npre " GROWN " force\npost " GROWN);
    assert_int_equal(counts()->vetoes, 1);
    assert_int_equal(counts()->forced, 1);
}

static void
test_veto_in_pre(void **state)
{
    const LpOperation *op;

    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"veto_pre\": \"busy after all\"");
    UNTIL(all_connected());
    op = run(SET_P0 MEM("set", 3221225472) "}");
    EXPECT(op, LP_OP_VETOED);
    assert_string_equal(op->code, "veto");
    assert_non_null(strstr(op->message, "program simulated: busy after all"));
    assert_int_equal(op->confirm, LP_CONFIRM_NONE);
    check_now("p0", 2, 2 * GIB);
    assert_int_equal(part("p0")->profile.mem.desired_bytes, 2 * GIB);
    check_heard("p0", "check " GROWN "\npre " GROWN "\nundo " GROWN
                "\npost mem 2147483648 2147483648");
    assert_int_equal(n_ids("p0"), 1);
    EXPECT(run(SET_P0 MEM("set", 3221225472) ",\"force\":true}"), LP_OP_DONE);
    check_now("p0", 2, 3 * GIB);
}

static void
test_no_answer(void **state)
{
    const LpOperation *op;

    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, MOVING, "\"no_answer\": true");
    UNTIL(all_connected());
    op = run(SET_P0 MEM("set", 3221225472) "}");
    EXPECT(op, LP_OP_DONE);
    assert_true(has_remark(op, "the agent did not answer the check within 15 s"));
    assert_true(has_remark(op, "the agent did not answer the pre within 15 s"));
    assert_in_range(op->guest_usec, 29 * G_USEC_PER_SEC, 40 * G_USEC_PER_SEC);
    check_now("p0", 2, 3 * GIB);
    assert_int_equal(counts()->silent, 2);
    /* Never so long that nothing is left of the operation's own time. */
    op = run(SET_P0 MEM("set", 2147483648) ",\"timeout_sec\":8}");
    EXPECT(op, LP_OP_DONE);
    assert_true(has_remark(op, "the check within 4 s"));
}

static void
test_late_answer(void **state)
{
    const LpOperation *op;

    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, MOVING, "\"answer_msec\": 20000, \"veto\": \"too late\"");
    UNTIL(all_connected());
    op = run(SET_P0 MEM("set", 3221225472) "}");
    EXPECT(op, LP_OP_DONE);
    check_now("p0", 2, 3 * GIB);
    UNTIL(counts()->late >= 2);
    assert_int_equal(counts()->vetoes, 0);
}

/* A client gets its number while the guest thinks, and can cancel by it; nothing is touched. */
static void
test_cancel_while_asked(void **state)
{
    const LpOperation *op;
    int64_t id;

    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"no_answer\": true");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 3221225472) "}");
    assert_int_equal(lp_engine_find(world.engine, id)->state, LP_OP_CHECKING);
    assert_true(lp_engine_cancel(world.engine, id, NULL));
    op = finish(id);
    EXPECT(op, LP_OP_CANCELLED);
    check_now("p0", 2, 2 * GIB);
    check_heard("p0", "check " GROWN);
    assert_int_equal(part("p0")->promised_bytes, 0);
    /* On record it was, and a restart does not take it up again. */
    halt();
    boot();
    assert_null(lp_engine_find(world.engine, id));
}

/* What cannot be put on record while the guest thinks is not done after all. */
static void
test_full_disk_while_asked(void **state)
{
    struct rlimit old, none;
    Asked asked;
    g_autofree char *code = NULL;

    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"no_answer\": true");
    UNTIL(all_connected());
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    none = (struct rlimit){4096, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    code = try_submit(SET_P0 MEM("set", 3221225472) "}", &asked);
    assert_null(code);
    UNTIL(asked.answered);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_string_equal(asked.code, "journal");
    g_free(asked.code);
    UNTIL(lp_engine_lane_depth(world.engine, part("p0")->uuid) == 0);
    check_now("p0", 2, 2 * GIB);
}

static void
test_agent_lost(void **state)
{
    const LpOperation *op;
    int64_t id;

    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"no_answer\": true");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 3221225472) "}");
    tell("p0", "{\"no_answer\": false, \"do\": \"reset\"}");
    op = finish(id);
    EXPECT(op, LP_OP_DONE);
    assert_true(has_remark(op, "the agent was lost before it answered the check"));
    UNTIL(agree("p0"));
    check_now("p0", 2, 3 * GIB);
}

static void
test_leave(void **state)
{
    char text[LP_CPUMASK_TEXT];

    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"leave\": \"2\"");
    UNTIL(all_connected());
    EXPECT(run(SET_P0 CPU("set", 4) "}"), LP_OP_DONE);
    EXPECT(run(SET_P0 CPU("set", 3) "}"), LP_OP_DONE);
    UNTIL(agree("p0"));
    lp_cpumask_format(&part("p0")->guest.state.online, text, sizeof text);
    assert_string_equal(text, "0-1,3");
    check_now("p0", 3, 2 * GIB);
}

static void
test_stop(void **state)
{
    const LpOperation *op;

    (void) state;
    start_world(1, 64 * GIB, SLOW_RELEASE, "");
    UNTIL(all_connected());
    EXPECT(run(SET_P0 MEM("set", 4294967296) "}"), LP_OP_DONE);
    tell("p0", "{\"stop_at_bytes\": 3087007744, \"stop_back_bytes\": 67108864}");
    op = run(SET_P0 MEM("set", 2147483648) "}");
    EXPECT(op, LP_OP_PARTIAL);
    assert_string_equal(op->code, "guest-pressure");
    assert_non_null(strstr(op->message, "p0's guest is under pressure: simulated pressure; "));
    assert_non_null(strstr(op->message, "64 MiB was given back"));
    /* 128 MiB had gone, and what left before the word arrived. */
    assert_in_range(leg_of(op, 0)->mem_now_bytes, 4 * GIB - 256 * MIB, 4 * GIB - 64 * MIB);
    UNTIL(agree("p0"));
    check_now("p0", 2, leg_of(op, 0)->mem_now_bytes);
    UNTIL(has_heard("p0", "post mem 4294967296 "));
    assert_int_equal(counts()->stops, 1);
    /* It wants more than has gone: all comes back, and no more. */
    tell("p0", "{\"stop_at_bytes\": 2952790016, \"stop_back_bytes\": 4294967296}");
    EXPECT(run(SET_P0 MEM("set", 4294967296) "}"), LP_OP_DONE);
    op = run(SET_P0 MEM("set", 2147483648) "}");
    assert_string_equal(op->code, "guest-pressure");
    UNTIL(agree("p0"));
    check_now("p0", 2, 4 * GIB);
    EXPECT(op, LP_OP_VETOED);
    UNTIL(has_heard("p0", "undo mem 4294967296 2147483648\npost mem 4294967296 4294967296"));
}

/* Just after a growth the device's word is of its first part: what is not told yet has not left. */
static void
test_stop_after_growth(void **state)
{
    const LpOperation *op;

    (void) state;
    start_world(1, 64 * GIB, LATE_WORD, "");
    UNTIL(all_connected());
    EXPECT(run(SET_P0 MEM("set", 3221225472) "}"), LP_OP_DONE);
    tell("p0", "{\"stop_at_bytes\": 3221225472}");
    op = run(SET_P0 MEM("set", 1073741824) "}");
    assert_string_equal(op->code, "guest-pressure");
    /* What left before the word arrived may have; what was not yet told as come has not. */
    assert_true(leg_of(op, 0)->mem_now_bytes > 2816 * MIB);
    UNTIL(agree("p0"));
    check_now("p0", 2, leg_of(op, 0)->mem_now_bytes);
}

static void
test_move_refused(void **state)
{
    const LpOperation *op;

    (void) state;
    start_world(2, 64 * GIB, MOVING, "");
    UNTIL(all_connected());
    tell("p1", "{\"veto\": \"not now\"}");
    op = run(MOVE "}");
    EXPECT(op, LP_OP_VETOED);
    assert_non_null(strstr(op->message, "p1's guest refuses: hook 20-simulated: not now"));
    check_now("p0", 2, 2 * GIB);
    check_now("p1", 2, 2 * GIB);
    check_heard("p0", "check mem 2147483648 1610612736");
    check_heard("p1", "check mem 2147483648 2684354560");
}

/* Refused when the giver has given already: kept, unless it is to be undone. */
static void
test_move_refused_half_way(void **state)
{
    const LpOperation *op;

    (void) state;
    start_world(2, 64 * GIB, MOVING, "");
    UNTIL(all_connected());
    tell("p1", "{\"veto_pre\": \"not now\"}");
    op = run(MOVE ",\"atomic\":true}");
    EXPECT(op, LP_OP_VETOED);
    assert_string_equal(op->code, "undone");
    check_now("p0", 2, 2 * GIB);
    check_heard("p0", "check mem 2147483648 1610612736\npre mem 2147483648 1610612736\n"
                "undo mem 2147483648 1610612736\npost mem 2147483648 2147483648");
    op = run(MOVE "}");
    EXPECT(op, LP_OP_PARTIAL);
    assert_string_equal(op->code, "veto");
    check_now("p0", 2, 1536 * MIB);
    check_now("p1", 2, 2 * GIB);
    UNTIL(has_heard("p0", "post mem 2147483648 1610612736"));
    UNTIL(has_heard("p1", "undo mem 2147483648 2684354560\npost mem 2147483648 2147483648"));
}

static void
test_dry_run(void **state)
{
    Asked asked = {0};
    const char *remark;

    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"veto\": \"import under way\"");
    UNTIL(all_connected());
    assert_true(lp_engine_plan(world.engine, request_of(SET_P0 MEM("set", 3221225472) "}"),
                               on_accepted, &asked, NULL));
    UNTIL(asked.answered);
    assert_string_equal(json_string_value(json_object_get(asked.plan, "state")), "queued");
    remark = json_string_value(json_array_get(json_object_get(asked.plan, "remarks"), 0));
    assert_string_equal(remark, "the guest of p0 would refuse: hook 20-simulated: import under "
                                "way");
    json_decref(asked.plan);
    check_heard("p0", "check " GROWN);
    check_now("p0", 2, 2 * GIB);
    assert_int_equal(part("p0")->promised_bytes, 0);
}

/* In the middle of a resize it asks nothing, or the guest would take that one to be over. */
static void
test_dry_run_in_resize(void **state)
{
    Asked asked = {0};
    const char *remark;
    int64_t id;

    (void) state;
    start_world(1, 64 * GIB, SLOW_RELEASE, "");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 1879048192) "}");
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB);
    assert_true(lp_engine_plan(world.engine, request_of(SET_P0 CPU("set", 4) "}"), on_accepted,
                               &asked, NULL));
    UNTIL(asked.answered);
    assert_false(is_over(id));
    remark = json_string_value(json_array_get(json_object_get(asked.plan, "remarks"), 0));
    assert_string_equal(remark, "p0: its guest is in another resize, and was not asked");
    json_decref(asked.plan);
    EXPECT(finish(id), LP_OP_DONE);
    check_heard("p0", "check mem 2147483648 1879048192\npre mem 2147483648 1879048192\n"
                "post mem 2147483648 1879048192");
}

/* lpard ends between pre and post: the guest hears of it again, is not asked again, and gets its
 * post with what came of the whole. */
static void
test_restart(void **state)
{
    const LpOperation *op;
    int64_t id;

    (void) state;
    start_world(1, 64 * GIB, SLOW_RELEASE, "");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 1879048192) "}");
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB);
    assert_false(is_over(id));
    halt();
    boot();
    UNTIL(all_connected());
    op = finish(id);
    EXPECT(op, LP_OP_DONE);
    check_now("p0", 2, 1792 * MIB);
    assert_int_equal(n_ids("p0"), 2);
    check_heard("p0", "check mem 2147483648 1879048192\npre mem 2147483648 1879048192\n"
                "pre mem 2147483648 1879048192 force\npost mem 2147483648 1879048192");
}

/* A guest that would now refuse what had begun before the restart is too late: the device goes on
 * by itself, and what is told must be what is. */
static void
test_restart_and_refusal(void **state)
{
    const LpOperation *op;
    int64_t id;

    (void) state;
    start_world(1, 64 * GIB, SLOW_RELEASE, "");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 1879048192) "}");
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB);
    assert_false(is_over(id));
    tell("p0", "{\"veto_pre\": \"too late\"}");
    halt();
    boot();
    op = finish(id);
    EXPECT(op, LP_OP_DONE);
    assert_true(has_remark(op, "too late; gone on all the same, for it had begun already"));
    check_now("p0", 2, 1792 * MIB);
    UNTIL(has_heard("p0", "post mem 2147483648 1879048192"));
}

/* One that was only being asked is asked when its agent is back, and not done without it. */
static void
test_restart_while_asked(void **state)
{
    const LpOperation *op;
    int64_t id, came;

    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"no_answer\": true");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 3221225472) "}");
    UNTIL(has_heard("p0", "check"));
    halt();
    tell("p0", "{\"no_answer\": false, \"veto\": \"import under way\", \"agent\": false}");
    boot();
    came = g_get_monotonic_time() + G_USEC_PER_SEC / 5;
    UNTIL(g_get_monotonic_time() > came);
    tell("p0", "{\"agent\": true}");
    op = finish(id);
    EXPECT(op, LP_OP_VETOED);
    check_now("p0", 2, 2 * GIB);
    check_heard("p0", "check " GROWN "\ncheck " GROWN);
}

/* Cancelled before anything was asked anew: what had been asked before is taken back all the same. */
static void
test_restart_and_cancel(void **state)
{
    const LpOperation *op;
    int64_t id;

    (void) state;
    start_world(1, 64 * GIB, SLOW_RELEASE, "");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 1073741824) "}");
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB);
    assert_false(is_over(id));
    halt();
    boot();
    assert_true(lp_engine_cancel(world.engine, id, NULL));
    op = finish(id);
    EXPECT(op, LP_OP_CANCELLED);
    UNTIL(agree("p0"));
    assert_true(part("p0")->view->cells[0].current_bytes > 0);
}

/* A guest that comes under pressure after the restart: no more leaves. */
static void
test_restart_and_stop(void **state)
{
    const LpOperation *op;
    int64_t id;

    (void) state;
    start_world(1, 64 * GIB, SLOW_RELEASE, "");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 1073741824) "}");
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB);
    assert_false(is_over(id));
    tell("p0", "{\"stop_at_bytes\": 805306368, \"stop_back_bytes\": 67108864}");
    halt();
    boot();
    op = finish(id);
    EXPECT(op, LP_OP_PARTIAL);
    assert_string_equal(op->code, "guest-pressure");
    UNTIL(agree("p0"));
    assert_in_range(leg_of(op, 0)->mem_now_bytes, GIB + 256 * MIB, 2 * GIB - 64 * MIB);
    check_now("p0", 2, leg_of(op, 0)->mem_now_bytes);
}

/* Without an agent it is not waited for long. */
static void
test_restart_without_agent(void **state)
{
    int64_t id, began;

    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, SLOW_RELEASE, "");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 1879048192) "}");
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB);
    tell("p0", "{\"agent\": false}");
    halt();
    began = g_get_monotonic_time();
    boot();
    EXPECT(finish(id), LP_OP_DONE);
    assert_in_range(g_get_monotonic_time() - began, 0, 40 * G_USEC_PER_SEC);
}

/* L2: who waits for a guest that does not answer is only who wants something of it. */
static void
test_hung_agent_delays_nobody(void **state)
{
    int64_t id, began;

    (void) state;
    set_clock(FAST);
    start_world(2, 64 * GIB, AT_ONCE, "");
    UNTIL(all_connected());
    tell("p0", "{\"no_answer\": true}");
    began = g_get_monotonic_time();
    id = submit(SET_P0 MEM("set", 3221225472) "}");
    EXPECT(run("{\"kind\":\"resize\",\"partition\":\"p1\"," MEM("set", 3221225472) "}"),
           LP_OP_DONE);
    assert_int_equal(lp_engine_find(world.engine, id)->state, LP_OP_CHECKING);
    EXPECT(finish(id), LP_OP_DONE);
    print_message("# with an agent that hangs: %d ms of lpard's time\n",
                  (int) ((g_get_monotonic_time() - began) / 1000));
    assert_in_range(g_get_monotonic_time() - began, 29 * G_USEC_PER_SEC, 50 * G_USEC_PER_SEC);
}

static unsigned n_hook_events;

static void
count_hook(const LpEventItem *item, void *data)
{
    (void) data;
    if (strcmp(item->type, "hook") == 0 && strstr(item->text, "disk full"))
        n_hook_events++;
}

static void
test_failing_hook(void **state)
{
    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"post_fails\": \"disk full\"");
    n_hook_events = 0;
    lp_events_listen(world.events, count_hook, NULL);
    UNTIL(all_connected());
    EXPECT(run(SET_P0 MEM("set", 3221225472) "}"), LP_OP_DONE);
    UNTIL(n_hook_events == 1);
    assert_int_equal(counts()->hooks, 1);
    assert_int_equal(counts()->late, 0);
}

/* ---- requests of guests ---- */

static const LpOperation *
asked_for(void)
{
    g_autoptr(GPtrArray) list = lp_engine_list(world.engine);

    return list->len ? g_ptr_array_index(list, 0) : NULL;
}

static void
test_ask(void **state)
{
    const LpOperation *op;

    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, MOVING, "");
    UNTIL(all_connected());
    tell("p0", "{\"ask\": {\"id\": 7, \"mode\": \"add\", \"mem_bytes\": 1073741824, "
               "\"who\": \"etl\", \"why\": \"import\"}}");
    UNTIL(has_heard("p0", "result final done"));
    op = asked_for();
    EXPECT(op, LP_OP_DONE);
    assert_string_equal(op->request->requester, "guest p0: etl");
    assert_string_equal(op->request->why, "import");
    assert_false(op->request->force);
    assert_true(has_heard("p0", "result taken"));
    check_now("p0", 2, 3 * GIB);
    /* At once again: too soon. */
    tell("p0", "{\"ask\": {\"id\": 8, \"mode\": \"add\", \"cpu\": 1}}");
    UNTIL(has_heard("p0", "less than 5 s ago"));
    assert_int_equal(counts()->asks_refused, 1);
}

static void
test_ask_beyond_bounds(void **state)
{
    (void) state;
    start_world(1, 64 * GIB, MOVING, "");
    UNTIL(all_connected());
    tell("p0", "{\"ask\": {\"mode\": \"set\", \"mem_bytes\": 8589934592}}");
    UNTIL(has_heard("p0", "result final refused"));
    assert_true(has_heard("p0", "4 GiB"));
    check_now("p0", 2, 2 * GIB);
}

static void
test_ask_while_open(void **state)
{
    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, MOVING, "\"no_answer\": true");
    UNTIL(all_connected());
    tell("p0", "{\"ask\": {\"id\": 1, \"cpu\": 4}}");
    UNTIL(has_heard("p0", "result taken"));
    tell("p0", "{\"ask\": {\"id\": 2, \"cpu\": 3}}");
    UNTIL(has_heard("p0", "another request of this guest is under way"));
    UNTIL(has_heard("p0", "result final done"));
    check_now("p0", 4, 2 * GIB);
}

static void
test_ask_vetoed_by_its_own(void **state)
{
    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"veto\": \"import under way\"");
    UNTIL(all_connected());
    tell("p0", "{\"ask\": {\"cpu\": 1}}");
    UNTIL(has_heard("p0", "result final vetoed: p0's guest refuses"));
    check_now("p0", 2, 2 * GIB);
}

static void
test_ask_not_taken(void **state)
{
    LpProfile profile;
    g_autofree char *xml = NULL;
    LpConn *conn;

    (void) state;
    start_world(1, 64 * GIB, MOVING, "");
    UNTIL(all_connected());
    profile = part("p0")->profile;
    profile.generation = 2;
    profile.hold_until_sec = INT64_MAX;
    xml = lp_profile_to_xml(&profile);
    conn = lp_driver_sim.open(world.uri, NULL);
    assert_true(lp_driver_sim.set_metadata(conn, part("p0")->uuid, xml, NULL));
    lp_driver_sim.close(conn);
    lp_registry_look(world.registry, part("p0")->uuid);
    UNTIL(part("p0")->profile.hold_until_sec == INT64_MAX);
    tell("p0", "{\"ask\": {\"cpu\": 3}}");
    UNTIL(has_heard("p0", "result final refused: the operator holds this partition"));
    lp_engine_refuse_asks(world.engine);
    tell("p0", "{\"ask\": {\"cpu\": 3}}");
    UNTIL(has_heard("p0", "result final refused: this host takes no requests"));
    assert_null(asked_for());
    /* The operator's own are not held. */
    EXPECT(run(SET_P0 CPU("set", 3) "}"), LP_OP_DONE);
}

/* ---- what a stopped leg leaves ---- */

static void
test_quota_follows_record(void **state)
{
    int64_t held;

    (void) state;
    start_world(1, 64 * GIB, AT_ONCE, "\"accel\": \"tcg\"");
    UNTIL(all_connected());
    EXPECT(run(SET_P0 CPU("set", 1) "}"), LP_OP_DONE);
    held = part("p0")->view->global_quota_usec;
    assert_true(held > 0);
    tell("p0", "{\"fail_next\": {\"call\": \"set_metadata\", \"error\": \"failed\"}}");
    EXPECT(run(SET_P0 CPU("set", 2) "}"), LP_OP_FAILED);
    assert_int_equal(part("p0")->view->global_quota_usec, held);
    UNTIL(agree("p0"));
    check_now("p0", 1, 2 * GIB);
    check_heard("p0", "check cpu 2 1\npre cpu 2 1\npost cpu 2 1\ncheck cpu 1 2\npre cpu 1 2\n"
                "undo cpu 1 2\npost cpu 1 1");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_phases), TEST(test_older_agent), TEST(test_veto_in_check), TEST(test_veto_in_pre),
        TEST(test_no_answer), TEST(test_late_answer), TEST(test_cancel_while_asked),
        TEST(test_full_disk_while_asked), TEST(test_agent_lost), TEST(test_leave), TEST(test_stop),
        TEST(test_stop_after_growth),
        TEST(test_move_refused), TEST(test_move_refused_half_way), TEST(test_dry_run),
        TEST(test_dry_run_in_resize), TEST(test_restart), TEST(test_restart_and_refusal),
        TEST(test_restart_while_asked), TEST(test_restart_and_cancel), TEST(test_restart_and_stop),
        TEST(test_restart_without_agent),
        TEST(test_hung_agent_delays_nobody), TEST(test_failing_hook), TEST(test_ask),
        TEST(test_ask_beyond_bounds), TEST(test_ask_while_open), TEST(test_ask_vetoed_by_its_own),
        TEST(test_ask_not_taken), TEST(test_quota_follows_record),
    };

    start_clock();
    cmocka_set_test_filter(g_getenv("LP_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
