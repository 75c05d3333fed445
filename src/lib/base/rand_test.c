/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/rand.h"

#include <math.h>

#include "lib/base/test.h"

static void seeds_0_and_1000_have_their_vectors(void **state)
{
    struct rand64 zero = { 0 };
    struct rand64 thousand = { 1000 };

    (void)state;
    assert_true(rand64_next(&zero) == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(rand64_next(&zero) == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(rand64_next(&zero) == UINT64_C(0x06c45d188009454f));
    assert_true(rand64_next(&thousand) == UINT64_C(0x3c1eba8b4dccc148));
}

static void units_and_ranges_have_their_vectors(void **state)
{
    struct rand64 a = { 1000 };
    struct rand64 b = { 1000 };
    double unit = rand64_unit(&a);
    double range = rand64_range(&b, 0.1, 0.8);

    (void)state;
    assert_true(unit >= 0.2348438825700212 && unit <= 0.2348438825700212);
    assert_true(range >= 0.26439071779901485 && range <= 0.26439071779901485);
}

static void units_lie_in_0_to_1(void **state)
{
    struct rand64 r = { 42 };
    double sum = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        double u = rand64_unit(&r);
        assert_true(u >= 0 && u < 1);
        sum += u;
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.01);
}

static void below_reaches_every_number_below_n(void **state)
{
    struct rand64 r = { 7 };
    int seen[6] = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++) {
        seen[rand64_below(&r, 6)]++;
    }
    for (int i = 0; i < 6; i++) {
        assert_true(seen[i] > 100);
    }
    assert_int_equal(rand64_below(&r, 1), 0);
}

static void normals_have_mean_0_and_deviation_1(void **state)
{
    struct rand64 r = { 9 };
    double sum = 0;
    double squares = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        double v = rand64_normal(&r);
        assert_true(isfinite(v));
        sum += v;
        squares += v * v;
    }
    assert_true(fabs(sum / 100000) < 0.02);
    assert_true(fabs(squares / 100000 - 1) < 0.02);
}

static void a_normal_draws_two(void **state)
{
    struct rand64 a = { 3 };
    struct rand64 b = { 3 };

    (void)state;
    rand64_normal(&a);
    rand64_next(&b);
    rand64_next(&b);
    assert_true(a.state == b.state);
}

static void mixes_differ_in_each_argument_and_repeat(void **state)
{
    uint64_t m = rand64_mix(1, 2, 3);

    (void)state;
    assert_true(m == rand64_mix(1, 2, 3));
    assert_true(m != rand64_mix(0, 2, 3));
    assert_true(m != rand64_mix(1, 0, 3));
    assert_true(m != rand64_mix(1, 2, 0));
    assert_true(m != rand64_mix(3, 2, 1));
    assert_true(m != rand64_mix(2, 1, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_0_and_1000_have_their_vectors),
        cmocka_unit_test(units_and_ranges_have_their_vectors),
        cmocka_unit_test(units_lie_in_0_to_1),
        cmocka_unit_test(below_reaches_every_number_below_n),
        cmocka_unit_test(normals_have_mean_0_and_deviation_1),
        cmocka_unit_test(a_normal_draws_two),
        cmocka_unit_test(mixes_differ_in_each_argument_and_repeat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
