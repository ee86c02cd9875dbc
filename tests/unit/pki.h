/* Certificates for tests, made by openssl(1): NAME.pem and NAME.key in a directory. */
#ifndef LP_TESTS_PKI_H
#define LP_TESTS_PKI_H

#include <gio/gio.h>

/* A self-signed authority. */
void pki_authority(const char *dir, const char *name);
/* `subject` as "/CN=ops"; `usage` as "clientAuth" or "serverAuth", the latter for 127.0.0.1;
 * `days` it is good for, negative: it ended so long ago. */
void pki_issue(const char *dir, const char *name, const char *authority, const char *subject,
               const char *usage, int days);
/* With its key; the caller's. */
GTlsCertificate *pki_load(const char *dir, const char *name);
/* SHA-256, as openssl prints it. */
char *pki_fingerprint(const char *dir, const char *name);

#endif
