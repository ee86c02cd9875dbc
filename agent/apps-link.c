/* The links of the socket for programs, and the bounds of each. */
#include "agent/apps-priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/files.h"
#include "agent/log.h"

/* What a link may send in a second: no true program comes near, and more is a flood. */
#define LP_APPS_LINES_A_SECOND 100
#define LP_APPS_BYTES_A_SECOND (4 * LP_WIRE_FRAME_MAX)
/* Messages that break the protocol, until there is no use in hearing more of them. */
#define LP_APPS_BAD_MAX 8
/* A link on which nothing is said holds a place that another could have. */
#define LP_APPS_GREET_MSEC 10000
/* What is queued must move within this time. */
#define LP_APPS_STALL_MSEC 30000
/* After the system ran out of descriptors or memory. */
#define LP_APPS_ACCEPT_PAUSE_MSEC 1000
#define LP_APPS_LISTENER LP_APPS_MAX   /* epoll's data of the socket; of a link it is its slot */

/* --- the socket --- */

static bool
add_to_epoll(int epoll_fd, int fd, unsigned data, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.u32 = data };

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool
lp_apps_listen(LpAgent *agent)
{
    static const LpWatcher watcher = { lp_apps_ready };
    LpApps *apps = agent->apps;
    const char *path = agent->conf.socket;

    apps->listen_fd = apps->epoll_fd = -1;
    if (path[0] == '\0')
        return false;
    snprintf(apps->path, sizeof(apps->path), "%s", path);
    apps->listen_fd = lp_apps_open_socket(path, agent->conf.socket_group);
    if (apps->listen_fd < 0) {
        lp_log_warn("%s: %s; programs cannot be told of resizes", path,
                    errno == EADDRINUSE ? "another agent has it" : strerror(errno));
        return false;
    }
    apps->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (apps->epoll_fd < 0 ||
        !add_to_epoll(apps->epoll_fd, apps->listen_fd, LP_APPS_LISTENER, EPOLLIN) ||
        !lp_agent_watch(agent, apps->epoll_fd, EPOLLIN, &watcher)) {
        lp_log_warn("%s: %s; programs cannot be told of resizes", path, strerror(errno));
        lp_apps_end(agent);
        return false;
    }
    return true;
}

/* --- links --- */

void
lp_app_doom(LpApp *app, const char *why)
{
    if (app->doomed == NULL)
        app->doomed = why;
}

void
lp_apps_reap(LpAgent *agent)
{
    LpApps *apps = agent->apps;

    for (unsigned i = 0; i < LP_APPS_MAX; i++) {
        LpApp *app = apps->apps[i];

        if (app == NULL || app->doomed == NULL)
            continue;
        if (app->doomed[0] != '\0')
            lp_log_warn("program %s (pid %d) %s: it is dropped", app->name, (int)app->pid,
                        app->doomed);
        apps->apps[i] = NULL;
        apps->full = false;
        lp_apps_left(agent, app);
        close(app->fd);
        munmap(app, sizeof(*app));
    }
}

