/* SPDX-License-Identifier: Apache-2.0 */
/* Many meters over real TCP to a collector side in a thread of its own: all arrives once, in spite
 * of links that break. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "edge/meter/drive.h"
#include "edge/meter/profile.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/base/test.h"
#include "lib/net/stream.h"
#include "lib/wire/nbr.h"

#define METERS 9 /* ids 1 to 9 are BCD as they stand */
#define DAYS 2
#define INTERVALS (DAYS * 96)
#define DAY1 1763348400

struct far_meter { /* what the far side knows of one */
    struct session session;
    bool seen[INTERVALS + 1];
    uint32_t stored; /* all up to here */
    uint64_t wh;
    unsigned seals;
};

struct far {
    pthread_t thread;
    struct loop *loop;
    struct stream_listener *listener;
    struct private_key *key;
    struct public_key *meter_key; /* all meters share one here */
    struct aead *aead;
    struct far_meter meters[METERS];
    unsigned frames_until_break; /* 0 = never */
    unsigned frames, breaks, doubled;
    struct loop_task stop;
};

struct far_link {
    struct far *far;
    struct buf in;
};

static void reply(struct stream *s, struct far *f, struct far_meter *m, uint8_t reason,
                  uint32_t value)
{
    AUTO(buf_done) struct buf frame = { .max = ENVELOPE_FRAME_BYTES_MAX };
    const struct signal sig = { .signal = NBR_ACK, .reason = reason, .value = value };
    uint8_t body[SIGNAL_BYTES];

    signal_encode(&sig, body);
    assert_ok(session_seal(&m->session, f->aead, ENVELOPE_SIG, 0, 0, BYTES_OF(body), &frame));
    assert_ok(stream_write(s, buf_bytes(&frame)));
}

static void store(struct far *f, struct far_meter *m, const struct record *r)
{
    f->doubled += m->seen[r->sequence];
    m->wh += m->seen[r->sequence] ? 0 : (uint64_t)r->reads[READ_DEMAND] / 4;
    m->seen[r->sequence] = true;
    while (m->stored < INTERVALS && m->seen[m->stored + 1]) {
        m->stored++;
    }
}

static void take_push(struct stream *s, struct far *f, struct far_meter *m, struct bytes block)
{
    struct seal_parts parts = { 0 };
    struct sealed_day day;
    struct report r;
    bool whole = false;

    if (block.ptr[5] == NBR_EXT_REPORT) {
        assert_ok(report_parse(block, &r));
        assert_in_range(r.record.sequence, 1, INTERVALS);
        store(f, m, &r.record);
        reply(s, f, m, ACK_REPORTS, m->stored);
        return;
    }
    assert_ok(seal_parts_add(&parts, block, &whole, &day));
    assert_true(whole);
    m->seals += day.seal.end_s == DAY1 + 86400 * (m->seals + 1);
    reply(s, f, m, ACK_SEALS, day.seal.end_s);
}

static void take_frame(struct stream *s, struct far *f, const struct envelope *e,
                       struct bytes frame)
{
    AUTO(buf_done) struct buf answer = { .max = ENVELOPE_FRAME_BYTES_MAX };
    const struct hello_ok ok = { .window = 4, .lifetime_hours = 24,
                                 .utc_s = (uint32_t)(time_utc_us() / US_PER_S) };
    struct far_meter *m = &f->meters[e->meter - 1];
    uint8_t body[ENVELOPE_BODY_BYTES_MAX];
    enum session_refusal why;

    if (e->type == ENVELOPE_HELLO) {
        assert_ok(hello_accept(frame, f->meter_key, f->key, &ok, &answer, &m->session));
        assert_ok(stream_write(s, buf_bytes(&answer)));
    } else if (!session_open(&m->session, f->aead, COUNTER_WINDOW, e, frame, body, &why).code &&
               e->type == ENVELOPE_PUSH) {
        take_push(s, f, m, (struct bytes){ body, NBR_RESPONSE_BYTES });
    }
}

static err far_opened(void *arg, struct stream *s, const char *peer)
{
    struct far_link *l = mem_take(sizeof *l);

    (void)peer;
    assert_non_null(l);
    *l = (struct far_link){ .far = arg, .in.max = 8u << 20 };
    stream_set_arg(s, l);
    return OK;
}

static err far_octets(void *arg, struct stream *s, struct bytes in)
{
    struct far_link *l = arg;
    struct far *f = l->far;
    struct envelope e;
    struct bytes frame;

    TRY(buf_append(&l->in, in));
    struct bytes rest = buf_bytes(&l->in);
    while (!envelope_take(&rest, &e, &frame).code) {
        if (f->frames_until_break > 0 && ++f->frames % f->frames_until_break == 0) {
            f->breaks++;
            FAIL(ERR_CLOSED, "the link breaks");
        }
        take_frame(s, f, &e, frame);
    }
    buf_consume(&l->in, l->in.len - rest.len);
    return OK;
}

static void far_closed(void *arg, struct stream *s, err why)
{
    struct far_link *l = arg;

    (void)s;
    (void)why;
    buf_done(&l->in);
    mem_give(l);
}

static void *far_main(void *arg)
{
    struct far *f = arg;
    err e = loop_run(f->loop);

    (void)e;
    return NULL;
}

static void far_stop(void *arg)
{
    struct far *f = arg;

    loop_stop(f->loop);
}

