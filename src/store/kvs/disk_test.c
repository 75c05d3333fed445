/* SPDX-License-Identifier: Apache-2.0 */
/* The store on a disk that is full or fails, and then no longer does: what was acknowledged is
 * there, what was refused is not, and writing goes on without a new start. */
#include <string.h>
#include <unistd.h>

#include "lib/base/test.h"
#include "store/kvs/store_fixture.h"
#include "store/kvs/volume_mem.h"

#define DISK_BYTES (24u << 20)
#define VALUE_BYTES 3000
#define KEYS_MAX 40000
#define PATIENCE 20000 /* attempts, of about a millisecond */

/* Which keys were acknowledged, refused, or neither. */
struct load {
    struct store store;
    struct volume_mem *mem;
    enum kv_status answers[KEYS_MAX];
    unsigned count;
};

static void value_fill(unsigned i, char out[VALUE_BYTES])
{
    uint32_t x = i * 2654435761u + 1;

    for (size_t at = 0; at + 1 < VALUE_BYTES; at++) { /* nothing that compresses */
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        out[at] = (char)(' ' + x % 90);
    }
    out[VALUE_BYTES - 1] = '\0';
}

static enum kv_status load_put(struct load *l)
{
    char key[16], value[VALUE_BYTES];

    assert_true(l->count < KEYS_MAX);
    snprintf(key, sizeof key, "%06u", l->count);
    value_fill(l->count, value);
    enum kv_status status = put(&l->store, key, value, KVS_ANY, 0, NULL);
    l->answers[l->count++] = status;
    return status;
}

/* Puts until one is refused; tells how. */
static enum kv_status load_until_refused(struct load *l)
{
    enum kv_status status = KV_OK;

    while (status == KV_OK) {
        status = load_put(l);
    }
    return status;
}

/* Puts until one is taken again. */
static void load_until_taken(struct load *l)
{
    char key[16], value[VALUE_BYTES];
    unsigned tries = 0;

    snprintf(key, sizeof key, "%06u", l->count);
    value_fill(l->count, value);
    while (put(&l->store, key, value, KVS_ANY, 0, NULL) != KV_OK) {
        assert_true(++tries < PATIENCE);
        usleep(1000);
    }
    l->answers[l->count++] = KV_OK;
}

static void load_check(struct load *l)
{
    char key[16], value[VALUE_BYTES];

    for (unsigned i = 0; i < l->count; i++) {
        snprintf(key, sizeof key, "%06u", i);
        const char *got = get(&l->store, key, NULL);
        if (l->answers[i] == KV_OK) {
            value_fill(i, value);
            assert_non_null(got);
            assert_string_equal(got, value);
        } else if (l->answers[i] == KV_DISK) {
            assert_null(got);
        }
    }
}

static void reopen(struct load *l)
{
    store_close(&l->store);
    volume_mem_restart(l->mem);
    store_open(&l->store);
}

static int load_setup(void **state)
{
    static struct load l;

    memset(&l, 0, sizeof l);
    l.mem = volume_mem_new();
    fixture_io = volume_mem_io(l.mem);
    fixture_memtable_bytes = 2u << 20;
    fixture_failures = 0;
    store_fresh(&l.store);
    *state = &l;
    return 0;
}

static int load_teardown(void **state)
{
    struct load *l = *state;

    store_close(&l->store);
    store_remove(&l->store);
    volume_mem_free(l->mem);
    return 0;
}

static void a_full_disk_refuses_puts_and_with_room_again_they_go_on(void **state)
{
    struct load *l = *state;

    for (uint64_t size = DISK_BYTES; size <= 3 * DISK_BYTES; size += DISK_BYTES) {
        volume_mem_capacity(l->mem, size);
        assert_int_equal(load_until_refused(l), KV_DISK);
        for (int i = 0; i < 20; i++) {
            (void)load_put(l);
        }
        load_check(l);
        volume_mem_capacity(l->mem, size + DISK_BYTES);
        load_until_taken(l);
    }
    assert_int_equal(fixture_failures, 0);
    load_check(l);
    volume_mem_capacity(l->mem, 0);
    reopen(l);
    load_check(l);
}

