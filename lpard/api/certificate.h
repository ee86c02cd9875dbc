/* Who holds a certificate. */
#ifndef LP_LPARD_API_CERTIFICATE_H
#define LP_LPARD_API_CERTIFICATE_H

#include <gio/gio.h>

#include "lpard/api/access.h"

/* Longer ones are nobody's name (X.520 allows 64). */
#define LP_COMMON_NAME_MAX 64

/* Who holds it, of one whose chain was verified; false: it is not for clients.  The common name is
 * the only one in it, if it is printable text.  ret_peer: lp_peer_clear(). */
bool lp_certificate_peer(GTlsCertificate *certificate, LpPeer *ret_peer, GError **error);

/* Why it was not accepted, as a sentence's end: "has expired"; static. */
const char *lp_certificate_wrong(GTlsCertificateFlags flags);

#endif
