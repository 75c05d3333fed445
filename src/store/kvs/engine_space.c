/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/engine_space.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "store/kvs/engine_impl.h"

#define TTL_COMPACTION_S 86400 /* an expired value leaves the disk about a day later */
#define FAMILY_LOG_BYTES (1u << 20) /* RocksDB writes its options anew */
#define NAME_CHARS 15          /* s, 8 hex, ".0.", three letters */

enum space_flag { SPACE_SERIES = 1, SPACE_COMPRESS = 2 };

/* --- how a space is kept --- */

void space_family_name(uint32_t id, const struct space_settings *s,
                       char out[KVS_FAMILY_NAME_MAX + 1])
{
    snprintf(out, KVS_FAMILY_NAME_MAX + 1, "s%08x.0.%c%c%c", id, s->series ? 's' : 'g',
             s->compress ? 'c' : 'n', s->ttl_s > 0 ? 't' : 'e');
}

void space_family_options(const char *name, struct kvs_family_options *out)
{
    *out = (struct kvs_family_options){ .compress = true, .blobs = true };
    if (strlen(name) == NAME_CHARS && name[0] == 's' && memcmp(name + 9, ".0.", 3) == 0) {
        bool ttl = name[14] == 't';
        out->series = name[12] == 's';
        out->compress = name[13] == 'c';
        out->blobs = !ttl;
        out->ttl_s = ttl ? TTL_COMPACTION_S : 0;
    }
}

/* A filter must ignore snapshots. What expired only just now may still be wanted by one of a single
 * page; those with a handle tell when they were made. */
#define TTL_MARGIN_S 120

static uint64_t ttl_now_s(struct engine *e)
{
    uint64_t now_s = engine_utc_s(e);
    uint64_t oldest_s = atomic_load(&e->snapshot_oldest_s);

    return (now_s < oldest_s ? now_s : oldest_s) - TTL_MARGIN_S;
}

/* Locators stay: their object must go with them, which only a commit can do. */
static unsigned char ttl_over(void *state, int level, const char *key, size_t key_len,
                              const char *value, size_t value_len, char **new_value,
                              size_t *new_len, unsigned char *changed)
{
    struct engine *e = state;
    struct kvs_record record;

    (void)level;
    (void)key;
    (void)key_len;
    (void)new_value;
    (void)new_len;
    *changed = 0;
    return !record_read((struct bytes){ (const uint8_t *)value, value_len }, &record).code &&
           !record.is_object && record_expired(&record, ttl_now_s(e));
}

static const char *ttl_name(void *state)
{
    (void)state;
    return "ttl";
}

static void ttl_free(void *state)
{
    (void)state;
}

rocksdb_compactionfilter_t *space_ttl_filter(struct engine *e)
{
    rocksdb_compactionfilter_t *f = rocksdb_compactionfilter_create(e, ttl_free, ttl_over,
                                                                    ttl_name);

    rocksdb_compactionfilter_set_ignore_snapshots(f, 1);
    return f;
}

void space_entry_write(const struct space *s, uint8_t out[SPACE_ENTRY_BYTES])
{
    unsigned flags = (s->settings.series ? SPACE_SERIES : 0u) |
                     (s->settings.compress ? SPACE_COMPRESS : 0u);

    store_u32(out, s->id);
    store_u32(out + 4, flags);
    store_u64(out + 8, s->settings.quota_bytes);
    store_u64(out + 16, s->settings.quota_keys);
    store_u64(out + 24, s->settings.ttl_s);
}

err space_entry_read(struct bytes raw, struct space *out)
{
    if (raw.len != SPACE_ENTRY_BYTES || load_u32(raw.ptr + 4) > (SPACE_SERIES | SPACE_COMPRESS)) {
        FAIL(ERR_CORRUPT, "the entry of a space has %zu octets or unknown flags", raw.len);
    }
    uint32_t flags = load_u32(raw.ptr + 4);
    out->id = load_u32(raw.ptr);
    out->settings = (struct space_settings){
        .series = flags & SPACE_SERIES,
        .compress = flags & SPACE_COMPRESS,
        .quota_bytes = load_u64(raw.ptr + 8),
        .quota_keys = load_u64(raw.ptr + 16),
        .ttl_s = load_u64(raw.ptr + 24),
    };
    space_family_name(out->id, &out->settings, out->family_name);
    return OK;
}

/* --- usage --- */

static void usage_put(struct engine *e, struct space *s, rocksdb_writebatch_t *batch)
{
    uint8_t raw[SPACE_USAGE_BYTES];
    char key[16];

    engine_id_key(META_USAGE, s, key);
    store_u64(raw, atomic_load(&s->used_keys));
    store_u64(raw + 8, atomic_load(&s->used_bytes));
    engine_batch_put(batch, e->meta, key, BYTES_OF(raw));
    s->usage_changed = false;
}

void engine_usages_put(struct engine *e, rocksdb_writebatch_t *batch)
{
    for (struct space *s = e->spaces; s != NULL; s = s->next) {
        if (s->usage_changed) {
            usage_put(e, s, batch);
        }
    }
}

