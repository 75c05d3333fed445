/* SPDX-License-Identifier: Apache-2.0 */
/* The REST interface over a real server on loopback, without TLS so that every octet is ours. */
#include "lib/base/test.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/kvs/gateway_fixture.h"

static struct site s;

static int setup(void **state)
{
    (void)state;
    fixture_disk_free_min = 0;
    site_begin(&s, false, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    site_end(&s);
    return 0;
}

static const char *call(const char *method, const char *target, const char *headers,
                        const char *body)
{
    return site_call(&s, method, target, s.all, headers, body);
}

static unsigned put_of(const char *key, const char *headers, const char *value)
{
    char target[512];

    snprintf(target, sizeof target, "/v1/kv/s/%s", key);
    return status_of(call("PUT", target, headers, value));
}

static void check_refused(const char *answer, unsigned status, const char *code)
{
    json_t *doc = json_loads(body_of(answer), JSON_REJECT_DUPLICATES, NULL);
    const char *got = json_string_value(json_object_get(json_object_get(doc, "error"), "code"));

    if (status_of(answer) != status || got == NULL || strcmp(got, code) != 0) {
        fail_msg("wanted %u %s, got: %s", status, code, answer);
    }
    assert_non_null(json_object_get(json_object_get(doc, "error"), "message"));
    json_decref(doc);
}

/* --- what works --- */

static void a_value_is_put_and_got_with_its_rev(void **state)
{
    (void)state;
    const char *a = call("PUT", "/v1/kv/s/a", "", "hello");
    assert_int_equal(status_of(a), 204);
    assert_string_equal(header_of(a, "ETag"), "\"1\"");
    a = call("GET", "/v1/kv/s/a", "", NULL);
    assert_int_equal(status_of(a), 200);
    assert_string_equal(header_of(a, "ETag"), "\"1\"");
    assert_string_equal(header_of(a, "Content-Type"), "application/octet-stream");
    assert_string_equal(body_of(a), "hello");
}

static void head_tells_size_and_rev_only(void **state)
{
    (void)state;
    assert_int_equal(put_of("a", "", "hello"), 204);
    const char *a = call("HEAD", "/v1/kv/s/a", "Connection: close\r\n", NULL);
    assert_int_equal(status_of(a), 200);
    assert_string_equal(header_of(a, "Content-Length"), "5");
    assert_string_equal(header_of(a, "ETag"), "\"1\"");
    assert_string_equal(body_of(a), "");
}

static void an_empty_value_is_a_value(void **state)
{
    (void)state;
    assert_int_equal(put_of("a", "", ""), 204);
    const char *a = call("GET", "/v1/kv/s/a", "", NULL);
    assert_int_equal(status_of(a), 200);
    assert_string_equal(header_of(a, "Content-Length"), "0");
}

static void a_key_may_have_any_octet(void **state)
{
    (void)state;
    assert_int_equal(put_of("%00%ff/a%2Fb%0d%0a", "", "odd"), 204);
    assert_string_equal(body_of(call("GET", "/v1/kv/s/%00%FF%2fa/b%0D%0A", "", NULL)), "odd");
}

static void a_deleted_key_is_gone(void **state)
{
    (void)state;
    assert_int_equal(put_of("a", "", "v"), 204);
    assert_int_equal(status_of(call("DELETE", "/v1/kv/s/a", "", NULL)), 204);
    check_refused(call("GET", "/v1/kv/s/a", "", NULL), 404, "no_key");
    check_refused(call("DELETE", "/v1/kv/s/a", "", NULL), 404, "no_key");
}

static void conditions_hold_for_put_and_delete(void **state)
{
    (void)state;
    assert_int_equal(put_of("a", "If-None-Match: *\r\n", "1"), 204);
    const char *a = call("PUT", "/v1/kv/s/a", "If-None-Match: *\r\n", "2");
    check_refused(a, 412, "precondition");
    assert_string_equal(header_of(a, "ETag"), "\"1\"");
    assert_int_equal(put_of("a", "If-Match: \"7\"\r\n", "2"), 412);
    assert_int_equal(put_of("a", "If-Match: \"1\"\r\n", "2"), 204);
    assert_int_equal(status_of(call("DELETE", "/v1/kv/s/a", "If-Match: \"1\"\r\n", NULL)), 412);
    assert_int_equal(status_of(call("DELETE", "/v1/kv/s/a", "If-Match: \"2\"\r\n", NULL)), 204);
    assert_int_equal(put_of("a", "If-Match: \"2\"\r\n", "3"), 412);
}

static void a_read_may_name_the_rev_it_knows(void **state)
{
    (void)state;
    assert_int_equal(put_of("a", "", "v"), 204);
    const char *a = call("GET", "/v1/kv/s/a", "If-None-Match: \"1\"\r\n", NULL);
    assert_int_equal(status_of(a), 304);
    assert_string_equal(header_of(a, "ETag"), "\"1\"");
    assert_int_equal(status_of(call("GET", "/v1/kv/s/a", "If-None-Match: \"9\"\r\n", NULL)), 200);
    assert_int_equal(status_of(call("GET", "/v1/kv/s/a", "If-Match: \"1\"\r\n", NULL)), 200);
    assert_int_equal(status_of(call("GET", "/v1/kv/s/a", "If-Match: \"2\"\r\n", NULL)), 412);
}

static void a_value_ends_at_its_time(void **state)
{
    (void)state;
    assert_int_equal(put_of("a", "X-Ttl: 10\r\n", "v"), 204);
    assert_int_equal(status_of(call("GET", "/v1/kv/s/a", "", NULL)), 200);
    fixture_now_s += 10;
    assert_int_equal(status_of(call("GET", "/v1/kv/s/a", "", NULL)), 404);
}

static void a_chunked_body_is_a_body(void **state)
{
    char request[512];

    (void)state;
    int n = snprintf(request, sizeof request,
                     "PUT /v1/kv/s/a HTTP/1.1\r\nHost: k\r\n%sTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                     s.all);
    assert_int_equal(status_of(site_raw(&s, request, (size_t)n)), 204);
    assert_string_equal(body_of(call("GET", "/v1/kv/s/a", "", NULL)), "abcde");
}

static void everything_is_there_after_a_restart(void **state)
{
    (void)state;
    assert_int_equal(put_of("a", "", "v"), 204);
    site_restart(&s);
    assert_string_equal(body_of(call("GET", "/v1/kv/s/a", "", NULL)), "v");
    assert_string_equal(header_of(call("PUT", "/v1/kv/s/b", "", "w"), "ETag"), "\"2\"");
}

/* A body of any size, and the answer's body compared with it. */
static void check_large(size_t size)
{
    char head[512];
    int n = snprintf(head, sizeof head,
                     "PUT /v1/kv/s/large HTTP/1.1\r\nHost: k\r\n%sContent-Length: %zu\r\n\r\n",
                     s.all, size);
    char *request = malloc((size_t)n + size);

    memcpy(request, head, (size_t)n);
    for (size_t i = 0; i < size; i++) {
        request[(size_t)n + i] = (char)('a' + (i * 7 + (i >> 10)) % 26);
    }
    assert_int_equal(status_of(site_raw(&s, request, (size_t)n + size)), 204);
    const char *a = call("GET", "/v1/kv/s/large", "", NULL);
    assert_int_equal(status_of(a), 200);
    assert_int_equal(strtoull(header_of(a, "Content-Length"), NULL, 10), size);
    assert_memory_equal(body_of(a), request + n, size);
    free(request);
}

static void a_value_of_any_size_comes_back(void **state)
{
    static const size_t sizes[] = { 4095, 4096, 16368, (128u << 10) - 1, 128u << 10,
                                    (128u << 10) + 1, 1u << 20, 3000001 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_large(sizes[i]);
    }
    check_large(KVS_VALUE_BYTES_MAX);
    site_restart(&s);
    const char *a = call("HEAD", "/v1/kv/s/large", "Connection: close\r\n", NULL);
    assert_string_equal(header_of(a, "Content-Length"), "67108864");
}

/* --- pages --- */

static json_t *page(const char *query)
{
    char target[3000];

    snprintf(target, sizeof target, "/v1/kv/s?%s", query);
    const char *a = call("GET", target, "", NULL);
    json_t *doc = json_loads(body_of(a), JSON_REJECT_DUPLICATES, NULL);
    if (status_of(a) != 200 || doc == NULL) {
        fail_msg("%s", a);
    }
    return doc;
}

static void check_keys(const char *query, const char *want)
{
    char got[512] = "";
    json_t *doc = page(query);
    json_t *keys = json_object_get(doc, "keys");

    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *key = json_object_get(json_array_get(keys, i), "key");
        strncat(got, i > 0 ? " " : "", sizeof got - strlen(got) - 1);
        strncat(got, json_string_value(key), sizeof got - strlen(got) - 1);
    }
    assert_string_equal(got, want);
    json_decref(doc);
}

static void keys_fill(void)
{
    static const char *const keys[] = { "a", "b1", "b2", "b3", "c", "d" };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_int_equal(put_of(keys[i], "", keys[i]), 204);
    }
}

