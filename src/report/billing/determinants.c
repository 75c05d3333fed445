/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/determinants.h"

#include "lib/wire/record.h"

#define HOUR_S 3600
#define MILLI 1000
#define PULSE_W 8 /* one pulse of a meter in an interval of 15 minutes, rounded up */

struct spread { /* energy known as a sum over several intervals of one hour */
    uint64_t active;
    uint32_t first; /* missing slots [first, behind) */
    uint32_t behind;
    uint8_t post;
};

struct tally {
    const struct plan *plan;
    struct refusals *refusals;
    struct bill_meter *gaps;
    uint64_t energy[POST_COUNT];
    uint64_t flag[FLAG_COLOURS];
    uint64_t demand_mw[POST_COUNT];
    uint64_t excess_mwh[POST_COUNT];
    uint64_t equivalent_mw[POST_COUNT];
    uint32_t hours_below;
    uint32_t hour;                     /* the hour being summed */
    const struct plan_slot *hour_slot; /* its first interval, NULL before the first */
    struct registers hour_sum;
    struct spread spreads[BILL_GAPS_MAX];
    size_t spread_count;
};

/* Sums stay in range; what reaches the cap is refused at the end by its name. */
static void add_capped(uint64_t *sum, uint64_t more)
{
    *sum = more > (uint64_t)INT64_MAX - *sum ? (uint64_t)INT64_MAX : *sum + more;
}

/* Mean power of one interval with this energy. */
static uint64_t power_of(const struct plan *p, uint64_t active_wh)
{
    uint64_t power;

    if (__builtin_mul_overflow(active_wh, (uint64_t)(HOUR_S / p->interval_s) * MILLI, &power) ||
        power > (uint64_t)INT64_MAX) {
        return (uint64_t)INT64_MAX;
    }
    return power;
}

static int64_t slot_start(const struct plan *p, uint32_t slot)
{
    return p->start_s + (int64_t)slot * p->interval_s;
}

static void hour_close(struct tally *t)
{
    const struct plan_slot *s = t->hour_slot;

    if (s == NULL) {
        return;
    }
    uint64_t reactive = s->capacitive ? t->hour_sum.e_cap : t->hour_sum.e_ind;
    if (t->hour_sum.e_act >= REACTIVE_HOUR_MAX || reactive >= REACTIVE_HOUR_MAX) {
        refusal_add(t->refusals, REFUSAL_RANGE, 0, 0, "the energy of an hour passes 2^52");
        return;
    }
    struct reactive_hour h = money_reactive(t->hour_sum.e_act, reactive);
    t->hours_below += h.below;
    add_capped(&t->excess_mwh[s->post], h.excess_mwh);
    if (h.equivalent_mw > t->equivalent_mw[s->post]) {
        t->equivalent_mw[s->post] = h.equivalent_mw;
    }
}

static void energy_add(struct tally *t, const struct plan_slot *s, const struct registers *d)
{
    if (t->hour_slot == NULL || s->hour != t->hour) {
        hour_close(t);
        t->hour = s->hour;
        t->hour_slot = s;
        t->hour_sum = (struct registers){ 0 };
    }
    t->hour_sum.e_act += d->e_act;
    t->hour_sum.e_ind += d->e_ind;
    t->hour_sum.e_cap += d->e_cap;
    t->energy[s->post] += d->e_act;
    t->flag[s->flag] += d->e_act;
}

static void interval_add(struct tally *t, uint32_t slot, const struct registers *d)
{
    const struct plan_slot *s = &t->plan->slots[slot];
    uint64_t power = power_of(t->plan, d->e_act);

    energy_add(t, s, d);
    if (power > t->demand_mw[s->post]) {
        t->demand_mw[s->post] = power;
    }
}

