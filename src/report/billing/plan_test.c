/* SPDX-License-Identifier: Apache-2.0 */
/* Civil time, holidays, posts: everything that time says of an interval. */
#include "report/billing/plan.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/test.h"
#include "report/billing/civil.h"
#include "report/billing/documents.h"

static struct tariff tariff;
static struct calendar calendar;

static int load(void **state)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };

    (void)state;
    assert_ok(document_tariff("deploy/tariff/a4-green-2018.yaml", &json, &tariff));
    assert_ok(document_calendar("deploy/tariff/calendar-br-2018.yaml", &json, &calendar));
    return 0;
}

static int32_t day_of(const char *text)
{
    int32_t day = 0;

    assert_ok(canon_day_parse(bytes_of_string(text), &day));
    return day;
}

static int64_t second_of(const char *text)
{
    int64_t s = 0;

    assert_ok(time_parse(bytes_of_string(text), &s));
    return s;
}

static void easter_and_its_holidays_meet_the_table(void **state)
{
    static const struct {
        int32_t year;
        const char *easter, *carnival, *friday, *corpus;
    } table[] = {
        { 2000, "2000-04-23", "2000-03-07", "2000-04-21", "2000-06-22" },
        { 2018, "2018-04-01", "2018-02-13", "2018-03-30", "2018-05-31" },
        { 2019, "2019-04-21", "2019-03-05", "2019-04-19", "2019-06-20" },
        { 2024, "2024-03-31", "2024-02-13", "2024-03-29", "2024-05-30" },
        { 2025, "2025-04-20", "2025-03-04", "2025-04-18", "2025-06-19" },
        { 2026, "2026-04-05", "2026-02-17", "2026-04-03", "2026-06-04" },
        { 2038, "2038-04-25", "2038-03-09", "2038-04-23", "2038-06-24" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(civil_easter(table[i].year), day_of(table[i].easter));
        assert_true(civil_is_holiday(&calendar, day_of(table[i].carnival)));
        assert_true(civil_is_holiday(&calendar, day_of(table[i].friday)));
        assert_true(civil_is_holiday(&calendar, day_of(table[i].corpus)));
        assert_false(civil_is_holiday(&calendar, day_of(table[i].friday) + 1));
    }
}

static void november_20_is_a_holiday_from_2024_on(void **state)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    struct calendar later;

    (void)state;
    assert_ok(document_calendar("deploy/tariff/calendar-br-2024.yaml", &json, &later));
    assert_false(civil_is_holiday(&calendar, day_of("2018-11-20")));
    assert_true(civil_is_holiday(&later, day_of("2024-11-20")));
    assert_true(civil_is_rest_day(&later, day_of("2024-11-20")));
    assert_false(civil_is_rest_day(&later, day_of("2024-11-21")));
    /* One file for both: the date says since when. */
    assert_ok(document_calendar("deploy/tariff/calendar-meters.yaml", &json, &later));
    assert_false(civil_is_holiday(&later, day_of("2023-11-20")));
    assert_true(civil_is_holiday(&later, day_of("2024-11-20")));
}

static void days_begin_where_the_zone_says(void **state)
{
    (void)state;
    assert_int_equal(civil_day_start(&calendar, day_of("2018-01-01")),
                     second_of("2018-01-01T02:00:00Z"));
    assert_int_equal(civil_day_start(&calendar, day_of("2018-06-01")),
                     second_of("2018-06-01T03:00:00Z"));
    /* The clock jumps from 00:00 to 01:00: the day has no midnight. */
    assert_int_equal(civil_day_start(&calendar, day_of("2018-11-04")),
                     second_of("2018-11-04T03:00:00Z"));
    assert_int_equal(civil_day_start(&calendar, day_of("2018-11-05")),
                     second_of("2018-11-05T02:00:00Z"));
    /* The clock goes back from 00:00 to 23:00: the day before has 25 hours. */
    assert_int_equal(civil_day_start(&calendar, day_of("2018-02-17")),
                     second_of("2018-02-17T02:00:00Z"));
    assert_int_equal(civil_day_start(&calendar, day_of("2018-02-18")),
                     second_of("2018-02-18T03:00:00Z"));
    assert_int_equal(civil_day(&calendar, second_of("2018-02-18T02:30:00Z")), day_of("2018-02-17"));
}

