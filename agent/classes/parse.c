#include "agent/classes/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LP_CLASS_LINE_MAX 512        /* a path and its key, with room for indentation */

typedef struct {
    LpClassTable *table;
    LpClass *open;                   /* the class whose section this is; NULL: none, or a bad one */
    bool lost;                       /* the heading was wrong: its keys are skipped */
    uint32_t seen;                   /* keys of the open class, by their place in `keys` */
    uint32_t line;
    bool faulty;
    LpClassFault fault;
    void *data;
} Parser;

static void complain(Parser *parser, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
complain(Parser *parser, uint32_t line, const char *format, ...)
{
    char why[LP_CLASS_LINE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    parser->faulty = true;
    parser->fault(parser->data, line, why);
}

/* Letters and digits of ASCII, whatever the locale, and the few others given. */
static bool
made_of(const char *text, const char *others)
{
    for (const char *p = text; *p != '\0'; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              strchr(others, *p) != NULL))
            return false;
    return true;
}

static bool
take_number(Parser *parser, const char *key, const char *value, bool percent, uint32_t min,
            uint32_t max, uint32_t *ret_number)
{
    char digits[LP_CLASS_LINE_MAX];
    size_t length = strlen(value);
    unsigned long number;

    memcpy(digits, value, length + 1);
    if (percent && length > 0 && digits[length - 1] == '%')
        digits[--length] = '\0';
    number = strtoul(digits, NULL, 10);
    /* Nine digits fit any type; more are out of every range. */
    if (length == 0 || length > 9 || strspn(digits, "0123456789") != length || number < min ||
        number > max) {
        complain(parser, parser->line, "%s must be a whole number from %u to %u%s, not \"%s\"", key,
                 min, max, percent ? " (percent)" : "", value);
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

static void
take_cpu_min(Parser *parser, const char *key, const char *value)
{
    take_number(parser, key, value, true, 0, 100, &parser->open->cpu_min);
}

static void
take_cpu_max(Parser *parser, const char *key, const char *value)
{
    take_number(parser, key, value, true, 1, 100, &parser->open->cpu_max);
}

static void
take_mem_min(Parser *parser, const char *key, const char *value)
{
    take_number(parser, key, value, true, 0, 100, &parser->open->mem_min);
}

static void
take_mem_max(Parser *parser, const char *key, const char *value)
{
    take_number(parser, key, value, true, 1, 100, &parser->open->mem_max);
}

static void
take_weight(Parser *parser, const char *key, const char *value)
{
    take_number(parser, key, value, false, 1, LP_CLASS_WEIGHT_MAX, &parser->open->weight);
}

static bool
has_member(Parser *parser)
{
    if (parser->open->path[0] == '\0')
        return false;
    complain(parser, parser->line, "class %s has its cgroup already: a class is one cgroup or one "
             "service", parser->open->name);
    return true;
}

/* NULL, or what is wrong with it. */
static const char *
path_fault(const char *path)
{
    unsigned depth = 0;

    if (strlen(path) >= LP_CLASS_PATH_MAX)
        return "is too long";
    /* No space, no quote, nothing that a list of words could stumble over. */
    if (!made_of(path, "/._-:@\\+"))
        return "has characters other than letters, digits and / . _ - : @ \\ +";
    for (const char *p = path; *p != '\0'; p += strcspn(p, "/"), p += *p == '/') {
        size_t length = strcspn(p, "/");

        if (length == 0 || (length == 1 && p[0] == '.') || (length == 2 && memcmp(p, "..", 2) == 0))
            return "has an empty part, . or ..";
        depth++;
    }
    if (depth == 0)
        return "is the root: it cannot be limited";
    return depth > LP_CLASS_DEPTH_MAX ? "is too deep" : NULL;
}

static void
take_cgroup(Parser *parser, const char *key, const char *value)
{
    const char *path = value, *fault;
    size_t length;

    (void)key;
    if (has_member(parser))
        return;
    if (*path == '/')
        path++;
    fault = *value == '\0' ? "is missing" : path_fault(path);
    if (fault != NULL) {
        complain(parser, parser->line, "cgroup \"%s\" %s", value, fault);
        return;
    }
    length = strlen(path);
    memcpy(parser->open->path, path, length + 1);
    if (path[length - 1] == '/')
        parser->open->path[length - 1] = '\0';
}

static void
take_service(Parser *parser, const char *key, const char *value)
{
    static const char above[] = "system.slice/", ending[] = ".service";
    size_t length = strlen(value), tail = sizeof(ending) - 1;

    (void)key;
    if (has_member(parser))
        return;
    if (length <= tail || strcmp(value + length - tail, ending) != 0 ||
        !made_of(value, "._-:@\\") || sizeof(above) + length > LP_CLASS_PATH_MAX) {
        complain(parser, parser->line, "service must be the name of a unit, NAME.service, not "
                 "\"%s\"", value);
        return;
    }
    parser->open->is_service = true;
    memcpy(parser->open->path, above, sizeof(above) - 1);
    memcpy(parser->open->path + sizeof(above) - 1, value, length + 1);
}

static const struct {
    const char *name;
    void (*take)(Parser *parser, const char *key, const char *value);
} keys[] = {
    { "cgroup", take_cgroup },   { "service", take_service }, { "cpu-min", take_cpu_min },
    { "cpu-max", take_cpu_max }, { "weight", take_weight },   { "mem-min", take_mem_min },
    { "mem-max", take_mem_max },
};

static void
take_key(Parser *parser, const char *key, const char *value)
{
    for (uint32_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i].name, key) != 0)
            continue;
        if (parser->seen & (1u << i))
            complain(parser, parser->line, "%s is given twice", key);
        else
            keys[i].take(parser, key, value);
        parser->seen |= 1u << i;
        return;
    }
    complain(parser, parser->line, "unknown key \"%s\"", key);
}

