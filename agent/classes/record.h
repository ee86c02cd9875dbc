/* What apply leaves for others: the list of classes for whoever reads their use, and for its own
 * next run the record of what it has set, so that a class that is configured no longer is let go.
 * Both are in /run, and end with the boot as cgroups do. */
#ifndef LP_AGENT_CLASSES_RECORD_H
#define LP_AGENT_CLASSES_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/classes/kernel.h"
#include "agent/classes/parse.h"

typedef struct {
    char path[LP_CLASS_PATH_MAX];
    bool is_class;                   /* else a cgroup above classes */
    bool made;                       /* by apply, which may remove it */
} LpClassMark;

/* Twice a plan: what one run has set and the next has not taken back. */
#define LP_CLASS_MARKS_MAX (2 * LP_CLASS_GROUPS_MAX)

typedef struct {
    size_t n_marks;
    LpClassMark marks[LP_CLASS_MARKS_MAX];
} LpClassRecord;

LpClassMark *lp_class_record_find(LpClassRecord *record, const char *path);
/* The mark of that path, added if it is not there; NULL: no room. */
LpClassMark *lp_class_record_add(LpClassRecord *record, const char *path, bool is_class);

/* The record beside `list`.  None, or one that cannot be understood: empty. */
void lp_class_record_read(const char *list, LpClassRecord *ret_record);
/* 0 or an errno; whoever reads finds the old one or the new. */
int lp_class_record_write(const char *list, const LpClassRecord *record);
/* A line a class: "name cpu-file mem-file".  An empty table removes the list. */
int lp_class_list_write(const char *list, const LpClassTable *table, const LpClassKernel *kernel);

#endif
