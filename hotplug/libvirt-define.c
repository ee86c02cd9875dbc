/* Definitions: a domain's XML, its metadata, and what its next start should be like. */
#include "hotplug/libvirt-priv.h"

char *
lp_libvirt_get_xml(LpConn *conn, const char *uuid, bool inactive, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find(conn, uuid, error);
    /* With its secrets, since what is defined from this text must not lose them. */
    unsigned flags = inactive ? VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE : 0;
    char *xml;

    if (!domain)
        return NULL;
    xml = virDomainGetXMLDesc(domain, flags);
    if (!xml)
        lp_libvirt_fail(conn, false, "the domain's XML cannot be read", error);
    return xml;
}

bool
lp_libvirt_define(LpConn *conn, const char *xml, char **ret_uuid, GError **error)
{
    g_autoptr(LpVirDomain) domain = NULL;
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (!lp_libvirt_ready(conn, error))
        return false;
    domain = virDomainDefineXMLFlags(conn->vir, xml, 0);
    if (!domain)
        return lp_libvirt_fail(conn, true, "libvirt refuses the definition", error);
    if (ret_uuid) {
        virDomainGetUUIDString(domain, uuid);
        *ret_uuid = g_strdup(uuid);
    }
    return true;
}

bool
lp_libvirt_undefine(LpConn *conn, const char *uuid, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find(conn, uuid, error);

    if (!domain)
        return false;
    /* The guest's firmware variables are its own; a saved state makes libvirt refuse. */
    if (virDomainUndefineFlags(domain, conn->is_qemu ? VIR_DOMAIN_UNDEFINE_KEEP_NVRAM : 0) < 0)
        return lp_libvirt_fail(conn, true, "the domain cannot be undefined", error);
    return true;
}

bool
lp_libvirt_start(LpConn *conn, const char *uuid, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find(conn, uuid, error);

    if (!domain)
        return false;
    if (virDomainIsActive(domain) == 1)
        return true;
    if (virDomainCreate(domain) < 0)
        return lp_libvirt_fail(conn, true, "the domain cannot be started", error);
    return true;
}

bool
lp_libvirt_set_metadata(LpConn *conn, const char *uuid, const char *metadata, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find(conn, uuid, error);
    g_autofree char *bare = NULL;

    if (!domain)
        return false;
    /* libvirt adds the namespace itself, and fails on text that declares it already. */
    if (metadata && !(bare = lp_domxml_metadata_bare(metadata, error)))
        return false;
    /* "Current" is the live one of a running domain, else the definition's. */
    if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, bare, LP_METADATA_PREFIX,
                             LP_METADATA_URI, VIR_DOMAIN_AFFECT_CURRENT) < 0)
        return lp_libvirt_fail(conn, true, "the profile cannot be stored in the domain", error);
    return true;
}

bool
lp_libvirt_set_config(LpConn *conn, const char *uuid, const LpConfigChange *change,
                      GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find(conn, uuid, error);
    g_autofree char *before = NULL, *after = NULL;

    if (!domain)
        return false;
    if (virDomainIsPersistent(domain) == 0) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                    "the domain %s is transient: there is no definition to change",
                    virDomainGetName(domain));
        return false;
    }
    /* Read here and now: redefining from an older text would undo what others changed since. */
    before = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    if (!before)
        return lp_libvirt_fail(conn, false, "the domain's definition cannot be read", error);
    after = lp_domxml_change(before, change, error);
    return after && lp_libvirt_define(conn, after, NULL, error);
}
