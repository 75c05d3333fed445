/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/plan.h"

#include <stdlib.h>
#include <string.h>

#include "lib/wire/tuple.h"

/* One condition with its literals brought to the column's values. */
struct bound_condition {
    uint16_t column;
    enum compare_op op;
    bool used; /* the ranges see to it */
    struct predicate predicate;
    struct sql_value *list;
    size_t list_count;
};

struct planner {
    const struct value_context *c;
    const struct table_def *t;
    struct bound_condition *conditions;
    size_t count;
    struct bytes *prefixes; /* keys so far, in order */
    size_t prefix_count;
    bool nothing; /* some condition can never hold */
};

err plan_column(const struct table_def *t, const struct sql_name *name, struct sql_error *error,
                uint16_t *out)
{
    int i = table_column_find(t, bytes_of_string(name->text));

    if (i < 0) {
        SQL_FAIL(error, "42703", name->at, "column \"%s\" of table \"%s\" does not exist",
                 name->text, t->name);
    }
    *out = (uint16_t)i;
    return OK;
}

static err too_large(const struct planner *p)
{
    SQL_FAIL(p->c->error, "54000", SQL_NOWHERE, "the statement needs too much memory");
}

static void *take(struct planner *p, size_t count, size_t size)
{
    return arena_take(p->c->arena, count * size);
}

/* --- conditions to values --- */

static err bind_list(struct planner *p, const struct condition *from, struct bound_condition *to)
{
    const struct table_column *column = &p->t->columns[to->column];
    struct predicate one;

    to->list = take(p, from->count, sizeof *to->list);
    if (to->list == NULL) {
        return too_large(p);
    }
    for (size_t i = 0; i < from->count; i++) {
        TRY(literal_compare(p->c, &from->values[i], column, OP_EQ, &one));
        if (one.kind == PREDICATE_COMPARE) {
            to->list[to->list_count++] = one.value;
        }
    }
    p->nothing |= to->list_count == 0;
    return OK;
}

static err bind_condition(struct planner *p, const struct condition *from)
{
    struct bound_condition to = { .op = from->op };

    TRY(plan_column(p->t, &from->column, p->c->error, &to.column));
    const struct table_column *column = &p->t->columns[to.column];
    switch (from->op) {
    case OP_IS_NULL: p->nothing |= column->not_null; break;
    case OP_NOT_NULL: to.used = column->not_null; break;
    case OP_IN: TRY(bind_list(p, from, &to)); break;
    default:
        TRY(literal_compare(p->c, &from->values[0], column, from->op, &to.predicate));
        p->nothing |= to.predicate.kind == PREDICATE_NEVER;
        to.op = to.predicate.op;
        if (to.predicate.kind == PREDICATE_ALWAYS) {
            to.op = OP_NOT_NULL;
            to.used = column->not_null;
        }
    }
    p->conditions[p->count++] = to;
    return OK;
}

static err bind_all(struct planner *p, const struct statement *s)
{
    p->conditions = take(p, s->where_count + 1, sizeof *p->conditions);
    if (p->conditions == NULL) {
        return too_large(p);
    }
    for (size_t i = 0; i < s->where_count; i++) {
        TRY(bind_condition(p, &s->where[i]));
    }
    return OK;
}

/* --- keys --- */

static err key_put(struct planner *p, struct bytes prefix, const struct table_column *c,
                   const struct sql_value *v, struct bytes *out)
{
    AUTO(buf_done) struct buf key = { .max = PLAN_KEY_BYTES_MAX };

    err e = buf_append(&key, prefix);
    if (!e.code) {
        e = value_put_key(&key, c->type, v);
    }
    if (e.code) {
        SQL_FAIL(p->c->error, "54000", SQL_NOWHERE, "a key of more than %d octets",
                 PLAN_KEY_BYTES_MAX);
    }
    return arena_copy(p->c->arena, buf_bytes(&key), out);
}

static err key_behind(struct planner *p, struct bytes prefix, struct bytes *out)
{
    AUTO(buf_done) struct buf end = { .max = PLAN_KEY_BYTES_MAX };

    TRY(tuple_prefix_end(prefix, &end));
    return arena_copy(p->c->arena, buf_bytes(&end), out);
}

static struct bound_condition *condition_on(struct planner *p, uint16_t column, enum compare_op op)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->conditions[i].column == column && p->conditions[i].op == op) {
            return &p->conditions[i];
        }
    }
    return NULL;
}

