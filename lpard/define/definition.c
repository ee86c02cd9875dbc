#include "lpard/define/definition.h"

#include <string.h>

#include "hotplug/domxml.h"
#include "hotplug/plan.h"
#include "lpard/define/definition-text.h"
#include "lpard/error.h"
#include "lpard/profile-xml.h"
#include "lpard/define/shape.h"

LpDefinition *
lp_definition_new(LpDefinitionKind kind, const char *uuid, const char *name)
{
    LpDefinition *definition = g_atomic_rc_box_new0(LpDefinition);

    definition->kind = kind;
    definition->uuid = g_strdup(uuid);
    definition->name = g_strdup(name);
    definition->now = g_ptr_array_new_with_free_func(g_free);
    definition->next_start = g_ptr_array_new_with_free_func(g_free);
    return definition;
}

LpDefinition *
lp_definition_ref(LpDefinition *definition)
{
    return g_atomic_rc_box_acquire(definition);
}

void
lp_definition_reset(LpDefinition *definition)
{
    g_clear_pointer(&definition->before, g_free);
    g_clear_pointer(&definition->before_metadata, g_free);
    g_clear_pointer(&definition->metadata, g_free);
    g_clear_pointer(&definition->after, g_free);
    g_clear_pointer(&definition->diff, g_free);
    g_clear_pointer(&definition->defined, g_free);
    g_clear_pointer(&definition->view, lp_view_free);
    g_ptr_array_set_size(definition->now, 0);
    g_ptr_array_set_size(definition->next_start, 0);
    definition->has_profile = definition->restores = definition->set_live = false;
    definition->changed_meanwhile = false;
}

static void
clear(void *data)
{
    LpDefinition *definition = data;

    lp_definition_reset(definition);
    g_ptr_array_unref(definition->now);
    g_ptr_array_unref(definition->next_start);
    g_free(definition->uuid);
    g_free(definition->name);
    g_free(definition->wanted_metadata);
    g_free(definition->saved);
    g_free(definition->kernel);
    g_free(definition->initrd);
    g_free(definition->cmdline);
    g_free(definition->disk);
    g_free(definition->network);
}

void
lp_definition_unref(LpDefinition *definition)
{
    g_atomic_rc_box_release_full(definition, clear);
}

static bool
look(const LpDriver *driver, LpConn *conn, LpDefinition *definition, LpView **ret_view,
     GError **error)
{
    g_autoptr(LpView) view = driver->look(conn, definition->uuid, error);

    if (!view)
        return false;
    definition->persistent = view->persistent;
    definition->running = view->run != LP_RUN_OFF;
    definition->before_metadata = g_strdup(view->metadata);
    if (view->persistent) {
        definition->before = driver->get_xml(conn, definition->uuid, true, error);
        if (!definition->before)
            return false;
    }
    *ret_view = g_steal_pointer(&view);
    return true;
}

/* The profile that is to be, from the one in the metadata now. */
static bool
new_profile(LpDefinition *definition, const LpView *view, GError **error)
{
    const LpProfile *old = NULL;

    if (definition->kind == LP_DEFINITION_EDIT) {
        if (!definition->before_metadata) {
            g_set_error(error, LP_ERROR, LP_ERROR_NOT_ENABLED,
                        "%s has no profile: run `lparctl enable %s`", definition->name,
                        definition->name);
            return false;
        }
        if (!lp_profile_from_xml(definition->before_metadata, &definition->old, error))
            return false;
        old = &definition->old;
    }
    if (!lp_profile_change_apply(&definition->change, old, view, &definition->host,
                                 &definition->profile, error))
        return false;
    definition->profile.generation =
        MAX(old ? old->generation : 0, definition->generation_seen) + 1;
    definition->metadata = lp_profile_to_xml(&definition->profile);
    definition->has_profile = true;
    return true;
}

