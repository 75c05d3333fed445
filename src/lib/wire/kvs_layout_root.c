/* SPDX-License-Identifier: Apache-2.0 */
/* The root, and what an anchor remembers of it. */
#include <assert.h>
#include <string.h>

#include "lib/wire/kvs_layout.h"
#include "lib/wire/kvs_layout_impl.h"

#define ANCHOR_COVERED_BYTES (KVS_ANCHOR_BYTES - DIGEST_BYTES)

/* Nonce rule: `writes` counts each root written under one salt, and an open draws a new salt. */
static err root_key_of(const struct key *root_key, const struct kvs_root *r, struct key *out)
{
    uint8_t info[18 + 4] = "meterseal root v1";

    store_u32(info + 18, r->shard);
    out->size = 32;
    return hkdf_sha256(BYTES_OF(r->salt), (struct bytes){ root_key->octets, root_key->size },
                       BYTES_OF(info), out->octets, out->size);
}

static err text_encode(const struct kvs_root *r, struct buf *out)
{
    assert(r->ring_count <= KVS_RING_MAX);
    TRY(buf_u64(out, r->seq));
    TRY(buf_u64(out, r->rev));
    TRY(buf_append(out, BYTES_OF(r->chain.octets)));
    TRY(buf_append(out, BYTES_OF(r->segment.octets)));
    TRY(buf_u64(out, r->segment_number));
    TRY(buf_u64(out, r->segments_live));
    TRY(buf_u32(out, r->segment_key_epoch));
    TRY(buf_append(out, BYTES_OF(r->segment_start.octets)));
    TRY(buf_append(out, BYTES_OF(r->checkpoint.octets)));
    TRY(buf_u64(out, r->checkpoint_length));
    TRY(buf_u64(out, r->checkpoint_epoch));
    TRY(buf_u32(out, r->checkpoint_key_epoch));
    TRY(buf_append(out, BYTES_OF(r->checkpoint_digest.octets)));
    TRY(buf_u64(out, r->anchor));
    TRY(buf_u32(out, r->ring_count));
    for (uint32_t i = 0; i < r->ring_count; i++) {
        TRY(buf_u32(out, r->ring[i].epoch));
        TRY(buf_append(out, BYTES_OF(r->ring[i].wrapped)));
    }
    return OK;
}

static err ring_take(struct bytes *in, struct kvs_root *r)
{
    TRY(bytes_read_u32(in, &r->ring_count));
    if (r->ring_count == 0 || r->ring_count > KVS_RING_MAX) {
        FAIL(ERR_PROTO, "root: %u epoch keys, 1 to %d", r->ring_count, KVS_RING_MAX);
    }
    for (uint32_t i = 0; i < r->ring_count; i++) {
        TRY(bytes_read_u32(in, &r->ring[i].epoch));
        TRY(bytes_read_copy(in, r->ring[i].wrapped, KEY_WRAPPED_BYTES));
    }
    return OK;
}

static err text_parse(struct bytes in, struct kvs_root *r)
{
    TRY(bytes_read_u64(&in, &r->seq));
    TRY(bytes_read_u64(&in, &r->rev));
    TRY(bytes_read_copy(&in, r->chain.octets, DIGEST_BYTES));
    TRY(bytes_read_copy(&in, r->segment.octets, KVS_ID_BYTES));
    TRY(bytes_read_u64(&in, &r->segment_number));
    TRY(bytes_read_u64(&in, &r->segments_live));
    TRY(bytes_read_u32(&in, &r->segment_key_epoch));
    TRY(bytes_read_copy(&in, r->segment_start.octets, DIGEST_BYTES));
    TRY(bytes_read_copy(&in, r->checkpoint.octets, KVS_ID_BYTES));
    TRY(bytes_read_u64(&in, &r->checkpoint_length));
    TRY(bytes_read_u64(&in, &r->checkpoint_epoch));
    TRY(bytes_read_u32(&in, &r->checkpoint_key_epoch));
    TRY(bytes_read_copy(&in, r->checkpoint_digest.octets, DIGEST_BYTES));
    TRY(bytes_read_u64(&in, &r->anchor));
    TRY(ring_take(&in, r));
    if (in.len != 0) {
        FAIL(ERR_PROTO, "root: %zu octets too many", in.len);
    }
    return OK;
}

err kvs_root_seal(struct aead *a, const struct key *root_key, const struct kvs_root *r,
                  struct buf *out)
{
    AUTO(buf_done) struct buf text = { .max = KVS_ROOT_PLAIN_MAX };
    AUTO(key_done) struct key k = { 0 };
    uint8_t head[KVS_ROOT_HEAD_BYTES] = "MSRT", nonce[AEAD_NONCE_BYTES];

    TRY(text_encode(r, &text));
    TRY(root_key_of(root_key, r, &k));
    head[4] = KVS_LAYOUT_VERSION;
    memcpy(head + 8, r->cluster, sizeof r->cluster);
    store_u32(head + 24, r->shard);
    store_u32(head + 28, r->root_key_version);
    memcpy(head + 32, r->salt, sizeof r->salt);
    store_u64(head + 64, r->epoch);
    store_u64(head + 72, r->writes);
    store_u32(head + 80, (uint32_t)text.len);
    kvs_nonce_counter(r->writes, nonce);
    TRY(buf_reserve(out, sizeof head + text.len + AEAD_TAG_BYTES));
    TRY(aead_seal(a, &k, nonce, BYTES_OF(head), buf_bytes(&text),
                  out->ptr + out->len + sizeof head));
    TRY(buf_append(out, BYTES_OF(head)));
    out->len += text.len + AEAD_TAG_BYTES;
    return OK;
}

