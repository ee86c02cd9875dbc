/* lpar-agent-classes: applies classes.conf to the guest's cgroups.  A program of its own, run by
 * lpar-agent when the partition's size has changed, so that the agent needs no libcgroup. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/classes.h"
#include "agent/classes/apply.h"
#include "agent/classes/share.h"
#include "agent/conf.h"
#include "agent/files.h"
#include "numa/cpumask.h"

static const char help_text[] =
    "Usage: lpar-agent-classes [OPTION]... apply   divide processors and memory among classes\n"
    "       lpar-agent-classes [OPTION]... show    what apply would set\n"
    "       lpar-agent-classes [OPTION]... check   only look whether the file is right\n"
    "       lpar-agent-classes [OPTION]... clear   take back what apply has set\n"
    "\n"
    "  --conf FILE   read FILE instead of " LP_CONF_CLASSES_FILE "\n"
    "  --cpus N      instead of the processors that are online\n"
    "  --mem BYTES   instead of the memory that the kernel has\n"
    "  --list FILE   leave the list of classes in FILE instead of\n"
    "                " LP_CLASSES_LIST "\n"
    "  --version     show the version\n"
    "  --help        show this\n"
    "\n"
    "lpar-agent runs it whenever the partition is resized.  See classes.conf(5).\n";

typedef struct {
    const char *conf, *list;
    uint64_t cpus, bytes;            /* 0: what is there now */
} Options;

enum { OPT_CONF = 256, OPT_CPUS, OPT_MEM, OPT_LIST, OPT_VERSION, OPT_HELP };

static const struct option long_options[] = {
    { "conf", required_argument, NULL, OPT_CONF },
    { "cpus", required_argument, NULL, OPT_CPUS },
    { "mem", required_argument, NULL, OPT_MEM },
    { "list", required_argument, NULL, OPT_LIST },
    { "version", no_argument, NULL, OPT_VERSION },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

static int
say_and_leave(const char *text)
{
    return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : LP_CLASSES_EXIT_FAILED;
}

static int
usage_error(const char *what, const char *which)
{
    fprintf(stderr, "lpar-agent-classes: %s%s; see lpar-agent-classes --help\n", what, which);
    return LP_CLASSES_EXIT_WRONG;
}

static bool
parse_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || *end != '\0' || number == 0 || number > max)
        return false;
    *ret_number = number;
    return true;
}

/* -1: go on; else the exit status. */
static int
parse_options(int argc, char **argv, Options *options)
{
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
        switch (option) {
        case OPT_CONF:
            options->conf = optarg;
            break;
        case OPT_LIST:
            options->list = optarg;
            break;
        case OPT_CPUS:
            if (!parse_number(optarg, LP_MAX_CPUS, &options->cpus))
                return usage_error("not a number of processors: ", optarg);
            break;
        case OPT_MEM:
            if (!parse_number(optarg, INT64_MAX, &options->bytes))
                return usage_error("not a number of bytes: ", optarg);
            break;
        case OPT_VERSION:
            return say_and_leave("lpar-agent-classes " PACKAGE_VERSION "\n");
        case OPT_HELP:
            return say_and_leave(help_text);
        default:
            return LP_CLASSES_EXIT_WRONG;
        }
    }
    /* The record's name and that of a file half written are longer by a few letters. */
    if (strlen(options->list) > LP_PATH_MAX - 16)
        return usage_error("the path is too long: ", options->list);
    return -1;
}

/* --- the partition's size ------------------------------------------------------------------- */
static bool
read_size(Options *options)
{
    char text[4096];
    LpCpuMask online;
    uint64_t kib;

    if (options->cpus == 0) {
        if (lp_file_read(text, sizeof(text), "/sys/devices/system/cpu/online") < 0 ||
            !lp_cpumask_parse(text, &online) || lp_cpumask_count(&online) == 0) {
            fprintf(stderr, "lpar-agent-classes: how many processors are online cannot be read "
                    "from /sys/devices/system/cpu/online: say so with --cpus\n");
            return false;
        }
        options->cpus = lp_cpumask_count(&online);
    }
    if (options->bytes == 0) {
        if (lp_file_read(text, sizeof(text), "/proc/meminfo") < 0 ||
            sscanf(text, "MemTotal: %" SCNu64 " kB", &kib) != 1 || kib == 0) {
            fprintf(stderr, "lpar-agent-classes: how much memory there is cannot be read from "
                    "/proc/meminfo: say so with --mem\n");
            return false;
        }
        options->bytes = kib << 10;
    }
    return true;
}

