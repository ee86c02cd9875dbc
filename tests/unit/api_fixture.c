/* The whole daemon in a test's process. */
#include "tests/unit/api_fixture.h"

#include <gio/gunixsocketaddress.h>

#include "lpard/api/openapi.h"

World world;
void (*prepare_world)(LpSettings *settings);

/* Far more than any answer takes here; only a hang ends it. */
#define PATIENCE_SEC 60

static gboolean
out_of_patience(void *data)
{
    (void)data;
    fprintf(stderr, "no answer in %d seconds\n", PATIENCE_SEC);
    abort();
}

void
until(bool (*done)(void *), void *data)
{
    guint timeout = g_timeout_add_seconds(PATIENCE_SEC, out_of_patience, NULL);

    while (!done(data))
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(timeout);
}

static bool
all_read(void *data)
{
    (void)data;
    return lp_registry_synced(world.registry);
}

/* Nothing is on its way any more: every call has let go of the API. */
bool
quiet(void *data)
{
    (void)data;
    return world.api->refs == 1;
}

/* The same, but for the streams that are open. */
bool
quiet_but_streams(void *data)
{
    (void)data;
    return world.api->refs == 1 + world.api->streams->len;
}

/* Nodes of 64 GiB with 16 processors each, one package each. */
static LpHost *
make_host(unsigned n_nodes)
{
    LpHost *host = g_new0(LpHost, 1);
    LpTopology *topology = &host->topology;

    topology->n_nodes = topology->n_packages = n_nodes;
    topology->distances_known = true;
    topology->n_cpus = topology->n_cores = 16 * n_nodes;
    for (unsigned i = 0; i < n_nodes; i++) {
        LpNode *node = &topology->nodes[i];

        *node = (LpNode){.id = i, .memory_bytes = 64ULL << 30, .tier = LP_TIER_NORMAL,
                         .package = i};
        for (unsigned cpu = 0; cpu < 16; cpu++) {
            lp_cpumask_add(&node->cpus, i * 16 + cpu);
            topology->core_of[i * 16 + cpu] = (uint16_t)(i * 16 + cpu);
            topology->cache_of[i * 16 + cpu] = (uint16_t)i;
        }
        for (unsigned k = 0; k < n_nodes; k++)
            topology->distance[i][k] = i == k ? 10 : 21;
    }
    return host;
}

void
begin_world(const char *sim_host, unsigned n_nodes)
{
    g_autofree char *path = NULL;
    GSocketAddress *address;

    world.dir = g_dir_make_tmp("lpard-api-XXXXXX", NULL);
    path = g_build_filename(world.dir, "host.json", NULL);
    assert_true(g_file_set_contents(path, sim_host, -1, NULL));
    world.settings = (LpSettings){
        .uri = g_strdup_printf("sim:%s", path), .state_dir = g_strdup(world.dir),
        .socket = g_build_filename(world.dir, "run", "lpard.sock", NULL),
        .overhead_bytes = 64ULL << 20, .timeout_sec = 30, .keep_days = 30,
        /* Nothing is waited for. */
        .move_rate_bytes = 1ULL << 40, .move_pressure_centi = 10000,
    };
    if (prepare_world)
        prepare_world(&world.settings);
    world.host = make_host(n_nodes);
    world.journal = lp_journal_open(world.settings.state_dir, 30, NULL);
    world.events = lp_events_new();
    world.workers = lp_workers_new(world.settings.uri);
    world.registry = lp_registry_new(world.workers, world.journal, world.events, world.host, 0,
                                     10, world.settings.overhead_bytes);
    world.engine = lp_engine_new(world.registry, world.workers, world.journal, world.events, 30);
    world.api = lp_api_new(&world.settings, world.registry, world.engine, world.journal,
                           world.events, NULL);
    assert_non_null(world.api);
    world.pools = lp_pools_new(world.settings.state_dir, world.registry, world.engine,
                               world.events);
    lp_api_serve_pools(world.api, world.pools);
    if (n_nodes > 1) {
        world.optimizer = lp_optimizer_new(&world.settings, world.registry, world.engine,
                                           world.events);
        lp_api_serve_optimizer(world.api, world.optimizer);
    }
    assert_true(lp_registry_start(world.registry, NULL));
    address = g_unix_socket_address_new(world.settings.socket);
    world.session = soup_session_new_with_options("remote-connectable", address, NULL);
    g_object_unref(address);
    world.document = json_loadb(lp_openapi_text, lp_openapi_length, 0, NULL);
    until(all_read, NULL);
}

