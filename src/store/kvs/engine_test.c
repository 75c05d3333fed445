/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/kvs/engine_space.h"
#include "store/kvs/store_fixture.h"

static const struct space_settings plain = { .compress = true };
static struct store s;

static int setup(void **state)
{
    (void)state;
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

static void a_record_comes_back_as_it_was_written(void **state)
{
    uint8_t raw[RECORD_HEAD_BYTES_MAX + 3];
    struct kvs_record r;

    (void)state;
    size_t head = record_head(7, 0, raw);
    assert_int_equal(head, 9);
    memcpy(raw + head, "abc", 3);
    assert_hex(((struct bytes){ raw, head + 3 }), "000000000000000007616263");
    assert_ok(record_read((struct bytes){ raw, head + 3 }, &r));
    assert_int_equal(r.rev, 7);
    assert_true(bytes_equal(r.value, BYTES_LIT("abc")));
    assert_false(record_expired(&r, UINT64_MAX));

    head = record_head(8, 100, raw);
    assert_hex(((struct bytes){ raw, head }), "0400000000000000080000000000000064");
    assert_ok(record_read((struct bytes){ raw, head }, &r));
    assert_false(record_expired(&r, 99));
    assert_true(record_expired(&r, 100));
    assert_int_equal(r.value.len, 0);
}

static void a_locator_comes_back_as_it_was_written(void **state)
{
    uint8_t raw[RECORD_HEAD_BYTES_MAX + RECORD_OBJECT_BYTES];
    struct object_id id = { { 0xaa, 1, 2, 3 } };
    struct kvs_record r;

    (void)state;
    size_t len = record_of_object(7, 0, &id, 1u << 20, raw);
    assert_hex(((struct bytes){ raw, len }),
               "010000000000000007" "aa010203000000000000000000000000" "0000000000100000");
    assert_ok(record_read((struct bytes){ raw, len }, &r));
    assert_true(r.is_object);
    assert_memory_equal(r.object.octets, id.octets, 16);
    assert_int_equal(r.value_len, 1u << 20);
    assert_int_equal(r.value.len, 0);
    len = record_of_object(7, 9, &id, 5, raw);
    assert_ok(record_read((struct bytes){ raw, len }, &r));
    assert_int_equal(r.expiry_s, 9);
    assert_err(record_read((struct bytes){ raw, len - 1 }, &r), ERR_CORRUPT);
}

static void a_record_of_another_form_is_corrupt(void **state)
{
    uint8_t raw[RECORD_HEAD_BYTES_MAX] = { 0 };
    struct kvs_record r;

    (void)state;
    for (size_t n = 0; n < 9; n++) {
        assert_err(record_read((struct bytes){ raw, n }, &r), ERR_CORRUPT);
    }
    raw[0] = 4;
    for (size_t n = 0; n < RECORD_HEAD_BYTES_MAX; n++) {
        assert_err(record_read((struct bytes){ raw, n }, &r), ERR_CORRUPT);
    }
    raw[0] = 1; /* a locator has 24 octets */
    assert_err(record_read(BYTES_OF(raw), &r), ERR_CORRUPT);
    raw[0] = 2;
    assert_err(record_read(BYTES_OF(raw), &r), ERR_CORRUPT);
    raw[0] = 8;
    assert_err(record_read(BYTES_OF(raw), &r), ERR_CORRUPT);
}

static void a_family_tells_its_options_by_its_name(void **state)
{
    const struct space_settings all[] = { { 0 }, { .series = true }, { .compress = true },
                                          { .ttl_s = 60, .series = true } };
    char name[KVS_FAMILY_NAME_MAX + 1];
    struct kvs_family_options o;

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        space_family_name(0xbeef, &all[i], name);
        space_family_options(name, &o);
        assert_int_equal(o.series, all[i].series);
        assert_int_equal(o.compress, all[i].compress);
        assert_int_equal(o.blobs, all[i].ttl_s == 0);
        assert_int_equal(o.ttl_s > 0, all[i].ttl_s > 0);
    }
    assert_string_equal(name, "s0000beef.0.snt");
    space_family_options("default", &o);
    assert_true(o.compress && o.blobs && !o.series);
}

static void spaces_are_there_after_a_reopen(void **state)
{
    const struct space_settings full = { .series = true, .quota_bytes = 5, .quota_keys = 6 };
    struct space_view view;

    (void)state;
    assert_ok(space_make(&s, "t", &full));
    store_close(&s);
    store_open(&s);
    assert_int_equal(engine_space_count(s.engine), 2);
    assert_ok(engine_space_view(s.engine, BYTES_LIT("t"), &view));
    assert_memory_equal(&view.settings, &full, sizeof full);
    assert_err(engine_space_view(s.engine, BYTES_LIT("u"), &view), ERR_MISSING);
}

