/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a meter between a fake host and a collector side made of lib/wire/session.h. Frames of
 * the meter wait in a row until the test lets the other side have them. */
#pragma once

#include "edge/meter/meter.h"
#include "edge/meter/outbox.h"
#include "lib/base/clock.h"
#include "lib/base/rand.h"
#include "lib/base/test.h"
#include "lib/wire/nbr.h"

#define SIDE_FRAMES_MAX 512
#define SIDE_REPORTS_MAX 4096
#define SIDE_SEALS_MAX 64
#define SIDE_ANSWERS_MAX 256
#define SIDE_METER UINT64_C(0x0000000012345678)
#define SIDE_DAY 1763780400 /* 2025-11-22 03:00 UTC: midnight of the metering zone */
#define SIDE_LINK 7

struct side_keys { /* made once: RSA keys take their time */
    struct private_key *meter, *signing, *collector;
    struct public_key *meter_public, *signing_public, *collector_public;
};

struct side_answer {
    uint8_t type; /* RSP or SIG */
    uint8_t flags;
    uint32_t transaction;
    uint8_t block[NBR_RESPONSE_BYTES];
    struct signal signal;
};

struct side {
    struct side_keys *keys;
    struct meter *meter;
    struct aead *aead;
    uint64_t now_us;
    uint64_t utc_us;
    uint64_t wake_us;
    struct rand64 random;
    /* the link */
    uint8_t *frames[SIDE_FRAMES_MAX];
    size_t frame_bytes[SIDE_FRAMES_MAX];
    size_t frame_count;
    enum err_code send_fails; /* ERR_NONE: it works */
    /* the collector side */
    struct session session;
    struct session old;
    bool has_session;
    uint8_t lifetime_hours;
    bool deaf; /* takes frames and does nothing */
    bool acks; /* acknowledges reports and seals at once */
    struct report reports[SIDE_REPORTS_MAX];
    size_t report_count;
    struct seal_parts parts;
    struct sealed_day seals[SIDE_SEALS_MAX];
    size_t seal_count;
    struct side_answer answers[SIDE_ANSWERS_MAX];
    size_t answer_count;
    size_t hellos, enqs;
    uint32_t acked;
};

int side_keys_setup(void **state);
int side_keys_teardown(void **state);

struct meter_options side_options(const struct side *s);
/* A side with a meter of these options (NULL = plain), not linked. */
void side_start(struct side *s, struct side_keys *keys, const struct meter_options *o);
void side_done(struct side *s);

void side_link(struct side *s);      /* link up */
void side_open(struct side *s);      /* link up, handshake, all frames taken */
void side_take(struct side *s);      /* lets the collector side have every waiting frame */
void side_drop(struct side *s);      /* loses every waiting frame */
void side_advance(struct side *s, uint64_t us); /* time passes, timers fire, nothing is taken */

/* Frames to the meter. */
void side_send(struct side *s, enum envelope_type type, uint32_t transaction, struct bytes body);
void side_ack(struct side *s, uint32_t sequence);
void side_ack_seal(struct side *s, uint32_t end_s);
void side_close_hint(struct side *s);
/* A command block: code, then `size` octets from offset 4; CRC made. */
void side_command(struct side *s, uint32_t transaction, uint8_t code, const uint8_t *parameters,
                  size_t size);
void side_command_block(uint8_t code, const uint8_t *parameters, size_t size,
                        uint8_t out[NBR_COMMAND_BYTES]);

struct meter_sample side_sample(uint32_t wh);
/* `count` quarter hours on, from the one that ends at `first_end_s`. */
void side_intervals(struct side *s, uint32_t first_end_s, uint32_t count);
