/* SPDX-License-Identifier: Apache-2.0 */
/* Records and seals on their way: window, repetition, ring, gaps, the chain of seals. */
#include <string.h>

#include "edge/meter/test_side.h"

#define FIRST (SIDE_DAY + RECORD_INTERVAL_S)
#define START(s)                                   \
    AUTO(side_done) struct side s = { .keys = NULL }; \
    side_start(&s, *state, NULL)

static void start_with(struct side *s, void **state, uint32_t ring, uint32_t window)
{
    s->keys = *state;
    assert_ok(aead_new(&s->aead));
    struct meter_options o = side_options(s);
    o.ring_records = ring;
    o.window = window;
    side_start(s, *state, &o);
}

static void an_acknowledged_record_leaves_the_ring(void **state)
{
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 4);
    side_take(&s);
    assert_int_equal(s.report_count, 4);
    assert_int_equal(meter_pending(s.meter), 4);
    side_ack(&s, 3);
    assert_int_equal(meter_pending(s.meter), 1);
    side_ack(&s, 2); /* an older one changes nothing */
    assert_int_equal(meter_pending(s.meter), 1);
    side_ack(&s, 4);
    assert_true(meter_idle(s.meter));
    assert_int_equal(meter_stats(s.meter)->acknowledged, 4);
}

static void reports_carry_sequence_time_and_what_the_ring_holds(void **state)
{
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 3);
    side_take(&s);
    for (uint32_t i = 0; i < 3; i++) {
        const struct report *r = &s.reports[i];
        assert_int_equal(r->record.sequence, i + 1);
        assert_int_equal(r->record.end_s, FIRST + 900 * i);
        assert_int_equal(r->record.meter, SIDE_METER);
        assert_int_equal(r->newest, i + 1);
        assert_int_equal(r->oldest, 1);
    }
    assert_int_equal(s.reports[0].record.e_act, 500);
    assert_int_equal(s.reports[2].record.e_act, 500 + 510 + 520);
    assert_int_equal(s.reports[2].record.reads[READ_DEMAND], 520 * 4);
}

static void no_more_than_the_window_is_under_way(void **state)
{
    AUTO(side_done) struct side s = { 0 };

    start_with(&s, state, 0, 8);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 20);
    side_take(&s);
    assert_int_equal(s.report_count, 8);
    side_ack(&s, 3);
    side_take(&s);
    assert_int_equal(s.report_count, 11);
}

static void after_silence_the_oldest_alone_is_repeated_with_growing_pauses(void **state)
{
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 10);
    side_take(&s);
    s.report_count = 0;
    side_advance(&s, US_PER_S - 10);
    assert_int_equal(s.frame_count, 0);
    side_advance(&s, US_PER_S / 2 + 20);
    side_take(&s);
    assert_int_equal(s.report_count, 1);
    assert_int_equal(s.reports[0].record.sequence, 1);
    side_advance(&s, US_PER_S);
    side_take(&s);
    assert_int_equal(s.report_count, 1); /* the second pause is two seconds */
    side_advance(&s, 2 * US_PER_S);
    side_take(&s);
    assert_int_equal(s.report_count, 2);
}

static void progress_after_silence_doubles_what_is_under_way(void **state)
{
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 20);
    side_drop(&s); /* all are lost */
    side_advance(&s, 1600000);
    side_take(&s);
    assert_int_equal(s.report_count, 1);
    side_ack(&s, 1);
    side_take(&s);
    assert_int_equal(s.report_count, 3);
    side_ack(&s, 3);
    side_take(&s);
    assert_int_equal(s.report_count, 7);
    assert_int_equal(s.reports[6].record.sequence, 7);
}

static void a_full_link_is_waited_for(void **state)
{
    START(s);
    side_open(&s);
    s.send_fails = ERR_LIMIT;
    side_intervals(&s, FIRST, 3);
    side_advance(&s, 20 * US_PER_S);
    assert_int_equal(s.frame_count, 0);
    s.send_fails = ERR_NONE;
    side_advance(&s, 60 * US_PER_S);
    assert_int_equal(s.frame_count, 0);
    meter_link_ready(s.meter, s.now_us);
    side_take(&s);
    assert_int_equal(s.report_count, 3);
    assert_int_equal(meter_pending(s.meter), 0);
    assert_int_equal(s.hellos, 1);
}

