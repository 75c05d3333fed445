/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/handshake.h"

#include <assert.h>
#include <string.h>

#define FIXED_BYTES 56 /* of the body, before the share's length */
#define LABEL_BYTES_MAX 32
#define SIGNED_TEXT_BYTES_MAX (LABEL_BYTES_MAX + DIGEST_BYTES + ENVELOPE_FRAME_BYTES_MAX)

static const struct suite_rule suites[] = {
    { SUITE_RSA2048, SIGN_RSA2048, 16, 256, 0 },
    { SUITE_X25519_RSA2048, SIGN_RSA2048, 16, X25519_BYTES, X25519_BYTES },
};

const struct suite_rule *suite_find(uint8_t suite)
{
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (suites[i].suite == suite) {
            return &suites[i];
        }
    }
    return NULL;
}

static size_t share_bytes(const struct suite_rule *rule, enum envelope_type type)
{
    return type == ENVELOPE_HELLO ? rule->hello_share_bytes : rule->hello_ok_share_bytes;
}

static size_t body_bytes(const struct suite_rule *rule, enum envelope_type type)
{
    return FIXED_BYTES + 2 + share_bytes(rule, type) + 2 + signature_bytes(rule->alg);
}

/* --- parsing --- */

static err envelope_check(struct bytes *frame, enum envelope_type type, struct handshake *h)
{
    struct bytes header;
    struct envelope e;

    TRY(bytes_read(frame, ENVELOPE_HEADER_BYTES, &header));
    TRY(envelope_parse(header, &e));
    if (e.type != type) {
        FAIL(ERR_PROTO, "frame of type %u, %d is wanted", e.type, (int)type);
    }
    if (e.length != frame->len) {
        FAIL(ERR_PROTO, "handshake length %u, %zu octets are there", e.length, frame->len);
    }
    h->type = type;
    h->epoch = e.epoch;
    h->meter = e.meter;
    return OK;
}

static err suite_read(struct bytes *body, struct handshake *h)
{
    size_t len = body->len;
    uint8_t suite;

    TRY(bytes_read_u8(body, &suite));
    h->rule = suite_find(suite);
    if (h->rule == NULL) {
        FAIL(ERR_PROTO, "suite %u is not one of 1 and 3", suite);
    }
    if (len != body_bytes(h->rule, h->type)) {
        FAIL(ERR_PROTO, "handshake body of %zu octets, suite %u has %zu", len, suite,
             body_bytes(h->rule, h->type));
    }
    return OK;
}

static err counted_read(struct bytes *body, const char *what, size_t want, struct bytes *out)
{
    uint16_t len;

    TRY(bytes_read_u16(body, &len));
    if (len != want) {
        FAIL(ERR_PROTO, "%s of %u octets, the suite has %zu", what, len, want);
    }
    return bytes_read(body, len, out);
}

static err small_fields_check(const struct handshake *h)
{
    if (h->type == ENVELOPE_HELLO && (h->small & ~HELLO_CLOCK_UNSET) != 0) {
        FAIL(ERR_PROTO, "HELLO flags 0x%02x: only bit 0 is known", h->small);
    }
    if (h->type == ENVELOPE_HELLO && h->half != 0) {
        FAIL(ERR_PROTO, "HELLO zero field is 0x%04x", h->half);
    }
    if (h->type == ENVELOPE_HELLO_OK && (h->small == 0 || h->half == 0)) {
        FAIL(ERR_PROTO, "HELLO-OK with a window or lifetime of 0");
    }
    return OK;
}

err handshake_parse(struct bytes frame, enum envelope_type type, struct handshake *out)
{
    struct handshake h = { 0 };

    TRY(envelope_check(&frame, type, &h));
    TRY(suite_read(&frame, &h));
    TRY(bytes_read_u8(&frame, &h.small));
    TRY(bytes_read_u16(&frame, &h.half));
    TRY(bytes_read_u32(&frame, &h.utc_s));
    TRY(bytes_read_u64(&frame, &h.collector_key_id));
    TRY(bytes_read_u64(&frame, &h.meter_key_id));
    TRY(bytes_read_copy(&frame, h.nonce, sizeof h.nonce));
    TRY(small_fields_check(&h));
    TRY(counted_read(&frame, "share", share_bytes(h.rule, type), &h.share));
    TRY(counted_read(&frame, "signature", signature_bytes(h.rule->alg), &h.signature));
    *out = h;
    return OK;
}

/* --- signing --- */

/* What is signed: label 00 [hash of the HELLO] header, body before the signature's length. */
static struct bytes signed_text(enum envelope_type type, struct bytes hello, struct bytes part,
                                uint8_t room[SIGNED_TEXT_BYTES_MAX])
{
    const char *label = type == ENVELOPE_HELLO ? "meterseal hello 1" : "meterseal hello-ok 1";
    size_t size = strlen(label) + 1;

    memcpy(room, label, size);
    if (type == ENVELOPE_HELLO_OK) {
        struct digest d = sha256(hello);
        memcpy(room + size, d.octets, sizeof d.octets);
        size += sizeof d.octets;
    }
    memcpy(room + size, part.ptr, part.len);
    return (struct bytes){ room, size + part.len };
}

/* Header and body before the signature's length; returns their size. */
static size_t unsigned_part_encode(const struct handshake *h, uint8_t *out)
{
    uint8_t *body = out + ENVELOPE_HEADER_BYTES;
    struct envelope e = { .type = (uint8_t)h->type,
                          .epoch = h->epoch,
                          .meter = h->meter,
                          .length = (uint16_t)body_bytes(h->rule, h->type) };

    assert(h->share.len == share_bytes(h->rule, h->type));
    envelope_encode(&e, out);
    body[0] = h->rule->suite;
    body[1] = h->small;
    store_u16(body + 2, h->half);
    store_u32(body + 4, h->utc_s);
    store_u64(body + 8, h->collector_key_id);
    store_u64(body + 16, h->meter_key_id);
    memcpy(body + 24, h->nonce, sizeof h->nonce);
    store_u16(body + FIXED_BYTES, (uint16_t)h->share.len);
    if (h->share.len > 0) {
        memcpy(body + FIXED_BYTES + 2, h->share.ptr, h->share.len);
    }
    return ENVELOPE_HEADER_BYTES + FIXED_BYTES + 2 + h->share.len;
}

err handshake_make(const struct handshake *h, struct bytes hello, const struct private_key *own,
                   uint8_t *out, size_t *out_size)
{
    uint8_t room[SIGNED_TEXT_BYTES_MAX];
    struct signature s;

    if (private_key_alg(own) != h->rule->alg) {
        FAIL(ERR_PROTO, "own key is not of the kind that suite %u wants", h->rule->suite);
    }
    TRY(small_fields_check(h));
    size_t size = unsigned_part_encode(h, out);
    TRY(sign(own, signed_text(h->type, hello, (struct bytes){ out, size }, room), &s));
    store_u16(out + size, (uint16_t)s.size);
    memcpy(out + size + 2, s.octets, s.size);
    *out_size = size + 2 + s.size;
    return OK;
}

err handshake_verify(const struct handshake *h, struct bytes hello, struct bytes frame,
                     const struct public_key *peer)
{
    uint8_t room[SIGNED_TEXT_BYTES_MAX];
    struct bytes part = { frame.ptr, frame.len - 2 - h->signature.len };

    if (public_key_alg(peer) != h->rule->alg) {
        FAIL(ERR_AUTH, "peer's key is not of the kind that suite %u wants", h->rule->suite);
    }
    return verify(peer, signed_text(h->type, hello, part, room), h->signature);
}