static void gap_list(struct tally *t, uint32_t first, uint32_t behind)
{
    struct bill_meter *m = t->gaps;

    if (m->gap_count == BILL_GAPS_MAX) {
        refusal_add(t->refusals, REFUSAL_GAP, slot_start(t->plan, first),
                    slot_start(t->plan, behind), "more than %d gaps", BILL_GAPS_MAX);
        return;
    }
    m->gaps[m->gap_count++] =
        (struct bill_gap){ slot_start(t->plan, first), slot_start(t->plan, behind) };
}

bool point_explains(const struct point *p, uint64_t active_wh)
{
    if (p->demand_w < 0 || active_wh >= UINT32_MAX) {
        return false; /* READ_MISSING is negative */
    }
    int64_t difference = (int64_t)(active_wh * HOUR_S / p->interval_s) - p->demand_w;

    return difference >= -PULSE_W && difference <= PULSE_W;
}

/* The energy across missing slots [first, behind) and slot `last` behind them is known from the
 * registers, its place in time is not. Exact are: no energy at all; all of it in the interval of
 * the reading behind the gap, which says so itself; and one hour that cannot hold the largest
 * demand (checked at the end). `p` is the reading behind the gap, NULL at the end of the period. */
static void gap_add(struct tally *t, uint32_t first, uint32_t behind, const struct point *p,
                    const struct registers *d)
{
    const struct plan_slot *slots = t->plan->slots;
    uint32_t last = p != NULL ? behind : behind - 1;

    gap_list(t, first, behind);
    if (d->e_act == 0 && d->e_ind == 0 && d->e_cap == 0) {
        return;
    }
    if (p != NULL && point_explains(p, d->e_act)) {
        interval_add(t, last, d);
        return;
    }
    if (slots[first].hour != slots[last].hour || t->spread_count == BILL_GAPS_MAX) {
        refusal_add(t->refusals, REFUSAL_GAP, slot_start(t->plan, first),
                    slot_start(t->plan, behind),
                    "%u intervals are missing and %llu Wh fell among them", behind - first,
                    (unsigned long long)d->e_act);
        return;
    }
    energy_add(t, &slots[last], d);
    t->spreads[t->spread_count++] = (struct spread){ d->e_act, first, behind, slots[last].post };
}

static void spreads_check(struct tally *t)
{
    for (size_t i = 0; i < t->spread_count; i++) {
        const struct spread *s = &t->spreads[i];
        if (power_of(t->plan, s->active) > t->demand_mw[s->post]) {
            refusal_add(t->refusals, REFUSAL_GAP, slot_start(t->plan, s->first),
                        slot_start(t->plan, s->behind),
                        "the missing intervals may hold the largest demand");
        }
    }
}

static bool registers_present(const struct registers *r)
{
    return r->e_act != REGISTER_MISSING && r->e_ind != REGISTER_MISSING &&
           r->e_cap != REGISTER_MISSING;
}

/* The differences from `a` to `b`; false when a register went back or leapt out of range. */
static bool registers_step(const struct registers *a, const struct registers *b,
                           struct registers *out)
{
    *out = (struct registers){ b->e_act - a->e_act, b->e_ind - a->e_ind, b->e_cap - a->e_cap };
    return b->e_act >= a->e_act && b->e_ind >= a->e_ind && b->e_cap >= a->e_cap &&
           b->e_act <= (uint64_t)CANON_INT_MAX && b->e_ind <= (uint64_t)CANON_INT_MAX &&
           b->e_cap <= (uint64_t)CANON_INT_MAX;
}

