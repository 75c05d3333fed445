/* SPDX-License-Identifier: Apache-2.0 */
/* Literals to values: see value.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sql/decimal.h"
#include "store/sql/time_text.h"
#include "store/sql/value.h"

#define NUMBER_CHARS_MAX 1000

/* A number in front of its conversion: from a literal, a parameter or a text. */
struct number {
    bool negative;
    struct bytes text;
    char room[40];
};

/* What a literal is about to become, and where it stands: for messages. */
struct target {
    const struct value_context *c;
    const struct table_column *column;
    size_t at;
};

static err mismatch(const struct target *t, const char *what)
{
    SQL_FAIL(t->c->error, "42804", t->at, "column \"%s\" is of type %s but the value is %s",
             t->column->name, column_type_name(t->column->type), what);
}

static err bad_text(const struct target *t)
{
    SQL_FAIL(t->c->error, "22P02", t->at, "invalid input syntax for type %s, column \"%s\"",
             column_type_name(t->column->type), t->column->name);
}

static err out_of_range(const struct target *t)
{
    SQL_FAIL(t->c->error, "22003", t->at, "value out of range for type %s, column \"%s\"",
             column_type_name(t->column->type), t->column->name);
}

/* --- texts --- */

static uint8_t unescaped(uint8_t c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b'
           : c == 'f' ? '\f' : c;
}

/* A text without its doubled quotes and escapes: borrowed where it has none. */
static err text_of(const struct target *t, const struct literal *l, struct bytes *out)
{
    if (l->plain) {
        *out = l->text;
        return OK;
    }
    uint8_t *room = arena_take(t->c->arena, l->text.len + 1);
    if (room == NULL) {
        SQL_FAIL(t->c->error, "54000", t->at, "the statement needs too much memory");
    }
    size_t size = 0;
    for (size_t i = 0; i < l->text.len; i++) {
        uint8_t c = l->text.ptr[i];
        if (c == '\'') {
            i++;
        } else if (c == '\\' && l->escapes) {
            c = l->text.ptr[++i];
            if (c == 'x' || c == 'u' || c == 'U' || (c >= '0' && c <= '9')) {
                SQL_FAIL(t->c->error, "0A000", t->at,
                         "escapes by number are not supported; write the character itself");
            }
            c = unescaped(c);
        }
        room[size++] = c;
    }
    *out = (struct bytes){ room, size };
    return OK;
}

static struct bytes trimmed(struct bytes t)
{
    while (t.len > 0 && (t.ptr[0] == ' ' || (t.ptr[0] >= '\t' && t.ptr[0] <= '\r'))) {
        t.ptr++;
        t.len--;
    }
    while (t.len > 0 && (t.ptr[t.len - 1] == ' ' ||
                         (t.ptr[t.len - 1] >= '\t' && t.ptr[t.len - 1] <= '\r'))) {
        t.len--;
    }
    return t;
}

static err varchar_fits(const struct target *t, struct bytes text)
{
    size_t chars = 0;

    for (size_t i = 0; i < text.len; i++) {
        chars += (text.ptr[i] & 0xc0) != 0x80;
    }
    if (t->column->typmod > 4 && chars > (size_t)(t->column->typmod - 4)) {
        SQL_FAIL(t->c->error, "22001", t->at, "value too long for column \"%s\" of varchar(%d)",
                 t->column->name, t->column->typmod - 4);
    }
    return OK;
}

/* \x and hex digits, or a text without backslashes: its own octets. */
static err bytea_of(const struct target *t, struct bytes text, struct bytes *out)
{
    if (text.len < 2 || text.ptr[0] != '\\' || text.ptr[1] != 'x') {
        if (text.len > 0 && memchr(text.ptr, '\\', text.len) != NULL) {
            return bad_text(t);
        }
        *out = text;
        return OK;
    }
    struct bytes digits = { text.ptr + 2, text.len - 2 };
    uint8_t *room = arena_take(t->c->arena, digits.len / 2 + 1);
    if (room == NULL) {
        SQL_FAIL(t->c->error, "54000", t->at, "the statement needs too much memory");
    }
    if (hex_decode(digits, room, digits.len / 2).code) {
        return bad_text(t);
    }
    *out = (struct bytes){ room, digits.len / 2 };
    return OK;
}