static void months_have_their_civil_edges(void **state)
{
    int64_t start = 0;
    int64_t end = 0;

    (void)state;
    assert_ok(civil_month(&calendar, BYTES_LIT("2018-12"), &start, &end));
    assert_int_equal(start, second_of("2018-12-01T02:00:00Z"));
    assert_int_equal(end, second_of("2019-01-01T02:00:00Z"));
    assert_err(civil_month(&calendar, BYTES_LIT("2018-13"), &start, &end), ERR_PROTO);
    assert_err(civil_month(&calendar, BYTES_LIT("2018-1"), &start, &end), ERR_PROTO);
    assert_err(civil_month(&calendar, BYTES_LIT("2018/01"), &start, &end), ERR_PROTO);
}

static struct plan *plan_of(const char *from, const char *to)
{
    struct plan *p = NULL;

    assert_ok(plan_new(&tariff, &calendar, civil_day_start(&calendar, day_of(from)),
                       civil_day_start(&calendar, day_of(to)), 900, &p));
    return p;
}

static unsigned peak_of(const struct plan *p)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        n += p->slots[i].post == POST_PEAK;
    }
    return n;
}

static void peak_is_three_hours_on_working_days_only(void **state)
{
    static const struct {
        const char *from, *to;
        unsigned days;
    } table[] = {
        { "2018-01-02", "2018-01-03", 1 }, /* Tuesday */
        { "2018-01-01", "2018-01-02", 0 }, /* New Year's Day, a Monday */
        { "2018-01-06", "2018-01-08", 0 }, /* Saturday and Sunday */
        { "2018-02-13", "2018-02-14", 0 }, /* Carnival Tuesday */
        { "2018-02-14", "2018-02-15", 1 }, /* Ash Wednesday is none of them */
        { "2018-05-31", "2018-06-01", 0 }, /* Corpus Christi */
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct plan *p = plan_of(table[i].from, table[i].to);
        assert_int_equal(peak_of(p), table[i].days * 12);
        plan_free(p);
    }
}

static void days_at_clock_changes_have_92_and_100_intervals(void **state)
{
    struct plan *spring = plan_of("2018-11-04", "2018-11-05");
    struct plan *autumn = plan_of("2018-02-17", "2018-02-18");

    (void)state;
    assert_int_equal(spring->count, 92);
    assert_int_equal(spring->hours, 23);
    assert_int_equal(autumn->count, 100);
    /* 23:00 comes twice and counts as two hours. */
    assert_int_equal(autumn->hours, 25);
    assert_int_not_equal(autumn->slots[95].hour, autumn->slots[96].hour);
    plan_free(spring);
    plan_free(autumn);
}

static void the_capacitive_window_has_six_hours(void **state)
{
    struct plan *p = plan_of("2018-01-02", "2018-01-03");
    struct tariff late = tariff;
    struct plan *shifted = NULL;

    (void)state;
    for (uint32_t i = 0; i < 96; i++) {
        assert_int_equal(p->slots[i].capacitive, i < 24);
    }
    /* From 23:30 on: whole hours begin at half hours, and an hour with a post edge inside is two.
     */
    late.window_start_min = 23 * 60 + 30;
    assert_ok(plan_new(&late, &calendar, p->start_s, p->end_s, 900, &shifted));
    for (uint32_t i = 0; i < 96; i++) {
        assert_int_equal(shifted->slots[i].capacitive, i < 22 || i >= 94);
    }
    assert_int_equal(shifted->slots[0].hour, shifted->slots[1].hour);
    assert_int_not_equal(shifted->slots[1].hour, shifted->slots[2].hour);
    assert_int_equal(shifted->slots[71].post, POST_OFF_PEAK);
    assert_int_equal(shifted->slots[72].post, POST_PEAK);
    assert_int_not_equal(shifted->slots[71].hour, shifted->slots[72].hour);
    plan_free(p);
    plan_free(shifted);
}

