#include "lpard/pools/pool-file.h"

#include <string.h>

#include "lpard/error.h"
#include "policy/units.h"

#define GROUP "pool "

bool
lp_pool_check(const LpPool *pool, uint32_t host_centi, GError **error)
{
    char max[LP_UNITS_TEXT], reserved[LP_UNITS_TEXT], host[LP_UNITS_TEXT];

    lp_units_format_centi(pool->max_centi, max, sizeof max);
    lp_units_format_centi(pool->reserved_centi, reserved, sizeof reserved);
    lp_units_format_centi(host_centi, host, sizeof host);
    if (!lp_pool_name_is_good(pool->name)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "'%s' is no name for a pool: a letter, then letters, digits and underscores, "
                    "at most %d in all", pool->name, LP_POOL_NAME_MAX);
        return false;
    }
    if (pool->max_centi < LP_POOL_CENTI_MIN) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "a pool of %s units runs nobody: its maximum is 0.05 at least", max);
        return false;
    }
    if (pool->reserved_centi > pool->max_centi) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "%s units cannot be reserved for a pool of %s at most", reserved, max);
        return false;
    }
    if (pool->max_centi > host_centi) {
        g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                    "the host has %s processors: a pool cannot use %s", host, max);
        return false;
    }
    return true;
}

static bool
fail(const char *group, const char *what, GError **error)
{
    g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "[%s]: %s", group, what);
    return false;
}

static bool
read_units(GKeyFile *file, const char *group, const char *key, uint32_t *ret, GError **error)
{
    g_autofree char *text = g_key_file_get_string(file, group, key, NULL);
    g_autofree char *what = NULL;
    LpUnitsVerdict verdict = text ? lp_units_parse_centi(text, ret) : LP_UNITS_EMPTY;

    if (verdict == LP_UNITS_OK)
        return true;
    what = g_strdup_printf("%s: %s", key, text ? lp_units_hint(verdict) : "it is not there");
    return fail(group, what, error);
}

static bool
read_pool(GKeyFile *file, const char *group, LpPool *ret_pool, GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(file, group, NULL, NULL);
    g_autoptr(GError) why = NULL;
    LpPool pool = {0};

    if (!g_str_has_prefix(group, GROUP) || strlen(group + strlen(GROUP)) >= sizeof pool.name)
        return fail(group, "no group of this file: they are called [pool NAME]", error);
    g_strlcpy(pool.name, group + strlen(GROUP), sizeof pool.name);
    for (char **key = keys; key && *key; key++)
        if (strcmp(*key, "max") != 0 && strcmp(*key, "reserved") != 0)
            return fail(group, "it has max and reserved, nothing else", error);
    if (!read_units(file, group, "max", &pool.max_centi, error) ||
        !read_units(file, group, "reserved", &pool.reserved_centi, error))
        return false;
    /* A host may come back with fewer processors: that is no fault of the file's. */
    if (!lp_pool_check(&pool, UINT32_MAX, &why))
        return fail(group, why->message, error);
    *ret_pool = pool;
    return true;
}

static int
compare(const void *a, const void *b)
{
    return strcmp(((const LpPool *) a)->name, ((const LpPool *) b)->name);
}

GArray *
lp_pool_file_parse(const char *text, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GArray) pools = g_array_new(FALSE, TRUE, sizeof(LpPool));
    g_auto(GStrv) groups = NULL;

    if (!g_key_file_load_from_data(file, text, (gsize) -1, G_KEY_FILE_NONE, error)) {
        return NULL;
    }
    groups = g_key_file_get_groups(file, NULL);
    for (char **group = groups; *group; group++) {
        LpPool pool;

        if (!read_pool(file, *group, &pool, error))
            return NULL;
        if (pools->len == LP_POOLS_MAX) {
            fail(*group, "more pools than there may be", error);
            return NULL;
        }
        g_array_append_val(pools, pool);
    }
    g_array_sort(pools, compare);
    return g_steal_pointer(&pools);
}

GArray *
lp_pool_file_read(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) why = NULL;
    GArray *pools;

    if (!g_file_get_contents(path, &text, NULL, &why)) {
        if (g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return g_array_new(FALSE, TRUE, sizeof(LpPool));
        g_propagate_error(error, g_steal_pointer(&why));
        return NULL;
    }
    pools = g_utf8_validate(text, -1, NULL) ? lp_pool_file_parse(text, error) : NULL;
    if (!pools && error && !*error)
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "no text");
    if (!pools)
        g_prefix_error(error, "%s: ", path);
    return pools;
}

char *
lp_pool_file_text(const GArray *pools)
{
    GString *text = g_string_new("# lpard's pools; `lparctl pool` changes them.\n");

    for (guint i = 0; i < pools->len; i++) {
        const LpPool *pool = &g_array_index(pools, LpPool, i);
        char max[LP_UNITS_TEXT], reserved[LP_UNITS_TEXT];

        g_string_append_printf(text, "\n[" GROUP "%s]\nmax = %s\nreserved = %s\n", pool->name,
                               lp_units_format_centi(pool->max_centi, max, sizeof max),
                               lp_units_format_centi(pool->reserved_centi, reserved,
                                                     sizeof reserved));
    }
    return g_string_free(text, FALSE);
}

bool
lp_pool_file_write(const char *path, const char *text, GError **error)
{
    return g_file_set_contents_full(path, text, -1,
                                    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                    0600, error);
}
