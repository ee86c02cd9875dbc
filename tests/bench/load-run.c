/* Many clients of one lpard: status requests, long polls, event streams and resizes at a given
 * rate, from one thread.  tests/bench/load starts the lpard and reads the line of JSON that this
 * prints.
 *
 * Everything is asked at times fixed beforehand, and a request that could not be sent in time is
 * timed from when it was due: a server that stands still is not asked less. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "load-http.h"
#include "load-times.h"

#define MIB (1024 * 1024LL)
#define BASE_MIB 512
#define STEP_MIB 256
#define STEPS 6
#define VCPUS_MIN 1
#define VCPUS 4
/* Of the clients: so many follow the events of everything, of one partition each, send resizes,
 * and wait for operations; the rest ask how things are. */
#define STREAMS_ALL_PERCENT 2
#define STREAMS_ONE_PERCENT 8
#define POSTERS_PERCENT 10
#define POLLERS_PERCENT 20
/* Long enough for every operation to end. */
#define DRAIN_SEC 60
/* Operations that are asked about: more than lpard keeps in memory, so some are read from disk. */
#define RECENT 1024
#define SAID_MAX 10

typedef enum { STREAM_ALL, STREAM_ONE, POSTER, POLLER, STATUS } Kind;
typedef enum { ASKS_ROOT, ASKS_PARTITION, ASKS_OPERATION, ASKS } Asks;

typedef struct {
    HttpLine line;
    Kind kind;
    Asks asks;
    int64_t due_usec;             /* of a status client's next request, or of that under way */
    int partition;                /* that a poster is resizing */
    int64_t waited_for;           /* a poller's operation */
    bool next_frame_is_operation; /* of the stream that the results are read from */
} Client;

typedef struct {
    bool open;                    /* a resize of ours is under way */
    int64_t since_usec;
    int64_t mem_mib;
    int cpus;
} Partition;

static struct {
    const char *socket, *pid, *sync_dir;
    int partitions, clients, rate, status_rate, seconds, warm_up;
    uint64_t seed;
} options = {.partitions = 1000, .clients = 200, .rate = 50, .status_rate = 300, .seconds = 600,
             .warm_up = 60, .seed = 7};

static Client *clients;
static Partition *partitions;
static int64_t recent[RECENT];
static uint64_t n_recent, n_open, n_begun, n_done, n_errors, n_late, n_frames, n_polls;
static Times times[ASKS], resizes;
static int64_t begin_usec;
static int epoll_fd;

static int64_t
now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static uint32_t
chance(uint32_t below)
{
    options.seed = options.seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t) ((options.seed >> 33) % below);
}

static void
complain(const char *what, const char *text)
{
    if (n_errors++ < SAID_MAX)
        fprintf(stderr, "load: %s: %.300s\n", what, text ? text : "");
}

static bool
ask(Client *client, const char *method, const char *target, const char *body)
{
    if (http_ask(&client->line, method, target, body))
        return true;
    complain("the connection broke", target);
    return false;
}

/* --- resizes ---------------------------------------------------------------------------------- */

static void
post(Client *client, int index)
{
    Partition *partition = &partitions[index];
    char target[64], body[160];
    int kind = (int) chance(4);

    /* Memory, and in one of two a vCPU with it or alone. */
    if (kind != 3)
        partition->mem_mib = BASE_MIB + STEP_MIB * (int) chance(STEPS + 1);
    if (kind >= 2)
        partition->cpus = VCPUS_MIN + (int) chance(VCPUS - VCPUS_MIN + 1);
    snprintf(target, sizeof target, "/v1/partitions/load%05d/resize", index);
    if (kind == 3)
        snprintf(body, sizeof body, "{\"cpu\":{\"mode\":\"set\",\"count\":%d}}", partition->cpus);
    else if (kind == 2)
        snprintf(body, sizeof body, "{\"cpu\":{\"mode\":\"set\",\"count\":%d},\"mem\":{\"mode\":"
                 "\"set\",\"bytes\":%lld}}", partition->cpus, partition->mem_mib * MIB);
    else
        snprintf(body, sizeof body, "{\"mem\":{\"mode\":\"set\",\"bytes\":%lld}}",
                 partition->mem_mib * MIB);
    partition->open = true;
    partition->since_usec = now_usec();
    client->partition = index;
    n_open++;
    n_begun++;
    ask(client, "POST", target, body);
}

