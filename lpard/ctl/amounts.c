/* What the operator writes as amounts. */
#include "lpard/ctl/amounts.h"

#include <string.h>

#include "lpard/ctl/client.h"
#include "lpard/ctl/ctl.h"
#include "numa/cpumask.h"
#include "numa/rule.h"
#include "policy/profile.h"
#include "policy/units.h"

static const char *const range_names[] = { "min", "desired", "max" };
static const char *const range_bytes_names[] = { "min_bytes", "desired_bytes", "max_bytes" };

static bool
wrong(const char *key, const char *value, LpUnitsVerdict verdict, GError **error)
{
    lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s=%s: %s", key, value, lp_units_hint(verdict));
    return false;
}

static bool
parse_count(const char *key, const char *value, uint32_t least, uint32_t most, uint32_t *ret_count,
            GError **error)
{
    uint32_t count = 0;
    LpUnitsVerdict verdict = lp_units_parse_count(value, most, &count);

    if (verdict == LP_UNITS_EMPTY) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s= is empty: write a number behind it", key);
        return false;
    }
    if (verdict != LP_UNITS_OK || count < least) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s=%s: write a whole number from %u to %u", key,
                     value, least, most);
        return false;
    }
    *ret_count = count;
    return true;
}

bool
lp_ctl_mem_parse(const char *key, const char *value, uint64_t *ret_bytes, GError **error)
{
    LpUnitsVerdict verdict = lp_units_parse_bytes(value, ret_bytes);

    if (verdict == LP_UNITS_EMPTY) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s= is empty: write an amount such as 512M or 6G",
                     key);
        return false;
    }
    if (verdict == LP_UNITS_DECIMAL_SUFFIX) {
        gsize length = strlen(value);

        /* What was meant is likely, not certain: the hint is theirs to take. */
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "%s=%s: %s may count by 1000 or by 1024; write %.*s (by 1024)", key, value,
                     value + length - 2, (int)length - 1, value);
        return false;
    }
    if (verdict != LP_UNITS_OK)
        return wrong(key, value, verdict, error);
    if (*ret_bytes == 0 || *ret_bytes > LP_MEM_MAX_BYTES) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s=%s: write an amount above 0 and up to 64T", key,
                     value);
        return false;
    }
    return true;
}

void
lp_ctl_word_split(const char *word, char **ret_key, const char **ret_value)
{
    const char *equals = strchr(word, '=');

    *ret_key = equals ? g_strndup(word, (gsize)(equals - word)) : g_strdup(word);
    *ret_value = equals ? equals + 1 : NULL;
}

static bool
parse_amount(const char *word, LpCtlAmounts *amounts, GError **error)
{
    g_autofree char *key = NULL;
    const char *value;
    bool *has;

    lp_ctl_word_split(word, &key, &value);
    has = strcmp(key, "cpu") == 0 ? &amounts->has_cpu :
          strcmp(key, "mem") == 0 ? &amounts->has_mem : NULL;
    if (value == NULL || has == NULL) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "'%s' is no amount: write cpu=N or mem=SIZE, as cpu=4 mem=6G", word);
        return false;
    }
    if (*has) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s= is given twice: give it once", key);
        return false;
    }
    *has = true;
    if (has == &amounts->has_cpu)
        return parse_count(key, value, 1, LP_MAX_CPUS, &amounts->cpu, error);
    return lp_ctl_mem_parse(key, value, &amounts->mem_bytes, error);
}

bool
lp_ctl_amounts_parse(char *const *words, guint n_words, bool round, LpCtlAmounts *ret_amounts,
                     GError **error)
{
    LpCtlAmounts amounts = { 0 };

    for (guint i = 0; i < n_words; i++) {
        if (!parse_amount(words[i], &amounts, error))
            return false;
    }
    if (!amounts.has_cpu && !amounts.has_mem) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "no amount is given: write cpu=N, mem=SIZE or both, as cpu=4 mem=6G");
        return false;
    }
    amounts.asked_bytes = amounts.mem_bytes;
    /* At most LP_MEM_MAX_BYTES, so this cannot overflow. */
    if (round && amounts.mem_bytes % LP_MEM_BLOCK_BYTES != 0)
        amounts.mem_bytes += LP_MEM_BLOCK_BYTES - amounts.mem_bytes % LP_MEM_BLOCK_BYTES;
    *ret_amounts = amounts;
    return true;
}

