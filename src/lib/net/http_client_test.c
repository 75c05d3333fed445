/* SPDX-License-Identifier: Apache-2.0 */
/* Client and server of ours against each other, over TLS on loopback. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/net/http_client.h"
#include "lib/net/http_server.h"
#include "lib/net/test_pki.h"

static struct test_pki pki;

struct world {
    struct loop *loop;
    struct tls *tls;
    struct http_server *server;
    struct http_client *client;
    struct http_exchange *kept;
    struct loop_timer guard;
    char url[64];
    unsigned gone;
    /* of the newest answer */
    unsigned done, wanted;
    err e;
    unsigned status;
    struct buf body;
    char etag[64];
    char why[256];
    bool free_client, send_again;
};

/* ---- the server ---- */

static void hello(void *arg, struct http_exchange *x)
{
    (void)arg;
    http_add_header(x, "ETag", "\"v7\"");
    http_answer(x, 200, "text/plain", BYTES_LIT("hello"));
}

static void echo(void *arg, struct http_exchange *x)
{
    (void)arg;
    http_answer(x, 201, "application/octet-stream", http_body(x));
}

static void show(void *arg, struct http_exchange *x)
{
    struct bytes authorization = { 0 }, own = { 0 }, expect;
    char text[512];

    (void)arg;
    assert_false(http_header(x, "Expect", &expect));
    http_header(x, "authorization", &authorization);
    http_header(x, "X-Own", &own);
    struct bytes path = http_path(x), query = http_query(x);
    int n = snprintf(text, sizeof text, "%s %.*s ?%.*s peer=%s auth=%.*s own=%.*s", http_method(x),
                     (int)path.len, (const char *)path.ptr, (int)query.len,
                     (const char *)query.ptr, http_peer(x), (int)authorization.len,
                     (const char *)authorization.ptr, (int)own.len, (const char *)own.ptr);
    http_answer(x, 200, NULL, (struct bytes){ (uint8_t *)text, (size_t)n });
}

static void zeros(void *arg, struct http_exchange *x)
{
    enum { SIZE = 5 << 20 };
    uint8_t *octets = calloc(1, SIZE);

    (void)arg;
    http_answer(x, 200, NULL, (struct bytes){ octets, SIZE });
    free(octets);
}

struct flow {
    struct http_exchange *x;
    unsigned left;
};

static void flow_more(void *user)
{
    static const uint8_t part[50000];
    struct flow *f = user;

    for (; f->left > 0; f->left--) {
        if (http_answer_piece(f->x, BYTES_OF(part)).code) {
            return;
        }
    }
    http_answer_end(f->x);
}

static void stream(void *arg, struct http_exchange *x)
{
    struct flow *f = arena_take(http_arena(x), sizeof *f);

    (void)arg;
    *f = (struct flow){ x, 200 };
    assert_ok(http_answer_begin(x, 200, NULL, flow_more, f));
    flow_more(f);
}

static void keep(void *arg, struct http_exchange *x)
{
    struct world *w = arg;

    w->kept = x;
}

static void missing(void *arg, struct http_exchange *x)
{
    (void)arg;
    http_answer(x, 404, NULL, BYTES_LIT("{}"));
}

static void moved(void *arg, struct http_exchange *x)
{
    (void)arg;
    http_add_header(x, "Location", "/hello");
    http_answer(x, 302, NULL, BYTES_LIT(""));
}

static void on_gone(void *arg, struct http_exchange *x)
{
    struct world *w = arg;

    (void)x;
    w->gone++;
}

static const struct http_route routes[] = {
    { "GET", "/hello", 0, hello, NULL },     { "PUT", "/echo", 8u << 20, echo, NULL },
    { "POST", "/echo", 8u << 20, echo, NULL }, { "GET", "/show/{rest*}", 0, show, NULL },
    { "DELETE", "/show/{rest*}", 0, show, NULL }, { "GET", "/zeros", 0, zeros, NULL },
    { "GET", "/stream", 0, stream, NULL },   { "GET", "/keep", 0, keep, NULL },
    { "GET", "/missing", 0, missing, NULL }, { "GET", "/moved", 0, moved, NULL },
    { NULL, NULL, 0, NULL, NULL },
};

