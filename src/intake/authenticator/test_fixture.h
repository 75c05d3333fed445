/* SPDX-License-Identifier: Apache-2.0 */
/* An authenticator between a collector, that is the test, and meters with real keys: for the tests
 * of its parts. */
#pragma once

#include "lib/base/test.h"

#include <string.h>

#include "intake/authenticator/authenticator.h"
#include "lib/base/clock.h"
#include "lib/service/fake_host.h"
#include "lib/service/frames.h"
#include "lib/wire/intake.h"
#include "lib/wire/nbr.h"
#include "lib/wire/record.h"

#define UP 1
#define AGG 10
#define METER UINT64_C(0x12345678)
#define UTC_S 1763823600u

/* RSA keys are made once: they cost more than all tests together. */
static struct private_key *collector_key, *meter_key, *foreign_key;
static struct public_key *collector_public, *meter_public;

struct test_meter {
    uint64_t id;
    uint8_t epoch;
    uint64_t link;
    struct hello hello;
    struct session session;
};

struct fixture {
    struct fake_host fake;
    struct authenticator *a;
    struct aead *aead;
    uint64_t now_us;
    size_t refusals_told;
    struct hello_job *job; /* kept back when the test works by itself */
    size_t read;           /* of what the collector was sent */
};

static inline void count_refused(void *arg, uint64_t meter, enum authenticator_refusal why)
{
    struct fixture *f = arg;

    (void)meter;
    (void)why;
    f->refusals_told++;
}

static inline void keep_job(void *arg, struct hello_job *job)
{
    struct fixture *f = arg;

    f->job = job;
}

static inline void start_with(struct fixture *f, struct authenticator_options options)
{
    *f = (struct fixture){ .now_us = 1000 * US_PER_S };
    fake_host_init(&f->fake);
    f->fake.utc_us = UTC_S * US_PER_S;
    options.own = collector_key;
    options.refused = count_refused;
    options.arg = f;
    assert_ok(aead_new(&f->aead));
    assert_ok(authenticator_new(&f->fake.host, &options, &f->a));
    assert_ok(authenticator_ops.opened(f->a, f->now_us, UP, true));
    assert_ok(authenticator_ops.opened(f->a, f->now_us, AGG, false));
    assert_ok(authenticator_ops.opened(f->a, f->now_us, AGG + 1, false));
}

static inline void start(struct fixture *f)
{
    start_with(f, (struct authenticator_options){ 0 });
}

static inline void end(struct fixture *f)
{
    authenticator_free(f->a);
    aead_free(f->aead);
    fake_host_done(&f->fake);
}

static inline void pass(struct fixture *f, uint64_t us)
{
    f->now_us += us;
    f->fake.utc_us += us;
    authenticator_ops.tick(f->a, f->now_us);
}

static inline err from(struct fixture *f, uint64_t link, struct bytes octets)
{
    return authenticator_ops.octets(f->a, f->now_us, link, octets);
}

static inline uint64_t refused(const struct fixture *f, enum authenticator_refusal r)
{
    return authenticator_refusals(f->a)[r];
}

static inline uint64_t counted(const struct fixture *f, enum authenticator_count c)
{
    return authenticator_counts(f->a)[c];
}

/* The next message that the collector was sent. Views in it live until the next is sent. */
static inline struct intake_message up_next(struct fixture *f)
{
    struct intake_message m = { 0 };
    struct bytes in = fake_host_sent(&f->fake, UP);

    assert_true(f->read <= in.len);
    in = (struct bytes){ in.ptr + f->read, in.len - f->read };
    size_t before = in.len;
    assert_ok(intake_take(&in, &m));
    f->read += before - in.len;
    return m;
}

static inline void clear(struct fixture *f)
{
    fake_host_clear(&f->fake);
    f->read = 0;
}

static inline bool up_is_empty(struct fixture *f)
{
    return fake_host_sent(&f->fake, UP).len == f->read;
}

static inline void tell_meter(struct fixture *f, uint64_t meter, bool known, uint8_t suite,
                       const struct public_key *key)
{
    struct intake_message m = { .kind = INTAKE_METER, .meter = meter };
    AUTO(buf_done) struct buf spki = { .max = SPKI_BYTES_MAX };
    AUTO(buf_done) struct buf out = { .max = INTAKE_MESSAGE_BYTES_MAX };

    if (known) {
        assert_ok(public_key_to_spki(key, &spki));
        m.meter_entry.known = true;
        m.meter_entry.suite = suite;
        m.meter_entry.spki = buf_bytes(&spki);
    }
    assert_ok(intake_encode(&m, &out));
    assert_ok(from(f, UP, buf_bytes(&out)));
}

