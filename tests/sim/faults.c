/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#define HANG_US_MAX (180 * US_PER_S)
#define JUMP_US_MAX (3 * 3600 * US_PER_S)
#define DARK_S_MAX 7200

static uint32_t up_to(struct sim *s, uint32_t max)
{
    /* Half of the seeds know nothing of a fault; the others more or less of it. */
    return sim_below(s, 2) == 0 ? 0 : (uint32_t)sim_below(s, max + 1);
}

void faults_choose(struct sim *s)
{
    struct sim_faults *f = &s->faults;

    f->lose = up_to(s, 1500);
    f->twice = up_to(s, 800);
    f->reorder = up_to(s, 1500);
    f->change = up_to(s, 200);
    f->break_link = up_to(s, 100);
    f->crash[SIM_METER] = up_to(s, 20);
    f->crash[SIM_AGGREGATOR] = up_to(s, 20);
    f->crash[SIM_AUTHENTICATOR] = up_to(s, 20);
    f->crash[SIM_COLLECTOR] = up_to(s, 80);
    f->crash_now = up_to(s, 20);
    f->jump = up_to(s, 50);
    f->dark = up_to(s, 40);
    f->store_fails = up_to(s, 3000);
    f->store_hangs = up_to(s, 100);
    f->mesh_us_max = 1000 + sim_below(s, US_PER_S);
    f->tls_us_max = 1000 + sim_below(s, 100000);
    f->store_us_max = 1000 + sim_below(s, 200000);
    f->tls_bytes_max = 2048 + sim_below(s, 65536);
}

static void jump(struct sim_node *n)
{
    struct sim *s = n->sim;

    n->clock_off_us = (int64_t)sim_below(s, 2 * JUMP_US_MAX) - (int64_t)JUMP_US_MAX;
    sim_log(s, "kind %d %u: its clock is off by %lld s", n->kind, n->index,
            (long long)(n->clock_off_us / (int64_t)US_PER_S));
}

/* Power is lost for some intervals: nothing is measured, and nothing is sent. */
static void darken(struct sim_node *n)
{
    struct sim *s = n->sim;

    n->dark_until_s = sim_utc_s(s) + (uint32_t)sim_below(s, DARK_S_MAX);
    sim_log(s, "meter %u has no power until %u", n->index, n->dark_until_s);
    if (n->up) {
        node_crash(n);
    }
}

static void break_some_link(struct sim *s)
{
    struct sim_node *n = &s->nodes[sim_below(s, s->node_count)];

    if (n->up && n->uplink != 0) {
        net_break(s, n->uplink);
    }
}

void faults_chance(struct sim *s)
{
    for (size_t i = 0; i < s->node_count; i++) {
        struct sim_node *n = &s->nodes[i];
        if (n->up && sim_chance(s, s->faults.crash[n->kind])) {
            node_crash(n);
        }
        if (sim_chance(s, s->faults.jump)) {
            jump(n);
        }
        if (n->kind == SIM_METER && sim_chance(s, s->faults.dark)) {
            darken(n);
        }
    }
    if (sim_chance(s, s->faults.break_link)) {
        break_some_link(s);
    }
    if (sim_chance(s, s->faults.store_hangs)) {
        s->store_hang_us = s->now_us + sim_below(s, HANG_US_MAX);
    }
}

/* At any step: between two octets, between a row that is durable and its acknowledgement. */
void faults_step(struct sim *s)
{
    if (!sim_chance(s, s->faults.crash_now)) {
        return;
    }
    bool collector = sim_below(s, 2) == 0;
    struct sim_node *n = collector ? s->collector : &s->nodes[sim_below(s, s->node_count)];
    if (n->up) {
        node_crash(n);
    }
}

/* From now on all is well. The clocks of services are set by their operators; a meter with a wrong
 * clock has nobody but the protocol. */
void faults_end(struct sim *s)
{
    sim_log(s, "faults end");
    s->faults_on = false;
    for (size_t i = 0; i < s->node_count; i++) {
        struct sim_node *n = &s->nodes[i];
        n->clock_off_us = n->kind == SIM_METER ? n->clock_off_us : 0;
        n->dark_until_s = 0;
        if (!n->up) {
            sim_event_add(s, US_PER_S, (struct sim_event){ .kind = SIM_RESTART,
                                                           .node = (uint16_t)i });
        }
    }
}
