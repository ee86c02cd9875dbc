/* One simulated domain: definition, start and stop, and the view of it. */
#include <string.h>

#include "hotplug/domxml.h"
#include "hotplug/sim-host.h"

char *
lp_sim_make_uuid(uint64_t seed, const char *text, uint64_t number)
{
    g_autofree char *from = g_strdup_printf("%" G_GUINT64_FORMAT "/%s/%" G_GUINT64_FORMAT, seed,
                                            text, number);
    g_autofree char *hex = g_compute_checksum_for_string(G_CHECKSUM_SHA256, from, -1);

    return g_strdup_printf("%.8s-%.4s-4%.3s-a%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15,
                           hex + 18);
}

LpSimDomain *
lp_sim_domain_new(LpSimHost *host, const char *name, const char *uuid)
{
    LpSimDomain *domain = g_new0(LpSimDomain, 1);

    domain->host = host;
    domain->name = g_strdup(name);
    domain->uuid = g_strdup(uuid);
    domain->dimms = g_array_new(FALSE, TRUE, sizeof(LpSimDimm));
    domain->manners.agent = true;
    domain->manners.moving.no_room_node = -1;
    domain->talk = lp_sim_talk_new();
    domain->limits.global_quota_usec = -1;
    return domain;
}

void
lp_sim_domain_free(LpSimDomain *domain)
{
    if (!domain)
        return;
    g_free(domain->name);
    g_free(domain->uuid);
    g_free(domain->config_xml);
    g_free(domain->live_xml);
    g_free(domain->saved_xml);
    g_free(domain->metadata_config);
    g_free(domain->metadata);
    g_free(domain->cells);
    g_array_unref(domain->dimms);
    lp_sim_numa_stop(domain);
    lp_sim_talk_free(domain->talk);
    g_free(domain);
}

static void
take_cells(LpSimDomain *domain, const LpView *view)
{
    g_free(domain->cells);
    domain->n_cells = view->n_cells;
    domain->cells = g_new0(LpSimCell, view->n_cells);
    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *from = &view->cells[i];
        LpSimCell *to = &domain->cells[i];

        to->node = from->node;
        to->base_bytes = from->base_bytes;
        to->vcpus = from->vcpus;
        to->has_device = from->has_device;
        to->device_bytes = from->device_bytes;
        to->block_bytes = from->block_bytes;
        to->requested_bytes = from->requested_bytes;
    }
    g_array_set_size(domain->dimms, 0);
    for (uint32_t i = 0; i < view->n_dimms; i++) {
        LpSimDimm dimm = { .cell = view->dimms[i].cell, .bytes = view->dimms[i].bytes };

        g_snprintf(dimm.alias, sizeof(dimm.alias), "dimm%u", i);
        g_array_append_val(domain->dimms, dimm);
    }
}

/* What holds until it is changed live. */
static void
take_facts(LpSimDomain *domain, LpView *view)
{
    take_cells(domain, view);
    domain->accel = view->accel;
    domain->vcpu_max = view->vcpu_max;
    domain->plugged = view->plugged;
    domain->hotpluggable = view->hotpluggable;
    domain->slots = view->slots;
    domain->free_pci_ports = view->free_pci_ports;
    domain->max_memory_bytes = view->max_memory_bytes;
    domain->base_bytes = view->base_bytes;
    domain->balloon_bytes = domain->memory_limit_bytes = 0;
    domain->has_balloon = view->has_balloon;
    domain->stats_period_sec = view->stats_period_sec;
    domain->has_channel = view->has_channel;
    domain->memory_locked = view->memory_locked;
    domain->numatune = view->numatune;
    domain->has_pins = view->has_pins;
    g_strlcpy(domain->resource, view->resource, sizeof domain->resource);
    domain->limits = (LpCapacityLimits) {
        .shares = view->cpu_shares, .global_quota_usec = view->global_quota_usec,
        .global_period_usec = view->global_period_usec,
    };
    if (view->global_quota_usec == 0)
        domain->limits.global_quota_usec = -1;
    g_free(domain->metadata);
    domain->metadata = g_steal_pointer(&view->metadata);
}

static LpView *
read_text(const char *xml, GError **error)
{
    LpView *view = lp_view_new();

    if (!lp_domxml_read(xml, view, error))
        g_clear_pointer(&view, lp_view_free);
    return view;
}

