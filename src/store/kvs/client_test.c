/* SPDX-License-Identifier: Apache-2.0 */
/* lib/client/kvs against a real gateway over TLS: blocking, and from a loop. */
#include "lib/base/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/client/kvs.h"
#include "store/kvs/gateway_fixture.h"

static struct site s;
static struct loop *loop;
static struct kvs_client *client;

static struct kvs_client *client_with(unsigned key_number)
{
    struct http_client_options o = { .base_url = s.url, .bearer_file = s.key_files[key_number] };
    struct kvs_client *c;

    o.tls.ca = test_pki_path(&s.pki, "ca.pem");
    assert_ok(kvs_client_new(loop, &o, &c));
    return c;
}

static int setup(void **state)
{
    (void)state;
    site_begin(&s, true, 0);
    assert_ok(loop_new(&loop));
    client = client_with(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kvs_client_free(client);
    loop_free(loop);
    site_end(&s);
    return 0;
}

static void fill(struct kvs_batch *b, unsigned count, enum kvs_expect expect)
{
    char key[16];

    assert_ok(kvs_batch_begin(b, "s"));
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof key, "k%05u", i);
        assert_ok(kvs_batch_put(b, expect, 0, bytes_of_string(key), bytes_of_string(key + 1)));
    }
}

static void a_batch_is_sent_and_answered(void **state)
{
    AUTO(kvs_batch_done) struct kvs_batch b = { 0 };
    AUTO(buf_done) struct buf octets = { 0 };
    struct kvs_batch_answer answer;
    struct kvs_result r;

    (void)state;
    fill(&b, 100, KVS_ABSENT);
    assert_ok(kvs_batch_wait(client, &b, &octets, &answer));
    assert_int_equal(answer.rev, 1);
    assert_int_equal(answer.count, 100);
    assert_ok(kvs_result_take(&answer.results, &r));
    assert_int_equal(r.status, KVS_DONE);
    assert_int_equal(r.rev, 1);

    assert_ok(kvs_batch_begin(&b, "s"));
    assert_ok(kvs_batch_get(&b, BYTES_LIT("k00007")));
    assert_ok(kvs_batch_get(&b, BYTES_LIT("none")));
    assert_ok(kvs_batch_wait(client, &b, &octets, &answer));
    assert_ok(kvs_result_take(&answer.results, &r));
    assert_true(bytes_equal(r.value, BYTES_LIT("00007")));
    assert_ok(kvs_result_take(&answer.results, &r));
    assert_int_equal(r.status, KVS_IS_ABSENT);
}

static void a_failed_condition_is_a_conflict_with_its_list(void **state)
{
    AUTO(kvs_batch_done) struct kvs_batch b = { 0 };
    AUTO(buf_done) struct buf octets = { 0 };
    struct kvs_batch_answer answer;
    struct kvs_result r;

    (void)state;
    fill(&b, 3, KVS_ABSENT);
    assert_ok(kvs_batch_wait(client, &b, &octets, &answer));
    assert_err(kvs_batch_wait(client, &b, &octets, &answer), ERR_CONFLICT);
    assert_int_equal(answer.count, 3);
    assert_ok(kvs_result_take(&answer.results, &r));
    assert_int_equal(r.status, KVS_FAILED);
    assert_int_equal(r.rev, 1);

    assert_ok(kvs_batch_begin(&b, "s"));
    assert_ok(kvs_batch_check(&b, KVS_REV, 1, BYTES_LIT("k00000")));
    assert_ok(kvs_batch_delete(&b, KVS_REV, 1, BYTES_LIT("k00001")));
    assert_ok(kvs_batch_wait(client, &b, &octets, &answer));
}

static unsigned scan_all(bool reverse, uint32_t limit)
{
    AUTO(buf_done) struct buf octets = { 0 };
    AUTO(buf_done) struct buf bound = { .max = KVS_KEY_BYTES_MAX };
    struct kvs_range range = { .space = "s", .limit = limit, .reverse = reverse };
    struct kvs_page page;
    unsigned count = 0;

    do {
        assert_ok(kvs_scan_wait(client, &range, &octets, &page));
        count += page.count;
        buf_clear(&bound);
        assert_ok(buf_append(&bound, page.next));
        *(reverse ? &range.end : &range.start) = buf_bytes(&bound);
    } while (page.more);
    return count;
}

