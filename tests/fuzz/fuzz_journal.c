/* The journal as somebody, or a failing disk, may have left it.
 *
 * The input is lines.  "o{...}" is an operation's row, open ("c": closed), with its sum right; "O" the same
 * with none; "p" the last profile of p0 ("q": of p1); "x" bytes that go into the database's file (four say
 * where); "t" cuts the file there.  "@0" and "@1" stand for the partitions' UUIDs.
 *
 * Opening and reading never crash; what cannot be opened says why and is left alone.  Recovery acts on
 * nothing but the partitions that a row names, whatever it says keeps each within its profile and the
 * host's memory (S1 to S3), and none of it is acted on twice. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"
#include "tests/fuzz/world.h"

#define LP_LINES_MAX 16
/* What is slower is not waited for: lpard may end at any time (S5). */
#define LP_TURNS_USEC 40000
#define LP_PARTITIONS 2

typedef struct {
    char *uuid;
    uint64_t bytes;
    uint32_t cpus;
    bool named;                   /* by a row, or the file was damaged: may be acted on */
} Known;

static Known known[LP_PARTITIONS];
static char *journal_path, *template_path;

/* --- what is where --- */

static LpPartition *
partition_of(unsigned index)
{
    return lp_registry_by_uuid(lp_fuzz_world.registry, known[index].uuid);
}

static void
copy_file(const char *from, const char *to)
{
    g_autofree char *bytes = NULL;
    gsize length = 0;

    LP_MUST(g_file_get_contents(from, &bytes, &length, NULL));
    LP_MUST(g_file_set_contents(to, bytes, (gssize)length, NULL));
}

static void
clear_state(void)
{
    const char *host = lp_fuzz_world.settings.uri + strlen("sim:");
    g_autofree char *moved = g_strconcat(host, ".state", NULL);

    lp_fuzz_remove(moved);
    lp_fuzz_remove(lp_fuzz_world.settings.state_dir);
    LP_MUST(g_mkdir(lp_fuzz_world.settings.state_dir, 0700) == 0);
}

/* A journal that lpard itself has made, and what the host is like. */
static void
start(void)
{
    lp_fuzz_world_make();
    lp_fuzz_world.settings.timeout_sec = 1;
    journal_path = g_build_filename(lp_fuzz_world.settings.state_dir, "journal.db", NULL);
    template_path = g_build_filename(lp_fuzz_world.dir, "template.db", NULL);
    LP_MUST(lp_fuzz_world_boot(false));
    for (unsigned i = 0; i < LP_PARTITIONS; i++) {
        g_autofree char *name = g_strdup_printf("p%u", i);
        const LpPartition *partition = lp_registry_find(lp_fuzz_world.registry, name, NULL);

        LP_MUST(partition != NULL);
        known[i].uuid = g_strdup(partition->uuid);
        known[i].bytes = lp_partition_granted_bytes(partition);
        known[i].cpus = lp_partition_granted_cpus(partition);
    }
    lp_fuzz_world_halt();
    copy_file(journal_path, template_path);
    clear_state();
}

/* --- the input --- */

static void
put_operation(sqlite3 *sql, int64_t id, const char *text, bool open, bool summed)
{
    const char *uuid = known[id % LP_PARTITIONS].uuid;
    sqlite3_stmt *statement = NULL;

    LP_MUST(sqlite3_prepare_v2(sql, "INSERT OR REPLACE INTO operation (id, uuid, key, open,"
                               " changed_sec, body, sum) VALUES (?, ?, ?, ?, ?, ?, ?)", -1,
                               &statement, NULL) == SQLITE_OK);
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_text(statement, 2, uuid, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, "k", -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 4, open);
    sqlite3_bind_int64(statement, 5, g_get_real_time() / G_USEC_PER_SEC);
    sqlite3_bind_text(statement, 6, text, -1, SQLITE_STATIC);
    if (summed)
        sqlite3_bind_int64(statement, 7, lp_journal_sum(id, uuid, "k", open, text));
    LP_MUST(sqlite3_step(statement) == SQLITE_DONE);
    sqlite3_finalize(statement);
}

static void
put_profile(sqlite3 *sql, unsigned index, const char *text)
{
    sqlite3_stmt *statement = NULL;

    LP_MUST(sqlite3_prepare_v2(sql, "INSERT OR REPLACE INTO profile (uuid, generation, metadata)"
                               " VALUES (?, ?, ?)", -1, &statement, NULL) == SQLITE_OK);
    sqlite3_bind_text(statement, 1, known[index].uuid, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)strlen(text));
    sqlite3_bind_text(statement, 3, text, -1, SQLITE_STATIC);
    LP_MUST(sqlite3_step(statement) == SQLITE_DONE);
    sqlite3_finalize(statement);
}

static void
note_named(const char *text)
{
    for (unsigned i = 0; i < LP_PARTITIONS; i++) {
        g_autofree char *name = g_strdup_printf("p%u", i);

        known[i].named = known[i].named || strstr(text, known[i].uuid) || strstr(text, name) ||
                         /* A name may be written with escapes. */
                         strchr(text, '\\');
    }
}

static char *
fill_in(const char *line)
{
    g_autoptr(GString) text = g_string_new(line);

    g_string_replace(text, "@0", known[0].uuid, 0);
    g_string_replace(text, "@1", known[1].uuid, 0);
    return g_strdup(text->str);
}

