/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/base/test.h"
#include "lib/crypto/random.h"
#include "lib/wire/handshake.h"
#include "lib/wire/session.h"
#include "lib/wire/session_keys.h"

#define METER UINT64_C(0x12345678)
#define NOW_S 1763823600u
#define BODY(frame) ((frame) + ENVELOPE_HEADER_BYTES)

static const uint8_t suites[] = { SUITE_RSA2048, SUITE_X25519_RSA2048 };
static const struct hello_ok answer = { .window = 4, .lifetime_hours = 24, .utc_s = NOW_S };

static struct private_key *meter_key;
static struct private_key *collector_key;
static struct private_key *other_key;
static struct private_key *curve_key;
static struct public_key *meter_public;
static struct public_key *collector_public;
static struct public_key *other_public;
static struct public_key *curve_public;

static err make_keys(void)
{
    TRY(private_key_new(SIGN_RSA2048, &meter_key));
    TRY(private_key_new(SIGN_RSA2048, &collector_key));
    TRY(private_key_new(SIGN_RSA2048, &other_key));
    TRY(private_key_new(SIGN_P256, &curve_key));
    TRY(public_key_of(meter_key, &meter_public));
    TRY(public_key_of(collector_key, &collector_public));
    TRY(public_key_of(curve_key, &curve_public));
    return public_key_of(other_key, &other_public);
}

static int start(void **state)
{
    (void)state;
    return make_keys().code ? -1 : 0;
}

static int stop(void **state)
{
    struct private_key *own[] = { meter_key, collector_key, other_key, curve_key };
    struct public_key *known[] = { meter_public, collector_public, other_public, curve_public };

    (void)state;
    for (int i = 0; i < 4; i++) {
        private_key_free(own[i]);
        public_key_free(known[i]);
    }
    return 0;
}

static struct hello_parameters parameters(uint8_t suite)
{
    return (struct hello_parameters){ .meter = METER, .epoch = 5, .suite = suite, .utc_s = NOW_S };
}

static void make_hello(uint8_t suite, struct hello *h)
{
    struct hello_parameters p = parameters(suite);

    assert_ok(hello_make(&p, meter_key, collector_public, h));
}

static struct bytes view(const struct hello *h)
{
    return (struct bytes){ h->frame, h->frame_size };
}

/* A session of each side. */
struct both {
    struct hello hello;
    struct buf answer;
    struct session meter;
    struct session collector;
};

static void both_done(struct both *b)
{
    buf_done(&b->answer);
    session_done(&b->meter);
    session_done(&b->collector);
    hello_done(&b->hello);
}

static void shake_hands(uint8_t suite, struct both *b)
{
    struct hello_ok ok;

    *b = (struct both){ .answer = { .max = ENVELOPE_FRAME_BYTES_MAX } };
    make_hello(suite, &b->hello);
    assert_ok(hello_accept(view(&b->hello), meter_public, collector_key, &answer, &b->answer,
                           &b->collector));
    assert_ok(hello_ok_check(&b->hello, meter_key, collector_public, buf_bytes(&b->answer), &ok,
                             &b->meter));
    assert_int_equal(ok.window, 4);
    assert_int_equal(ok.lifetime_hours, 24);
    assert_int_equal(ok.utc_s, NOW_S);
}

static void both_sides_hold_the_same_keys(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO(both_done) struct both b = { 0 };
        shake_hands(suites[i], &b);
        assert_memory_equal(&b.meter.send, &b.collector.receive, sizeof b.meter.send);
        assert_memory_equal(&b.meter.receive, &b.collector.send, sizeof b.meter.send);
        assert_memory_not_equal(b.meter.send.key.octets, b.meter.receive.key.octets, 16);
        assert_int_equal(b.meter.send.key.size, 16);
        assert_int_equal(b.meter.epoch, 5);
        assert_int_equal(b.collector.epoch, 5);
        assert_int_equal(b.collector.suite, suites[i]);
        assert_true(b.collector.meter == METER);
    }
}

