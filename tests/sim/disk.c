#include "tests/sim/disk.h"

#include <sqlite3.h>
#include <string.h>

#include <glib.h>

#include "lpard/sim/chance.h"
#include "tests/sim/fibers.h"

/* One write in so many takes a moment, so that lpard can die between two of one commit. */
#define WRITE_PAUSE_ODDS 16
#define WRITE_PAUSE_USEC 500

typedef struct {
    sqlite3_file base;
    sqlite3_file *real;            /* right behind this */
} File;

static sqlite3_vfs vfs, *real_vfs;
static DiskState disk_state;
static int64_t sync_usec;
static uint64_t chance;
static DiskCounts counts;

#define REAL(file) (((File *) (void *) (file))->real)

/* The process is no more, or the disk does not take it. */
static bool
refuses(void)
{
    bool failed = disk_state == DISK_FULL || disk_state == DISK_EIO;

    counts.failed += failed && !fibers_dying();
    return failed || fibers_dying();
}

static int
refusal(int io_code)
{
    return disk_state == DISK_FULL && !fibers_dying() ? SQLITE_FULL : io_code;
}

static int
disk_close(sqlite3_file *file)
{
    return REAL(file)->pMethods ? REAL(file)->pMethods->xClose(REAL(file)) : SQLITE_OK;
}

static int
disk_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
    return REAL(file)->pMethods->xRead(REAL(file), bytes, n, at);
}

static int
disk_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    if (lp_chance(&chance) % WRITE_PAUSE_ODDS == 0 && !fiber_is_main())
        fiber_sleep(WRITE_PAUSE_USEC);
    if (refuses())
        return refusal(SQLITE_IOERR_WRITE);
    return REAL(file)->pMethods->xWrite(REAL(file), bytes, n, at);
}

static int
disk_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fibers_dying() ? SQLITE_IOERR_TRUNCATE
                          : REAL(file)->pMethods->xTruncate(REAL(file), size);
}

static int
disk_sync(sqlite3_file *file, int flags)
{
    counts.syncs++;
    if (!fiber_is_main())
        fiber_sleep(lp_chance_between(&chance, 1, sync_usec));
    if (disk_state == DISK_EIO || disk_state == DISK_SYNC_EIO || fibers_dying()) {
        counts.failed += !fibers_dying();
        return SQLITE_IOERR_FSYNC;
    }
    return REAL(file)->pMethods->xSync(REAL(file), flags);
}

static int
disk_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return REAL(file)->pMethods->xFileSize(REAL(file), ret_size);
}

static int
disk_lock(sqlite3_file *file, int level)
{
    return REAL(file)->pMethods->xLock(REAL(file), level);
}

static int
disk_unlock(sqlite3_file *file, int level)
{
    return REAL(file)->pMethods->xUnlock(REAL(file), level);
}

static int
disk_check_lock(sqlite3_file *file, int *ret_locked)
{
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), ret_locked);
}

static int
disk_control(sqlite3_file *file, int what, void *data)
{
    return REAL(file)->pMethods->xFileControl(REAL(file), what, data);
}

static int
disk_sector(sqlite3_file *file)
{
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}

static int
disk_traits(sqlite3_file *file)
{
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}

static int
disk_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret_memory)
{
    return REAL(file)->pMethods->xShmMap(REAL(file), page, size, extend, ret_memory);
}

static int
disk_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return REAL(file)->pMethods->xShmLock(REAL(file), offset, n, flags);
}

static void
disk_shm_barrier(sqlite3_file *file)
{
    REAL(file)->pMethods->xShmBarrier(REAL(file));
}

static int
disk_shm_unmap(sqlite3_file *file, int remove)
{
    return REAL(file)->pMethods->xShmUnmap(REAL(file), remove && !fibers_dying());
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_unlock,
    .xCheckReservedLock = disk_check_lock,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector,
    .xDeviceCharacteristics = disk_traits,
    .xShmMap = disk_shm_map,
    .xShmLock = disk_shm_lock,
    .xShmBarrier = disk_shm_barrier,
    .xShmUnmap = disk_shm_unmap,
};

static int
disk_open(sqlite3_vfs *self, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
    File *file = (File *) (void *) base;
    int code;

    (void) self;
    file->base.pMethods = NULL;
    file->real = (sqlite3_file *) (file + 1);
    file->real->pMethods = NULL;
    code = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
    if (file->real->pMethods)
        file->base.pMethods = &methods;
    return code;
}

static int
disk_delete(sqlite3_vfs *self, const char *name, int sync)
{
    (void) self;
    return fibers_dying() ? SQLITE_IOERR_DELETE : real_vfs->xDelete(real_vfs, name, sync);
}

void
disk_install(void)
{
    sqlite3_initialize();
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "sim-disk";
    vfs.szOsFile = (int) sizeof(File) + real_vfs->szOsFile;
    vfs.pNext = NULL;
    vfs.xOpen = disk_open;
    vfs.xDelete = disk_delete;
    sqlite3_vfs_register(&vfs, 1);
}

void
disk_reset(uint64_t seed)
{
    chance = seed;
    memset(&counts, 0, sizeof counts);
    disk_set(DISK_GOOD, 2000);
}

void
disk_set(DiskState state, int64_t usec)
{
    disk_state = state;
    sync_usec = usec;
}

const DiskCounts *
disk_counts(void)
{
    return &counts;
}
