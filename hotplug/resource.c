#include "hotplug/resource.h"

#include <glib.h>
#include <string.h>

#define PREFIX "/machine/"
#define MOUNTS "/proc/self/mounts"

bool
lp_pool_name_is_good(const char *name)
{
    size_t length = strlen(name);

    if (length < 1 || length > LP_POOL_NAME_MAX || !g_ascii_isalpha(name[0]))
        return false;
    for (size_t i = 1; i < length; i++)
        if (!g_ascii_isalnum(name[i]) && name[i] != '_')
            return false;
    return true;
}

const char *
lp_pool_of_resource(const char *resource)
{
    const char *name;

    if (!g_str_has_prefix(resource, PREFIX))
        return NULL;
    name = resource + strlen(PREFIX);
    return lp_pool_name_is_good(name) ? name : NULL;
}

char *
lp_pool_resource(const char *name)
{
    return g_strconcat(PREFIX, name, NULL);
}

bool
lp_pool_groups_are_slices(void)
{
    return g_file_test("/run/systemd/system", G_FILE_TEST_IS_DIR);
}

char *
lp_pool_group(const char *name)
{
    return lp_pool_groups_are_slices()
               ? g_strdup_printf("machine.slice/machine-%s.slice", name)
               : g_strdup_printf("machine/%s.partition", name);
}

uint32_t
lp_resource_parse_centi(const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \n", 3);
    guint64 quota, period;

    if (g_strv_length(words) < 2 ||
        !g_ascii_string_to_unsigned(words[0], 10, 1, G_MAXINT64 / 100, &quota, NULL) ||
        !g_ascii_string_to_unsigned(words[1], 10, 1, G_MAXUINT32, &period, NULL))
        return 0;
    return (uint32_t)MIN((quota * 100 + period - 1) / period, UINT32_MAX);
}

/* Where the controller of processors is mounted, or (`unified`) the hierarchy of version 2; NULL:
 * nowhere. */
static char *
find_mount(bool unified, bool *ret_v2)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    char *v2 = NULL;

    if (!g_file_get_contents(MOUNTS, &text, NULL, NULL))
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, " ", 5);    /* device, place, type, options */
        g_auto(GStrv) options = g_strv_length(fields) >= 4 ? g_strsplit(fields[3], ",", -1) : NULL;

        if (!options)
            continue;
        if (!unified && strcmp(fields[2], "cgroup") == 0 &&
            g_strv_contains((const char *const *)options, "cpu")) {
            g_free(v2);
            *ret_v2 = false;
            return g_strcompress(fields[1]);
        }
        if (strcmp(fields[2], "cgroup2") == 0 && !v2)
            v2 = g_strcompress(fields[1]);
    }
    *ret_v2 = true;
    return v2;
}

char *
lp_pool_unified_mount(void)
{
    bool v2;

    return find_mount(true, &v2);
}

static char *
read_at(const char *mount, const char *group, const char *file)
{
    g_autofree char *path = g_build_filename(mount, group, file, NULL);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_strchomp(text) : NULL;
}

uint32_t
lp_resource_centi(const char *resource)
{
    const char *name = lp_pool_of_resource(resource);
    g_autofree char *mount = NULL, *group = NULL, *quota = NULL, *period = NULL, *both = NULL;
    bool v2 = false;

    if (!name || !(mount = find_mount(false, &v2)))
        return 0;
    group = lp_pool_group(name);
    if (v2) {
        quota = read_at(mount, group, "cpu.max");
        return quota ? lp_resource_parse_centi(quota) : 0;
    }
    quota = read_at(mount, group, "cpu.cfs_quota_us");
    period = read_at(mount, group, "cpu.cfs_period_us");
    if (!quota || !period)
        return 0;
    both = g_strdup_printf("%s %s", quota, period);
    return lp_resource_parse_centi(both);
}
