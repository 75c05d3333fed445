/* SPDX-License-Identifier: Apache-2.0 */
/* The determinants once more, from the registers of the readings, the calendar and the tariff. */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "report/audit/inside.h"

#define HOUR_S 3600
#define ENERGY_MAX (UINT64_C(1) << 52)

struct energies {
    uint64_t act, ind, cap;
};

struct slot { /* one interval of the period */
    struct energies e;
    bool filled; /* its own difference is known */
};

struct gap_energy { /* energy known only for [first, last] together, last being measured */
    uint32_t first, last;
    uint64_t act;
};

struct recount {
    struct audit *a;
    uint32_t count;
    struct slot *slots;
    struct gap_energy gaps[BILL_GAPS_MAX];
    size_t gap_count;
    struct bill_gap listed[BILL_GAPS_MAX];
    size_t listed_count;
    int64_t det[DET_COUNT];
};

static int64_t start_of(const struct recount *r, uint32_t slot)
{
    return r->a->bill.start_s + (int64_t)slot * r->a->bill.parameters.interval_s;
}

static enum post post_of(const struct recount *r, int64_t civil_s)
{
    const struct tariff *t = &r->a->tariff;
    struct civil c = civil_from_s(civil_s);
    uint32_t minute = c.hour * 60 + c.minute;
    uint32_t step = minute * t->steps / (24 * 60);
    bool rest = own_is_rest_day(&r->a->calendar, civil_s);

    return rest ? t->weekend[c.month - 1][step] : t->weekday[c.month - 1][step];
}

/* Which hour an interval belongs to. Two intervals share an hour when all of this is equal. */
struct hour_of {
    int64_t number;
    int32_t offset;
    enum post post;
    bool capacitive;
};

static struct hour_of hour_of(const struct recount *r, uint32_t slot)
{
    int64_t utc = start_of(r, slot);
    int64_t civil = own_civil(&r->a->calendar, utc);
    int64_t from_window = civil - (int64_t)r->a->tariff.window_start_min * 60 + S_PER_DAY;

    return (struct hour_of){ .number = from_window / HOUR_S,
                             .offset = own_offset(&r->a->calendar, utc),
                             .post = post_of(r, civil),
                             .capacitive = from_window % S_PER_DAY < INT64_C(6) * HOUR_S };
}

static bool same_hour(const struct hour_of *x, const struct hour_of *y)
{
    return x->number == y->number && x->offset == y->offset && x->post == y->post;
}

/* --- from readings to slots --- */

static void list_gap(struct recount *r, uint32_t first, uint32_t behind)
{
    if (r->listed_count < BILL_GAPS_MAX) {
        r->listed[r->listed_count++] = (struct bill_gap){ start_of(r, first), start_of(r, behind) };
    }
}

/* `behind` is the first slot that is there again, with its record; at the end of the period that is
 * the count, and there is none. */
static void span_take(struct recount *r, uint32_t first, uint32_t behind, const struct record *rec,
                      struct energies e)
{
    uint32_t last = rec == NULL ? behind - 1 : behind;

    list_gap(r, first, behind);
    if (e.act == 0 && e.ind == 0 && e.cap == 0) {
        return;
    }
    if (rec != NULL && own_demand_agrees(rec, e.act)) {
        r->slots[last] = (struct slot){ e, true };
        return;
    }
    struct hour_of begin = hour_of(r, first);
    struct hour_of end = hour_of(r, last);
    if (!same_hour(&begin, &end) || r->gap_count == BILL_GAPS_MAX) {
        found(r->a, E502, AT_DAY(start_of(r, first)),
              "%llu Wh across a gap are billed without an estimate", (unsigned long long)e.act);
    }
    r->slots[last].e = e;
    if (r->gap_count < BILL_GAPS_MAX) {
        r->gaps[r->gap_count++] = (struct gap_energy){ first, last, e.act };
    }
}

