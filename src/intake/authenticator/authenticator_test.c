/* SPDX-License-Identifier: Apache-2.0 */
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

static void count_refused(void *arg, uint64_t meter, enum authenticator_refusal why)
{
    struct fixture *f = arg;

    (void)meter;
    (void)why;
    f->refusals_told++;
}

static void keep_job(void *arg, struct hello_job *job)
{
    struct fixture *f = arg;

    f->job = job;
}

static void start_with(struct fixture *f, struct authenticator_options options)
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

static void start(struct fixture *f)
{
    start_with(f, (struct authenticator_options){ 0 });
}

static void end(struct fixture *f)
{
    authenticator_free(f->a);
    aead_free(f->aead);
    fake_host_done(&f->fake);
}

static void pass(struct fixture *f, uint64_t us)
{
    f->now_us += us;
    f->fake.utc_us += us;
    authenticator_ops.tick(f->a, f->now_us);
}

static err from(struct fixture *f, uint64_t link, struct bytes octets)
{
    return authenticator_ops.octets(f->a, f->now_us, link, octets);
}

static uint64_t refused(const struct fixture *f, enum authenticator_refusal r)
{
    return authenticator_refusals(f->a)[r];
}

static uint64_t counted(const struct fixture *f, enum authenticator_count c)
{
    return authenticator_counts(f->a)[c];
}

/* The next message that the collector was sent. Views in it live until the next is sent. */
static struct intake_message up_next(struct fixture *f)
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

static void clear(struct fixture *f)
{
    fake_host_clear(&f->fake);
    f->read = 0;
}

static bool up_is_empty(struct fixture *f)
{
    return fake_host_sent(&f->fake, UP).len == f->read;
}

static void tell_meter(struct fixture *f, uint64_t meter, bool known, uint8_t suite,
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

static struct bytes make_hello(struct test_meter *m, uint8_t suite, uint8_t clock_flags,
                               uint32_t utc_s)
{
    struct hello_parameters p = { m->id, ++m->epoch, suite, clock_flags, utc_s };

    assert_ok(hello_make(&p, meter_key, collector_public, &m->hello));
    return (struct bytes){ m->hello.frame, m->hello.frame_size };
}

/* A HELLO that the authenticator answers; the lookup is answered on the way if there is one. */
static void say_hello(struct fixture *f, struct test_meter *m)
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

static void take_answer(struct fixture *f, struct test_meter *m)
{
    struct hello_ok ok;

    assert_ok(hello_ok_check(&m->hello, meter_key, collector_public,
                             fake_host_sent(&f->fake, m->link), &ok, &m->session));
    assert_int_equal(ok.window, AUTHENTICATOR_WINDOW);
    assert_int_equal(ok.utc_s, f->fake.utc_us / US_PER_S);
    clear(f);
}

static err send_sealed(struct fixture *f, struct test_meter *m, enum envelope_type type,
                       uint32_t transaction, struct bytes body)
{
    AUTO(buf_done) struct buf frame = { .max = ENVELOPE_FRAME_BYTES_MAX };

    assert_ok(session_seal(&m->session, f->aead, type, 0, transaction, body, &frame));
    return from(f, m->link, buf_bytes(&frame));
}

static err send_signal(struct fixture *f, struct test_meter *m, uint8_t signal, uint32_t transaction)
{
    struct signal s = { .signal = signal, .reason = signal == NBR_NAK ? NAK_EXPIRED : 0 };
    uint8_t body[SIGNAL_BYTES];

    signal_encode(&s, body);
    return send_sealed(f, m, ENVELOPE_SIG, transaction, BYTES_OF(body));
}

static void report_block(uint64_t meter, uint32_t sequence, uint8_t out[NBR_RESPONSE_BYTES])
{
    struct report r = { .record = { .sequence = sequence, .meter = meter, .end_s = UTC_S,
                                    .interval_s = 900 },
                        .newest = sequence, .oldest = 1 };

    report_encode(&r, out);
}

static err push(struct fixture *f, struct test_meter *m, uint32_t sequence)
{
    uint8_t block[NBR_RESPONSE_BYTES];

    report_block(m->id, sequence, block);
    return send_sealed(f, m, ENVELOPE_PUSH, 0, BYTES_OF(block));
}

static void open_session(struct fixture *f, struct test_meter *m)
{
    say_hello(f, m);
    take_answer(f, m);
    assert_ok(send_signal(f, m, NBR_ENQ, 0));
    clear(f);
}

/* What the meter gets out of a frame sent to it. */
static struct signal opened_signal(struct fixture *f, struct test_meter *m, uint32_t *transaction)
{
    struct bytes in = fake_host_sent(&f->fake, m->link);
    struct envelope e;
    struct bytes frame;
    uint8_t body[SIGNAL_BYTES];
    struct signal s = { 0 };
    enum refusal why;

    assert_ok(envelope_take(&in, &e, &frame));
    assert_int_equal(e.type, ENVELOPE_SIG);
    assert_ok(session_open(&m->session, f->aead, COUNTER_STRICT, &e, frame, body, &why));
    assert_ok(signal_parse(BYTES_OF(body), &s));
    *transaction = e.transaction;
    return s;
}

static bool got_close(struct fixture *f, uint64_t link)
{
    struct bytes in = fake_host_sent(&f->fake, link);
    struct envelope e;
    struct bytes frame;

    return !envelope_take(&in, &e, &frame).code && e.type == ENVELOPE_CLOSE && e.flags == 0;
}

/* --- handshake --- */

static void a_meter_opens_a_session_and_the_collector_is_told(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S - 5)));
    assert_int_equal(up_next(&f).kind, INTAKE_LOOKUP);
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
    take_answer(&f, &m);
    assert_ok(send_signal(&f, &m, NBR_ENQ, 9));
    struct intake_message opened = up_next(&f);
    assert_int_equal(opened.kind, INTAKE_OPENED);
    assert_int_equal(opened.opened.epoch, m.epoch);
    assert_int_equal(opened.opened.meter_s, UTC_S - 5);
    assert_int_equal(opened.opened.ours_s, UTC_S);
    uint32_t transaction;
    assert_int_equal(opened_signal(&f, &m, &transaction).signal, NBR_ACK);
    assert_int_equal(transaction, 9);
    assert_int_equal(authenticator_sessions(f.a), 1);
    end(&f);
}

