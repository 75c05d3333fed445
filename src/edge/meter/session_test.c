/* SPDX-License-Identifier: Apache-2.0 */
/* The session of the meter: handshake, retries, hints, replacement, loss of the link. */
#include <string.h>

#include "edge/meter/test_side.h"

#define START(s)                                   \
    AUTO(side_done) struct side s = { .keys = NULL }; \
    side_start(&s, *state, NULL)

static void a_linked_meter_says_hello_and_confirms_the_keys(void **state)
{
    START(s);
    assert_int_equal(meter_state(s.meter), METER_OFF);
    side_link(&s);
    side_advance(&s, 10);
    assert_int_equal(meter_state(s.meter), METER_WAITING);
    assert_int_equal(s.frame_count, 1);
    side_take(&s);
    assert_int_equal(meter_state(s.meter), METER_OPEN);
    assert_int_equal(s.hellos, 1);
    assert_int_equal(s.enqs, 1);
    assert_int_equal(meter_stats(s.meter)->sessions, 1);
}

static void nothing_is_sent_without_a_link(void **state)
{
    START(s);
    side_intervals(&s, SIDE_DAY + 900, 3);
    side_advance(&s, 600 * US_PER_S);
    assert_int_equal(s.frame_count, 0);
    assert_int_equal(meter_pending(s.meter), 3);
}

static void an_unanswered_hello_comes_again_later_and_later_and_is_a_fresh_one(void **state)
{
    START(s);
    uint8_t epochs[3];
    uint64_t pause = 5 * US_PER_S;

    side_link(&s);
    side_advance(&s, 10);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s.frame_count, i + 1);
        epochs[i] = s.frames[i][5];
        side_advance(&s, pause - 20);
        assert_int_equal(s.frame_count, i + 1);
        side_advance(&s, pause / 2 + 40);
        pause *= 2;
    }
    assert_int_equal((uint8_t)(epochs[0] + 1), epochs[1]);
    assert_int_equal((uint8_t)(epochs[1] + 1), epochs[2]);
    assert_memory_not_equal(s.frames[0] + 28 + 24, s.frames[1] + 28 + 24, 32);
}

static void a_late_answer_to_an_older_hello_is_dropped(void **state)
{
    START(s);

    side_link(&s);
    side_advance(&s, 10);
    uint8_t *first = s.frames[0];
    size_t size = s.frame_bytes[0];
    s.frame_count = 0;
    side_advance(&s, 8 * US_PER_S);
    side_drop(&s);
    s.frames[0] = first;
    s.frame_bytes[0] = size;
    s.frame_count = 1;
    side_take(&s); /* its HELLO-OK fits no HELLO that the meter still waits for */
    assert_int_equal(meter_state(s.meter), METER_WAITING);
    assert_int_equal(meter_stats(s.meter)->refused, 1);
}

static void a_hint_to_close_keeps_the_session_and_makes_one_hello_a_minute(void **state)
{
    START(s);
    side_open(&s);
    s.deaf = true;
    side_close_hint(&s);
    assert_int_equal(meter_state(s.meter), METER_OPEN);
    side_advance(&s, 3 * US_PER_S);
    assert_int_equal(s.frame_count, 1); /* prompt: within two seconds */
    assert_int_equal(meter_state(s.meter), METER_REKEY);
    s.deaf = false;
    side_take(&s);
    assert_int_equal(meter_state(s.meter), METER_OPEN);
    for (int i = 0; i < 10; i++) {
        side_close_hint(&s);
        side_advance(&s, 5 * US_PER_S);
    }
    assert_int_equal(s.hellos, 2);
    side_advance(&s, 60 * US_PER_S);
    side_close_hint(&s);
    side_advance(&s, 3 * US_PER_S);
    side_take(&s);
    assert_int_equal(s.hellos, 3);
}

static void while_a_new_session_is_made_the_old_one_still_works(void **state)
{
    START(s);
    side_open(&s);
    side_close_hint(&s);
    side_advance(&s, 3 * US_PER_S);
    assert_int_equal(meter_state(s.meter), METER_REKEY);
    side_drop(&s); /* the HELLO is lost */
    side_intervals(&s, SIDE_DAY + 900, 1);
    side_take(&s);
    assert_int_equal(s.report_count, 1);
    assert_int_equal(meter_pending(s.meter), 0);
}

