/* Reading a domain's XML into a view. */
#include "hotplug/domxml-priv.h"

#include <string.h>

/* Attributes that hold a number have no reason to be above this (PCI buses, counts). */
#define SMALL_MAX 65535
/* QEMU's own, where the XML states none, as libvirt's always does: shares are counted in blocks. */
#define DEFAULT_BLOCK_BYTES (UINT64_C(2) << 20)

static bool
invalid(GError **error, const xmlNode *node, const char *what)
{
    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                "the domain's XML, line %ld: <%s>: %s", xmlGetLineNo(node),
                (const char *)node->name, what);
    return false;
}

static void
copy_alias(const xmlNode *device, char *ret_alias, size_t size)
{
    g_autofree char *name = lp_xml_attr(lp_xml_child(device, "alias"), "name");

    g_strlcpy(ret_alias, name ? name : "", size);
}

xmlNode *
lp_domxml_metadata_node(xmlNode *domain)
{
    xmlNode *node = lp_xml_at(domain, "metadata", NULL);

    for (node = node ? node->children : NULL; node; node = node->next) {
        if (node->type == XML_ELEMENT_NODE && node->ns &&
            xmlStrEqual(node->ns->href, (const xmlChar *)LP_METADATA_URI))
            return node;
    }
    return NULL;
}

bool
lp_domxml_is_pcie(xmlNode *domain)
{
    g_autofree char *machine = lp_xml_attr(lp_xml_at(domain, "os", "type", NULL), "machine");

    return machine && (g_str_has_prefix(machine, "q35") || strstr(machine, "-q35-"));
}

static void
read_identity(xmlNode *domain, LpView *view)
{
    xmlNode *metadata = lp_domxml_metadata_node(domain);

    view->name = lp_xml_content(lp_xml_child(domain, "name"));
    view->uuid = lp_xml_content(lp_xml_child(domain, "uuid"));
    if (metadata)
        view->metadata = lp_xml_node_to_text(metadata);
    if (lp_xml_attr_is(domain, "type", "qemu"))
        view->accel = LP_ACCEL_TCG;
    else if (lp_xml_attr_is(domain, "type", "test"))
        view->accel = LP_ACCEL_TEST;
    else
        view->accel = LP_ACCEL_KVM;    /* and other hypervisors that use the hardware */
}

static bool
read_vcpus(xmlNode *domain, LpView *view, GError **error)
{
    xmlNode *count = lp_xml_child(domain, "vcpu");
    xmlNode *list = lp_xml_child(domain, "vcpus");
    g_autofree char *text = lp_xml_content(count);
    LpCpuMask seen = {0};
    uint64_t max = 1, current;

    if (count && (!lp_xml_parse_number(text, LP_MAX_CPUS, &max) || max == 0))
        return invalid(error, count, "not a number of vCPUs that lpard can handle (1 to 1024)");
    view->vcpu_max = (uint32_t)max;
    if (!list) {
        if (!lp_xml_attr_number(count, "current", max, &current))
            current = max;
        lp_cpumask_first_n(&view->plugged, (unsigned)current);
        return true;
    }
    for (xmlNode *vcpu = lp_xml_child(list, "vcpu"); vcpu; vcpu = lp_xml_next(vcpu, "vcpu")) {
        uint64_t id;

        if (!lp_xml_attr_number(vcpu, "id", max - 1, &id))
            return invalid(error, vcpu, "its id is not that of a vCPU of the domain");
        if (lp_cpumask_has(&seen, (unsigned)id))
            return invalid(error, vcpu, "its id is another's already");
        lp_cpumask_add(&seen, (unsigned)id);
        if (!lp_xml_attr_is(vcpu, "enabled", "yes"))
            continue;
        lp_cpumask_add(&view->plugged, (unsigned)id);
        if (lp_xml_attr_is(vcpu, "hotpluggable", "yes"))
            lp_cpumask_add(&view->hotpluggable, (unsigned)id);
    }
    return true;
}

static bool
read_cells(xmlNode *domain, LpView *view, GError **error)
{
    xmlNode *numa = lp_xml_at(domain, "cpu", "numa", NULL);
    uint64_t seen = 0;
    uint32_t position = 0;

    for (xmlNode *node = lp_xml_child(numa, "cell"); node; node = lp_xml_next(node, "cell")) {
        g_autofree char *cpus = lp_xml_attr(node, "cpus");
        uint64_t id = position++;
        LpViewCell *cell;

        if (xmlHasProp(node, (const xmlChar *)"id") &&
            !lp_xml_attr_number(node, "id", LP_MAX_CELLS - 1, &id))
            return invalid(error, node, "lpard handles cells 0 to 63");
        if (id >= LP_MAX_CELLS)
            return invalid(error, node, "lpard handles 64 cells at most");
        /* The memory of one of them would be counted nowhere. */
        if (seen & UINT64_C(1) << id)
            return invalid(error, node, "its id is another's already");
        seen |= UINT64_C(1) << id;
        cell = &view->cells[id];
        if (!lp_xml_attr_bytes(node, "memory", &cell->base_bytes, error))
            return false;
        if (cpus && !lp_cpumask_parse(cpus, &cell->vcpus))
            return invalid(error, node, "its cpus are no list of vCPUs");
        view->n_cells = MAX(view->n_cells, (uint32_t)id + 1);
    }
    return true;
}

