#include "agent/bound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/clock.h"
#include "agent/files.h"
#include "agent/lines.h"
#include "agent/text.h"

/* A thread's status costs the kernel some 15 us: so many are within the time that a check may
 * take, and a guest that has more is looked at in part. */
#define LP_BOUND_TASKS_MAX 16384
#define LP_BOUND_IRQS_MAX 2048
/* The clock is looked at once in so many tasks. */
#define LP_BOUND_TASKS_AT_ONCE 32

/* include/linux/sched.h */
#define LP_PF_KTHREAD 0x00200000ul
#define LP_PF_NO_SETAFFINITY 0x04000000ul

typedef struct {
    const char *sysfs, *procfs;
    const LpCpuMask *online;
    int64_t until_msec;
    unsigned n_tasks, n_irqs;
    uint32_t pid;                      /* whose threads are looked at */
    LpBound *bound;
} LpBoundScan;

typedef struct {
    char name[20];
    uint64_t threads;
    LpCpuMask cpus;
    bool has_cpus;
} LpTaskStatus;

static void
keep_online(LpCpuMask *mask, const LpCpuMask *online)
{
    for (size_t i = 0; i < sizeof(mask->words) / sizeof(mask->words[0]); i++)
        mask->words[i] &= online->words[i];
}

static bool
is_empty(const LpCpuMask *mask)
{
    return lp_cpumask_next(mask, 0) < 0;
}

void
lp_bound_add(LpBound *bound, const LpCpuMask *online, const LpBinding *binding)
{
    LpBinding given = *binding;

    keep_online(&given.cpus, online);
    if (is_empty(&given.cpus) || lp_cpumask_covers(&given.cpus, online))
        return;
    for (unsigned i = 0; i < bound->n_sets; i++) {
        LpBinding *set = &bound->sets[i];

        /* If one of a set stays, so does one of every set around it. */
        if (lp_cpumask_covers(&given.cpus, &set->cpus))
            return;
        if (lp_cpumask_covers(&set->cpus, &given.cpus)) {
            *set = given;
            return;
        }
    }
    if (bound->n_sets < LP_BOUND_SETS) {
        bound->sets[bound->n_sets++] = given;
        return;
    }
    if (is_empty(&bound->others))
        bound->other = given;
    lp_cpumask_add(&bound->others, (unsigned)lp_cpumask_next(&given.cpus, 0));
}

static void
add_cost(LpBound *bound, const LpCpuMask *mask)
{
    for (int cpu = lp_cpumask_next(mask, 0); cpu >= 0;
         cpu = lp_cpumask_next(mask, (unsigned)cpu + 1)) {
        if (bound->cost[cpu] < UINT16_MAX)
            bound->cost[cpu]++;
    }
}

static bool
read_status(const LpBoundScan *scan, uint32_t tid, LpTaskStatus *ret_status)
{
    const char *value;
    LpLines lines;
    char *line;

    memset(ret_status, 0, sizeof(*ret_status));
    if (!lp_lines_open(&lines, "%s/%u/task/%u/status", scan->procfs, scan->pid, tid))
        return false;
    while ((line = lp_lines_next(&lines)) != NULL) {
        if ((value = lp_line_value(line, "Name:")) != NULL) {
            lp_text_clean(ret_status->name, sizeof(ret_status->name), value);
        } else if ((value = lp_line_value(line, "Threads:")) != NULL) {
            ret_status->threads = strtoull(value, NULL, 10);
        } else if ((value = lp_line_value(line, "Cpus_allowed_list:")) != NULL) {
            ret_status->has_cpus = lp_cpumask_parse(value, &ret_status->cpus);
            break;
        }
    }
    lp_lines_close(&lines);
    return true;
}

/* "pid (name) state ppid pgrp session tty tpgid flags ..."; the name may hold anything. */
static bool
is_kernels(const LpBoundScan *scan, uint32_t tid)
{
    char text[512];
    const char *at;

    if (lp_file_read(text, sizeof(text), "%s/%u/task/%u/stat", scan->procfs, scan->pid, tid) <= 0)
        return false;
    at = strrchr(text, ')');
    for (int fields = 0; at != NULL && fields < 7; fields++)
        at = strchr(at + 1, ' ');
    return at != NULL &&
           (strtoul(at, NULL, 10) & (LP_PF_KTHREAD | LP_PF_NO_SETAFFINITY)) != 0;
}

