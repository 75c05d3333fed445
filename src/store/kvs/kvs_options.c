/* SPDX-License-Identifier: Apache-2.0 */
/* How RocksDB is set up on the sealed volume, and its families. */
#include "store/kvs/kvs_options.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "store/kvs/sealed_fs.h"

#define DB_PATH "/v"
#define MIB (UINT64_C(1) << 20)
#define BLOCK_BYTES (16 * 1024)
#define BLOB_MIN_BYTES 4096
#define WAL_BYTES_MAX (256 * MIB)
#define RECOVERY_ABSOLUTE 1 /* torn tails never reach RocksDB, so what it refuses is corruption */
#define FILES_OPEN_MAX 256

struct family {
    char name[KVS_FAMILY_NAME_MAX + 1];
    struct kvs_family_options options;
    rocksdb_options_t *rocks;
    rocksdb_column_family_handle_t *handle;
};

struct kvs_db {
    struct volume *volume;
    struct kvs_db_config config;
    struct sealed_fs_room room;
    rocksdb_env_t *env;
    rocksdb_cache_t *cache;
    rocksdb_t *db;
    pthread_mutex_t lock; /* families */
    struct family *families[KVS_FAMILIES_MAX];
    size_t count;
};

err kvs_rocks_err(char *text)
{
    static const struct {
        const char *prefix;
        enum err_code code;
    } kinds[] = {
        { "Corruption", ERR_CORRUPT },
        { "NotFound", ERR_MISSING },
        { "Invalid argument", ERR_CONFLICT },
        { "IO error: IO fenced", ERR_CLOSED },
        { "Result incomplete: Write stall", ERR_LIMIT }, /* see kvs_db_waits */
    };
    enum err_code code = ERR_IO;

    if (text == NULL) {
        return OK;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
            code = kinds[i].code;
        }
    }
    if (code == ERR_IO && strstr(text, "disk full") != NULL) {
        code = ERR_LIMIT;
    }
    err_set(__FILE__, __LINE__, "%s", text);
    rocksdb_free(text);
    return (err){ code };
}

/* --- options ------------------------------------------------------------------------------- */

static void database_options(const struct kvs_db *d, rocksdb_options_t *o)
{
    rocksdb_options_set_env(o, d->env);
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_create_missing_column_families(o, 1);
    rocksdb_options_set_paranoid_checks(o, 1);
    rocksdb_options_set_wal_recovery_mode(o, RECOVERY_ABSOLUTE);
    rocksdb_options_set_recycle_log_file_num(o, 0); /* would write sealed octets twice */
    rocksdb_options_set_max_total_wal_size(o, d->config.wal_bytes);
    rocksdb_options_set_db_write_buffer_size(o, d->config.memtable_bytes);
    rocksdb_options_set_max_open_files(o, FILES_OPEN_MAX);
    rocksdb_options_set_max_background_jobs(o, d->config.job_count);
    rocksdb_options_set_max_manifest_file_size(o, 16 * MIB);
    rocksdb_options_set_info_log_level(o, 2);
    rocksdb_options_set_max_log_file_size(o, 0);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_stats_persist_period_sec(o, 0);
    rocksdb_options_set_allow_mmap_reads(o, 0);
    rocksdb_options_set_allow_mmap_writes(o, 0);
    rocksdb_options_set_use_direct_reads(o, 0);
    rocksdb_options_set_use_direct_io_for_flush_and_compaction(o, 0);
    rocksdb_options_set_unordered_write(o, 0);
    rocksdb_options_set_enable_pipelined_write(o, 0);
    rocksdb_options_set_manual_wal_flush(o, 0);
    rocksdb_options_compaction_readahead_size(o, 1 * MIB);
}

