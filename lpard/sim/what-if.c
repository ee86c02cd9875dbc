/* Another value for what was recorded. */
#include <string.h>

#include "lpard/error.h"
#include "lpard/sim/replay.h"
#include "policy/units.h"

#define IDLE_TAX_MAX 99
#define PERMYRIAD_PER_PERCENT 100
#define WEIGHT_MAX 1000000
#define LIMIT_MAX 100000

typedef enum { OF_HOST, OF_PARTITION } Whose;
typedef enum { A_MODE, A_GOAL, A_LEFTOVERS, A_COUNT, A_SIZE } Form;

typedef struct {
    const char *name;
    Whose whose;
    Form form;
    uint32_t most;                         /* of a count */
} Key;

enum { MODE, LEFTOVERS, IDLE_TAX, MOVING, RESERVE, GOAL, PRIORITY, WEIGHT, RELEASE, ENTITLED,
       MEM_MIN, MEM_MAX, KEYS };

static const Key keys[KEYS] = {
    [MODE] = { "mode", OF_PARTITION, A_MODE, 0 },
    [LEFTOVERS] = { "leftovers", OF_HOST, A_LEFTOVERS, 0 },
    [IDLE_TAX] = { "idle-tax", OF_HOST, A_COUNT, IDLE_TAX_MAX },
    [MOVING] = { "moving", OF_HOST, A_COUNT, LIMIT_MAX },
    [RESERVE] = { "reserve", OF_HOST, A_SIZE, 0 },
    [GOAL] = { "goal", OF_PARTITION, A_GOAL, 0 },
    [PRIORITY] = { "priority", OF_PARTITION, A_COUNT, LP_PRIORITY_MAX },
    [WEIGHT] = { "weight", OF_PARTITION, A_COUNT, WEIGHT_MAX },
    [RELEASE] = { "release", OF_PARTITION, A_COUNT, LP_RELEASE_SEC_MAX },
    [ENTITLED] = { "entitled-mem", OF_PARTITION, A_SIZE, 0 },
    [MEM_MIN] = { "min-mem", OF_PARTITION, A_SIZE, 0 },
    [MEM_MAX] = { "max-mem", OF_PARTITION, A_SIZE, 0 },
};

struct LpWhatIf {
    int key;
    char *partition;                       /* NULL: all */
    uint64_t value;
};

void
lp_what_if_free(LpWhatIf *what_if)
{
    if (!what_if)
        return;
    g_free(what_if->partition);
    g_free(what_if);
}

static bool
one_of(const char *const *names, size_t n, const char *text, uint64_t *ret)
{
    for (size_t i = 0; i < n; i++)
        if (g_str_equal(names[i], text)) {
            *ret = i;
            return true;
        }
    return false;
}

/* NULL, or what would be right. */
static const char *
read_value(const Key *key, const char *text, uint64_t *ret)
{
    static const char *const leftovers[] = { "keep", "burst" };
    uint32_t count;
    LpUnitsVerdict verdict;

    switch (key->form) {
    case A_MODE:
        /* Of these alone: what "host" meant was resolved when it was recorded. */
        return one_of(lp_mode_names, LP_MODE_HOST, text, ret) ? NULL : "it is off, advise or auto";
    case A_GOAL:
        return one_of(lp_goal_names, LP_GOALS, text, ret)
                   ? NULL : "it is latency, balanced or density";
    case A_LEFTOVERS:
        return one_of(leftovers, G_N_ELEMENTS(leftovers), text, ret) ? NULL : "it is burst or keep";
    case A_COUNT:
        verdict = lp_units_parse_count(text, key->most, &count);
        if (verdict != LP_UNITS_OK)
            return lp_units_hint(verdict);
        *ret = count;
        return NULL;
    case A_SIZE:
        verdict = lp_units_parse_bytes(text, ret);
        return verdict == LP_UNITS_OK ? NULL : lp_units_hint(verdict);
    }
    return "it has no value";
}

