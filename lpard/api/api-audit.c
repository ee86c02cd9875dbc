/* The audit trail: who asked for what, and what came of it. */
#include <string.h>

#include "lpard/api/api-private.h"

#define LIST_DEFAULT 50
#define LIST_MAX 1000

bool
lp_call_changes(const LpCall *call)
{
    const char *method = soup_server_message_get_method(call->message);

    /* A plan is drawn up and forgotten. */
    return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 && call->route &&
           call->route->handle != lp_api_post_plan;
}

/* Somebody who is refused again and again would fill the trail with that, and push out what was
 * done: then they are counted, and the next line tells how many. */
static bool
is_one_of_many(LpCaller *caller, unsigned status)
{
    LpPeerUse *use = lp_caller_use(caller);

    if (!use || status < 400 || lp_bucket_take(&use->refusals, g_get_monotonic_time()))
        return false;
    use->unrecorded++;
    return true;
}

static void
put(LpApi *api, LpCaller *caller, LpJournalAudit *entry, const char *what)
{
    g_autofree char *role = lp_access_role_text(api->access, caller->grant);
    g_autofree char *detail = NULL;
    LpPeerUse *use = lp_caller_use(caller);

    if (use && use->unrecorded) {
        detail = g_strdup_printf("%s%s(%" G_GUINT64_FORMAT " refused before this are not listed)",
                                 what ? what : "", what ? " " : "", use->unrecorded);
        use->unrecorded = 0;
    }
    entry->peer = caller->who;
    entry->role = role;
    entry->detail = detail ? detail : what;
    lp_journal_put_audit(api->journal, entry);
}

/* What was asked, in one line; a definition is long and in the partition's profile. */
static char *
asked(const LpCall *call, const char *other, bool gave)
{
    const char *dry = json_is_true(json_object_get(call->body, "dry_run")) ||
                              lp_call_query(call, "dry_run") ? "dry run" : NULL;
    char *text;
    char *line;

    if (other)
        return g_strdup_printf("%s %s", gave ? "to" : "from", other);
    if (call->route->role == LP_ROLE_ADMIN || json_object_size(call->body) == 0)
        return g_strdup(dry);
    text = json_dumps(call->body, JSON_COMPACT | JSON_PRESERVE_ORDER);
    line = g_strdup(text);
    free(text);
    return line;
}

/* A move is in the trail of both. */
static void
record(LpCall *call, unsigned status, const char *code)
{
    const LpSubject *subjects = call->subjects;
    const char *named = json_string_value(json_object_get(call->body, "name"));
    bool two = subjects[1].name != NULL;

    for (size_t i = 0; i == 0 || (i < LP_SUBJECTS_MAX && subjects[i].name); i++) {
        g_autofree char *what = asked(call, two ? subjects[1 - i].name : NULL, i == 0);
        LpJournalAudit entry = {
            .method = call->route->method, .route = call->route->path,
            .uuid = subjects[i].uuid, .name = subjects[i].name ? subjects[i].name
                                              : call->argument ? call->argument : named,
            .status = (int)status, .problem = code, .operation = call->operation,
        };

        put(call->api, call->caller, &entry, what);
    }
}

void
lp_call_record(LpCall *call, unsigned status, const char *code)
{
    if (call->recorded || call->api->closed || !lp_call_changes(call))
        return;
    call->recorded = true;
    if (!is_one_of_many(call->caller, status))
        record(call, status, code);
}

void
lp_api_record_refused(LpCaller *caller, unsigned status, const char *code, const char *detail,
                      void *data)
{
    LpJournalAudit entry = {.method = "CONNECT", .status = (int)status, .problem = code};

    if (!is_one_of_many(caller, status))
        put(data, caller, &entry, detail);
}

void
lp_api_get_audit(LpCall *call)
{
    g_autoptr(GError) error = NULL;
    const char *name = lp_call_query(call, "partition");
    const LpPartition *partition = NULL;
    uint64_t limit = LIST_DEFAULT, before = 0;
    json_t *rows;

    if ((name && !(partition = lp_registry_find(call->api->registry, name, &error))) ||
        !lp_call_query_number(call, "limit", LIST_MAX, &limit, &error) ||
        !lp_call_query_number(call, "before", G_MAXINT64, &before, &error)) {
        lp_call_fail(call, error);
        return;
    }
    rows = lp_journal_audit(call->api->journal, partition ? partition->uuid : NULL,
                            (int64_t)before, (unsigned)limit, &error);
    if (rows)
        lp_call_answer(call, SOUP_STATUS_OK, json_pack("{s:o}", "entries", rows));
    else
        lp_call_fail(call, error);
}
