/* The threads that run a hypervisor's vCPUs.  QEMU names them (libvirt always has it do so):
 * "CPU 0/KVM", "CPU 0/TCG". */
#include "hotplug/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hotplug/driver.h"

/* Fields of /proc/PID/task/TID/stat, counted from 3, which follows the name. */
#define FIELD_UTIME 14
#define FIELD_STIME 15
#define FIELD_PROCESSOR 39

static char *
read_file(pid_t pid, const char *task, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%s/%s", (int)pid, task, name);
    char *text;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

/* Time and last processor.  The name may hold blanks and parentheses itself. */
static bool
read_stat(pid_t pid, const char *task, LpLocalityVcpu *vcpu)
{
    g_autofree char *text = read_file(pid, task, "stat");
    g_auto(GStrv) fields = NULL;
    const char *end = text ? strrchr(text, ')') : NULL;
    uint64_t ticks;

    if (!end)
        return false;
    fields = g_strsplit(end + 1, " ", -1);    /* [0] is empty, [1] is field 3 */
    if (g_strv_length(fields) <= FIELD_PROCESSOR - 2)
        return false;
    ticks = g_ascii_strtoull(fields[FIELD_UTIME - 2], NULL, 10) +
            g_ascii_strtoull(fields[FIELD_STIME - 2], NULL, 10);
    vcpu->time_usec = ticks * (G_USEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
    vcpu->cpu = (int32_t)g_ascii_strtoll(fields[FIELD_PROCESSOR - 2], NULL, 10);
    return true;
}

static bool
read_affinity(pid_t pid, const char *task, LpLocalityVcpu *vcpu)
{
    static const char key[] = "\nCpus_allowed_list:";
    g_autofree char *text = read_file(pid, task, "status");
    char *start = text ? strstr(text, key) : NULL;

    if (!start)
        return false;
    start += sizeof key - 1;
    start[strcspn(start, "\n")] = '\0';
    return lp_cpumask_parse(g_strstrip(start), &vcpu->may);
}

static bool
read_id(pid_t pid, const char *task, uint32_t vcpu_max, uint32_t *ret_id)
{
    g_autofree char *text = read_file(pid, task, "comm");
    char slash;

    return text && sscanf(text, "CPU %u%c", ret_id, &slash) == 2 && slash == '/' &&
           *ret_id < vcpu_max;
}

static int
by_id(const void *a, const void *b)
{
    uint32_t left = ((const LpLocalityVcpu *)a)->vcpu, right = ((const LpLocalityVcpu *)b)->vcpu;

    return (left > right) - (left < right);
}

bool
lp_process_vcpus(pid_t pid, uint32_t vcpu_max, LpLocality *ret, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)pid);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *task;

    if (!dir) {
        g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_NOT_RUNNING,
                            "the hypervisor's process has ended");
        return false;
    }
    ret->vcpus = calloc(vcpu_max > 0 ? vcpu_max : 1, sizeof *ret->vcpus);
    if (!ret->vcpus)
        g_error("out of memory");
    while ((task = g_dir_read_name(dir)) && ret->n_vcpus < vcpu_max) {
        LpLocalityVcpu vcpu = { .cpu = -1 };

        /* A thread may end while it is read: then its vCPU has left. */
        if (read_id(pid, task, vcpu_max, &vcpu.vcpu) && read_stat(pid, task, &vcpu) &&
            read_affinity(pid, task, &vcpu))
            ret->vcpus[ret->n_vcpus++] = vcpu;
    }
    qsort(ret->vcpus, ret->n_vcpus, sizeof *ret->vcpus, by_id);
    return true;
}
