/* The directory that lpard keeps its journal, pools and policy history in. */
#ifndef LP_LPARD_STATE_DIR_H
#define LP_LPARD_STATE_DIR_H

#include <glib.h>
#include <stdbool.h>

/* Made with mode 0700 where there is none.  One that somebody else owns or may write to is refused,
 * since who can change the journal can have lpard do what he likes.  Of lpard's own files in it
 * those that others may read lose those modes. */
bool lp_state_dir_prepare(const char *path, GError **error);

#endif
