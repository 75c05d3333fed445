/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/meter.h"

#include <assert.h>
#include <string.h>

#include "edge/meter/inside.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define HELLO_RETRY_US (5 * US_PER_S) /* x 2^n (docs/protocol.md 3.5) */
#define HELLO_RETRY_DOUBLINGS 6
#define HINT_PAUSE_US (60 * US_PER_S) /* between two HELLOs that a CLOSE hint caused */
#define HINT_SPREAD_US (30 * US_PER_S)
#define HINT_FIRST_US (2 * US_PER_S) /* spread of the first reaction: a fleet hears the same hint */
#define GAP_TOLD_MAX 96 /* sequences without a record that are pushed as missing */
#define CLOCK_DOUBT_TRIES 4 /* HELLOs without an answer, before the clock is the reason */
#define FRAMES_LEFT_MIN 65536 /* of a session, when a new one is wanted */

enum event {
    EV_HELLO,     /* a HELLO went out */
    EV_HELLO_OK,  /* its answer is good */
    EV_CLOSED,    /* the other side ended the session, sealed */
    EV_LINK_LOST,
    EV_COUNT
};

/* Where a meter may go (docs/protocol.md 3.5). Zero means "not allowed". */
static const uint8_t next_state[METER_STATES][EV_COUNT] = {
    [METER_OFF] = { [EV_HELLO] = METER_WAITING, [EV_LINK_LOST] = METER_OFF },
    [METER_WAITING] = { [EV_HELLO] = METER_WAITING, [EV_HELLO_OK] = METER_OPEN,
                        [EV_LINK_LOST] = METER_OFF },
    [METER_OPEN] = { [EV_HELLO] = METER_REKEY, [EV_CLOSED] = METER_OFF,
                     [EV_LINK_LOST] = METER_OFF },
    [METER_REKEY] = { [EV_HELLO] = METER_REKEY, [EV_HELLO_OK] = METER_OPEN,
                      [EV_CLOSED] = METER_WAITING, [EV_LINK_LOST] = METER_OFF },
};

static bool can(const struct meter *m, enum event ev)
{
    return next_state[m->state][ev] != METER_NOT_ALLOWED;
}

static void step(struct meter *m, enum event ev)
{
    assert(can(m, ev));
    m->state = next_state[m->state][ev];
}

static uint64_t random_below(struct meter *m, uint64_t n)
{
    uint64_t v;

    m->host.random(m->host.self, &v, sizeof v);
    return n > 0 ? v % n : 0;
}

uint32_t meter_clock_s(const struct meter *m)
{
    int64_t s = (int64_t)(m->host.utc_us(m->host.self) / US_PER_S) + m->clock_offset_s;

    return s > 0 && s <= UINT32_MAX ? (uint32_t)s : 0;
}

