/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 certificates (RFC 5280): made for the development PKI and for meters, checked by the audit.
 *
 * TLS checks its own chains in lib/net; this is for certificates that are data: a meter's signing
 * key certified by the metrology institute, read years later and offline. */
#pragma once

#include "lib/crypto/sign.h"

#define CERT_PEM_BYTES_MAX 16384
#define CERT_NAME_BYTES_MAX 64

enum cert_use {
    CERT_CA,      /* signs others; path length 0 */
    CERT_SERVICE, /* TLS server and client of our services; names: the role and localhost, 127.0.0.1
                   */
    CERT_METER,   /* a meter's metrology signing key; the common name is its id, 16 hex digits */
};

struct cert_request {
    enum cert_use use;
    const char *common_name; /* at most 64 octets; a service's is its role: "kvs", "sql" ... */
    int64_t not_before_s;    /* UTC */
    int64_t not_after_s;
};

/* A role has a-z, 0-9, '-' and '.' only, a meter id is in lower case: ERR_PROTO otherwise.
 *
 * PEM of a certificate for `subject`, signed by `issuer` (the subject's own private key and a NULL
 * issuer_pem for a root). Serial numbers are 16 random octets. Appends to `out`.
 * ERR_AUTH when the issuer is no CA, or its key is not that of its certificate. */
err cert_issue(const struct cert_request *request, const struct public_key *subject,
               const struct private_key *issuer, struct bytes issuer_pem, struct buf *out) MUST_USE;

struct cert; /* opaque, one parsed certificate */

err cert_from_pem(struct bytes pem, struct cert **out) MUST_USE; /* exactly one; gives */
void cert_free(struct cert *c);
void cert_freep(struct cert **c);

err cert_public_key(const struct cert *c, struct public_key **out) MUST_USE; /* gives */
/* NUL-terminated; ERR_PROTO when there is none, more than one, or it has a NUL inside; ERR_LIMIT
 * when it does not fit. */
err cert_common_name(const struct cert *c, char *out, size_t size) MUST_USE;
struct digest cert_hash(const struct cert *c); /* SHA-256 of its DER */
void cert_validity(const struct cert *c, int64_t *not_before_s, int64_t *not_after_s);

/* That `issuer` (a CA) signed `c`, and that `c` was valid at `at_s`. ERR_AUTH with the reason.
 * The clock of the machine is never asked. */
err cert_check(const struct cert *c, const struct cert *issuer, int64_t at_s) MUST_USE;
