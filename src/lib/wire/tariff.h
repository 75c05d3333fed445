/* SPDX-License-Identifier: Apache-2.0 */
/* The tariff document: prices net of tax, tax rates, posts and the rules' parameters, for
 * the green modality of group A.
 *
 * Money is in 10^-8 R$ per W or Wh, i.e. 10^-5 R$ per kW or kWh; rates in parts per million.
 * Tariffs are never edited, only superseded. This module is the layout only. */
#pragma once

#include "lib/wire/calendar.h"

#define TARIFF_TEXT_BYTES 64
#define TARIFF_UTILITY_DIGITS 14 /* company registration number */
#define TARIFF_STEPS_MAX 96
#define TARIFF_PRICE_MAX INT64_C(100000000) /* 1000 R$ per kW or kWh */
#define TARIFF_ICMS_PPM_MAX 899999
#define TARIFF_PIS_COFINS_PPM_MAX 499999

enum post { POST_OFF_PEAK, POST_PEAK, POST_COUNT }; /* the digits of the post tables */

enum tariff_price {
    PRICE_DEMAND,          /* TUSD, per kW; overrun is a multiple of it */
    PRICE_REACTIVE_DEMAND, /* VR_DRE, per kW */
    PRICE_REACTIVE_ENERGY, /* VR_ERE, per kWh */
    PRICE_TE_OFF_PEAK,
    PRICE_TE_PEAK,
    PRICE_TUSD_OFF_PEAK,
    PRICE_TUSD_PEAK,
    PRICE_COUNT
};
const char *tariff_price_name(enum tariff_price p);

struct tariff_taxes { /* parts per million */
    int32_t icms_ppm;
    int32_t pis_cofins_ppm;
    int32_t withheld_demand_ppm; /* income tax withheld by public bodies */
    int32_t withheld_energy_ppm;
};

struct tariff {
    char act[TARIFF_TEXT_BYTES]; /* the legal act that set it */
    char distributor[TARIFF_TEXT_BYTES];
    char utility[TARIFF_UTILITY_DIGITS + 1];
    char subgroup[8];
    char modality[16];
    bool production;        /* false: simulated and test readings may be billed by it */
    int32_t valid_from_day; /* civil days of the calendar, [from, to) */
    int32_t valid_to_day;
    int64_t prices_e8[PRICE_COUNT];
    int64_t flags_e8[FLAG_COLOURS];
    struct tariff_taxes taxes;
    int32_t overrun_percent;               /* above this share of the contracted demand: overrun */
    int32_t overrun_factor;                /* times the demand price */
    int32_t window_start_min;              /* of the six capacitive hours, minutes after midnight */
    uint8_t steps;                         /* 24 or 96 entries a day */
    uint8_t weekday[12][TARIFF_STEPS_MAX]; /* enum post by month and step */
    uint8_t weekend[12][TARIFF_STEPS_MAX]; /* Saturday, Sunday, holiday */
};

#define TARIFF_WINDOW_HOURS 6

err tariff_write(const struct tariff *t, struct buf *out) MUST_USE;
err tariff_parse(struct bytes text, struct tariff *out) MUST_USE;
struct digest tariff_hash(struct bytes text);
