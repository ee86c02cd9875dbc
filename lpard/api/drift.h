/* Where desired, granted and usable differ, in sentences.  Main loop only. */
#ifndef LP_LPARD_DRIFT_H
#define LP_LPARD_DRIFT_H

#include <jansson.h>

#include "lpard/registry/registry.h"

/* An array of sentences, empty when all three are the same; the partition has a profile. */
json_t *lp_drift_sentences(const LpPartition *partition);

#endif
