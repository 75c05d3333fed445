/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/engine.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "store/kvs/engine_space.h"

#define META_REV "rev"
#define META_SPACE_ID "space_id" /* the last id given: never given again */
#define META_SPACE "s/"
#define META_USAGE "u/"
#define META_OBJECTS "o/" /* this space has objects */
#define OBJECT_GRACE_US (60 * US_PER_S)
#define OBJECT_RETRIES 3
#define OBJECTS_WAITING_MAX 1000000 /* as many as a volume has files */
#define DISK_LOOK_US US_PER_S

struct engine {
    struct volume *volume; /* borrowed */
    struct kvs_db *db;
    rocksdb_t *rocks;
    rocksdb_column_family_handle_t *meta, *objects;
    rocksdb_writeoptions_t *sync;
    rocksdb_readoptions_t *read, *read_cached;
    struct engine_options options;
    _Atomic uint64_t rev;

    pthread_mutex_t lock;  /* the list of spaces, and settings that change */
    struct space *spaces;  /* alive */
    struct space *dropped; /* waiting for their last reference; the committer's */
    size_t space_count;
    uint32_t space_id;

    pthread_mutex_t objects_lock;
    struct buf abandoned; /* rows of (time u64, id[16]), oldest first */

    uint64_t disk_look_us; /* the committer's */
    bool disk_has_room;
};

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

    if (now_us >= e->disk_look_us) {
        struct volume_figures info = { 0 };
        volume_info(e->volume, &info);
        e->disk_look_us = now_us + DISK_LOOK_US;
        e->disk_has_room = info.disk_free_bytes == 0 ||
                           info.disk_free_bytes >= e->options.disk_free_min_bytes;
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

static err get_raw(struct engine *e, rocksdb_column_family_handle_t *family, struct bytes key,
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

static struct bytes pinned(const rocksdb_pinnableslice_t *pin)
{
    size_t len;
    const char *ptr = rocksdb_pinnableslice_value(pin, &len);

    return (struct bytes){ (const uint8_t *)ptr, len };
}

static err get_record(struct engine *e, const struct space *s, struct bytes key,
                      const rocksdb_readoptions_t *how, struct found *f)
{
    TRY(get_raw(e, s->family, key, how, &f->pin));
    TRY(record_read(pinned(f->pin), &f->record));
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
    err result = get_raw(e, e->meta, bytes_of_string(key), how, &f.pin);

    if (result.code == ERR_MISSING) {
        *out = 0;
        return OK;
    }
    TRY(result);
    struct bytes raw = pinned(f.pin);
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

static void batch_put(rocksdb_writebatch_t *batch, rocksdb_column_family_handle_t *family,
                      const char *key, struct bytes value)
{
    rocksdb_writebatch_put_cf(batch, family, key, strlen(key), (const char *)value.ptr, value.len);
}

/* "u/0000beef": what is kept for a space under its id. */
static void id_key(const char *prefix, const struct space *s, char out[16])
{
    static const char hex[] = "0123456789abcdef";

    memcpy(out, prefix, 2);
    for (unsigned i = 0; i < 8; i++) {
        out[2 + i] = hex[s->id >> (28 - 4 * i) & 15];
    }
    out[10] = 0;
}

static void usage_put(struct engine *e, struct space *s, rocksdb_writebatch_t *batch)
{
    uint8_t raw[SPACE_USAGE_BYTES];
    char key[16];

    id_key(META_USAGE, s, key);
    store_u64(raw, atomic_load(&s->used_keys));
    store_u64(raw + 8, atomic_load(&s->used_bytes));
    batch_put(batch, e->meta, key, BYTES_OF(raw));
    s->usage_changed = false;
}

void engine_usage_changed(struct engine *e, struct space *s)
{
    (void)e;
    s->usage_changed = true;
}

static err write_sync(struct engine *e, rocksdb_writebatch_t *batch)
{
    char *text = NULL;

    rocksdb_write(e->rocks, e->sync, batch, &text);
    return err_context(kvs_rocks_err(text), "commit");
}

static err usage_load(struct engine *e, struct space *s)
{
    AUTO(found_done) struct found f = { 0 };
    char key[16];
    uint64_t keys;
    uint64_t octets;

    id_key(META_USAGE, s, key);
    TRY(get_raw(e, e->meta, bytes_of_string(key), e->read, &f.pin));
    struct bytes raw = pinned(f.pin);
    TRY(bytes_read_u64(&raw, &keys));
    TRY(bytes_read_u64(&raw, &octets));
    atomic_store(&s->used_keys, keys);
    atomic_store(&s->used_bytes, octets);
    return OK;
}

/* After a failed write the figures in memory are ahead of the stored ones. */
static void usages_reload(struct engine *e)
{
    for (struct space *s = e->spaces; s != NULL; s = s->next) {
        (void)usage_load(e, s).code;
    }
}

err engine_write(struct engine *e, rocksdb_writebatch_t *batch, uint64_t rev)
{
    uint8_t raw[8];

    for (struct space *s = e->spaces; s != NULL; s = s->next) {
        if (s->usage_changed) {
            usage_put(e, s, batch);
        }
    }
    store_u64(raw, rev);
    batch_put(batch, e->meta, META_REV, BYTES_OF(raw));
    err result = write_sync(e, batch);
    if (result.code) {
        usages_reload(e);
        return result;
    }
    atomic_store_explicit(&e->rev, rev, memory_order_release);
    return OK;
}

/* --- large values --- */

err engine_object_write(struct engine *e, struct bytes value, struct object_id *out)
{
    struct volume_figures figures = { 0 };

    volume_info(e->volume, &figures);
    if (figures.disk_free_bytes > 0 &&
        figures.disk_free_bytes < e->options.disk_free_min_bytes + value.len) {
        FAIL(ERR_LIMIT, "the disk reserve is reached");
    }
    return object_write(e->volume, value, out);
}

/* Should there be no memory for the note, the file goes at the next open. */
void engine_object_abandon(struct engine *e, const struct object_id *id)
{
    pthread_mutex_lock(&e->objects_lock);
    if (!buf_reserve(&e->abandoned, 8 + OBJECT_ID_BYTES).code) {
        uint8_t *at = e->abandoned.ptr + e->abandoned.len;
        store_u64(at, time_monotonic_us());
        memcpy(at + 8, id->octets, OBJECT_ID_BYTES);
        e->abandoned.len += 8 + OBJECT_ID_BYTES;
    }
    pthread_mutex_unlock(&e->objects_lock);
}

void engine_object_add(struct engine *e, struct space *s, const struct object_id *id,
                       rocksdb_writebatch_t *batch)
{
    uint8_t raw[4];

    if (!atomic_load(&s->has_objects)) {
        char key[16];
        id_key(META_OBJECTS, s, key);
        batch_put(batch, e->meta, key, (struct bytes){ 0 });
        atomic_store(&s->has_objects, true);
    }
    store_u32(raw, s->id);
    rocksdb_writebatch_put_cf(batch, e->objects, (const char *)id->octets, OBJECT_ID_BYTES,
                              (const char *)raw, sizeof raw);
}

void engine_object_remove(struct engine *e, const struct object_id *id,
                          rocksdb_writebatch_t *batch)
{
    rocksdb_writebatch_delete_cf(batch, e->objects, (const char *)id->octets, OBJECT_ID_BYTES);
}

/* Takes the oldest id whose time is over. */
static bool abandoned_take(struct engine *e, uint64_t now_us, size_t *at, struct object_id *out)
{
    pthread_mutex_lock(&e->objects_lock);
    bool due = *at < e->abandoned.len &&
               now_us - load_u64(e->abandoned.ptr + *at) >= e->options.object_grace_us;
    if (due) {
        memcpy(out->octets, e->abandoned.ptr + *at + 8, OBJECT_ID_BYTES);
        *at += 8 + OBJECT_ID_BYTES;
    } else if (*at > 0) {
        buf_consume(&e->abandoned, *at);
        buf_shrink(&e->abandoned);
    }
    pthread_mutex_unlock(&e->objects_lock);
    return due;
}

static void objects_sweep(struct engine *e)
{
    uint64_t now_us = time_monotonic_us();
    struct object_id id;
    size_t at = 0;

    while (abandoned_take(e, now_us, &at, &id)) {
        /* One that cannot be deleted now goes at the next open. */
        (void)object_delete(e->volume, &id).code;
    }
    if (at > 0) {
        (void)volume_commit(e->volume).code;
    }
}

/* The ids of all objects of a space, 16 octets each. */
static err objects_of(struct engine *e, const struct space *s, struct buf *out)
{
    rocksdb_iterator_t *it = rocksdb_create_iterator_cf(e->rocks, e->read, e->objects);
    err result = OK;
    char *text = NULL;

    for (rocksdb_iter_seek_to_first(it); !result.code && rocksdb_iter_valid(it);
         rocksdb_iter_next(it)) {
        size_t key_len;
        size_t len;
        const uint8_t *key = (const uint8_t *)rocksdb_iter_key(it, &key_len);
        const uint8_t *raw = (const uint8_t *)rocksdb_iter_value(it, &len);
        if (key_len == OBJECT_ID_BYTES && len == 4 && load_u32(raw) == s->id) {
            result = buf_append(out, (struct bytes){ key, key_len });
        }
    }
    rocksdb_iter_get_error(it, &text);
    rocksdb_iter_destroy(it);
    err iterated = kvs_rocks_err(text);
    return result.code ? result : iterated;
}

/* Calls `each` for the ids in a row of them. */
static void ids_each(struct bytes ids, void (*each)(void *arg, const struct object_id *id),
                     void *arg)
{
    struct object_id id;

    while (!bytes_read_copy(&ids, id.octets, sizeof id.octets).code) {
        each(arg, &id);
    }
}

/* Files that no record can refer to: their commit never came, or their end was cut short. */
static err objects_clean(struct engine *e)
{
    AUTO(buf_done) struct buf ids = { .max = (size_t)OBJECTS_WAITING_MAX * OBJECT_ID_BYTES };
    struct object_id id;

    TRY(object_list(e->volume, &ids));
    struct bytes rest = buf_bytes(&ids);
    while (rest.len > 0) {
        AUTO(found_done) struct found f = { 0 };
        TRY(bytes_read_copy(&rest, id.octets, sizeof id.octets));
        err known = get_raw(e, e->objects, BYTES_OF(id.octets), e->read, &f.pin);
        if (known.code == ERR_MISSING) {
            known = object_delete(e->volume, &id);
        }
        TRY(known);
    }
    return OK;
}

/* --- spaces --- */

static struct space *space_find(struct engine *e, struct bytes name)
{
    for (struct space *s = e->spaces; s != NULL; s = s->next) {
        if (bytes_equal(bytes_of_string(s->name), name)) {
            return s;
        }
    }
    return NULL;
}

struct space *engine_space(struct engine *e, struct bytes name)
{
    pthread_mutex_lock(&e->lock);
    struct space *s = space_find(e, name);
    if (s != NULL) {
        atomic_fetch_add(&s->refs, 1);
    }
    pthread_mutex_unlock(&e->lock);
    return s;
}

void space_release(struct space *s)
{
    if (s != NULL) {
        uint32_t before = atomic_fetch_sub(&s->refs, 1);
        assert(before > 0);
    }
}

err engine_space_view(struct engine *e, struct bytes name, struct space_view *out)
{
    pthread_mutex_lock(&e->lock);
    struct space *s = space_find(e, name);
    if (s != NULL) {
        memcpy(out->name, s->name, sizeof out->name);
        out->settings = s->settings;
        out->used_keys = atomic_load(&s->used_keys);
        out->used_bytes = atomic_load(&s->used_bytes);
    }
    pthread_mutex_unlock(&e->lock);
    if (s == NULL) {
        FAIL(ERR_MISSING, "no such space");
    }
    return OK;
}

size_t engine_space_count(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    size_t count = e->space_count;
    pthread_mutex_unlock(&e->lock);
    return count;
}

static bool has_quota(const struct space_settings *s)
{
    return s->quota_bytes > 0 || s->quota_keys > 0;
}

static void entry_key(const struct space *s, char out[KVS_SPACE_CHARS_MAX + 3])
{
    memcpy(out, META_SPACE, 2);
    memcpy(out + 2, s->name, strlen(s->name) + 1);
}

static err entry_save(struct engine *e, struct space *s)
{
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    uint8_t raw[SPACE_ENTRY_BYTES];
    uint8_t id[8];
    char key[KVS_SPACE_CHARS_MAX + 3];

    entry_key(s, key);
    space_entry_write(s, raw);
    batch_put(batch, e->meta, key, BYTES_OF(raw));
    usage_put(e, s, batch);
    store_u64(id, e->space_id);
    batch_put(batch, e->meta, META_SPACE_ID, BYTES_OF(id));
    err result = write_sync(e, batch);
    rocksdb_writebatch_destroy(batch);
    return result;
}

static void space_publish(struct engine *e, struct space *s)
{
    pthread_mutex_lock(&e->lock);
    s->next = e->spaces;
    e->spaces = s;
    e->space_count++;
    pthread_mutex_unlock(&e->lock);
}

static err space_take(struct bytes name, struct space **out)
{
    struct space *s = mem_take(sizeof *s);

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory for a space");
    }
    memcpy(s->name, name.ptr, name.len);
    atomic_store(&s->refs, 1); /* the list's */
    *out = s;
    return OK;
}

static void space_freep(struct space **s)
{
    mem_give(*s);
}

err engine_space_create(struct engine *e, struct bytes name, const struct space_settings *settings)
{
    AUTO(space_freep) struct space *s = NULL;
    struct kvs_family_options options;

    assert(kvs_space_name_valid(name));
    if (space_find(e, name) != NULL) {
        FAIL(ERR_CONFLICT, "the space exists");
    }
    if (e->space_count >= SPACES_MAX) {
        FAIL(ERR_LIMIT, "%d spaces, and no more: delete one", SPACES_MAX);
    }
    TRY(space_take(name, &s));
    s->id = ++e->space_id;
    s->settings = *settings;
    space_family_name(s->id, settings, s->family_name);
    space_family_options(s->family_name, &options);
    TRY(kvs_db_family_create(e->db, s->family_name, &options, &s->family));
    /* A crash here leaves a family that no space names: it is dropped at the next open. */
    TRY(entry_save(e, s));
    space_publish(e, TAKE(s));
    return OK;
}

/* Exact figures for a space that had no quota so far. */
static err space_count_up(struct engine *e, struct space *s)
{
    rocksdb_iterator_t *it = rocksdb_create_iterator_cf(e->rocks, e->read, s->family);
    uint64_t keys = 0;
    uint64_t octets = 0;
    char *text = NULL;

    for (rocksdb_iter_seek_to_first(it); rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct kvs_record record;
        size_t key_len;
        size_t len;
        rocksdb_iter_key(it, &key_len);
        const char *raw = rocksdb_iter_value(it, &len);
        if (!record_read((struct bytes){ (const uint8_t *)raw, len }, &record).code &&
            !record_expired(&record, engine_utc_s(e))) {
            keys++;
            octets += key_len + record.value_len;
        }
    }
    rocksdb_iter_get_error(it, &text);
    rocksdb_iter_destroy(it);
    TRY(kvs_rocks_err(text));
    atomic_store(&s->used_keys, keys);
    atomic_store(&s->used_bytes, octets);
    return OK;
}

err engine_space_change(struct engine *e, struct space *s, const struct space_settings *settings)
{
    struct space_settings before = s->settings;

    if (settings->series != before.series || settings->compress != before.compress ||
        settings->ttl_s != before.ttl_s) {
        FAIL(ERR_CONFLICT, "style, compression and ttl_s of a space stay as they were made");
    }
    if (has_quota(settings) && !has_quota(&before)) {
        TRY(space_count_up(e, s));
    }
    pthread_mutex_lock(&e->lock);
    s->settings = *settings;
    pthread_mutex_unlock(&e->lock);
    return entry_save(e, s);
}

static void space_unlist(struct engine *e, struct space *s)
{
    pthread_mutex_lock(&e->lock);
    struct space **at = &e->spaces;
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    e->space_count--;
    pthread_mutex_unlock(&e->lock);
    s->next = e->dropped;
    e->dropped = s;
}

struct removal {
    struct engine *engine;
    rocksdb_writebatch_t *batch;
};

static void object_remove(void *arg, const struct object_id *id)
{
    struct removal *r = arg;

    engine_object_remove(r->engine, id, r->batch);
}

static void object_abandon(void *arg, const struct object_id *id)
{
    engine_object_abandon(arg, id);
}

static void entry_remove(struct engine *e, const struct space *s, rocksdb_writebatch_t *batch)
{
    char key[KVS_SPACE_CHARS_MAX + 3];

    entry_key(s, key);
    rocksdb_writebatch_delete_cf(batch, e->meta, key, strlen(key));
    id_key(META_USAGE, s, key);
    rocksdb_writebatch_delete_cf(batch, e->meta, key, strlen(key));
    id_key(META_OBJECTS, s, key);
    rocksdb_writebatch_delete_cf(batch, e->meta, key, strlen(key));
}

err engine_space_drop(struct engine *e, struct space *s)
{
    AUTO(buf_done) struct buf ids = { .max = (size_t)OBJECTS_WAITING_MAX * OBJECT_ID_BYTES };

    if (atomic_load(&s->has_objects)) {
        TRY(objects_of(e, s, &ids));
    }
    struct removal removal = { e, rocksdb_writebatch_create() };
    entry_remove(e, s, removal.batch);
    ids_each(buf_bytes(&ids), object_remove, &removal);
    err result = write_sync(e, removal.batch);
    rocksdb_writebatch_destroy(removal.batch);
    TRY(result);
    ids_each(buf_bytes(&ids), object_abandon, e);
    atomic_store(&s->dropped, true);
    space_unlist(e, s);
    space_release(s);
    return OK;
}

void engine_reap(struct engine *e)
{
    struct space **at = &e->dropped;

    objects_sweep(e);

    while (*at != NULL) {
        struct space *s = *at;
        if (atomic_load(&s->refs) > 0) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        /* Should it fail, the family is dropped at the next open: no space names it any more. */
        (void)kvs_db_family_drop(e->db, s->family_name).code;
        mem_give(s);
    }
}

/* --- open and close --- */

static err objects_load(struct engine *e, struct space *s)
{
    AUTO(found_done) struct found f = { 0 };
    char key[16];

    id_key(META_OBJECTS, s, key);
    err known = get_raw(e, e->meta, bytes_of_string(key), e->read, &f.pin);
    atomic_store(&s->has_objects, !known.code);
    return known.code == ERR_MISSING ? OK : known;
}

static err space_load(struct engine *e, struct bytes name, struct bytes entry)
{
    AUTO(space_freep) struct space *s = NULL;

    if (!kvs_space_name_valid(name)) {
        FAIL(ERR_CORRUPT, "a stored space has no valid name");
    }
    TRY(space_take(name, &s));
    TRY(space_entry_read(entry, s));
    s->family = kvs_db_family(e->db, s->family_name);
    if (s->family == NULL) {
        FAIL(ERR_CORRUPT, "space %s has no family %s", s->name, s->family_name);
    }
    TRY(err_context(usage_load(e, s), "usage of space %s", s->name));
    TRY(objects_load(e, s));
    space_publish(e, TAKE(s));
    return OK;
}

static err spaces_load(struct engine *e)
{
    rocksdb_iterator_t *it = rocksdb_create_iterator_cf(e->rocks, e->read, e->meta);
    err result = OK;
    char *text = NULL;

    for (rocksdb_iter_seek(it, META_SPACE, 2); !result.code && rocksdb_iter_valid(it);
         rocksdb_iter_next(it)) {
        size_t key_len;
        size_t len;
        const uint8_t *key = (const uint8_t *)rocksdb_iter_key(it, &key_len);
        const uint8_t *raw = (const uint8_t *)rocksdb_iter_value(it, &len);
        if (key_len < 2 || memcmp(key, META_SPACE, 2) != 0) {
            break;
        }
        result = space_load(e, (struct bytes){ key + 2, key_len - 2 }, (struct bytes){ raw, len });
    }
    rocksdb_iter_get_error(it, &text);
    rocksdb_iter_destroy(it);
    err iterated = kvs_rocks_err(text);
    return result.code ? result : iterated;
}

struct orphans {
    struct engine *engine;
    char names[KVS_FAMILIES_MAX][KVS_FAMILY_NAME_MAX + 1];
    size_t count;
};

static void orphan_note(void *arg, const char *name)
{
    struct orphans *o = arg;
    bool ours = name[0] == 's' && strchr(name, '.') != NULL;

    for (struct space *s = o->engine->spaces; s != NULL; s = s->next) {
        ours = ours && strcmp(s->family_name, name) != 0;
    }
    if (ours && o->count < KVS_FAMILIES_MAX && strlen(name) <= KVS_FAMILY_NAME_MAX) {
        memcpy(o->names[o->count++], name, strlen(name) + 1);
    }
}

/* Families of spaces whose making or dropping was cut short. */
static err orphans_drop(struct engine *e)
{
    AUTO(mem_givep) struct orphans *o = mem_take(sizeof *o);

    if (o == NULL) {
        FAIL(ERR_LIMIT, "no memory for a list of families");
    }
    o->engine = e;
    kvs_db_family_each(e->db, orphan_note, o);
    for (size_t i = 0; i < o->count; i++) {
        TRY(kvs_db_family_drop(e->db, o->names[i]));
    }
    return OK;
}

static err family_options(void *arg, const char *name, struct kvs_family_options *out)
{
    (void)arg;
    space_family_options(name, out);
    return OK;
}

static void options_make(struct engine *e)
{
    e->sync = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(e->sync, 1);
    e->read = rocksdb_readoptions_create();
    e->read_cached = rocksdb_readoptions_create();
    rocksdb_readoptions_set_read_tier(e->read_cached, 1); /* block cache and memtables only */
}

static err engine_load(struct engine *e)
{
    uint64_t rev;
    uint64_t id;

    e->options.db.family = family_options;
    TRY(kvs_db_open(e->volume, &e->options.db, &e->db));
    e->rocks = kvs_db_rocks(e->db);
    e->meta = kvs_db_family(e->db, "default");
    e->objects = kvs_db_family(e->db, "objects");
    assert(e->meta != NULL && e->objects != NULL);
    TRY(meta_number(e, META_REV, e->read, &rev));
    TRY(meta_number(e, META_SPACE_ID, e->read, &id));
    e->space_id = (uint32_t)id;
    atomic_store(&e->rev, rev);
    TRY(spaces_load(e));
    TRY(objects_clean(e));
    return orphans_drop(e);
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
    e->abandoned.max = (size_t)OBJECTS_WAITING_MAX * (8 + OBJECT_ID_BYTES);
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->objects_lock, NULL);
    options_make(e);
    err result = engine_load(e);
    if (result.code) {
        engine_close(e);
        return result;
    }
    *out = e;
    return OK;
}

static void spaces_free(struct space *s)
{
    while (s != NULL) {
        struct space *next = s->next;
        mem_give(s);
        s = next;
    }
}

void engine_close(struct engine *e)
{
    if (e == NULL) {
        return;
    }
    if (e->db != NULL) {
        engine_reap(e);
        kvs_db_close(e->db);
    }
    spaces_free(e->spaces);
    spaces_free(e->dropped);
    rocksdb_writeoptions_destroy(e->sync);
    rocksdb_readoptions_destroy(e->read);
    rocksdb_readoptions_destroy(e->read_cached);
    buf_done(&e->abandoned);
    pthread_mutex_destroy(&e->lock);
    pthread_mutex_destroy(&e->objects_lock);
    mem_give(e);
}