/* `view` NULL: it does not exist yet, and gets its limits once it does. */
static char *
reshape(const char *xml, const LpView *view, const LpDefinition *definition, GError **error)
{
    g_autofree LpShape *shape = g_new0(LpShape, 1);
    const LpProfile *profile = &definition->profile;
    const LpTopology *topology = &definition->host.topology;
    g_autoptr(LpPins) pins = lp_placement_pins_of(profile, topology);
    g_autofree char *interleave = lp_placement_interleaved(profile, topology);
    LpCapacityLimits limits;

    lp_shape_make(profile, definition->metadata, shape);
    shape->keep_numa = profile->numa.mode == LP_NUMA_KEEP;
    shape->interleave = interleave;
    shape->pins = view && view->numatune == LP_NUMATUNE_RESTRICTIVE ? NULL : pins;
    if (view && lp_definition_limits(view, view->pool_config_centi, profile, profile->cpu.desired,
                                     false, &limits))
        shape->limits = &limits;
    return lp_domxml_enable(xml, shape, error);
}

/* What does not touch devices or cells changes only the lines that say it, so that whatever a
 * resize wrote there stays. */
static char *
retouch(const LpView *view, const LpDefinition *definition, GError **error)
{
    const LpProfile *old = &definition->old, *profile = &definition->profile;
    g_autofree LpShape *shape = g_new0(LpShape, 1);
    LpConfigChange change = {.metadata = definition->metadata};
    g_autoptr(LpPins) pins = NULL;
    LpCapacityLimits limits;

    lp_shape_make(profile, definition->metadata, shape);
    if (old->cpu.desired != profile->cpu.desired)
        change.vcpus = profile->cpu.desired;
    if (old->mem.desired_bytes != profile->mem.desired_bytes) {
        change.set_memory = true;
        change.memory_bytes = profile->mem.desired_bytes;
        memcpy(change.requested_bytes, shape->requested_bytes, sizeof change.requested_bytes);
    }
    if (memcmp(old->cell_node, profile->cell_node,
               profile->n_cells * sizeof old->cell_node[0]) != 0) {
        change.set_nodes = true;
        memcpy(change.node, profile->cell_node, sizeof change.node);
        change.pins = pins = lp_placement_pins_of(profile, &definition->host.topology);
    }
    if (!lp_profile_change_is_aside(&definition->change) &&
        lp_definition_limits(view, view->pool_config_centi, profile, profile->cpu.desired, false,
                             &limits))
        change.limits = &limits;
    return lp_domxml_change(definition->before, &change, error);
}

static bool
prepare_change(const LpDriver *driver, LpConn *conn, LpDefinition *definition, GError **error)
{
    g_autoptr(LpView) view = NULL;
    bool enable = definition->kind == LP_DEFINITION_ENABLE;

    if (!look(driver, conn, definition, &view, error) || !new_profile(definition, view, error))
        return false;
    if (enable && !view->persistent) {
        g_set_error(error, LP_ERROR, LP_ERROR_UNSUPPORTED,
                    "%s is transient, so nothing can be prepared for its next start: make it "
                    "persistent with `virsh define` first", definition->name);
        return false;
    }
    definition->set_live = definition->running;
    if (view->persistent) {
        if (enable || lp_profile_shape_differs(&definition->old, &definition->profile))
            definition->after = reshape(definition->before, view, definition, error);
        else
            definition->after = retouch(view, definition, error);
        if (!definition->after)
            return false;
        definition->diff = lp_domxml_diff(definition->before, definition->after);
    }
    lp_shape_effects(definition->name, view, enable ? NULL : &definition->old,
                     &definition->profile,
                     lp_placement_reach(&definition->host, &definition->profile),
                     definition->now, definition->next_start);
    return true;
}

static bool
prepare_disable(const LpDriver *driver, LpConn *conn, LpDefinition *definition, GError **error)
{
    g_autoptr(LpView) view = NULL;

    if (!look(driver, conn, definition, &view, error))
        return false;
    definition->set_live = definition->running;
    if (view->persistent) {
        definition->restores = definition->saved &&
                               lp_definition_unchanged(definition->saved, definition->before,
                                                       &definition->after);
        if (!definition->restores)
            definition->after = lp_definition_strip(definition->before);
        if (!definition->after) {
            g_set_error(error, LP_ERROR, LP_ERROR_HYPERVISOR,
                        "the XML that the hypervisor gave of %s cannot be parsed",
                        definition->name);
            return false;
        }
        definition->diff = lp_domxml_diff(definition->before, definition->after);
    }
    lp_definition_disable_words(definition, view);
    return true;
}

