/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of docs/style.md, "HTTP", each a test: octets in, octets out, no socket. */
#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"
#include "lib/net/http_conn.h"

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define HOST "Host: a\r\n"

struct peer { /* the world around one connection */
    struct http_site site;
    struct http_conn conn;
    struct buf got;
    bool ended;
    size_t room; /* octets the host takes before it is full */
    size_t queued;
    bool held, again, closed, aborted;
    uint64_t now_us;
    /* what the handlers do and saw */
    struct http_exchange *kept[32];
    unsigned kept_count;
    struct http_exchange *lost[32];
    unsigned lost_count, pieces, ready;
    size_t piece_octets;
    err piece_answer;
    bool piece_answers_early;
    struct http_exchange *stream;
};

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

static void peer_begin(struct peer *p)
{
    const struct http_server_options options = { .routes = routes, .arg = p, .gone = on_gone };
    const struct http_conn_host host = { p, peer_write, peer_queued, peer_hold, peer_again,
                                         peer_close, peer_abort };

    *p = (struct peer){ .got = { .max = 1u << 24 }, .room = SIZE_MAX, .now_us = 1000000 };
    http_site_init(&p->site, &options);
    p->site.utc_s = fixed_utc_s;
    http_conn_init(&p->conn, &p->site, &host, "sql", p->now_us);
}

static void peer_end(struct peer *p)
{
    if (!p->ended) {
        http_conn_end(&p->conn);
    }
    http_site_done(&p->site);
    buf_done(&p->got);
}

static void settle(struct peer *p)
{
    while (p->again) {
        p->again = false;
        http_conn_continue(&p->conn, p->now_us);
    }
}

static void say_octets(struct peer *p, struct bytes in)
{
    uint8_t *exact = malloc(in.len > 0 ? in.len : 1); /* shows every overrun */

    memcpy(exact, in.ptr, in.len);
    http_conn_octets(&p->conn, p->now_us, (struct bytes){ exact, in.len });
    memset(exact, 0xee, in.len);
    free(exact);
    settle(p);
}

static void say(struct peer *p, const char *text)
{
    say_octets(p, bytes_of_string(text));
}

static const char *got(struct peer *p)
{
    static char text[1 << 16];

    snprintf(text, sizeof text, "%.*s", (int)p->got.len, (const char *)p->got.ptr);
    buf_clear(&p->got);
    return text;
}

static unsigned status_of(const char *answer)
{
    unsigned status = 0;

    return sscanf(answer, "HTTP/1.1 %u", &status) == 1 ? status : 0;
}

