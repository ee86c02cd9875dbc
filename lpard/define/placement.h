/* On which host nodes the cells of a new partition are to be, and what its vCPUs may run on. */
#ifndef LP_LPARD_PLACEMENT_H
#define LP_LPARD_PLACEMENT_H

#include <glib.h>
#include <stdbool.h>

#include "hotplug/locality.h"
#include "hotplug/view.h"
#include "numa/layout.h"
#include "policy/profile.h"

/* The host, as the one who asks for a definition sees it. */
typedef struct {
    LpTopology topology;
    /* By the order of its nodes, without the domain in question: what is free now; and what would
     * be if all partitions that are off were started. */
    LpLayoutUse use[LP_MAX_NODES], later[LP_MAX_NODES];
} LpPlacementHost;

/* Whether lpard's definitions pin vCPUs here, and a rule means anything: more than one node has
 * processors, or memory. */
bool lp_placement_pins(const LpTopology *topology);
bool lp_placement_matters(const LpTopology *topology);

/* Chooses profile->n_cells and cell_node by its rule, ranges and the host.  `n_cells` 0: as few as
 * its maximum of memory needs.  LP_ERROR_REFUSED: a node of its rule is not here or is full; the
 * message says which nodes there are. */
bool lp_placement_choose(const LpPlacementHost *host, uint32_t n_cells, LpProfile *profile,
                         GError **error);
/* Whether a domain that runs has its cells on nodes where they may stay and grow to the profile's
 * maximum: then profile->cell_node is theirs, and nothing needs to be moved for it. */
bool lp_placement_stays(const LpPlacementHost *host, const LpView *view, LpProfile *profile);
/* Whether cells that were given by the administrator keep the rule; LP_ERROR_USAGE. */
bool lp_placement_check(const LpPlacementHost *host, const LpProfile *profile, GError **error);

/* The most that the nodes of its cells can ever hold of it, others or not, where that is less than
 * its maximum and its rule holds it to nodes (strict; spread over those named); else UINT64_MAX. */
uint64_t lp_placement_reach(const LpPlacementHost *host, const LpProfile *profile);

/* What lpard binds by itself where the XML says nothing else: a domain whose XML has somebody's own
 * binding or pins is kept as it is. */
bool lp_placement_is_foreign(const LpView *view);
/* The cells of a domain that is kept: as its XML has them. */
void lp_placement_keep(const LpView *view, LpProfile *profile);

/* The pins of the cells: NULL where none are to be written.  Caller frees with the next. */
LpPins *lp_placement_pins_of(const LpProfile *profile, const LpTopology *topology);
void lp_placement_pins_free(LpPins *pins);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpPins, lp_placement_pins_free)
/* The nodes that an interleaved partition lies over ("0-1"), or NULL: its rule is another, or one
 * node is all there is.  Caller frees. */
char *lp_placement_interleaved(const LpProfile *profile, const LpTopology *topology);

#endif
