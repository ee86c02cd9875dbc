/* FILE and the fault keys: JSON to values, with errors that name the key. */
#include <errno.h>
#include <string.h>

#include "hotplug/sim-host.h"

/* A typing error in "count" should not take the machine's memory. */
#define COUNT_MAX 100000u
#define BYTES_MAX (1ULL << 50)
/* Percent x 100. */
#define CENTI_MAX 10000
/* A day: longer than anyone waits for a simulation. */
#define USEC_MAX (86400ULL * 1000000)
#define GIB (1ULL << 30)
#define DEFAULT_BLOCK_BYTES (2ULL << 20)

const char *const lp_sim_manner_keys[] = {
    "agent", "agent_silent", "agent_nonsense", "unmovable_bytes", "refuse_unplug",
    "late_unplug_msec", "stuck_cpus", "hang_call_msec", "hang_look", "resident_bytes",
    "qga", "qga_msec", "memory_waits", "fail_next", "no_phases", "no_answer", "veto", "veto_pre",
    "post_fails", "answer_msec", "leave", "stop_at_bytes", "stop_back_bytes", "used_bytes", "refaults",
    "psi_mem_centi", "busy_centi", "stats_total_bytes", "stats_usable_bytes", "stats_age_sec",
    "move_busy_bytes", "move_shared_bytes", "move_stop_bytes", "move_no_room_node", "move_error",
    "no_locate", NULL
};

static const char *const error_names[] = {
    [LP_DRIVER_ERROR_FAILED] = "failed",
    [LP_DRIVER_ERROR_UNREACHABLE] = "unreachable",
    [LP_DRIVER_ERROR_NO_DOMAIN] = "no-domain",
    [LP_DRIVER_ERROR_NOT_RUNNING] = "not-running",
    [LP_DRIVER_ERROR_UNSUPPORTED] = "unsupported",
    [LP_DRIVER_ERROR_TIMEOUT] = "timeout",
    [LP_DRIVER_ERROR_UNKNOWN] = "unknown",
    [LP_DRIVER_ERROR_INVALID] = "invalid",
};

static bool
bad(GError **error, const char *key, const char *want)
{
    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID, "key \"%s\" must be %s", key,
                want);
    return false;
}

json_t *
lp_sim_json_load(const char *path, GError **error)
{
    json_error_t why;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);

    /* Without a line it is not about what the file says. */
    if (!root && why.line < 0 && !g_file_test(path, G_FILE_TEST_EXISTS))
        g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                            "there is no such file; lpard(8) shows what to write into it");
    else if (!root)
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID, "%s, line %d: %s", path,
                    why.line, why.text);
    return root;
}

static bool
is_known(const char *const *known, const char *key)
{
    for (; *known; known++)
        if (strcmp(*known, key) == 0)
            return true;
    return false;
}

bool
lp_sim_json_keys(const json_t *object, const char *where, const char *const *known,
                 GError **error)
{
    if (!json_is_object(object))
        return bad(error, where, "an object");
    for (void *at = json_object_iter((json_t *) (uintptr_t) object); at;
         at = json_object_iter_next((json_t *) (uintptr_t) object, at)) {
        const char *key = json_object_iter_key(at);

        if (!is_known(known, key)) {
            g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                        "unknown key \"%s\" in %s; hotplug/sim.h lists the keys", key, where);
            return false;
        }
    }
    return true;
}

bool
lp_sim_json_u64(const json_t *object, const char *key, uint64_t max, uint64_t *ret_value,
                GError **error)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0
        || (uint64_t) json_integer_value(value) > max) {
        g_autofree char *want = g_strdup_printf("a whole number of 0 to %" G_GUINT64_FORMAT, max);

        return bad(error, key, want);
    }
    *ret_value = (uint64_t) json_integer_value(value);
    return true;
}

static bool
read_u32(const json_t *object, const char *key, uint32_t max, uint32_t *ret_value,
         GError **error)
{
    uint64_t value = *ret_value;

    if (!lp_sim_json_u64(object, key, max, &value, error))
        return false;
    *ret_value = (uint32_t) value;
    return true;
}

static bool
read_usec(const json_t *object, const char *key, int64_t *ret_value, GError **error)
{
    uint64_t value = (uint64_t) *ret_value;

    if (!lp_sim_json_u64(object, key, USEC_MAX, &value, error))
        return false;
    *ret_value = (int64_t) value;
    return true;
}

