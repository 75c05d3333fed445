/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/next.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/crypto/aead.h"
#include "lib/crypto/random.h"

#define PLAIN_BYTES_MAX 1200 /* 28 octets and a key */

struct next_sealer {
    struct aead *aead;
    struct key key; /* drawn at start, never leaves the process */
    uint64_t count; /* the nonce: one more for each token, so none is used twice under the key */
};

err next_sealer_new(struct next_sealer **out)
{
    struct next_sealer *s = mem_take(sizeof *s);

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory for a sealer");
    }
    err e = aead_new(&s->aead);
    if (e.code) {
        mem_give(s);
        return e;
    }
    s->key.size = sizeof s->key.octets;
    random_fill(s->key.octets, s->key.size);
    *out = s;
    return OK;
}

void next_sealer_free(struct next_sealer *s)
{
    if (s != NULL) {
        aead_free(s->aead);
        key_done(&s->key);
        mem_give(s);
    }
}

err next_seal(struct next_sealer *s, struct bytes digest, uint64_t now_us,
              const struct next_place *place, struct buf *out)
{
    AUTO(buf_done) struct buf plain = { .max = PLAIN_BYTES_MAX };
    uint8_t token[AEAD_NONCE_BYTES + PLAIN_BYTES_MAX + AEAD_TAG_BYTES] = { 0 };
    char text[2 * sizeof token + 1];

    TRY(buf_u64(&plain, now_us + NEXT_LIFETIME_US));
    TRY(buf_u64(&plain, place->emitted));
    TRY(buf_u32(&plain, place->range));
    TRY(buf_u64(&plain, place->snapshot));
    TRY(buf_append(&plain, place->key));
    store_u64(token + AEAD_NONCE_BYTES - 8, s->count++);
    TRY(aead_seal(s->aead, &s->key, token, digest, buf_bytes(&plain), token + AEAD_NONCE_BYTES));
    hex_encode((struct bytes){ token, AEAD_NONCE_BYTES + plain.len + AEAD_TAG_BYTES }, text);
    return buf_string(out, text);
}

err next_open(struct next_sealer *s, struct bytes digest, uint64_t now_us, struct bytes text,
              struct buf *room, struct next_place *out)
{
    uint8_t token[AEAD_NONCE_BYTES + PLAIN_BYTES_MAX + AEAD_TAG_BYTES];
    size_t size = text.len / 2;
    uint64_t expires_us;
    struct next_place place;

    if (text.len % 2 != 0 || size < AEAD_NONCE_BYTES + AEAD_TAG_BYTES || size > sizeof token ||
        hex_decode(text, token, size).code) {
        FAIL(ERR_AUTH, "a continuation that is not ours");
    }
    struct bytes sealed = { token + AEAD_NONCE_BYTES, size - AEAD_NONCE_BYTES };
    buf_clear(room);
    TRY(buf_reserve(room, sealed.len));
    TRY(aead_open(s->aead, &s->key, token, digest, sealed, room->ptr));
    room->len = sealed.len - AEAD_TAG_BYTES;
    struct bytes in = buf_bytes(room);
    if (bytes_read_u64(&in, &expires_us).code || bytes_read_u64(&in, &place.emitted).code ||
        bytes_read_u32(&in, &place.range).code || bytes_read_u64(&in, &place.snapshot).code) {
        FAIL(ERR_AUTH, "a continuation that is not ours");
    }
    if (now_us >= expires_us) {
        FAIL(ERR_AGAIN, "the continuation is older than a minute");
    }
    place.key = in;
    *out = place;
    return OK;
}
