/* Shared processor pools: partitions whose sum is capped together, and what is reserved for them.
 *
 *   pool-file.c  the definitions and their file
 *   group.c      a pool in the kernel: its control group
 *   members.c    what a pool does to its members' definitions and quotas (in workers)
 *   change.c     defining, changing and removing a pool, step by step
 *   pools.c      the list, its checks, and the groups kept as they should be
 *
 * Who is in a pool the domains say themselves, by libvirt's <resource><partition>: it holds from
 * a domain's next start on.  A pool's maximum and what is reserved change at once.  Main loop
 * only. */
#ifndef LP_LPARD_POOLS_H
#define LP_LPARD_POOLS_H

#include <glib.h>
#include <stdbool.h>

#include "lpard/engine/engine.h"
#include "lpard/events.h"
#include "lpard/pools/pool-file.h"
#include "lpard/registry/registry.h"
#include "policy/policy.h"

typedef struct LpPools LpPools;

/* Reads the definitions, and keeps pointers to all it is given.  A file that cannot be read is no
 * reason to end: then nothing can be changed, and lp_pools_usable() says why. */
LpPools *lp_pools_new(const char *state_dir, LpRegistry *registry, LpEngine *engine,
                      LpEvents *events);
void lp_pools_free(LpPools *pools);

/* LP_ERROR_UNSUPPORTED (no control groups, a user's session) or LP_ERROR_JOURNAL. */
bool lp_pools_usable(const LpPools *pools, GError **error);

/* By name; at most LP_POOLS_MAX.  Good until control returns to the loop. */
guint lp_pools_count(const LpPools *pools);
const LpPool *lp_pools_at(const LpPools *pools, guint index);
const LpPool *lp_pools_find(const LpPools *pools, const char *name, GError **error);
/* Why its group is not as it should be; NULL: it is. */
const char *lp_pools_problem(const LpPools *pools, const LpPool *pool);

/* Whether a domain runs in the pool, and whether it will from its next start on (of one that is
 * off: from then on). */
bool lp_pool_runs(const LpPool *pool, const LpPartition *partition);
bool lp_pool_has(const LpPool *pool, const LpPartition *partition);
/* Entitlements of its members that run, in hundredths of a processor. */
uint32_t lp_pools_entitled(const LpPools *pools, const LpPool *pool);

/* For the policy: fills `ret` and returns how many there are; a partition's is an index into them,
 * or LP_NO_POOL. */
uint32_t lp_pools_policy(const LpPools *pools, LpPolicyPool ret[LP_POLICY_POOLS]);
uint32_t lp_pools_index(const LpPools *pools, const LpPartition *partition);

/* On the main loop, once; error NULL: done.  Called also when lpard is ending. */
typedef void (*LpPoolsDone)(const GError *error, void *data);

/* Defines a pool or changes it.  False: refused at once, and `done` is not called.  An error by
 * `done` that is not LP_ERROR_JOURNAL: it is defined, but the kernel or a member does not follow
 * yet. */
bool lp_pools_set(LpPools *pools, const LpPool *pool, LpPoolsDone done, void *data,
                  GError **error);
/* One without members. */
bool lp_pools_remove(LpPools *pools, const char *name, LpPoolsDone done, void *data,
                     GError **error);
/* Puts a partition into the pool from its next start on; name NULL: out of any. */
bool lp_pools_join(LpPools *pools, LpPartition *partition, const char *name, LpPoolsDone done,
                   void *data, GError **error);

#endif
