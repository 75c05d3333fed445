/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/authenticator/sessions.h"

#include <assert.h>

#include "lib/base/mem.h"

#define X SESSION_NOT_ALLOWED

/* Columns: HELLO, FRAME_PENDING, FRAME, FRAME_OLD, END, TIMEOUT. */
static const uint8_t next[SESSION_STATE_COUNT][SESSION_EVENT_COUNT] = {
    [SESSION_NONE] = { SESSION_PENDING, X, X, X, X, X },
    [SESSION_PENDING] = { SESSION_PENDING, SESSION_OPEN, X, X, X, SESSION_NONE },
    [SESSION_OPEN] = { SESSION_OPEN_PENDING, X, SESSION_OPEN, X, SESSION_NONE, X },
    [SESSION_OPEN_PENDING] = { SESSION_OPEN_PENDING, SESSION_OPEN_OLD, SESSION_OPEN_PENDING, X,
                               SESSION_PENDING, SESSION_OPEN },
    [SESSION_OPEN_OLD] = { SESSION_OPEN_PENDING, X, SESSION_OPEN_OLD, SESSION_OPEN_OLD,
                           SESSION_NONE, SESSION_OPEN },
};

#undef X

uint8_t session_next(enum session_state s, enum session_event ev)
{
    assert(s < SESSION_STATE_COUNT && ev < SESSION_EVENT_COUNT);
    return next[s][ev];
}

static void step(struct meter_session *m, enum session_event ev)
{
    uint8_t to = session_next(m->state, ev);

    assert(to != SESSION_NOT_ALLOWED);
    m->state = to;
}

struct meter_session *sessions_find(const struct sessions *t, uint64_t meter)
{
    struct meter_session *found;

    HASH_FIND(hh, t->by_meter, &meter, sizeof meter, found);
    return found;
}

size_t sessions_count(const struct sessions *t)
{
    return HASH_COUNT(t->by_meter);
}

static void other_drop(struct meter_session *m)
{
    if (m->other != NULL) {
        session_done(&m->other->session);
        mem_give(m->other);
        m->other = NULL;
    }
}

static void drop(struct sessions *t, struct meter_session *m)
{
    assert(t->by_meter != NULL);
    other_drop(m);
    session_done(&m->current);
    HASH_DEL(t->by_meter, m);
    mem_give(m);
}

void sessions_done(struct sessions *t)
{
    struct meter_session *m, *after;

    HASH_ITER(hh, t->by_meter, m, after) {
        drop(t, m);
    }
}

static err entry(struct sessions *t, uint64_t meter, struct meter_session **out)
{
    struct meter_session *m = sessions_find(t, meter);

    if (m != NULL) {
        *out = m;
        return OK;
    }
    if (sessions_count(t) >= t->count_max) {
        FAIL(ERR_LIMIT, "%zu sessions are open, no more are allowed", t->count_max);
    }
    m = mem_take(sizeof *m);
    if (m == NULL) {
        FAIL(ERR_LIMIT, "no memory for a session");
    }
    m->meter = meter;
    HASH_ADD(hh, t->by_meter, meter, sizeof m->meter, m);
    if (m->map_full) {
        mem_give(m);
        FAIL(ERR_LIMIT, "no memory for a session");
    }
    *out = m;
    return OK;
}

static err hello(struct sessions *t, uint64_t now_us, uint64_t link, const struct session *s,
                 struct session_other **other)
{
    struct meter_session *m;

    if (*other == NULL) {
        FAIL(ERR_LIMIT, "no memory for a session");
    }
    TRY(entry(t, s->meter, &m));
    other_drop(m);
    (*other)->session = *s;
    (*other)->until_us = now_us + SESSION_PENDING_US;
    m->other = TAKE(*other);
    if (m->state == SESSION_NONE) {
        m->link = link;
    }
    step(m, SESSION_HELLO);
    return OK;
}

err sessions_hello(struct sessions *t, uint64_t now_us, uint64_t link, struct session *s,
                   uint8_t clock_flags, uint32_t meter_s)
{
    AUTO(mem_givep) struct session_other *other = mem_take(sizeof *other);

    if (other != NULL) {
        other->clock_flags = clock_flags;
        other->meter_s = meter_s;
    }
    err e = hello(t, now_us, link, s, &other);
    session_done(s);
    return e;
}

void sessions_confirm(struct meter_session *m, uint64_t now_us)
{
    struct session before = m->current;

    m->current = m->other->session;
    m->opened_us = now_us;
    m->inner_crc_count = 0;
    m->other->session = before;
    m->other->until_us = now_us + SESSION_OLD_US;
    session_done(&before);
    step(m, SESSION_FRAME_PENDING);
    if (m->state == SESSION_OPEN) {
        other_drop(m);
    }
}

bool sessions_end(struct sessions *t, struct meter_session *m)
{
    step(m, SESSION_END);
    if (m->state == SESSION_NONE) {
        drop(t, m);
        return true;
    }
    session_done(&m->current);
    return false;
}

bool sessions_timeout(struct sessions *t, struct meter_session *m)
{
    step(m, SESSION_TIMEOUT);
    if (m->state == SESSION_NONE) {
        drop(t, m);
        return true;
    }
    other_drop(m);
    return false;
}
