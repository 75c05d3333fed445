/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/authenticator/test_fixture.h"

/* --- sealed frames --- */

static void a_good_push_goes_to_the_collector(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    uint8_t block[NBR_RESPONSE_BYTES];

    (void)state;
    start(&f);
    open_session(&f, &m);
    assert_ok(push(&f, &m, 35041));
    struct intake_message i = up_next(&f);
    assert_int_equal(i.kind, INTAKE_BLOCK);
    assert_int_equal(i.meter, METER);
    assert_int_equal(i.block.type, ENVELOPE_PUSH);
    report_block(METER, 35041, block);
    assert_memory_equal(i.block.block.ptr, block, sizeof block);
    end(&f);
}

static void a_replayed_frame_is_dropped(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    AUTO(buf_done) struct buf frame = { .max = ENVELOPE_FRAME_BYTES_MAX };
    uint8_t block[NBR_RESPONSE_BYTES];

    (void)state;
    start(&f);
    open_session(&f, &m);
    report_block(METER, 1, block);
    assert_ok(session_seal(&m.session, f.aead, ENVELOPE_PUSH, 0, 0, BYTES_OF(block), &frame));
    assert_ok(from(&f, AGG, buf_bytes(&frame)));
    assert_ok(from(&f, AGG, buf_bytes(&frame)));
    assert_ok(from(&f, AGG + 1, buf_bytes(&frame)));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 1);
    assert_int_equal(refused(&f, AUTHENTICATOR_REPLAY), 2);
    end(&f);
}

static void frames_may_come_out_of_order_within_the_window(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    struct buf frames[70];
    uint8_t block[NBR_RESPONSE_BYTES];

    (void)state;
    start(&f);
    open_session(&f, &m);
    report_block(METER, 1, block);
    for (int i = 0; i < 70; i++) {
        frames[i] = (struct buf){ .max = ENVELOPE_FRAME_BYTES_MAX };
        assert_ok(session_seal(&m.session, f.aead, ENVELOPE_PUSH, 0, 0, BYTES_OF(block),
                               &frames[i]));
    }
    for (int i = 69; i >= 0; i--) {
        assert_ok(from(&f, AGG, buf_bytes(&frames[i])));
        buf_done(&frames[i]);
    }
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 64);
    assert_int_equal(refused(&f, AUTHENTICATOR_LOWERED), 6);
    end(&f);
}

static void a_changed_octet_anywhere_is_refused(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    AUTO(buf_done) struct buf frame = { .max = ENVELOPE_FRAME_BYTES_MAX };
    uint8_t block[NBR_RESPONSE_BYTES];

    (void)state;
    start(&f);
    open_session(&f, &m);
    report_block(METER, 1, block);
    assert_ok(session_seal(&m.session, f.aead, ENVELOPE_PUSH, 0, 0, BYTES_OF(block), &frame));
    for (size_t at = ENVELOPE_HEADER_BYTES; at < frame.len; at++) {
        frame.ptr[at] ^= 0x40;
        assert_ok(from(&f, AGG, buf_bytes(&frame)));
        frame.ptr[at] ^= 0x40;
    }
    assert_int_equal(refused(&f, AUTHENTICATOR_TAG), frame.len - ENVELOPE_HEADER_BYTES);
    frame.ptr[4] ^= ENVELOPE_MORE; /* a header bit: nothing a relay may change */
    assert_ok(from(&f, AGG, buf_bytes(&frame)));
    assert_int_equal(refused(&f, AUTHENTICATOR_TAG), frame.len - ENVELOPE_HEADER_BYTES + 1);
    frame.ptr[4] ^= ENVELOPE_MORE;
    assert_ok(from(&f, AGG, buf_bytes(&frame)));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 1); /* refusals changed nothing */
    end(&f);
}

static void a_refusal_is_told_once_a_meter_and_minute(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    f.now_us = 1200 * US_PER_S;
    open_session(&f, &m);
    m.session.epoch = (uint8_t)(m.session.epoch + 1);
    for (int i = 0; i < 10; i++) {
        assert_ok(push(&f, &m, 1));
    }
    assert_int_equal(f.refusals_told, 1);
    pass(&f, 60 * US_PER_S);
    assert_ok(push(&f, &m, 1));
    assert_int_equal(f.refusals_told, 2);
    end(&f);
}

