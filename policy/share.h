/* Who gets how much of what there is: entitlement first, then by priority, then spare by weight.
 * Pure; integers; the result does not depend on the order of the claims.
 *
 * Each claim is given first base = min(want, max(floor, entitled)); what is left is divided among
 * those who want more, priority by priority: base + weight * level, at most the want, with the
 * highest level that fits (weighted max-min fairness of the spare; PowerVM's uncapped capacity).
 * A pool's members share what it has reserved in that way before the spare of all is divided.
 * Where not even the bases fit, in a pool or in all, each keeps its floor and what is left beyond
 * the floors is in proportion to what each one's base has beyond its floor.
 *
 * Sums of floors above capacity give everybody the floor: they cannot be taken.  A want below the
 * floor is the floor.  Any input will do; nothing overflows. */
#ifndef LP_POLICY_SHARE_H
#define LP_POLICY_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 LpShareWide;

typedef struct {
    uint64_t key;          /* unique: who gets of an indivisible rest (lower keys first) */
    uint64_t floor;        /* cannot be taken away */
    uint64_t entitled;     /* guaranteed when wanted */
    uint64_t want;         /* no more is given */
    uint32_t weight;       /* 0: no spare while anybody else wants it, of whatever priority */
    uint32_t priority;     /* a higher one first */
    uint32_t group;        /* a pool's index, or LP_SHARE_ALONE (as any index out of range) */
    bool rationed;         /* the result is below the want, by a quantum or more */
    bool open;             /* lp_share()'s own */
    uint64_t given;        /* the result */
    struct {
        uint64_t want, held, more, take;
    } work;                /* lp_share()'s own, in quanta above the floor */
} LpClaim;

#define LP_SHARE_ALONE UINT32_MAX
/* More mean fewer walks and more room; with 16, four walks find one key of 2^16. */
#define LP_SHARE_BUCKETS 16

/* A pool: its members' sum is capped (but for their floors); what is reserved is theirs beyond
 * their entitlements before others' spare, and others' as far as they do not want it. */
typedef struct {
    uint64_t reserved;
    uint64_t max;          /* UINT64_MAX: none */
    uint64_t given;        /* the result: the members' sum, at most UINT64_MAX */
    struct {
        LpShareWide sum, heavy, before, bucket[LP_SHARE_BUCKETS];
        uint64_t room, rest, low, high, weights;
        uint32_t shift;
        bool fits;
    } work;                /* lp_share()'s own */
} LpShareGroup;

/* Fills `given` and `rationed` of n claims (fewer than 2^32).  Returns what is left.  Each given is
 * a multiple of `quantum` (0: 1) above the floor; floors and wants need not be, and an entitlement
 * counts in whole quanta above the floor.  Time: n times at most some 200 steps, a few dozen in
 * practice, one if all wants fit; no memory. */
uint64_t lp_share(LpClaim *claims, size_t n, LpShareGroup *groups, size_t n_groups,
                  uint64_t capacity, uint64_t quantum);

/* In which order surplus is taken back: that of the lowest price first.  ESX's min-funding
 * revocation with idle tax (Waldspurger, OSDI'02): rho = weight / (size * (f + k * (1 - f))), f the
 * active part, k = 1 / (1 - tax).  Exact comparison; ties by key. */
typedef struct {
    uint64_t key;
    uint32_t weight;
    uint64_t size, active;
    size_t index;          /* the caller's */
} LpDonor;

/* `tax_permyriad` above 10000 is 10000: only what is idle has a price.  A donor that has nothing to
 * tax (of size 0; all active, taxed in full) is last. */
void lp_share_sort_donors(LpDonor *donors, size_t n, uint32_t tax_permyriad);

#endif