static void a_queue_that_is_full_slows_the_meter_down(void **state)
{
    const uint8_t nak[SIGNAL_BYTES] = { NBR_NAK, NAK_QUEUE_FULL };
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 5);
    side_take(&s);
    side_send(&s, ENVELOPE_SIG, 0, BYTES_OF(nak));
    side_advance(&s, US_PER_S);
    assert_int_equal(s.frame_count, 0);
    side_advance(&s, 3 * US_PER_S);
    side_take(&s);
    assert_int_equal(s.report_count, 6);
}

static void a_full_ring_overwrites_the_oldest_and_says_so(void **state)
{
    const uint8_t read[] = { NBR_EXT_READ_REPORTS, 0, 0, 0, 1, 0, 0, 0, 6 };
    AUTO(side_done) struct side s = { 0 };
    struct report r;

    start_with(&s, state, 4, 0);
    assert_int_equal(meter_room(s.meter), 4);
    side_intervals(&s, FIRST, 3);
    assert_int_equal(meter_room(s.meter), 1);
    side_intervals(&s, FIRST + 3 * 900, 3);
    assert_int_equal(meter_room(s.meter), 0);
    assert_int_equal(meter_pending(s.meter), 4);
    s.acks = false;
    side_open(&s);
    side_take(&s);
    assert_int_equal(s.reports[0].record.sequence, 3);
    assert_int_equal(s.reports[0].oldest, 3);
    side_command(&s, 9, NBR_EXTENSION, read, sizeof read);
    assert_int_equal(s.answer_count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_ok(report_parse(BYTES_OF(s.answers[i].block), &r));
        assert_int_equal(r.record.sequence, i + 1);
        assert_int_equal(r.missing_reason, i < 2 ? MISSING_OVERWRITTEN : 0);
        assert_int_equal(s.answers[i].flags & ENVELOPE_MORE, i < 5 ? ENVELOPE_MORE : 0);
    }
}

static void what_was_overwritten_on_its_way_is_not_sent_twice(void **state)
{
    AUTO(side_done) struct side s = { 0 };

    start_with(&s, state, 4, 4);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 6);
    side_take(&s);
    assert_int_equal(s.report_count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(s.reports[i].record.sequence, i + 1);
    }
    side_ack(&s, 6);
    assert_true(meter_pending(s.meter) == 0);
}

static void slots_without_power_have_sequences_but_no_records(void **state)
{
    const uint8_t read[] = { NBR_EXT_READ_REPORTS, 0, 0, 0, 2, 0, 0, 0, 7 };
    const uint8_t expected[] = { 0, MISSING_NO_POWER, MISSING_NO_POWER, MISSING_NO_POWER, 0,
                                 MISSING_NEVER };
    struct report r;
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 2);
    side_intervals(&s, FIRST + 5 * 900, 1);
    side_take(&s);
    assert_int_equal(s.report_count, 6); /* the missing ones are told */
    assert_int_equal(s.reports[2].record.sequence, 3);
    assert_int_equal(s.reports[2].missing_reason, MISSING_NO_POWER);
    assert_int_equal(s.reports[5].record.sequence, 6);
    assert_int_equal(s.reports[5].record.status, STATUS_POWER_LOST);
    side_command(&s, 9, NBR_EXTENSION, read, sizeof read);
    assert_int_equal(s.answer_count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_ok(report_parse(BYTES_OF(s.answers[i].block), &r));
        assert_int_equal(r.record.sequence, i + 2);
        assert_int_equal(r.missing_reason, expected[i]);
    }
}

static void a_long_time_without_power_is_left_to_questions(void **state)
{
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 1);
    side_intervals(&s, FIRST + 98 * 900, 1);
    side_take(&s);
    assert_int_equal(s.report_count, 2);
    assert_int_equal(s.reports[1].record.sequence, 99);
    side_ack(&s, 99);
    assert_int_equal(meter_stats(s.meter)->acknowledged, 2);
}

