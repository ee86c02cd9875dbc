/* A change of a definition on its way: prepared in a worker, admitted, journaled, applied in a
 * worker, remembered, answered. */
#ifndef LP_LPARD_API_CHANGE_H
#define LP_LPARD_API_CHANGE_H

#include "lpard/api/api-private.h"
#include "lpard/define/definition.h"

typedef struct {
    LpCall *call;
    LpDefinition *definition;
    bool dry_run;
    bool answer_partition;        /* else a Definition */
    unsigned tries;
    bool noted;                   /* the partition is marked as being changed */
    /* What the journal held, to be put back when the effect fails. */
    bool had_profile;
    uint64_t had_generation;
    char *had_metadata;
} LpApiChange;

/* Keeps the call; what is wanted is then filled into `definition`. */
LpApiChange *lp_api_change_new(LpCall *call, LpDefinitionKind kind, const char *uuid,
                               const char *name);
/* Each of these ends the change in the end, and answers its call. */
void lp_api_change_begin(LpApiChange *change);
void lp_api_change_fail(LpApiChange *change, const GError *error);

/* The host without the domain (NULL: a new one), as its cells are placed (api-place.c). */
void lp_api_placement_host(LpApi *api, const char *uuid, LpPlacementHost *ret_host);

/* Whether what the change would take of the host is there (api-admit.c). */
bool lp_api_change_fits(const LpApiChange *change, GError **error);

#endif
