/* SPDX-License-Identifier: Apache-2.0 */
/* POST /sql over TLS on loopback, by our client, with the store in memory behind it. */
#include "store/sql/route.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/client/sql.h"
#include "lib/net/test_pki.h"
#include "lib/wire/json_read.h"
#include "store/sql/fake_store.h"

#define PUMP_US 500

static struct test_pki pki;
static char reader_key[128], admin_key[128];

struct world {
    struct loop *loop;
    struct tls *tls;
    struct fake_store store;
    bool store_hangs;
    struct sql_engine *engine;
    struct api_keys *keys;
    struct access_roles roles;
    struct sql_route route;
    struct http_server *server;
    struct http_client *http;
    struct sql_client *sql;
    struct loop_timer pump, guard;
    char url[64];
    /* the newest answer */
    unsigned status;
    struct buf body;
    err e;
    char sqlstate[8];
    int64_t affected;
    json_t *rows;
};

static uint64_t now_us(void *loop)
{
    return loop_now_us(loop);
}

static void on_pump(void *arg)
{
    struct world *w = arg;

    if (!w->store_hangs) {
        fake_store_run(&w->store);
    }
    assert_ok(loop_timer_at(&w->pump, loop_now_us(w->loop) + PUMP_US));
}

static void too_long(void *arg)
{
    (void)arg;
    fail_msg("the test takes too long");
}

static struct http_client_options options_of(const struct world *w, const char *role,
                                             const char *key_file)
{
    struct http_client_options o = { .base_url = w->url };

    if (role != NULL) {
        o.tls = test_pki_files(&pki, role);
    }
    o.tls.ca = test_pki_path(&pki, "ca.pem");
    o.bearer_file = key_file;
    return o;
}

static void client_begin(struct world *w, const char *role, const char *key_file)
{
    struct http_client_options o = options_of(w, role, key_file);

    http_client_free(w->http);
    sql_client_free(w->sql);
    assert_ok(http_client_new(w->loop, &o, &w->http));
    assert_ok(sql_client_new(w->loop, &o, &w->sql));
}

static int world_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct tls_files files = test_pki_files(&pki, "sql");

    w->body.max = 64u << 20;
    assert_ok(loop_new(&w->loop));
    assert_ok(tls_new(&files, &w->tls));
    fake_store_init(&w->store);
    struct sql_engine_options engine = {
        .store = fake_store_of(&w->store),
        .limits = { .rows_max = 20000, .statements_max = 4, .time_us = 10000000 },
        .now_us = now_us,
        .clock = w->loop,
    };
    assert_ok(sql_engine_new(&engine, &w->engine));
    assert_ok(api_keys_load(test_pki_path(&pki, "api.keys"), &w->keys));
    assert_ok(access_roles_parse("collector=read,write,admin billing=read", &w->roles));
    w->route = (struct sql_route){ .engine = w->engine, .keys = w->keys, .roles = &w->roles };
    struct http_server_options server = {
        .stream = { .tls = w->tls, .peer_optional = true },
        .routes = sql_routes,
        .arg = &w->route,
        .gone = sql_route_gone,
    };
    assert_ok(http_server_start(w->loop, "127.0.0.1:0", &server, &w->server));
    snprintf(w->url, sizeof w->url, "https://127.0.0.1:%u", http_server_port(w->server));
    loop_timer_init(&w->guard, w->loop, too_long, w);
    assert_ok(loop_timer_at(&w->guard, loop_now_us(w->loop) + 20000000));
    loop_timer_init(&w->pump, w->loop, on_pump, w);
    assert_ok(loop_timer_at(&w->pump, loop_now_us(w->loop) + PUMP_US));
    client_begin(w, "collector", NULL);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    loop_timer_cancel(&w->guard);
    loop_timer_cancel(&w->pump);
    http_client_free(w->http);
    sql_client_free(w->sql);
    http_server_free(w->server);
    fake_store_run(&w->store);
    sql_engine_free(w->engine);
    fake_store_done(&w->store);
    api_keys_free(w->keys);
    loop_free(w->loop);
    tls_free(w->tls);
    buf_done(&w->body);
    json_decref(w->rows);
    free(w);
    return 0;
}

