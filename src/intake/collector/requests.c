/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the store that are under way: who is this meter, what is there of it. Bounded apart,
 * so that the two do not starve each other; what the store could not answer is asked again. */
#include <assert.h>

#include "intake/collector/inside.h"

static uint64_t tag_of(const struct collector *c, const struct request *r)
{
    return (uint64_t)r->generation << 32 | (uint64_t)(r - c->requests);
}

static struct request *request_of(struct collector *c, uint64_t tag)
{
    uint64_t index = tag & UINT32_MAX;

    assert(index < REQUESTS_MAX);
    struct request *r = &c->requests[index];
    return r->used && r->generation == tag >> 32 ? r : NULL;
}

bool requests_have_room(const struct collector *c)
{
    return c->lookups < COLLECTOR_LOOKUPS_MAX;
}

static struct request *request_new(struct collector *c, bool recover, uint64_t meter)
{
    size_t from = recover ? COLLECTOR_LOOKUPS_MAX : 0;
    size_t to = recover ? REQUESTS_MAX : COLLECTOR_LOOKUPS_MAX;

    for (size_t i = from; i < to; i++) {
        struct request *r = &c->requests[i];
        if (!r->used) {
            *r = (struct request){ .used = true, .recover = recover, .meter = meter,
                                   .generation = r->generation + 1 };
            c->recovers += recover;
            c->lookups += !recover;
            return r;
        }
    }
    return NULL;
}

static void request_done(struct collector *c, struct request *r)
{
    r->used = false;
    c->recovers -= r->recover;
    c->lookups -= !r->recover;
}

static void send(struct collector *c, struct request *r)
{
    r->retry = false;
    if (r->recover) {
        c->store.recover(c->store.self, r->meter, tag_of(c, r));
    } else {
        c->store.lookup(c->store.self, r->meter, tag_of(c, r));
    }
}

static void failed(struct collector *c, struct request *r)
{
    c->counts[COLLECTOR_STORE_FAILURES]++;
    r->retry = true;
    r->attempts++;
    r->at_us = c->now_us + collector_backoff_us(r->attempts);
}

void requests_lookup(struct collector *c, uint64_t meter, uint64_t link)
{
    struct request *r = request_new(c, false, meter);

    assert(r != NULL); /* nothing is taken from links without room for it */
    r->link = link;
    send(c, r);
}

void requests_recover_next(struct collector *c)
{
    while (c->queue_first != NULL && c->recovers < COLLECTOR_RECOVERS_MAX) {
        struct meter *m = c->queue_first;
        struct request *r = request_new(c, true, m->id);
        assert(r != NULL);
        c->queue_first = m->queue_next;
        m->state = METER_RECOVERING;
        send(c, r);
    }
}

void requests_tick(struct collector *c)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        struct request *r = &c->requests[i];
        if (r->used && r->retry && c->now_us >= r->at_us) {
            send(c, r);
        }
    }
}

uint64_t requests_wake_us(const struct collector *c)
{
    uint64_t at_us = UINT64_MAX;

    if (c->lookups + c->recovers == 0) {
        return at_us;
    }
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        const struct request *r = &c->requests[i];
        if (r->used && r->retry && r->at_us < at_us) {
            at_us = r->at_us;
        }
    }
    return at_us;
}

static void tell(struct collector *c, const struct request *r, const struct register_entry *entry)
{
    struct intake_message i = { .kind = INTAKE_METER, .meter = r->meter };

    if (entry != NULL) {
        i.meter_entry.known = true;
        i.meter_entry.suite = entry->suite;
        i.meter_entry.spki = entry->spki;
    }
    c->counts[COLLECTOR_UNKNOWN] += entry == NULL;
    collector_send(c, r->link, &i);
}

void collector_looked_up(struct collector *c, uint64_t now_us, uint64_t tag, err e,
                         const struct register_entry *entry)
{
    struct request *r = request_of(c, tag);

    c->now_us = now_us;
    if (r == NULL) {
        return;
    }
    if (e.code) {
        failed(c, r);
    } else {
        tell(c, r, entry);
        request_done(c, r);
        collector_resume(c);
    }
    collector_done_call(c);
}

void collector_recovered(struct collector *c, uint64_t now_us, uint64_t tag, err e,
                         const struct recovery *recovery)
{
    struct request *r = request_of(c, tag);

    c->now_us = now_us;
    if (r == NULL) {
        return;
    }
    if (e.code) {
        failed(c, r);
    } else {
        struct meter *m = meters_find(c, r->meter);
        request_done(c, r);
        assert(m != NULL); /* a meter stays until its state was read */
        meters_recovered(c, m, recovery);
        requests_recover_next(c);
    }
    collector_done_call(c);
}