static uint64_t records_stored(struct space *space)
{
    uint64_t count = 0;

    rocksdb_compact_range_cf(engine_rocks(s.engine), space->family, NULL, 0, NULL, 0);
    assert_int_equal(rocksdb_property_int_cf(engine_rocks(s.engine), space->family,
                                             "rocksdb.estimate-num-keys", &count),
                     0);
    return count;
}

/* Through the fixture's clock, which the filter asks. */
static void expired_records_leave_the_disk_some_time_later(void **state)
{
    const struct space_settings hour = { .ttl_s = 3600 };

    (void)state;
    assert_ok(space_make(&s, "t", &hour));
    struct kv_request *r = call_new(&s, "t");
    r->op = (struct kvs_op){ .type = KVS_PUT, .key = BYTES_LIT("a"), .value = BYTES_LIT("v") };
    assert_int_equal(call_commit(&s, r), KV_OK);
    r->op.key = BYTES_LIT("b");
    r->op.ttl_s = 7200;
    assert_int_equal(call_commit(&s, r), KV_OK);
    assert_int_equal(records_stored(r->spaces[0]), 2);
    fixture_now_s += 3600;
    assert_int_equal(records_stored(r->spaces[0]), 2);
    fixture_now_s += 120;
    assert_int_equal(records_stored(r->spaces[0]), 1);
    fixture_now_s += 3600;
    assert_int_equal(records_stored(r->spaces[0]), 0);
    call_done(r);
}

static void quotas_and_times_to_live_exclude_each_other(void **state)
{
    const struct space_settings quota = { .quota_keys = 5, .compress = true };
    struct kv_request *r = call_new(&s, "s");

    (void)state;
    r->op = (struct kvs_op){ .type = KVS_PUT, .key = BYTES_LIT("a"), .ttl_s = 60 };
    assert_int_equal(call_commit(&s, r), KV_OK);
    assert_err(engine_space_change(s.engine, r->spaces[0], &quota), ERR_CONFLICT);
    assert_int_equal(delete(&s, "a", KVS_ANY, 0), KV_OK);
    assert_ok(engine_space_change(s.engine, r->spaces[0], &quota));
    assert_int_equal(call_commit(&s, r), KV_TTL);
    call_done(r);
}

static void a_space_is_made_once(void **state)
{
    (void)state;
    assert_err(space_make(&s, "s", &plain), ERR_CONFLICT);
}

static void a_dropped_space_takes_its_keys_along(void **state)
{
    (void)state;
    assert_int_equal(put(&s, "a", "v", KVS_ANY, 0, NULL), KV_OK);
    assert_ok(space_unmake(&s, "s"));
    assert_null(engine_space(s.engine, BYTES_LIT("s")));
    assert_ok(space_make(&s, "s", &plain));
    assert_null(get(&s, "a", NULL));
    store_close(&s);
    store_open(&s);
    assert_null(get(&s, "a", NULL));
}

static void a_reader_keeps_a_dropped_space_until_it_is_done(void **state)
{
    struct kv_request *r = call_new(&s, "s");

    (void)state;
    assert_int_equal(put(&s, "a", "v", KVS_ANY, 0, NULL), KV_OK);
    assert_ok(space_unmake(&s, "s"));
    r->op = (struct kvs_op){ .type = KVS_GET, .key = BYTES_LIT("a") };
    assert_int_equal(call_read(&s, r, read_get), KV_OK);
    call_done(r);
    assert_ok(space_make(&s, "s", &plain));
}

static void the_count_of_spaces_is_bounded(void **state)
{
    char name[16];

    (void)state;
    for (unsigned i = 1; i < SPACES_MAX; i++) {
        snprintf(name, sizeof name, "t%u", i);
        assert_ok(space_make(&s, name, &plain));
    }
    assert_err(space_make(&s, "last", &plain), ERR_LIMIT);
    assert_ok(space_unmake(&s, "t1"));
    assert_ok(space_make(&s, "last", &plain));
}

static void flush(const struct space *space)
{
    rocksdb_flushoptions_t *how = rocksdb_flushoptions_create();
    char *text = NULL;

    rocksdb_flush_cf(engine_rocks(s.engine), how, space->family, &text);
    rocksdb_flushoptions_destroy(how);
    assert_null(text);
}

