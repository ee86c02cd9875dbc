/* Changes to a domain's XML after `enable`: what the next start should be like, one device's
 * request, and lpard's element in the metadata. */
#include "hotplug/domxml-priv.h"

#include <string.h>

#include "numa/place.h"

xmlNode *
lp_domxml_device_node(xmlNode *domain, uint32_t cell)
{
    xmlNode *devices = lp_xml_child(domain, "devices");

    for (xmlNode *node = lp_xml_child(devices, "memory"); node;
         node = lp_xml_next(node, "memory")) {
        g_autofree char *text = lp_xml_content(lp_xml_at(node, "target", "node", NULL));
        uint64_t id;

        if (lp_xml_attr_is(node, "model", "virtio-mem") &&
            lp_xml_parse_number(text, LP_MAX_CELLS - 1, &id) && id == cell)
            return node;
    }
    return NULL;
}

bool
lp_domxml_device_request(xmlNode *device, uint32_t cell, uint64_t bytes, GError **error)
{
    xmlNode *target = lp_xml_child(device, "target");
    uint64_t size, block;

    if (!lp_xml_bytes(lp_xml_child(target, "size"), &size, error) ||
        !lp_xml_bytes(lp_xml_child(target, "block"), &block, error))
        return false;
    if (bytes > size || (block > 0 && bytes % block != 0)) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "%" G_GUINT64_FORMAT " bytes cannot be asked of the virtio-mem device of cell "
                    "%u: it holds %" G_GUINT64_FORMAT " bytes in blocks of %" G_GUINT64_FORMAT,
                    bytes, cell, size, block);
        return false;
    }
    lp_xml_set_bytes(lp_xml_ensure(target, "requested"), bytes);
    return true;
}

char *
lp_domxml_device_requested(const char *xml, uint32_t cell, uint64_t bytes, GError **error)
{
    g_autoptr(xmlDoc) doc = lp_xml_parse_domain(xml, error);
    xmlNode *device;

    if (!doc)
        return NULL;
    device = lp_domxml_device_node(xmlDocGetRootElement(doc), cell);
    if (!device) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                    "the domain has no virtio-mem device for cell %u", cell);
        return NULL;
    }
    if (!lp_domxml_device_request(device, cell, bytes, error))
        return NULL;
    return lp_xml_node_to_text(device);
}

/* --- metadata --- */

static bool
is_ours(const xmlNs *ns)
{
    return ns && xmlStrEqual(ns->href, (const xmlChar *)LP_METADATA_URI);
}

static xmlDoc *
parse_metadata(const char *metadata, GError **error)
{
    g_autoptr(xmlDoc) doc = lp_xml_parse(metadata, "profile", error);
    xmlNode *root;

    if (!doc)
        return NULL;
    root = xmlDocGetRootElement(doc);
    if (root->ns && !is_ours(root->ns)) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "the profile's element is in the namespace %s, not in lpard's",
                    (const char *)root->ns->href);
        return NULL;
    }
    return g_steal_pointer(&doc);
}

/* Puts every element of the tree that is lpard's (or nobody's) into `ns`; attributes go without,
 * being their element's. */
static void
set_namespace(xmlNode *node, xmlNs *ns)
{
    if (!node->ns || is_ours(node->ns))
        node->ns = ns;
    for (xmlAttr *attr = node->properties; attr; attr = attr->next) {
        if (is_ours(attr->ns))
            attr->ns = NULL;
    }
    for (xmlNode *child = lp_xml_child(node, NULL); child; child = lp_xml_next(child, NULL))
        set_namespace(child, ns);
}

/* Declarations of lpard's namespace, whatever prefix they gave it. */
static void
drop_declarations(xmlNode *node)
{
    xmlNs **link = &node->nsDef;

    while (*link) {
        xmlNs *ns = *link;

        if (is_ours(ns)) {
            *link = ns->next;
            xmlFreeNs(ns);
        } else {
            link = &ns->next;
        }
    }
    for (xmlNode *child = lp_xml_child(node, NULL); child; child = lp_xml_next(child, NULL))
        drop_declarations(child);
}

char *
lp_domxml_metadata_bare(const char *metadata, GError **error)
{
    g_autoptr(xmlDoc) doc = parse_metadata(metadata, error);
    xmlNode *root;

    if (!doc)
        return NULL;
    root = xmlDocGetRootElement(doc);
    set_namespace(root, NULL);
    drop_declarations(root);
    return lp_xml_node_to_text(root);
}

