/* What each feature of a guest means for resizing, for people: one home for both ends. */
#ifndef LP_AGENT_WIRE_FEATURE_H
#define LP_AGENT_WIRE_FEATURE_H

#include <stdint.h>

typedef struct {
    const char *name;                  /* as on the wire */
    const char *has;                   /* "vCPUs can come and go while it runs" */
    const char *lacks;                 /* what its absence costs */
    const char *cure;                  /* how to get it */
} LpWireFeature;

/* By bit number of the LP_WIRE_FEATURE_ constants. */
const LpWireFeature *lp_wire_feature(unsigned bit);

#endif
