/* libcgroup's parts that read its own configuration look users and groups up.  This program calls
 * none of them, but linked statically it would bring them along, and with them glibc's name
 * service, which a static program can only use with the very same glibc installed.  So here
 * nobody is known. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

struct passwd *
getpwnam(const char *name)
{
    (void)name;
    return NULL;
}

struct passwd *
getpwuid(uid_t uid)
{
    (void)uid;
    return NULL;
}

int
getpwnam_r(const char *name, struct passwd *entry, char *buf, size_t size, struct passwd **result)
{
    (void)name;
    (void)entry;
    (void)buf;
    (void)size;
    *result = NULL;
    return ENOENT;
}

struct group *
getgrnam(const char *name)
{
    (void)name;
    return NULL;
}

struct group *
getgrgid(gid_t gid)
{
    (void)gid;
    return NULL;
}

int
getgrnam_r(const char *name, struct group *entry, char *buf, size_t size, struct group **result)
{
    (void)name;
    (void)entry;
    (void)buf;
    (void)size;
    *result = NULL;
    return ENOENT;
}
