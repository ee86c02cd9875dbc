#include "lpard/define/definition.h"

#include "hotplug/plan.h"
#include "lpard/define/definition-text.h"
#include "lpard/profile-xml.h"

/* Whether the domain is still what prepare saw; a resize may have had the lane in between. */
static bool
still_so(const LpDriver *driver, LpConn *conn, const LpDefinition *definition,
         LpView **ret_view, bool *ret_same, GError **error)
{
    g_autoptr(LpView) view = driver->look(conn, definition->uuid, error);
    g_autofree char *xml = NULL;

    if (!view)
        return false;
    if (view->persistent) {
        xml = driver->get_xml(conn, definition->uuid, true, error);
        if (!xml)
            return false;
    }
    *ret_same = g_strcmp0(xml, definition->before) == 0 &&
                g_strcmp0(view->metadata, definition->before_metadata) == 0 &&
                (view->run != LP_RUN_OFF) == definition->running;
    *ret_view = g_steal_pointer(&view);
    return true;
}

/* After this everything is either old or new: what half went through is taken back. */
static bool
change_both(const LpDriver *driver, LpConn *conn, LpDefinition *definition, GError **error)
{
    if (definition->after && !driver->define(conn, definition->after, NULL, error))
        return false;
    if (definition->set_live &&
        !driver->set_metadata(conn, definition->uuid, definition->metadata, error)) {
        if (definition->after && definition->before &&
            !driver->define(conn, definition->before, NULL, NULL))
            g_prefix_error(error, "the persistent definition of %s was changed and could not be "
                           "changed back; the running domain was not changed: ",
                           definition->name);
        return false;
    }
    return true;
}

static bool
wanted_limits(const LpDefinition *definition, const LpView *view, LpCapacityLimits *ret_limits)
{
    switch (definition->kind) {
    case LP_DEFINITION_EDIT:
        if (lp_profile_change_is_aside(&definition->change))
            return false;
        /* fall through */
    case LP_DEFINITION_ENABLE:
        return lp_definition_live_limits(view, &definition->profile, ret_limits);
    case LP_DEFINITION_DISABLE:
        return definition->restores &&
               lp_definition_limits_of(definition->after, view, ret_limits);
    default:
        return false;
    }
}

static bool
set_limits(const LpDriver *driver, LpConn *conn, LpDefinition *definition, const LpView *view,
           GError **error)
{
    LpCapacityLimits limits;

    if (!definition->running || !wanted_limits(definition, view, &limits) ||
        driver->set_capacity(conn, definition->uuid, &limits, error))
        return true;
    g_prefix_error(error, "the profile of %s is changed, but its running processor limits are "
                   "not: ", definition->name);
    return false;
}

static bool
look_again(const LpDriver *driver, LpConn *conn, LpDefinition *definition, GError **error)
{
    definition->view = driver->look(conn, definition->uuid, error);
    if (definition->view && definition->view->persistent)
        definition->defined = driver->get_xml(conn, definition->uuid, true, NULL);
    return definition->view != NULL;
}

/* How capacity is enforced is known of a domain, not before there is one. */
static bool
limit_new(const LpDriver *driver, LpConn *conn, LpDefinition *definition, GError **error)
{
    g_autoptr(LpView) view = driver->look(conn, definition->uuid, error);
    const LpProfile *profile = &definition->profile;
    LpCapacityLimits limits;
    LpConfigChange change = {.limits = &limits};

    if (!view)
        return false;
    return !lp_definition_limits(view, view->pool_config_centi, profile, profile->cpu.desired,
                                 false, &limits) ||
           driver->set_config(conn, definition->uuid, &change, error);
}

static bool
apply_new(const LpDriver *driver, LpConn *conn, LpDefinition *definition, GError **error)
{
    if (!driver->define(conn, definition->after, &definition->uuid, error))
        return false;
    if (!limit_new(driver, conn, definition, error)) {
        g_prefix_error(error, "%s is defined, but not its processor limits; `lparctl reconcile` "
                       "sets them: ", definition->name);
        definition->view = driver->look(conn, definition->uuid, NULL);
        return false;
    }
    if (definition->start && !driver->start(conn, definition->uuid, error)) {
        g_prefix_error(error, "%s is defined, but does not start: ", definition->name);
        definition->view = driver->look(conn, definition->uuid, NULL);
        return false;
    }
    return look_again(driver, conn, definition, error);
}

/* The definition has the limits, unless somebody has edited it. */
static bool
apply_start(const LpDriver *driver, LpConn *conn, LpDefinition *definition, GError **error)
{
    LpCapacityLimits limits;
    LpProfile profile;

    if (!driver->start(conn, definition->uuid, error) ||
        !look_again(driver, conn, definition, error))
        return false;
    if (!definition->view->metadata ||
        !lp_profile_from_xml(definition->view->metadata, &profile, NULL) ||
        !lp_definition_live_limits(definition->view, &profile, &limits))
        return true;
    if (!driver->set_capacity(conn, definition->uuid, &limits, error)) {
        g_prefix_error(error, "%s is started, but its processor limits are not set; `lparctl "
                       "reconcile %s` tries again: ", definition->name, definition->name);
        return false;
    }
    g_clear_pointer(&definition->view, lp_view_free);
    g_clear_pointer(&definition->defined, g_free);
    return look_again(driver, conn, definition, error);
}

bool
lp_definition_apply(const LpDriver *driver, LpConn *conn, LpDefinition *definition,
                    GError **error)
{
    g_autoptr(LpView) view = NULL;
    bool same = false;

    if (definition->kind == LP_DEFINITION_NEW)
        return apply_new(driver, conn, definition, error);
    if (definition->kind == LP_DEFINITION_START)
        return apply_start(driver, conn, definition, error);
    if (!still_so(driver, conn, definition, &view, &same, error))
        return false;
    definition->changed_meanwhile = !same;
    if (!same)
        return true;
    return change_both(driver, conn, definition, error) &&
           set_limits(driver, conn, definition, view, error) &&
           look_again(driver, conn, definition, error);
}