static void a_bad_inner_crc_is_answered_by_nak_1_and_the_third_is_an_alarm(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    uint8_t block[NBR_RESPONSE_BYTES];
    uint32_t transaction;

    (void)state;
    start(&f);
    open_session(&f, &m);
    report_block(METER, 1, block);
    block[100] ^= 1;
    for (int i = 0; i < 3; i++) {
        assert_true(up_is_empty(&f));
        clear(&f);
        assert_ok(send_sealed(&f, &m, ENVELOPE_RSP, 77, BYTES_OF(block)));
        struct signal s = opened_signal(&f, &m, &transaction);
        assert_int_equal(s.signal, NBR_NAK);
        assert_int_equal(s.reason, NAK_INNER_CRC);
        assert_int_equal(transaction, 77);
    }
    struct intake_message alarm = up_next(&f);
    assert_int_equal(alarm.kind, INTAKE_ALARM);
    assert_int_equal(alarm.alarm.reason, NAK_INNER_CRC);
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 0);
    end(&f);
}

static void a_block_of_another_meter_is_answered_by_nak_2_and_an_alarm(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    uint8_t block[NBR_RESPONSE_BYTES];
    uint32_t transaction;

    (void)state;
    start(&f);
    open_session(&f, &m);
    report_block(METER + 1, 1, block);
    assert_ok(send_sealed(&f, &m, ENVELOPE_PUSH, 0, BYTES_OF(block)));
    struct signal s = opened_signal(&f, &m, &transaction);
    assert_int_equal(s.signal, NBR_NAK);
    assert_int_equal(s.reason, NAK_INNER_SERIAL);
    assert_int_equal(up_next(&f).kind, INTAKE_ALARM);
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 0);
    end(&f);
}

static void a_signal_of_the_meter_goes_to_the_collector(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    assert_ok(send_signal(&f, &m, NBR_NAK, 42));
    struct intake_message i = up_next(&f);
    assert_int_equal(i.kind, INTAKE_SIGNAL);
    assert_int_equal(i.signal.transaction, 42);
    assert_int_equal(i.signal.signal.reason, NAK_EXPIRED);
    end(&f);
}

static void a_sealed_close_ends_the_session(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    uint8_t body[4] = { 1 };

    (void)state;
    start(&f);
    open_session(&f, &m);
    assert_ok(send_sealed(&f, &m, ENVELOPE_CLOSE, 0, BYTES_OF(body)));
    assert_int_equal(authenticator_sessions(f.a), 0);
    assert_int_equal(up_next(&f).kind, INTAKE_CLOSED);
    end(&f);
}

static void an_unsealed_close_ends_nothing(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    struct envelope e = { .type = ENVELOPE_CLOSE, .epoch = 1, .length = 4, .meter = METER };
    uint8_t frame[ENVELOPE_HEADER_BYTES + 4] = { 0 };

    (void)state;
    start(&f);
    open_session(&f, &m);
    envelope_encode(&e, frame);
    assert_ok(from(&f, AGG, BYTES_OF(frame)));
    assert_int_equal(authenticator_sessions(f.a), 1);
    assert_int_equal(refused(&f, AUTHENTICATOR_FORM), 1);
    end(&f);
}

/* --- down --- */

static err collector_says(struct fixture *f, const struct intake_message *m)
{
    AUTO(buf_done) struct buf out = { .max = INTAKE_MESSAGE_BYTES_MAX };

    assert_ok(intake_encode(m, &out));
    return from(f, UP, buf_bytes(&out));
}

static err command(struct fixture *f, uint64_t meter, uint32_t not_after_s)
{
    uint8_t block[NBR_COMMAND_BYTES] = { 0x14 };
    struct intake_message m = { .kind = INTAKE_COMMAND, .meter = meter };

    nbr_crc_set(block, sizeof block);
    m.command.transaction = 5;
    m.command.not_after_s = not_after_s;
    m.command.block = BYTES_OF(block);
    return collector_says(f, &m);
}