/* --- one statement by the SQL client --- */

static void on_answer(void *arg, err e, const struct sql_answer *answer)
{
    struct world *w = arg;

    w->e = e;
    snprintf(w->sqlstate, sizeof w->sqlstate, "%s", answer->sqlstate);
    w->affected = answer->affected;
    json_decref(w->rows);
    w->rows = answer->rows != NULL ? json_deep_copy(answer->rows) : NULL;
    loop_stop(w->loop);
}

static void run(struct world *w, const char *sql, const char *params)
{
    assert_ok(sql_send(w->sql, bytes_of_string(sql), bytes_of_string(params), on_answer, w));
    assert_ok(loop_run(w->loop));
}

static void assert_done(struct world *w, const char *sql, int64_t affected)
{
    run(w, sql, "");
    if (w->e.code) {
        fail_msg("%s: %s %s", sql, w->sqlstate, err_text());
    }
    assert_int_equal(w->affected, affected);
}

/* --- one body as it is --- */

static void on_http(void *arg, err e, const struct http_answer *answer)
{
    struct world *w = arg;

    assert_int_equal(e.code, ERR_NONE);
    w->status = answer->status;
    buf_clear(&w->body);
    assert_ok(buf_append(&w->body, answer->body));
    assert_ok(buf_u8(&w->body, 0));
    loop_stop(w->loop);
}

static const char *post(struct world *w, const char *body)
{
    struct http_call call = { .method = "POST", .target = "/sql",
                              .content_type = "application/json",
                              .body = bytes_of_string(body) };

    assert_ok(http_client_send(w->http, &call, on_http, w));
    assert_ok(loop_run(w->loop));
    return (const char *)w->body.ptr;
}

static void assert_post_refused(struct world *w, const char *body, unsigned status,
                                const char *code)
{
    char want[32];
    const char *text = post(w, body);

    snprintf(want, sizeof want, "{\"error\":{\"code\":\"%s\"", code);
    if (w->status != status || strncmp(text, want, strlen(want)) != 0) {
        fail_msg("%s: %u %s", body, w->status, text);
    }
}

/* --- tests --- */

static void statements_go_through_client_server_and_back(void **state)
{
    struct world *w = *state;

    assert_done(w, "CREATE TABLE t (k int8 PRIMARY KEY, v text)", 0);
    assert_done(w, "INSERT INTO t VALUES (1, 'a'), (2, 'say \"b\"')", 2);
    assert_done(w, "SELECT * FROM t", 2);
    char *text = json_dumps(w->rows, JSON_COMPACT);
    assert_string_equal(text, "[[1,\"a\"],[2,\"say \\\"b\\\"\"]]");
    free(text);
    run(w, "INSERT INTO t VALUES ($1, $2)", "[3, null]");
    assert_int_equal(w->e.code, ERR_NONE);
    assert_int_equal(w->affected, 1);
}

static void refusals_carry_their_sqlstate(void **state)
{
    struct world *w = *state;

    assert_done(w, "CREATE TABLE t (k int8 PRIMARY KEY)", 0);
    assert_done(w, "INSERT INTO t VALUES (1)", 1);
    run(w, "INSERT INTO t VALUES (1)", "");
    assert_int_equal(w->e.code, ERR_CONFLICT);
    assert_string_equal(w->sqlstate, "23505");
    run(w, "SELECT x FROM t", "");
    assert_int_equal(w->e.code, ERR_PROTO);
    assert_string_equal(w->sqlstate, "42703");
    run(w, "BEGIN", "");
    assert_string_equal(w->sqlstate, "0A000");
    w->store.fail_in = 0;
    run(w, "INSERT INTO t VALUES (2)", "");
    assert_int_equal(w->e.code, ERR_IO);
    assert_string_equal(w->sqlstate, "58030");
}

static void errors_have_status_code_message_and_position(void **state)
{
    struct world *w = *state;

    assert_string_equal(post(w, "{\"sql\":\"SELECT \xc3\xa9 FROM\"}"),
                        "{\"error\":{\"code\":\"42601\",\"message\":\"syntax error at end of "
                        "input\",\"position\":14}}");
    assert_int_equal(w->status, 400);
    assert_post_refused(w, "{\"sql\":\"SELECT 1 FROM t; SELECT 2 FROM t\"}", 400, "0A000");
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES; SHOW TABLES\"}", 400, "42601");
}

