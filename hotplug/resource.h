/* Shared processor pools as the host knows them: a resource partition of libvirt's, which is a
 * control group that all of the pool's members run under.
 *
 * Facts (libvirt's cgroup documentation): the partition /machine/web is the group
 * machine/web.partition in every hierarchy of version 1, or of the one of version 2; it must be
 * there before a domain starts in it.  Where systemd runs it is the slice machine-web.slice, which
 * systemd makes itself. */
#ifndef LP_HOTPLUG_RESOURCE_H
#define LP_HOTPLUG_RESOURCE_H

#include <stdbool.h>
#include <stdint.h>

/* "/machine/" and it fit LP_RESOURCE_MAX, the group's name any file system. */
#define LP_POOL_NAME_MAX 31

/* A letter, then letters, digits and underscores: what neither libvirt nor systemd has to escape,
 * so that the group's name is the pool's. */
bool lp_pool_name_is_good(const char *name);
/* The name in a resource partition, a part of the text; NULL: it is no pool. */
const char *lp_pool_of_resource(const char *resource);
/* "/machine/NAME".  Caller frees. */
char *lp_pool_resource(const char *name);
/* The group, from the root of its hierarchy and without a leading slash.  Caller frees. */
char *lp_pool_group(const char *name);
/* Whether systemd runs, so that groups are slices. */
bool lp_pool_groups_are_slices(void);

/* Where the hierarchy of version 2 is mounted; NULL: nowhere.  Caller frees. */
char *lp_pool_unified_mount(void);

/* What the kernel lets all in the group use, in hundredths of a processor; 0: all they can, no
 * pool, or no such group. */
uint32_t lp_resource_centi(const char *resource);

/* The figures of cpu.max ("200000 100000", "max 100000"), or of the quota and the period of
 * version 1 with a blank between; 0: no limit, or not to be read.  Rounded up. */
uint32_t lp_resource_parse_centi(const char *text);

#endif
