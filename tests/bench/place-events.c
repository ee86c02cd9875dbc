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

/* Half of them small, a few larger than a node, and the rest between; processors mostly as memory. */
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

Event *
events_make(const LpTopology *topology, uint64_t *chance, uint32_t n, uint32_t most, uint64_t unit)
{
    Event *events = calloc(n, sizeof(*events));
    Guest *guests = calloc(n, sizeof(*guests));
    uint32_t n_guests = 0, n_parts = 0, target = most;
    uint64_t used = 0;
    Scale scale;

    find_scale(topology, chance, unit, &scale);
    for (uint32_t e = 0; e < n; e++) {
        Event *event = &events[e];
        uint64_t fill = used * 100 / scale.total, limit = scale.total / 100 * most;
        uint32_t at = n_guests > 0 ? (uint32_t) chance_below(chance, n_guests) : 0;
        uint64_t kind = chance_below(chance, 100);
        bool up = n_guests == 0 || fill < target;

        /* Full for a while, then emptier: the tide turns now and then. */
        if (chance_below(chance, 30) == 0)
            target = most - (uint32_t) chance_below(chance, most / 2 + 1);
        if (n_guests == 0 || (up && kind < 55)) {
            guests[n_guests].part = n_parts;
            guests[n_guests].want = draw(&scale);
            *event = (Event) { EVENT_ARRIVE, n_parts, guests[n_guests].want };
            if (used + event->want.bytes > limit) {
                /* No room: somebody else gets smaller first. */
                if (n_guests > 0) {
                    *event = (Event) { EVENT_LEAVE, guests[at].part, { 0 } };
                    used -= guests[at].want.bytes;
                    guests[at] = guests[--n_guests];
                }
                continue;
            }
            n_parts++;
            n_guests++;
            used += event->want.bytes;
            continue;
        }
        if (!up && kind < 40) {
            *event = (Event) { EVENT_LEAVE, guests[at].part, { 0 } };
            used -= guests[at].want.bytes;
            guests[at] = guests[--n_guests];
            continue;
        }
        *event = (Event) { EVENT_RESIZE, guests[at].part, redraw(&scale, &guests[at], up) };
        if (used - guests[at].want.bytes + event->want.bytes > limit)
            event->want.bytes = guests[at].want.bytes;
        used += event->want.bytes - guests[at].want.bytes;
        guests[at].want = event->want;
    }
    free(guests);
    return events;
}