static bool
read_virtio_mem(xmlNode *device, LpView *view, uint64_t bytes, uint32_t id, GError **error)
{
    xmlNode *target = lp_xml_child(device, "target");
    LpViewCell *cell = &view->cells[id];

    if (cell->has_device) {
        /* Only the first device of a cell is resized; another is counted at all it can hold. */
        cell->base_bytes += bytes;
        return true;
    }
    cell->has_device = true;
    cell->device_bytes = bytes;
    copy_alias(device, cell->alias, sizeof cell->alias);
    if (!lp_xml_bytes(lp_xml_child(target, "block"), &cell->block_bytes, error))
        return false;
    if (cell->block_bytes == 0)
        cell->block_bytes = DEFAULT_BLOCK_BYTES;
    return lp_xml_bytes(lp_xml_child(target, "requested"), &cell->requested_bytes, error) &&
           lp_xml_bytes(lp_xml_child(target, "current"), &cell->current_bytes, error);
}

static bool
read_memory_device(xmlNode *device, LpView *view, uint64_t *total, GError **error)
{
    xmlNode *target = lp_xml_child(device, "target");
    uint64_t bytes, cell = 0;

    if (!lp_xml_bytes(lp_xml_child(target, "size"), &bytes, error))
        return false;
    if (bytes > UINT64_MAX / 2 - *total)
        return invalid(error, device, "too big");
    *total += bytes;
    view->slots_used++;
    if (lp_xml_child(target, "node")) {
        g_autofree char *text = lp_xml_content(lp_xml_child(target, "node"));

        if (!lp_xml_parse_number(text, LP_MAX_CELLS - 1, &cell))
            return invalid(error, device, "its target node is no cell that lpard can handle");
    }
    if (lp_xml_attr_is(device, "model", "virtio-mem"))
        return read_virtio_mem(device, view, bytes, (uint32_t)cell, error);
    if (lp_xml_attr_is(device, "model", "dimm")) {
        LpViewDimm *dimm;

        if (view->n_dimms == LP_MAX_DIMMS)
            return invalid(error, device, "lpard handles 256 DIMMs at most");
        dimm = &view->dimms[view->n_dimms++];
        copy_alias(device, dimm->alias, sizeof dimm->alias);
        dimm->cell = (uint32_t)cell;
        dimm->bytes = bytes;
    }
    return true;    /* NVDIMM, virtio-pmem and SGX are storage or enclaves, not memory */
}

/* Balloon sizes are kept as what was taken from the guest.  libvirt's currentMemory is what the
 * balloon leaves of boot memory and DIMMs, plus what virtio-mem has plugged; on a domain that is
 * off there is no plugged part, and more than all is the same as all. */
static void
read_balloon(xmlNode *domain, LpView *view, uint64_t current)
{
    xmlNode *balloon = lp_xml_at(domain, "devices", "memballoon", NULL);
    uint64_t whole = view->base_bytes, plugged = 0, period = 0;

    view->has_balloon = balloon && !lp_xml_attr_is(balloon, "model", "none");
    lp_xml_attr_number(lp_xml_child(balloon, "stats"), "period", UINT32_MAX, &period);
    view->stats_period_sec = (uint32_t)period;
    for (uint32_t i = 0; i < view->n_dimms; i++)
        whole += view->dimms[i].bytes;
    for (uint32_t i = 0; i < view->n_cells; i++)
        plugged += view->cells[i].current_bytes;
    current = current > plugged ? current - plugged : 0;
    view->balloon_bytes = view->has_balloon && current > 0 && current < whole ? whole - current
                                                                              : 0;
}

