/* Results as an aligned table. */
#include <string.h>

#include "lpard/sim/report-priv.h"

#define GAP 2
/* The policy's name, and how large the host is. */
#define KEYS 2

typedef struct {
    GPtrArray *cells;                      /* of text, row by row */
    size_t columns;
} Table;

static void
add(Table *table, const char *text)
{
    g_ptr_array_add(table->cells, g_strdup(text));
}

static void
heads(Table *table, bool cpu)
{
    add(table, cpu ? "processors" : "memory");
    add(table, "host");
    for (size_t i = 0; i < lp_report_n_columns; i++)
        if (!cpu || lp_report_columns[i].cpu)
            add(table, lp_report_columns[i].head);
    table->columns = table->cells->len;
    add(table, "");
    add(table, "x peak");
    for (size_t i = 0; i < lp_report_n_columns; i++)
        if (!cpu || lp_report_columns[i].cpu)
            add(table, lp_report_columns[i].unit);
}

static void
row(Table *table, const LpSimResult *result, bool cpu)
{
    char text[LP_REPORT_TEXT];

    add(table, result->policy ? result->policy : "-");
    add(table, lp_report_number(cpu ? result->cpu_ratio : result->memory_ratio, text, sizeof text));
    for (size_t i = 0; i < lp_report_n_columns; i++) {
        const LpReportColumn *column = &lp_report_columns[i];

        if (!cpu || column->cpu)
            add(table, lp_report_figure(column, result, cpu, text, sizeof text));
    }
}

static size_t
width(const Table *table, size_t column)
{
    size_t most = 0;

    for (size_t i = column; i < table->cells->len; i += table->columns)
        most = MAX(most, (size_t) g_utf8_strlen(table->cells->pdata[i], -1));
    return most;
}

/* Names to the left, figures to the right. */
static void
print(const Table *table, GString *out)
{
    for (size_t i = 0; i < table->cells->len; i++) {
        const char *text = table->cells->pdata[i];
        size_t column = i % table->columns;
        int pad = (int) (width(table, column) - (size_t) g_utf8_strlen(text, -1));

        if (column == 0)
            g_string_append_printf(out, "%s%*s", text, pad, "");
        else
            g_string_append_printf(out, "%*s%s", GAP + pad, "", text);
        if (column == table->columns - 1)
            g_string_append_c(out, '\n');
    }
}

static void
table_of(const LpSimResult *results, size_t n, bool cpu, GString *out)
{
    Table table = { g_ptr_array_new_with_free_func(g_free), 0 };

    heads(&table, cpu);
    for (size_t i = 0; i < n; i++)
        row(&table, &results[i], cpu);
    print(&table, out);
    g_ptr_array_unref(table.cells);
}

char *
lp_report_table(const LpSimResult *results, size_t n)
{
    GString *out = g_string_new(NULL);

    table_of(results, n, false, out);
    if (lp_report_has_cpu(results, n)) {
        g_string_append_c(out, '\n');
        table_of(results, n, true, out);
    }
    for (size_t i = 0; i < n; i++)
        if (results[i].broken > 0)
            g_string_append_printf(out, "\n%s broke an invariant: %s\n",
                                   results[i].policy ? results[i].policy : "-",
                                   results[i].first_broken);
    return g_string_free(out, FALSE);
}
