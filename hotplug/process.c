/* Which memory of a hypervisor's process is which cell's; where it lies, and moving it. */
#include "hotplug/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/driver.h"

/* QEMU aligns anonymous memory of this size and above to it, for transparent huge pages. */
#define ALIGN_BYTES (2ULL << 20)
/* Absent memory costs time to pass over, too: a million pages take the kernel some 0.1 s. */
#define MAX_LOOK_BYTES (4ULL << 30)

static bool
fail(int number, const char *what, GError **error)
{
    int code = LP_DRIVER_ERROR_FAILED;

    if (number == ESRCH)
        code = LP_DRIVER_ERROR_NOT_RUNNING;
    else if (number == EPERM || number == EACCES)
        code = LP_DRIVER_ERROR_UNSUPPORTED;
    g_set_error(error, LP_DRIVER_ERROR, code, "%s: %s%s", what,
                number == ESRCH ? "the process has ended" : g_strerror(number),
                code == LP_DRIVER_ERROR_UNSUPPORTED
                    ? "; lpard must run as root, or with CAP_SYS_PTRACE and CAP_SYS_NICE" : "");
    return false;
}

/* --- which is which --- */

static bool
could_be(const LpPageRange *range, uint64_t bytes, bool aligned)
{
    return range->end - range->start == bytes && !range->executable &&
           (!aligned || range->start % ALIGN_BYTES == 0);
}

static uint32_t
count_mapped(const LpPageRange *ranges, size_t n_ranges, uint64_t bytes, bool aligned)
{
    uint32_t n = 0;

    for (size_t i = 0; i < n_ranges; i++)
        n += could_be(&ranges[i], bytes, aligned);
    return n;
}

/* How many backends are of this size, and whether all of those are one cell's. */
static uint32_t
count_made(const LpProcess *process, uint64_t bytes, bool *ret_one_cell)
{
    uint32_t n = 0, first = 0;

    *ret_one_cell = true;
    for (uint32_t i = 0; i < process->n_backends; i++) {
        if (process->backends[i].bytes != bytes)
            continue;
        if (n++ == 0)
            first = process->backends[i].cell;
        *ret_one_cell = *ret_one_cell && process->backends[i].cell == first;
    }
    return n;
}

/* Gives the mappings of one size to the backends of that size.  Memory behind a file may lie at any page;
 * where enough are aligned, the others are the process's own. */
static bool
sort_size(const LpProcess *process, const LpPageRange *ranges, size_t n_ranges, uint64_t bytes,
          uint32_t *ret_part)
{
    bool one_cell;
    uint32_t n_made = count_made(process, bytes, &one_cell), backend = 0;
    bool aligned = count_mapped(ranges, n_ranges, bytes, true) >= n_made;

    for (size_t i = n_ranges; i-- > 0;) {
        if (!could_be(&ranges[i], bytes, aligned))
            continue;
        while (backend < process->n_backends && process->backends[backend].bytes != bytes)
            backend++;
        if (backend < process->n_backends)
            ret_part[i] = process->backends[backend++].cell;
    }
    return count_mapped(ranges, n_ranges, bytes, aligned) == n_made && one_cell;
}

bool
lp_process_sort(const LpProcess *process, const LpPageRange *ranges, size_t n_ranges,
                uint32_t *ret_part)
{
    bool exact = true;

    for (size_t i = 0; i < n_ranges; i++)
        ret_part[i] = process->n_cells;
    for (uint32_t i = 0; i < process->n_backends; i++) {
        bool seen = false;

        for (uint32_t j = 0; j < i; j++)
            seen = seen || process->backends[j].bytes == process->backends[i].bytes;
        if (!seen && process->backends[i].bytes > 0)
            exact = sort_size(process, ranges, n_ranges, process->backends[i].bytes, ret_part) &&
                    exact;
    }
    return exact;
}

/* The process's memory, part by part. */
typedef struct {
    LpPageRange *ranges;
    uint32_t *part;
    size_t n;
    LpPageRange *chosen;    /* those of one part; as many fit as there are */
    bool exact;
} Memory;

static void
memory_clear(Memory *memory)
{
    free(memory->ranges);
    g_free(memory->part);
    g_free(memory->chosen);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Memory, memory_clear)

static bool
memory_read(const LpProcess *process, Memory *memory, int *ret_number, GError **error)
{
    memory->ranges = lp_pages_ranges(process->pid, &memory->n);
    *ret_number = memory->ranges ? 0 : errno;
    if (!memory->ranges)
        return fail(*ret_number, "the mappings of the hypervisor's process cannot be read", error);
    memory->part = g_new(uint32_t, memory->n + 1);
    memory->chosen = g_new(LpPageRange, memory->n + 1);
    memory->exact = lp_process_sort(process, memory->ranges, memory->n, memory->part);
    return true;
}

static size_t
choose(Memory *memory, uint32_t part)
{
    size_t n = 0;

    for (size_t i = 0; i < memory->n; i++) {
        if (memory->part[i] == part)
            memory->chosen[n++] = memory->ranges[i];
    }
    return n;
}