bool
lp_sim_domain_set_config(LpSimDomain *domain, const char *xml, GError **error)
{
    g_autoptr(LpView) view = read_text(xml, error);
    char *copy;

    if (!view)
        return false;
    copy = g_strdup(xml);
    g_free(domain->config_xml);
    domain->config_xml = copy;
    domain->plugged_config = view->plugged;
    domain->requested_config_bytes = 0;
    domain->base_config_bytes = view->base_bytes;
    for (uint32_t i = 0; i < view->n_cells; i++)
        domain->requested_config_bytes += view->cells[i].requested_bytes;
    domain->cpu_shares_config = view->cpu_shares;
    domain->global_quota_config_usec = view->global_quota_usec;
    g_strlcpy(domain->resource_config, view->resource, sizeof domain->resource_config);
    g_free(domain->metadata_config);
    domain->metadata_config = g_strdup(view->metadata);
    if (!domain->live_xml)
        take_facts(domain, view);
    return true;
}

bool
lp_sim_domain_set_live(LpSimDomain *domain, const char *xml, GError **error)
{
    g_autoptr(LpView) view = read_text(xml, error);
    char *copy;

    if (!view)
        return false;
    copy = g_strdup(xml);
    g_free(domain->live_xml);
    domain->live_xml = copy;
    take_facts(domain, view);
    lp_sim_numa_start(domain);
    for (uint32_t i = 0, n = 0; i < domain->n_cells; i++)
        if (domain->cells[i].has_device)
            g_snprintf(domain->cells[i].alias, sizeof(domain->cells[i].alias), "virtiomem%u",
                       n++);
    return true;
}

/* The guest begins anew: its kernel takes every vCPU that is there online, and virtio-mem's
 * driver has yet to ask for its blocks. */
static void
boot(LpSimDomain *domain, int64_t now_usec)
{
    domain->boots++;
    domain->booted_usec = now_usec + domain->host->delays.boot_usec;
    domain->online = domain->plugged;
    domain->wants_cpus = domain->reply_due = false;
    domain->want_id = 0;
    domain->watch_until_usec = 0;
    lp_sim_talk_boot(domain->talk);
    for (uint32_t i = 0; i < domain->n_cells; i++) {
        domain->cells[i].plugged_bytes = 0;
        domain->cells[i].since_usec = domain->booted_usec;
    }
}

/* The guest finds itself as it was: no new boot. */
static bool
restore(LpSimDomain *domain, int64_t now_usec, GError **error)
{
    g_autofree char *xml = g_steal_pointer(&domain->saved_xml);
    g_autoptr(LpView) view = read_text(xml, error);

    if (!view || !lp_sim_domain_set_live(domain, xml, error))
        return false;
    domain->run = LP_RUN_RUNNING;
    domain->starts++;
    domain->booted_usec = now_usec;
    domain->online = domain->plugged;
    for (uint32_t i = 0; i < domain->n_cells; i++) {
        domain->cells[i].plugged_bytes = domain->cells[i].told_bytes
            = view->cells[i].current_bytes;
        domain->cells[i].since_usec = now_usec;
    }
    return true;
}

bool
lp_sim_domain_start(LpSimDomain *domain, int64_t now_usec, GError **error)
{
    if (domain->saved_xml)
        return restore(domain, now_usec, error);
    if (!domain->config_xml) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED,
                    "domain %s has no persistent definition to start from", domain->name);
        return false;
    }
    if (!lp_sim_domain_set_live(domain, domain->config_xml, error))
        return false;
    domain->run = LP_RUN_RUNNING;
    domain->starts++;
    boot(domain, now_usec);
    return true;
}

void
lp_sim_domain_reset(LpSimDomain *domain, int64_t now_usec)
{
    /* A removal that was under way completes with the reset, as QEMU does. */
    for (int cpu = lp_cpumask_next(&domain->leaving, 0); cpu >= 0;
         cpu = lp_cpumask_next(&domain->leaving, (unsigned) cpu + 1))
        lp_cpumask_remove(&domain->plugged, (unsigned) cpu);
    lp_cpumask_clear(&domain->leaving);
    boot(domain, now_usec);
}

void
lp_sim_domain_stop(LpSimDomain *domain)
{
    g_autofree char *config = g_steal_pointer(&domain->config_xml);

    domain->run = LP_RUN_OFF;
    g_clear_pointer(&domain->live_xml, g_free);
    lp_sim_numa_stop(domain);
    lp_cpumask_clear(&domain->leaving);
    lp_cpumask_clear(&domain->online);
    domain->reply_due = domain->wants_cpus = false;
    /* The text was readable when it was defined, so this cannot fail. */
    if (config)
        lp_sim_domain_set_config(domain, config, NULL);
}

