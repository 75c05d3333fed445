/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/ossl.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

struct scratch {
    EVP_MD_CTX *md;
    EVP_MAC_CTX *mac;
};

static struct ossl table;
static pthread_once_t table_once = PTHREAD_ONCE_INIT;
static pthread_key_t scratch_key;
static _Thread_local struct scratch scratch;

noreturn void ossl_die(const char *what)
{
    fprintf(stderr, "fatal: cryptography: %s\n", what);
    abort();
}

static void *must(void *fetched)
{
    if (fetched == NULL) {
        ossl_die("OpenSSL lacks an algorithm of its default provider, or memory is full");
    }
    return fetched;
}

static void scratch_free(void *p)
{
    struct scratch *s = p;

    EVP_MD_CTX_free(s->md);
    EVP_MAC_CTX_free(s->mac);
    *s = (struct scratch){ 0 };
}

static void table_fill(void)
{
    table.sha256 = must(EVP_MD_fetch(NULL, "SHA256", NULL));
    table.hmac = must(EVP_MAC_fetch(NULL, "HMAC", NULL));
    table.hkdf = must(EVP_KDF_fetch(NULL, "HKDF", NULL));
    table.gcm[0] = must(EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL));
    table.gcm[1] = must(EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL));
    table.wrap[0] = must(EVP_CIPHER_fetch(NULL, "AES-128-WRAP", NULL));
    table.wrap[1] = must(EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL));
    if (pthread_key_create(&scratch_key, scratch_free) != 0) {
        ossl_die("no thread key left");
    }
}

const struct ossl *ossl(void)
{
    if (pthread_once(&table_once, table_fill) != 0) {
        ossl_die("pthread_once");
    }
    return &table;
}

/* The destructor runs only for threads that have set the key. */
static void scratch_register(void)
{
    if (pthread_setspecific(scratch_key, &scratch) != 0) {
        ossl_die("no memory for a thread's contexts");
    }
}

EVP_MD_CTX *ossl_thread_md(void)
{
    if (scratch.md == NULL) {
        ossl();
        scratch.md = must(EVP_MD_CTX_new());
        scratch_register();
    }
    return scratch.md;
}

EVP_MAC_CTX *ossl_thread_mac(void)
{
    if (scratch.mac == NULL) {
        char digest[] = "SHA256";
        const OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
            OSSL_PARAM_construct_end(),
        };

        scratch.mac = must(EVP_MAC_CTX_new(ossl()->hmac));
        scratch_register();
        if (EVP_MAC_CTX_set_params(scratch.mac, params) != 1) {
            ossl_die("HMAC refuses SHA-256");
        }
    }
    return scratch.mac;
}

void ossl_err_set(const char *file, int line, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

    /* Nothing may stay in the queue: TLS on the same thread would take it for its own error. */
    ERR_clear_error();
    err_set(file, line, "%s%s%s", what, reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

void ossl_bio_freep(BIO **b)
{
    BIO_free(*b);
}

void ossl_pkey_freep(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

void ossl_pkey_ctx_freep(EVP_PKEY_CTX **c)
{
    EVP_PKEY_CTX_free(*c);
}

BIO *ossl_bio_of(struct bytes octets)
{
    return octets.len <= INT_MAX ? BIO_new_mem_buf(octets.ptr, (int)octets.len) : NULL;
}

struct bytes ossl_bio_bytes(BIO *b)
{
    char *at = NULL;
    long len = BIO_get_mem_data(b, &at);

    return (struct bytes){ (const uint8_t *)at, len > 0 ? (size_t)len : 0 };
}