/* The request is refused with this status, and the connection is closed. */
static void refused(const char *request, unsigned status)
{
    struct peer p;

    peer_begin(&p);
    say(&p, request);
    const char *answer = got(&p);
    if (status_of(answer) != status || !p.closed) {
        fail_msg("want %u and close for:\n%s\ngot:\n%s", status, request, answer);
    }
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_int_equal(p.site.counters.refused, 1);
    say(&p, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(p.got.len, 0);
    peer_end(&p);
    /* The same octet by octet. */
    peer_begin(&p);
    for (const char *c = request; *c != '\0'; c++) {
        say_octets(&p, (struct bytes){ (const uint8_t *)c, 1 });
    }
    assert_int_equal(status_of(got(&p)), status);
    assert_true(p.closed);
    peer_end(&p);
}

/* The request is served with this status, and the connection goes on. */
static void served(const char *request, unsigned status, const char *body)
{
    struct peer p;

    for (int split = 0; split < 2; split++) {
        peer_begin(&p);
        if (split == 0) {
            say(&p, request);
        } else {
            for (const char *c = request; *c != '\0'; c++) {
                say_octets(&p, (struct bytes){ (const uint8_t *)c, 1 });
            }
        }
        const char *answer = got(&p);
        const char *end = strstr(answer, "\r\n\r\n");
        if (status_of(answer) != status || end == NULL || strcmp(end + 4, body) != 0) {
            fail_msg("want %u '%s' for:\n%s\ngot:\n%s", status, body, request, answer);
        }
        assert_false(p.closed);
        assert_null(strstr(answer, "Connection:"));
        peer_end(&p);
    }
}

/* ---- heads ---- */

static void a_request_is_answered(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(got(&p), "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n"
                                 "Content-Length: 5\r\n\r\nhello");
    assert_false(p.closed);
    assert_int_equal(p.site.counters.requests, 1);
    assert_int_equal(p.site.counters.by_class[2], 1);
    assert_int_equal(p.site.counters.open, 1);
    peer_end(&p);
    assert_int_equal(p.site.counters.open, 0);
}

static void bare_line_feeds_are_refused(void **state)
{
    (void)state;
    refused("GET /hello HTTP/1.1\nHost: a\r\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\nHost: a\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\nHost: a\r\n\n", 400);
}

static void folded_lines_are_refused(void **state)
{
    (void)state;
    refused("GET /hello HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400);
    refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length:\r\n 2\r\n\r\nab", 400);
    refused("GET /hello HTTP/1.1\r\n\tHost: a\r\n\r\n", 400);
}

static void blanks_in_or_after_names_are_refused(void **state)
{
    (void)state;
    refused("GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\nHo st: a\r\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\nHost\t: a\r\n\r\n", 400);
}

static void empty_lines_before_the_request_are_refused(void **state)
{
    (void)state;
    refused("\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n", 400);
    refused("\nGET /hello HTTP/1.1\r\n" HOST "\r\n", 400);
    refused(" GET /hello HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void octets_above_ascii_are_refused(void **state)
{
    (void)state;
    refused("GET /hell\xc3\xb6 HTTP/1.1\r\n" HOST "\r\n", 400);
    refused("GET /hello HTTP/1.1\r\n" HOST "X: \xff\r\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\n" HOST "X\x80: a\r\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n", 400);
}

static void control_octets_and_empty_names_are_refused(void **state)
{
    struct peer p;

    (void)state;
    refused("GET /hello HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400);
    refused("GET /he\tllo HTTP/1.1\r\n" HOST "\r\n", 400);
    peer_begin(&p);
    say_octets(&p, BYTES_LIT("GET /hello HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"));
    assert_int_equal(status_of(got(&p)), 400);
    peer_end(&p);
}

static void two_blanks_in_the_request_line_are_refused(void **state)
{
    (void)state;
    refused("GET  /hello HTTP/1.1\r\n" HOST "\r\n", 400);
    refused("GET /hello  HTTP/1.1\r\n" HOST "\r\n", 400);
    refused("GET /hello HTTP/1.1 \r\n" HOST "\r\n", 400);
}

static void other_versions_are_refused(void **state)
{
    (void)state;
    refused("GET /hello\r\n" HOST "\r\n", 400);
    refused("GET /hello HTTP/1.2\r\n" HOST "\r\n", 505);
    refused("GET /hello HTTP/2.0\r\n" HOST "\r\n", 505);
    refused("GET /hello HTTP/1.0\r\n" HOST "\r\n", 505);
    refused("POST /echo HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 505);
    refused("GET /hello HTTP/1.10\r\n" HOST "\r\n", 400);
    refused("GET /hello http/1.1\r\n" HOST "\r\n", 400);
    refused("GET /hello XTTP/1.1\r\n" HOST "\r\n", 400);
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400);
}

static void fragments_and_absolute_targets_are_refused(void **state)
{
    (void)state;
    refused("GET /hello#x HTTP/1.1\r\n" HOST "\r\n", 400);
    refused("GET http://a/hello HTTP/1.1\r\n" HOST "\r\n", 400);
    refused("GET hello HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void exactly_one_host_is_wanted(void **state)
{
    (void)state;
    refused("GET /hello HTTP/1.1\r\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\n" HOST HOST "\r\n", 400);
    refused("GET /hello HTTP/1.1\r\n" HOST "host: b\r\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\nHost:\r\n\r\n", 400);
    refused("GET /hello HTTP/1.1\r\nHost: a, b\r\n\r\n", 400);
    served("GET /hello HTTP/1.1\r\nHOST:a:8443\r\n\r\n", 200, "hello");
}

static void lengths_have_one_spelling(void **state)
{
    static const char *const bad[] = { "+2", "-2", "0x2", "", "2,2", "2 2", "02", "2.0",
                                       "99999999999", "18446744073709551618" };
    char request[256];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(request, sizeof request,
                 "POST /echo HTTP/1.1\r\n" HOST "Content-Length: %s\r\n\r\nab", bad[i]);
        refused(request, 400);
    }
    refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400);
    refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\ncontent-length: 3\r\n\r\nab", 400);
    served("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab", 200, "ab");
    served("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, "");
    served("POST /echo HTTP/1.1\r\n" HOST "\r\n", 200, "");
}

static void length_and_chunks_together_are_refused(void **state)
{
    (void)state;
    refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\n", 400);
    refused("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
            "0\r\n\r\n", 400);
}

static void other_codings_are_not_implemented(void **state)
{
    static const char *const bad[] = { "gzip, chunked", "chunked, chunked", "identity", "xchunked",
                                       "chunked, gzip", "gzip", "chunked;q=1", "" };
    char request[256];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(request, sizeof request,
                 "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: %s\r\n\r\n0\r\n\r\n", bad[i]);
        refused(request, 501);
    }
    refused("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501);
    served("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: CHUNKED\r\n\r\n2\r\nab\r\n0\r\n\r\n",
           200, "ab");
}

static void connect_and_options_star_are_refused(void **state)
{
    (void)state;
    refused("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", 400);
    refused("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void upgrade_is_ignored(void **state)
{
    (void)state;
    served("GET /hello HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 200,
           "hello");
    served("GET /hello HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200,
           "hello");
}

static void unknown_methods_are_not_implemented(void **state)
{
    (void)state;
    refused("get /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    refused("BREW /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    refused("GETT /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    refused("M-SEARCH /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    refused("TRACE /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    refused("PROPFIND /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    refused("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 501);
}

/* ---- bounds ---- */

static char *text_of(const char *before, char c, size_t count, const char *after)
{
    size_t a = strlen(before), b = strlen(after);
    char *t = malloc(a + count + b + 1);

    memcpy(t, before, a);
    memset(t + a, c, count);
    memcpy(t + a + count, after, b + 1);
    return t;
}

static void a_target_may_have_4096_octets_and_no_more(void **state)
{
    char *fits =
        text_of("GET /hello?", 'a', HTTP_TARGET_BYTES_MAX - 7, " HTTP/1.1\r\n" HOST "\r\n");
    char *over = text_of("GET /hello?", 'a', HTTP_TARGET_BYTES_MAX - 6, " HTTP/1.1\r\n" HOST "\r\n");

    (void)state;
    served(fits, 200, "hello");
    refused(over, 414);
    free(fits);
    free(over);
}

static void a_header_line_may_have_8192_octets_and_no_more(void **state)
{
    char *fits =
        text_of("GET /hello HTTP/1.1\r\n" HOST "X:", 'a', HTTP_LINE_BYTES_MAX - 2, "\r\n\r\n");
    char *over = text_of("GET /hello HTTP/1.1\r\n" HOST "X:", 'a', HTTP_LINE_BYTES_MAX - 1, "\r\n\r\n");
    char *name = text_of("GET /hello HTTP/1.1\r\n" HOST, 'a', HTTP_LINE_BYTES_MAX + 1, ":b\r\n\r\n");

    (void)state;
    served(fits, 200, "hello");
    refused(over, 431);
    refused(name, 431);
    free(fits);
    free(over);
    free(name);
}

/* HOST and `count` further headers. */
static void headers_of(unsigned count, char *out, size_t size)
{
    int n = snprintf(out, size, "GET /hello HTTP/1.1\r\n" HOST);

    for (; count > 0; count--) {
        n += snprintf(out + n, size - (size_t)n, "X: a\r\n");
    }
    snprintf(out + n, size - (size_t)n, "\r\n");
}

static void a_head_may_have_64_headers_and_no_more(void **state)
{
    char request[4096];

    (void)state;
    headers_of(HTTP_HEADER_COUNT_MAX - 1, request, sizeof request);
    served(request, 200, "hello");
    headers_of(HTTP_HEADER_COUNT_MAX, request, sizeof request);
    refused(request, 431);
}

static void a_head_may_have_16384_octets_and_no_more(void **state)
{
    char *first = text_of("GET /hello HTTP/1.1\r\n" HOST "X:", 'a', 8000, "\r\nY:");
    char *lines = text_of(first, 'a', 8000, "\r\nZ:");
    size_t rest = HTTP_HEAD_BYTES_MAX - strlen(lines) - 4;
    char *fits = text_of(lines, 'a', rest, "\r\n\r\n");
    char *over = text_of(lines, 'a', rest + 1, "\r\n\r\n");

    (void)state;
    assert_int_equal(strlen(fits), HTTP_HEAD_BYTES_MAX);
    served(fits, 200, "hello");
    refused(over, 431);
    free(first);
    free(lines);
    free(fits);
    free(over);
}

static void a_body_above_the_bound_of_its_route_is_refused(void **state)
{
    char *fits = text_of("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 64\r\n\r\n", 'b', 64, "");
    char *want = text_of("", 'b', 64, "");

    (void)state;
    served(fits, 200, want);
    refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65\r\n\r\n", 413);
    refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9999999999\r\n\r\n", 413);
    refused("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n41\r\n"
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n0\r\n\r\n", 413);
    free(fits);
    free(want);
}

/* ---- chunks ---- */

#define CHUNKED "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static void chunks_are_put_together(void **state)
{
    (void)state;
    served(CHUNKED "2\r\nab\r\n03\r\ncde\r\n0\r\n\r\n", 200, "abcde");
    served(CHUNKED "A\r\n0123456789\r\n00000000\r\n\r\n", 200, "0123456789");
    served(CHUNKED "0\r\n\r\n", 200, "");
    served(CHUNKED "2;name=value\r\nab\r\n0;x\r\n\r\n", 200, "ab");
    served(CHUNKED "2\r\nab\r\n0\r\nTrailer: dropped\r\nContent-Length: 9\r\n\r\n", 200, "ab");
}

static void malformed_chunks_are_refused(void **state)
{
    (void)state;
    refused(CHUNKED "2\r\nabXX0\r\n\r\n", 400);
    refused(CHUNKED "2\r\nabc\r\n0\r\n\r\n", 400);
    refused(CHUNKED "2 xyz\r\nab\r\n0\r\n\r\n", 400);
    refused(CHUNKED "2 \r\nab\r\n0\r\n\r\n", 400);
    refused(CHUNKED " 2\r\nab\r\n0\r\n\r\n", 400);
    refused(CHUNKED "0x2\r\nab\r\n0\r\n\r\n", 400);
    refused(CHUNKED "-2\r\nab\r\n0\r\n\r\n", 400);
    refused(CHUNKED "\r\nab\r\n0\r\n\r\n", 400);
    refused(CHUNKED "g\r\nab\r\n0\r\n\r\n", 400);
    refused(CHUNKED "2\nab\r\n0\r\n\r\n", 400);
    refused(CHUNKED "2\r\nab\n0\r\n\r\n", 400);
    refused(CHUNKED "000000002\r\nab\r\n0\r\n\r\n", 400);
    refused(CHUNKED "2;\x01\r\nab\r\n0\r\n\r\n", 400);
    refused(CHUNKED "0\r\nbad trailer: x\r\n\r\n", 400);
    refused(CHUNKED "0\r\n: x\r\n\r\n", 400);
    refused(CHUNKED "0\r\n folded\r\n\r\n", 400);
    refused(CHUNKED "0\r\n\rX", 400);
}

static void extensions_trailers_and_overhead_are_bounded(void **state)
{
    char *fits = text_of(CHUNKED "2;", 'e', HTTP_CHUNK_EXTENSION_MAX, "\r\nab\r\n0\r\n\r\n");
    char *over = text_of(CHUNKED "2;", 'e', HTTP_CHUNK_EXTENSION_MAX + 1, "\r\nab\r\n0\r\n\r\n");
    char *trailers = text_of(CHUNKED "0\r\nT: ", 't', HTTP_TRAILER_BYTES_MAX, "\r\n\r\n");
    struct peer p;

    (void)state;
    served(fits, 200, "ab");
    refused(over, 400);
    refused(trailers, 400);
    free(fits);
    free(over);
    free(trailers);
    /* Chunks of one octet, each with an extension: more framing than 16 KiB and the data. */
    peer_begin(&p);
    say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 900 && !p.closed; i++) {
        say(&p, "1;xxxxxxxxxxxxxxxxxxxxx\r\na\r\n");
    }
    assert_true(p.closed);
    assert_int_equal(status_of(got(&p)), 400);
    peer_end(&p);
}

/* ---- answers ---- */

static void head_has_the_length_but_no_body(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "HEAD /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(got(&p), "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n"
                                 "Content-Length: 5\r\n\r\n");
    peer_end(&p);
}

static void no_content_has_no_body_and_no_length(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "PUT /v1/kv/s/k HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nv");
    assert_string_equal(got(&p), "HTTP/1.1 204 No Content\r\n" DATE "ETag: \"7\"\r\n\r\n");
    peer_end(&p);
}

static void a_method_the_route_lacks_is_refused_with_allow(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "DELETE /v1/kv/s/k HTTP/1.1\r\n" HOST "\r\n");
    const char *answer = got(&p);
    assert_int_equal(status_of(answer), 405);
    assert_non_null(strstr(answer, "Allow: PUT, GET, HEAD\r\n"));
    assert_false(p.closed);
    peer_end(&p);
    refused("DELETE /hello HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 405);
}

static void an_unknown_path_is_missing_and_never_echoed(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /secret-path HTTP/1.1\r\n" HOST "\r\n");
    const char *answer = got(&p);
    assert_int_equal(status_of(answer), 404);
    assert_null(strstr(answer, "secret-path"));
    assert_non_null(strstr(answer, "{\"error\":{\"code\":\"missing\",\"message\":"));
    assert_false(p.closed);
    say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(status_of(got(&p)), 200);
    peer_end(&p);
    refused("POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 404);
    refused("GET /<script> HTTP/1.1\r\nX: <script>\r\n\r\n", 400);
}

static void parts_of_path_and_query_are_decoded(void **state)
{
    (void)state;
    served("GET /v1/kv/a%2Fb/k%20%25?x=1&limit=%31%30 HTTP/1.1\r\n" HOST "\r\n", 200, "a/b|k %|10");
    served("GET /v1/kv/s/k?limit HTTP/1.1\r\n" HOST "\r\n", 200, "s|k|");
    served("GET /v1/kv/s/k HTTP/1.1\r\n" HOST "\r\n", 200, "s|k|none");
    served("GET /all/s/a/b//c HTTP/1.1\r\n" HOST "\r\n", 200, "s|a/b//c|none");
    served("GET /all/s/ HTTP/1.1\r\n" HOST "\r\n", 200, "s||none");
    served("GET /v1/kv/s/+ HTTP/1.1\r\n" HOST "\r\n", 200, "s|+|none");
}

static void bad_escapes_and_doubled_names_are_refused(void **state)
{
    static const char *const bad[] = { "/v1/kv/s/%", "/v1/kv/s/%4", "/v1/kv/s/%zz", "/v1/kv/%g1/k",
                                       "/v1/kv/s/k?limit=1&limit=2", "/v1/kv/s/k?limit=%" };
    struct peer p;
    char request[256];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        peer_begin(&p);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "\r\n", bad[i]);
        say(&p, request);
        assert_int_equal(status_of(got(&p)), 400);
        peer_end(&p);
    }
}

static void near_paths_do_not_match(void **state)
{
    static const char *const bad[] = { "/", "/hello/", "/hell", "/hello1", "//hello", "/v1/kv/s",
                                       "/v1/kv//k", "/v1/kv/s/", "/v1/kv/s/k/", "/all/s", "/Hello",
                                       "/%68ello" };
    struct peer p;
    char request[256];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        peer_begin(&p);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "\r\n", bad[i]);
        say(&p, request);
        if (status_of(got(&p)) != 404) {
            fail_msg("%s matched", bad[i]);
        }
        peer_end(&p);
    }
}

static void errors_have_a_status_each_and_escaped_texts(void **state)
{
    (void)state;
    assert_int_equal(http_status_of((err){ ERR_MISSING }), 404);
    assert_int_equal(http_status_of((err){ ERR_AUTH }), 401);
    assert_int_equal(http_status_of((err){ ERR_CONFLICT }), 409);
    for (int code = 1; code < ERR_COUNT; code++) {
        assert_true(http_status_of((err){ (enum err_code)code }) >= 400);
    }
    struct peer p;
    peer_begin(&p);
    say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    err_set("test", 0, "a \"quoted\\\" text\n");
    http_answer_error(p.kept[0], (err){ ERR_LIMIT });
    settle(&p);
    const char *answer = got(&p);
    assert_non_null(strstr(answer, "{\"error\":{\"code\":\"limit\",\"message\":"
                                   "\"a \\\"quoted\\\\\\\" text?\"}}\n"));
    peer_end(&p);
}

/* ---- the connection ---- */

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n"
            "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab");
    assert_int_equal(p.got.len, 0);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT("kept"));
    settle(&p);
    const char *answers = got(&p);
    const char *first = strstr(answers, "kept");
    const char *second = strstr(answers, "hello");
    assert_true(first != NULL && second != NULL && first < second);
    assert_true(second < strstr(answers, "\r\n\r\nab"));
    peer_end(&p);
}

static void sixteen_requests_may_be_outstanding_the_rest_waits(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    for (int i = 0; i < HTTP_PIPELINE_MAX - 1; i++) {
        say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    }
    assert_false(p.held);
    say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\nGET /keep HTTP/1.1\r\n" HOST "\r\n");
    assert_true(p.held);
    assert_int_equal(p.kept_count, HTTP_PIPELINE_MAX);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT(""));
    assert_int_equal(p.kept_count, HTTP_PIPELINE_MAX); /* never from inside the answer */
    settle(&p);
    assert_int_equal(p.kept_count, HTTP_PIPELINE_MAX + 1);
    assert_false(p.held);
    peer_end(&p);
}

static void nothing_is_read_after_connection_close(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /hello HTTP/1.1\r\n" HOST "Connection: keep-alive, Close\r\n\r\n"
            "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    const char *answer = got(&p);
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_null(strstr(strstr(answer, "hello") + 1, "hello"));
    assert_true(p.closed);
    assert_int_equal(p.site.counters.requests, 1);
    peer_end(&p);
}

static void a_connection_serves_ten_thousand_requests(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    for (int i = 1; i < HTTP_REQUESTS_MAX; i++) {
        say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        buf_clear(&p.got);
    }
    assert_false(p.closed);
    say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(got(&p), "Connection: close\r\n"));
    assert_true(p.closed);
    peer_end(&p);
}

static void continue_is_said_after_the_head_is_checked(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n");
    assert_string_equal(got(&p), "HTTP/1.1 100 Continue\r\n\r\n");
    say(&p, "ab");
    assert_int_equal(status_of(got(&p)), 200);
    peer_end(&p);
    refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65\r\nExpect: 100-continue\r\n\r\n", 413);
    refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: more\r\n\r\nab", 417);
    served("GET /hello HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n", 200, "hello");
}

static void continue_waits_for_earlier_answers(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n"
            "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(p.got.len, 0);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT("kept"));
    settle(&p);
    const char *answers = got(&p);
    assert_true(strstr(answers, "kept") < strstr(answers, "100 Continue"));
    peer_end(&p);
}

static void handlers_hear_of_connections_that_are_gone(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\nGET /keep HTTP/1.1\r\n" HOST "\r\n"
            "POST /pieces HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc");
    http_answer(p.kept[1], 200, NULL, BYTES_LIT("done"));
    http_conn_end(&p.conn);
    p.ended = true;
    assert_int_equal(p.lost_count, 2); /* the first, and the one whose body was coming */
    assert_ptr_equal(p.lost[0], p.kept[0]);
    peer_end(&p);
}

/* ---- deadlines ---- */

static void tick_after(struct peer *p, uint64_t us)
{
    p->now_us += us;
    http_conn_tick(&p->conn, p->now_us);
    settle(p);
}

static void an_idle_connection_is_closed_after_60_s(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    assert_int_equal(http_conn_deadline(&p.conn), p.now_us + 60000000);
    tick_after(&p, 59999999);
    assert_false(p.closed);
    tick_after(&p, 1);
    assert_true(p.closed);
    assert_int_equal(p.got.len, 0);
    peer_end(&p);
}

static void a_head_that_trickles_is_cut_after_10_s(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    tick_after(&p, 5000000);
    say(&p, "GET /hello HT");
    tick_after(&p, 9000000);
    say(&p, "TP/1.1\r\n");
    assert_false(p.closed);
    tick_after(&p, 1000000); /* absolute: more octets do not help */
    assert_int_equal(status_of(got(&p)), 408);
    assert_true(p.closed);
    peer_end(&p);
}

static void a_body_that_trickles_is_cut_after_60_s(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n");
    for (int i = 0; i < 59; i++) {
        tick_after(&p, 1000000);
        say(&p, "a");
    }
    assert_false(p.closed);
    tick_after(&p, 1000000);
    assert_int_equal(status_of(got(&p)), 408);
    assert_int_equal(p.lost_count, 1);
    peer_end(&p);
}

static void a_handler_may_take_its_time(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 10; i++) {
        tick_after(&p, 60000000);
    }
    assert_false(p.closed || p.aborted);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT("late"));
    settle(&p);
    assert_int_equal(status_of(got(&p)), 200);
    assert_int_equal(http_conn_deadline(&p.conn), p.now_us + 60000000);
    peer_end(&p);
}