/* Octets may hold a zero, whose escape makes other keys begin alike: such conditions are checked on
 * each row as well. */
static void mark_used(struct planner *p, struct bound_condition *c)
{
    c->used = p->t->columns[c->column].type != COLUMN_BYTEA;
}

/* Every prefix with every value of the list behind it. The list is sorted and without doubles. */
static err extend(struct planner *p, uint16_t column, const struct sql_value *list, size_t count)
{
    if (p->prefix_count * count > PLAN_RANGES_MAX) {
        SQL_FAIL(p->c->error, "54000", SQL_NOWHERE, "IN lists make more than %d ranges of keys",
                 PLAN_RANGES_MAX);
    }
    struct bytes *longer = take(p, p->prefix_count * count, sizeof *longer);
    if (longer == NULL) {
        return too_large(p);
    }
    for (size_t i = 0; i < p->prefix_count; i++) {
        for (size_t j = 0; j < count; j++) {
            TRY(key_put(p, p->prefixes[i], &p->t->columns[column], &list[j],
                        &longer[i * count + j]));
        }
    }
    p->prefixes = longer;
    p->prefix_count *= count;
    return OK;
}


static int by_value(const void *a, const void *b, void *type)
{
    return value_compare(*(const enum column_type *)type, a, b);
}

static void sort_list(const struct planner *p, struct bound_condition *c)
{
    enum column_type type = p->t->columns[c->column].type;
    size_t kept = 0;

    qsort_r(c->list, c->list_count, sizeof *c->list, by_value, &type);
    for (size_t i = 0; i < c->list_count; i++) {
        if (kept == 0 || value_compare(type, &c->list[kept - 1], &c->list[i]) != 0) {
            c->list[kept++] = c->list[i];
        }
    }
    c->list_count = kept;
}

/* --- the range on the first key column that is not bound to values --- */

/* The narrowest of two kinds of comparison on a column: > and >=, or < and <=. */
static struct bound_condition *narrowest(struct planner *p, uint16_t column, enum compare_op strict,
                                         enum compare_op loose)
{
    struct bound_condition *best = NULL;
    enum column_type type = p->t->columns[column].type;
    int towards = strict == OP_GT ? 1 : -1;

    for (size_t i = 0; i < p->count; i++) {
        struct bound_condition *c = &p->conditions[i];
        if (c->column != column || (c->op != strict && c->op != loose)) {
            continue;
        }
        int order = best == NULL ? towards
                                 : value_compare(type, &c->predicate.value, &best->predicate.value);
        if (order * towards > 0 || (order == 0 && c->op == strict)) {
            best = c;
        }
    }
    /* All of them hold where the narrowest does. */
    for (size_t i = 0; best != NULL && i < p->count; i++) {
        struct bound_condition *c = &p->conditions[i];
        if (c->column == column && (c->op == strict || c->op == loose)) {
            mark_used(p, c);
        }
    }
    return best;
}

static err range_of(struct planner *p, struct bytes prefix, const struct bound_condition *low,
                    const struct bound_condition *high, struct plan_range *out)
{
    struct bytes key;

    out->start = prefix;
    if (low != NULL) {
        const struct table_column *c = &p->t->columns[low->column];
        TRY(key_put(p, prefix, c, &low->predicate.value, &key));
        out->start = key;
        if (low->op == OP_GT && c->type != COLUMN_BYTEA) {
            TRY(key_behind(p, key, &out->start));
        }
    }
    if (high == NULL) {
        return key_behind(p, prefix, &out->end);
    }
    TRY(key_put(p, prefix, &p->t->columns[high->column], &high->predicate.value, &key));
    out->end = key;
    return high->op == OP_LE ? key_behind(p, key, &out->end) : OK;
}

static err make_ranges(struct planner *p, uint16_t key_index, struct plan *out)
{
    struct bound_condition *low = NULL, *high = NULL;

    if (key_index < p->t->key_count) {
        low = narrowest(p, p->t->key[key_index], OP_GT, OP_GE);
        high = narrowest(p, p->t->key[key_index], OP_LT, OP_LE);
    }
    out->ranges = take(p, p->prefix_count, sizeof *out->ranges);
    if (out->ranges == NULL) {
        return too_large(p);
    }
    for (size_t i = 0; i < p->prefix_count; i++) {
        struct plan_range *r = &out->ranges[out->range_count];
        TRY(range_of(p, p->prefixes[i], low, high, r));
        out->range_count += bytes_compare(r->start, r->end) < 0;
    }
    return OK;
}

