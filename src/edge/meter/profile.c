/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/profile.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/base/clock.h"

#define TWO_PI 6.283185307179586
#define SLOT_HOURS 0.25
#define PLATEAUS_MAX 3
#define WARMEST_DAY 20.0       /* day of the year: the southern summer */
#define NOISE_MEMORY 0.85      /* of the relative noise, from slot to slot */
#define JUMP_CHANCE 0.08       /* per day */
#define ABSENCE_DAYS 7
#define ABSENCE_CHANCE 0.03    /* per stretch of ABSENCE_DAYS */
#define ABSENCE_LEVEL 0.25
#define LOAD_SAG 0.03          /* voltage lost at full load */

enum day_kind { WORKDAY, SATURDAY, SUNDAY, DAY_KINDS };

/* A stretch of the day with smooth ends. `summer` is how much higher it stands in the hottest days
 * (and lower in the coldest). Hours may pass midnight. */
struct plateau {
    double from_h, to_h, ramp_h;
    double height;
    double summer;
};

struct shape {
    double base;
    struct plateau plateaus[PLATEAUS_MAX];
};

struct class_traits {
    const char *name;
    double peak_low_w, peak_high_w;
    double pf_low, pf_high;
    double capacitor; /* chance of a fixed capacitor */
    double noise;
    struct shape days[DAY_KINDS];
};

static const struct class_traits classes[PROFILE_CLASSES] = {
    [PROFILE_HOME] = { "home", 20e3, 90e3, 0.92, 0.97, 0.05, 0.09, {
        { 0.22, { { 6, 8, 0.8, 0.25, 0 }, { 11.5, 13.5, 1, 0.15, 0.2 },
                  { 18, 22.5, 1.2, 0.6, 0.15 } } },
        { 0.24, { { 8, 13, 1.5, 0.3, 0.2 }, { 17.5, 23, 1.5, 0.5, 0.15 } } },
        { 0.24, { { 9, 14, 1.5, 0.35, 0.25 }, { 17.5, 22.5, 1.5, 0.5, 0.15 } } },
    } },
    [PROFILE_SHOP] = { "shop", 30e3, 250e3, 0.88, 0.95, 0.3, 0.05, {
        { 0.2, { { 8.5, 19.5, 0.7, 0.6, 0.25 }, { 11, 17, 1.5, 0.12, 0.6 } } },
        { 0.2, { { 8.5, 18, 0.7, 0.65, 0.25 }, { 10, 15, 1.5, 0.12, 0.6 } } },
        { 0.18, { { 12, 18, 1, 0.2, 0.3 } } },
    } },
    [PROFILE_OFFICE] = { "office", 40e3, 400e3, 0.9, 0.96, 0.4, 0.045, {
        { 0.16, { { 7.5, 18.5, 0.8, 0.6, 0.25 }, { 13, 17, 1.2, 0.2, 0.6 } } },
        { 0.15, { { 8, 13, 1, 0.15, 0.3 } } },
        { 0.14, { { 9, 17, 2, 0.03, 0.3 } } },
    } },
    [PROFILE_NIGHT_SHIFT] = { "night_shift", 80e3, 600e3, 0.84, 0.93, 0.6, 0.08, {
        { 0.2, { { 21.5, 29.75, 0.4, 0.75, 0.05 }, { 8, 12, 1, 0.1, 0 } } },
        { 0.18, { { 0, 5.5, 0.4, 0.7, 0.05 } } },
        { 0.12, { { 22, 24.5, 0.4, 0.6, 0.05 } } },
    } },
    [PROFILE_STEADY] = { "steady", 100e3, 600e3, 0.86, 0.95, 0.6, 0.06, {
        { 0.55, { { 6, 22, 0.6, 0.35, 0.08 } } },
        { 0.52, { { 6, 16, 0.6, 0.28, 0.08 } } },
        { 0.45, { { 6, 14, 0.8, 0.1, 0.08 } } },
    } },
    [PROFILE_FARM] = { "farm", 20e3, 150e3, 0.82, 0.92, 0.2, 0.1, {
        { 0.15, { { 4.5, 7, 0.6, 0.5, 0 }, { 15.5, 18, 0.6, 0.45, 0 },
                  { 21.5, 29, 0.5, 0.3, 0.8 } } },
        { 0.15, { { 4.5, 7, 0.6, 0.5, 0 }, { 15.5, 18, 0.6, 0.45, 0 },
                  { 21.5, 29, 0.5, 0.3, 0.8 } } },
        { 0.15, { { 4.5, 7, 0.6, 0.48, 0 }, { 15.5, 18, 0.6, 0.43, 0 },
                  { 21.5, 29, 0.5, 0.3, 0.8 } } },
    } },
    [PROFILE_SCHOOL] = { "school", 25e3, 160e3, 0.9, 0.96, 0.2, 0.06, {
        { 0.12, { { 7, 12, 0.5, 0.55, 0.3 }, { 13, 17.5, 0.5, 0.5, 0.4 },
                  { 18.5, 22.5, 0.5, 0.4, 0.2 } } },
        { 0.11, { { 8, 12, 0.8, 0.12, 0.2 } } },
        { 0.1, { { 9, 12, 1, 0.02, 0 } } },
    } },
};

