/* The invariants as code: judges what is by the hypervisor's word and the journal's rows alone, and
 * by none of lpard's own sums.
 *
 *   LpOracle *oracle = lp_oracle_new(&host, "/dev/shm/x/journal.db");
 *   ... at each effect:   lp_oracle_effect(oracle, "set_requested", uuid);     S6
 *   ... at any moment:    lp_oracle_look(oracle, views);                       S1 S2 S3 S8
 *   ... at rest:          lp_oracle_rest(oracle, views);                       those, S7 L1 L4
 *   lp_oracle_broken(oracle): what was broken, in words; empty: all holds
 *   lp_oracle_free(oracle);
 *
 * Views are of LpView*, as driver->look() gives them, of every domain of the host (look() and not
 * list(), which may know less); they stay the caller's.
 * Threads: lp_oracle_effect() may be called in any; all else in one. */
#ifndef LP_TESTS_ORACLE_H
#define LP_TESTS_ORACLE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "hotplug/view.h"
#include "numa/topology.h"

/* As in DESIGN.md, section 6, and tests/INVARIANTS.md. */
typedef enum {
    LP_INVARIANT_S1,              /* never below min */
    LP_INVARIANT_S2,              /* never above max */
    LP_INVARIANT_S3,              /* what may be taken fits the host, in all and on each node */
    LP_INVARIANT_S4,              /* a guest harms nobody but itself */
    LP_INVARIANT_S5,              /* lpard's death changes nothing */
    LP_INVARIANT_S6,              /* no effect without a durable intent; each is closed */
    LP_INVARIANT_S7,              /* every action has its reason and its numbers */
    LP_INVARIANT_S8,              /* what is entitled fits the processors */
    LP_INVARIANT_L1,              /* after a crash: the target, or a declared partial */
    LP_INVARIANT_L2,              /* a hung guest delays only itself */
    LP_INVARIANT_L3,              /* libvirtd's return means a full re-sync */
    LP_INVARIANT_L4,              /* partial is said as partial */
    LP_INVARIANTS,
} LpInvariant;
/* "S1", ... */
const char *lp_invariant_name(LpInvariant invariant);

/* What lpard was told of the host. */
typedef struct {
    const LpTopology *topology;
    uint64_t reserve_bytes;
    uint64_t overhead_bytes;      /* of each running domain */
    uint32_t reserve_centi;       /* processors, in hundredths */
    uint32_t pools_centi;         /* reserved for pools beyond their members' entitlements */
} LpOracleHost;

typedef struct LpOracle LpOracle;

/* Takes a copy of the host, but not of its topology.  `journal_path` may not exist yet. */
LpOracle *lp_oracle_new(const LpOracleHost *host, const char *journal_path);
void lp_oracle_free(LpOracle *oracle);

/* A domain is about to be changed by `call` (the name in LpDriver): the journal, read from its file
 * now, must hold an open operation that was begun on it.  Work on a definition, a pool's members and
 * the policy's shares are no operations, and write nothing that has to be taken up again: where such
 * work is meant, `lp_oracle_expect_definition(oracle, true)` lets define, start, set_config,
 * set_metadata and set_capacity pass. */
void lp_oracle_effect(LpOracle *oracle, const char *call, const char *uuid);
void lp_oracle_expect_definition(LpOracle *oracle, bool expected);

void lp_oracle_look(LpOracle *oracle, GPtrArray *views);
/* Nothing is open or moves. */
void lp_oracle_rest(LpOracle *oracle, GPtrArray *views);
/* Somebody other than lpard changed this domain (virsh, a reset or restart of the guest): what
 * operations before now came to is not compared with what it has. */
void lp_oracle_disturbed(LpOracle *oracle, const char *uuid);

/* Adds a finding of one's own. */
void lp_oracle_tell(LpOracle *oracle, LpInvariant invariant, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* Of char*, "S3: ...", oldest first; the oracle's. */
GPtrArray *lp_oracle_broken(LpOracle *oracle);
/* How many effects were judged. */
unsigned lp_oracle_effects(LpOracle *oracle);

#endif