static void a_page_is_named_by_prefix_start_and_end(void **state)
{
    (void)state;
    keys_fill();
    check_keys("", "a b1 b2 b3 c d");
    check_keys("prefix=b", "b1 b2 b3");
    check_keys("prefix64=Yg", "b1 b2 b3");
    check_keys("prefix=b&start=b2", "b2 b3");
    check_keys("start=b2&end=d", "b2 b3 c");
    check_keys("start64=YjI&end64=ZA", "b2 b3 c");
    check_keys("start=b2&end=d&reverse=1", "c b3 b2");
    check_keys("start=d&end=b", "");
    check_keys("limit=2&values=0", "a b1");
}

static void walk(bool reverse, const char *want)
{
    char got[512] = "";
    char query[3000];

    snprintf(query, sizeof query, "limit=2%s", reverse ? "&reverse=1" : "");
    for (unsigned i = 0; i < 10; i++) {
        json_t *doc = page(query);
        json_t *keys = json_object_get(doc, "keys");
        for (size_t k = 0; k < json_array_size(keys); k++) {
            const json_t *key = json_object_get(json_array_get(keys, k), "key");
            strncat(got, json_string_value(key), sizeof got - strlen(got) - 1);
        }
        const char *next = json_string_value(json_object_get(doc, "next"));
        if (next == NULL) {
            json_decref(doc);
            break;
        }
        snprintf(query, sizeof query, "limit=2&next=%s", next);
        json_decref(doc);
    }
    assert_string_equal(got, want);
}

static void tokens_lead_through_all_pages(void **state)
{
    (void)state;
    keys_fill();
    walk(false, "ab1b2b3cd");
    walk(true, "dcb3b2b1a");
}

