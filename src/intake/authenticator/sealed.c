/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed frames: which session opens them, what may be in them, and the way back. */
#include <assert.h>

#include "intake/authenticator/inside.h"
#include "lib/base/mem.h"
#include "lib/wire/meter_id.h"

#define INNER_CRC_ALARM 3 /* bad blocks under good tags: a fault or an attack inside the meter */
#define PLAIN_BYTES_MAX NBR_RESPONSE_BYTES

static const enum authenticator_refusal of_session[REFUSED_COUNT] = {
    [REFUSED_TAG] = AUTHENTICATOR_TAG,         [REFUSED_REPLAY] = AUTHENTICATOR_REPLAY,
    [REFUSED_LOWERED] = AUTHENTICATOR_LOWERED, [REFUSED_EPOCH] = AUTHENTICATOR_EPOCH,
    [REFUSED_FORM] = AUTHENTICATOR_FORM,
};

struct opened {
    struct meter_session *m;
    const struct envelope *e;
    struct bytes plain;
};

/* --- the way down --- */

err authenticator_seal(struct authenticator *a, uint64_t meter, enum envelope_type type,
                       uint32_t transaction, struct bytes body)
{
    struct meter_session *m = sessions_find(&a->sessions, meter);

    if (m == NULL || m->state == SESSION_PENDING) {
        FAIL(ERR_MISSING, "meter %" PRI_METER " has no session", meter);
    }
    AUTO(buf_done) struct buf frame = { .max = ENVELOPE_FRAME_BYTES_MAX };
    /* session_seal counts up before it seals, so a nonce is used once even if the frame is lost. */
    TRY(session_seal(&m->current, a->aead, type, 0, transaction, body, &frame));
    authenticator_send_down(a, m->link, buf_bytes(&frame));
    return OK;
}

err authenticator_signal(struct authenticator *a, uint64_t meter, uint32_t transaction,
                         const struct signal *s)
{
    uint8_t body[SIGNAL_BYTES];

    signal_encode(s, body);
    return authenticator_seal(a, meter, ENVELOPE_SIG, transaction, BYTES_OF(body));
}

/* --- what is in a frame --- */

static err alarm(struct authenticator *a, const struct opened *o, enum nak_reason reason)
{
    struct intake_message m = { .kind = INTAKE_ALARM, .meter = o->m->meter };

    m.alarm.reason = (uint8_t)reason;
    a->counts[AUTHENTICATOR_ALARMS]++;
    return authenticator_send_up(a, &m);
}

static err nak(struct authenticator *a, const struct opened *o, enum nak_reason reason)
{
    struct signal s = { .signal = NBR_NAK, .reason = (uint8_t)reason };

    return authenticator_signal(a, o->m->meter, o->e->transaction, &s);
}

static err block_is_bad(struct authenticator *a, const struct opened *o)
{
    authenticator_refuse(a, o->m->meter, AUTHENTICATOR_INNER_CRC);
    TRY(nak(a, o, NAK_INNER_CRC));
    o->m->inner_crc_count++;
    if (o->m->inner_crc_count < INNER_CRC_ALARM) {
        return OK;
    }
    o->m->inner_crc_count = 0;
    return alarm(a, o, NAK_INNER_CRC);
}

static err serial_differs(struct authenticator *a, const struct opened *o)
{
    authenticator_refuse(a, o->m->meter, AUTHENTICATOR_INNER_SERIAL);
    TRY(nak(a, o, NAK_INNER_SERIAL));
    return alarm(a, o, NAK_INNER_SERIAL);
}

static err block_came(struct authenticator *a, const struct opened *o)
{
    struct nbr_response response;

    if (nbr_crc(0, o->plain) != 0) {
        return block_is_bad(a, o);
    }
    if (nbr_response_parse(o->plain, &response).code) {
        authenticator_refuse(a, o->m->meter, AUTHENTICATOR_FORM);
        return OK;
    }
    if (response.meter != (uint32_t)o->m->meter) {
        return serial_differs(a, o);
    }
    struct intake_message m = { .kind = INTAKE_BLOCK, .meter = o->m->meter };
    m.block.type = o->e->type;
    m.block.flags = o->e->flags;
    m.block.transaction = o->e->transaction;
    m.block.block = o->plain;
    a->counts[AUTHENTICATOR_BLOCKS]++;
    return authenticator_send_up(a, &m);
}

static err signal_came(struct authenticator *a, const struct opened *o)
{
    struct intake_message m = { .kind = INTAKE_SIGNAL, .meter = o->m->meter };

    if (signal_parse(o->plain, &m.signal.signal).code) {
        authenticator_refuse(a, o->m->meter, AUTHENTICATOR_FORM);
        return OK;
    }
    if (m.signal.signal.signal == NBR_ENQ) {
        struct signal ack = { .signal = NBR_ACK, .reason = ACK_REPORTS };
        return authenticator_signal(a, o->m->meter, o->e->transaction, &ack);
    }
    m.signal.transaction = o->e->transaction;
    return authenticator_send_up(a, &m);
}