static bool usable(const struct recount *r, const struct record *rec)
{
    const struct bill *b = &r->a->bill;

    return rec->end_s > b->start_s && rec->end_s <= b->end_s &&
           (rec->end_s - b->start_s) % b->parameters.interval_s == 0 &&
           rec->e_act != REGISTER_MISSING && rec->e_ind != REGISTER_MISSING &&
           rec->e_cap != REGISTER_MISSING;
}

static struct energies difference(const struct energies *now, const struct energies *before)
{
    /* A register that went back was reported; here it counts as no energy. */
    return (struct energies){ now->act > before->act ? now->act - before->act : 0,
                              now->ind > before->ind ? now->ind - before->ind : 0,
                              now->cap > before->cap ? now->cap - before->cap : 0 };
}

static void slots_fill(struct recount *r)
{
    const struct bill *b = &r->a->bill;
    struct energies before = { b->meter.opening.e_act, b->meter.opening.e_ind,
                               b->meter.opening.e_cap };
    struct energies closing = { b->meter.closing.e_act, b->meter.closing.e_ind,
                                b->meter.closing.e_cap };
    uint32_t next = 0;

    for (size_t i = 0; i < r->a->reading_count; i++) {
        const struct record *rec = &r->a->readings[i].record;
        if (!usable(r, rec)) {
            continue;
        }
        uint32_t slot = (uint32_t)((rec->end_s - b->start_s) / b->parameters.interval_s) - 1;
        if (slot < next) {
            continue; /* overlaps were reported */
        }
        struct energies now = { rec->e_act, rec->e_ind, rec->e_cap };
        struct energies d = difference(&now, &before);
        if (slot == next) {
            r->slots[slot] = (struct slot){ d, true };
        } else {
            span_take(r, next, slot, rec, d);
        }
        before = now;
        next = slot + 1;
    }
    if (next < r->count) {
        span_take(r, next, r->count, NULL, difference(&closing, &before));
    }
}

/* --- from slots to determinants --- */

static int64_t capped(uint64_t v)
{
    return v > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)v;
}

static void raise_to(int64_t *max, uint64_t v)
{
    *max = capped(v) > *max ? capped(v) : *max;
}

static void add_to(int64_t *sum, uint64_t v)
{
    *sum = capped((uint64_t)*sum + (uint64_t)capped(v));
}

static void sum_slot(struct recount *r, uint32_t slot, const struct hour_of *h)
{
    const struct slot *s = &r->slots[slot];
    int64_t civil = own_civil(&r->a->calendar, start_of(r, slot));
    enum flag_colour flag = own_flag(&r->a->calendar, civil);
    uint64_t per_hour = HOUR_S / r->a->bill.parameters.interval_s;
    bool peak = h->post == POST_PEAK;

    add_to(&r->det[peak ? DET_ENERGY_PEAK : DET_ENERGY_OFF_PEAK], s->e.act);
    add_to(&r->det[DET_FLAG_GREEN + flag], s->e.act);
    add_to(&r->det[DET_REACTIVE_INDUCTIVE], s->e.ind);
    add_to(&r->det[DET_REACTIVE_CAPACITIVE], s->e.cap);
    if (s->filled && s->e.act < ENERGY_MAX) {
        own_wide power = (own_wide)s->e.act * per_hour * 1000;
        raise_to(&r->det[peak ? DET_DEMAND_PEAK : DET_DEMAND_OFF_PEAK],
                 power > INT64_MAX ? (uint64_t)INT64_MAX : (uint64_t)power);
    }
}

