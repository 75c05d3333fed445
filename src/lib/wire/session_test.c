/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/session.h"

#include <string.h>

#include "lib/base/test.h"
#include "lib/wire/nbr.h"

#define METER UINT64_C(0x12345678)

#define CMD_VECTOR                                                     \
    "4d5301030101005200000000123456780000000700000000000000014a54cec7" \
    "bb142e163f87ad4d1a84f2e6d190537d1be666ed9b4c253942f8b95bf76a3fc0" \
    "56847fd4a48aa154daf075d0cae98c2fc9f654293cc224a7e3606c4b871587f9" \
    "387cea02af632f978ee613060d27"
#define SIG_VECTOR                                                     \
    "4d5301060101001800000000123456780000000000000000000000027e35c044" \
    "c3ed87319a941495ed8e149231d1a826d5393d70"

/* The keys of the vectors: to the meter 00.. salt 10.., from the meter 20.. salt 30... */
static struct session_keys keys_from(uint8_t first, uint8_t salt)
{
    struct session_keys k = { .key.size = 16 };

    for (uint8_t i = 0; i < 16; i++) {
        k.key.octets[i] = (uint8_t)(first + i);
    }
    for (uint8_t i = 0; i < 4; i++) {
        k.salt[i] = (uint8_t)(salt + i);
    }
    return k;
}

struct link { /* both ends */
    struct aead *aead;
    struct session meter;
    struct session collector;
    struct buf frame;
};

static struct link link_new(void)
{
    struct link l = { .frame = { .max = 65536 } };
    struct session_keys to = keys_from(0x00, 0x10);
    struct session_keys from = keys_from(0x20, 0x30);

    assert_ok(aead_new(&l.aead));
    l.meter = (struct session){ METER, 1, SUITE_X25519_RSA2048, .send = from, .receive = to };
    l.collector = (struct session){ METER, 1, SUITE_X25519_RSA2048, .send = to, .receive = from };
    return l;
}

static void link_done(struct link *l)
{
    aead_free(l->aead);
    session_done(&l->meter);
    session_done(&l->collector);
    buf_done(&l->frame);
}

/* Seals one signal at the meter, with the counter as wanted. */
static void seal_signal(struct link *l, struct session *s, uint64_t counter)
{
    const struct signal ping = { .signal = NBR_ENQ };
    uint8_t body[SIGNAL_BYTES];

    signal_encode(&ping, body);
    s->send.counter = counter - 1;
    buf_clear(&l->frame);
    assert_ok(session_seal(s, l->aead, ENVELOPE_SIG, 0, 0, BYTES_OF(body), &l->frame));
}

static err open_frame(struct link *l, struct session *s, enum counter_rule rule,
                      enum session_refusal *why)
{
    uint8_t out[ENVELOPE_BODY_BYTES_MAX];
    struct envelope e;

    TRY(envelope_parse(buf_bytes(&l->frame), &e));
    return session_open(s, l->aead, rule, &e, buf_bytes(&l->frame), out, why);
}

/* A signal from the meter with this counter arrives at the collector. */
static enum session_refusal arrive(struct link *l, uint64_t counter)
{
    struct session before = l->collector;
    enum session_refusal why = REFUSED_COUNT;

    seal_signal(l, &l->meter, counter);
    err e = open_frame(l, &l->collector, COUNTER_WINDOW, &why);
    assert_int_equal(e.code, why == REFUSED_NOT ? ERR_NONE : ERR_AUTH);
    if (e.code) {
        assert_memory_equal(&l->collector, &before, sizeof before);
    }
    return why;
}

/* One from the collector with this counter arrives at the meter. */
static enum session_refusal arrive_at_meter(struct link *l, uint64_t counter)
{
    struct session before = l->meter;
    enum session_refusal why = REFUSED_COUNT;

    seal_signal(l, &l->collector, counter);
    err e = open_frame(l, &l->meter, COUNTER_STRICT, &why);
    assert_int_equal(e.code, why == REFUSED_NOT ? ERR_NONE : ERR_AUTH);
    if (e.code) {
        assert_memory_equal(&l->meter, &before, sizeof before);
    }
    return why;
}

static void sealed_frames_have_the_vectors_of_the_reference(void **state)
{
    AUTO(link_done) struct link l = link_new();
    uint8_t block[NBR_COMMAND_BYTES] = { 0x14, 0x12, 0x34, 0x56 };
    const struct signal ack = { .signal = NBR_ACK, .value = 35041 };
    uint8_t body[SIGNAL_BYTES];

    (void)state;
    nbr_crc_set(block, sizeof block);
    assert_ok(session_seal(&l.collector, l.aead, ENVELOPE_CMD, 0, 7, BYTES_OF(block), &l.frame));
    assert_hex(buf_bytes(&l.frame), CMD_VECTOR);
    signal_encode(&ack, body);
    assert_hex(BYTES_OF(body), "06000000000088e1");
    buf_clear(&l.frame);
    assert_ok(session_seal(&l.collector, l.aead, ENVELOPE_SIG, 0, 0, BYTES_OF(body), &l.frame));
    assert_hex(buf_bytes(&l.frame), SIG_VECTOR);
}

