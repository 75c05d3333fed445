/* SPDX-License-Identifier: Apache-2.0 */
/* RocksDB on the sealed volume when the machine stops or the disk fails: what was acknowledged is
 * there, also under RocksDB's strictest recovery. */
#include <pthread.h>

#include "store/kvs/kvs_options.h"
#include "store/kvs/sealed_fs.h"
#include "store/kvs/volume_audit.h"
#include "store/kvs/volume_fixture.h"
#include "store/kvs/volume_mem.h"

#define KEYS 10000
#define WRITERS 4
#define CUTS 4
#define SEGMENT_BYTES (4u << 20)

struct store {
    struct volume *volume;
    struct kvs_db *db;
};

static err store_open(struct volume_mem *mem, struct store *out)
{
    struct volume_config vc = fixture_config();
    const struct kvs_db_config dc = { .memtable_bytes = 1u << 20, .block_cache_bytes = 4u << 20 };

    *out = (struct store){ 0 };
    vc.segment_bytes = SEGMENT_BYTES;
    TRY(volume_open(&vc, volume_mem_io(mem), &out->volume));
    return kvs_db_open(out->volume, &dc, &out->db);
}

/* As a process that ends: nothing more is committed. */
static void store_abandon(struct store *s)
{
    kvs_db_close(TAKE(s->db));
    volume_abandon(TAKE(s->volume));
}

static void pair_fill(unsigned i, char key[32], char value[160])
{
    snprintf(key, 32, "customer/%06u", i);
    memset(value, (int)('a' + i % 26), 150);
    snprintf(value + 120, 40, "watt hours %u", i);
}

static err put(struct store *s, unsigned i)
{
    rocksdb_writeoptions_t *w = rocksdb_writeoptions_create();
    char key[32], value[160], *why = NULL;

    pair_fill(i, key, value);
    rocksdb_writeoptions_set_sync(w, 1);
    rocksdb_put_cf(kvs_db_rocks(s->db), w, kvs_db_family(s->db, "objects"), key, strlen(key),
                   value, strlen(value), &why);
    rocksdb_writeoptions_destroy(w);
    return kvs_rocks_err(why);
}

/* True when it is there, and then it is what was put. */
static bool have(struct store *s, unsigned i)
{
    rocksdb_readoptions_t *r = rocksdb_readoptions_create();
    char key[32], want[160], *why = NULL;
    size_t len = 0;

    pair_fill(i, key, want);
    char *got = rocksdb_get_cf(kvs_db_rocks(s->db), r, kvs_db_family(s->db, "objects"), key,
                               strlen(key), &len, &why);
    rocksdb_readoptions_destroy(r);
    assert_ok(kvs_rocks_err(why));
    if (got == NULL) {
        return false;
    }
    assert_int_equal(len, strlen(want));
    assert_memory_equal(got, want, len);
    rocksdb_free(got);
    return true;
}

/* --- power cuts under load ------------------------------------------------------------------- */

struct writer {
    struct store *store;
    unsigned first;
    unsigned acked; /* keys first .. first + acked - 1; read by others */
    bool failed;
};