static void
remove_dir(const char *dir)
{
    g_autofree char *command = g_strdup_printf("rm -r %s", dir);

    g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL);
}

void
end_world(void)
{
    until(quiet, NULL);
    soup_session_abort(world.session);
    g_object_unref(world.session);
    lp_api_free(world.api);
    if (world.optimizer)
        lp_optimizer_free(world.optimizer);
    if (world.scaler)
        lp_scaler_free(world.scaler);
    lp_pools_free(world.pools);
    assert_false(g_file_test(world.settings.socket, G_FILE_TEST_EXISTS));
    lp_engine_free(world.engine);
    lp_registry_free(world.registry);
    lp_workers_free(world.workers);
    lp_journal_close(world.journal);
    lp_events_free(world.events);
    json_decref(world.document);
    g_free(world.host);
    g_free(world.settings.uri);
    g_free(world.settings.state_dir);
    g_free(world.settings.socket);
    remove_dir(world.dir);
    g_free(world.dir);
    world = (World){0};
}

typedef struct {
    bool done;
    GBytes *bytes;
} Answer;

static void
on_answer(GObject *session, GAsyncResult *result, void *data)
{
    Answer *answer = data;
    g_autoptr(GError) error = NULL;

    answer->bytes = soup_session_send_and_read_finish(SOUP_SESSION(session), result, &error);
    answer->done = true;
    if (!answer->bytes)
        fprintf(stderr, "%s\n", error->message);
}

static bool
answered(void *data)
{
    return ((Answer *)data)->done;
}

static char *
ask_with(const char *method, const char *path, const char *body, const char *key, unsigned want)
{
    g_autofree char *url = g_strconcat("http://localhost", path, NULL);
    g_autoptr(SoupMessage) message = soup_message_new(method, url);
    Answer answer = {0};
    char *text;

    if (body) {
        g_autoptr(GBytes) bytes = g_bytes_new(body, strlen(body));

        soup_message_set_request_body_from_bytes(message, "application/json", bytes);
    }
    if (key)
        soup_message_headers_append(soup_message_get_request_headers(message),
                                    "Idempotency-Key", key);
    soup_session_send_and_read_async(world.session, message, 0, NULL, on_answer, &answer);
    until(answered, &answer);
    assert_non_null(answer.bytes);
    text = g_strndup(g_bytes_get_data(answer.bytes, NULL), g_bytes_get_size(answer.bytes));
    g_bytes_unref(answer.bytes);
    if (soup_message_get_status(message) != want)
        fail_msg("%s %s: %u\n%s", method, path, (unsigned)soup_message_get_status(message), text);
    return text;
}

char *
ask_text(const char *method, const char *path, const char *body, unsigned want)
{
    return ask_with(method, path, body, NULL, want);
}

json_t *
ask_keyed(const char *path, const char *body, const char *key, unsigned want)
{
    g_autofree char *text = ask_with("POST", path, body, key, want);

    return json_loads(text, 0, NULL);
}

json_t *
ask(const char *method, const char *path, const char *body, unsigned want)
{
    g_autofree char *text = ask_text(method, path, body, want);

    return json_loads(text, 0, NULL);
}

json_t *
ask_for(const char *schema, const char *method, const char *path, const char *body,
        unsigned want)
{
    json_t *json = ask(method, path, body, want);

    assert_non_null(json);
    if (!schema_holds(world.document, schema, json))
        fail_msg("%s %s does not answer with a %s", method, path, schema);
    return json;
}

void
refused(const char *method, const char *path, const char *body, unsigned status,
        const char *code, const char *word)
{
    json_t *json = ask_for("Problem", method, path, body, status);
    const char *detail = json_string_value(json_object_get(json, "detail"));

    assert_string_equal(json_string_value(json_object_get(json, "code")), code);
    if (!strstr(detail, word))
        fail_msg("%s %s: \"%s\" does not say \"%s\"", method, path, detail, word);
    json_decref(json);
}
