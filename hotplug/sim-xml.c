/* The domain XML of simulated domains: made from FILE, and kept true while they run. */
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "hotplug/domxml.h"
#include "hotplug/sim-host.h"

/* What a small guest of a real host usually has free. */
#define SPARE_ROOT_PORTS 4

#define KIB(bytes) ((bytes) / 1024)
/* libxml2's BAD_CAST casts const away. */
#define XML(text) ((const xmlChar *) (text))

static void
build_vcpus(GString *xml, const LpSimSpec *spec)
{
    g_string_append_printf(xml, "  <vcpu placement='static' current='%u'>%u</vcpu>\n  <vcpus>\n",
                           spec->vcpus, spec->vcpus_max);
    for (uint32_t i = 0; i < spec->vcpus_max; i++)
        g_string_append_printf(xml, "    <vcpu id='%u' enabled='%s' hotpluggable='%s'/>\n", i,
                               i < spec->vcpus ? "yes" : "no", i == 0 ? "no" : "yes");
    g_string_append(xml, "  </vcpus>\n");
}

static void
build_numa(GString *xml, const LpSimSpec *spec)
{
    uint32_t first = 0;

    if (spec->n_cells == 0)
        return;
    lp_sim_xml_build_numatune(xml, spec);
    g_string_append(xml, "  <cpu mode='host-passthrough'>\n    <numa>\n");
    for (uint32_t i = 0; i < spec->n_cells; i++) {
        uint32_t end = spec->vcpus_max * (i + 1) / spec->n_cells;

        g_string_append_printf(xml, "      <cell id='%u'", i);
        if (end > first)
            g_string_append_printf(xml, " cpus='%u-%u'", first, end - 1);
        g_string_append_printf(xml, " memory='%" G_GUINT64_FORMAT "' unit='KiB'/>\n",
                               KIB(spec->cells[i].base_bytes));
        first = end;
    }
    g_string_append(xml, "    </numa>\n  </cpu>\n");
}

static void
build_devices(GString *xml, const LpSimSpec *spec)
{
    g_string_append(xml, "  <devices>\n");
    for (unsigned i = 1; i <= SPARE_ROOT_PORTS; i++)
        g_string_append_printf(xml, "    <controller type='pci' index='%u' "
                               "model='pcie-root-port'/>\n", i);
    g_string_append(xml, "    <memballoon model='virtio' autodeflate='off' "
                    "freePageReporting='on'/>\n");
    for (uint32_t i = 0; i < spec->n_cells; i++) {
        const LpSimSpecCell *cell = &spec->cells[i];

        if (cell->device_bytes == 0)
            continue;
        g_string_append_printf(
            xml, "    <memory model='virtio-mem'>\n      <target>\n"
            "        <size unit='KiB'>%" G_GUINT64_FORMAT "</size>\n        <node>%u</node>\n"
            "        <block unit='KiB'>%" G_GUINT64_FORMAT "</block>\n"
            "        <requested unit='KiB'>%" G_GUINT64_FORMAT "</requested>\n"
            "      </target>\n    </memory>\n",
            KIB(cell->device_bytes), i, KIB(cell->block_bytes), KIB(cell->requested_bytes));
    }
    g_string_append(xml, "    <channel type='unix'>\n      <target type='virtio' name='"
                    LP_CHANNEL_NAME "'/>\n    </channel>\n  </devices>\n");
}

char *
lp_sim_xml_build(const LpSimSpec *spec, const char *name, const char *uuid)
{
    GString *xml = g_string_new(NULL);
    uint64_t base_bytes = spec->n_cells ? 0 : spec->base_bytes, device_bytes = 0;
    g_autofree char *escaped = g_markup_escape_text(name, -1);

    for (uint32_t i = 0; i < spec->n_cells; i++) {
        base_bytes += spec->cells[i].base_bytes;
        device_bytes += spec->cells[i].device_bytes;
    }
    g_string_append_printf(xml, "<domain type='%s'>\n  <name>%s</name>\n  <uuid>%s</uuid>\n",
                           spec->tcg ? "qemu" : "kvm", escaped, uuid);
    if (spec->metadata)
        g_string_append_printf(xml, "  <metadata>%s</metadata>\n", spec->metadata);
    if (device_bytes)
        g_string_append_printf(xml, "  <maxMemory slots='%u' unit='KiB'>%" G_GUINT64_FORMAT
                               "</maxMemory>\n", spec->slots, KIB(base_bytes + device_bytes));
    g_string_append_printf(xml, "  <memory unit='KiB'>%" G_GUINT64_FORMAT "</memory>\n"
                           "  <currentMemory unit='KiB'>%" G_GUINT64_FORMAT "</currentMemory>\n",
                           KIB(base_bytes + device_bytes), KIB(base_bytes));
    if (spec->locked)
        g_string_append(xml, "  <memoryBacking>\n    <locked/>\n  </memoryBacking>\n");
    build_vcpus(xml, spec);
    lp_sim_xml_build_pins(xml, spec);
    g_string_append(xml, "  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n  </os>\n");
    build_numa(xml, spec);
    build_devices(xml, spec);
    g_string_append(xml, "</domain>\n");
    return g_string_free(xml, FALSE);
}