/* Reads what it will take of the host; the start itself changes no definition. */
static bool
prepare_start(const LpDriver *driver, LpConn *conn, LpDefinition *definition, GError **error)
{
    g_autoptr(LpView) view = driver->look(conn, definition->uuid, error);

    if (!view)
        return false;
    if (view->run != LP_RUN_OFF) {
        g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT, "%s is %s already", definition->name,
                    lp_run_state_name(view->run));
        return false;
    }
    definition->boot_bytes = lp_view_requested_bytes(view);
    definition->has_profile = view->metadata &&
                              lp_profile_from_xml(view->metadata, &definition->profile, NULL);
    return true;
}

static bool
prepare_restore(const LpDriver *driver, LpConn *conn, LpDefinition *definition, GError **error)
{
    g_autoptr(LpView) view = NULL;
    LpConfigChange change = {0};

    if (!look(driver, conn, definition, &view, error))
        return false;
    if (!lp_profile_from_xml(definition->wanted_metadata, &definition->profile, error)) {
        g_prefix_error(error, "the profile remembered cannot be used either: ");
        return false;
    }
    definition->has_profile = true;
    definition->metadata = g_strdup(definition->wanted_metadata);
    definition->set_live = definition->running &&
                           g_strcmp0(view->metadata, definition->metadata) != 0;
    if (definition->set_live || !definition->running)
        g_ptr_array_add(definition->now,
                        g_strdup_printf("%s has the profile of generation %" G_GUINT64_FORMAT
                                        " again", definition->name,
                                        definition->profile.generation));
    if (view->persistent) {
        change.metadata = definition->metadata;
        definition->after = lp_domxml_change(definition->before, &change, error);
        if (!definition->after)
            return false;
        definition->diff = lp_domxml_diff(definition->before, definition->after);
        g_ptr_array_add(definition->next_start,
                        g_strdup("the profile is in the persistent definition too"));
    }
    return true;
}

static bool
prepare_new(const LpDriver *driver, LpDefinition *definition, GError **error)
{
    const char *files[] = {definition->kernel, definition->initrd, definition->disk};
    LpNewDomain domain = {
        .name = definition->name, .emulated = definition->emulated,
        .kernel = definition->kernel, .initrd = definition->initrd,
        .cmdline = definition->cmdline, .disk = definition->disk,
        .network = definition->network,
    };
    g_autofree char *bare = NULL;

    /* A simulated host has no files. */
    for (size_t i = 0; i < G_N_ELEMENTS(files) && strcmp(driver->name, "sim") != 0; i++) {
        if (files[i] && !g_file_test(files[i], G_FILE_TEST_EXISTS)) {
            g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                        "there is no file %s: give the path as it is on the host", files[i]);
            return false;
        }
    }
    if (!new_profile(definition, NULL, error))
        return false;
    definition->boot_bytes = definition->profile.mem.desired_bytes;
    bare = lp_domxml_new(&domain);
    definition->after = reshape(bare, NULL, definition, error);
    if (!definition->after)
        return false;
    definition->diff = lp_domxml_diff("", definition->after);
    lp_shape_effects(definition->name, NULL, NULL, &definition->profile,
                     lp_placement_reach(&definition->host, &definition->profile),
                     definition->now, definition->next_start);
    return true;
}

bool
lp_definition_prepare(const LpDriver *driver, LpConn *conn, LpDefinition *definition,
                      GError **error)
{
    switch (definition->kind) {
    case LP_DEFINITION_NEW:
        return prepare_new(driver, definition, error);
    case LP_DEFINITION_ENABLE:
    case LP_DEFINITION_EDIT:
        return prepare_change(driver, conn, definition, error);
    case LP_DEFINITION_DISABLE:
        return prepare_disable(driver, conn, definition, error);
    case LP_DEFINITION_RESTORE:
        return prepare_restore(driver, conn, definition, error);
    case LP_DEFINITION_START:
        return prepare_start(driver, conn, definition, error);
    }
    g_return_val_if_reached(false);
}