static void
damage_file(const char *line, size_t length)
{
    struct stat status;
    uint32_t at = 0;
    FILE *file;

    for (unsigned i = 0; i < 4 && 1 + i < length; i++)
        at |= (uint32_t)(uint8_t)line[1 + i] << (8 * i);
    LP_MUST(stat(journal_path, &status) == 0);
    at %= (uint32_t)status.st_size + 1;
    for (unsigned i = 0; i < LP_PARTITIONS; i++)
        known[i].named = true;
    if (line[0] == 't') {
        LP_MUST(truncate(journal_path, at) == 0);
        return;
    }
    file = fopen(journal_path, "r+b");
    LP_MUST(file != NULL && fseek(file, (long)at, SEEK_SET) == 0);
    if (length > 5)
        fwrite(line + 5, 1, length - 5, file);
    fclose(file);
}

static void
put_line(sqlite3 *sql, int64_t id, const char *line)
{
    g_autofree char *text = line[0] != '\0' ? fill_in(line + 1) : NULL;

    switch (line[0]) {
    case 'o':
    case 'O':
    case 'c':
        if (line[0] != 'c')
            note_named(text);
        put_operation(sql, id, text, line[0] != 'c', line[0] != 'O');
        break;
    case 'p':
    case 'q':
        put_profile(sql, line[0] == 'q', text);
        break;
    default:
        break;
    }
}

/* Lines of rows, and then those that damage the file. */
static void
write_journal(const uint8_t *data, size_t size)
{
    sqlite3 *sql = NULL;
    size_t begin = 0;

    copy_file(template_path, journal_path);
    LP_MUST(sqlite3_open(journal_path, &sql) == SQLITE_OK);
    sqlite3_exec(sql, "PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL);
    for (int pass = 0; pass < 2; pass++) {
        int64_t id = 1;

        begin = 0;
        for (size_t at = 0; at <= size && id <= LP_LINES_MAX; at++) {
            char *line;

            if (at < size && data[at] != '\n')
                continue;
            line = lp_fuzz_text(data + begin, at - begin);
            if (pass == 0)
                put_line(sql, id, line);
            else if (line[0] == 'x' || line[0] == 't')
                damage_file((const char *)data + begin, at - begin);
            free(line);
            begin = at + 1;
            id++;
        }
        if (pass == 0) {
            LP_MUST(sqlite3_exec(sql, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL,
                                 NULL) == SQLITE_OK);
            sqlite3_close(sql);
        }
    }
}

/* --- what must hold --- */

static void
check_bounds(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < LP_PARTITIONS; i++) {
        const LpPartition *partition = partition_of(i);
        uint64_t bytes = lp_view_granted_bytes(partition->view);
        uint32_t cpus = lp_partition_granted_cpus(partition);

        LP_MUST(bytes >= LP_FUZZ_GIB && bytes <= 4 * LP_FUZZ_GIB);
        LP_MUST(cpus >= 1 && cpus <= 4);
        LP_MUST(known[i].named || (bytes == known[i].bytes && cpus == known[i].cpus));
        sum += bytes + lp_fuzz_world.settings.overhead_bytes;
    }
    LP_MUST(sum <= 16 * LP_FUZZ_GIB);
}

static bool
all_ended(void)
{
    g_autoptr(GPtrArray) list = lp_engine_list(lp_fuzz_world.engine);

    for (guint i = 0; i < list->len; i++) {
        const LpOperation *operation = g_ptr_array_index(list, i);

        if (!LP_OP_IS_FINAL(operation->state))
            return false;
    }
    return true;
}

static void
check_list(void)
{
    g_autoptr(GPtrArray) list = lp_engine_list(lp_fuzz_world.engine);

    LP_MUST(list->len <= LP_LINES_MAX);
    for (guint i = 0; i < list->len; i++) {
        const LpOperation *operation = g_ptr_array_index(list, i);
        json_t *json = lp_operation_to_json(operation);

        LP_MUST(json != NULL && operation->id > 0);
        LP_MUST(lp_engine_find(lp_fuzz_world.engine, operation->id) == operation);
        json_decref(json);
    }
}

static void
read_all(void)
{
    LpJournal *journal = lp_fuzz_world.journal;
    const char *metadata = NULL;
    uint64_t generation;

    json_decref(lp_journal_history(journal, NULL, 0, 10, NULL));
    json_decref(lp_journal_history(journal, known[0].uuid, INT64_MAX, 1000, NULL));
    json_decref(lp_journal_operation(journal, 1, NULL));
    json_decref(lp_journal_by_key(journal, "k", NULL));
    (void)lp_journal_last_profile(journal, known[0].uuid, &generation, &metadata);
    g_free(lp_journal_saved_xml(journal, known[1].uuid, NULL));
    LP_MUST(lp_journal_next_id(journal) > 0);
}

static void
recover(void)
{
    gint64 until = g_get_monotonic_time() + LP_TURNS_USEC;

    read_all();
    /* Also what the first turns do: the rows are taken up in them. */
    for (int turns = 0; (turns < 50 || !all_ended()) && g_get_monotonic_time() < until; turns++) {
        if (!g_main_context_iteration(NULL, FALSE))
            g_usleep(100);
        check_bounds();
    }
    check_list();
}

static GLogWriterOutput
keep_quiet(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
    (void)data;
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) {
        g_log_writer_standard_streams(level, fields, n_fields, NULL);
        abort();
    }
    return G_LOG_WRITER_HANDLED;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;

    if (!started) {
        g_log_set_writer_func(keep_quiet, NULL, NULL);
        start();
        started = true;
    }
    for (unsigned i = 0; i < LP_PARTITIONS; i++)
        known[i].named = false;
    write_journal(data, size);
    if (lp_fuzz_world_boot(false)) {
        recover();
        lp_fuzz_world_halt();
        /* And now and then once more, on what that left: it takes its time. */
        if (size % 4 == 0 && lp_fuzz_world_boot(false)) {
            check_bounds();
            lp_fuzz_world_halt();
        }
    }
    clear_state();
    return 0;
}
