/* SPDX-License-Identifier: Apache-2.0 */
/* From registers at interval ends to the quantities that are priced. */
#pragma once

#include "report/billing/money.h"
#include "report/billing/plan.h"
#include "report/billing/refusal.h"

struct registers {
    uint64_t e_act; /* Wh, varh; REGISTER_MISSING when not measured */
    uint64_t e_ind;
    uint64_t e_cap;
};

struct point { /* what billing keeps of a record */
    uint32_t sequence;
    uint32_t end_s;
    uint16_t status;
    uint16_t interval_s;
    uint8_t quality; /* enum quality: what validation found when it was stored */
    bool simulated;
    int32_t demand_w; /* read 27; READ_MISSING when absent */
    struct registers at;
};

/* That the energy `active_wh` of a point is that of its own interval: it agrees with the demand
 * that the meter measured in it, within one pulse. */
bool point_explains(const struct point *p, uint64_t active_wh);

struct usage {                /* the registers of a period */
    struct registers opening; /* all present */
    struct registers closing;
    const struct point
        *points; /* inside the period, on interval ends, strictly ascending; borrowed */
    size_t count;
};

/* Fills the determinants and lists the gaps. What makes a bill inexact goes to `refusals`; then the
 * determinants mean nothing. */
void determinants_compute(const struct plan *p, const struct tariff *t, const struct usage *u,
                          int64_t contracted_w, int64_t out[DET_COUNT], struct bill_meter *gaps,
                          struct refusals *refusals);

/* The lines of a bill from its determinants, and the withholding and total. ERR_LIMIT. */
err determinants_price(const struct tariff *t, struct bill *b) MUST_USE;