static void times_that_do_not_fit_are_refused(void **state)
{
    struct meter_sample sample = side_sample(1);
    START(s);
    side_intervals(&s, FIRST, 1);
    assert_err(meter_interval(s.meter, 0, FIRST + 901, &sample), ERR_PROTO);
    assert_err(meter_interval(s.meter, 0, FIRST, &sample), ERR_PROTO);
    assert_err(meter_interval(s.meter, 0, FIRST - 900, &sample), ERR_PROTO);
    assert_err(meter_interval(s.meter, 0, FIRST + METER_GAP_S_MAX + 900, &sample), ERR_LIMIT);
    assert_int_equal(meter_pending(s.meter), 1);
    assert_ok(meter_interval(s.meter, 0, FIRST + 900, &sample));
}

static void a_repeated_interval_has_the_same_sequence_and_is_in_no_seal(void **state)
{
    struct meter_sample same = side_sample(510);
    struct meter_sample other = side_sample(999);
    START(s);
    assert_err(meter_repeat(s.meter, 0, &same), ERR_MISSING);
    side_intervals(&s, FIRST, 2);
    assert_err(meter_repeat(s.meter, 0, &same), ERR_AGAIN);
    side_open(&s);
    assert_ok(meter_repeat(s.meter, s.now_us, &same));
    assert_ok(meter_repeat(s.meter, s.now_us, &other));
    side_take(&s);
    assert_int_equal(s.report_count, 4);
    assert_true(record_equal(&s.reports[2].record, &s.reports[1].record));
    assert_int_equal(s.reports[3].record.sequence, 2);
    assert_int_equal(s.reports[3].record.e_act, 500 + 999);
    side_intervals(&s, FIRST + 2 * 900, 1);
    side_take(&s);
    assert_int_equal(s.reports[4].record.e_act, 500 + 510 + 500);
}

static struct digest root_of_reports(const struct side *s, size_t from, size_t count)
{
    struct merkle tree = { 0 };

    for (size_t i = from; i < from + count; i++) {
        uint8_t raw[RECORD_BYTES];
        record_encode(&s->reports[i].record, raw);
        struct digest leaf = merkle_leaf(BYTES_OF(raw));
        assert_ok(merkle_add(&tree, &leaf));
    }
    return merkle_root(&tree);
}

static void each_day_is_sealed_over_its_records_and_chained(void **state)
{
    START(s);
    side_open(&s);
    for (uint32_t day = 0; day < 3; day++) {
        side_intervals(&s, FIRST + day * 86400, 96);
        side_take(&s);
    }
    assert_int_equal(s.report_count, 288);
    assert_int_equal(s.seal_count, 3);
    for (size_t day = 0; day < 3; day++) {
        const struct seal *seal = &s.seals[day].seal;
        struct digest root = root_of_reports(&s, 96 * day, 96);
        assert_ok(seal_verify(&s.seals[day], s.keys->signing_public));
        assert_memory_equal(&seal->root, &root, sizeof root);
        assert_int_equal(seal->start_s, SIDE_DAY + 86400 * day);
        assert_int_equal(seal->end_s, SIDE_DAY + 86400 * (day + 1));
        assert_int_equal(seal->first, 96 * day + 1);
        assert_int_equal(seal->last, 96 * (day + 1));
        assert_int_equal(seal->count, 96);
        assert_int_equal(seal->e_act, s.reports[96 * day + 95].record.e_act);
        assert_int_equal(seal->flags, day == 0 ? SEAL_FIRST : 0);
        struct digest before = day > 0 ? seal_hash(&s.seals[day - 1].seal) : (struct digest){ 0 };
        assert_memory_equal(&seal->previous, &before, sizeof before);
    }
    assert_true(meter_idle(s.meter));
}

static void a_seal_waits_until_its_records_are_stored(void **state)
{
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 96);
    side_take(&s);
    assert_int_equal(s.seal_count, 0);
    side_ack(&s, 95);
    side_take(&s);
    assert_int_equal(s.seal_count, 0);
    side_ack(&s, 96);
    side_take(&s);
    assert_int_equal(s.seal_count, 1);
    assert_false(meter_idle(s.meter));
    side_ack_seal(&s, SIDE_DAY + 86400);
    assert_true(meter_idle(s.meter));
}

static void a_lost_seal_is_sent_again(void **state)
{
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 96);
    side_take(&s);
    side_ack(&s, 96);
    side_drop(&s);
    side_advance(&s, 1600000);
    side_take(&s);
    assert_int_equal(s.seal_count, 1);
}

