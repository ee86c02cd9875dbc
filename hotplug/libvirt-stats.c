/* What the balloon's driver says of a guest.
 *
 * By a call for one domain, never by virConnectGetAllDomainStats(): that waits for every QEMU, so
 * one that is stopped holds up all. */
#include "hotplug/libvirt-priv.h"

#define KIB UINT64_C(1024)

static uint64_t
bytes_of(unsigned long long kib)
{
    return kib > UINT64_MAX / KIB ? UINT64_MAX : kib * KIB;
}

static void
take(const virDomainMemoryStatStruct *stat, LpMemoryStats *stats)
{
    switch (stat->tag) {
    case VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON:
        stats->actual_bytes = bytes_of(stat->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_AVAILABLE:    /* libvirt's word for MemTotal */
        stats->total_bytes = bytes_of(stat->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_UNUSED:
        stats->unused_bytes = bytes_of(stat->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_USABLE:
        stats->usable_bytes = bytes_of(stat->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_SWAP_IN:
        stats->swap_in_bytes = bytes_of(stat->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_SWAP_OUT:
        stats->swap_out_bytes = bytes_of(stat->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT:
        stats->major_faults = stat->val;
        break;
    case VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE:
        stats->last_update_sec = stat->val;
        break;
    default:
        break;
    }
}

bool
lp_libvirt_memory_stats(LpConn *conn, const char *uuid, LpMemoryStats *ret_stats, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    virDomainMemoryStatStruct stats[VIR_DOMAIN_MEMORY_STAT_NR];
    int n;

    *ret_stats = (LpMemoryStats){
        .actual_bytes = UINT64_MAX, .total_bytes = UINT64_MAX, .unused_bytes = UINT64_MAX,
        .usable_bytes = UINT64_MAX, .swap_in_bytes = UINT64_MAX, .swap_out_bytes = UINT64_MAX,
        .major_faults = UINT64_MAX,
    };
    if (!domain)
        return false;
    n = virDomainMemoryStats(domain, stats, VIR_DOMAIN_MEMORY_STAT_NR, 0);
    if (n < 0)
        return lp_libvirt_fail(conn, false, "the balloon's statistics cannot be read", error);
    for (int i = 0; i < n; i++)
        take(&stats[i], ret_stats);
    return true;
}

bool
lp_libvirt_set_stats_period(LpConn *conn, const char *uuid, uint32_t sec, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);

    if (!domain)
        return false;
    if (virDomainSetMemoryStatsPeriod(domain, (int)MIN(sec, INT32_MAX), VIR_DOMAIN_AFFECT_LIVE) < 0)
        return lp_libvirt_fail_effect(conn, domain,
                                      "the period of the balloon's statistics cannot be set",
                                      error);
    return true;
}
