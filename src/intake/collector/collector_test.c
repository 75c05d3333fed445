/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/collector/test_fixture.h"

/* --- lookups --- */

static void a_lookup_is_answered_from_the_register(void **state)
{
    struct fixture f;
    struct intake_message m = { .kind = INTAKE_LOOKUP, .meter = METER }, got;

    (void)state;
    start(&f);
    assert_ok(say(&f, &m));
    fake_store_answer_all(&f.store, f.c, f.now_us);
    assert_true(next_of(&f, INTAKE_METER, &got));
    assert_true(got.meter_entry.known);
    assert_int_equal(got.meter_entry.suite, SUITE_X25519_RSA2048);
    AUTO(public_key_freep) struct public_key *key = NULL;
    assert_ok(public_key_from_spki(got.meter_entry.spki, &key));
    assert_int_equal(public_key_id(key), public_key_id(session_public));
    m.meter = 99;
    assert_ok(say(&f, &m));
    fake_store_answer_all(&f.store, f.c, f.now_us);
    assert_true(next_of(&f, INTAKE_METER, &got));
    assert_false(got.meter_entry.known);
    end(&f);
}

static void a_lookup_that_failed_is_tried_again(void **state)
{
    struct fixture f;
    struct intake_message m = { .kind = INTAKE_LOOKUP, .meter = METER }, got;

    (void)state;
    start(&f);
    assert_ok(say(&f, &m));
    fake_store_answer(&f.store, f.c, f.now_us, 0, (err){ ERR_IO }, false);
    assert_int_equal(f.store.request_count, 0);
    assert_false(next_of(&f, INTAKE_METER, &got));
    assert_int_equal(f.fake.wake_at_us, f.now_us + 100000);
    pass(&f, 100000);
    assert_int_equal(f.store.request_count, 1);
    fake_store_answer_all(&f.store, f.c, f.now_us);
    assert_true(next_of(&f, INTAKE_METER, &got));
    end(&f);
}

static void too_many_lookups_hold_the_links(void **state)
{
    struct fixture f;
    struct intake_message m = { .kind = INTAKE_LOOKUP, .meter = METER };

    (void)state;
    start(&f);
    for (int i = 0; i < COLLECTOR_LOOKUPS_MAX + 10; i++) {
        assert_ok(say(&f, &m));
    }
    assert_int_equal(f.store.request_count, COLLECTOR_LOOKUPS_MAX);
    assert_true(fake_host_link(&f.fake, AUTH)->held);
    fake_store_answer_all(&f.store, f.c, f.now_us);
    assert_false(fake_host_link(&f.fake, AUTH)->held);
    end(&f);
}

/* --- reports --- */

static void a_report_is_acknowledged_only_when_it_is_durable(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 1);
    fake_store_answer(&f.store, f.c, f.now_us, 0, OK, true); /* its state is read */
    pass(&f, COLLECTOR_BATCH_US);
    assert_int_equal(f.store.request_count, 1);
    assert_int_equal(acked(&f, ACK_REPORTS), 0);
    fake_store_answer(&f.store, f.c, f.now_us, 0, OK, true);
    assert_int_equal(acked(&f, ACK_REPORTS), 1);
    assert_true(stored(&f, 1));
    end(&f);
}

static void a_batch_is_full_at_500_rows_or_after_20_ms(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 1);
    settle(&f);
    for (uint32_t s = 2; s < 2 + BATCH_READINGS_MAX; s++) {
        push(&f, s, s);
    }
    assert_int_equal(f.store.request_count, 1);
    assert_int_equal(f.store.requests[0].batch->reading_count, BATCH_READINGS_MAX);
    push(&f, 2 + BATCH_READINGS_MAX, 2 + BATCH_READINGS_MAX);
    assert_int_equal(f.fake.wake_at_us, f.now_us + COLLECTOR_BATCH_US);
    pass(&f, COLLECTOR_BATCH_US - 1);
    assert_int_equal(f.store.request_count, 1);
    pass(&f, 1);
    assert_int_equal(f.store.request_count, 2);
    end(&f);
}

