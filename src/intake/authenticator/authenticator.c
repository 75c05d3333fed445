/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/authenticator/authenticator.h"

#include "intake/authenticator/inside.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define PIECES_US US_PER_S /* how often links are looked at while a frame is in pieces */
#define SWEEP_US (5 * US_PER_S)        /* sessions, while some are pending or old */
#define QUIET_US (60 * US_PER_S)       /* and otherwise */
#define LATE_US (2 * 900 * US_PER_S)   /* two intervals without a frame */
#define LIFETIME_US (SESSION_LIFETIME_HOURS * 3600 * US_PER_S)
#define DOWN_FULL_BYTES (256u << 10)   /* a full link loses what comes above this */
#define HINT_PERIOD_US (US_PER_S / 50) /* unsealed CLOSE frames of one link: 50 a second */
#define HINT_BURST 200

static const char *const refusal_names[AUTHENTICATOR_REFUSAL_COUNT] = {
    [AUTHENTICATOR_FORM] = "form",
    [AUTHENTICATOR_TAG] = "tag",
    [AUTHENTICATOR_REPLAY] = "replay",
    [AUTHENTICATOR_LOWERED] = "lowered",
    [AUTHENTICATOR_EPOCH] = "epoch",
    [AUTHENTICATOR_INNER_CRC] = "inner_crc",
    [AUTHENTICATOR_INNER_SERIAL] = "inner_serial",
    [AUTHENTICATOR_UNKNOWN] = "unknown",
    [AUTHENTICATOR_SUITE] = "suite",
    [AUTHENTICATOR_HELLO_FORM] = "hello_form",
    [AUTHENTICATOR_KEY_ID] = "key_id",
    [AUTHENTICATOR_TIME] = "time",
    [AUTHENTICATOR_NONCE] = "nonce",
    [AUTHENTICATOR_METER_RATE] = "meter_rate",
    [AUTHENTICATOR_LINK_RATE] = "link_rate",
    [AUTHENTICATOR_SIGNATURE] = "signature",
    [AUTHENTICATOR_LIMIT] = "limit",
};

static const char *const count_names[AUTHENTICATOR_COUNT] = {
    [AUTHENTICATOR_FRAMES] = "frames",   [AUTHENTICATOR_BLOCKS] = "blocks",
    [AUTHENTICATOR_HELLOS] = "hellos",   [AUTHENTICATOR_OPENED] = "opened",
    [AUTHENTICATOR_ENDED] = "ended",     [AUTHENTICATOR_MOVED] = "moved",
    [AUTHENTICATOR_ALARMS] = "alarms",   [AUTHENTICATOR_HINTS] = "hints",
    [AUTHENTICATOR_DOWN] = "down",       [AUTHENTICATOR_DOWN_LOST] = "down_lost",
    [AUTHENTICATOR_STALLED] = "stalled", [AUTHENTICATOR_HOLDS] = "holds",
};

const char *authenticator_refusal_name(enum authenticator_refusal r)
{
    return refusal_names[r];
}

const char *authenticator_count_name(enum authenticator_count c)
{
    return count_names[c];
}

void authenticator_wake_in(struct authenticator *a, uint64_t us)
{
    if (a->wake_us <= a->now_us || a->now_us + us < a->wake_us) {
        a->wake_us = a->now_us + us;
        a->host.wake_at(a->host.self, a->wake_us);
    }
}

/* --- links --- */

struct agg_link *agg_link_find(const struct authenticator *a, uint64_t id)
{
    struct agg_link *found;

    HASH_FIND(hh, a->links, &id, sizeof id, found);
    return found;
}

static void undirty(struct authenticator *a, const struct agg_link *l)
{
    for (struct agg_link **at = &a->dirty; *at != NULL; at = &(*at)->dirty_next) {
        if (*at == l) {
            *at = l->dirty_next;
            return;
        }
    }
}

