/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/agree.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rsa.h>

#include "lib/crypto/ossl.h"
#include "lib/crypto/sign_keys.h"

/* --- RSA-OAEP --- */

static bool label_set(EVP_PKEY_CTX *ctx, struct bytes label)
{
    if (label.len == 0) {
        return true;
    }
    void *copy = OPENSSL_memdup(label.ptr, label.len); /* the context frees it */
    if (copy == NULL || EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)label.len) <= 0) {
        OPENSSL_free(copy);
        return false;
    }
    return true;
}

static err oaep_ctx(EVP_PKEY *pkey, enum sign_alg alg, int (*init)(EVP_PKEY_CTX *),
                    struct bytes label, EVP_PKEY_CTX **out)
{
    if (alg == SIGN_P256) {
        FAIL(ERR_PROTO, "OAEP wants an RSA key, this is a P-256 key");
    }
    if (label.len > OAEP_LABEL_BYTES_MAX) {
        FAIL(ERR_LIMIT, "OAEP label of %zu octets, at most %d", label.len, OAEP_LABEL_BYTES_MAX);
    }
    AUTO(ossl_pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (ctx == NULL || init(ctx) <= 0 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) <= 0 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, ossl()->sha256) <= 0 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, ossl()->sha256) <= 0 || !label_set(ctx, label)) {
        OSSL_FAIL(ERR_LIMIT, "context for OAEP");
    }
    *out = TAKE(ctx);
    return OK;
}

err oaep_seal(const struct public_key *to, struct bytes label, struct bytes secret, uint8_t *out,
              size_t out_size)
{
    AUTO(ossl_pkey_ctx_freep) EVP_PKEY_CTX *ctx = NULL;
    size_t size = out_size;

    TRY(oaep_ctx(to->pkey, to->alg, EVP_PKEY_encrypt_init, label, &ctx));
    if (out_size != signature_bytes(to->alg)) { /* both are the size of the modulus */
        FAIL(ERR_LIMIT, "OAEP with this key gives %zu octets, not %zu", signature_bytes(to->alg),
             out_size);
    }
    if (EVP_PKEY_encrypt(ctx, out, &size, secret.ptr, secret.len) <= 0) {
        OSSL_FAIL(ERR_LIMIT, "OAEP");
    }
    return OK;
}

err oaep_open(const struct private_key *own, struct bytes label, struct bytes sealed, uint8_t *out,
              size_t out_size)
{
    AUTO(ossl_pkey_ctx_freep) EVP_PKEY_CTX *ctx = NULL;
    uint8_t plain[SIGNATURE_BYTES_MAX];
    size_t size = sizeof plain;

    TRY(oaep_ctx(own->pkey, own->alg, EVP_PKEY_decrypt_init, label, &ctx));
    bool good = sealed.len == signature_bytes(own->alg) &&
                EVP_PKEY_decrypt(ctx, plain, &size, sealed.ptr, sealed.len) > 0 && size == out_size;
    if (good && size > 0) {
        memcpy(out, plain, size);
    }
    wipe(plain, sizeof plain);
    if (!good) {
        OSSL_FAIL(ERR_AUTH, "the ciphertext is not for this key and label");
    }
    return OK;
}

/* --- X25519 --- */

err x25519_new(struct x25519_pair *out)
{
    AUTO(ossl_pkey_freep) EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    struct x25519_pair pair;
    size_t secret_size = X25519_BYTES;
    size_t shared_size = X25519_BYTES;

    if (pkey == NULL || EVP_PKEY_get_raw_private_key(pkey, pair.secret, &secret_size) != 1 ||
        EVP_PKEY_get_raw_public_key(pkey, pair.shared_part, &shared_size) != 1) {
        wipe(&pair, sizeof pair);
        OSSL_FAIL(ERR_LIMIT, "making an X25519 pair");
    }
    *out = pair;
    wipe(&pair, sizeof pair);
    return OK;
}

static bool derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t out[X25519_BYTES])
{
    AUTO(ossl_pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    size_t size = X25519_BYTES;

    return ctx != NULL && EVP_PKEY_derive_init(ctx) > 0 &&
           EVP_PKEY_derive_set_peer(ctx, peer) > 0 && EVP_PKEY_derive(ctx, out, &size) > 0 &&
           size == X25519_BYTES;
}

err x25519_agree(const struct x25519_pair *own, const uint8_t peer[X25519_BYTES],
                 uint8_t out[X25519_BYTES])
{
    static const uint8_t zero[X25519_BYTES];
    uint8_t agreed[X25519_BYTES] = { 0 };
    AUTO(ossl_pkey_freep)
    EVP_PKEY *mine =
        EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, own->secret, X25519_BYTES);
    AUTO(ossl_pkey_freep)
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer, X25519_BYTES);

    if (mine == NULL || theirs == NULL) {
        OSSL_FAIL(ERR_LIMIT, "X25519 keys");
    }
    bool good = derive(mine, theirs, agreed) && !crypto_equal(BYTES_OF(agreed), BYTES_OF(zero));
    if (good) {
        memcpy(out, agreed, sizeof agreed);
    }
    wipe(agreed, sizeof agreed);
    if (!good) {
        OSSL_FAIL(ERR_AUTH, "the peer's X25519 value is of small order");
    }
    return OK;
}
