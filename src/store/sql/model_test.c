/* SPDX-License-Identifier: Apache-2.0 */
/* Random statements, run by the engine and by a model that keeps all rows in an array and knows
 * neither keys nor pages: both must give the same answers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/rand.h"
#include "store/sql/test_db.h"

#define ROWS_MAX 512
#define STATEMENTS 3000
#define NONE INT64_MIN /* NULL */

struct model_row {
    int64_t v[4]; /* a, b: the key; c int8, d numeric(9,1) in tenths */
};

struct model {
    struct model_row rows[ROWS_MAX]; /* in key order */
    size_t count;
    struct rand64 r;
    struct buf sql;
    struct buf want;
};

static const char *const columns[] = { "a", "b", "c", "d" };

static void put(struct buf *b, const char *s)
{
    assert_ok(buf_string(b, s));
}

static int64_t below(struct model *m, uint64_t n)
{
    return (int64_t)rand64_below(&m->r, n);
}

static int order_of(const struct model_row *x, const struct model_row *y)
{
    for (int i = 0; i < 2; i++) {
        if (x->v[i] != y->v[i]) {
            return x->v[i] < y->v[i] ? -1 : 1;
        }
    }
    return 0;
}

static size_t place_of(const struct model *m, const struct model_row *row)
{
    size_t i = 0;

    while (i < m->count && order_of(&m->rows[i], row) < 0) {
        i++;
    }
    return i;
}

static void put_tenths(struct buf *b, int64_t v, bool quoted)
{
    int64_t magnitude = v < 0 ? -v : v;

    assert_ok(buf_printf(b, "%s%s%" PRId64 ".%" PRId64 "%s", quoted ? "\"" : "", v < 0 ? "-" : "",
                         magnitude / 10, magnitude % 10, quoted ? "\"" : ""));
}

static void put_value(struct buf *b, int column, int64_t v, bool answer)
{
    if (v == NONE) {
        put(b, answer ? "null" : "NULL");
    } else if (column == 3) {
        put_tenths(b, v, answer);
    } else {
        assert_ok(buf_printf(b, "%" PRId64, v));
    }
}

/* --- conditions --- */

struct model_condition {
    int column;
    int op; /* 0 = 1 <> 2 < 3 <= 4 > 5 >= 6 IN 7 IS NULL 8 IS NOT NULL */
    int64_t tenths[3]; /* the value ten times, so that decimals can be compared with integers */
    int count;
};

static const char *const operators[] = { "=", "<>", "<", "<=", ">", ">=" };

static bool compares(int op, int64_t x, int64_t y)
{
    return op == 0   ? x == y
           : op == 1 ? x != y
           : op == 2 ? x < y
           : op == 3 ? x <= y
           : op == 4 ? x > y
                     : x >= y;
}

static bool holds(const struct model_condition *c, const struct model_row *row)
{
    int64_t v = row->v[c->column];
    bool in = false;

    if (c->op >= 7) {
        return (v == NONE) == (c->op == 7);
    }
    if (v == NONE) {
        return false;
    }
    int64_t tenths = c->column == 3 ? v : v * 10;
    for (int i = 0; i < c->count && c->op == 6; i++) {
        in |= tenths == c->tenths[i];
    }
    return c->op == 6 ? in : compares(c->op, tenths, c->tenths[0]);
}

static void put_condition(struct model *m, struct model_condition *c)
{
    struct buf *b = &m->sql;

    c->column = (int)below(m, 4);
    c->op = (int)below(m, 9);
    c->count = c->op == 6 ? 1 + (int)below(m, 3) : 1;
    put(b, columns[c->column]);
    if (c->op >= 7) {
        put(b, c->op == 7 ? " IS NULL" : " IS NOT NULL");
        return;
    }
    assert_ok(buf_printf(b, " %s ", c->op == 6 ? "IN (" : operators[c->op]));
    for (int i = 0; i < c->count; i++) {
        /* Mostly whole numbers, so that something is found. */
        c->tenths[i] = below(m, 5) > 0 ? (below(m, 12) - 3) * 10 : below(m, 120) - 30;
        put(b, i > 0 ? ", " : "");
        put_tenths(b, c->tenths[i], false);
    }
    put(b, c->op == 6 ? ")" : "");
}

static int put_where(struct model *m, struct model_condition *c)
{
    int count = (int)below(m, 4);

    for (int i = 0; i < count; i++) {
        put(&m->sql, i == 0 ? " WHERE " : " AND ");
        put_condition(m, &c[i]);
    }
    return count;
}

