/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the commit log, their edits, and the head of a segment. */
#include <assert.h>
#include <string.h>

#include "lib/wire/crc32c.h"
#include "lib/wire/kvs_layout.h"
#include "lib/wire/kvs_layout_impl.h"

#define EDIT_HEAD_BYTES 8
#define SEGMENT_REF_BYTES (KVS_ID_BYTES + 8 + 4 + 8 + 2 * DIGEST_BYTES)
#define ADDRESS_MAX 255

/* --- frames -------------------------------------------------------------------------------- */

uint32_t kvs_frame_padded(uint32_t plain_len)
{
    assert(plain_len <= KVS_FRAME_PLAIN_MAX);
    uint32_t whole = KVS_FRAME_HEAD_BYTES + plain_len + AEAD_TAG_BYTES;

    return (whole + KVS_FRAME_ALIGN - 1) / KVS_FRAME_ALIGN * KVS_FRAME_ALIGN;
}

struct digest kvs_chain_start(const uint8_t cluster[16], uint32_t shard)
{
    uint8_t number[4];

    store_u32(number, shard);
    const struct bytes parts[] = { { (const uint8_t *)"meterseal chain v1", 19 },
                                   { cluster, 16 },
                                   BYTES_OF(number) };
    return sha256_parts(parts, 3);
}

static struct digest chain_next(const struct digest *chain, const uint8_t *head, const uint8_t *tag)
{
    const struct bytes parts[] = { DIGEST_VIEW(chain),
                                   { head, KVS_FRAME_COVERED_BYTES },
                                   { tag, AEAD_TAG_BYTES } };

    return sha256_parts(parts, 3);
}

static void head_encode(const struct kvs_frame *f, uint8_t out[KVS_FRAME_HEAD_BYTES])
{
    memset(out, 0, KVS_FRAME_HEAD_BYTES);
    memcpy(out, "MSLF", 4);
    out[4] = KVS_LAYOUT_VERSION;
    out[5] = f->type;
    memcpy(out + 8, f->segment.octets, KVS_ID_BYTES);
    store_u64(out + 24, f->epoch);
    store_u64(out + 32, f->index);
    store_u64(out + 40, f->seq);
    store_u32(out + 48, f->plain_len);
    store_u32(out + 52, f->padded_len);
    store_u32(out + 56, crc32c((struct bytes){ out, KVS_FRAME_COVERED_BYTES }));
}

/* What the tag covers besides the text: the header, and through the chain all that came before. */
#define FRAME_AAD_BYTES (KVS_FRAME_COVERED_BYTES + DIGEST_BYTES)
static void frame_aad(const uint8_t *head, const struct digest *chain, uint8_t out[FRAME_AAD_BYTES])
{
    memcpy(out, head, KVS_FRAME_COVERED_BYTES);
    memcpy(out + KVS_FRAME_COVERED_BYTES, chain->octets, DIGEST_BYTES);
}

err kvs_frame_seal(struct aead *a, const struct key *log_key, const struct kvs_frame *f,
                   const uint8_t *plain, struct digest *chain, uint8_t *out)
{
    uint8_t aad[FRAME_AAD_BYTES], nonce[AEAD_NONCE_BYTES];
    size_t body = (size_t)f->plain_len + AEAD_TAG_BYTES;

    assert(f->padded_len == kvs_frame_padded(f->plain_len));
    head_encode(f, out);
    frame_aad(out, chain, aad);
    kvs_nonce_counter(f->index, nonce);
    TRY(aead_seal(a, log_key, nonce, BYTES_OF(aad), (struct bytes){ plain, f->plain_len },
                  out + KVS_FRAME_HEAD_BYTES));
    store_u32(out + 60, crc32c((struct bytes){ out + KVS_FRAME_HEAD_BYTES, body }));
    memset(out + KVS_FRAME_HEAD_BYTES + body, 0, f->padded_len - KVS_FRAME_HEAD_BYTES - body);
    *chain = chain_next(chain, out, out + KVS_FRAME_HEAD_BYTES + f->plain_len);
    return OK;
}

