#include "engine_fixture.h"

#include <glib/gstdio.h>

#include "hotplug/domxml.h"
#include "lpard/profile-xml.h"
#include "tests/remove-tree.h"

/* ---- the clock of everything but GLib itself ---- */

static gint64 clock_real, clock_shown;
static int clock_rate = 1;

gint64 __real_g_get_monotonic_time(void);
gint64 __wrap_g_get_monotonic_time(void);
gboolean __real_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end);
gboolean __wrap_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end);
guint __wrap_g_timeout_add(guint msec, GSourceFunc func, gpointer data);
guint __wrap_g_timeout_add_seconds(guint sec, GSourceFunc func, gpointer data);
void __real_g_source_set_ready_time(GSource *source, gint64 usec);
void __wrap_g_source_set_ready_time(GSource *source, gint64 usec);

gint64
__wrap_g_get_monotonic_time(void)
{
    return clock_shown + (__real_g_get_monotonic_time() - clock_real) * clock_rate;
}

static gint64
to_real(gint64 shown)
{
    return clock_real + (shown - clock_shown) / clock_rate;
}

gboolean
__wrap_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end)
{
    return __real_g_cond_wait_until(cond, mutex, to_real(end));
}

guint
__wrap_g_timeout_add(guint msec, GSourceFunc func, gpointer data)
{
    return __real_g_timeout_add(msec / (guint) clock_rate, func, data);
}

guint
__wrap_g_timeout_add_seconds(guint sec, GSourceFunc func, gpointer data)
{
    return __real_g_timeout_add(sec * 1000 / (guint) clock_rate, func, data);
}

void
__wrap_g_source_set_ready_time(GSource *source, gint64 usec)
{
    __real_g_source_set_ready_time(source, usec <= 0 ? usec : to_real(usec));
}

/* Only while nothing else runs. */
void
set_clock(int rate)
{
    gint64 real = __real_g_get_monotonic_time(), shown = __wrap_g_get_monotonic_time();

    clock_real = real;
    clock_shown = shown;
    clock_rate = rate;
}

/* ---- the world ---- */

World world;
void (*boot_hook)(void), (*halt_hook)(void);

gboolean
out_of_patience(void *data)
{
    g_autoptr(GPtrArray) list = lp_engine_list(world.engine);
    g_autoptr(GPtrArray) partitions = lp_registry_list(world.registry);

    for (guint i = 0; i < partitions->len; i++) {
        const LpPartition *partition = g_ptr_array_index(partitions, i);

        fprintf(stderr, "%s: vcpus %u/%u, memory %" PRIu64 "/%" PRIu64 " requested %" PRIu64
                " plugged %" PRIu64 " agent %d stuck %d\n", partition->view->name,
                lp_partition_granted_cpus(partition), lp_partition_usable_cpus(partition),
                lp_partition_granted_bytes(partition), lp_partition_usable_bytes(partition),
                lp_view_requested_bytes(partition->view), lp_view_plugged_bytes(partition->view),
                partition->guest.connected, partition->stuck);
    }
    fprintf(stderr, "%s: not within %d seconds\n", (const char *) data, PATIENCE_SEC);
    for (guint i = 0; i < list->len; i++) {
        json_t *json = lp_operation_to_json(g_ptr_array_index(list, i));

        json_dumpf(json, stderr, JSON_INDENT(1));
        json_decref(json);
    }
    abort();
}

/* Conditions that change without an event, as a thread that has ended. */
gboolean
look_again(void *data)
{
    (void) data;
    return G_SOURCE_CONTINUE;
}

/* S1 to S3, at every event. */
static void
check_bounds(LpChange change, LpPartition *told, const char *alias, void *data)
{
    g_autoptr(GPtrArray) list = lp_registry_list(world.registry);
    uint64_t sum = 0;

    (void) change;
    (void) told;
    (void) alias;
    (void) data;
    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);
        uint64_t granted = lp_partition_granted_bytes(partition);
        uint32_t cpus = lp_partition_granted_cpus(partition);

        if (partition->view->run == LP_RUN_OFF || !lp_partition_has_profile(partition))
            continue;
        sum += granted + OVERHEAD_BYTES;
        if (world.unbounded)
            continue;
        assert_in_range(granted, partition->profile.mem.min_bytes,
                        partition->profile.mem.max_bytes);
        assert_in_range(cpus, partition->profile.cpu.min, partition->profile.cpu.max);
    }
    assert_true(sum <= world.capacity_bytes);
}

