/* SPDX-License-Identifier: Apache-2.0 */
/* The audit's own reading of the calendar: zone, day edges, holidays, flags. */
#include "lib/base/clock.h"
#include "report/audit/inside.h"

int32_t own_offset(const struct calendar *c, int64_t s)
{
    int32_t offset = c->zone[0].offset_s;

    for (size_t i = 1; i < c->zone_count && c->zone[i].from_s <= s; i++) {
        offset = c->zone[i].offset_s;
    }
    return offset;
}

int64_t own_civil(const struct calendar *c, int64_t s)
{
    return s + own_offset(c, s);
}

/* The day number changes here for the first time: the second before lies in an earlier day, and no
 * second of the hours before lies in this one (a clock set back over midnight). */
bool own_is_day_edge(const struct calendar *c, int64_t s)
{
    int64_t day = own_civil(c, s) / S_PER_DAY;

    for (size_t i = 0; i < c->zone_count; i++) {
        int64_t change = c->zone[i].from_s;
        if (change <= s && change > s - S_PER_DAY && own_civil(c, change - 1) / S_PER_DAY >= day) {
            return false;
        }
    }
    return s > 0 && own_civil(c, s - 1) / S_PER_DAY < day;
}

/* Easter Sunday by the anonymous Gregorian algorithm (Meeus, Jones, Butcher), as a civil day. */
static int64_t easter_day(int32_t year)
{
    int32_t a = year % 19;
    int32_t b = year / 100;
    int32_t c = year % 100;
    int32_t f = (b + 8) / 25;
    int32_t g = (b - f + 1) / 3;
    int32_t h = (19 * a + b - b / 4 - g + 15) % 30;
    int32_t l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    int32_t m = (a + 11 * h + 22 * l) / 451;
    int32_t n = h + l - 7 * m + 114;

    return civil_to_days(year, (uint32_t)(n / 31), (uint32_t)(n % 31 + 1));
}

bool own_is_rest_day(const struct calendar *c, int64_t civil_s)
{
    struct civil date = civil_from_s(civil_s);
    int64_t day = civil_s / S_PER_DAY;
    int64_t from_easter = day - easter_day(date.year);
    int64_t weekday = (day + 4) % 7; /* 1970-01-01 was a Thursday: 0 is Sunday */

    if (weekday == 0 || weekday == 6) {
        return true;
    }
    for (size_t i = 0; i < c->easter_count; i++) {
        if (from_easter == c->easter[i]) {
            return true;
        }
    }
    for (size_t i = 0; i < c->fixed_count; i++) {
        if (date.month == c->fixed[i].month && date.day == c->fixed[i].day &&
            date.year >= c->fixed[i].since) {
            return true;
        }
    }
    return false;
}

enum flag_colour own_flag(const struct calendar *c, int64_t civil_s)
{
    enum flag_colour colour = c->flags[0].colour;

    for (size_t i = 1; i < c->flag_count; i++) {
        if ((int64_t)c->flags[i].from_day * S_PER_DAY <= civil_s) {
            colour = c->flags[i].colour;
        }
    }
    return colour;
}