static void a_peer_that_takes_no_answer_is_cut_off(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    p.queued = 100;
    say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    tick_after(&p, 30000000);
    p.queued = 50; /* it took some */
    p.again = true;
    settle(&p);
    tick_after(&p, 59000000);
    assert_false(p.aborted);
    tick_after(&p, 1000000);
    assert_true(p.aborted);
    peer_end(&p);
}

/* ---- streamed answers ---- */

static void a_streamed_answer_is_chunked(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("0123456789abcdef")));
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("")));
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("x")));
    http_answer_end(p.stream);
    settle(&p);
    assert_string_equal(got(&p), "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n"
                                 "10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n");
    assert_false(p.closed);
    peer_end(&p);
}

static void a_streamed_answer_to_head_has_no_body(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "HEAD /stream HTTP/1.1\r\n" HOST "\r\n");
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("x")));
    http_answer_end(p.stream);
    settle(&p);
    const char *answer = got(&p);
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    peer_end(&p);
}

static void a_full_connection_refuses_pieces_until_it_is_ready(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    p.queued = HTTP_UNSENT_MAX + 1;
    assert_err(http_answer_piece(p.stream, BYTES_LIT("x")), ERR_LIMIT);
    settle(&p);
    assert_int_equal(p.ready, 0);
    p.queued = HTTP_UNSENT_MAX;
    p.again = true;
    settle(&p);
    assert_int_equal(p.ready, 1);
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("x")));
    p.room = 0; /* the piece is taken whole even where the host has no room */
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("y")));
    assert_err(http_answer_piece(p.stream, BYTES_LIT("z")), ERR_LIMIT);
    p.room = SIZE_MAX;
    settle(&p);
    assert_int_equal(p.ready, 2);
    http_answer_end(p.stream);
    settle(&p);
    assert_non_null(strstr(got(&p), "1\r\nx\r\n1\r\ny\r\n0\r\n\r\n"));
    peer_end(&p);
}

