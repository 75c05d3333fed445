/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include "intake/collector/ranges.h"
#include "lib/base/rand.h"

static void in_order_only_the_mark_moves(void **state)
{
    struct ranges r = { 0 };
    struct range hole;

    (void)state;
    for (uint32_t s = 1; s <= 100; s++) {
        ranges_add(&r, s, s);
        assert_int_equal(r.mark, s);
        assert_int_equal(r.count, 0);
    }
    assert_false(ranges_hole(&r, 100, &hole));
    assert_true(ranges_hole(&r, 101, &hole));
    assert_int_equal(hole.first, 101);
    assert_int_equal(hole.last, 101);
}

static void the_mark_stops_before_a_hole_and_jumps_when_it_is_filled(void **state)
{
    struct ranges r = { 0 };
    struct range hole;

    (void)state;
    ranges_add(&r, 1, 3);
    ranges_add(&r, 5, 6);
    ranges_add(&r, 9, 9);
    assert_int_equal(r.mark, 3);
    assert_true(ranges_hole(&r, 20, &hole));
    assert_int_equal(hole.first, 4);
    assert_int_equal(hole.last, 4);
    ranges_add(&r, 4, 4);
    assert_int_equal(r.mark, 6);
    ranges_add(&r, 7, 8);
    assert_int_equal(r.mark, 9);
    assert_int_equal(r.count, 0);
}

static void ranges_that_touch_or_overlap_become_one(void **state)
{
    struct ranges r = { 0 };

    (void)state;
    ranges_add(&r, 10, 12);
    ranges_add(&r, 14, 16);
    ranges_add(&r, 13, 13);
    assert_int_equal(r.count, 1);
    ranges_add(&r, 5, 30);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.above[0].first, 5);
    assert_int_equal(r.above[0].last, 30);
    ranges_add(&r, 7, 8);
    assert_int_equal(r.count, 1);
}

static void too_many_ranges_forget_the_highest(void **state)
{
    struct ranges r = { 0 };

    (void)state;
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        ranges_add(&r, 100 + 2 * i, 100 + 2 * i);
    }
    assert_int_equal(r.count, RANGES_MAX);
    ranges_add(&r, 1000, 1000);
    assert_false(ranges_have(&r, 1000));
    ranges_add(&r, 50, 50);
    assert_true(ranges_have(&r, 50));
    assert_int_equal(r.count, RANGES_MAX);
    assert_false(ranges_have(&r, 100 + 2 * (RANGES_MAX - 1)));
}

/* Against a plain array of bits: never says more than it was told, and the mark is exact as long as
 * nothing had to be forgotten. */
static void any_order_gives_the_same_mark(void **state)
{
    struct rand64 rand = { 42 };

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct ranges r = { 0 };
        bool told[66] = { true };
        for (int i = 0; i < 200; i++) {
            uint32_t first = 1 + (uint32_t)rand64_below(&rand, 60);
            uint32_t last = first + (uint32_t)rand64_below(&rand, 4);
            ranges_add(&r, first, last);
            for (uint32_t s = first; s <= last; s++) {
                told[s] = true;
            }
            for (uint32_t s = 1; s < 66; s++) {
                assert_true(!ranges_have(&r, s) || told[s]);
            }
        }
        uint32_t mark = 0;
        while (mark < 65 && told[mark + 1]) {
            mark++;
        }
        assert_true(r.mark <= mark);
        ranges_add(&r, 1, 65);
        assert_int_equal(r.mark, 65);
        assert_int_equal(r.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_only_the_mark_moves),
        cmocka_unit_test(the_mark_stops_before_a_hole_and_jumps_when_it_is_filled),
        cmocka_unit_test(ranges_that_touch_or_overlap_become_one),
        cmocka_unit_test(too_many_ranges_forget_the_highest),
        cmocka_unit_test(any_order_gives_the_same_mark),
    };
    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