err kvs_frame_parse(struct bytes raw, struct kvs_frame *out)
{
    if (raw.len < KVS_FRAME_HEAD_BYTES || memcmp(raw.ptr, "MSLF", 4) != 0) {
        FAIL(ERR_PROTO, "no frame here");
    }
    const uint8_t *at = raw.ptr;
    if (load_u32(at + 56) != crc32c((struct bytes){ at, KVS_FRAME_COVERED_BYTES })) {
        FAIL(ERR_PROTO, "frame: the header's checksum is wrong");
    }
    struct kvs_frame f = {
        .type = at[5],
        .epoch = load_u64(at + 24),
        .index = load_u64(at + 32),
        .seq = load_u64(at + 40),
        .plain_len = load_u32(at + 48),
        .padded_len = load_u32(at + 52),
        .body_crc = load_u32(at + 60),
    };
    if (at[4] != KVS_LAYOUT_VERSION || f.type < KVS_FRAME_HEAD || f.type > KVS_FRAME_END ||
        load_u16(at + 6) != 0) {
        FAIL(ERR_PROTO, "frame: version %u, type %u or its zero field is unknown", at[4], f.type);
    }
    if (f.plain_len > KVS_FRAME_PLAIN_MAX || f.padded_len != kvs_frame_padded(f.plain_len)) {
        FAIL(ERR_PROTO, "frame: lengths %u and %u do not fit", f.plain_len, f.padded_len);
    }
    memcpy(f.segment.octets, at + 8, KVS_ID_BYTES);
    *out = f;
    return OK;
}

err kvs_frame_open(struct aead *a, const struct key *log_key, const struct kvs_frame *f,
                   struct bytes raw, struct digest *chain, uint8_t *out)
{
    uint8_t aad[FRAME_AAD_BYTES], nonce[AEAD_NONCE_BYTES];
    struct bytes body = { raw.ptr + KVS_FRAME_HEAD_BYTES, (size_t)f->plain_len + AEAD_TAG_BYTES };

    if (raw.len < f->padded_len || f->padded_len != kvs_frame_padded(f->plain_len)) {
        FAIL(ERR_PROTO, "frame: %zu octets of %u", raw.len, f->padded_len);
    }
    if (crc32c(body) != f->body_crc) {
        FAIL(ERR_PROTO, "frame %llu: the checksum is wrong", (unsigned long long)f->index);
    }
    frame_aad(raw.ptr, chain, aad);
    kvs_nonce_counter(f->index, nonce);
    TRY(aead_open(a, log_key, nonce, BYTES_OF(aad), body, out));
    *chain = chain_next(chain, raw.ptr, raw.ptr + KVS_FRAME_HEAD_BYTES + f->plain_len);
    return OK;
}

/* --- edits: writing ------------------------------------------------------------------------ */

static err put_path(struct buf *out, struct bytes path, size_t max)
{
    if (path.len > max) {
        FAIL(ERR_LIMIT, "a text of %zu octets, at most %zu", path.len, max);
    }
    TRY(buf_u16(out, (uint16_t)path.len));
    return buf_append(out, path);
}

static err put_digest(struct buf *out, const struct digest *d)
{
    return buf_append(out, DIGEST_VIEW(d));
}

static err put_data(const struct kvs_edit *edit, struct buf *out)
{
    TRY(buf_u64(out, edit->ino));
    TRY(buf_u64(out, edit->u.data.offset));
    return buf_append(out, edit->u.data.octets);
}

static err put_create(const struct kvs_edit *edit, struct buf *out)
{
    TRY(buf_u64(out, edit->ino));
    TRY(buf_u8(out, edit->u.create.kind));
    TRY(buf_u8(out, 0));
    return put_path(out, edit->u.create.path, KVS_PATH_MAX);
}

static err put_rename(const struct kvs_edit *edit, struct buf *out)
{
    TRY(buf_u64(out, edit->ino));
    return put_path(out, edit->u.path, KVS_PATH_MAX);
}

static err put_delete(const struct kvs_edit *edit, struct buf *out)
{
    return buf_u64(out, edit->ino);
}

static err put_sealed(const struct kvs_edit *edit, struct buf *out)
{
    TRY(buf_u64(out, edit->ino));
    return kvs_file_entry_encode(&edit->u.entry, out);
}

