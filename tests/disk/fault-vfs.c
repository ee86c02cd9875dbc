#include "fault-vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
/* More kinds of files than SQLite has method tables. */
#define TABLES 8
/* What a reserve gives free, as much as it is in lpard. */
#define RESERVE_BYTES (8 * 1024 * 1024)

const char *const fault_names[FAULT_KINDS] = {
    "full", "full to the brim", "EIO", "short write", "read-only",
};

/* One file as it is on disk, and its pages that are newer in memory. */
typedef struct {
    char *path;
    GByteArray *disk;
    GHashTable *dirty;            /* page numbers */
} Image;

/* Behind SQLite's own part of each open file. */
typedef struct {
    Image *image;
    char *path;
} Tail;

static GMutex lock;
static sqlite3_vfs *true_vfs;
static sqlite3_vfs vfs;
static struct {
    const sqlite3_io_methods *original;
    sqlite3_io_methods patched;
} tables[TABLES];

static bool armed, syncs_only, remembering;
static FaultKind kind;
static uint64_t calls, struck, first, last, given;
static const char *only;
static GHashTable *images;        /* path -> Image* */

static Tail *
tail_of(sqlite3_file *file)
{
    return (Tail *)((char *)file + true_vfs->szOsFile);
}

static const sqlite3_io_methods *
original_of(const sqlite3_file *file)
{
    for (int i = 0; i < TABLES; i++) {
        if (file->pMethods == &tables[i].patched) {
            return tables[i].original;
        }
    }
    g_assert_not_reached();
}

/* --- what fails --- */

typedef enum { CALL_OPEN, CALL_WRITE, CALL_SYNC, CALL_TRUNCATE, CALL_SHM } Call;

/* Room is what is written beyond what the reserve gave, as long as lpard has given it up. */
static bool
has_room(int bytes)
{
    if (kind != FAULT_FULL || given == 0) {
        return false;
    }
    given -= MIN(given, (uint64_t)bytes);
    return given > 0;
}

static int
code_of(Call call)
{
    static const int io[] = {
        [CALL_OPEN] = SQLITE_CANTOPEN, [CALL_WRITE] = SQLITE_IOERR_WRITE,
        [CALL_SYNC] = SQLITE_IOERR_FSYNC, [CALL_TRUNCATE] = SQLITE_IOERR_TRUNCATE,
        [CALL_SHM] = SQLITE_IOERR_SHMMAP,
    };
    bool full = kind == FAULT_FULL || kind == FAULT_FULL_TO_THE_BRIM;

    if (full) {
        /* Making a file smaller, or bringing what has its room to rest, needs none. */
        return call == CALL_WRITE ? SQLITE_FULL : call == CALL_SHM ? SQLITE_IOERR_SHMSIZE
             : call == CALL_OPEN  ? SQLITE_OK : SQLITE_OK;
    }
    if (kind == FAULT_READ_ONLY) {
        return call == CALL_SYNC ? SQLITE_OK : call == CALL_OPEN ? SQLITE_CANTOPEN
                                                                 : SQLITE_READONLY;
    }
    return io[call];
}

/* SQLITE_OK: the call is made. */
static int
fate(Call call, const char *path, int bytes)
{
    int code = SQLITE_OK;

    g_mutex_lock(&lock);
    if (armed && (!syncs_only || call == CALL_SYNC) &&
        (only == NULL || (path != NULL && g_str_has_suffix(path, only)))) {
        calls++;
        if (calls >= first && calls - first < last) {
            code = code_of(call);
            if (code != SQLITE_OK && has_room(bytes)) {
                code = SQLITE_OK;
            }
            struck += code != SQLITE_OK;
        }
    }
    g_mutex_unlock(&lock);
    return code;
}

/* The disk is full for lpard's reserve as well, and a reserve given up is room. */
int __real_fallocate(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t length);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

int
__wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
    bool full;

    g_mutex_lock(&lock);
    full = armed && struck > 0 && (kind == FAULT_FULL || kind == FAULT_FULL_TO_THE_BRIM);
    g_mutex_unlock(&lock);
    if (full) {
        errno = ENOSPC;
        return -1;
    }
    return __real_fallocate(fd, mode, offset, length);
}

int
__wrap_unlink(const char *path)
{
    if (g_str_has_suffix(path, "journal.reserve") && g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_mutex_lock(&lock);
        given += armed && struck > 0 ? RESERVE_BYTES : 0;
        g_mutex_unlock(&lock);
    }
    return __real_unlink(path);
}

