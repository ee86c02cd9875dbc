/* What a partition wants, from what is seen of it.  Pure; integers only.
 *
 * Two paths.  The slow one is of the Autopilot/VPA family: a decaying histogram of peaks, a
 * percentile of it, a margin.  The fast one answers to pressure within a tick.  What is missing or
 * stale changes nothing: the want is then what is granted. */
#ifndef LP_POLICY_DEMAND_H
#define LP_POLICY_DEMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/autoscale.h"
#include "policy/histogram.h"

/* An agent speaks when something changes, and at least every 20 s; a sample that is older than
 * this is of the past. */
#define LP_SIGNAL_STALE_MSEC 45000

typedef enum { LP_SEEN_NOTHING, LP_SEEN_BALLOON, LP_SEEN_AGENT } LpSeenBy;

/* What was last seen.  Ages, not times: now minus when.  All by a guest's word but cpu_used. */
typedef struct {
    LpSeenBy mem_by;
    bool has_cpu;
    bool has_psi;
    int64_t mem_age_msec, cpu_age_msec;
    uint64_t total_bytes;          /* what the guest can use */
    uint64_t available_bytes;
    uint64_t working_set_bytes;
    uint64_t swap_used_bytes;
    uint64_t refaults, oom_kills;  /* counters since boot; may fall back to 0 */
    uint32_t psi_some_centi, psi_full_centi;       /* memory; percent x 100 */
    uint32_t cpu_used_centi;       /* processing units used, by the host's count */
    uint32_t cpu_running;          /* runnable tasks */
    uint32_t cpu_psi_centi, cpu_steal_centi;
} LpSignals;

/* How a goal is followed: the ten knobs behind the one.  Permyriad unless named. */
typedef struct {
    uint32_t mem_up;               /* grow when the working set passes this part of usable */
    uint32_t mem_headroom;         /* room kept above the working set */
    uint32_t mem_percentile;       /* of the histogram of peaks: where surplus is given back to */
    uint32_t mem_down;             /* give back when the target is below this part of granted */
    uint32_t psi_some_centi;       /* memory pressure from here on asks for more */
    uint32_t cpu_up, cpu_headroom, cpu_percentile, cpu_down;
    uint32_t cpu_psi_centi;
    uint32_t window_sec;           /* a peak is believed for so long */
    uint32_t release_sec;          /* surplus this old is given back */
    uint32_t dwell_sec;            /* after growing, nothing is taken for so long */
} LpTuning;

const LpTuning *lp_goal_tuning(LpGoal goal);

/* Peaks of the recent past, in this many equal slices of window_sec. */
#define LP_PEAKS 8

typedef struct {
    LpHistogram mem_used, cpu_used;
    uint64_t mem_peaks[LP_PEAKS];          /* of the slices; [0] the present one */
    uint32_t cpu_peaks[LP_PEAKS];
    int64_t slice_msec;                    /* when the present slice began */
    int64_t sample_msec;                   /* when the histograms were last fed */
    uint64_t mem_sample_peak;              /* since then */
    uint32_t cpu_sample_peak;
    uint64_t mem_long_bytes;               /* the percentile, worked out when fed */
    uint32_t cpu_long_centi;
    uint64_t refaults, oom_kills;          /* as last seen */
    int64_t mem_pressed_msec, cpu_pressed_msec;    /* when pressure was last felt; 0: never */
    uint64_t mem_floor_bytes;              /* was too little: nothing below while it lasts ... */
    int64_t mem_floor_until_msec;
    uint32_t pressed_ticks;                /* that pressure has lasted without a break */
    bool seen;                             /* fed at least once */
} LpDemandState;

typedef enum {
    LP_WHY_NONE,
    LP_WHY_UNKNOWN,        /* nothing is seen: as granted */
    LP_WHY_STALE,          /* what was seen is too old: as granted */
    LP_WHY_WORKING_SET,    /* what is in use now, with headroom */
    LP_WHY_PEAK,           /* what was in use a while ago */
    LP_WHY_HISTORY,        /* the histogram's percentile */
    LP_WHY_PRESSURE,       /* PSI above the goal's limit */
    LP_WHY_REFAULT,        /* pages come back that had gone */
    LP_WHY_SWAP,
    LP_WHY_OOM,
    LP_WHY_ASKED,          /* the guest's own request */
    LP_WHY_RUN_QUEUE,
    LP_WHY_CAPPED,         /* CPU: uses all it may, so wants more than is seen */
    LP_WHY_S,
} LpWhy;

typedef struct {
    uint64_t need_bytes;   /* without which it suffers now */
    uint64_t want_bytes;   /* with headroom, and the peaks that are believed */
    LpWhy mem_why;
    bool mem_pressed;      /* now */
    bool mem_known;
    uint64_t used_bytes;   /* what was taken as in use */
    uint32_t need_centi, want_centi;
    LpWhy cpu_why;
    bool cpu_pressed, cpu_known;
} LpDemand;

/* One tick.  `granted_*` is what the partition has.  Time may jump either way: a jump back, or
 * one of more than a day ahead, forgets what is dated and keeps what is learnt. A guest that lies
 * wins no more than its share: wants are only what sharing begins with. */
void lp_demand_update(LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
                      uint64_t granted_bytes, uint32_t granted_centi, int64_t now_msec,
                      LpDemand *ret_demand);

#endif
