/* From a profile to the shape of its domain: how much boots in each cell, how big its device
 * is, how much of that is asked for at the start.  Pure. */
#ifndef LP_LPARD_SHAPE_H
#define LP_LPARD_SHAPE_H

#include <glib.h>

#include "hotplug/domxml.h"
#include "policy/profile.h"

/* Devices come in steps of a guest's own memory block, so that none ends inside one. */
#define LP_DEVICE_STEP_BYTES (128ULL << 20)
/* Slots for DIMMs beside the virtio-mem devices: the fallback for a guest without the driver. */
#define LP_SPARE_SLOTS 4

/* The profile must have passed lp_profile_check(); `metadata` is only referred to. */
void lp_shape_make(const LpProfile *profile, const char *metadata, LpShape *ret_shape);

/* What is in effect now and what from the next start, in sentences (of char*): `old` NULL when
 * the domain becomes a partition; `view` NULL when it does not exist yet.  `reach_bytes`: what its
 * nodes can ever hold of it, by lp_placement_reach(). */
void lp_shape_effects(const char *name, const LpView *view, const LpProfile *old,
                      const LpProfile *profile, uint64_t reach_bytes, GPtrArray *now,
                      GPtrArray *next_start);

#endif
