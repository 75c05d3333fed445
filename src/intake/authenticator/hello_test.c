/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/authenticator/test_fixture.h"

/* --- handshake --- */

static void a_meter_opens_a_session_and_the_collector_is_told(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S - 5)));
    assert_int_equal(up_next(&f).kind, INTAKE_LOOKUP);
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
    take_answer(&f, &m);
    assert_ok(send_signal(&f, &m, NBR_ENQ, 9));
    struct intake_message opened = up_next(&f);
    assert_int_equal(opened.kind, INTAKE_OPENED);
    assert_int_equal(opened.opened.epoch, m.epoch);
    assert_int_equal(opened.opened.meter_s, UTC_S - 5);
    assert_int_equal(opened.opened.ours_s, UTC_S);
    uint32_t transaction;
    assert_int_equal(opened_signal(&f, &m, &transaction).signal, NBR_ACK);
    assert_int_equal(transaction, 9);
    assert_int_equal(authenticator_sessions(f.a), 1);
    end(&f);
}

static void suite_1_opens_a_session_too(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_RSA2048, 0, UTC_S)));
    tell_meter(&f, METER, true, SUITE_RSA2048, meter_public);
    take_answer(&f, &m);
    assert_ok(push(&f, &m, 1));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 1);
    end(&f);
}

static void the_second_hello_of_a_meter_needs_no_lookup(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S)));
    assert_true(up_is_empty(&f));
    take_answer(&f, &m);
    end(&f);
}

static void a_key_is_asked_for_again_when_it_is_old(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    pass(&f, 601 * US_PER_S);
    clear(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S + 601)));
    assert_false(up_is_empty(&f));
    end(&f);
}

static void an_unknown_meter_gets_a_hint_and_leaves_no_state(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = 0x777, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S)));
    tell_meter(&f, m.id, false, 0, NULL);
    assert_true(got_close(&f, AGG));
    assert_int_equal(refused(&f, AUTHENTICATOR_UNKNOWN), 1);
    assert_int_equal(authenticator_sessions(f.a), 0);
    clear(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S)));
    assert_true(up_is_empty(&f)); /* it is not asked for each time */
    assert_int_equal(refused(&f, AUTHENTICATOR_UNKNOWN), 2);
    end(&f);
}

static void a_hello_of_another_suite_is_refused(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_RSA2048, 0, UTC_S)));
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
    assert_int_equal(refused(&f, AUTHENTICATOR_SUITE), 1);
    assert_true(got_close(&f, AGG));
    end(&f);
}

static void a_hello_under_another_key_is_refused(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S)));
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, collector_public);
    assert_int_equal(refused(&f, AUTHENTICATOR_KEY_ID), 1);
    end(&f);
}

static void a_hello_more_than_ten_minutes_off_is_refused(void **state)
{
    static const struct {
        int32_t off_s;
        uint8_t flags;
        bool good;
    } cases[] = { { 600, 0, true },   { 601, 0, false },  { -600, 0, true },
                  { -601, 0, false }, { 86400, HELLO_CLOCK_UNSET, true } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        struct test_meter m = { .id = METER, .link = AGG };
        start(&f);
        uint32_t at_s = (uint32_t)((int32_t)UTC_S + cases[i].off_s);
        assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, cases[i].flags, at_s)));
        tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
        assert_int_equal(refused(&f, AUTHENTICATOR_TIME), cases[i].good ? 0 : 1);
        assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), cases[i].good ? 1 : 0);
        end(&f);
    }
}