static void the_meter_opens_the_vectors(void **state)
{
    AUTO(link_done) struct link l = link_new();
    uint8_t out[NBR_COMMAND_BYTES];
    struct bytes cmd = UNHEX(CMD_VECTOR);
    struct bytes sig = UNHEX(SIG_VECTOR);
    struct envelope e;
    struct signal s;
    enum session_refusal why;

    (void)state;
    assert_ok(envelope_parse(cmd, &e));
    assert_int_equal(e.transaction, 7);
    assert_ok(session_open(&l.meter, l.aead, COUNTER_STRICT, &e, cmd, out, &why));
    assert_hex(((struct bytes){ out, 4 }), "14123456");
    assert_ok(envelope_parse(sig, &e));
    assert_ok(session_open(&l.meter, l.aead, COUNTER_STRICT, &e, sig, out, &why));
    assert_ok(signal_parse((struct bytes){ out, SIGNAL_BYTES }, &s));
    assert_int_equal(s.value, 35041);
}

static void each_frame_takes_the_next_counter(void **state)
{
    AUTO(link_done) struct link l = link_new();
    uint8_t body[4] = { 0 };

    (void)state;
    for (uint64_t n = 1; n <= 3; n++) {
        struct envelope e;
        buf_clear(&l.frame);
        assert_ok(session_seal(&l.meter, l.aead, ENVELOPE_CLOSE, 0, 0, BYTES_OF(body), &l.frame));
        assert_ok(envelope_parse(buf_bytes(&l.frame), &e));
        assert_true(e.counter == n);
    }
}

static void equal_texts_are_never_sealed_equally(void **state)
{
    AUTO(link_done) struct link l = link_new();

    (void)state;
    seal_signal(&l, &l.meter, 1);
    seal_signal(&l, &l.collector, 1);
    struct bytes first = UNHEX(SIG_VECTOR);
    assert_false(bytes_equal(buf_bytes(&l.frame), first));
}

static void a_body_of_the_wrong_size_or_flag_is_not_sealed(void **state)
{
    AUTO(link_done) struct link l = link_new();
    uint8_t body[ENVELOPE_BODY_BYTES_MAX + 1] = { 0 };

    (void)state;
    assert_err(
        session_seal(&l.meter, l.aead, ENVELOPE_PUSH, 0, 0, (struct bytes){ body, 257 }, &l.frame),
        ERR_PROTO);
    assert_err(session_seal(&l.meter, l.aead, ENVELOPE_PUSH, 0x10, 0, (struct bytes){ body, 258 },
                            &l.frame),
               ERR_PROTO);
    assert_err(
        session_seal(&l.meter, l.aead, ENVELOPE_HELLO, 0, 0, (struct bytes){ body, 300 }, &l.frame),
        ERR_PROTO);
    assert_err(session_seal(&l.meter, l.aead, ENVELOPE_PUSH, 0, 0, BYTES_OF(body), &l.frame),
               ERR_LIMIT);
    assert_int_equal(l.frame.len, 0);
    assert_int_equal(l.meter.send.counter, 0);
}

static void a_full_buffer_takes_no_counter(void **state)
{
    AUTO(link_done) struct link l = link_new();
    AUTO(buf_done) struct buf small = { .max = 47 };
    uint8_t body[4] = { 0 };

    (void)state;
    assert_err(session_seal(&l.meter, l.aead, ENVELOPE_CLOSE, 0, 0, BYTES_OF(body), &small),
               ERR_LIMIT);
    assert_int_equal(l.meter.send.counter, 0);
    small.max = 48;
    assert_ok(session_seal(&l.meter, l.aead, ENVELOPE_CLOSE, 0, 0, BYTES_OF(body), &small));
    assert_int_equal(small.len, 48);
}

static void no_frame_is_sealed_past_the_last_counter(void **state)
{
    AUTO(link_done) struct link l = link_new();
    uint8_t body[4] = { 0 };

    (void)state;
    l.meter.send.counter = SESSION_FRAMES_MAX - 1;
    assert_ok(session_seal(&l.meter, l.aead, ENVELOPE_CLOSE, 0, 0, BYTES_OF(body), &l.frame));
    assert_err(session_seal(&l.meter, l.aead, ENVELOPE_CLOSE, 0, 0, BYTES_OF(body), &l.frame),
               ERR_LIMIT);
    assert_true(l.meter.send.counter == SESSION_FRAMES_MAX);
}

