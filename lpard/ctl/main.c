/* lparctl: the operator's command. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "lpard/ctl/verbs.h"

/* `lparctl VERB --socket PATH` and `lparctl --socket PATH VERB` are the same; a word too many or
 * too few is told with the verb's usage. */
static bool
check_words(const LpCtlVerb *verb, guint n_words, GError **error)
{
    if (n_words >= verb->min_words && n_words <= verb->max_words)
        return true;
    lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s: write lparctl %s%s%s",
                 n_words < verb->min_words ? "something is missing" : "that is too much",
                 verb->name, verb->usage[0] ? " " : "", verb->usage);
    return false;
}

static int
print(char *text)
{
    fputs(text, stdout);
    g_free(text);
    return LP_CTL_EXIT_DONE;
}

static int
run(LpCtl *ctl, const GPtrArray *words, GError **error)
{
    const char *name = g_ptr_array_index(words, 0);
    const LpCtlVerb *verb = name ? lp_ctl_verb_find(name) : NULL;
    int status;

    if (lp_ctl_has(ctl, LP_CTL_OPT_VERSION)) {
        puts("lparctl " PACKAGE_VERSION);
        return LP_CTL_EXIT_DONE;
    }
    if (name == NULL && lp_ctl_has(ctl, LP_CTL_OPT_HELP))
        return print(lp_ctl_help());
    if (name == NULL)
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "no verb is given: `lparctl help` lists them");
    else if (verb == NULL)
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "no verb is called '%s': `lparctl help` lists them",
                     name);
    if (verb == NULL)
        return -1;
    if (lp_ctl_has(ctl, LP_CTL_OPT_HELP))
        return print(lp_ctl_verb_help(verb));
    ctl->verb = verb;
    ctl->words = (char **)words->pdata + 1;
    ctl->n_words = words->len - 2;
    if (!lp_ctl_options_check(&ctl->options, verb->options | LP_CTL_OPTS_COMMON, verb->name,
                              error) ||
        !check_words(verb, ctl->n_words, error))
        return -1;
    ctl->client = lp_ctl_client_new(
        &(LpCtlWay){ .socket = lp_ctl_value(ctl, LP_CTL_OPT_SOCKET),
                     .url = lp_ctl_value(ctl, LP_CTL_OPT_URL),
                     .certificate = lp_ctl_value(ctl, LP_CTL_OPT_CERT),
                     .key = lp_ctl_value(ctl, LP_CTL_OPT_CERT_KEY),
                     .authority = lp_ctl_value(ctl, LP_CTL_OPT_CA) }, error);
    if (ctl->client == NULL)
        return -1;
    status = verb->run(ctl, error);
    lp_ctl_client_free(ctl->client);
    return status;
}

int
main(int argc, char **argv)
{
    LpCtl ctl = { 0 };
    g_autoptr(GPtrArray) words = NULL;
    g_autoptr(GError) error = NULL;
    int status = -1;

    setlocale(LC_ALL, "");
    /* A closed pipe is a failed write, not a death without a word. */
    signal(SIGPIPE, SIG_IGN);
    if (lp_ctl_options_parse(argv + (argc > 0 ? 1 : 0), &ctl.options, &words, &error))
        status = run(&ctl, words, &error);
    if (error != NULL) {
        fflush(stdout);
        fprintf(stderr, "lparctl: %s\n", error->message);
        return error->domain == LP_CTL_ERROR ? error->code : LP_CTL_EXIT_ERROR;
    }
    if (fflush(stdout) != 0 && status == LP_CTL_EXIT_DONE) {
        fprintf(stderr, "lparctl: the output could not be written: %s\n", g_strerror(errno));
        return LP_CTL_EXIT_ERROR;
    }
    return status;
}