static xmlDoc *
parse(const char *xml, GError **error)
{
    xmlDoc *doc = xmlReadMemory(xml, (int) strlen(xml), NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

    if (doc && doc->intSubset) {
        xmlFreeDoc(doc);
        doc = NULL;
    }
    if (!doc || !xmlDocGetRootElement(doc)
        || xmlStrcmp(xmlDocGetRootElement(doc)->name, XML("domain")) != 0) {
        xmlFreeDoc(doc);
        g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                            "this is not the XML of a domain");
        return NULL;
    }
    return doc;
}

static char *
print(xmlDoc *doc)
{
    xmlBuffer *buffer = xmlBufferCreate();
    char *text;

    xmlNodeDump(buffer, doc, xmlDocGetRootElement(doc), 0, 0);
    text = g_strconcat((const char *) xmlBufferContent(buffer), "\n", NULL);
    xmlBufferFree(buffer);
    xmlFreeDoc(doc);
    return text;
}

static xmlNode *
find(xmlNode *parent, const char *name)
{
    for (xmlNode *node = parent ? parent->children : NULL; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE && xmlStrcmp(node->name, XML(name)) == 0)
            return node;
    return NULL;
}

static xmlNode *
find_or_add(xmlNode *parent, const char *name)
{
    xmlNode *node = find(parent, name);

    return node ? node : xmlNewChild(parent, NULL, XML(name), NULL);
}

static char *
text_of(xmlNode *node)
{
    xmlChar *content = node ? xmlNodeGetContent(node) : NULL;
    char *text = content && *content ? g_strdup((const char *) content) : NULL;

    xmlFree(content);
    return text;
}

char *
lp_sim_xml_identify(const char *xml, char **ret_name, char **ret_uuid, GError **error)
{
    xmlDoc *doc = parse(xml, error);
    g_autofree char *name = NULL, *uuid = NULL;
    xmlNode *root;

    if (!doc)
        return NULL;
    root = xmlDocGetRootElement(doc);
    name = text_of(find(root, "name"));
    uuid = text_of(find(root, "uuid"));
    if (!name || name[0] == '.' || strchr(name, '/')
        || (uuid && !g_uuid_string_is_valid(uuid))) {
        xmlFreeDoc(doc);
        g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                            "the domain's XML has no usable name, or a UUID that is none");
        return NULL;
    }
    if (!uuid) {
        xmlNode *node = find(root, "uuid");

        uuid = g_uuid_string_random();
        if (node)
            xmlNodeSetContent(node, XML(uuid));
        else
            xmlAddNextSibling(find(root, "name"), xmlNewNode(NULL, XML("uuid")));
        xmlNodeSetContent(find(root, "uuid"), XML(uuid));
    }
    *ret_name = g_steal_pointer(&name);
    *ret_uuid = g_ascii_strdown(uuid, -1);
    return print(doc);
}

static void
set_number(xmlNode *node, const char *attribute, uint64_t value)
{
    char text[24];

    g_snprintf(text, sizeof(text), "%" G_GUINT64_FORMAT, value);
    if (attribute)
        xmlSetProp(node, XML(attribute), XML(text));
    else
        xmlNodeSetContent(node, XML(text));
}

static void
set_kib(xmlNode *parent, const char *name, uint64_t bytes)
{
    xmlNode *node = find_or_add(parent, name);

    xmlSetProp(node, XML("unit"), XML("KiB"));
    set_number(node, NULL, KIB(bytes));
}

static void
live_vcpus(xmlNode *root, const LpSimDomain *domain)
{
    xmlNode *list = find(root, "vcpus");

    set_number(find_or_add(root, "vcpu"), "current", lp_cpumask_count(&domain->plugged));
    if (list) {
        xmlUnlinkNode(list);
        xmlFreeNode(list);
    }
    list = xmlNewNode(NULL, XML("vcpus"));
    xmlAddNextSibling(find(root, "vcpu"), list);
    for (uint32_t i = 0; i < domain->vcpu_max; i++) {
        xmlNode *vcpu = xmlNewChild(list, NULL, XML("vcpu"), NULL);
        bool plugged = lp_cpumask_has(&domain->plugged, i);
        bool fixed = plugged && !lp_cpumask_has(&domain->hotpluggable, i);

        set_number(vcpu, "id", i);
        xmlSetProp(vcpu, XML("enabled"), XML(plugged ? "yes" : "no"));
        xmlSetProp(vcpu, XML("hotpluggable"), XML(fixed ? "no" : "yes"));
    }
}

