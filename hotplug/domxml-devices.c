/* The devices that `enable` writes: memory, balloon, channel, and ports for them. */
#include "hotplug/domxml-priv.h"

#include <string.h>

/* Left free for a virtio-mem device that a later cell needs, and for one device of the
 * operator's own. */
#define SPARE_PORTS 2
/* PCI counts them in a byte. */
#define PCI_BUSES 256

/* Address space for a DIMM in each spare slot.  It costs the host nothing until it is used, and
 * 1 GiB is what QEMU aligns each slot to anyway. */
#define DIMM_ROOM_BYTES (1ULL << 30)

/* libvirt's limit. */
#define MAX_SLOTS 256

static bool
is_beyond(const xmlNode *device, const LpShape *shape)
{
    g_autofree char *text = lp_xml_content(lp_xml_at(lp_xml_child(device, "target"), "node", NULL));
    uint64_t cell;

    return lp_xml_attr_is(device, "model", "virtio-mem") &&
           (!lp_xml_parse_number(text, LP_MAX_CELLS - 1, &cell) || cell >= shape->n_cells ||
            shape->device_bytes[cell] == 0);
}

static bool
enable_device(xmlNode *domain, uint32_t cell, const LpShape *shape, GError **error)
{
    xmlNode *device = lp_domxml_device_node(domain, cell);
    xmlNode *target;

    if (!device) {
        device = lp_xml_add(lp_xml_child(domain, "devices"), "memory");
        lp_xml_set_attr(device, "model", "virtio-mem");
        target = lp_xml_add(device, "target");
        lp_xml_add(target, "size");
        lp_xml_set_number(lp_xml_add(target, "node"), cell);
        lp_xml_add(target, "block");
        lp_xml_add(target, "requested");
    }
    target = lp_xml_ensure(device, "target");
    lp_xml_set_bytes(lp_xml_ensure(target, "size"), shape->device_bytes[cell]);
    lp_xml_set_bytes(lp_xml_ensure(target, "block"), shape->block_bytes);
    return lp_domxml_device_request(device, cell, shape->requested_bytes[cell], error);
}

static bool
enable_memory_devices(xmlNode *domain, const LpShape *shape, GError **error)
{
    xmlNode *devices = lp_xml_child(domain, "devices");
    xmlNode *next;

    for (xmlNode *node = lp_xml_child(devices, "memory"); node; node = next) {
        next = lp_xml_next(node, "memory");
        if (is_beyond(node, shape))
            lp_xml_remove(node);
    }
    for (uint32_t cell = 0; cell < shape->n_cells; cell++) {
        if (shape->device_bytes[cell] > 0 && !enable_device(domain, cell, shape, error))
            return false;
    }
    return true;
}

/* libvirt counts every device at its whole size in <memory>, and wants <maxMemory> to hold
 * them; <currentMemory> is what the balloon leaves, and here it takes nothing. */
static bool
enable_totals(xmlNode *domain, const LpShape *shape, GError **error)
{
    xmlNode *devices = lp_xml_child(domain, "devices");
    xmlNode *max;
    uint64_t base = 0, total, current, bytes, now, n_devices = 0, slots;

    for (uint32_t cell = 0; cell < shape->n_cells; cell++)
        base += shape->base_bytes[cell];
    total = current = base;
    for (xmlNode *node = lp_xml_child(devices, "memory"); node;
         node = lp_xml_next(node, "memory"), n_devices++) {
        if (!lp_xml_bytes(lp_xml_at(node, "target", "size", NULL), &bytes, error))
            return false;
        total += bytes;
        if (lp_xml_attr_is(node, "model", "dimm"))
            current += bytes;
    }
    lp_xml_set_bytes(lp_xml_ensure_near(domain, "memory", "name"), total);
    lp_xml_set_bytes(lp_xml_ensure_near(domain, "currentMemory", "memory"), current);
    if (!lp_xml_bytes(lp_xml_child(domain, "maxMemory"), &now, error))
        return false;
    max = lp_xml_ensure_near(domain, "maxMemory", "memory");
    total += shape->spare_slots * DIMM_ROOM_BYTES;
    lp_xml_set_bytes(max, MAX(now, total));
    if (!lp_xml_attr_number(max, "slots", MAX_SLOTS, &slots))
        slots = 0;
    slots = MAX(slots, n_devices + shape->spare_slots);
    lp_xml_set_attr_number(max, "slots", MIN(slots, MAX_SLOTS));
    return true;
}

