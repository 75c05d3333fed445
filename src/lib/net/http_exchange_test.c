/* SPDX-License-Identifier: Apache-2.0 */
/* Answers, whole and streamed, and bodies that come in pieces. */
#include "lib/net/http_conn_fixture.h"

/* ---- answers ---- */

static void head_has_the_length_but_no_body(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "HEAD /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(peer_got(&p), "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n"
                                 "Content-Length: 5\r\n\r\n");
    peer_end(&p);
}

static void no_content_has_no_body_and_no_length(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "PUT /v1/kv/s/k HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nv");
    assert_string_equal(peer_got(&p), "HTTP/1.1 204 No Content\r\n" DATE "ETag: \"7\"\r\n\r\n");
    peer_end(&p);
}

static void a_method_the_route_lacks_is_refused_with_allow(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "DELETE /v1/kv/s/k HTTP/1.1\r\n" HOST "\r\n");
    const char *answer = peer_got(&p);
    assert_int_equal(answer_status(answer), 405);
    assert_non_null(strstr(answer, "Allow: PUT, GET, HEAD\r\n"));
    assert_false(p.closed);
    peer_end(&p);
    assert_refused("DELETE /hello HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 405);
}

static void an_unknown_path_is_missing_and_never_echoed(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /secret-path HTTP/1.1\r\n" HOST "\r\n");
    const char *answer = peer_got(&p);
    assert_int_equal(answer_status(answer), 404);
    assert_null(strstr(answer, "secret-path"));
    assert_non_null(strstr(answer, "{\"error\":{\"code\":\"missing\",\"message\":"));
    assert_false(p.closed);
    peer_say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer_status(peer_got(&p)), 200);
    peer_end(&p);
    assert_refused("POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 404);
    assert_refused("GET /<script> HTTP/1.1\r\nX: <script>\r\n\r\n", 400);
}

static void parts_of_path_and_query_are_decoded(void **state)
{
    (void)state;
    assert_served("GET /v1/kv/a%2Fb/k%20%25?x=1&limit=%31%30 HTTP/1.1\r\n" HOST "\r\n", 200, "a/b|k %|10");
    assert_served("GET /v1/kv/s/k?limit HTTP/1.1\r\n" HOST "\r\n", 200, "s|k|");
    assert_served("GET /v1/kv/s/k HTTP/1.1\r\n" HOST "\r\n", 200, "s|k|none");
    assert_served("GET /all/s/a/b//c HTTP/1.1\r\n" HOST "\r\n", 200, "s|a/b//c|none");
    assert_served("GET /all/s/ HTTP/1.1\r\n" HOST "\r\n", 200, "s||none");
    assert_served("GET /v1/kv/s/+ HTTP/1.1\r\n" HOST "\r\n", 200, "s|+|none");
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
        peer_say(&p, request);
        assert_int_equal(answer_status(peer_got(&p)), 400);
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
        peer_say(&p, request);
        if (answer_status(peer_got(&p)) != 404) {
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
    peer_say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    err_set("test", 0, "a \"quoted\\\" text\n");
    http_answer_error(p.kept[0], (err){ ERR_LIMIT });
    peer_settle(&p);
    const char *answer = peer_got(&p);
    assert_non_null(strstr(answer, "{\"error\":{\"code\":\"limit\",\"message\":"
                                   "\"a \\\"quoted\\\\\\\" text?\"}}\n"));
    peer_end(&p);
}

/* ---- streamed answers ---- */

static void a_streamed_answer_is_chunked(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("0123456789abcdef")));
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("")));
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("x")));
    http_answer_end(p.stream);
    peer_settle(&p);
    assert_string_equal(peer_got(&p), "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n"
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
    peer_say(&p, "HEAD /stream HTTP/1.1\r\n" HOST "\r\n");
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("x")));
    http_answer_end(p.stream);
    peer_settle(&p);
    const char *answer = peer_got(&p);
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    peer_end(&p);
}