static void link_drop(struct authenticator *a, struct agg_link *l)
{
    undirty(a, l);
    inlet_done(&l->inlet);
    outlet_done(&l->down);
    HASH_DEL(a->links, l);
    mem_give(l);
}

void authenticator_flush_down(struct authenticator *a)
{
    while (a->dirty != NULL) {
        struct agg_link *l = a->dirty;
        a->dirty = l->dirty_next;
        l->dirty = false;
        outlet_flush(&l->down, &a->host, l->id);
    }
}

bool authenticator_send_down(struct authenticator *a, uint64_t link, struct bytes frame)
{
    struct agg_link *l = agg_link_find(a, link);
    bool full = l != NULL && l->down.full && l->down.waiting.len > DOWN_FULL_BYTES;

    if (l == NULL || full || outlet_add(&l->down, frame).code) {
        a->counts[AUTHENTICATOR_DOWN_LOST]++;
        return false;
    }
    if (!l->dirty) {
        l->dirty = true;
        l->dirty_next = a->dirty;
        a->dirty = l;
    }
    if (outlet_is_long(&l->down)) {
        outlet_flush(&l->down, &a->host, l->id);
    }
    a->counts[AUTHENTICATOR_DOWN]++;
    return true;
}

/* --- the uplink --- */

static bool is_blocked(const struct authenticator *a)
{
    return a->uplink == 0 || a->up.full;
}

static void hold_all(struct authenticator *a, bool on)
{
    struct agg_link *l, *after;

    if (a->holding == on) {
        return;
    }
    a->holding = on;
    a->counts[AUTHENTICATOR_HOLDS] += on;
    HASH_ITER(hh, a->links, l, after) {
        a->host.hold(a->host.self, l->id, on);
    }
}

static void flush_up(struct authenticator *a)
{
    if (a->uplink != 0) {
        outlet_flush(&a->up, &a->host, a->uplink);
    }
    if (is_blocked(a)) {
        hold_all(a, true);
    }
}

err authenticator_send_up(struct authenticator *a, const struct intake_message *m)
{
    TRY(intake_encode(m, outlet_buf(&a->up)));
    if (outlet_is_long(&a->up)) {
        flush_up(a);
    }
    return OK;
}

/* --- refusals --- */

static bool note_allowed(struct notes *n, uint64_t minute, uint64_t meter)
{
    size_t at = map_hash(&meter, sizeof meter) % NOTE_SLOTS;

    if (n->minute != minute) {
        n->minute = minute;
        n->count = 0;
    }
    bool told = n->slots[at].meter == meter && n->slots[at].minute == minute;
    if (told || n->count >= NOTES_A_MINUTE_MAX) {
        return false;
    }
    n->slots[at].meter = meter;
    n->slots[at].minute = minute;
    n->count++;
    return true;
}

void authenticator_refuse(struct authenticator *a, uint64_t meter, enum authenticator_refusal why)
{
    a->refusals[why]++;
    if (a->options.refused != NULL &&
        note_allowed(&a->notes, 1 + a->now_us / (60 * US_PER_S), meter)) {
        a->options.refused(a->options.arg, meter, why);
    }
}

void authenticator_hint(struct authenticator *a, struct agg_link *l, const struct envelope *e,
                        enum close_reason reason)
{
    struct envelope header = { .type = ENVELOPE_CLOSE, .epoch = e->epoch, .length = 4,
                               .meter = e->meter };
    uint8_t frame[ENVELOPE_HEADER_BYTES + 4] = { 0 };

    if (l == NULL || !bucket_take(&l->hints, a->now_us, HINT_PERIOD_US, HINT_BURST)) {
        return;
    }
    envelope_encode(&header, frame);
    frame[ENVELOPE_HEADER_BYTES] = (uint8_t)reason;
    a->counts[AUTHENTICATOR_HINTS] += authenticator_send_down(a, l->id, BYTES_OF(frame));
}

