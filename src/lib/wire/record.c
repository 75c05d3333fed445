/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/record.h"

#include <assert.h>
#include <string.h>

#include "lib/wire/meter_id.h"
#include "lib/wire/nbr.h"

#define RECORD_VERSION 1
#define REPORT_LAYOUT 1
#define REGISTER_COUNT 3

enum { /* offsets of the record (docs/protocol.md 2.1) */
    AT_VERSION = 0,
    AT_FLAGS = 1,
    AT_STATUS = 2,
    AT_SEQUENCE = 4,
    AT_METER = 8,
    AT_END = 16,
    AT_INTERVAL = 20,
    AT_RESERVED = 22,
    AT_READS = 24,
    AT_E_ACT = 132,
    AT_E_IND = 140,
    AT_E_CAP = 148,
};

enum { /* offsets of a report in its RESPONSE block (docs/protocol.md 2.2) */
    AT_SUBCODE = 5,
    AT_LAYOUT = 6,
    AT_RECORD = 7,
    AT_NEWEST = 163,
    AT_OLDEST = 167,
    AT_REST = 171,
    AT_CRC = 256,
};

enum { /* of the record of a report that is missing */
    AT_MISSING_REASON = 1,
    MISSING_REASON_LAST = 4,
};

static const char *const read_names[RECORD_READS + REGISTER_COUNT] = {
    "v_a",     "v_b",     "v_c",     "v_ab",    "v_bc",    "v_ca",    "i_a",   "i_b",
    "i_c",     "ang_a",   "ang_b",   "ang_c",   "p3",      "q3",      "s3",    "pf_a",
    "pf_b",    "pf_c",    "pf_3",    "thd_v_a", "thd_v_b", "thd_v_c", "thd_i_a", "thd_i_b",
    "thd_i_c", "freq",    "demand",  "e_act",   "e_ind",   "e_cap",
};

void record_encode(const struct record *r, uint8_t out[RECORD_BYTES])
{
    out[AT_VERSION] = RECORD_VERSION;
    out[AT_FLAGS] = r->flags;
    store_u16(out + AT_STATUS, r->status);
    store_u32(out + AT_SEQUENCE, r->sequence);
    store_u64(out + AT_METER, r->meter);
    store_u32(out + AT_END, r->end_s);
    store_u16(out + AT_INTERVAL, r->interval_s);
    store_u16(out + AT_RESERVED, 0);
    for (size_t i = 0; i < RECORD_READS; i++) {
        store_u32(out + AT_READS + 4 * i, (uint32_t)r->reads[i]);
    }
    store_u64(out + AT_E_ACT, r->e_act);
    store_u64(out + AT_E_IND, r->e_ind);
    store_u64(out + AT_E_CAP, r->e_cap);
}

static err check_head(const uint8_t *p)
{
    if (p[AT_VERSION] != RECORD_VERSION) {
        FAIL(ERR_PROTO, "record: version %u, only %d is known", p[AT_VERSION], RECORD_VERSION);
    }
    if ((p[AT_FLAGS] & ~RECORD_SIMULATED) != 0) {
        FAIL(ERR_PROTO, "record: flags 0x%02x have an unknown bit", p[AT_FLAGS]);
    }
    if ((load_u16(p + AT_STATUS) & ~STATUS_KNOWN_BITS) != 0) {
        FAIL(ERR_PROTO, "record: status 0x%04x has an unknown bit", load_u16(p + AT_STATUS));
    }
    if (load_u16(p + AT_RESERVED) != 0) {
        FAIL(ERR_PROTO, "record: the reserved field is not zero");
    }
    return OK;
}

static err check_time(uint32_t end_s, uint16_t interval_s)
{
    if (interval_s == 0 || 3600 % interval_s != 0) {
        FAIL(ERR_PROTO, "record: interval of %u s does not divide an hour", interval_s);
    }
    if (end_s % interval_s != 0) {
        FAIL(ERR_PROTO, "record: end %u is no multiple of %u s", end_s, interval_s);
    }
    return OK;
}

err record_parse(struct bytes octets, struct record *out)
{
    const uint8_t *p = octets.ptr;

    if (octets.len != RECORD_BYTES) {
        FAIL(ERR_PROTO, "record: %zu octets, %d wanted", octets.len, RECORD_BYTES);
    }
    TRY(check_head(p));
    TRY(check_time(load_u32(p + AT_END), load_u16(p + AT_INTERVAL)));
    *out = (struct record){
        .flags = p[AT_FLAGS],
        .status = load_u16(p + AT_STATUS),
        .sequence = load_u32(p + AT_SEQUENCE),
        .meter = load_u64(p + AT_METER),
        .end_s = load_u32(p + AT_END),
        .interval_s = load_u16(p + AT_INTERVAL),
        .e_act = load_u64(p + AT_E_ACT),
        .e_ind = load_u64(p + AT_E_IND),
        .e_cap = load_u64(p + AT_E_CAP),
    };
    for (size_t i = 0; i < RECORD_READS; i++) {
        out->reads[i] = (int32_t)load_u32(p + AT_READS + 4 * i);
    }
    return OK;
}

