/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of TLS without sockets between them. */
#include <string.h>

#include <openssl/ssl.h>

#include "lib/base/test.h"
#include "lib/net/test_pki.h"
#include "lib/net/tls_conn.h"

static struct test_pki pki;

struct pair {
    struct tls *server_tls, *client_tls;
    struct tls_conn server, client;
    struct buf to_client, to_server;
    bool server_done, client_done;
    err server_err, client_err;
};

static struct tls *tls_of(const char *role)
{
    struct tls_files files = test_pki_files(&pki, role);
    struct tls *t;

    assert_ok(tls_new(&files, &t));
    return t;
}

static void pair_begin(struct pair *p, struct tls *server, struct tls *client,
                       const char *const *server_roles)
{
    *p = (struct pair){ .to_client = { .max = 1u << 20 }, .to_server = { .max = 1u << 20 } };
    assert_ok(tls_conn_init(&p->server, server,
                            &(struct tls_conn_options){ TLS_SERVER, server_roles, false }));
    assert_ok(tls_conn_init(&p->client, client,
                            &(struct tls_conn_options){ TLS_CLIENT, NULL, false }));
}

static void pair_end(struct pair *p)
{
    tls_conn_done(&p->server);
    tls_conn_done(&p->client);
    buf_done(&p->to_client);
    buf_done(&p->to_server);
}

/* Reads what is left behind a finished handshake: nothing for its owner, but maybe a ticket. */
static err read_rest(struct tls_conn *c, struct bytes rest, struct buf *out)
{
    uint8_t none[16];
    size_t n;
    bool ended;

    c->in = rest;
    err e = tls_conn_read(c, out, none, sizeof none, &n, &ended);
    c->in = (struct bytes){ 0 };
    return e;
}

/* One end reads what waits for it, at most `step` octets at a time. */
static void turn(struct tls_conn *c, struct buf *in, struct buf *out, bool *done, err *e,
                 size_t step)
{
    struct bytes rest = buf_bytes(in);

    do {
        size_t n = rest.len < step ? rest.len : step;
        c->in = (struct bytes){ rest.ptr, n };
        *e = tls_conn_handshake(c, out, done);
        size_t used = n - c->in.len;
        if (used > 0) {
            rest.ptr += used;
            rest.len -= used;
        }
    } while (rest.len > 0 && e->code == ERR_NONE && !*done);
    if (*done && e->code == ERR_NONE) {
        *e = read_rest(c, rest, out);
    }
    c->in = (struct bytes){ 0 };
    buf_clear(in);
}

static void shake_hands(struct pair *p, size_t step)
{
    for (int i = 0; i < 4; i++) {
        if (!p->client_done) {
            turn(&p->client, &p->to_client, &p->to_server, &p->client_done, &p->client_err, step);
        }
        if (!p->server_done) {
            turn(&p->server, &p->to_server, &p->to_client, &p->server_done, &p->server_err, step);
        }
    }
}

/* What the server sent behind its handshake. */
static void read_ticket(struct pair *p)
{
    assert_ok(read_rest(&p->client, buf_bytes(&p->to_client), &p->to_server));
    buf_clear(&p->to_client);
}

static void both_ends_speak_tls_1_3_and_know_each_other(void **state)
{
    struct tls *server = tls_of("kvs"), *client = tls_of("sql");
    char name[TLS_ROLE_BYTES_MAX + 1];
    struct pair p;

    (void)state;
    for (size_t step = 1; step < 5000; step += 1499) {
        pair_begin(&p, server, client, NULL);
        shake_hands(&p, step);
        assert_true(p.server_done && p.client_done);
        assert_int_equal(SSL_version(p.server.ssl), TLS1_3_VERSION);
        assert_string_equal(SSL_get_cipher_name(p.server.ssl), "TLS_AES_256_GCM_SHA384");
        assert_ok(tls_conn_peer(&p.server, name));
        assert_string_equal(name, "sql");
        assert_ok(tls_conn_peer(&p.client, name));
        assert_string_equal(name, "kvs");
        pair_end(&p);
    }
    tls_free(server);
    tls_free(client);
}

static void octets_and_the_end_arrive_in_any_pieces(void **state)
{
    struct tls *server = tls_of("kvs"), *client = tls_of("sql");
    uint8_t text[40000], got[sizeof text + 1];
    struct pair p;
    size_t have = 0;
    bool ended = false;

    (void)state;
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i >> 3);
    }
    pair_begin(&p, server, client, NULL);
    shake_hands(&p, SIZE_MAX / 2);
    assert_ok(tls_conn_write(&p.client, BYTES_OF(text), &p.to_server));
    tls_conn_bye(&p.client, &p.to_server);
    for (size_t at = 0; at < p.to_server.len; at += 777) {
        size_t n = p.to_server.len - at < 777 ? p.to_server.len - at : 777, part;
        p.server.in = (struct bytes){ p.to_server.ptr + at, n };
        assert_false(ended);
        assert_ok(tls_conn_read(&p.server, &p.to_client, got + have, sizeof got - have, &part,
                                &ended));
        have += part;
    }
    assert_true(ended);
    assert_int_equal(have, sizeof text);
    assert_memory_equal(got, text, sizeof text);
    pair_end(&p);
    tls_free(server);
    tls_free(client);
}

