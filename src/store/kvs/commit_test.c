/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <stdio.h>
#include <string.h>

#include "store/kvs/store_fixture.h"

static struct store s;

static int setup(void **state)
{
    (void)state;
    fixture_disk_free_min = 0;
    store_fresh(&s);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(&s);
    store_remove(&s);
    return 0;
}

/* A batch on the given spaces; its octets live in `b`, emptied first. */
static struct kv_request *batch_new(struct buf *b, const char *spaces, const struct kvs_op *ops,
                                    uint32_t count)
{
    struct kv_request *r = call_new(&s, spaces);
    struct bytes names[KVS_BATCH_SPACES_MAX];
    struct kvs_msb msb;
    uint32_t index;

    buf_clear(b);
    b->max = KVS_BATCH_BYTES_MAX;
    for (uint8_t i = 0; i < r->space_count; i++) {
        names[i] = bytes_of_string(r->spaces[i]->name);
    }
    assert_ok(kvs_msb_begin(b, names, r->space_count));
    for (uint32_t i = 0; i < count; i++) {
        assert_ok(kvs_msb_op(b, &ops[i]));
    }
    kvs_msb_finish(b, count);
    assert_ok(kvs_msb_read(buf_bytes(b), &msb, &index));
    r->is_batch = true;
    r->ops = msb.ops;
    r->op_count = msb.count;
    r->octets = b->len;
    return r;
}

static struct kvs_op op(enum kvs_op_type type, const char *key, const char *value)
{
    return (struct kvs_op){ .type = type, .key = bytes_of_string(key),
                            .value = bytes_of_string(value) };
}

static struct kvs_op op_if(enum kvs_op_type type, const char *key, const char *value,
                           enum kvs_expect expect, uint64_t rev)
{
    struct kvs_op o = op(type, key, value);

    o.expect = expect;
    o.rev = rev;
    return o;
}

static struct kvs_result result_at(const struct kv_request *r, uint32_t index)
{
    struct kvs_result result = { 0 };
    struct kvs_msr msr;

    assert_ok(kvs_msr_read(buf_bytes(&r->answer), &msr));
    assert_true(index < msr.count);
    for (uint32_t i = 0; i <= index; i++) {
        assert_ok(kvs_result_take(&msr.results, &result));
    }
    return result;
}

static uint32_t result_count(const struct kv_request *r)
{
    struct kvs_msr msr;

    assert_ok(kvs_msr_read(buf_bytes(&r->answer), &msr));
    return msr.count;
}

static void each_write_gets_the_next_rev(void **state)
{
    uint64_t first;
    uint64_t second;

    (void)state;
    assert_int_equal(put(&s, "a", "1", KVS_ANY, 0, &first), KV_OK);
    assert_int_equal(put(&s, "a", "2", KVS_ANY, 0, &second), KV_OK);
    assert_int_equal(second, first + 1);
    assert_int_equal(engine_rev(s.engine), second);
    assert_string_equal(get(&s, "a", &first), "2");
    assert_int_equal(first, second);
}

static void a_put_expects_a_rev_or_absence(void **state)
{
    uint64_t rev;
    uint64_t seen;

    (void)state;
    assert_int_equal(put(&s, "a", "1", KVS_REV, 1, NULL), KV_PRECONDITION);
    assert_int_equal(put(&s, "a", "1", KVS_ABSENT, 0, &rev), KV_OK);
    assert_int_equal(put(&s, "a", "2", KVS_ABSENT, 0, &seen), KV_PRECONDITION);
    assert_int_equal(seen, rev);
    assert_int_equal(put(&s, "a", "2", KVS_REV, rev + 1, NULL), KV_PRECONDITION);
    assert_string_equal(get(&s, "a", NULL), "1");
    assert_int_equal(put(&s, "a", "2", KVS_REV, rev, NULL), KV_OK);
    assert_int_equal(put(&s, "a", "3", KVS_REV, rev, NULL), KV_PRECONDITION);
}

static void a_delete_has_conditions_too(void **state)
{
    uint64_t rev;

    (void)state;
    assert_int_equal(delete(&s, "a", KVS_ANY, 0), KV_NO_KEY);
    assert_int_equal(put(&s, "a", "1", KVS_ANY, 0, &rev), KV_OK);
    assert_int_equal(delete(&s, "a", KVS_REV, rev + 1), KV_PRECONDITION);
    assert_int_equal(delete(&s, "a", KVS_ABSENT, 0), KV_PRECONDITION);
    assert_int_equal(delete(&s, "a", KVS_REV, rev), KV_OK);
    assert_null(get(&s, "a", NULL));
}