static void tally_points(struct tally *t, const struct usage *u)
{
    const struct plan *p = t->plan;
    struct registers last = u->opening;
    struct registers d;
    uint32_t next = 0; /* the first slot not accounted for */

    for (size_t i = 0; i < u->count; i++) {
        uint32_t slot = (uint32_t)((u->points[i].end_s - p->start_s) / p->interval_s) - 1;
        if (!registers_present(&u->points[i].at)) {
            continue;
        }
        if (!registers_step(&last, &u->points[i].at, &d)) {
            refusal_add(t->refusals, REFUSAL_REGISTER, slot_start(p, slot), slot_start(p, slot + 1),
                        "a register went back at sequence %u", u->points[i].sequence);
            return;
        }
        if (slot == next) {
            interval_add(t, slot, &d);
        } else {
            gap_add(t, next, slot, &u->points[i], &d);
        }
        last = u->points[i].at;
        next = slot + 1;
    }
    if (!registers_step(&last, &u->closing, &d)) {
        refusal_add(t->refusals, REFUSAL_REGISTER, 0, 0,
                    "the closing seal has lower registers than the last reading");
    } else if (next < p->count) {
        gap_add(t, next, p->count, NULL, &d);
    } else if (d.e_act != 0 || d.e_ind != 0 || d.e_cap != 0) {
        refusal_add(t->refusals, REFUSAL_REGISTER, 0, 0,
                    "the closing seal has other registers than the last reading");
    }
    hour_close(t);
}

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t above(int64_t a, int64_t b)
{
    return a > b ? a - b : 0;
}

/* Green has one demand: the larger of the posts. */
static void demand_determine(const struct tariff *t, int64_t contracted_w, int64_t d[DET_COUNT])
{
    int64_t contracted = contracted_w * MILLI;
    int64_t measured = max_of(d[DET_DEMAND_PEAK], d[DET_DEMAND_OFF_PEAK]);
    int64_t equivalent =
        max_of(d[DET_REACTIVE_EQUIVALENT_PEAK], d[DET_REACTIVE_EQUIVALENT_OFF_PEAK]);
    bool overrun =
        100 * (money_wide)measured > (money_wide)contracted * (unsigned)t->overrun_percent;

    d[DET_DEMAND_MEASURED] = measured;
    d[DET_DEMAND_BILLED] = max_of(measured, contracted);
    d[DET_DEMAND_UNUSED] = above(contracted, measured);
    d[DET_DEMAND_OVERRUN] = overrun ? measured - contracted : 0;
    d[DET_REACTIVE_DEMAND_EXCESS] = above(equivalent, d[DET_DEMAND_BILLED]);
}

void determinants_compute(const struct plan *p, const struct tariff *t, const struct usage *u,
                          int64_t contracted_w, int64_t out[DET_COUNT], struct bill_meter *gaps,
                          struct refusals *refusals)
{
    struct tally sum = { .plan = p, .refusals = refusals, .gaps = gaps };

    tally_points(&sum, u);
    spreads_check(&sum);
    for (enum flag_colour i = 0; i < FLAG_COLOURS; i++) {
        out[DET_FLAG_GREEN + i] = (int64_t)sum.flag[i];
    }
    out[DET_ENERGY_PEAK] = (int64_t)sum.energy[POST_PEAK];
    out[DET_ENERGY_OFF_PEAK] = (int64_t)sum.energy[POST_OFF_PEAK];
    out[DET_DEMAND_PEAK] = (int64_t)sum.demand_mw[POST_PEAK];
    out[DET_DEMAND_OFF_PEAK] = (int64_t)sum.demand_mw[POST_OFF_PEAK];
    out[DET_HOURS] = p->hours;
    out[DET_HOURS_WITH_EXCESS] = sum.hours_below;
    out[DET_REACTIVE_CAPACITIVE] = (int64_t)(u->closing.e_cap - u->opening.e_cap);
    out[DET_REACTIVE_INDUCTIVE] = (int64_t)(u->closing.e_ind - u->opening.e_ind);
    out[DET_REACTIVE_EQUIVALENT_PEAK] = (int64_t)sum.equivalent_mw[POST_PEAK];
    out[DET_REACTIVE_EQUIVALENT_OFF_PEAK] = (int64_t)sum.equivalent_mw[POST_OFF_PEAK];
    out[DET_REACTIVE_EXCESS_PEAK] = (int64_t)sum.excess_mwh[POST_PEAK];
    out[DET_REACTIVE_EXCESS_OFF_PEAK] = (int64_t)sum.excess_mwh[POST_OFF_PEAK];
    demand_determine(t, contracted_w, out);
    for (enum bill_determinant i = 0; i < DET_COUNT; i++) {
        if (out[i] < 0 || out[i] > CANON_INT_MAX) {
            refusal_add(refusals, REFUSAL_RANGE, 0, 0, "determinant %s passes 2^53",
                        bill_determinant_name(i));
        }
    }
}