static void a_page_tells_its_snapshot_range_and_successor(void **state)
{
    (void)state;
    keys_fill();
    json_t *doc = page("prefix=b&limit=2");
    assert_int_equal(json_integer_value(json_object_get(doc, "rev")), 6);
    assert_string_equal(json_string_value(json_object_get(doc, "start")), "b");
    assert_string_equal(json_string_value(json_object_get(doc, "end")), "c");
    assert_true(json_is_true(json_object_get(doc, "more")));
    assert_string_equal(json_string_value(json_object_get(doc, "next_key")), "b3");
    json_decref(doc);
}

static void a_page_comes_in_binary_when_asked(void **state)
{
    (void)state;
    keys_fill();
    const char *a =
        call("GET", "/v1/kv/s?limit=1", "Accept: application/x-meterseal-page\r\n", NULL);
    struct kvs_msp msp;

    assert_string_equal(header_of(a, "Content-Type"), KVS_PAGE_TYPE);
    struct bytes body = { (const uint8_t *)body_of(a),
                          strtoul(header_of(a, "Content-Length"), NULL, 10) };
    assert_ok(kvs_msp_read(body, &msp));
    assert_true(msp.more);
    assert_true(bytes_equal(msp.next, BYTES_LIT("b1")));
}

static void a_token_of_an_earlier_run_is_gone(void **state)
{
    char query[3000];

    (void)state;
    keys_fill();
    json_t *doc = page("limit=2");
    snprintf(query, sizeof query, "/v1/kv/s?next=%s",
             json_string_value(json_object_get(doc, "next")));
    json_decref(doc);
    site_restart(&s);
    check_refused(call("GET", query, "", NULL), 410, "token");
}

/* The handle that a page answered with such a header brings, "" without one. */
static const char *handle_of(const char *query, const char *header)
{
    static char handle[64];
    char target[3000];

    snprintf(target, sizeof target, "/v1/kv/s?%s", query);
    const char *a = call("GET", target, header, NULL);
    assert_int_equal(status_of(a), 200);
    const char *text = header_of(a, "X-Snapshot");
    snprintf(handle, sizeof handle, "%s", text != NULL ? text : "");
    return handle;
}

static void a_page_at_a_snapshot_does_not_see_later_writes(void **state)
{
    char header[64];

    (void)state;
    keys_fill();
    const char *handle = handle_of("limit=2", "X-Snapshot: new\r\n");
    assert_int_equal(strlen(handle), KVS_HANDLE_CHARS);
    snprintf(header, sizeof header, "X-Snapshot: %s\r\n", handle);
    assert_int_equal(put_of("e", "", ""), 204);
    const char *a = call("GET", "/v1/kv/s?start=d&values=0", header, NULL);
    assert_null(strstr(body_of(a), "\"e\""));
    assert_non_null(strstr(body_of(a), "\"rev\":6,"));
    assert_null(header_of(a, "X-Snapshot")); /* nothing more follows */
    check_refused(call("GET", "/v1/kv/s?start=d", header, NULL), 410, "snapshot");
    assert_string_equal(handle_of("limit=2", ""), "");
    assert_string_equal(handle_of("", "X-Snapshot: new\r\n"), "");
    assert_int_equal(strlen(handle_of("", "X-Snapshot: new;keep\r\n")), KVS_HANDLE_CHARS);
    assert_string_equal(handle_of("start=b&end=b", "X-Snapshot: new\r\n"), "");
}

static void tokens_carry_the_snapshot_along(void **state)
{
    char target[3000] = "/v1/kv/s?limit=2";
    unsigned count = 0;

    (void)state;
    keys_fill();
    for (unsigned i = 0; target[0] != 0; i++) {
        const char *a = call("GET", target, i == 0 ? "X-Snapshot: new\r\n" : "", NULL);
        assert_int_equal(status_of(a), 200);
        json_t *doc = json_loads(body_of(a), 0, NULL);
        count += (unsigned)json_array_size(json_object_get(doc, "keys"));
        const char *next = json_string_value(json_object_get(doc, "next"));
        snprintf(target, sizeof target, next != NULL ? "/v1/kv/s?limit=2&next=%s" : "%.0s", next);
        json_decref(doc);
        char key[16];
        snprintf(key, sizeof key, "z%u", i);
        assert_int_equal(put_of(key, "", ""), 204);
    }
    assert_int_equal(count, 6);
}

static void a_snapshot_can_be_let_go(void **state)
{
    char header[64];
    char target[64];

    (void)state;
    keys_fill();
    const char *handle = handle_of("limit=1", "X-Snapshot: new\r\n");
    snprintf(header, sizeof header, "X-Snapshot: %s\r\n", handle);
    snprintf(target, sizeof target, "/v1/snapshots/%s", handle);
    check_refused(site_call(&s, "DELETE", target, s.reader, "", NULL), 410, "snapshot");
    check_refused(site_call(&s, "GET", "/v1/kv/s?limit=1", s.reader, header, NULL), 410, "snapshot");
    check_refused(site_call(&s, "DELETE", target, NULL, "", NULL), 401, "auth");
    assert_int_equal(status_of(call("DELETE", target, "", NULL)), 204);
    check_refused(call("DELETE", target, "", NULL), 410, "snapshot");
    check_refused(call("GET", "/v1/kv/s?limit=1", header, NULL), 410, "snapshot");
    check_refused(call("DELETE", "/v1/snapshots/x", "", NULL), 400, "field");
}

