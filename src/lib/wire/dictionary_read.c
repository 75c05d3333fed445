/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what is wanted of a descriptor; that nothing else stands there is seen by writing it
 * again. */
#include <string.h>

#include "lib/wire/dictionary.h"
#include "lib/wire/json_read.h"

#define DEPTH_MAX 6

static err read_name(const json_t *object, const char *key, char out[TABLE_NAME_BYTES_MAX + 1])
{
    struct bytes text;

    TRY(json_field_text(object, key, &text));
    if (text.len > TABLE_NAME_BYTES_MAX) {
        FAIL(ERR_LIMIT, "\"%s\" of %zu octets", key, text.len);
    }
    memcpy(out, text.ptr, text.len);
    return OK;
}

static err read_type(const json_t *object, enum column_type *out)
{
    struct bytes name;

    TRY(json_field_text(object, "type", &name));
    for (unsigned i = 0; i < COLUMN_TYPE_COUNT; i++) {
        if (bytes_equal(name, bytes_of_string(column_type_name((enum column_type)i)))) {
            *out = (enum column_type)i;
            return OK;
        }
    }
    FAIL(ERR_PROTO, "unknown column type");
}

static err check_typmod(const struct table_column *c)
{
    bool good = c->typmod == -1;

    if (c->type == COLUMN_NUMERIC) {
        good = c->typmod >= 4 && numeric_precision(c->typmod) >= 1 &&
               numeric_precision(c->typmod) <= TABLE_PRECISION_MAX &&
               numeric_scale(c->typmod) <= numeric_precision(c->typmod);
    } else if (c->type == COLUMN_VARCHAR) {
        good = c->typmod == -1 || (c->typmod > 4 && c->typmod <= TABLE_VARCHAR_MAX + 4);
    }
    if (!good) {
        FAIL(ERR_PROTO, "typmod %d of a %s", c->typmod, column_type_name(c->type));
    }
    return OK;
}

static err read_column(const json_t *object, struct table_column *c)
{
    int64_t id, typmod;

    TRY(json_field_int(object, "id", 1, UINT16_MAX, &id));
    TRY(json_field_int(object, "typmod", -1, INT32_MAX, &typmod));
    TRY(read_name(object, "name", c->name));
    TRY(read_type(object, &c->type));
    c->id = (uint16_t)id;
    c->typmod = (int32_t)typmod;
    c->dropped = json_is_true(json_object_get(object, "dropped"));
    c->not_null = json_is_true(json_object_get(object, "not_null"));
    return check_typmod(c);
}

static err read_columns(const json_t *array, struct table_def *t)
{
    for (uint16_t i = 0; i < t->column_count; i++) {
        TRY(read_column(json_array_get(array, i), &t->columns[i]));
        if (i > 0 && t->columns[i].id <= t->columns[i - 1].id) {
            FAIL(ERR_PROTO, "column ids out of order");
        }
    }
    return OK;
}

static err read_key_column(const json_t *object, struct table_def *t)
{
    int64_t id;

    TRY(json_field_int(object, "column", 1, UINT16_MAX, &id));
    for (uint16_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].id == id && t->columns[i].key_index < 0 && !t->columns[i].dropped) {
            t->columns[i].key_index = (int16_t)t->key_count;
            t->key[t->key_count++] = i;
            return OK;
        }
    }
    FAIL(ERR_PROTO, "primary key on column %lld", (long long)id);
}

static err read_key(const json_t *root, struct table_def *t)
{
    json_t *array;

    TRY(json_field_array(root, "primary_key", &array));
    size_t count = json_array_size(array);
    if (count == 0 || count > TABLE_KEY_COLUMNS_MAX) {
        FAIL(ERR_LIMIT, "primary key of %zu columns", count);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(read_key_column(json_array_get(array, i), t));
    }
    return OK;
}

/* Each version has at least the slots of the one before; the last has all. */
static err read_versions(const json_t *root, struct table_def *t)
{
    json_t *array, *slots;

    TRY(json_field_array(root, "versions", &array));
    size_t count = json_array_size(array);
    if (count == 0 || count > TABLE_VERSIONS_MAX) {
        FAIL(ERR_LIMIT, "%zu schema versions", count);
    }
    table_def_lay_out(t);
    uint16_t all = t->version_slots[0];
    for (size_t i = 0; i < count; i++) {
        TRY(json_field_array(json_array_get(array, i), "slots", &slots));
        size_t size = json_array_size(slots);
        if (size > all || (i > 0 && size < t->version_slots[i - 1])) {
            FAIL(ERR_PROTO, "schema version %zu of %zu slots", i + 1, size);
        }
        t->version_slots[i] = (uint16_t)size;
    }
    t->version = (uint16_t)count;
    if (table_slots(t) != all) {
        FAIL(ERR_PROTO, "newest schema version of %u slots, want %u", table_slots(t), all);
    }
    return OK;
}

static err read_table(const json_t *root, struct table_def **out)
{
    json_t *columns;
    int64_t id;

    TRY(json_field_array(root, "columns", &columns));
    size_t count = json_array_size(columns);
    if (count == 0 || count > TABLE_COLUMNS_MAX) {
        FAIL(ERR_LIMIT, "%zu columns", count);
    }
    AUTO(table_def_freep) struct table_def *t = NULL;
    TRY(table_def_new((uint16_t)count, &t));
    TRY(json_field_int(root, "id", 1, UINT32_MAX, &id));
    t->id = (uint32_t)id;
    t->dropped = json_is_true(json_object_get(root, "dropped"));
    TRY(read_name(root, "name", t->name));
    TRY(read_name(root, "owner", t->owner));
    TRY(read_columns(columns, t));
    TRY(read_key(root, t));
    TRY(read_versions(root, t));
    *out = TAKE(t);
    return OK;
}

static err read_canonical(struct bytes text, struct table_def **out)
{
    AUTO(json_freep) json_t *root = NULL;
    AUTO(table_def_freep) struct table_def *t = NULL;
    AUTO(buf_done) struct buf again = { .max = TABLE_TEXT_BYTES_MAX };

    TRY(json_read(text, TABLE_TEXT_BYTES_MAX, DEPTH_MAX, &root));
    TRY(read_table(root, &t));
    TRY(table_def_encode(t, &again));
    if (!bytes_equal(buf_bytes(&again), text)) {
        FAIL(ERR_PROTO, "not in canonical form");
    }
    *out = TAKE(t);
    return OK;
}

err table_def_decode(struct bytes text, struct table_def **out)
{
    err e = read_canonical(text, out);

    if (e.code) {
        (void)err_context(e, "table descriptor");
        return (err){ ERR_CORRUPT };
    }
    return OK;
}
