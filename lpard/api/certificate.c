#include "lpard/api/certificate.h"

#include <string.h>

static bool
is_end(char c)
{
    return c == '\0' || c == ',' || c == '+' || c == ';';
}

/* Appends what a backslash at *at stands for, and goes past it. */
static bool
unescape(const char **at, GString *value)
{
    const char *c = *at + 1;

    if (g_ascii_isxdigit(c[0]) && g_ascii_isxdigit(c[1])) {
        g_string_append_c(value, (char)(g_ascii_xdigit_value(c[0]) * 16 +
                                        g_ascii_xdigit_value(c[1])));
        *at = c + 2;
        return true;
    }
    if (!*c)
        return false;
    g_string_append_c(value, *c);
    *at = c + 1;
    return true;
}

/* One attribute from *at to its end; false: not as RFC 4514 writes one. */
static bool
read_attribute(const char **at, GString *type, GString *value)
{
    const char *equals;
    size_t kept = 0;              /* length with the last blank that was escaped */

    while (**at == ' ')
        (*at)++;
    equals = *at + strcspn(*at, "=,+;");
    if (*equals != '=')
        return false;
    g_string_append_len(type, *at, equals - *at);
    for (*at = equals + 1; **at == ' ';)
        (*at)++;
    /* Bytes in hexadecimal: nobody's name. */
    if (**at == '#')
        return false;
    while (!is_end(**at)) {
        if (**at == '\\') {
            if (!unescape(at, value))
                return false;
            kept = value->len;
        } else {
            g_string_append_c(value, *(*at)++);
        }
    }
    while (value->len > kept && value->str[value->len - 1] == ' ')
        g_string_truncate(value, value->len - 1);
    return true;
}

/* Text that can stand in a message and be told from any other. */
static bool
is_name(const GString *value)
{
    if (value->len == 0 || value->len > LP_COMMON_NAME_MAX ||
        !g_utf8_validate(value->str, (gssize)value->len, NULL))
        return false;
    /* A zero byte within has made it invalid above. */
    for (char *c = value->str; *c; c = g_utf8_next_char(c)) {
        if (!g_unichar_isprint(g_utf8_get_char(c)))
            return false;
    }
    return true;
}

char *
lp_common_name(const char *distinguished_name)
{
    const char *at = distinguished_name;
    g_autofree char *name = NULL;

    while (*at) {
        g_autoptr(GString) type = g_string_new(NULL);
        g_autoptr(GString) value = g_string_new(NULL);

        if (!read_attribute(&at, type, value))
            return NULL;
        if (g_ascii_strcasecmp(type->str, "CN") == 0 || strcmp(type->str, "2.5.4.3") == 0) {
            /* Which of two was meant is not ours to guess. */
            if (name || !is_name(value))
                return NULL;
            name = g_strdup(value->str);
        }
        if (*at)
            at++;
    }
    return g_steal_pointer(&name);
}

void
lp_certificate_peer(GTlsCertificate *certificate, LpPeer *ret_peer)
{
    g_autoptr(GByteArray) der = NULL;
    g_autofree char *subject = NULL;

    g_object_get(certificate, "certificate", &der, "subject-name", &subject, NULL);
    /* Nobody's user number: what is a certificate's has no user. */
    *ret_peer = (LpPeer){.uid = (uid_t)-1};
    ret_peer->fingerprint = g_compute_checksum_for_data(G_CHECKSUM_SHA256, der->data, der->len);
    ret_peer->common_name = subject ? lp_common_name(subject) : NULL;
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
    return "is not one for a client: get one with the extended key usage clientAuth";
}
