/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, blocks, feet and entries. */
#include "lib/wire/kvs_layout.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/wire/kvs_layout_impl.h"

#define ENTRY_FIXED_BYTES 94

bool kvs_id_equal(const struct kvs_id *a, const struct kvs_id *b)
{
    return bytes_equal(BYTES_OF(a->octets), BYTES_OF(b->octets));
}

bool kvs_id_is_zero(const struct kvs_id *id)
{
    const struct kvs_id zero = { { 0 } };

    return kvs_id_equal(id, &zero);
}

void kvs_id_text(const struct kvs_id *id, char out[KVS_ID_TEXT_BYTES])
{
    hex_encode(BYTES_OF(id->octets), out);
}

void kvs_name_text(const struct kvs_id *id, uint16_t gen, uint8_t index, char out[KVS_NAME_BYTES])
{
    char text[KVS_ID_TEXT_BYTES];

    kvs_id_text(id, text);
    snprintf(out, KVS_NAME_BYTES, "%s.%04x.%02x", text, gen, index);
}

err kvs_name_parse(const char *name, struct kvs_id *out)
{
    struct kvs_id id;
    uint8_t gen[2], index;
    char again[KVS_NAME_BYTES];

    if (strlen(name) != KVS_NAME_BYTES - 1) {
        FAIL(ERR_PROTO, "an object's name has %d characters", KVS_NAME_BYTES - 1);
    }
    TRY(hex_decode((struct bytes){ (const uint8_t *)name, 32 }, id.octets, sizeof id.octets));
    TRY(hex_decode((struct bytes){ (const uint8_t *)name + 33, 4 }, gen, sizeof gen));
    TRY(hex_decode((struct bytes){ (const uint8_t *)name + 38, 2 }, &index, 1));
    kvs_name_text(&id, load_u16(gen), index, again);
    if (strcmp(name, again) != 0) {
        FAIL(ERR_PROTO, "an object's name is lower-case hex with dots");
    }
    *out = id;
    return OK;
}

/* --- keys ---------------------------------------------------------------------------------- */

/* info = label 00 || rest; labels are literals below. */
static err expand(const struct key *from, const char *label, const uint8_t *rest, size_t rest_size,
                  struct key *out)
{
    uint8_t info[80];
    size_t label_size = strlen(label) + 1;

    assert(label_size + rest_size <= sizeof info);
    memcpy(info, label, label_size);
    memcpy(info + label_size, rest, rest_size);
    out->size = 32;
    return hkdf_expand_sha256(from, (struct bytes){ info, label_size + rest_size }, out->octets,
                              out->size);
}

err kvs_kek(const struct key *root, const uint8_t cluster[16], struct key *out)
{
    out->size = 32;
    return hkdf_sha256((struct bytes){ cluster, 16 }, (struct bytes){ root->octets, root->size },
                       BYTES_LIT("meterseal kek v1"), out->octets, out->size);
}

err kvs_space_kek(const struct key *vek, struct key *out)
{
    out->size = 32;
    return hkdf_expand_sha256(vek, BYTES_LIT("meterseal space kek v1"), out->octets, out->size);
}

static err expand_id(const struct key *from, const char *label, uint32_t shard,
                     const struct kvs_id *id, struct key *out)
{
    uint8_t rest[4 + KVS_ID_BYTES];

    store_u32(rest, shard);
    memcpy(rest + 4, id->octets, KVS_ID_BYTES);
    return expand(from, label, rest, sizeof rest, out);
}

err kvs_file_key(const struct key *from, uint32_t shard, const struct kvs_id *file,
                 struct key *out)
{
    return expand_id(from, "meterseal file v1", shard, file, out);
}

err kvs_log_key(const struct key *vek, uint32_t shard, const struct kvs_id *segment,
                struct key *out)
{
    return expand_id(vek, "meterseal log v1", shard, segment, out);
}

err kvs_frag_key(const struct key *file_key, const struct kvs_spread *spread, struct key *out)
{
    uint8_t rest[8] = { spread->r, spread->k, spread->m, spread->matrix };

    store_u16(rest + 4, spread->gen);
    store_u16(rest + 6, spread->unit);
    return expand(file_key, "meterseal frag v1", rest, sizeof rest, out);
}

/* --- blocks -------------------------------------------------------------------------------- */

void kvs_nonce_counter(uint64_t counter, uint8_t out[AEAD_NONCE_BYTES])
{
    memset(out, 0, 4);
    store_u64(out + 4, counter);
}

static void block_aad(const struct kvs_block *b, uint8_t out[KVS_BLOCK_AAD_BYTES])
{
    memset(out, 0, KVS_BLOCK_AAD_BYTES);
    memcpy(out, "MSBK", 4);
    out[4] = KVS_LAYOUT_VERSION;
    out[5] = b->kind;
    out[6] = b->last ? 1 : 0;
    out[7] = b->block_log2;
    memcpy(out + 8, b->file.octets, KVS_ID_BYTES);
    store_u64(out + 24, b->epoch);
    store_u64(out + 32, b->index);
    store_u32(out + 40, b->plain_len);
    store_u32(out + 44, b->key_epoch);
    store_u32(out + 48, b->shard);
}

