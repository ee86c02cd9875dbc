#include "lpard/api/access.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lpard/error.h"

/* The kernel's own limit of supplementary groups. */
#define PEER_GROUPS_MAX 65536

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59          /* Linux 4.13; missing from older C libraries' headers */
#endif

struct LpAccess {
    uid_t own_uid;
    bool everybody_views;
    GArray *gids[LP_ROLE_ADMIN + 1];
};

static bool
group_number(const char *name, gid_t *ret_gid)
{
    guint64 number;
    const struct group *group;

    if (g_ascii_string_to_unsigned(name, 10, 0, G_MAXUINT32 - 1, &number, NULL)) {
        *ret_gid = (gid_t)number;
        return true;
    }
    group = getgrnam(name);
    if (!group)
        return false;
    *ret_gid = group->gr_gid;
    return true;
}

static bool
resolve(LpAccess *access, LpRole role, char *const *names, GPtrArray *unknown, GError **error)
{
    for (; names && *names; names++) {
        gid_t gid;

        if (strcmp(*names, "*") == 0) {
            if (role != LP_ROLE_VIEWER) {
                g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                            "[access] %ss = *: everybody may be a viewer at most; name the "
                            "groups whose members are %ss", lp_role_name(role),
                            lp_role_name(role));
                return false;
            }
            access->everybody_views = true;
        } else if (group_number(*names, &gid)) {
            g_array_append_val(access->gids[role], gid);
        } else if (unknown) {
            g_ptr_array_add(unknown, g_strdup(*names));
        }
    }
    return true;
}

LpAccess *
lp_access_new(const LpSettings *settings, GPtrArray *unknown, GError **error)
{
    LpAccess *access = g_new0(LpAccess, 1);

    access->own_uid = getuid();
    for (unsigned role = 0; role <= LP_ROLE_ADMIN; role++)
        access->gids[role] = g_array_new(FALSE, FALSE, sizeof(gid_t));
    if (resolve(access, LP_ROLE_VIEWER, settings->viewers, unknown, error) &&
        resolve(access, LP_ROLE_OPERATOR, settings->operators, unknown, error) &&
        resolve(access, LP_ROLE_ADMIN, settings->admins, unknown, error))
        return access;
    lp_access_free(access);
    return NULL;
}

void
lp_access_free(LpAccess *access)
{
    if (!access)
        return;
    for (unsigned role = 0; role <= LP_ROLE_ADMIN; role++)
        g_array_unref(access->gids[role]);
    g_free(access);
}

static bool
any_in(const GArray *gids, const LpPeer *peer)
{
    for (guint i = 0; i < gids->len; i++) {
        for (size_t j = 0; j < peer->n_gids; j++) {
            if (g_array_index(gids, gid_t, i) == peer->gids[j])
                return true;
        }
    }
    return false;
}

LpRole
lp_access_role(const LpAccess *access, const LpPeer *peer)
{
    if (peer->uid == 0 || peer->uid == access->own_uid)
        return LP_ROLE_ADMIN;
    for (unsigned role = LP_ROLE_ADMIN; role > LP_ROLE_NONE; role--) {
        if (any_in(access->gids[role], peer))
            return role;
    }
    return access->everybody_views ? LP_ROLE_VIEWER : LP_ROLE_NONE;
}

/* SO_PEERCRED has only the primary group; the others come apart from it. */
static bool
peer_groups(int fd, gid_t primary, LpPeer *ret_peer)
{
    socklen_t size = 64 * sizeof(gid_t);
    g_autofree gid_t *gids = g_malloc(size);

    while (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &size) < 0) {
        /* ERANGE tells the size that is needed. */
        if (errno != ERANGE || size > PEER_GROUPS_MAX * sizeof(gid_t))
            return false;
        gids = g_realloc(gids, size);
    }
    ret_peer->n_gids = size / sizeof(gid_t) + 1;
    ret_peer->gids = g_new(gid_t, ret_peer->n_gids);
    ret_peer->gids[0] = primary;
    memcpy(ret_peer->gids + 1, gids, size);
    return true;
}

bool
lp_access_peer(int fd, LpPeer *ret_peer, GError **error)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0 ||
        credentials.uid == (uid_t)-1 || !peer_groups(fd, credentials.gid, ret_peer)) {
        g_set_error(error, LP_ERROR, LP_ERROR_FORBIDDEN,
                    "the kernel does not tell who is at the other end of the socket: %s",
                    g_strerror(errno));
        return false;
    }
    ret_peer->uid = credentials.uid;
    return true;
}

void
lp_peer_clear(LpPeer *peer)
{
    g_clear_pointer(&peer->gids, g_free);
    peer->n_gids = 0;
}

const char *
lp_role_name(LpRole role)
{
    switch (role) {
    case LP_ROLE_NONE:
        return "none";
    case LP_ROLE_VIEWER:
        return "viewer";
    case LP_ROLE_OPERATOR:
        return "operator";
    case LP_ROLE_ADMIN:
        return "admin";
    }
    return "none";
}
