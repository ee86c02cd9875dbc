#include "agent/hookdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/files.h"
#include "agent/log.h"
#include "agent/text.h"

static bool
ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);

    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* What editors and packages leave beside the file that is meant. */
static bool
is_leftover(const char *name)
{
    return name[0] == '.' || ends_with(name, "~") || ends_with(name, ".bak") ||
           ends_with(name, ".rpmsave") || ends_with(name, ".rpmnew") ||
           ends_with(name, ".rpmorig") || strstr(name, ".dpkg-") != NULL;
}

/* Whoever may write to it is as good as root, since root runs it. */
static const char *
check_owner(const struct stat *info)
{
    if (info->st_uid != 0 && info->st_uid != geteuid())
        return "it is not root's";
    if ((info->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "others than its owner can write to it";
    return NULL;
}

const char *
lp_hookdir_check(const char *directory, const char *name)
{
    char path[LP_PATH_MAX];
    struct stat info;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (stat(path, &info) < 0)
        return strerror(errno);
    if (!S_ISREG(info.st_mode))
        return "it is not a regular file";
    if ((info.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0 || access(path, X_OK) < 0)
        return "it is not executable";
    return check_owner(&info);
}

static bool
is_trusted(const char *directory, bool warn)
{
    const char *problem;
    struct stat info;

    if (stat(directory, &info) < 0) {
        if (errno != ENOENT && warn)
            lp_log_warn("no hooks: %s: %s", directory, strerror(errno));
        return false;
    }
    problem = S_ISDIR(info.st_mode) ? check_owner(&info) : "it is not a directory";
    if (problem != NULL && warn)
        lp_log_warn("no hooks: %s: %s", directory, problem);
    return problem == NULL;
}

/* NULL, or why this entry is no hook. */
static const char *
refuse(const char *directory, const char *name, unsigned n_hooks)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    if (name[strspn(name, allowed)] != '\0')
        return "its name has more than letters, digits, \".\", \"_\" and \"-\"";
    if (strlen(name) >= LP_HOOKS_NAME_MAX)
        return "its name is too long";
    if (n_hooks == LP_HOOKS_MAX)
        return "there are too many";
    return lp_hookdir_check(directory, name);
}

static int
compare(const void *a, const void *b)
{
    return strverscmp(((const LpHook *)a)->name, ((const LpHook *)b)->name);
}

unsigned
lp_hookdir_read(const char *directory, LpHook hooks[LP_HOOKS_MAX], bool warn)
{
    char name[LP_HOOKS_NAME_MAX];
    struct dirent *entry;
    unsigned n = 0;
    DIR *dir;

    if (!is_trusted(directory, warn))
        return 0;
    dir = opendir(directory);
    if (dir == NULL)
        return 0;
    while ((entry = readdir(dir)) != NULL) {
        const char *problem;

        if (is_leftover(entry->d_name))
            continue;
        problem = refuse(directory, entry->d_name, n);
        if (problem != NULL) {
            lp_text_clean(name, sizeof(name), entry->d_name);
            if (warn)
                lp_log_warn("hook %s is left out: %s", name, problem);
            continue;
        }
        snprintf(hooks[n].name, sizeof(hooks[n].name), "%s", entry->d_name);
        hooks[n++].pre_ran = 0;
    }
    closedir(dir);
    qsort(hooks, n, sizeof(hooks[0]), compare);
    return n;
}