static bool all_hold(const struct model_condition *c, int count, const struct model_row *row)
{
    for (int i = 0; i < count; i++) {
        if (!holds(&c[i], row)) {
            return false;
        }
    }
    return true;
}

/* --- statements --- */

static void finish(struct test_db *db, struct model *m, bool rows_only)
{
    assert_ok(buf_u8(&m->sql, 0));
    assert_ok(buf_u8(&m->want, 0));
    if (rows_only) {
        assert_rows(db, (const char *)m->sql.ptr, (const char *)m->want.ptr);
        return;
    }
    const char *got = test_db_run(db, (const char *)m->sql.ptr);
    char text[64];
    snprintf(text, sizeof text, "\"command\":\"%s\"", (const char *)m->want.ptr);
    if (strstr(got, text) == NULL) {
        fail_msg("%s: got %s, want %s", (const char *)m->sql.ptr, got, (const char *)m->want.ptr);
    }
}

static void random_row(struct model *m, struct model_row *row)
{
    row->v[0] = below(m, 8) - 2;
    row->v[1] = below(m, 12) - 3;
    row->v[2] = below(m, 4) == 0 ? NONE : below(m, 12) - 3;
    row->v[3] = below(m, 4) == 0 ? NONE : below(m, 120) - 30;
}

static void model_insert(struct test_db *db, struct model *m)
{
    int count = 1 + (int)below(m, 5);
    bool nothing = below(m, 3) > 0;
    struct model_row new[5];
    size_t added = 0;
    struct model before = *m;

    put(&m->sql, "INSERT INTO t (d, b, a, c) VALUES ");
    bool conflict = false;
    for (int i = 0; i < count; i++) {
        random_row(m, &new[i]);
        put(&m->sql, i > 0 ? ", (" : "(");
        put_value(&m->sql, 3, new[i].v[3], false);
        assert_ok(buf_printf(&m->sql, ", %" PRId64 ", %" PRId64 ", ", new[i].v[1], new[i].v[0]));
        put_value(&m->sql, 2, new[i].v[2], false);
        put(&m->sql, ")");
        size_t at = place_of(m, &new[i]);
        if (at < m->count && order_of(&m->rows[at], &new[i]) == 0) {
            conflict = true;
            continue;
        }
        memmove(m->rows + at + 1, m->rows + at, (m->count - at) * sizeof *m->rows);
        m->rows[at] = new[i];
        m->count++;
        added++;
    }
    put(&m->sql, nothing ? " ON CONFLICT DO NOTHING" : "");
    if (conflict && !nothing) {
        memcpy(m->rows, before.rows, sizeof m->rows);
        m->count = before.count;
        assert_ok(buf_u8(&m->sql, 0));
        assert_refused(db, (const char *)m->sql.ptr, "23505", 0);
        return;
    }
    assert_ok(buf_printf(&m->want, "INSERT 0 %zu", added));
    finish(db, m, false);
}

static void model_select(struct test_db *db, struct model *m)
{
    struct model_condition c[4];
    bool desc = below(m, 2) > 0;
    int64_t limit = below(m, 3) == 0 ? below(m, 6) : INT64_MAX;
    int64_t offset = below(m, 4) == 0 ? below(m, 4) : 0;
    int64_t seen = 0, given = 0;

    put(&m->sql, "SELECT d, a, c, b FROM t");
    int count = put_where(m, c);
    put(&m->sql, desc ? " ORDER BY a DESC, b DESC" : " ORDER BY a, b");
    if (limit != INT64_MAX) {
        assert_ok(buf_printf(&m->sql, " LIMIT %" PRId64, limit));
    }
    assert_ok(buf_printf(&m->sql, " OFFSET %" PRId64, offset));
    put(&m->want, "[");
    for (size_t i = 0; i < m->count && given < limit; i++) {
        const struct model_row *row = &m->rows[desc ? m->count - 1 - i : i];
        if (!all_hold(c, count, row) || seen++ < offset) {
            continue;
        }
        put(&m->want, given++ > 0 ? ",[" : "[");
        put_value(&m->want, 3, row->v[3], true);
        assert_ok(buf_printf(&m->want, ",%" PRId64 ",", row->v[0]));
        put_value(&m->want, 2, row->v[2], true);
        assert_ok(buf_printf(&m->want, ",%" PRId64 "]", row->v[1]));
    }
    put(&m->want, "]");
    finish(db, m, true);
}

