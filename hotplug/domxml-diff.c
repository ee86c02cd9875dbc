/* The unified difference of two texts, by the longest common subsequence of their lines. */
#include "hotplug/domxml.h"

#include <string.h>

#define CONTEXT_LINES 3

/* Cells of the table (4 bytes each).  Two texts that differ over more lines than the root of
 * this are shown as one block replaced by another. */
#define MAX_CELLS (4U << 20)

typedef struct {
    char kind;            /* ' ', '-' or '+' */
    const char *line;
} Edit;

static void
push(GArray *edits, char kind, const char *line)
{
    Edit edit = { kind, line };

    g_array_append_val(edits, edit);
}

/* Lines a[0..n) and b[0..m), which begin and end differently. */
static void
push_middle(GArray *edits, char **a, guint n, char **b, guint m)
{
    g_autofree guint *table = NULL;
    guint i = 0, j = 0, width = m + 1;

    if ((guint64)(n + 1) * width <= MAX_CELLS) {
        /* table[i][j]: the longest common subsequence of what follows i and j. */
        table = g_new0(guint, (gsize)(n + 1) * width);
        for (guint y = n; y-- > 0;) {
            for (guint x = m; x-- > 0;)
                table[y * width + x] = strcmp(a[y], b[x]) == 0
                    ? table[(y + 1) * width + x + 1] + 1
                    : MAX(table[(y + 1) * width + x], table[y * width + x + 1]);
        }
    }
    while (i < n || j < m) {
        if (table && i < n && j < m && strcmp(a[i], b[j]) == 0) {
            push(edits, ' ', a[i++]);
            j++;
        } else if (i < n && (!table || j == m || table[(i + 1) * width + j] >=
                                                     table[i * width + j + 1])) {
            push(edits, '-', a[i++]);
        } else {
            push(edits, '+', b[j++]);
        }
    }
}

static GArray *
compare(char **a, char **b)
{
    GArray *edits = g_array_new(FALSE, FALSE, sizeof(Edit));
    guint n = g_strv_length(a), m = g_strv_length(b), head = 0, tail = 0;

    while (head < n && head < m && strcmp(a[head], b[head]) == 0)
        push(edits, ' ', a[head++]);
    while (tail < n - head && tail < m - head && strcmp(a[n - 1 - tail], b[m - 1 - tail]) == 0)
        tail++;
    push_middle(edits, a + head, n - head - tail, b + head, m - head - tail);
    for (guint i = n - tail; i < n; i++)
        push(edits, ' ', a[i]);
    return edits;
}

/* A hunk ends where more unchanged lines follow than two contexts would show. */
static guint
hunk_end(const GArray *edits, guint from)
{
    guint end = from;

    for (guint i = from; i < edits->len && i < end + 2 * CONTEXT_LINES + 1; i++) {
        if (g_array_index(edits, Edit, i).kind != ' ')
            end = i + 1;
    }
    return end;
}

/* A diff is shown, logged, pasted into tickets: the password of a console is not for that. */
static void
append_masked(GString *out, const char *line)
{
    static const char name[] = "passwd=";
    const char *from = line, *at;

    while ((at = strstr(from, name)) != NULL) {
        const char *value = at + strlen(name);
        const char *end = *value == '\'' || *value == '"' ? strchr(value + 1, *value) : NULL;

        g_string_append_len(out, from, value - from);
        from = value;
        if (end) {
            g_string_append_printf(out, "%c***%c", *value, *value);
            from = end + 1;
        }
    }
    g_string_append(out, from);
}

static void
write_hunk(GString *out, const GArray *edits, guint from, guint to, guint line_a, guint line_b)
{
    guint n_a = 0, n_b = 0;

    for (guint i = from; i < to; i++) {
        n_a += g_array_index(edits, Edit, i).kind != '+';
        n_b += g_array_index(edits, Edit, i).kind != '-';
    }
    g_string_append_printf(out, "@@ -%u,%u +%u,%u @@\n", line_a + (n_a > 0), n_a,
                           line_b + (n_b > 0), n_b);
    for (guint i = from; i < to; i++) {
        const Edit *edit = &g_array_index(edits, Edit, i);

        g_string_append_c(out, edit->kind);
        append_masked(out, edit->line);
        g_string_append_c(out, '\n');
    }
}

static char **
split_lines(const char *text)
{
    char **lines = g_strsplit(text, "\n", -1);
    guint n = g_strv_length(lines);

    /* What follows the last line break is no line. */
    if (n > 0 && !*lines[n - 1])
        g_clear_pointer(&lines[n - 1], g_free);
    return lines;
}

char *
lp_domxml_diff(const char *before, const char *after)
{
    g_auto(GStrv) a = split_lines(before);
    g_auto(GStrv) b = split_lines(after);
    g_autoptr(GArray) edits = compare(a, b);
    GString *out = g_string_new(NULL);
    guint line_a = 0, line_b = 0, shown = 0;

    for (guint i = 0; i < edits->len; i++) {
        guint from, to, end;

        if (g_array_index(edits, Edit, i).kind == ' ')
            continue;
        from = MAX(shown, i >= CONTEXT_LINES ? i - CONTEXT_LINES : 0);
        end = hunk_end(edits, i);
        to = MIN(edits->len, end + CONTEXT_LINES);
        for (; shown < from; shown++, line_a++, line_b++)
            continue;    /* all unchanged: hunks end on their context */
        write_hunk(out, edits, from, to, line_a, line_b);
        for (; shown < to; shown++) {
            line_a += g_array_index(edits, Edit, shown).kind != '+';
            line_b += g_array_index(edits, Edit, shown).kind != '-';
        }
        i = to - 1;
    }
    return g_string_free(out, FALSE);
}
