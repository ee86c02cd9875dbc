/* Where use is going: a rise that lasts is met by one resize, not by one each second. */
#include "policy/round.h"

/* Spans that are compared. */
#define SPAN_MSEC 15000
/* What was so long ago says nothing of now. */
#define OLD_MSEC 120000
/* Use is not expected to more than double, or to rise by more than this. */
#define LEAST_CAP_BYTES (4ULL << 30)
/* Less than this of a span is noise. */
#define LEAST_MSEC 5000

void
lp_trend_note(LpPolicyState *state, uint64_t used_bytes, int64_t now_msec)
{
    if (state->trend_msec[0] != 0 && now_msec >= state->trend_msec[0] &&
        lp_calm_since(state->trend_msec[0], now_msec) < SPAN_MSEC)
        return;
    state->trend_bytes[1] = state->trend_bytes[0];
    state->trend_msec[1] = state->trend_msec[0];
    state->trend_bytes[0] = used_bytes;
    state->trend_msec[0] = lp_calm_stamp(now_msec);
}

/* What a rise from one to the other, in so long, comes to in LP_TREND_AHEAD_MSEC. */
static uint64_t
ahead(uint64_t from, uint64_t to, int64_t passed_msec)
{
    uint64_t rise = lp_sat_sub(to, from);

    return rise / (uint64_t)passed_msec * LP_TREND_AHEAD_MSEC +
           rise % (uint64_t)passed_msec * LP_TREND_AHEAD_MSEC / (uint64_t)passed_msec;
}

uint64_t
lp_trend_rise(const LpPolicyState *state, uint64_t used_bytes, int64_t now_msec)
{
    int64_t recent = lp_calm_since(state->trend_msec[0], now_msec);
    int64_t before = lp_calm_since(state->trend_msec[1], state->trend_msec[0]);
    uint64_t rise = lp_sat_add(used_bytes, LEAST_CAP_BYTES), each;

    if (state->trend_msec[0] == 0 || state->trend_msec[1] == 0 || recent > OLD_MSEC ||
        before > OLD_MSEC || before < LEAST_MSEC)
        return 0;
    /* In both spans: a step up within one of them is over. */
    each = ahead(state->trend_bytes[1], state->trend_bytes[0], before);
    rise = each < rise ? each : rise;
    if (recent >= LEAST_MSEC) {
        each = ahead(state->trend_bytes[0], used_bytes, recent);
        rise = each < rise ? each : rise;
    }
    return rise;
}
