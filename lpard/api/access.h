/* Who may do what: the peer of a Unix socket and the role its groups give it.
 *
 * Group names become numbers once, at start: asking the name service during a request could
 * block the main loop for as long as a directory server is away. */
#ifndef LP_LPARD_ACCESS_H
#define LP_LPARD_ACCESS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lpard/settings.h"

typedef enum {
    LP_ROLE_NONE,
    LP_ROLE_VIEWER,
    LP_ROLE_OPERATOR,
    LP_ROLE_ADMIN,
} LpRole;

typedef struct {
    uid_t uid;
    size_t n_gids;
    gid_t *gids;                  /* its primary group and all others */
} LpPeer;

typedef struct LpAccess LpAccess;

/* Groups by name or number; "*" among the viewers means everybody.  A name that does not exist
 * gives nobody anything; it is added to `unknown` (of char*, may be NULL). */
LpAccess *lp_access_new(const LpSettings *settings, GPtrArray *unknown, GError **error);
void lp_access_free(LpAccess *access);

/* Root and lpard's own user are admin; else the highest role that any group gives. */
LpRole lp_access_role(const LpAccess *access, const LpPeer *peer);

/* The other end of a connected Unix socket, as the kernel knows it. */
bool lp_access_peer(int fd, LpPeer *ret_peer, GError **error);
void lp_peer_clear(LpPeer *peer);

const char *lp_role_name(LpRole role);

#endif
