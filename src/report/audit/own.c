/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic of the audit. It shares no line with billing, so that one mistake is not made twice.
 */
#include "report/audit/inside.h"

/* Bit by bit, from the highest that can be set. */
uint64_t own_root(own_wide n)
{
    uint64_t root = 0;

    for (int bit = 63; bit >= 0; bit--) {
        own_wide with = (own_wide)root | (own_wide)1 << bit;
        if (with <= n / with) {
            root = (uint64_t)with;
        }
    }
    return root;
}

own_wide own_divide(own_wide n, own_wide d, enum own_rule rule)
{
    own_wide down = n / d;
    own_wide rest = n - down * d;
    bool exact = rest == 0;
    bool tie = !exact && rest == d - rest;
    bool above = rest > d - rest;

    switch (rule) {
    case OWN_HALF_EVEN: return down + (!exact && (above || (tie && (down & 1) != 0)));
    case OWN_HALF_UP: return down + (!exact && (above || tie));
    case OWN_UP: return down + !exact;
    case OWN_DOWN:
    default: return down;
    }
}

#define PULSE_W 8 /* what one pulse of a meter weighs in 15 minutes */

bool own_demand_agrees(const struct record *r, uint64_t wh)
{
    int64_t demand = r->reads[READ_DEMAND];
    own_wide power = (own_wide)wh * 3600 / r->interval_s;

    return demand >= 0 && power <= (own_wide)demand + PULSE_W &&
           power + PULSE_W >= (own_wide)demand;
}