/* --- classes.conf --------------------------------------------------------------------------- */
static void
show_fault(void *data, uint32_t line, const char *why)
{
    fprintf(stderr, "%s:%" PRIu32 ": %s\n", (const char *)data, line, why);
}

/* What it says is done with root's rights, so only root may say it. */
static bool
trusted(const char *path, int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        fprintf(stderr, "%s: not a file\n", path);
        return false;
    }
    if ((status.st_uid == 0 || status.st_uid == geteuid()) && (status.st_mode & 022) == 0)
        return true;
    fprintf(stderr, "%s: others than root may write to it (owner %u, mode %04o): not used\n", path,
            (unsigned)status.st_uid, (unsigned)(status.st_mode & 07777));
    return false;
}

static bool
read_table(const char *path, LpClassTable *ret_table)
{
    static char text[LP_CLASS_FILE_MAX + 1];
    char name[LP_PATH_MAX];
    size_t used = 0;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    if (!trusted(path, fd)) {
        close(fd);
        return false;
    }
    while (used < sizeof(text) && (n = read(fd, text + used, sizeof(text) - used)) > 0)
        used += (size_t)n;
    if (n < 0)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    close(fd);
    snprintf(name, sizeof(name), "%s", path);
    return n >= 0 && lp_class_parse(text, used, ret_table, show_fault, name);
}

/* --- commands ------------------------------------------------------------------------------- */
static void
show_bytes(uint64_t bytes, bool none)
{
    if (none)
        printf(" %10s", "-");
    else
        printf(" %6" PRIu64 " MiB", bytes >> 20);
}

static int
show(const LpClassTable *table, uint32_t cpus, uint64_t bytes)
{
    static LpClassPlan plan;

    lp_class_plan(table, cpus, bytes, &plan);
    printf("%" PRIu32 " processors, %" PRIu64 " MiB\n", cpus, bytes >> 20);
    printf("%-16s %8s %8s %10s %10s  %s\n", "class", "share", "cpu-max", "mem-min", "mem-max",
           "cgroup");
    for (uint32_t i = 0; i < plan.n_groups; i++) {
        const LpClassGroup *group = &plan.groups[i];

        if (group->class < 0)
            continue;
        printf("%-16s %3" PRIu32 ".%02" PRIu32 " %%", table->classes[group->class].name,
               group->share / 100, group->share % 100);
        if (group->quota_usec == LP_CLASS_NO_QUOTA)
            printf(" %8s", "-");
        else
            printf(" %8.2f", (double)group->quota_usec / LP_CLASS_PERIOD_USEC);
        show_bytes(group->low_bytes, group->low_bytes == 0);
        show_bytes(group->max_bytes, group->max_bytes == LP_CLASS_NO_LIMIT);
        printf("  /%s\n", group->path);
    }
    printf("%-16s %3" PRIu32 ".%02" PRIu32 " %%\n", "(in no class)", plan.rest / 100,
           plan.rest % 100);
    return fflush(stdout) == 0 ? 0 : LP_CLASSES_EXIT_FAILED;
}

static int
run(const char *command, Options *options)
{
    static LpClassTable table;

    if (strcmp(command, "clear") == 0)
        return lp_classes_clear(options->list);
    if (!read_table(options->conf, &table))
        return LP_CLASSES_EXIT_WRONG;
    if (strcmp(command, "check") == 0) {
        printf("%s: %" PRIu32 " classes\n", options->conf, table.n_classes);
        return fflush(stdout) == 0 ? 0 : LP_CLASSES_EXIT_FAILED;
    }
    if (!read_size(options))
        return LP_CLASSES_EXIT_FAILED;
    if (strcmp(command, "show") == 0)
        return show(&table, (uint32_t)options->cpus, options->bytes);
    return lp_classes_apply(&table, (uint32_t)options->cpus, options->bytes, options->list);
}

int
main(int argc, char **argv)
{
    static const char *const commands[] = { "apply", "show", "check", "clear" };
    Options options = { .conf = LP_CONF_CLASSES_FILE, .list = LP_CLASSES_LIST };
    int status = parse_options(argc, argv, &options);

    if (status >= 0)
        return status;
    if (optind == argc)
        return usage_error("no command", "");
    if (optind + 1 < argc)
        return usage_error("one word too many: ", argv[optind + 1]);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i], argv[optind]) == 0)
            return run(commands[i], &options);
    return usage_error("unknown command: ", argv[optind]);
}
