/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to a shared secret: RSA-OAEP (SHA-256, with label) and X25519 (RFC 8017, RFC 7748). */
#pragma once

#include "lib/crypto/sign.h"

#define OAEP_LABEL_BYTES_MAX 256

/* `out` has the size of the modulus: 256 or 384 octets. The key must be RSA, else ERR_PROTO. */
err oaep_seal(const struct public_key *to, struct bytes label, struct bytes secret, uint8_t *out,
              size_t out_size) MUST_USE;
/* ERR_AUTH for a ciphertext of another key or label, or a secret of another size. */
err oaep_open(const struct private_key *own, struct bytes label, struct bytes sealed, uint8_t *out,
              size_t out_size) MUST_USE;

#define X25519_BYTES 32
struct x25519_pair {
    uint8_t secret[X25519_BYTES];
    uint8_t shared_part[X25519_BYTES]; /* the public value */
};
err x25519_new(struct x25519_pair *out) MUST_USE;
/* ERR_AUTH when the result is all zero, i.e. the peer's value is of small order. */
err x25519_agree(const struct x25519_pair *own, const uint8_t peer[X25519_BYTES],
                 uint8_t out[X25519_BYTES]) MUST_USE;
