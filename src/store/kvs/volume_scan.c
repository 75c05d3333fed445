/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the commit log at open: every live segment from the oldest on, frame by frame.
 *
 * In the segments before the newest each frame that counts must be there. In the newest the first
 * frame that is not good ends the log, when nothing good is behind it: a torn write. Something good
 * behind it is a hole, a right checksum with a wrong tag or chain is tampering: refused. */
#include <inttypes.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

#define SEARCH_BYTES (64 * KVS_FRAME_ALIGN)

struct scan {
    struct volume *v;
    struct segment *s;
    uint64_t size; /* of the segment */
    struct digest chain;
    uint64_t seq;
    uint64_t epoch; /* of the segment's frames */
    bool root_seen; /* the commit that the root knows has come by */
    struct buf raw, text;
    char name[KVS_ID_TEXT_BYTES];
};

enum step { STEP_FRAME, STEP_END };

static err segment_find(struct volume *v, const struct kvs_segment_ref *ref, struct segment **out,
                        uint64_t *out_size)
{
    struct segment *s = mem_take(sizeof *s);
    char name[KVS_ID_TEXT_BYTES];

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory for a segment");
    }
    kvs_id_text(&ref->id, name);
    s->ref = *ref;
    const struct ring_key *r = volume_vek(v, ref->key_epoch);
    err e = { ERR_NONE };
    if (r == NULL) {
        err_set(__FILE__, __LINE__, "log/%s: under the unknown epoch key %u", name, ref->key_epoch);
        e.code = ERR_CORRUPT;
    }
    if (!e.code) {
        e = kvs_log_key(&r->vek, v->config.shard, &ref->id, &s->key);
    }
    if (!e.code) {
        e = v->io->segment_open(v->io->self, ref->id.octets, &s->handle, out_size);
    }
    if (e.code == ERR_MISSING) {
        err_set(__FILE__, __LINE__, "log/%s: the segment is missing", name);
        e.code = ERR_CORRUPT;
    }
    if (e.code) {
        volume_segment_free(v, s);
        return e;
    }
    *out = s;
    return OK;
}

static err read_at(struct scan *c, uint64_t offset, uint8_t *out, size_t size)
{
    return c->v->io->segment_read(c->v->io->self, c->s->handle, offset, out, size);
}

/* The frame's octets into c->raw. STEP_END: what is there is no frame of this segment. */
static err frame_fetch(struct scan *c, uint64_t offset, struct kvs_frame *f, enum step *step)
{
    *step = STEP_END;
    if (offset + KVS_FRAME_ALIGN > c->size) {
        return OK;
    }
    buf_clear(&c->raw);
    TRY(buf_reserve(&c->raw, KVS_FRAME_ALIGN));
    TRY(read_at(c, offset, c->raw.ptr, KVS_FRAME_ALIGN));
    if (kvs_frame_parse((struct bytes){ c->raw.ptr, KVS_FRAME_ALIGN }, f).code ||
        !kvs_id_equal(&f->segment, &c->s->ref.id) || f->padded_len > c->size - offset) {
        return OK;
    }
    TRY(buf_reserve(&c->raw, f->padded_len));
    if (f->padded_len > KVS_FRAME_ALIGN) {
        TRY(read_at(c, offset + KVS_FRAME_ALIGN, c->raw.ptr + KVS_FRAME_ALIGN,
                    f->padded_len - KVS_FRAME_ALIGN));
    }
    c->raw.len = f->padded_len;
    *step = STEP_FRAME;
    return OK;
}

static err order_check(const struct scan *c, const struct kvs_frame *f, uint64_t index)
{
    bool head = index == 0;

    if (f->index != index || f->type != (head ? KVS_FRAME_HEAD : KVS_FRAME_COMMIT) ||
        (!head && (f->seq != c->seq + 1 || f->epoch != c->epoch))) {
        FAIL(ERR_CORRUPT, "log/%s: frame %" PRIu64 " is out of order", c->name, index);
    }
    return OK;
}