static bool is_word(struct bytes t, const char *word)
{
    for (size_t i = 0; i < t.len; i++) {
        uint8_t c = t.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != (uint8_t)word[i]) {
            return false;
        }
    }
    return word[t.len] == '\0';
}

static err bool_of(const struct target *t, struct bytes text, int64_t *out)
{
    static const char *const words[] = { "f", "t", "false", "true", "n", "y", "no", "yes",
                                         "off", "on", "0", "1" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (is_word(text, words[i])) {
            *out = i % 2;
            return OK;
        }
    }
    return bad_text(t);
}

static err time_of(const struct target *t, struct bytes text, int64_t *out)
{
    err e = t->column->type == COLUMN_DATE
                ? date_read(text, out)
                : timestamp_read(text, t->column->type == COLUMN_TIMESTAMPTZ, out);

    if (e.code == ERR_LIMIT) {
        SQL_FAIL(t->c->error, "22008", t->at, "date or time out of range, column \"%s\"",
                 t->column->name);
    }
    if (e.code) {
        SQL_FAIL(t->c->error, "22007", t->at,
                 "invalid input syntax for type %s, column \"%s\": YYYY-MM-DD%s is wanted",
                 column_type_name(t->column->type), t->column->name,
                 t->column->type == COLUMN_DATE ? "" : " HH:MM:SS");
    }
    return OK;
}

/* --- numbers --- */

static struct number number_of_text(struct bytes text)
{
    struct number n = { .text = trimmed(text) };

    if (n.text.len > 0 && (n.text.ptr[0] == '-' || n.text.ptr[0] == '+')) {
        n.negative = n.text.ptr[0] == '-';
        n.text.ptr++;
        n.text.len--;
    }
    return n;
}

/* The digits of a number, whatever it comes from. Texts must be numbers; others are mismatches. */
static err number_of(const struct target *t, const struct literal *l, struct number *out)
{
    struct bytes text;
    int size;

    switch (l->kind) {
    case LITERAL_NUMBER:
        out->negative = l->negative;
        out->text = l->text;
        return OK;
    case LITERAL_TEXT:
        TRY(text_of(t, l, &text));
        *out = number_of_text(text);
        return OK;
    case LITERAL_INT:
        out->negative = l->i < 0;
        size = snprintf(out->room, sizeof out->room, "%llu",
                        (unsigned long long)(l->i < 0 ? -(uint64_t)l->i : (uint64_t)l->i));
        break;
    case LITERAL_FLOAT:
        out->negative = signbit(l->f) != 0;
        size = snprintf(out->room, sizeof out->room, "%.17g", fabs(l->f));
        break;
    default:
        return mismatch(t, l->kind == LITERAL_BOOL ? "a bool" : "DEFAULT");
    }
    out->text = (struct bytes){ (const uint8_t *)out->room, (size_t)size };
    return OK;
}

static unsigned scale_of(const struct table_column *c)
{
    return c->type == COLUMN_NUMERIC ? numeric_scale(c->typmod) : 0;
}

static err decimal_of(const struct target *t, const struct number *n, struct decimal *out)
{
    if (decimal_read(n->text, scale_of(t->column), out).code) {
        return bad_text(t);
    }
    return OK;
}

static int64_t ten_to(unsigned n)
{
    int64_t v = 1;

    while (n-- > 0) {
        v *= 10;
    }
    return v;
}

static bool fits_column(const struct table_column *c, int64_t v)
{
    switch (c->type) {
    case COLUMN_INT2: return v >= INT16_MIN && v <= INT16_MAX;
    case COLUMN_INT4: return v >= INT32_MIN && v <= INT32_MAX;
    case COLUMN_NUMERIC: {
        int64_t end = ten_to(numeric_precision(c->typmod));
        return v > -end && v < end;
    }
    default: return true;
    }
}

/* Digits alone, at most 18 of them: the way of nearly all readings. */
static bool plain_int(const struct literal *l, int64_t *out)
{
    int64_t v = 0;

    if (l->kind != LITERAL_NUMBER || !l->plain || l->text.len > 18) {
        return false;
    }
    for (size_t i = 0; i < l->text.len; i++) {
        v = v * 10 + (l->text.ptr[i] - '0');
    }
    *out = l->negative ? -v : v;
    return true;
}

