#include "agent/memuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/facts.h"
#include "agent/files.h"
#include "agent/lines.h"
#include "agent/text.h"

/* For naming the largest process: a guest with more than these has them looked at in part, in
 * the order of their pids; so it is if it takes longer than the time. */
#define LP_MEMUSE_PROCESSES_MAX 8192
#define LP_MEMUSE_SCAN_MSEC 200
/* Who holds less than this part of what is in use does not explain it. */
#define LP_MEMUSE_NOTABLE_PART 8

bool
lp_memuse_read(const char *procfs, LpMemUse *ret_use)
{
    uint64_t buffers = 0, cached = 0, slab = 0, huge_pages = 0, huge_page = 0, hugetlb = 0;
    LpMemUse use = { .total_bytes = 0 };
    const struct {
        const char *key;
        uint64_t *kib;
    } wanted[] = {
        { "MemTotal:", &use.total_bytes }, { "MemAvailable:", &use.available_bytes },
        { "MemFree:", &use.free_bytes }, { "Unevictable:", &use.locked_bytes },
        { "Shmem:", &use.shared_bytes }, { "Buffers:", &buffers }, { "Cached:", &cached },
        { "SReclaimable:", &slab }, { "Hugepagesize:", &huge_page }, { "Hugetlb:", &hugetlb },
        { "HugePages_Total:", &huge_pages },
    };
    bool has_available = false;
    LpLines lines;
    char *line;

    if (!lp_lines_open(&lines, "%s/meminfo", procfs))
        return false;
    while ((line = lp_lines_next(&lines)) != NULL) {
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
            const char *value = lp_line_value(line, wanted[i].key);

            if (value == NULL)
                continue;
            *wanted[i].kib = strtoull(value, NULL, 10);
            has_available = has_available || wanted[i].kib == &use.available_bytes;
        }
    }
    lp_lines_close(&lines);
    if (!has_available) {
        cached = cached > use.shared_bytes ? cached - use.shared_bytes : 0;
        use.available_bytes = use.free_bytes + buffers + cached + slab;
    }
    /* Huge pages of all sizes, where the kernel sums them up. */
    use.huge_bytes = hugetlb > 0 ? hugetlb : huge_page > 0 ? huge_pages * huge_page : 0;
    if (use.total_bytes == 0 || use.available_bytes > use.total_bytes)
        return false;
    use.total_bytes <<= 10;
    use.available_bytes <<= 10;
    use.free_bytes <<= 10;
    use.huge_bytes <<= 10;
    use.locked_bytes <<= 10;
    use.shared_bytes <<= 10;
    *ret_use = use;
    return true;
}

uint64_t
lp_memuse_used(const LpMemUse *use)
{
    return use->total_bytes - use->available_bytes;
}

typedef struct {
    const char *procfs;
    int64_t until_msec;
    unsigned n_seen;
    uint64_t page_bytes, bytes;
    uint32_t pid;
} LpHolderScan;

static void
weigh_process(uint32_t pid, void *data)
{
    LpHolderScan *scan = data;
    char text[128], *end;
    uint64_t bytes;

    if (scan->n_seen >= LP_MEMUSE_PROCESSES_MAX ||
        (scan->n_seen % 64 == 63 && lp_clock_msec() > scan->until_msec))
        return;
    scan->n_seen++;
    /* "size resident shared ..." in pages. */
    if (lp_file_read(text, sizeof(text), "%s/%u/statm", scan->procfs, pid) <= 0)
        return;
    strtoull(text, &end, 10);
    bytes = strtoull(end, NULL, 10) * scan->page_bytes;
    if (bytes > scan->bytes) {
        scan->bytes = bytes;
        scan->pid = pid;
    }
}

void
lp_memuse_largest(const char *procfs, const LpMemUse *use, char *ret_text, size_t size)
{
    LpHolderScan scan = {
        .procfs = procfs, .until_msec = lp_clock_msec() + LP_MEMUSE_SCAN_MSEC,
        .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
    };
    uint64_t least = lp_memuse_used(use) / LP_MEMUSE_NOTABLE_PART, most;
    char comm[64], name[20];

    ret_text[0] = '\0';
    lp_file_each(procfs, "", weigh_process, &scan);
    most = use->huge_bytes;
    if (use->locked_bytes > most)
        most = use->locked_bytes;
    if (use->shared_bytes > most)
        most = use->shared_bytes;
    if (scan.bytes >= most && scan.bytes > least) {
        if (lp_file_read(comm, sizeof(comm), "%s/%u/comm", procfs, scan.pid) < 0)
            comm[0] = '\0';
        lp_text_clean(name, sizeof(name), comm);
        snprintf(ret_text, size, "largest: pid %u %s %llu MiB", scan.pid, name,
                 (unsigned long long)(scan.bytes >> 20));
    } else if (most > least) {
        snprintf(ret_text, size, "%llu MiB are %s", (unsigned long long)(most >> 20),
                 most == use->huge_bytes ? "huge pages" :
                 most == use->locked_bytes ? "locked" : "in tmpfs or shared memory");
    }
}
