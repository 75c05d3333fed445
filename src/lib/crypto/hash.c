/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/hash.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "lib/base/mem.h"
#include "lib/crypto/ossl.h"

static void digest_begin(EVP_MD_CTX *ctx)
{
    if (EVP_DigestInit_ex2(ctx, ossl()->sha256, NULL) != 1) {
        ossl_die("SHA-256 does not start");
    }
}

static void digest_add(EVP_MD_CTX *ctx, struct bytes part)
{
    if (part.len > 0 && EVP_DigestUpdate(ctx, part.ptr, part.len) != 1) {
        ossl_die("SHA-256 refuses octets");
    }
}

static struct digest digest_end(EVP_MD_CTX *ctx)
{
    struct digest d;

    if (EVP_DigestFinal_ex(ctx, d.octets, NULL) != 1) {
        ossl_die("SHA-256 does not end");
    }
    return d;
}

struct digest sha256_parts(const struct bytes *parts, size_t count)
{
    EVP_MD_CTX *ctx = ossl_thread_md();

    digest_begin(ctx);
    for (size_t i = 0; i < count; i++) {
        digest_add(ctx, parts[i]);
    }
    return digest_end(ctx);
}

struct digest sha256(struct bytes text)
{
    return sha256_parts(&text, 1);
}

struct digest sha256_domain(const char *label, struct bytes text)
{
    /* The label's own NUL is the zero octet between label and text. */
    const struct bytes parts[] = { { (const uint8_t *)label, strlen(label) + 1 }, text };

    return sha256_parts(parts, 2);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return crypto_equal(DIGEST_VIEW(a), DIGEST_VIEW(b));
}

bool digest_is_zero(const struct digest *d)
{
    static const struct digest zero;

    return digest_equal(d, &zero);
}

struct hash {
    EVP_MD_CTX *ctx;
};

err hash_new(struct hash **out)
{
    AUTO(hash_freep) struct hash *h = mem_take(sizeof *h);

    if (h == NULL || (h->ctx = EVP_MD_CTX_new()) == NULL) {
        FAIL(ERR_LIMIT, "no memory for a running hash");
    }
    digest_begin(h->ctx);
    *out = TAKE(h);
    return OK;
}

void hash_free(struct hash *h)
{
    if (h != NULL) {
        EVP_MD_CTX_free(h->ctx);
        mem_give(h);
    }
}

void hash_freep(struct hash **h)
{
    hash_free(*h);
}

void hash_add(struct hash *h, struct bytes part)
{
    digest_add(h->ctx, part);
}

struct digest hash_finish(struct hash *h)
{
    struct digest d = digest_end(h->ctx);

    digest_begin(h->ctx);
    return d;
}

struct digest hmac_sha256(struct bytes key, struct bytes text)
{
    static const uint8_t none[1]; /* a NULL key would mean "the key set before" */
    EVP_MAC_CTX *ctx = ossl_thread_mac();
    struct digest d;
    size_t size;

    if (EVP_MAC_init(ctx, key.len > 0 ? key.ptr : none, key.len, NULL) != 1 ||
        (text.len > 0 && EVP_MAC_update(ctx, text.ptr, text.len) != 1) ||
        EVP_MAC_final(ctx, d.octets, &size, sizeof d.octets) != 1) {
        ossl_die("HMAC-SHA-256 failed");
    }
    return d;
}

static void kdf_ctx_freep(EVP_KDF_CTX **c)
{
    EVP_KDF_CTX_free(*c);
}

/* OSSL_PARAM holds pointers to non-const octets even where it only reads them. */
static OSSL_PARAM param_octets(const char *name, struct bytes octets)
{
    void *at;

    memcpy(&at, &octets.ptr, sizeof at);
    return OSSL_PARAM_construct_octet_string(name, at, octets.len);
}

static err hkdf(int mode, struct bytes salt, struct bytes secret, struct bytes info, uint8_t *out,
                size_t out_size)
{
    char digest[] = "SHA256";

    if (out_size == 0 || out_size > HKDF_OUT_BYTES_MAX) {
        FAIL(ERR_LIMIT, "HKDF gives 1 to %d octets, %zu wanted", HKDF_OUT_BYTES_MAX, out_size);
    }
    if (info.len > HKDF_INFO_BYTES_MAX) {
        FAIL(ERR_LIMIT, "HKDF info of %zu octets, at most %d", info.len, HKDF_INFO_BYTES_MAX);
    }
    if (secret.len == 0) {
        FAIL(ERR_LIMIT, "HKDF wants a secret, none is given");
    }
    AUTO(kdf_ctx_freep) EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(ossl()->hkdf);
    OSSL_PARAM params[6] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        param_octets(OSSL_KDF_PARAM_KEY, secret),
        param_octets(OSSL_KDF_PARAM_INFO, info),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    if (salt.len > 0) {
        params[4] = param_octets(OSSL_KDF_PARAM_SALT, salt);
    }
    if (ctx == NULL || EVP_KDF_derive(ctx, out, out_size, params) != 1) {
        wipe(out, out_size);
        OSSL_FAIL(ERR_LIMIT, "HKDF-SHA-256");
    }
    return OK;
}

err hkdf_sha256(struct bytes salt, struct bytes secret, struct bytes info, uint8_t *out,
                size_t out_size)
{
    return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, salt, secret, info, out, out_size);
}

err hkdf_expand_sha256(const struct key *from, struct bytes info, uint8_t *out, size_t out_size)
{
    return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, (struct bytes){ 0 },
                (struct bytes){ from->octets, from->size }, info, out, out_size);
}
