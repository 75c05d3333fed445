/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/json_write.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/utf8.h"

#define NUMBER_TEXT_BYTES 40
#define DOUBLE_DIGITS_MAX 17 /* always enough to read a binary64 back */

void json_write_begin(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){ .out = out };
}

static void put(struct json_writer *w, struct bytes text)
{
    if (!w->first_error.code) {
        w->first_error = buf_append(w->out, text);
    }
}

static void put_char(struct json_writer *w, char c)
{
    put(w, (struct bytes){ (const uint8_t *)&c, 1 });
}

static uint32_t depth_bit(const struct json_writer *w)
{
    return UINT32_C(1) << (w->depth - 1);
}

/* The comma before a value or a key, and what may stand here at all. */
static void before_item(struct json_writer *w)
{
    if (w->depth == 0) {
        return;
    }
    if ((w->has_item & depth_bit(w)) != 0) {
        put_char(w, ',');
    }
    w->has_item |= depth_bit(w);
}

static void before_value(struct json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    assert(w->depth == 0 || (w->in_object & depth_bit(w)) == 0);
    before_item(w);
}

static void open_level(struct json_writer *w, bool object)
{
    before_value(w);
    put_char(w, object ? '{' : '[');
    assert(w->depth < JSON_DEPTH_MAX);
    w->depth++;
    w->in_object = object ? w->in_object | depth_bit(w) : w->in_object & ~depth_bit(w);
    w->has_item &= ~depth_bit(w);
}

static void close_level(struct json_writer *w, bool object)
{
    assert(w->depth > 0 && !w->after_key);
    assert(((w->in_object & depth_bit(w)) != 0) == object);
    w->depth--;
    put_char(w, object ? '}' : ']');
}

void json_write_object(struct json_writer *w)
{
    open_level(w, true);
}

void json_write_object_end(struct json_writer *w)
{
    close_level(w, true);
}

void json_write_array(struct json_writer *w)
{
    open_level(w, false);
}

void json_write_array_end(struct json_writer *w)
{
    close_level(w, false);
}

static void put_escape(struct json_writer *w, uint8_t c)
{
    static const char short_forms[] = "\"\"\\\\\bb\tt\nn\ff\rr";
    char text[8];

    for (size_t i = 0; i + 1 < sizeof short_forms; i += 2) {
        if (c == (uint8_t)short_forms[i]) {
            put_char(w, '\\');
            put_char(w, short_forms[i + 1]);
            return;
        }
    }
    snprintf(text, sizeof text, "\\u%04x", c);
    put(w, bytes_of_string(text));
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Runs of plain characters go out in one piece. */
static void put_quoted(struct json_writer *w, struct bytes t)
{
    put_char(w, '"');
    while (t.len > 0 && !w->first_error.code) {
        size_t n = 0;
        while (n < t.len && is_plain(t.ptr[n])) {
            n++;
        }
        size_t wide = n == 0 && t.ptr[0] >= 0x80 ? utf8_size(t) : 0;
        if (n == 0 && t.ptr[0] < 0x80) {
            put_escape(w, t.ptr[0]);
            n = 1;
        } else if (n == 0 && wide == 0) {
            err_set(__FILE__, __LINE__, "JSON text: octet 0x%02x is not UTF-8", t.ptr[0]);
            w->first_error = (err){ ERR_PROTO };
        } else {
            n += wide;
            put(w, (struct bytes){ t.ptr, n });
        }
        t.ptr += n;
        t.len -= n;
    }
    put_char(w, '"');
}

void json_write_key(struct json_writer *w, const char *key)
{
    assert(w->depth > 0 && (w->in_object & depth_bit(w)) != 0 && !w->after_key);
    before_item(w);
    put_quoted(w, bytes_of_string(key));
    put_char(w, ':');
    w->after_key = true;
}

void json_write_text(struct json_writer *w, struct bytes utf8)
{
    before_value(w);
    put_quoted(w, utf8);
}

void json_write_string(struct json_writer *w, const char *s)
{
    json_write_text(w, bytes_of_string(s));
}

static void put_value(struct json_writer *w, const char *text)
{
    before_value(w);
    put(w, bytes_of_string(text));
}

void json_write_int(struct json_writer *w, int64_t v)
{
    char text[NUMBER_TEXT_BYTES];

    snprintf(text, sizeof text, "%" PRId64, v);
    put_value(w, text);
}

void json_write_uint(struct json_writer *w, uint64_t v)
{
    char text[NUMBER_TEXT_BYTES];

    snprintf(text, sizeof text, "%" PRIu64, v);
    put_value(w, text);
}

void json_write_number(struct json_writer *w, double v)
{
    char text[NUMBER_TEXT_BYTES];

    if (!isfinite(v)) {
        json_write_null(w);
        return;
    }
    /* 15 digits are exact for every decimal of 15 digits; only the denormal have fewer to give. */
    for (int digits = fabs(v) < DBL_MIN ? 1 : DBL_DIG; digits <= DOUBLE_DIGITS_MAX; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) { /* our own text, not outside input */
            break;
        }
    }
    put_value(w, text);
}

void json_write_bool(struct json_writer *w, bool v)
{
    put_value(w, v ? "true" : "false");
}

void json_write_null(struct json_writer *w)
{
    put_value(w, "null");
}

err json_write_finish(struct json_writer *w)
{
    assert(w->depth == 0 && !w->after_key);
    return w->first_error;
}