static err assign_integer(const struct target *t, const struct literal *l, int64_t *out)
{
    struct number n;
    struct decimal d;
    int64_t v;

    if (t->column->type != COLUMN_NUMERIC && plain_int(l, &v)) {
        *out = v;
        return fits_column(t->column, v) ? OK : out_of_range(t);
    }
    TRY(number_of(t, l, &n));
    TRY(decimal_of(t, &n, &d));
    if (l->kind == LITERAL_TEXT && t->column->type != COLUMN_NUMERIC &&
        memchr(n.text.ptr, '.', n.text.len) != NULL) {
        return bad_text(t); /* '1.5' is no integer, 1.5 is rounded to one */
    }
    if (d.beyond || __builtin_add_overflow(d.magnitude, (uint64_t)d.half_up, &d.magnitude) ||
        d.magnitude > (uint64_t)INT64_MAX + n.negative) {
        return out_of_range(t);
    }
    v = (int64_t)(n.negative ? -d.magnitude : d.magnitude);
    if (!fits_column(t->column, v)) {
        return out_of_range(t);
    }
    *out = v;
    return OK;
}

static err double_of_text(const struct target *t, const struct number *n, double *out)
{
    char text[NUMBER_CHARS_MAX + 1];
    struct decimal ignored;

    if (is_word(n->text, "infinity") || is_word(n->text, "inf")) {
        *out = (double)(n->negative ? -INFINITY : INFINITY);
        return OK;
    }
    if (is_word(n->text, "nan")) {
        SQL_FAIL(t->c->error, "22P02", t->at, "NaN not supported, column \"%s\"", t->column->name);
    }
    if (n->text.len > NUMBER_CHARS_MAX || decimal_read(n->text, 0, &ignored).code) {
        return bad_text(t);
    }
    memcpy(text, n->text.ptr, n->text.len);
    text[n->text.len] = '\0';
    double v = strtod(text, NULL); /* its form was checked above */
    if (isinf(v)) {
        return out_of_range(t);
    }
    *out = n->negative ? -v : v;
    return OK;
}

static err double_of(const struct target *t, const struct literal *l, double *out)
{
    struct number n;

    if (l->kind == LITERAL_FLOAT) {
        *out = l->f;
        return OK;
    }
    TRY(number_of(t, l, &n));
    return double_of_text(t, &n, out);
}

/* --- the two conversions --- */

/* Texts and octets come in quotes: a number is refused, as it has more than one spelling. */
static err octets_of(const struct target *t, const struct literal *l, bool assigning,
                     struct bytes *out)
{
    struct bytes text;

    if (l->kind != LITERAL_TEXT) {
        return mismatch(t, l->kind == LITERAL_BOOL ? "a bool" : "a number; put it in quotes");
    }
    TRY(text_of(t, l, &text));
    if (t->column->type == COLUMN_BYTEA) {
        return bytea_of(t, text, out);
    }
    if (assigning && t->column->type == COLUMN_VARCHAR) {
        TRY(varchar_fits(t, text));
    }
    *out = text;
    return OK;
}

/* All but integers and numeric, which assign and compare differently. */
static err plain_value(const struct target *t, const struct literal *l, bool assigning,
                       struct sql_value *out)
{
    struct sql_value v = { 0 };
    struct bytes text;

    switch (t->column->type) {
    case COLUMN_FLOAT8:
        TRY(double_of(t, l, &v.f));
        v.f = v.f == 0 ? 0 : v.f; /* one zero, as in keys */
        break;
    case COLUMN_BOOL:
        if (l->kind == LITERAL_BOOL) {
            v.i = l->truth;
            break;
        }
        if (l->kind != LITERAL_TEXT) {
            return mismatch(t, "a number");
        }
        TRY(text_of(t, l, &text));
        TRY(bool_of(t, trimmed(text), &v.i));
        break;
    case COLUMN_DATE:
    case COLUMN_TIMESTAMP:
    case COLUMN_TIMESTAMPTZ:
        if (l->kind != LITERAL_TEXT) {
            return mismatch(t, "not a text in quotes");
        }
        TRY(text_of(t, l, &text));
        TRY(time_of(t, trimmed(text), &v.i));
        break;
    default:
        TRY(octets_of(t, l, assigning, &v.octets));
    }
    *out = v;
    return OK;
}

