#include "tests/unit/pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *
run(const char *dir, const char *command)
{
    g_auto(GStrv) words = NULL;
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;
    g_autoptr(GError) error = NULL;
    int status = 0;

    if (!g_shell_parse_argv(command, NULL, &words, &error) ||
        !g_spawn_sync(dir, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status,
                      &error) ||
        !g_spawn_check_wait_status(status, &error)) {
        fprintf(stderr, "%s: %s\n%s(the package openssl is needed)\n", command, error->message,
                err ? err : "");
        abort();
    }
    return g_steal_pointer(&out);
}

void
pki_authority(const char *dir, const char *name)
{
    g_autofree char *command = g_strdup_printf(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
        "-keyout %s.key -out %s.pem -subj '/CN=%s'", name, name, name);

    g_free(run(dir, command));
}

void
pki_issue(const char *dir, const char *name, const char *authority, const char *subject,
          const char *usage, int days)
{
    g_autofree char *request = g_strdup_printf(
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key "
        "-out %s.csr -multivalue-rdn -subj '%s'", name, name, subject);
    g_autofree char *sign = g_strdup_printf(
        "openssl x509 -req -in %s.csr -CA %s.pem -CAkey %s.key -days %d -out %s.pem "
        "-extfile %s.ext", name, authority, authority, days, name, name);
    g_autofree char *extensions = g_strdup_printf(
        "extendedKeyUsage=%s\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n", usage);
    g_autofree char *path = g_strdup_printf("%s/%s.ext", dir, name);

    if (!g_file_set_contents(path, extensions, -1, NULL))
        abort();
    g_free(run(dir, request));
    g_free(run(dir, sign));
}

GTlsCertificate *
pki_load(const char *dir, const char *name)
{
    g_autofree char *certificate = g_strdup_printf("%s/%s.pem", dir, name);
    g_autofree char *key = g_strdup_printf("%s/%s.key", dir, name);
    g_autoptr(GError) error = NULL;
    GTlsCertificate *loaded = g_tls_certificate_new_from_files(certificate, key, &error);

    if (!loaded) {
        fprintf(stderr, "%s\n", error->message);
        abort();
    }
    return loaded;
}

char *
pki_fingerprint(const char *dir, const char *name)
{
    g_autofree char *command =
        g_strdup_printf("openssl x509 -in %s.pem -noout -fingerprint -sha256", name);
    g_autofree char *line = run(dir, command);

    return g_strdup(g_strstrip(strchr(line, '=') + 1));
}
