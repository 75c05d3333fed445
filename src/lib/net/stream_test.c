/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/buf.h"
#include "lib/base/test.h"
#include "lib/net/stream.h"
#include "lib/net/test_pki.h"

static struct test_pki pki;

/* One end as the tests see it. */
struct end {
    struct stream *stream;
    struct world *world;
    struct buf got;
    char peer[65];
    bool opened, closed;
    err why;
    char why_text[256];
    err octets_answer, opened_answer;
    bool echo, close_on_octets, pause_on_octets, pause_on_open;
    unsigned drained;
    size_t pieces;
};

struct world {
    struct loop *loop;
    struct stream_listener *listener;
    struct end server, client;
    struct loop_timer guard;
    const char *hello; /* what the client says when it is open */
    size_t stop_at;    /* server octets after which the loop stops; 0 = when both have closed */
};

static void maybe_stop(struct world *w)
{
    bool server_done = !w->server.opened || w->server.closed;

    if (w->stop_at == 0 && w->client.closed && server_done) {
        loop_stop(w->loop);
    }
    if (w->stop_at != 0 && w->server.got.len >= w->stop_at) {
        loop_stop(w->loop);
    }
}

static err end_opened(struct end *e, struct stream *s, const char *peer)
{
    e->stream = s;
    e->opened = true;
    snprintf(e->peer, sizeof e->peer, "%s", peer);
    if (e->pause_on_open) {
        stream_pause(s);
    }
    if (e->opened_answer.code) {
        err_set("test", 0, "not today");
    }
    return e->opened_answer;
}

static err server_opened(void *arg, struct stream *s, const char *peer)
{
    struct world *w = arg;

    stream_set_arg(s, &w->server);
    return end_opened(&w->server, s, peer);
}

static err client_opened(void *arg, struct stream *s, const char *peer)
{
    struct end *e = arg;

    TRY(end_opened(e, s, peer));
    if (e->world->hello != NULL) {
        TRY(stream_write(s, bytes_of_string(e->world->hello)));
    }
    return OK;
}

static err end_octets(void *arg, struct stream *s, struct bytes in)
{
    struct end *e = arg;

    e->pieces++;
    TRY(buf_append(&e->got, in));
    if (e->pause_on_octets) {
        stream_pause(s);
    }
    if (e->echo) {
        TRY(stream_write(s, in));
    }
    if (e->close_on_octets) {
        stream_close(s);
    }
    if (e->octets_answer.code) {
        err_set("test", 0, "bad octets");
    }
    maybe_stop(e->world);
    return e->octets_answer;
}

static void end_drained(void *arg, struct stream *s)
{
    struct end *e = arg;

    (void)s;
    e->drained++;
}

static void end_closed(void *arg, struct stream *s, err why)
{
    struct end *e = arg;

    (void)s;
    assert_false(e->closed);
    e->closed = true;
    e->why = why;
    snprintf(e->why_text, sizeof e->why_text, "%s", err_text());
    maybe_stop(e->world);
}

static const struct stream_events server_events = { server_opened, end_octets, end_drained,
                                                    end_closed };
static const struct stream_events client_events = { client_opened, end_octets, end_drained,
                                                    end_closed };

static void too_long(void *arg)
{
    (void)arg;
    fail_msg("the test takes too long");
}

static void world_begin(struct world *w)
{
    w->client.world = w->server.world = w;
    w->client.got.max = w->server.got.max = 64u << 20;
    assert_ok(loop_new(&w->loop));
    loop_timer_init(&w->guard, w->loop, too_long, w);
    assert_ok(loop_timer_at(&w->guard, loop_now_us(w->loop) + 20000000));
}

static void world_listen(struct world *w, const struct stream_options *o)
{
    assert_ok(stream_listen(w->loop, "127.0.0.1:0", o, &server_events, w, &w->listener));
}

static void world_connect(struct world *w, const struct stream_options *o)
{
    char address[32];

    snprintf(address, sizeof address, "127.0.0.1:%u", stream_listener_port(w->listener));
    assert_ok(stream_connect(w->loop, address, o, &client_events, &w->client, &w->client.stream));
}

