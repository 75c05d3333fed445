/* SPDX-License-Identifier: Apache-2.0 */
/* Samples, load profiles and thieves. */
#include "edge/meter/profile.h"

#include <math.h>
#include <string.h>

#include "edge/meter/theft.h"
#include "lib/base/clock.h"
#include "lib/base/test.h"

#define ZONE (-10800)
#define MONDAY 1763348400 /* 2025-11-17 03:00 UTC: a Monday of the metering zone */

static double phase_power(const struct record *r, int i)
{
    return r->reads[READ_V_A + i] / 100.0 * r->reads[READ_I_A + i] / 1000.0 *
           cos(r->reads[READ_ANG_A + i] / 100.0 * 3.14159265358979 / 180);
}

/* What the collector holds every record against. */
static void assert_consistent(const struct record *r, const struct meter_sample *s)
{
    const int32_t *v = r->reads;
    double sum = 0;
    double resolution = 0;

    assert_int_equal(v[READ_DEMAND], s->wh * 4);
    assert_true((double)v[READ_S3] * v[READ_S3] >=
                (double)v[READ_P3] * v[READ_P3] + (double)v[READ_Q3] * v[READ_Q3]);
    assert_true(v[READ_S3] <= hypot(v[READ_P3], v[READ_Q3]) + 1);
    for (int i = 0; i < 3; i++) {
        double a = v[READ_V_A + i] / 100.0;
        double b = v[READ_V_A + (i + 1) % 3] / 100.0;
        double line = v[READ_V_AB + i] / 100.0;
        sum += phase_power(r, i);
        resolution += 0.003 * a;
        assert_true(fabs(line * line - (a * a + b * b + a * b)) < 0.03 * line * line);
    }
    assert_true(fabs(sum - v[READ_P3]) <= 0.01 * v[READ_S3] + resolution);
    if (v[READ_S3] > 0) {
        assert_true(fabs(v[READ_PF_3] / 10000.0 - (double)v[READ_P3] / v[READ_S3]) <= 0.005);
    }
    assert_true(abs(v[READ_FREQ] - 60000) < 500);
}

static void records_of_made_up_customers_agree_in_all_their_parts(void **state)
{
    (void)state;
    for (uint64_t meter = 1; meter <= 40; meter++) {
        struct profile_site site = profile_site(3, meter, PROFILE_MIXED);
        struct profile_slot slots[PROFILE_SLOTS];
        profile_day(&site, MONDAY, ZONE, slots);
        for (unsigned t = 0; t < PROFILE_SLOTS; t += 5) {
            struct meter_registers after = { .e_act = 1 };
            struct meter_sample s;
            struct record r = { .sequence = 1 };
            profile_sample(&site, MONDAY + (t + 1) * 900, &slots[t], &s);
            registers_add(&after, &s);
            sample_to_record(&s, &after, 900, &r);
            assert_consistent(&r, &s);
            assert_int_equal(r.e_act, 1 + s.wh);
            assert_true(r.reads[READ_V_A] < 1.3 * site.un_cv && r.reads[READ_V_A] > 0);
            assert_true(r.reads[READ_I_A] < 1.2 * site.imax_ma);
            assert_in_range(r.reads[READ_THD_V_A], 1, 2000);
            assert_in_range(r.reads[READ_THD_I_A], 1, 20000);
        }
    }
}

static void without_load_there_is_no_angle_and_no_power_factor(void **state)
{
    const struct meter_sample s = { .volts = { 127, 127, 127 }, .share_p = { 0.4, 0.3, 0.3 },
                                    .share_q = { 0.4, 0.3, 0.3 }, .hertz = 60 };
    const struct meter_registers after = { .e_act = 5 };
    struct record r = { .sequence = 1 };

    (void)state;
    sample_to_record(&s, &after, 900, &r);
    assert_int_equal(r.reads[READ_I_A], 0);
    assert_int_equal(r.reads[READ_P3], 0);
    assert_int_equal(r.reads[READ_ANG_A], READ_MISSING);
    assert_int_equal(r.reads[READ_PF_3], READ_MISSING);
    assert_int_equal(r.reads[READ_V_AB], 21997);
}

static void what_is_no_number_is_missing(void **state)
{
    struct meter_sample s = { .wh = 100, .volts = { NAN, 127, 1e12 }, .share_p = { 0.4, 0.3, 0.3 },
                              .share_q = { 0.4, 0.3, 0.3 }, .hertz = INFINITY };
    const struct meter_registers after = { .e_act = 5 };
    struct record r = { .sequence = 1 };

    (void)state;
    sample_to_record(&s, &after, 900, &r);
    assert_int_equal(r.reads[READ_V_A], READ_MISSING);
    assert_int_equal(r.reads[READ_V_C], READ_MISSING);
    assert_int_equal(r.reads[READ_FREQ], READ_MISSING);
    assert_int_equal(r.reads[READ_V_B], 12700);
}

