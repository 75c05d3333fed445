/* SPDX-License-Identifier: Apache-2.0 */
/* Inside lib/crypto only: the algorithms, fetched once, the scratch contexts of each thread, and
 * the way from OpenSSL's error queue to our error text.
 *
 * Fetching costs more than hashing a short text (it takes locks and searches providers), so no
 * other file fetches anything. */
#pragma once

#include <stdnoreturn.h>

#include <openssl/evp.h>

#include "lib/base/bytes.h"

struct ossl {
    EVP_MD *sha256;
    EVP_MAC *hmac;
    EVP_KDF *hkdf;
    EVP_CIPHER *gcm[2]; /* AES-128, AES-256 */
    EVP_CIPHER *wrap[2];
};

/* Lives for ever. Ends the process when OpenSSL lacks one of them: its installation is broken. */
const struct ossl *ossl(void);

/* Contexts of the calling thread, kept until it ends: hashing allocates nothing after the first. */
EVP_MD_CTX *ossl_thread_md(void);
EVP_MAC_CTX *ossl_thread_mac(void); /* HMAC with SHA-256 chosen, without a key */

/* For what cannot be returned as an error. Says `what` on stderr and aborts. */
noreturn void ossl_die(const char *what);

/* Empties OpenSSL's queue into the error text: `what` and the newest reason, never its data. */
void ossl_err_set(const char *file, int line, const char *what);
#define OSSL_FAIL(code, what)                     \
    do {                                          \
        ossl_err_set(__FILE__, __LINE__, (what)); \
        return (err){ code };                     \
    } while (0)

/* For AUTO. */
void ossl_bio_freep(BIO **b);
void ossl_pkey_freep(EVP_PKEY **p);
void ossl_pkey_ctx_freep(EVP_PKEY_CTX **c);

/* A read-only BIO over borrowed octets; NULL when they are too many for OpenSSL, or memory full. */
BIO *ossl_bio_of(struct bytes octets);
/* What was written to a memory BIO, borrowed from it. */
struct bytes ossl_bio_bytes(BIO *b);
