/* lparctl _names: what a shell completes, one a line; quick, and silent when it cannot. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

/* A shell waits while this runs. */
#define NAMES_SEC 2

static void
print_safe(const char *name)
{
    /* A name that a shell or a terminal would take apart is not offered. */
    for (const char *p = name; *p != '\0'; p++) {
        if (!g_ascii_isgraph(*p) || strchr("'\"`$\\;&|<>()*?[]{}!#~", *p) != NULL)
            return;
    }
    if (name[0] != '\0')
        puts(name);
}

static void
print_verbs(void)
{
    for (const LpCtlVerb *verb = lp_ctl_verbs; verb->name != NULL; verb++) {
        if (!verb->hidden)
            puts(verb->name);
    }
}

static void
print_options(const char *name)
{
    const LpCtlVerb *verb = name ? lp_ctl_verb_find(name) : NULL;
    guint64 allowed = LP_CTL_OPTS_COMMON | (verb ? verb->options : 0);

    for (guint i = 0; i < LP_CTL_OPTS; i++) {
        if (allowed & LP_CTL_OPT_BIT(i))
            printf("--%s\n", lp_ctl_option_name((LpCtlOption)i));
    }
}

static void
print_domains(LpCtl *ctl, bool enabled_only)
{
    g_auto(LpCtlAnswer) answer = { 0 };
    const json_t *list;

    if (!lp_ctl_client_ask(ctl->client, "GET", "/v1/domains", NULL, NULL, &answer, NULL))
        return;
    list = json_object_get(answer.json, "domains");
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *domain = json_array_get(list, i);

        if (!enabled_only || lp_ctl_json_bool(domain, "enabled"))
            print_safe(lp_ctl_json_str(domain, "name"));
    }
}

static void
print_pools(LpCtl *ctl)
{
    g_auto(LpCtlAnswer) answer = { 0 };
    const json_t *list;

    if (!lp_ctl_client_ask(ctl->client, "GET", "/v1/pools", NULL, NULL, &answer, NULL))
        return;
    list = json_object_get(answer.json, "pools");
    for (gsize i = 0; i < json_array_size(list); i++)
        print_safe(lp_ctl_json_str(json_array_get(list, i), "name"));
}

static void
print_operations(LpCtl *ctl, bool all)
{
    g_auto(LpCtlAnswer) answer = { 0 };
    const char *path = all ? "/v1/operations?state=all&limit=20" : "/v1/operations?state=open";
    const json_t *list;

    if (!lp_ctl_client_ask(ctl->client, "GET", path, NULL, NULL, &answer, NULL))
        return;
    list = json_object_get(answer.json, "operations");
    for (gsize i = 0; i < json_array_size(list); i++)
        printf("%" G_GINT64_FORMAT "\n", lp_ctl_json_int(json_array_get(list, i), "id", 0));
}

int
lp_ctl_cmd_names(LpCtl *ctl, GError **error)
{
    const char *what = ctl->n_words > 0 ? ctl->words[0] : "partitions";
    const char *of = ctl->n_words > 1 ? ctl->words[1] : NULL;

    (void)error;
    lp_ctl_client_set_timeout(ctl->client, NAMES_SEC);
    if (strcmp(what, "verbs") == 0)
        print_verbs();
    else if (strcmp(what, "options") == 0)
        print_options(of);
    else if (strcmp(what, "partitions") == 0 || strcmp(what, "domains") == 0)
        print_domains(ctl, strcmp(what, "partitions") == 0);
    else if (strcmp(what, "pools") == 0)
        print_pools(ctl);
    else if (strcmp(what, "operations") == 0)
        print_operations(ctl, of != NULL && strcmp(of, "all") == 0);
    return LP_CTL_EXIT_DONE;
}