/* The clear part, and how long the sealed text is. */
static err head_parse(struct bytes raw, struct kvs_root *r, uint32_t *plain_len)
{
    static const uint8_t zeros[12];
    const uint8_t *at = raw.ptr;

    if (raw.len < KVS_ROOT_HEAD_BYTES || memcmp(at, "MSRT", 4) != 0 ||
        at[4] != KVS_LAYOUT_VERSION || memcmp(at + 5, zeros, 3) != 0 ||
        memcmp(at + 84, zeros, sizeof zeros) != 0) {
        FAIL(ERR_PROTO, "no root of version %d", KVS_LAYOUT_VERSION);
    }
    memcpy(r->cluster, at + 8, sizeof r->cluster);
    r->shard = load_u32(at + 24);
    r->root_key_version = load_u32(at + 28);
    memcpy(r->salt, at + 32, sizeof r->salt);
    r->epoch = load_u64(at + 64);
    r->writes = load_u64(at + 72);
    *plain_len = load_u32(at + 80);
    if (*plain_len > KVS_ROOT_PLAIN_MAX ||
        raw.len - KVS_ROOT_HEAD_BYTES < *plain_len + AEAD_TAG_BYTES) {
        FAIL(ERR_PROTO, "root: a text of %u octets", *plain_len);
    }
    return OK;
}

err kvs_root_peek(struct bytes raw, struct kvs_root *out)
{
    struct kvs_root r = { 0 };
    uint32_t plain_len;

    TRY(head_parse(raw, &r, &plain_len));
    *out = r;
    return OK;
}

err kvs_root_open(struct aead *a, const struct key *root_key, struct bytes raw,
                  struct kvs_root *out)
{
    AUTO(key_done) struct key k = { 0 };
    struct kvs_root r = { 0 };
    uint8_t text[KVS_ROOT_PLAIN_MAX], nonce[AEAD_NONCE_BYTES];
    uint32_t plain_len;

    TRY(head_parse(raw, &r, &plain_len));
    TRY(root_key_of(root_key, &r, &k));
    kvs_nonce_counter(r.writes, nonce);
    TRY(aead_open(a, &k, nonce, (struct bytes){ raw.ptr, KVS_ROOT_HEAD_BYTES },
                  (struct bytes){ raw.ptr + KVS_ROOT_HEAD_BYTES, plain_len + AEAD_TAG_BYTES },
                  text));
    TRY(text_parse((struct bytes){ text, plain_len }, &r));
    *out = r;
    return OK;
}

/* --- anchor -------------------------------------------------------------------------------- */

static err anchor_mac(const struct key *root_key, const uint8_t *covered, struct digest *out)
{
    AUTO(key_done) struct key k = { .size = 32 };

    TRY(hkdf_expand_sha256(root_key, BYTES_LIT("meterseal anchor v1"), k.octets, k.size));
    *out = hmac_sha256((struct bytes){ k.octets, k.size },
                       (struct bytes){ covered, ANCHOR_COVERED_BYTES });
    return OK;
}

err kvs_anchor_seal(const struct key *root_key, const struct kvs_anchor *a,
                    uint8_t out[KVS_ANCHOR_BYTES])
{
    struct digest mac;

    memset(out, 0, KVS_ANCHOR_BYTES);
    memcpy(out, "MSAN", 4);
    out[4] = KVS_LAYOUT_VERSION;
    memcpy(out + 8, a->cluster, sizeof a->cluster);
    store_u32(out + 24, a->shard);
    store_u64(out + 28, a->epoch);
    store_u64(out + 36, a->seq);
    memcpy(out + 44, a->chain.octets, DIGEST_BYTES);
    TRY(anchor_mac(root_key, out, &mac));
    memcpy(out + ANCHOR_COVERED_BYTES, mac.octets, DIGEST_BYTES);
    return OK;
}

err kvs_anchor_open(const struct key *root_key, struct bytes raw, struct kvs_anchor *out)
{
    struct kvs_anchor a = { 0 };
    struct digest mac;

    if (raw.len != KVS_ANCHOR_BYTES || memcmp(raw.ptr, "MSAN", 4) != 0 ||
        raw.ptr[4] != KVS_LAYOUT_VERSION) {
        FAIL(ERR_PROTO, "no anchor of version %d", KVS_LAYOUT_VERSION);
    }
    TRY(anchor_mac(root_key, raw.ptr, &mac));
    if (!crypto_equal(BYTES_OF(mac.octets),
                      (struct bytes){ raw.ptr + ANCHOR_COVERED_BYTES, DIGEST_BYTES })) {
        FAIL(ERR_AUTH, "the anchor is not of this root key, or damaged");
    }
    memcpy(a.cluster, raw.ptr + 8, sizeof a.cluster);
    a.shard = load_u32(raw.ptr + 24);
    a.epoch = load_u64(raw.ptr + 28);
    a.seq = load_u64(raw.ptr + 36);
    memcpy(a.chain.octets, raw.ptr + 44, DIGEST_BYTES);
    *out = a;
    return OK;
}
