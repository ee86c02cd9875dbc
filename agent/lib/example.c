/* A program with a cache, as an example of liblpar-agent: it gives the cache back before memory
 * leaves, fills it again when memory has come, and refuses to lose memory while it must not be
 * disturbed, which is while a lock file exists.
 *
 *     example LOCK-FILE [SOCKET]
 *
 * With the library installed:
 *     cc example.c -o example $(pkg-config --cflags --libs lpar-agent) */
#include <lpar-agent.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHE_BYTES ((size_t)64 << 20)

static char *cache;
static size_t cache_bytes;

static void
fill_cache(size_t bytes)
{
    free(cache);
    cache = bytes > 0 ? malloc(bytes) : NULL;
    cache_bytes = cache != NULL ? bytes : 0;
    if (cache != NULL)
        memset(cache, 1, bytes);
    printf("cache %zu MiB\n", cache_bytes >> 20);
}

/* Why the resize must not be, or NULL. */
static const char *
take_part(const LparAgentPhase *phase, const char *lock_file)
{
    int leaves = phase->mem_to < phase->mem_from;

    switch (phase->name) {
    case LPAR_AGENT_CHECK:
        return leaves && access(lock_file, F_OK) == 0 ? "an import is running" : NULL;
    case LPAR_AGENT_PRE:
        if (leaves)
            fill_cache(0);
        return NULL;
    case LPAR_AGENT_POST:
        /* However much it was: a cache of a sixteenth does not hurt. */
        fill_cache(phase->mem_to / 16 < CACHE_BYTES ? (size_t)(phase->mem_to / 16) : CACHE_BYTES);
        return NULL;
    case LPAR_AGENT_UNDO:
        return NULL;
    }
    return NULL;
}

int
main(int argc, char **argv)
{
    LparAgent *agent;
    LparAgentEvent event;
    int status;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: example LOCK-FILE [SOCKET]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    status = lpar_agent_connect(argc == 3 ? argv[2] : NULL, &agent);
    if (status < 0) {
        fprintf(stderr, "example: no agent: %s\n", strerror(-status));
        return 1;
    }
    status = lpar_agent_subscribe(agent, "example", LPAR_AGENT_MEM, LPAR_AGENT_CONSULTED);
    if (status == 0)
        fill_cache(CACHE_BYTES);
    while (status == 0 && (status = lpar_agent_next(agent, -1, &event)) >= 0) {
        if (status > 0)
            status = lpar_agent_answer(agent, &event, event.kind == LPAR_AGENT_PHASE ?
                                       take_part(&event.phase, argv[1]) : NULL);
    }
    fprintf(stderr, "example: %s\n", lpar_agent_error(agent));
    lpar_agent_close(agent);
    free(cache);
    return 1;
}
