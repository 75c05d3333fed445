/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/engine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "store/kvs/engine_impl.h"
#include "store/kvs/engine_space.h"

#define DISK_LOOK_US US_PER_S
#define OBJECT_GRACE_US (60 * US_PER_S)
#define OBJECT_RETRIES 3
#define RESUME_US US_PER_S
#define RESUME_FAILURES_MAX 3 /* in a row, of a disk that does write */
#define PROBE_BYTES (512u << 10)
#define LOG_RESERVE_BYTES (2u << 20) /* for what RocksDB writes to the log on its own */
#define ERROR_TEXT_BYTES 256

rocksdb_t *engine_rocks(struct engine *e)
{
    return e->rocks;
}

uint64_t engine_rev(const struct engine *e)
{
    return atomic_load_explicit(&e->rev, memory_order_acquire);
}

static uint64_t system_utc_s(void)
{
    return time_utc_us() / US_PER_S;
}

uint64_t engine_utc_s(const struct engine *e)
{
    return e->options.utc_s();
}

void engine_info(struct engine *e, struct volume_figures *out)
{
    volume_info(e->volume, out);
}

bool engine_disk_has_room(struct engine *e)
{
    uint64_t now_us = time_monotonic_us();

    if (kvs_db_waits(e->db)) {
        return false;
    }
    if (now_us >= e->disk_look_us) {
        struct volume_figures info = { 0 };
        volume_info(e->volume, &info);
        e->disk_look_us = now_us + DISK_LOOK_US;
        e->disk_has_room = info.disk_free_bytes >= e->options.disk_free_min_bytes;
    }
    return e->disk_has_room;
}

/* --- reading --- */

void found_done(struct found *f)
{
    if (f->pin != NULL) {
        rocksdb_pinnableslice_destroy(f->pin);
        f->pin = NULL;
    }
    buf_done(&f->object);
}

/* RocksDB says so when a read from memory alone cannot tell. */
static bool is_incomplete(const char *text)
{
    static const char words[] = "Result incomplete";

    return strncmp(text, words, sizeof words - 1) == 0;
}

err engine_get_raw(struct engine *e, rocksdb_column_family_handle_t *family, struct bytes key,
                   const rocksdb_readoptions_t *how, rocksdb_pinnableslice_t **out)
{
    char *text = NULL;
    rocksdb_pinnableslice_t *pin = rocksdb_get_pinned_cf(e->rocks, how, family,
                                                         (const char *)key.ptr, key.len, &text);

    if (text != NULL && is_incomplete(text)) {
        rocksdb_free(text);
        FAIL(ERR_AGAIN, "not in memory");
    }
    TRY(kvs_rocks_err(text));
    if (pin == NULL) {
        FAIL(ERR_MISSING, "no such key");
    }
    *out = pin;
    return OK;
}

struct bytes engine_pinned(const rocksdb_pinnableslice_t *pin)
{
    size_t len;
    const char *ptr = rocksdb_pinnableslice_value(pin, &len);

    return (struct bytes){ (const uint8_t *)ptr, len };
}

static err get_record(struct engine *e, const struct space *s, struct bytes key,
                      const rocksdb_readoptions_t *how, struct found *f)
{
    TRY(engine_get_raw(e, s->family, key, how, &f->pin));
    /* From a table that is not open, RocksDB answers a read from memory alone with an empty value,
     * whether the key is there or not. No record is empty. */
    if (how == e->read_cached && engine_pinned(f->pin).len == 0) {
        FAIL(ERR_AGAIN, "its table is not open");
    }
    TRY(record_read(engine_pinned(f->pin), &f->record));
    if (f->record.expiry_s > 0 && record_expired(&f->record, engine_utc_s(e))) {
        FAIL(ERR_MISSING, "the key has expired");
    }
    return OK;
}

err engine_object_read(struct engine *e, struct kvs_record *record, struct buf *room)
{
    buf_clear(room);
    if (room->max == 0) {
        room->max = KVS_VALUE_BYTES_MAX;
    }
    err result = object_read(e->volume, &record->object, record->value_len, room);
    if (result.code == ERR_MISSING) {
        FAIL(ERR_AGAIN, "the object was replaced meanwhile");
    }
    TRY(result);
    record->value = buf_bytes(room);
    return OK;
}

static err get_with(struct engine *e, const struct space *s, struct bytes key,
                    enum engine_read what, const rocksdb_readoptions_t *how, struct found *out)
{
    AUTO(found_done) struct found f = { 0 };

    TRY(get_record(e, s, key, how, &f));
    if (f.record.is_object && what == ENGINE_CACHED) {
        FAIL(ERR_AGAIN, "an object is not in memory");
    }
    if (f.record.is_object && what == ENGINE_ANY) {
        TRY(engine_object_read(e, &f.record, &f.object));
    }
    *out = f;
    f = (struct found){ 0 };
    return OK;
}

