#include "lpard/api/export-policy.h"

#include <string.h>

#include "policy/explain.h"

static json_t *
integer(uint64_t number)
{
    return json_integer((json_int_t)MIN(number, (uint64_t)INT64_MAX));
}

static json_t *
integer_or_null(bool known, uint64_t number)
{
    return known ? integer(number) : json_null();
}

/* How long from the decision on; null: no time is set. */
static json_t *
left_msec(const LpScaled *scaled, int64_t at_msec)
{
    return integer_or_null(at_msec != 0,
                           (uint64_t)MAX(at_msec - scaled->host->now_msec, 0));
}

const char *
lp_export_leftovers(bool burst)
{
    return burst ? "burst" : "keep";
}

static json_t *
name_json(const char *name)
{
    g_autofree char *valid = name ? g_utf8_make_valid(name, -1) : NULL;

    return valid ? json_string(valid) : json_null();
}

static json_t *
mem_json(const LpScaled *scaled)
{
    const LpDecision *decision = scaled->decision;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:b, s:o}",
                     "granted_bytes", integer(scaled->input->granted_bytes),
                     "need_bytes", integer(decision->demand.need_bytes),
                     "want_bytes", integer(decision->demand.want_bytes),
                     "target_bytes", integer(decision->mem_target_bytes),
                     "bytes", integer(decision->mem_bytes),
                     "act", lp_act_name(decision->mem_act),
                     "why", lp_why_names[decision->demand.mem_why],
                     "bound", lp_bound_names[decision->mem_bound],
                     "take", lp_take_name(decision->mem_take),
                     "pressed", decision->demand.mem_pressed,
                     "next_msec", left_msec(scaled, decision->mem_next_msec));
}

static json_t *
cpu_json(const LpScaled *scaled)
{
    const LpDecision *decision = scaled->decision;

    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:s, s:s, s:b, s:o}",
                     "granted", (int)scaled->input->granted_cpus,
                     "need_centi", (int)MIN(decision->demand.need_centi, G_MAXINT),
                     "want_centi", (int)MIN(decision->demand.want_centi, G_MAXINT),
                     "target_centi", (int)MIN(decision->cpu_target_centi, G_MAXINT),
                     "share", (int)MIN(decision->cpu_share, G_MAXINT),
                     "count", (int)decision->cpus,
                     "act", lp_act_name(decision->cpu_act),
                     "why", lp_why_names[decision->demand.cpu_why],
                     "bound", lp_bound_names[decision->cpu_bound],
                     "pressed", decision->demand.cpu_pressed,
                     "next_msec", left_msec(scaled, decision->cpu_next_msec));
}

json_t *
lp_export_decision(const LpScaled *scaled)
{
    return json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}",
                     "partition", name_json(scaled->partition->view->name),
                     "uuid", scaled->partition->uuid,
                     "mode", lp_mode_names[scaled->input->mode],
                     "goal", lp_goal_names[scaled->input->goal],
                     "fixed", lp_fixed_names[scaled->fixed],
                     "fixed_left_sec", integer_or_null(scaled->fixed_left_sec > 0,
                                                       (uint64_t)scaled->fixed_left_sec),
                     "mem", mem_json(scaled), "cpu", cpu_json(scaled),
                     "rival", name_json(scaled->rival),
                     "operation", integer_or_null(scaled->operation != 0,
                                                  (uint64_t)scaled->operation));
}

