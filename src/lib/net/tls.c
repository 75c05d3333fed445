/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/tls.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/net/tls_conn.h"

#define TLS_SUITES "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
#define TLS_GROUPS "X25519:P-256:P-384"

struct tls {
    SSL_CTX *ctx;
};

/* The oldest error in OpenSSL's queue says what went wrong first; the rest is dropped. */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);

    ERR_clear_error();
    return reason != NULL ? reason : "unknown error";
}

/* ---- files ---- */

static err file_present(const char *path, struct stat *st)
{
    if (stat(path, st) == 0) {
        return OK;
    }
    if (errno == ENOENT || errno == ENOTDIR) {
        FAIL(ERR_MISSING, "%s: no such file", path);
    }
    FAIL(ERR_IO, "%s: %s", path, strerror(errno));
}

/* Keys are plain PEM of mode 0600; a program without a terminal cannot ask for a passphrase. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return -1;
}

static err load_ca(SSL_CTX *ctx, const char *path)
{
    struct stat st;

    TRY(file_present(path, &st));
    if (SSL_CTX_load_verify_file(ctx, path) != 1) {
        FAIL(ERR_PROTO, "%s: no PEM certificate of a CA: %s", path, openssl_reason());
    }
    /* Tells clients whose certificates are asked for. */
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (names != NULL) {
        SSL_CTX_set_client_CA_list(ctx, names);
    }
    ERR_clear_error();
    return OK;
}

static err load_own(SSL_CTX *ctx, const struct tls_files *files)
{
    struct stat st;

    TRY(file_present(files->certificate, &st));
    if (SSL_CTX_use_certificate_chain_file(ctx, files->certificate) != 1) {
        FAIL(ERR_PROTO, "%s: no PEM certificate: %s", files->certificate, openssl_reason());
    }
    TRY(file_check_private(files->key));
    if (SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1) {
        unsigned long code = ERR_peek_last_error();
        if (ERR_GET_LIB(code) == ERR_LIB_X509 &&
            ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH) {
            ERR_clear_error();
            FAIL(ERR_AUTH, "%s is not the key of %s", files->key, files->certificate);
        }
        FAIL(ERR_PROTO, "%s: no plain PEM private key: %s", files->key, openssl_reason());
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        ERR_clear_error();
        FAIL(ERR_AUTH, "%s is not the key of %s", files->key, files->certificate);
    }
    return OK;
}

