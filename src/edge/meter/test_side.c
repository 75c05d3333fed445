/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/test_side.h"

#include <string.h>

#define COLLECTOR_LIFETIME_HOURS 24

int side_keys_setup(void **state)
{
    struct side_keys *k = calloc(1, sizeof *k);

    assert_non_null(k);
    assert_ok(private_key_new(SIGN_RSA2048, &k->meter));
    assert_ok(private_key_new(SIGN_RSA2048, &k->collector));
    assert_ok(private_key_new(SIGN_P256, &k->signing));
    assert_ok(public_key_of(k->meter, &k->meter_public));
    assert_ok(public_key_of(k->collector, &k->collector_public));
    assert_ok(public_key_of(k->signing, &k->signing_public));
    *state = k;
    return 0;
}

int side_keys_teardown(void **state)
{
    struct side_keys *k = *state;

    private_key_free(k->meter);
    private_key_free(k->collector);
    private_key_free(k->signing);
    public_key_free(k->meter_public);
    public_key_free(k->collector_public);
    public_key_free(k->signing_public);
    free(k);
    return 0;
}

/* --- the host --- */

static err host_send(void *self, uint64_t link, struct bytes octets)
{
    struct side *s = self;

    assert_int_equal(link, SIDE_LINK);
    if (s->send_fails == ERR_LIMIT) {
        FAIL(ERR_LIMIT, "full");
    }
    if (s->send_fails == ERR_CLOSED) {
        FAIL(ERR_CLOSED, "gone");
    }
    assert_true(s->frame_count < SIDE_FRAMES_MAX);
    uint8_t *copy = malloc(octets.len);
    assert_non_null(copy);
    memcpy(copy, octets.ptr, octets.len);
    s->frames[s->frame_count] = copy;
    s->frame_bytes[s->frame_count++] = octets.len;
    return OK;
}

static void host_close(void *self, uint64_t link)
{
    (void)self;
    (void)link;
}

static void host_hold(void *self, uint64_t link, bool on)
{
    (void)self;
    (void)link;
    (void)on;
}

static void host_wake_at(void *self, uint64_t at_us)
{
    ((struct side *)self)->wake_us = at_us;
}

static uint64_t host_utc_us(void *self)
{
    return ((struct side *)self)->utc_us;
}

static void host_random(void *self, void *out, size_t size)
{
    struct side *s = self;
    uint8_t *at = out;

    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)rand64_next(&s->random);
    }
}

struct meter_options side_options(const struct side *s)
{
    return (struct meter_options){
        .id = SIDE_METER,
        .suite = SUITE_X25519_RSA2048,
        .session_key = s->keys->meter,
        .signing_key = s->keys->signing,
        .collector = s->keys->collector_public,
        .aead = s->aead,
        .signing_alg = SIGN_P256,
        .key_epoch = 1,
        .zone_offset_s = METER_ZONE_OFFSET_S,
    };
}

void side_start(struct side *s, struct side_keys *keys, const struct meter_options *o)
{
    if (s->aead == NULL) {
        *s = (struct side){ .keys = keys };
        assert_ok(aead_new(&s->aead));
    }
    s->now_us = 1000 * US_PER_S;
    s->utc_us = (SIDE_DAY + UINT64_C(86400)) * US_PER_S;
    s->lifetime_hours = COLLECTOR_LIFETIME_HOURS;
    s->random.state = 5;
    s->acks = true;
    const struct host host = { .self = s, .send = host_send, .close = host_close,
                               .hold = host_hold, .wake_at = host_wake_at, .utc_us = host_utc_us,
                               .random = host_random };
    struct meter_options plain = side_options(s);
    assert_ok(meter_new(o != NULL ? o : &plain, &host, &s->meter));
}

void side_drop(struct side *s)
{
    for (size_t i = 0; i < s->frame_count; i++) {
        free(s->frames[i]);
    }
    s->frame_count = 0;
}

void side_done(struct side *s)
{
    side_drop(s);
    meter_freep(&s->meter);
    aead_freep(&s->aead);
    session_done(&s->session);
    s->keys = NULL;
}

/* --- the collector side --- */

static void give(struct side *s, struct bytes octets)
{
    struct envelope e;
    struct bytes frame;

    assert_ok(envelope_take(&octets, &e, &frame));
    meter_frame(s->meter, s->now_us, &e, frame);
}

void side_send(struct side *s, enum envelope_type type, uint32_t transaction, struct bytes body)
{
    AUTO(buf_done) struct buf frame = { .max = ENVELOPE_FRAME_BYTES_MAX };

    assert_ok(session_seal(&s->session, s->aead, type, 0, transaction, body, &frame));
    give(s, buf_bytes(&frame));
}

static void send_signal(struct side *s, uint8_t signal, uint8_t reason, uint32_t value)
{
    const struct signal sig = { .signal = signal, .reason = reason, .value = value };
    uint8_t body[SIGNAL_BYTES];

    signal_encode(&sig, body);
    side_send(s, ENVELOPE_SIG, 0, BYTES_OF(body));
}

void side_ack(struct side *s, uint32_t sequence)
{
    send_signal(s, NBR_ACK, ACK_REPORTS, sequence);
}

void side_ack_seal(struct side *s, uint32_t end_s)
{
    send_signal(s, NBR_ACK, ACK_SEALS, end_s);
}

void side_close_hint(struct side *s)
{
    const struct envelope e = { .type = ENVELOPE_CLOSE, .length = 4, .meter = SIDE_METER };
    uint8_t frame[ENVELOPE_HEADER_BYTES + 4] = { 0 };

    envelope_encode(&e, frame);
    give(s, BYTES_OF(frame));
}

