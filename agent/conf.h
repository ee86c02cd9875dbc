/* agent.conf: what the guest's administrator permits, and his own bounds. */
#ifndef LP_AGENT_CONF_H
#define LP_AGENT_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LP_CONF_PATH LP_SYSCONFDIR "/lpard/agent.conf"
#define LP_CONF_HOOKS_DIR LP_SYSCONFDIR "/lpard/agent.d"
#define LP_CONF_CLASSES_FILE LP_SYSCONFDIR "/lpard/classes.conf"
#define LP_CONF_SOCKET LP_RUNSTATEDIR "/lpard/agent.sock"
#define LP_CONF_CLASSES_HELPER LP_LIBEXECDIR "/lpar-agent-classes"
#define LP_CONF_TEXT_MAX 108           /* what a Unix socket's path may have, NUL included */
#define LP_CONF_GROUP_MAX 33           /* the longest name of a group, and its NUL */

typedef struct {
    uint32_t forbid;                   /* LP_WIRE_ACT_ bits */
    uint64_t floor_bytes;              /* never release memory below this much in all; 0: none */
    uint32_t floor_cpus;               /* nor processors; 0: none */
    uint32_t pressure_limit_centi;     /* PSI memory "some" over 2 s that stops a release */
    uint32_t movable_ratio_percent;    /* movable to kernel memory at most, 301 as Linux's own */
    uint32_t hook_timeout_msec;
    char hooks_dir[LP_CONF_TEXT_MAX];
    char classes_file[LP_CONF_TEXT_MAX];
    char classes_helper[LP_CONF_TEXT_MAX];
    char socket[LP_CONF_TEXT_MAX];     /* empty: no socket for programs */
    char socket_group[LP_CONF_GROUP_MAX]; /* name or number; empty: root alone may open it */
} LpConf;

void lp_conf_init(LpConf *conf);
/* Takes `length` bytes of text over what *conf holds; `name` is for the warnings.  Of a line that
 * cannot be understood nothing is taken, but for "forbid", of which what can be understood is;
 * false then. */
bool lp_conf_parse(LpConf *conf, const char *text, size_t length, const char *name);
/* Takes what the file says over what *conf holds.  Nobody needs to have LP_CONF_PATH.  A line
 * that cannot be understood is left out, with a warning that names file and line; false then, and
 * if the file could not be read or is too long. */
bool lp_conf_read(LpConf *conf, const char *path);

#endif
