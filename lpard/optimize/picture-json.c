/* One domain's figures and sentences, as GET /v1/score gives them. */
#include "lpard/optimize/picture.h"

json_t *
lp_score_json(uint32_t centi)
{
    return centi == LP_SCORE_NONE ? json_null() : json_integer(centi);
}

/* That there are figures, but not of now; NULL: they are.  Caller frees. */
static char *
stale_text(const LpPicturePart *part)
{
    gint64 seconds = part->age_usec / G_USEC_PER_SEC;

    if (!part->measured)
        return NULL;
    if (part->why)
        return g_strdup_printf("could not be measured now: %s; figures are %" G_GINT64_FORMAT
                               " s old", part->why, seconds);
    /* Nobody asks about these. */
    if (part->stays == LP_STAYS_HANGS || part->stays == LP_STAYS_BUSY)
        return g_strdup_printf("could not be measured now; figures are %" G_GINT64_FORMAT " s old",
                               seconds);
    return NULL;
}

char *
lp_picture_stays_text(const LpPicturePart *part)
{
    switch (part->stays) {
    case LP_STAYS_NO_PROFILE:
        return g_strdup("a plain domain, without a profile: lpard counts it where it lies, and "
                        "moves nothing of it");
    case LP_STAYS_BAD_PROFILE:
        return g_strdup("its profile cannot be used; see `lparctl show`");
    case LP_STAYS_OFF:
        return g_strdup("it is off");
    case LP_STAYS_BUSY:
        return g_strdup_printf("it is %s, and is left alone until that is over",
                               lp_run_state_name(part->run));
    case LP_STAYS_HANGS:
        return g_strdup("it hangs: a call on it never came back (is its QEMU stopped?)");
    case LP_STAYS_RULE:
        return g_strdup_printf("its rule is \"keep\"; `lparctl profile set %s numa=auto` lets it be "
                               "placed", part->name);
    case LP_STAYS_NUMATUNE:
        if (part->has_profile && part->rule.mode == LP_NUMA_INTERLEAVE)
            return g_strdup("its rule is \"interleave\", which its definition says for the whole "
                            "domain: nothing of it is moved");
        return g_strdup("its <numatune> was written by somebody else and is not lpard's to change; "
                        "take it out of the definition, or have it \"restrictive\"");
    case LP_STAYS_NOT_MEASURED:
        if (part->measured)
            return stale_text(part);
        return part->why ? g_strdup_printf("where it lies cannot be measured: %s", part->why)
                         : g_strdup("where it lies was not measured yet");
    case LP_STAYS_PROTECTED:
        return g_strdup("protected by this request");
    case LP_STAYS_HELD:
        return g_strdup("on hold: nothing is changed of it automatically; `lparctl hold --release` "
                        "ends that");
    case LP_STAYS_NO_CELLS:
        return g_strdup("its definition has no guest cells, so its memory cannot be bound to nodes; "
                        "`lparctl enable` gives it some");
    default:
        return NULL;
    }
}

static json_t *
bytes_by_node(const LpTopology *topology, const LpSpread *spread)
{
    json_t *array = json_array();

    for (uint32_t n = 0; n < topology->n_nodes; n++)
        if (spread->on[n])
            json_array_append_new(array, json_pack("{s:I,s:I}", "node",
                                                   (json_int_t) topology->nodes[n].id, "bytes",
                                                   (json_int_t) spread->on[n]));
    return array;
}

/* Memory beside processors, node by node. */
static json_t *
nodes_json(const LpTopology *topology, const LpPicturePart *part)
{
    json_t *array = json_array();
    unsigned __int128 all = 0;

    for (uint32_t n = 0; n < topology->n_nodes; n++)
        all += part->cpus.on[n];
    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        uint32_t share = all ? (uint32_t) (((unsigned __int128) part->cpus.on[n] * 10000 + all / 2)
                                           / all)
                             : 0;

        if (part->memory.on[n] || share)
            json_array_append_new(
                array, json_pack("{s:I,s:I,s:I}", "node", (json_int_t) topology->nodes[n].id,
                                 "bytes", (json_int_t) part->memory.on[n], "cpu_permyriad",
                                 (json_int_t) share));
    }
    return array;
}

static json_t *
node_id(const LpTopology *topology, int32_t index)
{
    return index < 0 ? json_null() : json_integer(topology->nodes[index].id);
}

static bool
is_drifted(const LpPictureCell *cell)
{
    return cell->measured && cell->node >= 0 && cell->home >= 0 && cell->node != cell->home;
}

static json_t *
cells_json(const LpPicture *picture, const LpPicturePart *part)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < part->n_view_cells; i++) {
        const LpPictureCell *cell = &picture->cells[part->first_cell + i];

        json_array_append_new(
            array,
            json_pack("{s:I,s:o,s:o,s:b,s:b,s:I,s:o}", "cell", (json_int_t) i, "node",
                      node_id(picture->topology, cell->node), "home",
                      node_id(picture->topology, cell->home), "drifted", is_drifted(cell),
                      "movable", cell->movable, "vcpus", (json_int_t) cell->n_vcpus, "memory",
                      bytes_by_node(picture->topology, &cell->memory)));
    }
    return array;
}

