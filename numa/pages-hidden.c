/* Pages that NUMA balancing has hidden. */
#include "numa/pages-priv.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of an entry of /proc/PID/pagemap: the page is in memory, and this process alone has it mapped; which
 * the kernel's page of zeros, that is nowhere, is not. */
#define PRESENT (UINT64_C(1) << 63)
#define EXCLUSIVE (UINT64_C(1) << 56)
#define ENTRIES 512

int
lp_pages_map_open(pid_t pid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/pagemap", (int) pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void
read_entries(int map, uint64_t first, unsigned long n, bool *ret_there)
{
    uint64_t entries[ENTRIES];
    ssize_t got = pread(map, entries, n * sizeof(entries[0]), (off_t) (first * sizeof(entries[0])));
    unsigned long n_got = got > 0 ? (unsigned long) got / sizeof(entries[0]) : 0;

    for (unsigned long i = 0; i < n; i++)
        ret_there[i] = i < n_got && (entries[i] & PRESENT) && (entries[i] & EXCLUSIVE);
}

void
lp_pages_map_read(int map, uint64_t start, uint64_t page_bytes, unsigned long n, bool *ret_there)
{
    uint64_t small = (uint64_t) sysconf(_SC_PAGESIZE);

    for (unsigned long i = 0; i < n;) {
        unsigned long piece = page_bytes > small ? 1 : n - i < ENTRIES ? n - i : ENTRIES;

        read_entries(map, (start + i * page_bytes) / small, piece, ret_there + i);
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
