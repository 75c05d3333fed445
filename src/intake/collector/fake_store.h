/* SPDX-License-Identifier: Apache-2.0 */
/* For tests and the simulation: a store in memory that answers when it is told to, can fail with or
 * without having written, and survives the crash of its collector. */
#pragma once

#include "intake/collector/collector.h"
#include "lib/base/map.h"

#define FAKE_REQUESTS_MAX 1024

enum fake_kind { FAKE_WRITE, FAKE_LOOKUP, FAKE_RECOVER };

struct fake_request {
    uint8_t kind;
    uint64_t tag;
    uint64_t meter;
    struct collector_batch *batch;
    uint64_t due_us; /* for whoever plays time */
};

struct fake_reading {
    struct {
        uint64_t meter;
        uint64_t end_s;
    } key;
    struct record record;
    uint8_t quality;
    bool map_full;
    UT_hash_handle hh;
};

struct fake_seal {
    struct sealed_day day;
    struct fake_seal *next;
};

struct fake_gap {
    struct gap_row row;
    struct fake_gap *next;
};

struct fake_event {
    struct event_row row;
    struct fake_event *next;
};

struct fake_meter { /* of the register */
    uint64_t meter;
    uint8_t suite;
    uint8_t spki[SPKI_BYTES_MAX];
    size_t spki_size;
    uint8_t signing[SPKI_BYTES_MAX];
    size_t signing_size;
    struct fake_seal *seals; /* ascending by day */
    struct fake_gap *gaps;
    bool map_full;
    UT_hash_handle hh;
};

struct fake_store {
    struct collector_store store; /* give this to the collector */
    struct fake_request requests[FAKE_REQUESTS_MAX];
    size_t request_count;
    struct fake_reading *readings;
    struct fake_meter *meters;
    struct fake_event *events; /* newest first */
    uint64_t (*due_us)(void *arg); /* when a request is to be answered; NULL: 0 */
    void *arg;
};

void fake_store_init(struct fake_store *f);
void fake_store_done(struct fake_store *f);
void fake_store_register(struct fake_store *f, uint64_t meter, uint8_t suite,
                         const struct public_key *session, const struct public_key *signing);

/* Answers request `at`. `result` not OK: it failed; `applied`: but what it wrote is there. */
void fake_store_answer(struct fake_store *f, struct collector *c, uint64_t now_us, size_t at,
                       err result, bool applied);
/* Answers everything with OK until nothing is asked any more. */
void fake_store_answer_all(struct fake_store *f, struct collector *c, uint64_t now_us);
/* The collector is gone. What is under way is written if `applied`, and never answered. */
void fake_store_abandon(struct fake_store *f, size_t at, bool applied);

const struct fake_reading *fake_store_reading(const struct fake_store *f, uint64_t meter,
                                              uint32_t end_s);
size_t fake_store_readings(const struct fake_store *f);
struct fake_meter *fake_store_meter(const struct fake_store *f, uint64_t meter);
bool fake_store_missing(const struct fake_store *f, uint64_t meter, uint32_t sequence);
size_t fake_store_events(const struct fake_store *f, const char *code);