static void the_acknowledgement_stops_before_a_hole(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 4);
    push(&f, 2, 4);
    push(&f, 4, 4);
    settle(&f);
    assert_int_equal(acked(&f, ACK_REPORTS), 2);
    push(&f, 3, 4);
    settle(&f);
    assert_int_equal(acked(&f, ACK_REPORTS), 4);
    end(&f);
}

static void several_batches_may_be_durable_in_any_order(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 3);
    settle(&f);
    push(&f, 2, 3);
    pass(&f, COLLECTOR_BATCH_US);
    push(&f, 3, 3);
    pass(&f, COLLECTOR_BATCH_US);
    assert_int_equal(f.store.request_count, 2);
    fake_store_answer(&f.store, f.c, f.now_us, 1, OK, true);
    assert_int_equal(acked(&f, ACK_REPORTS), 1);
    fake_store_answer(&f.store, f.c, f.now_us, 0, OK, true);
    assert_int_equal(acked(&f, ACK_REPORTS), 3);
    end(&f);
}

static void an_identical_duplicate_is_counted_and_acknowledged_again(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 1);
    settle(&f);
    clear(&f);
    push(&f, 1, 1);
    settle(&f);
    assert_int_equal(counted(&f, COLLECTOR_DUPLICATES), 1);
    assert_int_equal(counted(&f, COLLECTOR_READINGS), 1);
    assert_int_equal(acked(&f, ACK_REPORTS), 1);
    assert_int_equal(fake_store_events(&f.store, "conflict"), 0);
    end(&f);
}

static void a_duplicate_while_the_first_is_under_way_is_counted_once(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 1);
    push(&f, 1, 1);
    fake_store_answer_all(&f.store, f.c, f.now_us);
    push(&f, 1, 1);
    settle(&f);
    assert_int_equal(counted(&f, COLLECTOR_DUPLICATES), 2);
    assert_int_equal(counted(&f, COLLECTOR_READINGS), 1);
    end(&f);
}

static void the_same_sequence_with_other_content_is_a_conflict_and_the_first_stays(void **state)
{
    struct fixture f;
    struct report other = report_of(1, 1, 1);

    (void)state;
    other.record.e_act = 999;
    start(&f);
    push(&f, 1, 1);
    settle(&f);
    push_report(&f, &other);
    settle(&f);
    assert_int_equal(counted(&f, COLLECTOR_CONFLICTS), 1);
    assert_int_equal(fake_store_events(&f.store, "conflict"), 1);
    assert_int_equal(fake_store_reading(&f.store, METER, BASE_S + 900)->record.e_act, 1);
    assert_int_equal(fake_store_readings(&f.store), 1);
    assert_int_equal(acked(&f, ACK_REPORTS), 1);
    end(&f);
}

static void a_conflict_is_seen_while_the_first_is_under_way(void **state)
{
    struct fixture f;
    struct report other = report_of(2, 2, 1);

    (void)state;
    other.record.e_act = 999;
    start(&f);
    push(&f, 1, 1);
    settle(&f);
    push(&f, 2, 2);
    push_report(&f, &other);
    settle(&f);
    assert_int_equal(fake_store_events(&f.store, "conflict"), 1);
    assert_int_equal(fake_store_reading(&f.store, METER, BASE_S + 1800)->record.e_act, 2);
    end(&f);
}

static void the_same_sequence_at_another_time_is_a_conflict(void **state)
{
    struct fixture f;
    struct report moved = report_of(1, 1, 1);

    (void)state;
    moved.record.end_s += 900;
    start(&f);
    push(&f, 1, 1);
    settle(&f);
    push_report(&f, &moved);
    settle(&f);
    assert_int_equal(fake_store_readings(&f.store), 1);
    assert_int_equal(fake_store_events(&f.store, "conflict"), 1);
    end(&f);
}

static void another_sequence_at_the_same_time_is_refused_and_known_missing(void **state)
{
    struct fixture f;
    struct report same_time = report_of(2, 2, 1);

    (void)state;
    same_time.record.end_s -= 900;
    start(&f);
    push(&f, 1, 1);
    settle(&f);
    push_report(&f, &same_time);
    settle(&f);
    assert_int_equal(fake_store_readings(&f.store), 1);
    assert_int_equal(fake_store_events(&f.store, "conflict"), 1);
    assert_true(fake_store_missing(&f.store, METER, 2));
    assert_int_equal(acked(&f, ACK_REPORTS), 2); /* the meter may go on */
    end(&f);
}

