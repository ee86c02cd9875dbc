/* Columns that fit the screen. */
#include "lpard/ctl/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "lpard/ctl/text.h"

#define GAP 2
/* Less of a text tells nothing. */
#define TEXT_MIN 6

struct LpCtlTable {
    guint n_columns;
    GPtrArray *cells;             /* headings first, row after row */
    bool *numbers;
};

LpCtlTable *
lp_ctl_table_new(const char *const *headings)
{
    LpCtlTable *table = g_new0(LpCtlTable, 1);

    table->cells = g_ptr_array_new_with_free_func(g_free);
    table->n_columns = g_strv_length((char **)(guintptr)headings);
    table->numbers = g_new0(bool, table->n_columns);
    for (guint i = 0; i < table->n_columns; i++) {
        table->numbers[i] = headings[i][0] == '>';
        g_ptr_array_add(table->cells, g_strdup(headings[i] + (table->numbers[i] ? 1 : 0)));
    }
    return table;
}

void
lp_ctl_table_free(LpCtlTable *table)
{
    if (table == NULL)
        return;
    g_ptr_array_unref(table->cells);
    g_free(table->numbers);
    g_free(table);
}

void
lp_ctl_table_take(LpCtlTable *table, ...)
{
    va_list cells;

    va_start(cells, table);
    for (guint i = 0; i < table->n_columns; i++) {
        g_autofree char *cell = va_arg(cells, char *);

        g_ptr_array_add(table->cells, lp_ctl_text_clean(cell));
    }
    va_end(cells);
}

guint
lp_ctl_table_rows(const LpCtlTable *table)
{
    return table->cells->len / table->n_columns - 1;
}

/* The widest column that may still be cut; -1: none. */
static int
widest(const LpCtlTable *table, const guint *widths, bool numbers, guint least)
{
    int found = -1;

    for (guint i = 0; i < table->n_columns; i++) {
        if (table->numbers[i] == numbers && widths[i] > least &&
            (found < 0 || widths[i] > widths[found]))
            found = (int)i;
    }
    return found;
}

static void
fit(const LpCtlTable *table, guint columns, guint *widths)
{
    guint total = GAP * (table->n_columns - 1);

    for (guint i = 0; i < table->cells->len; i++) {
        guint width = (guint)g_utf8_strlen(g_ptr_array_index(table->cells, i), -1);

        widths[i % table->n_columns] = MAX(widths[i % table->n_columns], width);
    }
    for (guint i = 0; i < table->n_columns; i++)
        total += widths[i];
    while (total > columns) {
        int cut = widest(table, widths, false, TEXT_MIN);

        if (cut < 0)
            cut = widest(table, widths, true, 1);
        if (cut < 0)
            cut = widest(table, widths, false, 1);
        if (cut < 0)
            return;
        widths[cut]--;
        total--;
    }
}

static void
print_cell(GString *out, const char *cell, guint width, bool number, bool last)
{
    guint length = (guint)g_utf8_strlen(cell, -1);

    if (length > width) {
        g_string_append_len(out, cell, g_utf8_offset_to_pointer(cell, width - 1) - cell);
        g_string_append_c(out, '~');
        length = width;
    } else {
        if (number)
            g_string_append_printf(out, "%*s", (int)(width - length), "");
        g_string_append(out, cell);
    }
    if (last)
        return;
    if (!number)
        g_string_append_printf(out, "%*s", (int)(width - length), "");
    g_string_append_printf(out, "%*s", GAP, "");
}

void
lp_ctl_table_print(const LpCtlTable *table, guint columns, const char *indent, GString *out)
{
    g_autofree guint *widths = g_new0(guint, table->n_columns);

    fit(table, columns - (guint)strlen(indent), widths);
    for (guint i = 0; i < table->cells->len; i++) {
        guint column = i % table->n_columns;
        bool last = column + 1 == table->n_columns;

        if (column == 0)
            g_string_append(out, indent);
        print_cell(out, g_ptr_array_index(table->cells, i), widths[column], table->numbers[column],
                   last);
        if (last)
            g_string_append_c(out, '\n');
    }
}