static rocksdb_readoptions_t *snapshot_options(const rocksdb_snapshot_t *snapshot)
{
    rocksdb_readoptions_t *how = rocksdb_readoptions_create();

    rocksdb_readoptions_set_snapshot(how, snapshot);
    return how;
}

/* Without a snapshot an object may be replaced and gone between its record and its octets, if the
 * reader slept long: then there is a newer record. */
static err get_newest(struct engine *e, const struct space *s, struct bytes key,
                      enum engine_read how, struct found *out)
{
    err result = OK;

    for (unsigned i = 0; i < OBJECT_RETRIES; i++) {
        result = get_with(e, s, key, how, how == ENGINE_CACHED ? e->read_cached : e->read, out);
        if (result.code != ERR_AGAIN || how == ENGINE_CACHED) {
            break;
        }
    }
    return result;
}

err engine_get(struct engine *e, const struct space *s, struct bytes key, enum engine_read how,
               const rocksdb_snapshot_t *snapshot, struct found *out)
{
    if (snapshot == NULL) {
        return get_newest(e, s, key, how, out);
    }
    rocksdb_readoptions_t *at = snapshot_options(snapshot);
    err result = get_with(e, s, key, how, at, out);
    rocksdb_readoptions_destroy(at);
    return result;
}

/* A number of the family "default"; absent is 0. */
static err meta_number(struct engine *e, const char *key, const rocksdb_readoptions_t *how,
                       uint64_t *out)
{
    AUTO(found_done) struct found f = { 0 };
    err result = engine_get_raw(e, e->meta, bytes_of_string(key), how, &f.pin);

    if (result.code == ERR_MISSING) {
        *out = 0;
        return OK;
    }
    TRY(result);
    struct bytes raw = engine_pinned(f.pin);
    return err_context(bytes_read_u64(&raw, out), "stored \"%s\"", key);
}

err engine_rev_at(struct engine *e, const rocksdb_snapshot_t *snapshot, uint64_t *out)
{
    rocksdb_readoptions_t *at = snapshot_options(snapshot);
    err result = meta_number(e, META_REV, at, out);

    rocksdb_readoptions_destroy(at);
    return result;
}

/* --- writing --- */

void engine_batch_put(rocksdb_writebatch_t *batch, rocksdb_column_family_handle_t *family,
                      const char *key, struct bytes value)
{
    rocksdb_writebatch_put_cf(batch, family, key, strlen(key), (const char *)value.ptr, value.len);
}

void engine_id_key(const char *prefix, const struct space *s, char out[16])
{
    static const char hex[] = "0123456789abcdef";

    memcpy(out, prefix, 2);
    for (unsigned i = 0; i < 8; i++) {
        out[2 + i] = hex[s->id >> (28 - 4 * i) & 15];
    }
    out[10] = 0;
}

err engine_log_check(struct engine *e, uint64_t bytes)
{
    if (!volume_log_takes(e->volume, bytes + LOG_RESERVE_BYTES)) {
        FAIL(ERR_LIMIT, "disk full: no room for the log");
    }
    return OK;
}

static err write_once(struct engine *e, rocksdb_writebatch_t *batch)
{
    const rocksdb_writeoptions_t *how = kvs_db_waits(e->db) ? e->sync_unless_stalled : e->sync;
    char *text = NULL;

    rocksdb_write(e->rocks, how, batch, &text);
    return err_context(kvs_rocks_err(text), "commit");
}

/* Some octets of a table that never comes to be. */
static err disk_probe(struct engine *e)
{
    static const uint8_t octets[PROBE_BYTES];
    AUTO(volume_file_freep) struct volume_file *file = NULL;

    TRY(volume_create(e->volume, "/probe", VOLUME_TABLE, &file));
    return volume_append(file, BYTES_OF(octets));
}

/* Repeats the flush that failed in the background: RocksDB does not by itself (see sealed_fs.h), and
 * takes no writes until then. Only where it may come off: 7.8 can wait for ever in an attempt that
 * follows a failed one, for a flush that it has forgotten to start. */
static err resume(struct engine *e)
{
    uint64_t now_us = time_monotonic_us();

    if (now_us < e->resume_next_us) {
        FAIL(ERR_AGAIN, "not yet");
    }
    e->resume_next_us = now_us + e->options.resume_us;
    TRY(engine_log_check(e, 0));
    TRY(disk_probe(e));
    err result = kvs_db_resume(e->db);
    e->resume_failures = result.code ? e->resume_failures + 1 : 0;
    return result;
}