static void world_end(struct world *w)
{
    loop_timer_cancel(&w->guard);
    stream_listener_close(w->listener);
    loop_free(w->loop);
    buf_done(&w->client.got);
    buf_done(&w->server.got);
}

static struct tls *tls_of(const char *role)
{
    struct tls_files files = test_pki_files(&pki, role);
    struct tls *t;

    assert_ok(tls_new(&files, &t));
    return t;
}

static void assert_got(const struct end *e, const char *text)
{
    assert_int_equal(e->got.len, strlen(text));
    assert_memory_equal(e->got.ptr, text, strlen(text));
}

/* ---- plain ---- */

static void octets_go_both_ways_over_plain_tcp(void **state)
{
    struct world w = { .hello = "hello" };
    const struct stream_options plain = { 0 };

    (void)state;
    world_begin(&w);
    w.server.echo = true;
    w.client.close_on_octets = true;
    world_listen(&w, &plain);
    world_connect(&w, &plain);
    assert_ok(loop_run(w.loop));
    assert_got(&w.server, "hello");
    assert_got(&w.client, "hello");
    assert_string_equal(w.server.peer, "");
    assert_int_equal(w.server.why.code, ERR_CLOSED);
    assert_int_equal(w.client.why.code, ERR_CLOSED);
    assert_int_equal(stream_listener_count(w.listener), 0);
    world_end(&w);
}

/* As a service ends that could not start: its loop first, then what its parts own. */
static void a_listener_may_be_closed_after_its_loop_ended(void **state)
{
    struct world w = { 0 };
    const struct stream_options plain = { 0 };

    (void)state;
    world_begin(&w);
    world_listen(&w, &plain);
    loop_timer_cancel(&w.guard);
    loop_end(w.loop);
    world_end(&w);
}

static void a_refused_connection_is_told_as_closed(void **state)
{
    struct world w = { 0 };
    const struct stream_options plain = { 0 };

    (void)state;
    world_begin(&w);
    world_listen(&w, &plain);
    unsigned port = stream_listener_port(w.listener);
    stream_listener_close(w.listener);
    w.listener = NULL;
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    assert_ok(stream_connect(w.loop, address, &plain, &client_events, &w.client, &w.client.stream));
    assert_false(w.client.closed);
    assert_ok(loop_run(w.loop));
    assert_true(w.client.closed);
    assert_false(w.client.opened);
    assert_int_equal(w.client.why.code, ERR_IO);
    assert_non_null(strstr(w.client.why_text, "connecting"));
    world_end(&w);
}

static void a_port_in_use_is_a_conflict(void **state)
{
    struct world w = { 0 };
    const struct stream_options plain = { 0 };
    struct stream_listener *second = NULL;
    char address[32];

    (void)state;
    world_begin(&w);
    world_listen(&w, &plain);
    snprintf(address, sizeof address, "127.0.0.1:%u", stream_listener_port(w.listener));
    assert_err(stream_listen(w.loop, address, &plain, &server_events, &w, &second), ERR_CONFLICT);
    assert_null(second);
    world_end(&w);
}

static void bad_addresses_are_refused_with_their_text(void **state)
{
    static const char *const bad[] = {
        "", "nohost", ":1", "a:", "a:65536", "a:01", "a:-1", "a: 1"
    };
    struct world w = { 0 };
    const struct stream_options plain = { 0 };
    struct stream_listener *listener;
    struct stream *s;

    (void)state;
    world_begin(&w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(stream_listen(w.loop, bad[i], &plain, &server_events, &w, &listener), ERR_PROTO);
        assert_err(stream_connect(w.loop, bad[i], &plain, &client_events, &w, &s), ERR_PROTO);
        assert_non_null(strstr(err_text(), bad[i]));
    }
    world_end(&w);
}

