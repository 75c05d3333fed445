/* SPDX-License-Identifier: Apache-2.0 */
/* Leaves and roots: that each octet is the one the meter sealed; and registers: that no energy is
 * lost or added between the seals. */
#include <string.h>

#include "report/audit/inside.h"

static size_t first_day(const struct audit *a)
{
    return a->has_opening ? 1 : 0;
}

/* --- roots --- */

/* leaves.bin, made when the bill was made, tells which reading of a day is another one now. */
static void compare_leaves(struct audit *a, const struct seal *s, const struct reading *r,
                           size_t count, const uint8_t *leaves)
{
    for (size_t i = 0; i < count; i++) {
        struct digest then;
        memcpy(then.octets, leaves + i * DIGEST_BYTES, DIGEST_BYTES);
        if (!digest_equal(&then, &r[i].leaf)) {
            found_digests(a, E401, (struct finding_place){ r[i].record.sequence, s->start_s },
                          &then, &r[i].leaf, "the reading is not the one that was billed");
        }
    }
}

static const uint8_t *leaves_of(struct audit *a)
{
    struct bytes file = a->files->octets[AUDIT_LEAVES];
    uint64_t sealed = 0;

    for (size_t i = first_day(a); i < a->seal_count; i++) {
        sealed += a->seals[i].seal.count;
    }
    if (!a->files->present[AUDIT_LEAVES]) {
        return NULL;
    }
    if (file.len % DIGEST_BYTES != 0 || file.len / DIGEST_BYTES != sealed) {
        found_values(a, E101, NOWHERE, (int64_t)(sealed * DIGEST_BYTES), (int64_t)file.len,
                     "octets of " BUNDLE_LEAVES);
        return NULL;
    }
    return file.ptr;
}

static void check_root(struct audit *a, const struct seal *s, const struct reading *r, size_t count)
{
    struct merkle tree = { 0 };

    for (size_t i = 0; i < count; i++) {
        if (merkle_add(&tree, &r[i].leaf).code) {
            return; /* only above 2^32 */
        }
    }
    struct digest root = merkle_root(&tree);
    if (!digest_equal(&root, &s->root)) {
        found_digests(a, E402, AT_DAY(s->start_s), &s->root, &root,
                      "the readings of the day are not those that were sealed");
    }
}

void audit_roots(struct audit *a)
{
    const uint8_t *leaves = leaves_of(a);
    struct merkle period = { 0 };
    uint8_t body[SEAL_BODY_BYTES];
    size_t at = 0;

    for (size_t day = first_day(a); day < a->seal_count; day++) {
        const struct seal *s = &a->seals[day].seal;
        size_t count = 0;
        while (at < a->reading_count && a->readings[at].day == DAY_NONE) {
            at++;
        }
        while (at + count < a->reading_count && a->readings[at + count].day == day) {
            count++;
        }
        check_root(a, s, a->readings + at, count);
        if (leaves != NULL && count == s->count) {
            compare_leaves(a, s, a->readings + at, count, leaves);
        }
        leaves = leaves != NULL ? leaves + (size_t)s->count * DIGEST_BYTES : NULL;
        at += count;
        seal_encode(s, body);
        struct digest leaf = merkle_leaf(BYTES_OF(body));
        if (merkle_add(&period, &leaf).code) {
            return;
        }
    }
    struct digest root = merkle_root(&period);
    if (!digest_equal(&root, &a->bill.meter.readings_root)) {
        found_digests(a, E402, NOWHERE, &a->bill.meter.readings_root, &root,
                      "root of the period's seals");
    }
}

/* --- registers --- */

static void check_end(struct audit *a, const struct bill_end *e, const struct seal *s,
                      const char *which)
{
    if (e->e_act != s->e_act || e->e_ind != s->e_ind || e->e_cap != s->e_cap) {
        found_values(a, E404, AT_DAY(s->start_s), (int64_t)s->e_act, (int64_t)e->e_act, which);
    }
}

