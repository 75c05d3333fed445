/* SPDX-License-Identifier: Apache-2.0 */
/* The meters that spoke: their state, read from the store at the first word. */
#include <string.h>
#include <utlist.h>

#include "intake/collector/inside.h"
#include "lib/base/mem.h"

struct meter *meters_find(const struct collector *c, uint64_t id)
{
    struct meter *found;

    HASH_FIND(hh, c->meters, &id, sizeof id, found);
    return found;
}

static void waiting_drop(struct collector *c, struct meter *m)
{
    struct waiting_block *w, *after;

    LL_FOREACH_SAFE(m->waiting, w, after) {
        mem_give(w);
    }
    c->waiting_count -= m->waiting_count;
    m->waiting_count = 0;
    m->waiting = NULL;
}

static void meter_free(struct collector *c, struct meter *m)
{
    struct waiting_seal *s, *after;

    waiting_drop(c, m);
    LL_FOREACH_SAFE(m->seals, s, after) {
        mem_give(s);
    }
    gaps_forget(c, m);
    HASH_DEL(c->meters, m);
    mem_give(m->parts);
    mem_give(m->spki);
    mem_give(m);
}

void meters_free_all(struct collector *c)
{
    struct meter *m, *after;

    HASH_ITER(hh, c->meters, m, after) {
        meter_free(c, m);
    }
}

static void queue(struct collector *c, struct meter *m)
{
    if (c->queue_first == NULL) {
        c->queue_first = m;
    } else {
        c->queue_last->queue_next = m;
    }
    c->queue_last = m;
}

static struct meter *meter_new(struct collector *c, uint64_t id)
{
    struct meter *m = NULL;

    if (HASH_COUNT(c->meters) < c->options.meters_max) {
        m = mem_take(sizeof *m);
    }
    if (m == NULL) {
        return NULL;
    }
    m->id = id;
    HASH_ADD(hh, c->meters, id, sizeof m->id, m);
    if (m->map_full) {
        mem_give(m);
        return NULL;
    }
    queue(c, m);
    return m;
}

struct meter *meters_heard(struct collector *c, uint64_t id, uint64_t link)
{
    struct meter *m = meters_find(c, id);

    if (m == NULL) {
        m = meter_new(c, id);
        if (m == NULL) {
            c->counts[COLLECTOR_WAITING_LOST]++;
            return NULL;
        }
        requests_recover_next(c);
    }
    m->link = link;
    return m;
}

/* A block that finds no room is not acknowledged, so the meter sends it again. */
void meters_wait(struct collector *c, struct meter *m, const struct intake_message *block)
{
    struct waiting_block *w = NULL;

    if (m->waiting_count < METER_WAITING_MAX && c->waiting_count < COLLECTOR_WAITING_MAX) {
        w = mem_take(sizeof *w);
    }
    if (w == NULL) {
        c->counts[COLLECTOR_WAITING_LOST]++;
        return;
    }
    w->type = block->block.type;
    w->flags = block->block.flags;
    w->transaction = block->block.transaction;
    memcpy(w->block, block->block.block.ptr, sizeof w->block);
    LL_APPEND(m->waiting, w);
    m->waiting_count++;
    c->waiting_count++;
}

/* --- what the store has of a meter --- */

static void adopt(struct meter *m, const struct recovery *r)
{
    if (r->has_seal) {
        m->has_seal = true;
        m->seal_end_s = r->seal.end_s;
        m->seal_last = r->seal.last;
        m->seal_hash = seal_hash(&r->seal);
        /* It was stored only when everything up to its last sequence was settled. */
        if (r->seal.last > 0) {
            ranges_add(&m->settled, 1, r->seal.last);
        }
    }
    for (size_t i = 0; i < r->settled_count; i++) {
        ranges_add(&m->settled, r->settled[i].first, r->settled[i].last);
    }
    m->based = r->has_seal || r->settled_count > 0;
}

static void keep_key(struct meter *m, struct bytes spki)
{
    if (spki.len == 0 || spki.len > SPKI_BYTES_MAX) {
        return;
    }
    m->spki = mem_take(spki.len);
    if (m->spki != NULL) {
        memcpy(m->spki, spki.ptr, spki.len);
        m->spki_size = (uint16_t)spki.len;
    }
}

/* A bad block among those that waited is refused like any other; the rest goes on. */
static void run_waiting(struct collector *c, struct meter *m)
{
    while (m->waiting != NULL) {
        struct waiting_block *w = m->waiting;
        if (!batches_have_room(c)) {
            c->counts[COLLECTOR_WAITING_LOST] += m->waiting_count;
            break;
        }
        struct intake_message i = { .kind = INTAKE_BLOCK, .meter = m->id };
        i.block.type = w->type;
        i.block.flags = w->flags;
        i.block.transaction = w->transaction;
        i.block.block = BYTES_OF(w->block);
        reports_block(c, m, &i);
        LL_DELETE(m->waiting, w);
        m->waiting_count--;
        c->waiting_count--;
        mem_give(w);
    }
    waiting_drop(c, m);
}

void meters_recovered(struct collector *c, struct meter *m, const struct recovery *r)
{
    if (!r->known) {
        c->counts[COLLECTOR_UNKNOWN]++;
        meter_free(c, m);
        return;
    }
    c->counts[COLLECTOR_RECOVERED]++;
    m->state = METER_READY;
    adopt(m, r);
    keep_key(m, r->signing_spki);
    m->seal_due = m->has_seal;
    meters_touch(c, m);
    run_waiting(c, m);
    gaps_look(c, m);
}

/* --- acknowledgements --- */

void meters_touch(struct collector *c, struct meter *m)
{
    if (!m->touched) {
        m->touched = true;
        m->touched_next = c->touched;
        c->touched = m;
    }
}

static void acknowledge(struct collector *c, struct meter *m, enum ack_reason reason,
                        uint32_t value)
{
    struct intake_message i = { .kind = INTAKE_SIGNAL, .meter = m->id };

    i.signal.signal = (struct signal){ .signal = NBR_ACK, .reason = (uint8_t)reason,
                                       .value = value };
    c->counts[COLLECTOR_ACKS]++;
    collector_send(c, m->link, &i);
}

void meters_acknowledge(struct collector *c)
{
    while (c->touched != NULL) {
        struct meter *m = c->touched;
        c->touched = m->touched_next;
        m->touched = false;
        if (m->settled.mark > 0) {
            acknowledge(c, m, ACK_REPORTS, m->settled.mark);
        }
        if (m->seal_due && m->has_seal) {
            acknowledge(c, m, ACK_SEALS, m->seal_end_s);
        }
        m->seal_due = false;
    }
}
