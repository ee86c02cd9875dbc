/* What encoding and decoding must agree on: names on the wire, and which texts may pass. */
#ifndef LP_AGENT_WIRE_WORDS_H
#define LP_AGENT_WIRE_WORDS_H

#include "agent/wire/wire.h"

/* JSON numbers are doubles to most readers; beyond this they would be rounded silently. */
#define LP_WIRE_INTEGER_MAX ((uint64_t)1 << 53)
#define LP_WIRE_PERCENT_MAX 10000u   /* 100.00 % */

#define LP_WIRE_CAPS 9
#define LP_WIRE_FEATURES 12
#define LP_WIRE_ACTS 8
#define LP_WIRE_MEM_POLICIES 4

extern const char *const lp_wire_type_names[LP_WIRE_KINDS];
/* By bit number of the LP_WIRE_CAP_ constants. */
extern const char *const lp_wire_cap_names[LP_WIRE_CAPS];
extern const char *const lp_wire_mem_names[LP_WIRE_MEM_POLICIES];
/* By bit number of the LP_WIRE_FEATURE_ and LP_WIRE_ACT_ constants. */
extern const char *const lp_wire_feature_names[LP_WIRE_FEATURES];
extern const char *const lp_wire_act_names[LP_WIRE_ACTS];
extern const char *const lp_wire_hypervisor_names[LP_WIRE_HYPERVISORS];
extern const char *const lp_wire_phase_names[LP_WIRE_PHASES];
extern const char *const lp_wire_answer_names[LP_WIRE_ANSWERS];
extern const char *const lp_wire_mode_names[LP_WIRE_MODES];

/* The place of `name` in a table, or -1. */
int lp_wire_word_find(const char *const *names, int n_names, const char *name);

/* Text that people will see on a terminal: no control characters (UTF-8 is checked by jansson).
 * It may be empty. */
bool lp_wire_text_allowed(const char *text, size_t length, size_t size);
/* A UUID as the kernel writes it, in effect: 1..39 of [0-9a-f-]. */
bool lp_wire_boot_id_allowed(const char *text, size_t length);
/* The state of an operation: not empty, of [a-z-]. */
bool lp_wire_state_allowed(const char *state);

#endif
