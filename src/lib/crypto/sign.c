/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/sign.h"

#include <assert.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "lib/base/mem.h"
#include "lib/crypto/ossl.h"
#include "lib/crypto/sign_keys.h"

#define P256_HALF_BYTES 32
#define PSS_SALT_BYTES 32
#define ECDSA_DER_BYTES_MAX 72

static const size_t spki_sizes[] = { [SIGN_RSA2048] = 294, [SIGN_P256] = 91, [SIGN_RSA3072] = 422 };

size_t signature_bytes(enum sign_alg alg)
{
    static const size_t sizes[] = { [SIGN_RSA2048] = 256, [SIGN_P256] = 64, [SIGN_RSA3072] = 384 };

    return (size_t)alg < sizeof sizes / sizeof sizes[0] ? sizes[alg] : 0;
}

/* --- contexts --- */

static bool pss_set(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, ossl()->sha256) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, PSS_SALT_BYTES) > 0;
}

static err ctx_make(EVP_PKEY *pkey, enum sign_alg alg, int (*init)(EVP_PKEY_CTX *),
                    EVP_PKEY_CTX **out)
{
    AUTO(ossl_pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

    if (ctx == NULL || init(ctx) <= 0 || EVP_PKEY_CTX_set_signature_md(ctx, ossl()->sha256) <= 0 ||
        (alg != SIGN_P256 && !pss_set(ctx))) {
        OSSL_FAIL(ERR_LIMIT, "context for a signature");
    }
    *out = TAKE(ctx);
    return OK;
}

static err ctx_take(struct spare *s, EVP_PKEY *pkey, enum sign_alg alg, int (*init)(EVP_PKEY_CTX *),
                    EVP_PKEY_CTX **out)
{
    EVP_PKEY_CTX *ctx = atomic_exchange(&s->ctx, NULL);

    if (ctx == NULL) {
        TRY(ctx_make(pkey, alg, init, &ctx));
    }
    *out = ctx;
    return OK;
}

static void ctx_put(struct spare *s, EVP_PKEY_CTX *ctx)
{
    EVP_PKEY_CTX *none = NULL;

    if (!atomic_compare_exchange_strong(&s->ctx, &none, ctx)) {
        EVP_PKEY_CTX_free(ctx);
    }
}

/* --- ECDSA signatures: r | s here, DER in OpenSSL --- */

static void ecdsa_sig_freep(ECDSA_SIG **s)
{
    ECDSA_SIG_free(*s);
}

static err ecdsa_from_der(struct bytes der, struct signature *out)
{
    const uint8_t *at = der.ptr;
    AUTO(ecdsa_sig_freep) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der.len);

    if (sig == NULL ||
        BN_bn2binpad(ECDSA_SIG_get0_r(sig), out->octets, P256_HALF_BYTES) != P256_HALF_BYTES ||
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), out->octets + P256_HALF_BYTES, P256_HALF_BYTES) !=
            P256_HALF_BYTES) {
        OSSL_FAIL(ERR_LIMIT, "ECDSA signature");
    }
    out->size = 2 * P256_HALF_BYTES;
    return OK;
}

/* One INTEGER of DER: no leading zero octets, but one where the top bit would mean a minus. */
static size_t der_integer(const uint8_t half[P256_HALF_BYTES], uint8_t *out)
{
    size_t skip = 0;

    while (skip < P256_HALF_BYTES - 1 && half[skip] == 0) {
        skip++;
    }
    size_t pad = half[skip] >> 7;
    size_t size = pad + P256_HALF_BYTES - skip;
    out[0] = 0x02;
    out[1] = (uint8_t)size;
    out[2] = 0;
    memcpy(out + 2 + pad, half + skip, P256_HALF_BYTES - skip);
    return 2 + size;
}

static size_t ecdsa_to_der(const uint8_t *rs, uint8_t out[ECDSA_DER_BYTES_MAX])
{
    size_t size = der_integer(rs, out + 2);

    size += der_integer(rs + P256_HALF_BYTES, out + 2 + size);
    out[0] = 0x30;
    out[1] = (uint8_t)size;
    return 2 + size;
}

/* --- key pairs --- */

static bool rsa_exponent_is_usual(const EVP_PKEY *pkey)
{
    BIGNUM *e = NULL;
    bool usual = EVP_PKEY_get_bn_param(pkey, "e", &e) == 1 && BN_is_word(e, RSA_F4) == 1;

    BN_free(e);
    return usual;
}

