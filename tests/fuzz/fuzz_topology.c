/* A host's topology as a file or a text: what is taken is within lpard's bounds and whole.
 *
 * An input that begins with '<' is an XML file, another a synthetic description.  Both are the
 * administrator's (lpard.conf, --topology) or of who runs lpar-sim, and are read once, at start.  hwloc
 * trusts a file that is given to it: its own reader comes to grief over one that is cut short, and loses
 * memory over some that make no sense.  So only what is well-formed is tried here. */
#include "tests/fuzz/fuzz.h"

#include <libxml/parser.h>
#include <string.h>
#include <unistd.h>

#include "numa/topology.h"

const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libhwloc.so\n";
}

static void
check_taken(const LpTopology *topology)
{
    LpCpuMask all = { 0 };

    LP_MUST(topology->n_nodes >= 1 && topology->n_nodes <= LP_MAX_NODES);
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        const LpNode *node = &topology->nodes[i];

        LP_MUST(i == 0 || topology->nodes[i - 1].id < node->id);
        LP_MUST(node->tier < LP_TIERS);
        LP_MUST(lp_topology_find(topology, node->id) == (int)i);
        LP_MUST(lp_topology_near_cpus(topology, i) < (int)topology->n_nodes);
        LP_MUST(topology->distance[i][i] == 10);
        for (uint32_t k = 0; k < topology->n_nodes; k++)
            LP_MUST(topology->distance[i][k] >= 10 && topology->distance[i][k] <= 254);
        for (int cpu = 0; cpu < LP_MAX_CPUS; cpu++) {
            if (!lp_cpumask_has(&node->cpus, (unsigned)cpu))
                continue;
            /* Each processor is in one node. */
            LP_MUST(!lp_cpumask_has(&all, (unsigned)cpu));
            lp_cpumask_add(&all, (unsigned)cpu);
        }
    }
    LP_MUST(lp_topology_far(topology) >= 10);
    (void)lp_topology_memory(topology);
}

static bool
is_whole(const uint8_t *data, size_t size)
{
    xmlDoc *doc = xmlReadMemory((const char *)data, (int)size, NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

    if (doc != NULL)
        xmlFreeDoc(doc);
    return doc != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static LpTopology topology;
    char message[200] = "";
    char *text = NULL;
    bool ok;

    if (size > 0 && data[0] == '<') {
        if (!is_whole(data, size))
            return 0;
        ok = lp_topology_read(lp_fuzz_file(data, size), &topology, message, sizeof message);
    } else {
        text = lp_fuzz_text(data, size);
        /* What is there is a file, and not ours. */
        if (access(text, F_OK) == 0) {
            free(text);
            return 0;
        }
        ok = lp_topology_read(text, &topology, message, sizeof message);
    }
    if (ok)
        check_taken(&topology);
    else
        LP_MUST(message[0] != '\0');
    free(text);
    return 0;
}
