/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/client/reading_row.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"
#include "lib/wire/row.h"
#include "lib/wire/tuple.h"

static const char *const head_names[] = { "meter_id", "ts", "seq", "flags", "status", "interval_s",
                                          "quality" };

static struct table_def *reading_table(void)
{
    struct table_def *t;

    assert_ok(table_def_new(37, &t));
    t->id = 3;
    snprintf(t->name, sizeof t->name, "reading");
    for (unsigned i = 0; i < 37; i++) {
        const char *name = i < 7 ? head_names[i] : record_read_name(i - 6);
        snprintf(t->columns[i].name, sizeof t->columns[i].name, "%s", name);
        t->columns[i].type = i < 3 || i >= 34 ? COLUMN_INT8 : COLUMN_INT4;
    }
    t->key[1] = 1;
    t->key_count = 2;
    table_def_lay_out(t);
    return t;
}

struct stored {
    struct buf key, row;
    struct row_writer writer;
    struct reading_columns columns;
};

/* Meter 12345 at 1700000100: sequence 7, every read its number, registers 1000 to 1002. */
static void stored_init(struct stored *s)
{
    AUTO(table_def_freep) struct table_def *t = reading_table();
    static const int64_t head[] = { 7, 1, 0x3ff, 900, 2 };

    *s = (struct stored){ .key.max = 64, .row.max = 4096 };
    assert_ok(reading_columns_bind(t, &s->columns));
    assert_ok(tuple_put_int(&s->key, 12345));
    assert_ok(tuple_put_int(&s->key, 1700000100));
    assert_ok(row_begin(&s->writer, &s->row, 1, 35));
    for (uint16_t i = 0; i < 35; i++) {
        row_set_int(&s->writer, i, i < 5 ? head[i] : i < 32 ? i - 4 : 1000 + i - 32);
    }
}

static void stored_done(struct stored *s)
{
    buf_done(&s->key);
    buf_done(&s->row);
}

static void a_row_becomes_the_record_it_was(void **state)
{
    AUTO(stored_done) struct stored s;
    struct stored_reading got;

    (void)state;
    stored_init(&s);
    assert_ok(reading_row_decode(&s.columns, buf_bytes(&s.key), buf_bytes(&s.row), &got));
    assert_int_equal(got.record.meter, 12345);
    assert_int_equal(got.record.end_s, 1700000100);
    assert_int_equal(got.record.sequence, 7);
    assert_int_equal(got.record.flags, 1);
    assert_int_equal(got.record.status, 0x3ff);
    assert_int_equal(got.record.interval_s, 900);
    assert_int_equal(got.quality, 2);
    for (unsigned i = 0; i < RECORD_READS; i++) {
        assert_int_equal(got.record.reads[i], i + 1);
    }
    assert_int_equal(got.record.e_act, 1000);
    assert_int_equal(got.record.e_ind, 1001);
    assert_int_equal(got.record.e_cap, 1002);
}

static void a_null_read_is_missing_and_not_zero(void **state)
{
    AUTO(stored_done) struct stored s;
    AUTO(buf_done) struct buf row = { .max = 4096 };
    struct stored_reading got;

    (void)state;
    stored_init(&s);
    assert_ok(row_begin(&s.writer, &row, 1, 35));
    for (uint16_t i = 0; i < 5; i++) {
        row_set_int(&s.writer, i, 1);
    }
    assert_ok(reading_row_decode(&s.columns, buf_bytes(&s.key), buf_bytes(&row), &got));
    assert_int_equal(got.record.reads[READ_V_A], READ_MISSING);
    assert_int_equal(got.record.reads[READ_DEMAND], READ_MISSING);
    assert_true(got.record.e_cap == REGISTER_MISSING);
}

static void assert_slot_refused(uint16_t slot, int64_t value)
{
    AUTO(stored_done) struct stored s;
    struct stored_reading got = { .quality = 99 };

    stored_init(&s);
    row_set_int(&s.writer, slot, value);
    assert_err(reading_row_decode(&s.columns, buf_bytes(&s.key), buf_bytes(&s.row), &got),
               ERR_CORRUPT);
    assert_int_equal(got.quality, 99);
    assert_non_null(strstr(err_text(), "meter 12345 at 1700000100"));
}

static void a_value_that_no_record_has_is_refused_with_its_key(void **state)
{
    (void)state;
    assert_slot_refused(0, -1);
    assert_slot_refused(0, INT64_C(1) << 32);
    assert_slot_refused(1, 256);
    assert_slot_refused(2, 65536);
    assert_slot_refused(3, -1);
    assert_slot_refused(4, 256);
    assert_slot_refused(5, INT64_C(1) << 31);
}