static bool curve_is_p256(const EVP_PKEY *pkey)
{
    char name[32] = "";

    return EVP_PKEY_get_group_name(pkey, name, sizeof name, NULL) == 1 &&
           strcmp(name, "prime256v1") == 0;
}

static err pkey_alg(const EVP_PKEY *pkey, enum sign_alg *out)
{
    int bits = EVP_PKEY_get_bits(pkey);

    if (EVP_PKEY_is_a(pkey, "EC") == 1 && curve_is_p256(pkey)) {
        *out = SIGN_P256;
        return OK;
    }
    if (EVP_PKEY_is_a(pkey, "RSA") != 1 || (bits != 2048 && bits != 3072)) {
        OSSL_FAIL(ERR_PROTO, "key is none of RSA-2048, RSA-3072, P-256");
    }
    if (!rsa_exponent_is_usual(pkey)) {
        OSSL_FAIL(ERR_PROTO, "RSA key has another public exponent than 65537");
    }
    *out = bits == 2048 ? SIGN_RSA2048 : SIGN_RSA3072;
    return OK;
}

static err spki_of(const EVP_PKEY *pkey, uint8_t out[SPKI_BYTES_MAX], size_t *out_size)
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(pkey, &der);
    bool good = size > 0 && size <= SPKI_BYTES_MAX;

    if (good) {
        memcpy(out, der, (size_t)size);
        *out_size = (size_t)size;
    }
    OPENSSL_free(der);
    if (!good) {
        OSSL_FAIL(ERR_LIMIT, "encoding a public key");
    }
    return OK;
}

/* Which kind of key it is, and its id. One encoding per key: the id is a hash of it, and another
 * one would give another id. */
static err pkey_identify(const EVP_PKEY *pkey, enum sign_alg *out_alg, uint64_t *out_id)
{
    uint8_t spki[SPKI_BYTES_MAX];
    enum sign_alg alg;
    size_t size = 0;

    TRY(pkey_alg(pkey, &alg));
    TRY(spki_of(pkey, spki, &size));
    if (size != spki_sizes[alg]) {
        FAIL(ERR_PROTO, "public key is not in its usual encoding (no compressed point)");
    }
    *out_alg = alg;
    *out_id = load_u64(sha256((struct bytes){ spki, size }).octets);
    return OK;
}

err private_key_wrap(EVP_PKEY *pkey, struct private_key **out)
{
    AUTO(ossl_pkey_freep) EVP_PKEY *own = pkey;
    enum sign_alg alg;
    uint64_t id;

    TRY(pkey_identify(own, &alg, &id));
    struct private_key *k = mem_take(sizeof *k);
    if (k == NULL) {
        FAIL(ERR_LIMIT, "no memory for a key");
    }
    k->alg = alg;
    k->id = id;
    k->spare = &k->spare_place;
    k->pkey = TAKE(own);
    *out = k;
    return OK;
}

err private_key_new(enum sign_alg alg, struct private_key **out)
{
    EVP_PKEY *pkey;

    assert(signature_bytes(alg) > 0);
    if (alg == SIGN_P256) {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    } else {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)(alg == SIGN_RSA2048 ? 2048 : 3072));
    }
    if (pkey == NULL) {
        OSSL_FAIL(ERR_LIMIT, "making a key pair");
    }
    return private_key_wrap(pkey, out);
}

enum sign_alg private_key_alg(const struct private_key *k)
{
    return k->alg;
}

uint64_t private_key_id(const struct private_key *k)
{
    return k->id;
}

void private_key_free(struct private_key *k)
{
    if (k != NULL) {
        EVP_PKEY_CTX_free(atomic_load(&k->spare->ctx));
        EVP_PKEY_free(k->pkey);
        mem_give(k);
    }
}

void private_key_freep(struct private_key **k)
{
    private_key_free(*k);
}

err public_key_wrap(EVP_PKEY *pkey, struct public_key **out)
{
    AUTO(ossl_pkey_freep) EVP_PKEY *own = pkey;
    enum sign_alg alg;
    uint64_t id;

    TRY(pkey_identify(own, &alg, &id));
    struct public_key *k = mem_take(sizeof *k);
    if (k == NULL) {
        FAIL(ERR_LIMIT, "no memory for a key");
    }
    k->alg = alg;
    k->id = id;
    k->spare = &k->spare_place;
    k->pkey = TAKE(own);
    *out = k;
    return OK;
}

