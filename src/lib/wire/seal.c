/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/seal.h"

#include <assert.h>
#include <string.h>

#include "lib/wire/meter_id.h"
#include "lib/wire/nbr.h"

#define SEAL_VERSION 1
#define SEAL_KNOWN_FLAGS (SEAL_FIRST | SEAL_LAST | SEAL_LATE)
#define SEAL_DOMAIN "meterseal.seal.v1" /* with its NUL: the 00 before the body */
#define SEAL_TEXT_BYTES (sizeof SEAL_DOMAIN + SEAL_BODY_BYTES)

enum { /* offsets of the body (docs/protocol.md 2.3) */
    AT_VERSION = 0,
    AT_ALG = 1,
    AT_FLAGS = 2,
    AT_KEY_EPOCH = 4,
    AT_METER = 8,
    AT_START = 16,
    AT_END = 20,
    AT_FIRST = 24,
    AT_LAST = 28,
    AT_COUNT = 32,
    AT_RESERVED = 36,
    AT_E_ACT = 40,
    AT_E_IND = 48,
    AT_E_CAP = 56,
    AT_ROOT = 64,
    AT_PREVIOUS = 96,
};

enum { /* offsets of the transport blocks (docs/protocol.md 2.3) */
    AT_SUBCODE = 5,
    AT_PART = 6,
    AT_BODY = 7,
    AT_SIZE = 135,
    AT_FIRST_PIECE = 137,
    FIRST_PIECE_BYTES = 119,
    AT_NEXT_PIECE = 7,
    NEXT_PIECE_BYTES = 249,
    BLOCK_DATA_END = 256,
};

void seal_encode(const struct seal *s, uint8_t out[SEAL_BODY_BYTES])
{
    out[AT_VERSION] = SEAL_VERSION;
    out[AT_ALG] = s->alg;
    store_u16(out + AT_FLAGS, s->flags);
    store_u32(out + AT_KEY_EPOCH, s->key_epoch);
    store_u64(out + AT_METER, s->meter);
    store_u32(out + AT_START, s->start_s);
    store_u32(out + AT_END, s->end_s);
    store_u32(out + AT_FIRST, s->first);
    store_u32(out + AT_LAST, s->last);
    store_u32(out + AT_COUNT, s->count);
    store_u32(out + AT_RESERVED, 0);
    store_u64(out + AT_E_ACT, s->e_act);
    store_u64(out + AT_E_IND, s->e_ind);
    store_u64(out + AT_E_CAP, s->e_cap);
    memcpy(out + AT_ROOT, s->root.octets, DIGEST_BYTES);
    memcpy(out + AT_PREVIOUS, s->previous.octets, DIGEST_BYTES);
}

/* Octets of a signature by an algorithm of the seal body; 0 = no such algorithm. */
static size_t signature_size(uint8_t alg)
{
    switch (alg) {
    case SIGN_RSA2048:
        return 256;
    case SIGN_P256:
        return 64;
    case SIGN_RSA3072:
        return 384;
    default:
        return 0;
    }
}

static err check_fields(const struct seal *s)
{
    if (signature_size(s->alg) == 0) {
        FAIL(ERR_PROTO, "seal: algorithm %u is unknown", s->alg);
    }
    if ((s->flags & ~SEAL_KNOWN_FLAGS) != 0) {
        FAIL(ERR_PROTO, "seal: flags 0x%04x have an unknown bit", s->flags);
    }
    if (s->end_s <= s->start_s) {
        FAIL(ERR_PROTO, "seal: the day ends at %u, before its start %u", s->end_s, s->start_s);
    }
    uint64_t behind = (uint64_t)s->last + 1; /* the sequence behind the last one */
    if (behind < s->first || behind - s->first < s->count) {
        FAIL(ERR_PROTO, "seal: %u records do not fit sequences %u to %u", s->count, s->first,
             s->last);
    }
    if ((s->flags & SEAL_FIRST) != 0 && !digest_is_zero(&s->previous)) {
        FAIL(ERR_PROTO, "seal: the first one names a seal before it");
    }
    return OK;
}

