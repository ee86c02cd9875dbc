/* The Unix socket that the API is served on. */
#ifndef LP_LPARD_API_SOCKET_H
#define LP_LPARD_API_SOCKET_H

#include <gio/gio.h>

/* Bound and listening, open to all users (the role decides what each may).  A socket that
 * nobody answers on any more is replaced; if somebody does: LP_ERROR_CONFLICT. */
GSocket *lp_api_socket_listen(const char *path, GError **error);

#endif