static void the_first_report_after_the_handshake_opens(void **state)
{
    AUTO(both_done) struct both b = { 0 };
    AUTO(aead_freep) struct aead *a = NULL;
    AUTO(buf_done) struct buf frame = { .max = ENVELOPE_FRAME_BYTES_MAX };
    uint8_t block[258] = { 7 };
    uint8_t out[258];
    struct envelope e;
    enum session_refusal why;

    (void)state;
    shake_hands(SUITE_X25519_RSA2048, &b);
    assert_ok(aead_new(&a));
    assert_ok(session_seal(&b.meter, a, ENVELOPE_PUSH, 0, 0, BYTES_OF(block), &frame));
    assert_ok(envelope_parse(buf_bytes(&frame), &e));
    assert_ok(session_open(&b.collector, a, COUNTER_WINDOW, &e, buf_bytes(&frame), out, &why));
    assert_memory_equal(out, block, sizeof out);
}

static void frames_have_the_sizes_of_their_suite(void **state)
{
    const size_t sizes[2][2] = { { 572, 316 }, { 348, 348 } };

    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO(both_done) struct both b = { 0 };
        shake_hands(suites[i], &b);
        assert_int_equal(b.hello.frame_size, ENVELOPE_HEADER_BYTES + sizes[i][0]);
        assert_int_equal(b.answer.len, ENVELOPE_HEADER_BYTES + sizes[i][1]);
    }
}

static void the_claims_are_those_of_the_meter(void **state)
{
    struct hello_parameters p = parameters(SUITE_RSA2048);
    struct hello_claims c;
    struct hello h;

    (void)state;
    p.clock_flags = HELLO_CLOCK_UNSET;
    assert_ok(hello_make(&p, meter_key, collector_public, &h));
    assert_ok(hello_claims_parse(view(&h), &c));
    assert_int_equal(c.suite, SUITE_RSA2048);
    assert_int_equal(c.clock_flags, HELLO_CLOCK_UNSET);
    assert_int_equal(c.utc_s, NOW_S);
    assert_true(c.collector_key_id == public_key_id(collector_public));
    assert_true(c.meter_key_id == public_key_id(meter_public));
    assert_memory_equal(c.nonce, h.nonce, sizeof c.nonce);
    hello_done(&h);
}

static void a_hello_with_any_octet_changed_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO(buf_done) struct buf out = { .max = ENVELOPE_FRAME_BYTES_MAX };
        struct session s = { .meter = 99 };
        struct hello h;
        make_hello(suites[i], &h);
        for (size_t at = 0; at < h.frame_size; at++) {
            h.frame[at] ^= 0x01;
            err e = hello_accept(view(&h), meter_public, collector_key, &answer, &out, &s);
            assert_true(e.code == ERR_AUTH || e.code == ERR_PROTO);
            h.frame[at] ^= 0x01;
        }
        assert_int_equal(out.len, 0);
        assert_true(s.meter == 99);
        assert_ok(hello_accept(view(&h), meter_public, collector_key, &answer, &out, &s));
        hello_done(&h);
    }
}

static void an_answer_with_any_octet_changed_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO(both_done) struct both b = { 0 };
        struct session s = { .meter = 99 };
        struct hello_ok ok = { .window = 77 };
        shake_hands(suites[i], &b);
        for (size_t at = 0; at < b.answer.len; at++) {
            b.answer.ptr[at] ^= 0x01;
            err e = hello_ok_check(&b.hello, meter_key, collector_public, buf_bytes(&b.answer), &ok,
                                   &s);
            assert_true(e.code == ERR_AUTH || e.code == ERR_PROTO);
            b.answer.ptr[at] ^= 0x01;
        }
        assert_true(s.meter == 99);
        assert_int_equal(ok.window, 77);
    }
}

