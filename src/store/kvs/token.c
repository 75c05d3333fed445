/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/token.h"

#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/mem.h"
#include "lib/crypto/aead.h"
#include "lib/crypto/random.h"
#include "lib/wire/kvs_api.h"

#define BOOT_BYTES 8
#define HEAD_BYTES (BOOT_BYTES + 8) /* and the counter */
#define PLAIN_HEAD_BYTES (1 + 8 + 2)
#define PLAIN_BYTES_MAX (PLAIN_HEAD_BYTES + 2 * KVS_KEY_BYTES_MAX)
#define TOKEN_BYTES_MAX (HEAD_BYTES + PLAIN_BYTES_MAX + AEAD_TAG_BYTES)

struct tokens {
    struct aead *aead;
    struct key key;           /* drawn at start, never stored */
    uint8_t boot[BOOT_BYTES]; /* which key this was */
    uint64_t count;           /* tokens made: the nonce, so none repeats under this key */
};

err tokens_new(struct tokens **out)
{
    struct tokens *t = mem_take(sizeof *t);

    if (t == NULL) {
        FAIL(ERR_LIMIT, "no memory for page tokens");
    }
    err e = aead_new(&t->aead);
    if (e.code) {
        mem_give(t);
        return e;
    }
    random_fill(t->boot, sizeof t->boot);
    random_fill(t->key.octets, sizeof t->key.octets);
    t->key.size = sizeof t->key.octets;
    *out = t;
    return OK;
}

void tokens_free(struct tokens *t)
{
    if (t != NULL) {
        aead_free(t->aead);
        key_done(&t->key);
        mem_give(t);
    }
}

static void nonce_of(uint64_t count, uint8_t out[AEAD_NONCE_BYTES])
{
    memset(out, 0, 4);
    store_u64(out + 4, count);
}

static uint8_t *put(uint8_t *at, struct bytes octets)
{
    if (octets.len > 0) {
        memcpy(at, octets.ptr, octets.len);
    }
    return at + octets.len;
}

/* flags u8, snapshot u64, length of start u16, start, end */
static struct bytes plain_write(const struct page_token *what, uint8_t out[PLAIN_BYTES_MAX])
{
    out[0] = what->reverse;
    store_u64(out + 1, what->snapshot);
    store_u16(out + 9, (uint16_t)what->start.len);
    uint8_t *end = put(put(out + PLAIN_HEAD_BYTES, what->start), what->end);
    return (struct bytes){ out, (size_t)(end - out) };
}

static err plain_read(struct bytes in, struct page_token *out)
{
    uint8_t flags;
    uint16_t len;

    TRY(bytes_read_u8(&in, &flags));
    TRY(bytes_read_u64(&in, &out->snapshot));
    TRY(bytes_read_u16(&in, &len));
    TRY(bytes_read(&in, len, &out->start));
    out->reverse = flags;
    out->end = in;
    return OK;
}

err token_make(struct tokens *t, struct bytes space, const struct page_token *what,
               struct buf *out)
{
    uint8_t raw[TOKEN_BYTES_MAX];
    uint8_t plain[PLAIN_BYTES_MAX];
    uint8_t nonce[AEAD_NONCE_BYTES];

    if (what->start.len > KVS_KEY_BYTES_MAX || what->end.len > KVS_KEY_BYTES_MAX) {
        FAIL(ERR_LIMIT, "the bound of a range is longer than a key");
    }
    struct bytes text = plain_write(what, plain);
    memcpy(raw, t->boot, BOOT_BYTES);
    store_u64(raw + BOOT_BYTES, ++t->count);
    nonce_of(t->count, nonce);
    TRY(aead_seal(t->aead, &t->key, nonce, space, text, raw + HEAD_BYTES));
    return base64_encode((struct bytes){ raw, HEAD_BYTES + text.len + AEAD_TAG_BYTES }, out);
}

err token_open(struct tokens *t, struct bytes space, struct bytes text, struct buf *room,
               struct page_token *out)
{
    uint8_t nonce[AEAD_NONCE_BYTES];

    buf_clear(room);
    if (text.len > BASE64_CHARS(TOKEN_BYTES_MAX)) {
        FAIL(ERR_PROTO, "a token is not that long");
    }
    TRY(base64_decode(text, room));
    if (room->len < HEAD_BYTES + AEAD_TAG_BYTES) {
        FAIL(ERR_PROTO, "a token is not that short");
    }
    if (memcmp(room->ptr, t->boot, BOOT_BYTES) != 0) {
        FAIL(ERR_MISSING, "the token is of an earlier run of the store");
    }
    nonce_of(load_u64(room->ptr + BOOT_BYTES), nonce);
    struct bytes sealed = { room->ptr + HEAD_BYTES, room->len - HEAD_BYTES };
    /* In place. */
    TRY(aead_open(t->aead, &t->key, nonce, space, sealed, room->ptr + HEAD_BYTES));
    return plain_read((struct bytes){ sealed.ptr, sealed.len - AEAD_TAG_BYTES }, out);
}
