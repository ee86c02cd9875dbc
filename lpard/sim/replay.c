/* What lpard decided, decided again. */
#include "lpard/sim/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lpard/error.h"
#include "lpard/sim/options.h"
#include "policy/explain.h"
#include "policy/record.h"

#define HISTORY_SUFFIX ".lph"
#define MSEC_PER_SEC 1000.0
#define GIB 1073741824.0

typedef struct {
    char *history;
    char *explain;
    GPtrArray *what_ifs;
} Wanted;

/* What the decisions came to, for a comparison of two. */
typedef struct {
    uint64_t grows, shrinks, waits;
    double target;                         /* bytes, of all partitions and ticks */
} Sum;

typedef struct {
    const Wanted *wanted;
    LpPolicy *policy;
    LpPolicyState *states;                 /* as they are after the last tick, of `n` partitions */
    LpDecision *decisions;
    LpPolicyPartition *partitions;         /* with other values, for --what-if */
    LpDecision *told;                      /* what --explain last told of, or NULL */
    size_t n;
    int64_t first_msec;
    uint64_t files, unread, ticks, compared, differing, snapshots, breaks, applied;
    size_t partitions_most;
    Sum recorded, replayed;
} Replay;

/* --- what is printed --- */

static const char *
name_of(const LpPlayTick *tick, size_t i)
{
    return tick->names[i] ? tick->names[i] : "(no name)";
}

static void
print_difference(const Replay *replay, const LpPlayTick *tick, size_t i)
{
    LpRecordDifference difference;
    g_autofree char *name = g_strescape(name_of(tick, i), NULL);
    size_t at = 0;

    printf("first difference: tick %" PRIu64 " (%.3f s), partition %s\n", replay->ticks,
           (double) (tick->host->now_msec - replay->first_msec) / MSEC_PER_SEC, name);
    while (lp_record_decision_differs(&tick->decisions[i], &replay->decisions[i], &at,
                                      &difference))
        printf("  %-24s recorded %" PRIu64 ", now %" PRIu64 "\n", difference.field, difference.a,
               difference.b);
}

/* Another decision, and not the same with other figures. */
static bool
is_news(const LpDecision *before, const LpDecision *now)
{
    return before->mem_act != now->mem_act || before->mem_bound != now->mem_bound ||
           before->mem_take != now->mem_take || before->demand.mem_why != now->demand.mem_why ||
           before->rival != now->rival || before->cpu_act != now->cpu_act ||
           before->cpu_bound != now->cpu_bound || before->demand.cpu_why != now->demand.cpu_why ||
           before->cpus != now->cpus;
}

static const char *
rival_of(const LpPlayTick *tick, uint64_t key)
{
    for (size_t i = 0; key != 0 && i < tick->n; i++)
        if (tick->partitions[i].key == key)
            return tick->names[i];
    return NULL;
}

static void
explain(Replay *replay, const LpPlayTick *tick, const LpPolicyHost *host,
        const LpPolicyPartition *partitions)
{
    char text[LP_EXPLAIN_TEXT];

    for (size_t i = 0; i < tick->n; i++) {
        const LpDecision *decision = &replay->decisions[i];

        if (g_strcmp0(tick->names[i], replay->wanted->explain) != 0)
            continue;
        if (replay->told && !is_news(replay->told, decision))
            return;
        if (!replay->told)
            replay->told = g_new(LpDecision, 1);
        *replay->told = *decision;
        lp_explain(host, &partitions[i], &replay->states[i], decision,
                   rival_of(tick, decision->rival), text, sizeof text);
        printf("%.3f s\n%s%s", (double) (host->now_msec - replay->first_msec) / MSEC_PER_SEC, text,
               g_str_has_suffix(text, "\n") ? "" : "\n");
        return;
    }
}

/* --- one tick --- */

static void
add(Sum *sum, const LpDecision *decision)
{
    sum->grows += decision->mem_act == LP_ACT_GROW;
    sum->shrinks += decision->mem_act == LP_ACT_SHRINK;
    sum->waits += decision->mem_act == LP_ACT_WAIT;
    sum->target += (double) decision->mem_target_bytes;
}

/* Mostly where it was. */
static const LpPolicyState *
state_before(const Replay *replay, uint64_t key, size_t hint)
{
    if (hint < replay->n && replay->states[hint].key == key)
        return &replay->states[hint];
    for (size_t i = 0; i < replay->n; i++)
        if (replay->states[i].key == key)
            return &replay->states[i];
    return NULL;
}

/* Takes the states of a snapshot.  Where it follows on what was replayed, they must be what came
 * out of that; a restart of lpard, or ticks that it could not write, begin anew.  With other values
 * the states go their own way, and only those of partitions that are new are taken. */
