/* Each call that the journal makes of its disk fails once, or from then on for a while; then the
 * power goes.  What was said to be on disk is, what was not is there whole or not at all, and in
 * between the journal noticed by itself that the disk works again.
 *
 * Usage: test_disk_power [--all [--json]]; by itself a sample. */
#include <glib.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lpard/error.h"
#include "lpard/journal/journal.h"
#include "tests/disk/fault-vfs.h"

#define N_OPERATIONS 6
/* A run has fewer calls than this that can fail. */
#define CALLS_MAX 1000
/* Each so many-th of the cases is tried when not all are. */
#define SAMPLE 23
/* lpard waits a second between two looks at a disk that failed. */
#define HASTE 100

typedef enum { UNASKED, ASKED_OPEN, OPEN, ASKED_CLOSED, CLOSED, FAILED_OPEN } Told;

/* What the child was told, for who comes after it. */
typedef struct {
    Told told[N_OPERATIONS + 1];
    uint64_t calls, struck;
    bool ended, without_room;
} Report;

static Report *report;
static char *dir;
static unsigned n_cases, n_struck, n_lost;

guint __real_g_timeout_add(guint msec, GSourceFunc func, gpointer data);
guint __wrap_g_timeout_add(guint msec, GSourceFunc func, gpointer data);

guint
__wrap_g_timeout_add(guint msec, GSourceFunc func, gpointer data)
{
    return __real_g_timeout_add(msec / HASTE, func, data);
}

/* --- the one that is cut off --- */

static bool answered, went_well;

static void
on_durable(const GError *error, void *data)
{
    (void)data;
    answered = true;
    went_well = error == NULL;
}

static json_t *
body_of(int id, bool open)
{
    g_autofree char *filler = g_strnfill(3000, (char)('a' + id));

    return json_pack("{s:i, s:b, s:s}", "id", id, "open", open, "filler", filler);
}

static bool
put(LpJournal *journal, int id, bool open)
{
    answered = false;
    lp_journal_put_operation(journal, id, "u", NULL, open, body_of(id, open), on_durable, NULL);
    while (!answered) {
        g_main_context_iteration(NULL, TRUE);
    }
    return went_well;
}

static void
work(FaultKind kind, bool syncs, uint64_t nth, uint64_t lasting, uint32_t seed)
{
    LpJournal *journal;

    alarm(60);
    vfs_remember();
    journal = lp_journal_open(dir, 30, NULL);
    if (journal == NULL) {
        _exit(1);
    }
    if (syncs) {
        vfs_arm_sync(nth, lasting);
    } else {
        vfs_arm(kind, nth, lasting);
    }
    for (int id = 1; id <= N_OPERATIONS; id++) {
        if (id == N_OPERATIONS - 1) {
            report->struck = vfs_struck();
            report->calls = vfs_mend();
            while (!lp_journal_healthy(journal, NULL)) {
                g_main_context_iteration(NULL, TRUE);
            }
        }
        report->told[id] = ASKED_OPEN;
        if (!put(journal, id, true)) {
            report->told[id] = FAILED_OPEN;
            continue;
        }
        report->told[id] = OPEN;
        if (id == 2 || id == N_OPERATIONS) {
            continue;
        }
        report->told[id] = ASKED_CLOSED;
        /* A result that failed is owed: it is on disk when the disk is well again. */
        if (put(journal, id, false)) {
            report->told[id] = CLOSED;
        } else if (id < N_OPERATIONS - 1) {
            report->told[id] = CLOSED;
            report->without_room = report->without_room || (kind == FAULT_FULL && !syncs);
        }
    }
    report->ended = true;
    vfs_power_cut(seed);
    kill(getpid(), SIGKILL);
}

/* --- the one that comes after it --- */

static void
fail(const char *what, int id)
{
    printf("# %s: operation %d, told %d\n", what, id, id ? (int)report->told[id] : 0);
    n_lost++;
}

