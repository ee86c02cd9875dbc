/* Results as JSON: the names are those of sim.h, the units are in them. */
#include <math.h>

#include "lpard/sim/report-priv.h"

/* JSON has no NaN. */
static json_t *
real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* What does not fit JSON's 64 signed bits is as good as endless. */
static json_t *
whole(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t) value);
}

static json_t *
text_or_null(const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

    return valid ? json_string(valid) : json_null();
}

static json_t *
actuators(const LpSimActuators *of)
{
    json_t *object = json_object();

    json_object_set_new(object, "grow_msec_per_gib", whole(of->grow_msec_per_gib));
    json_object_set_new(object, "shrink_msec_per_gib", whole(of->shrink_msec_per_gib));
    json_object_set_new(object, "grow_delay_msec", whole(of->grow_delay_msec));
    json_object_set_new(object, "shrink_delay_msec", whole(of->shrink_delay_msec));
    json_object_set_new(object, "shrink_fail_permyriad", whole(of->shrink_fail_permyriad));
    json_object_set_new(object, "veto_permyriad", whole(of->veto_permyriad));
    return object;
}

static json_t *
configuration(const LpSimConfig *config)
{
    json_t *object = json_object();

    json_object_set_new(object, "host_bytes", whole(config->host_bytes));
    json_object_set_new(object, "host_centi", whole(config->host_centi));
    json_object_set_new(object, "n_nodes", whole(MAX(config->n_nodes, 1)));
    json_object_set_new(object, "steps", json_boolean(config->steps));
    /* As text: a seed is 64 bits, and a program that reads numbers as doubles would lose some. */
    json_object_set_new(object, "seed", json_sprintf("%" G_GUINT64_FORMAT, config->seed));
    json_object_set_new(object, "from_sec", whole(config->from_sec));
    json_object_set_new(object, "seconds", whole(config->seconds));
    json_object_set_new(object, "warm_sec", whole(config->warm_sec));
    json_object_set_new(object, "tick_sec", whole(config->tick_sec));
    json_object_set_new(object, "actuators", actuators(&config->actuators));
    return object;
}

static json_t *
amount(const LpSimAmount *of)
{
    json_t *object = json_object();

    json_object_set_new(object, "vm_seconds", whole(of->vm_seconds));
    json_object_set_new(object, "demand", real_or_null(of->demand));
    json_object_set_new(object, "shortfall", real_or_null(of->shortfall));
    json_object_set_new(object, "granted", real_or_null(of->granted));
    json_object_set_new(object, "needs", real_or_null(of->needs));
    json_object_set_new(object, "static", real_or_null(of->static_amount));
    json_object_set_new(object, "violated_vm_seconds", whole(of->violated));
    json_object_set_new(object, "stall_sec", real_or_null(of->stall_sec));
    json_object_set_new(object, "ooms", whole(of->ooms));
    json_object_set_new(object, "resizes", whole(of->resizes));
    json_object_set_new(object, "reversals", whole(of->reversals));
    json_object_set_new(object, "failures", whole(of->failures));
    json_object_set_new(object, "resizes_calm", whole(of->resizes_calm));
    json_object_set_new(object, "calm_vm_days", real_or_null(of->calm_vm_days));
    json_object_set_new(object, "resizes_per_vm_day_p99", real_or_null(of->resizes_per_vm_day_p99));
    json_object_set_new(object, "moved", real_or_null(of->bytes_moved));
    json_object_set_new(object, "fairness", real_or_null(of->fairness));
    json_object_set_new(object, "host_min_free",
                        of->host_min_free == UINT64_MAX ? json_null() : whole(of->host_min_free));
    /* What is read most, worked out. */
    json_object_set_new(object, "shortfall_of_demand",
                        real_or_null(lp_report_part(of->shortfall, of->demand)));
    json_object_set_new(object, "needs_of_static",
                        real_or_null(lp_report_part(of->needs, of->static_amount)));
    return object;
}

static json_t *
points_of(const LpSimResult *result)
{
    json_t *array = json_array();

    for (size_t i = 0; i < result->n_points; i++) {
        json_t *point = json_object();

        json_object_set_new(point, "sec", whole(result->points[i].sec));
        json_object_set_new(point, "demand", whole(result->points[i].demand));
        json_object_set_new(point, "granted", whole(result->points[i].granted));
        json_object_set_new(point, "needs", whole(result->points[i].needs));
        json_object_set_new(point, "shortfall", whole(result->points[i].shortfall));
        json_array_append_new(array, point);
    }
    return array;
}

static json_t *
result_of(const LpSimResult *result, bool points)
{
    json_t *object = json_object();

    json_object_set_new(object, "policy", text_or_null(result->policy));
    json_object_set_new(object, "memory_ratio", real_or_null(result->memory_ratio));
    json_object_set_new(object, "cpu_ratio", real_or_null(result->cpu_ratio));
    json_object_set_new(object, "partitions", whole(result->n));
    json_object_set_new(object, "config", configuration(&result->config));
    json_object_set_new(object, "memory", amount(&result->mem));
    json_object_set_new(object, "cpu", amount(&result->cpu));
    json_object_set_new(object, "broken_ticks", whole(result->broken));
    json_object_set_new(object, "first_broken",
                        text_or_null(result->broken > 0 ? result->first_broken : NULL));
    json_object_set_new(object, "wall_sec", real_or_null(result->wall_sec));
    if (points)
        json_object_set_new(object, "points", points_of(result));
    return object;
}

json_t *
lp_report_json(const LpReportAbout *about, const LpSimResult *results, size_t n, bool points)
{
    json_t *object = json_object(), *array = json_array();

    json_object_set_new(object, "trace", text_or_null(about ? about->trace : NULL));
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, result_of(&results[i], points));
    json_object_set_new(object, "results", array);
    return object;
}
