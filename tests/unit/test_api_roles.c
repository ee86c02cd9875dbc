/* Every route of the API, for every role, by the socket and by a certificate: what is answered.
 * A route without a row fails. */
#include <glib/gstdio.h>

#include "lpard/api/door-priv.h"
#include "tests/unit/api_fixture.h"
#include "tests/unit/pki.h"

static const char sim_host[] =
    "{\"seed\": 7, \"cgroup\": \"v2\", \"domains\": [{\"name\": \"web1\", \"run\": \"off\"}, "
    "{\"name\": \"web2\", \"run\": \"off\"}, {\"name\": \"other1\", \"run\": \"off\"}]}";
static const char profile[] =
    "{\"cpu\":{\"min\":1,\"desired\":2,\"max\":4},\"mem\":{\"min_bytes\":1073741824,"
    "\"desired_bytes\":1073741824,\"max_bytes\":2147483648}}";

/* `operator` of web*, and of other*. */
enum { NOBODY, VIEWER, OTHER, OWNER, OPERATOR, ADMIN, ROLES };
static const struct {
    const char *name;             /* its certificate's */
    gid_t gid;
} roles[ROLES] = {
    [NOBODY] = {"nobody", 60000},   [VIEWER] = {"viewer", 60001},
    [OTHER] = {"other", 60002},     [OWNER] = {"owner", 60003},
    [OPERATOR] = {"operator", 60004}, [ADMIN] = {"admin", 60005},
};

typedef struct {
    const char *method, *path;    /* as in the routes */
    const char *asked, *body;     /* what is asked; NULL: the path itself; no body */
    unsigned want[ROLES];
} Row;

#define ALL_LOOK {403, 200, 200, 200, 200, 200}
#define ALL_GET(status) {403, status, status, status, status, status}
#define OPERATE(status) {403, 403, 403, status, status, status}
#define OPERATE_HOST(status) {403, 403, 403, 403, status, status}
#define ADMINISTER(status) {403, 403, 403, 403, 403, status}

#define WEB1 "/v1/partitions/web1"
#define NAMED "/v1/partitions/{name}"
/* What it has already: an operation that does nothing. */
#define SAME "\"cpu\":{\"mode\":\"set\",\"count\":2}"