static void a_header_that_names_no_snapshot_is_400(void **state)
{
    static const char *const bad[] = { "", "old", "newer", ";keep", "new;kee", "0000000000000000",
                                       "00000000000000001", "000000000000000g", "new;keep;keep" };
    char header[64];
    char target[3000];

    (void)state;
    keys_fill();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(header, sizeof header, "X-Snapshot: %s\r\n", bad[i]);
        check_refused(call("GET", "/v1/kv/s?limit=1", header, NULL), 400, "field");
    }
    json_t *doc = page("limit=2");
    snprintf(target, sizeof target, "/v1/kv/s?next=%s",
             json_string_value(json_object_get(doc, "next")));
    json_decref(doc);
    check_refused(call("GET", target, "X-Snapshot: new\r\n", NULL), 400, "field");
}

/* --- batches --- */

static const char *batch(const char *json)
{
    return call("POST", "/v1/batch", "Content-Type: application/json\r\n", json);
}

static void a_batch_in_json_is_all_or_nothing(void **state)
{
    (void)state;
    const char *a = batch("{\"space\":\"s\",\"ops\":[{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\"},"
                          "{\"op\":\"put\",\"key\":\"b\",\"value\":\"2\",\"if_absent\":true}]}");
    assert_int_equal(status_of(a), 200);
    assert_string_equal(body_of(a), "{\"rev\":1,\"results\":[{\"status\":\"done\",\"rev\":1},"
                                    "{\"status\":\"done\",\"rev\":1}]}");
    a = batch("{\"space\":\"s\",\"ops\":[{\"op\":\"put\",\"key\":\"a\",\"value\":\"9\"},"
              "{\"op\":\"put\",\"key\":\"b\",\"value\":\"9\",\"if_absent\":true}]}");
    check_refused(a, 412, "precondition");
    assert_non_null(strstr(body_of(a), "\"failures\":[{\"op\":1,\"rev\":1}]"));
    a = batch("{\"space\":\"s\",\"ops\":[{\"op\":\"get\",\"key\":\"a\"},{\"op\":\"get\",\"key\":\"x\"}]}");
    assert_string_equal(body_of(a), "{\"rev\":1,\"results\":[{\"status\":\"found\",\"rev\":1,"
                                    "\"value\":\"1\"},{\"status\":\"absent\"}]}");
}

/* A binary batch of one put, as the raw octets of a request. */
static const char *batch_binary(const char *key, const struct kvs_op *op, const char *space)
{
    AUTO(buf_done) struct buf msb = { .max = 4096 };
    AUTO(buf_done) struct buf request = { .max = 8192 };
    const struct bytes name = bytes_of_string(space);

    assert_ok(kvs_msb_begin(&msb, &name, 1));
    assert_ok(kvs_msb_op(&msb, op));
    kvs_msb_finish(&msb, 1);
    assert_ok(buf_printf(&request,
                         "POST /v1/batch HTTP/1.1\r\nHost: k\r\n%sContent-Type: " KVS_BATCH_TYPE
                         "\r\nContent-Length: %zu\r\n\r\n",
                         key, msb.len));
    assert_ok(buf_append(&request, buf_bytes(&msb)));
    return site_raw(&s, (const char *)request.ptr, request.len);
}

static struct kvs_result first_result(const char *answer, struct kvs_msr *msr)
{
    struct bytes body = { (const uint8_t *)body_of(answer),
                          strtoul(header_of(answer, "Content-Length"), NULL, 10) };
    struct kvs_result r = { 0 };

    assert_ok(kvs_msr_read(body, msr));
    struct bytes results = msr->results;
    assert_ok(kvs_result_take(&results, &r));
    return r;
}

static void a_binary_batch_is_answered_in_binary(void **state)
{
    const struct kvs_op op = { .type = KVS_PUT, .expect = KVS_ABSENT, .key = BYTES_LIT("a"),
                               .value = BYTES_LIT("v") };
    struct kvs_msr msr;

    (void)state;
    const char *a = batch_binary(s.all, &op, "s");
    assert_int_equal(status_of(a), 200);
    assert_string_equal(header_of(a, "Content-Type"), KVS_ANSWER_TYPE);
    assert_int_equal(first_result(a, &msr).status, KVS_DONE);
    assert_int_equal(msr.rev, 1);
    a = batch_binary(s.all, &op, "s");
    assert_int_equal(status_of(a), 412);
    assert_int_equal(first_result(a, &msr).status, KVS_FAILED);
    assert_int_equal(first_result(a, &msr).rev, 1);
}

static void who_may_not_read_is_not_told_the_rev_in_the_way(void **state)
{
    const struct kvs_op op = { .type = KVS_PUT, .expect = KVS_ABSENT, .key = BYTES_LIT("a") };
    struct kvs_msr msr;

    (void)state;
    assert_int_equal(put_of("a", "", "v"), 204);
    const char *a = batch_binary(s.writer, &op, "s");
    assert_int_equal(status_of(a), 412);
    assert_int_equal(first_result(a, &msr).rev, 0);
    a = site_call(&s, "PUT", "/v1/kv/s/a", s.writer, "If-None-Match: *\r\n", "v");
    check_refused(a, 412, "precondition");
    assert_null(header_of(a, "ETag"));
}

/* --- spaces and status --- */

