/* SPDX-License-Identifier: Apache-2.0 */
/* One end of a TLS connection without a socket: sealed octets in, sealed octets out. For lib/net.
 *
 * OpenSSL reads through a BIO of ours straight from the buffer of the current read and writes
 * straight into the buffer of the current flush, so an idle connection keeps no buffers at all. */
#pragma once

#include <openssl/ssl.h>

#include "lib/base/buf.h"
#include "lib/net/tls.h"

#define TLS_ROLE_BYTES_MAX 64 /* of a common name, RFC 5280 A.1 */
#define TLS_RECORD_BYTES_MAX (16u << 10)

struct tls_conn {
    SSL *ssl;
    struct bytes in; /* not yet read by OpenSSL; borrowed during a call */
    struct buf *out; /* where sealed octets go; borrowed during a call */
    const char *const *roles; /* borrowed; NULL = any of our CA */
};

enum tls_end { TLS_CLIENT, TLS_SERVER };

struct tls_conn_options {
    enum tls_end end;
    const char *const *peer_roles; /* borrowed for the life of the connection */
    bool peer_optional;            /* server: no certificate is fine */
};

/* The struct must not move until tls_conn_done. */
err tls_conn_init(struct tls_conn *c, const struct tls *t, const struct tls_conn_options *options)
    MUST_USE;
void tls_conn_done(struct tls_conn *c);

/* Each takes sealed octets from c->in as it needs, and appends what is to be sent to `out`, also
 * when it fails (an alert). ERR_AUTH: a certificate is missing, wrong or of a role that is not
 * accepted; ERR_PROTO: anything else that breaks TLS. */
err tls_conn_handshake(struct tls_conn *c, struct buf *out, bool *done) MUST_USE;
/* Clear octets into `to`; *n is 0 when more input is needed, *ended after an orderly end. */
err tls_conn_read(struct tls_conn *c, struct buf *out, uint8_t *to, size_t size, size_t *n,
                  bool *ended) MUST_USE;
/* Seals all of `clear`. */
err tls_conn_write(struct tls_conn *c, struct bytes clear, struct buf *out) MUST_USE;
void tls_conn_bye(struct tls_conn *c, struct buf *out); /* the close_notify alert */

/* Common name of the peer's certificate, "" without one; after the handshake. */
err tls_conn_peer(const struct tls_conn *c, char out[TLS_ROLE_BYTES_MAX + 1]) MUST_USE;
