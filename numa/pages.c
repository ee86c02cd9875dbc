/* Where the pages of another process are: move_pages(2) tells, asked without a node to move them to. */
#include "numa/pages-priv.h"
#include "numa/pages.h"

#include <errno.h>
#include <numa.h>
#include <string.h>

/* Node ids are below MAX_NUMNODES, 1024 on x86. */
#define MAX_NODE_ID 1024

static uint64_t
total_bytes(const LpPageRange *ranges, size_t n_ranges)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n_ranges; i++)
        sum += ranges[i].end - ranges[i].start;
    return sum;
}

/* Pages to ask about, and what is known of the answers. */
typedef struct {
    pid_t pid;
    uint8_t index_of[MAX_NODE_ID];    /* by node id: index in `node_id` plus one; 0: not there */
    void *pages[LP_PAGES_BATCH];
    uint64_t bytes[LP_PAGES_BATCH];   /* that each stands for */
    unsigned long n;
    LpPageMap map;
    LpPagesWhere *where;
} Survey;

/* Where a page is that is said to be absent. */
static int
hidden_node(Survey *survey, unsigned long i)
{
    int node;

    lp_page_map_read(&survey->map, (uint64_t) (uintptr_t) survey->pages[i], 1, 1, &node);
    return node;
}

static bool
flush(Survey *survey)
{
    int status[LP_PAGES_BATCH];

    if (survey->n == 0)
        return true;
    for (unsigned long i = 0; i < survey->n; i++)
        status[i] = -ENOENT;
    if (numa_move_pages(survey->pid, survey->n, survey->pages, NULL, status, 0) < 0) {
        errno = lp_pages_errno();
        return false;
    }
    for (unsigned long i = 0; i < survey->n; i++) {
        LpPagesWhere *where = survey->where;
        int node = status[i];

        where->looked_bytes += survey->bytes[i];
        if (lp_pages_is_absent(node))
            node = hidden_node(survey, i);
        if (node == LP_PAGE_SOMEWHERE) {
            where->hidden_bytes += survey->bytes[i];
            continue;
        }
        if (node < 0) {
            where->absent_bytes += survey->bytes[i];
            continue;
        }
        where->n_resident++;
        if (node < MAX_NODE_ID && survey->index_of[node] > 0)
            where->on_bytes[survey->index_of[node] - 1] += survey->bytes[i];
        else
            where->elsewhere_bytes += survey->bytes[i];
    }
    survey->n = 0;
    return true;
}

static bool
ask(Survey *survey, const LpPageRange *range, uint64_t offset, uint64_t bytes)
{
    uint64_t address = range->start + offset;

    /* A huge page is known by its first address only. */
    survey->pages[survey->n] = (void *) (uintptr_t) (address - address % range->page_bytes);
    survey->bytes[survey->n++] = bytes;
    return survey->n < LP_PAGES_BATCH || flush(survey);
}

static bool
ask_all(Survey *survey, const LpPageRange *ranges, size_t n_ranges)
{
    for (size_t i = 0; i < n_ranges; i++) {
        uint64_t length = ranges[i].end - ranges[i].start, page = ranges[i].page_bytes;

        for (uint64_t offset = 0; offset < length; offset += page) {
            if (!ask(survey, &ranges[i], offset, length - offset < page ? length - offset : page))
                return false;
        }
    }
    return flush(survey);
}

/* A number that is without pattern in i: the finishing steps of the generator splitmix64. */
static uint64_t
scramble(uint64_t i)
{
    i += UINT64_C(0x9e3779b97f4a7c15);
    i = (i ^ (i >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    i = (i ^ (i >> 27)) * UINT64_C(0x94d049bb133111eb);
    return i ^ (i >> 31);
}

static bool
ask_some(Survey *survey, const LpPageRange *ranges, uint64_t total, uint32_t samples)
{
    uint64_t before = 0;    /* bytes in ranges before this one */
    size_t range = 0;

    for (uint32_t i = 0; i < samples; i++) {
        uint64_t first = (uint64_t) ((unsigned __int128) total * i / samples);
        uint64_t end = (uint64_t) ((unsigned __int128) total * (i + 1) / samples);
        uint64_t at = first + scramble(i) % (end - first);

        while (at - before >= ranges[range].end - ranges[range].start) {
            before += ranges[range].end - ranges[range].start;
            range++;
        }
        if (!ask(survey, &ranges[range], at - before, end - first))
            return false;
    }
    return flush(survey);
}

/* Adds what is hidden to what is seen, in proportion. */
static void
share_hidden(LpPagesWhere *where)
{
    uint64_t seen = where->looked_bytes - where->absent_bytes - where->hidden_bytes, given = 0;

    for (uint32_t i = 0; i < LP_MAX_NODES && seen > 0; i++) {
        uint64_t share = (uint64_t) ((unsigned __int128) where->hidden_bytes * where->on_bytes[i] /
                                     seen);

        where->on_bytes[i] += share;
        given += share;
    }
    if (seen == 0 || where->elsewhere_bytes > 0) {
        where->elsewhere_bytes += where->hidden_bytes - given;
        return;
    }
    for (uint32_t i = 0; i < LP_MAX_NODES && given < where->hidden_bytes; i++) {
        if (where->on_bytes[i] > 0) {
            where->on_bytes[i] += where->hidden_bytes - given;    /* a rounding's worth */
            break;
        }
    }
}

bool
lp_pages_where(pid_t pid, const LpPageRange *ranges, size_t n_ranges, uint32_t samples,
               const uint32_t *node_id, uint32_t n_nodes, LpPagesWhere *ret)
{
    uint64_t total = total_bytes(ranges, n_ranges), n_pages = 0;
    Survey survey;
    bool ok;

    survey.pid = pid;
    survey.n = 0;
    survey.where = ret;
    memset(survey.index_of, 0, sizeof(survey.index_of));
    for (uint32_t i = 0; i < n_nodes && i < LP_MAX_NODES; i++) {
        if (node_id[i] < MAX_NODE_ID)
            survey.index_of[node_id[i]] = (uint8_t) (i + 1);
    }
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < n_ranges; i++)
        n_pages += (ranges[i].end - ranges[i].start) / ranges[i].page_bytes;
    ret->sampled = samples > 0 && samples < n_pages;
    lp_page_map_open(pid, &survey.map);
    ok = ret->sampled ? ask_some(&survey, ranges, total, samples)
                      : ask_all(&survey, ranges, n_ranges);
    lp_page_map_close(&survey.map);
    if (ok)
        share_hidden(ret);
    return ok;
}