static LpClass *
find(LpClassTable *table, const char *name)
{
    for (uint32_t i = 0; i < table->n_classes; i++)
        if (strcmp(table->classes[i].name, name) == 0)
            return &table->classes[i];
    return NULL;
}

static void
open_class(Parser *parser, const char *name)
{
    LpClassTable *table = parser->table;
    const LpClass *other;

    parser->open = NULL;
    parser->lost = true;
    if (name[0] == '\0' || strlen(name) >= LP_WIRE_NAME_MAX || !made_of(name, "._-") ||
        strchr("._-", name[0]) != NULL) {
        complain(parser, parser->line, "a class is named by at most %d letters, digits, . _ and -, "
                 "the first a letter or digit, not by \"%s\"", LP_WIRE_NAME_MAX - 1, name);
        return;
    }
    other = find(table, name);
    if (other != NULL) {
        complain(parser, parser->line, "class %s is there already, at line %u", name, other->line);
        return;
    }
    if (table->n_classes == LP_WIRE_CLASSES_MAX) {
        complain(parser, parser->line, "more than %d classes", LP_WIRE_CLASSES_MAX);
        return;
    }
    parser->open = &table->classes[table->n_classes++];
    *parser->open = (LpClass){ .line = parser->line, .cpu_max = 100, .mem_max = 100,
                               .weight = LP_CLASS_WEIGHT_DEFAULT };
    memcpy(parser->open->name, name, strlen(name) + 1);
    parser->lost = false;
    parser->seen = 0;
}

