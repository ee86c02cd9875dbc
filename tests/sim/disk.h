/* The disk under the journal: SQLite's files, through a VFS that takes time and fails when told to. */
#ifndef LP_TESTS_SIM_DISK_H
#define LP_TESTS_SIM_DISK_H

#include <stdint.h>

typedef enum {
    DISK_GOOD,
    DISK_FULL,                     /* ENOSPC: nothing more can be written */
    DISK_EIO,                      /* nothing can be written or brought to rest */
    DISK_SYNC_EIO,                 /* written, but the sync fails */
} DiskState;

/* Once; becomes SQLite's default. */
void disk_install(void);
/* Before a run. */
void disk_reset(uint64_t seed);
void disk_set(DiskState state, int64_t sync_usec);

typedef struct {
    uint64_t syncs, failed;
} DiskCounts;
const DiskCounts *disk_counts(void);

#endif