/* ---- the world ---- */

static void too_long(void *arg)
{
    (void)arg;
    fail_msg("the test takes too long");
}

static void world_begin(struct world *w, bool plain, bool optional)
{
    struct tls_files files = test_pki_files(&pki, "kvs");

    *w = (struct world){ .body = { .max = 64u << 20 } };
    assert_ok(loop_new(&w->loop));
    assert_ok(tls_new(&files, &w->tls));
    const struct http_server_options o = {
        .stream = { .tls = plain ? NULL : w->tls, .peer_optional = optional },
        .routes = routes,
        .arg = w,
        .gone = on_gone,
    };
    assert_ok(http_server_start(w->loop, "127.0.0.1:0", &o, &w->server));
    snprintf(w->url, sizeof w->url, "%s://127.0.0.1:%u", plain ? "http" : "https",
             http_server_port(w->server));
    loop_timer_init(&w->guard, w->loop, too_long, w);
    assert_ok(loop_timer_at(&w->guard, loop_now_us(w->loop) + 20000000));
}

static void world_end(struct world *w)
{
    loop_timer_cancel(&w->guard);
    http_client_free(w->client);
    http_server_free(w->server);
    loop_free(w->loop);
    tls_free(w->tls);
    buf_done(&w->body);
}

static struct http_client_options options_of(struct world *w, const char *role)
{
    struct http_client_options o = { .base_url = w->url };

    if (role != NULL) {
        o.tls = test_pki_files(&pki, role);
    }
    o.tls.ca = test_pki_path(&pki, "ca.pem");
    return o;
}

static void on_done(void *arg, err e, const struct http_answer *answer)
{
    struct world *w = arg;

    w->e = e;
    buf_clear(&w->body);
    w->status = 0;
    w->etag[0] = '\0';
    if (e.code) {
        assert_null(answer);
        snprintf(w->why, sizeof w->why, "%s", err_text());
    } else {
        w->status = answer->status;
        assert_ok(buf_append(&w->body, answer->body));
        snprintf(w->etag, sizeof w->etag, "%.*s", (int)answer->etag.len,
                 (const char *)answer->etag.ptr);
    }
    w->done++;
    if (w->free_client) {
        http_client_free(w->client);
        w->client = NULL;
    }
    if (w->send_again) {
        w->send_again = false;
        assert_ok(http_client_send(w->client, &(struct http_call){ .method = "GET", .target = "/hello" },
                                   on_done, w));
    }
    if (w->done == w->wanted) {
        loop_stop(w->loop);
    }
}

static void send_call(struct world *w, const struct http_call *call)
{
    w->wanted = w->done + 1;
    assert_ok(http_client_send(w->client, call, on_done, w));
    assert_true(w->done < w->wanted); /* never from inside */
    assert_ok(loop_run(w->loop));
}

static void get(struct world *w, const char *target)
{
    send_call(w, &(struct http_call){ .method = "GET", .target = target });
}

static void assert_body(const struct world *w, const char *text)
{
    assert_int_equal(w->body.len, strlen(text));
    assert_memory_equal(w->body.ptr, text, strlen(text));
}

/* ---- what works ---- */

static void a_call_is_answered_with_status_body_and_etag(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/hello");
    assert_int_equal(w.e.code, ERR_NONE);
    assert_int_equal(w.status, 200);
    assert_body(&w, "hello");
    assert_string_equal(w.etag, "v7");
    get(&w, "/missing");
    assert_int_equal(w.status, 404);
    assert_body(&w, "{}");
    assert_string_equal(w.etag, "");
    world_end(&w);
}