static void table_options(const struct kvs_db *d, rocksdb_options_t *o)
{
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();

    rocksdb_block_based_options_set_block_size(t, BLOCK_BYTES);
    rocksdb_block_based_options_set_format_version(t, 5);
    rocksdb_block_based_options_set_block_cache(t, d->cache);
    rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_block_based_options_set_whole_key_filtering(t, 1);
    rocksdb_block_based_options_set_index_type(
        t, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(t, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(t, 1);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(t, 1);
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);
}

static void blob_options(rocksdb_options_t *o, bool compress)
{
    rocksdb_options_set_enable_blob_files(o, 1);
    rocksdb_options_set_min_blob_size(o, BLOB_MIN_BYTES);
    rocksdb_options_set_blob_file_size(o, 64 * MIB);
    rocksdb_options_set_blob_compression_type(
        o, compress ? rocksdb_lz4_compression : rocksdb_no_compression);
    rocksdb_options_set_enable_blob_gc(o, 1);
    rocksdb_options_set_blob_gc_age_cutoff(o, 0.25);
}

static void style_options(rocksdb_options_t *o, bool series)
{
    if (!series) {
        rocksdb_options_set_compaction_style(o, rocksdb_level_compaction);
        rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
        rocksdb_options_set_max_bytes_for_level_base(o, 256 * MIB);
        return;
    }
    rocksdb_universal_compaction_options_t *u = rocksdb_universal_compaction_options_create();
    rocksdb_universal_compaction_options_set_size_ratio(u, 10);
    rocksdb_universal_compaction_options_set_max_size_amplification_percent(u, 100);
    rocksdb_options_set_compaction_style(o, rocksdb_universal_compaction);
    rocksdb_options_set_universal_compaction_options(o, u);
    rocksdb_universal_compaction_options_destroy(u);
}

/* Tables of a family are below "/v/<family>/". */
static err family_options_make(const struct kvs_db *d, const char *name,
                               const struct kvs_family_options *f, rocksdb_options_t **out)
{
    char path[sizeof DB_PATH + 1 + KVS_FAMILY_NAME_MAX];
    rocksdb_options_t *o = rocksdb_options_create();

    snprintf(path, sizeof path, "%s/%s", DB_PATH, name);
    err e = sealed_fs_cf_path(o, path);
    if (e.code) {
        rocksdb_options_destroy(o);
        return e;
    }
    table_options(d, o);
    style_options(o, f->series);
    rocksdb_options_set_write_buffer_size(o, 32 * MIB);
    rocksdb_options_set_arena_block_size(o, 256 * 1024);
    rocksdb_options_set_compression(o, f->compress ? rocksdb_lz4_compression
                                                   : rocksdb_no_compression);
    rocksdb_options_set_target_file_size_base(o, 64 * MIB);
    if (f->blobs) {
        blob_options(o, f->compress);
    }
    if (f->filter != NULL) {
        rocksdb_options_set_compaction_filter(o, f->filter);
    }
    *out = o;
    return OK;
}

/* --- families ------------------------------------------------------------------------------ */

static void family_free(struct family *f)
{
    if (f == NULL) {
        return;
    }
    if (f->handle != NULL) {
        rocksdb_column_family_handle_destroy(f->handle);
    }
    if (f->rocks != NULL) {
        rocksdb_options_destroy(f->rocks);
    }
    if (f->options.filter != NULL) {
        rocksdb_compactionfilter_destroy(f->options.filter);
    }
    mem_give(f);
}

static void family_freep(struct family **f)
{
    family_free(*f);
}

static err name_check(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);

    if (len == 0 || len > KVS_FAMILY_NAME_MAX || strspn(name, allowed) != len || name[0] == '.') {
        FAIL(ERR_LIMIT, "a family's name has 1 to %d of [a-z0-9._-]", KVS_FAMILY_NAME_MAX);
    }
    return OK;
}

static err family_new(const struct kvs_db *d, const char *name,
                      const struct kvs_family_options *o, struct family **out)
{
    struct family *f = mem_take(sizeof *f);

    if (f == NULL) {
        if (o->filter != NULL) {
            rocksdb_compactionfilter_destroy(o->filter);
        }
        FAIL(ERR_LIMIT, "no memory for a family");
    }
    f->options = *o; /* and its filter is ours from here on */
    snprintf(f->name, sizeof f->name, "%.*s", KVS_FAMILY_NAME_MAX, name);
    err e = name_check(name);
    if (!e.code) {
        e = family_options_make(d, name, o, &f->rocks);
    }
    if (e.code) {
        family_free(f);
        return e;
    }
    *out = f;
    return OK;
}

static size_t family_index(const struct kvs_db *d, const char *name)
{
    size_t i = 0;

    while (i < d->count && strcmp(d->families[i]->name, name) != 0) {
        i++;
    }
    return i;
}

static err family_known(struct kvs_db *d, const char *name)
{
    struct kvs_family_options o = { .compress = true, .blobs = true };
    struct family *f;

    if (family_index(d, name) < d->count) {
        return OK;
    }
    if (d->count == KVS_FAMILIES_MAX) {
        FAIL(ERR_LIMIT, "a database has at most %d families", KVS_FAMILIES_MAX);
    }
    if (d->config.family != NULL) {
        TRY(d->config.family(d->config.family_arg, name, &o));
    }
    TRY(family_new(d, name, &o, &f));
    d->families[d->count++] = f;
    return OK;
}

