/* SPDX-License-Identifier: Apache-2.0 */
/* The octets of a stream: what is read goes through the loop's shared buffers to the owner at once,
 * what is written waits in the stream until the turn of the loop ends or the kernel takes more. */
#include <assert.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/net/stream_uv.h"

#define STREAM_CHUNK_BYTES (64u << 10) /* clear octets sealed and handed to the kernel at once */
#define STREAM_DIRECT_BYTES (16u << 10) /* from here on a write goes past the queue */

/* ---- reading ---- */

static err read_cut(void)
{
    FAIL(ERR_IO, "the connection was cut off");
}

static void handshake_input(struct stream *s)
{
    bool done = false;
    err e = tls_conn_handshake(&s->tls, &s->loop->scratch->out, &done);

    /* Also when it failed: an alert tells the peer why. */
    if (stream_send_raw(s) && e.code) {
        stream_fail(s, e);
    } else if (s->state == STREAM_HANDSHAKE && done) {
        stream_opened(s);
    }
}

static void deliver(struct stream *s, struct bytes octets)
{
    err e = s->events.octets(s->arg, s, octets);

    if (e.code) {
        stream_end_with(s, e);
    }
}

static void open_input(struct stream *s)
{
    struct loop_scratch *scratch = s->loop->scratch;
    bool ended = false;

    while (s->state == STREAM_OPEN && !s->paused) {
        size_t n;
        err e = tls_conn_read(&s->tls, &scratch->out, scratch->plain, sizeof scratch->plain, &n,
                              &ended);
        if (!stream_send_raw(s)) {
            return;
        }
        if (e.code) {
            stream_fail(s, e);
            return;
        }
        if (n > 0) {
            deliver(s, (struct bytes){ scratch->plain, n });
        }
        if (ended) {
            stream_peer_ended(s);
        }
        if (n < sizeof scratch->plain) {
            return;
        }
    }
}

/* The owner paused in the middle of what was read: the rest waits as it came. */
static void hold_rest(struct stream *s, struct bytes rest)
{
    if (rest.len == 0 || s->state != STREAM_OPEN) {
        return;
    }
    err e = buf_append(&s->held, rest);
    if (e.code) {
        stream_fail(s, e);
    }
}

static void plain_input(struct stream *s, struct bytes in)
{
    if (s->paused) {
        hold_rest(s, in);
        return;
    }
    deliver(s, in);
}

void stream_input(struct stream *s, struct bytes in)
{
    if (s->state == STREAM_CLOSING || s->state == STREAM_LINGERING || s->state == STREAM_DEAD) {
        return; /* dropped: the owner hears no more */
    }
    if (s->tls.ssl == NULL) {
        plain_input(s, in);
        return;
    }
    s->tls.in = in;
    if (s->state == STREAM_HANDSHAKE) {
        handshake_input(s);
    }
    open_input(s);
    struct bytes rest = s->tls.in;
    s->tls.in = (struct bytes){ 0 };
    hold_rest(s, rest);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct stream *s = handle->data;

    (void)suggested;
    *out = uv_buf_init((char *)s->loop->scratch->in, LOOP_READ_BYTES);
}

/* TLS says itself when the peer has ended; a bare end of the TCP connection is a cut. */
static void on_end_of_file(struct stream *s)
{
    if (s->state == STREAM_OPEN && s->tls.ssl != NULL) {
        s->peer_ended = true;
        stream_end_with(s, read_cut());
        return;
    }
    stream_peer_ended(s);
}

static void on_read(uv_stream_t *uv, ssize_t n, const uv_buf_t *b)
{
    struct stream *s = uv->data;

    if (n > 0) {
        s->active_us = s->heard_us = loop_now_us(s->loop);
        stream_input(s, (struct bytes){ (const uint8_t *)b->base, (size_t)n });
        return;
    }
    if (n == 0) {
        return;
    }
    uv_read_stop(uv);
    s->reading = false;
    if (n == UV_EOF) {
        on_end_of_file(s);
        return;
    }
    stream_fail(s, loop_uv_error((int)n, "reading"));
}

