#include "lpard/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lpard/error.h"

#define SIM "sim:"
/* A URI may be longer than a file's name. */
#define DIGEST_CHARACTERS 16

/* One name for the ways to write a connection: what is asked for, without how it is carried on this
 * host and without options. */
static char *
plain_uri(const char *uri)
{
    const char *end = uri + strcspn(uri, "?#"), *plus = strstr(uri, "+unix:");

    if (!plus || plus > end)
        return g_strndup(uri, (gsize) (end - uri));
    return g_strdup_printf("%.*s%.*s", (int) (plus - uri), uri,
                           (int) (end - plus - (ptrdiff_t) strlen("+unix")),
                           plus + strlen("+unix"));
}

static char *
lock_path(const char *uri, const char *directory)
{
    g_autofree char *plain = NULL, *digest = NULL, *name = NULL;

    if (g_str_has_prefix(uri, SIM)) {
        g_autofree char *file = g_canonicalize_filename(uri + strlen(SIM), NULL);
        char *real = realpath(file, NULL);
        char *path = g_strconcat(real ? real : file, ".lock", NULL);

        free(real);
        return path;
    }
    plain = plain_uri(uri);
    digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, plain, -1);
    name = g_strdup_printf("hypervisor-%.*s.lock", DIGEST_CHARACTERS, digest);
    return g_build_filename(directory, name, NULL);
}

static int
fail(GError **error, int fd, const char *what, const char *path)
{
    g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL,
                "%s %s: %s; lpard keeps a lock there, so that no two work on one hypervisor: "
                "check the owner and mode of its directory", what, path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int
refuse(GError **error, int fd, const char *uri, const char *path)
{
    char text[24] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    int pid = n > 0 ? atoi(text) : 0;

    if (pid > 0)
        g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT,
                    "another lpard (pid %d) works on %s: stop that one, or give this one another "
                    "`connect =` (the lock is %s)", pid, uri, path);
    else
        g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT,
                    "another lpard is starting on %s: stop that one, or give this one another "
                    "`connect =` (the lock is %s)", uri, path);
    close(fd);
    return -1;
}

int
lp_instance_lock(const char *uri, const char *directory, GError **error)
{
    g_autofree char *path = lock_path(uri, directory);
    g_autofree char *pid = g_strdup_printf("%d\n", (int) getpid());
    int fd;

    if (!g_str_has_prefix(uri, SIM) && g_mkdir_with_parents(directory, 0755) < 0)
        return fail(error, -1, "cannot make the directory", directory);
    /* Who plants a link there is not to have something else written to. */
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(error, -1, "cannot open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? refuse(error, fd, uri, path)
                                    : fail(error, fd, "cannot lock", path);
    /* The file stays when lpard ends: removed, it could be locked twice. */
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) != (ssize_t) strlen(pid))
        return fail(error, fd, "cannot write to", path);
    return fd;
}