err kvs_block_seal(struct aead *a, const struct key *file_key, const struct kvs_block *b,
                   const uint8_t *plain, uint8_t *out)
{
    uint8_t aad[KVS_BLOCK_AAD_BYTES], nonce[AEAD_NONCE_BYTES];

    block_aad(b, aad);
    kvs_nonce_counter(b->index, nonce);
    return aead_seal(a, file_key, nonce, BYTES_OF(aad), (struct bytes){ plain, b->plain_len }, out);
}

err kvs_block_open(struct aead *a, const struct key *file_key, const struct kvs_block *b,
                   const uint8_t *sealed, uint8_t *out)
{
    uint8_t aad[KVS_BLOCK_AAD_BYTES], nonce[AEAD_NONCE_BYTES];

    block_aad(b, aad);
    kvs_nonce_counter(b->index, nonce);
    return aead_open(a, file_key, nonce, BYTES_OF(aad),
                     (struct bytes){ sealed, b->plain_len + AEAD_TAG_BYTES }, out);
}

/* --- feet ---------------------------------------------------------------------------------- */

static err gmac(struct aead *a, const struct key *frag_key, const uint8_t nonce[AEAD_NONCE_BYTES],
                struct bytes octets, uint8_t out[AEAD_TAG_BYTES])
{
    return aead_seal(a, frag_key, nonce, octets, (struct bytes){ NULL, 0 }, out);
}

static void foot_nonce(uint8_t index, uint16_t gen, uint8_t out[AEAD_NONCE_BYTES])
{
    memset(out, 0xff, AEAD_NONCE_BYTES);
    out[1] = index;
    store_u16(out + 2, gen);
}

static void foot_encode(const struct kvs_foot *f, uint8_t out[KVS_FOOT_MACED_BYTES])
{
    memset(out, 0, KVS_FOOT_MACED_BYTES);
    memcpy(out, "MSFR", 4);
    out[4] = KVS_LAYOUT_VERSION;
    out[5] = f->role;
    out[6] = f->spread.r;
    out[7] = f->spread.k;
    out[8] = f->spread.m;
    out[9] = f->index;
    store_u16(out + 10, f->spread.gen);
    out[12] = f->spread.matrix;
    out[13] = f->block_log2;
    store_u16(out + 14, f->spread.unit);
    memcpy(out + 16, f->file.octets, KVS_ID_BYTES);
    store_u32(out + 32, f->shard);
    store_u32(out + 36, f->key_epoch);
    store_u64(out + 40, f->epoch);
    store_u64(out + 48, f->length);
    store_u32(out + 56, f->blocks);
    store_u32(out + 60, f->rows);
    memcpy(out + 64, f->digest, sizeof f->digest);
}

err kvs_foot_seal(struct aead *a, const struct key *frag_key, const struct kvs_foot *f,
                  uint8_t out[KVS_FOOT_BYTES])
{
    uint8_t nonce[AEAD_NONCE_BYTES];

    foot_encode(f, out);
    foot_nonce(f->index, f->spread.gen, nonce);
    return gmac(a, frag_key, nonce, (struct bytes){ out, KVS_FOOT_MACED_BYTES },
                out + KVS_FOOT_MACED_BYTES);
}

static bool spread_valid(const struct kvs_spread *s)
{
    if (s->k == 0) {
        return s->r >= 1 && s->r <= 5 && s->m == 0 && s->matrix == 0;
    }
    return s->r <= 5 && s->k >= 2 && s->k <= 16 && s->m >= 1 && s->m <= 4 && s->matrix == 1;
}

static bool block_log2_valid(uint8_t block_log2)
{
    return block_log2 == 12 || block_log2 == KVS_BLOCK_LOG2;
}

err kvs_foot_parse(struct bytes raw, struct kvs_foot *out)
{
    if (raw.len != KVS_FOOT_BYTES || memcmp(raw.ptr, "MSFR", 4) != 0 ||
        raw.ptr[4] != KVS_LAYOUT_VERSION) {
        FAIL(ERR_PROTO, "no foot of version %d", KVS_LAYOUT_VERSION);
    }
    const uint8_t *at = raw.ptr;
    struct kvs_foot f = {
        .role = at[5],
        .index = at[9],
        .block_log2 = at[13],
        .spread = { .r = at[6], .k = at[7], .m = at[8], .matrix = at[12],
                    .gen = load_u16(at + 10), .unit = load_u16(at + 14) },
        .shard = load_u32(at + 32),
        .key_epoch = load_u32(at + 36),
        .epoch = load_u64(at + 40),
        .length = load_u64(at + 48),
        .blocks = load_u32(at + 56),
        .rows = load_u32(at + 60),
    };
    if (f.role > KVS_PARITY || !spread_valid(&f.spread) || !block_log2_valid(f.block_log2) ||
        f.index >= kvs_spread_count(&f.spread)) {
        FAIL(ERR_PROTO, "foot: role %u, index %u, block 2^%u or its policy is out of range",
             f.role, f.index, f.block_log2);
    }
    memcpy(f.file.octets, at + 16, KVS_ID_BYTES);
    memcpy(f.digest, at + 64, sizeof f.digest);
    *out = f;
    return OK;
}

