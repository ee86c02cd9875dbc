/* What the parts of the libvirt driver share. */
#ifndef LP_HOTPLUG_LIBVIRT_PRIV_H
#define LP_HOTPLUG_LIBVIRT_PRIV_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "hotplug/domxml.h"
#include "hotplug/driver.h"

typedef virDomain LpVirDomain;
typedef virConnect LpVirConnect;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpVirDomain, virDomainFree)

struct LpConn {
    char *uri;
    virConnectPtr vir;
    bool is_qemu;          /* the QEMU driver, so processes and cgroups are to be found */
    bool is_local;         /* ... on this host */
    bool is_session;       /* the user's own daemon: no cgroups */
};

/* A daemon that says nothing for three of these is taken for dead; libvirtd's main loop answers,
 * so a QEMU that hangs does not look like one. */
#define LP_KEEPALIVE_SEC 5
#define LP_KEEPALIVE_COUNT 3

/* Once, and before any connection: libvirt's event loop, and no errors on stderr. */
void lp_libvirt_init(void);
/* NULL with LP_DRIVER_ERROR_UNREACHABLE. */
virConnectPtr lp_libvirt_connect(const char *uri, GError **error);

/* Turns libvirt's last error into `error`: `effect` if the call that failed may have had one,
 * so that a lost connection means "look again".  Always returns false. */
bool lp_libvirt_fail(LpConn *conn, bool effect, const char *what, GError **error);
/* The same for an effect on a running domain, which may have stopped meanwhile. */
bool lp_libvirt_fail_effect(LpConn *conn, virDomainPtr domain, const char *what, GError **error);

/* The domain (caller frees), on a connection made again if it was lost. */
virDomainPtr lp_libvirt_find(LpConn *conn, const char *uuid, GError **error);
/* As above, and it must be running. */
virDomainPtr lp_libvirt_find_running(LpConn *conn, const char *uuid, GError **error);
bool lp_libvirt_ready(LpConn *conn, GError **error);

/* Process, resident memory and run id, where view->run is not off. */
void lp_libvirt_fill_process(const LpConn *conn, virDomainPtr domain, LpView *view);
/* The domain's process is gone, which libvirt may not have seen yet. */
bool lp_libvirt_has_ended(const LpConn *conn, const LpView *view);

/* The driver's functions, by part. */
GPtrArray *lp_libvirt_list(LpConn *conn, GError **error);
LpView *lp_libvirt_look(LpConn *conn, const char *uuid, GError **error);

char *lp_libvirt_get_xml(LpConn *conn, const char *uuid, bool inactive, GError **error);
bool lp_libvirt_define(LpConn *conn, const char *xml, char **ret_uuid, GError **error);
bool lp_libvirt_undefine(LpConn *conn, const char *uuid, GError **error);
bool lp_libvirt_start(LpConn *conn, const char *uuid, GError **error);
bool lp_libvirt_set_metadata(LpConn *conn, const char *uuid, const char *metadata,
                             GError **error);
bool lp_libvirt_set_config(LpConn *conn, const char *uuid, const LpConfigChange *change,
                           GError **error);

bool lp_libvirt_set_vcpu(LpConn *conn, const char *uuid, uint32_t vcpu, bool plugged,
                         GError **error);
bool lp_libvirt_set_requested(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes,
                              GError **error);
bool lp_libvirt_attach_dimm(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes,
                            GError **error);
bool lp_libvirt_detach_dimm(LpConn *conn, const char *uuid, const char *alias, GError **error);
bool lp_libvirt_set_memory_limit(LpConn *conn, const char *uuid, uint64_t bytes, GError **error);
bool lp_libvirt_set_balloon(LpConn *conn, const char *uuid, uint64_t bytes, GError **error);
bool lp_libvirt_set_stats_period(LpConn *conn, const char *uuid, uint32_t sec, GError **error);
bool lp_libvirt_memory_stats(LpConn *conn, const char *uuid, LpMemoryStats *ret_stats,
                             GError **error);
bool lp_libvirt_set_capacity(LpConn *conn, const char *uuid, const LpCapacityLimits *limits,
                             GError **error);

bool lp_libvirt_qga_look(LpConn *conn, const char *uuid, LpQgaState *ret_state, GError **error);
bool lp_libvirt_qga_set_vcpus(LpConn *conn, const char *uuid, const LpCpuMask *want,
                              GError **error);
bool lp_libvirt_qga_online_memory(LpConn *conn, const char *uuid, GError **error);

LpLocality *lp_libvirt_locate(LpConn *conn, const char *uuid, const LpTopology *topology,
                              uint32_t samples, GError **error);
bool lp_libvirt_move_pages(LpConn *conn, const char *uuid, const LpMoveOrder *order,
                           LpPagesMoved *ret_moved, GError **error);
bool lp_libvirt_set_pins(LpConn *conn, const char *uuid, const LpPins *pins, GError **error);
bool lp_libvirt_set_nodeset(LpConn *conn, const char *uuid, const uint32_t *node_ids, uint32_t n,
                            GError **error);

int lp_libvirt_open_channel(const char *uri, const LpView *view, GError **error);
LpWatch *lp_libvirt_watch(const char *uri, LpEventFunc func, void *data, GError **error);
void lp_libvirt_unwatch(LpWatch *watch);

#endif
