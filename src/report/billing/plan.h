/* SPDX-License-Identifier: Apache-2.0 */
/* What a tariff and a calendar say of every interval of a period: computed once, used for every
 * consumer. After it no rule about time is left. */
#pragma once

#include "lib/wire/tariff.h"

#define PLAN_DAYS_MAX 100
#define PLAN_SLOTS_MAX (PLAN_DAYS_MAX * 25 * 60) /* one-minute intervals, days of 25 hours */

struct plan_slot {
    uint32_t hour;   /* ascending; intervals of one civil hour and one post share it */
    uint8_t post;    /* enum post */
    uint8_t flag;    /* enum flag_colour */
    bool capacitive; /* the window in which only capacitive energy counts */
};

struct plan {
    int64_t start_s; /* [start, end), day edges */
    int64_t end_s;
    uint16_t interval_s;
    uint32_t count; /* of intervals, = expected records */
    uint32_t hours;
    struct plan_slot *slots;
};

/* ERR_PROTO, naming the reason: an edge of the period is no day edge; tariff or calendar not in
 * force on every day; the interval does not divide an hour, the post edges or a zone change.
 * ERR_LIMIT: the period is too long. Gives. */
err plan_new(const struct tariff *t, const struct calendar *c, int64_t start_s, int64_t end_s,
             uint16_t interval_s, struct plan **out) MUST_USE;
void plan_free(struct plan *p);
void plan_freep(struct plan **p);

/* Peak is not three hours in a row on every weekday, or there is peak on rest days: worth a word.
 */
bool plan_posts_unusual(const struct tariff *t);
