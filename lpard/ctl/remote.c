#include "lpard/ctl/remote.h"

#include <string.h>

#include "lpard/ctl/ctl.h"

static const char *
given(const char *option, const char *variable)
{
    const char *value = option ? option : g_getenv(variable);

    return value && *value ? value : NULL;
}

/* "https://HOST:PORT", without anything behind it but a slash; caller frees. */
static char *
read_url(const char *text, GError **error)
{
    g_autoptr(GUri) uri = g_uri_parse(text, G_URI_FLAGS_NONE, NULL);

    if (uri && strcmp(g_uri_get_scheme(uri), "https") == 0 && g_uri_get_host(uri) &&
        *g_uri_get_host(uri) && g_uri_get_port(uri) > 0 && !g_uri_get_userinfo(uri) &&
        !g_uri_get_query(uri) && !g_uri_get_fragment(uri) &&
        (!*g_uri_get_path(uri) || strcmp(g_uri_get_path(uri), "/") == 0))
        return g_uri_join(G_URI_FLAGS_NONE, "https", NULL, g_uri_get_host(uri),
                          g_uri_get_port(uri), "", NULL, NULL);
    lp_ctl_error(error, LP_CTL_EXIT_USAGE, "%s is not where an lpard can be: write --url "
                 "https://HOST:PORT", text);
    return NULL;
}

static bool
has_key(GTlsCertificate *certificate)
{
    g_autofree char *key = NULL;

    g_object_get(certificate, "private-key-pem", &key, NULL);
    return key != NULL;
}

static bool
load(LpCtlRemote *remote, const char *certificate, const char *key, const char *authority,
     GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (certificate) {
        remote->certificate = key ? g_tls_certificate_new_from_files(certificate, key, &cause)
                                  : g_tls_certificate_new_from_file(certificate, &cause);
        if (!remote->certificate) {
            lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                         "the certificate %s%s%s cannot be used: %s", certificate,
                         key ? " with the key " : "", key ? key : "", cause->message);
            return false;
        }
    }
    if (remote->certificate && !has_key(remote->certificate)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "there is no key in %s: name its file with "
                     "--cert-key", certificate);
        return false;
    }
    if (authority) {
        /* GLib takes no relative path here. */
        g_autofree char *path = g_canonicalize_filename(authority, NULL);

        remote->authority = g_tls_file_database_new(path, &cause);
        if (!remote->authority) {
            lp_ctl_error(error, LP_CTL_EXIT_USAGE, "the authority %s cannot be used: %s",
                         authority, cause->message);
            return false;
        }
    }
    return true;
}

LpCtlRemote *
lp_ctl_remote_new(const LpCtlWay *way, GError **error)
{
    g_autoptr(LpCtlRemote) remote = NULL;
    const char *url = way->socket ? NULL : given(way->url, "LPARD_URL");

    if (!url && (way->certificate || way->key || way->authority)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--cert, --cert-key and --ca go with --url: on its "
                     "socket lpard knows you by your user");
        return NULL;
    }
    if (!url)
        return NULL;
    if (!g_tls_backend_supports_tls(g_tls_backend_get_default())) {
        lp_ctl_error(error, LP_CTL_EXIT_ERROR, "%s needs TLS, and GLib has none here: install "
                     "the package glib-networking", url);
        return NULL;
    }
    remote = g_new0(LpCtlRemote, 1);
    remote->base = read_url(url, error);
    if (!remote->base || !load(remote, given(way->certificate, "LPARD_CERT"),
                               given(way->key, "LPARD_CERT_KEY"),
                               given(way->authority, "LPARD_CA"), error))
        return NULL;
    return g_steal_pointer(&remote);
}

void
lp_ctl_remote_free(LpCtlRemote *remote)
{
    if (!remote)
        return;
    g_free(remote->base);
    g_clear_object(&remote->certificate);
    g_clear_object(&remote->authority);
    g_free(remote);
}

const char *
lp_ctl_remote_distrust(GTlsCertificateFlags flags)
{
    if (flags & G_TLS_CERTIFICATE_UNKNOWN_CA)
        return "is signed by nobody that is trusted here: name the authority's file with --ca";
    if (flags & G_TLS_CERTIFICATE_BAD_IDENTITY)
        return "is for another host: write the name in --url that it was made for";
    if (flags & G_TLS_CERTIFICATE_EXPIRED)
        return "has expired: lpard's host needs a new one";
    if (flags & G_TLS_CERTIFICATE_NOT_ACTIVATED)
        return "is not valid yet: compare the clocks";
    return "cannot be trusted: see `openssl s_client -connect HOST:PORT`";
}