static void a_name_is_looked_up(void **state)
{
    struct world w = { .hello = "x" };
    const struct stream_options plain = { 0 };
    char address[32];

    (void)state;
    world_begin(&w);
    w.server.close_on_octets = true;
    assert_ok(stream_listen(w.loop, "localhost:0", &plain, &server_events, &w, &w.listener));
    snprintf(address, sizeof address, "localhost:%u", stream_listener_port(w.listener));
    assert_ok(stream_connect(w.loop, address, &plain, &client_events, &w.client, &w.client.stream));
    assert_ok(loop_run(w.loop));
    assert_got(&w.server, "x");
    world_end(&w);
}

static void an_abort_while_looking_up_is_told_once(void **state)
{
    struct world w = { 0 };
    const struct stream_options plain = { 0 };

    (void)state;
    world_begin(&w);
    assert_ok(stream_connect(w.loop, "localhost:1", &plain, &client_events, &w.client,
                             &w.client.stream));
    stream_abort(w.client.stream);
    assert_false(w.client.closed);
    assert_ok(loop_run(w.loop));
    assert_true(w.client.closed);
    world_end(&w);
}

static void connections_above_the_bound_are_closed(void **state)
{
    struct world w = { 0 };
    struct world second = { 0 };
    const struct stream_options plain = { .count_max = 1 };

    (void)state;
    world_begin(&w);
    world_listen(&w, &plain);
    world_connect(&w, &plain);
    second.client.world = &second;
    second.client.got.max = 64;
    second.loop = w.loop;
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", stream_listener_port(w.listener));
    assert_ok(stream_connect(w.loop, address, &plain, &client_events, &second.client,
                             &second.client.stream));
    assert_ok(loop_run(w.loop)); /* stops when the second has closed */
    assert_true(second.client.closed);
    assert_false(w.client.closed);
    assert_int_equal(stream_listener_count(w.listener), 1);
    assert_int_equal(stream_listener_refused(w.listener), 1);
    stream_abort(w.client.stream);
    world_end(&w);
}

static void an_error_from_octets_ends_the_stream_with_it(void **state)
{
    struct world w = { .hello = "junk" };
    const struct stream_options plain = { 0 };

    (void)state;
    world_begin(&w);
    w.server.octets_answer = (err){ ERR_PROTO };
    world_listen(&w, &plain);
    world_connect(&w, &plain);
    assert_ok(loop_run(w.loop));
    assert_int_equal(w.server.why.code, ERR_PROTO);
    assert_string_equal(w.server.why_text, "bad octets");
    world_end(&w);
}

static void an_error_from_opened_ends_the_stream_with_it(void **state)
{
    struct world w = { 0 };
    const struct stream_options plain = { 0 };

    (void)state;
    world_begin(&w);
    w.server.opened_answer = (err){ ERR_LIMIT };
    world_listen(&w, &plain);
    world_connect(&w, &plain);
    assert_ok(loop_run(w.loop));
    assert_int_equal(w.server.why.code, ERR_LIMIT);
    assert_string_equal(w.server.why_text, "not today");
    world_end(&w);
}

static void small_writes_of_one_turn_come_together(void **state)
{
    struct world w = { .stop_at = 300 };
    struct tls *t = tls_of("kvs");
    const struct stream_options o = { .tls = t };

    (void)state;
    world_begin(&w);
    world_listen(&w, &o);
    world_connect(&w, &o);
    for (int i = 0; i < 100; i++) {
        assert_ok(stream_write(w.client.stream, BYTES_LIT("abc"))); /* even before it is open */
    }
    assert_int_equal(stream_queued(w.client.stream), 300);
    assert_ok(loop_run(w.loop));
    assert_int_equal(w.server.got.len, 300);
    assert_int_equal(w.server.pieces, 1);
    world_end(&w);
    tls_free(t);
}

static void nothing_is_written_after_close(void **state)
{
    struct world w = { 0 };
    const struct stream_options plain = { 0 };

    (void)state;
    world_begin(&w);
    world_listen(&w, &plain);
    world_connect(&w, &plain);
    stream_abort(w.client.stream);
    assert_err(stream_write(w.client.stream, BYTES_LIT("x")), ERR_CLOSED);
    stream_close(w.client.stream);
    stream_abort(w.client.stream);
    assert_ok(loop_run(w.loop));
    assert_true(w.client.closed);
    world_end(&w);
}

