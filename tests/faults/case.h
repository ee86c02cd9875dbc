/* An operation on a simulated host with one thing going wrong, and the judgement of what came of it. */
#ifndef LP_TESTS_FAULT_CASE_H
#define LP_TESTS_FAULT_CASE_H

#include "engine_fixture.h"

#include "tests/faults/faulty_driver.h"

/* What lpard is asked to do, and of whom. */
typedef struct {
    const char *name;
    const char *extra;            /* into each domain, as hotplug/sim.h has it */
    const char *first;            /* a request that is fulfilled before, or NULL */
    const char *request;
    const char *back;             /* ... and one that must succeed when all is well again */
    bool dimm;                    /* the definition leaves room for DIMMs */
    bool hard;                    /* memory is held by a cgroup limit, too */
} FaultCase;

/* All kinds of operation but OPTIMIZE; ends with one without a name. */
extern const FaultCase fault_cases[];

const FaultCase *case_find(const char *name);
/* Hosts and journals are kept in memory, where there is room. */
void case_keep_in_memory(void);

/* A fresh host of p0 and p1, quiet, and from here on judged. */
void case_begin(const FaultCase *fault_case);
/* The same, with other manners of the host (cgroup and delays). */
void case_begin_with(const FaultCase *fault_case, const char *host);
/* All calls that the operation makes when nothing goes wrong; caller unrefs. Of FaultySite. */
GArray *case_sites(const FaultCase *fault_case);
/* When the operation is over: nothing is open or promised, the journal tells what is, and no invariant
 * was broken.  `text` says what was done, for a failure. */
void case_judge(int64_t id, const char *text);
/* The same, when somebody else changed the domain meanwhile: what it has is then nobody's promise.  `id` 0:
 * there was no operation. */
void case_judge_disturbed(int64_t id, const char *uuid, const char *text);
/* Whether lpard knows of every domain what there is to know. */
bool case_is_known(void);
/* Effects since case_begin(). */
unsigned case_effects(void);
/* Whatever was done to them: domains that are off are started, those paused go on, and lpard works. */
void case_mend(const FaultCase *fault_case, const char *text);
/* The same, with its own requests: p0 has its honest agent back, and is resized. */
void case_mend_alone(const char *text);
void case_end(void);

/* A case that failed, and why; the first one's operation is shown (NULL: none). */
void case_fail(const char *text, const LpOperation *operation, const char *what);
/* How many did since the last time this was asked. */
unsigned case_failures(void);

/* The arguments of a program of these: --all tries every case, --json ends with a line of figures. */
void case_arguments(int argc, char **argv);
/* Those, if they were asked for; takes and gives back the exit status. */
int case_figures(int status);
/* How many of every hundred cases are tried: all with --all or LPARD_FAULTS=all, else what a check has time
 * for.  The choice follows from the number alone. */
bool case_is_tried(unsigned number, unsigned percent);

#endif
