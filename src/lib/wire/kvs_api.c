/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/kvs_api.h"

#include <assert.h>
#include <string.h>

#define MSB_OPS_COUNT_BYTES 4
#define OP_HEAD_BYTES 12
#define MSR_HEAD_BYTES 20
#define RESULT_HEAD_BYTES 13
#define MSP_HEAD_BYTES 20
#define ENTRY_HEAD_BYTES 14
#define MSP_MORE 1u
#define MSP_SNAPSHOT 2u

enum op_flag { OP_REV = 1, OP_ABSENT = 2, OP_TTL = 4, OP_SLOT = 8, OP_FLAGS = 7 };

static bool name_char(uint8_t c, bool first)
{
    bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

    return plain || (!first && (c == '.' || c == '_' || c == '-'));
}

bool kvs_space_name_valid(struct bytes name)
{
    if (name.len == 0 || name.len > KVS_SPACE_CHARS_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!name_char(name.ptr[i], i == 0)) {
            return false;
        }
    }
    return true;
}

static uint8_t *put_bytes(uint8_t *at, struct bytes octets)
{
    if (octets.len > 0) {
        memcpy(at, octets.ptr, octets.len);
    }
    return at + octets.len;
}

static err magic_read(struct bytes *in, const char *magic)
{
    struct bytes got;

    TRY(bytes_read(in, 4, &got));
    if (!bytes_equal(got, bytes_of_string(magic))) {
        FAIL(ERR_PROTO, "body does not begin with \"%s\"", magic);
    }
    return OK;
}

/* --- MSB1 --- */

err kvs_msb_begin(struct buf *out, const struct bytes *spaces, uint8_t space_count)
{
    if (space_count == 0 || space_count > KVS_BATCH_SPACES_MAX) {
        FAIL(ERR_LIMIT, "%u spaces in a batch, 1 to %d", space_count, KVS_BATCH_SPACES_MAX);
    }
    TRY(buf_string(out, "MSB1"));
    TRY(buf_u32(out, 0));
    TRY(buf_u8(out, space_count));
    for (uint8_t i = 0; i < space_count; i++) {
        if (!kvs_space_name_valid(spaces[i])) {
            FAIL(ERR_PROTO, "space %u of the batch has no valid name", i);
        }
        TRY(buf_u8(out, (uint8_t)spaces[i].len));
        TRY(buf_append(out, spaces[i]));
    }
    return buf_u32(out, 0);
}

static err op_check(const struct kvs_op *op)
{
    if (op->key.len == 0 || op->key.len > KVS_KEY_BYTES_MAX) {
        FAIL(ERR_LIMIT, "key of %zu octets, 1 to %d", op->key.len, KVS_KEY_BYTES_MAX);
    }
    if (op->type != KVS_PUT && (op->value.len > 0 || op->ttl_s > 0)) {
        FAIL(ERR_PROTO, "only a put has a value or a time to live");
    }
    if (op->ttl_s > KVS_TTL_S_MAX) {
        FAIL(ERR_LIMIT, "time to live above ten years");
    }
    if (op->type == KVS_CHECK && op->expect == KVS_ANY) {
        FAIL(ERR_PROTO, "a check expects a rev or absence");
    }
    if (op->type == KVS_GET && op->expect != KVS_ANY) {
        FAIL(ERR_PROTO, "a get expects nothing: add a check");
    }
    return OK;
}

static uint8_t op_flags(const struct kvs_op *op)
{
    unsigned expects = op->expect == KVS_REV ? OP_REV : op->expect == KVS_ABSENT ? OP_ABSENT : 0;

    return (uint8_t)(expects | (op->ttl_s > 0 ? OP_TTL : 0));
}

err kvs_msb_op(struct buf *out, const struct kvs_op *op)
{
    if (op->value.len > KVS_BATCH_BYTES_MAX) {
        FAIL(ERR_LIMIT, "value of %zu octets in a batch, at most %u", op->value.len,
             KVS_BATCH_BYTES_MAX);
    }
    TRY(op_check(op));
    uint8_t flags = op_flags(op);
    size_t fields = (flags & OP_REV ? 8u : 0u) + (flags & OP_TTL ? 8u : 0u);
    TRY(buf_reserve(out, OP_HEAD_BYTES + fields + op->key.len + op->value.len));

    uint8_t *at = out->ptr + out->len;
    at[0] = (uint8_t)op->type;
    at[1] = flags;
    at[2] = op->space;
    at[3] = 0;
    store_u16(at + 4, (uint16_t)op->key.len);
    store_u16(at + 6, 0);
    store_u32(at + 8, (uint32_t)op->value.len);
    at += OP_HEAD_BYTES;
    if (flags & OP_REV) {
        store_u64(at, op->rev);
        at += 8;
    }
    if (flags & OP_TTL) {
        store_u64(at, op->ttl_s);
        at += 8;
    }
    at = put_bytes(put_bytes(at, op->key), op->value);
    out->len = (size_t)(at - out->ptr);
    return OK;
}

