/* SPDX-License-Identifier: Apache-2.0 */
/* The data dictionary of the SQL service: where tables are described in the key-value store
 * (docs/storage.md, "Dictionary").
 *
 * Table id 0 of the space holds it: key (0) the dictionary version, u64 little-endian; key
 * (0, 1, id) the descriptor of a table as canonical JSON. Rows are at (id, 1, primary key ..). A
 * table's id is the dictionary version its creation made, so an id is never used twice. */
#pragma once

#include "lib/base/buf.h"
#include "lib/wire/row.h"

#define DICTIONARY_SPACE "sql"
#define DICTIONARY_VERSION_BYTES 8
#define TABLE_COLUMNS_MAX 256
#define TABLE_KEY_COLUMNS_MAX 16
#define TABLE_NAME_BYTES_MAX 63
#define TABLE_VERSIONS_MAX 64
#define TABLE_TEXT_BYTES_MAX (256u << 10) /* a descriptor */
#define TABLE_PRECISION_MAX 18            /* digits of a numeric that fits a slot */
#define TABLE_VARCHAR_MAX 10485760        /* as PostgreSQL */

enum column_type {
    COLUMN_BOOL, COLUMN_INT2, COLUMN_INT4, COLUMN_INT8, COLUMN_FLOAT8, COLUMN_NUMERIC, COLUMN_TEXT,
    COLUMN_VARCHAR, COLUMN_BYTEA, COLUMN_DATE, COLUMN_TIMESTAMP, COLUMN_TIMESTAMPTZ,
    COLUMN_TYPE_COUNT
};
/* "int8", "timestamptz", ...: as the descriptor spells it. */
const char *column_type_name(enum column_type type);
/* Dates count days, times microseconds, both since 2000-01-01 UTC. */
bool column_type_is_int(enum column_type type);    /* slot and key element are plain integers */
bool column_type_is_octets(enum column_type type); /* text, varchar, bytea */

struct table_column {
    uint16_t id; /* from 1, never used again */
    enum column_type type;
    int32_t typmod; /* varchar n + 4; numeric (p << 16 | s) + 4; else -1 */
    bool not_null;
    bool dropped;
    int16_t key_index; /* place in the primary key, -1: not part of it */
    uint16_t slot;     /* of a row; 0 and without meaning for key columns */
    char name[TABLE_NAME_BYTES_MAX + 1];
};

struct table_def {
    uint32_t id;
    bool dropped; /* its rows are being deleted */
    uint16_t version;
    uint16_t version_slots[TABLE_VERSIONS_MAX]; /* slots of versions 1 .. version */
    uint16_t key_count;
    uint16_t key[TABLE_KEY_COLUMNS_MAX]; /* indices of columns */
    uint16_t column_count;
    struct table_column *columns;
    char name[TABLE_NAME_BYTES_MAX + 1];
    char owner[TABLE_NAME_BYTES_MAX + 1];
};

/* Gives an empty definition with room for `columns` columns. */
err table_def_new(uint16_t columns, struct table_def **out) MUST_USE;
void table_def_free(struct table_def *t);
void table_def_freep(struct table_def **t);
/* After columns and key are set: gives the other columns their slots, as version 1. */
void table_def_lay_out(struct table_def *t);

uint16_t table_slots(const struct table_def *t); /* of the newest version */
/* Index of a column that is not dropped, -1 when there is none. */
int table_column_find(const struct table_def *t, struct bytes name);
unsigned numeric_precision(int32_t typmod);
unsigned numeric_scale(int32_t typmod);

/* Appends the canonical JSON. */
err table_def_encode(const struct table_def *t, struct buf *out) MUST_USE;
/* ERR_CORRUPT for anything but what table_def_encode writes. Gives. */
err table_def_decode(struct bytes text, struct table_def **out) MUST_USE;

void dictionary_version_encode(uint64_t version, uint8_t out[DICTIONARY_VERSION_BYTES]);
err dictionary_version_parse(struct bytes value, uint64_t *out) MUST_USE; /* ERR_CORRUPT */

/* Keys; all append. */
err dictionary_version_key(struct buf *out) MUST_USE;
err dictionary_table_key(uint32_t id, struct buf *out) MUST_USE;
err dictionary_tables_prefix(struct buf *out) MUST_USE;
err table_rows_prefix(uint32_t id, struct buf *out) MUST_USE;