static void connections_are_kept(void **state)
{
    struct world w;
    struct http_counters counters;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    o.connections_max = 2;
    assert_ok(http_client_new(w.loop, &o, &w.client));
    for (int i = 0; i < 10; i++) {
        get(&w, "/hello");
    }
    w.wanted = w.done + 20;
    for (int i = 0; i < 20; i++) {
        assert_ok(http_client_send(w.client, &(struct http_call){ .method = "GET", .target = "/hello" },
                                   on_done, &w));
    }
    assert_ok(loop_run(w.loop));
    http_server_counters(w.server, &counters);
    assert_int_equal(counters.requests, 30);
    assert_in_range(counters.connections, 1, 2);
    world_end(&w);
}

static void bodies_go_up_and_down_whole(void **state)
{
    enum { SIZE = 6 << 20 };
    struct world w;
    uint8_t *octets = malloc(SIZE);

    (void)state;
    for (size_t i = 0; i < SIZE; i++) {
        octets[i] = (uint8_t)(i * 7 >> 5);
    }
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    assert_ok(http_client_new(w.loop, &o, &w.client));
    send_call(&w, &(struct http_call){ .method = "PUT", .target = "/echo",
                                       .content_type = "application/octet-stream",
                                       .body = { octets, SIZE } });
    assert_int_equal(w.status, 201);
    assert_int_equal(w.body.len, SIZE);
    assert_memory_equal(w.body.ptr, octets, SIZE);
    send_call(&w, &(struct http_call){ .method = "POST", .target = "/echo", .content_type = "x/y" });
    assert_int_equal(w.status, 201);
    assert_int_equal(w.body.len, 0);
    get(&w, "/zeros");
    assert_int_equal(w.body.len, 5 << 20);
    get(&w, "/stream");
    assert_int_equal(w.body.len, 200 * 50000);
    free(octets);
    world_end(&w);
}

static void the_target_and_headers_arrive_as_given(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    assert_ok(http_client_new(w.loop, &o, &w.client));
    send_call(&w, &(struct http_call){ .method = "DELETE", .target = "/show/a/../%2e?x=%20&y",
                                       .headers = { "X-Own: 1 2" } });
    assert_body(&w, "DELETE /show/a/../%2e ?x=%20&y peer=sql auth= own=1 2");
    send_call(&w, &(struct http_call){ .method = "HEAD", .target = "/hello" });
    assert_int_equal(w.status, 200);
    assert_int_equal(w.body.len, 0);
    assert_string_equal(w.etag, "v7");
    get(&w, "/show/");
    assert_body(&w, "GET /show/ ? peer=sql auth= own=");
    world_end(&w);
}

static void an_api_key_is_sent_as_bearer(void **state)
{
    struct world w;
    const char *path = test_pki_path(&pki, "bearer");

    (void)state;
    world_begin(&w, false, true);
    struct http_client_options o = options_of(&w, NULL);
    assert_ok(file_write(path, BYTES_LIT("msk_abc_def\n"), 0600));
    o.bearer_file = path;
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/show/");
    assert_body(&w, "GET /show/ ? peer= auth=Bearer msk_abc_def own=");
    world_end(&w);
}

static void plain_http_works_on_loopback(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, true, false);
    struct http_client_options o = { .base_url = w.url };
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/hello");
    assert_int_equal(w.status, 200);
    world_end(&w);
}

static void redirects_are_not_followed(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/moved");
    assert_int_equal(w.status, 302);
    world_end(&w);
}

static void done_may_send_again_or_free_the_client(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    assert_ok(http_client_new(w.loop, &o, &w.client));
    w.send_again = true;
    w.wanted = 2;
    assert_ok(http_client_send(w.client, &(struct http_call){ .method = "GET", .target = "/hello" },
                               on_done, &w));
    assert_ok(loop_run(w.loop));
    assert_int_equal(w.done, 2);
    w.free_client = true;
    get(&w, "/hello");
    assert_null(w.client);
    world_end(&w);
}