static void a_silent_connection_is_closed_when_idle_too_long(void **state)
{
    struct world w = { 0 };
    const struct stream_options idle = { .idle_us = 20000 };
    const struct stream_options plain = { 0 };

    (void)state;
    world_begin(&w);
    world_listen(&w, &idle);
    world_connect(&w, &plain);
    assert_ok(loop_run(w.loop));
    assert_int_equal(w.server.why.code, ERR_CLOSED);
    assert_string_equal(w.server.why_text, "no octets for too long");
    world_end(&w);
}

static void freeing_the_loop_ends_what_is_open(void **state)
{
    struct world w = { .hello = "x", .stop_at = 1 };
    const struct stream_options plain = { 0 };

    (void)state;
    world_begin(&w);
    world_listen(&w, &plain);
    world_connect(&w, &plain);
    assert_ok(loop_run(w.loop));
    assert_false(w.server.closed);
    w.stop_at = 0;
    world_end(&w);
    assert_true(w.server.closed);
    assert_true(w.client.closed);
}

/* ---- back-pressure ---- */

static uint8_t *pattern(size_t size)
{
    uint8_t *p = malloc(size);

    for (size_t i = 0; i < size; i++) {
        p[i] = (uint8_t)(i * 31 >> 3);
    }
    return p;
}

/* The server pauses; the client fills its queue until it is refused; then all of it arrives. */
static void fill_and_drain(struct tls *tls)
{
    enum { PART = 100000 };
    struct world w = { .hello = "x", .stop_at = 1 };
    const struct stream_options o = { .tls = tls };
    uint8_t *part = pattern(PART);
    size_t sent = 0;

    world_begin(&w);
    w.server.pause_on_octets = true;
    world_listen(&w, &o);
    world_connect(&w, &o);
    assert_ok(loop_run(w.loop));
    for (;;) {
        err e = stream_write(w.client.stream, (struct bytes){ part, PART });
        if (e.code) {
            assert_err(e, ERR_LIMIT);
            break;
        }
        sent += PART;
        assert_true(sent < 64u << 20);
    }
    assert_true(stream_queued(w.client.stream) <= STREAM_WRITE_MAX);
    assert_true(stream_queued(w.client.stream) > STREAM_WRITE_MAX - PART - 1000);
    assert_int_equal(w.client.drained, 0);
    size_t taken;
    assert_ok(stream_write_some(w.client.stream, (struct bytes){ part, PART }, &taken));
    assert_true(taken < PART);
    sent += taken;
    w.server.pause_on_octets = false;
    stream_resume(w.server.stream);
    w.stop_at = 1 + sent;
    assert_ok(loop_run(w.loop));
    assert_int_equal(w.server.got.len, 1 + sent);
    for (size_t at = 0; at + PART <= sent; at += PART) {
        assert_memory_equal(w.server.got.ptr + 1 + at, part, PART);
    }
    assert_int_equal(w.client.drained, 1);
    assert_int_equal(stream_queued(w.client.stream), 0);
    free(part);
    world_end(&w);
}

static void a_full_queue_refuses_and_drains_in_order(void **state)
{
    struct tls *t = tls_of("kvs");

    (void)state;
    fill_and_drain(NULL);
    fill_and_drain(t);
    tls_free(t);
}

static void what_is_queued_is_sent_before_the_close(void **state)
{
    enum { SIZE = 3 << 20 };
    struct tls *t = tls_of("kvs");
    const struct stream_options both[] = { { 0 }, { .tls = t } };
    uint8_t *octets = pattern(SIZE);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world w = { 0 };
        world_begin(&w);
        world_listen(&w, &both[i]);
        world_connect(&w, &both[i]);
        w.hello = "x";
        w.stop_at = 1;
        assert_ok(loop_run(w.loop));
        w.stop_at = 0;
        assert_ok(stream_write(w.server.stream, (struct bytes){ octets, SIZE }));
        stream_close(w.server.stream);
        assert_err(stream_write(w.server.stream, BYTES_LIT("late")), ERR_CLOSED);
        assert_ok(loop_run(w.loop));
        assert_int_equal(w.client.got.len, SIZE);
        assert_memory_equal(w.client.got.ptr, octets, SIZE);
        assert_int_equal(w.client.why.code, ERR_CLOSED);
        assert_int_equal(w.server.why.code, ERR_CLOSED);
        world_end(&w);
    }
    free(octets);
    tls_free(t);
}

