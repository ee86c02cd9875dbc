/* What each feature of a guest means for resizing, and what a guest can do with those it has, for
 * people: one home for both ends.  Pure; all texts are static. */
#ifndef LP_AGENT_WIRE_FEATURE_H
#define LP_AGENT_WIRE_FEATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct {
    const char *name;                  /* as on the wire */
    const char *has;                   /* "vCPUs can come and go while it runs" */
    const char *lacks;                 /* what its absence costs */
    const char *cure;                  /* how to get it */
} LpWireFeature;

/* By bit number of the LP_WIRE_FEATURE_ constants; NULL beyond the last. */
const LpWireFeature *lp_wire_feature(unsigned bit);

/* What a guest has and lacks by its HELLO.  An agent that says nothing of features still has
 * capabilities, which say the same of six of them. */
void lp_wire_hello_features(const LpWireHello *hello, uint32_t *ret_has, uint32_t *ret_lacks);

typedef enum { LP_WIRE_ABLE_UNKNOWN, LP_WIRE_ABLE_NO, LP_WIRE_ABLE_YES } LpWireAble;

#define LP_WIRE_ABILITIES 10

typedef struct {
    const char *name;                  /* "memory-grow" */
    LpWireAble able;
    const char *text;                  /* by what, or why not */
} LpWireAbility;

/* Ability number `index` of the guest that says `hello`; *ret_ability is untouched, and false
 * returned, beyond the last. */
bool lp_wire_ability(const LpWireHello *hello, unsigned index, LpWireAbility *ret_ability);

#endif
