/* The Unix socket that the API is served on. */
#ifndef LP_LPARD_API_SOCKET_H
#define LP_LPARD_API_SOCKET_H

#include <gio/gio.h>

/* Bound and listening: open to all users where `group` is NULL (the role decides what each may),
 * otherwise to root, lpard's own user and that group, given by name or number.  A socket that nobody
 * answers on any more is replaced; if somebody does: LP_ERROR_CONFLICT. */
GSocket *lp_api_socket_listen(const char *path, const char *group, GError **error);

#endif
