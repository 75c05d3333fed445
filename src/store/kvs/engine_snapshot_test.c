/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of one state of the store, and the handles that hold it. */
#include "lib/base/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/kvs/store_fixture.h"

static struct store s;
static const int alice, bob; /* their addresses are owners */

static int setup(void **state)
{
    static const char *const keys[] = { "a", "b", "c", "d" };

    (void)state;
    fixture_snapshot_idle_us = 0;
    store_fresh(&s);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_int_equal(put(&s, keys[i], "old", KVS_ANY, 0, NULL), KV_OK);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(&s);
    store_remove(&s);
    return 0;
}

/* --- one page --- */

struct read {
    enum kv_status status;
    char text[128]; /* "a=old b=old" */
    uint64_t rev, snapshot;
};

static void entries_text(struct bytes body, char out[128])
{
    struct kvs_msp page;
    struct kvs_entry e;
    size_t at = 0;

    assert_ok(kvs_msp_read(body, &page));
    out[0] = 0;
    for (uint32_t i = 0; i < page.count; i++) {
        assert_ok(kvs_entry_take(&page.entries, &e));
        at += (size_t)snprintf(out + at, 128 - at, "%s%.*s=%.*s", i > 0 ? " " : "", (int)e.key.len,
                               (const char *)e.key.ptr, e.value.len < 10 ? (int)e.value.len : 3,
                               (const char *)e.value.ptr);
    }
}

static struct read read_at(const char *space, const char *start, uint32_t limit,
                           struct snapshot_ask ask)
{
    struct kv_request *r = call_new(&s, space);
    struct read out = { .text = "" };

    ask.owner = ask.owner != NULL ? ask.owner : &alice;
    r->scan = (struct kv_scan){ .start = bytes_of_string(start), .limit = limit, .values = true };
    r->snapshot_ask = ask;
    out.status = call_read(&s, r, read_scan);
    if (out.status == KV_OK) {
        entries_text(buf_bytes(&r->answer), out.text);
        out.rev = r->rev;
        out.snapshot = r->snapshot;
    }
    call_done(r);
    return out;
}

static uint64_t handle_new(const void *owner)
{
    struct read first = read_at("s", "", 2, (struct snapshot_ask){ .wanted = true, .owner = owner });

    assert_int_equal(first.status, KV_OK);
    assert_true(first.snapshot != 0);
    return first.snapshot;
}

static enum kv_status status_at(uint64_t handle, const void *owner)
{
    return read_at("s", "", 1, (struct snapshot_ask){ .handle = handle, .keep = true,
                                                      .owner = owner }).status;
}

/* --- what is seen --- */

static void a_write_between_two_pages_is_not_seen(void **state)
{
    (void)state;
    struct read first = read_at("s", "", 2, (struct snapshot_ask){ .wanted = true });
    assert_string_equal(first.text, "a=old b=old");
    assert_int_equal(put(&s, "c", "new", KVS_ANY, 0, NULL), KV_OK);
    assert_int_equal(put(&s, "cc", "new", KVS_ANY, 0, NULL), KV_OK);
    assert_int_equal(delete(&s, "d", KVS_ANY, 0), KV_OK);
    struct read rest = read_at("s", "c", 10, (struct snapshot_ask){ .handle = first.snapshot });
    assert_string_equal(rest.text, "c=old d=old");
    assert_int_equal(rest.rev, first.rev);
    assert_string_equal(read_at("s", "c", 10, (struct snapshot_ask){ 0 }).text, "c=new cc=new");
}

static void a_page_that_asks_for_none_or_needs_none_gets_none(void **state)
{
    (void)state;
    assert_int_equal(read_at("s", "", 2, (struct snapshot_ask){ 0 }).snapshot, 0);
    assert_int_equal(read_at("s", "", 4, (struct snapshot_ask){ .wanted = true }).snapshot, 0);
    assert_int_equal(engine_snapshot_count(s.engine), 0);
}

static void the_last_page_ends_the_snapshot_unless_it_is_kept(void **state)
{
    (void)state;
    uint64_t handle = handle_new(&alice);
    struct read kept = read_at("s", "c", 10, (struct snapshot_ask){ .handle = handle, .keep = true });
    assert_true(kept.snapshot == handle);
    assert_int_equal(engine_snapshot_count(s.engine), 1);
    assert_int_equal(read_at("s", "c", 10, (struct snapshot_ask){ .handle = handle }).snapshot, 0);
    assert_int_equal(engine_snapshot_count(s.engine), 0);
    assert_int_equal(status_at(handle, &alice), KV_SNAPSHOT);
    kept = read_at("s", "", 10, (struct snapshot_ask){ .wanted = true, .keep = true });
    assert_true(kept.snapshot != 0); /* for another range */
}

