/* What the verbs share: paths, and showing an answer. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/ctl.h"
#include "policy/units.h"

bool
lp_ctl_is_json(const LpCtl *ctl)
{
    return g_strcmp0(lp_ctl_value(ctl, LP_CTL_OPT_OUTPUT), "json") == 0;
}

void
lp_ctl_print_json(const LpCtlAnswer *answer)
{
    fwrite(answer->text->str, 1, answer->text->len, stdout);
    if (answer->text->len == 0 || answer->text->str[answer->text->len - 1] != '\n')
        fputc('\n', stdout);
}

int
lp_ctl_show(LpCtl *ctl, const char *method, const char *path, const json_t *body,
            LpCtlAnswer *ret_answer, GError **error)
{
    if (!lp_ctl_client_ask(ctl->client, method, path, body, NULL, ret_answer, error))
        return -1;
    if (!lp_ctl_is_json(ctl))
        return LP_CTL_SHOW;
    lp_ctl_print_json(ret_answer);
    return LP_CTL_SHOWN;
}

void
lp_ctl_warn_away(const json_t *answer)
{
    if (json_is_false(json_object_get(answer, "connected")))
        fputs("lparctl: libvirtd cannot be reached: these are the last figures that lpard read\n",
              stderr);
}

char *
lp_ctl_partition_path(const char *name, const char *suffix, GError **error)
{
    g_autofree char *escaped = NULL;

    /* "." and ".." would be folded away on the way and name something else. */
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        strchr(name, '/') != NULL || !g_utf8_validate(name, -1, NULL)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "'%s' cannot be a partition's name: `lparctl list` shows them", name);
        return NULL;
    }
    escaped = g_uri_escape_string(name, NULL, FALSE);
    return g_strconcat("/v1/partitions/", escaped, suffix, NULL);
}

bool
lp_ctl_operation_path(const char *text, char **ret_path, GError **error)
{
    uint32_t id = 0;

    if (lp_units_parse_count(text, G_MAXINT32, &id) != LP_UNITS_OK || id == 0) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "'%s' is no operation's number: `lparctl op list` shows them", text);
        return false;
    }
    *ret_path = g_strdup_printf("/v1/operations/%u", id);
    return true;
}
