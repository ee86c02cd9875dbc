/* `lpar-agent request`: asks the host for another size, and waits for what becomes of it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/clock.h"
#include "agent/command.h"
#include "agent/lib/lpar-agent.h"
#include "policy/units.h"

/* lpard's own limit for an operation is a minute, and others may be before it in the queue. */
#define LP_REQUEST_SECONDS 300
#define LP_REQUEST_SECONDS_MAX 86400

typedef struct {
    LparAgentRequest request;
    const char *socket;
    uint32_t seconds;
} LpRequest;

enum { OPT_WHY = 256, OPT_TIMEOUT, OPT_SOCKET };

static const struct option long_options[] = {
    { "why", required_argument, NULL, OPT_WHY },
    { "timeout", required_argument, NULL, OPT_TIMEOUT },
    { "socket", required_argument, NULL, OPT_SOCKET },
    { NULL, 0, NULL, 0 },
};

static int
amount_error(const char *word, LpUnitsVerdict verdict)
{
    fprintf(stderr, "lpar-agent: %s: %s\n", word, lp_units_hint(verdict));
    return LP_EXIT_USAGE;
}

/* "=8G", "=+1G" or "=-1G": moves *text to the number. */
static LparAgentMode
parse_mode(const char **text)
{
    char sign = **text;

    if (sign != '+' && sign != '-')
        return LPAR_AGENT_SET;
    ++*text;
    return sign == '+' ? LPAR_AGENT_ADD : LPAR_AGENT_REMOVE;
}

static int
parse_amount(const char *word, LparAgentRequest *request)
{
    const char *text = word + 4;
    LpUnitsVerdict verdict;

    if (strncmp(word, "mem=", 4) == 0) {
        if (request->mem != 0)
            return lp_command_usage("given twice: ", "mem");
        request->mem_mode = parse_mode(&text);
        verdict = lp_units_parse_bytes(text, &request->mem);
    } else if (strncmp(word, "cpu=", 4) == 0) {
        if (request->cpu != 0)
            return lp_command_usage("given twice: ", "cpu");
        request->cpu_mode = parse_mode(&text);
        verdict = lp_units_parse_count(text, LP_MAX_CPUS, &request->cpu);
    } else {
        return lp_command_usage("not an amount (cpu=2, mem=+1G): ", word);
    }
    if (verdict != LP_UNITS_OK)
        return amount_error(word, verdict);
    if ((word[0] == 'm' && request->mem == 0) || (word[0] == 'c' && request->cpu == 0))
        return lp_command_usage("an amount of nothing: ", word);
    return LP_EXIT_DONE;
}

static int
parse_line(int argc, char **argv, LpRequest *ret_request)
{
    int option, status;

    optind = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
        if (option == OPT_WHY)
            ret_request->request.why = optarg;
        else if (option == OPT_SOCKET)
            ret_request->socket = optarg;
        else if (option != OPT_TIMEOUT)
            return LP_EXIT_USAGE;
        else if (lp_units_parse_count(optarg, LP_REQUEST_SECONDS_MAX, &ret_request->seconds) !=
                     LP_UNITS_OK || ret_request->seconds == 0)
            return lp_command_usage("--timeout takes seconds, 1 to 86400, not: ", optarg);
    }
    for (int i = optind; i < argc; i++) {
        status = parse_amount(argv[i], &ret_request->request);
        if (status != LP_EXIT_DONE)
            return status;
    }
    if (ret_request->request.cpu == 0 && ret_request->request.mem == 0)
        return lp_command_usage("what is asked for? ", "cpu=AMOUNT or mem=AMOUNT");
    return LP_EXIT_DONE;
}

int
lp_command_connect(const LpAgentOptions *options, const char *path, LparAgent **ret_link)
{
    LpConf conf;
    int error;

    lp_conf_init(&conf);
    if (path == NULL) {
        lp_conf_read(&conf, options->conf);
        path = conf.socket;
    }
    if (path[0] == '\0') {
        fprintf(stderr, "lpar-agent: agent.conf has switched the socket for programs off\n");
        return LP_EXIT_UNREACHABLE;
    }
    error = -lpar_agent_connect(path, ret_link);
    if (error == 0)
        return LP_EXIT_DONE;
    fprintf(stderr, "lpar-agent: the agent cannot be reached at %s: %s%s\n", path,
            strerror(error), error == ENOENT || error == ECONNREFUSED ? " (is it running?)" :
            error == EACCES ? " (root may, and the socket-group of agent.conf)" : "");
    return LP_EXIT_UNREACHABLE;
}

static int
exit_status(const char *state)
{
    static const struct {
        const char *state;
        int status;
    } table[] = {
        { "done", LP_EXIT_DONE },           { "partial", LP_EXIT_PARTIAL },
        { "refused", LP_EXIT_REFUSED },     { "vetoed", LP_EXIT_VETOED },
        { "timed-out", LP_EXIT_TIMED_OUT }, { "cancelled", LP_EXIT_CANCELLED },
        { "unreachable", LP_EXIT_UNREACHABLE },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].state, state) == 0)
            return table[i].status;
    }
    return LP_EXIT_ERROR;
}

static void
print_result(const LparAgentResult *result)
{
    FILE *where = result->final && exit_status(result->state) != LP_EXIT_DONE &&
                  exit_status(result->state) != LP_EXIT_PARTIAL ? stderr : stdout;

    if (result->operation != 0)
        fprintf(where, "operation %llu: ", (unsigned long long)result->operation);
    fprintf(where, "%s%s%s\n", result->state, result->message[0] != '\0' ? ": " : "",
            result->message);
    fflush(where);
}

/* Until the last word on it, or the time is up. */
static int
await_result(LparAgent *agent, uint64_t id, uint32_t seconds)
{
    int64_t until = lp_clock_msec() + (int64_t)seconds * 1000;
    LparAgentEvent event;
    int status = 0;

    while (status >= 0) {
        int64_t left = until - lp_clock_msec();

        if (left <= 0) {
            fprintf(stderr, "lpar-agent: nothing final was heard in %u s; it may still be done\n",
                    seconds);
            return LP_EXIT_TIMED_OUT;
        }
        status = lpar_agent_next(agent, (int)left, &event);
        if (status <= 0 || event.kind != LPAR_AGENT_RESULT || event.result.id != id)
            continue;
        print_result(&event.result);
        if (event.result.final)
            return exit_status(event.result.state);
    }
    fprintf(stderr, "lpar-agent: %s; the request may still be carried out\n",
            lpar_agent_error(agent));
    return LP_EXIT_UNREACHABLE;
}

int
lp_agent_request(const LpAgentOptions *options, int argc, char **argv)
{
    LpRequest request = { .seconds = LP_REQUEST_SECONDS };
    int status = parse_line(argc, argv, &request);
    LparAgent *agent;
    uint64_t id = 0;

    if (status != LP_EXIT_DONE)
        return status;
    status = lp_command_connect(options, request.socket, &agent);
    if (status != LP_EXIT_DONE)
        return status;
    if (lpar_agent_ask(agent, &request.request, &id) < 0) {
        fprintf(stderr, "lpar-agent: %s\n", lpar_agent_error(agent));
        status = LP_EXIT_ERROR;
    } else {
        status = await_result(agent, id, request.seconds);
    }
    lpar_agent_close(agent);
    return status == LP_EXIT_DONE && ferror(stdout) != 0 ? LP_EXIT_ERROR : status;
}
