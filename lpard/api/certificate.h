/* Who holds a certificate. */
#ifndef LP_LPARD_API_CERTIFICATE_H
#define LP_LPARD_API_CERTIFICATE_H

#include <gio/gio.h>

#include "lpard/api/access.h"

/* Longer ones are nobody's name (X.520 allows 64). */
#define LP_COMMON_NAME_MAX 64

/* The one common name in a distinguished name as RFC 4514 writes it ("CN=ops,O=Example"); NULL
 * where there is none, several, or one that is no printable text.  Pure; caller frees. */
char *lp_common_name(const char *distinguished_name);

/* Of a certificate that was verified.  ret_peer: lp_peer_clear(). */
void lp_certificate_peer(GTlsCertificate *certificate, LpPeer *ret_peer);

/* Why it was not accepted, as a sentence's end: "has expired"; static. */
const char *lp_certificate_wrong(GTlsCertificateFlags flags);

#endif
