/* What moves by itself in a simulated guest: virtio-mem towards what is asked, vCPUs towards
 * what the agent was told, devices on their way out.
 *
 * Nothing runs in between: a domain holds where things stood and since when they move, and is
 * brought up to date when somebody looks or when the next event falls due. */
#include "hotplug/sim-host.h"

/* How often the agent tells of memory in motion while lpard watches. */
#define WATCH_USEC 10000

__extension__ typedef unsigned __int128 LpSimWide;

uint64_t
lp_sim_guest_plugged(const LpSimDomain *domain)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < domain->n_cells; i++)
        bytes += domain->cells[i].plugged_bytes;
    return bytes;
}

/* Unmovable memory is laid into the cells in order; this is what stays in cell `index`.  It does
 * not change while cells shrink, for none shrinks below it. */
static uint64_t
floor_of(const LpSimDomain *domain, uint32_t index)
{
    uint64_t left = domain->manners.unmovable_bytes;

    for (uint32_t i = 0; i < index; i++)
        left -= MIN(left, domain->cells[i].plugged_bytes);
    return MIN(left, domain->cells[index].plugged_bytes);
}

/* Where the cell is going, and how fast (0: at once). */
static uint64_t
goal_of(const LpSimDomain *domain, uint32_t index, uint64_t *ret_rate)
{
    const LpSimCell *cell = &domain->cells[index];
    uint64_t kept;

    *ret_rate = domain->host->delays.plug_bytes_per_sec;
    if (!cell->has_device || cell->requested_bytes >= cell->plugged_bytes)
        return cell->has_device ? cell->requested_bytes : cell->plugged_bytes;
    *ret_rate = domain->host->delays.unplug_bytes_per_sec;
    kept = floor_of(domain, index);
    kept += (cell->block_bytes - kept % cell->block_bytes) % cell->block_bytes;
    return MIN(MAX(cell->requested_bytes, kept), cell->plugged_bytes);
}

static void
move_cell(LpSimDomain *domain, uint32_t index, int64_t now_usec)
{
    LpSimCell *cell = &domain->cells[index];
    uint64_t rate, goal = goal_of(domain, index, &rate), left, step, usec;

    if (now_usec <= cell->since_usec && rate > 0)
        return;
    if (goal == cell->plugged_bytes || rate == 0) {
        if (now_usec >= cell->since_usec) {
            cell->plugged_bytes = goal;
            cell->since_usec = now_usec;
        }
        return;
    }
    left = MAX(goal, cell->plugged_bytes) - MIN(goal, cell->plugged_bytes);
    usec = (uint64_t) (now_usec - cell->since_usec);
    step = (uint64_t) MIN((LpSimWide) usec * rate / 1000000, (LpSimWide) left);
    if (step < left)
        step -= step % cell->block_bytes;
    if (step == 0)
        return;
    cell->plugged_bytes = goal > cell->plugged_bytes ? cell->plugged_bytes + step
                                                     : cell->plugged_bytes - step;
    /* The time of whole blocks only, so that looking often does not slow it down. */
    cell->since_usec = step == left ? now_usec
        : cell->since_usec + (int64_t) ((LpSimWide) step * 1000000 / rate);
}

static void
tell_size(LpSimDomain *domain, LpSimCell *cell, int64_t now_usec)
{
    if (cell->told_bytes == cell->plugged_bytes
        || (cell->told_usec
            && now_usec - cell->told_usec < domain->host->delays.size_event_usec))
        return;
    cell->told_bytes = cell->plugged_bytes;
    cell->told_usec = now_usec;
    lp_sim_post(domain->host, LP_EVENT_MEMORY_SIZE, domain->uuid, cell->alias, cell->told_bytes);
}

/* The next vCPU that is not as wanted, or -1. */
static int
next_cpu(const LpSimDomain *domain)
{
    if (!domain->wants_cpus)
        return -1;
    for (int cpu = lp_cpumask_next(&domain->plugged, 0); cpu >= 0;
         cpu = lp_cpumask_next(&domain->plugged, (unsigned) cpu + 1)) {
        bool wanted = cpu == 0 || lp_cpumask_has(&domain->wanted, (unsigned) cpu);

        if (wanted != lp_cpumask_has(&domain->online, (unsigned) cpu)
            && !lp_cpumask_has(&domain->manners.stuck_cpus, (unsigned) cpu))
            return cpu;
    }
    return -1;
}

bool
lp_sim_guest_cpus_settled(const LpSimDomain *domain)
{
    return next_cpu(domain) < 0;
}

bool
lp_sim_guest_memory_settled(const LpSimDomain *domain)
{
    uint64_t rate;

    for (uint32_t i = 0; i < domain->n_cells; i++)
        if (goal_of(domain, i, &rate) != domain->cells[i].plugged_bytes)
            return false;
    return true;
}

