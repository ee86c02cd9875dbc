/* Made-up trees of files for what reads /sys and /proc. */
#ifndef LP_TEST_TREE_H
#define LP_TEST_TREE_H

/* A new empty directory below /tmp; tree_drop() removes it with all that is in it. */
void tree_make(void);
void tree_drop(void);
/* The path of a name below it; valid until the fourth call after. */
const char *tree_path(const char *name);
/* Writes a file, with the directories above it. */
void tree_put(const char *name, const char *text);

#endif
