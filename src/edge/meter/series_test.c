/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/series.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/test.h"

static const struct series_zone utc = { .kind = ZONE_FIXED };
static const struct series_zone pacific = { .kind = ZONE_LOS_ANGELES };

static err parse(const char *text, const struct series_zone *zone, struct series *out)
{
    struct series_columns columns;

    TRY(series_columns_parse(NULL, &columns));
    return series_parse(bytes_of_string(text), &columns, zone, out);
}

static void assert_refused(const char *text, const char *line, const char *what)
{
    struct series s = { .count = 99 };

    assert_err(parse(text, &utc, &s), ERR_PROTO);
    assert_non_null(strstr(err_text(), line));
    assert_non_null(strstr(err_text(), what));
    assert_int_equal(s.count, 99);
}

static void energies_become_whole_pulses(void **state)
{
    AUTO(series_done) struct series s = { 0 };

    (void)state;
    assert_ok(parse("start,kwh,kvarh_lag,kvarh_lead\n"
                    "2018-01-01T00:00,3.17,2.95,0\n"
                    "2018-01-01T00:15,4,0.001,1.5\n", &utc, &s));
    assert_int_equal(s.count, 2);
    assert_int_equal(s.rows[0].end_s, 1514764800 + 900);
    assert_int_equal(s.rows[0].energy.wh, 3170);
    assert_int_equal(s.rows[0].energy.varh_ind, 2950);
    assert_int_equal(s.rows[1].energy.wh, 4000);
    assert_int_equal(s.rows[1].energy.varh_ind, 1);
    assert_int_equal(s.rows[1].energy.varh_cap, 1500);
    assert_int_equal(s.wh, 7170);
}

static void parts_of_a_pulse_are_carried_to_the_next_row(void **state)
{
    AUTO(series_done) struct series s = { 0 };

    (void)state;
    /* 100.001 kW for a quarter hour is 25000.25 Wh */
    assert_ok(parse("start,kw,kvar\n"
                    "2018-01-01T00:00,100.001,-4\n2018-01-01T00:15,100.001,4\n"
                    "2018-01-01T00:30,100.001,0\n2018-01-01T00:45,100.001,0\n", &utc, &s));
    assert_int_equal(s.rows[0].energy.wh, 25000);
    assert_int_equal(s.rows[3].energy.wh, 25001);
    assert_int_equal(s.wh, 100001);
    assert_int_equal(s.rows[0].energy.varh_cap, 1000);
    assert_int_equal(s.rows[1].energy.varh_ind, 1000);
}

static void columns_stand_anywhere_and_may_have_other_names(void **state)
{
    AUTO(series_done) struct series s = { 0 };
    struct series_columns c;

    (void)state;
    assert_ok(series_columns_parse("start=Date Time,kw=RealPower,kvar=Q", &c));
    assert_ok(series_parse(BYTES_LIT("x,Q,RealPower,Date Time\r\n,1,2,2020-02-29 23:45:00\r\n"), &c,
                           &utc, &s));
    assert_int_equal(s.rows[0].energy.wh, 500);
    assert_int_equal(s.rows[0].energy.varh_ind, 250);
    assert_int_equal(s.rows[0].end_s, 1583020800);
    assert_err(series_columns_parse("watts=x", &c), ERR_PROTO);
    assert_err(series_columns_parse("kw=", &c), ERR_PROTO);
}

static void headers_that_miss_a_column_name_it(void **state)
{
    (void)state;
    assert_refused("", "line 1", "empty");
    assert_refused("time,kw,kvar\n", "line 1", "\"start\"");
    assert_refused("start,kw\n", "line 1", "\"kvar\"");
    assert_refused("start,kwh,kvarh_lag\n", "line 1", "\"kvarh_lead\"");
    assert_refused("start,kvar\n", "line 1", "\"kw\"");
    assert_refused("start,kwh,kw,kvar,kvarh_lag,kvarh_lead\n", "line 1", "exactly one");
    assert_refused("start,kw,kvar\n", "line 1", "no row");
}