static void a_stream_paused_when_it_opens_loses_nothing(void **state)
{
    struct tls *t = tls_of("kvs");
    const struct stream_options both[] = { { 0 }, { .tls = t } };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world w = { .hello = "early", .stop_at = 5 };
        world_begin(&w);
        w.server.pause_on_open = true;
        world_listen(&w, &both[i]);
        world_connect(&w, &both[i]);
        while (!w.client.opened || !w.server.opened) {
            struct loop_timer soon;
            loop_timer_init(&soon, w.loop, (void (*)(void *))loop_stop, w.loop);
            assert_ok(loop_timer_at(&soon, loop_now_us(w.loop) + 20000));
            assert_ok(loop_run(w.loop));
        }
        assert_int_equal(w.server.got.len, 0);
        stream_resume(w.server.stream);
        assert_ok(loop_run(w.loop));
        assert_got(&w.server, "early");
        world_end(&w);
    }
    tls_free(t);
}

/* ---- TLS ---- */

struct tls_case {
    const char *server, *client;           /* names of certificates; client NULL = none */
    const char *const *server_roles, *const *client_roles; /* what each accepts of the other */
    bool optional;
    enum err_code server_why, client_why; /* ERR_NONE: it works */
};

static const char *const only_sql[] = { "sql", "billing", NULL };
static const char *const only_kvs[] = { "kvs", NULL };

static void run_tls_case(const struct tls_case *c)
{
    struct world w = { .hello = "secret" };
    struct tls *server = tls_of(c->server);
    struct tls *client = NULL;

    if (c->client != NULL) {
        client = tls_of(c->client);
    } else {
        assert_ok(tls_new_anonymous(test_pki_path(&pki, "ca.pem"), &client));
    }
    world_begin(&w);
    w.server.echo = true;
    w.client.close_on_octets = true;
    world_listen(&w, &(struct stream_options){ .tls = server, .peer_roles = c->server_roles,
                                               .peer_optional = c->optional });
    world_connect(&w, &(struct stream_options){ .tls = client, .peer_roles = c->client_roles });
    assert_ok(loop_run(w.loop));
    if (c->client_why == ERR_NONE) {
        assert_got(&w.client, "secret");
        assert_string_equal(w.server.peer, c->client != NULL ? c->client : "");
        assert_string_equal(w.client.peer, c->server);
    } else {
        assert_int_equal(w.server.got.len, 0);
        assert_false(w.server.opened);
        assert_int_equal(w.client.why.code, c->client_why);
    }
    world_end(&w);
    tls_free(server);
    tls_free(client);
}

static void two_services_of_our_ca_talk(void **state)
{
    (void)state;
    run_tls_case(&(struct tls_case){ .server = "kvs", .client = "sql" });
    run_tls_case(&(struct tls_case){ .server = "kvs", .client = "sql", .server_roles = only_sql,
                                     .client_roles = only_kvs });
}

static void a_client_of_another_role_is_refused(void **state)
{
    (void)state;
    run_tls_case(&(struct tls_case){ .server = "kvs", .client = "collector",
                                     .server_roles = only_sql, .client_why = ERR_PROTO });
}

static void a_server_of_another_role_is_refused(void **state)
{
    (void)state;
    run_tls_case(&(struct tls_case){ .server = "collector", .client = "sql",
                                     .client_roles = only_kvs, .client_why = ERR_AUTH });
}

static void a_client_without_certificate_is_refused(void **state)
{
    (void)state;
    run_tls_case(&(struct tls_case){ .server = "kvs", .client_why = ERR_AUTH });
}

