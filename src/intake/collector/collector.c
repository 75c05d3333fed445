/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/collector/collector.h"

#include "intake/collector/inside.h"
#include "lib/base/mem.h"

#define QUIET_US (60 * US_PER_S) /* between two looks at holes when there is none */
#define BACKOFF_FIRST_US (100 * 1000ull)
#define BACKOFF_MAX_US (10 * US_PER_S)
#define CLOCK_TOLERANCE_S 30   /* a meter's clock is set when it is further off */
#define CLOCK_SLEW_MAX_S 120   /* above this it steps */

static const char *const count_names[COLLECTOR_COUNT] = {
    [COLLECTOR_READINGS] = "readings",
    [COLLECTOR_DUPLICATES] = "duplicates",
    [COLLECTOR_CONFLICTS] = "conflicts",
    [COLLECTOR_SUSPECT] = "suspect",
    [COLLECTOR_BAD_RECORDS] = "bad_records",
    [COLLECTOR_MISSING] = "missing",
    [COLLECTOR_SEALS] = "seals",
    [COLLECTOR_BAD_SEALS] = "bad_seals",
    [COLLECTOR_EVENTS] = "events",
    [COLLECTOR_EVENTS_LOST] = "events_lost",
    [COLLECTOR_ACKS] = "acks",
    [COLLECTOR_GAP_REQUESTS] = "gap_requests",
    [COLLECTOR_CLOCKS_SET] = "clocks_set",
    [COLLECTOR_RECOVERED] = "recovered",
    [COLLECTOR_UNKNOWN] = "unknown",
    [COLLECTOR_WAITING_LOST] = "waiting_lost",
    [COLLECTOR_STORE_FAILURES] = "store_failures",
    [COLLECTOR_HOLDS] = "holds",
};

const char *collector_count_name(enum collector_count c)
{
    return count_names[c];
}

uint32_t collector_now_s(const struct collector *c)
{
    return (uint32_t)(c->host.utc_us(c->host.self) / US_PER_S);
}

uint64_t collector_backoff_us(uint32_t attempts)
{
    uint64_t us = BACKOFF_FIRST_US;

    for (uint32_t i = 1; i < attempts && us < BACKOFF_MAX_US; i++) {
        us *= 2;
    }
    return us < BACKOFF_MAX_US ? us : BACKOFF_MAX_US;
}

/* --- links --- */

static struct auth_link *link_find(const struct collector *c, uint64_t id)
{
    struct auth_link *found;

    HASH_FIND(hh, c->links, &id, sizeof id, found);
    return found;
}

static void link_drop(struct collector *c, struct auth_link *l)
{
    for (struct auth_link **at = &c->dirty; *at != NULL; at = &(*at)->dirty_next) {
        if (*at == l) {
            *at = l->dirty_next;
            break;
        }
    }
    inlet_done(&l->inlet);
    outlet_done(&l->down);
    HASH_DEL(c->links, l);
    mem_give(l);
}

/* What finds no room is lost: acknowledgements are repeated when a report is, questions by those
 * who asked, commands by their own timer. */
void collector_send(struct collector *c, uint64_t link, const struct intake_message *m)
{
    struct auth_link *l = link_find(c, link);

    if (l == NULL || intake_encode(m, outlet_buf(&l->down)).code) {
        return;
    }
    if (!l->dirty) {
        l->dirty = true;
        l->dirty_next = c->dirty;
        c->dirty = l;
    }
}

static void flush(struct collector *c)
{
    while (c->dirty != NULL) {
        struct auth_link *l = c->dirty;
        c->dirty = l->dirty_next;
        l->dirty = false;
        outlet_flush(&l->down, &c->host, l->id);
    }
}

/* --- back-pressure --- */

static bool is_blocked(struct collector *c)
{
    return !batches_have_room(c) || !requests_have_room(c);
}

static void hold_all(struct collector *c, bool on)
{
    struct auth_link *l, *after;

    if (c->holding == on) {
        return;
    }
    c->holding = on;
    c->counts[COLLECTOR_HOLDS] += on;
    HASH_ITER(hh, c->links, l, after) {
        c->host.hold(c->host.self, l->id, on);
    }
}

/* --- messages --- */

static void clock_set(struct collector *c, struct meter *m, uint32_t now_s)
{
    uint8_t parameters[7];

    store_u32(parameters, now_s);
    store_u16(parameters + 4, CLOCK_SLEW_MAX_S);
    parameters[6] = 1; /* a step is allowed */
    gaps_command(c, m, NBR_EXT_CLOCK, BYTES_OF(parameters));
    c->counts[COLLECTOR_CLOCKS_SET]++;
}