/* One frame at the end of what is known, opened into c->text. */
static err frame_next(struct scan *c, uint64_t index, struct kvs_frame *f, enum step *step)
{
    TRY(frame_fetch(c, c->s->bytes, f, step));
    if (*step == STEP_END) {
        return OK;
    }
    buf_clear(&c->text);
    TRY(buf_reserve(&c->text, f->plain_len + 1));
    struct digest chain = c->chain;
    err e = kvs_frame_open(c->v->log.aead, &c->s->key, f, buf_bytes(&c->raw), &chain, c->text.ptr);
    if (e.code == ERR_PROTO) {
        *step = STEP_END;
        return OK;
    }
    if (e.code == ERR_AUTH) {
        FAIL(ERR_CORRUPT, "log/%s: frame %" PRIu64 " was tampered with (its checksum is right, "
             "its seal is not)", c->name, index);
    }
    TRY(e);
    TRY(order_check(c, f, index));
    c->text.len = f->plain_len;
    c->chain = chain;
    return OK;
}

static err root_pass(struct scan *c)
{
    const struct kvs_root *r = &c->v->root;

    if (c->seq == r->seq && digest_equal(&c->chain, &r->chain)) {
        c->root_seen = true;
    }
    if (c->seq == c->v->anchor.seq && digest_equal(&c->chain, &c->v->anchor.chain)) {
        c->v->anchor_seen = true;
    }
    if (c->seq > r->seq && !c->root_seen) {
        FAIL(ERR_CORRUPT, "log/%s: the log leads past the root without meeting it", c->name);
    }
    return OK;
}

static err frame_apply(struct scan *c, const struct kvs_frame *f, const struct digest *before)
{
    const struct replay_at at = {
        .segment = c->s,
        .frame_offset = c->s->bytes,
        .chain = *before,
        .text = c->text.ptr,
        .before_checkpoint = f->seq <= c->v->checkpoint_seq,
    };

    err e = volume_replay(c->v, buf_bytes(&c->text), &at);
    return err_context(e, "log/%s, frame %" PRIu64, c->name, f->index);
}

/* Commits of a segment, up to `count` frames with the head, or to the end. */
static err commits_read(struct scan *c, uint64_t count)
{
    for (uint64_t index = 1; index < count; index++) {
        struct kvs_frame f;
        enum step step;
        const struct digest before = c->chain;
        TRY(frame_next(c, index, &f, &step));
        if (step == STEP_END) {
            return OK;
        }
        TRY(frame_apply(c, &f, &before));
        c->seq = f.seq;
        c->s->bytes += f.padded_len;
        c->s->ref.frames = index + 1;
        c->s->ref.end = c->chain;
        c->v->log.bytes_since_checkpoint += f.seq > c->v->checkpoint_seq ? f.padded_len : 0;
        TRY(root_pass(c));
    }
    return OK;
}

/* The head; its text stays in c->text. */
static err head_read(struct scan *c)
{
    struct kvs_frame f;
    enum step step;

    c->s->bytes = 0;
    c->chain = c->s->ref.start;
    TRY(frame_next(c, 0, &f, &step));
    if (step == STEP_END) {
        FAIL(ERR_CORRUPT, "log/%s: the segment has no head", c->name);
    }
    c->epoch = f.epoch;
    c->seq = f.seq;
    c->s->bytes = f.padded_len;
    c->s->ref.frames = 1;
    c->s->ref.end = c->chain;
    return root_pass(c);
}

/* Nothing of this segment may be behind its end: one frame is written at a time, so a torn write
 * leaves nothing good behind it. */
static err nothing_behind(struct scan *c)
{
    AUTO(mem_givep) uint8_t *part = mem_take(SEARCH_BYTES);

    if (part == NULL) {
        FAIL(ERR_LIMIT, "no memory to search a segment");
    }
    for (uint64_t at = c->s->bytes; at < c->size; at += SEARCH_BYTES) {
        uint64_t rest = c->size - at;
        size_t size = rest < SEARCH_BYTES ? (size_t)rest : SEARCH_BYTES;
        TRY(read_at(c, at, part, size));
        for (size_t i = 0; i + KVS_FRAME_ALIGN <= size; i += KVS_FRAME_ALIGN) {
            struct kvs_frame f;
            const struct bytes place = { part + i, KVS_FRAME_ALIGN };
            if (at + i > c->s->bytes && !kvs_frame_parse(place, &f).code &&
                kvs_id_equal(&f.segment, &c->s->ref.id)) {
                FAIL(ERR_CORRUPT, "log/%s: frame %" PRIu64 " is there, but not the one before it",
                     c->name, f.index);
            }
        }
    }
    return OK;
}