const char *profile_class_name(enum profile_class c)
{
    assert(c <= PROFILE_MIXED);
    return c == PROFILE_MIXED ? "mixed" : classes[c].name;
}

err profile_class_parse(const char *name, enum profile_class *out)
{
    for (unsigned c = 0; c <= PROFILE_MIXED; c++) {
        if (strcmp(name, profile_class_name(c)) == 0) {
            *out = c;
            return OK;
        }
    }
    FAIL(ERR_PROTO, "class \"%s\" is unknown; there are mixed, home, shop, office, night_shift, "
         "steady, farm, school", name);
}

/* Independent streams of one customer. */
enum stream { STREAM_SITE = 1, STREAM_DAY, STREAM_ABSENCE, STREAM_GRID };

static struct rand64 stream_of(uint64_t seed, uint64_t meter, enum stream which, uint64_t n)
{
    return (struct rand64){ rand64_mix(seed, meter, (uint64_t)which << 56 ^ n) };
}

static void draw_shares(struct rand64 *r, double spread, double out[METER_PHASES])
{
    double sum = 0;

    for (int i = 0; i < METER_PHASES; i++) {
        out[i] = 1 + spread * (2 * rand64_unit(r) - 1);
        sum += out[i];
    }
    for (int i = 0; i < METER_PHASES; i++) {
        out[i] /= sum;
    }
}

/* Contracts are made in round numbers: 5 kW up to 100, then 10 kW. */
static uint32_t round_contract(double peak_w)
{
    double unit = peak_w < 100e3 ? 5e3 : 10e3;
    double w = nearbyint(peak_w / unit) * unit;

    return (uint32_t)(w < 30e3 ? 30e3 : w); /* no contract of this group is below 30 kW */
}

struct profile_site profile_site(uint64_t seed, uint64_t meter, enum profile_class class)
{
    struct rand64 r = stream_of(seed, meter, STREAM_SITE, 0);
    uint64_t drawn = rand64_below(&r, PROFILE_CLASSES);
    struct profile_site s = { .meter = meter, .seed = seed,
                              .class = class == PROFILE_MIXED ? (enum profile_class)drawn : class };
    const struct class_traits *c = &classes[s.class];

    s.peak_w = c->peak_low_w * pow(c->peak_high_w / c->peak_low_w, rand64_unit(&r));
    s.power_factor = rand64_range(&r, c->pf_low, c->pf_high);
    s.capacitor_var = rand64_unit(&r) < c->capacitor ? s.peak_w * rand64_range(&r, 0.08, 0.2) : 0;
    s.noise = c->noise * rand64_range(&r, 0.6, 1.4);
    s.shift_h = rand64_range(&r, -0.75, 0.75);
    s.weekend = rand64_range(&r, 0.8, 1.2);
    draw_shares(&r, 0.15, s.share_p);
    draw_shares(&r, 0.2, s.share_q);
    s.contracted_w = round_contract(s.peak_w);
    s.un_cv = rand64_below(&r, 3) == 0 ? 22000 : 12700;
    s.imax_ma = (int32_t)(s.peak_w / (3 * s.un_cv / 100.0) * 2000);
    return s;
}

/* 0 outside, 1 inside, smooth at both ends; hours of the days before and after count too. */
static double plateau_at(const struct plateau *p, double h)
{
    double v = 0;

    for (int day = -1; day <= 1; day++) {
        double x = h + 24 * day;
        v += 0.5 * (tanh((x - p->from_h) / p->ramp_h) - tanh((x - p->to_h) / p->ramp_h));
    }
    return v;
}

static double shape_at(const struct shape *s, double h, double warmth)
{
    double v = s->base;

    for (int i = 0; i < PLATEAUS_MAX && s->plateaus[i].ramp_h > 0; i++) {
        const struct plateau *p = &s->plateaus[i];
        v += p->height * (1 + p->summer * 0.5 * warmth) * plateau_at(p, h);
    }
    return v;
}

