/* What the operator writes as amounts, turned into numbers or into one clear line.  Pure; the
 * time is an input.  Nothing is reinterpreted: what is not exactly an amount is refused. */
#ifndef LP_CTL_AMOUNTS_H
#define LP_CTL_AMOUNTS_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A day: longer waits are better made with --no-wait. */
#define LP_CTL_TIMEOUT_MAX_SEC (24 * 3600)

typedef struct {
    bool has_cpu, has_mem;
    uint32_t cpu;
    uint64_t mem_bytes;
    uint64_t asked_bytes;         /* as it was written, before rounding */
} LpCtlAmounts;

/* Words "cpu=N" and "mem=SIZE", each at most once, at least one.  `round`: memory up to whole
 * blocks. */
bool lp_ctl_amounts_parse(char *const *words, guint n_words, bool round, LpCtlAmounts *ret_amounts,
                          GError **error);

/* Sets one of a profile's fields in `body`: cpu, mem (MIN:DESIRED:MAX, some left empty unless
 * `whole`), entitled, weight, capped (yes or no), uncapped, cells, cell-nodes, numa,
 * affinity-floor.  `value` NULL: a bare word. */
bool lp_ctl_profile_field(json_t *body, const char *key, const char *value, bool whole,
                          GError **error);

/* An amount of memory above 0, of the field or option `key`. */
bool lp_ctl_mem_parse(const char *key, const char *value, uint64_t *ret_bytes, GError **error);

/* A count of s, m, h or d, above 0: "30m". */
bool lp_ctl_duration_parse(const char *text, gint64 *ret_sec);

/* Splits "key=value" at its first '='; a bare word has value NULL.  Caller frees *ret_key. */
void lp_ctl_word_split(const char *word, char **ret_key, const char **ret_value);

/* An RFC 3339 time, or "+" and a count of s, m, h or d; must lie after `now_sec`. */
bool lp_ctl_until_parse(const char *text, gint64 now_sec, gint64 *ret_sec, GError **error);

/* 1..LP_CTL_TIMEOUT_MAX_SEC, of option `name`. */
bool lp_ctl_seconds_parse(const char *text, const char *name, uint32_t *ret_sec, GError **error);

#endif
