/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed files: written once, front to back, as one whole copy; read block by block.
 *
 * Nonces: the key of a file comes from its random id, and each block index is sealed once, because
 * a sealer that failed seals nothing any more. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

#define SCRATCH_BYTES (SCRATCH_BLOCKS * KVS_BLOCK_BYTES)

/* --- writing ------------------------------------------------------------------------------- */

struct sealer {
    struct volume *v;
    struct kvs_file_entry entry;
    struct key key;
    struct aead *aead;
    struct hash *digest; /* over the tags */
    void *object;        /* NULL until the first octets leave */
    char name[KVS_NAME_BYTES];
    bool broken;
    volume_wait_fn wait; /* or NULL */
    void *wait_arg;
    size_t plain_len;
    size_t sealed_len;
    uint8_t plain[KVS_BLOCK_PLAIN];
    uint8_t sealed[SCRATCH_BYTES];
};

static err sealer_start(struct sealer *s, enum volume_kind kind, uint32_t space)
{
    struct volume *v = s->v;

    TRY(aead_new(&s->aead));
    TRY(hash_new(&s->digest));
    s->entry = (struct kvs_file_entry){
        .kind = (uint8_t)kind,
        .block_log2 = KVS_BLOCK_LOG2,
        .spread = { .r = 1, .unit = KVS_UNIT_BLOCKS },
        .key_epoch = volume_vek_now(v)->epoch,
        .space = space,
        .epoch = v->epoch,
        .created_s = v->io->utc_s(v->io->self),
    };
    v->io->random(v->io->self, s->entry.id.octets, sizeof s->entry.id.octets);
    kvs_name_text(&s->entry.id, s->entry.spread.gen, 0, s->name);
    return volume_file_key(v, &s->entry, &s->key);
}

err volume_sealer_new(struct volume *v, enum volume_kind kind, uint32_t space,
                      struct sealer **out)
{
    AUTO(volume_sealer_freep) struct sealer *s = mem_take(sizeof *s);

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory to write another file");
    }
    s->v = v;
    TRY(sealer_start(s, kind, space));
    *out = TAKE(s);
    return OK;
}

void volume_sealer_free(struct sealer *s)
{
    if (s == NULL) {
        return;
    }
    if (s->object != NULL) {
        s->v->io->object_drop(s->v->io->self, s->object);
    }
    aead_free(s->aead);
    hash_free(s->digest);
    wipe(&s->key, sizeof s->key);
    wipe(s->plain, sizeof s->plain);
    mem_give(s);
}

void volume_sealer_freep(struct sealer **s)
{
    volume_sealer_free(*s);
}

uint64_t volume_sealer_size(const struct sealer *s)
{
    return s->entry.length;
}

void volume_sealer_wait(struct sealer *s, volume_wait_fn wait, void *arg)
{
    s->wait = wait;
    s->wait_arg = arg;
}

static err sealed_write(struct sealer *s)
{
    const struct volume_io *io = s->v->io;

    if (s->object == NULL) {
        TRY(io->object_create(io->self, s->name, &s->object));
    }
    return io->object_append(io->self, s->object, (struct bytes){ s->sealed, s->sealed_len });
}

/* The same octets again at the same place: nothing is sealed twice. */
static err sealer_flush(struct sealer *s)
{
    err e = sealed_write(s);

    while (e.code == ERR_LIMIT && s->wait != NULL && s->wait(s->wait_arg)) {
        e = sealed_write(s);
    }
    TRY(e);
    s->sealed_len = 0;
    return OK;
}

static struct kvs_block block_of(const struct volume *v, const struct kvs_file_entry *e,
                                 uint64_t index, uint32_t plain_len, bool last)
{
    return (struct kvs_block){ .kind = e->kind, .last = last, .block_log2 = e->block_log2,
                               .file = e->id, .epoch = e->epoch, .index = index,
                               .plain_len = plain_len, .key_epoch = e->key_epoch,
                               .shard = v->config.shard };
}

