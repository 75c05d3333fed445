/* SPDX-License-Identifier: Apache-2.0 */
/* Reports and seals on their way. Acknowledgements are cumulative. After silence only the oldest is
 * sent again; each progress doubles what may be under way, so that a slow collector is not buried
 * under repetitions. */
#include "edge/meter/inside.h"

#include <assert.h>

#define FIRST_UNDER_WAY 16 /* reports of a new session, before anything is acknowledged */
#define SEALS_UNDER_WAY 4
#define SILENT_TRIES_MAX 4 /* 1 + 2 + 4 + 8 s without a good frame: the session may be gone */

void outgoing_reset(struct meter *m)
{
    m->sent = 0;
    m->seals_sent = 0;
    /* The other side may have to read first what it knows of this meter. */
    m->allowed = m->o.window < FIRST_UNDER_WAY ? m->o.window : FIRST_UNDER_WAY;
    m->report_retry = (struct meter_retry){ 0 };
    m->seal_retry = (struct meter_retry){ 0 };
}

struct report meter_report_of(const struct meter *m, const struct record *r)
{
    return (struct report){
        .record = *r,
        .newest = m->outbox.newest,
        .oldest = m->outbox.count > 0 ? m->outbox.oldest : r->sequence,
    };
}

static err push_slot(struct meter *m, struct bytes octets)
{
    uint8_t block[NBR_RESPONSE_BYTES];
    struct record r = { .meter = m->o.id };
    uint8_t missing = outbox_missing_of(octets, &r.sequence);

    if (missing == 0) {
        TRY(record_parse(octets, &r));
    }
    struct report report = meter_report_of(m, &r);
    report.missing_reason = missing;
    report_encode(&report, block);
    TRY(meter_send(m, ENVELOPE_PUSH, 0, 0, BYTES_OF(block)));
    m->stats.pushed++;
    m->stats.resent += r.sequence <= m->reached;
    m->reached = r.sequence > m->reached ? r.sequence : m->reached;
    return OK;
}

static void pump_reports(struct meter *m, uint64_t now_us)
{
    while (m->sent < m->outbox.count && m->sent < m->allowed) {
        if (push_slot(m, outbox_at(&m->outbox, m->sent)).code) {
            break; /* the link is full or gone: link_ready, link_up or the retry goes on */
        }
        m->sent++;
    }
    if (m->outbox.count > 0 && m->report_retry.due_us == 0) {
        meter_retry_arm(m, &m->report_retry, now_us);
    }
}

static err push_seal(struct meter *m, const struct sealed_day *day)
{
    for (size_t part = 0; part < seal_part_count(day); part++) {
        uint8_t block[NBR_RESPONSE_BYTES];
        seal_part_encode(day, part, block);
        TRY(meter_send(m, ENVELOPE_PUSH, 0, 0, BYTES_OF(block)));
    }
    return OK;
}

/* A seal goes out when the records of its day are stored: then it can be checked at once. */
static void pump_seals(struct meter *m, uint64_t now_us)
{
    while (m->seals_sent < m->seals.day_count && m->seals_sent < SEALS_UNDER_WAY) {
        const struct sealed_day *day = &m->seals.days[m->seals_sent];
        if (m->acked < day->seal.last || push_seal(m, day).code) {
            break;
        }
        m->seals_sent++;
    }
    bool waiting = m->seals.day_count > 0 && m->acked >= m->seals.days[0].seal.last;
    if (waiting && m->seal_retry.due_us == 0) {
        meter_retry_arm(m, &m->seal_retry, now_us);
    }
}

void outgoing_pump(struct meter *m, uint64_t now_us)
{
    pump_reports(m, now_us);
    pump_seals(m, now_us);
}

void outgoing_ack(struct meter *m, uint64_t now_us, uint32_t sequence)
{
    uint32_t records;
    uint32_t done = outbox_ack(&m->outbox, sequence, &records);

    m->acked = sequence > m->acked ? sequence : m->acked;
    m->stats.acknowledged += records;
    m->sent -= done < m->sent ? done : m->sent;
    if (done > 0) {
        m->allowed = m->allowed * 2 < m->o.window ? m->allowed * 2 : m->o.window;
        m->silences = 0;
        m->report_retry = (struct meter_retry){ 0 };
    }
    outgoing_pump(m, now_us);
}

void outgoing_seal_ack(struct meter *m, uint64_t now_us, uint32_t end_s)
{
    uint32_t before = m->seals.day_count;

    seals_ack(&m->seals, end_s);
    uint32_t done = before - m->seals.day_count;
    m->seals_sent -= done < m->seals_sent ? done : m->seals_sent;
    if (done > 0) {
        m->seal_retry = (struct meter_retry){ 0 };
    }
    outgoing_pump(m, now_us);
}

/* The other side has no room: what is under way counts as lost, and the pause grows. */
void outgoing_slow_down(struct meter *m, uint64_t now_us)
{
    m->sent = 0;
    m->allowed = 1;
    m->report_retry.tries++;
    meter_retry_arm(m, &m->report_retry, now_us);
}

static bool is_due(const struct meter_retry *r, uint64_t now_us)
{
    return r->due_us != 0 && now_us >= r->due_us;
}

bool outgoing_tick(struct meter *m, uint64_t now_us)
{
    if (m->blocked) { /* waiting for the link is not silence of the other side */
        m->report_retry = (struct meter_retry){ 0 };
        m->seal_retry = (struct meter_retry){ 0 };
        return false;
    }
    if (is_due(&m->report_retry, now_us)) {
        m->report_retry.due_us = 0;
        m->report_retry.tries++;
        m->silent_tries++;
        m->sent = 0;
        m->allowed = 1;
        pump_reports(m, now_us);
    }
    if (is_due(&m->seal_retry, now_us)) {
        m->seal_retry.due_us = 0;
        m->seal_retry.tries++;
        m->silent_tries++;
        m->seals_sent = 0;
        pump_seals(m, now_us);
    }
    return m->silent_tries >= SILENT_TRIES_MAX;
}
