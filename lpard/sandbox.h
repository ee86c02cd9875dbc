/* Least power: what lpard gives up at its start and cannot get back.
 *
 * Of root's capabilities it keeps those that its work beside libvirt takes; no_new_privs is set;
 * and the kernel refuses all system calls but those that lpard and its libraries make.  It cannot
 * run a program after that, and has no need to. */
#ifndef LP_LPARD_SANDBOX_H
#define LP_LPARD_SANDBOX_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "lpard/settings.h"

typedef struct {
    bool on;                      /* all of it is in force */
    const char *reason;           /* why it is not; NULL if it is */
    char **capabilities;          /* those kept, as "sys_nice"; empty for a plain user; NULL while
                                     it is off */
} LpSandbox;

/* To be called by the first thread while it is the only one, since capabilities are a thread's.
 * `hides_pages`: the host's kernel may hide on which node a page is, so that finding it takes one
 * capability more (lp_sandbox_hides_pages()).  True and off where it has to be (see lp_sandbox());
 * false if the kernel refuses. */
bool lp_sandbox_enter(const LpSettings *settings, bool hides_pages, GError **error);

/* Of a host with so many nodes. */
bool lp_sandbox_hides_pages(uint32_t n_nodes);

/* What is in force in this process; it lasts as long as that. */
const LpSandbox *lp_sandbox(void);

/* Whether libvirt's client runs programs of its own for this connection, which would inherit all
 * restrictions: a user's libvirtd (/session), or a command that carries the connection. */
bool lp_sandbox_uri_runs_programs(const char *uri);

#endif
