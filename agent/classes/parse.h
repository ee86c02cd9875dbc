/* classes.conf: how a partition's processors and memory are divided among workload classes.
 * Pure: text in, values out. */
#ifndef LP_AGENT_CLASSES_PARSE_H
#define LP_AGENT_CLASSES_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/wire/wire.h"

#define LP_CLASS_FILE_MAX 65536      /* far more than LP_WIRE_CLASSES_MAX classes need */
/* With a mount point and a file's name it stays below LP_PATH_MAX of agent/files.h. */
#define LP_CLASS_PATH_MAX 160
#define LP_CLASS_DEPTH_MAX 8         /* components of a path */
#define LP_CLASS_WEIGHT_DEFAULT 100
#define LP_CLASS_WEIGHT_MAX 10000

/* A class is one cgroup; percentages are of the whole partition. */
typedef struct {
    char name[LP_WIRE_NAME_MAX];
    char path[LP_CLASS_PATH_MAX];    /* of its cgroup below the root, without a leading slash */
    bool is_service;                 /* systemd makes and removes the cgroup */
    uint32_t line;                   /* where it begins */
    uint32_t cpu_min, cpu_max;       /* 0..100, 1..100 */
    uint32_t mem_min, mem_max;
    uint32_t weight;                 /* of what no class's cpu_min takes */
} LpClass;

typedef struct {
    uint32_t n_classes;
    LpClass classes[LP_WIRE_CLASSES_MAX];
} LpClassTable;

/* Told of each fault: the line, from 1, and why. */
typedef void (*LpClassFault)(void *data, uint32_t line, const char *why);

/* Understands `length` bytes of text (any bytes).  False if there is any fault; *ret_table then
 * means nothing. */
bool lp_class_parse(const char *text, size_t length, LpClassTable *ret_table, LpClassFault fault,
                    void *data);

#endif
