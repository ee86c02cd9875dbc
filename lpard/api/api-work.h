/* A blocking piece of work for an API call: in its partition's lane and a worker thread, with
 * data that both sides may hold. */
#ifndef LP_LPARD_API_WORK_H
#define LP_LPARD_API_WORK_H

#include "lpard/api/api-private.h"

/* On the main loop; `user` is its own from now on.  error set: `data` may still be in the
 * worker's hands, so only what was set before the work began may be looked at.  Called also
 * when lpard is ending: api->closed tells. */
typedef void (*LpWorkDone)(const GError *error, void *data, void *user);

/* `ref` and `unref` must be usable from any thread.  False: not begun, `user` stays the
 * caller's. */
bool lp_api_work(LpApi *api, const char *uuid, const char *what, LpDefinitionFunc func,
                 void *data, void *(*ref)(void *), void (*unref)(void *), LpWorkDone done,
                 void *user, GError **error);

#endif