bool
lp_sim_json_flag(const json_t *object, const char *key, bool *ret_value, GError **error)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return true;
    if (!json_is_boolean(value))
        return bad(error, key, "true or false");
    *ret_value = json_is_true(value);
    return true;
}

bool
lp_sim_json_text(const json_t *object, const char *key, const char **ret_text, GError **error)
{
    const json_t *value = json_object_get(object, key);

    if (!value || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return bad(error, key, "a text");
    *ret_text = json_string_value(value);
    return true;
}

bool
lp_sim_json_mask(const json_t *object, const char *key, LpCpuMask *ret_mask, GError **error)
{
    const char *text = NULL;

    if (!lp_sim_json_text(object, key, &text, error))
        return false;
    if (text && !lp_cpumask_parse(text, ret_mask))
        return bad(error, key, "a list of vCPUs such as \"0-3,8\"");
    return true;
}

static bool
read_fail_next(const json_t *object, LpSimManners *manners, GError **error)
{
    static const char *const known[] = { "call", "error", "after_effect", NULL };
    const char *call = "*", *name = "failed";
    bool after = false;

    if (json_is_null(object)) {
        manners->fail_call[0] = '\0';
        return true;
    }
    if (!lp_sim_json_keys(object, "fail_next", known, error)
        || !lp_sim_json_text(object, "call", &call, error)
        || !lp_sim_json_text(object, "error", &name, error)
        || !lp_sim_json_flag(object, "after_effect", &after, error))
        return false;
    if (!*call || strlen(call) >= sizeof(manners->fail_call))
        return bad(error, "call", "the name of a driver call, or \"*\"");
    for (unsigned i = 0; i < G_N_ELEMENTS(error_names); i++) {
        if (strcmp(error_names[i], name) == 0) {
            g_strlcpy(manners->fail_call, call, sizeof(manners->fail_call));
            manners->fail_error = i;
            manners->fail_after_effect = after;
            return true;
        }
    }
    return bad(error, "error", "failed, unreachable, no-domain, not-running, unsupported, "
               "timeout, unknown or invalid");
}

bool
lp_sim_manners_read(const json_t *object, LpSimManners *manners, GError **error)
{
    const json_t *fail = json_object_get(object, "fail_next");
    LpSimManners read = *manners;

    if (!lp_sim_json_flag(object, "agent", &read.agent, error)
        || !lp_sim_json_flag(object, "agent_silent", &read.agent_silent, error)
        || !lp_sim_json_flag(object, "agent_nonsense", &read.agent_nonsense, error)
        || !lp_sim_json_u64(object, "unmovable_bytes", BYTES_MAX, &read.unmovable_bytes, error)
        || !lp_sim_json_flag(object, "refuse_unplug", &read.refuse_unplug, error)
        || !lp_sim_json_u64(object, "late_unplug_msec", USEC_MAX / 1000, &read.late_unplug_msec,
                            error)
        || !lp_sim_json_mask(object, "stuck_cpus", &read.stuck_cpus, error)
        || !lp_sim_json_u64(object, "hang_call_msec", USEC_MAX / 1000, &read.hang_call_msec,
                            error)
        || !lp_sim_json_flag(object, "hang_look", &read.hang_look, error)
        || !lp_sim_json_flag(object, "qga", &read.qga, error)
        || !lp_sim_json_u64(object, "qga_msec", USEC_MAX / 1000, &read.qga_msec, error)
        || !lp_sim_json_flag(object, "memory_waits", &read.memory_waits, error)
        || !lp_sim_json_u64(object, "resident_bytes", BYTES_MAX, &read.resident_bytes, error)
        || !lp_sim_consent_read(object, &read.consent, error)
        || !lp_sim_json_u64(object, "used_bytes", BYTES_MAX, &read.load.used_bytes, error)
        || !lp_sim_json_u64(object, "refaults", BYTES_MAX, &read.load.refaults, error)
        || !lp_sim_json_u64(object, "psi_mem_centi", CENTI_MAX, &read.load.psi_mem_centi, error)
        || !lp_sim_json_u64(object, "busy_centi", CENTI_MAX, &read.load.busy_centi, error)
        || !lp_sim_json_u64(object, "stats_total_bytes", INT64_MAX, &read.stats.total_bytes, error)
        || !lp_sim_json_u64(object, "stats_usable_bytes", INT64_MAX, &read.stats.usable_bytes,
                            error)
        || !lp_sim_json_u64(object, "stats_age_sec", INT32_MAX, &read.stats.age_sec, error)
        || !lp_sim_moving_read(object, &read.moving, error)
        || (fail && !read_fail_next(fail, &read, error)))
        return false;
    *manners = read;
    return true;
}

json_t *
lp_sim_manners_write(const LpSimManners *manners)
{
    char stuck[LP_CPUMASK_TEXT];
    json_t *json = json_pack(
        "{s:b, s:b, s:b, s:I, s:b, s:I, s:s, s:I, s:b, s:b, s:I, s:b, s:I}",
        "agent", manners->agent, "agent_silent", manners->agent_silent,
        "agent_nonsense", manners->agent_nonsense,
        "unmovable_bytes", (json_int_t) manners->unmovable_bytes,
        "refuse_unplug", manners->refuse_unplug,
        "late_unplug_msec", (json_int_t) manners->late_unplug_msec,
        "stuck_cpus", lp_cpumask_format(&manners->stuck_cpus, stuck, sizeof(stuck)),
        "hang_call_msec", (json_int_t) manners->hang_call_msec,
        "hang_look", manners->hang_look, "qga", manners->qga,
        "qga_msec", (json_int_t) manners->qga_msec, "memory_waits", manners->memory_waits,
        "resident_bytes", (json_int_t) manners->resident_bytes);

    lp_sim_consent_write(&manners->consent, json);
    lp_sim_moving_write(&manners->moving, json);
    json_object_set_new(json, "used_bytes", json_integer((json_int_t) manners->load.used_bytes));
    json_object_set_new(json, "refaults", json_integer((json_int_t) manners->load.refaults));
    json_object_set_new(json, "psi_mem_centi",
                        json_integer((json_int_t) manners->load.psi_mem_centi));
    json_object_set_new(json, "busy_centi", json_integer((json_int_t) manners->load.busy_centi));
    json_object_set_new(json, "stats_total_bytes",
                        json_integer((json_int_t) manners->stats.total_bytes));
    json_object_set_new(json, "stats_usable_bytes",
                        json_integer((json_int_t) manners->stats.usable_bytes));
    json_object_set_new(json, "stats_age_sec", json_integer((json_int_t) manners->stats.age_sec));
    if (manners->fail_call[0])
        json_object_set_new(json, "fail_next",
                            json_pack("{s:s, s:s, s:b}", "call", manners->fail_call,
                                      "error", error_names[manners->fail_error],
                                      "after_effect", manners->fail_after_effect));
    return json;
}

static bool
read_delays(const json_t *object, LpSimDelays *delays, GError **error)
{
    static const char *const known[] = {
        "call_usec", "online_cpu_usec", "unplug_cpu_usec", "unplug_timeout_usec", "detach_usec",
        "boot_usec", "size_event_usec", "plug_bytes_per_sec", "unplug_bytes_per_sec",
        "move_bytes_per_sec", NULL
    };

    return lp_sim_json_keys(object, "delays", known, error)
        && read_usec(object, "call_usec", &delays->call_usec, error)
        && read_usec(object, "online_cpu_usec", &delays->online_cpu_usec, error)
        && read_usec(object, "unplug_cpu_usec", &delays->unplug_cpu_usec, error)
        && read_usec(object, "unplug_timeout_usec", &delays->unplug_timeout_usec, error)
        && read_usec(object, "detach_usec", &delays->detach_usec, error)
        && read_usec(object, "boot_usec", &delays->boot_usec, error)
        && read_usec(object, "size_event_usec", &delays->size_event_usec, error)
        && lp_sim_json_u64(object, "plug_bytes_per_sec", BYTES_MAX, &delays->plug_bytes_per_sec,
                           error)
        && lp_sim_json_u64(object, "unplug_bytes_per_sec", BYTES_MAX,
                           &delays->unplug_bytes_per_sec, error)
        && lp_sim_json_u64(object, "move_bytes_per_sec", BYTES_MAX, &delays->move_bytes_per_sec,
                           error);
}

bool
lp_sim_host_read(LpSimHost *host, const json_t *root, GError **error)
{
    static const char *const known[] = {
        "seed", "cgroup", "delays", "node_bytes", "domains", NULL
    };
    const json_t *delays = json_object_get(root, "delays");
    const json_t *domains = json_object_get(root, "domains");
    const char *cgroup = "v2";

    host->seed = 1;
    host->delays.size_event_usec = 1000000;    /* QEMU's own limit */
    if (!lp_sim_json_keys(root, "the file", known, error)
        || !lp_sim_json_u64(root, "seed", INT64_MAX, &host->seed, error)
        || !lp_sim_json_text(root, "cgroup", &cgroup, error)
        || !lp_sim_nodes_read(root, "node_bytes", &host->node_bytes, error)
        || (delays && !read_delays(delays, &host->delays, error)))
        return false;
    if (strcmp(cgroup, "none") == 0)
        host->cgroup = LP_CGROUP_NONE;
    else if (strcmp(cgroup, "v1") == 0)
        host->cgroup = LP_CGROUP_V1;
    else if (strcmp(cgroup, "v2") == 0)
        host->cgroup = LP_CGROUP_V2;
    else
        return bad(error, "cgroup", "none, v1 or v2");
    if (domains && !json_is_array(domains))
        return bad(error, "domains", "a list");
    return true;
}

static bool
read_cell(const json_t *object, LpSimSpecCell *cell, GError **error)
{
    static const char *const known[] = {
        "node", "base_bytes", "device_bytes", "requested_bytes", "block_bytes", "lies", "cpus",
        NULL
    };
    uint32_t node = 0;

    *cell = (LpSimSpecCell) { .base_bytes = GIB, .device_bytes = 3 * GIB,
                              .block_bytes = DEFAULT_BLOCK_BYTES };
    if (!lp_sim_json_keys(object, "cells", known, error)
        || !read_u32(object, "node", 1023, &node, error)
        || !lp_sim_json_u64(object, "base_bytes", BYTES_MAX, &cell->base_bytes, error)
        || !lp_sim_json_u64(object, "device_bytes", BYTES_MAX, &cell->device_bytes, error)
        || !lp_sim_json_u64(object, "requested_bytes", BYTES_MAX, &cell->requested_bytes, error)
        || !lp_sim_json_u64(object, "block_bytes", GIB, &cell->block_bytes, error))
        return false;
    cell->node = (int32_t) node;
    if (cell->block_bytes < 4096 || cell->block_bytes & (cell->block_bytes - 1))
        return bad(error, "block_bytes", "a power of two of at least 4096");
    if (cell->base_bytes == 0 || cell->base_bytes % 1024)
        return bad(error, "base_bytes", "a multiple of 1024, and not 0");
    if (cell->device_bytes % cell->block_bytes)
        return bad(error, "device_bytes", "a multiple of block_bytes");
    if (cell->requested_bytes > cell->device_bytes || cell->requested_bytes % cell->block_bytes)
        return bad(error, "requested_bytes", "a multiple of block_bytes within device_bytes");
    return lp_sim_cell_nodes_read(object, cell, error);
}

static bool
read_cells(const json_t *object, LpSimSpec *spec, GError **error)
{
    const json_t *cells = json_object_get(object, "cells");

    if (!cells) {
        spec->n_cells = 1;
        spec->cells[0] = (LpSimSpecCell) { .base_bytes = spec->base_bytes,
                                           .device_bytes = 3 * GIB,
                                           .block_bytes = DEFAULT_BLOCK_BYTES };
        return true;
    }
    if (!json_is_array(cells) || json_array_size(cells) > LP_MAX_CELLS)
        return bad(error, "cells", "a list of at most 64");
    spec->n_cells = (uint32_t) json_array_size(cells);
    for (uint32_t i = 0; i < spec->n_cells; i++)
        if (!read_cell(json_array_get(cells, i), &spec->cells[i], error))
            return false;
    return true;
}

static bool
read_words(const json_t *object, LpSimSpec *spec, GError **error)
{
    const char *run = "running", *accel = "kvm", *uuid = NULL, *metadata = NULL;

    if (!lp_sim_json_text(object, "run", &run, error)
        || !lp_sim_json_text(object, "accel", &accel, error)
        || !lp_sim_json_text(object, "uuid", &uuid, error)
        || !lp_sim_json_text(object, "metadata", &metadata, error)
        || !lp_sim_spec_nodes_read(object, spec, error))
        return false;
    if (strcmp(run, "running") == 0)
        spec->run = LP_RUN_RUNNING;
    else if (strcmp(run, "paused") == 0)
        spec->run = LP_RUN_PAUSED;
    else if (strcmp(run, "off") == 0)
        spec->run = LP_RUN_OFF;
    else
        return bad(error, "run", "off, running or paused");
    spec->tcg = strcmp(accel, "tcg") == 0;
    if (!spec->tcg && strcmp(accel, "kvm") != 0)
        return bad(error, "accel", "kvm or tcg");
    if (uuid && (!g_uuid_string_is_valid(uuid) || spec->count > 1))
        return bad(error, "uuid", "a UUID, and not given with a count");
    spec->uuid = uuid ? g_ascii_strdown(uuid, -1) : NULL;
    spec->metadata = g_strdup(metadata);
    return true;
}

/* The place of the pattern's %u; NULL: it has none.  *ret_end is behind it. */
static const char *
find_number(const char *name, const char **ret_end)
{
    const char *start = strchr(name, '%'), *end;

    if (!start)
        return NULL;
    for (end = start + 1; g_ascii_isdigit(*end); end++)
        ;
    if (*end != 'u' || end - start > 3 || strchr(end, '%'))
        return NULL;
    *ret_end = end + 1;
    return start;
}

static bool
check_name(const LpSimSpec *spec, GError **error)
{
    const char *end;

    if (!spec->name || !*spec->name || spec->name[0] == '.' || strchr(spec->name, '/')
        || strlen(spec->name) > 200 || !g_utf8_validate(spec->name, -1, NULL))
        return bad(error, "name", "given: a file's name, not beginning with a dot");
    if (spec->count > 1 && !find_number(spec->name, &end))
        return bad(error, "name", "a pattern with one %u (such as \"web%04u\") to go with count");
    return true;
}

char *
lp_sim_spec_name(const LpSimSpec *spec, uint32_t index)
{
    const char *end, *start = find_number(spec->name, &end);

    if (!start)
        return g_strdup(spec->name);
    return g_strdup_printf("%.*s%0*u%s", (int) (start - spec->name), spec->name,
                           (int) strtol(start + 1, NULL, 10), index, end);
}

bool
lp_sim_spec_read(const json_t *object, LpSimSpec *ret_spec, GError **error)
{
    static const char *const own[] = {
        "name", "uuid", "count", "vcpus", "vcpus_max", "base_bytes", "cells", "slots", "run",
        "accel", "metadata", "own", "numatune", "locked"
    };
    const char *known[G_N_ELEMENTS(own) + G_N_ELEMENTS(lp_sim_manner_keys)];
    const char *name = NULL;

    memcpy(known, own, sizeof(own));
    memcpy(known + G_N_ELEMENTS(own), lp_sim_manner_keys, sizeof(lp_sim_manner_keys));
    *ret_spec = (LpSimSpec) { .count = 1, .vcpus = 1, .slots = 16, .base_bytes = GIB,
                              .manners.agent = true, .manners.moving.no_room_node = -1 };
    if (!lp_sim_json_keys(object, "a domain", known, error)
        || !lp_sim_json_text(object, "name", &name, error))
        return false;
    ret_spec->name = g_strdup(name);
    if (!read_u32(object, "count", COUNT_MAX, &ret_spec->count, error)
        || !read_u32(object, "vcpus", LP_MAX_CPUS, &ret_spec->vcpus, error))
        goto fail;
    ret_spec->vcpus_max = MAX(ret_spec->vcpus, 4);
    if (!read_u32(object, "vcpus_max", LP_MAX_CPUS, &ret_spec->vcpus_max, error)
        || !read_u32(object, "slots", LP_MAX_DIMMS, &ret_spec->slots, error)
        || !lp_sim_json_u64(object, "base_bytes", BYTES_MAX, &ret_spec->base_bytes, error)
        || !read_cells(object, ret_spec, error) || !read_words(object, ret_spec, error)
        || !check_name(ret_spec, error)
        || !lp_sim_manners_read(object, &ret_spec->manners, error))
        goto fail;
    if (ret_spec->vcpus == 0 || ret_spec->vcpus > ret_spec->vcpus_max) {
        bad(error, "vcpus", "1 to vcpus_max");
        goto fail;
    }
    if (ret_spec->base_bytes == 0 || ret_spec->base_bytes % 1024) {
        bad(error, "base_bytes", "a multiple of 1024, and not 0");
        goto fail;
    }
    return true;

fail:
    g_prefix_error(error, "domain \"%s\": ", name ? name : "");
    lp_sim_spec_clear(ret_spec);
    return false;
}

void
lp_sim_spec_clear(LpSimSpec *spec)
{
    g_clear_pointer(&spec->name, g_free);
    g_clear_pointer(&spec->uuid, g_free);
    g_clear_pointer(&spec->metadata, g_free);
    for (uint32_t i = 0; i < LP_MAX_CELLS; i++)
        g_clear_pointer(&spec->cells[i].lies, g_free);
}
