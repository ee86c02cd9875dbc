/* The disk fails at each call of an operation's life, and stays so until the operation has ended.
 * It ends truthfully, new work is refused with the reason, and is taken again by itself when the
 * disk works; then lpard is killed, and the next one finds nothing open and all sizes as told.
 *
 * Usage: test_disk_engine [--all [--json]]; by itself a sample. */
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hotplug/fault.h"
#include "tests/disk/fault-vfs.h"
#include "tests/oracle/oracle.h"
#include "tests/remove-tree.h"
#include "tests/unit/engine_fixture.h"

#define CALLS_MAX 2000
/* When not all are tried: from one call to the next that is, and where that begins for the next
 * kind of fault. */
#define STEP 19
#define SHIFT 7
#define LIFE_SEC 60

static const struct {
    const char *name, *text;
} works[] = {
    {"grow", SET_P0 CPU("set", 4) "," MEM("set", 3221225472) "}"},
    {"shrink", SET_P0 CPU("set", 1) "," MEM("set", 1610612736) "}"},
    {"move", "{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\"," MEM("set", 536870912) "}"},
};

/* What one life leaves to the next. */
typedef struct {
    char dir[128];
    uint64_t calls, struck;
    bool refused, ended;              /* new work while the disk failed; the life came to its end */
    char told[16];                    /* how the operation ended, by lpard's word */
    char problem[256];
} Report;

static Report *report;
static unsigned n_cases, n_struck, n_refused, n_bad;
static bool on_full;

/* ---- the life in which the disk fails ---- */

static void
say(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    if (!*report->problem)
        g_vsnprintf(report->problem, sizeof report->problem, format, list);
    va_end(list);
}

/* It may be refused at once, when it was to be accepted, or take its course to any end. */
static void
work(const char *text)
{
    g_autofree char *code = NULL;
    Asked asked;

    code = try_submit(text, &asked);
    if (!code)
        UNTIL(asked.answered);
    if (code || asked.code) {
        if (strcmp(code ? code : asked.code, "journal"))
            say("refused as %s", code ? code : asked.code);
        g_strlcpy(report->told, "refused", sizeof report->told);
        return;
    }
    g_strlcpy(report->told, lp_op_state_name(finish(asked.id)->state), sizeof report->told);
}

/* Nothing is begun that could not be remembered, and who asks is told what to do. */
static void
try_new_work(void)
{
    g_autoptr(GError) error = NULL;
    const char *why = NULL;

    if (lp_journal_healthy(world.journal, &why))
        return;
    report->refused = true;
    if (lp_engine_submit(world.engine, request_of(SET_P0 CPU("set", 2) "}"), NULL, NULL, &error))
        say("new work is taken");
    else if (error->code != LP_ERROR_JOURNAL || lp_error_http_status(error->code) != 507
             || lp_error_exit_status(error->code) != 1 || !strstr(error->message, why)
             || !strstr(why, "journal"))
        say("new work is refused as: %s", error->message);
}

static void G_GNUC_NORETURN
live(const char *text, FaultKind kind, uint64_t nth)
{
    alarm(LIFE_SEC);
    /* The journal stands when it begins: its making is another test's. */
    start_world(2, 16 * GIB, AT_ONCE, "");
    g_strlcpy(report->dir, world.dir, sizeof report->dir);
    UNTIL(all_connected());
    set_clock(FAST);
    vfs_arm(kind, nth, UINT64_MAX);
    work(text);
    try_new_work();
    report->struck = vfs_struck();
    report->calls = vfs_mend();
    UNTIL(lp_journal_healthy(world.journal, NULL));
    EXPECT(run("{\"kind\":\"resize\",\"partition\":\"p1\"," CPU("set", 3) "}"), LP_OP_DONE);
    report->ended = true;
    (void) kill(getpid(), SIGKILL);
    abort();
}

/* ---- and the next one ---- */

static GPtrArray *
views_now(void)
{
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    GPtrArray *list = lp_driver_sim.list(conn, NULL);
    GPtrArray *views = g_ptr_array_new_with_free_func((GDestroyNotify) lp_view_free);

    for (guint i = 0; i < list->len; i++)
        g_ptr_array_add(views, lp_driver_sim.look(conn,
                                                  ((LpView *) g_ptr_array_index(list, i))->uuid,
                                                  NULL));
    g_ptr_array_unref(list);
    lp_driver_sim.close(conn);
    return views;
}

/* What was told to have ended in full has, and what was told to be refused changed nothing. */
static void
judge_size(const char *name)
{
    uint64_t bytes = lp_partition_granted_bytes(part("p0"));
    bool grow = strcmp(name, "grow") == 0, shrink = strcmp(name, "shrink") == 0;
    uint64_t wanted = grow ? 3 * GIB : 3 * GIB / 2;

    if (strcmp(report->told, "done") == 0 && bytes != wanted)
        say("told done, but %" PRIu64 " bytes", bytes);
    if (strcmp(report->told, "refused") == 0 && bytes != 2 * GIB)
        say("told refused, but %" PRIu64 " bytes", bytes);
    if (bytes != wanted && bytes != 2 * GIB && !shrink)
        say("%" PRIu64 " bytes", bytes);
    if (lp_partition_granted_cpus(part("p1")) != 3)
        say("what was taken when the disk worked is lost");
}

