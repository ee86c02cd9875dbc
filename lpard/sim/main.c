/* lpar-sim: policies on a simulated host. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "lpard/sim/compare.h"
#include "lpard/sim/options.h"
#include "lpard/sim/replay.h"

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} Command;

static int cmd_help(int argc, char **argv);

static const Command commands[] = {
    { "run", lp_sim_cmd_run, "policies on one trace and host" },
    { "compare", lp_sim_compare, "all policies side by side, and goals" },
    { "generate", lp_sim_cmd_generate, "a trace by seed" },
    { "replay", lp_sim_replay, "what lpard decided, decided again from its history" },
    { "policies", lp_sim_cmd_policies, "what there is, and where it is from" },
    { "help", cmd_help, "this" },
};

static int
cmd_help(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    puts("usage: lpar-sim COMMAND [OPTION...]\n");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    puts("\n`lpar-sim COMMAND --help` shows its options; lpar-sim(8) says more.");
    return LP_SIM_EXIT_DONE;
}

static int
run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    if (name == NULL) {
        fputs("lpar-sim: no command is given: `lpar-sim help` lists them\n", stderr);
        return LP_SIM_EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0) {
        puts("lpar-sim " PACKAGE_VERSION);
        return LP_SIM_EXIT_DONE;
    }
    if (strcmp(name, "--help") == 0)
        name = "help";
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "lpar-sim: no command is called '%s': `lpar-sim help` lists them\n", name);
    return LP_SIM_EXIT_USAGE;
}

int
main(int argc, char **argv)
{
    int status;

    setlocale(LC_ALL, "");
    /* A closed pipe is a failed write, not a death without a word. */
    signal(SIGPIPE, SIG_IGN);
    status = run(argc, argv);
    if (fflush(stdout) != 0 && status == LP_SIM_EXIT_DONE) {
        fprintf(stderr, "lpar-sim: the output could not be written: %s\n", g_strerror(errno));
        return LP_SIM_EXIT_FAILED;
    }
    return status;
}