static void a_frame_of_every_other_length_is_refused(void **state)
{
    struct hello_claims c = { .suite = 77 };
    struct hello h;

    (void)state;
    for (int i = 0; i < 2; i++) {
        make_hello(suites[i], &h);
        size_t size = h.frame_size;
        for (size_t n = 0; n < sizeof h.frame; n++) {
            if (n == size) {
                continue;
            }
            assert_err(hello_claims_parse((struct bytes){ h.frame, n }, &c), ERR_PROTO);
            if (n >= ENVELOPE_HEADER_BYTES) { /* also when header and stream agree about it */
                store_u16(h.frame + 6, (uint16_t)(n - ENVELOPE_HEADER_BYTES));
                assert_err(hello_claims_parse((struct bytes){ h.frame, n }, &c), ERR_PROTO);
                store_u16(h.frame + 6, (uint16_t)(size - ENVELOPE_HEADER_BYTES));
            }
        }
    }
    assert_int_equal(c.suite, 77);
}

static void unknown_suites_flags_and_lengths_name_their_field(void **state)
{
    const struct {
        size_t at;
        uint8_t value;
        const char *text;
    } cases[] = { { 0, 0, "suite 0" },     { 0, 2, "suite 2" },         { 0, 4, "suite 4" },
                  { 1, 2, "HELLO flags" }, { 2, 1, "zero field" },      { 3, 1, "zero field" },
                  { 57, 33, "share of" },  { 91, 0xff, "signature of" } };
    struct hello_claims c;
    struct hello h;

    (void)state;
    make_hello(SUITE_X25519_RSA2048, &h);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t kept = BODY(h.frame)[cases[i].at];
        size_t at = cases[i].at;
        assert_true(kept != cases[i].value);
        BODY(h.frame)[at] = cases[i].value;
        assert_err(hello_claims_parse(view(&h), &c), ERR_PROTO);
        assert_non_null(strstr(err_text(), cases[i].text));
        BODY(h.frame)[at] = kept;
    }
    assert_ok(hello_claims_parse(view(&h), &c));
}

static void a_hello_signed_by_another_is_refused(void **state)
{
    AUTO(buf_done) struct buf out = { .max = ENVELOPE_FRAME_BYTES_MAX };
    struct hello_parameters p = parameters(SUITE_X25519_RSA2048);
    struct session s;
    struct hello h;

    (void)state;
    assert_ok(hello_make(&p, other_key, collector_public, &h));
    /* It names its own key, and then the meter's. */
    assert_err(hello_accept(view(&h), meter_public, collector_key, &answer, &out, &s), ERR_AUTH);
    store_u64(BODY(h.frame) + 16, public_key_id(meter_public));
    assert_err(hello_accept(view(&h), meter_public, collector_key, &answer, &out, &s), ERR_AUTH);
    assert_int_equal(out.len, 0);
    hello_done(&h);
}

/* Signs a changed frame again with the meter's own key, as a dishonest meter could. */
static void sign_again(struct hello *h)
{
    struct handshake form;
    uint8_t frame[ENVELOPE_FRAME_BYTES_MAX];
    size_t size;

    assert_ok(handshake_parse(view(h), ENVELOPE_HELLO, &form));
    assert_ok(handshake_make(&form, (struct bytes){ 0 }, meter_key, frame, &size));
    assert_int_equal(size, h->frame_size);
    memcpy(h->frame, frame, size);
}

