/* A pool in the kernel: its control group, by libcgroup.  All block; any thread, one at a time
 * holds the library. */
#ifndef LP_LPARD_POOL_GROUP_H
#define LP_LPARD_POOL_GROUP_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "hotplug/view.h"
#include "policy/profile.h"

/* Which control groups this host has for processors; LP_CGROUP_NONE with the reason. */
LpCgroup lp_pool_groups_kind(GError **error);

/* Makes the group where it is not there (in every hierarchy of version 1, its cpuset as its
 * parent's, since libvirt wants to find it in all), and limits it to `max_centi`, with the weight
 * of `share_centi` beside others. */
bool lp_pool_group_apply(const char *name, uint32_t max_centi, uint32_t share_centi,
                         GError **error);
/* Of a group that is not there: done. */
bool lp_pool_group_remove(const char *name, GError **error);

#endif
