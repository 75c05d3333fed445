/* SPDX-License-Identifier: Apache-2.0 */
#include "report/fraud/days.h"

#include <math.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"

void series_done(struct series *s)
{
    mem_give(s->slots);
    *s = (struct series){ .zone_offset_s = s->zone_offset_s };
}

static err series_grow(struct series *s, size_t day_count)
{
    if (day_count > SERIES_DAYS_MAX) {
        FAIL(ERR_LIMIT, "a customer's readings span over %d days", SERIES_DAYS_MAX);
    }
    double *grown = mem_resize(s->slots, day_count * DAY_SLOTS * sizeof *grown);
    if (grown == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu days", day_count);
    }
    for (size_t i = s->day_count * DAY_SLOTS; i < day_count * DAY_SLOTS; i++) {
        grown[i] = (double)NAN;
    }
    s->slots = grown;
    s->day_count = day_count;
    return OK;
}

err series_add_power(struct series *s, int64_t local_start_s, double w)
{
    int64_t day = local_start_s / S_PER_DAY;

    if (local_start_s < 0 || day > INT32_MAX) {
        FAIL(ERR_PROTO, "a reading before 1970 or after year 9999");
    }
    if (s->day_count == 0) {
        s->first_day = (int32_t)day;
    }
    if (day < s->first_day) {
        FAIL(ERR_PROTO, "readings are not in time order");
    }
    size_t index = (size_t)(day - s->first_day);
    if (index >= s->day_count) {
        TRY(series_grow(s, index + 1));
    }
    s->slots[index * DAY_SLOTS + (size_t)(local_start_s % S_PER_DAY / DAY_SLOT_S)] = w;
    return OK;
}

/* The registers of two neighbours give the energy of the quarter between them; across a hole, a
 * reset or a missing register there is no such quarter. */
static bool neighbours(const struct record *a, const struct record *b)
{
    return b->end_s - a->end_s == b->interval_s && b->interval_s == DAY_SLOT_S &&
           a->e_act != REGISTER_MISSING && b->e_act != REGISTER_MISSING && b->e_act >= a->e_act &&
           (b->status & STATUS_REGISTER_RESET) == 0;
}

err series_add(struct series *s, const struct record *r)
{
    bool had_previous = s->have_previous;
    struct record previous = s->previous;

    if (had_previous && r->end_s <= previous.end_s) {
        FAIL(ERR_PROTO, "readings are not in time order");
    }
    s->previous = *r;
    s->have_previous = true;
    s->readings++;
    s->estimated += (r->status & STATUS_ESTIMATED) != 0;
    if (!had_previous || !neighbours(&previous, r)) {
        return OK;
    }
    int64_t local_start_s = (int64_t)r->end_s - r->interval_s + s->zone_offset_s;
    return series_add_power(s, local_start_s, (double)(r->e_act - previous.e_act) * 4.0);
}

static void fill_line(double *slots, size_t from, size_t to)
{
    double before = slots[from - 1];
    double step = (slots[to] - before) / (double)(to - from + 1);

    for (size_t i = from; i < to; i++) {
        slots[i] = before + step * (double)(i - from + 1);
    }
}

static void fill_short_gaps(double *slots, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (!isnan(slots[i]) || isnan(slots[i - 1])) {
            continue;
        }
        size_t end = i;
        while (end < count && isnan(slots[end])) {
            end++;
        }
        if (end < count && end - i <= DAY_FILL_MAX) {
            fill_line(slots, i, end);
        }
        i = end;
    }
}

static bool day_usable(const double *slots)
{
    for (size_t i = 0; i < DAY_SLOTS; i++) {
        if (isnan(slots[i])) {
            return false;
        }
    }
    return true;
}

err series_usable_days(struct series *s, struct day **out, size_t *out_count)
{
    struct day *days = mem_take((s->day_count + 1) * sizeof *days);
    size_t count = 0;

    if (days == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu days", s->day_count);
    }
    fill_short_gaps(s->slots, s->day_count * DAY_SLOTS);
    for (size_t d = 0; d < s->day_count; d++) {
        const double *slots = s->slots + d * DAY_SLOTS;
        if (!day_usable(slots)) {
            continue;
        }
        days[count].number = s->first_day + (int32_t)d;
        for (size_t i = 0; i < DAY_SLOTS; i++) {
            days[count].w[i] = slots[i];
        }
        count++;
    }
    *out = days;
    *out_count = count;
    return OK;
}
