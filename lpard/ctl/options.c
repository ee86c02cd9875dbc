/* The options of all verbs. */
#include "lpard/ctl/options.h"

#include <string.h>

#include "lpard/ctl/client.h"
#include "lpard/ctl/ctl.h"

typedef struct {
    const char *name;
    char letter;
    const char *argument;
    const char *summary;
    bool repeats;
    const char *verb;             /* means this with that verb only; NULL: with all others */
} Entry;

static const Entry entries[LP_CTL_OPTS] = {
    [LP_CTL_OPT_SOCKET] = { "socket", 0, "PATH", "lpard's socket (else $LPARD_SOCKET)" },
    [LP_CTL_OPT_URL] = { "url", 0, "https://HOST:PORT", "lpard over the network (else $LPARD_URL)" },
    [LP_CTL_OPT_CERT] = { "cert", 0, "FILE", "your certificate there (else $LPARD_CERT)" },
    [LP_CTL_OPT_CERT_KEY] = { "cert-key", 0, "FILE", "its key (else $LPARD_CERT_KEY, or in it)" },
    [LP_CTL_OPT_CA] = { "ca", 0, "FILE", "who signed lpard's certificate (else $LPARD_CA)" },
    [LP_CTL_OPT_HELP] = { "help", 'h', NULL, "show how the verb is used" },
    [LP_CTL_OPT_VERSION] = { "version", 0, NULL, "show the version of lparctl" },
    [LP_CTL_OPT_OUTPUT] = { "output", 'o', "json|text", "json: lpard's answer, unchanged" },
    [LP_CTL_OPT_VERBOSE] = { "verbose", 'v', NULL, "say more on the way" },
    [LP_CTL_OPT_ALL] = { "all", 'a', NULL, "those that are left out otherwise, too" },
    [LP_CTL_OPT_DRY_RUN] = { "dry-run", 'n', NULL, "show what would be done, and do nothing" },
    [LP_CTL_OPT_WAIT] = { "wait", 0, NULL, "wait for the end (the default)" },
    [LP_CTL_OPT_NO_WAIT] = { "no-wait", 0, NULL, "print the operation's number and leave (9)" },
    [LP_CTL_OPT_TIMEOUT] = { "timeout", 0, "SEC", "give up this long after the work began" },
    [LP_CTL_OPT_LOCK_TIMEOUT] = { "lock-timeout", 0, "SEC",
                                  "give up waiting for the operation before" },
    [LP_CTL_OPT_ATOMIC] = { "atomic", 0, NULL, "undo what a partial result has reached" },
    [LP_CTL_OPT_FORCE] = { "force", 0, NULL, "go on although the guest refuses" },
    [LP_CTL_OPT_VIA] = { "via", 0, "auto|virtio-mem|dimm|balloon", "the way memory takes" },
    [LP_CTL_OPT_LIVE] = { "live", 0, NULL, "change the running partition only" },
    [LP_CTL_OPT_KEY] = { "key", 0, "KEY", "repeating a request with its key does it once" },
    [LP_CTL_OPT_ROUND] = { "round", 0, NULL, "round memory up to whole blocks of 2 MiB" },
    [LP_CTL_OPT_CPU] = { "cpu", 0, "MIN:DESIRED:MAX", "virtual processors" },
    [LP_CTL_OPT_MEM] = { "mem", 0, "MIN:DESIRED:MAX", "memory, as 2G:4G:8G" },
    [LP_CTL_OPT_ENTITLED] = { "entitled", 0, "UNITS", "processing units guaranteed, as 1.50" },
    [LP_CTL_OPT_WEIGHT] = { "weight", 0, "0..255", "share of spare capacity when uncapped" },
    [LP_CTL_OPT_CAPPED] = { "capped", 0, NULL, "never above the entitlement" },
    [LP_CTL_OPT_UNCAPPED] = { "uncapped", 0, NULL, "spare capacity by weight" },
    [LP_CTL_OPT_CELLS] = { "cells", 0, "N", "NUMA cells the guest sees" },
    [LP_CTL_OPT_CELL_NODES] = { "cell-nodes", 0, "NODE,...", "the host node behind each cell" },
    [LP_CTL_OPT_KERNEL] = { "kernel", 0, "FILE", "boot this kernel" },
    [LP_CTL_OPT_INITRD] = { "initrd", 0, "FILE", "with this initial ram disk" },
    [LP_CTL_OPT_CMDLINE] = { "cmdline", 0, "TEXT", "and this command line" },
    [LP_CTL_OPT_DISK] = { "disk", 0, "FILE", "first disk" },
    [LP_CTL_OPT_NETWORK] = { "network", 0, "NAME", "libvirt network" },
    [LP_CTL_OPT_START] = { "start", 0, NULL, "start it at once" },
    [LP_CTL_OPT_FROM] = { "from", 0, "PARTITION", "the one that gives" },
    [LP_CTL_OPT_TO] = { "to", 0, "PARTITION", "the one that gets" },
    [LP_CTL_OPT_UNTIL] = { "until", 0, "TIME", "RFC 3339 time, or +2h, +30m, +1d" },
    [LP_CTL_OPT_RELEASE] = { "release", 0, NULL, "allow automatic changes again" },
    [LP_CTL_OPT_PARTITION] = { "partition", 0, "PARTITION", "of this partition only" },
    [LP_CTL_OPT_FOLLOW] = { "follow", 'f', NULL, "go on as events happen" },
    [LP_CTL_OPT_GUEST] = { "guest", 0, NULL, "what it has inside, what it lacks, how it fares" },
    [LP_CTL_OPT_MODE] = { "mode", 0, "off|advise|auto|host", "what autoscaling may do" },
    [LP_CTL_OPT_GOAL] = { "goal", 0, "latency|balanced|density", "what it aims at" },
    [LP_CTL_OPT_PRIORITY] = { "priority", 0, "0..7", "whose wants come first: 7 before 0" },
    [LP_CTL_OPT_ENTITLED_MEM] = { "entitled-mem", 0, "SIZE", "memory it has whenever it wants it" },
    [LP_CTL_OPT_RELEASE_AFTER] = { "release-after", 0, "TIME",
                                   "surplus is kept so long, as 30m; 0: the goal's time" },
    [LP_CTL_OPT_SCHEDULE] = { "schedule", 0, "TEXT",
                              "bounds by the clock; may be repeated", .repeats = true },
    [LP_CTL_OPT_NO_SCHEDULES] = { "no-schedules", 0, NULL, "no bounds by the clock" },
    [LP_CTL_OPT_LEFTOVERS] = { "leftovers", 0, "keep|burst",
                               "memory that nobody needs goes back, or stays with who has it" },
    [LP_CTL_OPT_LIMIT] = { "limit", 0, "N", "at most so many lines" },
    [LP_CTL_OPT_NUMA] = { "numa", 0, "RULE", "auto, strict:N, preferred:N, spread, interleave, "
                                             "keep; +cores" },
    [LP_CTL_OPT_NODES] = { "numa", 0, NULL, "node by node: memory, processors, who lies where",
                           .verb = "host" },
    [LP_CTL_OPT_AFFINITY_FLOOR] = { "affinity-floor", 0, "N[:warn|refuse]",
                                    "least affinity score that a resize may lead to" },
    [LP_CTL_OPT_SVG] = { "svg", 0, "FILE", "the same as a picture; -: to the standard output" },
    [LP_CTL_OPT_FRESH] = { "fresh", 0, NULL, "measure now; else as last measured" },
    [LP_CTL_OPT_REQUEST] = { "request", 0, "NAME,...", "these before all others" },
    [LP_CTL_OPT_PROTECT] = { "protect", 0, "NAME,...", "these are not to be touched" },
    [LP_CTL_OPT_MIN_GAIN] = { "min-gain", 0, "POINTS", "who would gain less of its score stays" },
    [LP_CTL_OPT_MAX_BYTES] = { "max-bytes", 0, "SIZE", "move no more of guests' memory, as 64G" },
    [LP_CTL_OPT_STOP] = { "stop", 0, NULL, "end the one that runs; what has moved stays" },
};

