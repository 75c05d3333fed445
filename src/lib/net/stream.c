/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/stream.h"

#include <assert.h>
#include <string.h>

#include <utlist.h>

#include "lib/base/mem.h"
#include "lib/net/stream_uv.h"

#define STREAM_HANDSHAKE_US (10 * UINT64_C(1000000))
#define STREAM_CLOSING_US (10 * UINT64_C(1000000))
#define STREAM_LINGER_US (1 * UINT64_C(1000000))

static const bool allowed[STREAM_STATE_COUNT][STREAM_STATE_COUNT] = {
    [STREAM_STATE_NONE] = { [STREAM_DIALING] = true, [STREAM_HANDSHAKE] = true,
                            [STREAM_OPEN] = true, [STREAM_DEAD] = true },
    [STREAM_DIALING] = { [STREAM_HANDSHAKE] = true, [STREAM_OPEN] = true, [STREAM_DEAD] = true },
    [STREAM_HANDSHAKE] = { [STREAM_OPEN] = true, [STREAM_DEAD] = true },
    [STREAM_OPEN] = { [STREAM_CLOSING] = true, [STREAM_DEAD] = true },
    [STREAM_CLOSING] = { [STREAM_LINGERING] = true, [STREAM_DEAD] = true },
    [STREAM_LINGERING] = { [STREAM_DEAD] = true },
};

/* When this state, as it is, has lasted too long; 0 = never. */
static uint64_t deadline_us(const struct stream *s)
{
    switch (s->state) {
    case STREAM_DIALING:
    case STREAM_HANDSHAKE:
        return s->state_us +
               (s->options.handshake_us != 0 ? s->options.handshake_us : STREAM_HANDSHAKE_US);
    case STREAM_OPEN: return s->options.idle_us != 0 ? s->active_us + s->options.idle_us : 0;
    case STREAM_CLOSING: return s->state_us + STREAM_CLOSING_US;
    case STREAM_LINGERING: return s->state_us + STREAM_LINGER_US;
    default: return 0;
    }
}

/* Activity only moves active_us; the timer finds out when it fires that there is time left. */
static void timer_set(struct stream *s)
{
    uint64_t at_us = deadline_us(s);

    if (at_us == 0) {
        loop_timer_cancel(&s->timer);
        return;
    }
    err e = loop_timer_at(&s->timer, at_us);
    if (e.code) {
        stream_fail(s, e);
    }
}

static err timed_out(const struct stream *s)
{
    switch (s->state) {
    case STREAM_DIALING: FAIL(ERR_IO, "connecting took too long");
    case STREAM_HANDSHAKE: FAIL(ERR_IO, "the TLS handshake took too long");
    case STREAM_OPEN: FAIL(ERR_CLOSED, "no octets for too long");
    default: FAIL(ERR_CLOSED, "the peer did not take the last octets in time");
    }
}

static void on_timer(void *arg)
{
    struct stream *s = arg;

    if (deadline_us(s) > loop_now_us(s->loop)) {
        timer_set(s);
        return;
    }
    stream_fail(s, timed_out(s));
}

void stream_move(struct stream *s, enum stream_state to)
{
    assert(allowed[s->state][to]);
    s->state = to;
    s->state_us = loop_now_us(s->loop);
    if (to != STREAM_DEAD) {
        timer_set(s);
    }
}

/* ---- the end ---- */

static void stream_free(struct stream *s)
{
    buf_done(&s->out);
    buf_done(&s->held);
    tls_conn_done(&s->tls);
    mem_give(s->why_text);
    mem_give(s);
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;

    loop_child_remove(&s->child);
    if ((s->listener == NULL || s->told) && s->events.closed != NULL) {
        err_set(__FILE__, __LINE__, "%s", s->why_text != NULL ? s->why_text : "closed");
        s->events.closed(s->arg, s, s->why);
    }
    if (s->listener != NULL) {
        s->listener->count--;
        s->listener->refused += s->told ? 0 : 1;
        stream_listener_release(s->listener);
    }
    s->over = true;
    if (!s->turn_due) {
        stream_free(s);
    }
}

