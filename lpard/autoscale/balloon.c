/* Who has no agent is seen by its balloon. */
#include "lpard/autoscale/autoscale-priv.h"

/* So many calls in a tick at most, so that an operator's do not wait behind them. */
#define ASKS_MAX 100

void
lp_balloon_ask(LpScaler *scaler)
{
    guint n = scaler->items->len, asked = 0;

    for (guint i = 0; i < n && asked < ASKS_MAX; i++) {
        LpScaledItem *item = g_ptr_array_index(scaler->items, scaler->balloon_turn++ % n);

        /* While an operation is at work the lane is its. */
        if (!item->asking && !item->operation && !item->partition->defining
            && lp_engine_lane_depth(scaler->engine, item->partition->uuid) == 0)
            asked += lp_registry_ask_balloon(scaler->registry, item->partition,
                                             item->mode != LP_MODE_OFF);
    }
}

/* As by its agent's word: what the kernel took of boot memory is in use.  What it says to have
 * beyond what it was granted is nonsense; what it says to use stays. */
void
lp_balloon_see(const LpPartition *partition, int64_t now_msec, LpSignals *ret)
{
    const LpBalloonWord *word = lp_partition_balloon(partition);
    uint64_t kernel, used;

    if (!word)
        return;
    kernel = word->kernel_bytes == UINT64_MAX ? 0 : word->kernel_bytes;
    used = word->total_bytes - word->available_bytes;
    ret->mem_by = LP_SEEN_BALLOON;
    ret->mem_age_msec = now_msec - word->at_usec / 1000;
    ret->total_bytes = MIN(word->total_bytes + MIN(kernel, UINT64_MAX - word->total_bytes),
                           lp_partition_granted_bytes(partition));
    ret->available_bytes = ret->total_bytes - MIN(used + MIN(kernel, UINT64_MAX - used),
                                                  ret->total_bytes);
}
