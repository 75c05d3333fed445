/* SPDX-License-Identifier: Apache-2.0 */
/* Decimals, dates and comparisons: the arithmetic below the statements. */
#include "store/sql/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/rand.h"
#include "lib/base/test.h"
#include "store/sql/decimal.h"
#include "store/sql/time_text.h"

static void decimals_are_cut_and_say_what_was_lost(void **state)
{
    static const struct {
        const char *text;
        unsigned scale;
        uint64_t magnitude;
        bool beyond, inexact, half_up;
    } good[] = {
        { "0", 0, 0, false, false, false },
        { "12", 0, 12, false, false, false },
        { "1.5", 0, 1, false, true, true },
        { "1.49", 0, 1, false, true, false },
        { "1.50", 1, 15, false, false, false },
        { ".5", 0, 0, false, true, true },
        { "5.", 2, 500, false, false, false },
        { "1e3", 0, 1000, false, false, false },
        { "1e-3", 3, 1, false, false, false },
        { "1e-3", 2, 0, false, true, false },
        { "5e-3", 2, 0, false, true, true },
        { "5e-4", 2, 0, false, true, false },
        { "0e99999999999", 0, 0, false, false, false },
        { "1e99999999999", 0, 0, true, false, false },
        { "18446744073709551615", 0, UINT64_MAX, false, false, false },
        { "18446744073709551616", 0, 0, true, false, false },
        { "00000000000000000000000012", 0, 12, false, false, false },
        { "0.000", 0, 0, false, false, false },
        { "1E+2", 1, 1000, false, false, false },
    };
    static const char *const bad[] = {
        "", ".", "e5", "1e", "1e+", "1.2.3", "1x", "-1", "1e5x", " 1"
    };
    struct decimal d;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(decimal_read(bytes_of_string(good[i].text), good[i].scale, &d));
        assert_int_equal(d.beyond, good[i].beyond);
        if (!d.beyond) {
            assert_int_equal(d.magnitude, good[i].magnitude);
            assert_int_equal(d.inexact, good[i].inexact);
            assert_int_equal(d.half_up, good[i].half_up);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_err(decimal_read(bytes_of_string(bad[i]), 0, &d), ERR_PROTO);
    }
}

static void assert_mean(int64_t sum, unsigned scale, uint64_t count, const char *want)
{
    char text[DECIMAL_TEXT_BYTES];

    decimal_write_mean(sum, scale, count, text);
    assert_string_equal(text, want);
}

static void decimals_print_with_their_scale(void **state)
{
    char text[DECIMAL_TEXT_BYTES];

    (void)state;
    decimal_write(-125, 3, text);
    assert_string_equal(text, "-0.125");
    decimal_write(0, 2, text);
    assert_string_equal(text, "0.00");
    decimal_write(1234567, 3, text);
    assert_string_equal(text, "1234.567");
    decimal_write((int128)INT64_MAX * 4, 0, text);
    assert_string_equal(text, "36893488147419103228");
    assert_int_equal(int_write(INT64_MIN, text), 20);
    assert_memory_equal(text, "-9223372036854775808", 20);
    assert_int_equal(int_write(0, text), 1);
}

/* As PostgreSQL 15 prints them. */
static void means_have_sixteen_digits_and_more(void **state)
{
    (void)state;
    assert_mean(3, 0, 2, "1.5000000000000000");
    assert_mean(1, 0, 3, "0.33333333333333333333");
    assert_mean(2, 0, 3, "0.66666666666666666667");
    assert_mean(-2, 0, 3, "-0.66666666666666666667");
    assert_mean(10, 0, 3, "3.3333333333333333");
    assert_mean(12345678, 0, 7, "1763668.285714285714");
    assert_mean(0, 0, 5, "0.00000000000000000000");
    assert_mean(3375, 3, 3, "1.12500000000000000000");
    assert_mean(100, 2, 3, "0.33333333333333333333");
}

static void times_read_and_print(void **state)
{
    char text[TIME_SQL_TEXT_BYTES];
    int64_t v;

    (void)state;
    assert_ok(timestamp_read(BYTES_LIT("2023-11-14 22:28:20+00"), true, &v));
    assert_int_equal(v, 753316100000000);
    timestamp_write(v, true, text);
    assert_string_equal(text, "2023-11-14T22:28:20Z");
    assert_ok(timestamp_read(BYTES_LIT("1999-12-31T23:59:59.999999"), false, &v));
    assert_int_equal(v, -1);
    timestamp_write(v, false, text);
    assert_string_equal(text, "1999-12-31T23:59:59.999999");
    assert_ok(timestamp_read(BYTES_LIT("2000-01-01T00:00:00.5-0330"), true, &v));
    assert_int_equal(v, INT64_C(12600500000));
    assert_ok(timestamp_read(BYTES_LIT("2000-01-02"), true, &v));
    assert_int_equal(v, INT64_C(86400000000));
    assert_ok(date_read(BYTES_LIT("2000-02-29"), &v));
    assert_int_equal(v, 59);
    date_write(-1, text);
    assert_string_equal(text, "1999-12-31");
}