static void a_flush_without_room_refuses_puts_and_goes_on_by_itself(void **state)
{
    struct load *l = *state;

    for (int i = 0; i < 3; i++) {
        volume_mem_objects_full(l->mem, true);
        assert_int_equal(load_until_refused(l), KV_DISK);
        assert_int_equal(load_put(l), KV_DISK);
        enum kv_status deleted = delete(&l->store, "000000", KVS_ANY, 0);
        assert_true(deleted == KV_OK || deleted == KV_NO_KEY || deleted == KV_DISK);
        l->answers[0] = deleted == KV_DISK ? l->answers[0] : KV_DISK;
        load_check(l);
        volume_mem_objects_full(l->mem, false);
        load_until_taken(l);
    }
    assert_int_equal(fixture_failures, 0);
    load_check(l);
    reopen(l);
    load_check(l);
}

static void a_disk_that_stays_full_does_not_use_up_the_log(void **state)
{
    struct load *l = *state;

    volume_mem_capacity(l->mem, DISK_BYTES);
    assert_int_equal(load_until_refused(l), KV_DISK);
    for (int i = 0; i < 1000; i++) {
        enum kv_status status = load_put(l);
        assert_true(status == KV_DISK || status == KV_OK);
        usleep(50);
    }
    assert_int_equal(fixture_failures, 0);
    volume_mem_capacity(l->mem, 2 * DISK_BYTES);
    load_until_taken(l);
    assert_int_equal(fixture_failures, 0);
    load_check(l);
}

static void a_store_stopped_while_the_disk_is_full_has_all_that_was_acknowledged(void **state)
{
    struct load *l = *state;

    volume_mem_capacity(l->mem, DISK_BYTES);
    assert_int_equal(load_until_refused(l), KV_DISK);
    committer_stop(l->store.committer);
    readers_stop(l->store.readers);
    engine_close(l->store.engine);
    volume_abandon(l->store.volume);
    volume_mem_forget(l->mem);
    volume_mem_restart(l->mem);
    volume_mem_capacity(l->mem, 2 * DISK_BYTES);
    store_open(&l->store);
    load_check(l);
    load_until_taken(l);
}

static void a_disk_that_fails_for_a_while_ends_nothing(void **state)
{
    struct load *l = *state;

    volume_mem_objects_fail(l->mem, true);
    assert_int_equal(load_until_refused(l), KV_UNKNOWN);
    volume_mem_objects_fail(l->mem, false);
    load_until_taken(l);
    assert_int_equal(fixture_failures, 0);
    load_check(l);
    reopen(l);
    load_check(l);
}

static void a_disk_that_fails_for_long_refuses_writing_but_not_reading(void **state)
{
    struct load *l = *state;

    volume_mem_objects_fail(l->mem, true);
    assert_int_equal(load_until_refused(l), KV_UNKNOWN);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(load_put(l), KV_UNKNOWN);
    }
    load_check(l);
    volume_mem_objects_fail(l->mem, false);
    load_until_taken(l);
    assert_int_equal(fixture_failures, 0);
    load_check(l);
    reopen(l);
    load_check(l);
}

static void no_space_is_made_on_a_full_disk_but_none_is_lost(void **state)
{
    static const struct space_settings plain = { .compress = true };
    struct load *l = *state;

    volume_mem_capacity(l->mem, DISK_BYTES);
    assert_int_equal(load_until_refused(l), KV_DISK);
    assert_err(space_make(&l->store, "late", &plain), ERR_LIMIT);
    volume_mem_capacity(l->mem, 2 * DISK_BYTES);
    load_until_taken(l);
    assert_ok(space_make(&l->store, "late", &plain));
    assert_int_equal(fixture_failures, 0);
    load_check(l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, load_setup, load_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_full_disk_refuses_puts_and_with_room_again_they_go_on),
        T(a_flush_without_room_refuses_puts_and_goes_on_by_itself),
        T(a_disk_that_stays_full_does_not_use_up_the_log),
        T(a_store_stopped_while_the_disk_is_full_has_all_that_was_acknowledged),
        T(a_disk_that_fails_for_a_while_ends_nothing),
        T(a_disk_that_fails_for_long_refuses_writing_but_not_reading),
        T(no_space_is_made_on_a_full_disk_but_none_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