static const Row rows[] = {
    {"GET", "/v1/", NULL, NULL, ALL_LOOK},
    {"GET", "/v1/host", NULL, NULL, ALL_LOOK},
    {"GET", "/v1/domains", NULL, NULL, ALL_LOOK},
    {"GET", "/v1/partitions", NULL, NULL, ALL_LOOK},
    {"POST", "/v1/partitions", NULL, "{\"name\":\"web1\"}", ADMINISTER(409)},
    {"GET", NAMED, WEB1, NULL, ALL_LOOK},
    {"GET", NAMED "/profile", WEB1 "/profile", NULL, ALL_LOOK},
    {"PUT", NAMED "/profile", WEB1 "/profile", "{\"weight\":7,\"dry_run\":true}", ADMINISTER(200)},
    {"DELETE", NAMED "/profile", WEB1 "/profile?dry_run=1", NULL, ADMINISTER(200)},
    {"POST", NAMED "/profile/restore", WEB1 "/profile/restore", "{\"dry_run\":true}",
     ADMINISTER(409)},
    {"POST", NAMED "/resize", WEB1 "/resize", "{" SAME "}", OPERATE(202)},
    {"POST", NAMED "/capacity", WEB1 "/capacity", "{\"weight\":100}", OPERATE(202)},
    {"POST", NAMED "/reconcile", WEB1 "/reconcile", NULL, OPERATE(202)},
    {"PUT", NAMED "/hold", WEB1 "/hold", NULL, OPERATE(200)},
    {"DELETE", NAMED "/hold", WEB1 "/hold", NULL, OPERATE(200)},
    {"GET", NAMED "/check", WEB1 "/check", NULL, ALL_LOOK},
    {"GET", NAMED "/guest", WEB1 "/guest", NULL, ALL_LOOK},
    {"POST", NAMED "/start", WEB1 "/start", NULL, OPERATE(409)},
    {"POST", "/v1/move", NULL, "{\"partition\":\"web1\",\"to\":\"web2\",\"cpu\":"
     "{\"mode\":\"set\",\"count\":9}}", OPERATE(202)},
    {"POST", "/v1/plan", NULL, "{\"kind\":\"resize\",\"partition\":\"web1\"," SAME "}",
     OPERATE(200)},
    {"GET", "/v1/operations", NULL, NULL, ALL_LOOK},
    {"GET", "/v1/operations/{id}", "/v1/operations/1", NULL, ALL_LOOK},
    /* It is web1's, and over. */
    {"DELETE", "/v1/operations/{id}", "/v1/operations/1", NULL, OPERATE(409)},
    {"GET", NAMED "/policy", WEB1 "/policy", NULL, ALL_LOOK},
    {"GET", "/v1/policy", NULL, NULL, ALL_LOOK},
    {"PUT", "/v1/policy", NULL, "{\"mode\":\"auto\"}", ADMINISTER(200)},
    {"GET", "/v1/policy/plan", NULL, NULL, ALL_LOOK},
    {"GET", "/v1/policy/log", NULL, NULL, ALL_LOOK},
    {"GET", "/v1/score", NULL, NULL, ALL_LOOK},
    {"POST", "/v1/optimize", NULL, "{\"dry_run\":true}", OPERATE_HOST(200)},
    {"GET", "/v1/pools", NULL, NULL, ALL_LOOK},
    {"GET", "/v1/pools/{name}", "/v1/pools/none", NULL, ALL_GET(404)},
    {"PUT", "/v1/pools/{name}", "/v1/pools/p", "{\"min\":1}", ADMINISTER(400)},
    {"DELETE", "/v1/pools/{name}", "/v1/pools/none", NULL, ADMINISTER(404)},
    {"PUT", NAMED "/pool", WEB1 "/pool", "{\"pool\":\"none\"}", ADMINISTER(404)},
    {"DELETE", NAMED "/pool", WEB1 "/pool", NULL, ADMINISTER(200)},
    {"GET", "/v1/audit", NULL, NULL, OPERATE_HOST(200)},
    {"GET", "/v1/audit", "/v1/audit?partition=web1", NULL, OPERATE(200)},
    {"GET", "/v1/events", NULL, NULL, ALL_LOOK},
    {"GET", "/v1/metrics", NULL, NULL, ALL_LOOK},
    {"GET", "/v1/openapi.json", NULL, NULL, ALL_LOOK},
};

/* Rows beyond the table: who is what of two partitions. */
static const Row ends[] = {
    /* A move needs both ends, whichever is named first. */
    {"POST", "/v1/move", NULL, "{\"partition\":\"web1\",\"to\":\"other1\",\"cpu\":"
     "{\"mode\":\"set\",\"count\":9}}", OPERATE_HOST(202)},
    {"POST", "/v1/move", NULL, "{\"partition\":\"other1\",\"to\":\"web1\",\"cpu\":"
     "{\"mode\":\"set\",\"count\":9}}", OPERATE_HOST(202)},
    {"POST", "/v1/plan", NULL, "{\"kind\":\"move\",\"partition\":\"web1\",\"to\":\"other1\","
     "\"cpu\":{\"mode\":\"set\",\"count\":1}}", OPERATE_HOST(200)},
    /* Nothing named is the host's. */
    {"POST", "/v1/plan", NULL, "{\"kind\":\"resize\"}", OPERATE_HOST(400)},
    {"POST", "/v1/move", NULL, "{\"partition\":[\"web1\"]}", OPERATE_HOST(400)},
    {"POST", "/v1/move", NULL, "{\"to\":\"web1\"}", OPERATE_HOST(400)},
    /* What does not exist is told to whom it would belong. */
    {"POST", NAMED "/resize", "/v1/partitions/web9/resize", "{" SAME "}", OPERATE(404)},
    {"POST", NAMED "/resize", "/v1/partitions/nine/resize", "{" SAME "}", OPERATE_HOST(404)},
    /* A name is taken as it is. */
    {"POST", NAMED "/resize", "/v1/partitions/web%2A/resize", "{" SAME "}", OPERATE(404)},
    {"POST", NAMED "/resize", "/v1/partitions/WEB1/resize", "{" SAME "}", OPERATE_HOST(404)},
    {"GET", "/v1/audit", "/v1/audit?partition=other1", NULL, {403, 403, 200, 403, 200, 200}},
    {"DELETE", "/v1/operations/{id}", "/v1/operations/999", NULL, OPERATE_HOST(404)},
    {"DELETE", "/v1/operations/{id}", "/v1/operations/x", NULL, OPERATE_HOST(400)},
    /* Bad bodies of who may not at all are not even read. */
    {"PUT", NAMED "/profile", WEB1 "/profile", "{", ADMINISTER(400)},
};

