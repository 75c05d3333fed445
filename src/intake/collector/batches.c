/* SPDX-License-Identifier: Apache-2.0 */
/* Rows on their way to the store: one batch is filled while others are under way. A batch that the
 * store could not write is kept and written again; nothing of it is acknowledged before. */
#include <assert.h>
#include <utlist.h>

#include "intake/collector/inside.h"

#define GAPS_A_MESSAGE_MAX 2
#define EVENT_PERIOD_S 60 /* one event of a kind and meter */

static const char *const event_names[EVENT_CODE_COUNT] = {
    [EVENT_CONFLICT] = "conflict",
    [EVENT_RECORD] = "record",
    [EVENT_CLOCK] = "clock",
    [EVENT_INNER_CRC] = "inner_crc",
    [EVENT_INNER_SERIAL] = "inner_serial",
    [EVENT_OCCURRENCE] = "occurrence",
    [EVENT_SEAL] = "seal",
};

/* --- slots --- */

static bool has_room(const struct slot *s)
{
    const struct collector_batch *b = &s->batch;

    return b->reading_count < BATCH_READINGS_MAX &&
           b->gap_count + GAPS_A_MESSAGE_MAX <= BATCH_GAPS_MAX;
}

static struct slot *free_slot(const struct collector *c)
{
    for (size_t i = 0; i < COLLECTOR_BATCHES_MAX; i++) {
        if (c->slots[i].state == SLOT_FREE) {
            return &c->slots[i];
        }
    }
    return NULL;
}

bool batches_have_room(struct collector *c)
{
    return (c->filling != NULL && has_room(c->filling)) || free_slot(c) != NULL;
}

static uint64_t tag_of(const struct collector *c, const struct slot *s)
{
    return (uint64_t)s->generation << 32 | (uint64_t)(s - c->slots);
}

static void fly(struct collector *c, struct slot *s)
{
    s->state = SLOT_FLYING;
    c->store.write(c->store.self, &s->batch, tag_of(c, s));
}

static void fly_filling(struct collector *c)
{
    if (c->filling != NULL) {
        struct slot *s = c->filling;
        c->filling = NULL;
        fly(c, s);
    }
}

/* The batch being filled, one with room if that is possible. */
static struct slot *filling(struct collector *c)
{
    if (c->filling != NULL && has_room(c->filling)) {
        return c->filling;
    }
    struct slot *s = free_slot(c);
    if (s == NULL) {
        return c->filling; /* may still have room for other kinds of rows */
    }
    fly_filling(c);
    s->state = SLOT_FILLING;
    s->generation++;
    s->attempts = 0;
    s->at_us = c->now_us;
    s->batch.reading_count = 0;
    s->batch.seal_count = 0;
    s->batch.gap_count = 0;
    s->batch.event_count = 0;
    c->filling = s;
    return s;
}

/* --- rows --- */

void batches_reading(struct collector *c, struct meter *m, const struct record *r, uint8_t quality,
                     bool look_only)
{
    struct slot *s = filling(c);

    if (s == NULL || s->batch.reading_count == BATCH_READINGS_MAX) {
        c->counts[COLLECTOR_WAITING_LOST]++; /* not acknowledged, so it comes again */
        return;
    }
    struct reading_row *row = &s->batch.readings[s->batch.reading_count++];
    *row = (struct reading_row){ .record = *r, .quality = quality, .look_only = look_only };
    LL_PREPEND(m->flying, row);
    if (s->batch.reading_count == BATCH_READINGS_MAX) {
        fly_filling(c);
    }
}

void batches_gap(struct collector *c, struct meter *m, uint32_t first, uint32_t last,
                 uint8_t reason)
{
    struct slot *s = filling(c);

    if (s == NULL || s->batch.gap_count == BATCH_GAPS_MAX) {
        c->counts[COLLECTOR_WAITING_LOST]++;
        return;
    }
    s->batch.gaps[s->batch.gap_count++] =
        (struct gap_row){ .meter = m->id, .first = first, .last = last, .reason = reason };
}

bool batches_seal(struct collector *c, const struct sealed_day *day)
{
    struct slot *s = filling(c);

    if (s != NULL && s->batch.seal_count == BATCH_SEALS_MAX && free_slot(c) != NULL) {
        fly_filling(c); /* the end of a day brings more seals than a batch holds */
        s = filling(c);
    }
    if (s == NULL || s->batch.seal_count == BATCH_SEALS_MAX) {
        return false;
    }
    s->batch.seals[s->batch.seal_count++] = (struct seal_row){ .day = *day };
    return true;
}

void batches_event(struct collector *c, struct meter *m, enum event_code code, int64_t value)
{
    uint32_t now_s = (uint32_t)(c->now_us / US_PER_S) + 1; /* monotonic: only for the rate */

    if (m->event_s[code] != 0 && now_s - m->event_s[code] < EVENT_PERIOD_S) {
        return;
    }
    struct slot *s = filling(c);
    if (s == NULL || s->batch.event_count == BATCH_EVENTS_MAX) {
        c->counts[COLLECTOR_EVENTS_LOST]++;
        return;
    }
    m->event_s[code] = now_s;
    uint64_t utc_us = c->host.utc_us(c->host.self);
    s->batch.events[s->batch.event_count++] = (struct event_row){
        .meter = m->id,
        .at_s = (uint32_t)(utc_us / US_PER_S),
        /* Of the second: its microsecond and a running number, so that a restart repeats none. */
        .number = (uint32_t)(utc_us % US_PER_S) * 1000 + c->event_number++ % 1000,
        .code = event_names[code],
        .value = value,
    };
    c->counts[COLLECTOR_EVENTS]++;
}

