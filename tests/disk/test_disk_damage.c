/* A journal that was cut or bent while nobody looked: its file and its log ending at each byte, and
 * with a bit turned.  It opens as it was after one of its commits, or is refused in words that say
 * what to do; never a crash, never an operation that was not, never one other than it was.
 *
 * Usage: test_disk_damage [--all [--json]]; by itself a sample. */
#include <glib.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lpard/error.h"
#include "lpard/journal/journal.h"

#define N_COMMITS 9
/* Cases to a process: a crash ends that one only. */
#define BATCH 200
#define SAMPLES 60
#define FLIPS 100
#define FLIPS_ALL 20000

typedef struct {
    unsigned cases, refused, bad;
    char problem[512];
} Report;

static Report *report;
static char *dir, *db, *wal, *shm;
static GBytes *good_db, *good_wal;
static json_t *states[N_COMMITS + 1];     /* after each commit; 0: none */
static guint32 seed;

/* Room set aside is another test's matter, and slow to make so often. */
int __wrap_fallocate(int fd, int mode, off_t offset, off_t length);

int
__wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
    (void)fd;
    (void)mode;
    (void)offset;
    (void)length;
    return 0;
}

/* --- what a journal says --- */

static json_t *
take(json_t *list)
{
    return list != NULL ? list : json_null();
}

static json_t *
state_of(LpJournal *journal)
{
    json_t *state = json_object();
    const char *metadata = NULL;
    uint64_t generation = 0;
    char *xml;

    json_object_set_new(state, "open", take(lp_journal_open_operations(journal, NULL)));
    json_object_set_new(state, "past", take(lp_journal_history(journal, NULL, 0, 1000, NULL)));
    if (lp_journal_last_profile(journal, "u", &generation, &metadata)) {
        json_object_set_new(state, "profile", json_pack("{s:I, s:s}", "generation",
                                                        (json_int_t)generation, "text", metadata));
    }
    xml = lp_journal_saved_xml(journal, "u", NULL);
    if (xml != NULL) {
        json_object_set_new(state, "xml", json_string(xml));
    }
    g_free(xml);
    return state;
}

/* As after one commit; -1: as after none of them. */
static int
which(json_t *state)
{
    for (int i = N_COMMITS; i >= 0; i--) {
        if (json_equal(state, states[i])) {
            return i;
        }
    }
    return -1;
}

/* With a bit turned rows may be missing, which is said; those that are there are as they were at
 * some time. */
static bool
was_ever(json_t *state)
{
    static const char *const lists[] = {"open", "past"}, *const things[] = {"profile", "xml"};
    json_t *row, *known;
    size_t at, index;

    for (int t = 0; t < 2; t++) {
        json_t *thing = json_object_get(state, things[t]);

        if (thing != NULL && !json_equal(thing, json_object_get(states[N_COMMITS], things[t]))) {
            return false;
        }
    }

    for (int l = 0; l < 2; l++) {
        json_array_foreach(json_object_get(state, lists[l]), at, row) {
            bool found = false;

            for (int i = 0; i <= N_COMMITS && !found; i++) {
                json_array_foreach(json_object_get(states[i], lists[l]), index, known) {
                    found = found || json_equal(row, known);
                }
            }
            if (!found) {
                return false;
            }
        }
    }
    return true;
}

/* --- the journal that is damaged --- */

static unsigned answers;

static void
on_durable(const GError *error, void *data)
{
    (void)data;
    g_assert_no_error(error);
    answers++;
}

