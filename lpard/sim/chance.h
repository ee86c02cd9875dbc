/* Chance with a seed: the same numbers everywhere.  splitmix64 (Steele et al., OOPSLA'14): any
 * seed is as good as another, so that a partition's may be made of its number. */
#ifndef LP_SIM_CHANCE_H
#define LP_SIM_CHANCE_H

#include <stdint.h>

static inline uint64_t
lp_chance(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The beginning of a chance of its own for the `which`-th of something: seeds that are near, and
 * numbers that are, share nothing. */
static inline uint64_t
lp_chance_of(uint64_t seed, uint64_t which)
{
    uint64_t state = seed;

    return lp_chance(&state) ^ which * 0xd1342543de82ef95u;
}

/* From `low` to `high`, both possible. */
static inline int64_t
lp_chance_between(uint64_t *state, int64_t low, int64_t high)
{
    return low + (int64_t) (lp_chance(state) % (uint64_t) (high - low + 1));
}

#endif
