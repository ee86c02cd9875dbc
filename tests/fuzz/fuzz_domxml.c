/* A domain's XML, as somebody with virsh may have made it: read into a view, and edited.
 *
 * Whatever is read stays within lpard's bounds, and what is written for it is read again and says what
 * was to be said.  What a kept domain is (name, UUID) no edit changes. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "hotplug/domxml.h"
#include "hotplug/sim-host.h"
#include "lpard/define/definition.h"

#define MIB (UINT64_C(1) << 20)
#define BACKENDS 512

static void
check_error(bool ok, GError **error)
{
    LP_MUST(ok == (*error == NULL));
    if (*error != NULL)
        LP_MUST((*error)->message[0] != '\0');
    g_clear_error(error);
}

static void
check_view(const LpView *view)
{
    LP_MUST(view->n_cells <= LP_MAX_CELLS && view->n_dimms <= LP_MAX_DIMMS);
    LP_MUST(view->vcpu_max <= LP_MAX_CPUS);
    LP_MUST(lp_cpumask_last(&view->plugged) < (int)MAX(view->vcpu_max, 1));
    LP_MUST(memchr(view->resource, '\0', sizeof view->resource) != NULL);
    for (uint32_t i = 0; i < view->n_cells; i++) {
        LP_MUST(view->cells[i].node >= -1);
        LP_MUST(memchr(view->cells[i].alias, '\0', sizeof view->cells[i].alias) != NULL);
        /* Planning divides by it. */
        LP_MUST(!view->cells[i].has_device || view->cells[i].block_bytes > 0);
    }
    for (uint32_t i = 0; i < view->n_dimms; i++)
        LP_MUST(view->dimms[i].cell < LP_MAX_CELLS);
    /* No sum wraps: what a partition counts at is no less than any of its parts. */
    LP_MUST(lp_view_granted_bytes(view) >= lp_view_plugged_bytes(view));
    LP_MUST(lp_view_granted_bytes(view) >= lp_view_requested_bytes(view));
    for (uint32_t i = 0; i < view->n_cells; i++)
        LP_MUST(lp_view_granted_bytes(view) >= view->cells[i].current_bytes);
    for (uint32_t i = 0; i < view->n_dimms; i++)
        LP_MUST(lp_view_granted_bytes(view) >= view->dimms[i].bytes);
}

static void
check_backends(const char *xml)
{
    static LpBackend backends[BACKENDS];
    GError *error = NULL;
    int n = lp_domxml_backends(xml, backends, BACKENDS, &error);

    LP_MUST(n <= BACKENDS || n > 0);
    check_error(n >= 0, &error);
}

/* What was written is a domain of the same name and UUID. */
static void
check_written(const char *xml, const LpView *before)
{
    GError *error = NULL;
    LpView *view = lp_view_new();

    LP_MUST(lp_domxml_read(xml, view, &error));
    LP_MUST(g_strcmp0(view->name, before->name) == 0);
    LP_MUST(g_strcmp0(view->uuid, before->uuid) == 0);
    lp_view_free(view);
}

static void
check_enable(const char *xml, const LpView *before, uint32_t n_cells)
{
    LpShape shape = {
        .vcpus = 2, .vcpus_max = 4, .n_cells = n_cells,
        .base_bytes = { 256 * MIB, 256 * MIB }, .device_bytes = { 512 * MIB, 512 * MIB },
        .requested_bytes = { 0, n_cells > 1 ? 64 * MIB : 0 }, .node = { 0, 1 },
        .block_bytes = 2 * MIB, .spare_slots = 4,
        .metadata = "<partition version=\"1\"><cpu min=\"1\"/></partition>",
    };
    g_autoptr(GError) error = NULL;
    g_autofree char *enabled = lp_domxml_enable(xml, &shape, &error);
    g_autofree char *twice = NULL;
    g_autofree char *difference = NULL;
    LpView *view;

    LP_MUST((enabled == NULL) == (error != NULL));
    if (enabled == NULL)
        return;
    check_written(enabled, before);
    view = lp_view_new();
    LP_MUST(lp_domxml_read(enabled, view, NULL));
    LP_MUST(view->n_cells == n_cells && view->vcpu_max == 4);
    LP_MUST(lp_cpumask_count(&view->plugged) == 2);
    LP_MUST(view->has_channel && view->has_balloon);
    for (uint32_t i = 0; i < n_cells; i++) {
        /* Another device of the cell is counted as if it could never leave. */
        LP_MUST(view->cells[i].base_bytes >= shape.base_bytes[i]);
        LP_MUST(view->cells[i].has_device && view->cells[i].device_bytes == shape.device_bytes[i]);
        LP_MUST(view->cells[i].requested_bytes == shape.requested_bytes[i]);
    }
    lp_view_free(view);
    /* Enabled already: nothing is to be done. */
    twice = lp_domxml_enable(enabled, &shape, &error);
    LP_MUST(twice != NULL);
    LP_MUST(strcmp(twice, enabled) == 0);
    difference = lp_domxml_diff(xml, enabled);
    LP_MUST(difference != NULL);
}

static void
check_change(const char *xml, const LpView *before)
{
    const LpCapacityLimits limits = { .shares = 512, .global_quota_usec = 150000,
                                      .global_period_usec = 100000 };
    const LpConfigChange changes[] = {
        { .vcpus = 2 },
        { .set_memory = true, .requested_bytes = { 64 * MIB }, .memory_bytes = 1024 * MIB },
        { .metadata = "<partition version=\"1\"/>", .limits = &limits, .resource = "/machine/web" },
        { .resource = "", .set_nodes = true, .node = { 1, 0 } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        GError *error = NULL;
        g_autofree char *changed = lp_domxml_change(xml, &changes[i], &error);

        check_error(changed != NULL, &error);
        if (changed != NULL)
            check_written(changed, before);
    }
}

static void
check_texts(const char *xml)
{
    GError *error = NULL;
    g_autofree char *device = lp_domxml_device_requested(xml, 0, 64 * MIB, &error);
    g_autofree char *bare = NULL;
    g_autofree char *name = NULL;
    g_autofree char *uuid = NULL;
    g_autofree char *identified = NULL;

    check_error(device != NULL, &error);
    g_free(lp_definition_strip(xml));
    bare = lp_domxml_metadata_bare(xml, &error);
    check_error(bare != NULL, &error);
    identified = lp_sim_xml_identify(xml, &name, &uuid, &error);
    check_error(identified != NULL, &error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GError *error = NULL;
    LpView *view = lp_view_new();
    char *xml = lp_fuzz_text(data, size);
    bool ok = lp_domxml_read(xml, view, &error);

    check_error(ok, &error);
    check_backends(xml);
    check_texts(xml);
    if (ok) {
        check_view(view);
        check_enable(xml, view, 1);
        check_enable(xml, view, 2);
        check_change(xml, view);
    }
    lp_view_free(view);
    free(xml);
    return 0;
}
