/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/outbox.h"

#include <assert.h>
#include <string.h>

#include "lib/base/mem.h"

#define OUTBOX_FIRST_SLOTS 16
enum { VERSION_AT = 0, REASON_AT = 1, SEQUENCE_AT = 4 }; /* in a slot, as in a record */

void outbox_init(struct outbox *o, uint32_t max)
{
    assert(max > 0);
    *o = (struct outbox){ .max = max };
}

void outbox_done(struct outbox *o)
{
    mem_give(o->slots);
    *o = (struct outbox){ .max = o->max };
}

static uint32_t slot_of(const struct outbox *o, uint32_t i)
{
    uint64_t at = (uint64_t)o->head + i;

    return (uint32_t)(at % o->cap);
}

struct bytes outbox_at(const struct outbox *o, uint32_t i)
{
    assert(i < o->count);
    return (struct bytes){ o->slots[slot_of(o, i)], RECORD_BYTES };
}

static uint32_t sequence_at(const struct outbox *o, uint32_t i)
{
    return load_u32(outbox_at(o, i).ptr + SEQUENCE_AT);
}

/* A larger ring, unrolled so that the oldest is in slot 0. */
static err grow(struct outbox *o)
{
    uint32_t cap = o->cap == 0 ? OUTBOX_FIRST_SLOTS : o->cap > o->max / 2 ? o->max : o->cap * 2;
    uint8_t(*slots)[RECORD_BYTES];

    cap = cap > o->max ? o->max : cap;
    slots = mem_take((size_t)cap * RECORD_BYTES);
    if (slots == NULL) {
        FAIL(ERR_LIMIT, "no memory for a ring of %u records", cap);
    }
    for (uint32_t i = 0; i < o->count; i++) {
        memcpy(slots[i], outbox_at(o, i).ptr, RECORD_BYTES);
    }
    mem_give(o->slots);
    o->slots = slots;
    o->cap = cap;
    o->head = 0;
    return OK;
}

static void drop_oldest(struct outbox *o)
{
    o->head = slot_of(o, 1);
    o->count--;
    o->oldest = o->count > 0 ? sequence_at(o, 0) : o->newest;
}

uint8_t outbox_missing_of(struct bytes slot, uint32_t *out_sequence)
{
    *out_sequence = load_u32(slot.ptr + SEQUENCE_AT);
    return slot.ptr[VERSION_AT] == 0 ? slot.ptr[REASON_AT] : 0;
}

/* A free slot behind the newest one. */
static err take_slot(struct outbox *o, uint32_t sequence, uint8_t **out)
{
    assert(sequence > o->newest);
    if (o->count == o->cap && o->cap < o->max) {
        TRY(grow(o));
    }
    if (o->count == o->max) {
        uint32_t lost = sequence_at(o, 0);
        drop_oldest(o);
        o->overwritten++;
        outbox_gap(o, lost, lost, MISSING_OVERWRITTEN);
    }
    *out = o->slots[slot_of(o, o->count)];
    o->oldest = o->count == 0 ? sequence : o->oldest;
    o->count++;
    o->newest = sequence;
    return OK;
}

err outbox_put(struct outbox *o, const struct record *r)
{
    uint8_t *slot;

    TRY(take_slot(o, r->sequence, &slot));
    record_encode(r, slot);
    return OK;
}

err outbox_put_missing(struct outbox *o, uint32_t sequence, enum missing_reason reason)
{
    uint8_t *slot;

    TRY(take_slot(o, sequence, &slot));
    memset(slot, 0, RECORD_BYTES);
    slot[REASON_AT] = (uint8_t)reason;
    store_u32(slot + SEQUENCE_AT, sequence);
    return OK;
}

void outbox_gap(struct outbox *o, uint32_t first, uint32_t last, enum missing_reason reason)
{
    struct outbox_gap *before = o->gap_count > 0 ? &o->gaps[o->gap_count - 1] : NULL;

    assert(first <= last);
    o->newest = last > o->newest ? last : o->newest;
    if (before != NULL && before->reason == reason && before->last + 1 == first) {
        before->last = last;
        return;
    }
    if (o->gap_count == OUTBOX_GAPS_MAX) {
        memmove(o->gaps, o->gaps + 1, sizeof o->gaps[0] * (OUTBOX_GAPS_MAX - 1));
        o->gap_count--;
    }
    o->gaps[o->gap_count++] = (struct outbox_gap){ first, last, (uint8_t)reason };
}

uint32_t outbox_ack(struct outbox *o, uint32_t sequence, uint32_t *out_records)
{
    uint32_t dropped = 0;
    uint32_t unused;

    *out_records = 0;
    while (o->count > 0 && sequence_at(o, 0) <= sequence) {
        *out_records += outbox_missing_of(outbox_at(o, 0), &unused) == 0;
        drop_oldest(o);
        dropped++;
    }
    if (o->count == 0 && o->cap > OUTBOX_FIRST_SLOTS) {
        mem_give(o->slots); /* a meter that has caught up keeps nothing */
        o->slots = NULL;
        o->cap = 0;
        o->head = 0;
    }
    return dropped;
}

static uint8_t reason_of(const struct outbox *o, uint32_t sequence)
{
    for (uint32_t i = o->gap_count; i > 0; i--) {
        const struct outbox_gap *g = &o->gaps[i - 1];
        if (sequence >= g->first && sequence <= g->last) {
            return g->reason;
        }
    }
    return sequence == 0 || sequence > o->newest ? MISSING_NEVER : MISSING_ERASED;
}

const uint8_t *outbox_find(const struct outbox *o, uint32_t sequence, uint8_t *out_reason)
{
    uint32_t low = 0;
    uint32_t high = o->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sequence_at(o, middle) < sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == o->count || sequence_at(o, low) != sequence) {
        *out_reason = reason_of(o, sequence);
        return NULL;
    }
    struct bytes slot = outbox_at(o, low);
    uint8_t missing = outbox_missing_of(slot, &sequence);
    if (missing != 0) {
        *out_reason = missing;
        return NULL;
    }
    return slot.ptr;
}
