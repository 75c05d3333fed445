/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <string.h>

#include "lib/wire/kvs_api.h"

static const struct bytes one_space[] = { { (const uint8_t *)"sql", 3 } };

static const struct kvs_op put_a = {
    .type = KVS_PUT, .expect = KVS_ABSENT, .key = { (const uint8_t *)"a", 1 },
    .value = { (const uint8_t *)"xyz", 3 }
};

static void batch_of(struct buf *b, const struct kvs_op *ops, uint32_t count)
{
    buf_clear(b);
    assert_ok(kvs_msb_begin(b, one_space, 1));
    for (uint32_t i = 0; i < count; i++) {
        assert_ok(kvs_msb_op(b, &ops[i]));
    }
    kvs_msb_finish(b, count);
}

static void a_batch_has_the_octets_of_the_reference(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    const struct kvs_op ops[] = {
        put_a,
        { .type = KVS_DELETE, .expect = KVS_REV, .rev = 7, .key = BYTES_LIT("b") },
        { .type = KVS_PUT, .ttl_s = 60, .key = BYTES_LIT("c") },
        { .type = KVS_GET, .key = BYTES_LIT("d") },
    };

    (void)state;
    batch_of(&b, ops, 4);
    assert_hex(buf_bytes(&b), "4d534231000000000103" "73716c" "00000004"
                              "01020000000100000000000361" "78797a"
                              "020100000001000000000000" "0000000000000007" "62"
                              "010400000001000000000000" "000000000000003c" "63"
                              "040000000001000000000000" "64");
}

static void a_batch_comes_back_as_it_was_built(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    const struct kvs_op ops[] = {
        put_a,
        { .type = KVS_CHECK, .expect = KVS_REV, .rev = UINT64_MAX, .key = BYTES_LIT("k\0k") },
    };
    struct kvs_msb msb;
    struct kvs_op op;
    uint32_t index;

    (void)state;
    batch_of(&b, ops, 2);
    assert_ok(kvs_msb_read(buf_bytes(&b), &msb, &index));
    assert_int_equal(msb.count, 2);
    assert_int_equal(index, 2);
    assert_true(bytes_equal(msb.spaces[0], one_space[0]));
    assert_ok(kvs_msb_op_take(&msb.ops, 1, &op));
    assert_int_equal(op.type, KVS_PUT);
    assert_int_equal(op.expect, KVS_ABSENT);
    assert_true(bytes_equal(op.value, BYTES_LIT("xyz")));
    assert_ok(kvs_msb_op_take(&msb.ops, 1, &op));
    assert_int_equal(op.type, KVS_CHECK);
    assert_true(op.rev == UINT64_MAX);
    assert_true(bytes_equal(op.key, BYTES_LIT("k\0k")));
    assert_int_equal(msb.ops.len, 0);
}

static void every_shorter_or_longer_batch_is_refused(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct kvs_msb msb = { .count = 99 };
    uint32_t index;

    (void)state;
    batch_of(&b, &put_a, 1);
    for (size_t n = 0; n < b.len; n++) {
        assert_err(kvs_msb_read((struct bytes){ b.ptr, n }, &msb, &index), ERR_PROTO);
        assert_int_equal(msb.count, 99);
    }
    assert_ok(buf_u8(&b, 0));
    assert_err(kvs_msb_read(buf_bytes(&b), &msb, &index), ERR_PROTO);
}

/* One octet of a good batch is changed: offset, new octet. */
static void a_field_out_of_its_range_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t octet;
    } cases[] = {
        { 0, 'm' },  { 3, '2' },               /* magic */
        { 7, 1 },                              /* flags of the batch */
        { 8, 0 },    { 8, 2 },   { 8, 17 },    /* spaces */
        { 9, 0 },    { 9, 4 },                 /* length of a name */
        { 10, 'S' }, { 10, '.' }, { 12, ' ' }, /* name */
        { 16, 0 },   { 16, 2 },                /* count of operations */
        { 17, 0 },   { 17, 5 },                /* type */
        { 17, 2 },   { 17, 3 },  { 17, 4 },    /* a value where none belongs */
        { 18, 3 },   { 18, 8 },  { 18, 16 },   /* flags of an operation */
        { 19, 1 },                             /* space */
        { 20, 1 },   { 23, 1 },  { 24, 1 },    /* reserved */
        { 21, 5 },   { 22, 0 },                /* key length */
        { 28, 4 },   { 25, 1 },                /* value length */
    };
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct kvs_msb msb;
    uint32_t index;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        batch_of(&b, &put_a, 1);
        assert_true(cases[i].at < b.len);
        b.ptr[cases[i].at] = cases[i].octet;
        err e = kvs_msb_read(buf_bytes(&b), &msb, &index);
        if (e.code != ERR_PROTO && e.code != ERR_LIMIT) {
            fail_msg("octet %zu = %u is accepted", cases[i].at, cases[i].octet);
        }
    }
}

