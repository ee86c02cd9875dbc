/* Host and partitions, drawn from the seed, and lpard on them. */
#include <glib/gstdio.h>
#include <string.h>

#include "lpard/optimize/optimize-priv.h"
#include "lpard/profile-xml.h"
#include "tests/remove-tree.h"
#include "tests/sim/clock.h"
#include "tests/sim/disk.h"
#include "tests/sim/everything.h"
#include "tests/sim/fibers.h"

#define PARTITIONS_MOST 12
#define NODES_MOST 4
#define KEEP_DAYS 30
#define TIMEOUT_SEC 60

/* ---- the host ---- */

static void
make_topology(void)
{
    LpTopology *topology = world.topology;
    uint32_t n = (uint32_t) draw(1, NODES_MOST), cpus = (uint32_t) draw(6, 16);
    uint64_t bytes = (uint64_t) draw(8, 48) * GIB;

    topology->n_nodes = topology->n_packages = n;
    topology->distances_known = true;
    for (uint32_t i = 0; i < n; i++) {
        topology->nodes[i].id = i;
        topology->nodes[i].memory_bytes = bytes;
        topology->nodes[i].tier = LP_TIER_NORMAL;
        topology->nodes[i].package = i;
        for (uint32_t c = 0; c < cpus; c++)
            lp_cpumask_add(&topology->nodes[i].cpus, i * cpus + c);
        for (uint32_t j = 0; j < n; j++)
            topology->distance[i][j] = i == j ? 10 : 20;
    }
    topology->n_cpus = topology->n_cores = n * cpus;
    for (uint32_t c = 0; c < n * cpus; c++) {
        topology->core_of[c] = (uint16_t) c;
        topology->cache_of[c] = (uint16_t) (c / cpus);
    }
}

/* ---- the partitions ---- */

/* A multiple of what a block in each cell makes. */
static uint64_t
amount(int64_t low_mib, int64_t high_mib)
{
    return (uint64_t) draw(low_mib / 64, high_mib / 64) * 64 * MIB;
}

static void
make_profile(LpProfile *profile, uint32_t n_cells)
{
    *profile = (LpProfile){.version = LP_PROFILE_VERSION, .generation = 1, .n_cells = n_cells};
    profile->mem.max_bytes = amount(2048, 12288);
    profile->mem.min_bytes = lp_profile_base_floor(profile->mem.max_bytes, n_cells);
    profile->mem.min_bytes += (64 * MIB - profile->mem.min_bytes % (64 * MIB)) % (64 * MIB);
    profile->mem.max_bytes = MAX(profile->mem.max_bytes, profile->mem.min_bytes + 512 * MIB);
    profile->mem.desired_bytes
        = amount((int64_t) (profile->mem.min_bytes / MIB),
                 (int64_t) ((profile->mem.min_bytes + profile->mem.max_bytes) / 2 / MIB));
    profile->mem.desired_bytes = MAX(profile->mem.desired_bytes, profile->mem.min_bytes);
    profile->cpu = (LpCpuRange){1, (uint32_t) draw((int64_t) n_cells, 4), 0};
    profile->cpu.min = (uint32_t) draw(1, profile->cpu.desired);
    profile->cpu.max = profile->cpu.desired + (uint32_t) draw(0, 4);
    profile->capacity = (LpCapacity){lp_profile_default_entitlement(&profile->cpu),
                                     (uint32_t) draw(1, 255), one_in(6)};
    lp_autoscale_init(&profile->autoscale);
    if (world.scaled && !one_in(3)) {
        profile->autoscale.mode = one_in(2) ? LP_MODE_AUTO : LP_MODE_HOST;
        profile->autoscale.release_sec = (uint32_t) draw(5, 30);
    }
}

/* Room on the nodes for what each cell begins with; false: the host is full. */
static bool
place(LpProfile *profile, uint64_t *room)
{
    uint64_t each = (profile->mem.desired_bytes + OVERHEAD_BYTES) / profile->n_cells;

    for (uint32_t i = 0; i < profile->n_cells; i++) {
        uint32_t node = (uint32_t) draw(0, world.topology->n_nodes - 1), tries = 0;

        while (room[node] < each && ++tries < world.topology->n_nodes)
            node = (node + 1) % world.topology->n_nodes;
        if (room[node] < each)
            return false;
        room[node] -= each;
        profile->cell_node[i] = (int32_t) node;
    }
    return true;
}

static json_t *
cell_json(const LpProfile *profile, uint32_t index)
{
    uint64_t n = profile->n_cells;

    return json_pack("{s:i,s:I,s:I,s:I}", "node", profile->cell_node[index], "base_bytes",
                     (json_int_t) (profile->mem.min_bytes / n), "device_bytes",
                     (json_int_t) ((profile->mem.max_bytes - profile->mem.min_bytes) / n),
                     "requested_bytes",
                     (json_int_t) ((profile->mem.desired_bytes - profile->mem.min_bytes) / n));
}

