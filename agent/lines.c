#include "agent/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/files.h"

bool
lp_lines_open(LpLines *lines, const char *format, ...)
{
    char path[LP_PATH_MAX];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    if (length < 0 || length >= LP_PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    lines->used = lines->at = 0;
    lines->cut = false;
    lines->fd = open(path, O_RDONLY | O_CLOEXEC);
    return lines->fd >= 0;
}

/* Reads on behind what is left; false at the end of the file, or on an error, which ends it too. */
static bool
fill(LpLines *lines)
{
    ssize_t n;

    if (lines->at == 0 && lines->used == sizeof(lines->bytes)) {
        lines->cut = true;
        lines->used = 0;
    }
    memmove(lines->bytes, lines->bytes + lines->at, lines->used - lines->at);
    lines->used -= lines->at;
    lines->at = 0;
    do {
        n = read(lines->fd, lines->bytes + lines->used, sizeof(lines->bytes) - lines->used);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    lines->used += (size_t)n;
    return true;
}

char *
lp_lines_next(LpLines *lines)
{
    for (;;) {
        char *line = lines->bytes + lines->at;
        char *end = memchr(line, '\n', lines->used - lines->at);
        bool cut = lines->cut;

        if (end != NULL) {
            *end = '\0';
            lines->at = (size_t)(end + 1 - lines->bytes);
            lines->cut = false;
            if (!cut)
                return line;
            continue;
        }
        if (fill(lines))
            continue;
        /* The last line may lack its newline; there is room for the NUL, or fill() had cut it. */
        if (lines->used == 0 || lines->cut)
            return NULL;
        lines->bytes[lines->used] = '\0';
        lines->at = lines->used = 0;
        return lines->bytes;
    }
}

void
lp_lines_close(LpLines *lines)
{
    close(lines->fd);
}

const char *
lp_line_value(const char *line, const char *key)
{
    size_t length = strlen(key);

    if (strncmp(line, key, length) != 0)
        return NULL;
    return line + length + strspn(line + length, " \t");
}
