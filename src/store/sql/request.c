/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/request.h"

#include <string.h>

#include "lib/base/mem.h"

void sql_body_done(struct sql_body *b)
{
    json_decref(b->doc);
    mem_give(b->params);
    *b = (struct sql_body){ 0 };
}

static err read_param(const json_t *v, size_t i, struct sql_error *error, struct literal *out)
{
    struct literal l = { .at = SQL_NOWHERE, .plain = true };

    switch (json_typeof(v)) {
    case JSON_NULL: l.kind = LITERAL_NULL; break;
    case JSON_TRUE:
    case JSON_FALSE:
        l.kind = LITERAL_BOOL;
        l.truth = json_is_true(v);
        break;
    case JSON_INTEGER:
        l.kind = LITERAL_INT;
        l.i = json_integer_value(v);
        break;
    case JSON_REAL:
        l.kind = LITERAL_FLOAT;
        l.f = json_real_value(v);
        break;
    case JSON_STRING:
        l.kind = LITERAL_TEXT;
        l.text = (struct bytes){ (const uint8_t *)json_string_value(v), json_string_length(v) };
        break;
    default:
        SQL_FAIL(error, "22023", SQL_NOWHERE,
                 "\"params\": parameter %zu is an array or object; wanted is a number, text, bool "
                 "or null", i + 1);
    }
    *out = l;
    return OK;
}

static err read_params(const json_t *array, struct sql_error *error, struct sql_body *b)
{
    size_t count = json_array_size(array);

    if (!json_is_array(array)) {
        SQL_FAIL(error, "22023", SQL_NOWHERE, "\"params\" is not an array");
    }
    if (count > SQL_PARAMS_MAX) {
        SQL_FAIL(error, "54000", SQL_NOWHERE, "%zu parameters, at most %d", count, SQL_PARAMS_MAX);
    }
    b->params = mem_take(count * sizeof *b->params);
    if (b->params == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu parameters", count);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(read_param(json_array_get(array, i), i, error, &b->params[i]));
    }
    b->param_count = count;
    return OK;
}

static err read_text(const json_t *v, const char *key, struct sql_error *error, struct bytes *out)
{
    if (!json_is_string(v)) {
        SQL_FAIL(error, "22023", SQL_NOWHERE, "\"%s\" is not a text", key);
    }
    *out = (struct bytes){ (const uint8_t *)json_string_value(v), json_string_length(v) };
    return OK;
}

static err read_types(const json_t *v, struct sql_error *error)
{
    bool good = json_is_array(v);

    for (size_t i = 0; good && i < json_array_size(v); i++) {
        good = json_is_string(json_array_get(v, i));
    }
    if (!good) {
        SQL_FAIL(error, "22023", SQL_NOWHERE, "\"types\" is not an array of texts");
    }
    return OK;
}

static err read_rows_max(const json_t *v, struct sql_error *error, struct sql_body *b)
{
    if (!json_is_integer(v) || json_integer_value(v) < 1 ||
        json_integer_value(v) > REQUEST_ROWS_MAX) {
        SQL_FAIL(error, "22023", SQL_NOWHERE, "\"max_rows\" is not 1 to %d", REQUEST_ROWS_MAX);
    }
    b->rows_max = (uint64_t)json_integer_value(v);
    return OK;
}

static err read_int8(const json_t *v, struct sql_error *error, struct sql_body *b)
{
    const char *s = json_is_string(v) ? json_string_value(v) : "";

    if (strcmp(s, "number") != 0 && strcmp(s, "string") != 0) {
        SQL_FAIL(error, "22023", SQL_NOWHERE, "\"int8\" is \"number\" or \"string\"");
    }
    b->int8_as_text = s[0] == 's';
    return OK;
}

static err read_member(const char *key, const json_t *v, struct sql_error *error,
                       struct sql_body *b)
{
    if (strcmp(key, "sql") == 0) {
        return read_text(v, key, error, &b->text);
    }
    if (strcmp(key, "params") == 0) {
        return json_is_null(v) ? OK : read_params(v, error, b);
    }
    if (strcmp(key, "types") == 0) {
        return json_is_null(v) ? OK : read_types(v, error);
    }
    if (strcmp(key, "max_rows") == 0) {
        return json_is_null(v) ? OK : read_rows_max(v, error, b);
    }
    if (strcmp(key, "next") == 0) {
        return json_is_null(v) ? OK : read_text(v, key, error, &b->next);
    }
    if (strcmp(key, "int8") == 0) {
        return read_int8(v, error, b);
    }
    SQL_FAIL(error, "22023", SQL_NOWHERE,
             "unknown field; there are sql, params, types, max_rows, next and int8");
}

static err read_members(struct sql_error *error, struct sql_body *b)
{
    const char *key;
    json_t *v;

    if (!json_is_object(b->doc)) {
        SQL_FAIL(error, "22023", SQL_NOWHERE, "the body is not a JSON object");
    }
    json_object_foreach (b->doc, key, v) {
        TRY(read_member(key, v, error, b));
    }
    if (json_object_get(b->doc, "sql") == NULL) {
        SQL_FAIL(error, "22023", SQL_NOWHERE, "the field \"sql\" is missing");
    }
    return OK;
}

err sql_body_read(struct bytes body, size_t bytes_max, struct sql_error *error,
                  struct sql_body *out)
{
    AUTO(sql_body_done) struct sql_body b = { 0 };

    err e = json_read(body, bytes_max, REQUEST_DEPTH_MAX, &b.doc);
    if (e.code) {
        SQL_FAIL(error, "22023", SQL_NOWHERE, "the body is refused: %s", err_text());
    }
    TRY(read_members(error, &b));
    *out = b;
    b = (struct sql_body){ 0 };
    return OK;
}