static void a_command_is_sealed_and_goes_where_the_meter_was_heard_last(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    struct envelope e;
    struct bytes frame;
    uint8_t block[NBR_COMMAND_BYTES];
    enum session_refusal why;

    (void)state;
    start(&f);
    open_session(&f, &m);
    m.link = AGG + 1; /* it roams */
    assert_ok(push(&f, &m, 1));
    assert_int_equal(counted(&f, AUTHENTICATOR_MOVED), 1);
    clear(&f);
    assert_ok(command(&f, METER, UTC_S + 60));
    assert_int_equal(fake_host_sent(&f.fake, AGG).len, 0);
    struct bytes in = fake_host_sent(&f.fake, AGG + 1);
    assert_ok(envelope_take(&in, &e, &frame));
    assert_int_equal(e.type, ENVELOPE_CMD);
    assert_int_equal(e.transaction, 5);
    assert_ok(session_open(&m.session, f.aead, COUNTER_STRICT, &e, frame, block, &why));
    assert_int_equal(block[0], 0x14);
    end(&f);
}

static void an_expired_command_is_not_sent(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    assert_ok(command(&f, METER, UTC_S - 1));
    assert_int_equal(fake_host_sent(&f.fake, AGG).len, 0);
    struct intake_message i = up_next(&f);
    assert_int_equal(i.kind, INTAKE_SIGNAL);
    assert_int_equal(i.signal.signal.reason, NAK_EXPIRED);
    end(&f);
}

static void a_command_for_a_meter_without_session_is_answered_by_closed(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    assert_ok(command(&f, METER, UTC_S + 60));
    assert_int_equal(up_next(&f).kind, INTAKE_CLOSED);
    end(&f);
}

static void an_acknowledgement_reaches_the_meter(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    struct intake_message i = { .kind = INTAKE_SIGNAL, .meter = METER };
    uint32_t transaction;

    (void)state;
    start(&f);
    open_session(&f, &m);
    i.signal.signal = (struct signal){ NBR_ACK, ACK_REPORTS, 35041 };
    assert_ok(collector_says(&f, &i));
    assert_int_equal(opened_signal(&f, &m, &transaction).value, 35041);
    end(&f);
}

static void a_message_that_the_collector_may_not_send_ends_the_uplink(void **state)
{
    struct fixture f;
    struct intake_message i = { .kind = INTAKE_LOOKUP, .meter = METER };

    (void)state;
    start(&f);
    assert_err(collector_says(&f, &i), ERR_PROTO);
    end(&f);
}

/* --- back-pressure --- */

static void without_the_collector_nothing_is_read(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    authenticator_ops.closed(f.a, f.now_us, UP);
    assert_true(fake_host_link(&f.fake, AGG)->held);
    assert_ok(push(&f, &m, 1));
    assert_int_equal(counted(&f, AUTHENTICATOR_FRAMES), 1); /* the ENQ only */
    assert_ok(authenticator_ops.opened(f.a, f.now_us, UP + 1, true));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 1);
    assert_false(fake_host_link(&f.fake, AGG)->held);
    assert_true(fake_host_sent(&f.fake, UP + 1).len > NBR_RESPONSE_BYTES);
    end(&f);
}

static void a_full_uplink_keeps_frames_sealed_until_there_is_room(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    fake_host_link(&f.fake, UP)->full = true;
    assert_ok(push(&f, &m, 1));
    assert_true(fake_host_link(&f.fake, AGG)->held);
    assert_ok(push(&f, &m, 2));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 1);
    fake_host_link(&f.fake, UP)->full = false;
    authenticator_ops.ready(f.a, f.now_us, UP);
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 2);
    assert_int_equal(up_next(&f).kind, INTAKE_BLOCK);
    assert_int_equal(up_next(&f).kind, INTAKE_BLOCK);
    assert_true(up_is_empty(&f));
    end(&f);
}

static void a_lookup_is_sent_again_when_the_collector_is_back(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S)));
    authenticator_ops.closed(f.a, f.now_us, UP);
    assert_ok(authenticator_ops.opened(f.a, f.now_us, UP, true));
    assert_int_equal(up_next(&f).kind, INTAKE_LOOKUP);
    assert_int_equal(up_next(&f).kind, INTAKE_LOOKUP);
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
    take_answer(&f, &m);
    end(&f);
}