static void
judge(const char *name)
{
    LpOracleHost host = {.topology = &world.host->topology, .overhead_bytes = OVERHEAD_BYTES,
                         .reserve_centi = 10};
    g_autofree char *path = g_build_filename(world.dir, "journal.db", NULL);
    LpOracle *oracle = lp_oracle_new(&host, path);
    g_autoptr(GPtrArray) views = NULL;
    json_t *open = lp_journal_open_operations(world.journal, NULL);

    if (json_array_size(open) > 0)
        say("%zu operations are open still", json_array_size(open));
    json_decref(open);
    judge_size(name);
    halt();
    views = views_now();
    lp_oracle_rest(oracle, views);
    if (lp_oracle_broken(oracle)->len > 0)
        say("%s", (char *) g_ptr_array_index(lp_oracle_broken(oracle), 0));
}

static bool
nothing_open(void)
{
    g_autoptr(GPtrArray) list = lp_engine_list(world.engine);

    for (guint i = 0; i < list->len; i++)
        if (!LP_OP_IS_FINAL(((LpOperation *) g_ptr_array_index(list, i))->state))
            return false;
    return true;
}

static bool
answered_all(void)
{
    json_t *open = lp_journal_open_operations(world.journal, NULL);
    bool none = json_array_size(open) == 0;

    json_decref(open);
    return none;
}

static void G_GNUC_NORETURN
live_again(const char *name)
{
    alarm(LIFE_SEC);
    memset(&world, 0, sizeof world);
    world.dir = g_strdup(report->dir);
    world.uri = g_strdup_printf("sim:%s/host.json", world.dir);
    world.host = g_new0(LpHost, 1);
    world.host->topology.n_nodes = 1;
    world.host->topology.nodes[0].memory_bytes = world.capacity_bytes = 16 * GIB;
    lp_cpumask_first_n(&world.host->topology.nodes[0].cpus, 16);
    world.host->topology.n_cpus = world.host->topology.n_cores = 16;
    world.host->topology.n_packages = 1;
    set_clock(FAST);
    boot();
    UNTIL(nothing_open() && answered_all() && all_connected());
    judge(name);
    _exit(*report->problem ? 1 : 0);
}

/* ---- all of them ---- */

static int
wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) != pid)
        ;
    return status;
}

/* false: the call came later than all that was done. */
static bool
one(guint at, FaultKind kind, uint64_t nth)
{
    pid_t pid;
    int status;

    memset(report, 0, sizeof *report);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        live(works[at].text, kind, nth);
    status = wait_for(pid);
    if (!report->ended)
        say("its first life did not come to its end (status %d)", status);
    if (report->ended) {
        pid = fork();
        if (pid == 0)
            live_again(works[at].name);
        status = wait_for(pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
            say("its second life did not come to its end (status %d)", status);
    }
    if (*report->dir)
        remove_tree(report->dir);
    n_cases++;
    n_struck += report->struck > 0;
    n_refused += report->refused;
    if (*report->problem) {
        printf("# %s, %s from call %d on (told %s): %s\n", works[at].name, fault_names[kind],
               (int) nth, report->told, report->problem);
        n_bad++;
    }
    /* With its reserve lpard closes what is open on a full disk. */
    on_full |= kind == FAULT_FULL && report->struck > 0 && strcmp(report->told, "done") == 0;
    return report->calls >= nth || !report->ended;
}

static int
tell_all(bool json)
{
    bool fine = n_bad == 0 && n_struck > 0 && n_refused > 0 && on_full;

    if (json) {
        printf("{\"suite\": \"disk-engine\", \"cases\": %u, \"faults\": %u, \"lost\": %u}\n",
               n_cases, n_struck, n_bad);
        return fine ? 0 : 1;
    }
    printf("# %u cases, the fault struck in %u, new work was refused in %u\n", n_cases, n_struck,
           n_refused);
    printf("%s 1 - a disk that fails in mid-operation loses no operation\n1..1\n",
           fine ? "ok" : "not ok");
    return fine ? 0 : 1;
}

int
main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
    bool json = argc > 2 && strcmp(argv[2], "--json") == 0;
    unsigned turn = 0;

    vfs_install();
    start_clock();
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (guint at = 0; at < G_N_ELEMENTS(works); at++)
        for (FaultKind kind = 0; kind < FAULT_KINDS; kind++)
            for (uint64_t nth = all ? 1 : 1 + turn++ * SHIFT % STEP; nth < CALLS_MAX;
                 nth += all ? 1 : STEP)
                if (!one(at, kind, nth))
                    break;
    return tell_all(json);
}
