/* SPDX-License-Identifier: Apache-2.0 */
/* The collector: takes clear blocks from authenticators, validates and orders reports, fills holes,
 * and writes rows. A report or seal is acknowledged only when the store has said that it, and all
 * before it, is durable or known missing.
 *
 * After a restart nothing is remembered: the state of a meter is read from the store at its first
 * word. When the store fails, batches are kept and written again, and nothing more is read from the
 * authenticators. paper: Smart metering applications, MDC. */
#pragma once

#include "intake/collector/store.h"
#include "lib/service/core.h"

#define COLLECTOR_LINKS_MAX 256
#define COLLECTOR_METERS_MAX 262144
#define COLLECTOR_BATCHES_MAX 9        /* under way, and the one being filled */
#define COLLECTOR_BATCH_US 20000       /* a batch waits at most this long for more rows */
#define COLLECTOR_LOOKUPS_MAX 512      /* under way at the store */
#define COLLECTOR_RECOVERS_MAX 64      /* under way at the store */
#define COLLECTOR_WAITING_MAX 32768    /* blocks of meters whose state is being read */
#define COLLECTOR_FUTURE_S 600         /* a report further ahead than this is suspect */

/* Beside the meter's own reasons (lib/wire/record.h). */
#define GAP_REFUSED 5 /* another report of the meter has its time stamp and was first */

enum collector_count {
    COLLECTOR_READINGS,    /* stored */
    COLLECTOR_DUPLICATES,  /* the same again */
    COLLECTOR_CONFLICTS,   /* same key, other content */
    COLLECTOR_SUSPECT,     /* stored, but not billed until somebody decides */
    COLLECTOR_BAD_RECORDS, /* refused */
    COLLECTOR_MISSING,     /* sequences known missing */
    COLLECTOR_SEALS,       /* stored */
    COLLECTOR_BAD_SEALS,   /* form, signature or chain */
    COLLECTOR_EVENTS,
    COLLECTOR_EVENTS_LOST, /* no room for them */
    COLLECTOR_ACKS,
    COLLECTOR_GAP_REQUESTS,
    COLLECTOR_CLOCKS_SET,
    COLLECTOR_RECOVERED,   /* meters whose state was read from the store */
    COLLECTOR_UNKNOWN,     /* words of meters that are not in the register */
    COLLECTOR_WAITING_LOST,
    COLLECTOR_STORE_FAILURES,
    COLLECTOR_HOLDS,
    COLLECTOR_COUNT
};
const char *collector_count_name(enum collector_count c);

struct collector_options {
    size_t meters_max;     /* 0 = COLLECTOR_METERS_MAX */
    size_t links_max;      /* 0 = COLLECTOR_LINKS_MAX */
    uint32_t reader;       /* serial number of this reader in command blocks, six decimal digits */
    uint64_t hole_wait_us; /* how long a hole may stay before it is asked for; 0 = 20 s */
};

struct collector;
err collector_new(const struct host *host, const struct collector_store *store,
                  const struct collector_options *options, struct collector **out) MUST_USE;
void collector_free(struct collector *c); /* the store must not answer any more */

extern const struct core_ops collector_ops; /* every link is an authenticator's */

/* Answers of the store. `e` not OK: it could not; the core tries again. */
void collector_written(struct collector *c, uint64_t now_us, uint64_t tag, err e);
void collector_looked_up(struct collector *c, uint64_t now_us, uint64_t tag, err e,
                         const struct register_entry *entry /* NULL: no such meter */);
void collector_recovered(struct collector *c, uint64_t now_us, uint64_t tag, err e,
                         const struct recovery *r);

/* Writes what waits for a fuller batch. True: the store has nothing to answer any more. */
bool collector_flush(struct collector *c, uint64_t now_us);

const uint64_t *collector_counts(const struct collector *c);
size_t collector_meters(const struct collector *c);
size_t collector_batches(const struct collector *c); /* under way */
/* The acknowledged mark of a meter; 0 when it is not known yet. For tests and status. */
uint32_t collector_mark(const struct collector *c, uint64_t meter);