err kvs_foot_check(struct aead *a, const struct key *frag_key, struct bytes raw)
{
    struct kvs_foot f;
    uint8_t nonce[AEAD_NONCE_BYTES], mac[AEAD_TAG_BYTES];

    TRY(kvs_foot_parse(raw, &f));
    foot_nonce(f.index, f.spread.gen, nonce);
    TRY(gmac(a, frag_key, nonce, (struct bytes){ raw.ptr, KVS_FOOT_MACED_BYTES }, mac));
    if (!crypto_equal(BYTES_OF(mac),
                      (struct bytes){ raw.ptr + KVS_FOOT_MACED_BYTES, AEAD_TAG_BYTES })) {
        FAIL(ERR_AUTH, "the foot is not the one that was written");
    }
    return OK;
}

err kvs_row_mac(struct aead *a, const struct key *frag_key, uint8_t index, uint16_t gen,
                uint64_t row, struct bytes octets, uint8_t out[AEAD_TAG_BYTES])
{
    uint8_t nonce[AEAD_NONCE_BYTES] = { 1, index };

    store_u16(nonce + 2, gen);
    store_u64(nonce + 4, row);
    return gmac(a, frag_key, nonce, octets, out);
}

/* --- entries ------------------------------------------------------------------------------- */

size_t kvs_spread_count(const struct kvs_spread *s)
{
    return (size_t)s->r + s->k + s->m;
}

/* Blocks that a file of `length` octets has. */
static uint64_t blocks_of(uint64_t length, uint8_t block_log2)
{
    uint64_t plain = (UINT64_C(1) << block_log2) - AEAD_TAG_BYTES;

    return length / plain + (length % plain != 0 ? 1 : 0);
}

static bool entry_valid(const struct kvs_file_entry *e)
{
    return e->kind >= 2 && e->kind <= 4 && block_log2_valid(e->block_log2) &&
           spread_valid(&e->spread) && blocks_of(e->length, e->block_log2) == e->blocks;
}

err kvs_file_entry_encode(const struct kvs_file_entry *e, struct buf *out)
{
    uint8_t raw[ENTRY_FIXED_BYTES + 2 * KVS_FRAGMENTS_MAX];
    size_t count = kvs_spread_count(&e->spread);

    assert(entry_valid(e));
    memcpy(raw, e->id.octets, KVS_ID_BYTES);
    raw[16] = e->kind;
    raw[17] = e->block_log2;
    raw[18] = e->spread.r;
    raw[19] = e->spread.k;
    raw[20] = e->spread.m;
    raw[21] = e->spread.matrix;
    store_u16(raw + 22, e->spread.gen);
    store_u16(raw + 24, e->spread.unit);
    store_u32(raw + 26, e->key_epoch);
    store_u32(raw + 30, e->space);
    store_u64(raw + 34, e->epoch);
    store_u64(raw + 42, e->length);
    store_u32(raw + 50, e->blocks);
    store_u64(raw + 54, e->created_s);
    memcpy(raw + 62, e->digest.octets, DIGEST_BYTES);
    for (size_t i = 0; i < count; i++) {
        store_u16(raw + ENTRY_FIXED_BYTES + 2 * i, e->nodes[i]);
    }
    return buf_append(out, (struct bytes){ raw, ENTRY_FIXED_BYTES + 2 * count });
}

err kvs_file_entry_decode(struct bytes *in, struct kvs_file_entry *out)
{
    struct bytes rest = *in, raw;

    TRY(bytes_read(&rest, ENTRY_FIXED_BYTES, &raw));
    const uint8_t *at = raw.ptr;
    struct kvs_file_entry e = {
        .kind = at[16],
        .block_log2 = at[17],
        .spread = { .r = at[18],
                    .k = at[19],
                    .m = at[20],
                    .matrix = at[21],
                    .gen = load_u16(at + 22),
                    .unit = load_u16(at + 24) },
        .key_epoch = load_u32(at + 26),
        .space = load_u32(at + 30),
        .epoch = load_u64(at + 34),
        .length = load_u64(at + 42),
        .blocks = load_u32(at + 50),
        .created_s = load_u64(at + 54),
    };
    memcpy(e.id.octets, at, KVS_ID_BYTES);
    memcpy(e.digest.octets, at + 62, DIGEST_BYTES);
    if (!entry_valid(&e)) {
        FAIL(ERR_PROTO, "entry: kind %u, block 2^%u, policy or count of blocks is out of range",
             e.kind, e.block_log2);
    }
    for (size_t i = 0; i < kvs_spread_count(&e.spread); i++) {
        TRY(bytes_read_u16(&rest, &e.nodes[i]));
    }
    *in = rest;
    *out = e;
    return OK;
}