static bool has_session(const struct meter *m)
{
    return m->linked && (m->state == METER_OPEN || m->state == METER_REKEY);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static void arm_wake(struct meter *m)
{
    uint64_t at = m->linked ? m->hello_due_us : 0;

    if (has_session(m)) {
        at = sooner(at, m->report_retry.due_us);
        at = sooner(at, m->seal_retry.due_us);
        at = m->state == METER_OPEN ? sooner(at, m->lifetime_us) : at;
    }
    if (at != 0) {
        m->host.wake_at(m->host.self, at);
    }
}

/* --- frames out --- */

err meter_send(struct meter *m, enum envelope_type type, uint8_t flags, uint32_t transaction,
               struct bytes body)
{
    if (!has_session(m)) {
        FAIL(ERR_AGAIN, "the meter has no session now");
    }
    if (m->blocked) {
        FAIL(ERR_LIMIT, "the link is full");
    }
    buf_clear(&m->frame);
    TRY(session_seal(&m->session, m->o.aead, type, flags, transaction, body, &m->frame));
    err e = m->host.send(m->host.self, m->link, buf_bytes(&m->frame));
    m->blocked = m->blocked || e.code == ERR_LIMIT;
    return e;
}

err meter_send_signal(struct meter *m, enum nbr_signal signal, uint8_t reason,
                      uint32_t transaction, uint32_t value)
{
    const struct signal s = { .signal = (uint8_t)signal, .reason = reason, .value = value };
    uint8_t body[SIGNAL_BYTES];

    signal_encode(&s, body);
    return meter_send(m, ENVELOPE_SIG, 0, transaction, BYTES_OF(body));
}

/* --- session --- */

static void hello_forget(struct meter *m)
{
    if (m->hello != NULL) {
        hello_done(m->hello);
        mem_give(m->hello);
        m->hello = NULL;
    }
}

/* A HELLO more than ten minutes off is refused, and nobody may say why. Without doubting its own
 * clock a meter whose clock went wrong would stay outside for ever; with the bit set it is let in,
 * and the collector sets its clock. */
static bool clock_is_doubted(const struct meter *m)
{
    return m->clock_unset || m->hello_tries > CLOCK_DOUBT_TRIES;
}

/* Every HELLO is a fresh one: the other side refuses a nonce that it has seen. */
static err hello_send(struct meter *m)
{
    const struct hello_parameters p = {
        .meter = m->o.id,
        .epoch = (uint8_t)(m->epoch + 1),
        .suite = (uint8_t)m->o.suite,
        .clock_flags = clock_is_doubted(m) ? HELLO_CLOCK_UNSET : 0,
        .utc_s = meter_clock_s(m),
    };

    hello_forget(m);
    m->hello = mem_take(sizeof *m->hello);
    if (m->hello == NULL) {
        FAIL(ERR_LIMIT, "no memory for a HELLO");
    }
    TRY(hello_make(&p, m->o.session_key, m->o.collector, m->hello));
    m->epoch = p.epoch;
    m->stats.hellos++;
    return m->host.send(m->host.self, m->link,
                        (struct bytes){ m->hello->frame, m->hello->frame_size });
}

/* Whatever becomes of it, it is tried again after 5 s x 2^n. */
static void hello_try(struct meter *m, uint64_t now_us)
{
    uint32_t n = m->hello_tries < HELLO_RETRY_DOUBLINGS ? m->hello_tries : HELLO_RETRY_DOUBLINGS;
    uint64_t pause = HELLO_RETRY_US << n;

    m->hello_tries++;
    m->hello_due_us = now_us + pause + random_below(m, pause / 2);
    err e = hello_send(m);
    if (e.code) {
        hello_forget(m); /* a full link or no memory: the retry comes anyway */
    }
    step(m, EV_HELLO);
}

static void hello_want(struct meter *m, uint64_t at_us)
{
    if (m->hello_due_us == 0 || at_us < m->hello_due_us) {
        m->hello_due_us = at_us;
    }
}

/* The meter that has no time of its own takes the collector's. */
static void clock_learn(struct meter *m, uint32_t utc_s)
{
    if (m->clock_unset) {
        m->clock_offset_s += (int64_t)utc_s - meter_clock_s(m);
        m->clock_unset = false;
        m->next_status |= STATUS_CLOCK_STEPPED;
    }
}

static void take_hello_ok(struct meter *m, uint64_t now_us, struct bytes frame)
{
    struct session fresh;
    struct hello_ok ok;

    if (!can(m, EV_HELLO_OK) || m->hello == NULL ||
        hello_ok_check(m->hello, m->o.session_key, m->o.collector, frame, &ok, &fresh).code) {
        m->stats.refused++;
        return;
    }
    session_done(&m->session);
    m->session = fresh;
    wipe(&fresh, sizeof fresh);
    hello_forget(m);
    m->hello_due_us = 0;
    m->hello_tries = 0;
    m->silent_tries = 0;
    m->lifetime_us = now_us + (uint64_t)ok.lifetime_hours * 3600 * US_PER_S;
    m->stats.sessions++;
    step(m, EV_HELLO_OK);
    clock_learn(m, ok.utc_s);
    outgoing_reset(m);
    /* Key confirmation: the first sealed frame under the new epoch (docs/protocol.md 3.5). */
    err e = meter_send_signal(m, NBR_ENQ, 0, 0, 0);
    (void)e; /* lost like any frame: reports confirm as well */
    outgoing_pump(m, now_us);
}

/* Anyone could have forged it: at most one HELLO a minute for it, and the session lives on. */
static void take_hint(struct meter *m, uint64_t now_us)
{
    if (m->state != METER_OPEN || now_us < m->hint_after_us) {
        return;
    }
    m->hint_after_us = now_us + HINT_PAUSE_US + random_below(m, HINT_SPREAD_US);
    hello_want(m, now_us + random_below(m, HINT_FIRST_US));
}

static void session_end(struct meter *m, uint64_t now_us)
{
    if (!can(m, EV_CLOSED)) {
        return;
    }
    session_done(&m->session);
    step(m, EV_CLOSED);
    hello_want(m, now_us + HELLO_RETRY_US + random_below(m, HELLO_RETRY_US));
}

/* --- frames in --- */

static void take_signal(struct meter *m, uint64_t now_us, uint32_t transaction, struct bytes body)
{
    struct signal s;

    if (signal_parse(body, &s).code) {
        m->stats.refused++;
        return;
    }
    if (s.signal == NBR_ACK && s.reason == ACK_REPORTS) {
        outgoing_ack(m, now_us, s.value);
    } else if (s.signal == NBR_ACK && s.reason == ACK_SEALS) {
        outgoing_seal_ack(m, now_us, s.value);
    } else if (s.signal == NBR_NAK) {
        outgoing_slow_down(m, now_us);
    } else if (s.signal == NBR_ENQ) {
        err e = meter_send_signal(m, NBR_ACK, ACK_REPORTS, transaction, m->outbox.newest);
        (void)e; /* a keep-alive that is lost is asked again */
    }
}

static void take_sealed(struct meter *m, uint64_t now_us, const struct envelope *e,
                        struct bytes frame)
{
    uint8_t body[ENVELOPE_BODY_BYTES_MAX];
    enum session_refusal why = REFUSED_NOT;

    if (!has_session(m) || e->length < AEAD_TAG_BYTES ||
        session_open(&m->session, m->o.aead, COUNTER_STRICT, e, frame, body, &why).code) {
        m->stats.refused++;
        return;
    }
    m->silent_tries = 0;
    struct bytes plain = { body, e->length - AEAD_TAG_BYTES };
    if (e->type == ENVELOPE_CMD) {
        commands_take(m, now_us, e->transaction, plain);
    } else if (e->type == ENVELOPE_SIG) {
        take_signal(m, now_us, e->transaction, plain);
    } else if (e->type == ENVELOPE_CLOSE) {
        session_end(m, now_us);
    } else {
        m->stats.refused++;
    }
}

void meter_frame(struct meter *m, uint64_t now_us, const struct envelope *e, struct bytes frame)
{
    if (e->meter != m->o.id || frame.len != (size_t)ENVELOPE_HEADER_BYTES + e->length ||
        e->length > ENVELOPE_BODY_BYTES_MAX) {
        m->stats.refused++;
        return;
    }
    if (e->type == ENVELOPE_HELLO_OK) {
        take_hello_ok(m, now_us, frame);
    } else if ((e->flags & ENVELOPE_SEALED) != 0) {
        take_sealed(m, now_us, e, frame);
    } else if (e->type == ENVELOPE_CLOSE) {
        take_hint(m, now_us);
    } else {
        m->stats.refused++;
    }
    arm_wake(m);
}

/* --- link and time --- */

void meter_link_up(struct meter *m, uint64_t now_us, uint64_t link)
{
    m->link = link;
    m->linked = true;
    m->blocked = false;
    m->hello_tries = 0;
    m->hello_due_us = 0;
    hello_want(m, now_us + 1 + random_below(m, m->o.hello_spread_us));
    arm_wake(m);
}

void meter_link_down(struct meter *m, uint64_t now_us)
{
    (void)now_us;
    m->linked = false;
    m->blocked = false;
    hello_forget(m);
    session_done(&m->session);
    m->hello_due_us = 0;
    m->report_retry = (struct meter_retry){ 0 };
    m->seal_retry = (struct meter_retry){ 0 };
    step(m, EV_LINK_LOST);
}

void meter_link_ready(struct meter *m, uint64_t now_us)
{
    m->blocked = false;
    if (has_session(m)) {
        outgoing_pump(m, now_us);
    }
    arm_wake(m);
}

void meter_retry_arm(struct meter *m, struct meter_retry *r, uint64_t now_us)
{
    uint64_t pause = US_PER_S << (r->tries < 6 ? r->tries : 6);

    r->due_us = now_us + pause + random_below(m, pause / 2);
}

static bool session_is_old(const struct meter *m, uint64_t now_us)
{
    return m->state == METER_OPEN &&
           (now_us >= m->lifetime_us ||
            m->session.send.counter >= SESSION_FRAMES_MAX - FRAMES_LEFT_MIN);
}

/* A session that may be gone is replaced; while nothing helps, ever more seldom. */
static void silence(struct meter *m, uint64_t now_us)
{
    uint64_t pause = HINT_PAUSE_US << (m->silences < 4 ? m->silences : 4);

    if (now_us >= m->silence_after_us) {
        m->silences++;
        m->silence_after_us = now_us + pause + random_below(m, pause / 2);
        hello_want(m, now_us);
    }
    m->silent_tries = 0;
}

void meter_tick(struct meter *m, uint64_t now_us)
{
    if (!m->linked) {
        return;
    }
    if (has_session(m)) {
        bool silent = outgoing_tick(m, now_us);
        if (silent && m->state == METER_OPEN) {
            silence(m, now_us);
        }
        if (session_is_old(m, now_us)) {
            hello_want(m, now_us);
        }
    }
    if (m->hello_due_us != 0 && now_us >= m->hello_due_us) {
        hello_try(m, now_us);
    }
    arm_wake(m);
}

/* --- intervals --- */

static uint32_t sequence_at(const struct meter *m, uint32_t end_s)
{
    return m->base_sequence + (end_s - m->base_end_s) / RECORD_INTERVAL_S;
}

/* The first interval of a new meter has sequence 1. */
static void begin(struct meter *m, uint32_t end_s)
{
    if (m->last_end_s == 0) {
        m->base_sequence = 0;
        m->base_end_s = end_s - RECORD_INTERVAL_S;
        m->last_end_s = m->base_end_s;
        m->outbox.newest = 0;
    }
    seals_begin(&m->seals, end_s);
}

static err check_end(const struct meter *m, uint32_t end_s)
{
    if (end_s % RECORD_INTERVAL_S != 0 || end_s < RECORD_INTERVAL_S) {
        FAIL(ERR_PROTO, "an interval cannot end at %u: no multiple of %d s", end_s,
             RECORD_INTERVAL_S);
    }
    if (m->last_end_s != 0 && end_s <= m->last_end_s) {
        FAIL(ERR_PROTO, "an interval that ends at %u comes after the one to %u", end_s,
             m->last_end_s);
    }
    if (m->last_end_s != 0 && end_s - m->last_end_s > METER_GAP_S_MAX) {
        FAIL(ERR_LIMIT, "%u s without power, at most %u are bridged", end_s - m->last_end_s,
             METER_GAP_S_MAX);
    }
    return OK;
}

static err close_day(struct meter *m)
{
    TRY(seals_close(&m->seals, sequence_at(m, m->seals.day_end_s), &m->registers));
    m->stats.seals++;
    return OK;
}

/* Days that ended while there was no power are sealed when it is back. */
static err close_days_before(struct meter *m, uint32_t end_s)
{
    while (m->seals.day_end_s < end_s) {
        TRY(close_day(m));
    }
    return OK;
}

static struct record make_record(struct meter *m, uint32_t end_s, const struct meter_sample *s,
                                 const struct meter_registers *after)
{
    struct record r = {
        .flags = m->o.simulated ? RECORD_SIMULATED : 0,
        .status = (uint16_t)(s->status | m->next_status |
                             (m->clock_unset ? STATUS_CLOCK_UNSET : 0)),
        .sequence = sequence_at(m, end_s),
        .meter = m->o.id,
        .end_s = end_s,
        .interval_s = RECORD_INTERVAL_S,
    };

    sample_to_record(s, after, RECORD_INTERVAL_S, &r);
    return r;
}

/* What the other side has already (it knew this meter from an earlier run) is not sent again. */
static err keep(struct meter *m, const struct record *r)
{
    if (r->sequence <= m->acked) {
        m->outbox.newest = r->sequence;
        m->stats.acknowledged++;
        return OK;
    }
    uint64_t lost = m->outbox.overwritten;
    TRY(outbox_put(&m->outbox, r));
    if (m->outbox.overwritten > lost && m->sent > 0) {
        m->sent--; /* the oldest was on its way */
    }
    return OK;
}

/* A short time without power is told like reports are; a long one when it is asked for. */
static err keep_gap(struct meter *m, uint32_t first, uint32_t last)
{
    uint32_t count = last - first + 1;

    if (first > m->acked && count <= GAP_TOLD_MAX && m->outbox.max - m->outbox.count > count) {
        for (uint32_t sequence = first; sequence <= last; sequence++) {
            TRY(outbox_put_missing(&m->outbox, sequence, MISSING_NO_POWER));
        }
    }
    outbox_gap(&m->outbox, first, last, MISSING_NO_POWER);
    return OK;
}

err meter_interval(struct meter *m, uint64_t now_us, uint32_t end_s, const struct meter_sample *s)
{
    TRY(check_end(m, end_s));
    begin(m, end_s);
    TRY(close_days_before(m, end_s));

    uint32_t sequence = sequence_at(m, end_s);
    struct meter_registers after = m->registers;
    registers_add(&after, s);
    struct record r = make_record(m, end_s, s, &after);
    if (sequence > m->outbox.newest + 1) {
        TRY(keep_gap(m, m->outbox.newest + 1, sequence - 1));
        r.status |= STATUS_POWER_LOST;
    }
    TRY(keep(m, &r));
    m->before = m->registers;
    m->registers = after;
    m->last = r;
    m->last_end_s = end_s;
    m->next_status = m->after_status;
    m->after_status = 0;
    m->stats.produced++;
    TRY(seals_add(&m->seals, &r));
    if (end_s == m->seals.day_end_s) {
        TRY(close_day(m));
    }
    if (has_session(m)) {
        outgoing_pump(m, now_us);
        arm_wake(m);
    }
    return OK;
}

err meter_repeat(struct meter *m, uint64_t now_us, const struct meter_sample *s)
{
    struct meter_registers after = m->before;
    uint8_t block[NBR_RESPONSE_BYTES];

    (void)now_us;
    if (m->stats.produced == 0) {
        FAIL(ERR_MISSING, "there is no interval yet to repeat");
    }
    struct record r = m->last;
    registers_add(&after, s);
    sample_to_record(s, &after, RECORD_INTERVAL_S, &r);
    struct report report = meter_report_of(m, &r);
    report_encode(&report, block);
    TRY(meter_send(m, ENVELOPE_PUSH, 0, 0, BYTES_OF(block)));
    m->stats.pushed++;
    return OK;
}

/* --- the rest --- */

uint32_t meter_pending(const struct meter *m)
{
    return m->outbox.count;
}

uint32_t meter_room(const struct meter *m)
{
    return m->seals.day_count + 1 < SEALS_KEPT_MAX ? m->outbox.max - m->outbox.count : 0;
}

bool meter_idle(const struct meter *m)
{
    return m->outbox.count == 0 && m->seals.day_count == 0;
}

enum meter_state meter_state(const struct meter *m)
{
    return m->state;
}

const struct meter_stats *meter_stats(const struct meter *m)
{
    return &m->stats;
}

const struct meter_past *meter_past(const struct meter *m)
{
    return &m->seals.past;
}

static void go_on_from(struct meter *m, const struct meter_past *past)
{
    m->base_sequence = past->sequence;
    m->base_end_s = past->end_s;
    m->last_end_s = past->end_s;
    m->registers = past->registers;
    m->before = past->registers;
    m->outbox.newest = past->sequence;
    m->acked = past->sequence;
}

err meter_new(const struct meter_options *o, const struct host *host, struct meter **out)
{
    const struct seals_options seals = { .meter = o->id, .key = o->signing_key,
                                         .alg = o->signing_alg, .key_epoch = o->key_epoch,
                                         .zone_offset_s = o->zone_offset_s };
    uint32_t ring = o->ring_records > 0 ? o->ring_records : METER_RING_RECORDS;

    if (ring > METER_RING_RECORDS_MAX) {
        FAIL(ERR_LIMIT, "a ring of %u records, at most %d", ring, METER_RING_RECORDS_MAX);
    }
    struct meter *m = mem_take(sizeof *m);
    if (m == NULL) {
        FAIL(ERR_LIMIT, "no memory for a meter");
    }
    m->o = *o;
    m->o.window = o->window > 0 ? o->window : METER_WINDOW;
    m->host = *host;
    m->state = METER_OFF;
    m->clock_unset = o->clock_unset;
    m->frame.max = ENVELOPE_FRAME_BYTES_MAX;
    m->epoch = (uint8_t)random_below(m, 256);
    outbox_init(&m->outbox, ring);
    seals_init(&m->seals, &seals, &o->past);
    go_on_from(m, &o->past);
    *out = m;
    return OK;
}

void meter_free(struct meter *m)
{
    if (m == NULL) {
        return;
    }
    hello_forget(m);
    session_done(&m->session);
    outbox_done(&m->outbox);
    seals_done(&m->seals);
    buf_done(&m->frame);
    for (size_t i = 0; i < COMMAND_CACHE; i++) {
        mem_give(m->cache[i]);
    }
    mem_give(m);
}

void meter_freep(struct meter **m)
{
    meter_free(*m);
    *m = NULL;
}
