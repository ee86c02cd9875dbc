/* The vCPUs and guest cells that `enable` writes. */
#include "hotplug/domxml-priv.h"

#include <string.h>

static xmlNode *
vcpu_with_id(xmlNode *list, uint32_t wanted)
{
    uint64_t id;

    for (xmlNode *vcpu = lp_xml_child(list, "vcpu"); vcpu; vcpu = lp_xml_next(vcpu, "vcpu")) {
        if (lp_xml_attr_number(vcpu, "id", LP_MAX_CPUS, &id) && id == wanted)
            return vcpu;
    }
    return NULL;
}

static void
drop_vcpus_from(xmlNode *list, uint32_t max)
{
    xmlNode *next;
    uint64_t id;

    for (xmlNode *vcpu = lp_xml_child(list, "vcpu"); vcpu; vcpu = next) {
        next = lp_xml_next(vcpu, "vcpu");
        lp_xml_unset_attr(vcpu, "order");
        if (!lp_xml_attr_number(vcpu, "id", LP_MAX_CPUS, &id) || id >= max)
            lp_xml_remove(vcpu);
    }
}

/* A vCPU that is there from the start can leave later only if it is marked so; vCPU 0 never
 * can. */
static void
enable_vcpus(xmlNode *domain, const LpShape *shape)
{
    xmlNode *count = lp_xml_ensure_near(domain, "vcpu", "currentMemory");
    xmlNode *list = lp_xml_ensure_near(domain, "vcpus", "vcpu");

    lp_xml_set_number(count, shape->vcpus_max);
    if (shape->vcpus == shape->vcpus_max)
        lp_xml_unset_attr(count, "current");
    else
        lp_xml_set_attr_number(count, "current", shape->vcpus);
    drop_vcpus_from(list, shape->vcpus_max);
    for (uint32_t id = 0; id < shape->vcpus_max; id++) {
        xmlNode *vcpu = vcpu_with_id(list, id);

        if (!vcpu)
            vcpu = lp_xml_add(list, "vcpu");
        lp_xml_set_attr_number(vcpu, "id", id);
        lp_xml_set_attr(vcpu, "enabled", id < shape->vcpus ? "yes" : "no");
        lp_xml_set_attr(vcpu, "hotpluggable", id > 0 ? "yes" : "no");
    }
}

/* libvirt refuses a topology that does not multiply to the number of vCPUs. */
static void
check_topology(xmlNode *cpu, uint32_t vcpus_max)
{
    static const char *const levels[] = { "sockets", "dies", "clusters", "cores", "threads" };
    xmlNode *topology = lp_xml_child(cpu, "topology");
    uint64_t product = 1, count;

    if (!topology)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(levels); i++) {
        if (lp_xml_attr_number(topology, levels[i], LP_MAX_CPUS, &count))
            product *= count;
    }
    if (product != vcpus_max)
        lp_xml_remove(topology);
}

static xmlNode *
ensure_cpu(xmlNode *domain)
{
    xmlNode *cpu = lp_xml_child(domain, "cpu");

    if (cpu)
        return cpu;
    cpu = lp_xml_ensure_near(domain, "cpu", "features");
    if (lp_xml_attr_is(domain, "type", "qemu"))
        lp_xml_set_attr(cpu, "mode", "maximum");
    else if (lp_xml_attr_is(domain, "type", "kvm"))
        lp_xml_set_attr(cpu, "mode", "host-passthrough");
    return cpu;
}

/* Ids of one cell are one range, as alike in size as they can be: 0-1, 2-3. */
static void
set_cell_cpus(xmlNode *cell, uint32_t id, const LpShape *shape)
{
    uint32_t first = (uint32_t)((uint64_t)id * shape->vcpus_max / shape->n_cells);
    uint32_t end = (uint32_t)((uint64_t)(id + 1) * shape->vcpus_max / shape->n_cells);
    g_autofree char *text = end - first == 1 ? g_strdup_printf("%u", first)
                                             : g_strdup_printf("%u-%u", first, end - 1);

    lp_xml_set_attr(cell, "cpus", text);
}

static void
enable_numa(xmlNode *cpu, const LpShape *shape)
{
    xmlNode *numa = lp_xml_ensure(cpu, "numa");
    xmlNode *cell, *next;
    uint32_t id = 0;
    bool same = true;

    for (cell = lp_xml_child(numa, "cell"); cell; cell = next, id++) {
        next = lp_xml_next(cell, "cell");
        if (id >= shape->n_cells) {
            lp_xml_remove(cell);
            same = false;
        }
    }
    same = same && id == shape->n_cells;
    for (id = 0, cell = lp_xml_child(numa, "cell"); id < shape->n_cells; id++) {
        next = cell ? lp_xml_next(cell, "cell") : NULL;
        if (!cell)
            cell = lp_xml_add(numa, "cell");
        lp_xml_set_attr_number(cell, "id", id);
        set_cell_cpus(cell, id, shape);
        lp_xml_set_attr_bytes(cell, "memory", shape->base_bytes[id]);
        if (!same)
            lp_xml_remove_children(cell, "distances");    /* they name cells that are gone */
        cell = next;
    }
    if (!same)
        lp_xml_remove_children(numa, "interconnects");
}