static json_t *
partition_json(unsigned index, uint64_t *room)
{
    json_t *cells = json_array(), *json;
    g_autofree char *xml = NULL;
    LpProfile profile;
    char name[16];

    make_profile(&profile, world.topology->n_nodes > 1 && one_in(3) ? 2 : 1);
    if (!place(&profile, room)) {
        json_decref(cells);
        return NULL;
    }
    for (uint32_t i = 0; i < profile.n_cells; i++)
        json_array_append_new(cells, cell_json(&profile, i));
    if (profile.n_cells == 1 && one_in(3)) {
        profile.numa.mode = LP_NUMA_STRICT;
        profile.numa.n_nodes = 1;
        profile.numa.node_id[0] = (uint16_t) profile.cell_node[0];
    }
    xml = lp_profile_to_xml(&profile);
    g_snprintf(name, sizeof name, "p%u", index);
    json = json_pack("{s:s,s:i,s:i,s:s,s:o,s:b,s:b,s:b}", "name", name, "vcpus",
                     (int) profile.cpu.desired, "vcpus_max", (int) profile.cpu.max, "metadata", xml,
                     "cells", cells, "agent", !one_in(5), "qga", one_in(4), "no_phases", one_in(5));
    json_object_set_new(json, "used_bytes",
                        json_integer(world.scaled ? (json_int_t) draw(0, 4) * 512 * (json_int_t) MIB
                                                  : 0));
    return json;
}

static json_t *
delays_json(void)
{
    bool fast = one_in(3);

    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
                     "plug_bytes_per_sec", (json_int_t) (fast ? 0 : draw(1, 64) * 256 * (int64_t) MIB),
                     "unplug_bytes_per_sec", (json_int_t) (fast ? 0 : draw(1, 32) * 128 * (int64_t) MIB),
                     "online_cpu_usec", (json_int_t) draw(0, 200000),
                     "unplug_cpu_usec", (json_int_t) draw(0, 500000),
                     "unplug_timeout_usec", (json_int_t) 5000000,
                     "detach_usec", (json_int_t) draw(0, 3000000),
                     "boot_usec", (json_int_t) draw(0, 8000000),
                     "move_bytes_per_sec", (json_int_t) (1LL << 30));
}

static void
make_host_file(void)
{
    static const char *const cgroups[] = {"none", "v1", "v2", "v2"};
    json_t *list = json_array(), *root, *json;
    g_autofree char *path = g_build_filename(world.dir, "host.json", NULL);
    uint64_t room[LP_MAX_NODES];
    unsigned wanted = (unsigned) draw(2, PARTITIONS_MOST);

    for (uint32_t n = 0; n < world.topology->n_nodes; n++)
        room[n] = world.topology->nodes[n].memory_bytes
                  - world.settings.reserve_bytes / world.topology->n_nodes - OVERHEAD_BYTES * 2;
    for (unsigned i = 0; i < wanted && (json = partition_json(i, room)); i++) {
        json_array_append_new(list, json);
        world.n_partitions++;
    }
    /* Most hosts are nearly full: only there does it matter who is counted at how much. */
    for (uint32_t n = 0; n < world.topology->n_nodes && !one_in(4); n++)
        world.topology->nodes[n].memory_bytes -= room[n] - MIN(room[n], amount(0, 2048));
    root = json_pack("{s:I,s:s,s:o,s:o}", "seed", (json_int_t) world.seed, "cgroup",
                     cgroups[draw(0, 3)], "delays", delays_json(), "domains", list);
    json_dump_file(root, path, 0);
    json_decref(root);
    world.uri = g_strconcat("sim:", path, NULL);
}

/* ---- lpard ---- */

static void
on_operation(LpOperation *operation, void *data)
{
    (void) data;
    say("operation %" PRId64 " %s of %s: %s %s", operation->id,
        lp_op_kind_name(operation->request->kind),
        operation->request->partition ? operation->request->partition : "the host",
        lp_op_state_name(operation->state), operation->code ? operation->code : "");
    judge_operation(operation);
}