static err put_place(const struct kvs_edit *edit, struct buf *out)
{
    TRY(buf_append(out, BYTES_OF(edit->u.place.file.octets)));
    TRY(buf_u16(out, edit->u.place.gen));
    TRY(buf_u8(out, edit->u.place.index));
    TRY(buf_u8(out, 0));
    return buf_u16(out, edit->u.place.node);
}

static err put_layout(const struct kvs_edit *edit, struct buf *out)
{
    const uint8_t policy[] = { edit->u.layout.r, edit->u.layout.k, edit->u.layout.m,
                               edit->u.layout.flags };

    TRY(buf_append(out, BYTES_OF(policy)));
    return put_path(out, edit->u.layout.path, KVS_PATH_MAX);
}

static err put_node(const struct kvs_edit *edit, struct buf *out)
{
    TRY(buf_u16(out, edit->u.node.node));
    TRY(buf_u8(out, edit->u.node.state));
    TRY(buf_append(out, BYTES_OF(edit->u.node.uuid)));
    return put_path(out, edit->u.node.address, ADDRESS_MAX);
}

static err put_keys(const struct kvs_edit *edit, struct buf *out)
{
    TRY(buf_u32(out, edit->u.keys.space));
    TRY(buf_u32(out, edit->u.keys.key_epoch));
    return edit->u.keys.dropped ? OK : buf_append(out, BYTES_OF(edit->u.keys.wrapped));
}

static err put_checkpoint(const struct kvs_edit *edit, struct buf *out)
{
    TRY(buf_append(out, BYTES_OF(edit->u.checkpoint.file.octets)));
    return put_digest(out, &edit->u.checkpoint.digest);
}

static err put_relayout(const struct kvs_edit *edit, struct buf *out)
{
    TRY(buf_append(out, BYTES_OF(edit->u.entry.id.octets)));
    return kvs_file_entry_encode(&edit->u.entry, out);
}

static err put_state(const struct kvs_edit *edit, struct buf *out)
{
    TRY(buf_u64(out, edit->ino));
    TRY(buf_u64(out, edit->u.state.seq));
    return put_digest(out, &edit->u.state.chain);
}

/* --- edits: reading ------------------------------------------------------------------------ */

static err take_zero(struct bytes *in)
{
    uint8_t zero;

    TRY(bytes_read_u8(in, &zero));
    if (zero != 0) {
        FAIL(ERR_PROTO, "edit: a reserved octet is %u", zero);
    }
    return OK;
}

static err take_path(struct bytes *in, size_t max, struct bytes *out)
{
    uint16_t len;

    TRY(bytes_read_u16(in, &len));
    if (len > max) {
        FAIL(ERR_PROTO, "edit: a text of %u octets, at most %zu", len, max);
    }
    return bytes_read(in, len, out);
}

static err take_name(struct bytes *in, struct bytes *out)
{
    TRY(take_path(in, KVS_PATH_MAX, out));
    if (out->len == 0 || memchr(out->ptr, 0, out->len) != NULL) {
        FAIL(ERR_PROTO, "edit: a path is empty or has a zero octet");
    }
    return OK;
}

static err take_data(struct bytes *in, struct kvs_edit *edit)
{
    TRY(bytes_read_u64(in, &edit->ino));
    TRY(bytes_read_u64(in, &edit->u.data.offset));
    return bytes_read(in, in->len, &edit->u.data.octets);
}

static err take_create(struct bytes *in, struct kvs_edit *edit)
{
    TRY(bytes_read_u64(in, &edit->ino));
    TRY(bytes_read_u8(in, &edit->u.create.kind));
    TRY(take_zero(in));
    if (edit->u.create.kind < 1 || edit->u.create.kind > 3) {
        FAIL(ERR_PROTO, "edit: kind %u of a new file", edit->u.create.kind);
    }
    return take_name(in, &edit->u.create.path);
}

static err take_rename(struct bytes *in, struct kvs_edit *edit)
{
    TRY(bytes_read_u64(in, &edit->ino));
    return take_name(in, &edit->u.path);
}

