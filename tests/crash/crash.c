#include "tests/crash/crash.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lpard/profile-xml.h"
#include "tests/remove-tree.h"
#include "tests/unit/numa_host.h"

/* Only a hang takes this long, sanitizers and a busy machine included. */
#define LIFE_SEC 30
#define WORLD_BYTES (64 * GIB)

Shared *shared;
bool crash_loud;
static char *home, *template_dir, *world_dir;
static LpOracle *oracle;

void
crash_begin(const char *dir)
{
    home = g_strdup(dir);
    template_dir = g_build_filename(dir, "made", NULL);
    world_dir = g_build_filename(dir, "world", NULL);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        g_error("mmap");
    /* One clock for all lives, faster than the machine's: what is in motion goes on between them. */
    start_clock();
    set_clock(FAST);
}

/* ---- files ---- */

static void
copy_all(const char *from, const char *to)
{
    g_autoptr(GDir) dir = g_dir_open(from, 0, NULL);
    g_autofree char *text = NULL;
    const char *name;
    gsize size;

    if (!dir) {
        if (g_file_get_contents(from, &text, &size, NULL)
            && !g_file_set_contents_full(to, text, (gssize) size, G_FILE_SET_CONTENTS_NONE, 0600,
                                         NULL))
            g_error("%s cannot be written", to);
        return;
    }
    g_mkdir(to, 0700);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(from, name, NULL);
        g_autofree char *copy = g_build_filename(to, name, NULL);

        copy_all(child, copy);
    }
}

void
crash_end(void)
{
    remove_tree(home);
}

void
crash_restore(void)
{
    remove_tree(world_dir);
    copy_all(template_dir, world_dir);
}

/* ---- the world ---- */

static char *
quote(const char *text)
{
    json_t *json = json_string(text);
    char *quoted = json_dumps(json, JSON_ENCODE_ANY);

    json_decref(json);
    return quoted;
}

static void
add_guests(const Scenario *scenario, GString *text)
{
    g_autofree char *xml = profile_text(1, 1, 2, 4);
    char *metadata = quote(xml);

    for (unsigned i = 0; i < scenario->n_guests; i++) {
        const char *more = scenario->guests[i];

        g_string_append_printf(
            text,
            "%s{\"name\": \"p%u\", \"vcpus\": 2, \"vcpus_max\": 4, \"metadata\": %s, \"cells\": "
            "%s%s%s}",
            i ? "," : "", i, metadata,
            scenario->cells ? scenario->cells
                            : "[{\"base_bytes\": 1073741824, \"device_bytes\": 3221225472, "
                              "\"requested_bytes\": 1073741824}]",
            more ? ", " : "", more ? more : "");
    }
    free(metadata);
}

/* p0 is to be on node 0 and lies on node 1; p1 the other way round. */
static void
add_crossed(const Scenario *scenario, GString *text)
{
    for (int i = 0; i < 2; i++) {
        const char *more = scenario->guests[i];
        g_autofree char *cell = one_cell(i, i ? 2048 : 0, i ? 0 : 2048);
        g_autofree char *name = g_strdup_printf("p%d", i);
        g_autofree char *rule = g_strdup_printf("strict:%d", i);
        g_autofree char *one = guest(name, rule, cell, more ? more : "");

        g_string_append_printf(text, "%s%s", i ? "," : "", one);
    }
}

static char *
host_text(const Scenario *scenario)
{
    GString *text = g_string_new("{\"seed\": 5, ");

    if (scenario->nodes)
        g_string_append(text, "\"cgroup\": \"v2\", ");
    g_string_append_printf(text, "%s%s\"domains\": [", scenario->host,
                           *scenario->host ? ", " : "");
    if (scenario->nodes)
        add_crossed(scenario, text);
    else
        add_guests(scenario, text);
    g_string_append(text, "]}");
    return g_string_free(text, FALSE);
}

