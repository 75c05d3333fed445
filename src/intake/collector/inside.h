/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the collector share; nobody else includes it. */
#pragma once

#include "intake/collector/collector.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/service/inlet.h"
#include "lib/service/outlet.h"
#include "lib/wire/intake.h"
#include "lib/wire/session.h"
#include "lib/wire/tables.h"

#define METER_WAITING_MAX 40 /* blocks of one meter that wait for its state */
#define SEALS_WAITING_MAX 8  /* of one meter: their readings are not all there yet */

struct auth_link {
    struct collector *owner;
    uint64_t id;
    struct inlet inlet;
    struct outlet down;
    bool dirty;
    struct auth_link *dirty_next;
    bool map_full;
    UT_hash_handle hh;
};

enum event_code { /* codes of table event */
    EVENT_CONFLICT,
    EVENT_RECORD,
    EVENT_CLOCK,
    EVENT_INNER_CRC,
    EVENT_INNER_SERIAL,
    EVENT_OCCURRENCE,
    EVENT_SEAL,
    EVENT_CODE_COUNT
};

enum meter_state {
    METER_QUEUED,     /* its state is to be read from the store */
    METER_RECOVERING, /* is being read */
    METER_READY,
};

struct waiting_block {
    struct waiting_block *next;
    uint8_t type;
    uint8_t flags;
    uint32_t transaction;
    uint8_t block[NBR_RESPONSE_BYTES];
};

struct waiting_seal {
    struct waiting_seal *next;
    uint64_t since_us;
    struct sealed_day day;
};

struct ask { /* a request for missing reports */
    uint32_t transaction; /* 0 = none under way */
    uint32_t last;        /* of the range asked for */
    uint64_t until_us;    /* when it is given up; between two, when the next may go */
    uint8_t attempts;     /* without any success */
};

struct meter {
    uint64_t id;
    uint64_t link; /* of the authenticator that has its session; may be gone */
    uint8_t state;
    bool based;       /* the store has something of it, or will have */
    bool touched;     /* an acknowledgement is due */
    bool seal_due;    /* and one of seals */
    bool seal_flying; /* a seal is on its way to the store */
    bool has_seal;
    uint16_t spki_size;
    uint32_t newest; /* the meter holds reports up to this one */
    struct ranges settled;
    struct reading_row *flying; /* on their way to the store */
    uint32_t seal_end_s;        /* the newest stored seal */
    uint32_t seal_last;
    struct digest seal_hash;
    struct seal_parts *parts;
    struct waiting_seal *seals; /* ascending by day */
    uint8_t *spki;              /* of the signing key */
    struct waiting_block *waiting;
    size_t waiting_count;
    struct ask ask;
    uint64_t hole_since_us;
    uint32_t hole_mark; /* the mark at that time */
    bool in_holes;
    uint32_t event_s[EVENT_CODE_COUNT];
    struct meter *queue_next; /* of those whose state is to be read */
    struct meter *hole_prev, *hole_next;
    struct meter *touched_next;
    bool map_full;
    UT_hash_handle hh;
};

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_FLYING, SLOT_RETRY };

struct slot { /* one batch; tag = generation and index */
    struct collector_batch batch;
    uint8_t state;
    uint32_t generation;
    uint32_t attempts;
    uint64_t at_us; /* filling: since when; retry: when */
};

struct request { /* a lookup or a recovery at the store */
    bool used;
    bool recover;
    bool retry; /* the store could not: again at at_us */
    uint32_t generation;
    uint32_t attempts;
    uint64_t at_us;
    uint64_t meter;
    uint64_t link; /* of a lookup: who asked */
};

#define REQUESTS_MAX (COLLECTOR_LOOKUPS_MAX + COLLECTOR_RECOVERS_MAX)

struct collector {
    struct host host;
    struct collector_store store;
    struct collector_options options;
    struct auth_link *links;
    struct auth_link *dirty;
    struct meter *meters;
    struct meter *queue_first; /* whose state is to be read */
    struct meter *queue_last;
    struct meter *holes;
    struct meter *touched;
    size_t waiting_count;
    struct slot *slots; /* COLLECTOR_BATCHES_MAX */
    struct slot *filling;
    struct request *requests; /* REQUESTS_MAX: lookups first, then recoveries */
    size_t lookups, recovers;
    bool holding;
    uint64_t now_us;
    uint64_t sweep_us;
    uint32_t event_number;
    uint64_t counts[COLLECTOR_COUNT];
};

uint32_t collector_now_s(const struct collector *c);
uint64_t collector_backoff_us(uint32_t attempts); /* 100 ms, doubled up to 10 s */

/* collector.c */
void collector_send(struct collector *c, uint64_t link, const struct intake_message *m);
void collector_done_call(struct collector *c); /* at the end of each call from outside */
void collector_resume(struct collector *c);    /* something became possible again */

/* batches.c */
bool batches_have_room(struct collector *c); /* for one more of each kind of row */
void batches_reading(struct collector *c, struct meter *m, const struct record *r, uint8_t quality,
                     bool look_only);
void batches_gap(struct collector *c, struct meter *m, uint32_t first, uint32_t last,
                 uint8_t reason);
bool batches_seal(struct collector *c, const struct sealed_day *day); /* false: no room now */
void batches_event(struct collector *c, struct meter *m, enum event_code code, int64_t value);
void batches_tick(struct collector *c);
uint64_t batches_wake_us(const struct collector *c); /* UINT64_MAX: never */

/* meters.c */
struct meter *meters_find(const struct collector *c, uint64_t id);
/* The meter spoke over this link; makes its state. NULL: too many. */
struct meter *meters_heard(struct collector *c, uint64_t id, uint64_t link);
void meters_recovered(struct collector *c, struct meter *m, const struct recovery *r);
void meters_wait(struct collector *c, struct meter *m, const struct intake_message *block);
void meters_free_all(struct collector *c);
void meters_touch(struct collector *c, struct meter *m); /* to be acknowledged */
void meters_acknowledge(struct collector *c);            /* all that are touched */

/* requests.c */
bool requests_have_room(const struct collector *c);
void requests_lookup(struct collector *c, uint64_t meter, uint64_t link);
void requests_recover_next(struct collector *c);
void requests_tick(struct collector *c);
uint64_t requests_wake_us(const struct collector *c);

/* reports.c */
void reports_block(struct collector *c, struct meter *m, const struct intake_message *block);

/* seals.c */
void seals_part(struct collector *c, struct meter *m, struct bytes block);
void seals_try(struct collector *c, struct meter *m); /* the next one may be ready */
void seals_stored(struct collector *c, struct meter *m, const struct seal_row *row);

/* gaps.c */
#define GAPS_SWEEP_US US_PER_S /* how often holes are looked at */
void gaps_look(struct collector *c, struct meter *m); /* something changed: is there a hole? */
void gaps_signal(struct collector *c, struct meter *m, uint32_t transaction,
                 const struct signal *s);
void gaps_answered(struct collector *c, struct meter *m, uint32_t transaction);
void gaps_tick(struct collector *c);
void gaps_forget(struct collector *c, struct meter *m);
/* Sends a command: 0xE2 with this sub-code and parameters behind it. Gives its transaction. */
uint32_t gaps_command(struct collector *c, struct meter *m, uint8_t subcode,
                      struct bytes parameters);
