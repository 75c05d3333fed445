/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/canon.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/wire/fixed.h"

/* One container that is being written. Depth is bounded, so an array serves for recursion. */
struct level {
    const json_t *value;
    const char **keys; /* sorted, owned; NULL for arrays */
    size_t index;
    size_t count;
};

struct stack {
    struct level levels[CANON_DEPTH_MAX];
    size_t depth;
};

static void stack_done(struct stack *s)
{
    while (s->depth > 0) {
        mem_give(s->levels[--s->depth].keys);
    }
}

static int key_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static err key_check(const char *key)
{
    for (const char *c = key; *c != '\0'; c++) {
        if (*c < 0x20 || *c > 0x7e || *c == '"' || *c == '\\') {
            FAIL(ERR_PROTO, "a key has an octet that is not plain ASCII");
        }
    }
    return OK;
}

static err keys_sort(const json_t *object, const char **keys)
{
    size_t n = 0;

    for (void *it = json_object_iter((json_t *)(uintptr_t)object); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
        keys[n] = json_object_iter_key(it);
        TRY(key_check(keys[n]));
        n++;
    }
    qsort(keys, n, sizeof keys[0], key_compare);
    return OK;
}

static err container_open(struct stack *s, struct json_writer *w, const json_t *value)
{
    if (s->depth == CANON_DEPTH_MAX) {
        FAIL(ERR_LIMIT, "a document is deeper than %d", CANON_DEPTH_MAX);
    }
    struct level *l = &s->levels[s->depth];
    *l = (struct level){ .value = value };
    if (json_is_array(value)) {
        l->count = json_array_size(value);
        s->depth++;
        json_write_array(w);
        return OK;
    }
    l->count = json_object_size(value);
    l->keys = mem_take(l->count * sizeof l->keys[0]);
    if (l->keys == NULL) {
        FAIL(ERR_LIMIT, "no memory for the keys of a document");
    }
    s->depth++;
    TRY(keys_sort(value, l->keys));
    json_write_object(w);
    return OK;
}

static err scalar_write(struct json_writer *w, const json_t *value)
{
    json_int_t v;

    switch (json_typeof(value)) {
    case JSON_STRING:
        json_write_text(w, (struct bytes){ (const uint8_t *)json_string_value(value),
                                           json_string_length(value) });
        return OK;
    case JSON_INTEGER:
        v = json_integer_value(value);
        if (v < -CANON_INT_MAX || v > CANON_INT_MAX) {
            FAIL(ERR_PROTO, "an integer passes 2^53 - 1: write it as a string");
        }
        json_write_int(w, v);
        return OK;
    case JSON_TRUE:
    case JSON_FALSE: json_write_bool(w, json_is_true(value)); return OK;
    case JSON_NULL: json_write_null(w); return OK;
    case JSON_REAL:
    case JSON_OBJECT:
    case JSON_ARRAY:
    default: FAIL(ERR_PROTO, "a floating-point number in a canonical document");
    }
}

static err value_write(struct stack *s, struct json_writer *w, const json_t *value)
{
    if (json_is_array(value) || json_is_object(value)) {
        return container_open(s, w, value);
    }
    return scalar_write(w, value);
}

/* Writes the next child of the innermost container, or closes it. */
static err stack_step(struct stack *s, struct json_writer *w)
{
    struct level *top = &s->levels[s->depth - 1];

    if (top->index == top->count) {
        if (top->keys != NULL) {
            json_write_object_end(w);
        } else {
            json_write_array_end(w);
        }
        mem_give(top->keys);
        s->depth--;
        return OK;
    }
    size_t i = top->index++;
    if (top->keys == NULL) {
        return value_write(s, w, json_array_get(top->value, i));
    }
    json_write_key(w, top->keys[i]);
    return value_write(s, w, json_object_get(top->value, top->keys[i]));
}

err canon_write(const json_t *value, struct buf *out)
{
    AUTO(stack_done) struct stack s = { .depth = 0 };
    struct json_writer w;

    json_write_begin(&w, out);
    TRY(value_write(&s, &w, value));
    while (s.depth > 0) {
        TRY(stack_step(&s, &w));
    }
    return json_write_finish(&w);
}

static size_t first_difference(struct bytes a, struct bytes b)
{
    size_t i = 0;

    while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i]) {
        i++;
    }
    return i;
}

err canon_read(struct bytes text, json_t **out)
{
    AUTO(json_freep) json_t *doc = NULL;
    AUTO(buf_done) struct buf again = { .max = CANON_BYTES_MAX };

    TRY(json_read(text, CANON_BYTES_MAX, CANON_DEPTH_MAX, &doc));
    err e = canon_write(doc, &again);
    if (e.code == ERR_LIMIT) {
        return e;
    }
    if (e.code) {
        (void)err_context(e, "not canonical");
        return (err){ ERR_CORRUPT };
    }
    if (!bytes_equal(text, buf_bytes(&again))) {
        FAIL(ERR_CORRUPT, "not canonical from octet %zu on",
             first_difference(text, buf_bytes(&again)));
    }
    *out = TAKE(doc);
    return OK;
}

