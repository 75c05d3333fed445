/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/aead.h"

#include <assert.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/crypto/ossl.h"

/* A context of OpenSSL and the key set in it: setting a key costs a third of opening a frame, so it
 * is left out when the same key comes again. */
struct slot {
    EVP_CIPHER_CTX *ctx;
    struct key key; /* size 0: none is set */
};

enum direction { OPENING, SEALING };

/* Apart by direction and key size, so that a session that sends and receives keeps both its keys,
 * and nothing is allocated once each has been used. */
struct aead {
    struct slot slots[2][2];
};

static bool size_is_valid(const struct key *k)
{
    return k->size == 16 || k->size == 32;
}

err aead_new(struct aead **out)
{
    struct aead *a = mem_take(sizeof *a);

    if (a == NULL) {
        FAIL(ERR_LIMIT, "no memory for a cipher context");
    }
    *out = a;
    return OK;
}

void aead_free(struct aead *a)
{
    if (a == NULL) {
        return;
    }
    for (int i = 0; i < 4; i++) {
        EVP_CIPHER_CTX_free(a->slots[i / 2][i % 2].ctx);
    }
    wipe(a, sizeof *a);
    mem_give(a);
}

void aead_freep(struct aead **a)
{
    aead_free(*a);
}

static err slot_prepare(struct slot *s, enum direction d, bool wide)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx == NULL || EVP_CipherInit_ex2(ctx, ossl()->gcm[wide], NULL, NULL, (int)d, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        OSSL_FAIL(ERR_LIMIT, "AES-GCM context");
    }
    s->ctx = ctx;
    return OK;
}

/* The context with key and nonce set, ready for the associated data. */
static err slot_start(struct aead *a, enum direction d, const struct key *key, const uint8_t *nonce,
                      EVP_CIPHER_CTX **out)
{
    assert(size_is_valid(key));
    struct slot *s = &a->slots[d][key->size == 32];
    bool same = s->key.size == key->size && crypto_equal((struct bytes){ s->key.octets, key->size },
                                                         (struct bytes){ key->octets, key->size });

    if (s->ctx == NULL) {
        TRY(slot_prepare(s, d, key->size == 32));
    }
    if (EVP_CipherInit_ex2(s->ctx, NULL, same ? NULL : key->octets, nonce, (int)d, NULL) != 1) {
        key_done(&s->key);
        OSSL_FAIL(ERR_LIMIT, "AES-GCM key and nonce");
    }
    if (!same) {
        s->key = *key;
    }
    *out = s->ctx;
    return OK;
}

static bool update(EVP_CIPHER_CTX *ctx, uint8_t *out, struct bytes in)
{
    int n;

    return in.len == 0 || EVP_CipherUpdate(ctx, out, &n, in.ptr, (int)in.len) == 1;
}

static err bounds_check(struct bytes aad, struct bytes text)
{
    if (aad.len > AEAD_TEXT_BYTES_MAX || text.len > AEAD_TEXT_BYTES_MAX) {
        FAIL(ERR_LIMIT, "text of %zu octets to seal or open, at most %d", text.len,
             AEAD_TEXT_BYTES_MAX);
    }
    return OK;
}

err aead_seal(struct aead *a, const struct key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
              struct bytes aad, struct bytes plain, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx;
    int n;

    TRY(bounds_check(aad, plain));
    TRY(slot_start(a, SEALING, key, nonce, &ctx));
    if (!update(ctx, NULL, aad) || !update(ctx, out, plain) ||
        EVP_CipherFinal_ex(ctx, out + plain.len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, out + plain.len) != 1) {
        wipe(out, plain.len + AEAD_TAG_BYTES);
        OSSL_FAIL(ERR_LIMIT, "AES-GCM seal");
    }
    return OK;
}

err aead_open(struct aead *a, const struct key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
              struct bytes aad, struct bytes sealed, uint8_t *out)
{
    uint8_t tag[AEAD_TAG_BYTES];
    EVP_CIPHER_CTX *ctx;
    int n;

    if (sealed.len < AEAD_TAG_BYTES) {
        FAIL(ERR_AUTH, "sealed text of %zu octets is shorter than its tag", sealed.len);
    }
    struct bytes text = { sealed.ptr, sealed.len - AEAD_TAG_BYTES };
    TRY(bounds_check(aad, text));
    memcpy(tag, sealed.ptr + text.len, sizeof tag);
    TRY(slot_start(a, OPENING, key, nonce, &ctx));
    if (!update(ctx, NULL, aad) || !update(ctx, out, text) ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag) != 1 ||
        EVP_CipherFinal_ex(ctx, tag, &n) != 1) {
        wipe(out, text.len);
        OSSL_FAIL(ERR_AUTH, "the tag is wrong: another key, or octets were changed");
    }
    return OK;
}

static void cipher_ctx_freep(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
}

/* Key wrap in either direction; `out_size` is what must come out. */
static bool wrap_run(const struct key *kek, enum direction d, struct bytes in, uint8_t *out,
                     int out_size)
{
    AUTO(cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    int rest = 0;

    if (ctx == NULL) {
        return false;
    }
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    return EVP_CipherInit_ex2(ctx, ossl()->wrap[kek->size == 32], kek->octets, NULL, (int)d,
                              NULL) == 1 &&
           EVP_CipherUpdate(ctx, out, &n, in.ptr, (int)in.len) == 1 &&
           EVP_CipherFinal_ex(ctx, out + n, &rest) == 1 && n + rest == out_size;
}

err key_wrap(const struct key *kek, const struct key *k, uint8_t out[KEY_WRAPPED_BYTES])
{
    uint8_t wrapped[KEY_WRAPPED_BYTES + 8];

    assert(size_is_valid(kek) && k->size == 32);
    if (!wrap_run(kek, SEALING, (struct bytes){ k->octets, k->size }, wrapped, KEY_WRAPPED_BYTES)) {
        OSSL_FAIL(ERR_LIMIT, "wrapping a key");
    }
    memcpy(out, wrapped, KEY_WRAPPED_BYTES);
    return OK;
}

err key_unwrap(const struct key *kek, struct bytes wrapped, struct key *out)
{
    uint8_t plain[KEY_WRAPPED_BYTES];

    assert(size_is_valid(kek));
    if (wrapped.len != KEY_WRAPPED_BYTES) {
        FAIL(ERR_PROTO, "a wrapped key has %d octets, not %zu", KEY_WRAPPED_BYTES, wrapped.len);
    }
    bool good = wrap_run(kek, OPENING, wrapped, plain, 32);
    if (good) {
        memcpy(out->octets, plain, 32);
        out->size = 32;
    }
    wipe(plain, sizeof plain);
    if (!good) {
        OSSL_FAIL(ERR_AUTH, "the wrapped key does not open under this key");
    }
    return OK;
}