/* ---- what does not ---- */

static void a_larger_answer_is_refused(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    o.answer_bytes_max = 100000;
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/zeros");
    assert_int_equal(w.e.code, ERR_LIMIT);
    get(&w, "/stream"); /* without a length */
    assert_int_equal(w.e.code, ERR_LIMIT);
    get(&w, "/hello");
    assert_int_equal(w.status, 200);
    world_end(&w);
}

static void a_call_that_takes_too_long_fails(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    o.timeout_us = 50000;
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/keep");
    assert_int_equal(w.e.code, ERR_IO);
    w.wanted = 0;
    struct loop_timer soon;
    loop_timer_init(&soon, w.loop, (void (*)(void *))loop_stop, w.loop);
    for (int i = 0; i < 50 && w.gone == 0; i++) {
        assert_ok(loop_timer_at(&soon, loop_now_us(w.loop) + 10000));
        assert_ok(loop_run(w.loop));
    }
    assert_int_equal(w.gone, 1); /* and the handler hears of it */
    world_end(&w);
}

static void too_many_calls_are_refused(void **state)
{
    struct world w;
    const struct http_call call = { .method = "GET", .target = "/hello" };

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    o.requests_max = 2;
    assert_ok(http_client_new(w.loop, &o, &w.client));
    w.wanted = 2;
    assert_ok(http_client_send(w.client, &call, on_done, &w));
    assert_ok(http_client_send(w.client, &call, on_done, &w));
    assert_err(http_client_send(w.client, &call, on_done, &w), ERR_LIMIT);
    assert_ok(loop_run(w.loop));
    assert_ok(http_client_send(w.client, &call, on_done, &w));
    http_client_free(w.client); /* calls under way end first */
    w.client = NULL;
    assert_int_equal(w.done, 3);
    assert_int_equal(w.e.code, ERR_CLOSED);
    world_end(&w);
}

static void freeing_the_loop_ends_the_calls(void **state)
{
    struct world w;
    const struct http_call call = { .method = "GET", .target = "/hello" };

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    assert_ok(http_client_new(w.loop, &o, &w.client));
    assert_ok(http_client_send(w.client, &call, on_done, &w));
    loop_timer_cancel(&w.guard);
    http_server_free(w.server);
    loop_free(w.loop);
    assert_int_equal(w.e.code, ERR_CLOSED);
    assert_err(http_client_send(w.client, &call, on_done, &w), ERR_CLOSED);
    http_client_free(w.client);
    tls_free(w.tls);
    buf_done(&w.body);
}

static void strangers_are_refused_on_both_sides(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "stranger");
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/hello");
    assert_int_equal(w.e.code, ERR_AUTH);
    http_client_free(w.client);
    o = options_of(&w, NULL); /* no certificate where one is wanted */
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/hello");
    assert_int_equal(w.e.code, ERR_AUTH);
    http_client_free(w.client);
    o = options_of(&w, "sql");
    o.tls.ca = test_pki_path(&pki, "other_ca.pem"); /* the server is the stranger */
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/hello");
    assert_int_equal(w.e.code, ERR_AUTH);
    world_end(&w);
}

static void a_server_of_the_role_wanted_is_called(void **state)
{
    struct world w;
    struct http_counters counters;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    o.server_role = "kvs";
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/show/a%20b?c=1");
    assert_ok(w.e);
    assert_int_equal(w.status, 200);
    assert_body(&w, "GET /show/a%20b ?c=1 peer=sql auth= own=");
    get(&w, "/hello");
    assert_body(&w, "hello");
    http_server_counters(w.server, &counters);
    assert_int_equal(counters.requests, 2);
    assert_int_equal(counters.connections, 1); /* kept, as without a role */
    world_end(&w);
}