static json_t *
seen_json(const LpSignals *seen)
{
    static const char *const by[] = {[LP_SEEN_NOTHING] = "nothing", [LP_SEEN_BALLOON] = "balloon",
                                     [LP_SEEN_AGENT] = "agent"};
    bool memory = seen->mem_by != LP_SEEN_NOTHING, agent = seen->mem_by == LP_SEEN_AGENT;

    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "mem_by", by[seen->mem_by],
        "mem_age_msec", integer_or_null(memory, (uint64_t)MAX(seen->mem_age_msec, 0)),
        "total_bytes", integer_or_null(memory, seen->total_bytes),
        "available_bytes", integer_or_null(memory, seen->available_bytes),
        "working_set_bytes", integer_or_null(agent, seen->working_set_bytes),
        "swap_used_bytes", integer_or_null(agent, seen->swap_used_bytes),
        "refaults", integer_or_null(agent, seen->refaults),
        "oom_kills", integer_or_null(agent, seen->oom_kills),
        "psi_some_centi", integer_or_null(memory && seen->has_psi, seen->psi_some_centi),
        "psi_full_centi", integer_or_null(memory && seen->has_psi, seen->psi_full_centi),
        "cpu_age_msec", integer_or_null(seen->has_cpu, (uint64_t)MAX(seen->cpu_age_msec, 0)),
        "cpu_used_centi", integer_or_null(seen->has_cpu, seen->cpu_used_centi),
        "cpu_running", integer_or_null(agent, seen->cpu_running),
        "cpu_psi_centi", integer_or_null(memory && seen->has_psi, seen->cpu_psi_centi),
        "cpu_steal_centi", integer_or_null(agent, seen->cpu_steal_centi));
}

static json_t *
bounds_json(const LpPolicyPartition *input)
{
    return json_pack("{s:i, s:i, s:o, s:o, s:o, s:i, s:i, s:i, s:b}",
                     "cpu_min", (int)input->cpu_min, "cpu_max", (int)input->cpu_max,
                     "mem_min_bytes", integer(input->mem_min_bytes),
                     "mem_max_bytes", integer(input->mem_max_bytes),
                     "entitled_bytes", integer(input->entitled_bytes ? input->entitled_bytes
                                                                     : input->mem_min_bytes),
                     "entitled_centi", (int)input->entitled_centi,
                     "weight", (int)input->weight, "priority", (int)input->priority,
                     "scheduled", input->scheduled);
}

/* Null: the guest has said nothing that still holds. */
static json_t *
word_json(const LpScaled *scaled)
{
    const LpGuestWord *word = &scaled->input->word;
    int64_t now = scaled->host->now_msec;
    bool asked = word->asked_until_msec > now, vetoed = word->vetoed_until_msec > now;

    if (!asked && !vetoed)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o}",
                     "asked_bytes", integer_or_null(asked && word->asked_bytes, word->asked_bytes),
                     "asked_cpus", integer_or_null(asked && word->asked_cpus, word->asked_cpus),
                     "asked_left_msec",
                     integer_or_null(asked, (uint64_t)(word->asked_until_msec - now)),
                     "vetoed_left_msec",
                     integer_or_null(vetoed, (uint64_t)(word->vetoed_until_msec - now)));
}

json_t *
lp_export_lines(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    json_t *list = json_array();

    for (char **line = lines; *line; line++) {
        g_autofree char *valid = g_utf8_make_valid(*line, -1);

        if (**line)
            json_array_append_new(list, json_string(valid));
    }
    return list;
}

json_t *
lp_export_decision_whole(const LpScaled *scaled)
{
    json_t *json = lp_export_decision(scaled);
    g_autofree char *text = lp_scaler_explain(scaled);

    json_object_set_new(json, "seen", seen_json(&scaled->input->seen));
    json_object_set_new(json, "bounds", bounds_json(scaled->input));
    json_object_set_new(json, "word", word_json(scaled));
    json_object_set_new(json, "text", lp_export_lines(text));
    return json;
}

static char *
timestamp(int64_t usec)
{
    g_autoptr(GDateTime) second = g_date_time_new_from_unix_utc(usec / G_USEC_PER_SEC);

    return g_date_time_format(second, "%Y-%m-%dT%H:%M:%SZ");
}

json_t *
lp_export_policy_line(const LpScalerLine *line)
{
    g_autofree char *at = timestamp(line->at_usec);

    return json_pack("{s:s, s:o, s:s, s:s}", "at", at, "partition", name_json(line->name),
                     "what", line->what, "text", line->text);
}