static void a_refused_write_takes_no_rev(void **state)
{
    uint64_t before = engine_rev(s.engine);

    (void)state;
    assert_int_equal(put(&s, "a", "1", KVS_REV, 77, NULL), KV_PRECONDITION);
    assert_int_equal(delete(&s, "a", KVS_ANY, 0), KV_NO_KEY);
    assert_int_equal(engine_rev(s.engine), before);
}

static void an_empty_value_and_any_octet_in_a_key_are_kept(void **state)
{
    struct kv_request *r = call_new(&s, "s");

    (void)state;
    r->op = (struct kvs_op){ .type = KVS_PUT, .key = BYTES_LIT("\0\xff\n/"), };
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    r = call_new(&s, "s");
    r->op = (struct kvs_op){ .type = KVS_GET, .key = BYTES_LIT("\0\xff\n/") };
    assert_int_equal(call_read(&s, r, read_get), KV_OK);
    assert_int_equal(r->found.record.value.len, 0);
    call_done(r);
}

static void a_large_value_comes_back_whole(void **state)
{
    size_t size = 5u << 20;
    uint8_t *big = malloc(size);
    struct kv_request *r = call_new(&s, "s");

    (void)state;
    for (size_t i = 0; i < size; i++) {
        big[i] = (uint8_t)(i * 31 + (i >> 8));
    }
    r->op = (struct kvs_op){ .type = KVS_PUT, .key = BYTES_LIT("big"), .value = { big, size } };
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    r = call_new(&s, "s");
    r->op = (struct kvs_op){ .type = KVS_GET, .key = BYTES_LIT("big") };
    assert_int_equal(call_read(&s, r, read_get), KV_OK);
    assert_true(bytes_equal(r->found.record.value, (struct bytes){ big, size }));
    call_done(r);
    free(big);
}

static void a_batch_is_all_or_nothing(void **state)
{
    AUTO(buf_done) struct buf b = { 0 };
    const struct kvs_op bad[] = { op(KVS_PUT, "a", "1"),
                                  op_if(KVS_CHECK, "x", "", KVS_REV, 9),
                                  op(KVS_PUT, "b", "2") };
    const struct kvs_op good[] = { op(KVS_PUT, "a", "1"),
                                   op_if(KVS_CHECK, "x", "", KVS_ABSENT, 0),
                                   op(KVS_PUT, "b", "2"), op(KVS_DELETE, "c", "") };
    uint64_t rev;

    (void)state;
    struct kv_request *r = batch_new(&b, "s", bad, 3);
    assert_int_equal(call_commit(&s, r), KV_PRECONDITION);
    call_done(r);
    assert_null(get(&s, "a", NULL));
    assert_null(get(&s, "b", NULL));

    r = batch_new(&b, "s", good, 4);
    assert_int_equal(call_commit(&s, r), KV_OK);
    rev = r->rev;
    assert_int_equal(result_count(r), 4);
    assert_int_equal(result_at(r, 0).rev, rev);
    assert_int_equal(result_at(r, 1).status, KVS_DONE);
    assert_int_equal(result_at(r, 1).rev, 0);
    assert_int_equal(result_at(r, 3).status, KVS_IS_ABSENT);
    call_done(r);
    uint64_t seen;
    assert_string_equal(get(&s, "b", &seen), "2");
    assert_int_equal(seen, rev);
    assert_string_equal(get(&s, "a", &seen), "1");
    assert_int_equal(seen, rev);
}

static void a_failed_batch_names_its_first_sixteen_failures(void **state)
{
    AUTO(buf_done) struct buf b = { 0 };
    struct kvs_op ops[40];
    char keys[40][8];
    uint64_t rev;

    (void)state;
    assert_int_equal(put(&s, "k3", "v", KVS_ANY, 0, &rev), KV_OK);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(keys[i], sizeof keys[i], "k%u", i);
        ops[i] = op_if(KVS_PUT, keys[i], "v", i < 2 ? KVS_ANY : KVS_REV, rev + 5);
    }
    struct kv_request *r = batch_new(&b, "s", ops, 40);
    assert_int_equal(call_commit(&s, r), KV_PRECONDITION);
    assert_int_equal(result_count(r), 16);
    struct kvs_result first = result_at(r, 0);
    struct kvs_result second = result_at(r, 1);
    assert_int_equal(first.status, KVS_FAILED);
    assert_int_equal(first.rev, 0);
    assert_int_equal(load_u32(first.value.ptr), 2);
    assert_int_equal(second.rev, rev);
    assert_int_equal(load_u32(second.value.ptr), 3);
    call_done(r);
}

