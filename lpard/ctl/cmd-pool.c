/* lparctl pool: shared processor pools, and who is in them. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/amounts.h"
#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"
#include "policy/units.h"

#define USAGE "write pool list, pool define NAME max=UNITS [reserved=UNITS], pool set NAME " \
              "FIELD=UNITS..., pool remove NAME, pool join PARTITION POOL, or pool leave PARTITION"

/* --- what there is -------------------------------------------------------------------------- */

/* "web1, web2 (from its next start on), db (until its next start)" */
static char *
members_text(const json_t *pool)
{
    const json_t *members = json_object_get(pool, "members");
    GString *text = g_string_new(NULL);

    for (gsize i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);
        g_autofree char *name = lp_ctl_text_str(member, "name");
        bool now = lp_ctl_json_bool(member, "now"), next = lp_ctl_json_bool(member, "next_start");

        g_string_append_printf(text, "%s%s%s", i ? ", " : "", name,
                               now && next ? ""
                               : now       ? " (until its next start)"
                                           : " (from its next start on)");
    }
    if (text->len == 0)
        g_string_append(text, "nobody");
    return g_string_free(text, FALSE);
}

static void
append_notes(GString *out, const json_t *list)
{
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *pool = json_array_get(list, i);
        g_autofree char *name = lp_ctl_text_str(pool, "name");
        g_autofree char *first = g_strdup_printf("%s: ", name);
        g_autofree char *members = members_text(pool);
        g_autofree char *problem = lp_ctl_text_str(pool, "problem");

        lp_ctl_text_wrap(out, first, "  ", members);
        if (lp_ctl_json_str(pool, "problem")[0] != '\0')
            lp_ctl_text_wrap(out, "  not in force: ", "  ", problem);
    }
}

static int
list_pools(LpCtl *ctl, GError **error)
{
    static const char *const headings[] = { "POOL", ">MAX", ">RESERVED", ">ENTITLED", ">MEMBERS",
                                            NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown = lp_ctl_show(ctl, "GET", "/v1/pools", NULL, &answer, error);
    const json_t *list = json_object_get(answer.json, "pools");

    if (shown != LP_CTL_SHOW)
        return shown;
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *pool = json_array_get(list, i);

        lp_ctl_table_take(table, lp_ctl_text_str(pool, "name"),
                          lp_ctl_text_centi(pool, "max_centi"),
                          lp_ctl_text_centi(pool, "reserved_centi"),
                          lp_ctl_text_centi(pool, "entitled_centi"),
                          g_strdup_printf("%zu",
                                          json_array_size(json_object_get(pool, "members"))));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    else
        g_string_append(out, "There are no pools; `lparctl pool define web max=4` makes one.\n");
    append_notes(out, list);
    if (lp_ctl_json_str(answer.json, "reason")[0] != '\0') {
        g_autofree char *reason = lp_ctl_text_str(answer.json, "reason");

        lp_ctl_text_wrap(out, "Pools cannot be used here: ", "  ", reason);
    }
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}

/* --- definitions ---------------------------------------------------------------------------- */

static bool
read_field(json_t *body, const char *word, GError **error)
{
    g_autofree char *key = NULL, *field = NULL;
    LpUnitsVerdict verdict;
    const char *value;
    uint32_t centi = 0;

    lp_ctl_word_split(word, &key, &value);
    if (!value || (strcmp(key, "max") != 0 && strcmp(key, "reserved") != 0)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "'%s' is nothing of a pool's: write max=4.00 or reserved=0.50", word);
        return false;
    }
    verdict = lp_units_parse_centi(value, &centi);
    if (verdict != LP_UNITS_OK) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s=%s: %s", key, value, lp_units_hint(verdict));
        return false;
    }
    field = g_strconcat(key, "_centi", NULL);
    if (json_object_get(body, field)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s= is there twice", key);
        return false;
    }
    json_object_set_new(body, field, json_integer(centi));
    return true;
}

/* A server cannot be asked about what a path does not carry whole. */
static char *
pool_path(const char *name, GError **error)
{
    bool good = g_ascii_isalpha(name[0]);

    for (const char *p = name; *p != '\0'; p++)
        good = good && (g_ascii_isalnum(*p) || *p == '_');
    if (good)
        return g_strconcat("/v1/pools/", name, NULL);
    lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                 "'%s' cannot be a pool's name: a letter, then letters, digits and underscores",
                 name);
    return NULL;
}

