/* SPDX-License-Identifier: Apache-2.0 */
/* The parts and their hosts. A crash takes everything from a core but what would be on a disk: the
 * store of the collector, and the memory of a meter. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define RESTART_US_MAX (120 * US_PER_S)
#define OUTAGE_US_MAX (2 * 3600 * US_PER_S) /* of one crash in five: then readings pile up */

/* --- the host of a core --- */

static err host_send(void *self, uint64_t link, struct bytes octets)
{
    return net_send(self, link, octets);
}

static void host_close(void *self, uint64_t link)
{
    net_close(self, link);
}

static void host_hold(void *self, uint64_t link, bool on)
{
    net_hold(self, link, on);
}

static void host_wake_at(void *self, uint64_t at_us)
{
    struct sim_node *n = self;
    uint64_t in_us = at_us > n->sim->now_us ? at_us - n->sim->now_us : 0;

    n->wake_order++;
    sim_event_add(n->sim, in_us, (struct sim_event){ .kind = SIM_WAKE,
                                                     .node = (uint16_t)(n - n->sim->nodes),
                                                     .life = n->life, .link = n->wake_order });
}

static uint64_t host_utc_us(void *self)
{
    const struct sim_node *n = self;

    return (uint64_t)((int64_t)(SIM_START_S * US_PER_S + n->sim->now_us) + n->clock_off_us);
}

static void host_random(void *self, void *out, size_t size)
{
    struct sim_node *n = self;
    uint8_t *at = out;

    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)rand64_next(&n->rand);
    }
}

/* --- starting and crashing --- */

static err make_core(struct sim_node *n)
{
    struct sim *s = n->sim;

    if (n->kind == SIM_AGGREGATOR) {
        struct aggregator_options o = { .idle_us = 7200 * US_PER_S };
        struct aggregator *a = NULL;
        TRY(aggregator_new(&n->host, &o, &a));
        n->core = a;
    } else if (n->kind == SIM_AUTHENTICATOR) {
        struct authenticator_options o = { .own = s->keys->collector };
        struct authenticator *a = NULL;
        TRY(authenticator_new(&n->host, &o, &a));
        n->core = a;
    } else if (n->kind == SIM_COLLECTOR) {
        struct collector_options o = { .reader = 1 };
        struct collector *c = NULL;
        TRY(collector_new(&n->host, &s->store.store, &o, &c));
        n->core = c;
    }
    return OK;
}

static void free_core(struct sim_node *n)
{
    switch (n->kind) {
    case SIM_METER:         meter_free(n->core); break;
    case SIM_AGGREGATOR:    aggregator_free(n->core); break;
    case SIM_AUTHENTICATOR: authenticator_free(n->core); break;
    default:                collector_free(n->core); break;
    }
    n->core = NULL;
}

void node_start(struct sim_node *n)
{
    struct sim *s = n->sim;

    n->up = true;
    n->life++;
    sim_log(s, "kind %d %u starts", n->kind, n->index);
    if (n->kind != SIM_METER && make_core(n).code) {
        abort();
    }
    sim_event_add(s, sim_below(s, US_PER_S),
                  (struct sim_event){ .kind = SIM_CONNECT, .node = (uint16_t)(n - s->nodes),
                                      .life = n->life });
}

/* What was under way at the store when the collector died is written, or not; nobody is told. */
static void abandon_requests(struct sim *s)
{
    while (s->store.request_count > 0) {
        fake_store_abandon(&s->store, 0, sim_below(s, 2) == 0);
    }
    s->store_life++;
}