static void a_body_that_is_not_as_documented_is_refused(void **state)
{
    struct world *w = *state;

    assert_post_refused(w, "", 400, "22023");
    assert_post_refused(w, "[]", 400, "22023");
    assert_post_refused(w, "{}", 400, "22023");
    assert_post_refused(w, "{\"sql\":1}", 400, "22023");
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\",\"sql\":\"SHOW TABLES\"}", 400, "22023");
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\",\"more\":1}", 400, "22023");
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\",\"params\":{}}", 400, "22023");
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\",\"params\":[[]]}", 400, "22023");
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\",\"types\":[1]}", 400, "22023");
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\",\"max_rows\":0}", 400, "22023");
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\",\"max_rows\":1000001}", 400, "22023");
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\",\"int8\":\"text\"}", 400, "22023");
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\",\"params\":[[[[[[[[1]]]]]]]]}", 400, "22023");
    post(w, "{\"sql\":\"SHOW TABLES\",\"params\":null,\"types\":[\"int8\"],\"max_rows\":1,"
            "\"next\":null,\"int8\":\"number\"}");
    assert_int_equal(w->status, 200);
}

static void numbers_come_as_text_for_those_who_ask(void **state)
{
    struct world *w = *state;

    assert_done(w, "CREATE TABLE t (k int8 PRIMARY KEY, v int4)", 0);
    assert_done(w, "INSERT INTO t VALUES (9007199254740993, 5)", 1);
    assert_non_null(strstr(post(w, "{\"sql\":\"SELECT k, v FROM t\",\"int8\":\"string\"}"),
                           "[[\"9007199254740993\",5]]"));
}

static void nobody_gets_in_without_key_or_role(void **state)
{
    struct world *w = *state;

    client_begin(w, NULL, NULL);
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\"}", 401, "28000");
    client_begin(w, "meter", NULL);
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\"}", 401, "28000");
    char bad[128];
    snprintf(bad, sizeof bad, "%s", test_pki_path(&pki, "bad.key"));
    client_begin(w, "collector", bad); /* a bad key is not made good by a certificate */
    assert_post_refused(w, "{\"sql\":\"SHOW TABLES\"}", 401, "28000");
    run(w, "SHOW TABLES", "");
    assert_int_equal(w->e.code, ERR_AUTH);
}

static void rights_are_those_of_the_key_or_the_role(void **state)
{
    struct world *w = *state;

    client_begin(w, NULL, admin_key);
    assert_done(w, "CREATE TABLE t (k int8 PRIMARY KEY)", 0);
    assert_done(w, "CREATE TABLE other (k int8 PRIMARY KEY)", 0);
    assert_done(w, "INSERT INTO t VALUES (1)", 1);
    client_begin(w, "billing", NULL);
    assert_done(w, "SELECT * FROM t", 1);
    assert_post_refused(w, "{\"sql\":\"DELETE FROM t\"}", 403, "42501");
    client_begin(w, NULL, reader_key); /* read on tables that begin with t */
    assert_done(w, "SELECT * FROM t", 1);
    assert_post_refused(w, "{\"sql\":\"SELECT * FROM other\"}", 403, "42501");
    assert_post_refused(w, "{\"sql\":\"SELECT * FROM none\"}", 403, "42501");
    assert_post_refused(w, "{\"sql\":\"INSERT INTO t VALUES (2)\"}", 403, "42501");
    assert_post_refused(w, "{\"sql\":\"DROP TABLE t\"}", 403, "42501");
    assert_non_null(strstr(post(w, "{\"sql\":\"SHOW TABLES\"}"), "[[\"t\"]]"));
}