static LpPeer now;                /* who connects to the socket */
static char *pki_dir;
static char port_text[64];

bool __wrap_lp_access_peer(int fd, LpPeer *ret_peer, GError **error);
bool
__wrap_lp_access_peer(int fd, LpPeer *ret_peer, GError **error)
{
    (void)fd, (void)error;
    *ret_peer = now;
    ret_peer->gids = g_memdup2(now.gids, now.n_gids * sizeof *now.gids);
    return true;
}

static gid_t now_gids[1];

static void
become(unsigned role)
{
    now_gids[0] = roles[role].gid;
    now = (LpPeer){.uid = 5000 + role, .n_gids = 1, .gids = now_gids};
}

static LpOwner *
owner(const char *name, const char *members, const char *partitions)
{
    LpOwner *owner = g_new0(LpOwner, 1);

    owner->name = g_strdup(name);
    owner->members = lp_settings_words(members);
    owner->partitions = lp_settings_words(partitions);
    return owner;
}

static void
prepare(LpSettings *settings)
{
    settings->viewers = lp_settings_words("60001 cert:viewer");
    settings->operators = lp_settings_words("60004 cert:operator");
    settings->admins = lp_settings_words("60005 cert:admin");
    settings->owners = g_ptr_array_new_with_free_func((GDestroyNotify)lp_owner_free);
    g_ptr_array_add(settings->owners, owner("other", "60002 cert:other", "other*"));
    g_ptr_array_add(settings->owners, owner("web", "60003 cert:owner", "web*"));
    settings->tls_listen = g_strdup("127.0.0.1:0");
    settings->tls_certificate = g_strconcat(pki_dir, "/server.pem", NULL);
    settings->tls_key = g_strconcat(pki_dir, "/server.key", NULL);
    settings->tls_ca = g_strconcat(pki_dir, "/ca.pem", NULL);
}

static bool
settled(void *data)
{
    g_autoptr(GPtrArray) list = lp_engine_list(world.engine);

    (void)data;
    for (guint i = 0; i < list->len; i++) {
        const LpOperation *operation = g_ptr_array_index(list, i);

        if (!LP_OP_IS_FINAL(operation->state))
            return false;
    }
    return true;
}

static void
make_partition(const char *name)
{
    g_autofree char *path = g_strdup_printf("/v1/partitions/%s/profile", name);
    g_autofree char *start = g_strdup_printf("/v1/partitions/%s/start", name);

    json_decref(ask("PUT", path, profile, 200));
    json_decref(ask("POST", start, NULL, 200));
}

static int
begin(void **state)
{
    (void)state;
    pki_dir = g_dir_make_tmp("lpard-pki-XXXXXX", NULL);
    pki_authority(pki_dir, "ca");
    pki_issue(pki_dir, "server", "ca", "/CN=lpard", "serverAuth", 5);
    for (unsigned i = 0; i < ROLES; i++) {
        g_autofree char *subject = g_strconcat("/CN=", roles[i].name, NULL);

        pki_issue(pki_dir, roles[i].name, "ca", subject, "clientAuth", 5);
    }
    now = (LpPeer){.uid = getuid()};
    prepare_world = prepare;
    begin_world(sim_host, 2);
    world.scaler = lp_scaler_new(&world.settings, world.registry, world.engine, world.events);
    lp_api_serve_policy(world.api, world.scaler);
    g_snprintf(port_text, sizeof port_text, "https://127.0.0.1:%u",
               lp_door_tls_port(world.api->door));
    make_partition("web1");
    make_partition("web2");
    make_partition("other1");
    json_decref(ask("POST", WEB1 "/resize", "{" SAME "}", 202));
    until(settled, NULL);
    return 0;
}

static int
end(void **state)
{
    LpSettings settings = world.settings;
    g_autofree char *command = g_strdup_printf("rm -r %s", pki_dir);

    (void)state;
    until(settled, NULL);
    end_world();
    g_strfreev(settings.viewers);
    g_strfreev(settings.operators);
    g_strfreev(settings.admins);
    g_ptr_array_unref(settings.owners);
    g_free(settings.tls_listen);
    g_free(settings.tls_certificate);
    g_free(settings.tls_key);
    g_free(settings.tls_ca);
    g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL);
    g_free(pki_dir);
    return 0;
}