static void a_space_is_made_looked_at_changed_and_deleted(void **state)
{
    (void)state;
    const char *a = call("PUT", "/v1/spaces/t", "", "{\"quota_keys\":1,\"style\":\"series\"}");
    assert_int_equal(status_of(a), 201);
    assert_string_equal(body_of(a), "{\"space\":\"t\",\"quota_bytes\":0,\"quota_keys\":1,\"ttl_s\":0,"
                                    "\"style\":\"series\",\"compression\":\"lz4\",\"used_keys\":0,"
                                    "\"used_bytes\":0}");
    assert_int_equal(status_of(call("PUT", "/v1/kv/t/a", "", "v")), 204);
    check_refused(call("PUT", "/v1/kv/t/b", "", "v"), 507, "quota");
    a = call("PUT", "/v1/spaces/t", "", "{\"quota_keys\":2,\"style\":\"series\"}");
    assert_int_equal(status_of(a), 200);
    assert_int_equal(status_of(call("PUT", "/v1/kv/t/b", "", "v")), 204);
    a = call("GET", "/v1/spaces/t", "", NULL);
    assert_non_null(strstr(body_of(a), "\"used_keys\":2,\"used_bytes\":4"));
    check_refused(call("PUT", "/v1/spaces/t", "If-None-Match: *\r\n", "{}"), 412, "precondition");
    check_refused(call("PUT", "/v1/spaces/t", "", "{\"style\":\"general\"}"), 409, "fixed");
    assert_int_equal(status_of(call("DELETE", "/v1/spaces/t", "", NULL)), 204);
    check_refused(call("GET", "/v1/spaces/t", "", NULL), 404, "no_space");
    check_refused(call("DELETE", "/v1/spaces/t", "", NULL), 404, "no_space");
    check_refused(call("GET", "/v1/kv/t/a", "", NULL), 404, "no_space");
}

static void a_space_needs_no_body(void **state)
{
    (void)state;
    assert_int_equal(status_of(call("PUT", "/v1/spaces/t", "", "")), 201);
    assert_int_equal(status_of(call("PUT", "/v1/spaces/u", "", "{}")), 201);
}

static void status_tells_revs_and_the_rollback_level(void **state)
{
    (void)state;
    assert_int_equal(put_of("a", "", "v"), 204);
    const char *a = call("GET", "/v1/admin/status", "", NULL);
    json_t *doc = json_loads(body_of(a), 0, NULL);

    assert_int_equal(status_of(a), 200);
    assert_int_equal(json_integer_value(json_object_get(doc, "rev")), 1);
    assert_int_equal(json_integer_value(json_object_get(doc, "spaces")), 1);
    assert_true(json_integer_value(json_object_get(doc, "epoch")) > 0);
    assert_non_null(strstr(json_string_value(json_object_get(doc, "rollback_level")), "0 none"));
    json_decref(doc);
}

/* --- bad input: the table of the reference --- */

static void without_a_valid_key_everything_is_401(void **state)
{
    static const char *const methods[] = { "GET", "PUT", "DELETE" };
    static const char *const bad[] = {
        "", "Authorization: Bearer\r\n", "Authorization: Basic eA==\r\n",
        "Authorization: Bearer msk_aaaaaaaa_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t m = 0; m < 3; m++) {
            const char *body = m == 1 ? "v" : NULL;
            const char *a = site_call(&s, methods[m], "/v1/kv/s/a", bad[i], "", body);
            check_refused(a, 401, "auth");
            assert_string_equal(header_of(a, "WWW-Authenticate"), "Bearer");
            check_refused(site_call(&s, methods[m], "/v1/kv/none/a", bad[i], "", body), 401, "auth");
            check_refused(site_call(&s, methods[m], "/v1/spaces/s", bad[i], "", body), 401, "auth");
        }
        check_refused(site_call(&s, "POST", "/v1/batch", bad[i], "", "x"), 401, "auth");
        check_refused(site_call(&s, "GET", "/v1/kv/s", bad[i], "", NULL), 401, "auth");
        check_refused(site_call(&s, "GET", "/v1/admin/status", bad[i], "", NULL), 401, "auth");
    }
    check_refused(site_call(&s, "GET", "/v1/kv/s/a", s.expired, "", NULL), 401, "auth");
}

static void a_lacking_scope_is_403_whether_the_space_exists_or_not(void **state)
{
    static const char *const spaces[] = { "s", "none" };
    char target[64];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        snprintf(target, sizeof target, "/v1/kv/%s/a", spaces[i]);
        check_refused(site_call(&s, "PUT", target, s.reader, "", "v"), 403, "scope");
        check_refused(site_call(&s, "DELETE", target, s.reader, "", NULL), 403, "scope");
        check_refused(site_call(&s, "GET", target, s.writer, "", NULL), 403, "scope");
        check_refused(site_call(&s, "GET", target, s.prefix, "", NULL), 403, "scope");
        snprintf(target, sizeof target, "/v1/kv/%s", spaces[i]);
        check_refused(site_call(&s, "GET", target, s.writer, "", NULL), 403, "scope");
        snprintf(target, sizeof target, "/v1/spaces/%s", spaces[i]);
        check_refused(site_call(&s, "PUT", target, s.reader, "", "{}"), 403, "scope");
        check_refused(site_call(&s, "DELETE", target, s.reader, "", NULL), 403, "scope");
        check_refused(site_call(&s, "GET", target, s.reader, "", NULL), 403, "scope");
    }
    check_refused(site_call(&s, "GET", "/v1/admin/status", s.reader, "", NULL), 403, "scope");
}

