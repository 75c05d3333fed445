/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/core_host.h"

#include <assert.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/base/retry.h"
#include "lib/crypto/random.h"

#define RECONNECT_MAX_US (10 * US_PER_S)

/* One stream. It stays until the stream has ended, also when the core has let go of it. */
struct link {
    struct core_host *owner;
    struct stream *stream;
    uint64_t id;
    bool uplink;
    bool known; /* the core was told of it, and may be told more */
    bool full;  /* the core waits for room */
    bool map_full;
    UT_hash_handle hh;
};

struct core_host {
    struct host host;
    struct core_host_options options;
    struct loop *loop;
    void *core; /* NULL: not started, or stopped */
    struct stream_listener *listener;
    struct link *links; /* by id; dead ones too until their stream is gone */
    struct link *uplink; /* NULL while there is none, or it is being opened */
    struct loop_timer wake;
    struct loop_timer reconnect;
    struct retry retry; /* of the uplink */
    uint64_t next_id;
    void (*done)(void *arg);
    void *done_arg;
};

static struct link *link_find(const struct core_host *h, uint64_t id)
{
    struct link *found;

    HASH_FIND(hh, h->links, &id, sizeof id, found);
    return found != NULL && found->known ? found : NULL;
}

static void link_free(struct core_host *h, struct link *l)
{
    HASH_DEL(h->links, l);
    mem_give(l);
    if (h->links == NULL && h->done != NULL) {
        void (*done)(void *) = h->done;
        h->done = NULL;
        done(h->done_arg);
    }
}

static err link_new(struct core_host *h, bool uplink, struct link **out)
{
    struct link *l = mem_take(sizeof *l);

    if (l == NULL) {
        FAIL(ERR_LIMIT, "no memory for a link");
    }
    *l = (struct link){ .owner = h, .id = ++h->next_id, .uplink = uplink };
    HASH_ADD(hh, h->links, id, sizeof l->id, l);
    if (l->map_full) {
        mem_give(l);
        FAIL(ERR_LIMIT, "no memory for a link");
    }
    *out = l;
    return OK;
}

/* --- what a core asks --- */

static err host_send(void *self, uint64_t id, struct bytes octets)
{
    struct link *l = link_find(self, id);

    if (l == NULL) {
        FAIL(ERR_CLOSED, "the link is gone");
    }
    err e = stream_write(l->stream, octets);
    l->full = e.code == ERR_LIMIT;
    return e;
}

static void host_close(void *self, uint64_t id)
{
    struct link *l = link_find(self, id);

    if (l != NULL) {
        l->known = false;
        stream_close(l->stream);
    }
}

static void host_hold(void *self, uint64_t id, bool on)
{
    struct link *l = link_find(self, id);

    if (l == NULL) {
        return;
    }
    if (on) {
        stream_pause(l->stream);
    } else {
        stream_resume(l->stream);
    }
}

static void host_wake_at(void *self, uint64_t at_us)
{
    struct core_host *h = self;

    if (h->core != NULL && loop_timer_at(&h->wake, at_us).code) {
        LOG(LOG_ERROR, "timer_lost", "reason", err_text(), NULL);
    }
}

static uint64_t host_utc_us(void *self)
{
    (void)self;
    return time_utc_us();
}

static void host_random(void *self, void *out, size_t size)
{
    (void)self;
    random_fill(out, size);
}

/* --- what streams tell --- */

static void reconnect_later(struct core_host *h);

static err tell_opened(struct core_host *h, struct link *l, const char *peer)
{
    /* Known before the core is told: it may send at once. */
    l->known = true;
    err e = h->options.ops->opened(h->core, loop_now_us(h->loop), l->id, l->uplink);
    if (e.code) {
        l->known = false;
        log_error(LOG_WARN, "link_refused", e);
        return e;
    }
    LOG(LOG_INFO, "link_open", "link", log_num((int64_t)l->id), "uplink", l->uplink ? "yes" : "no",
        "peer", peer, NULL);
    return OK;
}

static err on_accepted(void *arg, struct stream *s, const char *peer)
{
    struct core_host *h = arg;
    struct link *l;

    stream_set_arg(s, NULL);
    if (h->core == NULL) {
        FAIL(ERR_CLOSED, "the service is stopping");
    }
    TRY(link_new(h, false, &l));
    l->stream = s;
    stream_set_arg(s, l);
    return tell_opened(h, l, peer);
}

static err on_connected(void *arg, struct stream *s, const char *peer)
{
    struct link *l = arg;
    struct core_host *h = l->owner;

    l->stream = s;
    if (h->core == NULL) {
        FAIL(ERR_CLOSED, "the service is stopping");
    }
    retry_reset(&h->retry);
    h->uplink = l;
    TRY(tell_opened(h, l, peer));
    if (h->options.uplink_changed != NULL) {
        h->options.uplink_changed(h->options.arg, true);
    }
    return OK;
}

static err on_octets(void *arg, struct stream *s, struct bytes in)
{
    struct link *l = arg;
    struct core_host *h = l->owner;

    (void)s;
    if (!l->known || h->core == NULL) {
        FAIL(ERR_CLOSED, "the link is closed");
    }
    err e = h->options.ops->octets(h->core, loop_now_us(h->loop), l->id, in);
    if (e.code) {
        log_error(LOG_WARN, "link_bad", e);
    }
    return e;
}

