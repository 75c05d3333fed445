/* SPDX-License-Identifier: Apache-2.0 */
/* AES-GCM with a 12-octet nonce and the full 16-octet tag (SP 800-38D), AES key wrap (RFC 3394).
 *
 * The caller owns the nonce rule: under one key no nonce is ever used for two texts. Each place
 * that seals says how it keeps that rule. */
#pragma once

#include "lib/crypto/secret.h"

#define AEAD_NONCE_BYTES 12
#define AEAD_TAG_BYTES 16
#define AEAD_TEXT_BYTES_MAX (1 << 30) /* of one text, and of its associated data */

/* A reusable cipher context: one per thread or connection, not shared between threads. The key is
 * given on each call, so that thousands of sessions need no context of their own; giving the same
 * key again is cheap. */
struct aead;
err aead_new(struct aead **out) MUST_USE;
void aead_free(struct aead *a);
void aead_freep(struct aead **a);

/* `out` has plain.len + AEAD_TAG_BYTES octets: ciphertext, then tag. In place is allowed. */
err aead_seal(struct aead *a, const struct key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
              struct bytes aad, struct bytes plain, uint8_t *out) MUST_USE;

/* `sealed` is ciphertext and tag; `out` has sealed.len - AEAD_TAG_BYTES octets. A wrong tag, or an
 * input shorter than a tag, is ERR_AUTH, and `out` is zeroed. */
err aead_open(struct aead *a, const struct key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
              struct bytes aad, struct bytes sealed, uint8_t *out) MUST_USE;

/* RFC 3394. Wrapping a 32-octet key gives 40 octets. Unwrapping under another key is
 * ERR_AUTH, another length ERR_PROTO. */
#define KEY_WRAPPED_BYTES 40
err key_wrap(const struct key *kek, const struct key *k, uint8_t out[KEY_WRAPPED_BYTES]) MUST_USE;
err key_unwrap(const struct key *kek, struct bytes wrapped, struct key *out) MUST_USE;
