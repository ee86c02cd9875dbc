/* The pools' definitions and the file that keeps them: pools.conf in lpard's state directory. */
#ifndef LP_LPARD_POOL_FILE_H
#define LP_LPARD_POOL_FILE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "hotplug/resource.h"

/* PowerVM's own limit, and the policy's. */
#define LP_POOLS_MAX 64
/* As a partition's vCPU: less would not run anybody. */
#define LP_POOL_CENTI_MIN 5

/* A shared processor pool.  Who is in it, the domains' definitions say. */
typedef struct {
    char name[LP_POOL_NAME_MAX + 1];
    uint32_t max_centi;           /* what its members may use in all */
    uint32_t reserved_centi;      /* theirs beyond their entitlements, before others' spare */
} LpPool;

/* Whether it makes sense on a host of so many processors: LP_ERROR_USAGE for what never does,
 * LP_ERROR_REFUSED for what does not there. */
bool lp_pool_check(const LpPool *pool, uint32_t host_centi, GError **error);

/* Of LpPool, by name.  A file that is not there has none; one that makes no sense is an error that
 * names the place.  Caller unrefs. */
GArray *lp_pool_file_read(const char *path, GError **error);
GArray *lp_pool_file_parse(const char *text, GError **error);
/* The text of it; always parses to the same.  Caller frees. */
char *lp_pool_file_text(const GArray *pools);
/* On the disk when it returns, the old file or the new one whatever happens.  Blocks. */
bool lp_pool_file_write(const char *path, const char *text, GError **error);

#endif