static void a_batch_that_names_a_key_twice_is_refused(void **state)
{
    AUTO(buf_done) struct buf b = { 0 };
    const struct kvs_op ops[] = { op(KVS_PUT, "a", "1"), op(KVS_PUT, "b", "1"),
                                  op(KVS_DELETE, "a", "") };

    (void)state;
    struct kv_request *r = batch_new(&b, "s", ops, 3);
    assert_int_equal(call_commit(&s, r), KV_TWICE);
    assert_int_equal(r->bad_op, 2);
    call_done(r);
    assert_null(get(&s, "b", NULL));
}

static void the_same_key_in_two_spaces_is_two_keys(void **state)
{
    static const struct space_settings plain = { 0 };
    AUTO(buf_done) struct buf b = { 0 };
    struct kvs_op ops[] = { op(KVS_PUT, "a", "1"), op(KVS_PUT, "a", "2") };

    (void)state;
    assert_ok(space_make(&s, "t", &plain));
    ops[1].space = 1;
    struct kv_request *r = batch_new(&b, "s t", ops, 2);
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    assert_string_equal(get(&s, "a", NULL), "1");
}

static void a_get_in_a_batch_sees_what_was_before_it(void **state)
{
    AUTO(buf_done) struct buf b = { 0 };
    const struct kvs_op ops[] = { op(KVS_GET, "a", ""), op(KVS_GET, "none", ""),
                                  op(KVS_PUT, "c", "3") };

    (void)state;
    assert_int_equal(put(&s, "a", "old", KVS_ANY, 0, NULL), KV_OK);
    struct kv_request *r = batch_new(&b, "s", ops, 3);
    assert_int_equal(call_commit(&s, r), KV_OK);
    assert_true(bytes_equal(result_at(r, 0).value, BYTES_LIT("old")));
    assert_int_equal(result_at(r, 1).status, KVS_IS_ABSENT);
    call_done(r);
}

static void gets_alone_are_read_at_one_snapshot(void **state)
{
    AUTO(buf_done) struct buf b = { 0 };
    const struct kvs_op ops[] = { op(KVS_GET, "a", ""), op(KVS_GET, "none", "") };
    uint64_t rev;

    (void)state;
    assert_int_equal(put(&s, "a", "v", KVS_ANY, 0, &rev), KV_OK);
    struct kv_request *r = batch_new(&b, "s", ops, 2);
    assert_int_equal(call_read(&s, r, read_multi_get), KV_OK);
    assert_int_equal(r->rev, rev);
    assert_true(bytes_equal(result_at(r, 0).value, BYTES_LIT("v")));
    assert_int_equal(result_at(r, 1).status, KVS_IS_ABSENT);
    call_done(r);
}

static void checks_alone_take_no_rev(void **state)
{
    AUTO(buf_done) struct buf b = { 0 };
    uint64_t rev;

    (void)state;
    assert_int_equal(put(&s, "a", "v", KVS_ANY, 0, &rev), KV_OK);
    const struct kvs_op ops[] = { op_if(KVS_CHECK, "a", "", KVS_REV, rev) };
    struct kv_request *r = batch_new(&b, "s", ops, 1);
    assert_int_equal(call_commit(&s, r), KV_OK);
    assert_int_equal(r->rev, rev);
    call_done(r);
    assert_int_equal(engine_rev(s.engine), rev);
}