void engine_usage_changed(struct engine *e, struct space *s)
{
    (void)e;
    s->usage_changed = true;
}

static err usage_load(struct engine *e, struct space *s)
{
    AUTO(found_done) struct found f = { 0 };
    char key[16];
    uint64_t keys;
    uint64_t octets;

    engine_id_key(META_USAGE, s, key);
    TRY(engine_get_raw(e, e->meta, bytes_of_string(key), e->read, &f.pin));
    struct bytes raw = engine_pinned(f.pin);
    TRY(bytes_read_u64(&raw, &keys));
    TRY(bytes_read_u64(&raw, &octets));
    atomic_store(&s->used_keys, keys);
    atomic_store(&s->used_bytes, octets);
    return OK;
}

void engine_usages_reload(struct engine *e)
{
    for (struct space *s = e->spaces; s != NULL; s = s->next) {
        (void)usage_load(e, s).code;
    }
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
    engine_batch_put(batch, e->meta, key, BYTES_OF(raw));
    usage_put(e, s, batch);
    store_u64(id, e->space_id);
    engine_batch_put(batch, e->meta, META_SPACE_ID, BYTES_OF(id));
    err result = engine_write_sync(e, batch);
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
    TRY(engine_log_check(e, FAMILY_LOG_BYTES));
    TRY(space_take(name, &s));
    s->id = ++e->space_id;
    s->settings = *settings;
    space_family_name(s->id, settings, s->family_name);
    space_family_options(s->family_name, &options);
    if (settings->ttl_s > 0) {
        options.filter = space_ttl_filter(e);
    }
    TRY(kvs_db_family_create(e->db, s->family_name, &options, &s->family));
    /* A crash here leaves a family that no space names: it is dropped at the next open. */
    TRY(entry_save(e, s));
    space_publish(e, TAKE(s));
    return OK;
}

/* Exact figures for a space that had no quota so far. They could not stay exact beside keys that
 * expire by themselves. */
static err space_count_up(struct engine *e, struct space *s)
{
    rocksdb_iterator_t *it = rocksdb_create_iterator_cf(e->rocks, e->read, s->family);
    uint64_t keys = 0;
    uint64_t octets = 0;
    bool expiring = false;
    char *text = NULL;

    for (rocksdb_iter_seek_to_first(it); rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct kvs_record record;
        size_t key_len;
        size_t len;
        rocksdb_iter_key(it, &key_len);
        const char *raw = rocksdb_iter_value(it, &len);
        if (!record_read((struct bytes){ (const uint8_t *)raw, len }, &record).code) {
            expiring = expiring || record.expiry_s > 0;
            keys++;
            octets += key_len + record.value_len;
        }
    }
    rocksdb_iter_get_error(it, &text);
    rocksdb_iter_destroy(it);
    TRY(kvs_rocks_err(text));
    if (expiring) {
        FAIL(ERR_CONFLICT, "a space with keys that expire can have no quota");
    }
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
    engine_id_key(META_USAGE, s, key);
    rocksdb_writebatch_delete_cf(batch, e->meta, key, strlen(key));
    engine_id_key(META_OBJECTS, s, key);
    rocksdb_writebatch_delete_cf(batch, e->meta, key, strlen(key));
}

err engine_space_drop(struct engine *e, struct space *s)
{
    AUTO(buf_done) struct buf ids = { .max = (size_t)ENGINE_OBJECTS_MAX * OBJECT_ID_BYTES };

    if (atomic_load(&s->has_objects)) {
        TRY(engine_objects_of(e, s, &ids));
    }
    struct removal removal = { e, rocksdb_writebatch_create() };
    entry_remove(e, s, removal.batch);
    engine_ids_each(buf_bytes(&ids), object_remove, &removal);
    err result = engine_write_sync(e, removal.batch);
    rocksdb_writebatch_destroy(removal.batch);
    TRY(result);
    engine_ids_each(buf_bytes(&ids), object_abandon, e);
    atomic_store(&s->dropped, true);
    space_unlist(e, s);
    space_release(s);
    return OK;
}

void engine_reap(struct engine *e)
{
    struct space **at = &e->dropped;

    engine_snapshots_expire(e);
    engine_objects_sweep(e);

    while (*at != NULL) {
        struct space *s = *at;
        if (atomic_load(&s->refs) > 0 || engine_log_check(e, FAMILY_LOG_BYTES).code) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        /* Should it fail, the family is dropped at the next open: no space names it any more. */
        (void)kvs_db_family_drop(e->db, s->family_name).code;
        mem_give(s);
    }
}

/* --- at open and close --- */

static err objects_load(struct engine *e, struct space *s)
{
    AUTO(found_done) struct found f = { 0 };
    char key[16];

    engine_id_key(META_OBJECTS, s, key);
    err known = engine_get_raw(e, e->meta, bytes_of_string(key), e->read, &f.pin);
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

err engine_spaces_load(struct engine *e)
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

err engine_orphans_drop(struct engine *e)
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

void engine_spaces_free(struct space *s)
{
    while (s != NULL) {
        struct space *next = s->next;
        mem_give(s);
        s = next;
    }
}
