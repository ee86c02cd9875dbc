/* Where a device can still be plugged in: PCIe root ports, or slots of a plain PCI bus.
 *
 * A hot-added PCIe device needs an empty root port, and root ports cannot be hot-added. */
#include "hotplug/domxml-priv.h"

#include <string.h>

#define MAX_BUSES 256       /* PCI bus numbers are one byte */
#define PCI_SLOTS 32        /* slots of one PCI bus; 0 is the host bridge's */

/* Addresses are written 0x.. by libvirt, but plain decimals are read too. */
static bool
address_part(const xmlNode *address, const char *name, unsigned *ret_value)
{
    g_autofree char *text = lp_xml_attr(address, name);
    bool hex = text && g_str_has_prefix(text, "0x");
    guint64 value;

    if (!text ||
        !g_ascii_string_to_unsigned(hex ? text + 2 : text, hex ? 16 : 10, 0, MAX_BUSES - 1,
                                    &value, NULL))
        return false;
    *ret_value = (unsigned)value;
    return true;
}

static bool
is_port(const xmlNode *controller)
{
    return lp_xml_attr_is(controller, "type", "pci") &&
           (lp_xml_attr_is(controller, "model", "pcie-root-port") ||
            lp_xml_attr_is(controller, "model", "pcie-switch-downstream-port"));
}

static uint32_t
free_root_ports(xmlNode *devices)
{
    bool used[MAX_BUSES] = { false };
    uint32_t n_free = 0;
    unsigned bus;
    uint64_t index;

    for (xmlNode *node = lp_xml_child(devices, NULL); node; node = lp_xml_next(node, NULL)) {
        xmlNode *address = lp_xml_child(node, "address");

        if (lp_xml_attr_is(address, "type", "pci") && address_part(address, "bus", &bus))
            used[bus] = true;
    }
    for (xmlNode *node = lp_xml_child(devices, "controller"); node;
         node = lp_xml_next(node, "controller")) {
        if (!is_port(node))
            continue;
        if (!lp_xml_attr_number(node, "index", MAX_BUSES - 1, &index) || !used[index])
            n_free++;
    }
    return n_free;
}

static uint32_t
free_pci_slots(xmlNode *devices)
{
    bool used[PCI_SLOTS] = { true };
    uint32_t n_free = 0;
    unsigned bus, slot;

    for (xmlNode *node = lp_xml_child(devices, NULL); node; node = lp_xml_next(node, NULL)) {
        xmlNode *address = lp_xml_child(node, "address");

        if (lp_xml_attr_is(address, "type", "pci") && address_part(address, "bus", &bus) &&
            address_part(address, "slot", &slot) && bus == 0 && slot < PCI_SLOTS)
            used[slot] = true;
    }
    for (unsigned i = 0; i < PCI_SLOTS; i++)
        n_free += !used[i];
    return n_free;
}

uint32_t
lp_domxml_free_ports(xmlNode *domain)
{
    xmlNode *devices = lp_xml_child(domain, "devices");

    return lp_domxml_is_pcie(domain) ? free_root_ports(devices) : free_pci_slots(devices);
}

static bool
model_is_virtio(const xmlNode *node)
{
    g_autofree char *model = lp_xml_attr(node, "model");

    return model && g_str_has_prefix(model, "virtio");
}

/* Whether libvirt will put this device on a root port. */
static bool
wants_port(const xmlNode *device)
{
    if (lp_xml_is(device, "disk"))
        return lp_xml_attr_is(lp_xml_child(device, "target"), "bus", "virtio");
    if (lp_xml_is(device, "interface")) {
        g_autofree char *model = lp_xml_attr(lp_xml_child(device, "model"), "type");

        return model && (g_str_has_prefix(model, "virtio") || strcmp(model, "e1000e") == 0);
    }
    if (lp_xml_is(device, "controller"))
        return lp_xml_attr_is(device, "type", "virtio-serial") || model_is_virtio(device) ||
               lp_xml_attr_is(device, "model", "qemu-xhci");
    if (lp_xml_is(device, "hostdev"))
        return lp_xml_attr_is(device, "type", "pci") || lp_xml_attr_is(device, "type", "mdev");
    if (lp_xml_is(device, "input"))
        return lp_xml_attr_is(device, "bus", "virtio");
    return lp_xml_is(device, "vsock") || lp_xml_is(device, "filesystem") ||
           ((lp_xml_is(device, "memballoon") || lp_xml_is(device, "rng") ||
             lp_xml_is(device, "memory") || lp_xml_is(device, "crypto")) &&
            model_is_virtio(device));
}

/* libvirt brings a virtio-serial controller along with the first channel on one. */
static bool
implies_serial_controller(xmlNode *devices)
{
    for (xmlNode *node = lp_xml_child(devices, "controller"); node;
         node = lp_xml_next(node, "controller")) {
        if (lp_xml_attr_is(node, "type", "virtio-serial"))
            return false;
    }
    for (xmlNode *node = lp_xml_child(devices, "channel"); node;
         node = lp_xml_next(node, "channel")) {
        if (lp_xml_attr_is(lp_xml_child(node, "target"), "type", "virtio"))
            return true;
    }
    return false;
}

uint32_t
lp_domxml_pending_ports(xmlNode *domain)
{
    xmlNode *devices = lp_xml_child(domain, "devices");
    uint32_t n = implies_serial_controller(devices);

    for (xmlNode *node = lp_xml_child(devices, NULL); node; node = lp_xml_next(node, NULL)) {
        if (wants_port(node) && !lp_xml_attr_is(lp_xml_child(node, "address"), "type", "pci"))
            n++;
    }
    return n;
}