static err seal_block(struct sealer *s, const uint8_t *plain, size_t len, bool last)
{
    const struct kvs_block b = block_of(s->v, &s->entry, s->entry.blocks, (uint32_t)len, last);

    if (s->entry.blocks == KVS_BLOCKS_MAX) {
        FAIL(ERR_LIMIT, "a sealed file has at most %u blocks", KVS_BLOCKS_MAX);
    }
    if (s->sealed_len + len + AEAD_TAG_BYTES > sizeof s->sealed) {
        TRY(sealer_flush(s));
    }
    uint8_t *at = s->sealed + s->sealed_len;
    TRY(kvs_block_seal(s->aead, &s->key, &b, plain, at));
    hash_add(s->digest, (struct bytes){ at + len, AEAD_TAG_BYTES });
    s->sealed_len += len + AEAD_TAG_BYTES;
    s->entry.blocks++;
    return OK;
}

/* A full block is held back until more comes, because the last block says that it is the last. */
static err sealer_add(struct sealer *s, struct bytes data)
{
    while (data.len > 0) {
        if (s->plain_len == sizeof s->plain) {
            TRY(seal_block(s, s->plain, sizeof s->plain, false));
            s->plain_len = 0;
        }
        size_t part = sizeof s->plain - s->plain_len;
        part = part < data.len ? part : data.len;
        if (s->plain_len == 0 && data.len > sizeof s->plain) {
            TRY(seal_block(s, data.ptr, part, false));
        } else {
            memcpy(s->plain + s->plain_len, data.ptr, part);
            s->plain_len += part;
        }
        s->entry.length += part;
        data.ptr += part;
        data.len -= part;
    }
    return OK;
}

err volume_sealer_append(struct sealer *s, struct bytes data)
{
    if (s->broken) {
        FAIL(ERR_IO, "%s: an earlier write failed; write the file anew", s->name);
    }
    err e = sealer_add(s, data);
    s->broken = e.code != ERR_NONE;
    return e;
}

static struct kvs_foot foot_of(const struct volume *v, const struct kvs_file_entry *e)
{
    struct kvs_foot f = { .role = KVS_COPY, .block_log2 = e->block_log2, .spread = e->spread,
                          .file = e->id, .shard = v->config.shard, .key_epoch = e->key_epoch,
                          .epoch = e->epoch, .length = e->length, .blocks = e->blocks,
                          .rows = e->blocks };

    memcpy(f.digest, e->digest.octets, sizeof f.digest);
    return f;
}

static err sealer_end(struct sealer *s)
{
    AUTO(key_done) struct key frag = { 0 };
    const struct volume_io *io = s->v->io;

    if (s->plain_len > 0) {
        TRY(seal_block(s, s->plain, s->plain_len, true));
        s->plain_len = 0;
    }
    s->entry.digest = hash_finish(s->digest);
    if (s->entry.blocks == 0) {
        return OK; /* an empty file has an entry only */
    }
    const struct kvs_foot foot = foot_of(s->v, &s->entry);
    if (s->sealed_len + KVS_FOOT_BYTES > sizeof s->sealed) {
        TRY(sealer_flush(s));
    }
    TRY(kvs_frag_key(&s->key, &s->entry.spread, &frag));
    TRY(kvs_foot_seal(s->aead, &frag, &foot, s->sealed + s->sealed_len));
    s->sealed_len += KVS_FOOT_BYTES;
    TRY(sealer_flush(s));
    TRY(io->object_seal(io->self, s->object));
    s->object = NULL;
    return OK;
}

err volume_sealer_finish(struct sealer *s, struct kvs_file_entry *out)
{
    if (s->broken) {
        FAIL(ERR_IO, "%s: an earlier write failed; write the file anew", s->name);
    }
    s->broken = true; /* nothing more comes, whatever happens now */
    TRY(sealer_end(s));
    *out = s->entry;
    return OK;
}

/* --- scratch ------------------------------------------------------------------------------- */

static void scratch_free(struct scratch *s)
{
    aead_free(s->aead);
    mem_give(s->sealed);
    mem_give(s);
}

