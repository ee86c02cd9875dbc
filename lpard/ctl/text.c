/* Text for people, out of lpard's JSON. */
#include "lpard/ctl/text.h"

#include <string.h>

#include "lpard/ctl/ctl.h"
#include "policy/units.h"

/* Longer exact forms ("4193968 KiB") hide the amount from the reader of a table. */
#define EXACT_CHARS 10

static bool
is_fit(gunichar c)
{
    return g_unichar_isprint(c) && !g_unichar_iszerowidth(c);
}

char *
lp_ctl_text_clean(const char *text)
{
    g_autofree char *valid = NULL;
    GString *out;

    if (text == NULL)
        return g_strdup("-");
    valid = g_utf8_make_valid(text, -1);
    out = g_string_sized_new(strlen(valid));
    for (char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (is_fit(c))
            g_string_append_unichar(out, c);
        else
            g_string_append_c(out, c == '\n' || c == '\t' ? ' ' : '?');
    }
    return g_string_free(out, FALSE);
}

static void
clean_string(json_t *json)
{
    g_autofree char *text = g_strdup(json_string_value(json));
    g_autoptr(GString) out = g_string_new(NULL);
    bool changed = false;

    /* jansson's texts are UTF-8. */
    for (char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        bool stays = is_fit(c) || c == '\n' || c == '\t';

        changed |= !stays;
        g_string_append_unichar(out, stays ? c : '?');
    }
    if (changed)
        json_string_set(json, out->str);
}

void
lp_ctl_json_clean(json_t *json)
{
    const char *key;
    json_t *value;
    size_t index;

    if (json_is_string(json))
        clean_string(json);
    json_array_foreach(json, index, value)
        lp_ctl_json_clean(value);
    json_object_foreach(json, key, value)
        lp_ctl_json_clean(value);
}

const json_t *
lp_ctl_json_at(const json_t *json, const char *path)
{
    for (;;) {
        const char *dot = strchr(path, '.');
        char name[48];

        if (dot == NULL)
            return json_object_get(json, path);
        g_strlcpy(name, path, MIN(sizeof(name), (gsize)(dot - path) + 1));
        json = json_object_get(json, name);
        path = dot + 1;
    }
}

