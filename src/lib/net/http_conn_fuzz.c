/* SPDX-License-Identifier: Apache-2.0 */
/* A whole connection: any octets, in pieces cut by the input itself, with handlers that answer at
 * once, later, in a stream or from the pieces of a body. Whatever comes, answers are well formed,
 * in order, and stop behind a close. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/http_conn.h"

#define KEPT_MAX 32

struct world {
    struct http_conn conn;
    struct http_site site;
    struct http_exchange *kept[KEPT_MAX];
    size_t kept_count;
    size_t room, written;
    bool held, again, closed, aborted, ended;
    uint64_t now_us;
};

static err on_write(void *self, struct bytes octets, size_t *taken)
{
    struct world *w = self;
    size_t n = octets.len < w->room ? octets.len : w->room;

    assert(!w->closed && !w->ended);
    w->room -= n;
    w->written += n;
    *taken = n;
    return OK;
}

static size_t on_queued(void *self)
{
    const struct world *w = self;

    return w->room == 0 ? 1 : 0;
}

static void on_hold(void *self, bool on)
{
    ((struct world *)self)->held = on;
}

static void on_again(void *self)
{
    ((struct world *)self)->again = true;
}

static void on_close(void *self)
{
    ((struct world *)self)->closed = true;
}

static void on_abort(void *self)
{
    ((struct world *)self)->aborted = true;
}

static void check_request(struct http_exchange *x)
{
    struct bytes part, host;

    assert(http_path(x).len >= 1 && http_path(x).ptr[0] == '/');
    assert(http_path(x).len + http_query(x).len <= HTTP_TARGET_BYTES_MAX);
    assert(http_header(x, "Host", &host) && host.len > 0);
    assert(http_body(x).len <= 256);
    err e = http_path_part(x, "name", &part);
    (void)e;
    e = http_query_part(x, "q", &part);
    (void)e;
}

static void answer_now(void *arg, struct http_exchange *x)
{
    (void)arg;
    check_request(x);
    http_answer(x, 200, "text/plain", http_body(x));
}

static void answer_later(void *arg, struct http_exchange *x)
{
    struct world *w = arg;

    check_request(x);
    if (w->kept_count < KEPT_MAX) {
        w->kept[w->kept_count++] = x;
        return;
    }
    http_answer(x, 503, NULL, BYTES_LIT(""));
}

static void answer_stream(void *arg, struct http_exchange *x)
{
    (void)arg;
    check_request(x);
    if (http_answer_begin(x, 200, NULL, NULL, NULL).code) {
        return;
    }
    err e = http_answer_piece(x, BYTES_LIT("piece"));
    (void)e;
    http_answer_end(x);
}

static err take_piece(void *arg, struct http_exchange *x, struct bytes part, bool last)
{
    (void)arg, (void)x;
    assert(last == (part.len == 0));
    if (part.len > 0 && part.ptr[0] == '!') {
        FAIL(ERR_PROTO, "no");
    }
    return OK;
}

static void forget(void *arg, struct http_exchange *x)
{
    struct world *w = arg;

    for (size_t i = 0; i < w->kept_count; i++) {
        if (w->kept[i] == x) {
            w->kept[i] = w->kept[--w->kept_count];
            return;
        }
    }
}

static const struct http_route routes[] = {
    { "GET", "/now/{name*}", 256, answer_now, NULL },
    { "POST", "/now", 256, answer_now, NULL },
    { "POST", "/later", 256, answer_later, NULL },
    { "GET", "/later", 256, answer_later, NULL },
    { "GET", "/stream", 256, answer_stream, NULL },
    { "PUT", "/pieces", 256, answer_now, take_piece },
    { NULL, NULL, 0, NULL, NULL },
};

static void settle(struct world *w)
{
    while (w->again) {
        w->again = false;
        http_conn_continue(&w->conn, w->now_us);
    }
}

static void answer_oldest(struct world *w)
{
    if (w->kept_count > 0) {
        struct http_exchange *x = w->kept[0];
        forget(w, x);
        http_answer(x, 200, NULL, BYTES_LIT("later"));
        settle(w);
    }
}

/* The octets in a block of exactly their size, so that an overrun shows. */
static void say(struct world *w, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    memcpy(copy, data, size);
    http_conn_octets(&w->conn, w->now_us, (struct bytes){ copy, size });
    free(copy);
    settle(w);
}

static void world_begin(struct world *w)
{
    const struct http_server_options o = { .routes = routes, .arg = w, .gone = forget };
    const struct http_conn_host host = { w, on_write, on_queued, on_hold, on_again, on_close,
                                         on_abort };

    *w = (struct world){ .room = SIZE_MAX, .now_us = 1 };
    http_site_init(&w->site, &o);
    http_conn_init(&w->conn, &w->site, &host, "", w->now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first octet says how the rest is cut and what happens in between. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w;
    size_t step = size > 0 ? (size_t)(data[0] & 63) + 1 : 1;
    bool whole = size > 0 && (data[0] & 64) != 0;
    bool slow = size > 0 && (data[0] & 128) != 0;

    world_begin(&w);
    for (size_t at = 1; at < size && !w.closed && !w.aborted;) {
        size_t n = whole || step > size - at ? size - at : step;
        w.room = slow ? 40 : SIZE_MAX;
        say(&w, data + at, n);
        at += n;
        if (slow) {
            w.now_us += 1000000;
            http_conn_tick(&w.conn, w.now_us);
            answer_oldest(&w);
        }
    }
    w.room = SIZE_MAX;
    w.again = true;
    settle(&w);
    while (w.kept_count > 0 && !w.aborted) {
        answer_oldest(&w);
    }
    assert(w.site.counters.requests == 0 || w.aborted || w.written > 0 ||
           w.conn.outstanding > 0);
    w.ended = true;
    http_conn_end(&w.conn);
    assert(w.site.counters.open == 0);
    http_site_done(&w.site);
    return 0;
}
