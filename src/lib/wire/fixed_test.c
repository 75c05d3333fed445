/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/fixed.h"

#include "lib/base/test.h"

static void check_format(int64_t v, unsigned decimals, unsigned keep, const char *want)
{
    char text[FIXED_TEXT_BYTES];
    int64_t again = 0;

    fixed_format(v, decimals, keep, text);
    assert_string_equal(text, want);
    assert_ok(fixed_parse(bytes_of_string(text), decimals, keep, &again));
    assert_int_equal(again, v);
}

static void numbers_have_one_text_and_come_back(void **state)
{
    (void)state;
    check_format(341370, 2, 2, "3413.70");
    check_format(0, 2, 2, "0.00");
    check_format(-5, 2, 2, "-0.05");
    check_format(1809000, 5, 5, "18.09000");
    check_format(65140700, 6, 3, "65.1407");
    check_format(65140000, 6, 3, "65.140");
    check_format(1, 6, 3, "0.000001");
    check_format(7, 0, 0, "7");
    check_format(INT64_MAX, 2, 2, "92233720368547758.07");
    check_format(-INT64_MAX, 8, 8, "-92233720368.54775807");
}

static void other_spellings_of_a_number_are_refused(void **state)
{
    static const char *const bad[] = { "",      "-",     "+1.00", "01.00", "1",     "1.0",
                                       "1.000", ".50",   "1.",    "1..0",  "-0.00", "1,00",
                                       " 1.00", "1.00 ", "1e2",   "0x1",   "1.0.0", "--1.00" };
    int64_t v = 99;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(fixed_parse(bytes_of_string(bad[i]), 2, 2, &v), ERR_PROTO);
        assert_int_equal(v, 99);
    }
    assert_err(fixed_parse(BYTES_LIT("65.1400"), 6, 3, &v), ERR_PROTO);
    assert_err(fixed_parse(BYTES_LIT("92233720368547758.08"), 2, 2, &v), ERR_PROTO);
    assert_err(fixed_parse(BYTES_LIT("99999999999999999999999.00"), 2, 2, &v), ERR_PROTO);
}

static void people_may_leave_decimals_out(void **state)
{
    int64_t v = 0;

    (void)state;
    assert_ok(fixed_parse_loose(BYTES_LIT("18.09"), 5, &v));
    assert_int_equal(v, 1809000);
    assert_ok(fixed_parse_loose(BYTES_LIT("18"), 5, &v));
    assert_int_equal(v, 1800000);
    assert_ok(fixed_parse_loose(BYTES_LIT("-0.39457"), 5, &v));
    assert_int_equal(v, -39457);
    assert_err(fixed_parse_loose(BYTES_LIT("0.394571"), 5, &v), ERR_PROTO);
    assert_err(fixed_parse_loose(BYTES_LIT("99999999999999999"), 5, &v), ERR_PROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_one_text_and_come_back),
        cmocka_unit_test(other_spellings_of_a_number_are_refused),
        cmocka_unit_test(people_may_leave_decimals_out),
    };
    return cmocka_run_group_tests_name("fixed", tests, NULL, NULL);
}