const char *
lp_ctl_option_name(LpCtlOption option)
{
    return entries[option].name;
}

const char *
lp_ctl_option_argument(LpCtlOption option)
{
    return entries[option].argument;
}

const char *
lp_ctl_option_summary(LpCtlOption option)
{
    return entries[option].summary;
}

/* `verb` NULL: not known yet. */
static int
find_long(const char *name, gsize length, const char *verb)
{
    int found = -1;

    for (guint i = 0; i < LP_CTL_OPTS; i++) {
        if (strlen(entries[i].name) != length || memcmp(entries[i].name, name, length) != 0)
            continue;
        if (entries[i].verb == NULL)
            found = (int)i;
        else if (g_strcmp0(entries[i].verb, verb) == 0)
            return (int)i;
    }
    return found;
}

static int
find_letter(char letter)
{
    for (guint i = 0; i < LP_CTL_OPTS; i++) {
        if (entries[i].letter != 0 && entries[i].letter == letter)
            return (int)i;
    }
    return -1;
}

/* Takes `argument` and, when it needs a value of its own word, `next`.  Returns how many words
 * were used, or 0 with *error. */
static guint
take(const char *argument, const char *next, const char *verb, LpCtlOptions *options,
     GError **error)
{
    bool is_long = argument[1] == '-';
    const char *value = NULL;
    guint used = 1;
    int found;

    if (is_long) {
        const char *equals = strchr(argument + 2, '=');
        gsize length = equals ? (gsize)(equals - argument - 2) : strlen(argument + 2);

        found = find_long(argument + 2, length, verb);
        value = equals ? equals + 1 : NULL;
    } else {
        found = find_letter(argument[1]);
        if (argument[2] != '\0')
            value = argument + 2;
    }
    if (found < 0) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "unknown option %s: `lparctl VERB --help` lists the verb's options", argument);
        return 0;
    }
    if (entries[found].argument == NULL && value != NULL) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s takes no value", argument);
        return 0;
    }
    if (entries[found].argument != NULL && value == NULL) {
        /* A forgotten value must not swallow the next option. */
        if (next == NULL || g_str_has_prefix(next, "--")) {
            lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s needs a value: %s %s", argument, argument,
                         entries[found].argument);
            return 0;
        }
        value = next;
        used = 2;
    }
    if (entries[found].repeats) {
        if (options->n_repeated == LP_CTL_REPEATS_MAX) {
            lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--%s is given more than %d times",
                         entries[found].name, LP_CTL_REPEATS_MAX);
            return 0;
        }
        options->repeated[options->n_repeated++] = value;
    } else if (lp_ctl_options_has(options, (LpCtlOption)found) && entries[found].argument != NULL) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--%s is given twice", entries[found].name);
        return 0;
    }
    options->seen |= LP_CTL_OPT_BIT(found);
    options->value[found] = value;
    return used;
}

