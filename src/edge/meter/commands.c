/* SPDX-License-Identifier: Apache-2.0 */
/* Commands (docs/protocol.md 3.7): read reports, read seals, set the clock, and the two NBR pages
 * of instantaneous quantities and registers. What is not known is answered as the standard says. */
#include "edge/meter/inside.h"

#include <assert.h>
#include <string.h>

#include "edge/meter/pages.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define READ_REPORTS_MAX 96
#define READ_SEALS_MAX 35
#define CLOCK_S_MIN 1577836800 /* 2020-01-01: no meter of this kind was built before */

enum { /* offsets in a command block */
    AT_SUBCODE = 4,
    AT_FIRST = 5,
    AT_LAST = 9,
    AT_DAYS = 9,
    AT_UTC = 5,
    AT_SLEW = 9,
    AT_STEP = 11,
};

enum { /* and in a response block */
    AT_ANSWER_SUBCODE = 5,
    AT_RESULT = 6,
    AT_BEFORE = 7,
    AT_AFTER = 11,
    AT_STEPPED = 15,
};

enum result { RESULT_DONE = 0, RESULT_NOT_PERMITTED = 4, RESULT_BAD_PARAMETER = 6,
              RESULT_NOT_AVAILABLE = 7 };

/* A command being carried out. */
struct work {
    struct meter *m;
    uint64_t now_us;
    uint32_t transaction;
    const uint8_t *command; /* 66 octets */
    uint8_t flags;          /* of the answers: ENVELOPE_CACHED when it was asked before */
};

static void refuse(const struct work *w, enum nak_reason why)
{
    err e = meter_send_signal(w->m, NBR_NAK, (uint8_t)why, w->transaction, 0);

    (void)e; /* a lost answer is asked for again */
}

static void answer(const struct work *w, const uint8_t *block, bool more)
{
    uint8_t flags = (uint8_t)(w->flags | (more ? ENVELOPE_MORE : 0));
    err e = meter_send(w->m, ENVELOPE_RSP, flags, w->transaction,
                       (struct bytes){ block, NBR_RESPONSE_BYTES });

    (void)e;
}

/* The beginning of a response of this meter; the rest is zero. */
static void block_begin(const struct meter *m, uint8_t code, uint8_t *block)
{
    memset(block, 0, NBR_RESPONSE_BYTES);
    block[0] = code;
    store_u32(block + 1, (uint32_t)m->o.id);
}

/* --- the cache --- */

static struct cached *cache_find(const struct meter *m, uint32_t transaction)
{
    for (size_t i = 0; i < COMMAND_CACHE; i++) {
        if (m->cache[i] != NULL && m->cache[i]->transaction == transaction) {
            return m->cache[i];
        }
    }
    return NULL;
}

/* The slot of the oldest transaction; NULL when memory is full. */
static struct cached *cache_take(struct meter *m)
{
    struct cached **slot = &m->cache[m->cache_next];

    if (*slot == NULL) {
        *slot = mem_take(sizeof **slot);
    }
    if (*slot != NULL) {
        m->cache_next = (m->cache_next + 1) % COMMAND_CACHE;
    }
    return *slot;
}

/* --- reading: may be done again --- */

static void read_reports(const struct work *w)
{
    uint32_t first = load_u32(w->command + AT_FIRST);
    uint32_t last = load_u32(w->command + AT_LAST);

    if (last < first || last - first >= READ_REPORTS_MAX) {
        refuse(w, NAK_BAD_PARAMETER);
        return;
    }
    for (uint64_t sequence = first; sequence <= last; sequence++) {
        uint8_t block[NBR_RESPONSE_BYTES];
        struct record r = { .sequence = (uint32_t)sequence, .meter = w->m->o.id };
        uint8_t reason = 0;
        const uint8_t *raw = outbox_find(&w->m->outbox, r.sequence, &reason);
        err e = raw != NULL ? record_parse((struct bytes){ raw, RECORD_BYTES }, &r) : OK;
        assert(!e.code); /* what the ring holds was encoded here */
        (void)e;
        struct report report = meter_report_of(w->m, &r);
        report.missing_reason = reason;
        report_encode(&report, block);
        answer(w, block, sequence < last);
    }
}

/* Every part of every day asked for that is still held. */
static void read_seals(const struct work *w)
{
    uint32_t first = load_u32(w->command + AT_FIRST);
    uint32_t days = w->command[AT_DAYS];
    const struct seals *s = &w->m->seals;
    uint64_t until = (uint64_t)first + (uint64_t)days * S_PER_DAY;
    uint8_t block[NBR_RESPONSE_BYTES];
    uint32_t left = 0;

    if (days == 0 || days > READ_SEALS_MAX) {
        refuse(w, NAK_BAD_PARAMETER);
        return;
    }
    for (uint32_t i = 0; i < s->day_count; i++) {
        const struct seal *day = &s->days[i].seal;
        left += day->start_s >= first && day->end_s <= until;
    }
    if (left == 0) {
        block_begin(w->m, NBR_EXTENSION, block);
        block[AT_ANSWER_SUBCODE] = NBR_EXT_SEAL;
        block[AT_RESULT] = RESULT_NOT_AVAILABLE;
        nbr_crc_set(block, sizeof block);
        answer(w, block, false);
        return;
    }
    for (uint32_t i = 0; i < s->day_count && left > 0; i++) {
        const struct sealed_day *day = &s->days[i];
        if (day->seal.start_s < first || day->seal.end_s > until) {
            continue;
        }
        left--;
        size_t parts = seal_part_count(day);
        for (size_t part = 0; part < parts; part++) {
            seal_part_encode(day, part, block);
            answer(w, block, left > 0 || part + 1 < parts);
        }
    }
}