static void close_hour(struct recount *r, const struct hour_of *h, const struct energies *sum)
{
    uint64_t q = h->capacitive ? sum->cap : sum->ind;
    uint64_t p = sum->act;
    bool peak = h->post == POST_PEAK;
    int64_t *most = &r->det[peak ? DET_REACTIVE_EQUIVALENT_PEAK : DET_REACTIVE_EQUIVALENT_OFF_PEAK];

    r->det[DET_HOURS]++;
    if (p >= ENERGY_MAX || q >= ENERGY_MAX) {
        found(r->a, E601, NOWHERE, "the energy of an hour passes 2^52");
        return;
    }
    /* f < 0.92 is P < 0.92 S, so 100^2 P^2 < 92^2 S^2. */
    own_wide s2 = (own_wide)p * p + (own_wide)q * q;
    if (p == 0 || (own_wide)p * p * 10000 >= s2 * 92 * 92) {
        raise_to(most, p * 1000);
        return;
    }
    uint64_t v = own_root(s2 * 920 * 920);
    r->det[DET_HOURS_WITH_EXCESS]++;
    raise_to(most, v);
    add_to(&r->det[peak ? DET_REACTIVE_EXCESS_PEAK : DET_REACTIVE_EXCESS_OFF_PEAK], v - p * 1000);
}

static void sum_hours(struct recount *r)
{
    struct hour_of hour = { .number = 0 };
    struct energies sum = { 0 };

    for (uint32_t i = 0; i < r->count; i++) {
        struct hour_of h = hour_of(r, i);
        if (i > 0 && !same_hour(&h, &hour)) {
            close_hour(r, &hour, &sum);
            sum = (struct energies){ 0 };
        }
        hour = h;
        sum_slot(r, i, &h);
        sum.act += r->slots[i].e.act;
        sum.ind += r->slots[i].e.ind;
        sum.cap += r->slots[i].e.cap;
    }
    close_hour(r, &hour, &sum);
}

static void sum_demand(struct recount *r)
{
    int64_t *d = r->det;
    int64_t contracted = r->a->bill.parameters.contracted_w * 1000;
    int64_t measured =
        d[DET_DEMAND_PEAK] > d[DET_DEMAND_OFF_PEAK] ? d[DET_DEMAND_PEAK] : d[DET_DEMAND_OFF_PEAK];
    int64_t equivalent = d[DET_REACTIVE_EQUIVALENT_PEAK];

    if (d[DET_REACTIVE_EQUIVALENT_OFF_PEAK] > equivalent) {
        equivalent = d[DET_REACTIVE_EQUIVALENT_OFF_PEAK];
    }
    d[DET_DEMAND_MEASURED] = measured;
    if (measured < contracted) {
        d[DET_DEMAND_UNUSED] = contracted - measured;
    } else if ((own_wide)(measured - contracted) * 100 >
               (own_wide)contracted * (unsigned)(r->a->tariff.overrun_percent - 100)) {
        d[DET_DEMAND_OVERRUN] = measured - contracted;
    }
    d[DET_DEMAND_BILLED] = measured + d[DET_DEMAND_UNUSED];
    if (equivalent > d[DET_DEMAND_BILLED]) {
        d[DET_REACTIVE_DEMAND_EXCESS] = equivalent - d[DET_DEMAND_BILLED];
    }
}

/* --- against the bill --- */

static void compare(struct recount *r, enum bill_determinant d, enum audit_code code)
{
    int64_t in_bill = r->a->bill.determinants[d];

    if (r->det[d] != in_bill) {
        found_values(r->a, code, NOWHERE, r->det[d], in_bill, bill_determinant_name(d));
    }
}

static void compare_all(struct recount *r)
{
    const int64_t *b = r->a->bill.determinants;
    bool posts_moved = b[DET_ENERGY_PEAK] + b[DET_ENERGY_OFF_PEAK] ==
                       r->det[DET_ENERGY_PEAK] + r->det[DET_ENERGY_OFF_PEAK];
    int64_t flags = 0;

    for (enum bill_determinant d = DET_FLAG_GREEN; d <= DET_FLAG_YELLOW; d++) {
        flags += r->det[d] - b[d];
    }
    for (enum bill_determinant d = 0; d < DET_COUNT; d++) {
        bool post = d == DET_ENERGY_PEAK || d == DET_ENERGY_OFF_PEAK;
        bool flag = d >= DET_FLAG_GREEN && d <= DET_FLAG_YELLOW;
        compare(r, d, post && posts_moved ? E603 : flag && flags == 0 ? E609 : E601);
    }
}