/* --- where --- */

static uint64_t
resident_bytes(const LpLocalityPart *part)
{
    uint64_t sum = part->elsewhere_bytes;

    for (uint32_t i = 0; i < LP_MAX_NODES; i++)
        sum += part->on_bytes[i];
    return sum;
}

static bool
locate_part(const LpProcess *process, Memory *memory, uint32_t which, const LpTopology *topology,
            uint32_t samples, LpLocalityPart *part, uint64_t *ret_n, bool *sampled,
            GError **error)
{
    size_t n = choose(memory, which);
    uint32_t ids[LP_MAX_NODES];
    LpPagesWhere where;

    for (uint32_t i = 0; i < topology->n_nodes; i++)
        ids[i] = topology->nodes[i].id;
    if (!lp_pages_where(process->pid, memory->chosen, n, samples, ids, topology->n_nodes, &where))
        return fail(errno, "the kernel does not say where the process's pages are", error);
    memcpy(part->on_bytes, where.on_bytes, sizeof part->on_bytes);
    part->elsewhere_bytes = where.elsewhere_bytes;
    for (size_t i = 0; i < n; i++) {
        part->size_bytes += memory->chosen[i].end - memory->chosen[i].start;
        part->page_bytes = MAX(part->page_bytes, memory->chosen[i].page_bytes);
        part->shared = part->shared || (which < process->n_cells && memory->chosen[i].shared);
    }
    *ret_n = where.sampled ? where.n_resident : 0;
    *sampled = *sampled || where.sampled;
    return true;
}

static uint64_t
square_root(uint64_t number)
{
    uint64_t root = 0;

    for (uint64_t bit = UINT64_C(1) << 31; bit > 0; bit >>= 1) {
        if ((root + bit) * (root + bit) <= number)
            root += bit;
    }
    return root;
}

/* Two standard deviations of a share that is the sum of the parts' shares, at worst (a half): with w the
 * part of the memory that a part is, and n its resident samples, sqrt(sum of w^2 / n). */
static uint32_t
error_of(const LpLocality *locality, const uint64_t *n_resident, bool sampled)
{
    uint64_t whole = 0, sum = 0;

    for (uint32_t i = 0; i < locality->n_parts; i++)
        whole += resident_bytes(&locality->parts[i]);
    if (sampled && whole == 0)
        return 10000;    /* no sample met a resident page: nothing is known */
    for (uint32_t i = 0; i < locality->n_parts; i++) {
        uint64_t weight;

        if (n_resident[i] == 0 || whole == 0)
            continue;
        weight = (uint64_t)((unsigned __int128)resident_bytes(&locality->parts[i]) * 10000 / whole);
        sum += weight * weight / n_resident[i];
    }
    return (uint32_t)square_root(sum);
}

bool
lp_process_locate(const LpProcess *process, const LpTopology *topology, uint32_t samples,
                  LpLocality *ret, GError **error)
{
    uint64_t n_resident[LP_MAX_CELLS + 1];
    g_auto(Memory) memory = { 0 };
    bool sampled = false;
    int number;

    if (!memory_read(process, &memory, &number, error))
        return false;
    ret->n_parts = process->n_cells + 1;
    ret->parts = calloc(ret->n_parts, sizeof *ret->parts);
    if (!ret->parts)
        g_error("out of memory");
    for (uint32_t i = 0; i < ret->n_parts; i++) {
        if (!locate_part(process, &memory, i, topology, samples, &ret->parts[i], &n_resident[i],
                         &sampled, error))
            return false;
    }
    ret->exact_cells = memory.exact;
    ret->error_permyriad = error_of(ret, n_resident, sampled);
    return true;
}

/* --- moving --- */

static bool
fail_move(int number, int32_t node, GError **error)
{
    switch (number) {
    case ENODEV:
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "pages cannot be moved to node %d: the host has no such node, or it is offline",
                    node);
        return false;
    case EACCES:
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED,
                    "pages cannot be moved to node %d: the cpuset that the hypervisor's process is in "
                    "does not have it", node);
        return false;
    default:
        return fail(number, "pages cannot be moved", error);
    }
}

bool
lp_process_move(const LpProcess *process, const LpMoveOrder *order, LpPagesMoved *ret_moved,
                GError **error)
{
    g_auto(Memory) memory = { 0 };
    size_t n;
    int number;

    *ret_moved = (LpPagesMoved) { .range = order->range, .offset = order->offset };
    if (!memory_read(process, &memory, &number, error)) {
        ret_moved->error = number == EACCES ? EPERM : number;
        return false;
    }
    n = choose(&memory, MIN(order->part, process->n_cells));
    if (!lp_pages_move(process->pid, memory.chosen, n, order->from, order->to, order->max_bytes,
                       MAX_LOOK_BYTES, ret_moved))
        return fail_move(ret_moved->error, order->to, error);
    return true;
}
