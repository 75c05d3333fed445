/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/bundle.h"

#include <string.h>

#include "lib/base/test.h"

static struct sealed_day day_of(uint32_t n)
{
    struct sealed_day d = {
        .seal = { .alg = SIGN_P256,
                  .key_epoch = 1,
                  .meter = 7,
                  .start_s = n * 86400,
                  .end_s = (n + 1) * 86400,
                  .first = n * 96 + 1,
                  .last = n * 96 + 96,
                  .count = 96 },
        .signature = { .size = 64 },
    };

    memset(d.signature.octets, (int)n, 64);
    return d;
}

static void records_are_found_by_index(void **state)
{
    AUTO(buf_done) struct buf file = { .max = BUNDLE_READINGS_BYTES_MAX };
    struct record r = { .meter = 7, .interval_s = 900 };
    struct record back;
    size_t count = 0;

    (void)state;
    for (uint32_t i = 1; i <= 3; i++) {
        r.sequence = i;
        r.end_s = 900 * i;
        assert_ok(bundle_record_add(&file, &r));
    }
    assert_ok(bundle_records_count(buf_bytes(&file), &count));
    assert_int_equal(count, 3);
    assert_ok(record_parse(bundle_record_at(buf_bytes(&file), 2), &back));
    assert_true(record_equal(&r, &back));
}

static void a_readings_file_cut_at_any_octet_is_noticed(void **state)
{
    uint8_t raw[2 * RECORD_BYTES] = { 0 };
    size_t count = 99;

    (void)state;
    for (size_t n = 0; n <= sizeof raw; n++) {
        err e = bundle_records_count((struct bytes){ raw, n }, &count);
        assert_int_equal(e.code, n % RECORD_BYTES == 0 ? ERR_NONE : ERR_PROTO);
    }
    assert_err(bundle_records_count((struct bytes){ raw, BUNDLE_READINGS_BYTES_MAX + 1 }, &count),
               ERR_LIMIT);
}

static void seals_come_back_in_order(void **state)
{
    AUTO(buf_done) struct buf file = { .max = BUNDLE_SEALS_BYTES_MAX };
    struct sealed_day days[3];
    size_t count = 0;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct sealed_day d = day_of(i);
        assert_ok(bundle_seal_add(&file, &d));
    }
    assert_ok(bundle_seals_parse(buf_bytes(&file), days, 3, &count));
    assert_int_equal(count, 3);
    assert_int_equal(days[2].seal.first, 193);
    assert_err(bundle_seals_parse(buf_bytes(&file), days, 2, &count), ERR_LIMIT);
    assert_int_equal(count, 2);
}

static void a_seals_file_cut_at_any_octet_gives_the_whole_seals_before(void **state)
{
    AUTO(buf_done) struct buf file = { .max = BUNDLE_SEALS_BYTES_MAX };
    struct sealed_day days[2];
    struct sealed_day d = day_of(1);
    size_t count = 0;

    (void)state;
    assert_ok(bundle_seal_add(&file, &d));
    size_t one = file.len;
    assert_ok(bundle_seal_add(&file, &d));
    for (size_t n = 0; n <= file.len; n++) {
        err e = bundle_seals_parse((struct bytes){ file.ptr, n }, days, 2, &count);
        assert_int_equal(e.code, n % one == 0 ? ERR_NONE : ERR_PROTO);
        assert_int_equal(count, n / one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_found_by_index),
        cmocka_unit_test(a_readings_file_cut_at_any_octet_is_noticed),
        cmocka_unit_test(seals_come_back_in_order),
        cmocka_unit_test(a_seals_file_cut_at_any_octet_gives_the_whole_seals_before),
    };
    return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