static void compare_gaps(struct recount *r)
{
    const struct bill_meter *m = &r->a->bill.meter;
    bool same = r->listed_count == m->gap_count;

    for (size_t i = 0; same && i < m->gap_count; i++) {
        same = r->listed[i].from_s == m->gaps[i].from_s && r->listed[i].to_s == m->gaps[i].to_s;
    }
    if (!same) {
        found_values(r->a, E308, NOWHERE, (int64_t)r->listed_count, (int64_t)m->gap_count,
                     "the list of gaps");
    }
}

/* Energy in one hour is exact only where it cannot hide the largest demand. */
static void check_gaps(struct recount *r)
{
    uint64_t per_hour = HOUR_S / r->a->bill.parameters.interval_s;

    for (size_t i = 0; i < r->gap_count; i++) {
        const struct gap_energy *g = &r->gaps[i];
        struct hour_of h = hour_of(r, g->first);
        int64_t most = r->det[h.post == POST_PEAK ? DET_DEMAND_PEAK : DET_DEMAND_OFF_PEAK];
        if ((own_wide)g->act * per_hour * 1000 > (own_wide)most) {
            found(r->a, E502, AT_DAY(start_of(r, g->first)),
                  "a gap that may hold the largest demand is billed without an estimate");
        }
    }
}

static bool computable(struct audit *a)
{
    const struct bill *b = &a->bill;
    uint16_t interval = b->parameters.interval_s;

    if (HOUR_S % interval != 0 || (b->end_s - b->start_s) % interval != 0 ||
        (b->end_s - b->start_s) / interval > BUNDLE_RECORDS_MAX) {
        found(a, E101, NOWHERE, "a period of %lld s with intervals of %u s",
              (long long)(b->end_s - b->start_s), interval);
        return false;
    }
    return true;
}

err audit_determinants(struct audit *a)
{
    AUTO(mem_givep) struct recount *r = NULL;
    AUTO(mem_givep) struct slot *slots = NULL;

    if (!a->has_tariff || !a->has_calendar || !computable(a)) {
        return OK;
    }
    r = mem_take(sizeof *r);
    uint32_t count = (uint32_t)((a->bill.end_s - a->bill.start_s) / a->bill.parameters.interval_s);
    slots = mem_take(count * sizeof slots[0]);
    if (r == NULL || slots == NULL) {
        FAIL(ERR_LIMIT, "no memory for %u intervals", count);
    }
    r->a = a;
    r->count = count;
    r->slots = slots;
    slots_fill(r);
    sum_hours(r);
    sum_demand(r);
    compare_all(r);
    compare_gaps(r);
    check_gaps(r);
    return OK;
}

/* --- the terms: period, tariff, parameters --- */

static void check_force(struct audit *a, enum audit_code code, int32_t from, int32_t to,
                        const char *text)
{
    int64_t first = own_civil(&a->calendar, a->bill.start_s) / S_PER_DAY;
    int64_t last = own_civil(&a->calendar, a->bill.end_s - 1) / S_PER_DAY;

    if (first < from || last >= to) {
        found(a, code, NOWHERE, "%s", text);
    }
}

static void check_posts(struct audit *a)
{
    uint16_t interval = a->bill.parameters.interval_s;

    if ((S_PER_DAY / a->tariff.steps) % interval != 0 ||
        (a->tariff.window_start_min * 60) % interval != 0) {
        found(a, E603, NOWHERE, "edges of posts are no edges of intervals");
    }
}

