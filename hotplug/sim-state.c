/* FILE.state: one JSON file for each domain, so that guests outlive the process.
 *
 * Times in it are of the monotonic clock, which goes on between processes: what was in motion
 * has moved on when the file is read again.  After a reboot of the machine the clock is behind
 * the file, and the motion continues from then. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "hotplug/sim-host.h"

#define STATE_VERSION 1

static char *
state_path(const LpSimHost *host, const char *name)
{
    return g_strdup_printf("%s/%s.json", host->state_dir, name);
}

static bool
write_whole(const char *path, const char *text, GError **error)
{
    g_autofree char *temporary = g_strconcat(path, ".new", NULL);
    size_t length = strlen(text), done = 0;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t n = fd < 0 ? -1 : 0;

    while (n >= 0 && done < length) {
        n = write(fd, text + done, length - done);
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n > 0)
            done += (size_t) n;
    }
    if (n >= 0 && rename(temporary, path) < 0)
        n = -1;
    if (n < 0)
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNKNOWN,
                    "the simulated state cannot be kept in %s: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return n >= 0;
}

static bool
write_json(const LpSimHost *host, const char *name, json_t *state, GError **error)
{
    g_autofree char *path = state_path(host, name);
    char *text = json_dumps(state, JSON_INDENT(1));
    bool ok = write_whole(path, text, error);

    free(text);
    json_decref(state);
    return ok;
}

static void
put_mask(json_t *object, const char *key, const LpCpuMask *mask)
{
    char text[LP_CPUMASK_TEXT];

    json_object_set_new(object, key, json_string(lp_cpumask_format(mask, text, sizeof(text))));
}

static json_t *
number(uint64_t value)
{
    return json_integer((json_int_t) value);
}

static json_t *
write_devices(const LpSimDomain *domain)
{
    json_t *cells = json_array(), *dimms = json_array();

    for (uint32_t i = 0; i < domain->n_cells; i++) {
        const LpSimCell *cell = &domain->cells[i];

        json_array_append_new(
            cells, json_pack("{s:o, s:o, s:o, s:o, s:o}",
                             "requested", number(cell->requested_bytes),
                             "plugged", number(cell->plugged_bytes),
                             "since", json_integer(cell->since_usec),
                             "told", number(cell->told_bytes),
                             "told_usec", json_integer(cell->told_usec)));
    }
    for (guint i = 0; i < domain->dimms->len; i++) {
        const LpSimDimm *dimm = &g_array_index(domain->dimms, LpSimDimm, i);

        json_array_append_new(dimms, json_pack("{s:s, s:i, s:o, s:o}", "alias", dimm->alias,
                                               "cell", (int) dimm->cell,
                                               "bytes", number(dimm->bytes),
                                               "answer", json_integer(dimm->answer_usec)));
    }
    return json_pack("{s:o, s:o}", "cells", cells, "dimms", dimms);
}

static json_t *
write_guest(const LpSimDomain *domain)
{
    json_t *guest = json_pack("{s:b, s:b, s:o, s:o, s:o}", "wants_cpus", domain->wants_cpus,
                              "reply_due", domain->reply_due,
                              "want_id", number(domain->want_id),
                              "cpu_since", json_integer(domain->cpu_since_usec),
                              "booted", json_integer(domain->booted_usec));

    put_mask(guest, "online", &domain->online);
    put_mask(guest, "wanted", &domain->wanted);
    return guest;
}

bool
lp_sim_state_save(const LpSimDomain *domain, GError **error)
{
    const LpCapacityLimits *limits = &domain->limits;
    json_t *state = json_pack(
        "{s:i, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
        " s:o}",
        "version", STATE_VERSION, "name", domain->name, "uuid", domain->uuid,
        "config_xml", domain->config_xml, "live_xml", domain->live_xml,
        "saved_xml", domain->saved_xml,
        "metadata", domain->metadata, "run", (int) domain->run,
        "starts", (int) domain->starts, "boots", (int) domain->boots,
        "balloon", number(domain->balloon_bytes), "shares", number(limits->shares),
        "quota", json_integer(limits->global_quota_usec),
        "period", number(limits->global_period_usec),
        "leaving_usec", json_integer(domain->leaving_usec),
        "devices", write_devices(domain), "guest", write_guest(domain),
        "manners", lp_sim_manners_write(&domain->manners));

    if (!state) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNKNOWN,
                    "the state of %s holds text that is not UTF-8", domain->name);
        return false;
    }
    json_object_set_new(state, "memory_limit", number(domain->memory_limit_bytes));
    json_object_set_new(state, "heard", lp_sim_talk_write(domain->talk));
    if (domain->live_xml)
        json_object_set_new(state, "numa", lp_sim_numa_write(domain));
    put_mask(state, "plugged", &domain->plugged);
    put_mask(state, "leaving", &domain->leaving);
    return write_json(domain->host, domain->name, state, error);
}

bool
lp_sim_state_bury(LpSimHost *host, const char *name, GError **error)
{
    return write_json(host, name, json_pack("{s:i, s:s, s:b}", "version", STATE_VERSION,
                                            "name", name, "undefined", 1), error);
}

json_t *
lp_sim_state_read(LpSimHost *host, const char *name, GError **error)
{
    g_autofree char *path = state_path(host, name);

    return g_file_test(path, G_FILE_TEST_EXISTS) ? lp_sim_json_load(path, error) : NULL;
}

static int64_t
past(json_int_t usec, int64_t now_usec)
{
    return MIN((int64_t) usec, now_usec);
}

static bool
unpack_error(const json_error_t *why, const char *name, GError **error)
{
    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                "the kept state of %s is damaged (%s); remove its file in FILE.state", name,
                why->text);
    return false;
}

static bool
read_devices(LpSimDomain *domain, json_t *devices, int64_t now_usec, GError **error)
{
    json_t *cells, *dimms, *item;
    json_error_t why;
    size_t i;

    if (json_unpack_ex(devices, &why, 0, "{s:o, s:o}", "cells", &cells, "dimms", &dimms) < 0)
        return unpack_error(&why, domain->name, error);
    json_array_foreach(cells, i, item) {
        json_int_t requested, plugged, since, told, told_usec;

        if (json_unpack_ex(item, &why, 0, "{s:I, s:I, s:I, s:I, s:I}", "requested", &requested,
                           "plugged", &plugged, "since", &since, "told", &told,
                           "told_usec", &told_usec) < 0)
            return unpack_error(&why, domain->name, error);
        if (i >= domain->n_cells || !domain->cells[i].has_device)
            continue;
        domain->cells[i].requested_bytes = MIN((uint64_t) requested,
                                               domain->cells[i].device_bytes);
        domain->cells[i].plugged_bytes = MIN((uint64_t) plugged, domain->cells[i].device_bytes);
        domain->cells[i].since_usec = past(since, now_usec);
        domain->cells[i].told_bytes = (uint64_t) told;
        domain->cells[i].told_usec = past(told_usec, now_usec);
    }
    g_array_set_size(domain->dimms, 0);
    json_array_foreach(dimms, i, item) {
        LpSimDimm dimm = { .cell = 0 };
        json_int_t bytes, answer;
        const char *alias;
        int cell;

        if (json_unpack_ex(item, &why, 0, "{s:s, s:i, s:I, s:I}", "alias", &alias, "cell", &cell,
                           "bytes", &bytes, "answer", &answer) < 0)
            return unpack_error(&why, domain->name, error);
        g_strlcpy(dimm.alias, alias, sizeof(dimm.alias));
        dimm.cell = (uint32_t) cell;
        dimm.bytes = (uint64_t) bytes;
        dimm.answer_usec = answer;
        g_array_append_val(domain->dimms, dimm);
    }
    return true;
}

/* What has come since it was started can go again, as in libvirt. */
static bool
read_plugged(LpSimDomain *domain, const json_t *state, GError **error)
{
    LpCpuMask started = domain->plugged;

    if (!lp_sim_json_mask(state, "plugged", &domain->plugged, error))
        return false;
    for (int c = lp_cpumask_next(&domain->plugged, 0); c >= 0;
         c = lp_cpumask_next(&domain->plugged, (unsigned) c + 1))
        if (!lp_cpumask_has(&started, (unsigned) c))
            lp_cpumask_add(&domain->hotpluggable, (unsigned) c);
    return true;
}