static void a_report_far_in_the_future_or_without_clock_is_suspect(void **state)
{
    static const struct {
        uint32_t ahead_s;
        uint16_t status;
        uint8_t quality;
    } cases[] = { { 0, 0, QUALITY_VALID },
                  { 900, 0, QUALITY_SUSPECT },
                  { 0, STATUS_CLOCK_UNSET, QUALITY_SUSPECT },
                  { 0, STATUS_ESTIMATED, QUALITY_ESTIMATED },
                  { 0, STATUS_POWER_LOST, QUALITY_VALID } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        struct report r = report_of(1, 1, 1);
        start(&f);
        r.record.end_s = UTC_S + cases[i].ahead_s;
        r.record.status = cases[i].status;
        push_report(&f, &r);
        settle(&f);
        assert_int_equal(fake_store_reading(&f.store, METER, r.record.end_s)->quality,
                         cases[i].quality);
        assert_int_equal(acked(&f, ACK_REPORTS), 1); /* stored all the same */
        end(&f);
    }
}

static void ten_minutes_ahead_are_borne(void **state)
{
    struct fixture f;
    struct report r = report_of(1, 1, 1);

    (void)state;
    start(&f);
    f.fake.utc_us = (UTC_S - 600) * US_PER_S;
    r.record.end_s = UTC_S;
    push_report(&f, &r);
    settle(&f);
    assert_int_equal(fake_store_reading(&f.store, METER, UTC_S)->quality, QUALITY_VALID);
    end(&f);
}

static void a_record_of_bad_form_is_an_event_and_not_acknowledged(void **state)
{
    struct fixture f;
    uint8_t block[NBR_RESPONSE_BYTES];
    struct report r = report_of(1, 1, 1);

    (void)state;
    start(&f);
    report_encode(&r, block);
    block[7] = 9; /* version of the record */
    nbr_crc_set(block, sizeof block);
    assert_ok(block_from(&f, METER, ENVELOPE_PUSH, 0, 0, block));
    settle(&f);
    assert_int_equal(counted(&f, COLLECTOR_BAD_RECORDS), 1);
    assert_int_equal(fake_store_events(&f.store, "record"), 1);
    assert_int_equal(acked(&f, ACK_REPORTS), 0);
    push(&f, 1, 1); /* the meter is not blocked for it */
    settle(&f);
    assert_int_equal(acked(&f, ACK_REPORTS), 1);
    end(&f);
}

static void sequence_zero_is_no_sequence(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 0, 0);
    settle(&f);
    assert_int_equal(counted(&f, COLLECTOR_BAD_RECORDS), 1);
    assert_int_equal(fake_store_readings(&f.store), 0);
    end(&f);
}

static void a_meter_outside_the_register_leaves_nothing(void **state)
{
    struct fixture f;
    uint8_t block[NBR_RESPONSE_BYTES];
    struct report r = report_of(1, 1, 1);

    (void)state;
    start(&f);
    r.record.meter = 77;
    report_encode(&r, block);
    assert_ok(block_from(&f, 77, ENVELOPE_PUSH, 0, 0, block));
    settle(&f);
    assert_int_equal(collector_meters(f.c), 0);
    assert_int_equal(counted(&f, COLLECTOR_UNKNOWN), 1);
    assert_int_equal(fake_store_readings(&f.store), 0);
    end(&f);
}

static void an_alarm_becomes_an_event(void **state)
{
    struct fixture f;
    struct intake_message m = { .kind = INTAKE_ALARM, .meter = METER };

    (void)state;
    start(&f);
    m.alarm.reason = NAK_INNER_CRC;
    assert_ok(say(&f, &m));
    m.alarm.reason = NAK_INNER_SERIAL;
    assert_ok(say(&f, &m));
    settle(&f);
    assert_int_equal(fake_store_events(&f.store, "inner_crc"), 1);
    assert_int_equal(fake_store_events(&f.store, "inner_serial"), 1);
    end(&f);
}