static void suite_1_opens_a_session_too(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_RSA2048, 0, UTC_S)));
    tell_meter(&f, METER, true, SUITE_RSA2048, meter_public);
    take_answer(&f, &m);
    assert_ok(push(&f, &m, 1));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 1);
    end(&f);
}

static void the_second_hello_of_a_meter_needs_no_lookup(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S)));
    assert_true(up_is_empty(&f));
    take_answer(&f, &m);
    end(&f);
}

static void a_key_is_asked_for_again_when_it_is_old(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    pass(&f, 601 * US_PER_S);
    clear(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S + 601)));
    assert_false(up_is_empty(&f));
    end(&f);
}

static void an_unknown_meter_gets_a_hint_and_leaves_no_state(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = 0x777, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S)));
    tell_meter(&f, m.id, false, 0, NULL);
    assert_true(got_close(&f, AGG));
    assert_int_equal(refused(&f, AUTHENTICATOR_UNKNOWN), 1);
    assert_int_equal(authenticator_sessions(f.a), 0);
    clear(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S)));
    assert_true(up_is_empty(&f)); /* it is not asked for each time */
    assert_int_equal(refused(&f, AUTHENTICATOR_UNKNOWN), 2);
    end(&f);
}

static void a_hello_of_another_suite_is_refused(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_RSA2048, 0, UTC_S)));
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
    assert_int_equal(refused(&f, AUTHENTICATOR_SUITE), 1);
    assert_true(got_close(&f, AGG));
    end(&f);
}

static void a_hello_under_another_key_is_refused(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S)));
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, collector_public);
    assert_int_equal(refused(&f, AUTHENTICATOR_KEY_ID), 1);
    end(&f);
}

static void a_hello_more_than_ten_minutes_off_is_refused(void **state)
{
    static const struct {
        int32_t off_s;
        uint8_t flags;
        bool good;
    } cases[] = { { 600, 0, true },   { 601, 0, false },  { -600, 0, true },
                  { -601, 0, false }, { 86400, HELLO_CLOCK_UNSET, true } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        struct test_meter m = { .id = METER, .link = AGG };
        start(&f);
        uint32_t at_s = (uint32_t)((int32_t)UTC_S + cases[i].off_s);
        assert_ok(from(&f, AGG, make_hello(&m, SUITE_X25519_RSA2048, cases[i].flags, at_s)));
        tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
        assert_int_equal(refused(&f, AUTHENTICATOR_TIME), cases[i].good ? 0 : 1);
        assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), cases[i].good ? 1 : 0);
        end(&f);
    }
}