static void *writer_run(void *arg)
{
    struct writer *w = arg;

    for (unsigned i = 0; i < KEYS / WRITERS && !w->failed; i++) {
        w->failed = put(w->store, w->first + i).code != ERR_NONE;
        __atomic_store_n(&w->acked, i + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

struct cut {
    struct volume_mem *disk;
    unsigned acked[WRITERS];
};

static unsigned acked_by(const struct writer *w)
{
    return __atomic_load_n(&w->acked, __ATOMIC_ACQUIRE);
}

/* What the disk has at this moment, and what was acknowledged just before. */
static void cut_take(struct volume_mem *mem, const struct writer *writers, struct cut *out)
{
    for (int i = 0; i < WRITERS; i++) {
        out->acked[i] = acked_by(&writers[i]);
    }
    out->disk = volume_mem_copy(mem);
}

static void cut_check(struct cut *c)
{
    struct store s;

    assert_ok(store_open(c->disk, &s));
    for (unsigned w = 0; w < WRITERS; w++) {
        for (unsigned i = 0; i < c->acked[w]; i++) {
            assert_true(have(&s, w * (KEYS / WRITERS) + i));
        }
    }
    store_abandon(&s);
    volume_mem_free(c->disk);
}

static void acknowledged_keys_survive_a_power_cut_at_any_time(void **state)
{
    struct volume_mem *mem = volume_mem_new();
    struct writer writers[WRITERS] = { { 0 } };
    pthread_t threads[WRITERS];
    struct cut cuts[CUTS];
    struct store s;

    (void)state;
    volume_audit_reset();
    assert_ok(store_open(mem, &s));
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ .store = &s, .first = i * (KEYS / WRITERS) };
        assert_int_equal(pthread_create(&threads[i], NULL, writer_run, &writers[i]), 0);
    }
    for (unsigned i = 0; i < CUTS; i++) { /* when about a quarter, a half ... is written */
        unsigned until = KEYS / WRITERS * i / CUTS;
        while (acked_by(&writers[0]) < until) {
            usleep(1000);
        }
        cut_take(mem, writers, &cuts[i]);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(writers[i].failed);
    }
    store_abandon(&s);
    for (unsigned i = 0; i < CUTS; i++) {
        cut_check(&cuts[i]);
    }
    volume_mem_restart(mem);
    assert_ok(store_open(mem, &s));
    for (unsigned i = 0; i < KEYS; i++) {
        assert_true(have(&s, i));
    }
    store_abandon(&s);
    volume_mem_free(mem);
}

/* --- each operation fails -------------------------------------------------------------------- */

#define LOAD 60

static void flush(struct store *s)
{
    rocksdb_flushoptions_t *f = rocksdb_flushoptions_create();
    char *why = NULL;

    rocksdb_flush_cf(kvs_db_rocks(s->db), f, kvs_db_family(s->db, "objects"), &why);
    rocksdb_flushoptions_destroy(f);
    (void)kvs_rocks_err(why).code;
}

/* Puts until an error; how many were acknowledged. */
static unsigned load(struct store *s)
{
    unsigned i = 0;

    while (i < LOAD && !put(s, i).code) {
        i++;
        if (i % 20 == 0) {
            flush(s);
        }
    }
    return i;
}

static bool load_with(long n, enum volume_mem_fault fault, bool sticky)
{
    struct volume_mem *mem = volume_mem_new();
    struct store s;
    unsigned acked = 0;

    volume_audit_reset();
    volume_mem_fault_at(mem, n, fault, sticky);
    if (!store_open(mem, &s).code) {
        acked = load(&s);
    }
    store_abandon(&s);
    bool met = volume_mem_ops(mem) > n;
    volume_mem_restart(mem);
    assert_ok(store_open(mem, &s));
    for (unsigned i = 0; i < acked; i++) {
        assert_true(have(&s, i));
    }
    for (unsigned i = acked + 1; i < LOAD; i++) {
        assert_false(have(&s, i)); /* only the one whose outcome nobody heard may be there */
    }
    store_abandon(&s);
    volume_mem_free(mem);
    return met;
}

static void whichever_operation_fails_acknowledged_keys_are_there(void **state)
{
    static const enum volume_mem_fault faults[] = { VOLUME_MEM_FAIL, VOLUME_MEM_FULL,
                                                    VOLUME_MEM_STOP_TORN };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        long n = 0;
        while (load_with(n, faults[i], i % 2 == 0)) {
            n += 5;
        }
        assert_true(n > 80);
    }
}

static err flush_now(struct store *s)
{
    rocksdb_flushoptions_t *f = rocksdb_flushoptions_create();
    char *why = NULL;

    rocksdb_flush_cf(kvs_db_rocks(s->db), f, kvs_db_family(s->db, "objects"), &why);
    rocksdb_flushoptions_destroy(f);
    return kvs_rocks_err(why);
}

static void after_a_failure_of_the_disk_writing_is_resumed_without_a_loss(void **state)
{
    struct volume_mem *mem = volume_mem_new();
    struct store s;

    (void)state;
    volume_audit_reset();
    assert_ok(store_open(mem, &s));
    assert_ok(put(&s, 0));
    volume_mem_objects_fail(mem, true);
    assert_err(flush_now(&s), ERR_IO);
    assert_ok(put(&s, 1)); /* the log and the memtables still have room */
    assert_true(have(&s, 0));
    assert_err(kvs_db_resume(s.db), ERR_IO);
    volume_mem_objects_fail(mem, false);
    assert_ok(kvs_db_resume(s.db));
    assert_ok(put(&s, 2));
    assert_ok(flush_now(&s));
    store_abandon(&s);
    volume_mem_restart(mem);
    assert_ok(store_open(mem, &s));
    assert_true(have(&s, 0));
    assert_true(have(&s, 1));
    assert_true(have(&s, 2));
    store_abandon(&s);
    volume_mem_free(mem);
}

static err flush_begin(struct store *s)
{
    rocksdb_flushoptions_t *f = rocksdb_flushoptions_create();
    char *why = NULL;

    rocksdb_flushoptions_set_wait(f, 0);
    rocksdb_flush_cf(kvs_db_rocks(s->db), f, kvs_db_family(s->db, "objects"), &why);
    rocksdb_flushoptions_destroy(f);
    return kvs_rocks_err(why);
}

static void until_waits(struct store *s, bool waits)
{
    for (int i = 0; kvs_db_waits(s->db) != waits; i++) {
        assert_true(i < 10000);
        usleep(1000);
    }
}

