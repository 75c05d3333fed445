/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of epoch keys and the keys of spaces, as they are in memory. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

static err ring_add(struct volume *v, uint32_t epoch, const struct key *vek)
{
    struct ring_key *r = &v->ring[v->ring_count];

    if (v->ring_count == KVS_RING_MAX) {
        FAIL(ERR_LIMIT, "the ring has %d epoch keys, which is its bound", KVS_RING_MAX);
    }
    TRY(key_wrap(&v->kek, vek, r->wrapped));
    r->epoch = epoch;
    r->vek = *vek;
    v->ring_count++;
    return OK;
}

err volume_keys_new(struct volume *v)
{
    AUTO(key_done) struct key vek = { .size = 32 };

    TRY(kvs_kek(&v->config.root_key, v->cluster, &v->kek));
    v->io->random(v->io->self, vek.octets, vek.size);
    return ring_add(v, 1, &vek);
}

err volume_keys_load(struct volume *v, const struct kvs_root *r)
{
    TRY(kvs_kek(&v->config.root_key, v->cluster, &v->kek));
    for (uint32_t i = 0; i < r->ring_count; i++) {
        AUTO(key_done) struct key vek = { 0 };
        err e = key_unwrap(&v->kek, BYTES_OF(r->ring[i].wrapped), &vek);
        if (e.code) {
            FAIL(ERR_CORRUPT, "root: epoch key %u does not unwrap", r->ring[i].epoch);
        }
        TRY(ring_add(v, r->ring[i].epoch, &vek));
    }
    return OK;
}

void volume_keys_done(struct volume *v)
{
    struct space_key *s, *next;

    HASH_ITER(hh, v->spaces, s, next) {
        HASH_DEL(v->spaces, s);
        key_done(&s->key);
        mem_give(s);
    }
    wipe(v->ring, sizeof v->ring);
    key_done(&v->kek);
    key_done(&v->config.root_key);
}

const struct ring_key *volume_vek(const struct volume *v, uint32_t epoch)
{
    for (uint32_t i = 0; i < v->ring_count; i++) {
        if (v->ring[i].epoch == epoch) {
            return &v->ring[i];
        }
    }
    return NULL;
}

const struct ring_key *volume_vek_now(const struct volume *v)
{
    return &v->ring[v->ring_count - 1];
}

uint32_t volume_space_of(const char *path)
{
    static const char before[] = "/v/s";
    uint8_t id[4];

    if (strncmp(path, before, sizeof before - 1) != 0) {
        return 0;
    }
    const char *digits = path + sizeof before - 1;
    if (strlen(digits) < 9 || digits[8] != '.') {
        return 0;
    }
    err e = hex_decode((struct bytes){ (const uint8_t *)digits, 8 }, id, sizeof id);
    return e.code ? 0 : load_u32(id);
}

static struct space_key *space_find(struct volume *v, uint32_t space)
{
    struct space_key *s;

    HASH_FIND(hh, v->spaces, &space, sizeof space, s);
    return s;
}

static err space_add(struct volume *v, const struct space_key *fresh)
{
    struct space_key *s = mem_take(sizeof *s);

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory for a space's key");
    }
    *s = *fresh;
    HASH_ADD(hh, v->spaces, space, sizeof s->space, s);
    if (s->map_full) {
        key_done(&s->key);
        mem_give(s);
        FAIL(ERR_LIMIT, "no memory for a space's key");
    }
    return OK;
}

static void space_remove(struct volume *v, uint32_t space)
{
    struct space_key *s = space_find(v, space);

    if (s != NULL) {
        HASH_DEL(v->spaces, s);
        key_done(&s->key);
        mem_give(s);
    }
}

static struct kvs_edit space_edit(const struct space_key *s)
{
    struct kvs_edit edit = { .type = KVS_EDIT_KEYS,
                             .u.keys = { .space = s->space, .key_epoch = s->key_epoch } };

    memcpy(edit.u.keys.wrapped, s->wrapped, sizeof s->wrapped);
    return edit;
}

err volume_space_key_make(struct volume *v, uint32_t space)
{
    if (space == 0 || space_find(v, space) != NULL) {
        return OK;
    }
    AUTO(key_done) struct key kek = { 0 };
    struct space_key s = { .space = space, .key_epoch = volume_vek_now(v)->epoch };

    s.key.size = 32;
    v->io->random(v->io->self, s.key.octets, s.key.size);
    err e = kvs_space_kek(&volume_vek_now(v)->vek, &kek);
    if (!e.code) {
        e = key_wrap(&kek, &s.key, s.wrapped);
    }
    if (!e.code) {
        e = space_add(v, &s);
    }
    if (!e.code) {
        const struct kvs_edit edit = space_edit(&s);
        e = volume_queue(v, &edit);
        if (e.code) { /* a key that no log knows must not seal anything */
            space_remove(v, space);
        }
    }
    key_done(&s.key);
    return e;
}

err volume_space_drop(struct volume *v, uint32_t space)
{
    pthread_mutex_lock(&v->lock);
    err e = volume_check_writable(v);
    if (!e.code && space_find(v, space) != NULL) {
        const struct kvs_edit edit = { .type = KVS_EDIT_KEYS,
                                       .u.keys = { .space = space, .dropped = true } };
        e = volume_queue(v, &edit);
    }
    if (!e.code) {
        space_remove(v, space);
    }
    pthread_mutex_unlock(&v->lock);
    return e;
}

err volume_space_key_apply(struct volume *v, const struct kvs_edit *edit)
{
    AUTO(key_done) struct key kek = { 0 };
    struct space_key s = { .space = edit->u.keys.space, .key_epoch = edit->u.keys.key_epoch };

    space_remove(v, edit->u.keys.space);
    if (edit->u.keys.dropped) {
        return OK;
    }
    const struct ring_key *r = volume_vek(v, s.key_epoch);
    if (r == NULL) {
        FAIL(ERR_CORRUPT, "space key under the unknown epoch key %u", s.key_epoch);
    }
    TRY(kvs_space_kek(&r->vek, &kek));
    err e = key_unwrap(&kek, BYTES_OF(edit->u.keys.wrapped), &s.key);
    if (e.code) {
        FAIL(ERR_CORRUPT, "the key of space %08x does not unwrap", s.space);
    }
    memcpy(s.wrapped, edit->u.keys.wrapped, sizeof s.wrapped);
    e = space_add(v, &s);
    key_done(&s.key);
    return e;
}

err volume_space_keys_save(struct volume *v, struct buf *out)
{
    struct space_key *s, *next;

    HASH_ITER(hh, v->spaces, s, next) {
        const struct kvs_edit edit = space_edit(s);
        TRY(kvs_edit_encode(&edit, out));
    }
    return OK;
}

err volume_file_key(struct volume *v, const struct kvs_file_entry *e, struct key *out)
{
    AUTO(key_done) struct key from = { 0 };

    if (e->space == 0) {
        const struct ring_key *r = volume_vek(v, e->key_epoch);
        if (r == NULL) {
            FAIL(ERR_CORRUPT, "a file under the unknown epoch key %u", e->key_epoch);
        }
        from = r->vek;
    } else {
        pthread_mutex_lock(&v->lock);
        const struct space_key *s = space_find(v, e->space);
        if (s != NULL) {
            from = s->key;
        }
        pthread_mutex_unlock(&v->lock);
        if (from.size == 0) {
            FAIL(ERR_MISSING, "space %08x was dropped, and its key with it", e->space);
        }
    }
    return kvs_file_key(&from, v->config.shard, &e->id, out);
}
