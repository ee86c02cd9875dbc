/* Memory shared out, node by node.  A partition's memory lies in equal parts in its cells, so it
 * can have no more than its scarcest node gives for each cell there. */
#include "policy/round.h"

/* What a partition cannot have on one node it does not hold on its others: so often are those
 * shared out again.  Each time wants only fall. */
#define PASSES 2

static uint64_t
room_of(const LpRound *round, uint32_t node)
{
    return lp_sat_sub(round->capacity[node], round->held[node]);
}

/* by_node: the extents that share, node by node; ends[j] is where node j's end. */
static void
sort_by_node(LpRound *round, size_t *ends)
{
    const LpPolicy *room = round->room;
    size_t at = 0;

    for (uint32_t j = 0; j < LP_POLICY_NODES; j++)
        ends[j] = 0;
    for (size_t e = 0; e < round->n_extents; e++)
        if (room->items[room->extents[e].item].part == LP_PART_IN)
            ends[room->extents[e].node]++;
    for (uint32_t j = 0; j < LP_POLICY_NODES; j++) {
        size_t n = ends[j];

        ends[j] = at;
        at += n;
    }
    for (size_t e = 0; e < round->n_extents; e++)
        if (room->items[room->extents[e].item].part == LP_PART_IN)
            room->by_node[ends[room->extents[e].node]++] = (uint32_t)e;
}

/* One that lies on several nodes wants no more than the scarcest gives. */
static uint64_t
want_of(const LpItem *item, const LpExtent *extent, uint64_t bytes)
{
    if (item->n_extents > 1 && item->target < bytes)
        bytes = item->target;
    return lp_part_up(bytes, extent->cells, item->n_cells);
}

static LpClaim
claim_of(const LpItem *item, const LpExtent *extent, uint64_t want)
{
    return (LpClaim){
        .key = item->key,
        .floor = lp_part_up(item->floor, extent->cells, item->n_cells),
        .entitled = lp_part_up(item->entitled, extent->cells, item->n_cells),
        .want = want_of(item, extent, want),
        .weight = item->weight,
        .priority = item->priority,
        .group = LP_SHARE_ALONE,
    };
}

/* The one with the most, by whom the others of this node are told who is ahead. */
static void
name_rivals(LpRound *round, const uint32_t *extents, size_t n)
{
    LpPolicy *room = round->room;
    const LpExtent *first = NULL, *second = NULL;

    for (size_t i = 0; i < n; i++) {
        const LpExtent *e = &room->extents[extents[i]];
        uint64_t key = room->items[e->item].key;

        if (first == NULL || e->given > first->given ||
            (e->given == first->given && key < room->items[first->item].key)) {
            second = first;
            first = e;
        } else if (second == NULL || e->given > second->given ||
                   (e->given == second->given && key < room->items[second->item].key)) {
            second = e;
        }
    }
    for (size_t i = 0; i < n; i++) {
        const LpExtent *e = &room->extents[extents[i]], *other = e == first ? second : first;
        LpItem *item = &room->items[e->item];

        if (item->rationed && other != NULL)
            item->rival = room->items[other->item].key;
    }
}

/* Who suffers is helped by others' headroom: shared out is first what each needs, or is owed, then
 * what gives it room.  Where not all that is wanted fits, memories of peaks are no claim at all:
 * what is left over then stays where it is, and goes in large pieces to whose peak comes. */
static void
share_node(LpRound *round, uint32_t node, const uint32_t *extents, size_t n)
{
    LpPolicy *room = round->room;
    LpClaim *claims = room->claims;
    uint64_t left;

    for (size_t i = 0; i < n; i++) {
        const LpExtent *extent = &room->extents[extents[i]];
        const LpItem *item = &room->items[extent->item];

        claims[i] = claim_of(item, extent, item->first_want);
    }
    left = lp_share(claims, n, NULL, 0, room_of(round, node), 0);
    if (left > 0) {
        for (size_t i = 0; i < n; i++) {
            const LpExtent *extent = &room->extents[extents[i]];
            const LpItem *item = &room->items[extent->item];

            claims[i].floor = claims[i].given;
            claims[i].want = want_of(item, extent, item->next_want);
        }
        lp_share(claims, n, NULL, 0, room_of(round, node), 0);
    }
    for (size_t i = 0; i < n; i++)
        room->extents[extents[i]].given = claims[i].given;
}

/* True if one of several nodes now wants less elsewhere. */
static bool
settle_targets(LpRound *round, const uint32_t *extents, size_t n)
{
    LpPolicy *room = round->room;
    bool fell = false;

    for (size_t i = 0; i < n; i++) {
        const LpExtent *e = &room->extents[extents[i]];
        LpItem *item = &room->items[e->item];
        uint64_t most = lp_part_down(e->given, item->n_cells, e->cells);

        if (item->n_extents == 1)
            item->target = most < item->want ? most : item->want;
        else if (most < item->target) {
            item->target = most;
            fell = true;
        }
        if (item->target < item->floor)
            item->target = item->floor;
        item->rationed = item->target < item->want;
    }
    return fell;
}

void
lp_round_targets(LpRound *round)
{
    size_t ends[LP_POLICY_NODES];
    bool tight = false, again = true;

    for (uint32_t j = 0; j < round->n_nodes; j++)
        tight |= round->wanted[j] > room_of(round, j);
    if (!tight)
        return;
    sort_by_node(round, ends);
    for (int pass = 0; pass < PASSES && again; pass++) {
        again = false;
        for (uint32_t j = 0; j < round->n_nodes; j++) {
            size_t from = j == 0 ? 0 : ends[j - 1];

            if (round->wanted[j] > room_of(round, j))
                share_node(round, j, round->room->by_node + from, ends[j] - from);
        }
        for (uint32_t j = 0; j < round->n_nodes; j++) {
            size_t from = j == 0 ? 0 : ends[j - 1];

            if (round->wanted[j] > room_of(round, j))
                again |= settle_targets(round, round->room->by_node + from, ends[j] - from);
        }
    }
    for (uint32_t j = 0; j < round->n_nodes; j++) {
        size_t from = j == 0 ? 0 : ends[j - 1];

        if (round->wanted[j] > room_of(round, j))
            name_rivals(round, round->room->by_node + from, ends[j] - from);
    }
}