static void every_refused_hello_gets_the_same_answer(void **state)
{
    struct fixture f;
    struct test_meter late = { .id = METER, .link = AGG }, forged = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&late, SUITE_X25519_RSA2048, 0, UTC_S - 1000)));
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
    struct bytes first = fake_host_sent(&f.fake, AGG);
    uint8_t kept[ENVELOPE_HEADER_BYTES + 4];
    assert_int_equal(first.len, sizeof kept);
    memcpy(kept, first.ptr, sizeof kept);
    clear(&f);
    make_hello(&forged, SUITE_X25519_RSA2048, 0, UTC_S);
    forged.hello.frame[forged.hello.frame_size - 1] ^= 1;
    assert_ok(from(&f, AGG, (struct bytes){ forged.hello.frame, forged.hello.frame_size }));
    assert_int_equal(refused(&f, AUTHENTICATOR_SIGNATURE), 1);
    struct bytes second = fake_host_sent(&f.fake, AGG);
    assert_int_equal(second.len, sizeof kept);
    assert_memory_equal(second.ptr + ENVELOPE_HEADER_BYTES, kept + ENVELOPE_HEADER_BYTES, 4);
    end(&f);
}

static void a_replayed_hello_is_refused(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    assert_ok(from(&f, AGG, (struct bytes){ m.hello.frame, m.hello.frame_size }));
    assert_int_equal(refused(&f, AUTHENTICATOR_NONCE), 1);
    assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), 1);
    end(&f);
}

static void a_replayed_hello_does_not_cut_a_live_session(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    uint8_t old[ENVELOPE_FRAME_BYTES_MAX];

    (void)state;
    start(&f);
    open_session(&f, &m);
    struct bytes second = make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S);
    memcpy(old, second.ptr, second.len);
    /* Somebody kept this HELLO back and sends it now; its answer never reaches the meter. */
    assert_ok(from(&f, AGG + 1, (struct bytes){ old, second.len }));
    assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), 2);
    assert_ok(push(&f, &m, 1));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 1);
    pass(&f, 61 * US_PER_S);
    assert_ok(push(&f, &m, 2));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 2);
    end(&f);
}

/* Whoever has seen a HELLO knows the ids of its keys: all that is checked before the signature. */
static void forged_hellos_do_not_use_up_those_of_the_meter(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    struct test_meter thief = { .id = METER, .link = AGG + 1 };

    (void)state;
    start(&f);
    say_hello(&f, &m);
    for (int i = 0; i < 10; i++) {
        struct bytes hello = make_hello(&thief, SUITE_X25519_RSA2048, 0, UTC_S);
        thief.hello.frame[hello.len - 1] ^= 1;
        assert_ok(from(&f, thief.link, hello));
    }
    assert_int_equal(refused(&f, AUTHENTICATOR_SIGNATURE), 10);
    say_hello(&f, &m);
    say_hello(&f, &m);
    assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), 3);
    say_hello(&f, &m);
    assert_int_equal(refused(&f, AUTHENTICATOR_METER_RATE), 1);
    end(&f);
}

static void a_meter_may_say_hello_three_times_and_then_every_ten_seconds(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    for (int i = 0; i < 3; i++) {
        say_hello(&f, &m);
    }
    assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), 3);
    say_hello(&f, &m);
    assert_int_equal(refused(&f, AUTHENTICATOR_METER_RATE), 1);
    pass(&f, 10 * US_PER_S);
    say_hello(&f, &m);
    assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), 4);
    end(&f);
}

static void a_flood_of_one_aggregator_does_not_reach_the_others(void **state)
{
    struct fixture f;
    struct test_meter loud = { .id = 0x99, .link = AGG }, quiet = { .id = METER, .link = AGG + 1 };

    (void)state;
    start_with(&f, (struct authenticator_options){ .hello_rate = 2 });
    struct bytes flood = make_hello(&loud, SUITE_X25519_RSA2048, 0, UTC_S);
    for (int i = 0; i < 100; i++) {
        assert_ok(from(&f, AGG, flood));
    }
    assert_int_equal(refused(&f, AUTHENTICATOR_LINK_RATE), 92);
    clear(&f);
    open_session(&f, &quiet);
    assert_int_equal(counted(&f, AUTHENTICATOR_OPENED), 1);
    end(&f);
}

