/* Follows an operation to its end, with a line that tells how far it is. */
#include "lpard/ctl/wait.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lpard/ctl/outcome.h"
#include "lpard/ctl/progress.h"
#include "lpard/ctl/text.h"

/* How long lpard may hold each answer back; the longest it takes is 60. */
#define HOLD_SEC 30
/* Times are shown in seconds, so redrawing oftener shows nothing new. */
#define REDRAW_MSEC 1000
#define TERMINAL_COLUMNS 80
/* An lpard that answers at once and says nothing new would be asked without end; so many such
 * answers in a row are no coincidence of two changes. */
#define IDLE_ANSWERS_MAX 16
#define IDLE_ANSWER_USEC (G_USEC_PER_SEC / 2)

struct LpCtlWait {
    LpCtl *ctl;
    guint sources[2];             /* SIGINT, SIGTERM */
    guint redraw;
    bool terminal;
    bool drawn;
    bool may_cancel;              /* a request is held back that can be given up safely */
    bool interrupted;
    guint idle_answers;
    const json_t *operation;      /* the last answer */
    gint64 answered_usec;
    char *last_line;              /* -v without a terminal: lines are printed once */
};

static gboolean
on_interrupt(gpointer data)
{
    LpCtlWait *wait = data;

    /* The first asks for nothing to be lost: a request being sent is awaited, since its answer
     * brings the operation's number.  The second means it. */
    if (wait->may_cancel || wait->interrupted)
        lp_ctl_client_interrupt(wait->ctl->client);
    wait->interrupted = true;
    return G_SOURCE_CONTINUE;
}

static guint
terminal_columns(void)
{
    struct winsize size = { 0 };

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return TERMINAL_COLUMNS;
}

static void
draw(LpCtlWait *wait)
{
    gint64 age = (g_get_monotonic_time() - wait->answered_usec) / 1000;
    guint columns = wait->terminal ? terminal_columns() - 1 : LP_CTL_COLUMNS;
    g_autofree char *line = lp_ctl_progress_text(wait->operation, age, columns);

    if (wait->terminal) {
        /* Back to the line's start, the text, clear what is left of the one before. */
        fprintf(stderr, "\r%s\033[K", line);
        fflush(stderr);
        wait->drawn = true;
    } else if (lp_ctl_has(wait->ctl, LP_CTL_OPT_VERBOSE) && g_strcmp0(line, wait->last_line)) {
        fprintf(stderr, "%s\n", line);
        g_free(wait->last_line);
        wait->last_line = g_steal_pointer(&line);
    }
}

static gboolean
on_redraw(gpointer data)
{
    LpCtlWait *wait = data;

    if (wait->operation != NULL)
        draw(wait);
    return G_SOURCE_CONTINUE;
}

static void
erase(LpCtlWait *wait)
{
    if (wait->drawn)
        fputs("\r\033[K", stderr);
    fflush(stderr);
    wait->drawn = false;
}

LpCtlWait *
lp_ctl_wait_new(LpCtl *ctl)
{
    LpCtlWait *wait = g_new0(LpCtlWait, 1);

    wait->ctl = ctl;
    wait->terminal = isatty(STDERR_FILENO) == 1;
    wait->sources[0] = g_unix_signal_add(SIGINT, on_interrupt, wait);
    wait->sources[1] = g_unix_signal_add(SIGTERM, on_interrupt, wait);
    return wait;
}

void
lp_ctl_wait_free(LpCtlWait *wait)
{
    if (wait == NULL)
        return;
    erase(wait);
    for (guint i = 0; i < G_N_ELEMENTS(wait->sources); i++)
        g_source_remove(wait->sources[i]);
    if (wait->redraw != 0)
        g_source_remove(wait->redraw);
    g_free(wait->last_line);
    g_free(wait);
}

static int
detach(LpCtlWait *wait, gint64 id)
{
    erase(wait);
    fprintf(stderr, "operation %" G_GINT64_FORMAT " goes on; lparctl op wait %" G_GINT64_FORMAT
            ", or op cancel %" G_GINT64_FORMAT "\n", id, id, id);
    return LP_CTL_EXIT_ACCEPTED;
}

/* An answer that is no operation would make us ask for ever. */
static bool
check_operation(const json_t *operation, gint64 id, GError **error)
{
    if (lp_ctl_json_int(operation, "id", -1) > 0 &&
        (id == 0 || lp_ctl_json_int(operation, "id", -1) == id) &&
        lp_ctl_json_str(operation, "state")[0] != '\0' &&
        json_is_integer(json_object_get(operation, "version")))
        return true;
    lp_ctl_error(error, LP_CTL_EXIT_ERROR,
                 "lpard's answer is no operation: is it of the same version as lparctl?");
    return false;
}

static int
print_end(LpCtlWait *wait, const LpCtlAnswer *answer)
{
    erase(wait);
    if (lp_ctl_is_json(wait->ctl)) {
        lp_ctl_print_json(answer);
    } else {
        g_autoptr(GString) out = g_string_new(NULL);

        lp_ctl_outcome_text(answer->json, out);
        fputs(out->str, stdout);
    }
    return lp_ctl_outcome_exit(answer->json);
}

/* One more answer; false with *error. */
static bool
ask_again(LpCtlWait *wait, LpCtlAnswer *answer, gint64 id, GError **error)
{
    g_auto(LpCtlAnswer) next = { 0 };
    g_autofree char *path =
        g_strdup_printf("/v1/operations/%" G_GINT64_FORMAT "?after=%" G_GINT64_FORMAT "&wait=%d",
                        id, lp_ctl_json_int(answer->json, "version", 0), HOLD_SEC);
    bool ok;

    wait->may_cancel = true;
    ok = lp_ctl_client_ask(wait->ctl->client, "GET", path, NULL, NULL, &next, error);
    wait->may_cancel = false;
    if (!ok || !check_operation(next.json, id, error))
        return false;
    if (lp_ctl_json_int(next.json, "version", 0) != lp_ctl_json_int(answer->json, "version", 0) ||
        g_get_monotonic_time() - wait->answered_usec > IDLE_ANSWER_USEC)
        wait->idle_answers = 0;
    else if (++wait->idle_answers == IDLE_ANSWERS_MAX) {
        lp_ctl_error(error, LP_CTL_EXIT_ERROR,
                     "lpard answers without end and without news: see its log");
        return false;
    }
    wait->operation = NULL;
    lp_ctl_answer_clear(answer);
    *answer = next;
    memset(&next, 0, sizeof(next));
    return true;
}

int
lp_ctl_wait_follow(LpCtlWait *wait, LpCtlAnswer *operation, GError **error)
{
    gint64 id = lp_ctl_json_int(operation->json, "id", 0);

    if (!check_operation(operation->json, 0, error))
        return -1;
    if (wait->terminal && wait->redraw == 0)
        wait->redraw = g_timeout_add(REDRAW_MSEC, on_redraw, wait);
    while (!lp_ctl_operation_final(operation->json)) {
        g_autoptr(GError) failed = NULL;

        wait->operation = operation->json;
        wait->answered_usec = g_get_monotonic_time();
        if (wait->interrupted)
            return detach(wait, id);
        draw(wait);
        if (ask_again(wait, operation, id, &failed))
            continue;
        if (wait->interrupted)
            return detach(wait, id);
        erase(wait);
        g_propagate_prefixed_error(error, g_steal_pointer(&failed),
                                   "operation %" G_GINT64_FORMAT " was under way: ", id);
        return -1;
    }
    return print_end(wait, operation);
}
