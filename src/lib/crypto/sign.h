/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures and key pairs: RSA-2048 and RSA-3072 with PSS (SHA-256, MGF1-SHA-256, salt 32),
 * ECDSA P-256 with SHA-256 (signature as r | s, 64 octets, fixed size).
 *
 * Keys are parsed once and kept: decoding costs more than verifying. */
#pragma once

#include "lib/base/buf.h"
#include "lib/crypto/hash.h"

enum sign_alg { /* the numbers of the seal body, docs/protocol.md 2.3 */
                SIGN_RSA2048 = 1,
                SIGN_P256 = 2,
                SIGN_RSA3072 = 3,
};

#define SIGNATURE_BYTES_MAX 384
#define SPKI_BYTES_MAX 512

struct signature {
    uint8_t octets[SIGNATURE_BYTES_MAX];
    size_t size; /* 256, 64 or 384 */
};

/* 256, 64 or 384; 0 for a number that is no algorithm. */
size_t signature_bytes(enum sign_alg alg);

struct private_key; /* opaque; wiped when freed */
struct public_key;  /* opaque */

err private_key_new(enum sign_alg alg, struct private_key **out) MUST_USE; /* a fresh pair; gives */
/* PKCS#8 PEM, not encrypted: such files are 0600. ERR_PROTO if it is none of the three kinds. */
err private_key_from_pem(struct bytes pem, struct private_key **out) MUST_USE;
err private_key_to_pem(const struct private_key *k, struct buf *out) MUST_USE;
enum sign_alg private_key_alg(const struct private_key *k);
uint64_t private_key_id(const struct private_key *k); /* public_key_id of its public key */
void private_key_free(struct private_key *k);
void private_key_freep(struct private_key **k);

err public_key_of(const struct private_key *k, struct public_key **out) MUST_USE; /* gives */
/* DER SubjectPublicKeyInfo. ERR_PROTO if it is none of the three kinds or has octets behind it. */
err public_key_from_spki(struct bytes der, struct public_key **out) MUST_USE;
err public_key_to_spki(const struct public_key *k, struct buf *out) MUST_USE;
enum sign_alg public_key_alg(const struct public_key *k);
/* First 8 octets of SHA-256 of the SubjectPublicKeyInfo: the key id of docs/protocol.md 3.3. */
uint64_t public_key_id(const struct public_key *k);
void public_key_free(struct public_key *k);
void public_key_freep(struct public_key **k);

err sign(const struct private_key *k, struct bytes text, struct signature *out) MUST_USE;
/* ERR_AUTH when the signature is not of this key and text, or of another size. */
err verify(const struct public_key *k, struct bytes text, struct bytes signature) MUST_USE;
