/* SPDX-License-Identifier: Apache-2.0 */
/* From a row of readings to local days of 96 quarter-hours in W (docs/fraud method: days).
 *
 * A quarter's value is the register difference of its interval. Gaps of at most four quarters
 * are filled by a straight line; a day with any other gap is not usable. A day of 92 quarters
 * thereby gets its missing hour from the line, and a day of 100 keeps the second pass of the
 * doubled hour. */
#pragma once

#include "lib/wire/record.h"

#define DAY_SLOTS 96
#define DAY_SLOT_S 900
#define DAY_FILL_MAX 4    /* quarters in a row that a line may fill */
#define SERIES_DAYS_MAX 400

struct day {
    int32_t number; /* local days since 1970-01-01 */
    double w[DAY_SLOTS];
};

/* The days of one customer, grown as readings come in time order. Zeroed = empty. */
struct series {
    double *slots;        /* owned; one per quarter from first_day on; NAN = missing */
    int32_t first_day;
    size_t day_count;
    int64_t zone_offset_s; /* local time = UTC + this */
    uint64_t estimated;    /* readings with status bit 7 */
    uint64_t readings;
    bool have_previous;
    struct record previous;
};

void series_done(struct series *s);

/* Adds the next reading; earlier ones than the last are ERR_PROTO, more than SERIES_DAYS_MAX days
 * ERR_LIMIT. The first reading only gives the register to start from. */
err series_add(struct series *s, const struct record *r) MUST_USE;

/* Adds the mean power of the quarter that starts at this local second (no zone is applied). */
err series_add_power(struct series *s, int64_t local_start_s, double w) MUST_USE;

/* Fills short gaps and gives the usable days in order (owned by the caller: mem_give). */
err series_usable_days(struct series *s, struct day **out, size_t *out_count) MUST_USE;
