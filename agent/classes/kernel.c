#include "agent/classes/kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <libcgroup.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/files.h"

/* What a class's use may grow by between reading it and making it the limit. */
#define LP_KERNEL_SLACK_BYTES (UINT64_C(4) << 20)

static volatile sig_atomic_t ended_by;

static bool fail(LpClassKernel *kernel, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool
fail(LpClassKernel *kernel, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(kernel->error, sizeof(kernel->error), format, args);
    va_end(args);
    return false;
}

/* The library says on stdout what its results say as well. */
static void
no_log(void *data, int level, const char *format, va_list args)
{
    (void)data;
    (void)level;
    (void)format;
    (void)args;
}

bool
lp_kernel_open(LpClassKernel *kernel, bool needs_memory)
{
    int error;

    memset(kernel, 0, sizeof(*kernel));
    cgroup_set_logger(no_log, CGROUP_LOG_ERROR, NULL);
    error = cgroup_init();
    if (error != 0)
        return fail(kernel, "no control groups here: %s", cgroup_strerror(error));
    if (cgroup_get_subsys_mount_point("cpu", &kernel->cpu) != 0)
        return fail(kernel, "no control groups for processors: the cpu controller is not mounted");
    if (cgroup_get_subsys_mount_point("memory", &kernel->mem) != 0 && needs_memory)
        return fail(kernel, "no control groups for memory: the memory controller is not mounted, "
                    "and a class has mem-min or mem-max");
    kernel->v2 = lp_file_exists("%s/cgroup.controllers", kernel->cpu);
    if (!kernel->v2)
        cgroup_get_subsys_mount_point("cpuacct", &kernel->acct);
    return true;
}

void
lp_kernel_close(LpClassKernel *kernel)
{
    free(kernel->cpu);
    free(kernel->acct);
    free(kernel->mem);
}

/* --- which cgroups there are --------------------------------------------------------------- */
bool
lp_kernel_has(const LpClassKernel *kernel, const char *path)
{
    return lp_file_exists("%s/%s", kernel->cpu, path) &&
           (kernel->mem == NULL || lp_file_exists("%s/%s", kernel->mem, path));
}

bool
lp_kernel_has_part(const LpClassKernel *kernel, const char *path)
{
    return lp_file_exists("%s/%s", kernel->cpu, path) ||
           (kernel->acct != NULL && lp_file_exists("%s/%s", kernel->acct, path)) ||
           (kernel->mem != NULL && lp_file_exists("%s/%s", kernel->mem, path));
}

static bool
may_write(LpClassKernel *kernel, const char *mount, const char *path, size_t length)
{
    char file[LP_PATH_MAX];

    snprintf(file, sizeof(file), "%s/%.*s", mount, (int)length, path);
    if (access(file, W_OK) == 0)
        return true;
    return fail(kernel, "cgroup %.*s cannot be changed: %s", (int)length, path, strerror(errno));
}

/* The nearest that is there decides. */
static bool
may(LpClassKernel *kernel, const char *mount, const char *path)
{
    size_t length = strlen(path);

    if (mount == NULL)
        return true;
    while (length > 0 && !lp_file_exists("%s/%.*s", mount, (int)length, path))
        do {
            length--;
        } while (length > 0 && path[length] != '/');
    return may_write(kernel, mount, path, length);
}

bool
lp_kernel_may(LpClassKernel *kernel, const char *path)
{
    return may(kernel, kernel->cpu, path) && may(kernel, kernel->mem, path);
}

/* The cgroup with every controller that classes use. */
static struct cgroup *
with_controllers(const LpClassKernel *kernel, const char *path)
{
    struct cgroup *cgroup = cgroup_new_cgroup(path);

    if (cgroup == NULL)
        return NULL;
    if (cgroup_add_controller(cgroup, "cpu") == NULL ||
        (kernel->acct != NULL && cgroup_add_controller(cgroup, "cpuacct") == NULL) ||
        (kernel->mem != NULL && cgroup_add_controller(cgroup, "memory") == NULL))
        cgroup_free(&cgroup);
    return cgroup;
}

bool
lp_kernel_make(LpClassKernel *kernel, const char *path)
{
    struct cgroup *cgroup = with_controllers(kernel, path);
    int error = cgroup != NULL ? cgroup_create_cgroup(cgroup, 1) : ECGOTHER;

    if (cgroup != NULL)
        cgroup_free(&cgroup);
    return error == 0 ||
           fail(kernel, "cgroup %s cannot be made: %s", path, cgroup_strerror(error));
}

/* In each hierarchy; one that is not there is. */
static bool
without_processes(const LpClassKernel *kernel, const char *path)
{
    const char *const mounts[] = { kernel->cpu, kernel->acct, kernel->mem };
    char text[32];

    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
        if (mounts[i] != NULL &&
            lp_file_read(text, sizeof(text), "%s/%s/cgroup.procs", mounts[i], path) > 0)
            return false;
    return true;
}

bool
lp_kernel_remove(LpClassKernel *kernel, const char *path)
{
    struct cgroup *cgroup;
    int error = ECGOTHER;

    /* The hierarchies of version 1 are removed one by one: all of them or none. */
    if (!without_processes(kernel, path))
        return fail(kernel, "cgroup %s stays: it has processes", path);
    cgroup = with_controllers(kernel, path);
    if (cgroup != NULL) {
        error = cgroup_delete_cgroup_ext(cgroup, CGFLAG_DELETE_EMPTY_ONLY);
        cgroup_free(&cgroup);
    }
    if (error != 0)
        return fail(kernel, "cgroup %s stays: %s", path, cgroup_strerror(error));
    /* With cgroups in it the library lets it be, and calls that a success. */
    return !lp_kernel_has_part(kernel, path) ||
           fail(kernel, "cgroup %s stays: it has others in it", path);
}

static bool
hand_down(LpClassKernel *kernel, const char *path, size_t length, const char *controller)
{
    char enabled[256], word[32];
    int error;

    if (lp_file_read(enabled, sizeof(enabled), "%s/%.*s/cgroup.subtree_control", kernel->cpu,
                     (int)length, path) < 0)
        return true;                 /* not made yet, and then made with it */
    for (const char *p = enabled; *p != '\0'; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " ") == strlen(controller) &&
            memcmp(p, controller, strlen(controller)) == 0)
            return true;
    snprintf(word, sizeof(word), "+%s", controller);
    error = lp_file_write(word, "%s/%.*s/cgroup.subtree_control", kernel->cpu, (int)length, path);
    if (error == 0)
        return true;
    return fail(kernel, "cgroup /%.*s does not hand the %s controller down: %s", (int)length, path,
                controller, error == EBUSY ? "it has processes of its own" : strerror(error));
}

