/* Who gets how much of what there is: entitlement first, then by priority, then spare by weight.
 * Pure; integers; the result does not depend on the order of the claims.
 *
 * Each claim is given first base = min(want, max(floor, entitled)); what is left is divided among
 * those who want more, priority by priority: base + weight * level, at most the want, with the
 * highest level that fits (weighted max-min fairness of the spare; PowerVM's uncapped capacity).
 * Where not even the bases fit, each keeps its floor and the rest is base-proportional.
 *
 * Sums of floors above capacity give everybody the floor: they cannot be taken. */
#ifndef LP_POLICY_SHARE_H
#define LP_POLICY_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t key;          /* unique: ties are settled by it */
    uint64_t floor;        /* cannot be taken away */
    uint64_t entitled;     /* guaranteed when wanted */
    uint64_t want;         /* no more is given */
    uint32_t weight;       /* 0: no spare while others want it */
    uint32_t priority;
    uint32_t group;        /* a pool, or LP_SHARE_ALONE */
    uint64_t given;        /* the result */
    bool rationed;         /* the result is below the want */
} LpClaim;

#define LP_SHARE_ALONE UINT32_MAX

/* A pool: its members' sum is capped; what is reserved is theirs before others' spare. */
typedef struct {
    uint64_t reserved, max;
    uint64_t given;        /* the result: the members' sum */
} LpShareGroup;

/* Fills `given` and `rationed` of n claims.  Returns what is left.  `quantum` > 0: each given is
 * a multiple of it above the floor (floors and wants need not be). O(n log n) at most. */
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

void lp_share_sort_donors(LpDonor *donors, size_t n, uint32_t tax_permyriad);

#endif
