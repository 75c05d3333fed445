/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <string.h>

#include "lib/wire/kvs_api.h"
#include "store/kvs/token.h"

static struct tokens *t;

static int setup(void **state)
{
    (void)state;
    assert_ok(tokens_new(&t));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tokens_free(t);
    return 0;
}

static const struct page_token sample = { .reverse = true,
                                          .start = { (const uint8_t *)"a\0b", 3 },
                                          .end = { (const uint8_t *)"zz", 2 } };

static void a_token_brings_back_the_rest_of_the_range(void **state)
{
    AUTO(buf_done) struct buf text = { .max = 4096 };
    AUTO(buf_done) struct buf room = { .max = 4096 };
    struct page_token got;

    (void)state;
    assert_ok(token_make(t, BYTES_LIT("sql"), &sample, &text));
    assert_ok(token_open(t, BYTES_LIT("sql"), buf_bytes(&text), &room, &got));
    assert_true(got.reverse);
    assert_true(bytes_equal(got.start, sample.start));
    assert_true(bytes_equal(got.end, sample.end));
}

static void the_longest_bounds_fit_into_a_url(void **state)
{
    static uint8_t key[KVS_KEY_BYTES_MAX];
    AUTO(buf_done) struct buf text = { .max = 3000 };
    AUTO(buf_done) struct buf room = { .max = 4096 };
    const struct page_token longest = { .start = BYTES_OF(key), .end = BYTES_OF(key) };
    struct page_token got;

    (void)state;
    assert_ok(token_make(t, BYTES_LIT("s"), &longest, &text));
    assert_ok(token_open(t, BYTES_LIT("s"), buf_bytes(&text), &room, &got));
    assert_int_equal(got.start.len, KVS_KEY_BYTES_MAX);
    assert_int_equal(got.end.len, KVS_KEY_BYTES_MAX);
}

static void a_changed_character_is_refused(void **state)
{
    AUTO(buf_done) struct buf text = { .max = 4096 };
    AUTO(buf_done) struct buf room = { .max = 4096 };
    struct page_token got;

    (void)state;
    assert_ok(token_make(t, BYTES_LIT("sql"), &sample, &text));
    for (size_t i = 0; i < text.len; i++) {
        uint8_t was = text.ptr[i];
        text.ptr[i] = was == 'A' ? 'B' : 'A';
        assert_true(token_open(t, BYTES_LIT("sql"), buf_bytes(&text), &room, &got).code != 0);
        text.ptr[i] = was;
    }
    for (size_t n = 0; n < text.len; n++) {
        struct bytes cut = { text.ptr, n };
        assert_true(token_open(t, BYTES_LIT("sql"), cut, &room, &got).code != 0);
    }
}

static void a_token_serves_its_own_space_only(void **state)
{
    AUTO(buf_done) struct buf text = { .max = 4096 };
    AUTO(buf_done) struct buf room = { .max = 4096 };
    struct page_token got;

    (void)state;
    assert_ok(token_make(t, BYTES_LIT("sql"), &sample, &text));
    assert_err(token_open(t, BYTES_LIT("tmp"), buf_bytes(&text), &room, &got), ERR_AUTH);
}

static void a_token_ends_with_the_process_that_made_it(void **state)
{
    AUTO(buf_done) struct buf text = { .max = 4096 };
    AUTO(buf_done) struct buf room = { .max = 4096 };
    struct tokens *next;
    struct page_token got;

    (void)state;
    assert_ok(token_make(t, BYTES_LIT("sql"), &sample, &text));
    assert_ok(tokens_new(&next));
    assert_err(token_open(next, BYTES_LIT("sql"), buf_bytes(&text), &room, &got), ERR_MISSING);
    tokens_free(next);
}

static void two_tokens_of_the_same_place_differ(void **state)
{
    AUTO(buf_done) struct buf one = { .max = 4096 };
    AUTO(buf_done) struct buf two = { .max = 4096 };

    (void)state;
    assert_ok(token_make(t, BYTES_LIT("sql"), &sample, &one));
    assert_ok(token_make(t, BYTES_LIT("sql"), &sample, &two));
    assert_false(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(a_token_brings_back_the_rest_of_the_range),
        HERE(the_longest_bounds_fit_into_a_url),
        HERE(a_changed_character_is_refused),
        HERE(a_token_serves_its_own_space_only),
        HERE(a_token_ends_with_the_process_that_made_it),
        HERE(two_tokens_of_the_same_place_differ),
    };
    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
