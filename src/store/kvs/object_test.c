/* SPDX-License-Identifier: Apache-2.0 */
/* Large values beside RocksDB: through engine, committer and readers. */
#include "lib/base/test.h"

#include <string.h>

#include "lib/base/buf.h"
#include "store/kvs/store_fixture.h"

#define LARGE (300u << 10)

static struct store s;
static uint8_t large[LARGE];

static int setup(void **state)
{
    (void)state;
    fixture_object_grace_us = 1;
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (uint8_t)(i * 13 + (i >> 9));
    }
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

static size_t object_count(void)
{
    AUTO(buf_done) struct buf ids = { .max = 4096 };

    assert_ok(object_list(s.volume, &ids));
    return ids.len / OBJECT_ID_BYTES;
}

/* As the gateway does it: the object first, then the commit. */
static enum kv_status put_large(const char *key, enum kvs_expect expect, uint64_t rev)
{
    struct kv_request *r = call_new(&s, "s");

    r->op = (struct kvs_op){ .type = KVS_PUT, .expect = expect, .rev = rev,
                             .key = bytes_of_string(key), .value = BYTES_OF(large) };
    assert_int_equal(call_read(&s, r, run_object_write), KV_OK);
    r->run = NULL;
    enum kv_status status = call_commit(&s, r);
    call_done(r);
    return status;
}

static bool is_large(const char *key)
{
    struct kv_request *r = call_new(&s, "s");

    r->op = (struct kvs_op){ .type = KVS_GET, .key = bytes_of_string(key) };
    bool same = call_read(&s, r, read_get) == KV_OK &&
                bytes_equal(r->found.record.value, BYTES_OF(large));
    call_done(r);
    return same;
}

/* Anything that makes the committer look for what may be cleared away. */
static void settle(void)
{
    committer_hold(&s);
    committer_release(&s);
    committer_hold(&s);
    committer_release(&s);
}

static void a_large_value_is_an_object_and_comes_back(void **state)
{
    (void)state;
    assert_int_equal(put_large("a", KVS_ANY, 0), KV_OK);
    assert_int_equal(object_count(), 1);
    assert_true(is_large("a"));
    store_close(&s);
    store_open(&s);
    assert_true(is_large("a"));
    assert_int_equal(object_count(), 1);
}

static void a_replaced_object_goes(void **state)
{
    (void)state;
    assert_int_equal(put_large("a", KVS_ANY, 0), KV_OK);
    assert_int_equal(put_large("a", KVS_ANY, 0), KV_OK);
    settle();
    assert_int_equal(object_count(), 1);
    assert_int_equal(put(&s, "a", "small", KVS_ANY, 0, NULL), KV_OK);
    settle();
    assert_int_equal(object_count(), 0);
    assert_string_equal(get(&s, "a", NULL), "small");
    assert_int_equal(put_large("a", KVS_ANY, 0), KV_OK);
    assert_int_equal(delete(&s, "a", KVS_ANY, 0), KV_OK);
    settle();
    assert_int_equal(object_count(), 0);
}

static void a_replaced_object_can_be_read_for_a_while(void **state)
{
    (void)state;
    store_close(&s);
    fixture_object_grace_us = 0; /* a minute */
    store_open(&s);
    assert_int_equal(put_large("a", KVS_ANY, 0), KV_OK);
    assert_int_equal(delete(&s, "a", KVS_ANY, 0), KV_OK);
    settle();
    assert_int_equal(object_count(), 1);
    store_close(&s);
    store_open(&s);
    assert_int_equal(object_count(), 0);
}

static void a_refused_put_leaves_no_object(void **state)
{
    (void)state;
    assert_int_equal(put_large("a", KVS_REV, 7), KV_PRECONDITION);
    settle();
    assert_int_equal(object_count(), 0);
}

static void an_object_without_its_commit_goes_at_the_next_open(void **state)
{
    struct object_id id;

    (void)state;
    assert_ok(engine_object_write(s.engine, BYTES_OF(large), &id));
    assert_int_equal(put(&s, "k", "v", KVS_ANY, 0, NULL), KV_OK);
    assert_int_equal(object_count(), 1);
    store_close(&s);
    store_open(&s);
    assert_int_equal(object_count(), 0);
}

