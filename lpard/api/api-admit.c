/* Whether the host has what a change of a definition would take at once: S3 and S8 for what is
 * started, S8 for entitlements of what runs. */
#include "lpard/api/api-change.h"

#include "policy/units.h"

static bool
memory_fits(const LpDefinition *definition, const LpRoom *room, GError **error)
{
    char needs[LP_UNITS_TEXT], has[LP_UNITS_TEXT];

    if (definition->boot_bytes <= room->room_bytes)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                "%s: it needs %s to start, but the host has %s free; start it smaller%s, or take "
                "memory from another partition with `lparctl remove` or `lparctl move`",
                definition->name,
                lp_units_format_bytes(definition->boot_bytes, needs, sizeof needs),
                lp_units_format_bytes(room->room_bytes, has, sizeof has),
                definition->kind == LP_DEFINITION_START ? " (`lparctl set` while it is off)" : "");
    return false;
}

static bool
entitlement_fits(const LpDefinition *definition, const LpRoom *room, GError **error)
{
    uint32_t entitled = definition->profile.capacity.entitled_centi;
    char asked[LP_UNITS_TEXT], has[LP_UNITS_TEXT];

    if (entitled <= room->room_centi)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                "%s: an entitlement of %s processors would exceed the host's processors, or its "
                "pool's, of which %s are left; lower this or another partition's with `lparctl capacity`",
                definition->name, lp_units_format_centi(entitled, asked, sizeof asked),
                lp_units_format_centi(room->room_centi, has, sizeof has));
    return false;
}

bool
lp_api_change_fits(const LpApiChange *change, GError **error)
{
    const LpDefinition *definition = change->definition;
    uint32_t entitled = definition->profile.capacity.entitled_centi;
    bool starts = definition->kind == LP_DEFINITION_START ||
                  (definition->kind == LP_DEFINITION_NEW && definition->start);
    bool takes = definition->running && definition->has_profile &&
                 (definition->kind != LP_DEFINITION_EDIT ||
                  entitled > definition->old.capacity.entitled_centi);
    LpRegistry *registry = change->call->api->registry;
    g_autofree LpRoom *room = NULL;

    if (!starts && !takes)
        return true;
    room = g_new0(LpRoom, 1);
    lp_registry_room(registry,
                     definition->uuid ? lp_registry_by_uuid(registry, definition->uuid) : NULL,
                     room);
    return (!starts || memory_fits(definition, room, error)) &&
           (!definition->has_profile || entitlement_fits(definition, room, error));
}