static bool is_scaled_int(enum column_type type)
{
    return type == COLUMN_INT2 || type == COLUMN_INT4 || type == COLUMN_INT8 ||
           type == COLUMN_NUMERIC;
}

err literal_assign(const struct value_context *c, const struct literal *l,
                   const struct table_column *column, struct sql_value *out)
{
    struct target t = { c, column, l->at };
    struct sql_value v = { 0 };

    if (l->kind == LITERAL_PARAM) {
        TRY(literal_resolve(c, l, &l));
    }
    if (l->kind == LITERAL_NULL || l->kind == LITERAL_DEFAULT) {
        v.null = true; /* no column has another default */
        if (column->not_null) {
            SQL_FAIL(c->error, "23502", t.at, "column \"%s\" may not be NULL", column->name);
        }
    } else if (is_scaled_int(column->type)) {
        TRY(assign_integer(&t, l, &v.i));
    } else {
        TRY(plain_value(&t, l, true, &v));
    }
    *out = v;
    return OK;
}

/* A comparison with a number that is beyond all values of 64 bits. */
static struct predicate beyond(enum compare_op op, bool negative)
{
    bool always =
        op == OP_NE || (negative ? op == OP_GT || op == OP_GE : op == OP_LT || op == OP_LE);

    return (struct predicate){ .kind = always ? PREDICATE_ALWAYS : PREDICATE_NEVER };
}

/* `floor` is the greatest integer not above the number; inexact: they differ. */
static struct predicate against_floor(enum compare_op op, int64_t floor, bool inexact)
{
    struct predicate p = { .kind = PREDICATE_COMPARE, .op = op, .value.i = floor };

    if (!inexact) {
        return p;
    }
    switch (op) {
    case OP_EQ: p.kind = PREDICATE_NEVER; break;
    case OP_NE: p.kind = PREDICATE_ALWAYS; break;
    case OP_LT: p.op = OP_LE; break;
    case OP_GE: p.op = OP_GT; break;
    default: break;
    }
    return p;
}

static err compare_integer(const struct target *t, const struct literal *l, enum compare_op op,
                           struct predicate *out)
{
    struct number n;
    struct decimal d;

    TRY(number_of(t, l, &n));
    TRY(decimal_of(t, &n, &d));
    if (l->kind == LITERAL_TEXT && t->column->type != COLUMN_NUMERIC &&
        memchr(n.text.ptr, '.', n.text.len) != NULL) {
        return bad_text(t);
    }
    uint64_t m = d.magnitude;
    if (d.beyond || m > (uint64_t)INT64_MAX + n.negative ||
        (n.negative && d.inexact && m == (uint64_t)INT64_MAX + 1)) {
        *out = beyond(op, n.negative);
        return OK;
    }
    int64_t floor = (int64_t)(n.negative ? -m : m) - (n.negative && d.inexact);
    *out = against_floor(op, floor, d.inexact);
    return OK;
}

err literal_compare(const struct value_context *c, const struct literal *l,
                    const struct table_column *column, enum compare_op op, struct predicate *out)
{
    struct target t = { c, column, l->at };
    struct predicate p = { .kind = PREDICATE_COMPARE, .op = op };

    if (l->kind == LITERAL_PARAM) {
        TRY(literal_resolve(c, l, &l));
    }
    if (l->kind == LITERAL_NULL) {
        p.kind = PREDICATE_NEVER;
    } else if (l->kind == LITERAL_DEFAULT) {
        SQL_FAIL(c->error, "42601", t.at, "DEFAULT is not allowed in a WHERE");
    } else if (is_scaled_int(column->type)) {
        TRY(compare_integer(&t, l, op, &p));
    } else {
        TRY(plain_value(&t, l, false, &p.value));
    }
    *out = p;
    return OK;
}

err literal_count(const struct value_context *c, const struct literal *l, const char *what,
                  uint64_t *out)
{
    static const struct table_column whole = { .type = COLUMN_INT8, .typmod = -1, .name = "count" };
    struct sql_value v;

    TRY(literal_assign(c, l, &whole, &v));
    if (!v.null && v.i < 0) {
        SQL_FAIL(c->error, what[0] == 'L' ? "2201W" : "2201X", l->at, "%s must not be negative",
                 what);
    }
    *out = v.null ? UINT64_MAX : (uint64_t)v.i;
    return OK;
}