/* A table that failed in the background refuses all writing before anything is written, so the same
 * batch may be written once more when that is over. */
err engine_write_sync(struct engine *e, rocksdb_writebatch_t *batch)
{
    char why[ERROR_TEXT_BYTES];
    size_t size;

    (void)rocksdb_writebatch_data(batch, &size);
    TRY(engine_log_check(e, size + size / 64));
    err result = write_once(e, batch);
    if (result.code != ERR_IO && (result.code != ERR_LIMIT || kvs_db_waits(e->db))) {
        return result;
    }
    snprintf(why, sizeof why, "%s", err_text());
    if (!resume(e).code) {
        return write_once(e, batch);
    }
    if (e->resume_failures >= RESUME_FAILURES_MAX) {
        FAIL(ERR_CLOSED, "%s, also after %u attempts", why, e->resume_failures);
    }
    err_set(__FILE__, __LINE__, "%s", why);
    return result;
}

err engine_write(struct engine *e, rocksdb_writebatch_t *batch, uint64_t rev)
{
    uint8_t raw[8];

    engine_usages_put(e, batch);
    store_u64(raw, rev);
    engine_batch_put(batch, e->meta, META_REV, BYTES_OF(raw));
    err result = engine_write_sync(e, batch);
    if (result.code) {
        engine_usages_reload(e);
        return result;
    }
    atomic_store_explicit(&e->rev, rev, memory_order_release);
    return OK;
}

/* --- open and close --- */

static err family_options(void *arg, const char *name, struct kvs_family_options *out)
{
    space_family_options(name, out);
    if (out->ttl_s > 0) {
        out->filter = space_ttl_filter(arg);
    }
    return OK;
}

static void options_make(struct engine *e)
{
    e->sync = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(e->sync, 1);
    e->sync_unless_stalled = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(e->sync_unless_stalled, 1);
    rocksdb_writeoptions_set_no_slowdown(e->sync_unless_stalled, 1);
    e->read = rocksdb_readoptions_create();
    e->read_cached = rocksdb_readoptions_create();
    rocksdb_readoptions_set_read_tier(e->read_cached, 1); /* block cache and memtables only */
}

static err engine_load(struct engine *e)
{
    uint64_t rev;
    uint64_t id;

    e->options.db.family = family_options;
    e->options.db.family_arg = e;
    TRY(kvs_db_open(e->volume, &e->options.db, &e->db));
    e->rocks = kvs_db_rocks(e->db);
    e->meta = kvs_db_family(e->db, "default");
    e->objects = kvs_db_family(e->db, "objects");
    assert(e->meta != NULL && e->objects != NULL);
    TRY(meta_number(e, META_REV, e->read, &rev));
    TRY(meta_number(e, META_SPACE_ID, e->read, &id));
    e->space_id = (uint32_t)id;
    atomic_store(&e->rev, rev);
    TRY(engine_spaces_load(e));
    TRY(engine_objects_clean(e));
    return engine_orphans_drop(e);
}

err engine_open(struct volume *v, const struct engine_options *options, struct engine **out)
{
    struct engine *e = mem_take(sizeof *e);

    if (e == NULL) {
        FAIL(ERR_LIMIT, "no memory for the engine");
    }
    e->volume = v;
    e->options = *options;
    e->options.utc_s = options->utc_s != NULL ? options->utc_s : system_utc_s;
    if (e->options.object_grace_us == 0) {
        e->options.object_grace_us = OBJECT_GRACE_US;
    }
    e->options.resume_us = options->resume_us > 0 ? options->resume_us : RESUME_US;
    e->abandoned.max = (size_t)ENGINE_OBJECTS_MAX * (8 + OBJECT_ID_BYTES);
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->objects_lock, NULL);
    engine_snapshots_init(e);
    options_make(e);
    err result = engine_load(e);
    if (result.code) {
        engine_close(e);
        return result;
    }
    *out = e;
    return OK;
}

void engine_close(struct engine *e)
{
    if (e == NULL) {
        return;
    }
    engine_snapshots_done(e);
    if (e->db != NULL) {
        engine_reap(e);
        kvs_db_close(e->db);
    }
    engine_spaces_free(e->spaces);
    engine_spaces_free(e->dropped);
    rocksdb_writeoptions_destroy(e->sync);
    rocksdb_writeoptions_destroy(e->sync_unless_stalled);
    rocksdb_readoptions_destroy(e->read);
    rocksdb_readoptions_destroy(e->read_cached);
    buf_done(&e->abandoned);
    pthread_mutex_destroy(&e->lock);
    pthread_mutex_destroy(&e->objects_lock);
    pthread_mutex_destroy(&e->snapshots_lock);
    mem_give(e);
}