err seal_parse(struct bytes body, struct seal *out)
{
    const uint8_t *p = body.ptr;

    if (body.len != SEAL_BODY_BYTES) {
        FAIL(ERR_PROTO, "seal: %zu octets, %d wanted", body.len, SEAL_BODY_BYTES);
    }
    if (p[AT_VERSION] != SEAL_VERSION) {
        FAIL(ERR_PROTO, "seal: version %u, only %d is known", p[AT_VERSION], SEAL_VERSION);
    }
    if (load_u32(p + AT_RESERVED) != 0) {
        FAIL(ERR_PROTO, "seal: the reserved field is not zero");
    }
    struct seal s = {
        .alg = p[AT_ALG],
        .flags = load_u16(p + AT_FLAGS),
        .key_epoch = load_u32(p + AT_KEY_EPOCH),
        .meter = load_u64(p + AT_METER),
        .start_s = load_u32(p + AT_START),
        .end_s = load_u32(p + AT_END),
        .first = load_u32(p + AT_FIRST),
        .last = load_u32(p + AT_LAST),
        .count = load_u32(p + AT_COUNT),
        .e_act = load_u64(p + AT_E_ACT),
        .e_ind = load_u64(p + AT_E_IND),
        .e_cap = load_u64(p + AT_E_CAP),
    };
    memcpy(s.root.octets, p + AT_ROOT, DIGEST_BYTES);
    memcpy(s.previous.octets, p + AT_PREVIOUS, DIGEST_BYTES);
    TRY(check_fields(&s));
    *out = s;
    return OK;
}

/* What is hashed and signed: the domain, 00, the body. */
static void seal_text(const struct seal *s, uint8_t out[SEAL_TEXT_BYTES])
{
    memcpy(out, SEAL_DOMAIN, sizeof SEAL_DOMAIN);
    seal_encode(s, out + sizeof SEAL_DOMAIN);
}

struct digest seal_hash(const struct seal *s)
{
    uint8_t text[SEAL_TEXT_BYTES];

    seal_text(s, text);
    return sha256(BYTES_OF(text));
}

err seal_sign(const struct seal *s, const struct private_key *k, struct sealed_day *out)
{
    uint8_t text[SEAL_TEXT_BYTES];
    struct sealed_day day = { .seal = *s };

    seal_text(s, text);
    TRY(sign(k, BYTES_OF(text), &day.signature));
    if (day.signature.size != signature_size(s->alg)) {
        FAIL(ERR_PROTO, "seal: algorithm %u is not the one of the signing key", s->alg);
    }
    *out = day;
    return OK;
}

err seal_verify(const struct sealed_day *d, const struct public_key *k)
{
    uint8_t text[SEAL_TEXT_BYTES];

    if (public_key_alg(k) != (enum sign_alg)d->seal.alg) {
        FAIL(ERR_AUTH, "seal: algorithm %u, the certified key has %d", d->seal.alg,
             (int)public_key_alg(k));
    }
    seal_text(&d->seal, text);
    return verify(k, BYTES_OF(text), (struct bytes){ d->signature.octets, d->signature.size });
}

err sealed_day_encode(const struct sealed_day *d, struct buf *out)
{
    assert(d->signature.size <= SIGNATURE_BYTES_MAX);
    TRY(buf_reserve(out, SEAL_BODY_BYTES + 2 + d->signature.size));
    uint8_t *p = out->ptr + out->len;
    seal_encode(&d->seal, p);
    store_u16(p + SEAL_BODY_BYTES, (uint16_t)d->signature.size);
    memcpy(p + SEAL_BODY_BYTES + 2, d->signature.octets, d->signature.size);
    out->len += SEAL_BODY_BYTES + 2 + d->signature.size;
    return OK;
}

static err check_signature_size(const struct seal *s, size_t size)
{
    if (size != signature_size(s->alg)) {
        FAIL(ERR_PROTO, "seal: signature of %zu octets, algorithm %u has %zu", size, s->alg,
             signature_size(s->alg));
    }
    return OK;
}

err sealed_day_parse(struct bytes *in, struct sealed_day *out)
{
    struct bytes rest = *in;
    struct bytes body;
    struct bytes signature;
    struct sealed_day d = { 0 };
    uint16_t size;

    TRY(bytes_read(&rest, SEAL_BODY_BYTES, &body));
    TRY(seal_parse(body, &d.seal));
    TRY(bytes_read_u16(&rest, &size));
    TRY(check_signature_size(&d.seal, size));
    TRY(bytes_read(&rest, size, &signature));
    memcpy(d.signature.octets, signature.ptr, size);
    d.signature.size = size;
    *in = rest;
    *out = d;
    return OK;
}

/* Which octets of a signature travel in a part. */
static size_t piece_start(size_t part)
{
    return part == 0 ? 0 : FIRST_PIECE_BYTES + (part - 1) * NEXT_PIECE_BYTES;
}

static size_t piece_size(size_t part, size_t signature)
{
    size_t left = signature - piece_start(part);
    size_t room = part == 0 ? FIRST_PIECE_BYTES : NEXT_PIECE_BYTES;

    return left < room ? left : room;
}

static size_t part_count(size_t signature)
{
    size_t count = 1;

    while (piece_start(count) < signature) {
        count++;
    }
    return count;
}