static void on_drained(void *arg, struct stream *s)
{
    struct link *l = arg;
    struct core_host *h = l->owner;

    (void)s;
    if (l->known && l->full && h->core != NULL) {
        l->full = false;
        h->options.ops->ready(h->core, loop_now_us(h->loop), l->id);
    }
}

static void on_closed(void *arg, struct stream *s, err why)
{
    struct link *l = arg;

    (void)s;
    if (l == NULL) {
        return; /* refused before it was a link */
    }
    struct core_host *h = l->owner;
    bool was_uplink = l->uplink, known = l->known;
    LOG(known ? LOG_INFO : LOG_WARN, known ? "link_closed" : "link_failed", "link",
        log_num((int64_t)l->id), "uplink", was_uplink ? "yes" : "no", "code", err_name(why.code),
        "reason", err_text(), NULL);
    l->known = false;
    if (h->uplink == l) {
        h->uplink = NULL;
        if (h->core != NULL && h->options.uplink_changed != NULL) {
            h->options.uplink_changed(h->options.arg, false);
        }
    }
    if (known && h->core != NULL) {
        h->options.ops->closed(h->core, loop_now_us(h->loop), l->id);
    }
    if (was_uplink && h->core != NULL) {
        reconnect_later(h);
    }
    link_free(h, l);
}

/* --- the uplink --- */

static err connect_now(struct core_host *h)
{
    static const struct stream_events events = { on_connected, on_octets, on_drained, on_closed };
    struct link *l;

    TRY(link_new(h, true, &l));
    err e = stream_connect(h->loop, h->options.uplink, &h->options.uplink_options, &events, l,
                           &l->stream);
    if (e.code) {
        link_free(h, l);
    }
    return e;
}

static void reconnect_later(struct core_host *h)
{
    uint32_t jitter;

    random_fill(&jitter, sizeof jitter);
    uint64_t pause_us = retry_pause_us(&h->retry);
    pause_us += jitter % (pause_us / 4); /* not all of a fleet at once */
    if (loop_timer_at(&h->reconnect, loop_now_us(h->loop) + pause_us).code) {
        LOG(LOG_ERROR, "timer_lost", "reason", err_text(), NULL);
    }
}

static void on_reconnect(void *arg)
{
    struct core_host *h = arg;

    if (h->core == NULL) {
        return;
    }
    err e = connect_now(h);
    if (e.code) {
        log_error(LOG_WARN, "uplink_failed", e);
        reconnect_later(h);
    }
}

static void on_wake(void *arg)
{
    struct core_host *h = arg;

    if (h->core != NULL) {
        h->options.ops->tick(h->core, loop_now_us(h->loop));
    }
}

/* --- life --- */

err core_host_new(struct loop *l, const struct core_host_options *options, struct core_host **out)
{
    struct core_host *h = mem_take(sizeof *h);

    if (h == NULL) {
        FAIL(ERR_LIMIT, "no memory for a host");
    }
    h->host = (struct host){ h,            host_send,   host_close, host_hold,
                             host_wake_at, host_utc_us, host_random };
    h->options = *options;
    h->loop = l;
    h->retry = (struct retry){ .max_us = RECONNECT_MAX_US };
    loop_timer_init(&h->wake, l, on_wake, h);
    loop_timer_init(&h->reconnect, l, on_reconnect, h);
    *out = h;
    return OK;
}

const struct host *core_host_host(const struct core_host *h)
{
    return &h->host;
}

err core_host_start(struct core_host *h, void *core)
{
    static const struct stream_events events = { on_accepted, on_octets, on_drained, on_closed };

    h->core = core;
    if (h->options.listen != NULL) {
        TRY(stream_listen(h->loop, h->options.listen, &h->options.listen_options, &events, h,
                          &h->listener));
    }
    if (h->options.uplink != NULL) {
        TRY(connect_now(h));
    }
    return OK;
}

unsigned core_host_port(const struct core_host *h)
{
    return h->listener != NULL ? stream_listener_port(h->listener) : 0;
}

bool core_host_uplink_is_open(const struct core_host *h)
{
    return h->uplink != NULL;
}

void core_host_stop(struct core_host *h, void (*done)(void *arg), void *arg)
{
    struct link *l, *after;

    h->core = NULL;
    loop_timer_cancel(&h->wake);
    loop_timer_cancel(&h->reconnect);
    stream_listener_close(h->listener);
    h->listener = NULL;
    if (h->links == NULL) {
        done(arg);
        return;
    }
    h->done = done;
    h->done_arg = arg;
    HASH_ITER(hh, h->links, l, after) {
        l->known = false;
        if (l->uplink && l != h->uplink) {
            stream_abort(l->stream); /* not open yet: there is nothing to send */
        } else {
            stream_close(l->stream);
        }
    }
}

void core_host_free(struct core_host *h)
{
    struct link *l, *after;

    if (h == NULL) {
        return;
    }
    h->core = NULL;
    h->done = NULL;
    stream_listener_close(h->listener);
    HASH_ITER(hh, h->links, l, after) {
        HASH_DEL(h->links, l);
        mem_give(l);
    }
    mem_give(h);
}
