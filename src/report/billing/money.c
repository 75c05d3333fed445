/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/money.h"

#include <assert.h>

#define PPM 1000000

money_wide money_round(money_wide numerator, money_wide denominator, enum money_rounding rule)
{
    money_wide whole = numerator / denominator;
    money_wide twice = (numerator % denominator) * 2;

    if (twice > denominator) {
        return whole + 1;
    }
    if (twice == denominator) {
        return rule == MONEY_HALF_UP ? whole + 1 : whole + whole % 2;
    }
    return whole;
}

err money_line(struct bill_line *line, int32_t icms_ppm, int32_t pis_cofins_ppm,
               enum money_rounding rule)
{
    int64_t q = line->quantity_milli;
    int64_t c = line->price_e8;

    if (q < 0 || q > MONEY_QUANTITY_MAX || c < 0 || c > MONEY_PRICE_MAX) {
        FAIL(ERR_LIMIT, "line %s: quantity or price is out of range", bill_line_name(line->id));
    }
    assert(icms_ppm >= 0 && icms_ppm <= TARIFF_ICMS_PPM_MAX);
    assert(pis_cofins_ppm >= 0 && pis_cofins_ppm <= TARIFF_PIS_COFINS_PPM_MAX);

    uint64_t without_taxes = (uint64_t)(PPM - icms_ppm) * (uint64_t)(PPM - pis_cofins_ppm);
    money_wide gross = money_round((money_wide)q * (money_wide)c * 1000, without_taxes, rule);
    if (gross > (money_wide)BILL_MONEY_MAX) {
        FAIL(ERR_LIMIT, "line %s: the amount is out of range", bill_line_name(line->id));
    }
    money_wide icms = money_round(gross * (unsigned)icms_ppm, PPM, rule);
    money_wide pis_cofins = money_round((gross - icms) * (unsigned)pis_cofins_ppm, PPM, rule);
    line->gross_c = (int64_t)gross;
    line->icms_c = (int64_t)icms;
    line->pis_cofins_c = (int64_t)pis_cofins;
    line->net_c = (int64_t)(gross - icms - pis_cofins);
    return OK;
}

int64_t money_withheld(const struct tariff_taxes *t, int64_t energy_c, int64_t demand_c,
                       enum money_rounding rule)
{
    money_wide sum = (money_wide)energy_c * (unsigned)t->withheld_energy_ppm +
                     (money_wide)demand_c * (unsigned)t->withheld_demand_ppm;

    return (int64_t)money_round(sum, PPM, rule);
}

static unsigned bit_length(money_wide n)
{
    uint64_t high = (uint64_t)(n >> 64);
    uint64_t low = (uint64_t)n;

    if (high != 0) {
        return 128 - (unsigned)__builtin_clzll(high);
    }
    return low != 0 ? 64 - (unsigned)__builtin_clzll(low) : 0;
}

/* Newton from above: falls until the floor is reached. */
static uint64_t isqrt_64(uint64_t n, unsigned bits)
{
    uint64_t x = UINT64_C(1) << ((bits + 1) / 2);

    for (;;) {
        uint64_t y = (x + n / x) / 2;
        if (y >= x) {
            return x;
        }
        x = y;
    }
}

static uint64_t isqrt_128(money_wide n, unsigned bits)
{
    money_wide x = (money_wide)1 << ((bits + 1) / 2);

    for (;;) {
        money_wide y = (x + n / x) / 2;
        if (y >= x) {
            return (uint64_t)x;
        }
        x = y;
    }
}

uint64_t money_isqrt(money_wide n)
{
    unsigned bits = bit_length(n);

    if (bits == 0) {
        return 0;
    }
    /* The narrow division is several times faster and serves nearly every hour. */
    return bits <= 62 ? isqrt_64((uint64_t)n, bits) : isqrt_128(n, bits);
}

struct reactive_hour money_reactive(uint64_t active_wh, uint64_t reactive_varh)
{
    assert(active_wh < REACTIVE_HOUR_MAX && reactive_varh < REACTIVE_HOUR_MAX);

    money_wide active_squared = (money_wide)active_wh * active_wh;
    money_wide apparent_squared = active_squared + (money_wide)reactive_varh * reactive_varh;

    /* 0.92 squared is 0.8464; an hour without active energy has no excess, whatever Q is. */
    if (active_wh == 0 || 10000 * active_squared >= 8464 * apparent_squared) {
        return (struct reactive_hour){ 0, active_wh * 1000, false };
    }
    uint64_t v = money_isqrt(846400 * apparent_squared);
    return (struct reactive_hour){ v - active_wh * 1000, v, true };
}
