/* One round of deciding: what all its steps work on.  Inner part of the policy.  Pure.
 *
 *   policy-read.c     the inputs, made safe; demand; wants within bounds
 *   policy-target.c   memory shared out, node by node: a target each
 *   policy-trend.c    where its use is going
 *   policy-grow.c     who grows now, and how far, by what is free
 *   policy-reclaim.c  what is taken for those who could not
 *   policy-bound.c    surplus that goes back by itself; what stood in the way
 *   policy-cpu.c      processors */
#ifndef LP_POLICY_ROUND_H
#define LP_POLICY_ROUND_H

#include "policy/calm.h"
#include "policy/policy.h"
#include "policy/share.h"

/* Of a node: as soon as less is free beyond the reserve, surplus is taken until so much is.  What
 * is kept serves growth that cannot wait for others to give (ESX keeps 6 % and acts at 4 %). */
#define LP_KEPT_LOW_PERMYRIAD 100
#define LP_KEPT_HIGH_PERMYRIAD 200
/* A good step is an eighth of what is there, one that is worth while a 32nd. */
#define LP_GOOD_STEP_DIVISOR 8
#define LP_LEAST_STEP_DIVISOR 32
/* Amounts of a partition are at most LP_MEM_MAX_BYTES, so sums over 2^17 fit; more saturate. */

/* How far a rise is looked ahead: the time between what monitoring systems sample, and long
 * enough that a ramp is one resize and not ten. */
#define LP_TREND_AHEAD_MSEC 300000

typedef enum {
    LP_PART_NONE,          /* not to be touched at all: a double, or impossible */
    LP_PART_OFF,
    LP_PART_ADVISE,        /* decided for itself, from what the others leave free */
    LP_PART_FIXED,
    LP_PART_IN,            /* shares, grows and gives */
} LpPart;

/* A partition, its numbers made safe. */
typedef struct {
    uint64_t granted, settled;     /* settled: when what is under way is done */
    uint64_t quantum;              /* of change: a block in each cell */
    uint64_t min, max, entitled;   /* min <= entitled <= max */
    uint64_t floor;                /* min; where nothing is known what it has */
    uint64_t need, want;           /* within [floor, max] */
    /* What comes before all others' headroom: its need, what is owed; what comes before all
     * others' memories of peaks: what it uses, with headroom. */
    uint64_t first_want, next_want;
    uint64_t roomy;                /* where it grows to if there is plenty */
    uint64_t target, size;
    uint64_t ceiling;              /* calm lets it grow no further */
    uint64_t key, rival;
    uint32_t weight, priority;
    uint32_t first;                /* of its extents */
    uint16_t n_extents, n_cells;
    LpPart part, cpu;              /* of memory, and of processors */
    bool acts;                     /* its state follows: it is not only advised */
    bool known, rationed, suffers, due;
    LpCalm how;                    /* of the change decided; of a donor: what calm allows */
} LpItem;

/* The part of a partition's memory that lies on a node: cells of its n_cells. */
typedef struct {
    uint32_t item;
    uint8_t node, cells;
    uint64_t given;
} LpExtent;

/* Waits for memory, or could give some: in an order. */
typedef struct {
    uint64_t key, amount;
    uint32_t weight, priority;
    uint32_t index;
    bool suffers, owed;            /* owed: below its entitlement */
} LpPlace;

/* For what something is taken, the strongest first. */
typedef enum { LP_FOR_SHORTAGE, LP_FOR_ENTITLEMENT, LP_FOR_NEED, LP_FOR_WANT, LP_FOR_KEPT,
               LP_FORS } LpFor;

struct LpPolicy {
    LpItem *items;
    LpExtent *extents;
    LpPlace *places;
    LpClaim *claims;
    LpDonor *donors;
    uint32_t *slots;               /* keys seen: index + 1 */
    uint32_t *by_node;             /* extents, node by node */
    size_t items_room, extents_room, slots_room;
};

typedef struct {
    LpPolicy *room;
    const LpPolicyHost *host;
    const LpPolicyPartition *partitions;
    LpPolicyState *states;
    LpDecision *decisions;
    size_t n, n_extents, n_places, n_donors;
    int64_t now_msec;
    LpMode mode;
    uint32_t n_nodes;
    uint64_t capacity[LP_POLICY_NODES];    /* less the reserve */
    uint64_t avail[LP_POLICY_NODES];       /* free beyond it */
    uint64_t coming[LP_POLICY_NODES];      /* under way back */
    uint64_t held[LP_POLICY_NODES];        /* by those that do not share */
    uint64_t wanted[LP_POLICY_NODES];      /* by those that do */
    uint64_t shared[LP_POLICY_NODES];      /* what they have */
    uint64_t lack[LP_FORS][LP_POLICY_NODES];
    uint64_t first_waiting[LP_FORS][LP_POLICY_NODES];     /* whose key; 0: nobody */
    uint32_t moving;
} LpRound;

uint64_t lp_sat_add(uint64_t a, uint64_t b);
uint64_t lp_sat_sub(uint64_t a, uint64_t b);
/* amount * part / whole, down or up. */
uint64_t lp_part_down(uint64_t amount, uint64_t part, uint64_t whole);
uint64_t lp_part_up(uint64_t amount, uint64_t part, uint64_t whole);
/* The least and a good change of this partition, in whole quanta. */
uint64_t lp_least_step(const LpItem *item);
uint64_t lp_good_step(const LpItem *item);
uint64_t lp_round_up(const LpItem *item, uint64_t amount);
uint64_t lp_round_down(const LpItem *item, uint64_t amount);
bool lp_moves_free(const LpRound *round);
/* Seconds that surplus is held. */
int64_t lp_release_msec(const LpPolicyPartition *partition);
const LpTuning *lp_partition_tuning(const LpPolicyPartition *partition);

/* Remembers what is in use now. */
void lp_trend_note(LpPolicyState *state, uint64_t used_bytes, int64_t now_msec);
/* By how much more will be in use after LP_TREND_AHEAD_MSEC, if it goes on as it has in each of the
 * last two spans. */
uint64_t lp_trend_rise(const LpPolicyState *state, uint64_t used_bytes, int64_t now_msec);

bool lp_round_room(LpPolicy *policy, const LpPolicyHost *host,
                   const LpPolicyPartition *partitions, size_t n);
void lp_round_read(LpRound *round);
void lp_round_targets(LpRound *round);
void lp_round_grow(LpRound *round);
void lp_round_reclaim(LpRound *round);
void lp_round_give_back(LpRound *round);
void lp_round_cpu(LpRound *round);
void lp_round_finish(LpRound *round);

/* Writes that item is to have `size`, less than it has, and counts it as moving. */
void lp_round_shrink(LpRound *round, LpItem *item, uint64_t size, LpCalm how, LpTake take);

#endif
