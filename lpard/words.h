/* Sentences for people, made from codes and numbers in one place. */
#ifndef LP_LPARD_WORDS_H
#define LP_LPARD_WORDS_H

#include "hotplug/admit.h"
#include "hotplug/plan.h"
#include "policy/profile.h"

/* Each: what, why, what to do.  Caller frees. */
char *lp_words_shortfall(const LpShortfall *shortfall, const char *partition);
char *lp_words_step(const LpStep *step, uint32_t n_cells);
char *lp_words_profile(LpProfileVerdict verdict, const LpProfile *profile);

#endif
