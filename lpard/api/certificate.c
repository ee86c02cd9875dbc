#include "lpard/api/certificate.h"

#include <gnutls/x509.h>
#include <string.h>

#include "lpard/error.h"

/* Text that can stand in a message and be told from any other. */
static bool
is_name(const char *text, size_t length)
{
    if (length == 0 || length > LP_COMMON_NAME_MAX ||
        !g_utf8_validate(text, (gssize)length, NULL))
        return false;
    for (const char *at = text; at < text + length;) {
        gunichar c = g_utf8_get_char(at);

        if (!g_unichar_isprint(c))
            return false;
        at += g_unichar_to_utf8(c, NULL);
    }
    return true;
}

/* The only one; caller frees. */
static char *
common_name(gnutls_x509_crt_t read)
{
    char text[LP_COMMON_NAME_MAX + 1], other[LP_COMMON_NAME_MAX + 1];
    size_t length = sizeof text, other_length = sizeof other;

    if (gnutls_x509_crt_get_dn_by_oid(read, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text,
                                      &length) < 0 || !is_name(text, length))
        return NULL;
    /* Which of two was meant is not ours to guess. */
    if (gnutls_x509_crt_get_dn_by_oid(read, GNUTLS_OID_X520_COMMON_NAME, 1, 0, other,
                                      &other_length) != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return NULL;
    return g_strndup(text, length);
}

bool
lp_certificate_peer(GTlsCertificate *certificate, LpPeer *ret_peer, GError **error)
{
    g_autoptr(GByteArray) der = NULL;
    gnutls_datum_t bytes;
    gnutls_x509_crt_t read;
    bool good;

    /* Nobody's user number: what is a certificate's has no user. */
    *ret_peer = (LpPeer){.uid = (uid_t)-1};
    g_object_get(certificate, "certificate", &der, NULL);
    bytes = (gnutls_datum_t){.data = der->data, .size = der->len};
    if (gnutls_x509_crt_init(&read) < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "the certificate cannot be read");
        return false;
    }
    /* GLib's own verification does not look at what a certificate is for. */
    good = gnutls_x509_crt_import(read, &bytes, GNUTLS_X509_FMT_DER) >= 0 &&
           gnutls_x509_crt_check_key_purpose(read, GNUTLS_KP_TLS_WWW_CLIENT, 0);
    if (good) {
        ret_peer->fingerprint = g_compute_checksum_for_data(G_CHECKSUM_SHA256, der->data,
                                                            der->len);
        ret_peer->common_name = common_name(read);
    } else {
        g_set_error(error, LP_ERROR, LP_ERROR_FORBIDDEN,
                    "the certificate is not one for a client: get one with the extended key "
                    "usage clientAuth");
    }
    gnutls_x509_crt_deinit(read);
    return good;
}

const char *
lp_certificate_wrong(GTlsCertificateFlags flags)
{
    if (flags & G_TLS_CERTIFICATE_EXPIRED)
        return "has expired: get a new one";
    if (flags & G_TLS_CERTIFICATE_NOT_ACTIVATED)
        return "is not valid yet: compare the clocks, or wait";
    if (flags & G_TLS_CERTIFICATE_REVOKED)
        return "was revoked: get a new one";
    if (flags & G_TLS_CERTIFICATE_UNKNOWN_CA)
        return "is not signed by the authority that lpard trusts (`ca =` under [tls] in "
               "lpard.conf): get one from there";
    if (flags & G_TLS_CERTIFICATE_INSECURE)
        return "is made with an algorithm that is not secure any more: get a new one";
    return "cannot be verified: `openssl verify -CAfile CA FILE` may say more";
}
