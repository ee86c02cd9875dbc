/* kill -9 at random moments of a mixed load, as often as asked: the real lpard, another process, on
 * files.  Nothing of what it took on may be lost, and nothing done twice.
 *
 * In each round some operations are sent at random times, with keys of their own; lpard is killed
 * after 0 to 1.1 times what such a round takes, and in one of four rounds again while it recovers.
 * Those sent whose answer never came are sent again with the same key.  Then every operation must be
 * closed, none failed, and each domain must have, by the hypervisor's word, what its operations come
 * to: amounts that go to and fro, so that one lost or done twice shows.  The oracle judges the rest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/driver.h"
#include "hotplug/plan.h"
#include "hotplug/sim.h"
#include "lpard/profile-xml.h"
#include "numa/topology.h"
#include "tests/crash/kills.h"
#include "tests/oracle/oracle.h"

#define OPS_MAX 6
/* Rounds in one world, whose journal is read whole after each. */
#define ROUNDS_A_WORLD 40
#define STEP_MIB 128
#define OVERHEAD_BYTES (320LL << 20)

typedef struct {
    HttpLine line;
    char key[40], target[64], body[200];
    int64_t due_usec, id;
    bool sent, answered;
    int from, to;                 /* partitions; to: of a move, or -1 */
    int mem_mib, cpus;            /* what it adds to `from` (and takes from `to`) */
    int centi;                    /* or the entitlement that it sets */
} Op;

/* What a partition has to have. */
typedef struct {
    int64_t mem_mib;
    int cpus;
    /* How far it may come in this round, whatever is done first. */
    int64_t mem_low, mem_high;
    int cpus_low, cpus_high;
} Share;

static struct {
    int kills;
    unsigned seed;
    gboolean json;
    char *lpard, *dir;
} options = {.kills = 30};

static Life life;
static GRand *chance;
static Share shares[KILLS_PARTITIONS];
static LpTopology topology;
static int64_t cycle_usec, start_usec_sum;
static unsigned n_rounds, n_kills, n_again, n_ops, n_done, n_resent,
    n_found, n_starts, key_number;

static int
below(int n)
{
    return g_rand_int_range(chance, 0, n);
}

/* ---- what is asked ---- */

/* Whether the partition may be given (or lose) so much, whatever else of the round comes first. */
static bool
bears(Share *share, int mem_mib, int cpus)
{
    int64_t low = share->mem_low + MIN(mem_mib, 0), high = share->mem_high + MAX(mem_mib, 0);
    int cpus_low = share->cpus_low + MIN(cpus, 0), cpus_high = share->cpus_high + MAX(cpus, 0);

    return low >= KILLS_MEM_MIN_MIB && high <= KILLS_MEM_MAX_MIB && cpus_low >= KILLS_CPU_MIN
           && cpus_high <= KILLS_CPU_MAX;
}

static void
bear(Share *share, int mem_mib, int cpus)
{
    share->mem_low += MIN(mem_mib, 0);
    share->mem_high += MAX(mem_mib, 0);
    share->cpus_low += MIN(cpus, 0);
    share->cpus_high += MAX(cpus, 0);
}

/* An amount as the API wants it, with a comma after it. */
static void
put_amount(GString *body, const char *key, const char *mode, const char *name, int64_t amount)
{
    if (amount)
        g_string_append_printf(body, "\"%s\":{\"mode\":\"%s\",\"%s\":%" G_GINT64_FORMAT "},", key,
                               mode, name, amount);
}

static void
put_change(const Op *op, GString *body)
{
    const char *mode = op->to >= 0 ? "set" : op->mem_mib + op->cpus > 0 ? "add" : "remove";

    put_amount(body, "mem", mode, "bytes", ABS(op->mem_mib) * KILLS_MIB);
    put_amount(body, "cpu", mode, "count", ABS(op->cpus));
}

