/* SPDX-License-Identifier: Apache-2.0 */
/* Daily seals: collected from their parts, checked, and stored in the order of their days, each
 * only when all the sequences it speaks of are settled. Recovery rests on that order. */
#include <utlist.h>

#include "intake/collector/inside.h"
#include "lib/base/mem.h"

#define FIRST_WAIT_US (3600 * US_PER_S) /* a first seal that is not the meter's first */

static void bad_seal(struct collector *c, struct meter *m, uint32_t end_s)
{
    c->counts[COLLECTOR_BAD_SEALS]++;
    batches_event(c, m, EVENT_SEAL, end_s);
}

static err check_signature(const struct meter *m, const struct sealed_day *day)
{
    AUTO(public_key_freep) struct public_key *key = NULL;

    if (m->spki == NULL) {
        FAIL(ERR_AUTH, "no signing key is known for the meter");
    }
    TRY(public_key_from_spki((struct bytes){ m->spki, m->spki_size }, &key));
    return seal_verify(day, key);
}

static bool waits(const struct meter *m, uint32_t end_s)
{
    const struct waiting_seal *s;

    LL_FOREACH(m->seals, s) {
        if (s->day.seal.end_s == end_s) {
            return true;
        }
    }
    return false;
}

static int by_day(const struct waiting_seal *a, const struct waiting_seal *b)
{
    return (a->day.seal.end_s > b->day.seal.end_s) - (a->day.seal.end_s < b->day.seal.end_s);
}

/* Too many wait: the latest day goes; the meter sends it again until it is acknowledged. */
static void keep_bound(struct meter *m)
{
    struct waiting_seal *s, *last = NULL;
    size_t count = 0;

    LL_FOREACH(m->seals, s) {
        last = s;
        count++;
    }
    if (count > SEALS_WAITING_MAX) {
        LL_DELETE(m->seals, last);
        mem_give(last);
    }
}

static void whole_seal(struct collector *c, struct meter *m, const struct sealed_day *day)
{
    const struct seal *s = &day->seal;

    if (s->meter != m->id || check_signature(m, day).code) {
        bad_seal(c, m, s->end_s);
        return;
    }
    if (m->has_seal && s->end_s <= m->seal_end_s) {
        m->seal_due = true; /* it is stored, or can no longer be: the meter may go on */
        meters_touch(c, m);
        return;
    }
    if (waits(m, s->end_s)) {
        seals_try(c, m); /* the batch may have been full when it came first */
        return;
    }
    struct waiting_seal *w = mem_take(sizeof *w);
    if (w == NULL) {
        return;
    }
    w->since_us = c->now_us;
    w->day = *day;
    LL_INSERT_INORDER(m->seals, w, by_day);
    keep_bound(m);
    m->newest = s->last > m->newest ? s->last : m->newest;
    seals_try(c, m);
}

void seals_part(struct collector *c, struct meter *m, struct bytes block)
{
    struct sealed_day day;
    bool whole = false;

    if (m->parts == NULL) {
        m->parts = mem_take(sizeof *m->parts);
    }
    if (m->parts == NULL || seal_parts_add(m->parts, block, &whole, &day).code) {
        bad_seal(c, m, 0);
        return;
    }
    if (whole) {
        mem_give(TAKE(m->parts));
        whole_seal(c, m, &day);
    }
}

/* Without a stored seal, the meter's own first one begins the chain; a later one only if nothing
 * before it can come any more. */
static bool may_be_first(const struct collector *c, const struct waiting_seal *w)
{
    return (w->day.seal.flags & SEAL_FIRST) != 0 || c->now_us - w->since_us >= FIRST_WAIT_US;
}

static bool chains(const struct meter *m, const struct seal *s)
{
    return digest_equal(&s->previous, &m->seal_hash) && s->first == m->seal_last + 1;
}

static void drop_first(struct meter *m)
{
    struct waiting_seal *w = m->seals;

    LL_DELETE(m->seals, w);
    mem_give(w);
}

void seals_try(struct collector *c, struct meter *m)
{
    struct waiting_seal *w = m->seals;

    if (w == NULL || m->seal_flying) {
        return;
    }
    const struct seal *s = &w->day.seal;
    bool next = m->has_seal ? s->start_s == m->seal_end_s : may_be_first(c, w);
    if (!next || m->settled.mark < s->last) {
        return;
    }
    if (m->has_seal && !chains(m, s)) {
        bad_seal(c, m, s->end_s);
        drop_first(m);
        return;
    }
    m->seal_flying = batches_seal(c, &w->day);
}

void seals_stored(struct collector *c, struct meter *m, const struct seal_row *row)
{
    const struct seal *s = &row->day.seal;

    m->seal_flying = false;
    if (row->outcome == ROW_OTHER) {
        bad_seal(c, m, s->end_s); /* the first stays; there can be no second for a day */
        drop_first(m);
        return;
    }
    c->counts[COLLECTOR_SEALS] += row->outcome == ROW_STORED;
    m->has_seal = true;
    m->seal_end_s = s->end_s;
    m->seal_last = s->last;
    m->seal_hash = seal_hash(s);
    m->seal_due = true;
    meters_touch(c, m);
    while (m->seals != NULL && m->seals->day.seal.end_s <= s->end_s) {
        drop_first(m);
    }
    seals_try(c, m);
}