static void what_expires_meanwhile_is_still_seen(void **state)
{
    struct kv_request *r = call_new(&s, "s");

    (void)state;
    r->op = (struct kvs_op){ .type = KVS_PUT, .key = BYTES_LIT("c"), .value = BYTES_LIT("old"),
                             .ttl_s = 5 };
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    uint64_t handle = handle_new(&alice);
    fixture_now_s += 3600;
    struct read rest = read_at("s", "c", 10, (struct snapshot_ask){ .handle = handle });
    assert_string_equal(rest.text, "c=old d=old");
    assert_string_equal(read_at("s", "c", 10, (struct snapshot_ask){ 0 }).text, "d=old");
}

/* Anything that makes the committer look for what may be cleared away. */
static void settle(void)
{
    for (unsigned i = 0; i < 2; i++) {
        committer_hold(&s);
        committer_release(&s);
    }
}

static size_t object_count(void)
{
    AUTO(buf_done) struct buf ids = { .max = 4096 };

    assert_ok(object_list(s.volume, &ids));
    return ids.len / OBJECT_ID_BYTES;
}

static void a_replaced_object_is_still_seen(void **state)
{
    static uint8_t large[OBJECT_BYTES_MIN];
    struct kv_request *r = call_new(&s, "s");

    (void)state;
    memset(large, 'x', sizeof large);
    r->op = (struct kvs_op){ .type = KVS_PUT, .key = BYTES_LIT("c"), .value = BYTES_OF(large) };
    assert_int_equal(call_read(&s, r, run_object_write), KV_OK);
    r->run = NULL;
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    uint64_t handle = handle_new(&alice);
    assert_int_equal(put(&s, "c", "new", KVS_ANY, 0, NULL), KV_OK);
    settle(); /* the grace of the fixture is a microsecond */
    assert_int_equal(object_count(), 1);
    struct read rest = read_at("s", "c", 10, (struct snapshot_ask){ .handle = handle });
    assert_int_equal(rest.status, KV_OK);
    assert_string_equal(rest.text, "c=xxx d=old");
    settle();
    assert_int_equal(object_count(), 0);
}

static void compaction_keeps_what_a_snapshot_still_shows(void **state)
{
    static const struct space_settings expiring = { .ttl_s = 5 };
    struct snapshot_ask ask = { .wanted = true };

    (void)state;
    assert_ok(space_make(&s, "t", &expiring));
    for (unsigned i = 0; i < 2; i++) {
        struct kv_request *r = call_new(&s, "t");
        r->op = (struct kvs_op){ .type = KVS_PUT, .key = { (const uint8_t *)(i ? "b" : "a"), 1 },
                                 .value = BYTES_LIT("old") };
        assert_int_equal(call_commit(&s, r), KV_OK);
        call_done(r);
    }
    ask = (struct snapshot_ask){ .handle = read_at("t", "", 1, ask).snapshot };
    fixture_now_s += 3600;
    struct space *space = engine_space(s.engine, BYTES_LIT("t"));
    rocksdb_compact_range_cf(engine_rocks(s.engine), space->family, NULL, 0, NULL, 0);
    space_release(space);
    assert_string_equal(read_at("t", "b", 1, ask).text, "b=old");
}

/* --- whose it is, and how long --- */

static void a_handle_is_of_its_owner_and_space(void **state)
{
    static const struct space_settings plain;

    (void)state;
    uint64_t handle = handle_new(&alice);
    assert_int_equal(status_at(handle, &bob), KV_SNAPSHOT);
    assert_int_equal(status_at(handle + 1, &alice), KV_SNAPSHOT);
    assert_err(engine_snapshot_drop(s.engine, handle, &bob), ERR_MISSING);
    assert_ok(space_make(&s, "t", &plain));
    struct snapshot_ask ask = { .handle = handle };
    assert_int_equal(read_at("t", "", 1, ask).status, KV_SNAPSHOT);
    assert_int_equal(status_at(handle, &alice), KV_OK);
    assert_ok(space_unmake(&s, "s"));
    assert_ok(space_make(&s, "s", &plain)); /* the same name, another space: not its rest */
    assert_int_equal(status_at(handle, &alice), KV_SNAPSHOT);
}

static void a_handle_that_is_dropped_is_gone(void **state)
{
    (void)state;
    uint64_t handle = handle_new(&alice);
    assert_ok(engine_snapshot_drop(s.engine, handle, &alice));
    assert_err(engine_snapshot_drop(s.engine, handle, &alice), ERR_MISSING);
    assert_int_equal(status_at(handle, &alice), KV_SNAPSHOT);
    assert_int_equal(engine_snapshot_count(s.engine), 0);
}