static bool
make_op(Op *op)
{
    g_autoptr(GString) body = g_string_new("{");
    int kind = below(8), sign = below(2) ? 1 : -1;

    *op = (Op){.from = below(KILLS_PARTITIONS), .to = -1};
    if (kind == 0) {
        op->centi = 40 + 10 * below(4);
        g_string_append_printf(body, "\"entitled_centi\":%d,", op->centi);
        g_snprintf(op->target, sizeof op->target, "/v1/partitions/p%d/capacity", op->from);
    } else {
        op->mem_mib = kind <= 5 ? sign * STEP_MIB * (1 + below(3)) : 0;
        op->cpus = kind >= 5 ? sign : 0;
        if (below(2)) {
            op->to = (op->from + 1 + below(KILLS_PARTITIONS - 1)) % KILLS_PARTITIONS;
            op->mem_mib = -ABS(op->mem_mib);
            op->cpus = -ABS(op->cpus);
            if (!bears(&shares[op->to], -op->mem_mib, -op->cpus))
                return false;
        }
        if (!bears(&shares[op->from], op->mem_mib, op->cpus))
            return false;
        put_change(op, body);
        if (op->to >= 0) {
            g_string_append_printf(body, "\"partition\":\"p%d\",\"to\":\"p%d\",", op->from, op->to);
            g_strlcpy(op->target, "/v1/move", sizeof op->target);
            bear(&shares[op->to], -op->mem_mib, -op->cpus);
        } else {
            g_snprintf(op->target, sizeof op->target, "/v1/partitions/p%d/resize", op->from);
        }
        bear(&shares[op->from], op->mem_mib, op->cpus);
    }
    body->str[body->len - 1] = '}';
    g_strlcpy(op->body, body->str, sizeof op->body);
    g_snprintf(op->key, sizeof op->key, "kills-%u-%u", options.seed, ++key_number);
    return true;
}

static unsigned
make_ops(Op *ops)
{
    unsigned n = 2 + (unsigned) below(OPS_MAX - 1), made = 0;

    for (int i = 0; i < KILLS_PARTITIONS; i++) {
        shares[i].mem_low = shares[i].mem_high = shares[i].mem_mib;
        shares[i].cpus_low = shares[i].cpus_high = shares[i].cpus;
    }
    for (unsigned tries = 0; made < n && tries < 20 * OPS_MAX; tries++)
        made += make_op(&ops[made]);
    return made;
}

/* ---- sending ---- */

static void
send_op(Op *op)
{
    op->sent = true;
    if (http_try(&op->line, life.socket))
        (void) http_ask_once(&op->line, "POST", op->target, op->body, op->key);
}

/* Takes what has come; until then at most. */
static void
take_answer(Op *op, int msec)
{
    if (!op->sent || op->answered || op->line.fd < 0 || http_wait(&op->line, msec) != 1)
        return;
    if (op->line.status != 202)
        life_bail(&life, "%s %s is refused: %s", op->target, op->body, http_body(&op->line));
    op->id = http_number(http_body(&op->line), "id");
    op->answered = true;
}

static void
hang_up(Op *op)
{
    if (op->sent && op->line.fd >= 0)
        http_close(&op->line);
}

/* Sends them when they are due, until then. */
static void
send_until(Op *ops, unsigned n, int64_t end_usec)
{
    for (;;) {
        int64_t now = g_get_monotonic_time(), next = end_usec;

        for (unsigned i = 0; i < n; i++) {
            if (!ops[i].sent && ops[i].due_usec <= now)
                send_op(&ops[i]);
            else if (!ops[i].sent)
                next = MIN(next, ops[i].due_usec);
        }
        if (now >= end_usec)
            return;
        g_usleep((gulong) CLAMP(next - now, 100, 5000));
    }
}

/* Those whose fate is not known, once more; what had been taken on is not taken on again. */
static void
send_again(Op *ops, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int64_t newest;
        json_t *list;

        if (ops[i].answered)
            continue;
        hang_up(&ops[i]);
        list = life_get(&life, 200, "/v1/operations?limit=1");
        newest = json_integer_value(
            json_object_get(json_array_get(json_object_get(list, "operations"), 0), "id"));
        json_decref(list);
        ops[i].sent = false;
        send_op(&ops[i]);
        take_answer(&ops[i], KILLS_PATIENCE_SEC * 1000);
        if (!ops[i].answered)
            life_bail(&life, "%s is not answered", ops[i].target);
        n_resent++;
        n_found += ops[i].id <= newest;
    }
}

/* ---- judging ---- */

