/* lpard.conf(5): what the administrator set, checked once at start. */
#ifndef LP_LPARD_SETTINGS_H
#define LP_LPARD_SETTINGS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "lpard/settings-owner.h"
#include "policy/autoscale.h"

typedef struct {
    char *uri;                    /* [lpard] connect = qemu:///system */
    char *socket;                 /* [lpard] socket = /run/lpard/lpard.sock */
    char *state_dir;              /* [lpard] state = /var/lib/lpard */
    char *socket_group;           /* [lpard] socket-group: who may connect; NULL: everybody */
    bool no_sandbox;              /* [lpard] sandbox = on | off: the latter */
    char *topology;               /* [host] topology = synthetic or XML; NULL: this host */
    uint64_t reserve_bytes;       /* [host] memory-reserve = 512M */
    uint32_t reserve_centi;       /* [host] cpu-reserve = 0.10 */
    uint64_t overhead_bytes;      /* [host] guest-overhead = 320M */
    bool enforce_hard;            /* [host] enforce = soft | hard */
    uint32_t timeout_sec;         /* [operations] timeout = 60 */
    uint32_t keep_days;           /* [operations] keep-days = 30 */
    bool refuse_requests;         /* [guests] requests = allow | refuse */
    LpMode policy_mode;           /* [policy] mode = off | advise | auto: the most that any
                                     partition's may do */
    bool policy_burst;            /* [policy] leftovers = keep | burst: the latter */
    uint32_t policy_idle_tax_permyriad;   /* [policy] idle-tax = 75 (percent) */
    uint32_t policy_moving;       /* [policy] moving = 4: resizes of memory at once */
    uint64_t policy_history_bytes;    /* [policy] history-size = 256M */
    /* [numa] */
    bool optimize_auto;           /* optimize = manual | auto */
    uint32_t optimize_threshold;  /* threshold = 80: of the host's score; above it is good enough */
    uint32_t optimize_delta;      /* delta = 10: points to be gained, less is not worth it */
    uint64_t move_rate_bytes;     /* move-rate = 512M: a second, at most */
    uint32_t move_pressure_centi; /* move-pressure = 10: percent of the time that tasks wait for memory,
                                     host or guest; above it moving pauses */
    char **viewers, **operators, **admins;   /* [access] groups; "cert:..." are certificates */
    GPtrArray *owners;            /* of LpOwner*: [owner NAME]; NULL: none */
    /* [tls]; all NULL: not served on TCP */
    char *tls_listen;             /* listen = ADDRESS:PORT */
    char *tls_certificate, *tls_key, *tls_ca;   /* certificate, key, ca: PEM files */
    /* [limits]; 0: none */
    uint32_t max_connections;     /* connections = 1024: open at once */
    uint32_t max_connections_peer;    /* connections-per-peer = 512: of one user or certificate */
    uint32_t max_rate;            /* rate = 1000: requests of a peer in a second */
    uint32_t max_polls;           /* long-polls = 256: requests of a peer that wait */
} LpSettings;

/* Reads `path`; a missing file means defaults unless `must_exist`.  `session` picks a plain
 * user's defaults (XDG directories, qemu:///session).  An unknown group or key, or a value
 * that does not parse, is an error that names file, key and cure. */
LpSettings *lp_settings_load(const char *path, bool must_exist, bool session, GError **error);
void lp_settings_free(LpSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpSettings, lp_settings_free)

#endif
