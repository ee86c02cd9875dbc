#include "tests/fuzz/world.h"

#include <glib/gstdio.h>
#include <string.h>

#include "hotplug/sim.h"
#include "lpard/profile-xml.h"

LpFuzzWorld lp_fuzz_world;

static gboolean
out_of_patience(void *what)
{
    fprintf(stderr, "not within %d seconds: %s\n", LP_FUZZ_PATIENCE_SEC, (const char *)what);
    abort();
}

void
lp_fuzz_until(bool (*done)(void *data), void *data, const char *what)
{
    char *text = g_strdup(what);
    guint watchdog = g_timeout_add_seconds(LP_FUZZ_PATIENCE_SEC, out_of_patience, text);

    while (!done(data))
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(watchdog);
    g_free(text);
}

void
lp_fuzz_remove(const char *path)
{
    g_autoptr(GDir) dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL
                                                                    : g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        lp_fuzz_remove(child);
    }
    g_remove(path);
}

/* --- the host --- */

static void
make_topology(LpTopology *topology)
{
    topology->n_nodes = topology->n_packages = 2;
    topology->distances_known = true;
    topology->n_cpus = topology->n_cores = 32;
    for (uint32_t i = 0; i < 2; i++) {
        topology->nodes[i] = (LpNode){ .id = i, .memory_bytes = 8 * LP_FUZZ_GIB,
                                       .tier = LP_TIER_NORMAL, .package = i };
        for (unsigned cpu = 16 * i; cpu < 16 * (i + 1); cpu++) {
            lp_cpumask_add(&topology->nodes[i].cpus, cpu);
            topology->core_of[cpu] = (uint16_t)cpu;
            topology->cache_of[cpu] = (uint16_t)i;
        }
        for (uint32_t k = 0; k < 2; k++)
            topology->distance[i][k] = i == k ? 10 : 21;
    }
}

static json_t *
make_domain(unsigned index)
{
    LpProfile profile = {
        .generation = 1, .cpu = { 1, 2, 4 }, .n_cells = 1, .cell_node = { (int32_t)index },
        .mem = { LP_FUZZ_GIB, 2 * LP_FUZZ_GIB, 4 * LP_FUZZ_GIB }, .capacity = { 40, 128, false },
    };
    g_autofree char *name = g_strdup_printf("p%u", index);
    g_autofree char *xml = NULL;

    lp_autoscale_init(&profile.autoscale);
    xml = lp_profile_to_xml(&profile);
    return json_pack("{s:s,s:i,s:i,s:s,s:[{s:i,s:I,s:I,s:I}]}", "name", name, "vcpus", 2,
                     "vcpus_max", 4, "metadata", xml, "cells", "node", (int)index, "base_bytes",
                     (json_int_t)LP_FUZZ_GIB, "device_bytes", (json_int_t)(3 * LP_FUZZ_GIB),
                     "requested_bytes", (json_int_t)LP_FUZZ_GIB);
}

static void
remove_world(void)
{
    lp_fuzz_remove(lp_fuzz_world.dir);
}

void
lp_fuzz_world_make(void)
{
    LpFuzzWorld *world = &lp_fuzz_world;
    const char *base = g_file_test("/dev/shm", G_FILE_TEST_IS_DIR) ? "/dev/shm" : g_get_tmp_dir();
    g_autofree char *template = g_build_filename(base, "lpard-fuzz-XXXXXX", NULL);
    g_autofree char *path = NULL;
    json_t *json = json_pack("{s:i,s:s,s:{s:i},s:[o,o,{s:s,s:s}]}", "seed", 5, "cgroup", "v2",
                             "delays", "size_event_usec", 1000, "domains", make_domain(0),
                             make_domain(1), "name", "plain", "run", "off");

    world->dir = g_strdup(g_mkdtemp(template));
    LP_MUST(world->dir != NULL && json != NULL);
    atexit(remove_world);
    path = g_build_filename(world->dir, "host.json", NULL);
    LP_MUST(json_dump_file(json, path, 0) == 0);
    json_decref(json);
    world->settings = (LpSettings){
        .uri = g_strconcat("sim:", path, NULL),
        .socket = g_build_filename(world->dir, "lpard.sock", NULL),
        .state_dir = g_build_filename(world->dir, "state", NULL),
        .overhead_bytes = 64 * LP_FUZZ_MIB, .timeout_sec = 5, .keep_days = 30,
        .policy_mode = LP_MODE_ADVISE, .policy_moving = 4,
        .policy_history_bytes = 16 * LP_FUZZ_MIB, .optimize_threshold = 80, .optimize_delta = 10,
        .move_rate_bytes = UINT64_C(1) << 40, .move_pressure_centi = 10000,
    };
    world->host = g_new0(LpHost, 1);
    make_topology(&world->host->topology);
    LP_MUST(g_mkdir(world->settings.state_dir, 0700) == 0);
}

/* --- lpard --- */

static bool
is_synced(void *data)
{
    (void)data;
    return lp_registry_synced(lp_fuzz_world.registry);
}

static void
serve_api(LpFuzzWorld *world)
{
    LpSettings *settings = &world->settings;

    world->pools = lp_pools_new(settings->state_dir, world->registry, world->engine,
                                world->events);
    world->scaler = lp_scaler_new(settings, world->registry, world->engine, world->events);
    lp_scaler_know_pools(world->scaler, world->pools);
    world->optimizer = lp_optimizer_new(settings, world->registry, world->engine, world->events);
    world->api = lp_api_new(settings, world->registry, world->engine, world->journal,
                            world->events, NULL);
    LP_MUST(world->api != NULL);
    lp_api_serve_policy(world->api, world->scaler);
    lp_api_serve_pools(world->api, world->pools);
    lp_api_serve_optimizer(world->api, world->optimizer);
}

bool
lp_fuzz_world_boot(bool serve)
{
    LpFuzzWorld *world = &lp_fuzz_world;
    LpSettings *settings = &world->settings;

    world->journal = lp_journal_open(settings->state_dir, settings->keep_days, NULL);
    if (world->journal == NULL)
        return false;
    world->events = lp_events_new();
    world->workers = lp_workers_new(settings->uri);
    world->registry = lp_registry_new(world->workers, world->journal, world->events, world->host,
                                      0, 10, settings->overhead_bytes);
    world->engine = lp_engine_new(world->registry, world->workers, world->journal, world->events,
                                  settings->timeout_sec);
    if (serve)
        serve_api(world);
    LP_MUST(lp_registry_start(world->registry, NULL));
    lp_fuzz_until(is_synced, NULL, "all domains are read");
    return true;
}

void
lp_fuzz_world_halt(void)
{
    LpFuzzWorld *world = &lp_fuzz_world;

    if (world->journal == NULL)
        return;
    g_clear_pointer(&world->api, lp_api_free);
    g_clear_pointer(&world->optimizer, lp_optimizer_free);
    g_clear_pointer(&world->scaler, lp_scaler_free);
    g_clear_pointer(&world->pools, lp_pools_free);
    g_clear_pointer(&world->engine, lp_engine_free);
    g_clear_pointer(&world->registry, lp_registry_free);
    g_clear_pointer(&world->workers, lp_workers_free);
    g_clear_pointer(&world->journal, lp_journal_close);
    g_clear_pointer(&world->events, lp_events_free);
    lp_sim_forget(world->settings.uri);
}
