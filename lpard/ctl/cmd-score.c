/* lparctl score: how near memory is to the processors that use it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

/* Of those that one remark is about. */
#define NAMES_SHOWN 4

static bool
is_called(const json_t *score, const char *name)
{
    return strcmp(lp_ctl_json_str(score, "partition"), name) == 0 ||
           strcmp(lp_ctl_json_str(score, "uuid"), name) == 0;
}

static bool
is_wanted(const LpCtl *ctl, const json_t *score)
{
    for (guint i = 0; i < ctl->n_words; i++) {
        if (is_called(score, ctl->words[i]))
            return true;
    }
    return ctl->n_words == 0;
}

/* One that has no score is looked up, so that lpard says what is wrong with its name. */
static bool
check_names(LpCtl *ctl, const json_t *scores, GError **error)
{
    for (guint i = 0; i < ctl->n_words; i++) {
        g_autofree char *path = lp_ctl_partition_path(ctl->words[i], "", error);
        g_auto(LpCtlAnswer) answer = { 0 };
        bool found = false;

        for (gsize k = 0; k < json_array_size(scores) && !found; k++)
            found = is_called(json_array_get(scores, k), ctl->words[i]);
        if (found)
            continue;
        if (path == NULL ||
            !lp_ctl_client_ask(ctl->client, "GET", path, NULL, NULL, &answer, error))
            return false;
        lp_ctl_error(error, LP_CTL_EXIT_ERROR,
                     "%s has no score: only what runs lies somewhere, and it is %s", ctl->words[i],
                     lp_ctl_json_str(answer.json, "run"));
        return false;
    }
    return true;
}

typedef struct {
    const char *text;
    GPtrArray *names;             /* of those that it is said of */
} Remark;

static void
clear_remark(void *data)
{
    g_ptr_array_unref(((Remark *)data)->names);
}

static void
add_remark(GArray *remarks, const char *text, const char *name)
{
    Remark remark = { .text = text };

    for (guint i = 0; i < remarks->len; i++) {
        if (strcmp(g_array_index(remarks, Remark, i).text, text) == 0) {
            g_ptr_array_add(g_array_index(remarks, Remark, i).names, (void *)(guintptr)name);
            return;
        }
    }
    remark.names = g_ptr_array_new();
    g_ptr_array_add(remark.names, (void *)(guintptr)name);
    g_array_append_val(remarks, remark);
}

/* "web1, web2 and 7 more: " */
static char *
names_text(const GPtrArray *names)
{
    GString *text = g_string_new(NULL);
    guint shown = names->len > NAMES_SHOWN + 1 ? NAMES_SHOWN : names->len;

    for (guint i = 0; i < shown; i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "",
                               (const char *)g_ptr_array_index(names, i));
    if (shown < names->len)
        g_string_append_printf(text, " and %u more", names->len - shown);
    g_string_append(text, ": ");
    return g_string_free(text, FALSE);
}

/* What is said of several is said once. */
static void
print_remarks(LpCtl *ctl, const json_t *scores, GString *out)
{
    g_autoptr(GArray) remarks = g_array_new(FALSE, FALSE, sizeof(Remark));

    g_array_set_clear_func(remarks, clear_remark);
    for (gsize i = 0; i < json_array_size(scores); i++) {
        const json_t *score = json_array_get(scores, i);
        const json_t *list = json_object_get(score, "remarks");

        for (gsize k = 0; k < json_array_size(list) && is_wanted(ctl, score); k++) {
            const char *text = json_string_value(json_array_get(list, k));

            if (text != NULL)
                add_remark(remarks, text, lp_ctl_json_str(score, "partition"));
        }
    }
    for (guint i = 0; i < remarks->len; i++) {
        const Remark *remark = &g_array_index(remarks, Remark, i);
        g_autofree char *names = names_text(remark->names);
        g_autofree char *line = g_strconcat(names, remark->text, NULL);

        lp_ctl_text_wrap(out, "  - ", "    ", line);
    }
}

static void
print_scores(LpCtl *ctl, const json_t *answer, GString *out)
{
    static const char *const headings[] = { "PARTITION", ">SCORE", ">PREDICTED", ">LOCAL", ">BEST",
                                            ">AGREEMENT", ">MEMORY", "MEMORY ON", "VCPUS ON",
                                            NULL };
    const json_t *scores = json_object_get(answer, "partitions");
    g_autofree char *now = lp_ctl_text_points(answer, "host.score_centi");
    g_autofree char *predicted = lp_ctl_text_points(answer, "host.predicted_centi");
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);

    g_string_append_printf(out, "host: score %s, predicted %s\n", now, predicted);
    for (gsize i = 0; i < json_array_size(scores); i++) {
        const json_t *score = json_array_get(scores, i);
        const json_t *nodes = json_object_get(score, "nodes");

        if (!is_wanted(ctl, score))
            continue;
        lp_ctl_table_take(table, lp_ctl_text_str(score, "partition"),
                          lp_ctl_text_points(score, "score_centi"),
                          lp_ctl_text_points(score, "predicted_centi"),
                          lp_ctl_text_points(score, "local_centi"),
                          lp_ctl_text_points(score, "best_centi"),
                          lp_ctl_text_points(score, "agreement_centi"),
                          json_is_null(json_object_get(score, "age_msec"))
                              ? g_strdup("-")
                              : lp_ctl_text_measured(score, "memory_bytes"),
                          lp_ctl_text_shares(nodes, "bytes"),
                          lp_ctl_text_shares(nodes, "cpu_permyriad"));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    else
        g_string_append(out, "No partition runs, so nothing lies anywhere.\n");
    print_remarks(ctl, scores, out);
}

/* Of lpard's answer what was asked for. */
static void
print_json(LpCtl *ctl, const LpCtlAnswer *answer)
{
    const json_t *scores = json_object_get(answer->json, "partitions");
    json_t *copy, *wanted;
    char *text;

    if (ctl->n_words == 0) {
        lp_ctl_print_json(answer);
        return;
    }
    copy = json_copy(answer->json);
    wanted = json_array();
    for (gsize i = 0; i < json_array_size(scores); i++) {
        if (is_wanted(ctl, json_array_get(scores, i)))
            json_array_append(wanted, json_array_get(scores, i));
    }
    json_object_set_new(copy, "partitions", wanted);
    text = json_dumps(copy, JSON_PRESERVE_ORDER | JSON_COMPACT);
    puts(text ? text : "{}");
    free(text);
    json_decref(copy);
}

int
lp_ctl_cmd_score(LpCtl *ctl, GError **error)
{
    const char *path = lp_ctl_has(ctl, LP_CTL_OPT_FRESH) ? "/v1/score?fresh=1" : "/v1/score";
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };

    for (guint i = 0; i < ctl->n_words; i++) {
        g_autofree char *usable = lp_ctl_partition_path(ctl->words[i], "", error);

        if (usable == NULL)
            return -1;
    }
    if (!lp_ctl_client_ask(ctl->client, "GET", path, NULL, NULL, &answer, error) ||
        !check_names(ctl, json_object_get(answer.json, "partitions"), error))
        return -1;
    lp_ctl_warn_away(answer.json);
    if (lp_ctl_is_json(ctl)) {
        print_json(ctl, &answer);
        return LP_CTL_EXIT_DONE;
    }
    print_scores(ctl, answer.json, out);
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}