static err scratch_new(struct scratch **out)
{
    struct scratch *s = mem_take(sizeof *s);

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory to read");
    }
    s->sealed = mem_take(SCRATCH_BYTES + KVS_BLOCK_BYTES);
    if (s->sealed == NULL || aead_new(&s->aead).code) {
        scratch_free(s);
        FAIL(ERR_LIMIT, "no memory to read");
    }
    *out = s;
    return OK;
}

err volume_scratch_take(struct volume *v, struct scratch **out)
{
    pthread_mutex_lock(&v->scratch_lock);
    struct scratch *s = v->idle;
    if (s != NULL) {
        v->idle = s->next;
        v->idle_count--;
    }
    pthread_mutex_unlock(&v->scratch_lock);
    if (s == NULL) {
        return scratch_new(out);
    }
    *out = s;
    return OK;
}

void volume_scratch_give(struct volume *v, struct scratch *s)
{
    pthread_mutex_lock(&v->scratch_lock);
    bool keep = v->idle_count < SCRATCH_COUNT_MAX;
    if (keep) {
        s->next = v->idle;
        v->idle = s;
        v->idle_count++;
    }
    pthread_mutex_unlock(&v->scratch_lock);
    if (!keep) {
        scratch_free(s);
    }
}

void volume_scratch_done(struct volume *v)
{
    while (v->idle != NULL) {
        struct scratch *s = v->idle;
        v->idle = s->next;
        scratch_free(s);
    }
}

/* --- reading ------------------------------------------------------------------------------- */

static uint64_t stored_size(const struct kvs_file_entry *e)
{
    return e->length + (uint64_t)e->blocks * AEAD_TAG_BYTES + KVS_FOOT_BYTES;
}

