/* Which lpard is asked, and as whom: a socket on this machine, or over the network with a
 * certificate. */
#ifndef LP_CTL_REMOTE_H
#define LP_CTL_REMOTE_H

#include <gio/gio.h>
#include <stdbool.h>

/* As given on the command line; NULL: not. */
typedef struct {
    const char *socket, *url, *certificate, *key, *authority;
} LpCtlWay;

typedef struct {
    char *base;                   /* "https://host:port" */
    GTlsCertificate *certificate; /* NULL: none */
    GTlsDatabase *authority;      /* NULL: the system's */
} LpCtlRemote;

/* What is not given comes from $LPARD_URL, $LPARD_CERT, $LPARD_CERT_KEY, $LPARD_CA.  NULL without
 * *error: the socket is meant.  Caller frees. */
LpCtlRemote *lp_ctl_remote_new(const LpCtlWay *way, GError **error);
void lp_ctl_remote_free(LpCtlRemote *remote);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpCtlRemote, lp_ctl_remote_free)

/* What is wrong with the certificate that lpard showed, and what to do. */
const char *lp_ctl_remote_distrust(GTlsCertificateFlags flags);

#endif
