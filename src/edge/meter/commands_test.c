/* SPDX-License-Identifier: Apache-2.0 */
/* Commands through the session: answers, refusals, the cache, the clock. */
#include <string.h>

#include "edge/meter/test_side.h"

#define FIRST (SIDE_DAY + RECORD_INTERVAL_S)
#define START(s)                                   \
    AUTO(side_done) struct side s = { .keys = NULL }; \
    side_start(&s, *state, NULL);                  \
    side_open(&s)

static const struct side_answer *last(const struct side *s)
{
    assert_true(s->answer_count > 0);
    return &s->answers[s->answer_count - 1];
}

static void assert_nak(const struct side *s, uint32_t transaction, uint8_t reason)
{
    const struct side_answer *a = last(s);

    assert_int_equal(a->type, ENVELOPE_SIG);
    assert_int_equal(a->signal.signal, NBR_NAK);
    assert_int_equal(a->signal.reason, reason);
    assert_int_equal(a->transaction, transaction);
}

static void a_code_that_is_not_implemented_is_answered_as_the_standard_says(void **state)
{
    struct nbr_response r;
    START(s);
    side_command(&s, 5, 0x21, NULL, 0);
    assert_int_equal(last(&s)->transaction, 5);
    assert_ok(nbr_response_parse(BYTES_OF(last(&s)->block), &r));
    assert_int_equal(r.code, NBR_NOT_IMPLEMENTED);
    assert_int_equal(r.meter, 0x12345678);
    assert_int_equal(r.data[0], 0x21);
}

static void refused_commands_say_why(void **state)
{
    const uint8_t firmware[] = { 0xB0 };
    const uint8_t too_many[] = { NBR_EXT_READ_REPORTS, 0, 0, 0, 1, 0, 0, 0, 97 };
    const uint8_t backwards[] = { NBR_EXT_READ_REPORTS, 0, 0, 0, 9, 0, 0, 0, 1 };
    const uint8_t no_days[] = { NBR_EXT_SEAL, 0, 0, 0, 0, 0 };
    const uint8_t many_days[] = { NBR_EXT_SEAL, 0, 0, 0, 0, 36 };
    START(s);
    side_command(&s, 1, NBR_EXTENSION, firmware, sizeof firmware);
    assert_nak(&s, 1, NAK_UNKNOWN_SUBCODE);
    side_command(&s, 2, NBR_EXTENSION, too_many, sizeof too_many);
    assert_nak(&s, 2, NAK_BAD_PARAMETER);
    side_command(&s, 3, NBR_EXTENSION, backwards, sizeof backwards);
    assert_nak(&s, 3, NAK_BAD_PARAMETER);
    side_command(&s, 4, NBR_EXTENSION, no_days, sizeof no_days);
    assert_nak(&s, 4, NAK_BAD_PARAMETER);
    side_command(&s, 5, NBR_EXTENSION, many_days, sizeof many_days);
    assert_nak(&s, 5, NAK_BAD_PARAMETER);
}

static void a_block_with_a_bad_crc_is_refused_and_an_impossible_code_dropped(void **state)
{
    uint8_t block[NBR_COMMAND_BYTES];
    START(s);
    side_command_block(0x14, NULL, 0, block);
    block[10] ^= 1;
    side_send(&s, ENVELOPE_CMD, 1, BYTES_OF(block));
    side_take(&s);
    assert_nak(&s, 1, NAK_INNER_CRC);
    side_command(&s, 2, 0x06, NULL, 0);
    assert_int_equal(s.answer_count, 1);
    assert_int_equal(meter_stats(s.meter)->refused, 1);
}

static void an_expired_command_is_refused(void **state)
{
    uint8_t parameters[60] = { NBR_EXT_READ_REPORTS, 0, 0, 0, 1, 0, 0, 0, 1 };
    START(s);
    uint32_t now = (uint32_t)(s.utc_us / US_PER_S);

    store_u32(parameters + NBR_NOT_AFTER_AT - 4, now - 1);
    side_command(&s, 1, NBR_EXTENSION, parameters, sizeof parameters);
    assert_nak(&s, 1, NAK_EXPIRED);
    store_u32(parameters + NBR_NOT_AFTER_AT - 4, now);
    side_command(&s, 2, NBR_EXTENSION, parameters, sizeof parameters);
    assert_int_equal(last(&s)->type, ENVELOPE_RSP);
}

static void set_clock(struct side *s, uint32_t transaction, uint32_t utc_s, uint16_t slew,
                      uint8_t step)
{
    uint8_t p[8] = { NBR_EXT_CLOCK };

    store_u32(p + 1, utc_s);
    store_u16(p + 5, slew);
    p[7] = step;
    side_command(s, transaction, NBR_EXTENSION, p, sizeof p);
}