LpWhatIf *
lp_what_if_parse(const char *text, GError **error)
{
    /* Names have colons at times, keys have none: the last one before the last "=". */
    const char *equals = strrchr(text, '=');
    const char *begin = equals ? g_strrstr_len(text, equals - text, ":") : NULL;
    g_autofree char *name = NULL;
    const char *wrong;
    LpWhatIf *what_if;
    int key = 0;

    if (!equals) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "--what-if %s: write KEY=VALUE or "
                    "NAME:KEY=VALUE, as in goal=density", text);
        return NULL;
    }
    begin = begin ? begin + 1 : text;
    name = g_strndup(begin, (gsize) (equals - begin));
    while (key < KEYS && !g_str_equal(keys[key].name, name))
        key++;
    if (key == KEYS) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "--what-if %s: there is no key '%s'; there "
                    "are mode, goal, priority, weight, release, entitled-mem, min-mem, max-mem of "
                    "partitions, and leftovers, idle-tax, moving, reserve of the host", text, name);
        return NULL;
    }
    if (begin != text && keys[key].whose == OF_HOST) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "--what-if %s: '%s' is the host's; write it "
                    "without a name", text, name);
        return NULL;
    }
    what_if = g_new0(LpWhatIf, 1);
    what_if->key = key;
    if (begin != text)
        what_if->partition = g_strndup(text, (gsize) (begin - 1 - text));
    wrong = read_value(&keys[key], equals + 1, &what_if->value);
    if (!wrong)
        return what_if;
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "--what-if %s: %s", text, wrong);
    lp_what_if_free(what_if);
    return NULL;
}

static void
apply_to_host(const LpWhatIf *what_if, LpPolicyHost *host)
{
    switch (what_if->key) {
    case LEFTOVERS:
        host->burst = what_if->value != 0;
        break;
    case IDLE_TAX:
        host->idle_tax = (uint32_t) what_if->value * PERMYRIAD_PER_PERCENT;
        break;
    case MOVING:
        host->moving_max = (uint32_t) what_if->value;
        break;
    case RESERVE:
        for (uint32_t i = 0; i < host->n_nodes; i++)
            host->nodes[i].reserve_bytes = what_if->value / host->n_nodes;
        break;
    default:
        break;
    }
}

static void
apply_to_partition(const LpWhatIf *what_if, LpPolicyPartition *partition)
{
    switch (what_if->key) {
    case MODE:
        partition->mode = (LpMode) what_if->value;
        break;
    case GOAL:
        partition->goal = (LpGoal) what_if->value;
        break;
    case PRIORITY:
        partition->priority = (uint32_t) what_if->value;
        break;
    case WEIGHT:
        partition->weight = (uint32_t) what_if->value;
        break;
    case RELEASE:
        partition->release_sec = (uint32_t) what_if->value;
        break;
    case ENTITLED:
        partition->entitled_bytes = what_if->value;
        break;
    case MEM_MIN:
        partition->mem_min_bytes = what_if->value;
        break;
    case MEM_MAX:
        partition->mem_max_bytes = what_if->value;
        break;
    default:
        break;
    }
}

size_t
lp_what_if_apply(const GPtrArray *what_ifs, LpPolicyHost *host, LpPolicyPartition *partitions,
                 const char *const *names, size_t n)
{
    size_t applied = 0;

    for (guint k = 0; k < what_ifs->len; k++) {
        const LpWhatIf *what_if = g_ptr_array_index(what_ifs, k);

        if (keys[what_if->key].whose == OF_HOST) {
            apply_to_host(what_if, host);
            applied++;
            continue;
        }
        for (size_t i = 0; i < n; i++)
            if (!what_if->partition || g_strcmp0(what_if->partition, names[i]) == 0) {
                apply_to_partition(what_if, &partitions[i]);
                applied++;
            }
    }
    return applied;
}
