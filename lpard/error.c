#include "lpard/error.h"

#include <string.h>

/* One row a code, so that its three faces cannot drift apart. */
static const struct {
    const char *name;
    unsigned http;
    int exit_status;
} rows[LP_ERROR_CODES] = {
    [LP_ERROR_USAGE] = {"usage", 400, 2},
    [LP_ERROR_NO_PARTITION] = {"no-partition", 404, 1},
    [LP_ERROR_NOT_ENABLED] = {"not-enabled", 409, 1},
    [LP_ERROR_BAD_PROFILE] = {"bad-profile", 409, 1},
    [LP_ERROR_NO_OPERATION] = {"no-operation", 404, 1},
    [LP_ERROR_CONFLICT] = {"conflict", 409, 1},
    [LP_ERROR_REFUSED] = {"refused", 422, 4},
    [LP_ERROR_NOT_RUNNING] = {"not-running", 409, 1},
    [LP_ERROR_BUSY] = {"busy", 503, 1},
    [LP_ERROR_HYPERVISOR] = {"hypervisor", 502, 1},
    [LP_ERROR_UNREACHABLE] = {"unreachable", 503, 8},
    [LP_ERROR_JOURNAL] = {"journal", 507, 1},
    [LP_ERROR_FORBIDDEN] = {"forbidden", 403, 1},
    [LP_ERROR_RATE] = {"rate", 429, 1},
    [LP_ERROR_UNSUPPORTED] = {"unsupported", 422, 4},
    [LP_ERROR_INTERNAL] = {"internal", 500, 1},
};

G_DEFINE_QUARK(lp-error-quark, lp_error)

/* A number from elsewhere must not index past the table. */
static LpErrorCode
known(LpErrorCode code)
{
    return (unsigned)code < LP_ERROR_CODES ? code : LP_ERROR_INTERNAL;
}

const char *
lp_error_name(LpErrorCode code)
{
    return rows[known(code)].name;
}

unsigned
lp_error_http_status(LpErrorCode code)
{
    return rows[known(code)].http;
}

int
lp_error_exit_status(LpErrorCode code)
{
    return rows[known(code)].exit_status;
}

LpErrorCode
lp_error_from_name(const char *name)
{
    for (unsigned i = 0; name && i < LP_ERROR_CODES; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return i;
    }
    return LP_ERROR_INTERNAL;
}
