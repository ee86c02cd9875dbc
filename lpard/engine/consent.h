/* The guest's part in a resize: it is asked before anything is touched, made ready, and told what
 * came of it.  lpar(7) is the description; PROTOCOL.md the messages.
 *
 * A guest is waited for by deadlines only, and only by its own operation; one that has no agent,
 * an older one, or one that does not answer is resized as if it had consented. */
#ifndef LP_LPARD_CONSENT_H
#define LP_LPARD_CONSENT_H

#include "lpard/engine/operation.h"
#include "lpard/registry/registry.h"

typedef struct LpRun LpRun;

/* What the guests did, since lpard started. */
typedef struct {
    uint64_t vetoes, forced;      /* refusals that held, and that were overridden */
    uint64_t silent;              /* phases that were not answered in time */
    uint64_t late;                /* answers that nobody waited for */
    uint64_t stops;               /* releases ended by the guest's pressure */
    uint64_t hooks;               /* hooks and programs that failed to do their part */
    uint64_t asks, asks_refused;  /* requests for another size */
} LpConsentCounts;

/* Dealings with one partition; a move has two, and a leg that undoes goes by its forerunner's. */
typedef struct {
    LpRun *run;
    uint64_t id;                  /* of the resize; 0: the guest does not know of it */
    char boot_id[40];
    LpWirePhase told;             /* the last phase */
    bool waiting;                 /* for the answer to it */
    bool opened;                  /* PRE was said, so POST is owed */
    guint source;                 /* the deadline */
    bool has_leave;
    LpCpuMask leave;
} LpConsent;

#define LP_CONSENTS_MAX 2

/* Of an operation taken up again after a restart: agents that are not back yet could neither be
 * asked nor told, so they get a moment.  `then` as below; false if there is nobody to wait for. */
bool lp_consent_await(LpRun *run, void (*then)(LpRun *run));
/* CHECK, of both partitions of a move, by the plans that their legs have.  True: `then` is called
 * when there are answers, or none will come; lp_consent_veto() then tells.  False: nobody to ask. */
bool lp_consent_check(LpRun *run, void (*then)(LpRun *run));
/* PRE, of the leg at work; likewise. */
bool lp_consent_pre(LpRun *run, void (*then)(LpRun *run));
/* The refusal that holds, for people, or NULL. */
const char *lp_consent_veto(const LpRun *run);
/* How long the last answers were waited for; they may have made a plan stale. */
int64_t lp_consent_waited_usec(const LpRun *run);
/* The vCPUs that the guest of that leg would rather lose, if it said. */
const LpCpuMask *lp_consent_leave(const LpRun *run, guint leg);
/* Cancelled, or out of time: what is waited for is not waited for any more.  True if something
 * was; the run has gone on then, and may be gone. */
bool lp_consent_interrupt(LpRun *run);
/* POST, and UNDO before it if nothing came of it, where PRE was said. */
void lp_consent_close(LpRun *run, guint leg);
void lp_consent_close_all(LpRun *run);
void lp_consent_drop(LpRun *run);
/* "web1's guest is under pressure: ...", with what stays and what was given back. */
char *lp_consent_pressure_text(LpRun *run);

/* What the guest says, and that it may not be there any more. */
typedef struct LpEngine LpEngine;
void lp_consent_answer(LpEngine *engine, LpPartition *partition, const LpWireAnswer *answer);
void lp_consent_stop(LpEngine *engine, LpPartition *partition, const LpWireStop *stop);
void lp_consent_look(LpRun *run);

#endif
