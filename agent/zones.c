#include "agent/zones.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lines.h"

typedef struct {
    int node;
    bool counted, movable;
} LpZonePlace;

/* "Node 0, zone  Movable": which one the lines that follow are about. */
static bool
read_place(const char *line, LpZonePlace *place)
{
    const char *number = lp_line_value(line, "Node "), *zone;
    char *end;
    unsigned long node;

    if (number == NULL)
        return false;
    node = strtoul(number, &end, 10);
    zone = lp_line_value(end, ", zone");
    place->node = end != number && zone != NULL && node < LP_ZONES_NODES ? (int)node : -1;
    place->movable = zone != NULL && strcmp(zone, "Movable") == 0;
    /* Memory of devices is nobody's to allocate. */
    place->counted = zone != NULL && strcmp(zone, "Device") != 0;
    return true;
}

static void
count(LpZones *zones, const LpZonePlace *place, const char *line, uint64_t page_bytes)
{
    const char *value;
    uint64_t bytes;

    line += strspn(line, " ");
    if ((value = lp_line_value(line, "present ")) != NULL) {
        lp_zones_add(zones, place->node, strtoull(value, NULL, 10) * page_bytes, place->movable);
    } else if ((value = lp_line_value(line, "cma ")) != NULL && !place->movable) {
        /* In a kernel zone, but only for what can be moved. */
        bytes = strtoull(value, NULL, 10) * page_bytes;
        lp_zones_add(zones, place->node, bytes, true);
        zones->all.kernel_bytes -= bytes;
        if (place->node >= 0)
            zones->nodes[place->node].kernel_bytes -= bytes;
    }
}

bool
lp_zones_read(const char *procfs, LpZones *ret_zones)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    LpZonePlace place = { .node = -1 };
    bool known = false;
    LpLines lines;
    char *line;

    memset(ret_zones, 0, sizeof(*ret_zones));
    if (!lp_lines_open(&lines, "%s/zoneinfo", procfs))
        return false;
    while ((line = lp_lines_next(&lines)) != NULL) {
        if (read_place(line, &place))
            known = known || place.counted;
        else if (place.counted)
            count(ret_zones, &place, line, page_bytes);
    }
    lp_lines_close(&lines);
    return known;
}

static bool
fits(const LpZoneSum *sum, uint64_t bytes, uint32_t ratio_percent)
{
    /* Division first: 2^64 bytes and a ratio of thousands do not fit together. */
    return sum->movable_bytes + bytes <= sum->kernel_bytes / 100 * ratio_percent;
}

bool
lp_zones_fits_movable(const LpZones *zones, int node, uint64_t bytes, uint32_t ratio_percent)
{
    return fits(&zones->all, bytes, ratio_percent) &&
           (node < 0 || node >= LP_ZONES_NODES ||
            fits(&zones->nodes[node], bytes, ratio_percent));
}

void
lp_zones_add(LpZones *zones, int node, uint64_t bytes, bool movable)
{
    uint64_t *all = movable ? &zones->all.movable_bytes : &zones->all.kernel_bytes;

    *all += bytes;
    if (node < 0 || node >= LP_ZONES_NODES)
        return;
    if (movable)
        zones->nodes[node].movable_bytes += bytes;
    else
        zones->nodes[node].kernel_bytes += bytes;
}