static void
move_cpus(LpSimDomain *domain, int64_t now_usec)
{
    int64_t delay = domain->host->delays.online_cpu_usec;
    int cpu;

    while ((cpu = next_cpu(domain)) >= 0) {
        if (domain->cpu_since_usec == 0)
            domain->cpu_since_usec = now_usec;
        if (now_usec - domain->cpu_since_usec < delay)
            return;
        if (cpu == 0 || lp_cpumask_has(&domain->wanted, (unsigned) cpu))
            lp_cpumask_add(&domain->online, (unsigned) cpu);
        else
            lp_cpumask_remove(&domain->online, (unsigned) cpu);
        domain->cpu_since_usec += delay;
    }
    domain->cpu_since_usec = 0;
}

static void
leave_cpus(LpSimDomain *domain, int64_t now_usec)
{
    if (lp_cpumask_count(&domain->leaving) == 0 || now_usec < domain->leaving_usec)
        return;
    for (int cpu = lp_cpumask_next(&domain->leaving, 0); cpu >= 0;
         cpu = lp_cpumask_next(&domain->leaving, (unsigned) cpu + 1)) {
        lp_cpumask_remove(&domain->plugged, (unsigned) cpu);
        lp_cpumask_remove(&domain->online, (unsigned) cpu);
    }
    lp_cpumask_clear(&domain->leaving);
    lp_sim_post(domain->host, LP_EVENT_DOMAIN_CHANGED, domain->uuid, NULL, 0);
}

static void
leave_dimms(LpSimDomain *domain, int64_t now_usec)
{
    for (guint i = 0; i < domain->dimms->len;) {
        LpSimDimm *dimm = &g_array_index(domain->dimms, LpSimDimm, i);

        if (dimm->answer_usec == 0 || now_usec < dimm->answer_usec) {
            i++;
            continue;
        }
        dimm->answer_usec = 0;
        lp_sim_post(domain->host,
                    domain->manners.refuse_unplug ? LP_EVENT_DEVICE_REFUSED
                                                  : LP_EVENT_DEVICE_REMOVED,
                    domain->uuid, dimm->alias, dimm->bytes);
        if (domain->manners.refuse_unplug)
            i++;
        else
            g_array_remove_index(domain->dimms, i);
    }
}

void
lp_sim_guest_advance(LpSimDomain *domain, int64_t now_usec)
{
    if (domain->run != LP_RUN_RUNNING)
        return;
    for (uint32_t i = 0; i < domain->n_cells; i++) {
        move_cell(domain, i, now_usec);
        tell_size(domain, &domain->cells[i], now_usec);
    }
    move_cpus(domain, now_usec);
    leave_cpus(domain, now_usec);
    leave_dimms(domain, now_usec);
    lp_sim_numa_settle(domain);
}

static void
sooner(int64_t *next_usec, int64_t at_usec)
{
    if (*next_usec < 0 || at_usec < *next_usec)
        *next_usec = at_usec;
}

static void
next_of_cell(const LpSimDomain *domain, uint32_t index, int64_t now_usec, int64_t *next_usec)
{
    const LpSimCell *cell = &domain->cells[index];
    uint64_t rate, goal = goal_of(domain, index, &rate), left;
    int64_t event_usec = cell->told_usec ? cell->told_usec + domain->host->delays.size_event_usec
                                         : now_usec;

    if (cell->told_bytes != cell->plugged_bytes)
        sooner(next_usec, event_usec);
    if (goal == cell->plugged_bytes)
        return;
    if (rate == 0) {
        sooner(next_usec, cell->since_usec);
        return;
    }
    left = MAX(goal, cell->plugged_bytes) - MIN(goal, cell->plugged_bytes);
    /* One more than the whole, for the division rounds down. */
    sooner(next_usec, cell->since_usec + 1
           + (int64_t) MIN((LpSimWide) left * 1000000 / rate, (LpSimWide) G_MAXINT64 / 4));
    sooner(next_usec, MAX(event_usec, cell->since_usec + 1
           + (int64_t) ((LpSimWide) MIN(left, cell->block_bytes) * 1000000 / rate)));
    if (now_usec < domain->watch_until_usec)
        sooner(next_usec, now_usec + WATCH_USEC);
}

int64_t
lp_sim_guest_next(const LpSimDomain *domain, int64_t now_usec)
{
    int64_t next_usec = -1;

    if (domain->run != LP_RUN_RUNNING)
        return -1;
    for (uint32_t i = 0; i < domain->n_cells; i++)
        next_of_cell(domain, i, now_usec, &next_usec);
    if (next_cpu(domain) >= 0)
        sooner(&next_usec, domain->cpu_since_usec + domain->host->delays.online_cpu_usec);
    if (lp_cpumask_count(&domain->leaving) > 0)
        sooner(&next_usec, domain->leaving_usec);
    for (guint i = 0; i < domain->dimms->len; i++) {
        int64_t answer_usec = g_array_index(domain->dimms, LpSimDimm, i).answer_usec;

        if (answer_usec)
            sooner(&next_usec, answer_usec);
    }
    if (now_usec < domain->booted_usec)
        sooner(&next_usec, domain->booted_usec);
    if (lp_sim_talk_due(domain) >= 0)
        sooner(&next_usec, lp_sim_talk_due(domain));
    if (domain->speak_usec)
        sooner(&next_usec, domain->speak_usec);
    return next_usec;
}
