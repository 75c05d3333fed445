/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/collector/fake_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define RECOVER_MAX 8192

/* --- what the collector asks --- */

static void request(struct fake_store *f, struct fake_request r)
{
    assert(f->request_count < FAKE_REQUESTS_MAX);
    r.due_us = f->due_us != NULL ? f->due_us(f->arg) : 0;
    f->requests[f->request_count++] = r;
}

static void ask_write(void *self, struct collector_batch *batch, uint64_t tag)
{
    request(self, (struct fake_request){ FAKE_WRITE, tag, 0, batch, 0 });
}

static void ask_lookup(void *self, uint64_t meter, uint64_t tag)
{
    request(self, (struct fake_request){ FAKE_LOOKUP, tag, meter, NULL, 0 });
}

static void ask_recover(void *self, uint64_t meter, uint64_t tag)
{
    request(self, (struct fake_request){ FAKE_RECOVER, tag, meter, NULL, 0 });
}

void fake_store_init(struct fake_store *f)
{
    memset(f, 0, sizeof *f);
    f->store = (struct collector_store){ f, ask_write, ask_lookup, ask_recover };
}

void fake_store_register(struct fake_store *f, uint64_t meter, uint8_t suite,
                         const struct public_key *session, const struct public_key *signing)
{
    struct fake_meter *m = calloc(1, sizeof *m);
    struct buf spki = { .max = SPKI_BYTES_MAX }, sign = { .max = SPKI_BYTES_MAX };

    assert(m != NULL);
    bool made =
        !public_key_to_spki(session, &spki).code && !public_key_to_spki(signing, &sign).code;
    assert(made);
    (void)made;
    m->meter = meter;
    m->suite = suite;
    memcpy(m->spki, spki.ptr, spki.len);
    m->spki_size = spki.len;
    memcpy(m->signing, sign.ptr, sign.len);
    m->signing_size = sign.len;
    HASH_ADD(hh, f->meters, meter, sizeof m->meter, m);
    buf_done(&spki);
    buf_done(&sign);
}

/* --- looking --- */

struct fake_meter *fake_store_meter(const struct fake_store *f, uint64_t meter)
{
    struct fake_meter *found;

    HASH_FIND(hh, f->meters, &meter, sizeof meter, found);
    return found;
}

static struct fake_reading *reading(const struct fake_store *f, uint64_t meter, uint32_t end_s)
{
    struct fake_reading key, *found;

    memset(&key, 0, sizeof key);
    key.key.meter = meter;
    key.key.end_s = end_s;
    HASH_FIND(hh, f->readings, &key.key, sizeof key.key, found);
    return found;
}

const struct fake_reading *fake_store_reading(const struct fake_store *f, uint64_t meter,
                                              uint32_t end_s)
{
    return reading(f, meter, end_s);
}

size_t fake_store_readings(const struct fake_store *f)
{
    return HASH_COUNT(f->readings);
}

bool fake_store_missing(const struct fake_store *f, uint64_t meter, uint32_t sequence)
{
    const struct fake_gap *g;

    LL_FOREACH(fake_store_meter(f, meter)->gaps, g) {
        if (sequence >= g->row.first && sequence <= g->row.last) {
            return true;
        }
    }
    return false;
}

size_t fake_store_events(const struct fake_store *f, const char *code)
{
    const struct fake_event *e;
    size_t count = 0;

    LL_FOREACH(f->events, e) {
        count += strcmp(e->row.code, code) == 0;
    }
    return count;
}

/* --- writing --- */

static void reading_put(struct fake_store *f, const struct reading_row *row)
{
    struct fake_reading *r = calloc(1, sizeof *r);

    assert(r != NULL);
    r->key.meter = row->record.meter;
    r->key.end_s = row->record.end_s;
    r->record = row->record;
    r->quality = row->quality;
    HASH_ADD(hh, f->readings, key, sizeof r->key, r);
}

static void reading_write(struct fake_store *f, struct reading_row *row)
{
    const struct fake_reading *there = reading(f, row->record.meter, row->record.end_s);

    if (there != NULL) {
        row->outcome = record_equal(&there->record, &row->record) ? ROW_SAME : ROW_OTHER;
        row->other = there->record.sequence;
    } else if (row->look_only) {
        row->outcome = ROW_ABSENT;
    } else {
        reading_put(f, row);
        row->outcome = ROW_STORED;
    }
}

static void seal_write(struct fake_store *f, struct seal_row *row)
{
    struct fake_meter *m = fake_store_meter(f, row->day.seal.meter);
    struct fake_seal *s;
    struct digest hash = seal_hash(&row->day.seal);

    LL_FOREACH(m->seals, s) {
        if (s->day.seal.end_s == row->day.seal.end_s) {
            struct digest there = seal_hash(&s->day.seal);
            row->outcome = digest_equal(&there, &hash) ? ROW_SAME : ROW_OTHER;
            return;
        }
    }
    s = calloc(1, sizeof *s);
    assert(s != NULL);
    s->day = row->day;
    LL_APPEND(m->seals, s);
    row->outcome = ROW_STORED;
}

static void gap_write(struct fake_store *f, struct gap_row *row)
{
    struct fake_meter *m = fake_store_meter(f, row->meter);
    struct fake_gap *g;

    LL_FOREACH(m->gaps, g) {
        if (g->row.first == row->first) {
            row->stored_last = g->row.last;
            return;
        }
    }
    g = calloc(1, sizeof *g);
    assert(g != NULL);
    g->row = *row;
    LL_PREPEND(m->gaps, g);
    row->stored_last = row->last;
}

