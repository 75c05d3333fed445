/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/meter_id.h"

#include "lib/base/test.h"

static void an_id_has_one_text(void **state)
{
    char text[METER_ID_CHARS + 1];
    char same[METER_ID_CHARS + 1];
    uint64_t id = 0;

    (void)state;
    meter_id_text(UINT64_C(0x12345678), text);
    assert_string_equal(text, "0000000012345678");
    snprintf(same, sizeof same, "%" PRI_METER, UINT64_C(0x12345678));
    assert_string_equal(same, text);
    assert_ok(meter_id_parse(bytes_of_string(text), &id));
    assert_true(id == 0x12345678);
    assert_ok(meter_id_parse(BYTES_LIT("ffffffffffffffff"), &id));
    assert_true(id == UINT64_MAX);
}

static void another_spelling_is_refused(void **state)
{
    static const char *const bad[] = { "",
                                       "12345678",
                                       "000000001234567",
                                       "00000000123456789",
                                       "00000000ABCDEF01",
                                       "0x00000012345678",
                                       " 000000012345678",
                                       "000000001234567g" };
    uint64_t id = 5;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(meter_id_parse(bytes_of_string(bad[i]), &id), ERR_PROTO);
    }
    assert_int_equal(id, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_has_one_text),
        cmocka_unit_test(another_spelling_is_refused),
    };

    return cmocka_run_group_tests_name("meter_id", tests, NULL, NULL);
}