static void a_foreign_oaep_ciphertext_is_refused(void **state)
{
    AUTO(buf_done) struct buf out = { .max = ENVELOPE_FRAME_BYTES_MAX };
    struct session s;
    struct hello victim;
    struct hello thief;

    (void)state;
    make_hello(SUITE_RSA2048, &victim);
    make_hello(SUITE_RSA2048, &thief);
    memcpy(BODY(thief.frame) + 58, BODY(victim.frame) + 58, 256);
    sign_again(&thief);
    assert_err(hello_accept(view(&thief), meter_public, collector_key, &answer, &out, &s),
               ERR_AUTH);
    assert_int_equal(out.len, 0);

    /* With the victim's nonce but another meter id in the label it does not open either. */
    memcpy(thief.frame, victim.frame, victim.frame_size);
    store_u64(thief.frame + 8, METER + 1);
    sign_again(&thief);
    assert_err(hello_accept(view(&thief), meter_public, collector_key, &answer, &out, &s),
               ERR_AUTH);
    sign_again(&victim); /* signing again alone does no harm */
    assert_ok(hello_accept(view(&victim), meter_public, collector_key, &answer, &out, &s));
}

static void an_ephemeral_key_of_small_order_is_refused_on_both_sides(void **state)
{
    AUTO(both_done) struct both b = { 0 };
    struct hello_ok ok;
    struct handshake form;
    struct session s;
    uint8_t frame[ENVELOPE_FRAME_BYTES_MAX];
    static const uint8_t zero[X25519_BYTES];
    size_t size;

    (void)state;
    shake_hands(SUITE_X25519_RSA2048, &b);
    assert_ok(handshake_parse(buf_bytes(&b.answer), ENVELOPE_HELLO_OK, &form));
    form.share = BYTES_OF(zero);
    assert_ok(handshake_make(&form, view(&b.hello), collector_key, frame, &size));
    assert_err(hello_ok_check(&b.hello, meter_key, collector_public, (struct bytes){ frame, size },
                              &ok, &s),
               ERR_AUTH);
    memset(BODY(b.hello.frame) + 58, 0, X25519_BYTES);
    sign_again(&b.hello);
    size = b.answer.len;
    assert_err(hello_accept(view(&b.hello), meter_public, collector_key, &answer, &b.answer, &s),
               ERR_AUTH);
    assert_int_equal(b.answer.len, size);
}

static void a_replayed_hello_gives_a_session_only_the_meter_could_use(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO(both_done) struct both b = { 0 };
        AUTO(buf_done) struct buf again = { .max = ENVELOPE_FRAME_BYTES_MAX };
        struct session replayed;
        struct session meter;
        struct hello_ok ok;
        shake_hands(suites[i], &b);
        assert_ok(
            hello_accept(view(&b.hello), meter_public, collector_key, &answer, &again, &replayed));
        assert_memory_not_equal(replayed.receive.key.octets, b.collector.receive.key.octets, 16);
        /* Whoever holds the secret, and only he, gets to the same keys. */
        assert_ok(
            hello_ok_check(&b.hello, meter_key, collector_public, buf_bytes(&again), &ok, &meter));
        assert_memory_equal(&meter.send, &replayed.receive, sizeof meter.send);
    }
}

static void an_answer_to_another_hello_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO(both_done) struct both b = { 0 };
        struct hello second;
        struct hello_ok ok;
        struct session s;
        shake_hands(suites[i], &b);
        make_hello(suites[i], &second);
        assert_err(
            hello_ok_check(&second, meter_key, collector_public, buf_bytes(&b.answer), &ok, &s),
            ERR_AUTH);
        hello_done(&second);
    }
}

static void an_answer_signed_by_another_is_refused(void **state)
{
    AUTO(both_done) struct both b = { 0 };
    struct hello_ok ok;
    struct handshake form;
    struct session s;
    uint8_t frame[ENVELOPE_FRAME_BYTES_MAX];
    size_t size;

    (void)state;
    shake_hands(SUITE_X25519_RSA2048, &b);
    assert_ok(handshake_parse(buf_bytes(&b.answer), ENVELOPE_HELLO_OK, &form));
    assert_ok(handshake_make(&form, view(&b.hello), other_key, frame, &size));
    assert_err(hello_ok_check(&b.hello, meter_key, collector_public, (struct bytes){ frame, size },
                              &ok, &s),
               ERR_AUTH);
}

