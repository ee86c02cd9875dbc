/* The pools' inside, shared by pools.c and change.c. */
#ifndef LP_LPARD_POOLS_PRIV_H
#define LP_LPARD_POOLS_PRIV_H

#include "lpard/pools/pools.h"

/* Its group: what it was last set to, and when. */
typedef struct {
    uint32_t max_centi, share_centi;
    int64_t applied_usec;         /* monotonic; 0: never */
    char *problem;                /* NULL: none */
} LpPoolGroup;

/* Alive while work for it is. */
struct LpPools {
    unsigned refs;
    bool closed;
    LpRegistry *registry;
    LpEngine *engine;
    LpEvents *events;
    char *path;
    GArray *list;                 /* of LpPool, by name */
    GHashTable *groups;           /* name -> LpPoolGroup */
    GError *unusable;             /* NULL: usable */
    bool enforced;                /* there are groups: no simulated host */
    bool changing;                /* one at a time */
    unsigned joining;             /* so many partitions join or leave: no pool is changed */
    bool ticking;                 /* a group is being kept as it should be */
    guint timer;
};

LpPools *lp_pools_ref(LpPools *pools);
void lp_pools_unref(LpPools *pools);

/* New definitions, which what is reserved on the host follows; takes the array. */
void lp_pools_take(LpPools *pools, GArray *list);

/* Brings one group into being, or into line, off the loop; `done` with an error if that failed. */
typedef void (*LpPoolApplied)(const GError *error, void *data);
void lp_pools_apply(LpPools *pools, const LpPool *pool, LpPoolApplied done, void *data);
/* Removes the group. */
void lp_pools_dissolve(LpPools *pools, const char *name, LpPoolApplied done, void *data);

/* What the definitions take beside its members: entitlements of those that are or will be in it. */
uint32_t lp_pools_promised(const LpPools *pools, const LpPool *pool,
                           const LpPartition *and_this);

#endif