/* Everything submitted while the committer is held forms one group. */
static void requests_of_a_group_see_those_before_them(void **state)
{
    AUTO(buf_done) struct buf b = { 0 };
    struct committer_counters before;
    struct committer_counters after;
    struct kv_request *r[5];
    const struct kvs_op get_a[] = { op(KVS_GET, "a", ""), op(KVS_PUT, "z", "z") };

    (void)state;
    committer_hold(&s);
    committer_counters(s.committer, &before);
    r[0] = call_new(&s, "s");
    r[0]->op = op_if(KVS_PUT, "a", "1", KVS_ABSENT, 0);
    r[1] = call_new(&s, "s");
    r[1]->op = op_if(KVS_PUT, "a", "2", KVS_ABSENT, 0);
    r[2] = batch_new(&b, "s", get_a, 2);
    r[3] = call_new(&s, "s");
    r[3]->op = op(KVS_DELETE, "a", "");
    r[4] = call_new(&s, "s");
    r[4]->op = op_if(KVS_PUT, "a", "3", KVS_ABSENT, 0);
    for (unsigned i = 0; i < 5; i++) {
        call_submit(&s, r[i]);
    }
    committer_release(&s);
    assert_int_equal(call_wait(r[0]), KV_OK);
    assert_int_equal(call_wait(r[1]), KV_PRECONDITION);
    assert_int_equal(r[1]->rev, r[0]->rev);
    assert_int_equal(call_wait(r[2]), KV_OK);
    assert_true(bytes_equal(result_at(r[2], 0).value, BYTES_LIT("1")));
    assert_int_equal(result_at(r[2], 0).rev, r[0]->rev);
    assert_int_equal(call_wait(r[3]), KV_OK);
    assert_int_equal(call_wait(r[4]), KV_OK);
    assert_int_equal(r[4]->rev, r[0]->rev + 3);
    committer_counters(s.committer, &after);
    assert_int_equal(after.groups, before.groups + 1);
    assert_int_equal(after.requests, before.requests + 5);
    for (unsigned i = 0; i < 5; i++) {
        call_done(r[i]);
    }
    assert_string_equal(get(&s, "a", NULL), "3");
}

static void the_queue_is_bounded(void **state)
{
    struct kv_request **all = calloc(COMMIT_QUEUE_MAX + 1, sizeof(void *));
    err e = OK;

    (void)state;
    committer_hold(&s);
    for (unsigned i = 0; i <= COMMIT_QUEUE_MAX; i++) {
        all[i] = call_new(&s, "s");
        all[i]->op = op(KVS_PUT, "k", "v");
        e = committer_submit(s.committer, all[i]);
        assert_int_equal(e.code, i < COMMIT_QUEUE_MAX ? ERR_NONE : ERR_LIMIT);
    }
    committer_release(&s);
    for (unsigned i = 0; i < COMMIT_QUEUE_MAX; i++) {
        assert_int_equal(call_wait(all[i]), KV_OK);
    }
    for (unsigned i = 0; i <= COMMIT_QUEUE_MAX; i++) {
        call_done(all[i]);
    }
    free(all);
}

static void a_full_disk_refuses_puts_and_lets_reads_and_deletes_go_on(void **state)
{
    (void)state;
    assert_int_equal(put(&s, "a", "v", KVS_ANY, 0, NULL), KV_OK);
    store_close(&s);
    fixture_disk_free_min = UINT64_MAX;
    store_open(&s);
    assert_int_equal(put(&s, "b", "v", KVS_ANY, 0, NULL), KV_DISK);
    assert_string_equal(get(&s, "a", NULL), "v");
    assert_int_equal(delete(&s, "a", KVS_ANY, 0), KV_OK);
}

static void a_quota_of_keys_and_octets_is_exact(void **state)
{
    static const struct space_settings small = { .quota_keys = 3, .quota_bytes = 10 };
    AUTO(buf_done) struct buf b = { 0 };
    struct space_view view;

    (void)state;
    assert_ok(space_make(&s, "q", &small));
    const struct kvs_op four[] = { op(KVS_PUT, "a", ""), op(KVS_PUT, "b", ""),
                                   op(KVS_PUT, "c", ""), op(KVS_PUT, "d", "") };
    struct kv_request *r = batch_new(&b, "q", four, 4);
    assert_int_equal(call_commit(&s, r), KV_QUOTA);
    call_done(r);
    r = batch_new(&b, "q", four, 3);
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    const struct kvs_op fits[] = { op(KVS_PUT, "a", "1234567") };
    r = batch_new(&b, "q", fits, 1);
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    const struct kvs_op over[] = { op(KVS_PUT, "b", "x") };
    r = batch_new(&b, "q", over, 1);
    assert_int_equal(call_commit(&s, r), KV_QUOTA);
    call_done(r);
    const struct kvs_op less[] = { op(KVS_DELETE, "a", ""), op(KVS_PUT, "b", "x") };
    r = batch_new(&b, "q", less, 2);
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    assert_ok(engine_space_view(s.engine, BYTES_LIT("q"), &view));
    assert_int_equal(view.used_keys, 2);
    assert_int_equal(view.used_bytes, 3);

    store_close(&s);
    store_open(&s);
    assert_ok(engine_space_view(s.engine, BYTES_LIT("q"), &view));
    assert_int_equal(view.used_keys, 2);
    assert_int_equal(view.used_bytes, 3);
}

