/* SPDX-License-Identifier: Apache-2.0 */
/* Inside lib/wire only: from the agreed secret to the keys of both directions (docs/protocol.md
 * 3.3). */
#pragma once

#include "lib/crypto/hash.h"
#include "lib/wire/session.h"

#define SESSION_SECRET_BYTES 32

struct session_secret {
    uint8_t secret[SESSION_SECRET_BYTES];
    uint8_t nonces[2 * SESSION_NONCE_BYTES]; /* of the meter, then of the collector */
    struct digest transcript;                /* over the whole HELLO and HELLO-OK frames */
    size_t key_bytes;                        /* 16 or 32, by suite */
};

/* Meter to collector, and collector to meter; counters start at 0. */
err session_keys_derive(const struct session_secret *s, struct session_keys *out_m2c,
                        struct session_keys *out_c2m) MUST_USE;
void session_secret_done(struct session_secret *s); /* wipes */