/* A new meter's registers start at zero when its very first reading says so, else at that reading.
 */
static void check_new_meter(struct audit *a)
{
    const struct bill_end *o = &a->bill.meter.opening;
    struct bill_end want = { .sealed = false };
    size_t first = 0;

    while (first < a->reading_count && a->readings[first].broken) {
        first++;
    }
    if (first < a->reading_count) {
        const struct record *r = &a->readings[first].record;
        if (r->sequence != 1 || !own_demand_agrees(r, r->e_act)) {
            want = (struct bill_end){ .e_act = r->e_act, .e_ind = r->e_ind, .e_cap = r->e_cap };
        }
    } else if (a->seal_count > 0) {
        const struct seal *s = &a->seals[0].seal;
        want = (struct bill_end){ .e_act = s->e_act, .e_ind = s->e_ind, .e_cap = s->e_cap };
    }
    if (o->e_act != want.e_act || o->e_ind != want.e_ind || o->e_cap != want.e_cap) {
        found_values(a, E404, NOWHERE, (int64_t)want.e_act, (int64_t)o->e_act,
                     "opening registers of a new meter");
    }
}

static bool present(const struct record *r)
{
    return r->e_act != REGISTER_MISSING && r->e_ind != REGISTER_MISSING &&
           r->e_cap != REGISTER_MISSING;
}

static void check_day_end(struct audit *a, const struct seal *s, const struct record *last)
{
    bool whole = last->end_s == s->end_s;
    bool equal = s->e_act == last->e_act && s->e_ind == last->e_ind && s->e_cap == last->e_cap;
    bool below = s->e_act < last->e_act || s->e_ind < last->e_ind || s->e_cap < last->e_cap;

    if (below || (whole && !equal)) {
        found_values(a, E404, (struct finding_place){ last->sequence, s->start_s },
                     (int64_t)s->e_act, (int64_t)last->e_act,
                     "the day's last reading does not meet its seal");
    }
}

static void check_differences(struct audit *a)
{
    const struct bill_end *o = &a->bill.meter.opening;
    struct record before = { .e_act = o->e_act, .e_ind = o->e_ind, .e_cap = o->e_cap };

    for (size_t i = 0; i < a->reading_count; i++) {
        const struct record *r = &a->readings[i].record;
        bool last_of_day =
            i + 1 == a->reading_count || a->readings[i + 1].day != a->readings[i].day;
        if (!present(r)) {
            continue;
        }
        if (r->e_act < before.e_act || r->e_ind < before.e_ind || r->e_cap < before.e_cap) {
            found_values(a, E405, (struct finding_place){ r->sequence, r->end_s },
                         (int64_t)before.e_act, (int64_t)r->e_act, "a register went back");
        }
        if (last_of_day && a->readings[i].day != DAY_NONE) {
            check_day_end(a, &a->seals[a->readings[i].day].seal, r);
        }
        before = *r;
    }
}

/* The differences are formed without gaps, so their sum is closing less opening by construction;
 * what remains to be shown is that the bill's posts have that sum. */
static void check_sum(struct audit *a)
{
    const int64_t *d = a->bill.determinants;
    const struct bill_meter *m = &a->bill.meter;
    int64_t want = (int64_t)m->closing.e_act - (int64_t)m->opening.e_act;
    int64_t sum = d[DET_ENERGY_PEAK] + d[DET_ENERGY_OFF_PEAK];

    if (want != sum) {
        found_values(a, E404, NOWHERE, want, sum, "energy of the posts against the registers");
    }
}

void audit_registers(struct audit *a)
{
    if (a->seal_count > 0) {
        check_end(a, &a->bill.meter.closing, &a->seals[a->seal_count - 1].seal,
                  "closing registers");
        if (a->has_opening) {
            check_end(a, &a->bill.meter.opening, &a->seals[0].seal, "opening registers");
        } else {
            check_new_meter(a);
        }
    }
    check_differences(a);
    check_sum(a);
}