/* By how each operation ended, what there is to be. */
static void
note_result(const Op *op)
{
    json_t *result = life_get(&life, 200, "/v1/operations/%" G_GINT64_FORMAT, op->id);
    const char *state = json_string_value(json_object_get(result, "state"));
    g_autofree char *text = json_dumps(result, JSON_INDENT(1));

    n_ops++;
    if (g_strcmp0(json_string_value(json_object_get(json_object_get(result, "request"), "key")),
                  op->key) != 0)
        life_bail(&life, "operation %" G_GINT64_FORMAT " is not the one that was sent: %.2000s",
                  op->id, text);
    if (g_strcmp0(state, "done") != 0)
        life_bail(&life, "an operation that could be done ended %s: %.4000s", state, text);
    n_done++;
    json_decref(result);
    shares[op->from].mem_mib += op->mem_mib;
    shares[op->from].cpus += op->cpus;
    if (op->to >= 0) {
        shares[op->to].mem_mib -= op->mem_mib;
        shares[op->to].cpus -= op->cpus;
    }
}

static GPtrArray *
look_at_all(void)
{
    g_autoptr(GError) error = NULL;
    LpConn *conn = lp_driver_sim.open(life.uri, &error);
    g_autoptr(GPtrArray) views = conn ? lp_driver_sim.list(conn, &error) : NULL;
    GPtrArray *looks = g_ptr_array_new_with_free_func((GDestroyNotify) lp_view_free);

    for (guint i = 0; views && i < views->len; i++) {
        LpView *view = lp_driver_sim.look(conn, ((LpView *) g_ptr_array_index(views, i))->uuid,
                                          &error);

        if (view)
            g_ptr_array_add(looks, view);
    }
    if (error)
        life_bail(&life, "the simulated host cannot be read: %s", error->message);
    lp_driver_sim.close(conn);
    lp_sim_forget(life.uri);
    return looks;
}

static void
compare(const LpView *view)
{
    LpProfile profile;
    int index;

    if (sscanf(view->name, "p%d", &index) != 1 || index >= KILLS_PARTITIONS)
        return;
    if (!lp_profile_from_xml(view->metadata, &profile, NULL))
        life_bail(&life, "%s has lost its profile", view->name);
    if (lp_view_requested_bytes(view) != (uint64_t) (shares[index].mem_mib * KILLS_MIB)
        || lp_view_plugged_bytes(view) != (uint64_t) (shares[index].mem_mib * KILLS_MIB)
        || lp_plan_granted_vcpus(view, &profile.folded) != (uint32_t) shares[index].cpus
        || profile.mem.desired_bytes != (uint64_t) (shares[index].mem_mib * KILLS_MIB)
        || profile.cpu.desired != (uint32_t) shares[index].cpus)
        life_bail(&life, "%s has %lld MiB (asked of the device %lld, desired %lld) and %u vCPUs "
                  "(desired %u), and should have %lld MiB and %d", view->name,
                  (long long) lp_view_plugged_bytes(view) / KILLS_MIB,
                  (long long) lp_view_requested_bytes(view) / KILLS_MIB,
                  (long long) profile.mem.desired_bytes / KILLS_MIB,
                  lp_plan_granted_vcpus(view, &profile.folded), profile.cpu.desired,
                  (long long) shares[index].mem_mib, shares[index].cpus);
}

static void
ask_oracle(GPtrArray *views)
{
    LpOracleHost host = {.topology = &topology, .reserve_bytes = 512LL << 20,
                         .overhead_bytes = OVERHEAD_BYTES, .reserve_centi = 10};
    g_autofree char *journal = g_build_filename(life.dir, "state", "journal.db", NULL);
    LpOracle *oracle = lp_oracle_new(&host, journal);
    GPtrArray *broken;

    lp_oracle_rest(oracle, views);
    broken = lp_oracle_broken(oracle);
    if (broken->len)
        life_bail(&life, "%s", (const char *) g_ptr_array_index(broken, 0));
    lp_oracle_free(oracle);
}

static void
judge(const Op *ops, unsigned n)
{
    g_autoptr(GPtrArray) views = NULL;

    for (unsigned i = 0; i < n; i++)
        note_result(&ops[i]);
    views = look_at_all();
    if (views->len != KILLS_PARTITIONS + 1)
        life_bail(&life, "%u domains, not %d", views->len, KILLS_PARTITIONS + 1);
    for (guint i = 0; i < views->len; i++)
        compare(g_ptr_array_index(views, i));
    ask_oracle(views);
}

/* ---- rounds ---- */

static void
start(void)
{
    life_start(&life);
    start_usec_sum += life.up_usec;
    n_starts++;
}

