/* One partition's demand, tick by tick, for tests. */
#ifndef LP_TEST_DEMAND_CASE_H
#define LP_TEST_DEMAND_CASE_H

#include <string.h>

#include "policy/demand.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define YEAR (365 * 24 * HOUR)

typedef struct {
    LpDemandState state;
    const LpTuning *tuning;
    LpSignals seen;
    LpDemand demand;
    uint64_t granted_bytes;
    uint32_t granted_centi;
    int64_t now_msec;
} DemandCase;

/* What is in use; nothing else is cached. */
static inline void
demand_case_use(DemandCase *c, uint64_t used_bytes, uint32_t used_centi)
{
    c->seen.available_bytes = c->seen.total_bytes - used_bytes;
    c->seen.working_set_bytes = used_bytes;
    c->seen.cpu_used_centi = used_centi;
}

/* 8 GiB and 4 processors, a quarter of each in use, an agent, no pressure. */
static inline void
demand_case_init(DemandCase *c, LpGoal goal)
{
    memset(c, 0, sizeof(*c));
    c->tuning = lp_goal_tuning(goal);
    c->granted_bytes = 8 * GIB;
    c->granted_centi = 400;
    c->now_msec = 10 * HOUR;
    c->seen.mem_by = LP_SEEN_AGENT;
    c->seen.has_cpu = c->seen.has_psi = true;
    c->seen.total_bytes = 8 * GIB;
    demand_case_use(c, 2 * GIB, 100);
}

/* The guest has all that is granted; what it uses stays. */
static inline void
demand_case_grant(DemandCase *c, uint64_t granted_bytes)
{
    uint64_t used = c->seen.total_bytes - c->seen.available_bytes;

    c->granted_bytes = c->seen.total_bytes = granted_bytes;
    c->seen.available_bytes = used < granted_bytes ? granted_bytes - used : 0;
}

static inline const LpDemand *
demand_case_update(DemandCase *c)
{
    lp_demand_update(&c->state, c->tuning, &c->seen, c->granted_bytes, c->granted_centi,
                     c->now_msec, &c->demand);
    return &c->demand;
}

static inline const LpDemand *
demand_case_tick(DemandCase *c, int64_t msec)
{
    c->now_msec += msec;
    return demand_case_update(c);
}

static inline const LpDemand *
demand_case_ticks(DemandCase *c, int64_t msec, int64_t tick_msec)
{
    for (int64_t passed = 0; passed < msec; passed += tick_msec)
        demand_case_tick(c, tick_msec);
    return &c->demand;
}

#endif
