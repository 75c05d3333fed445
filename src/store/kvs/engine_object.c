/* SPDX-License-Identifier: Apache-2.0 */
/* Large values: which are in use, which wait for their end. */
#include <string.h>

#include "lib/base/clock.h"
#include "store/kvs/engine_impl.h"

err engine_object_write(struct engine *e, struct bytes value, struct object_id *out)
{
    struct volume_figures figures = { 0 };

    volume_info(e->volume, &figures);
    if (figures.disk_free_bytes < value.len ||
        figures.disk_free_bytes - value.len < e->options.disk_free_min_bytes) {
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
        engine_id_key(META_OBJECTS, s, key);
        engine_batch_put(batch, e->meta, key, (struct bytes){ 0 });
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

/* Takes the oldest id whose time is over, and which no snapshot can show. */
static bool abandoned_take(struct engine *e, uint64_t now_us, size_t *at, struct object_id *out)
{
    pthread_mutex_lock(&e->objects_lock);
    bool due = *at < e->abandoned.len &&
               now_us - load_u64(e->abandoned.ptr + *at) >= e->options.object_grace_us &&
               load_u64(e->abandoned.ptr + *at) < atomic_load(&e->snapshot_oldest_us);
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

void engine_objects_sweep(struct engine *e)
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

err engine_objects_of(struct engine *e, const struct space *s, struct buf *out)
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

void engine_ids_each(struct bytes ids, void (*each)(void *arg, const struct object_id *id),
                     void *arg)
{
    struct object_id id;

    while (!bytes_read_copy(&ids, id.octets, sizeof id.octets).code) {
        each(arg, &id);
    }
}

err engine_objects_clean(struct engine *e)
{
    AUTO(buf_done) struct buf ids = { .max = (size_t)ENGINE_OBJECTS_MAX * OBJECT_ID_BYTES };
    struct object_id id;

    TRY(object_list(e->volume, &ids));
    struct bytes rest = buf_bytes(&ids);
    while (rest.len > 0) {
        AUTO(found_done) struct found f = { 0 };
        TRY(bytes_read_copy(&rest, id.octets, sizeof id.octets));
        err known = engine_get_raw(e, e->objects, BYTES_OF(id.octets), e->read, &f.pin);
        if (known.code == ERR_MISSING) {
            known = object_delete(e->volume, &id);
        }
        TRY(known);
    }
    return OK;
}