static void a_stream_behind_another_answer_waits_for_ready(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\nGET /stream HTTP/1.1\r\n" HOST "\r\n");
    assert_err(http_answer_piece(p.stream, BYTES_LIT("x")), ERR_LIMIT);
    settle(&p);
    assert_int_equal(p.ready, 0);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT("kept"));
    settle(&p);
    assert_int_equal(p.ready, 1);
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("x")));
    http_answer_end(p.stream);
    settle(&p);
    peer_end(&p);
}

static void a_large_answer_waits_for_room(void **state)
{
    enum { SIZE = 100000 };
    struct peer p;
    uint8_t *body = calloc(1, SIZE);

    (void)state;
    memset(body, 'b', SIZE);
    peer_begin(&p);
    say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    p.room = 1000;
    http_answer(p.kept[0], 200, NULL, (struct bytes){ body, SIZE });
    settle(&p);
    assert_int_equal(p.got.len, 1000);
    say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n"); /* not begun while octets wait */
    assert_true(p.held);
    assert_int_equal(p.site.counters.requests, 1);
    p.room = SIZE_MAX;
    p.again = true;
    settle(&p);
    assert_true(p.got.len > SIZE);
    assert_int_equal(p.site.counters.requests, 2);
    assert_false(p.held);
    free(body);
    peer_end(&p);
}

