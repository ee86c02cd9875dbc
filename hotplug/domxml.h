/* A domain's XML: read into a view, and given what resizing needs.
 *
 * Pure functions from text to text (libxml2, no network, no entities).  Everything in the XML
 * that lpard does not set is kept as it was. */
#ifndef LP_HOTPLUG_DOMXML_H
#define LP_HOTPLUG_DOMXML_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "hotplug/driver.h"
#include "hotplug/process.h"
#include "hotplug/view.h"

#define LP_METADATA_URI "https://lpard.org/xmlns/partition/1"
#define LP_METADATA_PREFIX "lpard"
#define LP_CHANNEL_NAME "org.lpard.agent.0"
#define LP_QGA_CHANNEL_NAME "org.qemu.guest_agent.0"

/* What `enable` and `define` make of a domain. */
typedef struct {
    uint32_t vcpus, vcpus_max;
    uint32_t n_cells;                        /* 1.. */
    uint64_t base_bytes[LP_MAX_CELLS];       /* boot memory of each cell */
    uint64_t device_bytes[LP_MAX_CELLS];     /* virtio-mem size of each cell; 0: no device */
    uint64_t requested_bytes[LP_MAX_CELLS];
    int32_t node[LP_MAX_CELLS];              /* host node of each cell; -1: unbound */
    uint64_t block_bytes;
    uint32_t spare_slots;                    /* memory slots for DIMMs beside the devices */
    const char *metadata;                    /* lpard's element, complete */
    bool keep_numa;                          /* numatune and pins stay as they are */
    const char *interleave;                  /* nodes ("0-1") that all of it lies over in turn, and
                                                no cell by itself; NULL: by node[] */
    const LpPins *pins;                      /* NULL: none are written */
    const LpCapacityLimits *limits;          /* cputune; NULL: left as it is, which a
                                                connection without cgroups needs to start it */
} LpShape;

/* Fills a view from XML: what the text alone says (not run state, pid, or resident memory). */
bool lp_domxml_read(const char *xml, LpView *view, GError **error);

/* The XML with `shape` applied: max and current vCPUs (hotpluggable but for those of the
 * minimum), guest cells with their vCPUs, maxMemory and slots, one `memnode mode='preferred'`
 * a bound cell and no <memory> in numatune, or one that interleaves and no memnode (a domain that
 * has mode 'restrictive' is left with its numatune untouched), pins, a virtio-mem device per cell, balloon with free page reporting and
 * autodeflate off, the agent's channel and qemu-guest-agent's, PCIe root ports for what is added, the metadata, the
 * processor limits.
 * Caller frees. */
char *lp_domxml_enable(const char *xml, const LpShape *shape, GError **error);

/* The persistent XML with `change` applied.  Caller frees. */
char *lp_domxml_change(const char *xml, const LpConfigChange *change, GError **error);

/* The live XML of the virtio-mem device of `cell`, whole, with <requested> replaced: what
 * virDomainUpdateDeviceFlags wants.  Caller frees. */
char *lp_domxml_device_requested(const char *xml, uint32_t cell, uint64_t bytes, GError **error);

/* lpard's element without its namespace, which virDomainSetMetadata adds itself.  Caller frees. */
char *lp_domxml_metadata_bare(const char *metadata, GError **error);

/* The memory backends that QEMU makes for the running domain, in the order in which it makes them:
 * boot memory of each cell, then DIMMs and virtio-mem.  Writes at most `max`; returns their number, or
 * -1 with an error. */
int lp_domxml_backends(const char *xml, LpBackend *ret_backends, uint32_t max, GError **error);

/* A new domain from nothing but a kernel or a disk. */
typedef struct {
    const char *name;
    bool emulated;            /* no usable KVM: type='qemu' */
    const char *kernel, *initrd, *cmdline;   /* any may be NULL */
    const char *disk;         /* path; "qcow2" by its suffix, else raw; or NULL */
    const char *network;      /* libvirt network, or NULL for none */
    const char *emulator;     /* path of QEMU; NULL: libvirt's choice */
} LpNewDomain;
/* Minimal XML for lp_domxml_enable() to complete; serial console on a pty.  Caller frees. */
char *lp_domxml_new(const LpNewDomain *domain);

/* A unified difference of the two texts for people, "" when equal; values of passwd= are masked.
 * Caller frees. */
char *lp_domxml_diff(const char *before, const char *after);

#endif
