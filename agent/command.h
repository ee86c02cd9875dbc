/* What lpar-agent does beside being the agent: its commands, each in a file of its own.
 *
 * argv[0] is the command's word; what is returned is the process's exit status. */
#ifndef LP_AGENT_COMMAND_H
#define LP_AGENT_COMMAND_H

#include "agent/agent.h"

/* As lparctl's: an operation's end has the same number on both sides. */
enum {
    LP_EXIT_DONE,
    LP_EXIT_ERROR,
    LP_EXIT_USAGE,
    LP_EXIT_PARTIAL,
    LP_EXIT_REFUSED,
    LP_EXIT_VETOED,
    LP_EXIT_TIMED_OUT,
    LP_EXIT_CANCELLED,
    LP_EXIT_UNREACHABLE,
};

/* request.c: asks for another size. */
int lp_agent_request(const LpAgentOptions *options, int argc, char **argv);
/* watch.c: prints phases as they come. */
int lp_agent_print_phases(const LpAgentOptions *options, int argc, char **argv);

/* main.c: says on stderr what is wrong with the command line; LP_EXIT_USAGE. */
int lp_command_usage(const char *what, const char *which);

typedef struct LparAgent LparAgent;
/* request.c: connects to the running agent, at `path` or, if that is NULL, where agent.conf says;
 * LP_EXIT_DONE, or it has said why not. */
int lp_command_connect(const LpAgentOptions *options, const char *path, LparAgent **ret_link);

#endif