static void cells_that_are_wrong_are_named_by_line_and_column(void **state)
{
    static const struct {
        const char *row;
        const char *what;
    } cases[] = {
        { "2018-01-01T00:15,x,1", "column \"kw\"" },
        { "2018-01-01T00:15,,1", "column \"kw\"" },
        { "2018-01-01T00:15,1,", "column \"kvar\": the cell is empty" },
        { "2018-01-01T00:15,1,2,3", "4 columns" },
        { "2018-01-01T00:15,1", "2 columns" },
        { "2018-01-01T00:15,-1,2", "below zero" },
        { "2018-01-01T00:15,1.2345678,2", "column \"kw\"" },
        { "2018-01-01T00:15,1.,2", "column \"kw\"" },
        { "2018-01-01T00:15,.5,2", "column \"kw\"" },
        { "2018-01-01T00:15,1e5,2", "column \"kw\"" },
        { "2018-01-01T00:15,99999999999999999999,2", "too large" },
        { "2018-01-01T00:15,9999999,2", "too large" },
        { "2018-01-01T00:15,nan,2", "column \"kw\"" },
        { "2018-02-30T00:15,1,2", "column \"start\"" },
        { "2018-01-01T00:14,1,2", "quarter hour" },
        { "yesterday,1,2", "column \"start\"" },
        { "2018-01-01T00:15:00.000000000000000,1,2", "column \"start\"" },
        { "2017-12-31T23:45,1,2", "earlier" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "start,kw,kvar\n2018-01-01T00:00,1,2\n%s\n", cases[i].row);
        assert_refused(text, "line 3", cases[i].what);
    }
}

static void gaps_and_doubles_stay_as_they_are(void **state)
{
    AUTO(series_done) struct series s = { 0 };

    (void)state;
    assert_ok(parse("start,kw,kvar\n"
                    "2018-01-01T00:00,10,0\n2018-01-01T00:00,10,0\n2018-01-01T00:15,10,0\n"
                    "2018-01-01T00:15,12,0\n2018-01-01T03:00,10,0\n", &utc, &s));
    assert_int_equal(s.count, 5);
    assert_false(s.rows[0].again);
    assert_true(s.rows[1].again);
    assert_memory_equal(&s.rows[1].energy, &s.rows[0].energy, sizeof s.rows[0].energy);
    assert_true(s.rows[3].again);
    assert_int_equal(s.rows[3].energy.wh, 3000);
    assert_int_equal(s.rows[4].end_s - s.rows[3].end_s, 11 * 900);
    assert_int_equal(s.wh, 7500); /* a double is in no register */
}

static int64_t pacific_utc(const char *text, bool again)
{
    int64_t local = 0;
    int64_t out = -1;

    assert_ok(time_parse(bytes_of_string(text), &local));
    if (series_zone_utc(&pacific, local, again, &out).code) {
        return -1;
    }
    return out;
}

static void pacific_time_follows_the_clock_changes(void **state)
{
    (void)state;
    assert_int_equal(pacific_utc("2018-01-01T00:00", false), 1514793600);
    assert_int_equal(pacific_utc("2018-07-01T00:00", false), 1530428400);
    assert_int_equal(pacific_utc("2018-03-11T01:45", false) + 900,
                     pacific_utc("2018-03-11T03:00", false));
    assert_int_equal(pacific_utc("2018-03-11T02:15", false), -1);
    assert_int_equal(pacific_utc("2018-11-04T01:00", false) -
                     pacific_utc("2018-11-04T01:00", true), 3600);
    assert_int_equal(pacific_utc("2018-11-04T02:00", false) -
                     pacific_utc("2018-11-04T01:45", false), 900);
    assert_int_equal(pacific_utc("2018-11-04T01:00", true) -
                     pacific_utc("2018-11-04T00:45", false), 900);
}

static void the_doubled_hour_of_autumn_is_two_hours_when_both_are_there(void **state)
{
    AUTO(series_done) struct series both = { 0 };
    AUTO(series_done) struct series sorted = { 0 };
    AUTO(series_done) struct series one = { 0 };

    (void)state;
    assert_ok(parse("start,kw,kvar\n2018-11-04T00:45,1,0\n"
                    "2018-11-04T01:00,2,0\n2018-11-04T01:15,2,0\n2018-11-04T01:30,2,0\n"
                    "2018-11-04T01:45,2,0\n2018-11-04T01:00,3,0\n2018-11-04T01:15,3,0\n"
                    "2018-11-04T01:30,3,0\n2018-11-04T01:45,3,0\n2018-11-04T02:00,4,0\n",
                    &pacific, &both));
    assert_ok(parse("start,kw,kvar\n2018-11-04T00:45,1,0\n"
                    "2018-11-04T01:00,2,0\n2018-11-04T01:00,3,0\n2018-11-04T01:15,2,0\n"
                    "2018-11-04T01:15,3,0\n2018-11-04T02:00,4,0\n", &pacific, &sorted));
    assert_ok(parse("start,kw,kvar\n2018-11-04T00:45,1,0\n2018-11-04T01:00,3,0\n"
                    "2018-11-04T01:15,3,0\n2018-11-04T02:00,4,0\n", &pacific, &one));
    for (size_t i = 1; i < both.count; i++) {
        assert_int_equal(both.rows[i].end_s - both.rows[i - 1].end_s, 900);
        assert_false(both.rows[i].again);
    }
    assert_int_equal(sorted.rows[1].energy.wh, 500);
    assert_int_equal(sorted.rows[2].energy.wh, 500);
    assert_int_equal(sorted.rows[3].energy.wh, 750);
    assert_int_equal(one.rows[1].end_s - one.rows[0].end_s, 5 * 900); /* the later hour */
}

