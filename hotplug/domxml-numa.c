/* Where a domain's XML has its memory and its vCPUs: the binding of cells to host nodes, and pins. */
#include "hotplug/domxml-priv.h"

#include <string.h>

#include "numa/rule.h"

/* --- reading --- */

static bool
is_restrictive(const xmlNode *numatune)
{
    for (xmlNode *node = lp_xml_child(numatune, NULL); node; node = lp_xml_next(node, NULL)) {
        if (lp_xml_attr_is(node, "mode", "restrictive"))
            return true;
    }
    return false;
}

static LpNumatune
kind_of(const xmlNode *numatune)
{
    if (!lp_xml_child(numatune, NULL))
        return LP_NUMATUNE_NONE;
    if (is_restrictive(numatune))
        return LP_NUMATUNE_RESTRICTIVE;
    /* A <memory> for the whole domain is somebody's decision even where it says `preferred`. */
    for (xmlNode *node = lp_xml_child(numatune, NULL); node; node = lp_xml_next(node, NULL)) {
        uint64_t number;

        if (!lp_xml_is(node, "memnode") || !lp_xml_attr_is(node, "mode", "preferred") ||
            !lp_xml_attr_number(node, "nodeset", LP_NODE_ID_MAX, &number))
            return LP_NUMATUNE_OTHER;
    }
    return LP_NUMATUNE_CELLS;
}

/* Which host node each cell's memory comes from, where that is one node. */
static void
read_nodes(const xmlNode *numatune, LpView *view)
{
    g_autofree char *all = lp_xml_attr(lp_xml_child(numatune, "memory"), "nodeset");
    uint64_t node, cell;

    for (uint32_t i = 0; i < LP_MAX_CELLS; i++)
        view->cells[i].node = lp_xml_parse_number(all, LP_NODE_ID_MAX, &node) ? (int32_t)node : -1;
    for (xmlNode *bound = lp_xml_child(numatune, "memnode"); bound;
         bound = lp_xml_next(bound, "memnode")) {
        if (lp_xml_attr_number(bound, "cellid", LP_MAX_CELLS - 1, &cell))
            view->cells[cell].node =
                lp_xml_attr_number(bound, "nodeset", LP_NODE_ID_MAX, &node) ? (int32_t)node : -1;
    }
    for (uint32_t i = 0; i < LP_MAX_CELLS; i++)
        view->cells[i].home = view->cells[i].node;
}

void
lp_domxml_read_numa(xmlNode *domain, LpView *view)
{
    xmlNode *numatune = lp_xml_child(domain, "numatune");
    xmlNode *vcpu = lp_xml_child(domain, "vcpu");

    view->numatune = kind_of(numatune);
    read_nodes(numatune, view);
    /* A cpuset pins each vCPU that has no pin of its own; `auto` has numad choose one. */
    view->has_pins = lp_xml_child(lp_xml_child(domain, "cputune"), "vcpupin") ||
                     xmlHasProp(vcpu, (const xmlChar *)"cpuset") ||
                     lp_xml_attr_is(vcpu, "placement", "auto");
}

/* --- memory backends --- */

static uint32_t
add_cell_backends(xmlNode *domain, LpBackend *backends, uint32_t max)
{
    xmlNode *numa = lp_xml_at(domain, "cpu", "numa", NULL);
    uint32_t n = 0;

    for (xmlNode *cell = lp_xml_child(numa, "cell"); cell && n < max;
         cell = lp_xml_next(cell, "cell"), n++) {
        uint64_t id = n;

        lp_xml_attr_number(cell, "id", LP_MAX_CELLS - 1, &id);
        backends[n] = (LpBackend) { .cell = (uint32_t)id };
        lp_xml_attr_bytes(cell, "memory", &backends[n].bytes, NULL);
    }
    return n;
}

int
lp_domxml_backends(const char *xml, LpBackend *ret_backends, uint32_t max, GError **error)
{
    g_autoptr(xmlDoc) doc = lp_xml_parse_domain(xml, error);
    xmlNode *domain, *devices;
    uint32_t n;

    if (!doc)
        return -1;
    domain = xmlDocGetRootElement(doc);
    devices = lp_xml_child(domain, "devices");
    n = add_cell_backends(domain, ret_backends, max);
    for (xmlNode *device = lp_xml_child(devices, "memory"); device && n < max;
         device = lp_xml_next(device, "memory")) {
        xmlNode *target = lp_xml_child(device, "target");
        g_autofree char *text = lp_xml_content(lp_xml_child(target, "node"));
        uint64_t cell = 0;

        /* The others are files or enclaves. */
        if (!lp_xml_attr_is(device, "model", "dimm") &&
            !lp_xml_attr_is(device, "model", "virtio-mem"))
            continue;
        lp_xml_parse_number(text, LP_MAX_CELLS - 1, &cell);
        ret_backends[n] = (LpBackend) { .cell = (uint32_t)cell };
        if (!lp_xml_bytes(lp_xml_child(target, "size"), &ret_backends[n].bytes, error))
            return -1;
        n++;
    }
    return (int)n;
}

