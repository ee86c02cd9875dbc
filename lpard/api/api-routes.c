#include <string.h>

#include "lpard/api/api-private.h"

#define OPTIONS LP_ROLE_OPERATOR, LP_OF_PARTITION, LP_BODY_OPTIONAL, ""

const LpRoute lp_api_routes[] = {
    {"GET", "/v1/", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "", lp_api_get_root},
    {"GET", "/v1/host", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "contents", lp_api_get_host},
    {"GET", "/v1/domains", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "", lp_api_get_domains},
    {"GET", "/v1/partitions", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "", lp_api_get_partitions},
    {"POST", "/v1/partitions", LP_ROLE_ADMIN, LP_OF_HOST, LP_BODY_NEEDED, "",
     lp_api_post_partitions},
    {"GET", "/v1/partitions/{name}", LP_ROLE_VIEWER, LP_OF_PARTITION, LP_BODY_NONE, "",
     lp_api_get_partition},
    {"GET", "/v1/partitions/{name}/profile", LP_ROLE_VIEWER, LP_OF_PARTITION, LP_BODY_NONE, "",
     lp_api_get_profile},
    {"PUT", "/v1/partitions/{name}/profile", LP_ROLE_ADMIN, LP_OF_PARTITION, LP_BODY_NEEDED, "",
     lp_api_put_profile},
    {"DELETE", "/v1/partitions/{name}/profile", LP_ROLE_ADMIN, LP_OF_PARTITION,
     LP_BODY_NONE, "dry_run", lp_api_delete_profile},
    {"POST", "/v1/partitions/{name}/profile/restore", LP_ROLE_ADMIN, LP_OF_PARTITION,
     LP_BODY_OPTIONAL, "", lp_api_post_restore},
    {"POST", "/v1/partitions/{name}/resize", LP_ROLE_OPERATOR, LP_OF_PARTITION, LP_BODY_NEEDED, "",
     lp_api_post_resize},
    {"POST", "/v1/partitions/{name}/capacity", LP_ROLE_OPERATOR, LP_OF_PARTITION,
     LP_BODY_NEEDED, "", lp_api_post_capacity},
    {"POST", "/v1/partitions/{name}/reconcile", OPTIONS, lp_api_post_reconcile},
    {"PUT", "/v1/partitions/{name}/hold", OPTIONS, lp_api_put_hold},
    {"DELETE", "/v1/partitions/{name}/hold", LP_ROLE_OPERATOR, LP_OF_PARTITION, LP_BODY_NONE, "",
     lp_api_delete_hold},
    {"GET", "/v1/partitions/{name}/check", LP_ROLE_VIEWER, LP_OF_PARTITION, LP_BODY_NONE, "",
     lp_api_get_check},
    {"GET", "/v1/partitions/{name}/guest", LP_ROLE_VIEWER, LP_OF_PARTITION, LP_BODY_NONE, "",
     lp_api_get_guest},
    {"POST", "/v1/partitions/{name}/start", OPTIONS, lp_api_post_start},
    {"POST", "/v1/move", LP_ROLE_OPERATOR, LP_OF_BODY, LP_BODY_NEEDED, "", lp_api_post_move},
    {"POST", "/v1/plan", LP_ROLE_OPERATOR, LP_OF_BODY, LP_BODY_NEEDED, "", lp_api_post_plan},
    {"GET", "/v1/operations", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "partition state limit",
     lp_api_get_operations},
    {"GET", "/v1/operations/{id}", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "after wait",
     lp_api_get_operation},
    {"DELETE", "/v1/operations/{id}", LP_ROLE_OPERATOR, LP_OF_OPERATION, LP_BODY_NONE, "",
     lp_api_delete_operation},
    {"GET", "/v1/partitions/{name}/policy", LP_ROLE_VIEWER, LP_OF_PARTITION, LP_BODY_NONE, "",
     lp_api_get_partition_policy},
    {"GET", "/v1/policy", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "", lp_api_get_policy},
    {"PUT", "/v1/policy", LP_ROLE_ADMIN, LP_OF_HOST, LP_BODY_NEEDED, "", lp_api_put_policy},
    {"GET", "/v1/policy/plan", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "", lp_api_get_plan},
    {"GET", "/v1/policy/log", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "partition limit",
     lp_api_get_policy_log},
    {"GET", "/v1/score", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "fresh", lp_api_get_score},
    {"POST", "/v1/optimize", LP_ROLE_OPERATOR, LP_OF_HOST, LP_BODY_OPTIONAL, "",
     lp_api_post_optimize},
    {"GET", "/v1/pools", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "", lp_api_get_pools},
    {"GET", "/v1/pools/{name}", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "", lp_api_get_pool},
    {"PUT", "/v1/pools/{name}", LP_ROLE_ADMIN, LP_OF_HOST, LP_BODY_NEEDED, "", lp_api_put_pool},
    {"DELETE", "/v1/pools/{name}", LP_ROLE_ADMIN, LP_OF_HOST, LP_BODY_NONE, "", lp_api_delete_pool},
    {"PUT", "/v1/partitions/{name}/pool", LP_ROLE_ADMIN, LP_OF_PARTITION, LP_BODY_NEEDED, "",
     lp_api_put_membership},
    {"DELETE", "/v1/partitions/{name}/pool", LP_ROLE_ADMIN, LP_OF_PARTITION, LP_BODY_NONE, "",
     lp_api_delete_membership},
    {"GET", "/v1/audit", LP_ROLE_OPERATOR, LP_OF_QUERY, LP_BODY_NONE, "partition limit before",
     lp_api_get_audit},
    {"GET", "/v1/events", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "partition", lp_api_get_events},
    {"GET", "/v1/metrics", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "", lp_api_get_metrics},
    {"GET", "/v1/openapi.json", LP_ROLE_VIEWER, LP_OF_HOST, LP_BODY_NONE, "", lp_api_get_openapi},
};
const size_t lp_api_n_routes = G_N_ELEMENTS(lp_api_routes);

