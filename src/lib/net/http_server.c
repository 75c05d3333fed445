/* SPDX-License-Identifier: Apache-2.0 */
/* Streams under HTTP connections. */
#include "lib/net/http_server.h"

#include <assert.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/net/http_conn.h"
#include "lib/net/loop_uv.h"
#include "lib/net/tls_conn.h"

struct client {
    struct http_server *server; /* NULL: the server is freed */
    struct client *next, *prev;
    struct stream *stream;
    struct http_conn conn;
    struct loop_timer timer;
    struct loop_task again;
    bool again_due, over;
    char peer[]; /* the role */
};

struct http_server {
    struct loop *loop;
    struct stream_listener *listener;
    struct http_site site;
    struct client *clients;
    struct loop_task stopped;
    bool stopped_due; /* the loop holds `stopped` */
    bool freed;
    void (*done)(void *arg);
    void *done_arg;
};

/* ---- what a connection asks for ---- */

static err host_write(void *self, struct bytes octets, size_t *taken)
{
    struct client *c = self;

    return stream_write_some(c->stream, octets, taken);
}

static size_t host_queued(void *self)
{
    const struct client *c = self;

    return stream_queued(c->stream);
}

static void host_hold(void *self, bool on)
{
    struct client *c = self;

    if (on) {
        stream_pause(c->stream);
    } else {
        stream_resume(c->stream);
    }
}

static void host_again(void *self)
{
    struct client *c = self;

    if (!c->again_due) {
        c->again_due = true;
        loop_soon(c->server->loop, &c->again);
    }
}

static void host_close(void *self)
{
    struct client *c = self;

    stream_close(c->stream);
}

static void host_abort(void *self)
{
    struct client *c = self;

    stream_abort(c->stream);
}

/* ---- time ---- */

/* The timer is only moved to earlier; when it fires too early it looks again. */
static void arm(struct client *c)
{
    if (c->conn.over) {
        loop_timer_cancel(&c->timer);
        return;
    }
    uint64_t at_us = http_conn_deadline(&c->conn);
    bool later = c->timer.heap_index != 0 && c->timer.at_us <= at_us;
    if (at_us == UINT64_MAX || later) {
        return;
    }
    if (loop_timer_at(&c->timer, at_us).code) {
        stream_abort(c->stream);
    }
}

static void on_timer(void *arg)
{
    struct client *c = arg;

    http_conn_tick(&c->conn, loop_now_us(c->server->loop));
    arm(c);
}

/* ---- clients ---- */

static void client_unlink(struct client *c)
{
    struct http_server *s = c->server;

    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        s->clients = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    c->server = NULL;
}

static void client_free(struct client *c)
{
    c->over = true;
    if (!c->again_due) {
        mem_give(c);
    }
}

static void on_again(void *arg)
{
    struct client *c = arg;

    c->again_due = false;
    if (c->over) {
        mem_give(c);
        return;
    }
    if (c->server != NULL) {
        http_conn_continue(&c->conn, loop_now_us(c->server->loop));
        arm(c);
    }
}

static err on_opened(void *arg, struct stream *stream, const char *peer)
{
    static const struct http_conn_host host = { NULL, host_write, host_queued, host_hold,
                                                host_again, host_close, host_abort };
    struct http_server *s = arg;
    size_t peer_size = strlen(peer) + 1;
    struct client *c = mem_take(sizeof *c + peer_size);

    if (c == NULL) {
        FAIL(ERR_LIMIT, "no memory for a connection");
    }
    c->server = s;
    c->stream = stream;
    c->again = (struct loop_task){ .run = on_again, .arg = c };
    memcpy(c->peer, peer, peer_size);
    loop_timer_init(&c->timer, s->loop, on_timer, c);
    struct http_conn_host mine = host;
    mine.self = c;
    http_conn_init(&c->conn, &s->site, &mine, c->peer, loop_now_us(s->loop));
    c->next = s->clients;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    s->clients = c;
    stream_set_arg(stream, c);
    arm(c);
    return OK;
}

static err on_octets(void *arg, struct stream *stream, struct bytes in)
{
    struct client *c = arg;

    (void)stream;
    if (c->server != NULL) {
        http_conn_octets(&c->conn, loop_now_us(c->server->loop), in);
        arm(c);
    }
    return OK;
}

static void on_drained(void *arg, struct stream *stream)
{
    struct client *c = arg;

    (void)stream;
    if (c->server != NULL) {
        host_again(c);
    }
}

static void all_gone(void *arg)
{
    struct http_server *s = arg;

    s->stopped_due = false;
    if (s->freed) {
        mem_give(s);
        return;
    }
    if (s->done != NULL) {
        void (*done)(void *) = s->done;
        s->done = NULL;
        done(s->done_arg);
    }
}

static void maybe_stopped(struct http_server *s)
{
    if (s->site.stopping && s->clients == NULL && s->done != NULL && !s->stopped_due) {
        s->stopped_due = true;
        s->stopped = (struct loop_task){ .run = all_gone, .arg = s };
        loop_soon(s->loop, &s->stopped);
    }
}

static void on_closed(void *arg, struct stream *stream, err why)
{
    struct client *c = arg;
    struct http_server *s = c->server;

    (void)stream, (void)why;
    if (s != NULL) {
        loop_timer_cancel(&c->timer);
        http_conn_end(&c->conn);
        client_unlink(c);
        maybe_stopped(s);
    }
    client_free(c);
}

/* ---- the server ---- */

err http_server_start(struct loop *l, const char *address,
                      const struct http_server_options *options, struct http_server **out)
{
    static const struct stream_events events = { on_opened, on_octets, on_drained, on_closed };
    struct stream_options stream = options->stream;
    struct http_server *s = mem_take(sizeof *s);

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory for an HTTP server");
    }
    s->loop = l;
    http_site_init(&s->site, options);
    stream.idle_us = 0;
    err e = stream_listen(l, address, &stream, &events, s, &s->listener);
    if (e.code) {
        mem_give(s);
        return e;
    }
    *out = s;
    return OK;
}

unsigned http_server_port(const struct http_server *s)
{
    return s->listener != NULL ? stream_listener_port(s->listener) : 0;
}

static void listener_close(struct http_server *s)
{
    if (s->listener != NULL) {
        stream_listener_close(s->listener);
        s->listener = NULL;
    }
}

void http_server_stop(struct http_server *s, void (*done)(void *arg), void *arg)
{
    s->site.stopping = true;
    s->done = done;
    s->done_arg = arg;
    listener_close(s);
    for (struct client *c = s->clients; c != NULL; c = c->next) {
        http_conn_stop(&c->conn);
    }
    maybe_stopped(s);
}

void http_server_free(struct http_server *s)
{
    if (s == NULL) {
        return;
    }
    listener_close(s);
    while (s->clients != NULL) {
        struct client *c = s->clients;
        loop_timer_cancel(&c->timer);
        http_conn_end(&c->conn);
        client_unlink(c);
        stream_abort(c->stream);
    }
    http_site_done(&s->site);
    s->freed = true;
    if (!s->stopped_due) {
        mem_give(s);
    }
}

void http_server_counters(const struct http_server *s, struct http_counters *out)
{
    *out = s->site.counters;
}
