/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/json_read.h"

/* The deepest nesting, found without recursion. Brackets inside strings do not count; whether they
 * match is left to the parser. */
static unsigned depth_of(struct bytes text)
{
    unsigned depth = 0;
    unsigned deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '[' || c == '{') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if (c == ']' || c == '}') {
            depth -= depth > 0 ? 1 : 0;
        } else {
            in_string = c == '"';
        }
    }
    return deepest;
}

err json_read(struct bytes text, size_t size_max, unsigned depth_max, json_t **out)
{
    json_error_t why;

    if (text.len > size_max) {
        FAIL(ERR_LIMIT, "JSON of %zu octets, at most %zu", text.len, size_max);
    }
    if (depth_of(text) > depth_max) {
        FAIL(ERR_LIMIT, "JSON nested deeper than %u", depth_max);
    }
    json_t *doc = json_loadb((const char *)(text.len > 0 ? text.ptr : (const uint8_t *)""),
                             text.len, JSON_REJECT_DUPLICATES, &why);
    if (doc == NULL) {
        FAIL(ERR_PROTO, "JSON line %d, column %d: %s", why.line, why.column, why.text);
    }
    *out = doc;
    return OK;
}

void json_freep(json_t **doc)
{
    json_decref(*doc);
    *doc = NULL;
}

static err field_get(const json_t *object, const char *key, json_t **out)
{
    if (!json_is_object(object)) {
        FAIL(ERR_PROTO, "field \"%s\" is wanted of something that is no object", key);
    }
    json_t *value = json_object_get(object, key);
    if (value == NULL) {
        FAIL(ERR_MISSING, "field \"%s\" is missing", key);
    }
    *out = value;
    return OK;
}

err json_field_int(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out)
{
    json_t *value;

    TRY(field_get(object, key, &value));
    if (!json_is_integer(value)) {
        FAIL(ERR_PROTO, "field \"%s\" is not a whole number", key);
    }
    int64_t v = json_integer_value(value);
    if (v < min || v > max) {
        FAIL(ERR_LIMIT, "field \"%s\" is %lld, wanted %lld to %lld", key, (long long)v,
             (long long)min, (long long)max);
    }
    *out = v;
    return OK;
}

err json_field_text(const json_t *object, const char *key, struct bytes *out)
{
    json_t *value;

    TRY(field_get(object, key, &value));
    if (!json_is_string(value)) {
        FAIL(ERR_PROTO, "field \"%s\" is not a text", key);
    }
    *out = (struct bytes){ (const uint8_t *)json_string_value(value), json_string_length(value) };
    return OK;
}

err json_field_array(const json_t *object, const char *key, json_t **out)
{
    json_t *value;

    TRY(field_get(object, key, &value));
    if (!json_is_array(value)) {
        FAIL(ERR_PROTO, "field \"%s\" is not an array", key);
    }
    *out = value;
    return OK;
}

err json_field_object(const json_t *object, const char *key, json_t **out)
{
    json_t *value;

    TRY(field_get(object, key, &value));
    if (!json_is_object(value)) {
        FAIL(ERR_PROTO, "field \"%s\" is not an object", key);
    }
    *out = value;
    return OK;
}