/* Expired values go by a compaction once in a while; C has this setting by name only. */
static err ttl_set(struct kvs_db *d, const struct family *f)
{
    char value[24], *why = NULL;
    const char *const keys[] = { "periodic_compaction_seconds" };
    const char *const values[] = { value };

    if (f->options.ttl_s == 0) {
        return OK;
    }
    snprintf(value, sizeof value, "%llu", (unsigned long long)f->options.ttl_s);
    rocksdb_set_options_cf(d->db, f->handle, 1, keys, values, &why);
    return kvs_rocks_err(why);
}

/* --- opening ------------------------------------------------------------------------------- */

/* Families are named by the database alone; a new one has the three that always exist. */
static err families_list(struct kvs_db *d, const rocksdb_options_t *o)
{
    static const char *const always[] = { "default", "objects", "doomed" };
    struct volume_file_stat stat;
    size_t count = 0;
    char *why = NULL;

    for (size_t i = 0; i < 3; i++) {
        TRY(family_known(d, always[i]));
    }
    if (volume_stat(d->volume, DB_PATH "/CURRENT", &stat).code == ERR_MISSING) {
        return OK;
    }
    char **names = rocksdb_list_column_families(o, DB_PATH, &count, &why);
    TRY(kvs_rocks_err(why));
    err e = { ERR_NONE };
    for (size_t i = 0; i < count && !e.code; i++) {
        e = family_known(d, names[i]);
    }
    rocksdb_list_column_families_destroy(names, count);
    return e;
}

static err rocks_open(struct kvs_db *d, const rocksdb_options_t *o)
{
    const char *names[KVS_FAMILIES_MAX];
    const rocksdb_options_t *options[KVS_FAMILIES_MAX];
    rocksdb_column_family_handle_t *handles[KVS_FAMILIES_MAX] = { NULL };
    char *why = NULL;

    for (size_t i = 0; i < d->count; i++) {
        names[i] = d->families[i]->name;
        options[i] = d->families[i]->rocks;
    }
    d->db = rocksdb_open_column_families(o, DB_PATH, (int)d->count, names, options, handles, &why);
    TRY(kvs_rocks_err(why));
    for (size_t i = 0; i < d->count; i++) {
        d->families[i]->handle = handles[i];
    }
    for (size_t i = 0; i < d->count; i++) {
        TRY(ttl_set(d, d->families[i]));
    }
    return OK;
}

struct leftovers {
    struct kvs_db *d;
    char dir[VOLUME_PATH_MAX + 1]; /* being emptied */
    err result;
};

static void leftover_deleted(void *arg, const char *name, bool is_dir)
{
    struct leftovers *l = arg;
    char path[VOLUME_PATH_MAX + 1];

    if (l->result.code || is_dir) {
        return;
    }
    int n = snprintf(path, sizeof path, "%s/%s", l->dir, name);
    assert(n > 0 && (size_t)n < sizeof path);
    (void)n;
    l->result = volume_delete(l->d->volume, path);
}

static void leftover_found(void *arg, const char *name, bool is_dir)
{
    struct leftovers *l = arg;

    if (l->result.code || !is_dir || family_index(l->d, name) < l->d->count) {
        return;
    }
    snprintf(l->dir, sizeof l->dir, "%s/%s", DB_PATH, name);
    err e = volume_list(l->d->volume, l->dir, leftover_deleted, l);
    l->result = l->result.code ? l->result : e;
}

/* A family dropped just before a crash leaves its files for ever: RocksDB knows it no more. */
static err leftovers_delete(struct kvs_db *d)
{
    struct leftovers l = { .d = d };

    TRY(volume_list(d->volume, DB_PATH, leftover_found, &l));
    TRY(l.result);
    return volume_commit(d->volume);
}

static err open_steps(struct kvs_db *d)
{
    rocksdb_options_t *o = NULL;

    TRY(sealed_fs_env(d->volume, &d->room, d->config.warn, d->config.warn_arg, &d->env));
    d->cache = rocksdb_cache_create_lru(d->config.block_cache_bytes);
    o = rocksdb_options_create();
    database_options(d, o);
    err e = sealed_fs_database(o);
    if (!e.code) {
        e = families_list(d, o);
    }
    if (!e.code) {
        e = rocks_open(d, o);
    }
    rocksdb_options_destroy(o);
    TRY(e);
    return leftovers_delete(d);
}

