/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of bills: integers only, one rounding a line, named by its rule.
 *
 * Quantities in milli-units, prices in 10^-8 R$ per unit, rates in parts per million, money in
 * centavos. Audit has its own copy of these rules on purpose. */
#pragma once

#include "lib/wire/bill.h"

__extension__ typedef unsigned __int128 money_wide;

#define MONEY_QUANTITY_MAX INT64_C(1000000000000000) /* 10^12 units */
#define MONEY_PRICE_MAX INT64_C(1000000000)          /* a multiple of a tariff's price */

enum money_rounding {
    MONEY_HALF_EVEN, /* half-even/1, the rule of our bills */
    MONEY_HALF_UP,
};

/* numerator / denominator, to the nearest; the denominator is not 0. */
money_wide money_round(money_wide numerator, money_wide denominator, enum money_rounding rule);

/* Fills the amounts of a line from its quantity and net price, taxes inside: gross, taxes, rest.
 * ERR_LIMIT names what passes its bound. */
err money_line(struct bill_line *line, int32_t icms_ppm, int32_t pis_cofins_ppm,
               enum money_rounding rule) MUST_USE;

/* Income tax withheld on sums in centavos. */
int64_t money_withheld(const struct tariff_taxes *t, int64_t energy_c, int64_t demand_c,
                       enum money_rounding rule);

uint64_t money_isqrt(money_wide n); /* floor of the exact root; n is below 2^128 */

#define REACTIVE_HOUR_MAX (UINT64_C(1) << 52)
struct reactive_hour {
    uint64_t excess_mwh;
    uint64_t equivalent_mw;
    bool below; /* the power factor is below 0.92 */
};
/* One hour of active and counted reactive energy, Wh and varh, both below REACTIVE_HOUR_MAX. */
struct reactive_hour money_reactive(uint64_t active_wh, uint64_t reactive_varh);