/* --- one request ---------------------------------------------------------------------------- */

typedef struct {
    bool endless, done;
} Reply;

static void
on_reply(GObject *session, GAsyncResult *result, void *data)
{
    g_autoptr(GError) error = NULL;
    Reply *reply = data;

    if (reply->endless) {
        g_autoptr(GInputStream) stream = soup_session_send_finish(SOUP_SESSION(session), result,
                                                                  &error);
        (void)stream;
    } else {
        g_autoptr(GBytes) bytes = soup_session_send_and_read_finish(SOUP_SESSION(session), result,
                                                                    &error);
        (void)bytes;
    }
    if (error)
        fprintf(stderr, "%s\n", error->message);
    reply->done = true;
}

static bool
replied(void *data)
{
    return ((Reply *)data)->done;
}

static unsigned
status_of(SoupSession *session, const char *base, GTlsCertificate *certificate, const Row *row)
{
    g_autofree char *url = g_strconcat(base, row->asked ? row->asked : row->path, NULL);
    g_autoptr(SoupMessage) message = soup_message_new(row->method, url);
    Reply reply = {.endless = strcmp(row->path, "/v1/events") == 0};

    if (row->body) {
        g_autoptr(GBytes) bytes = g_bytes_new(row->body, strlen(row->body));

        soup_message_set_request_body_from_bytes(message, "application/json", bytes);
    }
    if (certificate)
        soup_message_set_tls_client_certificate(message, certificate);
    if (reply.endless)
        soup_session_send_async(session, message, 0, NULL, on_reply, &reply);
    else
        soup_session_send_and_read_async(session, message, 0, NULL, on_reply, &reply);
    until(replied, &reply);
    return soup_message_get_status(message);
}

static SoupSession *
session_of(bool tls)
{
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(world.settings.socket);
    g_autofree char *path = g_strconcat(pki_dir, "/ca.pem", NULL);
    g_autoptr(GTlsDatabase) authority = tls ? g_tls_file_database_new(path, NULL) : NULL;

    if (tls)
        return soup_session_new_with_options("tls-database", authority, "proxy-resolver", NULL,
                                             NULL);
    return soup_session_new_with_options("remote-connectable", address, NULL);
}

/* Each role its own connections, since a connection has one. */
static void
ask_all(const Row *list, size_t n_rows, bool tls)
{
    unsigned wrong = 0;

    for (unsigned role = 0; role < ROLES; role++) {
        g_autoptr(SoupSession) session = session_of(tls);
        g_autoptr(GTlsCertificate) certificate = tls ? pki_load(pki_dir, roles[role].name) : NULL;

        become(role);
        for (size_t i = 0; i < n_rows; i++) {
            const Row *row = &list[i];
            unsigned status = status_of(session, tls ? port_text : "http://localhost",
                                        certificate, row);

            until(settled, NULL);
            if (status == row->want[role])
                continue;
            fprintf(stderr, "%s %s %s by %s%s: %u, not %u\n", row->method,
                    row->asked ? row->asked : row->path, row->body ? row->body : "",
                    roles[role].name, tls ? " (TLS)" : "", status, row->want[role]);
            wrong++;
        }
        soup_session_abort(session);
    }
    now = (LpPeer){.uid = getuid()};
    assert_int_equal(wrong, 0);
}

static void
test_every_route_has_a_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < lp_api_n_routes; i++) {
        const LpRoute *route = &lp_api_routes[i];
        bool found = false;

        for (size_t k = 0; k < G_N_ELEMENTS(rows); k++)
            found = found || (strcmp(rows[k].method, route->method) == 0 &&
                              strcmp(rows[k].path, route->path) == 0);
        if (!found)
            fail_msg("%s %s has no row: say what each role is answered", route->method,
                     route->path);
    }
}

static void
test_table_by_socket(void **state)
{
    (void)state;
    ask_all(rows, G_N_ELEMENTS(rows), false);
}

static void
test_table_by_certificate(void **state)
{
    (void)state;
    ask_all(rows, G_N_ELEMENTS(rows), true);
}

static void
test_both_ends(void **state)
{
    (void)state;
    ask_all(ends, G_N_ELEMENTS(ends), false);
}

/* --- names ----------------------------------------------------------------------------------- */