size_t seal_part_count(const struct sealed_day *d)
{
    return part_count(d->signature.size);
}

void seal_part_encode(const struct sealed_day *d, size_t part, uint8_t *out_block)
{
    assert(part < seal_part_count(d));
    memset(out_block, 0, NBR_RESPONSE_BYTES);
    out_block[0] = NBR_EXTENSION;
    store_u32(out_block + 1, (uint32_t)d->seal.meter);
    out_block[AT_SUBCODE] = NBR_EXT_SEAL;
    out_block[AT_PART] = (uint8_t)part;
    if (part == 0) {
        seal_encode(&d->seal, out_block + AT_BODY);
        store_u16(out_block + AT_SIZE, (uint16_t)d->signature.size);
    }
    memcpy(out_block + (part == 0 ? AT_FIRST_PIECE : AT_NEXT_PIECE),
           d->signature.octets + piece_start(part), piece_size(part, d->signature.size));
    nbr_crc_set(out_block, NBR_RESPONSE_BYTES);
}

/* Part 0 says which seal this is. The one already being collected goes on; another starts anew. */
static err add_first_part(struct seal_parts *p, const uint8_t *block, uint32_t serial)
{
    struct seal s;
    uint16_t size = load_u16(block + AT_SIZE);

    TRY(seal_parse((struct bytes){ block + AT_BODY, SEAL_BODY_BYTES }, &s));
    TRY(check_signature_size(&s, size));
    if ((uint32_t)s.meter != serial) {
        FAIL(ERR_PROTO, "seal: serial %08x carries a seal of meter %" PRI_METER, serial, s.meter);
    }
    size_t piece = piece_size(0, size);
    bool same = memcmp(p->body, block + AT_BODY, SEAL_BODY_BYTES) == 0 &&
                memcmp(p->signature, block + AT_FIRST_PIECE, piece) == 0;
    if ((p->have & 1) != 0 && !same) {
        *p = (struct seal_parts){ 0 };
    }
    memcpy(p->body, block + AT_BODY, SEAL_BODY_BYTES);
    memcpy(p->signature, block + AT_FIRST_PIECE, piece);
    p->size = size;
    p->have |= 1;
    return OK;
}

static err add_part(struct seal_parts *p, const uint8_t *block, uint32_t serial)
{
    uint8_t part = block[AT_PART];

    if (part >= SEAL_PARTS_MAX) {
        FAIL(ERR_PROTO, "seal: part %u, at most %d", part, SEAL_PARTS_MAX - 1);
    }
    if (part == 0) {
        return add_first_part(p, block, serial);
    }
    _Static_assert(sizeof((struct seal_parts *)0)->signature >=
                       FIRST_PIECE_BYTES + (SEAL_PARTS_MAX - 1) * NEXT_PIECE_BYTES,
                   "all pieces fit");
    memcpy(p->signature + piece_start(part), block + AT_NEXT_PIECE, NEXT_PIECE_BYTES);
    p->have |= (uint8_t)(1u << part);
    return OK;
}

static bool parts_whole(const struct seal_parts *p)
{
    unsigned all = (p->have & 1) != 0 ? (1u << part_count(p->size)) - 1 : 0;

    return all != 0 && (p->have & all) == all;
}

err seal_parts_add(struct seal_parts *p, struct bytes block, bool *whole, struct sealed_day *out)
{
    struct nbr_response response;

    TRY(nbr_response_parse(block, &response));
    if (response.code != NBR_EXTENSION || block.ptr[AT_SUBCODE] != NBR_EXT_SEAL) {
        FAIL(ERR_PROTO, "seal: code 0x%02x, sub-code 0x%02x", response.code,
             block.ptr[AT_SUBCODE]);
    }
    TRY(add_part(p, block.ptr, response.meter));
    *whole = parts_whole(p);
    if (*whole) {
        struct sealed_day d = { .signature.size = p->size };
        TRY(seal_parse(BYTES_OF(p->body), &d.seal));
        memcpy(d.signature.octets, p->signature, p->size);
        *out = d;
        *p = (struct seal_parts){ 0 };
    }
    return OK;
}

struct digest seals_root(const struct seal *seals, size_t count)
{
    struct merkle tree = { 0 };

    for (size_t i = 0; i < count; i++) {
        uint8_t body[SEAL_BODY_BYTES];
        seal_encode(&seals[i], body);
        struct digest leaf = merkle_leaf(BYTES_OF(body));
        err e = merkle_add(&tree, &leaf);
        assert(!e.code); /* the tree holds 2^32 - 1 leaves; a period has few days */
        (void)e;
    }
    return merkle_root(&tree);
}
