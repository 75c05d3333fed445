/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/tariff.h"

#include <string.h>

#include "lib/base/test.h"

static struct tariff tariff_good(void)
{
    struct tariff t = {
        .act = "REH 1/2018",
        .distributor = "Example",
        .utility = "00000000000191",
        .subgroup = "A4",
        .modality = "green",
        .valid_from_day = 17532,
        .valid_to_day = 17897,
        .prices_e8 = { 1809000, 1809000, 42166, 39457, 63351, 18909, 140085 },
        .flags_e8 = { 0, 3000, 5000, 2470 },
        .taxes = { 170000, 80200, 48000, 12000 },
        .overrun_percent = 105,
        .overrun_factor = 2,
        .steps = 24,
    };

    for (size_t m = 0; m < 12; m++) {
        memset(&t.weekday[m][18], POST_PEAK, 3);
    }
    return t;
}

static struct calendar calendar_good(void)
{
    struct calendar c = {
        .name = "example",
        .valid_from_day = 17532,
        .valid_to_day = 17897,
        .zone = { { 1508036400, -7200 }, { 1518919200, -10800 } },
        .zone_count = 2,
        .fixed_count = 2,
        .easter = { -47, -2, 60 },
        .easter_count = 3,
        .flags = { { 17532, FLAG_GREEN }, { 17652, FLAG_YELLOW } },
        .flag_count = 2,
    };

    c.fixed[0].month = 1;
    c.fixed[0].day = 1;
    c.fixed[1].month = 12;
    c.fixed[1].day = 25;
    c.fixed[1].since = 2024;
    return c;
}

static void a_tariff_comes_back_from_its_text(void **state)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    AUTO(buf_done) struct buf again = { .max = CANON_BYTES_MAX };
    struct tariff t = tariff_good();
    struct tariff back;

    (void)state;
    assert_ok(tariff_write(&t, &text));
    assert_ok(tariff_parse(buf_bytes(&text), &back));
    assert_memory_equal(&t, &back, sizeof t);
    assert_ok(tariff_write(&back, &again));
    assert_true(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
}

static void a_calendar_comes_back_from_its_text(void **state)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    AUTO(buf_done) struct buf again = { .max = CANON_BYTES_MAX };
    struct calendar c = calendar_good();
    struct calendar back;

    (void)state;
    assert_ok(calendar_write(&c, &text));
    assert_ok(calendar_parse(buf_bytes(&text), &back));
    assert_ok(calendar_write(&back, &again));
    assert_true(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
    assert_int_equal(back.zone[0].offset_s, -7200);
    assert_int_equal(back.flags[1].colour, FLAG_YELLOW);
    assert_int_equal(back.easter[0], -47);
    assert_int_equal(back.fixed[0].since, 0);
    assert_int_equal(back.fixed[1].since, 2024);
}

static void half_hour_posts_have_96_steps(void **state)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    struct tariff t = tariff_good();
    struct tariff back;

    (void)state;
    t.steps = 96;
    assert_ok(tariff_write(&t, &text));
    assert_ok(tariff_parse(buf_bytes(&text), &back));
    assert_int_equal(back.steps, 96);
    assert_memory_equal(t.weekday, back.weekday, sizeof t.weekday);
}

static void tariff_refused(const struct tariff *t, const char *why)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    struct tariff back;

    assert_ok(tariff_write(t, &text));
    assert_err(tariff_parse(buf_bytes(&text), &back), ERR_PROTO);
    if (strstr(err_text(), why) == NULL) {
        fail_msg("\"%s\" does not name %s", err_text(), why);
    }
}

