/* The simulated host outlives lpard in this process: nothing of it needs to be kept in files, and
 * nobody drops faults there.  Nor is memory given back to the machine each second. */
#include <gio/gio.h>

#include "hotplug/sim-host.h"

bool __wrap_lp_sim_state_save(const LpSimDomain *domain, GError **error);
bool __wrap_lp_sim_state_bury(LpSimHost *host, const char *name, GError **error);
bool __wrap_lp_sim_mailbox_take(LpSimHost *host, LpSimDomain *domain, GError **error);
GFileMonitor *__wrap_g_file_monitor_directory(GFile *file, GFileMonitorFlags flags,
                                              GCancellable *cancellable, GError **error);
int __wrap_malloc_trim(size_t pad);

int
__wrap_malloc_trim(size_t pad)
{
    (void) pad;
    return 0;
}

bool
__wrap_lp_sim_state_save(const LpSimDomain *domain, GError **error)
{
    (void) domain;
    (void) error;
    return true;
}

bool
__wrap_lp_sim_state_bury(LpSimHost *host, const char *name, GError **error)
{
    (void) host;
    (void) name;
    (void) error;
    return true;
}

bool
__wrap_lp_sim_mailbox_take(LpSimHost *host, LpSimDomain *domain, GError **error)
{
    (void) host;
    (void) domain;
    (void) error;
    return true;
}

GFileMonitor *
__wrap_g_file_monitor_directory(GFile *file, GFileMonitorFlags flags, GCancellable *cancellable,
                                GError **error)
{
    (void) file;
    (void) flags;
    (void) cancellable;
    (void) error;
    return NULL;
}