static bool
read_memory(xmlNode *domain, LpView *view, GError **error)
{
    xmlNode *devices = lp_xml_child(domain, "devices");
    xmlNode *max = lp_xml_child(domain, "maxMemory");
    uint64_t total, current, in_devices = 0, slots = 0;

    if (!lp_xml_bytes(lp_xml_child(domain, "memory"), &total, error) ||
        !lp_xml_bytes(lp_xml_child(domain, "currentMemory"), &current, error) ||
        !lp_xml_bytes(max, &view->max_memory_bytes, error))
        return false;
    lp_xml_attr_number(max, "slots", SMALL_MAX, &slots);
    view->slots = (uint32_t)slots;
    for (xmlNode *device = lp_xml_child(devices, "memory"); device;
         device = lp_xml_next(device, "memory")) {
        if (!read_memory_device(device, view, &in_devices, error))
            return false;
    }
    for (uint32_t i = 0; i < view->n_cells; i++)
        view->base_bytes += view->cells[i].base_bytes;
    if (view->base_bytes == 0)
        view->base_bytes = total > in_devices ? total - in_devices : 0;
    for (uint32_t i = 0; i < view->n_cells; i++)
        view->requested_config_bytes += view->cells[i].requested_bytes;
    view->base_config_bytes = view->base_bytes;
    read_balloon(domain, view, current);
    return true;
}

static bool
read_cputune(xmlNode *domain, LpView *view, GError **error)
{
    xmlNode *tune = lp_xml_child(domain, "cputune");
    xmlNode *node;
    g_autofree char *shares = lp_xml_content(lp_xml_child(tune, "shares"));
    g_autofree char *period = lp_xml_content(lp_xml_child(tune, "global_period"));
    g_autofree char *quota = lp_xml_content(node = lp_xml_child(tune, "global_quota"));
    gint64 value;

    view->global_quota_usec = -1;
    if (shares)
        lp_xml_parse_number(shares, UINT64_MAX, &view->cpu_shares);
    if (period)
        lp_xml_parse_number(period, UINT64_MAX, &view->global_period_usec);
    if (!quota)
        return true;
    if (!g_ascii_string_to_signed(quota, 10, -1, G_MAXINT64, &value, NULL))
        return invalid(error, node, "not a number of microseconds");
    view->global_quota_usec = value;
    return true;
}

static bool
read_memtune(xmlNode *domain, LpView *view, GError **error)
{
    xmlNode *limit = lp_xml_child(lp_xml_child(domain, "memtune"), "hard_limit");

    return lp_xml_bytes(limit, &view->memory_limit_bytes, error);
}

static void
read_resource(xmlNode *domain, LpView *view)
{
    g_autofree char *text = lp_xml_content(lp_xml_at(domain, "resource", "partition", NULL));

    g_strlcpy(view->resource, text ? text : "", sizeof view->resource);
}

static void
read_channels(xmlNode *domain, LpView *view)
{
    xmlNode *devices = lp_xml_child(domain, "devices");

    for (xmlNode *node = lp_xml_child(devices, "channel"); node;
         node = lp_xml_next(node, "channel")) {
        xmlNode *target = lp_xml_child(node, "target");

        if (lp_xml_attr_is(target, "name", LP_QGA_CHANNEL_NAME)) {
            view->has_qga = true;
            view->qga_connected = lp_xml_attr_is(target, "state", "connected");
        }
        if (!lp_xml_attr_is(target, "name", LP_CHANNEL_NAME) || view->has_channel)
            continue;
        view->has_channel = true;
        if (lp_xml_attr_is(node, "type", "unix"))
            view->channel_path = lp_xml_attr(lp_xml_child(node, "source"), "path");
    }
}

/* Memory that the kernel may not take away or move, so that shrinking or moving it fails. */
static bool
is_locked(xmlNode *domain)
{
    xmlNode *backing = lp_xml_child(domain, "memoryBacking");
    xmlNode *devices = lp_xml_child(domain, "devices");

    if (lp_xml_child(backing, "locked") || lp_xml_child(backing, "hugepages"))
        return true;
    for (xmlNode *node = lp_xml_child(devices, "hostdev"); node;
         node = lp_xml_next(node, "hostdev")) {
        if (lp_xml_attr_is(node, "type", "pci") || lp_xml_attr_is(node, "type", "mdev"))
            return true;
    }
    return false;
}

bool
lp_domxml_read(const char *xml, LpView *view, GError **error)
{
    g_autoptr(xmlDoc) doc = lp_xml_parse_domain(xml, error);
    xmlNode *domain;

    if (!doc)
        return false;
    domain = xmlDocGetRootElement(doc);
    read_identity(domain, view);
    if (!read_vcpus(domain, view, error) || !read_cells(domain, view, error))
        return false;
    lp_domxml_read_numa(domain, view);
    if (!read_memory(domain, view, error) || !read_memtune(domain, view, error) ||
        !read_cputune(domain, view, error))
        return false;
    read_resource(domain, view);
    read_channels(domain, view);
    view->memory_locked = is_locked(domain);
    view->free_pci_ports = lp_domxml_free_ports(domain);
    view->plugged_config = view->plugged;
    return true;
}