void stream_read_start(struct stream *s)
{
    bool wanted = !s->paused || s->state == STREAM_LINGERING || s->state == STREAM_HANDSHAKE;

    if (s->state == STREAM_DEAD || s->reading || s->peer_ended || !wanted) {
        return;
    }
    int rc = uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
    if (rc != 0) {
        stream_fail(s, loop_uv_error(rc, "reading"));
        return;
    }
    s->reading = true;
}

void stream_pause(struct stream *s)
{
    s->paused = true;
    if (s->reading && s->state == STREAM_OPEN) {
        uv_read_stop((uv_stream_t *)&s->tcp);
        s->reading = false;
    }
}

void stream_resume(struct stream *s)
{
    s->paused = false;
    if (s->state == STREAM_OPEN) {
        stream_read_start(s);
        stream_turn(s); /* brings what was held, never from inside this call */
    }
}

/* ---- writing ---- */

struct write_request {
    uv_write_t uv;
    struct stream *stream;
    size_t size;
    uint8_t octets[];
};

size_t stream_queued(const struct stream *s)
{
    return s->out.len - s->out_at + s->in_flight;
}

static void tell_drained(struct stream *s)
{
    if (s->full && s->state == STREAM_OPEN && stream_queued(s) < STREAM_WRITE_MAX / 2) {
        s->full = false;
        if (s->events.drained != NULL) {
            s->events.drained(s->arg, s);
        }
    }
}

static void on_written(uv_write_t *uv, int status)
{
    struct write_request *r = uv->data;
    struct stream *s = r->stream;

    s->in_flight -= r->size;
    s->writing = s->in_flight > 0;
    mem_give(r);
    s->active_us = loop_now_us(s->loop);
    if (s->state == STREAM_DEAD) {
        return;
    }
    if (status != 0) {
        stream_fail(s, loop_uv_error(status, "writing"));
        return;
    }
    stream_pump(s);
}

/* The kernel is full: the rest waits in a request of its own. */
static void write_later(struct stream *s, struct bytes rest)
{
    struct write_request *r = mem_take(sizeof *r + rest.len);

    if (r == NULL) {
        err_set(__FILE__, __LINE__, "no memory for a write");
        stream_fail(s, (err){ ERR_LIMIT });
        return;
    }
    r->stream = s;
    r->size = rest.len;
    r->uv.data = r;
    memcpy(r->octets, rest.ptr, rest.len);
    uv_buf_t b = uv_buf_init((char *)r->octets, (unsigned)rest.len);
    int rc = uv_write(&r->uv, (uv_stream_t *)&s->tcp, &b, 1, on_written);
    if (rc != 0) {
        mem_give(r);
        stream_fail(s, loop_uv_error(rc, "writing"));
        return;
    }
    s->writing = true;
    s->in_flight += rest.len;
}

/* How much the kernel took at once; a negative number of libuv otherwise. */
static long try_write(struct stream *s, struct bytes octets)
{
    uv_buf_t b = { .base = (char *)(uintptr_t)octets.ptr, .len = octets.len };
    int rc = uv_try_write((uv_stream_t *)&s->tcp, &b, 1);

    if (rc > 0) {
        s->active_us = loop_now_us(s->loop);
    }
    return rc == UV_EAGAIN ? 0 : rc;
}

/* Octets of the wire, at most a chunk. False when the stream ended over it. */
static bool send_wire(struct stream *s, struct bytes octets)
{
    if (s->writing) { /* an alert or a ticket while the kernel is full: appended behind */
        write_later(s, octets);
        return s->state != STREAM_DEAD;
    }
    long n = octets.len > 0 ? try_write(s, octets) : 0;
    if (n < 0) {
        stream_fail(s, loop_uv_error((int)n, "writing"));
        return false;
    }
    octets.ptr += n;
    octets.len -= (size_t)n;
    if (octets.len > 0) {
        write_later(s, octets);
    }
    return s->state != STREAM_DEAD;
}

bool stream_send_raw(struct stream *s)
{
    struct buf *sealed = &s->loop->scratch->out;
    bool fine = s->state != STREAM_DEAD;

    if (sealed->len > 0 && fine) {
        fine = send_wire(s, buf_bytes(sealed));
    }
    buf_clear(sealed);
    return fine;
}

