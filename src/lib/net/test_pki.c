/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/test_pki.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/base/file.h"

const char *test_pki_path(struct test_pki *p, const char *file)
{
    static char paths[16][384];
    static unsigned next;
    char *at = paths[next++ % 16];

    snprintf(at, sizeof paths[0], "%s/%s", p->dir, file);
    return at;
}

static const char *path_of(struct test_pki *p, const char *name, const char *end)
{
    char file[64];

    snprintf(file, sizeof file, "%s.%s", name, end);
    return test_pki_path(p, file);
}

static FILE *open_for(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);

    assert(f != NULL);
    return f;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert(e != NULL);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
}

static X509 *make_certificate(const struct test_certificate *c, EVP_PKEY *key, X509 *issuer,
                              EVP_PKEY *issuer_key)
{
    static long serial = 1;
    const char *name = c->common_name != NULL ? c->common_name : c->name;
    X509 *cert = X509_new();

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
    X509_gmtime_adj(X509_getm_notAfter(cert), c->expired ? -3600 : 86400);
    X509_set_pubkey(cert, key);
    if (*name != '\0') {
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)name, -1, -1, 0);
    }
    X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert));
    if (issuer == NULL) {
        add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(cert, cert, NID_key_usage, "critical,keyCertSign");
    } else {
        add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE");
        add_extension(cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
        char names[128];
        snprintf(names, sizeof names, "DNS:localhost,IP:127.0.0.1%s%s",
                 *name != '\0' ? ",DNS:" : "", name);
        add_extension(cert, issuer, NID_subject_alt_name, names);
    }
    assert(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    return cert;
}

void test_pki_add(struct test_pki *p, const struct test_certificate *c)
{
    const char *ca = c->ca != NULL ? c->ca : "ca";
    bool root = strcmp(ca, c->name) == 0;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *issuer_key = key;
    X509 *issuer = NULL;

    assert(key != NULL);
    if (!root) {
        FILE *f = open_for(path_of(p, ca, "pem"), "r");
        issuer = PEM_read_X509(f, NULL, NULL, NULL);
        fclose(f);
        f = open_for(path_of(p, ca, "key"), "r");
        issuer_key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
        fclose(f);
    }
    X509 *cert = make_certificate(c, key, issuer, issuer_key);
    FILE *f = open_for(path_of(p, c->name, "pem"), "w");
    PEM_write_X509(f, cert);
    fclose(f);
    const char *key_path = path_of(p, c->name, "key");
    f = open_for(key_path, "w");
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    chmod(key_path, 0600);
    X509_free(cert);
    X509_free(issuer);
    if (!root) {
        EVP_PKEY_free(issuer_key);
    }
    EVP_PKEY_free(key);
}

void test_pki_begin(struct test_pki *p)
{
    const char *base = getenv("TMPDIR");

    *p = (struct test_pki){ 0 };
    snprintf(p->dir, sizeof p->dir, "%s/meterseal-test-XXXXXX", base != NULL ? base : P_tmpdir);
    char *made = mkdtemp(p->dir);
    assert(made != NULL);
    (void)made;
    test_pki_add(p, &(struct test_certificate){ .name = "ca", .ca = "ca" });
}

void test_pki_end(struct test_pki *p)
{
    file_remove_all(p->dir);
}

struct tls_files test_pki_files(struct test_pki *p, const char *name)
{
    if (access(path_of(p, name, "pem"), R_OK) != 0) {
        test_pki_add(p, &(struct test_certificate){ .name = name });
    }
    return (struct tls_files){ .certificate = path_of(p, name, "pem"),
                               .key = path_of(p, name, "key"),
                               .ca = test_pki_path(p, "ca.pem") };
}
