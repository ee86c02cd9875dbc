/* A stream of server-sent events. */
#include "lpard/ctl/sse.h"

#include <string.h>

struct LpCtlSse {
    LpCtlSseFunc func;
    void *user;
    GString *line, *id, *type, *data;
    bool has_data;
    bool after_cr;                /* "\r\n" may be cut between two reads */
};

LpCtlSse *
lp_ctl_sse_new(LpCtlSseFunc func, void *data)
{
    LpCtlSse *sse = g_new0(LpCtlSse, 1);

    sse->func = func;
    sse->user = data;
    sse->line = g_string_new(NULL);
    sse->id = g_string_new(NULL);
    sse->type = g_string_new(NULL);
    sse->data = g_string_new(NULL);
    return sse;
}

void
lp_ctl_sse_free(LpCtlSse *sse)
{
    if (sse == NULL)
        return;
    g_string_free(sse->line, TRUE);
    g_string_free(sse->id, TRUE);
    g_string_free(sse->type, TRUE);
    g_string_free(sse->data, TRUE);
    g_free(sse);
}

static void
end_event(LpCtlSse *sse)
{
    LpCtlSseEvent event = {
        .id = sse->id->str,
        .type = sse->type->len ? sse->type->str : "message",
        .data = sse->data->str,
    };

    /* An event without data is none, except that lpard's "lost" may come bare. */
    if (sse->has_data || sse->type->len > 0)
        sse->func(&event, sse->user);
    g_string_truncate(sse->type, 0);
    g_string_truncate(sse->data, 0);
    sse->has_data = false;
}

static void
end_line(LpCtlSse *sse)
{
    const char *line = sse->line->str;
    const char *colon = strchr(line, ':');
    gsize length = colon ? (gsize)(colon - line) : sse->line->len;
    const char *value = colon ? colon + 1 : "";

    if (sse->line->len == 0) {
        end_event(sse);
        return;
    }
    if (colon == line) {
        LpCtlSseEvent comment = { .id = sse->id->str, .type = "", .data = NULL };

        sse->func(&comment, sse->user);
        return;
    }
    if (*value == ' ')
        value++;
    if (length == 2 && memcmp(line, "id", 2) == 0) {
        g_string_assign(sse->id, value);
    } else if (length == 5 && memcmp(line, "event", 5) == 0) {
        g_string_assign(sse->type, value);
    } else if (length == 4 && memcmp(line, "data", 4) == 0) {
        if (sse->has_data)
            g_string_append_c(sse->data, '\n');
        g_string_append(sse->data, value);
        sse->has_data = true;
    }
}

bool
lp_ctl_sse_feed(LpCtlSse *sse, const char *bytes, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        char c = bytes[i];
        bool second = sse->after_cr && c == '\n';

        sse->after_cr = c == '\r';
        if (second)
            continue;
        if (c == '\n' || c == '\r') {
            end_line(sse);
            g_string_truncate(sse->line, 0);
        } else if (sse->line->len + sse->data->len >= LP_CTL_SSE_MAX) {
            return false;
        } else if (c != '\0') {
            g_string_append_c(sse->line, c);
        }
    }
    return true;
}
