/* When all is at rest: how each operation ended, and whether that is what is (S6, S7, L1, L4). */
#include <inttypes.h>
#include <string.h>

#include "hotplug/plan.h"
#include "tests/oracle/oracle-priv.h"

/* What the journal says that a domain came to, by one operation. */
typedef struct {
    int64_t id;                   /* the operation's */
    int64_t finished_sec;         /* 0: not said */
    bool done, has_cpu, has_mem;
    uint64_t cpu, mem_bytes, cpu_before, mem_before_bytes, cpu_target, mem_target_bytes;
} Word;

static uint64_t
number(const json_t *json, const char *key)
{
    return (uint64_t) json_integer_value(json_object_get(json, key));
}

static const char *
text(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/* ---- S7 ---- */

/* Who asked for what, and for what was begun the plan with its numbers. */
static void
check_reason(LpOracle *oracle, int64_t id, const json_t *body)
{
    const json_t *legs = json_object_get(body, "legs"), *leg;
    const char *state = text(body, "state");
    size_t i;

    if (!text(body, "kind") || !json_is_object(json_object_get(body, "request")) || !state)
        lp_oracle_tell(oracle, LP_INVARIANT_S7, "operation %" PRId64 " does not say what was asked",
                       id);
    if (state && strcmp(state, "done") != 0 && (!text(body, "code") || !text(body, "message")))
        lp_oracle_tell(oracle, LP_INVARIANT_S7, "operation %" PRId64 " ended %s without a reason",
                       id, state);
    json_array_foreach(legs, i, leg)
        if (json_is_true(json_object_get(leg, "begun"))
            && (!json_is_object(json_object_get(leg, "before"))
                || !json_is_object(json_object_get(leg, "now"))))
            lp_oracle_tell(oracle, LP_INVARIANT_S7,
                           "operation %" PRId64 " has no numbers for %s", id, text(leg, "uuid"));
}

/* ---- L4 ---- */

static bool
leg_reached(const json_t *leg)
{
    const json_t *target = json_object_get(leg, "target"), *now = json_object_get(leg, "now");
    const json_t *cpu = json_object_get(target, "cpu");
    const json_t *mem = json_object_get(target, "mem_bytes");

    return (!cpu || json_equal(cpu, json_object_get(now, "cpu")))
           && (!mem || json_equal(mem, json_object_get(now, "mem_bytes")));
}

static void
check_state(LpOracle *oracle, int64_t id, const json_t *body)
{
    const json_t *legs = json_object_get(body, "legs"), *leg;
    const char *state = text(body, "state");
    bool all = true;
    size_t i;

    json_array_foreach(legs, i, leg)
        if (json_is_true(json_object_get(leg, "begun"))
            && !json_is_true(json_object_get(leg, "undo")))
            all = all && leg_reached(leg);
    if (g_strcmp0(state, "done") == 0 && !all)
        lp_oracle_tell(oracle, LP_INVARIANT_L4,
                       "operation %" PRId64 " is said to be done, and is not by its own numbers",
                       id);
}

/* ---- L1 ---- */

static int64_t
finished_sec(const json_t *body)
{
    const char *at = text(body, "finished_at");
    g_autoptr(GDateTime) time = at ? g_date_time_new_from_iso8601(at, NULL) : NULL;

    return time ? g_date_time_to_unix(time) : 0;
}

/* The words on one domain, by the operations' ids. */
static GPtrArray *
words_on(GHashTable *words, const char *uuid)
{
    GPtrArray *found = g_hash_table_lookup(words, uuid);

    if (!found) {
        found = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(words, g_strdup(uuid), found);
    }
    return found;
}

static void
take_leg(GHashTable *words, int64_t id, const json_t *body, const json_t *leg)
{
    const json_t *target = json_object_get(leg, "target");
    GPtrArray *known;
    Word *word;

    if (!json_is_true(json_object_get(leg, "begun")) || !text(leg, "uuid"))
        return;
    known = words_on(words, text(leg, "uuid"));
    /* Of an undo and what it undoes, the former. */
    if (known->len && ((Word *) known->pdata[known->len - 1])->id == id)
        g_ptr_array_remove_index(known, known->len - 1);
    word = g_new0(Word, 1);
    *word = (Word){
        .id = id, .finished_sec = finished_sec(body),
        .done = g_strcmp0(text(body, "state"), "done") == 0,
        .has_cpu = json_object_get(target, "cpu") != NULL,
        .has_mem = json_object_get(target, "mem_bytes") != NULL,
        .cpu = number(json_object_get(leg, "now"), "cpu"),
        .mem_bytes = number(json_object_get(leg, "now"), "mem_bytes"),
        .cpu_before = number(json_object_get(leg, "before"), "cpu"),
        .mem_before_bytes = number(json_object_get(leg, "before"), "mem_bytes"),
        .cpu_target = number(target, "cpu"), .mem_target_bytes = number(target, "mem_bytes"),
    };
    g_ptr_array_add(known, word);
}

static bool
is_between(uint64_t value, uint64_t one, uint64_t two)
{
    return value >= MIN(one, two) && value <= MAX(one, two);
}

static bool
fits(const LpView *view, const LpProfile *profile, const Word *word)
{
    uint32_t cpus = lp_plan_granted_vcpus(view, &profile->folded);
    uint64_t bytes = lp_view_granted_bytes(view);

    return (!word->has_cpu
            || (cpus == word->cpu && is_between(cpus, word->cpu_before, word->cpu_target)))
           && (!word->has_mem
               || (bytes == word->mem_bytes
                   && is_between(bytes, word->mem_before_bytes, word->mem_target_bytes)));
}

/* The last word.  Operations on two domains wait for both, so that one with a higher id may be over
 * before; and the journal tells when they ended to the second, by a clock that may have been set.  So of
 * those that ended at the end any one will do, and so will the one that began last. */
static const Word *
last_word(const LpView *view, const LpProfile *profile, const GPtrArray *known)
{
    const Word *last = known->pdata[known->len - 1];
    int64_t latest = 0;

    if (fits(view, profile, last))
        return last;
    for (guint i = 0; i < known->len; i++)
        latest = MAX(latest, ((const Word *) known->pdata[i])->finished_sec);
    for (guint i = known->len; i > 0; i--) {
        const Word *word = known->pdata[i - 1];

        if (word->finished_sec >= latest - 1 && fits(view, profile, word))
            return word;
    }
    return last;
}

static void
compare(LpOracle *oracle, const LpView *view, const LpProfile *profile, const Word *word)
{
    uint32_t cpus = lp_plan_granted_vcpus(view, &profile->folded);
    uint64_t bytes = lp_view_granted_bytes(view);

    if (word->has_cpu && cpus != word->cpu)
        lp_oracle_tell(oracle, LP_INVARIANT_L1,
                       "%s has %u vCPUs, and operation %" PRId64 " says %" PRIu64, view->name,
                       cpus, word->id, word->cpu);
    if (word->has_mem && bytes != word->mem_bytes)
        lp_oracle_tell(oracle, LP_INVARIANT_L1,
                       "%s has %" PRIu64 " bytes, and operation %" PRId64 " says %" PRIu64,
                       view->name, bytes, word->id, word->mem_bytes);
    if (word->has_cpu && !is_between(cpus, word->cpu_before, word->cpu_target))
        lp_oracle_tell(oracle, LP_INVARIANT_L1,
                       "%s has %u vCPUs, which is not between %" PRIu64 " and %" PRIu64
                       " of operation %" PRId64,
                       view->name, cpus, word->cpu_before, word->cpu_target, word->id);
    if (word->has_mem && !is_between(bytes, word->mem_before_bytes, word->mem_target_bytes))
        lp_oracle_tell(oracle, LP_INVARIANT_L1,
                       "%s has %" PRIu64 " bytes, which is not between %" PRIu64 " and %" PRIu64
                       " of operation %" PRId64,
                       view->name, bytes, word->mem_before_bytes, word->mem_target_bytes, word->id);
}

/* Nothing moves by itself later, and the next start has no other profile. */
static void
check_settled(LpOracle *oracle, const LpView *view)
{
    for (uint32_t i = 0; i < view->n_cells; i++)
        if (view->cells[i].requested_bytes != view->cells[i].current_bytes)
            lp_oracle_tell(oracle, LP_INVARIANT_L1,
                           "cell %u of %s is asked for %" PRIu64 " bytes and has %" PRIu64, i,
                           view->name, view->cells[i].requested_bytes,
                           view->cells[i].current_bytes);
}

static int64_t
newest(const json_t *rows)
{
    size_t n = json_array_size(rows);

    return n ? (int64_t) number(json_array_get(rows, n - 1), "id") : 0;
}

void
lp_oracle_disturbed(LpOracle *oracle, const char *uuid)
{
    json_t *rows = lp_oracle_rows(oracle, false);
    int64_t *id = g_new(int64_t, 1);

    *id = newest(rows);
    json_decref(rows);
    g_hash_table_replace(oracle->disturbed, g_strdup(uuid), id);
}

static void
check_view(LpOracle *oracle, const LpView *view, GHashTable *words)
{
    const GPtrArray *known = g_hash_table_lookup(words, view->uuid);
    const Word *last = known ? known->pdata[known->len - 1] : NULL;
    const int64_t *disturbed = g_hash_table_lookup(oracle->disturbed, view->uuid);
    LpProfile profile;

    if (view->run != LP_RUN_RUNNING || !lp_oracle_profile(view, &profile))
        return;
    if (!last || (disturbed && last->id <= *disturbed))
        return;
    check_settled(oracle, view);
    compare(oracle, view, &profile, last_word(view, &profile, known));
}

void
lp_oracle_rest(LpOracle *oracle, GPtrArray *views)
{
    g_autoptr(GHashTable) words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                        (GDestroyNotify) g_ptr_array_unref);
    json_t *rows = lp_oracle_rows(oracle, false), *row, *leg;
    size_t i, l;

    lp_oracle_look(oracle, views);
    json_array_foreach(rows, i, row) {
        const json_t *body = json_object_get(row, "body");
        int64_t id = (int64_t) number(row, "id");

        if (json_is_true(json_object_get(row, "open")))
            lp_oracle_tell(oracle, LP_INVARIANT_S6, "operation %" PRId64 " was never closed", id);
        check_reason(oracle, id, body);
        check_state(oracle, id, body);
        json_array_foreach(json_object_get(body, "legs"), l, leg)
            take_leg(words, id, body, leg);
    }
    for (guint v = 0; v < views->len; v++)
        check_view(oracle, g_ptr_array_index(views, v), words);
    json_decref(rows);
}
