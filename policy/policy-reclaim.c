/* What is taken for those who could not grow: from as few as possible, as much as each can spare,
 * in the order of what hurts least, and as far as calm allows. */
#include "policy/planted.h"
#include "policy/round.h"

static const LpTake take_for[LP_FORS] = {
    [LP_FOR_SHORTAGE] = LP_TAKE_SHORTAGE,
    [LP_FOR_ENTITLEMENT] = LP_TAKE_FOR_ENTITLEMENT,
    [LP_FOR_NEED] = LP_TAKE_FOR_RIVAL,
    [LP_FOR_WANT] = LP_TAKE_FOR_RIVAL,
    [LP_FOR_KEPT] = LP_TAKE_SHORTAGE,
};

static void
wait_for(LpRound *round, const LpItem *item, LpFor what, uint64_t bytes)
{
    if (bytes == 0)
        return;
    for (uint32_t e = item->first; e < item->first + item->n_extents; e++) {
        const LpExtent *extent = &round->room->extents[e];
        uint32_t j = extent->node;

        round->lack[what][j] = lp_sat_add(round->lack[what][j],
                                          lp_part_up(bytes, extent->cells, item->n_cells));
        if (round->first_waiting[what][j] == 0)
            round->first_waiting[what][j] = item->key;
    }
}

/* Takes from *lack what *has covers of it. */
static void
cover(uint64_t *lack, uint64_t *has)
{
    uint64_t some = *lack < *has ? *lack : *has;

    *lack -= some;
    *has -= some;
}

/* Fills in lack[][]: what those in the list still wait for, less what is free or under way. */
static bool
count_lack(LpRound *round)
{
    bool any = false;

    for (size_t k = 0; k < round->n_places; k++) {
        const LpItem *item = &round->room->items[round->room->places[k].index];
        uint64_t goal = item->target < item->ceiling ? item->target : item->ceiling;
        uint64_t owed = goal < item->entitled ? goal : item->entitled;
        uint64_t roomy = goal + lp_good_step(item);

        /* To where its use may be going it gets what is free, but nothing is taken for it. */
        if (roomy > item->roomy)
            roomy = item->roomy;
        if (roomy > item->ceiling)
            roomy = item->ceiling;
        if (item->size < roomy)
            wait_for(round, item, LP_FOR_WANT, roomy - (item->size > goal ? item->size : goal));
        if (item->size >= goal)
            continue;
        wait_for(round, item, LP_FOR_ENTITLEMENT, lp_sat_sub(owed, item->size));
        wait_for(round, item, item->suffers ? LP_FOR_NEED : LP_FOR_WANT,
                 goal - (owed > item->size ? owed : item->size));
    }
    for (uint32_t j = 0; j < round->n_nodes; j++) {
        uint64_t free = lp_sat_add(round->avail[j], round->coming[j]);
        uint64_t low = round->capacity[j] / 10000 * LP_KEPT_LOW_PERMYRIAD;

        round->lack[LP_FOR_SHORTAGE][j] = lp_sat_sub(lp_sat_add(round->held[j], round->shared[j]),
                                                     round->capacity[j]);
        if (round->lack[LP_FOR_SHORTAGE][j] != 0)
            free = round->avail[j];
        for (LpFor what = LP_FOR_ENTITLEMENT; what <= LP_FOR_WANT; what++)
            cover(&round->lack[what][j], &free);
        if (free < low)
            round->lack[LP_FOR_KEPT][j] =
                round->capacity[j] / 10000 * LP_KEPT_HIGH_PERMYRIAD - free;
        for (LpFor what = LP_FOR_SHORTAGE; what < LP_FORS; what++)
            any |= round->lack[what][j] != 0;
    }
    return any;
}

/* How much of this partition would have to go for all that is lacking, up to `last`, on the node
 * that lacks most; *ret_for is the strongest reason. */
static uint64_t
asked_of(const LpRound *round, const LpItem *item, LpFor last, LpFor *ret_for, uint64_t *ret_rival)
{
    uint64_t most = 0;

    *ret_for = LP_FORS;
    for (uint32_t e = item->first; e < item->first + item->n_extents; e++) {
        const LpExtent *extent = &round->room->extents[e];
        uint64_t sum = 0, bytes;

        for (LpFor what = LP_FOR_SHORTAGE; what <= last; what++) {
            sum = lp_sat_add(sum, round->lack[what][extent->node]);
            if (what < *ret_for && round->lack[what][extent->node] != 0) {
                *ret_for = what;
                *ret_rival = round->first_waiting[what][extent->node];
            }
        }
        bytes = sum > UINT64_MAX / LP_POLICY_CELLS
                ? UINT64_MAX : lp_part_up(sum, item->n_cells, extent->cells);
        if (bytes > most)
            most = bytes;
    }
    return most;
}

