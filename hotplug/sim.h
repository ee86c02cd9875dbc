/* The simulated host: what only tests and the curious need of it.  lpard itself sees nothing
 * but lp_driver_sim.
 *
 * `sim:FILE` names a JSON file.  Every key is optional but a domain's name; a key that is not
 * in this list is an error that names it.
 *
 *   { "seed": 1,                   UUIDs and boot ids are made from it
 *     "cgroup": "v2",              none, v1 or v2: how capacity is enforced
 *     "node_bytes": {"0": 8 GiB},  what its nodes hold of guests at most: a page that finds its
 *                                  node full lies on another.  Absent: there is no end to them
 *     "delays": {                  all 0 (at once) unless said
 *       "call_usec",               every call
 *       "plug_bytes_per_sec",      virtio-mem growing, each device; 0: at once
 *       "unplug_bytes_per_sec",
 *       "online_cpu_usec",         the guest takes one vCPU online or offline
 *       "unplug_cpu_usec",         the guest lets a vCPU go
 *       "unplug_timeout_usec",     a vCPU removal that the guest refuses
 *       "detach_usec",             a DIMM leaves, or is refused
 *       "boot_usec",               from start or reset until the agent speaks
 *       "size_event_usec",         at most one size event per device in this time (1000000)
 *       "move_bytes_per_sec" },    pages moved from node to node, each call; 0: at once
 *     "domains": [ {
 *       "name": "web%04u",         with a count: one %u, its width kept
 *       "count": 1, "uuid",
 *       "vcpus": 1, "vcpus_max": 4,
 *       "base_bytes": 1 GiB,       boot memory, when there are no cells
 *       "cells": [ {"node": 0, "base_bytes": 1 GiB, "device_bytes": 3 GiB,
 *                   "requested_bytes": 0, "block_bytes": 2 MiB,
 *                   "lies": {"1": 1 GiB},   where its pages are at first, by node, in this order;
 *                                  what is left out of its size was never touched.  Absent: all
 *                                  of it, on its node
 *                   "cpus": "0-3"} ],       processors that its vCPUs are pinned to by the XML
 *                                  absent: one such cell; []: a domain without NUMA or devices
 *       "own": {"0": 64 MiB},      what its hypervisor's process has beside its memory, by node
 *       "numatune": "cells",       how the XML binds memory: cells (a preferred node for each),
 *                                  none, restrictive or strict (to the nodes of all cells)
 *       "locked": false,           its pages are locked in memory
 *       "slots": 16,
 *       "run": "running",          off, running, paused
 *       "accel": "kvm",            kvm or tcg
 *       "metadata": "<...>",       lpard's element
 *       ... and any key of LP_SIM_TELL below } ] }
 *
 * What happens to the domains is kept in FILE.state/NAME.json, written after each effect, and
 * goes before FILE when the host is opened again: the guests outlive lpard, and what was in
 * motion has moved on meanwhile.  Remove FILE.state to begin anew.
 *
 * Nodes are numbers here: what they are made of, and how far apart, says lpard's --topology.  What
 * a cell gains lies on the node that it has in the XML (unbound: the first), what it loses is what
 * came last.  vCPUs that are online have all run the same time; one that is not pinned was last
 * seen on processor (its id modulo their number).
 *
 * LP_SIM_TELL: what can be changed at run time.  From outside by moving (rename, so that it is
 * whole) a file to FILE.faults/NAME.json; it is taken and removed at once when lpard watches,
 * else at the next call on that domain.
 *
 *   "agent": true                  false: nobody in the guest answers
 *   "agent_silent", "agent_nonsense": false
 *   "qga": false                   qemu-guest-agent runs in the guest, too; its calls are
 *                                  qga_look, qga_set_vcpus and qga_online_memory
 *   "qga_msec": 0                  each of these takes it so long
 *   "memory_waits": false          by the latter's word, what is plugged stays offline until
 *                                  it is told to bring it online
 *   "unmovable_bytes": 0           a shrink stops at this much plugged, all devices together
 *   "refuse_unplug": false         vCPUs and DIMMs stay
 *   "late_unplug_msec": 0          a refused vCPU leaves after this after all; 0: never
 *   "stuck_cpus": "2-3"            vCPUs that the guest can neither take online nor offline
 *   "hang_call_msec": 0            a stopped QEMU: effects on the domain block this long
 *   "hang_look": false             and so does looking at it
 *   "resident_bytes": 0            what its process holds; 0: what is plugged
 *   "fail_next": {"call": "set_requested", "error": "failed", "after_effect": false}
 *                                  call "*": any; error failed, unreachable, no-domain,
 *                                  not-running, unsupported, timeout, unknown or invalid
 *   "no_phases": false             an agent that knows nothing of phases
 *   "veto", "veto_pre": ""         why it refuses at check, or at pre
 *   "post_fails": ""               what a hook failed to do at post
 *   "answer_msec": 0               how long it takes to answer a phase
 *   "no_answer": false             it never does
 *   "leave": "2-3"                 vCPUs that it would rather lose
 *   "stop_at_bytes": 0             it says STOP when a release has come to this much plugged, and
 *   "stop_back_bytes": 0           wants so much back
 *   "ask": {"id": 1, "mode": "set", "cpu": 3, "mem_bytes": 0, "who": "etl", "why": "import"}
 *                                  it asks for another size, once; set, add or remove
 *   "used_bytes": 0                what its programs use, whatever its size; 0: half of it, and
 *                                  nothing more is said of it.  More than there is: pressure
 *   "psi_mem_centi": 0             so much at least
 *   "refaults": 0                  pages, since boot
 *   "busy_centi": 0                of all its processors
 *   "stats_total_bytes": 0         what its balloon's driver says in place of what it has; 0: that
 *   "stats_usable_bytes": 0        and of what it can use.  It says nothing without used_bytes
 *   "stats_age_sec": 0             so long ago
 *   "no_locate": false             where its memory lies cannot be seen, nor changed
 *   "move_busy_bytes": 0           so much at the beginning of each part does not move: busy
 *   "move_shared_bytes": 0         and of what comes after that: another process has it mapped
 *   "move_no_room_node": null      a node that takes no more page
 *   "move_error": ""               EPERM, ESRCH or ENODEV: what ends each move
 *   "move_stop_bytes": 0           it crashes when so many bytes of it were moved since its start
 *   "do": "reset"                  start, stop, crash, pause, resume, reset: behind lpard's back;
 *                                  save: off, and the next start goes on from there;
 *                                  migrate-begin: on its way to another host, which resume calls
 *                                  off; migrate: it has gone there, and nothing stays here
 *
 * FILE.faults/.host.json takes {"do": "disconnect"} and {"do": "connect"}. */
#ifndef LP_HOTPLUG_SIM_H
#define LP_HOTPLUG_SIM_H

#include <glib.h>
#include <stdbool.h>

/* Applies the keys above to a domain (its name), or to the host (NULL).  Any thread. */
bool lp_sim_tell(const char *uri, const char *name, const char *json, GError **error);

/* Forgets all that this process holds of the host, as kill -9 would: the next open reads the
 * files.  Main loop only; connections and watches on it must have been closed. */
void lp_sim_forget(const char *uri);

#endif