static bool
is_restrictive(const xmlNode *numatune)
{
    for (xmlNode *node = lp_xml_child(numatune, NULL); node; node = lp_xml_next(node, NULL)) {
        if (lp_xml_attr_is(node, "mode", "restrictive"))
            return true;
    }
    return false;
}

static void
drop_memnodes_beyond(xmlNode *numatune, const LpShape *shape)
{
    xmlNode *next;
    uint64_t id;

    for (xmlNode *node = lp_xml_child(numatune, "memnode"); node; node = next) {
        next = lp_xml_next(node, "memnode");
        if (!lp_xml_attr_number(node, "cellid", LP_MAX_CELLS - 1, &id) || id >= shape->n_cells ||
            shape->node[id] < 0)
            lp_xml_remove(node);
    }
}

static xmlNode *
memnode_of(xmlNode *numatune, uint32_t cell)
{
    uint64_t id;

    for (xmlNode *node = lp_xml_child(numatune, "memnode"); node;
         node = lp_xml_next(node, "memnode")) {
        if (lp_xml_attr_number(node, "cellid", LP_MAX_CELLS - 1, &id) && id == cell)
            return node;
    }
    return NULL;
}

/* For the domain as a whole, so that its memory devices and the hypervisor's own memory lie over the
 * nodes alike; a memnode would take its cell out of that. */
static void
enable_interleave(xmlNode *domain, const char *nodes)
{
    xmlNode *numatune = lp_xml_ensure_near(domain, "numatune",
                                           lp_xml_child(domain, "cputune") ? "cputune" : "vcpus");
    xmlNode *memory = lp_xml_ensure(numatune, "memory");

    lp_xml_remove_children(numatune, "memnode");
    lp_xml_unset_attr(memory, "placement");
    lp_xml_set_attr(memory, "mode", "interleave");
    lp_xml_set_attr(memory, "nodeset", nodes);
}

/* `preferred` takes a page elsewhere rather than fail when the node is full, and the cell's
 * virtio-mem device inherits it.  A <memory> of the whole domain would override or contradict
 * it. */
static void
enable_numatune(xmlNode *domain, const LpShape *shape)
{
    xmlNode *numatune = lp_xml_child(domain, "numatune");
    bool bound = false;

    if (is_restrictive(numatune))
        return;
    if (shape->interleave) {
        enable_interleave(domain, shape->interleave);
        return;
    }
    for (uint32_t cell = 0; cell < shape->n_cells; cell++)
        bound = bound || shape->node[cell] >= 0;
    if (numatune)
        drop_memnodes_beyond(numatune, shape);
    if (bound) {
        numatune = lp_xml_ensure_near(domain, "numatune",
                                      lp_xml_child(domain, "cputune") ? "cputune" : "vcpus");
        lp_xml_remove_children(numatune, "memory");
    }
    for (uint32_t cell = 0; cell < shape->n_cells; cell++) {
        xmlNode *node;

        if (shape->node[cell] < 0)
            continue;
        node = memnode_of(numatune, cell);
        if (!node)
            node = lp_xml_add(numatune, "memnode");
        lp_xml_set_attr_number(node, "cellid", cell);
        lp_xml_set_attr(node, "mode", "preferred");
        lp_xml_set_attr_number(node, "nodeset", (uint64_t)shape->node[cell]);
    }
    if (numatune && !lp_xml_child(numatune, NULL))
        lp_xml_remove(numatune);
}

/* Those of vCPUs that are no more would keep the domain from starting. */
static void
enable_pins(xmlNode *domain, const LpShape *shape)
{
    xmlNode *tune = lp_xml_child(domain, "cputune"), *next;
    uint64_t id;

    for (xmlNode *pin = lp_xml_child(tune, "vcpupin"); pin; pin = next) {
        next = lp_xml_next(pin, "vcpupin");
        if (!lp_xml_attr_number(pin, "vcpu", LP_MAX_CPUS, &id) || id >= shape->vcpus_max)
            lp_xml_remove(pin);
    }
    if (shape->pins)
        lp_domxml_set_pins(domain, shape->pins, shape->vcpus_max);
}

void
lp_domxml_enable_cells(xmlNode *domain, const LpShape *shape)
{
    xmlNode *cpu = ensure_cpu(domain);

    enable_vcpus(domain, shape);
    check_topology(cpu, shape->vcpus_max);
    enable_numa(cpu, shape);
    if (shape->keep_numa)
        return;
    enable_numatune(domain, shape);
    enable_pins(domain, shape);
}
