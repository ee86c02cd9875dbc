/* Nodes of the simulated host as JSON: in FILE, in the faults, and in the kept state. */
#include <errno.h>
#include <string.h>

#include "hotplug/sim-host.h"

/* A simulated page more than all address spaces in use. */
#define BYTES_MAX (1ULL << 50)

static const struct {
    int number;
    const char *name;
} errors[] = { { 0, "" }, { EPERM, "EPERM" }, { ESRCH, "ESRCH" }, { ENODEV, "ENODEV" } };

static bool
bad(GError **error, const char *key, const char *want)
{
    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID, "key \"%s\" must be %s", key,
                want);
    return false;
}

bool
lp_sim_nodes_read(const json_t *object, const char *key, LpSimNodes *ret_nodes, GError **error)
{
    const json_t *list = json_object_get(object, key);
    LpSimNodes nodes = { .n = 0 };

    if (!list)
        return true;
    if (!json_is_object(list) || json_object_size(list) > LP_MAX_NODES)
        return bad(error, key, "an object of at most 64 nodes, such as {\"0\": 1073741824}");
    for (void *at = json_object_iter((json_t *) (uintptr_t) list); at;
         at = json_object_iter_next((json_t *) (uintptr_t) list, at)) {
        const json_t *bytes = json_object_iter_value(at);
        guint64 node;

        if (!g_ascii_string_to_unsigned(json_object_iter_key(at), 10, 0, LP_NODE_ID_MAX, &node,
                                        NULL)
            || !json_is_integer(bytes) || json_integer_value(bytes) < 0
            || (uint64_t) json_integer_value(bytes) > BYTES_MAX)
            return bad(error, key, "whole numbers of bytes by the number of a node (0 to 1023)");
        nodes.at[nodes.n++] = (LpSimExtent) { .node = (uint32_t) node,
                                              .bytes = (uint64_t) json_integer_value(bytes) };
    }
    *ret_nodes = nodes;
    return true;
}

bool
lp_sim_cell_nodes_read(const json_t *object, LpSimSpecCell *cell, GError **error)
{
    uint64_t bytes = 0;

    if (!lp_sim_json_mask(object, "cpus", &cell->cpus, error))
        return false;
    if (!json_object_get(object, "lies"))
        return true;
    cell->lies = g_new0(LpSimNodes, 1);
    if (!lp_sim_nodes_read(object, "lies", cell->lies, error))
        return false;
    for (uint32_t i = 0; i < cell->lies->n; i++)
        bytes += cell->lies->at[i].bytes;
    return bytes <= cell->base_bytes + cell->requested_bytes
           || bad(error, "lies", "no more in all than base_bytes and requested_bytes are");
}

bool
lp_sim_spec_nodes_read(const json_t *object, LpSimSpec *spec, GError **error)
{
    static const char *const names[] = {
        [LP_NUMATUNE_NONE] = "none", [LP_NUMATUNE_CELLS] = "cells",
        [LP_NUMATUNE_RESTRICTIVE] = "restrictive", [LP_NUMATUNE_OTHER] = "strict",
    };
    const char *name = names[LP_NUMATUNE_CELLS];

    if (!lp_sim_json_text(object, "numatune", &name, error)
        || !lp_sim_json_flag(object, "locked", &spec->locked, error)
        || !lp_sim_nodes_read(object, "own", &spec->own, error))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i], name) == 0) {
            spec->numatune = (LpNumatune) i;
            return true;
        }
    }
    return bad(error, "numatune", "none, cells, restrictive or strict");
}

static bool
read_no_room(const json_t *object, LpSimMoving *moving, GError **error)
{
    const json_t *node = json_object_get(object, "move_no_room_node");

    if (json_is_integer(node) && json_integer_value(node) >= 0
        && json_integer_value(node) <= LP_NODE_ID_MAX)
        moving->no_room_node = (int32_t) json_integer_value(node);
    else if (json_is_null(node))
        moving->no_room_node = -1;
    else if (node)
        return bad(error, "move_no_room_node", "the number of a node, or null");
    return true;
}

bool
lp_sim_moving_read(const json_t *object, LpSimMoving *moving, GError **error)
{
    const char *name = NULL;

    if (!lp_sim_json_u64(object, "move_busy_bytes", BYTES_MAX, &moving->busy_bytes, error)
        || !lp_sim_json_u64(object, "move_shared_bytes", BYTES_MAX, &moving->shared_bytes, error)
        || !lp_sim_json_u64(object, "move_stop_bytes", BYTES_MAX, &moving->stop_bytes, error)
        || !lp_sim_json_flag(object, "no_locate", &moving->no_locate, error)
        || !lp_sim_json_text(object, "move_error", &name, error)
        || !read_no_room(object, moving, error))
        return false;
    if (!name)
        return true;
    for (unsigned i = 0; i < G_N_ELEMENTS(errors); i++) {
        if (strcmp(errors[i].name, name) == 0) {
            moving->error = errors[i].number;
            return true;
        }
    }
    return bad(error, "move_error", "EPERM, ESRCH, ENODEV or empty");
}

