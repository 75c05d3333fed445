/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/drive.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "edge/meter/progress.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/base/rand.h"
#include "lib/crypto/random.h"
#include "lib/net/stream.h"

#define PULSE_US (US_PER_S / 10)  /* pacing, progress, links that were full */
#define RECONNECT_FIRST_US (US_PER_S / 5)
#define RECONNECT_LAST_US (5 * US_PER_S)
#define DRAIN_US (10 * US_PER_S)  /* after a signal, for what is under way */
#define HELLOS_PER_S 400          /* of one machine; spreads the first ones */
#define AHEAD_TOTAL 1000000       /* records of all meters together that may wait */
#define AHEAD_MIN 4
#define LINK_QUEUE_MAX (1u << 20) /* octets a link holds before its meters wait */
#define REALTIME_LAG_S 60         /* meters speak within a minute of the interval's end */

struct drive_run;

struct link {
    struct drive_run *run;
    struct stream *stream; /* NULL while not connected */
    bool open;
    bool full; /* a meter was told to wait */
    struct buf in;
    uint64_t backoff_us;
    struct loop_timer timer; /* reconnect */
    size_t first, end;       /* its units */
    uint64_t number;
};

struct unit {
    struct drive_run *run;
    struct link *link;
    struct meter *meter;
    struct loop_timer timer;
    struct drive_feed held; /* a double that waits for a session */
    bool holding;
    bool ended; /* the source has no more */
    bool done;  /* and all is acknowledged */
    uint32_t lag_s;
};

struct drive_run {
    const struct drive_options *o;
    struct drive_unit *given;
    struct unit *units;
    size_t count;
    size_t done_count;
    struct link links[DRIVE_LINKS_MAX];
    size_t link_count;
    struct loop *loop;
    struct aead *aead;
    struct loop_timer pulse;
    uint32_t ahead;
    uint64_t start_us;
    uint64_t progress_us;    /* when something was last acknowledged */
    uint64_t progress_total; /* and how much it was then */
    uint64_t stop_us;        /* 0 = no signal yet */
    struct progress bar;
    struct drive_result result;
    err error;
    char why[512]; /* its text: other errors may come before it is told */
};

static void finish(struct drive_run *d, err e)
{
    if (!d->error.code && e.code) {
        d->error = e;
        snprintf(d->why, sizeof d->why, "%s", err_text());
    }
    loop_stop(d->loop);
}

/* --- the host of each meter --- */

static err host_send(void *self, uint64_t link, struct bytes octets)
{
    struct unit *u = self;

    (void)link;
    if (!u->link->open) {
        FAIL(ERR_CLOSED, "the link is down");
    }
    if (stream_queued(u->link->stream) > LINK_QUEUE_MAX) {
        u->link->full = true;
        FAIL(ERR_LIMIT, "the link is full");
    }
    return stream_write(u->link->stream, octets);
}

static void host_close(void *self, uint64_t link)
{
    (void)self;
    (void)link; /* a link is shared: no single meter ends it */
}

static void host_hold(void *self, uint64_t link, bool on)
{
    (void)self;
    (void)link;
    (void)on;
}