/* The server has a good certificate of our CA, and of its own address: it is the wrong service. */
static void a_server_of_another_role_is_refused(void **state)
{
    static const char *const wrong[] = { "sql", "kv", "kvs2" };
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct http_client_options o = options_of(&w, "sql");
        o.server_role = wrong[i];
        assert_ok(http_client_new(w.loop, &o, &w.client));
        get(&w, "/hello");
        assert_int_equal(w.e.code, ERR_AUTH);
        assert_non_null(strstr(w.why, w.url)); /* where it is, and ... */
        assert_non_null(strstr(w.why, wrong[i])); /* ... what it is not */
        http_client_free(w.client);
    }
    w.client = NULL;
    world_end(&w);
}

/* What one call has proved is not taken for another role: neither connection nor TLS session. */
static void a_role_is_proved_to_each_client(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, true);
    struct http_client_options o = options_of(&w, NULL);
    struct http_client *other;
    o.server_role = "sql";
    assert_ok(http_client_new(w.loop, &o, &other));
    o.server_role = "kvs";
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/hello");
    assert_ok(w.e);
    struct http_client *right = w.client;
    w.client = other;
    get(&w, "/hello");
    assert_int_equal(w.e.code, ERR_AUTH);
    http_client_free(right);
    world_end(&w);
}

static void an_unreachable_server_is_named_by_its_address(void **state)
{
    static const char *const urls[] = { "https://127.0.0.1:1", "https://[::1]:1" };
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    for (size_t i = 0; i < 2; i++) {
        struct http_client_options o = options_of(&w, "sql");
        o.base_url = urls[i];
        o.server_role = "kvs";
        assert_ok(http_client_new(w.loop, &o, &w.client));
        get(&w, "/hello");
        assert_int_equal(w.e.code, ERR_IO);
        assert_non_null(strstr(w.why, urls[i]));
        http_client_free(w.client);
    }
    w.client = NULL;
    world_end(&w);
}

static void a_role_is_a_name_and_wants_https(void **state)
{
    static const char *const bad[] = { "", "KVS", "kvs.", "127", "-kvs", "kvs sql", "kvs:1",
                                       "a234567890123456789012345678901234567890123456789012345678"
                                       "901234" "x" };
    struct http_client *c = NULL;
    struct http_client_options o = { .base_url = "https://a" };

    (void)state;
    o.tls.ca = test_pki_path(&pki, "ca.pem");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        o.server_role = bad[i];
        assert_err(http_client_new(NULL, &o, &c), ERR_PROTO);
    }
    o.base_url = "http://127.0.0.1:1";
    o.server_role = "kvs";
    assert_err(http_client_new(NULL, &o, &c), ERR_PROTO);
    assert_null(c);
}

static void nobody_listening_is_an_error(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    o.base_url = "https://127.0.0.1:1";
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/hello");
    assert_int_equal(w.e.code, ERR_IO);
    assert_non_null(strstr(w.why, "127.0.0.1:1"));
    world_end(&w);
}

static void bad_options_are_refused(void **state)
{
    static const char *const bad[] = { "", "http://127.0.0.1.example.org", "http://localhost:1",
                                       "https://", "https://a/", "https://u@a", "ftp://a",
                                       "https://a b", "https://a?x" };
    struct http_client *c = NULL;
    struct http_client_options o = { .base_url = "" };

    (void)state;
    o.tls.ca = test_pki_path(&pki, "ca.pem");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        o.base_url = bad[i];
        assert_err(http_client_new(NULL, &o, &c), ERR_PROTO);
    }
    o.base_url = "https://a";
    o.tls.ca = NULL;
    assert_err(http_client_new(NULL, &o, &c), ERR_PROTO);
    o.tls.ca = "/nonexistent/ca.pem";
    assert_err(http_client_new(NULL, &o, &c), ERR_MISSING);
    o.tls.ca = test_pki_path(&pki, "ca.pem");
    o.bearer_file = "/nonexistent/key";
    assert_err(http_client_new(NULL, &o, &c), ERR_MISSING);
    const char *open = test_pki_path(&pki, "open");
    assert_ok(file_write(open, BYTES_LIT("k"), 0644));
    chmod(open, 0644);
    o.bearer_file = open;
    assert_err(http_client_new(NULL, &o, &c), ERR_AUTH);
    const char *blank = test_pki_path(&pki, "blank");
    assert_ok(file_write(blank, BYTES_LIT("a\r\nX: y\n"), 0600));
    o.bearer_file = blank;
    assert_err(http_client_new(NULL, &o, &c), ERR_PROTO);
    assert_null(c);
}

