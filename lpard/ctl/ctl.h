/* lparctl: what its verbs share. */
#ifndef LP_CTL_CTL_H
#define LP_CTL_CTL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "lpard/ctl/client.h"
#include "lpard/ctl/options.h"

/* Exit statuses are part of the interface: scripts decide by them, so they never change. */
typedef enum {
    LP_CTL_EXIT_DONE = 0,
    LP_CTL_EXIT_ERROR = 1,
    LP_CTL_EXIT_USAGE = 2,
    LP_CTL_EXIT_PARTIAL = 3,
    LP_CTL_EXIT_REFUSED = 4,
    LP_CTL_EXIT_VETOED = 5,
    LP_CTL_EXIT_TIMED_OUT = 6,
    LP_CTL_EXIT_CANCELLED = 7,
    LP_CTL_EXIT_UNREACHABLE = 8,
    LP_CTL_EXIT_ACCEPTED = 9,
    LP_CTL_EXIT_MAX = LP_CTL_EXIT_ACCEPTED,
} LpCtlExit;

/* Every table and message block fits this, the width of the screens operators use. */
#define LP_CTL_COLUMNS 100

typedef struct LpCtlVerb LpCtlVerb;

/* One run of the command. */
typedef struct {
    const LpCtlVerb *verb;
    LpCtlOptions options;
    char **words;                 /* what follows the verb, options taken out */
    guint n_words;
    LpCtlClient *client;
} LpCtl;

/* A verb returns the exit status; or sets *error, whose code is the exit status. */
struct LpCtlVerb {
    const char *name;
    const char *usage;            /* what follows the name */
    const char *summary;          /* one line */
    const char *example;          /* one whole command line */
    guint64 options;              /* LP_CTL_OPT_BIT() of those it takes */
    guint min_words, max_words;
    int (*run)(LpCtl *ctl, GError **error);
    bool hidden;
};

/* A NULL name ends it. */
extern const LpCtlVerb lp_ctl_verbs[];
const LpCtlVerb *lp_ctl_verb_find(const char *name);
char *lp_ctl_verb_help(const LpCtlVerb *verb);
char *lp_ctl_help(void);

static inline bool
lp_ctl_has(const LpCtl *ctl, LpCtlOption option)
{
    return lp_ctl_options_has(&ctl->options, option);
}

static inline const char *
lp_ctl_value(const LpCtl *ctl, LpCtlOption option)
{
    return ctl->options.value[option];
}

/* "/v1/partitions/NAME" + suffix, escaped.  NULL and *error for what cannot be a name. */
/* Says so, on the standard error output, where lpard has lost the hypervisor meanwhile. */
void lp_ctl_warn_away(const json_t *answer);

char *lp_ctl_partition_path(const char *name, const char *suffix, GError **error);
bool lp_ctl_operation_path(const char *text, char **ret_path, GError **error);

/* -o json was given. */
bool lp_ctl_is_json(const LpCtl *ctl);
/* lpard's answer as it came, ended with a newline. */
void lp_ctl_print_json(const LpCtlAnswer *answer);

/* A request whose answer is shown: sends it; with -o json prints the answer too.  Returns -1
 * with *error, LP_CTL_SHOWN when all is printed, or LP_CTL_SHOW when the verb is to print
 * *ret_answer for people. */
enum { LP_CTL_SHOWN = 0, LP_CTL_SHOW = 1 };
int lp_ctl_show(LpCtl *ctl, const char *method, const char *path, const json_t *body,
                LpCtlAnswer *ret_answer, GError **error);

#endif