static void a_sealed_close_ends_the_session_and_a_new_one_follows(void **state)
{
    const uint8_t reason[4] = { 1 };
    START(s);
    side_open(&s);
    side_send(&s, ENVELOPE_CLOSE, 0, BYTES_OF(reason));
    assert_int_equal(meter_state(s.meter), METER_OFF);
    side_intervals(&s, SIDE_DAY + 900, 1);
    assert_int_equal(s.frame_count, 0);
    side_advance(&s, 11 * US_PER_S);
    side_take(&s);
    assert_int_equal(meter_state(s.meter), METER_OPEN);
    assert_int_equal(s.hellos, 2);
    assert_int_equal(s.report_count, 1);
}

static void an_old_session_is_replaced_at_the_end_of_its_life(void **state)
{
    START(s);
    s.lifetime_hours = 1;
    side_open(&s);
    side_advance(&s, 3599 * US_PER_S);
    assert_int_equal(meter_state(s.meter), METER_OPEN);
    side_advance(&s, 2 * US_PER_S);
    assert_int_equal(meter_state(s.meter), METER_REKEY);
    side_take(&s);
    assert_int_equal(meter_state(s.meter), METER_OPEN);
    assert_int_equal(s.hellos, 2);
}

static void silence_in_spite_of_repetitions_leads_to_a_hello_but_ever_more_seldom(void **state)
{
    START(s);
    side_open(&s);
    s.deaf = true;
    side_intervals(&s, SIDE_DAY + 900, 1);
    side_advance(&s, 30 * US_PER_S);
    side_take(&s);
    size_t first = s.hellos;
    assert_true(first >= 2);
    s.deaf = false;
    s.acks = false; /* sessions come, acknowledgements do not */
    side_advance(&s, 30 * US_PER_S);
    side_take(&s);
    size_t before = s.hellos;
    for (int i = 0; i < 60; i++) {
        side_advance(&s, 10 * US_PER_S);
        side_take(&s);
    }
    assert_in_range(s.hellos - before, 1, 8); /* in ten minutes */
}

static void a_lost_link_keeps_what_is_not_acknowledged(void **state)
{
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, SIDE_DAY + 900, 5);
    side_take(&s);
    assert_int_equal(s.report_count, 5);
    meter_link_down(s.meter, s.now_us);
    assert_int_equal(meter_state(s.meter), METER_OFF);
    side_intervals(&s, SIDE_DAY + 6 * 900, 1);
    assert_int_equal(s.frame_count, 0);
    s.acks = true;
    side_open(&s);
    side_take(&s);
    assert_int_equal(s.report_count, 11);
    assert_int_equal(meter_pending(s.meter), 0);
    assert_int_equal(meter_stats(s.meter)->resent, 5);
}

static void frames_that_are_wrong_are_counted_and_change_nothing(void **state)
{
    AUTO(buf_done) struct buf frame = { .max = ENVELOPE_FRAME_BYTES_MAX };
    const uint8_t body[SIGNAL_BYTES] = { NBR_ACK, 0, 0, 0, 0, 0, 0, 9 };
    struct envelope e;
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, SIDE_DAY + 900, 1);
    assert_ok(session_seal(&s.session, s.aead, ENVELOPE_SIG, 0, 0, BYTES_OF(body), &frame));
    assert_ok(envelope_parse((struct bytes){ frame.ptr, ENVELOPE_HEADER_BYTES }, &e));

    frame.ptr[40] ^= 1; /* tag */
    meter_frame(s.meter, s.now_us, &e, buf_bytes(&frame));
    frame.ptr[40] ^= 1;
    struct envelope other = e;
    other.meter++;
    meter_frame(s.meter, s.now_us, &other, buf_bytes(&frame));
    meter_frame(s.meter, s.now_us, &e, (struct bytes){ frame.ptr, frame.len - 1 });
    assert_int_equal(meter_stats(s.meter)->refused, 3);
    assert_int_equal(meter_pending(s.meter), 1);

    meter_frame(s.meter, s.now_us, &e, buf_bytes(&frame));
    assert_int_equal(meter_pending(s.meter), 0);
    meter_frame(s.meter, s.now_us, &e, buf_bytes(&frame)); /* the same counter again */
    assert_int_equal(meter_stats(s.meter)->refused, 4);
}