static void
add_remark(json_t *remarks, const char *text)
{
    if (text)
        json_array_append_new(remarks, json_string(text));
}

/* Not only now: lpard may place it at all. */
static bool
is_ours(const LpPicturePart *part)
{
    return part->has_profile && part->stays != LP_STAYS_RULE && part->stays != LP_STAYS_NUMATUNE
           && part->stays != LP_STAYS_NO_CELLS;
}

static json_t *
remarks_json(const LpPicture *picture, const LpPicturePart *part, const char *stays)
{
    json_t *remarks = json_array();
    g_autofree char *stale = part->stays == LP_STAYS_NOT_MEASURED ? NULL : stale_text(part);
    bool drifted = false;
    int32_t absent = -1;

    add_remark(remarks, stays);
    add_remark(remarks, stale);
    for (uint32_t i = 0; i < part->n_view_cells; i++)
        drifted |= is_drifted(&picture->cells[part->first_cell + i]);
    if (drifted && is_ours(part))
        add_remark(remarks, "memory lies elsewhere than its QEMU was started for: what it grows by "
                            "comes from the old node until its next start, and is moved after it");
    else if (drifted)
        add_remark(remarks, "memory lies elsewhere than its QEMU was started for");
    if (part->locked)
        add_remark(remarks, "its memory is locked, of huge pages or pinned for a device, and stays "
                            "where it is; its vCPUs can follow it");
    if (part->has_profile)
        (void) lp_numa_rule_nodes(&part->rule, picture->topology, &absent);
    if (absent >= 0) {
        g_autofree char *text = g_strdup_printf("its rule names node %d, which this host has not",
                                                absent);

        add_remark(remarks, text);
    }
    if (part->measured && part->score != LP_SCORE_NONE && part->score < part->rule.floor * 100) {
        g_autofree char *text = g_strdup_printf("below its floor of %u", part->rule.floor);

        add_remark(remarks, text);
    }
    if (part->measured && part->n_view_cells > 1 && !part->exact_cells)
        add_remark(remarks, "its cells are of equal size, and were told apart by the order of their "
                            "addresses");
    return remarks;
}

json_t *
lp_picture_part_json(const LpPicture *picture, const LpLayout *layout, guint index)
{
    const LpPicturePart *part = &picture->parts[index];
    g_autofree char *stays = lp_picture_stays_text(part);
    json_t *json = json_object(), *drifted = json_array();
    char rule[LP_NUMA_RULE_TEXT];
    uint64_t bytes = 0;

    for (uint32_t n = 0; n < picture->topology->n_nodes; n++)
        bytes += part->measured ? part->memory.on[n] : 0;
    for (uint32_t i = 0; i < part->n_view_cells; i++)
        if (is_drifted(&picture->cells[part->first_cell + i]))
            json_array_append_new(drifted, json_integer(i));
    json_object_set_new(json, "partition", json_string(part->name));
    json_object_set_new(json, "uuid", json_string(part->uuid));
    json_object_set_new(json, "run", json_string(lp_run_state_name(part->run)));
    json_object_set_new(json, "score_centi", lp_score_json(part->score));
    json_object_set_new(json, "predicted_centi",
                        lp_score_json(layout ? lp_picture_predict(picture, layout, index)
                                             : LP_SCORE_NONE));
    json_object_set_new(json, "local_centi", lp_score_json(part->local));
    json_object_set_new(json, "best_centi", lp_score_json(part->best));
    json_object_set_new(json, "agreement_centi", lp_score_json(part->agreement));
    json_object_set_new(json, "intended_centi", lp_score_json(part->intended));
    json_object_set_new(json, "memory_bytes", json_integer((json_int_t) bytes));
    json_object_set_new(json, "nodes", nodes_json(picture->topology, part));
    json_object_set_new(json, "own", bytes_by_node(picture->topology, &part->own));
    json_object_set_new(json, "cells", cells_json(picture, part));
    json_object_set_new(json, "drifted", drifted);
    json_object_set_new(json, "error_permyriad", json_integer(part->error_permyriad));
    json_object_set_new(json, "age_msec", part->measured ? json_integer(part->age_usec / 1000)
                                                         : json_null());
    json_object_set_new(json, "rule", part->has_profile
                                          ? json_string(lp_numa_rule_format(&part->rule, rule,
                                                                            sizeof rule))
                                          : json_null());
    json_object_set_new(json, "stays", part->stays == LP_STAYS_NOT
                                           ? json_null()
                                           : json_string(lp_stays_names[part->stays]));
    json_object_set_new(json, "stays_text", stays ? json_string(stays) : json_null());
    json_object_set_new(json, "remarks", remarks_json(picture, part, stays));
    return json;
}