void kvs_msb_finish(struct buf *out, uint32_t count)
{
    size_t at = 9;

    assert(out->len > at);
    for (uint8_t spaces = out->ptr[8]; spaces > 0; spaces--) {
        at += 1u + out->ptr[at];
    }
    assert(at + MSB_OPS_COUNT_BYTES <= out->len);
    store_u32(out->ptr + at, count);
}

struct op_head {
    uint8_t type, flags, space, zero;
    uint16_t key_len, zero_too;
    uint32_t value_len;
};

static err op_head_read(struct bytes *in, struct op_head *out)
{
    struct bytes raw;

    TRY(bytes_read(in, OP_HEAD_BYTES, &raw));
    *out = (struct op_head){
        .type = raw.ptr[0],
        .flags = raw.ptr[1],
        .space = raw.ptr[2],
        .zero = raw.ptr[3],
        .key_len = load_u16(raw.ptr + 4),
        .zero_too = load_u16(raw.ptr + 6),
        .value_len = load_u32(raw.ptr + 8),
    };
    return OK;
}

static err op_head_check(const struct op_head *h, uint8_t space_count)
{
    if (h->type < KVS_PUT || h->type > KVS_GET) {
        FAIL(ERR_PROTO, "type %u, 1 (put) to 4 (get)", h->type);
    }
    if (h->flags & OP_SLOT) {
        FAIL(ERR_PROTO, "a policy slot is not offered: clear flag 8");
    }
    if ((h->flags & ~(unsigned)OP_FLAGS) != 0 || (h->flags & 3) == 3) {
        FAIL(ERR_PROTO, "flags %u: unknown, or rev and absence expected together", h->flags);
    }
    if (h->zero != 0 || h->zero_too != 0) {
        FAIL(ERR_PROTO, "a reserved field is not zero");
    }
    if (h->space >= space_count) {
        FAIL(ERR_PROTO, "space %u of %u", h->space, space_count);
    }
    return OK;
}

err kvs_msb_op_take(struct bytes *ops, uint8_t space_count, struct kvs_op *out)
{
    struct bytes in = *ops;
    struct op_head h;
    struct kvs_op op = { 0 };

    TRY(op_head_read(&in, &h));
    TRY(op_head_check(&h, space_count));
    op.type = (enum kvs_op_type)h.type;
    op.expect = h.flags & OP_REV ? KVS_REV : h.flags & OP_ABSENT ? KVS_ABSENT : KVS_ANY;
    op.space = h.space;
    if (h.flags & OP_REV) {
        TRY(bytes_read_u64(&in, &op.rev));
    }
    if (h.flags & OP_TTL) {
        TRY(bytes_read_u64(&in, &op.ttl_s));
        if (op.ttl_s == 0) {
            FAIL(ERR_PROTO, "time to live 0: clear flag 4");
        }
    }
    TRY(bytes_read(&in, h.key_len, &op.key));
    TRY(bytes_read(&in, h.value_len, &op.value));
    TRY(op_check(&op));
    *ops = in;
    *out = op;
    return OK;
}

static err spaces_read(struct bytes *in, struct kvs_msb *b)
{
    TRY(bytes_read_u8(in, &b->space_count));
    if (b->space_count == 0 || b->space_count > KVS_BATCH_SPACES_MAX) {
        FAIL(ERR_PROTO, "%u spaces, 1 to %d", b->space_count, KVS_BATCH_SPACES_MAX);
    }
    for (uint8_t i = 0; i < b->space_count; i++) {
        uint8_t len;
        TRY(bytes_read_u8(in, &len));
        TRY(bytes_read(in, len, &b->spaces[i]));
        if (!kvs_space_name_valid(b->spaces[i])) {
            FAIL(ERR_PROTO, "space %u has no valid name", i);
        }
        for (uint8_t j = 0; j < i; j++) {
            if (bytes_equal(b->spaces[i], b->spaces[j])) {
                FAIL(ERR_PROTO, "space %u is named twice", i);
            }
        }
    }
    return OK;
}

