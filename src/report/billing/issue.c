/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/issue.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/wire/meter_id.h"
#include "lib/wire/record.h"
#include "lib/wire/tables.h"

struct point point_of(const struct record *r)
{
    return (struct point){ .sequence = r->sequence,
                           .end_s = r->end_s,
                           .status = r->status,
                           .interval_s = r->interval_s,
                           .simulated = (r->flags & RECORD_SIMULATED) != 0,
                           .demand_w = r->reads[READ_DEMAND],
                           .at = { r->e_act, r->e_ind, r->e_cap } };
}

static bool has_opening(const struct issue *in)
{
    return in->seal_count > 0 && in->seals[0].seal.end_s == in->plan->start_s;
}

static void check_contract(const struct issue *in, struct refusals *r)
{
    const struct contract *c = in->contract;

    if (strcmp(c->subgroup, in->tariff->subgroup) != 0 ||
        strcmp(c->modality, in->tariff->modality) != 0) {
        refusal_add(r, REFUSAL_CONTRACT, 0, 0, "the contract is %s %s, the tariff %s %s",
                    c->subgroup, c->modality, in->tariff->subgroup, in->tariff->modality);
    }
    if (c->contracted_w <= 0 || c->contracted_w > CANON_INT_MAX / 1000) {
        refusal_add(r, REFUSAL_CONTRACT, 0, 0, "a contracted demand of %" PRId64 " W",
                    c->contracted_w);
    }
}

static void check_before(const struct issue *in, struct refusals *r)
{
    if (in->before == NULL) {
        return;
    }
    if (in->before->end_s != in->plan->start_s) {
        refusal_add(r, REFUSAL_PREVIOUS, in->before->end_s, in->plan->start_s,
                    "the bill before does not end where this one starts");
    } else if (!has_opening(in)) {
        refusal_add(r, REFUSAL_OPENING, 0, 0, "the closing seal of the bill before is missing");
    } else {
        struct digest opening = seal_hash(&in->seals[0].seal);
        if (!digest_equal(&opening, &in->before->closing)) {
            refusal_add(r, REFUSAL_PREVIOUS, 0, 0,
                        "the opening seal is not the closing seal of the bill before");
        }
    }
}

/* --- seals: one a day, from edge to edge, each naming the one before --- */

static void check_link(const struct seal *s, const struct seal *before, struct refusals *r)
{
    struct digest want = seal_hash(before);

    if (s->start_s != before->end_s) {
        refusal_add(r, REFUSAL_SEAL_MISSING, before->end_s, s->start_s, "no seal for these days");
    } else if (!digest_equal(&s->previous, &want)) {
        refusal_add(r, REFUSAL_SEAL_BROKEN, s->start_s, s->end_s,
                    "the seal does not name the seal before it");
    }
    if (s->key_epoch != before->key_epoch || s->alg != before->alg ||
        (s->flags & SEAL_FIRST) != 0) {
        refusal_add(r, REFUSAL_SEAL_BROKEN, s->start_s, s->end_s,
                    "meter or key were changed: there is no record of it");
    }
    if (s->e_act < before->e_act || s->e_ind < before->e_ind || s->e_cap < before->e_cap) {
        refusal_add(r, REFUSAL_REGISTER, s->start_s, s->end_s, "a sealed register went back");
    }
}

static void check_seals(const struct issue *in, struct refusals *r)
{
    const struct plan *p = in->plan;

    if (in->seal_count == 0) {
        refusal_add(r, REFUSAL_SEAL_MISSING, p->start_s, p->end_s, "no seal at all");
        return;
    }
    const struct seal *first = &in->seals[0].seal;
    const struct seal *last = &in->seals[in->seal_count - 1].seal;
    if (!has_opening(in) && (first->start_s != p->start_s || (first->flags & SEAL_FIRST) == 0)) {
        refusal_add(r, REFUSAL_OPENING, 0, 0,
                    "no seal closes the day before the period, and the meter is not new");
    }
    for (size_t i = 0; i < in->seal_count; i++) {
        if (in->seals[i].seal.meter != in->contract->meter) {
            refusal_add(r, REFUSAL_SEAL_BROKEN, 0, 0, "a seal of meter %" PRI_METER,
                        in->seals[i].seal.meter);
        }
        if (i > 0) {
            check_link(&in->seals[i].seal, &in->seals[i - 1].seal, r);
        }
    }
    if (last->end_s != p->end_s || (in->seal_count == 1 && has_opening(in))) {
        refusal_add(r, REFUSAL_SEAL_MISSING, last->end_s, p->end_s, "no seal for these days");
    }
}