struct totals {
    int64_t rows, count, sum, min, max;
};

static void total_add(struct totals *t, const struct model_row *row)
{
    int64_t v = row->v[3];

    t->rows++;
    if (v == NONE) {
        return;
    }
    t->min = t->count == 0 || v < t->min ? v : t->min;
    t->max = t->count == 0 || v > t->max ? v : t->max;
    t->sum += v;
    t->count++;
}

static void put_totals(struct buf *b, const struct totals *t)
{
    assert_ok(buf_printf(b, "%" PRId64 ",%" PRId64 ",", t->rows, t->count));
    put_value(b, 3, t->count > 0 ? t->sum : NONE, true);
    put(b, ",");
    put_value(b, 3, t->count > 0 ? t->min : NONE, true);
    put(b, ",");
    put_value(b, 3, t->count > 0 ? t->max : NONE, true);
    put(b, "]");
}

static void model_aggregate(struct test_db *db, struct model *m)
{
    struct model_condition c[4];
    struct totals t = { 0 };
    bool grouped = below(m, 2) > 0;
    int64_t group = NONE;

    assert_ok(buf_printf(&m->sql, "SELECT %scount(*), count(d), sum(d), min(d), max(d) FROM t",
                         grouped ? "a, " : ""));
    int count = put_where(m, c);
    put(&m->sql, grouped ? " GROUP BY a ORDER BY a" : "");
    put(&m->want, "[");
    for (size_t i = 0; i < m->count; i++) {
        const struct model_row *row = &m->rows[i];
        if (!all_hold(c, count, row)) {
            continue;
        }
        if (grouped && row->v[0] != group) {
            if (group != NONE) {
                put_totals(&m->want, &t);
                put(&m->want, ",");
            }
            assert_ok(buf_printf(&m->want, "[%" PRId64 ",", row->v[0]));
            t = (struct totals){ 0 };
            group = row->v[0];
        }
        total_add(&t, row);
    }
    if (!grouped) {
        put(&m->want, "[");
    }
    if (!grouped || group != NONE) {
        put_totals(&m->want, &t);
    }
    put(&m->want, "]");
    finish(db, m, true);
}

static void model_update(struct test_db *db, struct model *m)
{
    struct model_condition c[4];
    int64_t v = below(m, 4) == 0 ? NONE : below(m, 12) - 3;
    size_t changed = 0;

    put(&m->sql, "UPDATE t SET c = ");
    put_value(&m->sql, 2, v, false);
    int count = put_where(m, c);
    for (size_t i = 0; i < m->count; i++) {
        if (all_hold(c, count, &m->rows[i])) {
            m->rows[i].v[2] = v;
            changed++;
        }
    }
    assert_ok(buf_printf(&m->want, "UPDATE %zu", changed));
    finish(db, m, false);
}

static void model_delete(struct test_db *db, struct model *m)
{
    struct model_condition c[4];
    size_t kept = 0, all = m->count;

    put(&m->sql, "DELETE FROM t");
    int count = put_where(m, c);
    for (size_t i = 0; i < m->count; i++) {
        if (!all_hold(c, count, &m->rows[i])) {
            m->rows[kept++] = m->rows[i];
        }
    }
    m->count = kept;
    assert_ok(buf_printf(&m->want, "DELETE %zu", all - kept));
    finish(db, m, false);
}

static void engine_and_model_agree(void **state)
{
    static void (*const kinds[])(struct test_db *, struct model *) = {
        model_insert, model_insert, model_insert, model_select, model_select, model_select,
        model_aggregate, model_aggregate, model_update, model_delete,
    };
    struct test_db *db = calloc(1, sizeof *db);
    struct model *m = calloc(1, sizeof *m);

    (void)state;
    test_db_init(db);
    *m = (struct model){ .r = { 20251122 }, .sql.max = 65536, .want.max = 1u << 20 };
    assert_command(db,
                   "CREATE TABLE t (a int4, b int8, c int8, d numeric(9,1), PRIMARY KEY (a, b))",
                   "CREATE TABLE");
    for (int i = 0; i < STATEMENTS; i++) {
        buf_clear(&m->sql);
        buf_clear(&m->want);
        db->store->page_max = (uint32_t)below(m, 7);
        kinds[below(m, sizeof kinds / sizeof *kinds)](db, m);
    }
    buf_done(&m->sql);
    buf_done(&m->want);
    free(m);
    test_db_done(db);
    free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(engine_and_model_agree) };

    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