static void a_keep_alive_is_answered(void **state)
{
    const uint8_t body[SIGNAL_BYTES] = { NBR_ENQ };
    START(s);
    side_open(&s);
    side_send(&s, ENVELOPE_SIG, 77, BYTES_OF(body));
    side_take(&s);
    assert_int_equal(s.answer_count, 1);
    assert_int_equal(s.answers[0].transaction, 77);
    assert_int_equal(s.answers[0].signal.signal, NBR_ACK);
}

static void a_meter_without_time_takes_the_collectors_and_says_so(void **state)
{
    AUTO(side_done) struct side s = { .keys = *state };

    assert_ok(aead_new(&s.aead));
    struct meter_options o = side_options(&s);
    o.clock_unset = true;
    side_start(&s, *state, &o);
    side_intervals(&s, SIDE_DAY + 900, 1);
    side_link(&s);
    side_advance(&s, 10);
    assert_int_equal(s.frames[0][28 + 1], HELLO_CLOCK_UNSET);
    side_take(&s);
    side_intervals(&s, SIDE_DAY + 1800, 2);
    side_take(&s);
    assert_int_equal(s.report_count, 3);
    assert_int_equal(s.reports[0].record.status, STATUS_CLOCK_UNSET);
    assert_int_equal(s.reports[1].record.status, STATUS_CLOCK_STEPPED);
    assert_int_equal(s.reports[2].record.status, 0);
}

static void a_meter_that_nobody_answers_comes_to_doubt_its_clock(void **state)
{
    START(s);
    side_link(&s);
    side_advance(&s, 40 * US_PER_S);
    for (size_t i = 0; i < s.frame_count; i++) {
        assert_int_equal(s.frames[i][28 + 1], 0);
    }
    side_advance(&s, 300 * US_PER_S);
    assert_int_equal(s.frames[s.frame_count - 1][28 + 1], HELLO_CLOCK_UNSET);
}

static void a_failed_allocation_makes_no_meter(void **state)
{
    AUTO(side_done) struct side s = { .keys = *state };
    const struct host host = { .self = NULL };

    assert_ok(aead_new(&s.aead));
    struct meter_options o = side_options(&s);
    mem_fail_after(0);
    assert_err(meter_new(&o, &host, &s.meter), ERR_LIMIT);
    mem_fail_after(-1);
    assert_null(s.meter);
    o.ring_records = METER_RING_RECORDS_MAX + 1;
    assert_err(meter_new(&o, &host, &s.meter), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linked_meter_says_hello_and_confirms_the_keys),
        cmocka_unit_test(nothing_is_sent_without_a_link),
        cmocka_unit_test(an_unanswered_hello_comes_again_later_and_later_and_is_a_fresh_one),
        cmocka_unit_test(a_late_answer_to_an_older_hello_is_dropped),
        cmocka_unit_test(a_hint_to_close_keeps_the_session_and_makes_one_hello_a_minute),
        cmocka_unit_test(while_a_new_session_is_made_the_old_one_still_works),
        cmocka_unit_test(a_sealed_close_ends_the_session_and_a_new_one_follows),
        cmocka_unit_test(an_old_session_is_replaced_at_the_end_of_its_life),
        cmocka_unit_test(silence_in_spite_of_repetitions_leads_to_a_hello_but_ever_more_seldom),
        cmocka_unit_test(a_lost_link_keeps_what_is_not_acknowledged),
        cmocka_unit_test(frames_that_are_wrong_are_counted_and_change_nothing),
        cmocka_unit_test(a_keep_alive_is_answered),
        cmocka_unit_test(a_meter_without_time_takes_the_collectors_and_says_so),
        cmocka_unit_test(a_meter_that_nobody_answers_comes_to_doubt_its_clock),
        cmocka_unit_test(a_failed_allocation_makes_no_meter),
    };
    return cmocka_run_group_tests_name("meter session", tests, side_keys_setup,
                                       side_keys_teardown);
}