static uint16_t next_status(struct side *s, uint32_t i)
{
    side_intervals(s, FIRST + i * 900, 1);
    side_take(s);
    return s->reports[s->report_count - 1].record.status;
}

static void a_small_difference_is_slewed_and_marks_nothing(void **state)
{
    START(s);
    uint32_t now = (uint32_t)(s.utc_us / US_PER_S);

    set_clock(&s, 1, now + 5, 10, 0);
    assert_int_equal(last(&s)->block[6], 0);
    assert_int_equal(load_u32(last(&s)->block + 7), now);
    assert_int_equal(load_u32(last(&s)->block + 11), now + 5);
    assert_int_equal(last(&s)->block[15], 0);
    assert_int_equal(next_status(&s, 0), 0);
}

static void a_step_needs_leave_and_marks_the_interval(void **state)
{
    START(s);
    uint32_t now = (uint32_t)(s.utc_us / US_PER_S);

    set_clock(&s, 1, now + 50, 10, 0);
    assert_int_equal(last(&s)->block[6], 4);
    assert_int_equal(load_u32(last(&s)->block + 11), now);
    assert_int_equal(next_status(&s, 0), 0);
    set_clock(&s, 2, now + 50, 10, 1);
    assert_int_equal(last(&s)->block[6], 0);
    assert_int_equal(last(&s)->block[15], 1);
    assert_int_equal(next_status(&s, 1), STATUS_CLOCK_STEPPED);
    assert_int_equal(next_status(&s, 2), 0);
}

static void a_step_across_an_interval_makes_both_neighbours_partial(void **state)
{
    START(s);
    uint32_t now = (uint32_t)(s.utc_us / US_PER_S);

    set_clock(&s, 1, now - 100, 10, 1);
    assert_int_equal(next_status(&s, 0), STATUS_CLOCK_STEPPED | STATUS_PARTIAL);
    assert_int_equal(next_status(&s, 1), STATUS_PARTIAL);
    assert_int_equal(next_status(&s, 2), 0);
}

static void clock_values_that_cannot_be_are_refused(void **state)
{
    START(s);
    uint32_t now = (uint32_t)(s.utc_us / US_PER_S);

    set_clock(&s, 1, 5, 10, 1);
    assert_int_equal(last(&s)->block[6], 6);
    set_clock(&s, 2, now, 10, 2);
    assert_int_equal(last(&s)->block[6], 6);
    assert_int_equal(next_status(&s, 0), 0);
}

static void a_repeated_command_is_answered_from_the_cache_and_not_done_twice(void **state)
{
    START(s);
    uint32_t now = (uint32_t)(s.utc_us / US_PER_S);

    set_clock(&s, 1, now + 60, 0, 1);
    struct side_answer first = *last(&s);
    assert_int_equal(first.flags & ENVELOPE_CACHED, 0);
    side_advance(&s, 10 * US_PER_S);
    set_clock(&s, 1, now + 60, 0, 1);
    assert_int_equal(last(&s)->flags & ENVELOPE_CACHED, ENVELOPE_CACHED);
    assert_memory_equal(last(&s)->block, first.block, sizeof first.block);
    assert_int_equal(meter_stats(s.meter)->commands, 1);
    set_clock(&s, 2, now + 60, 100, 0); /* 10 s ran on: the clock was not set again */
    assert_int_equal(load_u32(last(&s)->block + 7), now + 70);
}

static void another_command_under_a_used_transaction_is_refused(void **state)
{
    START(s);
    uint32_t now = (uint32_t)(s.utc_us / US_PER_S);

    set_clock(&s, 1, now, 10, 0);
    set_clock(&s, 1, now + 1, 10, 0);
    assert_nak(&s, 1, NAK_BAD_PARAMETER);
}

static void the_cache_holds_sixty_four_transactions(void **state)
{
    START(s);
    for (uint32_t t = 1; t <= 65; t++) {
        side_command(&s, t, 0x21, NULL, 0);
    }
    side_command(&s, 2, 0x21, NULL, 0);
    assert_int_equal(last(&s)->flags & ENVELOPE_CACHED, ENVELOPE_CACHED);
    side_command(&s, 1, 0x21, NULL, 0); /* forgotten: done anew */
    assert_int_equal(last(&s)->flags & ENVELOPE_CACHED, 0);
}