static void events_of_a_kind_are_limited_to_one_a_minute(void **state)
{
    struct fixture f;
    struct intake_message m = { .kind = INTAKE_ALARM, .meter = METER };

    (void)state;
    start(&f);
    m.alarm.reason = NAK_INNER_CRC;
    for (int i = 0; i < 100; i++) {
        assert_ok(say(&f, &m));
    }
    settle(&f);
    assert_int_equal(fake_store_events(&f.store, "inner_crc"), 1);
    pass(&f, 60 * US_PER_S);
    assert_ok(say(&f, &m));
    settle(&f);
    assert_int_equal(fake_store_events(&f.store, "inner_crc"), 2);
    end(&f);
}

static void an_occurrence_of_the_meter_becomes_an_event(void **state)
{
    struct fixture f;
    uint8_t block[NBR_RESPONSE_BYTES] = { NBR_OCCURRENCE, 0x12, 0x34, 0x56, 0x78, 0x43, 0x01 };

    (void)state;
    start(&f);
    nbr_crc_set(block, sizeof block);
    assert_ok(block_from(&f, METER, ENVELOPE_RSP, 0, 5, block));
    settle(&f);
    assert_int_equal(fake_store_events(&f.store, "occurrence"), 1);
    assert_int_equal(f.store.events->row.value, 0x4301);
    end(&f);
}

/* --- clocks, links --- */

static bool clock_was_set(struct fixture *f)
{
    struct intake_message m;

    f->read = 0;
    while (next_of(f, INTAKE_COMMAND, &m)) {
        if (m.command.block.ptr[4] == NBR_EXT_CLOCK) {
            assert_int_equal(load_u32(m.command.block.ptr + 5), f->fake.utc_us / US_PER_S);
            return true;
        }
    }
    return false;
}

static void two_services_that_do_not_agree_set_no_clock(void **state)
{
    struct fixture f;
    struct intake_message m = { .kind = INTAKE_OPENED, .meter = METER };

    (void)state;
    start(&f);
    m.opened.ours_s = UTC_S - 3600; /* the authenticator's clock is an hour behind */
    m.opened.meter_s = UTC_S;
    assert_ok(say(&f, &m));
    settle(&f);
    assert_false(clock_was_set(&f));
    assert_int_equal(fake_store_events(&f.store, "clock"), 1);
    end(&f);
}

static void a_clock_that_is_off_is_set(void **state)
{
    static const struct {
        int32_t off_s;
        uint8_t flags;
        bool set, event;
    } cases[] = { { 0, 0, false, false }, { 30, 0, false, false }, { 31, 0, true, true },
                  { -31, 0, true, true }, { 0, HELLO_CLOCK_UNSET, false, true },
                  { 9999, HELLO_CLOCK_UNSET, true, true } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        struct intake_message m = { .kind = INTAKE_OPENED, .meter = METER };
        start(&f);
        m.opened.ours_s = UTC_S;
        m.opened.meter_s = (uint32_t)((int32_t)UTC_S + cases[i].off_s);
        m.opened.clock_flags = cases[i].flags;
        assert_ok(say(&f, &m));
        settle(&f);
        assert_int_equal(clock_was_set(&f), cases[i].set);
        assert_int_equal(fake_store_events(&f.store, "clock"), cases[i].event);
        end(&f);
    }
}

static void a_message_that_only_the_collector_sends_ends_the_link(void **state)
{
    struct fixture f;
    struct intake_message m = { .kind = INTAKE_METER, .meter = METER };

    (void)state;
    start(&f);
    assert_err(say(&f, &m), ERR_PROTO);
    end(&f);
}

static void octets_that_are_no_message_end_the_link(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    assert_err(collector_ops.octets(f.c, f.now_us, AUTH, BYTES_LIT("\x00\x01x")), ERR_PROTO);
    end(&f);
}