/* --- what is on disk --- */

static void
image_free(gpointer data)
{
    Image *image = data;

    g_free(image->path);
    g_byte_array_unref(image->disk);
    g_hash_table_unref(image->dirty);
    g_free(image);
}

/* What was there before is on disk. */
static Image *
image_of(const char *path)
{
    Image *image = g_hash_table_lookup(images, path);
    g_autofree char *bytes = NULL;
    gsize n = 0;

    if (image != NULL) {
        return image;
    }
    image = g_new0(Image, 1);
    image->path = g_strdup(path);
    image->disk = g_byte_array_new();
    image->dirty = g_hash_table_new(NULL, NULL);
    if (g_file_get_contents(path, &bytes, &n, NULL)) {
        g_byte_array_append(image->disk, (guint8 *)bytes, (guint)n);
    }
    g_hash_table_insert(images, image->path, image);
    return image;
}

static void
mark(Image *image, sqlite3_int64 from, sqlite3_int64 to)
{
    for (sqlite3_int64 page = from / PAGE; image != NULL && page * PAGE < to; page++) {
        g_hash_table_add(image->dirty, GSIZE_TO_POINTER((gsize)page));
    }
}

static void
resize(GByteArray *disk, gsize size)
{
    guint before = disk->len;

    g_byte_array_set_size(disk, (guint)size);
    if (size > before) {
        memset(disk->data + before, 0, size - before);
    }
}

/* The pages as they are in memory come to rest; `random`: by chance. */
static void
settle(Image *image, GRand *random)
{
    g_autofree char *now = NULL;
    GHashTableIter iter;
    gpointer key;
    gsize n = 0;

    if (!g_file_get_contents(image->path, &now, &n, NULL)) {
        return;
    }
    if (random == NULL || g_rand_boolean(random)) {
        resize(image->disk, n);
    }
    g_hash_table_iter_init(&iter, image->dirty);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        gsize at = GPOINTER_TO_SIZE(key) * PAGE;

        if (at < n && at < image->disk->len && (random == NULL || g_rand_boolean(random))) {
            memcpy(image->disk->data + at, now + at,
                   MIN(MIN((gsize)PAGE, n - at), image->disk->len - at));
        }
    }
}

/* --- SQLite's calls --- */

static int
on_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    const sqlite3_io_methods *original = original_of(file);
    Tail *tail = tail_of(file);
    int code = fate(CALL_WRITE, tail->path, n);

    if (code != SQLITE_OK && kind == FAULT_SHORT) {
        n /= 2;
    } else if (code != SQLITE_OK) {
        return code;
    }
    if (original->xWrite(file, bytes, n, at) != SQLITE_OK) {
        return SQLITE_IOERR_WRITE;
    }
    g_mutex_lock(&lock);
    mark(tail->image, at, at + n);
    g_mutex_unlock(&lock);
    return code;
}

static int
on_sync(sqlite3_file *file, int flags)
{
    Tail *tail = tail_of(file);
    int code = fate(CALL_SYNC, tail->path, 0);

    (void)flags;
    g_mutex_lock(&lock);
    if (tail->image != NULL) {
        if (code == SQLITE_OK) {
            settle(tail->image, NULL);
        }
        g_hash_table_remove_all(tail->image->dirty);
    }
    g_mutex_unlock(&lock);
    /* Whether the real disk has it is nothing to these tests. */
    return code;
}

static int
on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = fate(CALL_TRUNCATE, tail_of(file)->path, 0);

    return code != SQLITE_OK ? code : original_of(file)->xTruncate(file, size);
}

static int
on_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    int code = extend ? fate(CALL_SHM, tail_of(file)->path, size) : SQLITE_OK;

    return code != SQLITE_OK ? code : original_of(file)->xShmMap(file, page, size, extend, ret);
}

static int
on_close(sqlite3_file *file)
{
    Tail *tail = tail_of(file);

    g_clear_pointer(&tail->path, g_free);
    return original_of(file)->xClose(file);
}