static void
set_alias(xmlNode *device, const char *alias)
{
    xmlSetProp(find_or_add(device, "alias"), XML("name"), XML(alias));
}

/* Devices of the text are updated; DIMMs are written afresh from what the domain has. */
static void
live_memory(xmlNode *root, const LpSimDomain *domain)
{
    xmlNode *devices = find_or_add(root, "devices"), *next;

    for (xmlNode *node = devices->children; node; node = next) {
        g_autofree char *model = NULL, *cell = NULL;
        xmlNode *target;
        xmlChar *value;
        guint64 number;

        next = node->next;
        if (node->type != XML_ELEMENT_NODE || xmlStrcmp(node->name, XML("memory")) != 0)
            continue;
        value = xmlGetProp(node, XML("model"));
        model = g_strdup((const char *) value);
        xmlFree(value);
        target = find(node, "target");
        cell = text_of(find(target, "node"));
        number = cell ? g_ascii_strtoull(cell, NULL, 10) : 0;
        if (g_strcmp0(model, "dimm") == 0) {
            xmlUnlinkNode(node);
            xmlFreeNode(node);
        } else if (g_strcmp0(model, "virtio-mem") == 0 && target && number < domain->n_cells) {
            set_kib(target, "requested", domain->cells[number].requested_bytes);
            set_kib(target, "current", domain->cells[number].told_bytes);
            set_alias(node, domain->cells[number].alias);
        }
    }
    for (guint i = 0; i < domain->dimms->len; i++) {
        const LpSimDimm *dimm = &g_array_index(domain->dimms, LpSimDimm, i);
        xmlNode *node = xmlNewChild(devices, NULL, XML("memory"), NULL);
        xmlNode *target = xmlNewChild(node, NULL, XML("target"), NULL);

        xmlSetProp(node, XML("model"), XML("dimm"));
        set_kib(target, "size", dimm->bytes);
        set_number(xmlNewChild(target, NULL, XML("node"), NULL), NULL, dimm->cell);
        set_alias(node, dimm->alias);
    }
}

static void
live_limits(xmlNode *root, const LpCapacityLimits *limits)
{
    xmlNode *tune;
    char text[24];

    if (limits->shares == 0 && limits->global_quota_usec < 0)
        return;
    tune = find_or_add(root, "cputune");
    if (limits->shares)
        set_number(find_or_add(tune, "shares"), NULL, limits->shares);
    if (limits->global_period_usec)
        set_number(find_or_add(tune, "global_period"), NULL, limits->global_period_usec);
    g_snprintf(text, sizeof(text), "%" G_GINT64_FORMAT, limits->global_quota_usec);
    xmlNodeSetContent(find_or_add(tune, "global_quota"), XML(text));
}

static bool
live_metadata(xmlNode *root, const char *metadata, GError **error)
{
    xmlNode *parent = find_or_add(root, "metadata"), *next, *element = NULL;

    for (xmlNode *node = parent->children; node; node = next) {
        next = node->next;
        if (node->type == XML_ELEMENT_NODE && node->ns
            && xmlStrcmp(node->ns->href, XML(LP_METADATA_URI)) == 0) {
            xmlUnlinkNode(node);
            xmlFreeNode(node);
        }
    }
    if (!metadata)
        return true;
    if (xmlParseInNodeContext(parent, metadata, (int) strlen(metadata),
                              XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING,
                              &element) != XML_ERR_OK || !element) {
        xmlFreeNodeList(element);
        g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                            "the metadata is not a well-formed element");
        return false;
    }
    xmlAddChildList(parent, element);
    return true;
}

char *
lp_sim_xml_live(const LpSimDomain *domain, GError **error)
{
    xmlDoc *doc = parse(domain->live_xml, error);
    xmlNode *root;
    uint64_t bytes = domain->base_bytes - MIN(domain->base_bytes, domain->balloon_bytes);

    if (!doc)
        return NULL;
    root = xmlDocGetRootElement(doc);
    if (!live_metadata(root, domain->metadata, error)) {
        xmlFreeDoc(doc);
        return NULL;
    }
    for (uint32_t i = 0; i < domain->n_cells; i++)
        bytes += domain->cells[i].told_bytes;
    for (guint i = 0; i < domain->dimms->len; i++)
        bytes += g_array_index(domain->dimms, LpSimDimm, i).bytes;
    set_kib(root, "currentMemory", bytes);
    live_vcpus(root, domain);
    live_memory(root, domain);
    live_limits(root, &domain->limits);
    lp_sim_xml_live_numa(root, domain);
    return print(doc);
}
