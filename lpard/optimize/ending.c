/* How an optimization ended: by what is measured, not by what was meant. */
#include <string.h>

#include "lpard/optimize/run.h"
#include "policy/units.h"

/* A guest at work always has a few pages under way: less than this stayed, and it is done all the same.
 * Of what was to be moved the 256th part, but a huge page or two in any case. */
#define STAY_DIVISOR 256
#define STAY_LEAST_BYTES (4ULL << 20)

static uint64_t
stuck_of(const LpWorkPart *part)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < LP_STUCKS; i++)
        sum += part->stuck_bytes[i];
    return sum;
}

/* What lies on other nodes than it should. */
static uint64_t
astray(const LpWorkPart *part, const LpPicture *picture, const LpPicturePart *now)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < MIN(part->n_cells, now->n_cells); i++) {
        const LpPictureCell *cell = &picture->cells[now->first_cell + i];
        unsigned __int128 all = 0, has = 0;

        for (uint32_t n = 0; n < picture->topology->n_nodes; n++) {
            all += part->cells[i].target.on[n];
            has += cell->memory.on[n];
        }
        for (uint32_t n = 0; n < picture->topology->n_nodes && all > 0; n++) {
            uint64_t there = cell->memory.on[n];
            uint64_t wanted = (uint64_t) (has * part->cells[i].target.on[n] / all);

            sum += there - MIN(there, wanted);
        }
    }
    return sum;
}

