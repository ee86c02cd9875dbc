/* What becomes of a policy's word.
 *
 * A grow is charged at once and usable when it is done; a shrink frees when it is confirmed, and
 * may end half way or be vetoed.  One at a time for each partition.  What breaks S1 (below the
 * minimum), S2 (above the maximum) or S3 (more than is free) is refused and counted. */
#include <inttypes.h>
#include <stdio.h>

#include "lpard/sim/chance.h"
#include "lpard/sim/sim-priv.h"

#define GIB (1ULL << 30)

G_GNUC_PRINTF(2, 3)
static void
broken(LpSim *sim, const char *format, ...)
{
    LpSimResult *result = sim->result;
    va_list args;

    sim->broken = true;
    if (result->first_broken[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(result->first_broken, sizeof result->first_broken, format, args);
    va_end(args);
}

/* At the beginning everybody has its minimum and its part of the rest by what it may have more. */
void
lp_sim_grant_first(LpSim *sim)
{
    uint64_t spare = sim->config->host_bytes, more = 0;
    uint64_t spare_centi = sim->config->host_centi, more_centi = 0;

    for (size_t i = 0; i < sim->n; i++) {
        spare -= MIN(spare, sim->grants[i].min_bytes);
        more += sim->grants[i].max_bytes - sim->grants[i].min_bytes;
        spare_centi -= MIN(spare_centi, sim->grants[i].min_centi);
        more_centi += sim->grants[i].max_centi - sim->grants[i].min_centi;
    }
    sim->host_free = sim->config->host_bytes;
    for (size_t i = 0; i < sim->n; i++) {
        LpSimGrant *grant = &sim->grants[i];
        LpSimGuest *guest = &sim->guests[i];
        uint64_t room = grant->max_bytes - grant->min_bytes;
        uint64_t room_centi = grant->max_centi - grant->min_centi;
        uint64_t part = more == 0 ? 0 : (uint64_t) ((unsigned __int128) spare * room / more);
        uint64_t part_centi = more_centi == 0 ? 0 : spare_centi * room_centi / more_centi;

        part = MIN(part, room) / LP_SIM_BLOCK_BYTES * LP_SIM_BLOCK_BYTES;
        grant->granted = grant->needs = grant->min_bytes + part;
        guest->usable = (int64_t) grant->granted;
        guest->granted_centi = grant->min_centi + (uint32_t) MIN(part_centi, room_centi);
        /* Time is not given away by promising it: who is not capped has all its vCPUs. */
        if (!sim->policy->does_cpu)
            guest->granted_centi = grant->max_centi;
        grant->cpus = (guest->granted_centi + 99) / 100;
        grant->needs_centi = guest->granted_centi;
        sim->granted += grant->granted;
        sim->granted_centi += guest->granted_centi;
        sim->host_free -= MIN(sim->host_free, grant->granted);
    }
    sim->needs = sim->granted;
    sim->needs_centi = sim->granted_centi;
}

static void
end_move(LpSim *sim, size_t i)
{
    LpSimGrant *grant = &sim->grants[i];
    LpSimGuest *guest = &sim->guests[i];
    uint64_t moved = grant->move_end > grant->move_from ? grant->move_end - grant->move_from
                                                        : grant->move_from - grant->move_end;

    if (grant->move_to < grant->move_from) {
        sim->granted -= grant->granted - grant->move_end;
        sim->host_free += grant->granted - grant->move_end;
        grant->granted = grant->move_end;
    }
    guest->usable = (int64_t) grant->granted;
    guest->moving = false;
    grant->failed = grant->move_end != grant->move_to;
    grant->failures += grant->failed;
    sim->measure.mem.failures += grant->failed;
    sim->measure.mem.bytes_moved += (double) moved;
}

void
lp_sim_moves_tick(LpSim *sim)
{
    size_t kept = 0;

    for (size_t j = 0; j < sim->n_moving; j++) {
        uint32_t i = sim->moving[j];

        if (sim->grants[i].done_msec <= (int64_t) sim->sec * 1000)
            end_move(sim, i);
        else
            sim->moving[kept++] = i;
    }
    sim->n_moving = kept;
}

/* Drawn by the seed, the partition and how many it had: whatever the others do. */
static uint64_t
draw(const LpSim *sim, size_t i)
{
    uint64_t chance = lp_chance_of(lp_chance_of(sim->config->seed, i), sim->grants[i].resizes);

    return lp_chance(&chance) % 10000;
}

/* Where a shrink ends: a veto leaves all, a failure half. */
static uint64_t
shrink_end(const LpSim *sim, size_t i, uint64_t from, uint64_t to)
{
    const LpSimActuators *actuators = &sim->config->actuators;
    uint64_t drawn = draw(sim, i);

    if (drawn < actuators->veto_permyriad)
        return from;
    if (drawn < (uint64_t) actuators->veto_permyriad + actuators->shrink_fail_permyriad)
        return to + (from - to) / 2 / LP_SIM_BLOCK_BYTES * LP_SIM_BLOCK_BYTES;
    return to;
}

static void
begin_move(LpSim *sim, size_t i, uint64_t target)
{
    const LpSimActuators *actuators = &sim->config->actuators;
    LpSimGrant *grant = &sim->grants[i];
    bool grows = target > grant->granted;
    uint64_t amount = grows ? target - grant->granted : grant->granted - target;
    uint64_t rate = grows ? actuators->grow_msec_per_gib : actuators->shrink_msec_per_gib;
    uint64_t delay = grows ? actuators->grow_delay_msec : actuators->shrink_delay_msec;

    grant->move_from = grant->granted;
    grant->move_to = target;
    grant->move_end = grows ? target : shrink_end(sim, i, grant->granted, target);
    grant->done_msec = (int64_t) (sim->sec * 1000 + delay +
                                  (uint64_t) ((unsigned __int128) amount * rate / GIB));
    grant->failed = false;
    grant->resizes++;
    if (grows) {
        grant->granted = target;
        sim->granted += amount;
        sim->host_free -= amount;
    }
    sim->guests[i].moving = true;
    sim->moving[sim->n_moving++] = (uint32_t) i;
    lp_sim_measure_resize(sim, i, grows);
}

static void
apply_memory(LpSim *sim, size_t i, const LpSimView *view)
{
    const LpSimGrant *grant = &sim->grants[i];
    uint64_t target = view->target_bytes;

    if (target == grant->granted || sim->guests[i].moving)
        return;
    if (target < grant->min_bytes)
        broken(sim, "%s: S1: %" PRIu64 " for partition %zu, at least %" PRIu64 " at second %"
               PRIu64, sim->policy->name, target, i, grant->min_bytes, sim->sec);
    else if (target > grant->max_bytes)
        broken(sim, "%s: S2: %" PRIu64 " for partition %zu, at most %" PRIu64 " at second %"
               PRIu64, sim->policy->name, target, i, grant->max_bytes, sim->sec);
    else if (target > grant->granted && target - grant->granted > sim->host_free)
        broken(sim, "%s: S3: %" PRIu64 " more for partition %zu, %" PRIu64 " free at second %"
               PRIu64, sim->policy->name, target - grant->granted, i, sim->host_free, sim->sec);
    else
        begin_move(sim, i, target);
}

/* All of them or none: a sum has no single culprit. */
static void
apply_cpu(LpSim *sim)
{
    const LpSimView *views = sim->host.views;
    uint64_t sum = 0;

    for (size_t i = 0; i < sim->n; i++) {
        const LpSimGrant *grant = &sim->grants[i];

        sum += views[i].target_centi;
        if (views[i].target_centi < grant->min_centi || views[i].target_centi > grant->max_centi) {
            broken(sim, "%s: %s: %u hundredths of a processor for partition %zu at second %" PRIu64,
                   sim->policy->name, views[i].target_centi < grant->min_centi ? "S1" : "S2",
                   views[i].target_centi, i, sim->sec);
            return;
        }
    }
    if (sum > sim->config->host_centi) {
        broken(sim, "%s: S3: %" PRIu64 " hundredths of a processor in all, %u are there at second %"
               PRIu64, sim->policy->name, sum, sim->config->host_centi, sim->sec);
        return;
    }
    for (size_t i = 0; i < sim->n; i++) {
        LpSimGrant *grant = &sim->grants[i];
        uint32_t centi = views[i].target_centi;
        uint32_t cpus = views[i].target_cpus ? views[i].target_cpus : (centi + 99) / 100;

        cpus = CLAMP(cpus, 1, MAX(grant->max_centi / 100, 1));
        if (cpus != grant->cpus)
            lp_sim_measure_cpus(sim, i, grant->cpus, cpus);
        grant->cpus = cpus;
        sim->guests[i].granted_centi = MIN(centi, cpus * 100);
    }
    sim->granted_centi = sum;
}

void
lp_sim_apply(LpSim *sim)
{
    const LpSimView *views = sim->host.views;

    sim->needs = sim->needs_centi = 0;
    for (size_t i = 0; i < sim->n; i++) {
        LpSimGrant *grant = &sim->grants[i];

        apply_memory(sim, i, &views[i]);
        grant->needs = views[i].needs_bytes;
        grant->needs_centi = views[i].needs_centi;
        sim->needs += grant->needs;
        sim->needs_centi += grant->needs_centi;
    }
    if (sim->policy->does_cpu)
        apply_cpu(sim);
}

/* From the partitions, and not from the sums that are kept. */
void
lp_sim_check(LpSim *sim)
{
    uint64_t sum = 0, centi = 0;

    for (size_t i = 0; i < sim->n; i++) {
        const LpSimGrant *grant = &sim->grants[i];

        sum += grant->granted;
        centi += sim->guests[i].granted_centi;
        if (G_UNLIKELY(grant->granted < grant->min_bytes || grant->granted > grant->max_bytes ||
                       sim->guests[i].usable > (int64_t) grant->granted))
            broken(sim, "%s: partition %zu has %" PRIu64 " of %" PRIu64 "..%" PRIu64
                   " at second %" PRIu64, sim->policy->name, i, grant->granted, grant->min_bytes,
                   grant->max_bytes, sim->sec);
    }
    if (G_UNLIKELY(sum > sim->config->host_bytes ||
                   sum + sim->host_free != sim->config->host_bytes))
        broken(sim, "%s: S3: %" PRIu64 " bytes granted and %" PRIu64 " free of %" PRIu64
               " at second %" PRIu64, sim->policy->name, sum, sim->host_free,
               sim->config->host_bytes, sim->sec);
    if (G_UNLIKELY(sim->policy->does_cpu && centi > sim->config->host_centi))
        broken(sim, "%s: S3: %" PRIu64 " hundredths of a processor granted of %u at second %"
               PRIu64, sim->policy->name, centi, sim->config->host_centi, sim->sec);
    sim->result->broken += sim->broken;
    sim->broken = false;
}
