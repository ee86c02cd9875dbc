/* Chance, and what happens on a host: partitions come, grow, shrink and go. */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/place-world.h"

uint64_t
chance_next(uint64_t *chance)
{
    uint64_t z = *chance += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint64_t
chance_below(uint64_t *chance, uint64_t below)
{
    return chance_next(chance) % below;
}

typedef struct {
    uint64_t node, total, unit;        /* bytes: a usual node, the host, the grain of sizes */
    uint32_t node_cpus, n_cpus;
    uint64_t *chance;
} Scale;

static uint64_t
between(const Scale *scale, uint64_t low, uint64_t high)
{
    return low + (high > low ? chance_below(scale->chance, high - low) : 0);
}

static uint64_t
whole_units(const Scale *scale, uint64_t bytes)
{
    uint64_t units = bytes / scale->unit;

    return (units > 0 ? units : 1) * scale->unit;
}

/* vCPUs go with the memory. */
static uint32_t
vcpus_for(const Want *want)
{
    uint64_t n = want->max_vcpus * (want->bytes >> 20) / (want->max_bytes >> 20);

    return n < 1 ? 1 : n > want->max_vcpus ? want->max_vcpus : (uint32_t) n;
}

/* Half of them small, a few larger than a node, and the rest between; processors mostly as
 * memory. */
static Want
draw(const Scale *scale)
{
    uint64_t node = scale->node, kind = chance_below(scale->chance, 100), bytes;
    double vcpus;
    Want want;

    bytes = kind < 50   ? between(scale, node / 32, node / 8)
            : kind < 80 ? between(scale, node / 8, node / 2)
            : kind < 95 ? between(scale, node / 2, node)
                        : between(scale, node, 2 * node);
    if (bytes > scale->total / 2)
        bytes = scale->total / 2;
    want.bytes = whole_units(scale, bytes);
    want.min_bytes = want.bytes / 3;
    want.max_bytes = whole_units(scale, want.bytes + between(scale, 0, want.bytes + 1));
    vcpus = (double) want.max_bytes / (double) node * scale->node_cpus *
            (double) between(scale, 50, 150) / 100;
    want.max_vcpus = vcpus < 1 ? 1 : vcpus > scale->n_cpus ? scale->n_cpus : (uint32_t) vcpus;
    want.vcpus = vcpus_for(&want);
    return want;
}

/* A usual node: the one in the middle of those with memory and processors. */
static void
find_scale(const LpTopology *topology, uint64_t *chance, uint64_t unit, Scale *scale)
{
    uint64_t sizes[LP_MAX_NODES];
    uint32_t n = 0;

    memset(scale, 0, sizeof(*scale));
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        uint64_t bytes = topology->nodes[i].memory_bytes;
        uint32_t cpus = lp_cpumask_count(&topology->nodes[i].cpus), at = n;

        scale->total += bytes;
        scale->n_cpus += cpus;
        if (bytes == 0 || cpus == 0)
            continue;
        for (; at > 0 && sizes[at - 1] > bytes; at--)
            sizes[at] = sizes[at - 1];
        sizes[at] = bytes;
        n++;
    }
    scale->node = n > 0 ? sizes[n / 2] : scale->total;
    scale->node_cpus = n > 0 ? scale->n_cpus / n : 1;
    scale->unit = unit > 0 ? unit : scale->node / 512 / BLOCK * BLOCK;
    if (scale->unit < BLOCK)
        scale->unit = BLOCK;
    scale->chance = chance;
}

typedef struct {
    uint32_t part;
    Want want;
} Guest;

/* One that is here grows towards its maximum or shrinks to no less than its minimum. */
static Want
redraw(const Scale *scale, const Guest *guest, bool grow)
{
    Want want = guest->want;

    if (grow)
        want.bytes = whole_units(scale, between(scale, want.bytes, want.max_bytes + scale->unit));
    else
        want.bytes = whole_units(scale, between(scale, want.min_bytes + scale->unit, want.bytes));
    want.vcpus = vcpus_for(&want);
    return want;
}

typedef struct {
    Guest *guests;
    uint32_t n_guests, n_parts;
    uint64_t used, limit;
} Guests;

static Event
come(Guests *g, const Scale *scale)
{
    Guest guest = { g->n_parts, draw(scale) };

    if (g->used + guest.want.bytes > g->limit)
        return (Event) { .kind = EVENT_NONE };
    g->used += guest.want.bytes;
    g->n_parts++;
    g->guests[g->n_guests++] = guest;
    return (Event) { EVENT_ARRIVE, guest.part, guest.want };
}

static Event
go(Guests *g, uint32_t at)
{
    Guest guest = g->guests[at];

    g->used -= guest.want.bytes;
    g->guests[at] = g->guests[--g->n_guests];
    return (Event) { EVENT_LEAVE, guest.part, { 0 } };
}

static Event
resize(Guests *g, const Scale *scale, uint32_t at, bool up)
{
    Guest *guest = &g->guests[at];
    Want want = redraw(scale, guest, up);

    if (g->used - guest->want.bytes + want.bytes > g->limit)
        return (Event) { .kind = EVENT_NONE };
    g->used += want.bytes - guest->want.bytes;
    guest->want = want;
    return (Event) { EVENT_RESIZE, guest->part, want };
}

Event *
events_make(const LpTopology *topology, uint64_t *chance, uint32_t n, uint32_t most, uint64_t unit)
{
    Guests g = { .guests = calloc(n, sizeof(*g.guests)) };
    Event *events = calloc(n, sizeof(*events));
    uint32_t target = most;
    Scale scale;

    find_scale(topology, chance, unit, &scale);
    g.limit = scale.total / 100 * most;
    for (uint32_t e = 0; e < n; e++) {
        uint32_t at = g.n_guests > 0 ? (uint32_t) chance_below(chance, g.n_guests) : 0;
        bool up = g.n_guests == 0 || g.used * 100 / scale.total < target;
        uint64_t kind = chance_below(chance, 100);

        /* Full for a while, then emptier: the tide turns now and then. */
        if (chance_below(chance, 30) == 0)
            target = most - (uint32_t) chance_below(chance, most / 2 + 1);
        if (g.n_guests == 0 || (up && kind < 55)) {
            events[e] = come(&g, &scale);
            /* No room: somebody else goes first. */
            if (events[e].kind == EVENT_NONE && g.n_guests > 0)
                events[e] = go(&g, at);
        } else if (!up && kind < 40) {
            events[e] = go(&g, at);
        } else {
            events[e] = resize(&g, &scale, at, up);
        }
    }
    free(g.guests);
    return events;
}