static char *
trim(char *text)
{
    size_t length;

    text += strspn(text, " \t");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

static void
take_heading(Parser *parser, char *heading)
{
    size_t length = strlen(heading);

    parser->open = NULL;
    parser->lost = true;
    if (heading[length - 1] != ']') {
        complain(parser, parser->line, "a heading ends with ]");
        return;
    }
    heading[length - 1] = '\0';
    heading = trim(heading + 1);
    if (strncmp(heading, "class", 5) != 0 || (heading[5] != ' ' && heading[5] != '\t')) {
        complain(parser, parser->line, "a heading is [class NAME], not [%s]", heading);
        return;
    }
    open_class(parser, trim(heading + 5));
}

static void
take_line(Parser *parser, char *line)
{
    char *equals;

    line = trim(line);
    if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
        return;
    if (line[0] == '[') {
        take_heading(parser, line);
        return;
    }
    equals = strchr(line, '=');
    if (equals == NULL) {
        complain(parser, parser->line, "neither [class NAME] nor KEY = VALUE");
        return;
    }
    if (parser->open == NULL) {
        if (!parser->lost)
            complain(parser, parser->line, "a key before the first [class NAME]");
        return;
    }
    *equals = '\0';
    take_key(parser, trim(line), trim(equals + 1));
}

/* Whether b is a's cgroup or below it. */
static bool
holds(const LpClass *a, const LpClass *b)
{
    size_t length = strlen(a->path);

    return length > 0 && strncmp(a->path, b->path, length) == 0 &&
           (b->path[length] == '\0' || b->path[length] == '/');
}

static void
check_class(Parser *parser, const LpClass *class)
{
    if (class->path[0] == '\0')
        complain(parser, class->line, "class %s has no member: cgroup = PATH or service = "
                 "NAME.service", class->name);
    if (class->cpu_min > class->cpu_max)
        complain(parser, class->line, "class %s: cpu-min %u %% is above cpu-max %u %%", class->name,
                 class->cpu_min, class->cpu_max);
    if (class->mem_min > class->mem_max)
        complain(parser, class->line, "class %s: mem-min %u %% is above mem-max %u %%", class->name,
                 class->mem_min, class->mem_max);
}

static void
check_apart(Parser *parser, const LpClass *first, const LpClass *second)
{
    if (strcmp(first->path, second->path) == 0 && first->path[0] != '\0')
        complain(parser, second->line, "class %s has the cgroup of class %s", second->name,
                 first->name);
    else if (holds(first, second))
        complain(parser, second->line, "the cgroup of class %s is inside that of class %s",
                 second->name, first->name);
    else if (holds(second, first))
        complain(parser, second->line, "the cgroup of class %s is inside that of class %s",
                 first->name, second->name);
}

/* Named at the class that brings a sum over 100. */
static void
check_sums(Parser *parser)
{
    const LpClassTable *table = parser->table;
    uint32_t cpu = 0, mem = 0;

    for (uint32_t i = 0; i < table->n_classes; i++) {
        const LpClass *class = &table->classes[i];

        if (cpu <= 100 && cpu + class->cpu_min > 100)
            complain(parser, class->line, "with class %s the sum of cpu-min is %u %%, over 100 %%",
                     class->name, cpu + class->cpu_min);
        if (mem <= 100 && mem + class->mem_min > 100)
            complain(parser, class->line, "with class %s the sum of mem-min is %u %%, over 100 %%",
                     class->name, mem + class->mem_min);
        cpu += class->cpu_min;
        mem += class->mem_min;
    }
}

static void
take_text(Parser *parser, const char *text, size_t length)
{
    char line[LP_CLASS_LINE_MAX];

    while (length > 0) {
        const char *newline = memchr(text, '\n', length);
        size_t used = newline != NULL ? (size_t)(newline - text) : length;

        parser->line++;
        if (used >= sizeof(line)) {
            complain(parser, parser->line, "the line is too long");
        } else if (memchr(text, '\0', used) != NULL) {
            complain(parser, parser->line, "the line holds a NUL byte");
        } else {
            memcpy(line, text, used);
            line[used] = '\0';
            take_line(parser, line);
        }
        if (newline != NULL)
            used++;
        text += used;
        length -= used;
    }
}

bool
lp_class_parse(const char *text, size_t length, LpClassTable *ret_table, LpClassFault fault,
               void *data)
{
    Parser parser = { .table = ret_table, .fault = fault, .data = data };

    ret_table->n_classes = 0;
    if (length > LP_CLASS_FILE_MAX) {
        complain(&parser, 1, "the file is larger than %d bytes", LP_CLASS_FILE_MAX);
        return false;
    }
    take_text(&parser, text, length);
    for (uint32_t i = 0; i < ret_table->n_classes; i++) {
        check_class(&parser, &ret_table->classes[i]);
        for (uint32_t j = 0; j < i; j++)
            check_apart(&parser, &ret_table->classes[j], &ret_table->classes[i]);
    }
    check_sums(&parser);
    return !parser.faulty;
}