err public_key_from_spki(struct bytes der, struct public_key **out)
{
    AUTO(public_key_freep) struct public_key *k = NULL;
    uint8_t again[SPKI_BYTES_MAX];
    size_t size = 0;

    if (der.len == 0 || der.len > SPKI_BYTES_MAX) {
        FAIL(ERR_PROTO, "public key of %zu octets, at most %d", der.len, SPKI_BYTES_MAX);
    }
    const uint8_t *at = der.ptr;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)der.len);
    if (pkey == NULL) {
        OSSL_FAIL(ERR_PROTO, "public key is no DER SubjectPublicKeyInfo");
    }
    TRY(public_key_wrap(pkey, &k));
    TRY(spki_of(k->pkey, again, &size));
    if (!bytes_equal((struct bytes){ again, size }, der)) {
        FAIL(ERR_PROTO, "public key is not DER, or has octets behind it");
    }
    *out = TAKE(k);
    return OK;
}

err public_key_of(const struct private_key *k, struct public_key **out)
{
    uint8_t spki[SPKI_BYTES_MAX];
    size_t size = 0;

    TRY(spki_of(k->pkey, spki, &size));
    return public_key_from_spki((struct bytes){ spki, size }, out);
}

err public_key_to_spki(const struct public_key *k, struct buf *out)
{
    uint8_t spki[SPKI_BYTES_MAX];
    size_t size = 0;

    TRY(spki_of(k->pkey, spki, &size));
    return buf_append(out, (struct bytes){ spki, size });
}

enum sign_alg public_key_alg(const struct public_key *k)
{
    return k->alg;
}

uint64_t public_key_id(const struct public_key *k)
{
    return k->id;
}

void public_key_free(struct public_key *k)
{
    if (k != NULL) {
        EVP_PKEY_CTX_free(atomic_load(&k->spare->ctx));
        EVP_PKEY_free(k->pkey);
        mem_give(k);
    }
}

void public_key_freep(struct public_key **k)
{
    public_key_free(*k);
}

/* --- signatures --- */

err sign(const struct private_key *k, struct bytes text, struct signature *out)
{
    AUTO(ossl_pkey_ctx_freep) EVP_PKEY_CTX *ctx = NULL;
    struct digest d = sha256(text);
    struct signature s = { .size = sizeof s.octets };

    TRY(ctx_take(k->spare, k->pkey, k->alg, EVP_PKEY_sign_init, &ctx));
    if (EVP_PKEY_sign(ctx, s.octets, &s.size, d.octets, sizeof d.octets) <= 0) {
        OSSL_FAIL(ERR_LIMIT, "signing");
    }
    if (k->alg == SIGN_P256) {
        uint8_t der[ECDSA_DER_BYTES_MAX];
        assert(s.size <= sizeof der);
        memcpy(der, s.octets, s.size);
        TRY(ecdsa_from_der((struct bytes){ der, s.size }, &s));
    }
    assert(s.size == signature_bytes(k->alg));
    ctx_put(k->spare, TAKE(ctx));
    *out = s;
    return OK;
}

err verify(const struct public_key *k, struct bytes text, struct bytes signature)
{
    AUTO(ossl_pkey_ctx_freep) EVP_PKEY_CTX *ctx = NULL;
    uint8_t der[ECDSA_DER_BYTES_MAX];

    if (signature.len != signature_bytes(k->alg)) {
        FAIL(ERR_AUTH, "signature of %zu octets, this key makes %zu", signature.len,
             signature_bytes(k->alg));
    }
    struct digest d = sha256(text);
    TRY(ctx_take(k->spare, k->pkey, k->alg, EVP_PKEY_verify_init, &ctx));
    if (k->alg == SIGN_P256) {
        signature.len = ecdsa_to_der(signature.ptr, der);
        signature.ptr = der;
    }
    if (EVP_PKEY_verify(ctx, signature.ptr, signature.len, d.octets, sizeof d.octets) != 1) {
        OSSL_FAIL(ERR_AUTH, "the signature is not of this key and text");
    }
    ctx_put(k->spare, TAKE(ctx));
    return OK;
}
