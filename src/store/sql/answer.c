/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/answer.h"

#include <math.h>

#include "lib/base/utf8.h"
#include "lib/wire/json_write.h"
#include "store/sql/decimal.h"
#include "store/sql/time_text.h"

void answer_init(struct answer *a)
{
    buf_clear(&a->out);
    a->out.max = ANSWER_BYTES_MAX;
    a->has_columns = a->has_rows = false;
    a->column_count = 0;
}

void answer_free(struct answer *a)
{
    buf_done(&a->out);
}

static void keep_column(struct answer *a, const struct table_column *c)
{
    size_t i = a->column_count++;

    a->columns[i].type = (uint8_t)c->type;
    a->columns[i].text = c->type == COLUMN_NUMERIC && c->typmod < 0;
    a->columns[i].scale =
        c->type == COLUMN_NUMERIC && c->typmod >= 0 ? (uint8_t)numeric_scale(c->typmod) : 0;
}

err answer_columns(struct answer *a, const struct table_column *columns, size_t count)
{
    struct json_writer w;
    char type[TYPE_TEXT_BYTES];

    if (count > ANSWER_COLUMNS_MAX) {
        FAIL(ERR_LIMIT, "%zu columns in an answer, at most %d", count, ANSWER_COLUMNS_MAX);
    }
    TRY(buf_string(&a->out, "{\"columns\":"));
    json_write_begin(&w, &a->out);
    json_write_array(&w);
    for (size_t i = 0; i < count; i++) {
        keep_column(a, &columns[i]);
        column_type_text(&columns[i], type);
        json_write_object(&w);
        json_write_key(&w, "name");
        json_write_string(&w, columns[i].name);
        json_write_key(&w, "type");
        json_write_string(&w, columns[i].type == COLUMN_NUMERIC && columns[i].typmod < 0 ? "numeric"
                                                                                         : type);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    TRY(json_write_finish(&w));
    a->has_columns = true;
    return buf_string(&a->out, ",\"rows\":[");
}

static err put_quoted(struct answer *a, const char *text, size_t size)
{
    TRY(buf_u8(&a->out, '"'));
    TRY(buf_append(&a->out, (struct bytes){ (const uint8_t *)text, size }));
    return buf_u8(&a->out, '"');
}

static err put_int(struct answer *a, int64_t v, bool quoted)
{
    char text[24];
    size_t size = int_write(v, text);

    return quoted ? put_quoted(a, text, size)
                  : buf_append(&a->out, (struct bytes){ (const uint8_t *)text, size });
}

static err put_text(struct answer *a, struct bytes text)
{
    struct json_writer w;

    json_write_begin(&w, &a->out);
    json_write_text(&w, text);
    return json_write_finish(&w);
}

static err put_double(struct answer *a, double v)
{
    struct json_writer w;

    if (!isfinite(v)) {
        return buf_string(&a->out, isnan(v)  ? "\"NaN\""
                                   : v > 0 ? "\"Infinity\""
                                           : "\"-Infinity\"");
    }
    json_write_begin(&w, &a->out);
    json_write_number(&w, v);
    return json_write_finish(&w);
}

static err put_bytea(struct answer *a, struct bytes octets)
{
    TRY(buf_string(&a->out, "\"\\\\x"));
    TRY(buf_reserve(&a->out, 2 * octets.len + 2));
    hex_encode(octets, (char *)a->out.ptr + a->out.len);
    a->out.len += 2 * octets.len;
    return buf_u8(&a->out, '"');
}

static err put_value(struct answer *a, size_t i, const struct sql_value *v)
{
    char text[DECIMAL_TEXT_BYTES > TIME_SQL_TEXT_BYTES ? DECIMAL_TEXT_BYTES : TIME_SQL_TEXT_BYTES];
    enum column_type type = (enum column_type)a->columns[i].type;

    if (v->null) {
        return buf_string(&a->out, "null");
    }
    if (a->columns[i].text) {
        return put_quoted(a, (const char *)v->octets.ptr, v->octets.len);
    }
    switch (type) {
    case COLUMN_BOOL: return buf_string(&a->out, v->i != 0 ? "true" : "false");
    case COLUMN_INT2:
    case COLUMN_INT4: return put_int(a, v->i, false);
    case COLUMN_INT8: return put_int(a, v->i, a->int8_as_text);
    case COLUMN_FLOAT8: return put_double(a, v->f);
    case COLUMN_NUMERIC: return put_quoted(a, text, decimal_write(v->i, a->columns[i].scale, text));
    case COLUMN_BYTEA: return put_bytea(a, v->octets);
    case COLUMN_DATE: return put_quoted(a, text, date_write(v->i, text));
    case COLUMN_TIMESTAMP: return put_quoted(a, text, timestamp_write(v->i, false, text));
    case COLUMN_TIMESTAMPTZ: return put_quoted(a, text, timestamp_write(v->i, true, text));
    default: return put_text(a, v->octets);
    }
}

err answer_row(struct answer *a, const struct sql_value *values)
{
    TRY(buf_string(&a->out, a->has_rows ? ",[" : "["));
    a->has_rows = true;
    for (size_t i = 0; i < a->column_count; i++) {
        if (i > 0) {
            TRY(buf_u8(&a->out, ','));
        }
        TRY(put_value(a, i, &values[i]));
    }
    return buf_u8(&a->out, ']');
}

err answer_done(struct answer *a, const char *command, struct bytes next)
{
    TRY(buf_string(&a->out, a->has_columns ? "]" : "{\"columns\":[],\"rows\":[]"));
    TRY(buf_printf(&a->out, ",\"command\":\"%s\",\"next\":", command));
    if (next.len == 0) {
        return buf_string(&a->out, "null}");
    }
    TRY(put_quoted(a, (const char *)next.ptr, next.len));
    return buf_u8(&a->out, '}');
}

/* Characters of UTF-8 before an octet, and one: PostgreSQL's position. */
static uint64_t position_of(struct bytes text, size_t at)
{
    uint64_t chars = 1;

    for (size_t i = 0; i < at && i < text.len; i++) {
        chars += (text.ptr[i] & 0xc0) != 0x80;
    }
    return chars;
}

/* A message may be cut within a character. */
static struct bytes whole_characters(const char *message)
{
    struct bytes t = bytes_of_string(message);

    while (t.len > 0 && !utf8_valid(t)) {
        t.len--;
    }
    return t;
}

err answer_failed(struct answer *a, const struct sql_error *e, struct bytes text)
{
    struct json_writer w;

    TRY(buf_string(&a->out, a->has_columns ? "],\"error\":" : "{\"error\":"));
    json_write_begin(&w, &a->out);
    json_write_object(&w);
    json_write_key(&w, "code");
    json_write_string(&w, e->state);
    json_write_key(&w, "message");
    json_write_text(&w, whole_characters(e->message));
    if (e->at != SQL_NOWHERE) {
        json_write_key(&w, "position");
        json_write_uint(&w, position_of(text, e->at));
    }
    json_write_object_end(&w);
    TRY(json_write_finish(&w));
    return buf_u8(&a->out, '}');
}