static void check_parameters(struct audit *a)
{
    const struct bill_parameters *p = &a->bill.parameters;
    bool simulated = false;
    bool test = false;

    for (size_t i = 0; i < a->reading_count; i++) {
        simulated |= (a->readings[i].record.flags & RECORD_SIMULATED) != 0;
        test |= (a->readings[i].record.status & STATUS_TEST_MODE) != 0;
    }
    if (strcmp(p->subgroup, a->tariff.subgroup) != 0 ||
        strcmp(p->modality, a->tariff.modality) != 0) {
        found(a, E608, NOWHERE, "the contract is %s %s, the tariff %s %s", p->subgroup, p->modality,
              a->tariff.subgroup, a->tariff.modality);
    }
    if (p->contracted_w == 0) {
        found(a, E608, NOWHERE, "no contracted demand");
    }
    if (a->options->level == AUDIT_L1 && simulated != p->simulated) {
        found_values(a, E608, NOWHERE, simulated, p->simulated, "simulated readings");
    }
    if (a->tariff.production && (p->simulated || simulated || test)) {
        found(a, E608, NOWHERE, "simulated or test readings under a production tariff");
    }
}

/* Billed, unused and overrun demand must follow from the contracted demand that the bill names. */
static void check_contracted(struct audit *a)
{
    const int64_t *d = a->bill.determinants;
    int64_t contracted = a->bill.parameters.contracted_w * 1000;
    int64_t by_lines = contracted;

    if (d[DET_DEMAND_UNUSED] > 0) {
        by_lines = d[DET_DEMAND_MEASURED] + d[DET_DEMAND_UNUSED];
    } else if (d[DET_DEMAND_OVERRUN] > 0) {
        by_lines = d[DET_DEMAND_MEASURED] - d[DET_DEMAND_OVERRUN];
    } else if (d[DET_DEMAND_MEASURED] < contracted) {
        by_lines = d[DET_DEMAND_MEASURED];
    }
    if (by_lines != contracted) {
        found_values(a, E608, NOWHERE, contracted, by_lines, "contracted demand, mW");
    }
}

static void check_taxes(struct audit *a)
{
    const struct tariff_taxes *b = &a->bill.taxes;
    const struct tariff_taxes *t = &a->tariff.taxes;

    if (b->icms_ppm != t->icms_ppm) {
        found_values(a, E606, NOWHERE, t->icms_ppm, b->icms_ppm, "ICMS rate, ppm");
    }
    if (b->pis_cofins_ppm != t->pis_cofins_ppm) {
        found_values(a, E606, NOWHERE, t->pis_cofins_ppm, b->pis_cofins_ppm,
                     "PIS/COFINS rate, ppm");
    }
    if (b->withheld_demand_ppm != t->withheld_demand_ppm) {
        found_values(a, E606, NOWHERE, t->withheld_demand_ppm, b->withheld_demand_ppm,
                     "withholding on demand, ppm");
    }
    if (b->withheld_energy_ppm != t->withheld_energy_ppm) {
        found_values(a, E606, NOWHERE, t->withheld_energy_ppm, b->withheld_energy_ppm,
                     "withholding on energy, ppm");
    }
}

void audit_terms(struct audit *a)
{
    check_contracted(a);
    if (a->has_calendar) {
        if (!own_is_day_edge(&a->calendar, a->bill.start_s) ||
            !own_is_day_edge(&a->calendar, a->bill.end_s)) {
            found(a, E603, NOWHERE, "the period does not start and end at edges of civil days");
        }
        check_force(a, E603, a->calendar.valid_from_day, a->calendar.valid_to_day,
                    "the calendar is not in force on every day");
    }
    if (!a->has_tariff) {
        return;
    }
    if (a->has_calendar) {
        check_force(a, E602, a->tariff.valid_from_day, a->tariff.valid_to_day,
                    "the tariff is not in force on every day");
    }
    if (strcmp(a->bill.act, a->tariff.act) != 0 ||
        strcmp(a->bill.utility, a->tariff.utility) != 0) {
        found(a, E602, NOWHERE, "the bill names another act or utility than its tariff");
    }
    check_posts(a);
    check_parameters(a);
    check_taxes(a);
}