bool
lp_kernel_hand_down(LpClassKernel *kernel, const char *path)
{
    const char *slash = path;

    if (!kernel->v2)
        return true;
    /* From the root, whose path is empty, downwards. */
    for (size_t length = 0;; length = (size_t)(slash - path)) {
        if (!hand_down(kernel, path, length, "cpu") ||
            (kernel->mem != NULL && !hand_down(kernel, path, length, "memory")))
            return false;
        slash = strchr(path + length + (length > 0), '/');
        if (slash == NULL)
            return true;
    }
}

/* --- what they are set to ------------------------------------------------------------------ */
static bool
set_text(LpClassKernel *kernel, const char *path, const char *controller, const char *name,
         const char *value)
{
    struct cgroup *cgroup = cgroup_new_cgroup(path);
    struct cgroup_controller *part = NULL;
    int error = ECGOTHER;

    if (cgroup != NULL)
        part = cgroup_add_controller(cgroup, controller);
    if (part != NULL)
        error = cgroup_set_value_string(part, name, value);
    if (part != NULL && error == 0)
        error = cgroup_modify_cgroup(cgroup);
    if (cgroup != NULL)
        cgroup_free(&cgroup);
    return error == 0 || fail(kernel, "%s of cgroup %s cannot be set to %s: %s", name, path, value,
                              cgroup_strerror(error));
}

