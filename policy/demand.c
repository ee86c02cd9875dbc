#include "policy/demand.h"

#include <string.h>

#include "policy/demand-priv.h"

#define MIB (UINT64_C(1) << 20)

/* The first bucket of the histograms ends here. */
#define MEM_UNIT (64 * MIB)
#define CPU_UNIT 10
/* They are fed with the peak of so long, as Autopilot's and VPA's are. */
#define SAMPLE_MSEC 300000
/* Autopilot's half-lives.  Weights are such that a bucket that gets every sample stays well below
 * 16 bits, and one sample lasts four (six) half-lives. */
#define MEM_HALF_LIFE_MSEC (48 * INT64_C(3600000))
#define MEM_WEIGHT 16
#define CPU_HALF_LIFE_MSEC (12 * INT64_C(3600000))
#define CPU_WEIGHT 64
/* No tick is so late; a clock that goes on by more has been set, or its machine slept. */
#define JUMP_MSEC (24 * INT64_C(3600000))
/* Needed above what is in use: 1/32, and what kernels allocate in a second or two. */
#define NEED_PART 32
#define NEED_ROOM (16 * MIB)

/* Peaks go into the present slice: they are believed for another window. */
static void
redate(LpDemandState *state, int64_t now_msec)
{
    for (size_t i = 1; i < LP_PEAKS; i++) {
        state->mem_peaks[0] = lp_most(state->mem_peaks[0], state->mem_peaks[i]);
        state->cpu_peaks[0] = (uint32_t)lp_most(state->cpu_peaks[0], state->cpu_peaks[i]);
        state->mem_peaks[i] = 0;
        state->cpu_peaks[i] = 0;
    }
    state->slice_msec = now_msec;
    state->sample_msec = now_msec;
    state->mem_used.halved_msec = now_msec;
    state->cpu_used.halved_msec = now_msec;
    state->cpu_pressed_msec = 0;
    lp_demand_press_redate(state, now_msec);
}

static void
advance_slices(LpDemandState *state, const LpTuning *tuning, int64_t now_msec)
{
    int64_t length = (int64_t)tuning->window_sec * 1000 / LP_PEAKS;
    int64_t passed = lp_since(now_msec, state->slice_msec);
    size_t n = LP_PEAKS;

    if (length < 1)
        length = 1;
    if (passed < length)
        return;
    if (passed / length < LP_PEAKS)
        n = (size_t)(passed / length);
    memmove(state->mem_peaks + n, state->mem_peaks, (LP_PEAKS - n) * sizeof(uint64_t));
    memmove(state->cpu_peaks + n, state->cpu_peaks, (LP_PEAKS - n) * sizeof(uint32_t));
    memset(state->mem_peaks, 0, n * sizeof(uint64_t));
    memset(state->cpu_peaks, 0, n * sizeof(uint32_t));
    state->slice_msec = now_msec - passed % length;
}

static bool
mem_is_known(const LpSignals *seen, LpWhy *ret_why)
{
    *ret_why = LP_WHY_UNKNOWN;
    if (seen->mem_by == LP_SEEN_NOTHING || seen->total_bytes == 0 ||
        seen->available_bytes > seen->total_bytes)
        return false;
    *ret_why = LP_WHY_STALE;
    return seen->mem_age_msec >= 0 && seen->mem_age_msec <= LP_SIGNAL_STALE_MSEC;
}

/* No more than there is, whatever is said. */
static uint64_t
mem_in_use(const LpSignals *seen, uint64_t granted_bytes)
{
    uint64_t used = seen->total_bytes - seen->available_bytes;

    if (seen->mem_by == LP_SEEN_AGENT)
        used = lp_most(used, lp_least(seen->working_set_bytes, seen->total_bytes));
    return lp_least(used, granted_bytes);
}

static uint64_t
room_above(const LpTuning *tuning, uint64_t bytes)
{
    return lp_most(lp_part(bytes, tuning->mem_headroom), tuning->mem_room_bytes);
}

static uint64_t
note_peak(LpDemandState *state, uint64_t used)
{
    uint64_t peak = used;

    state->mem_sample_peak = lp_most(state->mem_sample_peak, used);
    state->mem_peaks[0] = lp_most(state->mem_peaks[0], used);
    for (size_t i = 0; i < LP_PEAKS; i++)
        peak = lp_most(peak, state->mem_peaks[i]);
    return peak;
}

/* With next to nothing free what is in use says little: all that pressure asks for is needed.
 * Else a sixteenth more, until it is known what that does. */
