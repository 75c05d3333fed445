/* SPDX-License-Identifier: Apache-2.0 */
/* The calendar document of billing: civil time without the machine's zone, holidays without peak,
 * tariff flags.
 *
 * Days are civil days of the zone, counted from 1970-01-01. This module is the layout only; what a
 * calendar means is computed by billing and, independently, by audit. */
#pragma once

#include "lib/wire/canon.h"

#define CALENDAR_NAME_BYTES 64
#define CALENDAR_ZONE_MAX 64
#define CALENDAR_FIXED_MAX 64
#define CALENDAR_EASTER_MAX 16
#define CALENDAR_FLAGS_MAX 256
#define CALENDAR_DAY_MAX 47482 /* 2100-01-01 */

enum flag_colour { FLAG_GREEN, FLAG_RED1, FLAG_RED2, FLAG_YELLOW, FLAG_COLOURS };
const char *flag_colour_name(enum flag_colour colour);

struct calendar_shift { /* from this UTC second on, civil time = UTC + offset */
    int64_t from_s;
    int32_t offset_s;
};

struct calendar_flag { /* from this day on */
    int32_t from_day;
    enum flag_colour colour;
};

struct calendar {
    char name[CALENDAR_NAME_BYTES];
    int32_t valid_from_day; /* [from, to) */
    int32_t valid_to_day;
    struct calendar_shift zone[CALENDAR_ZONE_MAX]; /* ascending; covers valid_from_day */
    size_t zone_count;
    struct {
        uint8_t month;
        uint8_t day;
        uint16_t since;          /* the first year; 0 = always */
    } fixed[CALENDAR_FIXED_MAX]; /* holidays on a date, ascending */
    size_t fixed_count;
    int16_t easter[CALENDAR_EASTER_MAX]; /* holidays by distance from Easter Sunday, days */
    size_t easter_count;
    struct calendar_flag flags[CALENDAR_FLAGS_MAX]; /* ascending; covers valid_from_day */
    size_t flag_count;
};

/* One of `fixed` as text: "MM-DD" or "MM-DD@YYYY". ERR_PROTO: no such date, or another text. */
err calendar_fixed_add(struct calendar *c, struct bytes text) MUST_USE;

/* Canonical JSON. Parse refuses what has another text, other fields or values out of range. */
err calendar_write(const struct calendar *c, struct buf *out) MUST_USE;
err calendar_parse(struct bytes text, struct calendar *out) MUST_USE;
/* Of the canonical octets, under its domain. */
struct digest calendar_hash(struct bytes text);