static void a_tariff_out_of_range_is_refused_with_its_field(void **state)
{
    struct tariff t = tariff_good();

    (void)state;
    t.taxes.icms_ppm = 900000;
    tariff_refused(&t, "icms_ppm");
    t = tariff_good();
    t.taxes.pis_cofins_ppm = 500000;
    tariff_refused(&t, "pis_cofins_ppm");
    t = tariff_good();
    t.taxes.icms_ppm = -1;
    tariff_refused(&t, "icms_ppm");
    t = tariff_good();
    t.prices_e8[PRICE_TE_PEAK] = -1;
    tariff_refused(&t, "te_peak");
    t = tariff_good();
    t.prices_e8[PRICE_DEMAND] = TARIFF_PRICE_MAX + 1;
    tariff_refused(&t, "demand");
    t = tariff_good();
    t.flags_e8[FLAG_RED2] = -1;
    tariff_refused(&t, "red2");
    t = tariff_good();
    t.valid_to_day = t.valid_from_day;
    tariff_refused(&t, "valid_to");
    t = tariff_good();
    t.overrun_percent = 99;
    tariff_refused(&t, "percent");
    t = tariff_good();
    t.overrun_factor = 0;
    tariff_refused(&t, "factor");
    t = tariff_good();
    t.window_start_min = 1440;
    tariff_refused(&t, "window_start_min");
    t = tariff_good();
    t.weekday[3][4] = 2;
    tariff_refused(&t, "post table");
    t = tariff_good();
    t.utility[3] = 'x';
    tariff_refused(&t, "utility");
    t = tariff_good();
    memcpy(t.modality, "blue", 5);
    tariff_refused(&t, "green");
    t = tariff_good();
    memcpy(t.subgroup, "B1", 3);
    tariff_refused(&t, "group A");
    t = tariff_good();
    t.act[0] = '\0';
    tariff_refused(&t, "act");
}

static void calendar_refused(const struct calendar *c, const char *why)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    struct calendar back;

    assert_ok(calendar_write(c, &text));
    assert_err(calendar_parse(buf_bytes(&text), &back), ERR_PROTO);
    if (strstr(err_text(), why) == NULL) {
        fail_msg("\"%s\" does not name %s", err_text(), why);
    }
}

static void a_calendar_out_of_range_is_refused_with_its_field(void **state)
{
    struct calendar c = calendar_good();

    (void)state;
    c.zone_count = 0;
    calendar_refused(&c, "zone");
    c = calendar_good();
    c.zone[0].from_s = 1518000000;
    calendar_refused(&c, "zone");
    c = calendar_good();
    c.zone[1].from_s = c.zone[0].from_s;
    calendar_refused(&c, "ascending");
    c = calendar_good();
    c.zone[0].offset_s = 16 * 3600;
    calendar_refused(&c, "offset");
    c = calendar_good();
    c.flags[0].from_day++;
    calendar_refused(&c, "flags");
    c = calendar_good();
    c.flags[1].from_day = c.flags[0].from_day;
    calendar_refused(&c, "flags");
    c = calendar_good();
    c.easter[1] = -47;
    calendar_refused(&c, "easter");
    c = calendar_good();
    c.easter[2] = 201;
    calendar_refused(&c, "easter");
    c = calendar_good();
    c.fixed[1].month = 13;
    calendar_refused(&c, "fixed");
    c = calendar_good();
    c.fixed[1].month = 2;
    c.fixed[1].day = 30;
    calendar_refused(&c, "fixed");
    c = calendar_good();
    c.fixed[1] = c.fixed[0];
    calendar_refused(&c, "ascending");
    c = calendar_good();
    c.valid_to_day = CALENDAR_DAY_MAX + 1;
    calendar_refused(&c, "valid_to");
}

static void an_edited_text_is_another_hash_or_refused(void **state)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    struct tariff t = tariff_good();
    struct tariff back;

    (void)state;
    assert_ok(tariff_write(&t, &text));
    struct digest before = tariff_hash(buf_bytes(&text));
    for (size_t i = 0; i < text.len; i++) {
        text.ptr[i] ^= 1;
        struct digest after = tariff_hash(buf_bytes(&text));
        assert_false(digest_equal(&before, &after));
        (void)!tariff_parse(buf_bytes(&text), &back).code; /* must not crash */
        text.ptr[i] ^= 1;
    }
    for (size_t n = 0; n < text.len; n++) {
        assert_true(tariff_parse((struct bytes){ text.ptr, n }, &back).code != ERR_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tariff_comes_back_from_its_text),
        cmocka_unit_test(a_calendar_comes_back_from_its_text),
        cmocka_unit_test(half_hour_posts_have_96_steps),
        cmocka_unit_test(a_tariff_out_of_range_is_refused_with_its_field),
        cmocka_unit_test(a_calendar_out_of_range_is_refused_with_its_field),
        cmocka_unit_test(an_edited_text_is_another_hash_or_refused),
    };
    return cmocka_run_group_tests_name("tariff", tests, NULL, NULL);
}