static void tell_closed(struct authenticator *a, uint64_t meter, uint8_t reason)
{
    struct intake_message m = { .kind = INTAKE_CLOSED, .meter = meter };

    m.closed.reason = reason;
    err e = authenticator_send_up(a, &m);
    (void)e; /* no memory: the collector learns it when nobody answers */
}

void authenticator_session_over(struct authenticator *a, struct meter_session *m)
{
    uint64_t meter = m->meter;

    a->counts[AUTHENTICATOR_ENDED]++;
    sessions_end(&a->sessions, m);
    tell_closed(a, meter, CLOSE_NO_SESSION);
}

static err dispatch(struct authenticator *a, const struct opened *o)
{
    switch (o->e->type) {
    case ENVELOPE_SIG:   return signal_came(a, o);
    case ENVELOPE_CLOSE: authenticator_session_over(a, o->m); return OK;
    default:             return block_came(a, o);
    }
}

/* --- which session --- */

static err tell_opened(struct authenticator *a, const struct meter_session *m, uint32_t meter_s,
                       uint8_t clock_flags)
{
    struct intake_message i = { .kind = INTAKE_OPENED, .meter = m->meter };

    i.opened.epoch = m->current.epoch;
    i.opened.clock_flags = clock_flags;
    i.opened.meter_s = meter_s;
    i.opened.ours_s = (uint32_t)(a->host.utc_us(a->host.self) / 1000000);
    a->counts[AUTHENTICATOR_OPENED]++;
    return authenticator_send_up(a, &i);
}

static err confirm(struct authenticator *a, struct meter_session *m)
{
    uint32_t meter_s = m->other->meter_s;
    uint8_t clock_flags = m->other->clock_flags;

    sessions_confirm(m, a->now_us);
    return tell_opened(a, m, meter_s, clock_flags);
}

struct attempt {
    struct session *session;
    bool pending;
    bool old;
};

/* The sessions that have this epoch, the newer first: after 256 HELLOs two may share one. */
static size_t candidates(struct meter_session *m, uint8_t epoch, struct attempt out[2])
{
    bool pending = m->state == SESSION_PENDING || m->state == SESSION_OPEN_PENDING;
    size_t n = 0;

    if (pending && m->other->session.epoch == epoch) {
        out[n++] = (struct attempt){ &m->other->session, true, false };
    }
    if (m->state != SESSION_PENDING && m->current.epoch == epoch) {
        out[n++] = (struct attempt){ &m->current, false, false };
    }
    if (m->state == SESSION_OPEN_OLD && n == 0 && m->other->session.epoch == epoch) {
        out[n++] = (struct attempt){ &m->other->session, false, true };
    }
    return n;
}

static err good_frame(struct authenticator *a, struct agg_link *l, const struct attempt *at,
                      const struct opened *o)
{
    enum session_event ev = at->pending ? SESSION_FRAME_PENDING
                            : at->old   ? SESSION_FRAME_OLD
                                        : SESSION_FRAME;

    assert(session_next(o->m->state, ev) != SESSION_NOT_ALLOWED);
    a->counts[AUTHENTICATOR_FRAMES]++;
    a->counts[AUTHENTICATOR_MOVED] += o->m->link != l->id;
    o->m->link = l->id;
    o->m->last_us = a->now_us;
    if (at->pending) {
        TRY(confirm(a, o->m));
    }
    if (at->old && o->e->type == ENVELOPE_CLOSE) {
        return OK; /* the end of a session that is over anyway */
    }
    return dispatch(a, o);
}

err authenticator_take_sealed(struct authenticator *a, struct agg_link *l, const struct envelope *e,
                              struct bytes frame)
{
    struct meter_session *m = sessions_find(&a->sessions, e->meter);
    struct attempt attempts[2];
    size_t count = m != NULL ? candidates(m, e->epoch, attempts) : 0;
    enum session_refusal why = REFUSED_EPOCH;
    uint8_t plain[PLAIN_BYTES_MAX];
    struct bytes view = { plain, frame.len - ENVELOPE_HEADER_BYTES - AEAD_TAG_BYTES };

    if (count == 0) {
        authenticator_refuse(a, e->meter, AUTHENTICATOR_EPOCH);
        authenticator_hint(a, l, e, CLOSE_NO_SESSION);
        return OK;
    }
    assert(view.len <= sizeof plain); /* envelope_parse knows the sizes of sealed types */
    for (size_t i = 0; i < count; i++) {
        err opened = session_open(attempts[i].session, a->aead, COUNTER_WINDOW, e, frame, plain,
                                  &why);
        if (!opened.code) {
            struct opened o = { m, e, view };
            return good_frame(a, l, &attempts[i], &o);
        }
    }
    authenticator_refuse(a, e->meter, of_session[why]);
    return OK;
}
