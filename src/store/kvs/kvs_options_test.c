/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/kvs_options.h"

#include "store/kvs/volume_fixture.h"

struct store {
    struct fixture_dir at;
    struct volume_dir *dir;
    struct volume *volume;
    struct kvs_db *db;
    int warnings;
};

static void warned(void *arg, int level, const char *format)
{
    struct store *s = arg;

    (void)level;
    (void)format;
    s->warnings++;
}

static err store_open(struct store *s)
{
    const struct volume_config vc = fixture_config();
    const struct kvs_db_config dc = { .memtable_bytes = 4u << 20, .block_cache_bytes = 8u << 20,
                                      .warn = warned, .warn_arg = s };

    TRY(fixture_dir_open(s->at.data, NULL, &s->dir));
    TRY(volume_open(&vc, volume_dir_io(s->dir), &s->volume));
    return kvs_db_open(s->volume, &dc, &s->db);
}

static void store_close(struct store *s)
{
    kvs_db_close(TAKE(s->db));
    if (s->volume != NULL) {
        assert_ok(volume_close(TAKE(s->volume)));
    }
    volume_dir_close(TAKE(s->dir));
}

static int set_up(void **state)
{
    struct store *s = mem_take(sizeof *s);

    fixture_dir_make(&s->at);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct store *s = *state;

    store_close(s);
    file_remove_all(s->at.base);
    mem_give(s);
    return 0;
}

static void put(struct store *s, const char *family, const char *key, const char *value, bool sync)
{
    rocksdb_writeoptions_t *w = rocksdb_writeoptions_create();
    char *why = NULL;

    rocksdb_writeoptions_set_sync(w, sync);
    rocksdb_put_cf(kvs_db_rocks(s->db), w, kvs_db_family(s->db, family), key, strlen(key), value,
                   strlen(value), &why);
    rocksdb_writeoptions_destroy(w);
    assert_ok(kvs_rocks_err(why));
}

static void expect(struct store *s, const char *family, const char *key, const char *value)
{
    rocksdb_readoptions_t *r = rocksdb_readoptions_create();
    char *why = NULL;
    size_t len = 0;

    char *got = rocksdb_get_cf(kvs_db_rocks(s->db), r, kvs_db_family(s->db, family), key,
                               strlen(key), &len, &why);
    rocksdb_readoptions_destroy(r);
    assert_ok(kvs_rocks_err(why));
    if (value == NULL) {
        assert_null(got);
        return;
    }
    assert_non_null(got);
    assert_int_equal(len, strlen(value));
    assert_memory_equal(got, value, len);
    rocksdb_free(got);
}

static void what_was_put_is_there_after_reopening(void **state)
{
    struct store *s = *state;

    assert_ok(store_open(s));
    put(s, "default", "key", "value", true);
    put(s, "objects", "key", "other", true);
    expect(s, "default", "key", "value");
    store_close(s);
    assert_ok(store_open(s));
    expect(s, "default", "key", "value");
    expect(s, "objects", "key", "other");
    expect(s, "doomed", "key", NULL);
}

static void flushed_tables_and_blobs_are_read_back(void **state)
{
    struct store *s = *state;
    char key[32], *value = malloc(9001);
    char *why = NULL;

    memset(value, 'v', 9000);
    value[9000] = '\0';
    assert_ok(store_open(s));
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "key %06d", i);
        put(s, "objects", key, i % 10 == 0 ? value : "small", false);
    }
    rocksdb_flushoptions_t *f = rocksdb_flushoptions_create();
    rocksdb_flush_cf(kvs_db_rocks(s->db), f, kvs_db_family(s->db, "objects"), &why);
    rocksdb_flushoptions_destroy(f);
    assert_ok(kvs_rocks_err(why));
    rocksdb_compact_range_cf(kvs_db_rocks(s->db), kvs_db_family(s->db, "objects"), NULL, 0, NULL,
                             0);
    store_close(s);
    assert_ok(store_open(s));
    for (int i = 0; i < 2000; i += 7) {
        snprintf(key, sizeof key, "key %06d", i);
        expect(s, "objects", key, i % 10 == 0 ? value : "small");
    }
    free(value);
}

static void families_come_and_go(void **state)
{
    struct store *s = *state;
    const struct kvs_family_options o = { .series = true, .compress = true };
    rocksdb_column_family_handle_t *handle;
    char *why = NULL;

    assert_ok(store_open(s));
    assert_ok(kvs_db_family_create(s->db, "s00000001.0", &o, &handle));
    assert_err(kvs_db_family_create(s->db, "s00000001.0", &o, &handle), ERR_CONFLICT);
    assert_err(kvs_db_family_create(s->db, "S", &o, &handle), ERR_LIMIT);
    put(s, "s00000001.0", "reading", "1", true);
    rocksdb_flushoptions_t *f = rocksdb_flushoptions_create();
    rocksdb_flush_cf(kvs_db_rocks(s->db), f, handle, &why);
    rocksdb_flushoptions_destroy(f);
    assert_ok(kvs_rocks_err(why));
    store_close(s);

    assert_ok(store_open(s));
    expect(s, "s00000001.0", "reading", "1");
    assert_ok(kvs_db_family_drop(s->db, "s00000001.0"));
    assert_ok(volume_space_drop(s->volume, 1));
    assert_null(kvs_db_family(s->db, "s00000001.0"));
    assert_err(kvs_db_family_drop(s->db, "s00000001.0"), ERR_MISSING);
    store_close(s);
    assert_ok(store_open(s));
    assert_null(kvs_db_family(s->db, "s00000001.0"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_was_put_is_there_after_reopening),
        T(flushed_tables_and_blobs_are_read_back),
        T(families_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