void
lpard_start(void)
{
    g_autoptr(GError) error = NULL;

    /* A disk that is full or broken lets nobody begin: systemd tries again and again. */
    world.journal = lp_journal_open(world.dir, KEEP_DAYS, &error);
    if (!world.journal) {
        say("lpard does not start: %s", error->message);
        return;
    }
    world.events = lp_events_new();
    world.workers = lp_workers_new(world.uri);
    world.registry = lp_registry_new(world.workers, world.journal, world.events, world.machine,
                                     world.settings.reserve_bytes, world.settings.reserve_centi,
                                     world.settings.overhead_bytes);
    world.engine = lp_engine_new(world.registry, world.workers, world.journal, world.events,
                                 TIMEOUT_SEC);
    world.scaler = lp_scaler_new(&world.settings, world.registry, world.engine, world.events);
    world.optimizer = lp_optimizer_new(&world.settings, world.registry, world.engine, world.events);
    /* The pressure of the machine that runs this is none of its business. */
    world.optimizer->procfs = "/nowhere";
    lp_engine_listen(world.engine, on_operation, NULL);
    if (!lp_registry_start(world.registry, &error))
        g_error("the registry does not start: %s", error->message);
    say("lpard starts");
    world.back_usec = clock_now_usec();
}

void
lpard_stop(bool killed)
{
    if (!world.journal)
        return;
    say("lpard %s", killed ? "is killed" : "stops");
    if (killed)
        fibers_kill();
    g_clear_pointer(&world.optimizer, lp_optimizer_free);
    g_clear_pointer(&world.scaler, lp_scaler_free);
    g_clear_pointer(&world.engine, lp_engine_free);
    g_clear_pointer(&world.registry, lp_registry_free);
    g_clear_pointer(&world.workers, lp_workers_free);
    g_clear_pointer(&world.journal, lp_journal_close);
    g_clear_pointer(&world.events, lp_events_free);
    /* Also an orderly end leaves calls behind that hang. */
    fibers_kill();
    fibers_bury();
    load_forget();
}

/* ---- all of it ---- */

GPtrArray *
domains(void)
{
    return world.sim->domains;
}

LpSimDomain *
domain_at_random(void)
{
    guint n = world.sim->domains->len;

    return n ? g_ptr_array_index(world.sim->domains, draw(0, n - 1)) : NULL;
}

static void
make_settings(void)
{
    world.settings = (LpSettings){
        .uri = world.uri, .state_dir = world.dir, .reserve_bytes = (uint64_t) draw(1, 4) * 256 * MIB,
        .reserve_centi = 10, .overhead_bytes = OVERHEAD_BYTES, .timeout_sec = TIMEOUT_SEC,
        .keep_days = KEEP_DAYS, .policy_mode = world.scaled ? LP_MODE_AUTO : LP_MODE_OFF,
        .policy_idle_tax_permyriad = 7500, .policy_moving = 4, .policy_history_bytes = 4 * MIB,
        .policy_burst = one_in(3), .optimize_auto = one_in(3), .optimize_threshold = 80,
        .optimize_delta = 10, .move_rate_bytes = 1ULL << 30, .move_pressure_centi = 1000,
    };
}

static char *
dir_of(pid_t pid)
{
    return g_strdup_printf("/dev/shm/lpard-sim-%07d", (int) pid);
}

void
world_begin(uint64_t seed)
{
    g_autoptr(GError) error = NULL;

    world.seed = world.chance = seed;
    world.hash = 0xcbf29ce484222325u;
    clock_reset();
    fibers_reset(lp_chance_of(seed, 1));
    disk_reset(lp_chance_of(seed, 2));
    world.calls = (CallFaults){.usec = draw(100, 5000)};
    world.dir = dir_of(getpid());
    g_mkdir(world.dir, 0700);
    world.topology = g_new0(LpTopology, 1);
    world.machine = g_new0(LpHost, 1);
    world.accepted = g_array_new(FALSE, FALSE, sizeof(int64_t));
    world.meddled = one_in(2);
    world.scaled = one_in(3);
    make_settings();
    make_topology();
    make_host_file();
    world.machine->topology = *world.topology;
    world.sim = lp_sim_host_open(world.uri, &error);
    if (!world.sim)
        g_error("%s", error->message);
    judge_begin();
    say("seed %" PRIu64 ": %u nodes of %" PRIu64 " GiB, %u partitions%s%s", seed,
        world.topology->n_nodes, (uint64_t) (world.topology->nodes[0].memory_bytes / GIB), world.n_partitions,
        world.scaled ? ", autoscaled" : "", world.meddled ? ", meddled with" : "");
}

void
world_remove(pid_t pid)
{
    g_autofree char *dir = dir_of(pid);

    remove_tree(dir);
}

void
world_end(void)
{
    judge_end();
    g_clear_pointer(&world.sim, lp_sim_host_unref);
    remove_tree(world.dir);
    g_array_unref(world.accepted);
    g_free(world.topology);
    g_free(world.machine);
    g_free(world.dir);
    g_free(world.uri);
}