/* 20,000 rows of 200 octets: far more than what waits in front of the connection. */
static void fill_long(struct world *w)
{
    AUTO(buf_done) struct buf sql = { .max = SQL_TEXT_BYTES_MAX };

    assert_done(w, "CREATE TABLE t (k int8 PRIMARY KEY, v text)", 0);
    for (int part = 0; part < 2; part++) {
        buf_clear(&sql);
        assert_ok(buf_string(&sql, "INSERT INTO t VALUES "));
        for (int i = 0; i < 10000; i++) {
            assert_ok(buf_printf(&sql, "%s(%d,'%0200d')", i > 0 ? "," : "", part * 10000 + i, i));
        }
        assert_ok(buf_u8(&sql, 0));
        assert_done(w, (const char *)sql.ptr, 10000);
    }
}

static void a_long_answer_is_streamed_whole(void **state)
{
    struct world *w = *state;

    fill_long(w);
    assert_done(w, "SELECT * FROM t", 20000);
    assert_int_equal(json_array_size(w->rows), 20000);
    assert_int_equal(json_integer_value(json_array_get(json_array_get(w->rows, 19999), 0)), 19999);
    assert_done(w, "SELECT * FROM t ORDER BY k DESC LIMIT 15000", 15000);
}

static void a_failure_in_the_middle_ends_the_answer_with_an_error(void **state)
{
    struct world *w = *state;

    fill_long(w);
    w->store.fail_in = 10;
    const char *text = post(w, "{\"sql\":\"SELECT * FROM t\"}");
    assert_int_equal(w->status, 200);
    assert_non_null(strstr(text, "]],\"error\":{\"code\":\"58030\""));
    w->store.fail_in = 10;
    run(w, "SELECT * FROM t", "");
    assert_int_equal(w->e.code, ERR_IO);
    assert_string_equal(w->sqlstate, "58030");
}

static void an_answer_goes_on_by_its_continuation(void **state)
{
    struct world *w = *state;
    char body[8192], next[4096];

    assert_done(w, "CREATE TABLE t (k int8 PRIMARY KEY)", 0);
    assert_done(w, "INSERT INTO t VALUES (1), (2), (3)", 3);
    const char *text =
        post(w, "{\"sql\":\"SELECT k FROM t WHERE k > $1\",\"params\":[1],\"max_rows\":1}");
    snprintf(next, sizeof next, "%s", strstr(text, "\"next\":\"") + 8);
    *strchr(next, '"') = '\0';
    snprintf(body, sizeof body, "{\"sql\":\"SELECT k FROM t WHERE k > $1\",\"params\":[1],"
             "\"max_rows\":1,\"next\":\"%s\"}", next);
    assert_non_null(
        strstr(post(w, body), "\"rows\":[[3]],\"command\":\"SELECT 1\",\"next\":null}"));
    *strstr(body, "[1]") = '[';
    body[strcspn(body, "[") + 1] = '0';
    assert_post_refused(w, body, 400, "24000");
}

static void on_count(void *arg, err e, const struct sql_answer *answer)
{
    unsigned *counts = arg;

    counts[e.code == ERR_NONE ? 0 : e.code == ERR_LIMIT ? 1 : 2]++;
    (void)answer;
}

static void on_stop(void *arg)
{
    loop_stop(((struct world *)arg)->loop);
}

static void run_for(struct world *w, uint64_t us)
{
    struct loop_timer stop = { 0 };

    loop_timer_init(&stop, w->loop, on_stop, w);
    assert_ok(loop_timer_at(&stop, loop_now_us(w->loop) + us));
    assert_ok(loop_run(w->loop));
}

static void more_statements_than_the_bound_are_told_to_wait(void **state)
{
    struct world *w = *state;
    unsigned counts[3] = { 0 };

    assert_done(w, "CREATE TABLE t (k int8 PRIMARY KEY)", 0);
    w->store_hangs = true;
    for (int i = 0; i < 6; i++) {
        assert_ok(sql_send(w->sql, BYTES_LIT("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING"),
                           (struct bytes){ 0 }, on_count, counts));
    }
    run_for(w, 200000);
    assert_int_equal(counts[1], 2);
    w->store_hangs = false;
    run_for(w, 200000);
    assert_int_equal(counts[0], 4);
    assert_int_equal(w->route.under_way, 0);
}