/* --- pricing --- */

struct priced { /* a line before its amounts */
    enum bill_line_id id;
    int64_t quantity_milli;
    int64_t price_e8;
};

static err line_add(struct bill *b, const struct priced *p)
{
    struct bill_line *l = &b->lines[b->line_count];
    /* Demand that was contracted but not used is no circulation of goods: no ICMS. */
    int32_t icms = p->id == LINE_DEMAND_UNUSED ? 0 : b->taxes.icms_ppm;

    if (p->quantity_milli == 0 || p->price_e8 == 0) {
        return OK;
    }
    *l = (struct bill_line){ .id = p->id,
                             .quantity_milli = p->quantity_milli,
                             .price_e8 = p->price_e8 };
    TRY(money_line(l, icms, b->taxes.pis_cofins_ppm, MONEY_HALF_EVEN));
    b->line_count++;
    return OK;
}

static void total_up(struct bill *b)
{
    int64_t energy = 0;
    int64_t demand = 0;

    for (size_t i = 0; i < b->line_count; i++) {
        *(bill_line_is_demand(b->lines[i].id) ? &demand : &energy) += b->lines[i].gross_c;
    }
    b->withheld_c =
        b->parameters.public_body ? money_withheld(&b->taxes, energy, demand, MONEY_HALF_EVEN) : 0;
    b->total_c = energy + demand - b->withheld_c;
}

err determinants_price(const struct tariff *t, struct bill *b)
{
    const int64_t *d = b->determinants;
    const int64_t *price = t->prices_e8;
    int64_t excess = d[DET_REACTIVE_EXCESS_PEAK] + d[DET_REACTIVE_EXCESS_OFF_PEAK];

    b->taxes = t->taxes;
    b->line_count = 0;
    const struct priced lines[] = {
        { LINE_DEMAND, d[DET_DEMAND_MEASURED], price[PRICE_DEMAND] },
        { LINE_DEMAND_UNUSED, d[DET_DEMAND_UNUSED], price[PRICE_DEMAND] },
        { LINE_OVERRUN, d[DET_DEMAND_OVERRUN], price[PRICE_DEMAND] * t->overrun_factor },
        { LINE_TE_OFF_PEAK, d[DET_ENERGY_OFF_PEAK] * MILLI, price[PRICE_TE_OFF_PEAK] },
        { LINE_TE_PEAK, d[DET_ENERGY_PEAK] * MILLI, price[PRICE_TE_PEAK] },
        { LINE_TUSD_OFF_PEAK, d[DET_ENERGY_OFF_PEAK] * MILLI, price[PRICE_TUSD_OFF_PEAK] },
        { LINE_TUSD_PEAK, d[DET_ENERGY_PEAK] * MILLI, price[PRICE_TUSD_PEAK] },
        { LINE_FLAG_GREEN, d[DET_FLAG_GREEN] * MILLI, t->flags_e8[FLAG_GREEN] },
        { LINE_FLAG_RED1, d[DET_FLAG_RED1] * MILLI, t->flags_e8[FLAG_RED1] },
        { LINE_FLAG_RED2, d[DET_FLAG_RED2] * MILLI, t->flags_e8[FLAG_RED2] },
        { LINE_FLAG_YELLOW, d[DET_FLAG_YELLOW] * MILLI, t->flags_e8[FLAG_YELLOW] },
        { LINE_REACTIVE_ENERGY, excess, price[PRICE_REACTIVE_ENERGY] },
        { LINE_REACTIVE_DEMAND, d[DET_REACTIVE_DEMAND_EXCESS], price[PRICE_REACTIVE_DEMAND] },
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        TRY(line_add(b, &lines[i]));
    }
    total_up(b);
    return OK;
}
