/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/collector/sql_text.h"

#include <assert.h>
#include <string.h>

#define NUMBER_BYTES_MAX 20 /* -9223372036854775808 */
#define READING_COLUMNS                                                                            \
    "meter_id, ts, seq, flags, status, interval_s, quality, v_a, v_b, v_c, v_ab, v_bc, v_ca, "     \
    "i_a, i_b, i_c, ang_a, ang_b, ang_c, p3, q3, s3, pf_a, pf_b, pf_c, pf_3, thd_v_a, thd_v_b, "   \
    "thd_v_c, thd_i_a, thd_i_b, thd_i_c, freq, demand, e_act, e_ind, e_cap"

enum { /* columns of a reading */
    COLUMN_METER,
    COLUMN_TS,
    COLUMN_SEQ,
    COLUMN_FLAGS,
    COLUMN_STATUS,
    COLUMN_INTERVAL,
    COLUMN_QUALITY,
    COLUMN_READS,
    COLUMN_E_ACT = COLUMN_READS + RECORD_READS,
    COLUMN_E_IND,
    COLUMN_E_CAP,
    COLUMN_COUNT
};

/* --- numbers and hex, without printf --- */

static err put_int(struct buf *out, int64_t v)
{
    char text[NUMBER_BYTES_MAX];
    size_t at = sizeof text;
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0) {
        text[--at] = '-';
    }
    return buf_append(out, (struct bytes){ (const uint8_t *)text + at, sizeof text - at });
}

static err put_next(struct buf *out, int64_t v)
{
    TRY(buf_u8(out, ','));
    return put_int(out, v);
}

static err put_read(struct buf *out, int32_t v)
{
    return v == READ_MISSING ? buf_append(out, BYTES_LIT(",NULL")) : put_next(out, v);
}

/* A register beyond int64 does not come here: such a record is refused. */
static err put_register(struct buf *out, uint64_t v)
{
    return v == REGISTER_MISSING ? buf_append(out, BYTES_LIT(",NULL")) : put_next(out, (int64_t)v);
}

static err put_bytea(struct buf *out, struct bytes octets)
{
    static const char digits[] = "0123456789abcdef";

    TRY(buf_append(out, BYTES_LIT("'\\x")));
    for (size_t i = 0; i < octets.len; i++) {
        TRY(buf_u8(out, (uint8_t)digits[octets.ptr[i] >> 4]));
        TRY(buf_u8(out, (uint8_t)digits[octets.ptr[i] & 15]));
    }
    return buf_u8(out, '\'');
}

static err begin_row(struct buf *out, size_t count)
{
    return buf_append(out, count == 0 ? BYTES_LIT("(") : BYTES_LIT(",("));
}

#define ON_CONFLICT BYTES_LIT(" ON CONFLICT DO NOTHING")

/* --- readings --- */

static err put_reading(struct buf *out, const struct reading_row *row)
{
    const struct record *r = &row->record;

    TRY(put_int(out, (int64_t)r->meter));
    TRY(put_next(out, r->end_s));
    TRY(put_next(out, r->sequence));
    TRY(put_next(out, r->flags));
    TRY(put_next(out, r->status));
    TRY(put_next(out, r->interval_s));
    TRY(put_next(out, row->quality));
    for (size_t i = 0; i < RECORD_READS; i++) {
        TRY(put_read(out, r->reads[i]));
    }
    TRY(put_register(out, r->e_act));
    TRY(put_register(out, r->e_ind));
    TRY(put_register(out, r->e_cap));
    return buf_u8(out, ')');
}

err sql_insert_readings(const struct collector_batch *b, struct buf *out, size_t *out_count)
{
    size_t count = 0;

    TRY(buf_append(out, BYTES_LIT("INSERT INTO reading (" READING_COLUMNS ") VALUES ")));
    for (size_t i = 0; i < b->reading_count; i++) {
        if (!b->readings[i].look_only) {
            TRY(begin_row(out, count++));
            TRY(put_reading(out, &b->readings[i]));
        }
    }
    *out_count = count;
    return buf_append(out, ON_CONFLICT);
}

static bool is_open_with(const struct collector_batch *b, size_t first, size_t i)
{
    return b->readings[i].outcome == ROW_OPEN &&
           b->readings[i].record.meter == b->readings[first].record.meter;
}

