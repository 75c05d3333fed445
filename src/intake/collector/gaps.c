/* SPDX-License-Identifier: Apache-2.0 */
/* Holes in the sequence of a meter: asked for when they stay (docs/protocol.md 3.6), a bounded
 * number at once, again with growing pauses when nobody answers. What the meter says is missing
 * with a reason is written down and never asked for again. */
#include <string.h>
#include <utlist.h>

#include "intake/collector/inside.h"

#define ASK_REPORTS_MAX 32 /* in one request: so many blocks may be unacknowledged */
#define ASK_US (15 * US_PER_S)
#define ASK_SETTLE_US (5 * US_PER_S) /* after the last block: the store still works */
#define ASK_ATTEMPTS_MAX 7
#define ASK_REST_US (600 * US_PER_S)     /* after that many; a new session begins anew at once */
#define ASK_REFUSED_US (3600 * US_PER_S) /* the meter does not understand the question */
#define ASKS_A_SWEEP_MAX 500
#define COMMAND_LIFE_S 60

enum { AT_READER = 1, AT_SUBCODE = 4, AT_PARAMETERS = 5 };

/* --- commands --- */

static void bcd_encode(uint32_t number, uint8_t *out, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        out[i - 1] = (uint8_t)(number / 10 % 10 << 4 | number % 10);
        number /= 100;
    }
}

/* Random, so that a restarted collector does not meet the answers a meter keeps for repetitions. */
static uint32_t new_transaction(struct collector *c)
{
    uint32_t transaction = 0;

    while (transaction == 0) {
        c->host.random(c->host.self, &transaction, sizeof transaction);
    }
    return transaction;
}

uint32_t gaps_command(struct collector *c, struct meter *m, uint8_t subcode,
                      struct bytes parameters)
{
    uint8_t block[NBR_COMMAND_BYTES] = { NBR_EXTENSION };
    struct intake_message i = { .kind = INTAKE_COMMAND, .meter = m->id };

    bcd_encode(c->options.reader, block + AT_READER, AT_SUBCODE - AT_READER);
    block[AT_SUBCODE] = subcode;
    memcpy(block + AT_PARAMETERS, parameters.ptr, parameters.len);
    nbr_crc_set(block, sizeof block);
    i.command.transaction = new_transaction(c);
    i.command.not_after_s = collector_now_s(c) + COMMAND_LIFE_S;
    i.command.block = BYTES_OF(block);
    collector_send(c, m->link, &i);
    return i.command.transaction;
}

static void ask(struct collector *c, struct meter *m, struct range hole)
{
    uint8_t parameters[8];

    if (hole.last - hole.first >= ASK_REPORTS_MAX) {
        hole.last = hole.first + ASK_REPORTS_MAX - 1;
    }
    store_u32(parameters, hole.first);
    store_u32(parameters + 4, hole.last);
    m->ask.transaction = gaps_command(c, m, NBR_EXT_READ_REPORTS, BYTES_OF(parameters));
    m->ask.last = hole.last;
    m->ask.until_us = c->now_us + ASK_US;
    c->counts[COLLECTOR_GAP_REQUESTS]++;
}

/* --- holes --- */

static void list_add(struct collector *c, struct meter *m)
{
    if (!m->in_holes) {
        m->in_holes = true;
        m->hole_since_us = c->now_us;
        m->hole_mark = m->settled.mark;
        DL_APPEND2(c->holes, m, hole_prev, hole_next);
        if (c->sweep_us > c->now_us + GAPS_SWEEP_US) {
            c->sweep_us = c->now_us + GAPS_SWEEP_US;
        }
    }
}

static void list_remove(struct collector *c, struct meter *m)
{
    if (m->in_holes) {
        m->in_holes = false;
        DL_DELETE2(c->holes, m, hole_prev, hole_next);
    }
}

void gaps_forget(struct collector *c, struct meter *m)
{
    list_remove(c, m);
    m->ask = (struct ask){ 0 };
}

void gaps_look(struct collector *c, struct meter *m)
{
    struct range hole;

    if (m->state != METER_READY) {
        return;
    }
    bool complete = m->ask.transaction != 0 && m->settled.mark >= m->ask.last;
    if (complete) {
        m->ask = (struct ask){ 0 };
    }
    if (!ranges_hole(&m->settled, m->newest, &hole)) {
        list_remove(c, m);
        return;
    }
    list_add(c, m);
    if (complete && m->link != 0 && !c->holding) {
        ask(c, m, hole); /* the way is open: no need to wait again */
    } else if (m->settled.mark != m->hole_mark) {
        m->hole_mark = m->settled.mark;
        m->hole_since_us = c->now_us;
        m->ask.attempts = 0;
    }
}

static void rest(struct collector *c, struct meter *m)
{
    uint32_t jitter;

    m->ask.transaction = 0;
    m->ask.attempts++;
    if (m->ask.attempts > ASK_ATTEMPTS_MAX) {
        m->ask.attempts = 0;
        m->ask.until_us = c->now_us + ASK_REST_US;
        return;
    }
    uint64_t pause_us = US_PER_S << (m->ask.attempts - 1);
    c->host.random(c->host.self, &jitter, sizeof jitter);
    m->ask.until_us = c->now_us + pause_us + jitter % (pause_us / 2);
}

void gaps_answered(struct collector *c, struct meter *m, uint32_t transaction)
{
    if (transaction != 0 && transaction == m->ask.transaction) {
        m->ask.until_us = c->now_us + ASK_SETTLE_US;
    }
}

void gaps_signal(struct collector *c, struct meter *m, uint32_t transaction, const struct signal *s)
{
    if (transaction == 0 || transaction != m->ask.transaction) {
        return;
    }
    if (s->signal == NBR_WAIT) {
        m->ask.until_us = c->now_us + ASK_US;
    } else if (s->signal == NBR_NAK) {
        bool for_ever = s->reason == NAK_UNKNOWN_SUBCODE || s->reason == NAK_BAD_PARAMETER;
        rest(c, m);
        m->ask.until_us = for_ever ? c->now_us + ASK_REFUSED_US : m->ask.until_us;
    }
}

/* True: a request was sent. */
static bool look_again(struct collector *c, struct meter *m)
{
    struct range hole;

    if (c->now_us < m->ask.until_us) {
        return false;
    }
    if (m->ask.transaction != 0) {
        rest(c, m);
        return false;
    }
    bool stays = c->now_us - m->hole_since_us >= c->options.hole_wait_us;
    if (m->link == 0 || !stays || !ranges_hole(&m->settled, m->newest, &hole)) {
        return false;
    }
    ask(c, m, hole);
    return true;
}

void gaps_tick(struct collector *c)
{
    struct meter *m, *after;
    size_t sent = 0;

    if (c->holding) {
        return; /* what is missing may lie in front of the store */
    }
    DL_FOREACH_SAFE2(c->holes, m, after, hole_next) {
        sent += look_again(c, m);
        if (sent == ASKS_A_SWEEP_MAX) {
            return;
        }
    }
}
