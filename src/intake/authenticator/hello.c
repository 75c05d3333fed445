/* SPDX-License-Identifier: Apache-2.0 */
/* HELLO: the checks in order, cheapest first, and RSA only at the end (docs/protocol.md 3.4). Every
 * failure looks the same from outside. */
#include <string.h>

#include "intake/authenticator/inside.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define TIME_TOLERANCE_S 600
#define METER_PERIOD_US (10 * US_PER_S) /* one HELLO of a meter */
#define METER_BURST 3
#define LINK_BURST_S 4 /* a rested aggregator may send so many seconds' worth at once */

static void refuse(struct authenticator *a, uint64_t link, const struct envelope *e,
                   enum authenticator_refusal why)
{
    authenticator_refuse(a, e->meter, why);
    authenticator_hint(a, agg_link_find(a, link), e, CLOSE_REFUSED);
}

static bool key_ids_match(const struct authenticator *a, const struct registered *m,
                          const struct hello_claims *c)
{
    struct digest spki = sha256((struct bytes){ m->spki, m->spki_size });

    return c->collector_key_id == a->own_key_id && c->meter_key_id == load_u64(spki.octets);
}

static bool time_fits(const struct authenticator *a, const struct hello_claims *c)
{
    uint64_t now_s = a->host.utc_us(a->host.self) / US_PER_S;
    uint64_t apart_s = c->utc_s > now_s ? c->utc_s - now_s : now_s - c->utc_s;

    return (c->clock_flags & HELLO_CLOCK_UNSET) != 0 || apart_s <= TIME_TOLERANCE_S;
}

/* Everything that costs no public-key operation. True: go on; otherwise *why. */
static bool claims_hold(struct authenticator *a, struct registered *m, const struct hello_claims *c,
                        enum authenticator_refusal *why)
{
    if (c->suite != m->suite) {
        *why = AUTHENTICATOR_SUITE;
    } else if (!key_ids_match(a, m, c)) {
        *why = AUTHENTICATOR_KEY_ID;
    } else if (!time_fits(a, c)) {
        *why = AUTHENTICATOR_TIME;
    } else if (nonces_have(&a->nonces, a->now_us, m->meter, BYTES_OF(c->nonce))) {
        *why = AUTHENTICATOR_NONCE;
    } else if (m->working ||
               !bucket_take(&m->hellos, a->now_us, METER_PERIOD_US, METER_BURST)) {
        *why = AUTHENTICATOR_METER_RATE;
    } else if (a->jobs >= AUTHENTICATOR_JOBS_MAX) {
        *why = AUTHENTICATOR_LIMIT;
    } else {
        return true;
    }
    return false;
}

/* --- the work --- */

static void job_free(struct hello_job *job)
{
    if (job == NULL) {
        return;
    }
    session_done(&job->session);
    buf_done(&job->out);
    mem_give(job);
}

/* The job carries copies: it may be worked while the registry forgets the meter. */
static struct hello_job *job_new(const struct authenticator *a, const struct registered *m,
                                 uint64_t link, const struct hello_claims *c, struct bytes frame)
{
    struct hello_job *job = mem_take(sizeof *job + frame.len + m->spki_size);

    if (job == NULL) {
        return NULL;
    }
    uint8_t *copies = (uint8_t *)(job + 1);
    memcpy(copies, frame.ptr, frame.len);
    memcpy(copies + frame.len, m->spki, m->spki_size);
    job->meter = m->meter;
    job->link = link;
    job->claims = *c;
    job->frame = (struct bytes){ copies, frame.len };
    job->spki = (struct bytes){ copies + frame.len, m->spki_size };
    job->own = a->options.own;
    job->out.max = ENVELOPE_FRAME_BYTES_MAX;
    job->answer = (struct hello_ok){
        .window = AUTHENTICATOR_WINDOW,
        .lifetime_hours = SESSION_LIFETIME_HOURS,
        .utc_s = (uint32_t)(a->host.utc_us(a->host.self) / US_PER_S),
    };
    return job;
}

static err work(struct hello_job *job)
{
    AUTO(public_key_freep) struct public_key *meter = NULL;

    TRY(public_key_from_spki(job->spki, &meter));
    err e = hello_accept(job->frame, meter, job->own, &job->answer, &job->out, &job->session);
    job->forged = e.code && hello_check(job->frame, meter, job->own).code;
    return e;
}

void hello_job_run(struct hello_job *job)
{
    job->result = work(job);
}

static void accepted(struct authenticator *a, struct hello_job *job, const struct envelope *e)
{
    nonces_add(&a->nonces, a->now_us, job->meter, BYTES_OF(job->claims.nonce));
    err kept = sessions_hello(&a->sessions, a->now_us, job->link, &job->session,
                              job->claims.clock_flags, job->claims.utc_s);
    if (kept.code) {
        refuse(a, job->link, e, AUTHENTICATOR_LIMIT);
        return;
    }
    a->counts[AUTHENTICATOR_HELLOS]++;
    a->others = true;
    authenticator_wake_in(a, 5 * US_PER_S);
    authenticator_send_down(a, job->link, buf_bytes(&job->out));
}