err sql_select_readings(const struct collector_batch *b, size_t first, struct buf *out)
{
    size_t count = 0;

    TRY(buf_append(out, BYTES_LIT("SELECT " READING_COLUMNS " FROM reading WHERE meter_id = ")));
    TRY(put_int(out, (int64_t)b->readings[first].record.meter));
    TRY(buf_append(out, BYTES_LIT(" AND ts IN (")));
    for (size_t i = first; i < b->reading_count; i++) {
        if (is_open_with(b, first, i)) {
            if (count++ > 0) {
                TRY(buf_u8(out, ','));
            }
            TRY(put_int(out, b->readings[i].record.end_s));
        }
    }
    return buf_u8(out, ')');
}

err sql_cell_int(const json_t *row, size_t column, int64_t min, int64_t max, int64_t *out)
{
    const json_t *cell = json_array_get(row, column);

    if (!json_is_integer(cell)) {
        FAIL(ERR_PROTO, "column %zu of an answer is no integer", column);
    }
    int64_t v = json_integer_value(cell);
    if (v < min || v > max) {
        FAIL(ERR_PROTO, "column %zu of an answer is out of its range", column);
    }
    *out = v;
    return OK;
}

static err read_read(const json_t *row, size_t column, int32_t *out)
{
    int64_t v;

    if (json_is_null(json_array_get(row, column))) {
        *out = READ_MISSING;
        return OK;
    }
    TRY(sql_cell_int(row, column, INT32_MIN + 1, INT32_MAX, &v));
    *out = (int32_t)v;
    return OK;
}

static err read_register(const json_t *row, size_t column, uint64_t *out)
{
    int64_t v;

    if (json_is_null(json_array_get(row, column))) {
        *out = REGISTER_MISSING;
        return OK;
    }
    TRY(sql_cell_int(row, column, 0, INT64_MAX, &v));
    *out = (uint64_t)v;
    return OK;
}

static err read_head(const json_t *row, struct record *out)
{
    int64_t meter, ts, seq, flags, status, interval_s;

    TRY(sql_cell_int(row, COLUMN_METER, INT64_MIN, INT64_MAX, &meter));
    TRY(sql_cell_int(row, COLUMN_TS, 0, UINT32_MAX, &ts));
    TRY(sql_cell_int(row, COLUMN_SEQ, 0, UINT32_MAX, &seq));
    TRY(sql_cell_int(row, COLUMN_FLAGS, 0, UINT8_MAX, &flags));
    TRY(sql_cell_int(row, COLUMN_STATUS, 0, UINT16_MAX, &status));
    TRY(sql_cell_int(row, COLUMN_INTERVAL, 0, UINT16_MAX, &interval_s));
    *out = (struct record){
        .flags = (uint8_t)flags,
        .status = (uint16_t)status,
        .sequence = (uint32_t)seq,
        .meter = (uint64_t)meter,
        .end_s = (uint32_t)ts,
        .interval_s = (uint16_t)interval_s,
    };
    return OK;
}

static err read_reading(const json_t *row, struct record *out)
{
    struct record r;

    if (json_array_size(row) != COLUMN_COUNT) {
        FAIL(ERR_PROTO, "a reading of %zu columns, %d wanted", json_array_size(row), COLUMN_COUNT);
    }
    TRY(read_head(row, &r));
    for (size_t i = 0; i < RECORD_READS; i++) {
        TRY(read_read(row, COLUMN_READS + i, &r.reads[i]));
    }
    TRY(read_register(row, COLUMN_E_ACT, &r.e_act));
    TRY(read_register(row, COLUMN_E_IND, &r.e_ind));
    TRY(read_register(row, COLUMN_E_CAP, &r.e_cap));
    *out = r;
    return OK;
}

static void compare(struct reading_row *row, const struct record *there)
{
    row->outcome = record_equal(&row->record, there) ? ROW_SAME : ROW_OTHER;
    row->other = there->sequence;
}