static err take_delete(struct bytes *in, struct kvs_edit *edit)
{
    return bytes_read_u64(in, &edit->ino);
}

static err take_sealed(struct bytes *in, struct kvs_edit *edit)
{
    TRY(bytes_read_u64(in, &edit->ino));
    return kvs_file_entry_decode(in, &edit->u.entry);
}

static err take_place(struct bytes *in, struct kvs_edit *edit)
{
    TRY(bytes_read_copy(in, edit->u.place.file.octets, KVS_ID_BYTES));
    TRY(bytes_read_u16(in, &edit->u.place.gen));
    TRY(bytes_read_u8(in, &edit->u.place.index));
    TRY(take_zero(in));
    if (edit->u.place.index >= KVS_FRAGMENTS_MAX) {
        FAIL(ERR_PROTO, "edit: fragment %u, at most %d", edit->u.place.index,
             KVS_FRAGMENTS_MAX - 1);
    }
    return bytes_read_u16(in, &edit->u.place.node);
}

static err take_layout(struct bytes *in, struct kvs_edit *edit)
{
    TRY(bytes_read_u8(in, &edit->u.layout.r));
    TRY(bytes_read_u8(in, &edit->u.layout.k));
    TRY(bytes_read_u8(in, &edit->u.layout.m));
    TRY(bytes_read_u8(in, &edit->u.layout.flags));
    return take_name(in, &edit->u.layout.path);
}

static err take_node(struct bytes *in, struct kvs_edit *edit)
{
    TRY(bytes_read_u16(in, &edit->u.node.node));
    TRY(bytes_read_u8(in, &edit->u.node.state));
    TRY(bytes_read_copy(in, edit->u.node.uuid, sizeof edit->u.node.uuid));
    return take_path(in, ADDRESS_MAX, &edit->u.node.address);
}

static err take_keys(struct bytes *in, struct kvs_edit *edit)
{
    TRY(bytes_read_u32(in, &edit->u.keys.space));
    TRY(bytes_read_u32(in, &edit->u.keys.key_epoch));
    edit->u.keys.dropped = in->len == 0;
    if (edit->u.keys.space == 0) {
        FAIL(ERR_PROTO, "edit: a key for space 0");
    }
    return edit->u.keys.dropped ? OK : bytes_read_copy(in, edit->u.keys.wrapped, KEY_WRAPPED_BYTES);
}

static err take_checkpoint(struct bytes *in, struct kvs_edit *edit)
{
    TRY(bytes_read_copy(in, edit->u.checkpoint.file.octets, KVS_ID_BYTES));
    return bytes_read_copy(in, edit->u.checkpoint.digest.octets, DIGEST_BYTES);
}

static err take_relayout(struct bytes *in, struct kvs_edit *edit)
{
    struct kvs_id id;

    TRY(bytes_read_copy(in, id.octets, KVS_ID_BYTES));
    TRY(kvs_file_entry_decode(in, &edit->u.entry));
    if (!kvs_id_equal(&id, &edit->u.entry.id)) {
        FAIL(ERR_PROTO, "edit: two ids in one new layout");
    }
    return OK;
}

static err take_state(struct bytes *in, struct kvs_edit *edit)
{
    TRY(bytes_read_u64(in, &edit->ino));
    TRY(bytes_read_u64(in, &edit->u.state.seq));
    return bytes_read_copy(in, edit->u.state.chain.octets, DIGEST_BYTES);
}

static const struct op_codec {
    err (*put)(const struct kvs_edit *edit, struct buf *out);
    err (*take)(struct bytes *in, struct kvs_edit *edit);
} codecs[] = {
    [KVS_EDIT_DATA] = { put_data, take_data },
    [KVS_EDIT_CREATE] = { put_create, take_create },
    [KVS_EDIT_RENAME] = { put_rename, take_rename },
    [KVS_EDIT_DELETE] = { put_delete, take_delete },
    [KVS_EDIT_SEALED] = { put_sealed, take_sealed },
    [KVS_EDIT_PLACE] = { put_place, take_place },
    [KVS_EDIT_LAYOUT] = { put_layout, take_layout },
    [KVS_EDIT_NODE] = { put_node, take_node },
    [KVS_EDIT_KEYS] = { put_keys, take_keys },
    [KVS_EDIT_CHECKPOINT] = { put_checkpoint, take_checkpoint },
    [KVS_EDIT_RELAYOUT] = { put_relayout, take_relayout },
    [KVS_EDIT_STATE] = { put_state, take_state },
};
#define OP_TYPES (sizeof codecs / sizeof codecs[0])