static void why_set(struct stream *s, err e)
{
    if (s->why.code == ERR_NONE) {
        s->why = e;
        size_t size = strlen(err_text()) + 1;
        s->why_text = mem_take(size);
        if (s->why_text != NULL) {
            memcpy(s->why_text, err_text(), size);
        }
    }
}

static err orderly(void)
{
    FAIL(ERR_CLOSED, "closed");
}

void stream_shaking(struct stream *s, bool on)
{
    if (s->shaking == on) {
        return;
    }
    assert(s->listener != NULL); /* only accepted streams are counted */
    s->shaking = on;
    if (on) {
        DL_APPEND2(s->listener->shaking, s, shaking_prev, shaking_next);
    } else {
        DL_DELETE2(s->listener->shaking, s, shaking_prev, shaking_next);
    }
}

/* The only way a stream ends. */
static void stream_finish(struct stream *s)
{
    if (s->state == STREAM_DEAD) {
        return;
    }
    stream_shaking(s, false);
    stream_dial_cancel(s);
    loop_timer_cancel(&s->timer);
    stream_move(s, STREAM_DEAD);
    uv_close((uv_handle_t *)&s->tcp, on_closed);
}

void stream_fail(struct stream *s, err e)
{
    if (s->state != STREAM_DEAD) {
        why_set(s, e);
        stream_finish(s);
    }
}

void stream_abort(struct stream *s)
{
    if (s->state != STREAM_DEAD) {
        stream_fail(s, orderly());
    }
}

static void on_loop_free(struct loop_child *c)
{
    struct stream *s = (struct stream *)(void *)((char *)c - offsetof(struct stream, child));

    stream_abort(s);
}

/* ---- closing in order ---- */

void stream_end_with(struct stream *s, err e)
{
    if (s->state == STREAM_CLOSING || s->state == STREAM_LINGERING || s->state == STREAM_DEAD) {
        return;
    }
    why_set(s, e);
    if (s->state != STREAM_OPEN) {
        stream_finish(s);
        return;
    }
    stream_move(s, STREAM_CLOSING);
    if (s->state == STREAM_CLOSING) {
        stream_turn(s);
    }
}

void stream_close(struct stream *s)
{
    if (s->state != STREAM_DEAD) {
        stream_end_with(s, orderly());
    }
}

struct fin_request {
    uv_shutdown_t uv;
    struct stream *stream;
};

/* A peer that has long been silent has nothing under way that our reset could cross. */
static void on_fin(uv_shutdown_t *uv, int status)
{
    struct fin_request *r = uv->data;
    struct stream *s = r->stream;

    mem_give(r);
    if (s->state != STREAM_CLOSING) {
        return;
    }
    bool silent = loop_now_us(s->loop) - s->heard_us > STREAM_LINGER_US;
    if (status != 0 || s->peer_ended || silent) {
        stream_finish(s);
        return;
    }
    stream_move(s, STREAM_LINGERING);
    if (s->state == STREAM_LINGERING) {
        stream_read_start(s);
    }
}

static void send_fin(struct stream *s)
{
    struct fin_request *r = mem_take(sizeof *r);

    s->fin = true;
    if (r == NULL) {
        stream_finish(s);
        return;
    }
    r->stream = s;
    r->uv.data = r;
    if (uv_shutdown(&r->uv, (uv_stream_t *)&s->tcp, on_fin) != 0) {
        mem_give(r);
        stream_finish(s);
    }
}

void stream_closing_step(struct stream *s)
{
    if (s->state != STREAM_CLOSING || stream_queued(s) > 0) {
        return;
    }
    if (!s->bye && s->tls.ssl != NULL) {
        tls_conn_bye(&s->tls, &s->loop->scratch->out);
        s->bye = true;
        if (!stream_send_raw(s) || s->writing) {
            return;
        }
    }
    if (!s->fin) {
        send_fin(s);
    }
}

