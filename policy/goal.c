/* The goals: what each of the three words means in figures.
 *
 * From Autopilot (margins of 10 to 15 %, peaks of an hour), VPA (percentiles 90 and 95), Senpai and
 * oomd (what PSI is much), and replays of a month of enterprise machines.  There percentiles alone
 * cost twice the memory of believing peaks for a while; half an hour was as good as an hour, with a
 * tenth less memory and a fifth fewer resizes, and growing late (mem_up), in big steps, saved a
 * third of them.  mem_room_bytes is for small machines, where per cents are little: programs start
 * and caches warm up in tens of MiB there too. */
#include "policy/demand.h"

#define MIB (UINT64_C(1) << 20)

static const LpTuning tunings[LP_GOALS] = {
    /* Memory is kept for what came once; processors are wanted at two thirds. */
    [LP_GOAL_LATENCY] = {
        .mem_up = 8500, .mem_headroom = 2000, .mem_room_bytes = 256 * MIB,
        .mem_percentile = 9900, .keeps_history = true, .mem_down = 7000,
        .psi_some_centi = 100,
        .cpu_up = 7500, .cpu_headroom = 5000, .cpu_room_centi = 20, .cpu_percentile = 9900,
        .cpu_down = 6000, .cpu_psi_centi = 1000,
        .window_sec = 7200, .release_sec = 14400, .dwell_sec = 900,
    },
    [LP_GOAL_BALANCED] = {
        .mem_up = 9700, .mem_headroom = 1000, .mem_room_bytes = 160 * MIB,
        .mem_percentile = 9500, .mem_down = 8000,
        .psi_some_centi = 300,
        .cpu_up = 8500, .cpu_headroom = 2500, .cpu_room_centi = 10, .cpu_percentile = 9500,
        .cpu_down = 7000, .cpu_psi_centi = 2500,
        .window_sec = 1800, .release_sec = 3600, .dwell_sec = 300,
    },
    /* Close to what is in use; a little pressure is the price. */
    [LP_GOAL_DENSITY] = {
        .mem_up = 9800, .mem_headroom = 500, .mem_room_bytes = 64 * MIB,
        .mem_percentile = 9000, .mem_down = 8750,
        .psi_some_centi = 1000,
        .cpu_up = 9500, .cpu_headroom = 1000, .cpu_room_centi = 5, .cpu_percentile = 9000,
        .cpu_down = 8000, .cpu_psi_centi = 5000,
        .window_sec = 900, .release_sec = 900, .dwell_sec = 120,
    },
};

const LpTuning *
lp_goal_tuning(LpGoal goal)
{
    return &tunings[(unsigned)goal < LP_GOALS ? goal : LP_GOAL_BALANCED];
}