static void a_scan_needs_a_scope_for_its_whole_range(void **state)
{
    (void)state;
    assert_int_equal(status_of(site_call(&s, "GET", "/v1/kv/s?prefix=job-", s.prefix, "", NULL)),
                     200);
    assert_int_equal(status_of(site_call(&s, "GET", "/v1/kv/s?prefix=job-7", s.prefix, "", NULL)), 200);
    assert_int_equal(
        status_of(site_call(&s, "GET", "/v1/kv/s?start=job-1&end=job-5", s.prefix, "", NULL)), 200);
    check_refused(site_call(&s, "GET", "/v1/kv/s", s.prefix, "", NULL), 403, "scope");
    check_refused(site_call(&s, "GET", "/v1/kv/s?prefix=job", s.prefix, "", NULL), 403, "scope");
    check_refused(site_call(&s, "GET", "/v1/kv/s?start=job-", s.prefix, "", NULL), 403, "scope");
    check_refused(site_call(&s, "GET", "/v1/kv/s?start=job-&end=job.a", s.prefix, "", NULL), 403,
                  "scope");
}

static void a_batch_needs_a_scope_for_every_operation(void **state)
{
    (void)state;
    const char *a = site_call(&s, "POST", "/v1/batch", s.prefix, "Content-Type: application/json\r\n",
                              "{\"space\":\"s\",\"ops\":[{\"op\":\"put\",\"key\":\"job-1\",\"value\":\"\"},"
                              "{\"op\":\"put\",\"key\":\"a\",\"value\":\"\"}]}");
    check_refused(a, 403, "scope");
    check_refused(call("GET", "/v1/kv/s/job-1", "", NULL), 404, "no_key");
}

static void unknown_space_and_unknown_key_are_404(void **state)
{
    (void)state;
    check_refused(call("GET", "/v1/kv/none/a", "", NULL), 404, "no_space");
    check_refused(call("PUT", "/v1/kv/none/a", "", "v"), 404, "no_space");
    check_refused(call("GET", "/v1/kv/NONE/a", "", NULL), 404, "no_space");
    check_refused(call("GET", "/v1/kv/none", "", NULL), 404, "no_space");
    check_refused(batch("{\"space\":\"none\",\"ops\":[{\"op\":\"get\",\"key\":\"a\"}]}"), 404, "no_space");
    check_refused(call("GET", "/v1/kv/s/a", "", NULL), 404, "no_key");
}

static void a_key_empty_long_or_badly_escaped_is_400(void **state)
{
    AUTO(buf_done) struct buf target = { .max = 4096 };

    (void)state;
    check_refused(call("GET", "/v1/kv/s/", "", NULL), 400, "key");
    check_refused(call("PUT", "/v1/kv/s/", "", "v"), 400, "key");
    check_refused(call("GET", "/v1/kv/s/%", "", NULL), 400, "key");
    check_refused(call("GET", "/v1/kv/s/%4", "", NULL), 400, "key");
    check_refused(call("GET", "/v1/kv/s/%zz", "", NULL), 400, "key");
    for (unsigned len = 1024; len <= 1025; len++) {
        buf_clear(&target);
        assert_ok(buf_string(&target, "/v1/kv/s/"));
        for (unsigned i = 0; i < len; i++) {
            assert_ok(buf_u8(&target, 'k'));
        }
        assert_ok(buf_u8(&target, 0));
        const char *a = call("PUT", (const char *)target.ptr, "", "v");
        if (len == 1024) {
            assert_int_equal(status_of(a), 204);
        } else {
            check_refused(a, 400, "key");
        }
    }
}

static const char *with_length(const char *target, const char *more, unsigned long long length)
{
    char request[512];
    const bool post = strcmp(target, "/v1/batch") == 0;

    int n = snprintf(request, sizeof request,
                     "%s %s HTTP/1.1\r\nHost: k\r\n%s%sContent-Length: %llu\r\n\r\nx",
                     post ? "POST" : "PUT", target, s.all, more, length);
    return site_raw(&s, request, (size_t)n);
}

static void a_body_over_its_limit_is_413_before_it_is_read(void **state)
{
    (void)state;
    check_refused(with_length("/v1/kv/s/a", "", KVS_VALUE_BYTES_MAX + 1ull), 413, "too_large");
    check_refused(with_length("/v1/batch", "Content-Type: " KVS_BATCH_TYPE "\r\n",
                              KVS_BATCH_BYTES_MAX + 1ull),
                  413, "too_large");
    check_refused(with_length("/v1/batch", "Content-Type: application/json\r\n", (1u << 20) + 1ull),
                  413, "too_large");
}

static void a_put_without_length_and_chunks_is_411(void **state)
{
    (void)state;
    check_refused(call("PUT", "/v1/kv/s/a", "", NULL), 411, "length");
}