/* Whether the owner of web* may do that, at this moment. */
static bool
owner_may(const char *method, const char *path)
{
    LpCaller caller = {.who = (char[]){"uid 1"}, .grant = {LP_ROLE_VIEWER, 2}};
    LpCall call = {.api = world.api, .caller = &caller};
    g_autoptr(GError) error = NULL;
    g_autofree char *allowed = NULL;
    bool may;

    call.route = lp_api_route(method, path, &call.argument, &allowed);
    may = lp_call_permit(&call, &error);
    g_free(call.argument);
    for (size_t i = 0; i < LP_SUBJECTS_MAX; i++) {
        g_free(call.subjects[i].uuid);
        g_free(call.subjects[i].name);
    }
    return may;
}

/* Behind lpard's back, by somebody who may do that in libvirt: from then on it is whose the new
 * name is, also its operations, and by whatever it is called in the request. */
static void
test_a_rename_moves_the_right(void **state)
{
    static const struct {
        const char *domain, *name;
        bool before, after;
    } renames[] = {{"web1", "vip1", true, false}, {"other1", "web3", false, true}};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(renames); i++) {
        LpPartition *partition = lp_registry_find(world.registry, renames[i].domain, NULL);
        g_autofree char *by_uuid = g_strdup_printf("/v1/partitions/%s/resize", partition->uuid);
        g_autofree char *resize_it = g_strdup_printf("/v1/partitions/%s/resize", renames[i].domain);
        json_t *json = ask("POST", resize_it, "{" SAME "}", 202);
        g_autofree char *operation = g_strdup_printf(
            "/v1/operations/%" JSON_INTEGER_FORMAT,
            json_integer_value(json_object_get(json, "id")));
        char *name;

        json_decref(json);
        until(settled, NULL);
        assert_true(owner_may("POST", by_uuid) == renames[i].before);
        assert_true(owner_may("DELETE", operation) == renames[i].before);
        name = partition->view->name;
        partition->view->name = g_strdup(renames[i].name);
        assert_true(owner_may("POST", by_uuid) == renames[i].after);
        assert_true(owner_may("DELETE", operation) == renames[i].after);
        g_free(partition->view->name);
        partition->view->name = name;
    }
}

/* --- the audit trail ------------------------------------------------------------------------- */

static void
on_durable(const GError *error, void *data)
{
    assert_null(error);
    *(bool *)data = true;
}

static bool
is_true(void *data)
{
    return *(bool *)data;
}

/* What was put before is on disk when a later record is. */
static json_t *
trail(const char *query)
{
    bool durable = false;
    g_autofree char *path = g_strconcat("/v1/audit", query, NULL);
    json_t *json, *entries;

    lp_journal_put_profile(world.journal, "none", 1, "<x/>", on_durable, &durable);
    until(is_true, &durable);
    json = ask_for("Audit", "GET", path, NULL, 200);
    entries = json_incref(json_object_get(json, "entries"));
    json_decref(json);
    return entries;
}

static const char *
text_at(const json_t *entries, size_t i, const char *name)
{
    return json_string_value(json_object_get(json_array_get(entries, i), name));
}

static json_int_t
number_at(const json_t *entries, size_t i, const char *name)
{
    return json_integer_value(json_object_get(json_array_get(entries, i), name));
}

static const Row resize = {"POST", NAMED "/resize", WEB1 "/resize", "{" SAME "}", {0}};
static const Row move = {"POST", "/v1/move", NULL, "{\"partition\":\"web1\",\"to\":\"web2\","
                         "\"cpu\":{\"mode\":\"set\",\"count\":9}}", {0}};

static unsigned
once(unsigned role, bool tls, const Row *row)
{
    g_autoptr(SoupSession) session = session_of(tls);
    g_autoptr(GTlsCertificate) certificate = tls ? pki_load(pki_dir, roles[role].name) : NULL;
    unsigned status;

    become(role);
    status = status_of(session, tls ? port_text : "http://localhost", certificate, row);
    until(settled, NULL);
    soup_session_abort(session);
    now = (LpPeer){.uid = getuid()};
    return status;
}