static void an_idle_handle_is_gone_after_its_time(void **state)
{
    (void)state;
    uint64_t handle = handle_new(&alice);
    assert_int_equal(status_at(handle, &alice), KV_OK);
    store_close(&s);
    fixture_snapshot_idle_us = 1000;
    store_open(&s);
    assert_int_equal(status_at(handle, &alice), KV_SNAPSHOT); /* of an earlier run */
    handle = handle_new(&alice);
    usleep(1000);
    assert_int_equal(status_at(handle, &alice), KV_SNAPSHOT);
    handle_new(&alice);
    usleep(1000);
    engine_snapshots_expire(s.engine);
    assert_int_equal(engine_snapshot_count(s.engine), 0);
}

static void one_owner_takes_the_place_of_its_own_only(void **state)
{
    (void)state;
    uint64_t of_bob = handle_new(&bob);
    uint64_t first = handle_new(&alice);
    uint64_t second = handle_new(&alice);
    for (unsigned i = 3; i < SNAPSHOTS_MAX; i++) {
        handle_new(&alice);
    }
    assert_int_equal(status_at(first, &alice), KV_OK); /* now second is unused for longest */
    handle_new(&alice);
    assert_int_equal(status_at(second, &alice), KV_SNAPSHOT);
    assert_int_equal(status_at(first, &alice), KV_OK);
    assert_int_equal(status_at(of_bob, &bob), KV_OK);
    handle_new(&bob); /* who has few takes the one that is unused for longest, whose ever */
    assert_int_equal(status_at(of_bob, &bob), KV_OK);
    assert_int_equal(engine_snapshot_count(s.engine), SNAPSHOTS_MAX);
}

static void there_are_64_and_no_more(void **state)
{
    static const char owners[SNAPSHOTS_MAX + 1];

    (void)state;
    for (unsigned i = 0; i <= SNAPSHOTS_MAX; i++) {
        handle_new(&owners[i]);
    }
    assert_int_equal(engine_snapshot_count(s.engine), SNAPSHOTS_MAX);
}

static void what_is_being_read_is_not_taken_away(void **state)
{
    static const char owners[SNAPSHOTS_MAX + 1];
    struct space *space = engine_space(s.engine, BYTES_LIT("s"));
    struct snapshot reading[SNAPSHOTS_MAX + 1];

    (void)state;
    for (unsigned i = 0; i <= SNAPSHOTS_MAX; i++) {
        const struct snapshot_ask ask = { .wanted = true, .owner = &owners[i] };
        assert_ok(engine_snapshot_begin(s.engine, &ask, space, &reading[i]));
        assert_err(engine_snapshot_keep(s.engine, &ask, space, &reading[i]),
                   i < SNAPSHOTS_MAX ? ERR_NONE : ERR_CONFLICT);
    }
    assert_int_equal(reading[SNAPSHOTS_MAX].handle, 0);
    const struct snapshot_ask again = { .handle = reading[0].handle, .owner = &owners[0] };
    struct snapshot second;
    assert_ok(engine_snapshot_begin(s.engine, &again, space, &second));
    assert_ok(engine_snapshot_drop(s.engine, reading[0].handle, &owners[0]));
    assert_int_equal(status_at(reading[0].handle, &owners[0]), KV_SNAPSHOT);
    engine_snapshot_end(s.engine, &second, true);
    assert_int_equal(engine_snapshot_count(s.engine), SNAPSHOTS_MAX); /* one still reads at it */
    for (unsigned i = 0; i <= SNAPSHOTS_MAX; i++) {
        engine_snapshot_end(s.engine, &reading[i], i % 2 == 0);
    }
    assert_int_equal(engine_snapshot_count(s.engine), SNAPSHOTS_MAX / 2 - 1);
    space_release(space);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(a_write_between_two_pages_is_not_seen),
        HERE(a_page_that_asks_for_none_or_needs_none_gets_none),
        HERE(the_last_page_ends_the_snapshot_unless_it_is_kept),
        HERE(what_expires_meanwhile_is_still_seen),
        HERE(a_replaced_object_is_still_seen),
        HERE(compaction_keeps_what_a_snapshot_still_shows),
        HERE(a_handle_is_of_its_owner_and_space),
        HERE(a_handle_that_is_dropped_is_gone),
        HERE(an_idle_handle_is_gone_after_its_time),
        HERE(one_owner_takes_the_place_of_its_own_only),
        HERE(there_are_64_and_no_more),
        HERE(what_is_being_read_is_not_taken_away),
    };
    return cmocka_run_group_tests_name("engine_snapshot", tests, NULL, NULL);
}