static bool
read_live(LpSimDomain *domain, const json_t *state, int64_t now_usec, GError **error)
{
    json_t *devices, *guest;
    json_int_t balloon, shares, quota, period, leaving_usec, want_id, cpu_since, booted;
    const char *metadata = NULL;
    int wants_cpus, reply_due;
    json_error_t why;

    if (json_unpack_ex((json_t *) (uintptr_t) state, &why, 0,
                       "{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s?s}", "balloon", &balloon,
                       "shares", &shares, "quota", &quota, "period", &period,
                       "leaving_usec", &leaving_usec, "devices", &devices, "guest", &guest,
                       "metadata", &metadata) < 0
        || json_unpack_ex(guest, &why, 0, "{s:b, s:b, s:I, s:I, s:I}", "wants_cpus",
                          &wants_cpus, "reply_due", &reply_due, "want_id", &want_id,
                          "cpu_since", &cpu_since, "booted", &booted) < 0)
        return unpack_error(&why, domain->name, error);
    domain->balloon_bytes = (uint64_t) balloon;
    domain->memory_limit_bytes = (uint64_t) json_integer_value(json_object_get(state,
                                                                               "memory_limit"));
    lp_sim_talk_read(domain->talk, json_object_get(state, "heard"));
    domain->limits = (LpCapacityLimits) { (uint64_t) shares, quota, (uint64_t) period };
    domain->leaving_usec = leaving_usec;
    g_free(domain->metadata);
    domain->metadata = g_strdup(metadata);
    domain->wants_cpus = wants_cpus;
    domain->reply_due = reply_due;
    domain->want_id = (uint64_t) want_id;
    domain->cpu_since_usec = past(cpu_since, now_usec);
    domain->booted_usec = MIN((int64_t) booted, now_usec + domain->host->delays.boot_usec);
    return read_devices(domain, devices, now_usec, error)
        && lp_sim_numa_read(domain, json_object_get(state, "numa"), error)
        && read_plugged(domain, state, error)
        && lp_sim_json_mask(state, "leaving", &domain->leaving, error)
        && lp_sim_json_mask(guest, "online", &domain->online, error)
        && lp_sim_json_mask(guest, "wanted", &domain->wanted, error);
}

