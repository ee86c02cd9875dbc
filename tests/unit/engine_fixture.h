/* The daemon's registry, workers, journal and engine in a test's process, on a simulated host, and
 * what tests do to it. */
#ifndef LP_TESTS_ENGINE_FIXTURE_H
#define LP_TESTS_ENGINE_FIXTURE_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "hotplug/sim.h"
#include "lpard/engine/engine.h"
#include "lpard/error.h"
#include "lpard/events.h"
#include "lpard/journal/journal.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
/* Only a hang takes this long, sanitizers and a busy machine included. */
#define PATIENCE_SEC 60
#define LOOK_MSEC 20
#define OVERHEAD_BYTES (64 * MIB)
/* Where deadlines of lpard itself have to pass, its clock runs faster. */
#define FAST 20

typedef struct {
    char *dir, *uri;
    LpHost *host;
    LpJournal *journal;
    LpEvents *events;
    LpWorkers *workers;
    LpRegistry *registry;
    LpEngine *engine;
    uint64_t capacity_bytes;
    bool unbounded;               /* a guest was made to break the bounds */
    bool seen_waiting, seen_running;
} World;

extern World world;

#define AT_ONCE "\"cgroup\": \"v2\", \"delays\": {\"size_event_usec\": 1000}"
#define MOVING \
    "\"cgroup\": \"v2\", \"delays\": {\"call_usec\": 500, \"online_cpu_usec\": 2000, " \
    "\"unplug_cpu_usec\": 2000, \"plug_bytes_per_sec\": 17179869184, " \
    "\"unplug_bytes_per_sec\": 17179869184, \"size_event_usec\": 20000, \"boot_usec\": 20000}"

typedef struct {
    bool answered;
    int64_t id;
    char *code;                   /* of the error */
    json_t *plan;                 /* of a dry run */
} Asked;

/* Before the first test. */
void start_clock(void);
guint __real_g_timeout_add(guint msec, GSourceFunc func, gpointer data);

gboolean out_of_patience(void *data);
gboolean look_again(void *data);
void set_clock(int rate);
void boot(void);
void halt(void);
/* May change what is written of every partition; until tear_down(). */
extern void (*profile_hook)(LpProfile *profile);
/* Each guest's cells, as hotplug/sim.h has them, in place of one of 1 GiB with 1 of 3 GiB plugged; until
 * tear_down(). */
extern const char *cells_text;
char *profile_text(uint64_t generation, uint32_t min, uint32_t desired, uint32_t max);
void start_world(unsigned n, uint64_t capacity_bytes, const char *host, const char *extra);
/* A host of one's own making: its file, and what it is made of. */
void start_host(const char *json, const LpTopology *topology);
/* Called when all is made and nothing has begun yet, and before all of it ends; until tear_down(). */
extern void (*boot_hook)(void), (*halt_hook)(void);
int tear_down(void **state);
void tell(const char *name, const char *json);
LpPartition *part(const char *name);
bool all_connected(void);
void on_accepted(LpOperation *operation, const GError *error, void *data);
LpRequest *request_of(const char *text);
char *try_submit(const char *text, Asked *asked);
int64_t submit(const char *text);
bool is_over(int64_t id);
const LpOperation *finish(int64_t id);
const LpOperation *run(const char *text);
const LpLeg *leg_of(const LpOperation *operation, guint index);
bool agree(const char *name);
void check_now(const char *name, uint32_t cpus, uint64_t bytes);

#define UNTIL(condition) \
    do { \
        static char text_[] = #condition; \
        guint watchdog_ = __real_g_timeout_add(PATIENCE_SEC * 1000, out_of_patience, text_); \
        guint ticker_ = __real_g_timeout_add(LOOK_MSEC, look_again, NULL); \
        while (!(condition)) \
            g_main_context_iteration(NULL, TRUE); \
        g_source_remove(watchdog_); \
        g_source_remove(ticker_); \
    } while (0)

#define EXPECT(operation, wanted) \
    do { \
        const LpOperation *op_ = (operation); \
        if (op_->state != (wanted)) { \
            json_t *json_ = lp_operation_to_json(op_); \
            json_dumpf(json_, stderr, JSON_INDENT(1)); \
            json_decref(json_); \
            fail_msg("%s, not %s: %s, %s", lp_op_state_name(op_->state), \
                     lp_op_state_name(wanted), op_->code, op_->message); \
        } \
    } while (0)

#define SET_P0 "{\"kind\":\"resize\",\"partition\":\"p0\","
#define CPU(mode, n) "\"cpu\":{\"mode\":\"" mode "\",\"count\":" #n "}"
#define MEM(mode, n) "\"mem\":{\"mode\":\"" mode "\",\"bytes\":" #n "}"

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

#endif
