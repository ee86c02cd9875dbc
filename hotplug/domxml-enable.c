/* Giving a domain what resizing needs: the rules, and what belongs to no single device. */
#include "hotplug/domxml-priv.h"

#include <string.h>

static bool
refuse(GError **error, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool
refuse(GError **error, int code, const char *format, ...)
{
    va_list args;
    g_autofree char *text = NULL;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, LP_DRIVER_ERROR, code, text);
    return false;
}

static bool
check_cell(const LpShape *shape, uint32_t cell, uint64_t *sum, GError **error)
{
    uint64_t base = shape->base_bytes[cell], device = shape->device_bytes[cell];
    uint64_t requested = shape->requested_bytes[cell];

    if (base == 0 || base % LP_KIB != 0)
        return refuse(error, LP_DRIVER_ERROR_INVALID,
                      "cell %u: %" G_GUINT64_FORMAT " bytes of boot memory are not whole KiB", cell,
                      base);
    if (device > 0 && (device % shape->block_bytes != 0 || requested % shape->block_bytes != 0))
        return refuse(error, LP_DRIVER_ERROR_INVALID,
                      "cell %u: device and requested size must be multiples of the block size, "
                      "%" G_GUINT64_FORMAT " bytes", cell, shape->block_bytes);
    if (requested > device)
        return refuse(error, LP_DRIVER_ERROR_INVALID,
                      "cell %u: more is requested than its device can hold", cell);
    if (base > UINT64_MAX / 4 - *sum || device > UINT64_MAX / 4 - *sum - base)
        return refuse(error, LP_DRIVER_ERROR_INVALID, "cell %u: too much memory", cell);
    *sum += base + device;
    return true;
}

static bool
check_shape(const LpShape *shape, GError **error)
{
    uint64_t sum = 0;

    if (shape->vcpus == 0 || shape->vcpus > shape->vcpus_max || shape->vcpus_max > LP_MAX_CPUS)
        return refuse(error, LP_DRIVER_ERROR_INVALID, "%u of %u vCPUs: must be 1 to %d",
                      shape->vcpus, shape->vcpus_max, LP_MAX_CPUS);
    if (shape->n_cells == 0 || shape->n_cells > LP_MAX_CELLS || shape->n_cells > shape->vcpus_max)
        return refuse(error, LP_DRIVER_ERROR_INVALID,
                      "%u guest cells: must be 1 to %d, and at most one for each of the %u vCPUs",
                      shape->n_cells, LP_MAX_CELLS, shape->vcpus_max);
    if (shape->block_bytes == 0 || shape->block_bytes % LP_KIB != 0 ||
        (shape->block_bytes & (shape->block_bytes - 1)) != 0)
        return refuse(error, LP_DRIVER_ERROR_INVALID,
                      "the block size, %" G_GUINT64_FORMAT " bytes, is no power of two",
                      shape->block_bytes);
    for (uint32_t cell = 0; cell < shape->n_cells; cell++) {
        if (!check_cell(shape, cell, &sum, error))
            return false;
    }
    return true;
}

/* Machines without hotplug of vCPUs and memory on x86 are refused before anything is written. */
static bool
check_machine(xmlNode *domain, GError **error)
{
    xmlNode *type = lp_xml_at(domain, "os", "type", NULL);
    g_autofree char *machine = lp_xml_attr(type, "machine");
    g_autofree char *arch = lp_xml_attr(type, "arch");

    if (!type)
        return refuse(error, LP_DRIVER_ERROR_INVALID, "the domain's XML has no <os><type>");
    if (arch && strcmp(arch, "x86_64") != 0 && strcmp(arch, "i686") != 0)
        return refuse(error, LP_DRIVER_ERROR_UNSUPPORTED,
                      "the domain's architecture is %s; lpard resizes x86 domains", arch);
    if (machine && !lp_domxml_is_pcie(domain) && strcmp(machine, "pc") != 0 &&
        !g_str_has_prefix(machine, "pc-i440fx-"))
        return refuse(error, LP_DRIVER_ERROR_UNSUPPORTED,
                      "machine type %s has no hotplug of vCPUs and memory; use q35", machine);
    return true;
}

/* Without ACPI the guest never hears of a vCPU or a memory device that arrives. */
static void
enable_acpi(xmlNode *domain)
{
    lp_xml_ensure(lp_xml_ensure_near(domain, "features", "os"), "acpi");
}

char *
lp_domxml_enable(const char *xml, const LpShape *shape, GError **error)
{
    g_autoptr(xmlDoc) doc = NULL;
    xmlNode *domain;

    if (!check_shape(shape, error))
        return NULL;
    doc = lp_xml_parse_domain(xml, error);
    if (!doc)
        return NULL;
    domain = xmlDocGetRootElement(doc);
    if (!check_machine(domain, error) ||
        !lp_domxml_metadata_replace(domain, shape->metadata, error))
        return NULL;
    enable_acpi(domain);
    lp_domxml_enable_cells(domain, shape);
    if (shape->limits)
        lp_domxml_limits(domain, shape->limits);
    if (!lp_domxml_enable_devices(domain, shape, error))
        return NULL;
    return lp_xml_to_text(doc);
}