static void take_hello(struct side *s, struct bytes frame)
{
    AUTO(buf_done) struct buf answer = { .max = ENVELOPE_FRAME_BYTES_MAX };
    const struct hello_ok ok = { .window = 4, .lifetime_hours = s->lifetime_hours,
                                 .utc_s = (uint32_t)(s->utc_us / US_PER_S) };

    s->hellos++;
    if (s->deaf) {
        return;
    }
    s->old = s->session;
    assert_ok(hello_accept(frame, s->keys->meter_public, s->keys->collector, &ok, &answer,
                           &s->session));
    s->has_session = true;
    give(s, buf_bytes(&answer));
}

static void take_push(struct side *s, struct bytes block)
{
    struct sealed_day day;
    bool whole = false;

    if (block.ptr[5] == NBR_EXT_REPORT) {
        assert_true(s->report_count < SIDE_REPORTS_MAX);
        struct report *r = &s->reports[s->report_count++];
        assert_ok(report_parse(block, r));
        if (s->acks && r->record.sequence == s->acked + 1) {
            s->acked++;
            side_ack(s, s->acked);
        }
        return;
    }
    assert_ok(seal_parts_add(&s->parts, block, &whole, &day));
    if (whole) {
        assert_true(s->seal_count < SIDE_SEALS_MAX);
        s->seals[s->seal_count++] = day;
        if (s->acks) {
            side_ack_seal(s, day.seal.end_s);
        }
    }
}

static void take_answer(struct side *s, const struct envelope *e, struct bytes body)
{
    assert_true(s->answer_count < SIDE_ANSWERS_MAX);
    struct side_answer *a = &s->answers[s->answer_count++];
    *a = (struct side_answer){ .type = e->type, .flags = e->flags, .transaction = e->transaction };
    if (e->type == ENVELOPE_SIG) {
        assert_ok(signal_parse(body, &a->signal));
    } else {
        assert_int_equal(body.len, NBR_RESPONSE_BYTES);
        memcpy(a->block, body.ptr, body.len);
    }
}

static void take_sealed(struct side *s, const struct envelope *e, struct bytes frame)
{
    uint8_t body[ENVELOPE_BODY_BYTES_MAX];
    enum session_refusal why;
    struct signal sig;

    if (session_open(&s->session, s->aead, COUNTER_WINDOW, e, frame, body, &why).code) {
        /* under the old keys, before the meter has seen the new ones */
        assert_ok(session_open(&s->old, s->aead, COUNTER_WINDOW, e, frame, body, &why));
    }
    struct bytes plain = { body, e->length - AEAD_TAG_BYTES };
    if (e->type == ENVELOPE_PUSH) {
        take_push(s, plain);
        return;
    }
    if (e->type == ENVELOPE_SIG && e->transaction == 0) {
        assert_ok(signal_parse(plain, &sig));
        s->enqs += sig.signal == NBR_ENQ;
        return;
    }
    take_answer(s, e, plain);
}

/* Frames that answers provoke are taken as well. */
void side_take(struct side *s)
{
    for (size_t i = 0; i < s->frame_count; i++) {
        struct bytes octets = { s->frames[i], s->frame_bytes[i] };
        struct envelope e;
        struct bytes frame;
        assert_ok(envelope_take(&octets, &e, &frame));
        assert_int_equal(e.meter, SIDE_METER);
        if (e.type == ENVELOPE_HELLO) {
            take_hello(s, frame);
        } else if (!s->deaf) {
            take_sealed(s, &e, frame);
        }
    }
    side_drop(s);
}

void side_advance(struct side *s, uint64_t us)
{
    uint64_t until = s->now_us + us;

    for (int turns = 0; s->wake_us != 0 && s->wake_us <= until; turns++) {
        assert_true(turns < 10000); /* a timer that never gets further */
        uint64_t at = s->wake_us;
        s->now_us = at > s->now_us ? at : s->now_us;
        s->wake_us = 0;
        meter_tick(s->meter, s->now_us);
    }
    s->utc_us += us;
    s->now_us = until;
}

void side_link(struct side *s)
{
    meter_link_up(s->meter, s->now_us, SIDE_LINK);
}

void side_open(struct side *s)
{
    side_link(s);
    side_advance(s, 10);
    side_take(s);
    assert_int_equal(meter_state(s->meter), METER_OPEN);
}

void side_command_block(uint8_t code, const uint8_t *parameters, size_t size,
                        uint8_t out[NBR_COMMAND_BYTES])
{
    memset(out, 0, NBR_COMMAND_BYTES);
    out[0] = code;
    out[3] = 0x42;
    if (size > 0) {
        memcpy(out + 4, parameters, size);
    }
    nbr_crc_set(out, NBR_COMMAND_BYTES);
}

void side_command(struct side *s, uint32_t transaction, uint8_t code, const uint8_t *parameters,
                  size_t size)
{
    uint8_t block[NBR_COMMAND_BYTES];

    side_command_block(code, parameters, size, block);
    side_send(s, ENVELOPE_CMD, transaction, BYTES_OF(block));
    side_take(s);
}

struct meter_sample side_sample(uint32_t wh)
{
    return (struct meter_sample){
        .wh = wh, .varh_ind = wh / 3, .varh_cap = wh / 50,
        .volts = { 127.1, 126.4, 127.9 }, .share_p = { 0.34, 0.32, 0.34 },
        .share_q = { 0.33, 0.34, 0.33 }, .thd_v = { 2, 2.1, 1.9 }, .thd_i = { 8, 9, 8.5 },
        .hertz = 60.01,
    };
}

void side_intervals(struct side *s, uint32_t first_end_s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct meter_sample sample = side_sample(500 + 10 * i);
        assert_ok(meter_interval(s->meter, s->now_us, first_end_s + i * RECORD_INTERVAL_S,
                                 &sample));
    }
}
