/* The agent's program on made-up /sys and /proc trees (tests/unit/tree.h), with a socket for its
 * port, of which the test is the host. */
#ifndef LP_TEST_AGENT_FIXTURE_H
#define LP_TEST_AGENT_FIXTURE_H

#include <sys/types.h>

#include "agent/wire/wire.h"

#define AGENT_BOOT "04d95510-5312-4c4c-be7e-ad5a632fe836"
#define AGENT_BLOCK UINT64_C(0x8000000)
#define AGENT_CPU "sys/devices/system/cpu/"
#define AGENT_MEM "sys/devices/system/memory/"

extern pid_t agent_pid;                /* -1: not running */
extern int agent_host;                 /* the link */
extern LpWireMessage heard;            /* the last message */

/* For cmocka: four vCPUs of which two run, two memory blocks of which one is online, 1000 KiB. */
int agent_setup(void **data);
int agent_teardown(void **data);

void agent_put_meminfo(unsigned kib);
/* agent.conf: no socket, hooks in agent.d of the tree, and these lines. */
void agent_put_conf(const char *lines);
/* What a file of the tree holds. */
const char *agent_get(const char *name);

/* Starts it if it does not run, and takes its next link. */
void agent_accept(void);
/* The next message that is not PRESSURE (or is, if that is asked for) must be of this kind. */
void agent_hear(LpWireKind kind);
/* Whether nothing but PRESSURE comes within so long. */
bool agent_is_quiet(int msec);
void agent_say(const char *text);
/* accept, HELLO, STATE. */
void agent_greet(void);
/* The test's end of the link is closed, and no new one accepted. */
void agent_hang_up(void);
/* Ends it in good order; its status must be 0. */
void agent_end(void);

#endif
