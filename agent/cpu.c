#include "agent/cpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/files.h"
#include "agent/log.h"

#define LP_CPU_DIR "devices/system/cpu"
/* In one round the agent holds up everything else for at most 3 x 10 ms; the desired state is tried
 * again later anyway. */
#define LP_CPU_BUSY_PAUSES 3
#define LP_CPU_BUSY_PAUSE_MSEC 10

void
lp_cpus_init(LpCpus *cpus, const char *sysfs)
{
    memset(cpus, 0, sizeof(*cpus));
    cpus->sysfs = sysfs;
    memset(cpus->id_of, 0xff, sizeof(cpus->id_of));
}

static bool
read_list(const LpCpus *cpus, const char *name, LpCpuMask *ret_mask)
{
    char text[LP_CPUMASK_TEXT];

    return lp_file_read(text, sizeof(text), "%s/" LP_CPU_DIR "/%s", cpus->sysfs, name) >= 0 &&
           lp_cpumask_parse(text, ret_mask);
}

/* The vCPU id of processor `number` by its firmware node: the _UID where ACPI describes it as a
 * device; QEMU does that only from 256 vCPUs up and else names its processor objects by vCPU
 * id, in hexadecimal: \_SB_.CPUS.C00A. */
static bool
read_id(const LpCpus *cpus, int number, uint64_t *ret_id)
{
    static const char container[] = ".CPUS.C";
    const char *at;
    char path[128], *end;

    if (lp_file_read_uint(ret_id, "%s/" LP_CPU_DIR "/cpu%d/firmware_node/uid", cpus->sysfs,
                          number))
        return true;
    if (lp_file_read(path, sizeof(path), "%s/" LP_CPU_DIR "/cpu%d/firmware_node/path",
                     cpus->sysfs, number) <= 0)
        return false;
    at = strstr(path, container);
    if (at == NULL)
        return false;
    at += strlen(container);
    if (strspn(at, "0123456789ABCDEF") != 3)
        return false;
    *ret_id = strtoull(at, &end, 16);
    return *end == '\0';
}

void
lp_cpus_scan(LpCpus *cpus, bool give_up)
{
    uint64_t id = 0;
    bool has_ids = read_id(cpus, 0, &id);

    if (!read_list(cpus, "present", &cpus->numbers)) {
        lp_cpumask_clear(&cpus->numbers);
        lp_cpumask_add(&cpus->numbers, 0);
    }
    lp_cpumask_clear(&cpus->present);
    memset(cpus->id_of, 0xff, sizeof(cpus->id_of));
    cpus->unbound = false;
    for (int i = lp_cpumask_next(&cpus->numbers, 0); i >= 0;
         i = lp_cpumask_next(&cpus->numbers, (unsigned)i + 1)) {
        id = (uint64_t)i;
        if (has_ids && !read_id(cpus, i, &id) && !give_up) {
            cpus->unbound = true;
            continue;
        }
        /* Two of one id would make every later answer about that id a lie. */
        if (id >= LP_MAX_CPUS || lp_cpumask_has(&cpus->present, (unsigned)id)) {
            lp_log_warn("cpu%d says it is vCPU %llu, which is taken or out of range: left alone",
                        i, (unsigned long long)id);
            continue;
        }
        cpus->id_of[i] = (uint16_t)id;
        lp_cpumask_add(&cpus->present, (unsigned)id);
    }
}

void
lp_cpus_online(const LpCpus *cpus, LpCpuMask *ret_online)
{
    LpCpuMask numbers;

    lp_cpumask_clear(ret_online);
    if (!read_list(cpus, "online", &numbers)) {
        lp_cpumask_clear(&numbers);
        lp_cpumask_add(&numbers, 0);
    }
    for (int i = lp_cpumask_next(&numbers, 0); i >= 0;
         i = lp_cpumask_next(&numbers, (unsigned)i + 1)) {
        if (cpus->id_of[i] != LP_CPU_NO_ID)
            lp_cpumask_add(ret_online, cpus->id_of[i]);
    }
}

/* Writes a processor's state, again after a moment while the kernel has its processors held
 * (another one is being brought up, a suspend is being tried): EBUSY then. */
static int
write_online(const LpCpus *cpus, int number, bool online, unsigned *n_pauses)
{
    const struct timespec pause = { .tv_nsec = LP_CPU_BUSY_PAUSE_MSEC * 1000000 };

    for (;;) {
        int problem = lp_file_write(online ? "1" : "0", "%s/" LP_CPU_DIR "/cpu%d/online",
                                    cpus->sysfs, number);

        if (problem != EBUSY || *n_pauses >= LP_CPU_BUSY_PAUSES)
            return problem;
        ++*n_pauses;
        nanosleep(&pause, NULL);
    }
}

/* Whether processor `number` had to be changed and could be. */
static bool
apply_one(const LpCpus *cpus, int number, bool want_online, unsigned *n_pauses, LpCpuMask *failed,
          char *error, size_t error_size)
{
    uint16_t id = cpus->id_of[number];
    int problem = write_online(cpus, number, want_online, n_pauses);

    if (problem == 0) {
        lp_log_info("vCPU %d (cpu%d) is %s", id, number, want_online ? "online" : "offline");
        return true;
    }
    lp_log_warn("vCPU %d (cpu%d) cannot be brought %s: %s", id, number,
                want_online ? "online" : "offline", strerror(problem));
    lp_cpumask_add(failed, id);
    if (error[0] == '\0')
        snprintf(error, error_size, "vCPU %d cannot be brought %s: %s", id,
                 want_online ? "online" : "offline", strerror(problem));
    return false;
}

unsigned
lp_cpus_apply(const LpCpus *cpus, const LpCpuMask *want, LpCpuMask *failed, char *error,
              size_t error_size)
{
    uint16_t number_of[LP_MAX_CPUS];
    unsigned changed = 0, n_pauses = 0;
    LpCpuMask online;

    lp_cpus_online(cpus, &online);
    for (int i = lp_cpumask_next(&cpus->numbers, 0); i >= 0;
         i = lp_cpumask_next(&cpus->numbers, (unsigned)i + 1)) {
        if (cpus->id_of[i] != LP_CPU_NO_ID)
            number_of[cpus->id_of[i]] = (uint16_t)i;
    }
    /* Online first: the guest is never left with fewer than it had or is to have.  Neither
     * processor 0 nor vCPU 0, should they differ. */
    for (int id = lp_cpumask_next(&cpus->present, 1); id >= 0;
         id = lp_cpumask_next(&cpus->present, (unsigned)id + 1)) {
        if (number_of[id] != 0 && lp_cpumask_has(want, (unsigned)id) &&
            !lp_cpumask_has(&online, (unsigned)id))
            changed += apply_one(cpus, number_of[id], true, &n_pauses, failed, error, error_size);
    }
    for (int id = lp_cpumask_last(&cpus->present); id > 0; id--) {
        if (lp_cpumask_has(&cpus->present, (unsigned)id) && number_of[id] != 0 &&
            !lp_cpumask_has(want, (unsigned)id) && lp_cpumask_has(&online, (unsigned)id))
            changed += apply_one(cpus, number_of[id], false, &n_pauses, failed, error, error_size);
    }
    return changed;
}
