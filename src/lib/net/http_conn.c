/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_conn.h"

#include <assert.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define HEAD_US_DEFAULT (10 * US_PER_S)
#define BODY_US_DEFAULT (60 * US_PER_S)
#define IDLE_US_DEFAULT (60 * US_PER_S)
#define BODY_FIRST_BYTES (64u << 10) /* room made on the word of a Content-Length */

/* ---- the site ---- */

static int64_t utc_now_s(void)
{
    return (int64_t)(time_utc_us() / US_PER_S);
}

static uint64_t or_default(uint64_t value, uint64_t replacement)
{
    return value != 0 ? value : replacement;
}

void http_site_init(struct http_site *site, const struct http_server_options *options)
{
    *site = (struct http_site){
        .routes = options->routes,
        .arg = options->arg,
        .gone = options->gone,
        .head_us = or_default(options->head_us, HEAD_US_DEFAULT),
        .body_us = or_default(options->body_us, BODY_US_DEFAULT),
        .idle_us = or_default(options->idle_us, IDLE_US_DEFAULT),
        .utc_s = utc_now_s,
        .head = { .max = HTTP_ADDED_BYTES_MAX + 2048 },
    };
}

void http_site_done(struct http_site *site)
{
    while (site->spare != NULL) {
        struct http_exchange *x = site->spare;
        site->spare = x->next;
        buf_done(&x->added);
        arena_done(&x->arena);
        mem_give(x);
    }
    site->spare_count = 0;
    buf_done(&site->head);
}

/* ---- refusing ---- */

static const char *refusal_text(unsigned status)
{
    switch (status) {
    case 404: return "no such resource";
    case 405: return "this resource does not know the method";
    case 408: return "the request took too long";
    case 413: return "the body is larger than this resource accepts";
    case 414: return "the target is longer than 4096 octets";
    case 417: return "only 100-continue can be expected";
    case 431: return "the head is larger than 16384 octets, 64 headers or 8192 octets a line";
    case 501: return "method or transfer coding is not implemented";
    case 505: return "only HTTP/1.1 is spoken here";
    default: return "the request is malformed";
    }
}

/* Nothing behind this answer is read. */
static void refuse(struct http_exchange *x, unsigned status)
{
    struct http_site *site = x->conn->site;

    if (x->heard && site->gone != NULL) { /* its pieces came to nothing */
        site->gone(site->arg, x);
    }
    x->heard = false;
    x->conn->state = HTTP_CONN_ENDED;
    x->close = true;
    site->counters.refused++;
    http_exchange_refuse(x, status, "http", refusal_text(status));
}

static void give_up(struct http_conn *c)
{
    c->state = HTTP_CONN_ENDED;
    if (!c->over) {
        c->over = true;
        c->host.abort(c->host.self);
    }
}

/* ---- the queue of exchanges ---- */

static struct http_exchange *exchange_add(struct http_conn *c)
{
    struct http_exchange *x = http_exchange_new(c);

    if (x == NULL) {
        give_up(c);
        return NULL;
    }
    if (c->last != NULL) {
        c->last->next = x;
    } else {
        c->first = x;
    }
    c->last = x;
    c->outstanding++;
    return x;
}

static void exchange_drop_first(struct http_conn *c)
{
    struct http_exchange *x = c->first;

    c->first = x->next;
    if (c->first == NULL) {
        c->last = NULL;
    }
    c->outstanding--;
    http_exchange_free(x);
}

