/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/base/test.h"
#include "lib/crypto/secret.h"

static void equal_octets_are_equal(void **state)
{
    const uint8_t a[] = { 1, 2, 3 };
    const uint8_t b[] = { 1, 2, 3 };

    (void)state;
    assert_true(crypto_equal(BYTES_OF(a), BYTES_OF(b)));
    assert_true(crypto_equal((struct bytes){ 0 }, (struct bytes){ 0 }));
}

static void one_other_bit_anywhere_is_unequal(void **state)
{
    const uint8_t a[32] = { 0 };

    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
        uint8_t b[32] = { 0 };
        b[bit / 8] = (uint8_t)(1 << bit % 8);
        assert_false(crypto_equal(BYTES_OF(a), BYTES_OF(b)));
    }
}

static void other_lengths_are_unequal(void **state)
{
    const uint8_t a[4] = { 0 };

    (void)state;
    assert_false(crypto_equal((struct bytes){ a, 3 }, (struct bytes){ a, 4 }));
    assert_false(crypto_equal((struct bytes){ a, 0 }, (struct bytes){ a, 1 }));
}

static void a_wiped_key_holds_nothing(void **state)
{
    static const struct key zero;
    struct key k;

    (void)state;
    memset(&k, 0xAA, sizeof k);
    key_done(&k);
    assert_memory_equal(&k, &zero, sizeof k);
    key_done(NULL);
}

static void wiping_touches_only_what_was_named(void **state)
{
    uint8_t a[] = { 1, 2, 3, 4 };

    (void)state;
    wipe(a + 1, 2);
    assert_hex(BYTES_OF(a), "01000004");
    wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_octets_are_equal),
        cmocka_unit_test(one_other_bit_anywhere_is_unequal),
        cmocka_unit_test(other_lengths_are_unequal),
        cmocka_unit_test(a_wiped_key_holds_nothing),
        cmocka_unit_test(wiping_touches_only_what_was_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