static err msb_head_read(struct bytes *in, struct kvs_msb *b)
{
    TRY(magic_read(in, "MSB1"));
    TRY(bytes_read_u32(in, &b->flags));
    if (b->flags != 0) {
        FAIL(ERR_PROTO, "flags %u: none is offered", b->flags);
    }
    TRY(spaces_read(in, b));
    TRY(bytes_read_u32(in, &b->count));
    if (b->count == 0 || b->count > KVS_BATCH_OPS_MAX) {
        FAIL(ERR_PROTO, "%u operations, 1 to %d", b->count, KVS_BATCH_OPS_MAX);
    }
    b->ops = *in;
    return OK;
}

err kvs_msb_read(struct bytes in, struct kvs_msb *out, uint32_t *out_op)
{
    struct kvs_msb b = { 0 };
    struct kvs_op op;

    *out_op = 0;
    if (in.len > KVS_BATCH_BYTES_MAX) {
        FAIL(ERR_LIMIT, "batch of %zu octets, at most %u", in.len, KVS_BATCH_BYTES_MAX);
    }
    TRY(msb_head_read(&in, &b));
    for (uint32_t i = 0; i < b.count; i++) {
        *out_op = i;
        TRY(kvs_msb_op_take(&in, b.space_count, &op));
    }
    *out_op = b.count;
    if (in.len > 0) {
        FAIL(ERR_PROTO, "%zu octets behind the last operation", in.len);
    }
    *out = b;
    return OK;
}

/* --- MSR1 --- */

err kvs_msr_begin(struct buf *out)
{
    static const uint8_t head[MSR_HEAD_BYTES] = { 'M', 'S', 'R', '1' };

    assert(out->len == 0);
    return buf_append(out, BYTES_OF(head));
}

err kvs_msr_result(struct buf *out, const struct kvs_result *r)
{
    TRY(buf_reserve(out, RESULT_HEAD_BYTES + r->value.len));
    uint8_t *at = out->ptr + out->len;
    at[0] = r->status;
    store_u64(at + 1, r->rev);
    store_u32(at + 9, (uint32_t)r->value.len);
    put_bytes(at + RESULT_HEAD_BYTES, r->value);
    out->len += RESULT_HEAD_BYTES + r->value.len;
    return OK;
}

void kvs_msr_finish(struct buf *out, uint16_t status, uint64_t rev, uint32_t count)
{
    assert(out->len >= MSR_HEAD_BYTES);
    store_u16(out->ptr + 4, status);
    store_u64(out->ptr + 8, rev);
    store_u32(out->ptr + 16, count);
}

err kvs_result_take(struct bytes *results, struct kvs_result *out)
{
    struct bytes in = *results;
    struct kvs_result r;
    uint32_t len;

    TRY(bytes_read_u8(&in, &r.status));
    if (r.status > KVS_FAILED) {
        FAIL(ERR_PROTO, "result status %u", r.status);
    }
    TRY(bytes_read_u64(&in, &r.rev));
    TRY(bytes_read_u32(&in, &len));
    TRY(bytes_read(&in, len, &r.value));
    *results = in;
    *out = r;
    return OK;
}

err kvs_msr_read(struct bytes in, struct kvs_msr *out)
{
    struct kvs_msr m;
    struct kvs_result r;
    uint16_t zero;

    TRY(magic_read(&in, "MSR1"));
    TRY(bytes_read_u16(&in, &m.status));
    TRY(bytes_read_u16(&in, &zero));
    TRY(bytes_read_u64(&in, &m.rev));
    TRY(bytes_read_u32(&in, &m.count));
    if (zero != 0 || m.count > KVS_BATCH_OPS_MAX) {
        FAIL(ERR_PROTO, "answer with a reserved field or %u results", m.count);
    }
    m.results = in;
    for (uint32_t i = 0; i < m.count; i++) {
        TRY(kvs_result_take(&in, &r));
    }
    if (in.len > 0) {
        FAIL(ERR_PROTO, "%zu octets behind the last result", in.len);
    }
    *out = m;
    return OK;
}

/* --- MSP1 --- */