static void
round_of(bool killed)
{
    Op ops[OPS_MAX] = {0};
    unsigned n = make_ops(ops);
    int64_t begin = g_get_monotonic_time();
    int64_t end = killed ? begin + below((int) (cycle_usec * 11 / 10)) : begin + G_USEC_PER_SEC / 5;

    for (unsigned i = 0; i < n; i++)
        ops[i].due_usec = begin + (cycle_usec ? below((int) (cycle_usec / 2)) : 0);
    send_until(ops, n, end);
    if (killed) {
        life_kill(&life);
        n_kills++;
        if (below(4) == 0) {
            life_spawn(&life);
            g_usleep((gulong) below((int) cycle_usec));
            life_kill(&life);
            n_again++;
        }
        start();
    }
    for (unsigned i = 0; i < n; i++)
        take_answer(&ops[i], killed ? 0 : KILLS_PATIENCE_SEC * 1000);
    send_again(ops, n);
    life_rest(&life);
    if (!killed)
        cycle_usec = MAX(cycle_usec, g_get_monotonic_time() - end + G_USEC_PER_SEC / 5);
    for (unsigned i = 0; i < n; i++)
        hang_up(&ops[i]);
    judge(ops, n);
    n_rounds++;
}

static void
world_begin(void)
{
    life_make(&life, options.lpard, options.dir);
    for (int i = 0; i < KILLS_PARTITIONS; i++)
        shares[i] = (Share){.mem_mib = KILLS_MEM_MIB, .cpus = KILLS_CPU};
    start();
}

static void
world_end(void)
{
    int status = life_stop(&life);

    if (status != 0)
        life_bail(&life, "lpard did not end well: %d", status);
    life_unmake(&life);
}

static void
read_options(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        {"kills", 0, 0, G_OPTION_ARG_INT, &options.kills, "How often (30)", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT, &options.seed, "Of all that is by chance", "N"},
        {"lpard", 0, 0, G_OPTION_ARG_FILENAME, &options.lpard, "The program", "FILE"},
        {"dir", 0, 0, G_OPTION_ARG_FILENAME, &options.dir, "Where the world is made", "DIR"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &options.json, "The figures in one line of JSON", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- kill -9 at random moments");
    g_autoptr(GError) error = NULL;
    const char *seed = g_getenv("LP_TEST_SEED"), *build = g_getenv("LP_BUILD");

    options.seed = seed ? (unsigned) atoi(seed) : (unsigned) g_random_int_range(1, 1000000);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "kills: %s\n", error->message);
        exit(2);
    }
    if (!options.lpard)
        options.lpard = g_build_filename(build ? build : ".", "lpard", "lpard", NULL);
    if (!options.dir)
        options.dir = g_strdup(g_get_tmp_dir());
}

int
main(int argc, char **argv)
{
    char message[200] = "";
    int64_t begin = g_get_monotonic_time();

    read_options(argc, argv);
    chance = g_rand_new_with_seed(options.seed);
    if (!lp_topology_read(KILLS_TOPOLOGY, &topology, message, sizeof message))
        life_bail(&life, "%s", message);
    printf("# seed %u (--seed, LP_TEST_SEED)\n", options.seed);
    fflush(stdout);
    world_begin();
    for (int i = 0; i < 3; i++)
        round_of(false);
    for (int i = 0; i < options.kills; i++) {
        if (i % ROUNDS_A_WORLD == ROUNDS_A_WORLD - 1) {
            world_end();
            world_begin();
        }
        round_of(true);
    }
    world_end();
    printf("# %u kills, %u more while recovering; %u operations, %u done; %u sent again, of which %u "
           "had been taken on; a round takes %.0f ms, a start %.0f ms; %.0f s\n", n_kills, n_again,
           n_ops, n_done, n_resent, n_found, (double) cycle_usec / 1e3,
           (double) start_usec_sum / n_starts / 1e3,
           (double) (g_get_monotonic_time() - begin) / 1e6);
    if (options.json)
        printf("{\"tool\":\"kills\",\"seed\":%u,\"faults\":%u,\"operations\":%u,\"sent_again\":%u,"
               "\"found\":%u,\"lost\":0}\n", options.seed, n_kills + n_again, n_ops, n_resent,
               n_found);
    printf("ok 1 - nothing lost, nothing doubled\n1..1\n");
    return 0;
}
