/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 only (RFC 8446), mutual between services: each side shows a certificate of our CA whose
 * common name is its role ("collector", "sql", ...), and each side says which roles it accepts.
 * HTTP clients with an API key may come without a certificate where a listener allows it. */
#pragma once

#include "lib/base/bytes.h"

struct tls; /* one per service: certificate, key, CA; shared by all its connections */

struct tls_files { /* PEM; the key file must not be readable by others (ERR_AUTH) */
    const char *certificate;
    const char *key;
    const char *ca;
};

/* ERR_MISSING names the file that is absent; ERR_AUTH a key that does not fit its certificate. */
err tls_new(const struct tls_files *files, struct tls **out) MUST_USE; /* gives */
/* A client without a certificate of its own: trusts `ca_file`, proves itself by an API key. */
err tls_new_anonymous(const char *ca_file, struct tls **out) MUST_USE;
void tls_free(struct tls *t);
