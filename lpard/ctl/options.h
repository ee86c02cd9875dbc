/* The options of all verbs, parsed in one place so that they mean the same everywhere. */
#ifndef LP_CTL_OPTIONS_H
#define LP_CTL_OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    LP_CTL_OPT_SOCKET,
    LP_CTL_OPT_URL,
    LP_CTL_OPT_CERT,
    LP_CTL_OPT_CERT_KEY,
    LP_CTL_OPT_CA,
    LP_CTL_OPT_HELP,
    LP_CTL_OPT_VERSION,
    LP_CTL_OPT_OUTPUT,
    LP_CTL_OPT_VERBOSE,
    LP_CTL_OPT_ALL,
    LP_CTL_OPT_DRY_RUN,
    LP_CTL_OPT_WAIT,
    LP_CTL_OPT_NO_WAIT,
    LP_CTL_OPT_TIMEOUT,
    LP_CTL_OPT_LOCK_TIMEOUT,
    LP_CTL_OPT_ATOMIC,
    LP_CTL_OPT_FORCE,
    LP_CTL_OPT_VIA,
    LP_CTL_OPT_LIVE,
    LP_CTL_OPT_KEY,
    LP_CTL_OPT_ROUND,
    LP_CTL_OPT_CPU,
    LP_CTL_OPT_MEM,
    LP_CTL_OPT_ENTITLED,
    LP_CTL_OPT_WEIGHT,
    LP_CTL_OPT_CAPPED,
    LP_CTL_OPT_UNCAPPED,
    LP_CTL_OPT_CELLS,
    LP_CTL_OPT_CELL_NODES,
    LP_CTL_OPT_KERNEL,
    LP_CTL_OPT_INITRD,
    LP_CTL_OPT_CMDLINE,
    LP_CTL_OPT_DISK,
    LP_CTL_OPT_NETWORK,
    LP_CTL_OPT_START,
    LP_CTL_OPT_FROM,
    LP_CTL_OPT_TO,
    LP_CTL_OPT_UNTIL,
    LP_CTL_OPT_RELEASE,
    LP_CTL_OPT_PARTITION,
    LP_CTL_OPT_FOLLOW,
    LP_CTL_OPT_GUEST,
    LP_CTL_OPT_MODE,
    LP_CTL_OPT_GOAL,
    LP_CTL_OPT_PRIORITY,
    LP_CTL_OPT_ENTITLED_MEM,
    LP_CTL_OPT_RELEASE_AFTER,
    LP_CTL_OPT_SCHEDULE,
    LP_CTL_OPT_NO_SCHEDULES,
    LP_CTL_OPT_LEFTOVERS,
    LP_CTL_OPT_LIMIT,
    LP_CTL_OPT_NUMA,              /* a rule */
    LP_CTL_OPT_NODES,             /* --numa of host, which takes none */
    LP_CTL_OPT_AFFINITY_FLOOR,
    LP_CTL_OPT_SVG,
    LP_CTL_OPT_FRESH,
    LP_CTL_OPT_REQUEST,
    LP_CTL_OPT_PROTECT,
    LP_CTL_OPT_MIN_GAIN,
    LP_CTL_OPT_MAX_BYTES,
    LP_CTL_OPT_STOP,
    LP_CTL_OPTS,
} LpCtlOption;

#define LP_CTL_OPT_BIT(option) (G_GUINT64_CONSTANT(1) << (option))

/* Taken by every verb. */
#define LP_CTL_OPTS_COMMON \
    (LP_CTL_OPT_BIT(LP_CTL_OPT_SOCKET) | LP_CTL_OPT_BIT(LP_CTL_OPT_HELP) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_URL) | LP_CTL_OPT_BIT(LP_CTL_OPT_CERT) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_CERT_KEY) | LP_CTL_OPT_BIT(LP_CTL_OPT_CA) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_VERSION) | LP_CTL_OPT_BIT(LP_CTL_OPT_VERBOSE))
/* Of every verb that starts an operation. */
#define LP_CTL_OPTS_CHANGE \
    (LP_CTL_OPT_BIT(LP_CTL_OPT_OUTPUT) | LP_CTL_OPT_BIT(LP_CTL_OPT_DRY_RUN) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_WAIT) | LP_CTL_OPT_BIT(LP_CTL_OPT_NO_WAIT) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_TIMEOUT) | LP_CTL_OPT_BIT(LP_CTL_OPT_LOCK_TIMEOUT) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_ATOMIC) | LP_CTL_OPT_BIT(LP_CTL_OPT_FORCE) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_LIVE) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_KEY))
/* And of those that move amounts of processors or memory. */
#define LP_CTL_OPTS_AMOUNT \
    (LP_CTL_OPTS_CHANGE | LP_CTL_OPT_BIT(LP_CTL_OPT_VIA) | LP_CTL_OPT_BIT(LP_CTL_OPT_ROUND))
/* Of those that write a profile. */
#define LP_CTL_OPTS_PROFILE \
    (LP_CTL_OPT_BIT(LP_CTL_OPT_OUTPUT) | LP_CTL_OPT_BIT(LP_CTL_OPT_DRY_RUN) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_CPU) | LP_CTL_OPT_BIT(LP_CTL_OPT_MEM) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_ENTITLED) | LP_CTL_OPT_BIT(LP_CTL_OPT_WEIGHT) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_CAPPED) | LP_CTL_OPT_BIT(LP_CTL_OPT_UNCAPPED) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_CELLS) | LP_CTL_OPT_BIT(LP_CTL_OPT_CELL_NODES) | \
     LP_CTL_OPT_BIT(LP_CTL_OPT_NUMA) | LP_CTL_OPT_BIT(LP_CTL_OPT_AFFINITY_FLOOR))

/* More of one option are never meant. */
#define LP_CTL_REPEATS_MAX 16

typedef struct {
    guint64 seen;
    const char *value[LP_CTL_OPTS];   /* point into the arguments */
    const char *repeated[LP_CTL_REPEATS_MAX];   /* of the one that may be: --schedule */
    guint n_repeated;
} LpCtlOptions;

static inline bool
lp_ctl_options_has(const LpCtlOptions *options, LpCtlOption option)
{
    return (options->seen & LP_CTL_OPT_BIT(option)) != 0;
}

/* Takes options out of `arguments` (NULL-terminated) and leaves the other words, in order, in
 * *ret_words (caller frees the array, not the strings).  "--" ends options.  The first word is the
 * verb: an option that means something else with it must follow it. */
bool lp_ctl_options_parse(char **arguments, LpCtlOptions *ret_options, GPtrArray **ret_words,
                          GError **error);
/* Whether all seen are in `allowed`, and do not contradict one another. */
bool lp_ctl_options_check(const LpCtlOptions *options, guint64 allowed, const char *verb,
                          GError **error);
/* "--timeout SEC" and what it does. */
const char *lp_ctl_option_name(LpCtlOption option);
const char *lp_ctl_option_argument(LpCtlOption option);   /* NULL: takes none */
const char *lp_ctl_option_summary(LpCtlOption option);

#endif
