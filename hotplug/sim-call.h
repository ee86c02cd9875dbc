/* One call of the driver on the simulated host, and the calls that change a running domain. */
#ifndef LP_HOTPLUG_SIM_CALL_H
#define LP_HOTPLUG_SIM_CALL_H

#include "hotplug/sim-host.h"

struct LpConn {
    LpSimHost *host;
};

enum {
    LP_SIM_RUNNING = 1,             /* the domain must run */
    LP_SIM_MONITOR = 2,             /* goes through QEMU, which may hang */
    LP_SIM_LOOK = 4,
    LP_SIM_QGA = 8,                 /* answered by qemu-guest-agent, which may be slow */
};

/* One call on one domain, from taking the lock to giving it back. */
typedef struct {
    LpSimHost *host;
    LpSimDomain *domain;
    int64_t now_usec;
    bool fails_after;
    LpDriverError error;
} LpSimCall;

/* Sets the error; always false. */
bool lp_sim_fail(GError **error, LpDriverError code, const char *name, const char *why);
/* Takes the lock; false (and not locked) when the host cannot be reached. */
bool lp_sim_lock(LpSimHost *host, GError **error);
/* False: the call is over, and nothing is locked. */
bool lp_sim_begin(LpSimCall *call, LpConn *conn, const char *uuid, const char *name, unsigned flags,
                  GError **error);
/* The host is locked already, and stays so whatever comes of it. */
bool lp_sim_begin_locked(LpSimCall *call, const char *uuid, const char *name, unsigned flags,
                         GError **error);
/* Ends a call that may have changed the domain (if `ok`). */
bool lp_sim_end(LpSimCall *call, bool ok, GError **error);

/* sim-effects.c: as in the driver's vtable. */
bool lp_sim_set_vcpu(LpConn *conn, const char *uuid, uint32_t vcpu, bool plugged, GError **error);
bool lp_sim_set_requested(LpConn *conn, const char *uuid, uint32_t index, uint64_t bytes,
                          GError **error);
bool lp_sim_attach_dimm(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes,
                        GError **error);
bool lp_sim_detach_dimm(LpConn *conn, const char *uuid, const char *alias, GError **error);
bool lp_sim_set_memory_limit(LpConn *conn, const char *uuid, uint64_t bytes, GError **error);
bool lp_sim_set_balloon(LpConn *conn, const char *uuid, uint64_t bytes, GError **error);
bool lp_sim_set_capacity(LpConn *conn, const char *uuid, const LpCapacityLimits *limits,
                         GError **error);
bool lp_sim_set_metadata(LpConn *conn, const char *uuid, const char *metadata, GError **error);
bool lp_sim_set_config(LpConn *conn, const char *uuid, const LpConfigChange *change,
                       GError **error);

/* sim-balloon.c */
bool lp_sim_set_stats_period(LpConn *conn, const char *uuid, uint32_t sec, GError **error);
bool lp_sim_memory_stats(LpConn *conn, const char *uuid, LpMemoryStats *ret_stats,
                         GError **error);

/* sim-numa.c */
LpLocality *lp_sim_locate(LpConn *conn, const char *uuid, const LpTopology *topology,
                          uint32_t samples, GError **error);
bool lp_sim_move_pages(LpConn *conn, const char *uuid, const LpMoveOrder *order,
                       LpPagesMoved *ret_moved, GError **error);
bool lp_sim_set_pins(LpConn *conn, const char *uuid, const LpPins *pins, GError **error);
bool lp_sim_set_nodeset(LpConn *conn, const char *uuid, const uint32_t *node_ids, uint32_t n,
                        GError **error);

/* sim-qga.c */
bool lp_sim_qga_look(LpConn *conn, const char *uuid, LpQgaState *ret_state, GError **error);
bool lp_sim_qga_set_vcpus(LpConn *conn, const char *uuid, const LpCpuMask *want, GError **error);
bool lp_sim_qga_online_memory(LpConn *conn, const char *uuid, GError **error);

#endif