static void a_day_is_a_function_of_seed_meter_and_day(void **state)
{
    struct profile_site a = profile_site(1, 0x10000001, PROFILE_MIXED);
    struct profile_site b = profile_site(1, 0x10000001, PROFILE_MIXED);
    struct profile_slot x[PROFILE_SLOTS];
    struct profile_slot y[PROFILE_SLOTS];
    struct meter_sample s;
    struct meter_sample t;

    (void)state;
    profile_day(&a, MONDAY, ZONE, x);
    profile_day(&b, MONDAY + 86400, ZONE, y); /* in between another day */
    assert_memory_not_equal(x, y, sizeof x);
    profile_day(&b, MONDAY, ZONE, y);
    assert_memory_equal(x, y, sizeof x);
    profile_sample(&a, MONDAY + 900, &x[0], &s);
    profile_sample(&b, MONDAY + 900, &y[0], &t);
    assert_memory_equal(&s, &t, sizeof s);
    b = profile_site(2, 0x10000001, a.class);
    profile_day(&b, MONDAY, ZONE, y);
    assert_memory_not_equal(x, y, sizeof x);
    b = profile_site(1, 0x10000002, a.class);
    profile_day(&b, MONDAY, ZONE, y);
    assert_memory_not_equal(x, y, sizeof x);
}

static double day_sum(const struct profile_slot *slots, unsigned from, unsigned to)
{
    double sum = 0;

    for (unsigned t = from; t < to; t++) {
        sum += slots[t].wh;
    }
    return sum;
}

/* Mean over many meters and one week: single customers have their whims. */
static double mean_of(enum profile_class class, unsigned day, unsigned from, unsigned to)
{
    double sum = 0;

    for (uint64_t meter = 1; meter <= 60; meter++) {
        struct profile_site site = profile_site(9, meter, class);
        struct profile_slot slots[PROFILE_SLOTS];
        profile_day(&site, MONDAY + day * 86400, ZONE, slots);
        sum += day_sum(slots, from, to) / (to - from) / (site.peak_w / 4);
    }
    return sum / 60;
}

static void classes_have_the_days_that_their_names_say(void **state)
{
    (void)state;
    assert_true(mean_of(PROFILE_OFFICE, 1, 40, 64) > 3 * mean_of(PROFILE_OFFICE, 6, 40, 64));
    assert_true(mean_of(PROFILE_NIGHT_SHIFT, 1, 0, 16) >
                2 * mean_of(PROFILE_NIGHT_SHIFT, 1, 52, 72));
    assert_true(mean_of(PROFILE_HOME, 1, 76, 86) > 2 * mean_of(PROFILE_HOME, 1, 8, 20));
    double night = mean_of(PROFILE_STEADY, 2, 0, 16);
    double day = mean_of(PROFILE_STEADY, 2, 40, 64);
    assert_true(day < 2 * night && day > night);
    assert_true(mean_of(PROFILE_SHOP, 5, 40, 64) > 2 * mean_of(PROFILE_SHOP, 5, 4, 20));
}

static void sites_stay_within_what_their_group_has(void **state)
{
    size_t seen[PROFILE_CLASSES] = { 0 };
    size_t leading = 0;

    (void)state;
    for (uint64_t meter = 1; meter <= 500; meter++) {
        struct profile_site s = profile_site(4, meter, PROFILE_MIXED);
        struct profile_slot slots[PROFILE_SLOTS];
        assert_true(s.peak_w >= 20e3 && s.peak_w <= 600e3);
        assert_true(s.contracted_w >= 30000 && s.contracted_w % 5000 == 0);
        assert_true(fabs(s.share_p[0] + s.share_p[1] + s.share_p[2] - 1) < 1e-9);
        assert_true(s.power_factor > 0.8 && s.power_factor < 1);
        seen[s.class]++;
        profile_day(&s, MONDAY, ZONE, slots);
        for (unsigned t = 0; t < PROFILE_SLOTS; t++) {
            leading += slots[t].varh_cap > 0;
            assert_true(slots[t].wh * 4.0 < 3 * s.peak_w);
        }
    }
    for (size_t c = 0; c < PROFILE_CLASSES; c++) {
        assert_true(seen[c] > 30);
    }
    assert_true(leading > 100);
}

static void class_names_are_read_back(void **state)
{
    enum profile_class c;

    (void)state;
    for (unsigned i = 0; i <= PROFILE_MIXED; i++) {
        assert_ok(profile_class_parse(profile_class_name(i), &c));
        assert_int_equal(c, i);
    }
    assert_err(profile_class_parse("palace", &c), ERR_PROTO);
}

static void make_day(struct profile_slot *slots)
{
    struct profile_site site = profile_site(1, 77, PROFILE_OFFICE);

    profile_day(&site, MONDAY, ZONE, slots);
}

