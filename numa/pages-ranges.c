/* The memory of a process by /proc/PID/maps, which is made without a look at its page tables. */
#include "numa/pages.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The smallest huge page on x86: no shorter mapping has any. */
#define MIN_HUGE_BYTES (UINT64_C(2) << 20)
#define LINE_BYTES 512

/* One line of maps: 7f5c-7f5d rw-p 00000000 00:01 1024  /path (deleted) */
typedef struct {
    uint64_t start, end;
    char permissions[5];
    char path[LINE_BYTES];    /* empty: anonymous */
} Line;

static bool
parse(const char *text, Line *line)
{
    int at = 0;

    line->path[0] = '\0';
    if (sscanf(text, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %n", &line->start, &line->end,
               line->permissions, &at) != 3 ||
        at == 0 || line->end <= line->start)
        return false;
    snprintf(line->path, sizeof(line->path), "%s", text + at);
    line->path[strcspn(line->path, "\n")] = '\0';
    return true;
}

/* What is mapped from a device is not memory of the host. */
static bool
is_device(const Line *line)
{
    static const char *const PREFIXES[] = { "anon_inode:", "/sys/", "/dev/vfio/", "/dev/dri/",
                                            "/dev/kvm", "/dev/mem" };

    for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++) {
        if (strncmp(line->path, PREFIXES[i], strlen(PREFIXES[i])) == 0)
            return true;
    }
    return false;
}

/* The page size that smaps states of one mapping; 0: not found.  It is only asked where statfs() may
 * not be, since the kernel walks all page tables up to there. */
static uint64_t
page_bytes_by_smaps(pid_t pid, const Line *line)
{
    char path[64], text[LINE_BYTES];
    uint64_t start, kib, found = 0;
    bool inside = false;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/smaps", (int) pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    while (found == 0 && fgets(text, sizeof(text), file)) {
        if (sscanf(text, "%" SCNx64 "-%*x ", &start) == 1)
            inside = start == line->start;
        else if (inside && sscanf(text, "KernelPageSize: %" SCNu64, &kib) == 1)
            found = kib << 10;
    }
    fclose(file);
    return found;
}

/* Only a file of hugetlbfs has huge pages that move_pages(2) knows by their first address alone; a
 * memfd of them is one, too, though its name does not tell. */
static uint64_t
page_bytes_of(pid_t pid, const Line *line, uint64_t small)
{
    uint64_t length = line->end - line->start, found;
    char path[96];
    struct statfs fs;

    if (line->path[0] != '/' || length % MIN_HUGE_BYTES != 0 || line->start % MIN_HUGE_BYTES != 0)
        return small;
    snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int) pid, line->start,
             line->end);
    if (statfs(path, &fs) == 0)
        return fs.f_type == HUGETLBFS_MAGIC ? (uint64_t) fs.f_bsize : small;
    if (!strstr(line->path, "huge") && strncmp(line->path, "/memfd:", 7) != 0)
        return small;
    found = page_bytes_by_smaps(pid, line);
    return found > 0 ? found : small;
}

static bool
add(LpPageRange **ranges, size_t *n, size_t *room, const LpPageRange *range)
{
    if (*n == *room) {
        size_t more = *room ? *room * 2 : 64;
        LpPageRange *grown = realloc(*ranges, more * sizeof(*grown));

        if (!grown)
            return false;
        *ranges = grown;
        *room = more;
    }
    (*ranges)[(*n)++] = *range;
    return true;
}

/* Reads a line; what does not fit is passed over. */
static bool
next_line(FILE *file, char *text, size_t size)
{
    int c;

    if (!fgets(text, (int) size, file))
        return false;
    if (!strchr(text, '\n')) {
        while ((c = getc(file)) != EOF && c != '\n')
            ;
    }
    return true;
}

LpPageRange *
lp_pages_ranges(pid_t pid, size_t *ret_n)
{
    uint64_t small = (uint64_t) sysconf(_SC_PAGESIZE);
    LpPageRange *ranges = NULL;
    size_t n = 0, room = 0, n_lines = 0;
    char text[LINE_BYTES];
    int error = 0;
    Line line;
    FILE *file;

    snprintf(text, sizeof(text), "/proc/%d/maps", (int) pid);
    file = fopen(text, "re");
    if (!file) {
        if (errno == ENOENT)
            errno = ESRCH;
        return NULL;
    }
    for (; error == 0 && next_line(file, text, sizeof(text)); n_lines++) {
        LpPageRange range;

        if (!parse(text, &line) || line.permissions[1] != 'w' || is_device(&line))
            continue;
        range = (LpPageRange) {
            .start = line.start, .end = line.end, .page_bytes = page_bytes_of(pid, &line, small),
            .shared = line.permissions[3] == 's', .writable = true,
            .executable = line.permissions[2] == 'x',
        };
        if (!add(&ranges, &n, &room, &range))
            error = ENOMEM;
    }
    if (error == 0 && ferror(file))
        error = errno;
    fclose(file);
    /* A process that has ended and was not waited for has no mapping at all. */
    if (error == 0 && n_lines == 0)
        error = ESRCH;
    if (error == 0 && n == 0 && !(ranges = calloc(1, sizeof(*ranges))))
        error = ENOMEM;
    if (error != 0) {
        free(ranges);
        errno = error;
        return NULL;
    }
    *ret_n = n;
    return ranges;
}
