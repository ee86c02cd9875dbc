/* The HTTP API on lpard's Unix socket.  Main loop only. */
#ifndef LP_LPARD_API_H
#define LP_LPARD_API_H

#include <glib.h>

#include "lpard/autoscale/autoscale.h"
#include "lpard/engine/engine.h"
#include "lpard/events.h"
#include "lpard/journal/journal.h"
#include "lpard/optimize/optimize.h"
#include "lpard/pools/pools.h"
#include "lpard/registry/registry.h"
#include "lpard/settings.h"

/* The largest true request is under 1 KiB. */
#define LP_API_BODY_MAX 65536
/* The request line and all headers; a true one's is under 1 KiB. */
#define LP_API_HEAD_MAX 16384
/* The longest that a GET of an operation waits. */
#define LP_API_WAIT_MAX_SEC 60

typedef struct LpApi LpApi;

/* Listens on settings->socket.  A stale socket is removed; one that somebody answers on is
 * LP_ERROR_CONFLICT: a second lpard.  Keeps pointers to all it is given. */
LpApi *lp_api_new(LpSettings *settings, LpRegistry *registry, LpEngine *engine,
                  LpJournal *journal, LpEvents *events, GError **error);
/* Without one /v1/policy is answered with LP_ERROR_UNSUPPORTED.  It must live as long as the
 * API. */
void lp_api_serve_policy(LpApi *api, LpScaler *scaler);
/* The same for pools; to be freed after the API. */
void lp_api_serve_pools(LpApi *api, LpPools *pools);
/* The same for scores and the optimization of the host. */
void lp_api_serve_optimizer(LpApi *api, LpOptimizer *optimizer);
/* The engine may not run any operation further after this: free it next. */
void lp_api_free(LpApi *api);

#endif
