/* SPDX-License-Identifier: Apache-2.0 */
/* How streams come to be: listening and connecting. */
#include <assert.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/net/stream_uv.h"

#define STREAM_COUNT_MAX 65536
#define STREAM_BACKLOG 1024
#define STREAM_RETRY_US 100000
#define HOST_BYTES_MAX 255

struct host_port {
    char host[HOST_BYTES_MAX + 1];
    char port[6];
};

/* "host:port" or "[v6]:port". */
static err address_split(const char *address, struct host_port *out)
{
    const char *colon = strrchr(address, ':');
    uint64_t port;

    if (colon == NULL) {
        FAIL(ERR_PROTO, "address '%s' must be host:port", address);
    }
    struct bytes host = { (const uint8_t *)address, (size_t)(colon - address) };
    if (decimal_parse(bytes_of_string(colon + 1), 65535, &port).code) {
        FAIL(ERR_PROTO, "port of address '%s' must be 0 to 65535", address);
    }
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host.ptr++;
        host.len -= 2;
    }
    if (host.len == 0 || host.len > HOST_BYTES_MAX) {
        FAIL(ERR_PROTO, "host of address '%s' must have 1 to %d octets", address, HOST_BYTES_MAX);
    }
    memcpy(out->host, host.ptr, host.len);
    out->host[host.len] = '\0';
    snprintf(out->port, sizeof out->port, "%u", (unsigned)port);
    return OK;
}

static const struct addrinfo address_hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

/* ---- listening ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    stream_listener_release(handle->data);
}

void stream_listener_release(struct stream_listener *listener)
{
    assert(listener->users > 0);
    if (--listener->users == 0) {
        mem_give(listener);
    }
}

/* The loop may end before the owner closes: the socket goes then, the struct stays for the
 * owner. */
static void stop_listening(struct stream_listener *listener)
{
    if (listener->closed) {
        return;
    }
    listener->closed = true;
    loop_child_remove(&listener->child);
    loop_timer_cancel(&listener->retry);
    uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
}

void stream_listener_close(struct stream_listener *listener)
{
    if (listener != NULL) {
        stop_listening(listener);
        stream_listener_release(listener);
    }
}

static void on_loop_free(struct loop_child *c)
{
    struct stream_listener *listener =
        (struct stream_listener *)(void *)((char *)c - offsetof(struct stream_listener, child));

    stop_listening(listener);
}

/* Whoever can connect can begin a handshake and go no further: such connections must not keep out
 * those that can prove who they are. The oldest gives way. */
static bool make_room(struct stream_listener *listener)
{
    if (listener->shaking == NULL) {
        return false;
    }
    err_set(__FILE__, __LINE__, "too many connections: the oldest handshake gives way");
    stream_fail(listener->shaking, (err){ ERR_CLOSED });
    return true;
}

static void accept_one(struct stream_listener *listener)
{
    struct stream *s;
    size_t max = listener->options.count_max != 0 ? listener->options.count_max : STREAM_COUNT_MAX;
    err e = stream_new(listener->loop, &listener->options, &listener->events, listener->arg, &s);

    if (e.code) { /* the kernel keeps the connection until there is memory again */
        e = loop_timer_at(&listener->retry, loop_now_us(listener->loop) + STREAM_RETRY_US);
        (void)e;
        return;
    }
    s->listener = listener;
    listener->users++;
    listener->count++;
    int rc = uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)&s->tcp);
    if (rc != 0) {
        stream_fail(s, loop_uv_error(rc, "accepting"));
    } else if (listener->count > max && !make_room(listener)) {
        stream_abort(s);
    } else {
        stream_shaking(s, listener->options.tls != NULL);
        stream_begin(s, TLS_SERVER);
    }
}

static void on_connection(uv_stream_t *uv, int status)
{
    if (status == 0) {
        accept_one(uv->data);
    }
}

static void on_retry(void *arg)
{
    accept_one(arg);
}

static err listener_bind(struct stream_listener *listener, const char *address)
{
    struct host_port at;
    uv_getaddrinfo_t look;

    TRY(address_split(address, &at));
    int rc = uv_getaddrinfo(&listener->loop->uv, &look, NULL, at.host, at.port, &address_hints);
    if (rc == 0) {
        rc = uv_tcp_bind(&listener->tcp, look.addrinfo->ai_addr, 0);
        uv_freeaddrinfo(look.addrinfo);
    }
    if (rc == 0) {
        rc = uv_listen((uv_stream_t *)&listener->tcp, STREAM_BACKLOG, on_connection);
    }
    if (rc != 0) {
        char doing[HOST_BYTES_MAX + 32];
        snprintf(doing, sizeof doing, "listening on %s", address);
        return loop_uv_error(rc, doing);
    }
    return OK;
}

