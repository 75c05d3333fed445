/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <string.h>

#include "store/kvs/batch_json.h"

static err read_text(const char *text, struct buf *out, uint32_t *out_op)
{
    buf_clear(out);
    out->max = KVS_BATCH_BYTES_MAX;
    return batch_json_read(bytes_of_string(text), 1u << 20, out, out_op);
}

static void a_batch_in_json_becomes_a_binary_one(void **state)
{
    AUTO(buf_done) struct buf b = { 0 };
    struct kvs_msb msb;
    struct kvs_op op;
    uint32_t index;

    (void)state;
    assert_ok(
        read_text("{\"space\":\"s\",\"ops\":["
                  "{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\",\"if_absent\":true,\"ttl_s\":60},"
                  "{\"op\":\"delete\",\"key64\":\"_w\",\"if_rev\":7},"
                  "{\"op\":\"check\",\"space\":\"t\",\"key\":\"b\",\"if_rev\":3},"
                  "{\"op\":\"put\",\"key\":\"c\",\"value64\":\"AAE\"},"
                  "{\"op\":\"get\",\"key\":\"\xc3\xa4\"}]}",
                  &b, &index));
    assert_ok(kvs_msb_read(buf_bytes(&b), &msb, &index));
    assert_int_equal(msb.count, 5);
    assert_int_equal(msb.space_count, 2);
    assert_true(bytes_equal(msb.spaces[0], BYTES_LIT("s")));
    assert_true(bytes_equal(msb.spaces[1], BYTES_LIT("t")));
    assert_ok(kvs_msb_op_take(&msb.ops, 2, &op));
    assert_int_equal(op.expect, KVS_ABSENT);
    assert_int_equal(op.ttl_s, 60);
    assert_ok(kvs_msb_op_take(&msb.ops, 2, &op));
    assert_int_equal(op.type, KVS_DELETE);
    assert_int_equal(op.rev, 7);
    assert_true(bytes_equal(op.key, BYTES_LIT("\xff")));
    assert_ok(kvs_msb_op_take(&msb.ops, 2, &op));
    assert_int_equal(op.space, 1);
    assert_ok(kvs_msb_op_take(&msb.ops, 2, &op));
    assert_true(bytes_equal(op.value, BYTES_LIT("\0\1")));
    assert_ok(kvs_msb_op_take(&msb.ops, 2, &op));
    assert_true(bytes_equal(op.key, BYTES_LIT("\xc3\xa4")));
}

#define ONE(members) "{\"space\":\"s\",\"ops\":[{" members "}]}"

static void a_wrong_batch_is_refused_without_echoing_it(void **state)
{
    static const char *const bad[] = {
        "", "[]", "7", "{", "{}", "{\"ops\":[]}", "{\"ops\":{}}", "{\"ops\":[7]}",
        "{\"ops\":[],\"secret\":1}",
        "{\"space\":\"s\",\"space\":\"s\",\"ops\":[]}",
        "{\"ops\":[{\"op\":\"get\",\"key\":\"secret\"}]}",
        "{\"space\":\"S\",\"ops\":[{\"op\":\"get\",\"key\":\"secret\"}]}",
        "{\"space\":7,\"ops\":[{\"op\":\"get\",\"key\":\"secret\"}]}",
        ONE("\"op\":\"secret\",\"key\":\"a\""),
        ONE("\"key\":\"a\""),
        ONE("\"op\":\"get\""),
        ONE("\"op\":\"get\",\"key\":7"),
        ONE("\"op\":\"get\",\"key\":\"\""),
        ONE("\"op\":\"get\",\"key\":\"a\",\"key64\":\"YQ\""),
        ONE("\"op\":\"get\",\"key64\":\"secret!\""),
        ONE("\"op\":\"get\",\"key64\":\"YQ==\""),
        ONE("\"op\":\"get\",\"key\":\"a\",\"value\":\"secret\""),
        ONE("\"op\":\"get\",\"key\":\"a\",\"if_rev\":1"),
        ONE("\"op\":\"get\",\"key\":\"a\",\"secret\":1"),
        ONE("\"op\":\"put\",\"key\":\"a\""),
        ONE("\"op\":\"put\",\"key\":\"a\",\"value\":null"),
        ONE("\"op\":\"put\",\"key\":\"a\",\"value\":\"secret\",\"value64\":\"YQ\""),
        ONE("\"op\":\"put\",\"key\":\"a\",\"value\":\"\",\"if_rev\":-1"),
        ONE("\"op\":\"put\",\"key\":\"a\",\"value\":\"\",\"if_rev\":1.5"),
        ONE("\"op\":\"put\",\"key\":\"a\",\"value\":\"\",\"if_rev\":\"1\""),
        ONE("\"op\":\"put\",\"key\":\"a\",\"value\":\"\",\"if_absent\":false"),
        ONE("\"op\":\"put\",\"key\":\"a\",\"value\":\"\",\"if_absent\":true,\"if_rev\":1"),
        ONE("\"op\":\"put\",\"key\":\"a\",\"value\":\"\",\"ttl_s\":0"),
        ONE("\"op\":\"put\",\"key\":\"a\",\"value\":\"\",\"ttl_s\":999999999999"),
        ONE("\"op\":\"check\",\"key\":\"a\""),
        ONE("\"op\":\"delete\",\"key\":\"a\",\"ttl_s\":5"),
        "{\"space\":\"s\",\"ops\":[[[[[]]]]]}",
    };
    AUTO(buf_done) struct buf b = { 0 };
    uint32_t index;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err e = read_text(bad[i], &b, &index);
        if (e.code == ERR_NONE) {
            fail_msg("accepted: %s", bad[i]);
        }
        assert_null(strstr(err_text(), "secret"));
    }
}

