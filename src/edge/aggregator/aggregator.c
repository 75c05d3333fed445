/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/aggregator/aggregator.h"

#include "edge/aggregator/routes.h"
#include "lib/base/map.h"
#include "lib/service/frames.h"
#include "lib/service/inlet.h"
#include "lib/service/outlet.h"

#define SWEEP_US 1000000ull       /* how often links are looked at while a frame is in pieces */
#define QUIET_US (60 * 1000000ull) /* and otherwise */

struct link {
    struct aggregator *owner;
    struct route_owner routes; /* routes.link is the key */
    struct inlet inlet;
    struct frames_guard guard;
    uint64_t last_us; /* of the newest octets */
    bool map_full;
    UT_hash_handle hh;
};

struct aggregator {
    struct host host;
    struct aggregator_options options;
    struct link *links;
    struct routes routes;
    uint64_t uplink; /* 0 = none now */
    struct inlet down_inlet;
    struct frames_guard down_guard;
    struct outlet up;
    bool holding; /* nothing is read from the meters */
    uint64_t now_us;
    uint64_t wake_us; /* of the next tick */
    uint64_t counts[AGGREGATOR_COUNT];
};

static const char *const count_names[AGGREGATOR_COUNT] = {
    [AGGREGATOR_FRAMES_UP] = "frames_up",         [AGGREGATOR_FRAMES_DOWN] = "frames_down",
    [AGGREGATOR_MOVED] = "moved",                 [AGGREGATOR_BAD_FRAME] = "bad_frame",
    [AGGREGATOR_UNROUTED] = "unrouted",           [AGGREGATOR_DOWN_FULL] = "down_full",
    [AGGREGATOR_ROUTES_FULL] = "routes_full",     [AGGREGATOR_LINKS_REFUSED] = "links_refused",
    [AGGREGATOR_STALLED] = "stalled",             [AGGREGATOR_IDLE] = "idle",
    [AGGREGATOR_HOLDS] = "holds",
};

const char *aggregator_count_name(enum aggregator_count c)
{
    return count_names[c];
}

static struct link *link_find(struct aggregator *a, uint64_t id)
{
    struct link *found;

    HASH_FIND(hh, a->links, &id, sizeof id, found);
    return found;
}

static void link_drop(struct aggregator *a, struct link *l)
{
    routes_forget(&a->routes, &l->routes);
    inlet_done(&l->inlet);
    HASH_DEL(a->links, l);
    mem_give(l);
}

static void wake_in(struct aggregator *a, uint64_t us)
{
    if (a->wake_us <= a->now_us || a->now_us + us < a->wake_us) {
        a->wake_us = a->now_us + us;
        a->host.wake_at(a->host.self, a->wake_us);
    }
}

static bool up_is_blocked(const struct aggregator *a)
{
    return a->uplink == 0 || a->up.full;
}

static void hold_all(struct aggregator *a, bool on)
{
    struct link *l, *next;

    if (a->holding == on) {
        return;
    }
    a->holding = on;
    a->counts[AGGREGATOR_HOLDS] += on;
    HASH_ITER(hh, a->links, l, next) {
        a->host.hold(a->host.self, l->routes.link, on);
    }
}

static void flush_up(struct aggregator *a)
{
    if (a->uplink != 0) {
        outlet_flush(&a->up, &a->host, a->uplink);
    }
    if (up_is_blocked(a)) {
        hold_all(a, true);
    }
}

/* --- up --- */

/* What an authenticator takes, no more: its patience with bad frames is for the whole uplink, and
 * whoever reaches a meter's side must not be able to end that with a few clear CLOSE frames. */
static bool goes_up(const struct envelope *e)
{
    bool sealed = (e->flags & ENVELOPE_SEALED) != 0;

    return e->type == ENVELOPE_HELLO ||
           (sealed && (e->type == ENVELOPE_RSP || e->type == ENVELOPE_PUSH ||
                       e->type == ENVELOPE_SIG || e->type == ENVELOPE_CLOSE));
}

