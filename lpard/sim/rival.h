/* The policies that lpard's is held against, and what they have in common.
 *
 * Each is written anew from its published formula: constants are the source's, and what a source
 * leaves open is said where it is settled.  All see what a real one would: the past, by the
 * guest's and the host's word.  (Only `clairvoyant` reads the future_ fields.)
 *
 * A balloon's target need not be a multiple of anything, so targets here are any bytes. */
#ifndef LP_SIM_RIVAL_H
#define LP_SIM_RIVAL_H

#include "lpard/sim/sim.h"

#define LP_RIVAL_KIB ((uint64_t)1 << 10)
#define LP_RIVAL_MIB ((uint64_t)1 << 20)
#define LP_RIVAL_GIB ((uint64_t)1 << 30)

extern const LpSimPolicy lp_rival_lpard, lp_rival_lpard_keep, lp_rival_static, lp_rival_mom,
    lp_rival_pve, lp_rival_squeezed, lp_rival_qmemman, lp_rival_hyperv, lp_rival_esx, lp_rival_neon,
    lp_rival_vpa, lp_rival_senpai, lp_rival_clairvoyant;

/* An amount within the partition's bounds; what is not a number is its minimum. */
uint64_t lp_rival_bytes(const LpSimView *view, double bytes);
uint32_t lp_rival_centi(const LpSimView *view, double centi);

/* The partition is to have so much, and that counts as allocated. */
void lp_rival_set_bytes(LpSimView *view, double bytes);
void lp_rival_set_centi(LpSimView *view, double centi);

/* The last word of each that has no arbiter of its own: growth is granted only against what is free
 * now, and where all together ask for more, each gets the same part of what it asked for. */
void lp_rival_fit(LpSimHost *host);

#endif
