/* GET /v1/score: what is measured, beside what it could be. */
#include "lpard/error.h"
#include "lpard/optimize/optimize-priv.h"

/* Somebody who waits for the figures; all who wait are answered by one layout. */
typedef struct {
    LpOptimizer *optimizer;
    LpScoresFunc done;
    void *data;
    bool measuring;               /* not yet among those who wait for the layout */
    bool taken;                   /* a layout is being made for it */
} Scoring;

static void next_layout(LpOptimizer *optimizer);

static uint32_t
best_of(const LpPicturePart *part, LpNodeSet allowed, const LpTopology *topology, void *data)
{
    LpOptimizer *optimizer = data;
    LpSurveyed *item = lp_survey_item(optimizer, part->uuid);

    if (!item)
        return lp_score_best(topology, NULL, allowed, part->bytes, part->n_vcpus);
    if (item->kept.bytes != part->bytes || item->kept.vcpus != part->n_vcpus
        || item->kept.allowed != allowed || item->kept.allowed == 0) {
        item->kept.bytes = part->bytes;
        item->kept.vcpus = part->n_vcpus;
        item->kept.allowed = allowed;
        item->kept.best = lp_score_best(topology, NULL, allowed, part->bytes, part->n_vcpus);
    }
    return item->kept.best;
}

static const char *
error_of(const char *uuid, void *data)
{
    const LpSurveyed *item = lp_survey_item(data, uuid);

    return item ? item->error : NULL;
}

static uint32_t
weight_of(const char *uuid, uint32_t vcpu, void *data)
{
    const LpSurveyed *item = lp_survey_item(data, uuid);

    if (!item || !item->weights)
        return 0;
    return vcpu < item->weights->len ? g_array_index(item->weights, uint32_t, vcpu) : 0;
}

LpPicture *
lp_optimizer_picture(LpOptimizer *optimizer, LpPictureOrder order)
{
    LpPicture *picture;

    order.best = best_of;
    order.error = error_of;
    order.weight = weight_of;
    order.data = optimizer;
    picture = lp_picture_new(optimizer->registry, &order);
    optimizer->figures.host_centi = picture->score;
    return picture;
}

static json_t *
scores_json(LpOptimizer *optimizer, const LpPicture *picture, const LpLayout *layout)
{
    json_t *partitions = json_array();
    LpOperation *operation = optimizer->running ? lp_running_operation(optimizer->running) : NULL;
    json_t *host;

    for (guint i = 0; i < picture->n_parts; i++)
        if (picture->parts[i].run != LP_RUN_OFF)
            json_array_append_new(partitions, lp_picture_part_json(picture, layout, i));
    host = json_pack(
        "{s:o,s:o,s:o,s:o,s:I,s:I,s:b,s:o}", "score_centi", lp_score_json(picture->score),
        "predicted_centi",
        lp_score_json(layout ? lp_picture_predict_host(picture, layout) : LP_SCORE_NONE),
        "intended_centi", lp_score_json(picture->intended), "to_move_bytes",
        layout ? json_integer((json_int_t) layout->moved_bytes) : json_null(), "threshold",
        (json_int_t) optimizer->threshold, "delta", (json_int_t) optimizer->delta, "automatic",
        optimizer->automatic, "operation", operation ? json_integer(operation->id) : json_null());
    return json_pack("{s:o,s:o}", "host", host, "partitions", partitions);
}

static void
layout_done(LpPicture *picture, LpLayout *layout, void *data)
{
    LpOptimizer *optimizer = data;
    json_t *scores = scores_json(optimizer, picture, layout);

    lp_picture_free(picture);
    optimizer->scoring = false;
    for (guint i = 0; i < optimizer->scorings->len;) {
        Scoring *scoring = g_ptr_array_index(optimizer->scorings, i);

        if (!scoring->taken) {
            i++;
            continue;
        }
        g_ptr_array_steal_index(optimizer->scorings, i);
        scoring->done(json_incref(scores), NULL, scoring->data);
        g_free(scoring);
        i = 0;
    }
    json_decref(scores);
    if (!optimizer->closing)
        next_layout(optimizer);
}

static void
next_layout(LpOptimizer *optimizer)
{
    const LpLayoutOrder order = {0};
    bool any = false;

    if (optimizer->scoring)
        return;
    for (guint i = 0; i < optimizer->scorings->len; i++) {
        Scoring *scoring = g_ptr_array_index(optimizer->scorings, i);

        scoring->taken = !scoring->measuring;
        any |= scoring->taken;
    }
    if (!any)
        return;
    optimizer->scoring = true;
    lp_job_start(optimizer, lp_optimizer_picture(optimizer, (LpPictureOrder){0}), &order,
                 layout_done, optimizer);
}

static void
measured(const GError *error, void *data)
{
    Scoring *scoring = data;

    scoring->measuring = false;
    if (!error)
        next_layout(scoring->optimizer);
}

void
lp_optimizer_scores(LpOptimizer *optimizer, bool fresh, LpScoresFunc done, void *data)
{
    g_autoptr(GError) error = NULL;
    Scoring *scoring;

    if (!lp_registry_synced(optimizer->registry)) {
        error = g_error_new(LP_ERROR, LP_ERROR_UNREACHABLE,
                            "the hypervisor at %s cannot be reached; is libvirtd running?",
                            lp_registry_uri(optimizer->registry));
        done(NULL, error, data);
        return;
    }
    scoring = g_new0(Scoring, 1);
    scoring->optimizer = optimizer;
    scoring->done = done;
    scoring->data = data;
    g_ptr_array_add(optimizer->scorings, scoring);
    if (fresh) {
        scoring->measuring = true;
        lp_survey_fresh(optimizer, NULL, measured, scoring);
    } else {
        next_layout(optimizer);
    }
}

json_t *
lp_optimizer_score_of(LpOptimizer *optimizer, const LpPartition *partition)
{
    LpPictureOrder order = {.only = partition};
    LpPicture *picture;
    json_t *json;

    if (!partition->locality)
        return NULL;
    order.best = best_of;
    order.error = error_of;
    order.weight = weight_of;
    order.data = optimizer;
    picture = lp_picture_new(optimizer->registry, &order);
    json = lp_picture_part_json(picture, NULL, 0);
    lp_picture_free(picture);
    return json;
}

void
lp_scores_end(LpOptimizer *optimizer)
{
    g_autoptr(GError) error = g_error_new(LP_ERROR, LP_ERROR_UNREACHABLE, "lpard is ending");

    while (optimizer->scorings->len) {
        Scoring *scoring = g_ptr_array_steal_index(optimizer->scorings, 0);

        scoring->done(NULL, error, scoring->data);
        g_free(scoring);
    }
    g_ptr_array_unref(optimizer->scorings);
}
