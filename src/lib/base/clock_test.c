/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/clock.h"

#include <string.h>
#include <time.h>

#include "lib/base/test.h"

static void known_dates_have_their_days(void **state)
{
    (void)state;
    assert_int_equal(civil_to_days(1970, 1, 1), 0);
    assert_int_equal(civil_to_days(1969, 12, 31), -1);
    assert_int_equal(civil_to_days(2000, 3, 1), 11017);
    assert_int_equal(civil_to_days(2018, 1, 1), 17532);
    assert_int_equal(civil_to_days(1, 1, 1), -719162);
    assert_int_equal(civil_to_days(9999, 12, 31), 2932896);
}

static void every_day_of_400_years_goes_there_and_back(void **state)
{
    int64_t first = civil_to_days(1900, 1, 1);

    (void)state;
    for (int64_t day = first; day < first + 146097; day++) {
        struct civil c = civil_from_s(day * S_PER_DAY + 86399);
        assert_true(civil_valid(&c));
        assert_true(civil_to_days(c.year, c.month, c.day) == day);
        assert_true(c.hour == 23 && c.minute == 59 && c.second == 59);
    }
}

static void seconds_agree_with_the_c_library(void **state)
{
    static const int64_t cases[] = { 0,
                                     1,
                                     -1,
                                     951782400,
                                     1763823600,
                                     INT64_C(4102444799),
                                     -INT64_C(2208988800),
                                     INT64_C(253402300799) };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        time_t t = (time_t)cases[i];
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        struct civil c = civil_from_s(cases[i]);
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.hour, tm.tm_hour);
        assert_int_equal(c.minute, tm.tm_min);
        assert_int_equal(c.second, tm.tm_sec);
        assert_int_equal(civil_weekday(cases[i]), tm.tm_wday + 1);
        assert_true(civil_to_s(&c) == cases[i]);
    }
}

static void weekdays_count_from_sunday(void **state)
{
    (void)state;
    assert_int_equal(civil_weekday(0), 5);                   /* a Thursday */
    assert_int_equal(civil_weekday(-1), 4);                  /* the Wednesday before */
    assert_int_equal(civil_weekday(INT64_C(1763769600)), 7); /* 2025-11-22, a Saturday */
    assert_int_equal(civil_weekday(INT64_C(1763856000)), 1); /* the Sunday after */
    assert_int_equal(civil_weekday(-INT64_C(4 * 86400)), 1); /* 1969-12-28 */
}

static void only_dates_that_exist_are_valid(void **state)
{
    static const struct civil bad[] = {
        { 0, 1, 1, 0, 0, 0 },     { 10000, 1, 1, 0, 0, 0 }, { 2025, 0, 1, 0, 0, 0 },
        { 2025, 13, 1, 0, 0, 0 }, { 2025, 1, 0, 0, 0, 0 },  { 2025, 1, 32, 0, 0, 0 },
        { 2025, 2, 29, 0, 0, 0 }, { 1900, 2, 29, 0, 0, 0 }, { 2024, 2, 30, 0, 0, 0 },
        { 2025, 4, 31, 0, 0, 0 }, { 2025, 1, 1, 24, 0, 0 }, { 2025, 1, 1, 0, 60, 0 },
        { 2025, 1, 1, 0, 0, 60 },
    };
    static const struct civil good[] = { { 2024, 2, 29, 0, 0, 0 },
                                         { 2000, 2, 29, 0, 0, 0 },
                                         { 1, 1, 1, 0, 0, 0 },
                                         { 9999, 12, 31, 23, 59, 59 } };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(civil_valid(&bad[i]));
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(civil_valid(&good[i]));
    }
}

static void times_are_written_as_rfc_3339(void **state)
{
    char text[TIME_TEXT_BYTES];

    (void)state;
    time_format_s(INT64_C(1763823600), text);
    assert_string_equal(text, "2025-11-22T15:00:00Z");
    time_format_s(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59Z");
}

static void each_form_of_a_time_is_read(void **state)
{
    static const struct {
        const char *text;
        int64_t s;
    } cases[] = { { "2025-11-22", 1763769600 },           { "2025-11-22T15:00", 1763823600 },
                  { "2025-11-22T15:00Z", 1763823600 },    { "2025-11-22T15:00:01", 1763823601 },
                  { "2025-11-22T15:00:01Z", 1763823601 }, { "1969-12-31T23:59:59Z", -1 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t s = 77;
        assert_ok(time_parse(bytes_of_string(cases[i].text), &s));
        assert_true(s == cases[i].s);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2025",
        "2025-11",
        "2025-11-2",
        "25-11-22",
        "2025-11-22 15:00",
        "2025-11-22T",
        "2025-11-22T15",
        "2025-11-22T15:0",
        "2025-11-22T15:00:",
        "2025-11-22T15:00:0",
        "2025-11-22T15:00:00ZZ",
        "2025-11-22T15:00:00+01:00",
        "2025-11-22T15:00:00.5Z",
        "2025-11-22T24:00:00Z",
        "2025-11-22T15:60:00Z",
        "2025-11-22T15:00:60Z",
        "2025-02-29",
        "2025-13-01",
        "0000-01-01",
        "2025-1a-01",
        "-025-01-01",
        " 2025-11-22",
        "2025-11-22T15:00z",
    };
    int64_t s = 77;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(time_parse(bytes_of_string(bad[i]), &s), ERR_PROTO);
    }
    assert_int_equal(s, 77);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    uint64_t before = time_monotonic_us();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = time_monotonic_us();
        assert_true(now >= before);
        before = now;
    }
}

static void the_utc_clock_counts_microseconds(void **state)
{
    int64_t s = (int64_t)(time_utc_us() / US_PER_S);
    int64_t want = (int64_t)time(NULL);

    (void)state;
    assert_in_range(want - s + 2, 0, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_dates_have_their_days),
        cmocka_unit_test(every_day_of_400_years_goes_there_and_back),
        cmocka_unit_test(seconds_agree_with_the_c_library),
        cmocka_unit_test(weekdays_count_from_sunday),
        cmocka_unit_test(only_dates_that_exist_are_valid),
        cmocka_unit_test(times_are_written_as_rfc_3339),
        cmocka_unit_test(each_form_of_a_time_is_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(the_utc_clock_counts_microseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
