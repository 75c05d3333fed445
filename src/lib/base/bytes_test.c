/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/bytes.h"

#include <string.h>

#include "lib/base/test.h"

static const uint8_t raw[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09 };

static void numbers_are_read_big_endian(void **state)
{
    struct bytes in = BYTES_OF(raw);
    uint8_t a;
    uint16_t b;
    uint32_t c;

    (void)state;
    assert_ok(bytes_read_u8(&in, &a));
    assert_ok(bytes_read_u16(&in, &b));
    assert_ok(bytes_read_u32(&in, &c));
    assert_int_equal(a, 0x01);
    assert_int_equal(b, 0x0203);
    assert_int_equal(c, 0x04050607);
    assert_int_equal(in.len, 2);
    in = BYTES_OF(raw);
    uint64_t d;
    assert_ok(bytes_read_u64(&in, &d));
    assert_true(d == UINT64_C(0x0102030405060708));
}

static void little_endian_numbers_are_read_with_le(void **state)
{
    struct bytes in = BYTES_OF(raw);
    uint16_t b;
    uint32_t c;
    uint64_t d;

    (void)state;
    assert_ok(bytes_read_u16_le(&in, &b));
    assert_ok(bytes_read_u32_le(&in, &c));
    assert_int_equal(b, 0x0201);
    assert_int_equal(c, 0x06050403);
    in = BYTES_OF(raw);
    assert_ok(bytes_read_u64_le(&in, &d));
    assert_true(d == UINT64_C(0x0807060504030201));
}

static void a_short_input_is_refused_and_left_alone(void **state)
{
    uint16_t b = 7;
    uint32_t c = 7;
    uint64_t d = 7;
    struct bytes part = { NULL, 7 };

    (void)state;
    for (size_t n = 0; n < 8; n++) {
        struct bytes in = { raw, n };
        assert_err(bytes_read_u64(&in, &d), ERR_PROTO);
        assert_err(bytes_read_u64_le(&in, &d), ERR_PROTO);
        assert_err(bytes_read(&in, n + 1, &part), ERR_PROTO);
        assert_err(bytes_read(&in, SIZE_MAX, &part), ERR_PROTO);
        if (n < 4) {
            assert_err(bytes_read_u32(&in, &c), ERR_PROTO);
        }
        if (n < 2) {
            assert_err(bytes_read_u16(&in, &b), ERR_PROTO);
        }
        assert_ptr_equal(in.ptr, raw);
        assert_int_equal(in.len, n);
    }
    assert_int_equal(b, 7);
    assert_int_equal(c, 7);
    assert_int_equal(d, 7);
    assert_int_equal(part.len, 7);
}

static void a_part_borrows_from_the_input_and_a_copy_does_not(void **state)
{
    struct bytes in = BYTES_OF(raw);
    struct bytes part;
    uint8_t copy[3] = { 0 };

    (void)state;
    assert_ok(bytes_read(&in, 2, &part));
    assert_ptr_equal(part.ptr, raw);
    assert_ok(bytes_read_copy(&in, copy, sizeof copy));
    assert_hex(BYTES_OF(copy), "030405");
    assert_err(bytes_read_copy(&in, copy, 5), ERR_PROTO);
    assert_hex(BYTES_OF(copy), "030405");
}

static void nothing_is_read_from_nothing(void **state)
{
    struct bytes in = { 0 };
    struct bytes part = { raw, 1 };

    (void)state;
    assert_ok(bytes_read(&in, 0, &part));
    assert_int_equal(part.len, 0);
    assert_ok(bytes_read_copy(&in, NULL, 0));
}

static void stored_numbers_load_again(void **state)
{
    uint8_t room[8];

    (void)state;
    store_u16(room, 0x1234);
    assert_int_equal(room[0], 0x12);
    assert_int_equal(load_u16(room), 0x1234);
    assert_int_equal(load_u16_le(room), 0x3412);
    store_u32(room, 0x12345678);
    assert_int_equal(load_u32(room), 0x12345678);
    assert_int_equal(load_u32_le(room), 0x78563412);
    store_u64(room, UINT64_C(0x123456789abcdef0));
    assert_true(load_u64(room) == UINT64_C(0x123456789abcdef0));
    assert_true(load_u64_le(room) == UINT64_C(0xf0debc9a78563412));
    store_u16_le(room, 0x1234);
    assert_int_equal(room[0], 0x34);
    store_u32_le(room, 0x12345678);
    assert_int_equal(room[0], 0x78);
    store_u64_le(room, 1);
    assert_int_equal(room[0], 1);
    assert_int_equal(room[7], 0);
}

static void numbers_may_stand_at_odd_addresses(void **state)
{
    uint8_t room[9];

    (void)state;
    store_u64(room + 1, 5);
    assert_true(load_u64(room + 1) == 5);
}

static void views_compare_as_texts_do(void **state)
{
    struct bytes none = { 0 };

    (void)state;
    assert_true(bytes_compare(BYTES_LIT("a"), BYTES_LIT("b")) < 0);
    assert_true(bytes_compare(BYTES_LIT("b"), BYTES_LIT("a")) > 0);
    assert_true(bytes_compare(BYTES_LIT("a"), BYTES_LIT("ab")) < 0);
    assert_true(bytes_compare(BYTES_LIT("ab"), BYTES_LIT("a")) > 0);
    assert_true(bytes_compare(BYTES_LIT("\x7f"), BYTES_LIT("\x80")) < 0); /* octets, not chars */
    assert_int_equal(bytes_compare(BYTES_LIT("ab"), BYTES_LIT("ab")), 0);
    assert_int_equal(bytes_compare(none, none), 0);
    assert_true(bytes_compare(none, BYTES_LIT("a")) < 0);
}