static void pages_join_in_both_directions(void **state)
{
    AUTO(kvs_batch_done) struct kvs_batch b = { 0 };
    AUTO(buf_done) struct buf octets = { 0 };
    struct kvs_batch_answer answer;

    (void)state;
    fill(&b, 1000, KVS_ANY);
    assert_ok(kvs_batch_wait(client, &b, &octets, &answer));
    assert_int_equal(scan_all(false, 7), 1000);
    assert_int_equal(scan_all(true, 7), 1000);
    assert_int_equal(scan_all(false, 1000), 1000);
    assert_int_equal(scan_all(false, 10000), 1000);
}

static void put_one(const char *key)
{
    AUTO(kvs_batch_done) struct kvs_batch b = { 0 };
    AUTO(buf_done) struct buf octets = { 0 };
    struct kvs_batch_answer answer;

    assert_ok(kvs_batch_begin(&b, "s"));
    assert_ok(kvs_batch_put(&b, KVS_ANY, 0, bytes_of_string(key), BYTES_LIT("")));
    assert_ok(kvs_batch_wait(client, &b, &octets, &answer));
}

/* Writes a key behind each page. */
static unsigned scan_among_writes(bool consistent)
{
    AUTO(buf_done) struct buf octets = { 0 };
    AUTO(buf_done) struct buf bound = { .max = KVS_KEY_BYTES_MAX };
    struct kvs_range range = { .space = "s", .limit = 10, .consistent = consistent };
    struct kvs_page page = { .more = true };
    unsigned count = 0;
    char key[16];

    while (page.more) {
        assert_ok(kvs_scan_wait(client, &range, &octets, &page));
        assert_true((page.snapshot != 0) == (consistent && page.more));
        count += page.count;
        buf_clear(&bound);
        assert_ok(buf_append(&bound, page.next));
        range.start = buf_bytes(&bound);
        range.snapshot = page.snapshot;
        if (count <= 50) {
            snprintf(key, sizeof key, "%s%03u", consistent ? "y" : "z", count);
            put_one(key);
        }
    }
    return count;
}

static void pages_of_one_snapshot_show_one_state(void **state)
{
    AUTO(kvs_batch_done) struct kvs_batch b = { 0 };
    AUTO(buf_done) struct buf octets = { 0 };
    struct kvs_batch_answer answer;

    (void)state;
    fill(&b, 50, KVS_ANY);
    assert_ok(kvs_batch_wait(client, &b, &octets, &answer));
    assert_int_equal(scan_among_writes(true), 50);
    assert_int_equal(scan_among_writes(false), 50 + 5 + 5); /* of the first scan, and of its own */
}

static void a_snapshot_that_is_gone_is_missing(void **state)
{
    AUTO(kvs_batch_done) struct kvs_batch b = { 0 };
    AUTO(buf_done) struct buf octets = { 0 };
    struct kvs_range range = { .space = "s", .limit = 1, .snapshot = 17 };
    struct kvs_batch_answer answer;
    struct kvs_page page;

    (void)state;
    fill(&b, 2, KVS_ANY);
    assert_ok(kvs_batch_wait(client, &b, &octets, &answer));
    assert_err(kvs_scan_wait(client, &range, &octets, &page), ERR_MISSING);
    assert_non_null(strstr(err_text(), "410 snapshot"));
    range = (struct kvs_range){ .space = "s", .limit = 10, .consistent = true, .keep = true };
    assert_ok(kvs_scan_wait(client, &range, &octets, &page));
    range.snapshot = page.snapshot;
    assert_ok(kvs_scan_wait(client, &range, &octets, &page));
    kvs_snapshot_drop(client, page.snapshot);
    struct loop_timer soon;
    loop_timer_init(&soon, loop, (void (*)(void *))loop_stop, loop);
    for (unsigned i = 0; engine_snapshot_count(s.store.engine) > 0; i++) {
        assert_true(i < 1000);
        assert_ok(loop_timer_at(&soon, loop_now_us(loop) + 5000));
        assert_ok(loop_run(loop));
    }
    assert_err(kvs_scan_wait(client, &range, &octets, &page), ERR_MISSING);
}

static void the_longest_bounds_can_be_asked_for(void **state)
{
    static uint8_t low[KVS_KEY_BYTES_MAX], high[KVS_KEY_BYTES_MAX];
    AUTO(buf_done) struct buf octets = { 0 };
    struct kvs_range range = { .space = "s", .limit = 1, .start = BYTES_OF(low),
                               .end = BYTES_OF(high) };
    struct kvs_page page;

    (void)state;
    memset(high, 0xff, sizeof high);
    assert_ok(kvs_scan_wait(client, &range, &octets, &page));
    assert_int_equal(page.count, 0);
}