/* --- binding cells --- */

static xmlNode *
memnode_of(const xmlNode *numatune, uint32_t cell)
{
    uint64_t id;

    for (xmlNode *node = lp_xml_child(numatune, "memnode"); node;
         node = lp_xml_next(node, "memnode")) {
        if (lp_xml_attr_number(node, "cellid", LP_MAX_CELLS - 1, &id) && id == cell)
            return node;
    }
    return NULL;
}

/* A restrictive domain is held to the nodes of all its cells together. */
static bool
set_nodeset(xmlNode *numatune, const int32_t *node, uint32_t n_cells, GError **error)
{
    xmlNode *memory = lp_xml_child(numatune, "memory");
    char text[LP_CPUMASK_TEXT];
    LpCpuMask nodes;

    if (!memory || lp_xml_child(numatune, "memnode")) {
        g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                            "the domain's numatune is restrictive cell by cell, which lpard does "
                            "not change; edit it by 'virsh edit'");
        return false;
    }
    lp_cpumask_clear(&nodes);
    for (uint32_t cell = 0; cell < n_cells; cell++) {
        if (node[cell] >= 0)
            lp_cpumask_add(&nodes, (unsigned)node[cell]);
    }
    if (lp_cpumask_count(&nodes) > 0)
        lp_xml_set_attr(memory, "nodeset", lp_cpumask_format(&nodes, text, sizeof text));
    return true;
}

bool
lp_domxml_set_nodes(xmlNode *domain, const int32_t *node, uint32_t n_cells, GError **error)
{
    xmlNode *numatune = lp_xml_child(domain, "numatune");

    switch (kind_of(numatune)) {
    case LP_NUMATUNE_RESTRICTIVE:
        return set_nodeset(numatune, node, n_cells, error);
    case LP_NUMATUNE_OTHER:
        g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                            "the domain's numatune was written by somebody else and is not lpard's "
                            "to change; remove it by 'virsh edit' to have lpard place the domain");
        return false;
    default:
        break;
    }
    for (uint32_t cell = 0; cell < n_cells; cell++) {
        xmlNode *bound = memnode_of(numatune, cell);

        if (node[cell] < 0) {
            lp_xml_remove(bound);
            continue;
        }
        if (!bound) {
            numatune = lp_xml_ensure_near(domain, "numatune",
                                          lp_xml_child(domain, "cputune") ? "cputune"
                                          : lp_xml_child(domain, "vcpus") ? "vcpus" : "vcpu");
            bound = lp_xml_add(numatune, "memnode");
        }
        lp_xml_set_attr_number(bound, "cellid", cell);
        lp_xml_set_attr(bound, "mode", "preferred");
        lp_xml_set_attr_number(bound, "nodeset", (uint64_t)node[cell]);
    }
    if (numatune && !lp_xml_child(numatune, NULL))
        lp_xml_remove(numatune);
    return true;
}

/* --- pins --- */

static xmlNode *
pin_of(const xmlNode *tune, uint32_t vcpu)
{
    uint64_t id;

    for (xmlNode *pin = lp_xml_child(tune, "vcpupin"); pin; pin = lp_xml_next(pin, "vcpupin")) {
        if (lp_xml_attr_number(pin, "vcpu", LP_MAX_CPUS - 1, &id) && id == vcpu)
            return pin;
    }
    return NULL;
}

static void
set_cpuset(xmlNode *pin, const LpCpuMask *cpus)
{
    char text[LP_CPUMASK_TEXT];
    g_autofree char *before = lp_xml_attr(pin, "cpuset");
    LpCpuMask now;

    /* "2,3" and "2-3" are the same, and stay as they are written. */
    if (before && lp_cpumask_parse(before, &now) && lp_cpumask_equal(&now, cpus))
        return;
    lp_xml_set_attr(pin, "cpuset", lp_cpumask_format(cpus, text, sizeof text));
}

void
lp_domxml_set_pins(xmlNode *domain, const LpPins *pins, uint32_t n_vcpus)
{
    xmlNode *tune = NULL;

    for (uint32_t id = 0; id < MIN(n_vcpus, pins->n_vcpus); id++) {
        xmlNode *pin;

        if (lp_cpumask_count(&pins->vcpus[id]) == 0)
            continue;
        tune = lp_xml_ensure_near(domain, "cputune",
                                  lp_xml_child(domain, "vcpus") ? "vcpus" : "vcpu");
        pin = pin_of(tune, id);
        if (!pin) {
            pin = lp_xml_add(tune, "vcpupin");
            lp_xml_set_attr_number(pin, "vcpu", id);
        }
        set_cpuset(pin, &pins->vcpus[id]);
    }
    if (lp_cpumask_count(&pins->emulator) > 0) {
        tune = lp_xml_ensure_near(domain, "cputune",
                                  lp_xml_child(domain, "vcpus") ? "vcpus" : "vcpu");
        set_cpuset(lp_xml_ensure(tune, "emulatorpin"), &pins->emulator);
    }
}