static void equality_needs_length_and_octets(void **state)
{
    (void)state;
    assert_true(bytes_equal(BYTES_LIT("ab"), bytes_of_string("ab")));
    assert_false(bytes_equal(BYTES_LIT("ab"), BYTES_LIT("ac")));
    assert_false(bytes_equal(BYTES_LIT("ab"), BYTES_LIT("abc")));
    assert_true(bytes_equal((struct bytes){ 0 }, BYTES_LIT("")));
}

static void a_prefix_is_at_most_the_whole(void **state)
{
    (void)state;
    assert_true(bytes_have_prefix(BYTES_LIT("abc"), BYTES_LIT("ab")));
    assert_true(bytes_have_prefix(BYTES_LIT("ab"), BYTES_LIT("ab")));
    assert_true(bytes_have_prefix(BYTES_LIT("ab"), (struct bytes){ 0 }));
    assert_false(bytes_have_prefix(BYTES_LIT("ab"), BYTES_LIT("abc")));
    assert_false(bytes_have_prefix(BYTES_LIT("ab"), BYTES_LIT("b")));
}

static void literals_lose_their_nul_and_arrays_nothing(void **state)
{
    (void)state;
    assert_int_equal(BYTES_LIT("abc").len, 3);
    assert_int_equal(BYTES_OF(raw).len, 9);
}

static void hex_goes_there_and_back(void **state)
{
    uint8_t out[3] = { 0 };
    char text[7];

    (void)state;
    assert_ok(hex_decode(BYTES_LIT("00aBfF"), out, sizeof out));
    hex_encode(BYTES_OF(out), text);
    assert_string_equal(text, "00abff");
    hex_encode((struct bytes){ 0 }, text);
    assert_string_equal(text, "");
    assert_ok(hex_decode((struct bytes){ 0 }, out, 0));
}

static void what_is_no_hex_is_refused(void **state)
{
    static const char *const bad[] = { "00abf",  "00abff0", "00abfg", "00abf/", "00abf:",
                                       "00abf@", "00abfG",  "00abf`", " 0abff", "" };
    uint8_t out[3] = { 7, 7, 7 };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(hex_decode(bytes_of_string(bad[i]), out, sizeof out), ERR_PROTO);
    }
    assert_hex(BYTES_OF(out), "070707");
}

static void decimals_have_one_spelling(void **state)
{
    static const char *const bad[] = { "",   "00",  "01",  "-1",  "+1", " 1",
                                       "1 ", "1.0", "1e3", "0x1", "12a" };
    uint64_t v = 77;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(decimal_parse(bytes_of_string(bad[i]), UINT64_MAX, &v), ERR_PROTO);
    }
    assert_int_equal(v, 77);
    assert_ok(decimal_parse(BYTES_LIT("0"), 0, &v));
    assert_int_equal(v, 0);
    assert_ok(decimal_parse(BYTES_LIT("18446744073709551615"), UINT64_MAX, &v));
    assert_true(v == UINT64_MAX);
}

static void a_decimal_past_its_limit_is_refused(void **state)
{
    uint64_t v = 77;

    (void)state;
    assert_ok(decimal_parse(BYTES_LIT("65535"), 65535, &v));
    assert_err(decimal_parse(BYTES_LIT("65536"), 65535, &v), ERR_LIMIT);
    assert_err(decimal_parse(BYTES_LIT("18446744073709551616"), UINT64_MAX, &v), ERR_LIMIT);
    assert_err(decimal_parse(BYTES_LIT("99999999999999999999999"), UINT64_MAX, &v), ERR_LIMIT);
    assert_int_equal(v, 65535);
}

static void a_text_is_cut_at_its_marks(void **state)
{
    struct bytes in = BYTES_LIT("ab,,c");
    struct bytes none = { 0 };

    (void)state;
    assert_true(bytes_equal(bytes_cut(&in, ','), BYTES_LIT("ab")));
    assert_int_equal(bytes_cut(&in, ',').len, 0);
    assert_true(bytes_equal(in, BYTES_LIT("c")));
    assert_true(bytes_equal(bytes_cut(&in, ','), BYTES_LIT("c")));
    assert_int_equal(in.len, 0);
    assert_int_equal(bytes_cut(&in, ',').len, 0);
    assert_int_equal(bytes_cut(&none, ',').len, 0);
    assert_null(none.ptr);
    in = BYTES_LIT("a\n"); /* a mark at the end leaves nothing behind it */
    assert_int_equal(bytes_cut(&in, '\n').len, 1);
    assert_int_equal(in.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_big_endian),
        cmocka_unit_test(little_endian_numbers_are_read_with_le),
        cmocka_unit_test(a_short_input_is_refused_and_left_alone),
        cmocka_unit_test(a_part_borrows_from_the_input_and_a_copy_does_not),
        cmocka_unit_test(nothing_is_read_from_nothing),
        cmocka_unit_test(stored_numbers_load_again),
        cmocka_unit_test(numbers_may_stand_at_odd_addresses),
        cmocka_unit_test(views_compare_as_texts_do),
        cmocka_unit_test(equality_needs_length_and_octets),
        cmocka_unit_test(a_prefix_is_at_most_the_whole),
        cmocka_unit_test(literals_lose_their_nul_and_arrays_nothing),
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(what_is_no_hex_is_refused),
        cmocka_unit_test(decimals_have_one_spelling),
        cmocka_unit_test(a_decimal_past_its_limit_is_refused),
        cmocka_unit_test(a_text_is_cut_at_its_marks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