/* --- readings: all that were sealed, each once, each in its place --- */

static void check_order(const struct issue *in, struct refusals *r)
{
    for (size_t i = 0; i < in->point_count; i++) {
        const struct point *p = &in->points[i];
        if (p->end_s <= in->plan->start_s || p->end_s > in->plan->end_s ||
            p->interval_s != in->plan->interval_s ||
            (p->end_s - in->plan->start_s) % p->interval_s != 0) {
            refusal_add(r, REFUSAL_READING_FOREIGN, p->end_s, p->end_s,
                        "reading %u is of another interval or period", p->sequence);
        } else if (i > 0 && p->sequence <= p[-1].sequence) {
            refusal_add(r, REFUSAL_READING_DOUBLED, p->end_s, p->end_s, "reading %u is there twice",
                        p->sequence);
        } else if (i > 0 && p->end_s <= p[-1].end_s) {
            refusal_add(r, REFUSAL_READING_FOREIGN, p->end_s, p->end_s,
                        "reading %u is not later than the one before", p->sequence);
        }
    }
}

static void check_day(const struct seal *s, const struct point *points, size_t count,
                      struct refusals *r)
{
    if (count < s->count) {
        refusal_add(r, REFUSAL_READING_MISSING, s->start_s, s->end_s,
                    "%u readings are sealed, %zu are stored: fill the gap first", s->count, count);
    } else if (count > s->count) {
        refusal_add(r, REFUSAL_READING_FOREIGN, s->start_s, s->end_s,
                    "%u readings are sealed, %zu are stored", s->count, count);
    } else if (count > 0 &&
               (points[0].sequence < s->first || points[count - 1].sequence > s->last)) {
        refusal_add(r, REFUSAL_READING_FOREIGN, s->start_s, s->end_s,
                    "readings outside the sealed sequences %u to %u", s->first, s->last);
    }
}

/* How many points from `from` on end in the day of this seal. */
static size_t day_count(const struct issue *in, size_t from, const struct seal *s)
{
    size_t n = 0;

    while (from + n < in->point_count && in->points[from + n].end_s <= s->end_s) {
        n++;
    }
    return n;
}

static void check_days(const struct issue *in, struct refusals *r)
{
    size_t at = 0;

    for (size_t i = has_opening(in) ? 1 : 0; i < in->seal_count; i++) {
        size_t count = day_count(in, at, &in->seals[i].seal);
        check_day(&in->seals[i].seal, in->points + at, count, r);
        at += count;
    }
}

static void check_status(const struct issue *in, uint16_t bit, enum refusal_reason reason,
                         const char *what, struct refusals *r)
{
    size_t count = 0;
    uint32_t first = 0;

    for (size_t i = 0; i < in->point_count; i++) {
        if ((in->points[i].status & bit) != 0) {
            first = count == 0 ? in->points[i].sequence : first;
            count++;
        }
    }
    if (count > 0) {
        refusal_add(r, reason, 0, 0, "%zu readings %s, the first is %u", count, what, first);
    }
}

/* Estimated ones have their status bit too, and are refused for that. */
static bool doubtful(const struct point *p)
{
    return p->quality != QUALITY_VALID && p->quality != QUALITY_EDITED &&
           (p->quality != QUALITY_ESTIMATED || (p->status & STATUS_ESTIMATED) == 0);
}

