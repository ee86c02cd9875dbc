/* A new domain's XML, as small as `enable` can start from. */
#include "hotplug/domxml-priv.h"

#include <string.h>

static void
add_text(xmlNode *parent, const char *name, const char *text)
{
    if (text) {
        xmlNode *node = lp_xml_add(parent, name);
        xmlNode *content = xmlNewText((const xmlChar *)text);

        xmlAddChild(node, content);
    }
}

static void
add_boot(xmlNode *domain, const LpNewDomain *new)
{
    xmlNode *os = lp_xml_add(domain, "os");
    xmlNode *type;

    add_text(os, "type", "hvm");
    type = lp_xml_child(os, "type");
    lp_xml_set_attr(type, "arch", "x86_64");
    lp_xml_set_attr(type, "machine", "q35");
    add_text(os, "kernel", new->kernel);
    add_text(os, "initrd", new->initrd);
    add_text(os, "cmdline", new->cmdline);
    lp_xml_add(lp_xml_add(domain, "features"), "acpi");
    lp_xml_add(lp_xml_child(domain, "features"), "apic");
}

static void
add_disk(xmlNode *devices, const char *path)
{
    xmlNode *disk = lp_xml_add(devices, "disk");
    xmlNode *node;

    lp_xml_set_attr(disk, "type", "file");
    lp_xml_set_attr(disk, "device", "disk");
    node = lp_xml_add(disk, "driver");
    lp_xml_set_attr(node, "name", "qemu");
    lp_xml_set_attr(node, "type", g_str_has_suffix(path, ".qcow2") ? "qcow2" : "raw");
    lp_xml_set_attr(lp_xml_add(disk, "source"), "file", path);
    node = lp_xml_add(disk, "target");
    lp_xml_set_attr(node, "dev", "vda");
    lp_xml_set_attr(node, "bus", "virtio");
}

static void
add_devices(xmlNode *domain, const LpNewDomain *new)
{
    xmlNode *devices = lp_xml_add(domain, "devices");
    xmlNode *node;

    add_text(devices, "emulator", new->emulator);
    if (new->disk)
        add_disk(devices, new->disk);
    if (new->network) {
        node = lp_xml_add(devices, "interface");
        lp_xml_set_attr(node, "type", "network");
        lp_xml_set_attr(lp_xml_add(node, "source"), "network", new->network);
        lp_xml_set_attr(lp_xml_add(node, "model"), "type", "virtio");
    }
    /* Else libvirt adds one that nobody uses and every guest polls. */
    node = lp_xml_add(devices, "controller");
    lp_xml_set_attr(node, "type", "usb");
    lp_xml_set_attr(node, "model", "none");
    node = lp_xml_add(devices, "serial");
    lp_xml_set_attr(node, "type", "pty");
    node = lp_xml_add(devices, "console");
    lp_xml_set_attr(node, "type", "pty");
    node = lp_xml_add(node, "target");
    lp_xml_set_attr(node, "type", "serial");
    lp_xml_set_attr(node, "port", "0");
}

char *
lp_domxml_new(const LpNewDomain *domain)
{
    g_autoptr(xmlDoc) doc = xmlNewDoc((const xmlChar *)"1.0");
    xmlNode *root = xmlNewNode(NULL, (const xmlChar *)"domain");

    xmlDocSetRootElement(doc, root);
    lp_xml_set_attr(root, "type", domain->emulated ? "qemu" : "kvm");
    add_text(root, "name", domain->name);
    add_boot(root, domain);
    add_text(root, "on_reboot", "restart");
    add_text(root, "on_crash", "destroy");
    add_devices(root, domain);
    return lp_xml_to_text(doc);
}
