#include "agent/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/clock.h"

#define LP_LOG_BURST 20             /* warnings in a minute; the rest are counted */
#define LP_LOG_WINDOW_MSEC 60000

static bool log_verbose, log_prefix;
static int64_t log_window_msec;
static unsigned log_in_window, log_dropped;

void
lp_log_init(bool verbose)
{
    log_verbose = verbose;
    log_prefix = isatty(STDERR_FILENO) == 0;
}

/* One write() a line, so that lines of several programs do not mix. */
static void
say(int level, const char *format, va_list args)
{
    char line[512];
    int used = 0, length;
    ssize_t n;

    if (log_prefix)
        used = snprintf(line, sizeof(line), "<%d>", level);
    used += snprintf(line + used, sizeof(line) - (size_t)used, "lpar-agent: ");
    length = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, args);
    if (length < 0)
        return;
    used += length;
    if (used > (int)sizeof(line) - 2)
        used = (int)sizeof(line) - 2;
    line[used++] = '\n';
    /* There is nobody to tell that this failed.  Of a socket (systemd's journal, which may hang when
     * memory is short) nothing is waited for. */
    n = send(STDERR_FILENO, line, (size_t)used, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == ENOTSOCK)
        n = write(STDERR_FILENO, line, (size_t)used);
    (void)n;
}

static void
say_plain(int level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(level, format, args);
    va_end(args);
}

void
lp_log_warn(const char *format, ...)
{
    int64_t now = lp_clock_msec();
    va_list args;

    if (log_window_msec == 0 || now - log_window_msec >= LP_LOG_WINDOW_MSEC) {
        if (log_dropped > 0)
            say_plain(4, "%u more messages were left out", log_dropped);
        log_window_msec = now;
        log_in_window = log_dropped = 0;
    }
    if (log_in_window >= LP_LOG_BURST && !log_verbose) {
        log_dropped++;
        return;
    }
    log_in_window++;
    va_start(args, format);
    say(4, format, args);
    va_end(args);
}

void
lp_log_info(const char *format, ...)
{
    va_list args;

    if (!log_verbose)
        return;
    va_start(args, format);
    say(6, format, args);
    va_end(args);
}