static void a_flush_waits_for_room_on_a_full_disk(void **state)
{
    struct volume_mem *mem = volume_mem_new();
    struct store s;

    (void)state;
    volume_audit_reset();
    assert_ok(store_open(mem, &s));
    assert_ok(put(&s, 0));
    assert_false(kvs_db_waits(s.db));
    volume_mem_objects_full(mem, true);
    assert_ok(flush_begin(&s));
    until_waits(&s, true);
    assert_ok(put(&s, 1)); /* the log and the memtables still have room */
    assert_true(have(&s, 0));
    volume_mem_objects_full(mem, false);
    until_waits(&s, false);
    assert_ok(put(&s, 2));
    assert_ok(flush_now(&s));
    store_abandon(&s);
    volume_mem_restart(mem);
    assert_ok(store_open(mem, &s));
    assert_true(have(&s, 0));
    assert_true(have(&s, 1));
    assert_true(have(&s, 2));
    store_abandon(&s);
    volume_mem_free(mem);
}

static void a_store_closes_while_a_flush_waits_for_room(void **state)
{
    struct volume_mem *mem = volume_mem_new();
    struct store s;

    (void)state;
    volume_audit_reset();
    assert_ok(store_open(mem, &s));
    assert_ok(put(&s, 0));
    volume_mem_objects_full(mem, true);
    assert_ok(flush_begin(&s));
    until_waits(&s, true);
    store_abandon(&s);
    volume_mem_objects_full(mem, false);
    volume_mem_restart(mem);
    assert_ok(store_open(mem, &s));
    assert_true(have(&s, 0));
    store_abandon(&s);
    volume_mem_free(mem);
}

/* --- the glue -------------------------------------------------------------------------------- */

static void the_library_is_the_one_this_was_built_for(void **state)
{
    (void)state;
    assert_ok(sealed_fs_guard());
}

static void a_changed_table_is_reported_and_never_read_wrongly(void **state)
{
    struct volume_mem *mem = volume_mem_new();
    struct store s;
    size_t corrupt = 0;

    (void)state;
    volume_audit_reset();
    assert_ok(store_open(mem, &s));
    assert_int_equal(load(&s), LOAD);
    kvs_db_close(TAKE(s.db));
    assert_ok(volume_close(TAKE(s.volume)));
    for (size_t i = 0; i < volume_mem_count(mem); i++) {
        if (strncmp(volume_mem_name(mem, i), "o/", 2) != 0) {
            continue;
        }
        struct volume_mem *copy = volume_mem_copy(mem);
        size_t size;
        uint8_t *octets = volume_mem_octets(copy, i, &size);
        octets[size / 3] ^= 0x80;
        volume_audit_reset();
        err e = store_open(copy, &s);
        for (unsigned k = 0; k < LOAD && !e.code; k++) {
            rocksdb_readoptions_t *r = rocksdb_readoptions_create();
            char key[32], want[160], *why = NULL;
            size_t len = 0;
            pair_fill(k, key, want);
            char *got = rocksdb_get_cf(kvs_db_rocks(s.db), r, kvs_db_family(s.db, "objects"), key,
                                       strlen(key), &len, &why);
            rocksdb_readoptions_destroy(r);
            e = kvs_rocks_err(why);
            assert_true(e.code || (got != NULL && memcmp(got, want, len) == 0));
            rocksdb_free(got);
        }
        if (e.code) {
            assert_int_equal(e.code, ERR_CORRUPT);
            corrupt++;
        }
        store_abandon(&s);
        volume_mem_free(copy);
    }
    assert_true(corrupt >= 2);
    volume_mem_free(mem);
}

static void no_key_or_value_is_in_clear(void **state)
{
    struct volume_mem *mem = volume_mem_new();
    struct store s;

    (void)state;
    volume_audit_reset();
    assert_ok(store_open(mem, &s));
    assert_int_equal(load(&s), LOAD);
    kvs_db_close(TAKE(s.db));
    assert_ok(volume_close(TAKE(s.volume)));
    for (size_t i = 0; i < volume_mem_count(mem); i++) {
        size_t size;
        const uint8_t *octets = volume_mem_octets(mem, i, &size);
        static const char *const words[] = { "customer", "watt hours", "MANIFEST", "rocksdb",
                                             "aaaaaaaa", "objects" };
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
            assert_null(memmem(octets, size, words[w], strlen(words[w])));
        }
    }
    volume_mem_free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_keys_survive_a_power_cut_at_any_time),
        cmocka_unit_test(whichever_operation_fails_acknowledged_keys_are_there),
        cmocka_unit_test(after_a_failure_of_the_disk_writing_is_resumed_without_a_loss),
        cmocka_unit_test(a_flush_waits_for_room_on_a_full_disk),
        cmocka_unit_test(a_store_closes_while_a_flush_waits_for_room),
        cmocka_unit_test(the_library_is_the_one_this_was_built_for),
        cmocka_unit_test(a_changed_table_is_reported_and_never_read_wrongly),
        cmocka_unit_test(no_key_or_value_is_in_clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
