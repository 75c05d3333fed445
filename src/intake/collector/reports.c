/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of meters: reports, known missing reports, parts of seals, occurrences. Everything is
 * parsed before anything is done. */
#include "intake/collector/inside.h"

enum { AT_SUBCODE = 5, AT_OCCURRENCE = 5 };

/* Before the first row of a meter: what it no longer holds will never come, and that is written
 * down before anything is acknowledged, so that a restart knows it too. */
static void base(struct collector *c, struct meter *m, const struct report *r)
{
    uint32_t first = r->oldest > 0 && r->oldest < r->record.sequence ? r->oldest
                                                                      : r->record.sequence;

    if (!m->based) {
        m->based = true;
        if (first > 1) {
            batches_gap(c, m, 1, first - 1, 2 /* overwritten */);
        }
    }
}

static struct reading_row *flying(const struct meter *m, uint32_t sequence)
{
    struct reading_row *row = m->flying;

    while (row != NULL && row->record.sequence != sequence) {
        row = row->next;
    }
    return row;
}

static void conflict(struct collector *c, struct meter *m, uint32_t sequence)
{
    c->counts[COLLECTOR_CONFLICTS]++;
    batches_event(c, m, EVENT_CONFLICT, sequence);
}

static uint8_t quality_of(struct collector *c, const struct record *r)
{
    bool future =
        r->end_s > collector_now_s(c) && r->end_s - collector_now_s(c) > COLLECTOR_FUTURE_S;

    if (future || (r->status & STATUS_CLOCK_UNSET) != 0) {
        return QUALITY_SUSPECT;
    }
    return (r->status & STATUS_ESTIMATED) != 0 ? QUALITY_ESTIMATED : QUALITY_VALID;
}

static void record_came(struct collector *c, struct meter *m, const struct record *r)
{
    const struct reading_row *first = flying(m, r->sequence);

    if (first != NULL) {
        if (record_equal(&first->record, r)) {
            c->counts[COLLECTOR_DUPLICATES]++;
        } else {
            conflict(c, m, r->sequence);
        }
        return;
    }
    bool settled = ranges_have(&m->settled, r->sequence);
    batches_reading(c, m, r, quality_of(c, r), settled);
}

static void bad_record(struct collector *c, struct meter *m, uint32_t sequence)
{
    c->counts[COLLECTOR_BAD_RECORDS]++;
    batches_event(c, m, EVENT_RECORD, sequence);
}

static void missing_came(struct collector *c, struct meter *m, const struct report *r)
{
    uint32_t sequence = r->record.sequence;

    if (ranges_have(&m->settled, sequence)) {
        meters_touch(c, m);
    } else if (flying(m, sequence) == NULL) {
        batches_gap(c, m, sequence, sequence, r->missing_reason);
    }
}

/* Columns are int8. No meter counts so far; a figure beyond is a fault. */
static bool register_fits(uint64_t v)
{
    return v == REGISTER_MISSING || v <= INT64_MAX;
}

static bool registers_fit(const struct record *r)
{
    return register_fits(r->e_act) && register_fits(r->e_ind) && register_fits(r->e_cap);
}

static void report_came(struct collector *c, struct meter *m, struct bytes block)
{
    struct report r;

    if (report_parse(block, &r).code) {
        bad_record(c, m, 0);
        return;
    }
    uint32_t sequence = r.record.sequence;
    bool present = r.missing_reason == 0;
    if ((present && (r.record.meter != m->id || !registers_fit(&r.record))) || sequence == 0 ||
        sequence == UINT32_MAX) {
        bad_record(c, m, sequence);
        return;
    }
    m->newest = r.newest > m->newest ? r.newest : m->newest;
    base(c, m, &r);
    if (r.missing_reason != 0) {
        missing_came(c, m, &r);
    } else {
        record_came(c, m, &r.record);
    }
}

static void extension_came(struct collector *c, struct meter *m, struct bytes block)
{
    switch (block.ptr[AT_SUBCODE]) {
    case NBR_EXT_REPORT: report_came(c, m, block); break;
    case NBR_EXT_SEAL:   seals_part(c, m, block); break;
    default:             break; /* the answer to a command: the meter did it or says why not */
    }
}

void reports_block(struct collector *c, struct meter *m, const struct intake_message *i)
{
    struct bytes block = i->block.block;

    switch (block.ptr[0]) {
    case NBR_EXTENSION: extension_came(c, m, block); break;
    case NBR_OCCURRENCE:
        batches_event(c, m, EVENT_OCCURRENCE, load_u16(block.ptr + AT_OCCURRENCE));
        break;
    default: break;
    }
    if (i->block.type == ENVELOPE_RSP && (i->block.flags & ENVELOPE_MORE) == 0) {
        gaps_answered(c, m, i->block.transaction);
    }
    gaps_look(c, m);
}