static void a_read_that_is_repeated_reads_again_and_says_cached(void **state)
{
    const uint8_t read[] = { NBR_EXT_READ_REPORTS, 0, 0, 0, 1, 0, 0, 0, 2 };
    START(s);
    s.acks = false;
    side_intervals(&s, FIRST, 2);
    side_command(&s, 3, NBR_EXTENSION, read, sizeof read);
    side_command(&s, 3, NBR_EXTENSION, read, sizeof read);
    assert_int_equal(s.answer_count, 4);
    assert_int_equal(s.answers[1].flags & ENVELOPE_CACHED, 0);
    assert_int_equal(s.answers[2].flags & ENVELOPE_CACHED, ENVELOPE_CACHED);
    assert_memory_equal(s.answers[0].block, s.answers[2].block, NBR_RESPONSE_BYTES);
}

static void seals_that_are_held_can_be_read_again(void **state)
{
    uint8_t read[] = { NBR_EXT_SEAL, 0, 0, 0, 0, 2 };
    struct seal_parts parts = { 0 };
    struct sealed_day day;
    bool whole = false;
    START(s);
    s.acks = false;
    side_intervals(&s, FIRST, 192);
    store_u32(read + 1, SIDE_DAY);
    side_command(&s, 3, NBR_EXTENSION, read, sizeof read);
    assert_int_equal(s.answer_count, 2);
    assert_int_equal(s.answers[0].flags & ENVELOPE_MORE, ENVELOPE_MORE);
    assert_int_equal(s.answers[1].flags & ENVELOPE_MORE, 0);
    assert_ok(seal_parts_add(&parts, BYTES_OF(s.answers[0].block), &whole, &day));
    assert_true(whole);
    assert_int_equal(day.seal.start_s, SIDE_DAY);
    assert_ok(seal_verify(&day, s.keys->signing_public));
    store_u32(read + 1, SIDE_DAY + 86400 * 5);
    side_command(&s, 4, NBR_EXTENSION, read, sizeof read);
    assert_int_equal(last(&s)->block[6], 7);
}

static float float_at(const uint8_t *p)
{
    uint32_t bits = load_u32_le(p);
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

static void the_phasor_page_shows_the_newest_record(void **state)
{
    START(s);
    side_command(&s, 1, NBR_PHASORS, NULL, 0);
    assert_int_equal(last(&s)->block[0], NBR_NOT_IMPLEMENTED); /* nothing measured yet */
    side_intervals(&s, FIRST, 1);
    side_take(&s);
    side_command(&s, 2, NBR_PHASORS, NULL, 0);
    const uint8_t *b = last(&s)->block;
    assert_int_equal(b[0], NBR_PHASORS);
    const uint8_t stamp[] = { 0x00, 0x15, 0x00, 0x22, 0x11, 0x25 };
    assert_memory_equal(b + 5, stamp, sizeof stamp);
    assert_true(float_at(b + 11) > 127.09F && float_at(b + 11) < 127.11F);
    assert_true(float_at(b + 63) > 1999 && float_at(b + 63) < 2001);
    assert_true(float_at(b + 183) > 60.009F && float_at(b + 183) < 60.011F);
}

static void the_register_page_shows_pulses_in_bcd(void **state)
{
    START(s);
    side_intervals(&s, FIRST, 3);
    side_take(&s);
    side_command(&s, 2, NBR_REGISTERS, NULL, 0);
    const uint8_t *b = last(&s)->block;
    const uint8_t energy[] = { 0x00, 0x00, 0x00, 0x15, 0x30 };
    const uint8_t demand[] = { 0x00, 0x05, 0x20 };
    assert_memory_equal(b + 5, energy, sizeof energy);
    assert_memory_equal(b + 40, demand, sizeof demand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_that_is_not_implemented_is_answered_as_the_standard_says),
        cmocka_unit_test(refused_commands_say_why),
        cmocka_unit_test(a_block_with_a_bad_crc_is_refused_and_an_impossible_code_dropped),
        cmocka_unit_test(an_expired_command_is_refused),
        cmocka_unit_test(a_small_difference_is_slewed_and_marks_nothing),
        cmocka_unit_test(a_step_needs_leave_and_marks_the_interval),
        cmocka_unit_test(a_step_across_an_interval_makes_both_neighbours_partial),
        cmocka_unit_test(clock_values_that_cannot_be_are_refused),
        cmocka_unit_test(a_repeated_command_is_answered_from_the_cache_and_not_done_twice),
        cmocka_unit_test(another_command_under_a_used_transaction_is_refused),
        cmocka_unit_test(the_cache_holds_sixty_four_transactions),
        cmocka_unit_test(a_read_that_is_repeated_reads_again_and_says_cached),
        cmocka_unit_test(seals_that_are_held_can_be_read_again),
        cmocka_unit_test(the_phasor_page_shows_the_newest_record),
        cmocka_unit_test(the_register_page_shows_pulses_in_bcd),
    };
    return cmocka_run_group_tests_name("meter commands", tests, side_keys_setup,
                                       side_keys_teardown);
}
