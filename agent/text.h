/* Text of unknown origin, made fit for the wire and a terminal. */
#ifndef LP_AGENT_TEXT_H
#define LP_AGENT_TEXT_H

#include <stddef.h>

/* Copies `from` without control characters and surrounding blanks; a tab becomes a space, a byte
 * that is not UTF-8 a '?'; cut between characters to what fits `size` with its NUL. */
void lp_text_clean(char *to, size_t size, const char *from);

#endif
