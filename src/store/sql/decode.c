/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/decode.h"

#include "lib/wire/kvs_api.h"
#include "lib/wire/row.h"

err decoder_init(struct decoder *d, const struct table_def *t, struct arena *a)
{
    AUTO(buf_done) struct buf prefix = { .max = KVS_KEY_BYTES_MAX };
    struct decoder n = { .table = t, .scratch.max = KVS_KEY_BYTES_MAX };

    TRY(table_rows_prefix(t->id, &prefix));
    n.prefix_bytes = prefix.len;
    n.slots = arena_take(a, t->column_count * sizeof *n.slots);
    n.values = arena_take(a, t->column_count * sizeof *n.values);
    n.needed = arena_take(a, t->column_count * sizeof *n.needed);
    if (n.slots == NULL || n.values == NULL || n.needed == NULL) {
        FAIL(ERR_LIMIT, "the statement needs too much memory");
    }
    for (uint16_t i = 0; i < t->column_count; i++) {
        n.values[i].null = true;
    }
    *d = n;
    return OK;
}

void decoder_done(struct decoder *d)
{
    buf_done(&d->scratch);
}

void decoder_need(struct decoder *d, uint16_t column)
{
    const struct table_column *c = &d->table->columns[column];

    if (d->needed[column]) {
        return;
    }
    d->needed[column] = true;
    if (c->key_index >= 0) {
        uint16_t count = (uint16_t)(c->key_index + 1);
        d->key_count = count > d->key_count ? count : d->key_count;
    } else {
        d->slots[d->slot_count++] = column;
    }
}

void decoder_need_all(struct decoder *d)
{
    for (uint16_t i = 0; i < d->table->column_count; i++) {
        if (!d->table->columns[i].dropped) {
            decoder_need(d, i);
        }
    }
}

bool decoder_needs_row(const struct decoder *d)
{
    return d->slot_count > 0;
}

static err read_key(struct decoder *d, struct bytes key)
{
    const struct table_def *t = d->table;

    buf_clear(&d->scratch);
    for (uint16_t k = 0; k < d->key_count; k++) {
        uint16_t column = t->key[k];
        TRY(value_take_key(&key, &d->scratch, t->columns[column].type, &d->values[column]));
    }
    if (d->key_count == t->key_count && key.len > 0) {
        FAIL(ERR_CORRUPT, "%zu octets behind the key", key.len);
    }
    return OK;
}

static err read_row(struct decoder *d, struct bytes octets)
{
    const struct table_def *t = d->table;
    struct row r;

    TRY(row_open(octets, &r));
    if (r.version == 0 || r.version > t->version || r.slots != t->version_slots[r.version - 1]) {
        FAIL(ERR_CORRUPT, "row of schema version %u with %u slots", r.version, r.slots);
    }
    for (uint16_t i = 0; i < d->slot_count; i++) {
        uint16_t column = d->slots[i];
        TRY(value_take_slot(&r, &t->columns[column], &d->values[column]));
    }
    return OK;
}

err decoder_read(struct decoder *d, struct bytes key, struct bytes row)
{
    if (key.len < d->prefix_bytes) {
        FAIL(ERR_CORRUPT, "key of %zu octets", key.len);
    }
    TRY(read_key(d, (struct bytes){ key.ptr + d->prefix_bytes, key.len - d->prefix_bytes }));
    return d->slot_count > 0 ? read_row(d, row) : OK;
}

err decoder_prefix(struct decoder *d, struct bytes key, uint16_t count, size_t *out)
{
    struct sql_value ignored;

    if (key.len < d->prefix_bytes) {
        FAIL(ERR_CORRUPT, "key of %zu octets", key.len);
    }
    struct bytes rest = { key.ptr + d->prefix_bytes, key.len - d->prefix_bytes };
    buf_clear(&d->scratch);
    for (uint16_t k = 0; k < count; k++) {
        enum column_type type = d->table->columns[d->table->key[k]].type;
        TRY(value_take_key(&rest, &d->scratch, type, &ignored));
    }
    *out = key.len - rest.len;
    return OK;
}