static void conditions_and_groups_work_with_objects(void **state)
{
    uint64_t rev = 0;

    (void)state;
    assert_int_equal(put_large("a", KVS_ABSENT, 0), KV_OK);
    assert_int_equal(put_large("a", KVS_ABSENT, 0), KV_PRECONDITION);
    rev = engine_rev(s.engine);
    committer_hold(&s);
    struct kv_request *first = call_new(&s, "s");
    struct kv_request *second = call_new(&s, "s");
    first->op = (struct kvs_op){ .type = KVS_PUT, .expect = KVS_REV, .rev = rev,
                                 .key = BYTES_LIT("a"), .value = BYTES_OF(large) };
    assert_int_equal(call_read(&s, first, run_object_write), KV_OK);
    first->run = NULL;
    second->op = (struct kvs_op){ .type = KVS_PUT, .expect = KVS_REV, .rev = rev + 1,
                                  .key = BYTES_LIT("a"), .value = BYTES_LIT("x") };
    call_submit(&s, first);
    call_submit(&s, second);
    committer_release(&s);
    assert_int_equal(call_wait(first), KV_OK);
    assert_int_equal(call_wait(second), KV_OK);
    call_done(first);
    call_done(second);
    settle();
    assert_string_equal(get(&s, "a", NULL), "x");
    assert_int_equal(object_count(), 0);
}

static void pages_and_batches_have_the_octets_of_objects(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    const struct bytes name = BYTES_LIT("s");
    const struct kvs_op get_a = { .type = KVS_GET, .key = BYTES_LIT("a") };
    struct kv_request *r = call_new(&s, "s");
    struct kvs_msp page;
    struct kvs_entry e;

    (void)state;
    assert_int_equal(put_large("a", KVS_ANY, 0), KV_OK);
    r->scan = (struct kv_scan){ .limit = 10, .values = true };
    assert_int_equal(call_read(&s, r, read_scan), KV_OK);
    assert_ok(kvs_msp_read(buf_bytes(&r->answer), &page));
    assert_ok(kvs_entry_take(&page.entries, &e));
    assert_true(bytes_equal(e.value, BYTES_OF(large)));
    call_done(r);

    struct kvs_msb msb;
    struct kvs_msr msr;
    struct kvs_result result;
    uint32_t index;
    assert_ok(kvs_msb_begin(&b, &name, 1));
    assert_ok(kvs_msb_op(&b, &get_a));
    kvs_msb_finish(&b, 1);
    assert_ok(kvs_msb_read(buf_bytes(&b), &msb, &index));
    for (unsigned i = 0; i < 2; i++) {
        r = call_new(&s, "s");
        r->is_batch = true;
        r->ops = msb.ops;
        r->op_count = 1;
        assert_int_equal(i == 0 ? call_read(&s, r, read_multi_get) : call_commit(&s, r), KV_OK);
        assert_ok(kvs_msr_read(buf_bytes(&r->answer), &msr));
        assert_ok(kvs_result_take(&msr.results, &result));
        assert_true(bytes_equal(result.value, BYTES_OF(large)));
        call_done(r);
    }
}

static void a_dropped_space_takes_its_objects_along(void **state)
{
    static const struct space_settings plain = { 0 };

    (void)state;
    assert_int_equal(put_large("a", KVS_ANY, 0), KV_OK);
    assert_int_equal(put_large("b", KVS_ANY, 0), KV_OK);
    assert_ok(space_unmake(&s, "s"));
    settle();
    assert_int_equal(object_count(), 0);
    assert_ok(space_make(&s, "s", &plain));
}

static void the_quota_counts_the_octets_of_objects(void **state)
{
    static const struct space_settings small = { .quota_bytes = LARGE + 1, .compress = true };
    struct space_view view;

    (void)state;
    assert_int_equal(put_large("a", KVS_ANY, 0), KV_OK);
    struct kv_request *r = call_new(&s, "s");
    assert_ok(engine_space_change(s.engine, r->spaces[0], &small));
    call_done(r);
    assert_ok(engine_space_view(s.engine, BYTES_LIT("s"), &view));
    assert_int_equal(view.used_bytes, LARGE + 1);
    assert_int_equal(put_large("b", KVS_ANY, 0), KV_QUOTA);
    assert_int_equal(put_large("a", KVS_ANY, 0), KV_OK);
}

static void a_full_disk_takes_no_object(void **state)
{
    struct object_id id;

    (void)state;
    store_close(&s);
    fixture_disk_free_min = UINT64_MAX / 2;
    store_open(&s);
    fixture_disk_free_min = 0;
    assert_err(engine_object_write(s.engine, BYTES_OF(large), &id), ERR_LIMIT);
    assert_int_equal(object_count(), 0);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(a_large_value_is_an_object_and_comes_back),
        HERE(a_replaced_object_goes),
        HERE(a_replaced_object_can_be_read_for_a_while),
        HERE(a_refused_put_leaves_no_object),
        HERE(an_object_without_its_commit_goes_at_the_next_open),
        HERE(conditions_and_groups_work_with_objects),
        HERE(pages_and_batches_have_the_octets_of_objects),
        HERE(a_dropped_space_takes_its_objects_along),
        HERE(the_quota_counts_the_octets_of_objects),
        HERE(a_full_disk_takes_no_object),
    };
    return cmocka_run_group_tests_name("object", tests, NULL, NULL);
}