static void
on_operation(LpOperation *operation, void *data)
{
    (void) data;
    world.seen_waiting |= operation->waits_for != NULL;
    world.seen_running |= operation->state == LP_OP_RUNNING;
}

static void
wake_up(const LpEventItem *item, void *data)
{
    (void) item;
    (void) data;
}

/* lpard as it starts: also a second time, on what the first left. */
void
boot(void)
{
    world.journal = lp_journal_open(world.dir, 30, NULL);
    assert_non_null(world.journal);
    world.events = lp_events_new();
    lp_events_listen(world.events, wake_up, NULL);
    world.workers = lp_workers_new(world.uri);
    world.registry = lp_registry_new(world.workers, world.journal, world.events, world.host, 0, 10,
                                     OVERHEAD_BYTES);
    world.engine = lp_engine_new(world.registry, world.workers, world.journal, world.events, 60);
    lp_registry_listen(world.registry, check_bounds, NULL);
    lp_engine_listen(world.engine, on_operation, NULL);
    if (boot_hook)
        boot_hook();
    assert_true(lp_registry_start(world.registry, NULL));
    UNTIL(lp_registry_synced(world.registry));
}

void
halt(void)
{
    if (halt_hook)
        halt_hook();
    lp_engine_free(world.engine);
    lp_registry_free(world.registry);
    lp_workers_free(world.workers);
    lp_journal_close(world.journal);
    lp_events_free(world.events);
    lp_sim_forget(world.uri);
}

#define ONE_CELL \
    "[{\"base_bytes\": 1073741824, \"device_bytes\": 3221225472, \"requested_bytes\": " \
    "1073741824}]"

void (*profile_hook)(LpProfile *profile);
const char *cells_text;

char *
profile_text(uint64_t generation, uint32_t min, uint32_t desired, uint32_t max)
{
    LpProfile profile = {
        .version = LP_PROFILE_VERSION, .generation = generation, .cpu = {min, desired, max},
        .mem = {GIB, 2 * GIB, 4 * GIB}, .capacity = {40, 128, false}, .n_cells = 1,
    };

    lp_autoscale_init(&profile.autoscale);
    if (profile_hook)
        profile_hook(&profile);
    return lp_profile_to_xml(&profile);
}

/* n guests p0, p1, ... with 2 of 1..4 vCPUs and 2 of 1..4 GiB; `extra` goes into each. */
void
start_world(unsigned n, uint64_t capacity_bytes, const char *host, const char *extra)
{
    g_autofree char *xml = profile_text(1, 1, 2, 4);
    g_autofree LpTopology *topology = g_new0(LpTopology, 1);
    g_autoptr(GString) text = g_string_new(NULL);
    json_t *metadata = json_string(xml);
    char *quoted = json_dumps(metadata, JSON_ENCODE_ANY);

    g_string_printf(text, "{\"seed\": 5, %s, \"domains\": [", host);
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(
            text,
            "%s{\"name\": \"p%u\", \"vcpus\": 2, \"vcpus_max\": 4, \"metadata\": %s, \"cells\": "
            "%s%s%s}",
            i ? "," : "", i, quoted, cells_text ? cells_text : ONE_CELL, *extra ? ", " : "", extra);
    g_string_append(text, "]}");
    free(quoted);
    json_decref(metadata);
    topology->n_nodes = 1;
    topology->nodes[0].memory_bytes = capacity_bytes;
    lp_cpumask_first_n(&topology->nodes[0].cpus, 16);
    topology->distance[0][0] = 10;
    topology->n_cpus = topology->n_cores = 16;
    topology->n_packages = 1;
    start_host(text->str, topology);
}

void
start_host(const char *json, const LpTopology *topology)
{
    g_autofree char *path = NULL;

    memset(&world, 0, sizeof world);
    world.dir = g_dir_make_tmp("lpard-engine-XXXXXX", NULL);
    path = g_build_filename(world.dir, "host.json", NULL);
    assert_true(g_file_set_contents(path, json, -1, NULL));
    world.uri = g_strconcat("sim:", path, NULL);
    world.capacity_bytes = lp_topology_memory(topology);
    world.host = g_new0(LpHost, 1);
    world.host->topology = *topology;
    boot();
}

