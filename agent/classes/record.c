#include "agent/classes/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/files.h"

#define LP_RECORD_SUFFIX ".set"

LpClassMark *
lp_class_record_find(LpClassRecord *record, const char *path)
{
    for (size_t i = 0; i < record->n_marks; i++)
        if (strcmp(record->marks[i].path, path) == 0)
            return &record->marks[i];
    return NULL;
}

LpClassMark *
lp_class_record_add(LpClassRecord *record, const char *path, bool is_class)
{
    LpClassMark *mark = lp_class_record_find(record, path);

    if (mark == NULL) {
        if (record->n_marks == LP_CLASS_MARKS_MAX)
            return NULL;
        mark = &record->marks[record->n_marks++];
        *mark = (LpClassMark){ .is_class = is_class };
        snprintf(mark->path, sizeof(mark->path), "%s", path);
    }
    return mark;
}

void
lp_class_record_read(const char *list, LpClassRecord *ret_record)
{
    char path[LP_PATH_MAX], line[LP_CLASS_PATH_MAX + 16];
    FILE *file;

    ret_record->n_marks = 0;
    snprintf(path, sizeof(path), "%s" LP_RECORD_SUFFIX, list);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        char kind[8], origin[8], group[LP_CLASS_PATH_MAX];
        LpClassMark *mark;

        if (sscanf(line, "%7s %7s %159s", kind, origin, group) != 3)
            continue;
        mark = lp_class_record_add(ret_record, group, strcmp(kind, "class") == 0);
        if (mark != NULL)
            mark->made = strcmp(origin, "made") == 0;
    }
    fclose(file);
}

/* The directory may be this program's to make: it can run before the agent has a socket there. */
static FILE *
open_new(const char *path, char *new_path, size_t size)
{
    char directory[LP_PATH_MAX];
    char *slash;

    snprintf(directory, sizeof(directory), "%s", path);
    slash = strrchr(directory, '/');
    if (slash != NULL && slash != directory) {
        *slash = '\0';
        mkdir(directory, 0755);
    }
    if (snprintf(new_path, size, "%s.new", path) >= (int)size) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return fopen(new_path, "we");
}

static int
close_new(FILE *file, const char *path, const char *new_path)
{
    bool bad = ferror(file) != 0;
    int error = 0;

    if (fclose(file) != 0 || bad || rename(new_path, path) < 0) {
        error = errno != 0 ? errno : EIO;
        unlink(new_path);
    }
    return error;
}

static int
drop(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
}

int
lp_class_record_write(const char *list, const LpClassRecord *record)
{
    char path[LP_PATH_MAX], new_path[LP_PATH_MAX];
    FILE *file;

    snprintf(path, sizeof(path), "%s" LP_RECORD_SUFFIX, list);
    if (record->n_marks == 0)
        return drop(path);
    file = open_new(path, new_path, sizeof(new_path));
    if (file == NULL)
        return errno;
    for (size_t i = 0; i < record->n_marks; i++)
        fprintf(file, "%s %s %s\n", record->marks[i].is_class ? "class" : "above",
                record->marks[i].made ? "made" : "found", record->marks[i].path);
    return close_new(file, path, new_path);
}

int
lp_class_list_write(const char *list, const LpClassTable *table, const LpClassKernel *kernel)
{
    char new_path[LP_PATH_MAX], cpu_file[LP_PATH_MAX], mem_file[LP_PATH_MAX];
    FILE *file;

    if (table->n_classes == 0)
        return drop(list);
    file = open_new(list, new_path, sizeof(new_path));
    if (file == NULL)
        return errno;
    for (uint32_t i = 0; i < table->n_classes; i++) {
        lp_kernel_use_files(kernel, table->classes[i].path, cpu_file, mem_file, LP_PATH_MAX);
        fprintf(file, "%s %s %s\n", table->classes[i].name, cpu_file, mem_file);
    }
    return close_new(file, list, new_path);
}