static err closed_read(struct scan *c, const struct kvs_segment_ref *ref)
{
    TRY(head_read(c));
    TRY(commits_read(c, ref->frames));
    if (c->s->ref.frames != ref->frames || !digest_equal(&c->chain, &ref->end)) {
        FAIL(ERR_CORRUPT, "log/%s: %" PRIu64 " frames of %" PRIu64 " are there", c->name,
             c->s->ref.frames, ref->frames);
    }
    return OK;
}

static err scan_open(struct scan *c, const struct kvs_segment_ref *ref)
{
    struct commit_log *log = &c->v->log;

    TRY(segment_find(c->v, ref, &c->s, &c->size));
    kvs_id_text(&ref->id, c->name);
    c->s->ref.frames = 0;
    log->segments[log->count++] = c->s;
    return OK;
}

/* The list of older segments, from the head of the newest. */
static err head_of_newest(struct scan *c, const struct kvs_segment_ref *ref, struct kvs_head *out)
{
    TRY(segment_find(c->v, ref, &c->s, &c->size));
    kvs_id_text(&ref->id, c->name);
    err e = head_read(c);
    if (!e.code) {
        e = kvs_head_parse(buf_bytes(&c->text), out);
        e.code = e.code == ERR_PROTO ? ERR_CORRUPT : e.code;
    }
    volume_segment_free(c->v, c->s);
    c->s = NULL;
    TRY(e);
    if (out->number != ref->number) {
        FAIL(ERR_CORRUPT, "log/%s: the root and the head give it different numbers", c->name);
    }
    return OK;
}

/* The chain goes on from one segment to the next by number; between others lie segments that were
 * given back. */
static err link_check(const struct kvs_segment_ref *before, const struct kvs_segment_ref *ref)
{
    if (before != NULL && before->number + 1 == ref->number &&
        !digest_equal(&before->end, &ref->start)) {
        FAIL(ERR_CORRUPT, "log: the segments do not make one chain");
    }
    return OK;
}

static err older_read(struct scan *c, const struct kvs_head *h, const struct kvs_segment_ref *last)
{
    const struct kvs_segment_ref *before = NULL;
    uint64_t live = c->v->root.segments_live;

    if (h->count < KVS_SEGMENTS_MAX && live >> h->count != 0) {
        FAIL(ERR_CORRUPT, "root: it counts segments that the newest one does not list; it may be "
             "of a program with another layout");
    }
    for (uint32_t i = 0; i < h->count; i++) {
        const struct kvs_segment_ref *ref = &h->segments[i];
        if ((live >> i & 1) == 0) {
            continue; /* given back since this head was written */
        }
        TRY(link_check(before, ref));
        TRY(scan_open(c, ref));
        TRY(closed_read(c, ref));
        before = ref;
    }
    return link_check(before, last);
}

static err newest_read(struct scan *c, const struct kvs_segment_ref *ref)
{
    TRY(scan_open(c, ref));
    TRY(head_read(c));
    TRY(commits_read(c, UINT64_MAX));
    return nothing_behind(c);
}

static err log_read(struct scan *c)
{
    struct volume *v = c->v;
    const struct kvs_root *r = &v->root;
    AUTO(mem_givep) struct kvs_head *h = mem_take(sizeof *h);
    const struct kvs_segment_ref ref = { .id = r->segment, .number = r->segment_number,
                                         .key_epoch = r->segment_key_epoch,
                                         .start = r->segment_start };

    if (h == NULL) {
        FAIL(ERR_LIMIT, "no memory for a segment's head");
    }
    TRY(head_of_newest(c, &ref, h));
    c->root_seen = false;
    TRY(older_read(c, h, &ref));
    TRY(newest_read(c, &ref));
    if (!c->root_seen && !v->config.accept_rollback) {
        FAIL(ERR_CORRUPT, "log/%s: the log ends at commit %" PRIu64 ", but the root knows %" PRIu64
             ": the end was cut off. Bring back the newest copy, or open with accept_rollback and "
             "lose what is missing", c->name, c->seq, r->seq);
    }
    return OK;
}