static void a_hello_with_a_foreign_ciphertext_is_refused(void **state)
{
    struct fixture f;
    struct test_meter a = { .id = METER, .link = AGG }, b = { .id = METER + 1, .link = AGG };

    (void)state;
    start(&f);
    make_hello(&a, SUITE_RSA2048, 0, UTC_S);
    make_hello(&b, SUITE_RSA2048, 0, UTC_S);
    /* The OAEP part of one in the frame of the other, from offset 28 + 58. */
    memcpy(b.hello.frame + 86, a.hello.frame + 86, 256);
    assert_ok(from(&f, AGG, (struct bytes){ b.hello.frame, b.hello.frame_size }));
    tell_meter(&f, b.id, true, SUITE_RSA2048, meter_public);
    assert_int_equal(refused(&f, AUTHENTICATOR_SIGNATURE), 1);
    assert_int_equal(authenticator_sessions(f.a), 0);
    end(&f);
}

static void a_hello_of_another_signer_is_refused(void **state)
{
    struct fixture f;
    struct hello_parameters p = { METER, 1, SUITE_X25519_RSA2048, 0, UTC_S };
    struct hello h;

    (void)state;
    start(&f);
    assert_ok(hello_make(&p, foreign_key, collector_public, &h));
    AUTO(public_key_freep) struct public_key *foreign = NULL;
    assert_ok(public_key_of(foreign_key, &foreign));
    /* It names the meter's key but was signed by another. */
    store_u64(h.frame + ENVELOPE_HEADER_BYTES + 16, public_key_id(meter_public));
    assert_ok(from(&f, AGG, (struct bytes){ h.frame, h.frame_size }));
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
    assert_int_equal(refused(&f, AUTHENTICATOR_SIGNATURE), 1);
    hello_done(&h);
    end(&f);
}

static void a_hello_of_a_wrong_length_is_refused_before_anybody_is_asked(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S);
    store_u16(m.hello.frame + 6, 300);
    assert_ok(from(&f, AGG, (struct bytes){ m.hello.frame, ENVELOPE_HEADER_BYTES + 300 }));
    assert_int_equal(refused(&f, AUTHENTICATOR_HELLO_FORM), 1);
    assert_true(up_is_empty(&f));
    end(&f);
}

static void work_may_be_done_elsewhere_and_later(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start_with(&f, (struct authenticator_options){ .work = keep_job });
    say_hello(&f, &m);
    assert_non_null(f.job);
    assert_int_equal(authenticator_jobs(f.a), 1);
    assert_int_equal(fake_host_sent(&f.fake, AGG).len, 0);
    hello_job_run(f.job);
    authenticator_hello_done(f.a, f.now_us, f.job);
    take_answer(&f, &m);
    assert_int_equal(authenticator_jobs(f.a), 0);
    end(&f);
}

static void a_second_hello_while_one_is_worked_on_is_refused(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start_with(&f, (struct authenticator_options){ .work = keep_job });
    say_hello(&f, &m);
    struct hello_job *first = f.job;
    say_hello(&f, &m);
    assert_ptr_equal(f.job, first);
    assert_int_equal(refused(&f, AUTHENTICATOR_METER_RATE), 1);
    hello_job_run(first);
    authenticator_hello_done(f.a, f.now_us, first);
    end(&f);
}

static void more_sessions_than_allowed_are_refused(void **state)
{
    struct fixture f;
    struct test_meter a = { .id = METER, .link = AGG }, b = { .id = METER + 1, .link = AGG };

    (void)state;
    start_with(&f, (struct authenticator_options){ .sessions_max = 1 });
    open_session(&f, &a);
    say_hello(&f, &b);
    assert_int_equal(refused(&f, AUTHENTICATOR_LIMIT), 1);
    assert_ok(push(&f, &a, 1));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 1);
    end(&f);
}

/* --- epochs --- */

static void the_old_epoch_is_served_until_the_new_one_is_confirmed_and_60_s_more(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    struct test_meter old = m;
    say_hello(&f, &m);
    take_answer(&f, &m);
    assert_ok(push(&f, &old, 1)); /* not confirmed yet */
    assert_ok(push(&f, &m, 2));   /* confirmed */
    assert_ok(push(&f, &old, 3));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 3);
    pass(&f, 66 * US_PER_S);
    assert_ok(push(&f, &old, 4));
    assert_int_equal(refused(&f, AUTHENTICATOR_EPOCH), 1);
    assert_ok(push(&f, &m, 5));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 4);
    end(&f);
}

