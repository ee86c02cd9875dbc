/* lparctl help: the verbs, or one of them. */
#include <stdio.h>

#include "lpard/ctl/verbs.h"

int
lp_ctl_cmd_help(LpCtl *ctl, GError **error)
{
    g_autofree char *text = NULL;

    if (ctl->n_words == 0) {
        text = lp_ctl_help();
    } else {
        const LpCtlVerb *verb = lp_ctl_verb_find(ctl->words[0]);

        if (verb == NULL) {
            lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                         "no verb is called '%s': `lparctl help` lists them", ctl->words[0]);
            return -1;
        }
        text = lp_ctl_verb_help(verb);
    }
    fputs(text, stdout);
    return LP_CTL_EXIT_DONE;
}