static void a_full_connection_refuses_pieces_until_it_is_ready(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    p.queued = HTTP_UNSENT_MAX + 1;
    assert_err(http_answer_piece(p.stream, BYTES_LIT("x")), ERR_LIMIT);
    peer_settle(&p);
    assert_int_equal(p.ready, 0);
    p.queued = HTTP_UNSENT_MAX;
    p.again = true;
    peer_settle(&p);
    assert_int_equal(p.ready, 1);
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("x")));
    p.room = 0; /* the piece is taken whole even where the host has no room */
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("y")));
    assert_err(http_answer_piece(p.stream, BYTES_LIT("z")), ERR_LIMIT);
    p.room = SIZE_MAX;
    peer_settle(&p);
    assert_int_equal(p.ready, 2);
    http_answer_end(p.stream);
    peer_settle(&p);
    assert_non_null(strstr(peer_got(&p), "1\r\nx\r\n1\r\ny\r\n0\r\n\r\n"));
    peer_end(&p);
}

static void a_stream_behind_another_answer_waits_for_ready(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\nGET /stream HTTP/1.1\r\n" HOST "\r\n");
    assert_err(http_answer_piece(p.stream, BYTES_LIT("x")), ERR_LIMIT);
    peer_settle(&p);
    assert_int_equal(p.ready, 0);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT("kept"));
    peer_settle(&p);
    assert_int_equal(p.ready, 1);
    assert_ok(http_answer_piece(p.stream, BYTES_LIT("x")));
    http_answer_end(p.stream);
    peer_settle(&p);
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
    peer_say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    p.room = 1000;
    http_answer(p.kept[0], 200, NULL, (struct bytes){ body, SIZE });
    peer_settle(&p);
    assert_int_equal(p.got.len, 1000);
    peer_say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n"); /* not begun while octets wait */
    assert_true(p.held);
    assert_int_equal(p.site.counters.requests, 1);
    p.room = SIZE_MAX;
    p.again = true;
    peer_settle(&p);
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
    peer_say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc");
    assert_int_equal(p.pieces, 1);
    peer_say(&p, "def");
    assert_int_equal(p.pieces, 3);
    assert_non_null(strstr(peer_got(&p), "\r\n\r\n6"));
    peer_say(&p, "POST /pieces HTTP/1.1\r\n" HOST "\r\n");
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
    peer_say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc");
    const char *answer = peer_got(&p);
    assert_int_equal(answer_status(answer), 413);
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
    peer_say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc");
    const char *answer = peer_got(&p);
    assert_int_equal(answer_status(answer), 202);
    assert_non_null(strstr(answer, "Connection: close"));
    assert_true(p.closed);
    peer_end(&p);
    peer_begin(&p);
    p.piece_answers_early = true;
    peer_say(&p, "POST /pieces HTTP/1.1\r\n" HOST "\r\n"); /* by the last piece: the body is whole */
    assert_int_equal(answer_status(peer_got(&p)), 202);
    assert_false(p.closed);
    peer_end(&p);
}

static void malformed_rest_of_a_body_takes_the_exchange_back(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert_int_equal(p.pieces, 1);
    peer_say(&p, "zzz");
    assert_int_equal(answer_status(peer_got(&p)), 400);
    assert_int_equal(p.lost_count, 1);
    peer_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_has_the_length_but_no_body),
        cmocka_unit_test(no_content_has_no_body_and_no_length),
        cmocka_unit_test(a_method_the_route_lacks_is_refused_with_allow),
        cmocka_unit_test(an_unknown_path_is_missing_and_never_echoed),
        cmocka_unit_test(parts_of_path_and_query_are_decoded),
        cmocka_unit_test(bad_escapes_and_doubled_names_are_refused),
        cmocka_unit_test(near_paths_do_not_match),
        cmocka_unit_test(errors_have_a_status_each_and_escaped_texts),
        cmocka_unit_test(a_streamed_answer_is_chunked),
        cmocka_unit_test(a_streamed_answer_to_head_has_no_body),
        cmocka_unit_test(a_full_connection_refuses_pieces_until_it_is_ready),
        cmocka_unit_test(a_stream_behind_another_answer_waits_for_ready),
        cmocka_unit_test(a_large_answer_waits_for_room),
        cmocka_unit_test(pieces_come_as_they_arrive_then_the_end),
        cmocka_unit_test(an_error_from_a_piece_answers_and_closes),
        cmocka_unit_test(an_answer_before_the_end_of_the_body_closes),
        cmocka_unit_test(malformed_rest_of_a_body_takes_the_exchange_back),
    };
    return cmocka_run_group_tests_name("http_exchange", tests, NULL, NULL);
}