static void
take_snapshot(Replay *replay, const LpPlayTick *tick)
{
    LpPolicyState *states = g_new(LpPolicyState, tick->n + 1);
    bool other = replay->wanted->what_ifs->len > 0, same = true;

    for (size_t i = 0; i < tick->n; i++) {
        const LpPolicyState *before = state_before(replay, tick->partitions[i].key, i);
        LpRecordDifference difference;
        size_t at = 0;

        states[i] = before && other ? *before : tick->states[i];
        if (before && lp_record_state_differs(before, &tick->states[i], &at, &difference))
            same = false;
    }
    replay->snapshots++;
    replay->breaks += replay->ticks > 0 && !other && !same;
    g_free(replay->states);
    replay->states = states;
    replay->n = tick->n;
    replay->decisions = g_renew(LpDecision, replay->decisions, tick->n + 1);
    replay->partitions = g_renew(LpPolicyPartition, replay->partitions, tick->n + 1);
    replay->partitions_most = MAX(replay->partitions_most, tick->n);
}

static bool
replay_tick(Replay *replay, const LpPlayTick *tick, GError **error)
{
    LpPolicyHost host = *tick->host;
    const GPtrArray *what_ifs = replay->wanted->what_ifs;

    if (replay->ticks == 0)
        replay->first_msec = host.now_msec;
    if (tick->snapshot)
        take_snapshot(replay, tick);
    if (tick->n > 0)
        memcpy(replay->partitions, tick->partitions, tick->n * sizeof *replay->partitions);
    replay->applied += lp_what_if_apply(what_ifs, &host, replay->partitions, tick->names, tick->n);
    if (!lp_policy_decide(replay->policy, &host, replay->partitions, replay->states, tick->n,
                          replay->decisions)) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "there is no memory to decide in");
        return false;
    }
    for (size_t i = 0; i < tick->n; i++) {
        LpRecordDifference difference;
        size_t at = 0;

        replay->compared++;
        add(&replay->recorded, &tick->decisions[i]);
        add(&replay->replayed, &replay->decisions[i]);
        if (!lp_record_decision_differs(&tick->decisions[i], &replay->decisions[i], &at,
                                        &difference))
            continue;
        if (replay->differing++ == 0 && what_ifs->len == 0)
            print_difference(replay, tick, i);
    }
    if (replay->wanted->explain)
        explain(replay, tick, &host, replay->partitions);
    replay->ticks++;
    return true;
}

/* --- files --- */

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The files of a history in their order, or the one file; NULL: there is none. */
static GPtrArray *
files_of(const char *path, GError **error)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = NULL;
    const char *name;

    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_ptr_array_add(files, g_strdup(path));
        return g_steal_pointer(&files);
    }
    dir = g_dir_open(path, 0, error);
    if (!dir)
        return NULL;
    while ((name = g_dir_read_name(dir)) != NULL)
        if (g_str_has_suffix(name, HISTORY_SUFFIX))
            g_ptr_array_add(files, g_build_filename(path, name, NULL));
    g_ptr_array_sort(files, by_name);
    if (files->len > 0)
        return g_steal_pointer(&files);
    g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "%s has no history: no file ends in "
                HISTORY_SUFFIX, path);
    return NULL;
}

/* Says how a file ended, where it is not its end.  Each begins anew, so the next is good again. */
static void
tell_end(Replay *replay, LpPlayVerdict verdict, const char *path, size_t offset)
{
    const char *what = "is damaged, or no history";

    switch (verdict) {
    case LP_PLAY_TICK:
    case LP_PLAY_END:
        return;
    case LP_PLAY_CUT:
        /* lpard died while it wrote, or writes now: what is there is whole. */
        fprintf(stderr, "lpar-sim replay: %s ends in the middle of a record, after %zu bytes\n",
                path, offset);
        return;
    case LP_PLAY_BAD:
        break;
    case LP_PLAY_VERSION:
        what = "is of another version of lpard";
        break;
    case LP_PLAY_NO_MEMORY:
        what = "takes more memory than there is";
        break;
    }
    fprintf(stderr, "lpar-sim replay: %s %s, after %zu bytes\n", path, what, offset);
    replay->unread++;
}

static bool
replay_file(Replay *replay, const char *path, GError **error)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
    LpPlayVerdict verdict;
    LpPlayTick tick;
    LpPlayer *player;
    bool done = true;

    if (!file)
        return false;
    player = lp_player_new((const uint8_t *) g_mapped_file_get_contents(file),
                           g_mapped_file_get_length(file));
    if (!player) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "there is no memory to read %s in", path);
        return false;
    }
    while ((verdict = lp_player_next(player, &tick)) == LP_PLAY_TICK && done)
        done = replay_tick(replay, &tick, error);
    if (done)
        tell_end(replay, verdict, path, lp_player_offset(player));
    lp_player_free(player);
    replay->files++;
    return done;
}

