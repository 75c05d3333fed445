/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sim.h"

#define NEEDLE_AT 16 /* of a record: interval end, length and the first reads */
#define NEEDLE_BYTES 24
#define NEEDLES 4 /* newest records of each meter that are looked for */

void check_produced(struct sim_node *m, uint32_t sequence, bool produced, const struct record *r)
{
    if (sequence >= SIM_RECORDS_MAX) {
        sim_break(m->sim, "more than %d intervals in one run", SIM_RECORDS_MAX);
        return;
    }
    m->records[sequence].produced = produced;
    if (produced) {
        m->records[sequence].record = *r;
    }
}

/* No record in clear where an aggregator or the mesh could read it. */
void check_clear(struct sim *s, struct bytes octets)
{
    for (size_t i = 0; i < s->meter_count; i++) {
        const struct sim_node *m = &s->nodes[i];
        for (uint32_t n = 0; n < NEEDLES && n < m->newest; n++) {
            uint8_t raw[RECORD_BYTES];
            const struct sim_record *r = &m->records[m->newest - n];
            if (!r->produced) {
                continue;
            }
            record_encode(&r->record, raw);
            if (memmem(octets.ptr, octets.len, raw + NEEDLE_AT, NEEDLE_BYTES) != NULL) {
                sim_break(s, "a record of meter %u travels in clear", m->index);
            }
        }
    }
}

static bool same_but_status(struct record a, const struct record *b)
{
    a.status = b->status;
    return record_equal(&a, b);
}

/* A sequence that the collector calls settled. */
static bool is_safe(struct sim *s, const struct sim_node *m, uint32_t sequence)
{
    const struct sim_record *r = &m->records[sequence];

    if (sequence > m->newest) {
        return false;
    }
    if (!r->produced) {
        return fake_store_missing(&s->store, m->id, sequence);
    }
    const struct fake_reading *there = fake_store_reading(&s->store, m->id, r->record.end_s);
    return there != NULL && same_but_status(r->record, &there->record);
}

/* Nothing is acknowledged that is not durable, or known to have never been. */
void check_marks(struct sim *s)
{
    if (!s->collector->up) {
        return;
    }
    for (size_t i = 0; i < s->meter_count; i++) {
        struct sim_node *m = &s->nodes[i];
        uint32_t mark = collector_mark(s->collector->core, m->id);
        for (; m->checked < mark; m->checked++) {
            if (!is_safe(s, m, m->checked + 1)) {
                sim_break(s, "meter %u: %u is acknowledged and not in the store", m->index,
                          m->checked + 1);
                return;
            }
        }
    }
}

/* --- the end --- */

static void check_readings(struct sim *s, const struct sim_node *m)
{
    for (uint32_t n = 1; n <= m->newest; n++) {
        if (m->records[n].produced && !is_safe(s, m, n)) {
            sim_break(s, "meter %u: reading %u was produced and is not stored", m->index, n);
        }
        if (m->records[n].produced && fake_store_missing(&s->store, m->id, n)) {
            sim_break(s, "meter %u: reading %u was produced and is called missing", m->index, n);
        }
    }
}

static struct digest root_of(struct sim *s, const struct sim_node *m, const struct seal *seal)
{
    struct merkle tree = { 0 };

    for (uint32_t n = seal->first; n <= seal->last; n++) {
        const struct sim_record *r = &m->records[n];
        const struct fake_reading *there =
            r->produced ? fake_store_reading(&s->store, m->id, r->record.end_s) : NULL;
        uint8_t raw[RECORD_BYTES];
        if (there != NULL) {
            record_encode(&there->record, raw);
            struct digest leaf = merkle_leaf(BYTES_OF(raw));
            if (merkle_add(&tree, &leaf).code) {
                break;
            }
        }
    }
    return merkle_root(&tree);
}

/* Each day follows the one before, and its root is that of the stored readings: octet by octet what
 * the meter signed. */
static void check_seals(struct sim *s, const struct sim_node *m)
{
    struct digest previous = { { 0 } };
    uint32_t next = 1, days = 0;

    for (const struct fake_seal *f = fake_store_meter(&s->store, m->id)->seals; f != NULL;
         f = f->next) {
        const struct seal *seal = &f->day.seal;
        struct digest root = root_of(s, m, seal);
        if (!digest_equal(&seal->previous, &previous) || seal->first != next) {
            sim_break(s, "meter %u: the seals do not chain at day %u", m->index, days);
        } else if (!digest_equal(&root, &seal->root)) {
            sim_break(s, "meter %u: the readings of day %u are not what was sealed", m->index,
                      days);
        }
        previous = seal_hash(seal);
        next = seal->last + 1;
        days++;
    }
    if (next <= m->newest) {
        sim_break(s, "meter %u: readings from %u are not sealed", m->index, next);
    }
}

static void check_count(struct sim *s)
{
    uint64_t produced = 0;

    for (size_t i = 0; i < s->meter_count; i++) {
        produced += meter_stats(s->nodes[i].core)->produced;
    }
    if (produced != fake_store_readings(&s->store)) {
        sim_break(s, "%llu readings were produced and %zu are stored",
                  (unsigned long long)produced, fake_store_readings(&s->store));
    }
}

void check_end(struct sim *s)
{
    check_count(s);
    for (size_t i = 0; i < s->meter_count; i++) {
        check_readings(s, &s->nodes[i]);
        check_seals(s, &s->nodes[i]);
    }
    if (fake_store_events(&s->store, "conflict") > 0) {
        sim_break(s, "a conflict was seen among honest meters");
    }
}
