/* A wanted change of a profile's autoscaling, as a request states it, and what the settings mean
 * in sentences.  Pure. */
#ifndef LP_LPARD_AUTOSCALE_CHANGE_H
#define LP_LPARD_AUTOSCALE_CHANGE_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "policy/profile.h"

typedef struct {
    bool has_mode, has_goal, has_priority, has_entitled, has_release, has_schedules;
    LpAutoscale autoscale;        /* schedules are all of them, never some */
} LpAutoscaleChange;

/* `object`: the value of "autoscale", or NULL: no change. */
bool lp_autoscale_change_parse(const json_t *object, LpAutoscaleChange *ret_change, GError **error);
void lp_autoscale_change_apply(const LpAutoscaleChange *change, LpAutoscale *autoscale);

/* The settings as lp_autoscale_change_parse() reads them. */
json_t *lp_autoscale_json(const LpAutoscale *autoscale);

/* What holds, and what will happen: sentences (of char*). */
void lp_autoscale_effects(const LpProfile *profile, GPtrArray *list);

#endif