bool
lp_domxml_metadata_replace(xmlNode *domain, const char *metadata, GError **error)
{
    xmlNode *old = lp_domxml_metadata_node(domain);
    xmlNode *parent, *node, *root;
    g_autoptr(xmlDoc) doc = NULL;
    g_autofree char *bare = NULL;
    xmlNs *ns;

    if (!metadata) {
        lp_xml_remove(old);
        return true;
    }
    bare = lp_domxml_metadata_bare(metadata, error);
    if (!bare)
        return false;
    doc = lp_xml_parse(bare, "profile", error);
    if (!doc)
        return false;
    root = xmlDocGetRootElement(doc);
    ns = xmlNewNs(root, (const xmlChar *)LP_METADATA_URI, (const xmlChar *)LP_METADATA_PREFIX);
    set_namespace(root, ns);
    if (old) {
        g_autofree char *before = lp_xml_node_to_text(old);
        g_autofree char *after = lp_xml_node_to_text(root);

        if (g_strcmp0(before, after) == 0)
            return true;    /* libvirt's layout of it may stay */
        lp_xml_remove(old);
    }
    parent = lp_xml_ensure_near(domain, "metadata", lp_xml_child(domain, "uuid") ? "uuid" : "name");
    node = lp_xml_add(parent, "placeholder");
    xmlReplaceNode(node, xmlDocCopyNode(root, domain->doc, 1));
    xmlFreeNode(node);
    return true;
}

/* --- the next start --- */

static void
set_enabled(xmlNode *vcpu, bool enabled)
{
    lp_xml_set_attr(vcpu, "enabled", enabled ? "yes" : "no");
    if (!enabled)
        lp_xml_set_attr(vcpu, "hotpluggable", "yes");    /* libvirt wants it of what is off */
}

/* Keeps those that are in: lowest ids join first, highest leave first, vCPU 0 never. */
static void
change_vcpu_list(xmlNode *list, uint32_t vcpus, uint32_t max)
{
    g_autofree xmlNode **by_id = g_new0(xmlNode *, max);
    uint32_t n_enabled = 0;
    uint64_t id;

    for (xmlNode *vcpu = lp_xml_child(list, "vcpu"); vcpu; vcpu = lp_xml_next(vcpu, "vcpu")) {
        if (!lp_xml_attr_number(vcpu, "id", max - 1, &id))
            continue;
        by_id[id] = vcpu;
        n_enabled += lp_xml_attr_is(vcpu, "enabled", "yes");
        /* An order must name all that are in or none, and none is needed. */
        lp_xml_unset_attr(vcpu, "order");
    }
    for (uint32_t i = 0; i < max && n_enabled < vcpus; i++) {
        if (by_id[i] && !lp_xml_attr_is(by_id[i], "enabled", "yes")) {
            set_enabled(by_id[i], true);
            n_enabled++;
        }
    }
    for (uint32_t i = max; i-- > 1 && n_enabled > vcpus;) {
        if (by_id[i] && lp_xml_attr_is(by_id[i], "enabled", "yes")) {
            set_enabled(by_id[i], false);
            n_enabled--;
        }
    }
}

static bool
change_vcpus(xmlNode *domain, uint32_t vcpus, GError **error)
{
    xmlNode *count = lp_xml_child(domain, "vcpu");
    xmlNode *list = lp_xml_child(domain, "vcpus");
    g_autofree char *text = lp_xml_content(count);
    uint64_t max;

    if (!lp_xml_parse_number(text, LP_MAX_CPUS, &max) || vcpus > max) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "the domain's definition has %s vCPUs at most, not %u", text ? text : "1",
                    vcpus);
        return false;
    }
    if (vcpus == max)
        lp_xml_unset_attr(count, "current");
    else
        lp_xml_set_attr_number(count, "current", vcpus);
    if (list)
        change_vcpu_list(list, vcpus, (uint32_t)max);
    return true;
}

static bool
write_requests(xmlNode *domain, const uint64_t *requested_bytes, GError **error)
{
    for (uint32_t cell = 0; cell < LP_MAX_CELLS; cell++) {
        xmlNode *device = lp_domxml_device_node(domain, cell);

        if (device) {
            if (!lp_domxml_device_request(device, cell, requested_bytes[cell], error))
                return false;
        } else if (requested_bytes[cell] > 0) {
            g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                        "the domain's definition has no virtio-mem device for cell %u", cell);
            return false;
        }
    }
    return true;
}

/* Whether these are requests of this very definition: each device can take its own, and with the
 * boot memory they come to the total. */
static bool
requests_fit(const LpView *view, const uint64_t *requested_bytes, uint64_t total_bytes)
{
    uint64_t sum = view->base_bytes;

    for (uint32_t i = 0; i < LP_MAX_CELLS; i++) {
        const LpViewCell *cell = &view->cells[i];
        uint64_t bytes = requested_bytes[i];

        if (bytes == 0)
            continue;
        if (i >= view->n_cells || !cell->has_device || bytes > cell->device_bytes ||
            (cell->block_bytes > 0 && bytes % cell->block_bytes != 0))
            return false;
        sum += bytes;
    }
    return sum == total_bytes;
}

/* By the vCPUs that it starts with: where the host will have room when it boots is not known.  What
 * its devices do not hold runs on DIMMs, which are not in the definition. */