static void
patch(sqlite3_file *file)
{
    int i = 0;

    while (i < TABLES - 1 && tables[i].original != NULL && tables[i].original != file->pMethods) {
        i++;
    }
    if (tables[i].original == NULL) {
        tables[i].original = file->pMethods;
        tables[i].patched = *file->pMethods;
        tables[i].patched.xWrite = on_write;
        tables[i].patched.xSync = on_sync;
        tables[i].patched.xTruncate = on_truncate;
        tables[i].patched.xShmMap = file->pMethods->iVersion >= 2 ? on_shm_map : NULL;
        tables[i].patched.xClose = on_close;
        /* Pages come by read and write alone. */
        if (tables[i].patched.iVersion > 2) {
            tables[i].patched.iVersion = 2;
        }
    }
    g_assert(tables[i].original == file->pMethods);
    file->pMethods = &tables[i].patched;
}

static int
on_open(sqlite3_vfs *self, sqlite3_filename name, sqlite3_file *file, int flags, int *ret_flags)
{
    Tail *tail = tail_of(file);
    int code = fate(CALL_OPEN, name, 0);

    (void)self;
    file->pMethods = NULL;
    memset(tail, 0, sizeof(*tail));
    if (code == SQLITE_OK) {
        code = true_vfs->xOpen(true_vfs, name, file, flags, ret_flags);
    }
    if (file->pMethods == NULL) {
        return code;
    }
    g_mutex_lock(&lock);
    patch(file);
    tail->path = g_strdup(name);
    tail->image = remembering && name != NULL ? image_of(name) : NULL;
    g_mutex_unlock(&lock);
    return code;
}

static int
on_delete(sqlite3_vfs *self, const char *name, int sync_dir)
{
    (void)self;
    g_mutex_lock(&lock);
    if (images != NULL) {
        Image *image = g_hash_table_lookup(images, name);

        /* Others may have it open still; gone from the directory is gone. */
        if (image != NULL) {
            resize(image->disk, 0);
            g_hash_table_remove_all(image->dirty);
        }
    }
    g_mutex_unlock(&lock);
    return true_vfs->xDelete(true_vfs, name, sync_dir);
}

/* --- the tests' side --- */

void
vfs_install(void)
{
    true_vfs = sqlite3_vfs_find(NULL);
    vfs = *true_vfs;
    vfs.zName = "fault";
    vfs.pNext = NULL;
    vfs.szOsFile = true_vfs->szOsFile + (int)sizeof(Tail);
    vfs.xOpen = on_open;
    vfs.xDelete = on_delete;
    g_assert(true_vfs->szOsFile % (int)sizeof(void *) == 0);
    sqlite3_vfs_register(&vfs, 1);
}

static void
arm(FaultKind new_kind, uint64_t nth, uint64_t lasting, bool new_syncs_only)
{
    g_mutex_lock(&lock);
    armed = true;
    kind = new_kind;
    syncs_only = new_syncs_only;
    first = nth;
    last = lasting;
    calls = struck = given = 0;
    g_mutex_unlock(&lock);
}

void
vfs_arm(FaultKind new_kind, uint64_t nth, uint64_t lasting)
{
    arm(new_kind, nth, lasting, false);
}

void
vfs_arm_sync(uint64_t nth, uint64_t lasting)
{
    arm(FAULT_IO, nth, lasting, true);
}

uint64_t
vfs_mend(void)
{
    uint64_t n;

    g_mutex_lock(&lock);
    armed = false;
    n = calls;
    g_mutex_unlock(&lock);
    return n;
}

uint64_t
vfs_struck(void)
{
    uint64_t n;

    g_mutex_lock(&lock);
    n = struck;
    g_mutex_unlock(&lock);
    return n;
}

void
vfs_only(const char *suffix)
{
    only = suffix;
}

void
vfs_remember(void)
{
    g_mutex_lock(&lock);
    images = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, image_free);
    remembering = true;
    g_mutex_unlock(&lock);
}

void
vfs_power_cut(uint32_t seed)
{
    GRand *random = seed != 0 ? g_rand_new_with_seed(seed) : NULL;
    GHashTableIter iter;
    Image *image;

    g_mutex_lock(&lock);
    g_hash_table_iter_init(&iter, images);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&image)) {
        g_autofree char *index = g_strconcat(image->path, "-shm", NULL);

        if (!g_file_test(image->path, G_FILE_TEST_EXISTS)) {
            continue;
        }
        if (random != NULL) {
            settle(image, random);
        }
        g_unlink(index);
        g_file_set_contents(image->path, (char *)image->disk->data, (gssize)image->disk->len, NULL);
    }
    /* Whoever else is at work in this process stays where it is. */
}