static void opened_session(struct collector *c, struct meter *m, const struct intake_message *i)
{
    bool unset = (i->opened.clock_flags & HELLO_CLOCK_UNSET) != 0;
    int64_t off_s = (int64_t)i->opened.meter_s - (int64_t)i->opened.ours_s;

    /* Two services must agree before a meter is told another time: one clock that went wrong may
     * not carry a whole fleet with it. */
    int64_t apart_s = (int64_t)i->opened.ours_s - (int64_t)collector_now_s(c);
    bool agreed = apart_s <= CLOCK_TOLERANCE_S && apart_s >= -CLOCK_TOLERANCE_S;

    bool off = off_s > CLOCK_TOLERANCE_S || off_s < -CLOCK_TOLERANCE_S;

    gaps_forget(c, m); /* what was asked over the session before is not answered */
    if (unset || off) {
        batches_event(c, m, EVENT_CLOCK, off_s);
    }
    if (off && agreed) {
        clock_set(c, m, collector_now_s(c));
    }
    if (m->state == METER_READY) {
        m->seal_due = m->has_seal;
        meters_touch(c, m);
        gaps_look(c, m);
    }
}

static void alarm_came(struct collector *c, struct meter *m, uint8_t reason)
{
    batches_event(c, m, reason == NAK_INNER_SERIAL ? EVENT_INNER_SERIAL : EVENT_INNER_CRC, reason);
}

/* A message about a meter that spoke. */
static void meter_message(struct collector *c, struct meter *m, const struct intake_message *i)
{
    switch (i->kind) {
    case INTAKE_BLOCK:
        if (m->state == METER_READY) {
            reports_block(c, m, i);
        } else {
            meters_wait(c, m, i);
        }
        break;
    case INTAKE_OPENED: opened_session(c, m, i); break;
    case INTAKE_SIGNAL: gaps_signal(c, m, i->signal.transaction, &i->signal.signal); break;
    default:            alarm_came(c, m, i->alarm.reason); break;
    }
}

static void closed_session(struct collector *c, uint64_t meter, uint64_t link)
{
    struct meter *m = meters_find(c, meter);

    if (m != NULL && m->link == link) {
        m->link = 0;
        gaps_forget(c, m);
    }
}

static err message(struct collector *c, uint64_t link, const struct intake_message *i)
{
    struct meter *m;

    switch (i->kind) {
    case INTAKE_LOOKUP: requests_lookup(c, i->meter, link); return OK;
    case INTAKE_CLOSED: closed_session(c, i->meter, link); return OK;
    case INTAKE_BLOCK:
    case INTAKE_OPENED:
    case INTAKE_SIGNAL:
    case INTAKE_ALARM:
        m = meters_heard(c, i->meter, link);
        if (m != NULL) {
            meter_message(c, m, i);
        }
        return OK;
    default: FAIL(ERR_PROTO, "an authenticator sent a message of kind %u", i->kind);
    }
}

static err take(void *arg, struct bytes *in)
{
    struct auth_link *l = arg;
    struct intake_message m;

    if (is_blocked(l->owner)) {
        FAIL(ERR_AGAIN, "the store takes nothing now");
    }
    TRY(intake_take(in, &m));
    return message(l->owner, l->id, &m);
}

void collector_resume(struct collector *c)
{
    struct auth_link *l, *after;

    if (!c->holding) {
        return;
    }
    HASH_ITER(hh, c->links, l, after) {
        if (is_blocked(c)) {
            return;
        }
        uint64_t id = l->id;
        if (inlet_run(&l->inlet, c->now_us, (struct bytes){ 0 }, take, l).code) {
            link_drop(c, l);
            c->host.close(c->host.self, id);
        }
    }
    if (!is_blocked(c)) {
        hold_all(c, false);
    }
}

void collector_done_call(struct collector *c)
{
    uint64_t wake_us = c->sweep_us;

    if (is_blocked(c)) {
        hold_all(c, true);
    }
    meters_acknowledge(c);
    flush(c);
    wake_us = batches_wake_us(c) < wake_us ? batches_wake_us(c) : wake_us;
    wake_us = requests_wake_us(c) < wake_us ? requests_wake_us(c) : wake_us;
    c->host.wake_at(c->host.self, wake_us);
}

/* --- what the host calls --- */

