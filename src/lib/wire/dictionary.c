/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/dictionary.h"

#include <assert.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/wire/tuple.h"

#define KIND_TABLE 1
#define INDEX_ROWS 1

static const char *const type_names[COLUMN_TYPE_COUNT] = {
    [COLUMN_BOOL] = "bool",       [COLUMN_INT2] = "int2",           [COLUMN_INT4] = "int4",
    [COLUMN_INT8] = "int8",       [COLUMN_FLOAT8] = "float8",       [COLUMN_NUMERIC] = "numeric",
    [COLUMN_TEXT] = "text",       [COLUMN_VARCHAR] = "varchar",     [COLUMN_BYTEA] = "bytea",
    [COLUMN_DATE] = "date",       [COLUMN_TIMESTAMP] = "timestamp",
    [COLUMN_TIMESTAMPTZ] = "timestamptz",
};

const char *column_type_name(enum column_type type)
{
    assert((unsigned)type < COLUMN_TYPE_COUNT);
    return type_names[type];
}

bool column_type_is_int(enum column_type type)
{
    return (type >= COLUMN_INT2 && type <= COLUMN_INT8) || type >= COLUMN_DATE;
}

bool column_type_is_octets(enum column_type type)
{
    return type == COLUMN_TEXT || type == COLUMN_VARCHAR || type == COLUMN_BYTEA;
}

err table_def_new(uint16_t columns, struct table_def **out)
{
    if (columns > TABLE_COLUMNS_MAX) {
        FAIL(ERR_LIMIT, "%u columns, at most %d", columns, TABLE_COLUMNS_MAX);
    }
    AUTO(table_def_freep) struct table_def *t = mem_take(sizeof *t);
    if (t == NULL) {
        FAIL(ERR_LIMIT, "no memory for a table");
    }
    t->columns = mem_take(columns * sizeof *t->columns);
    if (t->columns == NULL) {
        FAIL(ERR_LIMIT, "no memory for a table of %u columns", columns);
    }
    t->column_count = columns;
    for (uint16_t i = 0; i < columns; i++) {
        t->columns[i].id = (uint16_t)(i + 1);
        t->columns[i].typmod = -1;
        t->columns[i].key_index = -1;
    }
    *out = TAKE(t);
    return OK;
}

void table_def_free(struct table_def *t)
{
    if (t != NULL) {
        mem_give(t->columns);
        mem_give(t);
    }
}

void table_def_freep(struct table_def **t)
{
    table_def_free(*t);
    *t = NULL;
}

void table_def_lay_out(struct table_def *t)
{
    uint16_t slots = 0;

    for (uint16_t i = 0; i < t->key_count; i++) {
        t->columns[t->key[i]].key_index = (int16_t)i;
    }
    for (uint16_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].key_index < 0) {
            t->columns[i].slot = slots++;
        }
    }
    t->version = 1;
    t->version_slots[0] = slots;
}

uint16_t table_slots(const struct table_def *t)
{
    return t->version_slots[t->version - 1];
}

int table_column_find(const struct table_def *t, struct bytes name)
{
    for (uint16_t i = 0; i < t->column_count; i++) {
        const struct table_column *c = &t->columns[i];
        if (!c->dropped && name.len <= TABLE_NAME_BYTES_MAX && c->name[name.len] == '\0' &&
            memcmp(c->name, name.ptr, name.len) == 0) {
            return i;
        }
    }
    return -1;
}

unsigned numeric_precision(int32_t typmod)
{
    return (unsigned)(typmod - 4) >> 16;
}

unsigned numeric_scale(int32_t typmod)
{
    return (unsigned)(typmod - 4) & 0xffff;
}

/* --- keys --- */

void dictionary_version_encode(uint64_t version, uint8_t out[DICTIONARY_VERSION_BYTES])
{
    store_u64_le(out, version);
}

err dictionary_version_parse(struct bytes value, uint64_t *out)
{
    if (value.len != DICTIONARY_VERSION_BYTES) {
        FAIL(ERR_CORRUPT, "dictionary version of %zu octets", value.len);
    }
    *out = load_u64_le(value.ptr);
    return OK;
}

static err put_key(struct buf *out, const int64_t *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        TRY(tuple_put_int(out, parts[i]));
    }
    return OK;
}

err dictionary_version_key(struct buf *out)
{
    return put_key(out, (int64_t[]){ 0 }, 1);
}

err dictionary_table_key(uint32_t id, struct buf *out)
{
    return put_key(out, (int64_t[]){ 0, KIND_TABLE, id }, 3);
}

err dictionary_tables_prefix(struct buf *out)
{
    return put_key(out, (int64_t[]){ 0, KIND_TABLE }, 2);
}

err table_rows_prefix(uint32_t id, struct buf *out)
{
    return put_key(out, (int64_t[]){ id, INDEX_ROWS }, 2);
}
