/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/utf8.h"

#include <string.h>

#include "lib/base/test.h"

static void utf8_is_told_from_other_octets(void **state)
{
    static const char *const good[] = {
        "", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"
    };
    static const char *const bad[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",         "\xc3",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff",
        "a\xe2\x82"
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(utf8_valid(bytes_of_string(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(utf8_valid(bytes_of_string(bad[i])));
    }
    assert_false(utf8_valid(BYTES_LIT("a\0b")));
}

static void a_bad_octet_is_found_wherever_it_stands(void **state)
{
    static const uint8_t bad[] = { 0x00, 0x80, 0xff };
    uint8_t text[40];

    (void)state;
    memset(text, 'a', sizeof text);
    assert_true(utf8_valid(BYTES_OF(text)));
    for (size_t i = 0; i < sizeof text; i++) {
        for (size_t b = 0; b < sizeof bad; b++) {
            text[i] = bad[b];
            assert_false(utf8_valid(BYTES_OF(text)));
            text[i] = 'a';
        }
    }
}

static void a_character_has_one_to_four_octets(void **state)
{
    (void)state;
    assert_int_equal(utf8_size(BYTES_LIT("ab")), 1);
    assert_int_equal(utf8_size(BYTES_LIT("\xc3\xa4"
                                         "b")),
                     2);
    assert_int_equal(utf8_size(BYTES_LIT("\xe2\x82\xac")), 3);
    assert_int_equal(utf8_size(BYTES_LIT("\xf0\x9f\x98\x80")), 4);
    assert_int_equal(utf8_size(BYTES_LIT("\xf0\x9f\x98")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_told_from_other_octets),
        cmocka_unit_test(a_bad_octet_is_found_wherever_it_stands),
        cmocka_unit_test(a_character_has_one_to_four_octets),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