/* Sends from the front of `clear` until it is empty or the kernel is full. */
static bool push(struct stream *s, struct bytes *clear)
{
    while (clear->len > 0 && !s->writing) {
        size_t n = clear->len < STREAM_CHUNK_BYTES ? clear->len : STREAM_CHUNK_BYTES;
        struct bytes part = { clear->ptr, n };
        clear->ptr += n;
        clear->len -= n;
        if (s->tls.ssl == NULL) {
            if (!send_wire(s, part)) {
                return false;
            }
            continue;
        }
        err e = tls_conn_write(&s->tls, part, &s->loop->scratch->out);
        if (e.code) {
            buf_clear(&s->loop->scratch->out);
            stream_fail(s, e);
            return false;
        }
        if (!stream_send_raw(s)) {
            return false;
        }
    }
    return true;
}

/* Compacts only when half is used up, so that a long queue is not moved again and again. */
static void queue_drop(struct stream *s, size_t left)
{
    s->out_at = s->out.len - left;
    if (left == 0) {
        s->out_at = 0;
        buf_done(&s->out);
    } else if (s->out_at > s->out.len / 2) {
        buf_consume(&s->out, s->out_at);
        s->out_at = 0;
    }
}

static bool queue_push(struct stream *s)
{
    if (s->out.len == 0 || s->writing) {
        return true;
    }
    struct bytes rest = { s->out.ptr + s->out_at, s->out.len - s->out_at };
    if (!push(s, &rest)) {
        return false;
    }
    queue_drop(s, rest.len);
    return true;
}

void stream_pump(struct stream *s)
{
    if (s->state != STREAM_OPEN && s->state != STREAM_CLOSING) {
        return;
    }
    if (queue_push(s)) {
        tell_drained(s);
        stream_closing_step(s);
    }
}

static err enqueue(struct stream *s, struct bytes octets)
{
    if (s->out_at > 0 && s->out.len + octets.len > s->out.max) {
        buf_consume(&s->out, s->out_at);
        s->out_at = 0;
    }
    TRY(buf_append(&s->out, octets));
    stream_turn(s);
    return OK;
}

/* Large pieces go to the kernel from where they are, without a copy. */
static err write_direct(struct stream *s, struct bytes octets)
{
    if (!queue_push(s) || !push(s, &octets)) {
        FAIL(ERR_CLOSED, "the stream ended while it was written to");
    }
    if (octets.len == 0) {
        return OK;
    }
    err e = enqueue(s, octets);
    if (e.code) { /* part of it has left: the stream is of no use any more */
        stream_fail(s, e);
        FAIL(ERR_CLOSED, "no memory for what the kernel did not take");
    }
    return OK;
}

static err writable(const struct stream *s)
{
    if (s->state >= STREAM_CLOSING) {
        FAIL(ERR_CLOSED, "the stream is closed");
    }
    return OK;
}

err stream_write(struct stream *s, struct bytes octets)
{
    TRY(writable(s));
    size_t queued = stream_queued(s);
    if (octets.len > STREAM_WRITE_MAX || queued > STREAM_WRITE_MAX - octets.len) {
        s->full = true;
        stream_turn(s);
        FAIL(ERR_LIMIT, "%zu octets wait to be sent, at most %u", queued + octets.len,
             STREAM_WRITE_MAX);
    }
    if (s->state == STREAM_OPEN && !s->writing && octets.len >= STREAM_DIRECT_BYTES) {
        TRY(write_direct(s, octets));
    } else {
        TRY(enqueue(s, octets));
    }
    s->full = s->full || stream_queued(s) > STREAM_WRITE_MAX / 2;
    return OK;
}

err stream_write_some(struct stream *s, struct bytes octets, size_t *out_taken)
{
    size_t taken = 0;

    TRY(writable(s));
    do {
        size_t queued = stream_queued(s);
        size_t room = queued < STREAM_WRITE_MAX ? STREAM_WRITE_MAX - queued : 0;
        size_t n = octets.len < room ? octets.len : room;
        if (n > 0) {
            TRY(stream_write(s, (struct bytes){ octets.ptr, n }));
        }
        octets.ptr += n;
        octets.len -= n;
        taken += n;
        if (n == 0) {
            break;
        }
    } while (octets.len > 0);
    s->full = s->full || octets.len > 0;
    *out_taken = taken;
    return OK;
}