/* --- frames of meters --- */

static err frame_up(struct authenticator *a, struct agg_link *l, const struct envelope *e,
                    struct bytes frame)
{
    bool sealed = (e->flags & ENVELOPE_SEALED) != 0;

    if (e->type == ENVELOPE_HELLO && !sealed) {
        return authenticator_take_hello(a, l, e, frame);
    }
    bool upward = e->type == ENVELOPE_RSP || e->type == ENVELOPE_PUSH || e->type == ENVELOPE_SIG ||
                  e->type == ENVELOPE_CLOSE;
    if (!sealed || !upward) {
        authenticator_refuse(a, e->meter, AUTHENTICATOR_FORM);
        return frames_bad(&l->guard, a->now_us);
    }
    return authenticator_take_sealed(a, l, e, frame);
}

static err take_up(void *arg, struct bytes *in)
{
    struct agg_link *l = arg;
    struct authenticator *a = l->owner;
    struct envelope e;
    struct bytes frame;

    if (is_blocked(a)) {
        FAIL(ERR_AGAIN, "the collector takes nothing now");
    }
    TRY(frames_take(&l->guard, a->now_us, in, &e, &frame));
    if (frame.len == 0) {
        authenticator_refuse(a, 0, AUTHENTICATOR_FORM);
        return OK;
    }
    return frame_up(a, l, &e, frame);
}

static err octets_up(struct authenticator *a, struct agg_link *l, struct bytes in)
{
    err e = inlet_run(&l->inlet, a->now_us, in, take_up, l);
    flush_up(a);
    if (l->inlet.begun_us != 0) {
        authenticator_wake_in(a, PIECES_US);
    }
    if (a->others) {
        authenticator_wake_in(a, SWEEP_US);
    }
    return e;
}

static void resume(struct authenticator *a)
{
    struct agg_link *l, *after;

    HASH_ITER(hh, a->links, l, after) {
        if (is_blocked(a)) {
            return;
        }
        uint64_t id = l->id;
        if (l->inlet.begun_us != 0) {
            l->inlet.begun_us = a->now_us; /* it could not go on while it was held */
        }
        if (octets_up(a, l, (struct bytes){ 0 }).code) {
            link_drop(a, l);
            a->host.close(a->host.self, id);
        }
    }
    if (!is_blocked(a)) {
        hold_all(a, false);
    }
}

/* --- messages of the collector --- */

/* Messages of the collector are always read, even while it takes nothing itself, so that the two
 * can never wait for each other. An answer that has no room then is lost, as if the link had
 * broken. */
static void answer(struct authenticator *a, const struct intake_message *m)
{
    err e = authenticator_send_up(a, m);
    (void)e;
}

/* The collector learns that nobody heard it: it asks again when the meter comes. */
static void tell_no_session(struct authenticator *a, uint64_t meter)
{
    struct intake_message m = { .kind = INTAKE_CLOSED, .meter = meter };

    m.closed.reason = CLOSE_NO_SESSION;
    a->counts[AUTHENTICATOR_DOWN_LOST]++;
    answer(a, &m);
}

static void tell_expired(struct authenticator *a, uint64_t meter, uint32_t transaction)
{
    struct intake_message m = { .kind = INTAKE_SIGNAL, .meter = meter };

    m.signal.transaction = transaction;
    m.signal.signal = (struct signal){ .signal = NBR_NAK, .reason = NAK_EXPIRED };
    answer(a, &m);
}

static err command_down(struct authenticator *a, const struct intake_message *m)
{
    if (m->command.not_after_s < a->host.utc_us(a->host.self) / US_PER_S) {
        tell_expired(a, m->meter, m->command.transaction);
        return OK;
    }
    return authenticator_seal(a, m->meter, ENVELOPE_CMD, m->command.transaction, m->command.block);
}

