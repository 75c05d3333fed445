/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/collector/test_fixture.h"

/* --- the store fails, the collector dies --- */

static void a_batch_that_failed_is_written_again_and_not_acknowledged_before(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 1);
    fake_store_answer_all(&f.store, f.c, f.now_us);
    pass(&f, COLLECTOR_BATCH_US);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(f.store.request_count, 1);
        fake_store_answer(&f.store, f.c, f.now_us, 0, (err){ ERR_IO }, i == 3);
        assert_int_equal(acked(&f, ACK_REPORTS), 0);
        pass(&f, 100000ull << i);
    }
    fake_store_answer_all(&f.store, f.c, f.now_us);
    assert_int_equal(acked(&f, ACK_REPORTS), 1);
    assert_int_equal(fake_store_readings(&f.store), 1);
    assert_int_equal(fake_store_events(&f.store, "conflict"), 0);
    end(&f);
}

static void a_store_that_hangs_holds_the_links_and_loses_nothing(void **state)
{
    struct fixture f;
    uint32_t total = COLLECTOR_BATCHES_MAX * BATCH_READINGS_MAX + 700;

    (void)state;
    start(&f);
    push(&f, 1, total);
    settle(&f);
    for (uint32_t s = 2; s <= total; s++) {
        push(&f, s, total);
    }
    assert_true(fake_host_link(&f.fake, AUTH)->held);
    assert_int_equal(f.store.request_count, COLLECTOR_BATCHES_MAX);
    assert_int_equal(collector_batches(f.c), COLLECTOR_BATCHES_MAX);
    settle(&f);
    assert_false(fake_host_link(&f.fake, AUTH)->held);
    assert_int_equal(fake_store_readings(&f.store), total);
    assert_int_equal(acked(&f, ACK_REPORTS), total);
    end(&f);
}

static void a_restart_reads_the_state_from_the_store(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 4);
    push(&f, 2, 4);
    push(&f, 4, 4);
    settle(&f);
    restart(&f, true);
    push(&f, 2, 4); /* its acknowledgement was lost */
    settle(&f);
    assert_int_equal(counted(&f, COLLECTOR_RECOVERED), 1);
    assert_int_equal(acked(&f, ACK_REPORTS), 2);
    assert_int_equal(counted(&f, COLLECTOR_DUPLICATES), 1);
    push(&f, 3, 4);
    settle(&f);
    assert_int_equal(acked(&f, ACK_REPORTS), 4);
    end(&f);
}

static void a_crash_before_the_first_reports_are_stored_loses_none(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 3);
    fake_store_answer_all(&f.store, f.c, f.now_us);
    pass(&f, COLLECTOR_BATCH_US); /* the first is on its way */
    push(&f, 3, 3);
    pass(&f, COLLECTOR_BATCH_US);
    fake_store_answer(&f.store, f.c, f.now_us, 1, OK, true); /* the third is stored alone */
    restart(&f, false);
    push(&f, 3, 3);
    settle(&f);
    assert_int_equal(acked(&f, ACK_REPORTS), 0); /* 1 and 2 are still the meter's */
    push(&f, 1, 3);
    push(&f, 2, 3);
    settle(&f);
    assert_int_equal(acked(&f, ACK_REPORTS), 3);
    assert_int_equal(fake_store_readings(&f.store), 3);
    end(&f);
}

static void rows_written_without_an_answer_are_duplicates_after_a_crash(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 1);
    fake_store_answer_all(&f.store, f.c, f.now_us);
    pass(&f, COLLECTOR_BATCH_US);
    restart(&f, true);
    push(&f, 1, 1);
    settle(&f);
    assert_int_equal(fake_store_readings(&f.store), 1);
    assert_int_equal(acked(&f, ACK_REPORTS), 1);
    end(&f);
}

static void blocks_that_wait_for_their_meters_state_are_bounded(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    for (uint32_t s = 1; s <= 100; s++) {
        push(&f, s, 100);
    }
    assert_int_equal(counted(&f, COLLECTOR_WAITING_LOST), 60);
    settle(&f);
    assert_int_equal(acked(&f, ACK_REPORTS), 40);
    end(&f);
}

/* --- seals --- */

static struct sealed_day seal_of(uint32_t day, uint32_t first, uint32_t last,
                                 const struct sealed_day *before, const struct private_key *key)
{
    struct seal s = { .alg = SIGN_P256, .meter = METER, .start_s = BASE_S + day * S_PER_DAY,
                      .end_s = BASE_S + (day + 1) * S_PER_DAY, .first = first, .last = last,
                      .count = last - first + 1 };
    struct sealed_day d;

    s.flags = before == NULL ? SEAL_FIRST : 0;
    if (before != NULL) {
        s.previous = seal_hash(&before->seal);
    }
    assert_ok(seal_sign(&s, key, &d));
    return d;
}

static void push_seal(struct fixture *f, const struct sealed_day *d)
{
    for (size_t part = seal_part_count(d); part > 0; part--) { /* the last part first */
        uint8_t block[NBR_RESPONSE_BYTES];
        seal_part_encode(d, part - 1, block);
        assert_ok(block_from(f, METER, ENVELOPE_PUSH, 0, 0, block));
    }
}

static size_t seal_count(const struct fixture *f)
{
    const struct fake_seal *s = fake_store_meter(&f->store, METER)->seals;
    size_t count = 0;

    for (; s != NULL; s = s->next) {
        count++;
    }
    return count;
}