err kvs_msp_begin(struct buf *out)
{
    static const uint8_t head[MSP_HEAD_BYTES] = { 'M', 'S', 'P', '1' };

    assert(out->len == 0);
    return buf_append(out, BYTES_OF(head));
}

err kvs_msp_entry(struct buf *out, const struct kvs_entry *e)
{
    assert(e->key.len > 0 && e->key.len <= KVS_KEY_BYTES_MAX && e->value.len <= UINT32_MAX);
    TRY(buf_reserve(out, ENTRY_HEAD_BYTES + e->key.len + e->value.len));
    uint8_t *at = out->ptr + out->len;
    store_u16(at, (uint16_t)e->key.len);
    store_u32(at + 2, (uint32_t)e->value.len);
    store_u64(at + 6, e->rev);
    at = put_bytes(put_bytes(at + ENTRY_HEAD_BYTES, e->key), e->value);
    out->len = (size_t)(at - out->ptr);
    return OK;
}

err kvs_msp_finish(struct buf *out, const struct kvs_msp *tail)
{
    struct bytes next = tail->next;

    assert(out->len >= MSP_HEAD_BYTES && next.len <= KVS_KEY_BYTES_MAX);
    TRY(buf_reserve(out, 2 + next.len + 8));
    store_u32(out->ptr + 4, (next.len > 0 ? MSP_MORE : 0) | (tail->snapshot ? MSP_SNAPSHOT : 0));
    store_u32(out->ptr + 8, tail->count);
    store_u64(out->ptr + 12, tail->rev);
    store_u16(out->ptr + out->len, (uint16_t)next.len);
    put_bytes(out->ptr + out->len + 2, next);
    out->len += 2 + next.len;
    return tail->snapshot ? buf_u64(out, tail->snapshot) : OK;
}

err kvs_entry_take(struct bytes *entries, struct kvs_entry *out)
{
    struct bytes in = *entries;
    struct kvs_entry e;
    uint16_t key_len;
    uint32_t value_len;

    TRY(bytes_read_u16(&in, &key_len));
    TRY(bytes_read_u32(&in, &value_len));
    TRY(bytes_read_u64(&in, &e.rev));
    if (key_len == 0 || key_len > KVS_KEY_BYTES_MAX) {
        FAIL(ERR_PROTO, "key of %u octets in a page", key_len);
    }
    TRY(bytes_read(&in, key_len, &e.key));
    TRY(bytes_read(&in, value_len, &e.value));
    *entries = in;
    *out = e;
    return OK;
}

static err msp_tail_read(struct bytes *in, uint32_t flags, struct kvs_msp *p)
{
    uint16_t len;

    p->more = flags & MSP_MORE;
    p->snapshot = 0;
    TRY(bytes_read_u16(in, &len));
    if (len > KVS_KEY_BYTES_MAX || (len > 0) != p->more) {
        FAIL(ERR_PROTO, "next key of %u octets in a page with%s more", len, p->more ? "" : "out");
    }
    TRY(bytes_read(in, len, &p->next));
    if (flags & MSP_SNAPSHOT) {
        TRY(bytes_read_u64(in, &p->snapshot));
    }
    if ((flags & MSP_SNAPSHOT) && p->snapshot == 0) {
        FAIL(ERR_PROTO, "a page with a snapshot of no handle");
    }
    if (in->len > 0) {
        FAIL(ERR_PROTO, "%zu octets behind a page", in->len);
    }
    return OK;
}

err kvs_msp_read(struct bytes in, struct kvs_msp *out)
{
    struct kvs_msp p;
    struct kvs_entry e;
    uint32_t flags;

    TRY(magic_read(&in, "MSP1"));
    TRY(bytes_read_u32(&in, &flags));
    TRY(bytes_read_u32(&in, &p.count));
    TRY(bytes_read_u64(&in, &p.rev));
    if ((flags & ~(MSP_MORE | MSP_SNAPSHOT)) != 0 || p.count > KVS_PAGE_KEYS_MAX) {
        FAIL(ERR_PROTO, "page with flags %u and %u keys", flags, p.count);
    }
    p.entries = in;
    for (uint32_t i = 0; i < p.count; i++) {
        TRY(kvs_entry_take(&in, &e));
    }
    p.entries.len -= in.len;
    TRY(msp_tail_read(&in, flags, &p));
    *out = p;
    return OK;
}