static void
post_what_is_due(int64_t now)
{
    static int last;              /* each has its turn */
    int64_t wanted = (now - begin_usec) * options.rate / 1000000;

    while ((int64_t) n_begun < wanted) {
        int index = (int) chance((uint32_t) options.partitions), poster = last;

        do
            poster = (poster + 1) % options.clients;
        while (poster != last && (clients[poster].kind != POSTER || clients[poster].line.busy));
        /* It is behind: the rate that was reached is in the result. */
        if (clients[poster].kind != POSTER || clients[poster].line.busy)
            return;
        last = poster;
        for (int tries = 0; partitions[index].open && tries < options.partitions; tries++)
            index = (index + 1) % options.partitions;
        if (partitions[index].open)
            return;
        post(&clients[poster], index);
    }
}

static void
accepted(Client *client)
{
    const char *body = http_body(&client->line);
    int64_t id = http_number(body, "id");

    if (client->line.status != 202 || id < 0) {
        complain("a resize was not accepted", body);
        partitions[client->partition].open = false;
        n_open--;
        return;
    }
    recent[n_recent++ % RECENT] = id;
}

/* --- the stream that tells of results ---------------------------------------------------------- */

static void
ended(const char *data)
{
    static const char *const final[] = {"partial", "refused", "vetoed", "failed", "timed-out",
                                        "cancelled"};
    const char *name = strstr(data, "\"partition\":\"load");
    bool done = http_says(data, "state", "done"), bad = false;
    int index = name ? atoi(name + strlen("\"partition\":\"load")) : -1;

    for (unsigned i = 0; i < sizeof final / sizeof final[0]; i++)
        bad |= http_says(data, "state", final[i]);
    if ((!done && !bad) || index < 0 || index >= options.partitions || !partitions[index].open)
        return;
    if (bad)
        complain("an operation ended otherwise than done", data);
    partitions[index].open = false;
    times_add(&resizes, now_usec() - partitions[index].since_usec);
    n_open--;
    n_done += done;
}

static void
read_stream(Client *client)
{
    size_t at = 0;
    const char *text;

    if (client->line.body > 0 && client->line.status != 200) {
        complain("an event stream was refused", client->line.bytes);
        exit(1);
    }
    while ((text = http_next_line(&client->line, &at))) {
        if (strncmp(text, "event: lost", 11) == 0) {
            complain("an event stream was cut off", "this program was too slow for it");
            exit(1);
        }
        if (strncmp(text, "event: ", 7) == 0) {
            client->next_frame_is_operation = strcmp(text + 7, "operation") == 0;
            n_frames++;
        }
        if (client == clients && client->next_frame_is_operation
            && strncmp(text, "data: ", 6) == 0)
            ended(text + 6);
    }
    http_drop(&client->line, at);
}

/* --- those who ask ----------------------------------------------------------------------------- */

static void
ask_status(Client *client)
{
    char target[64];

    client->asks = (Asks) chance(ASKS);
    if (client->asks == ASKS_OPERATION && n_recent == 0)
        client->asks = ASKS_ROOT;
    if (client->asks == ASKS_ROOT)
        snprintf(target, sizeof target, "/v1/");
    else if (client->asks == ASKS_PARTITION)
        snprintf(target, sizeof target, "/v1/partitions/load%05u",
                 chance((uint32_t) options.partitions));
    else
        snprintf(target, sizeof target, "/v1/operations/%lld",
                 (long long) recent[chance((uint32_t) (n_recent < RECENT ? n_recent : RECENT))]);
    ask(client, "GET", target, NULL);
}

static void
ask_what_is_due(int64_t now)
{
    for (int i = 0; i < options.clients; i++) {
        Client *client = &clients[i];
        char target[64];

        if (client->line.busy)
            continue;
        if (client->kind == STATUS && client->due_usec <= now) {
            ask_status(client);
        } else if (client->kind == POLLER && n_recent > 0
                   && client->waited_for != recent[(n_recent - 1) % RECENT]) {
            /* The latest one: what is older has ended by now, mostly. */
            client->waited_for = recent[(n_recent - 1) % RECENT];
            snprintf(target, sizeof target, "/v1/operations/%lld?wait=30",
                     (long long) client->waited_for);
            n_polls++;
            ask(client, "GET", target, NULL);
        }
    }
}