static void event_write(struct fake_store *f, const struct event_row *row)
{
    struct fake_event *e = calloc(1, sizeof *e);

    assert(e != NULL);
    e->row = *row;
    LL_PREPEND(f->events, e);
}

static void batch_write(struct fake_store *f, struct collector_batch *b)
{
    for (size_t i = 0; i < b->reading_count; i++) {
        reading_write(f, &b->readings[i]);
    }
    for (size_t i = 0; i < b->seal_count; i++) {
        seal_write(f, &b->seals[i]);
    }
    for (size_t i = 0; i < b->gap_count; i++) {
        gap_write(f, &b->gaps[i]);
    }
    for (size_t i = 0; i < b->event_count; i++) {
        event_write(f, &b->events[i]);
    }
}

/* --- answering --- */

static void lookup_answer(struct fake_store *f, struct collector *c, uint64_t now_us,
                          const struct fake_request *r)
{
    const struct fake_meter *m = fake_store_meter(f, r->meter);
    struct register_entry entry = { 0 };

    if (m != NULL) {
        entry = (struct register_entry){ m->suite, { m->spki, m->spki_size } };
    }
    collector_looked_up(c, now_us, r->tag, OK, m != NULL ? &entry : NULL);
}

/* In the order of their time; one range as long as the sequence goes on. */
static int by_sequence(const void *a, const void *b)
{
    uint32_t left = ((const struct range *)a)->first, right = ((const struct range *)b)->first;

    return (left > right) - (left < right);
}

static size_t settled_behind(const struct fake_store *f, const struct fake_meter *m, uint32_t end_s,
                             struct range *out)
{
    const struct fake_reading *r, *after;
    const struct fake_gap *g;
    size_t count = 0;

    HASH_ITER(hh, f->readings, r, after) {
        if (r->record.meter == m->meter && r->record.end_s > end_s) {
            assert(count < RECOVER_MAX);
            out[count++] = (struct range){ r->record.sequence, r->record.sequence };
        }
    }
    LL_FOREACH(m->gaps, g) {
        assert(count < RECOVER_MAX);
        out[count++] = (struct range){ g->row.first, g->row.last };
    }
    qsort(out, count, sizeof *out, by_sequence);
    return count;
}

static void recover_answer(struct fake_store *f, struct collector *c, uint64_t now_us,
                           const struct fake_request *r)
{
    static struct range settled[RECOVER_MAX];
    struct recovery recovery = { .settled = settled };
    const struct fake_meter *m = fake_store_meter(f, r->meter);
    const struct fake_seal *s;

    recovery.known = m != NULL;
    if (m != NULL) {
        recovery.signing_spki = (struct bytes){ m->signing, m->signing_size };
        LL_FOREACH(m->seals, s) {
            recovery.has_seal = true;
            recovery.seal = s->day.seal;
        }
        recovery.settled_count =
            settled_behind(f, m, recovery.has_seal ? recovery.seal.end_s : 0, settled);
    }
    collector_recovered(c, now_us, r->tag, OK, &recovery);
}

static void failed_answer(struct collector *c, uint64_t now_us, const struct fake_request *r, err e)
{
    static const struct recovery nothing;

    switch (r->kind) {
    case FAKE_WRITE:  collector_written(c, now_us, r->tag, e); break;
    case FAKE_LOOKUP: collector_looked_up(c, now_us, r->tag, e, NULL); break;
    default:          collector_recovered(c, now_us, r->tag, e, &nothing); break;
    }
}

static struct fake_request take(struct fake_store *f, size_t at)
{
    assert(at < f->request_count);
    struct fake_request r = f->requests[at];
    f->request_count--;
    memmove(&f->requests[at], &f->requests[at + 1], (f->request_count - at) * sizeof r);
    return r;
}

void fake_store_answer(struct fake_store *f, struct collector *c, uint64_t now_us, size_t at,
                       err result, bool applied)
{
    struct fake_request r = take(f, at);

    if (r.kind == FAKE_WRITE && (applied || !result.code)) {
        batch_write(f, r.batch);
    }
    if (result.code) {
        failed_answer(c, now_us, &r, result);
    } else if (r.kind == FAKE_WRITE) {
        collector_written(c, now_us, r.tag, OK);
    } else if (r.kind == FAKE_LOOKUP) {
        lookup_answer(f, c, now_us, &r);
    } else {
        recover_answer(f, c, now_us, &r);
    }
}

void fake_store_answer_all(struct fake_store *f, struct collector *c, uint64_t now_us)
{
    while (f->request_count > 0) {
        fake_store_answer(f, c, now_us, 0, OK, true);
    }
}

void fake_store_abandon(struct fake_store *f, size_t at, bool applied)
{
    struct fake_request r = take(f, at);

    if (r.kind == FAKE_WRITE && applied) {
        batch_write(f, r.batch);
    }
}

void fake_store_done(struct fake_store *f)
{
    struct fake_reading *r, *r_after;
    struct fake_meter *m, *m_after;
    struct fake_event *e, *e_after;

    HASH_ITER(hh, f->readings, r, r_after) {
        HASH_DEL(f->readings, r);
        free(r);
    }
    HASH_ITER(hh, f->meters, m, m_after) {
        struct fake_seal *s, *s_after;
        struct fake_gap *g, *g_after;
        LL_FOREACH_SAFE(m->seals, s, s_after) {
            free(s);
        }
        LL_FOREACH_SAFE(m->gaps, g, g_after) {
            free(g);
        }
        HASH_DEL(f->meters, m);
        free(m);
    }
    LL_FOREACH_SAFE(f->events, e, e_after) {
        free(e);
    }
    f->events = NULL;
    f->request_count = 0;
}
