/* The simulator's inside. */
#ifndef LP_SIM_SIM_PRIV_H
#define LP_SIM_SIM_PRIV_H

#include "lpard/sim/sim.h"

/* Nobody runs in less: a kernel and its services. */
#define LP_SIM_MIN_BYTES (256ULL << 20)
#define LP_SIM_MIN_CENTI 10u
/* virtio-mem's granularity with huge pages. */
#define LP_SIM_BLOCK_BYTES (2ULL << 20)
/* The middle of lpard's 0..255. */
#define LP_SIM_WEIGHT 128u
#define LP_SIM_FUTURE_SEC 300u
/* Demand advances by a slope with so many bits behind the point: the error of a step is a byte
 * or two, of 64 TiB, and no hundredth of a processor. */
#define LP_SIM_POINT 8
#define LP_SIM_CPU_POINT 20

/* What is touched each tick, together: two cache lines a partition. */
typedef struct {
    int64_t mem, mem_slope;        /* demand << LP_SIM_POINT, and by how much it grows a tick */
    int64_t cpu, cpu_slope;        /* likewise, << LP_SIM_CPU_POINT */
    int64_t usable, cache;
    int64_t cache_step;            /* what is read in a tick, at most */
    uint64_t wanted, cpu_wanted;   /* sums over ticks: KiB, centi */
    uint32_t granted_centi;
    bool strained;                 /* not as simple as that: see LpSimStrain */
    bool cpu_strained;
    bool moving;
} LpSimGuest;

/* What matters only to those who lack something. */
typedef struct {
    int64_t swap_max;
    int64_t want;                  /* what is left of the demand after a kill */
    uint64_t swap, refaults, oom_kills;
    uint32_t some, full, cpu_some; /* averages over 10 s, percent x 100 << LP_SIM_POINT */
    uint32_t deep_sec;             /* so long far too little */
    uint32_t down_sec;             /* so long until what was killed is back */
    uint64_t lacked, cpu_lacked;   /* like wanted */
} LpSimStrain;

typedef struct {
    uint64_t granted, needs;
    uint64_t min_bytes, max_bytes;
    uint32_t cpus, needs_centi, min_centi, max_centi;
    /* The resize under way. */
    uint64_t move_from, move_to, move_end;
    int64_t done_msec;
    bool ends_short, failed;
    uint32_t failures, resizes;
    int8_t direction, cpu_direction;       /* of the last */
} LpSimGrant;

typedef struct {
    /* Of this tick. */
    uint64_t demand, shortfall, cpu_demand, cpu_shortfall;
    /* Since the measured part began. */
    LpSimAmount mem, cpu;
    uint32_t *day_resizes, *cpu_day_resizes;       /* n x days */
    size_t days;
    /* Of this hour. */
    uint64_t hour_resizes, cpu_hour_resizes, hour_sec;
    bool short_hour, cpu_short_hour;
    size_t points_max, every;
    uint64_t worst;
} LpSimMeasure;

typedef struct {
    const LpTrace *trace;
    const LpSimConfig *config;
    const LpSimPolicy *policy;
    void *self;
    LpSimResult *result;
    size_t n;
    LpSimGuest *guests;
    LpSimStrain *strains;
    LpSimGrant *grants;
    uint32_t *moving;              /* indices of those under way */
    size_t n_moving;
    uint64_t host_free;
    uint64_t needs, granted;       /* sums */
    uint64_t needs_centi, granted_centi;
    uint64_t sec, end_sec, sample; /* of the trace */
    uint32_t decay;                /* of a 10 s average in a tick, of 65536 */
    bool measured;                 /* past the warm-up */
    bool broken;                   /* this tick */
    LpSimHost host;                /* as the policy sees it */
    LpSimMeasure measure;
} LpSim;

/* guest.c: one tick of all guests. */
void lp_sim_guests_begin(LpSim *sim);
void lp_sim_guests_tick(LpSim *sim);

/* actuator.c */
void lp_sim_grant_first(LpSim *sim);
void lp_sim_moves_tick(LpSim *sim);        /* ends what is done by now */
void lp_sim_apply(LpSim *sim);             /* the policy's word */
void lp_sim_check(LpSim *sim);             /* S1-S3 as they stand */

/* measure.c */
void lp_sim_measure_begin(LpSim *sim);
void lp_sim_measure_restart(LpSim *sim);   /* the warm-up is over */
void lp_sim_measure_tick(LpSim *sim);
void lp_sim_measure_resize(LpSim *sim, size_t i, bool grows);
void lp_sim_measure_cpus(LpSim *sim, size_t i, uint32_t from, uint32_t to);
void lp_sim_measure_end(LpSim *sim);

#endif