/* ---- pieces of a body ---- */

static void pieces_come_as_they_arrive_then_the_end(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc");
    assert_int_equal(p.pieces, 1);
    say(&p, "def");
    assert_int_equal(p.pieces, 3);
    assert_non_null(strstr(got(&p), "\r\n\r\n6"));
    say(&p, "POST /pieces HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(p.pieces, 4);
    assert_false(p.closed);
    peer_end(&p);
}

static void an_error_from_a_piece_answers_and_closes(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    p.piece_answer = (err){ ERR_LIMIT };
    say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc");
    const char *answer = got(&p);
    assert_int_equal(status_of(answer), 413);
    assert_non_null(strstr(answer, "no more"));
    assert_true(p.closed);
    assert_int_equal(p.lost_count, 0);
    peer_end(&p);
}

static void an_answer_before_the_end_of_the_body_closes(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    p.piece_answers_early = true;
    say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc");
    const char *answer = got(&p);
    assert_int_equal(status_of(answer), 202);
    assert_non_null(strstr(answer, "Connection: close"));
    assert_true(p.closed);
    peer_end(&p);
    peer_begin(&p);
    p.piece_answers_early = true;
    say(&p, "POST /pieces HTTP/1.1\r\n" HOST "\r\n"); /* by the last piece: the body is whole */
    assert_int_equal(status_of(got(&p)), 202);
    assert_false(p.closed);
    peer_end(&p);
}

static void malformed_rest_of_a_body_takes_the_exchange_back(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert_int_equal(p.pieces, 1);
    say(&p, "zzz");
    assert_int_equal(status_of(got(&p)), 400);
    assert_int_equal(p.lost_count, 1);
    peer_end(&p);
}

/* ---- stopping ---- */

static void a_stopping_server_closes_behind_the_answer(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    p.site.stopping = true;
    http_conn_stop(&p.conn);
    assert_false(p.closed);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT("last"));
    settle(&p);
    assert_non_null(strstr(got(&p), "Connection: close\r\n"));
    assert_true(p.closed);
    peer_end(&p);
    peer_begin(&p);
    p.site.stopping = true;
    http_conn_stop(&p.conn);
    assert_true(p.closed);
    peer_end(&p);
}