static const char *quality_text(uint8_t quality)
{
    static const char *const texts[] = {
        [QUALITY_SUSPECT] = "suspect (clock unset, or of the future)",
        [QUALITY_INVALID] = "invalid",
        [QUALITY_MISSING] = "marked as missing",
        [QUALITY_ESTIMATED] = "marked as estimated",
    };

    return quality < sizeof texts / sizeof texts[0] ? texts[quality] : "of unknown quality";
}

/* Nothing that validation marked is billed until an operator decides. Readings of
 * one quality that follow each other are one entry. */
static void check_quality(const struct issue *in, struct refusals *r)
{
    size_t n = 0;

    for (size_t i = 0; i < in->point_count; i += n) {
        const struct point *p = &in->points[i];
        n = 1;
        while (i + n < in->point_count && p[n].quality == p->quality &&
               doubtful(&p[n]) == doubtful(p)) {
            n++;
        }
        if (doubtful(p)) {
            refusal_add(r, REFUSAL_QUALITY, p->end_s - p->interval_s, p[n - 1].end_s,
                        "readings %u to %u are %s: an operator decides, then sets quality 0",
                        p->sequence, p[n - 1].sequence, quality_text(p->quality));
        }
    }
}

static size_t simulated_count(const struct issue *in)
{
    size_t count = 0;

    for (size_t i = 0; i < in->point_count; i++) {
        count += in->points[i].simulated;
    }
    return count;
}

static void check_points(const struct issue *in, struct refusals *r)
{
    check_order(in, r);
    check_days(in, r);
    check_quality(in, r);
    check_status(in, STATUS_ESTIMATED, REFUSAL_ESTIMATED, "are estimated", r);
    check_status(in, STATUS_REGISTER_RESET, REFUSAL_REGISTER, "report a register reset", r);
    if (in->tariff->production) {
        check_status(in, STATUS_TEST_MODE, REFUSAL_TEST, "are of test mode", r);
        if (simulated_count(in) > 0) {
            refusal_add(r, REFUSAL_TEST, 0, 0,
                        "%zu readings of a simulated meter, and the tariff says production: true",
                        simulated_count(in));
        }
    }
}

/* --- the two ends --- */

/* A meter's first day has no seal before it. Its registers then start at zero, if the first reading
 * it ever made says so itself; otherwise at that reading, whose own interval is not billed. */
static struct registers first_registers(const struct issue *in)
{
    const struct point *p = &in->points[0];

    if (in->point_count == 0) {
        const struct seal *s = &in->seals[0].seal;
        return (struct registers){ s->e_act, s->e_ind, s->e_cap };
    }
    bool from_zero = p->sequence == 1 && point_explains(p, p->at.e_act);
    return from_zero ? (struct registers){ 0, 0, 0 } : p->at;
}

static struct bill_end end_of_seal(const struct seal *s)
{
    return (struct bill_end){ .sealed = true,
                              .seal = seal_hash(s),
                              .e_act = s->e_act,
                              .e_ind = s->e_ind,
                              .e_cap = s->e_cap };
}

static void ends_fill(const struct issue *in, struct bill_meter *m)
{
    m->closing = end_of_seal(&in->seals[in->seal_count - 1].seal);
    if (has_opening(in)) {
        m->opening = end_of_seal(&in->seals[0].seal);
        return;
    }
    struct registers r = first_registers(in);
    m->opening = (struct bill_end){ .e_act = r.e_act, .e_ind = r.e_ind, .e_cap = r.e_cap };
}

static struct digest readings_root(const struct issue *in)
{
    struct merkle tree = { 0 };
    uint8_t body[SEAL_BODY_BYTES];

    for (size_t i = has_opening(in) ? 1 : 0; i < in->seal_count; i++) {
        seal_encode(&in->seals[i].seal, body);
        struct digest leaf = merkle_leaf(BYTES_OF(body));
        if (merkle_add(&tree, &leaf).code) {
            break; /* only above 2^32 seals */
        }
    }
    return merkle_root(&tree);
}