static void the_wrong_operation_is_named_by_its_index(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    const struct kvs_op ops[] = { put_a, put_a, put_a };
    struct kvs_msb msb;
    uint32_t index;

    (void)state;
    batch_of(&b, ops, 3);
    b.ptr[17 + 16 + 16] = 9;
    assert_err(kvs_msb_read(buf_bytes(&b), &msb, &index), ERR_PROTO);
    assert_int_equal(index, 2);
}

static void a_builder_refuses_what_a_reader_would(void **state)
{
    static uint8_t long_key[KVS_KEY_BYTES_MAX + 1];
    AUTO(buf_done) struct buf b = { .max = 4096 };
    const struct kvs_op bad[] = {
        { .type = KVS_PUT },
        { .type = KVS_PUT, .key = BYTES_OF(long_key) },
        { .type = KVS_CHECK, .key = BYTES_LIT("k") },
        { .type = KVS_GET, .expect = KVS_ABSENT, .key = BYTES_LIT("k") },
        { .type = KVS_DELETE, .key = BYTES_LIT("k"), .value = BYTES_LIT("v") },
        { .type = KVS_PUT, .key = BYTES_LIT("k"), .ttl_s = KVS_TTL_S_MAX + 1 },
    };

    (void)state;
    assert_ok(kvs_msb_begin(&b, one_space, 1));
    size_t before = b.len;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(kvs_msb_op(&b, &bad[i]).code != ERR_NONE);
        assert_int_equal(b.len, before);
    }
    const struct kvs_op longest = { .type = KVS_DELETE, .key = { long_key, KVS_KEY_BYTES_MAX } };
    assert_ok(kvs_msb_op(&b, &longest));
}

