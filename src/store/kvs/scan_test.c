/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <stdio.h>
#include <string.h>

#include "store/kvs/page_json.h"
#include "store/kvs/store_fixture.h"

#define KEYS 25

static struct store s;

static int setup(void **state)
{
    char key[8];

    (void)state;
    store_fresh(&s);
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%02u", i);
        assert_int_equal(put(&s, key, key + 1, KVS_ANY, 0, NULL), KV_OK);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(&s);
    store_remove(&s);
    return 0;
}

static struct kv_request *scan(const char *start, const char *end, uint32_t limit, bool reverse)
{
    struct kv_request *r = call_new(&s, "s");

    r->scan = (struct kv_scan){ .start = bytes_of_string(start), .end = bytes_of_string(end),
                                .limit = limit, .reverse = reverse, .values = true };
    assert_int_equal(call_read(&s, r, read_scan), KV_OK);
    return r;
}

/* The keys of a page, joined by blanks, and the next key behind a colon. */
static const char *page_text(const struct kv_request *r)
{
    static char text[8192];
    struct kvs_msp page;
    struct kvs_entry e;
    size_t at = 0;

    assert_ok(kvs_msp_read(buf_bytes(&r->answer), &page));
    assert_int_equal(page.count, r->answer_count);
    text[0] = 0;
    for (uint32_t i = 0; i < page.count; i++) {
        assert_ok(kvs_entry_take(&page.entries, &e));
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", i > 0 ? " " : "",
                               (int)e.key.len, (const char *)e.key.ptr);
    }
    if (page.more) {
        snprintf(text + at, sizeof text - at, ":%.*s", (int)page.next.len,
                 (const char *)page.next.ptr);
    }
    return text;
}

static void check_page(const char *start, const char *end, uint32_t limit, bool reverse,
                       const char *want)
{
    struct kv_request *r = scan(start, end, limit, reverse);

    assert_string_equal(page_text(r), want);
    call_done(r);
}

static void pages_are_in_key_order_and_name_their_successor(void **state)
{
    (void)state;
    check_page("", "", 3, false, "k00 k01 k02:k03");
    check_page("k03", "", 3, false, "k03 k04 k05:k06");
    check_page("k22", "", 3, false, "k22 k23 k24");
    check_page("k22", "", 2, false, "k22 k23:k24");
    check_page("k05", "k08", 10, false, "k05 k06 k07");
    check_page("k05", "k08", 3, false, "k05 k06 k07");
    check_page("k05", "k05", 3, false, "");
    check_page("x", "", 3, false, "");
    check_page("", "k00", 3, false, "");
}

static void pages_go_backwards_too(void **state)
{
    (void)state;
    check_page("", "", 3, true, "k24 k23 k22:k22");
    check_page("", "k22", 3, true, "k21 k20 k19:k19");
    check_page("k05", "k08", 10, true, "k07 k06 k05");
    check_page("k05", "k08", 3, true, "k07 k06 k05");
    check_page("k05", "k08", 2, true, "k07 k06:k06");
    check_page("", "k02", 5, true, "k01 k00");
    check_page("x", "", 3, true, "");
}

static void walk(bool reverse, uint32_t limit)
{
    char bound[8] = "";
    unsigned seen = 0;

    for (unsigned pages = 0; pages < 100; pages++) {
        struct kv_request *r = scan(reverse ? "" : bound, reverse ? bound : "", limit, reverse);
        seen += r->answer_count;
        bool more = r->answer_more;
        snprintf(bound, sizeof bound, "%.*s", (int)r->next_key_len, (const char *)r->next_key);
        call_done(r);
        if (!more) {
            break;
        }
    }
    assert_int_equal(seen, KEYS);
}

static void pages_join_without_gap_or_overlap(void **state)
{
    (void)state;
    for (uint32_t limit = 1; limit < KEYS + 2; limit++) {
        walk(false, limit);
        walk(true, limit);
    }
}

static void a_page_tells_the_rev_of_its_snapshot(void **state)
{
    struct kv_request *r = scan("", "", 1, false);
    struct kvs_msp page;
    uint64_t rev;

    (void)state;
    assert_ok(kvs_msp_read(buf_bytes(&r->answer), &page));
    assert_int_equal(page.rev, KEYS);
    call_done(r);
    assert_int_equal(put(&s, "zz", "", KVS_ANY, 0, &rev), KV_OK);
    r = scan("", "", 1, false);
    assert_int_equal(r->rev, rev);
    call_done(r);
}

static void values_can_be_left_out(void **state)
{
    struct kv_request *r = call_new(&s, "s");
    struct kvs_msp page;
    struct kvs_entry e;

    (void)state;
    r->scan = (struct kv_scan){ .limit = 1 };
    assert_int_equal(call_read(&s, r, read_scan), KV_OK);
    assert_ok(kvs_msp_read(buf_bytes(&r->answer), &page));
    assert_ok(kvs_entry_take(&page.entries, &e));
    assert_int_equal(e.value.len, 0);
    assert_int_equal(e.rev, 1);
    call_done(r);
}

static void a_page_ends_at_its_bound_of_octets_but_has_one_key(void **state)
{
    size_t size = SCAN_BYTES_MAX - 10;
    uint8_t *big = calloc(1, size + 20);
    struct kv_request *r;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        r = call_new(&s, "s");
        r->op = (struct kvs_op){ .type = KVS_PUT, .key = { (const uint8_t *)(i ? "a2" : "a1"), 2 },
                                 .value = { big, size + 20 * i } };
        assert_int_equal(call_commit(&s, r), KV_OK);
        call_done(r);
    }
    check_page("", "", 10, false, "a1:a2");
    check_page("a2", "", 10, false, "a2:k00");
    free(big);
}

static void expired_keys_are_not_on_a_page(void **state)
{
    struct kv_request *r = call_new(&s, "s");

    (void)state;
    r->op = (struct kvs_op){ .type = KVS_PUT, .key = BYTES_LIT("k01"), .ttl_s = 5 };
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    fixture_now_s += 5;
    check_page("", "k04", 2, false, "k00 k02:k03");
    check_page("", "k04", 3, true, "k03 k02 k00");
}

static void keys_come_in_json_too(void **state)
{
    struct kv_request *r = call_new(&s, "s");

    (void)state;
    r->op = (struct kvs_op){ .type = KVS_PUT, .key = BYTES_LIT("a\xff"), .value = BYTES_LIT("\"") };
    assert_int_equal(call_commit(&s, r), KV_OK);
    call_done(r);
    r = call_new(&s, "s");
    r->scan = (struct kv_scan){ .limit = 2, .values = true, .json = true };
    assert_int_equal(call_read(&s, r, read_scan), KV_OK);
    assert_ok(buf_u8(&r->answer, 0));
    assert_string_equal((const char *)r->answer.ptr,
                        "{\"keys\":[{\"key64\":\"Yf8\",\"rev\":26,\"value\":\"\\\"\"},"
                        "{\"key\":\"k00\",\"rev\":1,\"value\":\"00\"}");
    assert_true(r->answer_more);
    call_done(r);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(pages_are_in_key_order_and_name_their_successor),
        HERE(pages_go_backwards_too),
        HERE(pages_join_without_gap_or_overlap),
        HERE(a_page_tells_the_rev_of_its_snapshot),
        HERE(values_can_be_left_out),
        HERE(a_page_ends_at_its_bound_of_octets_but_has_one_key),
        HERE(expired_keys_are_not_on_a_page),
        HERE(keys_come_in_json_too),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