struct day {
    enum day_kind kind;
    double warmth; /* 1 in the hottest days, -1 in the coldest */
    double level;  /* of this day, and of an absence */
    double jump;   /* part of the peak that a jump adds */
    uint64_t jump_from, jump_to;
};

static double absence_level(const struct profile_site *site, uint64_t day_number)
{
    struct rand64 r = stream_of(site->seed, site->meter, STREAM_ABSENCE, day_number / ABSENCE_DAYS);

    return rand64_unit(&r) < ABSENCE_CHANCE ? ABSENCE_LEVEL : 1;
}

static struct day draw_day(const struct profile_site *site, int64_t local_s, struct rand64 *r)
{
    struct civil c = civil_from_s(local_s);
    uint32_t weekday = civil_weekday(local_s);
    double year_day = (double)(civil_to_days(c.year, c.month, c.day) - civil_to_days(c.year, 1, 1));
    struct day d = {
        .kind = weekday == 1 ? SUNDAY : weekday == 7 ? SATURDAY : WORKDAY,
        .warmth = cos(TWO_PI * (year_day - WARMEST_DAY) / 365.25),
    };

    d.level = exp(0.06 * rand64_normal(r)) * absence_level(site, (uint64_t)(local_s / S_PER_DAY));
    d.level *= d.kind == WORKDAY ? 1 : site->weekend;
    bool jumps = rand64_unit(r) < JUMP_CHANCE;
    d.jump = rand64_range(r, 0.1, 0.3) * jumps;
    d.jump_from = rand64_below(r, PROFILE_SLOTS);
    d.jump_to = d.jump_from + 4 + rand64_below(r, 16);
    return d;
}

static struct profile_slot make_slot(const struct profile_site *site, double watts, double pf)
{
    double vars = watts * tan(acos(pf)) - site->capacitor_var;
    struct profile_slot s = { .wh = (uint32_t)nearbyint(watts * SLOT_HOURS) };
    uint32_t varh = (uint32_t)nearbyint(fabs(vars) * SLOT_HOURS);

    if (vars >= 0) {
        s.varh_ind = varh;
    } else {
        s.varh_cap = varh;
    }
    return s;
}

void profile_day(const struct profile_site *site, uint32_t day_start_s, int32_t zone_offset_s,
                 struct profile_slot out[PROFILE_SLOTS])
{
    int64_t local_s = (int64_t)day_start_s + zone_offset_s;
    struct rand64 r = stream_of(site->seed, site->meter, STREAM_DAY, (uint64_t)local_s / S_PER_DAY);
    struct day d = draw_day(site, local_s, &r);
    const struct shape *shape = &classes[site->class].days[d.kind];
    double noise = rand64_normal(&r);

    for (unsigned t = 0; t < PROFILE_SLOTS; t++) {
        double h = (t + 0.5) * SLOT_HOURS - site->shift_h;
        noise = NOISE_MEMORY * noise +
                sqrt(1 - NOISE_MEMORY * NOISE_MEMORY) * rand64_normal(&r);
        double v = shape_at(shape, h, d.warmth) * d.level * exp(site->noise * noise);
        v += t >= d.jump_from && t < d.jump_to ? d.jump : 0;
        double pf = site->power_factor + rand64_range(&r, -0.02, 0.02);
        out[t] = make_slot(site, v * site->peak_w, pf < 0.995 ? pf : 0.995);
    }
}

void profile_sample(const struct profile_site *site, uint32_t end_s,
                    const struct profile_slot *slot, struct meter_sample *out)
{
    struct rand64 r = stream_of(site->seed, site->meter, STREAM_GRID, end_s);
    struct rand64 grid = stream_of(site->seed, 0, STREAM_GRID, end_s); /* one frequency for all */
    double load = slot->wh / SLOT_HOURS / site->peak_w;
    double un = site->un_cv / 100.0;

    *out = (struct meter_sample){ .wh = slot->wh, .varh_ind = slot->varh_ind,
                                  .varh_cap = slot->varh_cap,
                                  .hertz = 60 + 0.015 * rand64_normal(&grid) };
    for (int i = 0; i < METER_PHASES; i++) {
        out->share_p[i] = site->share_p[i];
        out->share_q[i] = site->share_q[i];
        out->volts[i] = un * (1.005 - LOAD_SAG * load + 0.002 * rand64_normal(&r));
        out->thd_v[i] = 1.8 + 0.3 * rand64_unit(&r);
        /* Distortion of the current grows as the load falls. */
        out->thd_i[i] = 4 + 6 / (0.3 + load) * rand64_range(&r, 0.9, 1.1);
    }
}
