/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/cert.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/crypto/cert_parts.h"
#include "lib/crypto/ossl.h"
#include "lib/crypto/pem.h"
#include "lib/crypto/sign_keys.h"

struct cert {
    X509 *x;
    struct digest hash;
    int64_t not_before_s;
    int64_t not_after_s;
};

X509 *cert_x509(const struct cert *c)
{
    return c->x;
}

static err time_read(const ASN1_TIME *t, int64_t *out_s)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1) {
        OSSL_FAIL(ERR_PROTO, "a time in the certificate");
    }
    struct civil c = { .year = tm.tm_year + 1900,
                       .month = (uint32_t)tm.tm_mon + 1,
                       .day = (uint32_t)tm.tm_mday,
                       .hour = (uint32_t)tm.tm_hour,
                       .minute = (uint32_t)tm.tm_min,
                       .second = (uint32_t)tm.tm_sec };
    if (!civil_valid(&c)) {
        FAIL(ERR_PROTO, "a time in the certificate does not exist");
    }
    *out_s = civil_to_s(&c);
    return OK;
}

/* Extensions that say something we do not understand, and must. */
static err extensions_check(X509 *x)
{
    uint32_t flags = X509_get_extension_flags(x);

    if (X509_get_version(x) != X509_VERSION_3) {
        OSSL_FAIL(ERR_PROTO, "certificate is not X.509 version 3");
    }
    if ((flags & EXFLAG_INVALID) != 0) {
        OSSL_FAIL(ERR_PROTO, "certificate has a damaged or repeated extension");
    }
    if ((flags & EXFLAG_CRITICAL) != 0) {
        OSSL_FAIL(ERR_PROTO, "certificate has an unknown critical extension");
    }
    return OK;
}

err cert_from_pem(struct bytes pem, struct cert **out)
{
    AUTO(pem_block_done) struct pem_block b = { 0 };
    AUTO(cert_freep) struct cert *c = NULL;

    if (pem.len > CERT_PEM_BYTES_MAX) {
        FAIL(ERR_LIMIT, "certificate of %zu octets, at most %d", pem.len, CERT_PEM_BYTES_MAX);
    }
    TRY(pem_block_read(pem, PEM_STRING_X509, "certificate", &b));
    c = mem_take(sizeof *c);
    if (c == NULL) {
        FAIL(ERR_LIMIT, "no memory for a certificate");
    }
    const unsigned char *at = b.data;
    c->x = d2i_X509(NULL, &at, b.size);
    if (c->x == NULL || at != b.data + b.size) {
        OSSL_FAIL(ERR_PROTO, "the certificate does not decode");
    }
    TRY(extensions_check(c->x));
    TRY(time_read(X509_get0_notBefore(c->x), &c->not_before_s));
    TRY(time_read(X509_get0_notAfter(c->x), &c->not_after_s));
    c->hash = sha256((struct bytes){ b.data, (size_t)b.size });
    *out = TAKE(c);
    return OK;
}

void cert_free(struct cert *c)
{
    if (c != NULL) {
        X509_free(c->x);
        mem_give(c);
    }
}

void cert_freep(struct cert **c)
{
    cert_free(*c);
}

err cert_public_key(const struct cert *c, struct public_key **out)
{
    EVP_PKEY *pkey = X509_get_pubkey(c->x);

    if (pkey == NULL) {
        OSSL_FAIL(ERR_PROTO, "the public key of the certificate");
    }
    return public_key_wrap(pkey, out);
}

err cert_common_name(const struct cert *c, char *out, size_t size)
{
    const X509_NAME *subject = X509_get_subject_name(c->x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;

    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
        FAIL(ERR_PROTO, "certificate has not exactly one common name");
    }
    int len =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool clean = len >= 0 && memchr(text, '\0', (size_t)len) == NULL;
    bool fits = clean && (size_t)len < size;
    if (fits) {
        memcpy(out, text, (size_t)len);
        out[len] = '\0';
    }
    OPENSSL_free(text);
    if (!clean) {
        OSSL_FAIL(ERR_PROTO, "common name of the certificate is no plain text");
    }
    if (!fits) {
        FAIL(ERR_LIMIT, "common name of %d octets, room for %zu", len, size);
    }
    return OK;
}

struct digest cert_hash(const struct cert *c)
{
    return c->hash;
}

void cert_validity(const struct cert *c, int64_t *not_before_s, int64_t *not_after_s)
{
    *not_before_s = c->not_before_s;
    *not_after_s = c->not_after_s;
}

static err signature_check(const struct cert *c, const struct cert *issuer)
{
    int digest = NID_undef;

    if (X509_get_signature_info(c->x, &digest, NULL, NULL, NULL) != 1 || digest != NID_sha256) {
        OSSL_FAIL(ERR_AUTH, "the certificate is not signed with SHA-256");
    }
    if (X509_verify(c->x, X509_get0_pubkey(issuer->x)) != 1) {
        OSSL_FAIL(ERR_AUTH, "the issuer has not signed this certificate");
    }
    return OK;
}

err cert_check(const struct cert *c, const struct cert *issuer, int64_t at_s)
{
    char from[TIME_TEXT_BYTES];
    char to[TIME_TEXT_BYTES];
    bool is_root = digest_equal(&c->hash, &issuer->hash);

    if (X509_check_ca(issuer->x) != 1) {
        OSSL_FAIL(ERR_AUTH, "the issuer's certificate is not one of a CA");
    }
    if (!is_root && X509_check_ca(c->x) != 0) {
        OSSL_FAIL(ERR_AUTH, "a CA below the issuer; its path length is 0");
    }
    int why = X509_check_issued(issuer->x, c->x);
    if (why != X509_V_OK) {
        OSSL_FAIL(ERR_AUTH, X509_verify_cert_error_string(why));
    }
    TRY(signature_check(c, issuer));
    if (at_s < c->not_before_s || at_s > c->not_after_s) {
        time_format_s(c->not_before_s, from);
        time_format_s(c->not_after_s, to);
        FAIL(ERR_AUTH, "the certificate is valid from %s to %s only", from, to);
    }
    return OK;
}
