/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks of consumers on what their meter registers: the honest day goes in, the
 * false one comes out. FDI1 to FDI6 after Jokar et al. 2016; the rest are ours. */
#pragma once

#include "edge/meter/profile.h"

enum theft {
    THEFT_NONE,
    THEFT_FDI1,  /* a constant part of each reading */
    THEFT_FDI2,  /* nothing in a span of each day */
    THEFT_FDI3,  /* a random part of each reading */
    THEFT_FDI4,  /* a random part of the day's mean */
    THEFT_FDI5,  /* the day's mean in every slot */
    THEFT_FDI6,  /* the day reversed in time */
    THEFT_PHASE, /* one phase lost: two thirds */
    THEFT_NIGHT, /* 22 to 06 h halved */
    THEFT_PEAK,  /* 18 to 21 h x 0.3 */
    THEFT_COUNT
};

const char *theft_name(enum theft t);
/* ERR_PROTO lists the names. "none" is none of them. */
err theft_parse(struct bytes name, enum theft *out) MUST_USE;

/* Changes a day in place. `seed` is the unit's own; `day` counts from the first day of the theft:
 * the numbers drawn depend on nothing else. Reactive energy follows the active one, so that the
 * power factor gives nothing away. */
void theft_apply(enum theft t, uint64_t seed, uint32_t day,
                 struct profile_slot slots[PROFILE_SLOTS]);
