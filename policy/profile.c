/* The rules of a profile. */
#include "policy/profile.h"

#define CENTI_PER_CPU 100

/* What a partition is entitled to for each desired vCPU unless the operator says otherwise. */
#define DEFAULT_CENTI_PER_VCPU 10

/* The ranges the kernel accepts, and what it gives by default, which lpard takes for one
 * processor so that domains without an entitlement compare as one. */
#define SHARES_V1_MIN 2
#define SHARES_V1_MAX 262144
#define SHARES_V1_PER_CPU 1024
#define WEIGHT_V2_MIN 1
#define WEIGHT_V2_MAX 10000
#define WEIGHT_V2_PER_CPU 100

static LpProfileVerdict
check_cpu(const LpCpuRange *cpu)
{
    if (cpu->min == 0)
        return LP_PROFILE_CPU_ZERO;
    if (cpu->min > cpu->desired || cpu->desired > cpu->max)
        return LP_PROFILE_CPU_ORDER;
    if (cpu->max > LP_MAX_CPUS)
        return LP_PROFILE_CPU_MANY;
    return LP_PROFILE_OK;
}

static LpProfileVerdict
check_mem(const LpMemRange *mem, uint32_t n_cells)
{
    if (mem->min_bytes > mem->desired_bytes || mem->desired_bytes > mem->max_bytes)
        return LP_PROFILE_MEM_ORDER;
    if (mem->min_bytes % LP_MEM_BLOCK_BYTES || mem->desired_bytes % LP_MEM_BLOCK_BYTES ||
        mem->max_bytes % LP_MEM_BLOCK_BYTES)
        return LP_PROFILE_MEM_BLOCK;
    if (mem->max_bytes > LP_MEM_MAX_BYTES)
        return LP_PROFILE_MEM_MANY;
    if (mem->min_bytes < lp_profile_base_floor(mem->max_bytes, n_cells))
        return LP_PROFILE_MEM_BASE;
    return LP_PROFILE_OK;
}

static LpProfileVerdict
check_capacity(const LpCapacity *capacity, const LpCpuRange *cpu)
{
    if (capacity->weight > LP_WEIGHT_MAX)
        return LP_PROFILE_WEIGHT;
    if (capacity->entitled_centi < cpu->desired * LP_CENTI_PER_VCPU_MIN)
        return LP_PROFILE_ENTITLED_LOW;
    if (capacity->entitled_centi > cpu->desired * CENTI_PER_CPU)
        return LP_PROFILE_ENTITLED_HIGH;
    return LP_PROFILE_OK;
}

static bool
outside(bool has, uint64_t amount, uint64_t least, uint64_t most)
{
    return has && (amount < least || amount > most);
}

/* A bound that would never hold as it is written would surprise those who rely on it. */
static LpProfileVerdict
check_schedule(const LpSchedule *schedule, const LpProfile *profile)
{
    const LpCpuRange *cpu = &profile->cpu;
    const LpMemRange *mem = &profile->mem;

    if (!lp_schedule_valid(schedule))
        return LP_PROFILE_SCHEDULES;
    if (outside(schedule->has_cpu_min, schedule->cpu_min, cpu->min, cpu->max) ||
        outside(schedule->has_cpu_max, schedule->cpu_max, cpu->min, cpu->max))
        return LP_PROFILE_SCHEDULE_CPU;
    if (outside(schedule->has_mem_min, schedule->mem_min_bytes, mem->min_bytes, mem->max_bytes) ||
        outside(schedule->has_mem_max, schedule->mem_max_bytes, mem->min_bytes, mem->max_bytes))
        return LP_PROFILE_SCHEDULE_MEM;
    return LP_PROFILE_OK;
}

const LpSchedule *
lp_profile_bad_schedule(const LpProfile *profile)
{
    const LpAutoscale *autoscale = &profile->autoscale;

    for (uint32_t i = 0; i < autoscale->n_schedules && i < LP_SCHEDULES_MAX; i++) {
        if (check_schedule(&autoscale->schedules[i], profile) != LP_PROFILE_OK)
            return &autoscale->schedules[i];
    }
    return NULL;
}

