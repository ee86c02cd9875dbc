/* The engine's inside: engine.c (submission), lanes.c, begin.c (look, plan, admit, intent),
 * consent.c (what the guest is told and may refuse), run.c (effects), confirm.c (what counts as
 * done), settle.c (what a stopped leg leaves), finish.c (results, undo), requests.c (what guests
 * ask for), foreign.c (what another room carries out). */
#ifndef LP_LPARD_ENGINE_PRIV_H
#define LP_LPARD_ENGINE_PRIV_H

#include "lpard/engine/consent.h"
#include "lpard/engine/engine.h"
#include "lpard/engine/guest-agent.h"

/* One effect's call.  libvirt waits 5 s for an unplug, and QEMU under emulation can take seconds
 * for a hot-add; what takes longer hangs. */
#define LP_CALL_DEADLINE_MSEC 20000

typedef struct LpTicket LpTicket;

/* A place in one or two lanes, taken in the order of their keys so that two moves in opposite
 * directions cannot wait for each other. */
struct LpTicket {
    LpEngine *engine;
    char *keys[2];
    unsigned n_keys, n_held;
    char *what;                      /* for whoever waits behind */
    void (*run)(LpTicket *ticket);   /* all lanes are held */
    void *data;
};

struct LpEngine {
    LpRegistry *registry;
    LpWorkers *workers;
    LpJournal *journal;
    LpEvents *events;
    uint32_t timeout_sec;
    GHashTable *lanes;               /* uuid -> Lane */
    GHashTable *operations;          /* id -> LpOperation, live and lately finished */
    GQueue finished;                 /* ids, oldest first */
    GPtrArray *runs;                 /* of LpRun*, those under way */
    GPtrArray *definitions;          /* of Definition* in recover.c, likewise */
    GPtrArray *endings;              /* of Ending* in finish.c: results on their way to disk */
    GPtrArray *answers;              /* of Answer* in foreign.c: what the journal owes, not freed by it */
    GPtrArray *askers;               /* of Asker* in guest-agent.c: questions under way */
    GArray *listeners;
    bool recovered, recover_told;
    guint recover_source;            /* reads again what is open */
    GHashTable *unreadable;          /* uuid -> id (int64_t): an open operation that nobody can take up */
    guint tidy_source;               /* looks again for vCPUs that left late */
    LpConsentCounts counts;
    GPtrArray *asks;                 /* of Ask* in requests.c: open, or lately closed */
    bool refuse_asks;
    LpForeign foreign[LP_OP_KINDS];  /* by kind; unset: the engine's own */
};

/* An operation at work. */
struct LpRun {
    LpEngine *engine;
    LpOperation *operation;
    LpTicket *ticket;
    LpAcceptedFunc accepted;         /* not yet called, or NULL */
    LpRun **queued;                  /* what the journal answers the queueing to, or NULL */
    void *accepted_data;
    bool dry;                        /* plan only */

    LpPartition *partition;          /* of the leg at work; NULL when gone */
    LpBounds bounds;                 /* as planned with */
    uint64_t generation;             /* of the profile that this leg writes, live and persistent */
    uint32_t stage, next;            /* next step to ask */
    bool waiting;                    /* a call, or the journal, will come back to this run */
    bool looks_other;                /* the look under way is at another leg's partition */
    bool lost;                       /* the hypervisor went away: begin the leg again */
    bool stop;                       /* the leg at work asks nothing more */
    bool migrated;                   /* gone, and it runs on another host */
    bool settling;                   /* the leg was stopped: what is unfinished is taken back */
    bool undoing;
    /* For the agent's confirmation of memory: the MemTotal that it began with, and that it must
     * come to, in this boot. */
    char boot_id[40];
    uint64_t start_total, expected_total;
    uint64_t start_dimm_bytes;       /* in DIMMs when the leg began */
    bool total_known;
    int64_t look_usec;               /* when the device was last asked anew */
    uint64_t want_id;
    /* The guest's consent; consent.c. */
    LpConsent consents[LP_CONSENTS_MAX];   /* by leg */
    bool checked;                    /* the guests were asked, or there was nobody to ask */
    void (*consent_then)(LpRun *run);      /* while answers are waited for */
    int64_t consent_usec, consent_waited_usec;
    guint record_source, await_source;
    bool resumed;                    /* the leg at work had begun before a restart */
    char *veto;
    char *pressure;                  /* why the guest said STOP, or NULL */
    uint64_t back_bytes, given_back_bytes;
    uint32_t settled;                /* the next step to settle */
    bool settle_recorded;            /* what is taken back is on disk */
    LpRunQga qga;                    /* where qemu-guest-agent stands in for the agent */
    int64_t progress_usec;           /* when anything last moved */
    uint64_t progress_mark;
    guint deadline_source, tick_source, lock_source;
    int end_state;                   /* LpOpState decided by cancel, deadline or trouble; or -1 */
    const char *end_code;            /* static text */
    char *end_message;
};

