/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a connection: order, deadlines, its end. */
#include "lib/net/http_conn_fixture.h"

/* ---- the connection ---- */

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n"
            "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab");
    assert_int_equal(p.got.len, 0);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT("kept"));
    peer_settle(&p);
    const char *answers = peer_got(&p);
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
        peer_say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    }
    assert_false(p.held);
    peer_say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\nGET /keep HTTP/1.1\r\n" HOST "\r\n");
    assert_true(p.held);
    assert_int_equal(p.kept_count, HTTP_PIPELINE_MAX);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT(""));
    assert_int_equal(p.kept_count, HTTP_PIPELINE_MAX); /* never from inside the answer */
    peer_settle(&p);
    assert_int_equal(p.kept_count, HTTP_PIPELINE_MAX + 1);
    assert_false(p.held);
    peer_end(&p);
}

static void nothing_is_read_after_connection_close(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /hello HTTP/1.1\r\n" HOST "Connection: keep-alive, Close\r\n\r\n"
            "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    const char *answer = peer_got(&p);
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
        peer_say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        buf_clear(&p.got);
    }
    assert_false(p.closed);
    peer_say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(peer_got(&p), "Connection: close\r\n"));
    assert_true(p.closed);
    peer_end(&p);
}

static void continue_is_said_after_the_head_is_checked(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n");
    assert_string_equal(peer_got(&p), "HTTP/1.1 100 Continue\r\n\r\n");
    peer_say(&p, "ab");
    assert_int_equal(answer_status(peer_got(&p)), 200);
    peer_end(&p);
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65\r\nExpect: 100-continue\r\n\r\n", 413);
    assert_refused("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: more\r\n\r\nab", 417);
    assert_served("GET /hello HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n", 200, "hello");
}

static void continue_waits_for_earlier_answers(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n"
            "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(p.got.len, 0);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT("kept"));
    peer_settle(&p);
    const char *answers = peer_got(&p);
    assert_true(strstr(answers, "kept") < strstr(answers, "100 Continue"));
    peer_end(&p);
}

static void handlers_hear_of_connections_that_are_gone(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\nGET /keep HTTP/1.1\r\n" HOST "\r\n"
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
    peer_settle(p);
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
    peer_say(&p, "GET /hello HT");
    tick_after(&p, 9000000);
    peer_say(&p, "TP/1.1\r\n");
    assert_false(p.closed);
    tick_after(&p, 1000000); /* absolute: more octets do not help */
    assert_int_equal(answer_status(peer_got(&p)), 408);
    assert_true(p.closed);
    peer_end(&p);
}

static void a_body_that_trickles_is_cut_after_60_s(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "POST /pieces HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n");
    for (int i = 0; i < 59; i++) {
        tick_after(&p, 1000000);
        peer_say(&p, "a");
    }
    assert_false(p.closed);
    tick_after(&p, 1000000);
    assert_int_equal(answer_status(peer_got(&p)), 408);
    assert_int_equal(p.lost_count, 1);
    peer_end(&p);
}

static void a_handler_may_take_its_time(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 10; i++) {
        tick_after(&p, 60000000);
    }
    assert_false(p.closed || p.aborted);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT("late"));
    peer_settle(&p);
    assert_int_equal(answer_status(peer_got(&p)), 200);
    assert_int_equal(http_conn_deadline(&p.conn), p.now_us + 60000000);
    peer_end(&p);
}

static void a_peer_that_takes_no_answer_is_cut_off(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    p.queued = 100;
    peer_say(&p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    tick_after(&p, 30000000);
    p.queued = 50; /* it took some */
    p.again = true;
    peer_settle(&p);
    tick_after(&p, 59000000);
    assert_false(p.aborted);
    tick_after(&p, 1000000);
    assert_true(p.aborted);
    peer_end(&p);
}

/* ---- stopping ---- */

static void a_stopping_server_closes_behind_the_answer(void **state)
{
    struct peer p;

    (void)state;
    peer_begin(&p);
    peer_say(&p, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    p.site.stopping = true;
    http_conn_stop(&p.conn);
    assert_false(p.closed);
    http_answer(p.kept[0], 200, NULL, BYTES_LIT("last"));
    peer_settle(&p);
    assert_non_null(strstr(peer_got(&p), "Connection: close\r\n"));
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
        served_once = p.got.len > 0 && answer_status(peer_got(&p)) == 200;
        assert_true(served_once || p.aborted || p.closed);
        peer_end(&p);
    }
    assert_true(served_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        cmocka_unit_test(a_stopping_server_closes_behind_the_answer),
        cmocka_unit_test(full_memory_aborts_and_never_crashes),
    };
    return cmocka_run_group_tests_name("http_conn", tests, NULL, NULL);
}