static void learn(struct aggregator *a, struct link *l, uint64_t meter)
{
    bool moved = false;

    if (routes_learn(&a->routes, &l->routes, meter, &moved).code) {
        a->counts[AGGREGATOR_ROUTES_FULL]++;
    }
    a->counts[AGGREGATOR_MOVED] += moved;
}

static err take_up(void *arg, struct bytes *in)
{
    struct link *l = arg;
    struct aggregator *a = l->owner;
    struct envelope e;
    struct bytes frame;

    if (up_is_blocked(a)) {
        FAIL(ERR_AGAIN, "the uplink takes nothing now");
    }
    TRY(frames_take(&l->guard, a->now_us, in, &e, &frame));
    if (frame.len == 0 || !goes_up(&e)) {
        a->counts[AGGREGATOR_BAD_FRAME]++;
        return frame.len == 0 ? OK : frames_bad(&l->guard, a->now_us);
    }
    learn(a, l, e.meter);
    TRY(outlet_add(&a->up, frame));
    a->counts[AGGREGATOR_FRAMES_UP]++;
    if (outlet_is_long(&a->up)) {
        flush_up(a);
    }
    return OK;
}

static err octets_up(struct aggregator *a, struct link *l, struct bytes in)
{
    l->last_us = a->now_us;
    err e = inlet_run(&l->inlet, a->now_us, in, take_up, l);
    flush_up(a);
    if (l->inlet.begun_us != 0) {
        wake_in(a, SWEEP_US);
    }
    return e;
}

/* The uplink has room again: what waits at the links goes first, then they are read again. */
static void resume(struct aggregator *a)
{
    struct link *l, *next;

    HASH_ITER(hh, a->links, l, next) {
        if (up_is_blocked(a)) {
            return;
        }
        uint64_t id = l->routes.link;
        if (l->inlet.begun_us != 0) {
            l->inlet.begun_us = a->now_us; /* it could not go on while it was held */
        }
        if (octets_up(a, l, (struct bytes){ 0 }).code) {
            link_drop(a, l);
            a->host.close(a->host.self, id);
        }
    }
    if (!up_is_blocked(a)) {
        hold_all(a, false);
    }
}

/* --- down --- */

static bool goes_down(uint8_t type)
{
    return type == ENVELOPE_HELLO_OK || type == ENVELOPE_CMD || type == ENVELOPE_SIG ||
           type == ENVELOPE_CLOSE;
}

static void send_down(struct aggregator *a, uint64_t meter, struct bytes frame)
{
    uint64_t links[ROUTES_OF_METER_MAX];
    size_t count = routes_find(&a->routes, meter, links);

    a->counts[AGGREGATOR_UNROUTED] += count == 0;
    for (size_t i = 0; i < count; i++) {
        bool sent = !a->host.send(a->host.self, links[i], frame).code;
        a->counts[sent ? AGGREGATOR_FRAMES_DOWN : AGGREGATOR_DOWN_FULL]++;
    }
}

static err take_down(void *arg, struct bytes *in)
{
    struct aggregator *a = arg;
    struct envelope e;
    struct bytes frame;

    TRY(frames_take(&a->down_guard, a->now_us, in, &e, &frame));
    if (frame.len == 0 || !goes_down(e.type)) {
        a->counts[AGGREGATOR_BAD_FRAME]++;
        return frame.len == 0 ? OK : frames_bad(&a->down_guard, a->now_us);
    }
    send_down(a, e.meter, frame);
    return OK;
}

/* --- what the host calls --- */

static err opened_up(struct aggregator *a, uint64_t id)
{
    a->uplink = id;
    a->up.full = false;
    a->down_guard = (struct frames_guard){ 0 };
    flush_up(a);
    resume(a);
    return OK;
}

static err opened_down(struct aggregator *a, uint64_t id)
{
    if (HASH_COUNT(a->links) >= a->options.links_max) {
        a->counts[AGGREGATOR_LINKS_REFUSED]++;
        FAIL(ERR_LIMIT, "%zu meter links are open, no more are allowed", a->options.links_max);
    }
    struct link *l = mem_take(sizeof *l);
    if (l == NULL) {
        FAIL(ERR_LIMIT, "no memory for a link");
    }
    *l = (struct link){ .owner = a, .routes.link = id, .last_us = a->now_us };
    HASH_ADD(hh, a->links, routes.link, sizeof l->routes.link, l);
    if (l->map_full) {
        mem_give(l);
        FAIL(ERR_LIMIT, "no memory for a link");
    }
    wake_in(a, QUIET_US);
    if (up_is_blocked(a)) {
        a->holding = true;
        a->host.hold(a->host.self, id, true);
    }
    return OK;
}

