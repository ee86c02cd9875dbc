/* Columns that fit LP_CTL_COLUMNS. */
#ifndef LP_CTL_TABLE_H
#define LP_CTL_TABLE_H

#include <glib.h>

typedef struct LpCtlTable LpCtlTable;

/* One heading for each column; a leading '>' marks a column of numbers, set to the right. */
LpCtlTable *lp_ctl_table_new(const char *const *headings);
void lp_ctl_table_free(LpCtlTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpCtlTable, lp_ctl_table_free)

/* Takes each text (NULL: "-"), one for each column, in order. */
void lp_ctl_table_take(LpCtlTable *table, ...);
guint lp_ctl_table_rows(const LpCtlTable *table);

/* Appends all lines, each at most `columns` wide: texts are cut, with a '~', only where that
 * is needed, and numbers only when no text is left to cut. */
void lp_ctl_table_print(const LpCtlTable *table, guint columns, const char *indent, GString *out);

#endif
