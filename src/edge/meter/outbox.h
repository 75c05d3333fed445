/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of records that are not acknowledged yet, in sequence order, and the ranges of
 * sequences that will never be had, with their reason (docs/protocol.md 3.6).
 *
 * Memory grows with what is kept, up to `max` records. A full ring gives its oldest record away:
 * that one is "overwritten" from then on. */
#pragma once

#include "lib/wire/record.h"

#define OUTBOX_GAPS_MAX 64

enum missing_reason { /* of lib/wire/record.h's struct report */
    MISSING_NO_POWER = 1,
    MISSING_OVERWRITTEN = 2,
    MISSING_ERASED = 3,
    MISSING_NEVER = 4,
};

struct outbox_gap {
    uint32_t first;
    uint32_t last;
    uint8_t reason;
};

struct outbox {
    uint8_t (*slots)[RECORD_BYTES]; /* owned; a ring */
    uint32_t cap;
    uint32_t max;
    uint32_t head;   /* slot of the oldest */
    uint32_t count;
    uint32_t oldest; /* sequences held; 0, 0 when nothing was ever put */
    uint32_t newest; /* of the last record or gap, also after it was acknowledged */
    struct outbox_gap gaps[OUTBOX_GAPS_MAX];
    uint32_t gap_count;
    uint64_t overwritten; /* records given away so far */
};

void outbox_init(struct outbox *o, uint32_t max);
void outbox_done(struct outbox *o);

/* Sequences must grow. ERR_LIMIT: no memory; nothing was put. */
err outbox_put(struct outbox *o, const struct record *r) MUST_USE;
/* Sequences first to last were not recorded. The oldest of too many ranges is forgotten. */
void outbox_gap(struct outbox *o, uint32_t first, uint32_t last, enum missing_reason reason);
/* Takes a slot of the ring for a sequence that was not recorded, so that the other side is told
 * without asking. The same errors and order as for outbox_put. */
err outbox_put_missing(struct outbox *o, uint32_t sequence, enum missing_reason reason) MUST_USE;
/* Forgets everything up to `sequence`; tells how many slots came free, and how many of these were
 * records. */
uint32_t outbox_ack(struct outbox *o, uint32_t sequence, uint32_t *out_records);

/* The i-th slot kept, from the oldest; i < count. A record; or of version 0: see
 * outbox_missing_of. */
struct bytes outbox_at(const struct outbox *o, uint32_t i);
/* The reason in a slot without a record; 0 in one with. */
uint8_t outbox_missing_of(struct bytes slot, uint32_t *out_sequence);
/* The record of a sequence, or NULL and why there is none. */
const uint8_t *outbox_find(const struct outbox *o, uint32_t sequence, uint8_t *out_reason);