static void a_changed_octet_is_refused(void **state)
{
    struct tls *server = tls_of("kvs"), *client = tls_of("sql");
    struct pair p;
    uint8_t got[64];
    size_t n;
    bool ended;

    (void)state;
    pair_begin(&p, server, client, NULL);
    shake_hands(&p, SIZE_MAX / 2);
    assert_ok(tls_conn_write(&p.client, BYTES_LIT("reading"), &p.to_server));
    p.to_server.ptr[p.to_server.len - 1] ^= 1;
    p.server.in = buf_bytes(&p.to_server);
    assert_err(tls_conn_read(&p.server, &p.to_client, got, sizeof got, &n, &ended), ERR_PROTO);
    assert_true(p.to_client.len > 0); /* the alert */
    pair_end(&p);
    tls_free(server);
    tls_free(client);
}

/* A session kept by a client, and a second connection that begins with it. */
static void resume(struct tls *server, struct tls *client, const char *const *roles, struct pair *p)
{
    pair_begin(p, server, client, NULL);
    shake_hands(p, SIZE_MAX / 2);
    read_ticket(p);
    SSL_SESSION *session = SSL_get1_session(p->client.ssl);
    assert_int_equal(SSL_SESSION_is_resumable(session), 1);
    SSL_set_shutdown(p->client.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    pair_end(p);
    pair_begin(p, server, client, roles);
    assert_int_equal(SSL_set_session(p->client.ssl, session), 1);
    SSL_SESSION_free(session);
    shake_hands(p, SIZE_MAX / 2);
}

static void a_ticket_resumes_a_session_with_its_role(void **state)
{
    static const char *const roles[] = { "sql", NULL };
    struct tls *server = tls_of("kvs"), *client = tls_of("sql");
    char name[TLS_ROLE_BYTES_MAX + 1];
    struct pair p;

    (void)state;
    resume(server, client, roles, &p);
    assert_true(p.server_done && p.client_done);
    assert_int_equal(SSL_session_reused(p.server.ssl), 1);
    assert_ok(tls_conn_peer(&p.server, name));
    assert_string_equal(name, "sql");
    pair_end(&p);
    tls_free(server);
    tls_free(client);
}

static void a_resumed_session_of_another_role_is_refused(void **state)
{
    static const char *const roles[] = { "billing", NULL };
    struct tls *server = tls_of("kvs"), *client = tls_of("sql");
    struct pair p;

    (void)state;
    resume(server, client, roles, &p);
    assert_int_equal(p.server_err.code, ERR_AUTH);
    assert_non_null(strstr(err_text(), "sql"));
    assert_false(p.server_done);
    pair_end(&p);
    tls_free(server);
    tls_free(client);
}

static void a_ticket_of_another_server_is_only_a_full_handshake(void **state)
{
    struct tls *first = tls_of("kvs"), *second = tls_of("kvs"), *client = tls_of("sql");
    struct pair p;

    (void)state;
    pair_begin(&p, first, client, NULL);
    shake_hands(&p, SIZE_MAX / 2);
    read_ticket(&p);
    SSL_SESSION *session = SSL_get1_session(p.client.ssl);
    SSL_set_shutdown(p.client.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    pair_end(&p);
    pair_begin(&p, second, client, NULL);
    assert_int_equal(SSL_set_session(p.client.ssl, session), 1);
    SSL_SESSION_free(session);
    shake_hands(&p, SIZE_MAX / 2);
    assert_true(p.server_done);
    assert_int_equal(SSL_session_reused(p.server.ssl), 0);
    pair_end(&p);
    tls_free(first);
    tls_free(second);
    tls_free(client);
}

static void older_versions_and_other_suites_are_refused(void **state)
{
    struct tls *server = tls_of("kvs"), *client = tls_of("sql");
    struct pair p;

    (void)state;
    pair_begin(&p, server, client, NULL);
    SSL_set_min_proto_version(p.client.ssl, TLS1_2_VERSION);
    SSL_set_max_proto_version(p.client.ssl, TLS1_2_VERSION);
    shake_hands(&p, SIZE_MAX / 2);
    assert_int_equal(p.server_err.code, ERR_PROTO);
    pair_end(&p);
    pair_begin(&p, server, client, NULL);
    SSL_set_ciphersuites(p.client.ssl, "TLS_AES_128_CCM_SHA256");
    shake_hands(&p, SIZE_MAX / 2);
    assert_int_equal(p.server_err.code, ERR_PROTO);
    pair_end(&p);
    tls_free(server);
    tls_free(client);
}

static void octets_that_are_no_tls_are_refused(void **state)
{
    struct tls *server = tls_of("kvs");
    struct buf out = { .max = 4096 };
    struct tls_conn c;
    bool done = false;

    (void)state;
    assert_ok(tls_conn_init(&c, server, &(struct tls_conn_options){ TLS_SERVER, NULL, false }));
    c.in = BYTES_LIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_err(tls_conn_handshake(&c, &out, &done), ERR_PROTO);
    assert_false(done);
    tls_conn_done(&c);
    tls_conn_done(&c);
    buf_done(&out);
    tls_free(server);
    tls_free(NULL);
}

static int begin(void **state)
{
    (void)state;
    test_pki_begin(&pki);
    return 0;
}

static int end(void **state)
{
    (void)state;
    test_pki_end(&pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_speak_tls_1_3_and_know_each_other),
        cmocka_unit_test(octets_and_the_end_arrive_in_any_pieces),
        cmocka_unit_test(a_changed_octet_is_refused),
        cmocka_unit_test(a_ticket_resumes_a_session_with_its_role),
        cmocka_unit_test(a_resumed_session_of_another_role_is_refused),
        cmocka_unit_test(a_ticket_of_another_server_is_only_a_full_handshake),
        cmocka_unit_test(older_versions_and_other_suites_are_refused),
        cmocka_unit_test(octets_that_are_no_tls_are_refused),
    };
    return cmocka_run_group_tests_name("tls", tests, begin, end);
}
