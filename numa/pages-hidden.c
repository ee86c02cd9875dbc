/* Pages that NUMA balancing has hidden. */
#include "numa/pages-priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of an entry of /proc/PID/pagemap: the page is in memory, and this process alone has it mapped; which
 * the kernel's page of zeros, that is nowhere, is not. */
#define PRESENT (UINT64_C(1) << 63)
#define EXCLUSIVE (UINT64_C(1) << 56)
/* Which frame it is in; 0 for who may not know (CAP_SYS_ADMIN). */
#define FRAME ((UINT64_C(1) << 55) - 1)
#define ENTRIES 512

void
lp_page_map_open(pid_t pid, LpPageMap *ret_map)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/pagemap", (int) pid);
    *ret_map = (LpPageMap) { .fd = open(path, O_RDONLY | O_CLOEXEC) };
}

void
lp_page_map_close(LpPageMap *map)
{
    int error = errno;

    if (map->fd >= 0)
        close(map->fd);
    free(map->frames);
    *map = (LpPageMap) { .fd = -1 };
    errno = error;
}

/* --- frames --- */

static void
add_frames(LpPageMap *map, uint64_t first, uint64_t n, int node)
{
    LpFrames *grown = realloc(map->frames, (map->n_frames + 1) * sizeof(*grown));

    if (!grown)
        return;    /* then the page is somewhere */
    map->frames = grown;
    grown[map->n_frames++] = (LpFrames) { .first = first, .end = first + n, .node = node };
}

/* /proc/zoneinfo: "Node 0, zone Normal", and of each zone "spanned N" before "start_pfn: N". */
static void
read_frames(LpPageMap *map)
{
    FILE *file = fopen("/proc/zoneinfo", "re");
    uint64_t number, spanned = 0;
    char line[256];
    int node = -1;

    map->know_frames = true;
    while (file && fgets(line, sizeof(line), file)) {
        int id;

        if (sscanf(line, "Node %d, zone", &id) == 1) {
            node = id;
            spanned = 0;
        } else if (sscanf(line, " spanned %" SCNu64, &number) == 1) {
            spanned = number;
        } else if (sscanf(line, " start_pfn: %" SCNu64, &number) == 1 && node >= 0 && spanned > 0) {
            add_frames(map, number, spanned, node);
        }
    }
    if (file)
        fclose(file);
}

/* Where nodes lie within each other, the smaller piece is the hole in the larger. */
static int
node_of_frame(LpPageMap *map, uint64_t frame)
{
    uint64_t best_size = UINT64_MAX;
    int node = LP_PAGE_SOMEWHERE;

    if (frame == 0)
        return node;
    if (!map->know_frames)
        read_frames(map);
    for (size_t i = 0; i < map->n_frames; i++) {
        const LpFrames *frames = &map->frames[i];

        if (frame >= frames->first && frame < frames->end &&
            frames->end - frames->first < best_size) {
            best_size = frames->end - frames->first;
            node = frames->node;
        }
    }
    return node;
}

/* --- entries --- */

static void
read_entries(LpPageMap *map, uint64_t first, unsigned long n, int *ret_node)
{
    uint64_t entries[ENTRIES];
    ssize_t got = pread(map->fd, entries, n * sizeof(entries[0]),
                        (off_t) (first * sizeof(entries[0])));
    unsigned long n_got = got > 0 ? (unsigned long) got / sizeof(entries[0]) : 0;

    for (unsigned long i = 0; i < n; i++) {
        bool there = i < n_got && (entries[i] & PRESENT) && (entries[i] & EXCLUSIVE);

        ret_node[i] = there ? node_of_frame(map, entries[i] & FRAME) : LP_PAGE_ABSENT;
    }
}

void
lp_page_map_read(LpPageMap *map, uint64_t start, uint64_t page_bytes, unsigned long n, int *ret_node)
{
    uint64_t small = (uint64_t) sysconf(_SC_PAGESIZE);

    for (unsigned long i = 0; i < n;) {
        unsigned long piece = page_bytes != small ? 1 : n - i < ENTRIES ? n - i : ENTRIES;

        if (map->fd >= 0)
            read_entries(map, (start + i * page_bytes) / small, piece, ret_node + i);
        for (unsigned long j = 0; j < piece && map->fd < 0; j++)
            ret_node[i + j] = LP_PAGE_ABSENT;
        i += piece;
    }
}

void
lp_pages_touch(pid_t pid, void *const *pages, unsigned long n)
{
    char bytes[IOV_MAX];
    struct iovec from[IOV_MAX];

    while (n > 0) {
        unsigned long piece = n < IOV_MAX ? n : IOV_MAX;
        struct iovec to = { .iov_base = bytes, .iov_len = piece };
        ssize_t got;

        for (unsigned long i = 0; i < piece; i++)
            from[i] = (struct iovec) { .iov_base = pages[i], .iov_len = 1 };
        got = process_vm_readv(pid, &to, 1, from, piece, 0);
        if (got < 0 && piece == 1)
            got = 1;    /* gone meanwhile, or not this user's to read */
        if (got < 0)
            return;
        /* It ends before the first that cannot be read. */
        piece = (unsigned long) got < piece ? (unsigned long) got + 1 : piece;
        pages += piece;
        n -= piece;
    }
}