bool
lp_sim_state_load(LpSimDomain *domain, const json_t *state, bool *ret_undefined,
                  int64_t now_usec, GError **error)
{
    const char *config = NULL, *live = NULL, *saved = NULL;
    int version = 0, undefined = 0, run = 0, starts = 0, boots = 0;
    json_t *manners = NULL;
    json_error_t why;

    if (json_unpack_ex((json_t *) (uintptr_t) state, &why, 0,
                       "{s:i, s?b, s?s, s?s, s?s, s?i, s?i, s?i, s?o}", "version", &version,
                       "undefined", &undefined, "config_xml", &config, "live_xml", &live,
                       "saved_xml", &saved,
                       "run", &run, "starts", &starts, "boots", &boots, "manners", &manners) < 0)
        return unpack_error(&why, domain->name, error);
    if (version != STATE_VERSION || run < LP_RUN_OFF || run > LP_RUN_MIGRATING) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "the kept state of %s has version %d and this lpard knows %d; remove its "
                    "file in FILE.state", domain->name, version, STATE_VERSION);
        return false;
    }
    *ret_undefined = undefined;
    if (undefined)
        return true;
    g_clear_pointer(&domain->config_xml, g_free);
    g_clear_pointer(&domain->live_xml, g_free);
    g_free(domain->saved_xml);
    domain->saved_xml = g_strdup(saved);
    domain->starts = (uint32_t) starts;
    domain->boots = (uint32_t) boots;
    if ((manners && !lp_sim_manners_read(manners, &domain->manners, error))
        || (live && !lp_sim_domain_set_live(domain, live, error))
        || (config && !lp_sim_domain_set_config(domain, config, error)))
        return false;
    domain->run = live ? (LpRunState) run : LP_RUN_OFF;
    return !live || read_live(domain, state, now_usec, error);
}
