/* What may move now: dwell, back-off, reversals.  Inner part of the policy.  Pure. */
#ifndef LP_POLICY_CALM_H
#define LP_POLICY_CALM_H

#include "policy/policy.h"

#endif