static void
answered(Client *client, int64_t now)
{
    int64_t period = 1000000LL * options.clients * (100 - STREAMS_ALL_PERCENT
                         - STREAMS_ONE_PERCENT - POSTERS_PERCENT - POLLERS_PERCENT) / 100
                     / options.status_rate;

    if (client->kind == POSTER) {
        accepted(client);
        return;
    }
    if (client->line.status != 200)
        complain("a status request failed", client->line.bytes);
    if (client->kind != STATUS)
        return;
    if (now - begin_usec >= options.warm_up * 1000000LL)
        times_add(&times[client->asks], now - client->due_usec);
    n_late += now - client->due_usec > period;
    client->due_usec += period;
}

static void
take(Client *client)
{
    int got = http_take(&client->line);

    if (got < 0) {
        complain("a connection broke", NULL);
        exit(1);
    }
    if (client->kind == STREAM_ALL || client->kind == STREAM_ONE)
        read_stream(client);
    else if (got == 1)
        answered(client, now_usec());
}

/* --- the whole --------------------------------------------------------------------------------- */

static Kind
kind_of(int index)
{
    int percent = index * 100 / options.clients;

    if (index == 0 || percent < STREAMS_ALL_PERCENT)
        return STREAM_ALL;
    percent -= STREAMS_ALL_PERCENT;
    if (percent < STREAMS_ONE_PERCENT)
        return STREAM_ONE;
    percent -= STREAMS_ONE_PERCENT;
    if (percent < POSTERS_PERCENT)
        return POSTER;
    return percent - POSTERS_PERCENT < POLLERS_PERCENT ? POLLER : STATUS;
}

static void
open_clients(void)
{
    for (int i = 0; i < options.clients; i++) {
        Client *client = &clients[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        char target[64] = "/v1/events";

        client->kind = kind_of(i);
        http_open(&client->line, options.socket);
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->line.fd, &event);
        client->line.stream = client->kind == STREAM_ALL || client->kind == STREAM_ONE;
        if (client->kind == STREAM_ONE)
            snprintf(target, sizeof target, "/v1/events?partition=load%05d",
                     i % options.partitions);
        if (client->line.stream)
            ask(client, "GET", target, NULL);
        /* Spread over a second. */
        client->due_usec = begin_usec + 1000000LL * i / options.clients;
    }
}

static void
wait_for_answers(int64_t until_usec)
{
    struct epoll_event events[64];
    int64_t left = until_usec - now_usec();
    struct timespec patience = {0, left > 0 ? left * 1000 : 0};
    int n = epoll_pwait2(epoll_fd, events, 64, &patience, NULL);

    for (int i = 0; i < n; i++)
        take(events[i].data.ptr);
}

static void
run(Resident *resident)
{
    int64_t end = begin_usec + options.seconds * 1000000LL, tick = begin_usec, now;

    while ((now = now_usec()) < end) {
        if (now >= tick) {
            resident_take(resident, (int) ((tick - begin_usec) / 1000000));
            tick += 1000000;
        }
        post_what_is_due(now);
        ask_what_is_due(now);
        wait_for_answers(now + 1000);
    }
    while (n_open > 0 && now_usec() < end + DRAIN_SEC * 1000000LL)
        wait_for_answers(now_usec() + 10000);
    if (n_open > 0)
        complain("operations did not end", NULL);
}

/* Below 0: it was never asked for. */
static bool
differs(int64_t has, int64_t asked)
{
    return asked >= 0 && has != asked;
}

/* What was asked last is what each has. */
static uint64_t
judge(void)
{
    HttpLine line = {0};
    uint64_t wrong = 0;
    char target[64];

    http_open(&line, options.socket);
    for (int i = 0; i < options.partitions; i++) {
        const char *cpu, *mem;
        int got = -1;

        snprintf(target, sizeof target, "/v1/partitions/load%05d", i);
        if (http_ask(&line, "GET", target, NULL))
            got = http_wait(&line, DRAIN_SEC * 1000);
        /* The first "cpu" is the profile's. */
        cpu = got > 0 ? strstr(http_body(&line), "\n  \"cpu\":") : NULL;
        mem = cpu ? strstr(cpu, "\n  \"mem\":") : NULL;
        if (!mem || differs(http_number(cpu, "granted"), partitions[i].cpus)
            || differs(http_number(mem, "granted_bytes"), partitions[i].mem_mib * MIB)) {
            complain("a partition has not what was asked for", target);
            wrong++;
        }
    }
    http_close(&line);
    return wrong;
}