static void a_client_that_goes_away_leaves_nothing_behind(void **state)
{
    struct world *w = *state;
    unsigned counts[3] = { 0 };

    fill_long(w);
    w->store_hangs = true;
    assert_ok(
        sql_send(w->sql, BYTES_LIT("SELECT * FROM t"), (struct bytes){ 0 }, on_count, counts));
    run_for(w, 100000);
    assert_int_equal(w->route.under_way, 1);
    sql_client_free(w->sql);
    w->sql = NULL;
    assert_int_equal(counts[2], 1);
    run_for(w, 100000);
    w->store_hangs = false;
    run_for(w, 100000);
    assert_int_equal(w->route.under_way, 0);
    assert_true(sql_engine_idle(w->engine));
}

static void a_statement_without_need_of_the_store_is_answered_at_once(void **state)
{
    struct world *w = *state;

    assert_done(w, "CREATE TABLE t (k int8 PRIMARY KEY)", 0);
    assert_done(w, "SELECT k FROM t WHERE k = NULL", 0);
    assert_done(w, "SELECT count(*) FROM t WHERE k > 5 AND k < 5", 1);
}

static void roles_are_read_from_their_setting(void **state)
{
    struct access_roles r;

    (void)state;
    assert_ok(access_roles_parse("", &r));
    assert_int_equal(r.count, 0);
    assert_ok(access_roles_parse("  a=read  b=write,admin ", &r));
    assert_int_equal(r.count, 2);
    assert_string_equal(r.roles[1].role, "b");
    assert_int_equal(r.roles[1].rights, 1u << SQL_WRITE | 1u << SQL_ADMIN);
    static const char *const bad[] = { "a", "a=", "=read", "a=reads", "a=read,", "a b=read",
                                       "a=read,,write",
                                       "a234567890123456789012345678901234=read" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_err(access_roles_parse(bad[i], &r), ERR_PROTO);
        assert_int_equal(r.count, 2);
    }
}

/* Keys in files of the test's directory; one good for reading tables that begin with t. */
static void make_keys(void)
{
    AUTO(buf_done) struct buf lines = { .max = 4096 };
    AUTO(buf_done) struct buf text = { .max = 4096 };
    const struct {
        const char *file, *scopes;
    } keys[] = { { "reader.key", "read:sql:t" }, { "admin.key", "read,write,admin:sql:" } };

    for (size_t i = 0; i < 2; i++) {
        buf_clear(&text);
        assert_ok(api_key_make(keys[i].scopes, 0, &text, &lines));
        if (lines.ptr[lines.len - 1] != '\n') {
            assert_ok(buf_u8(&lines, '\n'));
        }
        assert_ok(file_write(test_pki_path(&pki, keys[i].file), buf_bytes(&text), 0600));
    }
    assert_ok(file_write(test_pki_path(&pki, "api.keys"), buf_bytes(&lines), 0600));
    text.ptr[text.len - 2] = text.ptr[text.len - 2] == 'A' ? 'B' : 'A';
    assert_ok(file_write(test_pki_path(&pki, "bad.key"), buf_bytes(&text), 0600));
    snprintf(reader_key, sizeof reader_key, "%s", test_pki_path(&pki, "reader.key"));
    snprintf(admin_key, sizeof admin_key, "%s", test_pki_path(&pki, "admin.key"));
}

static int begin(void **state)
{
    (void)state;
    test_pki_begin(&pki);
    make_keys();
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
#define T(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        T(statements_go_through_client_server_and_back),
        T(refusals_carry_their_sqlstate),
        T(errors_have_status_code_message_and_position),
        T(a_body_that_is_not_as_documented_is_refused),
        T(numbers_come_as_text_for_those_who_ask),
        T(nobody_gets_in_without_key_or_role),
        T(rights_are_those_of_the_key_or_the_role),
        T(a_long_answer_is_streamed_whole),
        T(a_failure_in_the_middle_ends_the_answer_with_an_error),
        T(an_answer_goes_on_by_its_continuation),
        T(more_statements_than_the_bound_are_told_to_wait),
        T(a_client_that_goes_away_leaves_nothing_behind),
        T(a_statement_without_need_of_the_store_is_answered_at_once),
        T(roles_are_read_from_their_setting),
    };
    return cmocka_run_group_tests_name("route", tests, begin, end);
}
