/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/plan.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "report/billing/civil.h"

#define HOUR_S 3600
#define PEAK_HOURS 3
#define DAY_MIN INT64_C(1440)

static err check_force(const char *what, int32_t from, int32_t to, int32_t first, int32_t behind)
{
    char text[4][CANON_DAY_BYTES];

    if (first >= from && behind <= to) {
        return OK;
    }
    canon_day_text(from, text[0]);
    canon_day_text(to, text[1]);
    canon_day_text(first, text[2]);
    canon_day_text(behind, text[3]);
    FAIL(ERR_PROTO,
         "the %s is in force from %s to %s, the period is %s to %s: bill each part by "
         "the document in force",
         what, text[0], text[1], text[2], text[3]);
}

static err check_edges(const struct calendar *c, int64_t start_s, int64_t end_s)
{
    if (start_s >= end_s || end_s > UINT32_MAX || start_s < 0) {
        FAIL(ERR_PROTO, "the period ends before it starts");
    }
    if (end_s - start_s > (int64_t)PLAN_DAYS_MAX * S_PER_DAY) {
        FAIL(ERR_LIMIT, "a period of more than %d days", PLAN_DAYS_MAX);
    }
    if (civil_day_start(c, civil_day(c, start_s)) != start_s ||
        civil_day_start(c, civil_day(c, end_s)) != end_s) {
        FAIL(ERR_PROTO, "the period does not start and end at edges of civil days of calendar %s",
             c->name);
    }
    return OK;
}

static err check_interval(const struct tariff *t, const struct calendar *c, uint16_t interval_s)
{
    int32_t post_edge_s = S_PER_DAY / t->steps;

    if (interval_s < 60 || HOUR_S % interval_s != 0) {
        FAIL(ERR_PROTO, "an interval of %u s does not divide an hour", interval_s);
    }
    if (post_edge_s % interval_s != 0) {
        FAIL(ERR_PROTO, "post edges every %d s are no edges of intervals of %u s", post_edge_s,
             interval_s);
    }
    if ((t->window_start_min * 60) % interval_s != 0) {
        FAIL(ERR_PROTO, "the capacitive window starts at minute %d, no edge of intervals of %u s",
             t->window_start_min, interval_s);
    }
    for (size_t i = 0; i < c->zone_count; i++) {
        if (c->zone[i].from_s % interval_s != 0 || c->zone[i].offset_s % interval_s != 0) {
            FAIL(ERR_PROTO, "a change of the zone is no edge of intervals of %u s", interval_s);
        }
    }
    return OK;
}

static bool in_window(const struct tariff *t, int64_t local_s)
{
    int64_t minute = local_s % S_PER_DAY / 60;
    int64_t since = (minute - t->window_start_min + DAY_MIN) % DAY_MIN;

    return since < INT64_C(60) * TARIFF_WINDOW_HOURS;
}

/* The day a slot lies in, kept from slot to slot. */
struct day {
    int32_t number;
    const uint8_t *posts;
    enum flag_colour flag;
};

static void day_enter(struct day *d, const struct tariff *t, const struct calendar *c,
                      int32_t number)
{
    struct civil date = civil_from_s((int64_t)number * S_PER_DAY);

    d->number = number;
    d->posts = (civil_is_rest_day(c, number) ? t->weekend : t->weekday)[date.month - 1];
    d->flag = civil_flag(c, number);
}

/* Whole hours follow the window's start, so that none is half inside. Equal civil
 * hours on both sides of a clock change are two hours. */
struct hour_key {
    int64_t hour;
    int32_t offset;
    uint8_t post;
};

static void plan_fill(struct plan *p, const struct tariff *t, const struct calendar *c)
{
    int64_t grid_s = (t->window_start_min * 60) % HOUR_S;
    struct day d;
    struct hour_key last = { .hour = -1 };

    day_enter(&d, t, c, civil_day(c, p->start_s));
    for (uint32_t i = 0; i < p->count; i++) {
        int64_t utc_s = p->start_s + (int64_t)i * p->interval_s;
        int32_t offset = civil_offset(c, utc_s);
        int64_t local_s = utc_s + offset;
        struct plan_slot *slot = &p->slots[i];
        if (local_s / S_PER_DAY != d.number) {
            day_enter(&d, t, c, (int32_t)(local_s / S_PER_DAY));
        }
        slot->post = d.posts[local_s % S_PER_DAY / (S_PER_DAY / t->steps)];
        slot->flag = (uint8_t)d.flag;
        slot->capacitive = in_window(t, local_s);
        struct hour_key key = { (local_s + S_PER_DAY - grid_s) / HOUR_S, offset, slot->post };
        if (key.hour != last.hour || key.offset != last.offset || key.post != last.post) {
            p->hours++;
            last = key;
        }
        slot->hour = p->hours - 1;
    }
}

err plan_new(const struct tariff *t, const struct calendar *c, int64_t start_s, int64_t end_s,
             uint16_t interval_s, struct plan **out)
{
    AUTO(plan_freep) struct plan *p = NULL;

    TRY(check_edges(c, start_s, end_s));
    TRY(check_interval(t, c, interval_s));
    int32_t first = civil_day(c, start_s);
    int32_t behind = civil_day(c, end_s);
    TRY(check_force("tariff", t->valid_from_day, t->valid_to_day, first, behind));
    TRY(check_force("calendar", c->valid_from_day, c->valid_to_day, first, behind));
    p = mem_take(sizeof *p);
    if (p == NULL) {
        FAIL(ERR_LIMIT, "no memory for a plan");
    }
    p->start_s = start_s;
    p->end_s = end_s;
    p->interval_s = interval_s;
    p->count = (uint32_t)((end_s - start_s) / interval_s);
    p->slots = mem_take(p->count * sizeof p->slots[0]);
    if (p->slots == NULL) {
        FAIL(ERR_LIMIT, "no memory for a plan of %u intervals", p->count);
    }
    plan_fill(p, t, c);
    *out = TAKE(p);
    return OK;
}

void plan_free(struct plan *p)
{
    if (p != NULL) {
        mem_give(p->slots);
        mem_give(p);
    }
}

void plan_freep(struct plan **p)
{
    plan_free(*p);
    *p = NULL;
}

static bool row_unusual(const uint8_t *row, uint8_t steps, bool rest_day)
{
    unsigned peak = 0;
    unsigned begins = 0;

    for (size_t i = 0; i < steps; i++) {
        peak += row[i] == POST_PEAK;
        begins += row[i] == POST_PEAK && (i == 0 || row[i - 1] != POST_PEAK);
    }
    return rest_day ? peak != 0 : begins != 1 || peak * 24 != (unsigned)PEAK_HOURS * steps;
}

bool plan_posts_unusual(const struct tariff *t)
{
    bool unusual = false;

    for (size_t month = 0; month < 12; month++) {
        unusual |= row_unusual(t->weekday[month], t->steps, false);
        unusual |= row_unusual(t->weekend[month], t->steps, true);
    }
    return unusual;
}
