/* How the guest fares, read from procfs and the classes' cgroups. */
#include "agent/pressure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/classes.h"
#include "agent/clock.h"
#include "agent/facts.h"
#include "agent/files.h"
#include "agent/psi.h"
#include "agent/wire/words.h"

#define LP_MEMINFO_TEXT 2048
#define LP_VMSTAT_TEXT 8192            /* 4 to 6 KiB with Linux 6 */
#define LP_STAT_TEXT 256               /* the first line is all that is wanted */
#define LP_CLASS_CENTI_MAX (100u * LP_MAX_CPUS)
#define LP_CPU_STAT_TEXT 512           /* usage_usec is the first line of it */

/* What no reader of the wire would take, no kernel says. */
static uint64_t
bounded(uint64_t value)
{
    return value > LP_WIRE_INTEGER_MAX ? 0 : value;
}

static uint64_t
less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

static void
read_memory(const char *procfs, LpWirePressure *pressure)
{
    char text[LP_MEMINFO_TEXT];
    uint64_t used;

    if (lp_file_read(text, sizeof(text), "%s/meminfo", procfs) <= 0)
        return;
    pressure->mem_total_bytes = lp_facts_meminfo(text, "MemTotal:");
    pressure->mem_available_bytes = lp_facts_meminfo(text, "MemAvailable:");
    used = less(pressure->mem_total_bytes, lp_facts_meminfo(text, "MemFree:"));
    used = less(used, lp_facts_meminfo(text, "Inactive(file):"));
    pressure->working_set_bytes = less(used, lp_facts_meminfo(text, "SReclaimable:"));
    pressure->swap_used_bytes = less(lp_facts_meminfo(text, "SwapTotal:"),
                                     lp_facts_meminfo(text, "SwapFree:"));
}

/* The figure of a line "key value"; 0 if there is none. */
static uint64_t
line_value(const char *text, const char *key)
{
    size_t length = strlen(key);

    for (const char *at = text; (at = strstr(at, key)) != NULL; at += length) {
        if ((at == text || at[-1] == '\n') && at[length] == ' ')
            return bounded(strtoull(at + length + 1, NULL, 10));
    }
    return 0;
}

static void
read_vmstat(const char *procfs, LpWirePressure *pressure)
{
    char text[LP_VMSTAT_TEXT];

    if (lp_file_read(text, sizeof(text), "%s/vmstat", procfs) <= 0)
        return;
    /* One counter before Linux 5.9, then two. */
    pressure->refaults = bounded(line_value(text, "workingset_refault_anon") +
                                 line_value(text, "workingset_refault_file") +
                                 line_value(text, "workingset_refault"));
    pressure->oom_kills = line_value(text, "oom_kill");
}

/* "0.12 0.34 0.56 3/456 789": the 3, without the one that reads it. */
static void
read_running(const char *procfs, LpWirePressure *pressure)
{
    char text[128], *at = text;
    uint64_t running;

    if (lp_file_read(text, sizeof(text), "%s/loadavg", procfs) <= 0)
        return;
    for (int field = 0; field < 3; field++) {
        at = strchr(at, ' ');
        if (at == NULL)
            return;
        at++;
    }
    running = *at >= '0' && *at <= '9' ? strtoull(at, NULL, 10) : 0;
    pressure->running = running > UINT32_MAX ? 0 : (uint32_t)less(running, 1);
}

static uint32_t
share_centi(uint64_t part, uint64_t whole)
{
    if (whole == 0)
        return 0;
    if (part >= whole)
        return LP_WIRE_PERCENT_MAX;
    /* No machine has run for so many ticks, but the product must fit. */
    if (whole > UINT64_MAX / LP_WIRE_PERCENT_MAX)
        return (uint32_t)(part / (whole / LP_WIRE_PERCENT_MAX));
    return (uint32_t)(part * LP_WIRE_PERCENT_MAX / whole);
}

/* The kernel's counters of idle time may step back. */
static uint64_t
since(uint64_t *base, uint64_t now)
{
    uint64_t grown = less(now, *base);

    *base = now;
    return grown;
}

/* "cpu  user nice system idle iowait irq softirq steal ...": those after it are in `user`. */
static void
read_times(const char *procfs, LpPressureBase *base, LpWirePressure *pressure)
{
    enum { IDLE = 3, IOWAIT = 4, STEAL = 7, FIELDS = 8 };
    uint64_t all = 0, idle = 0, steal = 0, busy, new_busy, new_steal, new_all;
    char text[LP_STAT_TEXT], *at = text + 4;

    if (lp_file_read(text, sizeof(text), "%s/stat", procfs) <= 4 || strncmp(text, "cpu ", 4) != 0)
        return;
    for (int field = 0; field < FIELDS; field++) {
        char *end;
        uint64_t ticks = bounded(strtoull(at, &end, 10));

        /* Old kernels have fewer. */
        if (end == at)
            break;
        all += ticks;
        idle += field == IDLE || field == IOWAIT ? ticks : 0;
        steal += field == STEAL ? ticks : 0;
        at = end;
    }
    busy = all - idle - steal;
    new_busy = since(&base->busy_ticks, busy);
    new_steal = since(&base->steal_ticks, steal);
    new_all = since(&base->all_ticks, all);
    if (base->at_msec == 0)
        return;
    pressure->busy_centi = share_centi(new_busy, new_all);
    pressure->steal_centi = share_centi(new_steal, new_all);
}

