/* Inner parts of definition.[ch]: values and texts only. */
#ifndef LP_LPARD_DEFINITION_TEXT_H
#define LP_LPARD_DEFINITION_TEXT_H

#include "lpard/definition.h"

/* The limits that the new capacity needs; false when they are what they were, or when nothing
 * enforces them. */
bool lp_definition_limits(const LpView *view, const LpProfile *old, const LpProfile *profile,
                          uint32_t granted, bool any_folded, LpCapacityLimits *ret_limits);
/* Fills now and next_start of a DISABLE. */
void lp_definition_disable_words(LpDefinition *definition, const LpView *view);

#endif
