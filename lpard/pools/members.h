/* A pool and one member's domain: its quotas within the pool's maximum, and its definition.  In
 * workers, in the partition's lane. */
#ifndef LP_LPARD_POOL_MEMBERS_H
#define LP_LPARD_POOL_MEMBERS_H

#include <glib.h>
#include <stdbool.h>

#include "hotplug/driver.h"

/* Shared by the main loop and the worker, each with a reference. */
typedef struct {
    gint stage;                   /* whether the worker has begun, or never will */
    char *uuid;
    char *name;                   /* the pool; NULL: none (leave) */
    uint32_t max_centi;           /* what it may use from now on; 0: no limit */
    bool join;                    /* the definition is to name it (or none); else it does */
    LpView *view;                 /* afterwards, if it went well */
    void *user;                   /* the main loop's */
} LpPoolMember;

LpPoolMember *lp_pool_member_new(const char *uuid, const char *name, uint32_t max_centi,
                                 bool join);
void lp_pool_member_free(void *member);

/* An LpDefinitionFunc: `data` is the member. */
bool lp_pool_member_follow(const LpDriver *driver, LpConn *conn, void *data, GError **error);
/* When the main loop is told of the end: what has not begun by now never does. */
void lp_pool_member_end(LpPoolMember *member);

#endif
