/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include "store/kvs/range.h"

static void check_range(const char *prefix, const char *start, const char *end,
                        const char *want_start, const char *want_end, bool nothing)
{
    uint8_t room[KVS_KEY_BYTES_MAX];
    struct key_range r = range_make(bytes_of_string(prefix), bytes_of_string(start),
                                    bytes_of_string(end), room);

    assert_true(bytes_equal(r.start, bytes_of_string(want_start)));
    assert_true(bytes_equal(r.end, bytes_of_string(want_end)));
    assert_int_equal(r.nothing, nothing);
}

static void a_range_is_what_all_bounds_leave(void **state)
{
    (void)state;
    check_range("", "", "", "", "", false);
    check_range("job-", "", "", "job-", "job.", false);
    check_range("job-", "job-5", "", "job-5", "job.", false);
    check_range("job-", "a", "z", "job-", "job.", false);
    check_range("job-", "a", "job-7", "job-", "job-7", false);
    check_range("", "b", "d", "b", "d", false);
    check_range("a\xff", "", "", "a\xff", "b", false);
    check_range("\xff\xff", "", "", "\xff\xff", "", false);
}

static void bounds_that_cross_leave_nothing(void **state)
{
    (void)state;
    check_range("", "b", "b", "b", "b", true);
    check_range("", "c", "b", "c", "b", true);
    check_range("a", "b", "", "b", "b", true);
    check_range("b", "", "a", "b", "a", true);
}

static void check_common(const char *start, const char *end, const char *want)
{
    struct bytes got = range_common_prefix(bytes_of_string(start), bytes_of_string(end));

    assert_true(bytes_equal(got, bytes_of_string(want)));
}

static void the_common_prefix_is_sure_for_every_key_in_the_range(void **state)
{
    (void)state;
    check_common("", "", "");
    check_common("job-", "", "");
    check_common("job-", "job.", "job-");
    check_common("job-5", "job.", "job-");
    check_common("job-5", "job-7", "job-");
    check_common("job-5", "job-6", "job-5");
    check_common("job-5", "job-6a", "job-");
    check_common("job-5", "job-5a", "job-5");
    check_common("a", "c", "");
}

/* All short keys over three octets, against the definition. */
static void no_key_of_a_range_lacks_the_common_prefix(void **state)
{
    static const uint8_t octets[] = { 0x00, 0x61, 0x62, 0xff };
    uint8_t keys[85][3];
    size_t lens[85];
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < 64 + 16 + 4 + 1; i++) {
        size_t len = i < 64 ? 3 : i < 80 ? 2 : i < 84 ? 1 : 0;
        size_t v = i < 64 ? i : i < 80 ? i - 64 : i - 80;
        for (size_t j = 0; j < len; j++) {
            keys[count][j] = octets[v >> (2 * j) & 3];
        }
        lens[count++] = len;
    }
    for (size_t s = 0; s < count; s++) {
        for (size_t e = 0; e < count; e++) {
            struct bytes start = { keys[s], lens[s] };
            struct bytes end = { keys[e], lens[e] };
            struct bytes common = range_common_prefix(start, end);
            for (size_t k = 0; k < count; k++) {
                struct bytes key = { keys[k], lens[k] };
                bool inside = bytes_compare(key, start) >= 0 &&
                              (end.len == 0 || bytes_compare(key, end) < 0);
                assert_true(!inside || bytes_have_prefix(key, common));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_what_all_bounds_leave),
        cmocka_unit_test(bounds_that_cross_leave_nothing),
        cmocka_unit_test(the_common_prefix_is_sure_for_every_key_in_the_range),
        cmocka_unit_test(no_key_of_a_range_lacks_the_common_prefix),
    };
    return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
