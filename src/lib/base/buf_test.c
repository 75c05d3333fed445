/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/buf.h"

#include <string.h>

#include "lib/base/test.h"

static void pieces_are_put_behind_each_other(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 100 };

    (void)state;
    assert_ok(buf_u8(&b, 1));
    assert_ok(buf_u16(&b, 0x0203));
    assert_ok(buf_u32(&b, 0x04050607));
    assert_ok(buf_u64(&b, UINT64_C(0x08090a0b0c0d0e0f)));
    assert_ok(buf_string(&b, "hi"));
    assert_ok(buf_append(&b, BYTES_LIT("!")));
    assert_ok(buf_append(&b, (struct bytes){ 0 }));
    assert_hex(buf_bytes(&b), "0102030405060708090a0b0c0d0e0f686921");
}

static void the_bound_may_be_reached_and_not_crossed(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 3 };

    (void)state;
    assert_ok(buf_u16(&b, 0x0102));
    assert_err(buf_u16(&b, 0x0304), ERR_LIMIT);
    assert_hex(buf_bytes(&b), "0102");
    assert_ok(buf_u8(&b, 3));
    assert_err(buf_u8(&b, 4), ERR_LIMIT);
    assert_err(buf_reserve(&b, SIZE_MAX), ERR_LIMIT);
    assert_hex(buf_bytes(&b), "010203");
    assert_ok(buf_reserve(&b, 0));
}

static void a_printed_text_may_fill_the_buffer(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 300 };
    char large[300];

    (void)state;
    memset(large, 'x', sizeof large);
    large[299] = '\0';
    assert_ok(buf_printf(&b, "%d%s", 7, large));
    assert_int_equal(b.len, 300);
    assert_int_equal(b.ptr[299], 'x');
    assert_err(buf_printf(&b, "y"), ERR_LIMIT);
    assert_ok(buf_printf(&b, "%s", ""));
    assert_int_equal(b.len, 300);
}

static void growing_keeps_what_is_there(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 100000 };

    (void)state;
    for (uint32_t i = 0; i < 25000; i++) {
        assert_ok(buf_u32(&b, i));
    }
    for (uint32_t i = 0; i < 25000; i++) {
        assert_int_equal(load_u32(b.ptr + 4 * i), i);
    }
    assert_err(buf_u8(&b, 0), ERR_LIMIT);
    assert_true(b.cap <= b.max + 1);
}

static void reserved_room_is_not_taken_again(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };

    (void)state;
    assert_ok(buf_reserve(&b, 1000));
    const uint8_t *at = b.ptr;
    for (int i = 0; i < 1000; i++) {
        assert_ok(buf_u8(&b, 0));
    }
    assert_ptr_equal(b.ptr, at);
}

static void octets_are_consumed_from_the_front(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 100 };

    (void)state;
    assert_ok(buf_string(&b, "abcdef"));
    buf_consume(&b, 0);
    buf_consume(&b, 2);
    assert_true(bytes_equal(buf_bytes(&b), BYTES_LIT("cdef")));
    buf_consume(&b, 4);
    assert_int_equal(b.len, 0);
}

static void clearing_keeps_the_memory_and_done_does_not(void **state)
{
    struct buf b = { .max = 100 };

    (void)state;
    assert_ok(buf_string(&b, "abc"));
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_true(b.cap > 0);
    buf_done(&b);
    assert_null(b.ptr);
    assert_int_equal(b.cap, 0);
    assert_int_equal(b.max, 100);
    buf_done(&b);
    assert_ok(buf_u8(&b, 1));
    buf_wipe(&b);
    assert_null(b.ptr);
    buf_wipe(&b);
}

static void only_an_empty_buffer_shrinks(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 100 };

    (void)state;
    assert_ok(buf_string(&b, "abc"));
    buf_shrink(&b);
    assert_int_equal(b.len, 3);
    buf_consume(&b, 3);
    buf_shrink(&b);
    assert_null(b.ptr);
}

static void without_memory_the_buffer_stays_as_it_was(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 1000 };

    (void)state;
    assert_ok(buf_string(&b, "abc"));
    size_t room = b.cap - b.len;
    mem_fail_after(0);
    assert_err(buf_reserve(&b, room + 1), ERR_LIMIT);
    assert_ok(buf_reserve(&b, room));
    mem_fail_after(-1);
    assert_true(bytes_equal(buf_bytes(&b), BYTES_LIT("abc")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_put_behind_each_other),
        cmocka_unit_test(the_bound_may_be_reached_and_not_crossed),
        cmocka_unit_test(a_printed_text_may_fill_the_buffer),
        cmocka_unit_test(growing_keeps_what_is_there),
        cmocka_unit_test(reserved_room_is_not_taken_again),
        cmocka_unit_test(octets_are_consumed_from_the_front),
        cmocka_unit_test(clearing_keeps_the_memory_and_done_does_not),
        cmocka_unit_test(only_an_empty_buffer_shrinks),
        cmocka_unit_test(without_memory_the_buffer_stays_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