gint64
lp_ctl_json_int(const json_t *json, const char *path, gint64 fallback)
{
    const json_t *value = lp_ctl_json_at(json, path);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool
lp_ctl_json_bool(const json_t *json, const char *path)
{
    return json_is_true(lp_ctl_json_at(json, path));
}

const char *
lp_ctl_json_str(const json_t *json, const char *path)
{
    const char *text = json_string_value(lp_ctl_json_at(json, path));

    return text ? text : "";
}

char *
lp_ctl_text_str(const json_t *json, const char *path)
{
    const char *text = json_string_value(lp_ctl_json_at(json, path));

    return lp_ctl_text_clean(text && text[0] ? text : NULL);
}

char *
lp_ctl_text_int(const json_t *json, const char *path)
{
    const json_t *value = lp_ctl_json_at(json, path);

    return json_is_integer(value) ? g_strdup_printf("%" JSON_INTEGER_FORMAT,
                                                    json_integer_value(value))
                                  : g_strdup("-");
}

char *
lp_ctl_text_bytes(guint64 bytes)
{
    char exact[LP_UNITS_TEXT];

    lp_units_format_bytes(bytes, exact, sizeof(exact));
    if (strlen(exact) > EXACT_CHARS)
        lp_units_near_bytes(bytes, exact, sizeof(exact));
    return g_strdup(exact);
}

char *
lp_ctl_text_measured(const json_t *json, const char *path)
{
    gint64 bytes = lp_ctl_json_int(json, path, -1);
    char text[LP_UNITS_TEXT];

    return bytes < 0 ? g_strdup("-")
                     : g_strdup(lp_units_near_bytes((guint64)bytes, text, sizeof(text)));
}

char *
lp_ctl_text_mem(const json_t *json, const char *path)
{
    gint64 bytes = lp_ctl_json_int(json, path, -1);

    return bytes < 0 ? g_strdup("-") : lp_ctl_text_bytes((guint64)bytes);
}

char *
lp_ctl_text_centi(const json_t *json, const char *path)
{
    gint64 centi = lp_ctl_json_int(json, path, -1);
    char text[LP_UNITS_TEXT];

    if (centi < 0 || centi > G_MAXUINT32)
        return g_strdup("-");
    return g_strdup(lp_units_format_centi((uint32_t)centi, text, sizeof(text)));
}

char *
lp_ctl_text_points(const json_t *json, const char *path)
{
    gint64 centi = lp_ctl_json_int(json, path, -1);

    if (centi < 0 || centi > G_MAXINT32)
        return g_strdup("-");
    return g_strdup_printf("%d.%d", (int)(centi / 100), (int)(centi % 100 / 10));
}

/* The index of the largest amount that is not yet `taken`; -1: none is left. */
static int
largest(const json_t *nodes, const char *field, const bool *taken)
{
    gint64 most = 0;
    int found = -1;

    for (gsize i = 0; i < json_array_size(nodes); i++) {
        gint64 amount = lp_ctl_json_int(json_array_get(nodes, i), field, 0);

        if (!taken[i] && amount > most) {
            most = amount;
            found = (int)i;
        }
    }
    return found;
}

char *
lp_ctl_text_shares(const json_t *nodes, const char *field)
{
    gsize n = json_array_size(nodes);
    g_autofree bool *taken = g_new0(bool, n + 1);
    GString *text = g_string_new(NULL);
    double sum = 0;

    for (gsize i = 0; i < n; i++)
        sum += (double)MAX(lp_ctl_json_int(json_array_get(nodes, i), field, 0), 0);
    for (guint shown = 0;; shown++) {
        int i = largest(nodes, field, taken);
        double share;

        if (i < 0)
            break;
        share = (double)lp_ctl_json_int(json_array_get(nodes, (gsize)i), field, 0) * 100 / sum;
        if (shown == LP_CTL_SHARES_MAX || share < 0.5) {
            g_string_append(text, " ...");
            break;
        }
        taken[i] = true;
        /* 100 % is all of it, not nearly all. */
        g_string_append_printf(text, "%s%" G_GINT64_FORMAT ":%d%%", shown ? " " : "",
                               lp_ctl_json_int(json_array_get(nodes, (gsize)i), "node", -1),
                               share < 100 ? MIN((int)(share + 0.5), 99) : 100);
    }
    if (text->len == 0)
        g_string_append_c(text, '-');
    return g_string_free(text, FALSE);
}

char *
lp_ctl_text_msec(gint64 msec)
{
    if (msec < 0)
        msec = 0;
    if (msec < 10 * 1000)
        return g_strdup_printf("%d.%02d s", (int)(msec / 1000), (int)(msec % 1000 / 10));
    if (msec < 120 * 1000)
        return g_strdup_printf("%d s", (int)(msec / 1000));
    return g_strdup_printf("%" G_GINT64_FORMAT " min %d s", msec / 60000,
                           (int)(msec / 1000 % 60));
}

void
lp_ctl_text_wrap(GString *out, const char *first, const char *indent, const char *text)
{
    g_autofree char *clean = lp_ctl_text_clean(text);
    g_auto(GStrv) words = g_strsplit(clean, " ", -1);
    glong column = g_utf8_strlen(first, -1);
    bool fresh = true;

    g_string_append(out, first);
    for (char **word = words; *word != NULL; word++) {
        glong length = g_utf8_strlen(*word, -1);

        if (length == 0)
            continue;
        if (!fresh && column + 1 + length > LP_CTL_COLUMNS) {
            g_string_append_printf(out, "\n%s", indent);
            column = g_utf8_strlen(indent, -1);
            fresh = true;
        }
        if (!fresh) {
            g_string_append_c(out, ' ');
            column++;
        }
        g_string_append(out, *word);
        column += length;
        fresh = false;
    }
    g_string_append_c(out, '\n');
}

void
lp_ctl_text_list(GString *out, const char *indent, const json_t *array)
{
    g_autofree char *first = g_strconcat(indent, "- ", NULL);
    g_autofree char *next = g_strconcat(indent, "  ", NULL);

    for (gsize i = 0; i < json_array_size(array); i++) {
        const char *text = json_string_value(json_array_get(array, i));

        if (text != NULL)
            lp_ctl_text_wrap(out, first, next, text);
    }
}
