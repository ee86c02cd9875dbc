/* What begins by itself: an optimization where the host is badly laid out and much is to be gained (both,
 * as PowerVM's does), and strays brought home. */
#include "lpard/error.h"
#include "lpard/optimize/optimize-priv.h"

/* The score is looked at as often as partitions are measured. */
#define LOOK_PAUSE_USEC ((int64_t) LP_SURVEY_SEC * G_USEC_PER_SEC)
/* What was tried, and came to something or not, is not tried again for an hour: moving costs all guests
 * memory bandwidth. */
#define TRY_PAUSE_USEC ((int64_t) 3600 * G_USEC_PER_SEC)
#define TIDY_PAUSE_USEC ((int64_t) 600 * G_USEC_PER_SEC)
/* Strays that would not go, since they are pinned or shared, are tried ever more seldom. */
#define TIDY_PAUSE_MOST_USEC ((int64_t) 86400 * G_USEC_PER_SEC)
#define REQUESTER_TIDY "tidy"
/* Fewer strays than this on the whole host are left to the next optimization: journaling and calls
 * would cost more than they do. */
#define STRAY_BYTES (256ULL << 20)

static void
on_begun(LpOperation *operation, const GError *error, void *data)
{
    (void) data;
    if (operation)
        g_message("operation %" G_GINT64_FORMAT " optimizes the host (%s)", operation->id,
                  operation->request->requester);
    else if (!g_error_matches(error, LP_ERROR, LP_ERROR_REFUSED)
             && !g_error_matches(error, LP_ERROR, LP_ERROR_BUSY))
        g_warning("the host cannot be optimized by itself: %s", error->message);
}

static bool
gather_strays(LpOptimizer *optimizer)
{
    LpPicture *picture = lp_optimizer_picture(optimizer, (LpPictureOrder){.heed_holds = true});
    LpWork *work = lp_work_from_strays(picture, STRAY_BYTES);

    lp_picture_free(picture);
    if (!work)
        return false;
    lp_optimizer_accept(optimizer, lp_optimize_request_new(REQUESTER_TIDY), work, on_begun, NULL);
    return true;
}

static void
try_layout(LpOptimizer *optimizer)
{
    LpPicture *picture = lp_optimizer_picture(optimizer, (LpPictureOrder){.heed_holds = true});
    uint32_t score = picture->score;

    lp_picture_free(picture);
    if (score == LP_SCORE_NONE || score > optimizer->threshold * 100) {
        optimizer->tried_usec += LOOK_PAUSE_USEC;
        return;
    }
    optimizer->tried_usec = g_get_monotonic_time();
    lp_optimizer_begin(optimizer, lp_optimize_request_new("schedule"), false,
                       MAX(optimizer->delta * 100, 1), on_begun, NULL);
}

void
lp_schedule_ended(LpOptimizer *optimizer, const char *requester, const LpWork *work)
{
    if (g_strcmp0(requester, REQUESTER_TIDY) != 0)
        return;
    if (work->moved_bytes >= work->total_bytes / 2)
        optimizer->tidy_pause_usec = TIDY_PAUSE_USEC;
    else
        optimizer->tidy_pause_usec = MIN(MAX(optimizer->tidy_pause_usec, TIDY_PAUSE_USEC) * 2,
                                         TIDY_PAUSE_MOST_USEC);
}

void
lp_schedule_look(LpOptimizer *optimizer)
{
    int64_t now = g_get_monotonic_time();

    if (optimizer->running || optimizer->claimed || !lp_engine_ready(optimizer->engine, NULL))
        return;
    if (now - optimizer->tidied_usec >= MAX(optimizer->tidy_pause_usec, TIDY_PAUSE_USEC)) {
        optimizer->tidied_usec = now;
        if (gather_strays(optimizer))
            return;
    }
    if (optimizer->automatic && now - optimizer->tried_usec >= TRY_PAUSE_USEC)
        try_layout(optimizer);
}
