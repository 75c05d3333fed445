/* SPDX-License-Identifier: Apache-2.0 */
/* Literals as values of a column's type, and values as octets of keys and rows.
 *
 * Rules of PostgreSQL where they show: a literal in quotes takes the type of the other side, a
 * number with decimals is rounded half away from zero when assigned to an integer, comparisons are
 * exact. NaN is refused. */
#pragma once

#include "lib/base/arena.h"
#include "lib/wire/dictionary.h"
#include "store/sql/parse.h"

struct sql_value { /* the type is that of the column it belongs to */
    bool null;
    union {
        int64_t i; /* integers, bool, date (days), times (us), numeric (scaled) */
        double f;
        struct bytes octets; /* borrowed */
    };
};

struct value_context {
    const struct literal *params; /* borrowed; of kinds NULL, BOOL, TEXT, INT, FLOAT */
    size_t param_count;
    struct arena *arena; /* for texts that must be unescaped */
    struct sql_error *error;
};

/* The literal a parameter stands for, or the literal itself. 42P02 when there is no such one. */
err literal_resolve(const struct value_context *c, const struct literal *l,
                    const struct literal **out) MUST_USE;

/* What an INSERT or UPDATE stores: 22003, 22P02, 22001, 22007, 22008, 42804 at the literal. */
err literal_assign(const struct value_context *c, const struct literal *l,
                   const struct table_column *column, struct sql_value *out) MUST_USE;

/* A comparison of a column with a literal, brought to the column's own values: `a > 7.5` on an
 * integer is `a > 7`. */
enum predicate_kind { PREDICATE_NEVER, PREDICATE_ALWAYS, PREDICATE_COMPARE };
struct predicate {
    enum predicate_kind kind; /* ALWAYS still needs a column that is not NULL */
    enum compare_op op;       /* OP_EQ .. OP_GE */
    struct sql_value value;
};
err literal_compare(const struct value_context *c, const struct literal *l,
                    const struct table_column *column, enum compare_op op, struct predicate *out)
    MUST_USE;

/* A whole number from 0 up, as LIMIT and OFFSET have it. `what` stands in the message; NULL gives
 * UINT64_MAX. */
err literal_count(const struct value_context *c, const struct literal *l, const char *what,
                  uint64_t *out) MUST_USE;

int value_compare(enum column_type type, const struct sql_value *a, const struct sql_value *b);
bool predicate_holds(const struct predicate *p, enum column_type type, const struct sql_value *v);

struct row;
struct row_writer;
err value_put_key(struct buf *key, enum column_type type, const struct sql_value *v) MUST_USE;
err value_put_slot(struct row_writer *w, const struct table_column *c, const struct sql_value *v)
    MUST_USE;
/* ERR_CORRUPT when it is not what a column of this type can hold. Texts borrow. */
err value_take_key(struct bytes *key, struct buf *scratch, enum column_type type,
                   struct sql_value *out) MUST_USE;
err value_take_slot(const struct row *r, const struct table_column *c, struct sql_value *out)
    MUST_USE;

/* "numeric(12,3)", "int8": a type as an answer names it. */
#define TYPE_TEXT_BYTES 32
void column_type_text(const struct table_column *c, char out[TYPE_TEXT_BYTES]);
