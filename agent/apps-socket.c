/* Making the socket for programs: where, in whose place, and for whom. */
#include "agent/apps-priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/files.h"
#include "agent/log.h"

#define LP_APPS_BACKLOG 8

static int
unix_socket(const char *path, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(ret_address->sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(ret_address->sun_path, path);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Makes way for the socket: a dead agent's is removed.  0 or an errno. */
static int
clear_path(const char *path)
{
    struct sockaddr_un address;
    struct stat info;
    int fd, error = 0;

    if (lstat(path, &info) < 0)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(info.st_mode))
        return EEXIST;
    fd = unix_socket(path, &address);
    if (fd < 0)
        return errno;
    /* Somebody listens, or has too many callers for the moment. */
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN)
        error = EADDRINUSE;
    else if (errno != ECONNREFUSED && errno != ENOENT)
        error = errno;
    close(fd);
    if (error == 0 && unlink(path) < 0 && errno != ENOENT)
        error = errno;
    return error;
}

static void
make_directory_of(const char *path)
{
    char directory[LP_CONF_TEXT_MAX];
    char *slash;

    snprintf(directory, sizeof(directory), "%s", path);
    slash = strrchr(directory, '/');
    if (slash == NULL || slash == directory)
        return;
    *slash = '\0';
    if (mkdir(directory, 0755) < 0 && errno != EEXIST)
        lp_log_warn("%s: %s", directory, strerror(errno));
}

/* The number of a group in a text like /etc/group; -1: no such line.  Not getgrnam(): a static
 * program cannot ask the system's name services. */
static int64_t
find_group(const char *text, size_t length, const char *name)
{
    size_t name_length = strlen(name);
    const char *end = text + length;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline != NULL ? newline : end;
        const char *colon;

        if ((size_t)(stop - text) > name_length && memcmp(text, name, name_length) == 0 &&
            text[name_length] == ':' &&
            (colon = memchr(text + name_length + 1, ':', (size_t)(stop - text) - name_length - 1))
                != NULL) {
            char number[16] = "";
            size_t digits = 0;

            for (colon++; colon < stop && *colon != ':' && digits < sizeof(number) - 1; colon++)
                number[digits++] = *colon;
            return lp_file_number(number, "");
        }
        text = stop + 1;
    }
    return -1;
}

static int64_t
group_number(const char *name)
{
    int64_t number = lp_file_number(name, "");
    struct stat info;
    char *text;
    int fd;

    if (number >= 0)
        return number;
    fd = open("/etc/group", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &info) == 0 && info.st_size > 0) {
        text = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (text != MAP_FAILED) {
            number = find_group(text, (size_t)info.st_size, name);
            munmap(text, (size_t)info.st_size);
        }
    }
    close(fd);
    return number;
}

/* Until here only its owner may connect: bind() made it by the umask, without a write bit for
 * anybody else. */
static void
admit_group(const char *path, const char *group)
{
    int64_t number;

    if (group[0] == '\0')
        return;
    number = group_number(group);
    if (number < 0)
        lp_log_warn("socket-group: there is no group %s; only root may use %s", group, path);
    else if (chown(path, (uid_t)-1, (gid_t)number) < 0 || chmod(path, 0660) < 0)
        lp_log_warn("%s: %s", path, strerror(errno));
}

int
lp_apps_open_socket(const char *path, const char *group)
{
    struct sockaddr_un address;
    mode_t mask;
    int fd, error;

    make_directory_of(path);
    error = clear_path(path);
    if (error != 0) {
        errno = error;
        return -1;
    }
    fd = unix_socket(path, &address);
    if (fd < 0)
        return -1;
    mask = umask(0177);
    error = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
    umask(mask);
    if (error == 0 && listen(fd, LP_APPS_BACKLOG) < 0)
        error = errno;
    if (error != 0) {
        close(fd);
        errno = error;
        return -1;
    }
    admit_group(path, group);
    return fd;
}
