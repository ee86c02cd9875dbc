/* Bugs planted on purpose, so that the property tests can be seen to catch them.
 *
 * LP_PLANTED(NAME) is 0, and what it guards is not compiled into anything, unless the file is
 * compiled with -DLP_PLANT_NAME.  No program that is installed is. */
#ifndef LP_POLICY_PLANTED_H
#define LP_POLICY_PLANTED_H

#define LP_PLANTED(name) LP_PLANTED_1(LP_PLANT_##name)
/* A macro defined as 1 brings a comma along, and with it another second argument. */
#define LP_PLANTED_1(defined) LP_PLANTED_2(defined)
#define LP_PLANTED_2(defined) LP_PLANTED_3(LP_PLANTED_COMMA_##defined)
#define LP_PLANTED_3(comma) LP_PLANTED_4(comma 1, 0, 0)
#define LP_PLANTED_4(ignored, value, ...) (value)
#define LP_PLANTED_COMMA_1 0,

#endif