static err message_down(struct authenticator *a, const struct intake_message *m)
{
    err e = OK;

    switch (m->kind) {
    case INTAKE_METER: authenticator_told(a, m); return OK;
    case INTAKE_SIGNAL:
        e = authenticator_signal(a, m->meter, m->signal.transaction, &m->signal.signal);
        break;
    case INTAKE_COMMAND: e = command_down(a, m); break;
    default:             FAIL(ERR_PROTO, "the collector sent a message of kind %u", m->kind);
    }
    if (e.code == ERR_MISSING) {
        tell_no_session(a, m->meter);
        return OK;
    }
    return e;
}

static err take_down(void *arg, struct bytes *in)
{
    struct intake_message m;

    TRY(intake_take(in, &m));
    return message_down(arg, &m);
}

static err octets_down(struct authenticator *a, struct bytes in)
{
    err e = inlet_run(&a->up_inlet, a->now_us, in, take_down, a);
    flush_up(a);
    return e;
}

/* --- what the host calls --- */

static err opened_up(struct authenticator *a, uint64_t id)
{
    a->uplink = id;
    a->up.full = false;
    authenticator_ask_again(a);
    flush_up(a);
    resume(a);
    return OK;
}

static err opened_down(struct authenticator *a, uint64_t id)
{
    if (HASH_COUNT(a->links) >= a->options.links_max) {
        FAIL(ERR_LIMIT, "%zu aggregators are connected, no more are allowed", a->options.links_max);
    }
    struct agg_link *l = mem_take(sizeof *l);
    if (l == NULL) {
        FAIL(ERR_LIMIT, "no memory for a link");
    }
    *l = (struct agg_link){ .owner = a, .id = id };
    HASH_ADD(hh, a->links, id, sizeof l->id, l);
    if (l->map_full) {
        mem_give(l);
        FAIL(ERR_LIMIT, "no memory for a link");
    }
    if (is_blocked(a)) {
        a->holding = true;
        a->host.hold(a->host.self, id, true);
    }
    return OK;
}

static err opened(void *core, uint64_t now_us, uint64_t link, bool uplink)
{
    struct authenticator *a = core;

    a->now_us = now_us;
    authenticator_wake_in(a, QUIET_US);
    err e = uplink ? opened_up(a, link) : opened_down(a, link);
    authenticator_flush_down(a);
    return e;
}

static err octets(void *core, uint64_t now_us, uint64_t link, struct bytes in)
{
    struct authenticator *a = core;
    err e = OK;

    a->now_us = now_us;
    struct agg_link *l = agg_link_find(a, link);
    if (link == a->uplink) {
        e = octets_down(a, in);
    } else if (l != NULL) {
        e = octets_up(a, l, in);
    }
    authenticator_flush_down(a);
    return e;
}

static void closed(void *core, uint64_t now_us, uint64_t link)
{
    struct authenticator *a = core;

    a->now_us = now_us;
    struct agg_link *l = agg_link_find(a, link);
    if (link == a->uplink) {
        a->uplink = 0;
        inlet_done(&a->up_inlet);
        hold_all(a, true);
    } else if (l != NULL) {
        link_drop(a, l);
    }
}

static void ready(void *core, uint64_t now_us, uint64_t link)
{
    struct authenticator *a = core;

    a->now_us = now_us;
    struct agg_link *l = agg_link_find(a, link);
    if (l != NULL) {
        l->down.full = false;
        outlet_flush(&l->down, &a->host, l->id);
    }
    if (link == a->uplink) {
        a->up.full = false;
        flush_up(a);
        resume(a);
    }
    authenticator_flush_down(a);
}

/* True: some frame is in pieces. */
static bool sweep_links(struct authenticator *a)
{
    struct agg_link *l, *after;
    bool pieces = false;

    HASH_ITER(hh, a->links, l, after) {
        uint64_t id = l->id;
        pieces = pieces || l->inlet.begun_us != 0;
        if (!a->holding && inlet_stalled(&l->inlet, a->now_us)) {
            a->counts[AUTHENTICATOR_STALLED]++;
            link_drop(a, l);
            a->host.close(a->host.self, id);
        }
    }
    return pieces;
}

