/* The nearest that a partition could have its memory to its processors, alone on the host.
 *
 * With c(i) vCPUs and m(j) bytes the sum of c(i) m(j) d(i,j) is to be least, c and m each within
 * what nodes have.  For a given m the best c is plain: the nodes fill up in the order of their
 * distance to that memory; and the reverse.  So a best pair is among those where m is a corner of
 * what is possible: some nodes wholly full, one in part, the others empty.  With few nodes all
 * corners are tried, which makes the answer exact.  With many, processors as near as can be to each
 * node in turn are a start, from which m and c follow each other until neither gains. */
#include "numa/score.h"

#include <string.h>

typedef unsigned __int128 Wide;

/* Up to 8 nodes there are at most 8 * 2^7 corners, a tenth of a millisecond at the very worst. */
#define EXACT_NODES 8
/* As in score.c: no product overflows. */
#define SUM_BITS 44
/* Each step gains or ends it; this ends what rounding would keep alive. */
#define FOLLOW_STEPS 16

/* Nodes that have room or processors, numbered afresh. */
typedef struct {
    uint32_t n;
    uint64_t room[LP_MAX_NODES], cpus[LP_MAX_NODES];
    uint32_t distance[LP_MAX_NODES][LP_MAX_NODES];     /* of processors to memory */
    uint64_t memory, vcpus;
    Wide least;               /* the best found */
    uint64_t way[LP_MAX_NODES];        /* by node: its distance to all the memory that is placed */
} Search;

/* Sets the nodes up; false: it does not fit. */
static bool
prepare(const LpTopology *topology, const uint64_t *room_bytes, LpNodeSet allowed,
        uint64_t memory_bytes, uint32_t vcpus, Search *search)
{
    LpNodeSet runs = lp_score_cpu_nodes(topology, allowed);
    uint32_t node[LP_MAX_NODES];
    Wide room = 0;
    uint64_t n_cpus = 0;
    unsigned shift = 0;

    search->n = 0;
    while (memory_bytes >> shift >> SUM_BITS)
        shift++;
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        bool is_allowed = allowed & 1ULL << i;
        uint64_t bytes = room_bytes ? room_bytes[i] : topology->nodes[i].memory_bytes;
        uint32_t at = search->n;

        search->room[at] = is_allowed ? bytes >> shift : 0;
        search->cpus[at] = runs & 1ULL << i ? lp_cpumask_count(&topology->nodes[i].cpus) : 0;
        room += is_allowed ? bytes : 0;
        n_cpus += search->cpus[at];
        node[at] = i;
        if (search->room[at] > 0 || search->cpus[at] > 0)
            search->n++;
    }
    if (n_cpus == 0 || room < memory_bytes)
        return false;
    /* What was shifted out of the rooms is missed by as much at most: a part in 2^38. */
    room = 0;
    for (uint32_t i = 0; i < search->n; i++)
        room += search->room[i];
    search->memory = memory_bytes >> shift;
    if (search->memory > room)
        search->memory = (uint64_t) room;
    search->vcpus = vcpus;
    for (uint32_t i = 0; i < search->n; i++) {
        /* No processor carries more vCPUs than one must. */
        search->cpus[i] *= (vcpus + n_cpus - 1) / n_cpus;
        for (uint32_t j = 0; j < search->n; j++)
            search->distance[i][j] = lp_score_pair(topology, node[i], node[j]);
    }
    search->least = (Wide) LP_SCORE_FAR * search->memory * search->vcpus;
    return search->memory > 0;
}

static bool
fits_one_node(const Search *search)
{
    for (uint32_t i = 0; i < search->n; i++) {
        if (search->room[i] >= search->memory && search->cpus[i] >= search->vcpus)
            return true;
    }
    return false;
}

/* Gives `amount` to the nodes, the lowest `key` first, of equals the first; the sum of key times
 * what each got. */