void node_crash(struct sim_node *n)
{
    struct sim *s = n->sim;

    sim_log(s, "kind %d %u crashes", n->kind, n->index);
    sim_trace(s, 0xC4A5, (uint64_t)(n - s->nodes));
    n->up = false;
    n->uplink = 0;
    net_node_gone(n);
    if (n->kind == SIM_METER) {
        if (meter_state(n->core) != METER_OFF) {
            meter_link_down(n->core, s->now_us);
        }
        inlet_done(&n->inlet);
    } else {
        if (n->kind == SIM_COLLECTOR) {
            abandon_requests(s);
        }
        free_core(n);
    }
    uint64_t away_us = sim_below(s, sim_below(s, 5) == 0 ? OUTAGE_US_MAX : RESTART_US_MAX);
    sim_event_add(s, US_PER_S + away_us,
                  (struct sim_event){ .kind = SIM_RESTART, .node = (uint16_t)(n - s->nodes) });
}

/* --- making them --- */

static err make_meter(struct sim_node *n)
{
    const struct sim_keys *k = n->sim->keys;
    struct meter_options o = {
        .id = n->id,
        .suite = SUITE_X25519_RSA2048,
        .session_key = k->session[n->index],
        .signing_key = k->signing[n->index],
        .collector = k->collector_public,
        .aead = n->sim->aead,
        .signing_alg = SIGN_P256,
        .key_epoch = 1,
        .zone_offset_s = METER_ZONE_OFFSET_S,
        .simulated = true,
        .clock_unset = rand64_below(&n->rand, 4) == 0,
        .hello_spread_us = US_PER_S,
    };
    struct meter *m = NULL;

    TRY(meter_new(&o, &n->host, &m));
    n->core = m;
    n->records = calloc(SIM_RECORDS_MAX, sizeof *n->records);
    fake_store_register(&n->sim->store, n->id, SUITE_X25519_RSA2048, k->session_public[n->index],
                        k->signing_public[n->index]);
    return OK;
}

static void add(struct sim *s, enum sim_kind kind, unsigned index)
{
    static const struct core_ops *const ops[] = { NULL, &aggregator_ops, &authenticator_ops,
                                                  &collector_ops };
    struct sim_node *n = &s->nodes[s->node_count++];

    *n = (struct sim_node){ .sim = s, .kind = (uint8_t)kind, .index = index, .ops = ops[kind] };
    n->rand.state = rand64_mix(s->seed, 7, s->node_count);
    n->host = (struct host){ n,            host_send,   host_close, host_hold,
                             host_wake_at, host_utc_us, host_random };
    if (kind == SIM_METER) {
        n->id = 0x10000000 + 0x11 * index;
        s->meter_count++;
        if (make_meter(n).code) {
            abort();
        }
    }
    s->collector = n; /* the last one made */
}

static uint64_t store_due_us(void *arg)
{
    struct sim *s = arg;
    uint64_t in_us = 1000 + sim_below(s, s->faults.store_us_max);

    if (s->now_us + in_us < s->store_hang_us) {
        in_us = s->store_hang_us - s->now_us;
    }
    sim_event_add(s, in_us, (struct sim_event){ .kind = SIM_STORE });
    return s->now_us + in_us;
}

void nodes_make(struct sim *s)
{
    size_t meters = 2 + sim_below(s, SIM_METERS_MAX - 1);
    size_t aggregators = 1 + sim_below(s, SIM_AGGREGATORS_MAX);
    size_t authenticators = 1 + sim_below(s, SIM_AUTHENTICATORS_MAX);

    s->store.due_us = store_due_us;
    s->store.arg = s;
    for (unsigned i = 0; i < meters; i++) {
        add(s, SIM_METER, i);
    }
    for (unsigned i = 0; i < aggregators; i++) {
        add(s, SIM_AGGREGATOR, i);
    }
    for (unsigned i = 0; i < authenticators; i++) {
        add(s, SIM_AUTHENTICATOR, i);
    }
    add(s, SIM_COLLECTOR, 0);
}

void nodes_done(struct sim *s)
{
    for (size_t i = 0; i < s->node_count; i++) {
        struct sim_node *n = &s->nodes[i];
        n->up = false;
        free_core(n);
        inlet_done(&n->inlet);
        free(n->records);
    }
}