err canon_fields(const json_t *object, const char *const *keys)
{
    size_t count = 0;
    const char *key;
    json_t *value;

    if (!json_is_object(object)) {
        FAIL(ERR_PROTO, "not an object");
    }
    for (; keys[count] != NULL; count++) {
        if (json_object_get(object, keys[count]) == NULL) {
            FAIL(ERR_PROTO, "field %s is missing", keys[count]);
        }
    }
    if (json_object_size(object) == count) {
        return OK;
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (keys[i] != NULL && strcmp(keys[i], key) != 0) {
            i++;
        }
        if (keys[i] == NULL) {
            FAIL(ERR_PROTO, "field %.40s is unknown", key);
        }
    }
    return OK;
}

err canon_field_bool(const json_t *object, const char *key, bool *out)
{
    const json_t *v = json_object_get(object, key);

    if (!json_is_boolean(v)) {
        FAIL(ERR_PROTO, "field %s is not true or false", key);
    }
    *out = json_is_true(v);
    return OK;
}

err canon_field_digest(const json_t *object, const char *key, struct digest *out)
{
    struct bytes text;
    struct digest d;

    TRY(json_field_text(object, key, &text));
    err e = hex_decode(text, d.octets, sizeof d.octets);
    for (size_t i = 0; !e.code && i < text.len; i++) {
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'F') {
            FAIL(ERR_PROTO, "field %s has upper-case hex digits", key);
        }
    }
    if (e.code) {
        FAIL(ERR_PROTO, "field %s is not 64 hex digits", key);
    }
    *out = d;
    return OK;
}

err canon_field_string(const json_t *object, const char *key, char *out, size_t size)
{
    struct bytes text;

    TRY(json_field_text(object, key, &text));
    if (text.len == 0 || text.len >= size) {
        FAIL(ERR_PROTO, "field %s has %zu octets, 1 to %zu are allowed", key, text.len, size - 1);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            FAIL(ERR_PROTO, "field %s has a control character", key);
        }
    }
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return OK;
}

err canon_field_fixed(const json_t *object, const char *key, unsigned decimals, unsigned keep,
                      int64_t min, int64_t max, int64_t *out)
{
    struct bytes text;
    int64_t v = 0;

    TRY(json_field_text(object, key, &text));
    err e = fixed_parse(text, decimals, keep, &v);
    if (e.code) {
        return err_context(e, "field %s", key);
    }
    if (v < min || v > max) {
        FAIL(ERR_PROTO, "field %s is out of range", key);
    }
    *out = v;
    return OK;
}

err canon_day_parse(struct bytes text, int32_t *out)
{
    char again[CANON_DAY_BYTES];
    int64_t s = 0;

    if (text.len != CANON_DAY_BYTES - 1) {
        FAIL(ERR_PROTO, "not a day of the form YYYY-MM-DD");
    }
    TRY(time_parse(text, &s));
    int32_t day = (int32_t)(s / S_PER_DAY);
    if (s < 0 || s % S_PER_DAY != 0) {
        FAIL(ERR_PROTO, "not a day from 1970-01-01 on");
    }
    canon_day_text(day, again);
    if (!bytes_equal(text, bytes_of_string(again))) {
        FAIL(ERR_PROTO, "not a day of the form YYYY-MM-DD");
    }
    *out = day;
    return OK;
}

err canon_field_day(const json_t *object, const char *key, int32_t *out)
{
    struct bytes text;

    TRY(json_field_text(object, key, &text));
    return err_context(canon_day_parse(text, out), "field %s", key);
}

void canon_day_text(int32_t day, char out[CANON_DAY_BYTES])
{
    char text[TIME_TEXT_BYTES];

    time_format_s((int64_t)day * S_PER_DAY, text);
    memcpy(out, text, CANON_DAY_BYTES - 1);
    out[CANON_DAY_BYTES - 1] = '\0';
}

void canon_digest(struct json_writer *w, const char *key, const struct digest *d)
{
    char hex[2 * DIGEST_BYTES + 1];

    hex_encode(DIGEST_VIEW(d), hex);
    canon_string(w, key, hex);
}

void canon_string(struct json_writer *w, const char *key, const char *text)
{
    json_write_key(w, key);
    json_write_string(w, text);
}

void canon_int(struct json_writer *w, const char *key, int64_t v)
{
    assert(v >= -CANON_INT_MAX && v <= CANON_INT_MAX);
    json_write_key(w, key);
    json_write_int(w, v);
}

void canon_bool(struct json_writer *w, const char *key, bool v)
{
    json_write_key(w, key);
    json_write_bool(w, v);
}

void canon_fixed(struct json_writer *w, const char *key, int64_t v, unsigned decimals,
                 unsigned keep)
{
    char text[FIXED_TEXT_BYTES];

    fixed_format(v, decimals, keep, text);
    canon_string(w, key, text);
}

void canon_day(struct json_writer *w, const char *key, int32_t day)
{
    char text[CANON_DAY_BYTES];

    canon_day_text(day, text);
    canon_string(w, key, text);
}