static void zones_are_written_as_seconds_or_a_name(void **state)
{
    struct series_zone z;

    (void)state;
    assert_ok(series_zone_parse("-10800", &z));
    assert_int_equal(z.offset_s, -10800);
    assert_ok(series_zone_parse("+32400", &z));
    assert_int_equal(z.offset_s, 32400);
    assert_ok(series_zone_parse("0", &z));
    assert_ok(series_zone_parse("los_angeles", &z));
    assert_int_equal(z.kind, ZONE_LOS_ANGELES);
    assert_err(series_zone_parse("100", &z), ERR_PROTO);
    assert_err(series_zone_parse("99999900", &z), ERR_PROTO);
    assert_err(series_zone_parse("UTC", &z), ERR_PROTO);
    assert_err(series_zone_parse("", &z), ERR_PROTO);
}

static void a_line_too_long_and_too_many_columns_are_refused(void **state)
{
    AUTO(buf_done) struct buf text = { .max = 8192 };
    struct series_columns c;
    struct series s;

    (void)state;
    assert_ok(series_columns_parse(NULL, &c));
    for (int i = 0; i < 100; i++) {
        assert_ok(buf_string(&text, "a,"));
    }
    assert_err(series_parse(buf_bytes(&text), &c, &utc, &s), ERR_LIMIT);
    for (int i = 0; i < 1000; i++) {
        assert_ok(buf_string(&text, "a"));
    }
    assert_err(series_parse(buf_bytes(&text), &c, &utc, &s), ERR_LIMIT);
}

static void the_steel_plant_has_its_rows_and_totals(void **state)
{
    AUTO(buf_done) struct buf text = { .max = SERIES_FILE_BYTES_MAX };
    AUTO(series_done) struct series s = { 0 };
    const char *shared = getenv("METERSEAL_SHARED");
    char path[4096];

    (void)state;
    snprintf(path, sizeof path, "%s/data/Steel_2018H1.csv", shared != NULL ? shared : "../shared");
    if (file_read(path, &text).code == ERR_MISSING) {
        print_message("# skipped: %s is not there\n", path); /* skip() is "not ok" to meson */
        return;
    }
    assert_ok(buf_u8(&text, '\0'));
    assert_ok(parse((const char *)text.ptr, &(struct series_zone){ .offset_s = -10800 }, &s));
    assert_int_equal(s.count, 17376);
    assert_int_equal(s.wh, 521199760);
    assert_int_equal(s.varh_ind, 228436050);
    assert_int_equal(s.varh_cap, 73405070);
    for (size_t i = 1; i < s.count; i++) {
        assert_int_equal(s.rows[i].end_s - s.rows[i - 1].end_s, 900);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(energies_become_whole_pulses),
        cmocka_unit_test(parts_of_a_pulse_are_carried_to_the_next_row),
        cmocka_unit_test(columns_stand_anywhere_and_may_have_other_names),
        cmocka_unit_test(headers_that_miss_a_column_name_it),
        cmocka_unit_test(cells_that_are_wrong_are_named_by_line_and_column),
        cmocka_unit_test(gaps_and_doubles_stay_as_they_are),
        cmocka_unit_test(pacific_time_follows_the_clock_changes),
        cmocka_unit_test(the_doubled_hour_of_autumn_is_two_hours_when_both_are_there),
        cmocka_unit_test(zones_are_written_as_seconds_or_a_name),
        cmocka_unit_test(a_line_too_long_and_too_many_columns_are_refused),
        cmocka_unit_test(the_steel_plant_has_its_rows_and_totals),
    };
    return cmocka_run_group_tests_name("meter series", tests, NULL, NULL);
}
