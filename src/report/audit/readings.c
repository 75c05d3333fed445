/* SPDX-License-Identifier: Apache-2.0 */
/* The readings: all that were sealed, each once, each in its slot. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/wire/meter_id.h"
#include "report/audit/inside.h"

#define ESTIMATES_MAX 8 /* two hours */
#define RECORD_VERSION 1
#define SEQUENCE_AT 4 /* offsets in the record, docs/protocol.md 2.1 */
#define METER_AT 8
#define END_AT 16
#define INTERVAL_AT 20

static int reading_compare(const void *x, const void *y)
{
    const struct reading *a = x;
    const struct reading *b = y;

    if (a->record.sequence != b->record.sequence) {
        return a->record.sequence < b->record.sequence ? -1 : 1;
    }
    if (a->broken != b->broken) {
        return a->broken ? 1 : -1;
    }
    return memcmp(a->leaf.octets, b->leaf.octets, DIGEST_BYTES);
}

/* What makes a record unreadable is named by its class where its octets still tell. */
static void bad_record(struct audit *a, size_t index, struct bytes octets)
{
    uint16_t interval = load_u16(octets.ptr + INTERVAL_AT);
    bool clock = interval != 0 && load_u32(octets.ptr + END_AT) % interval != 0;

    found(a, clock ? E406 : E101, AT_SEQUENCE(load_u32(octets.ptr + SEQUENCE_AT)),
          "%s at octet %zu: %s", BUNDLE_READINGS, index * RECORD_BYTES, err_text());
}

/* What still can be read of it: which reading it claims to be. False: not even that. */
static bool claim_read(struct bytes octets, struct reading *out)
{
    if (octets.ptr[0] != RECORD_VERSION) {
        return false;
    }
    out->broken = true;
    out->record = (struct record){ .sequence = load_u32(octets.ptr + SEQUENCE_AT),
                                   .meter = load_u64(octets.ptr + METER_AT),
                                   .end_s = load_u32(octets.ptr + END_AT),
                                   .e_act = REGISTER_MISSING,
                                   .e_ind = REGISTER_MISSING,
                                   .e_cap = REGISTER_MISSING };
    return true;
}

/* False: there is nothing that could be a reading. */
static bool read_one(struct audit *a, size_t index, struct bytes octets, struct reading *out)
{
    *out = (struct reading){ .leaf = merkle_leaf(octets), .day = DAY_NONE };
    if (record_parse(octets, &out->record).code) {
        bad_record(a, index, octets);
        return claim_read(octets, out);
    }
    return true;
}

static void read_all(struct audit *a, size_t count)
{
    struct bytes file = a->files->octets[AUDIT_READINGS];
    bool order = true;

    for (size_t i = 0; i < count; i++) {
        struct reading *r = &a->readings[a->reading_count];
        if (!read_one(a, i, bundle_record_at(file, i), r)) {
            continue;
        }
        if (order && a->reading_count > 0 && r->record.sequence < r[-1].record.sequence) {
            found_values(a, E301, AT_SEQUENCE(r->record.sequence),
                         r[-1].record.sequence + INT64_C(1), r->record.sequence,
                         "readings are out of order");
            order = false;
        }
        a->reading_count++;
    }
    qsort(a->readings, a->reading_count, sizeof a->readings[0], reading_compare);
}

/* Keeps the first of each sequence: one that can be read as a whole, if there is one. */
static void drop_doubles(struct audit *a)
{
    size_t kept = 0;

    for (size_t i = 0; i < a->reading_count; i++) {
        const struct reading *r = &a->readings[i];
        if (kept > 0 && r->record.sequence == a->readings[kept - 1].record.sequence) {
            bool same = digest_equal(&r->leaf, &r[-1].leaf);
            found(a, same ? E302 : E303,
                  (struct finding_place){ r->record.sequence, r->record.end_s },
                  same ? "the reading is there twice" : "two different readings of one sequence");
            continue;
        }
        a->readings[kept++] = a->readings[i];
    }
    a->reading_count = kept;
}