/* Its command, until it says who it is; from a file that any program may write what it likes to. */
static void
name_by_pid(LpApp *app, const char *procfs)
{
    if (lp_file_read(app->name, sizeof(app->name), "%s/%d/comm", procfs, (int)app->pid) <= 0)
        snprintf(app->name, sizeof(app->name), "unknown");
    for (char *c = app->name; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
}

static void
add_link(LpAgent *agent, int fd, unsigned slot, int64_t now_msec)
{
    LpApps *apps = agent->apps;
    struct ucred peer = { .pid = 0 };
    socklen_t size = sizeof(peer);
    LpApp *app = mmap(NULL, sizeof(*app), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                      -1, 0);

    if (app == MAP_FAILED || !add_to_epoll(apps->epoll_fd, fd, slot, EPOLLIN | EPOLLRDHUP)) {
        lp_log_warn("a program could not be let in: %s", strerror(errno));
        if (app != MAP_FAILED)
            munmap(app, sizeof(*app));
        close(fd);
        return;
    }
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    app->fd = fd;
    app->slot = slot;
    app->pid = peer.pid;
    app->asked_at_msec = app->unstall_by_msec = LP_NEVER;
    app->greet_by_msec = now_msec + LP_APPS_GREET_MSEC;
    app->second_msec = now_msec;
    lp_wire_reader_init(&app->reader);
    name_by_pid(app, agent->options.procfs);
    apps->apps[slot] = app;
    lp_log_info("program %s (pid %d) has connected", app->name, (int)app->pid);
}

/* The socket stays readable as long as a caller waits, whom there is no descriptor for. */
static void
pause_accepting(LpApps *apps, int64_t now_msec)
{
    lp_log_warn("a program could not be let in: %s", strerror(errno));
    epoll_ctl(apps->epoll_fd, EPOLL_CTL_DEL, apps->listen_fd, NULL);
    apps->accept_at_msec = now_msec + LP_APPS_ACCEPT_PAUSE_MSEC;
}

static void
accept_one(LpAgent *agent, int64_t now_msec)
{
    LpApps *apps = agent->apps;
    int fd = accept4(apps->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            pause_accepting(apps, now_msec);
        return;
    }
    for (unsigned i = 0; i < LP_APPS_MAX; i++) {
        if (apps->apps[i] == NULL) {
            add_link(agent, fd, i, now_msec);
            return;
        }
    }
    if (!apps->full)
        lp_log_warn("%d programs are connected: no more are let in", LP_APPS_MAX);
    apps->full = true;
    close(fd);
}

/* --- what is sent --- */

static void
flush_out(LpApps *apps, LpApp *app, int64_t now_msec)
{
    struct epoll_event event = { .data.u32 = app->slot };
    size_t done = 0;
    ssize_t n = 0;

    while (done < app->out_used) {
        n = send(app->fd, app->out + done, app->out_used - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        done += (size_t)n;
    }
    if (n < 0 && errno != EAGAIN) {
        lp_app_doom(app, "");
        return;
    }
    app->out_used -= done;
    memmove(app->out, app->out + done, app->out_used);
    if (app->out_used == 0)
        app->unstall_by_msec = LP_NEVER;
    else if (done > 0 || app->unstall_by_msec == LP_NEVER)
        app->unstall_by_msec = now_msec + LP_APPS_STALL_MSEC;
    event.events = EPOLLIN | EPOLLRDHUP | (app->out_used > 0 ? EPOLLOUT : 0u);
    epoll_ctl(apps->epoll_fd, EPOLL_CTL_MOD, app->fd, &event);
}

void
lp_app_send(LpApps *apps, LpApp *app, const LpWireMessage *message, int64_t now_msec)
{
    size_t length = 0;
    LpWireVerdict verdict;

    if (app->doomed != NULL)
        return;
    verdict = lp_wire_encode(message, app->out + app->out_used, sizeof(app->out) - app->out_used,
                             &length);
    if (verdict == LP_WIRE_NO_ROOM) {
        lp_app_doom(app, "does not read");
        return;
    }
    if (verdict != LP_WIRE_OK) {
        lp_log_warn("a message to %s could not be written: %s", app->name,
                    lp_wire_verdict_text(verdict));
        return;
    }
    app->out_used += length;
    flush_out(apps, app, now_msec);
}

/* --- what is heard --- */

static void
take_line(LpAgent *agent, LpApp *app, const char *line, size_t length, int64_t now_msec)
{
    LpWireMessage message;
    const char *field = NULL;
    LpWireVerdict verdict = lp_wire_decode(line, length, &message, &field);

    if (verdict == LP_WIRE_OK) {
        app->heard = true;
        app->greet_by_msec = LP_NEVER;
        lp_apps_heard(agent, app, &message, now_msec);
        return;
    }
    if (verdict == LP_WIRE_UNKNOWN_TYPE) {
        lp_log_info("program %s sent a message of a type unknown here", app->name);
        return;
    }
    if (app->n_bad++ == 0)
        lp_log_warn("program %s (pid %d) sent nonsense: %s%s%s", app->name, (int)app->pid,
                    lp_wire_verdict_text(verdict), field != NULL ? ": " : "",
                    field != NULL ? field : "");
    if (app->n_bad > LP_APPS_BAD_MAX)
        lp_app_doom(app, "sends nothing but nonsense");
}

/* What has come in one read(): so nobody keeps the loop, and nothing is left behind that epoll
 * would not tell of. */
static void
read_link(LpAgent *agent, LpApp *app, int64_t now_msec)
{
    LpWireVerdict verdict = LP_WIRE_OK;
    const char *line;
    size_t room, length;
    char *space = lp_wire_reader_space(&app->reader, &room);
    ssize_t n = read(app->fd, space, room);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        lp_app_doom(app, "");
    if (n <= 0)
        return;
    lp_wire_reader_filled(&app->reader, (size_t)n);
    if (now_msec - app->second_msec >= 1000) {
        app->second_msec = now_msec;
        app->n_lines = app->n_bytes = 0;
    }
    app->n_bytes += (unsigned)n;
    if (app->n_bytes > LP_APPS_BYTES_A_SECOND)
        lp_app_doom(app, "sends too much");
    while (app->doomed == NULL &&
           (line = lp_wire_reader_next(&app->reader, &length, &verdict)) != NULL) {
        if (++app->n_lines > LP_APPS_LINES_A_SECOND)
            lp_app_doom(app, "sends too many messages");
        else
            take_line(agent, app, line, length, now_msec);
    }
    if (app->doomed == NULL && verdict == LP_WIRE_TOO_LONG)
        lp_app_doom(app, "sent a line that is too long");
}

void
lp_apps_ready(LpAgent *agent, uint32_t events)
{
    LpApps *apps = agent->apps;
    int64_t now = lp_clock_msec();
    struct epoll_event event[LP_APPS_MAX + 1];
    int n = epoll_wait(apps->epoll_fd, event, LP_APPS_MAX + 1, 0);

    (void)events;
    for (int i = 0; i < n; i++) {
        LpApp *app;

        if (event[i].data.u32 == LP_APPS_LISTENER) {
            accept_one(agent, now);
            continue;
        }
        app = apps->apps[event[i].data.u32];
        if (app == NULL)
            continue;
        if (event[i].events & EPOLLOUT)
            flush_out(apps, app, now);
        if (event[i].events & ~(uint32_t)EPOLLOUT)
            read_link(agent, app, now);
    }
    lp_apps_reap(agent);
}

/* --- time --- */

int64_t
lp_apps_link_deadline(const LpApps *apps)
{
    int64_t next = apps->accept_at_msec;

    for (unsigned i = 0; i < LP_APPS_MAX; i++) {
        const LpApp *app = apps->apps[i];

        if (app == NULL)
            continue;
        next = lp_clock_earlier(next, app->greet_by_msec);
        next = lp_clock_earlier(next, app->unstall_by_msec);
        if (app->doomed != NULL)
            next = 0;
    }
    return next;
}

void
lp_apps_link_run(LpApps *apps, int64_t now_msec)
{
    if (now_msec >= apps->accept_at_msec) {
        apps->accept_at_msec = LP_NEVER;
        add_to_epoll(apps->epoll_fd, apps->listen_fd, LP_APPS_LISTENER, EPOLLIN);
    }
    for (unsigned i = 0; i < LP_APPS_MAX; i++) {
        LpApp *app = apps->apps[i];

        if (app == NULL)
            continue;
        if (now_msec >= app->greet_by_msec)
            lp_app_doom(app, "says nothing");
        if (now_msec >= app->unstall_by_msec)
            lp_app_doom(app, "does not read");
    }
}
