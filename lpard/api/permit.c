/* Whether a caller may do what it asks for: the role that the route needs, of what it is about.
 *
 * A partition is the domain that the request names at this moment, and its name is libvirt's
 * now.  Whoever may rename domains decides with it whose they are: that takes libvirt's own
 * write access, which is worth more than any role here; lpard itself renames nothing.  The
 * decision and the beginning of the operation are one step of the main loop, and from then on a
 * domain is held by its UUID, so that no later name moves an operation to another one. */
#include <string.h>

#include "lpard/api/api-private.h"

static void
add_subject(LpCall *call, const char *uuid, const char *name)
{
    for (size_t i = 0; i < LP_SUBJECTS_MAX; i++) {
        LpSubject *subject = &call->subjects[i];

        if (subject->name)
            continue;
        subject->uuid = g_strdup(uuid);
        subject->name = g_strdup(name);
        return;
    }
}

/* By the rule that the engine finds it by, too. */
static void
add_named(LpCall *call, const char *name)
{
    const LpPartition *partition = lp_registry_find(call->api->registry, name, NULL);

    if (partition)
        add_subject(call, partition->uuid, partition->view->name);
    else
        add_subject(call, NULL, name);
}

static void
add_legs(LpCall *call)
{
    const LpOperation *operation;
    guint64 id;

    if (!g_ascii_string_to_unsigned(call->argument, 10, 1, G_MAXINT64, &id, NULL))
        return;
    call->operation = (int64_t)id;
    operation = lp_engine_find(call->api->engine, (int64_t)id);
    for (guint i = 0; operation && i < operation->legs->len; i++) {
        const LpLeg *leg = g_ptr_array_index(operation->legs, i);
        const LpPartition *partition = lp_registry_by_uuid(call->api->registry, leg->uuid);

        /* Undoing adds legs of the same partitions. */
        if (g_strcmp0(call->subjects[0].uuid, leg->uuid) != 0 &&
            g_strcmp0(call->subjects[1].uuid, leg->uuid) != 0)
            add_subject(call, leg->uuid, partition ? partition->view->name : leg->name);
    }
}

static void
find_subjects(LpCall *call)
{
    const char *from, *to;

    switch (call->route->scope) {
    case LP_OF_HOST:
        break;
    case LP_OF_PARTITION:
        add_named(call, call->argument);
        break;
    case LP_OF_BODY:
        from = json_string_value(json_object_get(call->body, "partition"));
        to = json_string_value(json_object_get(call->body, "to"));
        if (from)
            add_named(call, from);
        if (from && to)
            add_named(call, to);
        break;
    case LP_OF_OPERATION:
        add_legs(call);
        break;
    case LP_OF_QUERY:
        if (lp_call_query(call, "partition"))
            add_named(call, lp_call_query(call, "partition"));
        break;
    }
}

static bool
refuse(const LpCall *call, const char *name, GError **error)
{
    const LpRoute *route = call->route;
    g_autofree char *role = lp_access_role_text(call->api->access, call->caller->grant);

    if (route->role == LP_ROLE_OPERATOR && call->caller->grant.owners && name)
        g_set_error(error, LP_ERROR, LP_ERROR_FORBIDDEN,
                    "%s (%s) does not operate \"%s\"; that takes an operator, or an owner of it "
                    "(see [access] and [owner NAME] in lpard.conf)", call->caller->who, role, name);
    else if (route->scope == LP_OF_QUERY && call->caller->grant.owners)
        g_set_error(error, LP_ERROR, LP_ERROR_FORBIDDEN,
                    "%s (%s) may not see this of all partitions, which takes an operator; name "
                    "one of its own", call->caller->who, role);
    else
        g_set_error(error, LP_ERROR, LP_ERROR_FORBIDDEN,
                    "%s (%s) may not do this: it needs the role %s (see [access] in lpard.conf)",
                    call->caller->who, role, lp_role_name(route->role));
    return false;
}

bool
lp_call_has_role(const LpCall *call, GError **error)
{
    LpGrant grant = call->caller->grant;
    LpRole role = call->route->role;

    if (grant.role >= role || (role == LP_ROLE_OPERATOR && grant.owners))
        return true;
    return refuse(call, NULL, error);
}

bool
lp_call_permit(LpCall *call, GError **error)
{
    LpAccess *access = call->api->access;
    LpGrant grant = call->caller->grant;
    LpRole role = call->route->role;

    find_subjects(call);
    if (lp_access_may(access, grant, role, NULL))
        return true;
    if (!call->subjects[0].name)
        return refuse(call, NULL, error);
    /* What does not exist is nobody's: its name is judged, and then it is said that it is not
     * there. */
    for (size_t i = 0; i < LP_SUBJECTS_MAX && call->subjects[i].name; i++) {
        if (!lp_access_may(access, grant, role, call->subjects[i].name))
            return refuse(call, call->subjects[i].name, error);
    }
    return true;
}
