/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/outbox.h"

#include <string.h>

#include "lib/base/test.h"

static void put(struct outbox *o, uint32_t sequence)
{
    const struct record r = { .sequence = sequence, .meter = 1, .end_s = sequence * 900,
                              .interval_s = 900 };

    assert_ok(outbox_put(o, &r));
}

static void records_come_back_in_order_until_they_are_acknowledged(void **state)
{
    AUTO(outbox_done) struct outbox o;
    uint32_t records = 0;

    (void)state;
    outbox_init(&o, 100);
    for (uint32_t i = 1; i <= 70; i++) {
        put(&o, i);
    }
    assert_int_equal(outbox_ack(&o, 30, &records), 30);
    assert_int_equal(o.count, 40);
    assert_int_equal(o.oldest, 31);
    assert_int_equal(o.newest, 70);
    for (uint32_t i = 0; i < o.count; i++) {
        assert_int_equal(load_u32(outbox_at(&o, i).ptr + 4), 31 + i);
    }
    assert_int_equal(outbox_ack(&o, 30, &records), 0);
    assert_int_equal(outbox_ack(&o, 1000, &records), 40);
    assert_int_equal(o.newest, 70);
    put(&o, 71);
    assert_int_equal(o.count, 1);
    assert_int_equal(o.oldest, 71);
}

static void the_ring_turns_over_its_end_many_times(void **state)
{
    AUTO(outbox_done) struct outbox o;
    uint32_t records = 0;
    uint32_t acked = 0;

    (void)state;
    outbox_init(&o, 24);
    for (uint32_t i = 1; i <= 1000; i++) {
        put(&o, i);
        if (i % 7 == 0) {
            acked = i - 3;
            outbox_ack(&o, acked, &records);
        }
        assert_int_equal(o.count, i - acked);
        assert_int_equal(load_u32(outbox_at(&o, o.count - 1).ptr + 4), i);
    }
    assert_int_equal(o.overwritten, 0);
}

static void each_kind_of_missing_has_its_reason(void **state)
{
    AUTO(outbox_done) struct outbox o;
    uint32_t records = 0;
    uint8_t reason = 0;

    (void)state;
    outbox_init(&o, 3);
    put(&o, 1);
    outbox_gap(&o, 2, 5, MISSING_NO_POWER);
    put(&o, 6);
    put(&o, 7);
    put(&o, 8); /* 1 is overwritten */
    outbox_ack(&o, 6, &records);
    assert_null(outbox_find(&o, 1, &reason));
    assert_int_equal(reason, MISSING_OVERWRITTEN);
    assert_null(outbox_find(&o, 4, &reason));
    assert_int_equal(reason, MISSING_NO_POWER);
    assert_null(outbox_find(&o, 6, &reason));
    assert_int_equal(reason, MISSING_ERASED);
    assert_null(outbox_find(&o, 9, &reason));
    assert_int_equal(reason, MISSING_NEVER);
    assert_null(outbox_find(&o, 0, &reason));
    assert_int_equal(reason, MISSING_NEVER);
    assert_int_equal(load_u32(outbox_find(&o, 7, &reason) + 4), 7);
    assert_int_equal(load_u32(outbox_find(&o, 8, &reason) + 4), 8);
}

static void ranges_of_overwritten_records_grow_and_old_ones_are_forgotten(void **state)
{
    AUTO(outbox_done) struct outbox o;

    (void)state;
    outbox_init(&o, 2);
    for (uint32_t i = 1; i <= 50; i++) {
        put(&o, i);
    }
    assert_int_equal(o.gap_count, 1);
    assert_int_equal(o.gaps[0].last, 48);
    for (uint32_t i = 0; i < 2 * OUTBOX_GAPS_MAX; i++) {
        outbox_gap(&o, 100 + 3 * i, 101 + 3 * i, MISSING_NO_POWER);
    }
    assert_int_equal(o.gap_count, OUTBOX_GAPS_MAX);
    assert_int_equal(o.gaps[OUTBOX_GAPS_MAX - 1].last, 101 + 3 * (2 * OUTBOX_GAPS_MAX - 1));
}

static void a_missing_sequence_takes_a_slot_and_is_no_record(void **state)
{
    AUTO(outbox_done) struct outbox o;
    uint32_t records = 0;
    uint32_t sequence = 0;
    uint8_t reason = 0;

    (void)state;
    outbox_init(&o, 10);
    put(&o, 1);
    assert_ok(outbox_put_missing(&o, 2, MISSING_NO_POWER));
    assert_ok(outbox_put_missing(&o, 3, MISSING_NO_POWER));
    put(&o, 4);
    assert_int_equal(outbox_missing_of(outbox_at(&o, 0), &sequence), 0);
    assert_int_equal(outbox_missing_of(outbox_at(&o, 1), &sequence), MISSING_NO_POWER);
    assert_int_equal(sequence, 2);
    assert_null(outbox_find(&o, 3, &reason));
    assert_int_equal(reason, MISSING_NO_POWER);
    assert_int_equal(outbox_ack(&o, 3, &records), 3);
    assert_int_equal(records, 1);
}

static void without_memory_nothing_is_put_and_nothing_lost(void **state)
{
    AUTO(outbox_done) struct outbox o;
    const struct record r = { .sequence = 1, .interval_s = 900 };

    (void)state;
    outbox_init(&o, 100);
    mem_fail_after(0);
    assert_err(outbox_put(&o, &r), ERR_LIMIT);
    mem_fail_after(-1);
    assert_int_equal(o.count, 0);
    for (uint32_t i = 1; i <= 16; i++) {
        put(&o, i);
    }
    mem_fail_after(0);
    assert_err(outbox_put(&o, &(struct record){ .sequence = 17, .interval_s = 900 }), ERR_LIMIT);
    mem_fail_after(-1);
    assert_int_equal(o.count, 16);
    put(&o, 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_in_order_until_they_are_acknowledged),
        cmocka_unit_test(the_ring_turns_over_its_end_many_times),
        cmocka_unit_test(each_kind_of_missing_has_its_reason),
        cmocka_unit_test(ranges_of_overwritten_records_grow_and_old_ones_are_forgotten),
        cmocka_unit_test(a_missing_sequence_takes_a_slot_and_is_no_record),
        cmocka_unit_test(without_memory_nothing_is_put_and_nothing_lost),
    };
    return cmocka_run_group_tests_name("meter outbox", tests, NULL, NULL);
}