static void parameters_fill(const struct issue *in, struct bill *b)
{
    const struct contract *c = in->contract;

    b->contract = c->id;
    snprintf(b->utility, sizeof b->utility, "%s", in->tariff->utility);
    snprintf(b->parameters.class, sizeof b->parameters.class, "%s", c->class);
    snprintf(b->parameters.modality, sizeof b->parameters.modality, "%s", c->modality);
    snprintf(b->parameters.subgroup, sizeof b->parameters.subgroup, "%s", c->subgroup);
    b->parameters.contracted_w = c->contracted_w;
    b->parameters.interval_s = in->plan->interval_s;
    b->parameters.public_body = c->public_body;
    b->parameters.simulated = simulated_count(in) > 0;
    b->start_s = in->plan->start_s;
    b->end_s = in->plan->end_s;
    b->tariff = in->tariff_hash;
    b->calendar = in->calendar_hash;
    snprintf(b->act, sizeof b->act, "%s", in->tariff->act);
}

static void meter_fill(const struct issue *in, struct bill *b)
{
    struct bill_meter *m = &b->meter;

    m->id = in->contract->meter;
    m->certificate = in->certificate;
    m->expected = in->plan->count;
    m->received = (uint32_t)in->point_count;
    m->measured = m->received;
    m->readings_root = readings_root(in);
    ends_fill(in, m);
}

static void head_fill(const struct issue *in, struct bill *b)
{
    b->estimates_root = sha256((struct bytes){ NULL, 0 });
    snprintf(b->app.version, sizeof b->app.version, "%s", in->version);
    b->app.measurement = in->measurement;
    b->app.evidence = in->evidence;
    b->issued_s = in->issued_s;
    b->has_previous = in->before != NULL;
    if (in->before != NULL) {
        b->previous = in->before->hash;
    }
}

static struct registers registers_of(const struct bill_end *e)
{
    return (struct registers){ e->e_act, e->e_ind, e->e_cap };
}

void issue_bill(const struct issue *in, struct refusals *refusals, struct bill *out)
{
    *out = (struct bill){ .line_count = 0 };
    check_contract(in, refusals);
    check_before(in, refusals);
    check_seals(in, refusals);
    check_points(in, refusals);
    if (refusals->count > 0) {
        return;
    }
    parameters_fill(in, out);
    meter_fill(in, out);
    head_fill(in, out);
    struct usage u = { registers_of(&out->meter.opening), registers_of(&out->meter.closing),
                       in->points, in->point_count };
    determinants_compute(in->plan, in->tariff, &u, in->contract->contracted_w, out->determinants,
                         &out->meter, refusals);
    if (refusals->count == 0 && determinants_price(in->tariff, out).code) {
        refusal_add(refusals, REFUSAL_RANGE, 0, 0, "%s", err_text());
    }
}

/* --- what the meter signed --- */

static void verify_root(const struct seal *s, const struct digest *leaves, size_t count,
                        struct refusals *r)
{
    struct digest root = merkle_root_of(leaves, count);

    if (!digest_equal(&root, &s->root)) {
        refusal_add(r, REFUSAL_SEAL_BROKEN, s->start_s, s->end_s,
                    "the stored readings are not those that were sealed");
    }
}

void issue_verify(const struct issue *in, const struct public_key *meter, struct bytes readings,
                  struct digest *out_leaves, struct refusals *refusals)
{
    size_t at = 0;

    for (size_t i = 0; i < in->point_count; i++) {
        out_leaves[i] =
            merkle_leaf((struct bytes){ readings.ptr + i * RECORD_BYTES, RECORD_BYTES });
    }
    for (size_t i = 0; i < in->seal_count; i++) {
        const struct seal *s = &in->seals[i].seal;
        if (seal_verify(&in->seals[i], meter).code) {
            refusal_add(refusals, REFUSAL_SEAL_BROKEN, s->start_s, s->end_s,
                        "the seal's signature is not of the meter's certified key");
        }
        if (i == 0 && has_opening(in)) {
            continue;
        }
        size_t count = day_count(in, at, s);
        verify_root(s, out_leaves + at, count, refusals);
        at += count;
    }
}
