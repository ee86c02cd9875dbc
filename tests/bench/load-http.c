/* HTTP/1.1 as lpard speaks it: answers with a length, and the one stream in chunks. */
#include "load-http.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_STEP 16384

bool
http_try(HttpLine *line, const char *path)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    void *user = line->user;

    *line = (HttpLine){.user = user, .fd = -1};
    if (snprintf(place.sun_path, sizeof place.sun_path, "%s", path)
        >= (int) sizeof place.sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line->fd >= 0 && connect(line->fd, (struct sockaddr *) &place, sizeof place) == 0)
        return true;
    if (line->fd >= 0)
        close(line->fd);
    line->fd = -1;
    return false;
}

void
http_open(HttpLine *line, const char *path)
{
    if (http_try(line, path))
        return;
    fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
    exit(1);
}

void
http_close(HttpLine *line)
{
    close(line->fd);
    free(line->bytes);
    line->bytes = NULL;
    line->fd = -1;
}

bool
http_ask(HttpLine *line, const char *method, const char *target, const char *body)
{
    return http_ask_once(line, method, target, body, NULL);
}

bool
http_ask_once(HttpLine *line, const char *method, const char *target, const char *body,
              const char *key)
{
    char request[1024];
    int length = snprintf(request, sizeof request,
                          "%s %s HTTP/1.1\r\nHost: lpard\r\n%s%s%s%sContent-Length: %zu\r\n\r\n%s",
                          method, target, body ? "Content-Type: application/json\r\n" : "",
                          key ? "Idempotency-Key: " : "", key ? key : "", key ? "\r\n" : "",
                          body ? strlen(body) : 0, body ? body : "");

    line->length = line->body = line->whole = 0;
    line->busy = true;
    return length < (int) sizeof request
           && send(line->fd, request, (size_t) length, MSG_NOSIGNAL) == length;
}

/* The header, once it is whole. */
static bool
read_head(HttpLine *line)
{
    char *end, *at;

    line->bytes[line->length] = '\0';
    end = strstr(line->bytes, "\r\n\r\n");
    if (!end)
        return true;
    if (sscanf(line->bytes, "HTTP/1.1 %d", &line->status) != 1)
        return false;
    line->body = (size_t) (end - line->bytes) + 4;
    if (line->stream && line->status == 200) {
        http_drop(line, line->body);
        line->body = 1;
        return true;
    }
    at = strcasestr(line->bytes, "\r\nContent-Length:");
    if (!at || at > end)
        return false;
    line->whole = line->body + strtoul(at + strlen("\r\nContent-Length:"), NULL, 10);
    return line->whole < HTTP_ANSWER_MAX;
}

int
http_take(HttpLine *line)
{
    ssize_t got;

    if (line->size < line->length + READ_STEP + 1) {
        line->size = line->length + 2 * READ_STEP;
        line->bytes = realloc(line->bytes, line->size);
        if (!line->bytes || line->size > 2 * HTTP_ANSWER_MAX)
            return -1;
    }
    got = recv(line->fd, line->bytes + line->length, READ_STEP, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    line->length += (size_t) got;
    if (line->body == 0 && !read_head(line))
        return -1;
    line->bytes[line->length] = '\0';
    if (line->stream && line->body > 0 && line->whole == 0)
        return 0;
    if (line->whole == 0 || line->length < line->whole)
        return 0;
    line->busy = false;
    return 1;
}

int
http_wait(HttpLine *line, int msec)
{
    struct pollfd entry = {.fd = line->fd, .events = POLLIN};
    int got = 0;

    while (got == 0) {
        if (poll(&entry, 1, msec) == 0)
            return 0;
        got = http_take(line);
    }
    return got;
}

const char *
http_body(const HttpLine *line)
{
    return line->bytes + line->body;
}

const char *
http_next_line(HttpLine *line, size_t *at)
{
    char *start, *end;

    if (line->body == 0 || !line->bytes || *at >= line->length)
        return NULL;
    start = line->bytes + *at;
    end = memchr(start, '\n', line->length - *at);
    if (!end)
        return NULL;
    *at = (size_t) (end - line->bytes) + 1;
    *end = '\0';
    if (end > start && end[-1] == '\r')
        end[-1] = '\0';
    return start;
}

void
http_drop(HttpLine *line, size_t at)
{
    memmove(line->bytes, line->bytes + at, line->length - at);
    line->length -= at;
}

static const char *
after_key(const char *text, const char *key)
{
    size_t length = strlen(key);

    for (const char *at = strchr(text, '"'); at; at = strchr(at + 1, '"'))
        if (strncmp(at + 1, key, length) == 0 && at[1 + length] == '"'
            && at[2 + length] == ':') {
            at += 3 + length;
            while (isspace((unsigned char) *at))
                at++;
            return at;
        }
    return NULL;
}

int64_t
http_number(const char *text, const char *key)
{
    const char *at = after_key(text, key);

    return at && isdigit((unsigned char) *at) ? strtoll(at, NULL, 10) : -1;
}

bool
http_says(const char *text, const char *key, const char *value)
{
    const char *at = after_key(text, key);
    size_t length = strlen(value);

    return at && *at == '"' && strncmp(at + 1, value, length) == 0 && at[1 + length] == '"';
}
