/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/seals.h"

#include <assert.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define SEALS_FIRST_DAYS 4

void seals_init(struct seals *s, const struct seals_options *o, const struct meter_past *past)
{
    *s = (struct seals){ .options = *o };
    if (past->end_s != 0) {
        s->past = *past;
        s->day_start_s = past->end_s;
        s->day_end_s = past->end_s + S_PER_DAY;
    }
}

void seals_done(struct seals *s)
{
    mem_give(s->days);
    s->days = NULL;
    s->day_count = 0;
    s->day_cap = 0;
}

void seals_begin(struct seals *s, uint32_t end_s)
{
    if (s->day_end_s != 0) {
        return;
    }
    /* Days are (start, end]: the second before the end says which one it is. */
    int64_t local = (int64_t)end_s - 1 + s->options.zone_offset_s;
    int64_t start = local - local % S_PER_DAY - s->options.zone_offset_s;
    s->day_start_s = (uint32_t)start;
    s->day_end_s = (uint32_t)start + S_PER_DAY;
}

err seals_add(struct seals *s, const struct record *r)
{
    uint8_t raw[RECORD_BYTES];

    assert(r->end_s > s->day_start_s && r->end_s <= s->day_end_s);
    record_encode(r, raw);
    struct digest leaf = merkle_leaf(BYTES_OF(raw));
    TRY(merkle_add(&s->tree, &leaf));
    s->count++;
    return OK;
}

static err make_room(struct seals *s)
{
    if (s->day_count == SEALS_KEPT_MAX) {
        memmove(s->days, s->days + 1, sizeof s->days[0] * (SEALS_KEPT_MAX - 1));
        s->day_count--;
    }
    if (s->day_count < s->day_cap) {
        return OK;
    }
    uint32_t cap = s->day_cap == 0 ? SEALS_FIRST_DAYS : s->day_cap * 2;
    struct sealed_day *days = mem_resize(s->days, cap * sizeof *days);
    if (days == NULL) {
        FAIL(ERR_LIMIT, "no memory for %u daily seals", cap);
    }
    s->days = days;
    s->day_cap = cap;
    return OK;
}

static struct seal seal_of_day(const struct seals *s, uint32_t sequence,
                               const struct meter_registers *registers)
{
    bool first = s->past.end_s == 0;

    return (struct seal){
        .alg = (uint8_t)s->options.alg,
        .flags = first ? SEAL_FIRST : 0,
        .key_epoch = s->options.key_epoch,
        .meter = s->options.meter,
        .start_s = s->day_start_s,
        .end_s = s->day_end_s,
        .first = s->past.sequence + 1,
        .last = sequence,
        .count = s->count,
        .e_act = registers->e_act,
        .e_ind = registers->e_ind,
        .e_cap = registers->e_cap,
        .root = merkle_root(&s->tree),
        .previous = s->past.previous,
    };
}

/* A day that the other side has is not signed again: only the chain goes on. */
static err keep_day(struct seals *s, const struct seal *day)
{
    if (day->end_s <= s->acked_s) {
        return OK;
    }
    TRY(make_room(s));
    TRY(seal_sign(day, s->options.key, &s->days[s->day_count]));
    s->day_count++;
    return OK;
}

err seals_close(struct seals *s, uint32_t sequence, const struct meter_registers *registers)
{
    assert(s->day_end_s != 0);
    struct seal day = seal_of_day(s, sequence, registers);

    TRY(keep_day(s, &day));
    s->past = (struct meter_past){
        .sequence = sequence,
        .end_s = day.end_s,
        .registers = *registers,
        .previous = seal_hash(&day),
    };
    s->day_start_s = day.end_s;
    s->day_end_s = day.end_s + S_PER_DAY;
    s->tree = (struct merkle){ 0 };
    s->count = 0;
    return OK;
}

void seals_ack(struct seals *s, uint32_t end_s)
{
    uint32_t done = 0;

    s->acked_s = end_s > s->acked_s ? end_s : s->acked_s;
    while (done < s->day_count && s->days[done].seal.end_s <= end_s) {
        done++;
    }
    if (done > 0) {
        memmove(s->days, s->days + done, sizeof s->days[0] * (s->day_count - done));
        s->day_count -= done;
    }
    if (s->day_count == 0) {
        seals_done(s);
    }
}
