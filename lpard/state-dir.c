#include "lpard/state-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lpard/error.h"

/* What lpard writes begins so; a state directory may hold other things, which are not lpard's. */
static const char *const OWN[] = { "journal.", "lpard.lock", "pools.conf", "policy" };

static bool
is_own(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(OWN); i++) {
        if (g_str_has_prefix(name, OWN[i]))
            return true;
    }
    return false;
}

/* By descriptors: between a look at a name and its use there could be something else. */
static void
close_to_others(int dir, const char *path, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
        && (status.st_mode & 077) != 0) {
        if (fchmod(fd, S_ISDIR(status.st_mode) ? 0700 : 0600) == 0)
            g_message("%s/%s could be read by others (mode %03o): it cannot any more", path, name,
                      status.st_mode & 0777);
        else
            g_warning("%s/%s can be read by others (mode %03o), and its mode cannot be set: %s",
                      path, name, status.st_mode & 0777, g_strerror(errno));
    }
    close(fd);
}

static bool
is_ours(int fd, const char *path, GError **error)
{
    struct stat status;

    if (fstat(fd, &status) < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "the state directory %s: %s", path,
                    g_strerror(errno));
        return false;
    }
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL,
                    "the state directory %s belongs to user %u, who could change the journal in "
                    "it: chown it to lpard's user, or set another `state =` in lpard.conf", path,
                    (unsigned) status.st_uid);
        return false;
    }
    if (status.st_mode & (S_IWGRP | S_IWOTH)) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL,
                    "others may write to the state directory %s (mode %04o), and so could change "
                    "the journal in it: chmod 0700 %s", path, status.st_mode & 07777, path);
        return false;
    }
    return true;
}

bool
lp_state_dir_prepare(const char *path, GError **error)
{
    g_autoptr(GDir) dir = NULL;
    const char *name;
    int fd;

    if (g_mkdir_with_parents(path, 0700) < 0
        || (fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL,
                    "the state directory %s cannot be made or opened: %s: make it with mode 0700, "
                    "or set another `state =` in lpard.conf", path, g_strerror(errno));
        return false;
    }
    if (!is_ours(fd, path, error)) {
        close(fd);
        return false;
    }
    dir = g_dir_open(path, 0, NULL);
    while (dir && (name = g_dir_read_name(dir))) {
        if (is_own(name))
            close_to_others(fd, path, name);
    }
    close(fd);
    return true;
}
