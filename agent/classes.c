#include "agent/classes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/facts.h"
#include "agent/files.h"
#include "agent/log.h"

/* A resize is many events: blocks of memory one by one, vCPUs with their siblings. */
#define LP_CLASSES_PAUSE_MSEC 200
/* It writes some hundred small files; reclaim down to a smaller limit may take seconds. */
#define LP_CLASSES_TIMEOUT_MSEC 30000
/* What failed may succeed later: a class shrinks, somebody mounts the controllers. */
#define LP_CLASSES_RETRY_FIRST_MSEC 5000
#define LP_CLASSES_RETRY_LAST_MSEC 600000
/* The helper's exit status when classes.conf is wrong: trying again would not mend it. */
#define LP_CLASSES_WRONG 2

static void on_watch(LpAgent *agent, uint32_t events);

static const LpWatcher watcher = { on_watch };

void
lp_classes_init(LpAgent *agent)
{
    agent->classes = (LpClasses){ .at_msec = LP_NEVER, .watch_fd = -1,
                                  .retry_msec = LP_CLASSES_RETRY_FIRST_MSEC };
    lp_classes_touch(agent, lp_clock_msec());
}

static bool
wanted(const LpAgent *agent)
{
    /* Classes that are configured no longer leave a list of what is to be taken back. */
    return !(agent->conf.forbid & LP_WIRE_ACT_CLASSES) &&
           (lp_file_exists("%s", agent->conf.classes_file) || lp_file_exists(LP_CLASSES_LIST));
}

void
lp_classes_touch(LpAgent *agent, int64_t now_msec)
{
    LpClasses *classes = &agent->classes;

    classes->at_msec = lp_clock_earlier(classes->at_msec, now_msec + LP_CLASSES_PAUSE_MSEC);
}

static void
forget_watch(LpClasses *classes)
{
    if (classes->watch_fd >= 0)
        close(classes->watch_fd);
    classes->watch_fd = -1;
}

void
lp_classes_reload(LpAgent *agent, int64_t now_msec)
{
    LpClasses *classes = &agent->classes;

    forget_watch(classes);
    classes->cpus = 0;
    classes->cause = 0;
    classes->retry_msec = LP_CLASSES_RETRY_FIRST_MSEC;
    lp_classes_touch(agent, now_msec);
}

void
lp_classes_yield(LpAgent *agent)
{
    LpClasses *classes = &agent->classes;

    if (!classes->running)
        return;
    classes->yielded = true;
    lp_child_cancel(agent, classes);
}

int64_t
lp_classes_deadline(const LpAgent *agent)
{
    return agent->classes.running || agent->phases.busy ? LP_NEVER : agent->classes.at_msec;
}

/* --- cgroups that come ---------------------------------------------------------------------- */
/* The cgroup whose file that is: cuts it off, and returns the name of the cgroup, cut off too, so
 * that the file's text is left with the cgroup above it.  NULL for "-". */
static const char *
cut_cgroup(char *file)
{
    char *slash = strrchr(file, '/');

    if (slash == NULL)
        return NULL;
    *slash = '\0';
    slash = strrchr(file, '/');
    if (slash == NULL)
        return NULL;
    *slash = '\0';
    return slash + 1;
}

/* Calls func with the cgroup above each class and the class's own name there. */
static void
each_class(void (*func)(const char *above, const char *name, void *data), void *data)
{
    char text[LP_CLASSES_LIST_MAX], *rest = text, *line;

    if (lp_file_read(text, sizeof(text), LP_CLASSES_LIST) < 0)
        return;
    while ((line = strsep(&rest, "\n")) != NULL) {
        char *file = strchr(line, ' ');
        const char *name = NULL;

        if (file != NULL) {
            file++;
            file[strcspn(file, " ")] = '\0';
            name = cut_cgroup(file);
        }
        if (name != NULL)
            func(file, name, data);
    }
}

static void
watch_above(const char *above, const char *name, void *data)
{
    const LpClasses *classes = data;

    (void)name;
    inotify_add_watch(classes->watch_fd, above, IN_CREATE | IN_ONLYDIR);
}

/* A service that is started again has a new cgroup, of which nobody has set anything. */
static void
watch_cgroups(LpAgent *agent, int64_t now_msec)
{
    LpClasses *classes = &agent->classes;

    if (classes->watch_fd >= 0 || !lp_file_exists(LP_CLASSES_LIST))
        return;
    classes->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (classes->watch_fd < 0)
        return;
    if (!lp_agent_watch(agent, classes->watch_fd, EPOLLIN, &watcher)) {
        forget_watch(classes);
        return;
    }
    each_class(watch_above, classes);
    /* Once more, for what came while nobody watched. */
    classes->cpus = 0;
    lp_classes_touch(agent, now_msec);
}

typedef struct {
    const char *name;
    bool found;
} Coming;

static void
compare_name(const char *above, const char *name, void *data)
{
    Coming *coming = data;

    (void)above;
    if (strcmp(name, coming->name) == 0)
        coming->found = true;
}