static uint64_t
needed_under_pressure(const LpDemandState *state, const LpSignals *seen, uint64_t granted_bytes)
{
    if (seen->available_bytes < seen->total_bytes / LP_RELIEF_PART)
        return state->mem_asked_bytes;
    return lp_least(state->mem_asked_bytes, lp_sum(granted_bytes, granted_bytes / 16));
}

static void
want_memory(LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
            uint64_t granted_bytes, int64_t now_msec, LpDemand *ret_demand)
{
    uint64_t used, peak, want, need;
    LpWhy why;

    ret_demand->want_bytes = ret_demand->need_bytes = ret_demand->used_bytes = granted_bytes;
    ret_demand->mem_pressed = false;
    ret_demand->mem_known = mem_is_known(seen, &ret_demand->mem_why);
    if (!ret_demand->mem_known)
        return;
    used = mem_in_use(seen, granted_bytes);
    peak = note_peak(state, used);
    need = lp_sum(used, lp_most(used / NEED_PART, NEED_ROOM));
    want = lp_sum(used, room_above(tuning, used));
    why = LP_WHY_WORKING_SET;
    lp_raise(&want, &why, lp_sum(peak, room_above(tuning, peak) / 2), LP_WHY_PEAK);
    if (tuning->keeps_history)
        lp_raise(&want, &why, state->mem_long_bytes, LP_WHY_HISTORY);
    ret_demand->mem_pressed = lp_demand_press(state, tuning, seen, granted_bytes, now_msec, &want,
                                              &why);
    if (ret_demand->mem_pressed)
        need = lp_most(need, needed_under_pressure(state, seen, granted_bytes));
    ret_demand->used_bytes = used;
    ret_demand->need_bytes = lp_least(need, want);
    ret_demand->want_bytes = want;
    ret_demand->mem_why = why;
}

/* A percentile in the last bucket says only "more than that". */
static uint64_t
beyond(uint64_t percentile, uint64_t unit, uint64_t peak)
{
    return percentile >= unit * LP_HISTOGRAM_UNITS ? lp_most(percentile, peak) : percentile;
}

static void
feed(LpDemandState *state, const LpTuning *tuning, const LpDemand *demand, int64_t now_msec)
{
    if (demand->mem_known || state->mem_sample_peak > 0) {
        lp_histogram_add(&state->mem_used, state->mem_sample_peak, MEM_UNIT, MEM_WEIGHT,
                         MEM_HALF_LIFE_MSEC, now_msec);
        state->mem_long_bytes =
            beyond(lp_histogram_percentile(&state->mem_used, MEM_UNIT, tuning->mem_percentile),
                   MEM_UNIT, state->mem_sample_peak);
    }
    if (demand->cpu_known || state->cpu_sample_peak > 0) {
        lp_histogram_add(&state->cpu_used, state->cpu_sample_peak, CPU_UNIT, CPU_WEIGHT,
                         CPU_HALF_LIFE_MSEC, now_msec);
        state->cpu_long_centi = (uint32_t)
            beyond(lp_histogram_percentile(&state->cpu_used, CPU_UNIT, tuning->cpu_percentile),
                   CPU_UNIT, state->cpu_sample_peak);
    }
    state->mem_sample_peak = 0;
    state->cpu_sample_peak = 0;
    state->sample_msec = now_msec;
}

static void
note_time(LpDemandState *state, int64_t now_msec)
{
    if (!state->seen) {
        state->slice_msec = state->sample_msec = now_msec;
        state->mem_floor_until_msec = now_msec;
    } else if (now_msec < state->tick_msec || lp_since(now_msec, state->tick_msec) > JUMP_MSEC) {
        redate(state, now_msec);
    }
    state->tick_msec = now_msec;
}

void
lp_demand_update(LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
                 uint64_t granted_bytes, uint32_t granted_centi, int64_t now_msec,
                 LpDemand *ret_demand)
{
    note_time(state, now_msec);
    advance_slices(state, tuning, now_msec);
    if (state->seen && granted_bytes != state->granted_bytes) {
        state->mem_changed_msec = now_msec;
        state->mem_shrunk = granted_bytes < state->granted_bytes;
    }
    state->granted_bytes = granted_bytes;
    want_memory(state, tuning, seen, granted_bytes, now_msec, ret_demand);
    lp_demand_cpu(state, tuning, seen, granted_centi, now_msec, ret_demand);
    state->seen = true;
    if (lp_since(now_msec, state->sample_msec) >= SAMPLE_MSEC)
        feed(state, tuning, ret_demand, now_msec);
}