static void far_start(struct far *f, const struct private_key *meter_key, char *address,
                      size_t size)
{
    static const struct stream_events events = { .opened = far_opened, .octets = far_octets,
                                                 .closed = far_closed };
    const struct stream_options options = { .count_max = 64 };

    assert_ok(private_key_new(SIGN_RSA2048, &f->key));
    assert_ok(public_key_of(meter_key, &f->meter_key));
    assert_ok(aead_new(&f->aead));
    assert_ok(loop_new(&f->loop));
    assert_ok(stream_listen(f->loop, "127.0.0.1:0", &options, &events, f, &f->listener));
    snprintf(address, size, "127.0.0.1:%u", stream_listener_port(f->listener));
    assert_int_equal(pthread_create(&f->thread, NULL, far_main, f), 0);
}

static void far_end(struct far *f)
{
    f->stop = (struct loop_task){ .run = far_stop, .arg = f };
    loop_post(f->loop, &f->stop);
    pthread_join(f->thread, NULL);
    stream_listener_close(f->listener);
    loop_free(f->loop);
    aead_free(f->aead);
    private_key_free(f->key);
    public_key_free(f->meter_key);
}

struct near {
    uint32_t next[METERS];
    uint64_t wh[METERS];
};

static enum drive_take next_of(void *arg, size_t unit, uint32_t limit_s, struct drive_feed *out)
{
    struct near *n = arg;
    uint32_t end_s = DAY1 + (n->next[unit] + 1) * 900;

    if (n->next[unit] == INTERVALS) {
        return DRIVE_ENDED;
    }
    if (end_s > limit_s) {
        return DRIVE_NOT_YET;
    }
    n->next[unit]++;
    n->wh[unit] += n->next[unit] + unit;
    *out = (struct drive_feed){ .end_s = end_s,
                                .sample = { .wh = (uint32_t)(n->next[unit] + unit),
                                            .volts = { 127, 127, 127 }, .hertz = 60,
                                            .share_p = { 0.3, 0.3, 0.4 } } };
    return DRIVE_TAKEN;
}

static void run(unsigned frames_until_break, enum drive_pace pace, struct drive_result *out)
{
    static struct far far;
    struct near near = { 0 };
    struct drive_unit units[METERS] = { 0 };
    struct keyring keys = { 0 };
    char address[64];

    far = (struct far){ .frames_until_break = frames_until_break };
    assert_ok(private_key_new(SIGN_RSA2048, &keys.session));
    assert_ok(private_key_new(SIGN_P256, &keys.signing));
    far_start(&far, keys.session, address, sizeof address);
    for (size_t i = 0; i < METERS; i++) {
        units[i] = (struct drive_unit){ .id = i + 1, .keys = &keys };
    }
    AUTO(public_key_freep) struct public_key *collector = NULL;
    assert_ok(public_key_of(far.key, &collector));
    const struct drive_options o = {
        .address = address, .collector = collector, .pace = pace, .speed = 1000000,
        .start_s = DAY1, .end_s = DAY1 + DAYS * 86400, .give_up_us = 60 * US_PER_S,
        .zone_offset_s = METER_ZONE_OFFSET_S, .source = { .arg = &near, .next = next_of },
    };
    err e = drive(&o, units, METERS, out);
    far_end(&far);
    keyring_done(&keys);
    assert_ok(e);
    assert_int_equal(out->totals.produced, METERS * INTERVALS);
    assert_int_equal(out->totals.acknowledged, METERS * INTERVALS);
    assert_int_equal(out->totals.seals, METERS * DAYS);
    for (size_t i = 0; i < METERS; i++) {
        assert_int_equal(far.meters[i].stored, INTERVALS);
        assert_int_equal(far.meters[i].wh, near.wh[i]);
        assert_int_equal(far.meters[i].seals, DAYS);
        assert_int_equal(units[i].past.sequence, INTERVALS);
    }
    assert_true(frames_until_break == 0 || far.breaks > 0);
}

static void every_interval_of_every_meter_arrives(void **state)
{
    struct drive_result r;

    (void)state;
    run(0, DRIVE_FAST, &r);
    assert_int_equal(r.totals.sessions, METERS);
    assert_int_equal(r.reconnects, 0);
}

static void a_link_that_breaks_loses_nothing(void **state)
{
    struct drive_result r;

    (void)state;
    run(900, DRIVE_FAST, &r);
    assert_true(r.reconnects > 0);
    assert_true(r.totals.sessions > METERS);
}

static void a_fast_clock_feeds_all_in_time(void **state)
{
    struct drive_result r;

    (void)state;
    run(0, DRIVE_SPEED, &r);
}

static void nobody_there_is_told_after_the_time_to_give_up(void **state)
{
    struct near near = { 0 };
    struct keyring keys = { 0 };
    struct drive_unit unit = { .id = 1, .keys = &keys };
    struct drive_result r;

    (void)state;
    assert_ok(private_key_new(SIGN_P256, &keys.signing));
    const struct drive_options o = {
        .address = "127.0.0.1:1", .pace = DRIVE_FAST, .start_s = DAY1,
        .end_s = DAY1 + 86400, .give_up_us = US_PER_S / 2, .zone_offset_s = METER_ZONE_OFFSET_S,
        .source = { .arg = &near, .next = next_of },
    };
    err e = drive(&o, &unit, 1, &r);
    keyring_done(&keys);
    assert_err(e, ERR_IO);
    assert_non_null(strstr(err_text(), "127.0.0.1:1"));
    assert_true(r.reconnects > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_interval_of_every_meter_arrives),
        cmocka_unit_test(a_link_that_breaks_loses_nothing),
        cmocka_unit_test(a_fast_clock_feeds_all_in_time),
        cmocka_unit_test(nobody_there_is_told_after_the_time_to_give_up),
    };
    return cmocka_run_group_tests_name("meter drive", tests, NULL, NULL);
}