static void
print_pool(const json_t *pool)
{
    g_autofree char *name = lp_ctl_text_str(pool, "name");
    g_autofree char *max = lp_ctl_text_centi(pool, "max_centi");
    g_autofree char *reserved = lp_ctl_text_centi(pool, "reserved_centi");

    printf("%s: at most %s units, %s of them reserved\n", name, max, reserved);
}

static int
set_pool(LpCtl *ctl, bool is_new, GError **error)
{
    g_autofree char *path = pool_path(ctl->words[1], error);
    g_auto(LpCtlAnswer) answer = { 0 };
    json_t *body = json_object();
    int shown = -1;
    bool good = path != NULL;

    for (guint i = 2; good && i < ctl->n_words; i++)
        good = read_field(body, ctl->words[i], error);
    if (good && (is_new ? !json_object_get(body, "max_centi") : json_object_size(body) == 0)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     is_new ? "a pool needs its maximum: write max=4.00"
                            : "nothing to set: write max=4.00 or reserved=0.50");
        good = false;
    }
    if (good) {
        json_object_set_new(body, "new", json_boolean(is_new));
        shown = lp_ctl_show(ctl, "PUT", path, body, &answer, error);
    }
    json_decref(body);
    if (shown == LP_CTL_SHOW)
        print_pool(answer.json);
    return shown < 0 ? -1 : LP_CTL_EXIT_DONE;
}

static int
remove_pool(LpCtl *ctl, GError **error)
{
    g_autofree char *path = pool_path(ctl->words[1], error);
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown = path ? lp_ctl_show(ctl, "DELETE", path, NULL, &answer, error) : -1;

    if (shown == LP_CTL_SHOW)
        printf("the pool %s is gone\n", ctl->words[1]);
    return shown < 0 ? -1 : LP_CTL_EXIT_DONE;
}

/* --- members -------------------------------------------------------------------------------- */

static void
print_membership(const json_t *answer)
{
    g_autofree char *name = lp_ctl_text_str(answer, "partition");
    g_autofree char *pool = lp_ctl_text_str(answer, "pool");
    const char *now = lp_ctl_json_str(answer, "now");
    bool member = lp_ctl_json_str(answer, "pool")[0] != '\0';
    bool later = strcmp(lp_ctl_json_str(answer, "effective"), "next-start") == 0;
    g_autofree char *from = lp_ctl_text_clean(now);

    printf("%s is in %s%s%s\n", name, member ? "the pool " : "no pool", member ? pool : "",
           later ? " from its next start on" : "");
    if (later && now[0] != '\0')
        printf("until then it runs in the pool %s\n", from);
    else if (later)
        printf("until then it runs outside of any pool: shut it down and start it\n");
}

static int
membership(LpCtl *ctl, const char *pool, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(ctl->words[1], "/pool", error);
    g_auto(LpCtlAnswer) answer = { 0 };
    json_t *body = pool ? json_pack("{s:s}", "pool", pool) : NULL;
    int shown = path ? lp_ctl_show(ctl, pool ? "PUT" : "DELETE", path, body, &answer, error) : -1;

    json_decref(body);
    if (shown == LP_CTL_SHOW)
        print_membership(answer.json);
    return shown < 0 ? -1 : LP_CTL_EXIT_DONE;
}

static int
join(LpCtl *ctl, GError **error)
{
    g_autofree char *path = pool_path(ctl->words[2], error);

    return path ? membership(ctl, ctl->words[2], error) : -1;
}

int
lp_ctl_cmd_pool(LpCtl *ctl, GError **error)
{
    const char *what = ctl->words[0];
    guint n = ctl->n_words;

    if (strcmp(what, "list") == 0 && n == 1)
        return list_pools(ctl, error);
    if (strcmp(what, "define") == 0 && n >= 2)
        return set_pool(ctl, true, error);
    if (strcmp(what, "set") == 0 && n >= 2)
        return set_pool(ctl, false, error);
    if (strcmp(what, "remove") == 0 && n == 2)
        return remove_pool(ctl, error);
    if (strcmp(what, "join") == 0 && n == 3)
        return join(ctl, error);
    if (strcmp(what, "leave") == 0 && n == 2)
        return membership(ctl, NULL, error);
    lp_ctl_error(error, LP_CTL_EXIT_USAGE, USAGE);
    return -1;
}
