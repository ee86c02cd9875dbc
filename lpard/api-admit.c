/* Whether the host has what a change of a definition would take at once: S3 and S8 for what is
 * started, S8 for entitlements of what runs. */
#include "lpard/api-change.h"

#include "policy/units.h"

typedef struct {
    uint64_t bytes;
    uint32_t centi;
} Room;

/* What is left for it, less what is being started and is not in the host's account yet. */
static void
read_room(const LpApiChange *change, Room *ret_room)
{
    LpApi *api = change->call->api;
    const char *uuid = change->definition->uuid;
    LpPartition *partition = uuid ? lp_registry_by_uuid(api->registry, uuid) : NULL;
    g_autoptr(GPtrArray) all = lp_registry_list(api->registry);
    uint64_t starting = 0;
    uint32_t starting_centi = 0;

    if (partition) {
        g_autofree LpRoom *room = g_new0(LpRoom, 1);

        lp_registry_room(api->registry, partition, room);
        *ret_room = (Room){room->room_bytes, room->room_centi};
    } else {
        uint64_t overhead = api->settings->overhead_bytes;
        LpHostUse use;

        lp_registry_use(api->registry, &use);
        *ret_room = (Room){use.free_bytes - MIN(use.free_bytes, overhead), use.free_centi};
    }
    for (guint i = 0; i < all->len; i++) {
        const LpPartition *other = g_ptr_array_index(all, i);

        if (other == partition || other->starting_bytes == 0 || other->view->run != LP_RUN_OFF)
            continue;
        starting += other->starting_bytes + api->settings->overhead_bytes;
        starting_centi += other->starting_centi;
    }
    ret_room->bytes -= MIN(ret_room->bytes, starting);
    ret_room->centi -= MIN(ret_room->centi, starting_centi);
}

static bool
memory_fits(const LpDefinition *definition, const Room *room, GError **error)
{
    char needs[LP_UNITS_TEXT], has[LP_UNITS_TEXT];

    if (definition->boot_bytes <= room->bytes)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                "%s: it needs %s to start, but the host has %s free; start it smaller%s, or take "
                "memory from another partition with `lparctl remove` or `lparctl move`",
                definition->name,
                lp_units_format_bytes(definition->boot_bytes, needs, sizeof needs),
                lp_units_format_bytes(room->bytes, has, sizeof has),
                definition->kind == LP_DEFINITION_START ? " (`lparctl set` while it is off)" : "");
    return false;
}

static bool
entitlement_fits(const LpDefinition *definition, const Room *room, GError **error)
{
    uint32_t entitled = definition->profile.capacity.entitled_centi;
    char asked[LP_UNITS_TEXT], has[LP_UNITS_TEXT];

    if (entitled <= room->centi)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                "%s: an entitlement of %s processors would exceed the host's processors, of which "
                "%s are left; lower this or another partition's with `lparctl capacity`",
                definition->name, lp_units_format_centi(entitled, asked, sizeof asked),
                lp_units_format_centi(room->centi, has, sizeof has));
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
    Room room;

    if (!starts && !takes)
        return true;
    read_room(change, &room);
    return (!starts || memory_fits(definition, &room, error)) &&
           (!definition->has_profile || entitlement_fits(definition, &room, error));
}
