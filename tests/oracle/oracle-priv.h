/* The oracle's inside: oracle.c (its face, and S6), look.c (sizes), rest.c (how operations ended). */
#ifndef LP_TESTS_ORACLE_PRIV_H
#define LP_TESTS_ORACLE_PRIV_H

#include <jansson.h>

#include "policy/profile.h"
#include "tests/oracle/oracle.h"

struct LpOracle {
    LpOracleHost host;
    char *journal_path;
    GMutex lock;                  /* of all below */
    GPtrArray *broken;
    GHashTable *disturbed;        /* uuid -> the newest operation's id then (int64_t) */
    gint definitions;
    gint effects;
};

/* Rows of the table `operation` by id, as {"id", "uuid", "open", "body"}; "body" is null if it
 * cannot be read.  Empty without a journal. */
json_t *lp_oracle_rows(LpOracle *oracle, bool open_only);
/* Its profile, from the metadata of what runs (or will). */
bool lp_oracle_profile(const LpView *view, LpProfile *ret_profile);

#endif