bool record_equal(const struct record *a, const struct record *b)
{
    return a->flags == b->flags && a->status == b->status && a->sequence == b->sequence &&
           a->meter == b->meter && a->end_s == b->end_s && a->interval_s == b->interval_s &&
           a->e_act == b->e_act && a->e_ind == b->e_ind && a->e_cap == b->e_cap &&
           memcmp(a->reads, b->reads, sizeof a->reads) == 0;
}

const char *record_read_name(unsigned n)
{
    assert(n >= 1 && n <= RECORD_READS + REGISTER_COUNT);
    return read_names[n - 1];
}

void report_encode(const struct report *r, uint8_t *out_block)
{
    uint8_t *record = out_block + AT_RECORD;

    memset(out_block, 0, NBR_RESPONSE_BYTES);
    out_block[0] = NBR_EXTENSION;
    store_u32(out_block + 1, (uint32_t)r->record.meter);
    out_block[AT_SUBCODE] = NBR_EXT_REPORT;
    out_block[AT_LAYOUT] = REPORT_LAYOUT;
    if (r->missing_reason != 0) {
        record[AT_MISSING_REASON] = r->missing_reason;
        store_u32(record + AT_SEQUENCE, r->record.sequence);
    } else {
        record_encode(&r->record, record);
    }
    store_u32(out_block + AT_NEWEST, r->newest);
    store_u32(out_block + AT_OLDEST, r->oldest);
    nbr_crc_set(out_block, NBR_RESPONSE_BYTES);
}

static err check_zero(const uint8_t *p, size_t from, size_t to, const char *what)
{
    for (size_t i = from; i < to; i++) {
        if (p[i] != 0) {
            FAIL(ERR_PROTO, "%s: octet %zu is unused and not zero", what, i);
        }
    }
    return OK;
}

/* A record of version 0: only the sequence and the reason say something. */
static err missing_parse(const uint8_t *p, uint32_t serial, struct report *out)
{
    uint8_t reason = p[AT_MISSING_REASON];

    if (reason == 0 || reason > MISSING_REASON_LAST) {
        FAIL(ERR_PROTO, "missing report: reason %u, 1 to %d are known", reason,
             MISSING_REASON_LAST);
    }
    TRY(check_zero(p, AT_STATUS, AT_SEQUENCE, "missing report"));
    TRY(check_zero(p, AT_METER, RECORD_BYTES, "missing report"));
    out->missing_reason = reason;
    out->record = (struct record){ .sequence = load_u32(p + AT_SEQUENCE), .meter = serial };
    return OK;
}

static err present_parse(const uint8_t *p, uint32_t serial, struct report *out)
{
    TRY(record_parse((struct bytes){ p, RECORD_BYTES }, &out->record));
    if ((uint32_t)out->record.meter != serial) {
        FAIL(ERR_PROTO, "report: serial %08x carries a record of meter %" PRI_METER, serial, out->record.meter);
    }
    return OK;
}

err report_parse(struct bytes block, struct report *out)
{
    struct nbr_response response;
    struct report r = { 0 };
    const uint8_t *p = block.ptr;

    TRY(nbr_response_parse(block, &response));
    if (response.code != NBR_EXTENSION || p[AT_SUBCODE] != NBR_EXT_REPORT) {
        FAIL(ERR_PROTO, "report: code 0x%02x, sub-code 0x%02x", response.code, p[AT_SUBCODE]);
    }
    if (p[AT_LAYOUT] != REPORT_LAYOUT) {
        FAIL(ERR_PROTO, "report: layout %u, only %d is known", p[AT_LAYOUT], REPORT_LAYOUT);
    }
    TRY(check_zero(p, AT_REST, AT_CRC, "report"));
    if (p[AT_RECORD] == 0) {
        TRY(missing_parse(p + AT_RECORD, response.meter, &r));
    } else {
        TRY(present_parse(p + AT_RECORD, response.meter, &r));
    }
    r.newest = load_u32(p + AT_NEWEST);
    r.oldest = load_u32(p + AT_OLDEST);
    *out = r;
    return OK;
}
