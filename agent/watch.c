/* `lpar-agent watch`: the phases of resizes as they come, for scripts and for people. */
#include <getopt.h>
#include <stdio.h>

#include "agent/command.h"
#include "agent/lib/lpar-agent.h"

enum { OPT_SOCKET = 256 };

static const struct option long_options[] = {
    { "socket", required_argument, NULL, OPT_SOCKET },
    { NULL, 0, NULL, 0 },
};

static const char *const phase_names[] = {
    [LPAR_AGENT_CHECK] = "check",
    [LPAR_AGENT_PRE] = "pre",
    [LPAR_AGENT_POST] = "post",
    [LPAR_AGENT_UNDO] = "undo",
};

/* In the order and the words of a hook's arguments. */
static void
print_resource(const LparAgentPhase *phase, const char *resource, uint64_t from, uint64_t to)
{
    printf("%s %s %s %llu %llu %llu\n", phase_names[phase->name],
           to > from ? "acquire" : to < from ? "release" : "unchanged", resource,
           (unsigned long long)from, (unsigned long long)to, (unsigned long long)phase->id);
}

static int
print_phase(const LparAgentPhase *phase)
{
    if (phase->resources & LPAR_AGENT_CPU)
        print_resource(phase, "cpu", phase->cpu_from, phase->cpu_to);
    if (phase->resources & LPAR_AGENT_MEM)
        print_resource(phase, "mem", phase->mem_from, phase->mem_to);
    if (phase->resources & LPAR_AGENT_UNITS)
        print_resource(phase, "capacity", phase->units_from, phase->units_to);
    return fflush(stdout);
}

int
lp_agent_print_phases(const LpAgentOptions *options, int argc, char **argv)
{
    const char *socket = NULL;
    LparAgentEvent event;
    LparAgent *agent;
    int option, status;

    optind = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
        if (option != OPT_SOCKET)
            return LP_EXIT_USAGE;
        socket = optarg;
    }
    if (optind < argc)
        return lp_command_usage("one word too many: ", argv[optind]);
    status = lp_command_connect(options, socket, &agent);
    if (status != LP_EXIT_DONE)
        return status;
    status = lpar_agent_subscribe(agent, "watch", LPAR_AGENT_CPU | LPAR_AGENT_MEM |
                                  LPAR_AGENT_UNITS, LPAR_AGENT_TOLD);
    while (status >= 0) {
        status = lpar_agent_next(agent, -1, &event);
        if (status > 0 && event.kind == LPAR_AGENT_PHASE && print_phase(&event.phase) != 0)
            break;
    }
    if (status < 0)
        fprintf(stderr, "lpar-agent: %s\n", lpar_agent_error(agent));
    lpar_agent_close(agent);
    return status < 0 ? LP_EXIT_UNREACHABLE : LP_EXIT_ERROR;
}
