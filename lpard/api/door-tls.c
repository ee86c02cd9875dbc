/* TLS: who comes over the network shows a certificate, and gets no further without one that is
 * signed by the one authority that lpard trusts and is named in lpard.conf. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>

#include "lpard/api/certificate.h"
#include "lpard/api/door-priv.h"
#include "lpard/error.h"

/* The library shakes hands in a worker thread, of which there are ten for all its purposes:
 * slow strangers must not have them all. */
#define SHAKING_MAX 6

struct LpTls {
    GTlsCertificate *certificate;
    GTlsDatabase *authority;
};

GSocketAddress *
lp_tls_address(const char *text, GError **error)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = colon ? g_strndup(text, (gsize)(colon - text)) : NULL;
    GSocketAddress *address = NULL;
    guint64 port;

    if (host && g_ascii_string_to_unsigned(colon + 1, 10, 0, G_MAXUINT16, &port, NULL)) {
        size_t length = strlen(host);
        bool is_v6 = length > 2 && host[0] == '[' && host[length - 1] == ']';

        if (is_v6)
            host[length - 1] = '\0';
        if (is_v6 == (strchr(host, ':') != NULL))
            address = g_inet_socket_address_new_from_string(host + (is_v6 ? 1 : 0), (guint)port);
    }
    if (!address)
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "[tls] listen = %s: write a numeric address and a port, as 127.0.0.1:16510 "
                    "or [::1]:16510", text);
    return address;
}

/* Whoever reads the key can be lpard to all who trust it. */
static bool
key_is_private(const char *path, GError **error)
{
    struct stat status;

    if (stat(path, &status) < 0 || !(status.st_mode & S_IRWXO))
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                "[tls] key = %s: every user can read it; `chmod o= %s`, and have a new one made "
                "if somebody may have read it", path, path);
    return false;
}

LpTls *
lp_tls_new(const LpSettings *settings, GError **error)
{
    g_autoptr(GError) failure = NULL;
    LpTls *tls;

    if (!g_tls_backend_supports_tls(g_tls_backend_get_default())) {
        g_set_error(error, LP_ERROR, LP_ERROR_UNSUPPORTED,
                    "[tls] cannot be served: GLib has no TLS; install the package "
                    "glib-networking");
        return NULL;
    }
    if (!key_is_private(settings->tls_key, error))
        return NULL;
    tls = g_new0(LpTls, 1);
    tls->certificate = g_tls_certificate_new_from_files(settings->tls_certificate,
                                                        settings->tls_key, &failure);
    if (!tls->certificate) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "[tls] certificate = %s, key = %s: %s",
                    settings->tls_certificate, settings->tls_key, failure->message);
    } else {
        tls->authority = g_tls_file_database_new(settings->tls_ca, &failure);
        if (tls->authority)
            return tls;
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "[tls] ca = %s: %s", settings->tls_ca,
                    failure->message);
    }
    lp_tls_free(tls);
    return NULL;
}

void
lp_tls_free(LpTls *tls)
{
    if (!tls)
        return;
    g_clear_object(&tls->certificate);
    g_clear_object(&tls->authority);
    g_free(tls);
}

static void
refuse(LpCaller *caller, unsigned status, const char *detail)
{
    lp_caller_refuse(caller, status, "forbidden", detail);
}

/* The handshake's own word is not asked for: one that takes up an earlier session again does not
 * look at the certificate a second time, and what is trusted is decided in one place. */
static bool
is_trusted(LpCaller *caller, GTlsConnection *connection, GTlsCertificate *certificate)
{
    g_autoptr(GError) error = NULL;
    GTlsCertificateFlags flags = 0;

    if (g_tls_connection_get_protocol_version(connection) < G_TLS_PROTOCOL_VERSION_TLS_1_2) {
        refuse(caller, SOUP_STATUS_FORBIDDEN,
               "TLS is older than 1.2, which is not safe any more: use a newer client");
        return false;
    }
    if (!certificate) {
        refuse(caller, SOUP_STATUS_UNAUTHORIZED,
               "a client certificate is needed, and none came: lparctl takes it with --cert and "
               "--cert-key, curl with --cert and --key");
        return false;
    }
    flags = g_tls_database_verify_chain(caller->door->tls->authority, certificate,
                                        G_TLS_DATABASE_PURPOSE_AUTHENTICATE_CLIENT, NULL, NULL,
                                        G_TLS_DATABASE_VERIFY_NONE, NULL, &error);
    if (flags || error) {
        g_autofree char *detail = g_strdup_printf(
            "the certificate %s", error ? error->message : lp_certificate_wrong(flags));

        refuse(caller, SOUP_STATUS_UNAUTHORIZED, detail);
        return false;
    }
    return true;
}

