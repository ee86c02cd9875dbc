/* [owner NAME] of lpard.conf(5): who may operate which partitions, and no others. */
#ifndef LP_LPARD_SETTINGS_OWNER_H
#define LP_LPARD_SETTINGS_OWNER_H

#include <glib.h>
#include <stdbool.h>

/* A set of them is a 64-bit mask. */
#define LP_OWNERS_MAX 64

typedef struct {
    char *name;
    char **members;               /* groups, and certificates as "cert:..." */
    char **partitions;            /* names with * and ? */
} LpOwner;

void lp_owner_free(LpOwner *owner);

/* Whether a group of the file is an owner's. */
bool lp_owner_is_group(const char *group);
/* Appends to `owners`; false: *error says what in the file at `path` is wrong. */
bool lp_owner_read(GPtrArray *owners, GKeyFile *file, const char *path, const char *group,
                   GError **error);

/* The words of a list that are separated by commas or blanks; caller frees. */
char **lp_settings_words(const char *text);

#endif