err sql_compare_readings(struct collector_batch *b, size_t first, const json_t *rows)
{
    uint64_t meter = b->readings[first].record.meter;

    for (size_t n = 0; n < json_array_size(rows); n++) {
        struct record there;
        TRY(read_reading(json_array_get(rows, n), &there));
        for (size_t i = first; i < b->reading_count; i++) {
            if (is_open_with(b, first, i) && b->readings[i].record.end_s == there.end_s &&
                there.meter == meter) {
                compare(&b->readings[i], &there);
            }
        }
    }
    /* `first` may be settled by now, so its meter was kept. */
    for (size_t i = first; i < b->reading_count; i++) {
        struct reading_row *row = &b->readings[i];
        if (row->outcome == ROW_OPEN && row->record.meter == meter) {
            row->outcome = ROW_ABSENT;
        }
    }
    return OK;
}

/* --- seals --- */

static err put_seal(struct buf *out, const struct sealed_day *day)
{
    AUTO(buf_done) struct buf stored = { .max = SEAL_STORED_BYTES_MAX };
    const struct seal *s = &day->seal;

    TRY(sealed_day_encode(day, &stored));
    TRY(put_int(out, (int64_t)s->meter));
    TRY(put_next(out, s->end_s));
    TRY(put_next(out, s->start_s));
    TRY(put_next(out, s->first));
    TRY(put_next(out, s->last));
    TRY(put_next(out, s->count));
    TRY(buf_u8(out, ','));
    TRY(put_bytea(out, buf_bytes(&stored)));
    return buf_u8(out, ')');
}

err sql_insert_seals(const struct collector_batch *b, struct buf *out, size_t *out_count)
{
    TRY(buf_append(out,
                   BYTES_LIT("INSERT INTO seal (meter_id, end_s, start_s, first_seq, last_seq, "
                             "records, stored) VALUES ")));
    for (size_t i = 0; i < b->seal_count; i++) {
        TRY(begin_row(out, i));
        TRY(put_seal(out, &b->seals[i].day));
    }
    *out_count = b->seal_count;
    return buf_append(out, ON_CONFLICT);
}

err sql_select_seal(const struct seal *s, struct buf *out)
{
    TRY(buf_append(out, BYTES_LIT("SELECT stored FROM seal WHERE meter_id = ")));
    TRY(put_int(out, (int64_t)s->meter));
    TRY(buf_append(out, BYTES_LIT(" AND end_s = ")));
    return put_int(out, s->end_s);
}

err sql_cell_text(const json_t *row, size_t column, struct bytes *out)
{
    const json_t *cell = json_array_get(row, column);

    if (!json_is_string(cell)) {
        FAIL(ERR_PROTO, "column %zu of an answer is no text", column);
    }
    *out = (struct bytes){ (const uint8_t *)json_string_value(cell), json_string_length(cell) };
    return OK;
}

err sql_cell_bytea(const json_t *row, size_t column, struct buf *out)
{
    struct bytes text;

    TRY(sql_cell_text(row, column, &text));
    if (!bytes_have_prefix(text, BYTES_LIT("\\x")) || text.len % 2 != 0) {
        FAIL(ERR_PROTO, "column %zu of an answer is no bytea", column);
    }
    struct bytes hex = { text.ptr + 2, text.len - 2 };
    TRY(buf_reserve(out, hex.len / 2));
    TRY(hex_decode(hex, out->ptr + out->len, hex.len / 2));
    out->len += hex.len / 2;
    return OK;
}

/* A seal may be signed again with another signature: what counts is its body. */
err sql_compare_seal(struct seal_row *row, const json_t *rows)
{
    AUTO(buf_done) struct buf stored = { .max = SEAL_STORED_BYTES_MAX };
    struct sealed_day there;

    if (json_array_size(rows) != 1) {
        FAIL(ERR_PROTO, "the seal that was just written is not there");
    }
    TRY(sql_cell_bytea(json_array_get(rows, 0), 0, &stored));
    struct bytes in = buf_bytes(&stored);
    TRY(sealed_day_parse(&in, &there));
    struct digest ours = seal_hash(&row->day.seal), theirs = seal_hash(&there.seal);
    row->outcome = digest_equal(&ours, &theirs) ? ROW_SAME : ROW_OTHER;
    return OK;
}

/* --- gaps --- */

