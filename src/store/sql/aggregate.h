/* SPDX-License-Identifier: Apache-2.0 */
/* count, sum, min, max and avg, with the result types of PostgreSQL: sums of int2 and int4 are
 * int8, of int8 and numeric are numeric (exact, 128 bit), of float8 are float8; means of integers
 * are numeric. */
#pragma once

#include "store/sql/decimal.h"
#include "store/sql/value.h"

#define AGGREGATE_TEXT_BYTES_MAX (1u << 20) /* of a least or greatest text that is kept */

struct aggregate {
    enum item_kind kind;
    const struct table_column *column; /* NULL with ITEM_COUNT_ROWS */
    uint64_t count;
    int128 sum;
    double fsum;
    struct sql_value best;
    struct buf best_octets;
    char text[DECIMAL_TEXT_BYTES];
};

/* 42883 for a sum or mean of what has none. Sets the name and type of the result. */
err aggregate_init(struct aggregate *a, const struct select_item *item,
                   const struct table_column *column, struct sql_error *error,
                   struct table_column *out) MUST_USE;
void aggregate_reset(struct aggregate *a);
void aggregate_done(struct aggregate *a);
err aggregate_add(struct aggregate *a, const struct sql_value *v, struct sql_error *error) MUST_USE;
/* Borrows from the aggregate. 22003: a sum beyond int8. */
err aggregate_result(struct aggregate *a, struct sql_error *error, struct sql_value *out) MUST_USE;