static void a_client_without_certificate_is_welcome_where_it_is_optional(void **state)
{
    (void)state;
    run_tls_case(&(struct tls_case){ .server = "kvs", .optional = true });
    run_tls_case(&(struct tls_case){ .server = "kvs", .optional = true, .server_roles = only_sql });
    run_tls_case(&(struct tls_case){ .server = "kvs", .client = "sql", .optional = true });
}

static void an_optional_certificate_must_be_good_all_the_same(void **state)
{
    (void)state;
    run_tls_case(&(struct tls_case){ .server = "kvs", .client = "collector", .optional = true,
                                     .server_roles = only_sql, .client_why = ERR_PROTO });
    run_tls_case(&(struct tls_case){ .server = "kvs", .client = "stranger", .optional = true,
                                     .client_why = ERR_AUTH });
}

static void certificates_of_another_ca_are_refused(void **state)
{
    (void)state;
    run_tls_case(&(struct tls_case){ .server = "kvs", .client = "stranger", .client_why = ERR_AUTH });
    run_tls_case(&(struct tls_case){ .server = "stranger", .client = "kvs", .client_why = ERR_AUTH });
}

static void expired_certificates_are_refused(void **state)
{
    (void)state;
    run_tls_case(&(struct tls_case){ .server = "kvs", .client = "old", .client_why = ERR_AUTH });
    run_tls_case(&(struct tls_case){ .server = "old", .client = "kvs", .client_why = ERR_AUTH });
}

static void a_certificate_without_a_common_name_is_refused(void **state)
{
    (void)state;
    run_tls_case(&(struct tls_case){ .server = "kvs", .client = "nameless",
                                     .client_why = ERR_PROTO });
}

static void a_plain_client_of_a_tls_server_is_refused(void **state)
{
    struct world w = { .hello = "GET / HTTP/1.1\r\n\r\n" };
    struct tls *t = tls_of("kvs");

    (void)state;
    world_begin(&w);
    world_listen(&w, &(struct stream_options){ .tls = t });
    world_connect(&w, &(struct stream_options){ 0 });
    assert_ok(loop_run(w.loop));
    assert_true(w.client.closed);
    assert_false(w.server.opened);
    assert_int_equal(stream_listener_refused(w.listener), 1);
    world_end(&w);
    tls_free(t);
}

static void a_handshake_that_stalls_is_cut_off(void **state)
{
    struct world w = { 0 };
    struct tls *t = tls_of("kvs");

    (void)state;
    world_begin(&w);
    world_listen(&w, &(struct stream_options){ .tls = t, .handshake_us = 30000 });
    world_connect(&w, &(struct stream_options){ 0 }); /* says nothing */
    assert_ok(loop_run(w.loop));
    assert_true(w.client.closed);
    assert_false(w.server.opened);
    world_end(&w);
    tls_free(t);
}

static void files_that_are_absent_or_open_to_others_are_named(void **state)
{
    struct tls_files good = test_pki_files(&pki, "kvs");
    struct tls_files f = good;
    struct tls *t = NULL;

    (void)state;
    f.ca = "/nonexistent/ca.pem";
    assert_err(tls_new(&f, &t), ERR_MISSING);
    assert_non_null(strstr(err_text(), "/nonexistent/ca.pem"));
    f = good;
    f.certificate = "/nonexistent/kvs.pem";
    assert_err(tls_new(&f, &t), ERR_MISSING);
    f = good;
    f.key = "/nonexistent/kvs.key";
    assert_err(tls_new(&f, &t), ERR_MISSING);
    chmod(good.key, 0640);
    assert_err(tls_new(&good, &t), ERR_AUTH);
    assert_non_null(strstr(err_text(), "chmod 600"));
    chmod(good.key, 0600);
    f = good;
    f.key = test_pki_files(&pki, "sql").key;
    assert_err(tls_new(&f, &t), ERR_AUTH);
    f = good;
    f.certificate = good.key;
    assert_err(tls_new(&f, &t), ERR_PROTO);
    assert_err(tls_new_anonymous(good.key, &t), ERR_PROTO);
    assert_null(t);
}