static void
judge_operation(LpJournal *journal, int id)
{
    json_t *body = lp_journal_operation(journal, id, NULL), *as_open = body_of(id, true),
           *as_closed = body_of(id, false);
    Told told = report->told[id];

    if (body == NULL) {
        if (told == OPEN || told == ASKED_CLOSED || told == CLOSED) {
            fail("lost", id);
        }
    } else if (!json_equal(body, as_open) && !json_equal(body, as_closed)) {
        fail("invented", id);
    } else if (told == CLOSED && !json_equal(body, as_closed)) {
        fail("its result is lost", id);
    } else if (told == UNASKED) {
        fail("never asked", id);
    }
    json_decref(body);
    json_decref(as_open);
    json_decref(as_closed);
}

static void
judge(void)
{
    g_autoptr(GError) error = NULL;
    LpJournal *journal = lp_journal_open(dir, 30, &error);

    if (journal == NULL) {
        printf("# %s\n", error->message);
        fail("does not open", 0);
        return;
    }
    for (int id = 1; id <= N_OPERATIONS; id++) {
        judge_operation(journal, id);
    }
    lp_journal_close(journal);
}

static void
clean(void)
{
    g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(list)) != NULL) {
        g_autofree char *path = g_build_filename(dir, name, NULL);

        g_unlink(path);
    }
}

/* false: the fault came later than all that was done. */
static bool
one(FaultKind kind, bool syncs, uint64_t nth, uint64_t lasting, uint32_t seed)
{
    unsigned lost = n_lost;
    pid_t child;
    int status;

    clean();
    memset(report, 0, sizeof(*report));
    /* An empty journal is there before, so that making one is not what is tried. */
    lp_journal_close(lp_journal_open(dir, 30, NULL));
    child = fork();
    if (child == 0) {
        work(kind, syncs, nth, lasting, seed);
    }
    waitpid(child, &status, 0);
    if (!report->ended || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fail("it did not come to its end", 0);
    }
    if (report->without_room) {
        fail("the reserve did not hold an operation's result", 0);
    }
    judge();
    n_cases++;
    n_struck += report->struck > 0;
    if (n_lost != lost) {
        printf("# with %s at %s %d, lasting %s, seed %u\n", fault_names[kind],
               syncs ? "sync" : "call", (int)nth, lasting == 1 ? "once" : "on", seed);
    }
    return report->struck > 0;
}

static int
tell(bool json)
{
    if (json) {
        printf("{\"suite\": \"disk-power\", \"cases\": %u, \"faults\": %u, \"lost\": %u}\n",
               n_cases, n_struck, n_lost);
        return n_lost > 0;
    }
    printf("# %u cases, the fault struck in %u\n", n_cases, n_struck);
    printf("%s 1 - a disk that fails and loses its power loses nothing that was promised\n",
           n_lost == 0 && n_struck > 0 ? "ok" : "not ok");
    printf("1..1\n");
    return n_lost > 0 || n_struck == 0;
}

int
main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
    bool json = argc > 2 && strcmp(argv[2], "--json") == 0;
    unsigned turn = 0;
    int code;

    alarm(all ? 1200 : 120);
    vfs_install();
    dir = g_dir_make_tmp("lpard-disk-XXXXXX", NULL);
    report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    /* A sync that fails is the worst of them: each one is tried always. */
    for (uint32_t seed = 0; seed < 2; seed++) {
        for (uint64_t nth = 1; nth < CALLS_MAX && one(FAULT_IO, true, nth, 1, seed); nth++) {
        }
    }
    for (FaultKind kind = 0; kind < FAULT_KINDS; kind++) {
        for (unsigned on = 0; on < 2; on++) {
            for (uint64_t nth = 1; nth < CALLS_MAX; nth++) {
                if ((all || turn++ % SAMPLE == 0) &&
                    !one(kind, false, nth, on ? UINT64_MAX : 1, (uint32_t)(nth % 3)) &&
                    nth > report->calls) {
                    break;
                }
            }
        }
    }
    clean();
    g_rmdir(dir);
    code = tell(json);
    munmap(report, sizeof(*report));
    g_free(dir);
    return code;
}