static void job_done(struct authenticator *a, struct hello_job *job)
{
    struct registered *m = registry_find(&a->registry, job->meter);
    struct envelope e = { .meter = job->meter };

    a->jobs--;
    if (m != NULL) {
        m->working = false;
        /* Key ids are clear in every HELLO: who has seen one could else keep the meter out for ever
         * by one forged HELLO each ten seconds. What that costs here the link's rate bounds. */
        if (job->forged) {
            bucket_give_back(&m->hellos, METER_PERIOD_US);
        }
    }
    if (job->result.code) {
        refuse(a, job->link, &e, AUTHENTICATOR_SIGNATURE);
    } else {
        accepted(a, job, &e);
    }
    job_free(job);
}

void authenticator_hello_done(struct authenticator *a, uint64_t now_us, struct hello_job *job)
{
    a->now_us = now_us;
    job_done(a, job);
    authenticator_flush_down(a);
}

/* A meter the collector knows; the frame's form is good. */
static void check(struct authenticator *a, struct registered *m, uint64_t link,
                  const struct envelope *e, struct bytes frame)
{
    struct hello_claims c;
    enum authenticator_refusal why;

    if (hello_claims_parse(frame, &c).code) {
        refuse(a, link, e, AUTHENTICATOR_HELLO_FORM);
        return;
    }
    if (!claims_hold(a, m, &c, &why)) {
        refuse(a, link, e, why);
        return;
    }
    struct hello_job *job = job_new(a, m, link, &c, frame);
    if (job == NULL) {
        refuse(a, link, e, AUTHENTICATOR_LIMIT);
        return;
    }
    m->working = true;
    a->jobs++;
    if (a->options.work != NULL) {
        a->options.work(a->options.arg, job);
        return;
    }
    hello_job_run(job);
    job_done(a, job);
}

/* --- asking the collector --- */

static err ask(struct authenticator *a, uint64_t meter)
{
    return authenticator_send_up(a,
                                 &(struct intake_message){ .kind = INTAKE_LOOKUP, .meter = meter });
}

static err wait_for_answer(struct authenticator *a, struct registered *m, uint64_t link,
                           const struct envelope *e, struct bytes frame)
{
    if (registry_wait(&a->registry, m, link, frame).code) {
        authenticator_refuse(a, e->meter, AUTHENTICATOR_LIMIT);
        return OK;
    }
    return registry_ask(m, a->now_us) ? ask(a, m->meter) : OK;
}

err authenticator_take_hello(struct authenticator *a, struct agg_link *l, const struct envelope *e,
                             struct bytes frame)
{
    struct hello_claims c;
    struct registered *m;
    uint64_t period_us = US_PER_S / a->options.hello_rate;

    if (e->flags != 0 || e->transaction != 0 || e->counter != 0 ||
        hello_claims_parse(frame, &c).code) {
        refuse(a, l->id, e, AUTHENTICATOR_HELLO_FORM);
        return OK;
    }
    if (!bucket_take(&l->hellos, a->now_us, period_us, LINK_BURST_S * a->options.hello_rate)) {
        authenticator_refuse(a, e->meter, AUTHENTICATOR_LINK_RATE);
        return OK;
    }
    if (registry_is_unknown(&a->registry, a->now_us, e->meter)) {
        refuse(a, l->id, e, AUTHENTICATOR_UNKNOWN);
        return OK;
    }
    if (registry_entry(&a->registry, a->now_us, e->meter, &m).code) {
        authenticator_refuse(a, e->meter, AUTHENTICATOR_LIMIT);
        return OK;
    }
    if (!registry_is_fresh(m, a->now_us)) {
        return wait_for_answer(a, m, l->id, e, frame);
    }
    check(a, m, l->id, e, frame);
    return OK;
}

void authenticator_told(struct authenticator *a, const struct intake_message *i)
{
    struct registered *m = registry_find(&a->registry, i->meter);

    if (m == NULL) {
        return; /* it had to make room; the meter says HELLO again */
    }
    AUTO(mem_givep) struct waiting_hello *w = registry_take_waiting(&a->registry, m);
    struct envelope e = { .meter = i->meter };
    uint64_t link = w != NULL ? w->link : 0;
    if (!i->meter_entry.known) {
        registry_mark_unknown(&a->registry, a->now_us, i->meter);
        registry_drop(&a->registry, m);
        refuse(a, link, &e, AUTHENTICATOR_UNKNOWN);
        return;
    }
    if (registry_told(m, a->now_us, i->meter_entry.suite, i->meter_entry.spki).code) {
        refuse(a, link, &e, AUTHENTICATOR_LIMIT);
        return;
    }
    if (w != NULL) {
        check(a, m, link, &e, (struct bytes){ w->frame, w->size });
    }
}

void authenticator_ask_again(struct authenticator *a)
{
    struct registered *m, *after;

    HASH_ITER(hh, a->registry.by_meter, m, after) {
        if (m->waiting != NULL && !ask(a, m->meter).code) {
            m->asked_us = a->now_us;
        }
    }
}
