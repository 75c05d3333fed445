/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/retry.h"
#include "lib/base/test.h"

static void pauses_grow_by_half(void **state)
{
    struct retry r = { .max_us = 1000000 };

    (void)state;
    assert_int_equal(retry_pause_us(&r), 100000);
    assert_int_equal(retry_pause_us(&r), 150000);
    assert_int_equal(retry_pause_us(&r), 225000);
    assert_int_equal(retry_pause_us(&r), 337500);
}

static void no_pause_is_longer_than_the_bound(void **state)
{
    struct retry r = { .max_us = 200000 };
    struct retry constant = { .max_us = RETRY_FIRST_US };

    (void)state;
    assert_int_equal(retry_pause_us(&r), 100000);
    assert_int_equal(retry_pause_us(&r), 150000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(retry_pause_us(&r), 200000);
        assert_int_equal(retry_pause_us(&constant), RETRY_FIRST_US);
    }
}

static void success_makes_the_next_pause_the_first(void **state)
{
    struct retry r = { .max_us = 1000000 };

    (void)state;
    for (int i = 0; i < 5; i++) {
        retry_pause_us(&r);
    }
    retry_reset(&r);
    assert_int_equal(retry_pause_us(&r), 100000);
}

/* The time lost at the end is at most half of what was waited before, beyond the first pauses. */
static void a_peer_is_found_soon_after_it_is_there(void **state)
{
    struct retry r = { .max_us = UINT64_MAX / 2 };
    uint64_t waited = 0;

    (void)state;
    for (int i = 0; i < 30; i++) {
        uint64_t pause = retry_pause_us(&r);
        assert_true(pause <= RETRY_FIRST_US + waited / 2);
        waited += pause;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_grow_by_half),
        cmocka_unit_test(no_pause_is_longer_than_the_bound),
        cmocka_unit_test(success_makes_the_next_pause_the_first),
        cmocka_unit_test(a_peer_is_found_soon_after_it_is_there),
    };
    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