static void bad_conditions_and_times_to_live_are_400(void **state)
{
    static const char *const bad[] = {
        "If-Match: \"1\"\r\nIf-None-Match: *\r\n",
        "If-Match: 1\r\n",
        "If-Match: *\r\n",
        "If-Match: \"\"\r\n",
        "If-Match: \"01\"\r\n",
        "If-Match: \"a\"\r\n",
        "If-Match: \"1\", \"2\"\r\n",
        "If-Match: W/\"1\"\r\n",
        "If-Match: \"99999999999999999999\"\r\n",
        "If-None-Match: \"1\"\r\n",
        "X-Ttl: 0\r\n",
        "X-Ttl: 316224001\r\n",
        "X-Ttl: -1\r\n",
        "X-Ttl: 1.5\r\n",
        "X-Ttl: soon\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_refused(call("PUT", "/v1/kv/s/a", bad[i], "v"), 400, "field");
    }
    assert_int_equal(put_of("a", "X-Ttl: 316224000\r\n", "v"), 204);
    check_refused(call("GET", "/v1/kv/s/a", "If-None-Match: 1\r\n", NULL), 400, "field");
    check_refused(call("GET", "/v1/kv/s/a", "If-None-Match: \"1\"\r\nIf-Match: \"1\"\r\n", NULL), 400,
                  "field");
}

static void a_bad_query_is_400_and_names_its_field(void **state)
{
    static const char *const bad[][2] = {
        { "limit=0", "limit" },        { "limit=1001", "limit" },   { "limit=01", "limit" },
        { "limit=x", "limit" },        { "limit=1&limit=2", "limit" },
        { "reverse=2", "reverse" },    { "values=yes", "values" },
        { "prefix=%zz", "prefix" },    { "prefix=a&prefix64=YQ", "prefix64" },
        { "start64=YQ==", "start64" }, { "end64=!", "end64" },
        { "next=abc", "next" },        { "next=", "next" },
        { "perfix=a", "a query parameter that is not known" },
    };
    char target[128];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(target, sizeof target, "/v1/kv/s?%s", bad[i][0]);
        const char *a = call("GET", target, "", NULL);
        check_refused(a, 400, "field");
        if (strstr(body_of(a), bad[i][1]) == NULL) {
            fail_msg("%s: %s", bad[i][0], body_of(a));
        }
    }
}

static void a_token_that_was_changed_or_is_foreign_is_400(void **state)
{
    char query[3000];

    (void)state;
    keys_fill();
    assert_int_equal(status_of(call("PUT", "/v1/spaces/t", "", "{}")), 201);
    json_t *doc = page("limit=2");
    const char *next = json_string_value(json_object_get(doc, "next"));
    snprintf(query, sizeof query, "/v1/kv/t?next=%s", next);
    check_refused(call("GET", query, "", NULL), 400, "field");
    snprintf(query, sizeof query, "/v1/kv/s?next=%s&reverse=1", next);
    check_refused(call("GET", query, "", NULL), 400, "field");
    snprintf(query, sizeof query, "/v1/kv/s?next=%s", next);
    query[strlen(query) - 4] = query[strlen(query) - 4] == 'A' ? 'B' : 'A';
    check_refused(call("GET", query, "", NULL), 400, "field");
    json_decref(doc);
}

static void a_bad_batch_is_400_with_the_index(void **state)
{
    (void)state;
    check_refused(call("POST", "/v1/batch", "Content-Type: " KVS_BATCH_TYPE "\r\n", "MSB2aaaaaaa"),
                  400, "batch");
    check_refused(call("POST", "/v1/batch", "Content-Type: " KVS_BATCH_TYPE "\r\n", ""), 400, "batch");
    check_refused(call("POST", "/v1/batch", "Content-Type: text/plain\r\n", "x"), 400, "field");
    check_refused(call("POST", "/v1/batch", "", "x"), 400, "field");
    check_refused(batch("{\"space\":\"s\",\"ops\":[]}"), 400, "batch");
    check_refused(batch("{"), 400, "batch");
    const char *a = batch("{\"space\":\"s\",\"ops\":[{\"op\":\"get\",\"key\":\"a\"},{\"op\":\"put\",\"key\":\"b\"}]}");
    check_refused(a, 400, "batch");
    assert_non_null(strstr(body_of(a), "\"op\":1"));
    a = batch("{\"space\":\"s\",\"ops\":[{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\"},"
              "{\"op\":\"check\",\"key\":\"b\",\"if_absent\":true},{\"op\":\"delete\",\"key\":\"a\"}]}");
    check_refused(a, 400, "batch");
    assert_non_null(strstr(body_of(a), "\"op\":2"));
    check_refused(call("GET", "/v1/kv/s/a", "", NULL), 404, "no_key");
}

static void bad_settings_of_a_space_are_400(void **state)
{
    static const char *const bad[] = {
        "[]", "{", "{\"quota_bytes\":-1}", "{\"quota_keys\":\"1\"}", "{\"ttl_s\":316224001}",
        "{\"style\":\"x\"}", "{\"style\":1}", "{\"compression\":\"zip\"}", "{\"policy\":\"hot\"}",
        "{\"ttl_s\":1,\"ttl_s\":2}",
        "{\"ttl_s\":1,\"quota_keys\":2}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_refused(call("PUT", "/v1/spaces/t", "", bad[i]), 400, "field");
    }
    check_refused(call("PUT", "/v1/spaces/T", "", "{}"), 400, "space");
    check_refused(call("PUT", "/v1/spaces/-t", "", "{}"), 400, "space");
    check_refused(call("PUT", "/v1/spaces/t", "If-Match: \"1\"\r\n", "{}"), 400, "field");
    check_refused(call("GET", "/v1/spaces/t", "", NULL), 404, "no_space");
}

static void a_full_disk_is_507_and_reads_and_deletes_go_on(void **state)
{
    (void)state;
    assert_int_equal(put_of("a", "", "v"), 204);
    fixture_disk_free_min = UINT64_MAX;
    site_restart(&s);
    check_refused(call("PUT", "/v1/kv/s/b", "", "v"), 507, "disk");
    assert_int_equal(status_of(call("GET", "/v1/kv/s/a", "", NULL)), 200);
    assert_int_equal(status_of(call("DELETE", "/v1/kv/s/a", "", NULL)), 204);
}

