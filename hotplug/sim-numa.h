/* Where the memory of simulated domains lies, by node, and what moves it: inside of the simulated
 * host only; the host's lock is held.
 *
 * A part of a domain (a cell; the last one is the hypervisor's own) is a row of extents in the
 * order of their addresses: what grows is put at the end, on the node that the cell prefers, and
 * what shrinks goes from the end. */
#ifndef LP_HOTPLUG_SIM_NUMA_H
#define LP_HOTPLUG_SIM_NUMA_H

#include <glib.h>
#include <jansson.h>
#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>

#include "hotplug/locality.h"
#include "hotplug/view.h"
#include "numa/rule.h"

typedef struct {
    uint32_t node;                /* its id */
    uint64_t bytes;
} LpSimExtent;

typedef struct {
    GArray *extents;              /* of LpSimExtent: what is resident */
    uint64_t untouched_bytes;     /* of its size: never resident */
} LpSimPart;

/* Of one domain, from its start to its stop. */
typedef struct {
    uint32_t n_parts;             /* cells + 1; 0: it is off */
    LpSimPart *parts;
    uint64_t own_bytes;           /* the hypervisor's own, beside what it holds for the guest */
    uint64_t moved_bytes;         /* since its start */
    uint32_t n_pins;              /* vCPUs that pins has a mask for */
    LpCpuMask *pins;              /* empty: all processors */
    LpCpuMask emulator;
    /* Of a restrictive domain, once it was moved: nodes that its memory may be on. */
    uint32_t n_nodeset;
    uint32_t nodeset[LP_MAX_NODES];
} LpSimNuma;

/* Faults of moving; see LP_SIM_TELL. */
typedef struct {
    uint64_t busy_bytes, shared_bytes, stop_bytes;
    int32_t no_room_node;         /* -1: none */
    int error;                    /* errno; 0: none */
    bool no_locate;
} LpSimMoving;

/* What each node holds of guests at most.  n 0: there is no limit. */
typedef struct {
    uint32_t n;
    LpSimExtent at[LP_MAX_NODES];
} LpSimNodes;

struct LpSimDomain;
struct LpSimSpec;
struct LpSimSpecCell;

/* sim-pages.c */
/* It has started: parts for its cells, with nothing in them yet.  Pins are those of its XML. */
void lp_sim_numa_start(struct LpSimDomain *domain);
void lp_sim_numa_stop(struct LpSimDomain *domain);
/* Makes each part as large as the guest is now. */
void lp_sim_numa_settle(struct LpSimDomain *domain);
/* Puts the pages of a domain that has just started where FILE says. */
void lp_sim_numa_place(struct LpSimDomain *domain, const struct LpSimSpec *spec);
/* What an order would go over, at most: what lies where it moves from. */
uint64_t lp_sim_numa_movable(const struct LpSimDomain *domain, const LpMoveOrder *order);
/* Moves what the order says; the faults strike here. */
void lp_sim_numa_move(struct LpSimDomain *domain, const LpMoveOrder *order, LpPagesMoved *ret);
/* Takes all that is elsewhere to one of the nodes. */
void lp_sim_numa_herd(struct LpSimDomain *domain, const uint32_t *node_ids, uint32_t n);

/* sim-numa-json.c */
/* {"0": bytes, ...}.  No such key: *ret_nodes is left alone. */
bool lp_sim_nodes_read(const json_t *object, const char *key, LpSimNodes *ret_nodes,
                       GError **error);
/* Those keys of a cell, and of a domain, that are about nodes. */
bool lp_sim_cell_nodes_read(const json_t *object, struct LpSimSpecCell *cell, GError **error);
bool lp_sim_spec_nodes_read(const json_t *object, struct LpSimSpec *spec, GError **error);
bool lp_sim_moving_read(const json_t *object, LpSimMoving *moving, GError **error);
void lp_sim_moving_write(const LpSimMoving *moving, json_t *json);
json_t *lp_sim_numa_write(const struct LpSimDomain *domain);
/* NULL: kept by an lpard that knew no nodes. */
bool lp_sim_numa_read(struct LpSimDomain *domain, const json_t *json, GError **error);

/* sim-xml-numa.c */
void lp_sim_xml_build_numatune(GString *xml, const struct LpSimSpec *spec);
void lp_sim_xml_build_pins(GString *xml, const struct LpSimSpec *spec);
/* The pins that the text says, if any. */
void lp_sim_xml_pins(const char *xml, uint32_t vcpu_max, LpSimNuma *numa);
/* Puts pins and nodeset as they are now into the tree. */
void lp_sim_xml_live_numa(xmlNode *root, const struct LpSimDomain *domain);

#endif
