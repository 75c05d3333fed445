/* SPDX-License-Identifier: Apache-2.0 */
/* Making certificates: the development PKI, and the institute's certificates of meters. */
#include <stdio.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "lib/base/clock.h"
#include "lib/crypto/cert.h"
#include "lib/crypto/cert_parts.h"
#include "lib/crypto/ossl.h"
#include "lib/crypto/random.h"
#include "lib/crypto/sign_keys.h"

#define SERIAL_BYTES 16
#define METER_NAME_CHARS 16
#define YEAR_9999_END_S INT64_C(253402300799)

struct extension {
    int nid;
    const char *value; /* in the notation of x509v3_config(5); NULL ends the row */
};

/* In every certificate, and first: the authority's identifier is taken from the subject's. */
static const struct extension key_ids[] = {
    { NID_subject_key_identifier, "hash" },
    { NID_authority_key_identifier, "keyid:always" },
    { 0, NULL },
};

static const struct extension extensions_of[][4] = {
    [CERT_CA] = { { NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
                  { NID_key_usage, "critical,keyCertSign,cRLSign" },
                  { 0, NULL } },
    [CERT_SERVICE] = { { NID_basic_constraints, "critical,CA:FALSE" },
                       { NID_key_usage, "critical,digitalSignature" },
                       { NID_ext_key_usage, "serverAuth,clientAuth" },
                       { 0, NULL } },
    [CERT_METER] = { { NID_basic_constraints, "critical,CA:FALSE" },
                     { NID_key_usage, "critical,digitalSignature,nonRepudiation" },
                     { 0, NULL } },
};

static void x509_freep(X509 **x)
{
    X509_free(*x);
}

/* --- what may be asked for --- */

/* A role stands in a list of names divided by commas, so it has none. */
static bool is_role(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(name);
}

static bool is_meter(const char *name)
{
    return strlen(name) == METER_NAME_CHARS && strspn(name, "0123456789abcdef") == METER_NAME_CHARS;
}

static err request_check(const struct cert_request *r)
{
    size_t len = strlen(r->common_name);

    if (len == 0 || len > CERT_NAME_BYTES_MAX) {
        FAIL(ERR_LIMIT, "common name of %zu octets; 1 to %d are possible", len,
             CERT_NAME_BYTES_MAX);
    }
    if (r->use == CERT_SERVICE && !is_role(r->common_name)) {
        FAIL(ERR_PROTO, "role \"%s\": only a-z, 0-9, '-' and '.' are possible", r->common_name);
    }
    if (r->use == CERT_METER && !is_meter(r->common_name)) {
        FAIL(ERR_PROTO, "meter \"%s\": an id is %d hex digits, lower case", r->common_name,
             METER_NAME_CHARS);
    }
    if (r->not_before_s < 0 || r->not_after_s <= r->not_before_s ||
        r->not_after_s > YEAR_9999_END_S) {
        FAIL(ERR_PROTO, "a certificate is valid from 1970 or later to a later time, at most 9999");
    }
    return OK;
}

/* --- filling it in --- */

static bool serial_set(X509 *x)
{
    uint8_t octets[SERIAL_BYTES];

    random_fill(octets, sizeof octets);
    octets[0] = (uint8_t)((octets[0] & 0x7f) | 0x40); /* positive, and always of 16 octets */
    BIGNUM *n = BN_bin2bn(octets, sizeof octets, NULL);
    bool good = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
    BN_free(n);
    return good;
}

static bool names_set(X509 *x, const char *common_name, const X509 *issuer)
{
    X509_NAME *subject = X509_get_subject_name(x);
    const unsigned char *text = (const unsigned char *)common_name;

    return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, text, -1, -1, 0) ==
               1 &&
           X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : subject) == 1;
}

static bool extension_add(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    bool good = e != NULL && X509_add_ext(x, e, -1) == 1;

    X509_EXTENSION_free(e);
    return good;
}

static bool extensions_add(X509 *x, X509V3_CTX *ctx, const struct extension *row)
{
    for (; row->value != NULL; row++) {
        if (!extension_add(x, ctx, row->nid, row->value)) {
            return false;
        }
    }
    return true;
}

static bool extensions_set(X509 *x, const struct cert_request *r, X509 *issuer)
{
    char names[CERT_NAME_BYTES_MAX + 64];
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer != NULL ? issuer : x, x, NULL, NULL, 0);
    if (!extensions_add(x, &ctx, key_ids) || !extensions_add(x, &ctx, extensions_of[r->use])) {
        return false;
    }
    if (r->use != CERT_SERVICE) {
        return true;
    }
    snprintf(names, sizeof names, "DNS:localhost,DNS:%s,IP:127.0.0.1", r->common_name);
    return extension_add(x, &ctx, NID_subject_alt_name, names);
}

static bool fill(X509 *x, const struct cert_request *r, const struct public_key *subject,
                 X509 *issuer)
{
    return X509_set_version(x, X509_VERSION_3) == 1 && serial_set(x) &&
           names_set(x, r->common_name, issuer) &&
           ASN1_TIME_set(X509_getm_notBefore(x), (time_t)r->not_before_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)r->not_after_s) != NULL &&
           X509_set_pubkey(x, subject->pkey) == 1 && extensions_set(x, r, issuer);
}

static err issuer_read(struct bytes pem, struct cert **out)
{
    AUTO(cert_freep) struct cert *c = NULL;

    TRY(err_context(cert_from_pem(pem, &c), "the issuer"));
    if (X509_check_ca(cert_x509(c)) != 1) {
        OSSL_FAIL(ERR_AUTH, "the issuer's certificate is not one of a CA");
    }
    *out = TAKE(c);
    return OK;
}

err cert_issue(const struct cert_request *request, const struct public_key *subject,
               const struct private_key *issuer, struct bytes issuer_pem, struct buf *out)
{
    AUTO(cert_freep) struct cert *above = NULL;

    TRY(request_check(request));
    if (issuer_pem.len > 0) {
        TRY(issuer_read(issuer_pem, &above));
    }
    X509 *parent = above != NULL ? cert_x509(above) : NULL;
    AUTO(x509_freep) X509 *x = X509_new();
    AUTO(ossl_bio_freep) BIO *bio = BIO_new(BIO_s_mem());
    if (x == NULL || bio == NULL || !fill(x, request, subject, parent)) {
        OSSL_FAIL(ERR_LIMIT, "making a certificate");
    }
    if (X509_check_private_key(parent != NULL ? parent : x, issuer->pkey) != 1) {
        OSSL_FAIL(ERR_AUTH, "the issuer's key and certificate do not belong together");
    }
    if (X509_sign(x, issuer->pkey, ossl()->sha256) == 0 || PEM_write_bio_X509(bio, x) != 1) {
        OSSL_FAIL(ERR_LIMIT, "signing a certificate");
    }
    return buf_append(out, ossl_bio_bytes(bio));
}
