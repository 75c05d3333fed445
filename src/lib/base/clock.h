/* SPDX-License-Identifier: Apache-2.0 */
/* Time: microseconds in uint64_t, names end in _us; whole UTC seconds end in _s.
 *
 * Cores never ask for the time: they are given it (lib/service/core.h). Only hosts call the clocks.
 * Civil dates are proleptic Gregorian and know no leap seconds, as POSIX time. */
#pragma once

#include <stdint.h>

#include "lib/base/bytes.h"

#define US_PER_S UINT64_C(1000000)
#define S_PER_DAY 86400

/* Never goes back within a process, even where the system's monotonic clock does (inside Gramine
 * every clock is the host's). */
uint64_t time_monotonic_us(void);

/* UTC; may jump when an operator or NTP sets it. */
uint64_t time_utc_us(void);

struct civil {
    int32_t year;    /* 1 to 9999 */
    uint32_t month;  /* 1 to 12 */
    uint32_t day;    /* 1 to 31 */
    uint32_t hour;   /* 0 to 23 */
    uint32_t minute; /* 0 to 59 */
    uint32_t second; /* 0 to 59 */
};

/* Days since 1970-01-01 of a date, and back. The date must exist: see civil_valid. */
int64_t civil_to_days(int32_t year, uint32_t month, uint32_t day);
struct civil civil_from_s(int64_t s); /* UTC second -> civil UTC */
int64_t civil_to_s(const struct civil *c);
bool civil_valid(const struct civil *c);
/* 1 = Sunday .. 7 = Saturday, as NBR 14522 counts. */
uint32_t civil_weekday(int64_t s);

#define TIME_TEXT_BYTES 32
/* "2025-11-22T15:00:00Z" */
void time_format_s(int64_t s, char out[TIME_TEXT_BYTES]);
/* YYYY-MM-DD, optionally THH:MM[:SS], optionally Z; missing parts are 0. ERR_PROTO. */
err time_parse(struct bytes text, int64_t *out_s) MUST_USE;
