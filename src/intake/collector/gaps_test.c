/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/collector/test_fixture.h"

/* --- holes --- */

/* The command that asks for missing reports, if one was sent since the last clear. */
static bool asked(struct fixture *f, uint32_t *transaction, struct range *out)
{
    struct intake_message m;

    f->read = 0;
    while (next_of(f, INTAKE_COMMAND, &m)) {
        struct nbr_command c;
        assert_ok(nbr_command_parse(m.command.block, &c));
        assert_int_equal(c.code, NBR_EXTENSION);
        assert_int_equal(c.reader, 123456);
        if (c.parameters[0] == NBR_EXT_READ_REPORTS) {
            *transaction = m.command.transaction;
            *out = (struct range){ load_u32(c.parameters + 1), load_u32(c.parameters + 5) };
            return true;
        }
    }
    return false;
}

static void answer_missing(struct fixture *f, uint32_t sequence, uint8_t reason,
                           uint32_t transaction)
{
    uint8_t block[NBR_RESPONSE_BYTES];
    struct report r = { .record = { .sequence = sequence, .meter = METER }, .newest = 10,
                        .oldest = 1, .missing_reason = reason };

    report_encode(&r, block);
    assert_ok(block_from(f, METER, ENVELOPE_RSP, 0, transaction, block));
}

static void a_hole_that_stays_is_asked_for(void **state)
{
    struct fixture f;
    uint32_t transaction = 0;
    struct range range = { 0 };

    (void)state;
    start(&f);
    push(&f, 1, 5);
    push(&f, 5, 5);
    settle(&f);
    pass(&f, 10 * US_PER_S);
    assert_false(asked(&f, &transaction, &range));
    pass(&f, 15 * US_PER_S);
    assert_true(asked(&f, &transaction, &range));
    assert_int_equal(range.first, 2);
    assert_int_equal(range.last, 4);
    assert_int_not_equal(transaction, 0);
    end(&f);
}

static void reports_at_the_end_that_did_not_come_are_asked_for(void **state)
{
    struct fixture f;
    uint32_t transaction;
    struct range range = { 0 };

    (void)state;
    start(&f);
    push(&f, 1, 3); /* the meter says that it has three */
    settle(&f);
    pass(&f, 25 * US_PER_S);
    assert_true(asked(&f, &transaction, &range));
    assert_int_equal(range.first, 2);
    assert_int_equal(range.last, 3);
    end(&f);
}

static void a_hole_that_closes_by_itself_is_not_asked_for(void **state)
{
    struct fixture f;
    uint32_t transaction;
    struct range range;

    (void)state;
    start(&f);
    push(&f, 1, 3);
    push(&f, 3, 3);
    settle(&f);
    push(&f, 2, 3);
    settle(&f);
    pass(&f, 100 * US_PER_S);
    assert_false(asked(&f, &transaction, &range));
    end(&f);
}

static void known_missing_is_written_acknowledged_and_never_asked_for_again(void **state)
{
    struct fixture f;
    uint32_t transaction = 0;
    struct range range;

    (void)state;
    start(&f);
    push(&f, 1, 3);
    push(&f, 3, 3);
    settle(&f);
    pass(&f, 25 * US_PER_S);
    assert_true(asked(&f, &transaction, &range));
    clear(&f);
    answer_missing(&f, 2, 1, transaction);
    assert_int_equal(acked(&f, ACK_REPORTS), 0); /* not before it is durable */
    settle(&f);
    assert_true(fake_store_missing(&f.store, METER, 2));
    assert_int_equal(counted(&f, COLLECTOR_MISSING), 1);
    assert_int_equal(acked(&f, ACK_REPORTS), 3);
    restart(&f, true);
    push(&f, 4, 4);
    settle(&f);
    pass(&f, 100 * US_PER_S);
    assert_false(asked(&f, &transaction, &range));
    assert_int_equal(acked(&f, ACK_REPORTS), 4);
    end(&f);
}

