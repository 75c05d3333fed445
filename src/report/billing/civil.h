/* SPDX-License-Identifier: Apache-2.0 */
/* Civil time by the calendar document alone: zone, day edges, holidays. */
#pragma once

#include "lib/wire/calendar.h"

/* Easter Sunday (Gregorian) as days since 1970-01-01. */
int32_t civil_easter(int32_t year);

/* The 12 x 2 post tables have two kinds of days; this is true for the second. */
bool civil_is_rest_day(const struct calendar *c, int32_t day); /* Saturday, Sunday, holiday */
bool civil_is_holiday(const struct calendar *c, int32_t day);

/* Civil time of a UTC second is s + offset. The zone's first entry also serves what is before it.
 */
int32_t civil_offset(const struct calendar *c, int64_t s);
int32_t civil_day(const struct calendar *c, int64_t s);
/* The first UTC second of a civil day: midnight, or what comes first when there is no midnight. */
int64_t civil_day_start(const struct calendar *c, int32_t day);
/* The UTC edges of "YYYY-MM", or ERR_PROTO. */
err civil_month(const struct calendar *c, struct bytes text, int64_t *out_start,
                int64_t *out_end) MUST_USE;

/* The flag of a day that the calendar covers. */
enum flag_colour civil_flag(const struct calendar *c, int32_t day);
