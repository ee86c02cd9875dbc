/* What lpard knows, as the JSON of the API.  Main loop only; new references. */
#ifndef LP_LPARD_EXPORT_H
#define LP_LPARD_EXPORT_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lpard/registry/registry.h"

/* What the partition's own record does not say. */
typedef struct {
    uint64_t overhead_bytes;      /* of a hypervisor process, beside its guest's memory */
    int64_t now_usec;             /* monotonic */
    uint32_t operations_open;
    bool stuck;
    bool connected;               /* else these are the last figures read */
    json_t *score;                /* taken; NULL: not known */
} LpExportFacts;

json_t *lp_export_partition(const LpPartition *partition, const LpExportFacts *facts);
/* What its agent is and last said; what is in it: features, abilities, pressure. */
json_t *lp_export_agent(const LpPartition *partition, int64_t now_usec);
json_t *lp_export_guest(const LpPartition *partition, int64_t now_usec);
json_t *lp_export_domain(const LpPartition *partition);
json_t *lp_export_profile(const LpProfile *profile);
/* What this process gave up (lpard/sandbox.h). */
json_t *lp_export_sandbox(void);
/* A node's memory; such are in the nodes' order in the topology. */
typedef struct {
    uint64_t granted_bytes;       /* that domains with a cell there may hold */
    LpNodeUse use;
} LpExportNode;
json_t *lp_export_host(const char *uri, bool connected, bool cpu_is_enforced,
                       const LpHost *host, const LpHostUse *use, const LpExportNode *nodes,
                       uint32_t score_centi /* LP_SCORE_NONE: not known */);
/* export-numa.c.  Of LpPartition*: what each that runs has on which node, measured if it was.  `score_of`
 * gives the score of a measured one as GET /v1/score has it, a new reference, or NULL. */
typedef json_t *(*LpExportScoreFunc)(const LpPartition *partition, void *data);
json_t *lp_export_contents(const GPtrArray *domains, const LpTopology *topology,
                           LpExportScoreFunc score_of, void *data);
json_t *lp_export_topology(const LpTopology *topology, const LpExportNode *uses);

const char *lp_profile_state_name(LpProfileState state);
/* "connected", "qemu-guest-agent", "absent", "silent", "no-channel". */
const char *lp_export_agent_state(const LpPartition *partition);
/* How cell `index` changes its memory: "virtio-mem", "dimm", "none". */
const char *lp_export_cell_mechanism(const LpView *view, uint32_t index);

#endif
