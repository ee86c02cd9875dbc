/* What is read again though no event says that it changed: a vCPU that leaves late or was plugged by
 * somebody else, a migration that ends, whatever an event was lost of. */
#include <string.h>

#include "lpard/registry/registry-priv.h"

/* Every domain is read within this time, one that is off too (a definition may have been changed by a
 * call that was cut off): seldom enough to cost nothing. */
#define REREAD_SEC 60

bool
lp_partition_migrated(const LpPartition *partition)
{
    return partition->migrated_run_id[0]
           && (partition->view->run == LP_RUN_OFF
               || strcmp(partition->migrated_run_id, partition->view->run_id) == 0);
}

/* libvirt 9.0 has no event for a vCPU that leaves: one whose removal is late is looked for. */
static bool
awaits_removal(const LpPartition *partition)
{
    const LpCpuMask *folded = &partition->profile.folded;

    if (!lp_partition_has_profile(partition) || partition->view->accel == LP_ACCEL_TCG)
        return false;
    for (int c = lp_cpumask_next(folded, 0); c >= 0; c = lp_cpumask_next(folded, c + 1u))
        if (lp_cpumask_has(&partition->view->hotpluggable, (unsigned) c))
            return true;
    return false;
}

void
lp_registry_reread(LpRegistry *registry, unsigned tick_sec)
{
    unsigned left = 1 + g_hash_table_size(registry->partitions) * tick_sec / REREAD_SEC;
    int64_t old_usec = g_get_monotonic_time() - REREAD_SEC * G_USEC_PER_SEC;
    GHashTableIter iter;
    LpPartition *partition;

    if (!registry->synced)
        return;
    g_hash_table_iter_init(&iter, registry->partitions);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &partition)) {
        bool old = MAX(partition->seen_usec, partition->reread_usec) < old_usec && left > 0;
        bool off = partition->view->run == LP_RUN_OFF;

        /* One that hangs is tried at a pace of its own. */
        if (partition->stuck)
            continue;
        if (!old && (off || (!awaits_removal(partition)
                             && partition->view->run != LP_RUN_MIGRATING)))
            continue;
        /* Also one whose look fails has had its turn. */
        if (old)
            partition->reread_usec = g_get_monotonic_time();
        left -= old;
        lp_registry_look(registry, partition->uuid);
    }
}

void
lp_registry_reread_stuck(LpRegistry *registry)
{
    GHashTableIter iter;
    LpPartition *partition;

    g_hash_table_iter_init(&iter, registry->partitions);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &partition))
        if (partition->stuck)
            lp_registry_look(registry, partition->uuid);
}