static void days_without_power_have_empty_seals(void **state)
{
    START(s);
    side_open(&s);
    side_intervals(&s, FIRST, 10);
    side_intervals(&s, FIRST + 3 * 86400, 96);
    s.acked = 0;
    side_take(&s);
    side_ack(&s, 4 * 96);
    side_take(&s);
    assert_int_equal(s.seal_count, 4);
    const struct seal *first = &s.seals[0].seal;
    const struct seal *empty = &s.seals[1].seal;
    struct digest nothing = sha256((struct bytes){ 0 });
    assert_int_equal(first->count, 10);
    assert_int_equal(first->last, 96);
    assert_int_equal(empty->count, 0);
    assert_int_equal(empty->first, 97);
    assert_int_equal(empty->last, 192);
    assert_memory_equal(&empty->root, &nothing, sizeof nothing);
    assert_int_equal(empty->e_act, first->e_act);
    assert_int_equal(s.seals[3].seal.count, 96);
    assert_int_equal(s.seals[3].seal.first, 289);
}

static void a_meter_goes_on_from_its_past(void **state)
{
    AUTO(side_done) struct side s = { 0 };
    AUTO(side_done) struct side whole = { 0 };
    struct meter_past past;

    start_with(&whole, state, 0, 0);
    side_open(&whole);
    side_intervals(&whole, FIRST, 96);
    past = *meter_past(whole.meter);
    side_intervals(&whole, FIRST + 86400, 96);
    side_take(&whole);

    s.keys = *state;
    assert_ok(aead_new(&s.aead));
    struct meter_options o = side_options(&s);
    o.past = past;
    side_start(&s, *state, &o);
    s.acked = 96;
    side_open(&s);
    side_intervals(&s, FIRST + 86400, 96);
    side_take(&s);
    assert_int_equal(s.report_count, 96);
    assert_true(record_equal(&s.reports[0].record, &whole.reports[96].record));
    assert_int_equal(s.seal_count, 1);
    struct digest a = seal_hash(&s.seals[0].seal);
    struct digest b = seal_hash(&whole.seals[1].seal);
    assert_memory_equal(&a, &b, sizeof a);
}

static void what_the_other_side_has_from_an_earlier_run_is_skipped(void **state)
{
    START(s);
    s.acks = false;
    side_open(&s);
    side_intervals(&s, FIRST, 1);
    side_take(&s);
    side_ack(&s, 50); /* it knew this meter */
    side_ack_seal(&s, SIDE_DAY);
    side_intervals(&s, FIRST + 900, 59);
    side_take(&s);
    assert_int_equal(meter_pending(s.meter), 10);
    assert_int_equal(s.report_count, 11);
    assert_int_equal(s.reports[1].record.sequence, 51);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_acknowledged_record_leaves_the_ring),
        cmocka_unit_test(reports_carry_sequence_time_and_what_the_ring_holds),
        cmocka_unit_test(no_more_than_the_window_is_under_way),
        cmocka_unit_test(after_silence_the_oldest_alone_is_repeated_with_growing_pauses),
        cmocka_unit_test(progress_after_silence_doubles_what_is_under_way),
        cmocka_unit_test(a_full_link_is_waited_for),
        cmocka_unit_test(a_queue_that_is_full_slows_the_meter_down),
        cmocka_unit_test(a_full_ring_overwrites_the_oldest_and_says_so),
        cmocka_unit_test(what_was_overwritten_on_its_way_is_not_sent_twice),
        cmocka_unit_test(slots_without_power_have_sequences_but_no_records),
        cmocka_unit_test(a_long_time_without_power_is_left_to_questions),
        cmocka_unit_test(times_that_do_not_fit_are_refused),
        cmocka_unit_test(a_repeated_interval_has_the_same_sequence_and_is_in_no_seal),
        cmocka_unit_test(each_day_is_sealed_over_its_records_and_chained),
        cmocka_unit_test(a_seal_waits_until_its_records_are_stored),
        cmocka_unit_test(a_lost_seal_is_sent_again),
        cmocka_unit_test(days_without_power_have_empty_seals),
        cmocka_unit_test(a_meter_goes_on_from_its_past),
        cmocka_unit_test(what_the_other_side_has_from_an_earlier_run_is_skipped),
    };
    return cmocka_run_group_tests_name("meter reports", tests, side_keys_setup,
                                       side_keys_teardown);
}