static void send_continue(struct http_exchange *x)
{
    if (x->continue_due && x->conn->first == x) {
        x->continue_due = false;
        http_exchange_emit(x, BYTES_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}

/* Sends what may be sent, in order. */
static void advance(struct http_conn *c)
{
    while (c->first != NULL && !c->over) {
        struct http_exchange *x = c->first;
        http_exchange_flush(x);
        if (x->out.len > 0 || x->state != EXCHANGE_ANSWERED) {
            send_continue(x);
            return;
        }
        bool last = x->close;
        exchange_drop_first(c);
        c->since_us = c->now_us;
        if (last) {
            c->over = true;
            c->host.close(c->host.self);
        }
    }
}

/* Answers come at any time; what follows from them is done by http_conn_continue, so that no
 * callback is called from inside an answer. */
void http_conn_answered(struct http_conn *c)
{
    if (!c->busy) {
        c->host.again(c->host.self);
    }
}

/* ---- bodies ---- */

static void piece_failed(struct http_conn *c, struct http_exchange *x, err e)
{
    if (x->state == EXCHANGE_STREAMING) {
        give_up(c); /* in the middle of its answer */
        return;
    }
    c->state = HTTP_CONN_ENDED;
    x->close = true;
    if (x->state == EXCHANGE_BODY) {
        http_answer_error(x, e);
    }
}

static bool body_piece(struct http_conn *c, struct http_exchange *x, struct bytes part, bool last)
{
    const struct http_route *r = x->match.route;

    if (r->piece != NULL) {
        x->heard = true;
        err e = r->piece(c->site->arg, x, part, last);
        if (e.code) {
            piece_failed(c, x, e);
            return false;
        }
        return x->state == EXCHANGE_BODY;
    }
    if (buf_append(&x->body, part).code) {
        refuse(x, 413);
        return false;
    }
    return true;
}

static void body_done(struct http_conn *c, struct http_exchange *x)
{
    const struct http_route *r = x->match.route;

    c->state = x->close ? HTTP_CONN_ENDED : HTTP_CONN_HEAD;
    c->guard = (struct http_guard){ 0 };
    c->since_us = c->now_us;
    x->continue_due = false;
    if (r->piece != NULL && !body_piece(c, x, (struct bytes){ 0 }, true)) {
        return;
    }
    x->state = EXCHANGE_HANDLING;
    x->heard = true;
    r->handle(c->site->arg, x);
}

static bool read_by_length(struct http_conn *c, struct http_exchange *x, struct bytes *in)
{
    struct bytes part = { in->ptr, in->len < c->body_left ? in->len : (size_t)c->body_left };

    if (part.len == 0) {
        return true;
    }
    in->ptr += part.len;
    in->len -= part.len;
    c->body_left -= part.len;
    return body_piece(c, x, part, false);
}

static bool read_by_chunks(struct http_conn *c, struct http_exchange *x, struct bytes *in,
                           uint64_t body_max)
{
    struct bytes part;

    while (in->len > 0 && c->chunk.state != CHUNK_DONE) {
        err e = http_chunk_next(&c->chunk, in, body_max, &part);
        if (e.code) {
            refuse(x, e.code == ERR_LIMIT ? 413 : 400);
            return false;
        }
        if (part.len > 0 && !body_piece(c, x, part, false)) {
            return false;
        }
    }
    return true;
}

static uint64_t body_max_of(const struct http_route *r)
{
    return or_default(r->body_max, HTTP_BODY_DEFAULT_MAX);
}

static void read_body(struct http_conn *c, struct bytes *in)
{
    struct http_exchange *x = c->last;
    bool chunked = x->head.chunked;

    bool fine = chunked ? read_by_chunks(c, x, in, body_max_of(x->match.route))
                        : read_by_length(c, x, in);
    if (!fine) {
        return;
    }
    bool done = chunked ? c->chunk.state == CHUNK_DONE : c->body_left == 0;
    if (!done) {
        return;
    }
    body_done(c, x);
}

/* ---- heads ---- */

static unsigned route_find(struct http_exchange *x)
{
    struct http_site *site = x->conn->site;
    char allow[64];

    http_route_find(site->routes, x->head.method, x->head.path, &x->match);
    if (x->match.route != NULL) {
        return 0;
    }
    if (!x->match.known) {
        return 404;
    }
    http_route_allow(site->routes, x->head.path, allow, sizeof allow);
    http_add_header(x, "Allow", allow);
    return 405;
}

/* A body that nobody wants is not read: its connection ends. */
static void refuse_route(struct http_exchange *x, unsigned status)
{
    struct http_conn *c = x->conn;

    if (x->head.chunked || x->head.length > 0) {
        refuse(x, status);
        return;
    }
    c->state = x->close ? HTTP_CONN_ENDED : HTTP_CONN_HEAD;
    c->guard = (struct http_guard){ 0 };
    http_exchange_refuse(x, status, status == 404 ? "missing" : "method", refusal_text(status));
}

static void body_begin(struct http_conn *c, struct http_exchange *x)
{
    uint64_t max = body_max_of(x->match.route);

    if (x->head.has_length && x->head.length > max) {
        refuse(x, 413);
        return;
    }
    c->state = HTTP_CONN_BODY;
    c->since_us = c->now_us;
    c->chunk = (struct http_chunk){ 0 };
    c->body_left = x->head.length;
    x->body.max = (size_t)max;
    x->continue_due = x->head.expect_continue;
    if (x->match.route->piece == NULL && x->head.length > 0) {
        uint64_t room = x->head.length < BODY_FIRST_BYTES ? x->head.length : BODY_FIRST_BYTES;
        if (buf_reserve(&x->body, (size_t)room).code) {
            give_up(c);
        }
    }
}

static void head_done(struct http_conn *c, struct bytes octets)
{
    struct http_exchange *x = exchange_add(c);

    if (x == NULL) {
        return;
    }
    c->site->counters.requests++;
    c->requests++;
    struct bytes kept;
    if (arena_copy(&x->arena, octets, &kept).code) {
        give_up(c);
        return;
    }
    unsigned status = http_head_parse(kept, &c->guard, &x->head);
    x->head_only = x->head.method != NULL && strcmp(x->head.method, "HEAD") == 0;
    if (status != 0) {
        refuse(x, status);
        return;
    }
    x->close = x->head.close || c->requests >= HTTP_REQUESTS_MAX;
    status = route_find(x);
    if (status != 0) {
        refuse_route(x, status);
        return;
    }
    body_begin(c, x);
    if (c->state == HTTP_CONN_BODY && !x->head.chunked && x->head.length == 0) {
        struct bytes none = { 0 };
        read_body(c, &none);
    }
}

static void head_refused(struct http_conn *c, unsigned status)
{
    struct http_exchange *x = exchange_add(c);

    if (x != NULL) {
        c->site->counters.requests++;
        refuse(x, status);
    }
}

static void read_head(struct http_conn *c, struct bytes *in)
{
    size_t used;

    if (c->guard.len == 0) {
        c->since_us = c->now_us;
    }
    unsigned status = http_guard_run(&c->guard, *in, &used);
    struct bytes part = { in->ptr, used };
    in->ptr += used;
    in->len -= used;
    if (status != 0) {
        head_refused(c, status);
        return;
    }
    bool whole = c->guard.state == GUARD_DONE;
    if (whole && c->partial.len == 0) {
        head_done(c, part);
        return;
    }
    if (buf_append(&c->partial, part).code) {
        give_up(c);
        return;
    }
    if (whole) {
        head_done(c, buf_bytes(&c->partial));
        explicit_bzero(c->partial.ptr, c->partial.len);
        buf_done(&c->partial);
    }
}

/* ---- driving it ---- */

/* A peer that does not fetch its answers gets no further requests served. */
static bool may_begin(const struct http_conn *c)
{
    bool unsent = c->first != NULL && c->first->out.len > 0;

    return c->outstanding < HTTP_PIPELINE_MAX && !unsent &&
           c->host.queued(c->host.self) <= HTTP_UNSENT_MAX;
}

static void hold(struct http_conn *c, bool on)
{
    if (c->held != on && !c->over) {
        c->held = on;
        c->host.hold(c->host.self, on);
    }
}

static struct bytes parse(struct http_conn *c, struct bytes in)
{
    while (in.len > 0 && !c->over && c->state != HTTP_CONN_ENDED) {
        if (c->state == HTTP_CONN_BODY) {
            read_body(c, &in);
        } else if (c->guard.len == 0 && !may_begin(c)) {
            return in;
        } else {
            read_head(c, &in);
        }
        advance(c);
    }
    return (struct bytes){ 0 };
}

static void keep_rest(struct http_conn *c, struct bytes rest)
{
    if (rest.len == 0) {
        hold(c, false);
        return;
    }
    hold(c, true);
    if (buf_append(&c->rest, rest).code) {
        give_up(c);
    }
}

static void enter(struct http_conn *c, uint64_t now_us)
{
    assert(!c->busy);
    c->busy = true;
    c->now_us = now_us;
}

/* Since when the peer takes nothing. */
static void watch_progress(struct http_conn *c)
{
    size_t queued = c->host.queued(c->host.self);
    uint64_t taken = c->given - queued;

    if (queued == 0) {
        c->unsent_us = 0;
    } else if (c->unsent_us == 0 || taken != c->taken) {
        c->unsent_us = c->now_us;
    }
    c->taken = taken;
}

static bool may_stream(const struct http_conn *c)
{
    const struct http_exchange *x = c->first;

    return x != NULL && !c->over && x->state == EXCHANGE_STREAMING && x->ready_due &&
           x->out.len == 0 && c->host.queued(c->host.self) <= HTTP_UNSENT_MAX;
}

static void leave(struct http_conn *c)
{
    advance(c);
    c->busy = false;
    if (c->over) {
        return;
    }
    watch_progress(c);
    if (may_stream(c)) {
        c->host.again(c->host.self);
    }
}

static void rest_give(struct buf *rest)
{
    if (rest->ptr != NULL) {
        explicit_bzero(rest->ptr, rest->len);
        buf_done(rest);
    }
}

void http_conn_octets(struct http_conn *c, uint64_t now_us, struct bytes in)
{
    enter(c, now_us);
    if (c->rest.len > 0) { /* in order: behind what already waits */
        keep_rest(c, in);
    } else {
        keep_rest(c, parse(c, in));
    }
    leave(c);
}

static void tell_ready(struct http_conn *c)
{
    struct http_exchange *x = c->first;

    if (may_stream(c)) {
        x->ready_due = false;
        if (x->ready != NULL) {
            x->ready(x->ready_user);
        }
    }
}

void http_conn_continue(struct http_conn *c, uint64_t now_us)
{
    enter(c, now_us);
    advance(c);
    tell_ready(c);
    advance(c);
    if (c->rest.len > 0 && may_begin(c)) {
        struct buf rest = c->rest;
        c->rest = (struct buf){ .max = rest.max };
        keep_rest(c, parse(c, buf_bytes(&rest)));
        rest_give(&rest);
    }
    leave(c);
    if (c->site->stopping) {
        http_conn_stop(c);
    }
}

/* ---- time ---- */

uint64_t http_conn_deadline(const struct http_conn *c)
{
    if (c->state == HTTP_CONN_BODY) {
        return c->since_us + c->site->body_us;
    }
    if (c->state == HTTP_CONN_HEAD && c->guard.len > 0) {
        return c->since_us + c->site->head_us;
    }
    if (c->outstanding == 0 && c->host.queued(c->host.self) == 0) {
        return c->since_us + c->site->idle_us;
    }
    /* The handler may take its time; the peer may not. */
    return c->unsent_us != 0 ? c->unsent_us + c->site->body_us : UINT64_MAX;
}

static void timed_out(struct http_conn *c)
{
    if (c->state == HTTP_CONN_BODY && c->last->state == EXCHANGE_BODY) {
        refuse(c->last, 408);
    } else if (c->state == HTTP_CONN_BODY) {
        give_up(c);
    } else if (c->guard.len > 0 && c->state == HTTP_CONN_HEAD) {
        head_refused(c, 408);
    } else if (c->outstanding == 0 && c->host.queued(c->host.self) == 0) {
        c->state = HTTP_CONN_ENDED;
        c->over = true;
        c->host.close(c->host.self);
    } else {
        watch_progress(c);
        if (c->unsent_us + c->site->body_us <= c->now_us) {
            give_up(c);
        }
    }
}

void http_conn_tick(struct http_conn *c, uint64_t now_us)
{
    if (c->over || now_us < http_conn_deadline(c)) {
        return;
    }
    enter(c, now_us);
    timed_out(c);
    leave(c);
}

/* ---- beginning and end ---- */

void http_conn_init(struct http_conn *c, struct http_site *site, const struct http_conn_host *host,
                    const char *peer, uint64_t now_us)
{
    *c = (struct http_conn){ .site = site, .host = *host, .peer = peer, .now_us = now_us,
                             .since_us = now_us,
                             .partial = { .max = HTTP_HEAD_BYTES_MAX },
                             .rest = { .max = 1u << 20 } };
    site->counters.connections++;
    site->counters.open++;
}

void http_conn_stop(struct http_conn *c)
{
    bool idle = c->outstanding == 0 && c->rest.len == 0 && c->guard.len == 0;

    if (!c->over && idle && c->state != HTTP_CONN_BODY) {
        c->state = HTTP_CONN_ENDED;
        c->over = true;
        c->host.close(c->host.self);
    }
}

void http_conn_end(struct http_conn *c)
{
    struct http_site *site = c->site;

    c->over = true;
    c->busy = true;
    while (c->first != NULL) {
        struct http_exchange *x = c->first;
        if (x->heard && x->state != EXCHANGE_ANSWERED && site->gone != NULL) {
            site->gone(site->arg, x);
        }
        exchange_drop_first(c);
    }
    rest_give(&c->partial);
    rest_give(&c->rest);
    site->counters.open--;
}
