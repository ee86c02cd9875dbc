/* The simulated host's driver, and what happens at its calls: each can be cut off, refused or fail to
 * answer, and something may be done to the host at that very moment.  Put in by the linker
 * (--wrap=lp_driver_for), so that lpard itself knows nothing of it. */
#ifndef LP_TESTS_FAULTY_DRIVER_H
#define LP_TESTS_FAULTY_DRIVER_H

#include <glib.h>
#include <stdbool.h>

#include "hotplug/driver.h"
#include "tests/oracle/oracle.h"

/* A call on a domain: the nth of its name since faulty_begin(). */
typedef struct {
    char call[24];                /* its name in LpDriver */
    char uuid[40];
    unsigned nth;                 /* 1.. */
    bool effect;                  /* changes the domain */
} FaultySite;

typedef struct {
    FaultySite site;
    bool after;                   /* when the call was made, else before it */
    bool fails;                   /* the answer is `error`; before the call: it is not made */
    LpDriverError error;
    void (*act)(void *data);      /* or NULL; in the calling thread */
    void *data;
} FaultyPlan;

/* From now on calls are judged (S1-S3, S8 after, S6 before each effect) by the oracle, and written
 * down. */
void faulty_begin(LpOracle *oracle);
void faulty_end(void);
/* One plan at a time; NULL: none. */
void faulty_arm(const FaultyPlan *plan);
bool faulty_struck(void);
/* While deaf, no event of the host comes to lpard: they are lost. */
void faulty_deafen(bool deaf);
/* The next n lists of all domains fail: the connection is cut before the answer. */
void faulty_fail_lists(unsigned n);
/* The sites passed since faulty_begin(); caller unrefs. Of FaultySite. */
GArray *faulty_sites(void);
/* Effects asked for after one whose outcome is not known, before the domain was read again. */
unsigned faulty_blind(void);
/* Which they were. */
const char *faulty_blind_text(void);
/* Changes of cut or refused calls on any connection, for tests of their own. */
unsigned faulty_n_calls(const char *call);

/* In place of the driver's own; NULL: that one.  Main loop. */
extern int (*faulty_channel)(const char *uri, const LpView *view, GError **error);

/* All domains as they are, by the simulated host itself; caller unrefs. */
GPtrArray *faulty_truth(const char *uri);

#endif
