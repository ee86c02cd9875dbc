/* A connection to lpard's socket that asks one thing at a time: plain bytes, no library, so that
 * two hundred of them cost less than what they measure. */
#ifndef LP_BENCH_LOAD_HTTP_H
#define LP_BENCH_LOAD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than any answer that is asked for. */
#define HTTP_ANSWER_MAX (1024 * 1024)

typedef struct {
    int fd;
    bool busy;                    /* an answer is due */
    bool stream;                  /* the answer has no end: its lines are told one by one */
    char *bytes;                  /* what has come, owned */
    size_t length, size;
    size_t body, whole;           /* where the body begins, and where it ends; 0: not known yet */
    int status;                   /* of the answer */
    void *user;
} HttpLine;

/* false: nobody serves there. */
bool http_try(HttpLine *line, const char *path);
/* Connects, or ends the program. */
void http_open(HttpLine *line, const char *path);
void http_close(HttpLine *line);
/* Sends a request (`body` NULL: none); false: the connection broke. */
bool http_ask(HttpLine *line, const char *method, const char *target, const char *body);
/* The same with an Idempotency-Key. */
bool http_ask_once(HttpLine *line, const char *method, const char *target, const char *body,
                   const char *key);
/* Takes what is there.  1: an answer is whole (its body is http_body(), good until the next
 * http_ask()); 0: not yet; -1: the connection broke or the answer makes no sense. */
int http_take(HttpLine *line);
/* Until it is whole, broken, or the time is up (0). */
int http_wait(HttpLine *line, int msec);
const char *http_body(const HttpLine *line);
/* Of a stream: the next whole line, without its end, or NULL; good until the next http_take(). */
const char *http_next_line(HttpLine *line, size_t *at);
/* Drops the lines that were read. */
void http_drop(HttpLine *line, size_t at);

/* The number after `"key": ` in a text, or -1. */
int64_t http_number(const char *text, const char *key);
/* Whether `"key": "value"` is in a text, with or without the blank. */
bool http_says(const char *text, const char *key, const char *value);

#endif
