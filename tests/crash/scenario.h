/* What lpard is doing when it is made to crash: one kind of operation each, on a world of its own. */
#ifndef LP_TESTS_CRASH_SCENARIO_H
#define LP_TESTS_CRASH_SCENARIO_H

#include "tests/unit/optimize_fixture.h"

#include "tests/oracle/oracle.h"

typedef struct {
    const char *name;
    /* The world: its host's keys, what each of its guests has beside the usual (p0, p1, ... with 2 of
     * 1..4 vCPUs and 2 of 1..4 GiB, NULL: the usual), or all of it. */
    const char *host;
    const char *cells;
    const char *guests[3];
    unsigned n_guests;
    bool nodes;                   /* two nodes with an optimizer; guests[] are their cells */
    bool hard;                    /* memory limits are enforced */
    bool definition;              /* what is done is no operation: S6 does not ask for one */
    bool changes;                 /* sizes may come to anything that it declares */
    /* Done before anything can strike, and kept for all cases; may be NULL. */
    void (*prepare)(void);
    void (*run)(void);
    /* When all is at rest again, after a crash or not: what the oracle does not know; may be NULL. */
    void (*judge)(LpOracle *oracle);
} Scenario;

extern const Scenario scenarios[];
extern const unsigned n_scenarios;

#endif
