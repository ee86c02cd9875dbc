/* Whether a partition can be resized as it stands: each condition with its cure.  Pure. */
#ifndef LP_LPARD_CHECK_H
#define LP_LPARD_CHECK_H

#include <jansson.h>

#include "lpard/registry/registry.h"

/* An array of {"name", "ok", "severity", "text", "cure"}; new reference. */
json_t *lp_check_partition(const LpPartition *partition, const LpHost *host);

#endif