static void more_links_than_allowed_are_refused(void **state)
{
    struct fixture f;
    struct collector *c;
    struct collector_options options = { .links_max = 1 };

    (void)state;
    start(&f);
    assert_ok(collector_new(&f.fake.host, &f.store.store, &options, &c));
    assert_ok(collector_ops.opened(c, 1, 20, false));
    assert_err(collector_ops.opened(c, 1, 21, false), ERR_LIMIT);
    collector_free(c);
    end(&f);
}

static void acknowledgements_go_to_the_authenticator_that_spoke_last(void **state)
{
    struct fixture f;
    uint8_t block[NBR_RESPONSE_BYTES];
    struct report r = report_of(2, 2, 1);
    struct intake_message m = { .kind = INTAKE_BLOCK, .meter = METER };
    AUTO(buf_done) struct buf out = { .max = INTAKE_MESSAGE_BYTES_MAX };

    (void)state;
    start(&f);
    push(&f, 1, 1);
    settle(&f);
    clear(&f);
    assert_ok(collector_ops.opened(f.c, f.now_us, AUTH + 1, false));
    report_encode(&r, block);
    m.block.type = ENVELOPE_PUSH;
    m.block.block = BYTES_OF(block);
    assert_ok(intake_encode(&m, &out));
    assert_ok(collector_ops.octets(f.c, f.now_us, AUTH + 1, buf_bytes(&out)));
    settle(&f);
    assert_int_equal(fake_host_sent(&f.fake, AUTH).len, 0);
    assert_true(fake_host_sent(&f.fake, AUTH + 1).len > 0);
    end(&f);
}

static void a_flush_writes_what_waits(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 1);
    fake_store_answer_all(&f.store, f.c, f.now_us);
    assert_false(collector_flush(f.c, f.now_us));
    fake_store_answer_all(&f.store, f.c, f.now_us);
    assert_true(collector_flush(f.c, f.now_us));
    assert_int_equal(fake_store_readings(&f.store), 1);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lookup_is_answered_from_the_register),
        cmocka_unit_test(a_lookup_that_failed_is_tried_again),
        cmocka_unit_test(too_many_lookups_hold_the_links),
        cmocka_unit_test(a_report_is_acknowledged_only_when_it_is_durable),
        cmocka_unit_test(a_batch_is_full_at_500_rows_or_after_20_ms),
        cmocka_unit_test(the_acknowledgement_stops_before_a_hole),
        cmocka_unit_test(several_batches_may_be_durable_in_any_order),
        cmocka_unit_test(an_identical_duplicate_is_counted_and_acknowledged_again),
        cmocka_unit_test(a_duplicate_while_the_first_is_under_way_is_counted_once),
        cmocka_unit_test(the_same_sequence_with_other_content_is_a_conflict_and_the_first_stays),
        cmocka_unit_test(a_conflict_is_seen_while_the_first_is_under_way),
        cmocka_unit_test(the_same_sequence_at_another_time_is_a_conflict),
        cmocka_unit_test(another_sequence_at_the_same_time_is_refused_and_known_missing),
        cmocka_unit_test(a_report_far_in_the_future_or_without_clock_is_suspect),
        cmocka_unit_test(ten_minutes_ahead_are_borne),
        cmocka_unit_test(a_record_of_bad_form_is_an_event_and_not_acknowledged),
        cmocka_unit_test(sequence_zero_is_no_sequence),
        cmocka_unit_test(a_meter_outside_the_register_leaves_nothing),
        cmocka_unit_test(an_alarm_becomes_an_event),
        cmocka_unit_test(events_of_a_kind_are_limited_to_one_a_minute),
        cmocka_unit_test(an_occurrence_of_the_meter_becomes_an_event),
        cmocka_unit_test(two_services_that_do_not_agree_set_no_clock),
        cmocka_unit_test(a_clock_that_is_off_is_set),
        cmocka_unit_test(a_message_that_only_the_collector_sends_ends_the_link),
        cmocka_unit_test(octets_that_are_no_message_end_the_link),
        cmocka_unit_test(more_links_than_allowed_are_refused),
        cmocka_unit_test(acknowledgements_go_to_the_authenticator_that_spoke_last),
        cmocka_unit_test(a_flush_writes_what_waits),
    };
    return cmocka_run_group_tests_name("collector", tests, make_keys, free_keys);
}
