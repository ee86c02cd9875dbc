/* lpard: the daemon.  Options, start in order, end in the reverse. */
#include <glib-unix.h>
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"
#include "lpard/api/api.h"
#include "lpard/autoscale/autoscale.h"
#include "lpard/engine/engine.h"
#include "lpard/error.h"
#include "lpard/instance.h"
#include "lpard/optimize/optimize.h"
#include "lpard/sandbox.h"
#include "lpard/settings.h"
#include "lpard/state-dir.h"

typedef struct {
    char *config, *connect, *socket, *state, *topology;
    gboolean session, version;
} Options;

static bool
parse_options(int *argc, char ***argv, Options *options, GError **error)
{
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config,
         "Configuration file (default " LP_SYSCONFDIR "/lpard/lpard.conf)", "FILE"},
        {"connect", 'u', 0, G_OPTION_ARG_STRING, &options->connect,
         "Hypervisor: a libvirt URI, or sim:FILE for a simulated host", "URI"},
        {"socket", 's', 0, G_OPTION_ARG_FILENAME, &options->socket, "Listen on this socket",
         "PATH"},
        {"state", 'd', 0, G_OPTION_ARG_FILENAME, &options->state,
         "Keep the journal in this directory", "DIR"},
        {"topology", 't', 0, G_OPTION_ARG_STRING, &options->topology,
         "The host's topology: an hwloc XML file or a synthetic description", "TEXT"},
        {"session", 0, 0, G_OPTION_ARG_NONE, &options->session,
         "A plain user's defaults (qemu:///session), also as root", NULL},
        {"version", 'V', 0, G_OPTION_ARG_NONE, &options->version, "Print the version", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- resize running partitions");

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_description(
        context, "See lpard(8) for the API, lpard.conf(5) for the configuration, lparctl(1) for "
                 "the operator's command.\n");
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (*argc > 1) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "unexpected argument \"%s\"; see --help",
                    (*argv)[1]);
        return false;
    }
    return true;
}

static void
override(char **setting, char *option)
{
    if (!option)
        return;
    g_free(*setting);
    *setting = option;
}

static LpSettings *
load_settings(Options *options, GError **error)
{
    bool session = options->session || geteuid() != 0;
    const char *path = options->config ? options->config : LP_SYSCONFDIR "/lpard/lpard.conf";
    LpSettings *settings = lp_settings_load(path, options->config != NULL, session, error);

    if (!settings)
        return NULL;
    override(&settings->uri, options->connect);
    override(&settings->socket, options->socket);
    override(&settings->state_dir, options->state);
    override(&settings->topology, options->topology);
    return settings;
}

/* Warnings go to stderr as single lines; under systemd the journal adds time and name. */
static GLogWriterOutput
write_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
    (void) data;
    if (level & G_LOG_LEVEL_DEBUG)
        return G_LOG_WRITER_HANDLED;
    for (gsize i = 0; i < n_fields; i++)
        if (g_str_equal(fields[i].key, "MESSAGE"))
            fprintf(stderr, "lpard: %s\n", (const char *) fields[i].value);
    return G_LOG_WRITER_HANDLED;
}

static gboolean
on_signal(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_CONTINUE;
}

static int
fail(const GError *error)
{
    fprintf(stderr, "lpard: %s\n", error->message);
    return error->domain == LP_ERROR ? lp_error_exit_status((LpErrorCode) error->code)
                                     : EXIT_FAILURE;
}

static bool
read_host(const LpSettings *settings, LpHost *ret_host, GError **error)
{
    g_autofree LpTopology *topology = g_new0(LpTopology, 1);
    char message[200] = "";

    if (!lp_topology_read(settings->topology, topology, message, sizeof message)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "the host's topology cannot be read: %s",
                    message);
        return false;
    }
    lp_host_read(ret_host, topology, settings->topology != NULL);
    return true;
}

/* While this thread is the only one: what holds for a thread holds for all after it. */
static bool
secure(const LpSettings *settings, const LpHost *host, GError **error)
{
    /* Root's is the same for every build and configuration, or two would miss each other. */
    g_autofree char *runtime = geteuid() == 0
                                   ? g_strdup("/run/lpard")
                                   : g_build_filename(g_get_user_runtime_dir(), "lpard", NULL);

    if (lp_instance_lock(settings->uri, runtime, error) < 0
        || !lp_state_dir_prepare(settings->state_dir, error)
        || !lp_sandbox_enter(settings, lp_sandbox_hides_pages(host->topology.n_nodes), error))
        return false;
    if (lp_sandbox()->on) {
        g_autofree char *kept = g_strjoinv(", ", lp_sandbox()->capabilities);

        g_message("sandbox: on; capabilities: %s", *kept ? kept : "none");
    } else {
        g_message("sandbox: off, since %s", lp_sandbox()->reason);
    }
    return true;
}

