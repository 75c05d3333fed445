/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include "intake/authenticator/bucket.h"
#include "intake/authenticator/nonces.h"
#include "intake/authenticator/registry.h"

static struct bytes nonce_of(uint8_t *raw, uint64_t n)
{
    store_u64(raw, n);
    return (struct bytes){ raw, 32 };
}

static void a_nonce_is_remembered_for_an_hour(void **state)
{
    AUTO(nonces_done) struct nonces n = { 0 };
    uint8_t raw[32] = { 0 };

    (void)state;
    assert_ok(nonces_init(&n, 100));
    assert_false(nonces_have(&n, 5, 1, nonce_of(raw, 7)));
    nonces_add(&n, 5, 1, nonce_of(raw, 7));
    assert_true(nonces_have(&n, 6, 1, nonce_of(raw, 7)));
    assert_true(nonces_have(&n, 5 + NONCES_PERIOD_US, 1, nonce_of(raw, 7)));
    assert_false(nonces_have(&n, 6 + 3 * NONCES_PERIOD_US, 1, nonce_of(raw, 7)) &&
                 nonces_have(&n, 7 + 4 * NONCES_PERIOD_US, 1, nonce_of(raw, 7)));
}

static void the_same_nonce_of_another_meter_is_another(void **state)
{
    AUTO(nonces_done) struct nonces n = { 0 };
    uint8_t raw[32] = { 0 };

    (void)state;
    assert_ok(nonces_init(&n, 100));
    nonces_add(&n, 5, 1, nonce_of(raw, 7));
    assert_false(nonces_have(&n, 5, 2, nonce_of(raw, 7)));
}

static void more_nonces_than_the_bound_forget_the_oldest_only(void **state)
{
    AUTO(nonces_done) struct nonces n = { 0 };
    uint8_t raw[32] = { 0 };

    (void)state;
    assert_ok(nonces_init(&n, 64));
    for (uint64_t i = 0; i < 10000; i++) {
        nonces_add(&n, 5, 1, nonce_of(raw, i));
        assert_true(nonces_have(&n, 5, 1, nonce_of(raw, i)));
        if (i >= 64) {
            assert_true(nonces_have(&n, 5, 1, nonce_of(raw, i - 64)));
        }
    }
    assert_false(nonces_have(&n, 5, 1, nonce_of(raw, 0)));
}

static void a_bucket_gives_its_burst_and_then_one_a_period(void **state)
{
    struct bucket b = { 0 };

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(bucket_take(&b, 1000, 10, 3));
    }
    assert_false(bucket_take(&b, 1000, 10, 3));
    assert_false(bucket_take(&b, 1009, 10, 3));
    assert_true(bucket_take(&b, 1010, 10, 3));
    assert_false(bucket_take(&b, 1010, 10, 3));
    assert_true(bucket_take(&b, 5000, 10, 3));
}

static struct registry *new_registry(void)
{
    struct registry *r = calloc(1, sizeof *r);

    assert_non_null(r);
    return r;
}

static void a_full_registry_forgets_the_oldest_meter(void **state)
{
    struct registry *r = new_registry();
    struct registered *m;

    (void)state;
    for (uint64_t i = 1; i <= REGISTRY_COUNT_MAX + 10; i++) {
        assert_ok(registry_entry(r, 5, i, &m));
        assert_ok(registry_told(m, 5, 3, BYTES_LIT("key")));
    }
    assert_null(registry_find(r, 10));
    assert_non_null(registry_find(r, 11));
    registry_done(r);
    free(r);
}

static void meters_that_are_asked_for_are_not_pushed_out(void **state)
{
    struct registry *r = new_registry();
    struct registered *m;

    (void)state;
    for (uint64_t i = 1; i <= REGISTRY_COUNT_MAX; i++) {
        assert_ok(registry_entry(r, 5, i, &m));
        assert_true(registry_ask(m, 5));
        assert_false(registry_ask(m, 6));
    }
    assert_err(registry_entry(r, 5, 99999, &m), ERR_LIMIT);
    assert_ok(registry_entry(r, 5 + REGISTRY_ASK_US, 99999, &m)); /* nobody answered */
    registry_done(r);
    free(r);
}

static void only_so_many_hellos_wait(void **state)
{
    struct registry *r = new_registry();
    struct registered *m;

    (void)state;
    for (uint64_t i = 1; i <= REGISTRY_WAITING_MAX; i++) {
        assert_ok(registry_entry(r, 5, i, &m));
        assert_ok(registry_wait(r, m, 1, BYTES_LIT("hello")));
    }
    assert_ok(registry_wait(r, m, 1, BYTES_LIT("newer"))); /* in the place of its own */
    assert_ok(registry_entry(r, 5, 99999, &m));
    assert_err(registry_wait(r, m, 1, BYTES_LIT("hello")), ERR_LIMIT);
    registry_done(r);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_nonce_is_remembered_for_an_hour),
        cmocka_unit_test(the_same_nonce_of_another_meter_is_another),
        cmocka_unit_test(more_nonces_than_the_bound_forget_the_oldest_only),
        cmocka_unit_test(a_bucket_gives_its_burst_and_then_one_a_period),
        cmocka_unit_test(a_full_registry_forgets_the_oldest_meter),
        cmocka_unit_test(meters_that_are_asked_for_are_not_pushed_out),
        cmocka_unit_test(only_so_many_hellos_wait),
    };
    return cmocka_run_group_tests_name("nonces", tests, NULL, NULL);
}
