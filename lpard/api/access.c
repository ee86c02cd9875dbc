#include "lpard/api/access.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lpard/error.h"

/* The kernel's own limit of supplementary groups. */
#define PEER_GROUPS_MAX 65536

/* "cert:NAME" and "cert:sha256:FINGERPRINT" in a list of members. */
#define CERTIFICATE_PREFIX "cert:"
#define FINGERPRINT_PREFIX "sha256:"
#define SHA256_DIGITS 64

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59          /* Linux 4.13; missing from older C libraries' headers */
#endif

/* Members of a role or of an owner. */
typedef struct {
    GArray *gids;
    GPtrArray *names;             /* of char*: common names */
    GPtrArray *fingerprints;      /* of char* */
} Members;

typedef struct {
    char *name;
    Members members;
    GPtrArray *patterns;          /* of char* */
} Owner;

struct LpAccess {
    uid_t own_uid;
    bool everybody_views;
    Members roles[LP_ROLE_ADMIN + 1];
    GPtrArray *owners;            /* of Owner* */
};

static void
init_members(Members *members)
{
    members->gids = g_array_new(FALSE, FALSE, sizeof(gid_t));
    members->names = g_ptr_array_new_with_free_func(g_free);
    members->fingerprints = g_ptr_array_new_with_free_func(g_free);
}

static void
clear_members(Members *members)
{
    g_array_unref(members->gids);
    g_ptr_array_unref(members->names);
    g_ptr_array_unref(members->fingerprints);
}

static void
free_owner(void *data)
{
    Owner *owner = data;

    clear_members(&owner->members);
    g_ptr_array_unref(owner->patterns);
    g_free(owner->name);
    g_free(owner);
}

bool
lp_access_group(const char *name, gid_t *ret_gid)
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

/* Hexadecimal digits with or without colons between them, as tools print them. */
static char *
read_fingerprint(const char *text)
{
    GString *hex = g_string_new(NULL);

    for (; *text; text++) {
        if (g_ascii_isxdigit(*text))
            g_string_append_c(hex, g_ascii_tolower(*text));
        else if (*text != ':')
            break;
    }
    if (!*text && hex->len == SHA256_DIGITS)
        return g_string_free(hex, FALSE);
    g_string_free(hex, TRUE);
    return NULL;
}

static bool
add_certificate(Members *members, const char *text, GError **error)
{
    if (g_str_has_prefix(text, FINGERPRINT_PREFIX)) {
        char *fingerprint = read_fingerprint(text + strlen(FINGERPRINT_PREFIX));

        if (fingerprint) {
            g_ptr_array_add(members->fingerprints, fingerprint);
            return true;
        }
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "lpard.conf: cert:%.80s is no fingerprint: it has 64 hexadecimal digits; "
                    "`openssl x509 -in FILE -noout -fingerprint -sha256` prints it", text);
        return false;
    }
    if (*text) {
        g_ptr_array_add(members->names, g_strdup(text));
        return true;
    }
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                "lpard.conf: \"cert:\" lacks the common name of a certificate behind it");
    return false;
}

static bool
add_members(Members *members, char *const *words, GPtrArray *unknown, GError **error)
{
    for (; words && *words; words++) {
        gid_t gid;

        if (g_str_has_prefix(*words, CERTIFICATE_PREFIX)) {
            if (!add_certificate(members, *words + strlen(CERTIFICATE_PREFIX), error))
                return false;
        } else if (lp_access_group(*words, &gid)) {
            g_array_append_val(members->gids, gid);
        } else if (unknown) {
            g_ptr_array_add(unknown, g_strdup(*words));
        }
    }
    return true;
}

static bool
add_role(LpAccess *access, LpRole role, char *const *words, GPtrArray *unknown, GError **error)
{
    g_autoptr(GPtrArray) others = g_ptr_array_new();

    for (; words && *words; words++) {
        if (strcmp(*words, "*") != 0) {
            g_ptr_array_add(others, *words);
        } else if (role == LP_ROLE_VIEWER) {
            access->everybody_views = true;
        } else {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                        "[access] %ss = *: everybody may be a viewer at most; name the "
                        "groups whose members are %ss", lp_role_name(role),
                        lp_role_name(role));
            return false;
        }
    }
    g_ptr_array_add(others, NULL);
    return add_members(&access->roles[role], (char **)others->pdata, unknown, error);
}

static bool
add_owner(LpAccess *access, const LpOwner *described, GPtrArray *unknown, GError **error)
{
    Owner *owner = g_new0(Owner, 1);

    owner->name = g_strdup(described->name);
    owner->patterns = g_ptr_array_new_with_free_func(g_free);
    for (char **pattern = described->partitions; *pattern; pattern++)
        g_ptr_array_add(owner->patterns, g_strdup(*pattern));
    init_members(&owner->members);
    g_ptr_array_add(access->owners, owner);
    if (g_strv_contains((const char *const *)described->members, "*")) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "[owner %s] members = *: not everybody can be an owner; name the groups",
                    owner->name);
        return false;
    }
    return add_members(&owner->members, described->members, unknown, error);
}