static void space_names_have_one_form(void **state)
{
    static const char *const good[] = { "a", "0", "a.b-c_d", "sql" };
    static const char *const bad[] = { "", "A", "-a", ".a", "_a", "a b", "a/b", "a\n", "\xc3\xa4" };
    char longest[] = "a23456789012345678901234567890123456789012345678901234567890123x";

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(kvs_space_name_valid(bytes_of_string(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(kvs_space_name_valid(bytes_of_string(bad[i])));
    }
    assert_false(kvs_space_name_valid(bytes_of_string(longest)));
    longest[63] = 0;
    assert_true(kvs_space_name_valid(bytes_of_string(longest)));
}

static void a_space_named_twice_is_refused(void **state)
{
    const struct bytes twice[] = { BYTES_LIT("a"), BYTES_LIT("b"), BYTES_LIT("a") };
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct kvs_msb msb;
    uint32_t index;

    (void)state;
    assert_ok(kvs_msb_begin(&b, twice, 3));
    assert_ok(kvs_msb_op(&b, &put_a));
    kvs_msb_finish(&b, 1);
    assert_err(kvs_msb_read(buf_bytes(&b), &msb, &index), ERR_PROTO);
}

static void an_answer_comes_back_as_it_was_built(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    const struct kvs_result found = { .rev = 5, .value = BYTES_LIT("v") };
    const struct kvs_result absent = { .status = KVS_IS_ABSENT };
    struct kvs_msr msr;
    struct kvs_result r;

    (void)state;
    assert_ok(kvs_msr_begin(&b));
    assert_ok(kvs_msr_result(&b, &found));
    assert_ok(kvs_msr_result(&b, &absent));
    kvs_msr_finish(&b, 200, 9, 2);
    assert_hex(buf_bytes(&b), "4d53523100c80000000000000000000900000002"
                              "0000000000000000050000000176" "01000000000000000000000000");
    assert_ok(kvs_msr_read(buf_bytes(&b), &msr));
    assert_int_equal(msr.status, 200);
    assert_int_equal(msr.rev, 9);
    assert_ok(kvs_result_take(&msr.results, &r));
    assert_int_equal(r.rev, 5);
    assert_true(bytes_equal(r.value, BYTES_LIT("v")));
    assert_ok(kvs_result_take(&msr.results, &r));
    assert_int_equal(r.status, KVS_IS_ABSENT);
    for (size_t n = 0; n < b.len; n++) {
        assert_err(kvs_msr_read((struct bytes){ b.ptr, n }, &msr), ERR_PROTO);
    }
}

static void page_at(struct buf *b, struct bytes next, uint64_t snapshot)
{
    const struct kvs_entry e1 = { .key = BYTES_LIT("a"), .value = BYTES_LIT("1"), .rev = 3 };
    const struct kvs_entry e2 = { .key = BYTES_LIT("b"), .rev = 4 };

    buf_clear(b);
    assert_ok(kvs_msp_begin(b));
    assert_ok(kvs_msp_entry(b, &e1));
    assert_ok(kvs_msp_entry(b, &e2));
    assert_ok(kvs_msp_finish(b, &(struct kvs_msp){ .count = 2, .rev = 6, .next = next,
                                                   .snapshot = snapshot }));
}

static void page_of(struct buf *b, struct bytes next)
{
    page_at(b, next, 0);
}

static void a_page_has_the_octets_of_the_reference(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };

    (void)state;
    page_of(&b, BYTES_LIT("c"));
    assert_hex(buf_bytes(&b), "4d53503100000001000000020000000000000006"
                              "00010000000100000000000000036131" "0001000000000000000000000004" "62"
                              "000163");
}

static void a_page_comes_back_as_it_was_built(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct kvs_msp page;
    struct kvs_entry e;

    (void)state;
    page_of(&b, (struct bytes){ 0 });
    assert_ok(kvs_msp_read(buf_bytes(&b), &page));
    assert_false(page.more);
    assert_int_equal(page.next.len, 0);
    page_of(&b, BYTES_LIT("c"));
    assert_ok(kvs_msp_read(buf_bytes(&b), &page));
    assert_true(page.more);
    assert_int_equal(page.rev, 6);
    assert_true(bytes_equal(page.next, BYTES_LIT("c")));
    assert_ok(kvs_entry_take(&page.entries, &e));
    assert_true(bytes_equal(e.value, BYTES_LIT("1")));
    assert_ok(kvs_entry_take(&page.entries, &e));
    assert_int_equal(e.rev, 4);
    assert_int_equal(page.entries.len, 0);
}

static void a_page_cut_or_contradicting_itself_is_refused(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct kvs_msp page;

    (void)state;
    page_of(&b, BYTES_LIT("c"));
    for (size_t n = 0; n < b.len; n++) {
        assert_err(kvs_msp_read((struct bytes){ b.ptr, n }, &page), ERR_PROTO);
    }
    b.ptr[7] = 0; /* a next key, but no more */
    assert_err(kvs_msp_read(buf_bytes(&b), &page), ERR_PROTO);
    b.ptr[7] = 4;
    assert_err(kvs_msp_read(buf_bytes(&b), &page), ERR_PROTO);
    b.ptr[7] = 3; /* a snapshot, but no handle */
    assert_err(kvs_msp_read(buf_bytes(&b), &page), ERR_PROTO);
    page_of(&b, BYTES_LIT("c"));
    b.ptr[11] = 3;
    assert_err(kvs_msp_read(buf_bytes(&b), &page), ERR_PROTO);
    b.ptr[11] = 1;
    assert_err(kvs_msp_read(buf_bytes(&b), &page), ERR_PROTO);
}

static void a_page_tells_the_handle_of_its_snapshot(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct kvs_msp page;

    (void)state;
    page_at(&b, BYTES_LIT("c"), 0x1122334455667788);
    struct bytes tail = { b.ptr + b.len - 11, 11 };
    assert_hex(tail, "0001631122334455667788");
    assert_ok(kvs_msp_read(buf_bytes(&b), &page));
    assert_true(page.more);
    assert_true(page.snapshot == 0x1122334455667788);
    for (size_t n = 0; n < b.len; n++) {
        assert_err(kvs_msp_read((struct bytes){ b.ptr, n }, &page), ERR_PROTO);
    }
    b.ptr[7] = 1; /* a handle, but no snapshot */
    assert_err(kvs_msp_read(buf_bytes(&b), &page), ERR_PROTO);
    b.ptr[7] = 3;
    memset(b.ptr + b.len - 8, 0, 8);
    assert_err(kvs_msp_read(buf_bytes(&b), &page), ERR_PROTO);
    page_at(&b, (struct bytes){ 0 }, 7); /* kept though nothing more follows here */
    assert_ok(kvs_msp_read(buf_bytes(&b), &page));
    assert_false(page.more);
    assert_int_equal(page.snapshot, 7);
}

static void a_full_buffer_refuses_and_keeps_what_it_has(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 40 };
    const struct kvs_entry e = { .key = BYTES_LIT("k"), .value = BYTES_LIT("0123456789") };

    (void)state;
    assert_ok(kvs_msp_begin(&b));
    assert_err(kvs_msp_entry(&b, &e), ERR_LIMIT);
    assert_int_equal(b.len, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_has_the_octets_of_the_reference),
        cmocka_unit_test(a_batch_comes_back_as_it_was_built),
        cmocka_unit_test(every_shorter_or_longer_batch_is_refused),
        cmocka_unit_test(a_field_out_of_its_range_is_refused),
        cmocka_unit_test(the_wrong_operation_is_named_by_its_index),
        cmocka_unit_test(a_builder_refuses_what_a_reader_would),
        cmocka_unit_test(space_names_have_one_form),
        cmocka_unit_test(a_space_named_twice_is_refused),
        cmocka_unit_test(an_answer_comes_back_as_it_was_built),
        cmocka_unit_test(a_page_has_the_octets_of_the_reference),
        cmocka_unit_test(a_page_comes_back_as_it_was_built),
        cmocka_unit_test(a_page_cut_or_contradicting_itself_is_refused),
        cmocka_unit_test(a_page_tells_the_handle_of_its_snapshot),
        cmocka_unit_test(a_full_buffer_refuses_and_keeps_what_it_has),
    };
    return cmocka_run_group_tests_name("kvs_api", tests, NULL, NULL);
}