static void attacks_that_scale_take_what_they_say(void **state)
{
    struct profile_slot honest[PROFILE_SLOTS];
    struct profile_slot stolen[PROFILE_SLOTS];

    (void)state;
    make_day(honest);
    memcpy(stolen, honest, sizeof honest);
    theft_apply(THEFT_PHASE, 1, 0, stolen);
    for (unsigned t = 0; t < PROFILE_SLOTS; t++) {
        assert_true(fabs(stolen[t].wh - honest[t].wh * 2.0 / 3) <= 0.5);
        assert_true(fabs(stolen[t].varh_ind - honest[t].varh_ind * 2.0 / 3) <= 0.5);
    }
    memcpy(stolen, honest, sizeof honest);
    theft_apply(THEFT_NIGHT, 1, 0, stolen);
    for (unsigned t = 0; t < PROFILE_SLOTS; t++) {
        bool night = t < 24 || t >= 88;
        assert_true(fabs(stolen[t].wh - honest[t].wh * (night ? 0.5 : 1)) <= 0.5);
    }
    memcpy(stolen, honest, sizeof honest);
    theft_apply(THEFT_PEAK, 1, 0, stolen);
    for (unsigned t = 0; t < PROFILE_SLOTS; t++) {
        bool peak = t >= 72 && t < 84;
        assert_true(fabs(stolen[t].wh - honest[t].wh * (peak ? 0.3 : 1)) <= 0.5);
    }
}

static void injected_days_have_the_shape_of_their_attack(void **state)
{
    struct profile_slot honest[PROFILE_SLOTS];
    struct profile_slot stolen[PROFILE_SLOTS];
    unsigned zeros = 0;

    (void)state;
    make_day(honest);
    memcpy(stolen, honest, sizeof honest);
    theft_apply(THEFT_FDI1, 1000, 5, stolen); /* seed 1000: the first number is 0.26439... */
    assert_true(fabs(stolen[40].wh - honest[40].wh * 0.26439071779901485) <= 0.5);

    memcpy(stolen, honest, sizeof honest);
    theft_apply(THEFT_FDI2, 1000, 0, stolen);
    for (unsigned t = 0; t < PROFILE_SLOTS; t++) {
        zeros += stolen[t].wh == 0;
        assert_true(stolen[t].wh == 0 || stolen[t].wh == honest[t].wh);
    }
    assert_in_range(zeros, 16, 96);

    memcpy(stolen, honest, sizeof honest);
    theft_apply(THEFT_FDI3, 7, 0, stolen);
    for (unsigned t = 0; t < PROFILE_SLOTS; t++) {
        assert_true(stolen[t].wh >= 0.1 * honest[t].wh - 1 && stolen[t].wh <= 0.8 * honest[t].wh + 1);
    }

    memcpy(stolen, honest, sizeof honest);
    theft_apply(THEFT_FDI5, 7, 0, stolen);
    double mean = day_sum(honest, 0, 96) / 96;
    for (unsigned t = 0; t < PROFILE_SLOTS; t++) {
        assert_true(fabs(stolen[t].wh - mean) <= 0.5);
    }

    memcpy(stolen, honest, sizeof honest);
    theft_apply(THEFT_FDI6, 7, 0, stolen);
    assert_true(day_sum(stolen, 0, 96) == day_sum(honest, 0, 96));
    assert_int_equal(stolen[3].wh, honest[92].wh);

    memcpy(stolen, honest, sizeof honest);
    theft_apply(THEFT_FDI4, 7, 0, stolen);
    for (unsigned t = 0; t < PROFILE_SLOTS; t++) {
        assert_true(stolen[t].wh >= 0.1 * mean - 1 && stolen[t].wh <= 0.8 * mean + 1);
    }
}

static void each_day_of_a_theft_draws_its_own_numbers(void **state)
{
    const enum theft drawing[] = { THEFT_FDI2, THEFT_FDI3, THEFT_FDI4 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct profile_slot a[PROFILE_SLOTS];
        struct profile_slot b[PROFILE_SLOTS];
        make_day(a);
        make_day(b);
        theft_apply(drawing[i], 3, 0, a);
        theft_apply(drawing[i], 3, 1, b);
        assert_memory_not_equal(a, b, sizeof a);
        make_day(b);
        theft_apply(drawing[i], 3, 0, b);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void attack_names_are_read_back(void **state)
{
    enum theft t;

    (void)state;
    for (unsigned i = THEFT_FDI1; i < THEFT_COUNT; i++) {
        assert_ok(theft_parse(bytes_of_string(theft_name(i)), &t));
        assert_int_equal(t, i);
    }
    assert_err(theft_parse(BYTES_LIT("none"), &t), ERR_PROTO);
    assert_err(theft_parse(BYTES_LIT("FDI7"), &t), ERR_PROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_made_up_customers_agree_in_all_their_parts),
        cmocka_unit_test(without_load_there_is_no_angle_and_no_power_factor),
        cmocka_unit_test(what_is_no_number_is_missing),
        cmocka_unit_test(a_day_is_a_function_of_seed_meter_and_day),
        cmocka_unit_test(classes_have_the_days_that_their_names_say),
        cmocka_unit_test(sites_stay_within_what_their_group_has),
        cmocka_unit_test(class_names_are_read_back),
        cmocka_unit_test(attacks_that_scale_take_what_they_say),
        cmocka_unit_test(injected_days_have_the_shape_of_their_attack),
        cmocka_unit_test(each_day_of_a_theft_draws_its_own_numbers),
        cmocka_unit_test(attack_names_are_read_back),
    };
    return cmocka_run_group_tests_name("meter profile", tests, NULL, NULL);
}
