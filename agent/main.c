/* lpar-agent: the guest's program. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/command.h"
#include "agent/log.h"

/* Leaves room below it for the longest file the agent reads, see LP_PATH_MAX. */
#define LP_ROOT_MAX 160

static const char help_text[] =
    "Usage: lpar-agent [OPTION]...           run, in the foreground\n"
    "       lpar-agent [OPTION]... status    show what the host would be told\n"
    "       lpar-agent [OPTION]... request [cpu=AMOUNT] [mem=AMOUNT] [--why TEXT]\n"
    "                  [--timeout SECONDS] [--socket PATH]\n"
    "                                        ask the host for another size (8G, +1G, -1G)\n"
    "       lpar-agent [OPTION]... watch [--socket PATH]\n"
    "                                        print the phases of resizes as they come\n"
    "\n"
    "Brings virtual processors and memory online and offline as lpard on the host asks,\n"
    "tells it what this guest can use, and lets scripts and programs take part.\n"
    "\n"
    "  --port PATH     use this device instead of looking for the virtio port\n"
    "                  " LP_PORT_NAME "; unix:PATH connects to a socket\n"
    "  --sysfs DIR     read and write DIR instead of /sys\n"
    "  --procfs DIR    read DIR instead of /proc\n"
    "  --conf FILE     read FILE instead of " LP_CONF_PATH "\n"
    "  --foreground    stay in the foreground (always so)\n"
    "  --verbose       say what is done, on stderr\n"
    "  --json          status: print the messages that the host would get\n"
    "  --version       show the version\n"
    "  --help          show this\n"
    "\n"
    "SIGHUP makes it look at everything again.  See lpar-agent(8).\n";

enum { OPT_PORT = 256, OPT_SYSFS, OPT_PROCFS, OPT_CONF, OPT_FOREGROUND, OPT_VERBOSE,
       OPT_JSON, OPT_VERSION, OPT_HELP };

static const struct option long_options[] = {
    { "port", required_argument, NULL, OPT_PORT },
    { "sysfs", required_argument, NULL, OPT_SYSFS },
    { "procfs", required_argument, NULL, OPT_PROCFS },
    { "conf", required_argument, NULL, OPT_CONF },
    { "foreground", no_argument, NULL, OPT_FOREGROUND },
    { "verbose", no_argument, NULL, OPT_VERBOSE },
    { "json", no_argument, NULL, OPT_JSON },
    { "version", no_argument, NULL, OPT_VERSION },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

static int
say_and_leave(const char *text)
{
    return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : 1;
}

int
lp_command_usage(const char *what, const char *which)
{
    fprintf(stderr, "lpar-agent: %s%s; see lpar-agent --help\n", what, which);
    return LP_EXIT_USAGE;
}

/* -1: go on; else the exit status. */
static int
parse_options(int argc, char **argv, LpAgentOptions *options)
{
    int option;

    optind = 0;
    /* "+": what follows the command is the command's. */
    while ((option = getopt_long(argc, argv, "+", long_options, NULL)) >= 0) {
        switch (option) {
        case OPT_PORT:
            options->port = optarg;
            break;
        case OPT_SYSFS:
            options->sysfs = optarg;
            break;
        case OPT_PROCFS:
            options->procfs = optarg;
            break;
        case OPT_CONF:
            options->conf = optarg;
            break;
        case OPT_FOREGROUND:
            break;
        case OPT_VERBOSE:
            options->verbose = true;
            break;
        case OPT_JSON:
            options->json = true;
            break;
        case OPT_VERSION:
            return say_and_leave("lpar-agent " PACKAGE_VERSION "\n");
        case OPT_HELP:
            return say_and_leave(help_text);
        default:
            return LP_EXIT_USAGE;
        }
    }
    if (strlen(options->sysfs) > LP_ROOT_MAX || strlen(options->procfs) > LP_ROOT_MAX)
        return lp_command_usage("the path is too long: ", strlen(options->sysfs) > LP_ROOT_MAX ?
                           options->sysfs : options->procfs);
    return -1;
}

static int
run_status(const LpAgentOptions *options, int argc, char **argv)
{
    LpAgentOptions own = *options;
    int status = parse_options(argc, argv, &own);

    if (status >= 0)
        return status;
    if (optind < argc)
        return lp_command_usage("one word too many: ", argv[optind]);
    return lp_agent_status(&own);
}

static const struct {
    const char *name;
    int (*run)(const LpAgentOptions *options, int argc, char **argv);
} commands[] = {
    { "status", run_status },
    { "request", lp_agent_request },
    { "watch", lp_agent_print_phases },
};

int
main(int argc, char **argv)
{
    LpAgentOptions options = { .sysfs = "/sys", .procfs = "/proc", .conf = LP_CONF_PATH };
    int status = parse_options(argc, argv, &options);

    if (status >= 0)
        return status;
    lp_log_init(options.verbose);
    if (optind == argc)
        return lp_agent_run(&options);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[optind], commands[i].name) != 0)
            continue;
        if (optind + 1 < argc && strcmp(argv[optind + 1], "--help") == 0)
            return say_and_leave(help_text);
        /* What getopt complains of begins with the program's name. */
        argv[optind] = argv[0];
        return commands[i].run(&options, argc - optind, argv + optind);
    }
    return lp_command_usage("unknown command: ", argv[optind]);
}