static err ctx_set(SSL_CTX *ctx)
{
    static const unsigned char context_id[] = "meterseal";
    char groups[] = TLS_GROUPS; /* the macro casts const away */

    /* One ticket is enough to resume once; the tickets are sealed by a key of this process, so
     * no session is kept here. Early data stays off: it could be replayed. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    /* The chain is what our file has: the peer knows our CA, so it is not sent, parsed and kept. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, TLS_SUITES) != 1 ||
        SSL_CTX_set1_groups_list(ctx, groups) != 1 ||
        SSL_CTX_set_session_id_context(ctx, context_id, sizeof context_id - 1) != 1) {
        FAIL(ERR_IO, "TLS 1.3 cannot be set up: %s", openssl_reason());
    }
    return OK;
}

static void tls_freep(struct tls **t)
{
    tls_free(*t);
}

static err tls_make(const struct tls_files *files, bool own, struct tls **out)
{
    AUTO(tls_freep) struct tls *t = mem_take(sizeof *t);

    if (t == NULL) {
        FAIL(ERR_LIMIT, "no memory for TLS");
    }
    t->ctx = SSL_CTX_new(TLS_method());
    if (t->ctx == NULL) {
        FAIL(ERR_LIMIT, "no memory for TLS: %s", openssl_reason());
    }
    TRY(ctx_set(t->ctx));
    TRY(load_ca(t->ctx, files->ca));
    if (own) {
        TRY(load_own(t->ctx, files));
    }
    *out = TAKE(t);
    return OK;
}

err tls_new(const struct tls_files *files, struct tls **out)
{
    return tls_make(files, true, out);
}

err tls_new_anonymous(const char *ca_file, struct tls **out)
{
    const struct tls_files files = { .ca = ca_file };

    return tls_make(&files, false, out);
}

void tls_free(struct tls *t)
{
    if (t != NULL) {
        SSL_CTX_free(t->ctx);
        mem_give(t);
    }
}

/* ---- the BIO: no buffer of its own ---- */

static int bio_read(BIO *bio, char *to, size_t size, size_t *n)
{
    struct tls_conn *c = BIO_get_data(bio);
    size_t part = c->in.len < size ? c->in.len : size;

    BIO_clear_retry_flags(bio);
    if (part == 0) {
        BIO_set_retry_read(bio);
        *n = 0;
        return 0;
    }
    memcpy(to, c->in.ptr, part);
    c->in.ptr += part;
    c->in.len -= part;
    *n = part;
    return 1;
}

static int bio_write(BIO *bio, const char *from, size_t size, size_t *n)
{
    struct tls_conn *c = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (c->out == NULL || buf_append(c->out, (struct bytes){ (const uint8_t *)from, size }).code) {
        *n = 0;
        return 0;
    }
    *n = size;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *bio_method;

static void bio_method_make(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "meterseal");

    if (m != NULL) {
        BIO_meth_set_read_ex(m, bio_read);
        BIO_meth_set_write_ex(m, bio_write);
        BIO_meth_set_ctrl(m, bio_ctrl);
    }
    bio_method = m;
}

static BIO *bio_new(struct tls_conn *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, bio_method_make);
    BIO *bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
    if (bio != NULL) {
        BIO_set_data(bio, c);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- who the peer is ---- */

/* Exactly one common name, without a NUL inside. */
static err common_name(X509 *cert, char out[TLS_ROLE_BYTES_MAX + 1])
{
    X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
        FAIL(ERR_AUTH, "the peer's certificate must have one common name");
    }
    const ASN1_STRING *name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    int len = ASN1_STRING_length(name);
    const unsigned char *text = ASN1_STRING_get0_data(name);
    if (len < 1 || len > TLS_ROLE_BYTES_MAX || memchr(text, '\0', (size_t)len) != NULL) {
        FAIL(ERR_AUTH, "the common name of the peer's certificate is malformed");
    }
    memcpy(out, text, (size_t)len);
    out[len] = '\0';
    return OK;
}

static bool role_accepted(const char *const *roles, const char *name)
{
    if (roles == NULL) {
        return true;
    }
    for (; *roles != NULL; roles++) {
        if (strcmp(*roles, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Within the handshake, so that the peer gets an alert. Resumed sessions do not come by here:
 * tls_conn_handshake checks them. */
static int on_verify(int preverified, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct tls_conn *c = SSL_get_app_data(ssl);
    char name[TLS_ROLE_BYTES_MAX + 1];

    if (preverified != 1 || X509_STORE_CTX_get_error_depth(store) != 0) {
        return preverified;
    }
    if (common_name(X509_STORE_CTX_get_current_cert(store), name).code ||
        !role_accepted(c->roles, name)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    return 1;
}

err tls_conn_peer(const struct tls_conn *c, char out[TLS_ROLE_BYTES_MAX + 1])
{
    X509 *cert = SSL_get0_peer_certificate(c->ssl);

    if (cert == NULL) {
        out[0] = '\0';
        return OK;
    }
    return common_name(cert, out);
}

static err check_peer(const struct tls_conn *c)
{
    char name[TLS_ROLE_BYTES_MAX + 1];

    TRY(tls_conn_peer(c, name));
    if (name[0] != '\0' && !role_accepted(c->roles, name)) {
        FAIL(ERR_AUTH, "role '%s' of the peer is not accepted here", name);
    }
    return OK;
}

/* ---- the connection ---- */

static int verify_mode(const struct tls_conn_options *o)
{
    if (o->end == TLS_CLIENT || o->peer_optional) {
        return SSL_VERIFY_PEER;
    }
    return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

err tls_conn_init(struct tls_conn *c, const struct tls *t, const struct tls_conn_options *options)
{
    *c = (struct tls_conn){ .ssl = SSL_new(t->ctx), .roles = options->peer_roles };
    BIO *bio = c->ssl != NULL ? bio_new(c) : NULL;
    if (bio == NULL) {
        tls_conn_done(c);
        FAIL(ERR_LIMIT, "no memory for a TLS connection: %s", openssl_reason());
    }
    SSL_set_bio(c->ssl, bio, bio);
    SSL_set_app_data(c->ssl, c);
    SSL_set_verify(c->ssl, verify_mode(options), on_verify);
    if (options->end == TLS_SERVER) {
        SSL_set_accept_state(c->ssl);
    } else {
        SSL_set_connect_state(c->ssl);
    }
    return OK;
}

void tls_conn_done(struct tls_conn *c)
{
    SSL_free(c->ssl);
    *c = (struct tls_conn){ 0 };
}

/* Alerts that say something about certificates, RFC 8446 6.2. */
static bool alert_of_certificate(int reason)
{
    switch (reason - SSL_AD_REASON_OFFSET) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED: return true;
    default: return false;
    }
}

static err fail_verify(const struct tls_conn *c)
{
    long result = SSL_get_verify_result(c->ssl);

    ERR_clear_error();
    if (result == X509_V_ERR_APPLICATION_VERIFICATION) {
        FAIL(ERR_AUTH, "the role in the peer's certificate is not accepted here");
    }
    FAIL(ERR_AUTH, "the peer's certificate is refused: %s", X509_verify_cert_error_string(result));
}

static err fail_ssl(const struct tls_conn *c)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;

    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return fail_verify(c);
    }
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        ERR_clear_error();
        FAIL(ERR_AUTH, "the peer shows no certificate");
    }
    if (alert_of_certificate(reason)) {
        FAIL(ERR_AUTH, "the peer refuses our certificate: %s", openssl_reason());
    }
    FAIL(ERR_PROTO, "TLS: %s", openssl_reason());
}

err tls_conn_handshake(struct tls_conn *c, struct buf *out, bool *done)
{
    c->out = out;
    ERR_clear_error();
    int rc = SSL_do_handshake(c->ssl);
    int why = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, rc);
    c->out = NULL;
    if (why == SSL_ERROR_WANT_READ) {
        *done = false;
        return OK;
    }
    if (why != SSL_ERROR_NONE) {
        return fail_ssl(c);
    }
    TRY(check_peer(c));
    *done = true;
    return OK;
}

err tls_conn_read(struct tls_conn *c, struct buf *out, uint8_t *to, size_t size, size_t *n,
                  bool *ended)
{
    size_t len = 0;

    c->out = out;
    *n = 0;
    *ended = false;
    ERR_clear_error();
    while (len < size) {
        size_t part = 0;
        if (SSL_read_ex(c->ssl, to + len, size - len, &part) == 1) {
            len += part;
            continue;
        }
        int why = SSL_get_error(c->ssl, 0);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_ZERO_RETURN) {
            c->out = NULL;
            return fail_ssl(c);
        }
        *ended = why == SSL_ERROR_ZERO_RETURN;
        break;
    }
    c->out = NULL;
    *n = len;
    return OK;
}

err tls_conn_write(struct tls_conn *c, struct bytes clear, struct buf *out)
{
    c->out = out;
    ERR_clear_error();
    while (clear.len > 0) {
        size_t part = 0;
        if (SSL_write_ex(c->ssl, clear.ptr, clear.len, &part) != 1) {
            c->out = NULL;
            return fail_ssl(c);
        }
        clear.ptr += part;
        clear.len -= part;
    }
    c->out = NULL;
    return OK;
}

void tls_conn_bye(struct tls_conn *c, struct buf *out)
{
    c->out = out;
    SSL_shutdown(c->ssl);
    ERR_clear_error();
    c->out = NULL;
}