/* All connections that `connections =` can allow, and lpard's own. */
#define DESCRIPTORS_ENOUGH 66560

/* Each connection takes one.  The soft limit is low for the sake of select(), which nobody here
 * calls. */
static void
raise_descriptors(void)
{
    struct rlimit limit;
    rlim_t enough;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    enough = MIN(limit.rlim_max, DESCRIPTORS_ENOUGH);
    if (limit.rlim_cur >= enough)
        return;
    limit.rlim_cur = enough;
    /* What is there must do, then. */
    (void) setrlimit(RLIMIT_NOFILE, &limit);
}

static int
serve(LpSettings *settings, const LpHost *host, GError **error)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    LpJournal *journal = lp_journal_open(settings->state_dir, settings->keep_days, error);
    LpEvents *events;
    LpWorkers *workers;
    LpRegistry *registry;
    LpEngine *engine;
    LpPools *pools;
    LpScaler *scaler;
    LpOptimizer *optimizer;
    LpApi *api;

    if (!journal)
        return -1;
    events = lp_events_new();
    workers = lp_workers_new(settings->uri);
    registry = lp_registry_new(workers, journal, events, host, settings->reserve_bytes,
                               settings->reserve_centi, settings->overhead_bytes);
    if (settings->enforce_hard)
        lp_registry_enforce_hard(registry);
    engine = lp_engine_new(registry, workers, journal, events, settings->timeout_sec);
    if (settings->refuse_requests)
        lp_engine_refuse_asks(engine);
    pools = lp_pools_new(settings->state_dir, registry, engine, events);
    scaler = lp_scaler_new(settings, registry, engine, events);
    lp_scaler_know_pools(scaler, pools);
    optimizer = lp_optimizer_new(settings, registry, engine, events);
    api = lp_api_new(settings, registry, engine, journal, events, error);
    if (api)
        lp_api_serve_policy(api, scaler);
    if (api)
        lp_api_serve_pools(api, pools);
    if (api)
        lp_api_serve_optimizer(api, optimizer);
    if (api && lp_registry_start(registry, error)) {
        guint term = g_unix_signal_add(SIGTERM, on_signal, loop);
        guint interrupt = g_unix_signal_add(SIGINT, on_signal, loop);

        g_message("%s on %s, listening on %s", PACKAGE_STRING, settings->uri, settings->socket);
        g_main_loop_run(loop);
        g_source_remove(term);
        g_source_remove(interrupt);
    }
    /* Partitions keep what they have (S5); open operations are in the journal. */
    if (api)
        lp_api_free(api);
    lp_optimizer_free(optimizer);
    lp_scaler_free(scaler);
    lp_pools_free(pools);
    lp_engine_free(engine);
    lp_registry_free(registry);
    lp_workers_free(workers);
    lp_journal_close(journal);
    lp_events_free(events);
    return *error ? -1 : 0;
}

int
main(int argc, char **argv)
{
    g_autoptr(LpSettings) settings = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree LpHost *host = g_new0(LpHost, 1);
    Options options = {0};

    /* Threads that take turns at reading XML need no heap each, which would keep what they freed. */
    mallopt(M_ARENA_MAX, 1);
    setlocale(LC_ALL, "");
    g_log_set_writer_func(write_log, NULL, NULL);
    signal(SIGPIPE, SIG_IGN);
    /* A limit on the size of files is an error of writing, which the journal knows how to bear. */
    signal(SIGXFSZ, SIG_IGN);
    raise_descriptors();
    if (!parse_options(&argc, &argv, &options, &error)) {
        fprintf(stderr, "lpard: %s\n", error->message);
        return 2;
    }
    if (options.version) {
        puts(PACKAGE_STRING);
        return EXIT_SUCCESS;
    }
    settings = load_settings(&options, &error);
    g_free(options.config);
    if (!settings || !read_host(settings, host, &error) || !secure(settings, host, &error))
        return fail(error);
    return serve(settings, host, &error) < 0 ? fail(error) : EXIT_SUCCESS;
}