/* The answer, changed by `change` and signed again by the collector itself. */
static err check_changed(struct both *b, void (*change)(struct handshake *h))
{
    uint8_t frame[ENVELOPE_FRAME_BYTES_MAX];
    struct handshake form;
    struct hello_ok ok;
    struct session s;
    size_t size;

    TRY(handshake_parse(buf_bytes(&b->answer), ENVELOPE_HELLO_OK, &form));
    change(&form);
    TRY(handshake_make(&form, view(&b->hello), collector_key, frame, &size));
    return hello_ok_check(&b->hello, meter_key, collector_public, (struct bytes){ frame, size },
                          &ok, &s);
}

static void nothing(struct handshake *h)
{
    (void)h;
}

static void another_meter(struct handshake *h)
{
    h->meter++;
}

static void another_epoch(struct handshake *h)
{
    h->epoch++;
}

static void another_meter_key(struct handshake *h)
{
    h->meter_key_id++;
}

static void another_collector_key(struct handshake *h)
{
    h->collector_key_id++;
}

static void another_suite(struct handshake *h)
{
    h->rule = suite_find(SUITE_RSA2048);
    h->share.len = 0;
}

static void no_window(struct handshake *h)
{
    h->small = 0;
}

static void no_lifetime(struct handshake *h)
{
    h->half = 0;
}

static void an_answer_for_another_meter_epoch_suite_or_key_is_refused(void **state)
{
    void (*const changes[])(struct handshake *) = { another_meter, another_epoch, another_meter_key,
                                                    another_collector_key, another_suite };
    AUTO(both_done) struct both b = { 0 };

    (void)state;
    shake_hands(SUITE_X25519_RSA2048, &b);
    assert_ok(check_changed(&b, nothing));
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_err(check_changed(&b, changes[i]), ERR_AUTH);
    }
    assert_err(check_changed(&b, no_window), ERR_PROTO);
    assert_err(check_changed(&b, no_lifetime), ERR_PROTO);
}

static void keys_of_the_wrong_kind_are_refused(void **state)
{
    AUTO(buf_done) struct buf out = { .max = ENVELOPE_FRAME_BYTES_MAX };
    struct hello_parameters p = parameters(SUITE_X25519_RSA2048);
    struct session s;
    struct hello h = { .meter = 99 };

    (void)state;
    assert_err(hello_make(&p, curve_key, collector_public, &h), ERR_PROTO);
    assert_err(hello_make(&p, meter_key, curve_public, &h), ERR_PROTO);
    p.suite = 2;
    assert_err(hello_make(&p, meter_key, collector_public, &h), ERR_PROTO);
    p = parameters(SUITE_X25519_RSA2048);
    p.clock_flags = 2;
    assert_err(hello_make(&p, meter_key, collector_public, &h), ERR_PROTO);
    assert_true(h.meter == 99);
    make_hello(SUITE_X25519_RSA2048, &h);
    assert_err(hello_accept(view(&h), curve_public, collector_key, &answer, &out, &s), ERR_AUTH);
    assert_err(hello_accept(view(&h), meter_public, other_key, &answer, &out, &s), ERR_AUTH);
    hello_done(&h);
}

static void an_answer_that_does_not_fit_makes_no_session(void **state)
{
    AUTO(buf_done) struct buf out = { .max = 100 };
    struct session s = { .meter = 99 };
    struct hello h;

    (void)state;
    make_hello(SUITE_X25519_RSA2048, &h);
    assert_err(hello_accept(view(&h), meter_public, collector_key, &answer, &out, &s), ERR_LIMIT);
    assert_true(s.meter == 99);
    hello_done(&h);
}

static void a_hello_ok_is_not_a_hello(void **state)
{
    AUTO(both_done) struct both b = { 0 };
    struct hello_claims c;

    (void)state;
    shake_hands(SUITE_X25519_RSA2048, &b);
    assert_err(hello_claims_parse(buf_bytes(&b.answer), &c), ERR_PROTO);
    b.answer.ptr[3] = ENVELOPE_HELLO; /* nor does it become one: the lifetime is no zero field */
    assert_err(hello_claims_parse(buf_bytes(&b.answer), &c), ERR_PROTO);
}