static void a_seal_is_stored_when_its_readings_are_and_then_acknowledged(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    struct sealed_day d = seal_of(0, 1, 2, NULL, signing_key);
    push(&f, 1, 2);
    settle(&f);
    push_seal(&f, &d);
    settle(&f);
    assert_int_equal(seal_count(&f), 0);
    assert_int_equal(acked(&f, ACK_SEALS), 0);
    push(&f, 2, 2);
    settle(&f);
    assert_int_equal(seal_count(&f), 1);
    assert_int_equal(acked(&f, ACK_SEALS), d.seal.end_s);
    end(&f);
}

static void seals_are_stored_in_the_order_of_their_days(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    struct sealed_day one = seal_of(0, 1, 1, NULL, signing_key);
    struct sealed_day two = seal_of(1, 2, 2, &one, signing_key);
    push(&f, 1, 2);
    push(&f, 2, 2);
    settle(&f);
    push_seal(&f, &two);
    settle(&f);
    assert_int_equal(seal_count(&f), 0);
    push_seal(&f, &one);
    settle(&f);
    assert_int_equal(seal_count(&f), 2);
    assert_int_equal(acked(&f, ACK_SEALS), two.seal.end_s);
    end(&f);
}

static void a_seal_of_another_signer_is_an_event_and_not_stored(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    struct sealed_day d = seal_of(0, 1, 1, NULL, foreign_key);
    push(&f, 1, 1);
    settle(&f);
    push_seal(&f, &d);
    settle(&f);
    assert_int_equal(seal_count(&f), 0);
    assert_int_equal(fake_store_events(&f.store, "seal"), 1);
    assert_int_equal(acked(&f, ACK_SEALS), 0);
    end(&f);
}

static void a_seal_that_does_not_chain_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    struct sealed_day one = seal_of(0, 1, 1, NULL, signing_key);
    struct sealed_day stranger = seal_of(0, 1, 1, &one, signing_key);
    struct sealed_day two = seal_of(1, 2, 2, &stranger, signing_key);
    push(&f, 1, 2);
    push(&f, 2, 2);
    settle(&f);
    push_seal(&f, &one);
    push_seal(&f, &two);
    settle(&f);
    assert_int_equal(seal_count(&f), 1);
    assert_int_equal(fake_store_events(&f.store, "seal"), 1);
    assert_int_equal(acked(&f, ACK_SEALS), one.seal.end_s);
    end(&f);
}

static void a_seal_sent_again_is_acknowledged_again(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    struct sealed_day d = seal_of(0, 1, 1, NULL, signing_key);
    push(&f, 1, 1);
    settle(&f);
    push_seal(&f, &d);
    settle(&f);
    clear(&f);
    push_seal(&f, &d);
    settle(&f);
    assert_int_equal(acked(&f, ACK_SEALS), d.seal.end_s);
    assert_int_equal(seal_count(&f), 1);
    end(&f);
}

static void a_seal_signed_again_after_a_crash_is_the_same_seal(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    struct sealed_day d = seal_of(0, 1, 1, NULL, signing_key);
    push(&f, 1, 1);
    settle(&f);
    push_seal(&f, &d);
    pass(&f, COLLECTOR_BATCH_US);
    restart(&f, true); /* written, but nobody heard it */
    struct sealed_day again = seal_of(0, 1, 1, NULL, signing_key);
    push_seal(&f, &again);
    settle(&f);
    assert_int_equal(seal_count(&f), 1);
    assert_int_equal(acked(&f, ACK_SEALS), d.seal.end_s);
    end(&f);
}

static void after_a_restart_the_newest_seal_is_the_mark(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    struct sealed_day one = seal_of(0, 1, 3, NULL, signing_key);
    for (uint32_t s = 1; s <= 3; s++) {
        push(&f, s, 3);
    }
    settle(&f);
    push_seal(&f, &one);
    settle(&f);
    restart(&f, true);
    push(&f, 97, 97);
    settle(&f);
    assert_int_equal(collector_mark(f.c, METER), 3);
    struct sealed_day two = seal_of(1, 4, 97, &one, signing_key);
    for (uint32_t s = 4; s <= 96; s++) {
        push(&f, s, 97);
    }
    push_seal(&f, &two);
    settle(&f);
    assert_int_equal(seal_count(&f), 2);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_that_failed_is_written_again_and_not_acknowledged_before),
        cmocka_unit_test(a_store_that_hangs_holds_the_links_and_loses_nothing),
        cmocka_unit_test(a_restart_reads_the_state_from_the_store),
        cmocka_unit_test(a_crash_before_the_first_reports_are_stored_loses_none),
        cmocka_unit_test(rows_written_without_an_answer_are_duplicates_after_a_crash),
        cmocka_unit_test(blocks_that_wait_for_their_meters_state_are_bounded),
        cmocka_unit_test(a_seal_is_stored_when_its_readings_are_and_then_acknowledged),
        cmocka_unit_test(seals_are_stored_in_the_order_of_their_days),
        cmocka_unit_test(a_seal_of_another_signer_is_an_event_and_not_stored),
        cmocka_unit_test(a_seal_that_does_not_chain_is_refused),
        cmocka_unit_test(a_seal_sent_again_is_acknowledged_again),
        cmocka_unit_test(a_seal_signed_again_after_a_crash_is_the_same_seal),
        cmocka_unit_test(after_a_restart_the_newest_seal_is_the_mark),
    };
    return cmocka_run_group_tests_name("durable", tests, make_keys, free_keys);
}