static void full_memory_aborts_and_never_crashes(void **state)
{
    bool served_once = false;

    (void)state;
    for (long i = 0; i < 30 && !served_once; i++) {
        struct peer p;
        peer_begin(&p);
        assert_ok(buf_reserve(&p.got, 4096));
        mem_fail_after(i);
        http_conn_octets(&p.conn, p.now_us, BYTES_LIT("POST /echo HTTP/1.1\r\n" HOST));
        http_conn_octets(&p.conn, p.now_us, BYTES_LIT("Content-Length: 2\r\n\r\na"));
        http_conn_octets(&p.conn, p.now_us, BYTES_LIT("b"));
        mem_fail_after(-1);
        served_once = p.got.len > 0 && status_of(got(&p)) == 200;
        assert_true(served_once || p.aborted || p.closed);
        peer_end(&p);
    }
    assert_true(served_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(bare_line_feeds_are_refused),
        cmocka_unit_test(folded_lines_are_refused),
        cmocka_unit_test(blanks_in_or_after_names_are_refused),
        cmocka_unit_test(empty_lines_before_the_request_are_refused),
        cmocka_unit_test(octets_above_ascii_are_refused),
        cmocka_unit_test(control_octets_and_empty_names_are_refused),
        cmocka_unit_test(two_blanks_in_the_request_line_are_refused),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(fragments_and_absolute_targets_are_refused),
        cmocka_unit_test(exactly_one_host_is_wanted),
        cmocka_unit_test(lengths_have_one_spelling),
        cmocka_unit_test(length_and_chunks_together_are_refused),
        cmocka_unit_test(other_codings_are_not_implemented),
        cmocka_unit_test(connect_and_options_star_are_refused),
        cmocka_unit_test(upgrade_is_ignored),
        cmocka_unit_test(unknown_methods_are_not_implemented),
        cmocka_unit_test(a_target_may_have_4096_octets_and_no_more),
        cmocka_unit_test(a_header_line_may_have_8192_octets_and_no_more),
        cmocka_unit_test(a_head_may_have_64_headers_and_no_more),
        cmocka_unit_test(a_head_may_have_16384_octets_and_no_more),
        cmocka_unit_test(a_body_above_the_bound_of_its_route_is_refused),
        cmocka_unit_test(chunks_are_put_together),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(extensions_trailers_and_overhead_are_bounded),
        cmocka_unit_test(head_has_the_length_but_no_body),
        cmocka_unit_test(no_content_has_no_body_and_no_length),
        cmocka_unit_test(a_method_the_route_lacks_is_refused_with_allow),
        cmocka_unit_test(an_unknown_path_is_missing_and_never_echoed),
        cmocka_unit_test(parts_of_path_and_query_are_decoded),
        cmocka_unit_test(bad_escapes_and_doubled_names_are_refused),
        cmocka_unit_test(near_paths_do_not_match),
        cmocka_unit_test(errors_have_a_status_each_and_escaped_texts),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(sixteen_requests_may_be_outstanding_the_rest_waits),
        cmocka_unit_test(nothing_is_read_after_connection_close),
        cmocka_unit_test(a_connection_serves_ten_thousand_requests),
        cmocka_unit_test(continue_is_said_after_the_head_is_checked),
        cmocka_unit_test(continue_waits_for_earlier_answers),
        cmocka_unit_test(handlers_hear_of_connections_that_are_gone),
        cmocka_unit_test(an_idle_connection_is_closed_after_60_s),
        cmocka_unit_test(a_head_that_trickles_is_cut_after_10_s),
        cmocka_unit_test(a_body_that_trickles_is_cut_after_60_s),
        cmocka_unit_test(a_handler_may_take_its_time),
        cmocka_unit_test(a_peer_that_takes_no_answer_is_cut_off),
        cmocka_unit_test(a_streamed_answer_is_chunked),
        cmocka_unit_test(a_streamed_answer_to_head_has_no_body),
        cmocka_unit_test(a_full_connection_refuses_pieces_until_it_is_ready),
        cmocka_unit_test(a_stream_behind_another_answer_waits_for_ready),
        cmocka_unit_test(a_large_answer_waits_for_room),
        cmocka_unit_test(pieces_come_as_they_arrive_then_the_end),
        cmocka_unit_test(an_error_from_a_piece_answers_and_closes),
        cmocka_unit_test(an_answer_before_the_end_of_the_body_closes),
        cmocka_unit_test(malformed_rest_of_a_body_takes_the_exchange_back),
        cmocka_unit_test(a_stopping_server_closes_behind_the_answer),
        cmocka_unit_test(full_memory_aborts_and_never_crashes),
    };
    return cmocka_run_group_tests_name("http_conn", tests, NULL, NULL);
}
