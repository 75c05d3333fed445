/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/run.h"

#define OP_BYTES 32 /* of an operation in a batch beside key and value, and some air */
#define BATCH_BYTES_MAX (KVS_BATCH_BYTES_MAX - (1u << 16))

void staging_clear(struct staging *s)
{
    buf_done(&s->keys);
    buf_done(&s->values);
    buf_done(&s->rows);
    *s = (struct staging){ 0 };
}

struct staged_row *staging_row(const struct staging *s, size_t i)
{
    return (struct staged_row *)(void *)s->rows.ptr + i;
}

struct bytes staging_key(const struct staging *s, size_t i)
{
    const struct staged_row *row = staging_row(s, i);

    return (struct bytes){ s->keys.ptr + row->key_at, row->key_bytes };
}

struct bytes staging_value(const struct staging *s, size_t i)
{
    const struct staged_row *row = staging_row(s, i);

    return (struct bytes){ s->values.ptr + row->value_at, row->value_bytes };
}

/* Counts a row whose key and value are already at the ends of the buffers. */
static err staging_row_add(struct sql_run *r, struct staging *s, const struct staged_row *row)
{
    uint32_t rows_max = r->engine->options.limits.rows_max;

    if (s->count >= rows_max) {
        SQL_FAIL(&r->error, "54000", SQL_NOWHERE, "a statement writes at most %u rows", rows_max);
    }
    s->octets += row->key_bytes + row->value_bytes + OP_BYTES;
    if (s->octets > BATCH_BYTES_MAX) {
        SQL_FAIL(&r->error, "54000", SQL_NOWHERE, "a statement writes at most %u octets",
                 BATCH_BYTES_MAX);
    }
    s->rows.max = SIZE_MAX / 2;
    TRY(buf_append(&s->rows, (struct bytes){ (const uint8_t *)row, sizeof *row }));
    s->count++;
    return OK;
}

err staging_add(struct sql_run *r, struct staging *s, struct bytes key, struct bytes value,
                uint64_t rev, bool present)
{
    struct staged_row row = { .rev = rev, .present = present };

    s->keys.max = s->values.max = KVS_BATCH_BYTES_MAX;
    row.key_at = s->keys.len;
    row.value_at = s->values.len;
    row.key_bytes = key.len;
    row.value_bytes = value.len;
    TRY(buf_append(&s->keys, key));
    TRY(buf_append(&s->values, value));
    return staging_row_add(r, s, &row);
}