static void
report(const Resident *resident, double seconds, double cpu_sec, uint64_t wrong,
       const SyncTimes *sync)
{
    static const char *const names[ASKS] = {"root", "partition", "operation"};
    Times all = {0};

    printf("{\"partitions\":%d,\"clients\":%d,\"seconds\":%d,\"warm_up\":%d,\"status\":{",
           options.partitions, options.clients, options.seconds, options.warm_up);
    for (int i = 0; i < ASKS; i++) {
        times_join(&all, &times[i]);
        printf("\"%s\":", names[i]);
        times_print(&times[i]);
        printf(",");
    }
    printf("\"all\":");
    times_print(&all);
    printf("},\"resize\":");
    times_print(&resizes);
    printf(",\"begun\":%llu,\"done\":%llu,\"rate\":%.2f,\"errors\":%llu,\"wrong\":%llu,"
           "\"late\":%llu,\"frames\":%llu,\"polls\":%llu,\"cpu_percent\":%.1f,",
           (unsigned long long) n_begun, (unsigned long long) n_done,
           (double) n_done / options.seconds, (unsigned long long) n_errors, (unsigned long long) wrong,
           (unsigned long long) n_late, (unsigned long long) n_frames,
           (unsigned long long) n_polls, 100 * cpu_sec / seconds);
    resident_print(resident, options.warm_up);
    printf(",\"sync_msec\":{\"median\":%.2f,\"p99\":%.2f}}\n", sync->median_msec, sync->p99_msec);
}

static int
number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*end || value < 0 || value > 1000000) {
        fprintf(stderr, "load: \"%s\" is not a number that makes sense here\n", text);
        exit(2);
    }
    return (int) value;
}

static void
read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"socket", 1, NULL, 's'}, {"pid", 1, NULL, 'p'}, {"sync-dir", 1, NULL, 'd'},
        {"partitions", 1, NULL, 'n'}, {"clients", 1, NULL, 'c'}, {"rate", 1, NULL, 'r'},
        {"status-rate", 1, NULL, 'q'}, {"seconds", 1, NULL, 't'}, {"warm-up", 1, NULL, 'w'},
        {"seed", 1, NULL, 'x'}, {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 's': options.socket = optarg; break;
        case 'p': options.pid = optarg; break;
        case 'd': options.sync_dir = optarg; break;
        case 'n': options.partitions = number(optarg); break;
        case 'c': options.clients = number(optarg); break;
        case 'r': options.rate = number(optarg); break;
        case 'q': options.status_rate = number(optarg); break;
        case 't': options.seconds = number(optarg); break;
        case 'w': options.warm_up = number(optarg); break;
        case 'x': options.seed = (uint64_t) number(optarg); break;
        default: exit(2);
        }
    }
    if (!options.socket || !options.pid || !options.sync_dir || options.clients < 10
        || options.partitions < 1 || options.status_rate < 1) {
        fprintf(stderr, "load: run tests/bench/load\n");
        exit(2);
    }
}

int
main(int argc, char **argv)
{
    Resident resident = {0};
    SyncTimes sync;
    double cpu_sec, seconds;
    uint64_t wrong;

    read_options(argc, argv);
    sync_measure(options.sync_dir, &sync);
    clients = calloc((size_t) options.clients, sizeof *clients);
    partitions = calloc((size_t) options.partitions, sizeof *partitions);
    for (int i = 0; i < options.partitions; i++)
        partitions[i] = (Partition){.mem_mib = -1, .cpus = -1};
    resident_open(&resident, options.pid, options.seconds);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    begin_usec = now_usec();
    open_clients();
    cpu_sec = -resident_cpu_sec(&resident);
    run(&resident);
    cpu_sec += resident_cpu_sec(&resident);
    seconds = (double) (now_usec() - begin_usec) / 1e6;
    wrong = judge();
    report(&resident, seconds, cpu_sec, wrong, &sync);
    return 0;
}