static void bad_calls_are_refused(void **state)
{
    static const char *const bad[] = { "", "hello", "/a b", "/a\r\nX: y", "/a#b", "/\xc3\xa4" };
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    assert_ok(http_client_new(w.loop, &o, &w.client));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(http_client_send(w.client, &(struct http_call){ .method = "GET", .target = bad[i] },
                                    on_done, &w), ERR_PROTO);
    }
    assert_err(http_client_send(w.client, &(struct http_call){ .method = "GET", .target = "/hello",
                                                               .headers = { "A: b\r\nC: d" } },
                                on_done, &w), ERR_PROTO);
    get(&w, "/hello");
    assert_int_equal(w.status, 200);
    world_end(&w);
}

/* ---- without a loop ---- */

static void *run_loop(void *arg)
{
    assert_ok(loop_run(arg));
    return NULL;
}

static void a_program_without_a_loop_calls_and_waits(void **state)
{
    struct world w;
    struct buf body = { .max = 1000 };
    unsigned status = 0;
    pthread_t thread;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    assert_ok(http_client_new(NULL, &o, &w.client));
    assert_int_equal(pthread_create(&thread, NULL, run_loop, w.loop), 0);
    for (int i = 0; i < 3; i++) {
        assert_ok(http_call(w.client, &(struct http_call){ .method = "PUT", .target = "/echo",
                                                           .content_type = "text/plain",
                                                           .body = BYTES_LIT("abc") },
                            &status, &body));
        assert_int_equal(status, 201);
    }
    assert_int_equal(body.len, 9);
    assert_err(http_call(w.client, &(struct http_call){ .method = "GET", .target = "/zeros" }, &status,
                         &body), ERR_LIMIT);
    assert_err(http_client_send(w.client, &(struct http_call){ .method = "GET", .target = "/" },
                                on_done, &w), ERR_CLOSED);
    loop_stop(w.loop);
    pthread_join(thread, NULL);
    buf_done(&body);
    world_end(&w);
}

static void everything_but_unreserved_octets_is_escaped(void **state)
{
    struct buf b = { .max = 64 };

    (void)state;
    assert_ok(http_escape(BYTES_LIT("aZ9-._~/ %\xff"), &b));
    assert_int_equal(b.len, 19);
    assert_memory_equal(b.ptr, "aZ9-._~%2F%20%25%FF", 19);
    struct buf small = { .max = 8 };
    assert_ok(http_escape(BYTES_LIT("abcdefgh"), &small));
    assert_err(http_escape(BYTES_LIT("i"), &small), ERR_LIMIT);
    buf_clear(&small);
    assert_err(http_escape(BYTES_LIT("   "), &small), ERR_LIMIT);
    assert_int_equal(small.len, 0);
    buf_done(&b);
    buf_done(&small);
}

/* ---- the server on sockets ---- */

static void stopped(void *arg)
{
    struct world *w = arg;

    w->done++;
    loop_stop(w->loop);
}