static void full_memory_never_crashes_a_connection(void **state)
{
    struct tls *t = tls_of("kvs");

    (void)state;
    for (long i = 0; i < 40; i++) {
        struct world w = { .hello = "hello" };
        struct loop_timer soon;
        world_begin(&w);
        loop_timer_init(&soon, w.loop, (void (*)(void *))loop_stop, w.loop);
        w.server.echo = true;
        w.client.close_on_octets = true;
        world_listen(&w, &(struct stream_options){ .tls = t });
        char address[32];
        snprintf(address, sizeof address, "127.0.0.1:%u", stream_listener_port(w.listener));
        mem_fail_after(i);
        err e = stream_connect(w.loop, address, &(struct stream_options){ .tls = t },
                               &client_events, &w.client, &w.client.stream);
        if (!e.code) {
            if (!loop_timer_at(&soon, loop_now_us(w.loop) + 50000).code) {
                assert_ok(loop_run(w.loop));
            }
        }
        mem_fail_after(-1);
        loop_timer_cancel(&soon);
        world_end(&w);
    }
    tls_free(t);
}

static int begin(void **state)
{
    (void)state;
    test_pki_begin(&pki);
    test_pki_add(&pki, &(struct test_certificate){ .name = "other_ca", .ca = "other_ca" });
    test_pki_add(&pki, &(struct test_certificate){ .name = "stranger", .ca = "other_ca" });
    test_pki_add(&pki, &(struct test_certificate){ .name = "old", .expired = true });
    test_pki_add(&pki, &(struct test_certificate){ .name = "nameless", .common_name = "" });
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
        cmocka_unit_test(octets_go_both_ways_over_plain_tcp),
        cmocka_unit_test(a_listener_may_be_closed_after_its_loop_ended),
        cmocka_unit_test(a_refused_connection_is_told_as_closed),
        cmocka_unit_test(a_port_in_use_is_a_conflict),
        cmocka_unit_test(bad_addresses_are_refused_with_their_text),
        cmocka_unit_test(a_name_is_looked_up),
        cmocka_unit_test(an_abort_while_looking_up_is_told_once),
        cmocka_unit_test(connections_above_the_bound_are_closed),
        cmocka_unit_test(an_error_from_octets_ends_the_stream_with_it),
        cmocka_unit_test(an_error_from_opened_ends_the_stream_with_it),
        cmocka_unit_test(small_writes_of_one_turn_come_together),
        cmocka_unit_test(nothing_is_written_after_close),
        cmocka_unit_test(a_silent_connection_is_closed_when_idle_too_long),
        cmocka_unit_test(freeing_the_loop_ends_what_is_open),
        cmocka_unit_test(a_full_queue_refuses_and_drains_in_order),
        cmocka_unit_test(what_is_queued_is_sent_before_the_close),
        cmocka_unit_test(a_stream_paused_when_it_opens_loses_nothing),
        cmocka_unit_test(two_services_of_our_ca_talk),
        cmocka_unit_test(a_client_of_another_role_is_refused),
        cmocka_unit_test(a_server_of_another_role_is_refused),
        cmocka_unit_test(a_client_without_certificate_is_refused),
        cmocka_unit_test(a_client_without_certificate_is_welcome_where_it_is_optional),
        cmocka_unit_test(an_optional_certificate_must_be_good_all_the_same),
        cmocka_unit_test(certificates_of_another_ca_are_refused),
        cmocka_unit_test(expired_certificates_are_refused),
        cmocka_unit_test(a_certificate_without_a_common_name_is_refused),
        cmocka_unit_test(a_plain_client_of_a_tls_server_is_refused),
        cmocka_unit_test(a_handshake_that_stalls_is_cut_off),
        cmocka_unit_test(files_that_are_absent_or_open_to_others_are_named),
        cmocka_unit_test(full_memory_never_crashes_a_connection),
    };
    return cmocka_run_group_tests_name("stream", tests, begin, end);
}