static void an_expired_key_is_absent(void **state)
{
    struct kv_request *r = call_new(&s, "s");

    (void)state;
    r->op = op(KVS_PUT, "a", "v");
    r->op.ttl_s = 10;
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    fixture_now_s += 9;
    assert_string_equal(get(&s, "a", NULL), "v");
    fixture_now_s += 1;
    assert_null(get(&s, "a", NULL));
    assert_int_equal(delete(&s, "a", KVS_ANY, 0), KV_NO_KEY);
    assert_int_equal(put(&s, "a", "again", KVS_ABSENT, 0, NULL), KV_OK);
}

static void a_request_on_a_dropped_space_is_told_so(void **state)
{
    static const struct space_settings plain = { 0 };

    (void)state;
    assert_ok(space_make(&s, "t", &plain));
    struct kv_request *late = call_new(&s, "t");
    late->op = op(KVS_PUT, "a", "v");
    assert_ok(space_unmake(&s, "t"));
    assert_int_equal(call_commit(&s, late), KV_NO_SPACE);
    call_done(late);
}

static void what_was_acknowledged_is_there_after_a_reopen(void **state)
{
    uint64_t rev;
    uint64_t seen;

    (void)state;
    assert_int_equal(put(&s, "a", "v", KVS_ANY, 0, &rev), KV_OK);
    store_close(&s);
    store_open(&s);
    assert_int_equal(engine_rev(s.engine), rev);
    assert_string_equal(get(&s, "a", &seen), "v");
    assert_int_equal(seen, rev);
    assert_int_equal(put(&s, "b", "v", KVS_ANY, 0, &seen), KV_OK);
    assert_int_equal(seen, rev + 1);
}

static void a_batch_of_the_most_operations_is_taken(void **state)
{
    AUTO(buf_done) struct buf b = { 0 };
    struct kvs_op *ops = calloc(KVS_BATCH_OPS_MAX, sizeof *ops);
    char(*keys)[8] = calloc(KVS_BATCH_OPS_MAX, sizeof *keys);

    (void)state;
    for (unsigned i = 0; i < KVS_BATCH_OPS_MAX; i++) {
        snprintf(keys[i], sizeof keys[i], "%07u", i);
        ops[i] = op_if(KVS_PUT, keys[i], "v", KVS_ABSENT, 0);
    }
    struct kv_request *r = batch_new(&b, "s", ops, KVS_BATCH_OPS_MAX);
    assert_int_equal(call_commit(&s, r), KV_OK);
    assert_int_equal(result_count(r), KVS_BATCH_OPS_MAX);
    call_done(r);
    assert_string_equal(get(&s, "0099999", NULL), "v");
    free(keys);
    free(ops);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(each_write_gets_the_next_rev),
        HERE(a_put_expects_a_rev_or_absence),
        HERE(a_delete_has_conditions_too),
        HERE(a_refused_write_takes_no_rev),
        HERE(an_empty_value_and_any_octet_in_a_key_are_kept),
        HERE(a_large_value_comes_back_whole),
        HERE(a_batch_is_all_or_nothing),
        HERE(a_failed_batch_names_its_first_sixteen_failures),
        HERE(a_batch_that_names_a_key_twice_is_refused),
        HERE(the_same_key_in_two_spaces_is_two_keys),
        HERE(a_get_in_a_batch_sees_what_was_before_it),
        HERE(gets_alone_are_read_at_one_snapshot),
        HERE(checks_alone_take_no_rev),
        HERE(requests_of_a_group_see_those_before_them),
        HERE(the_queue_is_bounded),
        HERE(a_full_disk_refuses_puts_and_lets_reads_and_deletes_go_on),
        HERE(a_quota_of_keys_and_octets_is_exact),
        HERE(an_expired_key_is_absent),
        HERE(a_request_on_a_dropped_space_is_told_so),
        HERE(what_was_acknowledged_is_there_after_a_reopen),
        HERE(a_batch_of_the_most_operations_is_taken),
    };
    return cmocka_run_group_tests_name("commit", tests, NULL, NULL);
}