static void the_wrong_operation_is_named(void **state)
{
    AUTO(buf_done) struct buf b = { 0 };
    uint32_t index;

    (void)state;
    assert_err(read_text("{\"space\":\"s\",\"ops\":[{\"op\":\"get\",\"key\":\"a\"},"
                         "{\"op\":\"get\",\"key\":\"b\"},{\"op\":\"get\"}]}",
                         &b, &index),
               ERR_MISSING);
    assert_int_equal(index, 2);
}

static void more_than_sixteen_spaces_are_refused(void **state)
{
    AUTO(buf_done) struct buf text = { .max = 4096 };
    AUTO(buf_done) struct buf b = { 0 };
    uint32_t index;

    (void)state;
    assert_ok(buf_string(&text, "{\"ops\":["));
    for (unsigned i = 0; i < 17; i++) {
        assert_ok(buf_printf(&text, "%s{\"op\":\"get\",\"space\":\"s%u\",\"key\":\"a\"}",
                             i > 0 ? "," : "", i));
    }
    assert_ok(buf_string(&text, "]}"));
    assert_ok(buf_u8(&text, 0));
    assert_err(read_text((const char *)text.ptr, &b, &index), ERR_LIMIT);
    assert_int_equal(index, 16);
}

static void answers_are_written_in_json(void **state)
{
    AUTO(buf_done) struct buf msb = { 0 };
    AUTO(buf_done) struct buf answer = { .max = 4096 };
    AUTO(buf_done) struct buf text = { .max = 4096 };
    const struct kvs_result results[] = { { .rev = 9 }, { .rev = 3, .value = BYTES_LIT("\xff") },
                                          { .status = KVS_IS_ABSENT } };
    struct kvs_msb batch;
    struct kvs_msr msr;
    uint32_t index;

    (void)state;
    assert_ok(read_text("{\"space\":\"s\",\"ops\":[{\"op\":\"put\",\"key\":\"a\",\"value\":\"\"},"
                        "{\"op\":\"get\",\"key\":\"b\"},{\"op\":\"get\",\"key\":\"c\"}]}",
                        &msb, &index));
    assert_ok(kvs_msb_read(buf_bytes(&msb), &batch, &index));
    assert_ok(kvs_msr_begin(&answer));
    for (size_t i = 0; i < 3; i++) {
        assert_ok(kvs_msr_result(&answer, &results[i]));
    }
    kvs_msr_finish(&answer, 200, 9, 3);
    assert_ok(kvs_msr_read(buf_bytes(&answer), &msr));
    assert_ok(batch_json_results(&msr, batch.ops, &text));
    assert_ok(buf_u8(&text, 0));
    assert_string_equal((const char *)text.ptr,
                        "{\"rev\":9,\"results\":[{\"status\":\"done\",\"rev\":9},"
                        "{\"status\":\"found\",\"rev\":3,\"value64\":\"_w\"},"
                        "{\"status\":\"absent\"}]}");
}

static void failures_are_written_in_json(void **state)
{
    AUTO(buf_done) struct buf answer = { .max = 4096 };
    AUTO(buf_done) struct buf text = { .max = 4096 };
    const uint8_t two[] = { 0, 0, 0, 2 };
    const uint8_t four[] = { 0, 0, 0, 4 };
    const struct kvs_result results[] = {
        { .status = KVS_FAILED, .rev = 5, .value = BYTES_OF(two) },
        { .status = KVS_FAILED, .value = BYTES_OF(four) },
    };
    struct kvs_msr msr;

    (void)state;
    assert_ok(kvs_msr_begin(&answer));
    assert_ok(kvs_msr_result(&answer, &results[0]));
    assert_ok(kvs_msr_result(&answer, &results[1]));
    kvs_msr_finish(&answer, 412, 9, 2);
    assert_ok(kvs_msr_read(buf_bytes(&answer), &msr));
    assert_ok(batch_json_failures(&msr, &text));
    assert_ok(buf_u8(&text, 0));
    assert_string_equal((const char *)text.ptr, "\"failures\":[{\"op\":2,\"rev\":5},{\"op\":4}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_in_json_becomes_a_binary_one),
        cmocka_unit_test(a_wrong_batch_is_refused_without_echoing_it),
        cmocka_unit_test(the_wrong_operation_is_named),
        cmocka_unit_test(more_than_sixteen_spaces_are_refused),
        cmocka_unit_test(answers_are_written_in_json),
        cmocka_unit_test(failures_are_written_in_json),
    };
    return cmocka_run_group_tests_name("batch_json", tests, NULL, NULL);
}