static void a_cached_read_never_waits_for_a_disk(void **state)
{
    struct space *space = engine_space(s.engine, BYTES_LIT("s"));
    struct found f = { 0 };

    (void)state;
    assert_int_equal(put(&s, "a", "v", KVS_ANY, 0, NULL), KV_OK);
    assert_ok(engine_get(s.engine, space, BYTES_LIT("a"), ENGINE_CACHED, NULL, &f));
    found_done(&f);
    flush(space);
    space_release(space);
    store_close(&s);
    store_open(&s);
    space = engine_space(s.engine, BYTES_LIT("s"));
    assert_err(engine_get(s.engine, space, BYTES_LIT("a"), ENGINE_CACHED, NULL, &f), ERR_AGAIN);
    assert_ok(engine_get(s.engine, space, BYTES_LIT("a"), ENGINE_ANY, NULL, &f));
    found_done(&f);
    assert_ok(engine_get(s.engine, space, BYTES_LIT("a"), ENGINE_CACHED, NULL, &f));
    found_done(&f);
    space_release(space);
}

/* --- kill -9 --- */

#define CRASH_WRITES_MAX 100000

/* Writes key after key, and tells each one on the pipe as soon as it is acknowledged. */
/* RocksDB opens a few tables with the store, and each other one at its first read from disk. */
static void a_cached_read_of_a_table_that_is_not_open_knows_nothing(void **state)
{
    enum { TABLES = 30 };
    struct found f = { 0 };
    char name[8];

    (void)state;
    for (unsigned i = 0; i < TABLES; i++) {
        snprintf(name, sizeof name, "t%u", i);
        assert_ok(space_make(&s, name, &plain));
        struct kv_request *r = call_new(&s, name);
        r->op = (struct kvs_op){ .type = KVS_PUT, .key = BYTES_LIT("a"), .value = BYTES_LIT("v") };
        assert_int_equal(call_commit(&s, r), KV_OK);
        flush(r->spaces[0]);
        call_done(r);
    }
    store_close(&s);
    store_open(&s);
    for (unsigned i = 0; i < TABLES; i++) {
        snprintf(name, sizeof name, "t%u", i);
        struct space *space = engine_space(s.engine, bytes_of_string(name));
        assert_err(engine_get(s.engine, space, BYTES_LIT("a"), ENGINE_CACHED, NULL, &f), ERR_AGAIN);
        assert_ok(engine_get(s.engine, space, BYTES_LIT("a"), ENGINE_ANY, NULL, &f));
        assert_true(bytes_equal(f.record.value, BYTES_LIT("v")));
        found_done(&f);
        space_release(space);
    }
}

static void write_until_killed(int out)
{
    store_open(&s);
    for (uint32_t i = 0; i < CRASH_WRITES_MAX; i++) {
        char key[16];
        snprintf(key, sizeof key, "%08u", i);
        if (put(&s, key, key, KVS_ABSENT, 0, NULL) != KV_OK ||
            write(out, &i, sizeof i) != sizeof i) {
            _exit(1);
        }
    }
    _exit(0);
}

static uint32_t kill_after(uint32_t count)
{
    int ends[2];
    uint32_t newest = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        write_until_killed(ends[1]);
    }
    close(ends[1]);
    for (uint32_t i = 0; read(ends[0], &i, sizeof i) == sizeof i;) {
        newest = i;
        if (newest == count) {
            kill(child, SIGKILL);
        }
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(newest >= count);
    return newest;
}

static void everything_acknowledged_before_kill_9_is_there(void **state)
{
    (void)state;
    assert_ok(space_unmake(&s, "s"));
    assert_ok(space_make(&s, "s", &plain));
    store_close(&s);
    uint32_t newest = kill_after(200);
    store_open(&s);
    for (uint32_t i = 0; i <= newest; i++) {
        char key[16];
        snprintf(key, sizeof key, "%08u", i);
        const char *value = get(&s, key, NULL);
        assert_non_null(value);
        assert_string_equal(value, key);
    }
    assert_true(engine_rev(s.engine) > newest);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was_written),
        cmocka_unit_test(a_locator_comes_back_as_it_was_written),
        cmocka_unit_test(a_record_of_another_form_is_corrupt),
        cmocka_unit_test(a_family_tells_its_options_by_its_name),
        HERE(spaces_are_there_after_a_reopen),
        HERE(expired_records_leave_the_disk_some_time_later),
        HERE(quotas_and_times_to_live_exclude_each_other),
        HERE(a_space_is_made_once),
        HERE(a_dropped_space_takes_its_keys_along),
        HERE(a_reader_keeps_a_dropped_space_until_it_is_done),
        HERE(the_count_of_spaces_is_bounded),
        HERE(a_cached_read_never_waits_for_a_disk),
        HERE(a_cached_read_of_a_table_that_is_not_open_knows_nothing),
        HERE(everything_acknowledged_before_kill_9_is_there),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
