/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_conn_fixture.h"

static int64_t fixed_utc_s(void)
{
    return 784111777;
}

static err peer_write(void *self, struct bytes octets, size_t *taken)
{
    struct peer *p = self;
    size_t n = octets.len < p->room ? octets.len : p->room;

    assert_false(p->closed);
    p->room -= n;
    *taken = n;
    return buf_append(&p->got, (struct bytes){ octets.ptr, n });
}

static size_t peer_queued(void *self)
{
    return ((struct peer *)self)->queued;
}

static void peer_hold(void *self, bool on)
{
    ((struct peer *)self)->held = on;
}

static void peer_again(void *self)
{
    ((struct peer *)self)->again = true;
}

static void peer_close(void *self)
{
    ((struct peer *)self)->closed = true;
}

static void peer_abort(void *self)
{
    ((struct peer *)self)->aborted = true;
}

/* ---- routes ---- */

static void hello(void *arg, struct http_exchange *x)
{
    (void)arg;
    http_answer(x, 200, "text/plain", BYTES_LIT("hello"));
}

static void echo(void *arg, struct http_exchange *x)
{
    (void)arg;
    http_answer(x, 200, NULL, http_body(x));
}

static void parts(void *arg, struct http_exchange *x)
{
    struct bytes space, key, limit;
    char text[256];

    (void)arg;
    err e = http_path_part(x, "space", &space);
    e = e.code ? e : http_path_part(x, "key", &key);
    if (e.code) {
        http_answer_error(x, e);
        return;
    }
    e = http_query_part(x, "limit", &limit);
    if (e.code == ERR_MISSING) {
        limit = BYTES_LIT("none");
    } else if (e.code) {
        http_answer_error(x, e);
        return;
    }
    int n = snprintf(text, sizeof text, "%.*s|%.*s|%.*s", (int)space.len, (const char *)space.ptr,
                     (int)key.len, (const char *)key.ptr, (int)limit.len, (const char *)limit.ptr);
    http_answer(x, 200, NULL, (struct bytes){ (uint8_t *)text, (size_t)n });
}

static void nothing(void *arg, struct http_exchange *x)
{
    (void)arg;
    http_add_header(x, "ETag", "\"7\"");
    http_answer(x, 204, "text/plain", BYTES_LIT("dropped"));
}

static void keep(void *arg, struct http_exchange *x)
{
    struct peer *p = arg;

    p->kept[p->kept_count++] = x;
}

static void on_ready(void *user)
{
    ((struct peer *)user)->ready++;
}

static void stream(void *arg, struct http_exchange *x)
{
    struct peer *p = arg;

    p->stream = x;
    assert_ok(http_answer_begin(x, 200, "text/plain", on_ready, p));
}

static void pieces_done(void *arg, struct http_exchange *x)
{
    struct peer *p = arg;
    char text[32];
    int n = snprintf(text, sizeof text, "%zu", p->piece_octets);

    http_answer(x, 200, NULL, (struct bytes){ (uint8_t *)text, (size_t)n });
}

static err piece(void *arg, struct http_exchange *x, struct bytes part, bool last)
{
    struct peer *p = arg;

    assert_true(last == (part.len == 0));
    p->pieces++;
    p->piece_octets += part.len;
    if (p->piece_answer.code) {
        err_set("test", 0, "no more");
        return p->piece_answer;
    }
    if (p->piece_answers_early) {
        http_answer(x, 202, NULL, BYTES_LIT("enough"));
    }
    return OK;
}

static const struct http_route routes[] = {
    { "GET", "/hello", 0, hello, NULL },
    { "POST", "/echo", 64, echo, NULL },
    { "PUT", "/v1/kv/{space}/{key}", 0, nothing, NULL },
    { "GET", "/v1/kv/{space}/{key}", 0, parts, NULL },
    { "GET", "/all/{space}/{key*}", 0, parts, NULL },
    { "GET", "/keep", 0, keep, NULL },
    { "POST", "/keep", 64, keep, NULL },
    { "GET", "/stream", 0, stream, NULL },
    { "POST", "/pieces", 1000, pieces_done, piece },
    { NULL, NULL, 0, NULL, NULL },
};

