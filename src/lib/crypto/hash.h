/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, HMAC-SHA-256 and HKDF-SHA-256 (FIPS 180-4, RFC 2104, RFC 5869). */
#pragma once

#include "lib/base/bytes.h"
#include "lib/crypto/secret.h"

#define DIGEST_BYTES 32

struct digest {
    uint8_t octets[DIGEST_BYTES];
};

#define DIGEST_VIEW(d) ((struct bytes){ (d)->octets, DIGEST_BYTES })

/* Over the parts in order, as if they were one text. Cannot fail. */
struct digest sha256(struct bytes text);
struct digest sha256_parts(const struct bytes *parts, size_t count);

/* SHA-256("label" 00 text): our hashes of documents carry their domain (docs/protocol.md 2.3,
 * 7). */
struct digest sha256_domain(const char *label, struct bytes text);

bool digest_equal(const struct digest *a, const struct digest *b);
bool digest_is_zero(const struct digest *d);

/* A running hash, for texts that come in pieces. `hash_finish` leaves it ready for a new text. */
struct hash;
err hash_new(struct hash **out) MUST_USE;
void hash_free(struct hash *h);
void hash_freep(struct hash **h);
void hash_add(struct hash *h, struct bytes part);
struct digest hash_finish(struct hash *h);

struct digest hmac_sha256(struct bytes key, struct bytes text);

/* RFC 5869: extract and expand. Sizes past these, or an empty secret, are ERR_LIMIT. */
#define HKDF_OUT_BYTES_MAX (255 * 32)
#define HKDF_INFO_BYTES_MAX 1024
err hkdf_sha256(struct bytes salt, struct bytes secret, struct bytes info, uint8_t *out,
                size_t out_size) MUST_USE;
/* The expand step alone, for keys derived from a uniform key. */
err hkdf_expand_sha256(const struct key *from, struct bytes info, uint8_t *out,
                       size_t out_size) MUST_USE;
