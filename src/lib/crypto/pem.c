/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/pem.h"

#include <string.h>

#include <openssl/pem.h>

#include "lib/crypto/ossl.h"

void pem_block_done(struct pem_block *b)
{
    OPENSSL_free(b->name);
    OPENSSL_free(b->header);
    OPENSSL_clear_free(b->data, (size_t)b->size);
    *b = (struct pem_block){ 0 };
}

/* So that of a file with two keys or certificates not one is silently left out. */
static bool rest_is_blank(BIO *bio)
{
    char c;

    while (BIO_read(bio, &c, 1) == 1) {
        if (c == '\0' || strchr(" \t\r\n", c) == NULL) {
            return false;
        }
    }
    return true;
}

err pem_block_read(struct bytes pem, const char *name, const char *what, struct pem_block *out)
{
    AUTO(pem_block_done) struct pem_block b = { 0 };
    AUTO(ossl_bio_freep) BIO *bio = ossl_bio_of(pem);

    if (bio == NULL || PEM_read_bio(bio, &b.name, &b.header, &b.data, &b.size) != 1) {
        b = (struct pem_block){ 0 }; /* OpenSSL has freed them */
        OSSL_FAIL(ERR_PROTO, what);
    }
    if (strcmp(b.name, name) != 0 || b.header[0] != '\0') {
        FAIL(ERR_PROTO, "%s: it must be -----BEGIN %s-----, without headers", what, name);
    }
    if (!rest_is_blank(bio)) {
        FAIL(ERR_PROTO, "%s: there is text behind it", what);
    }
    *out = b;
    b = (struct pem_block){ 0 };
    return OK;
}