err audit_readings_read(struct audit *a)
{
    struct bytes file = a->files->octets[AUDIT_READINGS];
    size_t count = 0;

    if (bundle_records_count(file, &count).code) {
        found(a, E101, NOWHERE, "%s", err_text());
        count = file.len > BUNDLE_READINGS_BYTES_MAX ? 0 : file.len / RECORD_BYTES;
    }
    a->readings = mem_take(count * sizeof a->readings[0]);
    if (a->readings == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu readings", count);
    }
    read_all(a, count);
    drop_doubles(a);
    return OK;
}

/* --- each reading by itself --- */

static void check_claim(struct audit *a, const struct reading *r)
{
    struct finding_place where = { r->record.sequence, r->record.end_s };

    if (r->record.meter != a->bill.meter.id) {
        found(a, E204, where, "a reading of meter %" PRI_METER, r->record.meter);
    }
    if (r->broken && r->day == DAY_NONE) {
        found(a, E305, where, "no seal covers the reading");
    }
}

static void check_place(struct audit *a, const struct reading *r)
{
    const struct record *rec = &r->record;
    struct finding_place where = { rec->sequence, rec->end_s };
    bool inside = rec->end_s > a->bill.start_s && rec->end_s <= a->bill.end_s;

    if (rec->interval_s != a->bill.parameters.interval_s) {
        found_values(a, E406, where, a->bill.parameters.interval_s, rec->interval_s,
                     "the interval has another length");
    }
    if (!inside) {
        found(a, E305, where, "the reading is outside the period");
    } else if (r->day == DAY_NONE) {
        found(a, E305, where, "no seal covers the reading");
    } else if (rec->end_s <= a->seals[r->day].seal.start_s ||
               rec->end_s > a->seals[r->day].seal.end_s) {
        found(a, E406, where, "the reading is not of the day in which it was sealed");
    }
    if ((rec->status & STATUS_REGISTER_RESET) != 0) {
        found(a, E205, where, "registers were reset without change record");
    }
}

/* Time runs with the sequence, unless the meter itself says why not. */
static void check_step(struct audit *a, const struct record *now, const struct record *before)
{
    const uint16_t excused =
        STATUS_CLOCK_UNSET | STATUS_CLOCK_STEPPED | STATUS_POWER_LOST | STATUS_PARTIAL;
    struct finding_place where = { now->sequence, now->end_s };
    int64_t step = (int64_t)now->end_s - before->end_s;
    int64_t want = (int64_t)(now->sequence - before->sequence) * now->interval_s;

    if (step < now->interval_s) {
        found_values(a, E304, where, before->end_s + (int64_t)now->interval_s, now->end_s,
                     "the interval overlaps the one before");
    } else if (step != want && (now->status & excused) == 0) {
        found_values(a, E406, where, before->end_s + want, now->end_s,
                     "the clock leaps without a status bit");
    }
}

/* --- each day against its seal --- */

static void assign_days(struct audit *a)
{
    size_t day = a->has_opening ? 1 : 0;

    for (size_t i = 0; i < a->reading_count; i++) {
        uint32_t sequence = a->readings[i].record.sequence;
        while (day < a->seal_count && a->seals[day].seal.last < sequence) {
            day++;
        }
        if (day < a->seal_count && a->seals[day].seal.first <= sequence) {
            a->readings[i].day = (uint32_t)day;
        }
    }
}

/* The first sequence of the day that is not among its readings. */
static int64_t first_missing(const struct seal *s, const struct reading *r, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (r[i].record.sequence != s->first + i) {
            return s->first + (int64_t)i;
        }
    }
    return s->first + (int64_t)count;
}

static void check_day(struct audit *a, const struct seal *s, const struct reading *r, size_t count)
{
    struct finding_place where = { FINDING_NO_PLACE, s->start_s };

    if (count == s->count) {
        return;
    }
    if (count < s->count) {
        where.sequence = first_missing(s, r, count);
        found_values(a, E301, where, s->count, (int64_t)count, "readings of the day are missing");
        return;
    }
    found_values(a, E303, where, s->count, (int64_t)count, "more readings than the meter sealed");
}

