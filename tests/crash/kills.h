/* The real lpard on a simulated host: started, asked, killed, started again. */
#ifndef LP_TESTS_CRASH_KILLS_H
#define LP_TESTS_CRASH_KILLS_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/load-http.h"

#define KILLS_PARTITIONS 8
#define KILLS_MIB (1024 * 1024LL)
/* What each of them may have, and begins with. */
#define KILLS_MEM_MIN_MIB 1024
#define KILLS_MEM_MIB 2048
#define KILLS_MEM_MAX_MIB 4096
#define KILLS_CPU_MIN 1
#define KILLS_CPU 2
#define KILLS_CPU_MAX 4
#define KILLS_TOPOLOGY "numa:1(memory=34359738368) core:16 pu:1"

typedef struct {
    const char *lpard;            /* the program */
    char *dir;                    /* of the world; made, and removed at the end */
    char *socket, *uri;
    GPid pid;                     /* 0: not running */
    int64_t up_usec;              /* how long its last start took */
} Life;

/* Seconds after which something hangs; only a hang reaches it. */
#define KILLS_PATIENCE_SEC 60

/* Ends the program with a sentence, the log's end below it. */
void life_bail(const Life *life, const char *format, ...) G_GNUC_PRINTF(2, 3) G_GNUC_NORETURN;

/* A world with nothing in it but what it begins with. */
void life_make(Life *life, const char *lpard, const char *parent);
void life_unmake(Life *life);
/* Until it has read all domains. */
void life_start(Life *life);
/* Without waiting until it knows anything. */
void life_spawn(Life *life);
void life_kill(Life *life);
/* SIGTERM; its exit status. */
int life_stop(Life *life);

/* The answer's body (caller's reference), which must have that status. */
json_t *life_get(const Life *life, unsigned status, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* Waits until no operation is open. */
void life_rest(const Life *life);

#endif