err volume_log_load(struct volume *v)
{
    struct scan c = { .v = v,
                      .raw = { .max = VOLUME_FRAME_BYTES_MAX + 2 * KVS_FRAME_ALIGN },
                      .text = { .max = VOLUME_FRAME_BYTES_MAX + 1 } };

    err e = log_read(&c);
    buf_done(&c.raw);
    buf_done(&c.text);
    TRY(e);
    if (c.seq < v->checkpoint_seq) {
        FAIL(ERR_CORRUPT, "log/%s: the log ends before the checkpoint", c.name);
    }
    v->log.seq = c.seq;
    v->log.chain = c.chain;
    v->log.number = v->root.segment_number;
    return OK;
}

/* --- segments that the root does not know ---------------------------------------------------- */

struct strangers {
    struct volume *v;
    bool delete;
    err result;
};

static bool is_live(const struct volume *v, const uint8_t id[16])
{
    for (uint32_t i = 0; i < v->log.count; i++) {
        if (memcmp(v->log.segments[i]->ref.id.octets, id, KVS_ID_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

/* The newest commit that a stranger's first commit frame claims; 0 when it has none. */
static err claimed_seq(struct volume *v, const uint8_t id[16], uint64_t *out)
{
    const struct volume_io *io = v->io;
    struct kvs_frame head, first;
    uint8_t raw[KVS_FRAME_ALIGN];
    uint64_t size;
    void *handle;

    *out = 0;
    TRY(io->segment_open(io->self, id, &handle, &size));
    err e = { ERR_NONE };
    if (size >= 2 * KVS_FRAME_ALIGN) {
        e = io->segment_read(io->self, handle, 0, raw, sizeof raw);
        if (!e.code && !kvs_frame_parse(BYTES_OF(raw), &head).code &&
            memcmp(head.segment.octets, id, KVS_ID_BYTES) == 0 &&
            head.padded_len + sizeof raw <= size) {
            e = io->segment_read(io->self, handle, head.padded_len, raw, sizeof raw);
            if (!e.code && !kvs_frame_parse(BYTES_OF(raw), &first).code &&
                kvs_id_equal(&first.segment, &head.segment)) {
                *out = first.seq;
            }
        }
    }
    io->segment_close(io->self, handle);
    return e;
}

static err stranger_handle(struct strangers *s, const uint8_t id[16])
{
    struct volume *v = s->v;
    uint64_t seq;

    TRY(claimed_seq(v, id, &seq));
    if (seq <= v->log.seq) { /* given back, or never used: a crash came in between */
        return s->delete ? v->io->segment_delete(v->io->self, id) : OK;
    }
    if (v->config.accept_rollback) {
        return s->delete ? v->io->segment_quarantine(v->io->self, id) : OK;
    }
    char name[2 * KVS_ID_BYTES + 1];
    hex_encode((struct bytes){ id, KVS_ID_BYTES }, name);
    FAIL(ERR_CORRUPT, "root: it ends at commit %" PRIu64 ", but log/%s has commit %" PRIu64
         ": an older root was put back. Bring back the newest root, or open with accept_rollback "
         "and lose what came after", v->log.seq, name, seq);
}

static void stranger_seen(void *arg, const uint8_t id[16])
{
    struct strangers *s = arg;

    if (!s->result.code && !is_live(s->v, id)) {
        s->result = stranger_handle(s, id);
    }
}

err volume_log_strangers(struct volume *v, bool delete)
{
    struct strangers s = { .v = v, .delete = delete };

    TRY(v->io->segment_list(v->io->self, stranger_seen, &s));
    return s.result;
}
