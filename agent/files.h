/* Small files of sysfs and procfs: one read, one write, no streams. */
#ifndef LP_AGENT_FILES_H
#define LP_AGENT_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LP_PATH_MAX 256     /* the longest path below sysfs that the agent makes, with a margin */

/* Reads at most size - 1 bytes, terminates them and drops the last newline.  -1 and errno if
 * the file cannot be read. */
ssize_t lp_file_read(char *buf, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A decimal number alone in its file. */
bool lp_file_read_uint(uint64_t *ret_value, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One write() of the text; 0 or the errno. */
int lp_file_write(const char *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool lp_file_exists(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "cpu12" with prefix "cpu" is 12; -1 for anything else ("cpufreq", "cpu", "cpu1x"). */
int64_t lp_file_number(const char *name, const char *prefix);

/* Calls func for each entry of the directory whose name is prefix and a number; false if there
 * is no such directory. */
typedef void (*LpFileEach)(uint32_t number, void *data);
bool lp_file_each(const char *directory, const char *prefix, LpFileEach func, void *data);

#endif
