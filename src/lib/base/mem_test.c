/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/mem.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/test.h"

static void taken_memory_is_zeroed(void **state)
{
    uint8_t *p = mem_take(100);

    (void)state;
    assert_non_null(p);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(p[i], 0);
    }
    mem_give(p);
    mem_give(NULL);
}

static void no_octets_give_pointers_of_their_own(void **state)
{
    void *a = mem_take(0);
    void *b = mem_take(0);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    mem_give(a);
    a = mem_resize(NULL, 0);
    assert_non_null(a);
    mem_give(a);
    mem_give(b);
}

static void resizing_keeps_the_octets(void **state)
{
    char *p = mem_resize(NULL, 4);

    (void)state;
    assert_non_null(p);
    memcpy(p, "abc", 4);
    char *grown = mem_resize(p, 10000);
    assert_non_null(grown);
    assert_string_equal(grown, "abc");
    mem_give(grown);
}

static void the_wanted_request_fails_and_those_before_do_not(void **state)
{
    (void)state;
    mem_fail_after(2);
    void *a = mem_take(1);
    void *b = mem_resize(NULL, 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(mem_take(1));
    assert_null(mem_resize(b, 2)); /* b itself is still there */
    mem_fail_after(-1);
    void *c = mem_take(1);
    assert_non_null(c);
    mem_give(a);
    mem_give(b);
    mem_give(c);
}

static void *take_one(void *out)
{
    void *p = mem_take(1);

    *(bool *)out = p != NULL;
    mem_give(p);
    return NULL;
}

static void failures_stay_in_their_thread(void **state)
{
    bool given = false;
    pthread_t t;

    (void)state;
    assert_int_equal(pthread_create(&t, NULL, take_one, &given), 0);
    mem_fail_after(0);
    assert_int_equal(pthread_join(t, NULL), 0);
    mem_fail_after(-1);
    assert_true(given);
}

static void auto_gives_pointers_back(void **state)
{
    (void)state;
    AUTO(mem_givep) char *p = mem_take(10); /* the leak checker tells if not */
    AUTO(mem_givep) char *none = NULL;
    assert_non_null(p);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_memory_is_zeroed),
        cmocka_unit_test(no_octets_give_pointers_of_their_own),
        cmocka_unit_test(resizing_keeps_the_octets),
        cmocka_unit_test(the_wanted_request_fails_and_those_before_do_not),
        cmocka_unit_test(failures_stay_in_their_thread),
        cmocka_unit_test(auto_gives_pointers_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