/* --- what links tell --- */

void node_opened(struct sim_node *n, uint64_t link, bool uplink, bool *out_refused)
{
    if (n->kind == SIM_METER) {
        meter_link_up(n->core, n->sim->now_us, link);
    } else {
        *out_refused = n->ops->opened(n->core, n->sim->now_us, link, uplink).code != ERR_NONE;
    }
}

static err take_frame(void *arg, struct bytes *in)
{
    struct sim_node *n = arg;
    struct envelope e;
    struct bytes frame;

    TRY(envelope_take(in, &e, &frame));
    meter_frame(n->core, n->sim->now_us, &e, frame);
    return OK;
}

bool node_octets(struct sim_node *n, uint64_t link, struct bytes octets)
{
    if (n->kind == SIM_METER) {
        return !inlet_run(&n->inlet, n->sim->now_us, octets, take_frame, n).code;
    }
    return !n->ops->octets(n->core, n->sim->now_us, link, octets).code;
}

void node_closed(struct sim_node *n, uint64_t link)
{
    if (n->kind == SIM_METER) {
        inlet_done(&n->inlet);
        meter_link_down(n->core, n->sim->now_us);
    } else {
        n->ops->closed(n->core, n->sim->now_us, link);
    }
}

void node_ready(struct sim_node *n, uint64_t link)
{
    if (n->kind == SIM_METER) {
        meter_link_ready(n->core, n->sim->now_us);
    } else {
        n->ops->ready(n->core, n->sim->now_us, link);
    }
}

void node_wake(struct sim_node *n)
{
    if (n->kind == SIM_METER) {
        meter_tick(n->core, n->sim->now_us);
    } else {
        n->ops->tick(n->core, n->sim->now_us);
    }
}

/* --- time and the store --- */

static struct meter_sample sample_of(struct sim_node *n)
{
    struct meter_sample sample = {
        .wh = (uint32_t)rand64_below(&n->rand, 1000),
        .varh_ind = (uint32_t)rand64_below(&n->rand, 300),
        .volts = { 127, 127.5, 126.8 },
        .share_p = { 0.4, 0.3, 0.3 },
        .share_q = { 0.4, 0.3, 0.3 },
        .hertz = 60,
    };

    return sample;
}

static void meter_interval_over(struct sim_node *n, uint32_t end_s)
{
    struct meter_sample sample = sample_of(n);
    struct record expected = { .sequence = n->newest + 1, .meter = n->id, .end_s = end_s,
                               .interval_s = 900, .flags = RECORD_SIMULATED };
    bool dark = end_s < n->dark_until_s;

    if (dark && n->newest == 0) {
        return; /* the first interval with power is number 1 */
    }
    n->newest++;
    if (dark) {
        check_produced(n, n->newest, false, NULL);
        return;
    }
    registers_add(&n->registers, &sample);
    sample_to_record(&sample, &n->registers, 900, &expected);
    check_produced(n, n->newest, true, &expected);
    if (meter_interval(n->core, n->sim->now_us, end_s, &sample).code) {
        sim_break(n->sim, "meter %u refused an interval: %s", n->index, err_text());
    }
}

void nodes_interval(struct sim *s)
{
    s->interval_end_s += 900;
    for (size_t i = 0; i < s->node_count; i++) {
        if (s->nodes[i].kind == SIM_METER) {
            meter_interval_over(&s->nodes[i], s->interval_end_s);
        }
    }
}

void nodes_store(struct sim *s)
{
    for (size_t i = 0; i < s->store.request_count; i++) {
        if (s->store.requests[i].due_us > s->now_us) {
            continue;
        }
        bool fails = sim_chance(s, s->faults.store_fails);
        fake_store_answer(&s->store, s->collector->core, s->now_us, i,
                          fails ? (err){ ERR_IO } : OK, fails && sim_below(s, 2) == 0);
        return;
    }
}
