#include "config.h"

#include "agent/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/enlight.h"
#include "agent/files.h"
#include "agent/psi.h"
#include "agent/wire/words.h"

/* /proc/meminfo is 1.5 KiB; the lines wanted are at its top. */
#define LP_MEMINFO_TEXT 2048

uint64_t
lp_facts_meminfo(const char *text, const char *key)
{
    size_t length = strlen(key);

    for (const char *at = text; (at = strstr(at, key)) != NULL; at += length) {
        /* Those of a node stand behind its number. */
        if (at == text || at[-1] == '\n' || at[-1] == ' ') {
            uint64_t kib = strtoull(at + length, NULL, 10);

            return kib > LP_WIRE_INTEGER_MAX / 1024 ? 0 : kib * 1024;
        }
    }
    return 0;
}

static void
copy_text(char *to, size_t size, const char *from)
{
    size_t used = 0;

    /* A kernel's release may hold anything its builder typed; what the wire refuses is left
     * out rather than the whole message lost. */
    for (; *from != '\0' && used + 1 < size; from++) {
        if (*from >= 0x20 && *from < 0x7f)
            to[used++] = *from;
    }
    to[used] = '\0';
}

/* Capabilities are what older hosts know of features. */
static uint32_t
find_caps(uint32_t has, const LpConf *conf)
{
    uint32_t caps = LP_WIRE_CAP_PHASES | LP_WIRE_CAP_PRESSURE;

    if (has & LP_WIRE_FEATURE_CPU_HOTPLUG)
        caps |= LP_WIRE_CAP_CPU_ONLINE;
    /* Kernels that have memory blocks at all have known online_movable since 3.8. */
    if (has & LP_WIRE_FEATURE_MEM_HOTPLUG)
        caps |= LP_WIRE_CAP_MEM_ONLINE | LP_WIRE_CAP_MEM_MOVABLE;
    if (has & LP_WIRE_FEATURE_VIRTIO_MEM)
        caps |= LP_WIRE_CAP_VIRTIO_MEM;
    if (has & LP_WIRE_FEATURE_BALLOON)
        caps |= LP_WIRE_CAP_BALLOON;
    if (has & LP_WIRE_FEATURE_PSI)
        caps |= LP_WIRE_CAP_PSI;
    if (!(conf->forbid & LP_WIRE_ACT_REQUESTS))
        caps |= LP_WIRE_CAP_REQUESTS;
    return caps;
}

void
lp_facts_boot_id(const char *procfs, char *ret_text, size_t size)
{
    if (lp_file_read(ret_text, size, "%s/sys/kernel/random/boot_id", procfs) <= 0)
        snprintf(ret_text, size, "0");
}

void
lp_facts_hello(const char *sysfs, const char *procfs, const LpConf *conf, LpWireHello *ret_hello)
{
    char release[LP_WIRE_TEXT_MAX];

    memset(ret_hello, 0, sizeof(*ret_hello));
    ret_hello->version = LP_WIRE_VERSION;
    snprintf(ret_hello->agent, sizeof(ret_hello->agent), "%s", PACKAGE_VERSION);
    if (lp_file_read(release, sizeof(release), "%s/sys/kernel/osrelease", procfs) > 0)
        copy_text(ret_hello->kernel, sizeof(ret_hello->kernel), release);
    lp_facts_boot_id(procfs, ret_hello->boot_id, sizeof(ret_hello->boot_id));
    ret_hello->hypervisor = lp_enlight_hypervisor();
    lp_enlight_features(sysfs, procfs, &ret_hello->has, &ret_hello->lacks);
    ret_hello->forbids = conf->forbid;
    ret_hello->caps = find_caps(ret_hello->has, conf);
}

typedef struct {
    const char *sysfs;
    LpWireState *state;
} LpCellWalk;

static void
read_cell(uint32_t node, void *data)
{
    const LpCellWalk *walk = data;
    LpWireState *state = walk->state;
    char text[LP_MEMINFO_TEXT];
    LpWireCell *cell;
    uint32_t at;

    if (node >= LP_WIRE_CELLS_MAX || state->n_cells >= LP_WIRE_CELLS_MAX ||
        lp_file_read(text, sizeof(text), "%s/devices/system/node/node%u/meminfo", walk->sysfs,
                     node) <= 0)
        return;
    /* Directories come in any order, cells by number. */
    for (at = state->n_cells; at > 0 && state->cells[at - 1].cell > node; at--)
        state->cells[at] = state->cells[at - 1];
    cell = &state->cells[at];
    cell->cell = node;
    cell->total_bytes = lp_facts_meminfo(text, "MemTotal:");
    cell->free_bytes = lp_facts_meminfo(text, "MemFree:");
    state->n_cells++;
}

uint64_t
lp_facts_mem_total(const char *procfs)
{
    char text[LP_MEMINFO_TEXT];

    if (lp_file_read(text, sizeof(text), "%s/meminfo", procfs) <= 0)
        return 0;
    return lp_facts_meminfo(text, "MemTotal:");
}

void
lp_facts_state(const char *sysfs, const char *procfs, const LpCpus *cpus, LpMemory *memory,
               LpWireState *ret_state)
{
    LpCellWalk walk = { .sysfs = sysfs, .state = ret_state };
    char text[LP_MEMINFO_TEXT], path[LP_PATH_MAX];

    memset(ret_state, 0, sizeof(*ret_state));
    lp_facts_boot_id(procfs, ret_state->boot_id, sizeof(ret_state->boot_id));
    ret_state->present = cpus->present;
    lp_cpus_online(cpus, &ret_state->online);
    if (lp_file_read(text, sizeof(text), "%s/meminfo", procfs) > 0) {
        ret_state->mem_total_bytes = lp_facts_meminfo(text, "MemTotal:");
        ret_state->mem_available_bytes = lp_facts_meminfo(text, "MemAvailable:");
        ret_state->mem_free_bytes = lp_facts_meminfo(text, "MemFree:");
    }
    ret_state->mem_offline_bytes = lp_memory_offline_bytes(memory);
    snprintf(path, sizeof(path), "%s/devices/system/node", sysfs);
    lp_file_each(path, "node", read_cell, &walk);
    if (lp_file_read(text, sizeof(text), "%s/loadavg", procfs) > 0)
        ret_state->load_centi = lp_psi_centi(text);
    ret_state->psi_cpu_centi = lp_psi_read(procfs, "cpu").some_centi;
    ret_state->psi_mem_centi = lp_psi_read(procfs, "memory").some_centi;
}