static void
make_topology(const Scenario *scenario, LpTopology *topology)
{
    if (scenario->nodes) {
        numa_host(topology, 2, 8 * GIB, 4, 20);
        return;
    }
    topology->n_nodes = 1;
    topology->nodes[0].memory_bytes = WORLD_BYTES;
    lp_cpumask_first_n(&topology->nodes[0].cpus, 16);
    topology->distance[0][0] = 10;
    topology->n_cpus = topology->n_cores = 16;
    topology->n_packages = 1;
}

static const Scenario *living;

static void
begin_rooms(void)
{
    if (living->hard)
        lp_registry_enforce_hard(world.registry);
    if (!living->nodes)
        return;
    numa_settings.optimize_threshold = 80;
    numa_settings.optimize_delta = 10;
    numa_settings.move_rate_bytes = 1ULL << 40;
    numa_settings.move_pressure_centi = 1000;
    optimizer = lp_optimizer_new(&numa_settings, world.registry, world.engine, world.events);
    /* The pressure of the machine that runs the test is none of its business. */
    optimizer->procfs = "/nowhere";
}

static void
end_rooms(void)
{
    g_clear_pointer(&optimizer, lp_optimizer_free);
}

/* ---- judging ---- */

static void
tell_broken(void)
{
    GPtrArray *broken = lp_oracle_broken(oracle);

    for (guint i = 0; i < broken->len; i++) {
        const char *line = g_ptr_array_index(broken, i);

        if (!strstr(shared->broken, line)) {
            g_strlcat(shared->broken, line, sizeof shared->broken);
            g_strlcat(shared->broken, "\n", sizeof shared->broken);
        }
    }
}

static GPtrArray *
views_now(void)
{
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    GPtrArray *list = lp_driver_sim.list(conn, NULL), *views;

    assert_non_null(list);
    views = g_ptr_array_new_with_free_func((GDestroyNotify) lp_view_free);
    for (guint i = 0; i < list->len; i++) {
        const LpView *known = g_ptr_array_index(list, i);
        LpView *view = lp_driver_sim.look(conn, known->uuid, NULL);

        assert_non_null(view);
        g_ptr_array_add(views, view);
    }
    g_ptr_array_unref(list);
    lp_driver_sim.close(conn);
    return views;
}

/* In the thread that is about to do it: S6, and what is now. */
static void
on_effect(const char *call, const char *uuid, void *data)
{
    (void) data;
    lp_oracle_effect(oracle, call, uuid);
    __atomic_add_fetch(&shared->effects, 1, __ATOMIC_RELAXED);
    if (lp_oracle_broken(oracle)->len)
        tell_broken();
}

static void
make_oracle(void)
{
    LpOracleHost host = {.topology = &world.host->topology, .overhead_bytes = OVERHEAD_BYTES,
                         .reserve_centi = 10};
    g_autofree char *path = g_build_filename(world.dir, "journal.db", NULL);

    oracle = lp_oracle_new(&host, path);
    lp_oracle_expect_definition(oracle, living->definition);
    lp_fault_watch_effects(on_effect, NULL);
}

/* ---- a life ---- */

static void
begin_world(const Scenario *scenario)
{
    living = scenario;
    memset(&world, 0, sizeof world);
    world.dir = g_strdup(world_dir);
    world.uri = g_strdup_printf("sim:%s/host.json", world_dir);
    world.host = g_new0(LpHost, 1);
    make_topology(scenario, &world.host->topology);
    world.capacity_bytes = lp_topology_memory(&world.host->topology);
    boot_hook = begin_rooms;
    halt_hook = end_rooms;
}

static bool
all_over(void)
{
    g_autoptr(GPtrArray) list = lp_engine_list(world.engine);
    g_autoptr(GPtrArray) partitions = lp_registry_list(world.registry);

    for (guint i = 0; i < list->len; i++)
        if (!LP_OP_IS_FINAL(((LpOperation *) g_ptr_array_index(list, i))->state))
            return false;
    for (guint i = 0; i < partitions->len; i++)
        if (lp_engine_lane_depth(world.engine,
                                 ((LpPartition *) g_ptr_array_index(partitions, i))->uuid) > 0)
            return false;
    return true;
}