static void
spread_requests(const LpView *view, uint32_t vcpus, uint64_t total_bytes, uint64_t *ret_requested)
{
    LpPlaceCell cells[LP_MAX_CELLS];
    uint64_t wanted = total_bytes > view->base_bytes ? total_bytes - view->base_bytes : 0;

    memset(cells, 0, sizeof cells);
    memset(ret_requested, 0, LP_MAX_CELLS * sizeof *ret_requested);
    for (uint32_t i = 0; i < view->n_cells; i++) {
        cells[i].node = view->cells[i].node;
        for (uint32_t c = 0; c < vcpus; c++)
            cells[i].vcpus += lp_cpumask_has(&view->cells[i].vcpus, c);
        cells[i].size_bytes = view->cells[i].base_bytes;
        cells[i].grow_bytes = view->cells[i].has_device ? view->cells[i].device_bytes : 0;
        cells[i].block_bytes = MAX(view->cells[i].block_bytes, LP_KIB);
    }
    if (view->n_cells > 0)
        lp_place_start(cells, view->n_cells, wanted, ret_requested);
}

static bool
change_memory(xmlNode *domain, const char *xml, const LpConfigChange *change, GError **error)
{
    g_autoptr(LpView) view = NULL;
    uint64_t spread[LP_MAX_CELLS];

    if (change->memory_bytes == 0)
        return write_requests(domain, change->requested_bytes, error);
    view = lp_view_new();
    if (!lp_domxml_read(xml, view, error))
        return false;
    if (requests_fit(view, change->requested_bytes, change->memory_bytes))
        return write_requests(domain, change->requested_bytes, error);
    spread_requests(view, change->vcpus ? change->vcpus : lp_cpumask_count(&view->plugged),
                    change->memory_bytes, spread);
    return write_requests(domain, spread, error);
}

void
lp_domxml_limits(xmlNode *domain, const LpCapacityLimits *limits)
{
    xmlNode *tune = lp_xml_ensure_near(domain, "cputune",
                                       lp_xml_child(domain, "vcpus") ? "vcpus" : "vcpu");

    if (limits->shares > 0)
        lp_xml_set_number(lp_xml_ensure(tune, "shares"), (int64_t)limits->shares);
    if (limits->global_period_usec > 0)
        lp_xml_set_number(lp_xml_ensure(tune, "global_period"),
                          (int64_t)limits->global_period_usec);
    if (limits->global_quota_usec >= 0)
        lp_xml_set_number(lp_xml_ensure(tune, "global_quota"), limits->global_quota_usec);
    else
        lp_xml_remove(lp_xml_child(tune, "global_quota"));
}

/* libvirt's schema has it after the processors' and the boot's elements, in any order. */
static void
change_resource(xmlNode *domain, const char *resource)
{
    xmlNode *node = lp_xml_child(domain, "resource");

    if (*resource) {
        node = lp_xml_ensure_near(domain, "resource",
                                  lp_xml_child(domain, "cputune") ? "cputune" : "vcpu");
        xmlNodeSetContent(lp_xml_ensure(node, "partition"), (const xmlChar *)resource);
        return;
    }
    /* A fibre channel's application id may be beside it. */
    lp_xml_remove(lp_xml_child(node, "partition"));
    if (node && !lp_xml_child(node, NULL))
        lp_xml_remove(node);
}

static bool
change_nodes(xmlNode *domain, const int32_t *node, GError **error)
{
    uint32_t n_cells = 0;

    for (xmlNode *cell = lp_xml_child(lp_xml_at(domain, "cpu", "numa", NULL), "cell");
         cell && n_cells < LP_MAX_CELLS; cell = lp_xml_next(cell, "cell"))
        n_cells++;
    return lp_domxml_set_nodes(domain, node, n_cells, error);
}

/* The definition may have fewer vCPUs than what runs: pins of others would keep it from
 * starting. */
static void
change_pins(xmlNode *domain, const LpPins *pins)
{
    g_autofree char *text = lp_xml_content(lp_xml_child(domain, "vcpu"));
    uint64_t max = 1;

    lp_xml_parse_number(text, LP_MAX_CPUS, &max);
    lp_domxml_set_pins(domain, pins, (uint32_t)max);
}

char *
lp_domxml_change(const char *xml, const LpConfigChange *change, GError **error)
{
    g_autoptr(xmlDoc) doc = lp_xml_parse_domain(xml, error);
    xmlNode *domain;

    if (!doc)
        return NULL;
    domain = xmlDocGetRootElement(doc);
    if (change->vcpus > 0 && !change_vcpus(domain, change->vcpus, error))
        return NULL;
    if (change->set_memory && !change_memory(domain, xml, change, error))
        return NULL;
    if (change->metadata && !lp_domxml_metadata_replace(domain, change->metadata, error))
        return NULL;
    if (change->limits)
        lp_domxml_limits(domain, change->limits);
    if (change->resource)
        change_resource(domain, change->resource);
    if (change->set_nodes && !change_nodes(domain, change->node, error))
        return NULL;
    if (change->pins)
        change_pins(domain, change->pins);
    return lp_xml_to_text(doc);
}
