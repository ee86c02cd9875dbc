/* Inner parts of definition.[ch]: values and texts only. */
#ifndef LP_LPARD_DEFINITION_TEXT_H
#define LP_LPARD_DEFINITION_TEXT_H

#include "lpard/define/definition.h"

/* The limits that the profile's capacity needs with so many vCPUs, in a pool of so much (0: none);
 * false when nothing enforces them. */
bool lp_definition_limits(const LpView *view, uint32_t pool_centi, const LpProfile *profile,
                          uint32_t granted, bool any_folded, LpCapacityLimits *ret_limits);
/* Those of the domain that is running; false also when it has them already. */
bool lp_definition_live_limits(const LpView *view, const LpProfile *profile,
                               LpCapacityLimits *ret_limits);
/* Those that a definition states, or the defaults of libvirt and the kernel where it states
 * none. */
bool lp_definition_limits_of(const char *xml, const LpView *view, LpCapacityLimits *ret_limits);
/* Fills now and next_start of a DISABLE. */
void lp_definition_disable_words(LpDefinition *definition, const LpView *view);

#endif
