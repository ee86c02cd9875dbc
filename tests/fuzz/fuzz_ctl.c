/* lparctl against a server that is not what it seems: the input's first byte picks a command line, the
 * rest are the answers to what it asks, one after the other, each begun by 0x1e.
 *
 * Whatever they are, it ends with one of its exit statuses or an error that says something, and what it
 * prints for people harms no terminal. */
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lpard/ctl/sse.h"
#include "lpard/ctl/verbs.h"
#include "tests/fuzz/fuzz.h"

#define LP_RECORD 0x1e
/* What is printed of one input is read back to here. */
#define LP_PRINTED_MAX (1u << 20)

static const char *const lines[] = {
    "list", "list --all", "show web1", "show web1 --guest", "host", "host --numa", "check web1",
    "enable web1 --cpu 1:2:8 --mem 1G:2G:8G", "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --dry-run",
    "disable web1", "profile web1", "profile set web1 weight=255", "start web1",
    "set web1 cpu=4 mem=6G", "add web1 cpu=1", "set web1 cpu=4 --dry-run", "set web1 cpu=1 --no-wait",
    "move mem=1G --from web1 --to db1", "capacity web1 weight=9", "reconcile web1",
    "autoscale web1", "pool list", "pool join web1 web", "hold web1", "policy", "policy explain web1",
    "policy plan", "policy log", "op list", "op show 17", "op wait 17", "op cancel 17", "events",
    "version", "score", "score web1", "optimize --dry-run", "optimize", "_names partitions",
    "_names operations", "show web1 -o json", "op list -o json", "profile restore web1",
};

/* --- the server --- */

static LpFuzzInput answers;

bool __wrap_lp_ctl_client_ask(LpCtlClient *client, const char *method, const char *path,
                              const json_t *body, const char *key, LpCtlAnswer *ret_answer,
                              GError **error);
GInputStream *__wrap_lp_ctl_client_stream(LpCtlClient *client, const char *path, const char *last,
                                          GError **error);

/* The next one; false: there is none any more. */
static bool
next_answer(const uint8_t **ret_data, size_t *ret_size)
{
    const uint8_t *end;

    while (answers.left > 0 && *answers.at == LP_RECORD)
        lp_fuzz_byte(&answers);
    if (answers.left == 0)
        return false;
    end = memchr(answers.at, LP_RECORD, answers.left);
    *ret_data = answers.at;
    *ret_size = end != NULL ? (size_t)(end - answers.at) : answers.left;
    answers.at += *ret_size;
    answers.left -= *ret_size;
    return true;
}

bool
__wrap_lp_ctl_client_ask(LpCtlClient *client, const char *method, const char *path,
                         const json_t *body, const char *key, LpCtlAnswer *ret_answer,
                         GError **error)
{
    const uint8_t *data;
    size_t size;

    (void)client, (void)body, (void)key;
    LP_MUST(path[0] == '/' && method[0] != '\0');
    lp_ctl_answer_clear(ret_answer);
    if (!next_answer(&data, &size)) {
        lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE, "no more answers");
        return false;
    }
    /* One that begins with '!' is a problem document. */
    ret_answer->status = data[0] == '!' ? 409 : 200;
    ret_answer->text = g_string_new_len((const char *)data + (data[0] == '!'),
                                        (gssize)size - (data[0] == '!'));
    return lp_ctl_answer_read(ret_answer, "/nonexistent/lpard.sock", error);
}

GInputStream *
__wrap_lp_ctl_client_stream(LpCtlClient *client, const char *path, const char *last, GError **error)
{
    const uint8_t *data;
    size_t size;

    (void)client, (void)path, (void)last;
    if (next_answer(&data, &size))
        return g_memory_input_stream_new_from_data(g_memdup2(data, size), (gssize)size, g_free);
    lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE, "no more answers");
    return NULL;
}

/* --- the client --- */

static int
run(const char *line, GError **error)
{
    g_auto(GStrv) arguments = g_strsplit(line, " ", -1);
    g_autoptr(GPtrArray) words = NULL;
    LpCtl ctl = { 0 };
    int status;

    LP_MUST(lp_ctl_options_parse(arguments, &ctl.options, &words, NULL));
    ctl.verb = lp_ctl_verb_find(g_ptr_array_index(words, 0));
    LP_MUST(ctl.verb != NULL);
    ctl.words = (char **)words->pdata + 1;
    ctl.n_words = words->len - 2;
    ctl.client = lp_ctl_client_new(&(LpCtlWay){ .socket = "/nonexistent/lpard.sock" }, NULL);
    LP_MUST(ctl.client != NULL);
    status = ctl.verb->run(&ctl, error);
    lp_ctl_client_free(ctl.client);
    return status;
}

/* Only line ends and tabs of what a terminal heeds; with -o json the answer is shown as it came. */
static void
check_printed(FILE *out, const char *line)
{
    static char text[LP_PRINTED_MAX];
    size_t n;

    fflush(out);
    rewind(out);
    n = fread(text, 1, sizeof text, out);
    for (size_t i = 0; i < n && strstr(line, "-o json") == NULL; i++)
        LP_MUST((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t');
    LP_MUST(memchr(text, 0x7f, n) == NULL || strstr(line, "-o json") != NULL);
}

static void
on_event(const LpCtlSseEvent *event, void *data)
{
    (void)data;
    LP_MUST(event->id != NULL && event->type != NULL);
}

/* The same stream in pieces is the same stream. */
static void
feed(const uint8_t *data, size_t size)
{
    LpCtlSse *sse = lp_ctl_sse_new(on_event, NULL);

    for (size_t at = 0; at < size; at += 7) {
        if (!lp_ctl_sse_feed(sse, (const char *)data + at, MIN(7, size - at)))
            break;
    }
    lp_ctl_sse_free(sse);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    const char *line;
    FILE *out, *really = stdout, *complaints = stderr;
    int status;

    if (size == 0)
        return 0;
    line = lines[data[0] % G_N_ELEMENTS(lines)];
    answers = (LpFuzzInput){ data + 1, size - 1 };
    feed(data + 1, size - 1);
    out = tmpfile();
    LP_MUST(out != NULL);
    stdout = stderr = out;
    status = run(line, &error);
    stdout = really;
    stderr = complaints;
    LP_MUST(error != NULL || (status >= LP_CTL_EXIT_DONE && status <= LP_CTL_EXIT_MAX));
    LP_MUST(error == NULL || error->message[0] != '\0');
    LP_MUST(error == NULL || g_utf8_validate(error->message, -1, NULL));
    for (const char *c = error != NULL ? error->message : ""; *c != '\0'; c++)
        LP_MUST((unsigned char)*c >= ' ' && *c != 0x7f);
    check_printed(out, line);
    fclose(out);
    return 0;
}
