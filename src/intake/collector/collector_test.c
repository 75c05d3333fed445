/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <string.h>

#include "intake/collector/fake_store.h"
#include "lib/base/clock.h"
#include "lib/service/fake_host.h"
#include "lib/wire/intake.h"
#include "lib/wire/nbr.h"
#include "lib/wire/session.h"
#include "lib/wire/tables.h"

#define AUTH 10
#define METER UINT64_C(0x12345678)
#define UTC_S 1763823600u /* a multiple of the interval */
#define BASE_S (UTC_S - 1000 * 900)

static struct private_key *session_key, *signing_key, *foreign_key;
static struct public_key *session_public, *signing_public;

struct fixture {
    struct fake_host fake;
    struct fake_store store;
    struct collector *c;
    uint64_t now_us;
    size_t read; /* of what the authenticator was sent */
};

static void begin_collector(struct fixture *f)
{
    struct collector_options options = { .reader = 123456 };

    assert_ok(collector_new(&f->fake.host, &f->store.store, &options, &f->c));
    assert_ok(collector_ops.opened(f->c, f->now_us, AUTH, false));
}

static void start(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->now_us = 1000 * US_PER_S;
    fake_host_init(&f->fake);
    f->fake.utc_us = UTC_S * US_PER_S;
    fake_store_init(&f->store);
    fake_store_register(&f->store, METER, SUITE_X25519_RSA2048, session_public, signing_public);
    begin_collector(f);
}

static void end(struct fixture *f)
{
    collector_free(f->c);
    fake_store_done(&f->store);
    fake_host_done(&f->fake);
}

static void clear(struct fixture *f)
{
    fake_host_clear(&f->fake);
    f->read = 0;
}

/* The collector dies and begins anew; what is under way at the store is lost or written. */
static void restart(struct fixture *f, bool applied)
{
    while (f->store.request_count > 0) {
        fake_store_abandon(&f->store, 0, applied);
    }
    collector_free(f->c);
    clear(f);
    begin_collector(f);
}

static void pass(struct fixture *f, uint64_t us)
{
    f->now_us += us;
    f->fake.utc_us += us;
    collector_ops.tick(f->c, f->now_us);
}

/* Lets batches go and answers everything the store is asked. */
static void settle(struct fixture *f)
{
    for (int i = 0; i < 4; i++) {
        pass(f, COLLECTOR_BATCH_US);
        fake_store_answer_all(&f->store, f->c, f->now_us);
    }
}

static uint64_t counted(const struct fixture *f, enum collector_count c)
{
    return collector_counts(f->c)[c];
}

static err say(struct fixture *f, const struct intake_message *m)
{
    AUTO(buf_done) struct buf out = { .max = INTAKE_MESSAGE_BYTES_MAX };

    assert_ok(intake_encode(m, &out));
    return collector_ops.octets(f->c, f->now_us, AUTH, buf_bytes(&out));
}

static err block_from(struct fixture *f, uint64_t meter, uint8_t type, uint8_t flags,
                      uint32_t transaction, const uint8_t *block)
{
    struct intake_message m = { .kind = INTAKE_BLOCK, .meter = meter };

    m.block.type = type;
    m.block.flags = flags;
    m.block.transaction = transaction;
    m.block.block = (struct bytes){ block, NBR_RESPONSE_BYTES };
    return say(f, &m);
}

static struct report report_of(uint32_t sequence, uint32_t newest, uint32_t oldest)
{
    struct report r = { .record = { .sequence = sequence, .meter = METER,
                                    .end_s = BASE_S + sequence * 900, .interval_s = 900,
                                    .e_act = sequence },
                        .newest = newest, .oldest = oldest };

    for (int i = 0; i < RECORD_READS; i++) {
        r.record.reads[i] = (int32_t)sequence + i;
    }
    return r;
}

static void push_report(struct fixture *f, const struct report *r)
{
    uint8_t block[NBR_RESPONSE_BYTES];

    report_encode(r, block);
    assert_ok(block_from(f, METER, ENVELOPE_PUSH, 0, 0, block));
}

static void push(struct fixture *f, uint32_t sequence, uint32_t newest)
{
    struct report r = report_of(sequence, newest, 1);

    push_report(f, &r);
}

/* The next message to the authenticator of a kind; false: there is none. */
static bool next_of(struct fixture *f, uint8_t kind, struct intake_message *out)
{
    for (;;) {
        struct bytes in = fake_host_sent(&f->fake, AUTH);
        in = (struct bytes){ in.ptr + f->read, in.len - f->read };
        size_t before = in.len;
        if (in.len == 0 || intake_take(&in, out).code) {
            return false;
        }
        f->read += before - in.len;
        if (out->kind == kind) {
            return true;
        }
    }
}

/* The highest acknowledgement of a kind since the last clear; 0: none. */
static uint32_t acked(struct fixture *f, enum ack_reason reason)
{
    struct intake_message m;
    uint32_t value = 0;

    f->read = 0;
    while (next_of(f, INTAKE_SIGNAL, &m)) {
        if (m.signal.signal.signal == NBR_ACK && m.signal.signal.reason == reason) {
            assert_true(m.signal.signal.value >= value); /* never goes back */
            value = m.signal.signal.value;
        }
    }
    return value;
}

static bool stored(const struct fixture *f, uint32_t sequence)
{
    const struct fake_reading *r = fake_store_reading(&f->store, METER, BASE_S + sequence * 900);

    return r != NULL && r->record.sequence == sequence;
}

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

static int make_keys(void **state)
{
    (void)state;
    assert_ok(private_key_new(SIGN_RSA2048, &session_key));
    assert_ok(private_key_new(SIGN_P256, &signing_key));
    assert_ok(private_key_new(SIGN_P256, &foreign_key));
    assert_ok(public_key_of(session_key, &session_public));
    assert_ok(public_key_of(signing_key, &signing_public));
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    private_key_free(session_key);
    private_key_free(signing_key);
    private_key_free(foreign_key);
    public_key_free(session_public);
    public_key_free(signing_public);
    return 0;
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
        cmocka_unit_test(a_hole_that_stays_is_asked_for),
        cmocka_unit_test(reports_at_the_end_that_did_not_come_are_asked_for),
        cmocka_unit_test(a_hole_that_closes_by_itself_is_not_asked_for),
        cmocka_unit_test(known_missing_is_written_acknowledged_and_never_asked_for_again),
        cmocka_unit_test(long_holes_are_asked_for_in_pieces_without_waiting_again),
        cmocka_unit_test(a_request_without_answer_is_repeated_seven_times_with_growing_pauses),
        cmocka_unit_test(a_new_session_asks_at_once_for_what_is_still_missing),
        cmocka_unit_test(a_meter_that_does_not_understand_is_left_alone),
        cmocka_unit_test(what_a_meter_no_longer_holds_at_first_is_known_missing),
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
        cmocka_unit_test(a_clock_that_is_off_is_set),
        cmocka_unit_test(two_services_that_do_not_agree_set_no_clock),
        cmocka_unit_test(a_message_that_only_the_collector_sends_ends_the_link),
        cmocka_unit_test(octets_that_are_no_message_end_the_link),
        cmocka_unit_test(more_links_than_allowed_are_refused),
        cmocka_unit_test(acknowledgements_go_to_the_authenticator_that_spoke_last),
        cmocka_unit_test(a_flush_writes_what_waits),
    };
    return cmocka_run_group_tests_name("collector", tests, make_keys, free_keys);
}
