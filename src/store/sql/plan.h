/* SPDX-License-Identifier: Apache-2.0 */
/* Where the rows of a statement are: ranges of keys made of the conditions on the primary key, and
 * the conditions that are left to be checked on each row. */
#pragma once

#include "store/sql/value.h"

#define PLAN_RANGES_MAX 1000
#define PLAN_KEY_BYTES_MAX 1024 /* the store's bound of a key */

struct plan_range { /* [start, end) */
    struct bytes start, end;
};

enum filter_kind { FILTER_PREDICATE, FILTER_IN, FILTER_NULL, FILTER_NOT_NULL };

struct plan_filter {
    uint16_t column;
    enum filter_kind kind;
    struct predicate predicate;
    const struct sql_value *list; /* FILTER_IN */
    size_t list_count;
};

struct plan { /* everything is in the arena it was made in */
    const struct table_def *table;
    struct plan_range *ranges; /* in key order, not overlapping; none: no row can match */
    size_t range_count;
    bool points;         /* each range is one whole key, its `start` */
    uint16_t bound;      /* leading key columns that equal one value each */
    struct plan_filter *filters;
    size_t filter_count;
};

/* 42703 for a column that is not there, and what value.h says of literals. */
err plan_make(const struct value_context *c, const struct table_def *t, const struct statement *s,
              struct plan *out) MUST_USE;

/* Whether rows in key order are in the order asked for; 0A000 when they are not. */
err plan_order(const struct plan *p, const struct statement *s, struct sql_error *error,
               bool *out_reverse) MUST_USE;

/* Index of a column; 42703. */
err plan_column(const struct table_def *t, const struct sql_name *name, struct sql_error *error,
                uint16_t *out) MUST_USE;

/* `values` by column index; those of the filters' columns must be set. */
bool plan_matches(const struct plan *p, const struct sql_value *values);