/* autodeflate off: the guest would take back what was reclaimed the moment it is short, and
 * lpard could not know.  No statistics period: the agent reports instead. */
static void
enable_balloon(xmlNode *devices)
{
    xmlNode *balloon = lp_xml_ensure(devices, "memballoon");
    g_autofree char *model = lp_xml_attr(balloon, "model");

    if (!model || !g_str_has_prefix(model, "virtio"))
        lp_xml_set_attr(balloon, "model", "virtio");
    lp_xml_set_attr(balloon, "autodeflate", "off");
    lp_xml_set_attr(balloon, "freePageReporting", "on");
    lp_xml_remove_children(balloon, "stats");
}

static xmlNode *
find_channel(const xmlNode *devices, const char *name)
{
    xmlNode *channel;

    for (channel = lp_xml_child(devices, "channel"); channel;
         channel = lp_xml_next(channel, "channel")) {
        if (lp_xml_attr_is(lp_xml_child(channel, "target"), "name", name))
            return channel;
    }
    return NULL;
}

static void
add_channel(xmlNode *devices, const char *name)
{
    xmlNode *channel = lp_xml_add(devices, "channel");
    xmlNode *target;

    lp_xml_set_attr(channel, "type", "unix");
    target = lp_xml_add(channel, "target");
    lp_xml_set_attr(target, "type", "virtio");
    lp_xml_set_attr(target, "name", name);
}

/* The agent's, and qemu-guest-agent's for guests that have that one instead.  A channel of the
 * latter that is there already is libvirt's affair, whatever its type. */
static bool
enable_channels(xmlNode *devices, GError **error)
{
    xmlNode *channel = find_channel(devices, LP_CHANNEL_NAME);

    if (channel && !lp_xml_attr_is(channel, "type", "unix")) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                    "the domain has a channel %s that is not of type unix, so lpard cannot reach "
                    "the agent; remove that channel", LP_CHANNEL_NAME);
        return false;
    }
    if (!channel)
        add_channel(devices, LP_CHANNEL_NAME);
    if (!find_channel(devices, LP_QGA_CHANNEL_NAME))
        add_channel(devices, LP_QGA_CHANNEL_NAME);
    return true;
}

/* 0 is the root complex's, also where libvirt has yet to add it. */
static uint64_t
first_free_index(const xmlNode *devices)
{
    uint64_t next = 1, index;

    for (xmlNode *node = lp_xml_child(devices, "controller"); node;
         node = lp_xml_next(node, "controller")) {
        if (lp_xml_attr_is(node, "type", "pci") &&
            lp_xml_attr_number(node, "index", UINT16_MAX, &index))
            next = MAX(next, index + 1);
    }
    return next;
}

static void
enable_ports(xmlNode *domain)
{
    xmlNode *devices = lp_xml_child(domain, "devices");
    uint64_t index = first_free_index(devices);
    uint32_t wanted = lp_domxml_pending_ports(domain) + SPARE_PORTS;

    /* Counted each time: a device may name a port that was not there, and has it now. */
    for (unsigned n = 0; n < PCI_BUSES && lp_domxml_free_ports(domain) < wanted; n++) {
        xmlNode *port = lp_xml_add(devices, "controller");

        lp_xml_set_attr(port, "type", "pci");
        lp_xml_set_attr_number(port, "index", index++);
        lp_xml_set_attr(port, "model", "pcie-root-port");
    }
}

bool
lp_domxml_enable_devices(xmlNode *domain, const LpShape *shape, GError **error)
{
    xmlNode *devices = lp_xml_ensure(domain, "devices");

    if (!enable_memory_devices(domain, shape, error) || !enable_totals(domain, shape, error) ||
        !enable_channels(devices, error))
        return false;
    enable_balloon(devices);
    if (lp_domxml_is_pcie(domain))
        enable_ports(domain);
    return true;
}