/* --- what became of them --- */

static void settle(struct collector *c, struct meter *m, uint32_t first, uint32_t last)
{
    ranges_add(&m->settled, first, last);
    meters_touch(c, m);
    seals_try(c, m);
}

static void other_is_there(struct collector *c, struct meter *m, const struct reading_row *row)
{
    uint32_t sequence = row->record.sequence;

    c->counts[COLLECTOR_CONFLICTS]++;
    batches_event(c, m, EVENT_CONFLICT, sequence);
    if (row->look_only) {
        meters_touch(c, m);
    } else if (row->other == sequence) {
        settle(c, m, sequence, sequence);
    } else {
        batches_gap(c, m, sequence, sequence, GAP_REFUSED);
    }
}

static void reading_done(struct collector *c, struct reading_row *row)
{
    struct meter *m = meters_find(c, row->record.meter);
    uint32_t sequence = row->record.sequence;

    assert(m != NULL); /* a meter whose state was read stays */
    LL_DELETE(m->flying, row);
    switch (row->outcome) {
    case ROW_STORED:
        c->counts[COLLECTOR_READINGS]++;
        c->counts[COLLECTOR_SUSPECT] += row->quality == QUALITY_SUSPECT;
        settle(c, m, sequence, sequence);
        break;
    case ROW_SAME:
        c->counts[COLLECTOR_DUPLICATES]++;
        settle(c, m, sequence, sequence);
        break;
    default: other_is_there(c, m, row); break; /* ROW_OTHER, and ROW_ABSENT: moved in time */
    }
    gaps_look(c, m);
}

static void gap_done(struct collector *c, const struct gap_row *row)
{
    struct meter *m = meters_find(c, row->meter);

    assert(m != NULL);
    if (row->stored_last < row->first) {
        return; /* not there: asked for again */
    }
    c->counts[COLLECTOR_MISSING] += row->stored_last - row->first + 1;
    settle(c, m, row->first, row->stored_last);
    gaps_look(c, m);
}

static void seal_done(struct collector *c, const struct seal_row *row)
{
    struct meter *m = meters_find(c, row->day.seal.meter);

    assert(m != NULL);
    seals_stored(c, m, row);
}

static void batch_done(struct collector *c, struct slot *s)
{
    struct collector_batch *b = &s->batch;

    for (size_t i = 0; i < b->gap_count; i++) {
        gap_done(c, &b->gaps[i]);
    }
    for (size_t i = 0; i < b->reading_count; i++) {
        reading_done(c, &b->readings[i]);
    }
    for (size_t i = 0; i < b->seal_count; i++) {
        seal_done(c, &b->seals[i]);
    }
    s->state = SLOT_FREE;
}

void collector_written(struct collector *c, uint64_t now_us, uint64_t tag, err e)
{
    uint64_t index = tag & UINT32_MAX;

    assert(index < COLLECTOR_BATCHES_MAX);
    struct slot *s = &c->slots[index];
    assert(s->state == SLOT_FLYING && s->generation == tag >> 32);
    c->now_us = now_us;
    if (e.code) {
        c->counts[COLLECTOR_STORE_FAILURES]++;
        s->attempts++;
        s->state = SLOT_RETRY;
        s->at_us = now_us + collector_backoff_us(s->attempts);
    } else {
        batch_done(c, s);
        collector_resume(c);
    }
    collector_done_call(c);
}

/* --- time --- */

void batches_tick(struct collector *c)
{
    for (size_t i = 0; i < COLLECTOR_BATCHES_MAX; i++) {
        struct slot *s = &c->slots[i];
        if (s->state == SLOT_RETRY && c->now_us >= s->at_us) {
            fly(c, s);
        }
    }
    if (c->filling != NULL && c->now_us - c->filling->at_us >= COLLECTOR_BATCH_US) {
        fly_filling(c);
    }
}

uint64_t batches_wake_us(const struct collector *c)
{
    uint64_t at_us = c->filling != NULL ? c->filling->at_us + COLLECTOR_BATCH_US : UINT64_MAX;

    for (size_t i = 0; i < COLLECTOR_BATCHES_MAX; i++) {
        const struct slot *s = &c->slots[i];
        if (s->state == SLOT_RETRY && s->at_us < at_us) {
            at_us = s->at_us;
        }
    }
    return at_us;
}

bool collector_flush(struct collector *c, uint64_t now_us)
{
    size_t flying = 0;

    c->now_us = now_us;
    fly_filling(c);
    for (size_t i = 0; i < COLLECTOR_BATCHES_MAX; i++) {
        flying += c->slots[i].state == SLOT_FLYING;
    }
    return flying == 0;
}

size_t collector_batches(const struct collector *c)
{
    size_t count = 0;

    for (size_t i = 0; i < COLLECTOR_BATCHES_MAX; i++) {
        count += c->slots[i].state != SLOT_FREE;
    }
    return count;
}