static void every_refused_hello_gets_the_same_answer(void **state)
{
    struct fixture f;
    struct test_meter late = { .id = METER, .link = AGG }, forged = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    assert_ok(from(&f, AGG, make_hello(&late, SUITE_X25519_RSA2048, 0, UTC_S - 1000)));
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
    struct bytes first = fake_host_sent(&f.fake, AGG);
    uint8_t kept[ENVELOPE_HEADER_BYTES + 4];
    assert_int_equal(first.len, sizeof kept);
    memcpy(kept, first.ptr, sizeof kept);
    clear(&f);
    make_hello(&forged, SUITE_X25519_RSA2048, 0, UTC_S);
    forged.hello.frame[forged.hello.frame_size - 1] ^= 1;
    assert_ok(from(&f, AGG, (struct bytes){ forged.hello.frame, forged.hello.frame_size }));
    assert_int_equal(refused(&f, AUTHENTICATOR_SIGNATURE), 1);
    struct bytes second = fake_host_sent(&f.fake, AGG);
    assert_int_equal(second.len, sizeof kept);
    assert_memory_equal(second.ptr + ENVELOPE_HEADER_BYTES, kept + ENVELOPE_HEADER_BYTES, 4);
    end(&f);
}

static void a_replayed_hello_is_refused(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    assert_ok(from(&f, AGG, (struct bytes){ m.hello.frame, m.hello.frame_size }));
    assert_int_equal(refused(&f, AUTHENTICATOR_NONCE), 1);
    assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), 1);
    end(&f);
}

static void a_replayed_hello_does_not_cut_a_live_session(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };
    uint8_t old[ENVELOPE_FRAME_BYTES_MAX];

    (void)state;
    start(&f);
    open_session(&f, &m);
    struct bytes second = make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S);
    memcpy(old, second.ptr, second.len);
    /* Somebody kept this HELLO back and sends it now; its answer never reaches the meter. */
    assert_ok(from(&f, AGG + 1, (struct bytes){ old, second.len }));
    assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), 2);
    assert_ok(push(&f, &m, 1));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 1);
    pass(&f, 61 * US_PER_S);
    assert_ok(push(&f, &m, 2));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 2);
    end(&f);
}

static void a_meter_may_say_hello_three_times_and_then_every_ten_seconds(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    for (int i = 0; i < 3; i++) {
        say_hello(&f, &m);
    }
    assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), 3);
    say_hello(&f, &m);
    assert_int_equal(refused(&f, AUTHENTICATOR_METER_RATE), 1);
    pass(&f, 10 * US_PER_S);
    say_hello(&f, &m);
    assert_int_equal(counted(&f, AUTHENTICATOR_HELLOS), 4);
    end(&f);
}

static void a_flood_of_one_aggregator_does_not_reach_the_others(void **state)
{
    struct fixture f;
    struct test_meter loud = { .id = 0x99, .link = AGG }, quiet = { .id = METER, .link = AGG + 1 };

    (void)state;
    start_with(&f, (struct authenticator_options){ .hello_rate = 2 });
    struct bytes flood = make_hello(&loud, SUITE_X25519_RSA2048, 0, UTC_S);
    for (int i = 0; i < 100; i++) {
        assert_ok(from(&f, AGG, flood));
    }
    assert_int_equal(refused(&f, AUTHENTICATOR_LINK_RATE), 92);
    clear(&f);
    open_session(&f, &quiet);
    assert_int_equal(counted(&f, AUTHENTICATOR_OPENED), 1);
    end(&f);
}

