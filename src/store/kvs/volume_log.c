/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the commit log: segments and frames. Only the leader is here.
 *
 * Nonces: a segment has a random id and so a key of its own, a frame's index is its nonce, and a
 * segment is never continued after an open or a failed append. */
#include <assert.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

#define FRAME_KEEP_BYTES (4u << 20) /* a larger frame's memory is given back */

void volume_segment_free(struct volume *v, struct segment *s)
{
    if (s == NULL) {
        return;
    }
    if (s->handle != NULL) {
        v->io->segment_close(v->io->self, s->handle);
    }
    key_done(&s->key);
    mem_give(s);
}

static err frame_room(struct commit_log *c, size_t size)
{
    if (c->frame_cap >= size) {
        return OK;
    }
    uint8_t *memory = mem_take(size + KVS_FRAME_ALIGN);
    if (memory == NULL) {
        FAIL(ERR_LIMIT, "no memory for a frame of %zu octets", size);
    }
    mem_give(c->memory);
    c->memory = memory;
    c->frame = memory + (KVS_FRAME_ALIGN - (uintptr_t)memory % KVS_FRAME_ALIGN);
    c->frame_cap = size;
    return OK;
}

static void frame_shrink(struct commit_log *c)
{
    if (c->frame_cap > FRAME_KEEP_BYTES) {
        mem_give(c->memory);
        c->memory = c->frame = NULL;
        c->frame_cap = 0;
    }
}

static struct segment *newest(const struct commit_log *c)
{
    assert(c->count > 0);
    return c->segments[c->count - 1];
}

/* Writes one frame behind the last one of `s`; `chain` moves on only when it is durable. */
static err frame_write(struct volume *v, struct segment *s, struct kvs_frame *f, struct bytes text,
                       struct digest *chain)
{
    struct commit_log *c = &v->log;
    struct digest next = *chain;

    f->segment = s->ref.id;
    f->epoch = v->epoch;
    f->plain_len = (uint32_t)text.len;
    f->padded_len = kvs_frame_padded(f->plain_len);
    TRY(frame_room(c, f->padded_len));
    TRY(kvs_frame_seal(c->aead, &s->key, f, text.ptr, &next, c->frame));
    TRY(v->io->segment_append(v->io->self, s->handle, s->bytes,
                              (struct bytes){ c->frame, f->padded_len }));
    *chain = next;
    s->bytes += f->padded_len;
    s->ref.frames = f->index + 1;
    s->ref.end = next;
    return OK;
}

static err head_text(const struct volume *v, uint64_t number, struct buf *out)
{
    AUTO(mem_givep) struct kvs_head *h = mem_take(sizeof *h);

    if (h == NULL) {
        FAIL(ERR_LIMIT, "no memory for a segment's head");
    }
    h->number = number;
    h->count = v->log.count;
    for (uint32_t i = 0; i < h->count; i++) {
        h->segments[i] = v->log.segments[i]->ref;
    }
    return kvs_head_encode(h, out);
}

static err segment_start(struct volume *v, struct segment *s, uint64_t size, struct digest *chain)
{
    AUTO(buf_done) struct buf text = { .max = 16384 };
    struct kvs_frame f = { .type = KVS_FRAME_HEAD, .seq = v->log.seq };

    TRY(head_text(v, s->ref.number, &text));
    TRY(v->io->segment_create(v->io->self, s->ref.id.octets, size, &s->handle));
    return frame_write(v, s, &f, buf_bytes(&text), chain);
}

static err segment_new(struct volume *v, struct segment **out)
{
    struct segment *s = mem_take(sizeof *s);
    const struct ring_key *r = volume_vek_now(v);

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory for a segment");
    }
    v->io->random(v->io->self, s->ref.id.octets, sizeof s->ref.id.octets);
    s->ref.number = v->log.number + 1;
    s->ref.key_epoch = r->epoch;
    s->ref.start = v->log.chain;
    err e = kvs_log_key(&r->vek, v->config.shard, &s->ref.id, &s->key);
    if (e.code) {
        volume_segment_free(v, s);
        return e;
    }
    *out = s;
    return OK;
}

/* A new segment, so large that a frame of `need` octets fits behind its head. Its head says which
 * frames before it count; the root names it before anything is committed to it. */
static err segment_switch(struct volume *v, uint64_t need)
{
    struct commit_log *c = &v->log;
    struct segment *s;
    struct digest chain = c->chain;
    const uint64_t head_max = 3 * KVS_FRAME_ALIGN;
    uint64_t size = v->config.segment_bytes;

    if (c->count == KVS_SEGMENTS_MAX) {
        FAIL(ERR_LIMIT, "the log has %d live segments, which is its bound", KVS_SEGMENTS_MAX);
    }
    TRY(segment_new(v, &s));
    err e = segment_start(v, s, size < need + head_max ? need + head_max : size, &chain);
    if (e.code) {
        struct kvs_id id = s->ref.id;
        volume_segment_free(v, s);
        (void)v->io->segment_delete(v->io->self, id.octets).code;
        return e;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        c->segments[i]->listed = i;
    }
    v->root.segments_live = (UINT64_C(1) << c->count) - 1;
    c->segments[c->count++] = s;
    c->number = s->ref.number;
    c->chain = chain;
    c->index = 1;
    c->size = size < need + head_max ? need + head_max : size;
    /* The root may name the new segment whatever this answers, so there is no way back from a
     * failure: `broken` stays, and the caller ends all writing. */
    c->broken = true;
    TRY(volume_root_write(v));
    c->broken = false;
    return OK;
}