static void stopping_waits_for_what_is_under_way(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    assert_ok(http_client_new(w.loop, &o, &w.client));
    get(&w, "/hello");
    assert_ok(http_client_send(w.client, &(struct http_call){ .method = "GET", .target = "/keep" },
                               on_done, &w));
    struct loop_timer soon;
    loop_timer_init(&soon, w.loop, (void (*)(void *))loop_stop, w.loop);
    while (w.kept == NULL) {
        assert_ok(loop_timer_at(&soon, loop_now_us(w.loop) + 5000));
        assert_ok(loop_run(w.loop));
    }
    w.wanted = 2;
    http_server_stop(w.server, stopped, &w);
    assert_ok(loop_timer_at(&soon, loop_now_us(w.loop) + 20000));
    assert_ok(loop_run(w.loop));
    assert_int_equal(w.done, 1);
    http_answer(w.kept, 200, NULL, BYTES_LIT("last"));
    assert_ok(loop_run(w.loop)); /* the answer ... */
    while (w.done < 3) {
        assert_ok(loop_run(w.loop)); /* ... and `stopped` */
    }
    assert_body(&w, "last");
    world_end(&w);
}

static void stopping_an_idle_server_is_told_from_the_loop(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    http_server_stop(w.server, stopped, &w);
    assert_int_equal(w.done, 0);
    assert_ok(loop_run(w.loop));
    assert_int_equal(w.done, 1);
    world_end(&w);
}

static void freeing_the_server_takes_kept_exchanges_back(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, false, false);
    struct http_client_options o = options_of(&w, "sql");
    assert_ok(http_client_new(w.loop, &o, &w.client));
    assert_ok(http_client_send(w.client, &(struct http_call){ .method = "GET", .target = "/keep" },
                               on_done, &w));
    struct loop_timer soon;
    loop_timer_init(&soon, w.loop, (void (*)(void *))loop_stop, w.loop);
    while (w.kept == NULL) {
        assert_ok(loop_timer_at(&soon, loop_now_us(w.loop) + 5000));
        assert_ok(loop_run(w.loop));
    }
    w.wanted = 1;
    http_server_free(w.server);
    w.server = NULL;
    assert_int_equal(w.gone, 1);
    assert_ok(loop_run(w.loop));
    assert_int_equal(w.e.code, ERR_IO);
    world_end(&w);
}

static int begin(void **state)
{
    (void)state;
    test_pki_begin(&pki);
    test_pki_add(&pki, &(struct test_certificate){ .name = "other_ca", .ca = "other_ca" });
    test_pki_add(&pki, &(struct test_certificate){ .name = "stranger", .ca = "other_ca" });
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
        cmocka_unit_test(a_call_is_answered_with_status_body_and_etag),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(bodies_go_up_and_down_whole),
        cmocka_unit_test(the_target_and_headers_arrive_as_given),
        cmocka_unit_test(an_api_key_is_sent_as_bearer),
        cmocka_unit_test(plain_http_works_on_loopback),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(done_may_send_again_or_free_the_client),
        cmocka_unit_test(a_larger_answer_is_refused),
        cmocka_unit_test(a_call_that_takes_too_long_fails),
        cmocka_unit_test(too_many_calls_are_refused),
        cmocka_unit_test(freeing_the_loop_ends_the_calls),
        cmocka_unit_test(strangers_are_refused_on_both_sides),
        cmocka_unit_test(a_server_of_the_role_wanted_is_called),
        cmocka_unit_test(a_server_of_another_role_is_refused),
        cmocka_unit_test(a_role_is_proved_to_each_client),
        cmocka_unit_test(an_unreachable_server_is_named_by_its_address),
        cmocka_unit_test(a_role_is_a_name_and_wants_https),
        cmocka_unit_test(nobody_listening_is_an_error),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(a_program_without_a_loop_calls_and_waits),
        cmocka_unit_test(everything_but_unreserved_octets_is_escaped),
        cmocka_unit_test(stopping_waits_for_what_is_under_way),
        cmocka_unit_test(stopping_an_idle_server_is_told_from_the_loop),
        cmocka_unit_test(freeing_the_server_takes_kept_exchanges_back),
    };
    return cmocka_run_group_tests_name("http_client", tests, begin, end);
}
