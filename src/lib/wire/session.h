/* SPDX-License-Identifier: Apache-2.0 */
/* The end-to-end session between a meter and the collector side (docs/protocol.md 3.3, 3.5): HELLO
 * and HELLO-OK, keys, sealing and opening of frames, counters. Both sides are here; neither does
 * I/O.
 *
 * Nonce = direction salt 4 | counter 8; the counter only grows within an epoch, and keys are fresh
 * for each epoch, so no nonce is used twice under a key. */
#pragma once

#include "lib/crypto/aead.h"
#include "lib/crypto/agree.h"
#include "lib/wire/envelope.h"

enum suite {                    /* a property of the meter, never negotiated */
             SUITE_RSA2048 = 1, /* OAEP, AES-128-GCM: the paper's scheme, no forward secrecy */
             SUITE_X25519_RSA2048 = 3, /* ECDHE, AES-128-GCM: the default */
};

#define SESSION_NONCE_BYTES 32
#define SESSION_LIFETIME_HOURS 24
#define SESSION_FRAMES_MAX (UINT64_C(1) << 32) /* in one direction; then a new HELLO is due */
#define HELLO_CLOCK_UNSET 0x01

/* One direction of a session. */
struct session_keys {
    struct key key;
    uint8_t salt[4];
    uint64_t counter; /* highest used (sending) or accepted (receiving) */
    uint64_t window;  /* receiving: bit i = counter - i was seen (collector side) */
};

struct session {
    uint64_t meter;
    uint8_t epoch;
    uint8_t suite;
    struct session_keys send;
    struct session_keys receive;
};

void session_done(struct session *s); /* wipes */

/* Seals `body` into a whole frame with the next counter; appends to `out`. ERR_LIMIT after
 * SESSION_FRAMES_MAX; ERR_PROTO for a body or flags that the type cannot have. A session must not
 * be copied and both copies be sealed with: their counters would give the same nonces. */
err session_seal(struct session *s, struct aead *a, enum envelope_type type, uint8_t flags,
                 uint32_t transaction, struct bytes body, struct buf *out) MUST_USE;

enum counter_rule {
    COUNTER_WINDOW, /* collector side: sliding window of 64, relays may reorder */
    COUNTER_STRICT, /* meter side: strictly increasing, commands move a relay */
};

/* Why a frame was refused: a closed set, one metric label each. */
enum session_refusal {
    REFUSED_NOT,
    REFUSED_TAG,
    REFUSED_REPLAY,
    REFUSED_LOWERED,
    REFUSED_EPOCH,
    REFUSED_FORM,
    REFUSED_COUNT
};
const char *session_refusal_name(enum session_refusal r);

/* Checks counter and tag; `out` has frame.len - header - tag octets. On failure ERR_AUTH or
 * ERR_PROTO, *why says it, and no state has changed. A counter that the window has seen is a
 * replay, one below the window (or below the highest, COUNTER_STRICT) is lowered. */
err session_open(struct session *s, struct aead *a, enum counter_rule rule,
                 const struct envelope *e, struct bytes frame, uint8_t *out,
                 enum session_refusal *why) MUST_USE;

/* --- meter side --- */

struct hello { /* what the meter keeps between HELLO and HELLO-OK; wiped by hello_done */
    uint64_t meter;
    uint8_t epoch;
    uint8_t suite;
    uint8_t nonce[SESSION_NONCE_BYTES];
    uint8_t secret[32]; /* suite 1: the OAEP secret */
    struct x25519_pair ephemeral;
    uint8_t frame[ENVELOPE_FRAME_BYTES_MAX];
    size_t frame_size;
};

struct hello_parameters {
    uint64_t meter;
    uint8_t epoch; /* of the session to be, +1 modulo 256 at each HELLO */
    uint8_t suite;
    uint8_t clock_flags; /* HELLO_CLOCK_UNSET or 0 */
    uint32_t utc_s;
};

/* Makes the HELLO frame in out->frame. `own` signs; `collector` is the key the meter was given. */
err hello_make(const struct hello_parameters *p, const struct private_key *own,
               const struct public_key *collector, struct hello *out) MUST_USE;
void hello_done(struct hello *h);

struct hello_ok {
    uint8_t window;
    uint16_t lifetime_hours;
    uint32_t utc_s; /* the collector's clock */
};
/* Checks the answer and derives the keys. ERR_AUTH, ERR_PROTO. */
err hello_ok_check(const struct hello *h, const struct private_key *own,
                   const struct public_key *collector, struct bytes frame, struct hello_ok *out_ok,
                   struct session *out) MUST_USE;

/* --- collector side --- */

struct hello_claims { /* what a HELLO says before anything of it is believed */
    uint8_t suite;
    uint8_t clock_flags;
    uint32_t utc_s;
    uint64_t collector_key_id;
    uint64_t meter_key_id;
    uint8_t nonce[SESSION_NONCE_BYTES];
};
/* Form and exact length only: cheap, before any cryptography. */
err hello_claims_parse(struct bytes frame, struct hello_claims *out) MUST_USE;

/* That the meter has signed this HELLO, and no more: one verification. ERR_AUTH, ERR_PROTO. */
err hello_check(struct bytes frame, const struct public_key *meter,
                const struct private_key *own) MUST_USE;

/* Verifies the signature, then opens or agrees the secret, and makes the HELLO-OK frame (appended
 * to `out_frame`) and the session. The caller has checked suite, key ids, time and nonce. */
err hello_accept(struct bytes frame, const struct public_key *meter, const struct private_key *own,
                 const struct hello_ok *answer, struct buf *out_frame,
                 struct session *out) MUST_USE;
