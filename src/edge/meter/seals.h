/* SPDX-License-Identifier: Apache-2.0 */
/* The meter's daily seals: the day that runs, and the sealed days that are not acknowledged yet
 * (docs/protocol.md 2.3). A day is a civil day of the metering zone, here a fixed offset from
 * UTC. */
#pragma once

#include "edge/meter/sample.h"
#include "lib/wire/seal.h"

#define SEALS_KEPT_MAX 4096 /* days; the oldest beyond it can no longer be read again */

struct seals_options {
    uint64_t meter;
    const struct private_key *key; /* borrowed; its algorithm is `alg` */
    enum sign_alg alg;
    uint32_t key_epoch; /* +1 per certified signing key of the meter */
    int32_t zone_offset_s;
};

/* Where a meter stands at the end of a sealed day. Zeroed = a new meter. */
struct meter_past {
    uint32_t sequence; /* the last of that day */
    uint32_t end_s;    /* the end of that day */
    struct meter_registers registers;
    struct digest previous; /* hash of its seal */
};

struct seals {
    struct seals_options options;
    struct meter_past past; /* of the newest sealed day */
    uint32_t day_start_s;   /* of the day that runs */
    uint32_t day_end_s;     /* 0 = no day runs yet */
    uint32_t count;         /* records in it so far */
    struct merkle tree;
    struct sealed_day *days; /* owned; unacknowledged, oldest first */
    uint32_t day_count;
    uint32_t day_cap;
    uint32_t acked_s; /* all days up to this end are stored */
};

void seals_init(struct seals *s, const struct seals_options *o, const struct meter_past *past);
void seals_done(struct seals *s);

/* Begins the day that holds the interval ending at `end_s`, when none runs yet. */
void seals_begin(struct seals *s, uint32_t end_s);
/* Takes a record of the running day. */
err seals_add(struct seals *s, const struct record *r) MUST_USE;
/* Signs the running day, whose last slot has `sequence`, and begins the next. On failure the day
 * still runs. */
err seals_close(struct seals *s, uint32_t sequence, const struct meter_registers *registers)
    MUST_USE;

/* All days that end at or before `end_s` are stored. */
void seals_ack(struct seals *s, uint32_t end_s);