static inline struct bytes make_hello(struct test_meter *m, uint8_t suite, uint8_t clock_flags,
                               uint32_t utc_s)
{
    struct hello_parameters p = { m->id, ++m->epoch, suite, clock_flags, utc_s };

    assert_ok(hello_make(&p, meter_key, collector_public, &m->hello));
    return (struct bytes){ m->hello.frame, m->hello.frame_size };
}

/* A HELLO that the authenticator answers; the lookup is answered on the way if there is one. */
static inline void say_hello(struct fixture *f, struct test_meter *m)
{
    struct bytes hello = make_hello(m, SUITE_X25519_RSA2048, 0,
                                    (uint32_t)(f->fake.utc_us / US_PER_S));

    clear(f);
    assert_ok(from(f, m->link, hello));
    if (!up_is_empty(f)) {
        clear(f);
        tell_meter(f, m->id, true, SUITE_X25519_RSA2048, meter_public);
    }
}

static inline void take_answer(struct fixture *f, struct test_meter *m)
{
    struct hello_ok ok;

    assert_ok(hello_ok_check(&m->hello, meter_key, collector_public,
                             fake_host_sent(&f->fake, m->link), &ok, &m->session));
    assert_int_equal(ok.window, AUTHENTICATOR_WINDOW);
    assert_int_equal(ok.utc_s, f->fake.utc_us / US_PER_S);
    clear(f);
}

static inline err send_sealed(struct fixture *f, struct test_meter *m, enum envelope_type type,
                       uint32_t transaction, struct bytes body)
{
    AUTO(buf_done) struct buf frame = { .max = ENVELOPE_FRAME_BYTES_MAX };

    assert_ok(session_seal(&m->session, f->aead, type, 0, transaction, body, &frame));
    return from(f, m->link, buf_bytes(&frame));
}

static inline err send_signal(struct fixture *f, struct test_meter *m, uint8_t signal,
                              uint32_t transaction)
{
    struct signal s = { .signal = signal, .reason = signal == NBR_NAK ? NAK_EXPIRED : 0 };
    uint8_t body[SIGNAL_BYTES];

    signal_encode(&s, body);
    return send_sealed(f, m, ENVELOPE_SIG, transaction, BYTES_OF(body));
}

static inline void report_block(uint64_t meter, uint32_t sequence, uint8_t out[NBR_RESPONSE_BYTES])
{
    struct report r = { .record = { .sequence = sequence, .meter = meter, .end_s = UTC_S,
                                    .interval_s = 900 },
                        .newest = sequence, .oldest = 1 };

    report_encode(&r, out);
}

static inline err push(struct fixture *f, struct test_meter *m, uint32_t sequence)
{
    uint8_t block[NBR_RESPONSE_BYTES];

    report_block(m->id, sequence, block);
    return send_sealed(f, m, ENVELOPE_PUSH, 0, BYTES_OF(block));
}

static inline void open_session(struct fixture *f, struct test_meter *m)
{
    say_hello(f, m);
    take_answer(f, m);
    assert_ok(send_signal(f, m, NBR_ENQ, 0));
    clear(f);
}

/* What the meter gets out of a frame sent to it. */
static inline struct signal opened_signal(struct fixture *f, struct test_meter *m, uint32_t *transaction)
{
    struct bytes in = fake_host_sent(&f->fake, m->link);
    struct envelope e;
    struct bytes frame;
    uint8_t body[SIGNAL_BYTES];
    struct signal s = { 0 };
    enum session_refusal why;

    assert_ok(envelope_take(&in, &e, &frame));
    assert_int_equal(e.type, ENVELOPE_SIG);
    assert_ok(session_open(&m->session, f->aead, COUNTER_STRICT, &e, frame, body, &why));
    assert_ok(signal_parse(BYTES_OF(body), &s));
    *transaction = e.transaction;
    return s;
}

static inline bool got_close(struct fixture *f, uint64_t link)
{
    struct bytes in = fake_host_sent(&f->fake, link);
    struct envelope e;
    struct bytes frame;

    return !envelope_take(&in, &e, &frame).code && e.type == ENVELOPE_CLOSE && e.flags == 0;
}

static inline int make_keys(void **state)
{
    (void)state;
    assert_ok(private_key_new(SIGN_RSA2048, &collector_key));
    assert_ok(private_key_new(SIGN_RSA2048, &meter_key));
    assert_ok(private_key_new(SIGN_RSA2048, &foreign_key));
    assert_ok(public_key_of(collector_key, &collector_public));
    assert_ok(public_key_of(meter_key, &meter_public));
    return 0;
}

static inline int free_keys(void **state)
{
    (void)state;
    private_key_free(collector_key);
    private_key_free(meter_key);
    private_key_free(foreign_key);
    public_key_free(collector_public);
    public_key_free(meter_public);
    return 0;
}
