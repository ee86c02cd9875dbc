/* What the parts of domxml share: a tree that is edited in place and written back so that
 * only the lines that changed differ. */
#ifndef LP_HOTPLUG_DOMXML_PRIV_H
#define LP_HOTPLUG_DOMXML_PRIV_H

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "hotplug/domxml.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/* The biggest description seen in the field is under 1 MiB; above this it is no domain. */
#define LP_XML_MAX_BYTES (8U << 20)

#define LP_KIB UINT64_C(1024)

/* --- text and tree (domxml-tree.c) --- */

/* `what` names the text in errors.  Entities and document types are refused. */
xmlDoc *lp_xml_parse(const char *text, const char *what, GError **error);
/* The same, for a text whose root must be <domain>. */
xmlDoc *lp_xml_parse_domain(const char *text, GError **error);
/* In libvirt's own style of quoting, so that a diff shows only what changed. */
char *lp_xml_to_text(xmlDoc *doc);
/* One element alone, without its surroundings. */
char *lp_xml_node_to_text(xmlNode *node);

/* First child, or next sibling, that is an element of that name (NULL: any). */
xmlNode *lp_xml_child(const xmlNode *node, const char *name);
xmlNode *lp_xml_next(const xmlNode *node, const char *name);
/* By steps of child elements: lp_xml_at(domain, "cpu", "numa", NULL). */
xmlNode *lp_xml_at(xmlNode *node, ...) G_GNUC_NULL_TERMINATED;
bool lp_xml_is(const xmlNode *node, const char *name);

/* Attribute values and contents are copies; NULL when absent. */
char *lp_xml_attr(const xmlNode *node, const char *name);
bool lp_xml_attr_is(const xmlNode *node, const char *name, const char *value);
char *lp_xml_content(const xmlNode *node);

bool lp_xml_parse_number(const char *text, uint64_t max, uint64_t *ret_number);
/* A number in an attribute; false when absent or no number up to max. */
bool lp_xml_attr_number(const xmlNode *node, const char *name, uint64_t max,
                        uint64_t *ret_number);
/* A size with its unit (default KiB), as <memory unit='MiB'>5</memory>.  A missing node is 0. */
bool lp_xml_bytes(const xmlNode *node, uint64_t *ret_bytes, GError **error);
/* The same where the size is an attribute, as in <cell memory='5' unit='MiB'/>. */
bool lp_xml_attr_bytes(const xmlNode *node, const char *name, uint64_t *ret_bytes,
                       GError **error);

/* Edits.  A value that is already so is not touched, so its formatting stays. */
xmlNode *lp_xml_add(xmlNode *parent, const char *name);
xmlNode *lp_xml_add_after(xmlNode *sibling, const char *name);
xmlNode *lp_xml_ensure(xmlNode *parent, const char *name);
/* A new one goes after `sibling` if there is such a child. */
xmlNode *lp_xml_ensure_near(xmlNode *parent, const char *name, const char *sibling);
void lp_xml_remove(xmlNode *node);
void lp_xml_remove_children(xmlNode *parent, const char *name);
void lp_xml_set_attr(xmlNode *node, const char *name, const char *value);
void lp_xml_set_attr_number(xmlNode *node, const char *name, uint64_t number);
void lp_xml_unset_attr(xmlNode *node, const char *name);
void lp_xml_set_number(xmlNode *node, int64_t number);
void lp_xml_set_bytes(xmlNode *node, uint64_t bytes);
void lp_xml_set_attr_bytes(xmlNode *node, const char *name, uint64_t bytes);

/* --- what several parts need to know of a domain --- */

/* lpard's element under <metadata>, or NULL (domxml.c). */
xmlNode *lp_domxml_metadata_node(xmlNode *domain);
/* Puts `metadata` in its place, or takes it away if NULL (domxml-change.c). */
bool lp_domxml_metadata_replace(xmlNode *domain, const char *metadata, GError **error);
/* Writes cputune (domxml-change.c). */
void lp_domxml_limits(xmlNode *domain, const LpCapacityLimits *limits);
/* The virtio-mem device of a cell, or NULL (domxml-change.c). */
xmlNode *lp_domxml_device_node(xmlNode *domain, uint32_t cell);
/* Sets <requested> after checking it against block and size (domxml-change.c). */
bool lp_domxml_device_request(xmlNode *device, uint32_t cell, uint64_t bytes, GError **error);
/* Root ports that nothing is plugged into; on a machine without PCIe its free PCI slots. */
uint32_t lp_domxml_free_ports(xmlNode *domain);   /* (domxml-ports.c) */
/* Ports that libvirt will give to devices that have no address yet. */
uint32_t lp_domxml_pending_ports(xmlNode *domain);
/* Whether the machine has PCI Express, so that hot-added devices need root ports. */
bool lp_domxml_is_pcie(xmlNode *domain);
/* Memory, balloon, channel and ports of enable (domxml-devices.c). */
bool lp_domxml_enable_devices(xmlNode *domain, const LpShape *shape, GError **error);
/* The kind of numatune, the node of each cell (and its home, which is the same here), and whether
 * vCPUs are pinned (domxml-numa.c). */
void lp_domxml_read_numa(xmlNode *domain, LpView *view);
/* Each cell prefers its node (id; -1: none); a restrictive domain is held to all of them.
 * _UNSUPPORTED: the numatune is somebody else's. */
bool lp_domxml_set_nodes(xmlNode *domain, const int32_t *node, uint32_t n_cells, GError **error);
/* <vcpupin> and <emulatorpin>: what is empty in `pins`, or not below n_vcpus, is left as it is. */
void lp_domxml_set_pins(xmlNode *domain, const LpPins *pins, uint32_t n_vcpus);
/* The vCPU and cell part of enable (domxml-cells.c). */
void lp_domxml_enable_cells(xmlNode *domain, const LpShape *shape);

#endif