void
lp_sim_moving_write(const LpSimMoving *moving, json_t *json)
{
    json_object_set_new(json, "move_busy_bytes", json_integer((json_int_t) moving->busy_bytes));
    json_object_set_new(json, "move_shared_bytes",
                        json_integer((json_int_t) moving->shared_bytes));
    json_object_set_new(json, "move_stop_bytes", json_integer((json_int_t) moving->stop_bytes));
    json_object_set_new(json, "no_locate", json_boolean(moving->no_locate));
    json_object_set_new(json, "move_no_room_node", moving->no_room_node < 0
                        ? json_null() : json_integer(moving->no_room_node));
    for (unsigned i = 0; i < G_N_ELEMENTS(errors); i++) {
        if (errors[i].number == moving->error)
            json_object_set_new(json, "move_error", json_string(errors[i].name));
    }
}

static json_t *
write_part(const LpSimPart *part)
{
    json_t *extents = json_array();

    for (guint i = 0; i < part->extents->len; i++) {
        const LpSimExtent *extent = &g_array_index(part->extents, LpSimExtent, i);

        json_array_append_new(extents, json_pack("[i, I]", (int) extent->node,
                                                 (json_int_t) extent->bytes));
    }
    return json_pack("{s:I, s:o}", "untouched", (json_int_t) part->untouched_bytes, "extents",
                     extents);
}

static json_t *
write_mask(const LpCpuMask *mask)
{
    char text[LP_CPUMASK_TEXT];

    return json_string(lp_cpumask_format(mask, text, sizeof text));
}

json_t *
lp_sim_numa_write(const LpSimDomain *domain)
{
    const LpSimNuma *numa = &domain->numa;
    json_t *parts = json_array(), *pins = json_array(), *nodeset = json_array();

    for (uint32_t i = 0; i < numa->n_parts; i++)
        json_array_append_new(parts, write_part(&numa->parts[i]));
    for (uint32_t i = 0; i < numa->n_pins; i++)
        json_array_append_new(pins, write_mask(&numa->pins[i]));
    for (uint32_t i = 0; i < numa->n_nodeset; i++)
        json_array_append_new(nodeset, json_integer(numa->nodeset[i]));
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "own", (json_int_t) numa->own_bytes,
                     "moved", (json_int_t) numa->moved_bytes, "parts", parts, "pins", pins,
                     "emulator", write_mask(&numa->emulator), "nodeset", nodeset);
}

static bool
damaged(const LpSimDomain *domain, GError **error)
{
    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                "the kept state of %s is damaged (its \"numa\"); remove its file in FILE.state",
                domain->name);
    return false;
}

static bool
read_part(const json_t *json, LpSimPart *part)
{
    const json_t *extents = json_object_get(json, "extents"), *pair;
    size_t i;

    if (!json_is_array(extents))
        return false;
    part->untouched_bytes = (uint64_t) json_integer_value(json_object_get(json, "untouched"));
    json_array_foreach((json_t *) (uintptr_t) extents, i, pair) {
        json_int_t node = json_integer_value(json_array_get(pair, 0));
        json_int_t bytes = json_integer_value(json_array_get(pair, 1));
        LpSimExtent extent = { .node = (uint32_t) node, .bytes = (uint64_t) bytes };

        if (node < 0 || node > LP_NODE_ID_MAX || bytes <= 0 || (uint64_t) bytes > BYTES_MAX)
            return false;
        g_array_append_val(part->extents, extent);
    }
    return true;
}

static bool
read_pins(const json_t *json, LpSimNuma *numa)
{
    const json_t *pins = json_object_get(json, "pins");
    const char *emulator = json_string_value(json_object_get(json, "emulator"));
    size_t n = json_array_size(pins);

    if (n > LP_MAX_CPUS || (emulator && !lp_cpumask_parse(emulator, &numa->emulator)))
        return false;
    g_free(numa->pins);
    numa->pins = g_new0(LpCpuMask, n);
    numa->n_pins = (uint32_t) n;
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(pins, i));

        if (!text || !lp_cpumask_parse(text, &numa->pins[i]))
            return false;
    }
    return true;
}

bool
lp_sim_numa_read(LpSimDomain *domain, const json_t *json, GError **error)
{
    const json_t *parts = json_object_get(json, "parts");
    const json_t *nodeset = json_object_get(json, "nodeset");
    LpSimNuma *numa = &domain->numa;

    if (!json)
        return true;
    numa->own_bytes = (uint64_t) json_integer_value(json_object_get(json, "own"));
    numa->moved_bytes = (uint64_t) json_integer_value(json_object_get(json, "moved"));
    /* Other cells than its XML has: those who keep the files by hand are told. */
    if (json_array_size(parts) != numa->n_parts || json_array_size(nodeset) > LP_MAX_NODES)
        return damaged(domain, error);
    for (uint32_t i = 0; i < numa->n_parts; i++) {
        if (!read_part(json_array_get(parts, i), &numa->parts[i]))
            return damaged(domain, error);
    }
    numa->n_nodeset = (uint32_t) json_array_size(nodeset);
    for (uint32_t i = 0; i < numa->n_nodeset; i++)
        numa->nodeset[i] = (uint32_t) json_integer_value(json_array_get(nodeset, i));
    return read_pins(json, numa) || damaged(domain, error);
}