static void host_wake_at(void *self, uint64_t at_us)
{
    struct unit *u = self;
    err e = loop_timer_at(&u->timer, at_us);

    if (e.code) {
        finish(u->run, e);
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

/* --- feeding --- */

static uint32_t limit_of(const struct unit *u, uint64_t now_us)
{
    const struct drive_run *d = u->run;
    double elapsed = (double)(now_us - d->start_us) / 1e6;

    if (d->o->pace == DRIVE_FAST) {
        return d->o->end_s;
    }
    if (d->o->pace == DRIVE_REALTIME) {
        return d->stop_us != 0 ? 0 : (uint32_t)(time_utc_us() / US_PER_S) - u->lag_s;
    }
    double at = d->o->start_s + elapsed * d->o->speed - u->lag_s;
    return at < d->o->end_s ? (uint32_t)(at > 0 ? at : 0) : d->o->end_s;
}

/* False: the unit must wait. */
static bool feed_one(struct unit *u, uint64_t now_us, const struct drive_feed *f)
{
    struct drive_run *d = u->run;
    err e = f->again ? meter_repeat(u->meter, now_us, &f->sample)
                     : meter_interval(u->meter, now_us, f->end_s, &f->sample);

    if (f->again && (e.code == ERR_AGAIN || e.code == ERR_LIMIT || e.code == ERR_CLOSED)) {
        u->held = *f; /* until there is a session and room */
        u->holding = true;
        return false;
    }
    u->holding = false;
    if (e.code) {
        finish(d, e);
        return false;
    }
    d->result.intervals += !f->again;
    d->result.doubles += f->again;
    return true;
}

static void check_done(struct unit *u)
{
    struct drive_run *d = u->run;

    if (!u->done && u->ended && !u->holding && meter_idle(u->meter)) {
        u->done = true;
        d->done_count++;
        if (d->done_count == d->count) {
            finish(d, OK);
        }
    }
}

static void feed(struct unit *u, uint64_t now_us)
{
    struct drive_run *d = u->run;
    struct drive_feed f;

    if (u->holding) {
        f = u->held;
        if (!feed_one(u, now_us, &f)) {
            return;
        }
    }
    uint32_t limit = limit_of(u, now_us);
    while (!u->ended && meter_room(u->meter) > 0 && meter_pending(u->meter) < d->ahead) {
        enum drive_take t = d->o->source.next(d->o->source.arg, (size_t)(u - d->units), limit, &f);
        u->ended = t == DRIVE_ENDED;
        if (t != DRIVE_TAKEN || !feed_one(u, now_us, &f)) {
            break;
        }
    }
    check_done(u);
}

static void unit_fire(void *arg)
{
    struct unit *u = arg;

    meter_tick(u->meter, loop_now_us(u->run->loop));
}

/* --- links --- */

static struct unit *find_unit(struct drive_run *d, uint64_t id)
{
    size_t low = 0;
    size_t high = d->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->given[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < d->count && d->given[low].id == id ? &d->units[low] : NULL;
}

static err link_opened(void *arg, struct stream *s, const char *peer)
{
    struct link *l = arg;
    uint64_t now = loop_now_us(l->run->loop);

    (void)s;
    (void)peer;
    l->open = true;
    l->full = false;
    l->backoff_us = RECONNECT_FIRST_US;
    buf_clear(&l->in);
    for (size_t i = l->first; i < l->end; i++) {
        meter_link_up(l->run->units[i].meter, now, l->number);
    }
    return OK;
}

static err take_frames(struct link *l, struct bytes *in)
{
    struct drive_run *d = l->run;

    for (;;) {
        struct envelope e;
        struct bytes frame;
        err got = envelope_take(in, &e, &frame);
        if (got.code) {
            return got.code == ERR_AGAIN ? OK : got;
        }
        struct unit *u = find_unit(d, e.meter);
        if (u != NULL) {
            meter_frame(u->meter, loop_now_us(d->loop), &e, frame);
            feed(u, loop_now_us(d->loop));
        }
    }
}

/* Whole frames are taken from where they lie; only a part waits in `in`. */
static err link_octets(void *arg, struct stream *s, struct bytes in)
{
    struct link *l = arg;

    (void)s;
    if (l->in.len == 0) {
        TRY(take_frames(l, &in));
        return buf_append(&l->in, in);
    }
    TRY(buf_append(&l->in, in));
    struct bytes rest = buf_bytes(&l->in);
    TRY(take_frames(l, &rest));
    buf_consume(&l->in, l->in.len - rest.len);
    return OK;
}

static void link_ready(struct link *l)
{
    uint64_t now = loop_now_us(l->run->loop);

    l->full = false;
    for (size_t i = l->first; i < l->end && !l->full; i++) {
        meter_link_ready(l->run->units[i].meter, now);
    }
}

static void link_drained(void *arg, struct stream *s)
{
    (void)s;
    link_ready(arg);
}

static void link_closed(void *arg, struct stream *s, err why)
{
    struct link *l = arg;
    uint64_t now = loop_now_us(l->run->loop);
    bool was_open = l->open;

    (void)s;
    (void)why;
    l->stream = NULL;
    l->open = false;
    l->run->result.reconnects++;
    for (size_t i = l->first; was_open && i < l->end; i++) {
        meter_link_down(l->run->units[i].meter, now);
    }
    err e = loop_timer_at(&l->timer, now + l->backoff_us);
    if (e.code) {
        finish(l->run, e);
    }
    l->backoff_us = l->backoff_us * 2 < RECONNECT_LAST_US ? l->backoff_us * 2 : RECONNECT_LAST_US;
}

static const struct stream_events link_events = {
    .opened = link_opened,
    .octets = link_octets,
    .drained = link_drained,
    .closed = link_closed,
};

static void link_connect(void *arg)
{
    struct link *l = arg;
    const struct stream_options options = { .tls = NULL };
    err e = stream_connect(l->run->loop, l->run->o->address, &options, &link_events, l,
                           &l->stream);

    if (e.code) {
        finish(l->run, e);
    }
}

/* --- the pulse --- */

static void check_stuck(struct drive_run *d, uint64_t now_us, uint64_t acknowledged, bool waiting)
{
    if (acknowledged != d->progress_total || !waiting) {
        d->progress_total = acknowledged;
        d->progress_us = now_us;
        return;
    }
    if (d->o->give_up_us != 0 && now_us - d->progress_us > d->o->give_up_us) {
        err_set(__FILE__, __LINE__, "nothing was acknowledged for %llu s over %s; see: meterseal "
                "status", (unsigned long long)(d->o->give_up_us / US_PER_S), d->o->address);
        finish(d, (err){ ERR_IO });
    }
}

static void pulse(void *arg)
{
    struct drive_run *d = arg;
    uint64_t now = loop_now_us(d->loop);
    uint64_t acknowledged = 0;
    bool waiting = false;

    for (size_t i = 0; i < d->link_count; i++) {
        struct link *l = &d->links[i];
        if (l->open && l->full && stream_queued(l->stream) < LINK_QUEUE_MAX / 2) {
            link_ready(l);
        }
    }
    for (size_t i = 0; i < d->count; i++) {
        struct unit *u = &d->units[i];
        if (!u->done) {
            feed(u, now);
        }
        acknowledged += meter_stats(u->meter)->acknowledged;
        waiting = waiting || !meter_idle(u->meter) || u->holding;
    }
    progress_show(&d->bar, acknowledged);
    check_stuck(d, now, acknowledged, waiting);
    if (d->stop_us != 0 && (!waiting || now > d->stop_us + DRAIN_US)) {
        finish(d, OK);
        return;
    }
    err e = loop_timer_at(&d->pulse, now + PULSE_US);
    if (e.code) {
        finish(d, e);
    }
}

static void on_signal(void *arg)
{
    struct drive_run *d = arg;

    d->result.stopped = true;
    d->stop_us = loop_now_us(d->loop);
    if (d->o->pace != DRIVE_REALTIME) {
        finish(d, OK);
    }
}

/* --- set-up --- */

static struct meter_options options_of(const struct drive_run *d, const struct drive_unit *g)
{
    return (struct meter_options){
        .id = g->id,
        .suite = SUITE_X25519_RSA2048,
        .session_key = g->keys->session,
        .signing_key = g->keys->signing,
        .collector = d->o->collector,
        .aead = d->aead,
        .signing_alg = SIGN_P256,
        .key_epoch = 1,
        .zone_offset_s = d->o->zone_offset_s,
        .simulated = d->o->simulated,
        .hello_spread_us = d->count * US_PER_S / HELLOS_PER_S,
        .past = g->past,
    };
}

static uint32_t lag_of(const struct drive_run *d, uint64_t id)
{
    uint64_t drawn = rand64_mix(id, 0, 0);

    return (uint32_t)(drawn % (d->o->pace == DRIVE_REALTIME ? REALTIME_LAG_S : RECORD_INTERVAL_S));
}

static err unit_start(struct drive_run *d, size_t i)
{
    struct unit *u = &d->units[i];
    const struct host host = { .self = u, .send = host_send, .close = host_close,
                               .hold = host_hold, .wake_at = host_wake_at, .utc_us = host_utc_us,
                               .random = host_random };
    const struct meter_options options = options_of(d, &d->given[i]);

    u->run = d;
    u->link = &d->links[i * d->link_count / d->count];
    u->lag_s = lag_of(d, d->given[i].id);
    u->link->end = i + 1;
    loop_timer_init(&u->timer, d->loop, unit_fire, u);
    return meter_new(&options, &host, &u->meter);
}

static err start(struct drive_run *d)
{
    size_t links = (d->count + DRIVE_METERS_PER_LINK - 1) / DRIVE_METERS_PER_LINK;

    d->link_count = links < DRIVE_LINKS_MAX ? links : DRIVE_LINKS_MAX;
    for (size_t i = 0; i < d->link_count; i++) {
        struct link *l = &d->links[i];
        *l = (struct link){ .run = d, .number = i + 1, .backoff_us = RECONNECT_FIRST_US,
                            .in.max = 2 * ENVELOPE_FRAME_BYTES_MAX + (1u << 20),
                            .first = (i * d->count + d->link_count - 1) / d->link_count };
        loop_timer_init(&l->timer, d->loop, link_connect, l);
    }
    for (size_t i = 0; i < d->count; i++) {
        TRY(unit_start(d, i));
    }
    TRY(loop_on_signal(d->loop, SIGTERM, on_signal, d));
    TRY(loop_on_signal(d->loop, SIGINT, on_signal, d));
    d->start_us = loop_now_us(d->loop);
    d->progress_us = d->start_us;
    progress_start(&d->bar, "readings", d->o->expected);
    for (size_t i = 0; i < d->link_count; i++) {
        link_connect(&d->links[i]);
    }
    loop_timer_init(&d->pulse, d->loop, pulse, d);
    return loop_timer_at(&d->pulse, d->start_us + 1);
}

static void add_stats(struct meter_stats *sum, const struct meter_stats *s)
{
    sum->produced += s->produced;
    sum->acknowledged += s->acknowledged;
    sum->pushed += s->pushed;
    sum->resent += s->resent;
    sum->seals += s->seals;
    sum->hellos += s->hellos;
    sum->sessions += s->sessions;
    sum->refused += s->refused;
    sum->commands += s->commands;
}

static void collect(struct drive_run *d)
{
    for (size_t i = 0; i < d->count && d->units[i].meter != NULL; i++) {
        add_stats(&d->result.totals, meter_stats(d->units[i].meter));
        d->given[i].past = *meter_past(d->units[i].meter);
    }
    d->result.seconds = (double)(loop_now_us(d->loop) - d->start_us) / 1e6;
}

static void run_done(struct drive_run *d)
{
    if (d->loop != NULL) {
        loop_free(d->loop);
    }
    for (size_t i = 0; i < d->count && d->units != NULL; i++) {
        meter_free(d->units[i].meter);
    }
    for (size_t i = 0; i < d->link_count; i++) {
        buf_done(&d->links[i].in);
    }
    mem_give(d->units);
    aead_freep(&d->aead);
}

static err run(struct drive_run *d)
{
    TRY(aead_new(&d->aead));
    TRY(loop_new(&d->loop));
    d->units = mem_take(d->count * sizeof *d->units);
    if (d->units == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu meters", d->count);
    }
    err e = start(d);
    if (!e.code) {
        e = loop_run(d->loop);
    }
    progress_end(&d->bar);
    collect(d);
    if (e.code) {
        return e;
    }
    if (d->error.code) {
        err_set(__FILE__, __LINE__, "%s", d->why);
    }
    return d->error;
}

err drive(const struct drive_options *o, struct drive_unit *units, size_t count,
          struct drive_result *out)
{
    struct drive_run d = { .o = o, .given = units, .count = count };
    uint64_t ahead = AHEAD_TOTAL / (count > 0 ? count : 1);
    char why[512];

    assert(count > 0);
    d.ahead = (uint32_t)(ahead < AHEAD_MIN      ? AHEAD_MIN
                         : ahead > METER_WINDOW ? METER_WINDOW
                                                : ahead);
    err e = run(&d);
    snprintf(why, sizeof why, "%s", e.code ? err_text() : "");
    *out = d.result;
    run_done(&d); /* links that end set texts of their own */
    if (e.code) {
        err_set(__FILE__, __LINE__, "%s", why);
    }
    return e;
}
