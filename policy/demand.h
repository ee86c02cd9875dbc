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

/* What was last seen.  Ages, not times: now minus when.  All by a guest's word but cpu_used; what
 * the agent says of processors (running, PSI, steal) is as old as what it says of memory. */
typedef struct {
    LpSeenBy mem_by;
    bool has_cpu;
    bool has_psi;
    int64_t mem_age_msec, cpu_age_msec;
    /* What the guest has, in the granted's terms: what its kernel took before it counted is added
     * to it and to the working set. */
    uint64_t total_bytes;
    uint64_t available_bytes;
    uint64_t working_set_bytes;
    uint64_t swap_used_bytes;
    uint64_t refaults, oom_kills;  /* counters since boot; may fall back to 0 */
    uint32_t psi_some_centi, psi_full_centi;       /* memory; percent x 100 */
    uint32_t cpu_used_centi;       /* processing units used, by the host's count */
    uint32_t cpu_running;          /* runnable tasks, who looks included */
    uint32_t cpu_psi_centi;
    uint32_t cpu_steal_centi;      /* percent x 100 of all its processors */
} LpSignals;

/* How a goal is followed: the knobs behind the one.  Permyriad unless named. */
typedef struct {
    uint32_t mem_up;               /* grow when the working set passes this part of usable */
    uint32_t mem_headroom;         /* room kept above the working set ... */
    uint64_t mem_room_bytes;       /* ... and no less than this */
    uint32_t mem_percentile;       /* of the histogram of peaks */
    bool keeps_history;            /* the percentiles are lower bounds of the wants */
    uint32_t mem_down;             /* give back when the target is below this part of granted */
    uint32_t psi_some_centi;       /* memory pressure from here on asks for more */
    uint32_t cpu_up, cpu_headroom, cpu_percentile, cpu_down;
    uint32_t cpu_room_centi;
    uint32_t cpu_psi_centi;
    uint32_t window_sec;           /* a peak is believed for so long */
    uint32_t release_sec;          /* surplus this old is given back */
    uint32_t dwell_sec;            /* after growing, nothing is taken for so long */
} LpTuning;

/* A constant; what is no goal is `balanced`.  goal.c says what each figure is for. */
const LpTuning *lp_goal_tuning(LpGoal goal);

/* Peaks of the recent past, in this many equal slices of window_sec. */
#define LP_PEAKS 8

/* All zero: of a partition that is new.  No pointers. */
typedef struct {
    int64_t tick_msec;                     /* of the last update: shows where the clock jumped */
    uint64_t mem_peaks[LP_PEAKS];          /* of the slices; [0] the present one */
    uint32_t cpu_peaks[LP_PEAKS];
    int64_t slice_msec;                    /* when the present slice began */
    int64_t sample_msec;                   /* when the histograms were last fed */
    uint64_t mem_sample_peak;              /* since then */
    uint64_t mem_long_bytes;               /* the percentile, worked out when fed */
    uint32_t cpu_sample_peak;
    uint32_t cpu_long_centi;
    uint32_t cpu_smooth_eighths;           /* 8 x the use, smoothed over some 8 ticks */
    uint32_t psi_centi;                    /* from which it rises or falls */
    int64_t psi_fell_msec;                 /* when it last did; 0: it has risen since */
    uint64_t refaults, oom_kills, swap_used_bytes;  /* as last seen */
    int64_t mem_seen_msec;                 /* when memory's figures were so */
    uint64_t granted_bytes;                /* at the last update */
    int64_t mem_changed_msec;              /* when that last changed; 0: never */
    int64_t mem_pressed_msec, cpu_pressed_msec;    /* when pressure was last felt; 0: never */
    uint64_t mem_pressed_bytes;            /* granted when the present pressure began */
    uint64_t mem_asked_bytes;              /* wanted because of it; 0: there is none */
    uint64_t mem_floor_bytes;              /* was too little: nothing below while it lasts ... */
    int64_t mem_floor_until_msec;
    uint32_t pressed_ticks;                /* samples that it has lasted without a break */
    uint8_t pressed_why, floor_why;        /* LpWhy */
    bool mem_shrunk;                       /* the last change was one */
    bool counted;                          /* counters have been seen before */
    bool seen;                             /* updated at least once */
    LpHistogram mem_used, cpu_used;        /* last: an ordinary tick does not touch them */
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
    uint64_t used_bytes;   /* what was taken as in use; granted if nothing is known */
    uint32_t need_centi, want_centi;
    LpWhy cpu_why;
    bool cpu_pressed, cpu_known;
} LpDemand;

/* One tick.  `granted_*` is what the partition has.  need <= want.  Without sharing, one tick asks
 * for no more than twice what was ever granted, and room.
 *
 * Time may jump either way: after a jump back, or of more than a day ahead, what has a date begins
 * anew from now (peaks stay for another window, so that no clock takes memory away), and what is
 * learnt is kept.  Figures that contradict themselves (available above total, no total) are
 * unknown.  A guest that lies wins no more than its share: wants are only what sharing begins
 * with. */
void lp_demand_update(LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
                      uint64_t granted_bytes, uint32_t granted_centi, int64_t now_msec,
                      LpDemand *ret_demand);

#endif
