/* SPDX-License-Identifier: Apache-2.0 */
/* Load profiles of made-up customers: smooth shapes by class, season and kind of day, a scale and a
 * character per meter, noise, jumps and absences.
 *
 * Everything is a pure function of (seed, meter, day), so that any report can be computed again to
 * check what arrived. The shapes are our own; no measured data is in them. */
#pragma once

#include "edge/meter/sample.h"
#include "lib/base/rand.h"

#define PROFILE_SLOTS 96 /* quarter hours of a civil day */

enum profile_class {
    PROFILE_HOME, /* blocks of flats with one meter */
    PROFILE_SHOP,
    PROFILE_OFFICE,
    PROFILE_NIGHT_SHIFT,
    PROFILE_STEADY, /* industry around the clock */
    PROFILE_FARM,
    PROFILE_SCHOOL,
    PROFILE_CLASSES,
    PROFILE_MIXED = PROFILE_CLASSES, /* drawn per meter */
};

const char *profile_class_name(enum profile_class c);
/* A class by its name, or "mixed". ERR_PROTO lists the names. */
err profile_class_parse(const char *name, enum profile_class *out) MUST_USE;

/* What is fixed for one customer. */
struct profile_site {
    uint64_t meter;
    uint64_t seed;
    enum profile_class class;
    double peak_w;         /* expected peak of active power, about 20 kW to 600 kW */
    double power_factor;   /* of the load, inductive */
    double capacitor_var;  /* fixed compensation; leads when the load is low */
    double noise;          /* deviation of the relative noise */
    double shift_h;        /* how much later than others its day begins */
    double weekend;        /* factor on its weekends */
    double share_p[METER_PHASES];
    double share_q[METER_PHASES];
    uint32_t contracted_w; /* a round number near the peak */
    int32_t un_cv;         /* nominal phase voltage, 0.01 V */
    int32_t imax_ma;
};

struct profile_site profile_site(uint64_t seed, uint64_t meter, enum profile_class class);

struct profile_slot { /* energies of a quarter hour */
    uint32_t wh;
    uint32_t varh_ind;
    uint32_t varh_cap;
};

/* The day that begins at `day_start_s` (UTC second of local midnight). */
void profile_day(const struct profile_site *site, uint32_t day_start_s, int32_t zone_offset_s,
                 struct profile_slot out[PROFILE_SLOTS]);

/* Voltages, distortion and frequency that fit the energies of the interval ending at `end_s`. */
void profile_sample(const struct profile_site *site, uint32_t end_s,
                    const struct profile_slot *slot, struct meter_sample *out);
