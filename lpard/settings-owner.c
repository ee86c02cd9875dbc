#include "lpard/settings-owner.h"

#include <string.h>

#include "lpard/error.h"

#define PREFIX "owner "
/* A name stands in messages and in the audit trail. */
#define NAME_MAX_BYTES 32

void
lp_owner_free(LpOwner *owner)
{
    g_free(owner->name);
    g_strfreev(owner->members);
    g_strfreev(owner->partitions);
    g_free(owner);
}

bool
lp_owner_is_group(const char *group)
{
    return strcmp(group, "owner") == 0 || g_str_has_prefix(group, PREFIX);
}

char **
lp_settings_words(const char *text)
{
    g_auto(GStrv) parts = g_strsplit_set(text, ", \t", -1);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (char **part = parts; *part; part++) {
        if (**part)
            g_strv_builder_add(builder, *part);
    }
    return g_strv_builder_end(builder);
}

static bool
refuse(GError **error, const char *path, const char *group, const char *what)
{
    g_autofree char *message = g_strdup_printf("%s: [%s] %s", path, group, what);
    g_autofree char *valid = g_utf8_make_valid(message, -1);

    g_set_error_literal(error, LP_ERROR, LP_ERROR_USAGE, valid);
    return false;
}

static const char *
name_of(const char *group)
{
    const char *name = g_str_has_prefix(group, PREFIX) ? group + strlen(PREFIX) : "";

    if (!*name || strlen(name) > NAME_MAX_BYTES)
        return NULL;
    for (const char *c = name; *c; c++) {
        if (!g_ascii_isalnum(*c) && !strchr("._-", *c))
            return NULL;
    }
    return name;
}

/* Exactly the two keys, each with at least one word. */
static bool
read_keys(LpOwner *owner, GKeyFile *file, const char *path, const char *group, GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(file, group, NULL, NULL);

    for (char **key = keys; key && *key; key++) {
        g_autofree char *text = g_key_file_get_string(file, group, *key, NULL);
        char ***list = strcmp(*key, "members") == 0      ? &owner->members
                       : strcmp(*key, "partitions") == 0 ? &owner->partitions
                                                         : NULL;

        if (!list) {
            g_autofree char *what = g_strdup_printf(
                "%s: the key is unknown; its keys are members, partitions", *key);

            return refuse(error, path, group, what);
        }
        if (!text)
            return refuse(error, path, group, "the value cannot be read; write plain UTF-8 text, "
                                              "and \\\\ for a backslash");
        g_strfreev(*list);
        *list = lp_settings_words(text);
    }
    if (!owner->members || !*owner->members)
        return refuse(error, path, group, "has no members; write `members = GROUP...`");
    if (!owner->partitions || !*owner->partitions)
        return refuse(error, path, group, "has no partitions; write `partitions = NAME...`");
    return true;
}

bool
lp_owner_read(GPtrArray *owners, GKeyFile *file, const char *path, const char *group,
              GError **error)
{
    const char *name = name_of(group);
    LpOwner *owner;

    if (!name)
        return refuse(error, path, group, "an owner's group is [owner NAME], with a name of "
                                          "letters, digits, \".\", \"_\" and \"-\", 32 at most");
    if (owners->len >= LP_OWNERS_MAX)
        return refuse(error, path, group, "there are more than 64 owners; let one of them have "
                                          "several members, or use wildcards");
    owner = g_new0(LpOwner, 1);
    owner->name = g_strdup(name);
    if (!read_keys(owner, file, path, group, error)) {
        lp_owner_free(owner);
        return false;
    }
    g_ptr_array_add(owners, owner);
    return true;
}
