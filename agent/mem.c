#include "agent/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/files.h"
#include "agent/log.h"

#define LP_MEM_DIR "devices/system/memory"

typedef struct {
    LpMemory *memory;
    bool bring;                    /* else only count */
    unsigned failed;
    char *error;
    size_t error_size;
} LpSweep;

void
lp_memory_init(LpMemory *memory, const char *sysfs)
{
    char text[32];

    memset(memory, 0, sizeof(*memory));
    memory->sysfs = sysfs;
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

/* Whether arriving blocks are ours to bring online. */
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

static int
write_state(const LpMemory *memory, uint32_t block, const char *state)
{
    return lp_file_write(state, "%s/" LP_MEM_DIR "/memory%u/state", memory->sysfs, block);
}

/* 0 or the errno of a block that stayed offline. */
static int
bring_online(const LpMemory *memory, uint32_t block)
{
    int problem;

    if (memory->policy == LP_WIRE_MEM_KERNEL) {
        problem = write_state(memory, block, "online_kernel");
    } else {
        problem = write_state(memory, block, "online_movable");
        /* The zone may be closed to it (a kernel zone above it); any zone beats none. */
        if (problem == EINVAL)
            problem = write_state(memory, block, "online");
    }
    /* A block that went away meanwhile, or that somebody else brought online, is no failure. */
    if (problem != 0 && !is_offline(memory, block))
        problem = 0;
    if (problem != 0)
        lp_log_warn("memory%u cannot be brought online: %s", block, strerror(problem));
    else
        lp_log_info("memory%u is online", block);
    return problem;
}

void
lp_memory_arrived(LpMemory *memory, uint32_t block)
{
    memory->stale = true;
    if (is_ours(memory) && is_offline(memory, block))
        bring_online(memory, block);
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
        problem = bring_online(memory, block);
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
    LpSweep sweep = {
        .memory = memory, .bring = is_ours(memory), .error = error, .error_size = error_size,
    };

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