static void times_that_are_none_are_refused(void **state)
{
    static const char *const form[] = { "",
                                        "2023",
                                        "2023-1-01",
                                        "2023-01-01x",
                                        "2023-01-01 1:00",
                                        "2023-01-01 10",
                                        "2023-01-01 10:00:",
                                        "2023-01-01 10:00:00.",
                                        "2023-01-01 10:00:00.1234567",
                                        "2023-01-01 10:00+",
                                        "2023-01-01 10:00 Z" };
    static const char *const range[] = { "0000-01-01",          "2023-00-01",
                                         "2023-13-01",          "2023-02-29",
                                         "2023-01-01 24:00",    "2023-01-01 10:60",
                                         "2023-01-01 10:00+16", "2023-01-01 10:00:60" };
    int64_t v = 7;

    (void)state;
    for (size_t i = 0; i < sizeof form / sizeof *form; i++) {
        assert_err(timestamp_read(bytes_of_string(form[i]), true, &v), ERR_PROTO);
    }
    for (size_t i = 0; i < sizeof range / sizeof *range; i++) {
        assert_err(timestamp_read(bytes_of_string(range[i]), true, &v), ERR_LIMIT);
    }
    assert_err(timestamp_read(BYTES_LIT("2023-01-01 10:00Z"), false, &v), ERR_PROTO);
    assert_err(date_read(BYTES_LIT("2023-01-01 10:00"), &v), ERR_PROTO);
    assert_int_equal(v, 7);
}

/* Integers against numbers with decimals: as if both were exact. */
static void comparisons_with_decimals_are_exact(void **state)
{
    static const enum compare_op ops[] = { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };
    struct sql_error error = { 0 };
    struct value_context c = { .error = &error };
    struct table_column column = { .type = COLUMN_INT8, .typmod = -1, .name = "a" };
    struct rand64 r = { 3 };
    char text[32];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t tenths = (int64_t)rand64_below(&r, 61) - 30;
        int64_t a = (int64_t)rand64_below(&r, 9) - 4;
        enum compare_op op = ops[rand64_below(&r, 6)];
        uint64_t magnitude = (uint64_t)(tenths < 0 ? -tenths : tenths);
        snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu64, magnitude / 10, magnitude % 10);
        struct literal l = { .kind = LITERAL_NUMBER, .negative = tenths < 0,
                             .text = bytes_of_string(text) };
        struct predicate p;
        assert_ok(literal_compare(&c, &l, &column, op, &p));
        bool want = op == OP_EQ   ? a * 10 == tenths
                    : op == OP_NE ? a * 10 != tenths
                    : op == OP_LT ? a * 10 < tenths
                    : op == OP_LE ? a * 10 <= tenths
                    : op == OP_GT ? a * 10 > tenths
                                  : a * 10 >= tenths;
        assert_int_equal(predicate_holds(&p, COLUMN_INT8, &(struct sql_value){ .i = a }), want);
        assert_false(predicate_holds(&p, COLUMN_INT8, &(struct sql_value){ .null = true }));
    }
}

static void comparisons_beyond_all_integers_hold_or_do_not(void **state)
{
    struct sql_error error = { 0 };
    struct value_context c = { .error = &error };
    struct table_column column = { .type = COLUMN_INT8, .typmod = -1, .name = "a" };
    const struct {
        const char *text;
        bool negative;
        enum compare_op op;
        enum predicate_kind kind;
    } cases[] = {
        { "9223372036854775808", false, OP_LT, PREDICATE_ALWAYS },
        { "9223372036854775808", false, OP_GE, PREDICATE_NEVER },
        { "9223372036854775808", true, OP_EQ, PREDICATE_COMPARE }, /* the least int8 */
        { "9223372036854775808.5", true, OP_LE, PREDICATE_NEVER },
        { "9223372036854775808.5", true, OP_GT, PREDICATE_ALWAYS },
        { "9223372036854775809", true, OP_NE, PREDICATE_ALWAYS },
        { "1e400", true, OP_EQ, PREDICATE_NEVER },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct literal l = { .kind = LITERAL_NUMBER, .negative = cases[i].negative,
                             .text = bytes_of_string(cases[i].text) };
        struct predicate p;
        assert_ok(literal_compare(&c, &l, &column, cases[i].op, &p));
        assert_int_equal(p.kind, cases[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_cut_and_say_what_was_lost),
        cmocka_unit_test(decimals_print_with_their_scale),
        cmocka_unit_test(means_have_sixteen_digits_and_more),
        cmocka_unit_test(times_read_and_print),
        cmocka_unit_test(times_that_are_none_are_refused),
        cmocka_unit_test(comparisons_with_decimals_are_exact),
        cmocka_unit_test(comparisons_beyond_all_integers_hold_or_do_not),
    };
    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
