/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define INTERVAL_US (900 * US_PER_S)
#define CHANCE_US (20 * US_PER_S)
#define SETTLE_S 21600 /* after the last reading: everything has arrived by then */
#define STEPS_MAX 4000000

uint64_t sim_below(struct sim *s, uint64_t n)
{
    return rand64_below(&s->rand, n);
}

bool sim_chance(struct sim *s, uint32_t per_10000)
{
    return s->faults_on && per_10000 > 0 && sim_below(s, 10000) < per_10000;
}

uint32_t sim_utc_s(const struct sim *s)
{
    return SIM_START_S + (uint32_t)(s->now_us / US_PER_S);
}

void sim_trace(struct sim *s, uint64_t a, uint64_t b)
{
    s->trace = rand64_mix(s->trace, a, b);
}

void sim_log(const struct sim *s, const char *format, ...)
{
    va_list args;

    if (!s->verbose) {
        return;
    }
    printf("%12.6f ", (double)s->now_us / 1e6);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

void sim_break(struct sim *s, const char *format, ...)
{
    va_list args;

    if (s->broken[0] != '\0') {
        return; /* the first says it all */
    }
    va_start(args, format);
    vsnprintf(s->broken, sizeof s->broken, format, args);
    va_end(args);
}

/* --- events: a heap by time, then by the order in which they were asked for --- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event c = *a;

    *a = *b;
    *b = c;
}

void sim_event_add(struct sim *s, uint64_t in_us, struct sim_event e)
{
    if (s->event_count == s->event_cap) {
        s->event_cap = s->event_cap > 0 ? 2 * s->event_cap : 256;
        s->heap = realloc(s->heap, s->event_cap * sizeof *s->heap);
        if (s->heap == NULL) {
            abort();
        }
    }
    e.at_us = s->now_us + in_us;
    e.order = s->orders++;
    size_t at = s->event_count++;
    s->heap[at] = e;
    while (at > 0 && before(&s->heap[at], &s->heap[(at - 1) / 2])) {
        swap(&s->heap[at], &s->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct sim_event event_take(struct sim *s)
{
    struct sim_event first = s->heap[0];
    size_t at = 0;

    s->heap[0] = s->heap[--s->event_count];
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < s->event_count && before(&s->heap[child], &s->heap[least])) {
                least = child;
            }
        }
        if (least == at) {
            return first;
        }
        swap(&s->heap[at], &s->heap[least]);
        at = least;
    }
}

/* --- a run --- */

static void chance(struct sim *s)
{
    if (s->faults_on && sim_utc_s(s) >= s->stop_s) {
        faults_end(s);
    }
    faults_chance(s);
    if (s->faults_on) {
        sim_event_add(s, CHANCE_US, (struct sim_event){ .kind = SIM_CHANCE });
    }
}

static void interval(struct sim *s)
{
    nodes_interval(s);
    if (s->interval_end_s < s->last_s) {
        sim_event_add(s, INTERVAL_US, (struct sim_event){ .kind = SIM_INTERVAL });
    }
}

static void node_event(struct sim *s, const struct sim_event *e)
{
    struct sim_node *n = &s->nodes[e->node];

    if (e->kind == SIM_RESTART) {
        if (!n->up) {
            node_start(n);
        }
    } else if (e->life != n->life || !n->up) {
        return;
    } else if (e->kind == SIM_CONNECT) {
        net_connect(n);
    } else if (e->link == n->wake_order) {
        node_wake(n);
    }
}

static void step(struct sim *s, const struct sim_event *e)
{
    switch ((enum sim_event_kind)e->kind) {
    case SIM_DELIVER:  net_deliver(s, e); break;
    case SIM_RELEASE:  net_release(s, e); break;
    case SIM_READY:    net_ready(s, e); break;
    case SIM_CLOSED:   net_closed(s, e); break;
    case SIM_STORE:    nodes_store(s); break;
    case SIM_INTERVAL: interval(s); break;
    case SIM_CHANCE:   chance(s); break;
    case SIM_CONNECT:
    case SIM_WAKE:
    case SIM_RESTART:  node_event(s, e); break;
    }
}

static bool is_settled(const struct sim *s)
{
    if (s->interval_end_s < s->last_s || s->faults_on) {
        return false;
    }
    for (size_t i = 0; i < s->node_count; i++) {
        const struct sim_node *n = &s->nodes[i];
        if (n->kind == SIM_METER && !meter_idle(n->core)) {
            return false;
        }
    }
    return s->store.request_count == 0;
}

static void run(struct sim *s)
{
    while (s->event_count > 0 && s->broken[0] == '\0' && !is_settled(s)) {
        struct sim_event e = event_take(s);
        s->now_us = e.at_us;
        s->steps++;
        sim_trace(s, e.at_us, (uint64_t)e.kind << 32 | e.size);
        step(s, &e);
        free(e.octets);
        check_marks(s);
        faults_step(s);
        if (s->steps > STEPS_MAX || sim_utc_s(s) > s->last_s + SETTLE_S) {
            sim_break(s, "not everything had arrived %d s after the last reading", SETTLE_S);
            check_end(s);
        }
    }
    if (s->broken[0] == '\0') {
        check_end(s);
    }
}

static void prepare(struct sim *s)
{
    /* Some hours of faults, in a few runs more than a day, and then the end of a metering day, so
     * that each run has a seal. */
    bool is_long = sim_below(s, 12) == 0;
    uint32_t hours = is_long ? 20 + (uint32_t)sim_below(s, 10) : 1 + (uint32_t)sim_below(s, 5);

    faults_choose(s);
    fake_store_init(&s->store);
    nodes_make(s);
    s->last_s = SIM_START_S + (hours < 27 ? 27u : 51u) * 3600u;
    s->stop_s = s->last_s - 900 * (1 + (uint32_t)sim_below(s, 3));
    s->interval_end_s = s->last_s - hours * 3600;
    s->now_us = (uint64_t)(s->interval_end_s - SIM_START_S) * US_PER_S;
    s->faults_on = true;
    for (size_t i = 0; i < s->node_count; i++) {
        node_start(&s->nodes[i]);
    }
    sim_event_add(s, INTERVAL_US, (struct sim_event){ .kind = SIM_INTERVAL });
    sim_event_add(s, CHANCE_US, (struct sim_event){ .kind = SIM_CHANCE });
}

static void clean(struct sim *s)
{
    nodes_done(s);
    net_done(s);
    for (size_t i = 0; i < s->event_count; i++) {
        free(s->heap[i].octets);
    }
    free(s->heap);
    fake_store_done(&s->store);
    aead_free(s->aead);
}

static void sum(const struct sim *s, struct sim_result *out)
{
    *out = (struct sim_result){ .trace = s->trace, .steps = s->steps,
                                .stored = fake_store_readings(&s->store) };
    for (size_t i = 0; i < s->node_count; i++) {
        const struct sim_node *n = &s->nodes[i];
        out->crashes += n->life - 1;
        if (n->kind == SIM_METER) {
            out->produced += meter_stats(n->core)->produced;
            out->sessions += meter_stats(n->core)->sessions;
        }
    }
}

bool sim_run(const struct sim_keys *keys, uint64_t seed, bool verbose, struct sim_result *out,
             char *out_why, size_t why_size)
{
    struct sim *s = calloc(1, sizeof *s);

    if (s == NULL || aead_new(&s->aead).code) {
        abort();
    }
    s->keys = keys;
    s->seed = seed;
    s->verbose = verbose;
    s->rand.state = rand64_mix(seed, 1, 2);
    s->links = calloc(SIM_LINKS_MAX, sizeof *s->links);
    prepare(s);
    run(s);
    sum(s, out);
    bool held = s->broken[0] == '\0';
    snprintf(out_why, why_size, "%s", s->broken);
    clean(s);
    free(s->links);
    free(s);
    return held;
}