static void any_changed_bit_is_refused(void **state)
{
    AUTO(link_done) struct link l = link_new();
    struct session before;
    struct envelope good;

    (void)state;
    seal_signal(&l, &l.meter, 9);
    before = l.collector;
    assert_ok(envelope_parse(buf_bytes(&l.frame), &good));
    for (size_t bit = 0; bit < 8 * l.frame.len; bit++) {
        enum session_refusal why = REFUSED_NOT;
        l.frame.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
        err e = open_frame(&l, &l.collector, COUNTER_WINDOW, &why);
        assert_true(e.code == ERR_AUTH || e.code == ERR_PROTO);
        /* Nor when the header was parsed before it changed. */
        uint8_t out[SIGNAL_BYTES];
        assert_err(session_open(&l.collector, l.aead, COUNTER_WINDOW, &good, buf_bytes(&l.frame),
                                out, &why),
                   ERR_AUTH);
        assert_int_equal(why, REFUSED_TAG);
        assert_memory_equal(&l.collector, &before, sizeof before);
        l.frame.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    enum session_refusal why;
    assert_ok(open_frame(&l, &l.collector, COUNTER_WINDOW, &why));
    assert_int_equal(why, REFUSED_NOT);
}

static void a_replayed_counter_is_dropped(void **state)
{
    AUTO(link_done) struct link l = link_new();

    (void)state;
    assert_int_equal(arrive(&l, 1), REFUSED_NOT);
    assert_int_equal(arrive(&l, 1), REFUSED_REPLAY);
    assert_int_equal(arrive(&l, 2), REFUSED_NOT);
    assert_int_equal(arrive(&l, 1), REFUSED_REPLAY);
}

static void frames_may_come_in_any_order_within_the_window(void **state)
{
    AUTO(link_done) struct link l = link_new();

    (void)state;
    for (uint64_t n = 64; n >= 1; n--) {
        assert_int_equal(arrive(&l, n), REFUSED_NOT);
    }
    for (uint64_t n = 1; n <= 64; n++) {
        assert_int_equal(arrive(&l, n), REFUSED_REPLAY);
    }
}

static void the_window_ends_64_below_the_highest(void **state)
{
    AUTO(link_done) struct link l = link_new();

    (void)state;
    assert_int_equal(arrive(&l, 100), REFUSED_NOT);
    assert_int_equal(arrive(&l, 36), REFUSED_LOWERED);
    assert_int_equal(arrive(&l, 37), REFUSED_NOT);
    assert_int_equal(arrive(&l, 37), REFUSED_REPLAY);
    assert_int_equal(arrive(&l, 101), REFUSED_NOT);
    assert_int_equal(arrive(&l, 37), REFUSED_LOWERED);
    assert_int_equal(arrive(&l, 38), REFUSED_NOT);
}

static void a_jump_keeps_what_is_still_in_the_window(void **state)
{
    AUTO(link_done) struct link l = link_new();

    (void)state;
    assert_int_equal(arrive(&l, 10), REFUSED_NOT);
    assert_int_equal(arrive(&l, 73), REFUSED_NOT); /* 63 ahead: 10 is the last of the window */
    assert_int_equal(arrive(&l, 10), REFUSED_REPLAY);
    assert_int_equal(arrive(&l, 11), REFUSED_NOT);
    assert_int_equal(arrive(&l, 137), REFUSED_NOT); /* 64 ahead: nothing is left */
    assert_int_equal(arrive(&l, 73), REFUSED_LOWERED);
    assert_int_equal(arrive(&l, 74), REFUSED_NOT);
    assert_int_equal(arrive(&l, 1000000), REFUSED_NOT);
    assert_int_equal(arrive(&l, 999999), REFUSED_NOT);
    assert_int_equal(arrive(&l, 137), REFUSED_LOWERED);
}

static void the_meter_accepts_only_higher_counters(void **state)
{
    AUTO(link_done) struct link l = link_new();

    (void)state;
    assert_int_equal(arrive_at_meter(&l, 5), REFUSED_NOT);
    assert_int_equal(arrive_at_meter(&l, 5), REFUSED_REPLAY);
    assert_int_equal(arrive_at_meter(&l, 4), REFUSED_LOWERED);
    assert_int_equal(arrive_at_meter(&l, 1), REFUSED_LOWERED);
    assert_int_equal(arrive_at_meter(&l, 7), REFUSED_NOT);
    assert_int_equal(arrive_at_meter(&l, 6), REFUSED_LOWERED);
}

static void a_forged_high_counter_moves_no_window(void **state)
{
    AUTO(link_done) struct link l = link_new();
    enum session_refusal why;

    (void)state;
    assert_int_equal(arrive(&l, 1), REFUSED_NOT);
    seal_signal(&l, &l.meter, 2);
    store_u64(l.frame.ptr + 20, 1000000);
    assert_err(open_frame(&l, &l.collector, COUNTER_WINDOW, &why), ERR_AUTH);
    assert_int_equal(why, REFUSED_TAG);
    assert_int_equal(arrive(&l, 2), REFUSED_NOT);
}

static void another_epoch_is_refused(void **state)
{
    AUTO(link_done) struct link l = link_new();

    (void)state;
    l.meter.epoch = 2;
    assert_int_equal(arrive(&l, 1), REFUSED_EPOCH);
    l.collector.epoch = 2;
    assert_int_equal(arrive(&l, 1), REFUSED_NOT);
}

static void another_meter_is_refused(void **state)
{
    AUTO(link_done) struct link l = link_new();
    enum session_refusal why;

    (void)state;
    seal_signal(&l, &l.meter, 1);
    l.collector.meter++;
    assert_err(open_frame(&l, &l.collector, COUNTER_WINDOW, &why), ERR_PROTO);
    assert_int_equal(why, REFUSED_FORM);
}

static void a_frame_sent_back_does_not_open(void **state)
{
    AUTO(link_done) struct link l = link_new();
    enum session_refusal why;

    (void)state;
    seal_signal(&l, &l.meter, 1);
    assert_err(open_frame(&l, &l.meter, COUNTER_STRICT, &why), ERR_AUTH);
    assert_int_equal(why, REFUSED_TAG);
}

static void a_clear_or_cut_frame_is_no_sealed_one(void **state)
{
    AUTO(link_done) struct link l = link_new();
    uint8_t out[ENVELOPE_BODY_BYTES_MAX];
    struct envelope e;
    enum session_refusal why;

    (void)state;
    seal_signal(&l, &l.meter, 1);
    assert_ok(envelope_parse(buf_bytes(&l.frame), &e));
    for (size_t n = 0; n < l.frame.len; n++) {
        assert_err(session_open(&l.collector, l.aead, COUNTER_WINDOW, &e,
                                (struct bytes){ l.frame.ptr, n }, out, &why),
                   ERR_PROTO);
        assert_int_equal(why, REFUSED_FORM);
    }
    e.flags = 0;
    assert_err(
        session_open(&l.collector, l.aead, COUNTER_WINDOW, &e, buf_bytes(&l.frame), out, &why),
        ERR_PROTO);
    e.flags = ENVELOPE_SEALED;
    e.length = AEAD_TAG_BYTES - 1;
    assert_err(session_open(&l.collector, l.aead, COUNTER_WINDOW, &e,
                            (struct bytes){ l.frame.ptr, ENVELOPE_HEADER_BYTES + 15 }, out, &why),
               ERR_PROTO);
    assert_int_equal(why, REFUSED_FORM);
}

static void every_refusal_has_a_name_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(session_refusal_name(REFUSED_LOWERED), "lowered");
    for (int i = 0; i < REFUSED_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(session_refusal_name((enum session_refusal)i),
                                    session_refusal_name((enum session_refusal)j));
        }
    }
}

