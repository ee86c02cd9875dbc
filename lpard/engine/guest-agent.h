/* Guests that have qemu-guest-agent in place of lpar-agent.
 *
 * That one says nothing unasked, so here the host asks: in the lane's worker, while steps of the
 * leg wait for the guest.  What it does not do, or not in time, is left to the device's word and
 * the quota, as in a guest without any agent, and a remark says so. */
#ifndef LP_LPARD_GUEST_AGENT_H
#define LP_LPARD_GUEST_AGENT_H

#include "hotplug/driver.h"
#include "lpard/engine/operation.h"
#include "lpard/registry/registry.h"

typedef struct LpRun LpRun;

/* A leg's dealings with it. */
typedef struct {
    bool looked;                  /* it was asked before the leg was planned, if it is there */
    bool used;                    /* ... and answered: the leg counts on it */
    bool given_up;
    bool polled;                  /* it was asked since the leg was planned */
    bool busy;                    /* a question is under way */
    guint poll_source;
    int64_t asked_usec;           /* when the last question was put */
    int64_t state_usec;           /* when that was put whose answer `state` is; 0: none */
    LpQgaState state;
    char *cpu_trouble, *mem_trouble;    /* what it could not do, or NULL */
    uint64_t start_block_bytes;   /* all memory blocks, and what was plugged, before the leg */
    uint64_t start_plugged_bytes;
    bool memory_agrees;           /* it has said the same of memory as the device */
} LpRunQga;

/* Before a leg is planned: asks it what is, if it is what this guest has, and calls `then` when
 * it has answered or not.  False if there is nothing to ask (any more): go on. */
bool lp_run_qga_first(LpRun *run, void (*then)(LpRun *run));
/* The leg begins anew, or another. */
void lp_run_qga_reset(LpRun *run);
/* The run is freed: answers to it are not waited for. */
void lp_run_qga_drop(LpRun *run);

/* Whether the leg at work was planned with its help, and no lpar-agent has come since. */
bool lp_run_qga_used(const LpRun *run);
/* Sees to it that the guest is asked again soon, if a step that waits needs it. */
void lp_run_qga_poll(LpRun *run);

/* The vCPUs are as the step wants them, by its word; or nothing is to be hoped for and the
 * step's message, and a remark, say so. */
LpStepState lp_run_qga_fold(LpRun *run, const LpStep *step, LpStepProgress *progress);
LpStepState lp_run_qga_vcpu(LpRun *run, const LpStep *step, const LpStepProgress *progress);
/* The device is where it should be, but the guest's word that it has the memory (or not any
 * more) is still worth waiting for. */
bool lp_run_qga_memory_pending(LpRun *run, int64_t quiet_usec);

/* How sure a leg with such steps is, and what it came to by the guest's word. */
LpConfirm lp_run_qga_level(const LpRun *run, bool cpu, bool memory);
void lp_run_qga_note(const LpRun *run, LpLeg *leg);

#endif