/* --- the command --- */

static void
print_sum(const char *label, const Sum *sum, uint64_t ticks)
{
    printf("%-10s %8" PRIu64 " grows %8" PRIu64 " shrinks %8" PRIu64
           " waits, targets of %.2f GiB on average\n", label, sum->grows, sum->shrinks, sum->waits,
           ticks > 0 ? sum->target / (double) ticks / GIB : 0.0);
}

static int
conclude(const Replay *replay)
{
    const Wanted *wanted = replay->wanted;

    printf("%" PRIu64 " ticks of at most %zu partitions in %" PRIu64 " files; %" PRIu64
           " decisions compared, %" PRIu64 " differ\n", replay->ticks, replay->partitions_most,
           replay->files, replay->compared, replay->differing);
    if (replay->breaks > 0)
        printf("%" PRIu64 " of %" PRIu64 " snapshots do not follow on what is before them: lpard "
               "was started again, or could not write\n", replay->breaks, replay->snapshots);
    if (wanted->explain && !replay->told) {
        fprintf(stderr, "lpar-sim replay: the history knows no partition %s\n", wanted->explain);
        return LP_SIM_EXIT_FAILED;
    }
    if (wanted->what_ifs->len == 0)
        return replay->differing > 0 || replay->unread > 0 ? LP_SIM_EXIT_FAILED
                                                           : LP_SIM_EXIT_DONE;
    if (replay->applied == 0) {
        fputs("lpar-sim replay: --what-if names no partition of the history\n", stderr);
        return LP_SIM_EXIT_FAILED;
    }
    print_sum("recorded", &replay->recorded, replay->ticks);
    print_sum("what if", &replay->replayed, replay->ticks);
    return replay->unread > 0 ? LP_SIM_EXIT_FAILED : LP_SIM_EXIT_DONE;
}

static int
replay_all(const Wanted *wanted, GError **error)
{
    g_autoptr(GPtrArray) files = files_of(wanted->history, error);
    Replay replay = { .wanted = wanted };
    int status = -1;
    bool done = true;

    if (!files)
        return -1;
    replay.policy = lp_policy_new();
    if (!replay.policy)
        g_error("there is no memory");
    for (guint i = 0; i < files->len && done; i++)
        done = replay_file(&replay, g_ptr_array_index(files, i), error);
    if (done)
        status = conclude(&replay);
    lp_policy_free(replay.policy);
    g_free(replay.states);
    g_free(replay.decisions);
    g_free(replay.partitions);
    g_free(replay.told);
    return status;
}

static bool
parse_what_ifs(char **texts, GPtrArray *what_ifs, GError **error)
{
    for (char **text = texts; text && *text; text++) {
        LpWhatIf *what_if = lp_what_if_parse(*text, error);

        if (!what_if)
            return false;
        g_ptr_array_add(what_ifs, what_if);
    }
    return true;
}

int
lp_sim_replay(int argc, char **argv)
{
    g_autofree char *history = NULL, *partition = NULL;
    g_auto(GStrv) texts = NULL;
    g_autoptr(GPtrArray) what_ifs =
        g_ptr_array_new_with_free_func((GDestroyNotify) lp_what_if_free);
    g_autoptr(GError) error = NULL;
    Wanted wanted = { NULL, NULL, what_ifs };
    const GOptionEntry entries[] = {
        { "from-history", 'f', 0, G_OPTION_ARG_FILENAME, &history,
          "The history of lpard (policy-history in its state directory), or one file of it",
          "PATH" },
        { "explain", 'e', 0, G_OPTION_ARG_STRING, &partition,
          "Tell what was decided for a partition, when it changed", "NAME" },
        { "what-if", 'w', 0, G_OPTION_ARG_STRING_ARRAY, &texts,
          "Decide with another value, and compare; may be repeated", "[NAME:]KEY=VALUE" },
        { NULL },
    };
    int status = LP_SIM_EXIT_DONE;

    if (!lp_sim_options_parse(&argc, &argv, "Decides again what lpard decided, and compares.",
                              entries, NULL, &status))
        return status;
    wanted.history = history;
    wanted.explain = partition;
    if (!history)
        g_set_error(&error, LP_ERROR, LP_ERROR_USAGE, "--from-history PATH is needed");
    else if (parse_what_ifs(texts, what_ifs, &error))
        status = replay_all(&wanted, &error);
    return error ? lp_sim_fail("replay", error) : status;
}