/* A cpuset's processors from one of the files where versions of cgroups keep them. */
static bool
read_cpuset(const LpBoundScan *scan, const char *mount, const char *path, const char *file,
            LpCpuMask *ret_cpus)
{
    char text[LP_CPUMASK_TEXT + 1];

    return lp_file_read(text, sizeof(text), "%s/fs/cgroup%s%s/%s", scan->sysfs, mount, path,
                        file) > 0 &&
           lp_cpumask_parse(text, ret_cpus);
}

/* Whether it is the process's cpuset that holds it to `cpus`; its path then. */
static bool
is_cpuset(const LpBoundScan *scan, const LpCpuMask *cpus, char *ret_path, size_t size)
{
    char path[LP_PATH_MAX];
    LpCpuMask its;

    if (lp_file_read(path, sizeof(path), "%s/%u/cpuset", scan->procfs, scan->pid) <= 1 ||
        path[0] != '/')
        return false;
    if (!read_cpuset(scan, "", path, "cpuset.cpus.effective", &its) &&
        !read_cpuset(scan, "/cpuset", path, "cpuset.effective_cpus", &its) &&
        !read_cpuset(scan, "/cpuset", path, "cpuset.cpus", &its))
        return false;
    keep_online(&its, scan->online);
    if (!lp_cpumask_equal(&its, cpus))
        return false;
    lp_text_clean(ret_path, size, path);
    return true;
}

static void
note_task(LpBoundScan *scan, uint32_t tid, const LpTaskStatus *status)
{
    LpBinding binding = { .cpus = status->cpus };

    if (!status->has_cpus || lp_cpumask_covers(&status->cpus, scan->online) ||
        is_kernels(scan, tid))
        return;
    keep_online(&binding.cpus, scan->online);
    add_cost(scan->bound, &binding.cpus);
    binding.cpuset = is_cpuset(scan, &binding.cpus, binding.who, sizeof(binding.who));
    if (!binding.cpuset && tid == scan->pid)
        snprintf(binding.who, sizeof(binding.who), "pid %u %s", tid, status->name);
    else if (!binding.cpuset)
        snprintf(binding.who, sizeof(binding.who), "thread %u %s of pid %u", tid, status->name,
                 scan->pid);
    lp_bound_add(scan->bound, scan->online, &binding);
}

/* Whether the scan has had its share. */
static bool
is_enough(const LpBoundScan *scan)
{
    return scan->n_tasks >= LP_BOUND_TASKS_MAX ||
           (scan->n_tasks % LP_BOUND_TASKS_AT_ONCE == LP_BOUND_TASKS_AT_ONCE - 1 &&
            lp_clock_msec() > scan->until_msec);
}

static void
see_thread(uint32_t tid, void *data)
{
    LpBoundScan *scan = data;
    LpTaskStatus status;

    if (tid == scan->pid || is_enough(scan))
        return;
    scan->n_tasks++;
    if (read_status(scan, tid, &status))
        note_task(scan, tid, &status);
}

static void
see_process(uint32_t pid, void *data)
{
    LpBoundScan *scan = data;
    char path[LP_PATH_MAX];
    LpTaskStatus status;

    if (is_enough(scan))
        return;
    scan->n_tasks++;
    scan->pid = pid;
    if (!read_status(scan, pid, &status))
        return;
    note_task(scan, pid, &status);
    if (status.threads > 1) {
        snprintf(path, sizeof(path), "%s/%u/task", scan->procfs, pid);
        lp_file_each(path, "", see_thread, scan);
    }
}

static void
see_irq(uint32_t irq, void *data)
{
    LpBoundScan *scan = data;
    char text[LP_CPUMASK_TEXT + 1];
    LpCpuMask mask;

    if (scan->n_irqs++ >= LP_BOUND_IRQS_MAX ||
        lp_file_read(text, sizeof(text), "%s/irq/%u/smp_affinity_list", scan->procfs, irq) <= 0 ||
        !lp_cpumask_parse(text, &mask) || lp_cpumask_covers(&mask, scan->online))
        return;
    keep_online(&mask, scan->online);
    add_cost(scan->bound, &mask);
}

