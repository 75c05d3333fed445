/* SPDX-License-Identifier: Apache-2.0 */
/* Readings, seals and register of meters for those who report on them: billing, fraud and tools.
 *
 * Readings and seals are scanned from the kvs by the published row decoder (lib/wire/row.h), ten
 * times faster than JSON; the small tables come by SQL. All calls block. */
#pragma once

#include "lib/client/kvs.h"
#include "lib/wire/record.h"
#include "lib/wire/seal.h"

struct readings;
/* Reads the dictionary once. ERR_MISSING when the tables are not there yet. */
err readings_open(struct kvs_client *kvs, struct readings **out) MUST_USE;
void readings_close(struct readings *r);
void readings_closep(struct readings **r);

struct stored_reading {
    struct record record;
    uint8_t quality;
};

/* Calls `each` for the rows of a meter with from_s < ts <= to_s, in ts order; an error of `each`
 * stops the scan and is returned. A row that does not decode is ERR_CORRUPT with its key. Pages
 * are checked to join without hole. */
err readings_scan(struct readings *r, uint64_t meter, int64_t from_s, int64_t to_s,
                  err (*each)(void *arg, const struct stored_reading *row), void *arg) MUST_USE;

/* Seals with from_s < end_s <= to_s, in order. */
err readings_seals(struct readings *r, uint64_t meter, int64_t from_s, int64_t to_s,
                   err (*each)(void *arg, const struct sealed_day *day), void *arg) MUST_USE;

/* Every meter id that has readings, in order: one seek a meter. */
err readings_meters(struct readings *r, err (*each)(void *arg, uint64_t meter), void *arg) MUST_USE;