static bool
range_field(json_t *body, const char *key, const char *value, bool whole, GError **error)
{
    bool mem = strcmp(key, "mem") == 0;
    g_auto(GStrv) parts = g_strsplit(value, ":", -1);
    uint64_t before = 0;
    json_t *range;

    if (g_strv_length(parts) != G_N_ELEMENTS(range_names)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s=%s: write MIN:DESIRED:MAX, as %s", key, value,
                     mem ? "2G:4G:8G" : "1:2:8");
        return false;
    }
    range = json_object();
    json_object_set_new(body, key, range);
    for (guint i = 0; i < G_N_ELEMENTS(range_names); i++) {
        g_autofree char *name = g_strdup_printf("%s (%s)", key, range_names[i]);
        uint32_t count = 0;
        uint64_t amount = 0;

        if (parts[i][0] == '\0' && !whole)
            continue;
        if (mem ? !lp_ctl_mem_parse(name, parts[i], &amount, error)
                : !parse_count(name, parts[i], 1, LP_MAX_CPUS, &count, error))
            return false;
        if (!mem)
            amount = count;
        if (amount < before) {
            lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                         "%s=%s: must rise, MIN <= DESIRED <= MAX", key, value);
            return false;
        }
        before = amount;
        json_object_set_new(range, mem ? range_bytes_names[i] : range_names[i],
                            json_integer((json_int_t)amount));
    }
    if (json_object_size(range) == 0) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s=%s names no amount: leave it out", key, value);
        return false;
    }
    return true;
}

static bool
nodes_field(json_t *body, const char *value, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    json_t *cells = json_array();
    guint n = g_strv_length(parts);

    json_object_set_new(body, "cells", cells);
    if (n == 0 || n > LP_MAX_CELLS) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "cell-nodes=%s: name 1 to %d host nodes, as 0,1", value, LP_MAX_CELLS);
        return false;
    }
    for (guint i = 0; i < n; i++) {
        uint32_t node;

        if (!parse_count("cell-nodes", parts[i], 0, G_MAXINT32, &node, error))
            return false;
        json_array_append_new(cells, json_integer(node));
    }
    return true;
}

static bool
capped_field(json_t *body, const char *key, const char *value, GError **error)
{
    bool capped = strcmp(key, "capped") == 0;

    if (json_object_get(body, "capped") != NULL) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "capped or uncapped is given twice: give one of them, once");
        return false;
    }
    if (value != NULL && (!capped || (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0))) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "%s=%s: write capped, uncapped, capped=yes or capped=no", key, value);
        return false;
    }
    if (value != NULL)
        capped = strcmp(value, "yes") == 0;
    json_object_set_new(body, "capped", json_boolean(capped));
    return true;
}

static bool
entitled_field(json_t *body, const char *value, GError **error)
{
    uint32_t centi = 0;
    LpUnitsVerdict verdict = lp_units_parse_centi(value, &centi);

    if (verdict != LP_UNITS_OK || centi == 0 || centi > LP_MAX_CPUS * 100) {
        if (verdict == LP_UNITS_FRACTION)
            return wrong("entitled", value, verdict, error);
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "entitled=%s: write processing units such as 1.50, above 0 and up to %d.00",
                     value, LP_MAX_CPUS);
        return false;
    }
    json_object_set_new(body, "entitled_centi", json_integer(centi));
    return true;
}

static bool
numa_field(json_t *body, const char *value, GError **error)
{
    LpNumaRule rule;
    char message[200] = "";

    if (!lp_numa_rule_parse(value, &rule, message, sizeof message)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "numa=%s: %s", value, message);
        return false;
    }
    json_object_set_new(body, "numa", json_string(value));
    return true;
}

/* "80", "80:warn", "80:refuse"; what happens below it stays as it is where it is not said. */
static bool
floor_field(json_t *body, const char *value, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(value, ":", 2);
    int action = -1;
    uint32_t floor;

    if (parts[0] == NULL || lp_units_parse_count(parts[0], 100, &floor) != LP_UNITS_OK) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "affinity-floor=%s: write a score from 0 (no floor) to 100, as 80 or "
                     "80:refuse", value);
        return false;
    }
    for (int i = 0; parts[1] != NULL && i < LP_FLOORS; i++) {
        if (strcmp(parts[1], lp_floor_names[i]) == 0)
            action = i;
    }
    if (parts[1] != NULL && action < 0) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "affinity-floor=%s: behind the colon stands what happens to a resize that "
                     "would go below: warn or refuse", value);
        return false;
    }
    json_object_set_new(body, "affinity_floor", json_integer(floor));
    if (action >= 0)
        json_object_set_new(body, "affinity_floor_action", json_string(lp_floor_names[action]));
    return true;
}

