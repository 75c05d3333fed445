/* SPDX-License-Identifier: Apache-2.0 */
/* What the collector asks of its store. Calls return at once; the answer comes later, as a call of
 * the core (collector.h), never from inside the request. Every request is answered exactly once. */
#pragma once

#include "intake/collector/ranges.h"
#include "lib/wire/record.h"
#include "lib/wire/seal.h"

#define BATCH_READINGS_MAX 500
#define BATCH_SEALS_MAX 64
#define BATCH_GAPS_MAX 500
#define BATCH_EVENTS_MAX 128

enum row_outcome {
    ROW_OPEN,   /* not known: the write failed or is under way */
    ROW_STORED, /* it was new and is durable now */
    ROW_SAME,   /* the very same was there */
    ROW_OTHER,  /* something else is there under its key, and stays */
    ROW_ABSENT, /* only for a reading that was only looked for */
};

struct reading_row { /* key: meter and end of the interval */
    struct record record;
    uint8_t quality;      /* enum quality */
    bool look_only;       /* its sequence is settled: compare, do not store */
    uint8_t outcome;      /* enum row_outcome; by the store */
    uint32_t other;       /* ROW_OTHER: the sequence of the one that is there; by the store */
    struct reading_row *next; /* of the meter, while under way; the core's */
};

struct seal_row { /* key: meter and end of the day */
    struct sealed_day day;
    uint8_t outcome;
};

struct gap_row { /* key: meter and first */
    uint64_t meter;
    uint32_t first;
    uint32_t last;
    uint8_t reason;
    uint32_t stored_last; /* what is there now for this key; by the store */
};

struct event_row { /* key: meter, second, number */
    uint64_t meter;
    uint32_t at_s;
    uint32_t number;
    const char *code; /* a constant */
    int64_t value;
};

/* One write: all of it is durable, or nothing is known. Writing it again is harmless. */
struct collector_batch {
    size_t reading_count;
    size_t seal_count;
    size_t gap_count;
    size_t event_count;
    struct reading_row readings[BATCH_READINGS_MAX];
    struct seal_row seals[BATCH_SEALS_MAX];
    struct gap_row gaps[BATCH_GAPS_MAX];
    struct event_row events[BATCH_EVENTS_MAX];
};

struct register_entry { /* for the session */
    uint8_t suite;
    struct bytes spki; /* borrowed until return */
};

struct recovery { /* what the store has of a meter */
    bool known;                /* it is in the register */
    struct bytes signing_spki; /* borrowed, as all here; empty: seals cannot be checked */
    bool has_seal;             /* the newest seal: all up to its last sequence is settled */
    struct seal seal;
    /* What is stored or known missing behind that seal (or at all, without one), any order. Nothing
     * may be left out: a meter no longer has what was acknowledged. */
    const struct range *settled;
    size_t settled_count;
};

struct collector_store {
    void *self;
    /* Borrows the batch until collector_written(tag). */
    void (*write)(void *self, struct collector_batch *batch, uint64_t tag);
    void (*lookup)(void *self, uint64_t meter, uint64_t tag);  /* collector_looked_up */
    void (*recover)(void *self, uint64_t meter, uint64_t tag); /* collector_recovered */
};