static void a_hello_with_a_foreign_ciphertext_is_refused(void **state)
{
    struct fixture f;
    struct test_meter a = { .id = METER, .link = AGG }, b = { .id = METER + 1, .link = AGG };

    (void)state;
    start(&f);
    make_hello(&a, SUITE_RSA2048, 0, UTC_S);
    make_hello(&b, SUITE_RSA2048, 0, UTC_S);
    /* The OAEP part of one in the frame of the other, from offset 28 + 58. */
    memcpy(b.hello.frame + 86, a.hello.frame + 86, 256);
    assert_ok(from(&f, AGG, (struct bytes){ b.hello.frame, b.hello.frame_size }));
    tell_meter(&f, b.id, true, SUITE_RSA2048, meter_public);
    assert_int_equal(refused(&f, AUTHENTICATOR_SIGNATURE), 1);
    assert_int_equal(authenticator_sessions(f.a), 0);
    end(&f);
}

static void a_hello_of_another_signer_is_refused(void **state)
{
    struct fixture f;
    struct hello_parameters p = { METER, 1, SUITE_X25519_RSA2048, 0, UTC_S };
    struct hello h;

    (void)state;
    start(&f);
    assert_ok(hello_make(&p, foreign_key, collector_public, &h));
    AUTO(public_key_freep) struct public_key *foreign = NULL;
    assert_ok(public_key_of(foreign_key, &foreign));
    /* It names the meter's key but was signed by another. */
    store_u64(h.frame + ENVELOPE_HEADER_BYTES + 16, public_key_id(meter_public));
    assert_ok(from(&f, AGG, (struct bytes){ h.frame, h.frame_size }));
    tell_meter(&f, METER, true, SUITE_X25519_RSA2048, meter_public);
    assert_int_equal(refused(&f, AUTHENTICATOR_SIGNATURE), 1);
    hello_done(&h);
    end(&f);
}

static void a_hello_of_a_wrong_length_is_refused_before_anybody_is_asked(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    make_hello(&m, SUITE_X25519_RSA2048, 0, UTC_S);
    store_u16(m.hello.frame + 6, 300);
    assert_ok(from(&f, AGG, (struct bytes){ m.hello.frame, ENVELOPE_HEADER_BYTES + 300 }));
    assert_int_equal(refused(&f, AUTHENTICATOR_HELLO_FORM), 1);
    assert_true(up_is_empty(&f));
    end(&f);
}

static void work_may_be_done_elsewhere_and_later(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start_with(&f, (struct authenticator_options){ .work = keep_job });
    say_hello(&f, &m);
    assert_non_null(f.job);
    assert_int_equal(authenticator_jobs(f.a), 1);
    assert_int_equal(fake_host_sent(&f.fake, AGG).len, 0);
    hello_job_run(f.job);
    authenticator_hello_done(f.a, f.now_us, f.job);
    take_answer(&f, &m);
    assert_int_equal(authenticator_jobs(f.a), 0);
    end(&f);
}

static void a_second_hello_while_one_is_worked_on_is_refused(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start_with(&f, (struct authenticator_options){ .work = keep_job });
    say_hello(&f, &m);
    struct hello_job *first = f.job;
    say_hello(&f, &m);
    assert_ptr_equal(f.job, first);
    assert_int_equal(refused(&f, AUTHENTICATOR_METER_RATE), 1);
    hello_job_run(first);
    authenticator_hello_done(f.a, f.now_us, first);
    end(&f);
}

static void more_sessions_than_allowed_are_refused(void **state)
{
    struct fixture f;
    struct test_meter a = { .id = METER, .link = AGG }, b = { .id = METER + 1, .link = AGG };

    (void)state;
    start_with(&f, (struct authenticator_options){ .sessions_max = 1 });
    open_session(&f, &a);
    say_hello(&f, &b);
    assert_int_equal(refused(&f, AUTHENTICATOR_LIMIT), 1);
    assert_ok(push(&f, &a, 1));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 1);
    end(&f);
}

/* --- epochs --- */

static void the_old_epoch_is_served_until_the_new_one_is_confirmed_and_60_s_more(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    struct test_meter old = m;
    say_hello(&f, &m);
    take_answer(&f, &m);
    assert_ok(push(&f, &old, 1)); /* not confirmed yet */
    assert_ok(push(&f, &m, 2));   /* confirmed */
    assert_ok(push(&f, &old, 3));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 3);
    pass(&f, 66 * US_PER_S);
    assert_ok(push(&f, &old, 4));
    assert_int_equal(refused(&f, AUTHENTICATOR_EPOCH), 1);
    assert_ok(push(&f, &m, 5));
    assert_int_equal(counted(&f, AUTHENTICATOR_BLOCKS), 4);
    end(&f);
}

