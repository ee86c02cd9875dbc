/* agent.conf: whatever the file holds, the agent has values that are within their bounds, and a
 * line means the same alone and among others. */
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "agent/conf.h"
#include "agent/log.h"
#include "agent/wire/words.h"

static unsigned n_warnings;

void
lp_log_warn(const char *format, ...)
{
    LP_MUST(format != NULL);
    n_warnings++;
}

static void
check_path(const char *path, bool may_be_empty)
{
    LP_MUST(memchr(path, '\0', LP_CONF_TEXT_MAX) != NULL);
    LP_MUST(path[0] == '/' || (may_be_empty && path[0] == '\0'));
    LP_MUST(strchr(path, '\n') == NULL);
}

static void
check_bounds(const LpConf *conf)
{
    LP_MUST(conf->forbid >> LP_WIRE_ACTS == 0);
    LP_MUST(conf->floor_bytes <= LP_WIRE_INTEGER_MAX);
    LP_MUST(conf->floor_cpus <= LP_MAX_CPUS);
    LP_MUST(conf->pressure_limit_centi >= 100 && conf->pressure_limit_centi <= 10000);
    LP_MUST(conf->movable_ratio_percent <= 10000);
    LP_MUST(conf->hook_timeout_msec >= 1000 && conf->hook_timeout_msec <= 600000);
    check_path(conf->hooks_dir, false);
    check_path(conf->classes_file, false);
    check_path(conf->classes_helper, false);
    check_path(conf->socket, true);
    LP_MUST(memchr(conf->socket_group, '\0', LP_CONF_GROUP_MAX) != NULL);
}

static bool
is_same(const LpConf *a, const LpConf *b)
{
    return a->forbid == b->forbid && a->floor_bytes == b->floor_bytes &&
           a->floor_cpus == b->floor_cpus && a->pressure_limit_centi == b->pressure_limit_centi &&
           a->movable_ratio_percent == b->movable_ratio_percent &&
           a->hook_timeout_msec == b->hook_timeout_msec &&
           strcmp(a->hooks_dir, b->hooks_dir) == 0 &&
           strcmp(a->classes_file, b->classes_file) == 0 &&
           strcmp(a->classes_helper, b->classes_helper) == 0 &&
           strcmp(a->socket, b->socket) == 0 && strcmp(a->socket_group, b->socket_group) == 0;
}

/* A copy of its own size, so that the sanitizer sees a read past the end. */
static bool
parse(LpConf *conf, const char *text, size_t length)
{
    char *exact = malloc(length > 0 ? length : 1);
    unsigned before = n_warnings;
    bool fine;

    memcpy(exact, text, length);
    fine = lp_conf_parse(conf, exact, length, "agent.conf");
    free(exact);
    /* Nobody is left to wonder. */
    LP_MUST(fine == (n_warnings == before));
    check_bounds(conf);
    return fine;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = text + size;
    LpConf whole, lines;
    bool fine, all_fine = true;

    lp_conf_init(&whole);
    lp_conf_init(&lines);
    check_bounds(&whole);
    fine = parse(&whole, text, size);
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((newline != NULL ? newline : end) - text);
        uint32_t forbidden = lines.forbid;

        all_fine = parse(&lines, text, length) && all_fine;
        /* A line can only forbid more. */
        LP_MUST((forbidden & ~lines.forbid) == 0);
        text += length + (newline != NULL);
    }
    LP_MUST(fine == all_fine);
    LP_MUST(is_same(&whole, &lines));
    /* Taken again it changes nothing. */
    parse(&whole, (const char *)data, size);
    LP_MUST(is_same(&whole, &lines));
    return 0;
}