/* lanes.c */
/* For engine->lanes. */
GHashTable *lp_lanes_new(void);
LpTicket *lp_ticket_new(LpEngine *engine, const char *uuid, const char *other, const char *what,
                        void (*run)(LpTicket *), void *data);
/* Queues it; run() is called at once if all lanes are free. */
void lp_ticket_enter(LpTicket *ticket);
/* Gives the lanes back (or leaves the queues) and frees it. */
void lp_ticket_leave(LpTicket *ticket);
/* Who holds a lane that it needs (caller frees), or NULL. */
char *lp_ticket_waits_for(LpTicket *ticket);

/* engine.c */
/* Puts an operation that takes long to begin on record, so that it is accepted. */
void lp_run_record(LpRun *run);
void lp_operation_changed(LpEngine *engine, LpOperation *operation);
void lp_operation_set_state(LpEngine *engine, LpOperation *operation, LpOpState state);
void lp_run_free(LpRun *run);

/* foreign.c */
bool lp_engine_is_foreign(const LpEngine *engine, const LpOperation *operation);
bool lp_engine_cancel_foreign(LpEngine *engine, LpOperation *operation, GError **error);
void lp_engine_take_up_foreign(LpEngine *engine, LpOperation *operation);

/* begin.c */
void lp_run_begin(LpRun *run);
void lp_run_begin_leg(LpRun *run);
/* Time for a second half when the deadline has passed or is near. */
void lp_run_grace(LpRun *run);

/* The profile as it will be: desired and capacity of the leg's target, and `folded`. */
char *lp_run_metadata(const LpRun *run, const LpCpuMask *folded);

/* run.c */
void lp_run_leg(LpRun *run);
/* A DIMM left, or the guest refused to let it go. */
void lp_run_device(LpRun *run, const char *alias, bool removed);
/* Something may have changed: asks what can be asked, settles what is settled. */
void lp_run_pump(LpRun *run);
/* Stops asking; what the guest did not do is taken back, then the leg ends. */
void lp_run_stop(LpRun *run, LpOpState state, const char *code, const char *message);

/* The partition does not run any more, or is gone: decides the end, by what is known of why. */
void lp_run_decide_gone(LpRun *run);

/* One effect by its step alone; ends in lp_run_settle_next() while the leg is settling. */
void lp_run_effect(LpRun *run, const LpStep *step);

/* settle.c */
void lp_run_settle(LpRun *run);
/* Goes on when an effect that settles has returned, or its intent is on disk. */
void lp_run_settle_next(LpRun *run);

/* confirm.c */
void lp_run_note_start(LpRun *run);
/* By how much the guest's own count has fallen since the leg began; UINT64_MAX: nobody can tell. */
uint64_t lp_run_guest_released(const LpRun *run);
/* Settles the asked steps as far as they are; true when all are.  *ret_stage: whether the next
 * stage may begin, which waits for vCPUs but not for memory on its way. */
bool lp_run_confirm(LpRun *run, bool *ret_stage);
/* How far memory is, as one number that moves when anything does. */
uint64_t lp_run_progress_mark(const LpRun *run);
LpConfirm lp_run_confirm_level(const LpRun *run);

/* finish.c */
/* Lets go of the oldest beyond LP_FINISHED_KEPT. */
void lp_engine_keep_finished(LpEngine *engine, LpOperation *operation);
void lp_run_leg_done(LpRun *run);
void lp_run_end(LpRun *run, LpOpState state, const char *code, const char *message);

/* Stops the leg; the first result that is decided on the way stays, also over an undo. */
void lp_run_decide(LpRun *run, LpOpState state, const char *code, const char *message);

/* requests.c */
void lp_requests_heard(LpEngine *engine, LpPartition *partition, const LpWireAsk *ask);
/* The link on which it was asked is gone: nobody there knows its number any more. */
void lp_requests_lost(LpEngine *engine, const LpPartition *partition);
void lp_requests_ended(LpEngine *engine, const LpOperation *operation);

/* recover.c */
/* Answers every definition that is under way: lpard is ending. */
void lp_engine_end_definitions(LpEngine *engine);

/* tidy.c: vCPUs that left later than waited for, taken off the record. */
void lp_engine_tidy(LpEngine *engine, LpPartition *partition);

static inline LpLeg *
lp_run_leg_now(const LpRun *run)
{
    return run->operation->legs->len
               ? g_ptr_array_index(run->operation->legs, run->operation->leg)
               : NULL;
}

#endif