static void read_page(const struct work *w, uint8_t code)
{
    uint8_t block[NBR_RESPONSE_BYTES];

    if (w->m->stats.produced == 0) {
        block_begin(w->m, NBR_NOT_IMPLEMENTED, block);
        block[NBR_RESPONSE_DATA] = code;
    } else {
        block_begin(w->m, code, block);
        if (code == NBR_PHASORS) {
            page_phasors(&w->m->last, w->m->o.zone_offset_s, block);
        } else {
            page_registers(&w->m->last, block);
        }
    }
    nbr_crc_set(block, sizeof block);
    answer(w, block, false);
}

/* --- the clock: done once --- */

/* A step marks the running interval; one across its end spoils both neighbours. */
static void clock_step(struct meter *m, uint32_t before, uint32_t after)
{
    m->next_status |= STATUS_CLOCK_STEPPED;
    if (before / RECORD_INTERVAL_S != after / RECORD_INTERVAL_S) {
        m->next_status |= STATUS_PARTIAL;
        m->after_status |= STATUS_PARTIAL;
    }
}

static void set_clock(const struct work *w, uint8_t *block)
{
    struct meter *m = w->m;
    uint32_t before = meter_clock_s(m);
    uint32_t wanted = load_u32(w->command + AT_UTC);
    uint32_t largest_slew = load_u16(w->command + AT_SLEW);
    uint8_t step = w->command[AT_STEP];
    uint32_t difference = wanted > before ? wanted - before : before - wanted;
    bool stepped = difference > largest_slew;

    block_begin(m, NBR_EXTENSION, block);
    block[AT_ANSWER_SUBCODE] = NBR_EXT_CLOCK;
    store_u32(block + AT_BEFORE, before);
    if (wanted < CLOCK_S_MIN || step > 1) {
        block[AT_RESULT] = RESULT_BAD_PARAMETER;
    } else if (stepped && step == 0) {
        block[AT_RESULT] = RESULT_NOT_PERMITTED;
    } else {
        m->clock_offset_s += (int64_t)wanted - before;
        m->clock_unset = false;
        block[AT_STEPPED] = stepped;
        if (stepped) {
            clock_step(m, before, wanted);
        }
    }
    store_u32(block + AT_AFTER, meter_clock_s(m));
    nbr_crc_set(block, NBR_RESPONSE_BYTES);
}

/* --- dispatch --- */

static bool is_expired(const struct work *w)
{
    uint32_t not_after = load_u32(w->command + NBR_NOT_AFTER_AT);
    uint32_t now = meter_clock_s(w->m);

    return w->command[0] == NBR_EXTENSION && not_after != 0 && now > not_after;
}

static void execute_once(const struct work *w, struct cached *entry)
{
    if (w->command[0] != NBR_EXTENSION) {
        block_begin(w->m, NBR_NOT_IMPLEMENTED, entry->block);
        entry->block[NBR_RESPONSE_DATA] = w->command[0];
        nbr_crc_set(entry->block, NBR_RESPONSE_BYTES);
    } else {
        set_clock(w, entry->block);
    }
    entry->has_block = true;
    answer(w, entry->block, false);
}

/* True when the command only reads. */
static bool execute_reading(const struct work *w)
{
    uint8_t code = w->command[0];
    uint8_t subcode = w->command[AT_SUBCODE];

    if (code == NBR_EXTENSION && subcode == NBR_EXT_READ_REPORTS) {
        read_reports(w);
    } else if (code == NBR_EXTENSION && subcode == NBR_EXT_SEAL) {
        read_seals(w);
    } else if (code == NBR_PHASORS || code == NBR_REGISTERS) {
        read_page(w, code);
    } else {
        return false;
    }
    return true;
}

static void execute(const struct work *w, struct cached *entry)
{
    w->m->stats.commands++;
    if (is_expired(w)) {
        refuse(w, NAK_EXPIRED);
    } else if (execute_reading(w)) {
        return;
    } else if (w->command[0] == NBR_EXTENSION && w->command[AT_SUBCODE] != NBR_EXT_CLOCK) {
        refuse(w, NAK_UNKNOWN_SUBCODE);
    } else {
        execute_once(w, entry);
    }
}

void commands_take(struct meter *m, uint64_t now_us, uint32_t transaction, struct bytes block)
{
    struct nbr_command c;
    struct work w = { .m = m, .now_us = now_us, .transaction = transaction,
                      .command = block.ptr };

    if (block.len != NBR_COMMAND_BYTES || nbr_crc(0, block) != 0) {
        refuse(&w, NAK_INNER_CRC);
        return;
    }
    if (nbr_command_parse(block, &c).code) {
        m->stats.refused++; /* a code that cannot be one: dropped */
        return;
    }
    struct cached *seen = cache_find(m, transaction);
    if (seen != NULL && memcmp(seen->command, block.ptr, sizeof seen->command) == 0) {
        w.flags = ENVELOPE_CACHED;
        if (seen->has_block) {
            answer(&w, seen->block, false);
        } else {
            execute(&w, seen);
        }
        return;
    }
    struct cached *entry = seen != NULL ? NULL : cache_take(m);
    if (entry == NULL) {
        refuse(&w, seen != NULL ? NAK_BAD_PARAMETER : NAK_QUEUE_FULL);
        return;
    }
    *entry = (struct cached){ .transaction = transaction };
    memcpy(entry->command, block.ptr, sizeof entry->command);
    execute(&w, entry);
}
