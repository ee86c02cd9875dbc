/* lparctl capacity: processing units, weight, capped or not. */
#include <string.h>

#include "lpard/ctl/change.h"
#include "lpard/ctl/verbs.h"

int
lp_ctl_cmd_capacity(LpCtl *ctl, GError **error)
{
    json_t *body = json_object();

    for (guint i = 1; i < ctl->n_words; i++) {
        g_autofree char *key = NULL;
        const char *value;

        lp_ctl_word_split(ctl->words[i], &key, &value);
        if (strcmp(key, "entitled") != 0 && strcmp(key, "weight") != 0 &&
            strcmp(key, "capped") != 0 && strcmp(key, "uncapped") != 0) {
            lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                         "'%s' is no capacity: write entitled=1.50, weight=200, capped or uncapped",
                         ctl->words[i]);
            json_decref(body);
            return -1;
        }
        if (!lp_ctl_profile_field(body, key, value, true, error)) {
            json_decref(body);
            return -1;
        }
    }
    return lp_ctl_change_run(ctl, "capacity", ctl->words[0], "/capacity", body, error);
}