static void
test_trail(void **state)
{
    json_t *all, *web1, *web2;
    json_int_t operation;

    (void)state;
    assert_int_equal(once(OWNER, false, &resize), 202);
    assert_int_equal(once(VIEWER, true, &resize), 403);
    assert_int_equal(once(OPERATOR, true, &move), 202);
    assert_int_equal(once(NOBODY, true, &move), 403);
    all = trail("");
    /* Somebody whom nobody listed got no request through. */
    assert_string_equal(text_at(all, 0, "method"), "CONNECT");
    assert_string_equal(text_at(all, 0, "peer"), "certificate nobody");
    assert_int_equal(number_at(all, 0, "status"), 403);
    /* The move, in the trail of both. */
    assert_string_equal(text_at(all, 1, "name"), "web2");
    assert_string_equal(text_at(all, 1, "detail"), "from web1");
    assert_string_equal(text_at(all, 2, "name"), "web1");
    assert_string_equal(text_at(all, 2, "detail"), "to web2");
    assert_string_equal(text_at(all, 2, "peer"), "certificate operator");
    assert_string_equal(text_at(all, 2, "role"), "operator");
    assert_string_equal(text_at(all, 2, "route"), "/v1/move");
    assert_true(number_at(all, 2, "operation") > 0);
    assert_int_equal(number_at(all, 1, "operation"), number_at(all, 2, "operation"));
    /* What was refused. */
    assert_string_equal(text_at(all, 3, "peer"), "certificate viewer");
    assert_int_equal(number_at(all, 3, "status"), 403);
    assert_string_equal(text_at(all, 3, "problem"), "forbidden");
    assert_null(json_object_get(json_array_get(all, 3), "operation"));
    /* What was done, by whom, and the operation that it became. */
    assert_string_equal(text_at(all, 4, "peer"), "uid 5003");
    assert_string_equal(text_at(all, 4, "role"), "owner web");
    assert_int_equal(number_at(all, 4, "status"), 202);
    assert_non_null(strstr(text_at(all, 4, "detail"), "\"count\":2"));
    operation = number_at(all, 4, "operation");
    assert_string_equal(lp_engine_find(world.engine, operation)->request->requester,
                        "uid 5003 (owner web)");
    web1 = trail("?partition=web1&limit=1");
    web2 = trail("?partition=web2&limit=1");
    assert_int_equal(json_array_size(web1), 1);
    assert_string_equal(text_at(web1, 0, "detail"), "to web2");
    assert_string_equal(text_at(web2, 0, "detail"), "from web1");
    json_decref(web1);
    web1 = trail("?partition=web1&before=1");
    assert_int_equal(json_array_size(web1), 0);
    json_decref(all);
    json_decref(web1);
    json_decref(web2);
}

/* Who is refused all the time does not fill the trail; how often is told by the next line. */
static void
test_trail_is_not_flooded(void **state)
{
    g_autoptr(SoupSession) session = session_of(false);
    json_t *before = trail("?limit=1000"), *after;
    LpPeerUse *use = g_hash_table_lookup(world.api->door->uses, "uid 5001");
    json_int_t counted = 0;
    size_t n;

    (void)state;
    /* What was refused before is another test's. */
    if (use) {
        use->unrecorded = 0;
        use->refusals.micro = use->refusals.burst * G_GUINT64_CONSTANT(1000000);
    }
    become(VIEWER);
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(status_of(session, "http://localhost", NULL, &resize), 403);
    /* As if a second had passed. */
    for (guint i = 0; i < world.api->door->callers->len; i++) {
        LpCaller *caller = g_ptr_array_index(world.api->door->callers, i);

        if (caller->use && caller->use->unrecorded)
            caller->use->refusals.micro = 1000000;
    }
    assert_int_equal(status_of(session, "http://localhost", NULL, &resize), 403);
    now = (LpPeer){.uid = getuid()};
    after = trail("?limit=1000");
    n = json_array_size(after) - json_array_size(before);
    assert_true(n >= 21 && n < 60);
    for (size_t i = 0; i < n; i++) {
        const char *detail = text_at(after, i, "detail");
        const char *many = detail && strstr(detail, "refused before") ? strchr(detail, '(') : NULL;

        counted += many ? g_ascii_strtoll(many + 1, NULL, 10) : 0;
    }
    assert_int_equal(n + (size_t)counted, 501);
    json_decref(before);
    json_decref(after);
    soup_session_abort(session);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_has_a_row),
        cmocka_unit_test(test_table_by_socket),
        cmocka_unit_test(test_table_by_certificate),
        cmocka_unit_test(test_both_ends),
        cmocka_unit_test(test_a_rename_moves_the_right),
        cmocka_unit_test(test_trail),
        cmocka_unit_test(test_trail_is_not_flooded),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
