#include "agent/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/files.h"
#include "agent/log.h"

#define LP_MEM_DIR "devices/system/memory"

/* A round of bringing blocks online. */
typedef struct {
    LpMemory *memory;
    bool bring;                    /* else only count */
    bool is_auto, knows_zones;
    LpZones zones;
    unsigned failed;
    char *error;
    size_t error_size;
} LpSweep;

void
lp_memory_init(LpMemory *memory, const char *sysfs, const char *procfs, const LpConf *conf)
{
    char text[32];

    memset(memory, 0, sizeof(*memory));
    memory->sysfs = sysfs;
    memory->procfs = procfs;
    memory->conf = conf;
    memory->policy = LP_WIRE_MEM_MOVABLE;
    memory->stale = true;
    /* Hexadecimal without a prefix, unlike its neighbours. */
    if (lp_file_read(text, sizeof(text), "%s/" LP_MEM_DIR "/block_size_bytes", sysfs) > 0)
        memory->block_bytes = strtoull(text, NULL, 16);
}

static bool
is_offline(const LpMemory *memory, uint32_t block)
{
    char state[32];

    return lp_file_read(state, sizeof(state), "%s/" LP_MEM_DIR "/memory%u/state",
                        memory->sysfs, block) > 0 &&
           strcmp(state, "offline") == 0;
}

/* Whether arriving blocks are the agent's to bring online, rather than the kernel's or nobody's. */
static bool
is_ours(const LpMemory *memory)
{
    char text[32];

    if (memory->policy == LP_WIRE_MEM_LEAVE)
        return false;
    return lp_file_read(text, sizeof(text), "%s/" LP_MEM_DIR "/auto_online_blocks",
                        memory->sysfs) < 0 ||
           strcmp(text, "offline") == 0;
}

/* What a round needs to know; once, for each block costs no more than its own file then. */
static void
begin_sweep(LpSweep *sweep, LpMemory *memory)
{
    char text[32];

    memset(sweep, 0, sizeof(*sweep));
    sweep->memory = memory;
    sweep->bring = is_ours(memory);
    if (!sweep->bring || memory->policy != LP_WIRE_MEM_AUTO)
        return;
    /* Linux 5.15 and later can do the same, and know each device's memory apart. */
    if (lp_file_read(text, sizeof(text), "%s/module/memory_hotplug/parameters/online_policy",
                     memory->sysfs) > 0 &&
        strcmp(text, "auto-movable") == 0)
        sweep->is_auto = true;
    else
        sweep->knows_zones = lp_zones_read(memory->procfs, &sweep->zones);
}

static void
note_node(uint32_t node, void *data)
{
    *(int *)data = (int)node;
}

/* The NUMA node of a block, or -1. */
static int
node_of(const LpMemory *memory, uint32_t block)
{
    char path[LP_PATH_MAX];
    int node = -1;

    snprintf(path, sizeof(path), "%s/" LP_MEM_DIR "/memory%u", memory->sysfs, block);
    lp_file_each(path, "node", note_node, &node);
    return node;
}

static int
write_state(const LpMemory *memory, uint32_t block, const char *state)
{
    return lp_file_write(state, "%s/" LP_MEM_DIR "/memory%u/state", memory->sysfs, block);
}

static const char *
choose_state(const LpSweep *sweep, int node)
{
    const LpMemory *memory = sweep->memory;

    if (sweep->is_auto)
        return "online";
    if (memory->policy == LP_WIRE_MEM_KERNEL ||
        (sweep->knows_zones &&
         !lp_zones_fits_movable(&sweep->zones, node, memory->block_bytes,
                                memory->conf->movable_ratio_percent)))
        return "online_kernel";
    return "online_movable";
}

/* 0 or the errno of a block that stayed offline. */
static int
bring_online(LpSweep *sweep, uint32_t block)
{
    LpMemory *memory = sweep->memory;
    int node = sweep->knows_zones ? node_of(memory, block) : -1, problem;
    const char *state = choose_state(sweep, node);

    problem = write_state(memory, block, state);
    /* The zone may be closed to it (old kernels keep zones apart); any zone beats none. */
    if (problem == EINVAL && memory->policy != LP_WIRE_MEM_KERNEL) {
        state = "online";
        problem = write_state(memory, block, state);
    }
    if (problem == 0)
        lp_zones_add(&sweep->zones, node, memory->block_bytes,
                     strcmp(state, "online_movable") == 0);
    /* A block that went away meanwhile, or that somebody else brought online, is no failure. */
    if (problem != 0 && !is_offline(memory, block))
        problem = 0;
    if (problem != 0)
        lp_log_warn("memory%u cannot be brought online: %s", block, strerror(problem));
    else
        lp_log_info("memory%u: %s", block, state);
    return problem;
}

void
lp_memory_arrived(LpMemory *memory, const uint32_t *blocks, unsigned n_blocks)
{
    LpSweep sweep;

    if (n_blocks == 0)
        return;
    memory->stale = true;
    begin_sweep(&sweep, memory);
    for (unsigned i = 0; sweep.bring && i < n_blocks; i++) {
        if (is_offline(memory, blocks[i]))
            bring_online(&sweep, blocks[i]);
    }
}

static void
sweep_one(uint32_t block, void *data)
{
    LpSweep *sweep = data;
    LpMemory *memory = sweep->memory;
    int problem = 0;

    if (!is_offline(memory, block))
        return;
    if (sweep->bring) {
        problem = bring_online(sweep, block);
        if (problem == 0)
            return;
        if (sweep->failed++ == 0 && sweep->error_size > 0 && sweep->error[0] == '\0')
            snprintf(sweep->error, sweep->error_size, "memory%u cannot be brought online: %s",
                     block, strerror(problem));
    }
    memory->offline_blocks++;
}

static void
sweep_all(LpSweep *sweep)
{
    LpMemory *memory = sweep->memory;
    char path[LP_PATH_MAX];

    memory->offline_blocks = 0;
    memory->stale = false;
    if (memory->block_bytes == 0)
        return;
    snprintf(path, sizeof(path), "%s/" LP_MEM_DIR, memory->sysfs);
    lp_file_each(path, "memory", sweep_one, sweep);
}

unsigned
lp_memory_sweep(LpMemory *memory, char *error, size_t error_size)
{
    LpSweep sweep;

    begin_sweep(&sweep, memory);
    sweep.error = error;
    sweep.error_size = error_size;
    sweep_all(&sweep);
    return sweep.failed;
}

uint64_t
lp_memory_offline_bytes(LpMemory *memory)
{
    LpSweep sweep = { .memory = memory };

    if (memory->stale)
        sweep_all(&sweep);
    return memory->offline_blocks * memory->block_bytes;
}