/* "(null)" or nothing where no processor is in it. */
static void
read_reserved(const LpBoundScan *scan, const char *name, LpCpuMask *ret_mask)
{
    char text[LP_CPUMASK_TEXT + 1];
    LpCpuMask mask;

    if (lp_file_read(text, sizeof(text), "%s/devices/system/cpu/%s", scan->sysfs, name) > 0 &&
        lp_cpumask_parse(text, &mask)) {
        keep_online(&mask, scan->online);
        *ret_mask = mask;
    }
}

void
lp_bound_read(const char *sysfs, const char *procfs, const LpCpuMask *online, int64_t budget_msec,
              LpBound *ret_bound)
{
    LpBoundScan scan = {
        .sysfs = sysfs, .procfs = procfs, .online = online, .bound = ret_bound,
        .until_msec = lp_clock_msec() + budget_msec,
    };
    char path[LP_PATH_MAX];

    memset(ret_bound, 0, sizeof(*ret_bound));
    read_reserved(&scan, "isolated", &ret_bound->isolated);
    read_reserved(&scan, "nohz_full", &ret_bound->nohz_full);
    lp_file_each(procfs, "", see_process, &scan);
    snprintf(path, sizeof(path), "%s/irq", procfs);
    lp_file_each(path, "", see_irq, &scan);
}

/* "cpu 3 (vCPU 5)", "cpus 2-3". */
static void
name_cpus(const LpCpuMask *cpus, const uint16_t *id_of, char *ret_text, size_t size)
{
    char list[40];                     /* a longer one is cut: it is to be recognized, not parsed */
    int cpu = lp_cpumask_next(cpus, 0);

    lp_cpumask_format(cpus, list, sizeof(list));
    if (lp_cpumask_count(cpus) > 1)
        snprintf(ret_text, size, "cpus %s", list);
    else if (id_of[cpu] == cpu)
        snprintf(ret_text, size, "cpu %d", cpu);
    else
        snprintf(ret_text, size, "cpu %d (vCPU %u)", cpu, id_of[cpu]);
}

static void
name_binding(const LpBinding *binding, const uint16_t *id_of, char *ret_text, size_t size)
{
    char cpus[80];

    name_cpus(&binding->cpus, id_of, cpus, sizeof(cpus));
    if (binding->cpuset)
        snprintf(ret_text, size, "cpuset %s has only %s", binding->who, cpus);
    else
        snprintf(ret_text, size, "%s is bound to %s", binding->who, cpus);
}

/* The lowest that is in both, alone; false if there is none. */
static bool
first_common(const LpCpuMask *a, const LpCpuMask *b, LpCpuMask *ret_one)
{
    LpCpuMask both = *a;

    keep_online(&both, b);
    lp_cpumask_clear(ret_one);
    if (is_empty(&both))
        return false;
    lp_cpumask_add(ret_one, (unsigned)lp_cpumask_next(&both, 0));
    return true;
}

bool
lp_bound_blocker(const LpBound *bound, const LpCpuMask *leaving, const uint16_t *id_of,
                 char *ret_text, size_t size)
{
    LpCpuMask one;
    bool isolated;
    char cpu[32];

    for (unsigned i = 0; i < bound->n_sets; i++) {
        if (lp_cpumask_covers(leaving, &bound->sets[i].cpus)) {
            name_binding(&bound->sets[i], id_of, ret_text, size);
            return true;
        }
    }
    if (first_common(&bound->others, leaving, &one)) {
        name_cpus(&one, id_of, cpu, sizeof(cpu));
        if (lp_cpumask_covers(leaving, &bound->other.cpus))
            name_binding(&bound->other, id_of, ret_text, size);
        else
            snprintf(ret_text, size, "a program is bound to %s", cpu);
        return true;
    }
    isolated = first_common(&bound->isolated, leaving, &one);
    if (isolated || first_common(&bound->nohz_full, leaving, &one)) {
        name_cpus(&one, id_of, cpu, sizeof(cpu));
        snprintf(ret_text, size, "%s is isolated (%s)", cpu, isolated ? "isolcpus" : "nohz_full");
        return true;
    }
    if (size > 0)
        ret_text[0] = '\0';
    return false;
}
