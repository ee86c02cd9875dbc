/* Files of procfs that are too long to be read whole, line by line. */
#ifndef LP_AGENT_LINES_H
#define LP_AGENT_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* Holds the longest line that is read for its content: a list of processors
 * (LP_CPUMASK_TEXT) behind its name. */
#define LP_LINES_BUFFER 4096

typedef struct {
    int fd;
    size_t used, at;
    bool cut;                          /* within a line that is longer than the buffer */
    char bytes[LP_LINES_BUFFER];
} LpLines;

/* False with errno if the file cannot be opened; else lp_lines_close() must follow. */
bool lp_lines_open(LpLines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next line without its newline, valid until the next call; NULL at the end.  A line that
 * does not fit is left out as a whole, so that half of a value is never taken for it. */
char *lp_lines_next(LpLines *lines);
void lp_lines_close(LpLines *lines);

/* What follows `key` if the line begins with it ("Threads:"), blanks skipped; else NULL. */
const char *lp_line_value(const char *line, const char *key);

#endif