/* Devices arrive where they were asked to be, by the hypervisor's own word. */
static bool
devices_rest(void)
{
    g_autoptr(GPtrArray) views = views_now();

    for (guint i = 0; i < views->len; i++) {
        const LpView *view = g_ptr_array_index(views, i);

        for (uint32_t c = 0; c < view->n_cells; c++)
            if (view->cells[c].requested_bytes != view->cells[c].current_bytes)
                return false;
    }
    return true;
}

#define REST_TURNS 400
#define TURN_USEC 1000

static void
judge(const Scenario *scenario)
{
    g_autoptr(GPtrArray) views = NULL;

    for (unsigned i = 0; i < REST_TURNS && !devices_rest(); i++)
        g_usleep(TURN_USEC);
    if (scenario->judge)
        scenario->judge(oracle);
    halt();
    views = views_now();
    if (scenario->definition)
        lp_oracle_look(oracle, views);
    else
        lp_oracle_rest(oracle, views);
    tell_broken();
}

static char rest_text[] = "all is at rest";

static void G_GNUC_NORETURN
live(const Scenario *scenario, bool first, Strike strike)
{
    g_autoptr(GPtrArray) views = NULL;

    alarm(LIFE_SEC);
    begin_world(scenario);
    make_oracle();
    /* As the crash left it (S5). */
    views = views_now();
    lp_oracle_look(oracle, views);
    lp_sim_forget(world.uri);
    if (crash_loud)
        __real_g_timeout_add((LIFE_SEC - 5) * 1000, out_of_patience, rest_text);
    lp_fault_count(shared->counts);
    lp_fault_arm(strike.point, strike.nth, LP_FAULT_KILL, 0);
    boot();
    if (first) {
        if (!scenario->definition)
            UNTIL(all_connected() || strstr(scenario->guests[0] ? scenario->guests[0] : "",
                                            "\"agent\": false"));
        scenario->run();
    }
    UNTIL(all_over());
    judge(scenario);
    _exit(*shared->broken ? 1 : 0);
}

/* Silent: what broke is said by the matrix, with its case. */
static void
hush(void)
{
    g_autofree char *path = g_build_filename(home, "log", NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd < 0)
        return;
    (void) dup2(fd, STDOUT_FILENO);
    (void) dup2(fd, STDERR_FILENO);
    close(fd);
}

static LifeEnd
wait_for_life(pid_t pid, Strike strike)
{
    int status = 0;

    while (waitpid(pid, &status, 0) != pid)
        ;
    for (unsigned i = 0; i < LP_FAULT_POINTS; i++)
        shared->ever[i] += shared->counts[i];
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return LIFE_WELL;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return LIFE_HUNG;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && strike.nth
        && shared->counts[strike.point] >= strike.nth)
        return *shared->broken ? LIFE_BROKEN : LIFE_KILLED;
    return LIFE_BROKEN;
}

static pid_t
fork_life(void)
{
    pid_t pid;

    memset(shared->counts, 0, sizeof shared->counts);
    shared->broken[0] = '\0';
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        g_error("fork");
    if (pid == 0 && !crash_loud)
        hush();
    return pid;
}

LifeEnd
crash_live(const Scenario *scenario, bool first, Strike strike)
{
    pid_t pid = fork_life();

    if (pid == 0)
        live(scenario, first, strike);
    return wait_for_life(pid, strike);
}

static void G_GNUC_NORETURN
make(const Scenario *scenario)
{
    g_autofree char *text = host_text(scenario);
    g_autofree char *path = g_build_filename(world_dir, "host.json", NULL);

    alarm(LIFE_SEC);
    g_mkdir_with_parents(world_dir, 0700);
    assert_true(g_file_set_contents(path, text, -1, NULL));
    begin_world(scenario);
    if (scenario->prepare) {
        boot();
        scenario->prepare();
        UNTIL(all_over());
        halt();
    }
    _exit(0);
}

bool
crash_make(const Scenario *scenario)
{
    pid_t pid;

    remove_tree(world_dir);
    remove_tree(template_dir);
    pid = fork_life();
    if (pid == 0)
        make(scenario);
    if (wait_for_life(pid, (Strike){0}) != LIFE_WELL)
        return false;
    copy_all(world_dir, template_dir);
    return true;
}