bool
lp_ctl_options_parse(char **arguments, LpCtlOptions *ret_options, GPtrArray **ret_words,
                     GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    bool ended = false;

    memset(ret_options, 0, sizeof(*ret_options));
    for (guint i = 0; arguments[i] != NULL;) {
        const char *argument = arguments[i];
        guint used;

        if (!ended && strcmp(argument, "--") == 0) {
            ended = true;
            i++;
            continue;
        }
        if (ended || argument[0] != '-' || argument[1] == '\0') {
            g_ptr_array_add(words, arguments[i]);
            i++;
            continue;
        }
        used = take(argument, arguments[i + 1], words->len > 0 ? words->pdata[0] : NULL,
                    ret_options, error);
        if (used == 0)
            return false;
        i += used;
    }
    g_ptr_array_add(words, NULL);
    *ret_words = g_steal_pointer(&words);
    return true;
}

static bool
contradicts(const LpCtlOptions *options, LpCtlOption a, LpCtlOption b, GError **error)
{
    if (!lp_ctl_options_has(options, a) || !lp_ctl_options_has(options, b))
        return false;
    lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--%s and --%s exclude each other: give one of them",
                 entries[a].name, entries[b].name);
    return true;
}

bool
lp_ctl_options_check(const LpCtlOptions *options, guint64 allowed, const char *verb,
                     GError **error)
{
    const char *output = options->value[LP_CTL_OPT_OUTPUT];

    for (guint i = 0; i < LP_CTL_OPTS; i++) {
        if (lp_ctl_options_has(options, (LpCtlOption)i) && !(allowed & LP_CTL_OPT_BIT(i))) {
            lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                         "%s does not take --%s: see `lparctl %s --help`", verb, entries[i].name,
                         verb);
            return false;
        }
    }
    if (output != NULL && strcmp(output, "json") != 0 && strcmp(output, "text") != 0) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "-o %s is not known: give -o json or -o text",
                     output);
        return false;
    }
    return !contradicts(options, LP_CTL_OPT_WAIT, LP_CTL_OPT_NO_WAIT, error) &&
           !contradicts(options, LP_CTL_OPT_DRY_RUN, LP_CTL_OPT_NO_WAIT, error) &&
           !contradicts(options, LP_CTL_OPT_CAPPED, LP_CTL_OPT_UNCAPPED, error) &&
           !contradicts(options, LP_CTL_OPT_CELLS, LP_CTL_OPT_CELL_NODES, error) &&
           !contradicts(options, LP_CTL_OPT_SCHEDULE, LP_CTL_OPT_NO_SCHEDULES, error) &&
           !contradicts(options, LP_CTL_OPT_SOCKET, LP_CTL_OPT_URL, error) &&
           !contradicts(options, LP_CTL_OPT_STOP, LP_CTL_OPT_DRY_RUN, error) &&
           !contradicts(options, LP_CTL_OPT_UNTIL, LP_CTL_OPT_RELEASE, error);
}
