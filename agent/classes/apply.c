#include "agent/classes/apply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/classes/kernel.h"
#include "agent/classes/record.h"
#include "agent/classes/share.h"

/* One run's: some 100 KiB, too much for a stack. */
static LpClassPlan plan;
static LpClassRecord record;
static LpClassKernel kernel;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
say(const char *format, ...)
{
    va_list args;

    fputs("lpar-agent-classes: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static bool
say_error(void)
{
    say("%s", kernel.error);
    return false;
}

static bool
needs_memory(const LpClassTable *table)
{
    for (uint32_t i = 0; i < table->n_classes; i++)
        if (table->classes[i].mem_min > 0 || table->classes[i].mem_max < 100)
            return true;
    return false;
}

/* A service's cgroup is systemd's to make. */
static bool
absent(const LpClassTable *table, const LpClassGroup *group)
{
    return group->class >= 0 && table->classes[group->class].is_service &&
           !lp_kernel_has(&kernel, group->path);
}

/* Before anything is touched. */
static bool
all_permitted(const LpClassTable *table)
{
    for (uint32_t i = 0; i < plan.n_groups; i++) {
        const LpClassGroup *group = &plan.groups[i];

        if (group->class < 0)
            continue;
        if (absent(table, group)) {
            say("class %s: %s is not running, or has no cgroup of its own",
                table->classes[group->class].name, strrchr(group->path, '/') + 1);
            continue;
        }
        if (!lp_kernel_may(&kernel, group->path))
            return say_error();
    }
    return true;
}

/* The record is ahead of what is done, so that nothing that is set can be forgotten. */
static bool
keep_record(const char *list)
{
    int error = lp_class_record_write(list, &record);

    if (error != 0)
        say("%s: the record beside it cannot be written: %s", list, strerror(error));
    return error == 0;
}

static bool
mark_groups(void)
{
    for (uint32_t i = 0; i < plan.n_groups; i++) {
        const LpClassGroup *group = &plan.groups[i];
        LpClassMark *mark = lp_class_record_add(&record, group->path, group->class >= 0);

        if (mark == NULL) {
            say("too many cgroups are left of earlier classes: clear them first");
            return false;
        }
        /* What was a class and is now above some has the limits of a class still. */
        if (mark->is_class && group->class < 0 && lp_kernel_has(&kernel, group->path) &&
            !lp_kernel_reset(&kernel, group->path, true))
            return say_error();
        mark->is_class = group->class >= 0;
    }
    return true;
}

/* Makes the class's cgroup and those above it that are missing, from the top. */
static bool
make_class(const char *path, const char *list)
{
    char part[LP_CLASS_PATH_MAX];

    for (size_t length = strcspn(path, "/");; length += 1 + strcspn(path + length + 1, "/")) {
        snprintf(part, sizeof(part), "%.*s", (int)length, path);
        if (!lp_kernel_has(&kernel, part)) {
            lp_class_record_find(&record, part)->made = true;
            if (!keep_record(list))
                return false;
            if (!lp_kernel_make(&kernel, part))
                return say_error();
        }
        if (path[length] == '\0')
            return true;
    }
}

static bool
make_groups(const LpClassTable *table, const char *list)
{
    for (uint32_t i = 0; i < plan.n_groups; i++) {
        const LpClassGroup *group = &plan.groups[i];

        if (group->class < 0 || absent(table, group))
            continue;
        if (!lp_kernel_hand_down(&kernel, group->path))
            return say_error();
        if (!table->classes[group->class].is_service && !make_class(group->path, list))
            return false;
    }
    return true;
}

static int
set_groups(void)
{
    int status = 0;

    for (uint32_t i = 0; i < plan.n_groups; i++) {
        if (!lp_kernel_has(&kernel, plan.groups[i].path))
            continue;
        switch (lp_kernel_set(&kernel, &plan.groups[i])) {
        case LP_KERNEL_SET:
            break;
        case LP_KERNEL_OVER:
            say_error();
            status = LP_CLASSES_EXIT_OVER;
            break;
        case LP_KERNEL_FAILED:
            say_error();
            return LP_CLASSES_EXIT_FAILED;
        }
    }
    return status;
}

static bool
planned(const char *path)
{
    for (uint32_t i = 0; i < plan.n_groups; i++)
        if (strcmp(plan.groups[i].path, path) == 0)
            return true;
    return false;
}

/* Takes one mark back; true if nothing of it is left. */
static bool
let_go(const LpClassMark *mark)
{
    if (!lp_kernel_has_part(&kernel, mark->path))
        return true;
    if (mark->made && lp_kernel_remove(&kernel, mark->path))
        return true;
    if (lp_kernel_has(&kernel, mark->path) &&
        !lp_kernel_reset(&kernel, mark->path, mark->is_class))
        return say_error();
    /* Without limits, but still this program's to remove when it is empty. */
    return !mark->made;
}

/* All that was set once and is not in the plan.  Those below go before those above: the longer
 * of two such paths. */
static void
let_others_go(void)
{
    for (size_t length = LP_CLASS_PATH_MAX; length > 0; length--)
        for (size_t i = 0; i < record.n_marks;) {
            LpClassMark *mark = &record.marks[i];

            if (strlen(mark->path) == length && !planned(mark->path) && let_go(mark))
                *mark = record.marks[--record.n_marks];
            else
                i++;
        }
}

int
lp_classes_apply(const LpClassTable *table, uint32_t cpus, uint64_t bytes, const char *list)
{
    int status, error;

    if (!lp_kernel_open(&kernel, needs_memory(table))) {
        say_error();
        return LP_CLASSES_EXIT_FAILED;
    }
    lp_class_plan(table, cpus, bytes, &plan);
    lp_class_record_read(list, &record);
    if (!all_permitted(table) || !mark_groups() || !keep_record(list) || !make_groups(table, list))
        return LP_CLASSES_EXIT_FAILED;
    status = set_groups();
    let_others_go();
    if (!keep_record(list))
        return LP_CLASSES_EXIT_FAILED;
    error = lp_class_list_write(list, table, &kernel);
    if (error != 0) {
        say("%s cannot be written: %s", list, strerror(error));
        status = LP_CLASSES_EXIT_FAILED;
    }
    lp_kernel_close(&kernel);
    return status;
}

int
lp_classes_clear(const char *list)
{
    static const LpClassTable nothing;

    lp_class_record_read(list, &record);
    if (record.n_marks == 0)
        return 0;
    return lp_classes_apply(&nothing, 1, 0, list);
}