static void a_row_or_key_of_another_form_is_refused(void **state)
{
    AUTO(stored_done) struct stored s;
    struct stored_reading got;

    (void)state;
    stored_init(&s);
    for (size_t n = 0; n < s.row.len; n += 7) {
        assert_err(reading_row_decode(&s.columns, buf_bytes(&s.key),
                                      (struct bytes){ s.row.ptr, n }, &got), ERR_CORRUPT);
    }
    for (size_t n = 0; n < s.key.len; n++) {
        assert_err(reading_row_decode(&s.columns, (struct bytes){ s.key.ptr, n },
                                      buf_bytes(&s.row), &got), ERR_CORRUPT);
    }
    assert_ok(buf_u8(&s.key, 0x14));
    assert_err(reading_row_decode(&s.columns, buf_bytes(&s.key), buf_bytes(&s.row), &got),
               ERR_CORRUPT);
    s.key.len--;
    s.row.ptr[2] = 2; /* a schema version that is not known */
    assert_err(reading_row_decode(&s.columns, buf_bytes(&s.key), buf_bytes(&s.row), &got),
               ERR_CORRUPT);
}

static void a_table_without_a_column_is_not_the_one(void **state)
{
    AUTO(table_def_freep) struct table_def *t = reading_table();
    struct reading_columns c;

    (void)state;
    t->columns[20].name[0] = 'x';
    assert_err(reading_columns_bind(t, &c), ERR_MISSING);
    t->columns[20].name[0] = record_read_name(14)[0];
    assert_ok(reading_columns_bind(t, &c));
    t->columns[20].type = COLUMN_TEXT;
    assert_err(reading_columns_bind(t, &c), ERR_MISSING);
    t->columns[20].type = COLUMN_INT4;
    t->key_count = 1;
    assert_err(reading_columns_bind(t, &c), ERR_MISSING);
}

static struct table_def *seal_table(void)
{
    struct table_def *t;

    assert_ok(table_def_new(3, &t));
    snprintf(t->name, sizeof t->name, "seal");
    snprintf(t->columns[0].name, sizeof t->columns[0].name, "meter_id");
    snprintf(t->columns[1].name, sizeof t->columns[1].name, "end_s");
    snprintf(t->columns[2].name, sizeof t->columns[2].name, "stored");
    t->columns[0].type = t->columns[1].type = COLUMN_INT8;
    t->columns[2].type = COLUMN_BYTEA;
    t->key[1] = 1;
    t->key_count = 2;
    table_def_lay_out(t);
    return t;
}

static err decode_stored_seal(const struct sealed_day *d, int64_t meter, int64_t end, uint8_t more,
                              struct sealed_day *out)
{
    AUTO(table_def_freep) struct table_def *t = seal_table();
    AUTO(buf_done) struct buf key = { .max = 64 };
    AUTO(buf_done) struct buf stored = { .max = SEAL_STORED_BYTES_MAX + 1 };
    AUTO(buf_done) struct buf row = { .max = 4096 };
    struct row_writer w;
    struct seal_columns c;

    assert_ok(seal_columns_bind(t, &c));
    assert_ok(tuple_put_int(&key, meter));
    assert_ok(tuple_put_int(&key, end));
    assert_ok(sealed_day_encode(d, &stored));
    stored.len += more;
    assert_ok(row_begin(&w, &row, 1, 1));
    assert_ok(row_set_octets(&w, 0, buf_bytes(&stored)));
    return seal_row_decode(&c, buf_bytes(&key), buf_bytes(&row), out);
}

static void a_seal_is_read_and_belongs_to_its_key(void **state)
{
    struct sealed_day d = { .seal = { .alg = SIGN_P256, .flags = SEAL_FIRST, .key_epoch = 1,
                                      .meter = 12345, .start_s = 1700006400, .end_s = 1700092800,
                                      .first = 1, .last = 96, .count = 96 } };
    struct sealed_day got;

    (void)state;
    d.signature.size = 64;
    assert_ok(decode_stored_seal(&d, 12345, 1700092800, 0, &got));
    assert_int_equal(got.seal.last, 96);
    assert_err(decode_stored_seal(&d, 12346, 1700092800, 0, &got), ERR_CORRUPT);
    assert_err(decode_stored_seal(&d, 12345, 1700092801, 0, &got), ERR_CORRUPT);
    assert_err(decode_stored_seal(&d, 12345, 1700092800, 1, &got), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_becomes_the_record_it_was),
        cmocka_unit_test(a_null_read_is_missing_and_not_zero),
        cmocka_unit_test(a_value_that_no_record_has_is_refused_with_its_key),
        cmocka_unit_test(a_row_or_key_of_another_form_is_refused),
        cmocka_unit_test(a_table_without_a_column_is_not_the_one),
        cmocka_unit_test(a_seal_is_read_and_belongs_to_its_key),
    };
    return cmocka_run_group_tests_name("reading_row", tests, NULL, NULL);
}