static void keys_have_the_vectors_of_the_reference(void **state)
{
    struct session_secret s = { .transcript = sha256(BYTES_LIT("transcript")), .key_bytes = 16 };
    struct session_keys m2c;
    struct session_keys c2m;

    (void)state;
    for (size_t i = 0; i < sizeof s.secret; i++) {
        s.secret[i] = (uint8_t)i;
        s.nonces[i] = (uint8_t)(0x20 + i);
        s.nonces[32 + i] = (uint8_t)(0x40 + i);
    }
    assert_hex(DIGEST_VIEW(&s.transcript),
               "54e6289e14c7b0e7ad9acc2dfc4c1e3d027d0eef7f5c4c3fe7c292761d0e06a6");
    assert_ok(session_keys_derive(&s, &m2c, &c2m));
    assert_hex(((struct bytes){ m2c.key.octets, 16 }), "535befe6c7544f6c29172a2f39622237");
    assert_hex(BYTES_OF(m2c.salt), "39798162");
    assert_hex(((struct bytes){ c2m.key.octets, 16 }), "d6334a06d503c9c1602cbcabed3dd7a9");
    assert_hex(BYTES_OF(c2m.salt), "39d633a7");
    s.key_bytes = 32;
    assert_ok(session_keys_derive(&s, &m2c, &c2m));
    assert_hex(((struct bytes){ m2c.key.octets, 32 }),
               "535befe6c7544f6c29172a2f3962223739798162d1d623f53178b3b88ca33a13");
    assert_hex(BYTES_OF(m2c.salt), "bf1294e1");
    assert_hex(((struct bytes){ c2m.key.octets, 32 }),
               "d6334a06d503c9c1602cbcabed3dd7a939d633a743930b65bd992aa5bc9ccd44");
    assert_hex(BYTES_OF(c2m.salt), "2757685b");
}

static void what_the_meter_keeps_is_wiped(void **state)
{
    static const struct hello zero;
    struct hello h;

    (void)state;
    make_hello(SUITE_RSA2048, &h);
    hello_done(&h);
    assert_memory_equal(&h, &zero, sizeof h);
    hello_done(NULL);
    session_done(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_hold_the_same_keys),
        cmocka_unit_test(the_first_report_after_the_handshake_opens),
        cmocka_unit_test(frames_have_the_sizes_of_their_suite),
        cmocka_unit_test(the_claims_are_those_of_the_meter),
        cmocka_unit_test(a_hello_with_any_octet_changed_is_refused),
        cmocka_unit_test(an_answer_with_any_octet_changed_is_refused),
        cmocka_unit_test(a_frame_of_every_other_length_is_refused),
        cmocka_unit_test(unknown_suites_flags_and_lengths_name_their_field),
        cmocka_unit_test(a_hello_signed_by_another_is_refused),
        cmocka_unit_test(a_foreign_oaep_ciphertext_is_refused),
        cmocka_unit_test(an_ephemeral_key_of_small_order_is_refused_on_both_sides),
        cmocka_unit_test(a_replayed_hello_gives_a_session_only_the_meter_could_use),
        cmocka_unit_test(an_answer_to_another_hello_is_refused),
        cmocka_unit_test(an_answer_signed_by_another_is_refused),
        cmocka_unit_test(an_answer_for_another_meter_epoch_suite_or_key_is_refused),
        cmocka_unit_test(keys_of_the_wrong_kind_are_refused),
        cmocka_unit_test(an_answer_that_does_not_fit_makes_no_session),
        cmocka_unit_test(a_hello_ok_is_not_a_hello),
        cmocka_unit_test(keys_have_the_vectors_of_the_reference),
        cmocka_unit_test(what_the_meter_keeps_is_wiped),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
