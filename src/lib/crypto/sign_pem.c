/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys as files: PKCS#8 in PEM. */
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lib/crypto/ossl.h"
#include "lib/crypto/pem.h"
#include "lib/crypto/sign_keys.h"

#define PEM_KEY_BYTES_MAX 8192

static EVP_PKEY *pkcs8_decode(const struct pem_block *b)
{
    const unsigned char *at = b->data;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, b->size);
    bool whole = info != NULL && at == b->data + b->size;
    EVP_PKEY *pkey = whole ? EVP_PKCS82PKEY(info) : NULL;

    PKCS8_PRIV_KEY_INFO_free(info);
    return pkey;
}

err private_key_from_pem(struct bytes pem, struct private_key **out)
{
    AUTO(pem_block_done) struct pem_block b = { 0 };

    if (pem.len > PEM_KEY_BYTES_MAX) {
        FAIL(ERR_LIMIT, "private key of %zu octets, at most %d", pem.len, PEM_KEY_BYTES_MAX);
    }
    /* Not an encrypted key: it would need a password, and nobody is there to type it. */
    TRY(pem_block_read(pem, PEM_STRING_PKCS8INF, "unencrypted PKCS#8 private key", &b));
    EVP_PKEY *pkey = pkcs8_decode(&b);
    if (pkey == NULL) {
        OSSL_FAIL(ERR_PROTO, "the private key does not decode");
    }
    return private_key_wrap(pkey, out);
}

err private_key_to_pem(const struct private_key *k, struct buf *out)
{
    AUTO(ossl_bio_freep) BIO *bio = BIO_new(BIO_s_mem()); /* wipes what it held */

    if (bio == NULL ||
        PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1) {
        OSSL_FAIL(ERR_LIMIT, "encoding a private key");
    }
    return buf_append(out, ossl_bio_bytes(bio));
}
