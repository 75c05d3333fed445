/* SPDX-License-Identifier: Apache-2.0 */
/* Inside lib/wire only: the suites, and the common form of HELLO and HELLO-OK
 * (docs/protocol.md 3.3).
 *
 *     header 28 | suite 1 | small 1 | half 2 | UTC 4 | collector key id 8 | meter key id 8 | nonce
 * 32 | share length 2 | share | signature length 2 | signature */
#pragma once

#include "lib/crypto/sign.h"
#include "lib/wire/session.h"

struct suite_rule {
    uint8_t suite;
    enum sign_alg alg;           /* of both sides */
    size_t key_bytes;            /* of the AEAD */
    size_t hello_share_bytes;    /* OAEP ciphertext, or ephemeral public key */
    size_t hello_ok_share_bytes; /* nothing, or ephemeral public key */
};

/* NULL for a suite that is not in the table. */
const struct suite_rule *suite_find(uint8_t suite);

struct handshake {
    const struct suite_rule *rule;
    enum envelope_type type; /* HELLO or HELLO_OK */
    uint8_t epoch;
    uint64_t meter;
    uint8_t small; /* HELLO: clock flags; HELLO-OK: window */
    uint16_t half; /* HELLO: zero; HELLO-OK: lifetime in hours */
    uint32_t utc_s;
    uint64_t collector_key_id;
    uint64_t meter_key_id;
    uint8_t nonce[SESSION_NONCE_BYTES];
    struct bytes share;     /* borrowed */
    struct bytes signature; /* borrowed */
};

/* ERR_PROTO, naming the field; lengths must be exactly those of the suite. */
err handshake_parse(struct bytes frame, enum envelope_type type, struct handshake *out) MUST_USE;

/* Writes the whole frame and signs it. `hello` is the HELLO frame when this is the answer to it.
 * `out` has ENVELOPE_FRAME_BYTES_MAX octets. */
err handshake_make(const struct handshake *h, struct bytes hello, const struct private_key *own,
                   uint8_t *out, size_t *out_size) MUST_USE;

/* That `peer` has signed the parsed `frame`. ERR_AUTH. */
err handshake_verify(const struct handshake *h, struct bytes hello, struct bytes frame,
                     const struct public_key *peer) MUST_USE;