static void wrong_use_is_refused_before_it_is_sent(void **state)
{
    AUTO(kvs_batch_done) struct kvs_batch b = { 0 };
    AUTO(buf_done) struct buf octets = { 0 };
    struct kvs_range range = { .space = "s" };
    struct kvs_batch_answer answer;
    struct kvs_page page;

    (void)state;
    assert_err(kvs_batch_begin(&b, "No Space"), ERR_PROTO);
    assert_ok(kvs_batch_begin(&b, "s"));
    assert_err(kvs_batch_wait(client, &b, &octets, &answer), ERR_PROTO);
    assert_err(kvs_batch_get(&b, (struct bytes){ 0 }), ERR_LIMIT);
    assert_err(kvs_scan_wait(client, &range, &octets, &page), ERR_LIMIT);
    range.limit = KVS_PAGE_KEYS_MAX + 1;
    assert_err(kvs_scan_wait(client, &range, &octets, &page), ERR_LIMIT);
    assert_err(kvs_space_create_wait(client, "../x"), ERR_PROTO);
}

static void a_space_is_made_once_and_present_is_fine(void **state)
{
    (void)state;
    assert_ok(kvs_space_create_wait(client, "fresh"));
    assert_ok(kvs_space_create_wait(client, "fresh"));
}

static void refusals_have_the_code_and_words_of_the_server(void **state)
{
    AUTO(kvs_batch_done) struct kvs_batch b = { 0 };
    AUTO(buf_done) struct buf octets = { 0 };
    struct kvs_client *reader = client_with(1);
    struct kvs_client *expired = client_with(4);
    struct kvs_batch_answer answer;

    (void)state;
    assert_err(kvs_space_create_wait(reader, "t"), ERR_AUTH);
    assert_non_null(strstr(err_text(), "403 scope"));
    assert_err(kvs_space_create_wait(expired, "t"), ERR_AUTH);
    assert_non_null(strstr(err_text(), "401 auth"));
    assert_ok(kvs_batch_begin(&b, "none"));
    assert_ok(kvs_batch_get(&b, BYTES_LIT("a")));
    assert_err(kvs_batch_wait(client, &b, &octets, &answer), ERR_MISSING);
    kvs_client_free(reader);
    kvs_client_free(expired);
}

/* --- from a loop --- */

struct seen {
    unsigned batches, pages, wanted;
    uint32_t keys;
    enum err_code batch_code;
};

static void check_done(struct seen *seen)
{
    if (seen->batches + seen->pages == seen->wanted) {
        loop_stop(loop);
    }
}

static void on_page(void *arg, err e, const struct kvs_page *page)
{
    struct seen *seen = arg;

    assert_ok(e);
    seen->pages++;
    seen->keys = page->count;
    check_done(seen);
}

static void on_batch(void *arg, err e, const struct kvs_batch_answer *answer)
{
    struct seen *seen = arg;
    const struct kvs_range range = { .space = "s", .limit = 100, .start = BYTES_LIT("k"),
                                     .end = BYTES_LIT("l") };

    (void)answer;
    seen->batches++;
    seen->batch_code = e.code;
    assert_ok(kvs_scan(client, &range, on_page, seen));
    check_done(seen);
}

static void calls_come_back_in_the_loop(void **state)
{
    AUTO(kvs_batch_done) struct kvs_batch b = { 0 };
    struct seen seen = { .wanted = 2 };

    (void)state;
    fill(&b, 5, KVS_ABSENT);
    assert_ok(kvs_batch_send(client, &b, on_batch, &seen));
    assert_ok(loop_run(loop));
    assert_int_equal(seen.batch_code, ERR_NONE);
    assert_int_equal(seen.keys, 5);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(a_batch_is_sent_and_answered),
        HERE(a_failed_condition_is_a_conflict_with_its_list),
        HERE(pages_join_in_both_directions),
        HERE(pages_of_one_snapshot_show_one_state),
        HERE(a_snapshot_that_is_gone_is_missing),
        HERE(the_longest_bounds_can_be_asked_for),
        HERE(wrong_use_is_refused_before_it_is_sent),
        HERE(a_space_is_made_once_and_present_is_fine),
        HERE(refusals_have_the_code_and_words_of_the_server),
        HERE(calls_come_back_in_the_loop),
    };
    return cmocka_run_group_tests_name("kvs client", tests, NULL, NULL);
}
