/* A made-up lpard: answers as it is told, and keeps what it was asked. */
#ifndef LP_TEST_CTL_SERVER_H
#define LP_TEST_CTL_SERVER_H

#include <glib.h>

typedef struct FakeServer FakeServer;

FakeServer *fake_server_new(void);
void fake_server_free(FakeServer *server);
const char *fake_server_socket(const FakeServer *server);

/* The next answer, in order; without one it is a 500.  Status 0: none for ever. */
void fake_server_answer(FakeServer *server, unsigned status, const char *body);
/* Waits until a request is being held so. */
void fake_server_await_held(FakeServer *server);
/* The requests since the last call, one a line: "METHOD path?query body key". */
char *fake_server_asked(FakeServer *server);

/* Instead of HTTP: each connection gets `bytes`, `times` over, and is closed. */
FakeServer *fake_server_new_raw(const char *bytes, guint times);

/* lparctl's run with `arguments` (split at blanks; a word may be in single quotes). */
typedef struct {
    int status;
    char *out, *err;
} Ran;
Ran run_lparctl(const FakeServer *server, const char *arguments);
/* The same, but sends `signal` as soon as a request is held. */
Ran run_lparctl_signal(FakeServer *server, const char *arguments, int signal);
void ran_clear(Ran *ran);

#endif