static Wide
fill(uint32_t n, const uint64_t *key, const uint64_t *limit, uint64_t amount, uint64_t *ret_on)
{
    LpNodeSet done = 0;
    Wide sum = 0;

    if (ret_on)
        memset(ret_on, 0, n * sizeof(*ret_on));
    while (amount > 0) {
        uint32_t best = n;
        uint64_t part;

        for (uint32_t i = 0; i < n; i++) {
            if (!(done & 1ULL << i) && limit[i] > 0 && (best == n || key[i] < key[best]))
                best = i;
        }
        if (best == n)
            break;
        done |= 1ULL << best;
        part = amount < limit[best] ? amount : limit[best];
        amount -= part;
        sum += (Wide) key[best] * part;
        if (ret_on)
            ret_on[best] = part;
    }
    return sum;
}

static void
add_memory(Search *search, uint32_t node, uint64_t bytes)
{
    for (uint32_t i = 0; i < search->n; i++)
        search->way[i] += bytes * search->distance[i][node];
}

static void
take_memory(Search *search, uint32_t node, uint64_t bytes)
{
    for (uint32_t i = 0; i < search->n; i++)
        search->way[i] -= bytes * search->distance[i][node];
}

/* All corners in which exactly the nodes of `full`, and of those from `from` on any, are full. */
static void
try_corners(Search *search, LpNodeSet full, uint32_t from, uint64_t left)
{
    for (uint32_t p = 0; p < search->n; p++) {
        Wide sum;

        if (full & 1ULL << p || search->room[p] < left)
            continue;
        add_memory(search, p, left);
        sum = fill(search->n, search->way, search->cpus, search->vcpus, NULL);
        take_memory(search, p, left);
        if (sum < search->least)
            search->least = sum;
    }
    for (uint32_t i = from; i < search->n; i++) {
        if (search->room[i] == 0 || search->room[i] >= left)
            continue;
        add_memory(search, i, search->room[i]);
        try_corners(search, full | 1ULL << i, i + 1, left - search->room[i]);
        take_memory(search, i, search->room[i]);
    }
}

/* From a spread of processors: memory as near to them as can be, processors as near to that, ... */
static void
follow(Search *search, uint64_t *on_cpus)
{
    uint64_t on[LP_MAX_NODES], key[LP_MAX_NODES];

    for (int step = 0; step < FOLLOW_STEPS; step++) {
        Wide sum;

        for (uint32_t j = 0; j < search->n; j++) {
            key[j] = 0;
            for (uint32_t i = 0; i < search->n; i++)
                key[j] += on_cpus[i] * search->distance[i][j];
        }
        fill(search->n, key, search->room, search->memory, on);
        for (uint32_t i = 0; i < search->n; i++) {
            key[i] = 0;
            for (uint32_t j = 0; j < search->n; j++)
                key[i] += on[j] * search->distance[i][j];
        }
        sum = fill(search->n, key, search->cpus, search->vcpus, on_cpus);
        if (sum >= search->least)
            break;
        search->least = sum;
    }
}

/* Processors as near as can be to the memory of one node. */
static void
start_at(Search *search, uint32_t seed)
{
    uint64_t key[LP_MAX_NODES], on_cpus[LP_MAX_NODES];

    for (uint32_t i = 0; i < search->n; i++)
        key[i] = search->distance[i][seed];
    fill(search->n, key, search->cpus, search->vcpus, on_cpus);
    follow(search, on_cpus);
}

uint32_t
lp_score_best(const LpTopology *topology, const uint64_t *room_bytes, LpNodeSet allowed,
              uint64_t memory_bytes, uint32_t vcpus)
{
    Search search;

    if (memory_bytes == 0 || vcpus == 0 ||
        !prepare(topology, room_bytes, allowed, memory_bytes, vcpus, &search))
        return LP_SCORE_NONE;
    if (fits_one_node(&search))
        return LP_SCORE_MAX;
    memset(search.way, 0, sizeof(search.way));
    if (search.n <= EXACT_NODES) {
        try_corners(&search, 0, 0, search.memory);
    } else {
        for (uint32_t i = 0; i < search.n; i++)
            start_at(&search, i);
    }
    return lp_score_local_of(topology, search.least, (Wide) search.memory * search.vcpus);
}
