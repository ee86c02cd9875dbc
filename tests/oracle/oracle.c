#include "tests/oracle/oracle.h"

#include <sqlite3.h>
#include <string.h>

#include "lpard/profile-xml.h"
#include "tests/oracle/oracle-priv.h"

/* The writer commits in moments; only a hang takes longer. */
#define BUSY_MSEC 10000

static const char *const names[LP_INVARIANTS] = {"S1", "S2", "S3", "S4", "S5", "S6",
                                                 "S7", "S8", "L1", "L2", "L3", "L4"};

const char *
lp_invariant_name(LpInvariant invariant)
{
    return names[invariant];
}

LpOracle *
lp_oracle_new(const LpOracleHost *host, const char *journal_path)
{
    LpOracle *oracle = g_new0(LpOracle, 1);

    oracle->host = *host;
    oracle->journal_path = g_strdup(journal_path);
    oracle->broken = g_ptr_array_new_with_free_func(g_free);
    oracle->disturbed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_mutex_init(&oracle->lock);
    return oracle;
}

void
lp_oracle_free(LpOracle *oracle)
{
    if (!oracle)
        return;
    g_free(oracle->journal_path);
    g_ptr_array_unref(oracle->broken);
    g_hash_table_unref(oracle->disturbed);
    g_mutex_clear(&oracle->lock);
    g_free(oracle);
}

void
lp_oracle_tell(LpOracle *oracle, LpInvariant invariant, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_mutex_lock(&oracle->lock);
    g_ptr_array_add(oracle->broken, g_strdup_printf("%s: %s", names[invariant], text));
    g_mutex_unlock(&oracle->lock);
}

GPtrArray *
lp_oracle_broken(LpOracle *oracle)
{
    return oracle->broken;
}

unsigned
lp_oracle_effects(LpOracle *oracle)
{
    return (unsigned) g_atomic_int_get(&oracle->effects);
}

void
lp_oracle_expect_definition(LpOracle *oracle, bool expected)
{
    g_atomic_int_set(&oracle->definitions, expected);
}

/* ---- the journal's file ---- */

static json_t *
row_of(sqlite3_stmt *statement)
{
    json_t *body = json_loads((const char *) sqlite3_column_text(statement, 3), JSON_DECODE_ANY,
                              NULL);

    return json_pack("{s:I,s:s?,s:b,s:o}", "id", (json_int_t) sqlite3_column_int64(statement, 0),
                     "uuid", sqlite3_column_text(statement, 1), "open",
                     sqlite3_column_int(statement, 2), "body", body ? body : json_null());
}

json_t *
lp_oracle_rows(LpOracle *oracle, bool open_only)
{
    json_t *rows = json_array();
    sqlite3_stmt *statement = NULL;
    sqlite3 *sql = NULL;
    int code;

    if (!g_file_test(oracle->journal_path, G_FILE_TEST_EXISTS))
        return rows;
    code = sqlite3_open_v2(oracle->journal_path, &sql, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_busy_timeout(sql, BUSY_MSEC);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(sql,
                                  open_only ? "SELECT id, uuid, open, body FROM operation"
                                              " WHERE open ORDER BY id"
                                            : "SELECT id, uuid, open, body FROM operation"
                                              " ORDER BY id",
                                  -1, &statement, NULL);
    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        json_array_append_new(rows, row_of(statement));
        code = SQLITE_OK;
    }
    if (code != SQLITE_DONE)
        lp_oracle_tell(oracle, LP_INVARIANT_S6, "the journal %s cannot be read: %s",
                       oracle->journal_path, sqlite3_errmsg(sql));
    sqlite3_finalize(statement);
    /* Closing must not do the writer's checkpoint for it. */
    sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(sql);
    return rows;
}

bool
lp_oracle_profile(const LpView *view, LpProfile *ret_profile)
{
    return view->metadata && lp_profile_from_xml(view->metadata, ret_profile, NULL);
}

/* ---- S6 ---- */

/* Of an operation that was begun on it: a leg, or a part of an optimization. */
static bool
covers(const json_t *body, const char *uuid)
{
    const json_t *legs = json_object_get(body, "legs"), *item;
    const json_t *parts = json_object_get(json_object_get(body, "optimize"), "partitions");
    size_t i;

    json_array_foreach(legs, i, item)
        if (json_is_true(json_object_get(item, "begun"))
            && g_strcmp0(json_string_value(json_object_get(item, "uuid")), uuid) == 0)
            return true;
    json_array_foreach(parts, i, item)
        if (g_strcmp0(json_string_value(json_object_get(item, "uuid")), uuid) == 0)
            return true;
    return false;
}

static bool
is_of_definition(const char *call)
{
    static const char *const calls[] = {"define", "start", "set_config", "set_metadata",
                                        "set_capacity", NULL};

    return g_strv_contains(calls, call);
}

void
lp_oracle_effect(LpOracle *oracle, const char *call, const char *uuid)
{
    json_t *rows, *row;
    bool found = false;
    size_t i;

    g_atomic_int_inc(&oracle->effects);
    if (g_atomic_int_get(&oracle->definitions) && is_of_definition(call))
        return;
    rows = lp_oracle_rows(oracle, true);
    json_array_foreach(rows, i, row)
        found = found || covers(json_object_get(row, "body"), uuid);
    if (!found)
        lp_oracle_tell(oracle, LP_INVARIANT_S6,
                       "%s of %s, and none of the %zu open operations of the journal has begun on "
                       "it",
                       call, uuid ? uuid : "a new domain", json_array_size(rows));
    json_decref(rows);
}