static void
view_cells(const LpSimDomain *domain, LpView *view)
{
    view->n_cells = domain->n_cells;
    for (uint32_t i = 0; i < domain->n_cells; i++) {
        const LpSimCell *from = &domain->cells[i];
        LpViewCell *to = &view->cells[i];

        to->node = to->home = from->node;
        to->base_bytes = from->base_bytes;
        to->vcpus = from->vcpus;
        to->has_device = from->has_device;
        memcpy(to->alias, from->alias, sizeof(to->alias));
        to->device_bytes = from->device_bytes;
        to->block_bytes = from->block_bytes;
        to->requested_bytes = from->requested_bytes;
        to->current_bytes = domain->run == LP_RUN_OFF ? 0 : from->told_bytes;
        view->slots_used += from->has_device;
    }
    view->n_dimms = MIN(domain->dimms->len, LP_MAX_DIMMS);
    for (uint32_t i = 0; i < view->n_dimms; i++) {
        const LpSimDimm *dimm = &g_array_index(domain->dimms, LpSimDimm, i);

        memcpy(view->dimms[i].alias, dimm->alias, sizeof(dimm->alias));
        view->dimms[i].cell = dimm->cell;
        view->dimms[i].bytes = dimm->bytes;
    }
    view->slots_used += view->n_dimms;
}

static uint64_t
resident(const LpSimDomain *domain)
{
    uint64_t bytes = domain->base_bytes - MIN(domain->base_bytes, domain->balloon_bytes);

    if (domain->run == LP_RUN_OFF)
        return 0;
    if (domain->manners.resident_bytes)
        return domain->manners.resident_bytes;
    for (guint i = 0; i < domain->dimms->len; i++)
        bytes += g_array_index(domain->dimms, LpSimDimm, i).bytes;
    return bytes + lp_sim_guest_plugged(domain);
}

LpView *
lp_sim_domain_view(LpSimDomain *domain)
{
    LpView *view = lp_view_new();

    view->uuid = g_strdup(domain->uuid);
    view->name = g_strdup(domain->name);
    view->run = domain->run;
    if (domain->run != LP_RUN_OFF)
        g_snprintf(view->run_id, sizeof(view->run_id), "sim-%u", domain->starts);
    view->accel = domain->accel;
    view->persistent = domain->config_xml != NULL;
    view->metadata = g_strdup(domain->metadata);
    view->metadata_config = g_strdup(domain->metadata_config);
    view->vcpu_max = domain->vcpu_max;
    view->plugged = domain->plugged;
    view->hotpluggable = domain->hotpluggable;
    view->plugged_config = domain->plugged_config;
    view_cells(domain, view);
    view->slots = domain->slots;
    view->max_memory_bytes = domain->max_memory_bytes;
    view->base_bytes = domain->base_bytes;
    view->has_balloon = domain->has_balloon;
    view->balloon_bytes = domain->balloon_bytes;
    view->stats_period_sec = domain->stats_period_sec;
    view->requested_config_bytes = domain->requested_config_bytes;
    view->base_config_bytes = domain->base_config_bytes;
    view->cgroup = domain->host->cgroup;
    view->cpu_shares_config = domain->cpu_shares_config;
    view->global_quota_config_usec = domain->global_quota_config_usec;
    view->memory_limit_bytes = domain->memory_limit_bytes;
    g_strlcpy(view->resource, domain->resource, sizeof view->resource);
    g_strlcpy(view->resource_config, domain->resource_config, sizeof view->resource_config);
    view->cpu_shares = domain->limits.shares;
    view->global_quota_usec = domain->limits.global_quota_usec;
    view->global_period_usec = domain->limits.global_period_usec;
    view->has_channel = domain->has_channel;
    view->has_qga = domain->manners.qga;
    view->qga_connected = lp_sim_qga_connected(domain);
    view->memory_locked = domain->memory_locked;
    view->numatune = domain->numatune;
    view->has_pins = domain->has_pins || domain->numa.n_pins > 0;
    view->free_pci_ports = domain->free_pci_ports;
    view->resident_bytes = resident(domain);
    return view;
}