static void every_interval_is_under_the_flag_of_its_day(void **state)
{
    struct plan *p = plan_of("2018-04-30", "2018-05-02");

    (void)state;
    for (uint32_t i = 0; i < p->count; i++) {
        assert_int_equal(p->slots[i].flag, i < 96 ? FLAG_GREEN : FLAG_YELLOW);
    }
    plan_free(p);
}

static void plan_refused(const struct tariff *t, int64_t start, int64_t end, uint16_t interval,
                         enum err_code code)
{
    struct plan *p = NULL;

    assert_err(plan_new(t, &calendar, start, end, interval, &p), code);
    assert_null(p);
}

static void periods_and_intervals_that_do_not_fit_are_refused(void **state)
{
    int64_t start = civil_day_start(&calendar, day_of("2018-06-01"));
    struct tariff quarters = tariff;

    (void)state;
    plan_refused(&tariff, start, start, 900, ERR_PROTO);
    plan_refused(&tariff, start + 900, start + 86400, 900, ERR_PROTO);
    plan_refused(&tariff, start, start + 86400 - 900, 900, ERR_PROTO);
    plan_refused(&tariff, start, start + 86400, 0, ERR_PROTO);
    plan_refused(&tariff, start, start + 86400, 7, ERR_PROTO);
    plan_refused(&tariff, start, start + INT64_C(101) * 86400, 900, ERR_LIMIT);
    plan_refused(&tariff, civil_day_start(&calendar, day_of("2018-12-31")),
                 civil_day_start(&calendar, day_of("2019-01-02")), 900, ERR_PROTO);
    quarters.steps = 96;
    plan_refused(&quarters, start, start + 86400, 1800, ERR_PROTO);
    quarters = tariff;
    quarters.window_start_min = 5;
    plan_refused(&quarters, start, start + 86400, 900, ERR_PROTO);
}

static void a_peak_of_another_length_is_noticed(void **state)
{
    struct tariff t = tariff;

    (void)state;
    assert_false(plan_posts_unusual(&t));
    t.weekday[4][21] = POST_PEAK;
    assert_true(plan_posts_unusual(&t));
    t = tariff;
    t.weekend[4][18] = POST_PEAK;
    assert_true(plan_posts_unusual(&t));
    t = tariff;
    t.weekday[0][18] = POST_OFF_PEAK;
    t.weekday[0][8] = POST_PEAK;
    assert_true(plan_posts_unusual(&t));
}

static void a_failed_allocation_is_an_error_not_a_crash(void **state)
{
    int64_t start = civil_day_start(&calendar, day_of("2018-06-01"));

    (void)state;
    EACH_FAILURE (i) {
        AUTO(plan_freep) struct plan *p = NULL;
        err e = plan_new(&tariff, &calendar, start, start + 86400, 900, &p);
        if (!e.code) {
            assert_true(i > 0);
            break;
        }
        assert_err(e, ERR_LIMIT);
    }
    mem_fail_after(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(easter_and_its_holidays_meet_the_table),
        cmocka_unit_test(november_20_is_a_holiday_from_2024_on),
        cmocka_unit_test(days_begin_where_the_zone_says),
        cmocka_unit_test(months_have_their_civil_edges),
        cmocka_unit_test(peak_is_three_hours_on_working_days_only),
        cmocka_unit_test(days_at_clock_changes_have_92_and_100_intervals),
        cmocka_unit_test(the_capacitive_window_has_six_hours),
        cmocka_unit_test(every_interval_is_under_the_flag_of_its_day),
        cmocka_unit_test(periods_and_intervals_that_do_not_fit_are_refused),
        cmocka_unit_test(a_peak_of_another_length_is_noticed),
        cmocka_unit_test(a_failed_allocation_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests_name("plan", tests, load, NULL);
}