int
tear_down(void **state)
{
    (void) state;
    halt();
    remove_tree(world.dir);
    g_free(world.dir);
    g_free(world.uri);
    g_free(world.host);
    profile_hook = NULL;
    boot_hook = halt_hook = NULL;
    cells_text = NULL;
    set_clock(1);
    return 0;
}

void
tell(const char *name, const char *json)
{
    g_autoptr(GError) error = NULL;

    if (!lp_sim_tell(world.uri, name, json, &error))
        fail_msg("%s", error->message);
}

LpPartition *
part(const char *name)
{
    g_autoptr(GError) error = NULL;
    LpPartition *partition = lp_registry_find(world.registry, name, &error);

    if (!partition)
        fail_msg("%s", error->message);
    return partition;
}

bool
all_connected(void)
{
    g_autoptr(GPtrArray) list = lp_registry_list(world.registry);

    for (guint i = 0; i < list->len; i++)
        if (!((LpPartition *) g_ptr_array_index(list, i))->guest.base_total_bytes)
            return false;
    return true;
}

/* ---- requests ---- */

void
on_accepted(LpOperation *operation, const GError *error, void *data)
{
    Asked *asked = data;

    assert_false(asked->answered);
    asked->answered = true;
    if (error)
        asked->code = g_strdup(lp_error_name((LpErrorCode) error->code));
    else if (operation->id)
        asked->id = operation->id;
    else
        asked->plan = lp_operation_to_json(operation);
}

LpRequest *
request_of(const char *text)
{
    g_autoptr(GError) error = NULL;
    json_error_t why;
    json_t *json = json_loads(text, 0, &why);
    LpRequest *request;

    if (!json)
        fail_msg("%s: %s", text, why.text);
    request = lp_request_from_json(json, &error);
    json_decref(json);
    if (!request)
        fail_msg("%s: %s", text, error->message);
    return request;
}

/* The error's name, or NULL; *asked is answered later. */
char *
try_submit(const char *text, Asked *asked)
{
    g_autoptr(GError) error = NULL;

    memset(asked, 0, sizeof *asked);
    if (lp_engine_submit(world.engine, request_of(text), on_accepted, asked, &error))
        return NULL;
    return g_strdup(lp_error_name((LpErrorCode) error->code));
}

int64_t
submit(const char *text)
{
    Asked asked;
    g_autofree char *code = try_submit(text, &asked);

    if (code)
        fail_msg("%s: %s", text, code);
    UNTIL(asked.answered);
    if (asked.code)
        fail_msg("%s: %s", text, asked.code);
    return asked.id;
}

bool
is_over(int64_t id)
{
    return LP_OP_IS_FINAL(lp_engine_find(world.engine, id)->state);
}

const LpOperation *
finish(int64_t id)
{
    UNTIL(is_over(id));
    return lp_engine_find(world.engine, id);
}

const LpOperation *
run(const char *text)
{
    return finish(submit(text));
}

const LpLeg *
leg_of(const LpOperation *operation, guint index)
{
    return g_ptr_array_index(operation->legs, index);
}

/* Hypervisor, lpard and guest by each one's own word. */
bool
agree(const char *name)
{
    const LpPartition *partition = part(name);
    const LpView *view = partition->view;

    for (uint32_t i = 0; i < view->n_cells; i++)
        if (view->cells[i].requested_bytes != view->cells[i].current_bytes)
            return false;
    return partition->guest.connected
           && lp_partition_usable_bytes(partition) == lp_partition_granted_bytes(partition)
           && lp_partition_usable_cpus(partition) == lp_partition_granted_cpus(partition);
}

void
check_now(const char *name, uint32_t cpus, uint64_t bytes)
{
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    g_autoptr(LpView) view = lp_driver_sim.look(conn, part(name)->uuid, NULL);

    lp_driver_sim.close(conn);
    assert_non_null(view);
    assert_int_equal(lp_plan_granted_vcpus(view, &part(name)->profile.folded), cpus);
    assert_int_equal(lp_view_requested_bytes(view), bytes);
    assert_int_equal(lp_partition_granted_cpus(part(name)), cpus);
    assert_int_equal(lp_partition_granted_bytes(part(name)), bytes);
}

void
start_clock(void)
{
    clock_real = clock_shown = __real_g_get_monotonic_time();
}