static bool
set_number(LpClassKernel *kernel, const char *path, const char *controller, const char *name,
           int64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, value);
    return set_text(kernel, path, controller, name, text);
}

static bool
set_cpu(LpClassKernel *kernel, const LpClassGroup *group)
{
    bool limited = group->quota_usec != LP_CLASS_NO_QUOTA;
    char text[64];

    if (!set_number(kernel, group->path, "cpu", kernel->v2 ? "cpu.weight" : "cpu.shares",
                    kernel->v2 ? group->weight : lp_class_v1_shares(group->weight)))
        return false;
    if (group->class < 0)
        return true;
    /* A kernel without quotas has no file for them: that is a fault only where one is needed. */
    if (!limited && !lp_file_exists("%s/%s/%s", kernel->cpu, group->path,
                                    kernel->v2 ? "cpu.max" : "cpu.cfs_quota_us"))
        return true;
    if (kernel->v2) {
        if (limited)
            snprintf(text, sizeof(text), "%" PRId64 " %d", group->quota_usec, LP_CLASS_PERIOD_USEC);
        else
            snprintf(text, sizeof(text), "max %d", LP_CLASS_PERIOD_USEC);
        return set_text(kernel, group->path, "cpu", "cpu.max", text);
    }
    return set_number(kernel, group->path, "cpu", "cpu.cfs_period_us", LP_CLASS_PERIOD_USEC) &&
           set_number(kernel, group->path, "cpu", "cpu.cfs_quota_us", group->quota_usec);
}

static uint64_t
used_bytes(const LpClassKernel *kernel, const char *path)
{
    uint64_t bytes = 0;

    lp_file_read_uint(&bytes, "%s/%s/%s", kernel->mem, path,
                      kernel->v2 ? "memory.current" : "memory.usage_in_bytes");
    return bytes;
}

static void
note_end(int number)
{
    ended_by = number;
}

/* Before Linux 5.19: writing memory.high reclaims too, and is taken back; also if this program is
 * ended meanwhile, which ends the writing early. */
static void
reclaim_by_high(LpClassKernel *kernel, const char *path, uint64_t max_bytes)
{
    const struct sigaction later = { .sa_handler = note_end };
    struct sigaction before;
    char high[32], text[32];

    if (lp_file_read(high, sizeof(high), "%s/%s/memory.high", kernel->mem, path) <= 0)
        return;
    snprintf(text, sizeof(text), "%" PRIu64, max_bytes);
    sigaction(SIGTERM, &later, &before);
    set_text(kernel, path, "memory", "memory.high", text);
    set_text(kernel, path, "memory", "memory.high", high);
    sigaction(SIGTERM, &before, NULL);
    if (ended_by != 0)
        raise(ended_by);
}

/* cgroup v2 kills at once when a limit below the use cannot be reached by reclaim, so that goes
 * first, by ways that kill nobody; what is left then is the limit for now. */
static uint64_t
squeeze(LpClassKernel *kernel, const char *path, uint64_t max_bytes)
{
    char text[32];
    uint64_t used = used_bytes(kernel, path);

    if (used <= max_bytes)
        return max_bytes;
    if (lp_file_exists("%s/%s/memory.reclaim", kernel->mem, path)) {
        snprintf(text, sizeof(text), "%" PRIu64, used - max_bytes);
        lp_file_write(text, "%s/%s/memory.reclaim", kernel->mem, path);
    } else {
        reclaim_by_high(kernel, path, max_bytes);
    }
    used = used_bytes(kernel, path);
    return used <= max_bytes ? max_bytes : used + LP_KERNEL_SLACK_BYTES;
}