static void sweep_sessions(struct authenticator *a)
{
    struct meter_session *m, *after;

    a->late = 0;
    a->others = false;
    HASH_ITER(hh, a->sessions.by_meter, m, after) {
        if (m->other != NULL && a->now_us >= m->other->until_us &&
            sessions_timeout(&a->sessions, m)) {
            continue;
        }
        bool open = m->state != SESSION_PENDING;
        a->others = a->others || m->other != NULL;
        if (open && a->now_us - m->opened_us >= LIFETIME_US) {
            authenticator_session_over(a, m);
            continue;
        }
        a->late += open && a->now_us - m->last_us >= LATE_US;
    }
}

static void tick(void *core, uint64_t now_us)
{
    struct authenticator *a = core;

    a->now_us = now_us;
    bool pieces = sweep_links(a);
    /* A blocked uplink cannot be told of sessions that end: they end later then. */
    if (now_us >= a->sweep_us && !is_blocked(a)) {
        a->sweep_us = now_us + SWEEP_US;
        sweep_sessions(a);
        flush_up(a);
    }
    authenticator_wake_in(a, pieces ? PIECES_US : a->others ? SWEEP_US : QUIET_US);
    authenticator_flush_down(a);
}

const struct core_ops authenticator_ops = { opened, octets, closed, ready, tick };

/* --- life --- */

static err own_key_id(const struct private_key *own, uint64_t *out)
{
    AUTO(public_key_freep) struct public_key *key = NULL;

    TRY(public_key_of(own, &key));
    *out = public_key_id(key);
    return OK;
}

static void authenticator_freep(struct authenticator **a)
{
    authenticator_free(*a);
}

err authenticator_new(const struct host *host, const struct authenticator_options *options,
                      struct authenticator **out)
{
    AUTO(authenticator_freep) struct authenticator *a = mem_take(sizeof *a);

    if (a == NULL) {
        FAIL(ERR_LIMIT, "no memory for an authenticator");
    }
    a->host = *host;
    a->options = *options;
    a->options.links_max = options->links_max != 0 ? options->links_max : AUTHENTICATOR_LINKS_MAX;
    a->options.hello_rate =
        options->hello_rate != 0 ? options->hello_rate : AUTHENTICATOR_HELLO_RATE;
    a->sessions.count_max =
        options->sessions_max != 0 ? options->sessions_max : AUTHENTICATOR_SESSIONS_MAX;
    a->holding = true; /* there is no uplink yet */
    TRY(own_key_id(options->own, &a->own_key_id));
    TRY(aead_new(&a->aead));
    TRY(nonces_init(&a->nonces, AUTHENTICATOR_NONCES_MAX));
    *out = TAKE(a);
    return OK;
}

void authenticator_free(struct authenticator *a)
{
    struct agg_link *l, *after;

    if (a == NULL) {
        return;
    }
    HASH_ITER(hh, a->links, l, after) {
        link_drop(a, l);
    }
    inlet_done(&a->up_inlet);
    outlet_done(&a->up);
    sessions_done(&a->sessions);
    registry_done(&a->registry);
    nonces_done(&a->nonces);
    aead_free(a->aead);
    mem_give(a);
}

const uint64_t *authenticator_counts(const struct authenticator *a)
{
    return a->counts;
}

const uint64_t *authenticator_refusals(const struct authenticator *a)
{
    return a->refusals;
}

size_t authenticator_sessions(const struct authenticator *a)
{
    return sessions_count(&a->sessions);
}

size_t authenticator_late(const struct authenticator *a)
{
    return a->late;
}

size_t authenticator_jobs(const struct authenticator *a)
{
    return a->jobs;
}