static void long_holes_are_asked_for_in_pieces_without_waiting_again(void **state)
{
    struct fixture f;
    uint32_t transaction = 0;
    struct range range;
    uint32_t at = 2;

    (void)state;
    start(&f);
    push(&f, 1, 101);
    push(&f, 101, 101);
    settle(&f);
    pass(&f, 25 * US_PER_S);
    while (at < 101) {
        assert_true(asked(&f, &transaction, &range));
        assert_int_equal(range.first, at);
        assert_true(range.last - range.first < 32);
        clear(&f);
        for (; at <= range.last; at++) {
            push(&f, at, 101);
        }
        settle(&f);
    }
    assert_int_equal(counted(&f, COLLECTOR_GAP_REQUESTS), 4);
    assert_int_equal(collector_mark(f.c, METER), 101);
    end(&f);
}

static void a_request_without_answer_is_repeated_seven_times_with_growing_pauses(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1, 3);
    push(&f, 3, 3);
    settle(&f);
    for (int s = 0; s < 600; s++) {
        pass(&f, US_PER_S);
    }
    assert_int_equal(counted(&f, COLLECTOR_GAP_REQUESTS), 8);
    push(&f, 2, 3);
    settle(&f);
    assert_int_equal(collector_mark(f.c, METER), 3);
    end(&f);
}

static void a_new_session_asks_at_once_for_what_is_still_missing(void **state)
{
    struct fixture f;
    struct intake_message opened = { .kind = INTAKE_OPENED, .meter = METER };
    struct intake_message closed = { .kind = INTAKE_CLOSED, .meter = METER };

    (void)state;
    start(&f);
    push(&f, 1, 3);
    push(&f, 3, 3);
    settle(&f);
    assert_ok(say(&f, &closed));
    pass(&f, 100 * US_PER_S);
    assert_int_equal(counted(&f, COLLECTOR_GAP_REQUESTS), 0); /* nobody could hear it */
    opened.opened.meter_s = opened.opened.ours_s = UTC_S;
    assert_ok(say(&f, &opened));
    assert_int_equal(acked(&f, ACK_REPORTS), 1); /* and what is stored is acknowledged again */
    for (int s = 0; s < 25; s++) {
        pass(&f, US_PER_S);
    }
    assert_int_equal(counted(&f, COLLECTOR_GAP_REQUESTS), 1);
    end(&f);
}

static void a_meter_that_does_not_understand_is_left_alone(void **state)
{
    struct fixture f;
    uint32_t transaction = 0;
    struct range range;
    struct intake_message nak = { .kind = INTAKE_SIGNAL, .meter = METER };

    (void)state;
    start(&f);
    push(&f, 1, 3);
    settle(&f);
    pass(&f, 25 * US_PER_S);
    assert_true(asked(&f, &transaction, &range));
    nak.signal.transaction = transaction;
    nak.signal.signal = (struct signal){ NBR_NAK, NAK_UNKNOWN_SUBCODE, 0 };
    assert_ok(say(&f, &nak));
    for (int s = 0; s < 3000; s++) {
        pass(&f, US_PER_S);
    }
    assert_int_equal(counted(&f, COLLECTOR_GAP_REQUESTS), 1);
    end(&f);
}

static void what_a_meter_no_longer_holds_at_first_is_known_missing(void **state)
{
    struct fixture f;
    struct report r = report_of(50, 52, 48);

    (void)state;
    start(&f);
    push_report(&f, &r);
    settle(&f);
    assert_true(fake_store_missing(&f.store, METER, 1));
    assert_true(fake_store_missing(&f.store, METER, 47));
    assert_false(fake_store_missing(&f.store, METER, 48));
    assert_int_equal(acked(&f, ACK_REPORTS), 47);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hole_that_stays_is_asked_for),
        cmocka_unit_test(reports_at_the_end_that_did_not_come_are_asked_for),
        cmocka_unit_test(a_hole_that_closes_by_itself_is_not_asked_for),
        cmocka_unit_test(known_missing_is_written_acknowledged_and_never_asked_for_again),
        cmocka_unit_test(long_holes_are_asked_for_in_pieces_without_waiting_again),
        cmocka_unit_test(a_request_without_answer_is_repeated_seven_times_with_growing_pauses),
        cmocka_unit_test(a_new_session_asks_at_once_for_what_is_still_missing),
        cmocka_unit_test(a_meter_that_does_not_understand_is_left_alone),
        cmocka_unit_test(what_a_meter_no_longer_holds_at_first_is_known_missing),
    };
    return cmocka_run_group_tests_name("gaps", tests, make_keys, free_keys);
}
