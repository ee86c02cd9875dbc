/* The registry's inside, for the files that make it up: registry.c, calls.c, guest.c, account.c. */
#ifndef LP_LPARD_REGISTRY_PRIV_H
#define LP_LPARD_REGISTRY_PRIV_H

#include "lpard/registry/registry.h"
#include "numa/ledger.h"

typedef struct {
    LpChangeFunc func;
    void *data;
} LpListener;

/* What a partition was last counted at, and where it is. */
struct LpAccount {
    LpCharge charge;
    LpHostUse use;                 /* what it adds to the host's */
    LpWhere where;                 /* its topology is NULL where there is one node only */
    LpSpread *cell_memory;
};

struct LpRegistry {
    LpWorkers *workers;
    LpJournal *journal;
    LpEvents *events;
    LpHost host;
    uint64_t reserve_bytes, overhead_bytes;
    uint32_t reserve_centi;
    uint32_t pools_centi;          /* what pools have reserved */
    LpPoolRoomFunc pool_room;      /* or NULL */
    void *pool_room_data;
    bool enforce_hard;
    LpWatch *watch;
    bool connected, synced, listing;
    bool list_again;               /* something happened that the list under way may not know */
    bool closing;
    int64_t list_usec;             /* when it was asked for */
    guint again_source;
    GHashTable *partitions;        /* uuid -> LpPartition */
    GHashTable *by_name;           /* the same; name -> LpPartition */
    unsigned n_stuck;
    GPtrArray *orphans;            /* of struct LpCalls, of domains that are gone: a call is still under way */
    GArray *listeners;             /* of LpListener */
    LpGuestFunc heard;             /* or NULL */
    void *heard_data;
    guint tick_source;
    /* Sums of all partitions' accounts. */
    LpLedger ledger;
    LpHostUse use;
};

uint64_t lp_partition_overhead(const LpPartition *partition, uint64_t overhead_bytes);

/* account.c: what a cell has, without what it was promised. */
uint64_t lp_registry_cell_bytes(const LpView *view, uint32_t cell);
/* locality.c: a fresh view's homes, and all that follows from where it lies. */
void lp_registry_settle(LpRegistry *registry, LpPartition *partition);
/* account.c: no longer counted. */
void lp_registry_discount(LpRegistry *registry, LpPartition *partition);

/* reread.c: what no event tells of; at each tick.  And those that hang, at once: what they hung on may be
 * back. */
void lp_registry_reread(LpRegistry *registry, unsigned tick_sec);
void lp_registry_reread_stuck(LpRegistry *registry);

/* calls.c */
struct LpCalls *lp_calls_new(LpRegistry *registry, const char *uuid);
/* Whoever waits is answered with an error; a call under way still gets its own answer. */
void lp_calls_free(struct LpCalls *calls);
/* Those whose last call nobody will hear of any more: the registry ends. */
void lp_calls_free_orphans(LpRegistry *registry);

/* Whether a call is under way, or one came back since then. */
bool lp_calls_busy(const struct LpCalls *calls, int64_t since_usec);

/* guest.c */
void lp_guest_open(LpRegistry *registry, LpPartition *partition);
void lp_guest_close(LpPartition *partition);
/* After a fresh view: what MemTotal is without what can be plugged. */
void lp_guest_calibrate(LpPartition *partition);
/* What the kernel can have taken of boot memory before it counted. */
uint64_t lp_guest_kernel_most(const LpView *view);

void lp_registry_tell(LpRegistry *registry, LpChange change, LpPartition *partition,
                      const char *alias);

#endif