static void a_hello_that_is_never_confirmed_is_forgotten(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    say_hello(&f, &m);
    assert_int_equal(authenticator_sessions(f.a), 1);
    pass(&f, 66 * US_PER_S);
    assert_int_equal(authenticator_sessions(f.a), 0);
    end(&f);
}

static void a_session_ends_after_its_lifetime(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    pass(&f, 24 * 3600 * US_PER_S - 1);
    assert_int_equal(authenticator_sessions(f.a), 1);
    pass(&f, 6 * US_PER_S);
    assert_int_equal(authenticator_sessions(f.a), 0);
    assert_int_equal(up_next(&f).kind, INTAKE_CLOSED);
    end(&f);
}

static void an_unknown_epoch_gets_a_rate_limited_hint(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    m.session.epoch = (uint8_t)(m.session.epoch + 7);
    for (int i = 0; i < 1000; i++) {
        assert_ok(push(&f, &m, 1));
    }
    assert_int_equal(refused(&f, AUTHENTICATOR_EPOCH), 1000);
    assert_true(got_close(&f, AGG));
    assert_true(counted(&f, AUTHENTICATOR_HINTS) <= 200);
    end(&f);
}

static void a_silent_meter_is_counted_as_late(void **state)
{
    struct fixture f;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start(&f);
    open_session(&f, &m);
    pass(&f, 1799 * US_PER_S);
    assert_int_equal(authenticator_late(f.a), 0);
    pass(&f, 10 * US_PER_S);
    assert_int_equal(authenticator_late(f.a), 1);
    assert_ok(push(&f, &m, 1));
    pass(&f, 10 * US_PER_S);
    assert_int_equal(authenticator_late(f.a), 0);
    end(&f);
}

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
    enum refusal why;

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

static int make_keys(void **state)
{
    (void)state;
    assert_ok(private_key_new(SIGN_RSA2048, &collector_key));
    assert_ok(private_key_new(SIGN_RSA2048, &meter_key));
    assert_ok(private_key_new(SIGN_RSA2048, &foreign_key));
    assert_ok(public_key_of(collector_key, &collector_public));
    assert_ok(public_key_of(meter_key, &meter_public));
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    private_key_free(collector_key);
    private_key_free(meter_key);
    private_key_free(foreign_key);
    public_key_free(collector_public);
    public_key_free(meter_public);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_opens_a_session_and_the_collector_is_told),
        cmocka_unit_test(suite_1_opens_a_session_too),
        cmocka_unit_test(the_second_hello_of_a_meter_needs_no_lookup),
        cmocka_unit_test(a_key_is_asked_for_again_when_it_is_old),
        cmocka_unit_test(an_unknown_meter_gets_a_hint_and_leaves_no_state),
        cmocka_unit_test(a_hello_of_another_suite_is_refused),
        cmocka_unit_test(a_hello_under_another_key_is_refused),
        cmocka_unit_test(a_hello_more_than_ten_minutes_off_is_refused),
        cmocka_unit_test(every_refused_hello_gets_the_same_answer),
        cmocka_unit_test(a_replayed_hello_is_refused),
        cmocka_unit_test(a_replayed_hello_does_not_cut_a_live_session),
        cmocka_unit_test(a_meter_may_say_hello_three_times_and_then_every_ten_seconds),
        cmocka_unit_test(a_flood_of_one_aggregator_does_not_reach_the_others),
        cmocka_unit_test(a_hello_with_a_foreign_ciphertext_is_refused),
        cmocka_unit_test(a_hello_of_another_signer_is_refused),
        cmocka_unit_test(a_hello_of_a_wrong_length_is_refused_before_anybody_is_asked),
        cmocka_unit_test(work_may_be_done_elsewhere_and_later),
        cmocka_unit_test(a_second_hello_while_one_is_worked_on_is_refused),
        cmocka_unit_test(more_sessions_than_allowed_are_refused),
        cmocka_unit_test(the_old_epoch_is_served_until_the_new_one_is_confirmed_and_60_s_more),
        cmocka_unit_test(a_hello_that_is_never_confirmed_is_forgotten),
        cmocka_unit_test(a_session_ends_after_its_lifetime),
        cmocka_unit_test(an_unknown_epoch_gets_a_rate_limited_hint),
        cmocka_unit_test(a_silent_meter_is_counted_as_late),
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