static void no_answer_echoes_a_key_or_a_value(void **state)
{
    (void)state;
    assert_null(strstr(call("GET", "/v1/kv/s/secretkey", "", NULL), "secretkey"));
    assert_null(strstr(call("PUT", "/v1/kv/none/secretkey", "", "secretvalue"), "secret"));
    assert_null(strstr(batch("{\"secretkey\":\"secretvalue\"}"), "secret"));
    assert_null(strstr(batch("secretvalue"), "secret"));
    assert_null(strstr(call("GET", "/v1/kv/s?secretname=1", "", NULL), "secretname"));
}

static void a_stranger_cannot_send_much(void **state)
{
    size_t size = 1u << 20;
    char *request = calloc(1, size);

    (void)state;
    int n = snprintf(request, size, "PUT /v1/kv/s/a HTTP/1.1\r\nHost: k\r\nContent-Length: %zu\r\n\r\n",
                     8 * size);
    memset(request + n, 'x', size - (size_t)n);
    check_refused(site_raw(&s, request, size), 401, "auth");
    free(request);
}

static void bodies_under_way_are_bounded_together(void **state)
{
    char body[4098] = "";

    (void)state;
    site_end(&s);
    site_begin(&s, false, 4096);
    memset(body, 'x', sizeof body - 1);
    assert_int_equal(put_of("a", "", "short"), 204);
    const char *a = call("PUT", "/v1/kv/s/a", "", body);
    check_refused(a, 429, "rate");
    assert_string_equal(header_of(a, "Retry-After"), "1");
}

static void a_client_that_leaves_early_harms_nobody(void **state)
{
    char request[512];

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        int n = snprintf(request, sizeof request,
                         "PUT /v1/kv/s/a%u HTTP/1.1\r\nHost: k\r\n%sContent-Length: 100\r\n\r\nhalf",
                         i, s.all);
        int fd = site_connect(&s);
        assert_int_equal(send(fd, request, (size_t)n, MSG_NOSIGNAL), n);
        close(fd);
        n = snprintf(request, sizeof request,
                     "PUT /v1/kv/s/b%u HTTP/1.1\r\nHost: k\r\n%sContent-Length: 1\r\n\r\nv", i, s.all);
        fd = site_connect(&s);
        assert_int_equal(send(fd, request, (size_t)n, MSG_NOSIGNAL), n);
        close(fd);
    }
    assert_int_equal(put_of("c", "", "v"), 204);
    assert_int_equal(status_of(call("GET", "/v1/kv/s/c", "", NULL)), 200);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(a_value_is_put_and_got_with_its_rev),
        HERE(head_tells_size_and_rev_only),
        HERE(an_empty_value_is_a_value),
        HERE(a_key_may_have_any_octet),
        HERE(a_deleted_key_is_gone),
        HERE(conditions_hold_for_put_and_delete),
        HERE(a_read_may_name_the_rev_it_knows),
        HERE(a_value_ends_at_its_time),
        HERE(a_chunked_body_is_a_body),
        HERE(everything_is_there_after_a_restart),
        HERE(a_value_of_any_size_comes_back),
        HERE(a_page_is_named_by_prefix_start_and_end),
        HERE(tokens_lead_through_all_pages),
        HERE(a_page_tells_its_snapshot_range_and_successor),
        HERE(a_page_comes_in_binary_when_asked),
        HERE(a_token_of_an_earlier_run_is_gone),
        HERE(a_page_at_a_snapshot_does_not_see_later_writes),
        HERE(tokens_carry_the_snapshot_along),
        HERE(a_snapshot_can_be_let_go),
        HERE(a_header_that_names_no_snapshot_is_400),
        HERE(a_batch_in_json_is_all_or_nothing),
        HERE(a_binary_batch_is_answered_in_binary),
        HERE(who_may_not_read_is_not_told_the_rev_in_the_way),
        HERE(a_space_is_made_looked_at_changed_and_deleted),
        HERE(a_space_needs_no_body),
        HERE(status_tells_revs_and_the_rollback_level),
        HERE(without_a_valid_key_everything_is_401),
        HERE(a_lacking_scope_is_403_whether_the_space_exists_or_not),
        HERE(a_scan_needs_a_scope_for_its_whole_range),
        HERE(a_batch_needs_a_scope_for_every_operation),
        HERE(unknown_space_and_unknown_key_are_404),
        HERE(a_key_empty_long_or_badly_escaped_is_400),
        HERE(a_body_over_its_limit_is_413_before_it_is_read),
        HERE(a_put_without_length_and_chunks_is_411),
        HERE(bad_conditions_and_times_to_live_are_400),
        HERE(a_bad_query_is_400_and_names_its_field),
        HERE(a_token_that_was_changed_or_is_foreign_is_400),
        HERE(a_bad_batch_is_400_with_the_index),
        HERE(bad_settings_of_a_space_are_400),
        HERE(a_full_disk_is_507_and_reads_and_deletes_go_on),
        HERE(no_answer_echoes_a_key_or_a_value),
        HERE(a_stranger_cannot_send_much),
        HERE(bodies_under_way_are_bounded_together),
        HERE(a_client_that_leaves_early_harms_nobody),
    };
    return cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
}