err stream_listen(struct loop *l, const char *address, const struct stream_options *options,
                  const struct stream_events *events, void *arg, struct stream_listener **out)
{
    struct stream_listener *listener = mem_take(sizeof *listener);

    if (listener == NULL) {
        FAIL(ERR_LIMIT, "no memory for a listener");
    }
    listener->loop = l;
    listener->events = *events;
    listener->arg = arg;
    listener->options = *options;
    listener->users = 2; /* the socket's handle and the owner */
    loop_timer_init(&listener->retry, l, on_retry, listener);
    int rc = uv_tcp_init(&l->uv, &listener->tcp);
    if (rc != 0) {
        mem_give(listener);
        return loop_uv_error(rc, "socket");
    }
    listener->tcp.data = listener;
    listener->child.end = on_loop_free;
    loop_child_add(l, &listener->child);
    err e = listener_bind(listener, address);
    if (e.code) {
        stream_listener_close(listener);
        return e;
    }
    *out = listener;
    return OK;
}

unsigned stream_listener_port(const struct stream_listener *listener)
{
    struct sockaddr_storage at = { 0 };
    struct sockaddr_in in;
    int size = sizeof at;

    if (uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&at, &size) != 0) {
        return 0;
    }
    memcpy(&in, &at, sizeof in); /* the port stands at the same place for both families */
    return ntohs(in.sin_port);
}

size_t stream_listener_count(const struct stream_listener *listener)
{
    return listener->count;
}

uint64_t stream_listener_refused(const struct stream_listener *listener)
{
    return listener->refused;
}

/* ---- connecting ---- */

/* Outlives the stream where libuv still holds one of the requests. */
struct stream_dial {
    struct stream *stream; /* NULL: given up */
    uv_getaddrinfo_t look;
    uv_connect_t connect;
};

void stream_dial_cancel(struct stream *s)
{
    if (s->dial != NULL) {
        s->dial->stream = NULL;
        uv_cancel((uv_req_t *)&s->dial->look); /* says no when it is past: no harm */
        s->dial = NULL;
    }
}

static void dial_fail(struct stream *s, int rc, const char *doing)
{
    err e = loop_uv_error(rc, doing);

    stream_fail(s, e);
}

static void on_connected(uv_connect_t *uv, int status)
{
    struct stream_dial *d = uv->data;
    struct stream *s = d->stream;

    mem_give(d);
    if (s == NULL) {
        return;
    }
    s->dial = NULL;
    if (status != 0) {
        dial_fail(s, status, "connecting");
        return;
    }
    stream_begin(s, TLS_CLIENT);
}

static void on_looked_up(uv_getaddrinfo_t *uv, int status, struct addrinfo *found)
{
    struct stream_dial *d = uv->data;
    struct stream *s = d->stream;
    int rc = status;

    if (s != NULL && status == 0) {
        rc = uv_tcp_connect(&d->connect, &s->tcp, found->ai_addr, on_connected);
    }
    uv_freeaddrinfo(found);
    if (s != NULL && rc == 0) {
        return; /* on_connected gives d back */
    }
    mem_give(d);
    if (s != NULL) {
        s->dial = NULL;
        dial_fail(s, rc, status != 0 ? "looking up the host" : "connecting");
    }
}

/* Numeric addresses need no thread of libuv's pool. */
static int dial_start(struct stream *s, const struct host_port *at)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct stream_dial *d = s->dial;
    uint64_t port = 0;
    err e = decimal_parse(bytes_of_string(at->port), 65535, &port);

    (void)e; /* address_split has checked it */
    if (uv_ip4_addr(at->host, (int)port, &v4) == 0) {
        return uv_tcp_connect(&d->connect, &s->tcp, (struct sockaddr *)&v4, on_connected);
    }
    if (uv_ip6_addr(at->host, (int)port, &v6) == 0) {
        return uv_tcp_connect(&d->connect, &s->tcp, (struct sockaddr *)&v6, on_connected);
    }
    return uv_getaddrinfo(&s->loop->uv, &d->look, on_looked_up, at->host, at->port, &address_hints);
}

static err dial_refused(struct stream *s, int rc)
{
    err e = loop_uv_error(rc, "connecting");

    mem_give(s->dial);
    s->dial = NULL;
    s->events.closed = NULL; /* the caller hears it from stream_connect */
    stream_fail(s, e);
    return loop_uv_error(rc, "connecting");
}

err stream_connect(struct loop *l, const char *address, const struct stream_options *options,
                   const struct stream_events *events, void *arg, struct stream **out)
{
    struct host_port at;
    struct stream *s;

    TRY(address_split(address, &at));
    TRY(stream_new(l, options, events, arg, &s));
    stream_move(s, STREAM_DIALING);
    struct stream_dial *d = mem_take(sizeof *d);
    s->dial = d;
    if (d == NULL || s->state == STREAM_DEAD) {
        return dial_refused(s, UV_ENOMEM);
    }
    d->stream = s;
    d->look.data = d->connect.data = d;
    int rc = dial_start(s, &at);
    if (rc != 0) {
        return dial_refused(s, rc);
    }
    *out = s;
    return OK;
}
