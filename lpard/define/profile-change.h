/* A wanted change of a profile, or a whole new one, as a request states it.  Pure. */
#ifndef LP_LPARD_PROFILE_CHANGE_H
#define LP_LPARD_PROFILE_CHANGE_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lpard/define/autoscale-change.h"
#include "lpard/define/placement.h"
#include "policy/profile.h"

typedef struct {
    bool has_cpu_min, has_cpu_desired, has_cpu_max;
    LpCpuRange cpu;
    bool has_mem_min, has_mem_desired, has_mem_max;
    LpMemRange mem;
    bool has_entitled, has_weight, has_capped;
    LpCapacity capacity;
    bool has_cells, has_n_cells;
    uint32_t n_cells;
    int32_t cell_node[LP_MAX_CELLS];
    bool has_hold;
    int64_t hold_until_sec;
    bool has_numa, has_floor, has_floor_action;
    LpNumaRule numa;
    LpAutoscaleChange autoscale;
} LpProfileChange;

/* Reads the fields it knows of the body (the caller checks for unknown ones). */
bool lp_profile_change_parse(const json_t *body, LpProfileChange *ret_change, GError **error);

/* The profile that results: of `old`, or a new one where old is NULL (cpu and mem must then be
 * whole; the rest has defaults: cells by lp_placement_choose(), entitlement by
 * lp_profile_default_entitlement()).  `view` is the domain, or NULL: there is none yet; one whose
 * XML binds it already gets the rule `keep`, unless a rule or cells are given.  The rules of
 * lp_profile_check() are applied (LP_ERROR_REFUSED); the generation is left to the caller. */
bool lp_profile_change_apply(const LpProfileChange *change, const LpProfile *old,
                             const LpView *view, const LpPlacementHost *host,
                             LpProfile *ret_profile, GError **error);

/* Whether it leaves amounts and capacity alone: only a hold, autoscaling, or a rule is wanted. */
bool lp_profile_change_is_aside(const LpProfileChange *change);

/* Whether the domain's devices, cells, boot memory or way of binding must differ for it; not which
 * nodes its cells are bound to. */
bool lp_profile_shape_differs(const LpProfile *a, const LpProfile *b);

#endif
