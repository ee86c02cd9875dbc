/* The disk under the journal, which fails when told to and forgets what was not brought to rest
 * when the power goes: SQLite's own file layer with its calls counted and some of them replaced.
 * Nothing of this is in lpard. */
#ifndef LP_TESTS_FAULT_VFS_H
#define LP_TESTS_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    FAULT_FULL,                   /* no room but what a reserve gives free */
    FAULT_FULL_TO_THE_BRIM,       /* none at all */
    FAULT_IO,                     /* EIO; nothing of it is done */
    FAULT_SHORT,                  /* EIO after half of what was to be written */
    FAULT_READ_ONLY,
    FAULT_KINDS,
} FaultKind;
extern const char *const fault_names[FAULT_KINDS];

/* Becomes SQLite's default; once, before any journal is opened.  */
void vfs_install(void);
/* From the nth (1..) call from now on that can fail, for `lasting` such calls (UINT64_MAX: until
 * vfs_mend).  Those are opening, writing, syncing, truncating, and growing the shared index. */
void vfs_arm(FaultKind kind, uint64_t nth, uint64_t lasting);
/* As vfs_arm(FAULT_IO), but counting syncs only. */
void vfs_arm_sync(uint64_t nth, uint64_t lasting);
/* The disk works again; returns how many calls that can fail there were since it was armed. */
uint64_t vfs_mend(void);
/* How many calls have failed since it was armed. */
uint64_t vfs_struck(void);
/* Only those of the files whose name ends so; NULL: of all. */
void vfs_only(const char *suffix);

/* From now on it is remembered what is on disk and what only in memory; a sync that fails leaves
 * the pages it was for in memory for ever. */
void vfs_remember(void);
/* The power goes: what is only in memory is lost, or was by chance (by `seed`; 0: never) written in
 * part.  The process must end without touching the files again. */
void vfs_power_cut(uint32_t seed);

#endif