/* Microseconds used since it was made: cpu.stat of cgroup v2, cpuacct.usage of v1. */
static bool
read_class_cpu(const char *path, uint64_t *ret_usec)
{
    const char *name = strrchr(path, '/');
    char text[LP_CPU_STAT_TEXT];

    if (name != NULL && strcmp(name + 1, "cpu.stat") == 0) {
        if (lp_file_read(text, sizeof(text), "%s", path) <= 0)
            return false;
        *ret_usec = line_value(text, "usage_usec");
        return true;
    }
    if (!lp_file_read_uint(ret_usec, "%s", path))
        return false;
    *ret_usec /= 1000;
    return true;
}

/* Not 0; so that a class that takes another's place in the list has no rate yet. */
static uint64_t
key_of(const char *path)
{
    uint64_t key = 14695981039346656037u;       /* FNV-1a */

    for (; *path != '\0'; path++)
        key = (key ^ (unsigned char)*path) * 1099511628211u;
    return key | 1;
}

static void
read_class(const char *cpu_path, const char *mem_path, unsigned index, int64_t now_msec,
           LpPressureBase *base, LpWireClassUse *use)
{
    uint64_t usec, key = key_of(cpu_path), used, centi;
    bool follows = base->class_key[index] == key;
    int64_t elapsed = now_msec - base->at_msec;

    if (!lp_file_read_uint(&use->mem_bytes, "%s", mem_path))
        use->mem_bytes = 0;
    use->mem_bytes = bounded(use->mem_bytes);
    base->class_key[index] = 0;
    if (!read_class_cpu(cpu_path, &usec))
        return;
    base->class_key[index] = key;
    used = since(&base->class_cpu_usec[index], usec);
    if (!follows || base->at_msec == 0 || elapsed <= 0)
        return;
    /* Microseconds in a millisecond are processors x 1000. */
    centi = used / 10 / (uint64_t)elapsed;
    use->cpu_centi = centi > LP_CLASS_CENTI_MAX ? LP_CLASS_CENTI_MAX : (uint32_t)centi;
}

/* The wire takes each name once, and the file is only as good as who wrote it. */
static bool
name_is_good(const char *name, const LpWirePressure *pressure)
{
    if (strlen(name) >= LP_WIRE_NAME_MAX)
        return false;
    for (const char *c = name; *c != '\0'; c++) {
        if (*c <= 0x20 || *c > 0x7e)
            return false;
    }
    for (uint32_t i = 0; i < pressure->n_classes; i++) {
        if (strcmp(pressure->classes[i].name, name) == 0)
            return false;
    }
    return true;
}

/* A line a class: "name cpu-file mem-file".  Lines that are not so are passed over. */
static void
read_classes(const char *list, int64_t now_msec, LpPressureBase *base, LpWirePressure *pressure)
{
    char text[LP_CLASSES_LIST_MAX], *line, *rest = text, *field, *cpu, *mem;

    if (list == NULL || lp_file_read(text, sizeof(text), "%s", list) <= 0)
        return;
    while ((line = strsep(&rest, "\n")) != NULL && pressure->n_classes < LP_WIRE_CLASSES_MAX) {
        LpWireClassUse *use = &pressure->classes[pressure->n_classes];
        char *name = strtok_r(line, " ", &field);

        cpu = name != NULL ? strtok_r(NULL, " ", &field) : NULL;
        mem = cpu != NULL ? strtok_r(NULL, " ", &field) : NULL;
        if (mem == NULL || !name_is_good(name, pressure))
            continue;
        snprintf(use->name, sizeof(use->name), "%s", name);
        read_class(cpu, mem, pressure->n_classes, now_msec, base, use);
        pressure->n_classes++;
    }
}

void
lp_pressure_read(const char *procfs, const char *classes_list, LpPressureBase *base,
                 LpWirePressure *ret_pressure)
{
    int64_t now_msec = lp_clock_msec();
    LpPsi cpu = lp_psi_read(procfs, "cpu"), mem = lp_psi_read(procfs, "memory");
    LpPsi io = lp_psi_read(procfs, "io");

    memset(ret_pressure, 0, sizeof(*ret_pressure));
    lp_facts_boot_id(procfs, ret_pressure->boot_id, sizeof(ret_pressure->boot_id));
    read_memory(procfs, ret_pressure);
    read_vmstat(procfs, ret_pressure);
    ret_pressure->psi_cpu_some_centi = cpu.some_centi;
    ret_pressure->psi_mem_some_centi = mem.some_centi;
    ret_pressure->psi_mem_full_centi = mem.full_centi;
    ret_pressure->psi_io_some_centi = io.some_centi;
    ret_pressure->psi_io_full_centi = io.full_centi;
    read_running(procfs, ret_pressure);
    read_times(procfs, base, ret_pressure);
    read_classes(classes_list, now_msec, base, ret_pressure);
    base->at_msec = now_msec;
}