err kvs_edit_encode(const struct kvs_edit *edit, struct buf *out)
{
    size_t start = out->len;
    const uint8_t head[EDIT_HEAD_BYTES] = { edit->type };

    assert(edit->type >= 1 && edit->type < OP_TYPES);
    err e = buf_append(out, BYTES_OF(head));
    if (!e.code) {
        e = codecs[edit->type].put(edit, out);
    }
    if (e.code) { /* no half edit stays behind */
        out->len = start;
        return e;
    }
    store_u32(out->ptr + start + 4, (uint32_t)(out->len - start - EDIT_HEAD_BYTES));
    return OK;
}

err kvs_edit_take(struct bytes *in, struct kvs_edit *out)
{
    struct bytes rest = *in, body;
    struct kvs_edit edit = { 0 };
    uint32_t len;

    TRY(bytes_read_u8(&rest, &edit.type));
    for (int i = 0; i < 3; i++) {
        TRY(take_zero(&rest));
    }
    TRY(bytes_read_u32(&rest, &len));
    TRY(bytes_read(&rest, len, &body));
    if (edit.type < 1 || edit.type >= OP_TYPES) {
        FAIL(ERR_PROTO, "edit of unknown type %u", edit.type);
    }
    TRY(codecs[edit.type].take(&body, &edit));
    if (body.len != 0) {
        FAIL(ERR_PROTO, "edit of type %u is %zu octets too long", edit.type, body.len);
    }
    *in = rest;
    *out = edit;
    return OK;
}

/* --- head of a segment --------------------------------------------------------------------- */

err kvs_head_encode(const struct kvs_head *h, struct buf *out)
{
    assert(h->count <= KVS_SEGMENTS_MAX);
    TRY(buf_u64(out, h->number));
    TRY(buf_u32(out, h->count));
    for (uint32_t i = 0; i < h->count; i++) {
        const struct kvs_segment_ref *s = &h->segments[i];
        TRY(buf_append(out, BYTES_OF(s->id.octets)));
        TRY(buf_u64(out, s->number));
        TRY(buf_u32(out, s->key_epoch));
        TRY(buf_u64(out, s->frames));
        TRY(put_digest(out, &s->start));
        TRY(put_digest(out, &s->end));
    }
    return OK;
}

static err segment_ref_take(struct bytes *in, struct kvs_segment_ref *out)
{
    TRY(bytes_read_copy(in, out->id.octets, KVS_ID_BYTES));
    TRY(bytes_read_u64(in, &out->number));
    TRY(bytes_read_u32(in, &out->key_epoch));
    TRY(bytes_read_u64(in, &out->frames));
    TRY(bytes_read_copy(in, out->start.octets, DIGEST_BYTES));
    return bytes_read_copy(in, out->end.octets, DIGEST_BYTES);
}

err kvs_head_parse(struct bytes in, struct kvs_head *out)
{
    struct kvs_head h = { 0 };

    TRY(bytes_read_u64(&in, &h.number));
    TRY(bytes_read_u32(&in, &h.count));
    if (h.count > KVS_SEGMENTS_MAX || in.len != (size_t)h.count * SEGMENT_REF_BYTES) {
        FAIL(ERR_PROTO, "head: %u segments in %zu octets", h.count, in.len);
    }
    for (uint32_t i = 0; i < h.count; i++) {
        TRY(segment_ref_take(&in, &h.segments[i]));
        uint64_t after = i == 0 ? 0 : h.segments[i - 1].number;
        if (h.segments[i].number <= after || h.segments[i].number >= h.number) {
            FAIL(ERR_PROTO, "head: the segments before are not in order");
        }
    }
    *out = h;
    return OK;
}
