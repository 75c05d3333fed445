/* SPDX-License-Identifier: Apache-2.0 */
/* What a request may look like: heads, bounds, chunks. The rules are in docs/style.md, "HTTP". */
#include "lib/net/http_conn_fixture.h"

/* ---- heads ---- */

static void a_request_is_answered(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(peer_got(&p), "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n"
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
    assert_refused("GET /hello HTTP/1.1\nHost: a\r\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\nHost: a\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\nHost: a\r\n\n", 400);
}

static void folded_lines_are_refused(void **state)
{
    (void)state;
    assert_refused("GET /hello HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400);
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length:\r\n 2\r\n\r\nab", 400);
    assert_refused("GET /hello HTTP/1.1\r\n\tHost: a\r\n\r\n", 400);
}

static void blanks_in_or_after_names_are_refused(void **state)
{
    (void)state;
    assert_refused("GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\nHo st: a\r\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\nHost\t: a\r\n\r\n", 400);
}

static void empty_lines_before_the_request_are_refused(void **state)
{
    (void)state;
    assert_refused("\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("\nGET /hello HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused(" GET /hello HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void octets_above_ascii_are_refused(void **state)
{
    (void)state;
    assert_refused("GET /hell\xc3\xb6 HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\n" HOST "X: \xff\r\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\n" HOST "X\x80: a\r\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n", 400);
}

static void control_octets_and_empty_names_are_refused(void **state)
{
    struct peer p;

    (void)state;
    assert_refused("GET /hello HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400);
    assert_refused("GET /he\tllo HTTP/1.1\r\n" HOST "\r\n", 400);
    peer_begin(&p);
    peer_say_octets(&p, BYTES_LIT("GET /hello HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"));
    assert_int_equal(answer_status(peer_got(&p)), 400);
    peer_end(&p);
}

static void two_blanks_in_the_request_line_are_refused(void **state)
{
    (void)state;
    assert_refused("GET  /hello HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /hello  HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /hello HTTP/1.1 \r\n" HOST "\r\n", 400);
}

static void other_versions_are_refused(void **state)
{
    (void)state;
    assert_refused("GET /hello\r\n" HOST "\r\n", 400);
    assert_refused("GET /hello HTTP/1.2\r\n" HOST "\r\n", 505);
    assert_refused("GET /hello HTTP/2.0\r\n" HOST "\r\n", 505);
    assert_refused("GET /hello HTTP/1.0\r\n" HOST "\r\n", 505);
    assert_refused("POST /echo HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 505);
    assert_refused("GET /hello HTTP/1.10\r\n" HOST "\r\n", 400);
    assert_refused("GET /hello http/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /hello XTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400);
}

static void fragments_and_absolute_targets_are_refused(void **state)
{
    (void)state;
    assert_refused("GET /hello#x HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET http://a/hello HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET hello HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void exactly_one_host_is_wanted(void **state)
{
    (void)state;
    assert_refused("GET /hello HTTP/1.1\r\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\n" HOST HOST "\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\n" HOST "host: b\r\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\nHost:\r\n\r\n", 400);
    assert_refused("GET /hello HTTP/1.1\r\nHost: a, b\r\n\r\n", 400);
    assert_served("GET /hello HTTP/1.1\r\nHOST:a:8443\r\n\r\n", 200, "hello");
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
        assert_refused(request, 400);
    }
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400);
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\ncontent-length: 3\r\n\r\nab", 400);
    assert_served("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab", 200, "ab");
    assert_served("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, "");
    assert_served("POST /echo HTTP/1.1\r\n" HOST "\r\n", 200, "");
}

static void length_and_chunks_together_are_refused(void **state)
{
    (void)state;
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\n", 400);
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
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
        assert_refused(request, 501);
    }
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501);
    assert_served("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: CHUNKED\r\n\r\n2\r\nab\r\n0\r\n\r\n",
           200, "ab");
}

static void connect_and_options_star_are_refused(void **state)
{
    (void)state;
    assert_refused("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void upgrade_is_ignored(void **state)
{
    (void)state;
    assert_served("GET /hello HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 200,
           "hello");
    assert_served("GET /hello HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200,
           "hello");
}

static void unknown_methods_are_not_implemented(void **state)
{
    (void)state;
    assert_refused("get /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    assert_refused("BREW /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    assert_refused("GETT /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    assert_refused("M-SEARCH /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    assert_refused("TRACE /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    assert_refused("PROPFIND /hello HTTP/1.1\r\n" HOST "\r\n", 501);
    assert_refused("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 501);
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
    assert_served(fits, 200, "hello");
    assert_refused(over, 414);
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
    assert_served(fits, 200, "hello");
    assert_refused(over, 431);
    assert_refused(name, 431);
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
    assert_served(request, 200, "hello");
    headers_of(HTTP_HEADER_COUNT_MAX, request, sizeof request);
    assert_refused(request, 431);
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
    assert_served(fits, 200, "hello");
    assert_refused(over, 431);
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
    assert_served(fits, 200, want);
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65\r\n\r\n", 413);
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9999999999\r\n\r\n", 413);
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n41\r\n"
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n0\r\n\r\n", 413);
    free(fits);
    free(want);
}

/* ---- chunks ---- */

#define CHUNKED "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static void chunks_are_put_together(void **state)
{
    (void)state;
    assert_served(CHUNKED "2\r\nab\r\n03\r\ncde\r\n0\r\n\r\n", 200, "abcde");
    assert_served(CHUNKED "A\r\n0123456789\r\n00000000\r\n\r\n", 200, "0123456789");
    assert_served(CHUNKED "0\r\n\r\n", 200, "");
    assert_served(CHUNKED "2;name=value\r\nab\r\n0;x\r\n\r\n", 200, "ab");
    assert_served(CHUNKED "2\r\nab\r\n0\r\nTrailer: dropped\r\nContent-Length: 9\r\n\r\n", 200, "ab");
}

static void malformed_chunks_are_refused(void **state)
{
    (void)state;
    assert_refused(CHUNKED "2\r\nabXX0\r\n\r\n", 400);
    assert_refused(CHUNKED "2\r\nabc\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "2 xyz\r\nab\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "2 \r\nab\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED " 2\r\nab\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "0x2\r\nab\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "-2\r\nab\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "\r\nab\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "g\r\nab\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "2\nab\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "2\r\nab\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "000000002\r\nab\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "2;\x01\r\nab\r\n0\r\n\r\n", 400);
    assert_refused(CHUNKED "0\r\nbad trailer: x\r\n\r\n", 400);
    assert_refused(CHUNKED "0\r\n: x\r\n\r\n", 400);
    assert_refused(CHUNKED "0\r\n folded\r\n\r\n", 400);
    assert_refused(CHUNKED "0\r\n\rX", 400);
}

static void extensions_trailers_and_overhead_are_bounded(void **state)
{
    char *fits = text_of(CHUNKED "2;", 'e', HTTP_CHUNK_EXTENSION_MAX, "\r\nab\r\n0\r\n\r\n");
    char *over = text_of(CHUNKED "2;", 'e', HTTP_CHUNK_EXTENSION_MAX + 1, "\r\nab\r\n0\r\n\r\n");
    char *trailers = text_of(CHUNKED "0\r\nT: ", 't', HTTP_TRAILER_BYTES_MAX, "\r\n\r\n");
    struct peer p;

    (void)state;
    assert_served(fits, 200, "ab");
    assert_refused(over, 400);
    assert_refused(trailers, 400);
    free(fits);
    free(over);
    free(trailers);
    /* Chunks of one octet, each with an extension: more framing than 16 KiB and the data. */
    peer_begin(&p);
    peer_say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 900 && !p.closed; i++) {
        peer_say(&p, "1;xxxxxxxxxxxxxxxxxxxxx\r\na\r\n");
    }
    assert_true(p.closed);
    assert_int_equal(answer_status(peer_got(&p)), 400);
    peer_end(&p);
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
    };
    return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