static bool foot_fits(const struct kvs_foot *a, const struct kvs_foot *b)
{
    return a->role == b->role && a->index == b->index && a->block_log2 == b->block_log2 &&
           memcmp(&a->spread, &b->spread, sizeof a->spread) == 0 &&
           kvs_id_equal(&a->file, &b->file) && a->shard == b->shard &&
           a->key_epoch == b->key_epoch && a->epoch == b->epoch && a->length == b->length &&
           a->blocks == b->blocks && a->rows == b->rows &&
           memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static err foot_check(struct opener *o, struct scratch *s)
{
    AUTO(key_done) struct key frag = { 0 };
    const struct volume_io *io = o->v->io;
    const struct kvs_foot want = foot_of(o->v, &o->entry);
    uint8_t raw[KVS_FOOT_BYTES];
    struct kvs_foot got;

    TRY(io->object_read(io->self, o->object, stored_size(&o->entry) - sizeof raw, raw,
                        sizeof raw));
    TRY(kvs_frag_key(&o->key, &o->entry.spread, &frag));
    if (kvs_foot_check(s->aead, &frag, BYTES_OF(raw)).code ||
        kvs_foot_parse(BYTES_OF(raw), &got).code || !foot_fits(&got, &want)) {
        FAIL(ERR_CORRUPT, "%s: the foot is not the one that was written", o->name);
    }
    return OK;
}

static err object_find(struct opener *o)
{
    const struct volume_io *io = o->v->io;
    uint64_t size;

    err e = io->object_open(io->self, o->name, &o->object, &size);
    if (e.code == ERR_MISSING) {
        FAIL(ERR_CORRUPT, "%s: the file is missing", o->name);
    }
    TRY(e);
    if (size != stored_size(&o->entry)) {
        FAIL(ERR_CORRUPT, "%s: %" PRIu64 " octets, but %" PRIu64 " were written", o->name, size,
             stored_size(&o->entry));
    }
    return OK;
}

static err opener_start(struct opener *o)
{
    struct scratch *s;

    TRY(volume_file_key(o->v, &o->entry, &o->key));
    if (o->entry.blocks == 0) {
        return OK;
    }
    TRY(object_find(o));
    TRY(volume_scratch_take(o->v, &s));
    err e = foot_check(o, s);
    volume_scratch_give(o->v, s);
    return e;
}

err volume_opener_init(struct volume *v, const struct kvs_file_entry *e, struct opener *out)
{
    struct opener o = { .v = v, .entry = *e };

    kvs_name_text(&e->id, e->spread.gen, 0, o.name);
    err result = opener_start(&o);
    if (result.code) {
        volume_opener_done(&o);
        return result;
    }
    *out = o;
    return OK;
}

void volume_opener_done(struct opener *o)
{
    if (o->object != NULL) {
        o->v->io->object_close(o->v->io->self, o->object);
        o->object = NULL;
    }
    key_done(&o->key);
}

/* Part of the octets of one file, and the blocks that hold them. */
struct span {
    uint64_t first, count; /* blocks */
    uint64_t offset;       /* of the wanted octets, in the file */
    uint8_t *out;
    size_t size;
};

static uint32_t plain_of(const struct kvs_file_entry *e)
{
    return (1u << e->block_log2) - AEAD_TAG_BYTES;
}

static uint32_t block_len(const struct kvs_file_entry *e, uint64_t index)
{
    return index + 1 < e->blocks ? plain_of(e)
                                 : (uint32_t)(e->length - (e->blocks - UINT64_C(1)) * plain_of(e));
}

/* Opens one block; where only part of it is wanted, by way of a place of its own. */
static err open_block(struct opener *o, struct scratch *s, uint64_t index, const uint8_t *sealed,
                      const struct span *want)
{
    uint32_t len = block_len(&o->entry, index);
    uint64_t start = index * plain_of(&o->entry);
    const struct kvs_block b = block_of(o->v, &o->entry, index, len, index + 1 == o->entry.blocks);
    uint64_t from = start > want->offset ? start : want->offset;
    uint64_t to = start + len < want->offset + want->size ? start + len : want->offset + want->size;
    bool whole = from == start && to == start + len;
    uint8_t *out = want->out + (from - want->offset);
    uint8_t *place = whole ? out : s->sealed + SCRATCH_BYTES;

    if (kvs_block_open(s->aead, &o->key, &b, sealed, place).code) {
        FAIL(ERR_CORRUPT, "%s: block %" PRIu64 " is not the one that was written", o->name, index);
    }
    if (!whole) {
        memcpy(out, place + (from - start), to - from);
    }
    return OK;
}

static err read_span(struct opener *o, struct scratch *s, const struct span *p)
{
    const struct volume_io *io = o->v->io;
    uint64_t block_bytes = UINT64_C(1) << o->entry.block_log2;
    uint64_t last = p->first + p->count - 1;
    size_t size = (size_t)((p->count - 1) * block_bytes + block_len(&o->entry, last) +
                           AEAD_TAG_BYTES);

    TRY(io->object_read(io->self, o->object, p->first * block_bytes, s->sealed, size));
    for (uint64_t i = 0; i < p->count; i++) {
        TRY(open_block(o, s, p->first + i, s->sealed + i * block_bytes, p));
    }
    return OK;
}

static err read_with(struct opener *o, struct scratch *s, uint64_t offset, uint8_t *out,
                     size_t size)
{
    uint64_t per_read = SCRATCH_BYTES >> o->entry.block_log2;
    uint64_t first = offset / plain_of(&o->entry);
    uint64_t end = (offset + size - 1) / plain_of(&o->entry) + 1;

    for (uint64_t at = first; at < end; at += per_read) {
        uint64_t count = end - at < per_read ? end - at : per_read;
        const struct span p = { at, count, offset, out, size };
        TRY(read_span(o, s, &p));
    }
    return OK;
}

err volume_opener_read(struct opener *o, uint64_t offset, uint8_t *out, size_t size)
{
    struct scratch *s;

    assert(offset <= o->entry.length && size <= o->entry.length - offset);
    if (size == 0) {
        return OK;
    }
    TRY(volume_scratch_take(o->v, &s));
    err e = read_with(o, s, offset, out, size);
    volume_scratch_give(o->v, s);
    return e;
}
