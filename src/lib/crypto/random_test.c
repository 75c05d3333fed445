/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/base/test.h"
#include "lib/crypto/random.h"

static void two_draws_differ(void **state)
{
    uint8_t a[32] = { 0 };
    uint8_t b[32] = { 0 };

    (void)state;
    random_fill(a, sizeof a);
    random_fill(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void exactly_the_wanted_octets_are_filled(void **state)
{
    uint8_t room[64] = { 0 };
    uint8_t seen[64] = { 0 };

    (void)state;
    for (int round = 0; round < 64; round++) { /* each octet is zero by chance 1 time in 2^512 */
        random_fill(room + 8, 48);
        for (size_t i = 0; i < sizeof room; i++) {
            seen[i] |= room[i];
        }
    }
    for (size_t i = 0; i < sizeof room; i++) {
        assert_int_equal(seen[i] != 0, i >= 8 && i < 56);
    }
}

static void a_large_fill_reaches_its_end(void **state)
{
    size_t size = 200000; /* more than one step of the loop */
    uint8_t *room = calloc(1, size);
    size_t zeros = 0;

    (void)state;
    assert_non_null(room);
    random_fill(room, size);
    for (size_t i = size - 1000; i < size; i++) {
        zeros += room[i] == 0;
    }
    assert_true(zeros < 100);
    free(room);
}

static void nothing_to_fill_is_fine(void **state)
{
    (void)state;
    random_fill(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_draws_differ),
        cmocka_unit_test(exactly_the_wanted_octets_are_filled),
        cmocka_unit_test(a_large_fill_reaches_its_end),
        cmocka_unit_test(nothing_to_fill_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
