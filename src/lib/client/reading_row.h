/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the tables `reading` and `seal`, by the published row format: columns are found by name
 * in the dictionary's description once, then each row is read in place. */
#pragma once

#include "lib/client/readings.h"
#include "lib/wire/dictionary.h"

#define READING_VALUES 35 /* seq, flags, status, interval_s, quality, 27 reads, 3 registers */

struct reading_columns {
    uint32_t table_id;
    uint16_t versions;
    uint16_t version_slots[TABLE_VERSIONS_MAX];
    uint16_t slots[READING_VALUES];
};

struct seal_columns {
    uint32_t table_id;
    uint16_t stored; /* slot */
};

/* ERR_MISSING names a column that the table lacks or has with another type. */
err reading_columns_bind(const struct table_def *t, struct reading_columns *out) MUST_USE;
err seal_columns_bind(const struct table_def *t, struct seal_columns *out) MUST_USE;

/* `key` is what follows the table's prefix: meter and time. ERR_CORRUPT, naming them. */
err meter_key_take(struct bytes key, uint64_t *out_meter, int64_t *out_s) MUST_USE;
err reading_row_decode(const struct reading_columns *c, struct bytes key, struct bytes row,
                       struct stored_reading *out) MUST_USE;
err seal_row_decode(const struct seal_columns *c, struct bytes key, struct bytes row,
                    struct sealed_day *out) MUST_USE;