void stream_peer_ended(struct stream *s)
{
    s->peer_ended = true;
    if (s->state == STREAM_LINGERING) {
        stream_finish(s);
        return;
    }
    bool early = s->state < STREAM_OPEN;
    err_set(__FILE__, __LINE__,
            early ? "the peer closed before the stream was open" : "closed by the peer");
    stream_end_with(s, (err){ ERR_CLOSED });
}

/* ---- the beginning ---- */

static void on_turn(void *arg)
{
    struct stream *s = arg;

    s->turn_due = false;
    if (s->over) {
        stream_free(s);
        return;
    }
    if (s->state == STREAM_OPEN && !s->paused && s->held.len > 0) {
        struct buf held = s->held;
        s->held = (struct buf){ .max = held.max };
        stream_input(s, buf_bytes(&held));
        buf_done(&held);
    }
    stream_pump(s);
}

void stream_turn(struct stream *s)
{
    if (!s->turn_due && s->state != STREAM_DEAD) {
        s->turn_due = true;
        loop_soon(s->loop, &s->turn);
    }
}

err stream_new(struct loop *l, const struct stream_options *options,
               const struct stream_events *events, void *arg, struct stream **out)
{
    struct loop_scratch *scratch;

    TRY(loop_scratch(l, &scratch));
    struct stream *s = mem_take(sizeof *s);
    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory for a stream");
    }
    s->loop = l;
    s->events = *events;
    s->arg = arg;
    s->options = *options;
    s->out.max = STREAM_WRITE_MAX;
    s->held.max = 2 * LOOP_PLAIN_BYTES;
    s->turn = (struct loop_task){ .run = on_turn, .arg = s };
    s->active_us = s->heard_us = s->state_us = loop_now_us(l);
    loop_timer_init(&s->timer, l, on_timer, s);
    int rc = uv_tcp_init(&l->uv, &s->tcp);
    if (rc != 0) {
        mem_give(s);
        return loop_uv_error(rc, "socket");
    }
    s->tcp.data = s;
    s->child.end = on_loop_free;
    loop_child_add(l, &s->child);
    *out = s;
    return OK;
}

void stream_opened(struct stream *s)
{
    char peer[TLS_ROLE_BYTES_MAX + 1] = "";

    stream_shaking(s, false);
    if (s->listener != NULL && s->listener->closed) {
        stream_abort(s); /* whoever listened is perhaps gone */
        return;
    }
    stream_move(s, STREAM_OPEN);
    if (s->state != STREAM_OPEN) {
        return;
    }
    err e = s->tls.ssl != NULL ? tls_conn_peer(&s->tls, peer) : OK;
    if (!e.code) {
        s->told = true;
        e = s->events.opened(s->arg, s, peer);
        if (e.code && s->listener != NULL && s->arg == s->listener->arg) {
            s->told = false;
        }
    }
    if (e.code) {
        stream_end_with(s, e);
    }
    if (s->paused) {
        stream_pause(s); /* the handshake had to read all the same */
    }
    stream_turn(s);
}

void stream_begin(struct stream *s, enum tls_end end)
{
    uv_tcp_nodelay(&s->tcp, 1);
    if (s->options.tls == NULL) {
        stream_opened(s);
        stream_read_start(s);
        return;
    }
    const struct tls_conn_options o = { .end = end,
                                        .peer_roles = s->options.peer_roles,
                                        .peer_optional = s->options.peer_optional };
    err e = tls_conn_init(&s->tls, s->options.tls, &o);
    if (e.code) {
        stream_fail(s, e);
        return;
    }
    stream_move(s, STREAM_HANDSHAKE);
    if (s->state != STREAM_HANDSHAKE) {
        return;
    }
    stream_read_start(s);
    if (end == TLS_CLIENT) {
        stream_input(s, (struct bytes){ 0 }); /* the client speaks first */
    }
}

/* ---- small things ---- */

void stream_set_arg(struct stream *s, void *arg)
{
    s->arg = arg;
}
