/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/row.h"

#include <string.h>

#include "lib/base/test.h"

#define VECTOR                                                                                     \
    "01000100050000000800000000000000"                                                             \
    "f9ffffffffffffff000000000000f83f3800000003000000000000000000000087d6120000000000"             \
    "6b5768"

/* (a int8, b float8, c text, d bool, e numeric(12,3)) = (-7, 1.5, 'kWh', NULL, 1234.567) */
static void put_vector(struct buf *out)
{
    struct row_writer w;

    assert_ok(row_begin(&w, out, 1, 5));
    row_set_int(&w, 4, 1234567);
    row_set_float8(&w, 1, 1.5);
    assert_ok(row_set_octets(&w, 2, BYTES_LIT("kWh")));
    row_set_int(&w, 0, -7);
}

static void the_published_vector_holds(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };

    (void)state;
    put_vector(&b);
    assert_int_equal(b.len, 59);
    assert_hex(buf_bytes(&b), VECTOR);
}

static void the_published_vector_is_read(void **state)
{
    uint8_t octets[59];
    struct row r;
    struct bytes text;

    (void)state;
    assert_ok(hex_decode(BYTES_LIT(VECTOR), octets, sizeof octets));
    assert_ok(row_open(BYTES_OF(octets), &r));
    assert_int_equal(r.version, 1);
    assert_int_equal(r.slots, 5);
    assert_int_equal(row_int(&r, 0), -7);
    assert_true(row_float8(&r, 1) > 1.49 && row_float8(&r, 1) < 1.51);
    assert_ok(row_octets(&r, 2, &text));
    assert_true(bytes_equal(text, BYTES_LIT("kWh")));
    assert_true(row_is_null(&r, 3));
    assert_false(row_is_null(&r, 4));
    assert_int_equal(row_int(&r, 4), 1234567);
}

static void a_row_is_written_behind_what_is_there(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct row_writer w;
    struct row r;

    (void)state;
    assert_ok(buf_string(&b, "before"));
    assert_ok(row_begin(&w, &b, 3, 70));
    row_set_int(&w, 69, 5);
    assert_int_equal(row_written(&w).len, 8 + 16 + 560);
    assert_ok(row_open(row_written(&w), &r));
    assert_true(row_is_null(&r, 0));
    assert_true(row_is_null(&r, 64));
    assert_int_equal(row_int(&r, 69), 5);
}

static void a_slot_that_an_older_row_lacks_is_null(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct row r;
    struct bytes text = BYTES_LIT("x");

    (void)state;
    put_vector(&b);
    assert_ok(row_open(buf_bytes(&b), &r));
    assert_true(row_is_null(&r, 5));
    assert_int_equal(row_int(&r, 5), 0);
    assert_ok(row_octets(&r, 5, &text));
    assert_int_equal(text.len, 0);
}

static void a_row_without_slots_is_a_header(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct row_writer w;
    struct row r;

    (void)state;
    assert_ok(row_begin(&w, &b, 1, 0));
    assert_hex(buf_bytes(&b), "0100010000000000");
    assert_ok(row_open(buf_bytes(&b), &r));
}

static void every_shorter_row_is_refused(void **state)
{
    uint8_t octets[59];
    struct row r;

    (void)state;
    assert_ok(hex_decode(BYTES_LIT(VECTOR), octets, sizeof octets));
    for (size_t n = 0; n < 56; n++) {
        assert_err(row_open((struct bytes){ octets, n }, &r), ERR_CORRUPT);
    }
    /* The variable part is checked by who reads it: it alone knows the types. */
    for (size_t n = 56; n < 59; n++) {
        struct bytes text;
        assert_ok(row_open((struct bytes){ octets, n }, &r));
        assert_err(row_octets(&r, 2, &text), ERR_CORRUPT);
    }
}

static void assert_change_refused(size_t at, uint8_t value)
{
    uint8_t octets[59];
    struct row r = { .version = 77 };

    assert_ok(hex_decode(BYTES_LIT(VECTOR), octets, sizeof octets));
    octets[at] = value;
    assert_err(row_open(BYTES_OF(octets), &r), ERR_CORRUPT);
    assert_int_equal(r.version, 77);
}

static void a_damaged_header_or_bitmap_is_refused(void **state)
{
    (void)state;
    assert_change_refused(0, 2);    /* format */
    assert_change_refused(0, 0);
    assert_change_refused(1, 1);    /* flags */
    assert_change_refused(6, 1);    /* reserved */
    assert_change_refused(4, 7);    /* more slots than there is room for */
    assert_change_refused(5, 0xff); /* more slots than any row has */
    assert_change_refused(8, 0x28); /* a null bit behind the last slot */
    assert_change_refused(15, 0x80);
    assert_change_refused(8, 0x09); /* a NULL slot that is not zero */
    assert_change_refused(40, 1);
}

static void an_offset_out_of_the_variable_part_is_refused(void **state)
{
    static const uint8_t offsets[] = { 0, 55, 60, 255 };
    uint8_t octets[59];
    struct row r;
    struct bytes text;

    (void)state;
    for (size_t i = 0; i < sizeof offsets; i++) {
        assert_ok(hex_decode(BYTES_LIT(VECTOR), octets, sizeof octets));
        octets[32] = offsets[i];
        assert_ok(row_open(BYTES_OF(octets), &r));
        assert_err(row_octets(&r, 2, &text), ERR_CORRUPT);
    }
    assert_ok(hex_decode(BYTES_LIT(VECTOR), octets, sizeof octets));
    memset(octets + 36, 0xff, 4);
    assert_ok(row_open(BYTES_OF(octets), &r));
    assert_err(row_octets(&r, 2, &text), ERR_CORRUPT);
}

static void a_row_beyond_the_bound_is_refused(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 64 };
    struct row_writer w;

    (void)state;
    assert_err(row_begin(&w, &b, 1, 8), ERR_LIMIT);
    assert_int_equal(b.len, 0);
    assert_ok(row_begin(&w, &b, 1, 5));
    assert_err(row_set_octets(&w, 0, BYTES_LIT("nine more")), ERR_LIMIT);
    assert_int_equal(b.len, 56);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vector_holds),
        cmocka_unit_test(the_published_vector_is_read),
        cmocka_unit_test(a_row_is_written_behind_what_is_there),
        cmocka_unit_test(a_slot_that_an_older_row_lacks_is_null),
        cmocka_unit_test(a_row_without_slots_is_a_header),
        cmocka_unit_test(every_shorter_row_is_refused),
        cmocka_unit_test(a_damaged_header_or_bitmap_is_refused),
        cmocka_unit_test(an_offset_out_of_the_variable_part_is_refused),
        cmocka_unit_test(a_row_beyond_the_bound_is_refused),
    };
    return cmocka_run_group_tests_name("row", tests, NULL, NULL);
}
