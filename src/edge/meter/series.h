/* SPDX-License-Identifier: Apache-2.0 */
/* A real series of quarter hours from a CSV file: one header line, then rows, oldest first.
 *
 *     start,kwh,kvarh_lag,kvarh_lead     energies of the interval
 *     start,kw,kvar                      means of the interval; kvar below zero is capacitive
 *
 * `start` is local time without offset, YYYY-MM-DDTHH:MM[:SS] (a blank may stand for the T), and
 * names the start of the interval. Numbers are decimal with at most six decimals and become whole
 * Wh and varh; what is below one pulse is carried on to the next row, as in a register. Gaps and
 * doubled stamps are kept as they are. */
#pragma once

#include "edge/meter/profile.h"

#define SERIES_FILE_BYTES_MAX (256u << 20)
#define SERIES_ROWS_MAX 2000000
#define SERIES_LINE_BYTES_MAX 1024

enum series_zone_kind { ZONE_FIXED, ZONE_LOS_ANGELES };

struct series_zone {
    enum series_zone_kind kind;
    int32_t offset_s; /* of ZONE_FIXED */
};
/* "-10800", "0" ... in seconds from UTC, or "los_angeles" (US rules since 2007). */
err series_zone_parse(const char *text, struct series_zone *out) MUST_USE;

/* Local second -> UTC. A stamp of the doubled autumn hour is the first of the two (daylight time)
 * when `again` says that the same stamp comes once more, else the second. ERR_PROTO: a time that
 * the spring change left out. */
err series_zone_utc(const struct series_zone *z, int64_t local_s, bool again,
                    int64_t *out) MUST_USE;

/* Names of our columns in the header of a file: "start=Date,kwh=Usage"; NULL or "" = as above. */
struct series_columns {
    char start[64], kwh[64], kvarh_lag[64], kvarh_lead[64], kw[64], kvar[64];
};
err series_columns_parse(const char *text, struct series_columns *out) MUST_USE;

struct series_row {
    uint32_t end_s; /* UTC, of the interval */
    bool again;     /* the same interval as the row before */
    struct profile_slot energy;
};

struct series {
    struct series_row *rows; /* owned */
    size_t count;
    uint64_t wh, varh_ind, varh_cap; /* totals */
};

/* ERR_PROTO names line and column. */
err series_parse(struct bytes text, const struct series_columns *columns,
                 const struct series_zone *zone, struct series *out) MUST_USE;
void series_done(struct series *s);