static void
on_watch(LpAgent *agent, uint32_t events)
{
    char buf[1024] __attribute__((aligned(__alignof__(struct inotify_event))));
    Coming coming = { .found = false };
    ssize_t n;

    (void)events;
    while ((n = read(agent->classes.watch_fd, buf, sizeof(buf))) > 0)
        for (ssize_t at = 0; at < n;) {
            struct inotify_event event;

            memcpy(&event, buf + at, sizeof(event));
            coming.name = buf + at + sizeof(event);
            if (event.mask & IN_Q_OVERFLOW)
                coming.found = true;
            else if ((event.mask & IN_ISDIR) && event.len > 0 && !coming.found)
                each_class(compare_name, &coming);
            at += (ssize_t)(sizeof(event) + event.len);
        }
    if (coming.found) {
        agent->classes.cpus = 0;
        lp_classes_touch(agent, lp_clock_msec());
    }
}

/* --- the helper ----------------------------------------------------------------------------- */
/* FNV-1a: what failed before is told from what fails anew without keeping its words. */
static uint32_t
cause_of(const char *text)
{
    uint32_t hash = 2166136261u;

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash | 1;
}

static void
log_failure(LpClasses *classes, const LpChildEnd *end)
{
    char said[256];
    int length = (int)strcspn(end->output != NULL ? end->output : "", "\n");

    if (!end->started)
        snprintf(said, sizeof(said), "%s: %s", classes->argv[0], strerror(end->error));
    else if (end->timed_out)
        snprintf(said, sizeof(said), "%s did not end within %d s", classes->argv[0],
                 LP_CLASSES_TIMEOUT_MSEC / 1000);
    else if (length > 0)
        snprintf(said, sizeof(said), "%.*s", length, end->output);
    else
        snprintf(said, sizeof(said), "%s ended with %s %d", classes->argv[0],
                 end->signalled ? "signal" : "status", end->code);
    if (classes->cause != cause_of(said))
        lp_log_warn("classes: %s", said);
    classes->cause = cause_of(said);
}

static void
on_done(LpAgent *agent, const LpChildEnd *end, void *data)
{
    LpClasses *classes = &agent->classes;
    bool yielded = classes->yielded && end->timed_out;
    int64_t now = lp_clock_msec();

    (void)data;
    classes->running = classes->yielded = false;
    if (yielded) {
        classes->cpus = 0;
        lp_classes_touch(agent, now);
        return;
    }
    if (end->started && !end->timed_out && !end->flooded && !end->signalled && end->code == 0) {
        classes->cause = 0;
        classes->retry_msec = LP_CLASSES_RETRY_FIRST_MSEC;
        lp_log_info("classes: %s for %u vCPUs and %llu MiB", classes->argv[1],
                    (unsigned)classes->cpus, (unsigned long long)(classes->total_bytes >> 20));
        watch_cgroups(agent, now);
        return;
    }
    log_failure(classes, end);
    if (end->started && !end->signalled && !end->timed_out && end->code == LP_CLASSES_WRONG)
        return;
    classes->cpus = 0;
    classes->at_msec = lp_clock_earlier(classes->at_msec, now + classes->retry_msec);
    classes->retry_msec *= 2;
    if (classes->retry_msec > LP_CLASSES_RETRY_LAST_MSEC)
        classes->retry_msec = LP_CLASSES_RETRY_LAST_MSEC;
}

static void
start_helper(LpAgent *agent)
{
    static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
    LpClasses *classes = &agent->classes;
    bool there = lp_file_exists("%s", agent->conf.classes_file);
    LpChildSpec spec = { .path = agent->conf.classes_helper, .done = on_done,
                         .data = classes, .timeout_msec = LP_CLASSES_TIMEOUT_MSEC };

    classes->argv[0] = agent->conf.classes_helper;
    classes->argv[1] = there ? "apply" : "clear";
    classes->argv[2] = there ? "--conf" : NULL;
    classes->argv[3] = there ? agent->conf.classes_file : NULL;
    classes->argv[4] = NULL;
    /* execve() takes them for writable, and writes to neither. */
    memcpy(&spec.argv, &(const char *const *){ classes->argv }, sizeof(spec.argv));
    memcpy(&spec.envp, &(const char *const *){ environment }, sizeof(spec.envp));
    classes->running = lp_child_run(agent, &spec);
    if (!classes->running) {
        classes->cpus = 0;
        lp_classes_touch(agent, lp_clock_msec());
    }
}

void
lp_classes_run(LpAgent *agent, int64_t now_msec)
{
    LpClasses *classes = &agent->classes;
    LpCpuMask online;
    uint64_t total;

    (void)now_msec;
    classes->at_msec = LP_NEVER;
    if (!wanted(agent))
        return;
    lp_cpus_online(&agent->cpus, &online);
    total = lp_facts_mem_total(agent->options.procfs);
    if (classes->cpus == lp_cpumask_count(&online) && classes->total_bytes == total)
        return;
    classes->cpus = lp_cpumask_count(&online);
    classes->total_bytes = total;
    start_helper(agent);
}
