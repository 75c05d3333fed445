/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/value.h"

#include <stdio.h>
#include <string.h>

#include "lib/wire/row.h"
#include "lib/wire/tuple.h"

err literal_resolve(const struct value_context *c, const struct literal *l,
                    const struct literal **out)
{
    if (l->kind != LITERAL_PARAM) {
        *out = l;
        return OK;
    }
    if (l->param > c->param_count) {
        SQL_FAIL(c->error, "42P02", l->at, "there is no parameter $%u; %zu were given", l->param,
                 c->param_count);
    }
    *out = &c->params[l->param - 1];
    return OK;
}

int value_compare(enum column_type type, const struct sql_value *a, const struct sql_value *b)
{
    if (column_type_is_octets(type)) {
        return bytes_compare(a->octets, b->octets);
    }
    if (type == COLUMN_FLOAT8) {
        return (a->f > b->f) - (a->f < b->f);
    }
    return (a->i > b->i) - (a->i < b->i);
}

bool predicate_holds(const struct predicate *p, enum column_type type, const struct sql_value *v)
{
    if (p->kind != PREDICATE_COMPARE || v->null) {
        return p->kind == PREDICATE_ALWAYS && !v->null;
    }
    int order = value_compare(type, v, &p->value);
    switch (p->op) {
    case OP_EQ: return order == 0;
    case OP_NE: return order != 0;
    case OP_LT: return order < 0;
    case OP_LE: return order <= 0;
    case OP_GT: return order > 0;
    case OP_GE: return order >= 0;
    default: return false;
    }
}

err value_put_key(struct buf *key, enum column_type type, const struct sql_value *v)
{
    struct tuple_value t = { .type = TUPLE_NULL };

    if (column_type_is_int(type)) {
        return tuple_put_int(key, v->i);
    }
    if (type == COLUMN_BOOL) {
        t = (struct tuple_value){ .type = TUPLE_BOOL, .b = v->i != 0 };
    } else if (type == COLUMN_FLOAT8) {
        t = (struct tuple_value){ .type = TUPLE_FLOAT8, .f = v->f };
    } else if (type == COLUMN_BYTEA) {
        t = (struct tuple_value){ .type = TUPLE_BYTES, .octets = v->octets };
    } else if (column_type_is_octets(type)) {
        t = (struct tuple_value){ .type = TUPLE_TEXT, .octets = v->octets };
    }
    return tuple_put(key, &t);
}

err value_put_slot(struct row_writer *w, const struct table_column *c, const struct sql_value *v)
{
    if (v->null) {
        return OK; /* as the row begins */
    }
    if (column_type_is_octets(c->type)) {
        return row_set_octets(w, c->slot, v->octets);
    }
    if (c->type == COLUMN_FLOAT8) {
        row_set_float8(w, c->slot, v->f);
    } else {
        row_set_int(w, c->slot, v->i);
    }
    return OK;
}

static bool int_fits(enum column_type type, int64_t v)
{
    return type == COLUMN_INT2   ? v >= INT16_MIN && v <= INT16_MAX
           : type == COLUMN_INT4 || type == COLUMN_DATE ? v >= INT32_MIN && v <= INT32_MAX
           : type == COLUMN_BOOL ? v == 0 || v == 1
                                 : true;
}

err value_take_key(struct bytes *key, struct buf *scratch, enum column_type type,
                   struct sql_value *out)
{
    struct tuple_value t;
    struct sql_value v = { 0 };
    err e;

    if (column_type_is_int(type)) {
        e = tuple_take_int(key, &v.i);
        t.type = TUPLE_INT;
    } else {
        e = tuple_take(key, scratch, &t);
    }
    if (e.code) {
        return e.code == ERR_LIMIT ? e : (err){ ERR_CORRUPT };
    }
    enum tuple_type want = column_type_is_int(type) ? TUPLE_INT
                           : type == COLUMN_BOOL    ? TUPLE_BOOL
                           : type == COLUMN_FLOAT8  ? TUPLE_FLOAT8
                           : type == COLUMN_BYTEA   ? TUPLE_BYTES
                                                    : TUPLE_TEXT;
    if (t.type != want || !int_fits(type, v.i)) {
        FAIL(ERR_CORRUPT, "key element of another type");
    }
    if (want == TUPLE_BOOL) {
        v.i = t.b;
    } else if (want == TUPLE_FLOAT8) {
        v.f = t.f;
    } else if (want != TUPLE_INT) {
        v.octets = t.octets;
    }
    *out = v;
    return OK;
}

err value_take_slot(const struct row *r, const struct table_column *c, struct sql_value *out)
{
    struct sql_value v = { .null = row_is_null(r, c->slot) };

    if (column_type_is_octets(c->type)) {
        TRY(row_octets(r, c->slot, &v.octets));
    } else if (c->type == COLUMN_FLOAT8) {
        v.f = row_float8(r, c->slot);
    } else {
        v.i = row_int(r, c->slot);
        if (!int_fits(c->type, v.i)) {
            FAIL(ERR_CORRUPT, "slot %u beyond its type", c->slot);
        }
    }
    *out = v;
    return OK;
}

void column_type_text(const struct table_column *c, char out[TYPE_TEXT_BYTES])
{
    if (c->type == COLUMN_NUMERIC) {
        snprintf(out, TYPE_TEXT_BYTES, "numeric(%u,%u)", numeric_precision(c->typmod),
                 numeric_scale(c->typmod));
    } else if (c->type == COLUMN_VARCHAR && c->typmod > 0) {
        snprintf(out, TYPE_TEXT_BYTES, "varchar(%d)", c->typmod - 4);
    } else {
        snprintf(out, TYPE_TEXT_BYTES, "%s", column_type_name(c->type));
    }
}