static void
identify(LpCaller *caller)
{
    GTlsConnection *connection = G_TLS_CONNECTION(caller->stream);
    GTlsCertificate *certificate = g_tls_connection_get_peer_certificate(connection);
    g_autofree char *detail = NULL;
    g_autoptr(GError) error = NULL;
    LpPeer peer = {0};
    LpGrant grant;

    if (!is_trusted(caller, connection, certificate))
        return;
    if (!lp_certificate_peer(certificate, &peer, &error)) {
        refuse(caller, SOUP_STATUS_UNAUTHORIZED, error->message);
        return;
    }
    grant = lp_access_grant(caller->door->access, &peer);
    if (grant.role != LP_ROLE_NONE) {
        lp_door_identified(caller, &peer);
        return;
    }
    g_free(caller->who);
    caller->who = lp_peer_text(&peer);
    detail = g_strdup_printf(
        "the certificate is good, but nobody in lpard.conf: add cert:%s%s to viewers, operators "
        "or admins under [access], or to the members of an owner",
        peer.common_name ? peer.common_name : "sha256:",
        peer.common_name ? "" : peer.fingerprint);
    refuse(caller, SOUP_STATUS_FORBIDDEN, detail);
    lp_peer_clear(&peer);
}

static void
on_hands_shaken(GObject *source, GAsyncResult *result, void *data)
{
    LpCaller *caller = data;
    LpDoor *door = caller->door;
    g_autoptr(GError) error = NULL;
    bool good = g_tls_connection_handshake_finish(G_TLS_CONNECTION(source), result, &error);

    if (door) {
        /* However it ends, drop() is not to count it again. */
        caller->state = LP_CALLER_HEAD;
        door->n_shaking--;
        lp_entrance_open(&door->tcp);
    }
    if (!door || !good)
        lp_caller_close(caller);
    else
        identify(caller);
    lp_caller_unref(caller);
}

/* Bad ones too: they are told why afterwards, in words, and get no further. */
static gboolean
on_certificate(GTlsConnection *connection, GTlsCertificate *certificate,
               GTlsCertificateFlags errors, void *data)
{
    (void)connection, (void)certificate, (void)errors, (void)data;
    return TRUE;
}

void
lp_tls_greet(LpCaller *caller)
{
    LpDoor *door = caller->door;
    g_autoptr(GError) error = NULL;
    GIOStream *stream;

    /* With the authority from the beginning: by default every connection would read the
     * system's certificates first. */
    stream = g_initable_new(g_tls_backend_get_server_connection_type(g_tls_backend_get_default()),
                            NULL, &error, "base-io-stream", caller->stream, "certificate",
                            door->tls->certificate, "database", door->tls->authority,
                            "authentication-mode", G_TLS_AUTHENTICATION_REQUESTED,
                            "require-close-notify", FALSE, NULL);
    if (!stream) {
        lp_caller_close(caller);
        return;
    }
    g_signal_connect(stream, "accept-certificate", G_CALLBACK(on_certificate), NULL);
    g_socket_set_option(caller->socket, IPPROTO_TCP, TCP_NODELAY, TRUE, NULL);
    g_object_unref(caller->stream);
    caller->stream = stream;
    lp_caller_now(caller, LP_CALLER_SHAKING);
    if (++door->n_shaking >= SHAKING_MAX)
        lp_entrance_shut(&door->tcp);
    g_tls_connection_handshake_async(G_TLS_CONNECTION(stream), G_PRIORITY_DEFAULT,
                                     caller->cancellable, on_hands_shaken, lp_caller_ref(caller));
}