static err open_link(struct collector *c, uint64_t id)
{
    if (HASH_COUNT(c->links) >= c->options.links_max) {
        FAIL(ERR_LIMIT, "%zu authenticators are connected, no more are allowed",
             c->options.links_max);
    }
    struct auth_link *l = mem_take(sizeof *l);
    if (l == NULL) {
        FAIL(ERR_LIMIT, "no memory for a link");
    }
    *l = (struct auth_link){ .owner = c, .id = id };
    HASH_ADD(hh, c->links, id, sizeof l->id, l);
    if (l->map_full) {
        mem_give(l);
        FAIL(ERR_LIMIT, "no memory for a link");
    }
    if (c->holding) {
        c->host.hold(c->host.self, id, true);
    }
    return OK;
}

static err opened(void *core, uint64_t now_us, uint64_t link, bool uplink)
{
    struct collector *c = core;

    (void)uplink; /* it has none: its store is not a link */
    c->now_us = now_us;
    if (c->sweep_us <= now_us) {
        c->sweep_us = now_us + QUIET_US;
    }
    err e = open_link(c, link);
    collector_done_call(c);
    return e;
}

static err octets(void *core, uint64_t now_us, uint64_t link, struct bytes in)
{
    struct collector *c = core;

    c->now_us = now_us;
    struct auth_link *l = link_find(c, link);
    if (l == NULL) {
        return OK;
    }
    err e = inlet_run(&l->inlet, now_us, in, take, l);
    collector_done_call(c);
    return e;
}

static void closed(void *core, uint64_t now_us, uint64_t link)
{
    struct collector *c = core;

    c->now_us = now_us;
    struct auth_link *l = link_find(c, link);
    if (l != NULL) {
        link_drop(c, l);
    }
}

static void ready(void *core, uint64_t now_us, uint64_t link)
{
    struct collector *c = core;

    c->now_us = now_us;
    struct auth_link *l = link_find(c, link);
    if (l != NULL) {
        l->down.full = false;
        outlet_flush(&l->down, &c->host, l->id);
    }
}

static void tick(void *core, uint64_t now_us)
{
    struct collector *c = core;

    c->now_us = now_us;
    batches_tick(c);
    requests_tick(c);
    if (now_us >= c->sweep_us) {
        c->sweep_us = now_us + (c->holes != NULL ? GAPS_SWEEP_US : QUIET_US);
        gaps_tick(c);
    }
    collector_resume(c);
    collector_done_call(c);
}

const struct core_ops collector_ops = { opened, octets, closed, ready, tick };

/* --- life --- */

static void collector_freep(struct collector **c)
{
    collector_free(*c);
}

err collector_new(const struct host *host, const struct collector_store *store,
                  const struct collector_options *options, struct collector **out)
{
    AUTO(collector_freep) struct collector *c = mem_take(sizeof *c);

    if (c == NULL) {
        FAIL(ERR_LIMIT, "no memory for a collector");
    }
    c->host = *host;
    c->store = *store;
    c->options = *options;
    c->options.meters_max =
        options->meters_max != 0 ? options->meters_max : (size_t)COLLECTOR_METERS_MAX;
    c->options.links_max = options->links_max != 0 ? options->links_max : COLLECTOR_LINKS_MAX;
    c->options.hole_wait_us = options->hole_wait_us != 0 ? options->hole_wait_us : 20 * US_PER_S;
    c->slots = mem_take(COLLECTOR_BATCHES_MAX * sizeof *c->slots);
    c->requests = mem_take(REQUESTS_MAX * sizeof *c->requests);
    if (c->slots == NULL || c->requests == NULL) {
        FAIL(ERR_LIMIT, "no memory for a collector");
    }
    *out = TAKE(c);
    return OK;
}

void collector_free(struct collector *c)
{
    struct auth_link *l, *after;

    if (c == NULL) {
        return;
    }
    HASH_ITER(hh, c->links, l, after) {
        link_drop(c, l);
    }
    meters_free_all(c);
    mem_give(c->slots);
    mem_give(c->requests);
    mem_give(c);
}

const uint64_t *collector_counts(const struct collector *c)
{
    return c->counts;
}

size_t collector_meters(const struct collector *c)
{
    return HASH_COUNT(c->meters);
}

uint32_t collector_mark(const struct collector *c, uint64_t meter)
{
    const struct meter *m = meters_find(c, meter);

    return m != NULL && m->state == METER_READY ? m->settled.mark : 0;
}