/* Binds key columns one by one: to one value, to a list, at last to a range. */
static err walk_key(struct planner *p, struct plan *out)
{
    uint16_t k = 0;
    bool single = true;

    for (; k < p->t->key_count; k++) {
        struct bound_condition *equal = condition_on(p, p->t->key[k], OP_EQ);
        struct bound_condition *list = condition_on(p, p->t->key[k], OP_IN);
        if (equal != NULL) {
            TRY(extend(p, p->t->key[k], &equal->predicate.value, 1));
            mark_used(p, equal);
        } else if (list != NULL) {
            sort_list(p, list);
            TRY(extend(p, p->t->key[k], list->list, list->list_count));
            mark_used(p, list);
            single = false;
        } else {
            break;
        }
        out->bound += single;
    }
    out->points = k == p->t->key_count;
    return make_ranges(p, k, out);
}

/* --- what is left for each row --- */

static struct plan_filter filter_of(const struct bound_condition *c)
{
    struct plan_filter f = { .column = c->column, .predicate = c->predicate, .list = c->list,
                             .list_count = c->list_count };

    f.kind = c->op == OP_IN         ? FILTER_IN
             : c->op == OP_IS_NULL  ? FILTER_NULL
             : c->op == OP_NOT_NULL ? FILTER_NOT_NULL
                                    : FILTER_PREDICATE;
    return f;
}

static err make_filters(struct planner *p, struct plan *out)
{
    out->filters = take(p, p->count + 1, sizeof *out->filters);
    if (out->filters == NULL) {
        return too_large(p);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (!p->conditions[i].used) {
            out->filters[out->filter_count++] = filter_of(&p->conditions[i]);
        }
    }
    return OK;
}

err plan_make(const struct value_context *c, const struct table_def *t, const struct statement *s,
              struct plan *out)
{
    AUTO(buf_done) struct buf key = { .max = PLAN_KEY_BYTES_MAX };
    struct planner p = { .c = c, .t = t, .prefix_count = 1 };
    struct plan plan = { .table = t };
    struct bytes rows;

    TRY(bind_all(&p, s));
    if (!p.nothing) {
        TRY(table_rows_prefix(t->id, &key));
        TRY(arena_copy(c->arena, buf_bytes(&key), &rows));
        p.prefixes = &rows;
        TRY(walk_key(&p, &plan));
    }
    TRY(make_filters(&p, &plan));
    *out = plan;
    return OK;
}

static err other_order(struct sql_error *error, const struct sql_name *at)
{
    SQL_FAIL(error, "0A000", at->at,
             "ORDER BY takes the columns of the primary key in their order, all ASC or all DESC");
}

err plan_order(const struct plan *p, const struct statement *s, struct sql_error *error,
               bool *out_reverse)
{
    uint16_t next = p->bound;
    bool reverse = false;
    bool first = true;

    for (size_t i = 0; i < s->order_count; i++) {
        uint16_t column;
        TRY(plan_column(p->table, &s->order[i].column, error, &column));
        int place = p->table->columns[column].key_index;
        if ((place >= 0 && place < next) || next == p->table->key_count) {
            continue; /* one value only, or behind the whole key: changes no order */
        }
        if (place != next || (!first && s->order[i].desc != reverse)) {
            return other_order(error, &s->order[i].column);
        }
        reverse = s->order[i].desc;
        first = false;
        next++;
    }
    *out_reverse = reverse;
    return OK;
}

static bool in_list(const struct plan_filter *f, enum column_type type, const struct sql_value *v)
{
    for (size_t i = 0; i < f->list_count && !v->null; i++) {
        if (value_compare(type, v, &f->list[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool plan_matches(const struct plan *p, const struct sql_value *values)
{
    for (size_t i = 0; i < p->filter_count; i++) {
        const struct plan_filter *f = &p->filters[i];
        const struct sql_value *v = &values[f->column];
        enum column_type type = p->table->columns[f->column].type;
        bool holds = f->kind == FILTER_IN     ? in_list(f, type, v)
                     : f->kind == FILTER_NULL ? v->null
                     : f->kind == FILTER_NOT_NULL ? !v->null
                                                  : predicate_holds(&f->predicate, type, v);
        if (!holds) {
            return false;
        }
    }
    return true;
}