static char *
stayed_text(const LpWorkPart *part)
{
    static const char *const why[LP_STUCKS] = {
        [LP_STUCK_BUSY] = "are pinned for a device or under I/O",
        [LP_STUCK_NO_ROOM] = "found no room on their node",
        [LP_STUCK_SHARED] = "are mapped by another process too",
        [LP_STUCK_OTHER] = "the kernel does not move",
    };
    g_autoptr(GString) text = g_string_new(NULL);
    char bytes[LP_UNITS_TEXT];

    for (unsigned i = 0; i < LP_STUCKS; i++)
        if (part->stuck_bytes[i])
            g_string_append_printf(text, "%s%s %s", text->len ? ", " : "",
                                   lp_units_near_bytes(part->stuck_bytes[i], bytes, sizeof bytes),
                                   why[i]);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
judge_moved(LpWorkPart *part, uint64_t left)
{
    uint64_t known = stuck_of(part) - part->stuck_bytes[LP_STUCK_NO_ROOM];
    uint64_t most = MAX(part->total_bytes / STAY_DIVISOR, STAY_LEAST_BYTES);

    if (part->no_room)
        part->stuck_bytes[LP_STUCK_NO_ROOM] = MAX(part->stuck_bytes[LP_STUCK_NO_ROOM],
                                                  left - MIN(left, known));
    if (stuck_of(part) <= most) {
        part->state = part->reason ? LP_PART_PARTIAL : LP_PART_DONE;
        return;
    }
    part->state = part->moved_bytes > 0 || (part->pins && part->pinned) ? LP_PART_PARTIAL
                                                                       : LP_PART_FAILED;
    if (!part->reason)
        part->reason = stayed_text(part);
}

/* Of the kernel's own moving only the measurement tells. */
static void
judge_whole(LpWorkPart *part, uint64_t left)
{
    part->moved_bytes = part->total_bytes - MIN(part->total_bytes, left);
    if (left <= MAX(part->total_bytes / STAY_DIVISOR, STAY_LEAST_BYTES))
        return;
    part->state = LP_PART_PARTIAL;
    if (!part->reason)
        part->reason = g_strdup("the kernel has not moved all of it (yet); `lparctl score` shows "
                                "how far it is");
}

static void
judge(LpRunning *running, LpWorkPart *part, const LpPicture *picture)
{
    const LpPicturePart *now = lp_picture_find(picture, part->uuid);
    uint64_t left = now ? astray(part, picture, now) : 0;

    if (now && part->touched && strcmp(now->run_id, part->run_id) == 0)
        part->measured = now->score;
    if (part->failed || part->state == LP_PART_STAYS)
        return;
    if (part->state == LP_PART_PENDING || part->state == LP_PART_RUNNING) {
        bool moved = part->moved_bytes > 0;

        part->state = moved ? LP_PART_PARTIAL : LP_PART_STAYS;
        if (!part->reason)
            part->reason = g_strdup(running->trouble ? running->trouble
                                    : moved          ? "stopped on its way"
                                                     : "stopped before its turn");
        return;
    }
    if (!part->touched)
        return;
    if (part->whole)
        judge_whole(part, left);
    else
        judge_moved(part, left);
}

typedef struct {
    guint n, done, failed;
    uint64_t stuck_bytes;
    const LpWorkPart *first;      /* that is not done */
} Sum;

static Sum
sum_up(const LpWork *work)
{
    Sum sum = {0};

    for (guint i = 0; i < work->parts->len; i++) {
        const LpWorkPart *part = g_ptr_array_index(work->parts, i);

        /* Who was never to be moved is no part of the outcome. */
        if (part->state == LP_PART_STAYS && !part->recorded && part->n_cells == 0)
            continue;
        sum.n++;
        sum.done += part->state == LP_PART_DONE;
        sum.failed += part->state == LP_PART_FAILED;
        sum.stuck_bytes += stuck_of(part);
        if (part->state != LP_PART_DONE && !sum.first)
            sum.first = part;
    }
    return sum;
}

static void
end(LpRunning *running)
{
    LpOptimizer *optimizer = running->optimizer;
    LpWork *work = running->work;
    Sum sum = sum_up(work);
    char moved[LP_UNITS_TEXT];
    g_autofree char *text = NULL;
    const char *code = NULL;
    LpOpState state = LP_OP_DONE;

    lp_units_near_bytes(work->moved_bytes, moved, sizeof moved);
    work->phase = "done";
    if (running->trouble) {
        state = LP_OP_FAILED;
        code = "journal";
        text = g_strdup_printf("%s; %s had been moved, and stays where it is", running->trouble,
                               moved);
    } else if (running->cancelled && sum.done < sum.n) {
        state = LP_OP_CANCELLED;
        code = "cancelled";
        text = g_strdup_printf("cancelled; %s had been moved, and stays where it is", moved);
    } else if (sum.done < sum.n) {
        state = work->moved_bytes == 0 && sum.failed == sum.n ? LP_OP_FAILED : LP_OP_PARTIAL;
        code = state == LP_OP_FAILED ? "failed" : "partial";
        text = g_strdup_printf("%u of %u partitions are where they should be; %s: %s", sum.done,
                               sum.n, sum.first->name,
                               sum.first->reason ? sum.first->reason : "not all could be moved");
    }
    lp_schedule_ended(optimizer, running->operation->request->requester, work);
    lp_running_tell(running, true);
    running->operation->confirm = LP_CONFIRM_HOST;
    lp_engine_end_foreign(optimizer->engine, running->operation, state, code, text);
    lp_running_drop(running);
}

static void
measured(const GError *error, void *data)
{
    LpRunning *running = data;
    LpPicture *picture;

    /* lpard is ending: the operation stays open, and is taken up again. */
    if (error)
        return;
    picture = lp_optimizer_picture(running->optimizer, (LpPictureOrder){0});
    for (guint i = 0; i < running->work->parts->len; i++)
        judge(running, g_ptr_array_index(running->work->parts, i), picture);
    running->work->measured = picture->score;
    lp_picture_free(picture);
    end(running);
}

void
lp_running_end_work(LpRunning *running)
{
    g_autoptr(GPtrArray) touched = g_ptr_array_new();

    running->measuring = true;
    running->work->phase = "measuring";
    g_clear_pointer(&running->work->paused, g_free);
    for (guint i = 0; i < running->work->parts->len; i++) {
        LpWorkPart *part = g_ptr_array_index(running->work->parts, i);

        if (part->touched)
            g_ptr_array_add(touched, part->uuid);
    }
    lp_engine_tell_foreign(running->optimizer->engine, running->operation, LP_OP_CONFIRMING);
    lp_running_tell(running, true);
    lp_survey_fresh(running->optimizer, touched, measured, running);
}