LpAccess *
lp_access_new(const LpSettings *settings, GPtrArray *unknown, GError **error)
{
    LpAccess *access = g_new0(LpAccess, 1);
    bool good;

    access->own_uid = getuid();
    access->owners = g_ptr_array_new_with_free_func(free_owner);
    for (unsigned role = 0; role <= LP_ROLE_ADMIN; role++)
        init_members(&access->roles[role]);
    good = add_role(access, LP_ROLE_VIEWER, settings->viewers, unknown, error) &&
           add_role(access, LP_ROLE_OPERATOR, settings->operators, unknown, error) &&
           add_role(access, LP_ROLE_ADMIN, settings->admins, unknown, error);
    for (guint i = 0; good && settings->owners && i < settings->owners->len; i++)
        good = add_owner(access, g_ptr_array_index(settings->owners, i), unknown, error);
    if (good)
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
        clear_members(&access->roles[role]);
    g_ptr_array_unref(access->owners);
    g_free(access);
}

static bool
has(const GPtrArray *texts, const char *text)
{
    for (guint i = 0; text && i < texts->len; i++) {
        if (strcmp(g_ptr_array_index(texts, i), text) == 0)
            return true;
    }
    return false;
}

static bool
is_member(const Members *members, const LpPeer *peer)
{
    if (peer->fingerprint)
        return has(members->fingerprints, peer->fingerprint) ||
               has(members->names, peer->common_name);
    for (guint i = 0; i < members->gids->len; i++) {
        for (size_t j = 0; j < peer->n_gids; j++) {
            if (g_array_index(members->gids, gid_t, i) == peer->gids[j])
                return true;
        }
    }
    return false;
}

static LpRole
role_of(const LpAccess *access, const LpPeer *peer)
{
    bool is_user = !peer->fingerprint;

    if (is_user && (peer->uid == 0 || peer->uid == access->own_uid))
        return LP_ROLE_ADMIN;
    for (unsigned role = LP_ROLE_ADMIN; role > LP_ROLE_NONE; role--) {
        if (is_member(&access->roles[role], peer))
            return role;
    }
    return is_user && access->everybody_views ? LP_ROLE_VIEWER : LP_ROLE_NONE;
}

LpGrant
lp_access_grant(const LpAccess *access, const LpPeer *peer)
{
    LpGrant grant = {.role = role_of(access, peer)};

    for (guint i = 0; i < access->owners->len; i++) {
        const Owner *owner = g_ptr_array_index(access->owners, i);

        if (is_member(&owner->members, peer))
            grant.owners |= G_GUINT64_CONSTANT(1) << i;
    }
    if (grant.owners && grant.role == LP_ROLE_NONE)
        grant.role = LP_ROLE_VIEWER;
    return grant;
}

static bool
owns(LpGrant grant, guint i)
{
    return grant.owners >> i & 1;
}

bool
lp_access_may(const LpAccess *access, LpGrant grant, LpRole needed, const char *name)
{
    if (grant.role >= needed)
        return true;
    if (needed != LP_ROLE_OPERATOR || !name)
        return false;
    for (guint i = 0; i < access->owners->len; i++) {
        const Owner *owner = g_ptr_array_index(access->owners, i);

        for (guint j = 0; owns(grant, i) && j < owner->patterns->len; j++) {
            if (g_pattern_match_simple(g_ptr_array_index(owner->patterns, j), name))
                return true;
        }
    }
    return false;
}

GPtrArray *
lp_access_owned(const LpAccess *access, LpGrant grant)
{
    GPtrArray *patterns = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < access->owners->len; i++) {
        const Owner *owner = g_ptr_array_index(access->owners, i);

        for (guint j = 0; owns(grant, i) && j < owner->patterns->len; j++)
            g_ptr_array_add(patterns, g_strdup(g_ptr_array_index(owner->patterns, j)));
    }
    return patterns;
}

char *
lp_access_role_text(const LpAccess *access, LpGrant grant)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (grant.role >= LP_ROLE_OPERATOR || !grant.owners)
        return g_strdup(lp_role_name(grant.role));
    for (guint i = 0; i < access->owners->len; i++) {
        const Owner *owner = g_ptr_array_index(access->owners, i);

        if (owns(grant, i))
            g_string_append_printf(text, "%s%s", text->len ? "," : "owner ", owner->name);
    }
    return g_strdup(text->str);
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

char *
lp_peer_text(const LpPeer *peer)
{
    if (!peer->fingerprint)
        return g_strdup_printf("uid %u", (unsigned)peer->uid);
    if (peer->common_name)
        return g_strdup_printf("certificate %s", peer->common_name);
    return g_strdup_printf("certificate sha256:%s", peer->fingerprint);
}

void
lp_peer_clear(LpPeer *peer)
{
    g_clear_pointer(&peer->fingerprint, g_free);
    g_clear_pointer(&peer->common_name, g_free);
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