static void
put(LpJournal *journal, int commit)
{
    /* One is larger than a page. */
    gsize size = commit == 8 ? 5000 : (gsize)commit * 100;
    g_autofree char *filler = g_strnfill(size, (char)('a' + commit));
    unsigned before = answers;

    if (commit == 5) {
        lp_journal_put_profile(journal, "u", 4711, "<profile/>", on_durable, NULL);
    } else if (commit == 8) {
        lp_journal_put_saved_xml(journal, "u", filler, on_durable, NULL);
    } else {
        /* Each third closes the one before it. */
        int id = commit % 3 == 0 ? commit - 1 : commit;

        lp_journal_put_operation(journal, id, "u", "key", commit % 3 != 0,
                                 json_pack("{s:i, s:i, s:s}", "id", id, "mem_bytes", 1 << 30,
                                           "filler", filler),
                                 on_durable, NULL);
    }
    while (answers == before) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static GBytes *
contents(const char *path)
{
    char *bytes = NULL;
    gsize n = 0;

    g_assert_true(g_file_get_contents(path, &bytes, &n, NULL));
    return g_bytes_new_take(bytes, n);
}

static void
make(void)
{
    LpJournal *journal = lp_journal_open(dir, 30, NULL);

    g_assert_nonnull(journal);
    states[0] = state_of(journal);
    for (int i = 1; i <= N_COMMITS; i++) {
        put(journal, i);
        states[i] = state_of(journal);
    }
    /* As it lies there when lpard is killed: much of it is in the log only. */
    good_db = contents(db);
    good_wal = contents(wal);
    lp_journal_close(journal);
    g_unlink(db);
}

/* --- one case --- */

static void
say(const char *what, const char *problem)
{
    report->bad++;
    g_snprintf(report->problem, sizeof(report->problem), "%s: %s", what, problem);
    printf("# %s\n", report->problem);
    fflush(stdout);
}

static void
write_file(const char *path, const void *bytes, gsize n)
{
    FILE *file = fopen(path, "wb");

    g_assert_nonnull(file);
    g_assert_cmpuint(fwrite(bytes, 1, n, file), ==, n);
    fclose(file);
}

static void
lay_out(const void *db_bytes, gsize db_size, const void *wal_bytes, gsize wal_size)
{
    g_unlink(shm);
    write_file(db, db_bytes, db_size);
    write_file(wal, wal_bytes, wal_size);
}

static bool
says_what_to_do(const GError *error)
{
    return error->domain == LP_ERROR && error->code == LP_ERROR_JOURNAL &&
           strstr(error->message, db) != NULL &&
           (strstr(error->message, "move") != NULL || strstr(error->message, "see") != NULL ||
            strstr(error->message, "start") != NULL || strstr(error->message, "check") != NULL ||
            strstr(error->message, "examine") != NULL);
}

/* Which commit it opened as; -1: refused, or only part of it is there. */
static int
judge(const char *what, bool bent)
{
    g_autoptr(GError) error = NULL;
    LpJournal *journal = lp_journal_open(dir, 30, &error);
    json_t *state;
    int at;

    report->cases++;
    if (journal == NULL) {
        report->refused++;
        if (!says_what_to_do(error)) {
            say(what, error->message);
        }
        return -1;
    }
    state = state_of(journal);
    at = which(state);
    if (at < 0 && !(bent && was_ever(state))) {
        say(what, "it says what never was");
    }
    json_decref(state);
    lp_journal_close(journal);
    return at;
}

static void
cut_log(gsize size)
{
    g_autofree char *what = g_strdup_printf("the log cut to %zu bytes", size);
    static gsize last_size;
    static int last_at = -1;
    int at;

    lay_out(g_bytes_get_data(good_db, NULL), g_bytes_get_size(good_db),
            g_bytes_get_data(good_wal, NULL), size);
    at = judge(what, false);
    if (at < 0) {
        say(what, "the log is no part of the journal: it must open");
    }
    if (size == g_bytes_get_size(good_wal) && at != N_COMMITS) {
        say(what, "nothing was cut, and something is missing");
    }
    /* More of it is never less of what it says. */
    if (size >= last_size && at < last_at) {
        say(what, "it says less than a shorter one");
    }
    last_size = size;
    last_at = at;
}

static void
cut_file(gsize size, bool with_log)
{
    g_autofree char *what = g_strdup_printf("the file cut to %zu bytes%s", size,
                                            with_log ? ", its log whole" : "");

    lay_out(g_bytes_get_data(good_db, NULL), size, g_bytes_get_data(good_wal, NULL),
            with_log ? g_bytes_get_size(good_wal) : 0);
    (void)judge(what, false);
}

static void
bend(GRand *random, bool log)
{
    GBytes *good = log ? good_wal : good_db;
    gsize n = g_bytes_get_size(good);
    g_autofree guint8 *bad = g_memdup2(g_bytes_get_data(good, NULL), n);
    gsize at = (gsize)g_rand_int_range(random, 0, (gint)n);
    g_autofree char *what = g_strdup_printf("byte %zu of the %s bent", at, log ? "log" : "file");

    bad[at] ^= (guint8)(1u << g_rand_int_range(random, 0, 8));
    if (log) {
        lay_out(g_bytes_get_data(good_db, NULL), g_bytes_get_size(good_db), bad, n);
    } else {
        lay_out(bad, n, "", 0);
    }
    (void)judge(what, true);
}

/* The same with all of it in the file. */
static void
move_log(void)
{
    lay_out(g_bytes_get_data(good_db, NULL), g_bytes_get_size(good_db),
            g_bytes_get_data(good_wal, NULL), g_bytes_get_size(good_wal));
    lp_journal_close(lp_journal_open(dir, 30, NULL));
    g_bytes_unref(good_db);
    good_db = contents(db);
}

/* --- all of them --- */

typedef enum { CUT_LOG, CUT_FILE, CUT_FILE_LOGGED, BEND_LOG, BEND_FILE, WAYS } Way;

static void
one(Way way, gsize at, GRand *random)
{
    switch (way) {
    case CUT_LOG:
        cut_log(at);
        break;
    case CUT_FILE:
    case CUT_FILE_LOGGED:
        cut_file(at, way == CUT_FILE_LOGGED);
        break;
    default:
        bend(random, way == BEND_LOG);
    }
}

/* A crash ends the child, and is told. */
static void
many(Way way, gsize from, gsize to, gsize step)
{
    for (gsize begin = from; begin <= to; begin += BATCH * step) {
        pid_t pid;
        int status = 0;

        fflush(NULL);
        pid = fork();
        if (pid == 0) {
            GRand *random = g_rand_new_with_seed(seed ^ (guint32)begin);

            for (gsize at = begin; at <= to && at < begin + BATCH * step; at += step) {
                one(way, at, random);
            }
            g_rand_free(random);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        if (status != 0) {
            g_autofree char *what = g_strdup_printf("way %d, from %zu on", way, begin);

            say(what, "it crashed");
        }
    }
}

/* Files are cut at their length, and bent so many times. */
static void
try_way(Way way, bool all)
{
    gsize n = way == CUT_LOG ? g_bytes_get_size(good_wal) : g_bytes_get_size(good_db);

    if (way >= BEND_LOG) {
        many(way, 1, all ? FLIPS_ALL : FLIPS, 1);
        return;
    }
    /* An odd step meets other places in other pages, and the whole is tried as well. */
    many(way, 0, n, all ? 1 : (n / SAMPLES) | 1);
    many(way, n, n, 1);
}

static GLogWriterOutput
hush(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    (void)level;
    (void)fields;
    (void)n;
    (void)data;
    return G_LOG_WRITER_HANDLED;
}

static void
clean(void)
{
    g_autofree char *lock = g_build_filename(dir, "lpard.lock", NULL);
    g_autofree char *reserve = g_build_filename(dir, "journal.reserve", NULL);

    g_unlink(db);
    g_unlink(wal);
    g_unlink(shm);
    g_unlink(lock);
    g_unlink(reserve);
    g_rmdir(dir);
}

int
main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
    bool json = argc > 2 && strcmp(argv[2], "--json") == 0;
    bool fine;

    alarm(all ? 3600 : 120);
    g_log_set_writer_func(hush, NULL, NULL);
    seed = g_random_int();
    dir = g_strdup(g_access("/dev/shm", W_OK) == 0 ? "/dev/shm/lpard-damage-XXXXXX"
                                                   : "/tmp/lpard-damage-XXXXXX");
    g_assert_nonnull(g_mkdtemp(dir));
    db = g_build_filename(dir, "journal.db", NULL);
    wal = g_strconcat(db, "-wal", NULL);
    shm = g_strconcat(db, "-shm", NULL);
    report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    make();
    try_way(CUT_LOG, all);
    try_way(CUT_FILE_LOGGED, all);
    try_way(BEND_LOG, all);
    move_log();
    try_way(CUT_FILE, all);
    try_way(BEND_FILE, all);
    clean();
    fine = report->bad == 0 && report->refused > 0;
    if (json) {
        printf("{\"suite\": \"disk-damage\", \"cases\": %u, \"faults\": %u, \"lost\": %u}\n",
               report->cases, report->cases, report->bad);
    } else {
        printf("# seed %u, %u cases, %u refused\n", seed, report->cases, report->refused);
        printf("%s 1 - a damaged journal is refused or says what was\n1..1\n",
               fine ? "ok" : "not ok");
    }
    return fine ? 0 : 1;
}
