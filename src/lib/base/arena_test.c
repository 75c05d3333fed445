/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "lib/base/test.h"

static void pieces_are_aligned_zeroed_and_apart(void **state)
{
    AUTO(arena_done) struct arena a = { .max = 100000 };
    uint8_t *before = NULL;

    (void)state;
    for (size_t size = 1; size < 200; size++) {
        uint8_t *p = arena_take(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(p[i], 0);
        }
        memset(p, 0xff, size);
        assert_true(before == NULL || before[0] == 0xff);
        before = p;
    }
}

static void the_bound_may_be_reached_and_not_crossed(void **state)
{
    AUTO(arena_done) struct arena a = { .max = 64 };

    (void)state;
    assert_null(arena_take(&a, 65));
    assert_null(arena_take(&a, SIZE_MAX));
    assert_non_null(arena_take(&a, 48));
    assert_null(arena_take(&a, 17));
    assert_non_null(arena_take(&a, 16));
    assert_null(arena_take(&a, 1));
    assert_int_equal(a.used, 64);
}

static void a_piece_larger_than_a_chunk_is_given(void **state)
{
    AUTO(arena_done) struct arena a = { .max = 1 << 20 };
    uint8_t *small = arena_take(&a, 10);
    uint8_t *large = arena_take(&a, 100000);

    (void)state;
    assert_non_null(small);
    assert_non_null(large);
    memset(large, 1, 100000);
    assert_int_equal(small[0], 0);
}

static void strings_and_copies_are_copies(void **state)
{
    AUTO(arena_done) struct arena a = { .max = 1000 };
    char text[] = "hello";
    struct bytes copy;

    (void)state;
    char *s = arena_string(&a, bytes_of_string(text));
    assert_ok(arena_copy(&a, bytes_of_string(text), &copy));
    text[0] = 'j';
    assert_string_equal(s, "hello");
    assert_true(bytes_equal(copy, BYTES_LIT("hello")));
    assert_string_equal(arena_string(&a, (struct bytes){ 0 }), "");
    assert_ok(arena_copy(&a, (struct bytes){ 0 }, &copy));
    assert_int_equal(copy.len, 0);
}

static void a_copy_past_the_bound_is_an_error(void **state)
{
    AUTO(arena_done) struct arena a = { .max = 16 };
    struct bytes copy = { NULL, 77 };

    (void)state;
    assert_null(arena_string(&a, BYTES_LIT("sixteen octets.."))); /* and one for the NUL */
    assert_err(arena_copy(&a, BYTES_LIT("seventeen octets."), &copy), ERR_LIMIT);
    assert_int_equal(copy.len, 77);
    assert_ok(arena_copy(&a, BYTES_LIT("sixteen octets.."), &copy));
}

static void a_reset_gives_zeroed_memory_anew(void **state)
{
    AUTO(arena_done) struct arena a = { .max = 1 << 20 };

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) { /* several chunks */
            uint8_t *p = arena_take(&a, 1000);
            assert_non_null(p);
            for (size_t k = 0; k < 1000; k++) {
                assert_int_equal(p[k], 0);
            }
            memset(p, 0xee, 1000);
        }
        arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
}

static void done_may_be_repeated_and_the_arena_used_again(void **state)
{
    struct arena a = { .max = 1000 };

    (void)state;
    arena_done(&a);
    assert_non_null(arena_take(&a, 10));
    arena_done(&a);
    arena_done(&a);
    arena_reset(&a);
    assert_null(a.newest);
}

static void without_memory_nothing_is_given(void **state)
{
    AUTO(arena_done) struct arena a = { .max = 100000 };
    struct bytes copy;

    (void)state;
    mem_fail_after(0);
    assert_null(arena_take(&a, 10));
    assert_null(arena_string(&a, BYTES_LIT("a")));
    assert_err(arena_copy(&a, BYTES_LIT("a"), &copy), ERR_LIMIT);
    mem_fail_after(-1);
    assert_non_null(arena_take(&a, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(the_bound_may_be_reached_and_not_crossed),
        cmocka_unit_test(a_piece_larger_than_a_chunk_is_given),
        cmocka_unit_test(strings_and_copies_are_copies),
        cmocka_unit_test(a_copy_past_the_bound_is_an_error),
        cmocka_unit_test(a_reset_gives_zeroed_memory_anew),
        cmocka_unit_test(done_may_be_repeated_and_the_arena_used_again),
        cmocka_unit_test(without_memory_nothing_is_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
