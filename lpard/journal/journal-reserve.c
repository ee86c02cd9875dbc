/* Room kept free on the journal's file system, as a file of blocks that nobody needs.  When the
 * disk is full it is given up to what operations that are open still have to write, so that each of
 * them can be closed on disk, and made again when there is room. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

/* The log at its largest before it is copied in (SQLite's 1,000 pages of 4 KiB), and as much once
 * more by which the database grows then: the results of some 1,000 operations. */
#define LP_RESERVE_BYTES (8LL * 1024 * 1024)
/* What must be free beside it before it is made again: else the next commit would need it. */
#define LP_RESERVE_SPARE_BYTES (4LL * 1024 * 1024)

static char *
reserve_path(const LpJournal *journal)
{
    g_autofree char *dir = g_path_get_dirname(journal->path);

    return g_build_filename(dir, "journal.reserve", NULL);
}

/* An errno; 0: it is there. */
static int
set_aside(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), code = 0;

    if (fd < 0) {
        return errno;
    }
    if (fallocate(fd, 0, 0, LP_RESERVE_BYTES + LP_RESERVE_SPARE_BYTES) != 0 ||
        ftruncate(fd, LP_RESERVE_BYTES) != 0) {
        code = errno;
    }
    close(fd);
    return code;
}

bool
lp_journal_reserve_make(LpJournal *journal, GError **error)
{
    g_autofree char *path = NULL;
    int code;

    if (journal->writer.reserved) {
        return true;
    }
    path = reserve_path(journal);
    code = set_aside(path);
    if (code == 0) {
        journal->writer.reserved = true;
        return true;
    }
    unlink(path);
    if (code != ENOSPC && code != EDQUOT) {
        g_warning("no room can be set aside in %s (%s): if that file system is ever full, the "
                  "results of operations wait in memory until it is not", path, g_strerror(code));
        journal->writer.reserved = true;
        return true;
    }
    g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "the file system of the journal %s is full: "
                "what is open is still brought to its end; free at least %lld MiB there, which "
                "lpard notices by itself", journal->path,
                (LP_RESERVE_BYTES + LP_RESERVE_SPARE_BYTES) / (1024 * 1024));
    return false;
}

void
lp_journal_reserve_give_up(LpJournal *journal)
{
    g_autofree char *path = reserve_path(journal);

    unlink(path);
    journal->writer.reserved = false;
}