static void a_hello_that_is_never_confirmed_is_forgotten(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    say_hello(&f, &m);
    assert_int_equal(authenticator_sessions(f.a), 1);
    pass(&f, 66 * US_PER_S);
    assert_int_equal(authenticator_sessions(f.a), 0);
    end(&f);
}

static void a_session_ends_after_its_lifetime(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    pass(&f, 24 * 3600 * US_PER_S - 1);
    assert_int_equal(authenticator_sessions(f.a), 1);
    pass(&f, 6 * US_PER_S);
    assert_int_equal(authenticator_sessions(f.a), 0);
    assert_int_equal(up_next(&f).kind, INTAKE_CLOSED);
    end(&f);
}

static void an_unknown_epoch_gets_a_rate_limited_hint(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    m.session.epoch = (uint8_t)(m.session.epoch + 7);
    for (int i = 0; i < 1000; i++) {
        assert_ok(push(&f, &m, 1));
    }
    assert_int_equal(refused(&f, AUTHENTICATOR_EPOCH), 1000);
    assert_true(got_close(&f, AGG));
    assert_true(counted(&f, AUTHENTICATOR_HINTS) <= 200);
    end(&f);
}

static void a_silent_meter_is_counted_as_late(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    pass(&f, 1799 * US_PER_S);
    assert_int_equal(authenticator_late(f.a), 0);
    pass(&f, 10 * US_PER_S);
    assert_int_equal(authenticator_late(f.a), 1);
    assert_ok(push(&f, &m, 1));
    pass(&f, 10 * US_PER_S);
    assert_int_equal(authenticator_late(f.a), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_opens_a_session_and_the_collector_is_told),
        cmocka_unit_test(suite_1_opens_a_session_too),
        cmocka_unit_test(the_second_hello_of_a_meter_needs_no_lookup),
        cmocka_unit_test(a_key_is_asked_for_again_when_it_is_old),
        cmocka_unit_test(an_unknown_meter_gets_a_hint_and_leaves_no_state),
        cmocka_unit_test(a_hello_of_another_suite_is_refused),
        cmocka_unit_test(a_hello_under_another_key_is_refused),
        cmocka_unit_test(a_hello_more_than_ten_minutes_off_is_refused),
        cmocka_unit_test(every_refused_hello_gets_the_same_answer),
        cmocka_unit_test(a_replayed_hello_is_refused),
        cmocka_unit_test(a_replayed_hello_does_not_cut_a_live_session),
        cmocka_unit_test(forged_hellos_do_not_use_up_those_of_the_meter),
        cmocka_unit_test(a_meter_may_say_hello_three_times_and_then_every_ten_seconds),
        cmocka_unit_test(a_flood_of_one_aggregator_does_not_reach_the_others),
        cmocka_unit_test(a_hello_with_a_foreign_ciphertext_is_refused),
        cmocka_unit_test(a_hello_of_another_signer_is_refused),
        cmocka_unit_test(a_hello_of_a_wrong_length_is_refused_before_anybody_is_asked),
        cmocka_unit_test(work_may_be_done_elsewhere_and_later),
        cmocka_unit_test(a_second_hello_while_one_is_worked_on_is_refused),
        cmocka_unit_test(more_sessions_than_allowed_are_refused),
        cmocka_unit_test(the_old_epoch_is_served_until_the_new_one_is_confirmed_and_60_s_more),
        cmocka_unit_test(a_hello_that_is_never_confirmed_is_forgotten),
        cmocka_unit_test(a_session_ends_after_its_lifetime),
        cmocka_unit_test(an_unknown_epoch_gets_a_rate_limited_hint),
        cmocka_unit_test(a_silent_meter_is_counted_as_late),
    };
    return cmocka_run_group_tests_name("hello", tests, make_keys, free_keys);
}
