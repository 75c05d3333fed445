/* SPDX-License-Identifier: Apache-2.0 */
#include "report/fraud/days.h"

#include <math.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/test.h"

#define MIDNIGHT_S INT64_C(1514775600) /* 2018-01-01 00:00 at UTC-3 */

struct feed {
    struct series series;
    struct record next;
};

static void feed_start(struct feed *f)
{
    *f = (struct feed){ .series = { .zone_offset_s = -10800 } };
    f->next = (struct record){ .interval_s = 900, .end_s = (uint32_t)MIDNIGHT_S, .e_act = 1000 };
    assert_ok(series_add(&f->series, &f->next));
}

/* The next interval with so much energy. */
static void feed_wh(struct feed *f, uint64_t wh)
{
    f->next.end_s += 900;
    f->next.e_act += wh;
    assert_ok(series_add(&f->series, &f->next));
}

/* Intervals that never arrive: their energy shows in the register later. */
static void feed_hole(struct feed *f, unsigned quarters)
{
    f->next.end_s += 900 * quarters;
    f->next.e_act += 25 * quarters;
    assert_ok(series_add(&f->series, &f->next));
}

static void full_day(struct feed *f, uint64_t wh)
{
    for (int i = 0; i < DAY_SLOTS; i++) {
        feed_wh(f, wh);
    }
}

static void register_differences_become_watts_of_local_days(void **state)
{
    struct feed f;
    struct day *days;
    size_t count;

    (void)state;
    feed_start(&f);
    full_day(&f, 25);
    full_day(&f, 50);
    assert_ok(series_usable_days(&f.series, &days, &count));
    assert_int_equal(count, 2);
    assert_int_equal(days[0].number, civil_to_days(2018, 1, 1));
    assert_true(days[0].w[0] == 100.0 && days[0].w[95] == 100.0 && days[1].w[0] == 200.0);
    mem_give(days);
    series_done(&f.series);
}

static void four_missing_quarters_are_filled_and_five_make_a_day_unusable(void **state)
{
    (void)state;
    for (unsigned missing = 4; missing <= 5; missing++) {
        struct feed f;
        struct day *days;
        size_t count;

        feed_start(&f);
        for (int i = 0; i < 20; i++) {
            feed_wh(&f, 25);
        }
        /* Of a hole of n quarters only the last reading arrives: n quarters have no difference. */
        feed_hole(&f, missing);
        for (unsigned i = 20 + missing; i < DAY_SLOTS; i++) {
            feed_wh(&f, 25);
        }
        assert_ok(series_usable_days(&f.series, &days, &count));
        assert_int_equal(count, missing == 4 ? 1 : 0);
        if (count == 1) {
            assert_true(days[0].w[20] == 100.0);
        }
        mem_give(days);
        series_done(&f.series);
    }
}

static void a_missing_register_is_a_gap_and_never_zero(void **state)
{
    struct feed f;
    struct day *days;
    size_t count;

    (void)state;
    feed_start(&f);
    for (int i = 0; i < DAY_SLOTS; i++) {
        uint64_t before = f.next.e_act;
        if (i == 40) {
            f.next.end_s += 900;
            f.next.e_act = REGISTER_MISSING;
            assert_ok(series_add(&f.series, &f.next));
            f.next.e_act = before + 25;
            continue;
        }
        feed_wh(&f, 25);
    }
    assert_ok(series_usable_days(&f.series, &days, &count));
    assert_int_equal(count, 1);
    assert_true(days[0].w[40] == 100.0 && days[0].w[41] == 100.0); /* from the line */
    mem_give(days);
    series_done(&f.series);
}

static void readings_out_of_order_are_refused(void **state)
{
    struct feed f;
    struct record again;

    (void)state;
    feed_start(&f);
    feed_wh(&f, 25);
    again = f.next;
    assert_err(series_add(&f.series, &again), ERR_PROTO);
    series_done(&f.series);
}

static void a_span_over_the_bound_is_refused(void **state)
{
    struct feed f;
    struct record far;

    (void)state;
    feed_start(&f);
    feed_wh(&f, 25);
    far = f.next;
    far.end_s += 86400u * SERIES_DAYS_MAX;
    assert_ok(series_add(&f.series, &far)); /* has no neighbour, so it makes no quarter yet */
    far.end_s += 900;
    assert_err(series_add(&f.series, &far), ERR_LIMIT);
    series_done(&f.series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(register_differences_become_watts_of_local_days),
        cmocka_unit_test(four_missing_quarters_are_filled_and_five_make_a_day_unusable),
        cmocka_unit_test(a_missing_register_is_a_gap_and_never_zero),
        cmocka_unit_test(readings_out_of_order_are_refused),
        cmocka_unit_test(a_span_over_the_bound_is_refused),
    };
    return cmocka_run_group_tests_name("days", tests, NULL, NULL);
}
