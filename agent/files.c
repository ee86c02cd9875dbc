#include "agent/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
make_path(char *path, const char *format, va_list args)
{
    int length = vsnprintf(path, LP_PATH_MAX, format, args);

    if (length >= 0 && length < LP_PATH_MAX)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

static ssize_t
read_path(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t n = 0;
    int saved;

    if (fd < 0)
        return -1;
    /* sysfs answers in one piece, procfs may need several reads. */
    while (used < size - 1 && (n = read(fd, buf + used, size - 1 - used)) != 0) {
        if (n > 0)
            used += (size_t)n;
        else if (errno != EINTR)
            break;
    }
    saved = errno;
    close(fd);
    errno = saved;
    if (n < 0)
        return -1;
    if (used > 0 && buf[used - 1] == '\n')
        used--;
    buf[used] = '\0';
    return (ssize_t)used;
}

ssize_t
lp_file_read(char *buf, size_t size, const char *format, ...)
{
    char path[LP_PATH_MAX];
    va_list args;
    bool fits;

    va_start(args, format);
    fits = make_path(path, format, args);
    va_end(args);
    return fits ? read_path(path, buf, size) : -1;
}

bool
lp_file_read_uint(uint64_t *ret_value, const char *format, ...)
{
    char path[LP_PATH_MAX], text[32], *end;
    unsigned long long value;
    va_list args;
    bool fits;

    va_start(args, format);
    fits = make_path(path, format, args);
    va_end(args);
    if (!fits || read_path(path, text, sizeof(text)) <= 0 || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *ret_value = value;
    return true;
}

int
lp_file_write(const char *text, const char *format, ...)
{
    size_t length = strlen(text);
    char path[LP_PATH_MAX];
    int fd, result = 0;
    va_list args;
    ssize_t n;
    bool fits;

    va_start(args, format);
    fits = make_path(path, format, args);
    va_end(args);
    if (!fits)
        return ENAMETOOLONG;
    /* O_TRUNC means nothing to sysfs; in a tree of plain files it keeps old text from staying
     * behind shorter text. */
    fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0)
        return errno;
    /* Not in a loop on short writes: to sysfs each write() is a command of its own. */
    do {
        n = write(fd, text, length);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        result = errno;
    close(fd);
    return result;
}

bool
lp_file_exists(const char *format, ...)
{
    char path[LP_PATH_MAX];
    va_list args;
    bool fits;

    va_start(args, format);
    fits = make_path(path, format, args);
    va_end(args);
    return fits && access(path, F_OK) == 0;
}

int64_t
lp_file_number(const char *name, const char *prefix)
{
    size_t skip = strlen(prefix);
    uint64_t number = 0;

    if (strncmp(name, prefix, skip) != 0 || name[skip] == '\0')
        return -1;
    for (const char *p = name + skip; *p != '\0'; p++) {
        if (*p < '0' || *p > '9')
            return -1;
        number = number * 10 + (uint64_t)(*p - '0');
        if (number > UINT32_MAX)
            return -1;
    }
    return (int64_t)number;
}

bool
lp_file_each(const char *directory, const char *prefix, LpFileEach func, void *data)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    if (dir == NULL)
        return false;
    while ((entry = readdir(dir)) != NULL) {
        int64_t number = lp_file_number(entry->d_name, prefix);

        if (number >= 0)
            func((uint32_t)number, data);
    }
    closedir(dir);
    return true;
}