static void check_days(struct audit *a)
{
    size_t at = 0;

    for (size_t day = a->has_opening ? 1 : 0; day < a->seal_count; day++) {
        size_t count = 0;
        while (at < a->reading_count && a->readings[at].day != day &&
               a->readings[at].record.sequence < a->seals[day].seal.first) {
            at++;
        }
        while (at + count < a->reading_count && a->readings[at + count].day == day) {
            count++;
        }
        check_day(a, &a->seals[day].seal, a->readings + at, count);
        at += count;
    }
}

static void check_count(struct audit *a, const char *what, int64_t expected, uint32_t in_bill)
{
    if (expected != in_bill) {
        found_values(a, E308, NOWHERE, expected, in_bill, what);
    }
}

static void check_counts(struct audit *a)
{
    const struct bill_meter *m = &a->bill.meter;
    int64_t estimated = 0;

    for (size_t i = 0; i < a->reading_count; i++) {
        estimated += (a->readings[i].record.status & STATUS_ESTIMATED) != 0;
    }
    check_count(a, "expected intervals",
                (a->bill.end_s - a->bill.start_s) / a->bill.parameters.interval_s, m->expected);
    check_count(a, "received readings", (int64_t)a->reading_count, m->received);
    check_count(a, "measured readings", (int64_t)a->reading_count - estimated, m->measured);
    check_count(a, "estimated readings", estimated, m->estimated);
}

void audit_readings(struct audit *a)
{
    const struct record *before = NULL;

    assign_days(a);
    for (size_t i = 0; i < a->reading_count; i++) {
        const struct reading *r = &a->readings[i];
        check_claim(a, r);
        if (r->broken) {
            continue;
        }
        check_place(a, r);
        if (before != NULL) {
            check_step(a, &r->record, before);
        }
        before = &r->record;
    }
    check_days(a);
    check_counts(a);
}

/* --- estimates: none can be reproduced yet, so none is accepted --- */

static const struct record *record_of(const struct audit *a, uint32_t sequence)
{
    for (size_t i = 0; i < a->reading_count; i++) {
        if (a->readings[i].record.sequence == sequence) {
            return &a->readings[i].record;
        }
    }
    return NULL;
}

static void check_estimate(struct audit *a, const struct bill_estimate *e)
{
    const struct record *r = record_of(a, e->sequence);

    if (r != NULL && (r->status & STATUS_ESTIMATED) == 0) {
        found(a, E501, AT_SEQUENCE(e->sequence), "an estimate although a measured value exists");
        return;
    }
    found(a, E502, AT_SEQUENCE(e->sequence), "rule %s cannot be reproduced", e->rule);
}

static bool listed(const struct audit *a, uint32_t sequence)
{
    for (size_t i = 0; i < a->bill.estimate_count; i++) {
        if (a->bill.estimates[i].sequence == sequence) {
            return true;
        }
    }
    return false;
}

void audit_estimates(struct audit *a)
{
    struct digest none = sha256((struct bytes){ NULL, 0 });

    for (size_t i = 0; i < a->bill.estimate_count; i++) {
        check_estimate(a, &a->bill.estimates[i]);
    }
    if (a->bill.estimate_count > ESTIMATES_MAX) {
        found_values(a, E503, NOWHERE, ESTIMATES_MAX, (int64_t)a->bill.estimate_count,
                     "more estimates than the limit");
    }
    if (a->bill.estimate_count == 0 && !digest_equal(&none, &a->bill.estimates_root)) {
        found_digests(a, E502, NOWHERE, &none, &a->bill.estimates_root, "root of no estimates");
    }
    for (size_t i = 0; i < a->reading_count; i++) {
        const struct record *r = &a->readings[i].record;
        if ((r->status & STATUS_ESTIMATED) != 0 && !listed(a, r->sequence)) {
            found(a, E502, (struct finding_place){ r->sequence, r->end_s },
                  "an estimated reading without its rule");
        }
    }
}