static LpProfileVerdict
check_autoscale(const LpProfile *profile)
{
    const LpAutoscale *autoscale = &profile->autoscale;
    const LpSchedule *bad;

    if ((uint32_t) autoscale->mode >= LP_MODES || (uint32_t) autoscale->goal >= LP_GOALS)
        return LP_PROFILE_MODE;
    if (autoscale->priority > LP_PRIORITY_MAX)
        return LP_PROFILE_PRIORITY;
    if (autoscale->release_sec > LP_RELEASE_SEC_MAX)
        return LP_PROFILE_RELEASE;
    if (autoscale->entitled_bytes % LP_MEM_BLOCK_BYTES != 0 ||
        outside(autoscale->entitled_bytes != 0, autoscale->entitled_bytes,
                profile->mem.min_bytes, profile->mem.max_bytes))
        return LP_PROFILE_ENTITLED_MEM;
    if (autoscale->n_schedules > LP_SCHEDULES_MAX)
        return LP_PROFILE_SCHEDULES;
    bad = lp_profile_bad_schedule(profile);
    return bad ? check_schedule(bad, profile) : LP_PROFILE_OK;
}

uint32_t
lp_profile_version(const LpProfile *profile)
{
    if (!lp_numa_rule_is_default(&profile->numa))
        return LP_PROFILE_VERSION;
    return lp_autoscale_is_default(&profile->autoscale) ? LP_PROFILE_VERSION_PLAIN
                                                        : LP_PROFILE_VERSION_AUTOSCALE;
}

LpProfileVerdict
lp_profile_check(const LpProfile *profile)
{
    LpProfileVerdict verdict;

    /* Nothing of a newer schema can be judged by the rules of this one. */
    if (profile->version > LP_PROFILE_VERSION)
        return LP_PROFILE_VERSION_NEWER;
    verdict = check_cpu(&profile->cpu);
    if (verdict != LP_PROFILE_OK)
        return verdict;
    if (profile->n_cells == 0 || profile->n_cells > LP_MAX_CELLS ||
        profile->n_cells > profile->cpu.max)
        return LP_PROFILE_CELLS;
    verdict = check_mem(&profile->mem, profile->n_cells);
    if (verdict != LP_PROFILE_OK)
        return verdict;
    verdict = check_capacity(&profile->capacity, &profile->cpu);
    if (verdict != LP_PROFILE_OK)
        return verdict;
    verdict = check_autoscale(profile);
    if (verdict != LP_PROFILE_OK)
        return verdict;
    return lp_numa_rule_valid(&profile->numa) ? LP_PROFILE_OK : LP_PROFILE_NUMA;
}

uint64_t
lp_profile_base_floor(uint64_t max_bytes, uint32_t n_cells)
{
    uint64_t cells = n_cells > 0 ? n_cells : 1;
    uint64_t step = cells * LP_MEM_BLOCK_BYTES;
    uint64_t floor_bytes = LP_BASE_FLOOR_BYTES + max_bytes / LP_BASE_MEMMAP_DIVISOR;

    if (floor_bytes < max_bytes / LP_BASE_MOVABLE_DIVISOR)
        floor_bytes = max_bytes / LP_BASE_MOVABLE_DIVISOR;
    if (floor_bytes < cells * LP_CELL_BASE_MIN_BYTES)
        floor_bytes = cells * LP_CELL_BASE_MIN_BYTES;
    return (floor_bytes + step - 1) / step * step;
}

uint32_t
lp_profile_default_entitlement(const LpCpuRange *cpu)
{
    uint64_t centi = (uint64_t) cpu->desired * DEFAULT_CENTI_PER_VCPU;
    uint64_t floor_centi = (uint64_t) cpu->max * LP_CENTI_PER_VCPU_MIN;
    uint64_t most_centi = (uint64_t) cpu->desired * CENTI_PER_CPU;

    if (centi < floor_centi)
        centi = floor_centi;
    /* A profile that may grow more than twentyfold cannot have the floor at max from the start:
     * no more than a processor for each desired vCPU is allowed. */
    if (centi > most_centi)
        centi = most_centi;
    return centi > UINT32_MAX ? UINT32_MAX : (uint32_t) centi;
}

static uint32_t
scale_centi(uint32_t centi, uint32_t per_cpu, uint32_t least, uint32_t most)
{
    uint64_t scaled = ((uint64_t) centi * per_cpu + CENTI_PER_CPU / 2) / CENTI_PER_CPU;

    if (scaled < least)
        return least;
    return scaled > most ? most : (uint32_t) scaled;
}

uint32_t
lp_capacity_shares_v1(const LpCapacity *capacity)
{
    return scale_centi(capacity->entitled_centi, SHARES_V1_PER_CPU, SHARES_V1_MIN,
                       SHARES_V1_MAX);
}

uint32_t
lp_capacity_weight_v2(const LpCapacity *capacity)
{
    return scale_centi(capacity->entitled_centi, WEIGHT_V2_PER_CPU, WEIGHT_V2_MIN,
                       WEIGHT_V2_MAX);
}
