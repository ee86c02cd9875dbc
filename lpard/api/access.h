/* Who may do what: the peer of a connection, and what its groups or its certificate give it.
 *
 * Group names become numbers once, at start: asking the name service during a request could
 * block the main loop for as long as a directory server is away. */
#ifndef LP_LPARD_ACCESS_H
#define LP_LPARD_ACCESS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lpard/settings.h"

typedef enum {
    LP_ROLE_NONE,
    LP_ROLE_VIEWER,
    LP_ROLE_OPERATOR,
    LP_ROLE_ADMIN,
} LpRole;

/* A user at the other end of a Unix socket, or who holds a certificate's key. */
typedef struct {
    uid_t uid;
    size_t n_gids;
    gid_t *gids;                  /* its primary group and all others */
    char *fingerprint;            /* SHA-256 in hexadecimal; NULL: a user of this machine */
    char *common_name;            /* NULL: none, or not one only */
} LpPeer;

/* What a peer may: `role` for all partitions and the host, and the operator's part for the
 * partitions of some owners.  An owner sees what a viewer sees. */
typedef struct {
    LpRole role;
    uint64_t owners;              /* bit i: [owner ...] number i */
} LpGrant;

typedef struct LpAccess LpAccess;

/* Groups by name or number, and certificates as "cert:COMMON-NAME" or "cert:sha256:FINGERPRINT";
 * "*" among the viewers means every user of this machine.  A group that does not exist gives
 * nobody anything; it is added to `unknown` (of char*, may be NULL). */
LpAccess *lp_access_new(const LpSettings *settings, GPtrArray *unknown, GError **error);
void lp_access_free(LpAccess *access);

/* Root and lpard's own user are admin; else the highest role that any group, or the
 * certificate, gives, and all owners that have it as a member. */
LpGrant lp_access_grant(const LpAccess *access, const LpPeer *peer);

/* Whether `grant` is enough for what takes the role `needed` of partition `name`; NULL: of the
 * host as a whole. */
bool lp_access_may(const LpAccess *access, LpGrant grant, LpRole needed, const char *name);
/* The patterns of the partitions that it operates as an owner, as an array; caller frees. */
GPtrArray *lp_access_owned(const LpAccess *access, LpGrant grant);
/* "operator", "owner web,db"; caller frees. */
char *lp_access_role_text(const LpAccess *access, LpGrant grant);

/* The other end of a connected Unix socket, as the kernel knows it. */
bool lp_access_peer(int fd, LpPeer *ret_peer, GError **error);
/* "uid 1000", "certificate ops", "certificate sha256:..."; caller frees. */
char *lp_peer_text(const LpPeer *peer);
void lp_peer_clear(LpPeer *peer);

const char *lp_role_name(LpRole role);

/* A group by its name or number.  false: there is none of this name.  May ask a name service, and so
 * block. */
bool lp_access_group(const char *name, gid_t *ret_gid);

#endif