static LpKernelResult
over(LpClassKernel *kernel, const char *path, uint64_t used, uint64_t max_bytes)
{
    fail(kernel, "cgroup %s uses %" PRIu64 " MiB, more than the %" PRIu64 " MiB it may: it cannot "
         "grow, and is tried again", path, used >> 20, max_bytes >> 20);
    return LP_KERNEL_OVER;
}

static LpKernelResult
set_max(LpClassKernel *kernel, const char *path, uint64_t max_bytes)
{
    const char *name = kernel->v2 ? "memory.max" : "memory.limit_in_bytes";
    uint64_t limit = max_bytes;

    if (max_bytes == LP_CLASS_NO_LIMIT)
        return set_text(kernel, path, "memory", name, kernel->v2 ? "max" : "-1") ?
               LP_KERNEL_SET : LP_KERNEL_FAILED;
    if (kernel->v2)
        limit = squeeze(kernel, path, max_bytes);
    else if (used_bytes(kernel, path) > max_bytes &&
             !set_number(kernel, path, "memory", name, (int64_t)max_bytes))
        limit = used_bytes(kernel, path) + LP_KERNEL_SLACK_BYTES;
    if (!set_number(kernel, path, "memory", name, (int64_t)limit))
        return LP_KERNEL_FAILED;
    return limit == max_bytes ? LP_KERNEL_SET :
                                over(kernel, path, limit - LP_KERNEL_SLACK_BYTES, max_bytes);
}

static LpKernelResult
set_memory(LpClassKernel *kernel, const LpClassGroup *group)
{
    const char *name = kernel->v2 ? "memory.low" : "memory.soft_limit_in_bytes";

    /* v1 reclaims first from who is furthest above its soft limit, whatever is above it; a
     * class that has no minimum is above its soft limit at once. */
    if ((kernel->v2 || group->class >= 0) &&
        (group->low_bytes > 0 || lp_file_exists("%s/%s/%s", kernel->mem, group->path, name)) &&
        !set_number(kernel, group->path, "memory", name, (int64_t)group->low_bytes))
        return LP_KERNEL_FAILED;
    return group->class >= 0 ? set_max(kernel, group->path, group->max_bytes) : LP_KERNEL_SET;
}

LpKernelResult
lp_kernel_set(LpClassKernel *kernel, const LpClassGroup *group)
{
    LpKernelResult result = LP_KERNEL_SET;

    /* Memory first: of a class that cannot have all its limits, the rest still holds. */
    if (kernel->mem != NULL)
        result = set_memory(kernel, group);
    if (result == LP_KERNEL_FAILED)
        return result;
    return set_cpu(kernel, group) ? result : LP_KERNEL_FAILED;
}

bool
lp_kernel_reset(LpClassKernel *kernel, const char *path, bool is_class)
{
    LpClassGroup group = { .class = is_class ? 0 : -1, .weight = 100,
                           .quota_usec = LP_CLASS_NO_QUOTA, .max_bytes = LP_CLASS_NO_LIMIT };

    snprintf(group.path, sizeof(group.path), "%s", path);
    if (!kernel->v2)
        group.low_bytes = LP_CLASS_NO_LIMIT;   /* a soft limit that nobody is above */
    return lp_kernel_set(kernel, &group) == LP_KERNEL_SET;
}

void
lp_kernel_use_files(const LpClassKernel *kernel, const char *path, char *cpu_file, char *mem_file,
                    size_t size)
{
    const char *acct = kernel->v2 ? kernel->cpu : kernel->acct;

    snprintf(cpu_file, size, "-");
    snprintf(mem_file, size, "-");
    if (acct != NULL)
        snprintf(cpu_file, size, "%s/%s/%s", acct, path, kernel->v2 ? "cpu.stat" : "cpuacct.usage");
    if (kernel->mem != NULL)
        snprintf(mem_file, size, "%s/%s/%s", kernel->mem, path,
                 kernel->v2 ? "memory.current" : "memory.usage_in_bytes");
}
