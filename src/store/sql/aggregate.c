/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/aggregate.h"

#include <stdio.h>

static const char *const names[] = {
    [ITEM_COUNT_ROWS] = "count", [ITEM_COUNT] = "count", [ITEM_SUM] = "sum",
    [ITEM_MIN] = "min",          [ITEM_MAX] = "max",     [ITEM_AVG] = "avg",
};

static bool is_number(enum column_type type)
{
    return type == COLUMN_INT2 || type == COLUMN_INT4 || type == COLUMN_INT8 ||
           type == COLUMN_FLOAT8 || type == COLUMN_NUMERIC;
}

/* Type of the result; typmod -1 with numeric: as text. */
static void result_type(const struct aggregate *a, struct table_column *out)
{
    out->typmod = -1;
    if (a->kind == ITEM_COUNT_ROWS || a->kind == ITEM_COUNT) {
        out->type = COLUMN_INT8;
    } else if (a->kind == ITEM_MIN || a->kind == ITEM_MAX) {
        out->type = a->column->type;
        out->typmod = a->column->typmod;
    } else if (a->column->type == COLUMN_FLOAT8) {
        out->type = COLUMN_FLOAT8;
    } else if (a->kind == ITEM_SUM && a->column->type != COLUMN_INT8 &&
               a->column->type != COLUMN_NUMERIC) {
        out->type = COLUMN_INT8;
    } else {
        out->type = COLUMN_NUMERIC;
    }
}

err aggregate_init(struct aggregate *a, const struct select_item *item,
                   const struct table_column *column, struct sql_error *error,
                   struct table_column *out)
{
    *a = (struct aggregate){ .kind = item->kind, .column = column,
                             .best_octets.max = AGGREGATE_TEXT_BYTES_MAX };
    if ((a->kind == ITEM_SUM || a->kind == ITEM_AVG) && !is_number(column->type)) {
        SQL_FAIL(error, "42883", item->column.at, "function %s(%s) does not exist",
                 names[a->kind], column_type_name(column->type));
    }
    if (a->kind != ITEM_COUNT_ROWS && a->kind != ITEM_COUNT && column->type == COLUMN_BOOL) {
        SQL_FAIL(error, "42883", item->column.at, "function %s(bool) does not exist",
                 names[a->kind]);
    }
    *out = (struct table_column){ 0 };
    snprintf(out->name, sizeof out->name, "%s",
             item->label.text[0] != '\0' ? item->label.text : names[a->kind]);
    result_type(a, out);
    return OK;
}

void aggregate_reset(struct aggregate *a)
{
    a->count = 0;
    a->sum = 0;
    a->fsum = 0;
    buf_clear(&a->best_octets);
}

void aggregate_done(struct aggregate *a)
{
    buf_done(&a->best_octets);
}

static err keep_best(struct aggregate *a, const struct sql_value *v)
{
    enum column_type type = a->column->type;
    int order = a->count == 1 ? 0 : value_compare(type, v, &a->best);

    if (a->count > 1 && (a->kind == ITEM_MIN ? order >= 0 : order <= 0)) {
        return OK;
    }
    a->best = *v;
    if (column_type_is_octets(type)) {
        buf_clear(&a->best_octets);
        TRY(buf_append(&a->best_octets, v->octets));
        a->best.octets = buf_bytes(&a->best_octets);
    }
    return OK;
}

err aggregate_add(struct aggregate *a, const struct sql_value *v, struct sql_error *error)
{
    if (a->kind == ITEM_COUNT_ROWS) {
        a->count++;
        return OK;
    }
    if (v->null) {
        return OK;
    }
    a->count++;
    if (a->kind == ITEM_MIN || a->kind == ITEM_MAX) {
        if (keep_best(a, v).code) {
            SQL_FAIL(error, "54000", SQL_NOWHERE, "%s of texts above %u octets", names[a->kind],
                     AGGREGATE_TEXT_BYTES_MAX);
        }
    } else if (a->kind != ITEM_COUNT && a->column->type == COLUMN_FLOAT8) {
        a->fsum += v->f;
    } else if (a->kind != ITEM_COUNT) {
        a->sum += v->i; /* 2^64 values of 64 bits fit */
    }
    return OK;
}

static unsigned scale_of(const struct table_column *c)
{
    return c->type == COLUMN_NUMERIC ? numeric_scale(c->typmod) : 0;
}

static struct sql_value number_text(struct aggregate *a, size_t size)
{
    return (struct sql_value){ .octets = { (const uint8_t *)a->text, size } };
}

static err sum_result(struct aggregate *a, struct sql_error *error, struct sql_value *out)
{
    if (a->column->type == COLUMN_INT8 || a->column->type == COLUMN_NUMERIC) {
        *out = number_text(a, decimal_write(a->sum, scale_of(a->column), a->text));
        return OK;
    }
    if (a->sum > INT64_MAX || a->sum < INT64_MIN) {
        SQL_FAIL(error, "22003", SQL_NOWHERE, "sum out of range for int8");
    }
    *out = (struct sql_value){ .i = (int64_t)a->sum };
    return OK;
}

err aggregate_result(struct aggregate *a, struct sql_error *error, struct sql_value *out)
{
    if (a->kind == ITEM_COUNT_ROWS || a->kind == ITEM_COUNT) {
        *out = (struct sql_value){ .i = (int64_t)a->count };
        return OK;
    }
    if (a->count == 0) {
        *out = (struct sql_value){ .null = true };
        return OK;
    }
    if (a->kind == ITEM_MIN || a->kind == ITEM_MAX) {
        *out = a->best;
        return OK;
    }
    if (a->column->type == COLUMN_FLOAT8) {
        *out =
            (struct sql_value){ .f = a->kind == ITEM_SUM ? a->fsum : a->fsum / (double)a->count };
        return OK;
    }
    if (a->kind == ITEM_SUM) {
        return sum_result(a, error, out);
    }
    *out = number_text(a, decimal_write_mean(a->sum, scale_of(a->column), a->count, a->text));
    return OK;
}