static err opened(void *core, uint64_t now_us, uint64_t link, bool uplink)
{
    struct aggregator *a = core;

    a->now_us = now_us;
    return uplink ? opened_up(a, link) : opened_down(a, link);
}

static err octets(void *core, uint64_t now_us, uint64_t link, struct bytes in)
{
    struct aggregator *a = core;

    a->now_us = now_us;
    if (link == a->uplink) {
        return inlet_run(&a->down_inlet, now_us, in, take_down, a);
    }
    struct link *l = link_find(a, link);
    return l != NULL ? octets_up(a, l, in) : OK;
}

static void closed(void *core, uint64_t now_us, uint64_t link)
{
    struct aggregator *a = core;

    a->now_us = now_us;
    if (link == a->uplink) {
        a->uplink = 0;
        inlet_done(&a->down_inlet);
        hold_all(a, true);
        return;
    }
    struct link *l = link_find(a, link);
    if (l != NULL) {
        link_drop(a, l);
    }
}

static void ready(void *core, uint64_t now_us, uint64_t link)
{
    struct aggregator *a = core;

    a->now_us = now_us;
    if (link != a->uplink) {
        return;
    }
    a->up.full = false;
    flush_up(a);
    resume(a);
}

/* While reading is held the octets are ours to wait for, so nobody stalls. */
static bool link_is_over(struct aggregator *a, const struct link *l)
{
    if (a->holding) {
        return false;
    }
    if (inlet_stalled(&l->inlet, a->now_us)) {
        a->counts[AGGREGATOR_STALLED]++;
        return true;
    }
    bool idle = a->options.idle_us != 0 && a->now_us - l->last_us >= a->options.idle_us;
    a->counts[AGGREGATOR_IDLE] += idle;
    return idle;
}

static void tick(void *core, uint64_t now_us)
{
    struct aggregator *a = core;
    struct link *l, *next;
    bool pieces = false;

    a->now_us = now_us;
    HASH_ITER(hh, a->links, l, next) {
        uint64_t id = l->routes.link;
        pieces = pieces || l->inlet.begun_us != 0;
        if (link_is_over(a, l)) {
            link_drop(a, l);
            a->host.close(a->host.self, id);
        }
    }
    if (a->links != NULL) {
        wake_in(a, pieces ? SWEEP_US : QUIET_US);
    }
}

const struct core_ops aggregator_ops = { opened, octets, closed, ready, tick };

/* --- life --- */

err aggregator_new(const struct host *host, const struct aggregator_options *options,
                   struct aggregator **out)
{
    struct aggregator *a = mem_take(sizeof *a);

    if (a == NULL) {
        FAIL(ERR_LIMIT, "no memory for an aggregator");
    }
    a->host = *host;
    a->options = *options;
    if (a->options.links_max == 0) {
        a->options.links_max = AGGREGATOR_LINKS_MAX;
    }
    a->routes.count_max =
        options->meters_max != 0 ? options->meters_max : (size_t)AGGREGATOR_METERS_MAX;
    a->holding = true; /* there is no uplink yet */
    *out = a;
    return OK;
}

void aggregator_free(struct aggregator *a)
{
    struct link *l, *next;

    if (a == NULL) {
        return;
    }
    HASH_ITER(hh, a->links, l, next) {
        link_drop(a, l);
    }
    inlet_done(&a->down_inlet);
    outlet_done(&a->up);
    mem_give(a);
}

const uint64_t *aggregator_counts(const struct aggregator *a)
{
    return a->counts;
}

size_t aggregator_links(const struct aggregator *a)
{
    return HASH_COUNT(a->links);
}

size_t aggregator_meters(const struct aggregator *a)
{
    return routes_meters(&a->routes);
}