/* What the API calls the field, for seeing that it is given once. */
static const char *
field_name(const char *key)
{
    if (strcmp(key, "entitled") == 0)
        return "entitled_centi";
    if (strcmp(key, "cells") == 0)
        return "n_cells";
    if (strcmp(key, "cell-nodes") == 0)
        return "cells";
    if (strcmp(key, "affinity-floor") == 0)
        return "affinity_floor";
    if (strcmp(key, "numa") == 0)
        return "numa";
    return strcmp(key, "cpu") == 0 || strcmp(key, "mem") == 0 || strcmp(key, "weight") == 0 ?
               key : NULL;
}

bool
lp_ctl_profile_field(json_t *body, const char *key, const char *value, bool whole, GError **error)
{
    const char *name = field_name(key);
    uint32_t count;

    if (strcmp(key, "capped") == 0 || strcmp(key, "uncapped") == 0)
        return capped_field(body, key, value, error);
    if (name == NULL || value == NULL) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "'%s' is not understood: write cpu=, mem=, entitled=, weight=, cells=, "
                     "cell-nodes=, numa=, affinity-floor=, capped or uncapped", key);
        return false;
    }
    if (json_object_get(body, name) != NULL) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s= is given twice: give it once", key);
        return false;
    }
    if (strcmp(key, "entitled") == 0)
        return entitled_field(body, value, error);
    if (strcmp(key, "cell-nodes") == 0)
        return nodes_field(body, value, error);
    if (strcmp(key, "numa") == 0)
        return numa_field(body, value, error);
    if (strcmp(key, "affinity-floor") == 0)
        return floor_field(body, value, error);
    if (strcmp(key, "cpu") == 0 || strcmp(key, "mem") == 0)
        return range_field(body, key, value, whole, error);
    if (strcmp(key, "weight") == 0) {
        if (!parse_count(key, value, 0, LP_WEIGHT_MAX, &count, error))
            return false;
    } else if (!parse_count(key, value, 1, LP_MAX_CELLS, &count, error)) {
        return false;
    }
    json_object_set_new(body, name, json_integer(count));
    return true;
}

bool
lp_ctl_duration_parse(const char *text, gint64 *ret_sec)
{
    static const struct { char letter; uint32_t seconds; } units[] = {
        { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
    };
    gsize length = strlen(text);
    g_autofree char *count_text = NULL;
    uint32_t count;

    if (length < 2)
        return false;
    count_text = g_strndup(text, length - 1);
    if (lp_units_parse_count(count_text, G_MAXINT32, &count) != LP_UNITS_OK || count == 0)
        return false;
    for (guint i = 0; i < G_N_ELEMENTS(units); i++) {
        if (text[length - 1] == units[i].letter) {
            *ret_sec = (gint64)count * units[i].seconds;
            return true;
        }
    }
    return false;
}

bool
lp_ctl_until_parse(const char *text, gint64 now_sec, gint64 *ret_sec, GError **error)
{
    g_autoptr(GDateTime) time = NULL;
    gint64 span = 0;

    if (text[0] == '+') {
        if (lp_ctl_duration_parse(text + 1, &span)) {
            *ret_sec = now_sec + span;
            return true;
        }
    } else {
        /* Without a zone it would be anybody's guess, so none is assumed. */
        time = g_date_time_new_from_iso8601(text, NULL);
    }
    if (time == NULL) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "--until %s: write +30m, +2h or +1d, or a time with its zone, as "
                     "2026-12-31T18:00:00Z", text);
        return false;
    }
    *ret_sec = g_date_time_to_unix(time);
    if (*ret_sec <= now_sec) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--until %s: that time is past", text);
        return false;
    }
    return true;
}

bool
lp_ctl_seconds_parse(const char *text, const char *name, uint32_t *ret_sec, GError **error)
{
    uint32_t seconds = 0;

    if (lp_units_parse_count(text, LP_CTL_TIMEOUT_MAX_SEC, &seconds) != LP_UNITS_OK ||
        seconds == 0) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--%s %s: write whole seconds from 1 to %d", name,
                     text, LP_CTL_TIMEOUT_MAX_SEC);
        return false;
    }
    *ret_sec = seconds;
    return true;
}