static void on_gone(void *arg, struct http_exchange *x)
{
    struct peer *p = arg;

    p->lost[p->lost_count++] = x;
}

/* ---- the peer ---- */

void peer_begin(struct peer *p)
{
    const struct http_server_options options = { .routes = routes, .arg = p, .gone = on_gone };
    const struct http_conn_host host = { p, peer_write, peer_queued, peer_hold, peer_again,
                                         peer_close, peer_abort };

    *p = (struct peer){ .got = { .max = 1u << 24 }, .room = SIZE_MAX, .now_us = 1000000 };
    http_site_init(&p->site, &options);
    p->site.utc_s = fixed_utc_s;
    http_conn_init(&p->conn, &p->site, &host, "sql", p->now_us);
}

void peer_end(struct peer *p)
{
    if (!p->ended) {
        http_conn_end(&p->conn);
    }
    http_site_done(&p->site);
    buf_done(&p->got);
}

void peer_settle(struct peer *p)
{
    while (p->again) {
        p->again = false;
        http_conn_continue(&p->conn, p->now_us);
    }
}

void peer_say_octets(struct peer *p, struct bytes in)
{
    uint8_t *exact = malloc(in.len > 0 ? in.len : 1); /* shows every overrun */

    memcpy(exact, in.ptr, in.len);
    http_conn_octets(&p->conn, p->now_us, (struct bytes){ exact, in.len });
    memset(exact, 0xee, in.len);
    free(exact);
    peer_settle(p);
}

void peer_say(struct peer *p, const char *text)
{
    peer_say_octets(p, bytes_of_string(text));
}

const char *peer_got(struct peer *p)
{
    static char text[1 << 16];

    snprintf(text, sizeof text, "%.*s", (int)p->got.len, (const char *)p->got.ptr);
    buf_clear(&p->got);
    return text;
}

unsigned answer_status(const char *answer)
{
    unsigned status = 0;

    return sscanf(answer, "HTTP/1.1 %u", &status) == 1 ? status : 0;
}

void assert_refused(const char *request, unsigned status)
{
    struct peer p;

    peer_begin(&p);
    peer_say(&p, request);
    const char *answer = peer_got(&p);
    if (answer_status(answer) != status || !p.closed) {
        fail_msg("want %u and close for:\n%s\ngot:\n%s", status, request, answer);
    }
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_int_equal(p.site.counters.refused, 1);
    peer_say(&p, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(p.got.len, 0);
    peer_end(&p);
    /* The same octet by octet. */
    peer_begin(&p);
    for (const char *c = request; *c != '\0'; c++) {
        peer_say_octets(&p, (struct bytes){ (const uint8_t *)c, 1 });
    }
    assert_int_equal(answer_status(peer_got(&p)), status);
    assert_true(p.closed);
    peer_end(&p);
}

void assert_served(const char *request, unsigned status, const char *body)
{
    struct peer p;

    for (int split = 0; split < 2; split++) {
        peer_begin(&p);
        if (split == 0) {
            peer_say(&p, request);
        } else {
            for (const char *c = request; *c != '\0'; c++) {
                peer_say_octets(&p, (struct bytes){ (const uint8_t *)c, 1 });
            }
        }
        const char *answer = peer_got(&p);
        const char *end = strstr(answer, "\r\n\r\n");
        if (answer_status(answer) != status || end == NULL || strcmp(end + 4, body) != 0) {
            fail_msg("want %u '%s' for:\n%s\ngot:\n%s", status, body, request, answer);
        }
        assert_false(p.closed);
        assert_null(strstr(answer, "Connection:"));
        peer_end(&p);
    }
}