static void a_full_aggregator_link_loses_what_is_above_its_bound_only(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    struct intake_message i = { .kind = INTAKE_SIGNAL, .meter = METER };

    (void)state;
    start(&f);
    open_session(&f, &m);
    i.signal.signal = (struct signal){ NBR_ACK, ACK_REPORTS, 1 };
    fake_host_link(&f.fake, AGG)->full = true;
    for (int n = 0; n < 10000; n++) {
        assert_ok(collector_says(&f, &i));
    }
    assert_true(counted(&f, AUTHENTICATOR_DOWN_LOST) > 0);
    fake_host_link(&f.fake, AGG)->full = false;
    authenticator_ops.ready(f.a, f.now_us, AGG);
    assert_true(fake_host_sent(&f.fake, AGG).len > 200000);
    assert_int_equal(fake_host_sent(&f.fake, AGG).len % 52, 0);
    end(&f);
}

static void bad_frames_end_the_link_of_an_aggregator(void **state)
{
    struct fixture f;
    uint8_t raw[ENVELOPE_HEADER_BYTES + 24] = { 0x4d, 0x53, 9, ENVELOPE_SIG, 1, 0, 0, 24 };

    (void)state;
    start(&f);
    for (int i = 1; i < FRAMES_BAD_MAX; i++) {
        assert_ok(from(&f, AGG, BYTES_OF(raw)));
    }
    assert_err(from(&f, AGG, BYTES_OF(raw)), ERR_LIMIT);
    end(&f);
}

static void an_aggregator_that_stops_inside_a_frame_is_closed(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, BYTES_LIT("\x4d\x53\x01")));
    pass(&f, 31 * US_PER_S);
    assert_true(fake_host_link(&f.fake, AGG)->closed);
    assert_false(fake_host_link(&f.fake, AGG + 1)->closed);
    end(&f);
}

static void a_failed_allocation_is_an_error_not_a_crash(void **state)
{
    struct fake_host fake;
    struct authenticator *a = NULL;
    struct authenticator_options options = { .own = collector_key };

    (void)state;
    fake_host_init(&fake);
    EACH_FAILURE(i) {
        err e = authenticator_new(&fake.host, &options, &a);
        if (!e.code) {
            assert_true(i > 0);
            break;
        }
        assert_err(e, ERR_LIMIT);
        assert_null(a);
    }
    mem_fail_after(-1);
    authenticator_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_push_goes_to_the_collector),
        cmocka_unit_test(a_replayed_frame_is_dropped),
        cmocka_unit_test(frames_may_come_out_of_order_within_the_window),
        cmocka_unit_test(a_changed_octet_anywhere_is_refused),
        cmocka_unit_test(a_refusal_is_told_once_a_meter_and_minute),
        cmocka_unit_test(a_bad_inner_crc_is_answered_by_nak_1_and_the_third_is_an_alarm),
        cmocka_unit_test(a_block_of_another_meter_is_answered_by_nak_2_and_an_alarm),
        cmocka_unit_test(a_signal_of_the_meter_goes_to_the_collector),
        cmocka_unit_test(a_sealed_close_ends_the_session),
        cmocka_unit_test(an_unsealed_close_ends_nothing),
        cmocka_unit_test(a_command_is_sealed_and_goes_where_the_meter_was_heard_last),
        cmocka_unit_test(an_expired_command_is_not_sent),
        cmocka_unit_test(a_command_for_a_meter_without_session_is_answered_by_closed),
        cmocka_unit_test(an_acknowledgement_reaches_the_meter),
        cmocka_unit_test(a_message_that_the_collector_may_not_send_ends_the_uplink),
        cmocka_unit_test(without_the_collector_nothing_is_read),
        cmocka_unit_test(a_full_uplink_keeps_frames_sealed_until_there_is_room),
        cmocka_unit_test(a_lookup_is_sent_again_when_the_collector_is_back),
        cmocka_unit_test(a_full_aggregator_link_loses_what_is_above_its_bound_only),
        cmocka_unit_test(bad_frames_end_the_link_of_an_aggregator),
        cmocka_unit_test(an_aggregator_that_stops_inside_a_frame_is_closed),
        cmocka_unit_test(a_failed_allocation_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests_name("authenticator", tests, make_keys, free_keys);
}
