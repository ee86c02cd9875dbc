/* The daemon's errors: each has a stable name (the API's `code`), an HTTP status, and the exit
 * status that lparctl ends with. */
#ifndef LP_LPARD_ERROR_H
#define LP_LPARD_ERROR_H

#include <glib.h>

typedef enum {
    LP_ERROR_USAGE,               /* the request itself is malformed */
    LP_ERROR_NO_PARTITION,        /* no such domain */
    LP_ERROR_NOT_ENABLED,         /* a domain, but without a profile */
    LP_ERROR_BAD_PROFILE,         /* the metadata's profile cannot be used */
    LP_ERROR_NO_OPERATION,
    LP_ERROR_CONFLICT,            /* already so, or the name is taken */
    LP_ERROR_REFUSED,             /* a bound or the host's room forbids it */
    LP_ERROR_NOT_RUNNING,
    LP_ERROR_BUSY,                /* too many lanes stuck, or the queue is full */
    LP_ERROR_HYPERVISOR,          /* libvirt said no */
    LP_ERROR_UNREACHABLE,         /* libvirt is not there */
    LP_ERROR_JOURNAL,             /* nothing can be made durable, so nothing is begun */
    LP_ERROR_FORBIDDEN,
    LP_ERROR_RATE,                /* more requests than a peer may make */
    LP_ERROR_UNSUPPORTED,
    LP_ERROR_INTERNAL,
    LP_ERROR_CODES,
} LpErrorCode;

#define LP_ERROR (lp_error_quark())
GQuark lp_error_quark(void);

const char *lp_error_name(LpErrorCode code);          /* "no-partition", ... */
unsigned lp_error_http_status(LpErrorCode code);
int lp_error_exit_status(LpErrorCode code);
/* By name; LP_ERROR_INTERNAL for an unknown one. */
LpErrorCode lp_error_from_name(const char *name);

#endif