err volume_log_start(struct volume *v)
{
    return segment_switch(v, 0);
}

static err commit_write(struct volume *v, struct bytes text, struct replay_at *at)
{
    struct commit_log *c = &v->log;
    struct segment *s = newest(c);
    struct kvs_frame f = { .type = KVS_FRAME_COMMIT, .index = c->index, .seq = c->seq + 1 };
    const struct replay_at here = { .segment = s, .frame_offset = s->bytes, .chain = c->chain };

    err e = frame_write(v, s, &f, text, &c->chain);
    if (e.code) {
        c->broken = true;
        return e;
    }
    c->index++;
    c->seq++;
    c->bytes_since_checkpoint += f.padded_len;
    *at = here;
    return OK;
}

/* Where an append failed, the same text goes to a new segment, whose head voids what may have
 * reached the old one: the outcome is never "maybe" while the node still takes anything. */
err volume_log_commit(struct volume *v, struct bytes text, struct replay_at *out_at)
{
    struct commit_log *c = &v->log;
    uint32_t padded = kvs_frame_padded((uint32_t)text.len);

    if (newest(c)->bytes + padded > c->size) {
        TRY(segment_switch(v, padded));
    }
    err e = commit_write(v, text, out_at);
    if (e.code) {
        TRY(segment_switch(v, padded));
        e = commit_write(v, text, out_at);
    }
    frame_shrink(c);
    return e;
}

static err frame_fetch(struct volume *v, const struct segment *s, uint64_t offset,
                       struct kvs_frame *f, struct buf *raw)
{
    const struct volume_io *io = v->io;

    buf_clear(raw);
    TRY(buf_reserve(raw, KVS_FRAME_ALIGN));
    TRY(io->segment_read(io->self, s->handle, offset, raw->ptr, KVS_FRAME_ALIGN));
    TRY(kvs_frame_parse((struct bytes){ raw->ptr, KVS_FRAME_ALIGN }, f));
    TRY(buf_reserve(raw, f->padded_len));
    TRY(io->segment_read(io->self, s->handle, offset + KVS_FRAME_ALIGN,
                         raw->ptr + KVS_FRAME_ALIGN, f->padded_len - KVS_FRAME_ALIGN));
    raw->len = f->padded_len;
    return OK;
}

err volume_log_read_frame(struct volume *v, struct aead *a, const struct segment *s,
                          uint64_t offset, const struct digest *chain, struct buf *out)
{
    AUTO(buf_done) struct buf raw = { .max = VOLUME_FRAME_BYTES_MAX + 2 * KVS_FRAME_ALIGN };
    char name[KVS_ID_TEXT_BYTES];
    struct digest d = *chain;
    struct kvs_frame f;

    kvs_id_text(&s->ref.id, name);
    err e = frame_fetch(v, s, offset, &f, &raw);
    if (!e.code) {
        buf_clear(out);
        TRY(buf_reserve(out, f.plain_len + 1));
        e = kvs_frame_open(a, &s->key, &f, buf_bytes(&raw), &d, out->ptr);
    }
    if (e.code == ERR_AUTH || e.code == ERR_PROTO) {
        FAIL(ERR_CORRUPT, "log/%s: the frame at %llu is not the one that was written", name,
             (unsigned long long)offset);
    }
    TRY(e);
    out->len = f.plain_len;
    return OK;
}

uint64_t volume_log_needed(const struct volume *v)
{
    const struct commit_log *c = &v->log;
    uint64_t live = 0;

    for (uint32_t i = 0; i + 1 < c->count; i++) {
        live |= c->segments[i]->pins > 0 ? UINT64_C(1) << c->segments[i]->listed : 0;
    }
    return live;
}

void volume_log_forget_unneeded(struct volume *v, bool delete)
{
    struct commit_log *c = &v->log;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < c->count; i++) {
        struct segment *s = c->segments[i];
        struct kvs_id id = s->ref.id;
        if (i + 1 == c->count || s->pins > 0) {
            c->segments[kept++] = s;
            continue;
        }
        volume_segment_free(v, s);
        if (delete) {
            (void)v->io->segment_delete(v->io->self, id.octets).code; /* else at the next open */
        }
    }
    c->count = kept;
}

void volume_log_done(struct volume *v)
{
    for (uint32_t i = 0; i < v->log.count; i++) {
        volume_segment_free(v, v->log.segments[i]);
    }
    v->log.count = 0;
    aead_free(v->log.aead);
    mem_give(v->log.memory);
}
