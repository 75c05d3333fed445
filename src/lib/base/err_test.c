/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/err.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/test.h"

static err fail_limit(void)
{
    FAIL(ERR_LIMIT, "queue of %d entries is full", 32);
}

static err pass_on(bool *reached)
{
    TRY(fail_limit());
    *reached = true;
    return OK;
}

static void fail_keeps_code_text_and_place(void **state)
{
    (void)state;
    assert_int_equal(fail_limit().code, ERR_LIMIT);
    assert_string_equal(err_text(), "queue of 32 entries is full");
    assert_int_equal(strncmp(err_where(), "err_test.c:", 11), 0);
}

static void try_passes_the_error_on_and_goes_no_further(void **state)
{
    bool reached = false;

    (void)state;
    assert_err(pass_on(&reached), ERR_LIMIT);
    assert_false(reached);
}

static void try_goes_on_when_all_is_well(void **state)
{
    (void)state;
    assert_int_equal(OK.code, ERR_NONE);
}

static void context_stands_in_front(void **state)
{
    (void)state;
    assert_err(err_context(fail_limit(), "meter %d", 7), ERR_LIMIT);
    assert_string_equal(err_text(), "meter 7: queue of 32 entries is full");
}

static void context_of_success_changes_nothing(void **state)
{
    (void)state;
    fail_limit();
    assert_ok(err_context(OK, "meter"));
    assert_string_equal(err_text(), "queue of 32 entries is full");
}

static err quote_the_text(void)
{
    FAIL(ERR_AUTH, "refused (%s)", err_text());
}

static void the_kept_text_may_be_an_argument_of_the_next(void **state)
{
    (void)state;
    fail_limit();
    quote_the_text();
    assert_string_equal(err_text(), "refused (queue of 32 entries is full)");
    err_context((err){ ERR_AUTH }, "%s", err_text());
    assert_string_equal(err_text(), "refused (queue of 32 entries is full): "
                                    "refused (queue of 32 entries is full)");
}

static err fail_with(const char *text)
{
    FAIL(ERR_IO, "%s", text);
}

static void a_long_text_is_cut_at_its_bound(void **state)
{
    char large[1000];

    (void)state;
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    fail_with(large);
    assert_int_equal(strlen(err_text()), 511);
    err_context((err){ ERR_IO }, "%s", large);
    assert_int_equal(strlen(err_text()), 511);
    fail_with("short");
    assert_string_equal(err_text(), "short");
}

static void every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(err_name(ERR_NONE), "none");
    assert_string_equal(err_name(ERR_CORRUPT), "corrupt");
    for (int i = 0; i < ERR_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(err_name((enum err_code)i), err_name((enum err_code)j));
        }
    }
}

static void *fail_elsewhere(void *unused)
{
    fail_with("of another thread");
    return unused;
}

static void each_thread_has_its_own_text(void **state)
{
    pthread_t t;

    (void)state;
    fail_with("of this thread");
    assert_int_equal(pthread_create(&t, NULL, fail_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_string_equal(err_text(), "of this thread");
}

static void count_up(const int *unused)
{
    (void)unused;
    fail_with("cleaned up");
}

static void auto_cleans_up_at_the_end_of_its_scope(void **state)
{
    (void)state;
    fail_with("before");
    {
        AUTO(count_up) int scope = 0;
        (void)scope;
        assert_string_equal(err_text(), "before");
    }
    assert_string_equal(err_text(), "cleaned up");
}

static void take_leaves_null_behind(void **state)
{
    int value = 1;
    int *p = &value;
    int *taken = TAKE(p);

    (void)state;
    assert_ptr_equal(taken, &value);
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_keeps_code_text_and_place),
        cmocka_unit_test(try_passes_the_error_on_and_goes_no_further),
        cmocka_unit_test(try_goes_on_when_all_is_well),
        cmocka_unit_test(context_stands_in_front),
        cmocka_unit_test(context_of_success_changes_nothing),
        cmocka_unit_test(the_kept_text_may_be_an_argument_of_the_next),
        cmocka_unit_test(a_long_text_is_cut_at_its_bound),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
        cmocka_unit_test(each_thread_has_its_own_text),
        cmocka_unit_test(auto_cleans_up_at_the_end_of_its_scope),
        cmocka_unit_test(take_leaves_null_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
