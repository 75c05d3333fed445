/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys as files: PKCS#8 in PEM. */
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lib/crypto/ossl.h"
#include "lib/crypto/sign_keys.h"

#define PEM_KEY_BYTES_MAX 8192

struct pem_parts { /* OpenSSL's memory */
    char *name;
    char *header;
    unsigned char *data;
    long size;
};

static void pem_parts_done(struct pem_parts *p)
{
    OPENSSL_free(p->name);
    OPENSSL_free(p->header);
    OPENSSL_clear_free(p->data, (size_t)p->size);
}

/* Only white space may stand behind the block, so that a file of two keys is not half read. */
static bool rest_is_blank(BIO *bio)
{
    char c;

    while (BIO_read(bio, &c, 1) == 1) {
        if (strchr(" \t\r\n", c) == NULL) {
            return false;
        }
    }
    return true;
}

static EVP_PKEY *pkcs8_decode(const struct pem_parts *p)
{
    const unsigned char *at = p->data;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, p->size);
    bool whole = info != NULL && at == p->data + p->size;
    EVP_PKEY *pkey = whole ? EVP_PKCS82PKEY(info) : NULL;

    PKCS8_PRIV_KEY_INFO_free(info);
    return pkey;
}

err private_key_from_pem(struct bytes pem, struct private_key **out)
{
    AUTO(pem_parts_done) struct pem_parts p = { 0 };

    if (pem.len > PEM_KEY_BYTES_MAX) {
        FAIL(ERR_LIMIT, "private key of %zu octets, at most %d", pem.len, PEM_KEY_BYTES_MAX);
    }
    AUTO(ossl_bio_freep) BIO *bio = ossl_bio_of(pem);
    if (bio == NULL || PEM_read_bio(bio, &p.name, &p.header, &p.data, &p.size) != 1) {
        p = (struct pem_parts){ 0 }; /* OpenSSL has freed them */
        OSSL_FAIL(ERR_PROTO, "no PEM block");
    }
    /* An encrypted key would need a password, and nobody is there to type it. */
    if (strcmp(p.name, PEM_STRING_PKCS8INF) != 0 || p.header[0] != '\0') {
        FAIL(ERR_PROTO, "PEM block is not an unencrypted PKCS#8 key (-----BEGIN PRIVATE KEY-----)");
    }
    if (!rest_is_blank(bio)) {
        FAIL(ERR_PROTO, "text behind the private key");
    }
    EVP_PKEY *pkey = pkcs8_decode(&p);
    if (pkey == NULL) {
        OSSL_FAIL(ERR_PROTO, "the private key does not decode");
    }
    return private_key_wrap(pkey, out);
}

err private_key_to_pem(const struct private_key *k, struct buf *out)
{
    AUTO(ossl_bio_freep) BIO *bio = BIO_new(BIO_s_mem()); /* wipes what it held */

    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1) {
        OSSL_FAIL(ERR_LIMIT, "encoding a private key");
    }
    return buf_append(out, ossl_bio_bytes(bio));
}
