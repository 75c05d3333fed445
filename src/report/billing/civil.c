/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/civil.h"

#include <assert.h>
#include <string.h>

#include "lib/base/clock.h"

#define MONTH_TEXT_LEN 7 /* "YYYY-MM" */

/* The Gregorian computus of Gauss in the form with integer divisions only. */
int32_t civil_easter(int32_t year)
{
    int32_t golden = year % 19;
    int32_t century = year / 100;
    int32_t sun = century - century / 4 - (8 * century + 13) / 25 + 19 * golden + 15;
    int32_t epact = sun % 30;
    int32_t moon = epact - (epact / 28) * (1 - (29 / (epact + 1)) * ((21 - golden) / 11));
    int32_t weekday = (year + year / 4 + moon + 2 - century + century / 4) % 7;
    int32_t from_march = moon - weekday; /* days from 28 March */

    return (int32_t)civil_to_days(year, 3, 28) + from_march;
}

static int32_t floor_day(int64_t s)
{
    return (int32_t)(s >= 0 ? s / S_PER_DAY : -((-s + S_PER_DAY - 1) / S_PER_DAY));
}

bool civil_is_holiday(const struct calendar *c, int32_t day)
{
    struct civil date = civil_from_s((int64_t)day * S_PER_DAY);

    for (size_t i = 0; i < c->fixed_count; i++) {
        if (c->fixed[i].month == date.month && c->fixed[i].day == date.day &&
            c->fixed[i].since <= date.year) {
            return true;
        }
    }
    for (size_t i = 0; i < c->easter_count; i++) {
        if (day == civil_easter(date.year) + c->easter[i]) {
            return true;
        }
    }
    return false;
}

bool civil_is_rest_day(const struct calendar *c, int32_t day)
{
    uint32_t weekday = civil_weekday((int64_t)day * S_PER_DAY); /* 1 = Sunday, 7 = Saturday */

    return weekday == 1 || weekday == 7 || civil_is_holiday(c, day);
}

int32_t civil_offset(const struct calendar *c, int64_t s)
{
    size_t i = c->zone_count - 1;

    while (i > 0 && c->zone[i].from_s > s) {
        i--;
    }
    return c->zone[i].offset_s;
}

int32_t civil_day(const struct calendar *c, int64_t s)
{
    return floor_day(s + civil_offset(c, s));
}

int64_t civil_day_start(const struct calendar *c, int32_t day)
{
    int64_t midnight = (int64_t)day * S_PER_DAY;

    for (size_t i = 0; i + 1 < c->zone_count; i++) {
        int64_t s = midnight - c->zone[i].offset_s;
        if (i > 0 && s < c->zone[i].from_s) {
            s = c->zone[i].from_s; /* the clock jumped over midnight */
        }
        if (s < c->zone[i + 1].from_s) {
            return s;
        }
    }
    const struct calendar_shift *last = &c->zone[c->zone_count - 1];
    int64_t s = midnight - last->offset_s;
    return c->zone_count > 1 && s < last->from_s ? last->from_s : s;
}

err civil_month(const struct calendar *c, struct bytes text, int64_t *out_start, int64_t *out_end)
{
    char first[CANON_DAY_BYTES];
    int32_t day = 0;

    if (text.len != MONTH_TEXT_LEN) {
        FAIL(ERR_PROTO, "a month is written YYYY-MM");
    }
    memcpy(first, text.ptr, MONTH_TEXT_LEN);
    memcpy(first + MONTH_TEXT_LEN, "-01", 4);
    err e = canon_day_parse(bytes_of_string(first), &day);
    if (e.code) {
        FAIL(ERR_PROTO, "a month is written YYYY-MM");
    }
    struct civil next = civil_from_s((int64_t)day * S_PER_DAY);
    next.year += next.month == 12;
    next.month = next.month % 12 + 1;
    *out_start = civil_day_start(c, day);
    *out_end = civil_day_start(c, (int32_t)civil_to_days(next.year, next.month, 1));
    return OK;
}

enum flag_colour civil_flag(const struct calendar *c, int32_t day)
{
    size_t i = c->flag_count - 1;

    assert(day >= c->valid_from_day);
    while (i > 0 && c->flags[i].from_day > day) {
        i--;
    }
    return c->flags[i].colour;
}