err kvs_db_open(struct volume *v, const struct kvs_db_config *config, struct kvs_db **out)
{
    AUTO(kvs_db_closep) struct kvs_db *d = mem_take(sizeof *d);

    if (d == NULL) {
        FAIL(ERR_LIMIT, "no memory for a database");
    }
    pthread_mutex_init(&d->lock, NULL);
    d->volume = v;
    d->config = *config;
    d->config.block_cache_bytes = config->block_cache_bytes > 0 ? config->block_cache_bytes
                                                                : 64 * MIB;
    d->config.memtable_bytes = config->memtable_bytes > 0 ? config->memtable_bytes : 64 * MIB;
    d->config.wal_bytes = config->wal_bytes > 0 ? config->wal_bytes : WAL_BYTES_MAX;
    d->config.job_count = config->job_count > 0 ? config->job_count : 2;
    TRY(open_steps(d));
    sealed_fs_patient(&d->room, true);
    *out = TAKE(d);
    return OK;
}

/* Handles before the database: RocksDB aborts over living ones. */
void kvs_db_close(struct kvs_db *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        if (d->families[i]->handle != NULL) {
            rocksdb_column_family_handle_destroy(d->families[i]->handle);
            d->families[i]->handle = NULL;
        }
    }
    sealed_fs_patient(&d->room, false); /* nobody waits for room any more */
    if (d->db != NULL) {
        rocksdb_close(d->db);
    }
    for (size_t i = 0; i < d->count; i++) {
        family_free(d->families[i]);
    }
    if (d->cache != NULL) {
        rocksdb_cache_destroy(d->cache);
    }
    sealed_fs_env_free(d->env);
    pthread_mutex_destroy(&d->lock);
    mem_give(d);
}

void kvs_db_closep(struct kvs_db **d)
{
    kvs_db_close(*d);
}

rocksdb_t *kvs_db_rocks(struct kvs_db *d)
{
    return d->db;
}

bool kvs_db_waits(const struct kvs_db *d)
{
    return sealed_fs_waits(&d->room);
}

err kvs_db_resume(struct kvs_db *d)
{
    return sealed_fs_resume(d->db);
}

rocksdb_column_family_handle_t *kvs_db_family(struct kvs_db *d, const char *name)
{
    pthread_mutex_lock(&d->lock);
    size_t i = family_index(d, name);
    rocksdb_column_family_handle_t *handle = i < d->count ? d->families[i]->handle : NULL;
    pthread_mutex_unlock(&d->lock);
    return handle;
}

static err family_add(struct kvs_db *d, struct family *f)
{
    char *why = NULL;

    if (family_index(d, f->name) < d->count) {
        FAIL(ERR_CONFLICT, "family %s is there already", f->name);
    }
    if (d->count == KVS_FAMILIES_MAX) {
        FAIL(ERR_LIMIT, "a database has at most %d families", KVS_FAMILIES_MAX);
    }
    f->handle = rocksdb_create_column_family(d->db, f->rocks, f->name, &why);
    TRY(kvs_rocks_err(why));
    TRY(ttl_set(d, f));
    d->families[d->count++] = f;
    return OK;
}

err kvs_db_family_create(struct kvs_db *d, const char *name, const struct kvs_family_options *o,
                         rocksdb_column_family_handle_t **out)
{
    AUTO(family_freep) struct family *f = NULL;

    TRY(family_new(d, name, o, &f));
    pthread_mutex_lock(&d->lock);
    err e = family_add(d, f);
    pthread_mutex_unlock(&d->lock);
    TRY(e);
    *out = TAKE(f)->handle;
    return OK;
}

static err family_remove(struct kvs_db *d, const char *name)
{
    size_t i = family_index(d, name);
    char *why = NULL;

    if (i == d->count) {
        FAIL(ERR_MISSING, "family %s is not there", name);
    }
    rocksdb_drop_column_family(d->db, d->families[i]->handle, &why);
    TRY(kvs_rocks_err(why));
    family_free(d->families[i]);
    d->count--;
    for (; i < d->count; i++) {
        d->families[i] = d->families[i + 1];
    }
    return OK;
}

err kvs_db_family_drop(struct kvs_db *d, const char *name)
{
    pthread_mutex_lock(&d->lock);
    err e = family_remove(d, name);
    pthread_mutex_unlock(&d->lock);
    return e;
}

void kvs_db_family_each(struct kvs_db *d, kvs_name_fn fn, void *arg)
{
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->count; i++) {
        fn(arg, d->families[i]->name);
    }
    pthread_mutex_unlock(&d->lock);
}
