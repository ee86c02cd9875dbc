/* Where an administrator wants a partition's memory and processors to be.  A value; pure. */
#ifndef LP_NUMA_RULE_H
#define LP_NUMA_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numa/topology.h"

typedef enum {
    LP_NUMA_AUTO,             /* one node if it fits, else the nearest set that does */
    LP_NUMA_STRICT,           /* on the nodes named, and nowhere else */
    LP_NUMA_PREFERRED,        /* on the nodes named as far as they have room */
    LP_NUMA_SPREAD,           /* a cell on each of many nodes, alike: for bandwidth with a guest that
                                 knows its cells */
    LP_NUMA_INTERLEAVE,       /* all of it over all nodes alike, for a guest that knows none */
    LP_NUMA_KEEP,             /* as the domain's XML has it: never placed, pinned or moved */
    LP_NUMA_MODES,
} LpNumaMode;

/* What happens to a resize that would bring the partition's score below its floor. */
typedef enum { LP_FLOOR_WARN, LP_FLOOR_REFUSE, LP_FLOORS } LpFloor;

/* Node ids above this are not written by any system in use (Linux: MAX_NUMNODES is 1024). */
#define LP_NODE_ID_MAX 1023

typedef struct {
    LpNumaMode mode;
    /* Ids, rising; STRICT and PREFERRED need one at least, SPREAD and INTERLEAVE may name those
     * they are held to (none: all nodes with memory and processors). */
    uint32_t n_nodes;
    uint16_t node_id[LP_MAX_NODES];
    bool own_cores;           /* its vCPUs have processors that no other partition with this has:
                                 whole cores, as far as its nodes have as many */
    uint32_t floor;           /* least affinity score, 0..100; 0: none */
    LpFloor floor_action;
} LpNumaRule;

/* "auto", "strict", ...; "warn", "refuse" */
extern const char *const lp_numa_mode_names[LP_NUMA_MODES];
extern const char *const lp_floor_names[LP_FLOORS];

/* "auto", "strict:0-1,4", "preferred:0", "spread", "interleave:0,1", "keep"; all but the last two may end
 * in "+cores".  Sets mode, nodes and own_cores only.
 * False: *message (if given) says in one sentence what is wrong and what would be right. */
bool lp_numa_rule_parse(const char *text, LpNumaRule *ret, char *message, size_t size);
/* The same back; returns buf, always terminated. */
#define LP_NUMA_RULE_TEXT 512
char *lp_numa_rule_format(const LpNumaRule *rule, char *buf, size_t size);
bool lp_numa_rule_valid(const LpNumaRule *rule);
bool lp_numa_rule_equal(const LpNumaRule *a, const LpNumaRule *b);
bool lp_numa_rule_is_default(const LpNumaRule *rule);     /* auto, without a floor */

/* The nodes that it names and the host has, with memory; *ret_absent (may be NULL): the first id
 * that the host has not, or -1.  For modes that name none: all nodes with memory. */
LpNodeSet lp_numa_rule_nodes(const LpNumaRule *rule, const LpTopology *topology,
                             int32_t *ret_absent);

#endif