static void
give(LpRound *round, const LpItem *item, uint64_t bytes)
{
    for (uint32_t e = item->first; e < item->first + item->n_extents; e++) {
        const LpExtent *extent = &round->room->extents[e];
        uint64_t part = lp_part_down(bytes, extent->cells, item->n_cells);

        for (LpFor what = LP_FOR_SHORTAGE; what < LP_FORS; what++)
            cover(&round->lack[what][extent->node], &part);
    }
}

/* Who has something to give, in order of what hurts least. */
static size_t
list_donors(LpRound *round)
{
    LpPolicy *room = round->room;
    size_t n = 0;

    for (size_t i = 0; i < round->n; i++) {
        LpItem *item = &room->items[i];
        LpFor what;
        LpBound bound;
        int64_t next;
        uint64_t rival;

        if (item->part != LP_PART_IN || !item->known || item->size != item->granted ||
            lp_sat_sub(item->granted, item->target) < item->quantum ||
            asked_of(round, item, LP_FOR_KEPT, &what, &rival) == 0)
            continue;
        item->how = lp_calm_shrink(&round->states[i], &round->partitions[i],
                                   lp_partition_tuning(&round->partitions[i]), round->now_msec,
                                   &bound, &next);
        room->donors[n++] = (LpDonor){
            .key = item->key, .weight = item->weight, .size = item->granted,
            .active = item->target, .index = i,
        };
    }
    if (n > 1)
        lp_share_sort_donors(room->donors, n, round->host->idle_tax);
    return n;
}

typedef struct {
    LpCalm calm;                   /* of those that calm lets go so far */
    LpFor last;                    /* for the sake of these */
    uint32_t least_divisor;        /* at least this part of what it has */
    bool roomy;                    /* it keeps room above its part */
} LpPass;

/* Down to `keep` at the most: for as much as is asked, or all of it. */
static void
take_from(LpRound *round, LpItem *item, const LpPass *pass)
{
    uint64_t keep = item->target, spare, asked, least = item->quantum;
    uint64_t rival = 0;
    LpFor what;

    asked = asked_of(round, item, pass->last, &what, &rival);
    if (asked == 0)
        return;
    /* With room above its part, so that it need not grow again soon. */
    if (pass->roomy)
        keep += keep / LP_GOOD_STEP_DIVISOR;
    if (pass->calm == LP_CALM_FORCED && what == LP_FOR_ENTITLEMENT && item->entitled > keep)
        keep = item->entitled;
    if (LP_PLANTED(BELOW_ITS_PART))
        keep /= 2;
    spare = lp_round_down(item, lp_sat_sub(item->size, keep));
    /* Crumbs are for what is owed alone. */
    if (what > LP_FOR_ENTITLEMENT && item->granted / pass->least_divisor > least)
        least = item->granted / pass->least_divisor;
    if (spare < least)
        return;
    asked = lp_round_up(item, asked > least ? asked : least);
    /* All that it has to spare at once, so that few are asked and each of them once. */
    if (asked > spare || pass->calm != LP_CALM_FORCED)
        asked = spare;
    if (item->size == item->granted) {
        if (!lp_moves_free(round))
            return;
        if (rival != 0)
            item->rival = rival;
        lp_round_shrink(round, item, item->size - asked, pass->calm, take_for[what]);
    } else {
        item->size -= asked;
    }
    give(round, item, asked);
}

void
lp_round_shrink(LpRound *round, LpItem *item, uint64_t size, LpCalm how, LpTake take)
{
    LpDecision *decision = &round->decisions[item - round->room->items];

    item->size = size;
    item->how = how;
    decision->mem_take = take;
    round->moving++;
}

void
lp_round_reclaim(LpRound *round)
{
    static const LpPass passes[] = {
        /* First those who can spare most of what they have: few resizes, and large ones. */
        { LP_CALM_ANY, LP_FOR_KEPT, 2, true },
        { LP_CALM_ANY, LP_FOR_KEPT, 4, true },
        { LP_CALM_ANY, LP_FOR_KEPT, LP_GOOD_STEP_DIVISOR, true },
        { LP_CALM_ANY, LP_FOR_NEED, LP_LEAST_STEP_DIVISOR, false },
        { LP_CALM_EARLY, LP_FOR_NEED, LP_LEAST_STEP_DIVISOR, false },
        { LP_CALM_FORCED, LP_FOR_ENTITLEMENT, LP_LEAST_STEP_DIVISOR, false },
    };

    if (!count_lack(round))
        return;
    round->n_donors = list_donors(round);
    for (size_t p = 0; p < sizeof(passes) / sizeof(passes[0]); p++) {
        for (size_t k = 0; k < round->n_donors; k++) {
            LpItem *item = &round->room->items[round->room->donors[k].index];

            /* One that may go for any reason has given what it could. */
            if (item->how == passes[p].calm ||
                (passes[p].calm == LP_CALM_FORCED && item->how == LP_CALM_EARLY))
                take_from(round, item, &passes[p]);
        }
    }
}
