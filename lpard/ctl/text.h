/* Text for people, out of lpard's JSON.  Guests have a word in some of it (their kernel's name,
 * their agent's version), so nothing reaches a terminal without being cleaned. */
#ifndef LP_CTL_TEXT_H
#define LP_CTL_TEXT_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* Copies with everything unprintable as '?'; NULL becomes "-". */
char *lp_ctl_text_clean(const char *text);
/* The same in place with all texts inside, but for line ends and tabs, which stay. */
void lp_ctl_json_clean(json_t *json);

/* Fields by path, "mem.desired_bytes"; what is not there, or of another type, is `fallback`. */
const json_t *lp_ctl_json_at(const json_t *json, const char *path);
gint64 lp_ctl_json_int(const json_t *json, const char *path, gint64 fallback);
bool lp_ctl_json_bool(const json_t *json, const char *path);
/* "" if not there. */
const char *lp_ctl_json_str(const json_t *json, const char *path);

/* Of a field: "-" where it is null or missing.  Caller frees. */
char *lp_ctl_text_str(const json_t *json, const char *path);
char *lp_ctl_text_int(const json_t *json, const char *path);
char *lp_ctl_text_mem(const json_t *json, const char *path);
/* A measured amount, for which the nearest lower hundredth of its unit is enough. */
char *lp_ctl_text_measured(const json_t *json, const char *path);
char *lp_ctl_text_centi(const json_t *json, const char *path);
/* Hundredths of a point of a score, to a tenth: more is not measured.  What is short of 100 never
 * looks like it. */
char *lp_ctl_text_points(const json_t *json, const char *path);
/* The shares of an array of {"node": id, FIELD: amount} as "0:60% 1:40%", the largest first; what
 * is more than LP_CTL_SHARES_MAX nodes, or under half a percent, is "...".  "-": nothing is
 * anywhere. */
#define LP_CTL_SHARES_MAX 4
char *lp_ctl_text_shares(const json_t *nodes, const char *field);

/* The exact form if it is short, else to a hundredth of the unit: "5.87 GiB". */
char *lp_ctl_text_bytes(guint64 bytes);
/* "0.42 s", "12 s", "3 min 5 s". */
char *lp_ctl_text_msec(gint64 msec);

/* Each string of an array as a line: indent, "- ", text; wrapped at LP_CTL_COLUMNS. */
void lp_ctl_text_list(GString *out, const char *indent, const json_t *array);
/* Wraps at words; lines after the first begin with `indent`. */
void lp_ctl_text_wrap(GString *out, const char *first, const char *indent, const char *text);

#endif
