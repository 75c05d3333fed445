/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the meter core share. Nothing outside this directory includes it. */
#pragma once

#include "edge/meter/meter.h"
#include "edge/meter/outbox.h"
#include "lib/base/buf.h"
#include "lib/wire/nbr.h"

#define COMMAND_CACHE 64 /* transactions remembered, so that nothing is executed twice */

/* Waiting times 1, 2, 4 ... 64 s plus up to 50 % random (docs/protocol.md 3.6). */
struct meter_retry {
    uint64_t due_us; /* 0 = not armed */
    uint32_t tries;
};

/* An answer that is not to be computed again. Reading commands have no block: asked again they are
 * read again. */
struct cached {
    uint32_t transaction;
    uint8_t command[NBR_COMMAND_BYTES];
    uint8_t block[NBR_RESPONSE_BYTES];
    bool has_block;
};

struct meter {
    struct meter_options o;
    struct host host;
    enum meter_state state;
    struct meter_stats stats;

    uint64_t link;
    bool linked;
    bool blocked; /* the link is full */

    struct session session;
    struct hello *hello; /* owned, only while a HELLO is under way */
    uint8_t epoch;       /* of the newest HELLO */
    uint32_t hello_tries;
    uint64_t hello_due_us;   /* 0 = not armed */
    uint64_t hint_after_us;  /* no CLOSE hint is followed before this time */
    uint64_t lifetime_us;    /* when the session is to be replaced */
    uint32_t silent_tries;   /* retransmissions since the last good frame */
    uint32_t silences;       /* HELLOs that silence caused since the last progress */
    uint64_t silence_after_us; /* no further one before this time */

    struct outbox outbox;
    uint32_t sent;    /* leading records of the outbox that are under way */
    uint32_t allowed; /* how many may be: 1 after silence, doubling up to the window */
    uint32_t acked;   /* highest sequence acknowledged */
    uint32_t reached; /* highest sequence ever sent */
    struct meter_retry report_retry;

    struct seals seals;
    uint32_t seals_sent; /* leading unacknowledged seals that are under way */
    struct meter_retry seal_retry;

    uint32_t base_sequence; /* sequence and end of a slot: all others follow from it */
    uint32_t base_end_s;
    uint32_t last_end_s; /* of the newest interval; 0 = none */
    struct meter_registers registers;
    struct meter_registers before; /* registers before the newest interval */
    struct record last;            /* the newest record */

    int64_t clock_offset_s; /* meter's clock = host's + this */
    bool clock_unset;
    uint16_t next_status;   /* bits for the running interval */
    uint16_t after_status;  /* and for the one behind it */

    struct cached *cache[COMMAND_CACHE];
    uint32_t cache_next;
    struct buf frame; /* the frame being made */
};

uint32_t meter_clock_s(const struct meter *m);
void meter_retry_arm(struct meter *m, struct meter_retry *r, uint64_t now_us);

/* Seals a body into a frame and hands it to the link. ERR_LIMIT: the link is full. ERR_AGAIN: there
 * is no session or link. */
err meter_send(struct meter *m, enum envelope_type type, uint8_t flags, uint32_t transaction,
               struct bytes body) MUST_USE;
err meter_send_signal(struct meter *m, enum nbr_signal signal, uint8_t reason,
                      uint32_t transaction, uint32_t value) MUST_USE;

/* outgoing.c: reports and seals on their way. */
void outgoing_reset(struct meter *m); /* a new session: everything unacknowledged is sent again */
void outgoing_pump(struct meter *m, uint64_t now_us);
void outgoing_ack(struct meter *m, uint64_t now_us, uint32_t sequence);
void outgoing_seal_ack(struct meter *m, uint64_t now_us, uint32_t end_s);
void outgoing_slow_down(struct meter *m, uint64_t now_us);
/* Handles what is due; tells whether the other side stayed silent for too long. */
bool outgoing_tick(struct meter *m, uint64_t now_us);
struct report meter_report_of(const struct meter *m, const struct record *r);

/* commands.c: a command block that came through the session. */
void commands_take(struct meter *m, uint64_t now_us, uint32_t transaction, struct bytes block);