/* Segment by segment, each decoded by itself: a name with an encoded slash stays one. */
static bool
matches(const char *pattern, const char *raw_path, char **ret_argument)
{
    g_auto(GStrv) want = g_strsplit(pattern, "/", -1);
    g_auto(GStrv) have = g_strsplit(raw_path, "/", -1);
    g_autofree char *argument = NULL;

    if (g_strv_length(want) != g_strv_length(have))
        return false;
    for (guint i = 0; want[i]; i++) {
        g_autofree char *segment = g_uri_unescape_string(have[i], NULL);

        if (!segment)
            return false;
        if (want[i][0] == '{') {
            if (!*segment || !g_utf8_validate(segment, -1, NULL))
                return false;
            argument = g_steal_pointer(&segment);
        } else if (strcmp(want[i], segment) != 0) {
            return false;
        }
    }
    *ret_argument = g_steal_pointer(&argument);
    return true;
}

const LpRoute *
lp_api_route(const char *method, const char *raw_path, char **ret_argument, char **ret_allowed)
{
    g_autoptr(GString) allowed = g_string_new(NULL);
    size_t length = strlen(raw_path);
    g_autofree char *path = NULL;

    /* A slash at the end means nothing, but for the root's own. */
    if (strcmp(raw_path, "/v1") == 0)
        path = g_strdup("/v1/");
    else if (length > strlen("/v1/") && raw_path[length - 1] == '/')
        path = g_strndup(raw_path, length - 1);
    else
        path = g_strdup(raw_path);

    *ret_argument = *ret_allowed = NULL;
    for (size_t i = 0; i < lp_api_n_routes; i++) {
        g_autofree char *argument = NULL;

        if (!matches(lp_api_routes[i].path, path, &argument))
            continue;
        if (strcmp(lp_api_routes[i].method, method) == 0) {
            *ret_argument = g_steal_pointer(&argument);
            return &lp_api_routes[i];
        }
        g_string_append_printf(allowed, "%s%s", allowed->len ? ", " : "",
                               lp_api_routes[i].method);
    }
    if (allowed->len)
        *ret_allowed = g_strdup(allowed->str);
    return NULL;
}
