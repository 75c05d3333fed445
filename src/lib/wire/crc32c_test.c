/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/crc32c.c" /* the portable form is static, and must agree with the instruction */

#include "lib/base/rand.h"
#include "lib/base/test.h"

static void the_known_sums_come_out(void **state)
{
    uint8_t octets[32] = { 0 };

    (void)state;
    assert_int_equal(crc32c(BYTES_LIT("123456789")), 0xe3069283);
    assert_int_equal(crc32c(BYTES_LIT("")), 0);
    assert_int_equal(crc32c(BYTES_OF(octets)), 0x8a9136aa); /* RFC 3720 B.4 */
    memset(octets, 0xff, sizeof octets);
    assert_int_equal(crc32c(BYTES_OF(octets)), 0x62a8ab43);
}

static void both_forms_agree_at_each_length_and_alignment(void **state)
{
    uint8_t octets[100];
    struct rand64 r = { 1 };

    (void)state;
    for (size_t i = 0; i < sizeof octets; i++) {
        octets[i] = (uint8_t)rand64_next(&r);
    }
    for (size_t start = 0; start < 9; start++) {
        for (size_t len = 0; start + len <= sizeof octets; len++) {
            struct bytes part = { octets + start, len };
            assert_int_equal(crc32c(part), ~portable(UINT32_MAX, part.ptr, part.len));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_sums_come_out),
        cmocka_unit_test(both_forms_agree_at_each_length_and_alignment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
