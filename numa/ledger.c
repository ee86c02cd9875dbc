/* Sums of what domains are counted at, by node. */
#include "numa/ledger.h"

#include <stddef.h>
#include <string.h>

#define MIB_SHIFT 20

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
left_of(uint64_t whole, uint64_t taken)
{
    return whole > taken ? whole - taken : 0;
}

void
lp_charge_clear(LpCharge *charge)
{
    /* The parts beyond n_parts are never read. */
    memset(charge, 0, offsetof(LpCharge, parts));
    charge->loose_vcpus = charge->centi = 0;
}

void
lp_charge_add(LpCharge *charge, const LpTopology *topology, int node, uint64_t bytes,
              uint32_t vcpus, uint64_t coming_bytes)
{
    uint32_t at = 0;

    if (node < 0 || node >= (int) topology->n_nodes || node >= LP_MAX_NODES) {
        charge->loose_vcpus += vcpus;
        return;
    }
    while (at < charge->n_parts && charge->parts[at].node != node)
        at++;
    if (at == charge->n_parts) {
        memset(&charge->parts[at], 0, sizeof(charge->parts[at]));
        charge->parts[at].node = (uint16_t) node;
        charge->n_parts++;
    }
    charge->parts[at].vcpus += vcpus;
    charge->parts[at].bytes = min_u64(charge->parts[at].bytes + min_u64(bytes, LP_LEDGER_MOST),
                                      LP_LEDGER_MOST);
    charge->parts[at].coming_bytes =
        min_u64(charge->parts[at].coming_bytes + min_u64(coming_bytes, LP_LEDGER_MOST),
                LP_LEDGER_MOST);
}

void
lp_charge_close(LpCharge *charge, uint64_t bytes)
{
    uint64_t rest = charge->bytes = min_u64(bytes, LP_LEDGER_MOST);

    for (uint32_t i = 0; i < charge->n_parts; i++)
        rest = left_of(rest, charge->parts[i].bytes);
    charge->loose_mib = rest >> MIB_SHIFT;
}

void
lp_ledger_add(LpLedger *ledger, const LpCharge *charge)
{
    ledger->bytes += charge->bytes;
    ledger->loose_mib += charge->loose_mib;
    ledger->loose_vcpus += charge->loose_vcpus;
    ledger->centi += charge->centi;
    for (uint32_t i = 0; i < charge->n_parts; i++) {
        uint16_t node = charge->parts[i].node;

        ledger->on_bytes[node] += charge->parts[i].bytes + charge->parts[i].coming_bytes;
        ledger->vcpus[node] += charge->parts[i].vcpus;
        if (charge->placed)
            ledger->placed_bytes[node] += charge->parts[i].bytes + charge->parts[i].coming_bytes;
    }
}

void
lp_ledger_remove(LpLedger *ledger, const LpCharge *charge)
{
    ledger->bytes -= charge->bytes;
    ledger->loose_mib -= charge->loose_mib;
    ledger->loose_vcpus -= charge->loose_vcpus;
    ledger->centi -= charge->centi;
    for (uint32_t i = 0; i < charge->n_parts; i++) {
        uint16_t node = charge->parts[i].node;

        ledger->on_bytes[node] -= charge->parts[i].bytes + charge->parts[i].coming_bytes;
        ledger->vcpus[node] -= charge->parts[i].vcpus;
        if (charge->placed)
            ledger->placed_bytes[node] -= charge->parts[i].bytes + charge->parts[i].coming_bytes;
    }
}

static uint64_t
part_of(const LpTopology *topology, uint64_t all_mib, uint32_t node, uint64_t mib)
{
    uint64_t of_node = topology->nodes[node].memory_bytes >> MIB_SHIFT;

    if (all_mib == 0)
        return 0;
    return (uint64_t) ((unsigned __int128) mib * of_node / all_mib) << MIB_SHIFT;
}

uint64_t
lp_ledger_part(const LpTopology *topology, uint32_t node, uint64_t bytes)
{
    return part_of(topology, lp_topology_memory(topology) >> MIB_SHIFT, node, bytes >> MIB_SHIFT);
}

static void
fill_rooms(const LpTopology *topology, uint64_t loose_mib, uint64_t beside,
           uint64_t ret_rooms[LP_MAX_NODES])
{
    uint64_t all_mib = lp_topology_memory(topology) >> MIB_SHIFT;

    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        uint64_t shared = part_of(topology, all_mib, n, loose_mib) +
                          part_of(topology, all_mib, n, beside >> MIB_SHIFT);

        ret_rooms[n] = left_of(topology->nodes[n].memory_bytes, shared);
    }
}

/* What a node is counted at beyond what it has lies on others: the nearest with room. */
static void
spill(const LpTopology *topology, uint32_t node, uint64_t over, uint64_t *rooms)
{
    while (over > 0) {
        int best = -1;
        uint64_t part;

        for (uint32_t n = 0; n < topology->n_nodes; n++) {
            if (rooms[n] > 0 && (best < 0 || topology->distance[node][n] <
                                                 topology->distance[node][best]))
                best = (int) n;
        }
        if (best < 0)
            return;
        part = min_u64(rooms[best], over);
        rooms[best] -= part;
        over -= part;
    }
}

void
lp_ledger_rooms(const LpLedger *ledger, const LpTopology *topology, uint64_t beside,
                const LpCharge *without, uint64_t ret_rooms[LP_MAX_NODES])
{
    uint64_t own[LP_MAX_NODES] = { 0 }, over[LP_MAX_NODES];

    /* What is coming is no room for itself either. */
    for (uint32_t i = 0; without && i < without->n_parts; i++)
        own[without->parts[i].node] = without->parts[i].bytes;
    fill_rooms(topology, ledger->loose_mib - (without ? without->loose_mib : 0), beside, ret_rooms);
    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        uint64_t taken = ledger->on_bytes[n] - own[n];

        over[n] = left_of(taken, ret_rooms[n]);
        ret_rooms[n] = left_of(ret_rooms[n], taken);
    }
    for (uint32_t n = 0; n < topology->n_nodes; n++)
        spill(topology, n, over[n], ret_rooms);
}

void
lp_ledger_placeable(const LpLedger *ledger, const LpTopology *topology, uint64_t beside,
                    uint64_t ret_rooms[LP_MAX_NODES])
{
    fill_rooms(topology, ledger->loose_mib, beside, ret_rooms);
    for (uint32_t n = 0; n < topology->n_nodes; n++)
        ret_rooms[n] = left_of(ret_rooms[n], ledger->on_bytes[n] - ledger->placed_bytes[n]);
}

void
lp_ledger_vcpus(const LpLedger *ledger, const LpTopology *topology,
                uint32_t ret_vcpus[LP_MAX_NODES])
{
    uint64_t cpus = 0;

    for (uint32_t n = 0; n < topology->n_nodes; n++)
        cpus += lp_cpumask_count(&topology->nodes[n].cpus);
    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        uint64_t of_node = lp_cpumask_count(&topology->nodes[n].cpus);

        ret_vcpus[n] = ledger->vcpus[n] +
                       (cpus ? (uint32_t) (ledger->loose_vcpus * of_node / cpus) : 0);
    }
}
