/* One lpard to a hypervisor: two would take each other's agents, and grant the same memory twice. */
#ifndef LP_LPARD_INSTANCE_H
#define LP_LPARD_INSTANCE_H

#include <glib.h>

/* Locks the hypervisor at `uri` until the descriptor that it returns is closed, or the process ends
 * in whatever way.  For libvirt the lock is a file in `directory` (made if there is none), so that
 * all lpards with one runtime directory see each other; for sim:FILE it lies beside that file.
 * -1 with LP_ERROR_CONFLICT: another lpard has it, whose pid the error names. */
int lp_instance_lock(const char *uri, const char *directory, GError **error);

#endif