static void a_done_session_holds_nothing(void **state)
{
    static const struct session zero;
    AUTO(link_done) struct link l = link_new();

    (void)state;
    session_done(&l.meter);
    assert_memory_equal(&l.meter, &zero, sizeof zero);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_frames_have_the_vectors_of_the_reference),
        cmocka_unit_test(the_meter_opens_the_vectors),
        cmocka_unit_test(each_frame_takes_the_next_counter),
        cmocka_unit_test(equal_texts_are_never_sealed_equally),
        cmocka_unit_test(a_body_of_the_wrong_size_or_flag_is_not_sealed),
        cmocka_unit_test(a_full_buffer_takes_no_counter),
        cmocka_unit_test(no_frame_is_sealed_past_the_last_counter),
        cmocka_unit_test(any_changed_bit_is_refused),
        cmocka_unit_test(a_replayed_counter_is_dropped),
        cmocka_unit_test(frames_may_come_in_any_order_within_the_window),
        cmocka_unit_test(the_window_ends_64_below_the_highest),
        cmocka_unit_test(a_jump_keeps_what_is_still_in_the_window),
        cmocka_unit_test(the_meter_accepts_only_higher_counters),
        cmocka_unit_test(a_forged_high_counter_moves_no_window),
        cmocka_unit_test(another_epoch_is_refused),
        cmocka_unit_test(another_meter_is_refused),
        cmocka_unit_test(a_frame_sent_back_does_not_open),
        cmocka_unit_test(a_clear_or_cut_frame_is_no_sealed_one),
        cmocka_unit_test(every_refusal_has_a_name_of_its_own),
        cmocka_unit_test(a_done_session_holds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