err sql_insert_gaps(const struct collector_batch *b, struct buf *out, size_t *out_count)
{
    TRY(buf_append(out,
                   BYTES_LIT("INSERT INTO gap (meter_id, first_seq, last_seq, reason) VALUES ")));
    for (size_t i = 0; i < b->gap_count; i++) {
        TRY(begin_row(out, i));
        TRY(put_int(out, (int64_t)b->gaps[i].meter));
        TRY(put_next(out, b->gaps[i].first));
        TRY(put_next(out, b->gaps[i].last));
        TRY(put_next(out, b->gaps[i].reason));
        TRY(buf_u8(out, ')'));
    }
    *out_count = b->gap_count;
    return buf_append(out, ON_CONFLICT);
}

err sql_select_gap(const struct gap_row *g, struct buf *out)
{
    TRY(buf_append(out, BYTES_LIT("SELECT last_seq FROM gap WHERE meter_id = ")));
    TRY(put_int(out, (int64_t)g->meter));
    TRY(buf_append(out, BYTES_LIT(" AND first_seq = ")));
    return put_int(out, g->first);
}

err sql_read_gap(struct gap_row *g, const json_t *rows)
{
    int64_t last;

    if (json_array_size(rows) != 1) {
        FAIL(ERR_PROTO, "the gap that was just written is not there");
    }
    TRY(sql_cell_int(json_array_get(rows, 0), 0, 0, UINT32_MAX - 1, &last));
    g->stored_last = (uint32_t)last;
    return OK;
}

/* --- events --- */

err sql_insert_events(const struct collector_batch *b, struct buf *out, size_t *out_count)
{
    TRY(buf_append(out, BYTES_LIT("INSERT INTO event (meter_id, at_s, n, code, value) VALUES ")));
    for (size_t i = 0; i < b->event_count; i++) {
        const struct event_row *e = &b->events[i];
        TRY(begin_row(out, i));
        TRY(put_int(out, (int64_t)e->meter));
        TRY(put_next(out, e->at_s));
        TRY(put_next(out, e->number));
        TRY(buf_append(out, BYTES_LIT(",'")));
        TRY(buf_string(out, e->code)); /* a constant of ours */
        TRY(buf_u8(out, '\''));
        TRY(put_next(out, e->value));
        TRY(buf_u8(out, ')'));
    }
    *out_count = b->event_count;
    return buf_append(out, ON_CONFLICT);
}

/* --- reading the state of a meter --- */

static err select_of(const char *start, uint64_t meter, struct buf *out)
{
    TRY(buf_string(out, start));
    return put_int(out, (int64_t)meter);
}

err sql_select_register(uint64_t meter, struct buf *out)
{
    return select_of("SELECT suite, spki FROM meter WHERE meter_id = ", meter, out);
}

err sql_select_certificate(uint64_t meter, struct buf *out)
{
    return select_of("SELECT certificate FROM meter WHERE meter_id = ", meter, out);
}

err sql_select_newest_seal(uint64_t meter, struct buf *out)
{
    TRY(select_of("SELECT stored FROM seal WHERE meter_id = ", meter, out));
    return buf_append(out, BYTES_LIT(" ORDER BY end_s DESC LIMIT 1"));
}

static err page_end(const char *order, struct buf *out)
{
    TRY(buf_string(out, order));
    return put_int(out, SQL_PAGE_ROWS);
}

err sql_select_gaps(uint64_t meter, uint32_t last_above, int64_t after, struct buf *out)
{
    TRY(select_of("SELECT first_seq, last_seq FROM gap WHERE meter_id = ", meter, out));
    TRY(buf_append(out, BYTES_LIT(" AND first_seq > ")));
    TRY(put_int(out, after));
    TRY(buf_append(out, BYTES_LIT(" AND last_seq > ")));
    TRY(put_int(out, last_above));
    return page_end(" ORDER BY first_seq LIMIT ", out);
}

err sql_select_sequences(uint64_t meter, int64_t after_s, struct buf *out)
{
    TRY(select_of("SELECT ts, seq FROM reading WHERE meter_id = ", meter, out));
    TRY(buf_append(out, BYTES_LIT(" AND ts > ")));
    TRY(put_int(out, after_s));
    return page_end(" ORDER BY ts LIMIT ", out);
}
